/* coord_redis_link.c - the connection for requests: where to, the greeting, and
 * what happens when it ends. See coord_redis_impl.h.
 *
 *           +-------- retry timer ---------+
 *           v                              |
 *     FINDING (Sentinels) --> CONNECTING --+--> UP
 *           ^                     ^             |
 *           |                     +--- moved ---+
 *           +------------- lost ----------------+
 *
 * The greeting goes out in one piece: AUTH, SELECT, ROLE (a Sentinel may be
 * behind the times), INFO (which life of the store this is) and the scripts.
 * Every part must be answered well, but INFO: a user that may not ask counts
 * each connection as another life, which is slow and safe.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"
#include <stdio.h>

/* A connection that ends sooner after its greeting counts as an attempt that
 * failed, so that a Redis that hangs up on us is not called all the time. */
#define STEADY_MS 1000

static struct coord_redis *
of_conn(struct redis_conn *c)
{
    return container_of(c, struct coord_redis, link.conn);
}

/* --- trying --------------------------------------------------------------- */

static void
link_connect(struct coord_redis *d)
{
    d->link.phase = LINK_CONNECTING;
    d->link.moved = false;
    redis_conn_open(&d->link.conn, d->link.host, d->link.port);
}

void
link_start(struct coord_redis *d)
{
    assert(d->link.phase == LINK_IDLE);
    if (d->sentinel.n && !d->link.moved) {
        d->link.phase = LINK_FINDING;
        sentinel_find(d);
    } else {
        link_connect(d);
    }
}

static void
retry_fired(struct loop *l, struct timer *t)
{
    (void)l;
    link_start(container_of(t, struct coord_redis, link.retry));
}

static void
link_failed(struct coord_redis *d, const struct fault *f)
{
    struct link *k = &d->link;
    struct loop *l = &d->home->loop;

    k->phase = LINK_IDLE;
    k->failed = true;
    k->fault = *f;
    /* Other codes are answers of operations. */
    if (f->code != ERR_TIMEOUT && f->code != ERR_DENIED)
        k->fault.code = ERR_IO;
    k->attempts++;
    STAT(d, st->failures++);
    if (!k->warned)
        coord_redis_tell(d, COORD_REDIS_FAILED, &k->fault);
    k->warned = true;
    coord_redis_give_up(d, &k->fault);
    /* Over the ceiling of timers is over a million: then there is worse. */
    (void)loop_timer(l, &k->retry,
                     mono_add(l->now, coord_redis_pause(d, k->attempts)));
}

void
link_found(struct coord_redis *d, const char *host, uint16_t port)
{
    struct link *k = &d->link;
    bool same = k->port == port && strcmp(k->host, host) == 0;
    struct fault f;

    if (k->phase == LINK_OVER)
        return;
    (void)slice_copy(slice_str(host), k->host, sizeof(k->host));
    k->port = port;
    if (k->phase == LINK_FINDING) {
        link_connect(d);
    } else if (!same) {
        /* A failover that we were told of, also in the middle of an attempt. */
        k->moved = true;
        if (k->phase == LINK_IDLE) {
            loop_timer_stop(&d->home->loop, &k->retry);
            link_start(d);
            return;
        }
        (void)fault_set(&f, ERR_IO, "follow the master to", host);
        redis_conn_close(&k->conn, &f);
    }
}

void
link_unfound(struct coord_redis *d, const struct fault *f)
{
    if (d->link.phase == LINK_FINDING)
        link_failed(d, f);
}

static void
link_down(struct redis_conn *c)
{
    struct coord_redis *d = of_conn(c);
    struct link *k = &d->link;
    bool steady = mono_reached(d->home->loop.now,
                               mono_add(k->up_since, dur_ms(STEADY_MS)));

    assert(k->phase != LINK_IDLE && k->phase != LINK_FINDING);
    k->greetings = 0;
    switch (k->phase) {
    case LINK_UP:
        STAT(d, (st->connected = false, st->losses++));
        coord_redis_tell(d, COORD_REDIS_LOST, &c->fault);
        k->phase = LINK_IDLE;
        if (!steady && !k->moved) {
            link_failed(d, &c->fault);
            break;
        }
        k->failed = false;
        link_start(d);
        break;
    case LINK_CONNECTING:
        if (k->moved || redis_conn_untried(c))
            link_connect(d);
        else
            link_failed(d, &c->fault);
        break;
    case LINK_OVER:
        coord_redis_closed(d);
        break;
    default:
        break;
    }
}

