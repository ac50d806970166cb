/* admin_link_test.c - the ways from a gateway to Admin: its token and keys, the
 * list of elements, what was polled, what is to be audited.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_world.h"
#include "role/common/admin_link.h"
#include "role/common/audit_remote.h"
#include "role/common/route.h"
#include "role/ingest/admin_list.h"
#include "role/ingest/inform.h"
#include "sec/account.h"
#include "sec/scope.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Of the form that we make: another costs 600,000 rounds each time. */
#define SECRET "artsec_a-secret-of-tests-with-43-characters-in-all"
#define AWAY   1000000 /* requests that reach nobody */

static struct admin_world w;
static struct admin_link *k;
static struct keys *keys;
static unsigned ready, ended;

static void
account_with(unsigned scopes, const char *secret)
{
    struct meta_account a;
    struct fault f = {0};

    admin_world_ok(account_make(&a, "gate", "", scopes, slice_str(secret),
                                w.loop.loop.wall, &f),
                   &f);
    admin_world_ok(admin_account_put(w.admin, &a, &f), &f);
}

static void
account(unsigned scopes)
{
    account_with(scopes, SECRET);
}

static void
is_ready(void *arg)
{
    (void)arg;
    ready++;
}

static void
stopped(void *arg)
{
    (void)arg;
    ended++;
}

static void
open_as(const struct admin_link_conf *c)
{
    struct fault f = {0};

    admin_world_ok(admin_link_open(&k, &w.fetch.fetch, c, &f), &f);
    admin_link_start(k, &w.loop.loop);
    loop_mem_settle(&w.loop);
}

static void
link_open(const char *secret)
{
    const struct admin_link_conf c = {.url = ADMIN_URL,
                                      .client_id = "gate",
                                      .client_secret = secret,
                                      .keys = keys,
                                      .patience = dur_s(5),
                                      .ready = is_ready};

    open_as(&c);
}

static int
set_up(void **state)
{
    struct fault f = {0};
    (void)state;

    admin_world_open(&w);
    ready = ended = 0;
    admin_world_ok(keys_open(&keys, &(struct keys_conf){.adopts = true}, &f),
                   &f);
    account(SCOPE_READ | SCOPE_GATEWAY);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    admin_link_stop(k, stopped, NULL);
    loop_mem_advance(&w.loop, dur_s(10));
    assert_int_equal(ended, 1);
    admin_link_close(&k);
    admin_link_close(&k); /* harmless */
    loop_mem_settle(&w.loop);
    assert_int_equal(w.fetch.peers, 0);
    keys_close(&keys);
    admin_world_close(&w);
    return 0;
}

/* What our requests carry. */
static const char *
token(void)
{
    static char out[8192];
    const struct ask_auth auth = admin_link_auth(k);
    struct buf b;

    buf_init(&b, sizeof(out) - 1);
    auth.fields(auth.arg, &b);
    assert_true(slice_copy(buf_slice(&b), out, sizeof(out)));
    buf_release(&b);
    return out;
}

static size_t
n_keys(void)
{
    struct keyset *ks = keys_get(keys);
    size_t n = ks->n;

    keyset_unref(&ks);
    return n;
}

/* ---- token and keys ---- */

static void
test_token(void **state)
{
    struct admin_link_status s;
    char first[8192];
    (void)state;

    link_open(SECRET);
    assert_int_equal(ready, 1);
    assert_int_equal(n_keys(), 1);
    assert_true(
        slice_starts(slice_str(token()), SLICE("Authorization: Bearer ey")));
    (void)slice_copy(slice_str(token()), first, sizeof(first));
    admin_link_status(k, &s);
    assert_true(s.has_token && s.has_keys && !s.why[0]);
    loop_mem_advance(&w.loop, dur_s(11 * 60));
    assert_string_equal(token(), first); /* it lasts a quarter of an hour */
    loop_mem_advance(&w.loop, dur_s(60));
    assert_string_not_equal(token(), first); /* but is not used to its end */
    assert_int_equal(ready, 1);
}

static void
test_refused(void **state)
{
    char first[8192];
    unsigned asked;
    (void)state;

    link_open(SECRET);
    (void)slice_copy(slice_str(token()), first, sizeof(first));
    loop_mem_advance(&w.loop, dur_s(2));
    asked = w.asked;
    for (unsigned i = 0; i < 100; i++) { /* one is enough for all of them */
        admin_link_refused(k);
        loop_mem_settle(&w.loop);
    }
    assert_int_equal(w.asked, asked + 1);
    assert_string_not_equal(token(), first);
}

