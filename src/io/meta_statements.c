/* meta_statements.c - the catalogue's tables and statements, as text for both
 * databases (db_dialect.c spells the words in braces).
 *
 * A file is one row, a copy of it another: (file_id, element, epoch, seq).
 * `feed` has a row for each element that ever fed: how far its change log was
 * taken in, and what its feeding has added to the totals. A file that came
 * with one element and left with another makes one of the numbers too high and
 * the other too low: only their sum means something, and no two elements write
 * the same row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"

static const char *const script1[] = {
    "CREATE TABLE element (n {serial}, uuid {blob} NOT NULL UNIQUE,"
    " element_id {text} NOT NULL, position {int} NOT NULL)",
    "CREATE TABLE file (" ATTR_FILE_TYPES_AS("{blob}", "{text}",
                                             "{int}") ", epoch {int} NOT NULL)",
    "CREATE UNIQUE INDEX file_by_id ON file (file_id)",
    "CREATE INDEX file_by_user ON file (uploaded_by, file_id)",
    "CREATE TABLE copy (file_id {blob} NOT NULL, element {int} NOT NULL"
    " REFERENCES element (n)," ATTR_COPY_TYPES_AS(
        "{int}") ", PRIMARY KEY (file_id, element)){clustered}",
    "CREATE INDEX copy_by_element ON copy (element, file_id)",
    "CREATE TABLE total (one {int} PRIMARY KEY, files {int} NOT NULL,"
    " bytes {int} NOT NULL)",
    "INSERT INTO total VALUES (1, 0, 0)",
    NULL,
};

static const char take_totals[] =
    "UPDATE feed SET files = (SELECT files FROM total),"
    " bytes = (SELECT bytes FROM total)"
    " WHERE n = (SELECT min(n) FROM feed)";

/* For {metadata_match}; see db_dialect.c. */
static const char member_function[] =
    "{postgres}CREATE FUNCTION artstore_member(metadata text, key text)"
    " RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$"
    " DECLARE v json;"
    " BEGIN"
    "  v := metadata::json -> key;"
    "  RETURN CASE json_typeof(v) WHEN 'null' THEN 'null'"
    "  ELSE v #>> '{}' END;"
    " EXCEPTION WHEN data_exception THEN RETURN NULL;"
    " END $$";

/* Admin's table of elements has the same name, which is no matter in files of
 * their own; and one row of totals would be where all writers meet. */
static const char *const script2[] = {
    "ALTER TABLE element RENAME TO feed",
    "{postgres}ALTER INDEX element_pkey RENAME TO feed_pkey",
    "{postgres}ALTER INDEX element_uuid_key RENAME TO feed_uuid_key",
    "{postgres}ALTER SEQUENCE element_n_seq RENAME TO feed_n_seq",
    "ALTER TABLE feed ADD COLUMN files {int} NOT NULL DEFAULT 0",
    "ALTER TABLE feed ADD COLUMN bytes {int} NOT NULL DEFAULT 0",
    take_totals,
    "DROP TABLE total",
    member_function,
    NULL,
};

static const struct db_script scripts[] = {
    {"files and copies", script1},
    {"totals by feed", script2},
};

#define FILE_MARKS "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13"
#define FILE_ADD                                                          \
    "INSERT INTO file (" ATTR_FILE_COLUMNS ", epoch) VALUES (" FILE_MARKS \
    ",$14) ON CONFLICT (file_id) "
#define JOINS                                   \
    " JOIN copy ON copy.file_id = file.file_id" \
    " JOIN feed ON feed.n = copy.element"

/* --- the statements of a list ---
 *
 * Each list walks one index in its order: all files, those of one user, or
 * those of one element, number $4 in `feed`; the other conditions are looked at
 * row by row, between the bounds $1 and $2 that Q_BOUND has found. A file with
 * several copies is told once, with the copy of the highest epoch. (PostgreSQL
 * learns the type of a value where it first stands: hence the casts.) */

