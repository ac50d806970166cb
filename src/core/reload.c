/* reload.c - see reload.h. Lists and their differences are in reload_diff.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/reload.h"
#include "base/map.h"
#include <string.h>

static void
check(const struct reload *r)
{
    assert(!r->stopped || (!r->message && r->fetching == RELOAD_NOWHERE));
    assert((r->message == NULL) == (r->message_at.ns == INT64_MAX));
    assert(r->counts.endpoints == (r->current ? r->current->n : 0));
}

void
reload_init(struct reload *r, const struct reload_conf *conf, uint64_t seed)
{
    *r = (struct reload){.conf = *conf,
                         .fetch_end = MONO_NEVER,
                         .clock_at = MONO_NEVER,
                         .lazy_at = {INT64_MIN},
                         .message_at = MONO_NEVER,
                         .message_next = {INT64_MIN}};
    prng_init(&r->prng, seed);
    for (size_t i = 0; i < RELOAD_HEALTH_MAX; i++)
        r->health[i].until.ns = INT64_MIN;
}

static void
drop(struct reload_out *out, const struct reload_list *l)
{
    if (!l)
        return;
    assert(out->n_drop < countof(out->drop));
    out->drop[out->n_drop++] = l;
}

/* ---- when ---- */

/* One to two tenths shorter than the interval, so that "within 60 s" holds
 * (REL-059): an element that was added is also to be polled by the gateway that
 * leads, which may be the last to read the list, and its numbers to be read by
 * the others. Different for each, so that they do not ask all at once. */
static struct dur
interval(struct reload *r)
{
    int64_t tenth = r->conf.interval.ns / 10;

    if (tenth <= 0)
        return r->conf.interval;
    return (struct dur){r->conf.interval.ns - tenth -
                        (int64_t)prng_below(&r->prng, (uint64_t)tenth)};
}

/* 2, 4, 8 ... s after so many failures, at most TOP. */
static struct dur
backoff(const struct reload *r, struct dur top)
{
    struct dur d = r->conf.backoff;

    for (unsigned i = 1; i < r->failures && d.ns < top.ns; i++)
        d.ns *= 2;
    return d.ns < top.ns ? d : top;
}

void
reload_configure(struct reload *r, const struct reload_conf *conf,
                 struct mono now)
{
    r->conf = *conf;
    if (r->current)
        r->clock_at = conf->periodic ? mono_add(now, interval(r)) : MONO_NEVER;
}

static bool
lazy_waits(const struct reload *r)
{
    for (size_t i = 0; i < RELOAD_REASONS; i++)
        if (r->lazy_next[i])
            return true;
    return false;
}

static struct mono
earlier(struct mono a, struct mono b)
{
    return mono_before(a, b) ? a : b;
}

struct mono
reload_deadline(const struct reload *r)
{
    struct mono t = r->message_at;

    if (r->stopped || !r->started)
        return MONO_NEVER;
    if (r->fetching != RELOAD_NOWHERE)
        return earlier(t, r->fetch_end);
    if (r->manual_next || r->subscribed_next)
        return r->began; /* which has passed: at once */
    t = earlier(t, r->clock_at);
    return lazy_waits(r) ? earlier(t, r->lazy_at) : t;
}

/* ---- a reading, from its beginning to its end ---- */

static void
ask(struct reload *r, enum reload_source source, struct mono now,
    struct reload_out *out)
{
    r->fetching = source;
    r->ticket++;
    r->fetch_end = mono_add(now, r->conf.fetch_timeout);
    out->fetch = source;
    out->ticket = r->ticket;
}

static void
end(struct reload *r, enum reload_source source, enum reload_status status,
    struct mono now, struct reload_out *out)
{
    bool lazy = r->cause == RELOAD_BY_LAZY || r->cause == RELOAD_BY_MANUAL;

