/* reload_bench.c - what a reload of the list of elements costs: from the bytes
 * of Redis or Admin to the list in use and all its differences.
 *
 * Each turn reads a document of N elements (wire/elements.h), brings it into
 * the core (core/reload.h) as the answer to a reading, walks the differences
 * and drops the list before it. In each document a tenth of the elements is
 * added, a tenth removed, a tenth changed. "json" is the reading alone, "diff"
 * the judging and walking; "admin" reads documents with the numbers of each
 * element, as Admin's answer has them. Beside it the JSON library's time for
 * the same bytes. Exits 1 with --check when all of it takes more than 50 ms at
 * p99 for 10,000 elements; and RSS must be the same at the end (REL-140).
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/reload.h"
#include "wire/elements.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROMISED 50e6 /* ns, p99 at 10,000 elements */
#define DOCS     5

struct list {
    struct reload_list l;
    struct elements wire;
    struct reload_element *e;
};

struct bench {
    struct reload r;
    struct list *used;
    struct buf doc[DOCS];
    size_t turns;
    double *all, *json, *diff;
    size_t changes;
};

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double
cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *
need(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        abort();
    return p;
}

static void
put_numbers(struct buf *b, unsigned i)
{
    buf_printf(b,
               ",\"name\":\"Element %u\",\"uuid\":"
               "\"0198c1f2-1d3e-7c40-8123-0123456789ab\",\"backend\":"
               "\"local\",\"pool_id\":\"8:1\",\"capacity_total\":"
               "4000787030016,\"capacity_used\":%u000000,\"capacity_free\":"
               "2500491893760,\"capacity_percent\":37.5,\"capacity_status\":"
               "\"ok\",\"reserved\":0,\"inodes_total\":244195328,"
               "\"inodes_available\":244000000,\"files\":12345,\"bytes\":"
               "1500000000000,\"writable\":true,\"health_status\":\"healthy\","
               "\"health\":\"healthy\",\"status\":\"ok\",\"last_updated\":"
               "\"2026-02-03T04:05:06.700Z\",\"created_at\":"
               "\"2026-01-01T00:00:00.000Z\",\"updated_at\":"
               "\"2026-01-01T00:00:00.000Z\"",
               i, i + 1);
}

/* Document K: elements 0 to 1.1 N but every tenth, another tenth each time;
 * the priorities of another tenth are K's own. */
static void
make_doc(struct buf *b, unsigned n, unsigned k, bool admin)
{
    const char *comma = "";

    buf_init(b, 64 * MIB);
    buf_printf(b, "{\"storage_elements\":[");
    for (unsigned i = 0; i < n + n / 10; i++) {
        if (i % 11 == k)
            continue;
        buf_printf(b,
                   "%s{\"element_id\":\"se-dc%u-%06u\",\"api_url\":"
                   "\"https://elements.dc%u.example:8443/se-%06u\","
                   "\"endpoint\":\"https://elements.dc%u.example:8443/"
                   "se-%06u\",\"mode\":\"rw\",\"priority\":%u,"
                   "\"location\":\"dc%u\"",
                   comma, i % 5, i, i % 5, i, i % 5, i,
                   i % 11 == k + 5 ? k : 100, i % 5);
        if (admin)
            put_numbers(b, i);
        buf_add_char(b, '}');
        comma = ",";
    }
    buf_printf(b, "]}");
    if (b->failed)
        abort();
}

static struct list *
read_list(struct slice json)
{
    struct list *t = need(1, sizeof(*t));

    if (elements_read(&t->wire, json, NULL) != ERR_OK || t->wire.skipped)
        abort();
    t->e = need(t->wire.n + 1, sizeof(*t->e));
    for (size_t i = 0; i < t->wire.n; i++)
        t->e[i] = (struct reload_element){
            .element_id = t->wire.e[i].element_id,
            .endpoint = t->wire.e[i].endpoint,
            .location = t->wire.e[i].location,
            .mode = t->wire.e[i].mode,
            .priority = t->wire.e[i].priority,
        };
    t->l = (struct reload_list){.e = t->e, .n = t->wire.n};
    return t;
}

static void
free_list(struct list *t)
{
    if (!t)
        return;
    elements_release(&t->wire);
    free(t->e);
    free(t);
}

