/* cond.c - conditional requests. SPDX-License-Identifier: Apache-2.0 */
#include "wire/cond.h"
#include "wire/date.h"

/* etagc = %x21 / %x23-7E / obs-text: no blanks, no quotation mark */
static bool
is_etagc(char c)
{
    unsigned char u = (unsigned char)c;

    return u > 0x20 && u != '"' && u != 0x7f;
}

enum http_etag_result
http_etag_next(struct slice *rest, struct http_etag *out)
{
    struct slice s = *rest;
    size_t i = 0;

    while (s.n && (s.p[0] == ',' || s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_skip(s, 1);
    if (s.n == 0)
        return HTTP_ETAG_END;
    out->weak = slice_starts(s, SLICE("W/"));
    s = slice_skip(s, out->weak ? 2 : 0);
    if (s.n == 0 || s.p[0] != '"')
        return HTTP_ETAG_BAD;
    s = slice_skip(s, 1);
    while (i < s.n && is_etagc(s.p[i]))
        i++;
    if (i == s.n || s.p[i] != '"')
        return HTTP_ETAG_BAD;
    out->tag = slice_head(s, i);
    s = slice_trim(slice_skip(s, i + 1));
    if (s.n && s.p[0] != ',')
        return HTTP_ETAG_BAD;
    *rest = s;
    return HTTP_ETAG_OK;
}

bool
http_etag_eq(const struct http_etag *a, const struct http_etag *b, bool strong)
{
    return !(strong && (a->weak || b->weak)) && slice_eq(a->tag, b->tag);
}

enum match { MATCH_NO, MATCH_YES, MATCH_BAD };

/* Does any tag of the lists in the fields called NAME match? */
static enum match
match_tags(const struct http_head *h, struct slice name,
           const struct http_validators *v, bool strong)
{
    const struct http_field *f = NULL;
    enum match m = MATCH_NO;

    while ((f = http_head_next(h, name, f))) {
        struct slice rest = f->value;
        struct http_etag e;
        enum http_etag_result r;

        if (slice_eq(rest, SLICE("*"))) {
            m = v->exists ? MATCH_YES : m;
            continue;
        }
        while ((r = http_etag_next(&rest, &e)) == HTTP_ETAG_OK)
            if (v->etag.tag.p && http_etag_eq(&e, &v->etag, strong))
                m = MATCH_YES;
        if (r == HTTP_ETAG_BAD)
            return MATCH_BAD;
    }
    return m;
}

/* The date in the field called NAME, in seconds. False when there is no field,
 * no such date, or nothing to compare it with. */
static bool
get_date(const struct http_head *h, struct slice name,
         const struct http_validators *v, struct wall now, int64_t *s)
{
    struct wall t;

    if (!v->has_modified || !date_parse_http(http_head_value(h, name), now, &t))
        return false;
    *s = t.ms / 1000;
    return true;
}

/* Section 13.1.5: tags are compared strongly, a date must be the same. */
static bool
if_range_holds(const struct http_head *h, const struct http_validators *v,
               struct wall now)
{
    struct slice value = http_head_value(h, SLICE("If-Range")), rest = value;
    struct http_etag e;
    int64_t s;

    if (http_etag_next(&rest, &e) == HTTP_ETAG_OK)
        return rest.n == 0 && v->etag.tag.p && http_etag_eq(&e, &v->etag, true);
    return get_date(h, SLICE("If-Range"), v, now, &s) &&
           s == v->modified.ms / 1000;
}

enum http_cond
http_cond_eval(const struct http_head *h, const struct http_validators *v,
               struct wall now)
{
    bool reads = h->method == HTTP_GET || h->method == HTTP_HEAD;
    int64_t modified = v->modified.ms / 1000, s;

    if (http_head_find(h, SLICE("If-Match"))) {
        if (match_tags(h, SLICE("If-Match"), v, true) != MATCH_YES)
            return HTTP_COND_FAILED;
    } else if (get_date(h, SLICE("If-Unmodified-Since"), v, now, &s) &&
               modified > s) {
        return HTTP_COND_FAILED;
    }
    if (http_head_find(h, SLICE("If-None-Match"))) {
        enum match m = match_tags(h, SLICE("If-None-Match"), v, false);

        if (m == MATCH_YES)
            return reads ? HTTP_COND_NOT_MODIFIED : HTTP_COND_FAILED;
        if (m == MATCH_BAD && !reads)
            return HTTP_COND_FAILED;
    } else if (reads && get_date(h, SLICE("If-Modified-Since"), v, now, &s) &&
               modified <= s) {
        return HTTP_COND_NOT_MODIFIED;
    }
    if (h->method == HTTP_GET && http_head_find(h, SLICE("Range")) &&
        http_head_find(h, SLICE("If-Range")) && !if_range_holds(h, v, now))
        return HTTP_COND_IGNORE_RANGE;
    return HTTP_COND_PROCEED;
}
