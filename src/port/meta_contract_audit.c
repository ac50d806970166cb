/* meta_contract_audit.c - see meta_contract.h: the audit log's part.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_contract_impl.h"
#include <pthread.h>

#define AUDITS 40

struct audits {
    struct meta_audit row[AUDITS];
    size_t n;
    uint64_t next;
};

static bool
see_audit(void *arg, const struct meta_audit *a)
{
    struct audits *s = arg;

    assert_true(s->n < AUDITS);
    s->row[s->n++] = *a;
    return true;
}

static void
list_audit(struct meta *m, const struct meta_audit_query *q, struct audits *s)
{
    struct fault f = {0};

    s->n = 0;
    ok(m->ops->audit_list(m, q, see_audit, s, &s->next, &f), &f);
}

static struct meta_audit
audit_of(unsigned i)
{
    struct meta_audit a = {.at = {1000 + (int64_t)i}};

    memset(a.actor, 'a', sizeof(a.actor) - 1);
    memset(a.id.b, 1 + (int)i, sizeof(a.id.b));
    (void)snprintf(a.action, sizeof(a.action), "file.%s",
                   i % 2 ? "delete" : "hold");
    (void)snprintf(a.object, sizeof(a.object), "file-%u", i);
    (void)snprintf(a.element_id, sizeof(a.element_id), "se-%u", i);
    (void)snprintf(a.result, sizeof(a.result), "201");
    (void)snprintf(a.source, sizeof(a.source), "gw-%u", i);
    (void)snprintf(a.request_id, sizeof(a.request_id), "r'%u", i);
    return a;
}

static void
audit_same(const struct meta_audit *got, const struct meta_audit *want)
{
    assert_true(uuid_eq(&got->id, &want->id));
    assert_int_equal(got->at.ms, want->at.ms);
    assert_string_equal(got->actor, want->actor);
    assert_string_equal(got->action, want->action);
    assert_string_equal(got->object, want->object);
    assert_string_equal(got->element_id, want->element_id);
    assert_string_equal(got->result, want->result);
    assert_string_equal(got->request_id, want->request_id);
    assert_string_equal(got->source, want->source);
    assert_true(got->sealed);
}

/* Not inline: with ASan gcc would see strlen() read behind a member. */
static struct slice __attribute__((noinline)) text_of(const char *p)
{
    return slice_str(p);
}

/* The rows S, oldest first, are the whole chain up to the head. */
static void
audit_sound(struct meta *m, const struct audits *s)
{
    struct audit_head head;
    struct audit_chain c;
    struct fault f = {0};

    ok(m->ops->audit_head(m, &head, &f), &f);
    assert_int_equal(head.n, s->n);
    audit_chain_init(&c, &head);
    for (size_t i = 0; i < s->n; i++) {
        const struct meta_audit *a = &s->row[i];
        const struct audit_row row = {.n = a->n,
                                      .at = a->at,
                                      .id = a->id,
                                      .actor = text_of(a->actor),
                                      .action = text_of(a->action),
                                      .object = text_of(a->object),
                                      .element_id = text_of(a->element_id),
                                      .result = text_of(a->result),
                                      .request_id = text_of(a->request_id),
                                      .source = text_of(a->source)};

        assert_int_equal(audit_chain_next(&c, &row, a->hash), AUDIT_SOUND);
    }
    assert_int_equal(audit_chain_end(&c), AUDIT_SOUND);
}

static void
test_audit(void **state)
{
    const struct meta_audit_query all = {.ascending = true, .limit = AUDITS};
    const struct meta_audit_query newest = {.limit = 4};
    struct meta *m = fresh();
    struct audit_head head;
    struct meta_audit in[5];
    struct audits got;
    struct fault f = {0};
    (void)state;

    ok(m->ops->audit_head(m, &head, &f), &f);
    assert_int_equal(head.n, 0);
    list_audit(m, &newest, &got);
    assert_int_equal(got.n, 0);
    assert_int_equal(got.next, 0);
    for (unsigned i = 0; i < countof(in); i++)
        in[i] = audit_of(i);
    ok(m->ops->audit_add(m, in, 3, &f), &f);
    ok(m->ops->audit_add(m, in + 3, 2, &f), &f);
    ok(m->ops->audit_add(m, in, 0, &f), &f);
    list_audit(m, &newest, &got);
    assert_int_equal(got.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(got.row[i].n, 5 - i);
        audit_same(&got.row[i], &in[4 - i]);
    }
    list_audit(m, &all, &got);
    assert_int_equal(got.n, 5);
    audit_sound(m, &got);
    m->ops->close(m);
}

