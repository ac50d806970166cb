/* meta_catalogue.c - files and copies, writing: see port/meta.h.
 *
 * A change is applied if it is not older than the copy that is known, by the
 * number in its element's log; the row of the file follows the copy with the
 * highest epoch.
 *
 * A feed is cut into runs of publishes and runs of removals. What a run needs
 * in the usual case does not depend on what is there, so that its statements
 * are posted one after the other without waiting for an answer: over a network
 * a batch of uploads then costs a few round trips, not hundreds. Only files
 * that were known before are looked at afterwards, in order. That is the same
 * as one after the other: within a run the statements of one file touch no
 * other file, and publishes only ever add copies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"

#define RUN_MAX 64

struct feed {
    const struct uuid *uuid;
    const char *element_id;
    const struct index_change *c;
    size_t n;
    uint64_t position;
    /* of one run of the function */
    int64_t element; /* its number */
    uint64_t known;  /* its position before */
    int64_t files;   /* what the totals move by */
    int64_t bytes;
};

/* --- the element's own row ------------------------------------------------ */

/* ERR_NOENT when UUID never fed. */
static enum err
feed_find(struct db_tx *t, unsigned q, const struct uuid *uuid, int64_t *n,
          uint64_t *position, struct fault *f)
{
    enum err e = db_use(t, q, f);

    if (e)
        return e;
    db_bind_uuid(t, 1, uuid);
    e = db_step(t, f);
    if (e)
        return e == ERR_END ? ERR_NOENT : e;
    *n = db_i64(t, 0);
    if (position)
        *position = (uint64_t)db_i64(t, 1);
    return ERR_OK;
}

static enum err
feed_number(struct db_tx *t, struct feed *d, struct fault *f)
{
    enum err e = feed_find(t, Q_FEED_LOCK, d->uuid, &d->element, &d->known, f);

    if (e != ERR_NOENT)
        return e;
    if ((e = db_use(t, Q_FEED_ADD, f)))
        return e;
    db_bind_uuid(t, 1, d->uuid);
    db_bind_text(t, 2, d->element_id);
    if ((e = db_exec(t, NULL, f)))
        return e;
    e = feed_find(t, Q_FEED_LOCK, d->uuid, &d->element, &d->known, f);
    return e == ERR_NOENT ? db_corrupt(t, "feed", f) : e;
}

static enum err
feed_move(struct db_tx *t, const struct feed *d, struct fault *f)
{
    enum err e = db_use(t, Q_FEED_MOVE, f);

    if (e)
        return e;
    db_bind_i64(t, 1, d->element);
    db_bind_text(t, 2, d->element_id);
    db_bind_i64(t, 3, (int64_t)u64_min(d->position, INT64_MAX));
    db_bind_i64(t, 4, d->files);
    db_bind_i64(t, 5, d->bytes);
    return db_exec(t, NULL, f);
}

/* --- publishes ------------------------------------------------------------ */

static enum err
attr_of(const struct index_change *c, struct file_attr *a, struct fault *f)
{
    *a = c->row.attr;
    a->seq = u64_max(a->seq, c->seq);
    return attr_fits(a) ? ERR_OK
                        : fault_set(f, ERR_INVAL, "catalogue feed",
                                    "value out of range");
}

static enum err
file_post(struct db_tx *t, unsigned q, const struct file_attr *a,
          struct db_posted *out, struct fault *f)
{
    enum err e = db_use(t, q, f);

    if (e)
        return e;
    meta_bind_file(t, 1, a);
    db_bind_i64(t, 1 + ATTR_FILE_N, (int64_t)a->epoch);
    return db_post(t, out, f);
}

static enum err
copy_post(struct db_tx *t, const struct feed *d, const struct file_attr *a,
          struct db_posted *out, struct fault *f)
{
    enum err e = db_use(t, Q_COPY_PUT, f);

    if (e)
        return e;
    meta_bind_copy(t, 1, a);
    db_bind_uuid(t, 1 + ATTR_COPY_N, &a->file_id);
    db_bind_i64(t, 2 + ATTR_COPY_N, d->element);
    return db_post(t, out, f);
}

/* A file that was known before and whose copy was taken: its row follows when
 * no other copy has a higher epoch. */
static enum err
file_follow(struct db_tx *t, struct feed *d, const struct file_attr *a,
            struct fault *f)
{
    int64_t size, epoch;
    enum err e = db_use(t, Q_FILE_FACTS, f);

