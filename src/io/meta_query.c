/* meta_query.c - reading the catalogue: one file, or a page of files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"
#include <stdio.h>

#define PATTERN_MAX   512
#define WILDCARDS_MAX 8

static enum err
file_read(struct sql *db, sqlite3_stmt *st, struct meta_file *out,
          struct fault *f)
{
    struct file_attr *a = &out->attr;

    if (attr_read_file(st, 0, a) && attr_read_copy(st, CATALOGUE_AT_COPY, a) &&
        sql_column_uuid(st, CATALOGUE_AT_UUID, &a->element_uuid) &&
        sql_column_text(st, CATALOGUE_AT_ID, a->element_id,
                        sizeof(a->element_id)))
        return ERR_OK;
    return sql_corrupt(db, "row of file", f);
}

enum err
catalogue_get(struct meta *m, const struct uuid *file_id, struct meta_file *out,
              struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);
    sqlite3_stmt *st;
    enum err e;

    sql_lock(s->r);
    e = sql_stmt(s->r, Q_GET, &st, f);
    if (!e) {
        sql_bind_uuid(st, 1, file_id);
        e = sql_step(s->r, st, f);
    }
    if (e == ERR_END) {
        e = ERR_NOENT;
    } else if (!e) {
        e = file_read(s->r, st, out, f);
        if (!e && !attr_own(&out->attr))
            e = fault_set(f, ERR_NOMEM, "catalogue get", "metadata");
        sql_reset(st);
    }
    sql_unlock(s->r);
    return e;
}

/* --- a page --------------------------------------------------------------- */

/* What a query comes to: which statement, between which ids. */
struct plan {
    unsigned way;    /* of the six: 2 * drive + descending */
    bool row_by_row; /* it has conditions that no index answers */
    struct uuid lo;
    struct uuid hi; /* both included */
    char pattern[PATTERN_MAX];
};

/* LIKE's own signs are escaped; '*' and '?' become them; a name without either
 * is looked for anywhere. Each '*' multiplies the work of a match, so they are
 * few. */
static bool
like_pattern(const char *name, char out[PATTERN_MAX])
{
    bool glob = strpbrk(name, "*?") != NULL;
    size_t n = 0, stars = 0;

    if (strlen(name) > 255)
        return false;
    if (!glob)
        out[n++] = '%';
    for (const char *p = name; *p && n + 4 < PATTERN_MAX; p++) {
        if (*p == '*' || *p == '?') {
            out[n++] = *p == '*' ? '%' : '_';
            stars++;
            continue;
        }
        if (*p == '%' || *p == '_' || *p == '\\')
            out[n++] = '\\';
        out[n++] = *p;
    }
    if (!glob)
        out[n++] = '%';
    out[n] = 0;
    return stars <= WILDCARDS_MAX;
}

