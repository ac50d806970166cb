/* monitor_poll.c - polls: core/poll.h says whom and when, here it is done.
 *
 * A request holds the address that it goes to, not the element: that may go or
 * move meanwhile, and the core, which is asked first about every answer, then
 * throws it away (CAP-038). SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdlib.h>

#define CAPACITY_PATH "/api/v1/capacity"
#define ONCE_PATIENCE dur_ms(800) /* CAP-069: recovery stays below 1 s */

/* ---- what an answer is ---- */

static enum poll_error
error_of(const struct ask *a)
{
    if (a->status >= 400)
        return POLL_HTTP_ERROR;
    switch (a->err) {
    case ERR_OK:
        return POLL_OK;
    case ERR_TIMEOUT:
        return POLL_TIMEOUT;
    case ERR_IO:
    case ERR_AGAIN:
        return POLL_CONNECTION_ERROR;
    case ERR_TOOBIG:
    case ERR_CORRUPT:
        return POLL_INVALID_RESPONSE;
    default:
        return POLL_UNKNOWN_ERROR;
    }
}

/* CAP-043. The times are ours to add. */
static enum poll_error
judge(struct mon_ask *q, struct capacity *cap)
{
    struct monitor *m = q->m;
    enum poll_error e = error_of(&q->ask);
    struct capacity_error why;

    if (e != POLL_OK)
        return e;
    if (!capacity_read(cap, buf_slice(&q->ask.answer), q->id, &why)) {
        log_warning(m->conf.log, "capacity answer is not valid",
                    F_STR("se_id", q->id), F_STR("detail", why.text),
                    F_TYPE("http_client"));
        return POLL_INVALID_RESPONSE;
    }
    cap->last_poll = m->loop->wall;
    return POLL_OK;
}

/* ---- the end of a poll ---- */

const char *
poll_reason(const struct poll_out *out)
{
    return out->error == POLL_HTTP_ERROR &&
                   (out->status == 401 || out->status == 403)
               ? "token_refused"
               : poll_error_name(out->error);
}

static void
tell_health(struct monitor *m, const struct mon_element *e,
            const struct poll_out *out)
{
    if (!out->changed)
        return;
    if (out->health == POLL_UNHEALTHY)
        log_warning(m->conf.log, "storage element is unhealthy",
                    F_STR("se_id", e->id), F_STR("reason", poll_reason(out)),
                    F_U64("status", out->status),
                    F_U64("failures", out->failures), F_TYPE("http_client"));
    else
        log_info(m->conf.log, "storage element is healthy",
                 F_STR("se_id", e->id));
}

/* An element found sick may have moved (REL-172). */
static void
ask_for_list(struct monitor *m, const struct mon_element *e,
             const struct poll_out *out)
{
    if (out->changed && out->health == POLL_UNHEALTHY)
        reload_event(m, (struct reload_event){.type = RELOAD_EV_TRIGGER,
                                              .now = m->loop->now,
                                              .reason = RELOAD_HEALTH,
                                              .element_id = e->id});
}

static void
tell_others(struct monitor *m, const struct mon_element *e,
            const struct capacity *cap)
{
    struct blob_capacity b;

    if (m->conf.polled == NULL)
        return;
    mon_element_capacity(e, cap, &b);
    m->conf.polled(m->conf.elements_arg, e->id, &b);
}

static void
poll_over(struct monitor *m, const struct poll_out *out, struct capacity *cap)
{
    struct mon_element *e = out->owner;

    if (out->what != POLL_ENDED)
        return;
    count_poll(m, e->id, out);
    tell_health(m, e, out);
    if (out->error == POLL_OK) {
        write_poll(m, e, cap, out, out->health);
        tell_others(m, e, cap);
    } else if (out->health == POLL_UNHEALTHY) {
        write_poll(m, e, NULL, out, out->health);
    }
    ask_for_list(m, e, out);
}

static void
lazy_over(struct mon_ask *q, enum poll_error error, struct capacity *cap)
{
    struct mon_element *e = mon_element_find(q->m, q->id);

    if (e && e->peer == q->peer)
        keys_bring(q->m, e, q->peer, q->ask.status,
                   error == POLL_OK ? cap->keys_version : UINT64_MAX);
    if (error == POLL_OK && e && e->peer == q->peer)
        write_lazy(q->m, e, cap, q->owner, q->epoch);
}

