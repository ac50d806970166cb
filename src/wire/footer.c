/* footer.c - see footer.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/footer.h"
#include <string.h>

static const uint8_t magic[4] = {'A', 'S', 'F', '1'};

static void
put_le(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t
get_le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

void
footer_encode(const struct footer *f, uint8_t out[FOOTER_SIZE])
{
    memcpy(out, magic, sizeof(magic));
    put_le(out + 4, f->crc, 4);
    put_le(out + 8, f->length, 8);
}

bool
footer_decode(struct footer *f, const uint8_t in[FOOTER_SIZE])
{
    if (memcmp(in, magic, sizeof(magic)) != 0)
        return false;
    f->crc = (uint32_t)get_le(in + 4, 4);
    f->length = get_le(in + 8, 8);
    return true;
}

bool
footer_fits(const uint8_t in[FOOTER_SIZE], uint64_t length, uint32_t crc)
{
    struct footer f;

    return footer_decode(&f, in) && f.length == length && f.crc == crc;
}
