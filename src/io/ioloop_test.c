/* ioloop_test.c - what port/loop.h and ioloop.h promise, on both loops: time,
 * posts, work, files, blocks, and sockets with their cancels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/ioloop_until.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- a loop to test ---- */

struct bench {
    struct ioloop *l;
    struct blocks *blocks;
    struct workers *workers;
    int a, b; /* a pair of sockets; the loop works on A, the test on B */
    int file;
};

static int
bench_open(void **state)
{
    const char *kind = *state;
    struct bench *t = calloc(1, sizeof(*t));
    struct fault f;
    FILE *tmp = tmpfile();
    int pair[2];

    assert(t != NULL && tmp != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    t->file = dup(fileno(tmp));
    fclose(tmp);
    assert_int_equal(blocks_open(&t->blocks, 2 * MIB, &f), ERR_OK);
    assert_int_equal(workers_open(&t->workers, 3, ioloop_work_finished, &f),
                     ERR_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    t->a = pair[0];
    t->b = pair[1];
    if (ioloop_open(&t->l, kind, 0, t->blocks, t->workers, &f) == ERR_OK)
        assert_string_equal(ioloop_kind(t->l), kind);
    *state = t;
    return 0;
}

static struct bench *
bench_of(void **state)
{
    struct bench *t = *state;

    if (t->l == NULL)
        skip(); /* this kernel does not allow it */
    return t;
}

static int
bench_close(void **state)
{
    struct bench *t = *state;

    workers_close(&t->workers);
    if (t->l && t->a != -1)
        t->l->net->forget(t->l, t->a);
    ioloop_close(&t->l);
    blocks_close(&t->blocks);
    if (t->a != -1)
        (void)close(t->a);
    (void)close(t->b);
    (void)close(t->file);
    free(t);
    return 0;
}

static void
alarm_fire(struct loop *l, struct timer *t)
{
    (void)l;
    (void)t;
}

struct count {
    const unsigned *n;
    unsigned want;
};

static bool
has_come(void *arg)
{
    const struct count *c = arg;

    return *c->n >= c->want;
}

/* Turns until *N is at least WANT; at most 10 s. */
static void
turn_until(struct ioloop *l, const unsigned *n, unsigned want)
{
    if (!ioloop_until(l, has_come, &(struct count){n, want}, dur_s(10)))
        fail_msg("%u of %u came", *n, want);
}

/* Turns for MS, so that what should not come has time to. */
static void
turn_for(struct ioloop *l, int ms)
{
    struct timer t = {.fire = alarm_fire};
    struct mono end = mono_add(l->loop.now, dur_ms(ms));

    while (!mono_reached(l->loop.now, end)) {
        loop_timer(&l->loop, &t, end); /* ends the wait */
        assert_true(ioloop_turn(l));
    }
    loop_timer_stop(&l->loop, &t);
}

/* ---- time ---- */

struct tick {
    struct timer timer;
    int id;
    struct mono due;
};

static struct {
    int id[16];
    unsigned n;
} fired;

static void
tick_fire(struct loop *l, struct timer *t)
{
    struct tick *k = container_of(t, struct tick, timer);

    assert_true(mono_reached(l->now, k->due)); /* never too early */
    fired.id[fired.n++] = k->id;
}

static void
tick_set(struct ioloop *l, struct tick *k, int id, int64_t ms)
{
    k->timer.fire = tick_fire;
    k->id = id;
    k->due = mono_add(l->loop.now, dur_ms(ms));
    assert_true(loop_timer(&l->loop, &k->timer, k->due));
}

static void
test_timers(void **state)
{
    static const int order[] = {4, 3, 5, 1, 2};
    struct bench *t = bench_of(state);
    struct tick k[7] = {0};

    memset(&fired, 0, sizeof(fired));
    tick_set(t->l, &k[1], 1, 30);
    tick_set(t->l, &k[2], 2, 30); /* equal: in the order of setting */
    k[2].due = k[1].due;
    loop_timer(&t->l->loop, &k[2].timer, k[2].due);
    tick_set(t->l, &k[3], 3, 10);
    tick_set(t->l, &k[4], 4, -5); /* in the past: at once */
    tick_set(t->l, &k[5], 5, 500);
    tick_set(t->l, &k[5], 5, 20); /* moved nearer */
    tick_set(t->l, &k[6], 6, 15);
    loop_timer_stop(&t->l->loop, &k[6].timer);
    loop_timer_stop(&t->l->loop, &k[6].timer); /* twice is harmless */
    turn_until(t->l, &fired.n, 5);
    turn_for(t->l, 20);
    assert_int_equal(fired.n, 5);
    for (size_t i = 0; i < countof(order); i++)
        assert_int_equal(fired.id[i], order[i]);
}

/* ---- posts ---- */

struct note {
    struct task task;
    unsigned from, nr;
};

static struct {
    unsigned n;
    unsigned next[4]; /* of each thread */
    pthread_t where;
} heard;

static void
note_run(struct loop *l, struct task *t)
{
    struct note *k = container_of(t, struct note, task);

    (void)l;
    assert_true(pthread_equal(pthread_self(), heard.where));
    assert_int_equal(k->nr, heard.next[k->from]);
    heard.next[k->from]++;
    heard.n++;
}

struct poster {
    struct ioloop *l;
    struct note *note;
    unsigned n;
};

static void *
poster_main(void *arg)
{
    struct poster *p = arg;

    for (unsigned i = 0; i < p->n; i++) {
        loop_post(&p->l->loop, &p->note[i].task);
        if (i % 100 == 0)
            usleep(200); /* so that the loop falls asleep in between */
    }
    return NULL;
}

static void
test_posts(void **state)
{
    enum { EACH = 2000 };
    struct bench *t = bench_of(state);
    struct poster p[4];
    pthread_t thread[4];

    memset(&heard, 0, sizeof(heard));
    heard.where = pthread_self();
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (struct poster){t->l, calloc(EACH, sizeof(struct note)), EACH};
        for (unsigned k = 0; k < EACH; k++)
            p[i].note[k] = (struct note){{note_run, NULL}, i, k};
        pthread_create(&thread[i], NULL, poster_main, &p[i]);
    }
    turn_until(t->l, &heard.n, 4 * EACH);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        free(p[i].note);
    }
}

