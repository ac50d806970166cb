/* cloud_read.c - open files: facts, blocks with their checksums (D34), pages of
 * the list, a file verified as a whole.
 *
 * The checksum of a one-block file is the stored CRC in its index row, so small
 * files cost one request; those of larger ones come from attr.json, and of the
 * largest from their sidecar, at open. Reference counted, because reads may be
 * under way when the reader is closed. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define VERIFY_STEP ((size_t)4 * 1024 * 1024) /* of one request */

struct blob_reader {
    struct cloud *cloud;
    _Atomic(unsigned) refs;
    uint64_t generation;
    struct index_row row;
    uint32_t *crc; /* of each block */
    size_t n_crc;
    struct blob_open *open; /* while it is being opened */
    char *text;             /* attr.json, while it is being read */
    uint32_t side_crc;
    struct object_req req;
};

struct reading {
    struct blob_read *r;
    struct object_req req;
    struct work work;
};

bool
cloud_is_dead(struct cloud *c, const struct uuid *id)
{
    const struct tomb *t;
    bool dead;

    pthread_mutex_lock(&c->mu);
    t = tombs_get(&c->tombs, id);
    dead = t && t->deleted;
    pthread_mutex_unlock(&c->mu);
    return dead;
}

static void
reader_unref(struct blob_reader *rd)
{
    if (atomic_fetch_sub(&rd->refs, 1) != 1)
        return;
    atomic_fetch_sub(&rd->cloud->n_open, 1);
    index_row_release(&rd->row);
    free(rd->text);
    free(rd->crc);
    free(rd);
}

/* ---- open ---- */

static void
opened(struct blob_reader *rd, enum err err)
{
    struct blob_open *r = rd->open;

    free(rd->text);
    rd->text = NULL;
    rd->open = NULL;
    r->err = err;
    if (err == ERR_OK)
        r->reader = rd;
    else
        reader_unref(rd);
    r->done(r);
}

/* An object that the index knows is not there: deleted since, or damage. */
static enum err
missing(struct cloud *c, const struct uuid *id, const char *key,
        struct fault *f)
{
    if (cloud_is_dead(c, id))
        return ERR_NOENT;
    (void)fault_set(f, ERR_CORRUPT, "open", key);
    (void)fault_hint(f, "it is missing in the bucket");
    return ERR_CORRUPT;
}

static enum err
asked(struct blob_reader *rd)
{
    struct object_req *q = &rd->req;

    (void)cloud_answer(rd->cloud, q);
    if (q->err == ERR_NOENT)
        return missing(rd->cloud, &rd->row.attr.file_id, q->key,
                       &rd->open->fault);
    rd->open->fault = q->fault;
    return q->err;
}

static void
ask(struct blob_reader *rd, enum cloud_wrote which, void *into, size_t n,
    void (*done)(struct object_req *q))
{
    rd->req = (struct object_req){.loop = rd->open->loop,
                                  .done = done,
                                  .op = OBJECT_GET,
                                  .into = into,
                                  .n = n,
                                  .priv = rd};
    cloud_key(&rd->row.attr.file_id, which, rd->req.key);
    objects_submit(rd->cloud->objects, &rd->req);
}

static void
got_side(struct object_req *q)
{
    struct blob_reader *rd = q->priv;
    size_t n = rd->n_crc * sizeof(*rd->crc);
    enum err err = asked(rd);

    if (err == ERR_OK &&
        (q->size != n ||
         hash_crc32c(rd->cloud->hash, 0, rd->crc, n) != rd->side_crc))
        err = fault_set(&rd->open->fault, ERR_CORRUPT, "checksums", q->key);
    opened(rd, err);
}

static void
got_attr(struct object_req *q)
{
    struct blob_reader *rd = q->priv;
    enum err err = asked(rd);
    struct attr_doc doc;

    if (err == ERR_OK) {
        err = attr_decode(&doc, slice_of(rd->text, q->n), rd->cloud->hash);
        if (err != ERR_OK)
            (void)fault_set(&rd->open->fault, err, "attr.json", q->key);
    }
    if (err != ERR_OK) {
        opened(rd, err);
        return;
    }
    if (attr_blocks(doc.attr.stored_size) != rd->n_crc ||
        doc.attr.seq != rd->row.attr.seq) {
        err = fault_set(&rd->open->fault, ERR_CORRUPT, "attr.json", q->key);
    } else if (doc.n_block) {
        memcpy(rd->crc, doc.block_crc, rd->n_crc * sizeof(*rd->crc));
    } else {
        rd->side_crc = doc.sidecar_crc;
        ask(rd, CLOUD_SIDE, rd->crc, rd->n_crc * sizeof(*rd->crc), got_side);
        attr_release(&doc);
        return;
    }
    attr_release(&doc);
    opened(rd, err);
}

