/* body.c - see body.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/body.h"
#include "role/common/reply.h"

#define PIECE ((size_t)64 * KIB)
/* Of a body for which nobody shows a token: however steadily it comes, it holds
 * our memory and a place no longer. */
#define ANYBODY_MAX dur_s(10)

static void
too_large(struct small_body *b)
{
    struct call *c = b->call;
    const size_t max = b->max;

    b->failed(b);
    reply_error(c, 413, "body_too_large",
                "The body of this request is at most %zu bytes", max);
}

static void
no_memory(struct small_body *b)
{
    struct call *c = b->call;

    b->failed(b);
    reply_error(c, 503, "overloaded", "The server has no memory to spare");
}

/* One byte more than is allowed shows that there is more. */
static size_t
piece_of(const struct small_body *b)
{
    const size_t room = size_min(PIECE, b->max + 1 - b->buf.n);

    return (size_t)u64_min(room, b->call->x->body_left);
}

static void read_more(struct small_body *b);

static void
piece_read(struct exchange *x, int64_t n)
{
    struct small_body *b = x->role;
    struct call *c = b->call;

    if (n < 0) {
        b->failed(b);
        exchange_fail(x, n);
        call_end(c);
        return;
    }
    b->buf.n += (size_t)n;
    if (b->buf.n > b->max)
        too_large(b);
    else if (n == 0 || x->body_left == 0)
        b->done(b);
    else
        read_more(b);
}

static void
read_more(struct small_body *b)
{
    const size_t n = piece_of(b);
    char *p = buf_reserve(&b->buf, n);

    if (p)
        exchange_read(b->call->x, p, n, true, piece_read);
    else
        no_memory(b);
}

void
small_body_read(struct small_body *b, struct call *c, size_t max)
{
    struct exchange *x = c->x;

    b->call = c;
    b->max = max;
    buf_init(&b->buf, max + 1);
    x->role = b;
    if (c->route->scope == 0)
        exchange_body_by(x, mono_add(x->loop->now, ANYBODY_MAX));
    if (x->body_left == 0)
        b->done(b);
    else if (x->body_left != UINT64_MAX && x->body_left > max)
        too_large(b);
    else
        read_more(b);
}

void
small_body_release(struct small_body *b)
{
    if (b->buf.p)
        explicit_bzero(b->buf.p, b->buf.cap);
    buf_release(&b->buf);
}