static void
ask_done(struct ask *a)
{
    struct mon_ask *q = container_of(a, struct mon_ask, ask);
    struct monitor *m = q->m;
    enum poll_error error;
    struct capacity cap;
    struct poll_out out;

    list_remove(&q->item);
    error = judge(q, &cap);
    if (q->lazy)
        lazy_over(q, error, &cap);
    else if (poll_answer(&m->poll, q->ticket, error, (unsigned)a->status,
                         m->loop->now, &out) != POLL_IDLE) {
        if (out.what == POLL_ENDED)
            keys_bring(m, out.owner, q->peer, a->status,
                       error == POLL_OK ? cap.keys_version : UINT64_MAX);
        poll_over(m, &out, &cap);
    }
    mon_peer_drop(&q->peer);
    ask_release(a);
    free(q);
    monitor_ended(m);
}

/* ---- the beginning ---- */

static struct mon_ask *
ask_new(struct monitor *m, const struct mon_element *e, struct dur patience)
{
    struct mon_ask *q = e->peer ? calloc(1, sizeof(*q)) : NULL;

    if (q == NULL)
        return NULL;
    ask_init(&q->ask, m->loop, e->peer->peer, CAPACITY_TEXT_MAX);
    q->ask.method = HTTP_GET;
    q->ask.auth = m->conf.auth.fields ? &m->conf.auth : NULL;
    q->ask.patience = patience;
    q->ask.done = ask_done;
    buf_add_str(&q->ask.target, CAPACITY_PATH);
    q->m = m;
    q->peer = mon_peer_hold(e->peer);
    q->began = m->loop->now;
    memcpy(q->id, e->id, sizeof(q->id));
    return q;
}

static void
send(struct mon_ask *q)
{
    list_push(&q->m->asks, &q->item);
    monitor_began(q->m);
    ask_send(&q->ask);
}

void
poll_once(struct monitor *m, struct mon_element *e, const char *owner,
          uint64_t epoch)
{
    struct mon_ask *q = ask_new(m, e, ONCE_PATIENCE);

    if (q == NULL)
        return;
    q->lazy = true;
    q->epoch = epoch;
    (void)slice_copy(slice_str(owner), q->owner, sizeof(q->owner));
    send(q);
}

/* The request that O speaks of has waited long enough. */
static void
give_up(struct monitor *m, const struct poll_out *o)
{
    LIST_FOREACH_SAFE (it, next, &m->asks) {
        struct mon_ask *q = container_of(it, struct mon_ask, item);

        if (!q->lazy && q->ticket.slot == o->ticket.slot &&
            q->ticket.serial == o->ticket.serial)
            ask_cancel(&q->ask);
    }
}

static void
ask_for(struct monitor *m, const struct poll_out *o)
{
    struct mon_element *e = o->owner;
    struct mon_ask *q = ask_new(m, e, m->conf.poll.timeout);
    struct poll_out out;

    if (q) {
        q->ticket = o->ticket;
        send(q);
    } else if (poll_answer(&m->poll, o->ticket, POLL_CONNECTION_ERROR, 0,
                           m->loop->now, &out) != POLL_IDLE) {
        poll_over(m, &out, NULL);
    }
}

/* After its deadline a leader begins nothing (core/lease.h). */
static bool
may_begin(const struct monitor *m)
{
    return m->know_store && !m->stopping &&
           lease_may_begin(&m->lease, monitor_now(m));
}

void
poll_drive(struct monitor *m)
{
    struct poll_out out;

    while (may_begin(m) && poll_next(&m->poll, m->loop->now, &out)) {
        if (out.what == POLL_ASK) {
            ask_for(m, &out);
        } else {
            give_up(m, &out);
            poll_over(m, &out, NULL);
        }
    }
}

struct mono
poll_due(const struct monitor *m)
{
    return may_begin(m) ? poll_deadline(&m->poll) : MONO_NEVER;
}

void
polls_cancel(struct monitor *m)
{
    keys_cancel(m);
    LIST_FOREACH_SAFE (it, next, &m->asks)
        ask_cancel(&container_of(it, struct mon_ask, item)->ask);
}
