/* route.h - every endpoint, once.
 *
 * A role brings one table of routes. The server, the check of who may call, the
 * label of the metrics, /openapi.json and the test that calls each route
 * without a token all read the tables; nothing about a route is written
 * anywhere else, so what is not in a table cannot exist.
 *
 * A pattern is a path with {names} for whole segments: "/api/files/{file_id}".
 * Other paths of the same handler stand in `also` (CNF-002). A path that is
 * there with another method is 405 with Allow, any other 404.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_ROUTE_H
#define ROLE_COMMON_ROUTE_H

#include "base/buf.h"
#include "port/serve.h"
#include "sec/scope.h"

#define ROUTE_PARAMS_MAX 3
#define ROUTE_ALSO_MAX   5
#define ROUTE_TABLES_MAX 8

struct call;

/* One parameter or answer, for the API description. */
struct route_doc {
    const char *name; /* parameter's name; or the status, "201" */
    const char *in;   /* "query", "header", "form", "body", "field": of the
                         query or the form; answers: NULL */
    const char *type; /* "string", "integer", "boolean", or a schema's name;
                         "binary", "text": no JSON. A form with a "binary" is
                         multipart, or the file as it is; another is urlencoded
                         or JSON */
    const char *text;
};

struct route {
    enum http_method method;
    const char *pattern;
    unsigned scope; /* SCOPE_...; 0: no token is asked (D41) */
    void (*handle)(struct call *c);
    const char *name;    /* operation id and metric label: "file_upload" */
    const char *summary; /* one line */
    const char *also[ROUTE_ALSO_MAX];
    const struct route_doc *docs; /* ends with a row without a name */
};

struct route_table {
    const struct route *route;
    size_t n;
    void *role;      /* given to the handlers as c->role */
    const char *tag; /* "files", "elements" ... groups the description */
};

/* Who calls. Everything empty when no token was asked. */
struct caller {
    char subject[64];
    char username[64];
    unsigned scopes;
};

/* One routed request. It lives until the exchange has ended: a handler keeps
 * its own state behind `state` and frees it before it ends the exchange with
 * one of the functions of reply.h or exchange_*(), followed by call_end(). */
struct call {
    struct exchange *x;
    struct router *router;
    const struct route *route;
    void *role;
    struct slice param[ROUTE_PARAMS_MAX]; /* as in the path, undecoded */
    struct caller caller;
    struct log *router_log;
    bool for_good; /* its 503 will not get better: no Retry-After */
    void *state;
    unsigned loop_id; /* of the loop that ends it: set after exchange_move() */
    struct call *next;
};

struct router;
struct log;
struct authority; /* role/common/auth.h: verifies tokens; NULL: nobody asks */

/* The tables must outlive the router. ROLE is told with a 404 ("ingester"), so
 * that who asked the wrong process learns it. N_LOOPS: how many loops will
 * call. */
struct router *
router_open(const struct route_table *tables, size_t n, const char *role,
            struct authority *auth, struct log *log, unsigned n_loops);
void router_close(struct router **r);
/* FN is called when the route of a request is known (x->route), before its
 * handler. Before requests come. */
void router_observe(struct router *r, void (*fn)(void *arg, struct exchange *x),
                    void *arg);
struct serve_app *router_app(struct router *r);

/* The route of METHOD and PATH; NULL with *ALLOW the methods that the path has
 * (bits 1 << method; 0: none). PARAM gets the segments. */
const struct route *
router_find(const struct router *r, enum http_method method, struct slice path,
            struct slice param[ROUTE_PARAMS_MAX],
            const struct route_table **table, unsigned *allow);

/* Every table, for the description and the tests. */
const struct route_table *router_tables(const struct router *r, size_t *n);

/* Gives C back after its exchange has ended. */
void call_end(struct call *c);

#endif
