/* api.c - see api.h: the table of routes, and what their handlers share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "role/admin/refresh.h"
#include <stdlib.h>

#define ATTEMPTS_NAMES 4096

/* ---- the table ---- */

static const struct route_doc elements_docs[] = {
    {"200", NULL, "StorageElements", "All elements, in the order of filling"},
    {0},
};
static const struct route_doc element_docs[] = {
    {"200", NULL, "StorageElement", "The element"},
    {"404", NULL, "Error", "No such element"},
    {0},
};
static const struct route_doc add_docs[] = {
    {"element_id", "body", "string", "Letters, digits, dot, dash, underscore"},
    {"api_url", "body", "string", "Where it is: http or https"},
    {"mode", "body", "string", "edit (default), rw, ro or ar"},
    {"priority", "body", "integer", "Lower is filled earlier; default 100"},
    {"location", "body", "string", "Its datacentre"},
    {"name", "body", "string", "For people"},
    {"uuid", "body", "string", "Who it is, if known"},
    {"force", "body", "boolean", "Do not try the address"},
    {"201", NULL, "StorageElement", "It is registered"},
    {"400", NULL, "Error", "The body is not JSON"},
    {"409", NULL, "Error", "Its id, uuid or address is there already"},
    {"422", NULL, "Error", "A value is not allowed, or nobody answers there"},
    {0},
};
static const struct route_doc remove_docs[] = {
    {"force", "query", "boolean", "Even if it holds files"},
    {"204", NULL, NULL, "It is not registered any more"},
    {"404", NULL, "Error", "No such element"},
    {"409", NULL, "Error", "It holds files, or is of this process"},
    {0},
};
static const struct route_doc change_docs[] = {
    {"mode", "body", "string",
     "edit, rw, ro or ar; a mode goes forward only, in this order"},
    {"priority", "body", "integer", "Lower is filled earlier"},
    {"api_url", "body", "string", "Where it is, of one elsewhere"},
    {"location", "body", "string", "Its datacentre"},
    {"name", "body", "string", "For people"},
    {"force", "body", "boolean", "Do not try a new address"},
    {"200", NULL, "StorageElement", "The element as it is now"},
    {"400", NULL, "Error", "The body is not JSON"},
    {"404", NULL, "Error", "No such element"},
    {"409", NULL, "Error",
     "The mode would go back, or the address is another's"},
    {"422", NULL, "Error", "A value is not allowed, or nobody answers there"},
    {0},
};
static const struct route_doc capacity_docs[] = {
    {"200", NULL, "Capacity", "What the element says of itself"},
    {"404", NULL, "Error", "No such element"},
    {0},
};
static const struct route_doc available_docs[] = {
    {"mode", "query", "string", "edit or rw; both when missing"},
    {"min_free_bytes", "query", "integer", "Only those with as much room"},
    {"200", NULL, "StorageElements", "Elements that may be written to"},
    {"400", NULL, "Error", "A parameter is not valid"},
    {0},
};
static const struct route_doc token_docs[] = {
    {"grant_type", "form", "string", "client_credentials"},
    {"client_id", "form", "string", "Also by Authorization: Basic"},
    {"client_secret", "form", "string", "Also by Authorization: Basic"},
    {"scope", "form", "string",
     "Words of read, write, delete, admin; all of the account's when missing"},
    {"200", NULL, "Token", "The token; RFC 6749 section 5.1"},
    {"400", NULL, "Error", "RFC 6749 section 5.2"},
    {"401", NULL, "Error", "client_id or client_secret is wrong"},
    {"408", NULL, "Error", "Not there in 10 s"},
    {"429", NULL, "Error", "Too many failed attempts"},
    {0},
};
static const struct route_doc permission_docs[] = {
    {"subject", "body", "string", "Who: as uploaded_by names users"},
    {"action", "body", "string", "delete"},
    {"file_id", "body", "string", "Which file"},
    {"scope", "body", "string", "What the subject's token allows, if known"},
    {"200", NULL, "Permission", "owner, admin, or not_owner"},
    {"400", NULL, "Error", "No such question"},
    {"404", NULL, "Error", "No such file"},
    {0},
};
static const struct route_doc keys_docs[] = {
    {"200", NULL, "KeyList", "Our own keys, the oldest first"},
    {0},
};
static const struct route_doc keys_rotate_docs[] = {
    {"lead_s", "body", "integer",
     "For how long it is published before it signs; default 600"},
    {"keep_s", "body", "integer",
     "For how long the keys before verify after that; default 2592600"},
    {"200", NULL, "KeyList", "The keys, with the new one"},
    {"400", NULL, "Error", "The body is not JSON"},
    {"409", NULL, "Error", "Somebody else rotates just now"},
    {"422", NULL, "Error", "A value is not allowed"},
    {0},
};
static const struct route_doc jwks_docs[] = {
    {"200", NULL, "Jwks", "The public keys; RFC 7517"},
    {0},
};