    /* A lazy reading counts once for each that asked, and only there; a
     * reading by the clock that others joined counts in both (REL-077). */
    if (!lazy)
        r->counts.reload[source][status != RELOAD_SUCCESS]++;
    for (size_t i = 0; i < RELOAD_REASONS; i++) {
        r->counts.lazy[i][status] += r->lazy_now[i];
        r->lazy_now[i] = 0;
    }
    out->ended = true;
    out->cause = r->cause;
    out->source = source;
    out->status = status;
    out->took = mono_sub(now, r->began);
    r->fetching = RELOAD_NOWHERE;
    r->fetch_end = MONO_NEVER;
    r->last_ok = status == RELOAD_SUCCESS;
    r->failures = r->last_ok ? 0 : r->failures + 1;
    if (!r->last_ok)
        r->lazy_at = mono_add(now, backoff(r, dur_s(8)));
    if (!r->current)
        r->clock_at = mono_add(now, backoff(r, r->conf.interval));
    else if (r->cause == RELOAD_BY_CLOCK || r->cause == RELOAD_BY_START)
        r->clock_at = !r->conf.periodic ? MONO_NEVER
                      : r->last_ok
                          ? mono_add(r->began, interval(r))
                          : mono_add(now, backoff(r, r->conf.interval));
}

static void
begin(struct reload *r, enum reload_cause cause, struct mono now,
      struct reload_out *out)
{
    assert(r->fetching == RELOAD_NOWHERE);
    r->cause = cause;
    r->began = now;
    r->installed_then = r->installed;
    r->redis_stated_empty = false;
    r->manual_next = false; /* what begins now serves all who have asked */
    r->subscribed_next = false;
    r->lazy_at = mono_add(now, r->conf.lazy_gap);
    for (size_t i = 0; i < RELOAD_REASONS; i++) {
        r->lazy_now[i] += r->lazy_next[i];
        r->lazy_next[i] = 0;
    }
    if (r->conf.redis)
        ask(r, RELOAD_REDIS, now, out);
    else if (r->conf.admin)
        ask(r, RELOAD_ADMIN, now, out);
    else
        end(r, RELOAD_NOWHERE, RELOAD_FAILED, now, out);
}

/* Whatever is due and needs a reading, when none is under way. */
static void
begin_if_due(struct reload *r, struct mono now, struct reload_out *out)
{
    if (r->fetching != RELOAD_NOWHERE || out->ended)
        return; /* the caller steps again at once: see reload_deadline() */
    if (mono_reached(now, r->clock_at)) {
        r->clock_at = MONO_NEVER; /* set by its end */
        begin(r, r->current ? RELOAD_BY_CLOCK : RELOAD_BY_START, now, out);
    } else if (r->manual_next) {
        begin(r, RELOAD_BY_MANUAL, now, out);
    } else if (r->subscribed_next) {
        begin(r, RELOAD_BY_SUBSCRIPTION, now, out);
    } else if (lazy_waits(r) && mono_reached(now, r->lazy_at)) {
        begin(r, RELOAD_BY_LAZY, now, out);
    }
}

/* ---- judging a list ---- */

static bool
is_older(const struct reload *r, const struct reload_list *l)
{
    if (!l->versioned)
        return false;
    if (l->generation != r->generation)
        return l->generation < r->generation;
    return l->version < r->version;
}

/* L is as new as ours or newer: in it goes when it differs (REL-025). */
static void
take(struct reload *r, const struct reload_list *l, struct reload_out *out)
{
    struct reload_diff d = {r->current, l, 0, 0};
    struct reload_change c;
    bool same = r->current != NULL;

    assert(reload_list_ok(l));
    while (reload_diff_next(&d, &c)) {
        out->change[c.type]++;
        r->counts.change[c.type] += r->current != NULL;
        same = false;
    }
    if (l->versioned) {
        r->generation = l->generation;
        r->version = l->version;
    }
    if (same) {
        drop(out, l);
        return;
    }
    out->replaced = r->current;
    out->install = l;
    r->current = l;
    r->installed++;
    r->counts.endpoints = l->n;
}

