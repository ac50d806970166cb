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
        {{"filename", "a.txt", "filename", "x/a.txt"}, NULL, "said twice"},
        {{"filename", "a.txt", "filename", "b.txt"},
         "filename_conflict",
         "and contradicted"},
        {{"colour", "blue"}, "invalid_query", "a parameter of nobody's"},
        {{"Filename", "a"}, "invalid_query", "names are as they are written"},
        {{"", "a"}, "invalid_query", "no name"},
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
        {{"metadata", "{\"a\":1}", "metadata", "{ \"a\": 1 }"},
         NULL,
         "said twice, with blanks"},
        {{"metadata", "{\"a\":1}", "metadata", "{\"a\":2}"},
         "metadata_conflict",
         "and contradicted"},
        {{"metadata", "{}", "metadata", "{\"a\":2}"},
         "metadata_conflict",
         "nothing, and something"},
        {{"metadata", "{\"a\":"}, "invalid_metadata", "cut"},
        {{"metadata", "{\"retention_policy\":\"PERMANENT\"}", "retention",
          "TEMPORARY"},
         "retention_conflict",
         "it counts in there (ING-028)"},
        {{"content_type", "text/plain; charset=utf-8"}, NULL, "with parameter"},
        {{"content_type", "text/plain", "content_type", "Text/Plain "},
         NULL,
         "said twice, in any case"},
        {{"content_type", "text/plain", "content_type", "text/html"},
         "content_type_conflict",
         "and contradicted"},
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

/* A name that is none of ours: which one it says was meant, if any. A query is
 * refused in any case, a form then only. */
