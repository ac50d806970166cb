/* coord_redis_sub.c - the connection for channels; see coord_redis_impl.h.
 *
 * What is wanted is whatever somebody in this process is subscribed to. Each
 * change of that, and each new connection, compares it with what Redis was
 * told, and says the difference. What was published while there was no
 * connection is lost; subscribers see it in their count.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"
#include <stdatomic.h>
#include <stdlib.h>

static struct coord_redis *
of_conn(struct redis_conn *c)
{
    return container_of(c, struct coord_redis, sub.conn);
}

/* --- what is wanted and what is so ---------------------------------------- */

static struct channel *
channel_find(struct sub *s, struct slice name)
{
    struct channel *c = s->channels;

    while (c && !slice_eq(slice_str(c->name), name))
        c = c->next;
    return c;
}

static void
channel_want(void *arg, const char *name)
{
    struct sub *s = arg;
    struct channel *c = channel_find(s, slice_str(name));
    size_t n = strlen(name) + 1;

    if (!c) {
        c = calloc(1, sizeof(*c) + n);
        if (!c)
            return; /* the next sync tries again */
        memcpy(c->name, name, n);
        c->next = s->channels;
        s->channels = c;
    }
    c->wanted = true;
}

static void
say(struct coord_redis *d, struct channel *c, struct slice verb)
{
    struct slice argv[] = {verb, slice_str(c->name)};
    struct fault f;

    if (redis_conn_send(&d->sub.conn, NULL, 2, argv) == ERR_OK)
        return;
    (void)fault_set(&f, ERR_NOMEM, "subscribe", c->name);
    redis_conn_close(&d->sub.conn, &f);
}

static void
tell_stats(struct coord_redis *d)
{
    bool all = d->sub.ready || !d->sub.channels;

    for (struct channel *c = d->sub.channels; c; c = c->next)
        all &= c->confirmed;
    STAT(d, st->subscribed = all);
}

static void
sub_open(struct coord_redis *d)
{
    struct sub *s = &d->sub;

    if (s->conn.state == REDIS_CLOSED && d->link.phase == LINK_UP &&
        s->retry.item.pos == 0 && s->channels)
        redis_conn_open(&s->conn, d->link.host, d->link.port);
}

static void
sync(struct coord_redis *d)
{
    struct sub *s = &d->sub;

    for (struct channel *c = s->channels; c; c = c->next)
        c->wanted = false;
    coord_subs_channels(&d->subs, channel_want, s);
    for (struct channel **at = &s->channels, *c; (c = *at) != NULL;) {
        if (!c->wanted) {
            if (c->sent && s->ready)
                say(d, c, SLICE("UNSUBSCRIBE"));
            *at = c->next;
            free(c);
            continue;
        }
        if (!c->sent && s->ready) {
            c->sent = true;
            say(d, c, SLICE("SUBSCRIBE"));
        }
        at = &c->next;
    }
    tell_stats(d);
    sub_open(d);
}

static void
sync_run(struct loop *l, struct task *t)
{
    struct coord_redis *d = container_of(t, struct coord_redis, sub.sync);

    (void)l;
    atomic_store(&d->sub.sync_posted, false);
    if (d->closing)
        coord_redis_closed(d);
    else
        sync(d);
}

void
sub_wake(struct coord_redis *d)
{
    STAT(d, st->subscribed = false);
    if (!atomic_exchange(&d->sub.sync_posted, true))
        loop_post(&d->home->loop, &d->sub.sync);
}

/* --- the connection ------------------------------------------------------- */

static void
sub_greeted(struct coord_redis *d)
{
    d->sub.ready = true;
    d->sub.attempts = 0;
    redis_conn_up(&d->sub.conn);
    sync(d);
}

static void
sub_authed(struct redis_call *rc, const struct redisReply *r)
{
    struct coord_redis *d = container_of(rc, struct coord_redis, sub.auth);
    const struct redis_moment m = redis_conn_moment(&d->sub.conn);
    struct fault f;

    if (!r || d->sub.conn.state != REDIS_GREETING)
        return;
    if (r->type == REDIS_REPLY_STATUS) {
        sub_greeted(d);
        return;
    }
    (void)redis_reply_fault(d->sub.conn.address, r, "log in to redis", true,
                            &f);
    (void)redis_fault_hint(&f, &m);
    redis_conn_close(&d->sub.conn, &f);
}

