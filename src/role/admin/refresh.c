/* refresh.c - see refresh.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/refresh.h"
#include "role/admin/api_impl.h"
#include <stdlib.h>

#define TICK dur_s(1)

struct asking {
    struct refresh *r;
    struct probe probe;
    struct work work;
    struct wall now;
    bool busy;
    char element_id[65];
    char url[256];
};

struct refresh {
    struct admin_api *api;
    struct loop *loop;
    struct timer timer;
    struct admin_name *name; /* of the round */
    unsigned n, at;
    struct mono began;
    struct asking asking[REFRESH_AT_ONCE];
    unsigned busy;
    bool started, stopping;
    void (*done)(void *arg);
    void *done_arg;
};

static void
maybe_over(struct refresh *r)
{
    if (!r->stopping || r->busy || !r->started)
        return;
    r->started = false;
    r->done(r->done_arg);
}

static void
asking_end(struct asking *a)
{
    a->busy = false;
    a->r->busy--;
    maybe_over(a->r);
}

/* Of one that has gone meanwhile nothing is kept. */
static void
store(struct work *w)
{
    struct asking *a = container_of(w, struct asking, work);

    (void)admin_capacity_set(a->r->api->conf.admin, a->element_id,
                             &a->probe.capacity, a->now, NULL);
}

static void
stored(struct loop *l, struct work *w)
{
    (void)l;
    asking_end(container_of(w, struct asking, work));
}

static void
probed(struct probe *p)
{
    struct asking *a = container_of(p, struct asking, probe);

    if (!p->answered || a->r->stopping) {
        asking_end(a);
        return;
    }
    a->now = a->r->loop->wall;
    a->work = (struct work){.work = store, .done = stored};
    loop_work(a->r->loop, &a->work);
}

static struct asking *
asking_free(struct refresh *r)
{
    for (unsigned i = 0; i < REFRESH_AT_ONCE; i++)
        if (!r->asking[i].busy)
            return &r->asking[i];
    return NULL;
}

/* Is it elsewhere, and was it not heard of for long? */
static bool
is_due(const struct refresh *r, const struct admin_view *v)
{
    return !v->here &&
           r->loop->wall.ms - v->heard.ms >= REFRESH_AFTER.ns / 1000000;
}

static void
ask(struct refresh *r, struct asking *a, const struct admin_view *v)
{
    a->r = r;
    a->busy = true;
    r->busy++;
    memcpy(a->element_id, v->record.element_id, sizeof(a->element_id));
    (void)slice_copy(slice_str(v->record.endpoint), a->url, sizeof(a->url));
    probe_begin(&a->probe, r->api, r->loop, a->url, a->element_id, probed);
}

static void
round_begin(struct refresh *r)
{
    struct admin *admin = r->api->conf.admin;
    unsigned n = admin_names(admin, NULL, 0);

    free(r->name);
    r->at = r->n = 0;
    r->began = r->loop->now;
    r->name = calloc(n ? n : 1, sizeof(r->name[0]));
    if (r->name)
        r->n = (unsigned)size_min(n, admin_names(admin, r->name, n));
}

static void
tick(struct loop *l, struct timer *t)
{
    struct refresh *r = container_of(t, struct refresh, timer);
    struct admin_view v;
    struct asking *a;

    if (r->at == r->n && mono_sub(l->now, r->began).ns >= REFRESH_EVERY.ns)
        round_begin(r);
    while (r->at < r->n && (a = asking_free(r)) != NULL) {
        const char *id = r->name[r->at++].element_id;

        if (admin_view(r->api->conf.admin, id, l->wall, &v) == ERR_OK &&
            is_due(r, &v))
            ask(r, a, &v);
    }
    (void)loop_timer(l, t, mono_add(l->now, TICK));
}

struct refresh *
refresh_open(struct admin_api *api)
{
    struct refresh *r = calloc(1, sizeof(*r));

    if (r) {
        r->api = api;
        r->timer.fire = tick;
    }
    return r;
}

void
refresh_start(struct refresh *r, struct loop *l)
{
    r->loop = l;
    /* After a start nobody has told anything yet, and gateways that have lost
     * the coordination store wait for it: the first round is soon. */
    r->began =
        mono_add(l->now, (struct dur){REFRESH_FIRST.ns - REFRESH_EVERY.ns});
    r->started = true;
    (void)loop_timer(l, &r->timer, mono_add(l->now, TICK));
}

void
refresh_stop(struct refresh *r, void (*done)(void *arg), void *arg)
{
    r->done = done;
    r->done_arg = arg;
    r->stopping = true;
    loop_timer_stop(r->loop, &r->timer);
    maybe_over(r);
}

void
refresh_close(struct refresh **rp)
{
    struct refresh *r = *rp;

    *rp = NULL;
    if (r == NULL)
        return;
    free(r->name);
    free(r);
}
