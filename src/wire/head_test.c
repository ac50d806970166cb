/* head_test.c - what is taken and what is refused, at every cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/head.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct http_limits limits = {1024, 256, 8};

/* Byte by byte, each time in memory of exactly that size somewhere else, so
 * that a sanitizer sees a look too far and a stale pointer. *STORE is to be
 * freed. */
static enum http_parse
parse_in_bytes(struct http_head *h, struct slice in, char **store)
{
    struct http_scan scan = {0};
    enum http_parse r = HTTP_MORE;

    *store = NULL;
    for (size_t n = 0; n <= in.n && r == HTTP_MORE; n++) {
        char *copy = malloc(n ? n : 1);

        memcpy(copy, in.p, n);
        free(*store);
        *store = copy;
        r = http_head_parse(h, &scan, &limits, copy, n);
    }
    return r;
}

static void
assert_same(const struct http_head *a, const struct http_head *b)
{
    assert_int_equal(a->refusal, b->refusal);
    assert_true(slice_eq(a->method_name, b->method_name));
    assert_true(slice_eq(a->target, b->target));
    if (a->refusal)
        return;
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->minor, b->minor);
    assert_true(slice_eq(a->path, b->path));
    assert_true(slice_eq(a->query, b->query));
    assert_true(slice_eq(a->host, b->host));
    assert_int_equal(a->content_length, b->content_length);
    assert_int_equal(a->chunked, b->chunked);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->expect_continue, b->expect_continue);
    assert_int_equal(a->nfields, b->nfields);
    for (uint32_t i = 0; i < a->nfields; i++) {
        assert_true(slice_eq(a->field[i].name, b->field[i].name));
        assert_true(slice_eq(a->field[i].value, b->field[i].value));
    }
}

/* Whole and in bytes; *H is of the whole. */
static enum http_parse
parse(struct http_head *h, struct slice in)
{
    struct http_scan scan = {0};
    enum http_parse whole = http_head_parse(h, &scan, &limits, in.p, in.n);
    struct http_head by_bytes;
    char *store;
    enum http_parse r = parse_in_bytes(&by_bytes, in, &store);

    assert_int_equal(whole, r);
    if (whole != HTTP_MORE)
        assert_same(h, &by_bytes);
    free(store);
    return whole;
}

#define R "GET / HTTP/1.1\r\n"
#define H "Host: a\r\n"
#define E "\r\n"

struct refused {
    struct slice in;
    enum http_refusal why;
};

