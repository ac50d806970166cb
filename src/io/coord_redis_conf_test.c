/* coord_redis_conf_test.c - options and URLs, and what is refused before
 * anything is connected. SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "conf/conf.h"
#include "io/coord_redis.h"
#include "io/redis_fault.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct row {
    const char *env[4];
    enum err err;
    const char *host;
    unsigned port;
    unsigned db;
    const char *username;
    const char *password;
    const char *why;
};

static const struct row row[] = {
    {{NULL}, ERR_OK, "redis", 6379, 0, "", "", "ING-218 ... ING-221"},
    {{"REDIS_HOST="}, ERR_NOENT, "", 0, 0, "", "", "none wanted"},
    {{"REDIS_HOST=r", "REDIS_PORT=1", "REDIS_DB=2", "REDIS_PASSWORD=p@"},
     ERR_OK,
     "r",
     1,
     2,
     "",
     "p@",
     "single parts"},
    {{"REDIS_URL=redis://h"}, ERR_OK, "h", 6379, 0, "", "", "a host alone"},
    {{"REDIS_URL=redis://h", "REDIS_DB=2", "REDIS_PORT=9"},
     ERR_OK,
     "h",
     6379,
     0,
     "",
     "",
     "its place is that of the parts"},
    {{"REDIS_URL=redis://:pw@h:1/3"}, ERR_OK, "h", 1, 3, "", "pw", "all of it"},
    {{"REDIS_URL=redis://u:p%40%3a%2F@[::1]:7/"},
     ERR_OK,
     "::1",
     7,
     0,
     "u",
     "p@:/",
     "IPv6, %XX, an empty path"},
    {{"REDIS_URL=http://h"}, ERR_INVAL, "", 0, 0, "", "", "another scheme"},
    {{"REDIS_URL=redis://hunter2@h"},
     ERR_INVAL,
     "",
     0,
     0,
     "",
     "",
     "a user without a password"},
    {{"REDIS_URL=redis://:hunter2%@h"},
     ERR_INVAL,
     "",
     0,
     0,
     "",
     "",
     "a bare %"},
    {{"REDIS_URL=redis://:hunter2%00@h"},
     ERR_INVAL,
     "",
     0,
     0,
     "",
     "",
     "a zero"},
    {{"REDIS_URL=redis://:hunter2@"}, ERR_INVAL, "", 0, 0, "", "", "no host"},
    {{"REDIS_URL=redis://h:0"}, ERR_INVAL, "", 0, 0, "", "", "no port"},
    {{"REDIS_URL=redis://h:65536"}, ERR_INVAL, "", 0, 0, "", "", "one over"},
    {{"REDIS_URL=redis://h/x"}, ERR_INVAL, "", 0, 0, "", "", "not a number"},
    {{"REDIS_URL=redis://h/0?x=1"}, ERR_INVAL, "", 0, 0, "", "", "a query"},
};

static void
test_options(void **state)
{
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_input in = {.role = CONF_INGESTER, .envp = row[i].env};
        struct coord_redis_conf out;
        struct coord_redis_text room;
        struct conf_report rep;
        struct fault f = {0};
        struct conf c;
        enum err e;
        char text[FAULT_TEXT];

        assert_int_equal(conf_load(&c, &in, &rep), ERR_OK);
        e = coord_redis_from_conf(&out, &room, &c, &f);
        if (e != row[i].err)
            fail_msg("%s: %s", row[i].why, err_name(e));
        if (e == ERR_INVAL) /* PRD-189 */
            assert_null(strstr(fault_text(&f, text, sizeof(text)), "hunter2"));
        if (e == ERR_OK && (strcmp(out.host, row[i].host) != 0 ||
                            out.port != row[i].port || out.db != row[i].db ||
                            strcmp(out.username, row[i].username) != 0 ||
                            strcmp(out.password, row[i].password) != 0))
            fail_msg("%s: %s %u %u %s", row[i].why, out.host, out.port, out.db,
                     out.username);
        conf_release(&c);
        conf_report_release(&rep);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        struct coord_redis_conf conf;
        enum err err;
        const char *why;
    } bad[] = {
        {{.host = "h", .tls = true, .tls_ca_file = "/no/ca.pem"},
         ERR_NOENT,
         "REDIS_TLS_CA_FILE"},
        {{.host = "h",
          .tls = true,
          .tls_cert_file = "/no",
          .tls_key_file = "k"},
         ERR_NOENT,
         "REDIS_TLS_CERT_FILE"},
        {{.host = ""}, ERR_INVAL, "no host"},
        {{.sentinels = "a,b:1"}, ERR_INVAL, "no name of the master"},
        {{.sentinels = "a,,b", .master = "m"}, ERR_INVAL, "HOST"},
        {{.sentinels = "a:0", .master = "m"}, ERR_INVAL, "HOST"},
        {{.sentinels = "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", .master = "m"},
         ERR_TOOBIG,
         "more than 16"},
    };
    struct ioloop *loop;
    struct fault f = {0};
    (void)state;

    assert_int_equal(ioloop_open(&loop, "epoll", 0, NULL, NULL, &f), ERR_OK);
    for (size_t i = 0; i < countof(bad); i++) {
        struct coord *c = NULL;
        char text[FAULT_TEXT];

        assert_int_equal(coord_redis_open(&c, &bad[i].conf, loop, &f),
                         bad[i].err);
        assert_null(c);
        assert_non_null(strstr(fault_text(&f, text, sizeof(text)), bad[i].why));
    }
    ioloop_close(&loop);
}

