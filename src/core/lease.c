/* lease.c - see lease.h for the idea and the picture.
 *
 * A step is: what the passing of time did, what the event did, and what is to
 * be asked now. States are left in enter() only.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/lease.h"

/* Takes in a row that were perhaps carried out before we let the lock end. */
#define UNANSWERED_MAX 3

/* --- configuration -------------------------------------------------------- */

struct lease_conf
lease_conf_of(struct dur ttl, struct dur renewal)
{
    return (struct lease_conf){
        .ttl = ttl,
        .renewal = renewal,
        .deadline = {ttl.ns / 3 * 2},
        .stop = {ttl.ns / 15 * 11},
        /* Four tries between renewal and deadline, of 10 s each. */
        .patience = {renewal.ns / 4},
        .retry = {renewal.ns / 10},
        .jitter = {ttl.ns / 30},
    };
}

const char *
lease_conf_check(const struct lease_conf *c)
{
    if (c->ttl.ns < dur_ms(100).ns || c->ttl.ns > dur_s(3600).ns)
        return "the leader's TTL must be between 100 ms and an hour";
    if (c->renewal.ns <= 0 || c->patience.ns <= 0 || c->retry.ns <= 0)
        return "the renewal interval must be longer than nothing";
    if (c->renewal.ns >= c->ttl.ns)
        return "the renewal interval must be shorter than the leader's TTL";
    if (c->stop.ns >= c->ttl.ns)
        return "the leader must stop before its TTL has passed";
    if (c->deadline.ns >= c->stop.ns)
        return "the renewal deadline must come before the leader stops";
    if (c->renewal.ns > c->deadline.ns - c->patience.ns)
        return "the renewal interval must leave time for a renewal before the "
               "deadline: at most half of the leader's TTL";
    if (c->jitter.ns < 4 || c->jitter.ns > c->ttl.ns)
        return "the jitter must be shorter than the leader's TTL";
    return NULL;
}

/* --- helpers -------------------------------------------------------------- */

static struct dur
random_dur(struct lease *l, int64_t least, int64_t most)
{
    return (struct dur){
        least + (int64_t)prng_below(&l->random, (uint64_t)(most - least) + 1)};
}

/* Never nothing, so that a store that says "busy, 0 ms left" is not asked as
 * fast as it answers. */
static struct dur
jitter(struct lease *l)
{
    return random_dur(l, l->conf.jitter.ns / 4, l->conf.jitter.ns);
}

static struct mono
later(struct mono a, struct mono b)
{
    return mono_before(a, b) ? b : a;
}

static struct mono
earlier(struct mono a, struct mono b)
{
    return mono_before(a, b) ? a : b;
}

static bool
leads(const struct lease *l)
{
    return l->state == LEASE_LEADER || l->state == LEASE_ENDING;
}

/* What is true between any two steps. */
static void
check(const struct lease *l)
{
    bool takes = l->asked == LEASE_TAKE;

    assert(!leads(l) || (l->epoch > 0 && l->floor > l->epoch));
    assert(!leads(l) || !mono_before(l->last, l->from));
    assert(!takes || l->state == LEASE_FOLLOWER || l->state == LEASE_FREEING);
    assert(l->asked != LEASE_RENEW || l->state == LEASE_LEADER);
    assert(l->asked != LEASE_FREE || l->state == LEASE_FREEING);
    assert(l->state != LEASE_FREEING || l->epoch || takes);
    assert(l->state != LEASE_STOPPED || (!l->asked && !l->epoch));
}

static void
changed(const struct lease *l, struct lease_out *out, enum lease_change change,
        enum lease_why why)
{
    assert(out->change == LEASE_UNCHANGED);
    out->change = change;
    out->changed_epoch = l->epoch;
    out->why = why;
}

/* The request under way is over; an answer to it that is still to come will
 * not be believed, because its number is not the one of the next. */
static void
ended(struct lease *l, struct mono now, enum lease_label label,
      struct lease_out *out)
{
    assert(l->asked != LEASE_NONE);
    l->asked = LEASE_NONE;
    out->label = label;
    out->took = mono_sub(now, l->sent);
}

