/* pull_test.c - change logs of elements on their way to Admin: Admin's own
 * routes, elements that are made up, virtual time (D25).
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_world.h"
#include "role/common/registry_remote.h"
#include "role/ingest/pull.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FAR "http://far.test"

static struct admin_world w;
static struct registry *g;
static struct pull *p;
static struct fetch_peer *admin;
static struct blob_list *listing;
static const struct uuid se9 = {{0xe9, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};

/* The element: its log, one word for each number, and what it shows of it. */
static struct {
    const char *log[16];
    uint64_t seq;   /* of the log */
    uint64_t shows; /* what was polled */
    unsigned page;  /* rows in one answer at most */
    unsigned asked;
    unsigned after; /* requests to Admin before the first of these */
    int status;     /* instead of an answer */
    struct uuid uuid;
    uint64_t first; /* that the log still has; 0: all */
    unsigned lists;
} far;
static bool ours;
static unsigned ready, ended;

static void
show(struct blob *b, struct blob_capacity *out)
{
    (void)b;
    *out = (struct blob_capacity){.seq = far.shows, .boot = 1};
}

/* The files that the log leaves, from R->after on: 1 to 9. */
static void
list_run(struct loop *l, struct task *t)
{
    (void)l;
    (void)t;
    listing->done(listing);
}

static void
list_files(struct blob *b, struct blob_list *r)
{
    static struct task task;
    bool there[10] = {0};
    (void)b;

    far.lists++;
    for (uint64_t i = 0; i < far.seq; i++)
        there[far.log[i][1] - '0'] = far.log[i][0] == 'p';
    r->n = 0;
    for (uint64_t i = 1; i <= 9; i++) {
        struct index_row row;

        index_sample(&row, i);
        row.attr.metadata = NULL;
        if (there[i] && r->n < r->max)
            r->rows[r->n++] = row.attr;
    }
    listing = r;
    task.run = list_run;
    loop_post(r->loop, &task);
}

static const struct blob_ops ops = {.capacity = show, .list = list_files};
static struct blob blob = {.ops = &ops, .element_id = "se-09"};

static void
more_of(struct buf *b)
{
    char *at = strstr(buf_str(b), "\"more\":false");

    assert_non_null(at);
    memcpy(at, "\"more\":true ", strlen("\"more\":true "));
}

static void
answer(void *arg, struct fetch_mem_call *c)
{
    char target[128], rows[256] = "";
    unsigned long long since = 0;
    unsigned n = 0;
    struct buf b;
    (void)arg;

    if (far.asked++ == 0)
        far.after = w.asked;
    assert_string_equal(c->url, FAR);
    assert_true(slice_copy(c->target, target, sizeof(target)));
    assert_int_equal(
        sscanf(target, "/api/v1/changes?element_id=se-09&since=%llu", &since),
        1);
    buf_init(&b, MIB);
    if (since > far.seq || (far.first && since + 1 < far.first)) {
        buf_printf(&b,
                   "{\"error\":\"changes_gone\",\"message\":\"\","
                   "\"details\":{\"first_seq\":%llu,\"seq\":%llu}}",
                   (unsigned long long)far.first, (unsigned long long)far.seq);
        fetch_mem_answer(c, 410, buf_slice(&b));
        buf_release(&b);
        return;
    }
    for (; n < far.page && since + n < far.seq; n++) {
        strcat(rows, n ? " " : "");
        strcat(rows, far.log[since + n]);
    }
    admin_world_page(&b, &far.uuid, since, rows);
    if (since + n < far.seq)
        more_of(&b);
    fetch_mem_answer(c, far.status ? far.status : 200, buf_slice(&b));
    buf_release(&b);
}

static bool
is_ours(void *arg)
{
    (void)arg;
    return ours;
}

static void
list(const struct uuid *uuid)
{
    const struct monitor_element e = {
        .element_id = "se-09", .endpoint = FAR, .uuid = *uuid, .blob = &blob};

    pull_elements(p, &e, 1);
}

