/* api_audit.c - the audit log over HTTP (ADM-034, ADM-037): read by
 * administrators, written by gateways.
 *
 * A gateway names the user who did something; that it was this gateway who said
 * so stands beside it (`source`), and of what only Admin does it may say
 * nothing: it cannot put words into Admin's mouth.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "wire/audit_json.h"
#include "wire/date.h"
#include "wire/query.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_MAX     200
#define PAGE_DEFAULT 100
#define TAKE_MAX     200
#define TAKE_BYTES   ((size_t)256 * KIB)
/* Clocks of gateways may be ahead by this (D36 allows a minute for tokens). */
#define AHEAD_MS ((int64_t)10 * 60 * 1000)

/* ---- an entry of our own ---- */

static void
copy_cut(char *dst, size_t cap, const char *s)
{
    (void)snprintf(dst, cap, "%s", s ? s : "");
}

void
api_audit_entry(const struct call *c, struct meta_audit *a, const char *actor,
                const char *action, const char *object, const char *result)
{
    memset(a, 0, sizeof(*a));
    copy_cut(a->actor, sizeof(a->actor), actor);
    copy_cut(a->action, sizeof(a->action), action);
    copy_cut(a->object, sizeof(a->object), object);
    copy_cut(a->result, sizeof(a->result), result);
    copy_cut(a->request_id, sizeof(a->request_id), c->x->request_id);
}

void
api_audit(struct call *c, const char *actor, const char *action,
          const char *object, const char *result)
{
    struct admin_api *api = c->role;
    struct meta_audit a;

    api_audit_entry(c, &a, actor, action, object, result);
    a.at = c->x->loop->wall;
    registry_audit(admin_registry(api->conf.admin), &a);
}

/* ---- GET /api/v1/audit ---- */

struct query_texts {
    struct meta_audit_query q;
    char actor[128], action[32], object[64];
};

static bool
take_text(struct slice v, char *to, size_t cap, const char **out)
{
    *out = to;
    return slice_copy(v, to, cap);
}

static bool
take_order(struct slice v, bool *ascending)
{
    *ascending = slice_eq(v, SLICE("asc"));
    return *ascending || slice_eq(v, SLICE("desc"));
}

