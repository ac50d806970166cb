/* meta_contract.c - see meta_contract.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_contract.h"
#include "base/base.h"
#include "base/prng.h"
#include "port/index_contract.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct meta_contract *contract;

static const struct uuid se1 = {{0xe1}};
static const struct uuid se2 = {{0xe2}};

/* --- helpers -------------------------------------------------------------- */

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
feed(struct meta *m, const struct uuid *element, const struct index_change *c,
     size_t n)
{
    struct fault f = {0};

    ok(m->ops->feed(m, element, element == &se1 ? "se-01" : "se-02", c, n,
                    n ? c[n - 1].seq : 0, &f),
       &f);
}

static void
put(struct meta *m, const struct uuid *element, uint64_t i, uint64_t seq)
{
    struct index_change c;

    index_sample_change(&c, i, seq);
    feed(m, element, &c, 1);
}

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

/* On which element FILE is, or NULL. */
static const char *
where(struct meta *m, uint64_t i)
{
    static struct meta_file file;
    struct index_row row;
    struct fault f = {0};
    enum err e;

    index_sample(&row, i);
    e = m->ops->file_get(m, &row.attr.file_id, &file, &f);
    if (e == ERR_NOENT) {
        assert_int_equal(f.code, ERR_OK);
        return NULL;
    }
    ok(e, &f);
    meta_file_release(&file);
    return file.attr.element_id;
}

/* --- feed ----------------------------------------------------------------- */

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
    struct meta_query q = {.limit = 10, .retention = -1};
    (void)state;
    (void)q;

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

/* --- lists ---------------------------------------------------------------- */

struct page {
    uint64_t i[64]; /* sample numbers, by time of birth */
    size_t n;
    size_t stop_at;
};

static bool
see(void *arg, const struct meta_file *file)
{
    struct page *p = arg;

    assert_true(p->n < countof(p->i));
    p->i[p->n++] = (uint64_t)uuid_time(&file->attr.file_id).ms / 60000 - 1;
    return p->n != p->stop_at;
}

static struct uuid
list(struct meta *m, const struct meta_query *q, struct page *p)
{
    struct uuid next = {{1}};
    struct fault f = {0};

    ok(m->ops->file_list(m, q, see, p, &next, &f), &f);
    return next;
}

static void
expect(const struct page *p, const char *want, const char *why)
{
    char got[256] = "";
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%d", i ? " " : "",
                              (int)p->i[i]);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s: got \"%s\", want \"%s\"", contract->name, why, got,
                 want);
}

static void
fill(struct meta *m)
{
    static const char *const name[] = {"Report.PDF", "50% off_now.txt",
                                       "back\\slash", "a*b?c", "plain"};

    for (uint64_t i = 0; i < 10; i++) {
        struct index_change c;

        index_sample_change(&c, i, i + 1);
        (void)snprintf(c.row.attr.original_filename, 256, "%s", name[i % 5]);
        feed(m, i < 7 ? &se1 : &se2, &c, 1);
    }
}

/* Of sample i: born at minute i+1, size 1000 i + 1, user-(i mod 5), PERMANENT
 * for every fourth, metadata none, {project, n}, {name, tags} in turn; the
 * first seven are on se-01. */
