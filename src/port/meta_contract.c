/* meta_contract.c - see meta_contract.h: what a catalogue is fed, and its parts
 * one after the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_contract_impl.h"

static void
take(struct meta *m, const struct uuid *element, uint64_t i, uint64_t seq)
{
    struct index_change c;

    index_sample_change(&c, i, seq);
    c.op = INDEX_DELETE;
    feed(m, element, &c, 1);
}

static void
count(struct meta *m, uint64_t want_files, uint64_t want_bytes)
{
    uint64_t files = 99, bytes = 99;
    struct fault f = {0};

    ok(m->ops->file_count(m, &files, &bytes, &f), &f);
    assert_int_equal(files, want_files);
    assert_int_equal(bytes, want_bytes);
}

static void
test_get(void **state)
{
    struct meta *m = fresh();
    struct fault f = {0};
    (void)state;

    count(m, 0, 0);
    for (uint64_t i = 0; i < 4; i++)
        put(m, &se1, i, i + 1);
    for (uint64_t i = 0; i < 4; i++) {
        struct index_row want;
        struct meta_file file;
        struct index_row got = {0};

        index_sample(&want, i);
        want.attr.seq = i + 1;
        want.attr.element_uuid = se1;
        want.bucket[0] = 0; /* not the catalogue's */
        memset(&file, 0xee, sizeof(file));
        ok(m->ops->file_get(m, &want.attr.file_id, &file, &f), &f);
        got.attr = file.attr;
        index_rows_equal(&want, &got);
        meta_file_release(&file);
    }
    assert_null(where(m, 77));
    count(m, 4, 1 + 1001 + 2001 + 3001);
    m->ops->close(m);
}

static void
test_repetition(void **state)
{
    struct meta *m = fresh();
    struct index_change c[3];
    (void)state;

    index_sample_change(&c[0], 1, 1);
    index_sample_change(&c[1], 2, 2);
    index_sample_change(&c[2], 1, 3);
    c[2].op = INDEX_DELETE;
    for (int i = 0; i < 3; i++) {
        feed(m, &se1, c, 3);
        assert_null(where(m, 1));
        assert_string_equal(where(m, 2), "se-01");
        count(m, 1, 2001);
    }
    m->ops->close(m);
}

/* Commit jobs of one element may finish in any order. */
static void
test_out_of_order(void **state)
{
    struct meta *m = fresh();
    struct index_change c;
    (void)state;

    index_sample_change(&c, 1, 9);
    c.row.attr.size = 5;
    feed(m, &se1, &c, 1);
    put(m, &se1, 1, 4); /* older: does nothing */
    count(m, 1, 5);
    take(m, &se1, 1, 8); /* older: does nothing */
    assert_non_null(where(m, 1));
    take(m, &se1, 1, 10);
    assert_null(where(m, 1));
    count(m, 0, 0);

    /* An index may tell a publish with its row as it is now: the row's own
     * number counts, so a delete between the two does not take it away. */
    index_sample_change(&c, 2, 20);
    c.row.attr.seq = 25;
    feed(m, &se1, &c, 1);
    take(m, &se1, 2, 22);
    assert_non_null(where(m, 2));
    m->ops->close(m);
}

static void
test_position(void **state)
{
    struct meta *m = fresh();
    struct index_change c;
    struct fault f = {0};
    uint64_t seq = 99;
    (void)state;

    ok(m->ops->feed_position(m, &se1, &seq, &f), &f);
    assert_int_equal(seq, 0); /* never fed */
    index_sample_change(&c, 1, 7);
    ok(m->ops->feed(m, &se1, "se-01", &c, 1, 5, &f), &f);
    ok(m->ops->feed_position(m, &se1, &seq, &f), &f);
    assert_int_equal(seq, 5); /* as told, not as seen */
    ok(m->ops->feed(m, &se1, "se-01", NULL, 0, 8, &f), &f);
    ok(m->ops->feed(m, &se1, "se-01", NULL, 0, 3, &f), &f);
    ok(m->ops->feed_position(m, &se1, &seq, &f), &f);
    assert_int_equal(seq, 8); /* never back */
    ok(m->ops->feed_position(m, &se2, &seq, &f), &f);
    assert_int_equal(seq, 0); /* each its own */
    m->ops->close(m);
}

