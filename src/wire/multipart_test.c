/* multipart_test.c - form data cut at every pair of places.
 *
 * What a body means is told as one line of text: "+name/filename/type" for a
 * part, its data, "|" at its end, "." at the end of all, "!code" for a fault.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/multipart.h"
#include "base/buf.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PARTS_MAX 4

static void
tell(struct buf *b, struct multipart *m, const struct multipart_event *ev)
{
    const struct multipart_part *p = &ev->part;

    switch (ev->kind) {
    case MULTIPART_PART:
        buf_printf(b, "+%.*s", SLICE_ARG(p->name));
        if (p->filename.p)
            buf_printf(b, "/%.*s", SLICE_ARG(p->filename));
        if (p->content_type.p)
            buf_printf(b, "/%.*s", SLICE_ARG(p->content_type));
        buf_add_char(b, ':');
        break;
    case MULTIPART_DATA:
        assert_true(ev->data.n > 0 && ev->data.n == ev->used);
        buf_add_slice(b, ev->data);
        break;
    case MULTIPART_PART_END:
        buf_add_char(b, '|');
        break;
    case MULTIPART_END:
        buf_add_char(b, '.');
        break;
    case MULTIPART_ERROR:
        buf_printf(b, "!%s", multipart_error_code(m->error));
        break;
    case MULTIPART_MORE:
        break;
    }
}

/* Shows the scanner the held bytes and PIECE, in memory of exactly that size;
 * *HELD is what it holds back. */
static bool
feed(struct multipart *m, struct slice piece, struct buf *held, struct buf *out)
{
    size_t n = held->n + piece.n, at = 0;
    char *p = malloc(n ? n : 1);
    struct multipart_event ev;
    bool in_data;

    memcpy(p, buf_str(held), held->n);
    memcpy(p + held->n, piece.p, piece.n);
    do {
        multipart_next(m, p + at, n - at, &ev);
        assert_true(ev.used <= n - at);
        /* Each event but these two brings its caller forward. */
        assert_true(ev.used || ev.kind == MULTIPART_MORE ||
                    ev.kind == MULTIPART_ERROR);
        tell(out, m, &ev);
        at += ev.used;
    } while (ev.kind != MULTIPART_MORE && ev.kind != MULTIPART_ERROR);
    in_data = m->state == MULTIPART_IN_DATA;
    assert_true(n - at <= (in_data ? m->ndelim - 1u : MULTIPART_HOLD_MAX) ||
                ev.kind == MULTIPART_ERROR);
    buf_clear(held);
    buf_add(held, p + at, n - at);
    free(p);
    return ev.kind != MULTIPART_ERROR;
}

static void
scan(struct slice boundary, struct slice in, size_t a, size_t b,
     struct buf *out)
{
    struct slice piece[] = {slice_head(in, a), slice_of(in.p + a, b - a),
                            slice_skip(in, b)};
    struct multipart m;
    struct buf held;

    buf_init(&held, 100000);
    buf_clear(out);
    assert_true(multipart_init(&m, boundary, PARTS_MAX));
    for (size_t i = 0; i < 3; i++)
        if (!feed(&m, piece[i], &held, out))
            goto out;
    if (!multipart_finish(&m))
        buf_printf(out, "!%s", multipart_error_code(m.error));
out:
    buf_release(&held);
}

#define CD      "Content-Disposition: form-data; name="
#define HEAD_A  "--B\r\n" CD "a\r\n\r\n"
#define BIG20   "xxxxxxxxxxxxxxxxxxxx"
#define SEVENTY BIG20 BIG20 BIG20 "xxxxxxxxxx"

