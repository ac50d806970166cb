/* pg.c - see pg.h: the connection, and waiting for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/pg.h"
#include "conf/conf.h"
#include "io/pg_fault.h"
#include "io/pg_impl.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Beyond the server's own timeout, for the way there and back. */
#define GRACE_MS 2000

int64_t
pg_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- waiting -------------------------------------------------------------- */

/* Until FD is ready; false after LIMIT (ns on our clock; 0: never). */
static bool
wait_for(int fd, short events, int64_t limit)
{
    struct pollfd pfd = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = limit ? (limit - pg_clock()) / 1000000 : 60000;
        int n;

        if (limit && left <= 0)
            return false;
        n = poll(&pfd, 1, (int)(left > 60000 ? 60000 : left));
        if (n > 0 || (n < 0 && errno != EINTR))
            return true; /* an error shows in what comes next */
    }
}

static enum err
lost(struct pg *p, const char *op, struct fault *f)
{
    p->state = PG_LOST;
    return pg_fault_lost(p->name, p->c, op, f);
}

PGresult *
pg_await(struct pg *p, int64_t began, enum err *e, struct fault *f)
{
    int64_t limit = 0;

    if (p->timeout_ms && !p->bulk)
        limit = began + (p->timeout_ms + GRACE_MS) * 1000000;
    for (;;) {
        int more = PQflush(p->c);

        if (more < 0) {
            *e = lost(p, "send to PostgreSQL", f);
            return NULL;
        }
        if (!PQisBusy(p->c))
            return PQgetResult(p->c);
        if (!wait_for(PQsocket(p->c), more ? POLLIN | POLLOUT : POLLIN,
                      limit)) {
            p->state = PG_LOST;
            *e = fault_set(f, ERR_TIMEOUT, "wait for PostgreSQL", p->name);
            (void)fault_hint(f, "the server answers nothing; DB_STATEMENT_"
                                "TIMEOUT is how long it may take");
            return NULL;
        }
        if (!PQconsumeInput(p->c)) {
            *e = lost(p, "read from PostgreSQL", f);
            return NULL;
        }
    }
}

enum err
pg_failed(struct pg *p, const PGresult *r, const char *op, struct fault *f)
{
    const char *code = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;

    if (!code || PQstatus(p->c) == CONNECTION_BAD)
        return lost(p, op, f);
    p->state = pg_state_of(code);
    return pg_fault_result(p->name, r, op, f);
}

enum err
pg_collect(struct pg *p, const char *op, struct fault *f)
{
    int64_t began = pg_clock();
    enum err e = ERR_OK, waited = ERR_OK;
    PGresult *r;

    while ((r = pg_await(p, began, &waited, f)) != NULL) {
        switch (PQresultStatus(r)) {
        case PGRES_TUPLES_OK:
            PQclear(p->res);
            p->res = r;
            p->row = 0;
            r = NULL;
            break;
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            break;
        default:
            if (!e)
                e = pg_failed(p, r, op, f);
            break;
        }
        PQclear(r);
    }
    if (!e)
        e = waited;
    p->ran = e == ERR_OK;
    return e;
}

/* --- opening -------------------------------------------------------------- */

static enum err
check_url(const char *url, struct fault *f)
{
    /* Not libpq's own words about it: they quote the address, and with it the
     * password. */
    PQconninfoOption *o = PQconninfoParse(url, NULL);
    bool ok = o && conf_database_url_fits(url);

    PQconninfoFree(o);
    if (ok)
        return ERR_OK;
    (void)fault_set(f, ERR_INVAL, "read DATABASE_URL", "it is not valid");
    return fault_hint(f, "it looks like postgresql://USER:PASSWORD@HOST:5432/"
                         "DATABASE; other signs than letters and digits in it "
                         "are written as %40 for @, %2F for /");
}

/* What comes before dbname are defaults that the address may change, what
 * follows it holds. Keepalives: a peer that is gone is found within 20 s even
 * when nothing is sent. */
static const char *const keyword[] = {"target_session_attrs",
                                      "keepalives_idle",
                                      "keepalives_interval",
                                      "keepalives_count",
                                      "tcp_user_timeout",
                                      "fallback_application_name",
                                      "dbname",
                                      "client_encoding",
                                      NULL};

