/* pull_anew.c - see pull_anew.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/pull_anew.h"
#include "sec/random.h"
#include "wire/blobs.h"
#include "wire/changes.h"
#include "wire/json.h"
#include <stdlib.h>

#define SMALL_MAX ((size_t)16 * KIB)

struct anew {
    struct anew_conf conf;
    char id[65];
    char ticket[UUID_TEXT];
    struct ask ask;
    struct buf body;
    struct blob_list list;
    struct file_attr row[ANEW_ROWS];
    uint64_t told;
    bool asking, canceled;
};

static void
rows_free(struct anew *a)
{
    for (unsigned i = 0; i < a->list.n; i++)
        free((void *)(uintptr_t)a->row[i].metadata);
    a->list.n = 0;
}

static void
anew_end(struct anew *a, enum err e, const struct fault *f)
{
    struct anew_conf c = a->conf;
    uint64_t told = a->told;

    rows_free(a);
    buf_release(&a->body);
    blob_drop(&a->conf.blob);
    free(a);
    c.done(c.arg, e, f, told);
}

static void
ask_admin(struct anew *a, const char *what, void (*done)(struct ask *a))
{
    ask_init(&a->ask, a->conf.loop, a->conf.admin, SMALL_MAX);
    a->ask.method = HTTP_POST;
    a->ask.owner = a;
    a->ask.again = true; /* all of it may be said twice */
    a->ask.auth = a->conf.auth;
    a->ask.type = "application/json";
    a->ask.patience = a->conf.patience;
    a->ask.done = done;
    a->ask.piece[a->ask.n_piece++] = buf_slice(&a->body);
    /* Ids need no escapes. */
    buf_printf(&a->ask.target, "/api/v1/internal/storage-elements/%s/%s", a->id,
               what);
    a->asking = true;
    ask_send(&a->ask);
}

/* The end of a question: false when it was the end of all. */
static bool
asked(struct anew *a)
{
    struct fault f = a->ask.fault;
    enum err e = a->canceled ? ERR_CANCELED : a->ask.err;

    a->asking = false;
    if (e == ERR_OK)
        return true;
    ask_release(&a->ask);
    anew_end(a, e, &f);
    return false;
}

/* ---- pages ---- */

static void list_next(struct anew *a);

static void
rows_told(struct ask *k)
{
    struct anew *a = k->owner;
    bool last = a->list.n < ANEW_ROWS;
    struct fault none = {0};

    if (!asked(a))
        return;
    ask_release(k);
    buf_release(&a->body);
    a->told += a->list.n;
    if (!last)
        a->list.after = a->row[a->list.n - 1].file_id;
    rows_free(a);
    if (last)
        anew_end(a, ERR_OK, &none);
    else
        list_next(a);
}

static void
listed(struct blob_list *r)
{
    struct anew *a = container_of(r, struct anew, list);
    struct json_writer w;

    if (r->err != ERR_OK || a->canceled) {
        anew_end(a, a->canceled ? ERR_CANCELED : r->err, &r->fault);
        return;
    }
    buf_init(&a->body, CHANGES_BYTES);
    json_begin(&w, &a->body);
    json_put_object(&w, NULL);
    json_put_text(&w, "ticket", a->ticket);
    json_put_list(&w, "files");
    for (unsigned i = 0; i < r->n; i++)
        blobs_put_attr(&w, NULL, &a->row[i]);
    json_end_list(&w);
    json_put_bool(&w, "last", r->n < ANEW_ROWS);
    json_put_u64(&w, "position", a->conf.position);
    json_end_object(&w);
    ask_admin(a, "files", rows_told);
}

static void
list_next(struct anew *a)
{
    a->list.loop = a->conf.loop;
    a->list.done = listed;
    a->list.max = ANEW_ROWS;
    a->list.rows = a->row;
    a->list.err = ERR_OK;
    a->list.fault = (struct fault){0};
    a->conf.blob->ops->list(a->conf.blob, &a->list);
}

/* ---- the beginning ---- */

static void
reset_done(struct ask *k)
{
    struct anew *a = k->owner;
    struct json_error e = {0};
    struct fault f = {0};
    json_t *o;
    bool good;

    if (!asked(a))
        return;
    o = ask_json(k, &JSON_LIMITS_DEFAULT);
    good = slice_copy(json_get_str(o, "ticket", JSON_REQUIRED, &e), a->ticket,
                      sizeof(a->ticket)) &&
           a->ticket[0];
    json_decref(o);
    ask_release(k);
    buf_release(&a->body);
    if (good)
        list_next(a);
    else
        anew_end(a, fault_set(&f, ERR_IO, "answer of admin", "no ticket"), &f);
}

struct anew *
anew_begin(const struct anew_conf *c)
{
    struct anew *a = calloc(1, sizeof(*a));
    char uuid[UUID_TEXT], own[UUID_TEXT];
    struct uuid ticket;
    uint8_t random[16];

    if (a == NULL)
        return NULL;
    /* Made here: who repeats the question is not somebody else. */
    sec_random(random, sizeof(random));
    ticket = uuid_v4(random);
    a->conf = *c;
    (void)slice_copy(slice_str(c->element_id), a->id, sizeof(a->id));
    a->conf.element_id = a->id;
    (void)blob_hold(a->conf.blob);
    buf_init(&a->body, SMALL_MAX);
    buf_printf(&a->body, "{\"element_uuid\":\"%s\",\"ticket\":\"%s\"}",
               uuid_text(&c->uuid, uuid), uuid_text(&ticket, own));
    ask_admin(a, "reset", reset_done);
    return a;
}

void
anew_cancel(struct anew *a)
{
    a->canceled = true;
    if (a->asking)
        ask_cancel(&a->ask);
}
