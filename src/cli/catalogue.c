/* catalogue.c - see catalogue.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/catalogue.h"
#include "io/meta_pg.h"
#include "io/meta_sqlite.h"
#include "io/migrate.h"
#include "join/join.h"
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool
catalogue_is_shared(const struct conf *c)
{
    return c->database_url[0] != '\0';
}

/* Has a server with SQLite files lived in DATA_DIR? */
static bool
has_files(const struct conf *c)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/admin.db", c->data_dir) <
               (int)sizeof(path) &&
           access(path, F_OK) == 0;
}

static enum err
open_shared(struct meta **out, const struct conf *c, struct metrics *m,
            struct fault *f)
{
    const struct meta_pg_conf pc = {
        .url = c->database_url,
        .pool_min = (unsigned)c->db_pool_min,
        .pool_max = (unsigned)c->db_pool_max,
        .pool_timeout = c->db_pool_timeout,
        .statement_timeout = c->db_statement_timeout,
        .auto_migrate = c->db_auto_migrate,
    };
    enum err e = meta_pg_open(out, &pc, f);

    if (!e)
        meta_pg_observe(*out, m);
    return e;
}

static enum err
open_files(struct meta **out, const struct conf *c, struct metrics *m,
           struct fault *f)
{
    enum err e = meta_sqlite_open(out, c->data_dir, f);

    if (!e)
        meta_sqlite_observe(*out, m);
    return e;
}

/* Two catalogues of one installation would each miss what the other is told. */
static enum err
check_moved(struct meta *m, const struct conf *c, bool first, struct fault *f)
{
    char where[200];
    struct buf b;
    enum err e;

    if (catalogue_is_shared(c) && first && has_files(c)) {
        (void)fault_set(f, ERR_CONFLICT, "use an empty PostgreSQL",
                        c->data_dir);
        return fault_hint(f, "DATA_DIR has a catalogue in SQLite files: run "
                             "`artstore migrate data` first, or give another "
                             "DATA_DIR");
    }
    if (catalogue_is_shared(c))
        return migrate_check(c->database_url, f);
    buf_init(&b, 160);
    e = m->ops->setting_get(m, CATALOGUE_MOVED, &b, f);
    if (!e) {
        (void)snprintf(where, sizeof(where), "it has moved to %s", buf_str(&b));
        (void)fault_set(f, ERR_CONFLICT, "use the SQLite files", where);
        e = fault_hint(f, "give DATABASE_URL; or, to go back to what the files "
                          "held then, `artstore migrate data --undo`");
    }
    buf_release(&b);
    return e == ERR_NOENT ? ERR_OK : e;
}

enum err
catalogue_open(struct meta **out, const struct conf *c, struct metrics *m,
               bool *first, struct fault *f)
{
    struct uuid installation;
    enum err e = catalogue_is_shared(c) ? open_shared(out, c, m, f)
                                        : open_files(out, c, m, f);

    if (e)
        return e;
    e = join_installation(*out, false, &installation, f);
    *first = e == ERR_NOENT;
    if (!e || *first)
        e = check_moved(*out, c, *first, f);
    if (e) {
        (*out)->ops->close(*out);
        *out = NULL;
    }
    return e;
}
