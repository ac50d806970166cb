/* coord_redis_tls_test.c - a real Redis and a real Sentinel over TLS (PRD-186,
 * PRD-231, ALR-343), and what is said when it cannot be. The argument is the
 * loop. SPDX-License-Identifier: Apache-2.0 */
#include "io/free_port.h"
#include "io/redis_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *kind = "epoll";
static struct redis_world w;
static struct redis_proc redis, sentinel;
static uint16_t tls_port, sentinel_port; /* the plain ones are the test's */
static char dir[64];
static struct coord *coord;

/* ---- certificates ---- */

static const char *
path(const char *name)
{
    static char text[8][96];
    static unsigned next;
    char *p = text[next++ % 8];

    (void)snprintf(p, sizeof(text[0]), "%s/%s", dir, name);
    return p;
}

/* Two authorities. "redis" is signed by the first for two names and no address,
 * "client" too. */
static void
make_certificates(void)
{
    static const char script[] =
        "cd '%s' && exec 2> openssl.log\n"
        "ca() {\n"
        "  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
        " -nodes -keyout $1.key -out $1.pem -days 2 -subj /CN=$1\n"
        "}\n"
        "signed() {\n"
        "  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        " -keyout $1.key -out $1.csr -subj /CN=$1 &&\n"
        "  printf 'subjectAltName=%%s\\n' $2 > $1.ext &&\n"
        "  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key"
        " -CAcreateserial -days 2 -extfile $1.ext -out $1.pem\n"
        "}\n"
        "ca ca && ca other && signed redis DNS:localhost,DNS:redis.test &&"
        " signed client DNS:client.test\n";
    char command[sizeof(script) + sizeof(dir)];

    (void)snprintf(dir, sizeof(dir), "/tmp/artstore-redis-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(command, sizeof(command), script, dir);
    assert_int_equal(system(command), 0);
}

/* What both kinds of server are told; clients must show a certificate, as by
 * default. */
static const char *
tls_lines(uint16_t port)
{
    static char conf[600];

    (void)snprintf(conf, sizeof(conf),
                   "tls-port %u\ntls-cert-file %s\ntls-key-file %s\n"
                   "tls-ca-cert-file %s\ntls-replication yes\n",
                   port, path("redis.pem"), path("redis.key"), path("ca.pem"));
    return conf;
}

static int
start(void **state)
{
    char conf[800];
    (void)state;

    make_certificates();
    tls_port = free_port();
    redis_start(&redis, tls_lines(tls_port));
    sentinel_port = free_port();
    (void)snprintf(conf, sizeof(conf),
                   "%ssentinel monitor artstore 127.0.0.1 %u 1\n",
                   tls_lines(sentinel_port), tls_port);
    sentinel.sentinel = true;
    redis_start(&sentinel, conf);
    return 0;
}

static int
stop(void **state)
{
    char command[96];
    (void)state;

    redis_remove(&sentinel);
    redis_remove(&redis);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    redis_world_open(&w, kind);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (coord)
        redis_world_drop(&w, coord);
    coord = NULL;
    redis_world_close(&w);
    return 0;
}

/* The right options; patience, since two processors make keys and hands are
 * shaken beside other tests. */
static struct coord_redis_conf
right(void)
{
    return (struct coord_redis_conf){.tls = true,
                                     .tls_ca_file = path("ca.pem"),
                                     .tls_cert_file = path("client.pem"),
                                     .tls_key_file = path("client.key"),
                                     .tls_name = "redis.test",
                                     .connect_timeout = dur_s(20),
                                     .timeout = dur_s(20)};
}

/* To PORT of this machine. */
static void
open_coord(struct coord_redis_conf c, uint16_t port)
{
    struct redis_proc at = {.port = port};

    coord = redis_world_coord(&w, &at, c);
}

static enum err
op(struct coord_request *r)
{
    return redis_world_do(&w, coord, r);
}

/* ---- it works ---- */

static void
lease(void)
{
    struct coord_request l = {
        .op = COORD_LEASE_TAKE, .key = "lock", .owner = "a", .ttl = dur_s(30)};

    redis_do(&redis, "DEL lock");
    assert_int_equal(op(&l), ERR_OK);
    assert_true(l.epoch > 0);
}

/* Answers of many records, and requests that leave in one piece. */
static void
test_works(void **state)
{
    enum { N = 10000 };
    static struct coord_pair pairs[N + 1];
    struct buf b;
    struct coord_request r = {.op = COORD_ZSET_RANGE,
                              .key = "capacity:rw:available",
                              .pairs = pairs,
                              .cap = N + 1,
                              .out = &b};
    (void)state;

    open_coord(right(), tls_port);
    lease();
    buf_init(&b, MIB);
    redis_do(&redis, "EVAL %s 1 capacity:rw:available",
             "for i = 1, 10000 do redis.call('ZADD', KEYS[1], i, 'se-' .. i) "
             "end");
    assert_int_equal(op(&r), ERR_OK);
    assert_int_equal(r.n, N);
    assert_true(slice_eq(pairs[N - 1].name, SLICE("se-10000")));
    buf_release(&b);
}

static bool
connected(void *arg)
{
    struct coord_redis_stats s;

    coord_redis_stats(coord, &s);
    return s.connected && s.connects >= *(uint64_t *)arg;
}

/* A connection that ends is made anew, with a handshake of its own. */
static void
test_again(void **state)
{
    struct coord_redis_conf c = right();
    uint64_t once = 1, twice = 2;
    (void)state;

    c.retry_min = c.retry_max = dur_ms(50);
    open_coord(c, tls_port);
    assert_true(redis_world_until(&w, connected, &once, 20000));
    redis_do(&redis, "CLIENT KILL TYPE normal SKIPME yes");
    assert_true(redis_world_until(&w, connected, &twice, 20000));
    lease();
}

static bool
subscribed(void *arg)
{
    struct coord_redis_stats s;

    (void)arg;
    coord_redis_stats(coord, &s);
    return s.subscribed;
}

static size_t heard;

static void
message(struct coord_sub *s, struct slice msg)
{
    (void)s;
    heard = msg.n;
}

static bool
was_heard(void *arg)
{
    (void)arg;
    return heard > 0;
}

/* The connection for channels too; a message of several records. */
static void
test_channel(void **state)
{
    struct coord_sub s = {
        .loop = &w.loop->loop, .channel = "ch", .message = message};
    (void)state;

    open_coord(right(), tls_port);
    assert_int_equal(coord_subscribe(coord, &s), ERR_OK);
    assert_true(redis_world_until(&w, subscribed, NULL, 20000));
    redis_do(&redis, "EVAL %s 0",
             "return redis.call('PUBLISH', 'ch', string.rep('x', 65000))");
    assert_true(redis_world_until(&w, was_heard, NULL, 20000));
    assert_int_equal(heard, 65000);
    coord_unsubscribe(coord, &s);
}

/* Sentinels speak TLS too; and the address that they tell is one. */
static void
test_sentinel(void **state)
{
    struct coord_redis_conf c = right();
    char at[32];
    (void)state;

    (void)snprintf(at, sizeof(at), "127.0.0.1:%u", sentinel_port);
    c.sentinels = at;
    c.master = "artstore";
    open_coord(c, 0);
    lease();
}

/* ---- it does not ---- */

static bool
has_failed(void *arg)
{
    (void)arg;
    return w.events[COORD_REDIS_FAILED] > 0;
}

/* Each names the option that puts it right. */
static void
test_told(void **state)
{
    const struct {
        const char *ca, *cert, *name;
        bool tls, plain_port;
        const char *says[2];
        const char *why;
    } row[] = {
        {"other.pem",
         "client",
         "redis.test",
         true,
         false,
         {"certificate", "REDIS_TLS_CA_FILE"},
         "nobody vouches for it"},
        {"ca.pem",
         "client",
         "",
         true,
         false,
         {"address mismatch", "REDIS_TLS_SERVER_NAME"},
         "called by an address that the certificate lacks"},
        {"ca.pem",
         "client",
         "redis.example",
         true,
         false,
         {"ostname mismatch", "REDIS_TLS_SERVER_NAME"},
         "another name"},
        {"ca.pem",
         NULL,
         "redis.test",
         true,
         false,
         {"certificate required", "REDIS_TLS_CERT_FILE"},
         "who are we?"},
        {"ca.pem",
         "other",
         "redis.test",
         true,
         false,
         {"unknown ca", "REDIS_TLS_CERT_FILE"},
         "a certificate of ours that Redis does not trust"},
        {"ca.pem",
         "client",
         "redis.test",
         true,
         true,
         {"does Redis speak TLS on that port", "REDIS_TLS"},
         "a plain port, which waits for the end of the line"},
        {"",
         NULL,
         "",
         false,
         false,
         {"does it speak TLS there", "REDIS_TLS"},
         "plain words to TLS"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct coord_redis_conf c = right();
        char cert[32], key[32], text[FAULT_TEXT];

        c.tls = row[i].tls;
        if (row[i].plain_port)
            c.connect_timeout = dur_s(2);
        c.tls_name = row[i].name;
        c.tls_ca_file = row[i].ca[0] ? path(row[i].ca) : NULL;
        c.tls_cert_file = c.tls_key_file = NULL;
        if (row[i].cert) {
            (void)snprintf(cert, sizeof(cert), "%s.pem", row[i].cert);
            (void)snprintf(key, sizeof(key), "%s.key", row[i].cert);
            c.tls_cert_file = path(cert);
            c.tls_key_file = path(key);
        }
        open_coord(c, row[i].plain_port ? redis.port : tls_port);
        if (!redis_world_until(&w, has_failed, NULL, 30000))
            fail_msg("%s: nothing is told", row[i].why);
        (void)fault_text(&w.last, text, sizeof(text));
        for (size_t k = 0; k < countof(row[i].says); k++)
            if (!strstr(text, row[i].says[k]))
                fail_msg("%s: %s", row[i].why, text);
        redis_world_drop(&w, coord);
        coord = NULL;
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_channel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sentinel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told, set_up, tear_down),
    };

    redis_required();
    if (argc > 1)
        kind = argv[1];
    return cmocka_run_group_tests(tests, start, stop);
}
