/* keydoc_memory_test.c - tests of keydoc.h and keys.h where memory ends: each
 * allocation of the JSON library fails once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/keys_forge.h"
#include <jansson.h>

static long fail_at = -1;

/* The one after FAIL_AT others fails. */
static void *
failing(size_t n)
{
    return fail_at >= 0 && fail_at-- == 0 ? NULL : malloc(n);
}

/* Memory that ends anywhere in a reload or a start leads back to no key that
 * was sent away, and removes nothing. */
static void
test_handed_no_memory(void **state)
{
    struct fixture *f = *state;
    bool changed, reached = true;
    struct keys *other;
    struct element el;
    enum err e;

    element_open(&el, f, f->root);
    element_told(&el, f);
    json_set_alloc_funcs(failing, free);
    for (long n = 0; reached; n++) {
        fail_at = n;
        (void)keys_reload(el.k, &changed, NULL);
        reached = fail_at < 0;
        expect_kid(el.k, el.first, false);
        expect_kid(el.k, el.second, true);
        fail_at = n;
        e = keys_open(&other, &el.conf, NULL);
        reached = reached || fail_at < 0;
        fail_at = -1;
        if (e != ERR_OK)
            continue;
        assert_int_equal(keys_reload(other, &changed, NULL), ERR_OK);
        expect_kid(other, el.first, false);
        keys_close(&other);
    }
    json_set_alloc_funcs(malloc, free);
    element_close(&el);
}

/* Memory that ends anywhere in a start or while documents are signed loses none
 * of those before, and signs nothing else than what is. */
static void
test_documents_no_memory(void **state)
{
    struct keyset *set = forge_set(0, "k", KEY_OURS | KEY_SIGNS);
    struct buf before, want, got;
    struct fixture *f = *state;
    struct keydocs_made made;
    char kid[CLAIM_TEXT];
    bool reached = true;

    admin_open(f, 1000);
    rotate_to(f, 2, 0, kid); /* key 1 is gone, its document is not */
    documents_of(f->k, &before);
    keys_close(&f->k);
    set->key[0].until.ms = 5000;
    buf_init(&want, KEYDOCS_MAX);
    buf_init(&got, KEYDOCS_MAX);
    assert_int_equal(keydocs_make(set, set, buf_slice(&before),
                                  (struct wall){3000}, &want, &made, NULL),
                     ERR_OK);
    json_set_alloc_funcs(failing, free);
    for (long n = 0; reached; n++) {
        enum err e;

        buf_clear(&got);
        fail_at = n;
        e = keydocs_make(set, set, buf_slice(&before), (struct wall){3000},
                         &got, &made, NULL);
        reached = fail_at < 0;
        if (e == ERR_OK)
            assert_string_equal(buf_str(&got), buf_str(&want));
        buf_clear(&got);
        fail_at = n;
        e = keys_open(&f->k, &f->conf, NULL);
        reached = reached || fail_at < 0;
        fail_at = -1;
        if (e == ERR_OK)
            assert_int_equal(keys_documents(f->k, &got), ERR_OK);
        if (e == ERR_OK)
            assert_string_equal(buf_str(&got), buf_str(&before));
        keys_close(&f->k);
    }
    json_set_alloc_funcs(malloc, free);
    keyset_unref(&set);
    buf_release(&before);
    buf_release(&want);
    buf_release(&got);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, keys_setup, keys_teardown)
    const struct CMUnitTest tests[] = {
        T(test_handed_no_memory),
        T(test_documents_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