#define FILTERS                                           \
    " AND (CAST($5 AS text) IS NULL"                      \
    " OR original_filename {like} $5 ESCAPE '\\')"        \
    " AND (CAST($6 AS bigint) IS NULL OR retention = $6)" \
    " AND uploaded_at >= $7 AND uploaded_at < $8"         \
    " AND size >= $9 AND size <= $10"                     \
    " AND (CAST($11 AS text) IS NULL OR {metadata_match})"
#define BEST_COPY                                                     \
    "(SELECT c.element FROM copy AS c WHERE c.file_id = file.file_id" \
    " ORDER BY c.epoch DESC, c.element LIMIT 1)"
#define IN_RANGE "file_id >= $1 AND file_id <= $2 AND file_id <> $3"

/* The page of files first, by one index and no further than it is long, then
 * the copies of these. */
#define LIST_ALL(way)                                    \
    "SELECT " CATALOGUE_COLUMNS                          \
    " FROM (SELECT * FROM file WHERE " IN_RANGE FILTERS  \
    " ORDER BY file_id " way " LIMIT $13) AS file" JOINS \
    " WHERE copy.element = " BEST_COPY " ORDER BY file.file_id " way
#define LIST_USER(way)                                                        \
    "SELECT " CATALOGUE_COLUMNS " FROM (SELECT * FROM file WHERE uploaded_by" \
    " = $14 AND " IN_RANGE " AND (CAST($4 AS bigint) IS NULL OR EXISTS"       \
    " (SELECT 1 FROM copy WHERE copy.file_id = file.file_id"                  \
    " AND copy.element = $4))" FILTERS " ORDER BY file_id " way               \
    " LIMIT $13) AS file" JOINS                                               \
    " WHERE copy.element = coalesce($4, " BEST_COPY ")"                       \
    " ORDER BY file.file_id " way
#define LIST_ELEMENT(way)                                           \
    "SELECT " CATALOGUE_COLUMNS                                     \
    " FROM copy JOIN file ON file.file_id = copy.file_id"           \
    " JOIN feed ON feed.n = copy.element"                           \
    " WHERE copy.element = $4"                                      \
    " AND copy.file_id >= $1 AND copy.file_id <= $2"                \
    " AND copy.file_id <> $3" FILTERS " ORDER BY copy.file_id " way \
    " LIMIT $13"
#define BOUND_ALL(way)                                               \
    "SELECT file_id FROM file WHERE file_id >= $1 AND file_id <= $2" \
    " AND file_id <> $3 ORDER BY file_id " way " LIMIT 1 OFFSET $5"
#define BOUND_USER(way)                                                  \
    "SELECT file_id FROM file WHERE uploaded_by = $14 AND file_id >= $1" \
    " AND file_id <= $2 AND file_id <> $3 ORDER BY file_id " way         \
    " LIMIT 1 OFFSET $5"
#define BOUND_ELEMENT(way)                                   \
    "SELECT file_id FROM copy WHERE element = $4"            \
    " AND file_id >= $1 AND file_id <= $2 AND file_id <> $3" \
    " ORDER BY file_id " way " LIMIT 1 OFFSET $5"

/* Files whose only copy is on element $1. */
#define ONLY_THERE                                                 \
    " FROM file WHERE file_id IN (SELECT file_id FROM copy"        \
    " WHERE element = $1) AND NOT EXISTS (SELECT 1 FROM copy AS c" \
    " WHERE c.file_id = file.file_id AND c.element <> $1)"

