/* monitor_test.c - the capacity monitor in virtual time: one to four gateways,
 * their elements, the store and Admin (CAP-102...CAP-108, REL-149...REL-157).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "role/ingest/monitor_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct world w;

static int
set_up(void **state)
{
    (void)state;
    world_open(&w, 4, 8);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static void
start_all(void)
{
    world_list(&w, w.n_elements);
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
}

/* ---- from the element to the choice ---- */

/* CAP-044...CAP-051: what is in the store after the first polls. */
static void
test_store(void **state)
{
    (void)state;
    w.e[2].mode = "ro";
    w.e[4].status = "full";
    start_all();
    world_run(&w, dur_s(1));
    assert_string_equal(world_hash(&w, "capacity:se-000", "storage_id"),
                        "se-000");
    assert_string_equal(world_hash(&w, "capacity:se-000", "mode"), "edit");
    assert_string_equal(world_hash(&w, "capacity:se-000", "total"),
                        "1073741824000");
    assert_string_equal(world_hash(&w, "capacity:se-000", "percent_used"),
                        "10.00");
    assert_string_equal(world_hash(&w, "capacity:se-000", "health"), "healthy");
    assert_string_equal(world_hash(&w, "capacity:se-000", "backend"), "local");
    assert_string_equal(world_hash(&w, "capacity:se-000", "endpoint"),
                        "http://dc1:8443/se-000");
    assert_int_equal(strncmp(world_hash(&w, "capacity:se-000", "last_poll"),
                             "2025-10-09T", 11),
                     0);
    assert_string_equal(world_text(&w, "health:se-000"), "healthy");
    /* by priority; neither the one of another mode nor the full one */
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-000:10 se-006:16");
    assert_string_equal(world_set(&w, "capacity:rw:available"),
                        "se-001:11 se-003:13 se-005:15 se-007:17");
    assert_string_equal(w.e[0].auth, "Authorization: Bearer t0ken\r\n");
}

/* CAP-059: all gateways choose alike, whoever leads. */
static void
test_choice(void **state)
{
    (void)state;
    start_all();
    world_run(&w, dur_s(6));
    assert_true(world_leader(&w) >= 0);
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_RW),
                            "se-001");
        assert_int_equal(
            world_count(
                &w, i,
                metric_series(w.node[i].metrics, M_ELEMENTS_AVAILABLE, "edit")),
            4);
    }
    w.admin_asked = 0; /* before the first polls it stands in */
    w.e[0].status = "full";
    world_run(&w, dur_s(38)); /* the poll, and the interval of the others */
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    w.e[0].status = "ok";
    world_run(&w, dur_s(38));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
    assert_int_equal(w.admin_asked, 0);
}

static unsigned
requests(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w.n_elements; i++)
        n += w.e[i].requests;
    return n;
}

static unsigned
leader(void)
{
    int n = world_leader(&w);

    assert_true(n >= 0);
    return (unsigned)n;
}

static void
lose_store(unsigned node, bool lost)
{
    w.node[node].store.fail =
        lost ? (struct fail){.at = 1, .on = true} : (struct fail){0};
}

static void
lose_store_all(bool lost)
{
    for (unsigned i = 0; i < w.n; i++)
        lose_store(i, lost);
}

/* ---- who leads ---- */

/* Within AT_MOST another one leads, never two, and polls all at once
 * (CAP-028); BEFORE is how often all were polled when it began. */
static void
leads_again(int but, int at_most_s, unsigned before)
{
    int s = 0;

    for (; s <= at_most_s; s++) {
        int now = world_leader(&w);

        assert_int_not_equal(now, -2);
        if (now >= 0 && now != but)
            break;
        before = requests();
        world_run(&w, dur_s(1));
    }
    assert_in_range(s, 0, at_most_s);
    world_run(&w, dur_ms(100));
    assert_true(requests() - before >= w.n_elements);
}

/* D42: 33 s; and what it does when it wakes up is refused or not tried. */
static void
test_paused(void **state)
{
    unsigned was;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    world_pause(&w, was);
    leads_again((int)was, 33, requests());
    world_resume(&w, was);
    world_run(&w, dur_s(2));
    assert_int_not_equal(leader(), was);
    assert_int_equal(
        world_count(&w, was,
                    metric_series(w.node[was].metrics, M_LEADER_TRANSITIONS,
                                  w.node[was].name, "lost")),
        1);
    assert_int_equal(
        world_count(&w, was,
                    metric_series(w.node[was].metrics, M_LEADER_STATE,
                                  w.node[was].name)),
        0);
}

