/* admin_api_test.c - Admin's routes, each request as text: elements, capacity,
 * changes of mode, tokens. SPDX-License-Identifier: Apache-2.0 */
#include "exchange_mem.h"
#include "io/index_sqlite.h"
#include "io/meta_sqlite.h"
#include "port/loop_mem.h"
#include "port/meta_fail.h"
#include "role/admin/api.h"
#include "sec/account.h"
#include "sec/token.h"
#include "wire/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* Of the form that we make: another costs 600,000 rounds each time. */
#define SECRET "artsec_a-secret-of-tests-with-43-characters-in-all"

/* An element that only knows how full it is. */
struct fake {
    struct blob blob;
    struct blob_capacity cap;
};

static struct {
    char dir[64];
    struct loop_mem loop;
    struct meta_fail meta;
    struct index *index;
    struct fake element[3];
    struct admin *admin;
    struct admin_api *api;
    struct keys *keys;
    struct router *router;
} w;

static void
fake_capacity(struct blob *b, struct blob_capacity *out)
{
    *out = container_of(b, struct fake, blob)->cap;
}

static void
fake_mode(void *arg, enum blob_mode mode)
{
    struct fake *e = arg;

    e->cap.mode = mode;
    e->cap.writable = mode <= BLOB_RW;
}

static void
ok(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s: %s: %s", err_name(e), f->op, f->what);
}

static void
add_element(unsigned i, const char *id, enum blob_mode mode, int priority)
{
    static const struct blob_ops ops = {.capacity = fake_capacity};
    struct fake *e = &w.element[i];
    struct admin_source source = {
        .index = w.index, .set_mode = fake_mode, .arg = e};
    struct meta_element like = {.uuid = {{(uint8_t)(i + 1)}},
                                .endpoint = "http://127.0.0.1:8020",
                                .location = "dc1",
                                .mode = (int)mode,
                                .priority = priority,
                                .created_at = {1700000000000},
                                .updated_at = {1700000000000}};
    struct fault f = {0};

    *e = (struct fake){.blob = {.ops = &ops},
                       .cap = {.backend = "local",
                               .health = "healthy",
                               .location = "dc1",
                               .pool_id = "p1",
                               .mode = mode,
                               .total = 3000,
                               .used = 1000,
                               .available = 1900,
                               .writable = mode <= BLOB_RW,
                               .boot = 4,
                               .seq = 17,
                               .last_update = {1700000000123}}};
    (void)snprintf(e->blob.element_id, sizeof(e->blob.element_id), "%s", id);
    (void)snprintf(like.element_id, sizeof(like.element_id), "%s", id);
    (void)snprintf(like.name, sizeof(like.name), "%s", id);
    ok(admin_attach(w.admin, &e->blob, &source, &like, &f), &f);
}

