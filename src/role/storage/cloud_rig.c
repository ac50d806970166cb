/* cloud_rig.c - see cloud_rig.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_rig.h"
#include "hash/test_cpu.h"
#include "role/storage/cloud_impl.h"
#include <stdio.h>
#include <stdlib.h>

void
cloud_rig_init(struct cloud_rig *r, struct objects *o, struct index *index)
{
    struct element_birth birth = {.label = "se-01",
                                  .mode = BLOB_EDIT,
                                  .pool_id = "pool",
                                  .now = {1700000000000}};
    enum err e;

    *r = (struct cloud_rig){.mode = BLOB_EDIT};
    r->conf = (struct cloud_conf){.limit = 1024 * GIB, .nonce = 7};
    objects_mem_init(&r->store);
    r->objects = o ? o : &r->store.objects;
    r->mem = index ? index : index_mem_new(0);
    index_fail_init(&r->index, r->mem);
    loop_mem_init(&r->loop);
    r->story.loop = &r->loop;
    birth.element_uuid.b[3] = 0x42;
    e = cloud_init(r->objects, &birth, test_quickest(), &r->fault);
    assert(e == ERR_OK);
    e = cloud_rig_open(r);
    assert(e == ERR_OK);
}

enum err
cloud_rig_open(struct cloud_rig *r)
{
    struct element_conf conf = {.element_id = r->element_id,
                                .mode = r->mode,
                                .hash = test_quickest(),
                                .seed = 1,
                                .now = r->loop.loop.wall};
    struct ledger_conf ledger = element_ledger_conf();
    enum err e;

    assert(!r->element);
    ledger.headroom = (struct ledger_room){0, 0};
    r->pool = element_pool_new(&ledger);
    e = cloud_open(&r->element, &conf, &r->conf, r->objects, &r->index.index,
                   r->pool, &r->report, &r->fault);
    if (e == ERR_OK) {
        r->story.blob = element_blob(r->element);
        e = element_serve(r->element, &r->fault);
        if (e != ERR_OK)
            cloud_rig_close(r);
    } else {
        element_pool_free(&r->pool);
    }
    return e;
}

void
cloud_rig_close(struct cloud_rig *r)
{
    if (!r->element)
        return;
    element_close(&r->element);
    element_pool_free(&r->pool);
}

void
cloud_rig_kill(struct cloud_rig *r)
{
    struct fail was = r->store.fail;

    r->store.fail = (struct fail){.at = 1, .on = true};
    cloud_rig_close(r);
    r->store.fail = was;
}

void
cloud_rig_release(struct cloud_rig *r)
{
    cloud_rig_close(r);
    loop_mem_release(&r->loop);
    objects_mem_release(&r->store);
    r->index.index.ops->close(&r->index.index);
}

struct audit {
    unsigned rows, objects;
};

static bool
see_row(void *arg, const struct index_row *row)
{
    struct audit *a = arg;

    a->rows++;
    a->objects += 2 + (attr_blocks(row->attr.stored_size) > ATTR_INLINE_BLOCKS);
    return true;
}

unsigned
cloud_rig_audit(struct cloud_rig *r)
{
    struct element_report rep;
    struct audit a = {0};
    unsigned objects = objects_mem_count(&r->store, "data/");
    struct uuid nil = {{0}};
    enum err e;

    assert(!r->element);
    e = cloud_rebuild(r->objects, r->mem, NULL, test_quickest(), true, true,
                      &rep, &r->fault);
    assert(e == ERR_OK);
    e = r->mem->ops->list(r->mem, &nil, SIZE_MAX / 2, see_row, &a, NULL);
    assert(e == ERR_OK);
    if (rep.extra || rep.missing || rep.damaged || rep.files != a.rows ||
        objects != a.objects || objects_mem_uploads(&r->store)) {
        fprintf(stderr,
                "audit: %llu extra, %llu missing, %llu damaged; %llu files, %u "
                "rows; %u objects, %u expected; %u uploads\n",
                (unsigned long long)rep.extra, (unsigned long long)rep.missing,
                (unsigned long long)rep.damaged, (unsigned long long)rep.files,
                a.rows, objects, a.objects, objects_mem_uploads(&r->store));
        objects_mem_print(&r->store);
        assert(0 && "bucket and index agree");
    }
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
cloud_rig_check_log(struct cloud_rig *r)
{
    struct blob_capacity cap;
    uint64_t last = 0;
    enum err e =
        element_changes(r->element, 0, SIZE_MAX / 2, see_number, &last, NULL);

    assert(e == ERR_OK);
    r->story.blob->ops->capacity(r->story.blob, &cap);
    assert(cap.seq == last);
}
