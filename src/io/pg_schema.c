/* pg_schema.c - see pg_schema.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/pg_schema.h"
#include "base/hex.h"
#include "hash/hash.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SCRIPTS_MAX 64                 /* of one part */
#define LOCK_KEY    "5929120364117553" /* any number that nobody else uses */
#define TABLE                                                               \
    "CREATE TABLE IF NOT EXISTS schema_migrations (part text NOT NULL,"     \
    " version bigint NOT NULL, name text NOT NULL, checksum text NOT NULL," \
    " applied_at bigint NOT NULL, applied_by text NOT NULL,"                \
    " PRIMARY KEY (part, version))"

struct had {
    char checksum[2 * HASH_SHA256_SIZE + 1];
    char name[64];
    int64_t applied_at;
    bool there;
};

/* What one part has had, by version - 1. */
struct history {
    struct had had[SCRIPTS_MAX];
    unsigned last; /* the highest version that is there */
};

static void
checksum_of(const char *const *stmts, char out[2 * HASH_SHA256_SIZE + 1])
{
    static const struct hash_cpu any = {0};
    const struct hash_kernels *k = hash_select(&any, "c");
    struct hash_state s;
    struct hash_digests d;

    hash_init(&s);
    for (; *stmts; stmts++) {
        const struct hash_job job = {&s, (const uint8_t *)*stmts,
                                     strlen(*stmts) + 1};

        hash_run(k, &job, 1);
    }
    hash_final(k, &s, &d);
    hex_encode(d.sha256, sizeof(d.sha256), out);
}

static enum err
history_read(struct pg *p, const char *part, struct history *h, struct fault *f)
{
    struct db_tx *t = pg_use(p, 0, NULL);
    char sql[160];
    enum err e;

    memset(h, 0, sizeof(*h));
    e = pg_query(p, "SELECT to_regclass('schema_migrations') IS NOT NULL", f);
    if (e || (e = db_step(t, f)))
        return e;
    if (!db_i64(t, 0))
        return ERR_OK;
    (void)snprintf(sql, sizeof(sql),
                   "SELECT version, name, checksum, applied_at"
                   " FROM schema_migrations WHERE part = '%s'",
                   part);
    if ((e = pg_query(p, sql, f)))
        return e;
    while ((e = db_step(t, f)) == ERR_OK) {
        int64_t version = db_i64(t, 0);
        struct had *had;

        if (version < 1 || version > SCRIPTS_MAX)
            return db_corrupt(t, "version of the schema", f);
        had = &h->had[version - 1];
        had->there = true;
        had->applied_at = db_i64(t, 3);
        if (!db_text(t, 1, had->name, sizeof(had->name)) ||
            !db_text(t, 2, had->checksum, sizeof(had->checksum)))
            return db_corrupt(t, "row of schema_migrations", f);
        if (version > h->last)
            h->last = (unsigned)version;
    }
    pg_end(p);
    return e == ERR_END ? ERR_OK : e;
}

static struct pg_script
script_of(const struct db_schema *s, const struct db_texts *x,
          const struct history *h, unsigned i)
{
    struct pg_script out = {.part = s->part,
                            .version = i + 1,
                            .applied = h->had[i].there,
                            .applied_at = h->had[i].applied_at};
    char checksum[2 * HASH_SHA256_SIZE + 1];

    if (i >= s->n_scripts) {
        out.name = h->had[i].name;
        out.unknown = true;
        return out;
    }
    out.name = s->script[i].name;
    checksum_of(x->script[i], checksum);
    out.differs = out.applied && strcmp(checksum, h->had[i].checksum) != 0;
    return out;
}

static enum err
list_part(struct pg *p, const struct db_schema *s, pg_script_fn *fn, void *arg,
          struct fault *f)
{
    struct db_texts x;
    struct history h;
    enum err e = history_read(p, s->part, &h, f);

    if (e)
        return e;
    if (!db_texts_init(&x, DB_POSTGRES, s))
        return fault_set(f, ERR_NOMEM, "read the schema", "memory");
    for (unsigned i = 0; i < s->n_scripts || i < h.last; i++) {
        struct pg_script one = script_of(s, &x, &h, i);

        if (one.applied || !one.unknown)
            fn(arg, &one);
    }
    db_texts_release(&x);
    return ERR_OK;
}

enum err
pg_schema_list(struct pg *p, const struct db_schema *const *schema, unsigned n,
               pg_script_fn *fn, void *arg, struct fault *f)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < n && !e; i++)
        e = list_part(p, schema[i], fn, arg, f);
    return e;
}

/* --- checking ------------------------------------------------------------- */

struct check {
    struct pg_script bad; /* the worst */
    bool missing, differs, unknown;
};

static void
look(void *arg, const struct pg_script *s)
{
    struct check *c = arg;

    if (s->unknown || (s->differs && !c->unknown) ||
        (!s->applied && !c->unknown && !c->differs && !c->missing))
        c->bad = *s;
    c->unknown |= s->unknown;
    c->differs |= s->differs;
    c->missing |= !s->applied;
}

