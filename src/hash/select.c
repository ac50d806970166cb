/* select.c - which kernels run where.
 *
 * A row of a plan says from how many streams on it wins. Measured on Zen 4
 * (EPYC, 3.67 GHz; bench/hash_bench), CPU-seconds per GB of both functions:
 *
 *   lanes             1     2     3     4     6     8    12    16    32
 *   avx512+sha-ni  1.24  0.71  0.58  0.44  0.34  0.31  0.33  0.31  0.31
 *   avx2+sha-ni    1.25  0.71  0.72  0.54  0.43  0.38  0.39  0.38  0.38
 *   sha-ni         1.25  0.71  0.72  0.72  0.72  0.72  0.72  0.72  0.72
 *   avx512         3.89  1.84  1.23  0.92  0.62  0.46  0.52  0.42  0.42
 *   avx2           3.90  2.91  1.95  1.46  0.97  0.73  0.75  0.73  0.73
 *   c              3.95   (OpenSSL: 1.31 and 0.56, 1.86 for both)
 *
 * On an Intel server processor with AVX-512 and SHA-NI both by sixteen lanes
 * took 0.32, and SHA-256 by SHA-NI alone 0.39. So there sixteen lanes take over
 * when they are nearly full. On Zen 4 they do not: it makes two halves of a
 * 512-bit instruction, but starts rounds of SHA-256 twice as often. Not being
 * AMD decides for the other plan, which loses less where it is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include <string.h>

static const struct hash_step c_steps[] = {{1, 1, hash_c_x1}};

#if defined(__x86_64__)
static const struct hash_step avx2_steps[] = {
    {2, 8, hash_avx2_x8},
    {1, 1, hash_bmi_x1},
};
static const struct hash_step avx512_steps[] = {
    {11, 16, hash_avx512_x16},
    {2, 8, hash_avx512_x8},
    {1, 1, hash_bmi_x1},
};
static const struct hash_step ni_steps[] = {
    {2, 2, hash_ni_x2},
    {1, 1, hash_ni_x1},
};
static const struct hash_step avx2_ni_steps[] = {
    {7, 8, hash_avx2_ni_x8}, {5, 6, hash_avx2_ni_x6}, {4, 4, hash_avx2_ni_x4},
    {2, 2, hash_ni_x2},      {1, 1, hash_ni_x1},
};
/* The plan for Intel begins one row before that for AMD. */
static const struct hash_step avx512_ni_steps[] = {
    {14, 16, hash_avx512_x16}, {8, 8, hash_avx512_ni_x8},
    {5, 6, hash_avx512_ni_x6}, {3, 4, hash_avx512_ni_x4},
    {2, 2, hash_ni_x2},        {1, 1, hash_ni_x1},
};

#define NEED_AVX2   .ssse3_sse41 = true, .avx2 = true, .bmi = true
#define NEED_AVX512 NEED_AVX2, .avx512 = true
#define NEED_NI     .ssse3_sse41 = true, .bmi = true, .sha = true
/* One set with each way of CRC32C that it may be combined with. */
#define CRCS(name, steps)                               \
    {                                                   \
        {name, "table", hash_crc_table, steps},         \
            {name, "sse4.2", hash_crc_sse42, steps},    \
        {                                               \
            name, "vpclmulqdq", hash_crc_vpclmul, steps \
        }                                               \
    }
#else
#define CRCS(name, steps)                        \
    {                                            \
        {                                        \
            name, "table", hash_crc_table, steps \
        }                                        \
    }
#endif

enum crc {
    CRC_TABLE,
    CRC_SSE42,
    CRC_VPCLMUL,
    CRC_COUNT,
};

/* From the slowest to the fastest. Of two with one name the first is for every
 * processor, and the second for those it is better on. */
static const struct set {
    struct hash_cpu need;
    struct hash_kernels kernels[CRC_COUNT];
} sets[] = {
    {{.amd = false}, CRCS("c", c_steps)},
#if defined(__x86_64__)
    {{NEED_AVX2}, CRCS("avx2", avx2_steps)},
    {{NEED_AVX512}, CRCS("avx512", avx512_steps)},
    {{NEED_NI}, CRCS("sha-ni", ni_steps)},
    {{NEED_AVX2, .sha = true}, CRCS("avx2+sha-ni", avx2_ni_steps)},
    {{NEED_AVX512, .sha = true}, CRCS("avx512+sha-ni", avx512_ni_steps)},
    {{NEED_AVX512, .sha = true, .amd = true},
     CRCS("avx512+sha-ni", avx512_ni_steps + 1)},
#endif
};

static bool
can_run(const struct hash_cpu *cpu, const struct hash_cpu *need)
{
    return cpu->ssse3_sse41 >= need->ssse3_sse41 && cpu->avx2 >= need->avx2 &&
           cpu->bmi >= need->bmi && cpu->sha >= need->sha &&
           cpu->avx512 >= need->avx512 && cpu->amd >= need->amd;
}

static enum crc
best_crc(const struct hash_cpu *cpu)
{
    if (!cpu->sse42 || !cpu->pclmul)
        return CRC_TABLE;
    return cpu->avx512 && cpu->vpclmul ? CRC_VPCLMUL : CRC_SSE42;
}

const struct hash_kernels *
hash_select(const struct hash_cpu *cpu, const char *forced)
{
    const bool any = forced == NULL || strcmp(forced, "auto") == 0;

    for (size_t i = countof(sets); i-- > 0;) {
        const struct set *s = &sets[i];

        if (can_run(cpu, &s->need) &&
            (any || strcmp(forced, s->kernels[0].name) == 0))
            return &s->kernels[s == sets && !any ? CRC_TABLE : best_crc(cpu)];
    }
    return NULL;
}

const char *
hash_kernels_name(const struct hash_kernels *k)
{
    return k->name;
}

const char *
hash_kernels_crc_name(const struct hash_kernels *k)
{
    return k->crc_name;
}

unsigned
hash_kernels_lanes(const struct hash_kernels *k)
{
    return k->steps[0].lanes;
}
