/* keys.c - see keys.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/keys.h"
#include "base/hex.h"
#include "base/uuid.h"
#include "sec/file.h"
#include "sec/keydoc.h"
#include "sec/keyplan.h"
#include "sec/random.h"
#include "wire/json.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BITS_DEFAULT 3072
#define FILE_MAX     ((size_t)256 * 1024)
#define NUMBER_MAX   9999
#define DOCUMENTS    "documents.json"
#define HANDED       "trusted-keys.json"

/* One more than there are for long: the new one is made before one goes. */
#define OWN_ROOM (KEYS_OWN_MAX + 1)

/* A file whose key is over, and since when that is known. */
struct over {
    unsigned number;
    struct mono since;
};

struct keys {
    char dir[PATH_MAX - 64]; /* empty: none */
    char public_path[PATH_MAX];
    bool public_required;
    bool adopts;
    bool creates;
    struct buf adopted; /* the issuer's word; under `writer` */
    struct buf peers;   /* the same of other Admins */
    char hand_dir[PATH_MAX - 64];
    char root[65];        /* of the bytes of public_path that hold, */
    char root_read[65];   /* and that were read last */
    struct buf documents; /* of ours; under `lock` */
    uint64_t documents_version;
    bool documents_owed; /* under `writer` */
    char owner[UUID_TEXT];
    unsigned bits;
    struct wall now; /* as told last; under `writer` */
    struct over over[OWN_ROOM];
    size_t n_over;
    uint8_t digest[32];     /* of all that the set was made from */
    pthread_mutex_t writer; /* one reload or rotation at a time */
    pthread_mutex_t lock;   /* for `set` */
    struct keyset *set;
    _Atomic uint64_t generation;
};

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

/* ------------------------------------------------------------- reading -- */

/* The number in key-NNNN.pem, or 0. */
static unsigned
number_of(const char *name)
{
    struct slice s = slice_str(name);
    uint64_t n = 0;

    if (s.n != strlen("key-0000.pem") || !slice_starts(s, SLICE("key-")) ||
        !slice_ends(s, SLICE(".pem")) || !slice_u64(slice_of(s.p + 4, 4), &n))
        return 0;
    return (unsigned)n;
}

/* The numbers of the files in the folder, rising; the highest OWN_ROOM. */
static enum err
numbers_list(const char *dir, unsigned *num, size_t *count, struct fault *f)
{
    DIR *d = opendir(dir);
    enum err e = ERR_OK;
    const struct dirent *de;

    *count = 0;
    if (!d)
        return errno == ENOENT ? ERR_OK : fault_sys(f, errno, "open", dir);
    while (e == ERR_OK && (de = readdir(d)) != NULL) {
        unsigned n = number_of(de->d_name);
        size_t at = *count;

        if (!n)
            continue;
        if (at == OWN_ROOM && n < num[0])
            continue;
        if (at == OWN_ROOM) {
            memmove(num, num + 1, --at * sizeof(*num));
            --*count;
        }
        for (; at > 0 && num[at - 1] > n; at--)
            num[at] = num[at - 1];
        num[at] = n;
        ++*count;
    }
    closedir(d);
    return e;
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

/* Reads one file for the set and mixes it into the digest of all. */
static enum err
file_take(struct keyset *ks, const char *path, bool secret, EVP_MD_CTX *md,
          struct fault *f)
{
    struct buf b;
    struct slice text;
    enum err e;

    buf_init(&b, FILE_MAX);
    e = sec_file_read(path, secret, &b, f);
    if (e != ERR_OK)
        goto out;
    text = buf_slice(&b);
    if (EVP_DigestUpdate(md, path, strlen(path)) != 1 ||
        EVP_DigestUpdate(md, &b.n, sizeof(b.n)) != 1 ||
        (b.n && EVP_DigestUpdate(md, b.p, b.n) != 1)) {
        e = fault_set(f, ERR_NOMEM, "digest", path);
        goto out;
    }
    if (secret)
        e = private_add(ks, text, path, f);
    else if (slice_starts(slice_trim(text), SLICE("{")))
        e = keyset_add_jwks(ks, text, f);
    else
        e = keyset_add_pem(ks, text, f);
out:
    if (b.p)
        OPENSSL_cleanse(b.p, b.cap);
    buf_release(&b);
    return e;
}

static void
key_path(const struct keys *k, unsigned number, char *out, size_t cap)
{
    snprintf(out, cap, "%s/key-%04u.pem", k->dir, number);
}

/* What the files of the folder say of each other, in rising order. */
static enum err
plans_read(const struct keys *k, struct key_plan plan[OWN_ROOM], size_t *n,
           struct fault *f)
{
    unsigned num[OWN_ROOM];
    enum err e = numbers_list(k->dir, num, n, f);

    for (size_t i = 0; e == ERR_OK && i < *n; i++) {
        char path[PATH_MAX];
        struct buf b;

        key_path(k, num[i], path, sizeof(path));
        buf_init(&b, FILE_MAX);
        e = sec_file_read(path, true, &b, f);
        plan[i].number = num[i];
        if (e == ERR_OK && !key_plan_parse(buf_slice(&b), &plan[i]))
            e = fault_set(f, ERR_CORRUPT, "read the times in", path);
        if (b.p)
            OPENSSL_cleanse(b.p, b.cap);
        buf_release(&b);
    }
    return e;
}

/* Those of the folder that are not over. */
static enum err
own_read(struct keys *k, struct keyset *ks, EVP_MD_CTX *md, struct fault *f)
{
    struct key_plan plan[OWN_ROOM];
    size_t n = 0, signer;
    int at = -1;
    enum err e = plans_read(k, plan, &n, f);

    if (e != ERR_OK || n == 0)
        return e;
    signer = key_plan_signer(plan, n, k->now);
    if (EVP_DigestUpdate(md, &plan[signer].number, sizeof(unsigned)) != 1)
        return fault_set(f, ERR_NOMEM, "digest", "keys");
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char path[PATH_MAX];

        if (key_plan_over(plan, n, i, k->now))
            continue;
        key_path(k, plan[i].number, path, sizeof(path));
        e = file_take(ks, path, true, md, f);
        if (e != ERR_OK)
            break;
        ks->key[ks->n - 1].signs_from = plan[i].signs_from;
        ks->key[ks->n - 1].until = key_plan_until(plan, n, i);
        if (i == signer)
            at = (int)ks->n - 1;
    }
    ks->signer = at;
    return e;
}

