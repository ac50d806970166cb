/* http_world.c - see http_world.h: the server side.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_world_impl.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void
sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    while (nanosleep(&t, &t) == -1 && errno == EINTR) {
    }
}

/* ---- bytes that tell where they belong ---- */

/* Not periodic in any power of two, so that a misplaced piece shows. Made once:
 * a sanitizer that looks at each byte would take most of the tests' time. */
#define PATTERN_PERIOD (251 * 256)

static uint8_t pattern[PATTERN_PERIOD];
static pthread_once_t pattern_once = PTHREAD_ONCE_INIT;

static void
pattern_make(void)
{
    for (unsigned i = 0; i < PATTERN_PERIOD; i++)
        pattern[i] = (uint8_t)(i * 31 + i / 251);
}

/* How many of N bytes at OFF stand in a row in the pattern, and where. */
static size_t
pattern_run(uint64_t off, size_t n, const uint8_t **at)
{
    size_t i = off % PATTERN_PERIOD;

    (void)pthread_once(&pattern_once, pattern_make);
    *at = pattern + i;
    return size_min(n, PATTERN_PERIOD - i);
}

void
pattern_fill(uint8_t *p, uint64_t off, size_t n)
{
    const uint8_t *at;

    for (size_t k; n; p += k, off += k, n -= k) {
        k = pattern_run(off, n, &at);
        memcpy(p, at, k);
    }
}

bool
pattern_is(const uint8_t *p, uint64_t off, size_t n)
{
    const uint8_t *at;

    for (size_t k; n; p += k, off += k, n -= k) {
        k = pattern_run(off, n, &at);
        if (memcmp(p, at, k) != 0)
            return false;
    }
    return true;
}

/* ---- the role ---- */

struct job {
    struct world *w;
    struct exchange *x;
    struct timer timer;
    uint8_t *mem;
    size_t cap, n;
    size_t step;
    struct dur pause;
    bool fill;
    bool count_only;
    int fd;
    uint64_t off, left;
};

static void
job_free(struct job *j)
{
    atomic_fetch_sub(&j->w->live, 1);
    free(j->mem);
    free(j);
}

static void
job_answer(struct job *j, int status, struct slice body)
{
    struct exchange *x = j->x;

    exchange_answer(x, status, SLICE("text/plain"), body);
    job_free(j);
}

static void echo_read(struct job *j);

static void
echo_arrived(struct exchange *x, int64_t n)
{
    struct job *j = x->role;
    char text[32];

    if (n < 0) {
        loop_timer_stop(x->loop, &j->timer);
        exchange_fail(x, n);
        job_free(j);
        return;
    }
    if (n > 0) {
        j->n += (size_t)n;
        echo_read(j);
        return;
    }
    for (uint32_t i = 0; i < x->n_trailers; i++)
        exchange_header(x, x->trailer[i].name, x->trailer[i].value);
    snprintf(text, sizeof(text), "%zu", j->n);
    job_answer(j, 200,
               j->count_only ? slice_str(text) : slice_of(j->mem, j->n));
}

static void
echo_read(struct job *j)
{
    size_t at = j->count_only ? 0 : j->n;

    if (at + j->step > j->cap) {
        j->cap = (at + j->step) * 2;
        j->mem = realloc(j->mem, j->cap);
        assert(j->mem != NULL);
    }
    exchange_read(j->x, j->mem + at, j->step, j->fill, echo_arrived);
}

static void send_more(struct job *j);

static void
send_sent(struct exchange *x, enum err e)
{
    struct job *j = x->role;

    if (e == ERR_OK && j->left) {
        send_more(j);
    } else {
        exchange_end(x);
        job_free(j);
    }
}

static void
send_more(struct job *j)
{
    size_t n = size_min(j->left, j->fd == -1 ? j->cap : MIB);
    uint64_t off = j->off;

    j->off += n;
    j->left -= n;
    if (j->fd != -1) {
        exchange_send_file(j->x, j->fd, off, n, send_sent);
    } else {
        pattern_fill(j->mem, off, n);
        exchange_send(j->x, j->mem, n, send_sent);
    }
}

static void
send_start(struct job *j, uint64_t n, int fd)
{
    j->fd = fd;
    j->left = n;
    if (fd == -1) {
        j->cap = 256 * KIB;
        j->mem = malloc(j->cap);
        assert(j->mem != NULL);
    }
    exchange_start(j->x, 200, SLICE("application/octet-stream"), n);
    if (j->x->head->method == HTTP_HEAD || n == 0) {
        exchange_end(j->x);
        job_free(j);
    } else {
        send_more(j);
    }
}

