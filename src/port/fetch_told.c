/* fetch_told.c - see fetch_told.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/fetch_told.h"
#include <stdlib.h>

static void
turn(struct loop *l, struct task *task)
{
    struct fetch_told *t = container_of(task, struct fetch_told, task);
    struct fetch_request *r = t->r;
    size_t n = size_min(r->x.n, t->n - t->at);

    (void)l;
    t->posted = false;
    if (t->ending) {
        fetch_fn *ended = r->x.ended;

        t->over(t);
        ended(r);
        return;
    }
    memcpy(r->x.p, t->body + t->at, n);
    t->at += n;
    r->x.got(r, (int64_t)n);
}

/* Twice in the loop's list would cut off whatever stands behind it. */
static void
post(struct fetch_told *t)
{
    t->task.run = turn;
    if (!t->posted)
        loop_post(t->r->loop, &t->task);
    t->posted = true;
}

void
fetch_told_read(struct fetch_request *r, void *p, size_t n, bool fill,
                fetch_got_fn *got)
{
    (void)fill;
    r->x.p = p;
    r->x.n = n;
    r->x.got = got;
    post(r->x.conn);
}

void
fetch_told_end(struct fetch_request *r, fetch_fn *ended)
{
    struct fetch_told *t = r->x.conn;

    assert(!t->ending);
    t->ending = true;
    r->x.ended = ended;
    post(t);
}

void
fetch_told_send(struct fetch_request *r, struct slice a, struct slice b,
                fetch_sent_fn *sent)
{
    (void)r;
    (void)a;
    (void)b;
    (void)sent;
    abort();
}
