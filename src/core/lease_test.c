/* lease_test.c - tests of lease.h: each transition as a row of a story.
 * What instances do to each other: lease_failover_test.c, lease_rand_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/lease.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* --- configuration (CAP-019, CAP-027) ------------------------------------- */

static void
test_conf(void **state)
{
    static const struct {
        int64_t ttl_ms, renewal_ms;
        bool good;
        const char *why;
    } row[] = {
        {30000, 10000, true, "as specified"},
        {30000, 16000, true, "just room for one request"},
        {30000, 16100, false, "no room for a request before the deadline"},
        {30000, 29999, false, "no renewal before the deadline"},
        {30000, 30000, false, "CAP-027"},
        {30000, 31000, false, "CAP-027, beyond"},
        {30000, 0, false, "no renewal interval"},
        {0, 0, false, "nothing"},
        {99, 33, false, "a TTL that no network keeps up with"},
        {100, 33, true, "the shortest"},
        {3600000, 60000, true, "the longest"},
        {3600001, 60000, false, "longer"},
    };
    struct lease_conf c = lease_conf_of(dur_s(30), dur_s(10));
    (void)state;

    assert_int_equal(c.deadline.ns, dur_s(20).ns);
    assert_int_equal(c.stop.ns, dur_s(22).ns);
    assert_int_equal(c.patience.ns, dur_ms(2500).ns);
    for (size_t i = 0; i < countof(row); i++) {
        c = lease_conf_of(dur_ms(row[i].ttl_ms), dur_ms(row[i].renewal_ms));
        if ((lease_conf_check(&c) == NULL) != row[i].good)
            fail_msg("%s", row[i].why);
    }
    c = lease_conf_of(dur_s(30), dur_s(10));
    c.stop = c.ttl;
    assert_non_null(lease_conf_check(&c));
    c.stop = c.deadline;
    assert_non_null(lease_conf_check(&c));
}

/* --- stories -------------------------------------------------------------- */

/* A row: at `t` ms this happens, and then the machine stands like that. An
 * answer is to the request under way, or to the one `late` before it. */
struct row {
    int64_t t;
    enum lease_event_type ev;
    enum lease_result result;
    uint64_t epoch;
    int64_t left;
    unsigned late;
    /* then */
    enum lease_action action;
    enum lease_change change;
    enum lease_state state;
    enum lease_why why_lost;
    const char *why;
};

#define T LEASE_EV_TIME
#define A LEASE_EV_ANSWER
#define S LEASE_EV_STORE
#define F LEASE_FOLLOWER
#define L LEASE_LEADER

/* Jitter of almost nothing, so that times can be written down. */
static struct lease
born(uint64_t floor)
{
    struct lease_conf c = lease_conf_of(dur_s(30), dur_s(10));
    struct lease l;

    c.jitter.ns = 4;
    lease_init(&l, &c, 1, floor, (struct mono){0});
    return l;
}

static void
play(struct lease *l, const struct row *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &row[i];
        struct lease_event ev = {
            .type = r->ev,
            /* A little past the millisecond: jitter is some ns. */
            .now = mono_add((struct mono){100}, dur_ms(r->t)),
            .ask = l->ask - r->late,
            .result = r->result,
            .epoch = r->epoch,
            .left = dur_ms(r->left),
            .store = r->epoch,
            .doubt = r->late,
        };
        struct lease_out out;

        lease_step(l, &ev, &out);
        if (out.action != r->action || out.change != r->change ||
            l->state != r->state || out.why != r->why_lost)
            fail_msg("row %zu, %s: action %d, change %s, state %d, why %d", i,
                     r->why, out.action, lease_change_name(out.change),
                     l->state, out.why);
        if (!mono_before(ev.now, lease_deadline(l)))
            fail_msg("row %zu, %s: would be woken at once", i, r->why);
    }
}

#define PLAY(l, rows) play((l), (rows), countof(rows))

