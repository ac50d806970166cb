/* snapshot_test.c - tests of snapshot.h, and of choosing from snapshots.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/snapshot.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GB ((uint64_t)1 << 30)

static const struct snapshot_conf conf = {
    .marks = {.percent = {0, 85, 92, 98}, .hysteresis = 2},
    .fresh_for = {600LL * 1000000000},
};

static struct mono
at(int64_t s)
{
    return (struct mono){s * 1000000000};
}

static struct reload_element
listed(const char *id, int priority)
{
    return (struct reload_element){.element_id = id,
                                   .endpoint = "http://listed",
                                   .mode = RELOAD_MODE_NONE,
                                   .priority = priority};
}

static struct snapshot_fact
fact(const char *id, uint64_t used_percent)
{
    return (struct snapshot_fact){.element_id = id,
                                  .endpoint = "http://fact",
                                  .location = "dc1",
                                  .mode = SELECT_EDIT,
                                  .status = SNAPSHOT_STATUS_NONE,
                                  .total = 100 * GB,
                                  .used = used_percent * GB,
                                  .available = (100 - used_percent) * GB};
}

static struct snapshot *
make(const struct reload_element *e, size_t n, const struct snapshot_fact *f,
     size_t nf, const struct snapshot *before, int64_t now_s)
{
    const struct reload_list list = {.e = e, .n = n};
    struct snapshot *s = NULL;

    assert_int_equal(snapshot_make(&s, &list, f, nf, before, &conf, at(now_s)),
                     ERR_OK);
    return s;
}

static struct select_result
pick(const struct snapshot *s, uint64_t size, int64_t now_s,
     struct select_verdict *v)
{
    const struct select_request q = {
        .size = size, .mode = SELECT_EDIT, .now = at(now_s)};

    return select_pick(&q, s->e, s->order, s->n, v);
}

static void
expect(const struct snapshot *s, int64_t now_s, const char *id, const char *why)
{
    struct select_result r = pick(s, GB, now_s, NULL);
    const char *got = r.chosen < 0 ? "none" : s->e[r.chosen].element_id;

    if (strcmp(got, id) != 0)
        fail_msg("%s: got %s, want %s", why, got, id);
}

/* Who is there, and whose word counts for what. */
static void
test_join(void **state)
{
    const struct reload_element e[] = {listed("a", 30), listed("b", 20),
                                       listed("c", 10)};
    struct snapshot_fact f[] = {fact("b", 10), fact("c", 10), fact("d", 10)};
    struct snapshot *s;
    struct select_verdict v[4];
    (void)state;

    f[0].set = f[1].set = f[2].set = SNAPSHOT_IN_SET;
    f[0].priority = 5; /* whoever wrote the score may not have read the list */
    f[1].priority = 10;
    f[2].priority = 1;
    s = make(e, 3, f, 3, NULL, 1);
    assert_int_equal(s->n, 4);
    assert_int_equal(s->facts, 3);
    assert_int_equal(s->unlisted, 1);
    assert_int_equal(s->by_mode[SELECT_EDIT], 3);
    assert_string_equal(s->endpoint[1], "http://listed"); /* CAP-058 */
    assert_string_equal(s->endpoint[3], "http://fact");
    assert_string_equal(s->e[1].location, "dc1");
    expect(s, 1, "d", "the lowest score, though not in our list yet");
    assert_int_equal(pick(s, GB, 1, v).chosen, 3);
    assert_int_equal(v[0].reason, SELECT_WRONG_MODE); /* nobody says its mode */
    assert_int_equal(v[2].rank, 2);
    assert_int_equal(v[1].rank, 3);
    assert_int_equal(snapshot_find(s, "c"), 2);
    assert_int_equal(snapshot_find(s, "cc"), -1);
    snapshot_free(s);

    s = make(e, 0, f, 0, NULL, 1);
    expect(s, 1, "none", "nothing at all");
    assert_int_equal(snapshot_find(s, "a"), -1);
    snapshot_free(s);
    snapshot_free(NULL);
}

