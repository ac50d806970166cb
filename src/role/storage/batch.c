/* batch.c - carries out the program of one batch (core/publish.h) on a worker:
 * the system calls behind each of its operations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

/* A file that will get a name later. Where the file system has none without,
 * it is made in tmp/ under its number and renamed. */
static const char *
temp_name(const struct commit_item *it, enum publish_name which, char out[32])
{
    snprintf(out, 32, "%llu.%u", (unsigned long long)it->seq, (unsigned)which);
    return out;
}

static enum err
open_temp(struct element *e, struct commit_item *it, enum publish_name which,
          bool *direct, int *fd)
{
    unsigned flags = *direct ? DISK_DIRECT : 0;
    char name[32];
    enum err err;

    if (e->tmp == DISK_NONE) {
        err = disk_tmpfile(e->disk, e->data, &flags, fd, &it->fault);
        *direct = flags & DISK_DIRECT;
        return err;
    }
    *direct = false;
    temp_name(it, which, name);
    err = disk_create(e->disk, e->tmp, name, fd, &it->fault);
    if (err == ERR_OK)
        it->temps |= which;
    return err;
}

/* The checksums of the pieces, and their sum. */
static void
sum_body(struct element *e, struct commit_item *it,
         const struct disk_piece *piece, size_t n)
{
    struct file_attr *a = &it->doc.attr;

    a->stored_crc = 0;
    for (size_t i = 0; i < n; i++) {
        it->doc.block_crc[i] = hash_crc32c(e->hash, 0, piece[i].p, piece[i].n);
        a->stored_crc = hash_crc32c_combine(a->stored_crc, it->doc.block_crc[i],
                                            piece[i].n);
    }
    it->doc.n_block = (uint32_t)n;
}

static size_t
pieces_of(const struct blob_put *r, struct disk_piece piece[BLOB_PUT_BLOCKS])
{
    size_t n = r->attr->size ? 1 : 0;

    if (r->n_blocks == 0) {
        piece[0] = (struct disk_piece){r->data, (size_t)r->attr->size};
        return n;
    }
    for (n = 0; n < r->n_blocks; n++)
        piece[n] = (struct disk_piece){r->blocks[n]->data, r->blocks[n]->len};
    return n;
}

/* An item whose room is only promised gets it where it matters. */
static enum err
claim_room(struct element *e, struct commit_item *it)
{
    struct ledger_room r = ledger_file(it->doc.attr.stored_size);
    bool promised = it->claim.reserved.bytes > 0;
    enum err err;

    if (promised && !account_near_end(e))
        return ERR_OK;
    err = account_allocate(e, &it->claim, it->fd_data, r, promised, &it->fault);
    it->cut = it->claim.on_disk.bytes > 0;
    if (err != ERR_OK || !promised)
        counts_admission(&e->counts, err);
    return err;
}

static enum err
write_body(struct element *e, struct commit_item *it)
{
    struct disk_piece piece[BLOB_PUT_BLOCKS];
    struct blob_put *r = it->req.put;
    struct file_attr *a = &it->doc.attr;
    bool direct = (r->aligned || r->n_blocks) && a->size >= DIRECT_MIN;
    size_t n = pieces_of(r, piece);
    enum err err;

    a->stored_size = a->size;
    sum_body(e, it, piece, n);
    err = open_temp(e, it, PUBLISH_DATA, &direct, &it->fd_data);
    if (err == ERR_OK)
        err = claim_room(e, it);
    if (err != ERR_OK || n == 0)
        return err;
    if (direct)
        piece[n - 1].n = (size_t)align_up(piece[n - 1].n, BLOCK_ALIGN);
    err = disk_pwritev(e->disk, it->fd_data, piece, n, 0, &it->fault);
    if (err == ERR_OK && !it->cut && direct && a->size % BLOCK_ALIGN)
        err = disk_truncate(e->disk, it->fd_data, a->size, &it->fault);
    return err;
}

/* {storage_filename}.crc32c: the checksums of all blocks, little-endian. */
static enum err
write_sidecar(struct element *e, struct commit_item *it)
{
    bool direct = false;
    enum err err = open_temp(e, it, PUBLISH_SIDECAR, &direct, &it->fd_side);
    struct slice text = ticket_sidecar(it->ticket);

    it->doc.sidecar_crc = hash_crc32c(e->hash, 0, text.p, text.n);
    if (err == ERR_OK)
        err = disk_pwrite(e->disk, it->fd_side, text.p, text.n, 0, &it->fault);
    if (err == ERR_OK)
        (void)disk_writeback(e->disk, it->fd_side, NULL);
    return err;
}

/* Gives back what O_DIRECT added and what was allocated over the size, which is
 * where TEXT goes: nobody else may take it in between. */
