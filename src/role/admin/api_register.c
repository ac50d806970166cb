/* api_register.c - elements are registered, changed and removed
 * (ADM-008...ADM-015).
 *
 * An address that is new is tried before it is taken: a typo is found by who
 * makes it, and not by the uploads of the night (ADM-013). The element's health
 * needs no token; who it is, it tells those whose tokens it trusts, else later
 * the first gateway that asks it. `force` leaves all that out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "role/admin/probe.h"
#include "wire/endpoint.h"
#include "wire/query.h"
#include <stdio.h>
#include <stdlib.h>

struct reg {
    struct small_body body;
    struct work work;
    struct probe probe;
    struct announce_wait told;
    bool add; /* else a change */
    bool force;
    struct admin_view was;      /* of a change */
    struct meta_element record; /* of an addition */
    struct admin_change change;
    char endpoint[256], location[65], name[65];
    struct wall now;
    enum err err;
    struct fault fault;
};

static struct admin_api *
api_of(struct reg *r)
{
    return r->body.call->role;
}

static const char *
id_of(const struct reg *r)
{
    return r->add ? r->record.element_id : r->was.record.element_id;
}

/* ---- answers ---- */

static void
reply_invalid(struct call *c, const char *field)
{
    reply_error(
        c, 422, "invalid_element", "The value of %s is not allowed%s", field,
        strcmp(field, "api_url") == 0 ? "; it looks like http://HOST:8010"
                                      : "");
}

static void
reply_now(struct reg *r)
{
    struct call *c = r->body.call;
    struct admin_view v;
    char path[96];

    if (admin_view(api_of(r)->conf.admin, id_of(r), r->now, &v) != ERR_OK) {
        reply_error(c, 404, "element_not_found", "%s is gone", id_of(r));
        return;
    }
    (void)snprintf(path, sizeof(path), "/api/v1/storage-elements/%s",
                   v.record.element_id);
    if (r->add)
        exchange_header(c->x, SLICE("Location"), slice_str(path));
    api_reply_element(c, r->add ? 201 : 200, &v);
}

static void
reply_reg(struct reg *r)
{
    struct call *c = r->body.call;

    switch (r->err) {
    case ERR_OK:
        reply_now(r);
        break;
    case ERR_NOENT:
        reply_error(c, 404, "element_not_found", "%s is gone", id_of(r));
        break;
    case ERR_EXISTS:
        reply_error(c, 409, "element_exists", "%s has this %s already%s%s",
                    r->fault.what, r->fault.op, r->fault.hint ? "; " : "",
                    r->fault.hint ? r->fault.hint : "");
        break;
    case ERR_CONFLICT:
        reply_error(c, 409, "mode_goes_forward",
                    "%s is in mode %s; a mode goes from edit to rw to ro to ar "
                    "and never back, and not to %s",
                    id_of(r), element_mode_text(r->was.record.mode),
                    element_mode_text(r->change.mode));
        break;
    case ERR_UNSUPPORTED:
        reply_error(c, 409, "element_is_here",
                    "%s is an element of this process, which says itself what "
                    "it is; its settings are in STORAGE_ELEMENTS",
                    id_of(r));
        break;
    case ERR_INVAL:
        reply_invalid(c, r->fault.what);
        break;
    default:
        reply_fault(c, &r->fault, "The database");
        break;
    }
}

/* ---- the record ---- */

static void
reg_work(struct work *w)
{
    struct reg *r = container_of(w, struct reg, work);
    struct admin *a = api_of(r)->conf.admin;
    struct meta_element changed;

    if (r->add)
        r->err = admin_element_add(a, &r->record, &r->fault);
    else
        r->err = admin_element_change(a, id_of(r), &r->change, r->now, &changed,
                                      &r->fault);
    /* What it has said at this address counts at once. */
    if (!r->err && r->probe.answered)
        (void)admin_capacity_set(a, id_of(r), &r->probe.capacity, r->now, NULL);
}

static void
reg_end(struct reg *r)
{
    reply_reg(r);
    free(r);
}

static void
reg_told(struct announce_wait *w)
{
    reg_end(container_of(w, struct reg, told));
}

static void
reg_done(struct loop *l, struct work *w)
{
    struct reg *r = container_of(w, struct reg, work);
    struct call *c = r->body.call;
    const char *result = r->err ? err_name(r->err)
                         : r->change.has_mode
                             ? element_mode_text(r->change.mode)
                             : "ok";

    api_audit(c, c->caller.subject, r->add ? "element.add" : "element.change",
              id_of(r), result);
    r->told = (struct announce_wait){.loop = l, .ready = reg_told};
    if (r->err || !admin_await_told(api_of(r)->conf.admin, &r->told))
        reg_end(r);
}

