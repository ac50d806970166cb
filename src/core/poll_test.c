/* poll_test.c - tests of poll.h: one element, step by step (CAP-032...CAP-041,
 * CAP-108). What many elements do in a day: poll_day_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/poll.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S  ((int64_t)1000000000)
#define MS ((int64_t)1000000)

static struct mono
at(int64_t ns)
{
    return (struct mono){ns};
}

/* One that leads; with so many elements, polled once, all healthy. No shift. */
static void
begun(struct poll *p, uint32_t n, struct mono *now)
{
    struct poll_conf c = poll_conf_default();
    struct poll_out out;

    c.shift.ns = 0;
    assert_true(poll_init(p, &c, 8, 1));
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(poll_add(p, NULL, *now), i);
    assert_int_equal(poll_next(p, *now, &out), POLL_IDLE);
    poll_lead(p, *now);
    while (poll_next(p, *now, &out) == POLL_ASK)
        poll_answer(p, out.ticket, POLL_OK, 0, *now, &out);
}

/* The next request, at its time. */
static struct poll_ticket
asked(struct poll *p, struct mono *now)
{
    struct poll_out out;

    *now = poll_deadline(p);
    assert_int_not_equal(now->ns, MONO_NEVER.ns);
    assert_int_equal(poll_next(p, *now, &out), POLL_ASK);
    return out.ticket;
}

/* A whole poll that fails or not; what its end says. */
static struct poll_out
polled(struct poll *p, struct mono *now, enum poll_error error)
{
    struct poll_out out;

    do
        poll_answer(p, asked(p, now), error, 500, *now, &out);
    while (out.what == POLL_RETRY);
    assert_int_equal(out.what, POLL_ENDED);
    return out;
}

static void
test_conf(void **state)
{
    static const struct {
        size_t field;
        int64_t value;
        bool good;
        const char *why;
    } row[] = {
#define DUR(f) offsetof(struct poll_conf, f)
        {DUR(base), 30 * S, true, "as specified"},
        {DUR(base), 0, false, "without a pause"},
        {DUR(base), 300 * S, true, "always the longest"},
        {DUR(base), 301 * S, false, "longer than the longest"},
        {DUR(base), 3 * S, false, "as short as the shift"},
        {DUR(max), 29 * S, false, "shorter than the usual one"},
        {DUR(max), 86401 * S, false, "more than a day"},
        {DUR(timeout), 0, false, "no time to answer"},
        {DUR(retry_delay), 0, true, "retries at once"},
        {DUR(retry_delay), -1, false, "retries before"},
        {DUR(shift), 0, true, "on the grid"},
        {DUR(shift), -1, false, "before the grid"},
    };
    struct poll_conf c = poll_conf_default();
    (void)state;

    assert_int_equal(c.base.ns, 30 * S);
    assert_int_equal(c.max.ns, 300 * S);
    assert_int_equal(c.timeout.ns, 15 * S);
    assert_int_equal(c.retry_delay.ns, 2 * S);
    assert_int_equal(c.retries, 3);
    assert_int_equal(c.threshold, 3);
    assert_int_equal(c.recovery, 2);
    for (size_t i = 0; i < countof(row); i++) {
        c = poll_conf_default();
        ((struct dur *)((char *)&c + row[i].field))->ns = row[i].value;
        if ((poll_conf_check(&c) == NULL) != row[i].good)
            fail_msg("%s", row[i].why);
    }
    c = poll_conf_default();
    c.retries = 11;
    assert_non_null(poll_conf_check(&c));
    c = poll_conf_default();
    c.threshold = 0;
    assert_non_null(poll_conf_check(&c));
    c = poll_conf_default();
    c.concurrent = 0;
    assert_non_null(poll_conf_check(&c));
}

