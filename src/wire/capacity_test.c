/* capacity_test.c - tests of capacity.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/capacity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* As role/common/capacity.c writes it. */
static const char whole[] =
    "{\"storage_id\":\"se-dc4-07\",\"element_id\":\"se-dc4-07\","
    "\"element_uuid\":\"0198c1f2-1d3e-7c40-8123-0123456789ab\",\"mode\":\"rw\","
    "\"total\":4000787030016,\"used\":1500295136256,"
    "\"available\":2500491893760,\"percent_used\":37.5,\"reserved\":67108864,"
    "\"inodes_total\":244195328,\"inodes_available\":244000000,"
    "\"status\":\"ok\",\"capacity_status\":\"ok\",\"health\":\"healthy\","
    "\"writable\":true,\"backend\":\"local\",\"pool_id\":\"8:1\","
    "\"location\":\"dc4\",\"endpoint\":\"\",\"priority\":40,\"files\":12345,"
    "\"bytes\":1500000000000,\"inodes\":{\"total\":244195328,\"available\":"
    "244000000},\"boot\":3,\"seq\":99,\"last_update\":"
    "\"2026-02-03T04:05:06.700Z\",\"now\":\"2026-02-03T04:05:07.000Z\","
    "\"capacity\":{\"total\":1,\"used\":1,\"available\":0}}";

static void
test_whole(void **state)
{
    struct capacity_error e;
    struct capacity c;
    (void)state;

    if (!capacity_read(&c, slice_str(whole), "se-dc4-07", &e))
        fail_msg("%s", e.text);
    assert_string_equal(c.element_id, "se-dc4-07");
    assert_int_equal(c.mode, 1);
    assert_true(c.total == 4000787030016 && c.used == 1500295136256);
    assert_true(c.available == 2500491893760 && c.reserved == 67108864);
    assert_int_equal(c.percent, 3750);
    assert_int_equal(c.health, CAPACITY_HEALTHY);
    assert_string_equal(c.backend, "local");
    assert_string_equal(c.location, "dc4");
    assert_string_equal(c.pool_id, "8:1");
    assert_int_equal(c.status, 0);
    assert_false(c.unwritable);
    assert_true(c.inodes_total == 244195328);
    assert_true(c.inodes_available == 244000000);
    assert_true(c.files == 12345 && c.bytes == 1500000000000);
    assert_true(c.boot == 3 && c.seq == 99);
    assert_true(c.last_update.ms == 1770091506700);
    assert_true(c.now.ms == 1770091507000);
    assert_true(c.last_poll.ms == 0);
    assert_false(uuid_is_nil(&c.element_uuid));
}

/* A good small answer with one member put in front of it: the first counts. */
#define REST                                                          \
    "\"storage_id\":\"a\",\"mode\":\"edit\",\"total\":10,\"used\":4," \
    "\"available\":6}"

