/* sink.h - one body on its way through the hash lanes into an element.
 *
 * The owner asks where the next bytes may go (sink_room), receives them there,
 * and says how many came (sink_took). The first 16 KiB go into a small buffer,
 * so that slow clients hold no block; what goes on becomes 256 KiB blocks:
 *
 *     EMPTY -fill-> FULL -lanes-> HASHED -ticket-> WRITING -> EMPTY
 *
 * A body holds at most SINK_SLOTS blocks: when all are on their way, or the
 * process has none to spare, sink_room() says no and SINK_READY comes later.
 * That is the back-pressure all the way to the client's socket.
 *
 * A body that ends within its first block is never admitted by the sink: it lies
 * in memory (sink_small) for one blob_put, which can be tried on another element.
 * A larger one is admitted before its first block is written, and cannot.
 *
 * Events are told in order and never inside a call of the owner:
 *   SINK_READY     there is room again
 *   SINK_ENDED     after sink_end(): all is hashed (digests) and, unless small,
 *                  written; publish or sink_abort()
 *   SINK_FAILED    once; err and fault say why; only sink_abort() is left
 *   SINK_GONE      after sink_abort(): nothing is in flight, blocks are back
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_SINK_H
#define ROLE_INGEST_SINK_H

#include "port/blob.h"
#include "role/ingest/lanes.h"

#define SINK_SLOTS 3
#define SINK_SMALL ((size_t)16 * 1024)

enum sink_event { SINK_READY, SINK_ENDED, SINK_FAILED, SINK_GONE };

enum slot_state {
    SLOT_EMPTY,
    SLOT_FILLING,
    SLOT_FULL,    /* waits for the one before it to be hashed */
    SLOT_HASHING,
    SLOT_HASHED,  /* waits for the ticket */
    SLOT_WRITING,
};

struct sink;

struct sink_slot {
    struct sink *sink;
    enum slot_state state;
    struct block *block;
    struct lane_item lane;
    struct blob_append append;
};

struct sink {
    struct loop *loop;
    struct lanes *lanes;
    struct blob *blob;
    void (*event)(struct sink *s, enum sink_event ev);
    uint64_t size;      /* bytes so far */
    uint64_t size_hint; /* for the admission; BLOB_SIZE_UNKNOWN */
    struct hash_state hash;
    struct hash_digests digests; /* with SINK_ENDED */
    enum err err;
    struct fault fault;
    struct blob_ticket *ticket;

    const void *given; /* sink_give(): the whole body, elsewhere */
    uint8_t *small;
    size_t small_n;
    struct sink_slot slot[SINK_SLOTS];
    unsigned head; /* oldest slot in use */
    unsigned used; /* slots in use, the filling one among them */
    struct blob_admit admit;
    struct blob_abort abort;
    struct lane_item last_lane;
    struct block_wait wait;
    struct task tell;
    struct uuid file_id;
    uint64_t attempt;
    bool streaming; /* more than one put: admitted, or about to be */
    bool admitting;
    bool waiting;     /* for a block */
    bool want_ready;  /* sink_room() said no */
    bool ending;
    bool final_due;   /* the digests are still to be made */
    bool final_busy;
    bool ended;
    bool failed, failed_told;
    bool aborting, abort_busy;
    bool gone;
    bool telling;
};

void sink_init(struct sink *s, struct loop *l, struct lanes *lanes,
               void (*event)(struct sink *s, enum sink_event ev));
/* Where it goes, before anything is appended; again for another element as long
 * as nothing was admitted. */
void sink_aim(struct sink *s, struct blob *b, const struct uuid *file_id,
              uint64_t attempt, uint64_t size_hint);
/* Asks for admission now, before the first byte: sink_room() says no until the
 * answer is there (SINK_READY or SINK_FAILED). For bodies known to be large. */
void sink_admit(struct sink *s);
/* The whole body is at P (in memory that lives until SINK_GONE or the end):
 * instead of room and took. N <= BLOB_PUT_MAX. */
void sink_give(struct sink *s, const void *p, size_t n);

bool sink_room(struct sink *s, void **p, size_t *n);
void sink_took(struct sink *s, size_t n);
void sink_end(struct sink *s);
void sink_abort(struct sink *s);

/* After SINK_ENDED: the body in memory when it was never admitted. ALIGNED as
 * blob_put wants it. */
bool sink_small(const struct sink *s, const void **p, bool *aligned);
/* Gives back small buffer and block; nothing may be in flight. */
void sink_release(struct sink *s);

#endif
