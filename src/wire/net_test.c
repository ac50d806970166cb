/* net_test.c - tests of cidr.h, forwarded.h, trace.h and jwt.h (PRD-013,
 * ING-310).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/forwarded.h"
#include "wire/jwt.h"
#include "wire/trace.h"
#include "base/prng.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_ip(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
        const char *why;
    } row[] = {
        {"192.0.2.1", "192.0.2.1", "IPv4"},
        {"0.0.0.0", "0.0.0.0", "zeros"},
        {"255.255.255.255", "255.255.255.255", "the largest"},
        {"256.0.0.1", NULL, "too large"},
        {"1.2.3", NULL, "three"},
        {"1.2.3.4.5", NULL, "five"},
        {"1.2.3.04", NULL, "octal to some"},
        {"1.2.3.", NULL, "an empty one"},
        {" 1.2.3.4", NULL, "a blank"},
        {"1.2.3.4:80", NULL, "a port"},
        {"::", "::", "all zeros"},
        {"::1", "::1", "loopback"},
        {"1::", "1::", "zeros at the end"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "the first of equals"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", "one zero stays"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "full"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", "one zero stays"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", "IPv4 at the end"},
        {"::ffff:192.0.2.1", "192.0.2.1", "mapped"},
        {"::ffff:c000:201", "192.0.2.1", "mapped, in hexadecimal"},
        {"1:2:3:4:5:6:7:8::", NULL, "nothing to stand for"},
        {"1:2:3:4:5:6:7", NULL, "seven"},
        {"1:2:3:4:5:6:7:8:9", NULL, "nine"},
        {"1::2::3", NULL, "two gaps"},
        {":::", NULL, "three colons"},
        {":1:2:3:4:5:6:7", NULL, "a colon in front"},
        {"1:2:3:4:5:6:7:", NULL, "a colon behind"},
        {"12345::", NULL, "five digits"},
        {"g::", NULL, "no digit"},
        {"1.2.3.4::", NULL, "IPv4 in front"},
        {"fe80::1%eth0", NULL, "a zone"},
        {"[::1]", NULL, "brackets"},
        {"", NULL, "nothing"},
    };
    char text[IP_TEXT];
    struct ip a;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = ip_parse(slice_str(row[i].in), &a);

        if (ok != (row[i].out != NULL) ||
            (ok && strcmp(ip_text(&a, text), row[i].out) != 0))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

/* Random IPv6 text against the C library. */
static void
test_against_libc(void **state)
{
    struct prng r;
    (void)state;

    prng_init(&r, 3);
    for (int i = 0; i < 200000; i++) {
        static const char *const bit[] = {"0",  "1",   "ab", ":",    ":",
                                          "::", "1.2", ".3", "ffff", "F"};
        char in[64] = "", theirs[INET6_ADDRSTRLEN], ours[IP_TEXT];
        uint8_t b[16];
        struct ip a;
        bool want, got;

        for (size_t k = prng_below(&r, 14); k > 0; k--)
            strcat(in, bit[prng_below(&r, countof(bit))]);
        if (!strchr(in, ':'))
            continue;
        want = inet_pton(AF_INET6, in, b) == 1;
        got = ip_parse(slice_str(in), &a);
        if (want != got)
            fail_msg("%s: the library says %d", in, want);
        if (!want || a.n == 4)
            continue;
        inet_ntop(AF_INET6, b, theirs, sizeof(theirs));
        if (strchr(theirs, '.')) /* its form of ::1.2.3.4 */
            continue;
        assert_string_equal(ip_text(&a, ours), theirs);
    }
}

static void
test_cidr(void **state)
{
    static const struct {
        const char *net;
        const char *text; /* NULL: refused */
        const char *in;
        const char *out;
    } row[] = {
        {"10.0.0.0/8", "10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
        {"10.1.2.3/8", "10.0.0.0/8", "10.0.0.0", "9.255.255.255"},
        {"192.0.2.1", "192.0.2.1/32", "192.0.2.1", "192.0.2.2"},
        {"0.0.0.0/0", "0.0.0.0/0", "8.8.8.8", "::1"},
        {"::/0", "::/0", "2001:db8::", "1.2.3.4"},
        {"2001:db8::/33", "2001:db8::/33",
         "2001:db8:7fff::", "2001:db8:8000::"},
        {"::1", "::1/128", "::1", "::2"},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.1.1", "11.1.1.1"},
        {"::ffff:10.0.0.0/95", NULL, NULL, NULL},
        {"10.0.0.0/33", NULL, NULL, NULL},
        {"10.0.0.0/08", NULL, NULL, NULL},
        {"10.0.0.0/", NULL, NULL, NULL},
        {"10.0.0.0/8/8", NULL, NULL, NULL},
        {"10.0.0/8", NULL, NULL, NULL},
        {"::/129", NULL, NULL, NULL},
    };
    char text[CIDR_TEXT];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct cidr c;
        struct ip a;

        if (cidr_parse(slice_str(row[i].net), &c) != (row[i].text != NULL))
            fail_msg("%s", row[i].net);
        if (!row[i].text)
            continue;
        assert_string_equal(cidr_text(&c, text), row[i].text);
        assert_true(ip_parse(slice_str(row[i].in), &a) && cidr_has(&c, &a));
        assert_true(ip_parse(slice_str(row[i].out), &a) && !cidr_has(&c, &a));
    }
}