static enum err
cut_and_write(struct element *e, struct commit_item *it, const struct buf *text)
{
    enum err err;

    account_gate_enter(e);
    err = disk_truncate(e->disk, it->fd_data, it->doc.attr.stored_size,
                        &it->fault);
    if (err == ERR_OK)
        err =
            disk_pwrite(e->disk, it->fd_attr, text->p, text->n, 0, &it->fault);
    account_gate_leave(e);
    return err;
}

static enum err
write_attr(struct element *e, struct commit_item *it)
{
    bool direct = false;
    struct buf text;
    enum err err;

    buf_init(&text, ATTR_TEXT_MAX);
    if (!attr_encode(&text, &it->doc, e->hash))
        err = fault_set(&it->fault, ERR_INVAL, "attr.json",
                        "too large, or metadata is no JSON object");
    else if ((err = open_temp(e, it, PUBLISH_ATTR, &direct, &it->fd_attr)) ==
             ERR_OK)
        err = it->cut ? cut_and_write(e, it, &text)
                      : disk_pwrite(e->disk, it->fd_attr, text.p, text.n, 0,
                                    &it->fault);
    if (err == ERR_OK)
        (void)disk_writeback(e->disk, it->fd_attr, NULL);
    buf_release(&text);
    return err;
}

static enum err
do_write(struct element *e, struct commit_item *it, enum publish_name which)
{
    enum err err = ERR_OK;

    if (which == PUBLISH_ATTR)
        return write_attr(e, it);
    if (which == PUBLISH_SIDECAR)
        return write_sidecar(e, it);
    if (it->type == COMMIT_PUT)
        err = write_body(e, it);
    else
        ticket_finish(it->ticket, it);
    if (err == ERR_OK)
        (void)disk_writeback(e->disk, it->fd_data, NULL);
    return err;
}

static int
fd_of(const struct commit_item *it, enum publish_name which)
{
    return which == PUBLISH_DATA      ? it->fd_data
           : which == PUBLISH_SIDECAR ? it->fd_side
                                      : it->fd_attr;
}

static enum err
link_once(struct batch *b, struct commit_item *it, enum publish_name which,
          const char *name)
{
    struct element *e = b->element;
    char tmp[32];
    enum err err;
    int fd = DISK_NONE;

    if (!(it->temps & which))
        return disk_link(e->disk, fd_of(it, which), b->dir, name, &it->fault);
    /* A rename replaces; look first. Nobody else makes names here. */
    err = disk_open(e->disk, b->dir, name, 0, &fd, &it->fault);
    if (err == ERR_OK) {
        disk_close(e->disk, &fd);
        return fault_set(&it->fault, ERR_EXISTS, "link", name);
    }
    if (err != ERR_NOENT)
        return err;
    err = disk_rename(e->disk, e->tmp,
                      it->ticket && which == PUBLISH_DATA
                          ? ticket_temp(it->ticket)
                          : temp_name(it, which, tmp),
                      b->dir, name, &it->fault);
    if (err == ERR_OK) {
        it->temps &= ~(unsigned)which;
        if (it->ticket && which == PUBLISH_DATA)
            ticket_renamed(it->ticket);
    }
    return err;
}

static enum err
do_link(struct batch *b, struct commit_item *it, enum publish_name which)
{
    char name[NAME_TEXT], id[UUID_TEXT];
    enum err err;

    folder_name(it->doc.attr.storage_filename, which, name);
    err = link_once(b, it, which, name);
    /* A name that holds the file_id can only be left over from an attempt that
     * failed and could not be cleared away: the index knows of no such file. */
    if (err == ERR_EXISTS &&
        strstr(it->doc.attr.storage_filename, uuid_text(&it->file_id, id)) &&
        disk_unlink(b->element->disk, b->dir, name, NULL) == ERR_OK)
        err = link_once(b, it, which, name);
    if (err == ERR_EXISTS)
        err = fault_set(&it->fault, ERR_CONFLICT, "link", name);
    return err;
}

static enum err
do_unlink(struct batch *b, struct commit_item *it, enum publish_name which)
{
    char name[NAME_TEXT];

    if (it->type == COMMIT_PUT || it->type == COMMIT_PUBLISH)
        return disk_unlink(
            b->element->disk, b->dir,
            folder_name(it->doc.attr.storage_filename, which, name), NULL);
    return folder_unlink(b->element, it->bucket, it->doc.attr.storage_filename,
                         which, NULL);
}

static void
tomb_record(const struct commit_item *it, struct wall now,
            struct journal_record *r)
{
    *r = (struct journal_record){
        .type = it->type == COMMIT_ABORT    ? JOURNAL_ABORT
                : it->type == COMMIT_EXPIRE ? JOURNAL_EXPIRE
                                            : JOURNAL_DELETE,
        .file_id = it->file_id,
        .number = it->type == COMMIT_ABORT ? it->attempt : it->doc.attr.epoch,
        .seq = it->seq,
        .at = now,
    };
    snprintf(r->bucket, sizeof(r->bucket), "%s", it->bucket);
    snprintf(r->name, sizeof(r->name), "%s", it->doc.attr.storage_filename);
}

