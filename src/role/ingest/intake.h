/* intake.h - one body on its way through the hash lanes into an element.
 *
 * The owner asks where the next bytes may go (intake_room), receives them
 * there, and says how many came (intake_took). The first 16 KiB go into a small
 * buffer, so that slow clients hold no block; what goes on becomes 256 KiB
 * blocks:
 *
 *     EMPTY -fill-> FULL -lanes-> HASHED -ticket-> WRITING -> EMPTY
 *
 * A streamed body has at most INTAKE_SLOTS blocks: when all are on their way,
 * or the process has none to spare, intake_room() says no and INTAKE_READY
 * comes later. That is the back-pressure all the way to the client's socket.
 *
 * Three ways, by what is known of the size:
 *   small   ends within its first block; hashed when it is whole
 *   held    known to fit the replay window (D04): its blocks stay here until
 *           the element has answered
 *   stream  everything else: admitted before its first block is written
 * A small or held body goes with one blob_put and can be tried on another
 * element; a streamed one cannot.
 *
 * Events are told in order and never inside a call of the owner:
 *   INTAKE_READY     there is room again
 *   INTAKE_ENDED     after intake_end(): all is hashed (digests) and, unless
 *                    small, written; publish or intake_abort()
 *   INTAKE_FAILED    once; err and fault say why; only intake_abort() is left,
 *                    or, when `refused`, intake_again()
 *   INTAKE_GONE      after intake_abort(): nothing is in flight, blocks are
 * back
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_INTAKE_H
#define ROLE_INGEST_INTAKE_H

#include "port/blob.h"
#include "role/ingest/lanes.h"

#define INTAKE_SLOTS    3
#define INTAKE_HELD_MAX (BLOB_PUT_BLOCKS * (uint64_t)BLOCK_SIZE)
#define INTAKE_SMALL    ((size_t)16 * 1024)

enum intake_event { INTAKE_READY, INTAKE_ENDED, INTAKE_FAILED, INTAKE_GONE };

enum slot_state {
    SLOT_EMPTY,
    SLOT_FILLING,
    SLOT_FULL, /* waits for the one before it to be hashed */
    SLOT_HASHING,
    SLOT_HASHED, /* waits for the ticket */
    SLOT_WRITING,
};

struct intake;

struct intake_slot {
    struct intake *intake;
    enum slot_state state;
    struct block *block;
    struct lane_item lane;
    struct blob_append append;
};

struct intake {
    struct loop *loop;
    struct lanes *lanes;
    struct blob *blob;
    void (*event)(struct intake *s, enum intake_event ev);
    uint64_t size;      /* bytes so far */
    uint64_t size_hint; /* for the admission; BLOB_SIZE_UNKNOWN */
    bool exact;         /* it is no hint but what will come */
    struct hash_state hash;
    const void *client; /* for the lanes: the same for all of a connection */
    struct hash_digests digests; /* with INTAKE_ENDED */
    enum err err;
    struct fault fault;
    struct blob_ticket *ticket;

    const void *given; /* intake_give(): the whole body, elsewhere */
    uint8_t *small;
    size_t small_n;
    struct intake_slot few[INTAKE_SLOTS];
    struct intake_slot *slot; /* FEW, or as many as are held */
    unsigned n_slots;
    unsigned head; /* oldest slot in use */
    unsigned used; /* slots in use, the filling one among them */
    struct blob_admit admit;
    struct blob_abort abort;
    struct lane_item last_lane;
    struct block_wait wait;
    struct task tell;
    struct uuid file_id;
    uint64_t attempt;
    bool holding;
    bool streaming; /* more than one put: admitted, or about to be */
    bool admitting;
    bool waiting;    /* for a block */
    bool want_ready; /* intake_room() said no */
    bool ending;
    bool final_due; /* the digests are still to be made */
    bool final_busy;
    bool ended;
    bool failed, failed_told;
    bool refused; /* failed, by the element's answer to the admission */
    bool aborting, abort_busy;
    bool aborted; /* an element was told to give up what it had */
    bool gone;
    bool telling;
};

void intake_init(struct intake *s, struct loop *l, struct lanes *lanes,
                 void (*event)(struct intake *s, enum intake_event ev));
/* Where it goes, before anything is appended; again for another element as long
 * as nothing was admitted. */
void intake_aim(struct intake *s, struct blob *b, const struct uuid *file_id,
                uint64_t attempt, uint64_t size_hint, bool exact);
/* Asks for admission now, before the first byte: intake_room() says no until
 * the answer is there (INTAKE_READY or INTAKE_FAILED). For bodies known to be
 * large. */
void intake_admit(struct intake *s);
/* After a failure with `refused` set: the element did not admit the body, of
 * which every byte is still here. Asks B instead; what was failed is not. A
 * read into the intake's room may be in flight. */
void intake_again(struct intake *s, struct blob *b, uint64_t attempt);
/* The whole body is at P (in memory that lives until INTAKE_GONE or the end):
 * instead of room and took. N <= BLOB_PUT_MAX. */
void intake_give(struct intake *s, const void *p, size_t n);

bool intake_room(struct intake *s, void **p, size_t *n);
void intake_took(struct intake *s, size_t n);
void intake_end(struct intake *s);
void intake_abort(struct intake *s);

/* The body has SIZE bytes at most, no more than INTAKE_HELD_MAX: keep it in
 * memory. Before the first byte. False: no memory, it will be streamed. */
bool intake_hold(struct intake *s, uint64_t size);

/* After INTAKE_ENDED: where the body lies, into R (data, aligned, blocks), when
 * it was never admitted. BLOCKS has room for BLOB_PUT_BLOCKS and is R's until
 * it is done. */
bool intake_body(struct intake *s, struct block **blocks, struct blob_put *r);
/* Gives back small buffer and block; nothing may be in flight. */
void intake_release(struct intake *s);

#endif