/* What most stories begin with. */
static const struct row leading[] = {
    {0, T, .action = LEASE_TAKE, .state = F, .why = "asks at once"},
    {5, A, LEASE_OK, 100, .change = LEASE_ACQUIRED, .state = L,
     .why = "has it"},
};

static void
test_renewal(void **state)
{
    static const struct row row[] = {
        {9999, T, .state = L, .why = "not yet due"},
        {10000, T, .action = LEASE_RENEW, .state = L, .why = "CAP-019"},
        {10400, A, LEASE_OK, .change = LEASE_RENEWED, .state = L,
         .why = "a slow answer"},
        {19999, T, .state = L, .why = "counted from the sending, not earlier"},
        {20000, T, .action = LEASE_RENEW, .state = L, .why = "and not later"},
        {20001, A, LEASE_FAILED, .state = L, .why = "the store is away"},
        {21000, T, .state = L, .why = "a moment before the retry"},
        {21001, T, .action = LEASE_RENEW, .state = L, .why = "retried"},
        {21002, A, LEASE_UNKNOWN, .state = L, .why = "a broken connection"},
        {22002, T, .action = LEASE_RENEW, .state = L, .why = "retried"},
        {24501, T, .state = L, .why = "no answer yet"},
        {24502, T, .action = LEASE_RENEW, .state = L, .why = "given up, again"},
        {24600, A, LEASE_OK, .late = 1, .state = L, .why = "late: ignored"},
        {24700, A, LEASE_OK, .change = LEASE_RENEWED, .state = L,
         .why = "this one counts"},
    };
    struct lease l = born(0);
    (void)state;

    PLAY(&l, leading);
    PLAY(&l, row);
    assert_int_equal(l.from.ns, dur_ms(24502).ns + 100);
    assert_int_equal(l.epoch, 100);
}

/* Not renewed: begins nothing after 20 s, writes nothing after 22 s (D09), and
 * both are counted from before the take was sent. */
static void
test_deadline(void **state)
{
    static const struct row row[] = {
        {10000, T, .action = LEASE_RENEW, .state = L, .why = "no answer"},
        {12500, T, .action = LEASE_RENEW, .state = L, .why = "nor to this"},
        {15000, T, .action = LEASE_RENEW, .state = L, .why = "nor this"},
        {17500, T, .action = LEASE_RENEW, .state = L, .why = "the last"},
        {19999, T, .state = L, .why = "still hopes"},
        {20000, T, .state = LEASE_ENDING, .why = "the deadline"},
        {20500, A, LEASE_OK, .state = LEASE_ENDING, .why = "too late"},
        {21999, T, .state = LEASE_ENDING, .why = "finishing"},
        {22000, T, .action = LEASE_TAKE, .change = LEASE_LOST, .state = F,
         .why_lost = LEASE_EXPIRED, .why = "tries to have it back"},
        {22010, A, LEASE_BUSY, 101, 30000, .state = F, .why = "it is gone"},
    };
    static const struct {
        int64_t ms;
        bool begin, write;
    } may[] = {
        {0, true, true},       {19999, true, true},   {20000, false, true},
        {21999, false, true},  {22000, false, false}, {25000, false, false},
        {99999, false, false},
    };
    struct lease l = born(0);
    (void)state;

    assert_false(lease_may_write(&l, (struct mono){0}, NULL));
    PLAY(&l, leading);
    /* Right also without having been told that time has passed. */
    for (size_t i = 0; i < countof(may); i++) {
        struct mono t = mono_add((struct mono){100}, dur_ms(may[i].ms));
        uint64_t epoch = 0;

        assert_int_equal(lease_may_begin(&l, t), may[i].begin);
        assert_int_equal(lease_may_write(&l, t, &epoch), may[i].write);
        assert_int_equal(epoch, may[i].write ? 100 : 0);
    }
    assert_string_equal(lease_role(&l), "leader");
    PLAY(&l, row);
    assert_string_equal(lease_role(&l), "follower");
    assert_int_equal(l.floor, 102); /* learnt from the holder */
}

