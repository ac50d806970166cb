/* chunked_test.c - chunked bodies cut at every pair of places.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/chunked.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct chunked_limits limits = {100, 20, 40};

/* What became of a body that arrived in pieces. */
struct run {
    struct chunked c;
    enum chunked_result r;
    size_t used;
    size_t n;
    char data[4096];
};

/* Feeds PIECE in memory of its own size, so that a sanitizer sees more. */
static void
feed(struct run *run, struct slice piece)
{
    char *p = malloc(piece.n ? piece.n : 1);
    size_t used, data;

    memcpy(p, piece.p, piece.n);
    run->r = chunked_decode(&run->c, p, piece.n, &used, &data);
    assert_true(data <= used && used <= piece.n);
    assert_true(run->r != CHUNKED_MORE || used == piece.n);
    assert_true(run->n + data <= sizeof(run->data));
    memcpy(run->data + run->n, p, data);
    run->n += data;
    run->used += used;
    free(p);
}

static void
decode(struct run *run, const struct chunked_limits *lim, struct slice in,
       size_t a, size_t b)
{
    run->n = run->used = 0;
    chunked_init(&run->c, lim);
    feed(run, slice_head(in, a));
    feed(run, slice_of(in.p + a, b - a));
    feed(run, slice_skip(in, b));
}

static void
assert_same(const struct run *x, const struct run *y)
{
    assert_int_equal(x->r, y->r);
    assert_int_equal(x->used, y->used);
    assert_int_equal(x->c.refusal, y->c.refusal);
    assert_int_equal(x->n, y->n);
    assert_memory_equal(x->data, y->data, x->n);
    assert_int_equal(x->c.ntrailers, y->c.ntrailers);
    for (uint32_t i = 0; i < x->c.ntrailers; i++) {
        assert_true(slice_eq(x->c.trailer[i].name, y->c.trailer[i].name));
        assert_true(slice_eq(x->c.trailer[i].value, y->c.trailer[i].value));
    }
}

/* Whole, and cut at every pair of places. */
static void
decode_all_cuts(struct run *whole, struct slice in)
{
    static struct run cut;

    decode(whole, &limits, in, 0, 0);
    for (size_t a = 0; a <= in.n; a++)
        for (size_t b = a; b <= in.n; b++) {
            decode(&cut, &limits, in, a, b);
            assert_same(whole, &cut);
        }
}

static void
test_taken(void **state)
{
    static const struct {
        const char *in;
        const char *data;
        const char *rest; /* what is left of the buffer */
        uint32_t trailers;
        const char *why;
    } row[] = {
        {"0\r\n\r\n", "", "", 0, "empty"},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", "", 0, "one"},
        {"5\r\nhello\r\n1\r\n!\r\n00\r\n\r\nGET", "hello!", "GET", 0,
         "two, and the next request"},
        {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
         "01234567890123456789", "", 0, "hexadecimal in both cases"},
        {"0005\r\nhello\r\n0\r\n\r\n", "hello", "", 0, "leading zeros"},
        {"2;a=b;c\r\n\r\n\r\n0;x\r\n\r\n", "\r\n", "", 0,
         "extensions; data like framing"},
        {"1;a=\"\\\";,\"\r\nx\r\n0\r\n\r\n", "x", "", 0, "quoted extension"},
        {"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n.", "x", ".", 2, "trailers"},
    };
    static struct run run;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice in = slice_str(row[i].in);

        decode_all_cuts(&run, in);
        if (run.r != CHUNKED_DONE ||
            !slice_eq(slice_of(run.data, run.n), slice_str(row[i].data)) ||
            !slice_eq(slice_skip(in, run.used), slice_str(row[i].rest)) ||
            run.c.ntrailers != row[i].trailers)
            fail_msg("%s: %s", row[i].why, http_refusal_code(run.c.refusal));
        /* Without its last byte used it is not done, nor wrong. */
        for (size_t n = 0; n < run.used; n++) {
            static struct run part;

            decode(&part, &limits, slice_head(in, n), 0, 0);
            assert_int_equal(part.r, CHUNKED_MORE);
        }
    }
    assert_true(slice_eq(run.c.trailer[0].name, SLICE("A")));
    assert_true(slice_eq(run.c.trailer[0].value, SLICE("b")));
}

#define T20 "aaaaaaaaaaaaaaaaaaaa"

