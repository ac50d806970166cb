/* fail_test.c - tests of fail.h, and of what put may send again (put_job.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/put_job.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_reply(void **state)
{
    static const struct {
        long status;
        const char *body;
        enum cli_exit exit;
        const char *code, *message;
        const char *why;
    } row[] = {
        {401, "{\"error\":\"unauthorized\",\"message\":\"m\"}", CLI_AUTH,
         "unauthorized", "m", "ING-103"},
        {403, "{\"error\":\"forbidden\",\"message\":\"m\"}", CLI_AUTH,
         "forbidden", "m", "ING-062"},
        {404, "{\"error\":\"file_not_found\",\"message\":\"m\"}", CLI_NOTFOUND,
         "file_not_found", "m", "ING-062"},
        {404, "<html>", CLI_FAILED, "",
         "nginx/1.2 answered in place of artstore", "not an artstore"},
        {413, "<html>", CLI_FAILED, "",
         "nginx/1.2 answered in place of artstore", "a proxy's limit"},
        {502, "<html>", CLI_LATER, "",
         "nginx/1.2 answered in place of artstore", "nobody behind it"},
        {404, "{\"error\":\"not_found\",\"message\":\"m\"}", CLI_FAILED,
         "not_found", "m", "no such path: not a file that is missing"},
        {404, "{\"error\":\"session_not_found\",\"message\":\"m\"}",
         CLI_NOTFOUND, "session_not_found", "m", "ING-052"},
        {400, "{\"error\":\"file_in_readonly_storage\",\"message\":\"m\"}",
         CLI_FAILED, "file_in_readonly_storage", "m", "ING-058"},
        {422, "{\"error\":\"checksum_mismatch\",\"message\":\"m\"}",
         CLI_MISMATCH, "checksum_mismatch", "m", "STO-041"},
        {422, "{\"error\":\"virus_detected\",\"message\":\"m\"}", CLI_FAILED,
         "virus_detected", "m", "not the network's fault"},
        {507, "{\"error\":\"insufficient_storage\",\"message\":\"m\"}",
         CLI_NOSPACE, "insufficient_storage", "m", "D06"},
        {503, "", CLI_LATER, "", "the answer has no explanation", "no body"},
        {429, "<html>", CLI_LATER, "",
         "nginx/1.2 answered in place of artstore", "a proxy's page"},
        {502, "[]", CLI_LATER, "", "the answer has no explanation",
         "JSON, but no object"},
        {500, "{\"title\":\"t\",\"detail\":\"d\"}", CLI_FAILED, "", "d",
         "RFC 9457"},
        {302, "", CLI_FAILED, "",
         "the answer is a redirect, which is not followed", "a login page"},
        {400, "{\"error\":5,\"message\":{}}", CLI_FAILED, "",
         "the answer has no explanation", "other types"},
    };
    struct failure f;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        enum cli_exit e = failure_from_reply(
            &f, row[i].status, slice_str(row[i].body), "r-1", "nginx/1.2");

        if (e != row[i].exit || e != f.exit ||
            strcmp(f.code, row[i].code) != 0 ||
            strcmp(f.message, row[i].message) != 0 ||
            strcmp(f.request_id, "r-1") != 0)
            fail_msg("%s: %d %s '%s'", row[i].why, e, f.code, f.message);
    }
}

static void
test_details(void **state)
{
    static const char list[] =
        "{\"error\":\"e\",\"message\":\"m\",\"request_id\":\"r-2\",\"details\":"
        "{\"elements\":[{\"element_id\":\"se-01\",\"reason\":\"full\"},"
        "{\"element_id\":\"se-02\",\"reason\":\"mode ro\"}]}}";
    static const char other[] = "{\"details\":{\"limit\":5}}";
    struct failure f;
    (void)state;

    failure_from_reply(&f, 507, SLICE(list), NULL, NULL);
    assert_string_equal(f.details, "se-01: full\nse-02: mode ro");
    assert_string_equal(f.request_id, "r-2");
    failure_from_reply(&f, 400, SLICE(other), NULL, NULL);
    assert_string_equal(f.details, "limit: 5");
    failure_from_reply(&f, 400, SLICE("{\"details\":[1,2]}"), NULL, NULL);
    assert_string_equal(f.details, "[1,2]");
}

/* What a proxy says is not artstore's fault, whatever the status. */
static void
test_foreign(void **state)
{
    static const struct {
        long status;
        const char *body, *request_id, *server, *message, *remedy;
    } row[] = {
        {413, "<html>", NULL, "nginx", "nginx answered",
         "client_max_body_size"},
        {502, "", NULL, "Caddy", "Caddy answered", "proxy running"},
        {502, "no upstream", "r-1", NULL, "another server", "proxy running"},
        {504, "<html>", NULL, NULL, "another server", "proxy_read_timeout"},
        {401, "<html>", NULL, "nginx", "nginx", "before artstore"},
        {404, "<html>", NULL, "nginx", "nginx", "is the URL that"},
        /* artstore's own, which a proxy brings under its own name */
        {413, "{\"error\":\"file_too_large\",\"message\":\"m\"}", "r-1",
         "nginx", "m", "MAX_FILE_SIZE_MB"},
        {503, "", "r-1", "nginx", "no explanation", "artstore status"},
    };
    struct failure f;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        failure_from_reply(&f, row[i].status, slice_str(row[i].body),
                           row[i].request_id, row[i].server);
        if (!strstr(f.message, row[i].message) ||
            !strstr(f.remedy, row[i].remedy))
            fail_msg("row %zu: '%s', '%s'", i, f.message, f.remedy);
    }
}

