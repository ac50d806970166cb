/* mistake_test.c - every message that a user can get, and what no message ever
 * holds. D40, ING-129, ING-249, PRD-187, PRD-189.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/test_world.h"

/* The options of an element in a bucket. */
#define BUCKET(endpoint, bucket, access, secret, prefix)              \
    "STORAGE_BACKEND=s3\nS3_ENDPOINT=" endpoint "\nS3_BUCKET=" bucket \
    "\nS3_ACCESS_KEY=" access "\nS3_SECRET_KEY=" secret "\nS3_PREFIX=" prefix

struct mistake {
    enum conf_role role;
    const char *args;
    const char *env;
    const char *file;
    const char *want; /* what the message must hold */
    const char *why;
};

/* Each of ROW is one mistake, and one message. */
static void
expect_each(const struct mistake *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct conf_report rep;
        struct conf c;

        load(WORLD(row[i]), &c, &rep);
        if (rep.errors != 1 || !told(&rep, CONF_ERROR, row[i].want)) {
            print_report(&rep);
            fail_msg("%s: %s", row[i].want, row[i].why);
        }
        release(&c, &rep);
    }
}

/* A value: the name as it was written, where, and what would be right. */
static void
test_values(void **state)
{
    static const struct mistake row[] = {
        {CONF_SERVER, "--app-port 99999", NULL, NULL,
         "APP_PORT=99999|command line --app-port|1 to 65535",
         "name, value, source, range"},
        {CONF_SERVER, NULL, "APP_PORT=0", NULL,
         "APP_PORT=0|environment|1 to 65535", "the same of the environment"},
        {CONF_SERVER, "--config x.env", NULL, "\n#\nAPP_PORT=x\n",
         "APP_PORT=x|x.env:3|1 to 65535", "and of a file, with the line"},
        {CONF_STORAGE, NULL, "STORAGE_APP_PORT=x", NULL,
         "STORAGE_APP_PORT=x|environment", "the name as it was written"},
        {CONF_SERVER, NULL, "AUTH_ENABLED=maybe", NULL,
         "AUTH_ENABLED=maybe|on or off", "boolean"},
        {CONF_SERVER, NULL, "DURABILITY=lazy", NULL,
         "DURABILITY=lazy|strict or relaxed", "enum"},
        {CONF_SERVER, NULL, "LOG_LEVEL=LOUD", NULL,
         "LOG_LEVEL=LOUD|DEBUG, INFO, WARNING, ERROR or CRITICAL", "ING-249"},
        {CONF_SERVER, NULL, "HEAD_TIMEOUT=0", NULL,
         "HEAD_TIMEOUT=0|10ms to 10m", "duration"},
        {CONF_SERVER, NULL, "HTTP_HEAD_MAX=1M", NULL,
         "HTTP_HEAD_MAX=1M|1K to 16K", "size"},
        {CONF_SERVER, NULL, "MAX_FILE_SIZE_MB=1500K", NULL,
         "MAX_FILE_SIZE_MB=1500K|whole MiB", "not a whole number of the unit"},
        {CONF_SERVER, "--listen 127.0.0.1", NULL, NULL, "LISTEN=127.0.0.1|port",
         "no port"},
        {CONF_SERVER, NULL, "TRUSTED_PROXIES=10.1.0.0/8", NULL,
         "TRUSTED_PROXIES=10.1.0.0/8|bits are set", "a slip in a network"},
        {CONF_SERVER, "--app-port=", NULL, NULL, "APP_PORT=|1 to 65535",
         "empty on purpose"},
        {CONF_INGESTER, NULL, "REDIS_SENTINELS=a:0", NULL,
         "REDIS_SENTINELS=a:0|HOST:PORT", "not a port"},
        {CONF_SERVER, NULL, "COMPRESSION_LEVEL=0", NULL,
         "COMPRESSION_LEVEL=0|1 to 9", "gzip"},
        {CONF_SERVER, NULL, "APP_NAME=a\tb", NULL, "APP_NAME=a?b|control",
         "a forged line"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* A name that nobody has, and the one that was perhaps meant. */
static void
test_names(void **state)
{
    static const struct mistake row[] = {
        {CONF_SERVER, "--app-prot 1", NULL, NULL,
         "--app-prot|did you mean --app-port", "slip"},
        {CONF_SERVER, "--port 1", NULL, NULL, "--port|did you mean --app-port",
         "last word"},
        {CONF_SERVER, "--app_port 1", NULL, NULL, "--app_port|--app-port",
         "underscores"},
        {CONF_SERVER, "--artstore-loop epoll", NULL, NULL,
         "--artstore-loop|did you mean --loop", "the environment's name"},
        {CONF_SERVER, "--zzz", NULL, NULL, "--zzz|unknown option",
         "nothing near"},
        {CONF_SERVER, "--config f", NULL, "APP_PROT=1",
         "APP_PROT|f:1|did you mean APP_PORT", "slip in a file"},
        {CONF_SERVER, "--config f", NULL, "app_port=1",
         "app_port|did you mean APP_PORT", "names have upper case"},
        {CONF_SERVER, "--config f", NULL, "PATH=/bin", "PATH|f:1|unknown",
         "a file is ours alone"},
        {CONF_SERVER, NULL, "ARTSTORE_LOPO=epoll", NULL,
         "ARTSTORE_LOPO|did you mean ARTSTORE_LOOP", "slip under our prefix"},
        {CONF_SERVER, NULL, "ARTSTORE_COLOUR=1", NULL,
         "ARTSTORE_COLOUR|unknown", "D40"},
        {CONF_SERVER, "--no-app-port", NULL, NULL, "--no-app-port|unknown",
         "not a boolean"},
        {CONF_SERVER, "--storage-mode ro", NULL, NULL, "STORAGE_MODE|server",
         "an option of another role"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* What may not stand on a command line. */
static void
test_command_line(void **state)
{
    static const struct mistake row[] = {
        {CONF_SERVER, "--app-port", NULL, NULL, "--app-port needs a value",
         "at the end"},
        {CONF_SERVER, "--app-port --loop epoll", NULL, NULL,
         "--app-port needs a value", "an option is not a value"},
        {CONF_SERVER, "--no-auth-enabled=on", NULL, NULL, "--no-auth-enabled",
         "two answers"},
        {CONF_SERVER, "-p", NULL, NULL, "argument 1", "no short options"},
        {CONF_SERVER, "extra", NULL, NULL, "argument 1", "no arguments here"},
        {CONF_SERVER, "--redis-password x", NULL, NULL,
         "REDIS_PASSWORD|REDIS_PASSWORD_FILE", "PRD-189"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* A file that is not there, or says what none may say. */
static void
test_files(void **state)
{
    static const struct mistake row[] = {
        {CONF_SERVER, "--config missing.env", NULL, NULL, "missing.env|no such",
         "no file"},
        {CONF_SERVER, "--config f", NULL, "ARTSTORE_CONFIG=g",
         "f:1|a file cannot name", "nesting"},
        {CONF_SERVER, "--config f", NULL, "APP_NAME_FILE=x",
         "APP_NAME_FILE|unknown", "only a secret may lie in its own file"},
        {CONF_SERVER, "--config f --app-port 1", "APP_PORT=2", "APP_PORT=x",
         "APP_PORT=x|f:1", "a mistake that is covered is still one"},
        {CONF_SERVER, "--config f", NULL, "just words", "f:1|NAME=VALUE",
         "syntax"},
        {CONF_SERVER, NULL, "REDIS_PASSWORD_FILE=missing.env", NULL,
         "REDIS_PASSWORD_FILE=missing.env|no such", "a secret's file"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* An option that is nothing without another. */
static void
test_halves(void **state)
{
    static const struct mistake row[] = {
        {CONF_INGESTER, NULL, "REDIS_SENTINELS=a,b:26380", NULL,
         "REDIS_SENTINEL_MASTER|REDIS_SENTINELS", "whom to ask for"},
        {CONF_INGESTER, NULL, "REDIS_SENTINEL_MASTER=m", NULL,
         "REDIS_SENTINELS|REDIS_SENTINEL_MASTER", "nobody to ask"},
        {CONF_INGESTER, NULL, "REDIS_USERNAME=a", NULL,
         "REDIS_PASSWORD|REDIS_USERNAME", "a user without a password"},
        {CONF_INGESTER, NULL, "SERVICE_ACCOUNT_CLIENT_ID=a", NULL,
         "SERVICE_ACCOUNT_CLIENT_SECRET|SERVICE_ACCOUNT_CLIENT_ID",
         "an account without its secret"},
        {CONF_INGESTER, NULL, "SERVICE_ACCOUNT_CLIENT_SECRET=a", NULL,
         "SERVICE_ACCOUNT_CLIENT_ID|SERVICE_ACCOUNT_CLIENT_SECRET",
         "whose secret?"},
        {CONF_INGESTER, NULL, "REDIS_TLS_CA_FILE=ca.pem", NULL,
         "REDIS_TLS_CA_FILE|REDIS_TLS=on", "whom to trust, in plain text"},
        {CONF_INGESTER, NULL, "REDIS_TLS=on\nREDIS_TLS_CERT_FILE=a.pem", NULL,
         "REDIS_TLS_KEY_FILE|REDIS_TLS_CERT_FILE", "half"},
        {CONF_INGESTER, NULL, "REDIS_URL=rediss://x\nREDIS_TLS_KEY_FILE=a.pem",
         NULL, "REDIS_TLS_CERT_FILE|REDIS_TLS_KEY_FILE", "half"},
        {CONF_SERVER, NULL, "TLS_CERT_FILE=a.pem", NULL,
         "TLS_KEY_FILE|TLS_CERT_FILE", "half"},
        {CONF_SERVER, NULL, "TLS_KEY_FILE=a.pem", NULL,
         "TLS_CERT_FILE|TLS_KEY_FILE", "half"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* Options that are right alone and not together. */
static void
test_limits(void **state)
{
    static const struct mistake row[] = {
        {CONF_INGESTER, NULL, "CAPACITY_MONITOR_LEADER_TTL=10", NULL,
         "CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL=10|less than|"
         "CAPACITY_MONITOR_LEADER_TTL=10",
         "ING-249"},
        {CONF_INGESTER, NULL, "CAPACITY_MONITOR_MAX_INTERVAL=29", NULL,
         "CAPACITY_MONITOR_BASE_INTERVAL=30|at most", "ING-249"},
        {CONF_SERVER, NULL, "CAPACITY_WARNING_PERCENT=93", NULL,
         "CAPACITY_WARNING_PERCENT=93|CAPACITY_CRITICAL_PERCENT=92", "D07"},
        {CONF_SERVER, NULL,
         "CAPACITY_WARNING_FREE_BYTES=1G\n"
         "CAPACITY_CRITICAL_FREE_BYTES=2G",
         NULL, "CAPACITY_CRITICAL_FREE_BYTES=2G|CAPACITY_WARNING_FREE_BYTES=1G",
         "D07, by free bytes the other way round"},
        {CONF_SERVER, NULL, "APP_ENV=production\nAUTH_ENABLED=off", NULL,
         "AUTH_ENABLED=off|production", "PRD-232"},
        {CONF_SERVER, NULL, "DB_POOL_MIN=21", NULL,
         "DB_POOL_MIN=21|at most DB_POOL_MAX=20", "more at rest than ever"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* Elements, and the bucket of one. */
static void
test_storage(void **state)
{
    static const struct mistake row[] = {
        {CONF_SERVER, NULL, "STORAGE_ELEMENTS=a:edit:x,a:rw:y", NULL,
         "a stands there twice", "one name for two"},
        {CONF_SERVER, NULL, "STORAGE_ELEMENTS=a:edit:x,b:rw:x", NULL,
         "one folder", "of two"},
        {CONF_SERVER, NULL, "STORAGE_ELEMENTS=rw:rw:x", NULL,
         "STORAGE_ELEMENTS|id", "CNF-003"},
        {CONF_STORAGE, NULL, BUCKET("", "b", "a", "s", ""), NULL,
         "S3_ENDPOINT is needed|STORAGE_BACKEND=s3", "no service"},
        {CONF_STORAGE, NULL, BUCKET("http://h", "", "a", "s", ""), NULL,
         "S3_BUCKET is needed", "no bucket"},
        {CONF_STORAGE, NULL, BUCKET("http://h", "b", "", "s", ""), NULL,
         "S3_ACCESS_KEY is needed", "nobody"},
        {CONF_STORAGE, NULL, BUCKET("http://h", "b", "a", "", ""), NULL,
         "S3_SECRET_KEY is needed", "half a key"},
        {CONF_STORAGE, NULL, BUCKET("ftp://h", "b", "a", "s", ""), NULL,
         "S3_ENDPOINT=ftp://h|http://", "another protocol"},
        {CONF_STORAGE, NULL, BUCKET("http://h", "b", "a", "s", "a"), NULL,
         "S3_PREFIX=a|end in a slash", "would be the beginning of a name"},
        {CONF_STORAGE, NULL, BUCKET("http://h", "b", "a", "s", "/a/"), NULL,
         "S3_PREFIX=/a/|not begin", "an empty name in front"},
        {CONF_STORAGE, NULL, "S3_MEMORY=1M", NULL, "S3_MEMORY=1M|16M",
         "less than two parts"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* Never with its value: a password stands in it. */
static void
test_database(void **state)
{
    static const struct mistake row[] = {
        {CONF_SERVER, NULL, "DATABASE_URL=mysql://u:secret@h/d", NULL,
         "DATABASE_URL|postgresql://", "not with its value"},
        {CONF_SERVER, NULL, "DATABASE_URL=postgresql://u:p@ss/w@h:1/d", NULL,
         "DATABASE_URL|@ is written %40, / %2F", "its pieces would be told"},
        {CONF_SERVER, NULL, "DATABASE_URL=postgresql://u:p/ss@h/d", NULL,
         "DATABASE_URL|@ is written %40, / %2F", "a host u of port p"},
    };
    (void)state;

    expect_each(row, countof(row));
}

/* What is let through, and with which word. */
static void
test_warnings(void **state)
{
    static const struct {
        enum conf_role role;
        const char *args;
        const char *env;
        const char *file;
        enum conf_level level;
        unsigned warnings;
        const char *want;
        const char *why;
    } row[] = {
        {CONF_SERVER, "--config f", "STORAGE_ELEMENT_BASE_URL=http://x",
         "STORAGE_ELEMENT_BASE_URL=http://y\n", CONF_WARNING, 1,
         "STORAGE_ELEMENT_BASE_URL|removed",
         "once, though given twice (ING-129)"},
        {CONF_SERVER, NULL, "CAPACITY_MONITOR_FALLBACK_TO_PUSH=on", NULL,
         CONF_WARNING, 1, "CAPACITY_MONITOR_FALLBACK_TO_PUSH|removed",
         "ING-267"},
        {CONF_SERVER, "--config f", NULL,
         "CAPACITY_MONITOR_FALLBACK_TO_PUSH=on", CONF_WARNING, 1,
         "CAPACITY_MONITOR_FALLBACK_TO_PUSH|removed", "ING-267"},
        {CONF_SERVER, NULL, "REDIS_PORT=tcp://10.0.0.1:6379", NULL,
         CONF_WARNING, 1, "REDIS_PORT=tcp://10.0.0.1:6379|Kubernetes", "D40"},
        {CONF_SERVER, NULL,
         "ARTSTORE_SERVICE_HOST=10.0.0.1\nARTSTORE_SERVICE_PORT=80\n"
         "ARTSTORE_PORT=tcp://10.0.0.1:80\n"
         "ARTSTORE_PORT_80_TCP=tcp://10.0.0.1:80\n"
         "ARTSTORE_PORT_80_TCP_ADDR=10.0.0.1\n"
         "ARTSTORE_INGESTER_SERVICE_HOST=10.0.0.2",
         NULL, CONF_WARNING, 1, "ARTSTORE_SERVICE_HOST|Kubernetes",
         "a service that is called artstore: one word for all"},
        {CONF_SERVER, NULL, "LISTEN=:80", NULL, CONF_WARNING, 1,
         "ARTSTORE_LISTEN", "general"},
        {CONF_SERVER, NULL, "LOG_LEVLE=DEBUG", NULL, CONF_WARNING, 1,
         "LOG_LEVEL", "a slip"},
        {CONF_SERVER, NULL, "STORAGE_ELEMENTS=a:rw:x,b:ro:y", NULL,
         CONF_WARNING, 1, "STORAGE_ELEMENTS|mode edit|TEMPORARY",
         "it starts, and is degraded"},
        {CONF_SERVER, NULL, "STORAGE_ELEMENTS=a:ro:x,b:edit:y", NULL,
         CONF_WARNING, 0, "", "who wants no PERMANENT files needs no rw"},
        {CONF_SERVER, "--config f", NULL, "APP_PORT=1\nAPP_PORT=2\n",
         CONF_WARNING, 1, "APP_PORT is given twice|lines 1 and 2",
         "twice in one file"},
        {CONF_SERVER, NULL, "RATE_LIMIT_ADMIN_BURST=1", NULL, CONF_NOTICE, 0,
         "RATE_LIMIT_ADMIN_BURST|not use", "planned"},
        {CONF_SERVER, NULL, "STORAGE_MODE=ro", NULL, CONF_NOTICE, 0,
         "STORAGE_MODE|server", "of another role"},
        {CONF_SERVER, NULL, "CAPACITY_CRITICAL_FREE_BYTES=2G", NULL,
         CONF_WARNING, 0, "", "0 is not a limit that others must keep to"},
        {CONF_SERVER, NULL,
         "ARTSTORE_TEST_X=1\nPATH=/bin\nHOME=/root\nTERM=x\nLANG=C", NULL,
         CONF_WARNING, 0, "", "nothing of ours"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_report rep;
        struct conf c;
        bool ok;

        load(WORLD(row[i]), &c, &rep);
        ok = rep.errors == 0 && rep.warnings == row[i].warnings;
        if (!ok || (row[i].want[0] && !told(&rep, row[i].level, row[i].want))) {
            print_report(&rep);
            fail_msg("%s: %s", row[i].want, row[i].why);
        }
        release(&c, &rep);
    }
}

/* All mistakes of all sources at once (PRD-187), and none of them is lost when
 * there are more than the report has room for. */
static void
test_all_errors(void **state)
{
    const struct world w = {CONF_SERVER, "--app-port x --config f --looop a",
                            "LOG_LEVEL=x\nARTSTORE_X=1",
                            "DURABILITY=x\nnonsense\nAPP_PORT=y\n"};
    struct world many = {CONF_SERVER, "--config f", NULL, NULL};
    struct conf_report rep;
    struct conf c;
    struct buf file;
    (void)state;

    load(w, &c, &rep);
    assert_int_equal(rep.errors, 7);
    assert_int_equal(c.app_port, 8020); /* what is wrong changes nothing */
    release(&c, &rep);

    buf_init(&file, MIB);
    for (int i = 0; i < CONF_ISSUE_MAX + 50; i++)
        buf_add_str(&file, "nonsense\n");
    many.file = buf_str(&file);
    load(many, &c, &rep);
    assert_int_equal(rep.errors, CONF_ISSUE_MAX + 50);
    assert_int_equal(rep.n, CONF_ISSUE_MAX);
    buf_clear(&file);
    conf_report_print(&rep, CONF_NOTICE, &file);
    assert_non_null(strstr(buf_str(&file), "and 50 more"));
    release(&c, &rep);
    buf_release(&file);
}

/* No message and no listing ever holds a secret, however it went wrong. */
static void
test_secrets(void **state)
{
    static const struct world row[] = {
        {CONF_SERVER, "--config f", NULL, "REDIS_PASSWORD=hunter2\n"},
        {CONF_SERVER, NULL, "REDIS_PASSWORD=hunter2", NULL},
        {CONF_SERVER, "--redis-password hunter2", NULL, NULL},
        {CONF_SERVER, "--redis-pasword hunter2", NULL, NULL},
        {CONF_SERVER, "--redis-password=hunter2", NULL, NULL},
        {CONF_SERVER, "--redis-password x hunter2", NULL, NULL},
        {CONF_SERVER, NULL, "ARTSTORE_REDIS_PASWORD=hunter2", NULL},
        {CONF_SERVER, "--config f", NULL, "REDIS_PASWORD=hunter2\n"},
        {CONF_SERVER, "--config f", NULL, "REDIS_PASSWORD hunter2\n"},
        {CONF_SERVER, "--config f", NULL, "REDIS_PASSWORD='hunter2\n"},
        {CONF_SERVER, NULL, "REDIS_URL=hunter2", NULL},
        {CONF_SERVER, NULL, "REDIS_PASSWORD=hunter2\x01", NULL},
    };
    struct buf out;
    (void)state;

    buf_init(&out, MIB);
    for (size_t i = 0; i < countof(row); i++) {
        struct conf_report rep;
        struct conf c;

        load(row[i], &c, &rep);
        buf_clear(&out);
        conf_report_print(&rep, CONF_NOTICE, &out);
        conf_print(&c, true, &out);
        assert_false(out.failed);
        if (strstr(buf_str(&out), "hunter") != NULL)
            fail_msg("row %zu: %s", i, buf_str(&out));
        release(&c, &rep);
    }
    buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),       cmocka_unit_test(test_names),
        cmocka_unit_test(test_command_line), cmocka_unit_test(test_files),
        cmocka_unit_test(test_halves),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_storage),      cmocka_unit_test(test_database),
        cmocka_unit_test(test_warnings),     cmocka_unit_test(test_all_errors),
        cmocka_unit_test(test_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