static int
set_up(void **state)
{
    struct keys_conf kc = {.create = true, .bits = 2048};
    struct admin_api_conf ac = {.audience = "artstore",
                                .issuer = "http://issuer",
                                .token_life = dur_s(900),
                                .seed = 7};
    struct route_table table;
    struct meta_account account;
    struct meta *m;
    struct fault f = {0};
    char keys[80];
    (void)state;

    (void)snprintf(w.dir, sizeof(w.dir), "/tmp/admin_api_test.XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    loop_mem_init(&w.loop);
    ok(meta_sqlite_open(&m, NULL, &f), &f);
    meta_fail_init(&w.meta, m);
    ok(index_sqlite_open(&w.index, ":memory:", &f), &f);
    ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
    add_element(0, "se-01", BLOB_EDIT, 100);
    add_element(1, "se-02", BLOB_RW, 50);
    add_element(2, "se-03", BLOB_RO, 10);
    ok(account_make(&account, "bot", "Bot", SCOPE_READ | SCOPE_WRITE,
                    SLICE(SECRET), (struct wall){1}, &f),
       &f);
    ok(admin_account_put(w.admin, &account, &f), &f);
    (void)snprintf(keys, sizeof(keys), "%s/keys", w.dir);
    kc.dir = keys;
    ok(keys_open(&w.keys, &kc, &f), &f);
    ac.admin = w.admin;
    ac.keys = w.keys;
    ok(admin_api_open(&w.api, &ac, &f), &f);
    table = admin_api_routes(w.api);
    w.router = router_open(&table, 1, "admin", NULL, NULL, 1);
    assert_non_null(w.router);
    return 0;
}

static int
tear_down(void **state)
{
    char command[96];
    (void)state;

    router_close(&w.router);
    admin_api_close(&w.api);
    admin_close(&w.admin);
    keys_close(&w.keys);
    w.meta.meta.ops->close(&w.meta.meta);
    w.index->ops->close(w.index);
    loop_mem_release(&w.loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", w.dir);
    return system(command);
}

/* --- helpers -------------------------------------------------------------- */

static void
run(struct exchange_mem *x)
{
    struct serve_app *app = router_app(w.router);

    app->begin(app, &x->exchange);
    loop_mem_settle(&w.loop);
    assert_true(x->ended);
}

/* The JSON of the answer to METHOD PATH with BODY, which must have STATUS; NULL
 * of 204. */
static json_t *
ask(const char *method, const char *path, const char *body, int status)
{
    struct exchange_mem x;
    struct json_error e = {0};
    char text[2048];
    json_t *j;

    (void)snprintf(text, sizeof(text),
                   "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
                   method, path, body ? strlen(body) : 0, body ? body : "");
    exchange_mem_init(&x, &w.loop.loop, text);
    run(&x);
    if (x.status != status)
        fail_msg("%s %s: %d %s", method, path, x.status, buf_str(&x.body));
    j = json_read(buf_slice(&x.body), &e);
    if (!j && status != 204)
        fail_msg("%s %s: %s", method, path, e.text);
    exchange_mem_release(&x);
    return j;
}

static const char *
text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

static int64_t
int_of(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

/* --- elements ------------------------------------------------------------- */

static void
expect_list(const char *path, const char *want)
{
    json_t *j = ask("GET", path, NULL, 200), *e;
    char got[128] = "";
    size_t i, n = 0;

    json_array_foreach(json_object_get(j, "storage_elements"), i, e)
    {
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s", i ? " " : "",
                              text_of(e, "element_id"));
    }
    if (strcmp(got, want) != 0)
        fail_msg("%s: got \"%s\", want \"%s\"", path, got, want);
    json_decref(j);
}

static void
test_lists(void **state)
{
    (void)state;
    expect_list("/api/v1/storage-elements", "se-03 se-02 se-01");
#define AVAILABLE "/api/v1/internal/storage-elements/available"
    expect_list(AVAILABLE, "se-02 se-01");                    /* ADM-016 */
    expect_list("/internal/storage-elements", "se-02 se-01"); /* ADM-018 */
    expect_list(AVAILABLE "?mode=edit", "se-01");
    expect_list(AVAILABLE "?mode=rw&min_free_bytes=1900", "se-02");
    expect_list(AVAILABLE "?min_free_bytes=1901", "");
    w.element[1].cap.writable = false; /* its health forbids it */
    expect_list(AVAILABLE, "se-01");
    w.element[1].cap.writable = true;
    json_decref(ask("GET", AVAILABLE "?mode=ro", NULL, 400));
    json_decref(ask("GET", AVAILABLE "?mode=%zz", NULL, 400));
    json_decref(ask("GET", AVAILABLE "?min_free_bytes=1G", NULL, 400));
    json_decref(ask("GET", AVAILABLE "?mode=edit&mode=rw", NULL, 400));
}

static void
test_element(void **state)
{
    json_t *j;
    (void)state;

    (void)snprintf(w.element[0].cap.health, sizeof(w.element[0].cap.health),
                   "unhealthy: disk");
    j = ask("GET", "/api/v1/storage-elements/se-01", NULL, 200);
    assert_string_equal(text_of(j, "element_id"), "se-01");
    assert_string_equal(text_of(j, "api_url"), "http://127.0.0.1:8020");
    assert_string_equal(text_of(j, "endpoint"), "http://127.0.0.1:8020");
    assert_string_equal(text_of(j, "mode"), "edit");
    assert_string_equal(text_of(j, "location"), "dc1");
    assert_string_equal(text_of(j, "capacity_status"), "ok");
    assert_string_equal(text_of(j, "health_status"),
                        "unavailable"); /* CNF-016 */
    assert_string_equal(text_of(j, "health"), "unhealthy: disk");
    assert_string_equal(text_of(j, "last_updated"), "2023-11-14T22:13:20.123Z");
    assert_int_equal(int_of(j, "priority"), 100);
    assert_int_equal(int_of(j, "capacity_total"), 3000);
    assert_int_equal(int_of(j, "capacity_used"), 1000);
    assert_int_equal(int_of(j, "capacity_free"), 1900);
    assert_true(json_real_value(json_object_get(j, "capacity_percent")) >
                33.32);
    json_decref(j);
    (void)snprintf(w.element[0].cap.health, sizeof(w.element[0].cap.health),
                   "healthy");
    json_decref(ask("GET", "/api/v1/storage-elements/se%2D01", NULL, 200));
    json_decref(ask("GET", "/api/v1/storage-elements/se-99", NULL, 404));
    json_decref(ask("GET", "/api/v1/storage-elements/%00", NULL, 404));
    json_decref(ask("GET", "/api/v1/storage-elements/%2e%2e", NULL, 404));
}

static void
test_capacity(void **state)
{
    static const char *const path[] = {
        "/api/v1/internal/storage-elements/se-02/capacity", /* ADM-020 */
        "/api/v1/storage-elements/se-02/capacity",
    };
    (void)state;

    for (size_t i = 0; i < countof(path); i++) {
        json_t *j = ask("GET", path[i], NULL, 200);
        const json_t *in = json_object_get(j, "capacity");

        assert_string_equal(text_of(j, "storage_id"), "se-02");
        assert_string_equal(text_of(j, "mode"), "rw");
        assert_string_equal(text_of(j, "backend"), "local");
        assert_string_equal(text_of(j, "health"), "healthy");
        assert_int_equal(int_of(j, "total"), 3000);
        assert_int_equal(int_of(j, "available"), 1900);
        assert_int_equal(int_of(in, "used"), 1000); /* STO-018 */
        assert_int_equal(int_of(j, "boot"), 4);
        assert_int_equal(int_of(j, "seq"), 17);
        json_decref(j);
    }
    json_decref(ask("GET", "/api/v1/storage-elements/x/capacity", NULL, 404));
}

static void
test_change(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *error;
        const char *why;
    } row[] = {
        {"{}", 200, "", "nothing"},
        {"{\"mode\":\"edit\"}", 200, "", "stays"},
        {"{\"priority\":7}", 200, "", "priority alone"},
        {"{\"mode\":\"rw\",\"priority\":8}", 200, "", "forward"},
        {"{\"mode\":\"edit\"}", 409, "mode_goes_forward", "back (AMB-026)"},
        {"{\"mode\":\"RW\"}", 422, "invalid_element", "lower case"},
        {"{\"mode\":5}", 422, "invalid_element", "a number"},
        {"{\"priority\":-1}", 422, "invalid_element", "below 0"},
        {"{\"priority\":\"7\"}", 422, "invalid_element", "a text"},
        {"mode=ro", 400, "invalid_json", "a form"},
        {"", 400, "invalid_json", "no body"},
        {"{\"mode\":\"ro\"", 400, "invalid_json", "cut off"},
    };
    json_t *j;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        j = ask("PATCH", "/api/v1/storage-elements/se-01", row[i].body,
                row[i].status);
        if (strcmp(text_of(j, "error"), row[i].error) != 0)
            fail_msg("%s: %s", row[i].why, text_of(j, "error"));
        json_decref(j);
    }
    j = ask("GET", "/api/v1/storage-elements/se-01", NULL, 200);
    assert_string_equal(text_of(j, "mode"), "rw");
    assert_int_equal(int_of(j, "priority"), 8);
    json_decref(j);
    assert_int_equal(w.element[0].cap.mode, BLOB_RW); /* it was told */
    json_decref(ask("PATCH", "/api/v1/storage-elements/x", "{}", 404));
    w.meta.fail = (struct fail){.at = 1};
    json_decref(ask("PATCH", "/api/v1/storage-elements/se-01",
                    "{\"mode\":\"ro\"}", 500));
    w.meta.fail.at = 0;
    assert_int_equal(w.element[0].cap.mode, BLOB_RW);
}

