/* faults.c - what goes wrong, and when.
 *
 * Two chains of events run from the seed: things that go wrong around gateways
 * and the store, each for a while and sometimes several at once, with time
 * between them in which all must become well; and changes of elements, which
 * are no faults and go on all the time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdlib.h>

#define FAULT_EVERY  480 /* s, on average */
#define CHANGE_EVERY 25
#define NO_MORE      3 /* at a time */

struct sim_wrong {
    struct sim_event ev; /* its end */
    struct list item;
    enum sim_fault_bit kind;
    struct sim_gateway *g;
    bool lasts; /* it is over, and to be set right */
};

/* MEAN_S on average, any time as likely as the next: steps until a die says
 * that it is enough. (A logarithm would not be the same on all machines.) */
static struct dur
at_random(struct sim *s, unsigned mean_s)
{
    int64_t step = (int64_t)mean_s * 1000 / 16, ms = 0;

    while (prng_below(&s->random, 16) > 0)
        ms += step;
    return sim_between_ms(s, ms, ms + step);
}

static struct dur
how_long(struct sim *s)
{
    unsigned which = (unsigned)prng_below(&s->random, 10);

    if (which < 6)
        return sim_between_ms(s, 200, 60000);
    return sim_between_ms(s, 60000, which < 9 ? 300000 : 900000);
}

/* ---- the store ---- */

static void
another_store(struct sim *s, struct coord_store with)
{
    coord_store_release(&s->store);
    s->store = with;
    s->place = SIM_SERVES;
    s->store_life++;
    s->store_wall_off += sim_between(s, -8000, 8000);
    for (unsigned i = 0; i < s->conf.ingesters; i++)
        sim_store_gap(&s->g[i]);
}

static void
store_down(struct sim *s)
{
    s->place = sim_chance(s, 50) ? SIM_REFUSES : SIM_SILENT;
}

static void
store_up(struct sim *s, bool empty)
{
    struct coord_store fresh;

    if (s->place == SIM_SERVES)
        return; /* another one has come first */
    if (empty && sim_store_empty(&fresh))
        another_store(s, fresh);
    s->place = SIM_SERVES;
    if (!empty && sim_chance(s, 50)) /* began anew, with its data */
        s->store_life++;
    for (unsigned i = 0; i < s->conf.ingesters; i++)
        sim_store_gap(&s->g[i]);
}

/* A replica that lacks at least the last epoch: the leader goes, and when the
 * next one has taken the lock, the store dies before its replica has heard. */
static void
arm_failover(struct sim *s, struct sim_wrong *w)
{
    s->copy_at_take = true;
    s->failover = &w->ev;
    for (unsigned i = 0; i < s->conf.ingesters; i++)
        if (s->g[i].leads && s->g[i].state == SIM_UP)
            sim_gateway_pause(&s->g[i], sim_between_ms(s, 25000, 45000), false);
}

static void
fail_over(struct sim *s)
{
    s->copy_at_take = false;
    s->failover = NULL;
    if (!s->has_replica)
        return; /* nobody has taken it */
    s->has_replica = false;
    sim_tell(s, "a replica takes over");
    another_store(s, s->replica);
}

/* ---- one ---- */

static struct sim_gateway *
victim(struct sim *s)
{
    /* Half of the time the leader, who matters most. */
    for (unsigned i = 0; sim_chance(s, 50) && i < s->conf.ingesters; i++)
        if (s->g[i].leads && s->g[i].state == SIM_UP)
            return &s->g[i];
    return &s->g[prng_below(&s->random, s->conf.ingesters)];
}

static void
cut(struct sim *s, struct sim_link *l)
{
    static const unsigned way[][2] = {
        {100, 100}, {100, 100}, {0, 100}, {100, 0}, {40, 40}};
    unsigned i = (unsigned)prng_below(&s->random, countof(way));

    l->lose_to = way[i][0];
    l->lose_from = way[i][1];
}

static void
clocks(struct sim *s, struct sim_gateway *g, struct dur d)
{
    static const int64_t jump[] = {1000, 60000, 3600000, 86400000};

    if (sim_chance(s, 50))
        sim_gateway_pause(g, d, true);
    else
        g->wall_off = jump[prng_below(&s->random, countof(jump))] *
                      (sim_chance(s, 50) ? 1 : -1);
}

