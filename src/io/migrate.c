/* migrate.c - see migrate.h: opening, schema, copying. A run reads its state
 * first (migrate_note.c) and where the source has moved.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/db_pg.h"
#include "io/meta_sqlite.h"
#include "io/migrate_impl.h"
#include "io/pg_schema.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_DEFAULT 1000

/* --- opening -------------------------------------------------------------- */

static enum err
find_files(const char *folder, struct fault *f)
{
    static const char *const name[] = {"admin.db", "catalogue.db"};
    char path[4096];

    for (unsigned i = 0; i < countof(name); i++) {
        int n = snprintf(path, sizeof(path), "%s/%s", folder, name[i]);

        if (n < 0 || (size_t)n >= sizeof(path))
            return fault_set(f, ERR_TOOBIG, "open", folder);
        if (access(path, F_OK) == 0)
            continue;
        (void)fault_set(f, ERR_NOENT, "open", path);
        return fault_hint(f, "DATA_DIR names the folder of a server that ran "
                             "with SQLite");
    }
    return ERR_OK;
}

static enum err
open_source(struct migrate *m, const char *folder, struct fault *f)
{
    enum err e = find_files(folder, f);

    for (unsigned i = 0; i < META_PARTS && !e; i++)
        e = meta_sqlite_db(&m->source[i], folder, (enum meta_part)i,
                           &m->schema[i], f);
    return e;
}

static enum err
open_target(struct migrate *m, const struct migrate_conf *c, struct fault *f)
{
    const struct db_schema *const schema[] = {&m->schema[META_CATALOGUE]};
    const struct pg_conf pc = {.url = c->url,
                               .connect_timeout = DB_PG_CONNECT_LIMIT,
                               .statement_timeout = c->statement_timeout};
    const struct db_pg_conf dc = {.url = c->url,
                                  .pool_min = 1,
                                  .pool_max = 2,
                                  .pool_timeout = dur_s(5),
                                  .statement_timeout = c->statement_timeout,
                                  .schema = schema,
                                  .n_schema = 1};
    enum err e = pg_open(&m->pg, &pc, f);

    return e ? e : db_pg_open(&m->target, &dc, f);
}

enum err
migrate_open(struct migrate **out, const struct migrate_conf *c,
             struct fault *f)
{
    struct migrate *m = calloc(1, sizeof(*m));
    enum err e = ERR_OK;

    *out = NULL;
    if (!m)
        return fault_set(f, ERR_NOMEM, "open", "databases");
    m->batch = c->batch ? c->batch : BATCH_DEFAULT;
    for (unsigned i = 0; i < META_PARTS; i++)
        migrate_schema_of((enum meta_part)i, &m->schema[i]);
    if (c->folder)
        e = open_source(m, c->folder, f);
    if (!e)
        e = open_target(m, c, f);
    if (e)
        migrate_close(&m);
    *out = m;
    return e;
}

void
migrate_close(struct migrate **pm)
{
    struct migrate *m = *pm;

    *pm = NULL;
    if (!m)
        return;
    for (unsigned i = 0; i < META_PARTS; i++)
        db_close(&m->source[i]);
    db_close(&m->target);
    pg_close(&m->pg);
    free(m);
}

const char *
migrate_target(const struct migrate *m)
{
    return pg_name(m->pg);
}

/* --- schema --------------------------------------------------------------- */

struct script_call {
    migrate_script_fn *fn;
    void *arg;
};

static void
tell_script(void *arg, const struct pg_script *s)
{
    const struct script_call *c = arg;
    const struct migrate_script out = {.part = s->part,
                                       .version = s->version,
                                       .name = s->name,
                                       .applied = s->applied,
                                       .differs = s->differs,
                                       .unknown = s->unknown,
                                       .applied_at = s->applied_at,
                                       .took_ms = s->took_ms};

    c->fn(c->arg, &out);
}

enum err
migrate_scripts(struct migrate *m, migrate_script_fn *fn, void *arg,
                struct fault *f)
{
    struct script_call c = {fn, arg};

    return pg_schema_list(m->pg, meta_schema, META_PARTS, tell_script, &c, f);
}

enum err
migrate_schema(struct migrate *m, migrate_script_fn *fn, void *arg,
               struct fault *f)
{
    struct script_call c = {fn, arg};

    return pg_schema_apply(m->pg, meta_schema, META_PARTS, dur_s(0),
                           tell_script, &c, f);
}

/* --- counting ------------------------------------------------------------- */

struct counting {
    unsigned i;
    uint64_t rows;
};

