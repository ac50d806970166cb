/* index_contract.h - port/index.h as tests; run on every driver.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_INDEX_CONTRACT_H
#define PORT_INDEX_CONTRACT_H

#include "port/index.h"

struct index_contract {
    const char *name; /* of the driver, in the output */
    /* A fresh, empty index; never NULL. */
    struct index *(*open)(void *arg);
    /* Closes X and opens it again with what it held; NULL: cannot. */
    struct index *(*reopen)(void *arg, struct index *x);
    void *arg;
    unsigned rounds; /* of the random test */
};

/* Runs all as one cmocka group; the number of failures. */
int index_contract_run(const struct index_contract *c);

/* Row number I of a made-up element: everything in it is derived from I. The
 * id is a v7 born at minute I. Metadata is NULL for every third. */
void index_sample(struct index_row *row, uint64_t i);
/* As a publish with this seq. */
void index_sample_change(struct index_change *c, uint64_t i, uint64_t seq);
/* Asserts that both say the same. */
void index_rows_equal(const struct index_row *a, const struct index_row *b);

#endif
