/* keydoc_test.c - tests of keydoc.h, and of what keys.h makes of it: documents
 * that are signed, brought, followed and kept (D36).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/digest.h"
#include "sec/file.h"
#include "sec/keydoc.h"
#include "sec/keys_forge.h"
#include <sys/stat.h>

/* An element that was away for two rotations, of which the second left nothing
 * of the first: each key has said who comes after it. */
static void
test_documents(void **state)
{
    struct fixture *f = *state;
    char kid[2][CLAIM_TEXT];
    struct element el;
    struct buf first;

    element_open(&el, f, f->root);
    assert_int_equal(keys_version(f->k), 1000);
    documents_of(f->k, &first);
    assert_int_equal(keys_version(el.k), 1000);
    hand(el.k, &first, ERR_EXISTS);

    rotate_to(f, 2, 0, kid[0]);
    rotate_to(f, 2, 0, kid[1]); /* the clock stands still, versions grow */
    assert_int_equal(keys_version(f->k), 2001);
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), -1);
    assert_int_equal(access(path_in(f, "key-0002.pem"), F_OK), -1);
    documents_of(f->k, &el.text);
    hand(el.k, &el.text, ERR_OK);
    assert_int_equal(keys_version(el.k), 2001);
    expect_kid(el.k, el.first, false);
    expect_kid(el.k, kid[0], false);
    expect_kid(el.k, kid[1], true);
    hand(el.k, &el.text, ERR_EXISTS);
    hand(el.k, &first, ERR_EXISTS); /* no way back */

    /* Admin says the same after a restart, and the element still knows. */
    keys_close(&f->k);
    admin_open(f, 9000);
    assert_int_equal(keys_version(f->k), 2001);
    element_restart(&el);
    assert_int_equal(keys_version(el.k), 2001);
    expect_kid(el.k, el.first, false);
    expect_kid(el.k, kid[1], true);
    element_close(&el);
    buf_release(&first);
}

/* The operator's file wins when it says something else, and for good. */
static void
test_documents_operator(void **state)
{
    char *pem = forge_pem(forge_key(0));
    struct fixture *f = *state;
    struct element el;
    bool changed;

    element_open(&el, f, f->root);
    element_told(&el, f);
    element_restart(&el);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    assert_false(changed);
    write_text(f->public, pem);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    assert_true(changed);
    expect_kid(el.k, el.second, false);
    assert_int_equal(keys_version(el.k), 0);
    hand(el.k, &el.text, ERR_DENIED);
    element_restart(&el);
    expect_kid(el.k, el.second, false);
    publish(f, f->k);
    assert_int_equal(keys_reload(el.k, &changed, NULL), ERR_OK);
    expect_kid(el.k, el.second, true);
    element_close(&el);
    free(pem);
}

/* Not for those who have keys of their own; and not just any text. */
static void
test_documents_refused(void **state)
{
    struct fixture *f = *state;
    struct element el;

    element_open(&el, f, f->root);
    element_told(&el, f);
    hand(f->k, &el.text, ERR_UNSUPPORTED);
    el.text.n /= 2;
    hand(el.k, &el.text, ERR_INVAL);
    el.text.n = 0;
    hand(el.k, &el.text, ERR_INVAL);
    element_close(&el);
}

static uint64_t
public_version(struct fixture *f)
{
    struct keyset *ks = keyset_new(1);
    struct buf b;
    uint64_t v;

    buf_init(&b, 64 * KIB);
    assert_int_equal(
        sec_file_read(path_in(f, "public_key.pem"), false, &b, NULL), ERR_OK);
    assert_int_equal(keyset_add_pem(ks, buf_slice(&b), NULL), ERR_OK);
    v = ks->version;
    keyset_unref(&ks);
    buf_release(&b);
    return v;
}

/* A public_key.pem that cannot be written stops nothing, and is written when it
 * can be. */