/* What a person reads of these two says what to do about it. */
static void
test_remedy(void **state)
{
    struct failure f;
    (void)state;

    failure_from_reply(&f, 414, SLICE("{\"error\":\"target_too_long\"}"), NULL,
                       NULL);
    assert_non_null(strstr(f.remedy, "shorter --metadata"));
    failure_from_reply(&f, 400, SLICE("{\"error\":\"plain_on_tls_port\"}"),
                       NULL, NULL);
    assert_non_null(strstr(f.remedy, "https://"));
}

/* Who is asked for what another role has. */
static void
test_elsewhere(void **state)
{
    static const struct {
        const char *role, *path, *remedy;
    } row[] = {
        {"ingester", "/api/v1/accounts?limit=200", "this is a gateway; Admin"},
        {"ingester", "/api/v1/audit", "Admin has the audit log"},
        {"ingester", "/api/v1/keys/rotate", "Admin has the keys"},
        {"ingester", "/api/v1/files/0/verify", "element that has the file"},
        {"admin", "/api/files", "this is Admin; ask a gateway"},
        {"admin", "/api/v1/selection/explain?size=1", "a gateway chooses"},
        {"storage", "/api/files/0", "this is a storage element"},
        {"admin", "/api/v1/keys", "older version"},
        {"server", "/api/v1/audit", "older version"},
        {"another", "/api/v1/audit", "older version"},
    };
    char body[120];
    struct failure f;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        snprintf(body, sizeof(body),
                 "{\"error\":\"not_found\",\"details\":{\"role\":\"%s\"}}",
                 row[i].role);
        failure_from_reply(&f, 404, slice_str(body), NULL, NULL);
        failure_elsewhere(&f, row[i].path);
        if (!strstr(f.remedy, row[i].remedy))
            fail_msg("%s %s: %s", row[i].role, row[i].path, f.remedy);
    }
    /* A file that is missing is missing. */
    failure_from_reply(&f, 404,
                       SLICE("{\"error\":\"file_not_found\",\"details\":"
                             "{\"role\":\"ingester\"}}"),
                       NULL, NULL);
    failure_elsewhere(&f, "/api/v1/files/0/verify");
    assert_non_null(strstr(f.remedy, "artstore ls"));
    failure_there(&f, "http://a:1");
    assert_null(strstr(f.remedy, "--url"));
    /* Who has said --url is to ask there, too. */
    failure_from_reply(&f, 503, SLICE("{\"error\":\"unavailable\"}"), NULL,
                       NULL);
    failure_there(&f, "http://a:1");
    assert_string_equal(f.remedy, "try again later; `artstore status --url "
                                  "http://a:1` says what is wrong");
}

static void
test_scope(void **state)
{
    struct failure f;
    (void)state;

    failure_from_reply(&f, 403,
                       SLICE("{\"error\":\"forbidden\",\"details\":{"
                             "\"scope\":\"delete\"}}"),
                       NULL, NULL);
    assert_non_null(strstr(f.remedy, "artstore token --scope \"delete\""));
    failure_from_reply(&f, 403, SLICE("{\"error\":\"forbidden\"}"), NULL, NULL);
    assert_null(strstr(f.remedy, "--scope"));
}