static enum err
count_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct counting *c = arg;
    enum err e = db_use(t, MIG(c->i, MIG_COUNT), f);

    if (e || (e = db_step(t, f)))
        return e;
    c->rows = (uint64_t)db_i64(t, 0);
    return ERR_OK;
}

static enum err
count(struct db *d, unsigned i, uint64_t *rows, struct fault *f)
{
    struct counting c = {.i = i};
    enum err e = d ? db_read(d, count_fn, &c, f) : ERR_OK;

    *rows = c.rows;
    return e;
}

struct noting {
    const char *table;
    struct migrate_note note;
};

static enum err
noting_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct noting *n = arg;

    return migrate_note_get(t, n->table, &n->note, f);
}

enum err
migrate_counts(struct migrate *m, struct migrate_count out[MIGRATE_TABLES],
               struct fault *f)
{
    struct noting n = {.table = NULL};
    enum err e = pg_schema_check(m->pg, meta_schema, META_PARTS, f);

    buf_init(&n.note.last, MIB);
    for (unsigned i = 0; i < MIGRATE_TABLES && !e; i++) {
        const struct migrate_table *table = &migrate_table[i];
        struct migrate_count *c = &out[i];

        c->table = n.table = table->name;
        if ((e = count(m->source[table->part], i, &c->source, f)) ||
            (e = count(m->target, i, &c->target, f)) ||
            (e = db_read(m->target, noting_fn, &n, f)))
            break;
        c->copied = (uint64_t)n.note.done;
        c->begun = n.note.begun;
        c->finished = n.note.finished;
    }
    buf_release(&n.note.last);
    return e;
}

/* --- copying -------------------------------------------------------------- */

struct copy {
    struct migrate *m;
    unsigned i;
    const char *source; /* whose rows these are */
    uint64_t total;
    struct migrate_note note;
    struct buf row;
    struct db_tx *to;
    unsigned rows; /* of this batch */
};

/* Of the source: reads a batch behind the note and posts each row to the
 * target. */
static enum err
read_fn(struct db_tx *from, void *arg, struct fault *f)
{
    struct copy *c = arg;
    const struct migrate_table *table = &migrate_table[c->i];
    bool first = c->note.last.n == 0;
    enum err e = db_use(from, MIG(c->i, first ? MIG_FIRST : MIG_NEXT), f);

    c->rows = 0;
    if (e)
        return e;
    db_bind_i64(from, 1, c->m->batch);
    if (!first)
        migrate_bind(from, 2, buf_slice(&c->note.last), table->keys);
    while ((e = db_step(from, f)) == ERR_OK) {
        buf_clear(&c->row);
        if (!migrate_row(&c->row, from, table->columns))
            return fault_set(f, ERR_NOMEM, "copy", table->name);
        if ((e = db_use(c->to, MIG(c->i, MIG_PUT), f)))
            return e;
        migrate_bind(c->to, 1, buf_slice(&c->row), table->columns);
        if ((e = db_post(c->to, NULL, f)))
            return e;
        c->rows++;
    }
    return e == ERR_END ? ERR_OK : e;
}

/* The number that the database gives next. */
static enum err
number_on(struct db_tx *t, unsigned i, struct fault *f)
{
    enum err e = db_use(t, i == 0 ? MIG_SEQUENCE_FEED : MIG_SEQUENCE_AUDIT, f);

    return e ? e : db_step(t, f);
}

static enum err
refuse_other(const char *what, struct fault *f)
{
    (void)fault_set(f, ERR_CONFLICT, "go on with a copy", what);
    return fault_hint(f, "it was begun from another installation: use "
                         "another database, or --restart");
}

/* Of the target: one batch and its note. */
static enum err
batch_fn(struct db_tx *to, void *arg, struct fault *f)
{
    struct copy *c = arg;
    const struct migrate_table *table = &migrate_table[c->i];
    enum err e = migrate_note_get(to, table->name, &c->note, f);

    if (e)
        return e;
    if (c->note.begun && strcmp(c->note.source, c->source) != 0)
        return refuse_other(table->name, f);
    if (c->note.finished)
        return ERR_OK;
    c->to = to;
    if ((e = db_read(c->m->source[table->part], read_fn, c, f)) ||
        (e = db_flush(to, f)))
        return e;
    if (c->rows > 0) {
        buf_clear(&c->note.last);
        (void)buf_add(&c->note.last, c->row.p,
                      migrate_head(buf_slice(&c->row), table->keys));
    }
    c->note.done += c->rows;
    c->note.finished = c->rows < c->m->batch;
    if (c->note.finished && table->numbered && (e = number_on(to, c->i, f)))
        return e;
    return migrate_note_put(to, table->name, c->source, &c->note, c->total, f);
}

