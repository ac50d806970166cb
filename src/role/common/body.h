/* body.h - the whole body of a request in memory, before its handler does
 * anything: for those that are small (JSON, forms), where a file is streamed.
 *
 *     struct job { struct small_body body; ... };    zeroed; done, failed set
 *     small_body_read(&j->body, c, max);
 *       -> j->body.done(&j->body):   body.buf has all of it
 *       or j->body.failed(&j->body): free the job, the call is being answered
 *     small_body_release(&j->body);
 *
 * MAX is the ceiling, in bytes: a longer body is 413, unread where its length
 * is known. A body without bytes is done with none. One that the client breaks
 * off or sends too slowly is answered as exchange_fail() does. Where no token
 * is asked, all of it has to be there in 10 s.
 *
 * The struct is the caller's, part of what he keeps for the request. The memory
 * behind it is there from the first read to small_body_release(), which wipes
 * it, since there may be a secret in it, and is due after DONE as in FAILED. On
 * the loop of the exchange; both may be called inside small_body_read().
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_BODY_H
#define ROLE_COMMON_BODY_H

#include "role/common/route.h"

struct small_body {
    struct call *call; /* set by small_body_read() */
    struct buf buf;
    void (*done)(struct small_body *b);
    void (*failed)(struct small_body *b); /* must not answer */
    size_t max;
};

void small_body_read(struct small_body *b, struct call *c, size_t max);
/* Also of one that was never read. */
void small_body_release(struct small_body *b);

#endif