/* Every way to lose it at once. */
static void
test_lost(void **state)
{
    static const struct {
        struct row row[3];
        size_t n;
    } story[] = {
        {{{10000, T, .action = LEASE_RENEW, .state = L, .why = "renews"},
          {10005, A, LEASE_CONFLICT, .change = LEASE_LOST, .state = F,
           .why_lost = LEASE_TAKEN, .why = "stolen (CAP-022)"},
          {10006, T, .action = LEASE_TAKE, .state = F, .why = "asks again"}},
         3},
        {{{10000, T, .action = LEASE_RENEW, .state = L, .why = "renews"},
          {10005, A, LEASE_BUSY, .change = LEASE_LOST, .state = F,
           .why_lost = LEASE_TAKEN, .why = "the same in other words"}},
         2},
        {{{7000, LEASE_EV_REFUSED, .epoch = 100, .change = LEASE_LOST,
           .state = F, .why_lost = LEASE_FENCED, .why = "a write refused"},
          {7001, T, .action = LEASE_TAKE, .state = F, .why = "asks again"}},
         2},
        {{{7000, LEASE_EV_REFUSED, .epoch = 99, .state = L,
           .why = "a write of an earlier life was refused"}},
         1},
        {{{10000, T, .action = LEASE_RENEW, .state = L, .why = "renews"},
          {10001, LEASE_EV_REFUSED, .epoch = 100, .change = LEASE_LOST,
           .state = F, .why_lost = LEASE_FENCED, .why = "meanwhile refused"},
          {10002, A, LEASE_OK, .action = LEASE_TAKE, .state = F,
           .why = "the renewal's answer changes nothing"}},
         3},
        {{{35000, T, .action = LEASE_TAKE, .change = LEASE_LOST, .state = F,
           .why_lost = LEASE_EXPIRED, .why = "paused for 35 s"}},
         1},
        {{{10000, T, .action = LEASE_RENEW, .state = L, .why = "renews"},
          {45000, A, LEASE_OK, .action = LEASE_TAKE, .change = LEASE_LOST,
           .state = F, .why_lost = LEASE_EXPIRED,
           .why = "paused; the good answer was waiting in the socket"}},
         2},
    };
    (void)state;

    for (size_t i = 0; i < countof(story); i++) {
        struct lease l = born(0);

        PLAY(&l, leading);
        play(&l, story[i].row, story[i].n);
        assert_int_equal(l.epoch, l.state == L ? 100 : 0);
    }
}

