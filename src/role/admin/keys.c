/* keys.c - the keys that sign tokens move on with the tick: one whose time has
 * come signs, one that is over goes (sec/keyplan.h). Both are in the audit log,
 * as what Admin itself has done.
 *
 * Two Admins over one database have keys of their own, and need each other's to
 * verify (D37): the public halves are settings
 *
 *     jwk:OWNER:KID    MAC {"seen_at": ms, "jwk": {...}}
 *
 * which each writes for its own, and reads of the others. Who may write to the
 * database is not thereby one whose tokens are believed: MAC is over name and
 * text with a secret that is not there but in the file peers.key beside the
 * keys, made at the first start and to be copied to every other Admin. A row
 * with another MAC is left alone and told of. What is its own and
 * has no key any more it removes; of an Admin that is gone they stay for as
 * long as a token may live. Private keys are in no database (PRD-233).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "obs/log.h"
#include "role/admin/impl.h"
#include "sec/mac.h"
#include "sec/random.h"
#include "wire/json.h"
#include <stdio.h>
#include <stdlib.h>

#define EVERY          dur_s(2)
#define SHARE_EVERY_MS ((int64_t)10 * 1000)
#define SEEN_EVERY_MS  ((int64_t)86400 * 1000)
#define PEER_LIFE_MS   ((KEYS_TOKEN_LIFE_S + KEYS_LEEWAY_S) * 1000)
#define ROWS_MAX       64
#define NAME           200
#define SECRET_FILE    "peers.key"
#define SECRET         ((size_t)32)

bool
admin_keys_due(const struct admin *a)
{
    return a->keys && mono_reached(a->home->now, a->keys_at);
}

static void
tell(struct admin *a, struct wall now, const char *action, const char *kid)
{
    struct meta_audit e = {.at = now, .actor = "admin", .result = "ok"};

    (void)snprintf(e.action, sizeof(e.action), "%s", action);
    (void)snprintf(e.object, sizeof(e.object), "%.63s", kid);
    registry_audit(&a->registry, &e);
}

static bool
has(const struct keyset *ks, const char *kid)
{
    for (size_t i = 0; i < ks->n; i++)
        if (strcmp(ks->key[i].kid, kid) == 0)
            return true;
    return false;
}

static void
tell_changes(struct admin *a, struct wall now, const struct keyset *before,
             const struct keyset *after)
{
    const char *was =
        before->signer >= 0 ? before->key[before->signer].kid : "";

    if (after->signer >= 0 && strcmp(after->key[after->signer].kid, was) != 0)
        tell(a, now, "key.sign", after->key[after->signer].kid);
    for (size_t i = 0; i < before->n; i++)
        if (before->key[i].is_ours && !before->key[i].is_peer &&
            !has(after, before->key[i].kid))
            tell(a, now, "key.remove", before->key[i].kid);
}

/* ---- what others are told, and what they say ---- */

struct share {
    struct wall now;
    const struct keyset *ks;
    const char *owner;
    bool known[KEYSET_MAX]; /* a row of this key is there, and young */
    char peer[UUID_TEXT];   /* whose rows are being read */
    unsigned n_peer;
    char stale[ROWS_MAX][NAME];
    unsigned n_stale;
    struct buf jwks;
    bool any;
    char secret[2 * SECRET + 1];
    unsigned refused;
    char refused_kid[64]; /* one of them */
};

/* Read each time: it may have been copied here a moment ago. */
static enum err
secret_get(struct admin *a, char out[2 * SECRET + 1], struct fault *f)
{
    uint8_t fresh[SECRET];
    struct slice text;
    struct buf b;
    enum err e;

    buf_init(&b, 16 * KIB);
    e = keys_kept(a->keys, SECRET_FILE, &b, f);
    text = slice_trim(buf_slice(&b));
    if (e == ERR_NOENT) {
        sec_random(fresh, sizeof(fresh));
        hex_encode(fresh, sizeof(fresh), out);
        e = keys_keep(a->keys, SECRET_FILE, slice_str(out), f);
    } else if (e == ERR_OK && (!hex_decode(text, fresh, sizeof(fresh)) ||
                               !slice_copy(text, out, 2 * SECRET + 1))) {
        e = fault_set(f, ERR_CORRUPT, "no 64 hex digits in", SECRET_FILE);
    }
    explicit_bzero(fresh, sizeof(fresh));
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_release(&b);
    return e;
}

static int
own_index(const struct share *s, const char *kid)
{
    for (size_t i = 0; i < s->ks->n; i++)
        if (s->ks->key[i].is_ours && !s->ks->key[i].is_peer &&
            strcmp(s->ks->key[i].kid, kid) == 0)
            return (int)i;
    return -1;
}

/* The row of another Admin, if it may have as many: one that is wrong must
 * not take the room of all. Rows come by owner. */
static bool
peer_may(struct share *s, const char *rest)
{
    struct slice owner = slice_str(rest);

    owner = slice_head(owner, slice_find(owner, ':'));
    if (!slice_eq(owner, slice_str(s->peer))) {
        s->n_peer = 0;
        if (!slice_copy(owner, s->peer, sizeof(s->peer)))
            return false; /* nobody is called that */
    }
    return s->n_peer++ <= KEYS_OWN_MAX;
}

static void
refuse(struct share *s, const char *rest)
{
    const char *kid = strchr(rest, ':');

    if (s->refused++ == 0)
        (void)snprintf(s->refused_kid, sizeof(s->refused_kid), "%s",
                       kid ? kid + 1 : rest);
}

