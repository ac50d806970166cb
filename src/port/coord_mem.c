/* coord_mem.c - see coord_mem.h: the store behind a lock, completions by posts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_mem.h"
#include "port/coord_store.h"
#include "port/coord_subs.h"
#include <stdlib.h>

struct coord_mem {
    struct coord coord;
    pthread_mutex_t lock;
    struct coord_store store;
    struct coord_subs subs;
};

static struct coord_mem *
self(struct coord *c)
{
    return container_of(c, struct coord_mem, coord);
}

static void
publish(struct coord_mem *m, struct coord_request *r)
{
    size_t key = r->key ? strlen(r->key) : 0;

    r->number = 0;
    r->err = key == 0                                             ? ERR_INVAL
             : key > COORD_KEY_MAX || r->value.n > COORD_TEXT_MAX ? ERR_TOOBIG
                                                                  : ERR_OK;
    if (r->err)
        (void)fault_set(&r->fault, r->err, "publish", key ? r->key : "");
    else
        r->number = coord_subs_send(&m->subs, slice_str(r->key), r->value);
}

static enum err
m_subscribe(struct coord *c, struct coord_sub *s)
{
    return coord_subs_add(&self(c)->subs, s);
}

static void
m_unsubscribe(struct coord *c, struct coord_sub *s)
{
    coord_subs_remove(&self(c)->subs, s);
}

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
    r->life = 1; /* as long as this process */
    r->unsent = false;
    (void)pthread_mutex_lock(&m->lock);
    if (r->op == COORD_PUBLISH)
        publish(m, r);
    else
        coord_store_do(&m->store, r, r->loop->now, r->loop->wall);
    (void)pthread_mutex_unlock(&m->lock);
    r->task.run = done;
    loop_post(r->loop, &r->task);
}

static void
m_close(struct coord *c)
{
    struct coord_mem *m = self(c);

    coord_subs_release(&m->subs);
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
    coord_subs_init(&m->subs);
    return &m->coord;
}
