/* superblock_test.c - tests of superblock.h (D31).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/superblock.h"
#include "hash/hash.h"
#include "wire/selfsum.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct hash_kernels *k;
static struct superblock s, t;

static void
sample(uint32_t n_dirty)
{
    s = (struct superblock){.format_min = 1,
                            .format_max = SUPERBLOCK_FORMAT,
                            .label = "se-01",
                            .mode = "edit",
                            .latest_mode = "rw",
                            .pool_id = "pool",
                            .created_at = {1763717401123},
                            .boot = 42,
                            .seq = (uint64_t)1 << 62,
                            .synced = 17,
                            .index_seq = 15,
                            .index_files = 9,
                            .index_stored = 4096,
                            .index_lost = n_dirty == 7,
                            .clean = n_dirty == 0,
                            .all_dirty = n_dirty == SUPERBLOCK_DIRTY_MAX,
                            .n_dirty = n_dirty};
    if (n_dirty == 1) /* one of before it was written down */
        memset(s.latest_mode, 0, sizeof(s.latest_mode));
    memset(s.element_uuid.b, 0x33, 16);
    memset(s.installation_id.b, 0x44, 16);
    for (uint32_t i = 0; i < n_dirty; i++)
        snprintf(s.dirty[i], SUPERBLOCK_BUCKET, "2025/11/21/%05u", i);
}

static void
test_there_and_back(void **state)
{
    static const uint32_t dirty[] = {0, 1, 7, SUPERBLOCK_DIRTY_MAX};
    struct buf b;
    (void)state;

    for (size_t i = 0; i < countof(dirty); i++) {
        sample(dirty[i]);
        buf_init(&b, SUPERBLOCK_TEXT_MAX);
        assert_true(superblock_encode(&b, &s, k)); /* the largest fits */
        memset(&t, 0xee, sizeof(t));
        assert_int_equal(superblock_decode(&t, buf_slice(&b), k), ERR_OK);
        assert_memory_equal(&s, &t, sizeof(s));
        buf_release(&b);
    }
}

static void
test_damage(void **state)
{
    struct buf b;
    (void)state;

    sample(2);
    buf_init(&b, SUPERBLOCK_TEXT_MAX);
    assert_true(superblock_encode(&b, &s, k));
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 4;
        assert_int_equal(superblock_decode(&t, buf_slice(&b), k), ERR_CORRUPT);
        b.p[i] ^= 4;
        assert_int_equal(superblock_decode(&t, slice_of(b.p, i), k),
                         ERR_CORRUPT);
    }
    buf_release(&b);
}

static void
test_other_documents(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *why;
    } row[] = {
        {"{\"artstore\": \"superblock\", \"format_min\": 1, "
         "\"format_max\": 99",
         ERR_UNSUPPORTED, "of a later version"},
        {"{\"artstore\": \"superblock\", \"format_min\": 2, "
         "\"format_max\": 1",
         ERR_CORRUPT, "no range"},
        {"{\"artstore\": \"superblock\", \"format_min\": 1, "
         "\"format_max\": 1",
         ERR_CORRUPT, "all else is missing"},
        {"{\"artstore\": \"journal\", \"format_min\": 1, \"format_max\": 1",
         ERR_CORRUPT, "something else"},
        {"{\"a\": 1", ERR_CORRUPT, "something else again"},
        {"[1", ERR_CORRUPT, "no JSON"},
        {"", ERR_CORRUPT, "nothing but a checksum"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct buf b;

        buf_init(&b, SUPERBLOCK_TEXT_MAX);
        buf_add_str(&b, row[i].text);
        assert_true(selfsum_close(&b, 0, k));
        if (superblock_decode(&t, buf_slice(&b), k) != row[i].err)
            fail_msg("%s", row[i].why);
        buf_release(&b);
    }
    assert_int_equal(superblock_decode(&t, SLICE_NULL, k), ERR_CORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_other_documents),
    };

    k = hash_select(&(struct hash_cpu){0}, "c");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