static void
test_every_cut(void **state)
{
    static const struct {
        const char *in;
        const char *out;
        const char *why;
    } row[] = {
        {HEAD_A "1\r\n--B--\r\n", "+a:1|.", "one field"},
        {HEAD_A "1\r\n--B--", "+a:1|.", "no line end at the end"},
        {HEAD_A "\r\n--B--\r\n", "+a:|.", "no data"},
        {HEAD_A "--B--\r\n", "+a:|.", "no data and no line end"},
        {HEAD_A "--B\r\n" CD "b\r\n\r\n--B--", "+a:|+b:|.", "twice so"},
        {HEAD_A "\r\n\r\n\r\n--B--\r\n", "+a:\r\n\r\n|.", "data of line ends"},
        {HEAD_A "--C\r\n-\r\n--\r\n--\r\n--b\r\n\r\n--B--",
         "+a:--C\r\n-\r\n--\r\n--\r\n--b\r\n|.", "data like boundaries"},
        {HEAD_A "\r\r\n--B--", "+a:\r|.", "a CR before"},
        {HEAD_A "\r\n-\r\n--\r\n--B--", "+a:\r\n-\r\n--|.", "almost"},
        {HEAD_A "1\r\n--B \t\r\n" CD "\"b\"\r\n\r\n2\r\n--B--x", "+a:1|+b:2|.",
         "padding, epilogue"},
        {"pre\r\n--\r\n--A\r\n" HEAD_A "1\r\n--B--\r\npost\r\n--B\r\n",
         "+a:1|.", "preamble and epilogue are ignored"},
        {"\r\n" HEAD_A "1\r\n--B--", "+a:1|.", "an empty line before"},
        {"--\r\n" HEAD_A "1\r\n--B--", "+a:1|.", "almost a boundary before"},
        {"--B--\r\n", ".", "no parts"},
        {"--B\r\ncontent-disposition: FORM-DATA; Name=\"f\"; "
         "filename=\"x.txt\"\r\nContent-Type: text/plain;charset=utf-8\r\n"
         "X-Other: y\r\n\r\nz\r\n--B--",
         "+f/x.txt/text/plain;charset=utf-8:z|.", "a file"},
        {"--B\r\n" CD "f; filename=\"\"\r\n\r\n\r\n--B--", "+f/:|.",
         "a file without a name: an empty file input"},
        {"--B\r\n" CD "\"a\\\"\\\\%22\"; filename=\"C:\\dir\\%0A\\\"\"\r\n\r\n"
         "\r\n--B--",
         "+a\"\\\"/C:\\dir\\%0A\":|.", "escapes of browsers and curl"},
        {"--B\r\n" CD "f; filename=x; filename*=UTF-8''%d0%96%20.txt\r\n\r\n"
         "\r\n--B--",
         "+f/\xd0\x96 .txt:|.", "filename* wins"},
        {"--B\r\n" CD "f; filename=x; filename*=KOI8-R''%d6\r\n\r\n\r\n--B--",
         "+f/x:|.", "unknown charset loses"},
        {"--B\r\n" CD "f; filename=x; filename*=UTF-8''%ff\r\n\r\n\r\n--B--",
         "+f/x:|.", "so do wrong bytes"},
        {"--B\r\nContent-Transfer-Encoding: Binary\r\n" CD
         "a\r\n\r\n1\r\n--B--",
         "+a:1|.", "binary is no encoding"},
        /* faults */
        {"", "!multipart_truncated", "nothing at all"},
        {HEAD_A "1\r\n--B-", "+a:1|!multipart_truncated", "cut in the end"},
        {HEAD_A "1", "+a:1!multipart_truncated", "cut in data"},
        {HEAD_A "1\r\n--Bx", "+a:1|!multipart_delimiter", "a longer line"},
        {HEAD_A "1\r\n--B-x", "+a:1|!multipart_delimiter", "one hyphen"},
        {HEAD_A "1\r\n--B\n", "+a:1|!multipart_delimiter", "LF"},
        {HEAD_A "1\r\n--B\rx", "+a:1|!multipart_delimiter", "CR"},
        {HEAD_A "1\r\n--B --", "+a:1|!multipart_delimiter", "late hyphens"},
        {"--B" BIG20, "!multipart_delimiter", "at the front, too"},
        {"--B\r\n\r\n1\r\n--B--", "!multipart_disposition", "no head"},
        {"--B\r\nContent-Type: a/b\r\n\r\n", "!multipart_disposition",
         "no disposition"},
        {"--B\r\nContent-Disposition: attachment; name=a\r\n\r\n",
         "!multipart_disposition", "another disposition"},
        {"--B\r\nContent-Disposition: form-data\r\n\r\n",
         "!multipart_disposition", "no name"},
        {"--B\r\n" CD "\"\"\r\n\r\n", "!multipart_disposition", "empty name"},
        {"--B\r\n" CD "a; name=b\r\n\r\n", "!multipart_disposition",
         "two names"},
        {"--B\r\n" CD "\"a\r\n\r\n", "!multipart_disposition", "open quote"},
        {"--B\r\n" CD "a; x\r\n\r\n", "!multipart_disposition", "no value"},
        {"--B\r\n" CD "a\r\n" CD "b\r\n\r\n", "!multipart_disposition",
         "two dispositions"},
        {"--B\r\nA : b\r\n\r\n", "!multipart_head", "blank before colon"},
        {"--B\r\nA: b\n\r\n", "!multipart_head", "LF in a head"},
        {"--B\r\n" CD "a;\r\n filename=b\r\n\r\n", "!multipart_head", "fold"},
        {"--B\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n" CD "a\r\n\r\n",
         "!multipart_head", "two types"},
        {"--B\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n",
         "!multipart_head_too_big", "nine fields"},
        {"--B\r\nContent-Transfer-Encoding: base64\r\n" CD "a\r\n\r\n",
         "!multipart_encoding", "base64"},
        {HEAD_A HEAD_A HEAD_A HEAD_A HEAD_A,
         "+a:|+a:|+a:|+a:|!"
         "multipart_too_many_parts",
         "five parts"},
    };
    struct buf whole, cut;
    (void)state;

    buf_init(&whole, 10000);
    buf_init(&cut, 10000);
    for (size_t i = 0; i < countof(row); i++) {
        struct slice in = slice_str(row[i].in);

        scan(SLICE("B"), in, 0, 0, &whole);
        if (strcmp(buf_str(&whole), row[i].out) != 0)
            fail_msg("%s: %s", row[i].why, buf_str(&whole));
        for (size_t a = 0; a <= in.n; a++)
            for (size_t b = a; b <= in.n; b++) {
                scan(SLICE("B"), in, a, b, &cut);
                if (strcmp(buf_str(&cut), row[i].out) != 0)
                    fail_msg("%s cut at %zu and %zu: %s", row[i].why, a, b,
                             buf_str(&cut));
            }
    }
    buf_release(&whole);
    buf_release(&cut);
}