/* The digest of PUBLIC_PATH, whose reader tells what is wrong with it. */
static bool
root_read(struct keys *k)
{
    uint8_t d[32];
    struct buf b;
    bool ok;

    buf_init(&b, FILE_MAX);
    ok = sec_file_read(k->public_path, false, &b, NULL) == ERR_OK &&
         EVP_Digest(b.p, b.n, d, NULL, EVP_sha256(), NULL) == 1;
    buf_release(&b);
    k->root_read[0] = '\0';
    if (ok)
        (void)hex_encode(d, sizeof(d), k->root_read);
    return ok;
}

/* What was handed to us, if it was beside the PUBLIC_PATH of now. ERR_NOENT:
 * it was not, or is damaged; then PUBLIC_PATH holds. */
static enum err
handed_take(struct keys *k, struct keyset *ks, EVP_MD_CTX *md, struct fault *f)
{
    struct json_error je = {0};
    struct slice root, jws;
    char path[PATH_MAX];
    json_t *j = NULL;
    struct buf b;
    enum err e;

    if (!k->hand_dir[0] || !root_read(k))
        return ERR_NOENT;
    snprintf(path, sizeof(path), "%s/%s", k->hand_dir, HANDED);
    buf_init(&b, 2 * KEYDOC_MAX);
    e = sec_file_read(path, false, &b, f);
    if (e != ERR_OK)
        goto out;
    j = json_read_limited(buf_slice(&b),
                          &(struct json_limits){2 * KEYDOC_MAX, 4, 16, false},
                          &je);
    root = json_get_str(j, "root", JSON_REQUIRED, &je);
    jws = json_get_str(j, "document", JSON_REQUIRED, &je);
    if (je.text[0] || !slice_eq(root, slice_str(k->root_read)) ||
        keydoc_add(ks, jws, NULL) != ERR_OK)
        e = ERR_NOENT;
    else if (EVP_DigestUpdate(md, jws.p, jws.n) != 1)
        e = fault_set(f, ERR_NOMEM, "digest", "keys");
out:
    json_decref(j);
    buf_release(&b);
    return e;
}

/* It must not come back when the PUBLIC_PATH of before does. */
static void
handed_forget(const struct keys *k)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", k->hand_dir, HANDED);
    if (k->hand_dir[0])
        (void)unlink(path);
}

