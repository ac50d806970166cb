/* keys_dir.c - the folder of our own keys (keys.h): a private key a file, with
 * a number that only grows and, at its head, what the rotation that made it has
 * decided (keyplan.h). Nothing else is kept, so two processes over one folder,
 * and a crash at any moment, come to the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"
#include "obs/log.h"
#include "sec/file.h"
#include "sec/keyplan.h"
#include "sec/keys_impl.h"
#include "sec/random.h"
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NUMBER_MAX 9999

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

/* Of a secret that is mounted: its modes are what they are, and nobody writes
 * there. */
static bool
is_read_only(int fd)
{
    struct statvfs v;

    return fstatvfs(fd, &v) == 0 && v.f_flag & ST_RDONLY;
}

/* The numbers of the files in the folder, rising; the highest KEYS_OWN_ROOM. */
enum err
keys_dir_numbers(const struct keys *k, unsigned num[KEYS_OWN_ROOM],
                 size_t *count, struct fault *f)
{
    DIR *d = opendir(k->dir);
    enum err e = ERR_OK;
    const struct dirent *de;
    struct stat st;

    *count = 0;
    if (!d)
        return errno == ENOENT ? ERR_OK : fault_sys(f, errno, "open", k->dir);
    if (fstat(dirfd(d), &st) == -1) {
        e = fault_sys(f, errno, "stat", k->dir);
    } else if (st.st_mode & 022 && !is_read_only(dirfd(d))) {
        /* Whose key would be the highest number? */
        e = fault_set(f, ERR_DENIED, "trust", k->dir);
        (void)fault_hint(f, "others may write there: chmod 700");
    }
    while (e == ERR_OK && (de = readdir(d)) != NULL) {
        unsigned n = number_of(de->d_name);
        size_t at = *count;

        if (!n)
            continue;
        if (at == KEYS_OWN_ROOM && n < num[0])
            continue;
        if (at == KEYS_OWN_ROOM) {
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

void
keys_dir_path(const struct keys *k, unsigned number, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/key-%04u.pem", k->dir, number);
}

/* What the files of the folder say of each other, in rising order. */
static enum err
plans_read(const struct keys *k, struct key_plan plan[KEYS_OWN_ROOM], size_t *n,
           struct fault *f)
{
    unsigned num[KEYS_OWN_ROOM];
    enum err e = keys_dir_numbers(k, num, n, f);

    for (size_t i = 0; e == ERR_OK && i < *n; i++) {
        char path[PATH_MAX];
        struct buf b;

        keys_dir_path(k, num[i], path);
        buf_init(&b, KEYS_FILE_MAX);
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

enum err
keys_dir_read(struct keys *k, struct keyset *ks, EVP_MD_CTX *md,
              struct fault *f)
{
    struct key_plan plan[KEYS_OWN_ROOM];
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
        keys_dir_path(k, plan[i].number, path);
        e = keys_take_private(ks, path, md, f);
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

void
keys_dir_publish(struct keys *k)
{
    struct keyset *ks = keys_get(k);
    struct fault f = {0};
    struct buf b;
    enum err e;

    buf_init(&b, KEYS_FILE_MAX);
    e = keyset_pem(ks, keys_version(k), &b)
            ? sec_file_write(k->dir, "public_key.pem", buf_slice(&b), 0644,
                             true, &f)
            : fault_set(&f, ERR_NOMEM, "write", "public_key.pem");
    if (e != ERR_OK && !k->unpublished)
        log_warning(k->log, "public_key.pem is not written; tried again",
                    F_FAULT(&f));
    k->unpublished = e != ERR_OK;
    buf_release(&b);
    keyset_unref(&ks);
}

static enum err
first_key(struct keys *k, struct fault *f)
{
    const struct key_plan plan = {.number = 1};
    unsigned num[KEYS_OWN_ROOM];
    size_t count;
    enum err e;

    e = sec_dir_make(k->dir, f);
    if (e == ERR_OK)
        e = keys_dir_numbers(k, num, &count, f);
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
    enum err e;

    if (!ks)
        return fault_set(f, ERR_NOMEM, "rotate", "keys");
    keys_dir_path(k, p->number, path);
    e = keys_take_private(ks, path, NULL, f);
    if (e == ERR_OK)
        memcpy(out->removed, ks->key[0].kid, sizeof(out->removed));
    keyset_unref(&ks);
    return e;
}

static enum err
file_remove(const struct keys *k, unsigned number, struct fault *f)
{
    char path[PATH_MAX];

    keys_dir_path(k, number, path);
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
    struct key_plan have[KEYS_OWN_ROOM];
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
    return e == ERR_OK ? keys_renew(k, &changed, f) : e;
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

enum err
keys_dir_sweep(struct keys *k, struct mono now, struct fault *f)
{
    struct key_plan plan[KEYS_OWN_ROOM];
    struct over next[KEYS_OWN_ROOM];
    size_t n = 0, n_next = 0;
    enum err e = plans_read(k, plan, &n, f);

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
    }
    memcpy(k->over, next, n_next * sizeof(*next));
    k->n_over = n_next;
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
    buf_init(&b, KEYS_FILE_MAX);
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
keys_dir_open(struct keys *k, struct fault *f)
{
    enum err e = first_key(k, f);

    return e == ERR_OK ? owner_settle(k, f) : e;
}