static const struct refused refused[] = {
#define REFUSED(text, why)            \
    {                                 \
        {text, sizeof(text) - 1}, why \
    }
    /* request line */
    REFUSED("\x16\x03\x01", HTTP_REF_TLS),
    REFUSED(" GET / HTTP/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET  / HTTP/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET /  HTTP/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET / HTTP/1.1 \r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET\t/ HTTP/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET /\tHTTP/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET / a HTTP/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET /\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET / http/1.1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET / HTTP/1.10\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET / HTTP/11\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GET / HTTP/1,1\r\n" H E, HTTP_REF_REQUEST_LINE),
    REFUSED("GE\xd0T / HTTP/1.1\r\n" H E, HTTP_REF_METHOD),
    REFUSED("GE(T / HTTP/1.1\r\n" H E, HTTP_REF_METHOD),
    REFUSED("\0GET / HTTP/1.1\r\n" H E, HTTP_REF_METHOD),
    REFUSED("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" H E,
            HTTP_REF_METHOD_LONG),
    REFUSED("CONNECT a:443 HTTP/1.1\r\n" H E, HTTP_REF_CONNECT),
    REFUSED("GET * HTTP/1.1\r\n" H E, HTTP_REF_TARGET),
    REFUSED("GET a HTTP/1.1\r\n" H E, HTTP_REF_TARGET),
    REFUSED("GET a:80 HTTP/1.1\r\n" H E, HTTP_REF_TARGET),
    REFUSED("GET ftp://a/ HTTP/1.1\r\n" H E, HTTP_REF_TARGET),
    REFUSED("GET /#x HTTP/1.1\r\n" H E, HTTP_REF_TARGET),
    REFUSED("GET /\xc3\xa9 HTTP/1.1\r\n" H E, HTTP_REF_TARGET),
    REFUSED("GET http:///x HTTP/1.1\r\n" H E, HTTP_REF_HOST),
    REFUSED("GET http://u@a/ HTTP/1.1\r\n" H E, HTTP_REF_HOST),
    REFUSED("GET / HTTP/2.0\r\n" H E, HTTP_REF_VERSION),
    REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_REF_VERSION),
    REFUSED("GET / HTTP/0.9\r\n" H E, HTTP_REF_VERSION),
    /* lines */
    REFUSED("\r\n\r\n\r\n" R H E, HTTP_REF_EMPTY_LINES),
    REFUSED("\nGET / HTTP/1.1\r\n" H E, HTTP_REF_BARE_LF),
    REFUSED("\rGET / HTTP/1.1\r\n" H E, HTTP_REF_BARE_CR),
    REFUSED("GET / HTTP/1.1\n" H E, HTTP_REF_BARE_LF),
    REFUSED(R "Host: a\n" E, HTTP_REF_BARE_LF),
    REFUSED(R H "\n", HTTP_REF_BARE_LF),
    REFUSED(R H "X: a\r\n\n", HTTP_REF_BARE_LF),
    REFUSED("GET /\r HTTP/1.1\r\n" H E, HTTP_REF_BARE_CR),
    REFUSED(R H "X: a\rb\r\n" E, HTTP_REF_BARE_CR),
    REFUSED(R H "X: a\r\r\n" E, HTTP_REF_BARE_CR),
    REFUSED(R H "\r\r\n" E, HTTP_REF_BARE_CR),
    REFUSED("GET /\x01 HTTP/1.1\r\n" H E, HTTP_REF_CONTROL),
    REFUSED("GET /\x7f HTTP/1.1\r\n" H E, HTTP_REF_CONTROL),
    REFUSED(R H "X: a\0b\r\n" E, HTTP_REF_CONTROL),
    REFUSED(R H "X: a\x0b\r\n" E, HTTP_REF_CONTROL),
    REFUSED(R H "X: a\x7f\r\n" E, HTTP_REF_CONTROL),
    REFUSED(R H "X\0: a\r\n" E, HTTP_REF_CONTROL),
    REFUSED(R " X: a\r\n" H E, HTTP_REF_OBS_FOLD),
    REFUSED(R H "X: a\r\n b\r\n" E, HTTP_REF_OBS_FOLD),
    REFUSED(R H "X: a\r\n\tb\r\n" E, HTTP_REF_OBS_FOLD),
    REFUSED(R H " \r\n" E, HTTP_REF_OBS_FOLD),
    REFUSED(R H "X\r\n" E, HTTP_REF_NO_COLON),
    REFUSED(R H "X y\r\n" E, HTTP_REF_NO_COLON),
    REFUSED(R H ": a\r\n" E, HTTP_REF_FIELD_NAME),
    REFUSED(R H "X y: a\r\n" E, HTTP_REF_FIELD_NAME),
    REFUSED(R H "X\xc3\xa9: a\r\n" E, HTTP_REF_FIELD_NAME),
    REFUSED(R H "X[]: a\r\n" E, HTTP_REF_FIELD_NAME),
    REFUSED(R H "X : a\r\n" E, HTTP_REF_SPACE_COLON),
    REFUSED(R H "Content-Length\t: 1\r\n" E, HTTP_REF_SPACE_COLON),
    REFUSED(R H "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\n" E,
            HTTP_REF_FIELDS_MANY),
    /* Host */
    REFUSED(R E, HTTP_REF_HOST_MISSING),
    REFUSED(R "Hos: a\r\n" E, HTTP_REF_HOST_MISSING),
    REFUSED("GET http://a/ HTTP/1.1\r\n" E, HTTP_REF_HOST_MISSING),
    REFUSED(R H H E, HTTP_REF_HOST_REPEATED),
    REFUSED(R H "hOST: b\r\n" E, HTTP_REF_HOST_REPEATED),
    REFUSED("GET / HTTP/1.0\r\n" H H E, HTTP_REF_HOST_REPEATED),
    REFUSED(R "Host:\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: a b\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: a,b\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: a/b\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: u@a\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: a:b\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: a:65536\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: :80\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: [::1\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: [::g]\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: [::1]x\r\n" E, HTTP_REF_HOST),
    REFUSED(R "Host: \xd0\xb0\r\n" E, HTTP_REF_HOST),
    REFUSED("GET http://b/ HTTP/1.1\r\n" H E, HTTP_REF_HOST_MISMATCH),
    REFUSED("GET http://a:81/ HTTP/1.1\r\n" H E, HTTP_REF_HOST_MISMATCH),
    REFUSED("GET http://a:443/ HTTP/1.1\r\n" H E, HTTP_REF_HOST_MISMATCH),
    /* framing */
    REFUSED(R H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" E,
            HTTP_REF_TE_WITH_CL),
    REFUSED(R H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" E,
            HTTP_REF_TE_WITH_CL),
    REFUSED(R H "Transfer-Encoding: x\r\nContent-Length: 5\r\n" E,
            HTTP_REF_TE_WITH_CL),
    REFUSED(R H "Content-Length: 5\r\nContent-Length: 6\r\n" E,
            HTTP_REF_CL_REPEATED),
    REFUSED(R H "Content-Length: 5\r\ncontent-length: 5\r\n" E,
            HTTP_REF_CL_REPEATED),
    REFUSED(R H "Content-Length: 5, 5\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: +5\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: -5\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: 0x5\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: 5 5\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: 5.0\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length:\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: 9223372036854775808\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Content-Length: 18446744073709551621\r\n" E, HTTP_REF_CL),
    REFUSED(R H "Transfer-Encoding: chunked, chunked\r\n" E, HTTP_REF_TE),
    REFUSED(R H "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
                "chunked\r\n" E,
            HTTP_REF_TE),
    REFUSED(R H "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n" E,
            HTTP_REF_TE),
    REFUSED(R H "Transfer-Encoding: ,\r\n" E, HTTP_REF_TE),
    REFUSED(R H "Transfer-Encoding: gzip\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: gzip, chunked\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: chunked, gzip\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: identity\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: xchunked\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: chunked;a=b\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: \"chunked\"\r\n" E, HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: \xa0"
                "chunked\r\n" E,
            HTTP_REF_TE_UNKNOWN),
    REFUSED(R H "Transfer-Encoding: \x0b"
                "chunked\r\n" E,
            HTTP_REF_CONTROL),
    REFUSED("GET / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n" E,
            HTTP_REF_TE_HTTP10),
    REFUSED(R H "Expect: 200-ok\r\n" E, HTTP_REF_EXPECT),
    REFUSED(R H "Expect: 100-continue, x\r\n" E, HTTP_REF_EXPECT),