/* Tombstones of this batch, and how far earlier ones are durable. */
static enum err
do_journal(struct batch *b, struct fault *f)
{
    struct element *e = b->element;
    struct journal_record r;
    struct buf text;
    uint64_t synced;
    enum err err = ERR_OK;

    b->tombs = 0;
    buf_init(&text, 64 * KIB);
    for (size_t i = 0; i < b->n_program; i++) {
        if (b->pitem[i].kind == PUBLISH_PUT || b->pitem[i].err != ERR_OK)
            continue;
        tomb_record(b->item[i], b->now, &r);
        journal_encode(&text, &r, e->hash);
        b->tombs++;
    }
    pthread_mutex_lock(&e->mu);
    synced = e->synced_seq > e->journal_synced ? e->synced_seq : 0;
    if (synced)
        e->journal_synced = synced;
    pthread_mutex_unlock(&e->mu);
    r = (struct journal_record){.type = JOURNAL_SYNCED, .seq = synced};
    if (synced)
        journal_encode(&text, &r, e->hash);
    if (text.failed)
        err = fault_set(f, ERR_NOMEM, "journal", "");
    else if (text.n)
        err = journal_append(e, buf_slice(&text), f);
    buf_release(&text);
    return err;
}

/* From here on the deletes of the batch will not come back. */
static enum err
plant_tombs(struct batch *b, struct fault *f)
{
    struct element *e = b->element;
    char place[BUCKET_TEXT + NAME_TEXT];
    enum err err = ERR_OK;

    pthread_mutex_lock(&e->mu);
    for (size_t i = 0; i < b->n_program; i++) {
        struct commit_item *it = b->item[i];
        struct tomb *t;

        if (b->pitem[i].kind == PUBLISH_PUT || b->pitem[i].err != ERR_OK)
            continue;
        if (it->type == COMMIT_ABORT) {
            t = tombs_abort(&e->tombs, &it->file_id, it->attempt, b->now);
        } else {
            snprintf(place, sizeof(place), "%s %s", it->bucket,
                     it->doc.attr.storage_filename);
            t = tombs_delete(&e->tombs, &it->file_id, it->doc.attr.epoch,
                             it->seq, b->now, place);
            if (t && !t->pinned) {
                t->pinned = true;
                e->pinned++;
            }
        }
        if (!t)
            err = fault_set(f, ERR_NOMEM, "tombstone", "");
    }
    pthread_mutex_unlock(&e->mu);
    return err;
}

static enum err
do_sync(struct batch *b, struct fault *f)
{
    struct element *e = b->element;
    int set[COMMIT_BATCH_MAX * 3 + 2];
    size_t n = 0;
    enum err err;

    for (size_t i = 0; i < b->n_program; i++) {
        const struct commit_item *it = b->item[i];

        if (b->pitem[i].kind != PUBLISH_PUT || b->pitem[i].err != ERR_OK)
            continue;
        set[n++] = it->fd_data;
        set[n++] = it->fd_attr;
        if (b->pitem[i].sidecar)
            set[n++] = it->fd_side;
    }
    if (b->folder)
        set[n++] = b->dir;
    if (b->tombs) {
        pthread_mutex_lock(&e->journal_mu);
        e->journal_users++;
        set[n++] = e->journal;
        pthread_mutex_unlock(&e->journal_mu);
    }
    err = e->conf.relaxed ? ERR_OK : disk_sync(e->disk, set, n, f);
    if (b->tombs) {
        pthread_mutex_lock(&e->journal_mu);
        e->journal_users--;
        pthread_mutex_unlock(&e->journal_mu);
    }
    if (err == ERR_OK)
        err = plant_tombs(b, f);
    return err;
}

/* One operation; ACK and INDEX are not for here. */
static enum err
carry_out(struct batch *b, const struct publish_op *op)
{
    struct commit_item *it = b->item[op->item];
    struct fault f = {0};
    enum err err;

    switch (op->what) {
    case PUBLISH_DO_WRITE:
        return do_write(b->element, it, op->name);
    case PUBLISH_DO_LINK:
        return do_link(b, it, op->name);
    case PUBLISH_DO_UNLINK:
        return do_unlink(b, it, op->name);
    case PUBLISH_DO_JOURNAL:
        err = do_journal(b, &f);
        break;
    case PUBLISH_DO_SYNC:
        err = do_sync(b, &f);
        break;
    case PUBLISH_DO_POISON:
        element_poison(b->element, &b->fault);
        return ERR_OK;
    default:
        assert(0 && "not an operation of a batch");
        return ERR_OK;
    }
    if (err != ERR_OK)
        b->fault = f;
    return err;
}

