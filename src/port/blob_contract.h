/* blob_contract.h - port/blob.h as tests; run on every driver.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_BLOB_CONTRACT_H
#define PORT_BLOB_CONTRACT_H

#include "port/blob.h"
#include "port/loop_mem.h"

struct blob_contract {
    const char *name; /* of the driver, in the output */
    /* A fresh, empty element in mode edit with plenty of room; never NULL. */
    struct blob *(*open)(void *arg, struct loop_mem *l);
    /* Closes B, which is idle, and opens it again with what it held. */
    struct blob *(*reopen)(void *arg, struct blob *b);
    void (*close)(void *arg, struct blob *b);
    void (*set_mode)(void *arg, struct blob *b, enum blob_mode mode);
    /* Flips a bit of the stored bytes of the file of that name, at OFF. */
    void (*damage)(void *arg, struct blob *b, const char *storage_filename,
                   uint64_t off);
    void *arg;
};

/* Runs all as one cmocka group; the number of failures. */
int blob_contract_run(const struct blob_contract *c);

#endif
