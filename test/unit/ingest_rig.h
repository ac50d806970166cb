/* ingest_rig.h - the upload gateway over elements in memory, on loops in
 * virtual time. SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_INGEST_RIG_H
#define TEST_UNIT_INGEST_RIG_H

#include "exchange_mem.h"
#include "port/loop_mem.h"
#include "port/registry_mem.h"
#include "role/ingest/ingest.h"

#define RIG_LOOPS    2
#define RIG_ELEMENTS 3

struct ingest_rig {
    struct loop_mem loop[RIG_LOOPS];
    struct blob_mem element[RIG_ELEMENTS]; /* se-0 ..., of mode edit */
    struct registry_mem registry;
    struct ingest *ingest;
    struct router *router;
    struct exchange_mem x; /* the one of ingest_rig_say() */
};

/* One element; add the others to the registry as needed. CONF may be NULL. */
void
ingest_rig_open(struct ingest_rig *r, void (*change)(struct ingest_conf *c));
/* Asserts that nothing is out: tickets, readers, blocks, bytes for replay. */
void ingest_rig_close(struct ingest_rig *r);

/* A request from head to its end: HEAD without the empty line, BODY may be
 * SLICE_NULL. BEFORE (may be NULL) changes the exchange first. The answer is
 * r->x, until the next request. Asserts that it ended, and that no ticket, no
 * block and no byte for replay is out. */
void ingest_rig_say(struct ingest_rig *r, const char *head, struct slice body,
                    void (*before)(struct exchange_mem *x));
/* The same in two steps, for what happens in between. */
void ingest_rig_begin(struct ingest_rig *r, const char *head, struct slice body,
                      void (*before)(struct exchange_mem *x));
void ingest_rig_settle(struct ingest_rig *r);
/* The value of a member of the JSON answer, in a static buffer; "" none. */
const char *ingest_rig_member(const struct ingest_rig *r, const char *name);
/* Does the answer have HEADER, a line like "ETag: x"? */
bool ingest_rig_has(const struct ingest_rig *r, const char *header);
/* N bytes that differ; from malloc. */
struct slice ingest_rig_bytes(size_t n);

#endif
