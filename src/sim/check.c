/* check.c - what must hold, seen by one who knows everything.
 *
 * How long something may take follows from the settings: sim_check_begin() has
 * the sums. While something is wrong none of that can be promised; then only
 * what is too old for anybody must not be used.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdio.h>

#define CRASH   dur_s(33) /* D42 */
#define RELEASE dur_s(1)
#define OLD     dur_s(1800) /* whatever goes on */
#define EACH    dur_s(1)

/* ---- what is allowed ---- */

/* Messages take 2 ms at most when all is well, and no step of a chain needs
 * more than a few: a poll or a write two, a round two for its sets and two for
 * each MONITOR_READS hashes. That is 0.06 ms for each element, a new view of
 * one's own writes may wait for 50 ms and another 0.05 ms for each
 * (monitor_snapshot.c), Admin's list is in the store after 50 ms. */
static struct dur
messages(const struct sim *s)
{
    return dur_ms(250 + s->conf.elements / 2);
}

static int64_t
most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Between two polls that reach an element, at most, when it is not yet found
 * to be sick (core/poll.c). Polls are on a grid of BASE, each moved by SHIFT at
 * most. After the poll that comes at once (a new leader, a new address) the
 * grid begins half an interval to one and a half later. A poll that has failed
 * is not followed by another before the next point of the grid, and its last
 * request was perhaps sent TIMEOUT before that was known. */
static int64_t
gap(const struct poll_conf *c)
{
    return most(c->base.ns / 2 * 3, c->timeout.ns + c->base.ns) + c->shift.ns;
}

/* One poll of an element that does not answer. */
static int64_t
poll_length(const struct poll_conf *c)
{
    return (c->retries + 1) * c->timeout.ns +
           ((1 << c->retries) - 1) * c->retry_delay.ns;
}

/* From a death to the end of the poll that finds the element to be sick. All
 * requests of a silent element time out, and one poll takes longer than the
 * grid's step, so that the next begins at the first point behind its end. */
static int64_t
found_sick(const struct poll_conf *c)
{
    int64_t poll = poll_length(c);
    int64_t step = ((poll + c->shift.ns) / c->base.ns + 1) * c->base.ns;

    return gap(c) + (c->threshold - 1) * step + poll;
}

/*   leader   a store that is another one is sat out for a TTL, the lock of
 *            somebody dead lasts for another, takes whose answers were lost
 *            are not repeated within a third, and who follows asks once in a
 *            renewal interval (core/lease.h)
 *   lists    Admin's list is read by all gateways every INTERVAL, which is
 *            only ever made shorter (REL-059)
 *   full     the next poll, which is written to the store, and the next
 *            reading of the store by each gateway. A round reads each hash at
 *            another time; the next begins REFRESH after its end
 *            (monitor_read.c: or 2 ms for each element)
 *   sick     three polls that fail, and the same
 *   back     who was sick is polled every MAX, and the poll under way may still
 *            fail
 *   removed  every gateway's list, but one that began meanwhile takes from the
 *            store what its list lacks (CAP-058), until the leader, who may be
 *            the last to read, has cleaned up and the store is read again
 *   admin    what Admin has answered is used for ADMIN_TTL */
void
sim_check_begin(struct sim *s)
{
    struct monitor_conf c = sim_gateway_settings(s);
    int64_t little = messages(s).ns;
    int64_t read = most(c.refresh.ns, s->conf.elements * dur_ms(2).ns);

    s->allowed = (struct sim_allowed){
        .leader = {3 * c.lease.ttl.ns + c.lease.renewal.ns},
        .lists = {c.reload.interval.ns + little},
        .full = {gap(&c.poll) + read + little},
        .sick = {found_sick(&c.poll) + read + little},
        .back = {c.poll.max.ns + c.poll.shift.ns + poll_length(&c.poll) + read +
                 little},
        .removed = {c.reload.interval.ns + read + little},
        .admin = {c.admin_ttl.ns + little},
    };
}

struct mono
sim_later(struct mono a, struct mono b)
{
    return mono_before(a, b) ? b : a;
}

static void
longest(struct dur *yet, struct dur d)
{
    if (d.ns > yet->ns)
        *yet = d;
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
    struct dur d = mono_sub(s->now, sim_later(s->leaderless, s->calm));

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
        mono_reached(s->now, mono_add(s->calm, s->allowed.leader))) {
        s->left = s->now;
        s->left_killed = kill;
    }
}

void
sim_check_calm(struct sim *s)
{
    if (s->leaders || s->calm.ns == MONO_NEVER.ns)
        return;
    if (mono_reached(s->now, mono_add(sim_later(s->leaderless, s->calm),
                                      s->allowed.leader)))
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
    from = sim_later(from, mono_add(s->calm, s->allowed.leader));
    d = mono_sub(s->now, from);
    longest(seen, d);
    if (d.ns > allowed.ns)
        sim_bad(s,
                "choice: gateway %u would use %s, %s, %lld ms after it could "
                "have known",
                g->n, e->id, what, (long long)(d.ns / 1000000));
}

/* Nobody can ask an element whose address is not known. */
static struct mono
since(const struct sim_element *e, struct mono at)
{
    return at.ns == MONO_NEVER.ns ? at : sim_later(at, e->known_from);
}

static void
judge_polled(struct sim_gateway *g, const struct sim_element *e)
{
    const struct sim_allowed *may = &g->s->allowed;
    struct sim_report *out = g->s->out;

    judge(g, "full", e, since(e, e->full), may->full, &out->full_seen);
    judge(g, "sick", e, since(e, e->sick), may->sick, &out->sick_seen);
    judge(g, "removed", e, e->removed, may->removed, &out->removed_seen);
}

static void
judge_admin(struct sim_gateway *g, const struct sim_element *e)
{
    struct sim *s = g->s;

    if (mono_before(s->now, mono_add(g->thawed, s->allowed.admin)) ||
        e->removed.ns == MONO_NEVER.ns)
        return;
    if (mono_reached(s->now, mono_add(e->removed, s->allowed.admin)))
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
    sim_room_end(s);
}
