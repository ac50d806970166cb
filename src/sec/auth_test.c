/* auth_test.c - tests of auth.h: from the header to the answer, with its count.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/auth.h"
#include "sec/forge.h"
#include "sec/token.h"
#include <unistd.h>

static const struct wall NOW = {INT64_C(1800000000000)};

struct fixture {
    char dir[64];
    struct auth_conf conf;
    struct auth a;
    char header[2048];
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct keys_conf kc = {.create = true, .bits = 2048};
    const char *tmp = getenv("TMPDIR");

    assert_non_null(f);
    snprintf(f->dir, sizeof(f->dir), "%s/artstore-auth-XXXXXX",
             tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    kc.dir = f->dir;
    assert_int_equal(keys_open(&f->conf.keys, &kc, NULL), ERR_OK);
    f->conf.enabled = true;
    f->conf.token.leeway = dur_s(60);
    f->conf.metrics = metrics_open(1, METRIC_GROUP_ALL, 1);
    assert_true(auth_open(&f->a, &f->conf, 8, 1));
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    auth_close(&f->a);
    keys_close(&f->conf.keys);
    metrics_close(&f->conf.metrics);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

static struct slice
header_with(struct fixture *f, unsigned scopes, struct dur life)
{
    struct token_spec spec = {
        .sub = "u", .scopes = scopes, .now = NOW, .life = life};
    struct keyset *ks = keys_get(f->conf.keys);
    struct buf b;

    buf_init(&b, TOKEN_MAX);
    assert_int_equal(token_issue(ks, &spec, &b, NULL), ERR_OK);
    snprintf(f->header, sizeof(f->header), "Bearer %s", buf_str(&b));
    buf_release(&b);
    keyset_unref(&ks);
    return slice_str(f->header);
}

static int64_t
count(struct fixture *f, const char *outcome)
{
    return metric_value(f->conf.metrics,
                        metric_series(f->conf.metrics, M_AUTH_CHECKS, outcome));
}

static void
test_bearer(void **state)
{
    static const struct {
        struct slice in;
        enum token_why want;
        const char *token;
        const char *why;
    } row[] = {
        {SLICE("Bearer abc"), TOKEN_OK, "abc", "plain"},
        {SLICE("bEARER   abc  "), TOKEN_OK, "abc", "any case, blanks around"},
        {{NULL, 0}, TOKEN_MISSING, "", "no header"},
        {SLICE(""), TOKEN_MISSING, "", "empty"},
        {SLICE("Bearer"), TOKEN_MISSING, "", "only the scheme"},
        {SLICE("Bearer  "), TOKEN_MISSING, "", "and blanks"},
        {SLICE("Basic dTpw"), TOKEN_MISSING, "", "another scheme"},
        {SLICE("Bearerabc"), TOKEN_MALFORMED, "", "no blank"},
        {SLICE("Bearer a b"), TOKEN_MALFORMED, "", "two"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice token;

        if (auth_bearer(row[i].in, &token) != row[i].want ||
            !slice_eq(token, slice_str(row[i].token)))
            fail_msg("%s", row[i].why);
    }
}

/* Unknown, verified, remembered; and what a change of keys does. */
static void
test_steps(void **state)
{
    struct fixture *f = *state;
    struct slice h = header_with(f, SCOPE_READ, dur_s(600));
    struct auth_job job = {.now = NOW};
    struct auth_result r;

    assert_false(auth_try(&f->a, h, SCOPE_READ, NOW, &r));
    job.token = r.token;
    auth_verify(&f->conf, &job);
    auth_done(&f->a, &job, SCOPE_READ, NOW, &r);
    assert_int_equal(r.why, TOKEN_OK);
    assert_string_equal(r.claims.sub, "u");
    assert_int_equal(count(f, "ok"), 1);
    assert_true(auth_try(&f->a, h, SCOPE_READ, NOW, &r));
    assert_int_equal(r.why, TOKEN_OK);
    assert_string_equal(r.claims.sub, "u");
    assert_int_equal(count(f, "ok_cached"), 1);
    assert_true(auth_try(&f->a, h, SCOPE_DELETE, NOW, &r));
    assert_int_equal(r.why, SCOPE_MISSING);
    assert_int_equal(count(f, "scope_missing"), 1);
    /* At its end the cache forgets it, and a check says why. */
    assert_false(
        auth_try(&f->a, h, SCOPE_READ, (struct wall){NOW.ms + 660000}, &r));
    job.now.ms += 660000;
    auth_verify(&f->conf, &job);
    auth_done(&f->a, &job, SCOPE_READ, job.now, &r);
    assert_int_equal(r.why, TOKEN_EXPIRED);
    assert_true(auth_try(&f->a, h, SCOPE_READ, job.now, &r)); /* for 1 s */
    assert_int_equal(r.why, TOKEN_EXPIRED);
    assert_int_equal(count(f, "token_expired"), 2);
}

