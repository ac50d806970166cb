/* poll_day_test.c - poll.h over a day of virtual time: how often elements are
 * polled (CAP-005, CAP-006: 288,000 times), that a slow one delays nobody
 * (CAP-037), and what 10,000 of them cost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/poll.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define S       ((int64_t)1000000000)
#define MS      ((int64_t)1000000)
#define MOST    10000
#define BUCKETS 60

/* An element: how it answers, and what it saw. */
struct element {
    int64_t takes_min_ns, takes_max_ns;
    enum poll_error error;
    int64_t dead_from, dead_until; /* no answer at all */
    unsigned requests;
    int64_t last;
    int64_t shortest, longest; /* between the first requests of two polls */
    int64_t late;              /* behind the time it was due, at most */
    int64_t due;
    struct heap_item answer;
    struct poll_ticket ticket;
    enum poll_error will;
};

struct day {
    struct poll poll;
    struct heap answers;
    struct prng random;
    struct mono now;
    unsigned under_way, most_under_way;
    uint64_t requests, events;
    unsigned in_second[BUCKETS]; /* requests, by second modulo BUCKETS */
    struct element e[MOST];
};

static void
day_begin(struct day *d, uint32_t n, const struct poll_conf *c)
{
    memset(d, 0, sizeof(*d));
    prng_init(&d->random, 42);
    heap_init(&d->answers, MOST);
    assert_true(poll_init(&d->poll, c, MOST, 7));
    for (uint32_t i = 0; i < n; i++) {
        d->e[i].takes_min_ns = 1 * MS;
        d->e[i].takes_max_ns = 40 * MS;
        assert_int_equal(poll_add(&d->poll, &d->e[i], d->now), i);
    }
    poll_lead(&d->poll, d->now);
}

static void
day_end(struct day *d)
{
    poll_release(&d->poll);
    heap_release(&d->answers);
}

static void
sent(struct day *d, const struct poll_out *out)
{
    struct element *e = out->owner;
    int64_t range = e->takes_max_ns - e->takes_min_ns;
    int64_t takes =
        e->takes_min_ns + (int64_t)prng_below(&d->random, (uint64_t)range + 1);

    e->requests++;
    d->requests++;
    d->in_second[d->now.ns / S % BUCKETS]++;
    if (out->attempt == 0) {
        if (e->last && d->now.ns - e->last > e->longest)
            e->longest = d->now.ns - e->last;
        if (e->last && d->now.ns - e->last < e->shortest)
            e->shortest = d->now.ns - e->last;
        e->last = d->now.ns;
        if (e->due && d->now.ns - e->due > e->late)
            e->late = d->now.ns - e->due;
    }
    e->ticket = out->ticket;
    e->will = e->error;
    if (d->now.ns < e->dead_from || d->now.ns >= e->dead_until)
        heap_set(&d->answers, &e->answer,
                 mono_add(d->now, (struct dur){takes}));
    else
        heap_remove(&d->answers, &e->answer);
    if (++d->under_way > d->most_under_way)
        d->most_under_way = d->under_way;
}

static void
ended(struct day *d, const struct poll_out *out)
{
    struct element *e = out->owner;

    if (out->what == POLL_IDLE)
        return; /* a late one */
    d->under_way--;
    e->due = out->next.ns;
}

static void
day_run(struct day *d, int64_t until)
{
    struct poll_out out;

    for (;;) {
        struct heap_item *it = heap_first(&d->answers);
        struct mono t = poll_deadline(&d->poll);
        bool answer = it && mono_before(it->at, t);

        if (answer)
            t = it->at;
        if (t.ns > until)
            break;
        if (t.ns > d->now.ns)
            d->now = t;
        d->events++;
        if (answer) {
            struct element *e = container_of(it, struct element, answer);

            heap_remove(&d->answers, it);
            poll_answer(&d->poll, e->ticket, e->will, 500, d->now, &out);
            ended(d, &out);
            continue;
        }
        while (poll_next(&d->poll, d->now, &out) != POLL_IDLE)
            if (out.what == POLL_ASK)
                sent(d, &out);
            else
                ended(d, &out);
    }
    d->now.ns = until;
}

/* 100 healthy elements for a day: 288,000 polls, and 1 % is far too much. */
static void
test_day(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct day *d = malloc(sizeof(*d));
    unsigned least = UINT32_MAX, most = 0;
    (void)state;

    day_begin(d, 100, &c);
    day_run(d, 100 * S); /* the first two polls lie apart by design */
    for (int i = 0; i < 100; i++) {
        d->e[i].longest = 0;
        d->e[i].shortest = INT64_MAX;
    }
    day_run(d, 86400 * S);
    assert_in_range(d->requests, 288000 - 100, 288000 + 200);
    for (int i = 0; i < 100; i++) {
        assert_in_range(d->e[i].requests, 2879, 2882);
        /* Shifted from the grid by up to 3 s, each time anew. */
        assert_in_range(d->e[i].longest, 32 * S, 33 * S);
        assert_in_range(d->e[i].shortest, 27 * S, 28 * S);
        assert_true(d->e[i].late <= 0);
    }
    /* Not all in the same second: on average 3.3 of them in each. */
    for (int i = 0; i < BUCKETS; i++) {
        least = d->in_second[i] < least ? d->in_second[i] : least;
        most = d->in_second[i] > most ? d->in_second[i] : most;
    }
    print_message("%llu polls; in each second of a minute %u to %u\n",
                  (unsigned long long)d->requests, least, most);
    assert_true(most < 288000 / BUCKETS * 3);
    day_end(d);
    free(d);
}

