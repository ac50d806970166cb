/* elements_test.c - tests of elements.h and endpoint.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/elements.h"
#include "wire/endpoint.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* "id=endpoint,priority,mode,location" for each, then what was left out. */
static void
tell(const struct elements *l, struct buf *b)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct element_entry *e = &l->e[i];

        buf_printf(b, "%s=%s,%d,%s,%s ", e->element_id, e->endpoint,
                   e->priority, e->mode < 0 ? "-" : element_mode_text(e->mode),
                   e->location ? e->location : "-");
    }
    if (l->versioned)
        buf_printf(b, "v%llu.%llu ", (unsigned long long)l->generation,
                   (unsigned long long)l->version);
    if (l->stated)
        buf_add_str(b, "stated ");
    if (l->skipped)
        buf_printf(b, "skipped %u: %s", l->skipped, l->why[0]);
}

static void
expect(const char *why, const struct elements *l, const char *want)
{
    struct buf b;

    buf_init(&b, 16 * KIB);
    tell(l, &b);
    if (strcmp(buf_str(&b), want) != 0)
        fail_msg("%s: got \"%s\"", why, buf_str(&b));
    buf_release(&b);
}

#define A "{\"element_id\":\"a\",\"api_url\":\"http://a\"}"

/* REL-009, REL-014, REL-016, REL-019, ADM-044, CNF-028. */
static void
test_read(void **state)
{
    static const struct {
        const char *why, *json, *want;
    } row[] = {
        {"the key's document (REL-009)",
         "{\"storage_elements\": [{\"element_id\": \"dc1-a\", \"api_url\": "
         "\"http://dc1-a\"}, {\"element_id\": \"dc1-b\", \"api_url\": "
         "\"http://dc1-b:8010\", \"priority\": 20}]}",
         "dc1-a=http://dc1-a,100,-,- dc1-b=http://dc1-b:8010,20,-,- "},
        {"as Admin writes it (ADM-044)",
         "{\"generation\":3,\"version\":41,\"published_at\":"
         "\"2026-03-04T05:06:07.089Z\",\"storage_elements\":[{\"element_id\":"
         "\"x1\",\"api_url\":\"https://gw.example/x1\",\"endpoint\":"
         "\"https://gw.example/x1\",\"mode\":\"rw\",\"priority\":5,"
         "\"location\":\"dc4\"}]}",
         "x1=https://gw.example/x1,5,rw,dc4 v3.41 "},
        {"a bare list", "[" A "]", "a=http://a,100,-,- "},
        {"items", "{\"items\":[" A "],\"total\":1}", "a=http://a,100,-,- "},
        {"endpoint for api_url",
         "[{\"element_id\":\"a\",\"endpoint\":\"http://e\"}]",
         "a=http://e,100,-,- "},
        {"api_url wins, whichever comes first",
         "[{\"element_id\":\"a\",\"endpoint\":\"http://e\",\"api_url\":"
         "\"http://u\"},{\"element_id\":\"b\",\"api_url\":\"http://u\","
         "\"endpoint\":\"http://e\"}]",
         "a=http://u,100,-,- b=http://u,100,-,- "},
        {"the named list wins over items",
         "{\"items\":[" A "," A "],\"storage_elements\":[" A "],\"items\":[]}",
         "a=http://a,100,-,- "},
        {"comes out sorted, by bytes",
         "[{\"element_id\":\"b\",\"api_url\":\"http://b\"},{\"element_id\":"
         "\"B\",\"api_url\":\"http://B\"}," A "]",
         "B=http://B,100,-,- a=http://a,100,-,- b=http://b,100,-,- "},
        {"twice: the first stays (REL-019)",
         "[{\"element_id\":\"b\",\"api_url\":\"http://first\"}," A
         ",{\"element_id\":\"b\",\"api_url\":\"http://second\"}]",
         "a=http://a,100,-,- b=http://first,100,-,- skipped 1: b: the "
         "element_id is there twice"},
        {"no id (REL-014)", "[{\"api_url\":\"http://x\"}," A "]",
         "a=http://a,100,-,- skipped 1: an entry without a name: the "
         "element_id is missing or not valid"},
        {"no address", "[{\"element_id\":\"x\"}," A "]",
         "a=http://a,100,-,- skipped 1: x: the api_url is missing or not "
         "valid"},
        {"a typo in the address (REL-145)",
         "[{\"element_id\":\"x\",\"api_url\":\"htp://x\"}," A "]",
         "a=http://a,100,-,- skipped 1: x: the api_url is missing or not "
         "valid"},
        {"an id that is a key elsewhere",
         "[{\"element_id\":\"registry\",\"api_url\":\"http://x\"}]",
         "skipped 1: an entry without a name: the element_id is missing or "
         "not valid"},
        {"an id that would break a line of the log",
         "[{\"element_id\":\"x\\ny\",\"api_url\":\"http://x\"}]",
         "skipped 1: an entry without a name: the element_id is missing or "
         "not valid"},
        {"a priority that is none",
         "[{\"element_id\":\"x\",\"api_url\":\"http://x\",\"priority\":"
         "\"high\"}," A "]",
         "a=http://a,100,-,- skipped 1: x: the priority is not a number"},
        {"half a priority",
         "[{\"element_id\":\"x\",\"api_url\":\"http://x\",\"priority\":1.5}]",
         "skipped 1: x: the priority is not a number that it may be"},
        {"too large a priority",
         "[{\"element_id\":\"x\",\"api_url\":\"http://x\",\"priority\":"
         "99999999999}]",
         "skipped 1: x: the priority is not a number that it may be"},
        {"below zero is allowed",
         "[{\"element_id\":\"x\",\"api_url\":\"http://x\",\"priority\":-7}]",
         "x=http://x,-7,-,- "},
        {"null is absent",
         "[{\"element_id\":\"x\",\"api_url\":\"http://x\",\"priority\":null,"
         "\"mode\":null,\"location\":null}]",
         "x=http://x,100,-,- "},
        {"no such mode",
         "[{\"element_id\":\"x\",\"api_url\":\"http://x\",\"mode\":\"wr\"}]",
         "skipped 1: x: the mode is none"},
        {"not an object", "[7,\"x\",[1,[2]]," A "]",
         "a=http://a,100,-,- skipped 3: an entry without a name: it is not an "
         "object"},
        {"unknown members, nested",
         "[{\"tags\":{\"a\":[1,2,{\"b\":{}}]},\"element_id\":\"a\",\"api_url\":"
         "\"http://a\",\"n\":[]}]",
         "a=http://a,100,-,- "},
        {"escapes in values",
         "[{\"element_id\":\"\\u0061\",\"api_url\":\"http:\\/\\/a\"}]",
         "a=http://a,100,-,- "},
        {"an empty list that says so",
         "{\"version\":9,\"storage_elements\":[]}", "v0.9 stated "},
        {"empty since nothing in it is good: not stated",
         "{\"version\":9,\"storage_elements\":[{}]}",
         "v0.9 skipped 1: an entry without a name: the element_id is missing "
         "or not valid"},
        {"a version in words is only for people (AMB-019)",
         "{\"version\":\"v9\",\"storage_elements\":[" A "]}",
         "a=http://a,100,-,- "},
        {"a version below zero is none",
         "{\"version\":-1,\"storage_elements\":[" A "]}",
         "a=http://a,100,-,- "},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct elements l;
        struct fault f = {0};

        if (elements_read(&l, slice_str(row[i].json), &f) != ERR_OK)
            fail_msg("%s: refused", row[i].why);
        expect(row[i].why, &l, row[i].want);
        elements_release(&l);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *why, *json, *hint;
    } row[] = {
        {"nothing", "", "an end too early"},
        {"not JSON", "<html>", "something that is no value"},
        {"cut short", "{\"storage_elements\":[" A,
         "no comma where one must be"},
        {"cut within an entry", "[{\"element_id\":\"a\"",
         "no comma where one must be"},
        {"no list", "{\"error\":\"unauthorized\"}",
         "there is no list of elements"},
        {"the list is none", "{\"storage_elements\":{}}",
         "there is no list of elements"},
        {"a number", "7", "there is no list of elements"},
        {"something behind it", "[]x", "something behind the value"},
        {"too deep", "[{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}]",
         "too deep nesting"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct elements l;
        struct fault f = {0};

        if (elements_read(&l, slice_str(row[i].json), &f) != ERR_INVAL ||
            !f.hint || strcmp(f.hint, row[i].hint) != 0)
            fail_msg("%s: %s", row[i].why, f.hint ? f.hint : "no hint");
        assert_null(l.e);
        /* The fault need not be wanted. */
        assert_int_equal(elements_read(&l, slice_str(row[i].json), NULL),
                         ERR_INVAL);
    }
}

/* ADM-017: enough for a choice by itself. */
static void
test_numbers(void **state)
{
    static const char json[] =
        "{\"storage_elements\":[{\"element_id\":\"full\",\"api_url\":"
        "\"http://f\",\"mode\":\"edit\",\"priority\":1,\"capacity_total\":1000,"
        "\"capacity_used\":990,\"capacity_free\":10,\"capacity_percent\":99.0,"
        "\"capacity_status\":\"full\",\"health_status\":\"healthy\","
        "\"inodes_total\":50,\"inodes_available\":40,\"writable\":true,"
        "\"last_updated\":\"2026-01-02T03:04:05Z\"},{\"element_id\":\"part\","
        "\"api_url\":\"http://p\",\"capacity_total\":1000},{\"element_id\":"
        "\"ro\",\"api_url\":\"http://r\",\"capacity_total\":1,"
        "\"capacity_used\":1,\"capacity_free\":0,\"writable\":false},"
        "{\"element_id\":\"sick\",\"api_url\":\"http://s\",\"health_status\":"
        "\"unavailable\",\"capacity_total\":7,\"capacity_used\":-1,"
        "\"capacity_free\":7}]}";
    struct elements l;
    (void)state;

    assert_int_equal(elements_read(&l, slice_str(json), NULL), ERR_OK);
    assert_int_equal(l.n, 4);
    assert_true(l.e[0].has_capacity && !l.e[0].unhealthy);
    assert_int_equal(l.e[0].total, 1000);
    assert_int_equal(l.e[0].used, 990);
    assert_int_equal(l.e[0].available, 10);
    assert_int_equal(l.e[0].status, 3);
    assert_int_equal(l.e[0].inodes_total, 50);
    assert_int_equal(l.e[0].inodes_available, 40);
    assert_true(l.e[0].last_updated.ms == 1767323045000);
    assert_false(l.e[1].has_capacity); /* not all of it: none of it */
    assert_int_equal(l.e[1].status, -1);
    assert_true(l.e[2].unhealthy);
    assert_true(l.e[3].unhealthy);
    assert_false(l.e[3].has_capacity); /* -1 is no number of bytes */
    elements_release(&l);
}

#define P(a, b)                  \
    {                            \
        SLICE_OF(a), SLICE_OF(b) \
    }
#define SLICE_OF(s)      \
    {                    \
        s, sizeof(s) - 1 \
    }

/* REL-010...REL-013: as hashes and as JSON in strings, and mixed. */
static void
test_maps(void **state)
{
    static const struct elements_pair reg[] = {
        P("b", "http://b"), P("a", "http://a"), P("bad id", "http://x"),
        P("c", "c.example"), P("z\0q", "http://z")};
    static const struct elements_pair prio[] = {P("a", "7"), P("gone", "1"),
                                                P("b", "soon")};
    const struct elements_map regs = {.pair = reg, .n = countof(reg)};
    const struct elements_map prios = {.pair = prio, .n = countof(prio)};
    const struct elements_map reg_json = {
        .json = SLICE("{\"b\":\"http://b\",\"a\":\"http://a\"}")};
    const struct elements_map prio_json = {.json =
                                               SLICE("{\"a\":7,\"b\":\"-3\"}")};
    const struct elements_map none = {0};
    const struct elements_map bad = {.json = SLICE("[1]")};
    struct elements l;
    struct fault f;
    (void)state;

    assert_int_equal(elements_read_maps(&l, &regs, &prios, &f), ERR_OK);
    assert_int_equal(l.skipped, 4);
    expect("hashes", &l,
           "a=http://a,7,-,- skipped 4: an entry without a name: the "
           "element_id is missing or not valid");
    elements_release(&l);
    assert_int_equal(elements_read_maps(&l, &reg_json, &prio_json, &f), ERR_OK);
    expect("JSON", &l, "a=http://a,7,-,- b=http://b,-3,-,- ");
    elements_release(&l);
    assert_int_equal(elements_read_maps(&l, &reg_json, &none, &f), ERR_OK);
    expect("no priorities", &l, "a=http://a,100,-,- b=http://b,100,-,- ");
    elements_release(&l);
    assert_int_equal(elements_read_maps(&l, &none, &prios, &f), ERR_OK);
    expect("no registry: empty, and nobody says so", &l, "");
    elements_release(&l);
    assert_int_equal(elements_read_maps(&l, &bad, &none, &f), ERR_INVAL);
    assert_int_equal(elements_read_maps(&l, &reg_json, &bad, NULL), ERR_INVAL);
}

static void
test_write(void **state)
{
    struct element_entry e[] = {
        {.element_id = "a", .endpoint = "http://a", .mode = -1, .priority = 7},
        {.element_id = "b",
         .endpoint = "https://b:1/x",
         .location = "dc2",
         .mode = 1,
         .priority = -2},
    };
    struct elements out = {.e = e,
                           .n = 2,
                           .versioned = true,
                           .generation = 2,
                           .version = 9,
                           .published_at = {1767323045006}};
    struct elements in;
    struct buf b;
    (void)state;

    buf_init(&b, 4 * KIB);
    assert_true(elements_write(&b, &out));
    assert_string_equal(
        buf_str(&b),
        "{\"generation\":2,\"version\":9,\"published_at\":"
        "\"2026-01-02T03:04:05.006Z\",\"storage_elements\":[{\"element_id\":"
        "\"a\",\"api_url\":\"http://a\",\"endpoint\":\"http://a\","
        "\"priority\":7},{\"element_id\":\"b\",\"api_url\":\"https://b:1/x\","
        "\"endpoint\":\"https://b:1/x\",\"mode\":\"rw\",\"priority\":-2,"
        "\"location\":\"dc2\"}]}");
    assert_int_equal(elements_read(&in, buf_slice(&b), NULL), ERR_OK);
    expect("what is written can be read", &in,
           "a=http://a,7,-,- b=https://b:1/x,-2,rw,dc2 v2.9 ");
    assert_true(in.published_at.ms == 1767323045006);
    elements_release(&in);
    buf_release(&b);
    buf_init(&b, 50); /* a ceiling */
    assert_false(elements_write(&b, &out));
    buf_release(&b);
}

static void
test_ceiling(void **state)
{
    struct buf b;
    struct elements l;
    (void)state;

    buf_init(&b, 64 * MIB);
    buf_add_char(&b, '[');
    for (unsigned i = 0; i <= ELEMENTS_MAX; i++)
        buf_printf(&b, "%s{\"element_id\":\"e%u\",\"api_url\":\"http://a\"}",
                   i ? "," : "", i);
    buf_add_char(&b, ']');
    assert_false(b.failed);
    assert_int_equal(elements_read(&l, buf_slice(&b), NULL), ERR_TOOBIG);
    buf_release(&b);
    assert_int_equal(
        elements_read(&l, slice_of("", ELEMENTS_TEXT_MAX + 1), NULL),
        ERR_TOOBIG);
}

/* CAP-012. */
static void
test_url(void **state)
{
    static const struct {
        const char *endpoint, *want;
    } row[] = {
        {"http://se:8010", "http://se:8010/api/v1/capacity"},
        {"http://se:8010/", "http://se:8010/api/v1/capacity"},
        {"https://gw/dc2/se", "https://gw/dc2/se/api/v1/capacity"},
        {"https://gw/dc2/se//", "https://gw/dc2/se/api/v1/capacity"},
    };
    char out[64];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        assert_true(
            element_url(row[i].endpoint, "/api/v1/capacity", out, sizeof(out)));
        assert_string_equal(out, row[i].want);
    }
    assert_false(element_url("http://se", "/api/v1/capacity", out, 20));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_maps),
        cmocka_unit_test(test_write),   cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