static void
logs(unsigned n, const char *const *words)
{
    for (unsigned i = 0; i < n; i++)
        far.log[far.seq++] = words[i];
}
#define LOGS(...)                                                \
    logs(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
         (const char *[]){__VA_ARGS__})

static int
set_up(void **state)
{
    const struct registry_remote_conf rc = {.url = ADMIN_URL,
                                            .breaker = {.off = true}};
    struct pull_conf pc = {.ours = is_ours, .patience = dur_s(5)};
    struct fault f = {0};
    (void)state;

    admin_world_open(&w);
    w.elsewhere = answer;
    json_decref(admin_world_ask(
        &w, "POST", "/api/v1/storage-elements?force=true",
        SLICE("{\"element_id\":\"se-09\",\"api_url\":\"" FAR "\"}"), 201));
    admin_world_ok(registry_remote_open(&g, &w.fetch.fetch, &rc, &f), &f);
    memset(&far, 0, sizeof(far));
    far.page = 10;
    far.uuid = se9;
    ours = true;
    ready = ended = 0;
    pc.registry = g;
    admin_world_ok(fetch_peer_open(&w.fetch.fetch, ADMIN_URL, &admin, &f), &f);
    pc.admin = admin;
    pc.fetch = &w.fetch.fetch;
    p = pull_open(&pc);
    assert_non_null(p);
    pull_start(p, &w.loop.loop);
    list(&se9);
    return 0;
}

static void
stopped(void *arg)
{
    (void)arg;
    ended++;
}

static int
tear_down(void **state)
{
    (void)state;
    pull_stop(p, stopped, NULL);
    loop_mem_advance(&w.loop, dur_s(10));
    assert_int_equal(ended, 1);
    pull_close(&p);
    pull_close(&p); /* harmless */
    registry_remote_close(&g);
    fetch_peer_close(&admin);
    loop_mem_settle(&w.loop);
    assert_int_equal(w.fetch.peers, 0);
    admin_world_close(&w);
    return 0;
}

/* ---- by itself ---- */

static void
test_follows(void **state)
{
    unsigned asked;
    (void)state;

    loop_mem_advance(&w.loop, dur_s(10));
    assert_int_equal(far.asked, 0); /* nothing has been logged */
    LOGS("p1", "p2");
    far.shows = 2;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1 2");
    assert_int_equal(far.asked, 1);
    LOGS("d1", "p3");
    far.shows = 4;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "2 3");
    asked = w.asked;
    loop_mem_advance(&w.loop, dur_s(60)); /* all is known: Admin is asked */
    assert_int_equal(far.asked, 2);       /* whether it still knows it */
    assert_in_range(w.asked - asked, 3, 4);
}

static void
show_nothing(struct blob *b, struct blob_capacity *out)
{
    (void)b;
    *out = (struct blob_capacity){.boot = 1};
}

/* Of many elements there is nothing new, but Admin is asked where it is in
 * their logs: whoever has news does not wait for that. */
static void
test_news_first(void **state)
{
    enum { N = 40 };
    static const struct blob_ops none = {.capacity = show_nothing};
    static struct blob idle[N];
    struct monitor_element e[N + 1];
    unsigned asked = w.asked;
    (void)state;

    for (unsigned i = 0; i < N; i++) {
        idle[i] = (struct blob){.ops = &none};
        (void)snprintf(idle[i].element_id, sizeof(idle[i].element_id), "a-%02u",
                       i);
        e[i] = (struct monitor_element){.element_id = idle[i].element_id,
                                        .endpoint = FAR,
                                        .uuid = {{1, (uint8_t)i}},
                                        .blob = &idle[i]};
    }
    e[N] = (struct monitor_element){
        .element_id = "se-09", .endpoint = FAR, .uuid = se9, .blob = &blob};
    pull_elements(p, e, N + 1);
    LOGS("p1");
    far.shows = 1;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1");
    assert_in_range(far.after - asked, 1, PULL_AT_ONCE);
    assert_true(w.asked - asked > N); /* and they, too */
    list(&se9);
}

