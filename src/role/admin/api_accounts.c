/* api_accounts.c - service accounts over HTTP (ADM-023, ADM-028).
 *
 * A secret is made here, leaves in one answer and is kept as a hash: who has
 * lost it gets another. The one before may go on being taken for a while, so
 * that a fleet can change over (PRD-233). What is done is in the audit log by
 * the same transaction; what was refused is there too.
 *
 * Tokens that were given already go on until they end: they are checked without
 * asking anybody. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "sec/account.h"
#include "sec/bootstrap.h"
#include "wire/audit.h"
#include "wire/date.h"
#include "wire/query.h"
#include <stdio.h>
#include <string.h>

#define PAGE_MAX     200
#define PAGE_DEFAULT 100
#define KEEP_DEFAULT ((int64_t)86400)
#define KEEP_MAX     ((int64_t)90 * 86400)

static struct admin *
admin_of(const struct api_job *j)
{
    const struct admin_api *api = j->call->role;

    return api->conf.admin;
}

/* The account of the path. False: there can be none, which J says. */
static bool
client_id(struct api_job *j, char id[65])
{
    struct slice s = j->call->param[0];
    size_t n = 0;

    if (s.n < 65 && pct_decode(s, id, &n) && account_id_ok(slice_of(id, n))) {
        id[n] = '\0';
        return true;
    }
    api_job_refuse(j, 404, "account_not_found", "There is no such account");
    return false;
}

/* RESULT: what is said when it was done. */
static struct meta_audit
entry_of(struct api_job *j, const char *action, const char *id,
         const char *result)
{
    struct meta_audit a;

    api_audit_entry(j->call, &a, j->call->caller.subject, action, id, result);
    a.at = j->now;
    return a;
}

/* What became of a change, to the client, and if it was not made to the audit
 * log: ENTRY went with the change. */
static void
settle(struct api_job *j, enum err e, const char *id,
       const struct meta_audit *entry)
{
    struct meta_audit no = *entry;

    (void)snprintf(no.result, sizeof(no.result), "%s", err_name(e));
    if (e)
        admin_audit_now(admin_of(j), &no);
    if (e == ERR_NOENT)
        api_job_refuse(j, 404, "account_not_found", "There is no account %s",
                       id);
    else if (e == ERR_EXISTS)
        api_job_refuse(j, 409, "account_exists",
                       "There is an account %s already", id);
    else if (e == ERR_TOOBIG)
        api_job_refuse(j, 409, "too_many_accounts",
                       "There are %d accounts, and may not be more",
                       META_ACCOUNTS_MAX);
    else
        j->err = e;
}

/* ---- answers ---- */

static void
put_time(struct json_writer *w, const char *key, struct wall t)
{
    char date[DATE_TEXT];

    if (t.ms)
        json_put_text(w, key, date_rfc3339_ms(t, date));
    else
        json_put_null(w, key);
}

static void
put_account(struct json_writer *w, const struct meta_account *a,
            const char *secret)
{
    json_put_object(w, NULL);
    json_put_text(w, "client_id", a->client_id);
    if (secret)
        json_put_text(w, "client_secret", secret);
    json_put_text(w, "name", a->name);
    json_put_text(w, "scope", a->scopes);
    json_put_bool(w, "disabled", a->disabled);
    put_time(w, "created_at", a->created_at);
    put_time(w, "updated_at", a->updated_at);
    put_time(w, "old_secret_until",
             a->old_hash[0] ? a->old_until : (struct wall){0});
    json_end_object(w);
}

static void
answer(struct api_job *j, int status, const struct meta_account *a,
       const char *secret)
{
    struct json_writer w;

    j->status = status;
    json_begin(&w, &j->out);
    put_account(&w, a, secret);
}

/* The body; NULL: refused. An empty one is {}. */
static json_t *
body_read(struct api_job *j)
{
    struct slice s = slice_trim(buf_slice(&j->body.buf));
    json_t *o = json_read(s.n ? s : SLICE("{}"), &j->why);

    if (!json_is_object(o)) {
        json_decref(o);
        api_job_refuse(j, 400, "invalid_json", "The body is a JSON object");
        return NULL;
    }
    return o;
}

/* False: there was a mistake in a value, which J says now. */
static bool
values_ok(struct api_job *j)
{
    char text[sizeof(j->why.text)];

    if (!j->why.text[0])
        return true;
    memcpy(text, j->why.text, sizeof(text));
    api_job_refuse(j, 422, "invalid_account", "%s", text);
    return false;
}

static void
wrong(struct api_job *j, const char *text)
{
    if (!j->why.text[0])
        (void)snprintf(j->why.text, sizeof(j->why.text), "%s", text);
}

/* SCOPES as the account keeps them. */
static void
take_scopes(struct api_job *j, struct slice s, char out[SCOPE_TEXT])
{
    unsigned scopes = 0;

    if (!scope_parse(s, &scopes) || !scopes)
        wrong(j, "scope is one or more of read, write, delete, admin, gateway");
    scope_text(scopes, out);
}