static void
stub_sent(struct exchange *x, enum err e)
{
    (void)e;
    exchange_end(x);
    job_free(x->role);
}

static void
late_fire(struct loop *l, struct timer *t)
{
    (void)l;
    job_answer(container_of(t, struct job, timer), 200, SLICE("late"));
}

static void
held_fire(struct loop *l, struct timer *t)
{
    struct job *j = container_of(t, struct job, timer);

    if (atomic_load(&j->w->released))
        job_answer(j, 200, SLICE("late"));
    else
        loop_timer(l, t, mono_add(l->now, dur_ms(5)));
}

static void
cut_fire(struct loop *l, struct timer *t)
{
    exchange_body_by(container_of(t, struct job, timer)->x, l->now);
}

static void
rest_fire(struct loop *l, struct timer *t)
{
    struct job *j = container_of(t, struct job, timer);

    (void)l;
    j->step = 64 * KIB;
    echo_read(j);
}

static void
first_read(struct exchange *x, int64_t n)
{
    struct job *j = x->role;

    if (n < 0) {
        echo_arrived(x, n);
        return;
    }
    j->n = (size_t)n;
    j->timer.fire = rest_fire;
    loop_timer(x->loop, &j->timer, mono_add(x->loop->now, j->pause));
}

/* Something else is to be done between two reads. */
static void
job_pause(struct job *j, int64_t ms)
{
    j->pause = dur_ms(ms);
    j->mem = malloc(16);
    assert(j->mem != NULL);
    j->cap = 16;
    exchange_read(j->x, j->mem, 1, true, first_read);
}

static void
moved(struct exchange *x)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", x->loop->id);
    exchange_header(x, SLICE("X-Loop"), slice_str(text));
    echo_read(x->role);
}

static void
job_move(struct job *j)
{
    struct exchange *x = j->x;
    struct loop *to = &j->w->loop[(x->loop->id + 1) % N_LOOPS]->loop;

    if (!exchange_move(x, to, moved))
        moved(x);
}

static void
job_whole(struct job *j, size_t n)
{
    j->mem = malloc(n + 1);
    assert(j->mem != NULL);
    pattern_fill(j->mem, 0, n);
    job_answer(j, 200, slice_of(j->mem, n));
}

/* Drops the file from memory, so that it has to be read. */
static int
cold_file(struct world *w)
{
    (void)fsync(w->file);
    (void)posix_fadvise(w->file, 0, 0, POSIX_FADV_DONTNEED);
    return w->file;
}

static void
begin(struct serve_app *app, struct exchange *x)
{
    struct world *w = container_of(app, struct world, app);
    struct job *j = calloc(1, sizeof(*j));
    struct slice path = x->head->path, body;
    uint64_t k = 0;

    assert(j != NULL);
    atomic_fetch_add(&w->live, 1);
    atomic_fetch_add(&w->begun, 1);
    x->role = j;
    j->w = w;
    j->x = x;
    j->fd = -1;
    (void)slice_u64(x->head->query, &k);
    j->step = k ? k : 64 * KIB;
    j->fill = !slice_eq(path, SLICE("/some"));
    j->count_only = slice_eq(path, SLICE("/size"));
    if (slice_eq(path, SLICE("/none"))) {
        job_answer(j, 200, SLICE("none"));
    } else if (slice_eq(path, SLICE("/late"))) {
        j->timer.fire = late_fire;
        loop_timer(x->loop, &j->timer,
                   mono_add(x->loop->now, dur_ms((int64_t)k)));
    } else if (slice_eq(path, SLICE("/held"))) {
        j->timer.fire = held_fire;
        held_fire(x->loop, &j->timer);
    } else if (slice_eq(path, SLICE("/peek"))) {
        if (exchange_peek(x, &body))
            job_answer(j, 200, body);
        else
            job_answer(j, 404, SLICE("not here yet"));
    } else if (slice_eq(path, SLICE("/big"))) {
        send_start(j, k, -1);
    } else if (slice_eq(path, SLICE("/whole"))) {
        job_whole(j, k);
    } else if (slice_eq(path, SLICE("/file"))) {
        send_start(j, k, w->file);
    } else if (slice_eq(path, SLICE("/cold"))) {
        send_start(j, k, cold_file(w));
    } else if (slice_eq(path, SLICE("/stub"))) {
        exchange_start(x, 200, SLICE_NULL, 1000);
        exchange_send(x, "0123456789", 10, stub_sent);
    } else if (slice_eq(path, SLICE("/move"))) {
        job_move(j);
    } else if (slice_eq(path, SLICE("/by"))) {
        exchange_body_by(x, mono_add(x->loop->now, dur_ms((int64_t)k)));
        echo_read(j);
    } else if (slice_eq(path, SLICE("/put-off"))) {
        exchange_body_by(x, mono_add(x->loop->now, dur_ms((int64_t)k)));
        exchange_body_by(x, MONO_NEVER);
        echo_read(j);
    } else if (slice_eq(path, SLICE("/cut"))) {
        j->timer.fire = cut_fire;
        loop_timer(x->loop, &j->timer,
                   mono_add(x->loop->now, dur_ms((int64_t)k)));
        echo_read(j);
    } else if (slice_eq(path, SLICE("/pause"))) {
        job_pause(j, (int64_t)k);
    } else {
        echo_read(j);
    }
}

