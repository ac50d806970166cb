/* meta_contract_account.c - see meta_contract.h: the accounts' part.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_contract_impl.h"
#include <pthread.h>

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
        ok(m->ops->account_add(m, &a, NULL, &f), &f);
    }
    expect_ids(m, "", 10, "C a a-b a.b b "); /* by bytes, as everywhere */
    expect_ids(m, "", 2, "C a ");
    expect_ids(m, "a", 2, "a-b a.b ");
    expect_ids(m, "zz", 2, "");

    /* Who is there is not replaced. */
    a = account_of("a");
    (void)snprintf(a.scopes, sizeof(a.scopes), "admin");
    assert_int_equal(m->ops->account_add(m, &a, NULL, &f), ERR_EXISTS);
    ok(m->ops->account_get(m, "a", &a, &f), &f);
    assert_string_equal(a.scopes, "read");

    ok(m->ops->account_del(m, "a", NULL, &f), &f);
    assert_int_equal(m->ops->account_del(m, "a", NULL, &f), ERR_NOENT);
    expect_ids(m, "", 10, "C a-b a.b b ");
    a.client_id[0] = '\0';
    assert_int_equal(m->ops->account_add(m, &a, NULL, &f), ERR_INVAL);
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

    assert_int_equal(m->ops->account_change(m, "a", count_up, &s, NULL, &f),
                     ERR_NOENT);
    assert_int_equal(s.calls, 0);
    ok(m->ops->account_add(m, &a, NULL, &f), &f);
    ok(m->ops->account_change(m, "a", count_up, &s, NULL, &f), &f);
    assert_int_equal(m->ops->account_change(m, "a", count_up, &no, NULL, &f),
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
        ok(m->ops->account_change(m, "a", count_up, &s, NULL, &f), &f);
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

    ok(m->ops->account_add(m, &a, NULL, &f), &f);
    for (unsigned i = 0; i < countof(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, change_some, m), 0);
    for (unsigned i = 0; i < countof(thread); i++)
        (void)pthread_join(thread[i], NULL);
    ok(m->ops->account_get(m, "a", &a, &f), &f);
    assert_string_equal(a.name, "40");
    m->ops->close(m);
}

/* --- with an entry of the audit log --------------------------------------- */

static bool
see_entry(void *arg, const struct meta_audit *a)
{
    char *text = arg;

    (void)strcat(strcat(text, a->action), " ");
    return true;
}

static void
expect_log(struct meta *m, const char *want)
{
    const struct meta_audit_query q = {.ascending = true, .limit = 100};
    char got[256] = "";
    struct fault f = {0};
    uint64_t next;

    ok(m->ops->audit_list(m, &q, see_entry, got, &next, &f), &f);
    assert_string_equal(got, want);
}

static struct meta_audit
entry_of(const char *action)
{
    static uint8_t n;
    struct meta_audit a = {.at = {1000}, .actor = "root", .object = "a"};

    a.id.b[0] = ++n;
    (void)snprintf(a.action, sizeof(a.action), "%s", action);
    return a;
}

/* What was done is in the log, what was refused is not. */
static void
test_entries(void **state)
{
    const struct meta_audit add = entry_of("add"), change = entry_of("change"),
                            del = entry_of("del");
    struct meta *m = fresh();
    struct meta_account a = account_of("a");
    struct step s = {ERR_OK, 0}, no = {ERR_CONFLICT, 0};
    struct fault f = {0};
    (void)state;

    ok(m->ops->account_add(m, &a, &add, &f), &f);
    assert_int_equal(m->ops->account_add(m, &a, &change, &f), ERR_EXISTS);
    assert_int_equal(m->ops->account_change(m, "a", count_up, &no, &change, &f),
                     ERR_CONFLICT);
    assert_int_equal(m->ops->account_change(m, "b", count_up, &s, &change, &f),
                     ERR_NOENT);
    assert_int_equal(m->ops->account_del(m, "b", &del, &f), ERR_NOENT);
    expect_log(m, "add ");
    ok(m->ops->account_change(m, "a", count_up, &s, &change, &f), &f);
    ok(m->ops->account_del(m, "a", &del, &f), &f);
    expect_log(m, "add change del ");
    m->ops->close(m);
}

/* The log cannot be written: then nothing is done. */
static void
test_no_entry_no_act(void **state)
{
    const struct meta_audit entry = entry_of("act");
    struct meta_account a = account_of("a"), b = account_of("b");
    struct step s = {ERR_OK, 0};
    struct fault f = {0};
    struct meta *m;
    (void)state;

    if (!contract->sql)
        skip();
    m = fresh();
    ok(m->ops->account_add(m, &a, NULL, &f), &f);
    contract->sql(contract->arg, "ALTER TABLE audit RENAME TO audit_away");
    assert_int_not_equal(m->ops->account_add(m, &b, &entry, &f), ERR_OK);
    assert_int_not_equal(
        m->ops->account_change(m, "a", count_up, &s, &entry, &f), ERR_OK);
    assert_int_not_equal(m->ops->account_del(m, "a", &entry, &f), ERR_OK);
    contract->sql(contract->arg, "ALTER TABLE audit_away RENAME TO audit");
    expect_ids(m, "", 10, "a ");
    ok(m->ops->account_get(m, "a", &a, &f), &f);
    assert_string_equal(a.name, "");
    expect_log(m, "");
    ok(m->ops->account_del(m, "a", &entry, &f), &f);
    expect_log(m, "act ");
    m->ops->close(m);
}

int
meta_contract_account(const struct meta_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts), cmocka_unit_test(test_add_list_del),
        cmocka_unit_test(test_change),   cmocka_unit_test(test_change_together),
        cmocka_unit_test(test_entries),  cmocka_unit_test(test_no_entry_no_act),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