/* Admin's database was put back to a backup of when it had two files. The
 * element has not changed since, so nothing of its own tells. */
static void
test_admin_back(void **state)
{
    struct meta *m = &w.meta.meta;
    struct index_change c[16];
    struct fault f = {0};
    size_t n;
    (void)state;

    LOGS("p1", "p2", "d1", "p3");
    far.shows = 4;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "2 3");
    admin_world_ok(m->ops->feed_reset(m, &se9, &f), &f);
    n = admin_world_changes(c, 0, "p1 p2");
    admin_world_ok(m->ops->feed(m, &se9, "se-09", c, n, 2, &f), &f);
    admin_world_restart(&w);
    assert_string_equal(admin_world_files(&w), "1 2");
    loop_mem_advance(&w.loop, PULL_ASK);
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "2 3");
    assert_int_equal(far.lists, 0); /* by its log */

    /* And to one of when its log did not reach back to any more. */
    admin_world_ok(m->ops->feed_reset(m, &se9, &f), &f);
    admin_world_restart(&w);
    far.first = 3;
    loop_mem_advance(&w.loop, PULL_ASK);
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "2 3");
    assert_int_equal(far.lists, 1);
}

static void
test_pages(void **state)
{
    (void)state;
    far.page = 2;
    LOGS("p1", "p2", "p3", "d2", "p5");
    far.shows = 5;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1 3 5");
    assert_int_equal(far.asked, 3); /* one after the other, at once */
}

static void
test_others(void **state)
{
    (void)state;
    ours = false; /* another gateway leads */
    LOGS("p1");
    far.shows = 1;
    loop_mem_advance(&w.loop, dur_s(30));
    assert_int_equal(far.asked, 0);
    ours = true;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1");
}

/* What others have pushed is not pulled once more. */
static void
test_known(void **state)
{
    struct buf b;
    (void)state;

    LOGS("p1", "p2");
    buf_init(&b, MIB);
    admin_world_page(&b, &se9, 0, "p1 p2");
    json_decref(admin_world_ask(
        &w, "POST", "/api/v1/internal/storage-elements/se-09/changes",
        buf_slice(&b), 200));
    buf_release(&b);
    far.shows = 2;
    loop_mem_advance(&w.loop, dur_s(30));
    assert_int_equal(far.asked, 0);
}

/* ---- asked for ---- */

static void
is_ready(struct pull_wait *q)
{
    (void)q;
    ready++;
}

static void
test_asked_for(void **state)
{
    struct pull_wait q = {
        .loop = &w.loop.loop, .ready = is_ready, .element_id = "se-09"};
    (void)state;

    ours = false;
    LOGS("p1", "d1", "p2");
    far.shows = 0; /* not polled since */
    pull_now(p, &q);
    assert_int_equal(ready, 0);
    loop_mem_settle(&w.loop);
    assert_int_equal(ready, 1);
    assert_string_equal(admin_world_files(&w), "2");
    (void)slice_copy(SLICE("se-77"), q.element_id, sizeof(q.element_id));
    pull_now(p, &q); /* nobody knows it: nothing to wait for */
    loop_mem_settle(&w.loop);
    assert_int_equal(ready, 2);
}

static void
test_in_vain(void **state)
{
    struct pull_wait q = {
        .loop = &w.loop.loop, .ready = is_ready, .element_id = "se-09"};
    (void)state;

    LOGS("p1");
    far.shows = 1;
    far.status = 503;
    pull_now(p, &q);
    loop_mem_advance(&w.loop, dur_s(2)); /* who waits goes on */
    assert_int_equal(ready, 1);
    loop_mem_advance(&w.loop, dur_s(60));
    assert_in_range(far.asked, 3, 12); /* further and further apart */
    far.status = 0;
    loop_mem_advance(&w.loop, dur_s(62));
    assert_string_equal(admin_world_files(&w), "1");
}

