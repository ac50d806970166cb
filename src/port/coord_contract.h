/* coord_contract.h - port/coord.h as tests; run on every driver.
 *
 * Stories first, then operations at random beside coord_model.h, a model that
 * has arrays and nothing clever: every answer must be the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_CONTRACT_H
#define PORT_COORD_CONTRACT_H

#include "port/coord.h"
#include "port/loop_mem.h"

/* Where a driver lives that needs more than a loop in virtual time. The store's
 * time stands still but for pass(). */
struct coord_world {
    struct loop *(*loop)(void *arg);
    struct mono (*now)(void *arg); /* of the store */
    struct wall (*wall)(void *arg);
    void (*pass)(void *arg, int64_t ms);
    /* Until *DONE is not 0, or, DONE being NULL, until nothing is under way,
     * subscriptions and messages among it. */
    void (*settle)(void *arg, const unsigned *done);
    void (*close)(void *arg, struct coord *c);
};

struct coord_contract {
    const char *name;
    struct coord *(*open)(void *arg); /* fresh and empty; never NULL */
    void *arg;
    unsigned operations;             /* of the random test, in all */
    const struct coord_world *world; /* NULL: time is that of the loop */
    bool by_process; /* a publisher is told how many processes listen */
};

/* Runs all as one cmocka group; the number of failures. */
int coord_contract_run(const struct coord_contract *c);

/* One operation to its end, on L; returns r->err. */
enum err coord_do(struct coord *c, struct loop_mem *l, struct coord_request *r);

#endif
