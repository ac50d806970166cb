/* coord_mem.c - see coord_mem.h: the store behind a lock, completions by posts,
 * and the subscribers.
 *
 * A message on its way holds the subscription's node, not the subscription: the
 * node outlives it until the last message has come, and its `sub` is touched by
 * the subscriber's loop alone. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_mem.h"
#include "port/coord_store.h"
#include <pthread.h>
#include <stdlib.h>

struct node {
    struct list item; /* in the driver's list while subscribed */
    struct coord_mem *m;
    struct loop *loop;
    struct coord_sub *sub; /* the loop's; NULL: unsubscribed */
    const char *channel;
    unsigned waiting; /* messages posted; this and below under the lock */
    uint64_t lost;
    bool gone; /* free it with the last message */
};

struct message {
    struct task task;
    struct node *node;
    size_t n;
    char bytes[];
};

struct coord_mem {
    struct coord coord;
    pthread_mutex_t lock;
    struct coord_store store;
    struct list nodes;
    unsigned n_nodes;
};

static struct coord_mem *
self(struct coord *c)
{
    return container_of(c, struct coord_mem, coord);
}

/* --- subscribers ---------------------------------------------------------- */

static void
deliver(struct loop *l, struct task *t)
{
    struct message *msg = container_of(t, struct message, task);
    struct node *n = msg->node;
    struct coord_mem *m = n->m;
    struct coord_sub *sub = n->sub;
    bool last;

    (void)l;
    (void)pthread_mutex_lock(&m->lock);
    n->waiting--;
    if (sub)
        sub->lost = n->lost;
    last = n->gone && n->waiting == 0;
    (void)pthread_mutex_unlock(&m->lock);
    if (sub)
        sub->message(sub, slice_of(msg->bytes, msg->n));
    if (last)
        free(n);
    free(msg);
}

/* Under the lock. */
static void
send_to(struct node *n, struct slice value)
{
    struct message *msg = NULL;

    if (n->waiting < COORD_MEM_WAITING_MAX)
        msg = malloc(sizeof(*msg) + value.n);
    if (!msg) {
        n->lost++;
        return;
    }
    msg->task.run = deliver;
    msg->node = n;
    msg->n = value.n;
    if (value.n)
        memcpy(msg->bytes, value.p, value.n);
    n->waiting++;
    loop_post(n->loop, &msg->task);
}

static void
publish(struct coord_mem *m, struct coord_request *r)
{
    size_t key = r->key ? strlen(r->key) : 0;

    r->number = 0;
    r->err = key == 0                                              ? ERR_INVAL
             : key > COORD_KEY_MAX || r->value.n > COORD_VALUE_MAX ? ERR_TOOBIG
                                                                   : ERR_OK;
    if (r->err) {
        (void)fault_set(&r->fault, r->err, "publish", key ? r->key : "");
        return;
    }
    LIST_FOREACH (it, &m->nodes) {
        struct node *n = container_of(it, struct node, item);

        if (strcmp(n->channel, r->key) != 0)
            continue;
        send_to(n, r->value);
        r->number++;
    }
}

static enum err
m_subscribe(struct coord *c, struct coord_sub *s)
{
    struct coord_mem *m = self(c);
    struct node *n = calloc(1, sizeof(*n));
    enum err e = ERR_OK;

    if (!n)
        return ERR_NOMEM;
    *n =
        (struct node){.m = m, .loop = s->loop, .sub = s, .channel = s->channel};
    list_init(&n->item);
    (void)pthread_mutex_lock(&m->lock);
    if (m->n_nodes < COORD_MEM_SUBS_MAX) {
        list_push(&m->nodes, &n->item);
        m->n_nodes++;
    } else {
        e = ERR_NOMEM;
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (e)
        free(n);
    else
        s->node = n;
    s->lost = 0;
    return e;
}

static void
m_unsubscribe(struct coord *c, struct coord_sub *s)
{
    struct coord_mem *m = self(c);
    struct node *n = s->node;
    bool now;

    if (!n)
        return;
    s->node = NULL;
    n->sub = NULL;
    (void)pthread_mutex_lock(&m->lock);
    list_remove(&n->item);
    m->n_nodes--;
    s->lost = n->lost;
    n->gone = true;
    now = n->waiting == 0;
    (void)pthread_mutex_unlock(&m->lock);
    if (now)
        free(n);
}

/* --- requests ------------------------------------------------------------- */

static void
done(struct loop *l, struct task *t)
{
    struct coord_request *r = container_of(t, struct coord_request, task);

    (void)l;
    r->done(r);
}

static void
m_submit(struct coord *c, struct coord_request *r)
{
    struct coord_mem *m = self(c);

    r->fault = (struct fault){0};
    (void)pthread_mutex_lock(&m->lock);
    if (r->op == COORD_PUBLISH)
        publish(m, r);
    else
        coord_store_do(&m->store, r, r->loop->now, r->loop->wall);
    (void)pthread_mutex_unlock(&m->lock);
    r->task.run = done;
    loop_post(r->loop, &r->task);
}

/* --- life ----------------------------------------------------------------- */

static void
m_close(struct coord *c)
{
    struct coord_mem *m = self(c);

    assert(list_empty(&m->nodes));
    coord_store_release(&m->store);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

size_t
coord_mem_items(struct coord *c)
{
    struct coord_mem *m = self(c);
    size_t n;

    (void)pthread_mutex_lock(&m->lock);
    n = m->store.items;
    (void)pthread_mutex_unlock(&m->lock);
    return n;
}

struct coord *
coord_mem_open(size_t items_max, uint64_t seed)
{
    static const struct coord_ops ops = {
        .submit = m_submit,
        .subscribe = m_subscribe,
        .unsubscribe = m_unsubscribe,
        .close = m_close,
    };
    struct coord_mem *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    if (!coord_store_init(&m->store, items_max, seed)) {
        free(m);
        return NULL;
    }
    m->coord.ops = &ops;
    (void)pthread_mutex_init(&m->lock, NULL);
    list_init(&m->nodes);
    return &m->coord;
}