/* False: not now. */
static bool
apply(struct sim *s, struct sim_wrong *w, struct dur d)
{
    struct sim_gateway *g = w->g;
    bool stands = mono_before(s->now, g->paused_until);

    if (g->state != SIM_UP || stands)
        return false;
    switch (w->kind) {
    case SIM_CUT_BIT:
        cut(s, &g->store);
        break;
    case SIM_FAR_BIT:
        g->far = sim_chance(s, 50) ? 100 : 40;
        break;
    case SIM_SLOW_BIT:
        g->store.slow = true;
        break;
    case SIM_PAUSE_BIT:
        sim_gateway_pause(g, d, false);
        break;
    case SIM_CLOCK_BIT:
        clocks(s, g, d);
        break;
    case SIM_KILL_BIT:
        sim_gateway_stop(g, sim_chance(s, 60));
        break;
    case SIM_STORE_BIT:
    case SIM_FORGET_BIT:
        if (s->place != SIM_SERVES)
            return false;
        store_down(s);
        break;
    case SIM_FAILOVER_BIT:
        if (s->failover || s->place != SIM_SERVES)
            return false;
        arm_failover(s, w);
        break;
    default:
        return false; /* an element's */
    }
    return true;
}

static void
set_right(struct sim *s, struct sim_wrong *w)
{
    struct sim_gateway *g = w->g;

    switch (w->kind) {
    case SIM_CUT_BIT:
        g->store.lose_to = g->store.lose_from = 0;
        sim_store_gap(g);
        break;
    case SIM_FAR_BIT:
        g->far = 0;
        break;
    case SIM_SLOW_BIT:
        g->store.slow = false;
        break;
    case SIM_CLOCK_BIT:
        g->wall_off = 0;
        break;
    case SIM_KILL_BIT:
        sim_at(s, &g->start, s->now);
        break;
    case SIM_STORE_BIT:
        store_up(s, false);
        break;
    case SIM_FORGET_BIT:
        store_up(s, true);
        break;
    case SIM_FAILOVER_BIT:
        fail_over(s);
        break;
    default:
        break;
    }
}

static void
over(struct sim *s, struct sim_event *ev)
{
    struct sim_wrong *w = container_of(ev, struct sim_wrong, ev);

    /* Slow messages may be on their way for a while; a process begins. */
    if (!w->lasts) {
        set_right(s, w);
        w->lasts = true;
        sim_at(s, ev,
               mono_add(s->now, dur_s(w->kind == SIM_SLOW_BIT ||
                                              w->kind == SIM_FAILOVER_BIT
                                          ? 45
                                          : 4)));
        return;
    }
    sim_tell(s, "%s of gateway %u is over", sim_fault_name(w->kind), w->g->n);
    list_remove(&w->item);
    free(w);
    assert(s->active);
    if (--s->active == 0)
        s->calm = s->now;
}

static unsigned
kind(struct sim *s)
{
    for (;;) {
        unsigned k = (unsigned)prng_below(&s->random, SIM_DEATH_BIT);

        if (s->conf.faults >> k & 1)
            return k;
    }
}

static void
go_wrong(struct sim *s, struct sim_event *ev)
{
    struct sim_wrong *w;
    struct dur d = how_long(s);

    if (s->ending)
        return;
    /* One in five comes together with another. */
    sim_at(s, ev,
           mono_add(s->now, sim_chance(s, 20) ? sim_between_ms(s, 0, 30000)
                                              : at_random(s, FAULT_EVERY)));
    w = s->active < NO_MORE ? calloc(1, sizeof(*w)) : NULL;
    if (w == NULL)
        return;
    w->ev.run = over;
    w->kind = kind(s);
    w->g = victim(s);
    list_push(&s->fault_list, &w->item);
    s->active++;
    s->left = MONO_NEVER; /* the next leader may come later now */
    sim_at(s, &w->ev, mono_add(s->now, d));
    if (!apply(s, w, d)) {
        list_remove(&w->item);
        heap_remove(&s->queue, &w->ev.item);
        free(w);
        if (--s->active == 0 && s->calm.ns == MONO_NEVER.ns)
            s->calm = s->now;
        return;
    }
    s->calm = MONO_NEVER;
    s->out->faults++;
    sim_tell(s, "%s of gateway %u for %.1f s", sim_fault_name(w->kind), w->g->n,
             (double)d.ns / 1e9);
}

