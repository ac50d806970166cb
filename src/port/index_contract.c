/* index_contract.c - see index_contract.h. The last test walks at random
 * beside a model that is an array: what they hold must be the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/index_contract.h"
#include "base/base.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MINUTE 60000

static const struct index_contract *contract; /* of the running group */

/* --- samples -------------------------------------------------------------- */

void
index_sample(struct index_row *row, uint64_t i)
{
    static const char *const metadata[] = {
        NULL,
        "{\"project\":\"apollo\",\"n\":1}",
        "{\"name\":\"caf\xc3\xa9\",\"tags\":[\"a\",\"b\"]}",
    };
    struct file_attr *a = &row->attr;
    uint8_t random[10];
    struct prng r;

    memset(row, 0, sizeof(*row));
    prng_init(&r, i);
    prng_fill(&r, random, sizeof(random));
    a->file_id = uuid_v7((struct wall){(int64_t)(i + 1) * MINUTE}, random);
    (void)snprintf(a->original_filename, sizeof(a->original_filename),
                   "Report %llu.pdf", (unsigned long long)i);
    (void)snprintf(a->storage_filename, sizeof(a->storage_filename),
                   "report_%llu_ivanov.pdf", (unsigned long long)i);
    (void)snprintf(a->content_type, sizeof(a->content_type), "%s",
                   i % 2 ? "application/pdf" : "text/plain; charset=utf-8");
    (void)snprintf(a->uploaded_by, sizeof(a->uploaded_by), "user-%d",
                   (int)(i % 5));
    (void)snprintf(a->element_id, sizeof(a->element_id), "se-01");
    a->size = i * 1000 + 1;
    prng_fill(&r, a->md5, sizeof(a->md5));
    prng_fill(&r, a->sha256, sizeof(a->sha256));
    a->uploaded_at.ms = (int64_t)(i + 1) * MINUTE + 250;
    a->retention = i % 4 ? RETENTION_TEMPORARY : RETENTION_PERMANENT;
    if (a->retention == RETENTION_TEMPORARY)
        a->expires_at.ms = a->uploaded_at.ms + 10 * MINUTE;
    a->metadata = metadata[i % 3];
    a->format = ATTR_FORMAT;
    memset(a->element_uuid.b, 0xe1, sizeof(a->element_uuid.b));
    a->epoch = 1;
    a->stored_size = a->size + 7;
    a->stored_crc = (uint32_t)prng_next(&r);
    (void)snprintf(row->bucket, sizeof(row->bucket), "2026/11/%02d/%04d",
                   (int)(i / 64 % 28 + 1), (int)(i / 16 % 4));
}

void
index_sample_change(struct index_change *c, uint64_t i, uint64_t seq)
{
    memset(c, 0, sizeof(*c));
    index_sample(&c->row, i);
    c->op = INDEX_PUBLISH;
    c->seq = seq;
    c->row.attr.seq = seq;
    c->at.ms = 5000000 + (int64_t)seq;
}

void
index_rows_equal(const struct index_row *a, const struct index_row *b)
{
    const struct file_attr *x = &a->attr, *y = &b->attr;

    assert_memory_equal(&x->file_id, &y->file_id, sizeof(x->file_id));
    assert_string_equal(x->original_filename, y->original_filename);
    assert_string_equal(x->storage_filename, y->storage_filename);
    assert_string_equal(x->content_type, y->content_type);
    assert_string_equal(x->content_encoding, y->content_encoding);
    assert_string_equal(x->uploaded_by, y->uploaded_by);
    assert_string_equal(x->element_id, y->element_id);
    assert_int_equal(x->size, y->size);
    assert_memory_equal(x->md5, y->md5, sizeof(x->md5));
    assert_memory_equal(x->sha256, y->sha256, sizeof(x->sha256));
    assert_int_equal(x->uploaded_at.ms, y->uploaded_at.ms);
    assert_int_equal(x->expires_at.ms, y->expires_at.ms);
    assert_int_equal(x->retention, y->retention);
    assert_int_equal(x->metadata == NULL, y->metadata == NULL);
    if (x->metadata)
        assert_string_equal(x->metadata, y->metadata);
    assert_int_equal(x->format, y->format);
    assert_memory_equal(&x->element_uuid, &y->element_uuid,
                        sizeof(x->element_uuid));
    assert_int_equal(x->epoch, y->epoch);
    assert_int_equal(x->seq, y->seq);
    assert_int_equal(x->state, y->state);
    assert_int_equal(x->stored_size, y->stored_size);
    assert_int_equal(x->stored_crc, y->stored_crc);
    assert_string_equal(a->bucket, b->bucket);
}