/* CAP-036, CAP-040. */
static void
test_errors(void **state)
{
    static const struct {
        enum poll_error error;
        unsigned status;
        const char *name;
        bool again;
        const char *why;
    } row[] = {
        {POLL_TIMEOUT, 0, "timeout", true, "may be quicker next time"},
        {POLL_CONNECTION_ERROR, 0, "connection_error", true, "may be back"},
        {POLL_HTTP_ERROR, 500, "http_error", true, "5xx"},
        {POLL_HTTP_ERROR, 502, "http_error", true, "its proxy"},
        {POLL_HTTP_ERROR, 599, "http_error", true, "5xx, the last"},
        {POLL_HTTP_ERROR, 429, "http_error", true, "too many requests"},
        {POLL_HTTP_ERROR, 400, "http_error", false, "will not help"},
        {POLL_HTTP_ERROR, 401, "http_error", false, "our token"},
        {POLL_HTTP_ERROR, 404, "http_error", false, "not an element"},
        {POLL_HTTP_ERROR, 499, "http_error", false, "4xx, the last"},
        {POLL_HTTP_ERROR, 301, "http_error", false, "not where it said"},
        {POLL_INVALID_RESPONSE, 0, "invalid_response", true, "malformed"},
        {POLL_INVALID_RESPONSE, 200, "invalid_response", true, "a status"},
        {POLL_UNKNOWN_ERROR, 0, "unknown", true, "who knows"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct mono now = at(7 * S);
        struct poll_out out;
        struct poll p;
        enum poll_what what;

        assert_string_equal(poll_error_name(row[i].error), row[i].name);
        begun(&p, 1, &now);
        what = poll_answer(&p, asked(&p, &now), row[i].error, row[i].status,
                           now, &out);
        if (what != (row[i].again ? POLL_RETRY : POLL_ENDED))
            fail_msg("%s", row[i].why);
        assert_int_equal(out.error, row[i].error);
        assert_int_equal(out.status,
                         row[i].error == POLL_HTTP_ERROR ? row[i].status : 0);
        assert_int_equal(out.failures, row[i].again ? 0 : 1);
        poll_release(&p);
    }
}

/* CAP-033, D17: four requests, 2, 4 and 8 s after the one before has failed;
 * the last failure is that of the poll. */
static void
test_retries(void **state)
{
    static const struct {
        int64_t wait_ms; /* since the answer before */
        int64_t takes_ms;
        enum poll_error error;
        enum poll_what what;
        const char *why;
    } row[] = {
        {-1, 100, POLL_CONNECTION_ERROR, POLL_RETRY, "the first"},
        {2000, 15000, POLL_TIMEOUT, POLL_RETRY, "2 s later"},
        {4000, 10, POLL_INVALID_RESPONSE, POLL_RETRY, "4 s later"},
        {8000, 20, POLL_UNKNOWN_ERROR, POLL_ENDED, "8 s later, the last"},
        {-1, 100, POLL_TIMEOUT, POLL_RETRY, "the next poll, from 0 again"},
        {2000, 100, POLL_OK, POLL_ENDED, "good at the second try"},
        {-1, 100, POLL_OK, POLL_ENDED, "good at once"},
    };
    struct mono now = at(0), before = at(0), first = at(0);
    struct poll_out out;
    struct poll p;
    unsigned attempt = 0;
    (void)state;

    begun(&p, 1, &now);
    for (size_t i = 0; i < countof(row); i++) {
        now = poll_deadline(&p);
        if (row[i].wait_ms >= 0)
            assert_int_equal(now.ns, before.ns + row[i].wait_ms * MS);
        else
            first = now;
        assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
        attempt = row[i].wait_ms < 0 ? 0 : attempt + 1;
        assert_int_equal(out.attempt, attempt);
        assert_int_equal(poll_deadline(&p).ns, now.ns + 15 * S);
        now.ns += row[i].takes_ms * MS;
        before = now;
        if (row[i].error == POLL_TIMEOUT && row[i].takes_ms == 15000) {
            assert_int_equal(poll_next(&p, at(now.ns - 1), &out), POLL_IDLE);
            poll_next(&p, now, &out); /* it says so itself */
        } else {
            poll_answer(&p, out.ticket, row[i].error, 0, now, &out);
        }
        if (out.what != row[i].what || out.error != row[i].error)
            fail_msg("%s", row[i].why);
        if (out.what == POLL_ENDED)
            assert_int_equal(out.took.ns, now.ns - first.ns);
        assert_int_equal(out.next.ns, poll_deadline(&p).ns);
    }
    poll_release(&p);
}

/* CAP-034, CAP-035: thresholds, the growing interval, and back. */
static void
test_health(void **state)
{
    static const struct {
        bool good;
        enum poll_health health;
        int64_t next_s; /* grid points: from one poll to the next */
        const char *why;
    } row[] = {
        {true, POLL_HEALTHY, 30, "healthy"},
        {false, POLL_HEALTHY, 30, "one failure"},
        {false, POLL_HEALTHY, 30, "two"},
        {true, POLL_HEALTHY, 30, "not three in a row"},
        {false, POLL_HEALTHY, 30, "one"},
        {false, POLL_HEALTHY, 30, "two"},
        {false, POLL_UNHEALTHY, 30, "three: unhealthy"},
        {false, POLL_UNHEALTHY, 60, "doubles"},
        {false, POLL_UNHEALTHY, 120, "doubles"},
        {false, POLL_UNHEALTHY, 240, "doubles"},
        {false, POLL_UNHEALTHY, 300, "the longest"},
        {false, POLL_UNHEALTHY, 300, "not longer"},
        {true, POLL_UNHEALTHY, 5, "one good poll is not enough: another soon"},
        {false, POLL_UNHEALTHY, 300, "as it shows"},
        {true, POLL_UNHEALTHY, 5, "one again"},
        {true, POLL_HEALTHY, 30, "two: healthy, at the usual interval"},
        {false, POLL_HEALTHY, 30, "three failures are needed anew"},
        {false, POLL_HEALTHY, 30, "two"},
        {false, POLL_UNHEALTHY, 30, "three: from 30 s again"},
        {true, POLL_UNHEALTHY, 5, "one good"},
        {true, POLL_HEALTHY, 30, "two good"},
    };
    enum poll_health before = POLL_HEALTHY;
    struct mono now = at(0), sent;
    struct poll p;
    (void)state;

    begun(&p, 1, &now);
    assert_int_equal(poll_health(&p, 0), POLL_HEALTHY);
    for (size_t i = 0; i < countof(row); i++) {
        /* 404 is not retried, so a failed poll takes no time. */
        struct poll_out out;

        sent = poll_deadline(&p);
        poll_answer(&p, asked(&p, &now),
                    row[i].good ? POLL_OK : POLL_HTTP_ERROR, 404, now, &out);
        if (out.health != row[i].health ||
            out.changed != (row[i].health != before) ||
            out.next.ns - sent.ns != row[i].next_s * S)
            fail_msg("row %zu, %s: health %d, next %lld s", i, row[i].why,
                     out.health, (long long)((out.next.ns - sent.ns) / S));
        before = row[i].health;
    }
    poll_release(&p);
}

/* What is not known yet: good at the first good poll, bad after three. */
static void
test_unknown(void **state)
{
    static const struct {
        enum poll_health was;
        const char *polls; /* g or b */
        enum poll_health is;
        unsigned changes;
        const char *why;
    } row[] = {
        {POLL_UNKNOWN, "g", POLL_HEALTHY, 1, "the first is enough"},
        {POLL_UNKNOWN, "bb", POLL_UNKNOWN, 0, "not sure yet"},
        {POLL_UNKNOWN, "bbb", POLL_UNHEALTHY, 1, "never seen well"},
        {POLL_UNKNOWN, "bbg", POLL_HEALTHY, 1, "there it is"},
        {POLL_UNHEALTHY, "g", POLL_UNHEALTHY, 0, "as the last leader left it"},
        {POLL_UNHEALTHY, "gg", POLL_HEALTHY, 1, "recovered since"},
        {POLL_HEALTHY, "g", POLL_HEALTHY, 0, "no change to report"},
        {POLL_HEALTHY, "bb", POLL_HEALTHY, 0, "the count begins anew"},
        {POLL_HEALTHY, "bbb", POLL_UNHEALTHY, 1, "went down meanwhile"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct mono now = at(0);
        unsigned changes = 0;
        struct poll p;

        begun(&p, 1, &now);
        poll_rest(&p);
        assert_int_equal(poll_health(&p, 0), POLL_UNKNOWN);
        poll_health_set(&p, 0, row[i].was);
        poll_lead(&p, now);
        for (const char *c = row[i].polls; *c; c++)
            changes +=
                polled(&p, &now, *c == 'g' ? POLL_OK : POLL_CONNECTION_ERROR)
                    .changed;
        if (poll_health(&p, 0) != row[i].is || changes != row[i].changes)
            fail_msg("%s", row[i].why);
        poll_release(&p);
    }
}

/* Answers that are worth nothing any more (CAP-038). */
enum deed { NOTHING, REMOVE, REPLACE, CHANGE, REST, REGAIN, TIME_OUT, TWICE };

static void
test_stale(void **state)
{
    static const struct {
        enum deed deed;
        enum poll_what what;
        const char *why;
    } row[] = {
        {NOTHING, POLL_ENDED, "an ordinary answer"},
        {REMOVE, POLL_IDLE, "removed meanwhile"},
        {REPLACE, POLL_IDLE, "removed, and another one in its place"},
        {CHANGE, POLL_IDLE, "has another endpoint"},
        {REST, POLL_IDLE, "we lead no more"},
        {REGAIN, POLL_IDLE, "we lead again, but did not ask that"},
        {TIME_OUT, POLL_IDLE, "was given up, and is asked again"},
        {TWICE, POLL_IDLE, "answered before"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct mono now = at(0);
        struct poll_ticket t;
        struct poll_out out;
        struct poll p;

        begun(&p, 1, &now);
        t = asked(&p, &now);
        switch (row[i].deed) {
        case REMOVE:
            poll_remove(&p, 0);
            break;
        case REPLACE:
            poll_remove(&p, 0);
            assert_int_equal(poll_add(&p, NULL, now), 0);
            break;
        case CHANGE:
            poll_changed(&p, 0, now);
            break;
        case REST:
            poll_rest(&p);
            break;
        case REGAIN:
            poll_rest(&p);
            poll_lead(&p, now);
            assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
            break;
        case TIME_OUT:
            now.ns += 15 * S;
            assert_int_equal(poll_next(&p, now, &out), POLL_RETRY);
            assert_int_equal(out.error, POLL_TIMEOUT);
            assert_int_equal(out.ticket.serial, t.serial);
            now.ns += 2 * S;
            assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
            break;
        case TWICE:
            poll_answer(&p, t, POLL_OK, 0, now, &out);
            break;
        default:
            break;
        }
        if (poll_answer(&p, t, POLL_OK, 0, now, &out) != row[i].what)
            fail_msg("%s", row[i].why);
        poll_release(&p);
    }
}

static void
test_foreign_ticket(void **state)
{
    struct mono now = at(0);
    struct poll_out out;
    struct poll p;
    (void)state;

    begun(&p, 1, &now);
    assert_int_equal(
        poll_answer(&p, (struct poll_ticket){99, 1}, POLL_OK, 0, now, &out),
        POLL_IDLE);
    assert_int_equal(
        poll_answer(&p, (struct poll_ticket){0, 0}, POLL_OK, 0, now, &out),
        POLL_IDLE);
    assert_int_equal(
        poll_answer(&p, (struct poll_ticket){7, 1}, POLL_OK, 0, now, &out),
        POLL_IDLE);
    poll_release(&p);
}

/* Polled at once: what is added, changed, reported full (CAP-039, CAP-069). */
static void
test_at_once(void **state)
{
    struct mono now = at(0), planned;
    struct poll_ticket t;
    struct poll_out out;
    uint32_t slot;
    struct poll p;
    int owner;
    (void)state;

    begun(&p, 2, &now);
    now.ns += S;
    slot = poll_add(&p, &owner, now);
    assert_int_equal(poll_deadline(&p).ns, now.ns);
    assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
    assert_int_equal(out.ticket.slot, slot);
    assert_ptr_equal(out.owner, &owner);
    assert_int_equal(poll_next(&p, now, &out), POLL_IDLE);
    poll_remove(&p, slot); /* while it is being asked */

    poll_changed(&p, 1, now);
    assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
    assert_int_equal(out.ticket.slot, 1);
    poll_answer(&p, out.ticket, POLL_OK, 0, now, &out);

    /* Soon: the next one of the grid stays where it was. */
    planned = poll_deadline(&p);
    poll_soon(&p, 0, now);
    poll_soon(&p, 0, now);
    assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
    assert_int_equal(out.ticket.slot, 0);
    t = out.ticket;
    poll_soon(&p, 0, now); /* while it is asked: once more after it */
    assert_int_equal(poll_next(&p, now, &out), POLL_IDLE);
    poll_answer(&p, t, POLL_OK, 0, now, &out);
    assert_int_equal(out.next.ns, now.ns);
    assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
    poll_answer(&p, out.ticket, POLL_OK, 0, now, &out);
    assert_int_equal(poll_next(&p, now, &out), POLL_IDLE);
    assert_int_equal(poll_deadline(&p).ns, planned.ns);

    poll_rest(&p);
    poll_soon(&p, 0, now);
    poll_changed(&p, 1, now);
    assert_int_not_equal(poll_add(&p, NULL, now), POLL_NO_SLOT);
    assert_int_equal(poll_next(&p, now, &out), POLL_IDLE);
    assert_int_equal(poll_deadline(&p).ns, MONO_NEVER.ns);
    poll_release(&p);
}

/* An element that recovers out of turn does not wait for its long interval. */
static void
test_soon_recovers(void **state)
{
    struct mono now = at(0);
    struct poll_out out;
    struct poll p;
    (void)state;

    begun(&p, 1, &now);
    for (int i = 0; i < 9; i++)
        polled(&p, &now, POLL_CONNECTION_ERROR);
    for (int i = 0; i < 2; i++) {
        now.ns += S;
        poll_soon(&p, 0, now);
        assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
        poll_answer(&p, out.ticket, POLL_OK, 0, now, &out);
    }
    assert_int_equal(out.health, POLL_HEALTHY);
    assert_true(out.next.ns <= now.ns + 30 * S);
    poll_release(&p);
}

/* At most so many at a time; who waits longest is next; a place that is free
 * is used at once. */
static void
test_concurrent(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct poll_ticket t[2];
    struct mono now = at(0);
    struct poll_out out;
    struct poll p;
    (void)state;

    c.concurrent = 2;
    assert_true(poll_init(&p, &c, 5, 1));
    poll_lead(&p, now);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(poll_add(&p, NULL, now), i);
    assert_int_equal(poll_add(&p, NULL, now), POLL_NO_SLOT);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
        assert_int_equal(out.ticket.slot, i);
        t[i] = out.ticket;
    }
    assert_int_equal(poll_next(&p, now, &out), POLL_IDLE);
    assert_int_equal(poll_deadline(&p).ns, 15 * S); /* nothing till then */
    now.ns += S;
    poll_answer(&p, t[1], POLL_CONNECTION_ERROR, 0, now, &out);
    assert_int_equal(poll_deadline(&p).ns, 0); /* overdue: woken at once */
    assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
    assert_int_equal(out.ticket.slot, 2);
    assert_int_equal(poll_next(&p, now, &out), POLL_IDLE);
    poll_remove(&p, 2); /* gives its place back, too */
    assert_int_equal(poll_next(&p, now, &out), POLL_ASK);
    assert_int_equal(out.ticket.slot, 3);
    assert_int_equal(poll_add(&p, NULL, now), 2);
    poll_release(&p);
}

/* After a pause of an hour: each element once, not 120 times. */
static void
test_pause(void **state)
{
    struct mono now = at(0);
    struct poll_out out;
    unsigned polls = 0;
    struct poll p;
    (void)state;

    begun(&p, 3, &now);
    now.ns += 3600 * S;
    while (poll_next(&p, now, &out) == POLL_ASK) {
        poll_answer(&p, out.ticket, POLL_OK, 0, now, &out);
        assert_true(out.next.ns > now.ns && out.next.ns <= now.ns + 30 * S);
        polls++;
    }
    assert_int_equal(polls, 3);
    poll_release(&p);
}

/* A shorter interval is felt at once, a longer one from the next poll. */
static void
test_retune(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct mono now = at(0);
    struct poll_out out;
    struct poll p;
    (void)state;

    begun(&p, 3, &now);
    c.shift.ns = 0;
    c.base.ns = 300 * S;
    poll_retune(&p, &c, now);
    for (int i = 0; i < 3; i++)
        out = polled(&p, &now, POLL_OK);
    assert_true(out.next.ns > now.ns + 290 * S);
    c.base.ns = 5 * S;
    poll_retune(&p, &c, now);
    for (int i = 0; i < 3; i++) {
        struct mono start = now;

        polled(&p, &now, POLL_OK);
        assert_true(now.ns <= start.ns + 5 * S);
    }
    poll_release(&p);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conf),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_foreign_ticket),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_soon_recovers),
        cmocka_unit_test(test_concurrent),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_retune),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
