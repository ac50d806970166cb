/* blob_remote_test.c - an element far away whose answers are made up: what they
 * mean, whoever gave them, and what is done when there is none (D26, D27).
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include "port/blob_story.h"
#include "port/fetch_mem.h"
#include "role/common/blob_remote.h"
#include "wire/blobs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct loop_mem loop;
static struct fetch_mem fetch;
static struct blob_story s;

/* What comes next, and what was asked. */
static struct {
    int status;
    const char *body;
    unsigned asked;
} far;

static void
answer(void *arg, struct fetch_mem_call *c)
{
    (void)arg;
    far.asked++;
    fetch_mem_answer(c, far.status, slice_str(far.body));
}

static int
set_up(void **state)
{
    static const struct hash_cpu portable;
    const struct blob_remote_conf conf = {.element_id = "se-01",
                                          .url = "http://far.test",
                                          .hash = hash_select(&portable, "c")};
    struct fault f;
    (void)state;

    memset(&far, 0, sizeof(far));
    loop_mem_init(&loop);
    fetch_mem_init(&fetch, answer, NULL);
    s = (struct blob_story){.loop = &loop};
    assert_int_equal(blob_remote_open(&s.blob, &fetch.fetch, &conf, &f),
                     ERR_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    blob_remote_close(&s.blob);
    loop_mem_settle(&loop);
    assert_int_equal(fetch.peers, 0);
    loop_mem_release(&loop);
    return 0;
}

/* "There is no such file" is said by elements only. */
static void
test_refusals(void **state)
{
    static const char page[] = "<html><body>nginx</body></html>";
    static const struct {
        int status;
        const char *body;
        enum err err;
        const char *why;
    } row[] = {
        {404, "{\"error\":\"file_not_found\",\"message\":\"\"}", ERR_NOENT,
         "an element that does not have it"},
        {404, "{\"error\":\"not_found\",\"message\":\"no such path\"}", ERR_IO,
         "a server that is no element"},
        {404, page, ERR_IO, "a proxy that knows no such path"},
        {404, "", ERR_IO, "nothing but a status"},
        {502, page, ERR_IO, "a proxy that does not reach it"},
        {503, page, ERR_IO, "a proxy that knows it to be away"},
        {504, page, ERR_TIMEOUT, "a proxy that has waited"},
        {503, "{\"error\":\"again\",\"message\":\"\"}", ERR_AGAIN,
         "an element that asks for patience"},
        {503, "{\"error\":\"overloaded\",\"message\":\"\"}", ERR_AGAIN,
         "its server does"},
        {500, "{\"error\":\"corrupt\",\"message\":\"\"}", ERR_CORRUPT,
         "by name, whatever the status"},
    };
    (void)state;

    for (unsigned i = 0; i < countof(row); i++) {
        struct blob_reader *rd;
        enum err e;

        far.status = row[i].status;
        far.body = row[i].body;
        far.asked = 0;
        e = story_open(&s, 1, &rd);
        if (e != row[i].err || far.asked != 1)
            fail_msg("%s: %s, asked %u times", row[i].why, err_name(e),
                     far.asked);
    }
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_refusals),
    };

    return cmocka_run_group_tests_name("blob_remote", tests, NULL, NULL);
}
