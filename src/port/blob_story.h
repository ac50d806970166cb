/* blob_story.h - port/blob.h as a test would tell it: each call is submitted on
 * a loop in virtual time and carried to its end. Bodies are made from a number,
 * so that a story need not keep them. For tests only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_BLOB_STORY_H
#define PORT_BLOB_STORY_H

#include "port/blob.h"
#include "port/loop_mem.h"

struct blob_story {
    struct blob *blob;
    struct loop_mem *loop;
    struct fault fault; /* of the last call that failed */
};

/* File number I: id, names, size and (made-up, but its own) digests. */
void story_attr(struct file_attr *a, unsigned i, uint64_t size);
/* The byte at OFF of file number I. */
uint8_t story_byte(unsigned i, uint64_t off);
void story_fill(unsigned i, uint64_t off, void *p, size_t n);

/* In one call; as blocks when it is more than BLOB_PUT_MAX, and at most
 * BLOB_PUT_BLOCKS of them. OUT (may be NULL) gets what the element
 * made of the attributes. */
enum err story_put(struct blob_story *s, unsigned i, uint64_t size,
                   struct file_attr *out);
/* By admit, append and publish. KNOWN: the size is told at admission. */
enum err story_upload(struct blob_story *s, unsigned i, uint64_t size,
                      bool known, struct file_attr *out);
/* Admitted, APPENDED bytes written, then given up. */
enum err story_abort(struct blob_story *s, unsigned i, uint64_t attempt,
                     uint64_t size, uint64_t appended);
enum err story_delete(struct blob_story *s, unsigned i);
/* Reads it whole, block by block: ERR_OK only when all SIZE bytes are those of
 * file number I. ERR_CORRUPT otherwise. */
enum err
story_check(struct blob_story *s, unsigned i, uint64_t size, bool verify);
enum err story_open(struct blob_story *s, unsigned i, struct blob_reader **out);
/* Number of files listed, in pages of PAGE; asserts their order. */
unsigned story_count(struct blob_story *s, unsigned page);

/* Several puts at once, in one batch where the element makes batches; ERRS has
 * place for N. Files FIRST ... FIRST + N - 1. */
void story_put_many(struct blob_story *s, unsigned first, unsigned n,
                    uint64_t size, enum err *errs);

#endif