static void
sub_opened(struct redis_conn *c)
{
    struct coord_redis *d = of_conn(c);
    struct slice ping = SLICE("PING");
    enum err e;
    struct fault f;

    /* Without a password a PING shows that it is there. */
    d->sub.auth.answer = sub_authed;
    if (d->conf.password[0])
        e = redis_conn_auth(c, &d->sub.auth, d->conf.username,
                            d->conf.password);
    else
        e = redis_conn_send(c, &d->sub.auth, 1, &ping);
    if (e) {
        (void)fault_set(&f, e, "greet redis", c->address);
        redis_conn_close(c, &f);
    }
}

static void
sub_push(struct redis_conn *c, const struct redisReply *r)
{
    struct coord_redis *d = of_conn(c);
    struct channel *ch;
    struct slice kind, name;
    const struct redis_moment m = redis_conn_moment(c);
    struct fault f;

    if (r->type == REDIS_REPLY_ERROR) {
        (void)redis_reply_fault(c->address, r, "subscribe", false, &f);
        (void)redis_fault_hint(&f, &m);
        redis_conn_close(c, &f);
        return;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 3)
        return; /* of a PING */
    kind = redis_reply_text(r->element[0]);
    name = redis_reply_text(r->element[1]);
    if (slice_eq(kind, SLICE("message"))) {
        (void)coord_subs_send(&d->subs, name, redis_reply_text(r->element[2]));
    } else if (slice_eq(kind, SLICE("subscribe"))) {
        ch = channel_find(&d->sub, name);
        if (ch)
            ch->confirmed = true;
        tell_stats(d);
    }
}

static void
sub_closed(struct redis_conn *c)
{
    struct coord_redis *d = of_conn(c);
    struct sub *s = &d->sub;
    struct loop *l = &d->home->loop;

    if (s->ready) {
        coord_subs_gap(&d->subs);
        if (!d->closing)
            coord_redis_tell(d, COORD_REDIS_DEAF, &c->fault);
    }
    s->ready = false;
    for (struct channel *ch = s->channels; ch; ch = ch->next)
        ch->sent = ch->confirmed = false;
    tell_stats(d);
    if (d->closing) {
        coord_redis_closed(d);
        return;
    }
    s->attempts++;
    (void)loop_timer(l, &s->retry,
                     mono_add(l->now, coord_redis_pause(d, s->attempts)));
}

static void
retry_fired(struct loop *l, struct timer *t)
{
    struct coord_redis *d = container_of(t, struct coord_redis, sub.retry);

    (void)l;
    sync(d);
}

void
sub_link_up(struct coord_redis *d)
{
    struct sub *s = &d->sub;
    struct fault f;

    if (s->conn.state == REDIS_CLOSED) {
        loop_timer_stop(&d->home->loop, &s->retry);
        sync(d);
    } else if (s->conn.port != d->link.port ||
               strcmp(s->conn.host, d->link.host) != 0) {
        STAT(d, st->subscribed = false);
        (void)fault_set(&f, ERR_IO, "follow the master to", d->link.host);
        redis_conn_close(&s->conn, &f);
    }
}

/* --- life ----------------------------------------------------------------- */

void
sub_init(struct coord_redis *d)
{
    static const struct redis_conn_ops ops = {
        .opened = sub_opened,
        .push = sub_push,
        .closed = sub_closed,
    };
    struct sub *s = &d->sub;

    coord_redis_prepare(d, &s->conn);
    s->conn.ops = &ops;
    s->retry.fire = retry_fired;
    s->sync.run = sync_run;
}

void
sub_close(struct coord_redis *d)
{
    struct fault f = {0};

    loop_timer_stop(&d->home->loop, &d->sub.retry);
    (void)fault_set(&f, ERR_CANCELED, "close", "redis");
    redis_conn_close(&d->sub.conn, &f);
}

void
sub_release(struct coord_redis *d)
{
    struct channel *c;

    while ((c = d->sub.channels) != NULL) {
        d->sub.channels = c->next;
        free(c);
    }
}
