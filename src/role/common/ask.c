/* ask.c - see ask.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/ask.h"
#include "wire/blobs.h"
#include <stdio.h>
#include <string.h>

#define TARGET_MAX ((size_t)512)
#define FIELDS_MAX ((size_t)8 * 1024)
#define READ_SIZE  ((size_t)4 * 1024)

static void ask_begin(struct ask *a);

/* SAID: by the peer itself, who has D16's errors; else by something in front of
 * it. A proxy's 404 is no answer about a file, and its 502 and 503 say that it
 * does not reach the peer, not that the peer asks for patience. */
static enum err
of_status(int status, bool said)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 413:
        return ERR_TOOBIG;
    case 429:
        return ERR_AGAIN;
    case 503:
        return said ? ERR_AGAIN : ERR_IO;
    case 504:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

static enum err
refusal(int status, struct slice body, const char *url, bool *said,
        struct fault *f)
{
    struct json_error je = {0};
    json_t *o = json_read(body, &je);
    struct slice name = json_get_str(o, "error", JSON_OPTIONAL, &je);
    struct slice text = json_get_str(o, "message", JSON_OPTIONAL, &je);
    enum err e = name.p ? blobs_err(name) : ERR_COUNT;
    char what[sizeof(f->what)];

    *said = name.p != NULL;
    if (e == ERR_COUNT || e == ERR_OK)
        e = of_status(status, *said);
    snprintf(what, sizeof(what), "%s: %d %.*s", url, status,
             text.p ? (int)size_min(text.n, 100) : 0, text.p ? text.p : "");
    json_decref(o);
    return fault_set(f, e, *said ? "answer" : "answer of a proxy", what);
}

enum err
ask_refusal(int status, struct slice body, const char *url, struct fault *f)
{
    bool said;

    return refusal(status, body, url, &said, f);
}

void
ask_init(struct ask *a, struct loop *l, struct fetch_peer *p, size_t answer_max)
{
    memset(a, 0, sizeof(*a));
    a->loop = l;
    a->peer = p;
    buf_init(&a->target, TARGET_MAX);
    buf_init(&a->fields, FIELDS_MAX);
    buf_init(&a->answer, answer_max);
}

void
ask_release(struct ask *a)
{
    if (a->fields.p) /* holds a token */
        explicit_bzero(a->fields.p, a->fields.n);
    buf_release(&a->target);
    buf_release(&a->fields);
    buf_release(&a->answer);
}

static void
ask_ended(struct fetch_request *r)
{
    struct ask *a = r->owner;

    if (a->lost && a->again && a->err != ERR_TIMEOUT && a->err != ERR_TOOBIG) {
        a->again = false;
        a->lost = false;
        ask_begin(a);
        return;
    }
    a->done(a);
}

static void
ask_over(struct ask *a)
{
    if (!a->told)
        fetch_end(&a->req, ask_ended);
    a->told = true;
}

static void
ask_lost(struct ask *a, enum err e, const char *op)
{
    a->lost = true;
    a->err = fault_set(&a->fault, e, op, a->peer->url);
    ask_over(a);
}

/* A proxy that says 502 or 504 may have handed the question on. */
static void
refused(struct ask *a)
{
    bool said;

    a->err = refusal(a->status, buf_slice(&a->answer), a->peer->url, &said,
                     &a->fault);
    if (!said && a->status >= 500) {
        a->lost = true;
        a->again = false; /* it would say so again */
    }
}

static void
answer_got(struct fetch_request *r, int64_t n)
{
    struct ask *a = r->owner;
    char *p;

    if (n < 0) {
        ask_lost(a, (enum err) - n, "read answer");
        return;
    }
    a->answer.n += (size_t)n;
    if (n == 0) {
        if (a->status >= 400)
            refused(a);
        ask_over(a);
        return;
    }
    p = buf_reserve(&a->answer, READ_SIZE);
    if (p == NULL)
        ask_lost(a, ERR_TOOBIG, "answer is too long");
    else
        fetch_read(r, p, READ_SIZE, false, answer_got);
}

static void
answered(struct fetch_request *r)
{
    struct ask *a = r->owner;
    char *p;

    if (r->err != ERR_OK) {
        /* AGAIN is told before anything was sent. */
        a->lost = r->err != ERR_AGAIN;
        a->err = r->err;
        a->fault = r->fault;
        ask_over(a);
        return;
    }
    a->status = r->resp->status;
    if (a->status == 401 && a->auth && a->auth->refused)
        a->auth->refused(a->auth->arg);
    p = buf_reserve(&a->answer, READ_SIZE);
    if (p == NULL)
        ask_lost(a, ERR_NOMEM, "answer");
    else
        fetch_read(r, p, READ_SIZE, false, answer_got);
}

static void send_next(struct ask *a);

static void
piece_sent(struct fetch_request *r, enum err e)
{
    struct ask *a = r->owner;

    if (e == ERR_OK && a->next < a->n_piece)
        send_next(a);
    /* else answered() has it, or will */
}

static void
send_next(struct ask *a)
{
    struct slice first = a->piece[a->next++], second = SLICE_NULL;

    if (a->next < a->n_piece)
        second = a->piece[a->next++];
    fetch_send(&a->req, first, second, piece_sent);
}

static void
ask_begin(struct ask *a)
{
    uint64_t length = 0;

    for (unsigned i = 0; i < a->n_piece; i++)
        length += a->piece[i].n;
    a->err = ERR_OK;
    a->told = false;
    a->next = 0;
    a->status = 0;
    buf_clear(&a->answer);
    buf_clear(&a->fields);
    if (a->n_piece)
        buf_printf(&a->fields, "Content-Type: %s\r\n",
                   a->type ? a->type : "application/octet-stream");
    if (a->auth)
        a->auth->fields(a->auth->arg, &a->fields);
    a->req = (struct fetch_request){
        .loop = a->loop,
        .peer = a->peer,
        .method = a->method,
        .target = buf_slice(&a->target),
        .fields = buf_slice(&a->fields),
        .length = length,
        .patience = a->patience,
        .answered = answered,
        .owner = a,
    };
    fetch_begin(&a->req);
    if (length)
        send_next(a);
}

void
ask_send(struct ask *a)
{
    assert(!a->target.failed);
    ask_begin(a);
}

void
ask_cancel(struct ask *a)
{
    if (a->told)
        return;
    a->again = false;
    ask_lost(a, ERR_CANCELED, "ask");
}

json_t *
ask_json(struct ask *a, const struct json_limits *limits)
{
    struct json_error je = {0};
    json_t *o;

    if (a->err != ERR_OK)
        return NULL;
    o = json_read_limited(buf_slice(&a->answer), limits, &je);
    if (o == NULL)
        a->err = fault_set(&a->fault, ERR_IO, "answer", je.text);
    return o;
}