static enum err
public_read(struct keys *k, struct keyset *ks, EVP_MD_CTX *md, struct fault *f)
{
    enum err e = handed_take(k, ks, md, f);

    if (e != ERR_NOENT)
        return e;
    e = file_take(ks, k->public_path, false, md, f);
    if (e == ERR_OK)
        handed_forget(k);
    if (e == ERR_NOENT && k->public_required)
        return fault_set(f, ERR_NOENT, "open", k->public_path);
    return e == ERR_NOENT ? ERR_OK : e;
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
        e = own_read(k, ks, md, f);
    if (e == ERR_OK && k->public_path[0])
        e = public_read(k, ks, md, f);
    if (e == ERR_OK && k->peers.n)
        e = EVP_DigestUpdate(md, k->peers.p, k->peers.n) == 1
                ? keyset_add_peers(ks, buf_slice(&k->peers), f)
                : fault_set(f, ERR_NOMEM, "digest", "keys");
    if (e == ERR_OK && k->adopted.n) {
        e = EVP_DigestUpdate(md, k->adopted.p, k->adopted.n) == 1
                ? keyset_add_jwks(ks, buf_slice(&k->adopted), f)
                : fault_set(f, ERR_NOMEM, "digest", "keys");
        if (e == ERR_EXISTS)
            e = ERR_OK; /* PUBLIC_PATH has it too */
    }
    if (e == ERR_OK && EVP_DigestFinal_ex(md, digest, NULL) != 1)
        e = fault_set(f, ERR_NOMEM, "digest", "keys");
out:
    EVP_MD_CTX_free(md);
    return e;
}

/* Called with `writer` held: our documents say what our set says. What fails
 * is owed, and done by the next keys_turn(). */
static enum err
documents_renew(struct keys *k, struct fault *f)
{
    struct keyset *signers = keyset_new(1), *set = keys_get(k);
    unsigned num[OWN_ROOM];
    struct buf b, before;
    size_t n = 0;
    enum err e = signers ? numbers_list(k->dir, num, &n, f)
                         : fault_set(f, ERR_NOMEM, "sign", "key documents");

    k->documents_owed = true;
    buf_init(&b, KEYDOCS_MAX);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct buf text;
        char path[PATH_MAX];

        key_path(k, num[i], path, sizeof(path));
        buf_init(&text, FILE_MAX);
        e = sec_file_read(path, true, &text, f);
        if (e == ERR_OK)
            e = private_add(signers, buf_slice(&text), path, f);
        if (e == ERR_EXISTS)
            e = ERR_OK;
        if (text.p)
            OPENSSL_cleanse(text.p, text.cap);
        buf_release(&text);
    }
    if (e == ERR_OK)
        e = keydocs_make(set, signers, buf_slice(&k->documents), k->now, &b, f);
    if (e == ERR_OK && !slice_eq(buf_slice(&b), buf_slice(&k->documents)))
        e = keys_keep(k, DOCUMENTS, buf_slice(&b), f);
    if (e == ERR_OK) {
        k->documents_owed = false;
        pthread_mutex_lock(&k->lock);
        before = k->documents;
        k->documents = b;
        k->documents_version = keydocs_version(buf_slice(&b));
        pthread_mutex_unlock(&k->lock);
        b = before;
    }
    buf_release(&b);
    keyset_unref(&signers);
    keyset_unref(&set);
    return e;
}

/* Called with `writer` held. */
static enum err
reload(struct keys *k, bool *changed, struct fault *f)
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
    if (k->dir[0] && k->creates)
        (void)documents_renew(k, NULL);
    return ERR_OK;
}

enum err
keys_reload(struct keys *k, bool *changed, struct fault *f)
{
    enum err e;

    pthread_mutex_lock(&k->writer);
    e = reload(k, changed, f);
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
    e = text.n <= FILE_MAX ? keyset_add_jwks(alone, text, f)
                           : fault_set(f, ERR_INVAL, "adopt", "keys");
    if (e == ERR_OK && alone->n == 0)
        e = fault_set(f, ERR_INVAL, "adopt", "no key of use");
    keyset_unref(&alone);
    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&k->writer);
    before = k->adopted;
    buf_init(&k->adopted, FILE_MAX);
    e = buf_add_slice(&k->adopted, text)
            ? reload(k, changed, f)
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
    v = k->documents.n ? k->documents_version : k->set->version;
    pthread_mutex_unlock(&k->lock);
    return v;
}