static void
reg_submit(struct reg *r)
{
    r->work.work = reg_work;
    r->work.done = reg_done;
    loop_work(r->body.call->x->loop, &r->work);
}

/* ---- trying the address ---- */

static void
reg_probed(struct probe *p)
{
    struct reg *r = container_of(p, struct reg, probe);
    struct call *c = r->body.call;
    struct uuid *uuid = &r->record.uuid;

    if (p->err) {
        reply_error(c, 422, "element_unreachable",
                    "%s: %s; force=true registers it all the same", p->url,
                    p->why);
        free(r);
        return;
    }
    if (r->add && p->answered && !uuid_is_nil(&p->capacity.element_uuid)) {
        if (!uuid_is_nil(uuid) && !uuid_eq(uuid, &p->capacity.element_uuid)) {
            reply_error(c, 409, "conflict",
                        "Another element than the uuid says answers there");
            free(r);
            return;
        }
        *uuid = p->capacity.element_uuid;
        r->record.seen_at = r->now;
    }
    reg_submit(r);
}

static void
reg_go(struct reg *r)
{
    struct admin_api *api = api_of(r);
    const char *url = r->add ? r->record.endpoint : r->change.endpoint;
    bool same = !r->add && url && strcmp(url, r->was.record.endpoint) == 0;

    r->now = r->body.call->x->loop->wall;
    r->record.created_at = r->record.updated_at = r->now;
    if (!uuid_is_nil(&r->record.uuid))
        r->record.seen_at = r->now;
    if (r->add)
        r->err = admin_element_taken(api->conf.admin, &r->record, &r->fault);
    if (r->err) {
        reply_reg(r);
        free(r);
        return;
    }
    if (!url || same || r->force || (!r->add && r->was.here)) {
        reg_submit(r);
        return;
    }
    if (!api->conf.fetch) {
        reply_error(r->body.call, 422, "element_unreachable",
                    "This process asks nobody, so that the address cannot be "
                    "tried; force=true registers it all the same");
        free(r);
        return;
    }
    probe_begin(&r->probe, api, r->body.call->x->loop, url, id_of(r),
                reg_probed);
}

/* ---- the body ---- */

static void
take_text(const json_t *j, const char *key, char *dst, size_t cap,
          const char **out, struct json_error *e)
{
    struct slice s = json_get_str(j, key, JSON_OPTIONAL, e);

    if (!s.p || e->text[0])
        return;
    *out = dst;
    if (!slice_copy(s, dst, cap))
        snprintf(e->text, sizeof(e->text), "%s is too long", key);
}

static void
take_change(struct reg *r, const json_t *j, struct json_error *e)
{
    struct slice mode = json_get_str(j, "mode", JSON_OPTIONAL, e);
    struct admin_change *c = &r->change;
    int m = mode.p ? element_mode_of(mode) : BLOB_EDIT;

    c->has_mode = mode.p != NULL;
    if (m < 0 && !e->text[0])
        snprintf(e->text, sizeof(e->text), "mode is one of edit, rw, ro, ar");
    c->mode = m;
    c->has_priority = json_object_get(j, "priority") != NULL;
    c->priority =
        (int)json_get_int(j, "priority", JSON_OPTIONAL, 0, ADMIN_PRIORITY_MAX,
                          ADMIN_PRIORITY_DEFAULT, e);
    take_text(j, "endpoint", r->endpoint, sizeof(r->endpoint), &c->endpoint, e);
    take_text(j, "api_url", r->endpoint, sizeof(r->endpoint), &c->endpoint, e);
    take_text(j, "location", r->location, sizeof(r->location), &c->location, e);
    take_text(j, "name", r->name, sizeof(r->name), &c->name, e);
    r->force |= json_get_bool(j, "force", JSON_OPTIONAL, false, e);
}

