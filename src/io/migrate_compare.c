/* migrate_compare.c - all rows of both sides, side by side: see migrate.h.
 *
 * Both are read in the order of their keys, a batch at a time, and merged: what
 * stands on one side only is found as surely as what differs, in one pass and
 * in the memory of two batches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "hash/hash.h"
#include "io/migrate_impl.h"
#include <stdlib.h>

#define ROWS_MAX 500
#define SIDE_MAX ((size_t)64 * 1024 * 1024) /* 500 rows are a few MiB */

struct side {
    struct db *db;
    unsigned i; /* table */
    unsigned columns, keys;
    const struct hash_kernels *hash;
    struct hash_state state;
    uint64_t rows;    /* taken */
    struct buf bytes; /* of a batch: rows one after the other */
    size_t end[ROWS_MAX];
    unsigned n, at;
    bool last; /* no batch follows */
    struct buf key;
};

/* --- reading -------------------------------------------------------------- */

static enum err
batch_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct side *s = arg;
    bool first = s->key.n == 0;
    enum err e = db_use(t, MIG(s->i, first ? MIG_FIRST : MIG_NEXT), f);

    s->n = s->at = 0;
    buf_clear(&s->bytes);
    if (e)
        return e;
    db_bind_i64(t, 1, ROWS_MAX);
    if (!first)
        migrate_bind(t, 2, buf_slice(&s->key), s->keys);
    while ((e = db_step(t, f)) == ERR_OK) {
        assert(s->n < ROWS_MAX);
        if (!migrate_row(&s->bytes, t, s->columns))
            return fault_set(f, ERR_NOMEM, "compare", t->ops->name(t));
        s->end[s->n++] = s->bytes.n;
    }
    return e == ERR_END ? ERR_OK : e;
}

static struct slice
row_at(const struct side *s, unsigned k)
{
    size_t from = k ? s->end[k - 1] : 0;

    return slice_of(s->bytes.p + from, s->end[k] - from);
}

/* The row that is next; an empty slice at the end. */
static enum err
look(struct side *s, struct slice *row, struct fault *f)
{
    enum err e = ERR_OK;

    if (s->at == s->n && !s->last) {
        e = db_read(s->db, batch_fn, s, f);
        s->last = s->n < ROWS_MAX;
        if (!e && s->n > 0) {
            struct slice end = row_at(s, s->n - 1);

            buf_clear(&s->key);
            (void)buf_add(&s->key, end.p, migrate_head(end, s->keys));
        }
    }
    *row = !e && s->at < s->n ? row_at(s, s->at) : SLICE_NULL;
    return e;
}

static void
take(struct side *s, struct slice row)
{
    const struct hash_job job = {&s->state, (const uint8_t *)row.p, row.n};

    hash_run(s->hash, &job, 1);
    s->rows++;
    s->at++;
}

/* --- merging -------------------------------------------------------------- */

static void
note_first(struct migrate_compared *out, const struct side *s, struct slice row)
{
    if (!out->first[0])
        migrate_show(row, s->keys, out->first, sizeof(out->first));
}

static enum err
merge(struct side *a, struct side *b, struct migrate_compared *out,
      struct fault *f)
{
    struct slice x, y;
    enum err e;

    while (!(e = look(a, &x, f)) && !(e = look(b, &y, f)) && (x.n || y.n)) {
        int c = !y.n ? -1 : !x.n ? 1 : migrate_cmp(x, y, a->keys);

        if (c != 0 || !slice_eq(x, y))
            note_first(out, a, c <= 0 ? x : y);
        out->missing += c < 0;
        out->extra += c > 0;
        out->different += c == 0 && !slice_eq(x, y);
        if (c <= 0)
            take(a, x);
        if (c >= 0)
            take(b, y);
    }
    return e;
}

static void
side_init(struct side *s, struct db *db, unsigned i)
{
    static const struct hash_cpu any = {0};

    memset(s, 0, sizeof(*s));
    s->db = db;
    s->i = i;
    s->columns = migrate_table[i].columns;
    s->keys = migrate_table[i].keys;
    s->hash = hash_select(&any, "c");
    hash_init(&s->state);
    buf_init(&s->bytes, SIDE_MAX);
    buf_init(&s->key, MIB);
}

static void
side_end(struct side *s, uint64_t *rows, char checksum[65])
{
    struct hash_digests d;

    hash_final(s->hash, &s->state, &d);
    hex_encode(d.sha256, sizeof(d.sha256), checksum);
    *rows = s->rows;
    buf_release(&s->bytes);
    buf_release(&s->key);
}

enum err
migrate_compare(struct migrate *m, unsigned i, struct migrate_compared *out,
                struct fault *f)
{
    struct side *s = calloc(2, sizeof(*s));
    enum err e;

    assert(i < MIGRATE_TABLES);
    memset(out, 0, sizeof(*out));
    out->table = migrate_table[i].name;
    if (!s)
        return fault_set(f, ERR_NOMEM, "compare", out->table);
    side_init(&s[0], m->source[migrate_table[i].part], i);
    side_init(&s[1], m->target, i);
    e = merge(&s[0], &s[1], out, f);
    side_end(&s[0], &out->source, out->checksum[0]);
    side_end(&s[1], &out->target, out->checksum[1]);
    free(s);
    return e;
}
