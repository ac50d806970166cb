/* s3_test.c - the S3 driver against a real server: radosgw, which
 * test/s3/radosgw.py starts around this program. Without S3_ENDPOINT nothing is
 * tested, and it says so. SPDX-License-Identifier: Apache-2.0 */
#include "io/s3.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))
#define PART          (5 * MIB)

static struct s3_conf conf;

static struct objects *
open_s3(const struct s3_conf *c)
{
    struct objects *o;
    struct fault f;

    if (s3_open(&o, c, &f) != ERR_OK)
        fail_msg("%s", f.what);
    return o;
}

static struct object_req *
request(enum object_op op, const char *key)
{
    struct object_req *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->op = op;
    snprintf(r->key, sizeof(r->key), "%s", key);
    return r;
}

static enum err
end(struct object_req *r)
{
    enum err e = r->err;

    free(r);
    return e;
}

static enum err
call(struct objects *o, struct object_req *r)
{
    char text[FAULT_TEXT];

    (void)objects_call(o, r);
    if (r->err != ERR_OK)
        print_message("%s\n", fault_text(&r->fault, text, sizeof(text)));
    return r->err;
}

static enum err
put(struct objects *o, const char *key, const char *body)
{
    struct object_req *r = request(OBJECT_PUT, key);
    struct slice s = slice_str(body);

    r->body = &s;
    r->n_body = 1;
    (void)call(o, r);
    return end(r);
}

static enum err
get(struct objects *o, const char *key, uint64_t off, size_t n, char *into,
    uint64_t *size)
{
    struct object_req *r = request(OBJECT_GET, key);

    r->into = into;
    r->off = off;
    r->n = n;
    if (call(o, r) == ERR_OK) {
        into[r->n] = '\0';
        *size = r->size;
    }
    return end(r);
}

static enum err
del(struct objects *o, const char *key)
{
    struct object_req *r = request(OBJECT_DELETE, key);

    (void)call(o, r);
    return end(r);
}

static void
test_objects(void **state)
{
    static const char *const names[] = {
        "plain",           "a/b/c",       "blank and+plus",
        "per%cent&amp;?#", "../dots/./x", "\xc3\xa4\xe2\x82\xac",
        "(par)en'th!*",
    };
    struct objects *o = open_s3(&conf);
    char text[100];
    uint64_t size;
    (void)state;

    for (unsigned i = 0; i < countof(names); i++) {
        OK(put(o, names[i], names[i]));
        OK(get(o, names[i], 0, 50, text, &size));
        assert_string_equal(text, names[i]);
        assert_int_equal(size, strlen(names[i]));
    }
    OK(put(o, "plain", "0123456789"));
    OK(get(o, "plain", 3, 4, text, &size));
    assert_string_equal(text, "3456");
    assert_int_equal(size, 10);
    OK(get(o, "plain", 8, 50, text, &size));
    assert_string_equal(text, "89");
    IS(ERR_NOENT, get(o, "nothing", 0, 4, text, &size));
    for (unsigned i = 0; i < countof(names); i++)
        OK(del(o, names[i]));
    IS(ERR_NOENT, get(o, "plain", 0, 4, text, &size));
    OK(del(o, "plain")); /* again */
    OK(put(o, "empty", ""));
    struct object_req *r = request(OBJECT_HEAD, "empty");
    OK(call(o, r));
    assert_int_equal(r->size, 0);
    (void)end(r);
    OK(del(o, "empty"));
    o->ops->close(o);
}

static unsigned
list(struct objects *o, const char *prefix, unsigned page, char *text)
{
    struct object_req *r = request(OBJECT_LIST, prefix);
    unsigned n = 0;

    r->rows = calloc(page, sizeof(*r->rows));
    r->max = page;
    text[0] = '\0';
    do {
        OK(call(o, r));
        for (unsigned i = 0; i < r->n_rows; i++, n++)
            strcat(strcat(text, r->rows[i].key), " ");
        if (r->n_rows)
            memcpy(r->after, r->rows[r->n_rows - 1].key, sizeof(r->after));
    } while (r->more);
    free(r->rows);
    (void)end(r);
    return n;
}

