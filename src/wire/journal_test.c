/* journal_test.c - tests of journal.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/journal.h"
#include "base/prng.h"
#include "hash/hash.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define RECORDS 40

static const struct hash_kernels *k;

static void
sample(struct journal_record *r, unsigned i)
{
    static const enum journal_type types[] = {JOURNAL_DELETE, JOURNAL_EXPIRE,
                                              JOURNAL_ABORT, JOURNAL_SYNCED};

    *r = (struct journal_record){.type = types[i % 4]};
    if (r->type != JOURNAL_SYNCED) {
        memset(r->file_id.b, (int)i + 1, 16);
        r->number = i * 1000003ULL;
        r->at.ms = 1763717401123 + i;
    }
    if (r->type != JOURNAL_ABORT)
        r->seq = UINT64_MAX - i;
    if (r->type == JOURNAL_DELETE || r->type == JOURNAL_EXPIRE) {
        snprintf(r->bucket, sizeof(r->bucket), "2025/11/21/%04u", i);
        snprintf(r->name, sizeof(r->name), "a name %u with blanks.txt", i);
    }
}

static void
write_all(struct buf *b)
{
    struct journal_record r;

    buf_init(b, 64 * KIB);
    for (unsigned i = 0; i < RECORDS; i++) {
        sample(&r, i);
        assert_true(journal_encode(b, &r, k));
    }
}

static void
test_there_and_back(void **state)
{
    struct journal_record want, got;
    uint64_t damaged = 0;
    struct slice rest;
    struct buf b;
    (void)state;

    write_all(&b);
    rest = buf_slice(&b);
    for (unsigned i = 0; i < RECORDS; i++) {
        sample(&want, i);
        assert_true(journal_next(&rest, &got, &damaged, k));
        assert_memory_equal(&want, &got, sizeof(want));
    }
    assert_false(journal_next(&rest, &got, &damaged, k));
    assert_int_equal(damaged, 0);
    buf_release(&b);
}

/* Each record that is read from a damaged journal is one that was written; and
 * damage of one place costs at most two records. */
static void
test_damage(void **state)
{
    struct prng p;
    (void)state;

    prng_init(&p, 3);
    for (unsigned round = 0; round < 3000; round++) {
        struct journal_record want, got;
        uint64_t damaged = 0;
        struct slice rest;
        struct buf b;
        size_t at, n;
        unsigned i = 0, seen = 0;

        write_all(&b);
        at = (size_t)prng_below(&p, b.n);
        n = (size_t)prng_below(&p, 30) + 1;
        for (size_t j = at; j < at + n && j < b.n; j++)
            b.p[j] = round % 3 ? (char)prng_next(&p) : 0;
        rest = buf_slice(&b);
        while (journal_next(&rest, &got, &damaged, k)) {
            do {
                assert_true(i < RECORDS);
                sample(&want, i++);
            } while (memcmp(&want, &got, sizeof(want)) != 0);
            seen++;
        }
        assert_true(seen >= RECORDS - 2);
        buf_release(&b);
    }
}

/* An append whose predecessor never reached the disk. */
static void
test_hole(void **state)
{
    struct journal_record r, got;
    uint64_t damaged = 0;
    struct slice rest;
    struct buf b;
    (void)state;

    buf_init(&b, 4096);
    sample(&r, 3);
    assert_true(journal_encode(&b, &r, k));
    memset(buf_reserve(&b, 300), 0, 300); /* zeros, and no end of line */
    b.n += 300;
    sample(&r, 0);
    assert_true(journal_encode(&b, &r, k));
    rest = buf_slice(&b);
    assert_true(journal_next(&rest, &got, &damaged, k));
    assert_true(journal_next(&rest, &got, &damaged, k));
    assert_memory_equal(&r, &got, sizeof(r));
    assert_int_equal(damaged, 1);
    assert_false(journal_next(&rest, &got, &damaged, k));
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_hole),
    };

    k = hash_select(&(struct hash_cpu){0}, "c");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