    if (e)
        return e;
    db_bind_uuid(t, 1, &a->file_id);
    e = db_step(t, f);
    if (e)
        return e == ERR_END ? db_corrupt(t, "copy without file", f) : e;
    size = db_i64(t, 0);
    epoch = db_i64(t, 1);
    if (epoch > (int64_t)a->epoch)
        return ERR_OK;
    d->bytes += (int64_t)a->size - size;
    if ((e = file_post(t, Q_FILE_PUT, a, NULL, f)))
        return e;
    return db_flush(t, f);
}

static enum err
publish_run(struct db_tx *t, struct feed *d, const struct index_change *c,
            size_t n, struct fault *f)
{
    struct db_posted added[RUN_MAX], taken[RUN_MAX];
    struct file_attr a;
    enum err e = ERR_OK;

    for (size_t i = 0; i < n && !e; i++) {
        if ((e = attr_of(&c[i], &a, f)) ||
            (e = file_post(t, Q_FILE_ADD, &a, &added[i], f)))
            break;
        e = copy_post(t, d, &a, &taken[i], f);
    }
    if (!e)
        e = db_flush(t, f);
    for (size_t i = 0; i < n && !e; i++) {
        if (added[i].changed) {
            d->files++;
            d->bytes += (int64_t)c[i].row.attr.size;
        } else if (taken[i].changed && !(e = attr_of(&c[i], &a, f))) {
            e = file_follow(t, d, &a, f);
        }
    }
    return e;
}

/* --- removals ------------------------------------------------------------- */

static enum err
remove_run(struct db_tx *t, struct feed *d, const struct index_change *c,
           size_t n, struct fault *f)
{
    struct db_posted gone[RUN_MAX];
    enum err e = ERR_OK;

    for (size_t i = 0; i < n && !e; i++) {
        if ((e = db_use(t, Q_COPY_DEL, f)))
            break;
        db_bind_uuid(t, 1, &c[i].row.attr.file_id);
        db_bind_i64(t, 2, d->element);
        db_bind_i64(t, 3, (int64_t)c[i].seq);
        if ((e = db_post(t, NULL, f)) || (e = db_use(t, Q_FILE_DROP, f)))
            break;
        db_bind_uuid(t, 1, &c[i].row.attr.file_id);
        e = db_post(t, &gone[i], f);
    }
    if (!e)
        e = db_flush(t, f);
    for (size_t i = 0; i < n && !e; i++) {
        d->files -= gone[i].changed;
        d->bytes -= gone[i].value;
    }
    return e;
}

/* --- a feed --------------------------------------------------------------- */

/* What a change is to the catalogue: something like it goes into one run. */
enum kind { KNOWN, PUBLISH, REMOVAL };

static enum kind
kind_of(const struct feed *d, const struct index_change *c)
{
    if (c->seq <= d->known)
        return KNOWN;
    return c->op == INDEX_PUBLISH ? PUBLISH : REMOVAL;
}

static enum err
feed_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct feed *d = arg;
    enum err e;

    d->files = d->bytes = 0;
    e = feed_number(t, d, f);
    for (size_t i = 0, k; i < d->n && !e; i += k) {
        const struct index_change *c = &d->c[i];
        enum kind kind = kind_of(d, c);

        for (k = 1; k < RUN_MAX && i + k < d->n && kind_of(d, &c[k]) == kind;)
            k++;
        if (kind == PUBLISH)
            e = publish_run(t, d, c, k, f);
        else if (kind == REMOVAL)
            e = remove_run(t, d, c, k, f);
    }
    return e ? e : feed_move(t, d, f);
}

enum err
catalogue_feed(struct meta *m, const struct uuid *element_uuid,
               const char *element_id, const struct index_change *c, size_t n,
               uint64_t position, struct fault *f)
{
    struct feed d = {.uuid = element_uuid,
                     .element_id = element_id,
                     .c = c,
                     .n = n,
                     .position = position};

    for (size_t i = 0; i < n; i++)
        if (c[i].seq == 0 || c[i].seq > INT64_MAX)
            return fault_set(f, ERR_INVAL, "catalogue feed", "seq");
    return db_write(meta_self(m)->catalogue, feed_fn, &d, f);
}