static const char *const text[Q_N] = {
    [Q_FEED_GET] = "SELECT n, position FROM feed WHERE uuid = $1",
    /* A name may have been another's before: the younger one goes before. */
    [Q_FEED_NAMED] =
        "SELECT n FROM feed WHERE element_id = $1 ORDER BY n DESC LIMIT 1",
    [Q_FEED_LOCK] = "SELECT n, position FROM feed WHERE uuid = $1{lock}",
    [Q_FEED_ADD] = "INSERT INTO feed (uuid, element_id, position)"
                   " VALUES ($1, $2, 0) ON CONFLICT (uuid) DO NOTHING",
    [Q_FEED_MOVE] = "UPDATE feed SET element_id = $2, position ="
                    " CASE WHEN position < $3 THEN $3 ELSE position END,"
                    " files = files + $4, bytes = bytes + $5 WHERE n = $1",
    [Q_FEED_ZERO] = "UPDATE feed SET position = 0, files = files - $2,"
                    " bytes = bytes - $3 WHERE n = $1",
    [Q_FEED_FILES] = "SELECT count(*) FROM copy WHERE element = $1",
    [Q_FILE_ADD] = FILE_ADD "DO NOTHING",
    [Q_FILE_PUT] =
        FILE_ADD "DO UPDATE SET " ATTR_FILE_SET ", epoch = excluded.epoch",
    [Q_FILE_FACTS] = "SELECT size, epoch FROM file WHERE file_id = $1",
    [Q_FILE_DROP] = "DELETE FROM file WHERE file_id = $1 AND NOT EXISTS"
                    " (SELECT 1 FROM copy WHERE copy.file_id = $1)"
                    " RETURNING size",
    [Q_COPY_PUT] =
        "INSERT INTO copy (" ATTR_COPY_COLUMNS ", file_id, element)"
        " VALUES ($1,$2,$3,$4,$5,$6,$7,$8)"
        " ON CONFLICT (file_id, element) DO UPDATE SET " ATTR_COPY_SET
        " WHERE copy.seq <= excluded.seq",
    [Q_COPY_DEL] = "DELETE FROM copy WHERE file_id = $1 AND element = $2"
                   " AND seq <= $3",
    [Q_ORPHANS_COUNT] =
        "SELECT count(*), CAST(coalesce(sum(size), 0) AS bigint)" ONLY_THERE,
    [Q_ORPHANS_DEL] = "DELETE" ONLY_THERE,
    [Q_COPIES_DEL] = "DELETE FROM copy WHERE element = $1",
    [Q_TOTAL] = "SELECT CAST(coalesce(sum(files), 0) AS bigint),"
                " CAST(coalesce(sum(bytes), 0) AS bigint) FROM feed",
    [Q_GET] = "SELECT " CATALOGUE_COLUMNS " FROM file" JOINS
              " WHERE file.file_id = $1 ORDER BY copy.epoch DESC, copy.element"
              " LIMIT 1",
    [Q_RESET_FILE] = "DELETE FROM file",
    [Q_RESET_COPY] = "DELETE FROM copy",
    [Q_RESET_FEED] = "DELETE FROM feed",
    [Q_LIST] = LIST_ALL("ASC"),
    [Q_LIST + 1] = LIST_ALL("DESC"),
    [Q_LIST + 2] = LIST_USER("ASC"),
    [Q_LIST + 3] = LIST_USER("DESC"),
    [Q_LIST + 4] = LIST_ELEMENT("ASC"),
    [Q_LIST + 5] = LIST_ELEMENT("DESC"),
    [Q_BOUND] = BOUND_ALL("ASC"),
    [Q_BOUND + 1] = BOUND_ALL("DESC"),
    [Q_BOUND + 2] = BOUND_USER("ASC"),
    [Q_BOUND + 3] = BOUND_USER("DESC"),
    [Q_BOUND + 4] = BOUND_ELEMENT("ASC"),
    [Q_BOUND + 5] = BOUND_ELEMENT("DESC"),
};

const struct db_schema catalogue_schema = {
    .part = "catalogue",
    .script = scripts,
    .n_scripts = countof(scripts),
    .stmt = text,
    .n_stmts = Q_N,
};
