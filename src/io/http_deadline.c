/* http_deadline.c - when a peer has had enough time.
 *
 * A connection has one timer, and one deadline that moves. An operation on a
 * body is judged by what has moved in it, not by whether it is over: it may be
 * a file of a gigabyte. The kernel is asked when a deadline is reached, and at
 * the start of an operation of a peer that has been slow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include <linux/tcp.h> /* netinet/tcp.h has a shorter struct tcp_info */
#include <string.h>
#include <sys/socket.h>

/* Most deadlines are moved before they are reached, so the timer is left where
 * it is unless it would fire too late. */
static void
deadline_at(struct conn *c, struct mono at)
{
    c->deadline = at;
    if (c->timer.item.pos == 0 || mono_before(at, c->timer.item.at))
        loop_timer(&c->hl->l->loop, &c->timer, at);
}

void
conn_deadline(struct conn *c, struct dur d)
{
    deadline_at(c, mono_add(c->hl->l->loop.now, d));
}

void
conn_deadline_by(struct conn *c, struct dur d, struct mono by)
{
    struct mono at = mono_add(c->hl->l->loop.now, d);

    deadline_at(c, mono_before(by, at) ? by : at);
}

void
conn_by(struct conn *c)
{
    if (mono_before(c->x->pull.by, c->deadline))
        deadline_at(c, c->x->pull.by);
}

/* Bytes that the peer has sent and taken, as its kernel confirms. One operation
 * may be long in flight, so this tells a slow peer from a silent one. */
static uint64_t
progress(const struct conn *c)
{
    struct tcp_info ti;
    socklen_t n = sizeof(ti);

    memset(&ti, 0, sizeof(ti));
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &ti, &n) != 0)
        return 0;
    return ti.tcpi_bytes_acked + ti.tcpi_bytes_received;
}

static struct dur
time_for(uint64_t n, uint64_t rate)
{
    double ns = rate ? (double)n * 1e9 / (double)rate : 0;

    return (struct dur){ns < 9e18 ? (int64_t)ns : INT64_MAX / 2};
}

/* What the peer was too slow before is missing from its TIMEOUT now; what it
 * was too fast is not made up for. So one byte now and then wears the timeout
 * down, however the bytes are cut into operations. */
void
conn_watch(struct conn *c, struct dur timeout, uint64_t rate, uint64_t before,
           struct dur waited)
{
    struct watch *w = &c->x->watch;
    int64_t behind = rate ? waited.ns - time_for(before, rate).ns : 0;

    w->since = c->hl->l->loop.now;
    w->timeout = timeout;
    w->spare.ns = timeout.ns - (behind > 0 ? behind : 0);
    w->rate = rate;
    /* Whoever was fast so far is not looked at before half of the time is
     * over: that is nearly all, and a look costs more than a microsecond. */
    w->looked = behind > 0;
    if (w->looked) {
        w->base = w->last = progress(c);
        conn_deadline(c, w->spare);
    } else {
        conn_deadline(c, (struct dur){timeout.ns / 2});
    }
}

/* Memory for bodies is the same for all, so while all of it is out nobody may
 * keep his block for longer than TIMEOUT by filling or taking it in drops: it
 * would be the minimum rate at which everybody else waits. A piece of a file
 * needs no block. */
static bool
holds_up(const struct conn *c, struct mono now)
{
    const struct blocks *b = c->hl->l->blocks;
    const struct watch *w = &c->x->watch;

    return mono_reached(now, mono_add(w->since, w->timeout)) &&
           c->x->piece.fd == -1 && blocks_used(b) == blocks_total(b);
}

/* The deadline was reached; true when the peer has moved enough since. */
static bool
conn_moves(struct conn *c)
{
    struct watch *w = &c->x->watch;
    struct mono now = c->hl->l->loop.now;
    uint64_t seen = progress(c);
    struct dur left;

    if (!w->looked) {
        w->looked = true;
        w->base = w->last = seen;
        conn_deadline(c, w->timeout);
        return true;
    }
    if (seen == w->last || holds_up(c, now))
        return false;
    w->last = seen;
    left = w->timeout;
    if (w->rate) {
        struct dur due = time_for(seen - w->base, w->rate);

        due.ns += w->spare.ns - mono_sub(now, w->since).ns;
        if (due.ns <= 0)
            return false;
        if (due.ns < left.ns)
            left = due;
    }
    conn_deadline(c, left);
    return true;
}

/* The same for whatever is in flight. */
static bool
goes_on(struct conn *c)
{
    if (!c->x || !(c->out_busy || (c->in_busy && c->state == CONN_ROLE)))
        return false;
    if (c->in_busy && mono_reached(c->hl->l->loop.now, c->x->pull.by))
        return false;
    if (!conn_moves(c))
        return false;
    if (c->in_busy)
        conn_by(c);
    return true;
}

/* What the kernel still holds for a peer that does not take it goes at the
 * close: it would stay as long as the peer likes. */
static void
conn_abort(const struct conn *c)
{
    struct linger now = {.l_onoff = 1};

    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void
conn_fire(struct loop *l, struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);

    if (c->deadline.ns == INT64_MAX)
        return;
    if (!mono_reached(l->now, c->deadline)) {
        loop_timer(l, t, c->deadline);
        return;
    }
    if (goes_on(c))
        return;
    c->timed_out = true;
    atomic_fetch_add_explicit(&c->hl->s->timeouts, 1, memory_order_relaxed);
    c->deadline = MONO_NEVER;
    if (c->out_busy && c->x) {
        conn_abort(c);
        conn_cancel_out(c);
    } else if (c->state == CONN_HEAD || c->state == CONN_ROLE) {
        if (c->in_busy)
            conn_cancel_in(c);
    } else {
        conn_close(c);
    }
}
