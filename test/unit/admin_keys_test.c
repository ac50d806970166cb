/* admin_keys_test.c - two Admins over one database tell each other their public
 * keys, and nobody else does (D37, PRD-233).
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_sqlite.h"
#include "role/admin/impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SHARED_MS 11000 /* rows are looked at every ten seconds */

static struct meta *meta;
static char dir[64];
static struct wall now;

/* The third is nobody's Admin: its key is what somebody else would bring. */
static struct {
    struct admin *admin;
    struct keys *keys;
    char dir[80];
} side[3];

static void
ok(enum err e, const struct fault *f)
{
    char text[FAULT_TEXT];

    if (e)
        fail_msg("%s", fault_text(f, text, sizeof(text)));
}

static void
command(const char *fmt, const char *a, const char *b)
{
    char text[300];

    (void)snprintf(text, sizeof(text), fmt, a, b);
    assert_int_equal(system(text), 0);
}

static int
set_up(void **state)
{
    struct fault f = {0};
    (void)state;

    now.ms = 1700000000000;
    (void)snprintf(dir, sizeof(dir), "/tmp/admin_keys.XXXXXX");
    assert_non_null(mkdtemp(dir));
    ok(meta_sqlite_open(&meta, NULL, &f), &f);
    for (unsigned i = 0; i < countof(side); i++) {
        struct keys_conf kc = {.create = true, .bits = 2048, .now = now};

        (void)snprintf(side[i].dir, sizeof(side[i].dir), "%s/%u", dir, i);
        kc.dir = side[i].dir;
        ok(keys_open(&side[i].keys, &kc, &f), &f);
        ok(admin_open(&side[i].admin, meta, &f), &f);
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < countof(side); i++) {
        admin_close(&side[i].admin);
        keys_close(&side[i].keys);
    }
    meta->ops->close(meta);
    command("rm -r '%s'%s", dir, "");
    return 0;
}

/* Both look, twice: what one writes the other reads the next time. */
static void
turns(void)
{
    for (unsigned i = 0; i < 4; i++) {
        now.ms += SHARED_MS;
        admin_keys_turn(side[i % 2].admin, now);
    }
}

static bool
knows(unsigned i, const char *kid)
{
    struct keyset *ks = keys_get(side[i].keys);
    bool found = false;

    for (size_t k = 0; k < ks->n; k++)
        found |= strcmp(ks->key[k].kid, kid) == 0;
    keyset_unref(&ks);
    return found;
}

static const char *
kid_of(unsigned i)
{
    static char kid[3][CLAIM_TEXT];
    struct keyset *ks = keys_get(side[i].keys);

    (void)slice_copy(slice_str(ks->key[ks->signer].kid), kid[i],
                     sizeof(kid[i]));
    keyset_unref(&ks);
    return kid[i];
}

static struct buf seen;

static bool
see(void *arg, const char *key, struct slice value)
{
    if (strstr(key, arg) == NULL)
        return true;
    buf_clear(&seen);
    (void)buf_add_slice(&seen, value);
    return true;
}

/* The row of side I, as the database has it. */
static struct slice
row_of(unsigned i)
{
    struct fault f = {0};

    buf_clear(&seen);
    ok(meta->ops->setting_list(meta, "jwk:", 64, see,
                               (void *)(uintptr_t)kid_of(i), &f),
       &f);
    assert_true(seen.n > 64);
    return buf_slice(&seen);
}

static void
put(const char *key, struct slice value)
{
    struct fault f = {0};

    ok(meta->ops->setting_put(meta, key, value, &f), &f);
}

static void
copy_secret(void)
{
    command("cp -p '%s/peers.key' '%s/peers.key'", side[0].dir, side[1].dir);
}

static void
test_strangers(void **state)
{
    (void)state;
    admin_keys(side[0].admin, side[0].keys, NULL, now);
    admin_keys(side[1].admin, side[1].keys, NULL, now);
    turns();
    /* Each has a secret of its own: the other could be anybody. */
    assert_false(knows(0, kid_of(1)) || knows(1, kid_of(0)));
    assert_int_equal(side[0].admin->keys_refused, 1);
    copy_secret(); /* while they run */
    turns();
    assert_true(knows(0, kid_of(1)) && knows(1, kid_of(0)));
    assert_int_equal(side[0].admin->keys_refused, 0);
}

