/* fetch_mem.c - see fetch_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/fetch_mem.h"
#include <stdlib.h>

static struct fetch_mem *
mem_of(struct fetch_request *r)
{
    return container_of(r->peer->fetch, struct fetch_mem, fetch);
}

static struct fetch_mem_call *
call_of(struct fetch_request *r)
{
    return r->x.conn;
}

static void
call_free(struct fetch_mem_call *c)
{
    c->mem->calls--;
    buf_release(&c->head);
    buf_release(&c->body);
    buf_release(&c->answer);
    free(c);
}

/* ---- telling ---- */

static void
ended(struct fetch_request *r)
{
    struct fetch_mem_call *c = call_of(r);

    r->x.conn = NULL;
    c->request = NULL;
    if (!c->out)
        call_free(c);
    r->x.ended(r);
}

/* What is due, in the order of a real one; a callback may end the request. */
static void
tell(struct loop *l, struct task *t)
{
    struct fetch_request *r = container_of(t, struct fetch_request, x.task);

    (void)l;
    r->x.posted = false;
    if (r->x.due_ended) {
        ended(r);
        return;
    }
    if (r->x.due_sent && !r->x.ending) {
        r->x.due_sent = false;
        r->x.sent(r, r->x.sent_err);
    }
    if (r->x.due_answered && !r->x.ending) {
        r->x.due_answered = false;
        r->answered(r);
    }
    if (r->x.due_got && !r->x.ending) {
        r->x.due_got = false;
        r->x.got(r, r->x.res);
    }
}

static void
tell_soon(struct fetch_request *r)
{
    if (r->x.posted)
        return;
    r->x.posted = true;
    r->x.task.run = tell;
    loop_post(r->loop, &r->x.task);
}

static void
answered(struct fetch_request *r, enum err e)
{
    if (r->x.is_answered)
        return;
    if (e)
        r->err = fault_set(&r->fault, e, "fetch", r->peer->url);
    else
        r->resp = &call_of(r)->resp;
    r->x.is_answered = r->x.due_answered = true;
    tell_soon(r);
}

/* ---- the other side ---- */

/* All of the request is there. */
static void
deliver(struct fetch_request *r)
{
    struct fetch_mem_call *c = call_of(r);
    struct fetch_mem *m = c->mem;

    if (m->away) {
        m->away--;
        answered(r, ERR_IO);
        return;
    }
    c->out = true;
    m->answer(m->arg, c);
}

void
fetch_mem_answer(struct fetch_mem_call *c, int status, struct slice body)
{
    struct fetch_mem *m = c->mem;
    struct fetch_request *r = c->request;

    assert(c->out);
    c->out = false;
    if (!r) {
        call_free(c);
        return;
    }
    buf_add_slice(&c->answer, body);
    c->resp.status = (uint16_t)status;
    c->resp.content_length = (int64_t)body.n;
    if (m->lost) {
        m->lost--;
        answered(r, ERR_IO);
    } else {
        answered(r, c->answer.failed ? ERR_TOOBIG : ERR_OK);
    }
}

/* ---- the port ---- */

static enum err
f_open(struct fetch *f, const char *url, struct fetch_peer **out,
       struct fault *fault)
{
    struct fetch_mem *m = container_of(f, struct fetch_mem, fetch);
    struct slice s = slice_str(url);
    struct fetch_peer *p;

    *out = NULL;
    if (!slice_starts(s, SLICE("http://")) &&
        !slice_starts(s, SLICE("https://")))
        return fault_set(fault, ERR_INVAL, "open peer", url);
    p = calloc(1, sizeof(*p));
    if (!p)
        return fault_set(fault, ERR_NOMEM, "open peer", url);
    p->fetch = f;
    (void)slice_copy(s, p->url, sizeof(p->url));
    m->peers++;
    *out = p;
    return ERR_OK;
}

static void
f_close(struct fetch_peer *p)
{
    container_of(p->fetch, struct fetch_mem, fetch)->peers--;
    free(p);
}

static void
f_begin(struct fetch_request *r)
{
    struct fetch_mem *m = mem_of(r);
    struct fetch_mem_call *c = calloc(1, sizeof(*c));

    assert(c);
    memset(&r->x, 0, sizeof(r->x));
    m->begun++;
    m->calls++;
    c->mem = m;
    c->request = r;
    c->url = r->peer->url;
    c->method = r->method;
    c->length = r->length;
    c->patience = r->patience;
    c->loop = r->loop;
    buf_init(&c->head, MIB);
    buf_init(&c->body, FETCH_MEM_BODY_MAX);
    buf_init(&c->answer, FETCH_MEM_BODY_MAX);
    buf_add_slice(&c->head, r->target);
    buf_add_slice(&c->head, r->fields);
    c->target = slice_of(c->head.p, r->target.n);
    c->fields = slice_of(buf_str(&c->head) + r->target.n, r->fields.n);
    r->err = ERR_OK;
    r->resp = NULL;
    r->x.begun = true;
    r->x.conn = c;
    r->x.left = r->length;
    if (r->length == 0)
        deliver(r);
}

static void
f_send(struct fetch_request *r, struct slice a, struct slice b,
       fetch_sent_fn *sent)
{
    struct fetch_mem_call *c = call_of(r);
    uint64_t n = a.n + b.n;
    bool last = r->length == FETCH_CHUNKED ? n == 0 : n == r->x.left;

    assert(r->x.begun && !r->x.due_sent);
    buf_add_slice(&c->body, a);
    buf_add_slice(&c->body, b);
    r->x.sent = sent;
    r->x.sent_err = r->x.is_answered && r->err ? r->err : ERR_OK;
    r->x.due_sent = true;
    tell_soon(r);
    if (r->length != FETCH_CHUNKED)
        r->x.left -= n;
    if (last && !r->x.is_answered)
        deliver(r);
}

static void
f_read(struct fetch_request *r, void *p, size_t n, bool fill, fetch_got_fn *got)
{
    struct fetch_mem_call *c = call_of(r);
    size_t k = size_min(n, c->answer.n - c->at);

    (void)fill;
    assert(r->x.is_answered && !r->err && !r->x.due_got);
    if (k)
        memcpy(p, c->answer.p + c->at, k);
    c->at += k;
    r->x.got = got;
    r->x.res = (int64_t)k;
    r->x.due_got = true;
    tell_soon(r);
}

static void
f_end(struct fetch_request *r, fetch_fn *fn)
{
    assert(r->x.begun && !r->x.ending);
    r->x.ending = true;
    r->x.ended = fn;
    r->x.due_ended = true;
    tell_soon(r);
}

void
fetch_mem_init(struct fetch_mem *m,
               void (*answer)(void *arg, struct fetch_mem_call *c), void *arg)
{
    static const struct fetch_ops ops = {
        .open = f_open,
        .close = f_close,
        .begin = f_begin,
        .send = f_send,
        .read = f_read,
        .end = f_end,
    };

    *m = (struct fetch_mem){.fetch.ops = &ops, .answer = answer, .arg = arg};
}
