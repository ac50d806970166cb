/* place_test.c - which element, and what is said when there is none. The rules
 * themselves are tested with core/select.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/registry_mem.h"
#include "role/ingest/impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <jansson.h>

static struct {
    struct ingest g;
    struct registry_mem registry;
    struct blob_mem element[REGISTRY_MEM_MAX];
    struct refusal refusal;
    struct buf details;
} w;

static void
add(enum blob_mode mode, uint64_t available)
{
    unsigned i = w.registry.n;
    char id[16];

    (void)snprintf(id, sizeof(id), "se-%02u", i);
    blob_mem_init(&w.element[i], id, mode);
    w.element[i].shows.available = available;
    registry_mem_add(&w.registry, &w.element[i]);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    registry_mem_init(&w.registry);
    w.g.conf.registry = &w.registry.registry;
    w.g.conf.datacenter = "";
    w.g.conf.fill_width = 1;
    buf_init(&w.details, VERDICTS_MAX);
    add(BLOB_EDIT, 10 * MIB);
    add(BLOB_EDIT, 100 * GIB);
    add(BLOB_RW, 100 * GIB);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < w.registry.n; i++)
        blob_mem_release(&w.element[i]);
    buf_release(&w.details);
    return 0;
}

/* The element's number, or -1. */
static int
choose(const struct place *p)
{
    struct place q = *p;
    struct blob *b;

    w.refusal = (struct refusal){0};
    b = place_choose(&w.g, NULL, &q, &w.refusal, &w.details);
    for (unsigned i = 0; b && i < w.registry.n; i++)
        if (b == &w.element[i].blob)
            return (int)i;
    return -1;
}

static void
test_choice(void **state)
{
    static const struct {
        enum retention retention;
        uint64_t size;
        int chosen;
        const char *why;
    } row[] = {
        {RETENTION_TEMPORARY, 1, 0, "the first that has room"},
        {RETENTION_TEMPORARY, 11 * MIB, 1, "the first has not"},
        {RETENTION_TEMPORARY, BLOB_SIZE_UNKNOWN, 1, "a step of 64 MiB (D28)"},
        {RETENTION_PERMANENT, 1, 2, "mode rw"},
        {RETENTION_TEMPORARY, 1024 * GIB, -1, "nowhere"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct place p = {.retention = row[i].retention, .size = row[i].size};
        int got = choose(&p);

        if (got != row[i].chosen)
            fail_msg("%s: %d", row[i].why, got);
    }
    assert_int_equal(w.refusal.status, 507);
}

/* Who refused for want of room is full (507), who failed may come back (503);
 * at most EXCLUDED_MAX are remembered. */
static void
test_excluded(void **state)
{
    struct place p = {.retention = RETENTION_TEMPORARY, .size = 1};
    (void)state;

    assert_true(place_exclude(&p, "se-00", true));
    assert_int_equal(choose(&p), 1);
    assert_true(place_exclude(&p, "se-01", true));
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 507);
    p.excluded[1].room = false;
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 503);
    while (p.n_excluded < EXCLUDED_MAX)
        assert_true(place_exclude(&p, "x", false));
    assert_false(place_exclude(&p, "se-02", false));
}

/* D06: why for each, however many they are, as JSON. */
static void
test_details_of_many(void **state)
{
    struct place p = {.retention = RETENTION_PERMANENT, .size = 2048 * GIB};
    json_t *j;
    (void)state;

    while (w.registry.n < REGISTRY_MEM_MAX)
        add(BLOB_RW, MIB);
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 507);
    j = json_loadb(w.details.p, w.details.n, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(j, "elements")),
                     REGISTRY_MEM_MAX);
    json_decref(j);
}

static void
test_no_element(void **state)
{
    struct place p = {.retention = RETENTION_PERMANENT};
    (void)state;

    w.registry.n = 2;
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 503);
    assert_non_null(strstr(w.refusal.text, "no storage element of mode rw"));
    w.registry.n = 3;
    w.element[2].shows.writable = false; /* in trouble */
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 503);
    w.element[2].shows.writable = true;
    w.element[2].shows.status = BLOB_FULL;
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 507);
    assert_null(strstr(w.refusal.text, "unknown length"));
    p.size = BLOB_SIZE_UNKNOWN; /* which a pipe cannot know by itself */
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 507);
    assert_non_null(strstr(w.refusal.text, "64 MiB"));
    assert_non_null(strstr(w.refusal.text, "Content-Length"));
    assert_non_null(strstr(w.refusal.text, "say why for each"));
}

/* Of a full element, how full; of one without inodes, that. */
static void
test_full(void **state)
{
    struct place p = {.retention = RETENTION_PERMANENT, .size = 1};
    struct blob_capacity *c = &w.element[2].shows;
    (void)state;

    c->status = BLOB_FULL;
    c->total = 1000;
    c->used = 983;
    c->inodes_total = 200;
    c->inodes_available = 150;
    assert_int_equal(choose(&p), -1);
    assert_non_null(strstr(buf_str(&w.details),
                           "is over its full mark: 98.30 % of its bytes are "
                           "used, 25.00 % of its inodes"));
    c->inodes_available = 0;
    assert_int_equal(choose(&p), -1);
    assert_int_equal(w.refusal.status, 507);
    assert_non_null(strstr(buf_str(&w.details),
                           "has too few free inodes: 3 are needed, 0 are "
                           "free"));
}

/* SELECTOR_FILL_WIDTH (D08): by turns among the open ones. */
static void
test_width(void **state)
{
    struct place p = {.retention = RETENTION_TEMPORARY, .size = 1};
    unsigned seen[2] = {0, 0};
    (void)state;

    w.g.conf.fill_width = 2;
    for (unsigned i = 0; i < 10; i++)
        seen[choose(&p)]++;
    assert_int_equal(seen[0], 5);
    assert_int_equal(seen[1], 5);
}

/* D04: what a stream of unknown length grew to tells where the next ones go,
 * for a while. */
static void
test_outgrown(void **state)
{
    struct mono now = {1}, later = mono_add(now, STREAM_MEMORY);
    (void)state;

    assert_int_equal(place_stream_need(&w.g, now), 0);
    /* A step more than it had, and what stands beside the file. */
    assert_true(place_outgrown(&w.g, 64 * MIB + 1, now) > 128 * MIB);
    assert_true(place_stream_need(&w.g, now) > 128 * MIB);
    assert_true(place_stream_need(&w.g, now) < 129 * MIB);
    (void)place_outgrown(&w.g, GIB, now);
    assert_true(place_outgrown(&w.g, 1, now) < 65 * MIB);
    assert_true(place_stream_need(&w.g, now) > GIB); /* the most of them */
    now.ns++;
    assert_true(place_stream_need(&w.g, now) > GIB);
    assert_int_equal(place_stream_need(&w.g, later), 0);
    (void)place_outgrown(&w.g, 1, later); /* of an age gone by: forgotten */
    assert_true(place_stream_need(&w.g, later) < 65 * MIB);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_choice),     T(test_excluded), T(test_details_of_many),
        T(test_no_element), T(test_width),    T(test_outgrown),
        T(test_full),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