/* What somebody who writes to the database can think of. */
static void
test_forged(void **state)
{
    char key[200], mac[65] = "", other[UUID_TEXT];
    struct uuid id = {{0xee, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};
    const char *owner[2];
    struct buf b;
    (void)state;

    admin_keys(side[0].admin, side[0].keys, NULL, now);
    copy_secret();
    admin_keys(side[1].admin, side[1].keys, NULL, now);
    turns();
    assert_true(knows(0, kid_of(1)) && knows(1, kid_of(0)));
    owner[0] = keys_owner(side[0].keys);
    owner[1] = uuid_text(&id, other);

    /* Its own row, by its own secret, under both names; and without a MAC. */
    admin_keys(side[2].admin, side[2].keys, NULL, now);
    turns();
    assert_false(knows(0, kid_of(2)) || knows(1, kid_of(2)));
    buf_init(&b, 8 * KIB);
    (void)buf_add_slice(&b, row_of(2));
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(key, sizeof(key), "jwk:%s:%s", owner[i], kid_of(2));
        put(key, buf_slice(&b));
        turns();
        assert_false(knows(0, kid_of(2)) || knows(1, kid_of(2)));
        put(key, slice_skip(buf_slice(&b), 65));
        turns();
        assert_false(knows(0, kid_of(2)) || knows(1, kid_of(2)));
    }
    /* A right MAC of another text. */
    (void)slice_copy(slice_head(row_of(1), 64), mac, sizeof(mac));
    memcpy(b.p, mac, 64);
    (void)snprintf(key, sizeof(key), "jwk:%s:%s", other, kid_of(2));
    put(key, buf_slice(&b));
    turns();
    assert_false(knows(0, kid_of(2)) || knows(1, kid_of(2)));
    /* A right row, under a name by which its Admin would not remove it. */
    buf_clear(&b);
    (void)buf_add_slice(&b, row_of(1));
    (void)snprintf(key, sizeof(key), "jwk:%s:%s", other, kid_of(1));
    put(key, buf_slice(&b));
    turns();
    assert_true(side[0].admin->keys_refused > 0);
    /* And what was right all the time is so still. */
    assert_true(knows(0, kid_of(1)) && knows(1, kid_of(0)));
    buf_release(&b);
}

/* Somebody overwrites our row: it is written again, at once. */
static void
test_own_row(void **state)
{
    char key[200];
    (void)state;

    admin_keys(side[0].admin, side[0].keys, NULL, now);
    copy_secret();
    admin_keys(side[1].admin, side[1].keys, NULL, now);
    (void)snprintf(key, sizeof(key), "jwk:%s:%s", keys_owner(side[0].keys),
                   kid_of(0));
    put(key, SLICE("junk"));
    turns();
    assert_true(knows(1, kid_of(0)));
}

/* A secret that is none: nothing is shared, and what was heard stays. */
static void
test_no_secret(void **state)
{
    (void)state;
    admin_keys(side[0].admin, side[0].keys, NULL, now);
    copy_secret();
    admin_keys(side[1].admin, side[1].keys, NULL, now);
    turns();
    assert_true(knows(0, kid_of(1)));
    command("echo short > '%s/peers.key'%s", side[0].dir, "");
    turns();
    assert_true(side[0].admin->share_failed);
    assert_true(knows(0, kid_of(1)));
    command("cp -p '%s/peers.key' '%s/peers.key'", side[1].dir, side[0].dir);
    turns();
    assert_false(side[0].admin->share_failed);
    assert_true(knows(0, kid_of(1)) && knows(1, kid_of(0)));
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_strangers),
        T(test_forged),
        T(test_own_row),
        T(test_no_secret),
    };
    int r;

    buf_init(&seen, 8 * KIB);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&seen);
    return r;
}
