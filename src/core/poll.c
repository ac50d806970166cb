/* poll.c - see poll.h.
 *
 * While we lead, an element is in one of two heaps: `due`, when its next
 * request is to be sent, or `flight`, when the one under way is to be given up.
 * While we do not, it is in none. SPDX-License-Identifier: Apache-2.0 */
#include "core/poll.h"
#include <stdlib.h>

#define RETRIES_MAX 10

struct poll_slot {
    struct heap_item item;
    void *owner;         /* or, of a free slot, nothing */
    uint64_t serial;     /* of the request under way; 0: none */
    struct mono grid;    /* time of the next poll, before its shift */
    struct mono began;   /* the first request of this poll */
    struct dur interval; /* of an unhealthy element */
    unsigned attempt;    /* of the request under way, or the next */
    unsigned failures;   /* polls in a row */
    unsigned successes;  /* the same */
    enum poll_health health;
    uint32_t next_free;
    bool used;
    bool soon; /* poll again as soon as this poll has ended */
};

/* --- configuration -------------------------------------------------------- */

struct poll_conf
poll_conf_default(void)
{
    return (struct poll_conf){
        .base = dur_s(30),
        .max = dur_s(300),
        .timeout = dur_s(15),
        .retry_delay = dur_s(2),
        .shift = dur_s(3),
        .retries = 3,
        .threshold = 3,
        .recovery = 2,
        .concurrent = 64,
    };
}

const char *
poll_conf_check(const struct poll_conf *c)
{
    int64_t day = dur_s(86400).ns;

    if (c->base.ns < dur_ms(1).ns || c->base.ns > day || c->max.ns > day)
        return "the polling interval must be between 1 ms and a day";
    if (c->max.ns < c->base.ns)
        return "the longest polling interval is shorter than the usual one";
    if (c->timeout.ns < dur_ms(1).ns || c->timeout.ns > day)
        return "the polling timeout must be between 1 ms and a day";
    if (c->retry_delay.ns < 0 || c->retry_delay.ns > dur_s(3600).ns)
        return "the delay of polling retries must be at most an hour";
    if (c->shift.ns < 0 || c->shift.ns >= c->base.ns)
        return "the shift must be shorter than the polling interval";
    if (c->retries > RETRIES_MAX)
        return "there may be at most 10 polling retries";
    if (c->threshold < 1 || c->recovery < 1)
        return "the thresholds of polling must be at least 1";
    if (c->concurrent < 1)
        return "at least one polling request must be allowed at a time";
    return NULL;
}

bool
poll_is_retried(enum poll_error e, unsigned status)
{
    static const bool again[] = {
#define X(code, name, again) [code] = (again),
        POLL_ERRORS(X)
#undef X
    };

    return again[e] ||
           (e == POLL_HTTP_ERROR && (status >= 500 || status == 429));
}

const char *
poll_error_name(enum poll_error e)
{
    static const char *const of[] = {
#define X(code, name, again) [code] = name,
        POLL_ERRORS(X)
#undef X
    };

    return of[e];
}

/* --- schedule ------------------------------------------------------------- */

static struct dur
random_up_to(struct poll *p, struct dur d)
{
    return (struct dur){(int64_t)prng_below(&p->random, (uint64_t)d.ns + 1)};
}

static struct poll_slot *
slot_of(const struct poll *p, uint32_t slot)
{
    assert(slot < p->max && p->slot[slot].used);
    return &p->slot[slot];
}

static struct dur
interval(const struct poll *p, const struct poll_slot *s)
{
    return s->health == POLL_UNHEALTHY ? s->interval : p->conf.base;
}

static void
due_at(struct poll *p, struct poll_slot *s, struct mono at)
{
    bool in;

    if (s->serial)
        heap_remove(&p->flight, &s->item);
    s->serial = 0;
    in = heap_set(&p->due, &s->item, at);
    assert(in); /* reserved */
    (void)in;
}

/* From the beginning, and now; the next ones at a phase of its own. Between a
 * half and one and a half intervals away, that is one on average. */
static void
begin(struct poll *p, struct poll_slot *s, struct mono now)
{
    s->attempt = 0;
    s->failures = s->successes = 0;
    s->interval = p->conf.base;
    s->soon = false;
    s->grid = mono_add(mono_add(now, (struct dur){p->conf.base.ns / 2}),
                       random_up_to(p, p->conf.base));
    if (p->leads)
        due_at(p, s, now);
}

/* The poll that just ended was the last; when is the next? Points of the grid
 * that have passed meanwhile are left out, not made up for. */
