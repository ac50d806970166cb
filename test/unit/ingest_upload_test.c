/* ingest_upload_test.c - uploads over elements in memory: every way in at every
 * seam of the sizes; then the same with the client going away at each moment,
 * with each call of the element failing, and with hardly a block to spare.
 * After each request nothing may be out, and the answer must be true: 201 and
 * the bytes are stored, anything else and they are not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ingest_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define B BLOCK_SIZE

static struct ingest_rig w;

/* ---- the ways in ---- */

enum way { RAW, RAW_PIECES, CHUNKED, FORM, FORM_CHUNKED, WAYS };

static const char *const way_name[] = {"raw", "raw in pieces", "chunked",
                                       "form", "chunked form"};

static const char form_head[] =
    "--x\r\nContent-Disposition: form-data; name=\"file\"; "
    "filename=\"a.bin\"\r\n\r\n";
static const char form_tail[] = "\r\n--x--\r\n";

#define RAW_LINE "POST /api/files/upload?filename=a.bin HTTP/1.1\r\nHost: h"
#define FORM_LINE                                    \
    "POST /api/files/upload HTTP/1.1\r\nHost: h\r\n" \
    "Content-Type: multipart/form-data; boundary=x"

static struct slice
form_of(struct slice file, const char *tail)
{
    size_t a = strlen(form_head), b = strlen(tail);
    char *p = malloc(a + file.n + b);

    assert_non_null(p);
    memcpy(p, form_head, a);
    if (file.n)
        memcpy(p + a, file.p, file.n);
    memcpy(p + a + file.n, tail, b);
    return slice_of(p, a + file.n + b);
}

static uint64_t client_gone_at;

static void
whole(struct exchange_mem *x)
{
    x->gone_at = client_gone_at;
}

static void
pieces(struct exchange_mem *x)
{
    x->no_peek = true;
    x->piece = 10007; /* no seam of ours is a multiple */
    x->gone_at = client_gone_at;
}

static void
send(enum way way, struct slice file)
{
    static const char *const head[] = {
        RAW_LINE,
        RAW_LINE,
        RAW_LINE "\r\nTransfer-Encoding: chunked",
        FORM_LINE,
        FORM_LINE "\r\nTransfer-Encoding: chunked",
    };
    bool form = way >= FORM;
    struct slice body = form ? form_of(file, form_tail) : file;

    ingest_rig_say(&w, head[way], body,
                   way == RAW || way == FORM ? whole : pieces);
    if (form)
        free((char *)(uintptr_t)body.p);
}

/* ---- what must be true of every answer ---- */

static unsigned
files_stored(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < RIG_ELEMENTS; i++)
        n += w.element[i].n_files;
    return n;
}

static bool
stored_right(struct slice file)
{
    struct uuid id;

    if (!uuid_parse(slice_str(ingest_rig_member(&w, "file_id")), &id))
        return false;
    for (unsigned i = 0; i < RIG_ELEMENTS; i++) {
        struct slice got = blob_mem_get(&w.element[i], &id, NULL);

        if (got.p)
            return slice_eq(got, file);
    }
    return false;
}

/* BEFORE: files that were stored already. */
static void
check_true(struct slice file, unsigned before, const char *why)
{
    bool ok = w.x.status == 201;

    if (ok ? !stored_right(file) || files_stored() != before + 1
           : files_stored() != before)
        fail_msg("%s: %d with %u files, %u before: %s", why, w.x.status,
                 files_stored(), before, w.x.body.p ? w.x.body.p : "");
}

static const size_t seams[] = {
    0,           1,     8191,      16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1,
    B - 1,       B,     B + 1,     2 * B,         2 * B + 7, 3 * B,
    4 * B - 100, 4 * B, 4 * B + 1, 6 * B,         32 * B,    33 * B + 5};