static void
test_filters(void **state)
{
    static const struct {
        struct meta_query q;
        const char *want;
        const char *why;
    } row[] = {
        {{.retention = -1}, "0 1 2 3 4 5 6 7 8 9", "all"},
        {{.retention = -1, .descending = true},
         "9 8 7 6 5 4 3 2 1 0",
         "newest first"},
        {{.retention = 0}, "1 2 3 5 6 7 9", "TEMPORARY"},
        {{.retention = 1}, "0 4 8", "PERMANENT"},
        {{.retention = -1, .user = "user-1"}, "1 6", "a user"},
        {{.retention = -1, .user = "user-1", .descending = true},
         "6 1",
         "a user, newest first"},
        {{.retention = -1, .user = "User-1"}, "", "users have a case"},
        {{.retention = -1, .user = "", .name = ""},
         "0 1 2 3 4 5 6 7 8 9",
         "empty is any"},
        {{.retention = -1, .element_id = "se-02"}, "7 8 9", "an element"},
        {{.retention = -1, .element_id = "se-02", .descending = true},
         "9 8 7",
         "an element, newest first"},
        {{.retention = -1, .element_id = "se-03"}, "", "no such element"},
        {{.retention = -1, .element_id = "se-01", .user = "user-2"},
         "2",
         "both"},
        {{.retention = -1, .size_min = 7001}, "7 8 9", "size from"},
        {{.retention = -1, .size_max = 1001}, "0 1", "size to, included"},
        {{.retention = -1, .size_min = 1001, .size_max = 1001}, "1", "size"},
        {{.retention = -1, .from = {8 * 60000 + 250}},
         "7 8 9",
         "from, included"},
        {{.retention = -1, .to = {3 * 60000 + 250}}, "0 1", "to, excluded"},
        {{.retention = -1, .from = {120000}, .to = {240000}}, "1 2", "between"},
        {{.retention = -1, .name = "report"}, "0 5", "a part, any case"},
        {{.retention = -1, .name = "% off_"}, "1 6", "LIKE's signs are text"},
        {{.retention = -1, .name = "k\\s"}, "2 7", "so is the backslash"},
        {{.retention = -1, .name = "*.pdf"}, "0 5", "a glob is of the whole"},
        {{.retention = -1, .name = "report"}, "0 5", "part"},
        {{.retention = -1, .name = "r*t"}, "", "the whole name"},
        {{.retention = -1, .name = "?lain"}, "4 9", "one letter"},
        {{.retention = -1, .metadata_key = "project"}, "1 4 7", "has a key"},
        {{.retention = -1,
          .metadata_key = "project",
          .metadata_value = "apollo"},
         "1 4 7",
         "key and value"},
        {{.retention = -1,
          .metadata_key = "project",
          .metadata_value = "gemini"},
         "",
         "another value"},
        {{.retention = -1, .metadata_key = "n", .metadata_value = "1"},
         "1 4 7",
         "a number as text"},
        {{.retention = -1,
          .metadata_key = "name",
          .metadata_value = "caf\xc3\xa9"},
         "2 5 8",
         "UTF-8"},
        {{.retention = -1, .metadata_key = "x') OR 1=1 --"},
         "",
         "a key is not SQL"},
        {{.retention = -1, .user = "' OR ''='"}, "", "nor is a user"},
        {{.retention = 0,
          .metadata_key = "project",
          .user = "user-2",
          .size_min = 5000},
         "7",
         "several at once"},
    };
    struct meta *m = fresh();
    (void)state;

    fill(m);
    for (size_t i = 0; i < countof(row); i++) {
        struct meta_query q = row[i].q;
        struct page p = {0};
        struct uuid next;

        q.limit = 50;
        next = list(m, &q, &p);
        expect(&p, row[i].want, row[i].why);
        if (!uuid_is_nil(&next))
            fail_msg("%s: there is no more", row[i].why);
    }
    m->ops->close(m);
}

static void
test_bad_metadata(void **state)
{
    struct meta *m = fresh();
    struct index_change c;
    struct meta_query q = {.limit = 9, .retention = -1, .metadata_key = "a"};
    struct page p = {0};
    (void)state;

    index_sample_change(&c, 1, 1);
    c.row.attr.metadata = "{not json";
    feed(m, &se1, &c, 1);
    index_sample_change(&c, 2, 2);
    c.row.attr.metadata = "{\"a\":true,\"b\":null}";
    feed(m, &se1, &c, 1);
    (void)list(m, &q, &p);
    expect(&p, "2", "one bad row does not fail the page");
    q.metadata_value = "true";
    p.n = 0;
    (void)list(m, &q, &p);
    expect(&p, "2", "as JSON spells it");
    m->ops->close(m);
}

