/* redis_cleanup.c - see redis_cleanup.h. One connection that blocks: hiredis
 * connects it and parses, the bytes go through TLS where it is wanted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/redis_cleanup.h"
#include "conf/items.h"
#include "io/coord_redis.h"
#include "io/redis_fault.h"
#include "io/redis_tls.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#define SENTINEL_PORT 26379
#define REDIS_PORT    6379
#define SCAN_COUNT    "1000"
#define BATCH         512 /* commands sent before their answers are read */
#define OUT_MAX       (4 * MIB) /* of them, unsent */
#define OUT_ROOM      (OUT_MAX + REDIS_TLS_MORE)

static const struct slice pattern_head = {"storage:elements:", 17};
static const struct slice exact[] = {
    {"storage:edit:by_priority", 24},
    {"storage:rw:by_priority", 22},
};
static const struct slice stays[] = {
    {"storage:elements:priorities", 27},
    {"storage:elements:registry", 25},
};

struct found {
    char *p; /* keys with a zero behind each, which is not part of them */
    size_t n;
};

struct job {
    struct redis_cleanup *c;
    const struct coord_redis_conf *where;
    struct fault *f;
    redisContext *redis;
    struct tls_client *trust; /* NULL: no TLS */
    struct redis_tls *tls;    /* of this connection */
    struct buf out, sealed;
    char address[280]; /* for faults */
    struct redis_moment at;
    bool secret; /* the command that is answered has a password */
    struct found *keys;
    size_t n, cap;
};

static bool
is_one_of(struct slice key, const struct slice *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(key, list[i]))
            return true;
    return false;
}

bool
redis_cleanup_is_legacy(struct slice key)
{
    if (is_one_of(key, stays, countof(stays)))
        return false;
    return slice_starts(key, pattern_head) ||
           is_one_of(key, exact, countof(exact));
}

/* ---- one command ---- */

static struct timeval
timeval_of(struct dur d, int64_t otherwise_ms)
{
    int64_t us = d.ns > 0 ? d.ns / 1000 : otherwise_ms * 1000;

    return (struct timeval){.tv_sec = (time_t)(us / 1000000),
                            .tv_usec = (suseconds_t)(us % 1000000)};
}

/* By errno. */
static enum err
failed(struct job *j, const char *op)
{
    return fault_sys(j->f, errno == EAGAIN ? ETIMEDOUT : errno, op, j->address);
}

/* What hiredis says when it does not connect. */
static enum err
no_connection(struct job *j, const char *op)
{
    const redisContext *r = j->redis;

    if (!r)
        return fault_set(j->f, ERR_NOMEM, op, j->address);
    if (r->err == REDIS_ERR_IO && errno != 0)
        return failed(j, op);
    (void)fault_set(j->f, ERR_IO, op, r->err ? r->errstr : "no answer");
    return fault_in(j->f, j->address);
}