/* In order: at once (CAP-024, issue: 1 s). */
static void
test_stopped(void **state)
{
    unsigned was, n;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    n = requests();
    world_stop(&w, was);
    leads_again((int)was, 1, n);
    world_start(&w, was);
    world_run(&w, dur_s(5));
    assert_int_not_equal(leader(), was);
}

/* Cut off from the store, it stops by itself (CAP-025). */
static void
test_cut_off(void **state)
{
    unsigned was;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    lose_store(was, true);
    leads_again((int)was, 33, requests());
    lose_store(was, false);
    world_run(&w, dur_s(70));
    assert_int_not_equal(leader(), was);
    assert_string_equal(world_choice(&w, was, VIEW_POLLED, SELECT_EDIT),
                        "se-000");
}

/* The lock is taken from node WAS, by nobody of ours. */
static void
steal(unsigned was, const char *owner, struct dur ttl)
{
    struct coord_request take = {.op = COORD_LEASE_TAKE,
                                 .key = MONITOR_LOCK,
                                 .owner = owner,
                                 .ttl = ttl};
    struct coord_request free_it = {
        .op = COORD_LEASE_FREE, .key = MONITOR_LOCK, .owner = w.node[was].name};
    struct monitor_status s;

    monitor_status(w.node[was].m, &s);
    free_it.epoch = s.epoch;
    assert_int_equal(world_do(&w, &free_it), ERR_OK);
    assert_int_equal(world_do(&w, &take), ERR_OK);
}

/* The lock is taken away: the next write is refused, and that ends it. */
static void
test_stolen(void **state)
{
    unsigned was;
    (void)state;

    start_all();
    world_run(&w, dur_s(25));
    was = leader();
    steal(was, "thief", dur_s(12));
    monitor_trouble(w.node[was].m, "se-000", RELOAD_CONNECTION);
    world_run(&w, dur_ms(100));
    assert_int_equal(world_leader(&w), -1);
    leads_again(-1, 14, requests());
}

static unsigned
quiet_of(unsigned i)
{
    struct monitor_status s;

    monitor_status(w.node[i].m, &s);
    return s.quiet_s;
}

/* Somebody has the lock and does nothing: after a while all say so, and until
 * then a change of leader is none of it. */
static void
test_nobody_polls(void **state)
{
    unsigned was, other;
    (void)state;

    start_all();
    world_run(&w, dur_s(15));
    was = leader();
    other = was ? 0 : 1;
    steal(was, "ghost", dur_s(300));
    for (int i = 0; i < 80; i++) {
        world_run(&w, dur_s(1));
        assert_int_equal(quiet_of(was), 0);
        assert_int_equal(quiet_of(other), 0);
    }
    world_run(&w, dur_s(70));
    assert_in_range(quiet_of(was), 120, 200);
    assert_in_range(quiet_of(other), 120, 200);
    world_run(&w, dur_s(200)); /* the lock has ended */
    assert_int_equal(quiet_of(was), 0);
    assert_int_equal(quiet_of(other), 0);
}

static void
run_not_quiet(struct dur d, struct dur step)
{
    for (int64_t ns = 0; ns < d.ns; ns += step.ns) {
        world_run(&w, step);
        for (unsigned i = 0; i < w.n; i++)
            assert_int_equal(quiet_of(i), 0);
    }
}

/* Nobody could poll without a store, or without elements: the time counts from
 * when somebody can, and he has to be elected first. */
static void
test_nobody_could_poll(void **state)
{
    const unsigned n = w.n_elements;
    (void)state;

    w.n_elements = 0; /* Admin has none either */
    world_list(&w, 0);
    start_all();
    run_not_quiet(dur_s(300), dur_s(1));
    w.n_elements = n;
    world_list(&w, n);
    for (unsigned i = 0; i < w.n; i++)
        monitor_reload(w.node[i].m, NULL);
    run_not_quiet(dur_s(1), dur_ms(1));
    run_not_quiet(dur_s(100), dur_s(1));
    lose_store_all(true);
    run_not_quiet(dur_s(300), dur_s(1));
    lose_store_all(false);
    run_not_quiet(dur_s(100), dur_ms(50));
    assert_true(requests() > 0);
}

