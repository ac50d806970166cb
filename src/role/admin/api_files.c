/* api_files.c - the registry of files, for gateways of other processes
 * (ADM-035): one file, and pages of files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "role/common/file_query.h"
#include "wire/changes.h"
#include <stdlib.h>

/* ---- GET /api/v1/internal/files/{file_id} ---- */

struct file_request {
    struct call *call;
    struct registry_lookup lookup;
};

static void
file_reply(struct call *c, const struct file_attr *a)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, API_ANSWER_MAX);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    blobs_put_attr(&w, "file", a);
    json_end_object(&w);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
file_found(struct registry_lookup *r)
{
    struct file_request *q = container_of(r, struct file_request, lookup);
    struct call *c = q->call;

    if (r->err == ERR_OK) {
        file_reply(c, &r->file.attr);
        meta_file_release(&r->file);
    } else if (r->err == ERR_NOENT) {
        reply_error(c, 404, "file_not_found", "There is no such file");
    } else {
        reply_fault(c, &r->fault, "The database");
    }
    free(q);
}

void
api_file(struct call *c)
{
    struct admin_api *api = c->role;
    struct file_request *q = calloc(1, sizeof(*q));

    if (!q) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    if (!uuid_parse(c->param[0], &q->lookup.file_id)) {
        free(q);
        reply_error(c, 400, err_name(ERR_INVAL), "A file id is a UUID");
        return;
    }
    q->call = c;
    q->lookup.loop = c->x->loop;
    q->lookup.done = file_found;
    registry_lookup(admin_registry(api->conf.admin), &q->lookup);
}

/* ---- GET /api/v1/internal/files ---- */

struct files_request {
    struct call *call;
    struct registry_list list;
    struct file_query query;
    struct meta_file rows[];
};

static void
files_reply(struct files_request *q)
{
    struct registry_list *r = &q->list;
    struct json_writer w;
    struct buf b;

    buf_init(&b, CHANGES_TEXT);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_list(&w, "files");
    for (unsigned i = 0; i < r->n; i++) {
        blobs_put_attr(&w, NULL, &r->rows[i].attr);
        meta_file_release(&r->rows[i]);
    }
    json_end_list(&w);
    files_put_next(&w, &r->next);
    json_end_object(&w);
    reply_json(q->call, 200, &b);
    buf_release(&b);
}

static void
files_found(struct registry_list *r)
{
    struct files_request *q = container_of(r, struct files_request, list);

    if (r->err == ERR_OK)
        files_reply(q);
    else if (r->err == ERR_INVAL)
        reply_error(q->call, 400, err_name(ERR_INVAL), "%s", r->fault.what);
    else
        reply_fault(q->call, &r->fault, "The database");
    free(q);
}

void
api_files(struct call *c)
{
    struct admin_api *api = c->role;
    struct json_error e = {0};
    struct file_query query;
    struct files_request *q;

    if (!file_query_read(&query, c->x->head->query, &e)) {
        reply_error(c, 400, err_name(ERR_INVAL), "%s", e.text);
        return;
    }
    q = calloc(1, sizeof(*q) + query.q.limit * sizeof(q->rows[0]));
    if (!q) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    q->call = c;
    /* Once more, so that its strings are these. */
    (void)file_query_read(&q->query, c->x->head->query, &e);
    q->list.loop = c->x->loop;
    q->list.done = files_found;
    q->list.query = q->query.q;
    q->list.rows = q->rows;
    registry_list(admin_registry(api->conf.admin), &q->list);
}
