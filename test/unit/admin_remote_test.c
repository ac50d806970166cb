/* admin_remote_test.c - elements in other processes as Admin has them: their
 * registration, change logs that are pushed, feeding anew, what they say of
 * themselves (ADM-008...ADM-022, ADM-035, D25, D31).
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_world.h"
#include "base/prng.h"
#include "wire/changes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ELEMENTS "/api/v1/storage-elements"
#define INTERNAL "/api/v1/internal/storage-elements/se-09"

static struct admin_world w;
static const struct uuid se9 = {{0xe9, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};
static const struct uuid other = {{0xe8, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};

static int
set_up(void **state)
{
    (void)state;
    admin_world_open(&w);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    admin_world_close(&w);
    return 0;
}

static void
expect(const char *method, const char *path, const char *body, int status,
       const char *error)
{
    json_t *j = admin_world_ask(&w, method, path, slice_str(body), status);

    if (strcmp(json_text_of(j, "error"), error) != 0)
        fail_msg("%s %s %s: %s", method, path, body, json_text_of(j, "error"));
    json_decref(j);
}

static void
register_se9(void)
{
    expect("POST", ELEMENTS "?force=true",
           "{\"element_id\":\"se-09\",\"api_url\":\"http://far.test/se-09\"}",
           201, "");
}

/* ---- registration ---- */

/* What stands at http://far.test. */
struct far {
    int live, capacity; /* statuses */
    const char *id;
    const struct uuid *uuid;
    unsigned asked;
};

static void
far_answer(void *arg, struct fetch_mem_call *c)
{
    struct far *far = arg;
    char uuid[UUID_TEXT];
    struct buf b;

    far->asked++;
    buf_init(&b, 4096);
    if (slice_eq(c->target, SLICE("/health/live"))) {
        assert_null(strstr(buf_str(&c->head), "Authorization"));
        fetch_mem_answer(c, far->live, SLICE("{\"status\":\"healthy\"}"));
    } else {
        assert_true(slice_starts(c->target, SLICE("/api/v1/capacity?")));
        assert_non_null(strstr(buf_str(&c->head), "Authorization: Bearer ey"));
        buf_printf(&b,
                   "{\"storage_id\":\"%s\",\"element_uuid\":\"%s\","
                   "\"mode\":\"edit\",\"total\":1000,\"used\":400,"
                   "\"available\":600,\"health\":\"healthy\","
                   "\"backend\":\"local\",\"location\":\"dc2\"}",
                   far->id, uuid_text(far->uuid, uuid));
        fetch_mem_answer(c, far->capacity, buf_slice(&b));
    }
    buf_release(&b);
}