static void
take_name(struct api_job *j, struct slice s, char out[65])
{
    if (!slice_copy(s, out, 65))
        wrong(j, "name is longer than 64 bytes");
    audit_clean(out);
}

/* ---- GET /api/v1/accounts ---- */

struct page {
    struct json_writer w;
    unsigned n, max;
    char last[65];
};

static bool
put_row(void *arg, const struct meta_account *a)
{
    struct page *p = arg;

    put_account(&p->w, a, NULL);
    memcpy(p->last, a->client_id, sizeof(p->last));
    p->n++;
    return true;
}

static bool
page_read(struct api_job *j, unsigned *limit, char after[65])
{
    struct slice query = j->call->x->head->query;
    char text[24];
    uint64_t n = PAGE_DEFAULT;
    size_t len;
    enum query_result r;

    r = query_get(query, SLICE("limit"), text, sizeof(text), &len);
    if (r != QUERY_END &&
        (r != QUERY_OK || !slice_u64(slice_of(text, len), &n)))
        n = 0;
    *limit = n <= PAGE_MAX ? (unsigned)n : 0;
    after[0] = '\0';
    r = query_get(query, SLICE("cursor"), after, 65, &len);
    if (*limit && (r == QUERY_END ||
                   (r == QUERY_OK && account_id_ok(slice_of(after, len)))))
        return true;
    api_job_refuse(j, 400, "invalid_argument",
                   "limit is 1 to %d, cursor is a next_cursor", PAGE_MAX);
    return false;
}

static void
list_run(struct api_job *j)
{
    struct page p = {.n = 0};
    char after[65];

    if (!page_read(j, &p.max, after))
        return;
    json_begin(&p.w, &j->out);
    json_put_object(&p.w, NULL);
    json_put_list(&p.w, "accounts");
    j->err =
        admin_account_list(admin_of(j), after, p.max, put_row, &p, &j->fault);
    json_end_list(&p.w);
    if (p.n == p.max) /* the next page may be empty */
        json_put_text(&p.w, "next_cursor", p.last);
    else
        json_put_null(&p.w, "next_cursor");
    json_end_object(&p.w);
}

void
api_accounts(struct call *c)
{
    struct api_job *j = api_job_plain(c, list_run);

    if (j)
        api_job_read(j, 0);
}

static void
get_run(struct api_job *j)
{
    struct meta_account a;
    char id[65];
    enum err e;

    if (!client_id(j, id))
        return;
    e = admin_account_get(admin_of(j), id, &a, &j->fault);
    if (e == ERR_NOENT)
        api_job_refuse(j, 404, "account_not_found", "There is no account %s",
                       id);
    else if (e)
        j->err = e;
    else
        answer(j, 200, &a, NULL);
}

void
api_account(struct call *c)
{
    struct api_job *j = api_job_plain(c, get_run);

    if (j)
        api_job_read(j, 0);
}

/* ---- POST /api/v1/accounts ---- */

static void
add(struct api_job *j, const char *id, const char *name, unsigned scopes)
{
    char secret[SECRET_TEXT], said[32], text[SCOPE_TEXT];
    struct meta_account a;
    struct meta_audit entry;
    enum err e;

    (void)snprintf(said, sizeof(said), "%s", scope_text(scopes, text));
    entry = entry_of(j, "account.create", id, said);
    account_secret_new(secret);
    e = account_make(&a, id, name, scopes, slice_str(secret), j->now,
                     &j->fault);
    if (!e)
        e = admin_account_add(admin_of(j), &a, &entry, &j->fault);
    settle(j, e, id, &entry);
    if (!e)
        answer(j, 201, &a, secret);
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(&a, sizeof(a));
}

static void
add_run(struct api_job *j)
{
    char id[65] = "", name[65] = "", scope[SCOPE_TEXT];
    unsigned scopes = 0;
    json_t *o = body_read(j);

    if (!o)
        return;
    if (!slice_copy(json_get_str(o, "client_id", JSON_REQUIRED, &j->why), id,
                    sizeof(id)) ||
        !account_id_ok(slice_str(id)))
        wrong(j, "client_id is 1 to 64 letters, digits, dots, dashes or "
                 "underscores");
    take_name(j, json_get_str(o, "name", JSON_OPTIONAL, &j->why), name);
    take_scopes(j, json_get_str(o, "scope", JSON_REQUIRED, &j->why), scope);
    json_decref(o);
    if (!values_ok(j))
        return;
    (void)scope_parse(slice_str(scope), &scopes);
    add(j, id, name, scopes);
}

void
api_account_add(struct call *c)
{
    struct api_job *j = api_job_plain(c, add_run);

    if (!j)
        return;
    j->secret = true;
    api_job_read(j, API_SMALL);
}

/* ---- PATCH ---- */

struct change {
    struct wall now;
    bool has_disabled, disabled, has_scope, has_name;
    char scope[SCOPE_TEXT];
    char name[65];
    struct meta_account result;
};

