/* pg_stmt.c - statements of a connection: see pg.h and db.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/pg_fault.h"
#include "io/pg_impl.h"
#include <stdio.h>
#include <stdlib.h>

/* Types of the server's catalogue (pg_type.dat), never to change. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25
};
enum { AS_TEXT = 0, AS_BYTES = 1 };

static struct pg *
self(struct db_tx *t)
{
    return container_of(t, struct pg, tx);
}

/* --- values in ------------------------------------------------------------ */

void
pg_forget(struct pg *p)
{
    for (int i = 0; i < p->n_params; i++) {
        free(p->param[i].owned);
        p->param[i].owned = NULL;
        p->value[i] = NULL;
        p->length[i] = p->format[i] = 0;
    }
    p->n_params = 0;
    PQclear(p->res);
    p->res = NULL;
    p->row = 0;
    p->ran = false;
}

static void
t_bind(struct db_tx *t, int i, const struct db_value *v)
{
    struct pg *p = self(t);
    struct pg_param *q;

    assert(i >= 1 && i <= DB_PARAMS_MAX && v->n <= INT32_MAX);
    q = &p->param[i - 1];
    if (i > p->n_params)
        p->n_params = i;
    p->value[i - 1] = v->kind == DB_NULL ? NULL : v->p;
    p->length[i - 1] = (int)v->n;
    p->format[i - 1] = AS_BYTES;
    if (v->kind == DB_INT) {
        (void)snprintf(q->number, sizeof(q->number), "%lld", (long long)v->i);
        p->value[i - 1] = q->number;
        p->format[i - 1] = AS_TEXT;
    } else if (v->kind == DB_TEXT) {
        struct slice text = slice_of(v->p, v->n);

        /* Without memory it goes as it is, and the server refuses it. */
        free(q->owned);
        (void)db_utf8(text, &q->owned, &text);
        p->value[i - 1] = text.p;
        p->length[i - 1] = (int)text.n;
    }
}

static enum err
t_use(struct db_tx *t, unsigned i, struct fault *f)
{
    struct pg *p = self(t);

    (void)f;
    pg_forget(p);
    p->at = p->base + i;
    assert(p->at < p->n_text && p->text[p->at]);
    return ERR_OK;
}

/* --- one at a time -------------------------------------------------------- */

static const char *
stmt_name(unsigned at, char out[16])
{
    (void)snprintf(out, 16, "s%u", at);
    return out;
}

static void
count(struct pg *p, unsigned at, int64_t ns, const PGresult *r)
{
    pg_count(p->counts, at, ns,
             r ? pg_class_of(PQresultErrorField(r, PG_DIAG_SQLSTATE)) : NULL);
}

/* Types are for the server to find out; only a number that the text leaves out
 * must be told to be something. Returns how many values there are. */
static int
param_types(const char *text, Oid type[DB_PARAMS_MAX])
{
    int n = 0;

    for (int i = 0; i < DB_PARAMS_MAX; i++)
        type[i] = OID_TEXT;
    for (const char *s = strchr(text, '$'); s; s = strchr(s + 1, '$')) {
        long k = strtol(s + 1, NULL, 10);

        if (k < 1 || k > DB_PARAMS_MAX)
            continue;
        type[k - 1] = 0;
        n = k > n ? (int)k : n;
    }
    return n;
}

static bool
send_prepare(struct pg *p)
{
    const char *text = p->text[p->at];
    Oid type[DB_PARAMS_MAX];
    char name[16];
    int n = param_types(text, type);

    p->prepared[p->at] = (unsigned char)(1 + n);
    return PQsendPrepare(p->c, stmt_name(p->at, name), text, n, type);
}

static bool
send_run(struct pg *p)
{
    char name[16];

    assert(p->n_params <= p->prepared[p->at] - 1);
    return PQsendQueryPrepared(p->c, stmt_name(p->at, name),
                               p->prepared[p->at] - 1, p->value, p->length,
                               p->format, AS_BYTES);
}

static enum err
prepare(struct pg *p, struct fault *f)
{
    enum err e;

    if (p->prepared[p->at])
        return ERR_OK;
    if (!send_prepare(p))
        return pg_failed(p, NULL, "send to PostgreSQL", f);
    e = pg_collect(p, "prepare a statement", f);
    p->ran = false;
    if (e)
        p->prepared[p->at] = 0;
    return e;
}

static enum err
run(struct pg *p, struct fault *f)
{
    int64_t began = pg_clock();
    enum err e;

    if (p->state == PG_LOST)
        return pg_failed(p, NULL, "PostgreSQL", f);
    if ((e = prepare(p, f)))
        return e;
    if (!send_run(p))
        return pg_failed(p, NULL, "send to PostgreSQL", f);
    e = pg_collect(p, "PostgreSQL", f);
    pg_count(p->counts, p->at, pg_clock() - began,
             !e                        ? NULL
             : p->state == PG_COLLIDED ? "serialization"
             : p->state == PG_LOST     ? "connection"
             : e == ERR_CONFLICT       ? "constraint"
             : e == ERR_TIMEOUT        ? "timeout"
                                       : "other");
    return e;
}

static enum err t_flush(struct db_tx *t, struct fault *f);

static enum err
t_step(struct db_tx *t, struct fault *f)
{
    struct pg *p = self(t);
    enum err e;

    if (!p->ran && ((e = t_flush(t, f)) || (e = run(p, f))))
        return e;
    if (p->res && p->row < PQntuples(p->res)) {
        p->row++;
        return ERR_OK;
    }
    return ERR_END;
}

