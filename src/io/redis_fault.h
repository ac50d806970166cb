/* redis_fault.h - what a Redis or a Sentinel refused, or did not say, as a
 * fault that names the option which puts it right. For the connection on a loop
 * and for the one that blocks. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_REDIS_FAULT_H
#define IO_REDIS_FAULT_H

#include "base/err.h"
#include "base/slice.h"
#include <hiredis/hiredis.h>

/* The operation of a fault of a name that could not be resolved. */
#define REDIS_LOOK_UP "look up"

/* How far a connection was when it failed. */
struct redis_moment {
    bool sentinel;  /* it is one to a Sentinel */
    bool told;      /* its address is what a Sentinel says, not an option's */
    bool tls;       /* TLS is spoken */
    bool connected; /* something was sent */
    bool spoke;     /* the peer has said something */
    bool selecting; /* the answer is that to SELECT */
};

/* Adds to F, which has been set, what to do about it, if M lets one guess it
 * and F has no hint yet. Returns F's code. */
enum err redis_fault_hint(struct fault *f, const struct redis_moment *m);

/* What an error answer of the peer at ADDRESS means, into F: ERR_DENIED,
 * ERR_NOMEM or ERR_IO. Of its text only the first word is told when SECRET is
 * set, since Redis repeats the arguments of commands that it does not know. */
enum err redis_reply_fault(const char *address, const struct redisReply *r,
                           const char *op, bool secret, struct fault *f);
bool redis_reply_is(const struct redisReply *r, const char *code); /* -CODE */

static inline struct slice
redis_reply_text(const struct redisReply *r)
{
    return r && (r->type == REDIS_REPLY_STRING ||
                 r->type == REDIS_REPLY_STATUS || r->type == REDIS_REPLY_ERROR)
               ? slice_of(r->str, r->len)
               : SLICE_NULL;
}

#endif
