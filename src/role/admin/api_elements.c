/* api_elements.c - storage elements as JSON, and changes of them.
 *
 * Members carry the names of ING-112 and ADM-012; the older names of CNF-020
 * stand beside them, so that any reader finds what it looks for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "role/admin/element.h"
#include "role/common/capacity.h"
#include "wire/date.h"
#include "wire/json.h"
#include "wire/query.h"
#include <stdlib.h>

#define ANSWER_MAX (MIB)

/* ---- one element ---- */

struct view {
    struct meta_element record;
    struct blob_capacity cap;
};

static bool
view_get(struct admin_api *api, const char *id, struct view *v)
{
    struct blob *b = registry_element(admin_registry(api->conf.admin), id);

    if (!b || admin_element_get(api->conf.admin, id, &v->record))
        return false;
    b->ops->capacity(b, &v->cap);
    return true;
}

/* CNF-016: of the element's own words the three of ING-112. */
static const char *
health_status(const char *health)
{
    if (slice_starts(slice_str(health), SLICE("healthy")))
        return "healthy";
    if (slice_starts(slice_str(health), SLICE("degraded")))
        return "degraded";
    return "unavailable";
}

static void
put_time(struct json_writer *w, const char *key, struct wall t)
{
    char text[DATE_TEXT];

    if (t.ms)
        json_put_text(w, key, date_rfc3339_ms(t, text));
    else
        json_put_null(w, key);
}

static void
put_element(struct json_writer *w, const char *key, const struct view *v)
{
    const struct meta_element *r = &v->record;
    const struct blob_capacity *c = &v->cap;
    char uuid[UUID_TEXT];

    json_put_object(w, key);
    json_put_text(w, "element_id", r->element_id);
    json_put_text(w, "name", r->name);
    json_put_text(w, "uuid", uuid_text(&r->uuid, uuid));
    json_put_text(w, "api_url", r->endpoint);
    json_put_text(w, "endpoint", r->endpoint);
    json_put_text(w, "mode", admin_mode_name(r->mode));
    json_put_i64(w, "priority", r->priority);
    json_put_text(w, "location", r->location);
    json_put_text(w, "backend", c->backend);
    json_put_text(w, "pool_id", c->pool_id);
    json_put_u64(w, "capacity_total", c->total);
    json_put_u64(w, "capacity_used", c->used);
    json_put_u64(w, "capacity_free", c->available);
    json_put_double(w, "capacity_percent", capacity_percent(c->used, c->total));
    json_put_text(w, "capacity_status", admin_status_name(c->status));
    json_put_u64(w, "reserved", c->reserved);
    json_put_u64(w, "inodes_total", c->inodes_total);
    json_put_u64(w, "inodes_available", c->inodes_available);
    json_put_u64(w, "files", c->files);
    json_put_u64(w, "bytes", c->bytes);
    json_put_bool(w, "writable", c->writable);
    json_put_text(w, "health_status", health_status(c->health));
    json_put_text(w, "health", c->health);
    json_put_text(w, "status", admin_status_name(c->status));
    put_time(w, "last_updated", c->last_update);
    put_time(w, "created_at", r->created_at);
    put_time(w, "updated_at", r->updated_at);
    json_end_object(w);
}

/* The element of the path; false: answered 404. */
static bool
of_path(struct call *c, struct view *v)
{
    char id[65];
    size_t n = 0;

    /* Decoding never makes it longer. */
    if (c->param[0].n < sizeof(id) && pct_decode(c->param[0], id, &n)) {
        id[n] = '\0';
        if (admin_id_ok(slice_of(id, n)) && view_get(c->role, id, v))
            return true;
    }
    reply_error(c, 404, "element_not_found",
                "There is no storage element %.*s; "
                "GET /api/v1/storage-elements lists them",
                SLICE_ARG(slice_head(c->param[0], 64)));
    return false;
}

static void
reply_element(struct call *c, const struct view *v)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, ANSWER_MAX);
    json_begin(&w, &b);
    put_element(&w, NULL, v);
    reply_json(c, 200, &b);
    buf_release(&b);
}

void
api_element(struct call *c)
{
    struct view v;

    if (of_path(c, &v))
        reply_element(c, &v);
}

/* ---- capacity (STO-018, ADM-020) ---- */