static void
test_public_unwritable(void **state)
{
    const struct keys_rotation next = {{2000}, dur_s(10), dur_s(3600)};
    struct fixture *f = *state;
    char kid[2][CLAIM_TEXT];
    struct keys_rotated done;
    bool changed;

    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_int_equal(mkdir(path_in(f, "public_key.pem"), 0700), 0);
    admin_open(f, 1000);
    assert_int_equal(keys_version(f->k), 1000);
    (void)signer_of(f->k, kid[0]);
    assert_int_equal(keys_rotate(f->k, &next, &done, NULL), ERR_OK);
    assert_int_equal(
        keys_turn(f->k, (struct wall){20000}, (struct mono){1}, &changed, NULL),
        ERR_OK);
    assert_true(changed);
    (void)signer_of(f->k, kid[1]);
    assert_string_equal(kid[1], done.kid);
    assert_false(keys_documents_owed(f->k));
    assert_int_equal(rmdir(path_in(f, "public_key.pem")), 0);
    assert_int_equal(
        keys_turn(f->k, (struct wall){20000}, (struct mono){1}, &changed, NULL),
        ERR_OK);
    assert_false(changed);
    assert_int_equal(public_version(f), keys_version(f->k));
}

/* Two Admins: after a start ours does not say that the other has no key before
 * it has asked, or its tokens would be refused. */
static void
test_start_with_peers(void **state)
{
    struct fixture *f = *state;
    char kid[CLAIM_TEXT];
    struct buf jwks, b;
    bool changed;

    peer_jwks(f, &jwks, kid);
    f->conf.now.ms = 1000;
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    buf_init(&b, KEYDOCS_MAX);
    assert_int_equal(keys_documents(f->k, &b), ERR_NOENT);
    for (int64_t start = 1; start < 4; start++) {
        if (!f->k) {
            f->conf.now.ms = 1000 * start;
            assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
            /* Who is given what we have now is to take the documents. */
            assert_int_equal(keys_version(f->k), 999);
            assert_int_equal(public_version(f), 999);
        }
        assert_int_equal(keys_peers(f->k, buf_slice(&jwks), &changed, NULL),
                         ERR_OK);
        assert_int_equal(keys_version(f->k), 1000);
        assert_int_equal(public_version(f), 1000);
        keys_close(&f->k);
    }
    /* It is over for good: that is a word, too. */
    admin_open(f, 9000);
    assert_int_equal(keys_version(f->k), 9000);
    buf_release(&jwks);
    buf_release(&b);
}

/* A documents.json that cannot be read stops nobody. What may be read again
 * some day is waited for; damage is not. */
static void
test_documents_unreadable(void **state)
{
    const struct keys_rotation stolen = {.now = {2000}};
    struct fixture *f = *state;
    struct buf b;
    bool changed;

    buf_init(&b, KEYDOCS_MAX);
    admin_open(f, 1000);
    keys_close(&f->k);
    assert_int_equal(unlink(path_in(f, "documents.json")), 0);
    assert_int_equal(mkdir(path_in(f, "documents.json"), 0700), 0);
    admin_open(f, 2000);
    assert_int_equal(keys_documents(f->k, &b), ERR_NOENT);
    /* The old one goes when it has said who comes after it, and not before. */
    assert_int_equal(keys_rotate(f->k, &stolen, NULL, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            keys_turn(f->k, stolen.now, (struct mono){1}, &changed, NULL),
            ERR_OK);
        assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), i ? -1 : 0);
        assert_int_equal(keys_documents_owed(f->k), i == 0);
        if (i == 0)
            assert_int_equal(rmdir(path_in(f, "documents.json")), 0);
    }
    assert_int_equal(keys_version(f->k), 2000);
    keys_close(&f->k);

    write_text(path_in(f, "documents.json"), "{\"version\": ");
    f->conf.now.ms = 3000;
    assert_int_equal(keys_open(&f->k, &f->conf, NULL), ERR_OK);
    assert_int_equal(keys_documents(f->k, &b), ERR_NOENT);
    assert_int_equal(keys_peers(f->k, SLICE_NULL, &changed, NULL), ERR_OK);
    assert_int_equal(keys_version(f->k), 3000);
    buf_release(&b);
}

