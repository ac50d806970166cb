/* coord_subs.c - see coord_subs.h.
 *
 * A message on its way holds the subscription's node, not the subscription: the
 * node outlives it until the last message has come, and its `sub` is touched by
 * the subscriber's loop alone. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_subs.h"
#include "base/base.h"
#include <stdatomic.h>
#include <stdlib.h>

struct node {
    struct list item; /* under the lock, while subscribed */
    struct loop *loop;
    struct coord_sub *sub; /* the loop's; NULL: unsubscribed */
    const char *channel;   /* while it is in the list */
    _Atomic(unsigned) waiting;
    _Atomic(size_t) bytes;  /* of what is waiting */
    _Atomic(unsigned) refs; /* the subscription, and each message */
    _Atomic(uint64_t) lost;
};

struct message {
    struct task task;
    struct node *node;
    size_t n;
    char bytes[];
};

static void
node_unref(struct node *n)
{
    if (atomic_fetch_sub(&n->refs, 1) == 1)
        free(n);
}

static void
deliver(struct loop *l, struct task *t)
{
    struct message *msg = container_of(t, struct message, task);
    struct node *n = msg->node;
    struct coord_sub *sub = n->sub;

    (void)l;
    atomic_fetch_sub(&n->waiting, 1);
    atomic_fetch_sub(&n->bytes, msg->n);
    if (sub) {
        sub->lost = atomic_load(&n->lost);
        sub->message(sub, slice_of(msg->bytes, msg->n));
    }
    node_unref(n);
    free(msg);
}

/* Under the lock. */
static void
send_to(struct node *n, struct slice value)
{
    struct message *msg = NULL;

    if (atomic_load(&n->waiting) < COORD_SUBS_WAITING_MAX &&
        atomic_load(&n->bytes) + value.n <= COORD_SUBS_BYTES_MAX)
        msg = malloc(sizeof(*msg) + value.n);
    if (!msg) {
        atomic_fetch_add(&n->lost, 1);
        return;
    }
    msg->task.run = deliver;
    msg->node = n;
    msg->n = value.n;
    if (value.n)
        memcpy(msg->bytes, value.p, value.n);
    atomic_fetch_add(&n->waiting, 1);
    atomic_fetch_add(&n->bytes, value.n);
    atomic_fetch_add(&n->refs, 1);
    loop_post(n->loop, &msg->task);
}

unsigned
coord_subs_send(struct coord_subs *s, struct slice channel, struct slice value)
{
    unsigned count = 0;

    (void)pthread_mutex_lock(&s->lock);
    LIST_FOREACH (it, &s->nodes) {
        struct node *n = container_of(it, struct node, item);

        if (!slice_eq(slice_str(n->channel), channel))
            continue;
        send_to(n, value);
        count++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return count;
}

void
coord_subs_gap(struct coord_subs *s)
{
    (void)pthread_mutex_lock(&s->lock);
    LIST_FOREACH (it, &s->nodes)
        atomic_fetch_add(&container_of(it, struct node, item)->lost, 1);
    (void)pthread_mutex_unlock(&s->lock);
}

void
coord_subs_channels(struct coord_subs *s,
                    void (*each)(void *arg, const char *channel), void *arg)
{
    (void)pthread_mutex_lock(&s->lock);
    LIST_FOREACH (it, &s->nodes)
        each(arg, container_of(it, struct node, item)->channel);
    (void)pthread_mutex_unlock(&s->lock);
}

enum err
coord_subs_add(struct coord_subs *s, struct coord_sub *sub)
{
    struct node *n = calloc(1, sizeof(*n));
    enum err e = ERR_OK;

    if (!n)
        return ERR_NOMEM;
    n->loop = sub->loop;
    n->sub = sub;
    n->channel = sub->channel;
    atomic_init(&n->refs, 1);
    sub->lost = 0;
    sub->node = n;
    (void)pthread_mutex_lock(&s->lock);
    if (s->n < COORD_SUBS_MAX) {
        list_push(&s->nodes, &n->item);
        s->n++;
    } else {
        e = ERR_NOMEM;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (e) {
        sub->node = NULL;
        free(n);
    }
    return e;
}

void
coord_subs_remove(struct coord_subs *s, struct coord_sub *sub)
{
    struct node *n = sub->node;

    if (!n)
        return;
    sub->node = NULL;
    n->sub = NULL;
    (void)pthread_mutex_lock(&s->lock);
    list_remove(&n->item);
    s->n--;
    (void)pthread_mutex_unlock(&s->lock);
    sub->lost = atomic_load(&n->lost);
    node_unref(n);
}

void
coord_subs_init(struct coord_subs *s)
{
    (void)pthread_mutex_init(&s->lock, NULL);
    list_init(&s->nodes);
    s->n = 0;
}

void
coord_subs_release(struct coord_subs *s)
{
    assert(list_empty(&s->nodes));
    (void)pthread_mutex_destroy(&s->lock);
}
