/* select_test.c - tests of select.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/select.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define GB ((uint64_t)1 << 30)

/* Elements as written in a row: "id mode priority", then what is wrong. */
static struct select_element
element(const char *id, enum select_mode mode, int priority)
{
    return (struct select_element){.element_id = id,
                                   .location = "dc1",
                                   .mode = mode,
                                   .priority = priority,
                                   .available = 10 * GB,
                                   .inodes_total = 1000,
                                   .inodes_available = 500};
}

static const struct select_request temporary = {
    .size = GB, .unknown_need = 64 * MIB, .mode = SELECT_EDIT};

/* One element, one thing about it, one verdict. */
static void
test_reasons(void **state)
{
    static const struct {
        const char *why;
        struct select_element e; /* over a good one: see below */
        uint64_t size;
        enum select_reason reason;
        enum select_kind kind;
    } row[] = {
        {"good", {0}, GB, SELECT_CHOSEN, SELECT_YES},
        {"warning: writes go on (ING-113)",
         {.status = SELECT_WARNING},
         GB,
         SELECT_CHOSEN,
         SELECT_YES},
        {"critical: writes go on",
         {.status = SELECT_CRITICAL},
         GB,
         SELECT_CHOSEN,
         SELECT_YES},
        {"full: ING-108",
         {.status = SELECT_FULL},
         1,
         SELECT_IS_FULL,
         SELECT_ROOM},
        {"full, and of inodes: these are told",
         {.status = SELECT_FULL, .inodes_available = 0},
         1,
         SELECT_NO_INODES,
         SELECT_ROOM},
        {"full, and short of bytes: these are told",
         {.status = SELECT_FULL, .available = 1},
         2,
         SELECT_NO_SPACE,
         SELECT_ROOM},
        {"rw is not for TEMPORARY (ING-106)",
         {.mode = SELECT_RW},
         GB,
         SELECT_WRONG_MODE,
         SELECT_NEVER},
        {"ro", {.mode = SELECT_RO}, GB, SELECT_WRONG_MODE, SELECT_NEVER},
        {"ar", {.mode = SELECT_AR}, GB, SELECT_WRONG_MODE, SELECT_NEVER},
        {"just fits", {0}, 10 * GB, SELECT_CHOSEN, SELECT_YES},
        {"one byte over (ING-111)",
         {0},
         10 * GB + 1,
         SELECT_NO_SPACE,
         SELECT_ROOM},
        {"an empty file needs no bytes",
         {.available = 0},
         0,
         SELECT_CHOSEN,
         SELECT_YES},
        {"unknown size asks for one step",
         {.available = 64 * MIB},
         SELECT_SIZE_UNKNOWN,
         SELECT_CHOSEN,
         SELECT_YES},
        {"unknown size, no step left",
         {.available = 64 * MIB - 1},
         SELECT_SIZE_UNKNOWN,
         SELECT_NO_SPACE,
         SELECT_ROOM},
        {"inodes count like bytes (D07)",
         {.inodes_available = 2},
         1,
         SELECT_NO_INODES,
         SELECT_ROOM},
        {"no inodes to count",
         {.inodes_total = 0, .inodes_available = 0},
         1,
         SELECT_CHOSEN,
         SELECT_YES},
        {"failed before (ING-118)",
         {.excluded = SELECT_FAILED},
         1,
         SELECT_NO_MORE,
         SELECT_LATER},
        {"said 507 before",
         {.excluded = SELECT_REFUSED},
         1,
         SELECT_NO_MORE_ROOM,
         SELECT_ROOM},
        {"down", {.unreachable = true}, 1, SELECT_UNREACHABLE, SELECT_LATER},
        {"breaker", {.circuit_open = true}, 1, SELECT_CIRCUIT, SELECT_LATER},
        {"old numbers (CAP-061)",
         {.stale = true},
         1,
         SELECT_STALE,
         SELECT_LATER},
        {"went read-only by itself (D24)",
         {.unwritable = true},
         1,
         SELECT_UNHEALTHY,
         SELECT_LATER},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct select_element e = element("se-01", row[i].e.mode, 100);
        struct select_request q = temporary;
        struct select_verdict v;
        struct select_result r;

        e.status = row[i].e.status;
        e.excluded = row[i].e.excluded;
        e.unreachable = row[i].e.unreachable;
        e.circuit_open = row[i].e.circuit_open;
        e.stale = row[i].e.stale;
        e.unwritable = row[i].e.unwritable;
        if (strstr(row[i].why, "inodes")) {
            e.inodes_available = row[i].e.inodes_available;
            if (strstr(row[i].why, "no inodes"))
                e.inodes_total = 0;
        }
        if (row[i].e.available || strstr(row[i].why, "empty"))
            e.available = row[i].e.available;
        q.size = row[i].size;
        r = select_run(&q, &e, 1, &v);
        if (v.reason != row[i].reason || r.kind != row[i].kind ||
            (r.chosen == 0) != (row[i].reason == SELECT_CHOSEN))
            fail_msg("%s: %s", row[i].why, select_reason_name(v.reason));
    }
}