/* --- tokens --------------------------------------------------------------- */

static void
test_token(void **state)
{
    static const struct {
        const char *path;
        const char *type;
        const char *body;
        int status;
        const char *error;
        const char *why;
    } row[] = {
        {"/api/v1/auth/token", "application/x-www-form-urlencoded",
         "grant_type=client_credentials&client_id=bot&client_secret=" SECRET,
         200, "", "a form"},
        {"/oauth/token", "application/json",
         "{\"grant_type\":\"client_credentials\",\"client_id\":\"bot\","
         "\"client_secret\":\"" SECRET "\",\"scope\":\"read\"}",
         200, "", "JSON, by an alias"},
        {"/api/auth/token", "application/x-www-form-urlencoded",
         "grant_type=client_credentials&client_id=bot&client_secret=wrong-one",
         401, "invalid_client", "a wrong secret"},
        {"/api/v1/auth/token", "application/x-www-form-urlencoded",
         "grant_type=client_credentials&client_id=nobody&client_secret=" SECRET,
         401, "invalid_client", "nobody: the same answer"},
        {"/api/v1/auth/token", "application/x-www-form-urlencoded",
         "grant_type=password&client_id=bot&client_secret=" SECRET, 400,
         "unsupported_grant_type", "another grant (ADM-025)"},
        {"/api/v1/auth/token", "application/x-www-form-urlencoded",
         "grant_type=client_credentials&client_id=bot&scope=admin"
         "&client_secret=" SECRET,
         400, "invalid_scope", "more than it may"},
        {"/api/v1/auth/token", "application/json", "", 400, "invalid_request",
         "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        for (int way = 0; way < 2; way++) {
            struct exchange_mem x;
            struct json_error e = {0};
            char text[1024];
            json_t *j;

            (void)snprintf(text, sizeof(text),
                           "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n"
                           "Content-Length: %zu\r\n\r\n%s",
                           row[i].path, row[i].type, strlen(row[i].body),
                           row[i].body);
            exchange_mem_init(&x, &w.loop.loop, text);
            x.no_peek = way == 1;
            run(&x);
            if (x.status != row[i].status)
                fail_msg("%s: %d %s", row[i].why, x.status, buf_str(&x.body));
            j = json_read(buf_slice(&x.body), &e);
            assert_string_equal(text_of(j, "error"), row[i].error);
            assert_int_equal(text_of(j, "access_token")[0] != 0,
                             x.status == 200);
            assert_non_null(
                strstr(buf_str(&x.headers), "Cache-Control: no-store"));
            json_decref(j);
            exchange_mem_release(&x);
        }
    }
}