static void
test_key_change(void **state)
{
    struct fixture *f = *state;
    const struct keys_rotation at_once = {.keep = dur_s(-1)};
    struct slice h = header_with(f, SCOPE_READ, dur_s(600));
    struct auth_job job = {.now = NOW};
    struct auth_result r;

    assert_false(auth_try(&f->a, h, SCOPE_READ, NOW, &r));
    job.token = r.token;
    auth_verify(&f->conf, &job);
    /* The keys change while the worker is at it: what it says belongs to the
     * old ones and is not remembered for the new. */
    assert_int_equal(keys_rotate(f->conf.keys, &at_once, NULL, NULL), ERR_OK);
    auth_done(&f->a, &job, SCOPE_READ, NOW, &r);
    assert_int_equal(r.why, TOKEN_OK);
    assert_false(auth_try(&f->a, h, SCOPE_READ, NOW, &r));
}

static void
test_without(void **state)
{
    struct fixture *f = *state;
    struct auth_result r;

    assert_true(auth_try(&f->a, SLICE_NULL, SCOPE_READ, NOW, &r));
    assert_int_equal(r.why, TOKEN_MISSING);
    assert_int_equal(count(f, "token_missing"), 1);
    f->conf.enabled = false; /* AUTH_ENABLED=off */
    assert_true(auth_try(&f->a, SLICE_NULL, SCOPE_ADMIN, NOW, &r));
    assert_int_equal(r.why, TOKEN_OK);
    assert_string_equal(r.claims.username, "anonymous");
    assert_int_equal(count(f, "disabled"), 1);
}

/* RFC 6750 section 3, ING-103 */
static void
test_refusal(void **state)
{
    struct auth_refusal r;
    (void)state;

    auth_refusal(TOKEN_MISSING, SCOPE_READ, &r);
    assert_int_equal(r.status, 401);
    assert_string_equal(r.error, "unauthorized");
    assert_string_equal(r.reason, "token_missing");
    assert_non_null(strstr(r.message, "Authorization: Bearer"));
    assert_string_equal(r.www_authenticate, "Bearer realm=\"artstore\"");
    auth_refusal(TOKEN_EXPIRED, SCOPE_READ, &r);
    assert_int_equal(r.status, 401);
    assert_string_equal(r.www_authenticate,
                        "Bearer realm=\"artstore\", error=\"invalid_token\", "
                        "error_description=\"the token has expired\"");
    auth_refusal(SCOPE_MISSING, SCOPE_WRITE | SCOPE_DELETE, &r);
    assert_int_equal(r.status, 403);
    assert_string_equal(r.error, "forbidden");
    assert_non_null(strstr(r.www_authenticate, "scope=\"write delete\""));
    auth_refusal(TOKEN_KEYS_ABSENT, SCOPE_READ, &r); /* not the token's fault */
    assert_int_equal(r.status, 503);
    assert_string_equal(r.www_authenticate, "");
    for (unsigned w = TOKEN_MISSING; w < TOKEN_WHY_COUNT; w++) {
        auth_refusal((enum token_why)w, SCOPE_ALL, &r); /* none is cut */
        if (w == TOKEN_KEYS_ABSENT)
            continue;
        assert_int_equal(r.www_authenticate[strlen(r.www_authenticate) - 1],
                         '"');
    }
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bearer),
        T(test_steps),
        T(test_key_change),
        T(test_without),
        cmocka_unit_test(test_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
