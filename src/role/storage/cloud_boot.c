/* cloud_boot.c - what stands at the root of an element in a bucket: superblock,
 * owner, tombstones. All of it blocks.
 *
 * A tombstone's name says all that is needed, so that a listing is enough to
 * load them: tombs/{file_id}.{D|X|A}.{number}.{seq}.{ms}; the object holds the
 * same as a line of a journal, for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include "wire/endpoint.h"
#include <stdio.h>
#include <stdlib.h>

#define TOMBS_EXPIRED 64 /* forgotten at a time */

/* ---- one request ---- */

static enum err
call(struct cloud *c, struct object_req *r, struct fault *f)
{
    (void)objects_call(c->objects, r);
    (void)cloud_answer(c, r);
    if (r->err != ERR_OK && f)
        *f = r->fault;
    return r->err;
}

enum err
cloud_put(struct cloud *c, const char *key, struct slice s, struct fault *f)
{
    struct object_req r = {.op = OBJECT_PUT, .body = &s, .n_body = 1};

    (void)slice_copy(slice_str(key), r.key, sizeof(r.key));
    return call(c, &r, f);
}

enum err
cloud_delete(struct cloud *c, const char *key, struct fault *f)
{
    struct object_req r = {.op = OBJECT_DELETE};

    (void)slice_copy(slice_str(key), r.key, sizeof(r.key));
    return call(c, &r, f);
}

enum err
cloud_get(struct cloud *c, const char *key, struct buf *out, struct fault *f)
{
    struct object_req r = {.op = OBJECT_GET, .n = out->max - out->n};
    enum err err;

    if (!(r.into = buf_reserve(out, r.n)))
        return fault_set(f, ERR_NOMEM, "get", key);
    (void)slice_copy(slice_str(key), r.key, sizeof(r.key));
    err = call(c, &r, f);
    if (err == ERR_OK && r.size != r.n)
        err = fault_set(f, ERR_CORRUPT, "get: too long", key);
    if (err == ERR_OK)
        out->n += r.n;
    return err;
}

/* ---- superblock ---- */

enum err
cloud_read_superblock(struct cloud *c, struct fault *f)
{
    struct buf text;
    enum err err;

    buf_init(&text, SUPERBLOCK_TEXT_MAX);
    err = cloud_get(c, "superblock", &text, f);
    if (err == ERR_NOENT && !(f && f->hint))
        (void)fault_hint(f, "this bucket holds no storage element: is "
                            "S3_PREFIX right? `artstore storage init` makes a "
                            "new one");
    if (err != ERR_OK)
        goto out;
    err = superblock_decode(c->sb, buf_slice(&text), c->hash);
    if (err != ERR_OK)
        (void)fault_set(f, err, "read", "superblock");
    if (err == ERR_UNSUPPORTED)
        (void)fault_hint(f, "a later version of artstore wrote it; use that");
out:
    buf_release(&text);
    return err;
}

/* C NULL: of an element that is not born yet. */
static enum err
write_superblock(struct objects *o, struct cloud *c,
                 const struct superblock *sb, const struct hash_kernels *hash,
                 struct fault *f)
{
    struct object_req r = {.op = OBJECT_PUT, .key = "superblock", .n_body = 1};
    struct slice s;
    struct buf text;

    buf_init(&text, SUPERBLOCK_TEXT_MAX);
    if (!superblock_encode(&text, sb, hash)) {
        buf_release(&text);
        return fault_set(f, ERR_NOMEM, "encode", "superblock");
    }
    s = buf_slice(&text);
    r.body = &s;
    (void)objects_call(o, &r);
    buf_release(&text);
    if (c)
        (void)cloud_answer(c, &r);
    if (r.err != ERR_OK && f)
        *f = r.fault;
    return r.err;
}

enum err
cloud_write_superblock(struct cloud *c, struct fault *f)
{
    return write_superblock(c->objects, c, c->sb, c->hash, f);
}

