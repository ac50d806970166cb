/* lease_world.c - see lease_world.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/lease_world.h"
#include <stdio.h>
#include <string.h>

#define MS        ((int64_t)1000000)
#define WALL_BASE ((int64_t)1700000000000)

static bool
chance(struct world *w, unsigned percent)
{
    return percent && prng_below(&w->random, 100) < percent;
}

static int64_t
between(struct world *w, int64_t least, int64_t most)
{
    return least +
           (int64_t)prng_below(&w->random, (uint64_t)(most - least) + 1);
}

static void
wrong(struct world *w, const char *what, uint64_t epoch, unsigned owner)
{
    if (!w->bad[0])
        snprintf(w->bad, sizeof(w->bad), "[%lld ms] %s: epoch %llu, owner %u",
                 (long long)(w->now / MS), what, (unsigned long long)epoch,
                 owner);
}

/* --- clocks --------------------------------------------------------------- */

static struct mono
local(const struct world *w, const struct world_inst *in)
{
    int64_t d = in->frozen ? 0 : w->now - in->t0;

    return (struct mono){in->local0 + d + d / 1000000 * in->ppm};
}

static void
set_clock(struct world *w, struct world_inst *in, int64_t jump, bool frozen)
{
    in->local0 = local(w, in).ns + jump;
    in->t0 = w->now;
    in->frozen = frozen;
}

/* When the clock of IN shows T, a little late. */
static int64_t
when(const struct world_inst *in, struct mono t)
{
    int64_t d = t.ns - in->local0;

    if (t.ns == MONO_NEVER.ns)
        return INT64_MAX;
    return in->t0 + d * 1000000 / (1000000 + in->ppm) + MS;
}

static int64_t
store_ms(const struct world *w)
{
    return WALL_BASE + w->now / MS + w->skew_ms;
}

/* --- messages ------------------------------------------------------------- */

static void
send(struct world *w, struct world_msg m)
{
    bool slow =
        chance(w, w->slow_percent) || w->inst[m.inst].slow_until > w->now;

    assert(w->msgs < WORLD_MSGS);
    /* Slow is half of the time what is still in time for an answer. */
    m.at = w->now +
           (slow ? between(w, 20 * MS, chance(w, 50) ? 2400 * MS : 20000 * MS)
                 : between(w, 1 * MS, 20 * MS));
    w->msg[w->msgs++] = m;
}

static void
answer(struct world *w, const struct world_msg *to, enum lease_result result)
{
    struct world_msg m = {.kind = WORLD_ANSWER,
                          .inst = to->inst,
                          .owner = to->owner,
                          .ev = to->ev};

    m.ev.type = LEASE_EV_ANSWER;
    m.ev.result = result;
    if (chance(w, w->inst[to->inst].lose_from)) {
        if (chance(w, 50))
            return;
        m.ev.result = LEASE_UNKNOWN; /* the connection broke instead */
    }
    send(w, m);
}

/* --- the driver of an instance -------------------------------------------- */

static void
announce(struct world *w, unsigned from)
{
    for (unsigned i = 0; i < w->n; i++)
        if (i != from && w->inst[i].owner && !chance(w, w->inst[i].lose_from))
            send(w, (struct world_msg){.kind = WORLD_HINT,
                                       .inst = i,
                                       .owner = w->inst[i].owner,
                                       .ev.type = LEASE_EV_HINT});
}

static void
acquired(struct world *w, uint64_t epoch, unsigned owner)
{
    for (unsigned i = 0; i < w->acquired_n; i++)
        if (w->acquired[i] == epoch)
            wrong(w, "an epoch was acquired twice", epoch, owner);
    assert(w->acquired_n < WORLD_ACQUIRED);
    w->acquired[w->acquired_n++] = epoch;
    w->admin = u64_max(w->admin, epoch);
}

static void
request(struct world *w, unsigned i, const struct lease_out *out)
{
    struct world_inst *in = &w->inst[i];
    struct world_msg m = {.kind = WORLD_TO_STORE,
                          .inst = i,
                          .owner = in->owner,
                          .conn = in->conn,
                          .action = out->action,
                          .ev.ask = out->ask,
                          .epoch = out->epoch,
                          .floor = out->floor};

    in->takes += out->action == LEASE_TAKE;
    if (w->run && in->conn == w->run) {
        if (!chance(w, in->lose_to))
            send(w, m);
        else if (chance(w, 50))
            answer(w, &m, LEASE_UNKNOWN);
        return;
    }
    /* Not connected: what the store is comes before the request's failure. */
    if (w->run && !chance(w, in->lose_to) && !chance(w, in->lose_from)) {
        m.kind = WORLD_STORE;
        m.conn = w->run;
        m.ev.store = w->run;
        m.ev.type = LEASE_EV_STORE;
        send(w, m);
        return;
    }
    m.at = w->now + MS;
    m.kind = WORLD_ANSWER;
    m.ev.type = LEASE_EV_ANSWER;
    m.ev.result = LEASE_FAILED;
    assert(w->msgs < WORLD_MSGS);
    w->msg[w->msgs++] = m;
}

