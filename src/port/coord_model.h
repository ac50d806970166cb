/* coord_model.h - what coord.h promises, done in the most naive way: few keys,
 * owners and members by number, arrays, a look at everything every time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_MODEL_H
#define PORT_COORD_MODEL_H

#include "port/coord.h"

#define MODEL_KEYS    6
#define MODEL_OWNERS  3
#define MODEL_MEMBERS 5
#define MODEL_WRITES  3 /* of COORD_ALL */

enum model_kind {
    MODEL_NONE,
    MODEL_LEASE,
    MODEL_HASH,
    MODEL_TEXT,
    MODEL_ZSET,
    MODEL_BUCKET,
    MODEL_POOL,
};

struct model_key {
    enum model_kind kind;
    int64_t expires; /* ns; INT64_MAX: never */
    int owner;
    int64_t until;
    uint64_t epoch;
    bool in[MODEL_MEMBERS];
    int64_t score[MODEL_MEMBERS]; /* hashes: the value; text: [0] */
    int64_t full_at;              /* bucket */
    uint64_t amount[MODEL_MEMBERS];
    int64_t amount_until[MODEL_MEMBERS]; /* 0: none */
};

struct model {
    struct model_key key[MODEL_KEYS];
    int64_t now;
    int64_t wall_ms;
};

/* One operation by numbers; and its answer. */
struct model_op {
    enum coord_op op;
    int key, owner, member;
    bool guarded; /* by lease GUARD_KEY, held by `owner` under `epoch` */
    int guard_key;
    uint64_t epoch, floor, burst, amount, limit;
    int64_t score, ttl, per;
    unsigned cap;
    struct model_op *all; /* of COORD_ALL: MODEL_WRITES at most */
    unsigned n_all;
    enum err err;
    uint64_t number;
    int64_t left;
    uint64_t epoch_out;
    int members[MODEL_MEMBERS]; /* of a get or a range, in order */
    int64_t scores[MODEL_MEMBERS];
    unsigned n;
    char text[1024]; /* of COORD_CHANGED: "m1=7{m0:3,m2:1,}m4=8{}" */
};

void model_do(struct model *m, struct model_op *o);

#endif
