/* cloud_scan.c - the bucket read again: after an unclean stop the folders that
 * were written to, all of it when the index was lost, and to compare or rebuild
 * on request. Blocks.
 *
 * A listing is in order, so what belongs to one file comes together:
 *
 *     {file_id}  {file_id}.attr.json  {file_id}.crc32c
 *
 *   attr.json, known to the index          whole: not read
 *   attr.json, not known                   read; published if the data is there
 *   attr.json, deleted (tombstone)         the delete is brought to its end
 *   no attr.json, not known                never acknowledged: removed (where
 *                                          the index was lost nobody can tell:
 *                                          left alone)
 *   known to the index, but not there      damage; or deleted: the row goes
 *
 * attr.json files that must be read are read SCAN_MANY at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_scan.h"
#include <stdio.h>
#include <stdlib.h>

static enum err
no_memory(struct fault *f)
{
    (void)fault_set(f, ERR_NOMEM, "scan", "");
    return ERR_NOMEM;
}

static bool
add_id(struct uuid **list, size_t *n, size_t *cap, const struct uuid *id)
{
    if (*n == *cap) {
        size_t more = *cap ? 2 * *cap : 1024;
        struct uuid *grown = realloc(*list, more * sizeof(*grown));

        if (!grown)
            return false;
        *list = grown;
        *cap = more;
    }
    (*list)[(*n)++] = *id;
    return true;
}

/* ---- changes ---- */

enum err
scan_flush_changes(struct scan *s, struct fault *f)
{
    struct index *x = s->c->index;
    enum err err = ERR_OK;

    if (s->n_change)
        err = x->ops->apply(x, s->change, s->n_change, f);
    for (size_t i = 0; i < s->n_change; i++)
        free((void *)(uintptr_t)s->change[i].row.attr.metadata);
    s->n_change = 0;
    return err;
}

enum err
scan_add_change(struct scan *s, enum index_op op, uint64_t seq,
                const struct file_attr *a, struct fault *f)
{
    struct index_change *ch = &s->change[s->n_change++];

    *ch = (struct index_change){
        .seq = seq, .op = op, .at = s->c->conf.now, .row = {.attr = *a}};
    cloud_date(&a->file_id, ch->row.bucket);
    s->c->next_seq = u64_max(s->c->next_seq, seq);
    return s->n_change == CLOUD_BATCH ? scan_flush_changes(s, f) : ERR_OK;
}

/* ---- one file ---- */

static enum err
drop(struct scan *s, const struct found *g, struct fault *f)
{
    static const enum cloud_wrote order[] = {CLOUD_ATTR, CLOUD_SIDE,
                                             CLOUD_DATA};
    char key[OBJECT_KEY_MAX + 1];
    enum err err = ERR_OK;

    for (size_t i = 0; i < countof(order) && err == ERR_OK; i++)
        if (g->what & order[i])
            err = cloud_delete(s->c, cloud_key(&g->file_id, order[i], key), f);
    return err;
}

enum err
scan_row_of(struct scan *s, const struct uuid *id, struct fault *f)
{
    struct index *x = s->c->index;
    enum err err = x->ops->get(x, id, &s->row, f);

    if (err == ERR_OK)
        index_row_release(&s->row);
    return err;
}

/* True: deleted after it was published, and *T says when. */
static bool
is_deleted(struct scan *s, const struct uuid *id, struct tomb *t)
{
    const struct tomb *b = tombs_get(&s->c->tombs, id);

    if (!b || !b->deleted)
        return false;
    *t = *b;
    return true;
}

enum err
scan_settle_delete(struct scan *s, const struct found *g, const struct tomb *t,
                   struct fault *f)
{
    struct file_attr gone = {.file_id = g->file_id, .epoch = t->number};
    enum err err = drop(s, g, f);

    s->rep->settled++;
    if (err == ERR_OK)
        err = scan_add_change(s, t->expired ? INDEX_EXPIRE : INDEX_DELETE,
                              t->seq, &gone, f);
    return err;
}

static bool
whole(const struct found *g, const struct attr_doc *doc)
{
    bool side = attr_blocks(doc->attr.stored_size) > ATTR_INLINE_BLOCKS;

    return (g->what & CLOUD_DATA) && g->size == doc->attr.stored_size &&
           (!side || (g->what & CLOUD_SIDE));
}

static bool
same(const struct file_attr *a, const struct file_attr *b)
{
    return a->size == b->size && memcmp(a->sha256, b->sha256, 32) == 0 &&
           memcmp(a->md5, b->md5, 16) == 0 && a->seq == b->seq &&
           a->epoch == b->epoch && a->stored_size == b->stored_size &&
           a->stored_crc == b->stored_crc &&
           strcmp(a->storage_filename, b->storage_filename) == 0 &&
           strcmp(a->original_filename, b->original_filename) == 0;
}

