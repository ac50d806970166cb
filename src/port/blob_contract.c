/* blob_contract.c - see blob_contract.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/blob_contract.h"
#include "port/blob_story.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define B ((uint64_t)BLOCK_SIZE)

static const struct blob_contract *contract;
static struct loop_mem loop;
static struct blob_story s;

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))

static int
setup(void **state)
{
    (void)state;
    loop_mem_init(&loop);
    s = (struct blob_story){.loop = &loop};
    s.blob = contract->open(contract->arg, &loop);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    contract->close(contract->arg, s.blob);
    loop_mem_release(&loop);
    return 0;
}

static void
again(void)
{
    s.blob = contract->reopen(contract->arg, s.blob);
}

static struct blob_capacity
capacity(void)
{
    struct blob_capacity c;

    s.blob->ops->capacity(s.blob, &c);
    return c;
}

/* Sizes at the seams, by each of the ways in, read verified and not, before and
 * after a restart. */
static void
test_sizes(void **state)
{
    static const struct {
        uint64_t size;
        const char *why;
    } row[] = {
        {0, "nothing"},
        {1, "one byte"},
        {4095, "just below a page"},
        {4096, "a page"},
        {4097, "just above"},
        {64 * 1024, "where O_DIRECT begins"},
        {B - 1, "a block less one"},
        {B, "a block"},
        {B + 1, "two blocks"},
        {3 * B, "whole blocks"},
        {32 * B, "the most that one call takes"},
        {64 * B, "the most that attr.json holds checksums of"},
        {64 * B + 5, "checksums in a file of their own"},
    };
    (void)state;

    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < countof(row); i++) {
            uint64_t n = row[i].size;
            enum err e = ERR_OK;

            if (round == 0 && n <= BLOB_PUT_BLOCKS * B)
                e = story_put(&s, 3 * i, n, NULL);
            if (round == 0 && e == ERR_OK)
                e = story_upload(&s, 3 * i + 1, n, true, NULL);
            if (round == 0 && e == ERR_OK)
                e = story_upload(&s, 3 * i + 2, n, false, NULL);
            for (unsigned k = n > BLOB_PUT_BLOCKS * B; k < 3 && e == ERR_OK;
                 k++) {
                e = story_check(&s, 3 * i + k, n, true);
                if (e == ERR_OK)
                    e = story_check(&s, 3 * i + k, n, false);
            }
            if (e != ERR_OK)
                fail_msg("%s: %s", row[i].why, err_name(e));
        }
        again();
    }
}

static void
test_attributes(void **state)
{
    struct blob_reader *rd;
    struct blob_info info;
    struct file_attr a;
    (void)state;

    OK(story_put(&s, 1, 100, &a));
    assert_true(strlen(a.storage_filename) > 0); /* STO-035 */
    assert_non_null(strstr(a.storage_filename, "report_1_ivanov_"));
    assert_string_equal(a.element_id, s.blob->element_id);
    assert_int_equal(a.stored_size, 100);
    assert_int_equal(a.state, ATTR_COMMITTED);
    assert_true(a.seq > 0 && a.epoch > 0 && a.uploaded_at.ms > 0);
    OK(story_open(&s, 1, &rd));
    s.blob->ops->info(rd, &info);
    assert_int_equal(info.size, 100);
    assert_string_equal(info.attr->original_filename, "report 1.TXT");
    assert_string_equal(info.attr->storage_filename, a.storage_filename);
    assert_memory_equal(info.attr->sha256, a.sha256, 32);
    assert_int_equal(info.attr->seq, a.seq);
    s.blob->ops->close(rd);
}

/* STO-033. */
static void
test_repetition(void **state)
{
    struct file_attr first, second;
    (void)state;

    OK(story_put(&s, 1, 100, &first));
    OK(story_put(&s, 1, 100, &second));
    assert_string_equal(first.storage_filename, second.storage_filename);
    assert_int_equal(first.seq, second.seq);
    OK(story_upload(&s, 1, 100, true, &second));
    assert_int_equal(first.seq, second.seq);
    IS(ERR_CONFLICT, story_put(&s, 1, 101, NULL));
    IS(ERR_CONFLICT, story_upload(&s, 1, 5 * B, true, NULL));
    OK(story_check(&s, 1, 100, true));
    assert_int_equal(story_count(&s, 10), 1);
    again();
    OK(story_put(&s, 1, 100, &second));
    assert_int_equal(first.seq, second.seq);
}

static void
count_done(struct blob_put *r)
{
    ++*(unsigned *)r->priv;
}

/* The same file several times at once joins one commit (D24). Whoever comes
 * first has the name; on the way to an element afar that may be the third. */
static void
test_joined(void **state)
{
    static const char *const body[3] = {"hello", "hello", "other!"};
    struct blob_put r[3];
    struct file_attr a[3];
    unsigned done = 0;
    (void)state;

    for (int i = 0; i < 3; i++) {
        story_attr(&a[i], 7, strlen(body[i]));
        r[i] = (struct blob_put){.loop = &loop.loop,
                                 .done = count_done,
                                 .attempt = 1,
                                 .attr = &a[i],
                                 .data = body[i],
                                 .priv = &done};
        s.blob->ops->put(s.blob, &r[i]);
    }
    loop_mem_settle(&loop);
    assert_int_equal(done, 3);
    if (r[2].err == ERR_OK) {
        IS(ERR_CONFLICT, r[0].err);
        IS(ERR_CONFLICT, r[1].err);
    } else {
        OK(r[0].err);
        OK(r[1].err);
        assert_int_equal(a[0].seq, a[1].seq);
        IS(ERR_CONFLICT, r[2].err);
    }
    assert_int_equal(story_count(&s, 10), 1);
}

