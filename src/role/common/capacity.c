/* capacity.c - see capacity.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/capacity.h"
#include "wire/capacity.h"
#include "wire/date.h"
#include "wire/endpoint.h"

double
capacity_percent(uint64_t used, uint64_t total)
{
    double p = total ? 100.0 * (double)used / (double)total : 0.0;

    return (double)(int64_t)(p * 100 + 0.5) / 100;
}

const char *
capacity_health(const struct blob_capacity *c, struct mono now)
{
    if (strcmp(c->health, "healthy") == 0 && mono_before(now, c->alone_until))
        return "degraded: failed too often of late";
    return c->health[0] ? c->health : "unknown";
}

const char *
capacity_health_word(const char *health)
{
    static const char *const word[] = {
        [CAPACITY_HEALTHY] = "healthy",
        [CAPACITY_DEGRADED] = "degraded",
        [CAPACITY_UNHEALTHY] = "unavailable",
    };

    return word[capacity_health_parse(slice_str(health), NULL)];
}

void
capacity_put_numbers(struct json_writer *w, const struct blob_capacity *c)
{
    json_put_u64(w, "total", c->total);
    json_put_u64(w, "used", c->used);
    json_put_u64(w, "available", c->available);
    json_put_double(w, "percent_used", capacity_percent(c->used, c->total));
    json_put_u64(w, "reserved", c->reserved);
    json_put_u64(w, "inodes_total", c->inodes_total);
    json_put_u64(w, "inodes_available", c->inodes_available);
}

void
capacity_put(struct json_writer *w, const struct blob_capacity *c,
             struct wall now)
{
    char uuid[UUID_TEXT];

    json_put_text(w, "storage_id", c->element_id);
    json_put_text(w, "element_id", c->element_id);
    json_put_text(w, "element_uuid", uuid_text(&c->element_uuid, uuid));
    json_put_text(w, "mode", element_mode_text(c->mode));
    capacity_put_numbers(w, c);
    json_put_text(w, "status", element_status_text(c->status));
    json_put_text(w, "capacity_status", element_status_text(c->status));
    json_put_text(w, "health", c->health);
    json_put_bool(w, "writable", c->writable);
    json_put_text(w, "backend", c->backend);
    json_put_text(w, "pool_id", c->pool_id);
    json_put_text(w, "location", c->location);
    json_put_text(w, "endpoint", c->endpoint);
    json_put_i64(w, "priority", c->priority);
    json_put_u64(w, "files", c->files);
    json_put_u64(w, "bytes", c->bytes);
    json_put_object(w, "inodes");
    json_put_u64(w, "total", c->inodes_total);
    json_put_u64(w, "available", c->inodes_available);
    json_end_object(w);
    json_put_u64(w, "boot", c->boot); /* D25 */
    json_put_u64(w, "seq", c->seq);
    json_put_time(w, "last_update", c->last_update);
    json_put_time(w, "now", now);
    json_put_object(w, "capacity");
    capacity_put_numbers(w, c);
    json_end_object(w);
}
