/* fuzz_query.c - query strings, forms, paths, parameters, names of files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"
#include "wire/disposition.h"
#include "wire/form.h"
#include "wire/media.h"
#include "wire/param.h"
#include "wire/utf8.h"
#include <stdlib.h>

static void
try_decode(struct slice s)
{
    char *p = malloc(s.n + 1), *q;
    struct buf b;
    size_t n, m;

    assert(p);
    if (pct_decode(s, p, &n)) {
        assert(n <= s.n && memchr(p, 0, n) == NULL);
        buf_init(&b, 4 * s.n + 16);
        assert(pct_encode(&b, slice_of(p, n), false));
        q = malloc(b.n + 1);
        assert(q && pct_decode(buf_slice(&b), q, &m));
        assert(slice_eq(slice_of(q, m), slice_of(p, n)));
        buf_release(&b);
        free(q);
    }
    free(p);
}

static void
try_pairs(struct slice s)
{
    struct slice k, v;
    struct query q;
    char text[64], one[32];
    size_t n;

    query_init(&q, s, text, sizeof(text), 16);
    while (query_next(&q, &k, &v) == QUERY_OK)
        assert(k.n + v.n <= sizeof(text));
    if (query_get(s, SLICE("filename"), one, sizeof(one), &n) == QUERY_OK)
        assert(n < sizeof(one) && one[n] == 0);
}

static void
try_path(struct slice s)
{
    struct slice rest = s, seg;
    char dst[64];

    while (path_next(&rest, dst, sizeof(dst), &seg) == QUERY_OK) {
        assert(seg.n <= sizeof(dst));
        assert(slice_find(seg, '/') == seg.n && slice_find(seg, 0) == seg.n);
        assert(!slice_eq(seg, SLICE("..")));
        assert(rest.n < s.n);
    }
}

static void
try_params(struct slice s)
{
    char *p = malloc(s.n + 1);
    struct media_type m;
    struct slice v;
    bool quoted;
    size_t n;

    assert(p);
    if (http_param_find(s, SLICE("a"), &v, &quoted) == HTTP_PARAM_OK) {
        assert(http_unquote(v, p) <= v.n);
        assert(http_unquote_filename(v, p) <= v.n);
    }
    if (http_ext_value(s, p, &n))
        assert(n <= s.n && utf8_valid(slice_of(p, n)));
    if (media_parse(s, &m))
        assert(m.type.n && m.subtype.n);
    assert(accept_media(s, SLICE("a/b")) <= ACCEPT_MAX);
    assert(accept_coding(s, SLICE("gzip")) <= ACCEPT_MAX);
    free(p);
}

static void
try_names(struct slice s)
{
    char out[FILENAME_MAX_BYTES + 1], name[STORAGE_NAME_MAX + 1];
    struct uuid id = {{0}};
    struct buf b;
    size_t n = filename_sanitise(s, out);

    assert(n > 0 && n <= FILENAME_MAX_BYTES && strlen(out) == n);
    assert(utf8_valid(slice_of(out, n)) && strcspn(out, "/\\\n") == n);
    n = storage_name(s, slice_head(s, s.n / 2), (struct wall){0}, &id, name);
    assert(n > 0 && n <= STORAGE_NAME_MAX && strlen(name) == n);
    assert(utf8_valid(slice_of(name, n)) && strcspn(name, "/\\ \n'\"$") == n);
    assert(name[0] != '.' && name[0] != '-');
    buf_init(&b, 8 * s.n + 200);
    assert(disposition_format(&b, true, s));
    for (size_t i = 0; i < b.n; i++)
        assert((unsigned char)b.p[i] >= 0x20 && (unsigned char)b.p[i] < 0x7f);
    buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s = slice_of(data, n);

    if (n == 0)
        return 0;
    try_decode(s);
    try_pairs(s);
    try_path(s);
    try_params(s);
    try_names(s);
    return 0;
}