/* When a follower asks again (CAP-023, D42). */
static void
test_follower(void **state)
{
    static const struct {
        enum lease_result result;
        int64_t left;
        int64_t next;
        const char *why;
    } row[] = {
        {LEASE_BUSY, 30000, 10000, "once in a renewal interval (CAP-023)"},
        {LEASE_BUSY, 10001, 10000, "the same"},
        {LEASE_BUSY, 9999, 9999, "when it can have ended (D42)"},
        {LEASE_BUSY, 1, 1, "in a moment"},
        {LEASE_BUSY, -5, 0, "nonsense from outside"},
        {LEASE_BUSY, INT64_MAX / 1000000, 10000, "more nonsense"},
        {LEASE_FAILED, 0, 1000, "the store is away"},
        {LEASE_FAILED, 0, 2000, "still"},
        {LEASE_FAILED, 0, 4000, "still"},
        {LEASE_FAILED, 0, 8000, "still"},
        {LEASE_FAILED, 0, 10000, "not longer than a renewal interval"},
        {LEASE_FAILED, 0, 10000, "not longer"},
        {LEASE_CONFLICT, 0, 30000, "nonsense: perhaps carried out"},
        {LEASE_BUSY, 5000, 5000, "back"},
        {LEASE_FAILED, 0, 1000, "and away: from the beginning"},
        {LEASE_UNKNOWN, 0, 2000, "perhaps we have it"},
        {LEASE_UNKNOWN, 0, 30000, "the lock may end before we ask again"},
        {LEASE_FAILED, 0, 30000, "it still may be ours"},
        {LEASE_BUSY, 5000, 5000, "it was not"},
        {LEASE_UNKNOWN, 0, 1000, "from the beginning"},
    };
    struct lease l = born(0);
    struct mono now = {0};
    struct lease_out out;
    (void)state;

    lease_step(&l, &(struct lease_event){.type = T, .now = now}, &out);
    for (size_t i = 0; i < countof(row); i++) {
        struct mono next;

        assert_int_equal(out.action, LEASE_TAKE);
        now = mono_add(now, dur_ms(10));
        lease_step(&l,
                   &(struct lease_event){.type = A,
                                         .now = now,
                                         .ask = out.ask,
                                         .result = row[i].result,
                                         .left = {row[i].left * 1000000}},
                   &out);
        next = mono_add(now, dur_ms(row[i].next));
        if (lease_deadline(&l).ns <= next.ns ||
            lease_deadline(&l).ns > next.ns + 12)
            fail_msg("%s: %lld ms", row[i].why,
                     (long long)(lease_deadline(&l).ns - now.ns) / 1000000);
        now = lease_deadline(&l);
        lease_step(&l, &(struct lease_event){.type = T, .now = now}, &out);
    }
    /* No answer at all is the same as an unknown one, after the patience. */
    now = lease_deadline(&l);
    assert_int_equal(now.ns, l.sent.ns + dur_ms(2500).ns);
    lease_step(&l, &(struct lease_event){.type = T, .now = now}, &out);
    assert_int_equal(out.label, LEASE_L_ERROR);
    assert_int_equal(out.took.ns, dur_ms(2500).ns);
    assert_true(lease_deadline(&l).ns > now.ns + dur_s(2).ns);
}

static void
test_hint(void **state)
{
    static const struct row idle[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {5, A, LEASE_BUSY, 7, 29000, .state = F, .why = "someone leads"},
        {6000, LEASE_EV_HINT, .state = F, .action = LEASE_TAKE,
         .why = "released: asks at once"},
        {6005, A, LEASE_OK, 8, .change = LEASE_ACQUIRED, .state = L,
         .why = "has it"},
        {6006, LEASE_EV_HINT, .state = L, .why = "does not disturb a leader"},
    };
    static const struct row crossing[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {4, LEASE_EV_HINT, .state = F, .why = "a request is under way"},
        {5, A, LEASE_BUSY, 7, 29000, .state = F, .why = "it was too early"},
        {6, T, .action = LEASE_TAKE, .state = F, .why = "so again"},
        {7, A, LEASE_BUSY, 8, 30000, .state = F, .why = "another was quicker"},
        {9999, T, .state = F, .why = "the hint is used up"},
    };
    struct lease l = born(0);
    (void)state;

    /* With a jitter of 4 ns a hint is followed within the same millisecond. */
    PLAY(&l, idle);
    l = born(0);
    PLAY(&l, crossing);
}