/* A key that is over was damaged before its file went: the next rotation is
 * told to elements all the same, and the file goes. */
static void
test_over_damaged(void **state)
{
    const struct keys_rotation first = {{1000}, dur_s(0), dur_s(1)};
    const struct keys_rotation next = {{9000}, dur_s(0), dur_s(3600)};
    struct fixture *f = *state;
    const struct mono later = mono_add((struct mono){1}, KEYS_GRACE);
    bool changed;

    admin_open(f, 1000);
    assert_int_equal(keys_rotate(f->k, &first, NULL, NULL), ERR_OK);
    assert_int_equal(
        keys_turn(f->k, (struct wall){5000}, (struct mono){1}, &changed, NULL),
        ERR_OK);
    assert_int_equal(keys_version(f->k), 5000);
    write_text(path_in(f, "key-0001.pem"), "-----BEGIN PRIVATE KEY-----\nx\n");
    assert_int_equal(keys_rotate(f->k, &next, NULL, NULL), ERR_OK);
    assert_false(keys_documents_owed(f->k));
    assert_int_equal(keys_version(f->k), 9000);
    assert_int_equal(keys_turn(f->k, next.now, later, &changed, NULL), ERR_OK);
    assert_int_equal(access(path_in(f, "key-0001.pem"), F_OK), -1);
}

/* A list that is taken back whole leaves nothing in the place of a key: an
 * operator's PEM has no end. */
static void
test_taken_back(void **state)
{
    struct keyset *from = forge_set(0, NULL, KEY_OURS), *ks = keyset_new(1);
    char *pem = forge_pem(forge_key(1));
    struct buf b;

    (void)state;
    buf_init(&b, 8 * KIB);
    assert_true(buf_add_str(&b, "{\"keys\": [") && keyset_jwk(from, 0, &b));
    b.n--; /* its brace */
    assert_true(buf_add_str(&b, ", \"until\": 5000}, "
                                "{\"kty\": \"RSA\", \"n\": \"\"}]}"));
    assert_int_equal(keyset_add_jwks(ks, buf_slice(&b), NULL), ERR_INVAL);
    assert_int_equal(ks->n, 0);
    assert_int_equal(keyset_add_pem(ks, slice_str(pem), NULL), ERR_OK);
    assert_int_equal(ks->key[0].until.ms, 0);
    keyset_unref(&from);
    keyset_unref(&ks);
    buf_release(&b);
    free(pem);
}

/* As many keys as there may be, of as many bits, are a text that is read. */
static void
test_large_jwks(void **state)
{
    struct keyset *from = forge_set(0, "k", KEY_OURS), *ks = keyset_new(1);
    struct buf b;

    (void)state;
    buf_init(&b, KEYSET_TEXT + 1);
    assert_true(keyset_jwks(from, 0, &b));
    while (b.n < KEYSET_TEXT)
        assert_true(buf_add_char(&b, ' '));
    assert_int_equal(keyset_add_jwks(ks, buf_slice(&b), NULL), ERR_OK);
    assert_int_equal(keyset_add_peers(ks, buf_slice(&b), NULL), ERR_OK);
    assert_true(buf_add_char(&b, ' '));
    assert_int_equal(keyset_add_jwks(ks, buf_slice(&b), NULL), ERR_INVAL);
    keyset_unref(&from);
    keyset_unref(&ks);
    buf_release(&b);
}

/* N names of one key, which is as good as N of them. */
static struct keyset *
many(size_t n, char first, unsigned flags)
{
    struct keyset *ks = keyset_new(1);
    char kid[CLAIM_TEXT];

    assert_non_null(ks);
    for (size_t i = 0; i < n; i++) {
        snprintf(kid, sizeof(kid), "%c%03zu%0*d", first, i, CLAIM_TEXT - 5, 0);
        assert_int_equal(keyset_add(ks, forge_key(0), kid, flags, NULL),
                         ERR_OK);
    }
    return ks;
}

/* More keys than there is room for: the oldest sign no more, and what they have
 * signed when there was room leads on. */