/* --- changes of state ----------------------------------------------------- */

static void
enter(struct lease *l, enum lease_state state, struct mono at)
{
    l->state = state;
    l->at = at;
    l->hinted = false;
    if (state == LEASE_FOLLOWER || state == LEASE_STOPPED)
        l->epoch = 0;
}

static void
lost(struct lease *l, enum lease_why why, struct mono again,
     struct lease_out *out)
{
    changed(l, out, LEASE_LOST, why);
    enter(l, LEASE_FOLLOWER, again);
}

static void
stopped(struct lease *l, bool freed, struct lease_out *out)
{
    if (l->led)
        changed(l, out, freed ? LEASE_RELEASED : LEASE_LOST,
                freed ? LEASE_NO_REASON : LEASE_UNFREED);
    enter(l, LEASE_STOPPED, MONO_NEVER);
}

/* When to ask again after a take that nobody answered. */
static struct mono
take_again(struct lease *l, struct mono now, bool perhaps)
{
    struct dur wait = l->conf.retry;

    l->perhaps |= perhaps;
    l->unanswered++;
    for (unsigned i = 1; i < l->unanswered && wait.ns < l->conf.renewal.ns; i++)
        wait.ns *= 2;
    if (wait.ns > l->conf.renewal.ns)
        wait = l->conf.renewal;
    /* Twice the jitter, so that whoever waits for its end comes first. */
    if (l->perhaps && l->unanswered >= UNANSWERED_MAX)
        wait.ns = l->conf.ttl.ns + 2 * l->conf.jitter.ns;
    return mono_add(mono_add(now, wait), jitter(l));
}

/* The request under way has failed in one way or the other. */
static void
failed(struct lease *l, struct mono now, bool perhaps, bool at_once,
       struct lease_out *out)
{
    enum lease_action was = l->asked;

    ended(l, now, LEASE_L_ERROR, out);
    if (l->state == LEASE_FREEING)
        stopped(l, false, out);
    else if (was == LEASE_TAKE)
        l->at = take_again(l, now, perhaps);
    else
        l->at = at_once ? now : mono_add(now, l->conf.retry);
}

/* --- what time does ------------------------------------------------------- */

static void
pass(struct lease *l, struct mono now, struct lease_out *out)
{
    if (l->asked && mono_reached(now, mono_add(l->sent, l->conf.patience)))
        failed(l, now, true, true, out); /* has waited long enough */
    if (l->state == LEASE_LEADER &&
        mono_reached(now, mono_add(l->from, l->conf.deadline))) {
        if (l->asked)
            ended(l, now, LEASE_L_ERROR, out);
        enter(l, LEASE_ENDING, MONO_NEVER);
    }
    /* The lock may still be ours: a take of one's own lock succeeds. */
    if (l->state == LEASE_ENDING &&
        mono_reached(now, mono_add(l->from, l->conf.stop)))
        lost(l, LEASE_EXPIRED, now, out);
}

/* --- what events do ------------------------------------------------------- */

static void
granted(struct lease *l, uint64_t epoch, struct lease_out *out)
{
    l->epoch = epoch;
    l->floor = epoch + 1;
    l->from = l->sent;
    l->unanswered = 0;
    l->perhaps = false;
    enter(l, LEASE_LEADER, mono_add(l->sent, l->conf.renewal));
    changed(l, out, LEASE_ACQUIRED, LEASE_NO_REASON);
}

static void
busy(struct lease *l, const struct lease_event *ev)
{
    struct dur left = ev->left.ns > 0 ? ev->left : dur_ms(0);

    if (left.ns > l->conf.renewal.ns)
        left = l->conf.renewal;
    if (ev->epoch < UINT64_MAX)
        lease_floor(l, ev->epoch + 1);
    l->unanswered = 0;
    l->perhaps = false;
    /* A release that was announced after the store had looked. */
    if (l->hinted)
        left = dur_ms(0);
    l->hinted = false;
    l->at = mono_add(mono_add(ev->now, left), jitter(l));
}