static enum err
deep_look(struct scan *s, const struct attr_doc *doc, struct fault *f)
{
    struct cloud *c = s->c;
    uint8_t *into = malloc(4 * MIB);
    uint32_t crc = 0;
    uint64_t off = 0;
    enum err err = into ? ERR_OK : no_memory(f);

    while (err == ERR_OK && off < doc->attr.stored_size) {
        struct object_req q = {
            .op = OBJECT_GET, .into = into, .n = 4 * MIB, .off = off};

        cloud_key(&doc->attr.file_id, CLOUD_DATA, q.key);
        err = objects_call(c->objects, &q);
        if (err != ERR_OK && f)
            *f = q.fault;
        if (err == ERR_OK) {
            crc = hash_crc32c(c->hash, crc, into, q.n);
            off += q.n;
        }
    }
    free(into);
    if (err == ERR_OK && crc != doc->attr.stored_crc)
        err = ERR_CORRUPT;
    return err;
}

/* The attr.json of G is TEXT. */
static enum err
take_attr(struct scan *s, const struct found *g, struct slice text,
          struct fault *f)
{
    struct cloud *c = s->c;
    struct attr_doc doc = {.n_block = 0};
    enum err err = attr_decode(&doc, text, c->hash);

    if (err == ERR_OK &&
        (!uuid_eq(&doc.attr.file_id, &g->file_id) ||
         !uuid_eq(&doc.attr.element_uuid, &c->sb->element_uuid) ||
         !whole(g, &doc)))
        err = ERR_CORRUPT;
    if (err == ERR_OK && s->deep)
        err = deep_look(s, &doc, f);
    if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED) {
        s->rep->damaged++; /* left where it is, for people to look at */
        err = ERR_OK;
        goto out;
    }
    if (err != ERR_OK)
        goto out;
    s->rep->files++;
    s->rep->bytes += doc.attr.stored_size;
    c->next_seq = u64_max(c->next_seq, doc.attr.seq);
    err = scan_row_of(s, &g->file_id, f);
    if (s->check_only) {
        s->rep->extra += err == ERR_NOENT || !same(&s->row.attr, &doc.attr);
        err = err == ERR_NOENT ? ERR_OK : err;
    } else if (err == ERR_NOENT) {
        s->rep->published++;
        err = scan_add_change(s, INDEX_PUBLISH, doc.attr.seq, &doc.attr, f);
        doc.attr.metadata = NULL;
    }
out:
    attr_release(&doc);
    return err;
}

static enum err
read_wanted(struct scan *s, struct fault *f)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < s->n_want; i++) {
        s->get[i] = (struct object_req){
            .op = OBJECT_GET, .into = s->text[i], .n = ATTR_TEXT_MAX};
        cloud_key(&s->want[i].file_id, CLOUD_ATTR, s->get[i].key);
    }
    objects_call_all(s->c->objects, s->get, s->n_want);
    for (size_t i = 0; i < s->n_want && err == ERR_OK; i++) {
        struct object_req *q = &s->get[i];

        if (q->err != ERR_OK && q->err != ERR_NOENT) {
            if (f)
                *f = q->fault;
            err = q->err;
        } else if (q->err == ERR_OK) {
            err = take_attr(s, &s->want[i], slice_of(s->text[i], q->n), f);
        }
    }
    s->n_want = 0;
    return err;
}

static enum err
end_group(struct scan *s, struct fault *f)
{
    struct found g = s->group;
    struct tomb t;
    enum err err;

    s->group.what = 0;
    if (!g.what)
        return ERR_OK;
    if (is_deleted(s, &g.file_id, &t))
        return s->check_only ? ERR_OK : scan_settle_delete(s, &g, &t, f);
    if (!add_id(&s->seen, &s->n_seen, &s->cap_seen, &g.file_id))
        return no_memory(f);
    if (g.what & CLOUD_ATTR) {
        if (!s->all) {
            err = scan_row_of(s, &g.file_id, f);
            if (err == ERR_OK && (g.what & CLOUD_DATA) &&
                g.size == s->row.attr.stored_size) {
                s->rep->files++;
                s->rep->bytes += g.size;
                return ERR_OK;
            }
            if (err != ERR_OK && err != ERR_NOENT)
                return err;
        }
        s->want[s->n_want++] = g;
        return s->n_want == SCAN_MANY ? read_wanted(s, f) : ERR_OK;
    }
    err = scan_row_of(s, &g.file_id, f);
    if (err == ERR_OK)
        s->rep->missing++; /* attr.json has been lost */
    if (err != ERR_NOENT)
        return err;
    if (s->check_only || s->rep->rebuilt) {
        s->rep->damaged++; /* or never acknowledged: nobody can tell */
        return ERR_OK;
    }
    s->rep->removed++;
    return drop(s, &g, f);
}

/* ---- listings ---- */

/* data/2026/11/21/{file_id}[.attr.json|.crc32c] */
static bool
parse_key(struct slice key, struct found *g)
{
    char good[OBJECT_KEY_MAX + 1];
    struct slice name = slice_skip(key, sizeof("data/2026/11/21/") - 1);

    g->what = CLOUD_DATA;
    if (name.n >= UUID_TEXT - 1 &&
        uuid_parse(slice_head(name, UUID_TEXT - 1), &g->file_id)) {
        struct slice tail = slice_skip(name, UUID_TEXT - 1);

        if (slice_eq(tail, slice_str(ATTR_SUFFIX)))
            g->what = CLOUD_ATTR;
        else if (slice_eq(tail, slice_str(SIDECAR_SUFFIX)))
            g->what = CLOUD_SIDE;
    } else {
        return false;
    }
    return slice_eq(key, slice_str(cloud_key(&g->file_id,
                                             (enum cloud_wrote)g->what, good)));
}

