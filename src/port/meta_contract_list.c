/* meta_contract_list.c - see meta_contract.h: lists, by what they are filtered
 * and page by page.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_contract_impl.h"
#include <stdlib.h>

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

/* Of sample i: born at minute i+1, size 1000 i + 1, user-(i mod 5), PERMANENT
 * for every fourth, metadata none, {project, n}, {name, tags} in turn; the
 * first seven are on se-01. */
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

struct filter {
    struct meta_query q;
    const char *want;
    const char *why;
};

static void
expect_each(const struct filter *row, size_t n)
{
    struct meta *m = fresh();

    fill(m);
    for (size_t i = 0; i < n; i++) {
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

/* Which are kept for ever, whose they are and where. */
static void
test_filter_retention(void **state)
{
    static const struct filter row[] = {
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
    };
    (void)state;

    expect_each(row, countof(row));
}

/* Of which size, and born when. */
static void
test_filter_range(void **state)
{
    static const struct filter row[] = {
        {{.retention = -1, .size_min = 7001}, "7 8 9", "size from"},
        {{.retention = -1, .size_max = 1001}, "0 1", "size to, included"},
        {{.retention = -1, .size_min = 1001, .size_max = 1001}, "1", "size"},
        {{.retention = -1, .from = {8 * 60000 + 250}},
         "7 8 9",
         "from, included"},
        {{.retention = -1, .to = {3 * 60000 + 250}}, "0 1", "to, excluded"},
        {{.retention = -1, .from = {120000}, .to = {240000}}, "1 2", "between"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* Names: a part of it, or a glob of the whole. */
static void
test_filter_name(void **state)
{
    static const struct filter row[] = {
        {{.retention = -1, .name = "report"}, "0 5", "a part, any case"},
        {{.retention = -1, .name = "% off_"}, "1 6", "LIKE's signs are text"},
        {{.retention = -1, .name = "k\\s"}, "2 7", "so is the backslash"},
        {{.retention = -1, .name = "*.pdf"}, "0 5", "a glob is of the whole"},
        {{.retention = -1, .name = "report"}, "0 5", "part"},
        {{.retention = -1, .name = "r*t"}, "", "the whole name"},
        {{.retention = -1, .name = "?lain"}, "4 9", "one letter"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* Metadata; and what is asked for is never a command. */
static void
test_filter_metadata(void **state)
{
    static const struct filter row[] = {
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
    (void)state;

    expect_each(row, countof(row));
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

int
meta_contract_list(const struct meta_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_retention),
        cmocka_unit_test(test_filter_range),
        cmocka_unit_test(test_filter_name),
        cmocka_unit_test(test_filter_metadata),
        cmocka_unit_test(test_bad_metadata),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_scan_bound),
        cmocka_unit_test(test_list_copies),
        cmocka_unit_test(test_list_renamed),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