/* Called with `writer` held. */
static enum err
handed_keep(struct keys *k, struct slice jws, struct fault *f)
{
    struct buf b;
    enum err e;

    buf_init(&b, 2 * KEYDOC_MAX);
    e = buf_printf(&b, "{\"root\": \"%s\", \"document\": \"", k->root) &&
                buf_add_slice(&b, jws) && buf_add_str(&b, "\"}\n")
            ? sec_file_write(k->hand_dir, HANDED, buf_slice(&b), 0644, true, f)
            : fault_set(f, ERR_NOMEM, "keep", HANDED);
    buf_release(&b);
    return e;
}

enum err
keys_hand(struct keys *k, struct slice text, struct fault *f)
{
    struct keyset *trusted;
    bool changed;
    struct buf jws;
    enum err e;

    if (!k->hand_dir[0])
        return fault_set(f, ERR_UNSUPPORTED, "take", "key documents");
    buf_init(&jws, KEYDOC_MAX);
    pthread_mutex_lock(&k->writer);
    trusted = keys_get(k);
    e = keydocs_follow(trusted, text, &jws, f);
    if (e == ERR_OK)
        e = handed_keep(k, buf_slice(&jws), f);
    if (e == ERR_OK)
        e = reload(k, &changed, f);
    pthread_mutex_unlock(&k->writer);
    keyset_unref(&trusted);
    buf_release(&jws);
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
    enum err e;

    *changed = false;
    pthread_mutex_lock(&k->writer);
    if (slice_eq(buf_slice(&k->peers), text)) {
        pthread_mutex_unlock(&k->writer);
        return ERR_OK;
    }
    before = k->peers;
    buf_init(&k->peers, FILE_MAX);
    e = buf_add_slice(&k->peers, text)
            ? reload(k, changed, f)
            : fault_set(f, ERR_NOMEM, "peers", "keys");
    if (e == ERR_OK) {
        buf_release(&before);
    } else {
        buf_release(&k->peers);
        k->peers = before;
    }
    pthread_mutex_unlock(&k->writer);
    return e;
}

/* -------------------------------------------------------------- making -- */

static enum err
key_make(struct keys *k, const struct key_plan *plan, char kid[CLAIM_TEXT],
         struct fault *f)
{
    EVP_PKEY *pkey = EVP_RSA_gen(k->bits);
    BIO *bio = BIO_new(BIO_s_secmem());
    enum err e;
    char name[32], *text = NULL;
    struct buf head;
    long n = 0;

    buf_init(&head, 256);

    if (!pkey || !bio || !key_plan_put(&head, plan) ||
        BIO_write(bio, buf_str(&head), (int)head.n) != (int)head.n ||
        !PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) ||
        (n = BIO_get_mem_data(bio, &text)) <= 0) {
        e = fault_set(f, ERR_NOMEM, "make a key in", k->dir);
        goto out;
    }
    if (kid)
        (void)key_thumbprint(pkey, kid);
    snprintf(name, sizeof(name), "key-%04u.pem", plan->number);
    e = sec_file_write(k->dir, name, slice_of(text, (size_t)n), 0600, false, f);
out:
    buf_release(&head);
    BIO_free(bio); /* wipes what it held */
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return e;
}

/* For the convenience of others; ours are read from the private files. */
static enum err
public_write(struct keys *k, struct fault *f)
{
    struct keyset *ks = keys_get(k);
    struct buf b;
    enum err e;

    buf_init(&b, FILE_MAX);
    e = keyset_pem(ks, &b) ? sec_file_write(k->dir, "public_key.pem",
                                            buf_slice(&b), 0644, true, f)
                           : fault_set(f, ERR_NOMEM, "write", "public_key.pem");
    buf_release(&b);
    keyset_unref(&ks);
    return e;
}

static enum err
first_key(struct keys *k, struct fault *f)
{
    const struct key_plan plan = {.number = 1};
    unsigned num[OWN_ROOM];
    size_t count;
    enum err e;

    e = sec_dir_make(k->dir, f);
    if (e == ERR_OK)
        e = numbers_list(k->dir, num, &count, f);
    if (e == ERR_OK && count == 0)
        e = key_make(k, &plan, NULL, f);
    return e == ERR_EXISTS ? ERR_OK : e; /* another process made it */
}

static struct wall
after(struct wall t, struct dur d)
{
    return (struct wall){t.ms + d.ns / 1000000};
}

