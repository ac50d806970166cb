/* blob_mem.h - a driver of port/blob.h that keeps everything in memory and
 * fails what it is told to. For tests of those who use elements.
 *
 * It counts what its users must give back: tickets, readers. What it was told
 * is kept to be looked at. It takes a file_id once, knows no tombstones, no
 * epochs and no change log: what an element promises about those is tested on
 * the real one. One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_BLOB_MEM_H
#define PORT_BLOB_MEM_H

#include "base/list.h"
#include "port/blob.h"
#include "port/fail.h"

struct blob_mem {
    struct blob blob; /* give this to who is tested */
    struct fail fail; /* of all calls that can fail */
    /* Each answers so, whatever FAIL says; ERR_OK: as usual. */
    enum err admit_is, put_is, open_is, del_is;
    bool damaged;               /* reads that verify are ERR_CORRUPT */
    struct blob_capacity shows; /* the answer of capacity() */
    uint64_t generation;
    struct list files;
    unsigned n_files;
    unsigned tickets; /* out now */
    unsigned readers;
    unsigned admitted, published, aborted, puts; /* so far, that were asked */
    uint64_t last_size;                          /* of the last admission */
};

/* An empty element with room for a TiB. */
void
blob_mem_init(struct blob_mem *m, const char *element_id, enum blob_mode mode);
/* Asserts that nothing is out. */
void blob_mem_release(struct blob_mem *m);
/* The bytes of a file; .p is NULL when there is none. */
struct slice blob_mem_get(struct blob_mem *m, const struct uuid *file_id,
                          const struct file_attr **attr);

#endif
