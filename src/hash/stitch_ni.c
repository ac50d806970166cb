/* stitch_ni.c - one or two streams: scalar MD5 woven into SHA-NI.
 *
 * MD5 keeps the integer units of the core waiting for each other, and SHA-NI
 * runs on the vector units, so SHA-256 of the same bytes costs nothing when
 * both are in one instruction stream: after every four steps of MD5 come four
 * rounds of SHA-256. The processor looks about 300 instructions ahead, which
 * is why they cannot come one block after the other.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/md5.h"
#include "hash/sha_ni.h"

/* The group is spread over the steps: it starts at the second of four. */
#define STEP1(i, f, a, b, c, d, x, s, k) \
    MD5_STEP(p, f, a, b, c, d, x, s, k)  \
    if ((i) % 4 == 1)                    \
        ni_group(&h, m, (i) / 4);

void
hash_ni_x1(struct hash_lane *const *lane, size_t n)
{
    uint32_t *md5 = lane[0]->md5;
    const uint8_t *p = lane[0]->p;
    uint32_t a = md5[0], b = md5[1], c = md5[2], d = md5[3];
    struct ni h = ni_load(lane[0]->sha256);

    for (; n > 0; n--, p += HASH_BLOCK) {
        const uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        const struct ni h0 = h;
        __m128i m[4];

        ni_words(m, p);
        MD5_ROUNDS(STEP1)
        a += a0;
        b += b0;
        c += c0;
        d += d0;
        h = ni_add(h, h0);
    }
    md5[0] = a;
    md5[1] = b;
    md5[2] = c;
    md5[3] = d;
    ni_store(h, lane[0]->sha256);
}

#define STEP2(i, f, a, b, c, d, x, s, k)            \
    MD5_STEP(p, f, a, b, c, d, x, s, k)             \
    MD5_STEP(q, f, a##q, b##q, c##q, d##q, x, s, k) \
    if ((i) % 4 == 1)                               \
        ni_group(&h, m, (i) / 4);                   \
    if ((i) % 4 == 3)                               \
        ni_group(&hq, mq, (i) / 4);

void
hash_ni_x2(struct hash_lane *const *lane, size_t n)
{
    uint32_t *md5 = lane[0]->md5, *md5q = lane[1]->md5;
    const uint8_t *p = lane[0]->p, *q = lane[1]->p;
    uint32_t a = md5[0], b = md5[1], c = md5[2], d = md5[3];
    uint32_t aq = md5q[0], bq = md5q[1], cq = md5q[2], dq = md5q[3];
    struct ni h = ni_load(lane[0]->sha256), hq = ni_load(lane[1]->sha256);

    for (; n > 0; n--, p += HASH_BLOCK, q += HASH_BLOCK) {
        const uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        const uint32_t a1 = aq, b1 = bq, c1 = cq, d1 = dq;
        const struct ni h0 = h, h1 = hq;
        __m128i m[4], mq[4];

        ni_words(m, p);
        ni_words(mq, q);
        MD5_ROUNDS(STEP2)
        a += a0;
        b += b0;
        c += c0;
        d += d0;
        aq += a1;
        bq += b1;
        cq += c1;
        dq += d1;
        h = ni_add(h, h0);
        hq = ni_add(hq, h1);
    }
    md5[0] = a;
    md5[1] = b;
    md5[2] = c;
    md5[3] = d;
    md5q[0] = aq;
    md5q[1] = bq;
    md5q[2] = cq;
    md5q[3] = dq;
    ni_store(h, lane[0]->sha256);
    ni_store(hq, lane[1]->sha256);
}
