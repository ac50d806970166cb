/* monitor_list_test.c - which elements there are, in which mode and of which
 * priority: lists as a document, as hashes, by message and from Admin, that
 * change while they are polled (REL-012, REL-040, REL-090, CNF-027).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_four.h"
#include <stdio.h>
#include <string.h>

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

/* CAP-039: until the numbers of one that is new are there the store is read all
 * the time; snapshots keep their distance all the same. */
static void
test_waited_for(void **state)
{
    uint64_t asked;
    unsigned f, n;
    (void)state;

    world_list(&w, 3);
    for (unsigned i = 0; i < w.n; i++)
        world_start(&w, i);
    world_run(&w, dur_s(10));
    f = follower();
    w.e[3].takes = dur_s(2);
    world_list(&w, 4);
    for (unsigned i = 0; i < w.n; i++)
        monitor_reload(w.node[i].m, NULL);
    asked = w.node[f].store.fail.calls;
    n = snapshots(f, dur_s(1));
    assert_true(w.node[f].store.fail.calls - asked > 300);
    assert_in_range(n, 5, 22); /* 50 ms each */
    world_run(&w, dur_ms(1200));
    assert_true(
        is_shown(f, "artstore_element_healthy{storage_id=\"se-003\"} 1"));
}

/* Before anybody else has read that it went: the one that is remembered is
 * counted again. */
static void
test_back_at_once(void **state)
{
    static const char gauge[] =
        "artstore_element_healthy{storage_id=\"se-000\"} 1";
    unsigned f;
    (void)state;

    start_all();
    world_run(&w, dur_s(10));
    f = world_leader(&w) == 0;
    assert_true(is_shown(f, gauge));
    for (unsigned first = 2; first-- > 0;) {
        world_list_range(&w, first, w.n_elements);
        monitor_reload(w.node[f].m, NULL);
        world_run(&w, dur_ms(200));
        assert_int_equal(is_shown(f, gauge), first == 0);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_added_and_removed),
        T(test_waited_for),
        T(test_back_at_once),
        T(test_late_answer),
        T(test_priority),
        T(test_priority_of_list),
        T(test_listed_mode),
        T(test_listed_without_numbers),
        T(test_pair),
        T(test_message),
    };

    return cmocka_run_group_tests_name("monitor_list", tests, NULL, NULL);
}
