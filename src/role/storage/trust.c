/* trust.c - see trust.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/trust.h"
#include "obs/log.h"
#include "obs/metric.h"
#include "role/common/body.h"
#include "role/common/reply.h"
#include "sec/keydoc.h"
#include <stdlib.h>

/* Bodies at a time: nobody shows a token, so one who is slow must not keep the
 * others out, nor many of them take our memory. */
#define HANDINGS_MAX 16

struct trust_api {
    struct keys *keys;
    struct log *log;
    struct metrics *metrics;
    atomic_uint handings;
    _Atomic uint64_t refused; /* the version that the log was told of */
};

struct handing {
    struct work work;
    struct small_body body;
    struct wall now;
    uint64_t version; /* of the text */
    enum err err;
    struct fault fault;
};

static struct trust_api *
handing_end(struct handing *h)
{
    struct trust_api *a = h->body.call->role;

    small_body_release(&h->body);
    free(h);
    atomic_fetch_sub(&a->handings, 1);
    return a;
}

/* ---- taking ---- */

static void
hand_work(struct work *w)
{
    struct handing *h = container_of(w, struct handing, work);
    struct trust_api *a = h->body.call->role;

    h->version = keydocs_version(buf_slice(&h->body.buf));
    h->err = keys_hand(a->keys, buf_slice(&h->body.buf), h->now, &h->fault);
}

static void
tell(struct trust_api *a, const struct handing *h)
{
    if (h->err == ERR_EXISTS)
        return;
    if (h->err == ERR_OK)
        log_info(a->log, "Keys of the Admin module taken over",
                 F_U64("version", keys_version(a->keys)));
    else if (atomic_exchange(&a->refused, h->version) != h->version ||
             h->version == 0)
        log_warning(a->log, "Keys that a gateway has brought are not taken",
                    F_U64("version", h->version), F_FAULT(&h->fault));
    metric_inc(a->metrics, metric_series(a->metrics, M_AUTH_KEY_RELOADS,
                                         h->err ? "failed" : "changed"));
}

static void
reply_taken(struct call *c, struct trust_api *a, bool taken)
{
    struct buf b;

    buf_init(&b, 256);
    buf_printf(&b, "{\"version\": %llu, \"taken\": %s}",
               (unsigned long long)keys_version(a->keys),
               taken ? "true" : "false");
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
hand_done(struct loop *l, struct work *w)
{
    struct handing *h = container_of(w, struct handing, work);
    struct call *c = h->body.call;
    const enum err e = h->err;
    struct fault f = h->fault;
    struct trust_api *a;

    (void)l;
    tell(c->role, h);
    a = handing_end(h);
    switch (e) {
    case ERR_OK:
    case ERR_EXISTS:
        reply_taken(c, a, e == ERR_OK);
        break;
    case ERR_INVAL:
        reply_error(c, 400, "invalid_keys", "%s", f.what);
        break;
    case ERR_DENIED:
        reply_error(c, 403, "keys_not_trusted",
                    "None of the documents is signed by a key that is trusted "
                    "here; give the element Admin's jwks.json "
                    "(AUTH_PUBLIC_KEY_PATH) and send it SIGHUP");
        break;
    default:
        reply_fault(c, &f, NULL);
        break;
    }
}

/* ---- reading ---- */

static void
body_done(struct small_body *b)
{
    struct handing *h = container_of(b, struct handing, body);

    h->now = b->call->x->loop->wall;
    loop_work(b->call->x->loop, &h->work);
}

static void
body_failed(struct small_body *b)
{
    (void)handing_end(container_of(b, struct handing, body));
}

static void
trust_put(struct call *c)
{
    struct trust_api *a = c->role;
    struct handing *h;

    if (atomic_fetch_add(&a->handings, 1) >= HANDINGS_MAX) {
        atomic_fetch_sub(&a->handings, 1);
        reply_error(c, 503, "overloaded", "Others are being looked at");
        return;
    }
    h = calloc(1, sizeof(*h));
    if (!h) {
        atomic_fetch_sub(&a->handings, 1);
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    h->work = (struct work){.work = hand_work, .done = hand_done};
    h->body.done = body_done;
    h->body.failed = body_failed;
    small_body_read(&h->body, c, KEYDOCS_MAX);
}

/* ---- the table ---- */

static const struct route_doc trust_docs[] = {
    {"version", "body", "integer", "Of the documents"},
    {"documents", "body", "array",
     "As GET /.well-known/key-documents has them"},
    {"200", NULL, "TrustedKeys",
     "They hold, or these or newer ones did before"},
    {"400", NULL, "Error", "No documents"},
    {"403", NULL, "Error", "None is signed by a key that is trusted here"},
    {"413", NULL, "Error", "Longer than 512 KiB"},
    {"503", NULL, "Error", "Others are being looked at"},
    {0},
};

static const struct route routes[] = {
    {HTTP_PUT,
     "/api/v1/trusted-keys",
     0,
     trust_put,
     "trusted_keys_put",
     "Which keys verify tokens from now on, as Admin has signed it",
     {0},
     trust_docs},
};

struct route_table
trust_routes(struct trust_api *a)
{
    return (struct route_table){routes, countof(routes), a, "storage"};
}

struct trust_api *
trust_open(struct keys *keys, struct log *log, struct metrics *metrics)
{
    struct trust_api *a = calloc(1, sizeof(*a));

    if (a) {
        a->keys = keys;
        a->log = log;
        a->metrics = metrics;
    }
    return a;
}

void
trust_close(struct trust_api **a)
{
    free(*a);
    *a = NULL;
}
