/* meta_contract.h - port/meta.h as tests; run on every driver.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_META_CONTRACT_H
#define PORT_META_CONTRACT_H

#include "port/meta.h"

struct meta_contract {
    const char *name;
    struct meta *(*open)(void *arg); /* fresh and empty; never NULL */
    /* Closes M and opens it again with what it held; NULL: cannot. */
    struct meta *(*reopen)(void *arg, struct meta *m);
    void *arg;
    /* A statement at the database of accounts and audit log, behind the
     * driver's back; NULL: cannot. */
    void (*sql)(void *arg, const char *text);
};

/* Runs all; the number of failures. */
int meta_contract_run(const struct meta_contract *c);

#endif
