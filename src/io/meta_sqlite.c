/* meta_sqlite.c - see meta_sqlite.h: which files, and how they are opened.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_sqlite.h"
#include "io/db_sqlite.h"
#include "io/meta_impl.h"
#include <stdio.h>

static const struct {
    const char *file;
    uint32_t application_id;
    bool full;
    unsigned cache_kib;
} file_of[META_PARTS] = {
    [META_CATALOGUE] = {"catalogue.db", 0x61724331 /* "arC1" */, false, 4096},
    [META_ADMIN] = {"admin.db", 0x61724131 /* "arA1" */, true, 0},
};

enum err
meta_sqlite_db(struct db **out, const char *folder, enum meta_part part,
               const struct db_schema *schema, struct fault *f)
{
    char path[4096];
    const struct db_sqlite_conf c = {
        .path = path,
        .schema = schema,
        .application_id = file_of[part].application_id,
        .full = file_of[part].full,
        .cache_kib = file_of[part].cache_kib,
    };
    int n = folder ? snprintf(path, sizeof(path), "%s/%s", folder,
                              file_of[part].file)
                   : snprintf(path, sizeof(path), SQL_MEMORY);

    *out = NULL;
    if ((size_t)n >= sizeof(path))
        return fault_set(f, ERR_TOOBIG, "catalogue open", folder);
    return db_sqlite_open(out, &c, f);
}

enum err
meta_sqlite_open(struct meta **out, const char *folder, struct fault *f)
{
    struct db *db[META_PARTS] = {NULL};
    enum err e = ERR_OK;

    *out = NULL;
    for (unsigned i = 0; i < META_PARTS && !e; i++)
        e = meta_sqlite_db(&db[i], folder, (enum meta_part)i, meta_schema[i],
                           f);
    if (!e)
        return meta_db_new(out, db[META_CATALOGUE], db[META_ADMIN], f);
    for (unsigned i = 0; i < META_PARTS; i++)
        db_close(&db[i]);
    return e;
}

/* Without memory for it they are not counted. */
void
meta_sqlite_observe(struct meta *m, struct metrics *n)
{
    (void)db_observe(meta_self(m)->catalogue, n);
    (void)db_observe(meta_self(m)->admin, n);
}