#undef REFUSED
};

static void
test_refused(void **state)
{
    struct http_head h;
    (void)state;

    for (size_t i = 0; i < countof(refused); i++) {
        enum http_parse r = parse(&h, refused[i].in);

        if (r != HTTP_REFUSED || h.refusal != refused[i].why)
            fail_msg("row %zu [%.*s]: wanted %s, got %s", i,
                     SLICE_ARG(refused[i].in),
                     http_refusal_code(refused[i].why),
                     r == HTTP_MORE ? "more" : http_refusal_code(h.refusal));
    }
}

/* Every reason that concerns a head has its row above or a test of limits. */
static void
test_every_reason_is_met(void **state)
{
    bool met[HTTP_REF_COUNT] = {0};
    (void)state;

    for (size_t i = 0; i < countof(refused); i++)
        met[refused[i].why] = true;
    met[HTTP_REF_TARGET_LONG] = met[HTTP_REF_HEAD_BIG] = true;
    for (int i = HTTP_REF_NONE + 1; i < HTTP_REF_CHUNK_SIZE; i++)
        if (!met[i])
            fail_msg("no row for %s", http_refusal_code((enum http_refusal)i));
}

static void
test_taken(void **state)
{
    static const struct {
        const char *in;
        const char *path;
        const char *query; /* NULL: none */
        const char *host;
        const char *why;
    } row[] = {
        {R H E, "/", NULL, "a", "the smallest"},
        {"\r\n\r\n" R H E, "/", NULL, "a", "two empty lines before"},
        {"GET /a/b%20c?x=1&y=%7b HTTP/1.1\r\nHost: ex.org:80\r\n" E, "/a/b%20c",
         "x=1&y=%7b", "ex.org:80", "path and query"},
        {"GET /? HTTP/1.1\r\n" H E, "/", "", "a", "an empty query"},
        {"GET /a?b?c HTTP/1.1\r\n" H E, "/a", "b?c", "a", "second ?"},
        {"GET //x HTTP/1.1\r\n" H E, "//x", NULL, "a", "no authority"},
        {"GET /|{}^ HTTP/1.1\r\n" H E, "/|{}^", NULL, "a", "browsers do"},
        {"GET http://ex.org/p?q HTTP/1.1\r\nHost: EX.org\r\n" E, "/p", "q",
         "ex.org", "absolute"},
        {"GET HTTP://ex.org HTTP/1.1\r\nHost: ex.org:80\r\n" E, "/", NULL,
         "ex.org", "absolute, no path, default port"},
        {"GET https://a?q HTTP/1.1\r\nHost: a:443\r\n" E, "/", "q", "a",
         "absolute, query behind the host"},
        {"OPTIONS * HTTP/1.1\r\n" H E, "*", NULL, "a", "asterisk"},
        {"OPTIONS http://a HTTP/1.1\r\n" H E, "*", NULL, "a", "RFC 9112 3.2.4"},
        {"OPTIONS http://a/ HTTP/1.1\r\n" H E, "/", NULL, "a", "a path"},
        {"GET / HTTP/1.1\r\nHost:a\r\n" E, "/", NULL, "a", "no blank"},
        {"GET / HTTP/1.1\r\nHost: \t a \t\r\n" E, "/", NULL, "a", "blanks"},
        {"GET / HTTP/1.1\r\nHost: [::1]:8020\r\n" E, "/", NULL, "[::1]:8020",
         "IPv6"},
        {"GET / HTTP/1.1\r\nHost: a:\r\n" E, "/", NULL, "a:", "empty port"},
        {"GET / HTTP/1.0\r\n" E, "/", NULL, "", "1.0 needs no Host"},
        {"GET / HTTP/1.9\r\n" H E, "/", NULL, "a", "a later minor"},
        {"GET / HTTP/1.1\r\n" H "X: \xd0\xb0\xff\r\n" E, "/", NULL, "a",
         "obs-text in a value"},
        {"GET / HTTP/1.1\r\n" H "X:\r\n" E, "/", NULL, "a", "empty value"},
        {R H "!#$%&'*+-.^_`|~09azAZ: 1\r\n" E, "/", NULL, "a", "all tchars"},
    };
    struct http_head h;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        if (parse(&h, slice_str(row[i].in)) != HTTP_OK)
            fail_msg("%s: %s", row[i].why, http_refusal_code(h.refusal));
        if (h.len != strlen(row[i].in) ||
            !slice_eq(h.path, slice_str(row[i].path)) ||
            (h.query.p != NULL) != (row[i].query != NULL) ||
            !slice_eq(h.query, slice_str(row[i].query)) ||
            !slice_eq(h.host, slice_str(row[i].host)))
            fail_msg("%s: path %.*s query %.*s host %.*s", row[i].why,
                     SLICE_ARG(h.path), SLICE_ARG(h.query), SLICE_ARG(h.host));
    }
}