static void
test_register(void **state)
{
#define BODY(more) "{\"element_id\":\"se-09\"" more "}"
#define URL        ",\"api_url\":\"http://far.test/se-09\""
#define SE9        "e9000000-0000-4000-8000-000000000000"
#define RENAMED                                 \
    "{\"element_id\":\"se-11\",\"uuid\":\"" SE9 \
    "\",\"api_url\":\"http://far.test/se-11\"}"
    static const struct {
        const char *body;
        int status;
        const char *error;
        const char *why;
    } row[] = {
        {"element_id=se-09", 400, "invalid_json", "a form's body (ADM-009)"},
        {"{}", 422, "invalid_element", "nothing"},
        {BODY(""), 422, "invalid_element", "no address"},
        {BODY(",\"api_url\":\"ftp://x\""), 422, "invalid_element", "a scheme"},
        {BODY(",\"api_url\":\"http://a b\""), 422, "invalid_element", "blank"},
        {BODY(URL ",\"mode\":\"EDIT\""), 422, "invalid_element", "a mode"},
        {BODY(URL ",\"priority\":-1"), 422, "invalid_element", "a priority"},
        {BODY(URL ",\"uuid\":\"7\""), 422, "invalid_element", "a uuid"},
        {"{\"element_id\":\"registry\"" URL "}", 422, "invalid_element",
         "a word of the store's"},
        {BODY(URL ",\"mode\":\"rw\",\"priority\":50,\"location\":\"dc2\""), 201,
         "", "good (ADM-008)"},
        {BODY(URL), 409, "element_exists", "the id"},
        {"{\"element_id\":\"se-10\"" URL "}", 409, "element_exists",
         "the address"},
        {RENAMED, 409, "element_exists", "the uuid"},
    };
    struct far far = {200, 200, "se-09", &se9, 0};
    json_t *j;
    (void)state;

    w.elsewhere = far_answer;
    w.arg = &far;
    for (size_t i = 0; i < countof(row); i++) {
        if (row[i].status != 201 && row[i].status != 409)
            far.asked = 0;
        expect("POST", ELEMENTS, row[i].body, row[i].status, row[i].error);
        if (row[i].status == 422)
            assert_int_equal(far.asked, 0); /* nobody is asked in vain */
    }
    j = admin_world_ask(&w, "POST", ELEMENTS, slice_str(RENAMED), 409);
    assert_string_equal(json_text_of(j, "message"),
                        "se-09 (" SE9 ") has this uuid already");
    json_decref(j);
    j = admin_world_ask(&w, "GET", ELEMENTS "/se-09", SLICE_NULL, 200);
    assert_string_equal(json_text_of(j, "api_url"), "http://far.test/se-09");
    assert_string_equal(json_text_of(j, "mode"), "rw");
    assert_string_equal(json_text_of(j, "location"), "dc2");
    assert_string_equal(json_text_of(j, "uuid"), SE9);
    assert_int_equal(json_int_of(j, "priority"), 50);
    assert_int_equal(json_int_of(j, "capacity_free"), 600);
    assert_true(json_is_true(json_object_get(j, "remote")));
    assert_true(json_is_false(json_object_get(j, "stale")));
    json_decref(j);

    admin_world_restart(&w); /* it is recorded */
    j = admin_world_ask(&w, "GET", ELEMENTS "/se-09", SLICE_NULL, 200);
    assert_int_equal(json_int_of(j, "priority"), 50);
    assert_true(json_is_true(json_object_get(j, "stale")));
    assert_string_equal(json_text_of(j, "health_status"), "unavailable");
    json_decref(j);
}

static void
test_unreachable(void **state)
{
    static const struct {
        struct far far;
        int status;
        const char *error;
        const char *why;
    } row[] = {
        {{503, 200, "se-09", &se9, 0},
         422,
         "element_unreachable",
         "it is not healthy"},
        {{200, 404, "se-09", &se9, 0},
         422,
         "element_unreachable",
         "there is no such element there"},
        {{200, 200, "se-01", &se9, 0},
         422,
         "element_unreachable",
         "it has another name"},
        {{200, 500, "se-09", &se9, 0},
         422,
         "element_unreachable",
         "it cannot say"},
        {{200, 401, "se-09", &se9, 0},
         201,
         "",
         "it does not trust Admin's tokens, but it is there"},
    };
    json_t *j;
    (void)state;

    w.elsewhere = far_answer;
    for (size_t i = 0; i < countof(row); i++) {
        struct far far = row[i].far;

        w.arg = &far;
        j = admin_world_ask(&w, "POST", ELEMENTS, SLICE(BODY(URL)),
                            row[i].status);
        if (strcmp(json_text_of(j, "error"), row[i].error) != 0)
            fail_msg("%s: %s", row[i].why, json_text_of(j, "error"));
        json_decref(j);
    }
    j = admin_world_ask(&w, "GET", ELEMENTS "/se-09", SLICE_NULL, 200);
    assert_true(json_is_null(json_object_get(j, "uuid")));
    json_decref(j);
    w.elsewhere = NULL;
    w.fetch.away = 2; /* it is asked once more */
    expect("POST", ELEMENTS,
           "{\"element_id\":\"se-10\",\"api_url\":\"http://far.test/10\"}", 422,
           "element_unreachable");
}

