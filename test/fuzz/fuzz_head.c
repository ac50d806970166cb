/* fuzz_head.c - request and response heads: the first byte says how the rest is
 * cut into arrivals, which must not change the answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "wire/cond.h"
#include "wire/digest.h"
#include "wire/forwarded.h"
#include "wire/resp.h"
#include <stdlib.h>

static const struct http_limits limits = {2048, 512, 16};

/* S lies in P[0..N), is a constant of the parser, or is empty. */
static void
check_inside(struct slice s, const char *p, size_t n)
{
    if (s.n == 0 || slice_eq(s, SLICE("/")) || slice_eq(s, SLICE("*")))
        return;
    assert(s.p >= p && s.n <= n && s.p + s.n <= p + n);
}

static void
check_head(const struct http_head *h, const char *p, size_t n)
{
    assert(h->len > 0 && h->len <= n && h->len <= limits.head_max);
    assert(memcmp(p + h->len - 4, "\r\n\r\n", 4) == 0);
    assert(h->nfields <= limits.fields_max);
    assert(!(h->chunked && h->content_length >= 0));
    assert(h->minor == 0 || h->host.n > 0);
    assert(h->host.n == 0 || http_is_host(h->host));
    assert(h->path.n > 0 && (h->path.p[0] == '/' || h->path.p[0] == '*'));
    assert(http_is_token(h->method_name));
    check_inside(h->target, p, h->len);
    check_inside(h->path, p, h->len);
    check_inside(h->query, p, h->len);
    check_inside(h->host, p, h->len);
    for (uint32_t i = 0; i < h->nfields; i++) {
        assert(http_is_token(h->field[i].name));
        assert(http_is_field_value(h->field[i].value));
        check_inside(h->field[i].name, p, h->len);
        check_inside(h->field[i].value, p, h->len);
    }
}

static bool
trust_private(void *arg, const struct ip *a)
{
    (void)arg;
    return a->n == 4 && a->b[0] == 10;
}

/* What reads a head further on only has to survive it. */
static void
use_head(const struct http_head *h)
{
    struct http_validators v = {
        .exists = true, .etag = {SLICE("a"), false}, .has_modified = true};
    struct ip peer = {{10, 0, 0, 1}, 4};
    struct digest_set set = {0};
    struct forwarded f;

    v.modified.ms = 784111777000;
    http_cond_eval(h, &v, (struct wall){1735831845000});
    forwarded_resolve(h, &peer, trust_private, NULL, &f);
    assert(f.client.n == 4 || f.client.n == 16);
    digest_of_head(h, &set);
}

static void
same_head(const struct http_head *a, const struct http_head *b)
{
    assert(a->refusal == b->refusal && a->method == b->method);
    assert(slice_eq(a->method_name, b->method_name));
    assert(slice_eq(a->target, b->target));
    if (a->refusal)
        return;
    assert(a->len == b->len && a->minor == b->minor);
    assert(slice_eq(a->path, b->path) && slice_eq(a->query, b->query));
    assert(slice_eq(a->host, b->host) && a->chunked == b->chunked);
    assert(a->content_length == b->content_length);
    assert(a->keep_alive == b->keep_alive && a->nfields == b->nfields);
    assert(a->expect_continue == b->expect_continue);
    for (uint32_t i = 0; i < a->nfields; i++)
        assert(slice_eq(a->field[i].value, b->field[i].value));
}

static void
try_request(struct prng *r, const char *p, size_t n)
{
    struct http_scan whole_scan = {0}, scan = {0};
    enum http_parse whole, cut = HTTP_MORE;
    struct http_head a, b;
    char *copy = NULL;

    whole = http_head_parse(&a, &whole_scan, &limits, p, n);
    assert(whole != HTTP_MORE || n < limits.head_max);
    for (size_t k = 0; cut == HTTP_MORE && k < n;) {
        k += 1 + prng_below(r, n - k);
        free(copy); /* each arrival finds the buffer elsewhere */
        copy = malloc(k);
        assert(copy);
        memcpy(copy, p, k);
        cut = http_head_parse(&b, &scan, &limits, copy, k);
    }
    assert(whole == cut || n == 0);
    if (n && whole != HTTP_MORE)
        same_head(&a, &b);
    if (whole == HTTP_REFUSED)
        assert(a.refusal && http_refusal_status(a.refusal) >= 400);
    if (whole == HTTP_OK) {
        check_head(&a, p, n);
        use_head(&a);
        http_head_rebase(&b, copy, p);
        check_head(&b, p, n);
    }
    free(copy);
}

static void
try_response(struct prng *r, const char *p, size_t n)
{
    struct http_scan whole_scan = {0}, scan = {0};
    enum http_parse whole, cut = HTTP_MORE;
    struct http_resp a, b = {.refusal = HTTP_REF_NONE};

    whole = http_resp_parse(&a, &whole_scan, &limits, p, n);
    for (size_t k = 0; cut == HTTP_MORE && k < n;) {
        k += 1 + prng_below(r, n - k);
        cut = http_resp_parse(&b, &scan, &limits, p, k);
    }
    assert(whole == cut || n == 0);
    if (n && whole == HTTP_REFUSED)
        assert(a.refusal == b.refusal);
    if (whole == HTTP_OK) {
        assert(a.len == b.len && a.status == b.status && a.status >= 100);
        http_resp_body(&a, HTTP_GET);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct prng r;

    if (n == 0)
        return 0;
    prng_init(&r, data[0]);
    if (data[0] & 1)
        try_response(&r, (const char *)data + 1, n - 1);
    else
        try_request(&r, (const char *)data + 1, n - 1);
    return 0;
}