static struct uuid
born(int64_t ms, uint8_t rest)
{
    struct uuid u;

    if (ms < 0)
        ms = 0;
    memset(u.b, rest, sizeof(u.b));
    for (int i = 0; i < 6; i++)
        u.b[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
    return u;
}

static bool
any(const char *s)
{
    return !s || !*s;
}

static bool
make_plan(struct plan *p, const struct meta_query *q)
{
    unsigned drive = !any(q->user) ? 1 : !any(q->element_id) ? 2 : 0;

    memset(p, 0, sizeof(*p));
    p->way = 2 * drive + q->descending;
    memset(&p->hi, 0xff, sizeof(p->hi));
    if (q->from.ms)
        p->lo = born(q->from.ms - META_BIRTH_BEFORE_MS, 0);
    if (q->to.ms)
        p->hi = born(q->to.ms + META_BIRTH_AFTER_MS, 0xff);
    if (!uuid_is_nil(&q->after)) {
        if (!q->descending && memcmp(&q->after, &p->lo, sizeof(p->lo)) > 0)
            p->lo = q->after;
        if (q->descending && memcmp(&q->after, &p->hi, sizeof(p->hi)) < 0)
            p->hi = q->after;
    }
    p->row_by_row = !any(q->name) || q->retention >= 0 || q->from.ms ||
                    q->to.ms || q->size_min || q->size_max ||
                    !any(q->metadata_key) ||
                    (drive == 1 && !any(q->element_id));
    return q->limit >= 1 && q->limit <= META_PAGE_MAX &&
           (any(q->name) || like_pattern(q->name, p->pattern));
}

static void
bind_range(sqlite3_stmt *st, const struct plan *p, const struct meta_query *q)
{
    sql_bind_uuid(st, 1, &p->lo);
    sql_bind_uuid(st, 2, &p->hi);
    sql_bind_uuid(st, 3, &q->after);
    if (!any(q->element_id))
        sql_bind_text(st, 4, q->element_id);
    if (!any(q->user))
        sql_bind_text(st, 14, q->user);
}

/* Narrows P to META_SCAN_MAX rows; CUT when there are more. */
static enum err
narrow(struct sql *db, struct plan *p, const struct meta_query *q, bool *cut,
       struct fault *f)
{
    struct uuid *end = q->descending ? &p->lo : &p->hi;
    sqlite3_stmt *st;
    enum err e = sql_stmt(db, Q_BOUND + p->way, &st, f);

    *cut = false;
    if (e)
        return e;
    bind_range(st, p, q);
    sql_bind_i64(st, 5, META_SCAN_MAX - 1);
    e = sql_step(db, st, f);
    if (e)
        return e == ERR_END ? ERR_OK : e;
    *cut = true;
    if (!sql_column_uuid(st, 0, end))
        e = sql_corrupt(db, "file_id", f);
    sql_reset(st);
    return e;
}

static void
bind_filters(sqlite3_stmt *st, const struct plan *p, const struct meta_query *q)
{
    uint64_t size_max = q->size_max ? q->size_max : INT64_MAX;

    if (p->pattern[0])
        sql_bind_text(st, 5, p->pattern);
    if (q->retention >= 0)
        sql_bind_i64(st, 6, q->retention);
    sql_bind_i64(st, 7, q->from.ms);
    sql_bind_i64(st, 8, q->to.ms ? q->to.ms : INT64_MAX);
    sql_bind_i64(st, 9, (int64_t)u64_min(q->size_min, INT64_MAX));
    sql_bind_i64(st, 10, (int64_t)u64_min(size_max, INT64_MAX));
    if (!any(q->metadata_key)) {
        sql_bind_text(st, 11, q->metadata_key);
        sql_bind_text(st, 12, q->metadata_value);
    }
    sql_bind_i64(st, 13, (int64_t)q->limit + 1); /* one more: is there more? */
}

/* Tells at most q->limit rows; MORE when another would have followed. LAST is
 * the last that was told. */
static enum err
tell(struct sql *db, sqlite3_stmt *st, unsigned limit, meta_file_fn *fn,
     void *arg, struct uuid *last, bool *more, struct fault *f)
{
    struct meta_file file;
    enum err e;

    *more = false;
    for (unsigned n = 0; (e = sql_step(db, st, f)) == ERR_OK; n++) {
        *more = n == limit;
        if (*more)
            break;
        if ((e = file_read(db, st, &file, f)))
            break;
        *last = file.attr.file_id;
        if (!fn(arg, &file)) {
            *more = true;
            break;
        }
    }
    sql_reset(st);
    return e == ERR_END ? ERR_OK : e;
}

enum err
catalogue_list(struct meta *m, const struct meta_query *q, meta_file_fn *fn,
               void *arg, struct uuid *next, struct fault *f)
{
    struct meta_sqlite *s = meta_self(m);
    struct uuid last = q->after;
    bool cut = false, more = false;
    sqlite3_stmt *st;
    struct plan p;
    enum err e = ERR_OK;

    memset(next, 0, sizeof(*next));
    if (!make_plan(&p, q))
        return fault_set(f, ERR_INVAL, "catalogue list", "limit or name");
    sql_lock(s->r);
    if (p.row_by_row)
        e = narrow(s->r, &p, q, &cut, f);
    if (!e)
        e = sql_stmt(s->r, Q_LIST + p.way, &st, f);
    if (!e) {
        bind_range(st, &p, q);
        bind_filters(st, &p, q);
        e = tell(s->r, st, q->limit, fn, arg, &last, &more, f);
    }
    sql_unlock(s->r);
    if (!e && more)
        *next = last;
    else if (!e && cut)
        *next = q->descending ? p.lo : p.hi;
    return e;
}
