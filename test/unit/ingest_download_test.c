/* ingest_download_test.c - downloads, metadata and deletes over elements in
 * memory: what is asked for comes, to the byte; each call of the element
 * fails, the client goes away at each moment, the registry knows less than the
 * elements do. After each request nothing may be out, a 2xx that ended is
 * whole, and what cannot be read is never a 404.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ingest_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define B      BLOCK_SIZE
#define SIZE   (2 * B + 100)
#define UPLOAD "POST /api/files/upload?filename=a.bin HTTP/1.1\r\nHost: h"

static struct ingest_rig w;
static struct slice file;
static char id[UUID_TEXT];
static struct slice nothing; /* of a body */

static int
set_up(void **state)
{
    (void)state;
    ingest_rig_open(&w, NULL);
    file = ingest_rig_bytes(SIZE);
    ingest_rig_say(&w, UPLOAD, file, NULL);
    assert_int_equal(w.x.status, 201);
    (void)snprintf(id, sizeof(id), "%s", ingest_rig_member(&w, "file_id"));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    ingest_rig_close(&w);
    free((char *)(uintptr_t)file.p);
    return 0;
}

static uint64_t client_gone_at;

static void
going(struct exchange_mem *x)
{
    x->gone_at = client_gone_at;
}

/* METHOD on the file, with LINES ("\r\nName: value") in the head. */
static void
ask(const char *method, const char *what, const char *lines)
{
    char head[512];

    (void)snprintf(head, sizeof(head),
                   "%s /api/files/%s%s HTTP/1.1\r\nHost: h%s", method, id, what,
                   lines);
    ingest_rig_say(&w, head, nothing, going);
}

/* What is open only because it is cached; then the next request opens anew. */
static void
forget(void)
{
    for (unsigned i = 0; i < RIG_LOOPS; i++)
        ingest_loop_quiesce(w.ingest, &w.loop[i].loop);
    for (unsigned i = 0; i < RIG_ELEMENTS; i++)
        assert_int_equal(w.element[i].readers, 0);
}