/* ---- the world ---- */

static void
finished(struct http_observer *o, struct loop *l, const struct http_record *r)
{
    struct world *w = container_of(o, struct world, observer);

    (void)l;
    atomic_fetch_add(&w->bytes_in, r->bytes_in);
    if (r->broken)
        atomic_fetch_add(&w->broken, 1);
}

static void
tls_failed(struct http_observer *o, struct loop *l, const char *client,
           const char *why)
{
    struct world *w = container_of(o, struct world, observer);

    (void)l;
    assert(strcmp(client, "127.0.0.1") == 0 && why[0]);
    atomic_fetch_add(&w->tls_failed, 1);
}

static void *
loop_main(void *arg)
{
    ioloop_run(arg);
    return NULL;
}

struct http_conf
world_conf(void)
{
    return (struct http_conf){
        .limits = HTTP_LIMITS_DEFAULT,
        .head_timeout = dur_s(20),
        .idle_timeout = dur_s(20),
        .body_timeout = dur_s(20),
        .write_timeout = dur_s(20),
        .linger_silence = dur_s(20),
        .linger_timeout = dur_s(20),
        .linger_max = GIB,
        .body_min_rate = 256,
        .write_min_rate = 256,
        .body_max = GIB,
        .drain_max = 64 * KIB,
        .connections_max = 1000,
        .connections_per_address = 1000,
        .answer_max = 32 * MIB,
    };
}