static enum err
copy_table(struct copy *c, migrate_progress_fn *fn, void *arg, struct fault *f)
{
    struct migrate_progress p = {.table = migrate_table[c->i].name};
    enum err e =
        count(c->m->source[migrate_table[c->i].part], c->i, &c->total, f);

    while (!e && !p.finished) {
        if ((e = db_write(c->m->target, batch_fn, c, f)))
            break;
        p.done = (uint64_t)c->note.done;
        p.total = c->total;
        p.finished = c->note.finished;
        if (fn && !fn(arg, &p))
            e = fault_set(f, ERR_CANCELED, "copy", p.table);
    }
    return e;
}

/* ERR_CONFLICT: rows without a note. */
static enum err
check_target(struct migrate *m, struct fault *f)
{
    struct migrate_count c[MIGRATE_TABLES] = {{0}};
    enum err e = migrate_counts(m, c, f);
    bool begun = false;

    for (unsigned i = 0; i < MIGRATE_TABLES && !e; i++)
        begun = begun || c[i].begun;
    for (unsigned i = 0; i < MIGRATE_TABLES && !e; i++) {
        if (c[i].begun || c[i].target == 0)
            continue;
        (void)fault_set(f, ERR_CONFLICT, "copy into", pg_name(m->pg));
        (void)fault_in(f, c[i].table);
        e = fault_hint(f, begun ? "it has rows that are not of the copy which "
                                  "is under way there: has a server started "
                                  "over it? `migrate data --restart` removes "
                                  "both and begins anew"
                                : "it has rows of its own already: use an "
                                  "empty database");
    }
    return e;
}

/* --- where the source has moved ------------------------------------------- */

struct setting {
    const char *key;
    const char *value; /* NULL: reads */
    char out[PG_NAME_MAX];
};

static enum err
setting_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct setting *s = arg;
    struct db_value v;
    enum err e = db_use(t, s->value ? MIG_SETTING_PUT : MIG_SETTING_GET, f);

    if (e)
        return e;
    db_bind_text(t, 1, s->key);
    if (s->value) {
        db_bind_blob(t, 2, s->value, strlen(s->value));
        return db_exec(t, NULL, f);
    }
    if ((e = db_step(t, f)))
        return e;
    v = db_column(t, 0);
    return slice_copy(slice_of(v.p, v.n), s->out, sizeof(s->out))
               ? ERR_OK
               : db_corrupt(t, s->key, f);
}

/* Whose rows these are. */
static enum err
installation(struct migrate *m, char out[MIGRATE_SOURCE], struct fault *f)
{
    struct setting s = {.key = "installation_id"};
    enum err e = db_read(m->source[META_ADMIN], setting_fn, &s, f);

    if (e == ERR_END) {
        (void)fault_set(f, ERR_NOENT, "read", s.key);
        return fault_hint(f, "no server has used these files: there is "
                             "nothing to copy");
    }
    if (!e && !slice_copy(slice_str(s.out), out, MIGRATE_SOURCE))
        e = fault_set(f, ERR_CORRUPT, "read", s.key);
    return e;
}

/* A source that has moved is old: where it is copied again, what was written
 * since would be missing. */
static enum err
refuse_moved(const char *to, struct fault *f)
{
    char where[PG_NAME_MAX + 40];

    (void)snprintf(where, sizeof(where), "SQLite files that have moved to %s",
                   to);
    (void)fault_set(f, ERR_CONFLICT, "copy", where);
    return fault_hint(f, "what servers wrote there since is not in the files; "
                         "if it is to be lost, `artstore migrate data --undo` "
                         "first");
}

/* THERE: it has, to this very target. */
static enum err
check_moved(struct migrate *m, bool *there, struct fault *f)
{
    struct setting s = {.key = "moved_to"};
    enum err e = db_read(m->source[META_ADMIN], setting_fn, &s, f);

    *there = !e && strcmp(s.out, pg_name(m->pg)) == 0;
    if (e || *there)
        return e == ERR_END ? ERR_OK : e;
    return refuse_moved(s.out, f);
}

static enum err
say_moved(struct migrate *m, struct fault *f)
{
    struct setting s = {.key = "moved_to", .value = pg_name(m->pg)};

    return db_write(m->source[META_ADMIN], setting_fn, &s, f);
}

static enum err
undo_fn(struct db_tx *t, void *arg, struct fault *f)
{
    enum err e = db_use(t, MIG_UNDO, f);

    (void)arg;
    return e ? e : db_exec(t, NULL, f);
}

