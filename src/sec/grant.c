/* grant.c - see grant.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/grant.h"
#include "base/hex.h"
#include "sec/token.h"
#include "wire/form.h"
#include "wire/json.h"
#include <openssl/crypto.h>

static const struct {
    const char *name;
    unsigned status;
    const char *text;
} table[] = {
#define X(code, name, status, text) {name, status, text},
    GRANT_TABLE(X)
#undef X
};

const char *
grant_name(enum grant_why w)
{
    assert((unsigned)w < countof(table));
    return table[w].name;
}

/* What a request may carry. Others are passed over (RFC 6749 section 3.2). */
struct fields {
    bool has_type;
    bool has_id;
    bool has_secret;
    char grant_type[64];
};

/* One parameter. False: repeated, or longer than any of ours may be. */
static bool
field_set(struct grant *g, struct fields *fs, struct slice name,
          struct slice value)
{
    struct {
        const char *name;
        bool *has;
        char *to;
        size_t cap;
    } row[] = {
        {"grant_type", &fs->has_type, fs->grant_type, sizeof(fs->grant_type)},
        {"client_id", &fs->has_id, g->client_id, sizeof(g->client_id)},
        {"client_secret", &fs->has_secret, g->client_secret,
         sizeof(g->client_secret)},
        {"scope", &g->has_scope, g->scope, sizeof(g->scope)},
    };

    for (size_t i = 0; i < countof(row); i++) {
        if (!slice_eq(name, slice_str(row[i].name)))
            continue;
        if (*row[i].has || !slice_copy(value, row[i].to, row[i].cap))
            return false;
        /* An empty value counts as one that is not there (section 3.2). */
        *row[i].has = value.n > 0;
    }
    return true;
}

static bool
form_read(struct grant *g, struct fields *fs, struct slice body)
{
    char text[1024];
    struct slice key, value;
    enum query_result r;
    struct query q;
    bool ok = true;

    query_init(&q, body, text, sizeof(text), FORM_PAIRS_MAX);
    while (ok && (r = query_next(&q, &key, &value)) != QUERY_END)
        ok = r == QUERY_OK && field_set(g, fs, key, value);
    OPENSSL_cleanse(text, sizeof(text));
    return ok;
}

static bool
object_read(struct grant *g, struct fields *fs, struct slice body)
{
    struct json_error ignored = {0};
    json_t *j = json_read(body, &ignored), *value;
    bool ok = json_is_object(j);
    const char *name;

    if (ok)
        json_object_foreach(j, name, value)
        {
            if (!json_is_string(value))
                continue; /* none of ours, or as if it were not there */
            ok = ok && field_set(g, fs, slice_str(name),
                                 slice_of(json_string_value(value),
                                          json_string_length(value)));
        }
    json_decref(j);
    return ok;
}

/* RFC 6749 section 2.3.1 wants both halves percent-encoded; curl -u sends them
 * bare. What holds no good escape is taken as it is, and '+' stays a plus. */
static struct slice
half_decode(struct slice s, char *out)
{
    size_t n;

    return pct_decode(s, out, &n) ? slice_of(out, n) : s;
}

static bool
basic_read(struct grant *g, struct fields *fs, struct slice header)
{
    char text[512], half[512];
    struct slice rest, id;
    size_t n;
    bool ok;

    ok = base64_decode(slice_trim(slice_skip(header, 6)), text, sizeof(text),
                       &n);
    rest = slice_of(text, ok ? n : 0);
    ok = ok && slice_find(rest, ':') < rest.n && slice_cut(&rest, ':', &id) &&
         field_set(g, fs, SLICE("client_id"), half_decode(id, half)) &&
         field_set(g, fs, SLICE("client_secret"), half_decode(rest, half));
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(half, sizeof(half));
    return ok;
}

static bool
is_json(struct slice type, struct slice body)
{
    if (!slice_trim(type).n)
        return slice_starts(slice_trim(body), SLICE("{"));
    type = slice_trim(slice_head(type, slice_find(type, ';')));
    return slice_eq_nocase(type, SLICE("application/json"));
}

void
grant_parse(struct grant *g, struct slice type, struct slice body,
            struct slice authorization)
{
    struct fields fs = {0};
    bool ok = body.n <= GRANT_BODY_MAX;

