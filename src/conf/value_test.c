/* value_test.c - numbers with suffixes: what they mean, and how they are shown
 * again. SPDX-License-Identifier: Apache-2.0 */
#include "conf/value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct row {
    const char *in;
    bool ok;
    int64_t n;
    const char *out; /* NULL: as IN */
    const char *why;
};

static void
walk(const struct conf_option *o, const struct row *row, size_t n)
{
    struct buf out;

    buf_init(&out, 1024);
    for (size_t i = 0; i < n; i++) {
        const char *want = row[i].out ? row[i].out : row[i].in, *why;
        struct conf_value v;
        bool ok = conf_value_parse(o, slice_str(row[i].in), &v, &why);

        if (ok != row[i].ok || (ok && v.n != row[i].n))
            fail_msg("%s: %s: %lld", row[i].in, row[i].why, (long long)v.n);
        buf_clear(&out);
        if (ok)
            conf_value_print(o, v, &out);
        if (ok && strcmp(buf_str(&out), want) != 0)
            fail_msg("%s: %s: %s", row[i].in, row[i].why, buf_str(&out));
    }
    buf_release(&out);
}

static void
test_size(void **state)
{
    static const struct conf_option bytes = {
        .name = "X", .type = CONF_SIZE, .unit = CONF_U_BYTES, .max = INT64_MAX};
    static const struct conf_option mib = {
        .name = "X", .type = CONF_SIZE, .unit = CONF_U_MIB, .max = INT64_MAX};
    static const struct row in_bytes[] = {
        {"0", true, 0, NULL, "zero"},
        {"1000", true, 1000, NULL, "plain bytes"},
        {"1024", true, 1024, "1K", "shown with the largest exact suffix"},
        {"8M", true, 8 << 20, NULL, "suffix"},
        {"8m", true, 8 << 20, "8M", "in any case"},
        {"8MB", true, 8 << 20, "8M", "the same, whatever the spelling"},
        {"8MiB", true, 8 << 20, "8M", "and exact"},
        {"8mib", true, 8 << 20, "8M", "and exact in any case"},
        {"3T", true, INT64_C(3) << 40, NULL, "terabytes"},
        {"2P", true, INT64_C(2) << 50, NULL, "petabytes"},
        {"7E", true, INT64_C(7) << 60, NULL, "the most that fits"},
        {"8E", false, 0, NULL, "one more overflows"},
        {"9223372036854775807", true, INT64_MAX, NULL, "63 bits"},
        {"9223372036854775808", false, 0, NULL, "one more"},
        {"18446744073709551616", false, 0, NULL, "more than 64 bits"},
        {"1.5G", false, 0, NULL, "no fraction of a size"},
        {"-1", false, 0, NULL, "no sign"},
        {"+1", false, 0, NULL, "no sign"},
        {" 1", false, 0, NULL, "no blank"},
        {"1 K", false, 0, NULL, "no blank inside"},
        {"K", false, 0, NULL, "no digits"},
        {"1X", false, 0, NULL, "no such suffix"},
        {"1KK", false, 0, NULL, "two suffixes"},
        {"1iB", false, 0, NULL, "half a suffix"},
        {"0x10", false, 0, NULL, "not hexadecimal"},
        {"1e3", false, 0, NULL, "1e3 is not 1 exabyte and 3"},
        {"", false, 0, NULL, "nothing"},
    };
    static const struct row in_mib[] = {
        {"1024", true, 1024, NULL, "a bare number is in the unit"},
        {"1G", true, 1024, "1024", "a suffix is not"},
        {"1024K", true, 1, "1", "a whole MiB"},
        {"1023K", false, 0, NULL, "less than one"},
        {"1500K", false, 0, NULL, "one and a bit"},
        {"9223372036854775807", false, 0, NULL, "overflows in bytes"},
    };
    (void)state;

    walk(&bytes, in_bytes, countof(in_bytes));
    walk(&mib, in_mib, countof(in_mib));
}

static void
test_duration(void **state)
{
    static const struct conf_option seconds = {
        .name = "X", .type = CONF_DUR, .unit = CONF_U_S, .max = INT64_MAX};
    static const struct conf_option hours = {
        .name = "X", .type = CONF_DUR, .unit = CONF_U_HOURS, .max = INT64_MAX};
    static const struct row in_s[] = {
        {"0", true, 0, NULL, "zero"},
        {"30", true, 30000, NULL, "a bare number is in the unit"},
        {"30s", true, 30000, "30", "and is shown so"},
        {"2.0", true, 2000, "2", "ING-261"},
        {"2.5", true, 2500, "2500ms", "shown without a fraction"},
        {"0.001", true, 1, "1ms", "the finest"},
        {"0.0010", true, 1, "1ms", "zeros behind it"},
        {"0.0001", false, 0, NULL, "finer"},
        {"0.000000000", true, 0, "0", "nine digits"},
        {"0.0000000000", false, 0, NULL, "ten"},
        {"250ms", true, 250, NULL, "milliseconds"},
        {"0.5ms", false, 0, NULL, "half of one"},
        {"5m", true, 300000, "300", "minutes, not months or millis"},
        {"1.5h", true, 5400000, "5400", "hours"},
        {"2d", true, 172800000, "172800", "days"},
        {"1h30m", false, 0, NULL, "one suffix only"},
        {"5M", false, 0, NULL, "lower case only: M is a size"},
        {"5 s", false, 0, NULL, "no blank"},
        {"5sec", false, 0, NULL, "no such suffix"},
        {".5", false, 0, NULL, "a digit comes first"},
        {"5.", false, 0, NULL, "and behind the point"},
        {"1..5", false, 0, NULL, "two points"},
        {"-1", false, 0, NULL, "no sign"},
        {"", false, 0, NULL, "nothing"},
        {"9223372036854775", true, INT64_C(9223372036854775000), NULL, "most"},
        {"9223372036854776", false, 0, NULL, "one more overflows"},
        {"9223372036854775.9", false, 0, NULL, "the fraction overflows"},
    };
    static const struct row in_h[] = {
        {"2", true, 7200000, NULL, "ING-234"},
        {"0.5", true, 1800000, "30m", "half an hour"},
        {"90m", true, 5400000, NULL, "not whole hours"},
    };
    (void)state;

    walk(&seconds, in_s, countof(in_s));
    walk(&hours, in_h, countof(in_h));
}

