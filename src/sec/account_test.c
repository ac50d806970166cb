/* account_test.c - tests of account.h, attempts.h and scope.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/redact.h"
#include "sec/account.h"
#include "sec/attempts.h"
#include "sec/scope.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_secret(void **state)
{
    char a[SECRET_TEXT], b[SECRET_TEXT], ha[SECRET_HASH], hb[SECRET_HASH];
    char line[128], out[128];
    (void)state;

    account_secret_new(a);
    account_secret_new(b);
    assert_int_equal(strlen(a), SECRET_TEXT - 1);
    assert_string_not_equal(a, b);
    assert_true(account_secret_hash(slice_str(a), ha));
    assert_true(account_secret_hash(slice_str(a), hb));
    assert_string_not_equal(ha, hb); /* the salt */
    assert_int_equal(strncmp(ha, "sha256$", 7), 0);
    assert_null(strstr(ha, a + 7));
    assert_true(account_secret_check(slice_str(a), ha));
    assert_true(account_secret_check(slice_str(a), hb));
    assert_false(account_secret_check(slice_str(b), ha));
    assert_false(account_secret_check(slice_of(a, strlen(a) - 1), ha));
    assert_false(account_secret_check(SLICE_NULL, ha));
    assert_false(account_secret_check(slice_str(a), NULL));
    /* The prefix is there so that the log knows one when it sees it. */
    snprintf(line, sizeof(line), "got %s!", a);
    assert_null(
        strstr(redact_text(slice_str(line), out, sizeof(out)).p, a + 7));
}

/* Of the form that we make: quick to check. */
#define OURS(c) "artsec_" c "123456789012345678901234567890123456789012"

/* Both secrets until the time is over, then one; and never a third. */
static void
test_rotate(void **state)
{
    const struct wall t0 = {1000}, t1 = {2000}, t2 = {3000};
    struct meta_account a;
    char hash[SECRET_HASH];
    struct fault f;
    (void)state;

    assert_int_equal(
        account_make(&a, "x", "", SCOPE_READ, SLICE(OURS("1")), t0, &f),
        ERR_OK);
    assert_true(account_secret_hash(SLICE(OURS("2")), hash));
    account_secret_rotate(&a, hash, t0, t1);
    assert_true(account_secret_right(&a, SLICE(OURS("1")), t0));
    assert_true(account_secret_right(&a, SLICE(OURS("2")), t0));
    assert_false(account_secret_right(&a, SLICE(OURS("1")), t1));
    assert_true(account_secret_right(&a, SLICE(OURS("2")), t1));
    assert_false(account_secret_right(&a, SLICE(OURS("3")), t0));

    assert_true(account_secret_hash(SLICE(OURS("3")), hash));
    account_secret_rotate(&a, hash, t0, t2);
    assert_false(account_secret_right(&a, SLICE(OURS("1")), t0));
    assert_true(account_secret_right(&a, SLICE(OURS("2")), t0));
    assert_true(account_secret_right(&a, SLICE(OURS("3")), t0));

    account_secret_rotate(&a, hash, t0, (struct wall){0}); /* at once */
    assert_false(account_secret_right(&a, SLICE(OURS("2")), t0));
    assert_string_equal(a.old_hash, "");
    assert_false(account_secret_right(NULL, SLICE(OURS("3")), t0));
}

/* A secret that a person chose is slow to try. */
static void
test_chosen(void **state)
{
    char h[SECRET_HASH];
    (void)state;

    assert_true(account_secret_hash(SLICE("secret-of-somebody"), h));
    assert_int_equal(strncmp(h, "pbkdf2-sha256$600000$", 21), 0);
    assert_true(account_secret_check(SLICE("secret-of-somebody"), h));
    assert_false(account_secret_check(SLICE("secret-of-somebodY"), h));
}

/* A row of the database that is damaged lets nobody in. */
static void
test_damaged(void **state)
{
    static const char *const hash[] = {
        "",
        "sha256",
        "sha256$",
        "sha256$00$00",
        "md5$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "pbkdf2-sha256$0$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "pbkdf2-sha256$99999999999$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "sha256$00000000000000000000000000000000$"
        "00000000000000000000000000000000000000000000000000000000000000",
    };
    (void)state;

    for (size_t i = 0; i < countof(hash); i++)
        assert_false(account_secret_check(SLICE("x"), hash[i]));
}

