/* api_impl.h - what the files of Admin's routes share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_API_IMPL_H
#define ROLE_ADMIN_API_IMPL_H

#include "role/admin/api.h"
#include "role/common/reply.h"
#include "sec/grant.h"

struct admin_api {
    struct admin_api_conf conf;
    struct grant_conf grant;
};

/* A whole body of at most SMALL_BODY_MAX bytes, read before anything is done.
 * Embedded in a request's state. */
#define SMALL_BODY_MAX ((size_t)4096)

struct small_body {
    struct call *call;
    void (*done)(struct small_body *b, struct slice body);
    void (*failed)(struct small_body *b); /* the exchange has been ended */
    char bytes[SMALL_BODY_MAX + 1];
};

/* Reads it and calls DONE, or answers 413 or a failed read and calls FAILED.
 * Either may happen inside the call. */
void small_body_read(struct small_body *b, struct call *c);

/* ---- handlers ---- */

void api_elements(struct call *c);
void api_element(struct call *c);
void api_element_change(struct call *c);
void api_capacity(struct call *c);
void api_available(struct call *c);
void api_token(struct call *c);
void api_jwks(struct call *c);

/* An audit entry about the request of C. */
void api_audit(struct call *c, const char *actor, const char *action,
               const char *object, const char *result);

#endif