/* What a text may be, and what not. */
static void
test_text(void **state)
{
    static const struct {
        enum conf_check check;
        enum conf_type type;
        const char *in;
        bool ok;
        const char *why;
    } row[] = {
        {CONF_C_TEXT, CONF_TEXT, "any thing, really: \xc3\xa9", true, ""},
        {CONF_C_TEXT, CONF_TEXT, "a\nb", false, "two lines"},
        {CONF_C_TEXT, CONF_TEXT, "a\x7f", false, "delete"},
        {CONF_C_TEXT, CONF_LIST, "/a,/b", true, "a list"},
        {CONF_C_TEXT, CONF_LIST, "/a,,/b", false, "an empty item"},
        {CONF_C_TEXT, CONF_LIST, "/a,", false, "an empty item at the end"},
        {CONF_C_TEXT, CONF_LIST, ",", false, "nothing but a comma"},
        {CONF_C_ID, CONF_TEXT, "se-01.x_Y", true, ""},
        {CONF_C_ID, CONF_TEXT, "a:b", false, "CNF-003: no colon"},
        {CONF_C_ID, CONF_TEXT, "a/b", false, "no way out of a folder"},
        {CONF_C_ELEMENT_ID, CONF_TEXT, "se-01", true, ""},
        {CONF_C_ELEMENT_ID, CONF_TEXT, "registry", false, "CNF-003"},
        {CONF_C_ELEMENT_ID, CONF_TEXT, "edit", false, "CNF-003"},
        {CONF_C_ELEMENT_ID, CONF_TEXT, "edit2", true, "only the word"},
        {CONF_C_WORDS, CONF_TEXT, "md5:x16,sha256:ni", true, ""},
        {CONF_C_WORDS, CONF_TEXT, "a b", false, "no blanks"},
        {CONF_C_HOST, CONF_TEXT, "::", true, "IPv6"},
        {CONF_C_HOST, CONF_TEXT, "db.example", true, ""},
        {CONF_C_HOST, CONF_TEXT, "http://x", false, "a URL"},
        {CONF_C_URL, CONF_TEXT, "http://admin-module:8000", true, "ING-213"},
        {CONF_C_URL, CONF_TEXT, "admin-module:8000", false, "no scheme"},
        {CONF_C_URL, CONF_TEXT, "http://", false, "nothing behind it"},
        {CONF_C_URL, CONF_TEXT, "://x", false, "nothing before it"},
        {CONF_C_URL, CONF_TEXT, "http://a b", false, "a blank"},
        {CONF_C_MIME, CONF_LIST, "application/pdf,image/*", true, "ING-245"},
        {CONF_C_MIME, CONF_LIST, "application/pdf, image/*", true, "a blank"},
        {CONF_C_MIME, CONF_LIST, "pdf", false, "no slash"},
        {CONF_C_MIME, CONF_LIST, "a/b/c", false, "two"},
        {CONF_C_MIME, CONF_LIST, "/b", false, "no type"},
        {CONF_C_SWITCH_OR_PATH, CONF_TEXT, "on", true, ""},
        {CONF_C_SWITCH_OR_PATH, CONF_TEXT, "NO", true, "CNF-007"},
        {CONF_C_SWITCH_OR_PATH, CONF_TEXT, "./access.log", true, ""},
        {CONF_C_SWITCH_OR_PATH, CONF_TEXT, "onn", false, "a slip, no path"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_option o = {.name = "X",
                                .type = row[i].type,
                                .check = row[i].check,
                                .max = 100};
        struct conf_value v;
        const char *why;

        if (conf_value_parse(&o, slice_str(row[i].in), &v, &why) != row[i].ok)
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

/* Whatever was written, the field says on or off. */
static void
test_canonical(void **state)
{
    struct conf_value v;
    const char *why;
    (void)state;

    assert_true(conf_value_parse(&conf_option[CONF_ACCESS_LOG], SLICE("FALSE"),
                                 &v, &why));
    assert_true(slice_eq(v.text, SLICE("off")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
