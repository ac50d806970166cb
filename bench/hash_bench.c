/* hash_bench.c - what hashing costs: every set of kernels that this processor
 * can run, by number of streams, and OpenSSL in the same run.
 *
 * Each stream has its own 256 KiB block of memory, aligned as the product's
 * are, and takes in 64 KiB at a time, a quarter further each time: what comes
 * from a socket is in the L2 or L3 cache, too. Every figure is the median of
 * seven, which are interleaved, so that a slow second does not meet one of them
 * alone. Time is the thread's CPU time. Arguments: a set to measure alone, or
 * none. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cpu.h"
#include "hash/hash.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS     7
#define BLOCK    (256 * KIB)
#define PIECE    (64 * KIB)
#define SMALL    (4 * KIB)
#define SECONDS  0.01
#define SETS_MAX 8

static const unsigned lanes[] = {1, 2, 3, 4, 6, 8, 12, 16, 32};

#define LANES_MAX 32

struct bench {
    uint8_t *mem; /* LANES_MAX blocks */
    struct hash_state state[LANES_MAX];
    const struct hash_kernels *sets[SETS_MAX];
    unsigned n_sets;
    EVP_MD *md5, *sha256;
    EVP_MD_CTX *ctx;
    uint32_t sink; /* keeps results from being thought unused */
};

static double
cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
openssl_digest(struct bench *b, const EVP_MD *md, const uint8_t *p, size_t n)
{
    uint8_t out[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex2(b->ctx, md, NULL) != 1 ||
        EVP_DigestUpdate(b->ctx, p, n) != 1 ||
        EVP_DigestFinal_ex(b->ctx, out, NULL) != 1)
        abort();
    b->sink += out[0];
}

/* What is measured: does some work, the TURN-th, and returns its bytes. */
struct subject {
    size_t (*work)(struct bench *b, const struct subject *s, size_t turn);
    const struct hash_kernels *k;
    unsigned lanes;
    bool md5, sha256; /* for OpenSSL */
    size_t size;      /* for CRC32C and small bodies */
};

static size_t
work_lanes(struct bench *b, const struct subject *s, size_t turn)
{
    struct hash_job jobs[LANES_MAX];

    for (unsigned i = 0; i < s->lanes; i++)
        jobs[i] = (struct hash_job){
            &b->state[i], b->mem + i * BLOCK + turn % 4 * PIECE, PIECE};
    hash_run(s->k, jobs, s->lanes);
    return s->lanes * PIECE;
}

/* Whole bodies of 4 KiB, with their digests. */
static size_t
work_small(struct bench *b, const struct subject *s, size_t turn)
{
    const struct hash_state *states[LANES_MAX];
    struct hash_digests out[LANES_MAX];
    struct hash_job jobs[LANES_MAX];

    for (unsigned i = 0; i < s->lanes; i++) {
        hash_init(&b->state[i]);
        jobs[i] = (struct hash_job){
            &b->state[i], b->mem + i * BLOCK + turn % 64 * SMALL, SMALL};
        states[i] = &b->state[i];
    }
    hash_run(s->k, jobs, s->lanes);
    hash_final_many(s->k, states, out, s->lanes);
    b->sink += out[0].md5[0];
    return s->lanes * SMALL;
}

static size_t
work_openssl(struct bench *b, const struct subject *s, size_t turn)
{
    const uint8_t *p = b->mem + turn % 4 * s->size;

    if (s->md5)
        openssl_digest(b, b->md5, p, s->size);
    if (s->sha256)
        openssl_digest(b, b->sha256, p, s->size);
    return s->size;
}

static size_t
work_crc(struct bench *b, const struct subject *s, size_t turn)
{
    (void)turn;
    b->sink += hash_crc32c(s->k, b->sink, b->mem, s->size);
    return s->size;
}

/* Seconds per byte. The clock is read seldom, as it costs as much as a small
 * body. */
static double
once(struct bench *b, const struct subject *s)
{
    const double begin = cpu_seconds();
    double seconds;
    size_t bytes = 0, turn = 0;

    do {
        for (size_t end = bytes + MIB; bytes < end; turn++)
            bytes += s->work(b, s, turn);
        seconds = cpu_seconds() - begin;
    } while (seconds < SECONDS);
    return seconds / (double)bytes;
}

static int
by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

#define SUBJECTS_MAX 16

/* The medians, as CPU-seconds per GB, of N subjects side by side. */
static void
measure(struct bench *b, const struct subject *s, unsigned n, double *out)
{
    double run[SUBJECTS_MAX][RUNS];

    for (unsigned r = 0; r < RUNS; r++)
        for (unsigned i = 0; i < n; i++)
            run[i][r] = once(b, &s[i]);
    for (unsigned i = 0; i < n; i++) {
        qsort(run[i], RUNS, sizeof(double), by_value);
        out[i] = run[i][RUNS / 2] * 1e9;
    }
}

