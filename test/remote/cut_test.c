/* cut_test.c - the way between gateway and element is cut at every byte of a
 * request and of its answer. Whatever was acknowledged is there and whole;
 * whatever was not is whole or not there; nothing is left over
 * (ING-076...ING-079, D26, D27).
 * SPDX-License-Identifier: Apache-2.0 */
#include "cutter.h"
#include "remote_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define B ((uint64_t)BLOCK_SIZE)

static struct fetch_http_conf fetch_conf;
static struct remote_conf conf = {.front = cutter_start,
                                  .unfront = cutter_stop,
                                  .fetch = &fetch_conf,
                                  .relaxed = true};
static struct remote_world *world;
static struct loop_mem loop;
static struct blob_story s;
static struct blob_story at_element; /* the same files, without HTTP */
static unsigned next_file;

static int
set_up(void **state)
{
    conf.loop = *state;
    conf.lease = dur_s(10);
    fetch_conf = fetch_http_defaults();
    fetch_conf.first_byte_timeout = dur_s(60); /* nobody waits: it is cut */
    loop_mem_init(&loop);
    world = remote_world_open(&conf);
    s = (struct blob_story){.loop = &loop, .blob = remote_world_blob(world)};
    at_element =
        (struct blob_story){.loop = &loop, .blob = remote_world_element(world)};
    return 0;
}

/* The attempts that nobody could give up end by their lease; then nothing may
 * be left. */
static int
tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 60000 && remote_world_attempts(world); i++)
        remote_sleep_ms(1);
    assert_int_equal(remote_world_attempts(world), 0);
    remote_world_audit(world);
    remote_world_close(&world);
    loop_mem_release(&loop);
    return 0;
}

/* ---- an upload step by step ---- */

static void
flag_admit(struct blob_admit *r)
{
    *(bool *)r->priv = true;
}

static void
flag_append(struct blob_append *r)
{
    *(bool *)r->priv = true;
}

static void
flag_publish(struct blob_publish *r)
{
    *(bool *)r->priv = true;
}

struct upload {
    unsigned i;
    uint64_t size;
    struct file_attr attr;
    struct blob_ticket *ticket;
};

static void
begin(struct upload *u, uint64_t size)
{
    bool done = false;
    struct blob_admit r = {.loop = &loop.loop,
                           .done = flag_admit,
                           .attempt = 1,
                           .size = size,
                           .priv = &done};

    u->i = ++next_file;
    u->size = size;
    story_attr(&u->attr, u->i, size);
    r.file_id = u->attr.file_id;
    s.blob->ops->admit(s.blob, &r);
    loop_mem_settle(&loop);
    assert_true(done);
    assert_int_equal(r.err, ERR_OK);
    u->ticket = r.ticket;
}

static enum err
append(struct upload *u)
{
    struct block *b = loop_block_get(&loop.loop);
    enum err e = ERR_OK;

    for (uint64_t off = 0; off < u->size && e == ERR_OK; off += B) {
        bool done = false;
        struct blob_append r = {.loop = &loop.loop,
                                .done = flag_append,
                                .ticket = u->ticket,
                                .block = b,
                                .last = off + B >= u->size,
                                .priv = &done};

        b->len = (uint32_t)u64_min(B, u->size - off);
        b->state = BLOCK_WRITE;
        story_fill(u->i, off, b->data, b->len);
        s.blob->ops->append(s.blob, &r);
        loop_mem_settle(&loop);
        assert_true(done);
        e = r.err;
    }
    loop_block_put(&loop.loop, b);
    return e;
}

static enum err
publish(struct upload *u)
{
    bool done = false;
    struct blob_publish r = {.loop = &loop.loop,
                             .done = flag_publish,
                             .ticket = u->ticket,
                             .attr = &u->attr,
                             .priv = &done};

    s.blob->ops->publish(s.blob, &r);
    loop_mem_settle(&loop);
    assert_true(done);
    return r.err;
}

static enum err
whole(unsigned i, uint64_t size)
{
    return story_check(&at_element, i, size, true);
}

/* ---- every byte ---- */

/* Cut once, the question is asked again and its answer is the first's: the
 * gateway notices nothing. */
static void
publish_once(enum cutter_way way)
{
    bool cut = true;
    uint64_t n;

    for (n = 0; cut; n++) {
        struct upload u;
        enum err e;

        begin(&u, 3000);
        assert_int_equal(append(&u), ERR_OK);
        cutter_arm(way, n, false);
        e = publish(&u);
        cut = cutter_heal();
        if (e != ERR_OK)
            fail_msg("cut at byte %u: %s %s %s", (unsigned)n, err_name(e),
                     s.fault.op, s.fault.what);
        assert_int_equal(whole(u.i, u.size), ERR_OK);
    }
    assert_true(n > 400); /* it was a whole request, or answer */
}

static void
test_publish_up(void **state)
{
    (void)state;
    publish_once(CUTTER_UP);
}