static void
test_derived(void **state)
{
    static const struct {
        const char *in;
        int64_t length;
        bool chunked, expect, keep;
        const char *why;
    } row[] = {
        {R H E, -1, false, false, true, "1.1 stays"},
        {R H "Connection: close\r\n" E, -1, false, false, false, "close"},
        {R H "Connection: x, CLOSE\r\n" E, -1, false, false, false, "list"},
        {R H "Connection: keep-alive, close\r\n" E, -1, false, false, false,
         "close wins"},
        {R H "Connection: upgrade\r\nUpgrade: h2c\r\n" E, -1, false, false,
         true, "upgrade ignored"},
        {"GET / HTTP/1.0\r\n" E, -1, false, false, false, "1.0 closes"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" E, -1, false, false,
         true, "1.0 asks to stay"},
        {R H "Content-Length: 0\r\n" E, 0, false, false, true, "no bytes"},
        {R H "Content-Length: 007\r\n" E, 7, false, false, true, "zeros"},
        {R H "Content-Length: 9223372036854775807\r\n" E, INT64_MAX, false,
         false, true, "the largest"},
        {R H "Transfer-Encoding: Chunked\r\n" E, -1, true, false, true,
         "any case"},
        {R H "Transfer-Encoding: , chunked ,\r\n" E, -1, true, false, true,
         "empty members"},
        {R H "Expect: 100-Continue\r\nContent-Length: 3\r\n" E, 3, false, true,
         true, "expect"},
        {"PUT / HTTP/1.0\r\nExpect: 100-continue\r\n" E, -1, false, false,
         false, "1.0 cannot expect"},
    };
    struct http_head h;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        if (parse(&h, slice_str(row[i].in)) != HTTP_OK)
            fail_msg("%s: %s", row[i].why, http_refusal_code(h.refusal));
        if (h.content_length != row[i].length || h.chunked != row[i].chunked ||
            h.expect_continue != row[i].expect || h.keep_alive != row[i].keep)
            fail_msg("%s", row[i].why);
    }
}

