/* redis_world.c - see redis_world.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/redis_world.h"
#include "io/free_port.h"
#include "io/ioloop_until.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000 /* for a machine that has other things to do */

/* --- processes ------------------------------------------------------------ */

static bool
installed(const char *name)
{
    char path[300];
    struct slice rest = slice_str(getenv("PATH")), dir;

    while (slice_cut(&rest, ':', &dir)) {
        (void)snprintf(path, sizeof(path), "%.*s/%s", SLICE_ARG(dir), name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

void
redis_required(void)
{
    const char *required = getenv("REQUIRE_REDIS");

    if (installed("redis-server") && installed("redis-sentinel"))
        return;
    printf("skipped: redis-server and redis-sentinel are not installed (they "
           "are in tools/deps, section test: script/bootstrap)\n");
    exit(required && strcmp(required, "1") == 0 ? 1 : 77);
}

static void
run_child(const struct redis_proc *p)
{
    const char *clock = getenv("ARTSTORE_TEST_REDIS_CLOCK");
    char conf[96], log[96];
    int fd;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(conf, sizeof(conf), "%s/conf", p->dir);
    (void)snprintf(log, sizeof(log), "%s/log", p->dir);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)unsetenv("LD_PRELOAD");
    if (p->clock[0] && clock) {
        (void)setenv("REDIS_CLOCK", p->clock, 1);
        (void)setenv("LD_PRELOAD", clock, 1);
    }
    if (p->sentinel)
        (void)execlp("redis-sentinel", "redis-sentinel", conf, NULL);
    else
        (void)execlp("redis-server", "redis-server", conf, NULL);
    _exit(127);
}

static void
write_conf(const struct redis_proc *p, const char *conf)
{
    char name[96];
    FILE *f;

    (void)snprintf(name, sizeof(name), "%s/conf", p->dir);
    f = fopen(name, "we");
    assert_non_null(f);
    (void)fprintf(f, "port %u\nbind 127.0.0.1\ndir %s\ndaemonize no\n%s",
                  p->port, p->dir,
                  p->sentinel ? "" : "save \"\"\nappendonly no\n");
    if (p->password)
        (void)fprintf(f, "requirepass %s\n", p->password);
    (void)fprintf(f, "%s", conf ? conf : "");
    (void)fclose(f);
}

static bool
answers(struct redis_proc *p)
{
    struct redisReply *r = redis_ask(p, "PING");
    bool ok = r && r->type == REDIS_REPLY_STATUS;

    if (r)
        freeReplyObject(r);
    return ok;
}

void
redis_start(struct redis_proc *p, const char *conf)
{
    static const struct timespec ms = {0, 10 * 1000000};
    bool up = false;

    if (p->dir[0] == 0) {
        (void)snprintf(p->dir, sizeof(p->dir), "/tmp/artstore-redis-XXXXXX");
        assert_non_null(mkdtemp(p->dir));
    }
    if (p->port == 0)
        p->port = free_port();
    write_conf(p, conf);
    (void)fflush(NULL);
    p->pid = fork();
    assert_int_not_equal(p->pid, -1);
    if (p->pid == 0)
        run_child(p);
    for (int i = 0; i < 1000 && !up; i++) {
        (void)nanosleep(&ms, NULL);
        up = answers(p);
    }
    if (!up)
        fail_msg("redis in %s does not start", p->dir);
}

void
redis_start_clock(struct redis_proc *p, const char *conf)
{
    int64_t zero = (int64_t)time(NULL) * 1000000;
    int fd;

    (void)snprintf(p->clock, sizeof(p->clock), "/tmp/artstore-clock-XXXXXX");
    fd = mkstemp(p->clock);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, &zero, sizeof(zero)), sizeof(zero));
    (void)close(fd);
    redis_start(p, conf);
}

void
redis_kill(struct redis_proc *p, int sig)
{
    int status;

    if (p->pid <= 0)
        return;
    (void)kill(p->pid, sig);
    if (sig == SIGSTOP || sig == SIGCONT)
        return;
    while (waitpid(p->pid, &status, 0) == -1 && errno == EINTR) {
    }
    p->pid = 0;
}