/* --- values out ----------------------------------------------------------- */

static int64_t
number_of(const char *v, int n, int format)
{
    uint64_t x = 0;

    if (format == AS_TEXT)
        return strcmp(v, "t") == 0 ? 1 : strtoll(v, NULL, 10);
    for (int i = 0; i < n; i++) /* signed, big end first */
        x = (i == 0 && (v[0] & 0x80) ? ~(uint64_t)0 : x) << 8 |
            (unsigned char)v[i];
    return (int64_t)x;
}

static struct db_value
t_column(struct db_tx *t, int i)
{
    struct pg *p = self(t);
    int row = p->row - 1;
    struct db_value v = {DB_NULL, 0, NULL, 0};

    assert(p->res && row >= 0 && i < PQnfields(p->res));
    if (PQgetisnull(p->res, row, i))
        return v;
    v.p = PQgetvalue(p->res, row, i);
    v.n = (size_t)PQgetlength(p->res, row, i);
    switch (PQftype(p->res, i)) {
    case OID_INT8:
    case OID_INT4:
    case OID_INT2:
    case OID_BOOL:
        v.kind = DB_INT;
        v.i = number_of(v.p, (int)v.n, PQfformat(p->res, i));
        v.p = NULL;
        v.n = 0;
        break;
    case OID_BYTEA:
        v.kind = DB_BLOB;
        break;
    default:
        v.kind = DB_TEXT;
        break;
    }
    return v;
}

static const char *
t_name(struct db_tx *t)
{
    return self(t)->name;
}

/* --- many without waiting ------------------------------------------------- */

static struct pg_queued *
enqueue(struct pg *p, struct db_posted *out, bool prepares)
{
    struct pg_queued *q = &p->queued[p->n_queued++];

    *q = (struct pg_queued){.out = out, .at = p->at, .prepares = prepares};
    return q;
}

static enum err
t_post(struct db_tx *t, struct db_posted *out, struct fault *f)
{
    struct pg *p = self(t);

    if (out)
        *out = (struct db_posted){0};
    if (p->state == PG_LOST || (!p->pipe && !PQenterPipelineMode(p->c)))
        return pg_failed(p, NULL, "PostgreSQL", f);
    if (!p->pipe)
        p->pipe_began = pg_clock();
    p->pipe = true;
    if (!p->prepared[p->at]) {
        if (!send_prepare(p))
            return pg_failed(p, NULL, "send to PostgreSQL", f);
        (void)enqueue(p, NULL, true);
    }
    if (!send_run(p))
        return pg_failed(p, NULL, "send to PostgreSQL", f);
    (void)enqueue(p, out, false);
    pg_forget(p);
    return p->n_queued >= PG_PIPE ? t_flush(t, f) : ERR_OK;
}

static void
answered(struct pg_queued *q, PGresult *r)
{
    if (!q->out)
        return;
    q->out->changed = strtoll(PQcmdTuples(r), NULL, 10);
    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0)
        q->out->value = number_of(PQgetvalue(r, 0, 0), PQgetlength(r, 0, 0),
                                  PQfformat(r, 0));
}

/* All results of one queued statement. The first error is told; those behind
 * it were not run. */
static enum err
take(struct pg *p, struct pg_queued *q, int64_t ns, enum err *first,
     struct fault *f)
{
    enum err e = ERR_OK;
    PGresult *r;

    while ((r = pg_await(p, pg_clock(), &e, f)) != NULL) {
        ExecStatusType s = PQresultStatus(r);

        if (s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK) {
            answered(q, r);
            if (!q->prepares)
                count(p, q->at, ns, NULL);
        } else {
            if (q->prepares)
                p->prepared[q->at] = 0;
            if (s != PGRES_PIPELINE_ABORTED && !*first) {
                count(p, q->at, ns, r);
                *first = pg_failed(p, r, "PostgreSQL", f);
            }
        }
        PQclear(r);
        if (p->state == PG_LOST)
            break;
    }
    return e;
}

static enum err
t_flush(struct db_tx *t, struct fault *f)
{
    struct pg *p = self(t);
    enum err first = ERR_OK, e = ERR_OK;
    int64_t each;
    PGresult *r;

    if (!p->pipe)
        return ERR_OK;
    if (!PQpipelineSync(p->c))
        e = pg_failed(p, NULL, "send to PostgreSQL", f);
    /* Together they took so long; each its part of it. */
    for (unsigned i = 0; i < p->n_queued && !e && p->state != PG_LOST; i++) {
        each = (pg_clock() - p->pipe_began) / p->n_queued;
        e = take(p, &p->queued[i], each, &first, f);
    }
    p->n_queued = 0;
    p->pipe = false;
    if (!e && p->state != PG_LOST) {
        r = pg_await(p, pg_clock(), &e, f); /* the sync */
        PQclear(r);
    }
    if (!e && p->state != PG_LOST && !PQexitPipelineMode(p->c))
        e = pg_failed(p, NULL, "PostgreSQL", f);
    return first ? first : e;
}

void
pg_drop_queue(struct pg *p)
{
    (void)t_flush(&p->tx, NULL);
}

const struct db_tx_ops pg_tx_ops = {
    .use = t_use,
    .bind = t_bind,
    .step = t_step,
    .post = t_post,
    .flush = t_flush,
    .column = t_column,
    .name = t_name,
};