static void
test_methods(void **state)
{
    struct http_head h;
    char in[64];
    (void)state;

    for (int i = 0; i < HTTP_OTHER; i++) {
        snprintf(in, sizeof(in), "%s / HTTP/1.1\r\nHost: a\r\n\r\n",
                 http_method_name((enum http_method)i));
        assert_int_equal(parse(&h, slice_str(in)), HTTP_OK);
        assert_int_equal(h.method, i);
    }
    assert_int_equal(parse(&h, SLICE("get / HTTP/1.1\r\n" H E)), HTTP_OK);
    assert_int_equal(h.method, HTTP_OTHER); /* methods have a case */
    assert_true(slice_eq(h.method_name, SLICE("get")));
}

/* A head padded to exactly N bytes by an X field. */
static size_t
padded(char *out, size_t n)
{
    size_t k = (size_t)sprintf(out, R H "X: ");

    memset(out + k, 'x', n - k - 4);
    memcpy(out + n - 4, "\r\n\r\n", 4);
    return n;
}

static void
test_limits(void **state)
{
    static char in[4096];
    struct http_head h;
    size_t n;
    (void)state;

    n = padded(in, limits.head_max);
    assert_int_equal(parse(&h, slice_of(in, n)), HTTP_OK); /* just fits */
    assert_int_equal(parse(&h, slice_of(in, n - 1)), HTTP_MORE);
    n = padded(in, limits.head_max + 1);
    assert_int_equal(parse(&h, slice_of(in, n)), HTTP_REFUSED);
    assert_int_equal(h.refusal, HTTP_REF_HEAD_BIG);
    assert_true(slice_eq(h.target, SLICE("/"))); /* for the access log */

    for (size_t len = limits.target_max - 1; len <= 2000; len += 1) {
        memset(in, 'x', sizeof(in));
        memcpy(in, "GET /", 5);
        memcpy(in + 4 + len, " HTTP/1.1\r\n" H E, 22);
        if (len == limits.target_max + 100)
            len = 1990; /* past head_max as well */
        n = 4 + len + 22;
        if (len <= limits.target_max) {
            assert_int_equal(parse(&h, slice_of(in, n)), HTTP_OK);
            assert_int_equal(h.target.n, len);
        } else {
            assert_int_equal(parse(&h, slice_of(in, n)), HTTP_REFUSED);
            assert_int_equal(h.refusal, HTTP_REF_TARGET_LONG);
        }
    }
    /* Eight fields are allowed here: they fit. */
    assert_int_equal(
        parse(&h, SLICE(R H "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n" E)),
        HTTP_OK);
    assert_int_equal(h.nfields, 8);
}