/* One fact, one thing about it, one verdict. */
static void
test_facts(void **state)
{
    static const struct {
        const char *why;
        struct snapshot_fact f; /* over a good one */
        int64_t now_s;
        enum select_reason reason;
    } row[] = {
        {"good", {0}, 100, SELECT_CHOSEN},
        {"polled just now by a clock ahead of ours",
         {.age = {-5LL * 1000000000}},
         100,
         SELECT_CHOSEN},
        {"599 s old", {.age = {599LL * 1000000000}}, 100, SELECT_CHOSEN},
        {"older than 600 s is missing (CAP-061)",
         {.age = {600LL * 1000000000}},
         100,
         SELECT_STALE},
        {"it grows old in the snapshot", {0}, 701, SELECT_STALE},
        {"unhealthy (CAP-047)", {.unhealthy = true}, 100, SELECT_UNHEALTHY},
        {"it says itself that it takes none",
         {.unwritable = true},
         100,
         SELECT_UNHEALTHY},
        {"not in the set (CAP-062)",
         {.set = SNAPSHOT_NOT_IN_SET},
         100,
         SELECT_UNLISTED},
        {"Admin has no sets", {.set = SNAPSHOT_NO_SET}, 100, SELECT_CHOSEN},
        {"97 % used: critical, but writes go on",
         {.used = 97 * GB, .available = 3 * GB},
         100,
         SELECT_CHOSEN},
        {"98 % used: full (D07)",
         {.used = 98 * GB, .available = 2 * GB},
         100,
         SELECT_IS_FULL},
        {"its own word wins (ING-114): full",
         {.status = SELECT_FULL + 1},
         100,
         SELECT_IS_FULL},
        {"its own word wins: ok, though 98 % used",
         {.used = 98 * GB, .available = 2 * GB, .status = SELECT_OK + 1},
         100,
         SELECT_CHOSEN},
        {"inodes count like bytes",
         {.inodes_total = 1000, .inodes_available = 20},
         100,
         SELECT_IS_FULL},
        {"and are told where there are none",
         {.inodes_total = 100, .inodes_available = 2},
         100,
         SELECT_NO_INODES},
        {"total 0: an S3 element without a limit (STO-024)",
         {.total = 1},
         100,
         SELECT_NO_SPACE},
        {"less room than asked for",
         {.used = 50 * GB, .available = GB - 1},
         100,
         SELECT_NO_SPACE},
        {"ro", {.mode = SELECT_RO}, 100, SELECT_WRONG_MODE},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        const struct reload_element e = listed("se-01", 1);
        struct snapshot_fact f = fact("se-01", 10);
        struct select_verdict v;
        struct snapshot *s;

        f.age = row[i].f.age;
        f.unhealthy = row[i].f.unhealthy;
        f.unwritable = row[i].f.unwritable;
        f.set = row[i].f.set;
        f.mode = row[i].f.mode;
        f.inodes_total = row[i].f.inodes_total;
        f.inodes_available = row[i].f.inodes_available;
        if (row[i].f.status)
            f.status = row[i].f.status - 1;
        if (row[i].f.used) {
            f.used = row[i].f.used;
            f.available = row[i].f.available;
        }
        if (row[i].f.total)
            f.total = f.used = f.available = 0;
        s = make(&e, 1, &f, 1, NULL, 100);
        (void)pick(s, GB, row[i].now_s, &v);
        if (v.reason != row[i].reason)
            fail_msg("%s: %s", row[i].why, select_reason_name(v.reason));
        if (row[i].f.total) /* full, though what is told is the room */
            assert_int_equal(s->e[0].status, SELECT_FULL);
        snapshot_free(s);
    }
}

