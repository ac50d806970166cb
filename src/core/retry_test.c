/* retry_test.c - tests of retry.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/retry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NONE RELOAD_REASONS /* no reload */

/* One end of a first try, and all that follows from it. */
static void
test_ends(void **state)
{
    static const struct {
        const char *why;
        struct retry_end e;
        enum retry_next next;
        int status; /* with ANSWER */
        enum reload_reason reload;
        bool capacity, abort, attempt;
    } row[] = {
        {"stored",
         {.phase = RETRY_PUBLISH, .status = 201},
         RETRY_DONE,
         0,
         NONE,
         false,
         false,
         false},
        {"full at admission: polled, reloaded, not an attempt (D28, ING-133)",
         {.status = 507},
         RETRY_CHOOSE,
         0,
         RELOAD_NO_ROOM,
         true,
         false,
         false},
        {"full on the way: an attempt; it keeps nothing (STO-032)",
         {.phase = RETRY_BODY, .status = 507, .replayable = true},
         RETRY_CHOOSE,
         0,
         RELOAD_NO_ROOM,
         true,
         false,
         true},
        {"full on the way, and the bytes are gone (D04)",
         {.phase = RETRY_BODY, .status = 507},
         RETRY_ANSWER,
         503,
         RELOAD_NO_ROOM,
         true,
         false,
         true},
        {"removed or moved (ING-134)",
         {.status = 404},
         RETRY_CHOOSE,
         0,
         RELOAD_NOT_FOUND,
         false,
         false,
         false},
        {"went read-only since it was chosen (STO-006)",
         {.status = 403, .read_only = true},
         RETRY_CHOOSE,
         0,
         NONE,
         false,
         false,
         false},
        {"403 for other reasons is the request's (ING-139)",
         {.status = 403},
         RETRY_ANSWER,
         403,
         NONE,
         false,
         false,
         false},
        {"other content under this id",
         {.phase = RETRY_PUBLISH, .status = 409, .replayable = true},
         RETRY_ANSWER,
         409,
         NONE,
         false,
         false,
         false},
        {"not connected: an attempt (ING-135)",
         {.end = BREAKER_NOT_CONNECTED},
         RETRY_CHOOSE,
         0,
         RELOAD_CONNECTION,
         false,
         false,
         true},
        {"timeout at admission: nothing was sent",
         {.end = BREAKER_TIMED_OUT},
         RETRY_CHOOSE,
         0,
         RELOAD_CONNECTION,
         false,
         false,
         true},
        {"timeout at publish: it may be stored (ING-141)",
         {.phase = RETRY_PUBLISH, .end = BREAKER_TIMED_OUT, .replayable = true},
         RETRY_CHOOSE,
         0,
         RELOAD_CONNECTION,
         false,
         true,
         true},
        {"broken on the way, beyond the window",
         {.phase = RETRY_BODY, .end = BREAKER_BROKEN},
         RETRY_ANSWER,
         503,
         RELOAD_CONNECTION,
         false,
         true,
         true},
        {"its fault: another one, no reload (ING-136, ING-139)",
         {.phase = RETRY_PUBLISH, .status = 500, .replayable = true},
         RETRY_CHOOSE,
         0,
         NONE,
         false,
         true,
         true},
        {"a proxy that lost its element",
         {.phase = RETRY_ADMIT, .status = 502},
         RETRY_CHOOSE,
         0,
         NONE,
         false,
         false,
         true},
        {"too many at once there",
         {.phase = RETRY_ADMIT, .status = 429},
         RETRY_CHOOSE,
         0,
         NONE,
         false,
         false,
         true},
        {"an answer that is none",
         {.phase = RETRY_PUBLISH, .end = BREAKER_NONSENSE, .replayable = true},
         RETRY_CHOOSE,
         0,
         NONE,
         false,
         true,
         true},
        {"the client left",
         {.phase = RETRY_BODY, .end = BREAKER_GIVEN_UP},
         RETRY_ANSWER,
         503,
         NONE,
         false,
         true,
         false},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct retry_end e = row[i].e;
        struct retry_step s;
        struct retry r;

        retry_init(&r, 3);
        e.element_id = "se-01";
        s = retry_ended(&r, &e);
        if (s.next != row[i].next ||
            (s.next == RETRY_ANSWER && s.status != row[i].status) ||
            s.reload != (row[i].reload != NONE) ||
            (s.reload && s.reason != row[i].reload) ||
            s.capacity != row[i].capacity || s.abort != row[i].abort ||
            s.attempt != row[i].attempt || r.attempts != s.attempt)
            fail_msg("%s: next %d, status %d, reload %d, abort %d", row[i].why,
                     s.next, s.status, s.reload, s.abort);
        if (s.next == RETRY_CHOOSE)
            assert_int_not_equal(retry_excludes(&r, "se-01"),
                                 SELECT_NOT_EXCLUDED);
        assert_int_equal(retry_excludes(&r, "se-0"), SELECT_NOT_EXCLUDED);
        assert_int_equal(s.outcome, breaker_judge(e.end, e.status));
    }
}