enum err
cloud_init(struct objects *o, const struct element_birth *birth,
           const struct hash_kernels *hash, struct fault *f)
{
    struct superblock *sb = calloc(1, sizeof(*sb));
    struct object_entry *row = calloc(1, sizeof(*row));
    struct object_req r = {.op = OBJECT_LIST, .rows = row, .max = 1};
    enum err err = ERR_OK;

    if (!sb || !row) {
        (void)fault_set(f, ERR_NOMEM, "init", "");
        err = ERR_NOMEM;
    } else if (objects_call(o, &r) != ERR_OK) {
        err = r.err;
        if (f)
            *f = r.fault;
    } else if (r.n_rows > 0) {
        err = fault_set(f, ERR_EXISTS, "make an element over", row->key);
        (void)fault_hint(f, "give an empty bucket, or another S3_PREFIX");
    }
    if (err == ERR_OK) {
        *sb = (struct superblock){
            .format_min = SUPERBLOCK_FORMAT,
            .format_max = SUPERBLOCK_FORMAT,
            .element_uuid = birth->element_uuid,
            .installation_id = birth->installation_id,
            .created_at = birth->now,
            .clean = true,
        };
        snprintf(sb->label, sizeof(sb->label), "%s", birth->label);
        snprintf(sb->mode, sizeof(sb->mode), "%s",
                 element_mode_text(birth->mode));
        snprintf(sb->pool_id, sizeof(sb->pool_id), "%s", birth->pool_id);
        err = write_superblock(o, NULL, sb, hash, f);
    }
    free(row);
    free(sb);
    if (err != ERR_OK)
        (void)fault_in(f, o->place);
    return err;
}

enum err
cloud_rename(struct objects *o, const char *id, const struct hash_kernels *hash,
             struct fault *f)
{
    struct element_conf conf = {.hash = hash};
    struct cloud_conf cc = {.limit = 0};
    struct cloud *c = cloud_new(&conf, &cc);
    enum err err;

    if (!c)
        return fault_set(f, ERR_NOMEM, "rename", "");
    c->objects = o;
    err = cloud_read_superblock(c, f);
    if (err == ERR_OK && !c->sb->clean) {
        err = fault_set(f, ERR_BUSY, "rename", c->sb->label);
        (void)fault_hint(f, "stop what serves it; if nothing does, it did not "
                            "stop in order: start it once under its old name");
    } else if (err == ERR_OK) {
        snprintf(c->sb->label, sizeof(c->sb->label), "%s", id);
        err = cloud_write_superblock(c, f);
    }
    cloud_free(c);
    return err;
}

/* ---- owner ---- */

static void
word(const struct cloud *c, char out[40])
{
    snprintf(out, 40, "%016llx\n", (unsigned long long)c->cc.nonce);
}

/* From here on a stop without element_close() is unclean. */
enum err
cloud_take_over(struct cloud *c, struct fault *f)
{
    char mine[40];
    enum err err;

    word(c, mine);
    c->sb->boot++;
    c->sb->clean = false;
    c->sb->seq = c->next_seq;
    c->sb->synced = c->next_seq;
    err = cloud_put(c, "owner", slice_str(mine), f);
    if (err == ERR_OK)
        err = cloud_write_superblock(c, f);
    c->opened = err == ERR_OK;
    return err;
}

enum err
cloud_serve(struct element *e, struct fault *f)
{
    struct cloud *c = cloud_self(e);
    struct superblock *sb = c->sb;
    char was[sizeof(sb->latest_mode)];
    enum err err = ERR_OK;

    memcpy(was, sb->latest_mode, sizeof(was));
    if (identity_note_mode(sb, (enum blob_mode)atomic_load(&c->mode)))
        err = cloud_write_superblock(c, f);
    if (err != ERR_OK)
        memcpy(sb->latest_mode, was, sizeof(was));
    c->serves = err == ERR_OK;
    return err;
}

enum err
cloud_check_owner(struct cloud *c, struct fault *f)
{
    char mine[40];
    struct buf text;
    enum err err;

    word(c, mine);
    buf_init(&text, 64);
    err = cloud_get(c, "owner", &text, f);
    /* ERR_CORRUPT is the page of some proxy, and nobody's word. */
    if (err == ERR_NOENT ||
        (err == ERR_OK && !slice_eq(buf_slice(&text), slice_str(mine)))) {
        cloud_fence(c, "another process has opened this bucket's element; "
                       "stop one of the two, then start again");
        err = ERR_CONFLICT;
    }
    buf_release(&text);
    return err;
}

