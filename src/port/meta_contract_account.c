/* meta_contract_account.c - see meta_contract.h: the accounts' part.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "port/meta_contract.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct meta_contract *contract;

static struct meta *
fresh(void)
{
    return contract->open(contract->arg);
}

static void
ok(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s: %s: %s", contract->name, f->op, f->what);
}

static void
test_accounts(void **state)
{
    struct meta *m = fresh();
    struct meta_account a = {.client_id = "bootstrap",
                             .secret_hash = "scrypt:1:abc",
                             .scopes = "read write",
                             .name = "Bootstrap",
                             .created_at = {1234}};
    struct meta_account got;
    struct fault f = {0};
    (void)state;

    assert_int_equal(m->ops->account_get(m, "bootstrap", &got, &f), ERR_NOENT);
    ok(m->ops->account_put(m, &a, &f), &f);
    ok(m->ops->account_get(m, "bootstrap", &got, &f), &f);
    assert_string_equal(got.client_id, a.client_id);
    assert_string_equal(got.secret_hash, a.secret_hash);
    assert_string_equal(got.scopes, a.scopes);
    assert_string_equal(got.name, a.name);
    assert_int_equal(got.created_at.ms, 1234);
    assert_false(got.disabled);
    assert_string_equal(got.old_hash, "");
    assert_int_equal(m->ops->account_get(m, "Bootstrap", &got, &f), ERR_NOENT);

    a.disabled = true;
    (void)snprintf(a.old_hash, sizeof(a.old_hash), "before");
    a.old_until.ms = 99;
    a.updated_at.ms = 5678;
    memset(a.secret_hash, 'x', sizeof(a.secret_hash) - 1);
    ok(m->ops->account_put(m, &a, &f), &f);
    ok(m->ops->account_get(m, "bootstrap", &got, &f), &f);
    assert_true(got.disabled);
    assert_string_equal(got.old_hash, "before");
    assert_int_equal(got.old_until.ms, 99);
    assert_int_equal(got.updated_at.ms, 5678);
    assert_string_equal(got.secret_hash, a.secret_hash);
    a.client_id[0] = 0;
    assert_int_equal(m->ops->account_put(m, &a, &f), ERR_INVAL);
    m->ops->close(m);
}

static struct meta_account
account_of(const char *client_id)
{
    struct meta_account a = {.secret_hash = "h", .scopes = "read"};

    (void)snprintf(a.client_id, sizeof(a.client_id), "%s", client_id);
    return a;
}

/* Ids one after the other, each with a blank behind. */
static bool
see_id(void *arg, const struct meta_account *a)
{
    char *text = arg;

    (void)strcat(strcat(text, a->client_id), " ");
    return true;
}

static void
expect_ids(struct meta *m, const char *after, unsigned max, const char *want)
{
    char got[256] = "";
    struct fault f = {0};

    ok(m->ops->account_list(m, after, max, see_id, got, &f), &f);
    assert_string_equal(got, want);
}

static void
test_add_list_del(void **state)
{
    static const char *const id[] = {"b", "a", "C", "a.b", "a-b"};
    struct meta *m = fresh();
    struct meta_account a;
    struct fault f = {0};
    (void)state;

    expect_ids(m, "", 10, "");
    for (size_t i = 0; i < countof(id); i++) {
        a = account_of(id[i]);
        ok(m->ops->account_add(m, &a, &f), &f);
    }
    expect_ids(m, "", 10, "C a a-b a.b b "); /* by bytes, as everywhere */
    expect_ids(m, "", 2, "C a ");
    expect_ids(m, "a", 2, "a-b a.b ");
    expect_ids(m, "zz", 2, "");

    /* Who is there is not replaced. */
    a = account_of("a");
    (void)snprintf(a.scopes, sizeof(a.scopes), "admin");
    assert_int_equal(m->ops->account_add(m, &a, &f), ERR_EXISTS);
    ok(m->ops->account_get(m, "a", &a, &f), &f);
    assert_string_equal(a.scopes, "read");

    ok(m->ops->account_del(m, "a", &f), &f);
    assert_int_equal(m->ops->account_del(m, "a", &f), ERR_NOENT);
    expect_ids(m, "", 10, "C a-b a.b b ");
    a.client_id[0] = '\0';
    assert_int_equal(m->ops->account_add(m, &a, &f), ERR_INVAL);
    m->ops->close(m);
}

struct step {
    enum err answer;
    unsigned calls;
};

/* Counts in the name, so that a lost change shows. */
static enum err
count_up(void *arg, struct meta_account *a, struct fault *f)
{
    struct step *s = arg;
    unsigned n = 0;

    (void)f;
    s->calls++;
    (void)sscanf(a->name, "%u", &n);
    (void)snprintf(a->name, sizeof(a->name), "%u", n + 1);
    return s->answer;
}

static void
test_change(void **state)
{
    struct meta *m = fresh();
    struct meta_account a = account_of("a");
    struct step s = {ERR_OK, 0}, no = {ERR_CONFLICT, 0};
    struct fault f = {0};
    (void)state;

    assert_int_equal(m->ops->account_change(m, "a", count_up, &s, &f),
                     ERR_NOENT);
    assert_int_equal(s.calls, 0);
    ok(m->ops->account_add(m, &a, &f), &f);
    ok(m->ops->account_change(m, "a", count_up, &s, &f), &f);
    assert_int_equal(m->ops->account_change(m, "a", count_up, &no, &f),
                     ERR_CONFLICT);
    ok(m->ops->account_get(m, "a", &a, &f), &f);
    assert_string_equal(a.name, "1"); /* the other did nothing */
    m->ops->close(m);
}

static void *
change_some(void *arg)
{
    struct meta *m = arg;
    struct step s = {ERR_OK, 0};
    struct fault f = {0};

    for (unsigned i = 0; i < 10; i++)
        ok(m->ops->account_change(m, "a", count_up, &s, &f), &f);
    return NULL;
}

static void
test_change_together(void **state)
{
    struct meta *m = fresh();
    struct meta_account a = account_of("a");
    pthread_t thread[4];
    struct fault f = {0};
    (void)state;

    ok(m->ops->account_add(m, &a, &f), &f);
    for (unsigned i = 0; i < countof(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, change_some, m), 0);
    for (unsigned i = 0; i < countof(thread); i++)
        (void)pthread_join(thread[i], NULL);
    ok(m->ops->account_get(m, "a", &a, &f), &f);
    assert_string_equal(a.name, "40");
    m->ops->close(m);
}

int
meta_contract_account(const struct meta_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_add_list_del),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_change_together),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