static void
test_wrong_secret(void **state)
{
    struct admin_link_status s;
    unsigned asked;
    (void)state;

    link_open("another secret");
    assert_string_equal(token(), ""); /* none is sent */
    assert_int_equal(ready, 0);
    admin_link_status(k, &s);
    assert_true(!s.has_token && s.refused);
    assert_true(s.has_keys);
    asked = w.asked;
    loop_mem_advance(&w.loop, dur_s(100));
    assert_in_range(w.asked - asked, 4, 9); /* 1, 2, 4 ... 30 s apart */
}

/* Its token is good to its end, and then it has none. */
static void
test_secret_rotated(void **state)
{
    struct admin_link_status s;
    (void)state;

    link_open(SECRET);
    account_with(SCOPE_READ, "artsec_another-secret-of-43-characters-in-all-.");
    loop_mem_advance(&w.loop, dur_s(11 * 60 + 16));
    admin_link_status(k, &s);
    assert_true(s.has_token && !s.refused && s.why[0]);
    w.fetch.away = AWAY; /* every secret that is looked at takes its time */
    loop_mem_advance(&w.loop, dur_s(4 * 60));
    w.fetch.away = 0;
    loop_mem_advance(&w.loop, dur_s(31));
    admin_link_status(k, &s);
    assert_true(!s.has_token && s.refused);
    account(SCOPE_READ);
    loop_mem_advance(&w.loop, dur_s(60));
    admin_link_status(k, &s);
    assert_true(s.has_token && !s.refused && !s.why[0]);
}

static void
test_away(void **state)
{
    (void)state;
    w.fetch.away = AWAY;
    link_open(SECRET);
    loop_mem_advance(&w.loop, dur_s(5));
    assert_int_equal(n_keys(), 0);
    w.fetch.away = 0;
    loop_mem_advance(&w.loop, dur_s(30));
    assert_int_equal(n_keys(), 1);
    assert_int_equal(ready, 1);
    w.fetch.away = AWAY; /* what there was stays */
    loop_mem_advance(&w.loop, dur_s(3600));
    assert_int_equal(n_keys(), 1);
    assert_true(token()[0]);
}

/* A key that Admin signs with from now on is known within five minutes. */
static void
test_rotation(void **state)
{
    const struct keys_rotation at_once = {.keep = dur_s(-1)};
    struct fault f = {0};
    (void)state;

    link_open(SECRET);
    admin_world_ok(keys_rotate(w.keys, &at_once, NULL, &f), &f);
    loop_mem_advance(&w.loop, dur_s(301));
    assert_int_equal(n_keys(), 2);
}

/* Two Admins behind one URL: one has this question, the other the next. */
static struct {
    struct buf jwks;
    uint64_t version[2];        /* of their documents */
    unsigned documents, n_keys; /* questions */
} two;

static void
one_of_two(void *arg, struct fetch_mem_call *c)
{
    char text[64];
    (void)arg;

    if (slice_eq(c->target, SLICE("/.well-known/jwks.json"))) {
        two.n_keys++;
        fetch_mem_answer(c, 200, buf_slice(&two.jwks));
        return;
    }
    assert_true(slice_eq(c->target, SLICE("/.well-known/key-documents")));
    (void)snprintf(text, sizeof(text), "{\"version\": %llu}",
                   (unsigned long long)two.version[two.documents++ % 2]);
    fetch_mem_answer(c, 200, slice_str(text));
}

/* How often keys are asked for in the time that ten questions for documents
 * take; both Admins' must be held in turn. */
static unsigned
two_asked(void)
{
    const unsigned before = two.n_keys;

    for (unsigned i = 0; i < 10; i++) {
        loop_mem_advance(&w.loop, dur_s(10));
        assert_int_equal(admin_link_documents(k, NULL),
                         two.version[(two.documents - 1) % 2]);
    }
    return two.n_keys - before;
}

/* That the other one answers is no news of keys, but news has not always a
 * version above the other's, since the clocks differ. */
