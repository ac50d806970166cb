/* gateway.c - a gateway: a loop with clocks of its own, on which the monitor of
 * role/ingest runs as it does in the program.
 *
 * A gateway that is killed becomes a ghost: its monitor is stopped as always,
 * so that all memory comes back, but nothing that it says gets out any more,
 * and from outside that is a process that has died. What it had sent before is
 * still on its way. SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdio.h>

struct mono
sim_gateway_local(const struct sim_gateway *g)
{
    return (struct mono){g->s->now.ns + g->boot_off};
}

static void
set_time(struct sim_gateway *g)
{
    g->lm.loop.now = sim_gateway_local(g);
    g->lm.loop.wall.ms = SIM_WALL + g->s->now.ns / 1000000 + g->wall_off;
}

bool
sim_gateway_enter(struct sim_gateway *g)
{
    if (mono_before(g->s->now, g->paused_until))
        return false;
    set_time(g);
    return true;
}

static void
over(struct sim_gateway *g)
{
    sim_uploads_close(g);
    monitor_close(&g->m);
    loop_mem_release(&g->lm);
    heap_remove(&g->s->queue, &g->wake.item);
    g->state = SIM_DOWN;
    sim_tell(g->s, "gateway %u has ended", g->n);
}

void
sim_gateway_leave(struct sim_gateway *g)
{
    struct heap_item *it;

    loop_mem_settle(&g->lm);
    if (g->ended) {
        over(g);
        return;
    }
    it = heap_first(&g->lm.timers);
    if (it && it->at.ns != MONO_NEVER.ns)
        sim_at(g->s, &g->wake, (struct mono){it->at.ns - g->boot_off});
    else
        heap_remove(&g->s->queue, &g->wake.item);
    if (g->state == SIM_UP)
        sim_check_gateway(g);
}

static void
woken(struct sim *s, struct sim_event *e)
{
    struct sim_gateway *g = container_of(e, struct sim_gateway, wake);

    if (g->state == SIM_DOWN)
        return;
    if (sim_gateway_enter(g))
        sim_gateway_leave(g);
    else
        sim_at(s, e, g->paused_until);
}

void
sim_gateway_pause(struct sim_gateway *g, struct dur d, bool clocks)
{
    if (mono_before(g->s->now, g->paused_until))
        return; /* it stands still already */
    if (mono_before(g->s->end, mono_add(g->s->now, d)))
        d = mono_sub(g->s->end, g->s->now); /* then all is well */
    g->paused_until = mono_add(g->s->now, d);
    if (clocks) {
        g->boot_off -= d.ns;
        g->thawed = g->paused_until;
    }
}

static void
monitor_is_over(void *arg)
{
    ((struct sim_gateway *)arg)->ended = true;
}

void
sim_gateway_stop(struct sim_gateway *g, bool kill)
{
    bool here = sim_gateway_enter(g);

    assert(g->state == SIM_UP && here);
    sim_check_leaves(g, kill);
    sim_check_leads(g, false);
    g->state = kill ? SIM_GHOST : SIM_ENDING;
    sim_uploads_stop(g);
    monitor_stop(g->m, monitor_is_over, g);
    sim_gateway_leave(g);
}

static void
polled(void *arg, const char *element_id, const struct blob_capacity *c)
{
    struct sim_gateway *g = arg;
    struct sim_element *e = sim_element_find(g->s, element_id);

    if (e && g->state == SIM_UP) {
        e->known = true;
        e->known_used = c->used;
    }
}

struct monitor_conf
sim_gateway_settings(const struct sim *s)
{
    struct monitor_conf c = monitor_conf_default();

    c.elements_max = s->conf.elements * 2 + 64;
    if (s->conf.refresh.ns)
        c.refresh = s->conf.refresh;
    return c;
}

static struct monitor_conf
settings(struct sim_gateway *g)
{
    struct monitor_conf c = sim_gateway_settings(g->s);

    c.instance_id = g->name;
    c.coord = &g->coord;
    c.fetch = &g->fetch;
    c.admin = &g->admin;
    c.polled = polled;
    c.elements_arg = g;
    c.seed = prng_next(&g->s->random);
    if (g->s->conf.breaks & SIM_NO_READ)
        c.refresh = dur_s(3600);
    return c;
}

static void
start(struct sim *s, struct sim_event *e)
{
    struct sim_gateway *g = container_of(e, struct sim_gateway, start);
    struct monitor_conf c;
    struct fault f;
    enum err err;

    if (s->stopping)
        return;
    if (g->state != SIM_DOWN) {
        sim_at(s, e, mono_add(s->now, dur_ms(100)));
        return;
    }
    g->life++;
    g->ended = g->leads = false;
    g->paused_until = s->now;
    g->store = (struct sim_link){0};
    g->boot_off = sim_between(s, 0, 1000000) * 1000000;
    (void)snprintf(g->name, sizeof(g->name), "ingester-%u-%u", g->n, g->life);
    loop_mem_init(&g->lm);
    set_time(g);
    g->loops[0] = &g->lm.loop;
    c = settings(g);
    err = monitor_open(&g->m, &c, g->loops, 1, &f);
    assert(err == ERR_OK);
    g->state = SIM_UP;
    sim_uploads_open(g);
    monitor_start(g->m);
    sim_gateway_leave(g);
}

void
sim_gateway_start(struct sim_gateway *g)
{
    start(g->s, &g->start);
}

bool
sim_gateway_open(struct sim *s, unsigned i)
{
    struct sim_gateway *g = &s->g[i];

    g->s = s;
    g->n = i;
    g->wake.run = woken;
    g->start.run = start;
    list_init(&g->subs);
    sim_store_open_gateway(g);
    sim_element_open_gateway(g);
    sim_admin_open_gateway(g);
    return true;
}

void
sim_gateway_close(struct sim_gateway *g)
{
    assert(g->state == SIM_DOWN && list_empty(&g->subs));
}