static void
test_change(void **state)
{
    struct far far = {200, 200, "se-09", &se9, 0};
    json_t *j;
    (void)state;

    register_se9();
    expect("POST", ELEMENTS "?force=true",
           "{\"element_id\":\"se-10\",\"api_url\":\"http://far.test/10\"}", 201,
           "");
    w.elsewhere = far_answer;
    w.arg = &far;
    expect("PATCH", ELEMENTS "/se-09", "{\"api_url\":\"http://far.test/10\"}",
           409, "element_exists");
    expect("PATCH", ELEMENTS "/se-09", "{\"api_url\":\"nowhere\"}", 422,
           "invalid_element");
    far.live = 500;
    expect("PATCH", ELEMENTS "/se-09", "{\"api_url\":\"http://far.test/9\"}",
           422, "element_unreachable");
    far.live = 200;
    expect("PATCH", ELEMENTS "/se-09", "{\"api_url\":\"http://far.test/9\"}",
           200, "");
    expect("PUT", ELEMENTS "/se-09", "{\"mode\":\"ro\",\"name\":\"Nine\"}", 200,
           "");
    expect("PATCH", ELEMENTS "/se-09", "{\"mode\":\"edit\"}", 409,
           "mode_goes_forward");
    admin_world_restart(&w);
    j = admin_world_ask(&w, "GET", ELEMENTS "/se-09", SLICE_NULL, 200);
    assert_string_equal(json_text_of(j, "endpoint"), "http://far.test/9");
    assert_string_equal(json_text_of(j, "name"), "Nine");
    assert_string_equal(json_text_of(j, "mode"), "ro");
    json_decref(j);
}

/* ---- changes ---- */

/* Pushes a page; the position that is answered. */
static int64_t
push(const struct uuid *uuid, uint64_t since, const char *rows, int status)
{
    struct buf b;
    json_t *j;
    int64_t position;

    buf_init(&b, MIB);
    admin_world_page(&b, uuid, since, rows);
    j = admin_world_ask(&w, "POST", INTERNAL "/changes", buf_slice(&b), status);
    position = status == 200 ? json_int_of(j, "position") : -1;
    json_decref(j);
    buf_release(&b);
    return position;
}

static void
expect_position(int64_t position, bool anew)
{
    json_t *j =
        admin_world_ask(&w, "GET", INTERNAL "/position", SLICE_NULL, 200);

    assert_int_equal(json_int_of(j, "position"), position);
    assert_int_equal(json_is_true(json_object_get(j, "anew")), anew);
    json_decref(j);
}

#define FILES(want) assert_string_equal(admin_world_files(&w), want)

static void
test_pages(void **state)
{
    (void)state;
    expect("GET", INTERNAL "/position", "", 404, "element_not_found");
    register_se9();
    expect_position(0, false);
    assert_int_equal(push(&se9, 0, "p1 p2", 200), 2);
    assert_int_equal(push(&se9, 0, "p1 p2", 200), 2);       /* repeated */
    assert_int_equal(push(&se9, 0, "p1 p2 d1 p3", 200), 4); /* overlapping */
    FILES("2 3");
    assert_int_equal(push(&se9, 4, "", 200), 4);    /* nothing new */
    assert_int_equal(push(&se9, 4, "- -", 200), 6); /* numbers not used */
    assert_int_equal(push(&se9, 8, "d2", 200), 6);  /* ahead: not taken */
    FILES("2 3");
    assert_int_equal(push(&se9, 8, "p4", 200), 6); /* a publish is told early */
    FILES("2 3 4");
    assert_int_equal(push(&se9, 6, "- e2", 200), 9); /* and the hole is full */
    FILES("3 4");
    assert_int_equal(push(&other, 9, "p5", 409), -1); /* D31 */
    admin_world_restart(&w);
    expect_position(9, false);
    assert_int_equal(push(&se9, 0, "p1", 200), 9);
    FILES("3 4");
    assert_int_equal(push(&other, 9, "p5", 409), -1);
}

/* A gateway tells of its publish when the file is gone again. */
static void
test_late_publish(void **state)
{
    (void)state;
    register_se9();
    assert_int_equal(push(&se9, 1, "p2", 200), 0); /* told ahead of the log */
    assert_int_equal(push(&se9, 0, "p1 p2 d2", 200), 3);
    FILES("1");
    assert_int_equal(push(&se9, 1, "p2", 200), 3);
    FILES("1");
    admin_world_restart(&w);
    assert_int_equal(push(&se9, 1, "p2", 200), 3);
    FILES("1");
}