void
redis_remove(struct redis_proc *p)
{
    DIR *d;
    struct dirent *e;

    redis_kill(p, SIGKILL);
    d = p->dir[0] ? opendir(p->dir) : NULL;
    while (d && (e = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        (void)closedir(d);
    if (p->clock[0])
        (void)unlink(p->clock);
    if (p->dir[0] && rmdir(p->dir) == -1)
        printf("%s is left behind\n", p->dir);
    *p = (struct redis_proc){0};
}

/* --- a client of its own -------------------------------------------------- */

static struct redisReply *
vask(struct redis_proc *p, const char *fmt, va_list ap)
{
    struct timeval patience = {5, 0};
    redisContext *c =
        redisConnectWithTimeout("127.0.0.1", (int)p->port, patience);
    struct redisReply *r = NULL;

    if (c && c->err == 0) {
        (void)redisSetTimeout(c, patience);
        if (p->password && !p->sentinel)
            freeReplyObject(redisCommand(c, "AUTH %s", p->password));
        r = redisvCommand(c, fmt, ap);
    }
    redisFree(c);
    return r;
}

struct redisReply *
redis_ask(struct redis_proc *p, const char *fmt, ...)
{
    struct redisReply *r;
    va_list ap;

    va_start(ap, fmt);
    r = vask(p, fmt, ap);
    va_end(ap);
    return r;
}

void
redis_do(struct redis_proc *p, const char *fmt, ...)
{
    struct redisReply *r;
    va_list ap;

    va_start(ap, fmt);
    r = vask(p, fmt, ap);
    va_end(ap);
    if (!r || r->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", fmt, r ? r->str : "no connection");
    else
        freeReplyObject(r);
}

long long
redis_number(struct redis_proc *p, const char *fmt, ...)
{
    struct redisReply *r;
    va_list ap;
    long long n = -1;

    va_start(ap, fmt);
    r = vask(p, fmt, ap);
    va_end(ap);
    if (r && r->type == REDIS_REPLY_INTEGER)
        n = r->integer;
    else
        fail_msg("%s: not a number", fmt);
    freeReplyObject(r);
    return n;
}

/* --- the loop ------------------------------------------------------------- */

bool
redis_world_until(struct redis_world *w, bool (*true_p)(void *arg), void *arg,
                  int64_t ms)
{
    return ioloop_until(w->loop, true_p, arg, dur_ms(ms));
}

static bool
never(void *arg)
{
    (void)arg;
    return false;
}

void
redis_world_turn(struct redis_world *w, int64_t ms)
{
    (void)redis_world_until(w, never, NULL, ms);
}

/* Redis writes all that a command has caused before it reads the next one, so
 * when a later one is answered the bytes are on our side. */
void
redis_world_hear(struct redis_world *w, struct redis_proc *p)
{
    redis_do(p, "PING");
    for (int i = 0; i < 10; i++)
        redis_world_turn(w, 2); /* one turn at least */
}

void
redis_world_open(struct redis_world *w, const char *kind)
{
    struct fault f = {0};

    *w = (struct redis_world){0};
    assert_int_equal(ioloop_open(&w->loop, kind, 0, NULL, NULL, &f), ERR_OK);
}

void
redis_world_close(struct redis_world *w)
{
    ioloop_close(&w->loop);
}

static void
told(void *arg, enum coord_redis_event ev, const struct fault *f)
{
    struct redis_world *w = arg;

    w->events[ev]++;
    if (f)
        w->last = *f;
}

static void
has_closed(void *arg)
{
    ((struct redis_world *)arg)->closed = true;
}

struct coord *
redis_world_coord(struct redis_world *w, struct redis_proc *p,
                  struct coord_redis_conf c)
{
    struct coord *out;
    struct fault f = {0};
    char text[FAULT_TEXT];

    if (!c.sentinels) {
        c.host = "127.0.0.1";
        c.port = p->port;
    }
    c.told = told;
    c.closed = has_closed;
    c.arg = w;
    c.seed = 7;
    w->closed = false;
    memset(w->events, 0, sizeof(w->events));
    if (coord_redis_open(&out, &c, w->loop, &f))
        fail_msg("%s", fault_text(&f, text, sizeof(text)));
    return out;
}

static bool
is_true(void *arg)
{
    return *(bool *)arg;
}

void
redis_world_drop(struct redis_world *w, struct coord *c)
{
    c->ops->close(c);
    assert_true(redis_world_until(w, is_true, &w->closed, PATIENCE_MS));
}

static void
completed(struct coord_request *r)
{
    *(bool *)r->priv = true;
}

static void
submit(struct redis_world *w, struct coord *c, struct coord_request *r,
       bool *done)
{
    r->loop = &w->loop->loop;
    r->done = completed;
    r->priv = done;
    coord_submit(c, r);
    assert_false(*done); /* never inside the call */
}

enum err
redis_world_do(struct redis_world *w, struct coord *c, struct coord_request *r)
{
    bool done = false;

    submit(w, c, r, &done);
    assert_true(redis_world_until(w, is_true, &done, PATIENCE_MS));
    return r->err;
}
