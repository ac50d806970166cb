/* fuzz_jwt.c - the parts of a JWS, bearer fields, trace context, addresses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "wire/forwarded.h"
#include "wire/jwt.h"
#include "wire/trace.h"

static void
try_part(struct slice part)
{
    static char raw[JWT_MAX], text[BASE64_LEN(JWT_MAX)];
    size_t n;

    /* Only one spelling of any bytes is taken. */
    if (jwt_decode(part, raw, sizeof(raw), &n))
        assert(slice_eq(slice_str(base64url_encode(raw, n, text)), part));
}

static void
try_address(struct slice s)
{
    char text[IP_TEXT], net[CIDR_TEXT];
    struct cidr c, d;
    struct ip a, b;

    if (ip_parse(s, &a)) {
        assert(ip_parse(slice_str(ip_text(&a, text)), &b) && ip_eq(&a, &b));
        assert(forwarded_node(s, &b) && ip_eq(&a, &b));
    }
    if (cidr_parse(s, &c)) {
        assert(cidr_parse(slice_str(cidr_text(&c, net)), &d));
        assert(ip_eq(&c.net, &d.net) && c.bits == d.bits);
        assert(cidr_has(&c, &c.net));
    }
    forwarded_node(s, &a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s = slice_of(data, n), token;
    struct traceparent t, u;
    char text[TRACEPARENT_TEXT];
    struct jwt j;

    if (n == 0)
        return 0;
    token = jwt_bearer(s);
    assert(token.n < s.n);
    if (jwt_split(s, &j)) {
        assert(j.header.n && j.payload.n);
        assert(j.signed_part.n + 1 + j.signature.n == s.n);
        try_part(j.header);
        try_part(j.payload);
        try_part(j.signature);
    }
    if (traceparent_parse(s, &t)) {
        assert(traceparent_parse(slice_str(traceparent_text(&t, text)), &u));
        assert(memcmp(t.trace_id, u.trace_id, 16) == 0);
    }
    request_id_valid(s);
    try_address(s);
    return 0;
}