static int
file_make(const char *dir)
{
    char path[300];
    uint8_t *p = malloc(FILE_SIZE);
    int fd;

    snprintf(path, sizeof(path), "%s/file", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert(fd != -1 && p != NULL);
    pattern_fill(p, 0, FILE_SIZE);
    assert_int_equal(write(fd, p, FILE_SIZE), FILE_SIZE);
    free(p);
    (void)unlink(path);
    return fd;
}

static void
open_tls(struct world *w)
{
    char cert[300], key[300];
    const struct tls_conf tc = {.cert_file = cert, .key_file = key};
    struct fault f;

    snprintf(cert, sizeof(cert), "%s/cert.pem", w->dir);
    snprintf(key, sizeof(key), "%s/key.pem", w->dir);
    cert_make(cert, key, "localhost");
    assert_int_equal(tls_context_open(&w->tls, &tc, &f), ERR_OK);
    (void)unlink(cert);
    (void)unlink(key);
}

struct world *
world_open(const struct variant *v, const struct http_conf *c)
{
    struct world *w = calloc(1, sizeof(*w));
    struct http_conf hc = *c;
    struct fault f;

    assert(w != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    snprintf(w->dir, sizeof(w->dir), "%s/http-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    w->file = file_make(w->dir);
    assert_int_equal(blocks_open(&w->blocks, 4 * MIB, &f), ERR_OK);
    assert_int_equal(workers_open(&w->workers, 2, ioloop_work_finished, &f),
                     ERR_OK);
    for (unsigned i = 0; i < N_LOOPS; i++)
        if (ioloop_open(&w->loop[i], v->loop, i, w->blocks, w->workers, &f) !=
            ERR_OK) {
            world_close(&w);
            return NULL;
        }
    if (v->tls)
        open_tls(w);
    hc.tls = w->tls;
    w->app.begin = begin;
    w->observer.finished = finished;
    w->observer.tls_failed = tls_failed;
    assert_int_equal(http_server_open(&w->http, &hc, w->loop, N_LOOPS, &w->app,
                                      &w->observer, &f),
                     ERR_OK);
    assert_int_equal(
        http_server_listen(w->http, "127.0.0.1:0", w->url, sizeof(w->url), &f),
        ERR_OK);
    for (unsigned i = 0; i < N_LOOPS; i++)
        assert_int_equal(
            pthread_create(&w->thread[i], NULL, loop_main, w->loop[i]), 0);
    http_server_start(w->http);
    w->running = true;
    return w;
}

void
world_release(struct world *w)
{
    atomic_store(&w->released, true);
}

static void
drained(void *arg)
{
    atomic_store(&((struct world *)arg)->is_drained, true);
}

void
world_drain_begin(struct world *w, struct dur grace)
{
    w->draining = true;
    http_server_drain(w->http, grace, drained, w);
}

bool
world_drained(struct world *w, int ms)
{
    while (!atomic_load(&w->is_drained) && ms > 0) {
        sleep_ms(2);
        ms -= 2;
    }
    return atomic_load(&w->is_drained);
}

void
world_drain(struct world *w, struct dur grace)
{
    world_drain_begin(w, grace);
    assert_true(world_drained(w, WAIT_MS));
}

void
world_close(struct world **wp)
{
    struct world *w = *wp;

    *wp = NULL;
    if (w->running) {
        struct http_stats st;

        if (!w->draining)
            world_drain(w, dur_ms(500));
        assert_true(world_drained(w, WAIT_MS));
        http_server_stats(w->http, &st);
        assert_int_equal(st.open, 0);
        assert_int_equal(atomic_load(&w->live), 0);
        assert_int_equal(blocks_used(w->blocks), 0);
        for (unsigned i = 0; i < N_LOOPS; i++)
            ioloop_stop(w->loop[i]);
        for (unsigned i = 0; i < N_LOOPS; i++)
            pthread_join(w->thread[i], NULL);
    }
    http_server_close(&w->http);
    tls_context_close(&w->tls);
    workers_close(&w->workers);
    for (unsigned i = 0; i < N_LOOPS; i++)
        ioloop_close(&w->loop[i]);
    blocks_close(&w->blocks);
    (void)close(w->file);
    (void)rmdir(w->dir);
    free(w);
}

void
world_take_blocks(struct world *w)
{
    struct block *k;

    while ((k = blocks_get(w->blocks)) != NULL) {
        k->next = w->taken;
        w->taken = k;
    }
}

void
world_give_blocks(struct world *w)
{
    while (w->taken) {
        struct block *k = w->taken;

        w->taken = k->next;
        blocks_put(w->blocks, k);
    }
}

void
world_stats(struct world *w, struct http_stats *out)
{
    http_server_stats(w->http, out);
}

unsigned
world_live(struct world *w)
{
    return atomic_load(&w->live);
}

unsigned
world_broken(struct world *w)
{
    return atomic_load(&w->broken);
}

uint64_t
world_bytes_in(struct world *w)
{
    return atomic_load(&w->bytes_in);
}

unsigned
world_tls_failed(struct world *w)
{
    return atomic_load(&w->tls_failed);
}

void
world_wait_open(struct world *w, unsigned n)
{
    struct http_stats st = {0};

    for (int i = 0; i < WAIT_MS / 2; i++) {
        http_server_stats(w->http, &st);
        if (st.open == n)
            return;
        sleep_ms(2);
    }
    fail_msg("%u connections are open, not %u", (unsigned)st.open, n);
}

static void
wait_for(_Atomic(unsigned) *count, unsigned n, bool more, const char *what)
{
    unsigned k = 0;

    for (int i = 0; i < WAIT_MS / 2; i++) {
        k = atomic_load(count);
        if (k == n || (more && k > n))
            return;
        sleep_ms(2);
    }
    fail_msg("the role %s %u exchanges, not %u", what, k, n);
}

void
world_wait_live(struct world *w, unsigned n)
{
    wait_for(&w->live, n, false, "has");
}

unsigned
world_begun(struct world *w)
{
    return atomic_load(&w->begun);
}

void
world_wait_begun(struct world *w, unsigned n)
{
    wait_for(&w->begun, n, true, "has begun");
}
