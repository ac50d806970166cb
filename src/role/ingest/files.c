/* files.c - what is known of files: metadata, list, delete (ING-056...ING-063).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/impl.h"
#include "sec/permission.h"
#include "wire/date.h"
#include "wire/endpoint.h"
#include "wire/json.h"
#include "wire/query.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define LIST_TEXT    512

static bool
id_param(struct call *c, struct uuid *id)
{
    if (uuid_parse(c->param[0], id))
        return true;
    reply_error(c, 400, "invalid_file_id",
                "A file id is a UUID, such as the upload answered");
    return false;
}

static void
reply_no_file(struct call *c)
{
    reply_error(c, 404, "file_not_found", "There is no file %.*s",
                SLICE_ARG(slice_head(c->param[0], 36)));
}

/* Whoever could be asked does not have it, but not all could. */
static void
reply_unasked(struct call *c, const struct fault *f)
{
    log_error(c->router_log, "search failed", F_FAULT(f),
              F_STR("request_id", c->x->request_id));
    reply_error(c, 503, "storage_error",
                "A storage element that may have the file does not answer");
}

void
reply_lost(struct call *c, const char *element_id)
{
    c->for_good = true; /* until a start with another list */
    reply_error(c, 503, "storage_error",
                "The file is on storage element %s, which is not in this "
                "server's STORAGE_ELEMENTS",
                element_id);
}

/* ---- GET /api/files/{file_id}/metadata ---- */

struct metadata {
    struct call *call;
    struct registry_lookup lookup;
    struct search search;
};

