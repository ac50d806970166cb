/* bucket.h - the element of STORAGE_BACKEND=s3: its bucket, as the options name
 * it, and its local folder.
 *
 *     STORAGE_PATH/
 *         {bucket}[+{prefix}].db     the index, a cache of the bucket
 *         {bucket}[+{prefix}].lock   held while a process has it
 *
 * The folder is made when it is not there: nothing in it is the only copy of
 * anything. The names keep two buckets from sharing an index, which would show
 * the files of one in the other.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUCKET_H
#define CLI_BUCKET_H

#include "conf/conf.h"
#include "port/index.h"
#include "port/objects.h"

struct bucket {
    struct objects *objects;
    struct index *index;
    int lock; /* -1: none */
};

/* The bucket of CONF, of which nothing is asked yet. *F names the option. */
enum err
bucket_open(struct bucket *b, const struct conf *conf, struct fault *f);
/* Only the lock, in FOLDER, which must be there. ERR_BUSY as below. */
enum err bucket_lock(struct bucket *b, const struct conf *conf,
                     const char *folder, struct fault *f);
/* And the index in FOLDER, locked. ERR_BUSY: another process has it. MUST_BE:
 * ERR_NOENT where there is no index yet. */
enum err bucket_open_index(struct bucket *b, const struct conf *conf,
                           const char *folder, bool must_be, struct fault *f);
/* Of a zeroed B too. */
void bucket_close(struct bucket *b);

/* Keys and token of CONF from now on. Any thread. */
void bucket_adjust(struct objects *o, const struct conf *conf);

#endif
