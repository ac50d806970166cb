/* select.c - see select.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/select.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum select_kind kind;
    const char *text;
} reasons[] = {
#define X(code, name, kind, text) {name, kind, text},
    SELECT_REASONS(X)
#undef X
};

const char *
select_reason_name(enum select_reason r)
{
    assert(r < SELECT_REASON_COUNT);
    return reasons[r].name;
}

enum select_kind
select_reason_kind(enum select_reason r)
{
    assert(r < SELECT_REASON_COUNT);
    return reasons[r].kind;
}

enum select_mode
select_mode_of(int retention)
{
    return retention == 0 ? SELECT_EDIT : SELECT_RW;
}

static uint64_t
needed(const struct select_request *q)
{
    uint64_t size = q->size == SELECT_SIZE_UNKNOWN ? q->unknown_need : q->size;

    return size > UINT64_MAX - q->reserve ? UINT64_MAX : size + q->reserve;
}

static bool
is_stale(const struct select_request *q, const struct select_element *e)
{
    return e->stale ||
           (e->fresh_until.ns && mono_reached(q->now, e->fresh_until));
}

static bool
is_open(const struct select_request *q, const struct select_element *e,
        size_t i)
{
    return e->circuit_open || (q->live && !breaker_would(&q->live[i].breaker,
                                                         q->breakers, q->now));
}

static enum select_excluded
is_excluded(const struct select_request *q, const struct select_element *e,
            size_t i)
{
    for (unsigned k = 0; k < q->n_out; k++)
        if (q->out[k].index == i)
            return q->out[k].why;
    return e->excluded;
}

/* What keeps E from taking any file at all: SELECT_WAITS, or why not. The order
 * of the questions is the order in which an operator would ask them. */
static enum select_reason
usable(const struct select_request *q, const struct select_element *e, size_t i)
{
    if (e->mode != q->mode)
        return SELECT_WRONG_MODE;
    if (e->unreachable)
        return SELECT_UNREACHABLE;
    if (is_stale(q, e))
        return SELECT_STALE;
    if (e->unwritable)
        return SELECT_UNHEALTHY;
    if (e->status == SELECT_FULL)
        return SELECT_IS_FULL;
    if (e->unlisted)
        return SELECT_UNLISTED;
    if (is_open(q, e, i))
        return SELECT_CIRCUIT;
    return SELECT_WAITS;
}

/* Whether E would do, whatever the others; NEED as worked out once. */
static struct select_verdict
judge(const struct select_request *q, const struct select_element *e, size_t i,
      uint64_t need)
{
    uint64_t promised = q->live ? q->live[i].promised : 0;
    struct select_verdict v = {
        .reason = usable(q, e, i),
        .need = need,
        .have = e->available > promised ? e->available - promised : 0,
    };

    if (v.reason != SELECT_WAITS && v.reason != SELECT_IS_FULL)
        return v;
    /* What there is too little of says more than that a mark was passed. */
    if (v.have < v.need && !q->doubt) {
        v.reason = SELECT_NO_SPACE;
    } else if (e->inodes_total && e->inodes_available < SELECT_INODES &&
               !q->doubt) {
        v.reason = SELECT_NO_INODES;
        v.need = SELECT_INODES;
        v.have = e->inodes_available;
    } else if (v.reason == SELECT_WAITS) {
        /* Asked last: that it is full says more than that it was tried. */
        switch (is_excluded(q, e, i)) {
        case SELECT_NOT_EXCLUDED:
            break;
        case SELECT_FAILED:
            v.reason = SELECT_NO_MORE;
            break;
        case SELECT_REFUSED:
            v.reason = SELECT_NO_MORE_ROOM;
            break;
        }
    }
    return v;
}

static bool
is_near(const struct select_element *e, const char *datacenter)
{
    return e->location && strcmp(e->location, datacenter) == 0;
}

/* Is A filled before B? Ids differ, so the order is total (ING-110). */
static bool
before(const struct select_element *a, const struct select_element *b,
       const char *datacenter)
{
    if (datacenter && *datacenter &&
        is_near(a, datacenter) != is_near(b, datacenter))
        return is_near(a, datacenter);
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return strcmp(a->element_id, b->element_id) < 0;
}

/* FROM[lo, mid) and FROM[mid, hi) into TO. */
static void
merge(const struct select_element *e, const char *datacenter,
      const uint32_t *from, uint32_t *to, size_t lo, size_t mid, size_t hi)
{
    size_t i = lo, j = mid;

    for (size_t k = lo; k < hi; k++) {
        bool left = j == hi ||
                    (i < mid && !before(&e[from[j]], &e[from[i]], datacenter));

        to[k] = left ? from[i++] : from[j++];
    }
}