static enum err
start(struct pg *p, const struct pg_conf *c, struct fault *f)
{
    const char *const value[countof(keyword)] = {
        "read-write", "10",   "3",    "3", "15000",
        "artstore",   c->url, "UTF8", NULL};
    int64_t limit = pg_clock() + c->connect_timeout.ns;
    PostgresPollingStatusType s = PGRES_POLLING_WRITING;

    p->c = PQconnectStartParams(keyword, value, 1);
    if (!p->c)
        return fault_set(f, ERR_NOMEM, "connect to PostgreSQL", "memory");
    /* With the code in it, which says more than words of any language. */
    (void)PQsetErrorVerbosity(p->c, PQERRORS_VERBOSE);
    if (PQstatus(p->c) == CONNECTION_BAD)
        return pg_fault_connect(p->c, f);
    while (s != PGRES_POLLING_OK && s != PGRES_POLLING_FAILED) {
        short ev = s == PGRES_POLLING_READING ? POLLIN : POLLOUT;

        if (!wait_for(PQsocket(p->c), ev, limit)) {
            pg_name_of(p->c, p->name);
            (void)fault_set(f, ERR_TIMEOUT, "connect to PostgreSQL", p->name);
            return fault_hint(f, "nobody answers there: is the address right, "
                                 "is a firewall between?");
        }
        s = PQconnectPoll(p->c);
    }
    if (s == PGRES_POLLING_FAILED)
        return pg_fault_connect(p->c, f);
    (void)PQsetErrorVerbosity(p->c, PQERRORS_DEFAULT);
    pg_name_of(p->c, p->name);
    return ERR_OK;
}