static void
step(struct world *w, unsigned i, struct lease_event ev)
{
    struct world_inst *in = &w->inst[i];
    struct lease_out out;

    ev.now = local(w, in);
    lease_step(&in->lease, &ev, &out);
    in->changes[out.change]++;
    w->stale_answers += out.stale;
    if (out.change == LEASE_ACQUIRED) {
        in->acquired_at = w->now;
        in->write_at = w->now;
        acquired(w, out.changed_epoch, in->owner);
    } else if (out.change == LEASE_LOST) {
        in->lost_at = w->now;
        in->why = out.why;
    }
    if (out.label == LEASE_L_RELEASED)
        announce(w, i);
    if (out.action != LEASE_NONE)
        request(w, i, &out);
    if (in->lease.state == LEASE_STOPPED)
        in->owner = 0;
}

static void
write_turn(struct world *w, unsigned i)
{
    struct world_inst *in = &w->inst[i];
    uint64_t epoch;

    in->write_at = w->now + 1000 * MS;
    if (lease_may_write(&in->lease, local(w, in), &epoch) &&
        w->run == in->conn && !chance(w, in->lose_to))
        send(w, (struct world_msg){.kind = WORLD_WRITE,
                                   .inst = i,
                                   .owner = in->owner,
                                   .conn = in->conn,
                                   .epoch = epoch});
}

/* --- the store ------------------------------------------------------------ */

static bool
mine(const struct world *w, const struct world_msg *m)
{
    return w->store.owner == m->owner && w->store.epoch == m->epoch &&
           w->store.until_ms > store_ms(w);
}

static void
carry_out(struct world *w, struct world_msg *m)
{
    struct world_store *s = &w->store;
    int64_t now = store_ms(w), ttl = w->conf.ttl.ns / MS;
    bool held = s->owner && s->until_ms > now;

    if (m->action == LEASE_TAKE && held && s->owner != m->owner) {
        m->ev.left = dur_ms(s->until_ms - now);
        m->ev.epoch = s->epoch;
        answer(w, m, LEASE_BUSY);
        return;
    }
    if (m->action != LEASE_TAKE && !mine(w, m)) {
        answer(w, m, LEASE_CONFLICT);
        return;
    }
    w->behind = *s;
    if (m->action == LEASE_TAKE) {
        s->epoch = u64_max(u64_max(s->epoch + 1, (uint64_t)now), m->floor);
        s->owner = m->owner;
        m->ev.epoch = s->epoch;
    }
    s->until_ms = m->action == LEASE_FREE ? now : now + ttl;
    answer(w, m, LEASE_OK);
}

static void
fenced_write(struct world *w, const struct world_msg *m)
{
    if (w->fence && !mine(w, m)) {
        w->refused++;
        send(w, (struct world_msg){
                    .kind = WORLD_REFUSED,
                    .inst = m->inst,
                    .owner = m->owner,
                    .ev = {.type = LEASE_EV_REFUSED, .epoch = m->epoch}});
        return;
    }
    w->accepted++;
    if (m->epoch < w->write_epoch)
        wrong(w, "a stale write was accepted", m->epoch, m->owner);
    else if (m->epoch == w->write_epoch && m->owner != w->write_owner)
        wrong(w, "two owners wrote under one epoch", m->epoch, m->owner);
    w->write_epoch = m->epoch;
    w->write_owner = m->owner;
}

/* --- what happens next ---------------------------------------------------- */

static void
deliver(struct world *w, struct world_msg *m)
{
    struct world_inst *in = &w->inst[m->inst];

    if (m->kind == WORLD_TO_STORE || m->kind == WORLD_WRITE) {
        if (m->conn != w->run) { /* its connection went with the store */
            if (m->kind == WORLD_TO_STORE && chance(w, 50))
                answer(w, m, LEASE_UNKNOWN);
        } else if (m->kind == WORLD_WRITE) {
            fenced_write(w, m);
        } else {
            carry_out(w, m);
        }
        return;
    }
    if (in->owner != m->owner)
        return; /* it is not that process any more */
    step(w, m->inst, m->ev);
    if (m->kind == WORLD_STORE && in->owner == m->owner) {
        in->conn = m->conn;
        step(w, m->inst,
             (struct lease_event){.type = LEASE_EV_ANSWER,
                                  .ask = m->ev.ask,
                                  .result = LEASE_FAILED});
    }
}

static bool
to_inst(const struct world_msg *m)
{
    return m->kind != WORLD_TO_STORE && m->kind != WORLD_WRITE;
}

static int64_t
msg_at(const struct world *w, const struct world_msg *m)
{
    int64_t until = to_inst(m) ? w->inst[m->inst].paused_until : 0;

    return until > m->at ? until : m->at;
}

static int64_t
inst_at(const struct world *w, const struct world_inst *in, bool *writes)
{
    int64_t at = when(in, lease_deadline(&in->lease));

    *writes = false;
    if (in->frozen)
        return in->paused_until > w->now ? in->paused_until : w->now;
    *writes =
        lease_may_write(&in->lease, local(w, in), NULL) && in->write_at < at;
    if (*writes)
        at = in->write_at;
    if (in->paused_until > w->now && at < in->paused_until)
        at = in->paused_until;
    return at > w->now ? at : w->now;
}

