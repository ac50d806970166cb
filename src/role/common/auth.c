/* auth.c - see auth.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/auth.h"
#include "role/common/reply.h"
#include "sec/random.h"
#include <stdlib.h>
#include <string.h>

/* How long a call waits for the issuer's keys, and how often it looks. */
#define KEYS_PATIENCE dur_s(2)
#define KEYS_LOOK     dur_ms(20)

struct authority {
    const struct auth_conf *conf;
    enum authority_keys (*unknown)(void *arg, struct mono now);
    void *arg;
    unsigned n_loops;
    struct auth loop[];
};

/* A verification under way. */
struct check {
    struct work work;
    struct authority *a;
    struct call *call;
    struct auth_job job;
    struct timer timer; /* while the issuer's keys are asked for */
    struct mono since;
    bool waits, again;
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

void
authority_issuer(struct authority *a,
                 enum authority_keys (*unknown)(void *arg, struct mono now),
                 void *arg)
{
    a->unknown = unknown;
    a->arg = arg;
}

static void
refuse_caller(struct call *c, enum token_why why)
{
    struct auth_refusal r;
    char scopes[SCOPE_TEXT];
    struct buf b;

    auth_refusal(why, c->route->scope, &r);
    if (r.www_authenticate[0])
        exchange_header(c->x, SLICE("WWW-Authenticate"),
                        slice_str(r.www_authenticate));
    buf_init(&b, 256);
    buf_printf(&b, "{\"reason\":\"%s\"", r.reason);
    if (why == SCOPE_MISSING)
        buf_printf(&b, ",\"scope\":\"%s\"",
                   scope_text(c->route->scope, scopes));
    buf_add_char(&b, '}');
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
check_end(struct loop *l, struct check *k)
{
    struct auth_result res;

    auth_done(&k->a->loop[l->id], &k->job, k->call->route->scope, l->wall,
              &res);
    caller_admit(k->call, &res);
    free(k);
}

/* The token names a key that we do not have. */
static void
check_key(struct loop *l, struct check *k)
{
    switch (k->a->unknown(k->a->arg, l->now)) {
    case AUTHORITY_KEYS_ASKED:
        if (!k->waits)
            k->since = l->now;
        k->waits = true;
        if (mono_sub(l->now, k->since).ns < KEYS_PATIENCE.ns &&
            loop_timer(l, &k->timer, mono_add(l->now, KEYS_LOOK)))
            return;
        k->job.why = TOKEN_KEYS_ABSENT;
        break;
    case AUTHORITY_KEYS_ABSENT:
        k->job.why = TOKEN_KEYS_ABSENT;
        break;
    case AUTHORITY_KEYS_KNOWN:
        if (!k->waits)
            break;
        k->again = true; /* with what came; and that is the end of it */
        loop_work(l, &k->work);
        return;
    }
    check_end(l, k);
}

static void
key_timer(struct loop *l, struct timer *t)
{
    check_key(l, container_of(t, struct check, timer));
}

static void
check_done(struct loop *l, struct work *w)
{
    struct check *k = container_of(w, struct check, work);

    if (k->job.why == TOKEN_KEY_UNKNOWN && k->a->unknown && !k->again)
        check_key(l, k);
    else
        check_end(l, k);
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
    k->timer.fire = key_timer;
    loop_work(l, &k->work);
}