static void
expect(const struct select_request *q, const struct select_element *e, size_t n,
       const char *want, const char *why)
{
    struct select_result r = select_run(q, e, n, NULL);
    const char *got = r.chosen < 0 ? "none" : e[r.chosen].element_id;

    if (strcmp(got, want) != 0)
        fail_msg("%s: got %s, want %s", why, got, want);
}

/* ING-107, ING-109, ING-110. */
static void
test_order(void **state)
{
    struct select_element e[] = {
        element("se-03", SELECT_EDIT, 50),  element("se-02", SELECT_EDIT, 50),
        element("se-01", SELECT_EDIT, 100), element("se-00", SELECT_RW, 1),
        element("se-10", SELECT_EDIT, -5),
    };
    struct select_request q = temporary;
    (void)state;

    expect(&q, e, 5, "se-10", "the lowest number first, also below zero");
    e[4].status = SELECT_FULL;
    expect(&q, e, 5, "se-02", "same priority: by id");
    e[1].available = 1;
    expect(&q, e, 5, "se-03", "the next when it has no room");
    e[0].excluded = SELECT_FAILED;
    expect(&q, e, 5, "se-01", "the next priority");
    e[2].unreachable = true;
    expect(&q, e, 5, "none", "nobody is left");
    q.mode = select_mode_of(1);
    expect(&q, e, 5, "se-00", "PERMANENT goes to rw");
    expect(&q, e, 0, "none", "no elements at all");
    q.size = 9;
    q.reserve = 10 * GB;
    expect(&q, e, 5, "none", "the reserve counts (ING-111)");
    q.size = UINT64_MAX - 1;
    expect(&q, e, 5, "none", "a sum beyond 64 bits does not wrap");
}

/* D28: numbers are seconds old, so nobody is refused by them alone; but by the
 * element's own word, and by all that is no number. */
static void
test_doubted(void **state)
{
    struct select_element e[] = {
        element("se-01", SELECT_EDIT, 1), element("se-02", SELECT_EDIT, 2),
        element("se-03", SELECT_EDIT, 3), element("se-04", SELECT_EDIT, 4),
        element("se-05", SELECT_RW, 5),
    };
    struct select_request q = temporary;
    (void)state;

    q.size = 10 * GB;
    for (int i = 0; i < 5; i++)
        e[i].available = (uint64_t)i;
    e[3].unreachable = true;
    expect(&q, e, 5, "none", "by the numbers");
    assert_int_equal(select_doubted(&q, e, 5).chosen, 2); /* has most */
    e[2].excluded = SELECT_REFUSED;
    assert_int_equal(select_doubted(&q, e, 5).chosen, 1);
    e[1].inodes_total = 100;
    assert_int_equal(select_doubted(&q, e, 5).chosen, 1);
    e[1].excluded = SELECT_FAILED;
    e[0].status = SELECT_FULL;
    assert_int_equal(select_doubted(&q, e, 5).chosen, -1);
    assert_int_equal(select_doubted(&q, e, 5).kind, SELECT_ROOM);
}

/* D08: a near element wins over a better priority. */
static void
test_datacenter(void **state)
{
    struct select_element e[] = {
        element("se-01", SELECT_EDIT, 10),
        element("se-02", SELECT_EDIT, 90),
        element("se-03", SELECT_EDIT, 20),
    };
    struct select_request q = temporary;
    (void)state;

    e[1].location = "dc2";
    e[2].location = NULL;
    q.datacenter = "dc2";
    expect(&q, e, 3, "se-02", "the near one");
    e[1].status = SELECT_FULL;
    expect(&q, e, 3, "se-01", "then the others in their order");
    q.datacenter = "";
    expect(&q, e, 3, "se-01", "no preference");
    q.datacenter = "dc9";
    expect(&q, e, 3, "se-01", "a place where nobody is");
}

