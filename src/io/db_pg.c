/* db_pg.c - see db_pg.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/db_pg.h"
#include "io/pg_count.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define S_NS            ((int64_t)1000000000)
#define MS_NS           ((int64_t)1000000)
#define BACKOFF_FIRST   (100 * MS_NS)
#define BACKOFF_LAST    (5 * S_NS)
#define IDLE_MAX        (300 * S_NS)  /* ALR-313: DB_IDLE_TIMEOUT */
#define LIFE_MAX        (1800 * S_NS) /* ALR-313: DB_MAX_LIFETIME */
#define FIND_OUT        (15 * S_NS)   /* a restart fits into it */
#define COLLISIONS_MAX  10
#define LOSSES_MAX      2 /* a dead one of the pool, and one more */
#define COLLISION_FIRST (1 * MS_NS)
#define COLLISION_LAST  (100 * MS_NS)
/* Collisions with which a transaction asks to run alone. */
#define ALONE_AFTER 2

struct slot {
    struct pg *pg;
    int64_t born;
    int64_t idle_since;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct pg_conf conf;
    char *url;
    unsigned min, max;
    struct dur timeout;
    unsigned refs;
    const char **text; /* of all parts, one after the other */
    unsigned n_text;
    struct db_texts texts[DB_PG_PARTS];
    unsigned n_parts;
    struct pg_counts *counts;
    uint64_t dice;

    unsigned open;   /* connections, in use, idle or being made */
    unsigned n_idle; /* the one used last is on top */
    int64_t backoff; /* 0: the last attempt to connect succeeded */
    int64_t retry_at;
    bool probing;      /* someone is at it */
    struct fault last; /* why it did not */
    struct slot idle[];
};

struct db_pg {
    struct db db;
    struct pool *pool;
    unsigned base;
};

static int64_t
clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * S_NS + t.tv_nsec;
}

static void
nap(int64_t ns)
{
    struct timespec t = {ns / S_NS, ns % S_NS};

    (void)nanosleep(&t, NULL);
}

/* Half of NS to all of it, so that those who met do not meet again. */
static int64_t
jitter(struct pool *p, int64_t ns)
{
    uint64_t x =
        __atomic_add_fetch(&p->dice, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);

    x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
    return ns / 2 + (int64_t)((x >> 33) % (uint64_t)(ns / 2 + 1));
}

/* --- the pool ------------------------------------------------------------- */

static void
tell_counts(struct pool *p)
{
    pg_count_pool(p->counts, p->open - p->n_idle, p->n_idle, p->max);
}

/* Under the lock: an idle one that is alive, or false. */
static bool
take_idle(struct pool *p, struct slot *out)
{
    while (p->n_idle > 0) {
        *out = p->idle[--p->n_idle];
        if (pg_alive(out->pg))
            return true;
        pg_close(&out->pg);
        p->open--;
    }
    return false;
}

/* Under the lock, which is given up meanwhile. */
static enum err
make_one(struct pool *p, struct slot *out, struct fault *f)
{
    struct fault mine = {0};
    enum err e;

    if (p->backoff && (p->probing || clock_now() < p->retry_at)) {
        if (f)
            *f = p->last;
        return p->last.code;
    }
    p->probing = true;
    p->open++;
    (void)pthread_mutex_unlock(&p->lock);
    e = pg_open(&out->pg, &p->conf, &mine);
    (void)pthread_mutex_lock(&p->lock);
    p->probing = false;
    assert(e || out->pg);
    if (!e) {
        p->backoff = 0;
        out->born = clock_now();
        return ERR_OK;
    }
    p->open--;
    p->backoff = p->backoff == 0 ? BACKOFF_FIRST : 2 * p->backoff;
    if (p->backoff > BACKOFF_LAST)
        p->backoff = BACKOFF_LAST;
    p->retry_at = clock_now() + jitter(p, p->backoff);
    p->last = mine;
    if (f)
        *f = mine;
    (void)pthread_cond_broadcast(&p->freed);
    return e;
}

static enum err
acquire(struct pool *p, struct slot *out, struct fault *f)
{
    int64_t limit = clock_now() + p->timeout.ns;
    struct timespec until = {limit / S_NS, limit % S_NS};
    enum err e = ERR_OK;
    bool have = false;

    (void)pthread_mutex_lock(&p->lock);
    while (!have && !e) {
        have = take_idle(p, out);
        if (!have && p->open < p->max) {
            e = make_one(p, out, f);
            have = !e;
        } else if (!have &&
                   pthread_cond_timedwait(&p->freed, &p->lock, &until) != 0) {
            e = fault_set(f, ERR_TIMEOUT, "wait for a connection",
                          "all connections to PostgreSQL are in use");
            (void)fault_hint(f, "raise DB_POOL_MAX, or find out why "
                                "statements take so long");
        }
    }
    tell_counts(p);
    (void)pthread_mutex_unlock(&p->lock);
    return e;
}

