/* server_impl.h - what server.c (running, stopping) and server_open.c (opening)
 * share. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SERVER_IMPL_H
#define CLI_SERVER_IMPL_H

#include "cli/bucket.h"
#include "cli/gauges.h"
#include "cli/observe.h"
#include "cli/server.h"
#include "cli/standstill.h"
#include "cli/startup.h"
#include "cli/vitals.h"
#include "conf/conf.h"
#include "io/coord_redis.h"
#include "io/fetch_http.h"
#include "io/http.h"
#include "io/tls.h"
#include "join/join.h"
#include "sec/keys.h"
#include <pthread.h>

#define LOOPS_MAX    64
#define ELEMENTS_MAX 64

struct server {
    struct conf conf;
    unsigned roles;                 /* JOIN_... */
    const struct conf_input *input; /* where CONF was read from */
    struct conf fresh;              /* whose texts CONF has since SIGHUP */
    struct standstill *standstill;
    struct startup *startup; /* until it is ready */
    struct log *log;
    struct metrics *metrics;
    struct health *health;
    int redis_check; /* of Admin; gateways have one of their own */
    struct observe *observe;
    struct vitals *vitals;
    struct gauges *gauges;
    struct blocks *blocks;
    struct workers *workers;
    struct ioloop *loop[LOOPS_MAX];
    struct loop *loops[LOOPS_MAX];
    pthread_t thread[LOOPS_MAX];
    unsigned n_loops, n_threads;
    struct join_element el[ELEMENTS_MAX];
    unsigned n_el;
    struct bucket bucket; /* of the one element, with STORAGE_BACKEND=s3 */
    struct meta *meta;
    struct keys *keys;
    struct auth_conf auth;
    struct join *join;
    struct serve_app app;    /* the join's, which is opened after the sockets */
    struct tls_context *tls; /* NULL: plaintext */
    struct http_server *http;
    struct tls_client *trust; /* of peers that we call */
    struct fetch *fetch;      /* NULL: nobody is called */
    struct coord *coord;      /* NULL: there is none */
    struct coord_redis_text coord_room;
    struct instance *instance;
    char url[256];
    bool first_start;
    /* main thread and loops meet here */
    pthread_mutex_t mu;
    pthread_cond_t cond;
    unsigned waiting;
};

/* ---- server_open.c ---- */

/* Log, metrics, health: what tells of all that follows. */
bool server_open_observation(struct server *s);
/* Everything else, up to and including the sockets, on which nothing is
 * accepted yet. *F names what failed. */
enum err server_open(struct server *s, struct fault *f);
/* Says in the log how long the certificate is good for. */
void server_tls_log(struct server *s);

/* ---- server.c ---- */

/* Counts one arrival of those that server_expect() waits for. Any thread. */
void server_expect(struct server *s, unsigned n);
void server_arrive(void *arg);
void server_await(struct server *s);

/* ---- installation.c: is the catalogue that of elements and keys? ---- */

/* At a first start, before anything is made: whose elements these are, so that
 * the catalogue becomes theirs; nil: new ones. */
enum err
installation_find(const struct server *s, struct uuid *id, struct fault *f);
/* Writes it into the catalogue, unless ID is nil. */
enum err
installation_take(struct server *s, const struct uuid *id, struct fault *f);
/* A catalogue elsewhere that has been in use: are there keys of ours, or what
 * makes us its second Admin? */
enum err installation_keys(const struct server *s, struct fault *f);

/* ---- server_far.c: other processes ---- */

enum err server_far_open(struct server *s, struct fault *f);
void server_far_conf(struct server *s, struct join_conf *jc);
/* When the roles have stopped, while the loops run. */
void server_far_stop(struct server *s);
void server_far_close(struct server *s);

/* ---- server_conf.c: what may change on SIGHUP ---- */

void server_conf_join(const struct conf *c, struct join_conf *jc);
void
server_conf_http(const struct conf *c, struct log *log, struct http_conf *hc);
void server_conf_far(const struct conf *c, struct gateway_conf *g);
void server_conf_vitals(const struct conf *c, struct vitals_limits *l);

/* ---- server_reload.c ---- */

/* SIGHUP: options, certificates, keys. On the main thread. */
void server_reload(struct server *s);

#endif
