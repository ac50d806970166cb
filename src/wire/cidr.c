/* cidr.c - IP addresses and networks. SPDX-License-Identifier: Apache-2.0 */
#include "wire/cidr.h"
#include <stdio.h>

/* Decimal without leading zeros: "010" is 8 to some and 10 to others. */
static bool
parse_dec(struct slice s, size_t digits_max, unsigned max, unsigned *out)
{
    uint64_t v;

    if (s.n == 0 || s.n > digits_max || (s.n > 1 && s.p[0] == '0') ||
        !slice_u64(s, &v) || v > max)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool
parse_v4(struct slice s, uint8_t out[4])
{
    struct slice part;
    unsigned v;

    for (int i = 0; i < 4; i++) {
        if (!slice_cut(&s, '.', &part) || !parse_dec(part, 3, 255, &v))
            return false;
        out[i] = (uint8_t)v;
    }
    return s.p == NULL;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool
parse_group(struct slice s, uint8_t out[2])
{
    unsigned v = 0;

    if (s.n == 0 || s.n > 4)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = hex_digit(s.p[i]);

        if (d < 0)
            return false;
        v = v << 4 | (unsigned)d;
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return true;
}

/* Groups with ':' between them into OUT, at most MAX bytes; the last may be an
 * IPv4 address when LAST. Returns how many bytes, or -1. Nothing is 0 bytes. */
static int
parse_groups(struct slice s, bool last, uint8_t *out, size_t max)
{
    size_t n = 0;
    struct slice part;

    if (s.n == 0)
        return 0;
    while (slice_cut(&s, ':', &part)) {
        if (last && !s.p && slice_find(part, '.') < part.n) {
            if (n + 4 > max || !parse_v4(part, out + n))
                return -1;
            n += 4;
        } else {
            if (n + 2 > max || !parse_group(part, out + n))
                return -1;
            n += 2;
        }
    }
    return (int)n;
}

static bool
parse_v6(struct slice s, uint8_t out[16])
{
    const char *gap = s.n ? memmem(s.p, s.n, "::", 2) : NULL;
    uint8_t tail[16];
    int a, b;

    memset(out, 0, 16);
    if (gap == NULL)
        return parse_groups(s, true, out, 16) == 16;
    a = parse_groups(slice_head(s, (size_t)(gap - s.p)), false, out, 14);
    if (a < 0)
        return false;
    b = parse_groups(slice_skip(s, (size_t)(gap - s.p) + 2), true, tail, 14);
    if (b < 0 || a + b > 14) /* "::" stands for at least one group */
        return false;
    memcpy(out + 16 - b, tail, (size_t)b);
    return true;
}

struct ip
ip_of(const void *bytes, size_t n)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    const uint8_t *p = bytes;
    struct ip a = {.n = (uint8_t)n};

    assert(n == 4 || n == 16);
    if (n == 16 && memcmp(p, mapped, 12) == 0) {
        p += 12;
        a.n = 4;
    }
    memcpy(a.b, p, a.n);
    return a;
}

bool
ip_parse(struct slice s, struct ip *out)
{
    uint8_t b[16];
    bool v6 = slice_find(s, ':') < s.n;

    if (s.n >= IP_TEXT || !(v6 ? parse_v6(s, b) : parse_v4(s, b)))
        return false;
    *out = ip_of(b, v6 ? 16 : 4);
    return true;
}

/* RFC 5952 section 4.2: the longest run of at least two zero groups, the first
 * of equals. */
static int
longest_zeros(const struct ip *a, int *len)
{
    int best = -1;

    *len = 1;
    for (int i = 0; i < 8; i++) {
        int k = i;

        while (k < 8 && a->b[2 * k] == 0 && a->b[2 * k + 1] == 0)
            k++;
        if (k - i > *len) {
            best = i;
            *len = k - i;
        }
    }
    return best;
}

const char *
ip_text(const struct ip *a, char out[IP_TEXT])
{
    size_t n = 0;
    int gap, len;

    out[0] = 0;
    if (a->n == 4) {
        snprintf(out, IP_TEXT, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2],
                 a->b[3]);
    } else if (a->n == 16) {
        gap = longest_zeros(a, &len);
        for (int i = 0; i < 8; i++) {
            if (i == gap) {
                n += (size_t)snprintf(out + n, IP_TEXT - n, "::");
                i += len - 1;
                continue;
            }
            n += (size_t)snprintf(
                out + n, IP_TEXT - n, "%s%x",
                i && !(gap >= 0 && i == gap + len) ? ":" : "",
                (unsigned)(a->b[2 * i] << 8 | a->b[2 * i + 1]));
        }
    }
    return out;
}

bool
ip_eq(const struct ip *a, const struct ip *b)
{
    return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

struct ip
ip_prefix(const struct ip *a, unsigned bits)
{
    struct ip out = {.n = a->n};

    for (unsigned i = 0; i < a->n && bits > 0; i++) {
        unsigned k = bits < 8 ? bits : 8;

        out.b[i] = (uint8_t)(a->b[i] & (0xff00u >> k));
        bits -= k;
    }
    return out;
}

bool
cidr_parse(struct slice s, struct cidr *out)
{
    struct slice addr;
    struct ip a;
    unsigned bits, max;

    if (!slice_cut(&s, '/', &addr) || !ip_parse(addr, &a))
        return false;
    max = bits = a.n * 8u;
    if (s.p) {
        /* The prefix of a mapped address counts its 96 bits as well. */
        bool mapped = a.n == 4 && slice_find(addr, ':') < addr.n;

        if (!parse_dec(s, 3, mapped ? 128 : max, &bits) ||
            (mapped && bits < 96))
            return false;
        bits -= mapped ? 96 : 0;
    }
    out->net = ip_prefix(&a, bits);
    out->bits = (uint8_t)bits;
    return true;
}

bool
cidr_has(const struct cidr *c, const struct ip *a)
{
    struct ip net = ip_prefix(a, c->bits);

    return ip_eq(&net, &c->net);
}

const char *
cidr_text(const struct cidr *c, char out[CIDR_TEXT])
{
    char ip[IP_TEXT];

    snprintf(out, CIDR_TEXT, "%s/%u", ip_text(&c->net, ip), c->bits);
    return out;
}
