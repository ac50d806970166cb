/* coord_redis.c - see coord_redis.h: requests on their way in and out.
 *
 * submit() counts a request and posts it to the home loop. There it becomes a
 * call: unsent while there is no connection, then one of the row that waits for
 * answers. When its time is over the request is answered and the call stays,
 * empty, until its place in the row has been answered too: answers have no
 * names, only an order. SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"
#include "io/redis_tls.h"
#include <stdatomic.h>
#include <stdlib.h>

static struct coord_redis *
self(struct coord *c)
{
    return container_of(c, struct coord_redis, coord);
}

void
coord_redis_tell(struct coord_redis *d, enum coord_redis_event ev,
                 const struct fault *f)
{
    if (d->conf.told)
        d->conf.told(d->conf.arg, ev, f);
}

/* --- out ------------------------------------------------------------------ */

static void
deliver(struct loop *l, struct task *t)
{
    struct coord_request *r = container_of(t, struct coord_request, task);

    (void)l;
    r->done(r);
}

/* The request is the caller's again. */
static void
answer(struct coord_request *r)
{
    r->task.run = deliver;
    loop_post(r->loop, &r->task);
}

static void
answer_fault(struct coord_request *r, const struct fault *f)
{
    r->err = f->code;
    r->fault = *f;
    answer(r);
}

static enum err
fault_of(struct coord_request *r, enum err e)
{
    r->err = e;
    return fault_set(&r->fault, e, coord_op_name(r->op), r->key ? r->key : "");
}

static void
call_free(struct call *c)
{
    struct coord_redis *d = c->d;

    loop_timer_stop(&d->home->loop, &c->timer);
    list_remove(&c->item);
    free(c);
    atomic_fetch_sub(&d->n_calls, 1);
}

static void
call_end(struct call *c, const struct fault *f)
{
    struct coord_request *r = c->r;
    bool sent = c->sent;

    call_free(c);
    if (!r)
        return;
    r->unsent = !sent;
    if (f)
        answer_fault(r, f);
    else
        answer(r);
}

static void
call_late(struct loop *l, struct timer *t)
{
    struct call *c = container_of(t, struct call, timer);
    struct coord_request *r = c->r;

    (void)l;
    STAT(c->d, st->timeouts++);
    (void)fault_of(r, ERR_TIMEOUT);
    r->unsent = !c->sent;
    if (c->sent)
        c->r = NULL;
    else
        call_free(c);
    answer(r);
}

/* --- to Redis and back ---------------------------------------------------- */

static bool call_send(struct call *c);

static void
call_answered(struct redis_call *rc, const struct redisReply *said)
{
    struct call *c = container_of(rc, struct call, rc);
    struct coord_redis *d = c->d;
    struct redis_conn *conn = &d->link.conn;
    struct coord_request *r = c->r;
    struct fault f = conn->fault;

    if (!said) {
        if (f.code != ERR_TIMEOUT && f.code != ERR_DENIED)
            f.code = ERR_IO;
        call_end(c, &f);
        return;
    }
    if (r && said->type != REDIS_REPLY_ERROR) {
        r->life = d->link.life;
        if (coord_redis_result(r, said))
            (void)fault_of(r, ERR_CORRUPT);
        else if (r->err == ERR_INVAL || r->err == ERR_TOOBIG)
            (void)fault_of(r, r->err);
        call_end(c, NULL);
        return;
    }
    if (r && redis_reply_is(said, "NOSCRIPT") && !c->whole) {
        /* It was not carried out: SCRIPT FLUSH, or another Redis behind the
         * same address. The whole text teaches it again. */
        STAT(d, st->reloads++);
        c->whole = true;
        if (call_send(c))
            return;
        (void)fault_set(&f, ERR_NOMEM, "send to redis", coord_op_name(r->op));
        call_end(c, &f);
        return;
    }
    if (said->type == REDIS_REPLY_ERROR) {
        (void)redis_reply_fault(conn->address, said,
                                r ? coord_op_name(r->op) : "answer", false, &f);
        /* No longer the one to ask: look again. */
        if (redis_reply_is(said, "READONLY") ||
            redis_reply_is(said, "LOADING") ||
            redis_reply_is(said, "MASTERDOWN") ||
            redis_reply_is(said, "NOAUTH"))
            redis_conn_close(conn, &f);
    }
    call_end(c, &f);
}

static bool
call_send(struct call *c)
{
    struct coord_redis *d = c->d;
    struct coord_args a;

    coord_redis_args(
        c->r, c->whole ? SLICE_NULL : slice_of(d->link.sha[c->r->op], SHA_HEX),
        &d->body, &a);
    c->rc.answer = call_answered;
    c->sent = redis_conn_send(&d->link.conn, &c->rc, a.n, a.argv) == ERR_OK;
    return c->sent;
}

static void
call_refuse(struct call *c)
{
    struct fault f;

    STAT(c->d, st->refused++);
    (void)fault_set(&f, ERR_NOMEM, "send to redis", "too much is waiting");
    call_end(c, &f);
}