static void
test_foreign(void **state)
{
    static const struct {
        const char *name;
        const char *meant; /* NULL: nobody can tell */
        const char *why;
    } row[] = {
        {"retention_polcy", "retention_policy", "a letter left out"},
        {"retention-policy", "retention_policy", "a hyphen"},
        {"ttl_day", "ttl_days", "one day"},
        {"ttl", "ttl_days", "cut"},
        {"meta", "metadata", "as the list's filter is called"},
        {"md5sum", "md5", "as the command is called"},
        {"sha-256", "sha256", "as RFC 9530 writes it"},
        {"sha256sum", "sha256", "as the command is called"},
        {"fileName", "filename", "in the way of JavaScript"},
        {"contentType", "content_type", "the same"},
        {"retention_days", "retention", "the first of two that begin so"},
        {"metadata[project]", "metadata", "an object in the way of PHP"},
        {"_charset_", NULL, "what browsers send"},
        {"submit", NULL, "a button"},
        {"name", NULL, "a person's"},
        {"title", NULL, "a document's"},
        {"description", NULL, "the same"},
        {"size", NULL, "what uploaders send"},
        {"type", NULL, "the last word of content_type"},
        {"MAX_FILE_SIZE", NULL, "what PHP asks browsers to send"},
        {"csrf_token", NULL, "what frameworks send"},
        {"foo", NULL, "anything"},
        {"tt", NULL, "too short to tell"},
        {"", NULL, "no name"},
        {"0123456789012345678901234567890123456789012345678901234567890123456",
         NULL, "longer than any name"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct refusal query = {0}, form = {0};
        struct params p;
        char want[64];
        bool ok;

        params_init(&p);
        assert_false(
            params_set(&p, slice_str(row[i].name), SLICE("1"), &query));
        assert_string_equal(query.code, "invalid_query");
        assert_non_null(strstr(query.text, "ttl_days, metadata, content_type"));
        ok = params_foreign(slice_str(row[i].name), &form);
        (void)snprintf(want, sizeof(want), "; did you mean %s? there are ",
                       row[i].meant ? row[i].meant : "");
        if (ok != (row[i].meant == NULL) ||
            (ok ? strstr(query.text, "did you mean") != NULL
                : strcmp(form.code, "unknown_field") != 0 ||
                      !strstr(form.text, want) || !strstr(query.text, want)))
            fail_msg("%s: %s: %s: %s", row[i].name, row[i].why, query.text,
                     form.text);
        params_release(&p);
    }
}

/* What the client says of the file, before its part and behind it, goes before
 * what the part says. */
static void
test_part(void **state)
{
    static const struct {
        const char *before, *part, *behind; /* names of the file */
        const char *kept;                   /* NULL: contradicted */
        const char *why;
    } row[] = {
        {NULL, "part.txt", NULL, "part.txt", "as browsers do it"},
        {NULL, NULL, NULL, "unnamed", "no name at all"},
        {"said.txt", "part.txt", NULL, "said.txt", "the field is first"},
        {NULL, "part.txt", "said.txt", "said.txt", "the field is last"},
        {"said.txt", "part.txt", "said.txt", "said.txt", "both the same"},
        {"said.txt", NULL, "other.txt", NULL, "which of the two?"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct refusal r = {0};
        struct slice said;
        struct params p;
        bool ok;

        params_init(&p);
        said = slice_str(row[i].before ? row[i].before : "");
        ok = said.n == 0 || params_set(&p, SLICE("filename"), said, &r);
        assert_true(ok);
        assert_true(
            params_part(&p, row[i].part ? slice_str(row[i].part) : SLICE_NULL,
                        SLICE("text/plain"), &r));
        assert_true(params_set(&p, SLICE("content_type"), SLICE("a/b"), &r));
        said = slice_str(row[i].behind ? row[i].behind : "");
        ok = said.n == 0 || params_set(&p, SLICE("filename"), said, &r);
        if (ok != (row[i].kept != NULL) ||
            (ok && strcmp(p.filename, row[i].kept) != 0))
            fail_msg("%s: %s", row[i].why, p.filename);
        assert_string_equal(p.content_type, "a/b");
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
        {UP("?filename=a&filename=b") "A: b", "filename_conflict", false,
         "which of them?"},
        {UP("?filename=a&expires_at=2026-12-01") "A: b", "invalid_query", false,
         "it would never expire"},
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

/* What came after the file cannot change where it goes (D38), and a PERMANENT
 * file takes no ttl_days from wherever they come. */
static void
test_settled(void **state)
{
    static const struct {
        const char *before[2], *behind[2];
        enum retention otherwise;
        const char *code;
        const char *why;
    } row[] = {
        {{NULL}, {NULL}, RETENTION_PERMANENT, NULL, "nothing said"},
        {{NULL},
         {"retention", "TEMPORARY"},
         RETENTION_TEMPORARY,
         NULL,
         "the same, late"},
        {{NULL},
         {"retention", "PERMANENT"},
         RETENTION_TEMPORARY,
         "retention_too_late",
         "another, late"},
        {{"ttl_days", "3"}, {NULL}, RETENTION_TEMPORARY, NULL, "it expires"},
        {{"ttl_days", "3"},
         {NULL},
         RETENTION_PERMANENT,
         "ttl_days_conflict",
         "it would not"},
        {{"retention", "TEMPORARY"},
         {"ttl_days", "3"},
         RETENTION_PERMANENT,
         NULL,
         "said behind the file"},
        {{"retention", "PERMANENT"},
         {"ttl_days", "3"},
         RETENTION_TEMPORARY,
         "ttl_days_conflict",
         "of a PERMANENT one"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        const char *const *a = row[i].before, *const *b = row[i].behind;
        struct refusal r = {0};
        struct params p;
        bool ok;

        params_init(&p);
        ok = a[0] == NULL ||
             params_set(&p, slice_str(a[0]), slice_str(a[1]), &r);
        ok = ok && params_settle(&p, row[i].otherwise, &r);
        ok = ok && (b[0] == NULL ||
                    params_set(&p, slice_str(b[0]), slice_str(b[1]), &r));
        if (ok != (row[i].code == NULL) ||
            (!ok && strcmp(r.code, row[i].code) != 0))
            fail_msg("%s: %s", row[i].why, ok ? "taken" : r.code);
        params_release(&p);
    }
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
        cmocka_unit_test(test_fields),  cmocka_unit_test(test_metadata_text),
        cmocka_unit_test(test_foreign), cmocka_unit_test(test_part),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_head),
        cmocka_unit_test(test_settled), cmocka_unit_test(test_long_metadata),
    };

    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
