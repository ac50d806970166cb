/* disk_contract.h - port/disk.h as tests; run on every driver.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_DISK_CONTRACT_H
#define PORT_DISK_CONTRACT_H

#include "port/disk.h"

struct disk_contract {
    const char *name;                /* of the driver, in the output */
    struct disk *(*open)(void *arg); /* an empty folder; never NULL */
    void *arg;
    bool no_tmpfile;
};

/* Runs all as one cmocka group; the number of failures. */
int disk_contract_run(const struct disk_contract *c);

#endif
