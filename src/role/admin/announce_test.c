/* announce_test.c - tests of announce.h, over a store in this process and two
 * Admins with one catalogue. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/announce.h"
#include "port/coord_mem.h"
#include "port/loop_mem.h"
#include "wire/elements.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct world {
    struct loop_mem l;
    struct coord *coord;
    struct meta meta;
    unsigned n; /* elements in the catalogue */
    enum err err;
    struct announce *a[2];
    struct coord_sub sub, sub2;
    unsigned messages, messages2;
    struct coord_request r;
    struct buf out;
    unsigned stopped;
    unsigned ready;
};

static struct world w;

static enum err
list(struct meta *m, meta_element_fn *fn, void *arg, struct fault *f)
{
    struct meta_element e = {.mode = 1, .priority = 7, .location = "dc1"};
    (void)m;

    if (w.err)
        return fault_set(f, w.err, "list", "elements");
    for (unsigned i = 0; i < w.n; i++) {
        (void)snprintf(e.element_id, sizeof(e.element_id), "se-%02u", i);
        (void)snprintf(e.endpoint, sizeof(e.endpoint), "http://h/%u", i);
        if (!fn(arg, &e))
            break;
    }
    return ERR_OK;
}

static void
heard(struct coord_sub *s, struct slice msg)
{
    struct elements el;
    struct fault f = {0};

    assert_int_equal(elements_read(&el, msg, &f), ERR_OK);
    assert_int_equal(el.n, w.n);
    elements_release(&el);
    *(unsigned *)s->priv += 1;
}

static int
setup(void **state)
{
    static const struct meta_ops ops = {.element_list = list};
    (void)state;

    memset(&w, 0, sizeof(w));
    loop_mem_init(&w.l);
    w.coord = coord_mem_open(1000, 1);
    w.meta.ops = &ops;
    w.n = 2;
    for (unsigned i = 0; i < 2; i++)
        w.a[i] = announce_open(&w.meta, w.coord, "here", 7 + i, NULL);
    w.sub = (struct coord_sub){&w.l.loop, "here", heard, 0, NULL, &w.messages};
    w.sub2 = (struct coord_sub){.loop = &w.l.loop,
                                .channel = ANNOUNCE_CHANNEL2,
                                .message = heard,
                                .priv = &w.messages2};
    assert_int_equal(coord_subscribe(w.coord, &w.sub), ERR_OK);
    assert_int_equal(coord_subscribe(w.coord, &w.sub2), ERR_OK);
    buf_init(&w.out, COORD_TEXT_MAX);
    return 0;
}

static void
stopped(void *arg)
{
    (void)arg;
    w.stopped++;
}

static int
teardown(void **state)
{
    (void)state;
    coord_unsubscribe(w.coord, &w.sub);
    coord_unsubscribe(w.coord, &w.sub2);
    for (unsigned i = 0; i < 2; i++)
        announce_close(&w.a[i]);
    loop_mem_settle(&w.l);
    w.coord->ops->close(w.coord);
    buf_release(&w.out);
    loop_mem_release(&w.l);
    return 0;
}

static void
stop(unsigned n)
{
    w.stopped = 0;
    for (unsigned i = 0; i < n; i++)
        announce_stop(w.a[i], stopped, NULL);
    loop_mem_settle(&w.l);
    assert_int_equal(w.stopped, n);
}

static void
done(struct coord_request *r)
{
    (void)r;
}

/* One request of the test's own. */
static enum err
ask(struct coord_request r)
{
    buf_clear(&w.out);
    w.r = r;
    w.r.loop = &w.l.loop;
    w.r.done = done;
    w.r.out = &w.out;
    coord_submit(w.coord, &w.r);
    loop_mem_settle(&w.l);
    return w.r.err;
}

static enum err
text(const char *key)
{
    return ask((struct coord_request){.op = COORD_TEXT_GET, .key = key});
}

