/* meter_test.c - tests of meter.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/meter.h"
#include "cli/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct mono
at_ms(int64_t ms)
{
    return (struct mono){ms * 1000000};
}

/* A transfer that starts, runs, doubles, stops and begins anew. */
static void
test_rate(void **state)
{
    struct meter m;
    uint64_t bytes = 0;
    int64_t t = 0;
    (void)state;

    meter_init(&m, at_ms(0));
    assert_int_equal(meter_rate(&m), 0);
    assert_int_equal(meter_eta(&m, 1000), UINT64_MAX); /* nobody knows */
    meter_update(&m, at_ms(10), 65536);
    assert_int_equal(meter_rate(&m), 0); /* one buffer says nothing */

    meter_init(&m, at_ms(0));
    for (t = 100; t <= 20000; t += 100) /* 1000 bytes a second */
        meter_update(&m, at_ms(t), bytes += 100);
    assert_int_equal(meter_rate(&m), 1000);
    assert_int_equal(meter_eta(&m, bytes + 5000), 5);
    assert_int_equal(meter_eta(&m, bytes + 5001), 6); /* rounded up */
    assert_int_equal(meter_eta(&m, bytes), 0);
    assert_int_equal(meter_eta(&m, UINT64_MAX), UINT64_MAX);

    for (; t <= 30000; t += 100) /* twice as fast: seen after the window */
        meter_update(&m, at_ms(t), bytes += 200);
    assert_int_equal(meter_rate(&m), 2000);

    for (; t <= 40000;
         t += 100) /* stands still: the average must not hide it */
        meter_update(&m, at_ms(t), bytes);
    assert_int_equal(meter_rate(&m), 0);
    assert_int_equal(meter_eta(&m, bytes + 1), UINT64_MAX);

    meter_update(&m, at_ms(t), 0); /* sent again: no negative rate */
    assert_int_equal(meter_rate(&m), 0);
    meter_update(&m, at_ms(t + 1000), 500);
    assert_int_equal(meter_rate(&m), 500);
}

static void
test_line(void **state)
{
    static const struct {
        struct progress_view v;
        size_t cols;
        const char *line;
    } row[] = {
        {{.bytes = 512, .total = 1024, .rate = 128, .eta = 4, .files = 1},
         79,
         "512 B of 1.0 KiB  [###############...............]   50%  128 B/s  "
         "ETA 0:04"},
        {{.bytes = 512,
          .total = 1024,
          .rate = 128,
          .eta = 4,
          .files = 1,
          .name = "a\n.bin"},
         79,
         "512 B of 1.0 KiB  [############............]   50%  128 B/s  "
         "ETA 0:04  a\\x0a.bi"},
        /* a stream has neither bar nor end */
        {{.bytes = 512,
          .total = UINT64_MAX,
          .rate = 128,
          .files = 1,
          .name = "-"},
         60,
         "512 B  128 B/s  -"},
    };
    struct buf b;
    (void)state;

    buf_init(&b, 4 * KIB);
    for (size_t i = 0; i < countof(row); i++) {
        buf_clear(&b);
        progress_line(&b, &row[i].v, row[i].cols);
        assert_string_equal(buf_str(&b), row[i].line);
    }
    /* Whatever the width, the line never is wider. */
    for (size_t i = 0; i < countof(row); i++)
        for (size_t cols = 0; cols < 200; cols++) {
            struct progress_view v = row[i].v;

            v.utf8 = cols % 2;
            v.files = cols % 3 ? 1 : 12;
            buf_clear(&b);
            progress_line(&b, &v, cols);
            if (text_width(buf_slice(&b)) > cols)
                fail_msg("%zu columns: '%s'", cols, buf_str(&b));
        }
    buf_release(&b);
}

/* Parts leave in their order: name, bar, number of files, figures. */
static void
test_line_order(void **state)
{
    const struct progress_view v = {.bytes = 45 << 20,
                                    .total = (uint64_t)1200 << 20,
                                    .rate = 112 << 20,
                                    .eta = 12,
                                    .files_done = 3,
                                    .files = 12,
                                    .name = "report.pdf"};
    static const struct {
        size_t cols;
        bool name, bar, files, figures;
    } row[] = {
        {100, true, true, true, true},    {72, false, true, true, true},
        {55, false, false, true, true},   {46, false, false, false, true},
        {20, false, false, false, false},
    };
    struct buf b;
    (void)state;

    buf_init(&b, 4 * KIB);
    for (size_t i = 0; i < countof(row); i++) {
        buf_clear(&b);
        progress_line(&b, &v, row[i].cols);
        if ((strstr(buf_str(&b), "report") != NULL) != row[i].name ||
            (strchr(buf_str(&b), '[') != NULL) != row[i].bar ||
            (strstr(buf_str(&b), "3/12") != NULL) != row[i].files ||
            (strstr(buf_str(&b), "ETA 0:12") != NULL) != row[i].figures)
            fail_msg("%zu: '%s'", row[i].cols, buf_str(&b));
    }
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_line_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