static enum err
change_fn(void *arg, struct meta_account *a, struct fault *f)
{
    struct change *ch = arg;

    (void)f;
    if (ch->has_disabled)
        a->disabled = ch->disabled;
    if (ch->has_scope)
        (void)snprintf(a->scopes, sizeof(a->scopes), "%s", ch->scope);
    if (ch->has_name)
        memcpy(a->name, ch->name, sizeof(a->name));
    a->updated_at = ch->now;
    ch->result = *a;
    return ERR_OK;
}

static bool
change_read(struct api_job *j, struct change *ch)
{
    json_t *o = body_read(j);
    struct slice scope, name;

    if (!o)
        return false;
    scope = json_get_str(o, "scope", JSON_OPTIONAL, &j->why);
    name = json_get_str(o, "name", JSON_OPTIONAL, &j->why);
    ch->has_disabled = json_is_boolean(json_object_get(o, "disabled"));
    ch->disabled = json_get_bool(o, "disabled", JSON_OPTIONAL, false, &j->why);
    ch->has_scope = scope.p != NULL;
    ch->has_name = name.p != NULL;
    if (ch->has_scope)
        take_scopes(j, scope, ch->scope);
    if (ch->has_name)
        take_name(j, name, ch->name);
    if (!ch->has_disabled && !ch->has_scope && !ch->has_name)
        wrong(j, "there is none of disabled, scope, name");
    json_decref(o);
    return values_ok(j);
}

static void
change_run(struct api_job *j)
{
    struct change ch = {.now = j->now};
    char id[65], said[32];
    const char *what = "ok";
    struct meta_audit entry;
    enum err e;

    if (!client_id(j, id) || !change_read(j, &ch))
        return;
    if (ch.has_scope)
        what = ch.scope;
    else if (ch.has_disabled)
        what = ch.disabled ? "disabled" : "enabled";
    (void)slice_copy(slice_head(slice_str(what), sizeof(said) - 1), said,
                     sizeof(said));
    entry = entry_of(j, "account.change", id, said);
    e = admin_account_change(admin_of(j), id, change_fn, &ch, &entry,
                             &j->fault);
    settle(j, e, id, &entry);
    if (!e)
        answer(j, 200, &ch.result, NULL);
    explicit_bzero(&ch, sizeof(ch));
}

void
api_account_change(struct call *c)
{
    struct api_job *j = api_job_plain(c, change_run);

    if (j)
        api_job_read(j, API_SMALL);
}

/* ---- POST .../rotate-secret ---- */

struct rotation {
    struct wall now, old_until;
    char hash[SECRET_HASH];
    struct meta_account result;
};

static enum err
rotate_fn(void *arg, struct meta_account *a, struct fault *f)
{
    struct rotation *r = arg;

    (void)f;
    account_secret_rotate(a, r->hash, r->now, r->old_until);
    r->result = *a;
    return ERR_OK;
}

static void
rotate(struct api_job *j, const char *id, int64_t keep_s)
{
    struct rotation r = {.now = j->now,
                         .old_until = {j->now.ms + keep_s * 1000}};
    const struct meta_audit entry =
        entry_of(j, "account.rotate", id, keep_s ? "ok" : "at once");
    char secret[SECRET_TEXT];
    enum err e;

    account_secret_new(secret);
    e = account_secret_hash(slice_str(secret), r.hash)
            ? admin_account_change(admin_of(j), id, rotate_fn, &r, &entry,
                                   &j->fault)
            : fault_set(&j->fault, ERR_NOMEM, "account", id);
    settle(j, e, id, &entry);
    if (!e)
        answer(j, 200, &r.result, secret);
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(&r, sizeof(r));
}

static void
rotate_run(struct api_job *j)
{
    char id[65];
    int64_t keep_s;
    json_t *o;

    if (!client_id(j, id) || !(o = body_read(j)))
        return;
    keep_s = json_get_int(o, "keep_s", JSON_OPTIONAL, 0, KEEP_MAX, KEEP_DEFAULT,
                          &j->why);
    json_decref(o);
    if (values_ok(j))
        rotate(j, id, keep_s);
}

void
api_account_rotate(struct call *c)
{
    struct api_job *j = api_job_plain(c, rotate_run);

    if (!j)
        return;
    j->secret = true;
    api_job_read(j, API_SMALL);
}

/* ---- DELETE ---- */

static void
remove_run(struct api_job *j)
{
    struct meta_audit entry;
    char id[65];
    enum err e;

    if (!client_id(j, id))
        return;
    /* bootstrap.h: it would be back after the next start, with its secret. */
    if (strcmp(id, BOOTSTRAP_CLIENT_ID) == 0 ||
        strcmp(id, GATEWAY_CLIENT_ID) == 0) {
        api_job_refuse(j, 409, "account_is_first",
                       "The next start would make %s again; disable it", id);
        return;
    }
    entry = entry_of(j, "account.remove", id, "ok");
    e = admin_account_del(admin_of(j), id, &entry, &j->fault);
    settle(j, e, id, &entry);
}

void
api_account_remove(struct call *c)
{
    struct api_job *j = api_job_plain(c, remove_run);

    if (j)
        api_job_read(j, API_SMALL);
}
