/* reply.h - answers of the API: JSON, and errors of one shape (D16).
 *
 * An error is {"error": code, "message": text, "request_id": id} and, where it
 * helps, "details"; with Accept: application/problem+json it is RFC 9457. Codes
 * are stable, messages are for people and name the field and the remedy. Each
 * function ends the exchange and the call. SPDX-License-Identifier: Apache-2.0
 * */
#ifndef ROLE_COMMON_REPLY_H
#define ROLE_COMMON_REPLY_H

#include "role/common/route.h"

void reply_json(struct call *c, int status, const struct buf *json);
/* CODE is a constant, which the access log tells, too. MESSAGE is printf-like
 * and escaped by the callee. */
void reply_error(struct call *c, int status, const char *code,
                 const char *message, ...) PRINTF_LIKE(4, 5);
/* DETAILS is JSON text (an object or an array), or NULL. */
void reply_error_details(struct call *c, int status, const char *code,
                         const char *message, const char *details);
/* 500 for a fault; 503 when WHO ("The database") does not answer, or what is
 * here (NULL) is busy; 507 for a full disk. Its text is logged with the
 * request's id, not sent. */
void reply_fault(struct call *c, const struct fault *f, const char *who);
/* 503 whatever the fault: WHO is another process. */
void reply_away(struct call *c, const struct fault *f, const char *who);
void reply_empty(struct call *c, int status); /* 204 */

#endif
