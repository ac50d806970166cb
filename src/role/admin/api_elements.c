/* api_elements.c - storage elements as JSON.
 *
 * Members carry the names of ING-112 and ADM-012; the older names of CNF-020
 * stand beside them, so that any reader finds what it looks for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "role/admin/element.h"
#include "role/common/capacity.h"
#include "wire/date.h"
#include "wire/endpoint.h"
#include "wire/json.h"
#include "wire/query.h"
#include <stdlib.h>

#define ANSWER_MAX (64 * KIB)
#define LIST_MAX   (ADMIN_ELEMENTS_MAX * (size_t)2 * KIB)

/* ---- one element ---- */

static bool
stale(const struct admin_view *v, struct wall now)
{
    return now.ms - v->heard.ms > ADMIN_STALE_MS;
}

/* What was not heard for a minute is told, and said to be old; whoever chooses
 * by it finds an element that is not available (ADM-021). */
static void
put_capacity(struct json_writer *w, const struct admin_view *v, struct wall now)
{
    const struct blob_capacity *c = &v->cap;
    bool old = stale(v, now);

    json_put_u64(w, "capacity_total", c->total);
    json_put_u64(w, "capacity_used", c->used);
    json_put_u64(w, "capacity_free", c->available);
    json_put_double(w, "capacity_percent", capacity_percent(c->used, c->total));
    json_put_text(w, "capacity_status", element_status_text(c->status));
    json_put_u64(w, "reserved", c->reserved);
    json_put_u64(w, "inodes_total", c->inodes_total);
    json_put_u64(w, "inodes_available", c->inodes_available);
    json_put_u64(w, "files", c->files);
    json_put_u64(w, "bytes", c->bytes);
    json_put_bool(w, "writable", c->writable && !old);
    json_put_text(w, "health_status",
                  old ? "unavailable" : capacity_health_word(c->health));
    json_put_text(w, "health", v->heard.ms ? c->health : "unknown");
    json_put_text(w, "status", element_status_text(c->status));
    json_put_bool(w, "stale", old);
    json_put_time(w, "heard_at", v->heard);
    json_put_time(w, "last_updated", c->last_update);
}

static void
put_element(struct json_writer *w, const struct admin_view *v, struct wall now)
{
    const struct meta_element *r = &v->record;
    const struct blob_capacity *c = &v->cap;
    char uuid[UUID_TEXT];

    json_put_object(w, NULL);
    json_put_text(w, "element_id", r->element_id);
    json_put_text(w, "name", r->name);
    if (r->seen_at.ms)
        json_put_text(w, "uuid", uuid_text(&r->uuid, uuid));
    else
        json_put_null(w, "uuid"); /* it has not said yet */
    json_put_text(w, "api_url", r->endpoint);
    json_put_text(w, "endpoint", r->endpoint);
    json_put_text(w, "mode", element_mode_text(r->mode));
    if (v->heard.ms)
        json_put_text(w, "reported_mode", element_mode_text(c->mode));
    json_put_i64(w, "priority", r->priority);
    json_put_text(w, "location", r->location);
    json_put_bool(w, "remote", !v->here);
    json_put_text(w, "backend", c->backend);
    json_put_text(w, "pool_id", c->pool_id);
    put_capacity(w, v, now);
    json_put_time(w, "created_at", r->created_at);
    json_put_time(w, "updated_at", r->updated_at);
    json_end_object(w);
}

bool
api_element_of_path(struct call *c, struct admin_view *v)
{
    struct admin_api *api = c->role;
    struct wall now = c->x->loop->wall;
    char id[65];
    size_t n = 0;

    /* Decoding never makes it longer. */
    if (c->param[0].n < sizeof(id) && pct_decode(c->param[0], id, &n)) {
        id[n] = '\0';
        if (admin_id_ok(slice_of(id, n)) &&
            admin_view(api->conf.admin, id, now, v) == ERR_OK)
            return true;
    }
    reply_error(c, 404, "element_not_found",
                "There is no storage element %.*s; "
                "GET /api/v1/storage-elements lists them",
                SLICE_ARG(slice_head(c->param[0], 64)));
    return false;
}

