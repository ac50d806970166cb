/* remote_world.h - for tests: an element behind a real HTTP server on a thread
 * of its own, a gateway's side on another, and whatever stands between them;
 * and the far element as a port/blob.h for a loop in virtual time.
 *
 *     test (loop_mem) -- bridge --> gateway's loop -- TCP --> element's loop
 *
 * The bridge hands each call to the gateway's loop at once, so that calls
 * overlap as they would there, and lets the loop in virtual time wait for the
 * answer in a work, so that loop_mem_settle() carries a call to its end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_REMOTE_WORLD_H
#define TEST_REMOTE_WORLD_H

#include "io/fetch_http.h"
#include "io/tls.h"
#include "port/blob_story.h"
#include "role/common/blob_remote.h"
#include "role/storage/blobs.h"

struct remote_world;

struct remote_conf {
    const char *loop; /* "uring", "epoll", "auto" */
    /* Between: starts something in front of the element at PORT and writes the
     * URL to go to into URL. NULL: nothing is between. */
    void (*front)(void *arg, unsigned port, char *url, size_t cap);
    void (*unfront)(void *arg);
    void *arg;
    struct dur lease;                    /* of attempts; 0: the usual */
    uint64_t segment_max;                /* 0: the usual */
    unsigned attempts_max;               /* 0: the usual */
    bool tls;                            /* https, as localhost */
    bool relaxed;                        /* no syncs: many small runs */
    const struct fetch_http_conf *fetch; /* NULL: the usual */
};

/* A folder for all that a test program makes; removed by the second. */
void remote_base_make(void);
void remote_base_remove(void);
const char *remote_base(void);

struct remote_world *remote_world_open(const struct remote_conf *c);
/* Stops both sides, and starts them over the same folder. */
void remote_world_restart(struct remote_world *w);
/* Stops, and checks that nothing is left: no attempt, no block, no connection.
 */
void remote_world_close(struct remote_world **w);
/* Restarts, and asserts that the element's index is what a rebuild of all its
 * files would make: nothing lies around. */
void remote_world_audit(struct remote_world *w);

/* The gateway's side notices that the element answers again. */
void remote_world_reached(struct remote_world *w);

struct blob *remote_world_blob(struct remote_world *w);    /* the bridge */
struct blob *remote_world_element(struct remote_world *w); /* the real one */
struct element *remote_world_core(struct remote_world *w);
unsigned remote_world_attempts(struct remote_world *w);
unsigned remote_world_port(struct remote_world *w); /* of the element */
const char *remote_world_path(struct remote_world *w);
struct fetch *remote_world_fetch(struct remote_world *w);
struct ioloop *remote_world_gateway(struct remote_world *w);

const char *remote_world_cert(struct remote_world *w);
void remote_cert(const char *cert, const char *key, const char *name);

void remote_sleep_ms(int ms);

#endif
