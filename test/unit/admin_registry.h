/* admin_registry.h - for the tests of Admin's registry: Admin over SQLite, one
 * element with its index; index and catalogue can be made to fail.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_ADMIN_REGISTRY_H
#define TEST_UNIT_ADMIN_REGISTRY_H

#include "io/index_sqlite.h"
#include "io/meta_sqlite.h"
#include "port/index_fail.h"
#include "port/loop_mem.h"
#include "port/meta_fail.h"
#include "role/admin/registry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* One element with its index, a catalogue that can fail, and Admin. */
struct world {
    struct loop_mem loop;
    struct index_fail index;
    struct meta_fail meta;
    struct admin *admin;
    struct registry *g;
    struct blob blob;
    struct admin_source source;
    struct meta_element like;
    int mode_set; /* what the element was told; -1: nothing */
};

static const struct uuid se1 = {{0xe1}};

static inline void
ok(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s: %s: %s", err_name(e), f->op, f->what);
}

static inline void
told_mode(void *arg, enum blob_mode mode)
{
    ((struct world *)arg)->mode_set = (int)mode;
}

static inline void
world_init(struct world *w)
{
    struct index *x;
    struct meta *m;
    struct fault f = {0};

    memset(w, 0, sizeof(*w));
    loop_mem_init(&w->loop);
    ok(index_sqlite_open(&x, ":memory:", &f), &f);
    ok(meta_sqlite_open(&m, NULL, &f), &f);
    index_fail_init(&w->index, x);
    meta_fail_init(&w->meta, m);
    w->source.index = &w->index.index;
    w->source.set_mode = told_mode;
    w->source.arg = w;
    w->mode_set = -1;
    (void)snprintf(w->blob.element_id, sizeof(w->blob.element_id), "se-01");
    w->like = (struct meta_element){.uuid = se1,
                                    .element_id = "se-01",
                                    .priority = 100,
                                    .created_at = {1000},
                                    .updated_at = {1000}};
    ok(admin_open(&w->admin, &w->meta.meta, &f), &f);
    w->g = admin_registry(w->admin);
}

static inline enum err
attach(struct world *w, struct fault *f)
{
    enum err e = admin_attach(w->admin, &w->blob, &w->source, &w->like, f);

    return e ? e : admin_attached(w->admin, f);
}

/* As after a restart of the process. */
static inline void
restart(struct world *w)
{
    struct fault f = {0};

    admin_close(&w->admin);
    ok(admin_open(&w->admin, &w->meta.meta, &f), &f);
    w->g = admin_registry(w->admin);
    ok(attach(w, &f), &f);
}

static inline void
stopped(void *arg)
{
    *(bool *)arg = true;
}

static inline void
stop(struct world *w)
{
    bool done = false;

    admin_stop(w->admin, stopped, &done);
    assert_false(done); /* never inside the call */
    loop_mem_settle(&w->loop);
    assert_true(done);
}

static inline void
world_release(struct world *w)
{
    admin_close(&w->admin);
    admin_close(&w->admin); /* harmless */
    w->meta.meta.ops->close(&w->meta.meta);
    w->index.index.ops->close(&w->index.index);
    loop_mem_release(&w->loop);
}

#endif
