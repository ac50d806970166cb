/* load_test.c - the four sources and what covers what. CNF-007, D40, ING-274,
 * PRD-189. SPDX-License-Identifier: Apache-2.0 */
#include "conf/test_world.h"

/* Each row sets APP_PORT somewhere and says which value must hold. */
static void
test_precedence(void **state)
{
    static const struct {
        enum conf_role role;
        const char *args;
        const char *env;
        const char *file;
        int port;
        enum conf_layer layer;
        const char *why;
    } row[] = {
        {CONF_SERVER, NULL, NULL, NULL, 8020, CONF_BY_DEFAULT, "default"},
        {CONF_STORAGE, NULL, NULL, NULL, 8010, CONF_BY_DEFAULT,
         "a role's own (D02)"},
        {CONF_ADMIN, NULL, NULL, NULL, 8000, CONF_BY_DEFAULT, "a role's own"},
        {CONF_ALERTS, NULL, NULL, NULL, 8001, CONF_BY_DEFAULT, "ALR-003"},
        {CONF_SERVER, "--config f", NULL, "APP_PORT=1", 1, CONF_BY_FILE,
         "file over default"},
        {CONF_SERVER, NULL, "ARTSTORE_CONFIG=f", "APP_PORT=1", 1, CONF_BY_FILE,
         "the file may be named in the environment"},
        {CONF_SERVER, "--config f", "APP_PORT=2", "APP_PORT=1", 2, CONF_BY_ENV,
         "environment over file"},
        {CONF_SERVER, "--config f --app-port 3", "APP_PORT=2", "APP_PORT=1", 3,
         CONF_BY_ARGV, "command line over all"},
        {CONF_SERVER, "--app-port=3 --config=f", "APP_PORT=2", "APP_PORT=1", 3,
         CONF_BY_ARGV, "whatever the order"},
        {CONF_SERVER, "--app-port 3 --app-port 4", NULL, NULL, 4, CONF_BY_ARGV,
         "the later one, as wrappers append"},
        {CONF_SERVER, NULL, "ARTSTORE_APP_PORT=5\nAPP_PORT=2", NULL, 5,
         CONF_BY_ENV, "the unmistakable name goes first"},
        {CONF_SERVER, NULL, "APP_PORT=2\nARTSTORE_APP_PORT=5", NULL, 5,
         CONF_BY_ENV, "in either order"},
        {CONF_STORAGE, NULL,
         "STORAGE_APP_PORT=6\nARTSTORE_APP_PORT=5\nAPP_PORT=2", NULL, 6,
         CONF_BY_ENV, "the role's own name before that (D40)"},
        {CONF_STORAGE, NULL, "ARTSTORE_STORAGE_APP_PORT=7\nSTORAGE_APP_PORT=6",
         NULL, 7, CONF_BY_ENV, "both"},
        {CONF_STORAGE, "--config f", "APP_PORT=2", "STORAGE_APP_PORT=6", 2,
         CONF_BY_ENV, "a better source goes before a better name"},
        {CONF_STORAGE, "--config f", NULL, "STORAGE_APP_PORT=6\nAPP_PORT=2", 6,
         CONF_BY_FILE, "names in files work alike"},
        {CONF_ADMIN, NULL, "STORAGE_APP_PORT=6", NULL, 8000, CONF_BY_DEFAULT,
         "another role's"},
        {CONF_SERVER, NULL, "STORAGE_APP_PORT=6\nAPP_PORT=2", NULL, 2,
         CONF_BY_ENV, "the server reads one port (D40)"},
        {CONF_ALERTS, NULL, "ALERTS_PORT=9", NULL, 9, CONF_BY_ENV,
         "the name of ALR-003"},
        {CONF_STORAGE, "--storage-app-port 6", NULL, NULL, 6, CONF_BY_ARGV,
         "the long name as an option"},
        {CONF_SERVER, NULL, "APP_PORT=", NULL, 8020, CONF_BY_DEFAULT,
         "empty: not given"},
        {CONF_SERVER, "--config f", "APP_PORT=", "APP_PORT=1", 1, CONF_BY_FILE,
         "empty covers nothing"},
        {CONF_SERVER, NULL, "APP_PORT=tcp://10.0.0.1:80", NULL, 8020,
         CONF_BY_DEFAULT, "a service link (D40)"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_report rep;
        struct conf c;

        load(WORLD(row[i]), &c, &rep);
        print_report(&rep);
        if (rep.errors > 0 || c.app_port != row[i].port ||
            c.source[CONF_APP_PORT].layer != row[i].layer)
            fail_msg("%s: %lld", row[i].why, (long long)c.app_port);
        release(&c, &rep);
    }
}

static void
test_command_line(void **state)
{
    struct conf_report rep;
    struct conf c;
    (void)state;

    load((struct world){CONF_SERVER,
                        "--no-auth-enabled --app-debug --verify-reads off "
                        "--prometheus-metrics-enabled=NO --data-dir /d "
                        "--listen :1 --listen [::1]:2 --print-config",
                        NULL, NULL},
         &c, &rep);
    print_report(&rep);
    assert_int_equal(rep.errors, 0);
    assert_false(c.auth_enabled);
    assert_true(c.app_debug);
    assert_int_equal(c.log_level, CONF_LOG_DEBUG); /* what APP_DEBUG means */
    assert_false(c.verify_reads);
    assert_false(c.prometheus_metrics_enabled);
    assert_string_equal(c.data_dir, "/d");
    assert_string_equal(c.listen, ":1,[::1]:2"); /* a list grows */
    assert_true(rep.print_config);
    assert_false(rep.help);
    release(&c, &rep);

    load((struct world){CONF_SERVER, "--app-debug -h", "LOG_LEVEL=ERROR", NULL},
         &c, &rep);
    assert_true(rep.help);
    assert_int_equal(c.log_level, CONF_LOG_ERROR); /* a given level stays */
    release(&c, &rep);

    load((struct world){CONF_SERVER, "--listen :1 --listen= --listen :2", NULL,
                        NULL},
         &c, &rep);
    assert_int_equal(rep.errors, 0);
    assert_string_equal(c.listen, ":2"); /* an empty one starts it anew */
    release(&c, &rep);
}

/* The variables that installations of the specification's source have in their
 * .env, with its comments (ING-205 ... ING-271): the start goes on, every value
 * is what it was there. */
static void
test_known_env(void **state)
{
    static const char env[] = "# ==== Application Settings ====\n"
                              "APP_NAME=artstore-ingester\n"
                              "APP_VERSION=0.1.0\n"
                              "APP_DEBUG=off\n"
                              "APP_HOST=0.0.0.0\n"
                              "APP_PORT=8020\n"
                              "\n"
                              "AUTH_ENABLED=on\n"
                              "AUTH_PUBLIC_KEY_PATH=/app/keys/public_key.pem\n"
                              "AUTH_ALGORITHM=RS256\n"
                              "AUTH_ADMIN_MODULE_URL=http://admin-module:8000"
                              "  # also the fallback\n"
                              "STORAGE_ELEMENT_TIMEOUT=30\n"
                              "STORAGE_ELEMENT_MAX_RETRIES=3\n"
                              "STORAGE_ELEMENT_CONNECTION_POOL_SIZE=100\n"
                              "REDIS_HOST=redis\n"
                              "REDIS_PORT=6379\n"
                              "REDIS_DB=0\n"
                              "REDIS_PASSWORD=\n"
                              "REDIS_MAX_CONNECTIONS=50\n"
                              "COMPRESSION_ENABLED=on\n"
                              "COMPRESSION_ALGORITHM=gzip  # gzip or brotli\n"
                              "COMPRESSION_LEVEL=6  # 1-9 for gzip\n"
                              "COMPRESSION_MIN_SIZE=1024  # bytes\n"
                              "LOG_LEVEL=INFO\n"
                              "LOG_FORMAT=json  # or text\n"
                              "MAX_FILE_SIZE_MB=1024  # 1GB\n"
                              "MAX_BATCH_FILES=100\n"
                              "MAX_BATCH_SIZE_MB=1024\n"
                              "CHUNK_SIZE_MB=10\n"
                              "RESUMABLE_UPLOADS_ENABLED=true\n"
                              "UPLOAD_SESSION_TTL_HOURS=2\n"
                              "UPLOAD_SESSION_CLEANUP_INTERVAL_HOURS=1\n"
                              "CIRCUIT_BREAKER_ENABLED=true\n"
                              "CIRCUIT_BREAKER_FAILURE_THRESHOLD=5\n"
                              "CIRCUIT_BREAKER_SUCCESS_THRESHOLD=2\n"
                              "CIRCUIT_BREAKER_TIMEOUT_SECONDS=60\n"
                              "SAGA_ENABLED=true\n"
                              "SAGA_TIMEOUT_SECONDS=300\n"
                              "SAGA_RETRY_MAX_ATTEMPTS=3\n"
                              "VIRUS_SCAN_ENABLED=false  # needs clamd\n"
                              "MIME_TYPE_VALIDATION=true\n"
                              "ALLOWED_MIME_TYPES=application/pdf,"
                              "application/msword,image/*\n"
                              "OPENTELEMETRY_ENABLED=true\n"
                              "PROMETHEUS_METRICS_ENABLED=true\n"
                              "SERVICE_ACCOUNT_TIMEOUT=30  # seconds\n"
                              "CAPACITY_MONITOR_ENABLED=on\n"
                              "CAPACITY_MONITOR_LEADER_TTL=30\n"
                              "CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL=10\n"
                              "CAPACITY_MONITOR_BASE_INTERVAL=30\n"
                              "CAPACITY_MONITOR_MAX_INTERVAL=300\n"
                              "CAPACITY_MONITOR_HTTP_TIMEOUT=15\n"
                              "CAPACITY_MONITOR_HTTP_RETRIES=3\n"
                              "CAPACITY_MONITOR_RETRY_BASE_DELAY=2.0\n"
                              "CAPACITY_MONITOR_CACHE_TTL=600\n"
                              "CAPACITY_MONITOR_HEALTH_TTL=600\n"
                              "CAPACITY_MONITOR_FAILURE_THRESHOLD=3\n"
                              "CAPACITY_MONITOR_RECOVERY_THRESHOLD=2\n"
                              "CAPACITY_MONITOR_USE_FOR_SELECTION=on      "
                              "# in the selector\n"
                              "CAPACITY_MONITOR_CONFIG_RELOAD_ENABLED=true\n"
                              "CAPACITY_MONITOR_CONFIG_RELOAD_INTERVAL=60\n"
                              "CAPACITY_MONITOR_PUBSUB_ENABLED=false\n"
                              "CAPACITY_MONITOR_PUBSUB_CHANNEL="
                              "artstore:storage_elements:updates\n";
    struct conf_report rep;
    struct conf c;
    size_t set = 0, lines = 0;
    (void)state;

    for (const char *p = env; (p = strstr(p, "\n")) != NULL; p++)
        lines += p[1] >= 'A' && p[1] <= 'Z';
    load((struct world){CONF_INGESTER, "--config f", NULL, env}, &c, &rep);
    print_report(&rep);
    assert_int_equal(rep.errors, 0);
    assert_int_equal(rep.warnings, 1); /* it names no service account */
    /* All of them are the defaults, so that no planned one is announced. */
    assert_int_equal(rep.notices, 0);
    for (int id = 0; id < CONF_COUNT; id++)
        set += c.source[id].layer == CONF_BY_FILE;
    assert_int_equal(set, lines);
    assert_true(lines > 50);
    assert_int_equal(c.upload_session_ttl_hours.ns, dur_s(7200).ns);
    assert_int_equal(c.capacity_monitor_retry_base_delay.ns, dur_s(2).ns);
    assert_int_equal(c.compression_algorithm, CONF_GZIP);
    release(&c, &rep);
}

/* Where the options of a command end and its own arguments begin. */
static void
test_rest(void **state)
{
    static const struct {
        const char *args;
        size_t rest;
        size_t errors;
        const char *why;
    } row[] = {
        {"", 0, 0, "nothing at all"},
        {"--data-dir d a b", 2, 0, "the first that is not an option"},
        {"--data-dir d", 2, 0, "none"},
        {"--data-dir d -- --x", 3, 0, "behind two dashes anything goes"},
        {"a --data-dir d", 0, 0, "what follows belongs to the command"},
        {"- a", 0, 0, "a dash is standard input"},
        {"-x a", 1, 1, "but a short option is not known"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_report rep;
        struct conf c;

        load((struct world){CONF_CLIENT, row[i].args, NULL, NULL}, &c, &rep);
        if (rep.rest != row[i].rest || rep.errors != row[i].errors)
            fail_msg("%s: %zu %zu", row[i].why, rep.rest, rep.errors);
        release(&c, &rep);
    }
}

/* PRD-189: the value, else the file that NAME_FILE names. */
static void
test_indirect(void **state)
{
    static const struct {
        enum conf_role role;
        const char *args;
        const char *env;
        const char *file;
        const char *value;
    } row[] = {
        {CONF_SERVER, NULL, "REDIS_PASSWORD_FILE=secret.txt", NULL,
         "from-its-file"},
        {CONF_SERVER, NULL,
         "REDIS_PASSWORD_FILE=secret.txt\nREDIS_PASSWORD=plain", NULL, "plain"},
        {CONF_SERVER, NULL,
         "REDIS_PASSWORD=plain\nREDIS_PASSWORD_FILE=secret.txt", NULL, "plain"},
        {CONF_SERVER, "--config f", "REDIS_PASSWORD_FILE=secret.txt",
         "REDIS_PASSWORD=plain", "from-its-file"},
        {CONF_SERVER, "--config f", NULL,
         "ARTSTORE_REDIS_PASSWORD_FILE=secret.txt", "from-its-file"},
        {CONF_SERVER, NULL, "REDIS_PASSWORD_FILE=", NULL, ""},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_report rep;
        struct conf c;

        load(WORLD(row[i]), &c, &rep);
        assert_int_equal(rep.errors, 0);
        assert_string_equal(c.redis_password, row[i].value);
        release(&c, &rep);
    }
}

/* A process that runs reads its files again: what may change does. */
static void
test_compare(void **state)
{
    struct conf_report a, b, diff = {0};
    struct conf old, fresh;
    (void)state;

    load((struct world){CONF_SERVER, NULL, NULL, NULL}, &old, &a);
    load((struct world){CONF_SERVER, NULL, "LOG_LEVEL=DEBUG\nAPP_PORT=1", NULL},
         &fresh, &b);
    assert_int_equal(conf_compare(&old, &old, &diff), 0);
    assert_int_equal(diff.n, 0);
    assert_int_equal(conf_compare(&old, &fresh, &diff), 1);
    assert_true(told(&diff, CONF_NOTICE, "LOG_LEVEL"));
    assert_true(told(&diff, CONF_WARNING, "APP_PORT|restart"));
    conf_report_release(&diff);
    conf_adopt(&old, &fresh);
    assert_int_equal(old.log_level, CONF_LOG_DEBUG);
    assert_int_equal(old.app_port, 8020);
    assert_int_equal(old.source[CONF_LOG_LEVEL].layer, CONF_BY_ENV);
    /* What needs a restart still does; the rest is told once. */
    assert_int_equal(conf_compare(&old, &fresh, &diff), 1);
    assert_int_equal(diff.n, 1);
    conf_report_release(&diff);
    release(&old, &a);
    release(&fresh, &b);
}

/* What is printed can be read again and says the same, with its sources. */
static void
test_print(void **state)
{
    struct world w = {CONF_SERVER, "--app-port 1",
                      "AUTH_ISSUER=a \"b\" 'c' $d\nHEAD_TIMEOUT=1500ms\n"
                      "MAX_FILE_SIZE_MB=2G\nREPLAY_BUDGET=1.5\n"
                      "REDIS_PASSWORD=x",
                      NULL};
    struct conf_report rep;
    struct conf c, again;
    struct buf out;
    (void)state;

    buf_init(&out, MIB);
    load(w, &c, &rep);
    assert_int_equal(rep.errors, 1); /* a size has no fraction */
    conf_print(&c, false, &out);
    assert_non_null(strstr(buf_str(&out), "APP_PORT=1 # command line\n"));
    assert_non_null(strstr(buf_str(&out), "HEAD_TIMEOUT=1500ms # environment"));
    assert_non_null(strstr(buf_str(&out), "MAX_FILE_SIZE_MB=2048 #"));
    assert_null(strstr(buf_str(&out), "APP_HOST"));
    assert_non_null(strstr(buf_str(&out), "# REDIS_PASSWORD=*** # env"));
    conf_report_release(&rep);

    buf_clear(&out);
    conf_print(&c, true, &out);
    w = (struct world){CONF_SERVER, "--config f", NULL, buf_str(&out)};
    load(w, &again, &rep);
    print_report(&rep);
    assert_int_equal(rep.errors, 0);
    assert_string_equal(again.auth_issuer, "a \"b\" 'c' $d");
    for (int id = 0; id < CONF_COUNT; id++) {
        struct buf x, y;

        if (id == CONF_CONFIG || (conf_option[id].flags & CONF_F_SECRET) ||
            !(conf_option[id].roles & CONF_ROLE_BIT(CONF_SERVER)))
            continue;
        buf_init(&x, CONF_TEXT_MAX);
        buf_init(&y, CONF_TEXT_MAX);
        conf_value_text(&c, id, &x);
        conf_value_text(&again, id, &y);
        assert_string_equal(buf_str(&x), buf_str(&y));
        buf_release(&x);
        buf_release(&y);
    }
    conf_report_release(&rep);
    conf_release(&c);
    conf_release(&again);
    buf_release(&out);
}

static void
test_database_url(void **state)
{
    static const struct {
        const char *url;
        bool fits;
        const char *why;
    } row[] = {
        {"postgresql://u:p@h:5432/d", true, "the plain one"},
        {"postgres://u@h1,h2/d?sslmode=require", true, "two hosts"},
        {"postgresql:///d?host=/run/pg&user=a@b", true, "in a parameter"},
        {"postgresql://u:p%40ss%2Fw@h/d", true, "as it should be"},
        {"postgresql://u:p?x=1@h/d", true, "libpq finds its end"},
        {"postgresql://u:p@ss@h/d", false, "h would be ss@h"},
        {"postgresql://u:p@ss/w@h/d", false, "host ss, database w@h/d"},
        {"postgresql://u:p/ss@h/d", false, "host u, port p"},
        {"postgresql://u:p?x/y@h/d", false, "host u, port p?x"},
        {"mysql://u:p@h/d", false, "another scheme"},
        {"host=h user=u", false, "libpq's other form"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (conf_database_url_fits(row[i].url) != row[i].fits)
            fail_msg("%s: %s", row[i].url, row[i].why);
}

/* Keys that come over a line that others can write to. */
static void
test_admin_in_clear(void **state)
{
    static const struct {
        const char *url;
        bool clear;
        const char *why;
    } row[] = {
        {"http://admin:8000", true, "another machine"},
        {"HTTP://10.0.0.1", true, "the same, in capitals"},
        {"https://admin:8000", false, "TLS"},
        {"http://127.0.0.1:8000", false, "this machine"},
        {"http://localhost/x", false, "the same"},
        {"http://[::1]:8000", false, "the same"},
        {"http://localhost.example.org", true, "only begins so"},
        {"http://127.0.0.1.example.org", true, "the same"},
    };
    char env[2][80];
    const char *const envp[] = {env[0], env[1], NULL};
    struct conf_input in = {.role = CONF_INGESTER, .envp = envp};
    struct conf_report rep;
    struct conf c;
    (void)state;

    for (size_t i = 0; i < 2 * countof(row); i++) {
        const bool asks = i >= countof(row);
        const bool clear = row[i % countof(row)].clear;

        (void)snprintf(env[0], sizeof(env[0]), "AUTH_ADMIN_MODULE_URL=%s",
                       row[i % countof(row)].url);
        (void)snprintf(env[1], sizeof(env[1]), "AUTH_ADMIN_REQUIRE_TLS=%s",
                       asks ? "on" : "off");
        if ((conf_load(&c, &in, &rep) == ERR_OK) != !(asks && clear) ||
            conf_admin_in_clear(&c) != clear)
            fail_msg("%s: %s", row[i % countof(row)].url,
                     row[i % countof(row)].why);
        release(&c, &rep);
    }
}

static void
test_check(void **state)
{
    static const char *const good[] = {"APP_PORT=1", "RATE_LIMIT_ADMIN_BURST=3",
                                       NULL};
    static const char *const bad[] = {"APP_PORT=0", NULL};
    struct conf_input in = {.role = CONF_INGESTER, .envp = good};
    struct buf out;
    (void)state;

    buf_init(&out, MIB);
    assert_int_equal(conf_check(&in, false, &out), 0);
    assert_non_null(strstr(buf_str(&out), "ingester: good, 0 errors"));
    assert_non_null(strstr(buf_str(&out), "APP_PORT=1 # environment\n"));
    assert_non_null(
        strstr(buf_str(&out), "notice: RATE_LIMIT_ADMIN_BURST is "));
    buf_clear(&out);
    in.envp = bad;
    assert_int_equal(conf_check(&in, false, &out), CONF_EXIT);
    assert_non_null(strstr(buf_str(&out), "error: APP_PORT=0"));
    buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_known_env),
        cmocka_unit_test(test_indirect),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_database_url),
        cmocka_unit_test(test_admin_in_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