/* Which option is named by how far a connection came. */
static void
test_hints(void **state)
{
    static const struct {
        enum err err;
        int sys;
        struct redis_moment at;
        const char *says; /* NULL: nothing */
        const char *why;
    } cases[] = {
        {ERR_IO, ECONNREFUSED, {0}, "REDIS_HOST", "nobody listens"},
        {ERR_IO, 0, {.told = true}, "Sentinels say", "by no option"},
        {ERR_IO, 0, {.sentinel = true}, "REDIS_SENTINELS", "another list"},
        {ERR_DENIED,
         0,
         {.connected = true, .spoke = true},
         "REDIS_PASSWORD",
         "wrong, or none where one is wanted"},
        {ERR_DENIED,
         0,
         {.connected = true, .spoke = true, .sentinel = true},
         "REDIS_SENTINEL_PASSWORD",
         "Sentinels have their own"},
        {ERR_IO,
         0,
         {.connected = true, .spoke = true, .selecting = true},
         "REDIS_DB",
         "it has not so many"},
        {ERR_IO,
         ECONNRESET,
         {.connected = true, .selecting = true},
         "REDIS_TLS",
         "a TLS port, before it could answer"},
        {ERR_IO, ECONNRESET, {.connected = true}, "REDIS_TLS", "a TLS port"},
        {ERR_TIMEOUT, 0, {.connected = true}, NULL, "it stands still"},
        {ERR_TIMEOUT,
         0,
         {.connected = true, .tls = true},
         "REDIS_TLS",
         "a plain port, which waits for the end of a line"},
        {ERR_CORRUPT,
         0,
         {.connected = true, .spoke = true},
         "is it a Redis",
         "HTTP, perhaps"},
        {ERR_IO,
         ECONNRESET,
         {.connected = true, .spoke = true},
         NULL,
         "it was ended: no option is wrong"},
        {ERR_NOMEM, 0, {0}, NULL, "we have none"},
    };
    (void)state;

    for (size_t i = 0; i < countof(cases); i++) {
        struct fault f = {.code = cases[i].err, .sys = cases[i].sys};
        bool good;

        assert_int_equal(redis_fault_hint(&f, &cases[i].at), cases[i].err);
        good = cases[i].says ? f.hint && strstr(f.hint, cases[i].says)
                             : f.hint == NULL;
        if (!good)
            fail_msg("%s: %s", cases[i].why, f.hint ? f.hint : "no hint");
        f.hint = "known";
        (void)redis_fault_hint(&f, &cases[i].at);
        assert_string_equal(f.hint, "known");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