static void
plan(struct poll *p, struct poll_slot *s, struct mono now)
{
    struct dur step = interval(p, s);
    int64_t late = mono_sub(now, s->grid).ns;

    s->attempt = 0;
    if (late >= 0)
        s->grid.ns += (late / step.ns + 1) * step.ns;
    due_at(p, s,
           s->soon ? now : mono_add(s->grid, random_up_to(p, p->conf.shift)));
    s->soon = false;
}

/* --- health --------------------------------------------------------------- */

static void
good_poll(struct poll *p, struct poll_slot *s, struct mono now)
{
    struct mono latest = mono_add(now, p->conf.base);

    s->failures = 0;
    s->successes++;
    if (s->health == POLL_HEALTHY)
        return;
    if (s->health == POLL_UNHEALTHY && s->successes < p->conf.recovery) {
        /* The long interval is for one that is away. */
        s->grid = mono_add(now, (struct dur){p->conf.base.ns / 6});
        return;
    }
    if (s->health == POLL_UNHEALTHY && mono_before(latest, s->grid))
        s->grid = latest; /* it was polled out of turn */
    s->health = POLL_HEALTHY;
}

/* 30 s after the failure that makes it unhealthy, then 60, 120, 240, 300. */
static void
failed_poll(struct poll *p, struct poll_slot *s)
{
    s->successes = 0;
    s->failures++;
    if (s->health == POLL_UNHEALTHY) {
        s->interval.ns *= 2;
        if (s->interval.ns > p->conf.max.ns)
            s->interval = p->conf.max;
    } else if (s->failures >= p->conf.threshold) {
        s->health = POLL_UNHEALTHY;
        s->interval = p->conf.base;
    }
}

/* --- requests ------------------------------------------------------------- */

static void
tell(const struct poll *p, const struct poll_slot *s, enum poll_what what,
     struct poll_out *out)
{
    *out = (struct poll_out){
        .what = what,
        .ticket = {(uint32_t)(s - p->slot), s->serial},
        .owner = s->owner,
        .attempt = s->attempt,
    };
}

static void
retry(struct poll *p, struct poll_slot *s, struct mono now,
      struct poll_out *out)
{
    struct dur wait = {p->conf.retry_delay.ns << s->attempt};

    out->what = POLL_RETRY;
    s->attempt++;
    due_at(p, s, mono_add(now, wait));
}

static void
end(struct poll *p, struct poll_slot *s, struct mono now, struct poll_out *out)
{
    enum poll_health before = s->health;

    out->what = POLL_ENDED;
    out->took = mono_sub(now, s->began);
    if (out->error == POLL_OK)
        good_poll(p, s, now);
    else
        failed_poll(p, s);
    plan(p, s, now);
    out->health = s->health;
    out->changed = s->health != before;
    out->failures = s->failures;
}

static enum poll_what
answered(struct poll *p, struct poll_slot *s, enum poll_error error,
         unsigned status, struct mono now, struct poll_out *out)
{
    tell(p, s, POLL_ENDED, out);
    out->error = error;
    out->status = error == POLL_HTTP_ERROR ? status : 0;
    if (poll_is_retried(error, status) && s->attempt < p->conf.retries)
        retry(p, s, now, out);
    else
        end(p, s, now, out);
    out->next = s->item.at;
    return out->what;
}

static void
send(struct poll *p, struct poll_slot *s, struct mono now, struct poll_out *out)
{
    bool in;

    heap_remove(&p->due, &s->item);
    in = heap_set(&p->flight, &s->item, mono_add(now, p->conf.timeout));
    assert(in); /* reserved */
    (void)in;
    s->serial = ++p->serial;
    if (s->attempt == 0)
        s->began = now;
    tell(p, s, POLL_ASK, out);
}

/* --- public --------------------------------------------------------------- */

bool
poll_init(struct poll *p, const struct poll_conf *c, uint32_t max,
          uint64_t seed)
{
    assert(poll_conf_check(c) == NULL && max > 0 && max < POLL_NO_SLOT);
    *p = (struct poll){.conf = *c, .max = max};
    prng_init(&p->random, seed);
    heap_init(&p->due, max);
    heap_init(&p->flight, max);
    p->slot = calloc(max, sizeof(*p->slot));
    if (!p->slot || !heap_reserve(&p->due, max) ||
        !heap_reserve(&p->flight, max)) {
        poll_release(p);
        return false;
    }
    for (uint32_t i = 0; i < max; i++)
        p->slot[i].next_free = i + 1 < max ? i + 1 : POLL_NO_SLOT;
    return true;
}