static void
test_too_many(void **state)
{
    struct keyset *signers = many(KEYS_OWN_MAX, 's', KEY_OURS | KEY_SIGNS);
    struct keyset *all = many(KEYSET_PEERS + KEYS_OWN_MAX, 'p', KEY_OURS);
    struct keyset *oldest;
    struct keydocs_made made;
    struct buf few, full, got;
    uint64_t version;
    size_t i;

    (void)state;
    buf_init(&few, KEYDOCS_MAX);
    buf_init(&full, KEYDOCS_MAX);
    buf_init(&got, KEYDOC_MAX);
    assert_int_equal(keydocs_make(signers, signers, SLICE_NULL,
                                  (struct wall){1000}, &few, &made, NULL),
                     ERR_OK);
    assert_int_equal(made.left_out, 0);
    assert_int_equal(keydocs_make(all, signers, buf_slice(&few),
                                  (struct wall){2000}, &full, &made, NULL),
                     ERR_OK);
    assert_in_range(made.left_out, 1, KEYS_OWN_MAX - 1);
    assert_int_equal(made.version, 2000);
    assert_int_equal(keydocs_version(buf_slice(&full)), 2000);
    i = made.left_out - 1;
    oldest = keyset_new(1);
    assert_int_equal(
        keyset_add(oldest, forge_key(0), signers->key[i].kid, 0, NULL), ERR_OK);
    assert_int_equal(keydocs_follow(oldest, buf_slice(&full),
                                    (struct wall){2000}, &got, &version, NULL),
                     ERR_OK);
    keyset_unref(&oldest);
    oldest = keyset_new(1);
    assert_int_equal(keydoc_add(oldest, buf_slice(&got), NULL), ERR_OK);
    assert_int_equal(oldest->version, 2000);
    assert_int_equal(oldest->n, all->n);
    keyset_unref(&oldest);
    keyset_unref(&signers);
    keyset_unref(&all);
    buf_release(&few);
    buf_release(&full);
    buf_release(&got);
}

/* Documents of AT that key 0 has signed, for a reader who trusts that key until
 * UNTIL and has VERSION. */
static enum err
follow(int64_t at, int64_t until, uint64_t version, int64_t now)
{
    struct keyset *signer = forge_set(0, "k", KEY_OURS | KEY_SIGNS);
    struct keyset *trusted = forge_set(0, "k", 0);
    struct keydocs_made made;
    struct buf b, got;
    uint64_t said;
    enum err e;

    buf_init(&b, KEYDOCS_MAX);
    buf_init(&got, KEYDOC_MAX);
    trusted->version = version;
    trusted->key[0].until.ms = until;
    assert_int_equal(keydocs_make(signer, signer, SLICE_NULL, (struct wall){at},
                                  &b, &made, NULL),
                     ERR_OK);
    assert_int_equal(made.version, at);
    e = keydocs_follow(trusted, buf_slice(&b), (struct wall){now}, &got, &said,
                       NULL);
    if (e != ERR_INVAL)
        assert_int_equal(said, at);
    assert_int_equal(got.n > 0, e == ERR_OK);
    keyset_unref(&signer);
    keyset_unref(&trusted);
    buf_release(&b);
    buf_release(&got);
    return e;
}