static void
test_token_refused(void **state)
{
    static const char head[] = "POST /oauth/token HTTP/1.1\r\nHost: h\r\n";
    struct exchange_mem x;
    char text[9000];
    size_t n;
    (void)state;

    /* A length that is too large is refused without reading. */
    (void)snprintf(text, sizeof(text), "%sContent-Length: 5000\r\n\r\n", head);
    exchange_mem_init(&x, &w.loop.loop, text);
    run(&x);
    assert_int_equal(x.status, 413);
    exchange_mem_release(&x);

    /* One that shows only on reading. */
    n = (size_t)snprintf(text, sizeof(text),
                         "%sTransfer-Encoding: chunked\r\n\r\n", head);
    memset(text + n, 'a', 5000);
    text[n + 5000] = 0;
    exchange_mem_init(&x, &w.loop.loop, text);
    run(&x);
    assert_int_equal(x.status, 413);
    exchange_mem_release(&x);

    /* The client goes away. */
    (void)snprintf(text, sizeof(text), "%sContent-Length: 9\r\n\r\n", head);
    exchange_mem_init(&x, &w.loop.loop, text);
    x.no_peek = true;
    x.read_fail = -(int64_t)ERR_TIMEOUT;
    run(&x);
    assert_true(x.failed);
    exchange_mem_release(&x);

    /* It has no token, and no more time than that. */
    exchange_mem_init(&x, &w.loop.loop, text);
    x.silent = true;
    router_app(w.router)->begin(router_app(w.router), &x.exchange);
    loop_mem_advance(&w.loop, dur_ms(9999));
    assert_false(x.failed);
    loop_mem_advance(&w.loop, dur_ms(1));
    assert_true(x.failed);
    exchange_mem_release(&x);

    /* The database is away: 500, and not "wrong secret". */
    w.meta.fail = (struct fail){.at = 1};
    json_decref(ask("POST", "/oauth/token",
                    "grant_type=client_credentials&client_id=bot&client_secret="
                    "x",
                    500));
    w.meta.fail.at = 0;
}