/* --- the greeting --------------------------------------------------------- */

static void
link_up(struct coord_redis *d, uint64_t life)
{
    struct link *k = &d->link;
    bool other = k->life && k->life != life;

    k->phase = LINK_UP;
    k->failed = k->warned = false;
    k->attempts = 0;
    k->up_since = d->home->loop.now;
    k->life = life;
    redis_conn_up(&k->conn);
    STAT(d, (st->connected = true, st->connects++, st->life = life,
             st->changes += other,
             memcpy(st->run_id, k->run_id, sizeof(st->run_id)),
             (void)snprintf(st->address, sizeof(st->address), "%s",
                            k->conn.address)));
    coord_redis_tell(d, COORD_REDIS_CONNECTED, NULL);
    if (other)
        coord_redis_tell(d, COORD_REDIS_OTHER, NULL);
    coord_redis_go(d);
    sub_link_up(d);
}

/* "run_id:" and 40 digits on a line of INFO. */
static void
take_run_id(struct link *k, struct slice info)
{
    static const char name[] = "run_id:";
    struct slice line;

    k->run_id[0] = 0;
    while (slice_cut(&info, '\n', &line)) {
        if (!slice_starts(line, slice_str(name)))
            continue;
        line = slice_skip(line, sizeof(name) - 1);
        (void)slice_copy(slice_head(line, slice_find(line, '\r')), k->run_id,
                         sizeof(k->run_id));
    }
}