void
coord_redis_go(struct coord_redis *d)
{
    LIST_FOREACH_SAFE (it, next, &d->calls) {
        struct call *c = container_of(it, struct call, item);

        if (!c->sent && !call_send(c))
            call_refuse(c);
    }
}

void
coord_redis_give_up(struct coord_redis *d, const struct fault *f)
{
    LIST_FOREACH_SAFE (it, next, &d->calls) {
        struct call *c = container_of(it, struct call, item);

        if (!c->sent)
            call_end(c, f);
    }
}

/* --- in ------------------------------------------------------------------- */

static void
drop(struct coord_redis *d, struct coord_request *r, const struct fault *f)
{
    atomic_fetch_sub(&d->n_calls, 1);
    if (f->code == ERR_NOMEM)
        STAT(d, st->refused++);
    r->unsent = true;
    answer_fault(r, f);
}

static void
arrive(struct loop *l, struct task *t)
{
    struct coord_request *r = container_of(t, struct coord_request, task);
    struct coord_redis *d = r->driver;
    struct dur wait = r->wait.ns > 0 ? r->wait : d->conf.timeout;
    struct fault none = {0};
    struct call *c;

    (void)fault_set(&none, ERR_NOMEM, "allocate", "request to redis");
    if (d->link.phase != LINK_UP && d->link.failed) {
        drop(d, r, &d->link.fault);
        return;
    }
    c = calloc(1, sizeof(*c));
    if (!c) {
        drop(d, r, &none);
        return;
    }
    c->d = d;
    c->r = r;
    c->whole = r->op != COORD_PUBLISH && d->link.sha[r->op][0] == 0;
    c->timer.fire = call_late;
    list_push(&d->calls, &c->item);
    if (!loop_timer(l, &c->timer, mono_add(l->now, wait)))
        call_end(c, &none);
    else if (d->link.phase == LINK_UP && !call_send(c))
        call_refuse(c);
}

static void
d_submit(struct coord *c, struct coord_request *r)
{
    struct coord_redis *d = self(c);
    enum err e = coord_redis_check(r);

    r->fault = (struct fault){0};
    r->err = ERR_OK;
    r->life = 0;
    r->unsent = false;
    r->left.ns = 0;
    r->number = 0;
    r->driver = d;
    if (r->op == COORD_HASH_GET || r->op == COORD_ZSET_RANGE ||
        r->op == COORD_CHANGED)
        r->n = 0;
    if (e) {
        (void)fault_of(r, e);
        r->unsent = true;
        answer(r);
        return;
    }
    if (atomic_fetch_add(&d->n_calls, 1) >= d->conf.requests_max) {
        struct fault f;

        (void)fault_set(&f, ERR_NOMEM, "send to redis", "too much is waiting");
        drop(d, r, &f);
        return;
    }
    r->task.run = arrive;
    loop_post(&d->home->loop, &r->task);
}

/* --- subscriptions -------------------------------------------------------- */

static enum err
d_subscribe(struct coord *c, struct coord_sub *s)
{
    struct coord_redis *d = self(c);
    size_t n = s->channel ? strlen(s->channel) : 0;
    enum err e = d->conf.connections_max == 1 ? ERR_NOMEM
                 : n == 0                     ? ERR_INVAL
                 : n > COORD_KEY_MAX          ? ERR_TOOBIG
                                              : ERR_OK;

    if (!e)
        e = coord_subs_add(&d->subs, s);
    if (!e)
        sub_wake(d);
    return e;
}

static void
d_unsubscribe(struct coord *c, struct coord_sub *s)
{
    struct coord_redis *d = self(c);

    if (!s->node)
        return;
    coord_subs_remove(&d->subs, s);
    sub_wake(d);
}

/* --- life ----------------------------------------------------------------- */

struct dur
coord_redis_pause(struct coord_redis *d, unsigned attempts)
{
    int64_t most = d->conf.retry_min.ns;

    while (attempts-- > 1 && most < d->conf.retry_max.ns)
        most *= 2;
    if (most > d->conf.retry_max.ns)
        most = d->conf.retry_max.ns;
    return (struct dur){most / 2 +
                        (int64_t)prng_below(&d->prng, (uint64_t)most / 2 + 1)};
}

static void
wipe(const char *secret)
{
    if (secret)
        explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
    free((char *)(uintptr_t)secret);
}