enum err
migrate_undo(const char *folder, struct fault *f)
{
    struct migrate m = {.batch = 1};
    enum err e;

    for (unsigned i = 0; i < META_PARTS; i++)
        migrate_schema_of((enum meta_part)i, &m.schema[i]);
    e = open_source(&m, folder, f);
    if (!e)
        e = db_write(m.source[META_ADMIN], undo_fn, NULL, f);
    for (unsigned i = 0; i < META_PARTS; i++)
        db_close(&m.source[i]);
    return e;
}

/* --- a run ---------------------------------------------------------------- */

static enum err
whole_fn(struct db_tx *to, void *arg, struct fault *f)
{
    const struct copy *c = arg;

    return migrate_note_put(to, MIGRATE_WHOLE, c->source, &c->note, 0, f);
}

static enum err
note_whole(struct copy *c, bool finished, struct fault *f)
{
    buf_clear(&c->note.last);
    c->note.done = 0;
    c->note.finished = finished;
    return db_write(c->m->target, whole_fn, c, f);
}

/* Of a target with the state S. The note of the whole is finished after the
 * source has moved: an end without that is one that was taken back. */
static enum err
check_state(struct migrate *m, const struct migrate_state *s,
            const char *source, bool moved, struct fault *f)
{
    if (s->begun && strcmp(s->source, source) != 0)
        return refuse_other(pg_name(m->pg), f);
    if (s->ended && !moved) {
        (void)fault_set(f, ERR_CONFLICT, "copy into", pg_name(m->pg));
        return fault_hint(f, "it was copied before and taken back, and what "
                             "was written to the files since would be missing: "
                             "use an empty database");
    }
    if (s->ended)
        return ERR_OK;
    /* All is there but the last word? */
    return moved && s->finished < MIGRATE_TABLES
               ? refuse_moved(pg_name(m->pg), f)
               : check_target(m, f);
}

enum err
migrate_data(struct migrate *m, migrate_progress_fn *fn, void *arg, bool *again,
             struct fault *f)
{
    char source[MIGRATE_SOURCE];
    struct copy c = {.m = m, .source = source};
    struct migrate_state s = {0};
    bool moved = false;
    enum err e;

    buf_init(&c.note.last, MIB);
    buf_init(&c.row, 4 * MIB);
    if (!(e = check_moved(m, &moved, f)) && !(e = installation(m, source, f)) &&
        !(e = pg_schema_lock(m->pg, dur_s(0), f)) &&
        !(e = pg_schema_check(m->pg, meta_schema, META_PARTS, f)) &&
        !(e = migrate_state(m->pg, &s, f)))
        e = check_state(m, &s, source, moved, f);
    *again = s.ended;
    if (!e && !s.ended) {
        e = note_whole(&c, false, f);
        for (; c.i < MIGRATE_TABLES && !e; c.i++)
            e = copy_table(&c, fn, arg, f);
        if (!e && !(e = say_moved(m, f)))
            e = note_whole(&c, true, f);
    }
    buf_release(&c.row);
    buf_release(&c.note.last);
    return e;
}

static enum err
empty_fn(struct db_tx *t, void *arg, struct fault *f)
{
    enum err e = ERR_OK;

    (void)arg;
    for (unsigned i = MIGRATE_TABLES; i-- > 0 && !e;) {
        e = db_use(t, MIG(i, MIG_EMPTY), f);
        if (!e)
            e = db_exec(t, NULL, f);
    }
    if (!e && !(e = db_use(t, MIG_NOTES_EMPTY, f)))
        e = db_exec(t, NULL, f);
    return e;
}

enum err
migrate_restart(struct migrate *m, struct fault *f)
{
    struct migrate_count c[MIGRATE_TABLES] = {{0}};
    struct migrate_state s = {0};
    bool moved;
    enum err e = check_moved(m, &moved, f);
    uint64_t rows = 0;

    if (!e && !(e = pg_schema_lock(m->pg, dur_s(0), f)))
        e = migrate_counts(m, c, f);
    if (!e)
        e = migrate_state(m->pg, &s, f);
    for (unsigned i = 0; i < MIGRATE_TABLES && !e; i++)
        rows += c[i].target;
    if (e || (!s.begun && !rows))
        return e;
    if (s.begun && !s.ended && !moved)
        return db_bulk(m->target, empty_fn, NULL, f);
    (void)fault_set(f, ERR_CONFLICT, "begin anew in", pg_name(m->pg));
    return fault_hint(f, s.begun ? "the copy has ended, and a server may have "
                                   "written there since: use another database"
                                 : "its rows are not of a copy: use another "
                                   "database");
}