/* Two gateways push the log, with pages of any size in any order, each page
 * maybe twice: in the end the catalogue says what the log says. */
static void
test_any_order(void **state)
{
    static const char *const log[] = {"p1", "p2", "d1", "p3", "-",  "p4",
                                      "d3", "p5", "e4", "p6", "d2", "p7"};
    struct prng r;
    (void)state;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        int64_t position = 0;
        unsigned pushes = 0;

        prng_init(&r, seed);
        if (seed > 1) {
            expect("DELETE", ELEMENTS "/se-09?force=true", "", 204, "");
            FILES("");
        }
        register_se9();
        while (position < (int64_t)countof(log)) {
            uint64_t from = prng_below(&r, countof(log));
            uint64_t n = 1 + prng_below(&r, countof(log) - from);
            char rows[64] = "";

            if (pushes++ > 30)
                from = (uint64_t)position;
            for (uint64_t i = from; i < from + n && i < countof(log); i++) {
                strcat(rows, i > from ? " " : "");
                strcat(rows, log[i]);
            }
            position = push(&se9, from, rows, 200);
            if (prng_below(&r, 8) == 0)
                admin_world_restart(&w);
        }
        FILES("5 6 7");
    }
}

static void
test_pages_refused(void **state)
{
    struct fault f = {0};
    uint64_t position;
    struct buf b;
    json_t *j;
    (void)state;

    register_se9();
    expect("POST", INTERNAL "/changes", "", 400, "invalid");
    expect("POST", INTERNAL "/changes", "[1]", 400, "invalid");
    expect("POST", "/api/v1/internal/storage-elements/x/changes", "{}", 400,
           "invalid");
    expect("POST", "/api/v1/internal/storage-elements/%2F/changes", "{}", 404,
           "element_not_found");
    buf_init(&b, 9 * MIB);
    admin_world_page(&b, &se9, 0, "p1");
    j = admin_world_ask(&w, "POST",
                        "/api/v1/internal/storage-elements/se-77/changes",
                        buf_slice(&b), 404);
    json_decref(j);
    while (b.n <= CHANGES_BYTES)
        buf_add_str(&b, "                                ");
    j = admin_world_ask(&w, "POST", INTERNAL "/changes", buf_slice(&b), 413);
    json_decref(j);
    buf_release(&b);
    /* The catalogue is away: an error, and nothing is believed to be there. */
    for (unsigned at = 1; at < 4; at++) {
        w.meta.fail = (struct fail){.at = at};
        assert_int_equal(push(&se9, 0, "p1", 500), -1);
        w.meta.fail = (struct fail){0};
        admin_world_ok(
            w.meta.inner->ops->feed_position(w.meta.inner, &se9, &position, &f),
            &f);
        assert_int_equal(position, 0);
    }
    assert_int_equal(push(&se9, 0, "p1", 200), 1);
}

/* ---- feeding anew ---- */

static void
rows(const char *ticket, const char *files, const char *more, int status)
{
    struct index_change c[16];
    size_t n = admin_world_changes(c, 0, files);
    struct json_writer jw;
    struct buf b;

    buf_init(&b, MIB);
    json_begin(&jw, &b);
    json_put_object(&jw, NULL);
    json_put_text(&jw, "ticket", ticket);
    json_put_list(&jw, "files");
    for (size_t i = 0; i < n; i++)
        blobs_put_attr(&jw, NULL, &c[i].row.attr);
    json_end_list(&jw);
    json_end_object(&jw);
    b.n--; /* the brace */
    buf_printf(&b, "%s}", more);
    json_decref(
        admin_world_ask(&w, "POST", INTERNAL "/files", buf_slice(&b), status));
    buf_release(&b);
}

static void
reset(char ticket[UUID_TEXT])
{
    char body[80], uuid[UUID_TEXT];
    json_t *j;

    (void)snprintf(body, sizeof(body), "{\"element_uuid\":\"%s\"}",
                   uuid_text(&se9, uuid));
    j = admin_world_ask(&w, "POST", INTERNAL "/reset", slice_str(body), 200);
    (void)snprintf(ticket, UUID_TEXT, "%s", json_text_of(j, "ticket"));
    json_decref(j);
}