static const struct route_doc key_documents_docs[] = {
    {"200", NULL, "KeyDocuments", "version and documents, each a compact JWS"},
    {"404", NULL, "Error", "There are no signed keys here"},
    {0},
};

static const struct route_doc changes_docs[] = {
    {"element_uuid", "body", "string", "Whose"},
    {"since", "body", "integer", "The page has all after this number"},
    {"next", "body", "integer", "Up to this one"},
    {"changes", "body", "array", "As GET /api/v1/changes answers them"},
    {"200", NULL, "Position",
     "Up to where Admin has had the log now; before next: go on from there"},
    {"400", NULL, "Error", "No page of changes"},
    {"404", NULL, "Error", "No such element"},
    {"409", NULL, "Error", "Another element than the one that is registered"},
    {"413", NULL, "Error", "The page is larger than 8 MiB"},
    {0},
};
static const struct route_doc position_docs[] = {
    {"200", NULL, "Position", "Up to where Admin has had the log"},
    {"404", NULL, "Error", "No such element"},
    {0},
};
static const struct route_doc reset_docs[] = {
    {"element_uuid", "body", "string", "Who it is"},
    {"200", NULL, "FeedTicket", "Goes with each page of its files"},
    {"404", NULL, "Error", "No such element"},
    {"409", NULL, "Error", "Another element, or one of this process"},
    {0},
};
static const struct route_doc rows_docs[] = {
    {"ticket", "body", "string", "Of the reset"},
    {"files", "body", "array", "A page of what the element has"},
    {"last", "body", "boolean", "The element has no more"},
    {"position", "body", "integer",
     "With last: where its log stood before the first page"},
    {"200", NULL, "Position", "Taken"},
    {"400", NULL, "Error", "No page of files"},
    {"404", NULL, "Error", "No such element"},
    {"409", NULL, "Error", "A later reset has another ticket"},
    {"413", NULL, "Error", "The page is larger than 8 MiB"},
    {0},
};
static const struct route_doc capacity_push_docs[] = {
    {"element_id", "body", "string", "And the rest that the element says"},
    {"total", "body", "integer", "Bytes"},
    {"used", "body", "integer", "Bytes"},
    {"available", "body", "integer", "Bytes"},
    {"204", NULL, NULL, "Kept, with the time"},
    {"400", NULL, "Error", "No such answer, or of another element"},
    {"404", NULL, "Error", "No such element"},
    {"409", NULL, "Error", "Another element than the one that is registered"},
    {0},
};
static const struct route_doc file_docs[] = {
    {"200", NULL, "FileRecord", "The file and the element that has it"},
    {"400", NULL, "Error", "Not a file id"},
    {"404", NULL, "Error", "No such file"},
    {0},
};
static const struct route_doc files_docs[] = {
    {"limit", "query", "integer", "1 to 1000, default 100"},
    {"cursor", "query", "string", "next_cursor of the page before"},
    {"order", "query", "string", "asc or desc"},
    {"name", "query", "string", "Part of the name, or a glob"},
    {"user", "query", "string", "Who uploaded it"},
    {"element", "query", "string", "Which element has it"},
    {"retention", "query", "string", "TEMPORARY or PERMANENT"},
    {"since", "query", "string", "Uploaded at or after"},
    {"until", "query", "string", "Uploaded before"},
    {"min_size", "query", "integer", "Bytes"},
    {"max_size", "query", "integer", "Bytes"},
    {"meta_key", "query", "string", "Has this key in its metadata"},
    {"meta_value", "query", "string", "And there this value"},
    {"200", NULL, "StoredFiles", "A page; it may be short with more to come"},
    {"400", NULL, "Error", "A condition is not known or not valid"},
    {0},
};

