/* migrate_note.c - the notes in the target, data_migrations: how far each table
 * has come, and so whether a copy is under way. A server at its start, a copy
 * and a restart of one all go by migrate_state().
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/db_pg.h"
#include "io/migrate_impl.h"
#include <time.h>

/* The first copies had so many tables, and no note of the whole. */
#define TABLES_ONCE 7

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum err
migrate_note_get(struct db_tx *t, const char *table, struct migrate_note *n,
                 struct fault *f)
{
    struct db_value last;
    enum err e = db_use(t, MIG_NOTE_GET, f);

    n->begun = n->finished = false;
    n->done = 0;
    buf_clear(&n->last);
    if (e)
        return e;
    db_bind_text(t, 1, table);
    e = db_step(t, f);
    if (e)
        return e == ERR_END ? ERR_OK : e;
    last = db_column(t, 1);
    n->begun = true;
    n->done = db_i64(t, 2);
    n->finished = db_i64(t, 3) != 0;
    return db_text(t, 0, n->source, sizeof(n->source)) &&
                   buf_add(&n->last, last.p, last.n)
               ? ERR_OK
               : db_corrupt(t, "row of data_migrations", f);
}

enum err
migrate_note_put(struct db_tx *t, const char *table, const char *source,
                 const struct migrate_note *n, uint64_t total, struct fault *f)
{
    enum err e = db_use(t, MIG_NOTE_PUT, f);

    if (e)
        return e;
    db_bind_text(t, 1, table);
    db_bind_text(t, 2, source);
    db_bind_blob(t, 3, n->last.p, n->last.n);
    db_bind_i64(t, 4, n->done);
    db_bind_i64(t, 5, (int64_t)total);
    db_bind_i64(t, 6, now_ms());
    db_bind_i64(t, 7, n->finished);
    return db_exec(t, NULL, f);
}

/* A copy has ended when nothing of it is open: a later build knows of more
 * tables than it had. */
enum err
migrate_state(struct pg *p, struct migrate_state *s, struct fault *f)
{
    struct db_tx *t = pg_use(p, 0, NULL);
    bool open = false;
    enum err e = pg_query(
        p, "SELECT table_name, source, finished FROM data_migrations", f);

    *s = (struct migrate_state){0};
    while (!e && (e = db_step(t, f)) == ERR_OK) {
        struct db_value table = db_column(t, 0);
        bool whole = slice_eq(slice_of(table.p, table.n), SLICE(MIGRATE_WHOLE));
        bool finished = db_i64(t, 2) != 0;

        s->begun = true;
        s->finished += !whole && finished;
        open = open || !finished;
        if (!db_text(t, 1, s->source, sizeof(s->source)))
            return db_corrupt(t, "row of data_migrations", f);
    }
    pg_end(p);
    s->ended = !open && s->finished >= TABLES_ONCE;
    return e == ERR_END ? ERR_OK : e;
}

enum err
migrate_check(const char *url, struct fault *f)
{
    const struct pg_conf c = {.url = url,
                              .connect_timeout = DB_PG_CONNECT_LIMIT,
                              .statement_timeout = dur_s(5)};
    struct pg *p = NULL;
    struct migrate_state s;
    enum err e = pg_open(&p, &c, f);

    if (!e && !(e = migrate_state(p, &s, f)) && s.begun && !s.ended) {
        e = fault_set(f, ERR_CONFLICT, "start over", pg_name(p));
        (void)fault_hint(f, "a copy of SQLite files into it has not ended: run "
                            "`artstore migrate data` again with the DATA_DIR "
                            "that it was begun with (`migrate status` says how "
                            "far it is), or use another database");
    }
    pg_close(&p);
    return e;
}