static void
release(struct pool *p, struct slot *s)
{
    int64_t now = clock_now();
    struct pg *close[2] = {NULL, NULL};

    s->idle_since = now;
    (void)pthread_mutex_lock(&p->lock);
    if (pg_state(s->pg) == PG_LOST || now - s->born > LIFE_MAX) {
        close[0] = s->pg;
        p->open--;
    } else {
        p->idle[p->n_idle++] = *s;
    }
    /* The lowest has been idle for longest. */
    if (p->n_idle > 1 && p->open > p->min &&
        now - p->idle[0].idle_since > IDLE_MAX) {
        close[1] = p->idle[0].pg;
        p->open--;
        p->n_idle--;
        memmove(p->idle, p->idle + 1, p->n_idle * sizeof(p->idle[0]));
    }
    tell_counts(p);
    (void)pthread_cond_signal(&p->freed);
    (void)pthread_mutex_unlock(&p->lock);
    pg_close(&close[0]);
    pg_close(&close[1]);
}

/* --- transactions --------------------------------------------------------- */

enum verdict {
    DONE,
    COLLIDED, /* nothing of it is there */
    LOST,     /* the same */
    UNSURE    /* the connection broke in the commit */
};

/* ALONE: it has collided before. */
static enum err
run_once(struct db_pg *d, struct pg *pg, enum db_mode mode, bool alone,
         db_fn *fn, void *arg, enum verdict *v, struct fault *f)
{
    struct db_tx *t = pg_use(pg, d->base, d->pool->counts);
    enum err e = ERR_OK;
    bool commits = false;

    if (alone)
        e = pg_alone(pg, true, f);
    if (mode != DB_READ && !e)
        e = pg_begin(pg, mode == DB_BULK, f);
    if (!e)
        e = fn(t, arg, f);
    if (!e)
        e = db_flush(t, f);
    if (mode != DB_READ && !e) {
        commits = true;
        e = pg_commit(pg, f);
    } else if (mode != DB_READ) {
        pg_rollback(pg);
    }
    *v = !e                            ? DONE
         : pg_state(pg) == PG_COLLIDED ? COLLIDED
         : pg_state(pg) != PG_LOST     ? DONE
         : commits                     ? UNSURE
         : e == ERR_TIMEOUT            ? DONE
                                       : LOST;
    pg_end(pg);
    if (alone && pg_state(pg) != PG_LOST)
        (void)pg_alone(pg, false, NULL);
    return e;
}

/* What became of transaction XID: its connection broke in the commit, and F
 * says how. ERR_OK: it is committed. ERR_AGAIN: nothing of it is there. */
static enum err
find_out(struct pool *p, const char *xid, struct fault *f)
{
    int64_t limit = clock_now() + FIND_OUT;
    enum pg_outcome out = PG_IN_PROGRESS;
    struct slot s = {0};
    char what[160];

    while (clock_now() < limit) {
        enum err e = acquire(p, &s, NULL);

        if (!e) {
            (void)pg_use(s.pg, 0, NULL);
            e = pg_outcome(s.pg, xid, &out, NULL);
            release(p, &s);
        }
        if (!e && out == PG_COMMITTED)
            return ERR_OK;
        if (!e && out == PG_ABORTED)
            return ERR_AGAIN;
        if (!e && out == PG_FORGOTTEN)
            break;
        nap(jitter(p, 100 * MS_NS));
    }
    (void)snprintf(what, sizeof(what),
                   "transaction %s is committed or not, nobody can say", xid);
    return fault_set(f, ERR_IO, "commit to PostgreSQL", what);
}

static enum err
d_run(struct db *db, enum db_mode mode, db_fn *fn, void *arg, struct fault *f)
{
    struct db_pg *d = container_of(db, struct db_pg, db);
    unsigned collisions = 0, losses = 0;
    int64_t pause = COLLISION_FIRST;
    char xid[PG_XID_MAX];
    enum verdict v;
    struct slot s = {0};
    enum err e;

    for (;;) {
        if ((e = acquire(d->pool, &s, f)))
            return e;
        e = run_once(d, s.pg, mode, collisions >= ALONE_AFTER, fn, arg, &v, f);
        memcpy(xid, pg_xid(s.pg), sizeof(xid));
        release(d->pool, &s);
        if (v == UNSURE) {
            e = find_out(d->pool, xid, f);
            if (e != ERR_AGAIN)
                return e;
            v = LOST;
        }
        if (v == DONE)
            return e;
        if (v == LOST && ++losses > LOSSES_MAX)
            return e;
        if (v == COLLIDED && ++collisions > COLLISIONS_MAX) {
            (void)fault_set(f, ERR_BUSY, "commit to PostgreSQL",
                            "collided with other transactions again and again");
            return ERR_BUSY;
        }
        if (v == COLLIDED) {
            nap(jitter(d->pool, pause));
            pause = 2 * pause > COLLISION_LAST ? COLLISION_LAST : 2 * pause;
        }
    }
}

