/* check.c - what must hold, seen by one who knows everything.
 *
 * What is allowed follows from the settings (doc/simulator.md has the sums):
 * a leader is there at the latest when a store that was replaced was sat out
 * and a lock of somebody dead has ended; a change at an element is seen by the
 * next poll, and that by the next reading of the store. While something else
 * is wrong none of this can be promised; then only what is too old for anybody
 * must not be used. SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdio.h>

#define LEADER  dur_s(100) /* after all has become well */
#define CRASH   dur_s(33)  /* D42 */
#define RELEASE dur_s(1)
#define FULL    dur_s(52)
#define SICK    dur_s(320)
#define REMOVED dur_s(75)
#define ADMIN   dur_s(10)
#define OLD     dur_s(1800) /* whatever goes on */
#define EACH    dur_s(1)

static struct mono
later(struct mono a, struct mono b)
{
    return mono_before(a, b) ? b : a;
}

static void
longest(struct dur *most, struct dur d)
{
    if (d.ns > most->ns)
        *most = d;
}

/* ---- writers ---- */

void
sim_check_write(struct sim *s, const struct sim_gateway *g, uint64_t epoch,
                const char *owner)
{
    s->out->writes++;
    if (epoch < s->top_epoch)
        sim_bad(s,
                "writer: gateway %u wrote under the stale epoch %llu, after "
                "%s under %llu",
                g->n, (unsigned long long)epoch, s->top_owner,
                (unsigned long long)s->top_epoch);
    else if (epoch == s->top_epoch && strcmp(s->top_owner, owner) != 0)
        sim_bad(s, "writer: both %s and %s wrote under epoch %llu",
                s->top_owner, owner, (unsigned long long)epoch);
    s->top_epoch = epoch;
    (void)snprintf(s->top_owner, sizeof(s->top_owner), "%s", owner);
}

/* ---- leaders ---- */

static void
leader_found(struct sim *s)
{
    struct dur d = mono_sub(s->now, later(s->leaderless, s->calm));

    if (s->calm.ns != MONO_NEVER.ns)
        longest(&s->out->leaderless, d);
    s->leaderless = MONO_NEVER;
    if (s->left.ns == MONO_NEVER.ns)
        return;
    d = mono_sub(s->now, s->left);
    s->left = MONO_NEVER;
    longest(s->left_killed ? &s->out->crash : &s->out->release, d);
    if (d.ns > (s->left_killed ? CRASH.ns : RELEASE.ns))
        sim_bad(s, "leader: the next one came %.3f s after one %s",
                (double)d.ns / 1e9, s->left_killed ? "died" : "had left");
}

void
sim_check_leads(struct sim_gateway *g, bool leads)
{
    struct sim *s = g->s;

    if (g->leads == leads)
        return;
    g->leads = leads;
    s->leaders += leads ? 1 : -1u;
    sim_tell(s, "gateway %u %s", g->n, leads ? "leads" : "does not lead");
    if (leads && s->leaders == 1)
        leader_found(s);
    else if (s->leaders == 0)
        s->leaderless = s->now;
}

void
sim_check_leaves(struct sim_gateway *g, bool kill)
{
    struct sim *s = g->s;

    s->left = MONO_NEVER;
    /* The fault itself is one that is active by now. */
    if (g->leads && s->active == 1 && !s->ending && s->conf.ingesters > 1 &&
        s->calm.ns != MONO_NEVER.ns &&
        mono_reached(s->now, mono_add(s->calm, LEADER))) {
        s->left = s->now;
        s->left_killed = kill;
    }
}

void
sim_check_calm(struct sim *s)
{
    if (s->leaders || s->calm.ns == MONO_NEVER.ns)
        return;
    if (mono_reached(s->now, mono_add(later(s->leaderless, s->calm), LEADER)))
        sim_bad(s,
                "leader: there is none, and nothing has been wrong for %lld "
                "s",
                (long long)(mono_sub(s->now, s->calm).ns / 1000000000));
}

/* ---- choices ---- */

static void
judge(struct sim_gateway *g, const char *what, const struct sim_element *e,
      struct mono from, struct dur allowed, struct dur *seen)
{
    struct sim *s = g->s;
    struct dur d;

    if (from.ns == MONO_NEVER.ns)
        return;
    if (mono_reached(s->now, mono_add(from, OLD)))
        sim_bad(s, "choice: gateway %u would use %s, %s for %lld s", g->n,
                e->id, what,
                (long long)(mono_sub(s->now, from).ns / 1000000000));
    if (s->calm.ns == MONO_NEVER.ns)
        return;
    from = later(from, mono_add(s->calm, LEADER));
    d = mono_sub(s->now, from);
    longest(seen, d);
    if (d.ns > allowed.ns)
        sim_bad(s,
                "choice: gateway %u would use %s, %s, %lld ms after it could "
                "have known",
                g->n, e->id, what, (long long)(d.ns / 1000000));
}

