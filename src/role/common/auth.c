/* auth.c - see auth.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/auth.h"
#include "role/common/reply.h"
#include "sec/random.h"
#include <stdlib.h>
#include <string.h>

struct authority {
    const struct auth_conf *conf;
    unsigned n_loops;
    struct auth loop[];
};

/* A verification under way. */
struct check {
    struct work work;
    struct authority *a;
    struct call *call;
    struct auth_job job;
};

struct authority *
authority_open(const struct auth_conf *conf, size_t cache_entries,
               unsigned n_loops)
{
    struct authority *a = calloc(1, sizeof(*a) + n_loops * sizeof(a->loop[0]));

    if (a == NULL)
        return NULL;
    a->conf = conf;
    for (; a->n_loops < n_loops; a->n_loops++) {
        uint64_t seed;

        sec_random(&seed, sizeof(seed));
        if (!auth_open(&a->loop[a->n_loops], conf, cache_entries, seed)) {
            authority_close(&a);
            return NULL;
        }
    }
    return a;
}

void
authority_close(struct authority **ap)
{
    struct authority *a = *ap;

    *ap = NULL;
    if (a == NULL)
        return;
    for (unsigned i = 0; i < a->n_loops; i++)
        auth_close(&a->loop[i]);
    free(a);
}

static void
refuse_caller(struct call *c, enum token_why why)
{
    struct auth_refusal r;
    char details[96];
    struct buf b;

    auth_refusal(why, c->route->scope, &r);
    exchange_header(c->x, SLICE("WWW-Authenticate"),
                    slice_str(r.www_authenticate));
    buf_init(&b, sizeof(details));
    buf_printf(&b, "{\"reason\":\"%s\"}", r.reason);
    reply_error_details(c, (int)r.status, r.error, r.message, buf_str(&b));
    buf_release(&b);
}

static void
caller_admit(struct call *c, const struct auth_result *res)
{
    const struct claims *cl = &res->claims;
    struct caller *who = &c->caller;
    const char *name = cl->username[0] ? cl->username : cl->sub;

    if (res->why != TOKEN_OK) {
        refuse_caller(c, res->why);
        return;
    }
    who->scopes = cl->scopes;
    (void)slice_copy(slice_head(slice_str(cl->sub), sizeof(who->subject) - 1),
                     who->subject, sizeof(who->subject));
    (void)slice_copy(slice_head(slice_str(name), sizeof(who->username) - 1),
                     who->username, sizeof(who->username));
    memcpy(c->x->user, who->subject, sizeof(c->x->user));
    c->route->handle(c);
}

static void
check_work(struct work *w)
{
    struct check *k = container_of(w, struct check, work);

    auth_verify(k->a->conf, &k->job);
}

static void
check_done(struct loop *l, struct work *w)
{
    struct check *k = container_of(w, struct check, work);
    struct auth_result res;

    auth_done(&k->a->loop[l->id], &k->job, k->call->route->scope, l->wall,
              &res);
    caller_admit(k->call, &res);
    free(k);
}

void
authority_check(struct authority *a, struct call *c)
{
    struct loop *l = c->x->loop;
    const struct http_head *h = c->x->head;
    const struct http_field *f = http_head_find(h, SLICE("Authorization"));
    struct auth_result res;
    struct check *k;

    if (f && http_head_next(h, SLICE("Authorization"), f)) {
        refuse_caller(c, TOKEN_MALFORMED); /* which of them would it be? */
        return;
    }
    if (auth_try(&a->loop[l->id], f ? f->value : SLICE_NULL, c->route->scope,
                 l->wall, &res)) {
        caller_admit(c, &res);
        return;
    }
    k = calloc(1, sizeof(*k));
    if (k == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    k->a = a;
    k->call = c;
    k->job.token = res.token; /* lives as long as the exchange's head */
    k->job.now = l->wall;
    k->work.work = check_work;
    k->work.done = check_done;
    loop_work(l, &k->work);
}