static void
test_two_admins(void **state)
{
    const struct admin_link_conf c = {.url = "http://two.test",
                                      .client_id = "",
                                      .client_secret = "",
                                      .keys = keys,
                                      .documents = true,
                                      .patience = dur_s(5)};
    struct keyset *ks = keys_get(w.keys);
    (void)state;

    memset(&two, 0, sizeof(two));
    two.version[0] = 1000;
    two.version[1] = 2000;
    buf_init(&two.jwks, 64 * KIB);
    assert_true(keyset_jwks(ks, 0, &two.jwks));
    keyset_unref(&ks);
    w.elsewhere = one_of_two;
    open_as(&c);
    loop_mem_advance(&w.loop, dur_s(15));
    assert_int_equal(n_keys(), 1);
    assert_int_equal(two.documents, 2);
    assert_int_equal(two.n_keys, 3); /* at the start, and for each of them */
    assert_int_equal(two_asked(), 0);
    two.version[0] = 1001; /* a rotation, where the clock is behind */
    assert_int_equal(two_asked(), 1);
    two.version[1] = 2001;
    assert_int_equal(two_asked(), 1);
    loop_mem_advance(&w.loop, dur_s(300));
    assert_int_equal(two.n_keys, 6); /* whatever is said of documents */
    buf_release(&two.jwks);
}

/* ---- whom a gateway believes ---- */

static void
let_in(struct call *c)
{
    exchange_answer(c->x, 204, SLICE_NULL, SLICE_NULL);
    call_end(c);
}

static const struct route guarded[] = {
    {HTTP_GET, "/files", SCOPE_READ, let_in, "list", "", {0}, NULL},
};

/* How a gateway answers who sends FIELDS; where there is a reason it is in
 * WHY. */
static int
gateway_says(struct router *r, const char *fields, char why[64])
{
    struct serve_app *app = router_app(r);
    struct exchange_mem x;
    char text[9000];
    int status;

    (void)snprintf(text, sizeof(text),
                   "GET /files HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    exchange_mem_init(&x, &w.loop.loop, text);
    app->begin(app, &x.exchange);
    loop_mem_settle(&w.loop);
    for (unsigned i = 0; i < 100 && !x.ended; i++)
        loop_mem_advance(&w.loop, dur_ms(50));
    assert_true(x.ended);
    status = x.status;
    why[0] = '\0';
    if (status >= 400) {
        json_t *o = json_loadb(x.body.p, x.body.n, 0, NULL);

        (void)snprintf(why, 64, "%s",
                       json_text_of(json_object_get(o, "details"), "reason"));
        json_decref(o);
    }
    assert_int_equal(status == 503,
                     strstr(buf_str(&x.headers), "Retry-After") != NULL);
    assert_int_equal(status == 401,
                     strstr(buf_str(&x.headers), "WWW-Authenticate") != NULL);
    exchange_mem_release(&x);
    return status;
}

/* As of a process that has just begun. */
static void
link_again(void)
{
    struct fault f = {0};

    admin_link_stop(k, stopped, NULL);
    loop_mem_settle(&w.loop);
    admin_link_close(&k);
    loop_mem_settle(&w.loop);
    keys_close(&keys);
    ended = 0;
    admin_world_ok(keys_open(&keys, &(struct keys_conf){.adopts = true}, &f),
                   &f);
    link_open(SECRET);
}

/* A token whose key is not there is not wrong for that: Admin is asked first,
 * and who cannot be told is asked to come again. */
static void
test_key_unknown(void **state)
{
    const struct keys_rotation at_once = {.keep = dur_s(-1)};
    struct auth_conf conf = {.enabled = true, .token = {.leeway = dur_s(60)}};
    const struct route_table table = {guarded, 1, NULL, "a"};
    char good[8192], forged[8192], why[64];
    struct authority *a;
    unsigned asked;
    struct fault f = {0};
    struct router *r;
    (void)state;

    link_open(SECRET);
    (void)slice_copy(slice_str(token()), good, sizeof(good));
    w.fetch.away = AWAY;
    link_again();
    conf.keys = keys;
    a = authority_open(&conf, 16, 1);
    assert_non_null(a);
    authority_issuer(a, admin_link_key_unknown, k);
    r = router_open(&table, 1, "ingester", a, NULL, 1);
    assert_non_null(r);

    loop_mem_advance(&w.loop, dur_s(100)); /* now it is asked twice a minute */
    assert_int_equal(gateway_says(r, good, why), 503);
    assert_string_equal(why, "token_keys_absent");
    w.fetch.away = 0;
    loop_mem_advance(&w.loop, dur_s(1));
    assert_int_equal(gateway_says(r, good, why), 503); /* which asks Admin */
    loop_mem_settle(&w.loop);
    assert_int_equal(gateway_says(r, good, why), 204);

    /* A key of which Admin did not speak 300 s ahead. */
    admin_world_ok(keys_rotate(w.keys, &at_once, NULL, &f), &f);
    loop_mem_advance(&w.loop, dur_s(4));
    admin_link_refused(k); /* another token, by that key */
    loop_mem_settle(&w.loop);
    assert_string_not_equal(token(), good);
    assert_int_equal(n_keys(), 1);
    (void)slice_copy(slice_str(token()), good, sizeof(good));
    assert_int_equal(gateway_says(r, good, why), 204);
    assert_int_equal(n_keys(), 2);

    /* Nobody's key. It costs Admin one question in three seconds. */
    (void)snprintf(forged, sizeof(forged),
                   "Authorization: Bearer "
                   "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im5vYm9keSJ9"
                   "%s",
                   strchr(good, '.'));
    loop_mem_advance(&w.loop, dur_s(4));
    asked = w.asked;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(gateway_says(r, forged, why), 401);
        assert_string_equal(why, "token_key_unknown");
    }
    assert_int_equal(w.asked, asked + 1);
    loop_mem_advance(&w.loop, dur_s(4));
    w.fetch.away = AWAY; /* it is refused without Admin too */
    assert_int_equal(gateway_says(r, forged, why), 401);
    assert_int_equal(gateway_says(r, good, why), 204);
    w.fetch.away = 0;
    router_close(&r);
    authority_close(&a);
}

