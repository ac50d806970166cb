/* admin_list.c - see admin_list.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/admin_list.h"

#define LIST_MAX ((size_t)16 * MIB)

static void list_ask(struct admin_list *g);

static void
answered(struct ask *a)
{
    struct admin_list *g = a->owner;
    struct monitor_admin_ask *q = g->q;

    if (a->status == 404 && !g->second) {
        g->second = true;
        ask_release(a);
        list_ask(g);
        return;
    }
    q->err = a->err;
    q->fault = a->fault;
    if (a->err == ERR_OK) {
        buf_release(&q->out);
        q->out = a->answer;
        a->answer = (struct buf){0};
    }
    ask_release(a);
    g->q = NULL;
    q->done(q);
}

static void
list_ask(struct admin_list *g)
{
    struct ask *a = &g->ask;

    ask_init(a, g->q->loop, admin_link_peer(g->link), LIST_MAX);
    a->method = HTTP_GET;
    a->owner = g;
    a->auth = &g->auth;
    a->again = true;
    a->patience = g->q->patience;
    a->done = answered;
    buf_add_str(&a->target, g->second
                                ? "/api/v1/internal/storage-elements/available"
                                : "/api/v1/storage-elements");
    ask_send(a);
}

static void
list(struct monitor_admin *m, struct monitor_admin_ask *q)
{
    struct admin_list *g = container_of(m, struct admin_list, admin);

    assert(g->q == NULL);
    g->q = q;
    g->second = false;
    list_ask(g);
}

/* Not inside the call that has ended the question (ask_cancel()). */
static void
cancel(struct monitor_admin *m)
{
    struct admin_list *g = container_of(m, struct admin_list, admin);

    g->second = true; /* and not at the other path either */
    if (g->q)
        ask_cancel(&g->ask);
}

void
admin_list_init(struct admin_list *a, struct admin_link *link)
{
    *a = (struct admin_list){.admin = {.list = list, .cancel = cancel},
                             .link = link,
                             .auth = admin_link_auth(link)};
}