/* CAP-043, STO-018, STO-022...STO-025. */
static void
test_rows(void **state)
{
    static const struct {
        const char *why, *json, *error; /* NULL: good */
    } row[] = {
        {"the least", "{" REST, NULL},
        {"unknown members", "{\"x\":{\"y\":[1,{}]},\"z\":null," REST, NULL},
        {"numbers in the object alone",
         "{\"storage_id\":\"a\",\"mode\":\"ar\",\"capacity\":{\"total\":10,"
         "\"used\":4,\"available\":6}}",
         NULL},
        {"element_id for storage_id",
         "{\"element_id\":\"a\",\"mode\":\"ro\",\"total\":1,\"used\":1,"
         "\"available\":0}",
         NULL},
        {"numbers as text, as the hash has them", "{\"total\":\"10\"," REST,
         NULL},
        {"more used than there is (S3, STO-022)",
         "{\"total\":3,\"used\":9,\"available\":0," REST, NULL},
        {"no limit of inodes is any number",
         "{\"inodes_total\":0,\"inodes_available\":18446744073709551615," REST,
         NULL},
        {"a status that we do not know", "{\"status\":\"odd\"," REST, NULL},
        {"a reason longer than its room",
         "{\"health\":\"unhealthy: 0123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789012345678901234567890123"
         "45678901234567890123456789\"," REST,
         NULL},

        {"another element (CAP-043)", "{\"storage_id\":\"b\"," REST,
         "it is the answer of another element"},
        {"no id", "{\"mode\":\"rw\",\"total\":1,\"used\":1,\"available\":0}",
         "it lacks storage_id"},
        {"an id that is none", "{\"storage_id\":\"a b\"," REST,
         "it has a wrong storage_id"},
        {"null is absent",
         "{\"storage_id\":\"a\",\"mode\":null,\"total\":1,\"used\":1,"
         "\"available\":0}",
         "it lacks mode"},
        {"no such mode", "{\"mode\":\"write\"," REST, "it has a wrong mode"},
        {"below zero", "{\"used\":-1," REST, "it has a wrong used"},
        {"a fraction of a byte", "{\"total\":10.5," REST,
         "it has a wrong total"},
        {"an exponent", "{\"total\":1e3," REST, "it has a wrong total"},
        {"beyond 63 bits", "{\"total\":9223372036854775808," REST,
         "it has a wrong total"},
        {"a word", "{\"available\":true," REST, "it has a wrong available"},
        {"a number that is empty text", "{\"total\":\"\"," REST,
         "it has a wrong total"},
        {"more free than there is", "{\"available\":11," REST,
         "more is available than there is in all"},
        {"the same of inodes",
         "{\"inodes_total\":1,\"inodes_available\":2," REST,
         "more inodes are available than there are"},
        {"a time that is none", "{\"last_update\":\"yesterday\"," REST,
         "it has a wrong last_update"},
        {"not a number of percent", "{\"percent_used\":\"40%\"," REST,
         "it has a wrong percent_used"},
        {"too long a location",
         "{\"location\":\"0123456789012345678901234567890123456789012345678901"
         "2345678901234\"," REST,
         "it has a wrong location"},
        {"a login page of a proxy", "<!DOCTYPE html>",
         "it is no JSON object: something that is no value"},
        {"a list", "[1]", "it is no JSON object: it is something else"},
        {"nothing", "", "it is no JSON object: an end too early"},
        {"cut", "{\"storage_id\":\"a\",\"mode\":\"edit\"",
         "it is no JSON object: no comma where one must be"},
        {"two answers", "{" REST "{}",
         "it is no JSON object: something behind the value"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct capacity_error e = {""};
        struct capacity c;
        bool ok = capacity_read(&c, slice_str(row[i].json), "a", &e);

        if (ok != (row[i].error == NULL) ||
            (!ok && strcmp(e.text, row[i].error) != 0))
            fail_msg("%s: %s", row[i].why, ok ? "accepted" : e.text);
    }
    {
        struct capacity c;
        struct capacity_error e;

        /* Nobody expects anything; the percentage is worked out. */
        assert_true(capacity_read(&c, SLICE("{" REST), NULL, &e));
        assert_int_equal(c.percent, 4000);
        assert_int_equal(c.status, -1);
        assert_false(
            capacity_read(&c, slice_of("", CAPACITY_TEXT_MAX + 1), NULL, &e));
        assert_string_equal(e.text, "it is too long");
    }
}

static void
test_percent(void **state)
{
    static const struct {
        const char *text;
        int want; /* -1: wrong */
    } row[] = {{"0", 0},
               {"37.5", 3750},
               {"37.05", 3705},
               {"99.999", 9999},
               {"150.25", 15025},
               {"7.", -1},
               {".5", -1},
               {"1.2x", -1},
               {"1.234x", -1},
               {"-1", -1},
               {"1e2", -1},
               {"99999999", -1},
               {"12.3456789012345678901", 1234}};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char json[200];
        struct capacity c;
        struct capacity_error e;
        bool ok;

        snprintf(json, sizeof(json), "{\"percent_used\":\"%s\"," REST,
                 row[i].text);
        ok = capacity_read(&c, slice_str(json), NULL, &e);
        if (ok != (row[i].want >= 0) || (ok && (int)c.percent != row[i].want))
            fail_msg("%s: %u", row[i].text, ok ? c.percent : 0);
    }
}