/* Who it was that is to be removed, by the file. */
static enum err
removed_name(const struct keys *k, const struct key_plan *p,
             struct keys_rotated *out, struct fault *f)
{
    struct keyset *ks = keyset_new(1);
    char path[PATH_MAX];
    struct buf b;
    enum err e;

    if (!ks)
        return fault_set(f, ERR_NOMEM, "rotate", "keys");
    key_path(k, p->number, path, sizeof(path));
    buf_init(&b, FILE_MAX);
    e = sec_file_read(path, true, &b, f);
    if (e == ERR_OK)
        e = private_add(ks, buf_slice(&b), path, f);
    if (e == ERR_OK)
        memcpy(out->removed, ks->key[0].kid, sizeof(out->removed));
    if (b.p)
        OPENSSL_cleanse(b.p, b.cap);
    buf_release(&b);
    keyset_unref(&ks);
    return e;
}

static enum err
file_remove(const struct keys *k, unsigned number, struct fault *f)
{
    char path[PATH_MAX];

    key_path(k, number, path, sizeof(path));
    return unlink(path) == -1 && errno != ENOENT
               ? fault_sys(f, errno, "remove", path)
               : ERR_OK;
}

/* Before the new one of N plans: the oldest that does not sign, if there are as
 * many as may be. If the oldest signs, the next has signed nothing yet. The
 * file goes after the new one was made: a disk that is full costs no key. */
static enum err
room_find(const struct keys *k, const struct key_plan *p, size_t n,
          unsigned *number, struct keys_rotated *out, struct fault *f)
{
    size_t i;

    *number = 0;
    if (n < KEYS_OWN_MAX)
        return ERR_OK;
    i = key_plan_signer(p, n, k->now) == 0 ? 1 : 0;
    *number = p[i].number;
    out->removed_until = key_plan_until(p, n, i);
    return removed_name(k, &p[i], out, f);
}

/* Called with `writer` held. */
static enum err
rotate(struct keys *k, struct key_plan *plan, struct keys_rotated *out,
       struct fault *f)
{
    struct key_plan have[OWN_ROOM];
    unsigned gone = 0;
    bool changed;
    size_t n = 0;
    enum err e = plans_read(k, have, &n, f);

    if (e == ERR_OK && n)
        plan->number = have[n - 1].number + 1;
    if (e == ERR_OK && plan->number > NUMBER_MAX)
        e = fault_set(f, ERR_TOOBIG, "rotate", k->dir);
    if (e == ERR_OK)
        e = room_find(k, have, n, &gone, out, f);
    if (e == ERR_OK)
        e = key_make(k, plan, out->kid, f);
    if (e == ERR_EXISTS)
        e = fault_set(f, ERR_BUSY, "someone else rotates", k->dir);
    if (e == ERR_OK && gone)
        e = file_remove(k, gone, f);
    if (e == ERR_OK)
        e = reload(k, &changed, f);
    return e == ERR_OK ? public_write(k, f) : e;
}

enum err
keys_rotate(struct keys *k, const struct keys_rotation *r,
            struct keys_rotated *out, struct fault *f)
{
    struct key_plan plan = {.number = 1, .signs_from = after(r->now, r->lead)};
    struct keys_rotated none;
    enum err e;

    if (!out)
        out = &none;
    *out = (struct keys_rotated){0};
    if (!k->dir[0])
        return fault_set(f, ERR_UNSUPPORTED, "rotate", "no keys of our own");
    if (r->keep.ns >= 0)
        plan.others_until = after(plan.signs_from, r->keep);
    pthread_mutex_lock(&k->writer);
    k->now = r->now;
    e = rotate(k, &plan, out, f);
    pthread_mutex_unlock(&k->writer);
    return e;
}

/* Was it said that nothing is kept of those before? Then who has such a key is
 * a thief, and a clock that goes back must not help him. */
static bool
is_worthless(const struct key_plan *p, size_t n, size_t i)
{
    for (size_t j = i + 1; j < n; j++)
        if (p[j].others_until.ms && p[j].others_until.ms <= p[j].signs_from.ms)
            return true;
    return false;
}

/* Since when NUMBER is known to be over; NEXT is the list of this time. */
static struct mono
over_since(const struct keys *k, unsigned number, struct mono now,
           struct over *next, size_t *n)
{
    struct over o = {number, now};