struct position {
    const struct uuid *uuid;
    uint64_t seq;
};

static enum err
position_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct position *p = arg;
    int64_t n;

    return feed_find(t, Q_FEED_GET, p->uuid, &n, &p->seq, f);
}

enum err
catalogue_feed_position(struct meta *m, const struct uuid *element_uuid,
                        uint64_t *seq, struct fault *f)
{
    struct position p = {.uuid = element_uuid};
    enum err e = db_read(meta_self(m)->catalogue, position_fn, &p, f);

    *seq = e ? 0 : p.seq;
    return e == ERR_NOENT ? ERR_OK : e;
}

struct files {
    const struct uuid *uuid;
    int64_t n;
};

static enum err
files_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct files *c = arg;
    int64_t element;
    enum err e = feed_find(t, Q_FEED_GET, c->uuid, &element, NULL, f);

    if (e || (e = db_use(t, Q_FEED_FILES, f)))
        return e;
    db_bind_i64(t, 1, element);
    if (!(e = db_step(t, f)))
        c->n = db_i64(t, 0);
    return e;
}

enum err
catalogue_feed_files(struct meta *m, const struct uuid *element_uuid,
                     uint64_t *files, struct fault *f)
{
    struct files c = {.uuid = element_uuid};
    enum err e = db_read(meta_self(m)->catalogue, files_fn, &c, f);

    *files = e ? 0 : (uint64_t)c.n;
    return e;
}

/* --- forgetting ----------------------------------------------------------- */

static enum err
exec_i64(struct db_tx *t, unsigned q, int64_t v, struct fault *f)
{
    enum err e = db_use(t, q, f);

    if (e)
        return e;
    db_bind_i64(t, 1, v);
    return db_exec(t, NULL, f);
}

static enum err
reset_fn(struct db_tx *t, void *arg, struct fault *f)
{
    int64_t n, files, bytes;
    enum err e = feed_find(t, Q_FEED_LOCK, arg, &n, NULL, f);

    if (e == ERR_NOENT)
        return ERR_OK;
    if (e || (e = db_use(t, Q_ORPHANS_COUNT, f)))
        return e;
    db_bind_i64(t, 1, n);
    if ((e = db_step(t, f)))
        return e;
    files = db_i64(t, 0);
    bytes = db_i64(t, 1);
    if ((e = exec_i64(t, Q_ORPHANS_DEL, n, f)) ||
        (e = exec_i64(t, Q_COPIES_DEL, n, f)) ||
        (e = db_use(t, Q_FEED_ZERO, f)))
        return e;
    db_bind_i64(t, 1, n);
    db_bind_i64(t, 2, files);
    db_bind_i64(t, 3, bytes);
    return db_exec(t, NULL, f);
}

enum err
catalogue_feed_reset(struct meta *m, const struct uuid *element_uuid,
                     struct fault *f)
{
    struct uuid id = *element_uuid;

    return db_bulk(meta_self(m)->catalogue, reset_fn, &id, f);
}

static enum err
reset_all_fn(struct db_tx *t, void *arg, struct fault *f)
{
    static const unsigned q[] = {Q_RESET_COPY, Q_RESET_FILE, Q_RESET_FEED};
    enum err e = ERR_OK;

    (void)arg;
    for (size_t i = 0; i < countof(q) && !e; i++) {
        e = db_use(t, q[i], f);
        if (!e)
            e = db_exec(t, NULL, f);
    }
    return e;
}

enum err
catalogue_reset(struct meta *m, struct fault *f)
{
    return db_bulk(meta_self(m)->catalogue, reset_all_fn, NULL, f);
}

/* --- totals --------------------------------------------------------------- */

static enum err
total_fn(struct db_tx *t, void *arg, struct fault *f)
{
    int64_t *total = arg;
    enum err e = db_use(t, Q_TOTAL, f);

    if (e || (e = db_step(t, f)))
        return e;
    total[0] = db_i64(t, 0);
    total[1] = db_i64(t, 1);
    return ERR_OK;
}

enum err
catalogue_count(struct meta *m, uint64_t *files, uint64_t *bytes,
                struct fault *f)
{
    int64_t total[2] = {0};
    enum err e = db_read(meta_self(m)->catalogue, total_fn, total, f);

    *files = (uint64_t)total[0];
    *bytes = (uint64_t)total[1];
    return e;
}
