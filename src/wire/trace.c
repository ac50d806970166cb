/* trace.c - trace context. SPDX-License-Identifier: Apache-2.0 */
#include "wire/trace.h"
#include "base/hex.h"

/* N bytes from lower-case digits only. */
static bool
lower_hex(struct slice s, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'F')
            return false;
    return hex_decode(s, out, n);
}

static bool
is_zero(const uint8_t *b, size_t n)
{
    uint8_t all = 0;

    for (size_t i = 0; i < n; i++)
        all |= b[i];
    return all == 0;
}

bool
traceparent_parse(struct slice s, struct traceparent *out)
{
    uint8_t version;

    if (s.n < 55 || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-' ||
        !lower_hex(slice_head(s, 2), &version, 1) || version == 0xff)
        return false;
    /* A later version may go on, behind another hyphen. */
    if (s.n > 55 && (version == 0 || s.p[55] != '-'))
        return false;
    return lower_hex(slice_of(s.p + 3, 32), out->trace_id, 16) &&
           lower_hex(slice_of(s.p + 36, 16), out->parent_id, 8) &&
           lower_hex(slice_of(s.p + 53, 2), &out->flags, 1) &&
           !is_zero(out->trace_id, 16) && !is_zero(out->parent_id, 8);
}

const char *
traceparent_text(const struct traceparent *t, char out[TRACEPARENT_TEXT])
{
    memcpy(out, "00-", 3);
    hex_encode(t->trace_id, 16, out + 3);
    out[35] = '-';
    hex_encode(t->parent_id, 8, out + 36);
    out[52] = '-';
    hex_encode(&t->flags, 1, out + 53);
    return out;
}

bool
request_id_valid(struct slice s)
{
    if (s.n == 0 || s.n > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
              (c && strchr("-._~:/+=@", c))))
            return false;
    }
    return true;
}