static void
test_ranges(void **state)
{
    static const struct {
        const char *lines;
        int status;
        size_t first, n; /* of the file; N 0: no file's bytes are expected */
        const char *has; /* a line of the head */
        const char *why;
    } row[] = {
        {"", 200, 0, SIZE, "Accept-Ranges: bytes", "all"},
        {"\r\nRange: bytes=0-0", 206, 0, 1, "Content-Range: bytes 0-0/524388",
         "the first byte"},
        {"\r\nRange: bytes=262143-262144", 206, B - 1, 2, NULL,
         "over the seam of two blocks"},
        {"\r\nRange: bytes=-1", 206, SIZE - 1, 1, NULL, "the last byte"},
        {"\r\nRange: bytes=100-", 206, 100, SIZE - 100, NULL, "to the end"},
        {"\r\nRange: bytes=524388-", 416, 0, 0, "Content-Range: bytes */524388",
         "behind the end"},
        {"\r\nRange: lines=1-2", 200, 0, SIZE, NULL, "an unknown unit"},
        {"\r\nIf-Range: \"x\"\r\nRange: bytes=0-0", 200, 0, SIZE, NULL,
         "of another version"},
        {"\r\nIf-Range: W/\"x\"\r\nRange: bytes=0-0", 200, 0, SIZE, NULL,
         "weak: never"},
        {"\r\nIf-Match: \"x\"", 412, 0, 0, NULL, "another version"},
        {"\r\nIf-None-Match: *", 304, 0, 0, "ETag: ", "any will do"},
        {"\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", 304, 0, 0,
         "Last-Modified: ", "not since then"},
        {"\r\nIf-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT", 412, 0, 0,
         NULL, "modified since"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice want =
            slice_head(slice_skip(file, row[i].first), row[i].n);

        ask("GET", "", row[i].lines);
        if (w.x.status != row[i].status || w.x.cut ||
            (row[i].n && !slice_eq(buf_slice(&w.x.body), want)) ||
            (row[i].has && !strstr(w.x.headers.p, row[i].has)))
            fail_msg("%s: %d, %zu bytes\n%s", row[i].why, w.x.status,
                     w.x.body.n, w.x.headers.p);
        ask("HEAD", "", row[i].lines);
        assert_int_equal(w.x.sent, 0);
    }
}

/* Parts in order, each with its head, and the promised length to the byte. */
static void
test_many_ranges(void **state)
{
    struct slice got, part;
    (void)state;

    ask("GET", "", "\r\nRange: bytes=5-9,262140-262150,-3");
    assert_int_equal(w.x.status, 206);
    assert_false(w.x.cut);
    assert_int_equal(w.x.sent, w.x.promised);
    got = buf_slice(&w.x.body);
    for (unsigned i = 0; i < 3; i++) {
        static const size_t at[] = {5, 262140, SIZE - 3}, n[] = {5, 11, 3};
        const char *p = memmem(got.p, got.n, "\r\n\r\n", 4);

        assert_non_null(p);
        part = slice_of(p + 4, n[i]);
        assert_true(slice_eq(part, slice_head(slice_skip(file, at[i]), n[i])));
        got = slice_of(part.p + n[i], got.n - (size_t)(part.p + n[i] - got.p));
    }
    assert_true(slice_eq(got, SLICE("\r\n--0123456789abcdef--\r\n")));
}

/* D34: nothing of a damaged file leaves, and no head that promises it. */
static void
test_damaged(void **state)
{
    static const char *const lines[] = {"", "\r\nRange: bytes=0-9",
                                        "\r\nRange: bytes=0-1,9-9"};
    (void)state;

    w.element[0].damaged = true;
    for (size_t i = 0; i < countof(lines); i++) {
        ask("GET", "", lines[i]);
        assert_int_equal(w.x.status, 500);
        assert_string_equal(ingest_rig_member(&w, "error"), "storage_corrupt");
        assert_false(w.x.started);
    }
}

/* The first call of the element fails, the second ... */
static void
test_element_fails(void **state)
{
    static const char *const lines[] = {"", "\r\nRange: bytes=7-600000",
                                        "\r\nRange: bytes=0-1,262144-262145"};
    (void)state;

    for (size_t i = 0; i < countof(lines); i++)
        for (uint64_t n = 1;; n++) {
            forget();
            w.element[0].fail = (struct fail){.at = n};
            ask("GET", "", lines[i]);
            if (w.element[0].fail.calls < n)
                break;
            /* Before the first byte it is said, after that it is cut. */
            assert_true(w.x.started ? w.x.cut : w.x.status == 503);
            assert_true(w.x.started || ingest_rig_has(&w, "Retry-After: "));
        }
    assert_int_equal(w.x.status, 206);
    assert_false(w.x.cut);
}

static void
test_client_gone(void **state)
{
    static const char *const lines[] = {"",
                                        "\r\nRange: bytes=0-1,262144-262145"};
    (void)state;

    for (size_t i = 0; i < countof(lines); i++)
        for (client_gone_at = 1;; client_gone_at++) {
            ask("GET", "", lines[i]);
            if (w.x.ops_done < client_gone_at)
                break;
        }
    client_gone_at = 0;
    forget();
}

/* One block for two: one waits, both come. */
static void
test_few_blocks(void **state)
{
    struct exchange_mem other;
    struct serve_app *app = router_app(w.router);
    char head[128];
    (void)state;

    w.loop[1].blocks_max = 1;
    (void)snprintf(head, sizeof(head),
                   "GET /api/files/%s HTTP/1.1\r\nHost: h\r\n\r\n", id);
    exchange_mem_init(&other, &w.loop[1].loop, head);
    app->begin(app, &other.exchange);
    ask("GET", "", "");
    assert_true(slice_eq(buf_slice(&w.x.body), file));
    assert_true(other.ended && slice_eq(buf_slice(&other.body), file));
    exchange_mem_release(&other);
}

/* What each of the three answers when the registry and the elements know
 * different things (D25). */
static void
test_who_knows(void **state)
{
    static const struct {
        bool behind, far, other_fails, gone;
        enum err lookup;
        int get, metadata, del;
        const char *why;
    } row[] = {
        {.get = 200, .metadata = 200, .del = 204, .why = "all is well"},
        {.behind = true,
         .get = 200,
         .metadata = 200,
         .del = 204,
         .why = "the registry is behind: an acknowledged file is there"},
        {.lookup = ERR_IO,
         .get = 200,
         .metadata = 200,
         .del = 204,
         .why = "the registry fails"},
        {.behind = true,
         .other_fails = true,
         .get = 200,
         .metadata = 200,
         .del = 204,
         .why = "an element that fails hides not what another has"},
        {.gone = true,
         .behind = true,
         .other_fails = true,
         .get = 503,
         .metadata = 503,
         .del = 503,
         .why = "who cannot be asked may have it: no 404"},
        {.gone = true,
         .get = 404,
         .metadata = 404,
         .del = 404,
         .why = "nobody has it"},
        {.far = true,
         .get = 200,
         .metadata = 200,
         .del = 503,
         .why = "its element cannot be reached by name"},
    };
    (void)state;

    /* The element that fails is asked first. */
    w.registry.element[0] = &w.element[1];
    registry_mem_add(&w.registry, &w.element[0]);
    for (size_t i = 0; i < countof(row); i++) {
        int got[3];

        forget();
        w.registry.behind = row[i].behind;
        w.registry.far = row[i].far;
        w.registry.lookup_is = row[i].lookup;
        w.element[1].open_is = row[i].other_fails ? ERR_IO : ERR_OK;
        w.element[0].open_is = row[i].gone ? ERR_NOENT : ERR_OK;
        w.element[0].del_is = row[i].gone ? ERR_NOENT : ERR_OK;
        if (row[i].gone)
            w.registry.behind = true;
        ask("GET", "", "");
        got[0] = w.x.status;
        ask("GET", "/metadata", "");
        got[1] = w.x.status;
        forget();
        ask("DELETE", "", "");
        got[2] = w.x.status;
        if (got[0] != row[i].get || got[1] != row[i].metadata ||
            got[2] != row[i].del)
            fail_msg("%s: %d %d %d", row[i].why, got[0], got[1], got[2]);
        if (row[i].del != 204)
            continue;
        /* The next row has a file again. */
        w.registry.behind = false;
        w.registry.lookup_is = ERR_OK;
        w.element[1].shows.mode = BLOB_RO;
        ingest_rig_say(&w, UPLOAD, file, NULL);
        w.element[1].shows.mode = BLOB_EDIT;
        assert_int_equal(w.x.status, 201);
        (void)snprintf(id, sizeof(id), "%s", ingest_rig_member(&w, "file_id"));
    }
}

/* The registry knows it, its element cannot be asked at all. */
static void
test_element_away(void **state)
{
    (void)state;
    w.registry.far = true;
    w.element[0].open_is = ERR_NOENT;
    ask("GET", "", "");
    assert_int_equal(w.x.status, 503);
    assert_non_null(strstr(buf_str(&w.x.body), "from storage element "));
    ask("GET", "/metadata", "");
    assert_int_equal(w.x.status, 200);
}

static void
test_deletes(void **state)
{
    static const struct {
        enum err e;
        enum blob_mode mode;
        int status;
        const char *code, *why;
    } row[] = {
        {ERR_OK, BLOB_RW, 400, "file_in_readonly_storage", "ING-056"},
        {ERR_READONLY, BLOB_EDIT, 503, "storage_error",
         "mode edit, but in trouble: not the client's fault"},
        {ERR_CONFLICT, BLOB_EDIT, 409, "file_held", "held (D23)"},
        {ERR_AGAIN, BLOB_EDIT, 503, "overloaded", "its queue is full"},
        {ERR_NOSPC, BLOB_EDIT, 507, "insufficient_storage", "disk full"},
        {ERR_IO, BLOB_EDIT, 503, "storage_error", "its disk, or the way"},
        {ERR_NOENT, BLOB_EDIT, 404, "file_not_found", "deleted since"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        w.element[0].del_is = row[i].e;
        w.element[0].shows.mode = row[i].mode;
        ask("DELETE", "", "");
        if (w.x.status != row[i].status ||
            strcmp(ingest_rig_member(&w, "error"), row[i].code) != 0)
            fail_msg("%s: %d %s", row[i].why, w.x.status, w.x.body.p);
        assert_int_equal(w.registry.audits, i + 1);
    }
    w.element[0].del_is = ERR_OK;
    ask("GET", "", ""); /* cached now */
    ask("DELETE", "", "\r\nIf-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT");
    assert_int_equal(w.x.status, 204);
    ask("GET", "", "");
    assert_int_equal(w.x.status, 404);
}

/* A client that names the file it means deletes that one or none, whether the
 * registry knows it or only its element. */
static void
test_conditional_deletes(void **state)
{
    static const char *const line[] = {
        "\r\nIf-Match: \"x\"", "\r\nIf-None-Match: *",
        "\r\nIf-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"};
    char etag[128];
    (void)state;

    for (unsigned known = 0; known < 2; known++) {
        w.registry.lookup_is = known ? ERR_OK : ERR_NOENT;
        for (size_t i = 0; i < countof(line); i++) {
            ask("DELETE", "", line[i]);
            assert_int_equal(w.x.status, 412);
            assert_string_equal(ingest_rig_member(&w, "error"),
                                "precondition_failed");
            ask("GET", "", "");
            assert_int_equal(w.x.status, 200);
        }
    }
    (void)snprintf(etag, sizeof(etag), "\r\nIf-Match: \"0\", %.66s",
                   strstr(w.x.headers.p, "ETag: ") + strlen("ETag: "));
    ask("DELETE", "", etag);
    assert_int_equal(w.x.status, 204);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_ranges),      T(test_many_ranges),
        T(test_damaged),     T(test_element_fails),
        T(test_client_gone), T(test_few_blocks),
        T(test_who_knows),   T(test_element_away),
        T(test_deletes),     T(test_conditional_deletes),
    };

    return cmocka_run_group_tests_name("downloads", tests, NULL, NULL);
}
