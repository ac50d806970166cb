/* blob_remote_test.c - an element far away whose answers are made up: what they
 * mean, whoever gave them, and what is done when there is none (D26, D27).
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "port/blob_story.h"
#include "port/fetch_mem.h"
#include "role/common/blob_remote.h"
#include "wire/blobs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SEGMENT ((uint64_t)2 * BLOCK_SIZE)

static struct loop_mem loop;
static struct fetch_mem fetch;
static struct blob_story s;

/* What is answered, and what was asked. */
static struct {
    int status;
    const char *body;
    unsigned asked;
    /* of attempts */
    bool away;             /* gives no answer to an abort */
    unsigned stored;       /* number of the file that it has; 0: none */
    unsigned puts, aborts; /* asked for */
    char withdraw[65];     /* in the last abort */
    struct dur patience;   /* of whoever asked last */
    unsigned appends;
    uint64_t length[4]; /* of their requests */
} far;

static void
answer_file(struct fetch_mem_call *c, const char *state, unsigned i)
{
    struct json_writer w;
    struct file_attr a;
    struct buf b;

    story_attr(&a, i, 100);
    a.file_id.b[15] = 1; /* whatever it is, it is under this id */
    a.seq = 7;
    buf_init(&b, MIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    if (state)
        json_put_text(&w, "state", state);
    if (i)
        blobs_put_attr(&w, "file", &a);
    json_end_object(&w);
    fetch_mem_answer(c, 200, buf_slice(&b));
    buf_release(&b);
}

static void
answer_abort(struct fetch_mem_call *c)
{
    const char *at = strstr(c->target.p, "?withdraw=");

    far.aborts++;
    far.withdraw[0] = '\0';
    if (at)
        (void)slice_copy(slice_of(at + 10, 64), far.withdraw,
                         sizeof(far.withdraw));
    if (far.away) {
        fetch.lost++;
        fetch_mem_answer(c, 200, SLICE(""));
        return;
    }
    if (at)
        far.stored = 0;
    answer_file(c, far.stored ? "published" : "aborted", far.stored);
}

static void
answer_append(struct fetch_mem_call *c)
{
    const char *off = strstr(c->target.p, "?off=");
    char text[64];

    assert_non_null(off);
    assert_true(far.appends < countof(far.length));
    far.length[far.appends++] = c->length;
    snprintf(text, sizeof(text), "{\"offset\":%llu}",
             strtoull(off + 5, NULL, 10) + c->body.n - FOOTER_SIZE);
    fetch_mem_answer(c, 200, slice_str(text));
}

static void
answer(void *arg, struct fetch_mem_call *c)
{
    (void)arg;
    far.asked++;
    far.patience = c->patience;
    if (strstr(c->target.p, "/abort")) {
        answer_abort(c);
        return;
    }
    far.puts += strstr(c->target.p, "/put?") || strstr(c->target.p, "/publish");
    if (strstr(c->target.p, "/admit"))
        fetch_mem_answer(c, 200, SLICE("{\"offset\":0}"));
    else if (strstr(c->target.p, "/append"))
        answer_append(c);
    else
        fetch_mem_answer(c, far.status, slice_str(far.body));
}

static int
set_up(void **state)
{
    static const struct hash_cpu portable;
    const struct blob_remote_conf conf = {.element_id = "se-01",
                                          .url = "http://far.test",
                                          .hash = hash_select(&portable, "c"),
                                          .segment_max = SEGMENT};
    struct fault f;
    (void)state;

    memset(&far, 0, sizeof(far));
    loop_mem_init(&loop);
    fetch_mem_init(&fetch, answer, NULL);
    s = (struct blob_story){.loop = &loop};
    assert_int_equal(blob_remote_open(&s.blob, &fetch.fetch, &conf, &f),
                     ERR_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    blob_remote_close(&s.blob);
    loop_mem_settle(&loop);
    assert_int_equal(fetch.peers, 0);
    loop_mem_release(&loop);
    return 0;
}

/* "There is no such file" is said by elements only. */
static void
test_refusals(void **state)
{
    static const char page[] = "<html><body>nginx</body></html>";
    static const struct {
        int status;
        const char *body;
        enum err err;
        const char *why;
    } row[] = {
        {404, "{\"error\":\"file_not_found\",\"message\":\"\"}", ERR_NOENT,
         "an element that does not have it"},
        {404, "{\"error\":\"not_found\",\"message\":\"no such path\"}", ERR_IO,
         "a server that is no element"},
        {404, page, ERR_IO, "a proxy that knows no such path"},
        {404, "", ERR_IO, "nothing but a status"},
        {502, page, ERR_IO, "a proxy that does not reach it"},
        {503, page, ERR_IO, "a proxy that knows it to be away"},
        {504, page, ERR_TIMEOUT, "a proxy that has waited"},
        {503, "{\"error\":\"again\",\"message\":\"\"}", ERR_AGAIN,
         "an element that asks for patience"},
        {503, "{\"error\":\"overloaded\",\"message\":\"\"}", ERR_AGAIN,
         "its server does"},
        {500, "{\"error\":\"corrupt\",\"message\":\"\"}", ERR_CORRUPT,
         "by name, whatever the status"},
    };
    (void)state;

    for (unsigned i = 0; i < countof(row); i++) {
        struct blob_reader *rd;
        enum err e;

        far.status = row[i].status;
        far.body = row[i].body;
        far.asked = 0;
        e = story_open(&s, 1, &rd);
        if (e != row[i].err || far.asked != 1)
            fail_msg("%s: %s, asked %u times", row[i].why, err_name(e),
                     far.asked);
    }
}

/* A client waits for these, and an element needs no time for them; a commit may
 * take as long as whoever opened the element says. */
static void
test_patience(void **state)
{
    struct blob_reader *rd;
    (void)state;

    far.status = 507;
    far.body = "{\"error\":\"no_space\",\"message\":\"\"}";
    (void)story_open(&s, 1, &rd);
    assert_int_equal(far.patience.ns, dur_s(5).ns);
    far.patience.ns = 0;
    (void)story_delete(&s, 1);
    assert_int_equal(far.patience.ns, dur_s(5).ns);
    (void)story_put(&s, 1, 1, NULL);
    assert_int_equal(far.puts, 1);
    assert_int_equal(far.patience.ns, 0);
}

/* ---- attempts in doubt ---- */

static void
put_done(struct blob_put *r)
{
    *(bool *)r->priv = true;
}

/* File 1, of 100 bytes; what came of it is in A and *UNSURE. */
static enum err
put(struct file_attr *a, bool *unsure)
{
    bool done = false;
    char bytes[100];
    struct blob_put r = {.loop = &loop.loop,
                         .done = put_done,
                         .attempt = 3,
                         .attr = a,
                         .data = bytes,
                         .priv = &done};

    story_attr(a, 1, sizeof(bytes));
    a->file_id.b[15] = 1;
    story_fill(1, 0, bytes, sizeof(bytes));
    s.blob->ops->put(s.blob, &r);
    loop_mem_settle(&loop);
    assert_true(done);
    *unsure = r.unsure;
    return r.err;
}

/* The last answer does not come, or comes from somebody else. */
static void
test_doubt(void **state)
{
    static const struct {
        unsigned lost; /* answers to puts */
        int status;
        const char *body;
        unsigned stored;
        enum err err;
        uint64_t seq;
        const char *why;
    } row[] = {
        {2, 200, "", 1, ERR_OK, 7, "it was stored: that is the answer"},
        {2, 200, "", 0, ERR_IO, 0, "it was not"},
        {2, 200, "", 2, ERR_CONFLICT, 0, "something else is"},
        {0, 502, "<html>", 1, ERR_OK, 7, "a proxy has lost the answer"},
        {0, 504, "", 1, ERR_OK, 7, "a proxy has not waited"},
        {0, 504, "", 0, ERR_TIMEOUT, 0, "and it was not stored"},
        {0, 200, "<html>", 1, ERR_OK, 7, "another answer than an element's"},
    };
    (void)state;

    for (unsigned i = 0; i < countof(row); i++) {
        struct file_attr a;
        bool unsure;
        enum err e;

        far.aborts = 0;
        far.stored = row[i].stored;
        far.status = row[i].status;
        far.body = row[i].body;
        fetch.lost = row[i].lost;
        e = put(&a, &unsure);
        if (e != row[i].err || unsure || far.aborts != 1 ||
            a.seq != row[i].seq || far.withdraw[0])
            fail_msg("%s: %s, %u aborts", row[i].why, err_name(e), far.aborts);
    }
}

/* D10: the element's word, not the gateway's setting, is what clients hear. */
static void
test_durability(void **state)
{
    static const char *const says[] = {"", ",\"durability\":\"relaxed\"",
                                       ",\"durability\":\"strict\""};
    bool done;
    (void)state;

    for (unsigned i = 0; i < countof(says); i++) {
        struct json_writer w;
        struct file_attr a;
        struct blob_put r = {.loop = &loop.loop,
                             .done = put_done,
                             .attempt = 1,
                             .attr = &a,
                             .data = "",
                             .relaxed = i != 1,
                             .priv = &done};
        struct buf b;

        story_attr(&a, 1, 0);
        buf_init(&b, MIB);
        json_begin(&w, &b);
        json_put_object(&w, NULL);
        blobs_put_attr(&w, "file", &a);
        buf_printf(&b, "%s}", says[i]);
        far.status = 200;
        far.body = buf_str(&b);
        s.blob->ops->put(s.blob, &r);
        loop_mem_settle(&loop);
        assert_int_equal(r.err, ERR_OK);
        assert_int_equal(r.relaxed, i == 1);
        buf_release(&b);
    }
}

/* What an element says itself is no doubt: nothing more is asked. */
static void
test_no_doubt(void **state)
{
    struct file_attr a;
    bool unsure;
    (void)state;

    far.status = 507;
    far.body = "{\"error\":\"no_space\",\"message\":\"\"}";
    assert_int_equal(put(&a, &unsure), ERR_NOSPC);
    assert_false(unsure);
    assert_int_equal(far.asked, 1);
}

static void
poll(void)
{
    struct blob_capacity c = {.seq = 1};

    blob_remote_set_capacity(s.blob, &c);
    loop_mem_settle(&loop);
}

/* The element does not answer at all: then it is owed, for as long as it takes,
 * and paid once. */
static void
test_owed(void **state)
{
    struct file_attr a;
    bool unsure;
    (void)state;

    poll();
    assert_int_equal(far.asked, 0);
    far.away = true;
    far.stored = 1;
    fetch.lost = 2;
    far.status = 200;
    far.body = "";
    assert_int_equal(put(&a, &unsure), ERR_IO);
    assert_true(unsure);
    assert_int_equal(far.puts, 2);
    far.aborts = 0;
    for (unsigned i = 1; i <= 5; i++) { /* and once more each, as asks are */
        poll();
        assert_int_equal(far.aborts, 2 * i);
    }
    assert_int_equal(far.stored, 1);
    far.away = false;
    far.aborts = 0;
    poll();
    assert_int_equal(far.stored, 0);
    assert_int_equal(far.aborts, 1);
    assert_int_equal(strlen(far.withdraw), 64);
    poll();
    assert_int_equal(far.aborts, 1);
}

/* Many: all of them when it answers; the element moves meanwhile. */
static void
test_owed_moves(void **state)
{
    const struct blob_remote_conf conf = {.element_id = "se-01",
                                          .url = "http://other.test"};
    struct blob *was = s.blob;
    struct file_attr a;
    struct fault f;
    bool unsure;
    (void)state;

    far.away = true;
    far.status = 200;
    far.body = "";
    for (unsigned i = 0; i < 300; i++) { /* more than are remembered */
        fetch.lost = 2;
        assert_int_equal(put(&a, &unsure), ERR_IO);
    }
    assert_int_equal(blob_remote_open(&s.blob, &fetch.fetch, &conf, &f),
                     ERR_OK);
    blob_remote_inherit(s.blob, was);
    blob_remote_close(&was);
    far.away = false;
    far.aborts = 0;
    poll();
    assert_int_equal(far.aborts, 256);
}

/* The same for a body in blocks. */
static void
test_publish(void **state)
{
    struct file_attr a;
    (void)state;

    far.status = 200;
    far.body = "";
    far.stored = 0;
    assert_int_equal(story_upload(&s, 1, 100, true, &a), ERR_IO);
    assert_int_equal(far.aborts, 1);
    far.status = 504;
    assert_int_equal(story_upload(&s, 1, 100, true, &a), ERR_TIMEOUT);
    far.stored = 1;
    assert_int_equal(story_upload(&s, 1, 100, true, &a), ERR_OK);
    assert_int_equal(a.seq, 7);
    assert_int_equal(far.puts, 3);
    assert_int_equal(far.aborts, 3);
}

/* A promised size is the length of the requests, so that no proxy takes them
 * apart; a size that is not known makes them chunked. */
static void
test_segments(void **state)
{
    static const struct {
        uint64_t size;
        unsigned n;
        uint64_t last;
        const char *why;
    } row[] = {
        {1, 1, 1, "a byte"},
        {SEGMENT, 1, SEGMENT, "all of one"},
        {SEGMENT + 1, 2, 1, "a byte more"},
        {2 * SEGMENT + BLOCK_SIZE, 3, BLOCK_SIZE, "ends with a block"},
    };
    (void)state;

    far.status = 507;
    far.body = "{\"error\":\"no_space\",\"message\":\"\"}";
    for (unsigned i = 0; i < 2 * countof(row); i++) {
        bool known = i % 2;

        far.appends = 0;
        assert_int_equal(story_upload(&s, 1, row[i / 2].size, known, NULL),
                         ERR_NOSPC);
        if (far.appends != row[i / 2].n)
            fail_msg("%s: %u segments", row[i / 2].why, far.appends);
        for (unsigned k = 0; k < far.appends; k++) {
            uint64_t n = k + 1 < far.appends ? SEGMENT : row[i / 2].last;

            if (far.length[k] != (known ? n + FOOTER_SIZE : FETCH_CHUNKED))
                fail_msg("%s: segment %u", row[i / 2].why, k);
        }
    }
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_refusals),   T(test_doubt),      T(test_no_doubt),
        T(test_owed),       T(test_owed_moves), T(test_publish),
        T(test_durability), T(test_segments),   T(test_patience),
    };

    return cmocka_run_group_tests_name("blob_remote", tests, NULL, NULL);
}