static void
judge_polled(struct sim_gateway *g, const struct sim_element *e)
{
    struct sim_report *out = g->s->out;

    judge(g, "full", e, e->full, FULL, &out->full_seen);
    judge(g, "sick", e, e->sick, SICK, &out->sick_seen);
    judge(g, "removed", e, e->removed, REMOVED, &out->removed_seen);
}

static void
judge_admin(struct sim_gateway *g, const struct sim_element *e)
{
    struct sim *s = g->s;

    if (mono_before(s->now, mono_add(g->thawed, ADMIN)) ||
        e->removed.ns == MONO_NEVER.ns)
        return;
    if (mono_reached(s->now, mono_add(e->removed, ADMIN)))
        sim_bad(s, "choice: gateway %u would use %s by Admin's list, removed",
                g->n, e->id);
}

static bool
open_to(const struct select_verdict *v)
{
    return v->reason == SELECT_CHOSEN || v->reason == SELECT_WAITS;
}

/* Calls EACH for every element that an upload could be given. */
static void
choices(struct sim_gateway *g, const struct view_part *p,
        void (*each)(struct sim_gateway *g, const struct sim_element *e))
{
    struct sim *s = g->s;
    const struct snapshot *sn = p->snap;

    assert(sn->n <= s->conf.elements * 2 + 64);
    for (int mode = SELECT_EDIT; mode <= SELECT_RW; mode++) {
        struct select_request q = {
            .size = MIB, .mode = mode, .now = sim_gateway_local(g)};

        (void)select_pick(&q, sn->e, sn->order, sn->n, s->verdict);
        for (size_t i = 0; i < sn->n; i++) {
            const struct sim_element *e;

            if ((int)sn->e[i].mode != mode)
                continue;
            s->out->judged++;
            if (!open_to(&s->verdict[i]))
                continue;
            e = sim_element_find(s, sn->e[i].element_id);
            if (e)
                each(g, e);
        }
    }
}

static const struct view_part *
part_of(struct sim_gateway *g, enum view_source from)
{
    return view_part_of(monitor_view(g->m, &g->lm.loop), from,
                        sim_gateway_local(g));
}

void
sim_check_gateway(struct sim_gateway *g)
{
    const struct view_part *polled, *admin;
    struct monitor_status st;
    int64_t made = 0;

    monitor_status(g->m, &st);
    sim_check_leads(g, st.leads);
    polled = part_of(g, VIEW_POLLED);
    admin = part_of(g, VIEW_ADMIN);
    made = (polled ? polled->snap->made.ns : 0) ^
           (admin ? admin->snap->made.ns << 1 : 0);
    if (made == g->judged && mono_before(g->s->now, g->judge_at))
        return;
    g->judged = made;
    g->judge_at = mono_add(g->s->now, EACH);
    if (polled)
        choices(g, polled, judge_polled);
    if (admin)
        choices(g, admin, judge_admin);
}

/* ---- the end ---- */

static void
count(struct sim_gateway *g, const struct sim_element *e)
{
    g->s->e[e - g->s->e].seen++;
}

static bool
may_be_chosen(const struct sim_element *e)
{
    return e->listed && !e->dead && !sim_element_full(e) &&
           e->mode <= SELECT_RW;
}

static void
end_of(struct sim_gateway *g)
{
    struct sim *s = g->s;
    const struct view_part *p;
    struct monitor_status st;

    if (g->state != SIM_UP) {
        sim_bad(s, "end: gateway %u does not run", g->n);
        return;
    }
    monitor_status(g->m, &st);
    if (!st.store_ok || st.version != s->version)
        sim_bad(s, "end: gateway %u has version %llu of the list, not %llu%s",
                g->n, (unsigned long long)st.version,
                (unsigned long long)s->version,
                st.store_ok ? "" : ", and no store");
    p = part_of(g, VIEW_POLLED);
    if (p == NULL) {
        sim_bad(s, "end: gateway %u has no view", g->n);
        return;
    }
    for (unsigned i = 0; i < s->conf.elements; i++)
        s->e[i].seen = 0;
    choices(g, p, count);
    for (unsigned i = 0; i < s->conf.elements; i++)
        if ((s->e[i].seen > 0) != may_be_chosen(&s->e[i]))
            sim_bad(s, "end: gateway %u would%s use %s", g->n,
                    s->e[i].seen ? "" : " not", s->e[i].id);
}

void
sim_check_end(struct sim *s)
{
    if (s->out->bad[0])
        return;
    if (s->leaders != 1)
        sim_bad(s, "end: %u leaders", s->leaders);
    for (unsigned i = 0; i < s->conf.ingesters; i++)
        end_of(&s->g[i]);
}
