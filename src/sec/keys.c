/* keys.c - see keys.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/digest.h"
#include "sec/file.h"
#include "sec/keys_impl.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define BITS_DEFAULT 3072

struct keyset *
keys_get(struct keys *k)
{
    struct keyset *ks;

    pthread_mutex_lock(&k->lock);
    ks = keyset_ref(k->set);
    pthread_mutex_unlock(&k->lock);
    return ks;
}

uint64_t
keys_generation(const struct keys *k)
{
    return atomic_load_explicit(&k->generation, memory_order_acquire);
}

/* Never ask a terminal: a key with a passphrase cannot start a server. */
static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
    (void)buf;
    (void)size;
    (void)rw;
    (void)arg;
    return -1;
}

static enum err
private_add(struct keyset *ks, struct slice text, const char *path,
            struct fault *f)
{
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
    EVP_PKEY *pkey = NULL;

    if (bio)
        pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (!pkey)
        return fault_set(f, ERR_CORRUPT, "no private key in", path);
    return keyset_add(ks, pkey, NULL, KEY_OURS | KEY_SIGNS, f);
}

static enum err
mix(EVP_MD_CTX *md, const char *path, struct slice text, struct fault *f)
{
    return EVP_DigestUpdate(md, path, strlen(path)) == 1 &&
                   EVP_DigestUpdate(md, &text.n, sizeof(text.n)) == 1 &&
                   EVP_DigestUpdate(md, text.p, text.n) == 1
               ? ERR_OK
               : fault_set(f, ERR_NOMEM, "digest", path);
}

enum err
keys_take_private(struct keyset *ks, const char *path, EVP_MD_CTX *md,
                  struct fault *f)
{
    struct buf b;
    enum err e;

    buf_init(&b, KEYS_FILE_MAX);
    e = sec_file_read(path, true, &b, f);
    if (e == ERR_OK && md)
        e = mix(md, path, buf_slice(&b), f);
    if (e == ERR_OK)
        e = private_add(ks, buf_slice(&b), path, f);
    if (b.p)
        OPENSSL_cleanse(b.p, b.cap);
    buf_release(&b);
    return e;
}

static enum err
public_add(struct keys *k, struct keyset *ks, struct slice text, EVP_MD_CTX *md,
           struct fault *f)
{
    enum err e = mix(md, k->public_path, text, f);

    if (e != ERR_OK)
        return e;
    return slice_starts(slice_trim(text), SLICE("{"))
               ? keyset_add_jwks(ks, text, f)
               : keyset_add_pem(ks, text, f);
}

/* Read once: what is compared with is what counts. */
static enum err
public_read(struct keys *k, struct keyset *ks, EVP_MD_CTX *md, struct fault *f)
{
    enum err e, handed;
    struct buf b;

    k->root_read[0] = '\0';
    buf_init(&b, KEYS_FILE_MAX);
    e = sec_file_read(k->public_path, false, &b, f);
    if (e == ERR_NOENT) {
        e = k->public_required ? fault_set(f, ERR_NOENT, "open", k->public_path)
                               : ERR_OK;
        goto out;
    }
    if (e == ERR_OK && !sec_sha256_hex(buf_slice(&b), k->root_read))
        e = fault_set(f, ERR_NOMEM, "digest", k->public_path);
    if (e != ERR_OK)
        goto out;
    handed = keys_handed_take(k, ks, md, f);
    e = handed == ERR_NOENT || handed == ERR_CONFLICT
            ? public_add(k, ks, buf_slice(&b), md, f)
            : handed;
    if (e == ERR_OK && handed == ERR_CONFLICT)
        keys_handed_forget(k);
out:
    buf_release(&b);
    return e;
}

/* All files into a new set. */
static enum err
set_read(struct keys *k, struct keyset *ks, uint8_t digest[32], struct fault *f)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    enum err e = ERR_OK;

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        e = fault_set(f, ERR_NOMEM, "digest", "keys");
        goto out;
    }
    if (k->dir[0])
        e = keys_dir_read(k, ks, md, f);
    if (e == ERR_OK && k->public_path[0])
        e = public_read(k, ks, md, f);
    if (e == ERR_OK && k->peers.n)
        e = EVP_DigestUpdate(md, k->peers.p, k->peers.n) == 1
                ? keyset_add_peers(ks, buf_slice(&k->peers), f)
                : fault_set(f, ERR_NOMEM, "digest", "keys");
    if (e == ERR_OK && k->adopted.n)
        e = EVP_DigestUpdate(md, k->adopted.p, k->adopted.n) == 1
                ? keyset_add_jwks(ks, buf_slice(&k->adopted), f)
                : fault_set(f, ERR_NOMEM, "digest", "keys");
    if (e == ERR_OK && EVP_DigestFinal_ex(md, digest, NULL) != 1)
        e = fault_set(f, ERR_NOMEM, "digest", "keys");
out:
    EVP_MD_CTX_free(md);
    return e;
}

enum err
keys_renew(struct keys *k, bool *changed, struct fault *f)
{
    struct keyset *ks = keyset_new(keys_generation(k) + 1), *old;
    uint8_t digest[32] = {0};
    enum err e;

    *changed = false;
    if (!ks)
        return fault_set(f, ERR_NOMEM, "reload", "keys");
    e = set_read(k, ks, digest, f);
    if (e == ERR_OK && ks->n == 0 && !k->adopts)
        e = fault_set(f, ERR_NOENT, "there is no key in",
                      k->dir[0] ? k->dir : k->public_path);
    if (e != ERR_OK || memcmp(digest, k->digest, sizeof(digest)) == 0) {
        keyset_unref(&ks);
        return e;
    }
    memcpy(k->digest, digest, sizeof(digest));
    memcpy(k->root, k->root_read, sizeof(k->root));
    pthread_mutex_lock(&k->lock);
    old = k->set;
    k->set = ks;
    pthread_mutex_unlock(&k->lock);
    /* After the set: whoever sees the number finds the set behind it. */
    atomic_store_explicit(&k->generation, ks->generation, memory_order_release);
    keyset_unref(&old);
    *changed = true;
    if (k->dir[0] && k->creates) {
        k->documents_owed = true;
        keys_documents_settle(k);
        if (k->documents_owed)
            keys_dir_publish(k);
    }
    return ERR_OK;
}