static void
test_make(void **state)
{
    static const struct {
        const char *id;
        unsigned scopes;
        const char *secret;
        enum err want;
        const char *why;
    } row[] = {
        {"ingester-service", SCOPE_READ,
         "artsec_"
         "0123456789012345678901234567890123456789012",
         ERR_OK, "good"},
        {"", SCOPE_READ, "12345678", ERR_INVAL, "no id"},
        {"a:b", SCOPE_READ, "12345678", ERR_INVAL, "a colon"},
        {"a", 0, "12345678", ERR_INVAL, "no scope"},
        {"a", 64, "12345678", ERR_INVAL, "a scope that is none"},
        {"a", SCOPE_READ, "1234567", ERR_INVAL, "seven characters"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct meta_account a;
        enum err e =
            account_make(&a, row[i].id, "n", row[i].scopes,
                         slice_str(row[i].secret), (struct wall){5}, NULL);

        if (e != row[i].want)
            fail_msg("%s: %s", row[i].why, err_name(e));
        if (e == ERR_OK) {
            assert_string_equal(a.scopes, "read");
            assert_int_equal(a.created_at.ms, 5);
            assert_false(a.disabled);
        }
    }
}

static void
test_scope_text(void **state)
{
    char text[SCOPE_TEXT];
    unsigned s;
    (void)state;

    for (unsigned bits = 0; bits <= SCOPE_ALL; bits++) {
        assert_true(scope_parse(slice_str(scope_text(bits, text)), &s));
        assert_int_equal(s, bits);
    }
    assert_string_equal(scope_text(SCOPE_ALL, text), "read write delete admin");
    assert_true(scope_parse(SLICE("  write,,read "), &s));
    assert_int_equal(s, SCOPE_READ | SCOPE_WRITE);
    assert_false(scope_parse(SLICE("read everything"), &s));
    assert_int_equal(s, SCOPE_READ);
}

static struct mono
at(int64_t s)
{
    return (struct mono){(1000 + s) * INT64_C(1000000000)};
}

/* Ten failures, then one each six seconds; per account and address. */
static void
test_attempts(void **state)
{
    struct attempts *a = attempts_open(4, 1);
    struct slice id = SLICE("svc"), p1 = SLICE("peer1"), p2 = SLICE("peer2");
    (void)state;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(attempts_wait(a, id, p1, at(0)).ns, 0);
        attempts_failed(a, id, p1, at(0));
    }
    assert_int_equal(attempts_wait(a, id, p1, at(0)).ns, dur_s(6).ns);
    assert_int_equal(attempts_wait(a, id, p2, at(0)).ns, 0);
    assert_int_equal(attempts_wait(a, SLICE("svcpeer1"), SLICE(""), at(0)).ns,
                     0);
    assert_int_equal(attempts_wait(a, id, p1, at(5)).ns, dur_s(1).ns);
    assert_int_equal(attempts_wait(a, id, p1, at(6)).ns, 0);
    attempts_failed(a, id, p1, at(6));
    assert_true(attempts_wait(a, id, p1, at(6)).ns > 0);
    attempts_clear(a, id, p1); /* right at last */
    assert_int_equal(attempts_wait(a, id, p1, at(6)).ns, 0);
    /* The debt is bounded however many fail together. */
    for (int i = 0; i < 1000; i++)
        attempts_failed(a, id, p1, at(10));
    assert_true(attempts_wait(a, id, p1, at(10)).ns <= dur_s(120).ns);
    attempts_close(&a);
}

static void
test_attempts_bound(void **state)
{
    struct attempts *a = attempts_open(4, 1);
    char name[200];
    (void)state;

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "client-%d", i % 7);
        attempts_failed(a, slice_str(name), SLICE("p"), at(0));
    }
    memset(name, 'x', sizeof(name)); /* longer than what is kept */
    attempts_failed(a, slice_of(name, sizeof(name)),
                    slice_of(name, sizeof(name)), at(0));
    for (int i = 0; i < 12; i++)
        attempts_failed(a, SLICE("last"), SLICE("p"), at(0));
    assert_true(attempts_wait(a, SLICE("last"), SLICE("p"), at(0)).ns > 0);
    attempts_close(&a);
    assert_null(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret),   cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_chosen),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_make),     cmocka_unit_test(test_scope_text),
        cmocka_unit_test(test_attempts), cmocka_unit_test(test_attempts_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
