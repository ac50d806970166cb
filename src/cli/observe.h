/* observe.h - what the process says about itself: the end of every request into
 * metrics and access log, gauges that are read when somebody asks, health.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OBSERVE_H
#define CLI_OBSERVE_H

#include "io/http.h"

struct conf;
struct metrics;
struct log;
struct health;
struct observe;

struct observe *observe_open(const struct conf *c, struct metrics *m,
                             struct log *l, struct health *h, unsigned n_loops);
void observe_close(struct observe **o);

/* For http_conf and http_server_open(). */
struct http_observer *observe_observer(struct observe *o);
void observe_client(void *arg, struct exchange *x, const struct sockaddr *peer);
/* For join_conf: the request is in progress from now on. */
void observe_routed(void *arg, struct exchange *x);

/* Where the access log goes, as ACCESS_LOG says: "on", "off", or a path, whose
 * file is opened (appended to, made with mode 0640). *FD gets it, or -1. */
enum err observe_access_open(const char *where, int *fd, struct fault *f);
/* The same from now on; FD is the observer's. While no loop runs. */
void observe_access(struct observe *o, const char *where, int fd);

/* Periodic work on L (log summaries); both on L's thread. */
void observe_start(struct observe *o, struct loop *l);
void observe_stop(struct observe *o);

#endif