static void
turn(struct bench *b, size_t i, struct mono now)
{
    struct reload_event ev = {
        .type = RELOAD_EV_TRIGGER, .now = now, .reason = RELOAD_MANUAL};
    struct reload_out out;
    struct reload_change c;
    double t = now_ns(), t_read, t_end;
    struct list *l;

    reload_step(&b->r, &ev, &out);
    l = read_list(buf_slice(&b->doc[i % DOCS]));
    t_read = now_ns();
    ev = (struct reload_event){.type = RELOAD_EV_FETCHED,
                               .now = now,
                               .ticket = out.ticket,
                               .result = RELOAD_GOT,
                               .list = &l->l};
    reload_step(&b->r, &ev, &out);
    if (out.install != &l->l)
        abort();
    if (out.replaced) {
        struct reload_diff d = {out.replaced, out.install, 0, 0};

        while (reload_diff_next(&d, &c))
            b->changes++;
    }
    t_end = now_ns();
    free_list(b->used);
    b->used = l;
    b->json[i] = t_read - t;
    b->diff[i] = t_end - t_read;
    b->all[i] = now_ns() - t;
}

static int
by_value(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;

    return (*a > *b) - (*a < *b);
}

static double
p99(double *v, size_t n, double *p50)
{
    qsort(v, n, sizeof(*v), by_value);
    *p50 = v[n / 2] / 1e6;
    return v[n * 99 / 100] / 1e6;
}

static double
library_ms(struct slice json)
{
    double best = 1e18;

    for (int i = 0; i < 5; i++) {
        double t = now_ns();

        json_decref(json_loadb(json.p, json.n, 0, NULL));
        t = now_ns() - t;
        best = t < best ? t : best;
    }
    return best / 1e6;
}

/* The second number of statm is of resident pages. */
static long
rss_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    char text[128] = "", *rest = text;

    if (f) {
        if (!fgets(text, sizeof(text), f))
            text[0] = '\0';
        (void)fclose(f);
    }
    (void)strtol(text, &rest, 10);
    return strtol(rest, NULL, 10) * 4;
}

/* p99 of a turn in ns. */
static double
measure(unsigned n, size_t turns, bool admin)
{
    const struct reload_conf conf = RELOAD_CONF_DEFAULT;
    struct bench b = {.turns = turns};
    struct reload_event start = {.type = RELOAD_EV_START, .now = {1}};
    struct reload_out out;
    double p50, top, jp50, dp50, j, d, cpu;
    long rss = 0;

    for (unsigned k = 0; k < DOCS; k++)
        make_doc(&b.doc[k], n, k, admin);
    b.all = need(turns, sizeof(double));
    b.json = need(turns, sizeof(double));
    b.diff = need(turns, sizeof(double));
    reload_init(&b.r, &conf, 1);
    b.r.conf.redis = false; /* one source is enough here */
    reload_step(&b.r, &start, &out);
    start = (struct reload_event){.type = RELOAD_EV_FETCHED,
                                  .now = {1},
                                  .ticket = out.ticket,
                                  .result = RELOAD_NO_ANSWER};
    reload_step(&b.r, &start, &out);
    cpu = cpu_ns();
    for (size_t i = 0; i < turns; i++) {
        turn(&b, i, (struct mono){(int64_t)i + 2});
        if (i == turns / 10)
            rss = rss_kib();
    }
    cpu = (cpu_ns() - cpu) / (double)turns / 1e6;
    rss = rss_kib() - rss;
    top = p99(b.all, turns, &p50);
    j = p99(b.json, turns, &jp50);
    d = p99(b.diff, turns, &dp50);
    printf("| %6u | %-5s | %7.3f | %7.3f | %7.3f / %.3f | %7.3f / %.3f | "
           "%7.3f | %7.2f | %5ld |\n",
           n, admin ? "admin" : "redis", p50, top, jp50, j, dp50, d, cpu,
           library_ms(buf_slice(&b.doc[0])), rss);
    free_list(b.used);
    for (unsigned k = 0; k < DOCS; k++)
        buf_release(&b.doc[k]);
    free(b.all);
    free(b.json);
    free(b.diff);
    return top * 1e6;
}

int
main(int argc, char **argv)
{
    bool kept;

    printf("times in ms; json and diff: p50 / p99; cpu: per reload; library: "
           "reading alone, best of 5; rss: grown by KiB\n"
           "| elements | source | p50 | p99 | json | diff | cpu | library | "
           "rss |\n|---|---|---|---|---|---|---|---|---|\n");
    (void)measure(10, 10000, false);
    (void)measure(100, 10000, false);
    (void)measure(1000, 1000, false);
    kept = measure(10000, 300, false) <= PROMISED;
    (void)measure(10000, 100, true);
    printf("promise: p99 <= 50 ms at 10000 elements: %s\n",
           kept ? "kept" : "not kept");
    return argc > 1 && strcmp(argv[1], "--check") == 0 && !kept;
}