/* ---- how often ---- */

/* CAP-005, CAP-006: 4 gateways poll as often as one; 100 elements, every 30 s,
 * are 288,000 a day. (A whole day, and who leads changes: tools/suite sim.) */
static void
test_hours(void **state)
{
    const int hours = TIMES(6, 1), want = hours * 12000;
    unsigned n;
    (void)state;

    world_close(&w);
    world_open(&w, 4, 100);
    for (unsigned i = 0; i < w.n; i++)
        w.node[i].conf.refresh = dur_s(300); /* not what is measured here */
    start_all();
    world_run(&w, dur_s(hours * 3600));
    n = requests();
    print_message("%d h of 4 gateways and 100 elements: %u polls\n", hours, n);
    assert_in_range(n, want - want / 100, want + want / 100);
}

/* On all gateways, not only where it is polled. */
static void
expect_gauge(const char *id, int want)
{
    for (unsigned i = 0; i < w.n; i++)
        assert_int_equal(
            world_count(
                &w, i, metric_series(w.node[i].metrics, M_ELEMENT_HEALTHY, id)),
            want);
}

/* CAP-036, CAP-108: 1 + 3 requests, with 2, 4, 8 s between them; the third
 * failed poll makes it unhealthy, the interval grows; two good ones heal it.
 * The others do not notice. */
static void
test_backoff(void **state)
{
    unsigned n;
    (void)state;

    start_all();
    world_run(&w, dur_s(35));
    w.e[0].way = FAKE_ERROR;
    w.e[0].http = 503;
    n = w.e[0].requests;
    world_run(&w, dur_s(48)); /* a poll comes within 33 s and takes 14 s */
    assert_true(w.e[0].requests - n >= 4);
    assert_string_equal(world_text(&w, "health:se-000"), "healthy");
    expect_gauge("se-000", 1);
    world_run(&w, dur_s(90));
    assert_string_equal(world_text(&w, "health:se-000"),
                        "unhealthy: http_error");
    assert_string_equal(world_hash(&w, "capacity:se-000", "health"),
                        "unhealthy: http_error");
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-002:12 se-004:14 se-006:16");
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    expect_gauge("se-000", 0);
    expect_gauge("se-002", 1);
    world_run(&w, dur_s(1200));
    n = w.e[0].requests;
    world_run(&w, dur_s(1200));
    assert_in_range(w.e[0].requests - n, 4 * 3, 4 * 5); /* every 300 s */
    w.e[0].way = FAKE_GOOD;
    for (int i = 0; i < 310 && strcmp(world_text(&w, "health:se-000"),
                                      "unhealthy: recovering") != 0;
         i++)
        world_run(&w, dur_s(1));
    assert_string_equal(world_text(&w, "health:se-000"),
                        "unhealthy: recovering");
    world_run(&w, dur_s(15)); /* the second good poll, and a round */
    assert_string_equal(world_text(&w, "health:se-000"), "healthy");
    expect_gauge("se-000", 1);
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
}