void
poll_release(struct poll *p)
{
    heap_release(&p->due);
    heap_release(&p->flight);
    free(p->slot);
    *p = (struct poll){.free = POLL_NO_SLOT};
}

void
poll_retune(struct poll *p, const struct poll_conf *c, struct mono now)
{
    assert(poll_conf_check(c) == NULL);
    p->conf = *c;
    for (uint32_t i = 0; i < p->max; i++) {
        struct poll_slot *s = &p->slot[i];

        if (!s->used)
            continue;
        if (s->interval.ns > c->max.ns)
            s->interval = c->max;
        if (mono_sub(s->grid, now).ns <= interval(p, s).ns / 2 * 3)
            continue;
        /* Not as late as it was: the interval has become shorter. */
        s->grid = mono_add(now, random_up_to(p, interval(p, s)));
        if (p->leads && !s->serial && mono_before(s->grid, s->item.at))
            due_at(p, s, s->grid);
    }
}

uint32_t
poll_add(struct poll *p, void *owner, struct mono now)
{
    uint32_t i = p->free;
    struct poll_slot *s;

    if (i == POLL_NO_SLOT)
        return POLL_NO_SLOT;
    s = &p->slot[i];
    p->free = s->next_free;
    p->n++;
    *s = (struct poll_slot){.owner = owner, .used = true};
    begin(p, s, now);
    return i;
}

void
poll_remove(struct poll *p, uint32_t slot)
{
    struct poll_slot *s = slot_of(p, slot);

    heap_remove(s->serial ? &p->flight : &p->due, &s->item);
    *s = (struct poll_slot){.next_free = p->free};
    p->free = slot;
    p->n--;
}

void
poll_changed(struct poll *p, uint32_t slot, struct mono now)
{
    begin(p, slot_of(p, slot), now);
}

void
poll_soon(struct poll *p, uint32_t slot, struct mono now)
{
    struct poll_slot *s = slot_of(p, slot);

    if (!p->leads)
        return;
    if (s->serial)
        s->soon = true;
    else if (mono_before(now, s->item.at))
        due_at(p, s, now);
}

enum poll_health
poll_health(const struct poll *p, uint32_t slot)
{
    return slot_of(p, slot)->health;
}

void
poll_health_set(struct poll *p, uint32_t slot, enum poll_health health)
{
    slot_of(p, slot)->health = health;
}

void
poll_lead(struct poll *p, struct mono now)
{
    p->leads = true;
    for (uint32_t i = 0; i < p->max; i++)
        if (p->slot[i].used)
            begin(p, &p->slot[i], now);
}

void
poll_rest(struct poll *p)
{
    p->leads = false;
    for (uint32_t i = 0; i < p->max; i++) {
        struct poll_slot *s = &p->slot[i];

        heap_remove(s->serial ? &p->flight : &p->due, &s->item);
        s->serial = 0;
        s->health = POLL_UNKNOWN;
    }
}

enum poll_what
poll_next(struct poll *p, struct mono now, struct poll_out *out)
{
    struct heap_item *given_up = heap_first(&p->flight);
    struct heap_item *due = heap_first(&p->due);

    *out = (struct poll_out){.what = POLL_IDLE};
    if (given_up && mono_reached(now, given_up->at))
        return answered(p, container_of(given_up, struct poll_slot, item),
                        POLL_TIMEOUT, 0, now, out);
    if (due && mono_reached(now, due->at) && p->flight.n < p->conf.concurrent)
        send(p, container_of(due, struct poll_slot, item), now, out);
    return out->what;
}

enum poll_what
poll_answer(struct poll *p, struct poll_ticket t, enum poll_error error,
            unsigned status, struct mono now, struct poll_out *out)
{
    struct poll_slot *s;

    *out = (struct poll_out){.what = POLL_IDLE};
    if (t.slot >= p->max || t.serial == 0)
        return POLL_IDLE;
    s = &p->slot[t.slot];
    if (!s->used || s->serial != t.serial)
        return POLL_IDLE;
    return answered(p, s, error, status, now, out);
}

struct mono
poll_deadline(const struct poll *p)
{
    const struct heap_item *given_up = heap_first(&p->flight);
    const struct heap_item *due = heap_first(&p->due);
    struct mono t = given_up ? given_up->at : MONO_NEVER;

    if (due && p->flight.n < p->conf.concurrent && mono_before(due->at, t))
        t = due->at;
    return t;
}