static const struct route_doc accounts_docs[] = {
    {"limit", "query", "integer", "1 to 200, default 100"},
    {"cursor", "query", "string", "next_cursor of the page before"},
    {"200", NULL, "AccountList", "In order of client_id"},
    {"400", NULL, "Error", "A parameter is not valid"},
    {0},
};
static const struct route_doc account_docs[] = {
    {"200", NULL, "Account", "The account; never its secret"},
    {"404", NULL, "Error", "No such account"},
    {0},
};
static const struct route_doc account_add_docs[] = {
    {"client_id", "body", "string", "Letters, digits, dot, dash, underscore"},
    {"scope", "body", "string", "Words of read, write, delete, admin, gateway"},
    {"name", "body", "string", "For people"},
    {"201", NULL, "AccountSecret", "With its secret, this one time"},
    {"400", NULL, "Error", "The body is not JSON"},
    {"409", NULL, "Error", "The client_id is taken, or there are too many"},
    {"422", NULL, "Error", "A value is not allowed"},
    {0},
};
static const struct route_doc account_change_docs[] = {
    {"disabled", "body", "boolean", "No tokens for it"},
    {"scope", "body", "string", "What its tokens may allow from now on"},
    {"name", "body", "string", "For people"},
    {"200", NULL, "Account", "The account as it is now"},
    {"400", NULL, "Error", "The body is not JSON"},
    {"404", NULL, "Error", "No such account"},
    {"422", NULL, "Error", "A value is not allowed"},
    {0},
};
static const struct route_doc account_rotate_docs[] = {
    {"keep_s", "body", "integer",
     "For how long the secret before is taken as well; default 86400, 0: no "
     "longer"},
    {"200", NULL, "AccountSecret", "With its new secret, this one time"},
    {"400", NULL, "Error", "The body is not JSON"},
    {"404", NULL, "Error", "No such account"},
    {"422", NULL, "Error", "A value is not allowed"},
    {0},
};
static const struct route_doc account_remove_docs[] = {
    {"204", NULL, NULL, "It is gone"},
    {"404", NULL, "Error", "No such account"},
    {"409", NULL, "Error", "The next start would make it again"},
    {0},
};
static const struct route_doc audit_docs[] = {
    {"limit", "query", "integer", "1 to 200, default 100"},
    {"cursor", "query", "string", "next_cursor of the page before"},
    {"order", "query", "string", "desc (newest first, the default) or asc"},
    {"actor", "query", "string", "Who did it"},
    {"action", "query", "string", "What was done, like file.delete"},
    {"object", "query", "string", "To what: an account, an element, a file"},
    {"since", "query", "string", "Then or later"},
    {"until", "query", "string", "Before"},
    {"200", NULL, "AuditPage", "A page; it may be short with more to come"},
    {"400", NULL, "Error", "A condition is not known or not valid"},
    {0},
};
static const struct route_doc audit_take_docs[] = {
    {"entries", "body", "array", "1 to 200 of AuditEntry, without n and hash"},
    {"204", NULL, NULL, "They are in the log, each once"},
    {"400", NULL, "Error", "No such entries"},
    {"413", NULL, "Error", "The body is larger than 256 KiB"},
    {0},
};

