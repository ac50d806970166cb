/* keydoc.c - see keydoc.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/keydoc.h"
#include "sec/digest.h"
#include "wire/json.h"
#include "wire/json_scan.h"
#include <stdlib.h>

#define MEMBER "artstore_keys"

static const struct json_limits LIMITS = {KEYDOCS_MAX, 8, 4096, false};

/* ---- our own text ---- */

/* It is cut and not parsed: a parser that runs out of memory says that the text
 * is damaged, or reads another one. */
struct own {
    uint64_t version;
    struct slice set;
    unsigned n;
    struct slice kid[KEYDOCS_MAX_N], jws[KEYDOCS_MAX_N];
};

static bool
own_cut(struct slice text, struct own *out)
{
    struct slice p[8], number;

    *out = (struct own){0};
    (void)slice_cut_n(&text, '"', p, countof(p));
    number = slice_skip(p[2], strlen(": "));
    if (!slice_eq(p[1], SLICE("version")) ||
        !slice_u64(slice_head(number, slice_find(number, ',')),
                   &out->version) ||
        !slice_eq(p[3], SLICE("set")) || !slice_eq(p[7], SLICE("documents")))
        return false;
    out->set = p[5];
    while (out->n < KEYDOCS_MAX_N && slice_find(text, '"') < text.n) {
        (void)slice_cut_n(&text, '"', p, countof(p));
        if (!slice_eq(p[1], SLICE("kid")) || !slice_eq(p[5], SLICE("jws")))
            return false;
        out->kid[out->n] = p[3];
        out->jws[out->n++] = p[7];
    }
    return slice_ends(text, SLICE("]}\n")) && slice_find(text, '"') == text.n &&
           out->version > 0 && out->version < INT64_MAX;
}

uint64_t
keydocs_own_version(struct slice text)
{
    struct own o;

    return own_cut(text, &o) ? o.version : 0;
}

/* ---- making ---- */

static json_t *
set_jwk(const struct keyset *set, size_t i)
{
    const struct key *k = &set->key[i];
    struct json_error e = {0};
    char *again = NULL;
    json_t *o = NULL;
    struct buf b;

    buf_init(&b, 8 * KIB);
    if (keyset_jwk(set, i, &b))
        o = json_read(buf_slice(&b), &e);
    /* The library may lose a byte where it has no memory. */
    if (o)
        again = json_dumps(o, 0);
    if (!again || !slice_eq(slice_str(again), buf_slice(&b)) ||
        (k->until.ms &&
         json_object_set_new(o, "until", json_integer(k->until.ms)) != 0)) {
        json_decref(o);
        o = NULL;
    }
    free(again);
    buf_release(&b);
    return o;
}