static bool
see_audit(void *arg, const struct meta_audit *a)
{
    unsigned *seen = arg;

    if (strcmp(a->action, "token.issue") == 0 && strcmp(a->actor, "bot") == 0 &&
        strcmp(a->result, "issued") == 0)
        *seen |= 1;
    if (strcmp(a->action, "token.issue") == 0 &&
        strcmp(a->result, "invalid_client") == 0)
        *seen |= 2;
    if (strcmp(a->action, "element.change") == 0 &&
        strcmp(a->object, "se-01") == 0 && strcmp(a->result, "rw") == 0 &&
        strcmp(a->request_id, "req-1") == 0)
        *seen |= 4;
    return true;
}

static void
test_jwks_and_audit(void **state)
{
    const struct meta_audit_query all = {.limit = META_AUDIT_PAGE};
    struct fault f = {0};
    unsigned seen = 0;
    uint64_t next;
    json_t *j = ask("GET", "/.well-known/jwks.json", NULL, 200);
    (void)state;

    assert_int_equal(json_array_size(json_object_get(j, "keys")), 1);
    assert_null(json_object_get(json_array_get(json_object_get(j, "keys"), 0),
                                "d")); /* no private half */
    json_decref(j);
    json_decref(ask("GET", "/api/v1/auth/jwks", NULL, 200));

    ok(admin_audit_flush(w.admin, &f), &f);
    ok(w.meta.inner->ops->audit_list(w.meta.inner, &all, see_audit, &seen,
                                     &next, &f),
       &f);
    assert_int_equal(seen, 7);
}

/* ---- audit (ADM-037) ---- */

#define ID1 "01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"
#define ID2 "01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5f"
#define ENTRY(id, action)                                             \
    "{\"id\":\"" id "\",\"at\":\"2023-11-14T22:13:20.5Z\",\"actor\":" \
    "\"alice\",\"action\":\"" action "\",\"result\":\"ok\","          \
    "\"object\":\"f1\",\"element_id\":\"se-01\"}"
#define TAKE(entries) "{\"entries\":[" entries "]}"