/* ---- who it is ---- */

static void
test_another(void **state)
{
    static const struct uuid other = {{0x11, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};
    (void)state;

    LOGS("p1");
    far.shows = 1;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1");
    far.uuid = other; /* D31: another disk under the same address */
    LOGS("p2");
    far.shows = 2;
    loop_mem_advance(&w.loop, dur_s(10));
    assert_string_equal(admin_world_files(&w), "1");
    list(&(struct uuid){{0}}); /* not known who: then it is not looked at */
    far.asked = 0;
    loop_mem_advance(&w.loop, dur_s(120));
    assert_int_equal(far.asked, 0);
}

/* ---- anew ---- */

static void
test_anew(void **state)
{
    (void)state;
    LOGS("p1", "p2");
    far.shows = 2;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1 2");
    LOGS("d1", "p3", "p4", "p5");
    far.first = 6; /* the log has lost the delete */
    far.shows = 6;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "2 3 4 5");
    assert_int_equal(far.lists, 1);
    LOGS("d2", "p6"); /* and from there by the log */
    far.shows = 8;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "3 4 5 6");
    assert_int_equal(far.lists, 1);
}

/* Who has begun has died: whoever comes next begins again. */
static void
test_anew_taken_over(void **state)
{
    char uuid[UUID_TEXT], body[80];
    (void)state;

    (void)snprintf(body, sizeof(body), "{\"element_uuid\":\"%s\"}",
                   uuid_text(&se9, uuid));
    json_decref(admin_world_ask(&w, "POST",
                                "/api/v1/internal/storage-elements/se-09/reset",
                                slice_str(body), 200));
    LOGS("p1", "p2");
    far.shows = 2;
    loop_mem_advance(&w.loop, dur_s(10));
    assert_string_equal(admin_world_files(&w), ""); /* he may be at it still */
    loop_mem_advance(&w.loop, dur_s(60));
    assert_string_equal(admin_world_files(&w), "1 2");
    assert_int_equal(far.lists, 1);
}

/* The element was restored from a copy of an older day. */
static void
test_back(void **state)
{
    (void)state;
    LOGS("p1", "p2", "p3", "p4");
    far.shows = 4;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1 2 3 4");
    far.seq = far.shows = 2;
    loop_mem_advance(&w.loop, dur_s(10));
    assert_string_equal(admin_world_files(&w), "1 2");
    assert_int_equal(far.lists, 1);
    LOGS("p5"); /* and from there by the log */
    far.shows = 3;
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1 2 5");
    assert_int_equal(far.lists, 1);
}

/* What is known of it is old, not the element: it is asked once, and that is
 * all. */
static void
test_not_back(void **state)
{
    unsigned asked;
    (void)state;

    LOGS("p1", "p2", "p3", "p4");
    far.shows = 4;
    loop_mem_advance(&w.loop, PULL_EVERY);
    asked = far.asked;
    far.shows = 2;
    loop_mem_advance(&w.loop, dur_s(30));
    assert_string_equal(admin_world_files(&w), "1 2 3 4");
    assert_int_equal(far.asked, asked + 1);
    assert_int_equal(far.lists, 0);
}

static void
test_leaves(void **state)
{
    (void)state;
    LOGS("p1");
    far.shows = 1;
    pull_elements(p, NULL, 0);
    loop_mem_advance(&w.loop, dur_s(10));
    assert_int_equal(far.asked, 0);
    list(&se9);
    loop_mem_advance(&w.loop, PULL_EVERY);
    assert_string_equal(admin_world_files(&w), "1");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_follows),         T(test_pages),      T(test_others),
        T(test_known),           T(test_asked_for),  T(test_in_vain),
        T(test_another),         T(test_leaves),     T(test_anew),
        T(test_anew_taken_over), T(test_back),       T(test_not_back),
        T(test_news_first),      T(test_admin_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