/* ---- folders that were written to ---- */

static bool
is_dirty(const struct superblock *sb, const char *date)
{
    for (uint32_t i = 0; i < sb->n_dirty; i++)
        if (strcmp(sb->dirty[i], date) == 0)
            return true;
    return sb->all_dirty;
}

enum err
cloud_dirty(struct cloud *c, const char *date, struct fault *f)
{
    struct superblock *sb = c->sb;
    enum err err = ERR_OK;

    pthread_mutex_lock(&c->sb_mu);
    if (!is_dirty(sb, date) && atomic_load(&c->away)) {
        /* One worker waits for a store that does not answer, not all of them:
         * cloud_tick.c finds out when it is back. */
        err = fault_set(f, ERR_AGAIN, "store", "the bucket does not answer");
    } else if (!is_dirty(sb, date)) {
        uint32_t was = sb->n_dirty;

        if (was < SUPERBLOCK_DIRTY_MAX)
            snprintf(sb->dirty[sb->n_dirty++], SUPERBLOCK_BUCKET, "%s", date);
        else
            sb->all_dirty = true;
        err = cloud_write_superblock(c, f);
        if (err != ERR_OK) {
            sb->all_dirty = false;
            sb->n_dirty = was;
        }
    }
    pthread_mutex_unlock(&c->sb_mu);
    return err;
}

/* Nothing is under way, and nothing is left to be done. */
static bool
at_rest(struct cloud *c)
{
    bool yes;

    pthread_mutex_lock(&c->mu);
    /* n_unsettled is the gate's while it applies. */
    yes = c->queued == 0 && c->n_debt == 0 && !c->debts_lost && !c->applying &&
          c->n_unsettled == 0;
    pthread_mutex_unlock(&c->mu);
    return yes;
}

enum err
cloud_clean_point(struct cloud *c, bool clean, struct fault *f)
{
    struct superblock *sb = c->sb;
    struct superblock *was = NULL;
    struct index_totals t;
    enum err err = ERR_OK;

    pthread_mutex_lock(&c->sb_mu);
    if (!at_rest(c) || !c->index->ops->sync ||
        (!clean && sb->n_dirty == 0 && !sb->all_dirty))
        goto out;
    if (!(was = malloc(sizeof(*was)))) {
        err = fault_set(f, ERR_NOMEM, "clean", "");
        goto out;
    }
    *was = *sb;
    if ((err = c->index->ops->totals(c->index, &t, f)) != ERR_OK ||
        (err = c->index->ops->sync(c->index, f)) != ERR_OK)
        goto out;
    sb->index_seq = t.last_seq;
    sb->index_files = t.files;
    sb->index_stored = t.stored;
    sb->seq = sb->synced = c->next_seq;
    sb->n_dirty = 0;
    sb->all_dirty = false;
    sb->clean = clean;
    if (c->serves)
        (void)identity_note_mode(sb, (enum blob_mode)atomic_load(&c->mode));
    err = cloud_write_superblock(c, f);
    if (err != ERR_OK)
        *sb = *was;
out:
    pthread_mutex_unlock(&c->sb_mu);
    free(was);
    return err;
}

/* ---- tombstones ---- */

void
cloud_tomb_key(const struct journal_record *r, char *key)
{
    char id[UUID_TEXT];

    snprintf(key, OBJECT_KEY_MAX + 1, "tombs/%s.%c.%llu.%llu.%lld",
             uuid_text(&r->file_id, id), r->type, (unsigned long long)r->number,
             (unsigned long long)r->seq, (long long)r->at.ms);
}

static bool
parse_tomb(struct slice name, struct journal_record *r)
{
    struct slice id, type, number, seq, at;
    uint64_t ms;

    *r = (struct journal_record){.seq = 0};
    if (!slice_starts(name, SLICE("tombs/")))
        return false;
    name = slice_skip(name, 6);
    if (!slice_cut(&name, '.', &id) || !slice_cut(&name, '.', &type) ||
        !slice_cut(&name, '.', &number) || !slice_cut(&name, '.', &seq) ||
        !slice_cut(&name, '.', &at) || !uuid_parse(id, &r->file_id) ||
        type.n != 1 || !slice_u64(number, &r->number) ||
        !slice_u64(seq, &r->seq) || !slice_u64(at, &ms))
        return false;
    r->type = (enum journal_type)type.p[0];
    r->at.ms = (int64_t)ms;
    return r->type == JOURNAL_DELETE || r->type == JOURNAL_EXPIRE ||
           r->type == JOURNAL_ABORT;
}