static void
test_list(void **state)
{
    struct s3_conf c = conf;
    struct objects *o, *all = open_s3(&conf);
    char name[16], text[600];
    (void)state;

    c.prefix = "under/here/";
    o = open_s3(&c);
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof(name), "l/%02d", i);
        OK(put(o, name, "x"));
    }
    OK(put(o, "other", "x"));
    assert_int_equal(list(o, "l/", 7, text), 25);
    assert_true(strncmp(text, "l/00 l/01 l/02 ", 15) == 0);
    assert_int_equal(list(o, "l/1", 1000, text), 10);
    assert_int_equal(list(o, "", 1000, text), 26);
    assert_int_equal(list(o, "none", 10, text), 0);
    assert_int_equal(list(all, "under/here/l/0", 10, text), 10);
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof(name), "l/%02d", i);
        OK(del(o, name));
    }
    OK(del(o, "other"));
    o->ops->close(o);
    all->ops->close(all);
}

static unsigned
uploads(struct objects *o, struct object_entry *rows, unsigned max)
{
    struct object_req *r = request(OBJECT_UPLOADS, "");
    unsigned n;

    r->rows = rows;
    r->max = max;
    OK(call(o, r));
    n = r->n_rows;
    (void)end(r);
    return n;
}

static void
test_parts(void **state)
{
    struct objects *o = open_s3(&conf);
    struct object_req *r = request(OBJECT_BEGIN, "big one");
    struct object_part parts[3];
    struct object_entry rows[10];
    char *piece = malloc(PART), id[OBJECT_ID_MAX + 1], text[16];
    uint64_t size;
    (void)state;

    OK(call(o, r));
    memcpy(id, r->upload_id, sizeof(id));
    assert_true(id[0]);
    (void)end(r);
    assert_int_equal(uploads(o, rows, 10), 1);
    assert_string_equal(rows[0].key, "big one");
    assert_string_equal(rows[0].upload_id, id);
    for (unsigned i = 3; i-- > 0;) { /* in any order */
        struct slice body[2] = {{piece, PART / 2}, {piece, PART / 2}};

        memset(piece, 'a' + (int)i, PART);
        if (i == 2) {
            body[0].n = 7;
            body[1].n = 0;
        }
        r = request(OBJECT_PART, "big one");
        memcpy(r->upload_id, id, sizeof(id));
        r->part = i + 1;
        r->body = body;
        r->n_body = 2;
        OK(call(o, r));
        memcpy(parts[i].etag, r->etag, sizeof(parts[i].etag));
        (void)end(r);
    }
    IS(ERR_NOENT, get(o, "big one", 0, 4, text, &size));
    r = request(OBJECT_COMPLETE, "big one");
    memcpy(r->upload_id, id, sizeof(id));
    r->parts = parts;
    r->n_parts = 3;
    OK(call(o, r));
    (void)end(r);
    OK(get(o, "big one", PART - 2, 4, text, &size));
    assert_string_equal(text, "aabb");
    assert_int_equal(size, 2 * PART + 7);
    assert_int_equal(uploads(o, rows, 10), 0);
    OK(del(o, "big one"));

    r = request(OBJECT_BEGIN, "given up");
    OK(call(o, r));
    r->op = OBJECT_GIVE_UP;
    OK(call(o, r));
    IS(ERR_NOENT, call(o, r)); /* again */
    (void)end(r);
    assert_int_equal(uploads(o, rows, 10), 0);
    free(piece);
    o->ops->close(o);
}

/* What is refused is told with what to do, and without the secret. */
static void
test_refused(void **state)
{
    static const struct {
        const char *secret, *access, *bucket;
        enum err err;
        const char *hint, *why;
    } row[] = {
        {"wr0ng-s3cret", NULL, NULL, ERR_DENIED, "S3_SECRET_KEY", "secret"},
        {NULL, "NOBODY", NULL, ERR_DENIED, "S3_ACCESS_KEY", "access key"},
        {NULL, NULL, "no-such-bucket", ERR_NOENT, "S3_BUCKET", "bucket"},
    };
    (void)state;

    for (unsigned i = 0; i < countof(row); i++) {
        struct s3_conf c = conf;
        struct objects *o;
        struct object_req *r = request(OBJECT_PUT, "k");
        char text[FAULT_TEXT];
        struct slice body = SLICE("x");

        c.keys.secret_key = row[i].secret ? row[i].secret : c.keys.secret_key;
        c.keys.access_key = row[i].access ? row[i].access : c.keys.access_key;
        c.bucket = row[i].bucket ? row[i].bucket : c.bucket;
        o = open_s3(&c);
        r->body = &body;
        r->n_body = 1;
        (void)objects_call(o, r);
        fault_text(&r->fault, text, sizeof(text));
        if (r->err != row[i].err || !strstr(text, row[i].hint) ||
            strstr(text, c.keys.secret_key))
            fail_msg("%s: %s", row[i].why, text);
        (void)end(r);
        o->ops->close(o);
    }
}