/* --- helpers -------------------------------------------------------------- */

static struct index *
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
apply(struct index *x, const struct index_change *c, size_t n)
{
    struct fault f = {0};

    ok(x->ops->apply(x, c, n, &f), &f);
}

static void
put(struct index *x, uint64_t i, uint64_t seq)
{
    struct index_change c;

    index_sample_change(&c, i, seq);
    apply(x, &c, 1);
}

static void
take(struct index *x, uint64_t i, uint64_t seq, enum index_op op)
{
    struct index_change c = {.seq = seq, .op = op, .at = {6000000}};
    struct index_row row;

    index_sample(&row, i);
    c.row.attr.file_id = row.attr.file_id;
    c.row.attr.epoch = row.attr.epoch;
    apply(x, &c, 1);
}

static struct index_totals
totals(struct index *x)
{
    struct index_totals t = {0};
    struct fault f = {0};

    ok(x->ops->totals(x, &t, &f), &f);
    return t;
}

/* Asserts that X holds file I as published with SEQ. */
static void
expect_row(struct index *x, uint64_t i, uint64_t seq)
{
    struct index_row want, row;
    struct fault f = {0};

    index_sample(&want, i);
    want.attr.seq = seq;
    memset(&row, 0xee, sizeof(row)); /* get() must fill all of it */
    ok(x->ops->get(x, &want.attr.file_id, &row, &f), &f);
    index_rows_equal(&want, &row);
    index_row_release(&row);
    assert_null(row.attr.metadata);
}

static void
expect_none(struct index *x, uint64_t i)
{
    struct index_row row, out;
    struct fault f = {0};

    index_sample(&row, i);
    assert_int_equal(x->ops->get(x, &row.attr.file_id, &out, &f), ERR_NOENT);
    assert_int_equal(f.code, ERR_OK); /* an answer, not a fault */
}

struct seen {
    struct uuid id[64];
    uint64_t seq[64];
    enum index_op op[64];
    size_t n;
    size_t stop_at; /* 0: never */
};

static bool
see_row(void *arg, const struct index_row *row)
{
    struct seen *s = arg;

    assert_true(s->n < countof(s->id));
    s->id[s->n++] = row->attr.file_id;
    return s->n != s->stop_at;
}

static bool
see_change(void *arg, const struct index_change *c)
{
    struct seen *s = arg;

    assert_true(s->n < countof(s->id));
    s->id[s->n] = c->row.attr.file_id;
    s->seq[s->n] = c->seq;
    s->op[s->n++] = c->op;
    return s->n != s->stop_at;
}

static void
expect_ids(const struct seen *s, const uint64_t *want, size_t n)
{
    struct index_row row;

    assert_int_equal(s->n, n);
    for (size_t i = 0; i < n; i++) {
        index_sample(&row, want[i]);
        assert_true(uuid_eq(&row.attr.file_id, &s->id[i]));
    }
}

/* --- tests ---------------------------------------------------------------- */

static void
test_round_trip(void **state)
{
    struct index *x = fresh();
    struct index_change c;
    struct index_row row;
    struct fault f = {0};
    char metadata[ATTR_METADATA_MAX + 1];
    (void)state;

    for (uint64_t i = 0; i < 6; i++) /* with and without metadata */
        put(x, i, i + 1);
    for (uint64_t i = 0; i < 6; i++)
        expect_row(x, i, i + 1);
    expect_none(x, 99);

    /* Every text as long as it may be, and numbers beyond 32 bits. */
    index_sample_change(&c, 50, 7);
#define FILL(field) memset(c.row.field, 'x', sizeof(c.row.field) - 1)
    FILL(attr.original_filename);
    FILL(attr.storage_filename);
    FILL(attr.content_type);
    FILL(attr.content_encoding);
    FILL(attr.uploaded_by);
    FILL(attr.element_id);
    FILL(bucket);
#undef FILL
    memset(metadata, 'm', sizeof(metadata));
    memcpy(metadata, "{\"k\":\"", 6);
    memcpy(metadata + ATTR_METADATA_MAX - 2, "\"}", 3);
    c.row.attr.metadata = metadata;
    c.row.attr.size = (uint64_t)1 << 50;
    c.row.attr.stored_size = ((uint64_t)1 << 50) + 1;
    c.row.attr.epoch = (uint64_t)1 << 40;
    c.row.attr.stored_crc = UINT32_MAX;
    c.row.attr.state = ATTR_HELD;
    apply(x, &c, 1);
    ok(x->ops->get(x, &c.row.attr.file_id, &row, &f), &f);
    index_rows_equal(&c.row, &row);
    index_row_release(&row);
    x->ops->close(x);
}