static void
test_times(void **state)
{
    static const int64_t day = 86400000, t = 1700000000000;
    static const struct {
        int64_t at, until;
        uint64_t version;
        int64_t now;
        enum err want;
        const char *why;
    } row[] = {
        {t, 0, 0, t, ERR_OK, "now, by a key without an end"},
        {t, 0, (uint64_t)t - 1, t, ERR_OK, "newer"},
        {t, 0, (uint64_t)t, t, ERR_EXISTS, "the same"},
        {t, 0, (uint64_t)t + 1, t, ERR_EXISTS, "older"},
        {t + day, 0, 0, t, ERR_OK, "our clock is late"},
        {t + day + 1, 0, 0, t, ERR_DENIED, "of the future"},
        {INT64_MAX / 2, 0, 0, t, ERR_DENIED, "none would come after it"},
        {INT64_MAX / 2, 0, INT64_MAX, t, ERR_EXISTS, "but that is older"},
        {t, t - 89 * day, 0, t, ERR_OK, "the last word of a key, heard late"},
        {t, t - 90 * day, 0, t, ERR_DENIED, "a key that is over for long"},
        {1, 1, 0, 0, ERR_OK, "a clock that says nothing says none is over"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        enum err e =
            follow(row[i].at, row[i].until, row[i].version, row[i].now);

        if (e != row[i].want)
            fail_msg("%s: %s", row[i].why, err_name(e));
    }
}

/* What anybody may bring, to somebody who has version 5. N times ENTRY between
 * BEFORE and AFTER. */
static void
test_texts(void **state)
{
#define LIST "{\"version\": 6, \"documents\": ["
    static const struct {
        const char *before;
        size_t n;
        const char *entry, *after;
        enum err want;
        const char *why;
    } row[] = {
        {LIST, 0, "", "]}", ERR_EXISTS, "no document is no news"},
        {LIST, KEYDOCS_MAX_N, "{\"jws\": \"a.b.c\"}", "]}", ERR_DENIED,
         "as many as there may be"},
        {LIST, KEYDOCS_MAX_N + 1, "{\"jws\": \"a.b.c\"}", "]}", ERR_INVAL,
         "more"},
        {"{\"version\": 5, \"documents\": [", 1, "{\"jws\": \"a.b.c\"}", "]}",
         ERR_EXISTS, "it does not even say that it is newer"},
        {LIST, 2, "{\"kid\": [{}], \"jws\": \"a\", \"x\": {\"y\": 1}}",
         "], \"set\": [[1]]}", ERR_DENIED, "members that we do not know"},
        {LIST, 1, "{\"kid\": \"k\"}", "]}", ERR_INVAL, "not of documents"},
        {LIST, 1, "{\"jws\": 1}", "]}", ERR_INVAL, "nor this"},
        {LIST, 1, "\"a.b.c\"", "]}", ERR_INVAL, "nor this"},
        {LIST, 0, "", "]", ERR_INVAL, "its end is missing"},
        {LIST, 0, "", "]} 1", ERR_INVAL, "more than one value"},
        {"[", 0, "", "]", ERR_INVAL, "a list"},
        {"", 0, "", "", ERR_INVAL, "nothing"},
        {"{\"version\": 6}", 0, "", "", ERR_INVAL, "without documents"},
        {"{\"version\": -6, \"documents\": [", 0, "", "]}", ERR_INVAL,
         "no version"},
        {"{\"version\": 9223372036854775808, \"documents\": [", 0, "", "]}",
         ERR_INVAL, "nor this"},
    };
#undef LIST
    struct keyset *trusted = forge_set(0, "k", 0);

    (void)state;
    trusted->version = 5;
    for (size_t i = 0; i < countof(row); i++) {
        struct buf text, got;
        uint64_t version;
        enum err e;

        buf_init(&text, KEYDOCS_MAX);
        buf_init(&got, KEYDOC_MAX);
        buf_add_str(&text, row[i].before);
        for (size_t n = 0; n < row[i].n; n++)
            buf_printf(&text, "%s%s", n ? ", " : "", row[i].entry);
        buf_add_str(&text, row[i].after);
        e = keydocs_follow(trusted, buf_slice(&text), (struct wall){9000}, &got,
                           &version, NULL);
        if (e != row[i].want || (e == ERR_INVAL) != (version == 0))
            fail_msg("%s: %s, version %llu", row[i].why, err_name(e),
                     (unsigned long long)version);
        buf_release(&text);
        buf_release(&got);
    }
    keyset_unref(&trusted);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, keys_setup, keys_teardown)
    const struct CMUnitTest tests[] = {
        T(test_documents),
        T(test_documents_operator),
        T(test_documents_refused),
        T(test_start_with_peers),
        T(test_documents_unreadable),
        T(test_public_unwritable),
        T(test_over_damaged),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_large_jwks),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