static void
test_publish_down(void **state)
{
    (void)state;
    publish_once(CUTTER_DOWN);
}

static void
put_once(enum cutter_way way, uint64_t size, uint64_t dense, uint64_t step)
{
    bool cut = true;

    for (uint64_t n = 0; cut; n += n < dense ? 1 : step) {
        unsigned i = ++next_file;
        enum err e;

        cutter_arm(way, n, false);
        e = story_put(&s, i, size, NULL);
        cut = cutter_heal();
        if (e != ERR_OK)
            fail_msg("cut at byte %u: %s %s %s", (unsigned)n, err_name(e),
                     s.fault.op, s.fault.what);
        assert_int_equal(whole(i, size), ERR_OK);
    }
}

static void
test_put(void **state)
{
    (void)state;
    put_once(CUTTER_UP, 200, 0, 7);
    put_once(CUTTER_DOWN, 200, 0, 7);
    put_once(CUTTER_UP, 3 * B + 7, 0, 40009);
}

/* Cut for good: nobody knows, so it is whole or not there. When the element is
 * reached again what was not acknowledged goes, and it cannot come later. */
static void
publish_lasting(enum cutter_way way)
{
    bool cut = true;

    for (uint64_t n = 0; cut; n += 13) {
        struct upload u;
        enum err e, there;

        begin(&u, 3000);
        assert_int_equal(append(&u), ERR_OK);
        cutter_arm(way, n, true);
        e = publish(&u);
        cut = cutter_heal();
        assert_true(cut || e == ERR_OK);
        there = whole(u.i, u.size);
        if (e == ERR_OK || there != ERR_NOENT)
            assert_int_equal(there, ERR_OK);
        if (e == ERR_OK)
            continue;
        remote_world_reached(world);
        for (int k = 0; k < 60000 && whole(u.i, u.size) != ERR_NOENT; k++)
            remote_sleep_ms(1);
        assert_int_equal(whole(u.i, u.size), ERR_NOENT);
    }
}

static void
test_lasting(void **state)
{
    (void)state;
    publish_lasting(CUTTER_UP);
    publish_lasting(CUTTER_DOWN);
}

/* Bytes on their way: none of them is ever published. */
static void
test_append(void **state)
{
    static const uint64_t size = 2 * B + 100;
    bool cut = true;
    (void)state;

    for (uint64_t n = 0; cut; n += n < 400 ? 7 : 20011) {
        struct upload u;
        enum err e;

        begin(&u, size);
        cutter_arm(CUTTER_UP, n, false);
        e = append(&u);
        cut = cutter_heal();
        assert_int_equal(e == ERR_OK, !cut);
        e = publish(&u);
        assert_int_equal(e == ERR_OK, !cut);
        assert_int_equal(whole(u.i, size), cut ? ERR_NOENT : ERR_OK);
        /* When the element is reached again the attempt is given up, and stays
         * so (D27). Before that, who speaks for it is whom it belongs to. */
        if (cut)
            remote_world_reached(world);
        for (int i = 0; cut && i < 60000 && remote_world_attempts(world); i++)
            remote_sleep_ms(1);
        if (cut)
            assert_int_equal(story_put(&s, u.i, 10, NULL), ERR_CONFLICT);
    }
}

/* An answer that tells how a segment ended is lost: so is the upload. */
static void
test_append_down(void **state)
{
    bool cut = true;
    (void)state;

    for (uint64_t n = 0; cut; n++) {
        struct upload u;
        enum err e, p;

        begin(&u, 5000);
        cutter_arm(CUTTER_DOWN, n, false);
        e = append(&u);
        cut = cutter_heal(); /* perhaps behind the last byte: */
        assert_true(cut || e == ERR_OK);
        p = publish(&u);
        /* then the element may have seen the end before its answer was out,
         * and has given up. */
        if (!cut || e != ERR_OK)
            assert_int_equal(p == ERR_OK, e == ERR_OK);
        assert_int_equal(whole(u.i, 5000), p == ERR_OK ? ERR_OK : ERR_NOENT);
    }
}

/* Reading is asked again. */
static void
test_read(void **state)
{
    bool cut = true;
    (void)state;

    assert_int_equal(story_put(&s, ++next_file, 3000, NULL), ERR_OK);
    for (uint64_t n = 0; cut; n += 11) {
        cutter_arm(CUTTER_DOWN, n, false);
        assert_int_equal(story_check(&s, next_file, 3000, true), ERR_OK);
        cut = cutter_heal();
    }
}

int
main(void)
{
    char uring[] = "uring", epoll[] = "epoll";
#define T(f, l) \
    cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, l)
    const struct CMUnitTest tests[] = {
        T(test_publish_up, uring), T(test_publish_down, epoll),
        T(test_put, uring),        T(test_lasting, epoll),
        T(test_append, uring),     T(test_append_down, epoll),
        T(test_read, uring),
    };
    int failed;

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    remote_base_make();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remote_base_remove();
    return failed;
}