static void
took(struct lease *l, const struct lease_event *ev, struct lease_out *out)
{
    /* An epoch below the floor is one that may have been used: the store is
     * not what it should be. */
    bool good =
        ev->epoch >= l->floor && ev->epoch > 0 && ev->epoch < UINT64_MAX;

    if (ev->result == LEASE_BUSY) {
        ended(l, ev->now, LEASE_L_NOT_ACQUIRED, out);
        if (l->state == LEASE_FREEING)
            stopped(l, false, out);
        else
            busy(l, ev);
    } else if (ev->result != LEASE_OK || !good) {
        failed(l, ev->now, ev->result != LEASE_FAILED, false, out);
    } else {
        ended(l, ev->now, LEASE_L_ACQUIRED, out);
        if (l->state == LEASE_FREEING)
            l->epoch = ev->epoch; /* asked to stop meanwhile: give it back */
        else
            granted(l, ev->epoch, out);
    }
}

static void
renewed(struct lease *l, const struct lease_event *ev, struct lease_out *out)
{
    if (ev->result == LEASE_OK) {
        ended(l, ev->now, LEASE_L_RENEWED, out);
        l->from = l->sent;
        l->at = mono_add(l->sent, l->conf.renewal);
        changed(l, out, LEASE_RENEWED, LEASE_NO_REASON);
    } else if (ev->result == LEASE_CONFLICT || ev->result == LEASE_BUSY) {
        ended(l, ev->now, LEASE_L_NOT_ACQUIRED, out);
        lost(l, LEASE_TAKEN, mono_add(ev->now, jitter(l)), out);
    } else {
        failed(l, ev->now, true, false, out);
    }
}

static void
answered(struct lease *l, const struct lease_event *ev, struct lease_out *out)
{
    if (!l->asked || ev->ask != l->ask) {
        out->stale = true;
    } else if (l->asked == LEASE_TAKE) {
        took(l, ev, out);
    } else if (l->asked == LEASE_RENEW) {
        renewed(l, ev, out);
    } else if (ev->result == LEASE_OK) {
        ended(l, ev->now, LEASE_L_RELEASED, out);
        stopped(l, true, out);
    } else {
        failed(l, ev->now, true, false, out);
    }
}

static void
store_is(struct lease *l, const struct lease_event *ev, struct lease_out *out)
{
    bool another = l->know_store && l->store != ev->store;
    bool first = !l->know_store;

    l->know_store = true;
    l->store = ev->store;
    if (l->state == LEASE_STOPPED || !(another || (first && ev->doubt)))
        return;
    l->barred = mono_add(mono_add(ev->now, l->conf.ttl), jitter(l));
    if (!another)
        return;
    if (l->asked)
        ended(l, ev->now, LEASE_L_ERROR, out);
    if (leads(l))
        lost(l, LEASE_REPLACED, ev->now, out);
    else if (l->state == LEASE_FREEING)
        stopped(l, false, out);
}

static void
hinted(struct lease *l, struct mono now)
{
    if (l->state != LEASE_FOLLOWER)
        return;
    if (l->asked)
        l->hinted = true;
    else
        l->at = earlier(l->at,
                        mono_add(now, random_dur(l, 0, l->conf.jitter.ns / 5)));
}

static void
stop(struct lease *l, struct mono now, struct lease_out *out)
{
    if (l->state == LEASE_FREEING || l->state == LEASE_STOPPED)
        return;
    l->led = leads(l);
    if (l->asked == LEASE_RENEW)
        ended(l, now, LEASE_L_ERROR, out);
    /* A take may still succeed: then there is something to give back. */
    if (l->led || l->asked)
        enter(l, LEASE_FREEING, now);
    else
        enter(l, LEASE_STOPPED, MONO_NEVER);
}