/* Ten that never answer in time, one that takes 14.9 s, one that refuses: the
 * other 88 are polled as if these were not there (CAP-037). */
static void
test_slow(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct day *d = malloc(sizeof(*d));
    (void)state;

    c.concurrent = 16;
    day_begin(d, 100, &c);
    for (int i = 0; i < 10; i++)
        d->e[i].dead_until = INT64_MAX;
    d->e[10].takes_min_ns = d->e[10].takes_max_ns = 14900 * MS;
    d->e[11].error = POLL_CONNECTION_ERROR;
    day_run(d, 86400 * S);
    for (int i = 12; i < 100; i++) {
        assert_in_range(d->e[i].requests, 2879, 2882);
        /* Once, at the beginning, all places were taken by them. */
        assert_true(d->e[i].late <= 1 * S);
    }
    assert_in_range(d->e[10].requests, 2879, 2882); /* slow, but in time */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(poll_health(&d->poll, (uint32_t)i), POLL_UNHEALTHY);
        /* Every 300 s four requests: a poll takes 74 s of them. */
        assert_in_range(d->e[i].requests, 86400 / 300 * 4 - 12,
                        86400 / 300 * 4 + 24);
    }
    assert_int_equal(poll_health(&d->poll, 10), POLL_HEALTHY);
    assert_int_equal(poll_health(&d->poll, 11), POLL_UNHEALTHY);
    assert_true(d->most_under_way <= 16);
    day_end(d);
    free(d);
}

/* Dead for ten minutes and back: noticed both ways in the time that the
 * thresholds allow. */
static void
test_death(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct day *d = malloc(sizeof(*d));
    int64_t t = 1000 * S;
    (void)state;

    day_begin(d, 3, &c);
    d->e[1].dead_from = t;
    d->e[1].dead_until = t + 600 * S;
    while (poll_health(&d->poll, 1) != POLL_UNHEALTHY)
        day_run(d, d->now.ns + S);
    /* Up to 33 s until it is asked, three polls of 74 s, two pauses. */
    assert_in_range(d->now.ns - t, 150 * S, 33 * S + 3 * 74 * S + 2 * 33 * S);
    day_run(d, t + 600 * S);
    while (poll_health(&d->poll, 1) != POLL_HEALTHY)
        day_run(d, d->now.ns + S);
    assert_true(d->now.ns - t - 600 * S <= 2 * 300 * S + 80 * S);
    for (int i = 0; i < 3; i += 2)
        assert_int_equal(poll_health(&d->poll, (uint32_t)i), POLL_HEALTHY);
    day_end(d);
    free(d);
}

/* Taking over: all at once, as far as places go (CAP-028). */
static void
test_takeover(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct day *d = malloc(sizeof(*d));
    (void)state;

    day_begin(d, 1000, &c);
    day_run(d, 500 * S);
    poll_rest(&d->poll);
    d->under_way = 0;
    for (int i = 0; i < 1000; i++)
        d->e[i].due = 0;
    day_run(d, 600 * S);
    d->requests = 0;
    d->most_under_way = 0;
    poll_lead(&d->poll, d->now);
    day_run(d, 602 * S);
    assert_in_range(d->requests, 1000, 1001);
    assert_int_equal(d->most_under_way, 64);
    day_run(d, 600 * S + 49 * S);
    for (int i = 0; i < 1000; i++) /* the second one spread, none left out */
        assert_true(d->e[i].last > 614 * S);
    day_end(d);
    free(d);
}

/* 10,000 elements, one in ten of them dead, for an hour: what an event costs
 * hardly grows with their number, and nobody waits for a place. */
static void
test_many(void **state)
{
    struct poll_conf c = poll_conf_default();
    struct day *d = malloc(sizeof(*d));
    double ns[2];
    (void)state;

    c.concurrent = 1024;
    for (int big = 0; big < 2; big++) {
        uint32_t n = big ? MOST : MOST / 100;
        clock_t start = clock();

        day_begin(d, n, &c);
        for (uint32_t i = 0; i < n; i += 10)
            d->e[i].dead_until = INT64_MAX;
        day_run(d, (big ? 3600 : 36000) * S);
        for (uint32_t i = 0; i < n; i++)
            if (i % 10 && d->e[i].late > 2 * S)
                fail_msg("element %u waited %lld ms", i,
                         (long long)(d->e[i].late / MS));
        ns[big] = (double)(clock() - start) * (1e9 / CLOCKS_PER_SEC) /
                  (double)d->events;
        day_end(d);
    }
    print_message("an event: %.0f ns with 100 elements, %.0f with 10,000\n",
                  ns[0], ns[1]);
    /* A hundred times as many: a linear search would show. */
    assert_true(ns[1] < 20 * ns[0] + 1000);
    free(d);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_day),   cmocka_unit_test(test_slow),
        cmocka_unit_test(test_death), cmocka_unit_test(test_takeover),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