enum err
keys_reload(struct keys *k, bool *changed, struct fault *f)
{
    enum err e;

    pthread_mutex_lock(&k->writer);
    e = keys_renew(k, changed, f);
    pthread_mutex_unlock(&k->writer);
    return e;
}

enum err
keys_adopt(struct keys *k, struct slice text, bool *changed, struct fault *f)
{
    struct keyset *alone = keyset_new(1);
    struct buf before;
    enum err e;

    *changed = false;
    if (!alone)
        return fault_set(f, ERR_NOMEM, "adopt", "keys");
    e = text.n <= KEYS_FILE_MAX ? keyset_add_jwks(alone, text, f)
                                : fault_set(f, ERR_INVAL, "adopt", "keys");
    keyset_unref(&alone);
    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&k->writer);
    before = k->adopted;
    buf_init(&k->adopted, KEYS_FILE_MAX);
    e = buf_add_slice(&k->adopted, text)
            ? keys_renew(k, changed, f)
            : fault_set(f, ERR_NOMEM, "adopt", "keys");
    if (e == ERR_OK) {
        buf_release(&before);
    } else {
        buf_release(&k->adopted);
        k->adopted = before;
    }
    pthread_mutex_unlock(&k->writer);
    return e;
}

const char *
keys_owner(const struct keys *k)
{
    return k->owner;
}

enum err
keys_peers(struct keys *k, struct slice text, bool *changed, struct fault *f)
{
    struct buf before;
    enum err e = ERR_OK;

    *changed = false;
    pthread_mutex_lock(&k->writer);
    if (slice_eq(buf_slice(&k->peers), text))
        goto out;
    before = k->peers;
    buf_init(&k->peers, KEYS_FILE_MAX);
    e = buf_add_slice(&k->peers, text)
            ? keys_renew(k, changed, f)
            : fault_set(f, ERR_NOMEM, "peers", "keys");
    if (e == ERR_OK) {
        buf_release(&before);
    } else {
        buf_release(&k->peers);
        k->peers = before;
    }
out:
    if (e == ERR_OK) {
        k->peers_known = true;
        keys_documents_settle(k);
    }
    pthread_mutex_unlock(&k->writer);
    return e;
}

enum err
keys_turn(struct keys *k, struct wall now, struct mono mono, bool *changed,
          struct fault *f)
{
    enum err e;

    pthread_mutex_lock(&k->writer);
    k->now = now;
    e = keys_renew(k, changed, f);
    if (e == ERR_OK)
        keys_documents_settle(k);
    /* Not before it has said who comes after it. */
    if (e == ERR_OK && k->dir[0] && k->creates && !k->documents_owed)
        e = keys_dir_sweep(k, mono, f);
    if (k->unpublished)
        keys_dir_publish(k);
    pthread_mutex_unlock(&k->writer);
    return e;
}

enum err
keys_open(struct keys **out, const struct keys_conf *conf, struct fault *f)
{
    struct keys *k = calloc(1, sizeof(*k));
    bool changed;
    enum err e;

    *out = NULL;
    if (!k)
        return fault_set(f, ERR_NOMEM, "open", "keys");
    pthread_mutex_init(&k->writer, NULL);
    pthread_mutex_init(&k->lock, NULL);
    k->bits = conf->bits ? conf->bits : BITS_DEFAULT;
    k->public_required = conf->public_required;
    k->adopts = conf->adopts;
    k->creates = conf->create;
    k->now = conf->now;
    k->log = conf->log;
    buf_init(&k->adopted, KEYS_FILE_MAX);
    buf_init(&k->peers, KEYS_FILE_MAX);
    buf_init(&k->handed, HANDED_MAX);
    buf_init(&k->documents, KEYDOCS_MAX);
    k->set = keyset_new(0);
    if (!k->set) {
        e = fault_set(f, ERR_NOMEM, "open", "keys");
        goto out;
    }
    if (!slice_copy(slice_str(conf->dir), k->dir, sizeof(k->dir)) ||
        !slice_copy(slice_str(conf->public_path), k->public_path,
                    sizeof(k->public_path)) ||
        !slice_copy(slice_str(conf->hand_dir), k->hand_dir,
                    sizeof(k->hand_dir))) {
        e = fault_set(f, ERR_INVAL, "open keys", "a path is too long");
        goto out;
    }
    if (k->dir[0] && conf->create && (e = keys_dir_open(k, f)) != ERR_OK)
        goto out;
    if (k->dir[0] && conf->create)
        keys_documents_open(k);
    if ((e = keys_renew(k, &changed, f)) != ERR_OK)
        goto out;
    *out = k;
    k = NULL;
out:
    keys_close(&k);
    return e;
}

void
keys_close(struct keys **k)
{
    struct keys *x = *k;

    *k = NULL;
    if (!x)
        return;
    keyset_unref(&x->set);
    buf_release(&x->adopted);
    buf_release(&x->peers);
    buf_release(&x->handed);
    buf_release(&x->documents);
    pthread_mutex_destroy(&x->writer);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
