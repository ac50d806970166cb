/* api_impl.h - what the files of Admin's routes share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_API_IMPL_H
#define ROLE_ADMIN_API_IMPL_H

#include "role/admin/api.h"
#include "role/admin/element.h"
#include "role/common/body.h"
#include "role/common/reply.h"
#include "sec/grant.h"
#include "wire/json.h"
#include <stdatomic.h>

struct admin_api {
    struct admin_api_conf conf;
    struct grant_conf grant;
    struct refresh *refresh; /* NULL: nobody is asked */
    atomic_uint large;       /* bodies of pages that are in memory */
};

/* A request that a worker works on: api_job_new(), api_job_read(), then RUN on
 * a worker, which sets ERR (with FAULT, or WHY for ERR_INVAL) or writes OUT.
 * An answer without a body is 204. TOLD, if set, runs on the loop before the
 * answer goes out. */
#define API_FORM_MAX   ((size_t)4 * KIB) /* of other bodies */
#define API_SMALL      ((size_t)8 * KIB)
#define API_ANSWER_MAX ((size_t)256 * KIB)
#define API_LARGE_MAX  16 /* bodies over API_SMALL at a time */

struct api_job {
    struct call *call;
    char element_id[65]; /* the first parameter of the path */
    struct small_body body;
    bool large;
    void (*run)(struct api_job *j);
    void (*told)(struct api_job *j);
    struct buf out;
    int status;       /* of OUT, or of CODE; 0: 200 */
    const char *code; /* an error of its own, with WHY */
    bool secret;      /* nobody may keep the answer; wiped after use */
    struct wall now;
    enum err err;
    struct fault fault;
    struct json_error why;
    struct work work;
    bool awaits; /* the answer comes when gateways have been told */
    struct announce_wait wait;
};

/* NULL: answered. A path without a parameter has no element. */
struct api_job *api_job_new(struct call *c, void (*run)(struct api_job *j));
/* The same where the parameter is no element. */
struct api_job *api_job_plain(struct call *c, void (*run)(struct api_job *j));
void api_job_read(struct api_job *j, size_t max);
/* What RUN answers instead. */
void api_job_refuse(struct api_job *j, int status, const char *code,
                    const char *text, ...) PRINTF_LIKE(4, 5);
/* The answer to an error of the functions of registry.h. */
void api_reply_err(struct call *c, enum err e, const struct fault *f,
                   const char *why);

/* ---- handlers ---- */

/* api_elements.c */
void api_reply_element(struct call *c, int status, const struct admin_view *v);
/* The element of the path; false: answered 404. */
bool api_element_of_path(struct call *c, struct admin_view *v);

void api_element_add(struct call *c);
void api_element_remove(struct call *c);
void api_changes(struct call *c);
void api_position(struct call *c);
void api_reset(struct call *c);
void api_rows(struct call *c);
void api_capacity_push(struct call *c);
void api_file(struct call *c);
void api_files(struct call *c);

void api_elements(struct call *c);
void api_element(struct call *c);
void api_element_change(struct call *c);
void api_capacity(struct call *c);
void api_available(struct call *c);
void api_token(struct call *c);
/* api_permission.c */
void api_permission(struct call *c);
/* api_keys.c */
void api_jwks(struct call *c);
void api_key_documents(struct call *c);
void api_keys(struct call *c);
void api_keys_rotate(struct call *c);
/* api_accounts.c */
void api_accounts(struct call *c);
void api_account(struct call *c);
void api_account_add(struct call *c);
void api_account_change(struct call *c);
void api_account_rotate(struct call *c);
void api_account_remove(struct call *c);
/* api_audit.c */
void api_audit_list(struct call *c);
void api_audit_take(struct call *c);

/* An audit entry about the request of C, without its time; the other queues one
 * of now. */
void
api_audit_entry(const struct call *c, struct meta_audit *a, const char *actor,
                const char *action, const char *object, const char *result);
void api_audit(struct call *c, const char *actor, const char *action,
               const char *object, const char *result);

#endif
