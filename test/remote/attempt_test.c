/* attempt_test.c - what an element answers over HTTP to each request as text:
 * footers that fit and that do not, repetitions, leases, modes, a full table
 * (D26, D27). SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "hash/hash.h"
#include "remote_world.h"
#include "wire/blobs.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct remote_world *world;
static struct loop_mem loop;
static struct blob_story at_element;
static struct buf body, answer;

static int
open_all(int64_t lease_s)
{
    const struct remote_conf conf = {
        .loop = "auto", .lease = dur_s(lease_s), .attempts_max = 3};

    buf_init(&body, MIB);
    buf_init(&answer, MIB);
    loop_mem_init(&loop);
    world = remote_world_open(&conf);
    at_element =
        (struct blob_story){.loop = &loop, .blob = remote_world_element(world)};
    return 0;
}

/* Longer than any pause of a loaded machine between two requests. */
static int
set_up(void **state)
{
    (void)state;
    return open_all(120);
}

static int
set_up_short(void **state)
{
    (void)state;
    return open_all(1);
}

static int
tear_down(void **state)
{
    (void)state;
    remote_world_close(&world);
    loop_mem_release(&loop);
    buf_release(&body);
    buf_release(&answer);
    return 0;
}

/* ---- requests ---- */

static int
dial(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons((uint16_t)remote_world_port(world));
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void
send_all(int fd, const void *p, size_t n)
{
    assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* The status; the answer's text is in `answer`. */
static int
hear(int fd)
{
    char b[4096];
    ssize_t n;

    buf_clear(&answer);
    while ((n = recv(fd, b, sizeof(b), 0)) > 0)
        buf_add(&answer, b, (size_t)n);
    (void)close(fd);
    assert_true(answer.n > 12);
    return atoi(answer.p + 9);
}

/* One request about attempt NUMBER of file I with `body`, by one of two
 * framings. */
static int
ask(const char *method, unsigned i, unsigned number, const char *verb,
    bool chunked)
{
    struct file_attr a;
    char id[UUID_TEXT], head[512];
    int fd = dial(), n;

    story_attr(&a, i, 0);
    n = snprintf(head, sizeof(head),
                 "%s /api/v1/blobs/%s/%u/%s HTTP/1.1\r\nHost: h\r\n"
                 "Connection: close\r\n",
                 method, uuid_text(&a.file_id, id), number, verb);
    send_all(fd, head, (size_t)n);
    if (chunked)
        n = snprintf(head, sizeof(head),
                     "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", body.n);
    else
        n = snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", body.n);
    send_all(fd, head, (size_t)n);
    if (body.n)
        send_all(fd, body.p, body.n);
    if (chunked)
        send_all(fd, "\r\n0\r\n\r\n", 7);
    return hear(fd);
}

static uint32_t
crc_of(const void *p, size_t n)
{
    static const struct hash_cpu portable;

    return hash_crc32c(hash_select(&portable, "c"), 0, p, n);
}

static void
add_footer(int64_t length_off, uint32_t crc_flip)
{
    struct footer f = {body.n + (uint64_t)length_off,
                       crc_of(body.p, body.n) ^ crc_flip};
    uint8_t b[FOOTER_SIZE];

    footer_encode(&f, b);
    buf_add(&body, b, sizeof(b));
}

static int
admit(unsigned i, unsigned number)
{
    buf_clear(&body);
    buf_add_str(&body, "{\"size\":null}");
    return ask("POST", i, number, "admit", false);
}

static int
append(unsigned i, unsigned number, unsigned off, size_t n, bool chunked)
{
    char verb[32];

    buf_clear(&body);
    for (size_t k = 0; k < n; k++)
        buf_add_char(&body, (char)story_byte(i, off + k));
    add_footer(0, 0);
    snprintf(verb, sizeof(verb), "append?off=%u", off);
    return ask("PUT", i, number, verb, chunked);
}

static void
file_json(unsigned i, size_t n)
{
    struct json_writer w;
    struct file_attr a;

    story_attr(&a, i, n);
    json_begin(&w, &body);
    blobs_put_attr(&w, NULL, &a);
}

static int
publish(unsigned i, unsigned number, size_t n, uint32_t flip)
{
    char *p = malloc(n + 1);
    uint32_t crc;

    assert_non_null(p);
    story_fill(i, 0, p, n);
    crc = crc_of(p, n) ^ flip;
    free(p);
    buf_clear(&body);
    buf_printf(&body, "{\"length\":%zu,\"crc32c\":\"%08x\",\"file\":", n, crc);
    file_json(i, n);
    buf_add_char(&body, '}');
    return ask("POST", i, number, "publish", false);
}

static int
give_up(unsigned i, unsigned number)
{
    buf_clear(&body);
    return ask("POST", i, number, "abort", false);
}

static bool
says(const char *what)
{
    return strstr(buf_str(&answer), what) != NULL;
}

static enum err
there(unsigned i, size_t n)
{
    return story_check(&at_element, i, n, true);
}

/* ---- footers ---- */

static const struct {
    size_t cut; /* bytes missing at the end */
    int64_t length;
    uint32_t flip;
    size_t extra; /* bytes too many behind it */
    const char *why;
} bad[] = {
    {0, 1, 0, 0, "another length"},   {0, -1, 0, 0, "a byte too many"},
    {0, 0, 1, 0, "other bytes"},      {1, 0, 0, 0, "the footer is cut"},
    {16, 0, 0, 0, "there is none"},   {0, 0, 0, 1, "something behind it"},
    {60, 0, 0, 0, "hardly anything"},
};

/* By both framings: nothing is published without a footer that fits, and the
 * attempt is over. */
static void
test_footers(void **state)
{
    (void)state;

    for (unsigned k = 0; k < 2 * countof(bad); k++) {
        unsigned i = 100 + k, b = k / 2;
        bool chunked = k % 2;

        assert_int_equal(admit(i, 1), 200);
        buf_clear(&body);
        for (size_t n = 0; n < 50; n++)
            buf_add_char(&body, (char)story_byte(i, n));
        add_footer(bad[b].length, bad[b].flip);
        body.n -= bad[b].cut;
        for (size_t n = 0; n < bad[b].extra; n++)
            buf_add_char(&body, 'x');
        if (ask("PUT", i, 1, "append?off=0", chunked) != 400)
            fail_msg("%s: %s", bad[b].why, buf_str(&answer));
        assert_int_equal(publish(i, 1, 50, 0), 409);
        assert_int_equal(there(i, 50), ERR_NOENT);
        assert_int_equal(admit(i, 1), 409); /* given up for good */
        assert_int_equal(admit(i, 2), 200); /* a later one may come */
        assert_int_equal(give_up(i, 2), 200);
    }
    /* A put that breaks has left no trace: the same attempt may come again. */
    for (unsigned round = 0; round < 2; round++) {
        size_t head;
        char verb[32];

        buf_clear(&body);
        buf_add_str(&body, "{\"file\":");
        file_json(1, 50);
        buf_add_char(&body, '}');
        head = body.n;
        for (size_t n = 0; n < 50; n++)
            buf_add_char(&body, (char)story_byte(1, n));
        add_footer(0, round == 0);
        snprintf(verb, sizeof(verb), "put?head=%zu", head);
        assert_int_equal(ask("PUT", 1, 1, verb, false), round ? 200 : 400);
        assert_int_equal(there(1, 50), round ? ERR_OK : ERR_NOENT);
    }
}

/* Bodies of every length around the blocks, by both framings: where the footer
 * lies must not matter. */
static void
test_seams(void **state)
{
    static const size_t lengths[] = {
        0,
        1,
        BLOCK_SIZE - 17,
        BLOCK_SIZE - 16,
        BLOCK_SIZE - 15,
        BLOCK_SIZE - 1,
        BLOCK_SIZE,
        BLOCK_SIZE + 1,
        2 * BLOCK_SIZE - 16,
        2 * BLOCK_SIZE,
        2 * BLOCK_SIZE + 1,
    };
    (void)state;

    for (unsigned k = 0; k < 2 * countof(lengths); k++) {
        size_t n = lengths[k / 2];

        assert_int_equal(admit(200 + k, 1), 200);
        assert_int_equal(append(200 + k, 1, 0, n, k % 2), 200);
        assert_int_equal(publish(200 + k, 1, n, 0), 200);
        if (there(200 + k, n) != ERR_OK)
            fail_msg("%zu bytes, %s", n, k % 2 ? "chunked" : "of known length");
    }
}

/* ---- repetitions ---- */

static void
test_again(void **state)
{
    (void)state;

    assert_int_equal(admit(1, 1), 200);
    assert_int_equal(admit(1, 1), 200); /* its answer was lost */
    assert_true(says("\"offset\":0"));
    assert_int_equal(append(1, 1, 0, 50, true), 200);
    assert_int_equal(append(1, 1, 0, 50, true), 409); /* never twice */
    assert_true(says("\"offset\":50"));
    assert_int_equal(append(1, 1, 50, 50, true), 409); /* behind a short one */
    assert_int_equal(publish(1, 1, 50, 0), 200);
    assert_true(says("\"seq\":1,"));
    assert_int_equal(publish(1, 1, 50, 0), 200); /* the first result */
    assert_true(says("\"seq\":1,"));
    assert_int_equal(publish(1, 1, 51, 0), 409); /* other content */
    remote_world_restart(world);
    at_element.blob = remote_world_element(world);
    assert_int_equal(publish(1, 1, 50, 0), 200); /* also after a restart */
    assert_true(says("\"seq\":1,"));
    /* Too late, and says so; what is published stays. */
    assert_int_equal(give_up(1, 1), 200);
    assert_true(says("\"published\""));
    assert_int_equal(there(1, 50), ERR_OK);
}

/* The gateway has counted other bytes than those that came. */
static void
test_total(void **state)
{
    (void)state;

    assert_int_equal(admit(1, 1), 200);
    assert_int_equal(append(1, 1, 0, 50, false), 200);
    assert_int_equal(publish(1, 1, 50, 1), 400);
    assert_int_equal(publish(1, 1, 50, 0), 409);
    assert_int_equal(there(1, 50), ERR_NOENT);
}

/* Abort works in every mode, for attempts that are known, that are not, and
 * twice; its tombstone keeps late requests out (D27). */
static void
test_abort(void **state)
{
    static const enum blob_mode modes[] = {BLOB_EDIT, BLOB_RW, BLOB_RO,
                                           BLOB_AR};
    struct element *e = remote_world_core(world);
    (void)state;

    for (unsigned m = 0; m < countof(modes); m++) {
        assert_int_equal(admit(m, 1), 200);
        assert_int_equal(append(m, 1, 0, 10, true), 200);
        element_set_mode(e, modes[m]);
        assert_int_equal(give_up(m, 1), 200);
        assert_true(says("\"aborted\""));
        assert_int_equal(give_up(m, 1), 200);
        assert_int_equal(give_up(50 + m, 7), 200); /* never heard of */
        element_set_mode(e, BLOB_EDIT);
        assert_int_equal(publish(m, 1, 10, 0), 409);
        assert_int_equal(admit(m, 1), 409);
        assert_int_equal(admit(50 + m, 7), 409);
        assert_int_equal(there(m, 10), ERR_NOENT);
    }
    assert_int_equal(remote_world_attempts(world), 0);
}

/* Published for nobody: it goes in every mode, if it is this content, and does
 * not come again. */
static void
test_withdraw(void **state)
{
    static const enum blob_mode modes[] = {BLOB_EDIT, BLOB_RW, BLOB_RO,
                                           BLOB_AR};
    struct element *e = remote_world_core(world);
    (void)state;

    for (unsigned m = 0; m < countof(modes); m++) {
        char right[100], wrong[100], hex[65];
        struct file_attr a;

        story_attr(&a, m, 10);
        (void)snprintf(right, sizeof(right), "abort?withdraw=%s",
                       hex_encode(a.sha256, sizeof(a.sha256), hex));
        a.sha256[31] ^= 1;
        (void)snprintf(wrong, sizeof(wrong), "abort?withdraw=%s",
                       hex_encode(a.sha256, sizeof(a.sha256), hex));
        assert_int_equal(admit(m, 1), 200);
        assert_int_equal(append(m, 1, 0, 10, true), 200);
        assert_int_equal(publish(m, 1, 10, 0), 200);
        element_set_mode(e, modes[m]);
        buf_clear(&body);
        assert_int_equal(ask("POST", m, 1, "abort?withdraw=12", false), 400);
        assert_int_equal(ask("POST", m, 1, wrong, false), 200);
        assert_true(says("\"published\",\"file\":{"));
        assert_int_equal(there(m, 10), ERR_OK);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(ask("POST", m, 1, right, false), 200);
            assert_true(says("\"aborted\""));
            assert_int_equal(there(m, 10), ERR_NOENT);
        }
        element_set_mode(e, BLOB_EDIT);
        assert_int_equal(publish(m, 1, 10, 0), 409);
        assert_int_equal(admit(m, 2), 409); /* it is deleted */
    }
}

/* The table has a ceiling. */
static void
test_full(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(admit(i, 1), 200);
    assert_int_equal(admit(3, 1), 503);
    assert_true(says("Retry-After"));
}

/* An attempt that nobody speaks for makes room. */
static void
test_lease(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(admit(i, 1), 200);
    for (int k = 0; k < 60000 && remote_world_attempts(world); k++)
        remote_sleep_ms(1);
    assert_int_equal(remote_world_attempts(world), 0);
    assert_int_equal(append(0, 1, 0, 50, true), 409);
    assert_int_equal(admit(0, 1), 409); /* a tombstone stands there */
    assert_int_equal(admit(3, 1), 200);
}

/* Malformed requests are answers. */
static void
test_malformed(void **state)
{
    static const struct {
        const char *method, *verb, *body;
        unsigned number;
        int status;
        const char *why;
    } row[] = {
        {"POST", "admit", "", 1, 400, "no JSON"},
        {"POST", "admit", "[]", 1, 400, "no object"},
        {"POST", "admit", "{\"size\":-1}", 2, 400, "a negative size"},
        {"POST", "admit", "{\"size\":\"1\"}", 2, 400, "a size in words"},
        {"POST", "admit", "{}", 0, 400, "attempts begin at 1"},
        {"POST", "publish", "{}", 1, 400, "nothing in it"},
        {"PUT", "append?off=x", "", 1, 400, "no offset"},
        {"PUT", "append?off=0", "", 9, 409, "an unknown attempt"},
        {"PUT", "put", "{}", 1, 400, "no head"},
        {"PUT", "put?head=2", "{}0123456789abcdef", 1, 400, "no file in it"},
        {"PUT", "put?head=99999999", "{}", 1, 400, "a head too long"},
        {"GET", "admit", "", 1, 405, "another method"},
    };
    (void)state;

    for (size_t k = 0; k < countof(row); k++) {
        int status;

        buf_clear(&body);
        buf_add_str(&body, row[k].body);
        status = ask(row[k].method, 1, row[k].number, row[k].verb, false);
        if (status != row[k].status)
            fail_msg("%s: %d %s", row[k].why, status, buf_str(&answer));
    }
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_footers),
        T(test_seams),
        T(test_again),
        T(test_total),
        T(test_abort),
        T(test_full),
        T(test_malformed),
        T(test_withdraw),
        cmocka_unit_test_setup_teardown(test_lease, set_up_short, tear_down),
    };
    int failed;

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    remote_base_make();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remote_base_remove();
    return failed;
}