static void
test_totals(void **state)
{
    struct index *x = fresh();
    struct index_change c;
    struct index_totals t = totals(x);
    (void)state;

    assert_int_equal(t.files + t.bytes + t.stored, 0);
    assert_int_equal(t.first_seq + t.last_seq, 0);
    put(x, 1, 1); /* size 1001, stored 1008 */
    put(x, 2, 2); /* 2001, 2008 */
    t = totals(x);
    assert_int_equal(t.files, 2);
    assert_int_equal(t.bytes, 3002);
    assert_int_equal(t.stored, 3016);
    assert_int_equal(t.first_seq, 1);
    assert_int_equal(t.last_seq, 2);

    index_sample_change(&c, 2, 3); /* the same file, replaced */
    c.row.attr.size = 10;
    c.row.attr.stored_size = 20;
    apply(x, &c, 1);
    t = totals(x);
    assert_int_equal(t.files, 2);
    assert_int_equal(t.bytes, 1011);
    assert_int_equal(t.stored, 1028);

    take(x, 1, 4, INDEX_DELETE);
    take(x, 77, 5, INDEX_DELETE); /* never there: harmless, and logged */
    take(x, 2, 6, INDEX_EXPIRE);
    t = totals(x);
    assert_int_equal(t.files + t.bytes + t.stored, 0);
    assert_int_equal(t.last_seq, 6);
    expect_none(x, 1);
    expect_none(x, 2);
    x->ops->close(x);
}

static void
test_list(void **state)
{
    struct index *x = fresh();
    struct seen s = {0};
    struct fault f = {0};
    struct uuid after = {0};
    (void)state;

    for (uint64_t i = 5; i > 0; i--) /* not in the order of their ids */
        put(x, i, 6 - i);
    ok(x->ops->list(x, &after, 2, see_row, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){1, 2}, 2);
    after = s.id[1];
    ok(x->ops->list(x, &after, 2, see_row, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){1, 2, 3, 4}, 4);
    after = s.id[3];
    ok(x->ops->list(x, &after, 2, see_row, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){1, 2, 3, 4, 5}, 5);
    after = s.id[4];
    ok(x->ops->list(x, &after, 2, see_row, &s, &f), &f);
    assert_int_equal(s.n, 5); /* nothing after the last */

    s = (struct seen){.stop_at = 3};
    after = (struct uuid){0};
    ok(x->ops->list(x, &after, 100, see_row, &s, &f), &f);
    assert_int_equal(s.n, 3); /* the walk stops when it is told to */
    put(x, 6, 9);             /* and holds nothing that a writer waits for */
    x->ops->close(x);
}

static void
test_bucket(void **state)
{
    struct index *x = fresh();
    struct seen s = {0};
    struct fault f = {0};
    struct index_change c;
    (void)state;

    for (uint64_t i = 14; i < 18; i++) /* 16 begins another bucket */
        put(x, i, i);
    ok(x->ops->bucket(x, "2026/11/01/0000", see_row, &s, &f), &f);
    assert_int_equal(s.n, 2);
    s.n = 0;
    ok(x->ops->bucket(x, "2026/11/01/0001", see_row, &s, &f), &f);
    assert_int_equal(s.n, 2);
    s.n = 0;
    ok(x->ops->bucket(x, "2026/11/01/0009", see_row, &s, &f), &f);
    assert_int_equal(s.n, 0); /* unknown */

    index_sample_change(&c, 14, 30); /* a file that moved */
    (void)snprintf(c.row.bucket, sizeof(c.row.bucket), "2026/11/01/0001");
    apply(x, &c, 1);
    ok(x->ops->bucket(x, "2026/11/01/0001", see_row, &s, &f), &f);
    assert_int_equal(s.n, 3);
    x->ops->close(x);
}