    *g = (struct grant){0};
    authorization = slice_trim(authorization);
    if (ok && slice_eq_nocase(slice_head(authorization, 6), SLICE("basic "))) {
        g->basic = true;
        ok = basic_read(g, &fs, authorization);
        /* The client may name itself again in the body, but must not
         * authenticate twice. */
        fs.has_id = false;
    }
    if (ok) {
        char id[sizeof(g->client_id)];

        memcpy(id, g->client_id, sizeof(id));
        ok = is_json(type, body) ? object_read(g, &fs, body)
                                 : form_read(g, &fs, body);
        ok = ok && (!g->basic || strcmp(id, g->client_id) == 0);
    }
    if (!ok || !fs.has_type)
        g->why = GRANT_INVALID_REQUEST;
    else if (strcmp(fs.grant_type, "client_credentials") != 0)
        g->why = GRANT_UNSUPPORTED;
    else if (!g->client_id[0] || !fs.has_secret)
        g->why = GRANT_INVALID_CLIENT;
}

void
grant_release(struct grant *g)
{
    OPENSSL_cleanse(g, sizeof(*g));
}

/* The scopes of the token: what was asked for, within what there is. */
static enum grant_why
scopes_choose(const struct grant *g, const struct meta_account *account,
              unsigned *out)
{
    unsigned have;

    (void)scope_parse(slice_str(account->scopes), &have);
    *out = have;
    if (!g->has_scope)
        return GRANT_OK;
    if (!scope_parse(slice_str(g->scope), out) || !*out ||
        !scope_grants(have, *out))
        return GRANT_INVALID_SCOPE;
    return GRANT_OK;
}

static enum grant_why
decide(const struct grant_conf *conf, const struct grant *g,
       const struct meta_account *account, struct slice peer, struct mono mono,
       struct wall now, struct grant_reply *reply, unsigned *scopes)
{
    struct slice id = slice_str(g->client_id);
    struct dur wait = {0};
    bool right;

    if (g->why != GRANT_OK)
        return g->why;
    if (conf->attempts)
        wait = attempts_wait(conf->attempts, id, peer, mono);
    if (wait.ns > 0) {
        reply->retry_after_s = (unsigned)((wait.ns + 999999999) / 1000000000);
        return GRANT_RATE_LIMITED;
    }
    right = account_secret_right(account, slice_str(g->client_secret), now);
    if (!right || !account || account->disabled) {
        if (conf->attempts)
            attempts_failed(conf->attempts, id, peer, mono);
        /* Told to nobody but who knows the secret. */
        return right && account ? GRANT_DISABLED : GRANT_INVALID_CLIENT;
    }
    if (conf->attempts)
        attempts_clear(conf->attempts, id, peer);
    return scopes_choose(g, account, scopes);
}

static enum grant_why
token_put(const struct grant_conf *conf, const struct meta_account *account,
          unsigned scopes, struct wall now, struct buf *out)
{
    struct keyset *ks = keys_get(conf->keys);
    struct token_spec spec = {
        .sub = account->client_id,
        .username = account->client_id,
        .client_id = account->client_id,
        .audience = conf->audience,
        .issuer = conf->issuer,
        .kind = TOKEN_SERVICE_ACCOUNT,
        .scopes = scopes,
        .now = now,
        .life = conf->life,
    };
    char text[SCOPE_TEXT];
    size_t from = out->n;
    enum err e;

    buf_add_str(out, "{\"access_token\": \"");
    e = token_issue(ks, &spec, out, NULL);
    keyset_unref(&ks);
    buf_printf(out,
               "\", \"token_type\": \"Bearer\", \"expires_in\": %lld, "
               "\"scope\": \"%s\"}",
               (long long)(conf->life.ns / 1000000000),
               scope_text(scopes, text));
    if (e == ERR_OK && !out->failed)
        return GRANT_OK;
    out->n = from;
    return GRANT_SERVER_ERROR;
}

static void
refusal_put(struct buf *out, enum grant_why why, const char *request_id)
{
    const char *text = table[why].text;
    struct json_writer w;

    json_begin(&w, out);
    json_put_object(&w, NULL);
    json_put_text(&w, "error", table[why].name);
    json_put_text(&w, "error_description", text);
    json_put_text(&w, "message", text);
    if (request_id)
        json_put_text(&w, "request_id", request_id);
    json_end_object(&w);
}

void
grant_answer(const struct grant_conf *conf, const struct grant *g,
             const struct meta_account *account, struct slice peer,
             struct mono mono, struct wall now, struct buf *out,
             struct grant_reply *reply)
{
    struct metrics *m = conf->metrics;
    unsigned scopes = 0;
    enum grant_why why;

    *reply = (struct grant_reply){0};
    why = decide(conf, g, account, peer, mono, now, reply, &scopes);
    if (why == GRANT_OK)
        why = token_put(conf, account, scopes, now, out);
    if (why != GRANT_OK)
        refusal_put(out, why, g->request_id);
    reply->why = why;
    reply->status = table[why].status;
    reply->basic_challenge = table[why].status == 401 && g->basic;
    metric_inc(m, metric_series(m, M_AUTH_ISSUED, table[why].name));
}