/* Proxies are 10.0.0.0/8 and fd00::/8. */
static bool
trusts(void *arg, const struct ip *a)
{
    (void)arg;
    return a->n == 4 ? a->b[0] == 10 : a->b[0] == 0xfd;
}

static void
test_forwarded(void **state)
{
    static const struct {
        const char *peer;
        const char *fields;
        const char *out; /* client proto host */
        const char *why;
    } row[] = {
        {"1.1.1.1", "", "1.1.1.1 - -", "no proxy"},
        {"1.1.1.1", "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n",
         "1.1.1.1 - -", "a stranger's word"},
        {"10.0.0.1", "X-Forwarded-For: 2.2.2.2\r\n", "2.2.2.2 - -", "one"},
        {"10.0.0.1", "X-Forwarded-For: 3.3.3.3, 2.2.2.2\r\n", "2.2.2.2 - -",
         "what the client made up does not count"},
        {"10.0.0.1", "X-Forwarded-For: 3.3.3.3, 2.2.2.2, 10.0.0.2\r\n",
         "2.2.2.2 - -", "two proxies"},
        {"10.0.0.1", "X-Forwarded-For: 3.3.3.3\r\nX-Forwarded-For: 2.2.2.2\r\n",
         "2.2.2.2 - -", "two lines are one list"},
        {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3 - -",
         "all are proxies"},
        {"10.0.0.1", "X-Forwarded-For: unknown\r\n", "10.0.0.1 - -", "hidden"},
        {"10.0.0.1", "X-Forwarded-For: 2.2.2.2:4711\r\n", "2.2.2.2 - -",
         "with a port"},
        {"10.0.0.1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1 - -",
         "bare IPv6"},
        {"10.0.0.1", "X-Forwarded-For: [2001:db8::1]:1\r\n", "2001:db8::1 - -",
         "IPv6 with a port"},
        {"fd00::1",
         "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n"
         "X-Forwarded-Host: ex.org:8443\r\n",
         "2.2.2.2 https ex.org:8443", "all three"},
        {"10.0.0.1", "X-Forwarded-Proto: https\r\n", "10.0.0.1 https -",
         "the scheme alone"},
        {"10.0.0.1",
         "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: gopher\r\n"
         "X-Forwarded-Host: a/b\r\n",
         "2.2.2.2 - -", "neither scheme nor host"},
        {"10.0.0.1", "Forwarded: for=2.2.2.2;proto=https;host=ex.org\r\n",
         "2.2.2.2 https ex.org", "RFC 7239"},
        {"10.0.0.1",
         "Forwarded: For=\"[2001:db8::1]:4711\";PROTO=HTTP ; by=x\r\n",
         "2001:db8::1 http -", "quoted, any case"},
        {"10.0.0.1",
         "Forwarded: for=3.3.3.3;proto=https, for=2.2.2.2;proto=http\r\n"
         "Forwarded: for=10.0.0.2;proto=https\r\n",
         "2.2.2.2 http -", "each hop has its scheme"},
        {"10.0.0.1", "Forwarded: for=_hidden;proto=https\r\n",
         "10.0.0.1 https -", "hidden, but how it came is known"},
        {"10.0.0.1", "Forwarded: for=2.2.2.2, for=\r\n", "10.0.0.1 - -",
         "the nearest is malformed"},
        {"10.0.0.1", "Forwarded: for=[::1]\r\n", "10.0.0.1 - -",
         "brackets need quotes"},
        {"10.0.0.1", "Forwarded: for=3.3.3.3\r\nX-Forwarded-For: 2.2.2.2\r\n",
         "10.0.0.1 - -", "both: one is made up"},
        {"10.0.0.1",
         "X-Forwarded-For: 9.9.9.9,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,"
         "10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.2,"
         "10.0.0.2,10.0.0.2,10.0.0.2,10.0.0.3,10.0.0.4\r\n",
         "10.0.0.2 - -", "seventeen hops: the first is not looked at"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct http_scan scan = {0};
        struct forwarded f;
        struct http_head h;
        struct ip peer;
        char in[1000], text[IP_TEXT], out[300];
        int n = snprintf(in, sizeof(in), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                         row[i].fields);

        assert_int_equal(
            http_head_parse(&h, &scan, &HTTP_LIMITS_DEFAULT, in, (size_t)n),
            HTTP_OK);
        assert_true(ip_parse(slice_str(row[i].peer), &peer));
        forwarded_resolve(&h, &peer, trusts, NULL, &f);
        snprintf(out, sizeof(out), "%s %s %.*s", ip_text(&f.client, text),
                 f.proto == FORWARDED_HTTPS  ? "https"
                 : f.proto == FORWARDED_HTTP ? "http"
                                             : "-",
                 f.host.n ? (int)f.host.n : 1, f.host.n ? f.host.p : "-");
        if (strcmp(out, row[i].out) != 0)
            fail_msg("%s: %s", row[i].why, out);
    }
}

#define TP "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
test_trace(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *why;
    } row[] = {
        {"00" TP, true, "plain"},
        {"01" TP, true, "a later version"},
        {"cc" TP "-what-comes", true, "a later version goes on"},
        {"00" TP "-what-comes", false, "this version does not"},
        {"cc" TP "x", false, "not behind a hyphen"},
        {"ff" TP, false, "never a version"},
        {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false,
         "upper case"},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false,
         "no trace"},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false,
         "no span"},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false,
         "short"},
        {"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01", false,
         "another separator"},
        {"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", false,
         "not hexadecimal"},
        {"", false, "nothing"},
    };
    struct traceparent t;
    char text[TRACEPARENT_TEXT];
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (traceparent_parse(slice_str(row[i].in), &t) != row[i].ok)
            fail_msg("%s: %s", row[i].in, row[i].why);
    assert_true(traceparent_parse(SLICE("00" TP), &t));
    assert_int_equal(t.flags, 1);
    assert_string_equal(traceparent_text(&t, text), "00" TP);
}