static json_t *
set_list(const struct keyset *set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < set->n; i++)
        if (set->key[i].is_ours &&
            json_array_append_new(list, set_jwk(set, i)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* By which two lists of keys are known to be the same. */
static bool
list_digest(const json_t *list, char hex[65])
{
    struct buf text;
    bool ok;

    buf_init(&text, KEYDOC_MAX);
    ok = json_out_value(&text, list) && sec_sha256_hex(buf_slice(&text), hex);
    buf_release(&text);
    return ok;
}

static bool
document_put(struct buf *out, unsigned n, struct slice kid, struct slice jws)
{
    return buf_add_str(out, n ? ", " : "") && buf_add_str(out, "{\"kid\": ") &&
           json_out_str(out, kid) && buf_add_str(out, ", \"jws\": ") &&
           json_out_str(out, jws) && buf_add_str(out, "}");
}

/* One more of N bytes? Readers want some room, too. */
static bool
has_room(const struct buf *out, unsigned n_docs, size_t n)
{
    return n_docs < KEYDOCS_MAX_N && out->n + n + 16 * KIB <= KEYDOCS_MAX;
}

/* ERR_TOOBIG: there is no room for it. */
static enum err
sign_one(struct keyset *signers, size_t i, json_t *payload, struct buf *out,
         unsigned *n, struct fault *f)
{
    struct buf b;
    enum err e;

    buf_init(&b, KEYDOC_MAX);
    signers->signer = (int)i;
    e = token_sign(signers, payload, &b, f);
    if (e == ERR_OK && !has_room(out, *n, b.n))
        e = ERR_TOOBIG;
    else if (e == ERR_OK &&
             !document_put(out, (*n)++, slice_str(signers->key[i].kid),
                           buf_slice(&b)))
        e = fault_set(f, ERR_NOMEM, "sign", "key documents");
    buf_release(&b);
    return e;
}

/* By the newest first, down to *LAST. LIST stays the caller's. */
static enum err
sign_all(struct keyset *signers, json_t *list, int64_t version, struct wall now,
         struct buf *out, unsigned *n, size_t *last, struct fault *f)
{
    json_t *j =
        json_pack("{s:{s:I,s:I,s:O}}", MEMBER, "version", (json_int_t)version,
                  "made_at", (json_int_t)now.ms, "keys", list);
    enum err e = ERR_OK;

    *last = signers->n;
    while (*last > 0 &&
           (e = sign_one(signers, *last - 1, j, out, n, f)) == ERR_OK)
        --*last;
    json_decref(j);
    return e == ERR_TOOBIG ? ERR_OK : e;
}

static bool
has_signed(const struct keyset *signers, size_t last, struct slice kid)
{
    for (size_t i = last; i < signers->n; i++)
        if (slice_eq(slice_str(signers->key[i].kid), kid))
            return true;
    return false;
}

/* Those of keys that have not signed this time, as they were; as many as
 * fit. */
static void
keep_others(const struct keyset *signers, size_t last, const struct own *before,
            struct buf *out, unsigned *n)
{
    for (unsigned i = 0; i < before->n; i++)
        if (!has_signed(signers, last, before->kid[i]) &&
            has_room(out, *n, before->jws[i].n))
            (void)document_put(out, (*n)++, before->kid[i], before->jws[i]);
}

enum err
keydocs_make(const struct keyset *set, struct keyset *signers,
             struct slice before, struct wall now, struct buf *out,
             struct keydocs_made *made, struct fault *f)
{
    json_t *list = set_list(set);
    struct own old = {0};
    int64_t version;
    size_t last = 0;
    unsigned n = 0;
    char hex[65];
    enum err e;

    *made = (struct keydocs_made){0};
    if (before.n && !own_cut(before, &old)) {
        e = fault_set(f, ERR_CORRUPT, "sign", "key documents of before");
        goto out;
    }
    if (!list || !list_digest(list, hex)) {
        e = fault_set(f, ERR_NOMEM, "sign", "key documents");
        goto out;
    }
    if (slice_eq(old.set, slice_str(hex))) {
        made->version = old.version;
        e = buf_add_slice(out, before) ? ERR_OK : ERR_NOMEM;
        goto out;
    }
    version = now.ms > (int64_t)old.version ? now.ms : (int64_t)old.version + 1;
    made->version = (uint64_t)version;
    buf_printf(out, "{\"version\": %lld, \"set\": \"%s\", \"documents\": [",
               (long long)version, hex);
    e = sign_all(signers, list, version, now, out, &n, &last, f);
    made->left_out = (unsigned)last;
    keep_others(signers, last, &old, out, &n);
    if (!buf_add_str(out, "]}\n") && e == ERR_OK)
        e = fault_set(f, ERR_NOMEM, "sign", "key documents");
out:
    json_decref(list);
    return e;
}

/* ---- reading ---- */

/* A text, taken apart where it lies: anybody may have brought it, and the
 * library's tree would cost more than all that follows. */
struct texts {
    uint64_t version; /* as it says; 0: it does not */
    bool listed;
    size_t n;
    struct slice jws[KEYDOCS_MAX_N];
    const char *why; /* it is none */
};

static bool
entry_read(struct json_scan *s, struct texts *t)
{
    struct slice key, v, jws = SLICE_NULL;
    enum json_token k;

    while ((k = json_scan_next(s, &key)) == JSON_KEY) {
        k = json_scan_next(s, &v);
        if (k == JSON_TEXT && slice_eq(key, SLICE("jws")))
            jws = v; /* base64url and dots: it has no escapes */
        else if (!json_scan_skip(s, k))
            return false;
    }
    if (k != JSON_CLOSE || !jws.p)
        return false;
    if (t->n == KEYDOCS_MAX_N) {
        t->why = "too many documents";
        return false;
    }
    t->jws[t->n++] = jws;
    return true;
}

static bool
list_read(struct json_scan *s, struct texts *t)
{
    enum json_token k;
    struct slice v;

    t->listed = true;
    while ((k = json_scan_next(s, &v)) == JSON_OPEN)
        if (!entry_read(s, t))
            return false;
    return k == JSON_LIST_END;
}

static bool
texts_read(struct slice text, struct texts *t)
{
    struct slice key, v;
    struct json_scan s;
    enum json_token k;
    bool ok = true;

    *t = (struct texts){.why = "not valid JSON, or not of documents"};
    json_scan_init(&s, text, LIMITS.depth_max);
    if (json_scan_next(&s, &v) != JSON_OPEN)
        return false;
    while (ok && (k = json_scan_next(&s, &key)) == JSON_KEY) {
        k = json_scan_next(&s, &v);
        if (k == JSON_NUM && slice_eq(key, SLICE("version")))
            ok = slice_u64(v, &t->version) && t->version <= INT64_MAX;
        else if (k == JSON_LIST && slice_eq(key, SLICE("documents")))
            ok = list_read(&s, t);
        else
            ok = json_scan_skip(&s, k);
    }
    return ok && k == JSON_CLOSE && json_scan_next(&s, &v) == JSON_DONE;
}

uint64_t
keydocs_version(struct slice text)
{
    struct texts t;

    return texts_read(text, &t) ? t.version : 0;
}

static json_t *
payload_read(struct slice part)
{
    struct json_error e = {0};
    struct buf b;
    json_t *j = NULL;
    size_t n = 0;
    char *p;

    buf_init(&b, KEYDOC_MAX);
    p = buf_reserve(&b, part.n);
    if (p && jwt_decode(part, p, part.n, &n))
        j = json_read_limited(slice_of(p, n), &LIMITS, &e);
    buf_release(&b);
    return j;
}

/* What the payload says of keys; NULL: it says anything else, so that nobody's
 * token, whatever claims he may put into it, is a document. */
static const json_t *
keys_of(const json_t *payload)
{
    return json_object_size(payload) == 1 ? json_object_get(payload, MEMBER)
                                          : NULL;
}

static uint64_t
version_of(const json_t *keys)
{
    struct json_error e = {0};
    int64_t v =
        json_get_int(keys, "version", JSON_REQUIRED, 1, INT64_MAX, 0, &e);

    return e.text[0] ? 0 : (uint64_t)v;
}

enum err
keydoc_add(struct keyset *ks, struct slice jws, struct fault *f)
{
    const json_t *keys;
    json_t *j = NULL;
    struct jwt p;
    enum err e;

    if (jwt_split_long(jws, KEYDOC_MAX, &p))
        j = payload_read(p.payload);
    keys = keys_of(j);
    e = version_of(keys)
            ? keyset_add_list(ks, keys, f)
            : fault_set(f, ERR_INVAL, "key document", "no keys of a version");
    json_decref(j);
    return e;
}

bool
keydoc_is_of_future(uint64_t version, struct wall now)
{
    int64_t end = (now.ms > 0 ? now.ms : 0) + KEYDOC_FUTURE.ns / 1000000;

    return version > (uint64_t)end;
}

struct follower {
    struct keyset *at;
    struct wall now;
    struct slice jws; /* that has led there */
    bool future;      /* there is one of the future */
};

/* JWS, if the follower has its signer and it is newer, else NULL. Nothing in it
 * is looked at before the signature: anybody may have written it. */
static struct keyset *
next_set(struct follower *w, struct slice jws)
{
    struct wall then = {w->now.ms - KEYDOC_SIGNER.ns / 1000000};
    struct keyset *ks = NULL;
    struct slice payload;
    uint64_t version;
    json_t *j;

    if (token_signed_long(w->at, jws, KEYDOC_MAX, then, &payload) != TOKEN_OK)
        return NULL;
    j = payload_read(payload);
    version = version_of(keys_of(j));
    if (version <= w->at->version)
        ; /* none, or known */
    else if (keydoc_is_of_future(version, w->now))
        w->future = true;
    else if ((ks = keyset_new(1)) != NULL &&
             keyset_add_list(ks, keys_of(j), NULL) != ERR_OK)
        keyset_unref(&ks);
    json_decref(j);
    return ks;
}

/* The newest of T that the follower may take is where it is then. */
static bool
step(struct follower *w, const struct texts *t)
{
    struct keyset *best = NULL;

    for (size_t i = 0; i < t->n; i++) {
        struct keyset *ks = next_set(w, t->jws[i]);

        if (ks && (!best || ks->version > best->version)) {
            keyset_unref(&best);
            best = ks;
            ks = NULL;
            w->jws = t->jws[i];
        }
        keyset_unref(&ks);
    }
    if (!best)
        return false;
    keyset_unref(&w->at);
    w->at = best;
    return true;
}

/* Of what nobody trusted has signed there is only the text's word of how new it
 * is. */
static enum err
nothing_taken(const struct follower *w, const struct texts *t, struct fault *f)
{
    if (w->future)
        return fault_set(f, ERR_DENIED, "key documents",
                         "they are of the future; compare the clock here with "
                         "Admin's");
    return t->n && t->version > w->at->version
               ? fault_set(f, ERR_DENIED, "key documents",
                           "none of them is signed by a key that is trusted "
                           "here; Admin's jwks.json (AUTH_PUBLIC_KEY_PATH) and "
                           "SIGHUP help")
               : ERR_EXISTS;
}

enum err
keydocs_follow(struct keyset *trusted, struct slice text, struct wall now,
               struct buf *out, uint64_t *version, struct fault *f)
{
    struct follower w = {.at = keyset_ref(trusted), .now = now};
    struct texts t;
    enum err e = ERR_OK;

    if (!texts_read(text, &t))
        e = fault_set(f, ERR_INVAL, "key documents", t.why);
    else if (!t.listed)
        e = fault_set(f, ERR_INVAL, "key documents",
                      "the field 'documents' is missing");
    *version = e == ERR_OK ? t.version : 0;
    while (e == ERR_OK && step(&w, &t))
        ; /* each is newer than the one before, so this ends */
    if (e == ERR_OK && !w.jws.p)
        e = nothing_taken(&w, &t, f);
    if (e == ERR_OK && !buf_add_slice(out, w.jws))
        e = fault_set(f, ERR_NOMEM, "key documents", "no memory");
    keyset_unref(&w.at);
    return e;
}
