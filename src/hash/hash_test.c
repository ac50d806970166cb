/* hash_test.c - every set of kernels against OpenSSL: random lengths, in random
 * pieces, in a random number of lanes. The pieces are copied to memory of their
 * exact size, so that AddressSanitizer sees one byte too many.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "base/prng.h"
#include "hash/test_cpu.h"
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT_MAX 40000
/* Of streams, per set: with five sets or more these are over 100,000 pairs. */
#define STREAMS_PER_SET 21000

struct world {
    struct prng r;
    EVP_MD *md5, *sha256;
    EVP_MD_CTX *ctx;
    uint8_t text[TEXT_MAX];
};

static void
judge(struct world *w, const EVP_MD *md, const uint8_t *p, size_t n,
      uint8_t *out)
{
    assert_true(EVP_DigestInit_ex2(w->ctx, md, NULL) == 1 &&
                EVP_DigestUpdate(w->ctx, p, n) == 1 &&
                EVP_DigestFinal_ex(w->ctx, out, NULL) == 1);
}

struct stream {
    struct hash_state s;
    const uint8_t *p;
    size_t n, done;
    uint8_t *piece; /* what the current call reads */
};

/* Mostly some blocks; sometimes the lengths around the ends of blocks, where
 * the padding changes its form; sometimes long. */
static size_t
some_length(struct prng *r)
{
    const uint64_t dice = prng_below(r, 20);

    if (dice < 8)
        return prng_below(r, 200);
    if (dice < 10)
        return 64 * prng_below(r, 4) + 50 + prng_below(r, 20);
    if (dice < 19)
        return prng_below(r, 1500);
    return prng_below(r, TEXT_MAX - 64);
}

static size_t
some_piece(struct prng *r, const struct stream *t)
{
    const size_t left = t->n - t->done;

    switch (prng_below(r, 4)) {
    case 0:
        return left;
    case 1:
        return size_min(left, prng_below(r, 130)); /* perhaps nothing */
    default:
        return size_min(left, 1 + prng_below(r, t->n / 2 + 64));
    }
}

/* One call of hash_run with the next pieces of some of the streams; false when
 * all were at their end. */
static bool
one_round(struct world *w, const struct hash_kernels *k, struct stream *t,
          unsigned n)
{
    struct hash_job jobs[HASH_JOBS_MAX];
    unsigned m = 0;
    bool more = false;

    for (unsigned i = 0; i < n; i++) {
        size_t piece, shift;

        if (t[i].done == t[i].n)
            continue;
        more = true;
        if (prng_below(&w->r, 5) == 0)
            continue; /* this connection is slow */
        piece = some_piece(&w->r, &t[i]);
        shift = prng_below(&w->r, 64);
        t[i].piece = malloc(shift + piece + (shift + piece == 0));
        assert_non_null(t[i].piece);
        memcpy(t[i].piece + shift, t[i].p + t[i].done, piece);
        jobs[m++] = (struct hash_job){&t[i].s, t[i].piece + shift, piece};
        t[i].done += piece;
    }
    hash_run(k, jobs, m);
    for (unsigned i = 0; i < n; i++) {
        free(t[i].piece);
        t[i].piece = NULL;
    }
    return more;
}

static unsigned
some_streams(struct world *w, const struct hash_kernels *k)
{
    const unsigned n =
        1 + (unsigned)prng_below(&w->r, prng_below(&w->r, 4) == 0 ? 64 : 18);
    static struct stream t[HASH_JOBS_MAX]; /* 10 KB each would be much */
    const struct hash_state *states[HASH_JOBS_MAX];
    struct hash_digests got[HASH_JOBS_MAX], want;

    for (unsigned i = 0; i < n; i++) {
        const size_t len = some_length(&w->r);

        t[i] = (struct stream){.p = w->text + prng_below(&w->r, TEXT_MAX - len),
                               .n = len};
        hash_init(&t[i].s);
        states[i] = &t[i].s;
    }
    while (one_round(w, k, t, n))
        ;
    hash_final_many(k, states, got, n);
    for (unsigned i = 0; i < n; i++) {
        judge(w, w->md5, t[i].p, t[i].n, want.md5);
        judge(w, w->sha256, t[i].p, t[i].n, want.sha256);
        if (memcmp(&got[i], &want, sizeof(want)) != 0)
            fail_msg("%s: %zu bytes in lane %u of %u", hash_kernels_name(k),
                     t[i].n, i, n);
    }
    return n;
}

static void
test_random(void **state)
{
    struct world *w = *state;
    const struct hash_kernels *k;
    unsigned total = 0;

    for (unsigned i = 0; (k = test_kernels(i)) != NULL; i++)
        for (unsigned done = 0; done < STREAMS_PER_SET;) {
            const unsigned n = some_streams(w, k);

            done += n;
            total += n;
        }
    print_message("%u pairs of digests agree with OpenSSL\n", total);
    assert_true(total >= STREAMS_PER_SET);
}

/* All lengths around the first blocks, each by every set. */
static void
test_short(void **state)
{
    struct world *w = *state;
    const struct hash_kernels *k;

    for (unsigned i = 0; (k = test_kernels(i)) != NULL; i++)
        for (size_t n = 0; n <= 260; n++) {
            struct hash_digests got, want;
            struct hash_state s;
            struct hash_job j = {&s, n == 0 ? NULL : w->text, n};

            hash_init(&s);
            hash_run(k, &j, 1);
            hash_final(k, &s, &got);
            judge(w, w->md5, w->text, n, want.md5);
            judge(w, w->sha256, w->text, n, want.sha256);
            if (memcmp(&got, &want, sizeof(want)) != 0)
                fail_msg("%s: %zu bytes", hash_kernels_name(k), n);
        }
}

/* A digest may be asked for in the middle, and changes nothing. */
static void
test_final_in_between(void **state)
{
    struct world *w = *state;
    const struct hash_kernels *k;

    for (unsigned i = 0; (k = test_kernels(i)) != NULL; i++) {
        struct hash_state s;
        struct hash_digests got, want;

        hash_init(&s);
        for (size_t n = 0; n < 1000; n += 37) {
            struct hash_job j = {&s, w->text + n, 37};

            hash_run(k, &j, 1);
            hash_final(k, &s, &got);
            judge(w, w->md5, w->text, n + 37, want.md5);
            judge(w, w->sha256, w->text, n + 37, want.sha256);
            assert_memory_equal(&got, &want, sizeof(want));
        }
    }
}

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return -1;
    prng_init(&w->r, 8123);
    prng_fill(&w->r, w->text, sizeof(w->text));
    w->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    w->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    w->ctx = EVP_MD_CTX_new();
    *state = w;
    return w->md5 != NULL && w->sha256 != NULL && w->ctx != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    EVP_MD_CTX_free(w->ctx);
    EVP_MD_free(w->md5);
    EVP_MD_free(w->sha256);
    free(w);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_final_in_between),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