/* Of each element its own, as they come and go. */
static void
test_files_of_an_element(void **state)
{
    struct meta *m = fresh();
    struct index_change c[3];
    struct fault f = {0};
    uint64_t n = 99;
    (void)state;

    assert_int_equal(m->ops->feed_files(m, &se1, &n, &f), ERR_NOENT);
    ok(m->ops->feed(m, &se1, "se-01", NULL, 0, 0, &f), &f);
    ok(m->ops->feed_files(m, &se1, &n, &f), &f);
    assert_int_equal(n, 0); /* heard of, and empty */
    for (unsigned i = 0; i < 3; i++)
        index_sample_change(&c[i], i + 1, i + 1);
    ok(m->ops->feed(m, &se1, "se-01", c, 3, 3, &f), &f);
    index_sample_change(&c[0], 4, 1);
    ok(m->ops->feed(m, &se2, "se-02", c, 1, 1, &f), &f);
    ok(m->ops->feed_files(m, &se1, &n, &f), &f);
    assert_int_equal(n, 3);
    ok(m->ops->feed_files(m, &se2, &n, &f), &f);
    assert_int_equal(n, 1);
    ok(m->ops->feed_reset(m, &se1, &f), &f);
    ok(m->ops->feed_files(m, &se1, &n, &f), &f);
    assert_int_equal(n, 0);
    m->ops->close(m);
}

/* A gateway was slow to tell of a file that has been deleted since (D25). */
static void
test_late(void **state)
{
    struct meta *m = fresh();
    struct index_change c, late;
    struct fault f = {0};
    (void)state;

    index_sample_change(&late, 1, 3);
    put(m, &se1, 1, 3);
    take(m, &se1, 1, 4);
    ok(m->ops->feed(m, &se1, "se-01", &late, 1, 0, &f), &f);
    assert_null(where(m, 1));
    count(m, 0, 0);
    /* What is new in the same page counts all the same. */
    index_sample_change(&c, 2, 5);
    {
        struct index_change both[2] = {late, c};

        ok(m->ops->feed(m, &se1, "se-01", both, 2, 5, &f), &f);
    }
    assert_null(where(m, 1));
    assert_non_null(where(m, 2));
    ok(m->ops->feed(m, &se2, "se-02", &late, 1, 0, &f), &f);
    assert_string_equal(where(m, 1), "se-02"); /* each element its own log */
    ok(m->ops->feed_reset(m, &se1, &f), &f);
    put(m, &se1, 2, 2); /* and a reset begins anew */
    assert_string_equal(where(m, 2), "se-01");
    m->ops->close(m);
}

/* A file that moves has two copies for a while (D23). */
static void
test_two_copies(void **state)
{
    struct meta *m = fresh();
    struct index_change c;
    (void)state;

    put(m, &se1, 1, 1);
    index_sample_change(&c, 1, 1);
    c.row.attr.epoch = 2;
    c.row.attr.size = 10;
    feed(m, &se2, &c, 1);
    assert_string_equal(where(m, 1), "se-02"); /* the higher epoch */
    count(m, 1, 10);                           /* one file all the same */
    put(m, &se1, 1, 2);                        /* epoch 1 again */
    assert_string_equal(where(m, 1), "se-02");
    count(m, 1, 10);
    take(m, &se1, 1, 3);
    assert_string_equal(where(m, 1), "se-02");
    count(m, 1, 10);
    take(m, &se1, 1, 4); /* it has none any more */
    count(m, 1, 10);
    take(m, &se2, 1, 2);
    assert_null(where(m, 1));
    count(m, 0, 0);
    m->ops->close(m);
}

static void
test_one_transaction(void **state)
{
    struct meta *m = fresh();
    struct index_change c[2];
    uint64_t seq;
    struct fault f = {0};
    (void)state;

    index_sample_change(&c[0], 1, 1);
    index_sample_change(&c[1], 2, 0); /* 0 is no number */
    assert_int_equal(m->ops->feed(m, &se1, "se-01", c, 2, 2, NULL), ERR_INVAL);
    assert_null(where(m, 1));
    count(m, 0, 0);
    ok(m->ops->feed_position(m, &se1, &seq, &f), &f);
    assert_int_equal(seq, 0);
    put(m, &se1, 1, 1); /* and it works on */
    count(m, 1, 1001);
    m->ops->close(m);
}