static void
test_fill_width(void **state)
{
    struct select_element e[4] = {
        element("se-01", SELECT_EDIT, 1), element("se-02", SELECT_EDIT, 2),
        element("se-03", SELECT_EDIT, 3), element("se-04", SELECT_EDIT, 4)};
    struct select_request q = temporary;
    struct select_verdict v[4];
    unsigned hits[4] = {0};
    (void)state;

    q.fill_width = 2;
    for (q.turn = 0; q.turn < 100; q.turn++)
        hits[select_run(&q, e, 4, v).chosen]++;
    assert_int_equal(hits[0], 50);
    assert_int_equal(hits[1], 50);
    assert_int_equal(hits[2] + hits[3], 0);
    assert_int_equal(v[2].reason, SELECT_WAITS);

    e[0].status = SELECT_FULL; /* the window moves on */
    memset(hits, 0, sizeof(hits));
    for (q.turn = 0; q.turn < 100; q.turn++)
        hits[select_run(&q, e, 4, v).chosen]++;
    assert_int_equal(hits[1], 50);
    assert_int_equal(hits[2], 50);

    q.fill_width = 64; /* wider than there are */
    memset(hits, 0, sizeof(hits));
    for (q.turn = UINT64_MAX - 29; q.turn != 0; q.turn++)
        hits[select_run(&q, e, 4, v).chosen]++;
    assert_true(hits[1] > 5 && hits[2] > 5 && hits[3] > 5);
    q.fill_width = 0; /* means 1 */
    q.turn = 77;
    expect(&q, e, 4, "se-02", "width 0");
}

/* What the client is told when nothing was found. */
static void
test_kind(void **state)
{
    struct select_element e[3] = {element("a", SELECT_EDIT, 1),
                                  element("b", SELECT_EDIT, 2),
                                  element("c", SELECT_RW, 3)};
    struct select_request q = temporary;
    (void)state;

    e[0].status = SELECT_FULL;
    e[1].available = 0;
    assert_int_equal(select_run(&q, e, 3, NULL).kind, SELECT_ROOM); /* 507 */
    e[1].unreachable = true; /* it may have room when it is back: 503 */
    assert_int_equal(select_run(&q, e, 3, NULL).kind, SELECT_LATER);
    assert_int_equal(select_run(&q, e + 2, 1, NULL).kind, SELECT_NEVER);
    assert_int_equal(select_run(&q, e, 0, NULL).kind, SELECT_NEVER);
}

static void
test_explain(void **state)
{
    struct select_element e[2] = {element("se-01", SELECT_EDIT, 1),
                                  element("se-02", SELECT_EDIT, 2)};
    struct select_request q = temporary;
    struct select_verdict v[2];
    char text[160];
    (void)state;

    e[0].available = 5;
    q.size = 7;
    q.reserve = 1;
    (void)select_run(&q, e, 2, v);
    assert_string_equal(select_explain(&v[0], text, sizeof(text)),
                        "has too little room: 8 bytes are needed, 5 bytes are "
                        "free");
    assert_string_equal(select_explain(&v[1], text, sizeof(text)), "is chosen");
    v[0].need = (uint64_t)30 << 20;
    v[0].have = 23715840;
    assert_string_equal(select_explain(&v[0], text, sizeof(text)),
                        "has too little room: 30.0 MiB are needed, 22.6 MiB "
                        "are free");
    v[0].have = v[0].need - 1;
    assert_string_equal(select_explain(&v[0], text, sizeof(text)),
                        "has too little room: 31457280 bytes are needed, "
                        "31457279 bytes are free");
    v[0].need = UINT64_MAX;
    assert_string_equal(select_explain(&v[0], text, sizeof(text)),
                        "has too little room: 16.0 EiB are needed, 30.0 MiB "
                        "are free");
    assert_int_equal(v[0].rank, 1);
    assert_int_equal(v[1].rank, 2);
    assert_string_equal(select_explain(&v[1], text, 4), "is ");
    for (int r = 0; r < SELECT_REASON_COUNT; r++) {
        assert_true(select_reason_name((enum select_reason)r)[0] != 0);
        assert_true(select_reason_kind((enum select_reason)r) <= SELECT_NEVER);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_doubted),    cmocka_unit_test(test_datacenter),
        cmocka_unit_test(test_fill_width), cmocka_unit_test(test_kind),
        cmocka_unit_test(test_explain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
