/* intake_test.c - bodies through the intake, without HTTP: where blocks are, in
 * which order things are told, what is given back. Whole uploads are told in
 * test/unit/ingest_upload_test.c. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/intake.h"
#include "port/blob_mem.h"
#include "port/loop_mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define B BLOCK_SIZE

static struct {
    struct loop_mem loop;
    struct lanes lanes;
    struct blob_mem element, other;
    struct intake s;
    unsigned told[4]; /* of each event */
    enum intake_event last;
    uint64_t sent;
} w;

static const struct uuid id = {{1, 2, 3}};

static void
event(struct intake *s, enum intake_event ev)
{
    assert_ptr_equal(s, &w.s);
    w.told[ev]++;
    w.last = ev;
}

static int
set_up(void **state)
{
    static const struct hash_cpu portable;
    (void)state;

    memset(&w, 0, sizeof(w));
    loop_mem_init(&w.loop);
    lanes_init(&w.lanes, &w.loop.loop, hash_select(&portable, "c"));
    blob_mem_init(&w.element, "se-0", BLOB_EDIT);
    blob_mem_init(&w.other, "se-1", BLOB_EDIT);
    intake_init(&w.s, &w.loop.loop, &w.lanes, event);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    intake_release(&w.s);
    blob_mem_release(&w.element);
    blob_mem_release(&w.other);
    loop_mem_release(&w.loop);
    return 0;
}

static void
aim(uint64_t hint)
{
    intake_aim(&w.s, &w.element.blob, &id, 1, hint, false);
}

/* As many bytes as there is room for, N at most; settles when there is none.
 * Returns what is left. */
static uint64_t
send(uint64_t n)
{
    void *p;
    size_t room;

    while (n) {
        if (!intake_room(&w.s, &p, &room)) {
            unsigned ready = w.told[INTAKE_READY];

            loop_mem_settle(&w.loop);
            if (w.told[INTAKE_READY] == ready)
                return n;
            continue;
        }
        room = (size_t)u64_min(room, n);
        memset(p, (int)(w.sent / B), room);
        intake_took(&w.s, room);
        w.sent += room;
        n -= room;
    }
    return 0;
}

static void
abort_it(void)
{
    intake_abort(&w.s);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_GONE], 1);
    assert_int_equal(w.last, INTAKE_GONE);
    assert_int_equal(w.loop.blocks, 0);
    assert_int_equal(w.element.tickets, 0);
}

/* Slow clients hold no block: the first 16 KiB are in a small buffer. */
static void
test_small_holds_no_block(void **state)
{
    (void)state;
    aim(BLOB_SIZE_UNKNOWN);
    assert_int_equal(send(INTAKE_SMALL), 0);
    assert_int_equal(w.loop.blocks, 0);
    assert_int_equal(send(1), 0);
    assert_int_equal(w.loop.blocks, 1);
    abort_it();
}

/* A stream never has more than its slots, however slow the element is. */
static void
test_back_pressure(void **state)
{
    (void)state;
    aim(BLOB_SIZE_UNKNOWN);
    w.loop.hold_work = true; /* nothing of the element ever ends */
    assert_int_not_equal(send(100 * B), 0);
    assert_int_equal(w.loop.blocks, INTAKE_SLOTS);
    assert_int_equal(w.sent, INTAKE_SLOTS * B);
    intake_abort(&w.s);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_GONE], 0); /* the admission is under way */
    w.loop.hold_work = false;
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_GONE], 1);
    assert_int_equal(w.loop.blocks, 0);
    assert_int_equal(w.element.aborted, 1); /* D27: leaves its tombstone */
}

/* Known to be large: not a byte before the admission (D26). */
static void
test_admitted_first(void **state)
{
    void *p;
    size_t n;
    (void)state;

    aim(5 * B);
    intake_admit(&w.s);
    intake_admit(&w.s); /* asked once all the same */
    assert_false(intake_room(&w.s, &p, &n));
    assert_int_equal(w.told[INTAKE_READY], 0); /* never inside a call */
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_READY], 1);
    assert_int_equal(w.element.admitted, 1);
    assert_int_equal(w.element.last_size, 5 * B);
    assert_int_equal(send(5 * B), 0);
    intake_end(&w.s);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_ENDED], 1);
    assert_int_equal(w.loop.blocks, 0);
    abort_it();
}

/* A body of one block is put without an admission; one byte more is not. */
static void
test_one_block_needs_no_ticket(void **state)
{
    struct block *blocks[BLOB_PUT_BLOCKS];
    struct blob_put put;
    (void)state;

    aim(BLOB_SIZE_UNKNOWN);
    assert_int_equal(send(B), 0);
    intake_end(&w.s);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_ENDED], 1);
    assert_true(intake_body(&w.s, blocks, &put));
    assert_true(put.aligned && put.n_blocks == 0);
    assert_int_equal(w.element.admitted, 0);
    abort_it();
}

