/* forwarded.c - the client behind proxies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/forwarded.h"
#include "wire/param.h"

/* What one proxy said, in the order of the wire. */
struct hop {
    struct slice node;
    struct slice proto;
    struct slice host;
};

/* The last FORWARDED_HOPS_MAX hops, as a ring. */
struct hops {
    struct hop h[FORWARDED_HOPS_MAX];
    size_t n;
};

bool
forwarded_node(struct slice s, struct ip *out)
{
    size_t colon;

    if (s.n && s.p[0] == '[') {
        size_t end = slice_find(s, ']');
        struct slice rest = slice_skip(s, end + 1);

        return end < s.n && (rest.n == 0 || rest.p[0] == ':') &&
               slice_find(slice_head(s, end), ':') < end &&
               ip_parse(slice_of(s.p + 1, end - 1), out);
    }
    colon = slice_find(s, ':');
    /* One colon: an IPv4 address with its port. More: a bare IPv6 address. */
    if (colon < s.n &&
        slice_find(slice_skip(s, colon + 1), ':') == s.n - colon - 1)
        s = slice_head(s, colon);
    return ip_parse(s, out);
}

static struct hop *
push(struct hops *hops)
{
    struct hop *h = &hops->h[hops->n++ % FORWARDED_HOPS_MAX];

    *h = (struct hop){0};
    return h;
}

/* for=...;proto=...;host=... False when malformed. A value with a backslash in
 * it is no address, scheme or host: it stays as it is and is not understood. */
static bool
parse_element(struct slice item, struct hop *h)
{
    struct slice name, value;
    enum http_param r;
    bool quoted;

    r = http_pair_first(&item, &name, &value, &quoted);
    for (; r == HTTP_PARAM_OK;
         r = http_param_next(&item, &name, &value, &quoted)) {
        if (slice_eq_nocase(name, SLICE("for")))
            h->node = value;
        else if (slice_eq_nocase(name, SLICE("proto")))
            h->proto = value;
        else if (slice_eq_nocase(name, SLICE("host")))
            h->host = value;
    }
    return r == HTTP_PARAM_END;
}

static void
read_forwarded(const struct http_head *h, struct hops *hops)
{
    const struct http_field *f = NULL;

    while ((f = http_head_next(h, SLICE("Forwarded"), f))) {
        struct slice rest = f->value, item;

        while (http_list_cut(&rest, &item)) {
            struct hop *hop = push(hops);

            if (!parse_element(item, hop))
                *hop = (struct hop){0}; /* nobody's word */
        }
    }
}

/* The last member of the lists called NAME: what the nearest proxy said. */
static struct slice
last_of(const struct http_head *h, struct slice name)
{
    const struct http_field *f = NULL;
    struct slice last = SLICE_NULL;

    while ((f = http_head_next(h, name, f))) {
        struct slice rest = f->value, item;

        while (http_list_cut(&rest, &item))
            last = item;
    }
    return last;
}

/* Proxies overwrite X-Forwarded-Proto and -Host, they do not append: the one
 * value holds for every hop. */
static void
read_x(const struct http_head *h, struct hops *hops)
{
    struct slice proto = last_of(h, SLICE("X-Forwarded-Proto"));
    struct slice host = last_of(h, SLICE("X-Forwarded-Host"));
    const struct http_field *f = NULL;

    while ((f = http_head_next(h, SLICE("X-Forwarded-For"), f))) {
        struct slice rest = f->value, item;

        while (http_list_cut(&rest, &item))
            *push(hops) = (struct hop){item, proto, host};
    }
    if (hops->n == 0 && (proto.p || host.p))
        *push(hops) = (struct hop){SLICE_NULL, proto, host};
}

static void
believe(struct forwarded *out, const struct hop *h)
{
    out->proto = slice_eq_nocase(h->proto, SLICE("https")) ? FORWARDED_HTTPS
                 : slice_eq_nocase(h->proto, SLICE("http"))
                     ? FORWARDED_HTTP
                     : FORWARDED_PROTO_NONE;
    out->host = http_is_host(h->host) ? h->host : SLICE_NULL;
}

void
forwarded_resolve(const struct http_head *h, const struct ip *peer,
                  forwarded_trusts *trusts, void *arg, struct forwarded *out)
{
    bool standard = http_head_find(h, SLICE("Forwarded")) != NULL;
    bool x = http_head_find(h, SLICE("X-Forwarded-For")) != NULL ||
             http_head_find(h, SLICE("X-Forwarded-Proto")) != NULL ||
             http_head_find(h, SLICE("X-Forwarded-Host")) != NULL;
    struct hops hops = {.n = 0};
    size_t left;

    *out = (struct forwarded){.client = *peer};
    if (standard == x || !trusts(arg, peer))
        return;
    if (standard)
        read_forwarded(h, &hops);
    else
        read_x(h, &hops);
    left = size_min(hops.n, FORWARDED_HOPS_MAX);
    while (left > 0 && trusts(arg, &out->client)) {
        const struct hop *hop = &hops.h[--hops.n % FORWARDED_HOPS_MAX];

        left--;
        /* A trusted proxy wrote this, so how the other side came to it is
         * true even when the address is hidden. */
        believe(out, hop);
        if (!forwarded_node(hop->node, &out->client))
            break;
        out->hops++;
    }
}
