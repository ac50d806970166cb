/* api_feed.c - the change logs of elements in other processes, pushed by
 * gateways (D25): pages, positions, feeding anew; and how full they are.
 *
 * All of it may be repeated: what came before does nothing (ADM-040).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "sec/random.h"
#include "wire/capacity.h"
#include "wire/changes.h"
#include <stdlib.h>

static void
put_position(struct api_job *j, uint64_t position, bool anew)
{
    struct json_writer w;

    json_begin(&w, &j->out);
    json_put_object(&w, NULL);
    json_put_u64(&w, "position", position);
    json_put_bool(&w, "anew", anew);
    json_end_object(&w);
}

/* ---- POST .../changes ---- */

static void
rows_free(struct index_change *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)c[i].row.attr.metadata);
    free(c);
}

/* The rows of P, or NULL with J's err. */
static struct index_change *
rows_read(struct api_job *j, struct changes_page *p)
{
    struct index_change *c = calloc(p->n ? p->n : 1, sizeof(*c));
    struct change row;

    if (!c) {
        j->err = fault_set(&j->fault, ERR_NOMEM, "changes", j->element_id);
        return NULL;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (!changes_row(p, &row, &j->why)) {
            j->err = ERR_INVAL;
            rows_free(c, i);
            return NULL;
        }
        c[i].seq = row.seq;
        c[i].op = (enum index_op)row.op;
        c[i].at = row.at;
        c[i].row.attr = row.attr;
    }
    return c;
}

static void
changes_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    struct changes_page p;
    struct index_change *c;
    uint64_t position;

    if (!changes_open(&p, buf_slice(&j->body.buf), &j->why)) {
        j->err = ERR_INVAL;
        return;
    }
    c = rows_read(j, &p);
    if (c) {
        const struct admin_page page = {.element_uuid = p.head.element_uuid,
                                        .since = p.head.since,
                                        .next = p.head.next,
                                        .c = c,
                                        .n = p.n,
                                        .now = j->now};

        j->err = admin_push(api->conf.admin, j->element_id, &page, &position,
                            &j->fault);
        rows_free(c, p.n);
        /* Early or while it is fed anew: the position says where to go on. */
        if (j->err == ERR_BUSY || (j->err == ERR_CONFLICT && !j->fault.code)) {
            put_position(j, position, j->err == ERR_BUSY);
            j->err = ERR_OK;
        } else if (!j->err) {
            put_position(j, position, false);
        }
    }
    changes_release(&p);
}

void
api_changes(struct call *c)
{
    struct api_job *j = api_job_new(c, changes_run);

    if (j)
        api_job_read(j, CHANGES_BYTES);
}

/* ---- GET .../position ---- */

static void
position_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    uint64_t position;
    bool anew;

    j->err = admin_position(api->conf.admin, j->element_id, &position, &anew,
                            &j->fault);
    if (!j->err)
        put_position(j, position, anew);
}

void
api_position(struct call *c)
{
    struct api_job *j = api_job_new(c, position_run);

    if (j)
        api_job_read(j, API_SMALL);
}

/* ---- POST .../reset ---- */

static void
reset_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    json_t *o = json_read(buf_slice(&j->body.buf), &j->why);
    struct slice s = json_get_str(o, "element_uuid", JSON_REQUIRED, &j->why);
    struct slice own = json_get_str(o, "ticket", JSON_OPTIONAL, &j->why);
    struct uuid uuid, ticket;
    char text[UUID_TEXT];
    struct json_writer w;
    uint8_t random[16];

    sec_random(random, sizeof(random));
    ticket = uuid_v4(random);
    if (!s.p || !uuid_parse(s, &uuid)) {
        j->err = ERR_INVAL;
        if (!j->why.text[0])
            memcpy(j->why.text, "element_uuid", sizeof("element_uuid"));
    } else if (own.p && !uuid_parse(own, &ticket)) {
        j->err = ERR_INVAL;
        memcpy(j->why.text, "ticket", sizeof("ticket"));
    } else {
        j->err = admin_anew(api->conf.admin, j->element_id, &uuid, j->now,
                            &ticket, &j->fault);
    }
    json_decref(o);
    if (j->err)
        return;
    json_begin(&w, &j->out);
    json_put_object(&w, NULL);
    json_put_text(&w, "ticket", uuid_text(&ticket, text));
    json_end_object(&w);
}

static void
reset_told(struct api_job *j)
{
    api_audit(j->call, j->call->caller.subject, "element.reset", j->element_id,
              err_name(j->err));
}

void
api_reset(struct call *c)
{
    struct api_job *j = api_job_new(c, reset_run);

    if (!j)
        return;
    j->told = reset_told;
    api_job_read(j, API_SMALL);
}

/* ---- POST .../files ---- */

static bool
files_head(struct api_job *j, struct files_page *p, struct admin_rows *rows)
{
    struct slice ticket =
        json_get_str(p->root, "ticket", JSON_REQUIRED, &j->why);

    rows->last = json_get_bool(p->root, "last", JSON_OPTIONAL, false, &j->why);
    rows->position = (uint64_t)json_get_int(
        p->root, "position", rows->last ? JSON_REQUIRED : JSON_OPTIONAL, 0,
        INT64_MAX, 0, &j->why);
    if (ticket.p && !uuid_parse(ticket, &rows->ticket))
        memcpy(j->why.text, "ticket", sizeof("ticket"));
    return !j->why.text[0];
}

static void
files_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    struct admin_rows rows = {.n = 0};
    struct file_attr *a = NULL;
    struct files_page p;

    j->err = ERR_INVAL;
    if (!files_open(&p, buf_slice(&j->body.buf), CHANGES_MAX, &j->why))
        return;
    if (files_head(j, &p, &rows)) {
        a = calloc(p.n ? p.n : 1, sizeof(*a));
        j->err = a ? ERR_OK : fault_set(&j->fault, ERR_NOMEM, "files", "rows");
    }
    for (; !j->err && rows.n < p.n; rows.n++)
        if (!files_row(&p, &a[rows.n], &j->why)) {
            j->err = ERR_INVAL;
            break;
        }
    rows.row = a;
    rows.now = j->now;
    if (!j->err)
        j->err =
            admin_anew_rows(api->conf.admin, j->element_id, &rows, &j->fault);
    if (!j->err)
        put_position(j, rows.position, !rows.last);
    for (size_t i = 0; i < rows.n; i++)
        free((void *)(uintptr_t)a[i].metadata);
    free(a);
    files_release(&p);
}

void
api_rows(struct call *c)
{
    struct api_job *j = api_job_new(c, files_run);

    if (j)
        api_job_read(j, CHANGES_BYTES);
}

/* ---- POST .../capacity (ADM-020, ADM-021) ---- */

static void
capacity_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    struct capacity_error e = {{0}};
    struct capacity cap;

    if (capacity_read(&cap, buf_slice(&j->body.buf), j->element_id, &e)) {
        j->err = admin_capacity_set(api->conf.admin, j->element_id, &cap,
                                    j->now, &j->fault);
    } else {
        j->err = ERR_INVAL;
        memcpy(j->why.text, e.text, sizeof(e.text));
    }
}

void
api_capacity_push(struct call *c)
{
    struct api_job *j = api_job_new(c, capacity_run);

    if (j)
        api_job_read(j, CAPACITY_TEXT_MAX);
}
