/* resp_test.c - tests of resp.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/resp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct http_limits limits = {256, 64, 4};

static enum http_parse
parse(struct http_resp *r, struct slice in)
{
    struct http_scan scan = {0}, bytes = {0};
    enum http_parse whole = http_resp_parse(r, &scan, &limits, in.p, in.n);
    enum http_parse cut = HTTP_MORE;
    struct http_resp r2;

    for (size_t n = 0; n <= in.n && cut == HTTP_MORE; n++)
        cut = http_resp_parse(&r2, &bytes, &limits, in.p, n);
    assert_int_equal(whole, cut);
    if (whole != HTTP_MORE)
        assert_int_equal(r->refusal, r2.refusal);
    return whole;
}

static void
test_taken(void **state)
{
    static const struct {
        const char *in;
        int status;
        const char *reason;
        int64_t length;
        bool chunked, keep;
        const char *why;
    } row[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "OK", 5, false,
         true, "plain"},
        {"HTTP/1.1 200 \r\n\r\n", 200, "", -1, false, true, "empty reason"},
        {"HTTP/1.1 200\r\n\r\n", 200, "", -1, false, true, "its blank too"},
        {"HTTP/1.1 503 Not Now\r\nConnection: close\r\n\r\n", 503, "Not Now",
         -1, false, false, "close"},
        {"HTTP/1.1 201 x\r\nTransfer-Encoding: chunked\r\n\r\n", 201, "x", -1,
         true, true, "chunked"},
        {"HTTP/1.0 200 OK\r\n\r\n", 200, "OK", -1, false, false, "1.0"},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", 200, "OK", -1,
         false, true, "1.0 that stays"},
    };
    struct http_resp r;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        if (parse(&r, slice_str(row[i].in)) != HTTP_OK ||
            r.status != row[i].status || r.len != strlen(row[i].in) ||
            !slice_eq(r.reason, slice_str(row[i].reason)) ||
            r.content_length != row[i].length || r.chunked != row[i].chunked ||
            r.keep_alive != row[i].keep)
            fail_msg("%s: %s", row[i].why, http_refusal_code(r.refusal));
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *in;
        enum http_refusal why;
    } row[] = {
        {"\r\n", HTTP_REF_STATUS_LINE},
        {"HTTP/1.1\r\n\r\n", HTTP_REF_STATUS_LINE},
        {"HTTP/1.1  200 OK\r\n\r\n", HTTP_REF_STATUS_LINE},
        {"HTTP/1.1 20 OK\r\n\r\n", HTTP_REF_STATUS_LINE},
        {"HTTP/1.1 099 OK\r\n\r\n", HTTP_REF_STATUS_LINE},
        {"HTTP/1.1 2000 OK\r\n\r\n", HTTP_REF_STATUS_LINE},
        {"ICY 200 OK for you\r\n\r\n", HTTP_REF_STATUS_LINE},
        {"HTTP/2.0 200 OK\r\n\r\n", HTTP_REF_VERSION},
        {"HTTP/1.1 200 OK\n\r\n", HTTP_REF_BARE_LF},
        {"HTTP/1.1 200 O\x01K\r\n\r\n", HTTP_REF_CONTROL},
        {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", HTTP_REF_SPACE_COLON},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         HTTP_REF_CL_REPEATED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", HTTP_REF_CL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         HTTP_REF_TE_WITH_CL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
         HTTP_REF_TE_UNKNOWN},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         HTTP_REF_TE_HTTP10},
        {"HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n",
         HTTP_REF_FIELDS_MANY},
        {"HTTP/1.1 200 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaa\r\n\r\n",
         HTTP_REF_STATUS_LINE},
    };
    struct http_resp r;
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (parse(&r, slice_str(row[i].in)) != HTTP_REFUSED ||
            r.refusal != row[i].why)
            fail_msg("%s: wanted %s, got %s", row[i].in,
                     http_refusal_code(row[i].why),
                     http_refusal_code(r.refusal));
}

static void
test_too_big(void **state)
{
    char in[300] = "HTTP/1.1 200 OK\r\nX: ";
    struct http_resp r;
    (void)state;

    memset(in + 20, 'x', sizeof(in) - 20);
    assert_int_equal(parse(&r, slice_of(in, 255)), HTTP_MORE);
    assert_int_equal(parse(&r, slice_of(in, 256)), HTTP_REFUSED);
    assert_int_equal(r.refusal, HTTP_REF_HEAD_BIG);
}

static void
test_body(void **state)
{
    static const struct {
        struct http_resp r;
        enum http_method method;
        enum http_resp_body body;
    } row[] = {
        {{.status = 200, .content_length = 5}, HTTP_GET, HTTP_BODY_LENGTH},
        {{.status = 200, .content_length = 5}, HTTP_HEAD, HTTP_BODY_NONE},
        {{.status = 304, .content_length = 5}, HTTP_GET, HTTP_BODY_NONE},
        {{.status = 204, .content_length = -1}, HTTP_PUT, HTTP_BODY_NONE},
        {{.status = 100, .content_length = -1}, HTTP_PUT, HTTP_BODY_NONE},
        {{.status = 200, .content_length = -1, .chunked = true},
         HTTP_GET,
         HTTP_BODY_CHUNKED},
        {{.status = 200, .content_length = -1}, HTTP_GET, HTTP_BODY_CLOSE},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        assert_int_equal(http_resp_body(&row[i].r, row[i].method), row[i].body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