/* What comes again is there once; what came with it is there too. */
static void
test_audit_again(void **state)
{
    const struct meta_audit_query all = {.ascending = true, .limit = AUDITS};
    struct meta *m = fresh();
    struct meta_audit in[4];
    struct audits got;
    struct fault f = {0};
    (void)state;

    for (unsigned i = 0; i < countof(in); i++)
        in[i] = audit_of(i);
    ok(m->ops->audit_add(m, in, 2, &f), &f);
    ok(m->ops->audit_add(m, in, 2, &f), &f);
    in[3].id = in[2].id; /* twice in one call */
    ok(m->ops->audit_add(m, in, 4, &f), &f);
    list_audit(m, &all, &got);
    assert_int_equal(got.n, 3);
    audit_sound(m, &got);
    /* Without an id there is nothing to tell them by. */
    in[0].id = (struct uuid){{0}};
    ok(m->ops->audit_add(m, in, 1, &f), &f);
    ok(m->ops->audit_add(m, in, 1, &f), &f);
    list_audit(m, &all, &got);
    assert_int_equal(got.n, 5);
    audit_sound(m, &got);
    m->ops->close(m);
}

/* What a database or a terminal could not keep as it is, is not put there:
 * else the sum would be of other bytes than those that are read. */
static void
test_audit_odd_bytes(void **state)
{
    const struct meta_audit_query all = {.ascending = true, .limit = AUDITS};
    struct meta *m = fresh();
    struct meta_audit a = audit_of(0);
    struct audits got;
    struct fault f = {0};
    (void)state;

    (void)snprintf(a.actor, sizeof(a.actor), "caf\xc3");
    (void)snprintf(a.object, sizeof(a.object), "a\nb\xff");
    ok(m->ops->audit_add(m, &a, 1, &f), &f);
    list_audit(m, &all, &got);
    assert_string_equal(got.row[0].actor, "caf?");
    assert_string_equal(got.row[0].object, "a?b?");
    audit_sound(m, &got);
    m->ops->close(m);
}

static void
test_audit_pages(void **state)
{
    static const struct {
        struct meta_audit_query q;
        size_t n;
        uint64_t first, last, next;
        const char *why;
    } row[] = {
        {{.limit = 4}, 4, 10, 7, 7, "newest first"},
        {{.limit = 4, .after = 7}, 4, 6, 3, 3, "the next page"},
        {{.limit = 4, .after = 3}, 2, 2, 1, 0, "the last"},
        {{.limit = 4, .after = 1}, 0, 0, 0, 0, "behind the end"},
        {{.limit = 10}, 10, 10, 1, 0, "all of them at once"},
        {{.limit = 4, .ascending = true}, 4, 1, 4, 4, "oldest first"},
        {{.limit = 6, .ascending = true, .after = 4}, 6, 5, 10, 0, "its end"},
        {{.limit = 4, .ascending = true, .after = 99}, 0, 0, 0, 0, "beyond"},
        {{.limit = 9, .action = "file.delete"}, 5, 10, 2, 0, "an action"},
        {{.limit = 9, .object = "file-3"}, 1, 4, 4, 0, "an object"},
        {{.limit = 9, .actor = "nobody"}, 0, 0, 0, 0, "nobody did it"},
        {{.limit = 9, .from = {1004}, .to = {1006}}, 2, 6, 5, 0, "a time"},
        {{.limit = 9, .action = "file.hold", .object = "file-3"},
         0,
         0,
         0,
         0,
         "all conditions hold"},
    };
    const struct meta_audit_query none = {.limit = 0};
    const struct meta_audit_query many = {.limit = META_AUDIT_PAGE + 1};
    struct meta *m = fresh();
    struct meta_audit in[10];
    struct audits got;
    struct fault f = {0};
    (void)state;

    for (unsigned i = 0; i < countof(in); i++)
        in[i] = audit_of(i);
    ok(m->ops->audit_add(m, in, countof(in), &f), &f);
    for (size_t i = 0; i < countof(row); i++) {
        list_audit(m, &row[i].q, &got);
        if (got.n != row[i].n || got.next != row[i].next ||
            (got.n && (got.row[0].n != row[i].first ||
                       got.row[got.n - 1].n != row[i].last)))
            fail_msg("%s: %zu rows, next %d", row[i].why, got.n, (int)got.next);
    }
    assert_int_equal(
        m->ops->audit_list(m, &none, see_audit, &got, &got.next, &f),
        ERR_INVAL);
    assert_int_equal(
        m->ops->audit_list(m, &many, see_audit, &got, &got.next, &f),
        ERR_INVAL);
    m->ops->close(m);
}

struct appender {
    struct meta *m;
    unsigned first;
    pthread_t thread;
};

