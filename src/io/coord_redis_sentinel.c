/* coord_redis_sentinel.c - who is master, by those who decide it; see
 * coord_redis_impl.h and "Guidelines for Redis clients with support for Redis
 * Sentinel".
 *
 * One Sentinel after the other is asked until one knows the master. Its
 * connection stays and listens to +switch-master, so that a client which still
 * reaches an old master, cut off from the others, leaves it. When the
 * connection ends the next Sentinel is asked, and an answer that differs from
 * where we are counts like a switch. SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"

#define SENTINEL_PORT 26379

static struct coord_redis *
of_conn(struct redis_conn *c)
{
    return container_of(c, struct coord_redis, sentinel.conn);
}

/* --- asking --------------------------------------------------------------- */

static void
ask_next(struct coord_redis *d)
{
    struct sentinel *s = &d->sentinel;
    const struct conf_listen *at = &s->at[s->next];

    redis_conn_open(&s->conn, at->host, at->port);
}

void
sentinel_find(struct coord_redis *d)
{
    struct sentinel *s = &d->sentinel;
    struct fault f;

    s->wanted = true;
    s->tried = 0;
    loop_timer_stop(&d->home->loop, &s->retry);
    if (s->conn.state == REDIS_CLOSED) {
        ask_next(d);
        return;
    }
    /* A connection that listens cannot ask. */
    (void)fault_set(&f, ERR_AGAIN, "ask again", s->conn.address);
    redis_conn_close(&s->conn, &f);
}

static void
found(struct coord_redis *d, struct slice host, struct slice port)
{
    uint64_t n;
    char name[256];

    if (!slice_u64(port, &n) || n == 0 || n > 65535 ||
        !slice_copy(host, name, sizeof(name)))
        return;
    d->sentinel.wanted = false;
    link_found(d, name, (uint16_t)n);
}

static void
asked(struct redis_call *rc, const struct redisReply *r)
{
    struct coord_redis *d = container_of(rc, struct coord_redis, sentinel.ask);
    struct sentinel *s = &d->sentinel;
    const struct redis_moment m = redis_conn_moment(&s->conn);
    struct fault f;

    if (!r || s->conn.state != REDIS_GREETING)
        return;
    if (r->type == REDIS_REPLY_ARRAY && r->elements == 2) {
        redis_conn_up(&s->conn);
        s->attempts = 0;
        found(d, redis_reply_text(r->element[0]),
              redis_reply_text(r->element[1]));
        return;
    }
    if (r->type == REDIS_REPLY_ERROR) {
        (void)redis_reply_fault(s->conn.address, r, "ask sentinel", true, &f);
        (void)redis_fault_hint(&f, &m);
    } else {
        (void)fault_set(&f, ERR_IO, "ask for the master", d->conf.master);
        (void)fault_hint(&f, "no Sentinel that answers knows that name; see "
                             "REDIS_SENTINEL_MASTER");
    }
    redis_conn_close(&s->conn, &f);
}

static void
authed(struct redis_call *rc, const struct redisReply *r)
{
    struct coord_redis *d = container_of(rc, struct coord_redis, sentinel.auth);
    struct sentinel *s = &d->sentinel;
    const struct redis_moment m = redis_conn_moment(&s->conn);
    struct fault f;

    if (!r || s->conn.state != REDIS_GREETING ||
        slice_eq(redis_reply_text(r), SLICE("OK")))
        return;
    (void)redis_reply_fault(s->conn.address, r, "log in to sentinel", true, &f);
    f.code = ERR_DENIED;
    (void)redis_fault_hint(&f, &m);
    redis_conn_close(&s->conn, &f);
}

static void
opened(struct redis_conn *c)
{
    struct coord_redis *d = of_conn(c);
    struct slice ask[] = {SLICE("SENTINEL"), SLICE("get-master-addr-by-name"),
                          slice_str(d->conf.master)};
    struct slice listen[] = {SLICE("SUBSCRIBE"), SLICE("+switch-master")};
    enum err e = ERR_OK;
    struct fault f;

    d->sentinel.auth.answer = authed;
    d->sentinel.ask.answer = asked;
    if (d->conf.sentinel_password[0])
        e = redis_conn_auth(c, &d->sentinel.auth, d->conf.sentinel_username,
                            d->conf.sentinel_password);
    if (!e)
        e = redis_conn_send(c, &d->sentinel.ask, 3, ask);
    if (!e)
        e = redis_conn_send(c, NULL, 2, listen);
    if (e) {
        (void)fault_set(&f, e, "ask sentinel", c->address);
        redis_conn_close(c, &f);
    }
}

/* --- listening ------------------------------------------------------------ */

/* "name old-host old-port new-host new-port" */
static void
push(struct redis_conn *c, const struct redisReply *r)
{
    struct coord_redis *d = of_conn(c);
    struct slice rest, word[5];

    if (r->type != REDIS_REPLY_ARRAY || r->elements < 3 ||
        !slice_eq(redis_reply_text(r->element[0]), SLICE("message")))
        return;
    rest = redis_reply_text(r->element[2]);
    if (slice_cut_n(&rest, ' ', word, countof(word)) &&
        slice_eq(word[0], slice_str(d->conf.master)))
        found(d, word[3], word[4]);
}

static void
closed(struct redis_conn *c)
{
    struct coord_redis *d = of_conn(c);
    struct sentinel *s = &d->sentinel;
    struct loop *l = &d->home->loop;

    if (d->closing) {
        coord_redis_closed(d);
        return;
    }
    if (redis_conn_untried(c)) {
        ask_next(d);
        return;
    }
    s->next = (s->next + 1) % s->n;
    if (s->wanted && s->tried++ < s->n) {
        ask_next(d);
        return;
    }
    if (s->wanted) {
        s->wanted = false;
        link_unfound(d, &c->fault);
        return; /* the link will want it again */
    }
    s->attempts++;
    (void)loop_timer(l, &s->retry,
                     mono_add(l->now, coord_redis_pause(d, s->attempts)));
}

static void
retry_fired(struct loop *l, struct timer *t)
{
    (void)l;
    ask_next(container_of(t, struct coord_redis, sentinel.retry));
}

/* --- life ----------------------------------------------------------------- */

enum err
sentinel_init(struct coord_redis *d, struct fault *f)
{
    static const struct redis_conn_ops ops = {
        .opened = opened,
        .push = push,
        .closed = closed,
    };
    struct sentinel *s = &d->sentinel;
    struct slice rest = slice_str(d->conf.sentinels);
    struct conf_listen at;
    enum err e;

    coord_redis_prepare(d, &s->conn);
    s->conn.ops = &ops;
    s->conn.sentinel = true;
    s->retry.fire = retry_fired;
    while ((e = conf_peer_next(&rest, SENTINEL_PORT, &at, NULL)) == ERR_OK) {
        if (s->n == COORD_REDIS_SENTINELS)
            return fault_set(f, ERR_TOOBIG, "open redis",
                             "more than 16 Sentinels");
        s->at[s->n++] = at;
    }
    if (e != ERR_END)
        return fault_set(f, ERR_INVAL, "open redis",
                         "a Sentinel is HOST or HOST:PORT");
    if (s->n) /* not all processes the same one first */
        s->next = (unsigned)prng_below(&d->prng, s->n);
    return ERR_OK;
}

void
sentinel_close(struct coord_redis *d)
{
    struct fault f = {0};

    loop_timer_stop(&d->home->loop, &d->sentinel.retry);
    (void)fault_set(&f, ERR_CANCELED, "close", "redis");
    redis_conn_close(&d->sentinel.conn, &f);
}