static void
reply_attr(struct call *c, const struct file_attr *a)
{
    struct buf b;

    buf_init(&b, 64 * KIB);
    buf_add_char(&b, '{');
    attr_json(&b, a);
    buf_add_char(&b, '}');
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
metadata_searched(struct search *s)
{
    struct metadata *m = container_of(s, struct metadata, search);
    struct blob *b = s->blob;
    struct blob_info info;

    if (s->err == ERR_OK) {
        s->blob->ops->info(s->open.reader, &info);
        reply_attr(m->call, info.attr);
        s->blob->ops->close(s->open.reader);
    } else if (s->err == ERR_NOENT) {
        reply_no_file(m->call);
    } else {
        reply_unasked(m->call, &s->fault);
    }
    blob_drop(&b);
    free(m);
}

static void
metadata_done(struct registry_lookup *r)
{
    struct metadata *m = container_of(r, struct metadata, lookup);
    struct call *c = m->call;

    if (r->err == ERR_OK) {
        reply_attr(c, &r->file.attr);
        meta_file_release(&r->file);
        blob_drop(&r->blob);
        free(m);
        return;
    }
    /* An acknowledged file is known to its element first (D25). */
    m->search.file_id = r->file_id;
    m->search.done = metadata_searched;
    search_elements(&m->search, c->role, r);
}

void
file_metadata(struct call *c)
{
    struct ingest *g = c->role;
    struct metadata *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    m->call = c;
    if (!id_param(c, &m->lookup.file_id)) {
        free(m);
        return;
    }
    m->lookup.loop = c->x->loop;
    m->lookup.done = metadata_done;
    registry_lookup(g->conf.registry, &m->lookup);
}

/* ---- GET /api/files ---- */

struct listing {
    struct call *call;
    struct registry_list list;
    struct refusal refusal;
    char name[LIST_TEXT];
    char user[LIST_TEXT];
    char element[LIST_TEXT];
    char key[LIST_TEXT];
    char value[LIST_TEXT];
    struct meta_file rows[];
};

static void
listing_done(struct registry_list *r)
{
    struct listing *q = container_of(r, struct listing, list);
    struct call *c = q->call;
    const struct ingest *g = c->role;
    char id[UUID_TEXT];
    struct buf b;

    if (r->err != ERR_OK) {
        if (g->conf.pull)
            reply_away(c, &r->fault,
                       "Admin, which has the list, or its database");
        else
            reply_fault(c, &r->fault, "The database");
        free(q);
        return;
    }
    buf_init(&b, LIST_MAX * 24 * KIB);
    buf_add_str(&b, "{\"files\":[");
    for (unsigned i = 0; i < r->n; i++) {
        buf_add_str(&b, i ? ",{" : "{");
        attr_json(&b, &r->rows[i].attr);
        buf_add_char(&b, '}');
        meta_file_release(&r->rows[i]);
    }
    if (uuid_is_nil(&r->next))
        buf_add_str(&b, "],\"next_cursor\":null}");
    else
        buf_printf(&b, "],\"next_cursor\":\"%s\"}", uuid_text(&r->next, id));
    reply_json(c, 200, &b);
    buf_release(&b);
    free(q);
}

static bool
bad(struct listing *q, const char *name, const char *want)
{
    refuse(&q->refusal, 400, "invalid_query", "%s must be %s", name, want);
    return false;
}

static bool
list_time(struct listing *q, const char *name, struct slice v, struct wall *out)
{
    return date_parse_rfc3339(v, out) ||
           bad(q, name, "a time like 2025-01-02T15:30:45Z");
}

static bool
list_number(struct listing *q, const char *name, struct slice v, uint64_t *out)
{
    return slice_u64(v, out) || bad(q, name, "a number of bytes");
}

static bool
list_text(struct listing *q, const char *name, struct slice v, char *text,
          const char **out)
{
    *out = text;
    return slice_copy(v, text, LIST_TEXT) ||
           bad(q, name, "at most 511 bytes, without a zero byte");
}

static bool
list_retention(struct listing *q, struct slice v)
{
    enum retention t;

    if (!retention_parse(v, &t))
        return bad(q, "retention", "TEMPORARY or PERMANENT");
    q->list.query.retention = (int)t;
    return true;
}

static bool
list_meta(struct listing *q, struct slice v)
{
    struct slice key = slice_head(v, slice_find(v, ':'));
    struct meta_query *m = &q->list.query;

    if (key.n == 0)
        return bad(q, "meta", "KEY or KEY:VALUE");
    return list_text(q, "meta", key, q->key, &m->metadata_key) &&
           (key.n == v.n || list_text(q, "meta", slice_skip(v, key.n + 1),
                                      q->value, &m->metadata_value));
}

static bool
list_param(struct listing *q, struct slice k, struct slice v)
{
    struct meta_query *m = &q->list.query;
    uint64_t n;

    if (slice_eq(k, SLICE("limit")))
        return true; /* read before, since it sizes the listing */
    if (slice_eq(k, SLICE("cursor")))
        return uuid_parse(v, &m->after) ||
               bad(q, "cursor", "the next_cursor of an earlier page");
    if (slice_eq(k, SLICE("order"))) {
        m->descending = slice_eq(v, SLICE("desc"));
        return m->descending || slice_eq(v, SLICE("asc")) ||
               bad(q, "order", "asc or desc");
    }
    if (slice_eq(k, SLICE("name")))
        return list_text(q, "name", v, q->name, &m->name);
    if (slice_eq(k, SLICE("user")))
        return list_text(q, "user", v, q->user, &m->user);
    if (slice_eq(k, SLICE("element")))
        return list_text(q, "element", v, q->element, &m->element_id);
    if (slice_eq(k, SLICE("retention")) ||
        slice_eq(k, SLICE("retention_policy")))
        return list_retention(q, v);
    if (slice_eq(k, SLICE("since")))
        return list_time(q, "since", v, &m->from);
    if (slice_eq(k, SLICE("until")))
        return list_time(q, "until", v, &m->to);
    if (slice_eq(k, SLICE("min_size")))
        return list_number(q, "min_size", v, &m->size_min);
    if (slice_eq(k, SLICE("max_size"))) {
        if (!list_number(q, "max_size", v, &n))
            return false;
        m->size_max = n ? n : 1; /* 0 would mean any */
        return true;
    }
    if (slice_eq(k, SLICE("meta")))
        return list_meta(q, v);
    refuse(&q->refusal, 400, "invalid_query",
           "There is no filter %.*s; there are limit, cursor, order, name, "
           "user, element, retention, since, until, min_size, max_size, meta",
           SLICE_ARG(slice_head(k, 32)));
    return false;
}

static bool
list_query(struct listing *q, struct slice query)
{
    char text[2 * LIST_TEXT];
    struct slice key, value;
    struct query it;

    query_init(&it, query, text, sizeof(text), 32);
    for (;;) {
        switch (query_next(&it, &key, &value)) {
        case QUERY_OK:
            if (!list_param(q, key, value))
                return false;
            break;
        case QUERY_END:
            return true;
        default:
            return bad(q, "The query",
                       "properly escaped and not longer than "
                       "it needs to be");
        }
    }
}

/* 0: not a number from 1 to LIST_MAX. */
static unsigned
list_limit(struct slice query)
{
    char text[32];
    uint64_t v;
    size_t n;

    switch (query_get(query, SLICE("limit"), text, sizeof(text), &n)) {
    case QUERY_END:
        return LIST_DEFAULT;
    case QUERY_OK:
        return slice_u64(slice_of(text, n), &v) && v >= 1 && v <= LIST_MAX
                   ? (unsigned)v
                   : 0;
    default:
        return 0;
    }
}

void
file_list(struct call *c)
{
    struct ingest *g = c->role;
    struct slice query = c->x->head->query;
    unsigned limit = list_limit(query);
    struct listing *q;

    if (limit == 0) {
        reply_error(c, 400, "invalid_query",
                    "limit must be a number from 1 to %d", LIST_MAX);
        return;
    }
    q = calloc(1, sizeof(*q) + limit * sizeof(q->rows[0]));
    if (q == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    q->call = c;
    q->list.query.limit = limit;
    q->list.query.retention = -1;
    if (!list_query(q, query)) {
        reply_error(c, q->refusal.status, q->refusal.code, "%s",
                    q->refusal.text);
        free(q);
        return;
    }
    q->list.loop = c->x->loop;
    q->list.done = listing_done;
    q->list.rows = q->rows;
    registry_list(g->conf.registry, &q->list);
}

/* ---- DELETE /api/files/{file_id} ---- */

struct deletion {
    struct call *call;
    struct ingest *g;
    struct registry_lookup lookup;
    struct search search;
    struct blob *blob;
    struct blob_delete del;
    struct pull_wait wait;
};

static void
deletion_audit(struct deletion *d, const char *result)
{
    struct call *c = d->call;
    struct meta_audit a = {.at = c->x->loop->wall};
    char id[UUID_TEXT];

    (void)slice_copy(slice_str(c->caller.subject), a.actor, sizeof(a.actor));
    (void)slice_copy(SLICE("file.delete"), a.action, sizeof(a.action));
    (void)slice_copy(slice_str(uuid_text(&d->del.file_id, id)), a.object,
                     sizeof(a.object));
    if (d->blob)
        (void)slice_copy(slice_str(d->blob->element_id), a.element_id,
                         sizeof(a.element_id));
    (void)slice_copy(slice_str(result), a.result, sizeof(a.result));
    (void)slice_copy(slice_str(c->x->request_id), a.request_id,
                     sizeof(a.request_id));
    registry_audit(d->g->conf.registry, &a);
}

/* An element of mode edit that takes no deletes is in trouble: that is not what
 * the client did (ING-056 is about the mode). */
static void
reply_readonly(struct deletion *d)
{
    const char *id = d->blob->element_id;
    struct blob_capacity cap;
    struct buf details;

    d->blob->ops->capacity(d->blob, &cap);
    if (cap.mode == BLOB_EDIT) {
        reply_error(d->call, 503, "storage_error",
                    "Storage element %s deletes nothing at the moment", id);
        return;
    }
    /* Code and words are the specification's (ING-058); the details tell that
     * an element of mode rw is meant, too (CNF-015). */
    buf_init(&details, 256);
    buf_add_str(&details, "{\"element_id\":");
    json_out_str(&details, slice_str(id));
    buf_printf(&details, ",\"mode\":\"%s\"}", element_mode_text(cap.mode));
    reply_error_details(d->call, 400, "file_in_readonly_storage",
                        "Cannot delete file from read-only Storage Element",
                        buf_str(&details));
    buf_release(&details);
}

/* Admin has heard of it, or will. */
static void
deletion_told(struct pull_wait *w)
{
    struct deletion *d = container_of(w, struct deletion, wait);

    reply_empty(d->call, 204);
    blob_drop(&d->blob);
    free(d);
}

static void
deletion_tell(struct deletion *d)
{
    d->wait.loop = d->call->x->loop;
    d->wait.ready = deletion_told;
    memcpy(d->wait.element_id, d->blob->element_id, sizeof(d->wait.element_id));
    pull_now(d->g->conf.pull, &d->wait);
}

static void
deletion_done(struct blob_delete *r)
{
    struct deletion *d = container_of(r, struct deletion, del);
    struct call *c = d->call;

    deletion_audit(d, err_name(r->err));
    count_delete(&d->g->counts, r->err == ERR_OK);
    switch (r->err) {
    case ERR_OK:
        if (d->g->conf.pull) {
            deletion_tell(d);
            return;
        }
        reply_empty(c, 204);
        break;
    case ERR_NOENT:
        reply_no_file(c);
        break;
    case ERR_READONLY:
        reply_readonly(d);
        break;
    case ERR_CONFLICT:
        reply_error(c, 409, "file_held",
                    "The file is being moved; try again later");
        break;
    case ERR_IO:
    case ERR_TIMEOUT: /* it may have heard all the same */
        log_error(d->g->conf.log, "delete failed",
                  F_STR("se_id", d->blob->element_id), F_FAULT(&r->fault),
                  F_STR("request_id", c->x->request_id));
        reply_error(c, 503, "storage_error",
                    "Storage element %s did not delete the file, or did not "
                    "say so; ask again",
                    d->blob->element_id);
        break;
    default:
        reply_fault(c, &r->fault, NULL);
    }
    blob_drop(&d->blob);
    free(d);
}

/* B's hold is the deletion's. What Admin lists as later than edit keeps its
 * files, also before the element itself is started with that mode. */
static void
deletion_go(struct deletion *d, struct blob *b)
{
    struct blob_capacity cap;

    d->blob = b;
    d->del.loop = d->call->x->loop;
    d->del.done = deletion_done;
    b->ops->capacity(b, &cap);
    if (cap.is_listed && cap.listed_mode != BLOB_EDIT) {
        d->del.err = ERR_READONLY;
        deletion_done(&d->del);
        return;
    }
    b->ops->del(b, &d->del);
}

/* Its owner's, or an administrator's to delete (ING-061, ADM-036), and the one
 * that the client means (RFC 9110 section 13.1). False: answered, and D is
 * gone. */
static bool
deletion_allowed(struct deletion *d, const struct file_attr *a)
{
    struct call *c = d->call;
    bool denied =
        !permission_delete(c->caller.scopes, slice_str(c->caller.username),
                           slice_str(a->uploaded_by));

    if (!denied && file_condition(c->x, a) != HTTP_COND_FAILED)
        return true;
    deletion_audit(d, err_name(denied ? ERR_DENIED : ERR_CONFLICT));
    count_delete(&d->g->counts, false);
    if (denied)
        reply_error(
            c, 403, "forbidden",
            "The file is somebody else's; scope admin may delete it too");
    else
        reply_condition_failed(c);
    free(d);
    return false;
}

static void
deletion_searched(struct search *s)
{
    struct deletion *d = container_of(s, struct deletion, search);
    struct call *c = d->call;
    struct blob *b = s->blob;
    struct blob_info info;
    bool allowed;

    if (s->err == ERR_OK) {
        struct blob_reader *rd = s->open.reader;

        b->ops->info(rd, &info);
        allowed = deletion_allowed(d, info.attr);
        b->ops->close(rd);
        if (allowed)
            deletion_go(d, b);
        else
            blob_drop(&b);
        return;
    }
    count_delete(&d->g->counts, false);
    if (s->err == ERR_NOENT)
        reply_no_file(c);
    else
        reply_unasked(c, &s->fault);
    free(d);
}

static void
deletion_found(struct registry_lookup *r)
{
    struct deletion *d = container_of(r, struct deletion, lookup);
    struct call *c = d->call;
    char element[65] = "";
    bool allowed = true;

    if (r->err == ERR_OK) {
        struct meta_file file = r->file; /* R is D's */
        struct blob *b = r->blob;

        allowed = deletion_allowed(d, &file.attr);
        (void)slice_copy(slice_str(file.attr.element_id), element,
                         sizeof(element));
        meta_file_release(&file);
        if (!allowed)
            blob_drop(&b);
    }
    if (!allowed)
        return;
    if (r->err == ERR_OK && r->blob) {
        deletion_go(d, r->blob);
    } else if (r->err == ERR_OK) {
        count_delete(&d->g->counts, false);
        if (r->lost)
            reply_lost(c, element);
        else
            reply_error(c, 503, "storage_error",
                        "The storage element of this file cannot be reached");
        free(d);
    } else {
        d->search.file_id = r->file_id;
        d->search.done = deletion_searched;
        search_elements(&d->search, d->g, r);
    }
}

void
file_delete(struct call *c)
{
    struct ingest *g = c->role;
    struct deletion *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    d->call = c;
    d->g = g;
    if (!id_param(c, &d->del.file_id)) {
        free(d);
        return;
    }
    d->lookup.file_id = d->del.file_id;
    d->lookup.loop = c->x->loop;
    d->lookup.done = deletion_found;
    registry_lookup(g->conf.registry, &d->lookup);
}
