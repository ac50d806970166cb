/* hex.c - hexadecimal and base64. SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

static const char hex_digits[] = "0123456789abcdef";
static const char std_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *
hex_encode(const void *p, size_t n, char *out)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex_digits[b[i] >> 4];
        out[2 * i + 1] = hex_digits[b[i] & 15];
    }
    out[2 * n] = 0;
    return out;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool
hex_decode(struct slice s, void *out, size_t n)
{
    uint8_t *b = out;

    if (s.n % 2 || s.n / 2 != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(s.p[2 * i]);
        int lo = hex_value(s.p[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        b[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static char *
encode64(const uint8_t *b, size_t n, char *out, const char *digits, bool pad)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = size_min(n - i, 3);
        uint32_t v = (uint32_t)b[i] << 16;

        if (left > 1)
            v |= (uint32_t)b[i + 1] << 8;
        if (left > 2)
            v |= b[i + 2];
        for (size_t k = 0; k < 4; k++) {
            if (k <= left)
                out[at++] = digits[v >> (18 - 6 * k) & 63];
            else if (pad)
                out[at++] = '=';
        }
    }
    out[at] = 0;
    return out;
}

char *
base64_encode(const void *p, size_t n, char *out)
{
    return encode64(p, n, out, std_digits, true);
}

char *
base64url_encode(const void *p, size_t n, char *out)
{
    return encode64(p, n, out, url_digits, false);
}

static int
value64(char c, char c62, char c63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == c62)
        return 62;
    return c == c63 ? 63 : -1;
}

/* S without padding. */
static bool
decode64(struct slice s, uint8_t *out, size_t cap, size_t *n, char c62,
         char c63)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t at = 0;

    if (s.n % 4 == 1 || s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0) > cap)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int v = value64(s.p[i], c62, c63);

        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[at++] = (uint8_t)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    *n = at;
    return bits == 0; /* two spellings of the same bytes are one too many */
}

bool
base64_decode(struct slice s, void *out, size_t cap, size_t *n)
{
    if (s.n % 4)
        return false;
    if (s.n && s.p[s.n - 1] == '=') {
        s.n--;
        if (s.p[s.n - 1] == '=')
            s.n--;
    }
    return decode64(s, out, cap, n, '+', '/');
}

bool
base64url_decode(struct slice s, void *out, size_t cap, size_t *n)
{
    return decode64(s, out, cap, n, '-', '_');
}
