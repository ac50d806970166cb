/* lanes.h - inside hash/: what a kernel is, and how lanes are filled.
 *
 * A kernel hashes the same number of 64-byte blocks of a fixed number of
 * streams, MD5 and SHA-256 both. A set of kernels is a plan: which one to use
 * by the number of streams that still have blocks. If there are more streams
 * than lanes they take turns, the longest first, so that they end together; if
 * there are fewer, the free lanes hash something that is thrown away.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_LANES_H
#define HASH_LANES_H

#include "hash/hash.h"

#define HASH_BLOCK     64
#define HASH_LANES_MAX 16
/* Blocks that a kernel of two passes reads for MD5 before it reads them again
 * for SHA-256: 4 KiB per lane, so that 16 lanes stay in the L2 cache. */
#define HASH_SLICE 64

struct hash_lane {
    uint32_t *md5;    /* [4] */
    uint32_t *sha256; /* [8] */
    const uint8_t *p;
    size_t blocks; /* what is left from p on */
};

/* LANE has as many entries as the kernel is wide; changes the states only. */
#define HASH_KERNEL(name) void name(struct hash_lane *const *lane, size_t n)
#define ALWAYS_INLINE     static inline __attribute__((always_inline))

/* Use RUN, which is LANES wide, when FROM streams or more are active. */
struct hash_step {
    unsigned from;
    unsigned lanes;
    HASH_KERNEL((*run));
};

struct hash_kernels {
    const char *name;
    const char *crc_name;
    uint32_t (*crc)(uint32_t crc, const uint8_t *p, size_t n);
    const struct hash_step *steps; /* descending by FROM, to one FROM 1 */
};

/* Hashes all blocks of all lanes; leaves LANE in another order, at its end.
 * N <= HASH_JOBS_MAX. */
void hash_lanes_run(const struct hash_kernels *k, struct hash_lane *lane,
                    unsigned n);

/* kernel_c.c: one lane; the second with BMI instructions */
HASH_KERNEL(hash_c_x1);
HASH_KERNEL(hash_bmi_x1);
/* kernel_avx2.c, kernel_avx512vl.c, kernel_avx512.c: two passes */
HASH_KERNEL(hash_avx2_x8);
HASH_KERNEL(hash_avx512_x8);
HASH_KERNEL(hash_avx512_x16);
/* stitch_ni.c: scalar MD5 woven into SHA-NI */
HASH_KERNEL(hash_ni_x1);
HASH_KERNEL(hash_ni_x2);
/* stitch_avx2.c and stitch_avx512.c: MD5 in lanes woven into SHA-NI */
HASH_KERNEL(hash_avx2_ni_x4);
HASH_KERNEL(hash_avx2_ni_x6);
HASH_KERNEL(hash_avx2_ni_x8);
HASH_KERNEL(hash_avx512_ni_x4);
HASH_KERNEL(hash_avx512_ni_x6);
HASH_KERNEL(hash_avx512_ni_x8);

/* crc32c.c and crc32c_x86.c */
uint32_t hash_crc_table(uint32_t crc, const uint8_t *p, size_t n);
uint32_t hash_crc_sse42(uint32_t crc, const uint8_t *p, size_t n);
uint32_t hash_crc_vpclmul(uint32_t crc, const uint8_t *p, size_t n);

#endif
