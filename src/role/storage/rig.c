/* rig.c - see rig.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/rig.h"
#include "hash/test_cpu.h"
#include "role/storage/impl.h"
#include "role/storage/scan.h"
#include <stdio.h>
#include <stdlib.h>

void
rig_adopt(struct rig *r, struct disk *rec, struct index *mem)
{
    *r = (struct rig){.rec = rec, .mem = mem, .mode = BLOB_EDIT};
    disk_fail_init(&r->disk, rec);
    index_fail_init(&r->index, mem);
    r->ledger = element_ledger_conf();
    r->ledger.headroom = (struct ledger_room){64 * KIB, 16};
    loop_mem_init(&r->loop);
    r->story.loop = &r->loop;
}

void
rig_init(struct rig *r, const struct disk_rec_conf *conf)
{
    struct element_birth birth = {.label = "se-01",
                                  .mode = BLOB_EDIT,
                                  .pool_id = "pool",
                                  .now = {1700000000000}};
    enum err e;

    birth.element_uuid.b[3] = 0x42;
    rig_adopt(r, disk_rec_open(conf), index_mem_new(0));
    e = element_init(r->rec, &birth, test_quickest(), &r->fault);
    assert(e == ERR_OK);
    e = rig_open(r);
    assert(e == ERR_OK);
}

enum err
rig_open(struct rig *r)
{
    struct element_conf conf = {.element_id = r->element_id,
                                .mode = r->mode,
                                .hash = test_quickest(),
                                .journal_max = r->journal_max,
                                .relaxed = r->relaxed,
                                .batch_max = r->batch_max,
                                .bucket_files = r->bucket_files,
                                .seed = 1,
                                .now = r->loop.loop.wall};
    enum err e;

    assert(!r->element);
    r->pool = element_pool_new(&r->ledger);
    e = element_open(&r->element, &conf, &r->disk.disk, &r->index.index,
                     r->pool, &r->report, &r->fault);
    if (e == ERR_OK) {
        r->story.blob = element_blob(r->element);
        e = element_serve(r->element, &r->fault);
        if (e != ERR_OK)
            rig_close(r);
    } else {
        element_pool_free(&r->pool);
    }
    return e;
}

void
rig_close(struct rig *r)
{
    if (!r->element)
        return;
    element_close(&r->element);
    element_pool_free(&r->pool);
    assert(disk_rec_handles(r->rec) == 0);
}

void
rig_kill(struct rig *r)
{
    uint64_t at = r->disk.fail.at;
    bool on = r->disk.fail.on;

    r->disk.fail.at = 1;
    r->disk.fail.on = true;
    rig_close(r);
    r->disk.fail.at = at;
    r->disk.fail.on = on;
}

void
rig_release(struct rig *r)
{
    rig_close(r);
    loop_mem_release(&r->loop);
    r->disk.disk.ops->close(&r->disk.disk);
    r->index.index.ops->close(&r->index.index);
}

/* Names in a bucket: none but those of files in the index. */

struct audit {
    struct rig *rig;
    int data;
    unsigned names; /* expected: of rows, sidecars and folders */
    unsigned rows;
};

static bool
see_row(void *arg, const struct index_row *row)
{
    struct audit *a = arg;

    a->rows++;
    a->names += 2 + (attr_blocks(row->attr.stored_size) > ATTR_INLINE_BLOCKS);
    return true;
}

static enum err
see_name(void *arg, const struct scan_file *f, struct fault *fault)
{
    unsigned *found = arg;

    (void)fault;
    *found += f->has_data + f->has_attr + f->has_sidecar;
    return ERR_OK;
}

struct count {
    struct rig *rig;
    int data;
    unsigned found;
};

static enum err
see_bucket(void *arg, const char *bucket, struct fault *f)
{
    struct count *c = arg;
    int dir;
    enum err e = disk_open(c->rig->rec, c->data, bucket, DISK_DIR, &dir, f);

    if (e == ERR_OK)
        e = scan_folder(c->rig->rec, dir, see_name, &c->found, f);
    disk_close(c->rig->rec, &dir);
    return e;
}

unsigned
rig_audit(struct rig *r)
{
    struct audit a = {.rig = r};
    struct count c = {.rig = r};
    struct element_report rep;
    struct uuid nil = {{0}};
    enum err e;

    assert(!r->element);
    e = element_rebuild(r->rec, r->mem, NULL, test_quickest(), true, true, &rep,
                        &r->fault);
    assert(e == ERR_OK);
    if (rep.extra || rep.missing || rep.damaged) {
        fprintf(stderr, "audit: %llu extra, %llu missing, %llu damaged\n",
                (unsigned long long)rep.extra, (unsigned long long)rep.missing,
                (unsigned long long)rep.damaged);
        disk_rec_print(r->rec);
        assert(0 && "the index is what a rebuild would make");
    }
    e = r->mem->ops->list(r->mem, &nil, SIZE_MAX / 2, see_row, &a, NULL);
    assert(e == ERR_OK && a.rows == rep.files);
    e = disk_open(r->rec, DISK_ROOT, "data", DISK_DIR, &c.data, NULL);
    assert(e == ERR_OK);
    e = scan_buckets(r->rec, c.data, see_bucket, &c, NULL);
    assert(e == ERR_OK);
    disk_close(r->rec, &c.data);
    if (c.found != a.names) {
        fprintf(stderr, "audit: %u names, %u expected\n", c.found, a.names);
        disk_rec_print(r->rec);
        assert(0 && "nothing lies around");
    }
    assert(disk_rec_handles(r->rec) == 0);
    return a.rows;
}

static bool
see_number(void *arg, const struct index_change *c)
{
    uint64_t *last = arg;

    if (c->seq != *last + 1)
        fprintf(stderr, "change log: %llu after %llu\n",
                (unsigned long long)c->seq, (unsigned long long)*last);
    assert(c->seq == *last + 1);
    *last = c->seq;
    return true;
}

void
rig_check_log(struct rig *r)
{
    struct blob_capacity cap;
    uint64_t last = 0;
    enum err e =
        element_changes(r->element, 0, SIZE_MAX / 2, see_number, &last, NULL);

    assert(e == ERR_OK);
    r->story.blob->ops->capacity(r->story.blob, &cap);
    assert(cap.seq == last);
}