/* The element's own words under the names that Admin has for it. */
void
api_capacity(struct call *c)
{
    struct json_writer w;
    struct view v;
    struct buf b;

    if (!of_path(c, &v))
        return;
    (void)slice_copy(slice_str(v.record.element_id), v.cap.element_id,
                     sizeof(v.cap.element_id));
    (void)slice_copy(slice_str(v.record.endpoint), v.cap.endpoint,
                     sizeof(v.cap.endpoint));
    buf_init(&b, ANSWER_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    capacity_put(&w, &v.cap, c->x->loop->wall);
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
chosen(const struct choice *ch, const struct view *v)
{
    if (!ch->writable_only)
        return true;
    return v->record.mode <= BLOB_RW && v->cap.writable &&
           (!ch->one_mode || v->record.mode == (int)ch->mode) &&
           v->cap.available >= ch->free_min;
}

/* As they are filled: by priority, then by id (ING-110). */
static int
by_priority(const void *pa, const void *pb)
{
    const struct registry_element *a = pa, *b = pb;

    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return strcmp(a->blob->element_id, b->blob->element_id);
}

static void
reply_list(struct call *c, const struct choice *ch)
{
    struct admin_api *api = c->role;
    struct registry *g = admin_registry(api->conf.admin);
    struct registry_element e[REGISTRY_ELEMENTS_MAX];
    unsigned n = registry_elements(g, e, countof(e));
    struct json_writer w;
    struct view v;
    struct buf b;

    qsort(e, n, sizeof(e[0]), by_priority);
    buf_init(&b, ANSWER_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_list(&w, "storage_elements");
    for (unsigned i = 0; i < n; i++)
        if (view_get(api, e[i].blob->element_id, &v) && chosen(ch, &v))
            put_element(&w, NULL, &v);
    json_end_list(&w);
    json_end_object(&w);
    reply_json(c, 200, &b);
    buf_release(&b);
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

    r = query_get(query, SLICE("mode"), text, sizeof(text), &n);
    ch.one_mode = r != QUERY_END;
    if (ch.one_mode &&
        (r != QUERY_OK || !admin_mode_parse(slice_of(text, n), &ch.mode) ||
         ch.mode > BLOB_RW)) {
        reply_error(c, 400, "invalid_mode", "mode is edit or rw");
        return;
    }
    r = query_get(query, SLICE("min_free_bytes"), text, sizeof(text), &n);
    if (r != QUERY_END &&
        (r != QUERY_OK || !slice_u64(slice_of(text, n), &ch.free_min))) {
        reply_error(c, 400, "invalid_min_free_bytes",
                    "min_free_bytes is a number of bytes, without a unit");
        return;
    }
    reply_list(c, &ch);
}

/* ---- PATCH (ADM-011, ADM-015) ---- */

struct change_request {
    struct small_body body;
    struct work work;
    struct view view;
    struct meta_element changed;
    int mode;
    int priority;
    struct wall now;
    enum err err;
    struct fault fault;
};

static void
change_work(struct work *w)
{
    struct change_request *r = container_of(w, struct change_request, work);
    struct admin_api *api = r->body.call->role;

    r->err = admin_element_change(api->conf.admin, r->view.record.element_id,
                                  r->mode, r->priority, r->now, &r->changed,
                                  &r->fault);
}

static void
change_answer(struct change_request *r)
{
    struct call *c = r->body.call;
    const char *id = r->view.record.element_id;

    switch (r->err) {
    case ERR_OK:
        if (view_get(c->role, id, &r->view))
            reply_element(c, &r->view);
        else
            reply_error(c, 404, "element_not_found", "%s is gone", id);
        break;
    case ERR_CONFLICT:
        reply_error(c, 409, "mode_goes_forward",
                    "%s is in mode %s; a mode goes from edit to rw to ro to ar "
                    "and never back, and not to %s",
                    id, admin_mode_name(r->view.record.mode),
                    admin_mode_name(r->mode));
        break;
    case ERR_INVAL:
        reply_error(c, 422, "invalid_element", "The value of %s is not allowed",
                    r->fault.what);
        break;
    default:
        reply_fault(c, &r->fault);
        break;
    }
}

static void
change_done(struct loop *l, struct work *w)
{
    struct change_request *r = container_of(w, struct change_request, work);
    struct call *c = r->body.call;

    (void)l;
    api_audit(c, c->caller.subject, "element.change", r->view.record.element_id,
              r->err ? err_name(r->err) : admin_mode_name(r->mode));
    change_answer(r);
    free(r);
}

/* False: answered. What is not named stays as it is. */
static bool
change_parse(struct change_request *r, struct slice body)
{
    struct call *c = r->body.call;
    const struct meta_element *now = &r->view.record;
    struct json_error e = {0};
    json_t *j = json_read(body, &e);
    struct slice mode = json_get_str(j, "mode", JSON_OPTIONAL, &e);
    enum blob_mode m = (enum blob_mode)now->mode;
    bool known = !mode.p || admin_mode_parse(mode, &m);

    r->mode = (int)m;
    r->priority = (int)json_get_int(j, "priority", JSON_OPTIONAL, 0,
                                    ADMIN_PRIORITY_MAX, now->priority, &e);
    json_decref(j);
    if (!j)
        reply_error(c, 400, "invalid_json", "%s", e.text);
    else if (e.text[0])
        reply_error(c, 422, "invalid_element", "%s", e.text);
    else if (!known)
        reply_error(c, 422, "invalid_element",
                    "mode is one of edit, rw, ro, ar");
    return j && !e.text[0] && known;
}

static void
change_body(struct small_body *b, struct slice body)
{
    struct change_request *r = container_of(b, struct change_request, body);

    if (!change_parse(r, body)) {
        free(r);
        return;
    }
    r->now = b->call->x->loop->wall;
    r->work.work = change_work;
    r->work.done = change_done;
    loop_work(b->call->x->loop, &r->work);
}

static void
change_failed(struct small_body *b)
{
    free(container_of(b, struct change_request, body));
}

void
api_element_change(struct call *c)
{
    struct change_request *r = calloc(1, sizeof(*r));

    if (!r) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    if (!of_path(c, &r->view)) {
        free(r);
        return;
    }
    r->body.done = change_body;
    r->body.failed = change_failed;
    small_body_read(&r->body, c);
}
