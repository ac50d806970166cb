/* keys_forge.h - for the tests of keys.h: keys in a folder of their own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_KEYS_FORGE_H
#define SEC_KEYS_FORGE_H

#include "sec/forge.h"
#include "sec/keydoc.h"
#include "sec/keys.h"
#include <unistd.h>

struct fixture {
    char root[64];
    char dir[96];    /* root/keys */
    char public[96]; /* root/issuer */
    struct keys_conf conf;
    struct keys *k;
};

static inline int
keys_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");

    assert_non_null(f);
    snprintf(f->root, sizeof(f->root), "%s/artstore-keys-XXXXXX",
             tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->dir, sizeof(f->dir), "%s/keys", f->root);
    snprintf(f->public, sizeof(f->public), "%s/issuer", f->root);
    f->conf = (struct keys_conf){.dir = f->dir, .create = true, .bits = 2048};
    *state = f;
    return 0;
}

static inline int
keys_teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    keys_close(&f->k);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", f->root);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

static inline void
write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline char *
path_in(struct fixture *f, const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return path;
}

static inline void
expect_kid(struct keys *k, const char *kid, bool there)
{
    struct keyset *ks = keys_get(k);
    bool found = false;

    for (size_t i = 0; i < ks->n; i++)
        found = found || strcmp(ks->key[i].kid, kid) == 0;
    assert_int_equal(found, there);
    keyset_unref(&ks);
}

static inline int
signer_of(struct keys *k, char kid[CLAIM_TEXT])
{
    struct keyset *ks = keys_get(k);
    int n = (int)ks->n;

    memcpy(kid, ks->key[ks->signer].kid, CLAIM_TEXT);
    keyset_unref(&ks);
    return n;
}

/* Admin's, who has heard that there is no other. */
static inline void
admin_open(struct fixture *f, int64_t now_ms)
{
    bool changed;

    f->conf.now.ms = now_ms;
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    assert_int_equal(keys_peers(f->k, SLICE_NULL, &changed, NULL), ERR_OK);
}

/* The keys of another Admin, as text. */
static inline void
peer_jwks(const struct fixture *f, struct buf *out, char kid[CLAIM_TEXT])
{
    struct keys_conf conf = f->conf;
    struct keyset *ks;
    struct keys *k;
    char dir[160];

    snprintf(dir, sizeof(dir), "%s-other", f->dir);
    conf.dir = dir;
    assert_int_equal(keys_open(&k, &conf, NULL), ERR_OK);
    if (f->k)
        assert_string_not_equal(keys_owner(k), keys_owner(f->k));
    (void)signer_of(k, kid);
    ks = keys_get(k);
    buf_init(out, 64 * KIB);
    assert_true(keyset_jwks(ks, 0, out));
    keyset_unref(&ks);
    keys_close(&k);
}

/* ---- documents (keydoc.h) ---- */

static inline void
documents_of(struct keys *k, struct buf *out)
{
    buf_init(out, KEYDOCS_MAX);
    assert_int_equal(keys_documents(k, out), ERR_OK);
    assert_int_equal(keydocs_version(buf_slice(out)), keys_version(k));
}

static inline void
hand(struct keys *to, const struct buf *text, enum err want)
{
    struct fault f = {0};
    uint64_t version;

    assert_int_equal(
        keys_hand(to, buf_slice(text), (struct wall){9000}, &version, &f),
        want);
    if (want != ERR_OK && want != ERR_EXISTS)
        assert_string_not_equal(f.what, "");
}

/* What Admin publishes, as a file of an element. */
static inline void
publish(struct fixture *f, struct keys *k)
{
    struct keyset *ks = keys_get(k);
    struct buf b;

    buf_init(&b, 64 * KIB);
    assert_true(keyset_jwks(ks, keys_version(k), &b));
    keyset_unref(&ks);
    write_text(f->public, buf_str(&b));
    buf_release(&b);
}

static inline void
rotate_to(struct fixture *f, int64_t now_s, int64_t keep_s, char *kid)
{
    const struct keys_rotation r = {{now_s * 1000}, dur_s(0), dur_s(keep_s)};
    struct keys_rotated done;
    bool changed;

    assert_int_equal(keys_rotate(f->k, &r, &done, NULL), ERR_OK);
    memcpy(kid, done.kid, sizeof(done.kid));
    /* Nothing is kept of the one before: its file goes. */
    assert_int_equal(keys_turn(f->k, r.now, (struct mono){1}, &changed, NULL),
                     ERR_OK);
}

/* ---- an element that was handed a document ---- */

struct element {
    struct keys_conf conf;
    struct keys *k;
    char first[CLAIM_TEXT]; /* the key that its file has */
    char second[CLAIM_TEXT];
    struct buf text; /* which says that the second is in its place */
};

/* Admin, and an element that has its file and keeps in HAND_DIR what it will be
 * handed. */
static inline void
element_open(struct element *el, struct fixture *f, const char *hand_dir)
{
    *el = (struct element){.conf = {.public_path = f->public,
                                    .public_required = true,
                                    .hand_dir = hand_dir}};
    admin_open(f, 1000);
    (void)signer_of(f->k, el->first);
    publish(f, f->k);
    assert_int_equal(keys_open(&el->k, &el->conf, NULL), ERR_OK);
}

/* Nothing is left of the first key, and the element is told. */
static inline void
element_told(struct element *el, struct fixture *f)
{
    rotate_to(f, 2, 0, el->second);
    documents_of(f->k, &el->text);
    hand(el->k, &el->text, ERR_OK);
}

static inline void
element_restart(struct element *el)
{
    keys_close(&el->k);
    assert_int_equal(keys_open(&el->k, &el->conf, NULL), ERR_OK);
}

static inline void
element_close(struct element *el)
{
    keys_close(&el->k);
    buf_release(&el->text);
}

#endif