static uint64_t
version(void)
{
    uint64_t v = 0;

    assert_int_equal(text(ANNOUNCE_VERSION), ERR_OK);
    assert_true(slice_u64(buf_slice(&w.out), &v));
    return v;
}

static void
assert_text(const char *key, const char *is)
{
    assert_int_equal(text(key), ERR_OK);
    assert_true(slice_eq(buf_slice(&w.out), slice_str(is)));
}

/* REL-009, REL-011, CNF-031: at the start and after each change all keys are
 * there and both channels hear it; the version grows. */
static void
test_told(void **state)
{
    struct elements el;
    struct fault f = {0};
    uint64_t first;
    (void)state;

    announce_start(w.a[0], &w.l.loop);
    loop_mem_settle(&w.l);
    first = version();
    assert_true(first >= (uint64_t)w.l.loop.wall.ms);
    assert_text(ANNOUNCE_REGISTRY,
                "{\"se-00\":\"http://h/0\",\"se-01\":\"http://h/1\"}");
    assert_text(ANNOUNCE_PRIORITIES, "{\"se-00\":7,\"se-01\":7}");
    w.n = 3;
    announce_changed(w.a[0]);
    announce_changed(w.a[0]);
    loop_mem_settle(&w.l);
    assert_int_equal(w.messages, 2); /* both changes as one */
    assert_int_equal(w.messages2, 2);
    assert_true(version() > first);
    assert_int_equal(text(ANNOUNCE_LIST), ERR_OK);
    assert_int_equal(elements_read(&el, buf_slice(&w.out), &f), ERR_OK);
    assert_int_equal(el.n, 3);
    assert_int_equal(el.e[2].mode, 1);
    assert_string_equal(el.e[2].location, "dc1");
    assert_true(el.version == version());
    elements_release(&el);
    stop(1);
    announce_changed(w.a[0]); /* too late, and no harm */
}

static void
ready(struct announce_wait *x)
{
    (void)x;
    w.ready++;
}

/* Who waits is called when the list is written, or cannot be; never before, and
 * when it is known to fail without delay. */
static void
test_await(void **state)
{
    struct announce_wait wait = {.loop = &w.l.loop, .ready = ready};
    (void)state;

    announce_await(w.a[0], &wait); /* before the start */
    loop_mem_settle(&w.l);
    assert_int_equal(w.ready, 1);
    announce_start(w.a[0], &w.l.loop);
    loop_mem_settle(&w.l);
    w.l.hold_work = true;
    w.n = 3;
    announce_changed(w.a[0]);
    loop_mem_settle(&w.l);
    announce_await(w.a[0], &wait); /* while one telling goes on: the next */
    w.l.hold_work = false;
    w.err = ERR_IO;
    loop_mem_settle(&w.l);
    assert_int_equal(w.ready, 2);
    announce_await(w.a[0], &wait);
    loop_mem_settle(&w.l);
    assert_int_equal(w.ready, 3);
    w.err = ERR_OK;
    loop_mem_advance(&w.l, dur_s(2));
    announce_changed(w.a[0]);
    announce_await(w.a[0], &wait);
    assert_int_equal(w.ready, 3);
    loop_mem_settle(&w.l);
    assert_int_equal(w.ready, 4);
    announce_await(w.a[0], &wait); /* nothing is to be told */
    loop_mem_settle(&w.l);
    assert_int_equal(w.ready, 5);
    w.l.hold_work = true;
    announce_changed(w.a[0]);
    announce_await(w.a[0], &wait);
    loop_mem_settle(&w.l);
    assert_int_equal(w.ready, 5);
    w.l.hold_work = false;
    stop(1);
    assert_int_equal(w.ready, 6);
}