/* What counts as which failure (CAP-040). */
static void
test_errors(void **state)
{
    static const struct {
        enum fake_way way;
        int http;
        const char *label;
    } row[] = {
        {FAKE_SILENT, 0, "timeout"},
        {FAKE_REFUSES, 0, "connection_error"},
        {FAKE_ERROR, 500, "http_error"},
        {FAKE_ERROR, 404, "http_error"},
        {FAKE_NONSENSE, 0, "invalid_response"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        w.e[i].way = row[i].way;
        w.e[i].http = row[i].http;
    }
    start_all();
    world_run(&w, dur_s(200));
    for (size_t i = 0; i < countof(row); i++) {
        unsigned n = leader();
        struct metrics *x = w.node[n].metrics;
        int64_t got = world_count(
            &w, n, metric_series(x, M_POLL_FAILURES, w.e[i].id, row[i].label));

        if (got < 2)
            fail_msg("%s: %lld", row[i].label, (long long)got);
    }
    /* One that is not repeated costs one request. */
    assert_true(w.e[3].requests < w.e[2].requests);
    /* A slow one delays nobody (CAP-037). */
    assert_in_range(w.e[7].answered, 6, 8);
}

/* Series of what has gone are not (ING-303), or alerts would tell of it. */
static bool
is_shown(unsigned node, const char *text)
{
    struct buf b;
    bool shown;

    buf_init(&b, MIB);
    assert_true(metrics_expose(w.node[node].metrics, &b));
    shown = strstr(buf_str(&b), text) != NULL;
    buf_release(&b);
    return shown;
}

/* ---- which elements ---- */

static void
test_added_and_removed(void **state)
{
    (void)state;

    world_list_range(&w, 1, 4);
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
    world_run(&w, dur_s(10));
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT),
                        "se-002");
    world_list_range(&w, 0, 3); /* se-000 is new, se-003 has gone */
    world_run(&w, dur_s(66));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
    assert_string_equal(world_hash(&w, "capacity:se-003", "mode"), "");
    assert_string_equal(world_text(&w, "health:se-003"), "");
    assert_string_equal(world_set(&w, "capacity:rw:available"), "se-001:11");
    for (unsigned i = 0; i < w.n; i++) {
        assert_false(is_shown(i, "storage_id=\"se-003\""));
        assert_true(is_shown(i, "storage_id=\"se-000\""));
    }
    assert_int_equal(
        world_count(&w, 0, metric_plain(w.node[0].metrics, M_SE_ENDPOINTS)), 3);
    for (unsigned i = 0; i < w.n; i++) {
        assert_int_equal(
            world_count(
                &w, i, metric_series(w.node[i].metrics, M_SE_CHANGES, "added")),
            1);
        assert_int_equal(world_count(&w, i,
                                     metric_series(w.node[i].metrics,
                                                   M_SE_CHANGES, "removed")),
                         1);
    }
}

/* CAP-038: it is removed while it is being polled. */
static void
test_late_answer(void **state)
{
    struct monitor_status s;
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    w.e[3].takes = dur_s(9);
    for (int i = 0; i < 40 && w.e[3].requests == w.e[3].answered; i++)
        world_run(&w, dur_s(1));
    assert_int_not_equal(w.e[3].requests, w.e[3].answered);
    world_list(&w, 3);
    for (unsigned i = 0; i < w.n; i++)
        monitor_reload(w.node[i].m, NULL);
    world_run(&w, dur_s(1));
    assert_string_equal(world_hash(&w, "capacity:se-003", "mode"), "");
    world_run(&w, dur_s(10));
    assert_int_equal(w.e[3].requests, w.e[3].answered);
    assert_string_equal(world_hash(&w, "capacity:se-003", "mode"), "");
    assert_string_equal(world_set(&w, "capacity:rw:available"), "se-001:11");
    monitor_status(w.node[0].m, &s);
    assert_int_equal(s.elements, 3);
}

/* REL-040, CAP-052: a priority counts at once. */
static void
test_priority(void **state)
{
    static const char text[] =
        "{\"version\":50,\"storage_elements\":["
        "{\"element_id\":\"se-000\",\"api_url\":\"http://dc1:8443/se-000\","
        "\"priority\":90},"
        "{\"element_id\":\"se-002\",\"api_url\":\"http://dc1:8443/se-002\","
        "\"priority\":20}]}";
    struct coord_request put = {.op = COORD_TEXT_PUT,
                                .key = "artstore:storage_elements",
                                .value = SLICE(text)};
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    assert_int_equal(world_do(&w, &put), ERR_OK);
    for (unsigned i = 0; i < w.n; i++)
        monitor_reload(w.node[i].m, NULL);
    world_run(&w, dur_ms(200));
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-002:20 se-000:90");
    for (unsigned i = 0; i < w.n; i++) {
        world_run(&w, dur_s(6));
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    }
}

static unsigned
follower(void)
{
    return leader() == 0;
}

/* What a list says counts where it was read, also while the leader, who writes
 * scores, has not read it. */
static void
test_priority_of_list(void **state)
{
    unsigned f;
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    f = follower();
    w.e[0].priority = 90;
    world_list(&w, w.n_elements);
    monitor_reload(w.node[f].m, NULL);
    world_run(&w, dur_ms(200));
    assert_string_equal(world_choice(&w, f, VIEW_POLLED, SELECT_EDIT),
                        "se-002");
    assert_string_equal(world_choice(&w, leader(), VIEW_POLLED, SELECT_EDIT),
                        "se-000");
}

