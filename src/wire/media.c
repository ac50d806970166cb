/* media.c - media types and weights. SPDX-License-Identifier: Apache-2.0 */
#include "wire/media.h"
#include "wire/head.h"
#include "wire/param.h"

/* "a/b" in front of parameters; blanks around it removed. */
static bool
split(struct slice value, struct media_type *out)
{
    size_t semi = slice_find(value, ';');
    struct slice rest;

    out->essence = rest = slice_trim(slice_head(value, semi));
    out->params = slice_skip(value, semi);
    return slice_cut(&rest, '/', &out->type) && rest.p &&
           http_is_token(out->type) && http_is_token(out->subtype = rest);
}

bool
media_parse(struct slice value, struct media_type *out)
{
    struct slice v;
    bool quoted;

    return split(value, out) && http_param_find(out->params, SLICE(""), &v,
                                                &quoted) == HTTP_PARAM_END;
}

/* qvalue = 0[.ddd] / 1[.000] in thousandths; false when malformed. */
static bool
parse_q(struct slice s, unsigned *q)
{
    unsigned weight = 100;

    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
        (s.n > 1 && s.p[1] != '.'))
        return false;
    *q = s.p[0] == '1' ? ACCEPT_MAX : 0;
    for (size_t i = 2; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        *q += (unsigned)(s.p[i] - '0') * weight;
        weight /= 10;
    }
    return *q <= ACCEPT_MAX;
}

/* The weight among the parameters of one member. */
static bool
weight_of(struct slice params, unsigned *q)
{
    struct slice v;
    bool quoted;

    *q = ACCEPT_MAX;
    switch (http_param_find(params, SLICE("q"), &v, &quoted)) {
    case HTTP_PARAM_OK:
        return parse_q(v, q);
    case HTTP_PARAM_END:
        return true;
    case HTTP_PARAM_BAD:
        break;
    }
    return false;
}

/* 3: the media itself, 2: a wildcard subtype, 1: any, 0: another. */
static int
how_specific(struct slice range, struct slice media)
{
    size_t slash = slice_find(media, '/');

    if (slice_eq_nocase(range, media))
        return 3;
    if (slice_eq(range, SLICE("*/*")))
        return 1;
    if (slice_ends(range, SLICE("/*")) &&
        slice_eq_nocase(slice_head(range, range.n - 1),
                        slice_head(media, slash + 1)))
        return 2;
    return 0;
}

static unsigned
weigh_media(struct slice value, struct slice media, int at_least)
{
    struct slice item;
    unsigned best = 0;
    int level = 0;

    while (http_list_cut(&value, &item)) {
        struct media_type m;
        unsigned q;
        int l;

        if (!split(item, &m) || !weight_of(m.params, &q))
            continue;
        l = how_specific(m.essence, media);
        if (l < at_least || l < level)
            continue;
        if (l > level || q > best) {
            level = l;
            best = q;
        }
    }
    return best;
}

unsigned
accept_media(struct slice value, struct slice media)
{
    return value.p ? weigh_media(value, media, 1) : ACCEPT_MAX;
}

bool
accept_names(struct slice value, struct slice media)
{
    return weigh_media(value, media, 3) > 0;
}

unsigned
accept_coding(struct slice value, struct slice coding)
{
    bool identity = slice_eq_nocase(coding, SLICE("identity"));
    unsigned named = 0, any = 0;
    bool is_named = false, is_any = false;
    struct slice item;

    if (!value.p)
        return ACCEPT_MAX;
    while (http_list_cut(&value, &item)) {
        size_t semi = slice_find(item, ';');
        struct slice name = slice_trim(slice_head(item, semi));
        unsigned q;

        if (!weight_of(slice_skip(item, semi), &q))
            continue;
        if (slice_eq_nocase(name, coding)) {
            is_named = true;
            named = q > named ? q : named;
        } else if (slice_eq(name, SLICE("*"))) {
            is_any = true;
            any = q;
        }
    }
    if (is_named)
        return named;
    if (is_any)
        return any;
    return identity ? 1 : 0; /* wanted, but less than what was named */
}
