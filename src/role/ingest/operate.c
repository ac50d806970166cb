/* operate.c - what operators ask of a gateway: read the list of elements again;
 * which elements it knows.
 *
 *     POST /api/v1/config/reload      REL-065; the answer is how it went
 *     GET  /api/v1/storage-elements   for `artstore se ls`, as this gateway
 *                                     sees them; Admin's own list is at Admin
 *
 * In the embedded server elements are attached and not listed, so there is
 * nothing to read. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/capacity.h"
#include "role/ingest/impl.h"
#include "wire/endpoint.h"
#include "wire/json.h"
#include <stdlib.h>

struct reading {
    struct monitor_reading r;
    struct call *call;
};

static void
put_result(struct buf *b, const struct monitor_reading *r)
{
    struct json_writer w;

    json_begin(&w, b);
    json_put_object(&w, NULL);
    json_put_text(&w, "source", reload_source_name(r->source, false));
    json_put_u64(&w, "se_count", r->elements);
    json_put_u64(&w, "added", r->change[RELOAD_ADDED]);
    json_put_u64(&w, "removed", r->change[RELOAD_REMOVED]);
    json_put_u64(&w, "updated", r->change[RELOAD_UPDATED]);
    json_put_u64(&w, "duration_ms", (uint64_t)(r->took.ns / 1000000));
    json_end_object(&w);
}

static void
ready(struct monitor_reading *r)
{
    struct reading *g = container_of(r, struct reading, r);
    struct buf b;

    buf_init(&b, 1024);
    put_result(&b, r);
    if (r->good)
        reply_json(g->call, 200, &b);
    else
        reply_error(g->call, 503, "no_list",
                    "Neither the coordination store nor Admin gives a list of "
                    "storage elements; the one in use stays");
    buf_release(&b);
    free(g);
}

void
config_reload(struct call *c)
{
    struct ingest *g = c->role;
    struct reading *r;

    if (g->conf.monitor == NULL) {
        log_warning(g->conf.log,
                    "Capacity monitor not available for config reload");
        reply_error(c, 404, "no_monitor",
                    "The elements of this server are its own: there is no list "
                    "to be read again");
        return;
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    r->call = c;
    r->r.loop = c->x->loop;
    r->r.ready = ready;
    monitor_reload(g->conf.monitor, &r->r);
}

/* ---- GET /api/v1/storage-elements ---- */

#define ELEMENT_TEXT ((size_t)2 * KIB)

static void
put_element(struct json_writer *w, const struct registry_element *e,
            struct mono now)
{
    struct blob_capacity c;
    char uuid[UUID_TEXT];
    const char *health;

    e->blob->ops->capacity(e->blob, &c);
    health = capacity_health(&c, now);
    json_put_object(w, NULL);
    json_put_text(w, "element_id", e->blob->element_id);
    if (uuid_is_nil(&c.element_uuid))
        json_put_null(w, "uuid"); /* it has not said yet */
    else
        json_put_text(w, "uuid", uuid_text(&c.element_uuid, uuid));
    json_put_text(w, "api_url", c.endpoint);
    json_put_text(w, "endpoint", c.endpoint);
    json_put_text(w, "mode", element_mode_text(e->mode));
    if (c.is_listed && c.has_reported) {
        json_put_text(w, "listed_mode", element_mode_text(c.listed_mode));
        json_put_text(w, "reported_mode", element_mode_text(c.reported_mode));
    }
    json_put_i64(w, "priority", e->priority);
    json_put_text(w, "location", c.location);
    json_put_text(w, "backend", c.backend);
    json_put_text(w, "pool_id", c.pool_id);
    json_put_u64(w, "capacity_total", c.total);
    json_put_u64(w, "capacity_used", c.used);
    json_put_u64(w, "capacity_free", c.available);
    json_put_double(w, "capacity_percent", capacity_percent(c.used, c.total));
    json_put_text(w, "capacity_status", element_status_text(c.status));
    json_put_u64(w, "inodes_total", c.inodes_total);
    json_put_u64(w, "inodes_available", c.inodes_available);
    json_put_u64(w, "files", c.files);
    json_put_u64(w, "bytes", c.bytes);
    json_put_bool(w, "writable", c.writable);
    json_put_text(w, "health_status", capacity_health_word(health));
    json_put_text(w, "health", health);
    json_put_time(w, "last_updated", c.last_update);
    json_end_object(w);
}

static void
elements_list(struct call *c)
{
    struct ingest *g = c->role;
    unsigned n = registry_elements(g->conf.registry, NULL, 0), got;
    struct registry_element *e = calloc(n + 1, sizeof(*e));
    struct json_writer w;
    struct buf b;

    if (e == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    got = registry_elements(g->conf.registry, e, n);
    buf_init(&b, (n + 1) * ELEMENT_TEXT);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_list(&w, "storage_elements");
    for (unsigned i = 0; i < n && i < got; i++) {
        put_element(&w, &e[i], c->x->loop->now);
        blob_drop(&e[i].blob);
    }
    json_end_list(&w);
    json_end_object(&w);
    free(e);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static const struct route_doc elements_docs[] = {
    {"200", NULL, "StorageElements", "The elements that this gateway knows"},
    {0},
};

static const struct route gateway_routes[] = {
    {HTTP_GET,
     "/api/v1/storage-elements",
     SCOPE_READ,
     elements_list,
     "gateway_elements",
     "Storage elements, as this gateway sees them",
     {0},
     elements_docs},
};

struct route_table
ingest_gateway_routes(struct ingest *g)
{
    return (struct route_table){gateway_routes, countof(gateway_routes), g,
                                "elements"};
}