static int
set_up(void **state)
{
    (void)state;
    client_gone_at = 0;
    ingest_rig_open(&w, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    ingest_rig_close(&w);
    return 0;
}

static void
test_every_way(void **state)
{
    (void)state;
    for (unsigned blocks = 1; blocks <= 64; blocks *= 64)
        for (size_t i = 0; i < countof(seams); i++)
            for (enum way k = RAW; k < WAYS; k++) {
                struct slice file = ingest_rig_bytes(seams[i]);
                unsigned before = files_stored();

                /* A held body needs all of its blocks, so one is too few. */
                w.loop[0].blocks_max = w.loop[1].blocks_max =
                    blocks == 1 && seams[i] <= 4 * B ? 5 : blocks;
                send(k, file);
                if (w.x.status != 201)
                    fail_msg("%s of %zu: %d %s", way_name[k], seams[i],
                             w.x.status, w.x.body.p);
                check_true(file, before, way_name[k]);
                free((char *)(uintptr_t)file.p);
            }
}

/* The client goes away at the end of its first read, of its second ... */
static void
test_client_gone(void **state)
{
    static const size_t size[] = {1, 20000, B + 1, 3 * B, 6 * B};
    (void)state;

    for (enum way k = RAW; k < WAYS; k++)
        for (size_t i = 0; i < countof(size); i++) {
            struct slice file = ingest_rig_bytes(size[i]);

            for (uint64_t n = 1;; n++) {
                unsigned before = files_stored();

                client_gone_at = n;
                send(k, file);
                check_true(file, before, way_name[k]);
                if (w.x.status == 201)
                    break;
                assert_true(w.x.failed);
                if (n > 40) /* the rest is more of the same */
                    n += 60;
            }
            free((char *)(uintptr_t)file.p);
        }
}

/* The first call of the element fails, then the second ... Alone it is an
 * honest 503 or 507 with nothing kept. */
static void
fail_each(enum err e, bool on)
{
    static const size_t size[] = {0, 20000, B, 3 * B, 6 * B};
    static const int honest[] = {503, 507};

    for (enum way k = RAW; k < WAYS; k++)
        for (size_t i = 0; i < countof(size); i++) {
            struct slice file = ingest_rig_bytes(size[i]);

            for (uint64_t n = 1;; n++) {
                unsigned before = files_stored();

                w.element[0].fail = (struct fail){.at = n, .on = on, .err = e};
                send(k, file);
                check_true(file, before, way_name[k]);
                if (w.element[0].fail.calls < n)
                    break;
                if (w.x.status != honest[e == ERR_NOSPC])
                    fail_msg("%s of %zu, call %llu: %d %s", way_name[k],
                             size[i], (unsigned long long)n, w.x.status,
                             w.x.body.p);
            }
            assert_int_equal(w.x.status, 201);
            free((char *)(uintptr_t)file.p);
        }
}

static void
test_element_fails(void **state)
{
    (void)state;
    fail_each(ERR_IO, false);
    fail_each(ERR_IO, true);
    fail_each(ERR_NOSPC, false);
    fail_each(ERR_AGAIN, false);
}

/* With others to go to, what was not yet on its way is stored there. */
static void
test_others_take_it(void **state)
{
    static const struct {
        enum way way;
        size_t size;
        const char *why;
    } row[] = {
        {RAW, 100, "small"},
        {RAW, 3 * B, "held"},
        {RAW, 6 * B, "admitted before its first byte"},
        {CHUNKED, 6 * B, "admitted when a block of it was here"},
        {CHUNKED, B + 1, "admitted at its end"},
        {FORM, 6 * B, "a form larger than the window"},
        {FORM_CHUNKED, 6 * B, "a form of unknown length"},
    };
    (void)state;

    registry_mem_add(&w.registry, &w.element[1]);
    registry_mem_add(&w.registry, &w.element[2]);
    for (size_t i = 0; i < countof(row); i++) {
        struct slice file = ingest_rig_bytes(row[i].size);

        for (unsigned m = 0; m < 2; m++)
            w.element[m].admit_is = w.element[m].put_is = ERR_NOSPC;
        send(row[i].way, file);
        if (w.x.status != 201)
            fail_msg("%s: %d %s", row[i].why, w.x.status, w.x.body.p);
        check_true(file, (unsigned)i, row[i].why);
        assert_string_equal(ingest_rig_member(&w, "storage_element_id"),
                            "se-2");
        free((char *)(uintptr_t)file.p);
    }
}

static void
one_attempt(struct ingest_conf *c)
{
    c->attempts = 1;
}

/* D28: refusals at admission are no failures and use up no attempt. D06: 507
 * when none has room, with why for each. */
static void
test_refusals_are_no_failures(void **state)
{
    struct slice small = ingest_rig_bytes(100), big = ingest_rig_bytes(6 * B);
    (void)state;

    ingest_rig_close(&w);
    ingest_rig_open(&w, one_attempt);
    registry_mem_add(&w.registry, &w.element[1]);
    registry_mem_add(&w.registry, &w.element[2]);
    w.element[0].admit_is = w.element[0].put_is = ERR_NOSPC;
    w.element[1].admit_is = w.element[1].put_is = ERR_READONLY;
    send(RAW, big);
    assert_int_equal(w.x.status, 201);
    send(RAW, small);
    assert_int_equal(w.x.status, 201);
    for (unsigned i = 1; i < 3; i++)
        w.element[i].admit_is = w.element[i].put_is = ERR_NOSPC;
    for (enum way k = RAW; k < WAYS; k++) {
        send(k, k % 2 ? small : big);
        assert_int_equal(w.x.status, 507);
        assert_non_null(strstr(w.x.body.p, "\"details\":{\"elements\":["));
        assert_non_null(strstr(w.x.body.p, "excluded_full"));
    }
    /* A failure is one: the third is not asked. */
    w.element[0].admit_is = ERR_IO;
    w.element[1].admit_is = w.element[2].admit_is = ERR_OK;
    send(RAW, big);
    assert_int_equal(w.x.status, 503);
    assert_string_equal(ingest_rig_member(&w, "error"), "storage_error");
    assert_true(ingest_rig_has(&w, "Retry-After: "));
    free((char *)(uintptr_t)small.p);
    free((char *)(uintptr_t)big.p);
}

/* D28: a body of unknown length goes where a step of 64 MiB has room; where
 * none has, a short one may still fit. */
static void
test_unknown_length(void **state)
{
    struct slice big = ingest_rig_bytes(B + 1), small = ingest_rig_bytes(10);
    (void)state;

    registry_mem_add(&w.registry, &w.element[1]);
    w.element[0].shows.available = 10 * MIB;
    send(CHUNKED, big);
    assert_int_equal(w.x.status, 201);
    assert_string_equal(ingest_rig_member(&w, "storage_element_id"), "se-1");
    assert_int_equal(w.element[0].admitted, 0);
    w.element[1].shows.available = 10 * MIB;
    send(CHUNKED, small);
    assert_int_equal(w.x.status, 201);
    free((char *)(uintptr_t)big.p);
    free((char *)(uintptr_t)small.p);
}

static void
few_blocks(struct ingest_conf *c)
{
    c->block_budget = 6 * B;
}

static void
on_loop_0(struct exchange_mem *x)
{
    x->exchange.loop = &w.loop[0].loop;
}

/* Two that may be kept for replay and together need more blocks than there are:
 * neither may wait for ever for what the other has. */
static void
test_no_deadlock_over_blocks(void **state)
{
    struct slice file = ingest_rig_bytes(4 * B);
    struct serve_app *app;
    struct exchange_mem other;
    (void)state;

    ingest_rig_close(&w);
    ingest_rig_open(&w, few_blocks);
    w.loop[0].blocks_max = 6;
    app = router_app(w.router);
    exchange_mem_init(&other, &w.loop[0].loop, RAW_LINE "\r\n\r\n");
    exchange_mem_body(&other, file);
    app->begin(app, &other.exchange);
    ingest_rig_say(&w, RAW_LINE, file, on_loop_0);
    assert_int_equal(w.x.status, 201);
    assert_true(other.ended);
    assert_int_equal(other.status, 201);
    exchange_mem_release(&other);
    free((char *)(uintptr_t)file.p);
}

/* A large upload moves to the gathering loop: its call must not go back to the
 * spare ones of the loop that it came from, which another thread uses. */
static void
test_moved_call(void **state)
{
    struct slice big = ingest_rig_bytes(B + 1);
    struct exchange_mem *x = &w.x;
    void *call;
    (void)state;

    send(RAW, big);
    assert_ptr_equal(x->exchange.loop, &w.loop[0].loop);
    call = x->exchange.role;
    send(RAW, slice_head(big, 10)); /* stays on loop 1 */
    assert_ptr_equal(x->exchange.loop, &w.loop[1].loop);
    assert_ptr_not_equal(x->exchange.role, call);
    free((char *)(uintptr_t)big.p);
}

/* ---- what clients say ---- */

/* What follows the file in a form is bounded by the scanner, not by how it came
 * in pieces. */
static void
test_long_text_behind_the_file(void **state)
{
    static const size_t size[] = {10, 20000, B - 40, B, 2 * B + 9};
    char *tail = malloc(64 * 1024), *p = tail;
    (void)state;

    for (unsigned i = 0; i < 7; i++) {
        p += sprintf(p,
                     "\r\n--x\r\nContent-Disposition: form-data; "
                     "name=\"other%u\"\r\n\r\n",
                     i);
        memset(p, 'y', 7000);
        p += 7000;
    }
    p += sprintf(p, "\r\n--x\r\nContent-Disposition: form-data; "
                    "name=\"content_type\"\r\n\r\ntext/late");
    strcpy(p, form_tail);
    for (size_t i = 0; i < countof(size); i++)
        for (unsigned k = 0; k < 2; k++) {
            struct slice file = ingest_rig_bytes(size[i]);
            struct slice body = form_of(file, tail);

            ingest_rig_say(&w, FORM_LINE, body, k ? pieces : whole);
            if (w.x.status != 201)
                fail_msg("%zu: %d %s", size[i], w.x.status, w.x.body.p);
            assert_true(stored_right(file));
            assert_string_equal(ingest_rig_member(&w, "content_type"),
                                "text/late");
            free((char *)(uintptr_t)file.p);
            free((char *)(uintptr_t)body.p);
        }
    free(tail);
}

/* A digest that was sent is checked, whatever the body calls itself. */
static void
test_digests(void **state)
{
    static const struct {
        const char *head;
        const char *body; /* NULL: "hello" as it is */
        int status;
        const char *why;
    } row[] = {
#define MD5(x)    "\r\nContent-MD5: " x
#define RIGHT     "XUFAKrxLKna5cZ2REBfFkg=="
#define WRONG     "AAAAAAAAAAAAAAAAAAAAAA=="
#define SHA_WRONG "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
        {RAW_LINE MD5(RIGHT), NULL, 201, "it is right"},
        {RAW_LINE MD5(WRONG), NULL, 422, "it is wrong"},
        {RAW_LINE "\r\nRepr-Digest: " SHA_WRONG, NULL, 422, "RFC 9530"},
        {RAW_LINE "\r\nContent-Type: multipart/mixed; boundary=x" MD5(WRONG),
         NULL, 422, "multipart, but no form: the body is the file"},
        {RAW_LINE "\r\nContent-Type: multipart/form-data-x" MD5(WRONG), NULL,
         422, "only begins like a form"},
        {"POST /api/files/upload HTTP/1.1\r\nHost: h\r\nContent-Type: "
         "Multipart/Form-Data; boundary=x" MD5(WRONG),
         "--x\r\nContent-Disposition: form-data; name=\"file\"; "
         "filename=\"a\"\r\n\r\nhello\r\n--x--\r\n",
         201, "of the form, not of the file, however it is spelt"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; name=\"file\"; "
         "filename=\"a\"" MD5(WRONG) "\r\n\r\nhello\r\n--x--\r\n",
         422, "of the part"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; name=\"file\"; "
         "filename=\"a\"\r\n\r\nhello\r\n--x\r\nContent-Disposition: "
         "form-data; name=\"md5\"\r\n\r\n00000000000000000000000000000000"
         "\r\n--x--\r\n",
         422, "in a field behind the file"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        for (unsigned k = 0; k < 2; k++) {
            unsigned before = files_stored();

            ingest_rig_say(&w, row[i].head,
                           slice_str(row[i].body ? row[i].body : "hello"),
                           k ? pieces : whole);
            if (w.x.status != row[i].status)
                fail_msg("%s: %d %s", row[i].why, w.x.status, w.x.body.p);
            assert_int_equal(files_stored() - before, w.x.status == 201);
        }
}

/* Refusals of what the client did are 4xx, and keep nothing. */
static void
test_refusals(void **state)
{
    static const struct {
        const char *head, *body;
        int status;
        const char *code, *why;
    } row[] = {
        {"POST /api/files/upload HTTP/1.1\r\nHost: h", "x", 400,
         "missing_filename", "raw, without a name"},
        {RAW_LINE "\r\nX-TTL-Days: 0", "x", 400, "invalid_ttl_days", "zero"},
        {RAW_LINE "\r\nX-TTL-Days: 3\r\nX-TTL-Days: 4", "x", 400,
         "ttl_days_conflict", "which of the two?"},
        {RAW_LINE "\r\nX-Metadata: []", "x", 400, "invalid_metadata",
         "no object"},
        {RAW_LINE "\r\nX-Retention-Policy: for ever", "x", 400,
         "invalid_retention_policy", "neither word"},
        {RAW_LINE "\r\nContent-MD5: zz", "x", 400, "invalid_checksum",
         "no base64"},
        {RAW_LINE "\r\nContent-Range: bytes 4-4/5", "x", 400, "partial_upload",
         "curl -C 4: the first four bytes are not here"},
        {FORM_LINE "\r\nContent-Range: bytes 0-0/5", "x", 400, "partial_upload",
         "forms are sent in parts, too"},
        {RAW_LINE "\r\nContent-Encoding: gzip", "x", 415,
         "unsupported_encoding", "it would come back as what it is not"},
        {FORM_LINE "\r\nContent-Encoding: identity, br", "x", 415,
         "unsupported_encoding", "a form, with one of two"},
        {FORM_LINE, "", 400, "invalid_multipart", "an empty body"},
        {FORM_LINE, "--x--\r\n", 400, "missing_file", "no part at all"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; "
         "name=\"file\"; filename=\"a\"\r\n\r\nhel",
         400, "invalid_multipart", "cut in the middle of the file"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; "
         "name=\"file\"; filename=\"a\"\r\n\r\nhel\r\n--x\r\n"
         "Content-Disposition: form-data; name=\"file\"; filename=\"b\""
         "\r\n\r\nlo\r\n--x--\r\n",
         400, "too_many_files", "two of them"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; "
         "name=\"file\"; filename=\"a\"\r\n\r\nhel\r\n--x\r\n"
         "Content-Disposition: form-data; name=\"retention_policy\"\r\n\r\n"
         "PERMANENT\r\n--x--\r\n",
         400, "retention_too_late", "D38"},
        {"POST /api/files/upload HTTP/1.1\r\nHost: h\r\nContent-Type: "
         "multipart/form-data",
         "--x--\r\n", 400, "invalid_multipart", "a form without a boundary"},
        {RAW_LINE "\r\nX-Retention-Policy: PERMANENT\r\nX-TTL-Days: 3", "x",
         400, "ttl_days_conflict", "it would not expire"},
        {"POST /api/files/upload?filename=a&ttl_day=3 HTTP/1.1\r\nHost: h", "x",
         400, "invalid_query", "it would not expire either"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; name=\"ttl\"\r\n\r\n7\r\n"
         "--x\r\nContent-Disposition: form-data; "
         "name=\"file\"; filename=\"a\"\r\n\r\nhel\r\n--x--\r\n",
         400, "unknown_field", "nearly ttl_days"},
        {FORM_LINE,
         "--x\r\nContent-Disposition: form-data; "
         "name=\"file\"; filename=\"a\"\r\n\r\nhel\r\n--x\r\n"
         "Content-Disposition: form-data; name=\"md5sum\"\r\n\r\n00\r\n"
         "--x--\r\n",
         400, "unknown_field", "nearly md5, behind the file"},
        {"POST /api/files/upload?filename=a&retention_policy=PERMANENT "
         "HTTP/1.1\r\nHost: h",
         "x", 503, "no_available_storage", "no element of mode rw (ING-104)"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        for (unsigned k = 0; k < 2; k++) {
            ingest_rig_say(&w, row[i].head, slice_str(row[i].body),
                           k ? pieces : whole);
            if (w.x.status != row[i].status ||
                strcmp(ingest_rig_member(&w, "error"), row[i].code) != 0)
                fail_msg("%s: %d %s", row[i].why, w.x.status, w.x.body.p);
            assert_int_equal(ingest_rig_has(&w, "Accept-Encoding: identity\n"),
                             row[i].status == 415);
            assert_int_equal(files_stored(), 0);
        }
    ingest_rig_say(&w, RAW_LINE "\r\nContent-Encoding: Identity", SLICE("x"),
                   whole);
    check_true(SLICE("x"), 0, "no encoding at all");
}

static void
small_files(struct ingest_conf *c)
{
    c->file_max = 2 * B;
}

/* ---- digests behind the body ---- */

static struct http_field digest_behind;

static void
with_trailer(struct exchange_mem *x)
{
    pieces(x);
    x->exchange.trailer = &digest_behind;
    x->exchange.n_trailers = 1;
}

/* They count like those of the head; but those of a form are not the file's. */
static void
test_trailers(void **state)
{
    static const struct {
        const char *head, *name, *value;
        int status;
        const char *why;
    } row[] = {
        {RAW_LINE, "Content-Digest", "md5=:XUFAKrxLKna5cZ2REBfFkg==:", 201,
         "of these bytes"},
        {RAW_LINE, "Repr-Digest", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", 422,
         "of others"},
        {RAW_LINE "\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==", "Content-Digest",
         "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", 400, "contradicts the head"},
        {RAW_LINE, "Content-Digest", "sha-256=5", 400, "malformed"},
        {RAW_LINE, "X-TTL-Days", "0", 201, "only digests come so late"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        char head[256];
        unsigned before = files_stored();

        digest_behind = (struct http_field){slice_str(row[i].name),
                                            slice_str(row[i].value)};
        (void)snprintf(head, sizeof(head), "%s\r\nTransfer-Encoding: chunked",
                       row[i].head);
        ingest_rig_say(&w, head, SLICE("hello"), with_trailer);
        if (w.x.status != row[i].status)
            fail_msg("%s: %d %s", row[i].why, w.x.status, w.x.body.p);
        check_true(SLICE("hello"), before, row[i].why);
    }
    digest_behind = (struct http_field){
        SLICE("Content-Digest"), SLICE("md5=:AAAAAAAAAAAAAAAAAAAAAA==:")};
    ingest_rig_say(&w, FORM_LINE "\r\nTransfer-Encoding: chunked",
                   SLICE("--x\r\nContent-Disposition: form-data; "
                         "name=\"file\"; filename=\"a\"\r\n\r\nhello"
                         "\r\n--x--\r\n"),
                   with_trailer);
    assert_int_equal(w.x.status, 201);
}

static void
test_too_large(void **state)
{
    struct slice fits = ingest_rig_bytes(2 * B),
                 over = ingest_rig_bytes(2 * B + 1);
    (void)state;

    ingest_rig_close(&w);
    ingest_rig_open(&w, small_files);
    for (enum way k = RAW; k < WAYS; k++) {
        send(k, over);
        assert_int_equal(w.x.status, 413);
        assert_int_equal(files_stored(), k);
        send(k, fits);
        assert_int_equal(w.x.status, 201);
    }
    free((char *)(uintptr_t)fits.p);
    free((char *)(uintptr_t)over.p);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_every_way),
        T(test_client_gone),
        T(test_element_fails),
        T(test_others_take_it),
        T(test_refusals_are_no_failures),
        T(test_unknown_length),
        T(test_no_deadlock_over_blocks),
        T(test_moved_call),
        T(test_long_text_behind_the_file),
        T(test_digests),
        T(test_refusals),
        T(test_trailers),
        T(test_too_large),
    };

    return cmocka_run_group_tests_name("uploads", tests, NULL, NULL);
}
