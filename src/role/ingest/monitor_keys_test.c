/* monitor_keys_test.c - keys that the leader brings to elements: when they are
 * tried again, and what the log says. SPDX-License-Identifier: Apache-2.0 */
#include "obs/log.h"
#include "role/ingest/monitor_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

static struct world w;

static uint64_t
documents(void *arg, struct buf *out)
{
    if (out)
        buf_add_str(out, "{}");
    return *(const uint64_t *)arg;
}

static unsigned
times_told(int fd)
{
    char text[64 * 1024];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    unsigned told = 0;

    assert_true(n >= 0);
    text[n] = 0;
    for (const char *p = text; (p = strstr(p, "does not take Admin's")); p++)
        told++;
    return told;
}

/* An element that does not know our key refuses polls, and takes Admin's word
 * of it when it has the time. */
static void
test_keys(void **state)
{
    static const struct {
        int status;
        unsigned times; /* in a row */
        int after_s;
        unsigned asked, told; /* the log, that it does not take them */
        const char *why;
    } row[] = {
        {200, 0, 1, 1, 0, "taken at once"},
        {503, 1, 1, 1, 0, "busy: not at once"},
        {503, 2, 5, 3, 0, "busy for a moment: not with the next poll only"},
        {408, 4, 8, 5, 1, "given up"},
        {503, 100, 20, 8, 1, "busy for long: a few times, then the next poll"},
        {503, 100, 35, 16, 1, "which is here"},
        {500, 100, 20, 1, 0, "whatever it is, it does not pass in a moment"},
        {403, 100, 45, 1, 1, "it trusts another Admin"},
    };
    uint64_t version = 7;
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct fake_element *e = &w.e[0];

        struct log_conf log = {.fd = memfd_create("log", MFD_CLOEXEC)};

        world_open(&w, 1, 1);
        w.node[0].conf.documents = documents;
        w.node[0].conf.documents_arg = &version;
        w.node[0].conf.log = log_open(&log);
        world_list(&w, 1);
        e->way = FAKE_ERROR;
        e->http = 401;
        e->keys_status = row[i].status;
        e->keys_refused = row[i].times;
        world_start(&w, 0);
        for (int ms = 0; ms < 5000 && !e->keys_asked; ms++)
            world_run(&w, dur_ms(1));
        world_run(&w, dur_s(row[i].after_s));
        if (e->keys_asked != row[i].asked)
            fail_msg("%s: %u", row[i].why, e->keys_asked);
        world_close(&w); /* also while the next try is waited for */
        log_close(&w.node[0].conf.log);
        if (times_told(log.fd) != row[i].told)
            fail_msg("%s: told %u times", row[i].why, times_told(log.fd));
        (void)close(log.fd);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests_name("monitor keys", tests, NULL, NULL);
}