    for (size_t i = 0; i < k->n_over; i++)
        if (k->over[i].number == number)
            o = k->over[i];
    next[(*n)++] = o;
    return o.since;
}

/* Called with `writer` held, after a reload that has left them out: a crash in
 * between leaves a file that nobody uses, to be removed the next time. */
static enum err
over_remove(struct keys *k, struct mono now, bool *removed, struct fault *f)
{
    struct key_plan plan[OWN_ROOM];
    struct over next[OWN_ROOM];
    size_t n = 0, n_next = 0;
    enum err e = plans_read(k, plan, &n, f);

    *removed = false;
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct mono since;

        if (!key_plan_over(plan, n, i, k->now))
            continue;
        since = over_since(k, plan[i].number, now, next, &n_next);
        if (!is_worthless(plan, n, i) &&
            !mono_reached(now, mono_add(since, KEYS_GRACE)))
            continue;
        e = file_remove(k, plan[i].number, f);
        *removed = true;
    }
    memcpy(k->over, next, n_next * sizeof(*next));
    k->n_over = n_next;
    return e;
}

enum err
keys_turn(struct keys *k, struct wall now, struct mono mono, bool *changed,
          struct fault *f)
{
    bool removed = false;
    enum err e;

    pthread_mutex_lock(&k->writer);
    k->now = now;
    e = reload(k, changed, f);
    if (e == ERR_OK && k->documents_owed)
        e = documents_renew(k, f);
    /* Not before it has said who comes after it. */
    if (e == ERR_OK && k->dir[0] && k->creates)
        e = over_remove(k, mono, &removed, f);
    if (e == ERR_OK && k->dir[0] && k->creates && (removed || *changed))
        e = public_write(k, f);
    pthread_mutex_unlock(&k->writer);
    return e;
}

enum err
keys_keep(struct keys *k, const char *name, struct slice text, struct fault *f)
{
    if (!k->dir[0] || !k->creates)
        return fault_set(f, ERR_UNSUPPORTED, "keep", name);
    return sec_file_write(k->dir, name, text, 0600, true, f);
}

enum err
keys_kept(struct keys *k, const char *name, struct buf *out, struct fault *f)
{
    char path[PATH_MAX];

    if (!k->dir[0] || !k->creates)
        return fault_set(f, ERR_UNSUPPORTED, "read", name);
    snprintf(path, sizeof(path), "%s/%s", k->dir, name);
    return sec_file_read(path, true, out, f);
}

static enum err
owner_read(struct keys *k, struct fault *f)
{
    char path[PATH_MAX];
    struct uuid id;
    struct buf b;
    enum err e;

    snprintf(path, sizeof(path), "%s/owner", k->dir);
    buf_init(&b, FILE_MAX);
    e = sec_file_read(path, false, &b, f);
    if (e == ERR_OK && !uuid_parse(slice_trim(buf_slice(&b)), &id))
        e = fault_set(f, ERR_CORRUPT, "no UUID in", path);
    if (e == ERR_OK)
        uuid_text(&id, k->owner);
    buf_release(&b);
    return e;
}

static enum err
owner_settle(struct keys *k, struct fault *f)
{
    uint8_t random[16];
    struct uuid id;
    char text[UUID_TEXT];
    enum err e = owner_read(k, f);

    if (e != ERR_NOENT)
        return e;
    sec_random(random, sizeof(random));
    id = uuid_v4(random);
    e = sec_file_write(k->dir, "owner", slice_str(uuid_text(&id, text)), 0600,
                       false, f);
    /* Another process may have been first. */
    return e == ERR_OK || e == ERR_EXISTS ? owner_read(k, f) : e;
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
    buf_init(&k->adopted, FILE_MAX);
    buf_init(&k->peers, FILE_MAX);
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
    if (k->dir[0] && conf->create && (e = first_key(k, f)) != ERR_OK)
        goto out;
    if (k->dir[0] && conf->create && (e = owner_settle(k, f)) != ERR_OK)
        goto out;
    if (k->dir[0] && conf->create &&
        (e = keys_kept(k, DOCUMENTS, &k->documents, f)) != ERR_OK &&
        e != ERR_NOENT)
        goto out;
    if ((e = reload(k, &changed, f)) != ERR_OK)
        goto out;
    if (k->dir[0] && conf->create && (e = public_write(k, f)) != ERR_OK)
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
    buf_release(&x->documents);
    pthread_mutex_destroy(&x->writer);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
