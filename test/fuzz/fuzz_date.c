/* fuzz_date.c - dates, entity tags and structured dictionaries: the first byte
 * says which. SPDX-License-Identifier: Apache-2.0 */
#include "wire/cond.h"
#include "wire/date.h"
#include "wire/digest.h"
#include "wire/sfdict.h"

static void
try_dates(struct slice s)
{
    struct wall t, u, now = {1735831845000};
    char text[DATE_TEXT];

    if (date_parse_rfc3339(s, &t)) {
        assert(date_parse_rfc3339(slice_str(date_rfc3339_ms(t, text)), &u));
        assert(t.ms == u.ms);
    }
    if (date_parse_http(s, now, &t)) {
        assert(t.ms >= 0 && t.ms % 1000 == 0);
        assert(date_parse_http(slice_str(date_http(t, text)), now, &u));
        assert(t.ms == u.ms);
    }
}

static void
try_etags(struct slice s)
{
    struct slice rest = s;
    struct http_etag e;

    while (http_etag_next(&rest, &e) == HTTP_ETAG_OK) {
        assert(rest.n < s.n && slice_find(e.tag, '"') == e.tag.n);
        s = rest;
    }
}

static void
try_digests(struct slice s)
{
    struct digest_set a = {0}, b = {0};
    struct slice rest = s;
    struct sf_member m;
    unsigned x, y;
    struct buf out;

    while (sf_dict_next(&rest, &m) == SF_OK)
        assert(m.key.n > 0);
    buf_init(&out, 1000);
    if (digest_parse(s, &a) == ERR_OK) {
        digest_format(&out, &a);
        assert(digest_parse(buf_slice(&out), &b) == ERR_OK);
        assert(memcmp(&a, &b, sizeof(a)) == 0);
    }
    if (digest_parse_want(s, &x, &y))
        assert(x <= 10 && y <= 10);
    digest_parse_md5(s, &b);
    digest_parse_hex_sha256(s, &b);
    buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s;

    if (n < 2)
        return 0;
    s = slice_of(data + 1, n - 1);
    switch (data[0] % 3) {
    case 0:
        try_dates(s);
        break;
    case 1:
        try_etags(s);
        break;
    default:
        try_digests(s);
        break;
    }
    return 0;
}