static void
test_stop(void **state)
{
    static const struct row orderly[] = {
        {7000, LEASE_EV_STOP, .action = LEASE_FREE, .state = LEASE_FREEING,
         .why = "gives it back (CAP-024)"},
        {7001, LEASE_EV_STOP, .state = LEASE_FREEING, .why = "asked twice"},
        {7005, A, LEASE_OK, .change = LEASE_RELEASED, .state = LEASE_STOPPED,
         .why = "freed"},
        {7006, LEASE_EV_HINT, .state = LEASE_STOPPED, .why = "done for good"},
        {99999, T, .state = LEASE_STOPPED, .why = "for ever"},
    };
    static const struct row renewing[] = {
        {10000, T, .action = LEASE_RENEW, .state = L, .why = "renews"},
        {10001, LEASE_EV_STOP, .action = LEASE_FREE, .state = LEASE_FREEING,
         .why = "stops while a renewal is under way"},
        {10002, A, LEASE_OK, .late = 1, .state = LEASE_FREEING,
         .why = "the renewal's answer"},
        {10003, A, LEASE_CONFLICT, .change = LEASE_LOST, .state = LEASE_STOPPED,
         .why_lost = LEASE_UNFREED, .why = "it was not ours any more"},
    };
    static const struct row silent[] = {
        {7000, LEASE_EV_STOP, .action = LEASE_FREE, .state = LEASE_FREEING,
         .why = "gives it back"},
        {9499, T, .state = LEASE_FREEING, .why = "no answer yet"},
        {9500, T, .change = LEASE_LOST, .state = LEASE_STOPPED,
         .why_lost = LEASE_UNFREED, .why = "does not wait for ever"},
        {9600, A, LEASE_OK, .state = LEASE_STOPPED, .why = "a late answer"},
    };
    static const struct row ending[] = {
        {20000, T, .state = LEASE_ENDING, .why = "not renewed"},
        {21000, LEASE_EV_STOP, .action = LEASE_FREE, .state = LEASE_FREEING,
         .why = "the lock may still be ours"},
        {21001, A, LEASE_FAILED, .change = LEASE_LOST, .state = LEASE_STOPPED,
         .why_lost = LEASE_UNFREED, .why = "the store is away"},
    };
    static const struct row replaced[] = {
        {7, S, .epoch = 1, .state = L, .why = "the store it is"},
        {7000, LEASE_EV_STOP, .action = LEASE_FREE, .state = LEASE_FREEING,
         .why = "gives it back"},
        {7001, S, .epoch = 2, .change = LEASE_LOST, .state = LEASE_STOPPED,
         .why_lost = LEASE_UNFREED, .why = "nobody there to give it to"},
    };
    struct lease l;
    (void)state;

#define STORY(rows)        \
    do {                   \
        l = born(0);       \
        PLAY(&l, leading); \
        PLAY(&l, rows);    \
    } while (0)
    STORY(orderly);
    assert_int_equal(lease_deadline(&l).ns, MONO_NEVER.ns);
    STORY(renewing);
    STORY(silent);
    l = born(0);
    PLAY(&l, leading);
    l.asked = LEASE_NONE;
    l.at = MONO_NEVER; /* a renewal that nobody made */
    PLAY(&l, ending);
    STORY(replaced);
}

/* Asked to stop while a take is under way: what it gets is given back. */
static void
test_stop_follower(void **state)
{
    static const struct row idle[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {5, A, LEASE_BUSY, 7, 29000, .state = F, .why = "someone leads"},
        {6, LEASE_EV_STOP, .state = LEASE_STOPPED, .why = "nothing to free"},
    };
    static const struct row got[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {1, LEASE_EV_STOP, .state = LEASE_FREEING, .why = "waits for it"},
        {5, A, LEASE_OK, 7, .action = LEASE_FREE, .state = LEASE_FREEING,
         .why = "is no leader, and gives it back"},
        {6, A, LEASE_OK, .state = LEASE_STOPPED, .why = "done"},
    };
    static const struct row busy[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {1, LEASE_EV_STOP, .state = LEASE_FREEING, .why = "waits for it"},
        {5, A, LEASE_BUSY, 7, 9000, .state = LEASE_STOPPED, .why = "not ours"},
    };
    static const struct row silent[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {1, LEASE_EV_STOP, .state = LEASE_FREEING, .why = "waits for it"},
        {2500, T, .state = LEASE_STOPPED, .why = "not for ever"},
    };
    struct lease l = born(0);
    (void)state;

    PLAY(&l, idle);
    l = born(0);
    PLAY(&l, got);
    l = born(0);
    PLAY(&l, busy);
    l = born(0);
    PLAY(&l, silent);
}