static uint64_t
life_now(struct coord_redis *d)
{
    uint64_t life = 0;

    for (unsigned i = 0; i < 16 && d->link.run_id[i]; i++) {
        char c = d->link.run_id[i];

        life = life << 4 | (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
    }
    while (life == 0) /* not told */
        life = prng_next(&d->prng);
    return life;
}

static bool
is_cluster(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_STRING &&
           strstr(r->str, "redis_mode:cluster") != NULL;
}

static bool
greet_take(struct greet_call *g, const struct redisReply *r)
{
    struct link *k = &g->d->link;
    struct slice text = redis_reply_text(r);

    switch (g->what) {
    case GREET_ROLE:
        return r->type == REDIS_REPLY_ARRAY && r->elements &&
               slice_eq(redis_reply_text(r->element[0]), SLICE("master"));
    case GREET_INFO:
        take_run_id(k, r->type == REDIS_REPLY_STRING ? text : SLICE_NULL);
        if (is_cluster(r))
            return false;
        return r->type == REDIS_REPLY_STRING || redis_reply_is(r, "NOPERM") ||
               slice_starts(text, SLICE("ERR unknown command"));
    case GREET_SCRIPT:
        return r->type == REDIS_REPLY_STRING &&
               slice_copy(text, k->sha[g->op], sizeof(k->sha[0]));
    default:
        return slice_eq(text, SLICE("OK"));
    }
}

static void
greet_refused(struct greet_call *g, const struct redisReply *r)
{
    static const char *const asked[] = {
        [GREET_AUTH] = "log in to redis",
        [GREET_SELECT] = "select database of",
        [GREET_ROLE] = "ask role of redis",
        [GREET_INFO] = "ask for the run id",
        [GREET_SCRIPT] = "load script into",
    };
    struct redis_conn *c = &g->d->link.conn;
    struct redis_moment m = redis_conn_moment(c);
    struct fault f;

    if (g->what == GREET_ROLE && r->type == REDIS_REPLY_ARRAY) {
        (void)fault_set(&f, ERR_IO, "find the master", c->address);
        (void)fault_hint(&f, "it is not a master (any more)");
    } else if (g->what == GREET_INFO && is_cluster(r)) {
        (void)fault_set(&f, ERR_IO, "use redis", c->address);
        (void)fault_hint(&f, "Redis Cluster is not supported");
    } else {
        enum err e = redis_reply_fault(c->address, r, asked[g->what],
                                       g->what == GREET_AUTH, &f);

        if (g->what == GREET_AUTH && e != ERR_NOMEM)
            f.code = ERR_DENIED;
        m.selecting = g->what == GREET_SELECT;
        (void)redis_fault_hint(&f, &m);
    }
    redis_conn_close(c, &f);
}

static void
greeted(struct redis_call *rc, const struct redisReply *r)
{
    struct greet_call *g = container_of(rc, struct greet_call, rc);
    struct coord_redis *d = g->d;

    if (!r || d->link.conn.state != REDIS_GREETING)
        return;
    if (!greet_take(g, r))
        greet_refused(g, r);
    else if (--d->link.greetings == 0)
        link_up(d, life_now(d));
}

/* The next place of the greeting. */
static struct redis_call *
greet(struct coord_redis *d, enum greet what, enum coord_op op)
{
    struct greet_call *g = &d->link.greet[d->link.greetings++];

    assert(d->link.greetings <= countof(d->link.greet));
    *g = (struct greet_call){.d = d, .what = what, .op = op};
    g->rc.answer = greeted;
    return &g->rc;
}

static enum err
greet_send(struct coord_redis *d, enum greet what, struct slice a,
           struct slice b)
{
    struct slice argv[] = {a, b};

    return redis_conn_send(&d->link.conn, greet(d, what, COORD_OPS), 2, argv);
}

static void
link_greet(struct redis_conn *c)
{
    struct coord_redis *d = of_conn(c);
    struct slice role = SLICE("ROLE");
    enum err e = ERR_OK;
    char db[12];
    struct fault f;

    d->link.greetings = 0;
    if (d->conf.password[0])
        e = redis_conn_auth(c, greet(d, GREET_AUTH, COORD_OPS),
                            d->conf.username, d->conf.password);
    (void)snprintf(db, sizeof(db), "%u", d->conf.db);
    if (!e && d->conf.db)
        e = greet_send(d, GREET_SELECT, SLICE("SELECT"), slice_str(db));
    if (!e && d->sentinel.n)
        e = redis_conn_send(c, greet(d, GREET_ROLE, COORD_OPS), 1, &role);
    if (!e)
        e = greet_send(d, GREET_INFO, SLICE("INFO"), SLICE("server"));
    for (unsigned op = 0; op < COORD_OPS && !e; op++) {
        struct slice argv[] = {SLICE("SCRIPT"), SLICE("LOAD"), SLICE_NULL};

        if (!coord_lua[op])
            continue;
        coord_redis_text((enum coord_op)op, &d->body);
        argv[2] = buf_slice(&d->body);
        e = redis_conn_send(c, greet(d, GREET_SCRIPT, (enum coord_op)op), 3,
                            argv);
    }
    if (e) {
        (void)fault_set(&f, e, "greet redis", c->address);
        redis_conn_close(c, &f);
    }
}

/* --- life ----------------------------------------------------------------- */

void
link_init(struct coord_redis *d)
{
    static const struct redis_conn_ops ops = {
        .opened = link_greet,
        .closed = link_down,
    };
    struct link *k = &d->link;

    coord_redis_prepare(d, &k->conn);
    k->conn.ops = &ops;
    k->retry.fire = retry_fired;
    k->port = d->conf.port;
    (void)slice_copy(slice_str(d->conf.host), k->host, sizeof(k->host));
}

void
link_close(struct coord_redis *d)
{
    struct fault f = {0};

    d->link.phase = LINK_OVER;
    loop_timer_stop(&d->home->loop, &d->link.retry);
    (void)fault_set(&f, ERR_CANCELED, "close", "redis");
    redis_conn_close(&d->link.conn, &f);
}
