/* sha_ni.h - SHA-256 with the SHA instructions, in pieces that can be woven
 * into MD5: a block is 16 groups of four rounds.
 *
 * The instructions keep the eight words as ABEF and CDGH (Intel, "SHA
 * Extensions", 2013). SHA256RNDS2 takes 4 cycles and one can start every 2, so
 * that one stream takes 128 cycles for a block, and a pair the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_SHA_NI_H
#define HASH_SHA_NI_H

#include "hash/lanes.h"
#include "hash/sha256.h"
#include <immintrin.h>

struct ni {
    __m128i abef, cdgh;
};

ALWAYS_INLINE struct ni
ni_load(const uint32_t st[8])
{
    const __m128i abcd = _mm_loadu_si128((const void *)st);
    const __m128i efgh = _mm_loadu_si128((const void *)(st + 4));
    const __m128i badc = _mm_shuffle_epi32(abcd, 0xb1);
    const __m128i hgfe = _mm_shuffle_epi32(efgh, 0x1b);

    return (struct ni){_mm_alignr_epi8(badc, hgfe, 8),
                       _mm_blend_epi16(hgfe, badc, 0xf0)};
}

ALWAYS_INLINE void
ni_store(struct ni s, uint32_t st[8])
{
    const __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);

    _mm_storeu_si128((void *)st, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((void *)(st + 4), _mm_alignr_epi8(dchg, feba, 8));
}

ALWAYS_INLINE struct ni
ni_add(struct ni a, struct ni b)
{
    return (struct ni){_mm_add_epi32(a.abef, b.abef),
                       _mm_add_epi32(a.cdgh, b.cdgh)};
}

/* The 16 big-endian words of the block at P. */
ALWAYS_INLINE void
ni_words(__m128i m[4], const uint8_t *p)
{
    const __m128i swap =
        _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);

    const __m128i *v = (const void *)p;

    m[0] = _mm_shuffle_epi8(_mm_loadu_si128(v), swap);
    m[1] = _mm_shuffle_epi8(_mm_loadu_si128(v + 1), swap);
    m[2] = _mm_shuffle_epi8(_mm_loadu_si128(v + 2), swap);
    m[3] = _mm_shuffle_epi8(_mm_loadu_si128(v + 3), swap);
}

/* Rounds 4G to 4G + 3; then the words that these used make way for those of
 * the rounds 16 later. */
ALWAYS_INLINE void
ni_group(struct ni *s, __m128i m[4], unsigned g)
{
    __m128i *m0 = &m[g % 4], m1 = m[(g + 1) % 4], m2 = m[(g + 2) % 4],
            m3 = m[(g + 3) % 4], wk;

    wk = _mm_add_epi32(*m0,
                       _mm_load_si128((const void *)(hash_sha256_k + 4 * g)));
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, wk);
    wk = _mm_shuffle_epi32(wk, 0x0e);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, wk);
    if (g < 12)
        *m0 = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*m0, m1),
                                                 _mm_alignr_epi8(m3, m2, 4)),
                                   m3);
}

#endif