static void
test_limits(void **state)
{
    static char in[200000];
    struct buf out;
    size_t n, start;
    (void)state;

    buf_init(&out, sizeof(in));
    for (int over = 0; over <= 1; over++) { /* a head of exactly 8 KiB */
        n = (size_t)sprintf(in, "--B\r\n" CD "a\r\nX: ");
        start = strlen("--B\r\n");
        while (n - start < MULTIPART_HEAD_MAX - 4 + (size_t)over)
            in[n++] = 'x';
        n += (size_t)sprintf(in + n, "\r\n\r\n\r\n--B--");
        scan(SLICE("B"), slice_of(in, n), 100, 101, &out);
        assert_string_equal(buf_str(&out),
                            over ? "!multipart_head_too_big" : "+a:|.");
    }
    for (int over = 0; over <= 1; over++) { /* a preamble of exactly 64 KiB */
        n = MULTIPART_IGNORED_MAX + (size_t)over;
        memset(in, 'x', n);
        n += (size_t)sprintf(in + n, "\r\n" HEAD_A "\r\n--B--");
        scan(SLICE("B"), slice_of(in, n), 1000, 60000, &out);
        assert_string_equal(buf_str(&out), over ? "!multipart_noise" : "+a:|.");
    }
    for (int over = 0; over <= 1; over++) { /* names */
        n = (size_t)sprintf(in, "--B\r\n" CD);
        memset(in + n, 'x', MULTIPART_NAME_MAX + (size_t)over);
        n += MULTIPART_NAME_MAX + (size_t)over;
        n += (size_t)sprintf(in + n, "\r\n\r\n\r\n--B--");
        scan(SLICE("B"), slice_of(in, n), 9, 9, &out);
        assert_int_equal(out.n > 200, !over);
    }
    buf_release(&out);
}