static void
take_addition(struct reg *r, const json_t *j, struct json_error *e)
{
    struct slice id = json_get_str(j, "element_id", JSON_REQUIRED, e);
    struct slice uuid = json_get_str(j, "uuid", JSON_OPTIONAL, e);
    struct meta_element *m = &r->record;

    if (!slice_copy(id, m->element_id, sizeof(m->element_id)) && !e->text[0])
        snprintf(e->text, sizeof(e->text), "element_id is too long");
    if (uuid.p && !uuid_parse(uuid, &m->uuid) && !e->text[0])
        snprintf(e->text, sizeof(e->text), "uuid is malformed");
    m->mode = r->change.mode;
    m->priority =
        r->change.has_priority ? r->change.priority : ADMIN_PRIORITY_DEFAULT;
    memcpy(m->endpoint, r->endpoint, sizeof(m->endpoint));
    memcpy(m->location, r->location, sizeof(m->location));
    memcpy(m->name, r->change.name ? r->name : m->element_id, sizeof(m->name));
}

/* A member that nobody reads would be a change that is not made. PUT may bring
 * back all that GET has shown. */
static void
check_names(const json_t *j, struct json_error *e)
{
    static const char *const known[] = {"element_id", "uuid",     "name",
                                        "mode",       "priority", "api_url",
                                        "endpoint",   "location", "force"};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)j, name, value)
    {
        size_t i = 0;

        while (i < countof(known) && strcmp(name, known[i]) != 0)
            i++;
        if (i == countof(known) && !e->text[0])
            snprintf(e->text, sizeof(e->text),
                     "There is no field %.32s; there are mode, priority, "
                     "api_url, location, name",
                     name);
    }
}

static bool
query_force(struct call *c)
{
    char text[8];
    size_t n;

    return query_get(c->x->head->query, SLICE("force"), text, sizeof(text),
                     &n) == QUERY_OK &&
           slice_eq(slice_of(text, n), SLICE("true"));
}

static void
reg_body(struct small_body *b)
{
    struct reg *r = container_of(b, struct reg, body);
    struct json_error e = {0};
    struct call *c = b->call;
    json_t *j = json_read(buf_slice(&b->buf), &e);
    const char *field = NULL;

    small_body_release(b);
    r->force = query_force(c);
    if (j) {
        if (c->route->method != HTTP_PUT)
            check_names(j, &e);
        take_change(r, j, &e);
        if (r->add)
            take_addition(r, j, &e);
    }
    if (j && !e.text[0] && r->add)
        field = r->record.endpoint[0] ? admin_element_invalid(&r->record)
                                      : "api_url";
    else if (j && !e.text[0] && r->change.endpoint &&
             !admin_url_ok(slice_str(r->endpoint)))
        field = "api_url";
    json_decref(j);
    if (!j)
        reply_error(c, 400, "invalid_json", "%s", e.text);
    else if (e.text[0])
        reply_error(c, 422, "invalid_element", "%s", e.text);
    else if (field)
        reply_invalid(c, field);
    if (!j || e.text[0] || field)
        free(r);
    else
        reg_go(r);
}

static void
reg_failed(struct small_body *b)
{
    small_body_release(b);
    free(container_of(b, struct reg, body));
}

static struct reg *
reg_new(struct call *c)
{
    struct reg *r = calloc(1, sizeof(*r));

    if (!r) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return NULL;
    }
    r->body.done = reg_body;
    r->body.failed = reg_failed;
    return r;
}

void
api_element_add(struct call *c)
{
    struct reg *r = reg_new(c);

    if (!r)
        return;
    r->add = true;
    small_body_read(&r->body, c, API_FORM_MAX);
}

void
api_element_change(struct call *c)
{
    struct reg *r = reg_new(c);

    if (!r)
        return;
    if (!api_element_of_path(c, &r->was)) {
        free(r);
        return;
    }
    small_body_read(&r->body, c, API_FORM_MAX);
}

/* ---- DELETE (ADM-014) ---- */

static void
remove_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;

    j->err = admin_element_remove(api->conf.admin, j->element_id,
                                  query_force(j->call), &j->fault);
    if (j->err == ERR_BUSY)
        snprintf(
            j->why.text, sizeof(j->why.text),
            "%s still holds files; force=true removes it all the same, and "
            "they are not found any more",
            j->element_id);
    if (j->err == ERR_UNSUPPORTED) {
        snprintf(j->why.text, sizeof(j->why.text),
                 "It is an element of this process; take it out of "
                 "STORAGE_ELEMENTS");
        j->fault.code = ERR_OK;
    }
}

static void
remove_told(struct api_job *j)
{
    api_audit(j->call, j->call->caller.subject, "element.remove", j->element_id,
              err_name(j->err));
}

void
api_element_remove(struct call *c)
{
    struct api_job *j = api_job_new(c, remove_run);

    if (!j)
        return;
    j->told = remove_told;
    j->awaits = true;
    api_job_read(j, API_SMALL);
}