/* A change that comes while the catalogue is being read is told after it. */
static void
test_changed_meanwhile(void **state)
{
    (void)state;
    announce_start(w.a[0], &w.l.loop);
    w.l.hold_work = true;
    loop_mem_settle(&w.l);
    announce_changed(w.a[0]);
    loop_mem_settle(&w.l);
    w.l.hold_work = false;
    loop_mem_settle(&w.l);
    assert_int_equal(w.messages, 2);
    stop(1);
}

/* ADM-006, D32: a store that has lost the list, or its last writes, gets it. */
static void
test_lost(void **state)
{
    static const struct {
        enum coord_op op;
        const char *value;
        unsigned messages;
        const char *why;
    } row[] = {
        {COORD_DEL, NULL, 2, "it began anew"},
        {COORD_TEXT_PUT, "5", 2, "an older one is back"},
        {COORD_TEXT_PUT, "what?", 2, "no number"},
        {COORD_TEXT_PUT, "99999999999999999", 1, "the other Admin's, newer"},
    };
    (void)state;

    announce_start(w.a[0], &w.l.loop);
    for (size_t i = 0; i < countof(row); i++) {
        loop_mem_settle(&w.l);
        w.messages = 1;
        assert_int_equal(
            ask((struct coord_request){
                .op = row[i].op,
                .key = ANNOUNCE_VERSION,
                .value = row[i].value ? slice_str(row[i].value) : SLICE("")}),
            ERR_OK);
        loop_mem_advance(&w.l, dur_s(6));
        if (w.messages != row[i].messages)
            fail_msg("%s: %u", row[i].why, w.messages);
    }
    stop(1);
}

/* D37: who holds the lease has read later; a writer that has lost it meanwhile
 * changes nothing. */
static void
test_two(void **state)
{
    uint64_t later;
    (void)state;

    announce_start(w.a[0], &w.l.loop);
    w.l.hold_work = true; /* the first stands still with its lease */
    loop_mem_settle(&w.l);
    announce_start(w.a[1], &w.l.loop);
    loop_mem_settle(&w.l);
    assert_int_equal(text(ANNOUNCE_VERSION), ERR_NOENT);
    loop_mem_advance(&w.l, dur_s(11)); /* its lease ends */
    w.l.hold_work = false;
    loop_mem_settle(&w.l);
    later = version();
    loop_mem_advance(&w.l, dur_s(1));
    /* Refused, the first has read again and written under a later lease. */
    assert_true(version() > later);
    assert_int_equal(w.messages, 2);
    stop(2);
}

/* REL-011: hashes that others have left there are replaced. */
static void
test_other_kind(void **state)
{
    struct coord_pair p = {.name = SLICE("se-09"), .value = SLICE("http://x")};
    (void)state;

    assert_int_equal(ask((struct coord_request){.op = COORD_HASH_PUT,
                                                .key = ANNOUNCE_REGISTRY,
                                                .pairs = &p,
                                                .n = 1}),
                     ERR_OK);
    announce_start(w.a[0], &w.l.loop);
    loop_mem_advance(&w.l, dur_s(1));
    assert_text(ANNOUNCE_PRIORITIES, "{\"se-00\":7,\"se-01\":7}");
    assert_int_equal(w.messages, 1);
    stop(1);
}

/* A catalogue that cannot be read: nothing is written; it is tried again. */
static void
test_no_catalogue(void **state)
{
    (void)state;
    w.err = ERR_IO;
    announce_start(w.a[0], &w.l.loop);
    loop_mem_advance(&w.l, dur_s(3));
    assert_int_equal(text(ANNOUNCE_LIST), ERR_NOENT);
    w.err = ERR_OK;
    loop_mem_advance(&w.l, dur_s(1));
    assert_int_equal(text(ANNOUNCE_LIST), ERR_OK);
    assert_int_equal(w.messages, 1);
    stop(1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest t[] = {
        T(test_told),  T(test_changed_meanwhile), T(test_lost),
        T(test_two),   T(test_other_kind),        T(test_no_catalogue),
        T(test_await),
    };
    return cmocka_run_group_tests(t, NULL, NULL);
}