/* One row of a table: what each costs, and its rate. */
static void
print_row(const char *name, const double *cost, unsigned n)
{
    printf("%-22s", name);
    for (unsigned i = 0; i < n; i++)
        printf(" %6.3f", cost[i]);
    printf("  CPU-s/GB\n%-22s", "");
    for (unsigned i = 0; i < n; i++)
        printf(" %6.2f", 1 / cost[i]);
    printf("  GB/s\n");
    fflush(stdout);
}

static void
print_head(const char *title)
{
    printf("\n%-22s", title);
    for (size_t i = 0; i < countof(lanes); i++)
        printf(" %6u", lanes[i]);
    printf("\n");
}

static void
bench_sets(struct bench *b, const char *title,
           size_t (*work)(struct bench *, const struct subject *, size_t))
{
    print_head(title);
    for (unsigned k = 0; k < b->n_sets; k++) {
        struct subject s[countof(lanes)];
        double cost[countof(lanes)];

        for (size_t i = 0; i < countof(lanes); i++)
            s[i] = (struct subject){
                .work = work, .k = b->sets[k], .lanes = lanes[i]};
        measure(b, s, countof(lanes), cost);
        print_row(hash_kernels_name(b->sets[k]), cost, countof(lanes));
    }
}

static void
bench_openssl(struct bench *b)
{
    const struct subject s[] = {
        {.work = work_openssl, .size = PIECE, .md5 = true},
        {.work = work_openssl, .size = PIECE, .sha256 = true},
        {.work = work_openssl, .size = PIECE, .md5 = true, .sha256 = true},
        {.work = work_openssl, .size = SMALL, .md5 = true, .sha256 = true},
    };
    double cost[countof(s)];

    measure(b, s, countof(s), cost);
    printf("%-22s %6s %6s %6s %6s\n", "", "MD5", "SHA256", "both", "4 KiB");
    print_row("OpenSSL", cost, countof(s));
}

static void
bench_crc(struct bench *b)
{
    static const size_t sizes[] = {4 * KIB, 64 * KIB, 256 * KIB};
    struct hash_cpu cpu = cpu_read();
    const struct hash_kernels *k[3];

    k[0] = hash_select(&cpu, "c");
    cpu.vpclmul = false;
    k[1] = hash_select(&cpu, NULL);
    cpu = cpu_read();
    k[2] = hash_select(&cpu, NULL);
    printf("\n%-22s %6s %6s %6s\n", "CRC32C", "4K", "64K", "256K");
    for (size_t i = 0; i < countof(k); i++) {
        struct subject s[countof(sizes)];
        double cost[countof(sizes)];

        for (size_t j = 0; j < countof(sizes); j++)
            s[j] =
                (struct subject){.work = work_crc, .k = k[i], .size = sizes[j]};
        measure(b, s, countof(sizes), cost);
        print_row(hash_kernels_crc_name(k[i]), cost, countof(sizes));
    }
}

/* All sets, or the one that is asked for; false when there is none. */
static bool
find_sets(struct bench *b, const char *only)
{
    static const char *names[] = {"c",      "avx2",        "avx512",
                                  "sha-ni", "avx2+sha-ni", "avx512+sha-ni"};
    const struct hash_cpu cpu = cpu_read();

    for (size_t i = 0; i < countof(names); i++) {
        const struct hash_kernels *k = hash_select(&cpu, names[i]);

        if (k != NULL && (only == NULL || strcmp(only, names[i]) == 0))
            b->sets[b->n_sets++] = k;
    }
    return b->n_sets > 0;
}

int
main(int argc, char **argv)
{
    static struct bench b;

    if (!find_sets(&b, argc > 1 ? argv[1] : NULL)) {
        fprintf(stderr, "hash_bench: no such set on this processor\n");
        return 2;
    }
    b.mem = aligned_alloc(BLOCK, LANES_MAX * BLOCK);
    b.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    b.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    b.ctx = EVP_MD_CTX_new();
    if (b.mem == NULL || b.md5 == NULL || b.sha256 == NULL || b.ctx == NULL)
        return 1;
    for (size_t i = 0; i < LANES_MAX * BLOCK; i++)
        b.mem[i] = (uint8_t)(i * 2654435761u >> 13);
    for (unsigned i = 0; i < LANES_MAX; i++)
        hash_init(&b.state[i]);

    bench_openssl(&b);
    bench_sets(&b, "64 KiB more, lanes", work_lanes);
    bench_sets(&b, "bodies of 4 KiB", work_small);
    bench_crc(&b);

    EVP_MD_CTX_free(b.ctx);
    EVP_MD_free(b.md5);
    EVP_MD_free(b.sha256);
    free(b.mem);
    return b.sink == 1 ? 3 : 0;
}
