/* objects_mem.h - port/objects.h in memory, for tests: everything that is
 * carried out is durable at once, as in a store, and any call can be told to
 * fail, before it is carried out or after.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_OBJECTS_MEM_H
#define PORT_OBJECTS_MEM_H

#include "port/fail.h"
#include "port/objects.h"

struct objects_mem {
    struct objects objects; /* give this to who is tested */
    struct fail fail;
    uint64_t part_least; /* smaller parts are refused; PART_LEAST at first */
    unsigned page_max;   /* rows of a page at most; 1000 at first */
    bool hold;           /* answers wait until objects_mem_let_go() */
    enum object_op last; /* of the request that was made to fail */
    uint64_t n_op[OBJECT_OPS];
    unsigned under_way;
    struct list held;
    struct list objs;    /* struct mem_object, by key */
    struct list uploads; /* struct mem_upload */
    uint64_t next_id;
};

void objects_mem_init(struct objects_mem *m);
void objects_mem_release(struct objects_mem *m);
void objects_mem_let_go(struct objects_mem *m);

unsigned objects_mem_count(const struct objects_mem *m, const char *prefix);
unsigned objects_mem_uploads(const struct objects_mem *m);
/* The bytes of an object, to look at or to damage; NULL: there is none. */
uint8_t *objects_mem_get(struct objects_mem *m, const char *key, size_t *n);
/* Removes it, as somebody else might. */
void objects_mem_drop(struct objects_mem *m, const char *key);
void objects_mem_print(const struct objects_mem *m);

#endif
