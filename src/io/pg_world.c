/* pg_world.c - see pg_world.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/pg_world.h"
#include "io/free_port.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define NOBODY        65534
#define PROCESSES_MAX 64

static void
nap_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

/* Where Debian puts it, the newest; else the folder of PG_BIN. */
static bool
find_bin(char out[128])
{
    const char *told = getenv("PG_BIN");
    char path[160];
    glob_t g;

    if (told) {
        (void)snprintf(out, 128, "%s", told);
    } else {
        if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) != 0)
            return false;
        (void)snprintf(out, 128, "%s", g.gl_pathv[g.gl_pathc - 1]);
        globfree(&g);
    }
    (void)snprintf(path, sizeof(path), "%s/initdb", out);
    return access(path, X_OK) == 0;
}

/* In the child. A server that is left behind by a test that died ends too. */
static void
become_ordinary(void)
{
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
    (void)setenv("LC_ALL", "C", 1);
    (void)signal(SIGPIPE, SIG_DFL);
}

/* LOG: of the folder. */
static pid_t
spawn(struct pg_world *w, const char *log, const char *const *argv)
{
    char path[128];
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    become_ordinary();
    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, log);
    if (!freopen("/dev/null", "r", stdin) || !freopen(path, "a", stdout) ||
        dup2(STDOUT_FILENO, STDERR_FILENO) < 0 || chdir(w->dir) != 0)
        _exit(126);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static void
show_log(struct pg_world *w, const char *log)
{
    char path[128], line[256];
    FILE *in;

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, log);
    in = fopen(path, "re");
    while (in && fgets(line, sizeof(line), in))
        (void)fputs(line, stderr);
    if (in)
        (void)fclose(in);
}

static void
make_cluster(struct pg_world *w)
{
    char initdb[160];
    const char *const argv[] = {initdb,
                                "-D",
                                "data",
                                "-U",
                                "postgres",
                                "-E",
                                "UTF8",
                                "--locale=C",
                                "--auth-local=trust",
                                "--auth-host=trust",
                                "--no-sync",
                                NULL};
    int status = 0;

    (void)snprintf(initdb, sizeof(initdb), "%s/initdb", w->bin);
    assert_true(waitpid(spawn(w, "initdb.log", argv), &status, 0) > 0);
    if (status != 0) {
        show_log(w, "initdb.log");
        fail_msg("initdb: %d", status);
    }
}

static void
admin_url(struct pg_world *w, const char *name, char url[PG_WORLD_URL])
{
    (void)snprintf(url, PG_WORLD_URL,
                   "postgresql://postgres@/%s?host=%s&port=%d", name, w->dir,
                   w->port);
}

void
pg_world_start(struct pg_world *w, const char *setting)
{
    char postgres[160], port[16], url[PG_WORLD_URL];
    const char *argv[] = {postgres,
                          "-D",
                          "data",
                          "-k",
                          w->dir,
                          "-h",
                          "127.0.0.1",
                          "-p",
                          port,
                          "-c",
                          "max_connections=40",
                          "-c",
                          "shared_buffers=16MB",
                          "-c",
                          setting ? setting : "log_statement=none",
                          NULL};

    (void)snprintf(postgres, sizeof(postgres), "%s/postgres", w->bin);
    (void)snprintf(port, sizeof(port), "%d", w->port);
    assert_int_equal(w->pid, 0);
    w->pid = spawn(w, "server.log", argv);
    admin_url(w, "postgres", url);
    for (int i = 0; i < 2400; i++) { /* 2 min, after kill -9 too */
        int status;

        if (PQping(url) == PQPING_OK)
            return;
        if (waitpid(w->pid, &status, WNOHANG) > 0)
            break;
        nap_ms(50);
    }
    show_log(w, "server.log");
    fail_msg("the server does not start");
}