static void *
append_some(void *arg)
{
    const struct appender *x = arg;
    struct fault f = {0};

    for (unsigned i = 0; i < AUDITS / 4; i += 2) {
        struct meta_audit a[2] = {audit_of(x->first + i),
                                  audit_of(x->first + i + 1)};

        ok(x->m->ops->audit_add(x->m, a, 2, &f), &f);
    }
    return NULL;
}

/* Four at once: one chain, nothing lost, pairs stay together. */
static void
test_audit_together(void **state)
{
    const struct meta_audit_query all = {.ascending = true, .limit = AUDITS};
    struct appender x[4];
    struct meta *m = fresh();
    struct audits got;
    (void)state;

    for (unsigned i = 0; i < countof(x); i++) {
        x[i] = (struct appender){.m = m, .first = i * (AUDITS / 4)};
        assert_int_equal(pthread_create(&x[i].thread, NULL, append_some, &x[i]),
                         0);
    }
    for (unsigned i = 0; i < countof(x); i++)
        (void)pthread_join(x[i].thread, NULL);
    list_audit(m, &all, &got);
    assert_int_equal(got.n, AUDITS);
    audit_sound(m, &got);
    for (size_t i = 0; i < AUDITS; i += 2)
        assert_int_equal(got.row[i + 1].at.ms, got.row[i].at.ms + 1);
    m->ops->close(m);
}

/* Where the chain goes on there is a row of somebody else, or what could not be
 * his by any counting: it goes on all the same, and says what it has found. */
static void
test_audit_foreign(void **state)
{
    static const char foreign[] =
        "INSERT INTO audit (n, at, actor, action, object, result, request_id)"
        " VALUES (3, 1, 'mallory', 'x', 'y', 'ok', ''),"
        " (4, 1, 'mallory', 'x', 'y', 'ok', ''),"
        " (9223372036854775807, 1, 'mallory', 'x', 'y', 'ok', '')";
    const struct meta_audit_query all = {.ascending = true, .limit = AUDITS};
    const struct meta_audit_query newest = {.limit = 2};
    struct meta *m;
    struct meta_audit in[4];
    struct audits got;
    struct fault f = {0};
    (void)state;

    if (!contract->sql)
        skip();
    m = fresh();
    for (unsigned i = 0; i < countof(in); i++)
        in[i] = audit_of(i);
    ok(m->ops->audit_add(m, in, 2, &f), &f);
    contract->sql(contract->arg, foreign);
    list_audit(m, &newest, &got); /* nobody is told that they are ours */
    assert_int_equal(got.n, 2);
    assert_int_equal(got.row[0].n, 2);
    ok(m->ops->audit_add(m, in, 4, &f), &f);
    list_audit(m, &all, &got);
    assert_int_equal(got.n, 5);
    assert_string_equal(got.row[2].action, META_AUDIT_ASIDE);
    assert_string_equal(got.row[2].object, "3 to 4");
    audit_same(&got.row[4], &in[3]);
    audit_sound(m, &got);
    m->ops->close(m);
}

/* The head is gone, or is nonsense: it is made anew from the last row. */
static void
test_audit_head_lost(void **state)
{
    static const char *const loss[] = {
        "DELETE FROM setting WHERE key = 'audit_head'",
        "UPDATE setting SET value = substr(value, 3) WHERE key = 'audit_head'",
    };
    const struct meta_audit_query all = {.ascending = true, .limit = AUDITS};
    struct meta_audit in[3];
    struct fault f = {0};
    (void)state;

    if (!contract->sql)
        skip();
    for (unsigned i = 0; i < countof(in); i++)
        in[i] = audit_of(i);
    for (size_t i = 0; i < countof(loss); i++) {
        struct meta *m = fresh();
        struct audits got;

        ok(m->ops->audit_add(m, in, 2, &f), &f);
        contract->sql(contract->arg, loss[i]);
        ok(m->ops->audit_add(m, in + 2, 1, &f), &f);
        list_audit(m, &all, &got);
        assert_int_equal(got.n, 4);
        assert_string_equal(got.row[2].action, META_AUDIT_HEAD);
        assert_string_equal(got.row[2].object, "2");
        audit_same(&got.row[3], &in[2]);
        audit_sound(m, &got);
        m->ops->close(m);
    }
}

int
meta_contract_audit(const struct meta_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_audit_again),
        cmocka_unit_test(test_audit_odd_bytes),
        cmocka_unit_test(test_audit_pages),
        cmocka_unit_test(test_audit_together),
        cmocka_unit_test(test_audit_foreign),
        cmocka_unit_test(test_audit_head_lost),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