/* D07: two points of hysteresis, also across snapshots, and free bytes. */
static void
test_hysteresis(void **state)
{
    static const struct {
        unsigned used;
        enum select_status want;
    } walk[] = {
        {84, SELECT_OK},       {85, SELECT_WARNING},  {84, SELECT_WARNING},
        {83, SELECT_WARNING},  {82, SELECT_OK},       {92, SELECT_CRITICAL},
        {98, SELECT_FULL},     {97, SELECT_FULL},     {96, SELECT_FULL},
        {95, SELECT_CRITICAL}, {91, SELECT_CRITICAL}, {89, SELECT_WARNING},
        {82, SELECT_OK},
    };
    const struct reload_element e = listed("se-01", 1);
    struct snapshot *before = NULL;
    (void)state;

    for (size_t i = 0; i < countof(walk); i++) {
        struct snapshot_fact f = fact("se-01", walk[i].used);
        struct snapshot *s = make(&e, 1, &f, 1, before, 1);

        if (s->e[0].status != walk[i].want)
            fail_msg("step %zu, %u %%: %d", i, walk[i].used, s->e[0].status);
        snapshot_free(before);
        before = s;
    }
    snapshot_free(before);
    {
        const struct reload_list list = {.e = &e, .n = 1};
        struct snapshot_conf c = conf;
        struct snapshot_fact f = fact("se-01", 50);
        struct snapshot *s;

        c.marks.free_below[SELECT_FULL] = 51 * GB; /* the stricter wins */
        assert_int_equal(snapshot_make(&s, &list, &f, 1, NULL, &c, at(1)),
                         ERR_OK);
        assert_int_equal(s->e[0].status, SELECT_FULL);
        snapshot_free(s);
    }
}

/* D08, with the order worked out once. */
static void
test_datacenter(void **state)
{
    const struct reload_element e[] = {listed("a", 1), listed("b", 2),
                                       listed("c", 3)};
    const struct reload_list list = {.e = e, .n = 3};
    struct snapshot_fact f[] = {fact("a", 10), fact("b", 10), fact("c", 10)};
    struct snapshot_conf c = conf;
    struct snapshot *s;
    (void)state;

    f[1].location = f[2].location = "dc2";
    c.datacenter = "dc2";
    assert_int_equal(snapshot_make(&s, &list, f, 3, NULL, &c, at(1)), ERR_OK);
    expect(s, 1, "b", "near, then by priority");
    snapshot_free(s);
    f[1].unhealthy = f[2].unhealthy = true;
    assert_int_equal(snapshot_make(&s, &list, f, 3, NULL, &c, at(1)), ERR_OK);
    expect(s, 1, "a", "far is better than not at all");
    snapshot_free(s);
}

/* What the gateway knows itself: breakers, promises, earlier attempts. */
static void
test_live(void **state)
{
    const struct breaker_conf bc = {.failure_threshold = 1,
                                    .success_threshold = 1,
                                    .open_for = {60LL * 1000000000}};
    const struct reload_element e[] = {listed("a", 1), listed("b", 2),
                                       listed("c", 3), listed("d", 4)};
    const struct snapshot_fact f[] = {fact("a", 50), fact("b", 50),
                                      fact("c", 50), fact("d", 50)};
    struct snapshot *s = make(e, 4, f, 4, NULL, 1), *t;
    struct select_live live[4], next[4];
    struct select_out out[2];
    struct select_verdict v[4];
    struct select_request q = {.size = GB,
                               .mode = SELECT_EDIT,
                               .now = at(2),
                               .live = live,
                               .breakers = &bc,
                               .out = out};
    struct reload_element moved[4];
    uint32_t period;
    (void)state;

    snapshot_carry(NULL, NULL, s, live);
    assert_int_equal(select_pick(&q, s->e, s->order, 4, v).chosen, 0);
    assert_true(breaker_ask(&live[0].breaker, &bc, at(2), &period));
    assert_true(
        breaker_report(&live[0].breaker, &bc, at(2), period, BREAKER_FAILURE));
    assert_int_equal(select_pick(&q, s->e, s->order, 4, v).chosen, 1);
    assert_int_equal(v[0].reason, SELECT_CIRCUIT);
    live[1].promised = 50 * GB; /* uploads under way fill it (D28) */
    assert_int_equal(select_pick(&q, s->e, s->order, 4, v).chosen, 2);
    assert_int_equal(v[1].reason, SELECT_NO_SPACE);
    assert_int_equal(v[1].have, 0);
    live[1].promised = 60 * GB; /* more than there is: no wrap */
    assert_int_equal(select_pick(&q, s->e, s->order, 4, v).chosen, 2);
    assert_int_equal(v[1].have, 0);
    out[0] = (struct select_out){2, SELECT_FAILED};
    out[1] = (struct select_out){3, SELECT_REFUSED};
    q.n_out = 2; /* ING-118 */
    assert_int_equal(select_pick(&q, s->e, s->order, 4, v).chosen, -1);
    assert_int_equal(v[2].reason, SELECT_NO_MORE);
    assert_int_equal(v[3].reason, SELECT_NO_MORE_ROOM);
    assert_int_equal(select_pick(&q, s->e, s->order, 4, NULL).kind,
                     SELECT_LATER);
    q.now = at(62); /* the breaker lets a trial through (ING-145) */
    assert_int_equal(select_pick(&q, s->e, s->order, 4, v).chosen, 0);

    /* ING-151: another endpoint, another breaker; the rest is carried over. */
    memcpy(moved, e, sizeof(e));
    moved[1].endpoint = "http://elsewhere";
    t = make(moved, 4, f, 4, s, 3);
    snapshot_carry(s, live, t, next);
    assert_int_equal(next[0].breaker.state, BREAKER_OPEN);
    assert_int_equal(next[1].promised, 0);
    snapshot_free(t);
    moved[0].endpoint = "http://elsewhere";
    t = make(moved, 4, f, 4, s, 3);
    snapshot_carry(s, live, t, next);
    assert_int_equal(next[0].breaker.state, BREAKER_CLOSED);
    snapshot_free(t);
    snapshot_free(s);
}