static void
test_request_id(void **state)
{
    char longest[129];
    (void)state;

    memset(longest, 'a', sizeof(longest));
    assert_true(request_id_valid(SLICE("017f22e2-79b0:a/b+c=_~@.")));
    assert_true(request_id_valid(slice_of(longest, 128)));
    assert_false(request_id_valid(slice_of(longest, 129)));
    assert_false(request_id_valid(SLICE("")));
    assert_false(request_id_valid(SLICE("a b")));
    assert_false(request_id_valid(SLICE("a\"b")));
    assert_false(request_id_valid(SLICE("a\nb")));
    assert_false(request_id_valid(SLICE("a\0b")));
    assert_false(request_id_valid(SLICE("\xd0\x96")));
}

static void
test_jwt(void **state)
{
    static const char *const bad[] = {
        "",         "a",        "aa.bb",   "aa.bb.cc.dd", ".bb.cc",   "aa..cc",
        "a=.bb.cc", "aa.b+.cc", "aa.b.cc", "aa.bb.c",     "aa.bb.c c"};
    static char big[JWT_MAX + 2];
    struct jwt j;
    char out[8];
    size_t n;
    (void)state;

    assert_true(jwt_split(SLICE("eyJ9.e30.c2ln"), &j));
    assert_true(slice_eq(j.header, SLICE("eyJ9")));
    assert_true(slice_eq(j.payload, SLICE("e30")));
    assert_true(slice_eq(j.signature, SLICE("c2ln")));
    assert_true(slice_eq(j.signed_part, SLICE("eyJ9.e30")));
    assert_true(jwt_decode(j.payload, out, sizeof(out), &n) && n == 2);
    assert_memory_equal(out, "{}", 2);
    assert_false(jwt_decode(j.payload, out, 1, &n));
    assert_true(jwt_split(SLICE("aa.bb."), &j)); /* for the checker to refuse */
    assert_int_equal(j.signature.n, 0);
    for (size_t i = 0; i < countof(bad); i++)
        if (jwt_split(slice_str(bad[i]), &j))
            fail_msg("%s", bad[i]);
    memset(big, 'a', sizeof(big));
    big[4] = big[4 + 1 + 8172] = '.'; /* 4, 8172 and 14 characters */
    assert_true(jwt_split(slice_of(big, JWT_MAX), &j));
    assert_false(jwt_split(slice_of(big, JWT_MAX + 1), &j));
}

static void
test_bearer(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } row[] = {
        {"Bearer abc.def", "abc.def"},
        {"bearer  abc== ", "abc=="},
        {"Bearer", ""},
        {"Bearer ", ""},
        {"Basic abc", ""},
        {"Bearerabc", ""},
        {"Bearer a b", ""},
        {"Bearer a,b", ""},
        {"Bearer =a", ""},
        {"", ""},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (!slice_eq(jwt_bearer(slice_str(row[i].in)), slice_str(row[i].out)))
            fail_msg("%s", row[i].in);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip),    cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_cidr),  cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_trace), cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_jwt),   cmocka_unit_test(test_bearer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
