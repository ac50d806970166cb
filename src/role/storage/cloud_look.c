/* cloud_look.c - what an item asks for, before anything is sent: does the file
 * exist, may it be deleted, what will it be called. On a worker.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include "wire/disposition.h"
#include <stdio.h>
#include <stdlib.h>

static void
settle(struct cloud_item *it, enum err err, const char *what)
{
    it->settled = true;
    it->err = err;
    if (err != ERR_OK)
        fault_set(&it->fault, err, "commit", what);
}

bool
cloud_copy_attr(struct cloud_item *it, const struct file_attr *a)
{
    it->doc.attr = *a;
    it->doc.attr.metadata = NULL;
    if (!a->metadata)
        return true;
    it->doc.attr.metadata = strdup(a->metadata);
    return it->doc.attr.metadata != NULL;
}

/* The same content again is the first result (STO-033). */
static bool
stored_already(struct cloud_item *it, struct index_row *row)
{
    struct cloud *c = it->cloud;
    struct file_attr *a = &it->doc.attr;
    enum err err = c->index->ops->get(c->index, &it->file_id, row, &it->fault);

    if (err == ERR_NOENT)
        return false;
    if (err != ERR_OK) {
        it->settled = true;
        it->err = err;
    } else if (row->attr.size != a->size ||
               memcmp(row->attr.sha256, a->sha256, sizeof(a->sha256)) != 0) {
        settle(it, ERR_CONFLICT, "stored already with other content");
    } else {
        settle(it, ERR_OK, "");
        free((void *)(uintptr_t)a->metadata);
        *a = row->attr;
        row->attr.metadata = NULL; /* it is the document's now */
    }
    if (err == ERR_OK)
        index_row_release(row);
    return true;
}

/* The checksums of what is stored. */
static void
sum_up(struct cloud_item *it)
{
    struct file_attr *a = &it->doc.attr;
    struct cloud_ticket_facts t = {.n_crc = 0};
    const struct hash_kernels *k = it->cloud->hash;
    uint32_t own[BLOB_PUT_BLOCKS];

    if (it->ticket) {
        cloud_ticket_facts(it->ticket, &t);
        a->stored_size = t.size;
    } else {
        a->stored_size = a->size;
        t.crc = own;
        for (unsigned i = 0; i < it->n_body; i++)
            own[t.n_crc++] = hash_crc32c(k, 0, it->body[i].p, it->body[i].n);
    }
    a->stored_crc = 0;
    for (size_t i = 0; i < t.n_crc; i++) {
        uint64_t left = a->stored_size - (uint64_t)i * BLOCK_SIZE;

        a->stored_crc = hash_crc32c_combine(a->stored_crc, t.crc[i],
                                            u64_min(left, BLOCK_SIZE));
    }
    if (t.n_crc <= ATTR_INLINE_BLOCKS) {
        it->doc.n_block = (uint32_t)t.n_crc;
        if (t.n_crc)
            memcpy(it->doc.block_crc, t.crc, t.n_crc * sizeof(*t.crc));
    } else {
        it->doc.sidecar_crc =
            hash_crc32c(k, 0, t.crc, t.n_crc * sizeof(*t.crc));
    }
}

static void
complete_attr(struct cloud_item *it)
{
    struct cloud *c = it->cloud;
    struct file_attr *a = &it->doc.attr;

    if (a->uploaded_at.ms == 0)
        a->uploaded_at = it->now;
    if (!a->storage_filename[0])
        storage_name(slice_str(a->original_filename), slice_str(a->uploaded_by),
                     a->uploaded_at, &a->file_id, a->storage_filename);
    a->format = ATTR_FORMAT;
    a->element_uuid = c->sb->element_uuid;
    snprintf(a->element_id, sizeof(a->element_id), "%s", c->element_id);
    a->epoch = a->epoch ? a->epoch : 1;
    a->state = ATTR_COMMITTED;
}

static void
look_upload(struct cloud_item *it, struct index_row *row)
{
    struct cloud *c = it->cloud;
    bool allowed;
    enum err err;

    if (it->err != ERR_OK) /* its parts have failed */
        return;
    if (stored_already(it, row))
        return;
    /* After the look into the index: a delete leaves its tombstone before its
     * row goes, so one of the two is always seen. */
    pthread_mutex_lock(&c->mu);
    allowed = tombs_allow(&c->tombs, &it->file_id, it->attempt);
    pthread_mutex_unlock(&c->mu);
    if (!allowed) {
        settle(it, ERR_CONFLICT, "deleted, or the attempt was given up");
        return;
    }
    complete_attr(it);
    sum_up(it);
    if (!attr_name_ok(it->doc.attr.storage_filename)) {
        settle(it, ERR_INVAL, "storage_filename");
        return;
    }
    err = cloud_owes(c, &it->file_id, &it->fault);
    if (err == ERR_OK)
        err = cloud_dirty(c, it->date, &it->fault);
    if (err != ERR_OK) {
        it->settled = true;
        it->err = err;
    }
}

static enum err
may_delete(struct cloud_item *it, const struct file_attr *a)
{
    if (it->epoch && it->epoch != a->epoch)
        return fault_set(&it->fault, ERR_CONFLICT, "delete", "another epoch");
    if (a->state == ATTR_HELD)
        return fault_set(&it->fault, ERR_CONFLICT, "delete",
                         "held by a transfer");
    if (it->type == COMMIT_EXPIRE && !cloud_still_due(it->cloud, a))
        return fault_set(&it->fault, ERR_CONFLICT, "expire",
                         "not due any more");
    return ERR_OK;
}

static void
look_delete(struct cloud_item *it, struct index_row *row)
{
    struct cloud *c = it->cloud;
    enum err err = c->index->ops->get(c->index, &it->file_id, row, &it->fault);

    if (err == ERR_OK) {
        if (cloud_is_dead(c, &it->file_id))
            err = ERR_NOENT;
        if (err == ERR_OK)
            err = may_delete(it, &row->attr);
        if (err == ERR_OK) {
            it->doc.attr = row->attr;
            row->attr.metadata = NULL;
            err = cloud_dirty(c, it->date, &it->fault);
        }
        index_row_release(row);
    }
    if (err != ERR_OK) {
        it->settled = true;
        it->err = err;
    }
}

void
cloud_look(struct cloud_item *it)
{
    struct index_row *row;

    if (it->type == COMMIT_ABORT)
        return;
    if (atomic_load(&it->cloud->fenced)) {
        settle(it, ERR_READONLY, it->cloud->trouble);
        return;
    }
    row = calloc(1, sizeof(*row));
    if (!row) {
        settle(it, ERR_NOMEM, "row");
        return;
    }
    if (it->type == COMMIT_PUT || it->type == COMMIT_PUBLISH)
        look_upload(it, row);
    else
        look_delete(it, row);
    free(row);
}