static void
d_free(struct coord_redis *d)
{
    const struct coord_redis_conf *c = &d->conf;

    free((char *)(uintptr_t)c->host);
    free((char *)(uintptr_t)c->username);
    free((char *)(uintptr_t)c->sentinels);
    free((char *)(uintptr_t)c->master);
    free((char *)(uintptr_t)c->sentinel_username);
    free((char *)(uintptr_t)c->tls_ca_file);
    free((char *)(uintptr_t)c->tls_cert_file);
    free((char *)(uintptr_t)c->tls_key_file);
    free((char *)(uintptr_t)c->tls_name);
    wipe(c->password);
    wipe(c->sentinel_password);
    redis_conn_release(&d->link.conn);
    redis_conn_release(&d->sentinel.conn);
    redis_conn_release(&d->sub.conn);
    sub_release(d);
    coord_subs_release(&d->subs);
    buf_release(&d->body);
    tls_client_close(&d->trust);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

void
coord_redis_closed(struct coord_redis *d)
{
    void (*closed)(void *arg) = d->conf.closed;
    void *arg = d->conf.arg;

    if (!d->closing || d->link.conn.state != REDIS_CLOSED ||
        d->sentinel.conn.state != REDIS_CLOSED ||
        d->sub.conn.state != REDIS_CLOSED || atomic_load(&d->sub.sync_posted))
        return;
    assert(list_empty(&d->calls));
    d_free(d);
    if (closed)
        closed(arg);
}

static void
close_run(struct loop *l, struct task *t)
{
    struct coord_redis *d = container_of(t, struct coord_redis, close);

    (void)l;
    d->closing = true;
    link_close(d);
    sentinel_close(d);
    sub_close(d);
    coord_redis_closed(d);
}

static void
d_close(struct coord *c)
{
    struct coord_redis *d = self(c);

    d->close.run = close_run;
    loop_post(&d->home->loop, &d->close);
}

void
coord_redis_stats(struct coord *c, struct coord_redis_stats *out)
{
    struct coord_redis *d = self(c);

    (void)pthread_mutex_lock(&d->lock);
    *out = d->stats;
    (void)pthread_mutex_unlock(&d->lock);
    out->requests = atomic_load(&d->n_calls);
}

static bool
copy_conf(struct coord_redis *d, const struct coord_redis_conf *c)
{
    const char **text[] = {&d->conf.host,
                           &d->conf.username,
                           &d->conf.password,
                           &d->conf.sentinels,
                           &d->conf.sentinel_username,
                           &d->conf.master,
                           &d->conf.sentinel_password,
                           &d->conf.tls_ca_file,
                           &d->conf.tls_cert_file,
                           &d->conf.tls_key_file,
                           &d->conf.tls_name};
    bool ok = true;

    d->conf = *c;
    for (size_t i = 0; i < countof(text); i++) {
        *text[i] = strdup(*text[i] ? *text[i] : "");
        ok = ok && *text[i];
    }
    if (!c->port)
        d->conf.port = 6379;
    if (!c->connect_timeout.ns)
        d->conf.connect_timeout = dur_s(1);
    if (!c->timeout.ns)
        d->conf.timeout = dur_ms(500);
    if (!c->retry_min.ns)
        d->conf.retry_min = dur_ms(100);
    if (!c->retry_max.ns)
        d->conf.retry_max = dur_s(5);
    if (!c->requests_max)
        d->conf.requests_max = 4096;
    return ok;
}

void
coord_redis_prepare(struct coord_redis *d, struct redis_conn *c)
{
    redis_conn_init(c, d->home);
    c->connect_timeout = d->conf.connect_timeout;
    c->timeout = d->conf.timeout;
    c->ping_every = dur_s(5);
    c->trust = d->trust;
    c->tls_name = d->conf.tls_name;
    c->told = d->conf.sentinels[0] != '\0';
}

static enum err
conf_check(const struct coord_redis *d, struct fault *f)
{
    const struct coord_redis_conf *c = &d->conf;

    if (c->sentinels[0] ? !c->master[0] : !c->host[0])
        return fault_set(f, ERR_INVAL, "open redis",
                         c->sentinels[0] ? "no name of the master" : "no host");
    if (strlen(c->host) > 255)
        return fault_set(f, ERR_INVAL, "open redis", "the host is too long");
    return ERR_OK;
}

enum err
coord_redis_open(struct coord **out, const struct coord_redis_conf *c,
                 struct ioloop *home, struct fault *f)
{
    static const struct coord_ops ops = {
        .submit = d_submit,
        .subscribe = d_subscribe,
        .unsubscribe = d_unsubscribe,
        .close = d_close,
    };
    struct coord_redis *d = calloc(1, sizeof(*d));
    enum err e, early;

    *out = NULL;
    if (!d)
        return fault_set(f, ERR_NOMEM, "allocate", "redis");
    d->coord.ops = &ops;
    d->home = home;
    early = copy_conf(d, c) ? redis_trust_open(&d->trust, c, f)
                            : fault_set(f, ERR_NOMEM, "allocate", "redis");
    (void)pthread_mutex_init(&d->lock, NULL);
    prng_init(&d->prng, c->seed);
    list_init(&d->calls);
    coord_subs_init(&d->subs);
    buf_init(&d->body, 64 * KIB);
    link_init(d);
    sub_init(d);
    e = early ? early : sentinel_init(d, f);
    if (!e)
        e = conf_check(d, f);
    if (e) {
        d_free(d);
        return e;
    }
    link_start(d);
    *out = &d->coord;
    return ERR_OK;
}
