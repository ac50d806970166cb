/* prepare.c - what an item of a batch asks for, before anything is written:
 * does the file exist, may it be deleted, what will it be called.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include "wire/disposition.h"
#include <stdio.h>
#include <stdlib.h>

static void
settle(struct commit_item *it, enum err err, const char *what)
{
    it->settled = true;
    it->err = err;
    if (err != ERR_OK)
        fault_set(&it->fault, err, "commit", what);
}

bool
attr_name_ok(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > 200 || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f || name[i] == '/')
            return false;
    return true;
}

/* The same content again is the first result (STO-033). */
static bool
stored_already(struct element *e, struct commit_item *it)
{
    struct index_row *row = calloc(1, sizeof(*row));
    struct file_attr *a = &it->doc.attr;
    enum err err;

    if (!row) {
        settle(it, ERR_NOMEM, "row");
        return true;
    }
    err = e->index->ops->get(e->index, &it->file_id, row, &it->fault);
    if (err == ERR_NOENT)
        goto out;
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
    index_row_release(row);
out:
    free(row);
    return it->settled;
}

static void
prepare_put(struct element *e, struct batch *b, struct commit_item *it)
{
    struct file_attr *a = &it->doc.attr;
    bool allowed;

    if (atomic_load(&e->poisoned)) {
        settle(it, ERR_READONLY, e->trouble);
        return;
    }
    if (stored_already(e, it))
        return;
    /* After the look into the index: a delete leaves its tombstone before its
     * row goes, so one of the two is always seen. */
    pthread_mutex_lock(&e->mu);
    allowed = tombs_allow(&e->tombs, &it->file_id, it->attempt);
    pthread_mutex_unlock(&e->mu);
    if (!allowed) {
        settle(it, ERR_CONFLICT, "deleted, or the attempt was given up");
        return;
    }
    if (a->uploaded_at.ms == 0)
        a->uploaded_at = b->now;
    if (!a->storage_filename[0])
        storage_name(slice_str(a->original_filename), slice_str(a->uploaded_by),
                     a->uploaded_at, &a->file_id, a->storage_filename);
    if (!attr_name_ok(a->storage_filename)) {
        settle(it, ERR_INVAL, "storage_filename");
        return;
    }
    a->format = ATTR_FORMAT;
    a->element_uuid = e->sb->element_uuid;
    snprintf(a->element_id, sizeof(a->element_id), "%s", e->element_id);
    a->epoch = a->epoch ? a->epoch : 1;
    a->seq = it->seq;
    a->state = ATTR_COMMITTED;
    snprintf(it->bucket, sizeof(it->bucket), "%s", b->bucket);
}

static void
prepare_delete(struct element *e, struct commit_item *it)
{
    struct index_row *row = calloc(1, sizeof(*row));
    struct tomb *t;
    bool gone;
    enum err err;

    if (!row) {
        settle(it, ERR_NOMEM, "row");
        return;
    }
    err = e->index->ops->get(e->index, &it->file_id, row, &it->fault);
    pthread_mutex_lock(&e->mu);
    t = tombs_get(&e->tombs, &it->file_id);
    gone = t && t->deleted;
    pthread_mutex_unlock(&e->mu);
    if (gone)
        err = ERR_NOENT;
    if (err == ERR_OK && it->epoch && it->epoch != row->attr.epoch)
        settle(it, ERR_CONFLICT, "another epoch");
    else if (err == ERR_OK && row->attr.state == ATTR_HELD)
        settle(it, ERR_CONFLICT, "held by a transfer");
    else if (err == ERR_OK && it->type == COMMIT_EXPIRE &&
             !sweep_still_due(it, &row->attr))
        settle(it, ERR_CONFLICT, "not due any more");
    else if (err != ERR_OK) {
        it->settled = true;
        it->err = err;
    } else {
        it->doc.attr = row->attr;
        row->attr.metadata = NULL;
        snprintf(it->bucket, sizeof(it->bucket), "%s", row->bucket);
    }
    index_row_release(row);
    free(row);
}

void
prepare_item(struct element *e, struct batch *b, struct commit_item *it)
{
    switch (it->type) {
    case COMMIT_PUT:
    case COMMIT_PUBLISH:
        prepare_put(e, b, it);
        break;
    case COMMIT_DELETE:
    case COMMIT_EXPIRE:
        if (atomic_load(&e->poisoned))
            settle(it, ERR_READONLY, e->trouble);
        else
            prepare_delete(e, it);
        break;
    case COMMIT_ABORT:
        if (atomic_load(&e->poisoned))
            settle(it, ERR_READONLY, e->trouble);
        break;
    }
}
