/* route.c - finding the route of a request and handing it over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/route.h"
#include "role/common/auth.h"
#include "role/common/reply.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_MAX 256 /* calls kept for the next request, per loop */

struct router_loop {
    struct call *spare;
    unsigned n_spare;
};

struct router {
    struct serve_app app;
    struct route_table table[ROUTE_TABLES_MAX];
    size_t n_tables;
    const char *role;
    struct authority *auth;
    struct log *log;
    unsigned n_loops;
    void (*routed)(void *arg, struct exchange *x); /* NULL: nobody listens */
    void *routed_arg;
    struct router_loop loop[];
};

/* ---- matching ---- */

static bool
pattern_match(const char *pattern, struct slice path,
              struct slice param[ROUTE_PARAMS_MAX])
{
    unsigned n = 0;

    while (*pattern) {
        if (*pattern == '{') {
            size_t len = slice_find(path, '/');

            if (len == 0 || n == ROUTE_PARAMS_MAX)
                return false;
            param[n++] = slice_head(path, len);
            path = slice_skip(path, len);
            while (*pattern != '}')
                pattern++;
            pattern++;
        } else if (path.n && path.p[0] == *pattern) {
            path = slice_skip(path, 1);
            pattern++;
        } else {
            return false;
        }
    }
    return path.n == 0;
}

static bool
route_match(const struct route *r, struct slice path,
            struct slice param[ROUTE_PARAMS_MAX])
{
    if (pattern_match(r->pattern, path, param))
        return true;
    for (size_t i = 0; i < ROUTE_ALSO_MAX && r->also[i]; i++)
        if (pattern_match(r->also[i], path, param))
            return true;
    return false;
}

const struct route *
router_find(const struct router *r, enum http_method method, struct slice path,
            struct slice param[ROUTE_PARAMS_MAX],
            const struct route_table **table, unsigned *allow)
{
    *allow = 0;
    for (size_t t = 0; t < r->n_tables; t++)
        for (size_t i = 0; i < r->table[t].n; i++) {
            const struct route *rt = &r->table[t].route[i];

            if (!route_match(rt, path, param))
                continue;
            *allow |= 1u << rt->method;
            if (rt->method == HTTP_GET)
                *allow |= 1u << HTTP_HEAD;
            if (rt->method != method &&
                !(rt->method == HTTP_GET && method == HTTP_HEAD))
                continue;
            *table = &r->table[t];
            return rt;
        }
    return NULL;
}

const struct route_table *
router_tables(const struct router *r, size_t *n)
{
    *n = r->n_tables;
    return r->table;
}

/* ---- calls ---- */

static struct call *
call_get(struct router *r, struct exchange *x)
{
    struct router_loop *rl = &r->loop[x->loop->id];
    struct call *c = rl->spare;

    if (c) {
        rl->spare = c->next;
        rl->n_spare--;
    } else if ((c = malloc(sizeof(*c))) == NULL) {
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->x = x;
    c->router = r;
    c->router_log = r->log;
    return c;
}

/* The exchange may be gone by now: the loop is remembered in the call. */
void
call_end(struct call *c)
{
    struct router_loop *rl = &c->router->loop[c->loop_id];

    if (rl->n_spare == SPARE_MAX) {
        free(c);
        return;
    }
    c->next = rl->spare;
    rl->spare = c;
    rl->n_spare++;
}

static void
reply_not_here(struct call *c, unsigned allow)
{
    char details[48];
    struct buf b;

    /* RFC 9110 section 9.1 */
    if (c->x->head->method == HTTP_OTHER) {
        reply_error(c, 501, "unknown_method",
                    "No path of this server has that method");
        return;
    }
    if (allow == 0) {
        (void)snprintf(details, sizeof(details), "{\"role\":\"%s\"}",
                       c->router->role);
        reply_error_details(c, 404, "not_found",
                            "There is no such path; /openapi.json lists them "
                            "all",
                            details);
        return;
    }
    buf_init(&b, 256);
    for (unsigned m = 0; m < HTTP_OTHER; m++)
        if (allow >> m & 1) {
            if (b.n)
                buf_add_str(&b, ", ");
            buf_add_str(&b, http_method_name((enum http_method)m));
        }
    exchange_header(c->x, SLICE("Allow"), buf_slice(&b));
    reply_error(c, 405, "method_not_allowed",
                "This path does not have that method; it has %s", buf_str(&b));
    buf_release(&b);
}

static void
router_begin(struct serve_app *app, struct exchange *x)
{
    struct router *r = container_of(app, struct router, app);
    const struct route_table *table = NULL;
    struct call *c = call_get(r, x);
    unsigned allow = 0;

    if (c == NULL) {
        exchange_answer(x, 503, SLICE_NULL, SLICE_NULL);
        return;
    }
    c->loop_id = x->loop->id;
    c->route = router_find(r, x->head->method, x->head->path, c->param, &table,
                           &allow);
    x->route = c->route ? c->route->pattern : "unmatched";
    if (r->routed)
        r->routed(r->routed_arg, x);
    if (c->route == NULL) {
        reply_not_here(c, allow);
        return;
    }
    c->role = table->role;
    if (c->route->scope == 0 || r->auth == NULL)
        c->route->handle(c);
    else
        authority_check(r->auth, c);
}

struct router *
router_open(const struct route_table *tables, size_t n, const char *role,
            struct authority *auth, struct log *log, unsigned n_loops)
{
    struct router *r = calloc(1, sizeof(*r) + n_loops * sizeof(r->loop[0]));

    assert(n <= ROUTE_TABLES_MAX);
    if (r == NULL)
        return NULL;
    r->app.begin = router_begin;
    memcpy(r->table, tables, n * sizeof(tables[0]));
    r->n_tables = n;
    r->role = role;
    r->auth = auth;
    r->log = log;
    r->n_loops = n_loops;
    return r;
}

void
router_observe(struct router *r, void (*fn)(void *arg, struct exchange *x),
               void *arg)
{
    r->routed = fn;
    r->routed_arg = arg;
}

void
router_close(struct router **rp)
{
    struct router *r = *rp;
    struct call *c;

    *rp = NULL;
    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->n_loops; i++)
        while ((c = r->loop[i].spare) != NULL) {
            r->loop[i].spare = c->next;
            free(c);
        }
    free(r);
}

struct serve_app *
router_app(struct router *r)
{
    return &r->app;
}