static void
settle_all(struct batch *b, enum err err, const struct fault *f)
{
    LIST_FOREACH (at, &b->items) {
        struct commit_item *it = container_of(at, struct commit_item, link);

        if (it->settled || it->type == COMMIT_DELETE ||
            it->type == COMMIT_EXPIRE || it->type == COMMIT_ABORT)
            continue;
        it->settled = true;
        it->err = err;
        it->fault = *f;
    }
}

static bool
wants_folder(const struct batch *b)
{
    LIST_FOREACH (at, &b->items) {
        const struct commit_item *it =
            container_of(at, struct commit_item, link);

        if (!it->settled &&
            (it->type == COMMIT_PUT || it->type == COMMIT_PUBLISH))
            return true;
    }
    return false;
}

static void
make_program(struct batch *b)
{
    b->n_program = 0;
    LIST_FOREACH (at, &b->items) {
        struct commit_item *it = container_of(at, struct commit_item, link);
        struct publish_item *p = &b->pitem[b->n_program];

        if (it->settled)
            continue;
        *p = (struct publish_item){
            .kind = it->type == COMMIT_ABORT ? PUBLISH_ABORT
                    : it->type == COMMIT_PUT || it->type == COMMIT_PUBLISH
                        ? PUBLISH_PUT
                        : PUBLISH_DELETE,
            .sidecar = it->ticket && ticket_sidecar(it->ticket).n > 0,
        };
        if (p->kind == PUBLISH_DELETE)
            p->sidecar =
                attr_blocks(it->doc.attr.stored_size) > ATTR_INLINE_BLOCKS;
        b->item[b->n_program++] = it;
    }
    publish_init(&b->program, b->pitem, b->n_program);
}

void
batch_before(struct batch *b)
{
    struct element *e = b->element;
    struct fault f = {0};
    enum err err;

    b->fault = (struct fault){0};
    b->folder = NULL;
    b->dir = DISK_NONE;
    b->tombs = 0;
    LIST_FOREACH (at, &b->items) {
        prepare_item(e, b, container_of(at, struct commit_item, link));
    }
    if (wants_folder(b)) {
        err = folder_use(e, b->bucket, &b->folder, &f);
        if (b->folder)
            b->dir = b->folder->fd;
        else
            settle_all(b, err, &f);
    }
    make_program(b);
    for (;;) {
        b->op = publish_next(&b->program);
        if (b->program.phase >= PUBLISH_PH_INDEX)
            break;
        publish_done(&b->program, carry_out(b, &b->op));
    }
}

/* Numbers grow by one, without holes: whoever follows the change log would take
 * a hole for something lost. So a number whose item came to nothing is told
 * too, as the delete of no file. */
size_t
batch_changes(const struct batch *b, struct index_change *out)
{
    for (size_t i = 0; i < b->n; i++)
        out[i] = (struct index_change){
            .seq = b->first_seq + i, .op = INDEX_DELETE, .at = b->now};
    for (size_t i = 0; i < b->n_program; i++) {
        const struct commit_item *it = b->item[i];
        struct index_change *c = &out[it->seq - b->first_seq];

        if (b->pitem[i].err != ERR_OK || b->pitem[i].kind == PUBLISH_ABORT)
            continue;
        c->op = it->type == COMMIT_DELETE   ? INDEX_DELETE
                : it->type == COMMIT_EXPIRE ? INDEX_EXPIRE
                                            : INDEX_PUBLISH;
        c->row.attr = it->doc.attr;
        snprintf(c->row.bucket, sizeof(c->row.bucket), "%s", it->bucket);
    }
    return b->n;
}

void
batch_after(struct batch *b, enum err index_err, const struct fault *f)
{
    struct element *e = b->element;

    if (b->op.what == PUBLISH_DO_INDEX) {
        if (index_err != ERR_OK)
            b->fault = *f;
        publish_done(&b->program, index_err);
        b->op = publish_next(&b->program);
    }
    for (; b->op.what != PUBLISH_DO_END; b->op = publish_next(&b->program)) {
        struct commit_item *it = b->item[b->op.item];

        if (b->op.what != PUBLISH_DO_ACK) {
            publish_done(&b->program, carry_out(b, &b->op));
            continue;
        }
        publish_done(&b->program, ERR_OK);
        if (b->op.err != ERR_OK && it->fault.code == ERR_OK)
            it->fault = b->fault;
        answer_item(e, it, b->op.err);
    }
    while (!list_empty(&b->items)) { /* those that were settled early */
        struct commit_item *it =
            container_of(b->items.next, struct commit_item, link);

        answer_item(e, it, it->err);
    }
    if (b->folder)
        folder_drop(e, b->folder);
    b->folder = NULL;
}