static void
test_pages(void **state)
{
    struct meta *m = fresh();
    struct meta_query q = {.limit = 4, .retention = -1};
    struct page p = {0};
    struct fault f = {0};
    (void)state;

    fill(m);
    q.after = list(m, &q, &p);
    assert_false(uuid_is_nil(&q.after));
    put(m, &se1, 20, 21); /* what comes meanwhile shows when its turn comes */
    q.after = list(m, &q, &p);
    q.after = list(m, &q, &p);
    expect(&p, "0 1 2 3 4 5 6 7 8 9 20", "ascending pages");
    assert_true(uuid_is_nil(&q.after));

    q = (struct meta_query){.limit = 5, .retention = -1, .descending = true};
    p.n = 0;
    q.after = list(m, &q, &p);
    q.after = list(m, &q, &p);
    expect(&p, "20 9 8 7 6 5 4 3 2 1", "descending pages");
    assert_false(uuid_is_nil(&q.after));
    q.after = list(m, &q, &p);
    assert_true(uuid_is_nil(&q.after)); /* the last page is exact */

    q = (struct meta_query){.limit = 5, .retention = -1};
    p = (struct page){.stop_at = 2};
    q.after = list(m, &q, &p); /* the caller has enough */
    (void)list(m, &q, &p);
    expect(&p, "0 1 2 3 4 5 6", "goes on after the last that was told");

    q.limit = 0;
    assert_int_equal(m->ops->file_list(m, &q, see, &p, &q.after, &f),
                     ERR_INVAL);
    q.limit = META_PAGE_MAX + 1;
    assert_int_equal(m->ops->file_list(m, &q, see, &p, &q.after, &f),
                     ERR_INVAL);
    q.limit = 1;
    q.name = "*a*b*c*d*e*f*g*h*i*";
    assert_int_equal(m->ops->file_list(m, &q, see, &p, &q.after, &f),
                     ERR_INVAL);
    m->ops->close(m);
}

/* A condition that matches one row in 45,000 still costs bounded pages, and
 * following the cursor finds it. */
static void
test_scan_bound(void **state)
{
    enum { N = 45000, BATCH = 500 };
    struct meta *m = fresh();
    struct meta_query q = {.limit = 10, .retention = -1};
    struct index_change *c = calloc(BATCH, sizeof(*c));
    (void)state;

    assert_non_null(c);
    for (uint64_t i = 0; i < N; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++)
            index_sample_change(&c[k], i + k, i + k + 1);
        feed(m, &se1, c, BATCH);
    }
    free(c);
    for (int way = 0; way < 2; way++) {
        struct page p = {0};
        int pages = 0;

        q.descending = way == 1;
        q.after = (struct uuid){0};
        q.name = "Report 44444.pdf";
        do {
            q.after = list(m, &q, &p);
            pages++;
        } while (!uuid_is_nil(&q.after));
        expect(&p, "44444", "found");
        assert_int_equal(pages, 3); /* 45,000 / META_SCAN_MAX */
    }
    m->ops->close(m);
}

static void
test_list_copies(void **state)
{
    struct meta *m = fresh();
    struct meta_query q = {.limit = 10, .retention = -1};
    struct index_change c;
    struct page p = {0};
    (void)state;

    put(m, &se1, 1, 1);
    put(m, &se1, 2, 2);
    index_sample_change(&c, 1, 1);
    c.row.attr.epoch = 2;
    feed(m, &se2, &c, 1);
    (void)list(m, &q, &p);
    expect(&p, "1 2", "a file with two copies is one file");
    p.n = 0;
    q.user = "user-1";
    (void)list(m, &q, &p);
    expect(&p, "1", "also by user");
    q.user = NULL;
    q.element_id = "se-01";
    p.n = 0;
    (void)list(m, &q, &p);
    expect(&p, "1 2", "each element has its copies");
    m->ops->close(m);
}

/* An element that was renamed, to a name that was another's before. */
static void
test_list_renamed(void **state)
{
    const struct {
        struct meta_query q;
        const char *want;
        const char *why;
    } row[] = {
        {{.element_id = "se-01"}, "", "its old name"},
        {{.element_id = "se-02"}, "2 3", "the younger of two"},
        {{.element_id = "se-02", .user = "user-2"}, "2", "with its user"},
        {{.element_uuid = se1, .element_id = "se-02"}, "1", "uuid goes before"},
        {{.element_uuid = se1, .user = "user-1"}, "1", "and with its user"},
        {{.element_uuid = se2, .user = "user-1"}, "", "another's user"},
        {{.element_uuid = {{9}}, .element_id = "se-02"}, "", "never fed"},
    };
    struct meta *m = fresh();
    struct fault f = {0};
    (void)state;

    put(m, &se1, 1, 1);
    put(m, &se2, 2, 1);
    put(m, &se2, 3, 2);
    ok(m->ops->feed(m, &se1, "se-02", NULL, 0, 0, &f), &f);
    for (size_t i = 0; i < countof(row); i++) {
        struct meta_query q = row[i].q;
        struct page p = {0};

        q.limit = 10;
        q.retention = -1;
        (void)list(m, &q, &p);
        expect(&p, row[i].want, row[i].why);
    }
    assert_string_equal(where(m, 1), "se-02");
    m->ops->close(m);
}

