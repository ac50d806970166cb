/* keys_documents.c - the signed word of which keys verify (keydoc.h), at both
 * of its ends: where the private keys are it is made and kept as
 * DIR/documents.json; where they are not it is handed in, and kept as
 *
 *     HAND_DIR/trusted-keys.json  {"root": "9f86...", "document": JWS}
 *
 * beside the SHA-256 of the PUBLIC_PATH that it goes on from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "obs/log.h"
#include "sec/file.h"
#include "sec/keys_impl.h"
#include <stdio.h>
#include <unistd.h>

#define DOCUMENTS "documents.json"
#define HANDED    "trusted-keys.json"

/* What handed_text() has written. */
static bool
handed_split(struct slice text, struct slice *root, struct slice *jws)
{
    struct slice part[8];
    uint8_t digest[32];

    (void)slice_cut_n(&text, '"', part, countof(part));
    *root = part[3];
    *jws = part[7];
    return slice_eq(part[1], SLICE("root")) &&
           hex_decode(*root, digest, sizeof(digest)) &&
           slice_eq(part[5], SLICE("document")) &&
           slice_starts(text, SLICE("}"));
}

static enum err
handed_parse(struct keys *k, struct keyset *ks, EVP_MD_CTX *md, struct fault *f)
{
    struct slice root, jws;
    enum err e;

    if (!handed_split(buf_slice(&k->handed), &root, &jws))
        return fault_set(f, ERR_CORRUPT, "read", HANDED);
    if (!slice_eq(root, slice_str(k->root_read)))
        return ERR_CONFLICT;
    e = keydoc_add(ks, jws, f);
    if (e == ERR_OK && EVP_DigestUpdate(md, jws.p, jws.n) != 1)
        e = fault_set(f, ERR_NOMEM, "digest", "keys");
    return e;
}

enum err
keys_handed_take(struct keys *k, struct keyset *ks, EVP_MD_CTX *md,
                 struct fault *f)
{
    const bool held = k->handed.n > 0;
    struct fault why = {0};
    char path[PATH_MAX];
    enum err e = ERR_OK;

    if (!k->hand_dir[0])
        return ERR_NOENT;
    snprintf(path, sizeof(path), "%s/%s", k->hand_dir, HANDED);
    if (!held)
        e = sec_file_read(path, false, &k->handed, &why);
    if (e == ERR_OK)
        e = handed_parse(k, ks, md, &why);
    if (e != ERR_OK && !held)
        buf_release(&k->handed);
    if (e == ERR_OK || e == ERR_NOENT || e == ERR_CONFLICT)
        return e;
    if (held || e == ERR_NOMEM) {
        if (f)
            *f = why;
        return e;
    }
    log_warning(k->log,
                "keys that were brought cannot be read; until they are brought "
                "again the file of AUTH_PUBLIC_KEY_PATH holds",
                F_FAULT(&why));
    return ERR_NOENT;
}

void
keys_handed_forget(struct keys *k)
{
    char path[PATH_MAX];

    buf_release(&k->handed);
    snprintf(path, sizeof(path), "%s/%s", k->hand_dir, HANDED);
    (void)unlink(path);
}

/* Publishes what B has, and gives back in it what was there. */
static void
documents_swap(struct keys *k, struct buf *b, uint64_t version)
{
    struct buf before;

    pthread_mutex_lock(&k->lock);
    before = k->documents;
    k->documents = *b;
    k->documents_version = version;
    pthread_mutex_unlock(&k->lock);
    *b = before;
}

/* Without those of before nobody could go on from a key whose file is gone; so
 * what may be read later is waited for, and only damage begins anew. */
static enum err
documents_read(struct keys *k, struct fault *f)
{
    char path[PATH_MAX];
    uint64_t version = 0;
    struct buf b;
    enum err e;

    snprintf(path, sizeof(path), "%s/%s", k->dir, DOCUMENTS);
    buf_init(&b, KEYDOCS_MAX);
    e = sec_file_read(path, false, &b, f);
    if (e == ERR_OK && (version = keydocs_own_version(buf_slice(&b))) == 0)
        e = fault_set(f, ERR_CORRUPT, "read", path);
    if (e == ERR_OK)
        documents_swap(k, &b, version);
    if (e == ERR_CORRUPT || e == ERR_TOOBIG)
        log_warning(k->log, "documents of keys are damaged and made anew",
                    F_FAULT(f));
    buf_release(&b);
    k->documents_read =
        e == ERR_OK || e == ERR_NOENT || e == ERR_CORRUPT || e == ERR_TOOBIG;
    return k->documents_read ? ERR_OK : e;
}

void
keys_documents_open(struct keys *k)
{
    struct fault f = {0};

    (void)documents_read(k, &f); /* and again when they are made */
}

static size_t
own_count(const struct keyset *set)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++)
        n += set->key[i].can_sign;
    return n;
}

/* All private keys there are, also those that are over; these come first, and
 * one that is damaged keeps no other from speaking. */
static enum err
signers_read(struct keys *k, const struct keyset *set, struct keyset *signers,
             struct fault *f)
{
    unsigned num[KEYS_OWN_ROOM];
    size_t n = 0;
    enum err e = keys_dir_numbers(k, num, &n, f);

    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char path[PATH_MAX];

        keys_dir_path(k, num[i], path);
        e = keys_take_private(signers, path, NULL, f);
        if (e == ERR_CORRUPT && i + own_count(set) < n) {
            log_warning(k->log,
                        "a key that is over cannot be read: elements that "
                        "trust no newer one will want a new file",
                        F_FAULT(f));
            e = ERR_OK;
        }
        if (e == ERR_EXISTS)
            e = ERR_OK;
    }
    return e;
}