/* A session token is part of what is signed: radosgw does not know this one,
 * and says so of the token and not of the signature. */
static void
test_token(void **state)
{
    struct s3_conf c = conf;
    struct objects *o;
    struct object_req *r = request(OBJECT_HEAD, "k");
    char text[FAULT_TEXT];
    (void)state;

    c.keys.session_token = "FwoGZXIvYXdzEJr//tokensecret";
    o = open_s3(&c);
    assert_int_not_equal(objects_call(o, r), ERR_OK);
    assert_null(
        strstr(fault_text(&r->fault, text, sizeof(text)), "tokensecret"));
    (void)end(r);
    o->ops->close(o);
}

/* Keys that were changed; and too long ones, which change nothing. */
static void
test_new_keys(void **state)
{
    struct s3_keys bad = {.access_key = "NOBODY", .secret_key = "x"};
    char longer[400];
    struct s3_keys never = {.access_key = longer};
    struct objects *o = open_s3(&conf);
    (void)state;

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    OK(put(o, "keys", "1"));
    assert_true(s3_set_keys(o, &bad));
    IS(ERR_DENIED, put(o, "keys", "2"));
    assert_false(s3_set_keys(o, &never));
    IS(ERR_DENIED, put(o, "keys", "2"));
    assert_true(s3_set_keys(o, &bad)); /* never used */
    assert_true(s3_set_keys(o, &conf.keys));
    OK(put(o, "keys", "3"));
    OK(del(o, "keys"));
    o->ops->close(o);
}

static void
test_virtual_host(void **state)
{
    struct s3_conf c = conf;
    const char *port = strrchr(conf.endpoint, ':');
    char endpoint[100], text[16];
    struct objects *o;
    uint64_t size;
    (void)state;

    snprintf(endpoint, sizeof(endpoint), "http://s3.localhost%s", port);
    c.endpoint = endpoint;
    c.path_style = false;
    o = open_s3(&c);
    OK(put(o, "v h", "virtual"));
    OK(get(o, "v h", 0, 15, text, &size));
    assert_string_equal(text, "virtual");
    OK(del(o, "v h"));
    o->ops->close(o);
}

/* Nobody listens: tried again, then told. */
static void
test_nobody(void **state)
{
    struct s3_conf c = conf;
    struct objects *o;
    struct s3_stats st;
    (void)state;

    c.endpoint = "http://127.0.0.1:1";
    c.retries = 2;
    o = open_s3(&c);
    IS(ERR_IO, put(o, "k", "x"));
    s3_stats(o, &st);
    assert_int_equal(st.requests, 3);
    assert_int_equal(st.retries, 2);
    assert_int_equal(st.failed, 1);
    o->ops->close(o);
}

static void
test_endpoints(void **state)
{
    static const char *const bad[] = {"",
                                      "host",
                                      "ftp://host",
                                      "http://",
                                      "http://user@host",
                                      "http://h/p?q"};
    (void)state;

    for (unsigned i = 0; i < countof(bad); i++) {
        struct s3_conf c = conf;
        struct objects *o;
        struct fault f;

        c.endpoint = bad[i];
        IS(ERR_INVAL, s3_open(&o, &c, &f));
        assert_null(o);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),      cmocka_unit_test(test_list),
        cmocka_unit_test(test_parts),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_token),        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_virtual_host), cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_endpoints),
    };

    conf = (struct s3_conf){.endpoint = getenv("S3_ENDPOINT"),
                            .bucket = getenv("S3_BUCKET"),
                            .keys = {.access_key = getenv("S3_ACCESS_KEY"),
                                     .secret_key = getenv("S3_SECRET_KEY")},
                            .path_style = true,
                            .retries = S3_RETRIES};
    if (!conf.endpoint) {
        puts("skipped: no S3_ENDPOINT (run through test/s3/radosgw.py)");
        return 77;
    }
    return cmocka_run_group_tests_name("s3", tests, NULL, NULL);
}
