/* coord_subs.h - the subscribers of one process, for the drivers of
 * port/coord.h: who listens to which channel, and messages on their way to
 * their loops. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_SUBS_H
#define PORT_COORD_SUBS_H

#include "port/coord.h"
#include <pthread.h>

#define COORD_SUBS_MAX         256
#define COORD_SUBS_WAITING_MAX 256 /* messages waiting for one subscriber */
#define COORD_SUBS_BYTES_MAX   ((size_t)16 * MIB) /* of them */

struct coord_subs {
    pthread_mutex_t lock;
    struct list nodes;
    unsigned n;
};

void coord_subs_init(struct coord_subs *s);
/* Nobody is subscribed; messages may still be on their way. */
void coord_subs_release(struct coord_subs *s);

/* Both on sub->loop's thread, as in coord.h. */
enum err coord_subs_add(struct coord_subs *s, struct coord_sub *sub);
void coord_subs_remove(struct coord_subs *s, struct coord_sub *sub);

/* The rest from any thread. */

/* To all who listen to CHANNEL; the number of them. */
unsigned
coord_subs_send(struct coord_subs *s, struct slice channel, struct slice value);
/* Nobody knows what was said for a while: each has lost one at least. */
void coord_subs_gap(struct coord_subs *s);
/* EACH for every subscription, some channels several times; under the lock. */
void
coord_subs_channels(struct coord_subs *s,
                    void (*each)(void *arg, const char *channel), void *arg);

#endif