static void
test_audit_take(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *why;
    } row[] = {
        {TAKE(ENTRY(ID1, "file.delete")), 204, "an entry"},
        {TAKE(ENTRY(ID1, "file.delete") "," ENTRY(ID2, "file.hold")), 204,
         "the one again, and another"},
        {"{", 400, "no JSON"},
        {"{}", 400, "nothing in it"},
        {TAKE(""), 400, "no entry"},
        {TAKE("7"), 400, "not an object"},
        {TAKE(ENTRY("x", "file.delete")), 400, "no UUID"},
        {TAKE(ENTRY("00000000-0000-0000-0000-000000000000", "file.x")), 400,
         "the nil UUID would be there any number of times"},
        {TAKE(ENTRY(ID1, "account.create")), 400, "Admin's to say"},
        {TAKE(ENTRY(ID1, "token.issue")), 400, "the same"},
        {TAKE(ENTRY(ID1, "File")), 400, "not a word of ours"},
        {TAKE(ENTRY(ID1, "file.")), 400, "ends with a dot"},
        {TAKE(ENTRY(ID1, "file.a123456789012345678901234567")), 400,
         "longer than the field"},
        {TAKE("{\"id\":\"" ID1 "\",\"at\":\"9000-01-01T00:00:00Z\","
              "\"actor\":\"a\",\"action\":\"b\",\"result\":\"c\"}"),
         400, "has not been yet"},
    };
    json_t *j, *list, *e;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        print_message("%s\n", row[i].why);
        json_decref(
            ask("POST", "/api/v1/internal/audit", row[i].body, row[i].status));
    }
    j = ask("GET", "/api/v1/audit?action=file.hold", NULL, 200);
    list = json_object_get(j, "entries");
    assert_int_equal(json_array_size(list), 1);
    e = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(e, "actor")),
                        "alice");
    assert_string_equal(json_string_value(json_object_get(e, "id")), ID2);
    assert_string_equal(json_string_value(json_object_get(e, "at")),
                        "2023-11-14T22:13:20.500Z");
    assert_string_equal(json_string_value(json_object_get(e, "element_id")),
                        "se-01");
    json_decref(j);
    j = ask("GET", "/api/v1/audit?action=file.delete", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(j, "entries")), 1);
    json_decref(j);
}

static void
test_audit_list(void **state)
{
    static const char *const bad[] = {"limit=0",     "limit=201", "cursor=0",
                                      "cursor=-1",   "order=up",  "since=soon",
                                      "colour=blue", "%",         "actor=%00"};
    char path[80];
    json_t *j, *next;
    size_t seen = 0;
    json_int_t n;
    (void)state;

    for (size_t i = 0; i < countof(bad); i++) {
        (void)snprintf(path, sizeof(path), "/api/v1/audit?%s", bad[i]);
        json_decref(ask("GET", path, NULL, 400));
    }
    (void)snprintf(path, sizeof(path), "/api/v1/audit?limit=1&order=asc");
    for (;;) {
        j = ask("GET", path, NULL, 200);
        seen += json_array_size(json_object_get(j, "entries"));
        n = json_integer_value(
            json_object_get(json_object_get(j, "head"), "n"));
        next = json_object_get(j, "next_cursor");
        if (!json_is_string(next))
            break;
        (void)snprintf(path, sizeof(path),
                       "/api/v1/audit?limit=1&order=asc&cursor=%s",
                       json_string_value(next));
        json_decref(j);
    }
    json_decref(j);
    assert_true(seen >= 2);
    assert_int_equal(seen, n);
    w.meta.fail = (struct fail){.at = 1};
    json_decref(ask("GET", "/api/v1/audit", NULL, 500));
    w.meta.fail.at = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_element),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_token_refused),
        cmocka_unit_test(test_jwks_and_audit),
        cmocka_unit_test(test_audit_take),
        cmocka_unit_test(test_audit_list),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