static enum err
not_as_wanted(struct pg *p, const struct check *c, struct fault *f)
{
    char what[PG_NAME_MAX + 64];

    (void)snprintf(what, sizeof(what), "%s, script %u of %s", pg_name(p),
                   c->bad.version, c->bad.part);
    if (c->unknown) {
        (void)fault_set(f, ERR_UNSUPPORTED, "later schema", what);
        return fault_hint(f, "a later version of artstore has used this "
                             "database: run that version");
    }
    if (c->differs) {
        (void)fault_set(f, ERR_CONFLICT, "other schema", what);
        return fault_hint(f, "it was applied with another text: is this "
                             "database of another build?");
    }
    (void)fault_set(f, ERR_UNSUPPORTED, "earlier schema", what);
    return fault_hint(f, "run `artstore migrate schema`, or start with "
                         "DB_AUTO_MIGRATE=on");
}

enum err
pg_schema_check(struct pg *p, const struct db_schema *const *schema, unsigned n,
                struct fault *f)
{
    struct check c = {.unknown = false};
    enum err e = pg_schema_list(p, schema, n, look, &c, f);

    if (e)
        return e;
    return c.unknown || c.differs || c.missing ? not_as_wanted(p, &c, f)
                                               : ERR_OK;
}

/* --- applying ------------------------------------------------------------- */

static int64_t
ms_of(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum err
pg_schema_lock(struct pg *p, struct dur wait, struct fault *f)
{
    const struct timespec nap = {.tv_nsec = 100000000};
    int64_t limit = ms_of(CLOCK_MONOTONIC) + wait.ns / 1000000;
    struct db_tx *t = pg_use(p, 0, NULL);
    enum err e;

    for (;;) {
        e = pg_query(p, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", f);
        if (e || (e = db_step(t, f)))
            return e;
        if (db_i64(t, 0))
            return ERR_OK;
        if (ms_of(CLOCK_MONOTONIC) >= limit)
            break;
        (void)nanosleep(&nap, NULL);
    }
    (void)fault_set(f, ERR_BUSY, "lock the schema", pg_name(p));
    return fault_hint(f, "another `artstore migrate` is at it");
}

static enum err
apply_one(struct pg *p, const struct db_schema *s, const char *const *stmts,
          unsigned i, struct fault *f)
{
    char sql[320], checksum[2 * HASH_SHA256_SIZE + 1], where[64];
    enum err e = pg_begin(p, true, f);

    for (size_t k = 0; stmts[k] && !e; k++)
        e = pg_exec(p, stmts[k], f);
    checksum_of(stmts, checksum);
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO schema_migrations (part, version, name,"
                   " checksum, applied_at, applied_by)"
                   " VALUES ('%s', %u, '%s', '%s', %lld, current_user)",
                   s->part, i + 1, s->script[i].name, checksum,
                   (long long)ms_of(CLOCK_REALTIME));
    if (!e)
        e = pg_exec(p, sql, f);
    if (!e)
        return pg_commit(p, f);
    pg_rollback(p);
    (void)snprintf(where, sizeof(where), "script %u of %s", i + 1, s->part);
    (void)fault_in(f, where);
    return e;
}

static enum err
apply_part(struct pg *p, const struct db_schema *s, pg_script_fn *fn, void *arg,
           struct fault *f)
{
    struct db_texts x;
    struct history h;
    enum err e = history_read(p, s->part, &h, f);

    if (!e && !db_texts_init(&x, DB_POSTGRES, s))
        return fault_set(f, ERR_NOMEM, "apply the schema", "memory");
    if (e)
        return e;
    for (unsigned i = 0; i < s->n_scripts && !e; i++) {
        struct pg_script one = script_of(s, &x, &h, i);
        int64_t began = ms_of(CLOCK_MONOTONIC);

        if (one.applied)
            continue;
        e = apply_one(p, s, x.script[i], i, f);
        one.applied = !e;
        one.applied_at = ms_of(CLOCK_REALTIME);
        one.took_ms = ms_of(CLOCK_MONOTONIC) - began;
        if (!e && fn)
            fn(arg, &one);
    }
    db_texts_release(&x);
    return e;
}

enum err
pg_schema_apply(struct pg *p, const struct db_schema *const *schema, unsigned n,
                struct dur wait, pg_script_fn *fn, void *arg, struct fault *f)
{
    struct check c = {.unknown = false};
    enum err e = pg_schema_lock(p, wait, f);

    if (!e)
        e = pg_exec(p, TABLE, f);
    if (!e)
        e = pg_schema_list(p, schema, n, look, &c, f);
    if (!e && (c.unknown || c.differs))
        e = not_as_wanted(p, &c, f);
    for (unsigned i = 0; i < n && !e; i++)
        e = apply_part(p, schema[i], fn, arg, f);
    if (pg_state(p) != PG_LOST)
        (void)pg_exec(p, "SELECT pg_advisory_unlock(" LOCK_KEY ")", NULL);
    return e;
}
