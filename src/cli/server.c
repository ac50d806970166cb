/* server.c - `artstore server`: every role in one process (D02); or only some
 * of them, as struct conf says.
 *
 * Opens what does I/O (loops, disks, databases, keys, the HTTP server), hands
 * it to join/, and then waits for signals on the main thread:
 *
 *     SIGTERM, SIGINT   drain: finish what is under way, then stop; exit 0
 *     SIGHUP            read options, keys and certificates again
 *
 * Stopping goes in the order in which things depend on each other: no new
 * connections, the last answer, files that loops keep open, elements and
 * catalogue, loops, and only then memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_files.h"
#include "cli/confine.h"
#include "cli/server_impl.h"
#include "obs/log.h"
#include "obs/metric.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* ---- waiting for loops ---- */

/* Waits until N calls of server_arrive() have come. */
void
server_expect(struct server *s, unsigned n)
{
    pthread_mutex_lock(&s->mu);
    s->waiting = n;
    pthread_mutex_unlock(&s->mu);
}

void
server_arrive(void *arg)
{
    struct server *s = arg;

    pthread_mutex_lock(&s->mu);
    s->waiting--;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mu);
}

void
server_await(struct server *s)
{
    pthread_mutex_lock(&s->mu);
    while (s->waiting)
        pthread_cond_wait(&s->cond, &s->mu);
    pthread_mutex_unlock(&s->mu);
}

/* ---- running ---- */

static void *
loop_main(void *arg)
{
    pthread_setname_np(pthread_self(), "loop");
    ioloop_run(arg);
    return NULL;
}

struct start {
    struct task task;
    struct server *s;
};

static void
start_run(struct loop *l, struct task *t)
{
    struct start *st = container_of(t, struct start, task);

    join_start(st->s->join, l);
    observe_start(st->s->observe, l);
    server_arrive(st->s);
}

static void
quiesce_run(struct loop *l, struct task *t)
{
    struct start *st = container_of(t, struct start, task);

    join_quiesce(st->s->join, l);
    vitals_leave(st->s->vitals, l);
    server_arrive(st->s);
}

static void
stop_run(struct loop *l, struct task *t)
{
    struct start *st = container_of(t, struct start, task);

    (void)l;
    observe_stop(st->s->observe);
    join_stop(st->s->join, server_arrive, st->s);
}

static enum err
start_threads(struct server *s, struct fault *f)
{
    struct start st = {{start_run, NULL}, s};

    for (; s->n_threads < s->n_loops; s->n_threads++) {
        int r = pthread_create(&s->thread[s->n_threads], NULL, loop_main,
                               s->loop[s->n_threads]);

        if (r)
            return fault_sys(f, r, "start thread", "loop");
    }
    server_expect(s, 1);
    loop_post(s->loops[0], &st.task);
    server_await(s);
    if (!vitals_start(s->vitals))
        return fault_set(f, ERR_AGAIN, "start thread", "vitals");
    http_server_start(s->http);
    health_started(s->health);
    return ERR_OK;
}

static void
stop_threads(struct server *s)
{
    struct start quiesce[LOOPS_MAX], stop = {{stop_run, NULL}, s};

    log_info(s->log, "Shutting down ArtStore");
    health_draining(s->health);
    join_drain(s->join);
    server_expect(s, 1);
    http_server_drain(s->http, s->conf.drain_timeout, server_arrive, s);
    server_await(s);
    server_expect(s, s->n_loops);
    for (unsigned i = 0; i < s->n_loops; i++) {
        quiesce[i] = (struct start){{quiesce_run, NULL}, s};
        loop_post(s->loops[i], &quiesce[i].task);
    }
    server_await(s);
    server_expect(s, 1);
    loop_post(s->loops[0], &stop.task);
    server_await(s);
    server_far_stop(s);
    for (unsigned i = 0; i < s->n_threads; i++)
        ioloop_stop(s->loop[i]);
    for (unsigned i = 0; i < s->n_threads; i++)
        pthread_join(s->thread[i], NULL);
}

static void
server_close(struct server *s)
{
    instance_remove(&s->instance);
    vitals_close(&s->vitals);
    http_server_close(&s->http);
    tls_context_close(&s->tls);
    join_close(&s->join);
    if (s->meta)
        s->meta->ops->close(s->meta);
    bucket_close(&s->bucket);
    for (unsigned i = 0; i < s->n_el; i++) {
        if (s->el[i].index && !s->el[i].objects)
            s->el[i].index->ops->close(s->el[i].index);
        if (s->el[i].disk)
            s->el[i].disk->ops->close(s->el[i].disk);
    }
    standstill_close(&s->standstill);
    keys_close(&s->keys);
    workers_close(&s->workers);
    server_far_close(s);
    for (unsigned i = 0; i < s->n_loops; i++)
        ioloop_close(&s->loop[i]);
    blocks_close(&s->blocks);
    gauges_close(&s->gauges);
    observe_close(&s->observe);
    health_close(&s->health);
    log_close(&s->log);
    metrics_close(&s->metrics);
    conf_release(&s->fresh);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mu);
}

static void
wait_for_signals(struct server *s, const sigset_t *set)
{
    int sig = 0;

    while (sigwait(set, &sig) == 0) {
        if (sig == SIGHUP)
            server_reload(s);
        else
            return;
    }
}

/* The limit of descriptors as high as we may set it. */
static void
raise_limits(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* Before anything is made: a first start that was refused for its options is
 * still to come. */
static bool
files_are_right(const struct conf *c)
{
    struct conf_report rep = {0};
    struct buf b;
    bool right;

    check_files(c, &rep);
    right = rep.errors == 0;
    buf_init(&b, 64 * KIB);
    conf_report_print(&rep, CONF_ERROR, &b);
    fputs(buf_str(&b), stderr);
    buf_release(&b);
    conf_report_release(&rep);
    return right;
}

int
server_run(const struct conf *conf, const struct conf_input *input)
{
    struct server *s = calloc(1, sizeof(*s));
    struct sandbox_got sandbox;
    struct fault f = {0};
    sigset_t set;
    char text[FAULT_TEXT];
    int failed = 1;
    enum err e;

    if (s == NULL)
        return failed;
    s->conf = *conf;
    s->input = input;
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->cond, NULL);
    raise_limits();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    e = confine_enter(&s->conf, &sandbox, &f);
    if (e == ERR_OK && !server_open_observation(s))
        e = fault_set(&f, ERR_NOMEM, "open", "log");
    if (e == ERR_OK)
        s->startup = startup_watch(s->conf.startup_timeout, s->log);
    startup_step(s->startup, "reading the files that options name");
    if (e == ERR_OK && !files_are_right(&s->conf)) {
        e = ERR_INVAL;
        failed = CONF_EXIT;
    }
    if (e == ERR_OK)
        e = server_open(s, &f);
    startup_step(s->startup, "starting threads");
    if (e == ERR_OK)
        e = confine_seal(&s->conf, &sandbox, s->log, &f);
    if (e == ERR_OK)
        e = start_threads(s, &f);
    startup_close(&s->startup);
    if (e == ERR_OK) {
        printf("ready %s\n", s->url);
        fflush(stdout);
        wait_for_signals(s, &set);
        stop_threads(s);
    } else if (failed != CONF_EXIT) {
        fprintf(stderr, "artstore %s: %s\n", conf_role_name(s->conf.role),
                fault_text(&f, text, sizeof(text)));
    }
    server_close(s);
    free(s);
    return e == ERR_OK ? 0 : failed;
}
