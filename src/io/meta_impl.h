/* meta_impl.h - port/meta.h over two databases of db.h, the same text for
 * SQLite and PostgreSQL.
 *
 *     catalogue   files, copies, feed positions: meta_catalogue.c writes,
 *                 meta_query.c reads
 *     admin       elements, settings: meta_admin.c; accounts:
 *                 meta_account.c; audit: meta_audit.c
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_META_IMPL_H
#define IO_META_IMPL_H

#include "io/db.h"
#include "io/meta_attr.h"
#include "port/meta.h"

struct meta_db {
    struct meta meta;
    struct db *catalogue;
    struct db *admin; /* in PostgreSQL tables of the same database */
};

/* In this order: the catalogue's tables come first in a common database. */
enum meta_part { META_CATALOGUE, META_ADMIN, META_PARTS };
extern const struct db_schema *const meta_schema[META_PARTS];

/* Both databases belong to *OUT then, which ends with ops->close(), and are
 * closed when there is no memory for it. */
enum err meta_db_new(struct meta **out, struct db *catalogue, struct db *admin,
                     struct fault *f);

/* meta_sqlite.c: the file of one part in FOLDER, with the statements of
 * SCHEMA, whose scripts are those of meta_schema[PART]. */
enum err
meta_sqlite_db(struct db **out, const char *folder, enum meta_part part,
               const struct db_schema *schema, struct fault *f);

static inline struct meta_db *
meta_self(struct meta *m)
{
    return container_of(m, struct meta_db, meta);
}

/* meta_catalogue.c */
extern const struct db_schema catalogue_schema;
enum err catalogue_feed(struct meta *m, const struct uuid *element_uuid,
                        const char *element_id, const struct index_change *c,
                        size_t n, uint64_t position, struct fault *f);
enum err
catalogue_feed_position(struct meta *m, const struct uuid *element_uuid,
                        uint64_t *seq, struct fault *f);
enum err catalogue_feed_files(struct meta *m, const struct uuid *element_uuid,
                              uint64_t *files, struct fault *f);
enum err catalogue_feed_reset(struct meta *m, const struct uuid *element_uuid,
                              struct fault *f);
enum err catalogue_reset(struct meta *m, struct fault *f);
enum err catalogue_count(struct meta *m, uint64_t *files, uint64_t *bytes,
                         struct fault *f);

/* meta_query.c */
enum err catalogue_get(struct meta *m, const struct uuid *file_id,
                       struct meta_file *out, struct fault *f);
enum err
catalogue_list(struct meta *m, const struct meta_query *q, meta_file_fn *fn,
               void *arg, struct uuid *next, struct fault *f);

/* meta_statements.c: the one table of statements of the catalogue. */
#define CATALOGUE_COLUMNS                                               \
    "file.file_id, original_filename, storage_filename, content_type,"  \
    " content_encoding, uploaded_by, size, md5, sha256, uploaded_at,"   \
    " expires_at, retention, metadata, copy.epoch, seq, state, format," \
    " stored_size, stored_crc, feed.uuid, feed.element_id"
#define CATALOGUE_AT_COPY ATTR_FILE_N
#define CATALOGUE_AT_UUID (ATTR_FILE_N + ATTR_COPY_N)
#define CATALOGUE_AT_ID   (CATALOGUE_AT_UUID + 1)

enum catalogue_stmt {
    Q_FEED_GET,
    Q_FEED_NAMED,
    Q_FEED_LOCK,
    Q_FEED_ADD,
    Q_FEED_MOVE,
    Q_FEED_ZERO,
    Q_FEED_FILES,
    Q_FILE_ADD,
    Q_FILE_PUT,
    Q_FILE_FACTS,
    Q_FILE_DROP,
    Q_COPY_PUT,
    Q_COPY_DEL,
    Q_ORPHANS_COUNT,
    Q_ORPHANS_DEL,
    Q_COPIES_DEL,
    Q_TOTAL,
    Q_GET,
    Q_RESET_FILE,
    Q_RESET_COPY,
    Q_RESET_FEED,
    Q_LIST,               /* [drive][descending] */
    Q_BOUND = Q_LIST + 6, /* [drive][descending] */
    Q_N = Q_BOUND + 6
};

/* meta_admin.c has the statements of meta_account.c and meta_audit.c too. */
enum admin_stmt {
    A_ELEMENT_PUT,
    A_ELEMENT_ADD,
    A_ELEMENT_FIND,
    A_ELEMENT_DEL,
    A_ELEMENT_LIST,
    A_ACCOUNT_GET,
    A_ACCOUNT_LOCK,
    A_ACCOUNT_PUT,
    A_ACCOUNT_ADD,
    A_ACCOUNT_COUNT,
    A_ACCOUNT_DEL,
    A_ACCOUNT_LIST,
    A_AUDIT_ADD,
    A_AUDIT_FIND,
    A_AUDIT_LAST,
    A_AUDIT_FIRST,
    A_AUDIT_HASH,
    A_AUDIT_ASIDE,
    A_AUDIT_DROP,
    A_AUDIT_UP,
    A_AUDIT_DOWN,
    A_SETTING_GET,
    A_SETTING_LOCK,
    A_SETTING_PUT,
    A_SETTING_LIST,
    A_SETTING_DEL,
    A_N
};

/* meta_admin.c */
extern const struct db_schema admin_schema;
enum err meta_admin_element_put(struct meta *m, const struct meta_element *el,
                                struct fault *f);
enum err meta_admin_element_add(struct meta *m, const struct meta_element *el,
                                struct meta_element *holder, struct fault *f);
enum err
meta_admin_element_swap(struct meta *m, const struct uuid *gone,
                        const struct meta_element *el, struct fault *f);
enum err meta_admin_element_list(struct meta *m, meta_element_fn *fn, void *arg,
                                 struct fault *f);
enum err meta_admin_setting_get(struct meta *m, const char *key,
                                struct buf *out, struct fault *f);
enum err meta_admin_setting_put(struct meta *m, const char *key,
                                struct slice value, struct fault *f);

enum err
meta_admin_setting_list(struct meta *m, const char *prefix, unsigned max,
                        meta_setting_fn *fn, void *arg, struct fault *f);
enum err
meta_admin_setting_del(struct meta *m, const char *key, struct fault *f);

/* meta_account.c */
enum err meta_account_get(struct meta *m, const char *client_id,
                          struct meta_account *out, struct fault *f);
enum err
meta_account_put(struct meta *m, const struct meta_account *a, struct fault *f);
enum err meta_account_add(struct meta *m, const struct meta_account *a,
                          const struct meta_audit *entry, struct fault *f);
enum err meta_account_change(struct meta *m, const char *client_id,
                             meta_account_change_fn *fn, void *arg,
                             const struct meta_audit *entry, struct fault *f);
enum err meta_account_del(struct meta *m, const char *client_id,
                          const struct meta_audit *entry, struct fault *f);
enum err meta_account_list(struct meta *m, const char *after, unsigned max,
                           meta_account_fn *fn, void *arg, struct fault *f);

/* meta_audit.c */
enum err meta_audit_add(struct meta *m, const struct meta_audit *a, size_t n,
                        struct fault *f);
enum err
meta_audit_list(struct meta *m, const struct meta_audit_query *q,
                meta_audit_fn *fn, void *arg, uint64_t *next, struct fault *f);
/* Of a transaction that does more. A NULL: nothing. */
enum err
meta_audit_with(struct db_tx *t, const struct meta_audit *a, struct fault *f);
enum err
meta_audit_head(struct meta *m, struct audit_head *out, struct fault *f);

#endif
