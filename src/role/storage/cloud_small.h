/* cloud_small.h - for tests: one element in a bucket in memory, with parts of
 * 1 MiB.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_CLOUD_SMALL_H
#define ROLE_STORAGE_CLOUD_SMALL_H

#include "role/storage/cloud_rig.h"
#include "role/storage/impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))
#define B             ((uint64_t)BLOCK_SIZE)

static struct cloud_rig rig;

static uint64_t small_parts = 4 * BLOCK_SIZE;

/* ARG: the size of parts; NULL: as it is ordinarily. */
static inline struct blob *
bucket_open(void *arg, struct loop_mem *l)
{
    (void)l;
    cloud_rig_init(&rig, NULL, NULL);
    if (arg) { /* small parts */
        cloud_rig_close(&rig);
        rig.conf.part_size = *(uint64_t *)arg;
        rig.conf.memory = 3 * rig.conf.part_size;
        rig.store.part_least = rig.conf.part_size;
        OK(cloud_rig_open(&rig));
    }
    return rig.story.blob;
}

static inline int
set_up(void **state)
{
    (void)state;
    (void)bucket_open(&small_parts, NULL);
    return 0;
}

static inline int
tear_down(void **state)
{
    (void)state;
    cloud_rig_release(&rig);
    return 0;
}

static inline void
set_true(void *arg)
{
    *(bool *)arg = true;
}

/* In which the element works. */
static inline void
let_pass(struct dur d)
{
    bool stopped = false;

    element_start(rig.element, &rig.loop.loop);
    loop_mem_advance(&rig.loop, d);
    element_stop(rig.element, set_true, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
}

#endif