/* ---- the list ---- */

static void
listed(struct monitor_admin_ask *q)
{
    (void)q;
    ended++;
}

static void
test_list(void **state)
{
    struct monitor_admin_ask q = {
        .loop = &w.loop.loop, .done = listed, .patience = dur_s(5)};
    struct admin_list l;
    (void)state;

    json_decref(admin_world_ask(
        &w, "POST", "/api/v1/storage-elements?force=true",
        SLICE("{\"element_id\":\"se-09\",\"api_url\":\"http://far.test\"}"),
        201));
    link_open(SECRET);
    admin_list_init(&l, k);
    buf_init(&q.out, MIB);
    l.admin.list(&l.admin, &q);
    assert_int_equal(ended, 0);
    loop_mem_settle(&w.loop);
    assert_int_equal(ended, 1);
    assert_int_equal(q.err, ERR_OK);
    assert_non_null(strstr(buf_str(&q.out), "se-09"));
    assert_non_null(strstr(w.last_auth, "Bearer ey"));
    buf_release(&q.out);
    w.fetch.away = AWAY;
    buf_init(&q.out, MIB);
    l.admin.list(&l.admin, &q);
    loop_mem_advance(&w.loop, dur_s(6));
    assert_int_equal(ended, 2);
    assert_int_not_equal(q.err, ERR_OK);
    buf_release(&q.out);
    ended = 0;
}

/* ---- what was polled ---- */

static void
test_inform(void **state)
{
    const struct blob_capacity c = {.element_id = "se-09",
                                    .element_uuid = {{1}},
                                    .mode = BLOB_RW,
                                    .total = 1000,
                                    .used = 400,
                                    .available = 600,
                                    .health = "healthy",
                                    .backend = "local",
                                    .writable = true};
    struct ask_auth auth;
    struct inform *n;
    json_t *o;
    (void)state;

    json_decref(admin_world_ask(
        &w, "POST", "/api/v1/storage-elements?force=true",
        SLICE("{\"element_id\":\"se-09\",\"api_url\":\"http://far.test\"}"),
        201));
    link_open(SECRET);
    auth = admin_link_auth(k);
    n = inform_open(admin_link_peer(k), &auth, dur_s(5));
    assert_non_null(n);
    inform_start(n, &w.loop.loop);
    inform_put(n, "se-09", &c);
    loop_mem_settle(&w.loop);
    o = admin_world_ask(&w, "GET", "/api/v1/storage-elements/se-09", SLICE_NULL,
                        200);
    assert_int_equal(json_int_of(o, "capacity_free"), 600);
    assert_string_equal(json_text_of(o, "health_status"), "healthy");
    json_decref(o);
    w.fetch.away = AWAY; /* nothing piles up, and the end comes all the same */
    for (unsigned i = 0; i < 1000; i++)
        inform_put(n, "se-09", &c);
    inform_stop(n, stopped, NULL);
    loop_mem_advance(&w.loop, dur_s(6));
    assert_int_equal(ended, 1);
    ended = 0;
    inform_close(&n);
}