static bool
see_row(void *arg, const char *key, struct slice value)
{
    struct share *s = arg;
    struct json_error e = {0};
    struct slice text = slice_skip(value, SEC_MAC_HEX + 1);
    bool right = sec_mac_is(slice_str(s->secret), key, text,
                            slice_head(value, SEC_MAC_HEX));
    json_t *j = json_read(text, &e);
    int64_t seen =
        json_get_int(j, "seen_at", JSON_REQUIRED, 0, INT64_MAX, 0, &e);
    const json_t *jwk = json_get_obj(j, "jwk", JSON_REQUIRED, &e);
    const char *rest = key + strlen("jwk:");
    size_t n = strlen(s->owner);
    bool own = strncmp(rest, s->owner, n) == 0 && rest[n] == ':';
    int at = own ? own_index(s, rest + n + 1) : -1;
    bool stale = own ? at < 0 : e.text[0] || seen + PEER_LIFE_MS < s->now.ms;

    if (stale && strlen(key) < NAME) {
        (void)snprintf(s->stale[s->n_stale++], NAME, "%s", key);
    } else if (at >= 0) {
        s->known[at] = right && !e.text[0] && seen + SEEN_EVERY_MS > s->now.ms;
    } else if (!stale && !right) {
        refuse(s, rest);
    } else if (!stale && peer_may(s, rest)) {
        buf_add_str(&s->jwks, s->any ? ", " : "");
        s->any = json_out_value(&s->jwks, jwk) || s->any;
    }
    json_decref(j);
    return true;
}

static void
put_row(struct admin *a, const struct share *s, size_t i)
{
    char key[NAME], mac[SEC_MAC_HEX + 1];
    struct buf text, b;

    if ((size_t)snprintf(key, sizeof(key), "jwk:%s:%s", s->owner,
                         s->ks->key[i].kid) >= sizeof(key))
        return;
    buf_init(&text, 8 * KIB);
    buf_init(&b, 8 * KIB);
    buf_printf(&text, "{\"seen_at\": %lld, \"jwk\": ", (long long)s->now.ms);
    if (keyset_jwk(s->ks, i, &text) && buf_add_str(&text, "}")) {
        sec_mac(slice_str(s->secret), key, buf_slice(&text), mac);
        if (buf_printf(&b, "%s %s", mac, buf_str(&text)))
            (void)a->meta->ops->setting_put(a->meta, key, buf_slice(&b), NULL);
    }
    buf_release(&text);
    buf_release(&b);
}

/* Once, and again when there are more of them. */
static void
tell_refused(struct admin *a, const struct share *s)
{
    if (s->refused > a->keys_refused) {
        log_warning(a->seal.log,
                    "a key in the database is not believed: if it is of "
                    "another Admin of yours, copy keys/peers.key from one to "
                    "the other; if not, somebody else writes to the database",
                    F_STR("kid", s->refused_kid), F_U64("keys", s->refused));
        tell(a, s->now, "key.refuse", s->refused_kid);
    }
    a->keys_refused = s->refused;
}

/* What fails is tried again the next time; until then what was heard holds. */
static void
share(struct admin *a, struct wall now)
{
    struct share *s = calloc(1, sizeof(*s));
    struct keyset *ks = keys_get(a->keys);
    struct fault f = {0};
    bool changed;

    if (s && secret_get(a, s->secret, &f) != ERR_OK) {
        if (!a->share_failed)
            log_error(a->seal.log,
                      "keys are not shared with other Admins; from a start on "
                      "they are not signed for elements either",
                      F_FAULT(&f));
        a->share_failed = true;
        free(s);
        s = NULL;
    }
    if (s) {
        a->share_failed = false;
        s->now = now;
        s->ks = ks;
        s->owner = keys_owner(a->keys);
        buf_init(&s->jwks, KEYSET_TEXT);
        buf_add_str(&s->jwks, "{\"keys\": [");
    }
    if (s && a->meta->ops->setting_list(a->meta, "jwk:", ROWS_MAX, see_row, s,
                                        NULL) == ERR_OK) {
        for (size_t i = 0; i < ks->n; i++)
            if (ks->key[i].is_ours && !ks->key[i].is_peer && !s->known[i])
                put_row(a, s, i);
        for (unsigned i = 0; i < s->n_stale; i++)
            (void)a->meta->ops->setting_del(a->meta, s->stale[i], NULL);
        if (buf_add_str(&s->jwks, "]}"))
            (void)keys_peers(a->keys, s->any ? buf_slice(&s->jwks) : SLICE_NULL,
                             &changed, NULL);
        tell_refused(a, s);
    }
    if (s) {
        buf_release(&s->jwks);
        explicit_bzero(s->secret, sizeof(s->secret));
    }
    keyset_unref(&ks);
    free(s);
}

void
admin_keys(struct admin *a, struct keys *keys, struct log *log, struct wall now)
{
    assert(!a->home);
    a->keys = keys;
    if (!keys || !keys_owner(keys)[0])
        return;
    admin_seal_open(a, log);
    a->shared_at = now;
    share(a, now);
}

/* What cannot be read stays as it was; SIGHUP says so in the log. */
void
admin_keys_turn(struct admin *a, struct wall now)
{
    struct keyset *before, *after;
    bool changed = false;

    before = keys_get(a->keys);
    (void)keys_turn(a->keys, now, a->work_mono, &changed, NULL);
    if (changed) {
        after = keys_get(a->keys);
        tell_changes(a, now, before, after);
        keyset_unref(&after);
    }
    keyset_unref(&before);
    if (keys_owner(a->keys)[0] &&
        (changed || now.ms < a->shared_at.ms ||
         now.ms - a->shared_at.ms >= SHARE_EVERY_MS)) {
        a->shared_at = now;
        share(a, now);
    }
}

void
admin_keys_again(struct admin *a)
{
    a->keys_at = mono_add(a->home->now, EVERY);
}
