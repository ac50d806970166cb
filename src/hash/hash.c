/* hash.c - streams of any length on top of kernels of whole blocks.
 *
 * A call has up to two rounds: first the blocks that were begun by earlier
 * calls and are now full, then all whole blocks of the jobs themselves. What is
 * left over waits in the state's tail. SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include "hash/word.h"
#include <string.h>

void
hash_init(struct hash_state *s)
{
    /* RFC 1321 section 3.3, FIPS 180-4 section 5.3.3. */
    *s = (struct hash_state){
        .md5 = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476},
        .sha256 = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
    };
}

static void
lane_of(struct hash_lane *lane, struct hash_state *s, const uint8_t *p,
        size_t blocks)
{
    *lane = (struct hash_lane){s->md5, s->sha256, p, blocks};
}

/* How much of the job belongs to the block that was begun before. */
static size_t
tail_part(const struct hash_job *j)
{
    const size_t begun = j->state->length % HASH_BLOCK;

    return begun == 0 ? 0 : size_min(HASH_BLOCK - begun, j->n);
}

/* Fills the tails; returns how many lanes have a full one. */
static unsigned
fill_tails(const struct hash_job *jobs, unsigned n, struct hash_lane *lane)
{
    unsigned lanes = 0;

    for (unsigned i = 0; i < n; i++) {
        struct hash_state *s = jobs[i].state;
        const size_t begun = s->length % HASH_BLOCK, part = tail_part(&jobs[i]);

        assert(jobs[i].n <= HASH_LENGTH_MAX - s->length);
        if (part == 0)
            continue;
        memcpy(s->tail + begun, jobs[i].p, part);
        if (begun + part == HASH_BLOCK)
            lane_of(&lane[lanes++], s, s->tail, 1);
    }
    return lanes;
}

static unsigned
fill_bodies(const struct hash_job *jobs, unsigned n, struct hash_lane *lane)
{
    unsigned lanes = 0;

    for (unsigned i = 0; i < n; i++) {
        const size_t part = tail_part(&jobs[i]);
        const size_t blocks = (jobs[i].n - part) / HASH_BLOCK;

        if (blocks > 0)
            lane_of(&lane[lanes++], jobs[i].state, jobs[i].p + part, blocks);
    }
    return lanes;
}

static void
keep_rest(const struct hash_job *j)
{
    const size_t rest = (j->n - tail_part(j)) % HASH_BLOCK;

    if (rest > 0)
        memcpy(j->state->tail, j->p + j->n - rest, rest);
    j->state->length += j->n;
}

void
hash_run(const struct hash_kernels *k, const struct hash_job *jobs, unsigned n)
{
    struct hash_lane lane[HASH_JOBS_MAX];
    unsigned lanes;

    assert(n <= HASH_JOBS_MAX);
    lanes = fill_tails(jobs, n, lane);
    hash_lanes_run(k, lane, lanes);
    lanes = fill_bodies(jobs, n, lane);
    hash_lanes_run(k, lane, lanes);
    for (unsigned i = 0; i < n; i++)
        keep_rest(&jobs[i]);
}

/* Streams finished in one go; each takes two lanes. */
#define FINAL_MAX (HASH_JOBS_MAX / 2)

/* The end of a message: what is in the tail, a one, zeros, and the length in
 * bits, which MD5 writes little-endian and SHA-256 big-endian. So the two need
 * a block of their own, and each of the two lanes has a state to waste. */
struct final {
    uint32_t md5[4], waste_md5[4];
    uint32_t sha256[8], waste_sha256[8];
    uint8_t md5_pad[2 * HASH_BLOCK];
    uint8_t sha256_pad[2 * HASH_BLOCK];
};

static void
final_begin(struct final *f, const struct hash_state *s, struct hash_lane *lane)
{
    const size_t rest = s->length % HASH_BLOCK;
    const size_t n = rest + 9 <= HASH_BLOCK ? HASH_BLOCK : 2 * HASH_BLOCK;

    memset(f, 0, sizeof(*f));
    memcpy(f->md5, s->md5, sizeof(f->md5));
    memcpy(f->sha256, s->sha256, sizeof(f->sha256));
    memcpy(f->md5_pad, s->tail, rest);
    f->md5_pad[rest] = 0x80;
    memcpy(f->sha256_pad, f->md5_pad, rest + 1);
    put_le64(f->md5_pad + n - 8, s->length * 8);
    put_be64(f->sha256_pad + n - 8, s->length * 8);
    lane[0] =
        (struct hash_lane){f->md5, f->waste_sha256, f->md5_pad, n / HASH_BLOCK};
    lane[1] = (struct hash_lane){f->waste_md5, f->sha256, f->sha256_pad,
                                 n / HASH_BLOCK};
}

static void
final_end(const struct final *f, struct hash_digests *out)
{
    for (unsigned i = 0; i < 4; i++)
        put_le32(out->md5 + 4 * i, f->md5[i]);
    for (unsigned i = 0; i < 8; i++)
        put_be32(out->sha256 + 4 * i, f->sha256[i]);
}

void
hash_final_many(const struct hash_kernels *k,
                const struct hash_state *const *states,
                struct hash_digests *out, size_t n)
{
    struct final f[FINAL_MAX];
    struct hash_lane lane[2 * FINAL_MAX];

    for (size_t done = 0; done < n;) {
        const unsigned m = (unsigned)size_min(n - done, FINAL_MAX);

        for (unsigned i = 0; i < m; i++)
            final_begin(&f[i], states[done + i], &lane[2 * (size_t)i]);
        hash_lanes_run(k, lane, 2 * m);
        for (unsigned i = 0; i < m; i++)
            final_end(&f[i], &out[done + i]);
        done += m;
    }
}

void
hash_final(const struct hash_kernels *k, const struct hash_state *s,
           struct hash_digests *out)
{
    hash_final_many(k, &s, out, 1);
}