/* CAP-044...CAP-046: names and order of the fields, and back again. */
static void
test_hash(void **state)
{
    struct capacity c, d;
    struct capacity_fields f;
    struct capacity_error e;
    struct buf b;
    (void)state;

    assert_true(capacity_read(&c, slice_str(whole), NULL, &e));
    c.last_poll.ms = 1770091508000;
    snprintf(c.endpoint, sizeof(c.endpoint), "https://gw.example/dc4/07");
    c.health = CAPACITY_UNHEALTHY;
    snprintf(c.reason, sizeof(c.reason), "timeout");
    capacity_write_fields(&c, &f);
    buf_init(&b, 4 * KIB);
    for (size_t i = 0; i < f.n; i++)
        buf_printf(&b, "%.*s=%.*s ", SLICE_ARG(f.f[i].name),
                   SLICE_ARG(f.f[i].value));
    assert_string_equal(
        buf_str(&b),
        "storage_id=se-dc4-07 mode=rw total=4000787030016 used=1500295136256 "
        "available=2500491893760 percent_used=37.50 health=unhealthy: timeout "
        "backend=local location=dc4 last_update=2026-02-03T04:05:06.700Z "
        "last_poll=2026-02-03T04:05:08.000Z endpoint=https://gw.example/dc4/07 "
        "status=ok writable=true reserved=67108864 inodes_total=244195328 "
        "inodes_available=244000000 files=12345 bytes=1500000000000 "
        "element_uuid=0198c1f2-1d3e-7c40-8123-0123456789ab pool_id=8:1 boot=3 "
        "seq=99 ");
    buf_release(&b);
    assert_true(capacity_read_fields(&d, f.f, f.n, "se-dc4-07", &e));
    c.now.ms = 0; /* of the answer only */
    assert_memory_equal(&c, &d, sizeof(c));

    /* The fields of CAP-044 alone, as another writer would make them. */
    f.n = 12;
    assert_true(capacity_read_fields(&d, f.f, f.n, NULL, &e));
    assert_int_equal(d.status, -1);
    assert_false(capacity_read_fields(&d, f.f, f.n, "se-1", &e));
    f.n = 4;
    assert_false(capacity_read_fields(&d, f.f, f.n, NULL, &e));
    assert_string_equal(e.text, "it lacks available");
    assert_false(capacity_read_fields(&d, NULL, 0, NULL, &e));
}

/* All at their longest fit. */
static void
test_longest(void **state)
{
    struct capacity c;
    struct capacity_fields f;
    (void)state;

    memset(&c, 0xff, sizeof(c));
    memset(&c.unwritable, 0, sizeof(c.unwritable));
    c.mode = c.status = 2;
    c.health = CAPACITY_UNHEALTHY;
    c.last_update.ms = c.last_poll.ms = INT64_MAX;
#define LONGEST(m)                     \
    memset(c.m, 'x', sizeof(c.m) - 1); \
    c.m[sizeof(c.m) - 1] = '\0'
    LONGEST(element_id);
    LONGEST(reason);
    LONGEST(backend);
    LONGEST(location);
    LONGEST(endpoint);
    LONGEST(pool_id);
#undef LONGEST
    capacity_write_fields(&c, &f);
    assert_int_equal(f.n, 23);
}

/* CAP-047. */
static void
test_health(void **state)
{
    static const struct {
        const char *text;
        enum capacity_health want;
        const char *reason;
    } row[] = {
        {"healthy", CAPACITY_HEALTHY, ""},
        {"degraded: read-only", CAPACITY_DEGRADED, "read-only"},
        {"degraded", CAPACITY_DEGRADED, ""},
        {"unhealthy: timeout", CAPACITY_UNHEALTHY, "timeout"},
        {"unhealthy:", CAPACITY_UNHEALTHY, ""},
        {"healthyish", CAPACITY_UNHEALTHY, "healthyish"},
        {"", CAPACITY_UNHEALTHY, ""},
        {"OK", CAPACITY_UNHEALTHY, "OK"},
    };
    struct capacity c = {.health = CAPACITY_UNHEALTHY, .reason = "no answer"};
    char text[64];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice reason;

        if (capacity_health_parse(slice_str(row[i].text), &reason) !=
                row[i].want ||
            !slice_eq(reason, slice_str(row[i].reason)))
            fail_msg("%s", row[i].text);
        (void)capacity_health_parse(slice_str(row[i].text), NULL);
    }
    assert_string_equal(capacity_health_text(&c, text, sizeof(text)),
                        "unhealthy: no answer");
    c.health = CAPACITY_HEALTHY;
    assert_string_equal(capacity_health_text(&c, text, sizeof(text)),
                        "healthy");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_rows),
        cmocka_unit_test(test_percent), cmocka_unit_test(test_hash),
        cmocka_unit_test(test_longest), cmocka_unit_test(test_health),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