static struct blob_capacity
shown_by(unsigned node, const char *id)
{
    const struct view_part *p =
        view_part_of(monitor_view(w.node[node].m, &w.node[node].lm.loop),
                     VIEW_POLLED, w.now);
    struct blob_capacity c;
    long at;

    assert_non_null(p);
    at = snapshot_find(p->snap, id);
    assert_true(at >= 0);
    p->blob[at]->ops->capacity(p->blob[at], &c);
    return c;
}

/* Of Admin's mode and the element's own the later one counts, for choices by
 * either source, for counts and for what is shown. */
static void
test_listed_mode(void **state)
{
    struct monitor_status s;
    struct blob_capacity c;
    unsigned f;
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    f = follower();
    w.e[0].listed = "ro";   /* from edit: takes nothing */
    w.e[1].listed = "edit"; /* registered so; it is rw all the same */
    w.e[2].listed = "rw";   /* from edit: permanent files */
    world_list(&w, w.n_elements);
    monitor_reload(w.node[f].m, NULL);
    world_run(&w, dur_ms(200)); /* nobody else has read it */
    assert_string_equal(world_choice(&w, f, VIEW_POLLED, SELECT_EDIT),
                        "se-004");
    assert_string_equal(world_choice(&w, f, VIEW_POLLED, SELECT_RW), "se-001");
    for (unsigned i = 0; i < w.n; i++)
        monitor_reload(w.node[i].m, NULL);
    world_run(&w, dur_s(6));
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-004:14 se-006:16");
    assert_string_equal(world_set(&w, "capacity:rw:available"),
                        "se-001:11 se-002:12 se-003:13 se-005:15 se-007:17");
    assert_string_equal(world_hash(&w, "capacity:se-000", "mode"), "edit");
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-004");
        monitor_status(w.node[i].m, &s);
        assert_int_equal(s.edit, 2);
        assert_int_equal(s.rw, 5);
    }
    c = shown_by(f, "se-000");
    assert_int_equal(c.mode, BLOB_RO);
    assert_false(c.writable);
    assert_true(c.is_listed);
    assert_true(c.has_reported);
    assert_int_equal(c.listed_mode, BLOB_RO);
    assert_int_equal(c.reported_mode, BLOB_EDIT);
    assert_int_equal(shown_by(f, "se-001").mode, BLOB_RW);
    w.e[1].mode = "ro"; /* started so, and Admin has not heard of it */
    world_run(&w, dur_s(40));
    assert_string_equal(world_choice(&w, f, VIEW_POLLED, SELECT_RW), "se-002");
    lose_store_all(true);
    world_run(&w, dur_s(7));
    assert_string_equal(world_choice(&w, f, VIEW_ADMIN, SELECT_EDIT), "se-004");
    assert_string_equal(world_choice(&w, f, VIEW_ADMIN, SELECT_RW), "se-002");
}

static struct blob_capacity told_last;

static void
elements_told(void *arg, const struct monitor_element *list, unsigned n)
{
    (void)arg;
    for (unsigned i = 0; i < n; i++)
        if (strcmp(list[i].element_id, "se-000") == 0)
            list[i].blob->ops->capacity(list[i].blob, &told_last);
}

/* What Admin lists counts also where nobody says how full an element is: there
 * are no deletes from it (ING-056). */
static void
test_listed_without_numbers(void **state)
{
    static const struct {
        const char *listed;
        enum blob_mode mode;
    } row[] = {
        {"ro", BLOB_RO},     /* at the start */
        {"edit", BLOB_EDIT}, /* the operator has taken it back */
        {"rw", BLOB_RW},     /* a step later on */
    };
    (void)state;

    w.node[0].conf.coord = NULL;
    w.node[0].conf.elements = elements_told;
    for (unsigned i = 0; i < countof(row); i++) {
        w.e[0].listed = row[i].listed;
        world_list(&w, w.n_elements);
        if (i == 0)
            world_start(&w, 0);
        else
            monitor_reload(w.node[0].m, NULL);
        world_run(&w, dur_s(5));
        assert_true(told_last.is_listed);
        assert_false(told_last.has_reported);
        assert_int_equal(told_last.listed_mode, row[i].mode);
        assert_int_equal(told_last.mode, row[i].mode);
        assert_false(told_last.writable);
    }
}