/* The next of all that is to happen, not after END. False: nothing. */
static bool
next(struct world *w, int64_t end)
{
    int64_t best = INT64_MAX;
    unsigned msg = WORLD_MSGS, inst = WORLD_MAX;
    bool writes = false, w1;

    for (unsigned i = 0; i < w->msgs; i++)
        if (msg_at(w, &w->msg[i]) < best) {
            best = msg_at(w, &w->msg[i]);
            msg = i;
        }
    for (unsigned i = 0; i < w->n; i++) {
        int64_t at;

        if (!w->inst[i].owner)
            continue;
        at = inst_at(w, &w->inst[i], &w1);
        /* After a pause, time or what waits in the socket: either first. */
        if (at < best || (at == best && chance(w, 50))) {
            best = at;
            inst = i;
            writes = w1;
        }
    }
    if (best > end)
        return false;
    w->now = best > w->now ? best : w->now;
    if (inst < WORLD_MAX && w->inst[inst].frozen) {
        set_clock(w, &w->inst[inst], 0, false); /* it wakes up */
    } else if (inst < WORLD_MAX) {
        if (writes)
            write_turn(w, inst);
        else
            step(w, inst, (struct lease_event){.type = LEASE_EV_TIME});
    } else {
        struct world_msg m = w->msg[msg];

        w->msg[msg] = w->msg[--w->msgs];
        deliver(w, &m);
    }
    return true;
}

/* --- public --------------------------------------------------------------- */

void
world_init(struct world *w, unsigned n, uint64_t seed)
{
    assert(n <= WORLD_MAX);
    memset(w, 0, sizeof(*w));
    prng_init(&w->random, seed);
    w->conf = lease_conf_of(dur_s(30), dur_s(10));
    w->n = n;
    w->fence = true;
    w->run = w->last_run = 1;
}

void
world_run(struct world *w, struct dur d)
{
    int64_t end = w->now + d.ns;

    while (!w->bad[0] && next(w, end))
        if (w->exclusive && world_leader(w) == -2)
            wrong(w, "two believe to lead", 0, 0);
    w->now = end;
}

void
world_start(struct world *w, unsigned i)
{
    struct world_inst *in = &w->inst[i];
    unsigned owner = ++w->owners;
    int64_t ppm = in->ppm;

    assert(!in->owner);
    *in = (struct world_inst){.owner = owner, .ppm = ppm, .t0 = w->now};
    in->local0 = between(w, 0, 1000000 * MS);
    lease_init(&in->lease, &w->conf, prng_next(&w->random),
               w->admin ? w->admin + 1 : 0, local(w, in));
}

void
world_kill(struct world *w, unsigned i)
{
    w->inst[i].owner = 0;
}

void
world_stop(struct world *w, unsigned i)
{
    if (w->inst[i].owner)
        step(w, i, (struct lease_event){.type = LEASE_EV_STOP});
}

void
world_pause(struct world *w, unsigned i, struct dur d)
{
    w->inst[i].paused_until = w->now + d.ns;
}

void
world_freeze(struct world *w, unsigned i, struct dur d)
{
    set_clock(w, &w->inst[i], 0, true);
    world_pause(w, i, d);
}

void
world_jump(struct world *w, unsigned i, struct dur d)
{
    set_clock(w, &w->inst[i], d.ns, w->inst[i].frozen);
}

void
world_rate(struct world *w, unsigned i, int64_t ppm)
{
    set_clock(w, &w->inst[i], 0, w->inst[i].frozen);
    w->inst[i].ppm = ppm;
}

void
world_lose(struct world *w, unsigned i, unsigned to, unsigned from)
{
    w->inst[i].lose_to = to;
    w->inst[i].lose_from = from;
}

void
world_down(struct world *w)
{
    w->run = 0;
}

void
world_up(struct world *w, enum world_memory memory)
{
    w->run = ++w->last_run;
    if (memory == WORLD_NOT_LAST)
        w->store = w->behind;
    else if (memory == WORLD_NOTHING)
        w->store = (struct world_store){0};
    w->behind = w->store;
}

void
world_steal(struct world *w)
{
    w->behind = w->store;
    w->store.owner = 0;
}

int
world_leader(const struct world *w)
{
    int found = -1;

    for (unsigned i = 0; i < w->n; i++)
        if (w->inst[i].owner &&
            lease_may_write(&w->inst[i].lease, local(w, &w->inst[i]), NULL))
            found = found == -1 ? (int)i : -2;
    return found;
}

int64_t
world_until_leader(struct world *w, struct dur d)
{
    int64_t start = w->now;

    while (world_leader(w) < 0 && w->now < start + d.ns && !w->bad[0])
        world_run(w, dur_ms(10));
    return world_leader(w) < 0 ? -1 : (w->now - start) / MS;
}