static void
next_source(struct reload *r, struct mono now, struct reload_out *out)
{
    if (r->fetching == RELOAD_REDIS && r->conf.admin)
        ask(r, RELOAD_ADMIN, now, out);
    else
        end(r, RELOAD_NOWHERE, RELOAD_FAILED, now, out);
}

/* An empty list is believed only when Redis states it and Admin agrees. */
static bool
empty_is_sure(const struct reload *r, const struct reload_list *l)
{
    return l->n == 0 && r->conf.allow_empty && r->fetching == RELOAD_ADMIN &&
           r->redis_stated_empty;
}

static void
got(struct reload *r, const struct reload_list *l, struct mono now,
    struct reload_out *out)
{
    enum reload_source source = r->fetching;

    if (l->n == 0 && !empty_is_sure(r, l)) {
        /* An older one that is empty says nothing. */
        r->redis_stated_empty = source == RELOAD_REDIS && l->stated &&
                                l->versioned && !is_older(r, l);
        r->counts.thrown_empty++;
        drop(out, l);
        next_source(r, now, out);
    } else if (is_older(r, l)) {
        r->counts.thrown_older++;
        drop(out, l);
        next_source(r, now, out);
    } else if (!l->versioned && r->installed != r->installed_then) {
        /* A message has come in since this was asked for, and this does not
         * say which of the two is newer: ask once more (REL-027). */
        r->counts.thrown_older++;
        drop(out, l);
        r->installed_then = r->installed;
        ask(r, source, now, out);
    } else {
        take(r, l, out);
        end(r, source, RELOAD_SUCCESS, now, out);
    }
}

static void
fetched(struct reload *r, const struct reload_event *ev, struct reload_out *out)
{
    if (r->fetching == RELOAD_NOWHERE || ev->ticket != r->ticket) {
        r->counts.thrown_late++;
        drop(out, ev->list);
        return;
    }
    if (ev->result == RELOAD_GOT) {
        assert(ev->list);
        got(r, ev->list, ev->now, out);
        return;
    }
    drop(out, ev->list);
    if (ev->result == RELOAD_BROKEN)
        end(r, RELOAD_UNKNOWN,
            r->cause == RELOAD_BY_LAZY || r->cause == RELOAD_BY_MANUAL
                ? RELOAD_ERROR
                : RELOAD_FAILED,
            ev->now, out);
    else
        next_source(r, ev->now, out);
}

/* ---- messages ---- */

static void
message_ended(struct reload *r, enum reload_status status,
              struct reload_out *out)
{
    r->counts.reload[RELOAD_PUBSUB][status != RELOAD_SUCCESS]++;
    out->ended = true;
    out->cause = RELOAD_BY_MESSAGE;
    out->source = RELOAD_PUBSUB;
    out->status = status;
    out->took = (struct dur){0};
}

/* Applied at once, unless one was within the window: what comes until that ends
 * is gathered; of several the newest stays, and of equals the last (REL-093,
 * REL-174). */
static void
message(struct reload *r, const struct reload_event *ev, struct reload_out *out)
{
    const struct reload_list *l = ev->list, *old = r->message;

    if (!l) {
        message_ended(r, RELOAD_FAILED, out);
    } else if (l->n == 0) {
        r->counts.thrown_empty++;
        /* Perhaps the last element went: the sources will tell. */
        r->subscribed_next |= r->conf.allow_empty && l->stated;
        drop(out, l);
        message_ended(r, RELOAD_FAILED, out);
    } else if (is_older(r, l) || (old && old->versioned && l->versioned &&
                                  (l->generation < old->generation ||
                                   (l->generation == old->generation &&
                                    l->version < old->version)))) {
        r->counts.thrown_older++;
        drop(out, l);
    } else {
        r->counts.merged += old != NULL;
        drop(out, old);
        r->message = l;
        if (!old)
            r->message_at = mono_before(ev->now, r->message_next)
                                ? r->message_next
                                : ev->now;
    }
}