struct chain {
    struct task task;
    unsigned left;
    bool inside;
};

static void
chain_run(struct loop *l, struct task *t)
{
    struct chain *c = container_of(t, struct chain, task);

    assert_false(c->inside); /* never inside the call that posts */
    if (--c->left == 0) {
        ioloop_stop(ioloop_of(l));
        return;
    }
    c->inside = true;
    loop_post(l, t);
    c->inside = false;
}

/* A loop that posts to itself does not sleep in between. */
static void
test_post_to_self(void **state)
{
    struct bench *t = bench_of(state);
    struct chain c = {.task = {.run = chain_run}, .left = 10000};

    loop_post(&t->l->loop, &c.task);
    ioloop_run(t->l);
    assert_int_equal(c.left, 0);
}

/* ---- work ---- */

struct job {
    struct work work;
    pthread_t home;
    unsigned *n;
    int v;
};

static void
job_work(struct work *w)
{
    struct job *j = container_of(w, struct job, work);

    assert_false(pthread_equal(pthread_self(), j->home));
    j->v *= 2;
}

static void
job_done(struct loop *l, struct work *w)
{
    struct job *j = container_of(w, struct job, work);

    assert_ptr_equal(l, w->home);
    assert_true(pthread_equal(pthread_self(), j->home));
    ++*j->n;
}

