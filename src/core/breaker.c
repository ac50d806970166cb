/* breaker.c - see breaker.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/breaker.h"

enum breaker_outcome
breaker_judge(enum breaker_end end, int status)
{
    switch (end) {
    case BREAKER_ANSWERED:
        break;
    case BREAKER_GIVEN_UP:
        return BREAKER_NEUTRAL;
    case BREAKER_NOT_CONNECTED:
    case BREAKER_BROKEN:
    case BREAKER_TIMED_OUT:
    case BREAKER_NONSENSE:
        return BREAKER_FAILURE;
    }
    if (status == 507 || (status >= 400 && status < 500))
        return BREAKER_NEUTRAL;
    return status >= 100 && status < 400 ? BREAKER_SUCCESS : BREAKER_FAILURE;
}

static void
check(const struct breaker *b)
{
    assert(b->state <= BREAKER_OPEN);
    assert(!b->probing || b->state == BREAKER_HALF_OPEN);
    assert((b->state == BREAKER_OPEN) == (b->retry_at.ns != INT64_MAX));
}

static void
enter(struct breaker *b, enum breaker_state state, struct mono retry_at)
{
    b->state = state;
    b->period++; /* answers to requests begun before this are now stale */
    b->failures = 0;
    b->successes = 0;
    b->probing = false;
    b->retry_at = retry_at;
    b->opened += state == BREAKER_OPEN;
}

void
breaker_init(struct breaker *b)
{
    *b = (struct breaker){.retry_at = MONO_NEVER, .probe_end = MONO_NEVER};
}

bool
breaker_would(const struct breaker *b, const struct breaker_conf *c,
              struct mono now)
{
    check(b);
    if (c->off)
        return true;
    switch (b->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return mono_reached(now, b->retry_at);
    case BREAKER_HALF_OPEN:
        return !b->probing || mono_reached(now, b->probe_end);
    }
    return false;
}

bool
breaker_ask(struct breaker *b, const struct breaker_conf *c, struct mono now,
            uint32_t *period)
{
    bool may = breaker_would(b, c, now);

    if (may && !c->off && b->state != BREAKER_CLOSED) {
        /* Also in place of a trial that was lost: a new period, so that its
         * late report is not taken for the report of this one. */
        if (b->state == BREAKER_OPEN)
            enter(b, BREAKER_HALF_OPEN, MONO_NEVER);
        else if (b->probing)
            b->period++;
        b->probing = true;
        b->probe_end =
            c->probe_for.ns ? mono_add(now, c->probe_for) : MONO_NEVER;
    }
    *period = b->period;
    return may;
}

static void
failed(struct breaker *b, const struct breaker_conf *c, struct mono now)
{
    if (b->failures > 0 && c->window.ns &&
        mono_reached(now, mono_add(b->failed_at, c->window)))
        b->failures = 0;
    b->failures++;
    b->failed_at = now;
    if (b->state == BREAKER_HALF_OPEN || b->failures >= c->failure_threshold)
        enter(b, BREAKER_OPEN, mono_add(now, c->open_for));
}

static void
succeeded(struct breaker *b, const struct breaker_conf *c)
{
    b->failures = 0;
    if (b->state == BREAKER_HALF_OPEN && ++b->successes >= c->success_threshold)
        enter(b, BREAKER_CLOSED, MONO_NEVER);
}

bool
breaker_report(struct breaker *b, const struct breaker_conf *c, struct mono now,
               uint32_t period, enum breaker_outcome o)
{
    enum breaker_state before = b->state;

    check(b);
    if (c->off || period != b->period || b->state == BREAKER_OPEN)
        return false;
    b->probing = false;
    if (o == BREAKER_FAILURE)
        failed(b, c, now);
    else if (o == BREAKER_SUCCESS)
        succeeded(b, c);
    check(b);
    return b->state != before;
}

struct mono
breaker_deadline(const struct breaker *b)
{
    return b->retry_at;
}

const char *
breaker_state_name(enum breaker_state s)
{
    static const char *const name[] = {"closed", "half_open", "open"};

    return (unsigned)s < countof(name) ? name[s] : "unknown";
}
