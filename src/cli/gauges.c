/* gauges.c - see gauges.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/gauges.h"
#include "cli/commit.h"
#include "io/http.h"
#include "io/s3.h"
#include "obs/metric.h"
#include "sec/keys.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LOOPS_MAX 64

struct gauges {
    struct gauges_conf conf;
    struct series turns[LOOPS_MAX], events[LOOPS_MAX];
};

/* ---- the process ---- */

static int64_t
resident_bytes(void)
{
    long pages = 0, total = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%ld %ld", &total, &pages) != 2)
            pages = 0;
        (void)fclose(f);
    }
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* Without ".", ".." and the one that reads. */
static int64_t
open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int64_t n = -3;

    if (d == NULL)
        return 0;
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static void
set(struct metrics *m, enum metric id, int64_t v)
{
    metric_set(m, metric_plain(m, id), v);
}

static void
process(struct metrics *m, const struct gauges_conf *c)
{
    struct rlimit lim;
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    set(m, M_PROCESS_CPU, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
    set(m, M_PROCESS_RSS, resident_bytes());
    set(m, M_PROCESS_START, c->started.ms);
    set(m, M_PROCESS_FDS, open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0)
        set(m, M_PROCESS_MAX_FDS, (int64_t)lim.rlim_cur);
}

/* ---- sockets, loops, memory ---- */

static void
sockets(struct metrics *m, const struct gauges_conf *c)
{
    struct http_stats st;

    http_server_stats(c->http, &st);
    set(m, M_HTTP_CONNECTIONS, (int64_t)st.open);
    set(m, M_HTTP_TIMEOUTS, (int64_t)st.timeouts);
    metric_set(m, metric_nth(m, M_HTTP_ACCEPTED, c->tls), (int64_t)st.accepted);
    metric_set(m, metric_series(m, M_HTTP_REFUSED, "connections"),
               (int64_t)st.refused_total);
    metric_set(m, metric_series(m, M_HTTP_REFUSED, "connections_per_address"),
               (int64_t)st.refused_per_address);
}

static void
loops(struct metrics *m, struct gauges *g)
{
    uint64_t waits = 0;

    for (unsigned i = 0; i < g->conf.n_loops; i++) {
        struct ioloop *l = g->conf.loop[i];

        metric_set(m, g->turns[i], (int64_t)atomic_load(&l->stat.turns));
        metric_set(m, g->events[i], (int64_t)atomic_load(&l->stat.events));
        waits += atomic_load(&l->stat.block_waits);
    }
    set(m, M_BLOCKS_WAITS, (int64_t)waits);
}

static void
bucket(struct metrics *m, struct objects *o)
{
    struct s3_stats st;

    if (o == NULL)
        return;
    s3_stats(o, &st);
    set(m, M_S3_REQUESTS, (int64_t)st.requests);
    set(m, M_S3_RETRIES, (int64_t)st.retries);
    set(m, M_S3_FAILED, (int64_t)st.failed);
    set(m, M_S3_QUEUED, (int64_t)st.queued);
}

static void
on_scrape(struct metrics *m, void *arg)
{
    struct gauges *g = arg;
    const struct gauges_conf *c = &g->conf;
    struct workers_stats ws;
    struct keyset *ks = c->keys ? keys_get(c->keys) : NULL;

    process(m, c);
    sockets(m, c);
    loops(m, g);
    set(m, M_BLOCKS_IN_USE, (int64_t)blocks_used(c->blocks));
    set(m, M_BLOCKS_LIMIT, (int64_t)blocks_total(c->blocks));
    bucket(m, c->bucket);
    workers_stats(c->workers, &ws);
    set(m, M_WORK_QUEUED, ws.queued);
    set(m, M_WORK_TAKEN, (int64_t)ws.taken);
    set(m, M_AUTH_KEYS, ks ? (int64_t)ks->n : 0);
    if (ks)
        keyset_unref(&ks);
}

struct gauges *
gauges_open(const struct gauges_conf *conf)
{
    struct gauges *g = calloc(1, sizeof(*g));
    struct metrics *m = conf->metrics;
    char name[12];

    assert(conf->n_loops <= LOOPS_MAX);
    if (g == NULL)
        return NULL;
    g->conf = *conf;
    for (unsigned i = 0; i < conf->n_loops; i++) {
        snprintf(name, sizeof(name), "%u", i);
        g->turns[i] = metric_series(m, M_LOOP_TURNS, name);
        g->events[i] = metric_series(m, M_LOOP_EVENTS, name);
    }
    metric_set(m,
               metric_series(m, M_BUILD_INFO, conf->version, ARTSTORE_COMMIT,
                             "server"),
               1);
    (void)metrics_on_scrape(m, on_scrape, g);
    return g;
}

void
gauges_close(struct gauges **g)
{
    free(*g);
    *g = NULL;
}
