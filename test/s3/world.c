/* world.c - see world.h. SPDX-License-Identifier: Apache-2.0 */
#include "world.h"
#include "hash/test_cpu.h"
#include "io/index_sqlite.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool
world_there(void)
{
    if (getenv("S3_ENDPOINT"))
        return true;
    puts("skipped: no S3_ENDPOINT (run through test/s3/radosgw.py)");
    return false;
}

static bool
pump(void *arg)
{
    struct world *w = arg;

    return s3_turn(w->objects, 1000);
}

static void
must(struct world *w, enum err e)
{
    char text[FAULT_TEXT];

    if (e == ERR_OK)
        return;
    fprintf(stderr, "%s\n", fault_text(&w->fault, text, sizeof(text)));
    abort();
}

void
world_init(struct world *w, unsigned retries)
{
    static unsigned count;
    struct element_birth birth = {.label = "se-s3", .pool_id = "bucket"};
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    *w = (struct world){.conf = {.limit = 1024 * GIB, .nonce = 1}};
    snprintf(w->prefix, sizeof(w->prefix), "t%llu-%u/",
             (unsigned long long)t.tv_nsec, ++count);
    w->s3 = (struct s3_conf){.endpoint = getenv("S3_ENDPOINT"),
                             .bucket = getenv("S3_BUCKET"),
                             .keys = {.access_key = getenv("S3_ACCESS_KEY"),
                                      .secret_key = getenv("S3_SECRET_KEY")},
                             .prefix = w->prefix,
                             .path_style = true,
                             .retries = retries,
                             .manual = true};
    must(w, s3_open(&w->objects, &w->s3, &w->fault));
    must(w, index_sqlite_open(&w->index, ":memory:", &w->fault));
    loop_mem_init(&w->loop);
    w->loop.pump = pump;
    w->loop.pump_arg = w;
    w->story.loop = &w->loop;
    birth.element_uuid.b[0] = 1;
    must(w, cloud_init(w->objects, &birth, test_quickest(), &w->fault));
    must(w, world_open(w));
}

enum err
world_open(struct world *w)
{
    struct element_conf conf = {
        .mode = BLOB_EDIT, .hash = test_quickest(), .now = w->loop.loop.wall};
    struct ledger_conf ledger = element_ledger_conf();
    enum err e;

    ledger.headroom = (struct ledger_room){0, 0};
    w->pool = element_pool_new(&ledger);
    e = cloud_open(&w->element, &conf, &w->conf, w->objects, w->index, w->pool,
                   &w->report, &w->fault);
    if (e == ERR_OK)
        w->story.blob = element_blob(w->element);
    else
        element_pool_free(&w->pool);
    return e;
}

void
world_close(struct world *w)
{
    if (w->element) {
        element_close(&w->element);
        element_pool_free(&w->pool);
    }
}

void
world_release(struct world *w)
{
    world_close(w);
    loop_mem_release(&w->loop);
    w->index->ops->close(w->index);
    w->objects->ops->close(w->objects);
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

static unsigned
count(struct world *w, enum object_op op)
{
    struct object_req *r = calloc(1, sizeof(*r));
    unsigned n = 0;

    assert(r);
    r->op = op;
    r->rows = calloc(OBJECT_PAGE_MAX, sizeof(*r->rows));
    r->max = OBJECT_PAGE_MAX;
    assert(r->rows);
    snprintf(r->key, sizeof(r->key), "data/");
    do {
        must(w, objects_call(w->objects, r));
        n += r->n_rows;
        if (r->n_rows)
            memcpy(r->after, r->rows[r->n_rows - 1].key, sizeof(r->after));
    } while (r->more && r->n_rows);
    free(r->rows);
    free(r);
    return n;
}

unsigned
world_audit(struct world *w)
{
    struct element_report rep;
    struct uuid nil = {{0}};
    struct audit a = {0};
    unsigned objects = count(w, OBJECT_LIST);
    unsigned uploads = count(w, OBJECT_UPLOADS);

    assert(!w->element);
    must(w, cloud_rebuild(w->objects, w->index, NULL, test_quickest(), true,
                          true, &rep, &w->fault));
    must(w, w->index->ops->list(w->index, &nil, SIZE_MAX / 2, see_row, &a,
                                &w->fault));
    if (rep.extra || rep.missing || rep.damaged || rep.files != a.rows ||
        objects != a.objects || uploads) {
        fprintf(stderr,
                "audit: %llu extra, %llu missing, %llu damaged; %llu files, %u "
                "rows; %u objects, %u expected; %u uploads\n",
                (unsigned long long)rep.extra, (unsigned long long)rep.missing,
                (unsigned long long)rep.damaged, (unsigned long long)rep.files,
                a.rows, objects, a.objects, uploads);
        abort();
    }
    return a.rows;
}