static void
test_work(void **state)
{
    struct bench *t = bench_of(state);
    struct job j[200];
    unsigned n = 0;

    for (int i = 0; i < 200; i++) {
        j[i] = (struct job){
            {job_work, job_done, NULL, NULL}, pthread_self(), &n, i};
        loop_work(&t->l->loop, &j[i].work);
    }
    assert_int_equal(n, 0);
    turn_until(t->l, &n, 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(j[i].v, 2 * i);
}

/* A loop that is told to stop first takes back what it has given out. */
static void
test_stop_waits(void **state)
{
    struct bench *t = bench_of(state);
    struct job j[50];
    unsigned n = 0;

    for (int i = 0; i < 50; i++) {
        j[i] = (struct job){
            {job_work, job_done, NULL, NULL}, pthread_self(), &n, i};
        loop_work(&t->l->loop, &j[i].work);
    }
    ioloop_stop(t->l);
    ioloop_run(t->l);
    assert_int_equal(n, 50);
}

/* ---- files ---- */

static unsigned files_done;

static void
file_done(struct loop *l, struct file_io *io)
{
    (void)l;
    (void)io;
    files_done++;
}

static int64_t
file_do(struct ioloop *l, int fd, bool write, void *p, size_t n, uint64_t off)
{
    struct file_io io = {.fd = fd,
                         .write = write,
                         .p = p,
                         .n = n,
                         .off = off,
                         .done = file_done};

    files_done = 0;
    loop_file(&l->loop, &io);
    assert_int_equal(files_done, 0);
    turn_until(l, &files_done, 1);
    assert_int_equal(l->in_flight, 0);
    return io.res;
}

static void
test_files(void **state)
{
    struct bench *t = bench_of(state);
    const size_t n = MIB + 333;
    uint8_t *p = malloc(n), *q = malloc(n);

    assert_true(p && q);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 255);
    assert_int_equal(file_do(t->l, t->file, true, p, n, 4097), n);
    assert_int_equal(file_do(t->l, t->file, false, q, n, 4097), n);
    assert_memory_equal(p, q, n);
    /* Short only at the end, and nothing behind it. */
    assert_int_equal(file_do(t->l, t->file, false, q, n, 4097 + 100), n - 100);
    assert_memory_equal(p + 100, q, n - 100);
    assert_int_equal(file_do(t->l, t->file, false, q, n, 4097 + n), 0);
    assert_int_equal(file_do(t->l, t->file, false, q, 10, 1 << 30), 0);
    assert_int_equal(file_do(t->l, -1, false, q, 10, 0), -EBADF);
    free(p);
    free(q);
}

static void
test_cached(void **state)
{
    struct bench *t = bench_of(state);
    char b[8192] = {1};

    assert_int_equal(write(t->file, b, sizeof(b)), sizeof(b));
    assert_true(loop_cached(&t->l->loop, t->file, 0, sizeof(b)));
    assert_true(loop_cached(&t->l->loop, t->file, 4095, 2));
    assert_false(loop_cached(&t->l->loop, t->file, 0, 1 << 20));
}

/* ---- blocks ---- */

struct waiter {
    struct block_wait wait;
    struct block *got;
    unsigned nr;
};

static unsigned served;

static void
waiter_ready(struct loop *l, struct block_wait *w, struct block *b)
{
    struct waiter *k = container_of(w, struct waiter, wait);

    (void)l;
    assert_int_equal(b->state, BLOCK_RECV);
    k->got = b;
    k->nr = ++served;
}

static void
test_blocks(void **state)
{
    struct bench *t = bench_of(state);
    struct loop *l = &t->l->loop;
    struct waiter w[4] = {0};
    struct block *b[8];

    served = 0;
    w[0].wait.ready = waiter_ready;
    loop_block_wait(l, &w[0].wait); /* for the next turn only */
    for (int i = 0; i < 7; i++) {
        b[i] = loop_block_get(l);
        assert_non_null(b[i]);
        memset(b[i]->data, i, BLOCK_SIZE);
    }
    turn_until(t->l, &served, 1);
    b[7] = w[0].got;
    w[0] = (struct waiter){0};
    served = 0;
    assert_null(loop_block_get(l));
    for (int i = 0; i < 4; i++) {
        w[i].wait.ready = waiter_ready;
        loop_block_wait(l, &w[i].wait);
    }
    loop_block_cancel(l, &w[1].wait); /* has thought better of it */
    loop_block_cancel(l, &w[1].wait);
    turn_for(t->l, 10);
    assert_int_equal(served, 0);
    loop_block_put(l, b[3]);
    assert_int_equal(served, 0);    /* never inside the call */
    assert_null(loop_block_get(l)); /* others wait: nobody passes them */
    turn_until(t->l, &served, 1);
    assert_int_equal(w[0].nr, 1);
    loop_block_put(l, b[4]);
    loop_block_put(l, b[5]);
    turn_until(t->l, &served, 3);
    assert_int_equal(w[2].nr, 2);
    assert_int_equal(w[3].nr, 3);
    assert_null(w[1].got);
    for (int i = 0; i < 8; i++)
        if (i < 3 || i > 5)
            loop_block_put(l, b[i]);
    for (int i = 0; i < 4; i++)
        if (w[i].got)
            loop_block_put(l, w[i].got);
    assert_int_equal(blocks_used(t->blocks), 0);
}

