/* grant_test.c - tests of grant.h and bootstrap.h over a catalogue that holds
 * one account (ADM-023, ADM-025, ADM-028).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/bootstrap.h"
#include "sec/forge.h"
#include "sec/grant.h"
#include "sec/token.h"
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct wall NOW = {INT64_C(1800000000000)};
static const struct mono MONO = {INT64_C(1000000000000)};

struct fixture {
    struct meta meta; /* first: the operations find the rest */
    char dir[64];
    char keys_dir[80];
    bool has_account;
    enum err put_error;
    struct meta_account account;
    struct grant_conf conf;
    char secret[SECRET_TEXT];
};

static enum err
account_get(struct meta *m, const char *id, struct meta_account *out,
            struct fault *f)
{
    struct fixture *fx = (struct fixture *)m;

    (void)f;
    if (!fx->has_account || strcmp(id, fx->account.client_id) != 0)
        return ERR_NOENT;
    *out = fx->account;
    return ERR_OK;
}

static enum err
account_put(struct meta *m, const struct meta_account *a, struct fault *f)
{
    struct fixture *fx = (struct fixture *)m;

    (void)f;
    if (fx->put_error)
        return fx->put_error;
    fx->account = *a;
    fx->has_account = true;
    return ERR_OK;
}

static const struct meta_ops OPS = {
    .account_get = account_get,
    .account_put = account_put,
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct keys_conf kc = {.create = true, .bits = 2048};
    const char *tmp = getenv("TMPDIR");

    assert_non_null(f);
    f->meta.ops = &OPS;
    snprintf(f->dir, sizeof(f->dir), "%s/artstore-grant-XXXXXX",
             tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->keys_dir, sizeof(f->keys_dir), "%s/keys", f->dir);
    kc.dir = f->keys_dir;
    assert_int_equal(keys_open(&f->conf.keys, &kc, NULL), ERR_OK);
    f->conf.audience = "artstore";
    f->conf.issuer = "artstore-admin";
    f->conf.life = dur_s(900);
    f->conf.attempts = attempts_open(16, 1);
    f->conf.metrics = metrics_open(1, METRIC_GROUP_ALL, 1);
    account_secret_new(f->secret);
    assert_int_equal(account_make(&f->account, "svc", "a service",
                                  SCOPE_READ | SCOPE_WRITE,
                                  slice_str(f->secret), NOW, NULL),
                     ERR_OK);
    f->has_account = true;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    keys_close(&f->conf.keys);
    attempts_close(&f->conf.attempts);
    metrics_close(&f->conf.metrics);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

/* The whole way; the reply's JSON is the caller's. */
static json_t *
ask(struct fixture *f, const char *type, const char *body, const char *auth,
    struct grant_reply *reply)
{
    struct meta_account account;
    struct grant g;
    struct buf out;
    json_t *j;
    enum err e;

    grant_parse(&g, slice_str(type), slice_str(body), slice_str(auth));
    e = account_get(&f->meta, g.client_id, &account, NULL);
    buf_init(&out, 16 * KIB);
    grant_answer(&f->conf, &g, e == ERR_OK ? &account : NULL, SLICE("peer"),
                 MONO, NOW, &out, reply);
    grant_release(&g);
    j = json_loadb(buf_str(&out), out.n, JSON_REJECT_DUPLICATES, NULL);
    if (!j)
        fail_msg("not JSON: %s", buf_str(&out));
    assert_null(strstr(buf_str(&out), f->secret));
    buf_release(&out);
    return j;
}

static const char *
text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

#define FORM "application/x-www-form-urlencoded"
#define CC   "grant_type=client_credentials"

/* %s in a row is the right secret. */
static void
test_answers(void **state)
{
    static const struct {
        const char *type;
        const char *body;
        const char *want;
        unsigned status;
        const char *why;
    } row[] = {
        {FORM, CC "&client_id=svc&client_secret=%s", "", 200, "form"},
        {FORM "; charset=utf-8", CC "&client_id=svc&client_secret=%s", "", 200,
         "form with a charset"},
        {"application/json",
         "{\"grant_type\":\"client_credentials\",\"client_id\":\"svc\","
         "\"client_secret\":\"%s\"}",
         "", 200, "JSON"},
        {"",
         "{\"grant_type\":\"client_credentials\",\"client_id\":\"svc\","
         "\"client_secret\":\"%s\",\"x\":[1]}",
         "", 200, "JSON without a type, and what we do not know"},
        {FORM, CC "&client_id=s%%76c&client_secret=%s&x=%%20", "", 200,
         "percent encoding"},
        {FORM, CC "&client_id=svc&client_secret=%s&scope=", "", 200,
         "an empty scope is none"},
        {FORM, CC "&client_id=svc&client_secret=wrong", "invalid_client", 401,
         "wrong secret"},
        {FORM, CC "&client_id=nobody&client_secret=%s", "invalid_client", 401,
         "no such account"},
        {FORM, CC "&client_id=svc", "invalid_client", 401, "no secret"},
        {FORM, CC "&client_id=svc&client_secret=", "invalid_client", 401,
         "empty secret"},
        {FORM, CC, "invalid_client", 401, "nobody"},
        {FORM, "client_id=svc&client_secret=%s", "invalid_request", 400,
         "no grant type"},
        {FORM, "grant_type=password&client_id=svc&client_secret=%s",
         "unsupported_grant_type", 400, "another grant type"},
        {FORM, CC "&client_id=svc&client_id=svc&client_secret=%s",
         "invalid_request", 400, "repeated"},
        {FORM, CC "&client_id=svc&client_secret=%s&client_secret=x",
         "invalid_request", 400, "two secrets"},
        {FORM, CC "&client_id=svc&client_secret=%%zz", "invalid_request", 400,
         "a broken escape"},
        {"application/json", "[]", "invalid_request", 400, "no object"},
        {"application/json",
         "{\"grant_type\":\"client_credentials\",\"client_id\":\"svc\","
         "\"client_id\":\"svc\",\"client_secret\":\"%s\"}",
         "invalid_request", 400, "a repeated member"},
        {FORM, CC "&client_id=svc&client_secret=%s&scope=delete",
         "invalid_scope", 400, "more than it has"},
        {FORM, CC "&client_id=svc&client_secret=%s&scope=read+fly",
         "invalid_scope", 400, "a scope that is none"},
        {FORM, "", "invalid_request", 400, "empty"},
        {FORM, "{\"grant_type\":\"client_credentials\"}", "invalid_request",
         400, "JSON that is called a form, as curl -d does"},
    };
    struct fixture *f = *state;

    attempts_close(&f->conf.attempts); /* here without a bound */
    for (size_t i = 0; i < countof(row); i++) {
        struct grant_reply reply;
        char body[512];
        json_t *j;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(body, sizeof(body), row[i].body, f->secret);
#pragma GCC diagnostic pop
        j = ask(f, row[i].type, body, NULL, &reply);
        if (reply.status != row[i].status ||
            strcmp(text(j, "error"), row[i].want) != 0)
            fail_msg("%s: %u %s", row[i].why, reply.status, text(j, "error"));
        if (reply.status != 200) {
            assert_string_equal(text(j, "access_token"), "");
            assert_string_not_equal(text(j, "message"), ""); /* D16 */
        }
        if (reply.why == GRANT_INVALID_REQUEST)
            assert_non_null(strstr(text(j, "message"), "application/json"));
        json_decref(j);
    }
}

static void
test_token(void **state)
{
    static const struct token_conf conf = {.audience = "artstore",
                                           .issuer = "artstore-admin"};
    struct fixture *f = *state;
    struct keyset *ks = keys_get(f->conf.keys);
    struct grant_reply reply;
    struct claims c;
    char body[256];
    json_t *j;

    snprintf(body, sizeof(body),
             CC "&client_id=svc&client_secret=%s&scope=read", f->secret);
    j = ask(f, FORM, body, NULL, &reply);
    assert_string_equal(text(j, "token_type"), "Bearer");
    assert_string_equal(text(j, "scope"), "read");
    assert_int_equal(json_integer_value(json_object_get(j, "expires_in")), 900);
    assert_int_equal(
        token_verify(ks, &conf, slice_str(text(j, "access_token")), NOW, &c),
        TOKEN_OK);
    assert_string_equal(c.sub, "svc");
    assert_string_equal(c.client_id, "svc");
    assert_int_equal(c.kind, TOKEN_SERVICE_ACCOUNT);
    assert_int_equal(c.scopes, SCOPE_READ);
    assert_int_equal(c.exp_s, NOW.ms / 1000 + 900);
    json_decref(j);
    keyset_unref(&ks);
    assert_int_equal(
        metric_value(f->conf.metrics,
                     metric_series(f->conf.metrics, M_AUTH_ISSUED, "issued")),
        1);
}

static void
test_basic(void **state)
{
    struct fixture *f = *state;
    struct grant_reply reply;
    char pair[128], b64[256], auth[300];
    json_t *j;

    snprintf(pair, sizeof(pair), "svc:%s", f->secret);
    snprintf(auth, sizeof(auth), "Basic %s",
             base64_encode(pair, strlen(pair), b64));
    j = ask(f, FORM, CC, auth, &reply);
    assert_int_equal(reply.status, 200);
    json_decref(j);
    j = ask(f, FORM, CC "&client_id=svc", auth, &reply);
    assert_int_equal(reply.status, 200); /* names itself again */
    json_decref(j);
    j = ask(f, FORM, CC "&client_id=other", auth, &reply);
    assert_int_equal(reply.status, 400); /* and as someone else */
    json_decref(j);
    j = ask(f, FORM, CC "&client_secret=x", auth, &reply);
    assert_int_equal(reply.status, 400); /* authenticates twice */
    json_decref(j);
    snprintf(auth, sizeof(auth), "basic %s", base64_encode("svc:no", 6, b64));
    j = ask(f, FORM, CC, auth, &reply);
    assert_int_equal(reply.status, 401);
    assert_true(reply.basic_challenge);
    json_decref(j);
    j = ask(f, FORM, CC, "Basic ***", &reply);
    assert_int_equal(reply.status, 400);
    json_decref(j);
}

/* Who is wrong too often has to wait, even when he is right then. */
static void
test_too_often(void **state)
{
    struct fixture *f = *state;
    struct grant_reply reply;
    char body[256];
    json_t *j;

    for (int i = 0; i < 10; i++) {
        j = ask(f, FORM, CC "&client_id=svc&client_secret=wrong", NULL, &reply);
        assert_int_equal(reply.status, 401);
        json_decref(j);
    }
    snprintf(body, sizeof(body), CC "&client_id=svc&client_secret=%s",
             f->secret);
    j = ask(f, FORM, body, NULL, &reply);
    assert_int_equal(reply.status, 429);
    assert_int_equal(reply.retry_after_s, 6);
    assert_string_equal(text(j, "error"), "rate_limited");
    json_decref(j);
}

static void
test_disabled(void **state)
{
    struct fixture *f = *state;
    struct grant_reply reply;
    char body[256];
    json_t *j;

    f->account.disabled = true;
    snprintf(body, sizeof(body), CC "&client_id=svc&client_secret=%s",
             f->secret);
    j = ask(f, FORM, body, NULL, &reply);
    assert_int_equal(reply.status, 401);
    assert_string_equal(text(j, "error"), "invalid_client");
    assert_string_equal(text(j, "message"), "the account is disabled");
    json_decref(j);
    /* Who does not know the secret learns nothing of the account. */
    j = ask(f, FORM, CC "&client_id=svc&client_secret=wrong", NULL, &reply);
    assert_string_equal(text(j, "message"),
                        "client_id or client_secret is wrong");
    json_decref(j);
}

/* --------------------------------------------------------- bootstrap.h -- */

static void
test_bootstrap(void **state)
{
    struct fixture *f = *state;
    struct credentials first, loaded, again;
    struct grant_reply reply;
    struct stat st;
    char path[128], body[256];
    bool created;
    json_t *j;

    f->has_account = false;
    assert_int_equal(bootstrap_account(&f->meta, f->dir, "http://h/token", NOW,
                                       &created, &first, NULL),
                     ERR_OK);
    assert_true(created);
    assert_string_equal(first.client_id, "artstore-bootstrap");
    assert_null(strstr(f->account.secret_hash, first.client_secret));
    snprintf(path, sizeof(path), "%s/credentials.json", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(credentials_load(path, &loaded, NULL), ERR_OK);
    assert_string_equal(loaded.client_secret, first.client_secret);
    assert_string_equal(loaded.token_url, "http://h/token");

    /* The second start makes nothing and tells nothing. */
    assert_int_equal(
        bootstrap_account(&f->meta, f->dir, "", NOW, &created, &again, NULL),
        ERR_OK);
    assert_false(created);
    assert_string_equal(again.client_secret, "");

    /* The secret works. */
    snprintf(body, sizeof(body), CC "&client_id=%s&client_secret=%s",
             first.client_id, first.client_secret);
    j = ask(f, FORM, body, NULL, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(text(j, "scope"), "read write delete admin");
    json_decref(j);

    /* The database was lost: the file's secret is given back to it. */
    f->has_account = false;
    assert_int_equal(
        bootstrap_account(&f->meta, f->dir, "", NOW, &created, &again, NULL),
        ERR_OK);
    assert_true(created);
    assert_string_equal(again.client_secret, first.client_secret);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(credentials_load(path, &loaded, NULL), ERR_DENIED);
    assert_string_equal(loaded.client_secret, "");
}

/* A crash, or a fault, between the file and the account. */
static void
test_bootstrap_fault(void **state)
{
    struct fixture *f = *state;
    struct credentials c, kept;
    char path[128];
    bool created;

    f->has_account = false;
    f->put_error = ERR_IO;
    assert_int_equal(
        bootstrap_account(&f->meta, f->dir, "", NOW, &created, &c, NULL),
        ERR_IO);
    assert_false(created);
    assert_string_equal(c.client_secret, "");
    snprintf(path, sizeof(path), "%s/credentials.json", f->dir);
    assert_int_equal(credentials_load(path, &kept, NULL), ERR_OK);
    f->put_error = ERR_OK;
    assert_int_equal(
        bootstrap_account(&f->meta, f->dir, "", NOW, &created, &c, NULL),
        ERR_OK);
    assert_true(created);
    assert_string_equal(c.client_secret, kept.client_secret);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_answers),         T(test_token),    T(test_basic),
        T(test_too_often),       T(test_disabled), T(test_bootstrap),
        T(test_bootstrap_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