static void
test_boundary(void **state)
{
    static const struct {
        const char *type;
        const char *delim; /* NULL: an error; "": not form-data */
        const char *why;
    } row[] = {
        {"multipart/form-data; boundary=abc", "\r\n--abc", "plain"},
        {"Multipart/Form-Data ;charset=x;BOUNDARY=\"a b\\c\"", "\r\n--a bc",
         "quoted, another parameter, any case"},
        {"multipart/form-data; boundary=----WebKitFormBoundaryA1",
         "\r\n------WebKitFormBoundaryA1", "a browser's"},
        {"multipart/form-data", NULL, "missing"},
        {"multipart/form-data; boundary=", NULL, "empty"},
        {"multipart/form-data; boundary=\"\"", NULL, "empty, quoted"},
        {"multipart/form-data; boundary=\"a \"", NULL, "ends in a blank"},
        {"multipart/form-data; boundary=\"a;b\"", NULL, "; is not allowed"},
        {"multipart/form-data; boundary=a; boundary=b", NULL, "two"},
        {"multipart/form-data boundary=a", "", "no semicolon"},
        {"multipart/mixed; boundary=a", "", "another type"},
        {"text/plain", "", "another type"},
    };
    char longest[128] = "multipart/form-data; boundary=";
    size_t n = strlen(longest);
    struct multipart m;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool is = multipart_init_type(&m, slice_str(row[i].type), 1);
        bool want = !row[i].delim || row[i].delim[0];

        if (is != want ||
            (is && (m.error == MULTIPART_OK) != (row[i].delim != NULL)) ||
            (is && row[i].delim &&
             !slice_eq(slice_of(m.delim, m.ndelim), slice_str(row[i].delim))))
            fail_msg("%s", row[i].why);
    }
    memset(longest + n, 'a', 71);
    assert_true(multipart_init_type(&m, slice_of(longest, n + 70), 1));
    assert_int_equal(m.error, MULTIPART_OK);
    assert_true(multipart_init_type(&m, slice_of(longest, n + 71), 1));
    assert_int_equal(m.error, MULTIPART_BAD_BOUNDARY);
}

/* Data from the boundary's own bytes, in pieces of random size. */
static void
test_random(void **state)
{
    static const char seventy[] = SEVENTY;
    static const char *const boundary[] = {"-", "B", "--B", seventy,
                                           "----WebKitFormBoundary7MA4YWxkTrZ"};
    static char in[20000];
    struct buf out, held;
    struct multipart m;
    struct prng r;
    (void)state;

    prng_init(&r, 5);
    buf_init(&out, 40000);
    buf_init(&held, 40000);
    for (int round = 0; round < 1000; round++) {
        const char *bd = boundary[prng_below(&r, countof(boundary))];
        size_t n = (size_t)sprintf(in, "--%s\r\n" CD "a\r\n\r\n", bd);
        size_t from = n, len, at = 0;

        len = prng_below(&r, 3000);
        assert_true(multipart_init(&m, slice_str(bd), 1));
        while (n - from < len) {
            size_t k = 1 + prng_below(&r, m.ndelim - 1u);

            memcpy(in + n, m.delim + prng_below(&r, m.ndelim - k), k);
            n += k;
        }
        len = n - from;
        if (memmem(in + from, len, m.delim, m.ndelim) ||
            memmem(in + from, len, bd, strlen(bd)))
            continue; /* it made a boundary of itself */
        n += (size_t)sprintf(in + n, "\r\n--%s--", bd);
        buf_clear(&out);
        buf_clear(&held);
        while (at < n) {
            size_t k = 1 + prng_below(&r, size_min(n - at, 200));

            assert_true(feed(&m, slice_of(in + at, k), &held, &out));
            at += k;
        }
        assert_true(multipart_finish(&m));
        assert_int_equal(out.n, len + 5);
        assert_memory_equal(out.p + 3, in + from, len);
    }
    buf_release(&out);
    buf_release(&held);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
