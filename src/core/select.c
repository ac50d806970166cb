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

/* Whether E would do, whatever the others: SELECT_WAITS, or why not. The order
 * of the questions is the order in which an operator would ask them. */
static struct select_verdict
judge(const struct select_request *q, const struct select_element *e)
{
    struct select_verdict v = {.need = needed(q), .have = e->available};

    if (e->mode != q->mode)
        v.reason = SELECT_WRONG_MODE;
    else if (e->excluded == SELECT_FAILED)
        v.reason = SELECT_NO_MORE;
    else if (e->excluded == SELECT_REFUSED)
        v.reason = SELECT_NO_MORE_ROOM;
    else if (e->unreachable)
        v.reason = SELECT_UNREACHABLE;
    else if (e->circuit_open)
        v.reason = SELECT_CIRCUIT;
    else if (e->stale)
        v.reason = SELECT_STALE;
    else if (e->unwritable)
        v.reason = SELECT_UNHEALTHY;
    else if (e->status == SELECT_FULL)
        v.reason = SELECT_IS_FULL;
    else if (e->available < v.need)
        v.reason = SELECT_NO_SPACE;
    else if (e->inodes_total && e->inodes_available < SELECT_INODES) {
        v.reason = SELECT_NO_INODES;
        v.need = SELECT_INODES;
        v.have = e->inodes_available;
    } else
        v.reason = SELECT_WAITS;
    return v;
}

/* Is A filled before B? Ids differ, so the order is total (ING-110). */
static bool
before(const struct select_request *q, const struct select_element *a,
       const struct select_element *b)
{
    if (q->datacenter && *q->datacenter) {
        bool near_a = a->location && strcmp(a->location, q->datacenter) == 0;
        bool near_b = b->location && strcmp(b->location, q->datacenter) == 0;

        if (near_a != near_b)
            return near_a;
    }
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return strcmp(a->element_id, b->element_id) < 0;
}

/* Insertion sort: few elements, and mostly in order already. */
static void
sort(const struct select_request *q, const struct select_element *e, size_t n,
     uint16_t order[SELECT_MAX])
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;

        for (; at > 0 && before(q, &e[i], &e[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)i;
    }
}

struct select_result
select_run(const struct select_request *q, const struct select_element *e,
           size_t n, struct select_verdict *verdict)
{
    struct select_result r = {.chosen = -1, .kind = SELECT_NEVER};
    unsigned width = q->fill_width ? q->fill_width : 1;
    uint16_t order[SELECT_MAX], open[SELECT_MAX];
    size_t n_open = 0;

    assert(n <= SELECT_MAX);
    sort(q, e, n, order);
    for (size_t rank = 0; rank < n; rank++) {
        struct select_verdict v = judge(q, &e[order[rank]]);

        v.rank = (unsigned)rank + 1;
        if (verdict)
            verdict[order[rank]] = v;
        if (v.reason == SELECT_WAITS && n_open < width)
            open[n_open++] = order[rank];
        /* One that may come back makes it "later", whoever else is full. */
        if (reasons[v.reason].kind == SELECT_LATER)
            r.kind = SELECT_LATER;
        if (reasons[v.reason].kind == SELECT_ROOM && r.kind == SELECT_NEVER)
            r.kind = SELECT_ROOM;
    }
    if (n_open > 0) {
        r.kind = SELECT_YES;
        r.chosen = open[q->turn % n_open];
        if (verdict)
            verdict[r.chosen].reason = SELECT_CHOSEN;
    }
    return r;
}

const char *
select_explain(const struct select_element *e, const struct select_verdict *v,
               char *out, size_t n)
{
    assert(v->reason < SELECT_REASON_COUNT);
    if (v->reason == SELECT_NO_SPACE || v->reason == SELECT_NO_INODES)
        (void)snprintf(out, n, "%s %s: %llu of %llu", e->element_id,
                       reasons[v->reason].text, (unsigned long long)v->have,
                       (unsigned long long)v->need);
    else
        (void)snprintf(out, n, "%s %s", e->element_id, reasons[v->reason].text);
    return out;
}
