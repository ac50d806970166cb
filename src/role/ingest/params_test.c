/* params_test.c - what clients say, from the query, from headers, from forms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/params.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* The first word that is refused; or all were taken. */
static void
test_fields(void **state)
{
    static const struct {
        const char *say[4]; /* name, value, name, value */
        const char *code;   /* NULL: taken */
        const char *why;
    } row[] = {
        {{"filename", "a.txt"}, NULL, "a name"},
        {{"filename", ""}, "invalid_filename", "none chosen in a browser"},
        {{"colour", "blue"}, NULL, "a field of somebody else's"},
        {{"Filename", ""}, NULL, "names are as they are written"},
        {{"retention_policy", "permanent"}, NULL, "in any case"},
        {{"retention", "TEMPORARY"}, NULL, "the short name"},
        {{"retention_policy", "FOREVER"},
         "invalid_retention_policy",
         "no word"},
        {{"retention_policy", ""}, "invalid_retention_policy", "nothing"},
        {{"retention", "PERMANENT", "retention_policy", "PERMANENT"},
         NULL,
         "said twice"},
        {{"retention", "PERMANENT", "retention_policy", "TEMPORARY"},
         "retention_conflict",
         "and contradicted (D38)"},
        {{"ttl_days", "1"}, NULL, "the least"},
        {{"ttl_days", "36500"}, NULL, "the most"},
        {{"ttl_days", "36501"}, "invalid_ttl_days", "too long"},
        {{"ttl_days", "-1"}, "invalid_ttl_days", "in the past"},
        {{"ttl_days", "1.5"}, "invalid_ttl_days", "no whole number"},
        {{"ttl_days", "18446744073709551617"},
         "invalid_ttl_days",
         "1, if it wrapped"},
        {{"ttl_days", "7", "ttl_days", "7"}, NULL, "said twice"},
        {{"ttl_days", "7", "ttl_days", "8"},
         "ttl_days_conflict",
         "and contradicted"},
        {{"metadata", "{\"a\":1}"}, NULL, "an object"},
        {{"metadata", "[1]"}, "invalid_metadata", "a list"},
        {{"metadata", "{\"a\":"}, "invalid_metadata", "cut"},
        {{"metadata", "{\"retention_policy\":\"PERMANENT\"}", "retention",
          "TEMPORARY"},
         "retention_conflict",
         "it counts in there (ING-028)"},
        {{"content_type", "text/plain; charset=utf-8"}, NULL, "with parameter"},
        {{"content_type", "text"}, "invalid_content_type", "half of it"},
        {{"content_type", "text/plain\r\nX-Evil: 1"},
         "invalid_content_type",
         "a header more"},
        {{"md5", "5D41402ABC4B2A76B9719D911017C592"}, NULL, "in capitals"},
        {{"md5", "5d41"}, "invalid_checksum", "too short"},
        {{"md5", ""}, NULL, "an empty field of a form"},
        {{"checksum", "5d41402abc4b2a76b9719d911017c592", "md5",
          "5d41402abc4b2a76b9719d911017c593"},
         "invalid_checksum",
         "two that differ"},
        {{"checksum", "zz"}, "invalid_checksum", "neither of them"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct refusal r = {0};
        struct params p;
        bool ok = true;

        params_init(&p);
        for (size_t k = 0; k < 4 && row[i].say[k] && ok; k += 2)
            ok = params_set(&p, slice_str(row[i].say[k]),
                            slice_str(row[i].say[k + 1]), &r);
        if (ok != (row[i].code == NULL) ||
            (!ok && (strcmp(r.code, row[i].code) != 0 || r.status != 400)))
            fail_msg("%s: %s", row[i].why, ok ? "taken" : r.code);
        params_release(&p);
    }
}

/* The reader's own sentence is told, and nothing else that lies in memory. */
static void
test_metadata_text(void **state)
{
    static const char *const row[][2] = {
        {"abc", "not valid JSON at line 1, column 3"},
        {"{", "not valid JSON at line 1, column 1"},
        {"{} x", "not valid JSON at line 1, column 4"},
        {"{\"a\":1,\"a\":2}", "not valid JSON at line 1, column 10"},
        {"[1]", "this is JSON, but no object"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        static const char before[] =
            "metadata must be a JSON object, like {\"project\":\"x\"}: ";
        struct refusal r;
        struct params p;

        params_init(&p);
        assert_false(
            params_set(&p, SLICE("metadata"), slice_str(row[i][0]), &r));
        assert_memory_equal(r.text, before, sizeof(before) - 1);
        if (!slice_starts(slice_str(r.text + sizeof(before) - 1),
                          slice_str(row[i][1])))
            fail_msg("%s: %s", row[i][0], r.text);
        params_release(&p);
    }
}

/* A name never leaves its folder nor its header. */
static void
test_names(void **state)
{
    static const struct {
        const char *said, *kept;
    } row[] = {
        {"../../etc/passwd", "passwd"},
        {"C:\\dir\\report.pdf", "report.pdf"},
        {"a\r\nSet-Cookie: x", "a__Set-Cookie: x"},
        {"..", "file"},
        {"\"quoted\".txt", "\"quoted\".txt"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct refusal r;
        struct params p;

        params_init(&p);
        assert_true(
            params_set(&p, SLICE("filename"), slice_str(row[i].said), &r));
        assert_string_equal(p.filename, row[i].kept);
        params_release(&p);
    }
}

static bool
head(const char *request, struct params *p, struct refusal *r)
{
    const struct http_limits limits = {16384, 8192, 64};
    struct http_scan scan = {0};
    struct http_head h;
    struct exchange x = {.head = &h};
    char text[16384];

    (void)snprintf(text, sizeof(text), "%s\r\n\r\n", request);
    memset(&h, 0, sizeof(h));
    if (http_head_parse(&h, &scan, &limits, text, strlen(text)) != HTTP_OK)
        fail_msg("not a request: %s", request);
    params_init(p);
    *r = (struct refusal){0};
    return params_head(p, &x, r);
}

static void
test_head(void **state)
{
#define UP(q) "POST /api/files/upload" q " HTTP/1.1\r\nHost: h\r\n"
#define MD5   "Content-MD5: XUFAKrxLKna5cZ2REBfFkg=="
    static const struct {
        const char *request;
        const char *code;
        bool md5;
        const char *why;
    } row[] = {
        {UP("?filename=a%20b&ttl_days=3") "X-Retention-Policy: PERMANENT", NULL,
         false, "query and header"},
        {UP("?ttl_days=3") "X-TTL-Days: 4", "ttl_days_conflict", false,
         "which of them?"},
        {UP("?filename=%zz") "A: b", "invalid_query", false, "no escape"},
        {UP("") MD5, NULL, true, "of the raw body"},
        {UP("") MD5 "\r\nContent-Type: multipart/form-data; boundary=x", NULL,
         false, "of the form, not of the file"},
        {UP("") MD5 "\r\nContent-Type: MULTIPART/FORM-DATA;boundary=x", NULL,
         false, "the same in capitals"},
        {UP("") MD5 "\r\nContent-Type: multipart/mixed; boundary=x", NULL, true,
         "this body is the file itself"},
        {UP("") "Content-Digest: md5=:AAAAAAAAAAAAAAAAAAAAAA==:\r\n" MD5,
         "invalid_checksum", true, "two that differ"},
        {UP("") "Repr-Digest: sha-256=5", "invalid_checksum", false,
         "malformed is refused, not passed over"},
        {UP("") "Repr-Digest: sha-512=:AAAA:", NULL, false,
         "an algorithm that we do not know"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct refusal r;
        struct params p;
        bool ok = head(row[i].request, &p, &r);

        if (ok != (row[i].code == NULL) || p.digests.has_md5 != row[i].md5 ||
            (!ok && strcmp(r.code, row[i].code) != 0))
            fail_msg("%s: %s", row[i].why, ok ? "taken" : r.code);
        params_release(&p);
    }
}

/* What came after the file cannot change where it goes (D38). */
static void
test_too_late(void **state)
{
    struct refusal r;
    struct params p;
    (void)state;

    params_init(&p);
    p.retention = RETENTION_TEMPORARY;
    p.has_retention = p.placed = true;
    assert_true(params_set(&p, SLICE("retention"), SLICE("TEMPORARY"), &r));
    assert_false(params_set(&p, SLICE("retention"), SLICE("PERMANENT"), &r));
    assert_string_equal(r.code, "retention_too_late");
    params_release(&p);
}

/* One byte over the limit is refused, the limit itself is kept whole. */
static void
test_long_metadata(void **state)
{
    char text[ATTR_METADATA_MAX + 2];
    struct refusal r;
    struct params p;
    (void)state;

    for (size_t n = ATTR_METADATA_MAX; n <= ATTR_METADATA_MAX + 1; n++) {
        memset(text, 'x', n);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + n - 2, "\"}", 2);
        params_init(&p);
        assert_int_equal(
            params_set(&p, SLICE("metadata"), slice_of(text, n), &r),
            n == ATTR_METADATA_MAX);
        if (n == ATTR_METADATA_MAX)
            assert_true(slice_eq(buf_slice(&p.metadata), slice_of(text, n)));
        params_release(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),   cmocka_unit_test(test_metadata_text),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_head),
        cmocka_unit_test(test_too_late), cmocka_unit_test(test_long_metadata),
    };

    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