static void
test_pipelined(void **state)
{
    static const char in[] = "POST /1 HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 2\r\n\r\nhi" R H E;
    struct http_head h;
    struct http_scan scan = {0};
    (void)state;

    assert_int_equal(http_head_parse(&h, &scan, &limits, in, sizeof(in) - 1),
                     HTTP_OK);
    assert_memory_equal(in + h.len, "hi", 2);
    scan = (struct http_scan){0};
    assert_int_equal(http_head_parse(&h, &scan, &limits, in + h.len + 2,
                                     sizeof(in) - 1 - h.len - 2),
                     HTTP_OK);
    assert_true(slice_eq(h.path, SLICE("/")));
}

static void
test_fields(void **state)
{
    struct http_head h;
    const struct http_field *f;
    (void)state;

    assert_int_equal(
        parse(&h, SLICE(R H "Accept: a;q=1, \"x, br\"\r\naccept: gzip\r\n" E)),
        HTTP_OK);
    assert_true(slice_eq(http_head_value(&h, SLICE("ACCEPT")),
                         SLICE("a;q=1, \"x, br\"")));
    f = http_head_next(&h, SLICE("accept"),
                       http_head_find(&h, SLICE("accept")));
    assert_true(f && slice_eq(f->value, SLICE("gzip")));
    assert_null(http_head_next(&h, SLICE("accept"), f));
    assert_null(http_head_value(&h, SLICE("Range")).p);
    assert_true(http_head_has_token(&h, SLICE("accept"), SLICE("A")));
    assert_true(http_head_has_token(&h, SLICE("accept"), SLICE("gzip")));
    assert_false(http_head_has_token(&h, SLICE("accept"), SLICE("br\"")));
}

static void
test_rebase(void **state)
{
    static const char in[] = "GET http://a HTTP/1.1\r\n" H "X: y\r\n" E;
    char *moved = malloc(sizeof(in)), *old = malloc(sizeof(in));
    struct http_scan scan = {0};
    struct http_head h;
    (void)state;

    memcpy(old, in, sizeof(in));
    assert_int_equal(http_head_parse(&h, &scan, &limits, old, sizeof(in) - 1),
                     HTTP_OK);
    memcpy(moved, in, sizeof(in));
    http_head_rebase(&h, old, moved);
    free(old);
    assert_true(slice_eq(h.target, SLICE("http://a")));
    assert_true(slice_eq(h.path, SLICE("/"))); /* a constant: not moved */
    assert_true(slice_eq(h.host, SLICE("a")));
    assert_true(slice_eq(http_head_value(&h, SLICE("x")), SLICE("y")));
    free(moved);
}

static void
test_host(void **state)
{
    char name[300];
    (void)state;

    memset(name, 'a', sizeof(name));
    assert_true(http_is_host(slice_of(name, 255)));
    assert_false(http_is_host(slice_of(name, 256)));
    assert_true(http_is_host(SLICE("[::]")));
    assert_true(http_is_host(SLICE("[::ffff:1.2.3.4]:65535")));
    assert_false(http_is_host(SLICE("[]")));
    assert_false(http_is_host(SLICE("a:080808")));
    assert_false(http_is_host(SLICE("a%41")));
}

static void
test_list(void **state)
{
    struct slice rest = SLICE(" a ,, \"b,\\\"c\" , d"), item;
    (void)state;

    assert_true(http_list_cut(&rest, &item) && slice_eq(item, SLICE("a")));
    assert_true(http_list_cut(&rest, &item) &&
                slice_eq(item, SLICE("\"b,\\\"c\"")));
    assert_true(http_list_cut(&rest, &item) && slice_eq(item, SLICE("d")));
    assert_false(http_list_cut(&rest, &item));
    rest = SLICE("\"\\"); /* ends inside */
    assert_true(http_list_cut(&rest, &item) && item.n == 2);
    assert_false(http_list_cut(&rest, &item));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_reason_is_met),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_rebase),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