/* A held body is never written; all of it is there to be sent again. */
static void
test_held(void **state)
{
    struct block *blocks[BLOB_PUT_BLOCKS];
    struct blob_put put;
    (void)state;

    aim(4 * B);
    assert_true(intake_hold(&w.s, 4 * B));
    assert_int_equal(send(3 * B + 5), 0); /* fewer than were announced */
    loop_mem_settle(&w.loop);
    assert_int_equal(atomic_load(&w.lanes.items), 0); /* asked once, for all */
    intake_end(&w.s);
    loop_mem_settle(&w.loop); /* and without a pause between the blocks */
    assert_int_equal(atomic_load(&w.lanes.items), 4);
    assert_int_equal(w.told[INTAKE_ENDED], 1);
    for (int again = 0; again < 2; again++) {
        assert_true(intake_body(&w.s, blocks, &put));
        assert_int_equal(put.n_blocks, 4);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(blocks[i]->data[0], i);
        assert_int_equal(blocks[3]->len, 5);
    }
    assert_int_equal(w.element.admitted, 0);
    abort_it();
}

/* The one who waits for a block gets it, or is out of the queue for good. */
static void
test_waits_for_a_block(void **state)
{
    struct block *taken = loop_block_get(&w.loop.loop);
    (void)state;

    w.loop.blocks_max = 1;
    aim(BLOB_SIZE_UNKNOWN);
    assert_int_equal(send(INTAKE_SMALL + 10), 10);
    loop_block_put(&w.loop.loop, taken);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_READY], 1);
    assert_int_equal(send(10), 0);
    assert_int_equal(w.loop.blocks, 1);
    abort_it();
}

static void
test_gives_up_waiting(void **state)
{
    struct block *taken = loop_block_get(&w.loop.loop);
    (void)state;

    w.loop.blocks_max = 1;
    aim(BLOB_SIZE_UNKNOWN);
    assert_int_equal(send(INTAKE_SMALL + 10), 10);
    intake_abort(&w.s);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_GONE], 1);
    loop_block_put(&w.loop.loop, taken);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.loop.blocks, 0);
}

/* The first call of the element fails, the second ...: told once, and after the
 * abort nothing is out. */
static void
test_each_call_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        set_up(NULL);
        w.element.fail.at = n;
        aim(BLOB_SIZE_UNKNOWN);
        if (send(5 * B + 7) == 0) {
            intake_end(&w.s);
            loop_mem_settle(&w.loop);
        }
        if (w.element.fail.calls < n)
            break;
        assert_int_equal(w.told[INTAKE_FAILED], 1);
        assert_int_equal(w.told[INTAKE_ENDED], 0);
        assert_int_equal(w.s.err, ERR_IO);
        assert_int_equal(w.s.refused, n == 1); /* the admission */
        abort_it();
        tear_down(NULL);
    }
    assert_int_equal(w.told[INTAKE_ENDED], 1);
    abort_it();
}

static void
published(struct blob_publish *r)
{
    assert_int_equal(r->err, ERR_OK);
    w.s.ticket = NULL; /* used up */
}

/* Refused at its admission: the next element gets all of it, in order, and what
 * came meanwhile. */
static void
test_again_elsewhere(void **state)
{
    struct file_attr a = {.file_id = id};
    struct blob_publish pub = {
        .loop = &w.loop.loop, .done = published, .attr = &a};
    struct slice got;
    (void)state;

    aim(BLOB_SIZE_UNKNOWN);
    w.element.admit_is = ERR_NOSPC;
    assert_int_not_equal(send(5 * B + 7), 0);
    assert_int_equal(w.told[INTAKE_FAILED], 1);
    assert_true(w.s.refused);
    intake_again(&w.s, &w.other.blob, 2);
    assert_int_equal(send(5 * B + 7 - w.sent), 0);
    intake_end(&w.s);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.told[INTAKE_ENDED], 1);
    a.size = w.s.size;
    pub.ticket = w.s.ticket;
    w.other.blob.ops->publish(&w.other.blob, &pub);
    loop_mem_settle(&w.loop);
    got = blob_mem_get(&w.other, &id, NULL);
    assert_int_equal(got.n, 5 * B + 7);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(got.p[i * B + 6], i);
    assert_int_equal(w.element.tickets + w.other.tickets, 0);
    abort_it();
}

/* Every digest is that of the bytes, wherever the body ends. */
static void
test_digests(void **state)
{
    static const uint64_t size[] = {0, 1, INTAKE_SMALL, B, B + 1, 3 * B};
    const struct hash_kernels *k = w.lanes.k;
    (void)state;

    for (size_t i = 0; i < countof(size); i++) {
        uint8_t *p = malloc(3 * B);
        struct hash_state st;
        struct hash_digests want;

        assert_non_null(p);
        set_up(NULL);
        for (uint64_t n = 0; n < size[i]; n++)
            p[n] = (uint8_t)(n / B);
        hash_init(&st);
        hash_run(k, &(struct hash_job){&st, p, (size_t)size[i]}, 1);
        hash_final(k, &st, &want);
        aim(BLOB_SIZE_UNKNOWN);
        assert_int_equal(send(size[i]), 0);
        intake_end(&w.s);
        loop_mem_settle(&w.loop);
        assert_int_equal(w.told[INTAKE_ENDED], 1);
        /* send() fills by where a piece begins, which the seams keep to one
         * value a block. */
        assert_memory_equal(w.s.digests.sha256, want.sha256, 32);
        assert_memory_equal(w.s.digests.md5, want.md5, 16);
        abort_it();
        tear_down(NULL);
        free(p);
    }
    set_up(NULL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_small_holds_no_block),
        T(test_back_pressure),
        T(test_admitted_first),
        T(test_one_block_needs_no_ticket),
        T(test_held),
        T(test_waits_for_a_block),
        T(test_gives_up_waiting),
        T(test_each_call_fails),
        T(test_again_elsewhere),
        T(test_digests),
    };

    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