static void
message_apply(struct reload *r, struct mono now, struct reload_out *out)
{
    const struct reload_list *l = r->message;

    r->message = NULL;
    r->message_at = MONO_NEVER;
    r->message_next = mono_add(now, r->conf.message_window);
    if (is_older(r, l)) { /* overtaken by a reading */
        r->counts.thrown_older++;
        drop(out, l);
        return;
    }
    take(r, l, out);
    message_ended(r, RELOAD_SUCCESS, out);
}

/* ---- triggers ---- */

/* At most once for each element in HEALTH_GAP, and RELOAD_HEALTH_MAX elements
 * in that time: beyond that the clock will do. */
static bool
health_may(struct reload *r, const char *id, struct mono now)
{
    uint64_t hash = map_hash(0, id, strlen(id));
    size_t room = RELOAD_HEALTH_MAX;

    for (size_t i = 0; i < RELOAD_HEALTH_MAX; i++) {
        if (mono_reached(now, r->health[i].until))
            room = i;
        else if (r->health[i].hash == hash)
            return false;
    }
    if (room == RELOAD_HEALTH_MAX)
        return false;
    r->health[room].hash = hash;
    r->health[room].until = mono_add(now, r->conf.health_gap);
    return true;
}

static void
trigger(struct reload *r, const struct reload_event *ev, struct reload_out *out)
{
    bool manual = ev->reason == RELOAD_MANUAL;

    assert(ev->reason < RELOAD_REASONS);
    if (ev->reason == RELOAD_HEALTH &&
        !health_may(r, ev->element_id ? ev->element_id : "", ev->now)) {
        out->served = RELOAD_IGNORED;
        return;
    }
    if (r->fetching != RELOAD_NOWHERE) {
        /* The operator has changed something and wants to see it: what is
         * being read may be older than his change. */
        (manual ? r->lazy_next : r->lazy_now)[ev->reason]++;
        r->manual_next |= manual;
        r->counts.merged++;
        out->served = RELOAD_JOINED;
        return;
    }
    r->lazy_next[ev->reason]++;
    if (manual) {
        begin(r, RELOAD_BY_MANUAL, ev->now, out);
        out->served = RELOAD_STARTED;
    } else if (mono_reached(ev->now, r->lazy_at)) {
        begin(r, RELOAD_BY_LAZY, ev->now, out);
        out->served = RELOAD_STARTED;
    } else {
        r->counts.merged++;
        out->served = r->last_ok ? RELOAD_FRESH : RELOAD_LATER;
    }
}

static void
stop(struct reload *r, struct reload_out *out)
{
    drop(out, r->message);
    r->message = NULL;
    r->message_at = MONO_NEVER;
    r->fetching = RELOAD_NOWHERE;
    r->stopped = true;
}

static void
time_passed(struct reload *r, struct mono now, struct reload_out *out)
{
    if (mono_reached(now, r->message_at))
        message_apply(r, now, out);
    else if (r->fetching != RELOAD_NOWHERE && mono_reached(now, r->fetch_end))
        next_source(r, now, out);
}

void
reload_step(struct reload *r, const struct reload_event *ev,
            struct reload_out *out)
{
    *out = (struct reload_out){.served = RELOAD_IGNORED};
    check(r);
    if (r->stopped || (!r->started && ev->type != RELOAD_EV_START)) {
        drop(out, ev->list);
        return;
    }
    switch (ev->type) {
    case RELOAD_EV_START:
        r->started = true;
        r->clock_at = ev->now;
        break;
    case RELOAD_EV_TIME:
        time_passed(r, ev->now, out);
        break;
    case RELOAD_EV_TRIGGER:
        trigger(r, ev, out);
        break;
    case RELOAD_EV_SUBSCRIBED:
        r->subscribed_next = true;
        break;
    case RELOAD_EV_MESSAGE:
        message(r, ev, out);
        break;
    case RELOAD_EV_FETCHED:
        fetched(r, ev, out);
        break;
    case RELOAD_EV_STOP:
        stop(r, out);
        break;
    }
    if (!r->stopped)
        begin_if_due(r, ev->now, out);
    check(r);
}