static const struct route routes[] = {
    {HTTP_GET,
     "/api/v1/storage-elements",
     SCOPE_READ,
     api_elements,
     "element_list",
     "List storage elements",
     {0},
     elements_docs},
    {HTTP_POST,
     "/api/v1/storage-elements",
     SCOPE_ADMIN,
     api_element_add,
     "element_add",
     "Register a storage element of another process",
     {0},
     add_docs},
    {HTTP_DELETE,
     "/api/v1/storage-elements/{element_id}",
     SCOPE_ADMIN,
     api_element_remove,
     "element_remove",
     "Remove a storage element from the registry",
     {0},
     remove_docs},
    {HTTP_GET,
     "/api/v1/internal/storage-elements/available",
     SCOPE_READ,
     api_available,
     "element_available",
     "List elements that take uploads",
     {"/internal/storage-elements"},
     available_docs},
    {HTTP_GET,
     "/api/v1/storage-elements/{element_id}",
     SCOPE_READ,
     api_element,
     "element_get",
     "What is known of a storage element",
     {0},
     element_docs},
    {HTTP_PATCH,
     "/api/v1/storage-elements/{element_id}",
     SCOPE_ADMIN,
     api_element_change,
     "element_change",
     "Change mode, priority or address",
     {0},
     change_docs},
    {HTTP_PUT,
     "/api/v1/storage-elements/{element_id}",
     SCOPE_ADMIN,
     api_element_change,
     "element_put",
     "As PATCH: what is not named stays",
     {0},
     change_docs},
    {HTTP_GET,
     "/api/v1/storage-elements/{element_id}/capacity",
     SCOPE_READ,
     api_capacity,
     "element_capacity",
     "How full a storage element is",
     {"/api/v1/internal/storage-elements/{element_id}/capacity"},
     capacity_docs},
#define INTERNAL "/api/v1/internal/storage-elements/{element_id}"
    {HTTP_POST,
     INTERNAL "/changes",
     SCOPE_GATEWAY,
     api_changes,
     "internal_changes",
     "Take in a page of an element's change log",
     {0},
     changes_docs},
    {HTTP_GET,
     INTERNAL "/position",
     SCOPE_GATEWAY,
     api_position,
     "internal_position",
     "Up to where an element's change log has come",
     {0},
     position_docs},
    {HTTP_POST,
     INTERNAL "/reset",
     SCOPE_GATEWAY,
     api_reset,
     "internal_reset",
     "Forget an element's files, to be fed anew from its rows",
     {0},
     reset_docs},
    {HTTP_POST,
     INTERNAL "/files",
     SCOPE_GATEWAY,
     api_rows,
     "internal_rows",
     "Take in a page of an element's files after a reset",
     {0},
     rows_docs},
    {HTTP_POST,
     INTERNAL "/capacity",
     SCOPE_GATEWAY,
     api_capacity_push,
     "internal_capacity",
     "Take in what an element has said of itself",
     {0},
     capacity_push_docs},
    {HTTP_GET,
     "/api/v1/internal/files/{file_id}",
     SCOPE_GATEWAY,
     api_file,
     "internal_file",
     "Where a file is, and what it is",
     {0},
     file_docs},
    {HTTP_GET,
     "/api/v1/internal/files",
     SCOPE_GATEWAY,
     api_files,
     "internal_files",
     "Pages of files",
     {0},
     files_docs},
    {HTTP_GET,
     "/api/v1/accounts",
     SCOPE_ADMIN,
     api_accounts,
     "account_list",
     "List service accounts",
     {0},
     accounts_docs},
    {HTTP_POST,
     "/api/v1/accounts",
     SCOPE_ADMIN,
     api_account_add,
     "account_create",
     "Make a service account",
     {0},
     account_add_docs},
    {HTTP_GET,
     "/api/v1/accounts/{client_id}",
     SCOPE_ADMIN,
     api_account,
     "account_get",
     "What is known of a service account",
     {0},
     account_docs},
    {HTTP_PATCH,
     "/api/v1/accounts/{client_id}",
     SCOPE_ADMIN,
     api_account_change,
     "account_change",
     "Disable or enable it, change its scopes or name",
     {0},
     account_change_docs},
    {HTTP_DELETE,
     "/api/v1/accounts/{client_id}",
     SCOPE_ADMIN,
     api_account_remove,
     "account_remove",
     "Remove a service account",
     {0},
     account_remove_docs},
    {HTTP_POST,
     "/api/v1/accounts/{client_id}/rotate-secret",
     SCOPE_ADMIN,
     api_account_rotate,
     "account_rotate",
     "Give it another secret",
     {0},
     account_rotate_docs},
    {HTTP_GET,
     "/api/v1/audit",
     SCOPE_ADMIN,
     api_audit_list,
     "audit_list",
     "Who did what, and when",
     {0},
     audit_docs},
    {HTTP_POST,
     "/api/v1/internal/audit",
     SCOPE_GATEWAY,
     api_audit_take,
     "internal_audit",
     "Take in what a gateway has to say for the audit log",
     {"/internal/audit"},
     audit_take_docs},
    {HTTP_POST,
     "/api/v1/internal/permissions/check",
     SCOPE_GATEWAY,
     api_permission,
     "internal_permission",
     "May somebody do something with a file",
     {"/internal/permissions/check"},
     permission_docs},
    {HTTP_GET,
     "/api/v1/keys",
     SCOPE_ADMIN,
     api_keys,
     "key_list",
     "The keys that sign tokens, and their times",
     {0},
     keys_docs},
    {HTTP_POST,
     "/api/v1/keys/rotate",
     SCOPE_ADMIN,
     api_keys_rotate,
     "key_rotate",
     "Make the next key",
     {0},
     keys_rotate_docs},
    {HTTP_POST,
     "/api/v1/auth/token",
     0,
     api_token,
     "token_issue",
     "Get a token for client credentials",
     {"/oauth/token", "/api/auth/token"},
     token_docs},
    {HTTP_GET,
     "/.well-known/jwks.json",
     0,
     api_jwks,
     "jwks",
     "The keys that verify tokens",
     {"/api/v1/auth/jwks"},
     jwks_docs},
    {HTTP_GET,
     "/.well-known/key-documents",
     0,
     api_key_documents,
     "key_documents",
     "Which keys verify tokens, signed by each private key of Admin",
     {0},
     key_documents_docs},
};