/* --- the rest ------------------------------------------------------------- */

static bool
see_element(void *arg, const struct meta_element *e)
{
    struct meta_element **at = arg;

    *(*at)++ = *e;
    return true;
}

static void
test_elements(void **state)
{
    struct meta *m = fresh();
    struct meta_element got[4] = {0}, *at = got;
    struct meta_element a = {.uuid = se2,
                             .element_id = "se-02",
                             .name = "second",
                             .endpoint = "https://dc2.example/se-02",
                             .mode = 1,
                             .priority = 200,
                             .location = "dc2",
                             .created_at = {1000},
                             .updated_at = {1000}};
    struct meta_element b = {.uuid = se1, .element_id = "se-01"};
    const struct uuid none = {{0}};
    struct fault f = {0};
    (void)state;

    ok(m->ops->element_put(m, &a, &f), &f);
    ok(m->ops->element_put(m, &b, &f), &f);
    a.mode = 2;
    a.created_at.ms = 5000; /* stays */
    a.updated_at.ms = 6000;
    ok(m->ops->element_put(m, &a, &f), &f);
    a.mode = 0; /* never back (AMB-026) */
    ok(m->ops->element_put(m, &a, &f), &f);
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 2);
    assert_string_equal(got[0].element_id, "se-01");
    assert_string_equal(got[1].element_id, "se-02");
    assert_string_equal(got[1].name, a.name);
    assert_string_equal(got[1].endpoint, a.endpoint);
    assert_string_equal(got[1].location, a.location);
    assert_true(uuid_eq(&got[1].uuid, &se2));
    assert_int_equal(got[1].mode, 2);
    assert_int_equal(got[1].priority, 200);
    assert_int_equal(got[1].created_at.ms, 1000);
    assert_int_equal(got[1].updated_at.ms, 6000);

    assert_false(got[1].remote);
    assert_int_equal(got[1].seen_at.ms, 0);

    (void)snprintf(b.element_id, sizeof(b.element_id), "se-02");
    assert_int_equal(m->ops->element_put(m, &b, &f), ERR_CONFLICT);
    assert_int_equal(m->ops->element_swap(m, &none, &b, &f), ERR_CONFLICT);
    b.remote = true;
    b.seen_at.ms = 7000;
    ok(m->ops->element_swap(m, &se2, &b, &f), &f); /* in its place */
    at = got;
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 1);
    assert_true(uuid_eq(&got[0].uuid, &se1));
    assert_string_equal(got[0].element_id, "se-02");
    assert_true(got[0].remote);
    assert_int_equal(got[0].seen_at.ms, 7000);
    ok(m->ops->element_swap(m, &se1, NULL, &f), &f);
    ok(m->ops->element_swap(m, &se1, NULL, &f), &f); /* gone is gone */
    at = got;
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 0);
    b.uuid = (struct uuid){0};
    assert_int_equal(m->ops->element_put(m, &b, &f), ERR_INVAL);
    assert_int_equal(m->ops->element_add(m, &b, &a, &f), ERR_INVAL);
    m->ops->close(m);
}