static void
open_work(struct work *w)
{
    struct blob_open *r = container_of(w, struct blob_open, work);
    struct cloud *c = cloud_of(r->blob);
    struct blob_reader *rd = calloc(1, sizeof(*rd));

    if (!rd) {
        r->err = fault_set(&r->fault, ERR_NOMEM, "open", "reader");
        return;
    }
    rd->cloud = c;
    rd->open = r;
    atomic_init(&rd->refs, 1);
    atomic_fetch_add(&c->n_open, 1);
    rd->generation = atomic_load(&c->generation);
    r->err = c->index->ops->get(c->index, &r->file_id, &rd->row, &r->fault);
    if (r->err == ERR_OK && cloud_is_dead(c, &r->file_id))
        r->err = ERR_NOENT;
    if (r->err == ERR_OK) {
        rd->n_crc = (size_t)attr_blocks(rd->row.attr.stored_size);
        rd->crc = calloc(rd->n_crc ? rd->n_crc : 1, sizeof(*rd->crc));
        if (rd->crc && rd->n_crc > 1)
            rd->text = malloc(ATTR_TEXT_MAX);
        if (!rd->crc || (rd->n_crc > 1 && !rd->text))
            r->err = fault_set(&r->fault, ERR_NOMEM, "open", "checksums");
    }
    if (r->err == ERR_OK)
        r->reader = rd;
    else
        reader_unref(rd);
}

static void
open_done(struct loop *l, struct work *w)
{
    struct blob_open *r = container_of(w, struct blob_open, work);
    struct blob_reader *rd = r->reader;

    (void)l;
    r->reader = NULL;
    if (r->err != ERR_OK) {
        r->done(r);
    } else if (rd->n_crc <= 1) {
        rd->crc[0] = rd->row.attr.stored_crc;
        opened(rd, ERR_OK);
    } else {
        ask(rd, CLOUD_ATTR, rd->text, ATTR_TEXT_MAX, got_attr);
    }
}

void
cloud_open_blob(struct blob *b, struct blob_open *r)
{
    r->reader = NULL;
    r->blob = b;
    r->work = (struct work){.work = open_work, .done = open_done};
    loop_work(r->loop, &r->work);
}

void
cloud_info(struct blob_reader *rd, struct blob_info *out)
{
    *out = (struct blob_info){
        .attr = &rd->row.attr,
        .fd = -1,
        .size = rd->row.attr.stored_size,
        .valid = rd->generation,
    };
}

/* ---- read ---- */

static enum err
judge(struct blob_reader *rd, struct blob_read *r, const struct object_req *q)
{
    struct cloud *c = rd->cloud;
    const char *name = rd->row.attr.storage_filename;
    size_t want;

    if (q->err == ERR_NOENT)
        return missing(c, &rd->row.attr.file_id, q->key, &r->fault);
    if (q->err != ERR_OK) {
        r->fault = q->fault;
        return q->err;
    }
    want = (size_t)u64_min(r->verify ? BLOCK_SIZE : r->n,
                           rd->row.attr.stored_size - r->off);
    if (q->size != rd->row.attr.stored_size || q->n != want)
        return fault_set(&r->fault, ERR_CORRUPT, "read: cut short", name);
    if (r->verify && hash_crc32c(c->hash, 0, r->block->data, q->n) !=
                         rd->crc[r->off / BLOCK_SIZE]) {
        atomic_fetch_add(&c->n_corrupt, 1);
        counts_block(&c->counts, false);
        return fault_set(&r->fault, ERR_CORRUPT, "checksum", name);
    }
    if (r->verify)
        counts_block(&c->counts, true);
    r->block->len = (uint32_t)size_min(want, r->n);
    return ERR_OK;
}

static void
read_done(struct object_req *q)
{
    struct reading *g = q->priv;
    struct blob_read *r = g->r;
    struct blob_reader *rd = r->reader;

    (void)cloud_answer(rd->cloud, q);
    r->err = judge(rd, r, q);
    atomic_fetch_add_explicit(&rd->cloud->n_reads, 1, memory_order_relaxed);
    free(g);
    r->done(r);
    reader_unref(rd);
}

static void
nothing(struct work *w)
{
    (void)w;
}

static void
read_nothing(struct loop *l, struct work *w)
{
    struct blob_read *r = container_of(w, struct blob_read, work);
    struct blob_reader *rd = r->reader;

    (void)l;
    r->done(r);
    reader_unref(rd);
}

void
cloud_read(struct blob *b, struct blob_read *r)
{
    struct blob_reader *rd = r->reader;
    uint64_t left = rd->row.attr.stored_size - r->off;
    struct reading *g = left ? calloc(1, sizeof(*g)) : NULL;

    (void)b;
    assert(r->block->state == BLOCK_READ);
    assert(!r->verify || r->off % BLOCK_SIZE == 0);
    assert(r->off <= rd->row.attr.stored_size);
    r->block->len = 0;
    atomic_fetch_add(&rd->refs, 1);
    if (!g || r->n == 0) {
        free(g);
        r->err =
            left && r->n ? fault_set(&r->fault, ERR_NOMEM, "read", "") : ERR_OK;
        r->work = (struct work){.work = nothing, .done = read_nothing};
        loop_work(r->loop, &r->work);
        return;
    }
    g->r = r;
    g->req = (struct object_req){
        .loop = r->loop,
        .done = read_done,
        .op = OBJECT_GET,
        .into = r->block->data,
        .n = (size_t)u64_min(
            r->verify ? BLOCK_SIZE : size_min(r->n, BLOCK_SIZE), left),
        .off = r->off,
        .priv = g,
    };
    cloud_key(&rd->row.attr.file_id, CLOUD_DATA, g->req.key);
    objects_submit(rd->cloud->objects, &g->req);
}