/* REL-012, CNF-027: only the older pair of hashes is there. */
static void
test_pair(void **state)
{
    struct coord_pair p[2] = {
        {.name = SLICE("se-000"), .value = SLICE("http://dc1:8443/se-000")},
        {.name = SLICE("se-002"), .value = SLICE("http://dc1:8443/se-002")}};
    struct coord_request put = {.op = COORD_HASH_PUT,
                                .key = "storage:elements:registry",
                                .pairs = p,
                                .n = 2};
    (void)state;

    assert_int_equal(world_do(&w, &put), ERR_OK);
    put = (struct coord_request){.op = COORD_TEXT_PUT,
                                 .key = "storage:elements:priorities",
                                 .value = SLICE("{\"se-002\": 5}")};
    assert_int_equal(world_do(&w, &put), ERR_OK);
    world_start(&w, 0);
    world_run(&w, dur_s(2));
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-002:5 se-000:100");
}

/* REL-090: a message is in use in 50 ms. */
static void
test_message(void **state)
{
    struct coord_request tell = {.op = COORD_PUBLISH,
                                 .key = "artstore:storage_elements:updates"};
    char text[400];
    (void)state;

    for (unsigned i = 0; i < w.n; i++)
        w.node[i].conf.pubsub = true;
    world_list(&w, 1);
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
    world_run(&w, dur_s(5));
    (void)snprintf(text, sizeof(text),
                   "{\"version\":60,\"storage_elements\":["
                   "{\"element_id\":\"se-000\",\"api_url\":\"%s\"},"
                   "{\"element_id\":\"se-002\",\"api_url\":\"%s\"}]}",
                   w.e[0].url, w.e[2].url);
    tell.value = slice_str(text);
    assert_int_equal(world_do(&w, &tell), ERR_OK);
    world_run(&w, dur_ms(50));
    for (unsigned i = 0; i < w.n; i++) {
        struct monitor_status s;

        monitor_status(w.node[i].m, &s);
        assert_int_equal(s.elements, 2);
        assert_int_equal(
            world_count(&w, i,
                        metric_series(w.node[i].metrics, M_SE_RELOADS, "pubsub",
                                      "success")),
            1);
    }
    world_run(&w, dur_ms(100));
    assert_string_equal(world_text(&w, "health:se-002"), "healthy");
}

/* ---- when something is gone ---- */

/* CAP-060, CAP-063: the store is lost, Admin stands in; both: nothing, and the
 * reason; and all comes back by itself. */
static void
test_lost(void **state)
{
    const struct view *v;
    struct series errors;
    (void)state;

    start_all();
    world_run(&w, dur_s(20));
    lose_store_all(true);
    world_run(&w, dur_s(7));
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT), "");
        assert_string_equal(world_choice(&w, i, VIEW_ADMIN, SELECT_EDIT),
                            "se-000");
        errors = metric_series(w.node[i].metrics, M_CAPACITY_CACHE, "error");
        assert_true(world_count(&w, i, errors) >= 1);
    }
    for (int s = 0; s < 60; s++) { /* always young enough */
        world_run(&w, dur_s(1));
        assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT),
                            "se-000");
    }
    w.admin_down = true;
    world_run(&w, dur_s(7));
    for (unsigned i = 0; i < w.n; i++) {
        assert_string_equal(world_choice(&w, i, VIEW_ADMIN, SELECT_EDIT), "");
        v = monitor_view(w.node[i].m, &w.node[i].lm.loop);
        assert_non_null(strstr(v->why[VIEW_POLLED], "made to fail"));
        assert_non_null(strstr(v->why[VIEW_ADMIN], "admin:8000"));
    }
    w.admin_down = false;
    world_run(&w, dur_s(2));
    assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT), "se-000");
    lose_store_all(false);
    world_run(&w, dur_s(2));
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-000");
    world_run(&w, dur_s(63));
    assert_true(world_leader(&w) >= 0);
}

static void
empty_store(void)
{
    static const char *const set[] = {"capacity:edit:available",
                                      "capacity:rw:available",
                                      "capacity:all:changed"};
    struct coord_request r = {.op = COORD_DEL};
    char key[64];

    for (unsigned i = 0; i < w.n_elements + countof(set); i++) {
        (void)snprintf(key, sizeof(key), "%s%s",
                       i < w.n_elements ? "capacity:" : set[i - w.n_elements],
                       i < w.n_elements ? w.e[i].id : "");
        r.key = key;
        assert_int_equal(world_do(&w, &r), ERR_OK);
    }
}

