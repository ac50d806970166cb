/* inform.c - see inform.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/inform.h"
#include "role/common/capacity.h"
#include <stdlib.h>

struct item {
    struct list link;
    struct inform *n;
    struct blob_capacity cap;
    char id[65];
    struct ask ask;
    struct buf body;
};

struct inform {
    struct fetch_peer *peer;
    struct ask_auth auth;
    struct dur patience;
    struct loop *loop;
    struct list waiting, asking;
    unsigned n_waiting, n_asking;
    bool started, stopping;
    void (*done)(void *arg);
    void *done_arg;
};

static void go_on(struct inform *n);

static void
item_free(struct item *it)
{
    list_remove(&it->link);
    buf_release(&it->body);
    free(it);
}

/* Whatever it says: the next poll tells anew. */
static void
answered(struct ask *a)
{
    struct item *it = a->owner;
    struct inform *n = it->n;

    ask_release(a);
    item_free(it);
    n->n_asking--;
    go_on(n);
}

static void
send(struct inform *n, struct item *it)
{
    struct json_writer w;

    json_begin(&w, &it->body);
    json_put_object(&w, NULL);
    capacity_put(&w, &it->cap, n->loop->wall);
    json_end_object(&w);
    ask_init(&it->ask, n->loop, n->peer, (size_t)16 * KIB);
    it->ask.method = HTTP_POST;
    it->ask.owner = it;
    it->ask.auth = n->auth.fields ? &n->auth : NULL;
    it->ask.type = "application/json";
    it->ask.patience = n->patience;
    it->ask.done = answered;
    it->ask.piece[it->ask.n_piece++] = buf_slice(&it->body);
    /* Ids need no escapes. */
    buf_printf(&it->ask.target, "/api/v1/internal/storage-elements/%s/capacity",
               it->id);
    list_push(&n->asking, &it->link);
    n->n_asking++;
    ask_send(&it->ask);
}

static void
go_on(struct inform *n)
{
    struct list *it;

    while (!n->stopping && n->n_asking < INFORM_AT_ONCE &&
           (it = list_pop(&n->waiting)) != NULL) {
        n->n_waiting--;
        send(n, container_of(it, struct item, link));
    }
    if (n->stopping && n->n_asking == 0 && n->started) {
        n->started = false;
        n->done(n->done_arg);
    }
}

static struct item *
find(struct inform *n, const char *id)
{
    LIST_FOREACH (it, &n->waiting) {
        struct item *i = container_of(it, struct item, link);

        if (strcmp(i->id, id) == 0)
            return i;
    }
    return NULL;
}

void
inform_put(struct inform *n, const char *element_id,
           const struct blob_capacity *c)
{
    struct item *it;

    if (!n->started || n->stopping)
        return;
    /* A queue is there only when Admin is slow; then it is short of INFORM_MAX
     * and looked through once for each poll. */
    it = n->n_waiting ? find(n, element_id) : NULL;
    if (it == NULL) {
        it = n->n_waiting < INFORM_MAX ? calloc(1, sizeof(*it)) : NULL;
        if (it == NULL)
            return;
        it->n = n;
        buf_init(&it->body, (size_t)8 * KIB);
        (void)slice_copy(slice_str(element_id), it->id, sizeof(it->id));
        list_push(&n->waiting, &it->link);
        n->n_waiting++;
    }
    it->cap = *c;
    go_on(n);
}

struct inform *
inform_open(struct fetch_peer *peer, const struct ask_auth *auth,
            struct dur patience)
{
    struct inform *n = calloc(1, sizeof(*n));

    if (n == NULL)
        return NULL;
    n->peer = peer;
    n->auth = *auth;
    n->patience = patience;
    list_init(&n->waiting);
    list_init(&n->asking);
    return n;
}

void
inform_start(struct inform *n, struct loop *l)
{
    n->loop = l;
    n->started = true;
}

void
inform_stop(struct inform *n, void (*done)(void *arg), void *arg)
{
    n->done = done;
    n->done_arg = arg;
    n->stopping = true;
    LIST_FOREACH (it, &n->asking) {
        ask_cancel(&container_of(it, struct item, link)->ask);
    }
    go_on(n);
}

void
inform_close(struct inform **np)
{
    struct inform *n = *np;

    *np = NULL;
    if (n == NULL)
        return;
    assert(n->n_asking == 0);
    while (!list_empty(&n->waiting))
        item_free(container_of(n->waiting.next, struct item, link));
    free(n);
}