/* One feed may tell of a file several times; it counts as if told one after
 * the other. */
static void
test_one_feed(void **state)
{
    static const struct {
        uint64_t file;
        enum index_op op;
        uint64_t size;
    } row[] = {
        {1, INDEX_PUBLISH, 10}, {1, INDEX_PUBLISH, 20}, /* replaced at once */
        {2, INDEX_PUBLISH, 30}, {3, INDEX_PUBLISH, 40}, {2, INDEX_DELETE, 0},
        {2, INDEX_DELETE, 0}, /* twice is once */
        {1, INDEX_DELETE, 0},   {2, INDEX_PUBLISH, 50}, {3, INDEX_EXPIRE, 0},
        {3, INDEX_PUBLISH, 60}, {3, INDEX_PUBLISH, 70},
    };
    struct meta *m = fresh();
    struct index_change c[countof(row)], one;
    (void)state;

    put(m, &se2, 3, 1); /* known before, with 3001 bytes and another copy */
    for (size_t i = 0; i < countof(row); i++) {
        index_sample_change(&c[i], row[i].file, i + 1);
        c[i].op = row[i].op;
        c[i].row.attr.size = row[i].size;
        c[i].row.attr.epoch = 2;
    }
    for (int i = 0; i < 2; i++) { /* and again: nothing moves */
        feed(m, &se1, c, countof(c));
        assert_null(where(m, 1));
        assert_string_equal(where(m, 2), "se-01");
        assert_string_equal(where(m, 3), "se-01");
        count(m, 2, 50 + 70);
    }
    index_sample_change(&one, 3, 99);
    one.op = INDEX_DELETE;
    feed(m, &se1, &one, 1);
    assert_string_equal(where(m, 3), "se-02");
    m->ops->close(m);
}

static void
test_feed_reset(void **state)
{
    struct meta *m = fresh();
    struct index_change c;
    struct fault f = {0};
    uint64_t seq = 9;
    (void)state;

    for (uint64_t i = 1; i <= 3; i++)
        put(m, &se1, i, i);
    index_sample_change(&c, 3, 1);
    c.row.attr.epoch = 2;
    feed(m, &se2, &c, 1);
    ok(m->ops->feed_reset(m, &se1, &f), &f);
    assert_null(where(m, 1));
    assert_null(where(m, 2));
    assert_string_equal(where(m, 3), "se-02"); /* has another copy */
    count(m, 1, 3001);
    ok(m->ops->feed_position(m, &se1, &seq, &f), &f);
    assert_int_equal(seq, 0);
    put(m, &se1, 1, 1); /* an old number is new again */
    assert_string_equal(where(m, 1), "se-01");

    ok(m->ops->reset_files(m, &f), &f);
    count(m, 0, 0);
    ok(m->ops->feed_position(m, &se2, &seq, &f), &f);
    assert_int_equal(seq, 0);
    put(m, &se2, 3, 1);
    assert_string_equal(where(m, 3), "se-02");
    m->ops->close(m);
}

static void
test_reopen(void **state)
{
    struct meta *m = fresh();
    struct meta_account a = {.client_id = "c", .secret_hash = "h"};
    struct fault f = {0};
    (void)state;

    if (!contract->reopen) {
        m->ops->close(m);
        skip();
    }
    put(m, &se1, 1, 1);
    put(m, &se1, 2, 2);
    ok(m->ops->account_put(m, &a, &f), &f);
    m = contract->reopen(contract->arg, m);
    count(m, 2, 1001 + 2001);
    put(m, &se1, 3, 3);
    count(m, 3, 1001 + 2001 + 3001);
    assert_string_equal(where(m, 2), "se-01");
    ok(m->ops->account_get(m, "c", &a, &f), &f);
    m->ops->close(m);
}

int
meta_contract_run(const struct meta_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_files_of_an_element),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_two_copies),
        cmocka_unit_test(test_one_transaction),
        cmocka_unit_test(test_one_feed),
        cmocka_unit_test(test_feed_reset),
        cmocka_unit_test(test_reopen),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL) +
           meta_contract_list(c) + meta_contract_element(c) +
           meta_contract_account(c) + meta_contract_audit(c);
}