void
cloud_close_reader(struct blob_reader *rd)
{
    reader_unref(rd);
}

/* ---- list ---- */

struct list_into {
    struct blob_list *r;
    struct cloud *cloud;
    bool failed;
};

static bool
see_row(void *arg, const struct index_row *row)
{
    struct list_into *in = arg;
    struct file_attr *to = &in->r->rows[in->r->n];

    if (cloud_is_dead(in->cloud, &row->attr.file_id))
        return true;
    *to = row->attr;
    to->metadata = NULL;
    if (row->attr.metadata && !(to->metadata = strdup(row->attr.metadata))) {
        in->failed = true;
        return false;
    }
    return ++in->r->n < in->r->max;
}

static void
list_work(struct work *w)
{
    struct blob_list *r = container_of(w, struct blob_list, work);
    struct cloud *c = cloud_of(r->blob);
    struct list_into in = {.r = r, .cloud = c};

    r->err = c->index->ops->list(c->index, &r->after, r->max, see_row, &in,
                                 &r->fault);
    if (r->err == ERR_OK && in.failed)
        r->err = fault_set(&r->fault, ERR_NOMEM, "list", "");
}

static void
list_done(struct loop *l, struct work *w)
{
    struct blob_list *r = container_of(w, struct blob_list, work);

    (void)l;
    r->done(r);
}

void
cloud_list(struct blob *b, struct blob_list *r)
{
    r->n = 0;
    r->blob = b;
    r->work = (struct work){.work = list_work, .done = list_done};
    loop_work(r->loop, &r->work);
}

/* ---- verify ---- */

struct verify {
    struct cloud *c;
    struct index_row row;
    struct hash_state state;
    uint32_t crc;
    uint8_t *into;
};

static enum err
read_all(struct verify *v, const atomic_bool *cancel, struct fault *f)
{
    const struct file_attr *a = &v->row.attr;
    uint64_t off = 0;

    while (off < a->stored_size) {
        struct object_req q = {
            .op = OBJECT_GET, .into = v->into, .n = VERIFY_STEP, .off = off};
        struct hash_job job = {.state = &v->state, .p = v->into};

        if (cancel && atomic_load(cancel))
            return fault_set(f, ERR_CANCELED, "verify", a->storage_filename);
        cloud_key(&a->file_id, CLOUD_DATA, q.key);
        if (objects_call(v->c->objects, &q) == ERR_NOENT)
            return missing(v->c, &a->file_id, q.key, f);
        if (q.err != ERR_OK) {
            if (f)
                *f = q.fault;
            return q.err;
        }
        if (q.size != a->stored_size || q.n == 0)
            return fault_set(f, ERR_CORRUPT, "verify", "the length differs");
        job.n = q.n;
        hash_run(v->c->hash, &job, 1);
        v->crc = hash_crc32c(v->c->hash, v->crc, v->into, q.n);
        off += q.n;
    }
    return ERR_OK;
}

/* Digests are of the content; of what is stored only when it is stored as it
 * came. */
static enum err
compare(struct verify *v, struct element_verified *out, struct fault *f)
{
    const struct file_attr *a = &v->row.attr;

    out->size = a->stored_size;
    hash_final(v->c->hash, &v->state, &out->digests);
    if (v->crc != a->stored_crc)
        return fault_set(f, ERR_CORRUPT, "verify", "CRC32C differs");
    if (a->content_encoding[0])
        return ERR_OK;
    if (memcmp(out->digests.md5, a->md5, sizeof(a->md5)) != 0)
        return fault_set(f, ERR_CORRUPT, "verify", "MD5 differs");
    if (memcmp(out->digests.sha256, a->sha256, sizeof(a->sha256)) != 0)
        return fault_set(f, ERR_CORRUPT, "verify", "SHA-256 differs");
    return ERR_OK;
}

enum err
cloud_verify(struct element *e, const struct uuid *file_id,
             const atomic_bool *cancel, struct element_verified *out,
             struct fault *f)
{
    struct cloud *c = cloud_self(e);
    struct verify *v = calloc(1, sizeof(*v));
    enum err err;

    *out = (struct element_verified){0};
    if (v)
        v->into = malloc(VERIFY_STEP);
    if (!v || !v->into) {
        free(v);
        return fault_set(f, ERR_NOMEM, "verify", "");
    }
    v->c = c;
    hash_init(&v->state);
    err = c->index->ops->get(c->index, file_id, &v->row, f);
    if (err == ERR_OK) {
        err = read_all(v, cancel, f);
        if (err == ERR_OK)
            err = compare(v, out, f);
        index_row_release(&v->row);
    }
    free(v->into);
    free(v);
    return err;
}
