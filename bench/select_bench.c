/* select_bench.c - what it costs to choose an element, by how many there are
 * and how far the choice must look; and to make a snapshot of them.
 *
 * Each decision is timed alone (CLOCK_MONOTONIC, some 25 ns of it the clock's
 * own) with a size and a turn that differ, 20,000 in a row, the whole three
 * times over in turn; the table has the percentiles of the best of the three,
 * since on a shared machine the others show the neighbours. How many files
 * there are is not an input, so there is nothing to vary: the cost is flat in
 * it by construction.
 *
 *   first    the first has room: the usual case of sequential fill
 *   last     all but the last of the order are full
 *   none     all are full: the 507
 *   sick     the breakers of the first nine tenths are open, and three
 *            elements are excluded
 *   width    64 elements are open at a time
 *   explain  a verdict on each, as in `se why` and the 507's body
 *
 * Exits 1 when a case at 1,000 elements is over 20 us at p99 (--check).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/snapshot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DECISIONS 20000
#define ROUNDS    3
#define PROMISED  20000 /* ns, p99 at 1,000 elements */

struct world {
    size_t n;
    struct reload_element *list;
    struct snapshot_fact *fact;
    struct select_live *live;
    struct select_verdict *verdict;
    struct snapshot *s;
    char (*id)[16];
    int64_t *ns; /* DECISIONS of them */
};

static const struct breaker_conf breakers = {.failure_threshold = 5,
                                             .success_threshold = 2,
                                             .open_for = {60LL * 1000000000}};
static const struct snapshot_conf conf = {
    .marks = {.percent = {0, 85, 92, 98}, .hysteresis = 2},
    .fresh_for = {600LL * 1000000000},
    .datacenter = "dc1",
};

static int64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
by_value(const void *pa, const void *pb)
{
    const int64_t *a = pa, *b = pb;

    return (*a > *b) - (*a < *b);
}

static void *
need(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        abort();
    return p;
}

/* Half edit and half rw, in three datacentres, ten priorities. */
static void
world_make(struct world *w, size_t n)
{
    static const char *const dc[] = {"dc1", "dc2", "dc3"};

    *w = (struct world){.n = n};
    w->list = need(n, sizeof(*w->list));
    w->fact = need(n, sizeof(*w->fact));
    w->live = need(n, sizeof(*w->live));
    w->verdict = need(n, sizeof(*w->verdict));
    w->id = need(n, sizeof(*w->id));
    w->ns = need(DECISIONS, sizeof(*w->ns));
    for (size_t i = 0; i < n; i++) {
        snprintf(w->id[i], sizeof(w->id[i]), "se-%06u", (unsigned)i);
        w->list[i] = (struct reload_element){
            .element_id = w->id[i],
            .endpoint = "https://elements.example/one",
            .mode = i % 2 ? SELECT_RW : SELECT_EDIT,
            .priority = (int)(i * 7 % 10),
        };
        w->fact[i] = (struct snapshot_fact){
            .element_id = w->id[i],
            .endpoint = w->list[i].endpoint,
            .location = dc[i % 3],
            .mode = w->list[i].mode,
            .priority = w->list[i].priority,
            .set = SNAPSHOT_IN_SET,
            .status = SNAPSHOT_STATUS_NONE,
            .inodes_total = 1000000,
            .inodes_available = 900000,
        };
    }
}

static void
world_free(struct world *w)
{
    snapshot_free(w->s);
    free(w->list);
    free(w->fact);
    free(w->live);
    free(w->verdict);
    free(w->id);
    free(w->ns);
}

/* All are full but those of the last KEEP in the order. */
static void
world_fill(struct world *w, size_t keep)
{
    const struct reload_list list = {.e = w->list, .n = w->n};
    struct snapshot *old = w->s;
    const uint64_t total = (uint64_t)10 << 40;

    for (int pass = 0; pass < 2; pass++) { /* the second knows the order */
        for (size_t i = 0; i < w->n; i++) {
            size_t at = pass ? w->s->order[i] : i;
            bool full = pass && i + keep < w->n;

            w->fact[at].total = total;
            w->fact[at].available = full ? total / 100 : total / 2;
            w->fact[at].used = total - w->fact[at].available;
        }
        if (pass)
            old = w->s;
        if (snapshot_make(&w->s, &list, w->fact, w->n, NULL, &conf,
                          (struct mono){1}) != ERR_OK)
            abort();
        snapshot_free(old);
    }
    snapshot_carry(NULL, NULL, w->s, w->live);
}