/* Old enough, and not of a delete that the index has not been told of. */
static bool
is_spent(struct cloud *c, const struct journal_record *r)
{
    struct index_row *row;
    enum err known = ERR_NOMEM;

    if (r->at.ms >= c->conf.now.ms - TOMB_KEEP_MS)
        return false;
    if (r->type == JOURNAL_ABORT)
        return true;
    row = calloc(1, sizeof(*row));
    if (row)
        known = c->index->ops->get(c->index, &r->file_id, row, NULL);
    if (known == ERR_OK)
        index_row_release(row);
    free(row);
    return known == ERR_NOENT;
}

static enum err
load_tomb(struct cloud *c, const char *key, struct fault *f)
{
    struct journal_record r;
    struct tomb *t;

    if (!parse_tomb(slice_str(key), &r))
        return ERR_OK; /* not ours: left alone */
    if (is_spent(c, &r))
        return cloud_delete(c, key, f);
    if (r.type == JOURNAL_ABORT)
        t = tombs_abort(&c->tombs, &r.file_id, r.number, r.at);
    else
        t = tombs_delete(&c->tombs, &r.file_id, r.number, r.seq, r.at, NULL);
    if (!t)
        return fault_set(f, ERR_NOMEM, "load", "tombstones");
    t->expired = r.type == JOURNAL_EXPIRE;
    c->next_seq = u64_max(c->next_seq, r.seq);
    return ERR_OK;
}

enum err
cloud_load_tombs(struct cloud *c, struct fault *f)
{
    struct object_entry *row = calloc(OBJECT_PAGE_MAX, sizeof(*row));
    struct object_req *r = calloc(1, sizeof(*r));
    enum err err;

    if (!r || !row) {
        err = fault_set(f, ERR_NOMEM, "load", "tombstones");
        goto out;
    }
    r->op = OBJECT_LIST;
    r->rows = row;
    r->max = OBJECT_PAGE_MAX;
    snprintf(r->key, sizeof(r->key), "tombs/");
    do {
        err = call(c, r, f);
        for (unsigned i = 0; i < r->n_rows && err == ERR_OK; i++)
            err = load_tomb(c, row[i].key, f);
        if (err == ERR_OK && r->n_rows)
            memcpy(r->after, row[r->n_rows - 1].key, sizeof(r->after));
    } while (err == ERR_OK && r->more && r->n_rows);
out:
    free(row);
    free(r);
    return err;
}

/* The oldest first; a few, since each costs a request. */
void
cloud_expire_tombs(struct cloud *c, struct wall now)
{
    int64_t before = now.ms - TOMB_KEEP_MS;

    for (unsigned i = 0; i < TOMBS_EXPIRED; i++) {
        struct journal_record r = {.type = JOURNAL_ABORT};
        char key[OBJECT_KEY_MAX + 1];
        bool found = false;

        pthread_mutex_lock(&c->mu);
        if (!list_empty(&c->tombs.age)) {
            const struct tomb *t =
                container_of(c->tombs.age.next, struct tomb, age);

            found = t->at.ms < before;
            r.file_id = t->file_id;
            r.number = t->number;
            r.seq = t->seq;
            r.at = t->at;
            if (t->deleted)
                r.type = t->expired ? JOURNAL_EXPIRE : JOURNAL_DELETE;
        }
        pthread_mutex_unlock(&c->mu);
        if (!found)
            return;
        cloud_tomb_key(&r, key);
        if (cloud_delete(c, key, NULL) != ERR_OK)
            return;
        pthread_mutex_lock(&c->mu);
        tombs_forget(&c->tombs, &r.file_id, r.at);
        pthread_mutex_unlock(&c->mu);
    }
}
