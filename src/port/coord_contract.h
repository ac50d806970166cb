/* coord_contract.h - port/coord.h as tests; run on every driver.
 *
 * Stories first, then operations at random beside coord_model.h, a model that
 * has arrays and nothing clever: every answer must be the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_CONTRACT_H
#define PORT_COORD_CONTRACT_H

#include "port/coord.h"
#include "port/loop_mem.h"

struct coord_contract {
    const char *name;
    struct coord *(*open)(void *arg); /* fresh and empty; never NULL */
    void *arg;
    unsigned operations; /* of the random test, in all */
};

/* Runs all as one cmocka group; the number of failures. Time is virtual: for
 * drivers whose time is that of the loop. */
int coord_contract_run(const struct coord_contract *c);

/* One operation to its end, on L; returns r->err. */
enum err coord_do(struct coord *c, struct loop_mem *l, struct coord_request *r);

#endif
