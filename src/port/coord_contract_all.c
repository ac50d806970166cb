/* coord_contract_all.c - texts, and several changes as one; part of
 * coord_contract.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_contract_impl.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct coord_request
contract_lease(enum coord_op o, const char *owner, int64_t ttl_ms,
               uint64_t epoch)
{
    return (struct coord_request){.op = o,
                                  .key = "capacity_monitor:leader_lock",
                                  .owner = owner,
                                  .ttl = dur_ms(ttl_ms),
                                  .epoch = epoch};
}

void
contract_text(void **state)
{
    struct buf b;
    struct coord_request put = {.op = COORD_TEXT_PUT,
                                .key = "health:se-01",
                                .value = SLICE("unhealthy: timeout"),
                                .ttl = dur_ms(600)};
    struct coord_request get = {
        .op = COORD_TEXT_GET, .key = "health:se-01", .out = &b};
    struct coord_request take = {.op = COORD_LEASE_TAKE,
                                 .key = "health:se-01",
                                 .owner = "a",
                                 .ttl = dur_ms(1000)};
    (void)state;

    buf_init(&b, 32);
    assert_int_equal(contract_op(&get), ERR_NOENT);
    assert_int_equal(contract_op(&put), ERR_OK);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_true(slice_eq(buf_slice(&b), SLICE("unhealthy: timeout")));
    assert_int_equal(contract_op(&take), ERR_BUSY); /* a lock of old */
    assert_int_equal(take.left.ns, dur_ms(600).ns);
    buf_clear(&b);
    b.max = 3;
    assert_int_equal(contract_op(&get), ERR_TOOBIG);
    b.max = 32;
    buf_clear(&b);
    contract_pass(600);
    assert_int_equal(contract_op(&get), ERR_NOENT);
    put.value = SLICE("");
    put.ttl = dur_ms(100);
    assert_int_equal(contract_op(&put), ERR_OK);
    put.ttl = dur_ms(0); /* for ever */
    assert_int_equal(contract_op(&put), ERR_OK);
    contract_pass(86400000);
    buf_clear(&b);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(b.n, 0);
    put.op = COORD_DEL;
    assert_int_equal(contract_op(&put), ERR_OK);
    assert_int_equal(contract_op(&get), ERR_NOENT);
    buf_release(&b);
}

/* What a poll changes: the hash, the health, one set, and not the other. */
void
contract_all(void **state)
{
    struct coord_pair field = {.name = SLICE("used"), .value = SLICE("1")};
    struct coord_write w[] = {
        {.op = COORD_HASH_PUT,
         .key = "capacity:se-01",
         .pairs = &field,
         .n = 1,
         .ttl = dur_ms(600)},
        {.op = COORD_TEXT_PUT,
         .key = "health:se-01",
         .value = SLICE("healthy")},
        {.op = COORD_ZSET_DEL,
         .key = "capacity:edit:available",
         .member = "se-01"},
        {.op = COORD_ZSET_PUT,
         .key = "capacity:rw:available",
         .member = "se-01",
         .score = 5,
         .ttl = dur_ms(600)},
        {.op = COORD_DEL, .key = "capacity:se-02"},
    };
    struct coord_request l = contract_lease(COORD_LEASE_TAKE, "a", 1000, 0);
    struct coord_guard g = {.owner = "a"};
    struct coord_request all = {
        .op = COORD_ALL, .writes = w, .n = countof(w), .guard = &g};
    struct buf b;
    struct coord_request get = {
        .op = COORD_TEXT_GET, .key = "health:se-01", .out = &b};
    struct coord_pair got[2];
    struct coord_request range = {.op = COORD_ZSET_RANGE,
                                  .key = "capacity:rw:available",
                                  .pairs = got,
                                  .cap = 2,
                                  .out = &b};
    (void)state;

    buf_init(&b, 256);
    assert_int_equal(contract_op(&l), ERR_OK);
    g.key = l.key;
    g.epoch = l.epoch + 1;
    assert_int_equal(contract_op(&all), ERR_CONFLICT);
    assert_int_equal(contract_op(&get), ERR_NOENT); /* nothing was done */
    g.epoch = l.epoch;
    assert_int_equal(contract_op(&all), ERR_OK);
    assert_int_equal(all.number, 3); /* what is not there needs no removing */
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_int_equal(contract_op(&range), ERR_OK);
    assert_int_equal(range.n, 1);
    assert_int_equal(got[0].score, 5);

    w[1].value = SLICE("other");
    w[4].key = l.key; /* a lease cannot be deleted: so none is done */
    all.guard = NULL;
    assert_int_equal(contract_op(&all), ERR_INVAL);
    w[4].key = "health:se-01"; /* twice */
    assert_int_equal(contract_op(&all), ERR_INVAL);
    w[4].op = COORD_HASH_GET; /* no change */
    w[4].key = "x";
    assert_int_equal(contract_op(&all), ERR_INVAL);
    all.n = 0;
    assert_int_equal(contract_op(&all), ERR_INVAL);
    all.n = COORD_WRITES_MAX + 1;
    assert_int_equal(contract_op(&all), ERR_TOOBIG);
    buf_clear(&b);
    assert_int_equal(contract_op(&get), ERR_OK);
    assert_true(slice_eq(buf_slice(&b), SLICE("healthy")));
    buf_release(&b);
}
