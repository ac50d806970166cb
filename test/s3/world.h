/* world.h - an element in a bucket of a real S3 server, for tests: io/s3 and
 * SQLite below, on one thread (s3_turn() as the loop's pump).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_S3_WORLD_H
#define TEST_S3_WORLD_H

#include "io/s3.h"
#include "port/blob_story.h"
#include "role/storage/cloud.h"

struct world {
    char prefix[64];
    struct s3_conf s3;
    struct objects *objects;
    struct index *index;
    struct cloud_conf conf;
    struct element_pool *pool;
    struct element *element;
    struct element_report report;
    struct loop_mem loop;
    struct blob_story story;
    struct fault fault;
};

/* False: there is no S3_ENDPOINT; it has been told. */
bool world_there(void);
/* A newborn element below a prefix of its own; opened. Requests are repeated
 * RETRIES times. */
void world_init(struct world *w, unsigned retries);
enum err world_open(struct world *w);
void world_close(struct world *w);
void world_release(struct world *w);
/* Rows of the index; asserts that it and the bucket agree, and that nothing
 * else lies there. The element must be closed. */
unsigned world_audit(struct world *w);

#endif