/* From below: runs of 1, 2, 4 ... ; no recursion and no bad case. */
void
select_order(const struct select_element *e, size_t n, const char *datacenter,
             uint32_t *order, uint32_t *scratch)
{
    uint32_t *from = order, *to = scratch, *swap;

    assert(n <= UINT32_MAX / 2);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * run)
            merge(e, datacenter, from, to, lo, size_min(lo + run, n),
                  size_min(lo + 2 * run, n));
        swap = from;
        from = to;
        to = swap;
    }
    if (from != order)
        memcpy(order, from, n * sizeof(*order));
}

static enum select_kind
worse(enum select_kind sofar, enum select_kind k)
{
    /* One that may come back makes it "later", whoever else is full. */
    if (k == SELECT_LATER || sofar == SELECT_LATER)
        return SELECT_LATER;
    return k == SELECT_ROOM ? SELECT_ROOM : sofar;
}

struct select_result
select_pick(const struct select_request *q, const struct select_element *e,
            const uint32_t *order, size_t n, struct select_verdict *verdict)
{
    struct select_result r = {.chosen = -1, .kind = SELECT_NEVER};
    unsigned width = q->fill_width ? q->fill_width : 1;
    uint64_t need = needed(q);
    uint32_t open[SELECT_WIDTH_MAX];
    unsigned n_open = 0;

    assert(width <= SELECT_WIDTH_MAX && (!q->live || q->breakers));
    for (size_t rank = 0; rank < n && (verdict || n_open < width); rank++) {
        uint32_t i = order[rank];
        struct select_verdict v = judge(q, &e[i], i, need);

        v.rank = (unsigned)rank + 1;
        if (verdict)
            verdict[i] = v;
        if (v.reason == SELECT_WAITS && n_open < width)
            open[n_open++] = i;
        r.kind = worse(r.kind, reasons[v.reason].kind);
    }
    if (n_open > 0) {
        r.kind = SELECT_YES;
        r.chosen = (int)open[q->turn % n_open];
        if (verdict)
            verdict[r.chosen].reason = SELECT_CHOSEN;
    }
    return r;
}

struct select_result
select_doubted(const struct select_request *q, const struct select_element *e,
               size_t n)
{
    struct select_request all = *q;
    struct select_result r = {.chosen = -1, .kind = SELECT_ROOM};
    uint64_t need = needed(q), most = 0;

    all.doubt = true;
    for (size_t i = 0; i < n; i++) {
        struct select_verdict v = judge(&all, &e[i], i, need);

        if (v.reason != SELECT_WAITS || (r.chosen >= 0 && v.have <= most))
            continue;
        most = v.have;
        r = (struct select_result){(int)i, SELECT_YES};
    }
    return r;
}

struct select_result
select_run(const struct select_request *q, const struct select_element *e,
           size_t n, struct select_verdict *verdict)
{
    uint32_t order[SELECT_MAX], scratch[SELECT_MAX];

    assert(n <= SELECT_MAX);
    select_order(e, n, q->datacenter, order, scratch);
    return select_pick(q, e, order, n, verdict);
}

/* "30.0 MiB"; bytes where EXACT is asked for. */
static void
size_text(uint64_t n, bool exact, char out[32])
{
    static const char *const unit[] = {"KiB", "MiB", "GiB",
                                       "TiB", "PiB", "EiB"};
    double x = (double)n / 1024;
    unsigned u = 0;

    if (exact || n < 1024) {
        (void)snprintf(out, 32, "%llu bytes", (unsigned long long)n);
        return;
    }
    for (; x >= 1000 && u + 1 < sizeof(unit) / sizeof(unit[0]); u++)
        x /= 1024;
    (void)snprintf(out, 32, "%.1f %s", x, unit[u]);
}

const char *
select_explain(const struct select_verdict *v, char *out, size_t n)
{
    char need[32], have[32];

    assert(v->reason < SELECT_REASON_COUNT);
    if (v->reason == SELECT_NO_SPACE) {
        size_text(v->need, false, need);
        size_text(v->have, false, have);
        if (strcmp(need, have) == 0) { /* what decides is behind the point */
            size_text(v->need, true, need);
            size_text(v->have, true, have);
        }
        (void)snprintf(out, n, "%s: %s are needed, %s are free",
                       reasons[v->reason].text, need, have);
    } else if (v->reason == SELECT_NO_INODES) {
        (void)snprintf(out, n, "%s: %llu are needed, %llu are free",
                       reasons[v->reason].text, (unsigned long long)v->need,
                       (unsigned long long)v->have);
    } else {
        (void)snprintf(out, n, "%s", reasons[v->reason].text);
    }
    return out;
}