static enum err
send_out(struct job *j, const char *op, struct buf *b)
{
    for (size_t at = 0; at < b->n;) {
        ssize_t n = send(j->redis->fd, b->p + at, b->n - at, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return failed(j, op);
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(b);
    return ERR_OK;
}

/* All that waits, and the handshake's part. */
static enum err
flush(struct job *j, const char *op)
{
    enum err e = ERR_OK;

    if (!j->tls)
        return send_out(j, op, &j->out);
    e = redis_tls_seal(j->tls, &j->out, &j->sealed, j->address, j->f);
    return e == ERR_OK ? send_out(j, op, &j->sealed) : e;
}

static bool
feed(void *arg, const void *p, size_t n)
{
    return redisReaderFeed(((struct job *)arg)->redis->reader, p, n) ==
           REDIS_OK;
}

static enum err
receive(struct job *j, const char *op)
{
    char room[16 * 1024];
    enum err e = flush(j, op);
    ssize_t n;

    if (e != ERR_OK)
        return e;
    do
        n = recv(j->redis->fd, room, sizeof(room), 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ECONNRESET;
    if (n <= 0)
        return failed(j, op);
    j->at.spoke = true;
    if (!j->tls)
        return feed(j, room, (size_t)n)
                   ? ERR_OK
                   : fault_set(j->f, ERR_NOMEM, op, j->address);
    e = redis_tls_take(j->tls, room, (size_t)n, feed, j, j->address, j->f);
    if (e != ERR_END)
        return e;
    errno = ECONNRESET;
    return failed(j, op);
}

static enum err
append(struct job *j, int argc, const char **argv, const size_t *len)
{
    char *text = NULL;
    int n = redisFormatCommandArgv(&text, argc, argv, len);
    bool ok = n >= 0 && (size_t)n <= OUT_MAX;
    enum err e = ERR_OK;

    if (ok && (size_t)n > OUT_MAX - j->out.n)
        e = flush(j, argv[0]);
    ok = ok && e == ERR_OK && (size_t)n <= OUT_MAX - j->out.n &&
         buf_add(&j->out, text, (size_t)n);
    redisFreeCommand(text);
    return ok || e ? e : fault_set(j->f, ERR_TOOBIG, argv[0], j->address);
}

/* The next answer, which must be of TYPE; the caller frees it. NULL: j->f. */
static redisReply *
answer(struct job *j, const char *op, int type)
{
    void *p = NULL;
    redisReply *r;

    while (!p) {
        if (redisReaderGetReply(j->redis->reader, &p) != REDIS_OK) {
            (void)fault_set(j->f, ERR_CORRUPT, op, j->address);
            return NULL;
        }
        if (!p && receive(j, op) != ERR_OK)
            return NULL;
    }
    r = p;
    if (r->type != type) {
        (void)redis_reply_fault(j->address, r, op, j->secret, j->f);
        freeReplyObject(r);
        return NULL;
    }
    return r;
}

/* Sends ARGV and takes its answer. */
static redisReply *
command(struct job *j, const char *op, int type, int argc, const char **argv,
        const size_t *len)
{
    return append(j, argc, argv, len) == ERR_OK ? answer(j, op, type) : NULL;
}

/* ---- the connection ---- */

static enum err
open_one(struct job *j, const char *host, uint16_t port, bool sentinel)
{
    const char *name = j->where->tls_name;
    const char *list = j->where->sentinels;

    j->at = (struct redis_moment){.sentinel = sentinel,
                                  .told = !sentinel && list && list[0],
                                  .tls = j->trust != NULL};

    (void)snprintf(j->address, sizeof(j->address), "%.255s:%u", host, port);
    redisFree(j->redis);
    redis_tls_free(&j->tls);
    buf_clear(&j->out); /* what the one before did not take */
    buf_clear(&j->sealed);
    errno = 0;
    j->redis = redisConnectWithTimeout(
        host, port, timeval_of(j->where->connect_timeout, 1000));
    if (!j->redis || j->redis->err)
        return no_connection(j, "connect to Redis");
    if (redisSetTimeout(j->redis, timeval_of(j->where->timeout, 500)) !=
        REDIS_OK)
        return no_connection(j, "connect to Redis");
    j->at.connected = true;
    if (!j->trust)
        return ERR_OK;
    j->tls = redis_tls_new(j->trust, name && name[0] ? name : host, OUT_ROOM);
    return j->tls ? ERR_OK
                  : fault_set(j->f, ERR_NOMEM, "connect to Redis", j->address);
}

static enum err
sign_in(struct job *j, const char *user, const char *password)
{
    const char *argv[] = {"AUTH", user, password};
    bool named = user && user[0];
    redisReply *r;

    if (!password || !password[0])
        return ERR_OK;
    if (!named)
        argv[1] = password;
    j->secret = true;
    r = command(j, "sign in to Redis", REDIS_REPLY_STATUS, named ? 3 : 2, argv,
                NULL);
    j->secret = false;
    if (!r)
        return j->f->code;
    freeReplyObject(r);
    return ERR_OK;
}

static enum err
select_db(struct job *j)
{
    char db[16];
    const char *argv[] = {"SELECT", db};
    redisReply *r;

    if (j->where->db == 0)
        return ERR_OK;
    (void)snprintf(db, sizeof(db), "%u", j->where->db);
    j->at.selecting = true;
    r = command(j, "select database of", REDIS_REPLY_STATUS, 2, argv, NULL);
    if (!r)
        return j->f->code;
    j->at.selecting = false;
    freeReplyObject(r);
    return ERR_OK;
}

/* Asks one Sentinel; HOST has room for 256 bytes. */
static enum err
ask_sentinel(struct job *j, const struct conf_listen *at, char *host,
             uint16_t *port)
{
    const char *argv[] = {"SENTINEL", "get-master-addr-by-name",
                          j->where->master};
    enum err e = open_one(j, at->host, at->port, true);
    redisReply *r = NULL;
    uint64_t n = 0;

    if (e == ERR_OK)
        e = sign_in(j, j->where->sentinel_username,
                    j->where->sentinel_password);
    if (e != ERR_OK)
        return e;
    r = command(j, "ask Sentinel", REDIS_REPLY_ARRAY, 3, argv, NULL);
    if (!r)
        return j->f->code;
    if (r->elements != 2 ||
        !slice_copy(slice_of(r->element[0]->str, r->element[0]->len), host,
                    256) ||
        !slice_u64(slice_of(r->element[1]->str, r->element[1]->len), &n) ||
        n == 0 || n > 65535)
        e = fault_set(j->f, ERR_NOENT, "ask Sentinel", j->address);
    *port = (uint16_t)n;
    freeReplyObject(r);
    return e;
}

static enum err
find_master(struct job *j, char *host, uint16_t *port)
{
    struct slice rest = slice_str(j->where->sentinels);
    enum err e =
        fault_set(j->f, ERR_INVAL, "read REDIS_SENTINELS", "no address");
    struct conf_listen at;

    while (conf_peer_next(&rest, SENTINEL_PORT, &at, NULL) == ERR_OK) {
        e = ask_sentinel(j, &at, host, port);
        if (e == ERR_OK)
            break;
    }
    return e;
}

static enum err
open_redis(struct job *j)
{
    const struct coord_redis_conf *w = j->where;
    uint16_t port = w->port ? w->port : REDIS_PORT;
    char host[256];
    enum err e = redis_trust_open(&j->trust, w, j->f);

    if (e != ERR_OK)
        return e;
    if (w->sentinels && w->sentinels[0])
        e = find_master(j, host, &port);
    else if (!slice_copy(slice_str(w->host), host, sizeof(host)))
        e = fault_set(j->f, ERR_INVAL, "connect to Redis", "REDIS_HOST");
    if (e == ERR_OK)
        e = open_one(j, host, port, false);
    if (e == ERR_OK)
        e = sign_in(j, w->username, w->password);
    return e == ERR_OK ? select_db(j) : e;
}

/* ---- finding ---- */

static enum err
keep(struct job *j, const redisReply *r)
{
    struct found *k;

    if (j->n == REDIS_CLEANUP_MAX) {
        j->c->more = true;
        return ERR_OK;
    }
    if (j->n == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 256;
        struct found *p = realloc(j->keys, cap * sizeof(*p));

        if (!p)
            return fault_set(j->f, ERR_NOMEM, "gather keys of", j->address);
        j->keys = p;
        j->cap = cap;
    }
    k = &j->keys[j->n];
    k->p = malloc(r->len + 1);
    if (!k->p)
        return fault_set(j->f, ERR_NOMEM, "gather keys of", j->address);
    memcpy(k->p, r->str, r->len + 1);
    k->n = r->len;
    j->n++;
    return ERR_OK;
}

/* One page of SCAN; CURSOR goes on, "0" at the end. */
static enum err
scan_page(struct job *j, char cursor[32])
{
    const char *argv[] = {"SCAN",  cursor,    "MATCH", "storage:elements:*",
                          "COUNT", SCAN_COUNT};
    redisReply *r = command(j, "scan", REDIS_REPLY_ARRAY, 6, argv, NULL);
    enum err e = ERR_OK;

    if (!r)
        return j->f->code;
    if (r->elements != 2 || r->element[0]->type != REDIS_REPLY_STRING ||
        r->element[1]->type != REDIS_REPLY_ARRAY ||
        !slice_copy(slice_of(r->element[0]->str, r->element[0]->len), cursor,
                    32)) {
        e = redis_reply_fault(j->address, r, "scan", false, j->f);
        goto out;
    }
    for (size_t i = 0; i < r->element[1]->elements && e == ERR_OK; i++) {
        const redisReply *k = r->element[1]->element[i];

        if (k->type == REDIS_REPLY_STRING &&
            slice_starts(slice_of(k->str, k->len), pattern_head))
            e = keep(j, k);
    }
out:
    freeReplyObject(r);
    return e;
}

static int
by_bytes(const void *pa, const void *pb)
{
    const struct found *a = pa, *b = pb;

    return slice_cmp(slice_of(a->p, a->n), slice_of(b->p, b->n));
}

/* Sorted, each once (SCAN may tell one twice), without those that stay. */
static void
sift(struct job *j)
{
    size_t n = 0;

    if (j->n > 0)
        qsort(j->keys, j->n, sizeof(*j->keys), by_bytes);
    for (size_t i = 0; i < j->n; i++) {
        struct found *k = &j->keys[i];
        bool again = n > 0 && by_bytes(&j->keys[n - 1], k) == 0;
        bool legacy = redis_cleanup_is_legacy(slice_of(k->p, k->n));

        if (again || !legacy) {
            j->c->kept += !again && !legacy;
            free(k->p);
        } else {
            j->keys[n++] = *k;
        }
    }
    j->n = n;
}

static enum err
find_keys(struct job *j)
{
    char cursor[32] = "0";
    enum err e;

    for (size_t i = 0; i < countof(exact); i++) {
        const redisReply r = {.str = (char *)(uintptr_t)exact[i].p,
                              .len = exact[i].n};

        e = keep(j, &r); /* asked for by name; TYPE tells if it is there */
        if (e != ERR_OK)
            return e;
    }
    do {
        e = scan_page(j, cursor);
        if (e != ERR_OK)
            return e;
    } while (strcmp(cursor, "0") != 0 && !j->c->more);
    sift(j);
    return ERR_OK;
}

/* ---- telling and removing ---- */

static enum err
send_all(struct job *j, const char *word, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const char *argv[] = {word, j->keys[i].p};
        const size_t len[] = {strlen(word), j->keys[i].n};

        enum err e = append(j, 2, argv, len);

        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* "none" is the type of what is not there (any more). */
static enum err
take_type(struct job *j, char type[16])
{
    redisReply *r = answer(j, "TYPE", REDIS_REPLY_STATUS);

    if (!r)
        return j->f->code;
    (void)snprintf(type, 16, "%.15s", r->str);
    freeReplyObject(r);
    return ERR_OK;
}

static enum err
take_removed(struct job *j)
{
    redisReply *r = answer(j, "UNLINK", REDIS_REPLY_INTEGER);

    if (!r)
        return j->f->code;
    j->c->removed += (uint64_t)r->integer;
    freeReplyObject(r);
    return ERR_OK;
}

static void
tell(struct job *j, const struct found *k, const char *type)
{
    if (strcmp(type, "none") == 0)
        return;
    j->c->found++;
    if (j->c->key)
        j->c->key(j->c->arg, slice_of(k->p, k->n), type);
}

/* Keys FROM to TO. */
static enum err
handle(struct job *j, size_t from, size_t to)
{
    char type[BATCH][16];
    enum err e = send_all(j, "TYPE", from, to);

    for (size_t i = from; i < to && e == ERR_OK; i++)
        e = take_type(j, type[i - from]);
    if (e == ERR_OK && j->c->execute)
        e = send_all(j, "UNLINK", from, to);
    for (size_t i = from; i < to && e == ERR_OK; i++) {
        if (j->c->execute)
            e = take_removed(j);
        if (e == ERR_OK)
            tell(j, &j->keys[i], type[i - from]);
    }
    return e;
}

enum err
redis_cleanup_run(struct redis_cleanup *c, const struct coord_redis_conf *where,
                  struct fault *f)
{
    struct fault mine = {0};
    struct job j = {.c = c, .where = where, .f = f ? f : &mine};
    enum err e;

    buf_init(&j.out, OUT_ROOM);
    buf_init(&j.sealed, OUT_ROOM);
    c->found = c->removed = c->kept = 0;
    c->more = false;
    e = open_redis(&j);
    if (e == ERR_OK)
        e = find_keys(&j);
    for (size_t i = 0; i < j.n && e == ERR_OK; i += BATCH)
        e = handle(&j, i, size_min(i + BATCH, j.n));
    if (e != ERR_OK)
        (void)redis_fault_hint(j.f, &j.at);
    for (size_t i = 0; i < j.n; i++)
        free(j.keys[i].p);
    free(j.keys);
    redisFree(j.redis);
    redis_tls_free(&j.tls);
    tls_client_close(&j.trust);
    buf_release(&j.out);
    buf_release(&j.sealed);
    return e;
}
