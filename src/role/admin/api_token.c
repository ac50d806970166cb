/* api_token.c - tokens for client credentials (ADM-023, ADM-025). The decision
 * is sec/grant's; here it is carried over a worker, since comparing a secret
 * that a person chose takes its time. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "wire/head.h"
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX (64 * KIB)

struct token_request {
    struct small_body body; /* holds a secret */
    struct grant grant;     /* so does this */
    struct grant_reply reply;
    struct buf out;
    struct work work;
    struct mono mono;
    struct wall wall;
    struct grant_conf conf; /* as it was when the request came */
    enum err err;
    struct fault fault;
};

static void
token_free(struct token_request *r)
{
    grant_release(&r->grant);
    small_body_release(&r->body);
    if (r->out.p)
        explicit_bzero(r->out.p, r->out.n);
    buf_release(&r->out);
    free(r);
}

static void
token_work(struct work *w)
{
    struct token_request *r = container_of(w, struct token_request, work);
    struct call *c = r->body.call;
    struct admin_api *api = c->role;
    struct meta_account account;
    bool found = false;

    if (r->grant.why == GRANT_OK) {
        r->err = admin_account_get(api->conf.admin, r->grant.client_id,
                                   &account, &r->fault);
        found = r->err == ERR_OK;
        if (r->err && r->err != ERR_NOENT)
            return;
        r->err = ERR_OK;
    }
    grant_answer(&r->conf, &r->grant, found ? &account : NULL,
                 slice_str(c->x->client), r->mono, r->wall, &r->out, &r->reply);
    explicit_bzero(&account, sizeof(account));
}

static void
token_audit(const struct token_request *r, const struct loop *l)
{
    const struct call *c = r->body.call;
    const struct admin_api *api = c->role;
    struct meta_audit a;

    api_audit_entry(c, &a, r->grant.client_id, "token.issue",
                    r->grant.client_id, grant_name(r->reply.why));
    a.at = l->wall;
    admin_audit_token(api->conf.admin, &a, r->reply.why != GRANT_OK,
                      c->x->client, l->now);
}

static void
token_done(struct loop *l, struct work *w)
{
    struct token_request *r = container_of(w, struct token_request, work);
    struct call *c = r->body.call;
    struct exchange *x = c->x;
    char seconds[16];

    if (r->err) {
        reply_fault(c, &r->fault, "The database");
        token_free(r);
        return;
    }
    token_audit(r, l);
    /* RFC 6749 section 5.1 */
    exchange_header(x, SLICE("Cache-Control"), SLICE("no-store"));
    exchange_header(x, SLICE("Pragma"), SLICE("no-cache"));
    if (r->reply.basic_challenge)
        exchange_header(x, SLICE("WWW-Authenticate"),
                        SLICE("Basic realm=\"artstore\""));
    if (r->reply.retry_after_s) {
        (void)snprintf(seconds, sizeof(seconds), "%u", r->reply.retry_after_s);
        exchange_header(x, SLICE("Retry-After"), slice_str(seconds));
    }
    exchange_answer(x, (int)r->reply.status, SLICE("application/json"),
                    buf_slice(&r->out));
    call_end(c);
    token_free(r);
}

static void
token_body(struct small_body *b)
{
    struct token_request *r = container_of(b, struct token_request, body);
    struct exchange *x = b->call->x;
    const struct admin_api *api = b->call->role;

    r->conf = api->grant;
    grant_parse(&r->grant, http_head_value(x->head, SLICE("Content-Type")),
                buf_slice(&b->buf),
                http_head_value(x->head, SLICE("Authorization")));
    r->grant.request_id = x->request_id;
    r->mono = x->loop->now;
    r->wall = x->loop->wall;
    r->work.work = token_work;
    r->work.done = token_done;
    loop_work(x->loop, &r->work);
}

static void
token_failed(struct small_body *b)
{
    token_free(container_of(b, struct token_request, body));
}

void
api_token(struct call *c)
{
    struct admin_api *api = c->role;
    struct token_request *r;

    if (!api->conf.keys) {
        reply_error(c, 404, "not_found", "No tokens are issued here");
        return;
    }
    r = calloc(1, sizeof(*r));
    if (!r) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    buf_init(&r->out, ANSWER_MAX);
    r->body.done = token_body;
    r->body.failed = token_failed;
    small_body_read(&r->body, c, API_FORM_MAX);
}