static void
test_changes(void **state)
{
    struct index *x = fresh();
    struct seen s = {0};
    struct fault f = {0};
    struct index_change c;
    (void)state;

    put(x, 1, 1);
    put(x, 2, 2);
    put(x, 3, 3);
    take(x, 3, 4, INDEX_EXPIRE);
    index_sample_change(&c, 1, 5);
    c.row.attr.epoch = 2;
    apply(x, &c, 1);

    ok(x->ops->changes(x, 0, 3, see_change, &s, &f), &f);
    ok(x->ops->changes(x, 3, 3, see_change, &s, &f), &f);
    ok(x->ops->changes(x, 5, 3, see_change, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){1, 2, 3, 3, 1}, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s.seq[i], i + 1);
    assert_int_equal(s.op[0], INDEX_PUBLISH);
    assert_int_equal(s.op[1], INDEX_PUBLISH);
    assert_int_equal(s.op[3], INDEX_EXPIRE);
    assert_int_equal(s.op[4], INDEX_PUBLISH);
    /* s.op[2] is the driver's choice: see struct index_change. */

    s = (struct seen){.stop_at = 2};
    ok(x->ops->changes(x, 0, 100, see_change, &s, &f), &f);
    assert_int_equal(s.n, 2);

    index_sample_change(&c, 8, 5); /* the same number again: replaced */
    apply(x, &c, 1);
    s = (struct seen){0};
    ok(x->ops->changes(x, 4, 100, see_change, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){8}, 1);
    x->ops->close(x);
}

static void
test_expired(void **state)
{
    static const struct {
        enum retention retention;
        int64_t expires;
        enum attr_state held;
        bool found;
        const char *why;
    } row[] = {
        {RETENTION_TEMPORARY, 999, ATTR_COMMITTED, true, "past"},
        {RETENTION_TEMPORARY, 1000, ATTR_COMMITTED, true, "just now"},
        {RETENTION_TEMPORARY, 1001, ATTR_COMMITTED, false, "not yet"},
        {RETENTION_TEMPORARY, 0, ATTR_COMMITTED, false, "never"},
        {RETENTION_PERMANENT, 999, ATTR_COMMITTED, false, "is kept"},
        {RETENTION_TEMPORARY, 999, ATTR_HELD, false, "held: D23"},
    };
    struct fault f = {0};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct index *x = fresh();
        struct index_change c;
        struct seen s = {0};

        index_sample_change(&c, 1, 1);
        c.row.attr.retention = row[i].retention;
        c.row.attr.expires_at.ms = row[i].expires;
        c.row.attr.state = row[i].held;
        apply(x, &c, 1);
        ok(x->ops->expired(x, (struct wall){1000}, 10, see_row, &s, &f), &f);
        if (s.n != row[i].found)
            fail_msg("%s", row[i].why);
        x->ops->close(x);
    }
}

static void
test_expired_order(void **state)
{
    struct index *x = fresh();
    struct index_change c;
    struct seen s = {0};
    struct fault f = {0};
    (void)state;

    for (uint64_t i = 1; i < 6; i++) {
        index_sample_change(&c, i, i);
        c.row.attr.retention = RETENTION_TEMPORARY;
        c.row.attr.expires_at.ms = 100 - (int64_t)i;
        apply(x, &c, 1);
    }
    /* The oldest first, so that a bounded pass never starves one. */
    ok(x->ops->expired(x, (struct wall){1000}, 3, see_row, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){5, 4, 3}, 3);
    x->ops->close(x);
}

static void
test_trim_and_reset(void **state)
{
    struct index *x = fresh();
    struct index_totals t;
    struct seen s = {0};
    struct fault f = {0};
    (void)state;

    for (uint64_t i = 1; i <= 5; i++)
        put(x, i, i);
    ok(x->ops->trim(x, 3, &f), &f);
    ok(x->ops->changes(x, 0, 10, see_change, &s, &f), &f);
    expect_ids(&s, (uint64_t[]){4, 5}, 2);
    t = totals(x);
    assert_int_equal(t.first_seq, 4);
    assert_int_equal(t.files, 5); /* the files stay */
    ok(x->ops->trim(x, 100, &f), &f);
    t = totals(x);
    assert_int_equal(t.first_seq, 0);
    assert_int_equal(t.last_seq, 5); /* D25: numbers are never reused */

    put(x, 6, 6);
    ok(x->ops->reset(x, &f), &f);
    t = totals(x);
    assert_int_equal(t.files + t.bytes + t.stored + t.first_seq, 0);
    assert_int_equal(t.last_seq, 6);
    expect_none(x, 6);
    put(x, 6, 7); /* and it works on */
    expect_row(x, 6, 7);
    x->ops->close(x);
}

