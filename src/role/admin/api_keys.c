/* api_keys.c - the keys that verify tokens (ADM-026), and their rotation: what
 * there is, and "make the next one". What happens then is sec/keyplan.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "sec/keydoc.h"
#include "wire/date.h"

#define LEAD_MAX ((int64_t)30 * 86400)
#define KEEP_MAX ((int64_t)90 * 86400)

/* ---- GET /.well-known/jwks.json ---- */

void
api_jwks(struct call *c)
{
    struct admin_api *api = c->role;
    uint64_t version;
    struct keyset *ks;
    struct buf b;
    bool ok;

    if (!api->conf.keys) {
        reply_error(c, 404, "not_found", "There are no keys here");
        return;
    }
    buf_init(&b, KEYSET_TEXT);
    /* In this order: rather newer keys than a newer version. */
    version = keys_version(api->conf.keys);
    ks = keys_get(api->conf.keys);
    ok = keyset_jwks(ks, version, &b);
    keyset_unref(&ks);
    if (ok) {
        /* Short, so that a rotation is seen (KEYS_LEAD_S); verifiers ask again
         * anyway when they meet a key id that they do not know. */
        exchange_header(c->x, SLICE("Cache-Control"),
                        SLICE("public, max-age=300"));
        reply_json(c, 200, &b);
    } else {
        reply_error(c, 500, "internal_error", "The keys cannot be written");
    }
    buf_release(&b);
}

/* ---- GET /.well-known/key-documents ---- */

void
api_key_documents(struct call *c)
{
    struct admin_api *api = c->role;
    struct buf b;

    buf_init(&b, KEYDOCS_MAX);
    if (api->conf.keys && keys_documents(api->conf.keys, &b) == ERR_OK) {
        exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-cache"));
        reply_json(c, 200, &b);
    } else {
        reply_error(c, 404, "not_found", "There are no signed keys here");
    }
    buf_release(&b);
}

/* ---- GET /api/v1/keys ---- */

static void
put_time(struct json_writer *w, const char *key, struct wall t)
{
    char date[DATE_TEXT];

    if (t.ms)
        json_put_text(w, key, date_rfc3339_ms(t, date));
    else
        json_put_null(w, key);
}

static const char *
state_of(const struct keyset *ks, size_t i)
{
    if (ks->key[i].is_peer)
        return "peer";
    if ((int)i == ks->signer)
        return "signing";
    return (int)i > ks->signer ? "next" : "old";
}

static void
put_keys(struct buf *out, const struct keyset *ks, bool owed,
         const struct keys_rotated *r)
{
    struct json_writer w;

    json_begin(&w, out);
    json_put_object(&w, NULL);
    json_put_list(&w, "keys");
    for (size_t i = 0; i < ks->n; i++) {
        const struct key *k = &ks->key[i];

        if (!k->is_ours)
            continue;
        json_put_object(&w, NULL);
        json_put_text(&w, "kid", k->kid);
        json_put_text(&w, "state", state_of(ks, i));
        put_time(&w, "signs_from", k->signs_from);
        put_time(&w, "verifies_until", k->until);
        json_end_object(&w);
    }
    json_end_list(&w);
    json_put_bool(&w, "documents_owed", owed);
    if (r && r->removed[0]) {
        json_put_object(&w, "removed");
        json_put_text(&w, "kid", r->removed);
        put_time(&w, "would_verify_until", r->removed_until);
        json_end_object(&w);
    }
    json_end_object(&w);
}

static void
answer(struct api_job *j, struct keys *keys, const struct keys_rotated *r)
{
    struct keyset *ks = keys_get(keys);

    put_keys(&j->out, ks, keys_documents_owed(keys), r);
    keyset_unref(&ks);
}

static void
list_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;

    if (api->conf.keys)
        answer(j, api->conf.keys, NULL);
    else
        api_job_refuse(j, 404, "not_found", "There are no keys here");
}

void
api_keys(struct call *c)
{
    struct api_job *j = api_job_plain(c, list_run);

    if (j)
        api_job_read(j, 0);
}

/* ---- POST /api/v1/keys/rotate ---- */

static void
audit(struct api_job *j, const char *action, const char *kid,
      const char *result)
{
    struct admin_api *api = j->call->role;
    struct meta_audit a;

    api_audit_entry(j->call, &a, j->call->caller.subject, action, kid, result);
    a.at = j->now;
    admin_audit_now(api->conf.admin, &a);
}

static void
rotate(struct api_job *j, int64_t lead_s, int64_t keep_s)
{
    struct admin_api *api = j->call->role;
    const struct keys_rotation r = {
        .now = j->now, .lead = dur_s(lead_s), .keep = dur_s(keep_s)};
    struct keys_rotated done;
    enum err e = keys_rotate(api->conf.keys, &r, &done, &j->fault);

    audit(j, "key.rotate", done.kid, e ? err_name(e) : "ok");
    if (!e && done.removed[0])
        audit(j, "key.remove", done.removed, "made room");
    if (e == ERR_BUSY)
        api_job_refuse(j, 409, "busy", "Somebody else rotates just now");
    else if (e)
        j->err = e;
    else
        answer(j, api->conf.keys, &done);
}

static void
rotate_run(struct api_job *j)
{
    struct admin_api *api = j->call->role;
    struct slice s = slice_trim(buf_slice(&j->body.buf));
    json_t *o = json_read(s.n ? s : SLICE("{}"), &j->why);
    struct json_error e = {0};
    int64_t lead, keep;

    if (!api->conf.keys) {
        api_job_refuse(j, 404, "not_found", "There are no keys here");
    } else if (!json_is_object(o)) {
        api_job_refuse(j, 400, "invalid_json", "The body is a JSON object");
    } else {
        lead = json_get_int(o, "lead_s", JSON_OPTIONAL, 0, LEAD_MAX,
                            KEYS_LEAD_S, &e);
        keep = json_get_int(o, "keep_s", JSON_OPTIONAL, 0, KEEP_MAX,
                            KEYS_TOKEN_LIFE_S + KEYS_LEEWAY_S, &e);
        if (e.text[0])
            api_job_refuse(j, 422, "invalid_rotation", "%s", e.text);
        else
            rotate(j, lead, keep);
    }
    json_decref(o);
}

void
api_keys_rotate(struct call *c)
{
    struct api_job *j = api_job_plain(c, rotate_run);

    if (j)
        api_job_read(j, API_SMALL);
}