static enum err
see_entry(struct scan *s, const struct object_entry *e, struct fault *f)
{
    struct found g;
    enum err err = ERR_OK;

    if (!parse_key(slice_str(e->key), &g)) {
        s->rep->extra += !s->check_only; /* not ours: left alone */
        return ERR_OK;
    }
    if (s->group.what && !uuid_eq(&g.file_id, &s->group.file_id))
        err = end_group(s, f);
    s->group.file_id = g.file_id;
    s->group.what |= g.what;
    if (g.what == CLOUD_DATA)
        s->group.size = e->size;
    else if (g.what == CLOUD_SIDE)
        s->group.side = e->size;
    return err;
}

static enum err
scan_prefix(struct scan *s, const char *prefix, struct fault *f)
{
    struct object_req *r = &s->list;
    const struct object_entry *row = r->rows;
    enum err err;

    assert(row && s->rep);
    s->rep->buckets++;
    s->group.what = 0;
    r->op = OBJECT_LIST;
    r->max = OBJECT_PAGE_MAX;
    r->after[0] = '\0';
    snprintf(r->key, sizeof(r->key), "%s", prefix);
    do {
        err = objects_call(s->c->objects, r);
        if (err != ERR_OK && f)
            *f = r->fault;
        for (unsigned i = 0; i < r->n_rows && err == ERR_OK; i++)
            err = see_entry(s, &row[i], f);
        if (err == ERR_OK && r->n_rows)
            memcpy(r->after, row[r->n_rows - 1].key, sizeof(r->after));
    } while (err == ERR_OK && r->more && r->n_rows);
    if (err == ERR_OK)
        err = end_group(s, f);
    if (err == ERR_OK)
        err = read_wanted(s, f);
    return err == ERR_OK ? scan_flush_changes(s, f) : err;
}

/* ---- rows without objects ---- */

static int
by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

static bool
see_row(void *arg, const struct index_row *row)
{
    struct scan *s = arg;

    if (bsearch(&row->attr.file_id, s->seen, s->n_seen, sizeof(*s->seen),
                by_id))
        return true;
    return add_id(&s->gone, &s->n_gone, &s->cap_gone, &row->attr.file_id);
}

static enum err
settle_gone(struct scan *s, struct fault *f)
{
    enum err err = ERR_OK;
    struct tomb t;

    for (size_t i = 0; i < s->n_gone && err == ERR_OK; i++) {
        struct found g = {.file_id = s->gone[i]};

        if (is_deleted(s, &g.file_id, &t))
            err = s->check_only ? ERR_OK : scan_settle_delete(s, &g, &t, f);
        else
            s->rep->missing++;
    }
    s->n_gone = s->n_seen = 0;
    return err == ERR_OK ? scan_flush_changes(s, f) : err;
}

enum err
scan_date(struct scan *s, const char *date, struct fault *f)
{
    struct index *x = s->c->index;
    char prefix[64];
    enum err err;

    snprintf(prefix, sizeof(prefix), "data/%s/", date);
    err = scan_prefix(s, prefix, f);
    if (err == ERR_OK)
        err = x->ops->bucket(x, date, see_row, s, f);
    return err == ERR_OK ? settle_gone(s, f) : err;
}

enum err
scan_all(struct scan *s, struct fault *f)
{
    struct index *x = s->c->index;
    enum err err;

    s->all = true;
    err = scan_prefix(s, "data/", f);
    /* Folders are in the order of dates, ids only within them. */
    if (s->n_seen)
        qsort(s->seen, s->n_seen, sizeof(*s->seen), by_id);
    if (err == ERR_OK)
        err = x->ops->list(x, &(struct uuid){{0}}, SIZE_MAX / 2, see_row, s, f);
    return err == ERR_OK ? settle_gone(s, f) : err;
}

/* ---- birth and end ---- */

void
scan_free(struct scan *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_change; i++)
        free((void *)(uintptr_t)s->change[i].row.attr.metadata);
    for (size_t i = 0; i < SCAN_MANY; i++)
        free(s->text[i]);
    free(s->list.rows);
    free(s->seen);
    free(s->gone);
    free(s);
}

struct scan *
scan_new(struct cloud *c, struct element_report *rep)
{
    struct scan *s = calloc(1, sizeof(*s));
    bool ok = s != NULL;

    if (!s)
        return NULL;
    s->c = c;
    s->rep = rep;
    s->list.rows = calloc(OBJECT_PAGE_MAX, sizeof(*s->list.rows));
    ok = s->list.rows != NULL;
    for (size_t i = 0; i < SCAN_MANY; i++) {
        s->text[i] = malloc(ATTR_TEXT_MAX);
        ok = ok && s->text[i];
    }
    if (!ok) {
        scan_free(s);
        return NULL;
    }
    return s;
}
