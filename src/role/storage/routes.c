/* routes.c - see routes.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/routes.h"
#include "base/hex.h"
#include "role/common/capacity.h"
#include "role/common/reply.h"
#include "sec/keys.h"
#include "wire/changes.h"
#include "wire/date.h"
#include "wire/query.h"
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_TEXT_MAX ((size_t)256 * 1024)

struct storage_api {
    struct element *element[STORAGE_ELEMENTS_MAX];
    unsigned n;
    atomic_bool stopping;
    atomic_uint verifying;
    struct keys *keys; /* whose version polls hear; or NULL */
};

/* ---- which element ---- */

enum named { NAMED_NONE, NAMED_ONE, NAMED_WRONG };

/* The element of ?element_id=. NAMED_WRONG: answered 404. */
static enum named
named_element(struct call *c, struct element **out)
{
    struct storage_api *a = c->role;
    char id[65];
    size_t n = 0;
    enum query_result r =
        query_get(c->x->head->query, SLICE("element_id"), id, sizeof(id), &n);

    *out = NULL;
    if (r == QUERY_END)
        return NAMED_NONE;
    for (unsigned i = 0; i < a->n && r == QUERY_OK; i++)
        if (strcmp(element_blob(a->element[i])->element_id, id) == 0)
            *out = a->element[i];
    if (*out)
        return NAMED_ONE;
    reply_error(c, 404, "element_not_found",
                "There is no such storage element in this process; "
                "GET /api/v1/capacity names them");
    return NAMED_WRONG;
}

/* ---- GET /api/v1/capacity ---- */

static void
capacity_of(struct element *e, struct blob_capacity *out)
{
    struct blob *b = element_blob(e);

    b->ops->capacity(b, out);
}

/* Elements of one file system share its room, so it counts once. */
static void
add_pool(struct blob_capacity *sum, const struct blob_capacity *cap, unsigned i)
{
    struct blob_capacity p = cap[i];

    sum->files += p.files;
    sum->bytes += p.bytes;
    for (unsigned k = 0; k < i; k++)
        if (strcmp(cap[k].pool_id, p.pool_id) == 0)
            return;
    sum->total += p.total;
    sum->used += p.used;
    sum->available += p.available;
    sum->reserved += p.reserved;
    sum->inodes_total += p.inodes_total;
    sum->inodes_available += p.inodes_available;
}

static void
put_all(struct storage_api *a, struct json_writer *w, struct wall now)
{
    struct blob_capacity cap[STORAGE_ELEMENTS_MAX], sum = {0};
    char text[DATE_TEXT];

    for (unsigned i = 0; i < a->n; i++) {
        capacity_of(a->element[i], &cap[i]);
        add_pool(&sum, cap, i);
    }
    capacity_put_numbers(w, &sum);
    json_put_u64(w, "files", sum.files);
    json_put_u64(w, "bytes", sum.bytes);
    json_put_text(w, "now", date_rfc3339_ms(now, text));
    json_put_object(w, "capacity");
    capacity_put_numbers(w, &sum);
    json_end_object(w);
    json_put_list(w, "elements");
    for (unsigned i = 0; i < a->n; i++) {
        json_put_object(w, NULL);
        capacity_put(w, &cap[i], now);
        json_end_object(w);
    }
    json_end_list(w);
}