struct row {
    const char *name;
    size_t keep; /* with room at the end of the order; SIZE_MAX: all */
    unsigned width;
    bool sick, explain;
};

static const struct row rows[] = {
    {"first", SIZE_MAX, 1, false, false},  {"last", 2, 1, false, false},
    {"none", 0, 1, false, false},          {"sick", SIZE_MAX, 1, true, false},
    {"width", SIZE_MAX, 64, false, false}, {"explain", 0, 1, false, true},
};

static void
make_sick(struct world *w)
{
    const struct mono then = {2};
    uint32_t period;

    for (size_t i = 0; i < w->n * 9 / 10; i++)
        for (unsigned k = 0; k < breakers.failure_threshold; k++) {
            struct breaker *b = &w->live[w->s->order[i]].breaker;

            if (breaker_ask(b, &breakers, then, &period))
                (void)breaker_report(b, &breakers, then, period,
                                     BREAKER_FAILURE);
        }
}

static int64_t
measure(struct world *w, const struct row *row, struct prng *r, int64_t *p50,
        int64_t *top)
{
    struct select_out out[3];
    struct select_request q = {
        .mode = SELECT_EDIT,
        .fill_width = row->width,
        .now = {3},
        .live = w->live,
        .breakers = &breakers,
        .out = out,
        .n_out = row->sick && w->n > 3 ? 3 : 0,
    };
    volatile int sink = 0;

    for (unsigned i = 0; i < 3 && w->n > 3; i++)
        out[i] = (struct select_out){w->s->order[i], SELECT_FAILED};
    for (size_t i = 0; i < DECISIONS; i++) {
        struct select_result res;
        int64_t t;

        q.size = prng_below(r, (uint64_t)1 << 30);
        q.turn = i;
        t = now_ns();
        res = select_pick(&q, w->s->e, w->s->order, w->s->n,
                          row->explain ? w->verdict : NULL);
        w->ns[i] = now_ns() - t;
        sink += res.chosen;
    }
    qsort(w->ns, DECISIONS, sizeof(*w->ns), by_value);
    *p50 = w->ns[DECISIONS / 2];
    *top = w->ns[DECISIONS - 1];
    return w->ns[DECISIONS * 99 / 100];
}

/* False: over the promise. */
static bool
choices(size_t n)
{
    struct prng r;
    struct world w;
    bool kept = true;

    prng_init(&r, n);
    world_make(&w, n);
    for (size_t i = 0; i < countof(rows); i++) {
        int64_t best = INT64_MAX, p50 = 0, top = 0;

        world_fill(&w, rows[i].keep == SIZE_MAX ? n : rows[i].keep);
        if (rows[i].sick)
            make_sick(&w);
        for (int k = 0; k < ROUNDS; k++) {
            int64_t a, b, p99 = measure(&w, &rows[i], &r, &a, &b);

            if (p99 < best) {
                best = p99;
                p50 = a;
                top = b;
            }
        }
        printf("| %6zu | %-8s | %8.2f | %8.2f | %9.2f |\n", n, rows[i].name,
               (double)p50 / 1e3, (double)best / 1e3, (double)top / 1e3);
        kept = kept && (n != 1000 || best <= PROMISED);
    }
    world_free(&w);
    return kept;
}

static void
snapshots(size_t n)
{
    struct world w;
    int64_t best = INT64_MAX;

    world_make(&w, n);
    world_fill(&w, n);
    for (int i = 0; i < 30; i++) {
        const struct reload_list list = {.e = w.list, .n = n};
        int64_t t = now_ns();
        struct snapshot *s;

        if (snapshot_make(&s, &list, w.fact, n, w.s, &conf, (struct mono){1}) !=
            ERR_OK)
            abort();
        t = now_ns() - t;
        best = t < best ? t : best;
        snapshot_free(w.s);
        w.s = s;
    }
    printf("snapshot of %zu elements: %.2f ms\n", n, (double)best / 1e6);
    world_free(&w);
}

int
main(int argc, char **argv)
{
    static const size_t sizes[] = {10, 100, 1000, 10000};
    bool kept = true;

    printf("| elements | case | p50 us | p99 us | longest us |\n"
           "|---|---|---|---|---|\n");
    for (size_t i = 0; i < countof(sizes); i++)
        kept = choices(sizes[i]) && kept;
    for (size_t i = 0; i < countof(sizes); i++)
        snapshots(sizes[i]);
    printf("promise: p99 <= %d us at 1000 elements: %s\n", PROMISED / 1000,
           kept ? "kept" : "not kept");
    return argc > 1 && strcmp(argv[1], "--check") == 0 && !kept;
}
