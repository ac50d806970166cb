/* uuid.c - RFC 9562 layouts. SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"
#include "base/hex.h"

static void
stamp(struct uuid *u, uint8_t version)
{
    u->b[6] = (uint8_t)((u->b[6] & 0x0f) | version << 4);
    u->b[8] = (uint8_t)((u->b[8] & 0x3f) | 0x80); /* section 4.1: 10x */
}

struct uuid
uuid_v7(struct wall t, const uint8_t random[10])
{
    uint64_t ms = t.ms < 0 ? 0 : (uint64_t)t.ms;
    struct uuid u;

    for (int i = 0; i < 6; i++)
        u.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(u.b + 6, random, 10);
    stamp(&u, 7);
    return u;
}

struct uuid
uuid_v4(const uint8_t random[16])
{
    struct uuid u;

    memcpy(u.b, random, 16);
    stamp(&u, 4);
    return u;
}

const char *
uuid_text(const struct uuid *u, char out[UUID_TEXT])
{
    static const uint8_t len[] = {4, 2, 2, 2, 6};
    size_t from = 0, at = 0;

    for (size_t i = 0; i < countof(len); i++) {
        if (i)
            out[at++] = '-';
        hex_encode(u->b + from, len[i], out + at);
        from += len[i];
        at += 2 * (size_t)len[i];
    }
    return out;
}

bool
uuid_parse(struct slice s, struct uuid *out)
{
    char d[32];
    size_t n = 0;

    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.p[i] != '-')
                return false;
        } else {
            d[n++] = s.p[i];
        }
    }
    return hex_decode(slice_of(d, 32), out->b, 16);
}

struct wall
uuid_time(const struct uuid *u)
{
    int64_t ms = 0;

    if (u->b[6] >> 4 != 7)
        return (struct wall){0};
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | u->b[i];
    return (struct wall){ms};
}