/* D32: another run id means sitting out a TTL, whoever one is. */
static void
test_store(void **state)
{
    static const struct row leader[] = {
        {6, S, .epoch = 1, .state = L, .why = "the first is noted"},
        {7, S, .epoch = 1, .state = L, .why = "a new connection to it"},
        {8000, S, .epoch = 2, .change = LEASE_LOST, .state = F,
         .why_lost = LEASE_REPLACED, .why = "replaced"},
        {8001, LEASE_EV_HINT, .state = F, .why = "sits out, also then"},
        {37999, T, .state = F, .why = "sits out"},
        {38001, T, .action = LEASE_TAKE, .state = F, .why = "one TTL later"},
    };
    static const struct row renewing[] = {
        {6, S, .epoch = 1, .state = L, .why = "the first is noted"},
        {10000, T, .action = LEASE_RENEW, .state = L, .why = "renews"},
        {10001, S, .epoch = 2, .change = LEASE_LOST, .state = F,
         .why_lost = LEASE_REPLACED, .why = "replaced meanwhile"},
        {10002, A, LEASE_OK, .state = F, .why = "whoever said that"},
        {20000, S, .epoch = 3, .state = F, .why = "replaced again"},
        {49999, T, .state = F, .why = "so it begins again"},
        {50001, T, .action = LEASE_TAKE, .state = F, .why = "one TTL later"},
    };
    static const struct row follower[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {1, S, .epoch = 1, .state = F, .why = "the first"},
        {2, S, .epoch = 2, .state = F, .why = "replaced"},
        {3, A, LEASE_OK, 100, .state = F, .why = "given up: no leader"},
        {30001, T, .state = F, .why = "sits out"},
        {30003, T, .action = LEASE_TAKE, .state = F, .why = "one TTL later"},
    };
    static const struct row doubt[] = {
        {0, T, .action = LEASE_TAKE, .state = F, .why = "asks"},
        {1, S, .epoch = 1, .late = 1, .state = F, .why = "in doubt"},
        {2, A, LEASE_FAILED, .state = F, .why = "not connected then"},
        {30000, T, .state = F, .why = "sits out"},
        {30002, T, .action = LEASE_TAKE, .state = F, .why = "one TTL later"},
    };
    struct lease l;
    (void)state;

    STORY(leader);
    STORY(renewing);
    l = born(0);
    PLAY(&l, follower);
    l = born(0);
    PLAY(&l, doubt);
}

/* Epochs from outside are answers, not beliefs. */
static void
test_epoch(void **state)
{
    static const struct {
        uint64_t floor, epoch;
        bool good;
        const char *why;
    } row[] = {
        {0, 1, true, "the first of all"},
        {0, 0, false, "no epoch"},
        {0, 1700000000000, true, "milliseconds"},
        {500, 500, true, "Admin's floor"},
        {500, 499, false, "below it: may have been used"},
        {0, UINT64_MAX, false, "nothing could follow it"},
        {0, UINT64_MAX - 1, true, "the last"},
        {500, 501, true, "above it"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct lease l = born(row[i].floor);
        struct lease_out out;

        lease_step(&l, &(struct lease_event){.type = T}, &out);
        assert_int_equal(out.floor, u64_max(row[i].floor, 1));
        lease_step(
            &l,
            &(struct lease_event){
                .type = A, .ask = out.ask, .now = {1}, .epoch = row[i].epoch},
            &out);
        if ((l.state == L) != row[i].good)
            fail_msg("%s", row[i].why);
        if (l.state == L && l.floor != row[i].epoch + 1)
            fail_msg("%s: the next could be the same", row[i].why);
    }
}

static void
test_names(void **state)
{
    (void)state;

    assert_string_equal(lease_change_name(LEASE_ACQUIRED), "acquired");
    assert_string_equal(lease_change_name(LEASE_LOST), "lost");
    assert_string_equal(lease_change_name(LEASE_RENEWED), "renewed");
    assert_string_equal(lease_label_name(LEASE_L_NOT_ACQUIRED), "not_acquired");
    assert_string_equal(lease_label_name(LEASE_L_ERROR), "error");
    assert_string_equal(lease_why_text(LEASE_EXPIRED),
                        "it could not be renewed in time");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conf),     cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_deadline), cmocka_unit_test(test_lost),
        cmocka_unit_test(test_follower), cmocka_unit_test(test_hint),
        cmocka_unit_test(test_stop),     cmocka_unit_test(test_stop_follower),
        cmocka_unit_test(test_store),    cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