static bool
take_limit(struct slice v, unsigned *out)
{
    uint64_t n;

    if (!slice_u64(v, &n) || n < 1 || n > PAGE_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

static bool
take_cursor(struct slice v, uint64_t *out)
{
    return slice_u64(v, out) && *out >= 1 && *out <= INT64_MAX;
}

static bool
take(struct query_texts *x, struct slice k, struct slice v)
{
    struct meta_audit_query *q = &x->q;

    if (slice_eq(k, SLICE("limit")))
        return take_limit(v, &q->limit);
    if (slice_eq(k, SLICE("cursor")))
        return take_cursor(v, &q->after);
    if (slice_eq(k, SLICE("order")))
        return take_order(v, &q->ascending);
    if (slice_eq(k, SLICE("actor")))
        return take_text(v, x->actor, sizeof(x->actor), &q->actor);
    if (slice_eq(k, SLICE("action")))
        return take_text(v, x->action, sizeof(x->action), &q->action);
    if (slice_eq(k, SLICE("object")))
        return take_text(v, x->object, sizeof(x->object), &q->object);
    if (slice_eq(k, SLICE("since")))
        return date_parse_rfc3339(v, &q->from);
    if (slice_eq(k, SLICE("until")))
        return date_parse_rfc3339(v, &q->to);
    return false;
}

static bool
query_read(struct query_texts *x, struct slice s, struct json_error *why)
{
    char text[256];
    struct slice k = SLICE(""), v;
    enum query_result r;
    struct query q;

    *x = (struct query_texts){.q = {.limit = PAGE_DEFAULT}};
    query_init(&q, s, text, sizeof(text), 16);
    while ((r = query_next(&q, &k, &v)) == QUERY_OK)
        if (!take(x, k, v)) {
            (void)snprintf(why->text, sizeof(why->text),
                           "%.*s is not known, or its value is not valid",
                           SLICE_ARG(slice_head(k, 40)));
            return false;
        }
    if (r != QUERY_END)
        (void)snprintf(why->text, sizeof(why->text),
                       "The query cannot be read");
    return r == QUERY_END;
}

static bool
put_row(void *arg, const struct meta_audit *a)
{
    const struct audit_row row = {.n = a->n,
                                  .at = a->at,
                                  .id = a->id,
                                  .actor = slice_str(a->actor),
                                  .action = slice_str(a->action),
                                  .object = slice_str(a->object),
                                  .element_id = slice_str(a->element_id),
                                  .result = slice_str(a->result),
                                  .request_id = slice_str(a->request_id),
                                  .source = slice_str(a->source)};

    audit_put_row(arg, &row, a->sealed ? a->hash : NULL);
    return true;
}

static void
list_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    struct query_texts x;
    struct audit_head head = {0};
    struct json_writer w;
    char cursor[24], seal[ADMIN_SEAL_TEXT];
    uint64_t next;

    if (!query_read(&x, j->call->x->head->query, &j->why)) {
        j->err = ERR_INVAL;
        return;
    }
    admin_seal_text(api->conf.admin, seal); /* before: it is not ahead then */
    json_begin(&w, &j->out);
    json_put_object(&w, NULL);
    json_put_list(&w, "entries");
    j->err = admin_audit_list(api->conf.admin, &x.q, put_row, &w, &next, &head,
                              &j->fault);
    json_end_list(&w);
    if (next) {
        (void)snprintf(cursor, sizeof(cursor), "%" PRIu64, next);
        json_put_text(&w, "next_cursor", cursor);
    } else {
        json_put_null(&w, "next_cursor");
    }
    audit_put_head(&w, &head);
    if (seal[0])
        json_put_text(&w, "seal", seal);
    else
        json_put_null(&w, "seal");
    json_end_object(&w);
}

void
api_audit_list(struct call *c)
{
    struct api_job *j = api_job_new(c, list_run);

    if (j)
        api_job_read(j, 0);
}

/* ---- POST /api/v1/internal/audit ---- */

/* Words of small letters, digits and underscores with dots between, and not
 * those that are Admin's to say. */
static bool
action_ok(struct slice s)
{
    static const char *const ours[] = {"account.", "audit.", "element.", "key.",
                                       "token."};
    char last = '.';

    for (size_t i = 0; i < countof(ours); i++)
        if (slice_starts(s, slice_str(ours[i])))
            return false;
    for (size_t i = 0; i < s.n; last = s.p[i++]) {
        char ch = s.p[i];

        if (ch == '.' ? last == '.'
                      : !((ch >= 'a' && ch <= 'z') ||
                          (ch >= '0' && ch <= '9') || ch == '_'))
            return false;
    }
    return s.n > 0 && last != '.';
}

static void
get_text(const json_t *o, const char *key, enum json_need need, char *dst,
         size_t cap, struct json_error *e)
{
    struct slice s = json_get_str(o, key, need, e);

    if (!slice_copy(s, dst, cap) && !e->text[0])
        (void)snprintf(e->text, sizeof(e->text), "%s is longer than %zu bytes",
                       key, cap - 1);
}

static bool
entry_read(const json_t *o, struct meta_audit *a, struct wall now,
           struct json_error *e)
{
    struct slice id = json_get_str(o, "id", JSON_REQUIRED, e);
    struct slice at = json_get_str(o, "at", JSON_REQUIRED, e);

#define TEXT(key, need, to) get_text(o, key, need, to, sizeof(to), e)
    TEXT("actor", JSON_REQUIRED, a->actor);
    TEXT("action", JSON_REQUIRED, a->action);
    TEXT("object", JSON_OPTIONAL, a->object);
    TEXT("element_id", JSON_OPTIONAL, a->element_id);
    TEXT("result", JSON_REQUIRED, a->result);
    TEXT("request_id", JSON_OPTIONAL, a->request_id);
#undef TEXT
    if (e->text[0])
        return false;
    if (!uuid_parse(id, &a->id) || uuid_is_nil(&a->id))
        (void)snprintf(e->text, sizeof(e->text), "id is a UUID, not nil");
    else if (!date_parse_rfc3339(at, &a->at) || a->at.ms > now.ms + AHEAD_MS)
        (void)snprintf(e->text, sizeof(e->text),
                       "at is a time of RFC 3339 that has been");
    else if (!action_ok(slice_str(a->action)))
        (void)snprintf(e->text, sizeof(e->text),
                       "action is like file.delete, and not one of Admin's");
    return !e->text[0];
}

/* N entries, for free(); NULL: J's err. */
static struct meta_audit *
entries_read(struct api_job *j, const json_t *list, size_t *n)
{
    struct meta_audit *a;

    *n = json_array_size(list);
    if (*n < 1 || *n > TAKE_MAX) {
        j->err = ERR_INVAL;
        if (!j->why.text[0])
            (void)snprintf(j->why.text, sizeof(j->why.text),
                           "entries has 1 to %d entries", TAKE_MAX);
        return NULL;
    }
    a = calloc(*n, sizeof(*a));
    if (!a) {
        j->err = fault_set(&j->fault, ERR_NOMEM, "audit", "memory");
        return NULL;
    }
    for (size_t i = 0; i < *n; i++) {
        copy_cut(a[i].source, sizeof(a[i].source), j->call->caller.subject);
        if (!entry_read(json_array_get(list, i), &a[i], j->now, &j->why)) {
            j->err = ERR_INVAL;
            free(a);
            return NULL;
        }
    }
    return a;
}

static void
take_run(struct api_job *j)
{
    const struct json_limits limits = {TAKE_BYTES, 4, TAKE_MAX * 16, false};
    struct admin_api *api = j->call->role;
    struct meta_audit *a = NULL;
    json_t *o = json_read_limited(buf_slice(&j->body.buf), &limits, &j->why);
    size_t n;

    if (o)
        a = entries_read(j, json_get_list(o, "entries", JSON_REQUIRED, &j->why),
                         &n);
    else
        j->err = ERR_INVAL;
    if (a)
        j->err = admin_audit_take(api->conf.admin, a, n, &j->fault);
    free(a);
    json_decref(o);
}

void
api_audit_take(struct call *c)
{
    struct api_job *j = api_job_new(c, take_run);

    if (j)
        api_job_read(j, TAKE_BYTES);
}