/* The store has come back without anything, and nobody has polled yet: what is
 * said of uploads is what they would find, in Admin's list. */
static void
test_empty_store(void **state)
{
    struct monitor_status s;
    unsigned f, seconds = 0;
    (void)state;

    start_all();
    world_run(&w, dur_s(35));
    f = follower();
    monitor_status(w.node[f].m, &s);
    assert_false(s.stands_in);
    assert_false(s.store_empty);
    for (unsigned i = 0; i < w.n_elements; i++)
        w.e[i].way = FAKE_SILENT; /* nobody polls while this goes on */
    empty_store();
    for (unsigned i = 0; i < 600; i++) { /* a round, and Admin's answer */
        world_run(&w, dur_ms(10));
        monitor_status(w.node[f].m, &s);
        assert_int_equal(s.edit, 4);
        assert_int_equal(s.rw, 4);
    }
    for (; seconds < 20; seconds++) {
        monitor_status(w.node[f].m, &s);
        assert_true(s.store_ok);
        assert_true(s.store_empty);
        assert_int_equal(s.edit, 4);
        assert_int_equal(s.rw, 4);
        assert_true(s.stands_in);
        world_run(&w, dur_s(1));
    }
    w.admin_down = true;
    world_run(&w, dur_s(7));
    monitor_status(w.node[f].m, &s);
    assert_int_equal(s.edit + s.rw, 0);
    w.admin_down = false;
    for (unsigned i = 0; i < w.n_elements; i++)
        w.e[i].way = FAKE_GOOD;
    world_run(&w, dur_s(120));
    monitor_status(w.node[f].m, &s);
    assert_int_equal(s.edit, 4);
    assert_false(s.store_empty);
    assert_false(s.stands_in);
}

/* CAP-017: no store at all. */
static void
test_admin_only(void **state)
{
    (void)state;

    w.node[0].conf.coord = NULL;
    w.admin_used_percent = 99; /* it says that they are full */
    world_start(&w, 0);
    world_run(&w, dur_s(1));
    assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT), "");
    w.admin_used_percent = 5;
    world_run(&w, dur_s(5));
    assert_string_equal(world_choice(&w, 0, VIEW_ADMIN, SELECT_EDIT), "se-000");
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT), "");
    assert_int_equal(requests(), 0);
}

/* Nobody polls any more: what was polled grows stale (CAP-061). */
static void
test_stale(void **state)
{
    (void)state;

    start_all();
    world_run(&w, dur_s(20));
    for (unsigned i = 1; i < w.n; i++)
        world_stop(&w, i);
    for (unsigned i = 0; i < w.n_elements; i++)
        w.e[i].way = FAKE_REFUSES;
    w.node[0].conf.poll.threshold = 100;
    world_stop(&w, 0);
    world_start(&w, 0);
    world_run(&w, dur_s(560));
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT),
                        "se-000");
    world_run(&w, dur_s(60));
    assert_string_equal(world_choice(&w, 0, VIEW_POLLED, SELECT_EDIT), "");
    world_run(&w, dur_s(30));
    assert_string_equal(world_set(&w, "capacity:edit:available"), "");
}

struct waiter {
    struct monitor_wait wait;
    bool ready;
    struct mono at;
};

static void
ready(struct monitor_wait *wait)
{
    struct waiter *x = container_of(wait, struct waiter, wait);

    x->ready = true;
    x->at = wait->loop->now;
}

/* Nothing polled can be chosen: Admin is asked, and nobody waits for ever. */
static void
test_wait(void **state)
{
    struct waiter x = {.wait = {.loop = &w.node[1].lm.loop, .ready = ready}};
    struct mono began;
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    w.admin_asked = 0;
    monitor_ask_admin(w.node[1].m, &x.wait);
    assert_false(x.ready);
    world_run(&w, dur_ms(10));
    assert_true(x.ready);
    assert_string_equal(world_choice(&w, 1, VIEW_ADMIN, SELECT_EDIT), "se-000");
    assert_int_equal(w.admin_asked, 1);
    world_run(&w, dur_s(20)); /* as long as it was needed a moment ago */
    assert_string_equal(world_choice(&w, 1, VIEW_ADMIN, SELECT_EDIT), "se-000");
    world_run(&w, dur_s(60));
    assert_string_equal(world_choice(&w, 1, VIEW_ADMIN, SELECT_EDIT), "");
    w.admin_takes = dur_s(3);
    x.ready = false;
    began = w.now;
    monitor_ask_admin(w.node[1].m, &x.wait);
    world_run(&w, dur_s(1));
    assert_true(x.ready);
    assert_true(mono_sub(x.at, began).ns <= dur_ms(450).ns);
    world_run(&w, dur_s(5));
}