/* Of the server, which has to be stopped: it makes no others then. */
static unsigned
children_of(struct pg_world *w, pid_t out[PROCESSES_MAX])
{
    char path[64], text[4096] = "";
    unsigned n = 0;
    FILE *in;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)w->pid,
                   (int)w->pid);
    in = fopen(path, "re");
    if (in) {
        (void)!fgets(text, sizeof(text), in);
        (void)fclose(in);
    }
    for (char *p = text, *end;; p = end) {
        long pid = strtol(p, &end, 10);

        if (end == p)
            return n;
        assert_true(n < PROCESSES_MAX);
        out[n++] = (pid_t)pid;
    }
}

/* Children are not ours to wait for, but as long as one of them has the shared
 * memory no other server starts. */
static void
wait_gone(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    if (fd == -1)
        return; /* it was gone before */
    while (poll(&p, 1, 60000) == -1)
        assert_int_equal(errno, EINTR);
    assert_true(p.revents != 0);
    (void)close(fd);
}

/* The server's processes have sessions of their own, so that no signal to a
 * group reaches them. */
static void
signal_all(struct pg_world *w, int sig)
{
    pid_t child[PROCESSES_MAX];
    int fd[PROCESSES_MAX];
    unsigned n;

    if (sig != SIGCONT) {
        assert_int_equal(kill(w->pid, SIGSTOP), 0);
        assert_true(waitpid(w->pid, NULL, WUNTRACED) > 0);
    }
    n = children_of(w, child);
    for (unsigned i = 0; i < n; i++) {
        fd[i] = sig == SIGKILL ? pidfd_open(child[i], 0) : -1;
        (void)kill(child[i], sig);
    }
    (void)kill(w->pid, sig);
    if (sig == SIGQUIT)
        (void)kill(w->pid, SIGCONT);
    for (unsigned i = 0; i < n; i++)
        wait_gone(fd[i]);
}

void
pg_world_kill(struct pg_world *w, int sig)
{
    char path[96];

    assert_true(w->pid > 0);
    signal_all(w, sig);
    if (sig != SIGKILL && sig != SIGQUIT)
        return;
    assert_true(waitpid(w->pid, NULL, 0) > 0);
    w->pid = 0;
    (void)snprintf(path, sizeof(path), "%s/data/postmaster.pid", w->dir);
    (void)unlink(path);
}

const char *
pg_world_open(struct pg_world *w)
{
    memset(w, 0, sizeof(*w));
    if (!find_bin(w->bin))
        return "no PostgreSQL server is installed (package postgresql)";
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/artstore-pg.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    if (geteuid() == 0)
        assert_int_equal(chown(w->dir, NOBODY, NOBODY), 0);
    w->port = free_port();
    make_cluster(w);
    pg_world_start(w, NULL);
    (void)pg_world_sql(w, "postgres", "CREATE ROLE artstore LOGIN");
    return NULL;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void
pg_world_close(struct pg_world *w)
{
    if (w->pid > 0)
        pg_world_kill(w, SIGQUIT);
    if (!w->dir[0])
        return;
    (void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    w->dir[0] = '\0';
}

static void
no_notices(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

const char *
pg_world_sql(struct pg_world *w, const char *name, const char *sql)
{
    static char out[256];
    char url[PG_WORLD_URL];
    PGresult *r;
    PGconn *c;

    admin_url(w, name, url);
    c = PQconnectdb(url);
    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(c));
    (void)PQsetNoticeReceiver(c, no_notices, NULL);
    r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK &&
        PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    (void)snprintf(out, sizeof(out), "%s",
                   PQntuples(r) > 0 && PQnfields(r) > 0 ? PQgetvalue(r, 0, 0)
                                                        : "");
    PQclear(r);
    PQfinish(c);
    return out;
}

void
pg_world_database(struct pg_world *w, const char *name, char url[PG_WORLD_URL])
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s OWNER artstore", name);
    (void)pg_world_sql(w, "postgres", sql);
    (void)snprintf(url, PG_WORLD_URL, "postgresql://artstore@127.0.0.1:%d/%s",
                   w->port, name);
}