static void
test_element_add(void **state)
{
    static const struct {
        const char *id, *endpoint, *holder;
        uint8_t uuid;
        bool remote;
        const char *why;
    } row[] = {
        {"se-01", "http://a", NULL, 1, true, "new"},
        {"se-01", "http://b", "se-01", 2, true, "an id"},
        {"se-02", "http://b", "se-01", 1, true, "a uuid"},
        {"se-02", "http://a", "se-01", 2, true, "an address"},
        {"se-01", "http://a", "se-01", 1, true, "all of it: itself"},
        {"se-02", "http://a", NULL, 2, false, "in that process"},
        {"se-03", "http://b", NULL, 3, false, "in another"},
        {"se-04", "http://b", NULL, 4, true, "where those of a process are"},
        {"se-01", "http://b", "se-04", 4, true, "of several by uuid"},
        {"se-03", "http://b", "se-03", 5, true, "then by id"},
        {"se-04", "http://c", "se-04", 5, false, "elsewhere by that name"},
    };
    struct meta_element got[8], *at = got;
    struct meta *m = fresh();
    struct fault f = {0};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct meta_element e = {
            .uuid = {{row[i].uuid}}, .mode = (int)i, .remote = row[i].remote};
        struct meta_element holder = {.mode = 0};
        enum err err;

        (void)snprintf(e.element_id, sizeof(e.element_id), "%s", row[i].id);
        (void)snprintf(e.endpoint, sizeof(e.endpoint), "%s", row[i].endpoint);
        err = m->ops->element_add(m, &e, &holder, &f);
        if (err != (row[i].holder ? ERR_EXISTS : ERR_OK) ||
            (row[i].holder && strcmp(holder.element_id, row[i].holder) != 0))
            fail_msg("%s: %s: %s %s", contract->name, row[i].why, err_name(err),
                     holder.element_id);
    }
    ok(m->ops->element_list(m, see_element, &at, &f), &f);
    assert_int_equal(at - got, 4);
    assert_int_equal(got[0].mode, 0); /* as it was added */
    m->ops->close(m);
}

static bool
see_setting(void *arg, const char *key, struct slice value)
{
    char *text = arg;

    (void)sprintf(text + strlen(text), "%s=%.*s ", key, SLICE_ARG(value));
    return true;
}

static void
test_setting_list(void **state)
{
    static const char *const key[] = {"jwk:b", "jwk", "jwk:a", "jwk;",
                                      "jwl",   "jw",  "jwk:"};
    struct meta *m = fresh();
    char got[200] = "", more[200] = "";
    struct fault f = {0};
    (void)state;

    for (size_t i = 0; i < countof(key); i++)
        ok(m->ops->setting_put(m, key[i], SLICE("v"), &f), &f);
    ok(m->ops->setting_list(m, "jwk:", 10, see_setting, got, &f), &f);
    assert_string_equal(got, "jwk:=v jwk:a=v jwk:b=v ");
    ok(m->ops->setting_del(m, "jwk:a", &f), &f);
    ok(m->ops->setting_del(m, "jwk:a", &f), &f);
    ok(m->ops->setting_list(m, "jwk:", 2, see_setting, more, &f), &f);
    assert_string_equal(more, "jwk:=v jwk:b=v ");
    assert_int_equal(m->ops->setting_list(m, "", 2, see_setting, more, &f),
                     ERR_INVAL);
    m->ops->close(m);
}

static void
test_settings(void **state)
{
    struct meta *m = fresh();
    struct buf b;
    struct fault f = {0};
    (void)state;

    buf_init(&b, 16);
    assert_int_equal(m->ops->setting_get(m, "k", &b, &f), ERR_NOENT);
    ok(m->ops->setting_put(m, "k", slice_of("a\0b", 3), &f), &f);
    ok(m->ops->setting_put(m, "empty", SLICE(""), &f), &f);
    ok(m->ops->setting_get(m, "k", &b, &f), &f);
    assert_true(slice_eq(buf_slice(&b), slice_of("a\0b", 3)));
    ok(m->ops->setting_get(m, "empty", &b, &f), &f);
    assert_int_equal(b.n, 3);
    ok(m->ops->setting_put(m, "k", SLICE("0123456789abcdef!"), &f), &f);
    assert_int_equal(m->ops->setting_get(m, "k", &b, &f), ERR_TOOBIG);
    buf_release(&b);
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
        cmocka_unit_test(test_two_copies),
        cmocka_unit_test(test_one_transaction),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_one_feed),
        cmocka_unit_test(test_feed_reset),
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_bad_metadata),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_scan_bound),
        cmocka_unit_test(test_list_copies),
        cmocka_unit_test(test_list_renamed),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_element_add),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_setting_list),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL) +
           meta_contract_account(c) + meta_contract_audit(c);
}