static struct retry_step
try_one(struct retry *r, const char *id, enum retry_phase phase,
        enum breaker_end end, int status)
{
    const struct retry_end e = {.element_id = id,
                                .phase = phase,
                                .end = end,
                                .status = status,
                                .replayable = true};

    return retry_ended(r, &e);
}

/* ING-131, ING-104, D06, D28. */
static void
test_stories(void **state)
{
    struct retry r;
    struct retry_step s;
    char id[16];
    (void)state;

    retry_init(&r, 3); /* forty full ones before one with room */
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "se-%d", i);
        s = try_one(&r, id, RETRY_ADMIT, BREAKER_ANSWERED, 507);
        assert_int_equal(s.next, RETRY_CHOOSE);
        assert_int_equal(retry_excludes(&r, id), SELECT_REFUSED);
    }
    assert_int_equal(r.attempts, 0);
    s = try_one(&r, "se-40", RETRY_PUBLISH, BREAKER_ANSWERED, 201);
    assert_int_equal(s.next, RETRY_DONE);

    retry_init(&r, 3); /* more than are remembered: later, not "no room" */
    for (int i = 0; i < RETRY_OUT_MAX; i++) {
        snprintf(id, sizeof(id), "se-%d", i);
        s = try_one(&r, id, RETRY_ADMIT, BREAKER_ANSWERED, 507);
    }
    assert_int_equal(s.next, RETRY_ANSWER);
    assert_int_equal(s.status, 503);
    assert_true(s.retry_after);

    retry_init(&r, 3); /* all are full, and the choice says so */
    (void)try_one(&r, "a", RETRY_ADMIT, BREAKER_ANSWERED, 507);
    s = retry_none(&r, SELECT_ROOM);
    assert_int_equal(s.status, 507);
    assert_string_equal(s.code, "insufficient_storage");
    assert_false(s.retry_after);

    retry_init(&r, 3); /* three attempts; the last tells */
    (void)try_one(&r, "a", RETRY_PUBLISH, BREAKER_ANSWERED, 500);
    (void)try_one(&r, "b", RETRY_ADMIT, BREAKER_ANSWERED, 507);
    (void)try_one(&r, "c", RETRY_PUBLISH, BREAKER_NOT_CONNECTED, 0);
    s = try_one(&r, "d", RETRY_PUBLISH, BREAKER_TIMED_OUT, 0);
    assert_int_equal(s.next, RETRY_ANSWER);
    assert_int_equal(s.status, 504);
    assert_string_equal(s.code, "upload_timeout");
    assert_true(s.abort);
    assert_int_equal(r.attempts, 3);
    assert_int_equal(r.refusals, 1);

    retry_init(&r, 3); /* a 507 in mid-stream thrice is "later" (D06) */
    (void)try_one(&r, "a", RETRY_BODY, BREAKER_ANSWERED, 507);
    (void)try_one(&r, "b", RETRY_BODY, BREAKER_ANSWERED, 507);
    s = try_one(&r, "c", RETRY_BODY, BREAKER_ANSWERED, 507);
    assert_int_equal(s.status, 503);
    assert_string_equal(s.code, "no_available_storage");

    retry_init(&r, 3); /* the only element failed: how, not just "none" */
    (void)try_one(&r, "a", RETRY_PUBLISH, BREAKER_ANSWERED, 500);
    assert_int_equal(retry_none(&r, SELECT_LATER).status, 502);
    retry_init(&r, 3);
    assert_int_equal(retry_none(&r, SELECT_LATER).status, 503);
    assert_int_equal(retry_none(&r, SELECT_NEVER).status, 503);

    retry_init(&r, 1);
    s = try_one(&r, "a", RETRY_ADMIT, BREAKER_NOT_CONNECTED, 0);
    assert_int_equal(s.status, 502);
    assert_string_equal(s.code, "storage_error");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_stories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