static void
test_one_transaction(void **state)
{
    struct index *x = fresh();
    struct index_change c[3];
    struct index_totals t;
    (void)state;

    index_sample_change(&c[0], 1, 1);
    index_sample_change(&c[1], 2, 2);
    index_sample_change(&c[2], 3, 0); /* 0 is no number */
    assert_int_equal(x->ops->apply(x, c, 3, NULL), ERR_INVAL);
    expect_none(x, 1);
    t = totals(x);
    assert_int_equal(t.files + t.last_seq, 0);
    apply(x, c, 2);
    expect_row(x, 1, 1);
    apply(x, c, 0); /* nothing to do is not an error */
    x->ops->close(x);
}

static void
test_sync(void **state)
{
    struct index *x = fresh();
    struct fault f = {0};
    (void)state;

    if (!x->ops->sync) {
        x->ops->close(x);
        skip();
    }
    ok(x->ops->sync(x, &f), &f); /* of nothing */
    put(x, 1, 1);
    ok(x->ops->sync(x, &f), &f);
    ok(x->ops->sync(x, &f), &f);
    put(x, 2, 2);
    expect_row(x, 1, 1);
    expect_row(x, 2, 2);
    x->ops->close(x);
}

static void
test_reopen(void **state)
{
    struct index *x = fresh();
    (void)state;

    if (!contract->reopen) {
        x->ops->close(x);
        skip();
    }
    put(x, 1, 1);
    put(x, 2, 2);
    take(x, 1, 3, INDEX_DELETE);
    if (x->ops->sync)
        assert_int_equal(x->ops->sync(x, NULL), ERR_OK);
    x = contract->reopen(contract->arg, x);
    expect_row(x, 2, 2);
    expect_none(x, 1);
    assert_int_equal(totals(x).files, 1);
    assert_int_equal(totals(x).last_seq, 3);
    put(x, 3, 4);
    assert_int_equal(totals(x).bytes, 2001 + 3001);
    x->ops->close(x);
}

/* --- random walk ---------------------------------------------------------- */

#define MODEL_N 48

struct model {
    uint64_t seq[MODEL_N]; /* 0: not there */
    uint64_t last;
};

static bool
replay(void *arg, const struct index_change *c)
{
    struct model *m = arg;
    struct index_row row;
    uint64_t i = (uint64_t)uuid_time(&c->row.attr.file_id).ms / MINUTE - 1;

    assert_true(i < MODEL_N);
    index_sample(&row, i);
    assert_true(uuid_eq(&row.attr.file_id, &c->row.attr.file_id));
    m->seq[i] = c->op == INDEX_PUBLISH ? c->row.attr.seq : 0;
    return true;
}

static void
model_check(struct index *x, const struct model *m)
{
    struct model again = {0};
    struct index_totals t = totals(x);
    uint64_t files = 0, bytes = 0;
    struct fault f = {0};

    for (uint64_t i = 0; i < MODEL_N; i++) {
        if (m->seq[i])
            expect_row(x, i, m->seq[i]);
        else
            expect_none(x, i);
        files += m->seq[i] != 0;
        bytes += m->seq[i] ? i * 1000 + 1 : 0;
    }
    assert_int_equal(t.files, files);
    assert_int_equal(t.bytes, bytes);
    assert_int_equal(t.last_seq, m->last);
    ok(x->ops->changes(x, 0, SIZE_MAX, replay, &again, &f), &f);
    assert_memory_equal(again.seq, m->seq, sizeof(again.seq));
}

static void
test_model(void **state)
{
    struct index *x = fresh();
    struct model m = {0};
    struct index_change c[8];
    struct prng r;
    (void)state;

    prng_init(&r, 20261121);
    for (unsigned round = 0; round < contract->rounds; round++) {
        size_t n = 1 + prng_below(&r, countof(c));

        for (size_t k = 0; k < n; k++) {
            uint64_t i = prng_below(&r, MODEL_N);

            index_sample_change(&c[k], i, ++m.last);
            if (prng_below(&r, 3) == 0)
                c[k].op = INDEX_DELETE;
            m.seq[i] = c[k].op == INDEX_PUBLISH ? m.last : 0;
        }
        apply(x, c, n);
        if (round % 64 == 0)
            model_check(x, &m);
    }
    model_check(x, &m);
    x->ops->close(x);
}

int
index_contract_run(const struct index_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_expired_order),
        cmocka_unit_test(test_trim_and_reset),
        cmocka_unit_test(test_one_transaction),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_model),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