static void
test_delete(void **state)
{
    uint64_t before = s.blob->ops->generation(s.blob);
    struct blob_reader *rd;
    (void)state;

    IS(ERR_NOENT, story_delete(&s, 1));
    OK(story_put(&s, 1, 1000, NULL));
    OK(story_upload(&s, 2, 66 * B, true, NULL));
    OK(story_open(&s, 1, &rd)); /* open while it is deleted */
    OK(story_delete(&s, 1));
    OK(story_delete(&s, 2));
    assert_true(s.blob->ops->generation(s.blob) > before);
    s.blob->ops->close(rd);
    for (int round = 0; round < 2; round++) {
        IS(ERR_NOENT, story_delete(&s, 1));
        IS(ERR_NOENT, story_check(&s, 1, 1000, true));
        IS(ERR_NOENT, story_check(&s, 2, 66 * B, true));
        /* A late repetition does not bring it back (D30). */
        IS(ERR_CONFLICT, story_put(&s, 1, 1000, NULL));
        IS(ERR_CONFLICT, story_upload(&s, 2, 66 * B, true, NULL));
        assert_int_equal(story_count(&s, 10), 0);
        again();
    }
}

/* STO-002 ... STO-006. */
static void
test_modes(void **state)
{
    static const struct {
        enum blob_mode mode;
        enum err put, del;
        const char *why;
    } row[] = {
        {BLOB_RW, ERR_OK, ERR_READONLY, "rw takes, and keeps"},
        {BLOB_RO, ERR_READONLY, ERR_READONLY, "ro is for reading"},
        {BLOB_AR, ERR_READONLY, ERR_READONLY, "an archive too"},
        {BLOB_EDIT, ERR_OK, ERR_OK, "edit does all"},
    };
    (void)state;

    OK(story_put(&s, 100, 10, NULL));
    for (unsigned i = 0; i < countof(row); i++) {
        contract->set_mode(contract->arg, s.blob, row[i].mode);
        assert_int_equal(capacity().mode, row[i].mode);
        assert_int_equal(capacity().writable, row[i].put == ERR_OK);
        if (story_put(&s, i, 10, NULL) != row[i].put ||
            story_upload(&s, 10 + i, 2 * B, true, NULL) != row[i].put ||
            story_check(&s, 100, 10, true) != ERR_OK ||
            story_delete(&s, 100) != row[i].del)
            fail_msg("%s", row[i].why);
    }
}

static void
test_attempts(void **state)
{
    (void)state;

    OK(story_abort(&s, 1, 1, 3 * B, 2 * B));
    /* D27: the attempt that was given up stays given up ... */
    IS(ERR_CONFLICT, story_put(&s, 1, 100, NULL));
    IS(ERR_CONFLICT, story_upload(&s, 1, 3 * B, true, NULL));
    again();
    IS(ERR_CONFLICT, story_upload(&s, 1, 3 * B, true, NULL));
    /* ... and a later one may come. */
    OK(story_abort(&s, 1, 2, 3 * B, 0));
    assert_int_equal(story_count(&s, 10), 0);
    assert_int_equal(capacity().reserved, 0);
}

static void
test_list(void **state)
{
    static const unsigned pages[] = {1, 7, 100, 1000};
    enum err errs[150];
    (void)state;

    assert_int_equal(story_count(&s, 10), 0);
    story_put_many(&s, 0, 150, 20, errs);
    for (unsigned i = 0; i < 150; i++)
        OK(errs[i]);
    for (unsigned i = 0; i < countof(pages); i++)
        assert_int_equal(story_count(&s, pages[i]), 150);
    assert_int_equal(capacity().files, 150);
    assert_int_equal(capacity().bytes, 150 * 20);
    again();
    assert_int_equal(story_count(&s, 40), 150);
    assert_int_equal(capacity().files, 150);
}

/* What is promised is not available, and comes back (D28, STO-026). */
static void
test_capacity(void **state)
{
    struct blob_capacity was = capacity(), now;
    (void)state;

    assert_true(was.total >= was.available && was.available > 0);
    assert_int_equal(was.reserved, 0);
    OK(story_upload(&s, 1, 20 * B, false, NULL));
    now = capacity();
    assert_int_equal(now.reserved, 0);
    assert_true(now.available <= was.available - 20 * B);
    assert_true(now.seq > was.seq);
    OK(story_delete(&s, 1));
    OK(story_abort(&s, 2, 1, 20 * B, 3 * B));
    now = capacity();
    assert_int_equal(now.reserved, 0);
    assert_int_equal(now.files, 0);
    assert_int_equal(now.bytes, 0);
    IS(ERR_NOSPC, story_upload(&s, 3, was.total + 1, true, NULL));
    assert_int_equal(capacity().reserved, 0);
}

/* D34. */
static void
test_damage(void **state)
{
    struct file_attr a;
    (void)state;

    OK(story_put(&s, 1, 5000, &a));
    contract->damage(contract->arg, s.blob, a.storage_filename, 4999);
    IS(ERR_CORRUPT, story_check(&s, 1, 5000, true));
    OK(story_upload(&s, 2, 70 * B, true, &a));
    contract->damage(contract->arg, s.blob, a.storage_filename, 69 * B);
    IS(ERR_CORRUPT, story_check(&s, 2, 70 * B, true));
    OK(story_upload(&s, 3, 5 * B, true, &a));
    contract->damage(contract->arg, s.blob, a.storage_filename, 1);
    IS(ERR_CORRUPT, story_check(&s, 3, 5 * B, true));
}

int
blob_contract_run(const struct blob_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repetition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capacity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
    };

    contract = c;
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