static void
capacity_get(struct call *c)
{
    struct storage_api *a = c->role;
    struct blob_capacity cap;
    struct json_writer w;
    struct element *e;
    struct buf b;

    if (named_element(c, &e) == NAMED_WRONG)
        return;
    if (!e && a->n == 1)
        e = a->element[0];
    buf_init(&b, CAPACITY_TEXT_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    if (e) {
        capacity_of(e, &cap);
        capacity_put(&w, &cap, c->x->loop->wall);
        if (a->keys)
            json_put_u64(&w, "keys_version", keys_version(a->keys));
    } else {
        put_all(a, &w, c->x->loop->wall);
    }
    json_end_object(&w);
    exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
    reply_json(c, 200, &b);
    buf_release(&b);
}

/* ---- GET /api/v1/changes ---- */

struct changes {
    struct work work;
    struct call *call;
    struct element *element;
    struct changes_head head;
    uint64_t limit;
    unsigned n;
    struct json_writer w;
    struct buf text;
    enum err err;
    struct fault fault;
};

static bool
put_change(void *arg, const struct index_change *c)
{
    const struct change row = {c->seq, (enum change_op)c->op, c->at,
                               c->row.attr};
    struct changes *q = arg;

    changes_put_row(&q->w, &row);
    q->n++;
    q->head.next = c->seq;
    return !q->text.failed;
}

static void
changes_whose(struct changes *q)
{
    struct blob_capacity cap;

    capacity_of(q->element, &cap);
    memcpy(q->head.element_id, cap.element_id, sizeof(cap.element_id));
    q->head.element_uuid = cap.element_uuid;
    q->head.boot = cap.boot;
}

static void
changes_work(struct work *w)
{
    struct changes *q = container_of(w, struct changes, work);
    struct changes_head *h = &q->head;

    h->next = h->since;
    q->err = element_log(q->element, &h->first_seq, &h->seq, &q->fault);
    /* Its end and its beginning: whoever is out of it must list the files. */
    if (q->err == ERR_OK &&
        (h->since > h->seq ||
         (h->since < h->seq &&
          (h->first_seq == 0 || h->since + 1 < h->first_seq))))
        q->err = ERR_NOENT;
    if (q->err != ERR_OK)
        return;
    json_begin(&q->w, &q->text);
    json_put_object(&q->w, NULL);
    json_put_list(&q->w, "changes");
    q->err = element_changes(q->element, h->since, (size_t)q->limit, put_change,
                             q, &q->fault);
    json_end_list(&q->w);
    h->more = q->n == q->limit && h->next < h->seq;
    changes_whose(q);
    changes_put_head(&q->w, h);
    json_end_object(&q->w);
}

static void
changes_done(struct loop *l, struct work *w)
{
    struct changes *q = container_of(w, struct changes, work);
    char details[96];

    (void)l;
    if (q->err == ERR_NOENT) {
        snprintf(details, sizeof(details), "{\"first_seq\":%llu,\"seq\":%llu}",
                 (unsigned long long)q->head.first_seq,
                 (unsigned long long)q->head.seq);
        reply_error_details(q->call, 410, "changes_gone",
                            "The change log does not reach from that number to "
                            "now; list the files of the element instead and go "
                            "on from seq",
                            details);
    } else if (q->err != ERR_OK) {
        reply_fault(q->call, &q->fault, NULL);
    } else {
        reply_json(q->call, 200, &q->text);
    }
    buf_release(&q->text);
    free(q);
}

/* The number of parameter NAME from 1 to MAX, or OTHERWISE when it is missing.
 * False: answered 400. */
static bool
number_param(struct call *c, struct slice name, uint64_t min, uint64_t max,
             uint64_t otherwise, uint64_t *out)
{
    char text[24];
    size_t n;
    enum query_result r =
        query_get(c->x->head->query, name, text, sizeof(text), &n);

    *out = otherwise;
    if (r == QUERY_END)
        return true;
    if (r == QUERY_OK && slice_u64(slice_of(text, n), out) && *out >= min &&
        *out <= max)
        return true;
    reply_error(c, 400, "invalid_query", "%.*s is a number from %llu to %llu",
                SLICE_ARG(name), (unsigned long long)min,
                (unsigned long long)max);
    return false;
}

static void
changes_get(struct call *c)
{
    struct storage_api *a = c->role;
    uint64_t since, limit;
    struct changes *q;
    struct element *e;

    if (named_element(c, &e) == NAMED_WRONG)
        return;
    if (!e && a->n != 1) {
        reply_error(c, 400, "missing_element_id",
                    "Each element has its own change log: say which one with "
                    "element_id=");
        return;
    }
    if (!number_param(c, SLICE("since"), 0, INT64_MAX, 0, &since) ||
        !number_param(c, SLICE("limit"), 1, CHANGES_PAGE_MAX, CHANGES_PAGE,
                      &limit))
        return;
    q = calloc(1, sizeof(*q));
    if (!q) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    q->call = c;
    q->element = e ? e : a->element[0];
    q->head.since = since;
    q->limit = limit;
    buf_init(&q->text, CHANGES_TEXT);
    q->work = (struct work){.work = changes_work, .done = changes_done};
    loop_work(c->x->loop, &q->work);
}

/* ---- GET /api/v1/files/{file_id}/verify ---- */

struct verification {
    struct work work;
    struct call *call;
    struct element *only; /* NULL: whichever has it */
    struct element *found;
    struct uuid file_id;
    struct element_verified read;
    enum err err;
    struct fault fault;
};

static void
verify_work(struct work *w)
{
    struct verification *v = container_of(w, struct verification, work);
    struct storage_api *a = v->call->role;

    v->err = ERR_NOENT;
    for (unsigned i = 0; i < a->n && v->err == ERR_NOENT; i++) {
        v->found = a->element[i];
        if (v->only == NULL || v->only == v->found)
            v->err = element_verify(v->found, &v->file_id, &a->stopping,
                                    &v->read, &v->fault);
    }
}

/* A damaged file is what was asked about, so it is an answer and no error. */
static void
verify_reply(struct verification *v)
{
    bool whole = v->err == ERR_OK;
    char id[UUID_TEXT], hex[2 * HASH_SHA256_SIZE + 1];
    struct json_writer w;
    struct buf b;

    buf_init(&b, 4 * KIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "file_id", uuid_text(&v->file_id, id));
    json_put_text(&w, "storage_element_id", element_blob(v->found)->element_id);
    json_put_text(&w, "status", whole ? "ok" : "damaged");
    json_put_bool(&w, "verified", whole);
    json_put_u64(&w, "size_bytes", v->read.size);
    json_put_text(
        &w, "md5_hash",
        hex_encode(v->read.digests.md5, sizeof(v->read.digests.md5), hex));
    json_put_text(&w, "sha256_hash",
                  hex_encode(v->read.digests.sha256,
                             sizeof(v->read.digests.sha256), hex));
    if (!whole)
        json_put_text(&w, "reason", v->fault.what);
    json_end_object(&w);
    exchange_header(v->call->x, SLICE("Cache-Control"), SLICE("no-store"));
    reply_json(v->call, 200, &b);
    buf_release(&b);
}

static void
reply_busy(struct call *c, const char *code, const char *message)
{
    reply_error(c, 503, code, "%s", message);
}

static void
verify_done(struct loop *l, struct work *w)
{
    struct verification *v = container_of(w, struct verification, work);
    struct storage_api *a = v->call->role;

    (void)l;
    atomic_fetch_sub(&a->verifying, 1);
    if (v->err == ERR_OK || v->err == ERR_CORRUPT)
        verify_reply(v);
    else if (v->err == ERR_NOENT)
        reply_error(v->call, 404, "file_not_found", "There is no file %.*s",
                    SLICE_ARG(slice_head(v->call->param[0], 36)));
    else if (v->err == ERR_CANCELED)
        reply_busy(v->call, "shutting_down", "The server is stopping");
    else
        reply_fault(v->call, &v->fault, NULL);
    free(v);
}

/* Takes one of the VERIFY_MAX places. */
static bool
verify_enter(struct storage_api *a)
{
    if (atomic_load(&a->stopping))
        return false;
    if (atomic_fetch_add(&a->verifying, 1) < VERIFY_MAX)
        return true;
    atomic_fetch_sub(&a->verifying, 1);
    return false;
}

static void
verify_get(struct call *c)
{
    struct storage_api *a = c->role;
    struct verification *v;
    struct element *e;
    struct uuid id;

    if (!uuid_parse(c->param[0], &id)) {
        reply_error(c, 400, "invalid_file_id",
                    "A file id is a UUID, such as the upload answered");
        return;
    }
    if (named_element(c, &e) == NAMED_WRONG)
        return;
    if (!verify_enter(a)) {
        reply_busy(c, "overloaded",
                   "Other files are being verified; try again later");
        return;
    }
    v = calloc(1, sizeof(*v));
    if (!v) {
        atomic_fetch_sub(&a->verifying, 1);
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    v->call = c;
    v->only = e;
    v->file_id = id;
    v->work = (struct work){.work = verify_work, .done = verify_done};
    loop_work(c->x->loop, &v->work);
}

/* ---- the table ---- */

static const struct route_doc capacity_docs[] = {
    {"element_id", "query", "string",
     "One element; without it the only one, or all with their sum"},
    {"200", NULL, "Capacity",
     "Bytes, inodes, health, and where the log stands"},
    {"404", NULL, "Error", "No such element in this process"},
    {0},
};
static const struct route_doc changes_docs[] = {
    {"since", "query", "integer", "The last number that is known; default 0"},
    {"limit", "query", "integer", "1 to 1000, default 256"},
    {"element_id", "query", "string", "Needed when there are several"},
    {"200", NULL, "Changes",
     "Publishes, deletes and expiries in order; go on with since=next"},
    {"400", NULL, "Error", "A parameter is missing or malformed"},
    {"404", NULL, "Error", "No such element in this process"},
    {"410", NULL, "Error", "The log does not reach back that far"},
    {0},
};
static const struct route_doc verify_docs[] = {
    {"element_id", "query", "string", "Only the copy on this element"},
    {"200", NULL, "Verified",
     "What was read: whole (verified) or damaged (reason)"},
    {"400", NULL, "Error", "Not a file id"},
    {"404", NULL, "Error", "No such file, or no such element"},
    {"503", NULL, "Error", "Others are being verified, or the server stops"},
    {0},
};

static const struct route routes[] = {
    {HTTP_GET,
     "/api/v1/capacity",
     SCOPE_READ,
     capacity_get,
     "capacity",
     "How full the storage elements of this process are",
     {"/api/capacity"},
     capacity_docs},
    {HTTP_GET,
     "/api/v1/changes",
     SCOPE_READ,
     changes_get,
     "changes",
     "What was published, deleted and expired, by number",
     {0},
     changes_docs},
    {HTTP_GET,
     "/api/v1/files/{file_id}/verify",
     SCOPE_READ,
     verify_get,
     "file_verify",
     "Read a stored file whole and compare it with its digests",
     {"/api/files/{file_id}/verify"},
     verify_docs},
};

struct route_table
storage_routes(struct storage_api *a)
{
    return (struct route_table){routes, countof(routes), a, "storage"};
}

void
storage_api_trust(struct storage_api *a, struct keys *keys)
{
    a->keys = keys;
}

void
storage_api_drain(struct storage_api *a)
{
    atomic_store(&a->stopping, true);
}

struct storage_api *
storage_api_open(struct element *const *element, unsigned n)
{
    struct storage_api *a = calloc(1, sizeof(*a));

    assert(n <= STORAGE_ELEMENTS_MAX);
    if (a) {
        memcpy(a->element, element, n * sizeof(*element));
        a->n = n;
    }
    return a;
}

void
storage_api_close(struct storage_api **a)
{
    free(*a);
    *a = NULL;
}