static enum err
documents_renew(struct keys *k, struct fault *f)
{
    struct keyset *signers = keyset_new(1), *set = keys_get(k);
    struct keydocs_made made = {0};
    struct buf b;
    enum err e =
        signers ? ERR_OK : fault_set(f, ERR_NOMEM, "sign", "key documents");

    buf_init(&b, KEYDOCS_MAX);
    if (e == ERR_OK && !k->documents_read)
        e = documents_read(k, f);
    if (e == ERR_OK)
        e = signers_read(k, set, signers, f);
    if (e == ERR_OK)
        e = keydocs_make(set, signers, buf_slice(&k->documents), k->now, &b,
                         &made, f);
    if (e == ERR_OK && made.version != k->documents_version)
        e = keys_keep(k, DOCUMENTS, buf_slice(&b), f);
    if (e == ERR_OK && keydoc_is_of_future(made.version, k->now))
        log_warning(k->log,
                    "documents of keys have a version of the future, which "
                    "elements refuse: was the clock wrong then, or is it now? "
                    "If it was, remove documents.json and start again",
                    F_U64("version", made.version));
    if (e == ERR_OK && made.left_out)
        log_warning(k->log,
                    "there are too many keys for a document by each; elements "
                    "that trust only the oldest will want a new file",
                    F_U64("keys", set->n), F_U64("left_out", made.left_out));
    if (e == ERR_OK)
        documents_swap(k, &b, made.version);
    buf_release(&b);
    keyset_unref(&signers);
    keyset_unref(&set);
    return e;
}

void
keys_documents_settle(struct keys *k)
{
    struct fault f = {0};

    if (!k->documents_owed || !k->peers_known)
        return;
    k->documents_owed = documents_renew(k, &f) != ERR_OK;
    if (k->documents_owed && !k->documents_told)
        log_error(k->log,
                  "documents of keys are not signed, so that elements do not "
                  "hear of a rotation; tried again",
                  F_FAULT(&f));
    k->documents_told = k->documents_owed;
    if (!k->documents_owed)
        keys_dir_publish(k);
}

bool
keys_documents_owed(struct keys *k)
{
    return k->documents_owed;
}

enum err
keys_documents(struct keys *k, struct buf *out)
{
    enum err e;

    pthread_mutex_lock(&k->lock);
    e = k->documents.n == 0                            ? ERR_NOENT
        : buf_add_slice(out, buf_slice(&k->documents)) ? ERR_OK
                                                       : ERR_NOMEM;
    pthread_mutex_unlock(&k->lock);
    return e;
}

uint64_t
keys_version(struct keys *k)
{
    uint64_t v;

    pthread_mutex_lock(&k->lock);
    v = k->documents.n ? k->documents_version - k->documents_owed
                       : k->set->version;
    pthread_mutex_unlock(&k->lock);
    return v;
}

static bool
handed_text(const struct keys *k, struct slice jws, struct buf *out)
{
    return buf_printf(out, "{\"root\": \"%s\", \"document\": \"", k->root) &&
           buf_add_slice(out, jws) && buf_add_str(out, "\"}\n");
}

/* For the next start; a disk that takes nothing now is no reason to refuse what
 * is signed. */
static void
handed_write(struct keys *k)
{
    struct fault f = {0};
    enum err e = sec_file_write(k->hand_dir, HANDED, buf_slice(&k->handed),
                                0644, true, &f);

    if (e != ERR_OK && !k->hand_told)
        log_warning(k->log,
                    "keys that were brought hold, but cannot be written down; "
                    "after a start they have to be brought again",
                    F_FAULT(&f));
    k->hand_told = e != ERR_OK;
}

/* JWS holds, and is kept. */
static enum err
handed_keep(struct keys *k, struct slice jws, struct fault *f)
{
    struct buf before = k->handed;
    bool changed;
    enum err e;

    buf_init(&k->handed, HANDED_MAX);
    e = handed_text(k, jws, &k->handed)
            ? ERR_OK
            : fault_set(f, ERR_NOMEM, "keep", HANDED);
    if (e == ERR_OK)
        handed_write(k);
    if (e == ERR_OK)
        e = keys_renew(k, &changed, f);
    if (e != ERR_OK) {
        buf_release(&k->handed);
        k->handed = before;
    } else {
        buf_release(&before);
    }
    return e;
}

/* The document that TRUSTED has led to. *AGAIN: that is not what is trusted by
 * now; somebody else has brought one, or PUBLIC_PATH has other bytes, and
 * wins. */
static enum err
handed_hold(struct keys *k, const struct keyset *trusted, struct slice jws,
            bool *again, struct fault *f)
{
    char root[sizeof(k->root)];
    enum err e = ERR_OK;

    pthread_mutex_lock(&k->writer);
    memcpy(root, k->root, sizeof(root));
    *again = keys_generation(k) != trusted->generation;
    if (!*again)
        e = handed_keep(k, jws, f);
    *again = *again || strcmp(root, k->root) != 0;
    pthread_mutex_unlock(&k->writer);
    return e;
}

enum err
keys_hand(struct keys *k, struct slice text, struct wall now, uint64_t *version,
          struct fault *f)
{
    struct keyset *trusted;
    bool again = true;
    struct buf jws;
    enum err e;

    *version = 0;
    if (!k->hand_dir[0])
        return fault_set(f, ERR_UNSUPPORTED, "take", "key documents");
    do {
        trusted = keys_get(k);
        buf_init(&jws, KEYDOC_MAX);
        /* Long, and of anybody's making: others go on meanwhile. */
        e = keydocs_follow(trusted, text, now, &jws, version, f);
        if (e == ERR_OK)
            e = handed_hold(k, trusted, buf_slice(&jws), &again, f);
        keyset_unref(&trusted);
        buf_release(&jws);
    } while (e == ERR_OK && again);
    return e;
}
