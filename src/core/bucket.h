/* bucket.h - which folder the next file goes to (D35).
 *
 * Folders are dated and numbered, 2026/11/21/0003, and take at most
 * BUCKET_FILES_MAX files each: a folder of 8,192 files is still listed, synced
 * and rescanned in a moment. By value; the owner serialises.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUCKET_H
#define CORE_BUCKET_H

#include "base/base.h"
#include "base/mono.h"
#include "base/slice.h"

#define BUCKET_FILES_MAX  8192
#define BUCKET_TEXT       32
#define BUCKET_NUMBER_MAX 99999

struct bucket {
    int32_t day;     /* since 1970-01-01; -1: none yet */
    uint32_t number; /* 1 ... */
    uint32_t files;  /* promised to it so far */
    uint32_t files_max;
};

/* None yet. FILES_MAX at most BUCKET_FILES_MAX. */
void bucket_init(struct bucket *b, uint32_t files_max);
/* A bucket is there with so many files (found at start). */
void
bucket_found(struct bucket *b, int32_t day, uint32_t number, uint32_t files);
/* Room for N files at NOW, all in one bucket: true when B has moved to a new
 * one, which must be made before it is used. The clock going back does not move
 * it. 0 < N <= its files_max. */
bool bucket_take(struct bucket *b, struct wall now, uint32_t n);
/* "2026/11/21/0003"; returns OUT. */
const char *bucket_text(const struct bucket *b, char out[BUCKET_TEXT]);
/* The reverse, strict. */
bool bucket_parse(struct slice s, int32_t *day, uint32_t *number);

#endif
