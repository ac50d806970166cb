/* gateway.h - what a gateway in a process of its own stands on: the elements
 * and Admin are elsewhere (architecture.md, section 3).
 *
 *     link       a token for ourselves, the keys of users' tokens
 *     registry   Admin's, over HTTP
 *     monitor    which elements there are, how full, who polls
 *     pull       the elements' logs, to Admin
 *     inform     what was polled, to Admin
 *     audit      who did what, to Admin
 *
 * and the checks of health that tell of them (ING-096, ING-097):
 *
 *     redis             degraded without: choices go by Admin's list
 *     admin_module      degraded without: nothing new is listed; unhealthy
 *                       until the first keys are there, since no token can be
 *                       told from a forged one
 *     storage_elements  unhealthy when none takes uploads, or nobody knows
 *     capacity_monitor  who polls; what selection goes by
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef JOIN_GATEWAY_H
#define JOIN_GATEWAY_H

#include "obs/health.h"
#include "role/common/auth.h"
#include "role/ingest/ingest.h"
#include "role/ingest/monitor.h"
#include "sec/keys.h"

struct gateway;

struct gateway_conf {
    const char *admin_url;
    const char *client_id; /* "": elements and Admin ask for no token */
    const char *client_secret;
    struct dur patience; /* for answers of Admin, those of the registry apart */
    struct keys *keys;   /* to be fed with Admin's; NULL: not */
    struct fetch *fetch;
    struct coord *coord; /* NULL: there is none */
    /* Its settings; ports and what it shares with others are filled in. */
    struct monitor_conf monitor;
    struct loop **loops;
    unsigned n_loops;
    const struct hash_kernels *hash;
    struct metrics *metrics;
    struct health *health;
    struct log *log;
    struct mono (*clock)(void);
};

/* What CONF names must outlive it. */
enum err gateway_open(struct gateway **out, const struct gateway_conf *conf,
                      struct fault *f);
/* Whose keys A goes by: Admin's. */
void gateway_issuer(struct gateway *g, struct authority *a);
/* Sets registry, monitor and pull. */
void gateway_provide(struct gateway *g, struct ingest_conf *c);
/* Both on the first loop's thread. Stop when no exchange is under way, while
 * the loops run; DONE there. After it nothing of the gateway is left but
 * memory; its peers go as fast as their loops close connections. */
void gateway_start(struct gateway *g, struct loop *l);
void gateway_stop(struct gateway *g, void (*done)(void *arg), void *arg);
/* From any thread: the list of elements is read again (REL-065). */
void gateway_reload(struct gateway *g);
/* Sets *G to NULL; accepts NULL. */
void gateway_close(struct gateway **g);

#endif