/* --- life ----------------------------------------------------------------- */

static bool
d_observe(struct db *db, struct metrics *m)
{
    struct pool *p = container_of(db, struct db_pg, db)->pool;

    if (!m || p->counts)
        return true;
    p->counts = pg_counts_open(m, p->text, p->n_text);
    return p->counts != NULL;
}

static void
pool_free(struct pool *p)
{
    for (unsigned i = 0; i < p->n_idle; i++)
        pg_close(&p->idle[i].pg);
    for (unsigned i = 0; i < p->n_parts; i++)
        db_texts_release(&p->texts[i]);
    pg_counts_close(&p->counts);
    (void)pthread_cond_destroy(&p->freed);
    (void)pthread_mutex_destroy(&p->lock);
    free((void *)p->text);
    free(p->url);
    free(p);
}

static void
pool_drop(struct pool *p)
{
    if (--p->refs > 0)
        return;
    assert(p->open == p->n_idle); /* nobody is at work any more */
    pool_free(p);
}

static void
d_close(struct db *db)
{
    struct db_pg *d = container_of(db, struct db_pg, db);
    struct pool *p = d->pool;

    free(d);
    pool_drop(p);
}

static const struct db_ops ops = {
    .run = d_run,
    .observe = d_observe,
    .close = d_close,
};

/* False: no memory. */
static bool
spell_all(struct pool *p, const struct db_pg_conf *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_schema; i++)
        n += c->schema[i]->n_stmts;
    p->text = calloc(n + 1, sizeof(*p->text));
    for (unsigned i = 0; p->text && i < c->n_schema; i++) {
        if (!db_texts_init(&p->texts[i], DB_POSTGRES, c->schema[i]))
            return false;
        p->n_parts++;
        for (unsigned k = 0; k < c->schema[i]->n_stmts; k++)
            p->text[p->n_text++] = p->texts[i].stmt[k];
    }
    return p->text != NULL;
}

static struct pool *
pool_new(const struct db_pg_conf *c)
{
    struct pool *p = calloc(1, sizeof(*p) + c->pool_max * sizeof(p->idle[0]));
    pthread_condattr_t attr;

    if (!p)
        return NULL;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->freed, &attr);
    (void)pthread_condattr_destroy(&attr);
    p->refs = 1;
    p->min = c->pool_min;
    p->max = c->pool_max;
    p->timeout = c->pool_timeout;
    p->dice = (uint64_t)clock_now();
    p->url = strdup(c->url);
    if (!p->url || !spell_all(p, c)) {
        pool_free(p);
        return NULL;
    }
    p->conf = (struct pg_conf){
        .url = p->url,
        .connect_timeout = DB_PG_CONNECT_LIMIT,
        .statement_timeout = c->statement_timeout,
        .text = p->text,
        .n_text = p->n_text,
    };
    return p;
}

static enum err
connect_once(struct pool *p, struct fault *f)
{
    struct slot s = {0};
    enum err e = acquire(p, &s, f);

    if (!e)
        release(p, &s);
    return e;
}

enum err
db_pg_open(struct db **out, const struct db_pg_conf *c, struct fault *f)
{
    struct pool *p;
    unsigned base = 0;
    enum err e;

    assert(c->n_schema >= 1 && c->n_schema <= DB_PG_PARTS);
    assert(c->pool_max >= 1 && c->pool_max <= DB_PG_POOL_MAX);
    for (unsigned i = 0; i < c->n_schema; i++)
        out[i] = NULL;
    p = pool_new(c);
    if (!p)
        return fault_set(f, ERR_NOMEM, "open PostgreSQL", "memory");
    e = connect_once(p, f);
    for (unsigned i = 0; i < c->n_schema && !e; i++) {
        struct db_pg *d = malloc(sizeof(*d));

        if (!d) {
            e = fault_set(f, ERR_NOMEM, "open PostgreSQL", "memory");
            break;
        }
        *d = (struct db_pg){{&ops}, p, base};
        base += c->schema[i]->n_stmts;
        p->refs++;
        out[i] = &d->db;
    }
    for (unsigned i = 0; i < c->n_schema && e; i++)
        db_close(&out[i]);
    pool_drop(p);
    return e;
}