static void
happen(struct lease *l, const struct lease_event *ev, struct lease_out *out)
{
    switch (ev->type) {
    case LEASE_EV_TIME:
        break;
    case LEASE_EV_ANSWER:
        answered(l, ev, out);
        break;
    case LEASE_EV_REFUSED:
        if (leads(l) && ev->epoch == l->epoch) {
            if (l->asked)
                ended(l, ev->now, LEASE_L_ERROR, out);
            lost(l, LEASE_FENCED, mono_add(ev->now, jitter(l)), out);
        }
        break;
    case LEASE_EV_HINT:
        hinted(l, ev->now);
        break;
    case LEASE_EV_STORE:
        store_is(l, ev, out);
        break;
    case LEASE_EV_STOP:
        stop(l, ev->now, out);
        break;
    }
}

/* --- what is to be asked -------------------------------------------------- */

/* When the next request is due, if none is under way. */
static struct mono
due(const struct lease *l)
{
    return l->state == LEASE_FOLLOWER ? later(l->at, l->barred) : l->at;
}

static void
ask(struct lease *l, struct mono now, struct lease_out *out)
{
    static const enum lease_action of[] = {
        [LEASE_FOLLOWER] = LEASE_TAKE, [LEASE_LEADER] = LEASE_RENEW,
        [LEASE_ENDING] = LEASE_NONE,   [LEASE_FREEING] = LEASE_FREE,
        [LEASE_STOPPED] = LEASE_NONE,
    };

    if (l->asked || of[l->state] == LEASE_NONE || !mono_reached(now, due(l)))
        return;
    l->asked = of[l->state];
    l->sent = now; /* before it is sent: the lease counts from here */
    out->action = l->asked;
    out->ask = ++l->ask;
    out->epoch = l->epoch;
    out->floor = l->floor;
}

/* --- public --------------------------------------------------------------- */

void
lease_init(struct lease *l, const struct lease_conf *c, uint64_t seed,
           uint64_t floor, struct mono now)
{
    assert(lease_conf_check(c) == NULL);
    *l = (struct lease){.conf = *c,
                        .floor = u64_max(floor, 1),
                        .at = now,
                        .barred = now,
                        .last = now};
    prng_init(&l->random, seed);
}

void
lease_floor(struct lease *l, uint64_t floor)
{
    l->floor = u64_max(l->floor, floor);
}

void
lease_step(struct lease *l, const struct lease_event *ev, struct lease_out *out)
{
    assert(!mono_before(ev->now, l->last));
    check(l);
    l->last = ev->now;
    *out = (struct lease_out){0};
    pass(l, ev->now, out);
    happen(l, ev, out);
    ask(l, ev->now, out);
    check(l);
}

struct mono
lease_deadline(const struct lease *l)
{
    struct mono t = l->asked ? mono_add(l->sent, l->conf.patience) : due(l);

    if (l->state == LEASE_LEADER)
        t = earlier(t, mono_add(l->from, l->conf.deadline));
    else if (l->state == LEASE_ENDING)
        t = mono_add(l->from, l->conf.stop);
    return t;
}

bool
lease_may_write(const struct lease *l, struct mono now, uint64_t *epoch)
{
    if (!leads(l) || mono_reached(now, mono_add(l->from, l->conf.stop)))
        return false;
    if (epoch)
        *epoch = l->epoch;
    return true;
}

bool
lease_may_begin(const struct lease *l, struct mono now)
{
    return l->state == LEASE_LEADER &&
           !mono_reached(now, mono_add(l->from, l->conf.deadline));
}

const char *
lease_role(const struct lease *l)
{
    return leads(l) ? "leader" : "follower";
}

#define X(code, text) [code] = text,

const char *
lease_change_name(enum lease_change c)
{
    static const char *const of[] = {LEASE_CHANGES(X)};

    return of[c];
}

const char *
lease_why_text(enum lease_why w)
{
    static const char *const of[] = {LEASE_WHYS(X)};

    return of[w];
}

const char *
lease_label_name(enum lease_label b)
{
    static const char *const of[] = {LEASE_LABELS(X)};

    return of[b];
}

#undef X