/* Two gateways without anything to agree on must not take it from each other,
 * for then it would never end. */
static void
another_waits(void)
{
    char body[160], uuid[UUID_TEXT];

    (void)snprintf(body, sizeof(body),
                   "{\"element_uuid\":\"%s\",\"ticket\":"
                   "\"5a9bd3f0-0000-4000-8000-000000000001\"}",
                   uuid_text(&se9, uuid));
    expect("POST", INTERNAL "/reset", body, 409, "busy");
}

static void
test_anew(void **state)
{
    char first[UUID_TEXT], ticket[UUID_TEXT];
    (void)state;

    register_se9();
    expect("POST", INTERNAL "/reset", "{}", 400, "invalid");
    assert_int_equal(push(&se9, 0, "p1 p2 p3", 200), 3);
    reset(first);
    FILES("");
    expect_position(0, true);
    rows(first, "p1 p2", "", 200);
    FILES("1 2");
    assert_int_equal(push(&se9, 0, "p5", 200), 0); /* not now */
    FILES("1 2");
    another_waits();
    loop_mem_advance(&w.loop, dur_s(20));
    rows(first, "p3", "", 200);
    loop_mem_advance(&w.loop, dur_s(20)); /* since its last page */
    another_waits();
    FILES("1 2 3");
    loop_mem_advance(&w.loop, dur_s(10));
    reset(ticket); /* another gateway takes over */
    rows(first, "p5", "", 409);
    rows(first, "p5", ",\"last\":true,\"position\":60", 409);
    FILES("");
    rows(ticket, "p2", "", 200);
    admin_world_restart(&w); /* the ticket is not forgotten */
    expect_position(0, true);
    rows(ticket, "p3", ",\"last\":true", 400); /* and up to where? */
    rows(ticket, "p3", ",\"last\":true,\"position\":50", 200);
    rows(ticket, "p3", ",\"last\":true,\"position\":50", 200); /* answer lost */
    rows(ticket, "p4", "", 409);                               /* it is over */
    FILES("2 3");
    expect_position(50, false);
    assert_int_equal(push(&se9, 2, "p9", 200), 50); /* of before: known */
    assert_int_equal(push(&se9, 50, "d2 p6", 200), 52);
    FILES("3 6");
}

/* ---- removal (ADM-014) ---- */

static void
test_remove(void **state)
{
    (void)state;
    expect("DELETE", ELEMENTS "/se-09", "", 404, "element_not_found");
    register_se9();
    assert_int_equal(push(&se9, 0, "p1", 200), 1);
    expect("DELETE", ELEMENTS "/se-09", "", 409, "busy");
    FILES("1");
    expect("DELETE", ELEMENTS "/se-09?force=true", "", 204, "");
    FILES("");
    expect("GET", ELEMENTS "/se-09", "", 404, "element_not_found");
    register_se9(); /* and back, from the start */
    expect_position(0, false);
    expect("DELETE", ELEMENTS "/se-09", "", 204, ""); /* holds none */
}

/* ---- capacity (ADM-016...ADM-021) ---- */

#define SAYS(id, more)                                             \
    "{\"storage_id\":\"" id "\",\"mode\":\"edit\",\"total\":1000," \
    "\"used\":250,\"available\":750,\"health\":\"healthy\","       \
    "\"backend\":\"local\",\"location\":\"dc2\"" more "}"

static unsigned
available(void)
{
    json_t *j = admin_world_ask(&w, "GET",
                                "/api/v1/internal/storage-elements/available",
                                SLICE_NULL, 200);
    unsigned n =
        (unsigned)json_array_size(json_object_get(j, "storage_elements"));

    json_decref(j);
    return n;
}

