/* jwt.c - compact JWS. SPDX-License-Identifier: Apache-2.0 */
#include "wire/jwt.h"
#include "base/hex.h"

static bool
is_base64url(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
              c == '-' || c == '_'))
            return false;
    }
    return s.n % 4 != 1;
}

bool
jwt_split(struct slice token, struct jwt *out)
{
    return jwt_split_long(token, JWT_MAX, out);
}

bool
jwt_split_long(struct slice token, size_t max, struct jwt *out)
{
    struct slice rest = token;

    if (token.n > max || !slice_cut(&rest, '.', &out->header) ||
        !slice_cut(&rest, '.', &out->payload) || !rest.p)
        return false;
    out->signature = rest;
    out->signed_part = slice_head(token, out->header.n + 1 + out->payload.n);
    return out->header.n && out->payload.n &&
           rest.n <= JWT_SIGNATURE_MAX * 4 / 3 + 1 &&
           is_base64url(out->header) && is_base64url(out->payload) &&
           is_base64url(out->signature);
}

bool
jwt_decode(struct slice part, void *dst, size_t cap, size_t *n)
{
    return base64url_decode(part, dst, cap, n);
}

struct slice
jwt_bearer(struct slice authorization)
{
    struct slice s = slice_trim(authorization), token;
    size_t i = 0;

    if (!slice_eq_nocase(slice_head(s, 7), SLICE("Bearer ")))
        return SLICE_NULL;
    token = slice_trim(slice_skip(s, 7));
    for (; i < token.n; i++) {
        char c = token.p[i];

        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
              (c && strchr("-._~+/", c))))
            break;
    }
    while (i < token.n && token.p[i] == '=')
        i++;
    return i == token.n ? token : SLICE_NULL;
}
