/* breaker_test.c - tests of breaker.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/breaker.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct breaker_conf conf = {
    .failure_threshold = 5,
    .success_threshold = 2,
    .open_for = {60LL * 1000000000},
    .probe_for = {30LL * 1000000000},
};

static struct mono
at(int64_t s)
{
    return (struct mono){s * 1000000000};
}

/* ING-149, row by row. */
static void
test_judge(void **state)
{
    static const struct {
        const char *why;
        enum breaker_end end;
        int status;
        enum breaker_outcome want;
    } row[] = {
        {"stored", BREAKER_ANSWERED, 201, BREAKER_SUCCESS},
        {"a read", BREAKER_ANSWERED, 206, BREAKER_SUCCESS},
        {"not modified is an answer", BREAKER_ANSWERED, 304, BREAKER_SUCCESS},
        {"full is not sick", BREAKER_ANSWERED, 507, BREAKER_NEUTRAL},
        {"removed is not sick", BREAKER_ANSWERED, 404, BREAKER_NEUTRAL},
        {"our own mistake", BREAKER_ANSWERED, 400, BREAKER_NEUTRAL},
        {"its limiter", BREAKER_ANSWERED, 429, BREAKER_NEUTRAL},
        {"its fault", BREAKER_ANSWERED, 500, BREAKER_FAILURE},
        {"the proxy's fault", BREAKER_ANSWERED, 502, BREAKER_FAILURE},
        {"busy or read-only", BREAKER_ANSWERED, 503, BREAKER_FAILURE},
        {"the proxy waited", BREAKER_ANSWERED, 504, BREAKER_FAILURE},
        {"beyond 507", BREAKER_ANSWERED, 508, BREAKER_FAILURE},
        {"no status at all", BREAKER_ANSWERED, 0, BREAKER_FAILURE},
        {"refused", BREAKER_NOT_CONNECTED, 0, BREAKER_FAILURE},
        {"reset", BREAKER_BROKEN, 0, BREAKER_FAILURE},
        {"reset after a good head", BREAKER_BROKEN, 201, BREAKER_FAILURE},
        {"timeout", BREAKER_TIMED_OUT, 0, BREAKER_FAILURE},
        {"not HTTP", BREAKER_NONSENSE, 0, BREAKER_FAILURE},
        {"the client left", BREAKER_GIVEN_UP, 0, BREAKER_NEUTRAL},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (breaker_judge(row[i].end, row[i].status) != row[i].want)
            fail_msg("%s", row[i].why);
}

/* A story: each letter is an event at the second that stands before it.
 *   a  ask, must be allowed     d  ask, must be denied
 *   s f n  report of the oldest open request: success, failure, neutral
 *   l  the oldest open request is never reported
 *   C H O  the state must be this */
static void
play(const char *why, const struct breaker_conf *c, const char *story)
{
    struct breaker b;
    uint32_t open[64];
    unsigned first = 0, last = 0;
    int64_t now = 0;

    breaker_init(&b);
    for (const char *p = story; *p; p++) {
        static const char state[] = "CHO";
        uint32_t period = 0;
        bool ok = true;

        if (*p >= '0' && *p <= '9') {
            now = 0;
            while (*p >= '0' && *p <= '9')
                now = now * 10 + (*p++ - '0');
            p--;
            continue;
        }
        switch (*p) {
        case ' ':
            break;
        case 'a':
            ok = breaker_would(&b, c, at(now)) &&
                 breaker_ask(&b, c, at(now), &period);
            open[last++ % 64] = period;
            break;
        case 'd':
            ok = !breaker_would(&b, c, at(now)) &&
                 !breaker_ask(&b, c, at(now), &period);
            break;
        case 'l':
            first++;
            break;
        case 's':
        case 'f':
        case 'n':
            assert_true(first < last);
            (void)breaker_report(&b, c, at(now), open[first++ % 64],
                                 *p == 's'   ? BREAKER_SUCCESS
                                 : *p == 'f' ? BREAKER_FAILURE
                                             : BREAKER_NEUTRAL);
            break;
        default:
            ok = state[b.state] == *p;
            break;
        }
        if (!ok)
            fail_msg("%s: at '%s' of \"%s\", state %s", why, p, story,
                     breaker_state_name(b.state));
    }
}

static void
test_stories(void **state)
{
    struct breaker_conf c = conf;
    (void)state;

    play("five in a row open it (ING-148)", &c, "afafafafC af O d");
    play("a success between starts anew", &c, "afafafafas afafafaf C af O");
    play("507 and 404 neither count nor clear", &c, "afafafafan C af O");
    play("a trial after 60 s, one at a time", &c,
         "afafafafafO 59d O 60a H d d s H a d s C aa");
    play("one failure opens it again, for 60 s more", &c,
         "afafafafaf 60aH f O 61d 119d 120a H s a f O");
    play("a neutral end of a trial lets the next one through", &c,
         "afafafafaf 60a n H a n H a s a s C");
    play("late answers of the time before do not close it", &c,
         "a afafafafaf O"); /* the first report here is of the first ask */
    play("late failures do not open it again", &c,
         "aaaaaaaa fffff O fff 60a s a s C 61a f C");
    play("late successes neither close it nor end the trial", &c,
         "aaaaaaa fffff O 60a H ss d H s a s C");
    play("a trial that is never reported is given up after 30 s", &c,
         "afafafafaf 60a l 89d 90a H s a s C");
    play("and its own late report does not count", &c,
         "afafafafaf 60a 90a f H s H"); /* f is of the lost one */
    play("many in parallel open it once", &c, "aaaaaaaaaa ffffffffff O");

    c.failure_threshold = 1;
    c.success_threshold = 1;
    play("the smallest thresholds", &c, "af O 60a s C af O");
    c = conf;
    c.window = dur_s(10);
    play("failures far apart do not add up", &c,
         "af 10af 20af 30af 40af 50af C 51af 52af 53af C 54af O");
    c = conf;
    c.probe_for = dur_s(0);
    play("no bound on a trial", &c, "afafafafaf 60a 100000d H s");
    c.off = true;
    play("switched off", &c, "afafafafafafaf C a");
}

static void
test_deadline(void **state)
{
    struct breaker b;
    uint32_t period;
    (void)state;

    breaker_init(&b);
    assert_int_equal(breaker_deadline(&b).ns, INT64_MAX);
    for (int i = 0; i < 5; i++) {
        assert_true(breaker_ask(&b, &conf, at(7), &period));
        /* Only the step that changes the state says so: for the log. */
        assert_int_equal(
            breaker_report(&b, &conf, at(7), period, BREAKER_FAILURE), i == 4);
    }
    assert_int_equal(breaker_deadline(&b).ns, at(67).ns);
    assert_int_equal(b.opened, 1);
    assert_string_equal(breaker_state_name(b.state), "open");
    assert_string_equal(breaker_state_name((enum breaker_state)9), "unknown");
}

/* Whatever happens in whatever order: no state without a way out, at most one
 * trial at a time, and an element that is well again is used within the time
 * that the settings allow. */
static void
test_random(void **state)
{
    struct prng r;
    (void)state;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct breaker b;
        uint32_t open[8] = {0}, period = 0;
        unsigned n = 0, allowed = 0;
        int64_t now = 0;

        prng_init(&r, seed);
        breaker_init(&b);
        for (int i = 0; i < 2000; i++) {
            now += (int64_t)prng_below(&r, 4);
            if (n < 8 && prng_below(&r, 2) &&
                breaker_ask(&b, &conf, at(now), &period)) {
                open[n++] = period;
            } else if (n > 0) {
                unsigned k = (unsigned)prng_below(&r, n);

                (void)breaker_report(&b, &conf, at(now), open[k],
                                     (enum breaker_outcome)prng_below(&r, 3));
                open[k] = open[--n];
            }
        }
        /* Well from now on; what is in flight is lost. */
        for (int i = 0; i < 200 && b.state != BREAKER_CLOSED; i++) {
            now++;
            if (breaker_ask(&b, &conf, at(now), &period)) {
                (void)breaker_report(&b, &conf, at(now), period,
                                     BREAKER_SUCCESS);
                allowed++;
            }
        }
        if (b.state != BREAKER_CLOSED || allowed > 3)
            fail_msg("seed %llu: %s after %u trials", (unsigned long long)seed,
                     breaker_state_name(b.state), allowed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