static void
test_capacity(void **state)
{
    json_t *j;
    (void)state;

    expect("POST", INTERNAL "/capacity", SAYS("se-09", ""), 404,
           "element_not_found");
    register_se9();
    assert_int_equal(available(), 0); /* nothing is known of it */
    expect("POST", INTERNAL "/capacity", SAYS("se-01", ""), 400, "invalid");
    expect("POST", INTERNAL "/capacity", "{}", 400, "invalid");
    expect("POST", INTERNAL "/capacity", SAYS("se-09", ""), 204, "");
    assert_int_equal(available(), 1);
    j = admin_world_ask(&w, "GET", INTERNAL "/capacity", SLICE_NULL, 200);
    assert_int_equal(json_int_of(j, "available"), 750);
    assert_true(json_is_false(json_object_get(j, "stale")));
    json_decref(j);

    w.loop.loop.wall.ms += ADMIN_STALE_MS;
    assert_int_equal(available(), 1); /* just not yet */
    w.loop.loop.wall.ms += 1;
    assert_int_equal(available(), 0); /* ADM-021: nobody chooses blindly */
    j = admin_world_ask(&w, "GET", INTERNAL "/capacity", SLICE_NULL, 200);
    assert_int_equal(json_int_of(j, "available"), 750);
    assert_true(json_is_true(json_object_get(j, "stale")));
    json_decref(j);
    expect("POST", INTERNAL "/capacity", SAYS("se-09", ",\"writable\":false"),
           204, "");
    assert_int_equal(available(), 0);
    expect("POST", INTERNAL "/capacity",
           SAYS("se-09", ",\"element_uuid\":"
                         "\"e9000000-0000-4000-8000-000000000000\""),
           204, "");
    assert_int_equal(available(), 1);
    expect("POST", INTERNAL "/capacity",
           SAYS("se-09", ",\"element_uuid\":"
                         "\"e8000000-0000-4000-8000-000000000000\""),
           409, "conflict");
}

/* ---- files (ADM-035) ---- */

static void
test_files(void **state)
{
    struct json_error e = {0};
    struct index_row row;
    char path[128], id[UUID_TEXT];
    struct file_attr a;
    json_t *j;
    (void)state;

    register_se9();
    assert_int_equal(push(&se9, 0, "p1 p2 p3 p4 p5", 200), 5);
    index_sample(&row, 2);
    (void)snprintf(path, sizeof(path), "/api/v1/internal/files/%s",
                   uuid_text(&row.attr.file_id, id));
    j = admin_world_ask(&w, "GET", path, SLICE_NULL, 200);
    assert_true(blobs_get_attr(json_object_get(j, "file"), &a, &e));
    row.attr.seq = 2;
    row.attr.element_uuid = se9;
    (void)snprintf(row.attr.element_id, sizeof(row.attr.element_id), "se-09");
    row.bucket[0] = 0;
    index_rows_equal(&(struct index_row){.attr = a}, &row);
    free((void *)(uintptr_t)a.metadata);
    json_decref(j);
    expect("GET", "/api/v1/internal/files/01020304-0506-7000-8000-000000000000",
           "", 404, "file_not_found");
    expect("GET", "/api/v1/internal/files/7", "", 400, "invalid");

#define LIST "/api/v1/internal/files"
    j = admin_world_ask(&w, "GET", LIST "?limit=2&user=user-1&order=desc",
                        SLICE_NULL, 200);
    assert_int_equal(json_array_size(json_object_get(j, "files")), 1);
    assert_true(json_is_null(json_object_get(j, "next_cursor")));
    json_decref(j);
    j = admin_world_ask(&w, "GET", LIST "?limit=2", SLICE_NULL, 200);
    assert_int_equal(json_array_size(json_object_get(j, "files")), 2);
    assert_string_equal(json_text_of(j, "next_cursor"), id);
    json_decref(j);
    expect("GET", LIST "?limit=1001", "", 400, "invalid");
    expect("GET", LIST "?colour=red", "", 400, "invalid");
    expect("GET", LIST "?meta_value=1", "", 400, "invalid");
    expect("GET", LIST "?name=*a*b*c*d*e*f*g*h*i*", "", 400, "invalid");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_register),      T(test_unreachable),  T(test_change),
        T(test_pages),         T(test_late_publish), T(test_any_order),
        T(test_pages_refused), T(test_anew),         T(test_remove),
        T(test_capacity),      T(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