/* The order against a naive one, for every size up to 70 and one of 5,000. */
static void
test_order(void **state)
{
    static char id[5000][8];
    struct select_element *e = calloc(5000, sizeof(*e));
    uint32_t *order = calloc(10000, sizeof(*order));
    struct prng r;
    (void)state;

    prng_init(&r, 5);
    assert_true(e && order);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(id[i], sizeof(id[i]), "e%u", i);
        e[i] = (struct select_element){
            .element_id = id[i],
            .location = prng_below(&r, 3) ? "near" : "far",
            .priority = (int)prng_below(&r, 9) - 4,
        };
    }
    for (size_t n = 0; n <= 71; n++) {
        size_t size = n == 71 ? 5000 : n;
        bool *seen = calloc(size + 1, sizeof(*seen));

        select_order(e, size, "near", order, order + 5000);
        for (size_t i = 0; i < size; i++) {
            const struct select_element *a, *b = &e[order[i]];
            bool a_far, b_far = strcmp(b->location, "far") == 0;

            assert_false(seen[order[i]]);
            seen[order[i]] = true;
            if (i == 0)
                continue;
            a = &e[order[i - 1]];
            a_far = strcmp(a->location, "far") == 0;
            if (a_far != b_far)
                assert_true(b_far);
            else if (a->priority != b->priority)
                assert_true(a->priority < b->priority);
            else
                assert_true(strcmp(a->element_id, b->element_id) < 0);
        }
        free(seen);
    }
    free(e);
    free(order);
}

/* The short walk and the full one choose the same. */
static void
test_short_walk(void **state)
{
    struct select_element e[40];
    struct select_verdict v[40];
    uint32_t order[40], scratch[40];
    char id[40][24];
    struct prng r;
    (void)state;

    prng_init(&r, 11);
    for (int round = 0; round < 2000; round++) {
        size_t n = prng_below(&r, 41);
        struct select_request q = {
            .size = prng_below(&r, 10),
            .mode = (enum select_mode)prng_below(&r, 2),
            .fill_width = (unsigned)prng_below(&r, 5),
            .turn = prng_next(&r),
            .now = at(100),
        };
        struct select_result a, b;

        for (size_t i = 0; i < n; i++) {
            snprintf(id[i], sizeof(id[i]), "e%zu", i);
            e[i] = (struct select_element){
                .element_id = id[i],
                .mode = (enum select_mode)prng_below(&r, 4),
                .priority = (int)prng_below(&r, 3),
                .status = (enum select_status)prng_below(&r, 4),
                .available = prng_below(&r, 12),
                .unreachable = prng_below(&r, 8) == 0,
                .unwritable = prng_below(&r, 8) == 0,
                .fresh_until = at((int64_t)prng_below(&r, 500)),
            };
        }
        select_order(e, n, NULL, order, scratch);
        a = select_pick(&q, e, order, n, v);
        b = select_pick(&q, e, order, n, NULL);
        assert_int_equal(a.chosen, b.chosen);
        assert_int_equal(a.kind, b.kind);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),       cmocka_unit_test(test_facts),
        cmocka_unit_test(test_hysteresis), cmocka_unit_test(test_datacenter),
        cmocka_unit_test(test_live),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_short_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
