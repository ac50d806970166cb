/* hash.h - MD5, SHA-256 and CRC32C of many streams at once.
 *
 * One stream cannot be hashed faster than MD5's chain of dependent steps
 * allows, but many can be hashed side by side. So the caller gathers what has
 * arrived on all its connections and hands it over as one array of jobs; the
 * lanes of the vector unit, and the SHA unit beside them, are filled from it.
 *
 * Everything is pure: no allocation, no clock, no globals; a function may be
 * called on any thread, as long as a state is used by one at a time. What the
 * processor can do is told by the caller (cli/cpu.h reads it).
 *
 * MD5 is there because protocols and people compare files by it. It proves
 * nothing about who made a file; SHA-256 does that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_HASH_H
#define HASH_HASH_H

#include "base/base.h"
#include "base/err.h"

#define HASH_MD5_SIZE    16
#define HASH_SHA256_SIZE 32
/* Jobs in one hash_run. More lanes than 32 win nothing. */
#define HASH_JOBS_MAX 64
/* Both functions count bits in 64 bits (SHA-256 is not defined beyond). */
#define HASH_LENGTH_MAX (UINT64_MAX / 8)

/* What the processor and the operating system offer; all false is allowed, and
 * is what other architectures pass. */
struct hash_cpu {
    bool ssse3_sse41; /* SSSE3 and SSE4.1 */
    bool sse42;
    bool pclmul;
    bool avx2;
    bool bmi;     /* BMI1 and BMI2 */
    bool sha;     /* SHA-NI */
    bool avx512;  /* F, BW and VL, and the system saves the registers */
    bool vpclmul; /* VPCLMULQDQ; counts together with avx512 */
    bool amd;     /* SHA-NI keeps up with 512-bit vectors: see select.c */
};

struct hash_kernels;

/* The fastest set of kernels for CPU; a constant that is never freed. FORCED
 * asks for a certain set instead, and the answer is NULL when there is no such
 * set or CPU cannot run it. The sets, MD5 and SHA-256 in this order:
 *   "auto" or NULL  the last of the following that CPU can run
 *   "c"             portable C, both
 *   "avx2"          8 lanes, both
 *   "avx512"        16 or 32 lanes, 16 lanes
 *   "sha-ni"        scalar, woven into SHA-NI
 *   "avx2+sha-ni"   8 lanes, woven into SHA-NI
 *   "avx512+sha-ni" the same with AVX-512 instructions
 * CRC32C is by the best instructions that CPU has, unless "c" is asked for. */
const struct hash_kernels *
hash_select(const struct hash_cpu *cpu, const char *forced);
const char *hash_kernels_name(const struct hash_kernels *k);
/* Which CRC32C goes with it: "table", "sse4.2" or "vpclmulqdq". */
const char *hash_kernels_crc_name(const struct hash_kernels *k);
/* How many jobs K wants at once: more are welcome but do not go faster. */
unsigned hash_kernels_lanes(const struct hash_kernels *k);

/* A hash in progress. It holds no pointer: it may be copied, and a copy goes
 * its own way. TAIL holds the last LENGTH % 64 bytes. */
struct hash_state {
    uint32_t md5[4];
    uint32_t sha256[8];
    uint64_t length; /* bytes so far */
    uint8_t tail[64];
};

struct hash_digests {
    uint8_t md5[HASH_MD5_SIZE];
    uint8_t sha256[HASH_SHA256_SIZE];
};

/* The N bytes at P are the next of the stream of STATE. */
struct hash_job {
    struct hash_state *state;
    const uint8_t *p; /* any alignment; may be NULL when n is 0 */
    size_t n;
};

void hash_init(struct hash_state *s);

/* Takes in all of every job. N <= HASH_JOBS_MAX, the states are different
 * ones, and no length may pass HASH_LENGTH_MAX. Jobs of any length may be
 * mixed, but the longest decides how long lanes stay filled. Reads nothing
 * outside the jobs' bytes. */
void
hash_run(const struct hash_kernels *k, const struct hash_job *jobs, unsigned n);

/* The digests of what S has taken in; S may go on afterwards. */
void hash_final(const struct hash_kernels *k, const struct hash_state *s,
                struct hash_digests *out);
/* The same for N states (any number) in lanes: OUT[i] is for STATES[i]. For
 * small bodies the padding is a good part of the work. */
void hash_final_many(const struct hash_kernels *k,
                     const struct hash_state *const *states,
                     struct hash_digests *out, size_t n);

/* A state as bytes that mean the same on every machine and in later versions:
 *   0 "ahs1"   4 MD5   20 SHA-256   52 length   60 tail   124 CRC32C of 0-123
 * words little-endian, tail padded with zeros. */
#define HASH_STATE_SIZE 128
void hash_state_save(const struct hash_state *s, uint8_t out[HASH_STATE_SIZE]);
/* ERR_UNSUPPORTED: not the form above. ERR_CORRUPT: it is, but was damaged or
 * could not have been saved by us. *S is changed only when ERR_OK. */
enum err
hash_state_load(struct hash_state *s, const uint8_t in[HASH_STATE_SIZE]);

/* CRC32C (Castagnoli; RFC 9260 appendix A): give 0 first, then what came back,
 * with the next N bytes. "123456789" gives e3069283. */
uint32_t hash_crc32c(const struct hash_kernels *k, uint32_t crc, const void *p,
                     size_t n);
/* The checksum of two pieces from that of each and the length of the second. */
uint32_t hash_crc32c_combine(uint32_t crc, uint32_t crc2, uint64_t n2);

#endif
