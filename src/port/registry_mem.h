/* registry_mem.h - a driver of port/registry.h over elements in memory, that
 * answers what it is told to. For tests. It asks the elements themselves, so it
 * knows all of their files, unless it is told to be behind. One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_REGISTRY_MEM_H
#define PORT_REGISTRY_MEM_H

#include "port/blob_mem.h"
#include "port/registry.h"

#define REGISTRY_MEM_MAX 48

struct registry_mem {
    struct registry registry; /* give this to who is tested */
    struct blob_mem *element[REGISTRY_MEM_MAX];
    unsigned n;
    enum err lookup_is, list_is; /* ERR_OK: as usual */
    bool behind;                 /* knows no file */
    bool far;                    /* knows them, but their element is away */
    unsigned audits;
    struct meta_audit last_audit;
};

void registry_mem_init(struct registry_mem *m);
void registry_mem_add(struct registry_mem *m, struct blob_mem *element);

#endif