void
api_reply_element(struct call *c, int status, const struct admin_view *v)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, ANSWER_MAX);
    json_begin(&w, &b);
    put_element(&w, v, c->x->loop->wall);
    reply_json(c, status, &b);
    buf_release(&b);
}

void
api_element(struct call *c)
{
    struct admin_view v;

    if (api_element_of_path(c, &v))
        api_reply_element(c, 200, &v);
}

/* ---- capacity (STO-018, ADM-020) ---- */

/* The element's own words under the names that Admin has for it. */
void
api_capacity(struct call *c)
{
    struct wall now = c->x->loop->wall;
    struct json_writer w;
    struct admin_view v;
    struct buf b;

    if (!api_element_of_path(c, &v))
        return;
    (void)slice_copy(slice_str(v.record.element_id), v.cap.element_id,
                     sizeof(v.cap.element_id));
    (void)slice_copy(slice_str(v.record.endpoint), v.cap.endpoint,
                     sizeof(v.cap.endpoint));
    buf_init(&b, ANSWER_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    capacity_put(&w, &v.cap, now);
    json_put_bool(&w, "stale", stale(&v, now));
    json_put_time(&w, "heard_at", v.heard);
    json_end_object(&w);
    reply_json(c, 200, &b);
    buf_release(&b);
}

/* ---- lists ---- */

struct choice {
    bool writable_only;
    bool one_mode;
    enum blob_mode mode;
    uint64_t free_min;
};

static bool
chosen(const struct choice *ch, const struct admin_view *v, struct wall now)
{
    if (!ch->writable_only)
        return true;
    return v->record.mode <= BLOB_RW && v->cap.writable && !stale(v, now) &&
           (!ch->one_mode || v->record.mode == (int)ch->mode) &&
           v->cap.available >= ch->free_min;
}

/* As they are filled: by priority, then by id (ING-110). */
static int
by_priority(const void *pa, const void *pb)
{
    const struct admin_name *a = pa, *b = pb;

    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return strcmp(a->element_id, b->element_id);
}

static void
reply_names(struct call *c, const struct choice *ch,
            const struct admin_name *name, unsigned n)
{
    struct admin_api *api = c->role;
    struct wall now = c->x->loop->wall;
    struct admin_view v;
    struct json_writer w;
    struct buf b;

    buf_init(&b, LIST_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_list(&w, "storage_elements");
    for (unsigned i = 0; i < n; i++)
        if (admin_view(api->conf.admin, name[i].element_id, now, &v) ==
                ERR_OK &&
            chosen(ch, &v, now))
            put_element(&w, &v, now);
    json_end_list(&w);
    json_end_object(&w);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
reply_list(struct call *c, const struct choice *ch)
{
    struct admin_api *api = c->role;
    unsigned n = admin_names(api->conf.admin, NULL, 0);
    struct admin_name *name = calloc(n ? n : 1, sizeof(*name));

    if (!name) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    n = (unsigned)size_min(n, admin_names(api->conf.admin, name, n));
    qsort(name, n, sizeof(*name), by_priority);
    reply_names(c, ch, name, n);
    free(name);
}

void
api_elements(struct call *c)
{
    const struct choice all = {0};

    reply_list(c, &all);
}

void
api_available(struct call *c)
{
    struct choice ch = {.writable_only = true};
    struct slice query = c->x->head->query;
    enum query_result r;
    char text[24];
    size_t n;
    int mode;

    r = query_get(query, SLICE("mode"), text, sizeof(text), &n);
    ch.one_mode = r != QUERY_END;
    mode = r == QUERY_OK ? element_mode_of(slice_of(text, n)) : -1;
    if (ch.one_mode && (mode < 0 || mode > BLOB_RW)) {
        reply_error(c, 400, "invalid_mode", "mode is edit or rw");
        return;
    }
    ch.mode = ch.one_mode ? (enum blob_mode)mode : ch.mode;
    r = query_get(query, SLICE("min_free_bytes"), text, sizeof(text), &n);
    if (r != QUERY_END &&
        (r != QUERY_OK || !slice_u64(slice_of(text, n), &ch.free_min))) {
        reply_error(c, 400, "invalid_min_free_bytes",
                    "min_free_bytes is a number of bytes, without a unit");
        return;
    }
    reply_list(c, &ch);
}
