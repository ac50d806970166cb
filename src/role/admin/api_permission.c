/* api_permission.c - may somebody do something with a file? (ADM-036), for
 * gateways of other processes. Those of this project know the owner from the
 * file's record and the scopes from the token, and use the same rule
 * (sec/permission.h) without asking.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "sec/permission.h"
#include <stdio.h>

struct question {
    char subject[65];
    unsigned scopes; /* that the gateway has seen in a token */
    struct uuid file_id;
};

static bool
question_read(struct api_job *j, struct question *q)
{
    struct json_error *e = &j->why;
    json_t *o = json_read(buf_slice(&j->body.buf), e);
    struct slice file = json_get_str(o, "file_id", JSON_REQUIRED, e);
    struct slice action = json_get_str(o, "action", JSON_REQUIRED, e);
    struct slice scope = json_get_str(o, "scope", JSON_OPTIONAL, e);
    const char *wrong = NULL;

    if (!slice_copy(json_get_str(o, "subject", JSON_REQUIRED, e), q->subject,
                    sizeof(q->subject)))
        wrong = "subject is longer than 64 bytes";
    if (!uuid_parse(file, &q->file_id))
        wrong = "file_id is a UUID";
    if (!slice_eq(action, SLICE("delete")))
        wrong = "action is delete";
    (void)scope_parse(scope, &q->scopes);
    json_decref(o);
    if (wrong && !e->text[0])
        (void)snprintf(e->text, sizeof(e->text), "%s", wrong);
    return !e->text[0];
}

/* A service account's own scopes count too, as long as it is enabled. */
static enum err
scopes_of(struct api_job *j, struct question *q)
{
    const struct admin_api *api = j->call->role;
    struct meta_account a;
    unsigned scopes = 0;
    enum err e = admin_account_get(api->conf.admin, q->subject, &a, &j->fault);

    if (!e && !a.disabled)
        (void)scope_parse(slice_str(a.scopes), &scopes);
    explicit_bzero(&a, sizeof(a));
    q->scopes |= scopes;
    return e == ERR_NOENT ? ERR_OK : e;
}

static void
check_run(struct api_job *j)
{
    const struct admin_api *api = j->call->role;
    struct question q = {.scopes = 0};
    char owner[sizeof(((struct file_attr *)0)->uploaded_by)];
    struct json_writer w;
    bool mine;

    if (!question_read(j, &q)) {
        j->err = ERR_INVAL;
        return;
    }
    j->err = admin_file_owner(api->conf.admin, &q.file_id, owner, &j->fault);
    if (j->err == ERR_NOENT)
        api_job_refuse(j, 404, "file_not_found", "There is no such file");
    if (!j->err)
        j->err = scopes_of(j, &q);
    if (j->err)
        return;
    mine =
        permission_delete(SCOPE_DELETE, slice_str(q.subject), slice_str(owner));
    json_begin(&w, &j->out);
    json_put_object(&w, NULL);
    json_put_bool(&w, "allowed", mine || (q.scopes & SCOPE_ADMIN));
    json_put_text(&w, "reason",
                  mine                     ? "owner"
                  : q.scopes & SCOPE_ADMIN ? "admin"
                                           : "not_owner");
    json_end_object(&w);
}

void
api_permission(struct call *c)
{
    struct api_job *j = api_job_plain(c, check_run);

    if (j)
        api_job_read(j, API_SMALL);
}