static void
test_merge(void **state)
{
    static const struct {
        enum cli_exit a, b, sum;
    } row[] = {
        {CLI_OK, CLI_OK, CLI_OK},
        {CLI_OK, CLI_NOTFOUND, CLI_NOTFOUND},
        {CLI_NOTFOUND, CLI_OK, CLI_NOTFOUND},
        {CLI_NOTFOUND, CLI_NOTFOUND, CLI_NOTFOUND},
        {CLI_NOTFOUND, CLI_NOSPACE, CLI_FAILED},
        {CLI_NOTFOUND, CLI_INTERRUPTED, CLI_INTERRUPTED},
        {CLI_INTERRUPTED, CLI_OK, CLI_INTERRUPTED},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        assert_int_equal(exit_merge(row[i].a, row[i].b), row[i].sum);
}

static void
test_again(void **state)
{
    static const struct {
        long status;
        enum cli_exit exit;
        bool rewindable, sent_all, reached;
        unsigned tries;
        const char *retry_after;
        int wait;
        const char *why;
    } row[] = {
        {503, CLI_LATER, true, true, true, 1, "7", 7, "the server says when"},
        {503, CLI_LATER, true, true, true, 1, NULL, 1, "it does not"},
        {503, CLI_LATER, true, true, true, 1, "0", 1, "no hammering"},
        {503, CLI_LATER, true, true, true, 1, "9999", 60, "bounded"},
        {503, CLI_LATER, true, true, true, 1, "soon", 1, "a date or worse"},
        {503, CLI_LATER, true, true, true, 4, NULL, 4, "slower each time"},
        {429, CLI_LATER, true, true, true, 1, "2", 2, "too many requests"},
        {503, CLI_LATER, false, true, true, 1, "1", -1, "a stream"},
        {503, CLI_LATER, true, true, true, 6, "1", -1, "often enough"},
        {507, CLI_NOSPACE, true, true, true, 1, "1", -1, "no room"},
        {400, CLI_FAILED, true, true, true, 1, NULL, -1, "our mistake"},
        {0, CLI_CONNECT, true, false, true, 1, NULL, 0, "lost on the way"},
        {0, CLI_CONNECT, true, false, true, 2, NULL, 1, "and again"},
        {0, CLI_CONNECT, true, true, true, 1, NULL, -1,
         "it may be stored (D27)"},
        {0, CLI_CONNECT, true, false, false, 1, NULL, -1, "a wrong address"},
        {0, CLI_FAILED, true, false, true, 1, NULL, -1, "not the network"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        const struct failure f = {.status = row[i].status, .exit = row[i].exit};
        int wait = put_again_after(&f, row[i].rewindable, row[i].sent_all,
                                   row[i].reached, row[i].tries, 5,
                                   row[i].retry_after);

        if (wait != row[i].wait)
            fail_msg("%s: %d", row[i].why, wait);
    }
}

/* No element of that mode: the server names no time, and none will come. */
static void
test_in_vain(void **state)
{
    struct failure f = {.status = 503, .code = "no_available_storage"};
    (void)state;

    assert_int_equal(put_again_after(&f, true, true, true, 1, 5, NULL), -1);
    assert_int_equal(put_again_after(&f, true, true, true, 1, 5, "5"), 5);
    strcpy(f.code, "overloaded");
    assert_int_equal(put_again_after(&f, true, true, true, 1, 5, NULL), 1);
}

static void
test_url(void **state)
{
    static const struct {
        const char *in, *out;
    } row[] = {
        {"http://h", "http://h"},
        {"http://h:8020/", "http://h:8020"},
        {"https://h/base//", "https://h/base"},
        {"http://[::1]:8020", "http://[::1]:8020"},
        {"", NULL},
        {"h:8020", NULL},
        {"file:///etc/passwd", NULL},
        {"http://", NULL},
        {"http:///x", NULL},
        {"http://:80", NULL},
        {"http://user:secret@h", NULL}, /* would be shown in messages */
        {"http://h?x", NULL},
        {"http://h#x", NULL},
        {"http://h/a b", NULL},
        {"http://h\r\nX: y", NULL},
    };
    char out[PLACE_URL_MAX];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        bool ok = url_check(row[i].in, out);

        if (ok != (row[i].out != NULL) || (ok && strcmp(out, row[i].out) != 0))
            fail_msg("%s", row[i].in);
    }
}

static void
test_query(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 1 * KIB);
    buf_add_str(&b, "/x");
    query_add(&b, "a", "1 & 2/\xc3\xbc?");
    query_add(&b, "b", NULL);
    query_add(&b, "c", "-._~");
    assert_string_equal(buf_str(&b), "/x?a=1%20%26%202%2F%C3%BC%3F&c=-._~");
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply),   cmocka_unit_test(test_details),
        cmocka_unit_test(test_merge),   cmocka_unit_test(test_again),
        cmocka_unit_test(test_in_vain), cmocka_unit_test(test_url),
        cmocka_unit_test(test_query),   cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_scope),   cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