static void
test_refused(void **state)
{
    static const struct {
        const char *in;
        enum http_refusal why;
        const char *note;
    } row[] = {
        {"\r\n", HTTP_REF_CHUNK_SIZE, "no size"},
        {"x\r\n", HTTP_REF_CHUNK_SIZE, "not hexadecimal"},
        {"0x5\r\n", HTTP_REF_CHUNK_SIZE, "a prefix"},
        {"-1\r\n", HTTP_REF_CHUNK_SIZE, "a sign"},
        {"+1\r\n", HTTP_REF_CHUNK_SIZE, "a sign"},
        {" 1\r\n", HTTP_REF_CHUNK_SIZE, "a blank before"},
        {"1 \r\n", HTTP_REF_CHUNK_SIZE, "a blank behind"},
        {"1_\r\n", HTTP_REF_CHUNK_SIZE, "a separator"},
        {"8000000000000000\r\n", HTTP_REF_CHUNK_SIZE, "2^63"},
        {"10000000000000001\r\n", HTTP_REF_CHUNK_SIZE, "2^64 + 1"},
        {"00000000000000001\r\n", HTTP_REF_CHUNK_SIZE, "endless zeros"},
        {"7fffffffffffffff\r\n", HTTP_REF_BODY_BIG, "far over the limit"},
        {"64\r\n", HTTP_REF_NONE, "the limit"},
        {"65\r\n", HTTP_REF_BODY_BIG, "one over the limit"},
        {"1\n", HTTP_REF_BARE_LF, "LF behind a size"},
        {"1;a\n", HTTP_REF_BARE_LF, "LF behind an extension"},
        {"1;\"\n", HTTP_REF_BARE_LF, "LF inside quotes"},
        {"1\rx", HTTP_REF_BARE_CR, "CR behind a size"},
        {"1;a\rx", HTTP_REF_BARE_CR, "CR behind an extension"},
        {"1;\"\r", HTTP_REF_CHUNK_EXT, "CR inside quotes"},
        {"1;a\x01", HTTP_REF_CHUNK_EXT, "a control byte"},
        {"1;a\x7f", HTTP_REF_CHUNK_EXT, "DEL"},
        {"1;" T20 "\r\n", HTTP_REF_CHUNK_EXT_LONG, "limit of extensions"},
        {"1;aaaaaaaaaa\r\nx\r\n1;aaaaaaaaaa\r\n", HTTP_REF_CHUNK_EXT_LONG,
         "in all, not each"},
        {"1\r\nxy", HTTP_REF_CHUNK_END, "more data than said"},
        {"1\r\nx\n", HTTP_REF_BARE_LF, "LF behind data"},
        {"1\r\nx\rx", HTTP_REF_CHUNK_END, "CR behind data"},
        {"0\r\nA: b\n", HTTP_REF_BARE_LF, "LF in trailers"},
        {"0\r\nA: b\rc", HTTP_REF_BARE_CR, "CR in trailers"},
        {"0\r\nA : b\r\n", HTTP_REF_TRAILER, "blank before colon"},
        {"0\r\nA\r\n", HTTP_REF_TRAILER, "no colon"},
        {"0\r\nA: b\r\n c\r\n", HTTP_REF_TRAILER, "folded"},
        {"0\r\ncontent-length: 5\r\n", HTTP_REF_TRAILER, "not a trailer"},
        {"0\r\nA: " T20 T20 "\r\n", HTTP_REF_TRAILER_BIG, "too long"},
        {"0\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"
         "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n",
         HTTP_REF_TRAILER_BIG, "too many"},
    };
    static struct run run;
    bool met[HTTP_REF_COUNT] = {0};
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        decode_all_cuts(&run, slice_str(row[i].in));
        if (run.c.refusal != row[i].why)
            fail_msg("%s: wanted %s, got %s", row[i].note,
                     http_refusal_code(row[i].why),
                     http_refusal_code(run.c.refusal));
        met[row[i].why] = true;
    }
    for (int i = HTTP_REF_CHUNK_SIZE; i <= HTTP_REF_TRAILER_BIG; i++)
        if (!met[i])
            fail_msg("no row for %s", http_refusal_code((enum http_refusal)i));
}

/* What came before the fault is delivered, and nothing after. */
static void
test_data_before_a_fault(void **state)
{
    static struct run run;
    (void)state;

    decode(&run, &limits, SLICE("3\r\nabc\r\nzzz"), 0, 0);
    assert_int_equal(run.r, CHUNKED_REFUSED);
    assert_true(slice_eq(slice_of(run.data, run.n), SLICE("abc")));
    feed(&run, SLICE("3\r\nabc\r\n"));
    assert_int_equal(run.r, CHUNKED_REFUSED);
    assert_int_equal(run.n, 3);
}

static void
test_random(void **state)
{
    static struct run run;
    static char in[16384];
    static char want[4096];
    struct prng r;
    (void)state;

    prng_init(&r, 11);
    for (int round = 0; round < 500; round++) {
        size_t n = 0, len = 0, at = 0;

        for (size_t k = prng_below(&r, 20); k > 0; k--) {
            size_t size = 1 + prng_below(&r, 200);

            n += (size_t)sprintf(in + n, "%zx\r\n", size);
            prng_fill(&r, in + n, size);
            memcpy(want + len, in + n, size);
            n += size;
            len += size;
            n += (size_t)sprintf(in + n, "\r\n");
        }
        n += (size_t)sprintf(in + n, "0\r\n\r\n");
        chunked_init(&run.c, &CHUNKED_LIMITS_DEFAULT);
        run.n = run.used = 0;
        while (at < n) {
            size_t k = 1 + prng_below(&r, size_min(n - at, 300));

            feed(&run, slice_of(in + at, k));
            at += k;
        }
        assert_int_equal(run.r, CHUNKED_DONE);
        assert_int_equal(run.used, n);
        assert_int_equal(run.n, len);
        assert_memory_equal(run.data, want, len);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_data_before_a_fault),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