/* Refused for want of room again and again, and each time Admin's answer is
 * forgotten: one question a second, whoever waits is let go meanwhile. */
static void
test_wait_paced(void **state)
{
    struct waiter x = {.wait = {.loop = &w.node[1].lm.loop, .ready = ready}};
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    for (int down = 0; down < 2; down++) {
        w.admin_down = down;
        w.admin_asked = 0;
        for (int i = 0; i < 500; i++) {
            monitor_trouble(w.node[1].m, "se-000", RELOAD_NO_ROOM);
            x.ready = false;
            monitor_ask_admin(w.node[1].m, &x.wait);
            world_run(&w, dur_ms(20));
            assert_true(x.ready);
        }
        assert_in_range(w.admin_asked, 9, 12); /* in ten seconds */
    }
}

/* Admin takes the question and says nothing: that does not hold up the end. */
static void
test_stop_admin_hangs(void **state)
{
    (void)state;

    w.node[0].conf.coord = NULL;
    w.admin_takes = dur_s(3600);
    world_start(&w, 0);
    world_run(&w, dur_s(1));
    assert_int_equal(w.admin_asked, 1);
    world_stop(&w, 0); /* within three seconds */
    assert_int_equal(w.admin_canceled, 1);
}

/* ---- lazy ---- */

/* REL-153, REL-154: 507 at one gateway; all of them see it in a second. */
static void
test_lazy(void **state)
{
    unsigned was, other, n;
    (void)state;

    start_all();
    world_run(&w, dur_s(25));
    was = leader();
    other = (was + 1) % w.n;
    w.e[0].status = "full";
    n = w.e[0].requests;
    for (int i = 0; i < 20; i++)
        monitor_trouble(w.node[other].m, "se-000", RELOAD_NO_ROOM);
    for (unsigned i = 0; i < w.n; i++)
        monitor_trouble(w.node[i].m, "se-000", RELOAD_NO_ROOM);
    world_run(&w, dur_ms(1000));
    assert_string_equal(world_hash(&w, "capacity:se-000", "status"), "full");
    assert_string_equal(world_set(&w, "capacity:edit:available"),
                        "se-002:12 se-004:14 se-006:16");
    for (unsigned i = 0; i < w.n; i++)
        assert_string_equal(world_choice(&w, i, VIEW_POLLED, SELECT_EDIT),
                            "se-002");
    assert_int_equal(w.e[0].requests, n + 1); /* one for all of them */
    assert_int_equal(
        world_count(&w, other,
                    metric_series(w.node[other].metrics, M_LAZY_UPDATES,
                                  "se-000", "insufficient_storage")),
        21);
    world_run(&w, dur_s(5));
    monitor_trouble(w.node[other].m, "se-002", RELOAD_CONNECTION);
    monitor_trouble(w.node[other].m, "unknown", RELOAD_NOT_FOUND);
    world_run(&w, dur_s(1));
    assert_true(
        world_count(&w, other,
                    metric_series(w.node[other].metrics, M_SE_LAZY_RELOADS,
                                  "insufficient_storage", "success")) >= 1);
}

int
main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_store),
        T(test_choice),
        T(test_paused),
        T(test_stopped),
        T(test_cut_off),
        T(test_stolen),
        T(test_nobody_polls),
        T(test_nobody_could_poll),
        T(test_hours),
        T(test_backoff),
        T(test_errors),
        T(test_added_and_removed),
        T(test_late_answer),
        T(test_priority),
        T(test_priority_of_list),
        T(test_listed_mode),
        T(test_listed_without_numbers),
        T(test_pair),
        T(test_message),
        T(test_lost),
        T(test_empty_store),
        T(test_admin_only),
        T(test_stale),
        T(test_wait),
        T(test_lazy),
        T(test_wait_paced),
        T(test_stop_admin_hangs),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