static void
no_notices(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

/* Ways to run a statement that we never want: all our statements look things up
 * by a key, or walk an index in its order and stop early. A planner that knows
 * nothing of a table yet, or much about its average, has chosen to read and
 * sort all of it for a page of a hundred rows (measured: minutes at 20,000 rows
 * that were just copied). */
#define NEVER(what) " set_config('" what "', 'off', false),"
#define PLAN                                                \
    NEVER("enable_seqscan")                                 \
    NEVER("enable_bitmapscan")                              \
    NEVER("enable_hashjoin")                                \
    NEVER("enable_mergejoin")                               \
    NEVER("jit")                                            \
    " set_config('plan_cache_mode', 'force_generic_plan', " \
    "false),"

/* A commit is on disk when it has been answered: the session's setting may be
 * more (a replica has it, too) but not less; what it cannot change, it looks
 * at. A transaction that its client forgot is ended. */
static enum err
set_up(struct pg *p, const struct pg_conf *c, struct fault *f)
{
    int64_t ms = c->statement_timeout.ns / 1000000;
    char sql[1200], fsync[8], encoding[32];
    enum err e;

    (void)snprintf(
        sql, sizeof(sql),
        "SELECT set_config('statement_timeout', '%lld', false),"
        " set_config('idle_in_transaction_session_timeout', '60000', false),"
        " set_config('synchronous_commit', CASE"
        " WHEN current_setting('synchronous_commit') = 'remote_apply'"
        " THEN 'remote_apply' ELSE 'on' END, false),"
        " set_config('client_min_messages', 'warning', false)," PLAN
        " current_setting('fsync'), current_setting('server_encoding')",
        (long long)ms);
    if ((e = pg_query(p, sql, f)) || (e = db_step(&p->tx, f)))
        return e;
    if (!db_text(&p->tx, 10, fsync, sizeof(fsync)) ||
        !db_text(&p->tx, 11, encoding, sizeof(encoding)))
        return db_corrupt(&p->tx, "settings", f);
    pg_forget(p);
    if (strcmp(fsync, "on") != 0) {
        (void)fault_set(f, ERR_UNSUPPORTED, "check fsync=on", p->name);
        return fault_hint(f, "the server would lose what it has committed in "
                             "a power cut: set fsync = on there");
    }
    if (strcmp(encoding, "UTF8") != 0) {
        (void)fault_set(f, ERR_UNSUPPORTED, "check encoding UTF8", p->name);
        return fault_hint(f, "make the database with createdb -E UTF8 -T "
                             "template0");
    }
    return ERR_OK;
}

static enum err
check_version(struct pg *p, struct fault *f)
{
    int v = PQserverVersion(p->c);
    char what[PG_NAME_MAX + 32];

    if (v >= PG_VERSION_MIN)
        return ERR_OK;
    (void)snprintf(what, sizeof(what), "%s is version %d.%d", p->name,
                   v / 10000, v % 10000); /* since version 10 */
    (void)fault_set(f, ERR_UNSUPPORTED, "check version", what);
    return fault_hint(f, "PostgreSQL 13 or later is needed");
}

enum err
pg_open(struct pg **out, const struct pg_conf *c, struct fault *f)
{
    struct pg *p = calloc(1, sizeof(*p));
    enum err e;

    *out = NULL;
    if (p)
        p->prepared = calloc(c->n_text + 1, sizeof(*p->prepared));
    if (!p || !p->prepared) {
        free(p);
        return fault_set(f, ERR_NOMEM, "connect to PostgreSQL", "memory");
    }
    p->tx.ops = &pg_tx_ops;
    p->text = c->text;
    p->n_text = c->n_text;
    p->timeout_ms = c->statement_timeout.ns / 1000000;
    e = check_url(c->url, f);
    if (!e)
        e = start(p, c, f);
    if (!e) {
        (void)PQsetNoticeReceiver(p->c, no_notices, NULL);
        (void)PQsetnonblocking(p->c, 1);
        e = check_version(p, f);
    }
    if (!e)
        e = set_up(p, c, f);
    if (e)
        pg_close(&p);
    *out = p;
    return e;
}

void
pg_close(struct pg **pp)
{
    struct pg *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    pg_forget(p);
    PQfinish(p->c);
    free(p->prepared);
    free(p);
}

const char *
pg_name(const struct pg *p)
{
    return p->name;
}

enum pg_state
pg_state(const struct pg *p)
{
    return p->state;
}

bool
pg_alive(struct pg *p)
{
    struct pollfd pfd = {.fd = PQsocket(p->c), .events = POLLIN};

    if (p->state == PG_LOST || PQstatus(p->c) != CONNECTION_OK)
        return false;
    /* Nobody was asked, so what has come is a notice or the end. */
    if (poll(&pfd, 1, 0) > 0 && !PQconsumeInput(p->c))
        return false;
    return PQstatus(p->c) == CONNECTION_OK && !PQisBusy(p->c);
}

struct db_tx *
pg_use(struct pg *p, unsigned base, struct pg_counts *c)
{
    p->base = base;
    p->counts = c;
    p->state = PG_FINE;
    return &p->tx;
}

void
pg_end(struct pg *p)
{
    pg_forget(p);
}

/* --- statements as text --------------------------------------------------- */

enum err
pg_query(struct pg *p, const char *sql, struct fault *f)
{
    assert(!p->pipe);
    pg_forget(p);
    if (p->state == PG_LOST || !PQsendQuery(p->c, sql))
        return pg_failed(p, NULL, "send to PostgreSQL", f);
    return pg_collect(p, "PostgreSQL", f);
}

enum err
pg_exec(struct pg *p, const char *sql, struct fault *f)
{
    enum err e = pg_query(p, sql, f);

    pg_forget(p);
    return e;
}

/* --- transactions --------------------------------------------------------- */

/* An advisory lock: shared by each transaction from its begin, exclusive for
 * one that wants to be alone, taken before its transaction so that it sees what
 * the others have done. Waiting is first come, first served. The number is any
 * that nobody else uses. */
#define TURN "5929120364117554"

enum err
pg_alone(struct pg *p, bool on, struct fault *f)
{
    return pg_exec(p,
                   on ? "SELECT pg_advisory_lock(" TURN ")"
                      : "SELECT pg_advisory_unlock(" TURN ")",
                   f);
}

enum err
pg_begin(struct pg *p, bool bulk, struct fault *f)
{
    static const char *const sql[2] = {
        "BEGIN ISOLATION LEVEL SERIALIZABLE;"
        "SELECT pg_advisory_xact_lock_shared(" TURN ");"
        "SELECT CAST(pg_current_xact_id() AS text)",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = 0;"
        "SELECT CAST(pg_current_xact_id() AS text)"};
    enum err e;

    assert(!p->in_tx);
    p->xid[0] = '\0';
    p->in_tx = true; /* a part of it may have been done */
    p->bulk = bulk;
    e = pg_query(p, sql[bulk], f);
    if (!e)
        e = db_step(&p->tx, f);
    if (!e && !db_text(&p->tx, 0, p->xid, sizeof(p->xid)))
        e = db_corrupt(&p->tx, "transaction id", f);
    pg_forget(p);
    return e;
}

enum err
pg_commit(struct pg *p, struct fault *f)
{
    enum err e;

    assert(p->in_tx);
    e = db_flush(&p->tx, f);
    /* The server would answer COMMIT with ROLLBACK. */
    if (!e && PQtransactionStatus(p->c) == PQTRANS_INERROR)
        e = fault_set(f, ERR_IO, "commit what has failed", p->name);
    if (e) {
        pg_rollback(p);
        return e;
    }
    e = pg_exec(p, "COMMIT", f);
    p->in_tx = p->bulk = false;
    return e;
}

void
pg_rollback(struct pg *p)
{
    enum pg_state was = p->state;

    if (p->pipe)
        pg_drop_queue(p);
    if (p->in_tx && p->state != PG_LOST) {
        (void)pg_exec(p, "ROLLBACK", NULL);
        if (p->state != PG_LOST)
            p->state = was;
    }
    p->in_tx = p->bulk = false;
}

const char *
pg_xid(const struct pg *p)
{
    return p->xid;
}

enum err
pg_outcome(struct pg *p, const char *xid, enum pg_outcome *out, struct fault *f)
{
    static const char *const word[] = {[PG_COMMITTED] = "committed",
                                       [PG_ABORTED] = "aborted",
                                       [PG_IN_PROGRESS] = "in progress"};
    char sql[96], said[24];
    enum err e;

    *out = PG_FORGOTTEN;
    (void)snprintf(sql, sizeof(sql),
                   "SELECT pg_xact_status(CAST('%s' AS xid8))", xid);
    if ((e = pg_query(p, sql, f)) || (e = db_step(&p->tx, f)))
        return e;
    if (db_text(&p->tx, 0, said, sizeof(said)))
        for (unsigned i = 0; i < countof(word); i++)
            if (strcmp(said, word[i]) == 0)
                *out = (enum pg_outcome)i;
    pg_forget(p);
    return ERR_OK;
}