static void *
put_later(void *arg)
{
    struct bench *t = ((void **)arg)[0];
    struct block *b = ((void **)arg)[1];

    usleep(20000);
    blocks_put(t->blocks, b);
    return NULL;
}

/* A block that another loop gives back ends this one's wait. */
static void
test_blocks_from_others(void **state)
{
    struct bench *t = bench_of(state);
    struct waiter w = {.wait = {.ready = waiter_ready}};
    struct block *b[8];
    void *arg[2] = {t, NULL};
    pthread_t thread;

    served = 0;
    for (int i = 0; i < 8; i++)
        b[i] = loop_block_get(&t->l->loop);
    loop_block_wait(&t->l->loop, &w.wait);
    arg[1] = b[7];
    pthread_create(&thread, NULL, put_later, arg);
    turn_until(t->l, &served, 1);
    pthread_join(thread, NULL);
    for (int i = 0; i < 7; i++)
        loop_block_put(&t->l->loop, b[i]);
    loop_block_put(&t->l->loop, w.got);
}

/* ---- hooks ---- */

struct counter {
    struct hook hook;
    unsigned runs;
    bool more;
};

static bool
counter_run(struct loop *l, struct hook *h, bool idle)
{
    struct counter *c = container_of(h, struct counter, hook);

    (void)l;
    (void)idle;
    c->runs++;
    return c->more && c->runs < 1000;
}

/* A hook that wants another turn gets it at once. */
static void
test_hook(void **state)
{
    struct bench *t = bench_of(state);
    struct counter c = {.hook = {.run = counter_run}, .more = true};

    loop_hook(&t->l->loop, &c.hook);
    turn_until(t->l, &c.runs, 999);
    c.more = false;
    turn_for(t->l, 20);
    assert_true(c.runs < 1100); /* and then the loop sleeps again */
}

#include "io/ioloop_net_test.h"

#define TEST(fn, kind)                                                 \
    {                                                                  \
#fn " (" kind ")", fn, bench_open, bench_close, (void *)(kind) \
    }
#define BOTH(fn) TEST(fn, "uring"), TEST(fn, "epoll")

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_timers),
        BOTH(test_posts),
        BOTH(test_post_to_self),
        BOTH(test_work),
        BOTH(test_stop_waits),
        BOTH(test_files),
        BOTH(test_cached),
        BOTH(test_blocks),
        BOTH(test_blocks_from_others),
        BOTH(test_hook),
        BOTH(test_recv),
        BOTH(test_recv_all),
        BOTH(test_recv_pool),
        BOTH(test_end),
        BOTH(test_sendv),
        BOTH(test_sendfile),
        BOTH(test_sendfile_short),
        BOTH(test_peer_gone),
        BOTH(test_cancel_recv),
        BOTH(test_cancel_late),
        BOTH(test_cancel_send),
        BOTH(test_both_ways),
        BOTH(test_number_again),
        BOTH(test_listen),
        BOTH(test_no_descriptor),
        BOTH(test_no_descriptor_closed),
    };

    return cmocka_run_group_tests_name("loops", tests, NULL, NULL);
}
