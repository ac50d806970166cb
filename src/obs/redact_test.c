/* redact_test.c - tests of redact.h (ING-315, PRD-194).
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/redact.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_text(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: nothing to mask */
        const char *why;
    } row[] = {
        {"plain text", NULL, "nothing"},
        {"", NULL, "empty"},
        {"Authorization: Bearer abcdefghijkl", "Authorization: ***",
         "a header line"},
        {"got Bearer abcdefghijkl. Then", "got Bearer *** Then",
         "scheme in prose"},
        {"bearer token is missing", NULL, "prose, not a credential"},
        {"x eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.abc y", "x *** y", "a JWT"},
        {"eyJ and more", NULL, "too short for a JWT"},
        {"client_secret=hunter2&grant_type=client_credentials",
         "client_secret=***&grant_type=client_credentials", "form"},
        {"{\"client_secret\": \"hun\\\"ter2\", \"a\": 1}",
         "{\"client_secret\": \"***\", \"a\": 1}", "JSON with an escape"},
        {"REDIS_PASSWORD=abc DB=1", "REDIS_PASSWORD=*** DB=1", "an option"},
        {"token_type=Bearer", NULL, "not a secret by that name"},
        {"?access_token=abc", "?access_token=***", "query"},
        {"/files?x=1&X-Amz-Signature=dead&y=2",
         "/files?x=1&X-Amz-Signature=***&y=2", "signed URL"},
        {"redis://user:pa55@host:6379/0", "redis://user:***@host:6379/0",
         "password in a URL"},
        {"redis://:pa55@host", "redis://:***@host", "no user"},
        {"http://host:80/a@b", NULL, "a port is not a password"},
        {"secret artsec_AbC-_9 there", "secret *** there", "one of ours"},
        {"-----BEGIN PRIVATE KEY-----\nMIIE", "***", "a key"},
        {"-----BEGIN CERTIFICATE-----\nMIIE", NULL, "a certificate"},
        {"Cookie: a=b; c=d\nHost: x", "Cookie: ***\nHost: x", "all cookies"},
        {"password: p1 password: p2", "password: *** password: ***", "two"},
        {"password=", NULL, "empty"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char out[256];
        struct slice in = slice_str(row[i].in);
        struct slice got = redact_text(in, out, sizeof(out));
        struct slice want = row[i].out ? slice_str(row[i].out) : in;

        if (!slice_eq(got, want) || (!row[i].out && got.p != in.p))
            fail_msg("%s: [%.*s]", row[i].why, SLICE_ARG(got));
    }
}

/* A bound is kept wherever it falls, and nothing of the secret is left. */
static void
test_bounds(void **state)
{
    struct slice in = SLICE("a password=hunter2 b artsec_hunter2 c");
    (void)state;

    for (size_t cap = 0; cap < 48; cap++) {
        char out[64];
        struct slice got;

        memset(out, '#', sizeof(out));
        got = redact_text(in, out, cap);
        assert_true(got.p == out && got.n <= cap);
        assert_int_equal(out[cap], '#');
        for (size_t i = 0; i + 6 <= got.n; i++)
            assert_false(slice_starts(slice_skip(got, i), SLICE("hunter")));
    }
}

/* Text made to cost the square of its length must not. A bound in time would
 * be flaky; 1 MiB of each would take minutes if it did. */
static void
test_linear(void **state)
{
    static const char *const unit[] = {
        "a.", "eyJ.", "://", "password:", "\"", "-----BEGIN ", "Bearer x "};
    size_t n = 1 << 20;
    char *in = malloc(n), *out = malloc(n);
    (void)state;

    assert_true(in && out);
    for (size_t u = 0; u < countof(unit); u++) {
        size_t k = strlen(unit[u]);

        for (size_t i = 0; i < n; i++)
            in[i] = unit[u][i % k];
        assert_true(redact_text(slice_of(in, n), out, n).n <= n);
    }
    free(in);
    free(out);
}

static void
test_header(void **state)
{
    static const struct {
        const char *name, *value, *out, *why;
    } row[] = {
        {"Authorization", "Bearer abc", "Bearer ***", "the scheme stays"},
        {"authorization", "secretwithoutscheme", "***", "no scheme"},
        {"Proxy-Authorization", "Basic dTpw", "Basic ***", "for a proxy"},
        {"X-API-Key", "k", "***", "a key"},
        {"Set-Cookie", "a=b; Path=/", "***", "a cookie"},
        {"User-Agent", "curl/8", "curl/8", "harmless"},
        {"Referer", "http://h/?token=abc", "http://h/?token=***", "inside"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char out[64];
        struct slice got = redact_header(
            slice_str(row[i].name), slice_str(row[i].value), out, sizeof(out));

        if (!slice_eq(got, slice_str(row[i].out)))
            fail_msg("%s: [%.*s]", row[i].why, SLICE_ARG(got));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
