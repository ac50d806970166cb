/* keys_handed_test.c - tests of keys.h: what was handed to an element, beside
 * its file and on its disk. SPDX-License-Identifier: Apache-2.0 */
#include "sec/digest.h"
#include "sec/file.h"
#include "sec/keys_forge.h"
#include <sys/stat.h>

static void
handed_write(const struct fixture *f, const char *jws)
{
    char path[160], root[65], *text;
    struct buf b;

    buf_init(&b, 64 * KIB);
    assert_int_equal(sec_file_read(f->public, false, &b, NULL), ERR_OK);
    assert_true(sec_sha256_hex(buf_slice(&b), root));
    buf_release(&b);
    snprintf(path, sizeof(path), "%s/trusted-keys.json", f->root);
    assert_true(asprintf(&text, "{\"root\": \"%s\", \"document\": \"%s\"}",
                         root, jws) > 0);
    write_text(path, text);
    free(text);
}

/* What was brought is damaged or cannot be read: at a start the file holds,
 * whole and alone, and who can read again what is newer has it still. */
static void
test_handed_unreadable(void **state)
{
    struct fixture *f = *state;
    char path[160], aside[160], payload[2048], *jws;
    struct element el;
    struct keyset *ks;
    struct buf jwk;
    bool changed;

    snprintf(path, sizeof(path), "%s/trusted-keys.json", f->root);
    snprintf(aside, sizeof(aside), "%s/aside", f->root);
    element_open(&el, f, f->root);
    element_told(&el, f);
    expect_kid(el.k, el.second, true);
    /* There is a folder, and then it is well again. */
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    expect_kid(el.k, el.first, false);
    expect_kid(el.k, el.second, true);
    element_restart(&el);
    expect_kid(el.k, el.first, true);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    expect_kid(el.k, el.first, false);
    expect_kid(el.k, el.second, true);
    /* It has grown. */
    assert_int_equal(truncate(path, (off_t)3 * KEYDOC_MAX), 0);
    element_restart(&el);
    expect_kid(el.k, el.first, true);
    /* A key, and half of one. */
    ks = forge_set(0, "half", KEY_OURS);
    buf_init(&jwk, 8 * KIB);
    assert_true(keyset_jwk(ks, 0, &jwk));
    keyset_unref(&ks);
    snprintf(payload, sizeof(payload),
             "{\"artstore_keys\": {\"version\": 7, \"keys\": [%s, "
             "{\"kty\": \"RSA\", \"n\": \"\"}]}}",
             buf_str(&jwk));
    jws = forge("{\"alg\": \"RS256\"}", payload, FORGE_GARBAGE, NULL);
    handed_write(f, jws);
    element_restart(&el);
    expect_kid(el.k, "half", false);
    expect_kid(el.k, el.first, true);
    assert_int_equal(keys_version(el.k), 1000);
    /* It is brought again. */
    hand(el.k, &el.text, ERR_OK);
    expect_kid(el.k, el.second, true);
    element_restart(&el);
    expect_kid(el.k, el.second, true);
    element_close(&el);
    free(jws);
    buf_release(&jwk);
}

/* A disk that takes nothing keeps nobody from what is signed and trusted. */
static void
test_handed_unwritable(void **state)
{
    struct fixture *f = *state;
    struct element el;
    char gone[160];
    bool changed;

    snprintf(gone, sizeof(gone), "%s/gone", f->root);
    element_open(&el, f, gone);
    element_told(&el, f);
    hand(el.k, &el.text, ERR_EXISTS);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    expect_kid(el.k, el.first, false);
    expect_kid(el.k, el.second, true);
    /* The file wins as ever. */
    publish(f, f->k);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    assert_true(changed);
    expect_kid(el.k, el.second, true);
    element_close(&el);
}

/* What is old is not taken by whoever has but Admin's public_key.pem. And a
 * file that was put there a moment ago, of which nobody has told us, wins
 * against what is brought now. */
static void
test_file_wins(void **state)
{
    struct fixture *f = *state;
    struct keys_conf conf = {.public_path = path_in(f, "public_key.pem"),
                             .public_required = true};
    char kid[2][CLAIM_TEXT], public[160], *pem = forge_pem(forge_key(0));
    struct buf first, text;
    struct keys *el;

    strcpy(public, conf.public_path);
    conf.public_path = public;
    conf.hand_dir = f->root;
    admin_open(f, 1000);
    documents_of(f->k, &first);
    rotate_to(f, 2, 3600, kid[0]);
    assert_int_equal(keys_open(&el, &conf, NULL), ERR_OK);
    assert_int_equal(keys_version(el), 2000);
    hand(el, &first, ERR_EXISTS);
    documents_of(f->k, &text);
    hand(el, &text, ERR_EXISTS);
    buf_release(&text);
    rotate_to(f, 3, 3600, kid[1]);
    documents_of(f->k, &text);
    write_text(public, pem);
    hand(el, &text, ERR_DENIED);
    expect_kid(el, kid[0], false);
    expect_kid(el, kid[1], false);
    keys_close(&el);
    free(pem);
    buf_release(&first);
    buf_release(&text);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, keys_setup, keys_teardown)
    const struct CMUnitTest tests[] = {
        T(test_handed_unreadable),
        T(test_handed_unwritable),
        T(test_file_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