/* ---- audit ---- */

static struct meta_audit
entry(const char *object)
{
    struct meta_audit a = {.at = w.loop.loop.wall};

    (void)slice_copy(SLICE("ivanov"), a.actor, sizeof(a.actor));
    (void)slice_copy(SLICE("file.delete"), a.action, sizeof(a.action));
    (void)slice_copy(slice_str(object), a.object, sizeof(a.object));
    (void)slice_copy(SLICE("ok"), a.result, sizeof(a.result));
    return a;
}

static void
test_audit(void **state)
{
    struct audit_remote_stats s;
    struct audit_remote *q;
    struct meta_audit a;
    struct ask_auth auth;
    json_t *o;
    (void)state;

    link_open(SECRET);
    auth = admin_link_auth(k);
    q = audit_remote_open(admin_link_peer(k), &auth, dur_s(2), NULL);
    assert_non_null(q);
    audit_remote_start(q, &w.loop.loop);
    w.fetch.lost = 1; /* the answer: it is sent again, and there once */
    for (unsigned i = 0; i < 150; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "f%u", i);
        a = entry(name);
        audit_remote_put(q, &a);
    }
    loop_mem_advance(&w.loop, dur_s(4));
    audit_remote_stats(q, &s);
    assert_int_equal(s.written, 150);
    assert_int_equal(s.lost, 0);
    w.fetch.away = AWAY;
    for (unsigned i = 0; i < AUDIT_MAX + 5; i++) {
        a = entry("waits");
        audit_remote_put(q, &a);
    }
    loop_mem_advance(&w.loop, dur_s(30));
    audit_remote_stats(q, &s);
    assert_int_equal(s.lost, 5); /* over the ceiling */
    assert_int_equal(s.queued, AUDIT_MAX);
    w.fetch.away = 0;
    loop_mem_advance(&w.loop, dur_s(60));
    audit_remote_stats(q, &s);
    assert_int_equal(s.written, 150 + AUDIT_MAX);
    audit_remote_stop(q, stopped, NULL);
    loop_mem_advance(&w.loop, dur_s(3));
    assert_int_equal(ended, 1);
    ended = 0;
    audit_remote_close(&q);
    loop_mem_advance(&w.loop, dur_s(2)); /* Admin writes them */
    o = admin_world_ask(&w, "GET",
                        "/api/v1/audit?action=file.delete&object=f149",
                        SLICE_NULL, 200);
    assert_int_equal(json_array_size(json_object_get(o, "entries")), 1);
    json_decref(o);
}

static struct fetch_mem_call *held;

static void
hold(void *arg, struct fetch_mem_call *c)
{
    (void)arg;
    assert_null(held);
    held = c;
}

/* Admin takes the entries and never answers: the end comes all the same. */
static void
test_audit_hangs(void **state)
{
    struct ask_auth none = {0};
    struct fetch_peer *peer;
    struct audit_remote *q;
    struct meta_audit a = entry("hangs");
    struct fault f;
    (void)state;

    link_open(SECRET);
    held = NULL;
    w.elsewhere = hold;
    admin_world_ok(
        fetch_peer_open(&w.fetch.fetch, "http://hangs.test", &peer, &f), &f);
    q = audit_remote_open(peer, &none, dur_s(2), NULL);
    audit_remote_start(q, &w.loop.loop);
    audit_remote_put(q, &a);
    loop_mem_advance(&w.loop, dur_s(2));
    assert_non_null(held);
    audit_remote_stop(q, stopped, NULL);
    loop_mem_advance(&w.loop, AUDIT_STOP);
    assert_int_equal(ended, 1);
    ended = 0;
    audit_remote_close(&q);
    fetch_peer_close(&peer);
    fetch_mem_answer(held, 200, SLICE("{}"));
    loop_mem_settle(&w.loop);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_token),          T(test_refused),     T(test_wrong_secret),
        T(test_secret_rotated), T(test_away),        T(test_list),
        T(test_rotation),       T(test_inform),      T(test_audit),
        T(test_audit_hangs),    T(test_key_unknown), T(test_two_admins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