struct route_table
admin_api_routes(struct admin_api *a)
{
    return (struct route_table){routes, countof(routes), a, "admin"};
}

/* Read when somebody asks for /metrics. */
static void
on_scrape(struct metrics *m, void *arg)
{
    const struct admin_api *a = arg;
    struct registry_stats s;

    registry_stats(admin_registry(a->conf.admin), &s);
    metric_set(m, metric_series(m, M_AUDIT_ENTRIES, "written"),
               (int64_t)s.audit_written);
    metric_set(m, metric_series(m, M_AUDIT_ENTRIES, "lost"),
               (int64_t)s.audit_lost);
    metric_set(m, metric_series(m, M_AUDIT_ENTRIES, "counted"),
               (int64_t)s.audit_counted);
    metric_set(m, metric_plain(m, M_AUDIT_QUEUED), s.audit_queued);
    metric_set(m, metric_plain(m, M_AUDIT_BROKEN), s.audit_broken);
    metric_set(m, metric_plain(m, M_AUDIT_SEALED), (int64_t)s.audit_sealed);
    metric_set(m, metric_plain(m, M_AUDIT_REPAIRS), (int64_t)s.audit_repairs);
}

enum err
admin_api_open(struct admin_api **out, const struct admin_api_conf *conf,
               struct fault *f)
{
    struct admin_api *a = calloc(1, sizeof(*a));

    *out = NULL;
    if (!a)
        return fault_set(f, ERR_NOMEM, "allocate", "admin api");
    a->conf = *conf;
    a->grant = (struct grant_conf){.keys = conf->keys,
                                   .audience = conf->audience,
                                   .issuer = conf->issuer,
                                   .life = conf->token_life,
                                   .metrics = conf->metrics};
    a->grant.attempts = attempts_open(ATTEMPTS_NAMES, conf->seed);
    if (!a->grant.attempts) {
        free(a);
        return fault_set(f, ERR_NOMEM, "allocate", "attempts");
    }
    if (conf->fetch) {
        a->refresh = refresh_open(a);
        if (!a->refresh) {
            admin_api_close(&a);
            return fault_set(f, ERR_NOMEM, "allocate", "admin api");
        }
    }
    (void)metrics_on_scrape(conf->metrics, on_scrape, a);
    *out = a;
    return ERR_OK;
}

void
admin_api_start(struct admin_api *a, struct loop *l)
{
    if (a->refresh)
        refresh_start(a->refresh, l);
}

void
admin_api_stop(struct admin_api *a, void (*done)(void *arg), void *arg)
{
    if (a->refresh)
        refresh_stop(a->refresh, done, arg);
    else
        done(arg);
}

void
admin_api_adjust(struct admin_api *a, struct dur token_life)
{
    a->grant.life = token_life;
}

void
admin_api_close(struct admin_api **pa)
{
    struct admin_api *a = *pa;

    if (!a)
        return;
    *pa = NULL;
    refresh_close(&a->refresh);
    attempts_close(&a->grant.attempts);
    free(a);
}