/* ---- elements ---- */

/* A list without any is never applied (CNF-037). */
static bool
is_last(const struct sim *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->conf.elements && n < 2; i++)
        n += s->e[i].listed;
    return n < 2;
}

static void
churn(struct sim *s, struct sim_element *e)
{
    unsigned moved = e->moved;
    bool was_listed = e->listed;

    if (!e->listed) {
        e->listed = true;
        e->known = false;
    } else {
        switch (prng_below(&s->random, 4)) {
        case 0:
            e->listed = is_last(s);
            break;
        case 1:
            e->priority = (int)sim_between(s, 1, 1000);
            break;
        case 2:
            e->mode = e->mode <= SELECT_RW
                          ? (int)sim_between(s, SELECT_EDIT, SELECT_AR)
                          : (int)sim_between(s, SELECT_EDIT, SELECT_RW);
            break;
        default:
            e->moved++;
        }
    }
    e->roomy = MONO_NEVER; /* counted from now, if it is */
    if (e->moved != moved || (e->listed && !was_listed))
        e->known_from = mono_add(s->now, s->allowed.lists);
    sim_element_changed(s, e);
    sim_tell(s, "%s changes: %s, mode %d", e->id,
             e->listed ? "listed" : "removed", e->mode);
    sim_admin_changed(s);
}

static bool
is_well(const struct sim_element *e, unsigned kind)
{
    if (kind == SIM_CHURN_BIT)
        return e->listed && e->mode <= SELECT_RW;
    return kind == SIM_DEATH_BIT ? !e->dead : !sim_element_full(e);
}

static void
change(struct sim *s, struct sim_event *ev)
{
    struct sim_element *e = &s->e[prng_below(&s->random, s->conf.elements)];
    unsigned k =
        SIM_DEATH_BIT +
        (unsigned)prng_below(&s->random, SIM_FAULT_COUNT - SIM_DEATH_BIT);

    if (s->ending)
        return;
    sim_at(s, ev, mono_add(s->now, at_random(s, CHANGE_EVERY)));
    if (!(s->conf.faults >> k & 1))
        return;
    /* Most of them are well at any time. */
    if (is_well(e, k) && sim_chance(s, 70))
        return;
    s->out->faults++;
    if (k == SIM_CHURN_BIT) {
        churn(s, e);
        return;
    }
    if (k == SIM_DEATH_BIT) {
        e->dead = !e->dead;
        e->silent = sim_chance(s, 50);
        if (!e->dead)
            e->back_from = mono_add(s->now, s->allowed.back);
        else if (!e->silent)
            sim_room_died(s, e);
    } else {
        sim_room_others(s, e, sim_element_full(e) ? 100 : 995);
    }
    sim_element_changed(s, e);
    sim_tell(s, "%s is %s, %s", e->id, e->dead ? "dead" : "alive",
             sim_element_full(e) ? "full" : "not full");
}

/* ---- all ---- */

void
sim_faults_begin(struct sim *s)
{
    s->next_fault.run = go_wrong;
    s->next_change.run = change;
    if (s->conf.faults & ((1u << SIM_DEATH_BIT) - 1))
        sim_at(s, &s->next_fault, mono_add(s->now, at_random(s, 120)));
    if (s->conf.faults >> SIM_DEATH_BIT)
        sim_at(s, &s->next_change, mono_add(s->now, at_random(s, 60)));
}

void
sim_faults_end(struct sim *s)
{
    s->ending = true;
    LIST_FOREACH (it, &s->fault_list) {
        struct sim_wrong *w = container_of(it, struct sim_wrong, item);

        if (!w->lasts)
            sim_at(s, &w->ev, s->now);
    }
    for (unsigned i = 0; i < s->conf.elements; i++) {
        if (s->e[i].dead)
            s->e[i].back_from = mono_add(s->now, s->allowed.back);
        s->e[i].dead = false;
        sim_element_changed(s, &s->e[i]);
    }
}

void
sim_faults_release(struct sim *s)
{
    struct list *it;

    while ((it = list_pop(&s->fault_list)) != NULL) {
        struct sim_wrong *w = container_of(it, struct sim_wrong, item);

        heap_remove(&s->queue, &w->ev.item);
        free(w);
    }
}
