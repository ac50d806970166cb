/* admin_registry_element_test.c - elements that Admin's registry has: what
 * holds of them after a change, a restart or beside another Admin, and which
 * are refused. SPDX-License-Identifier: Apache-2.0 */
#include "admin_registry.h"

static enum err
change(struct world *w, const char *id, int mode, int priority,
       struct meta_element *e, struct fault *f)
{
    const struct admin_change c = {.has_mode = true,
                                   .has_priority = true,
                                   .mode = mode,
                                   .priority = priority};

    return admin_element_change(w->admin, id, &c, (struct wall){2000}, e, f);
}

static void
test_elements(void **state)
{
    struct registry_element out[2];
    struct meta_element e;
    struct fault f = {0};
    struct world w;
    (void)state;

    world_init(&w);
    assert_int_equal(registry_elements(w.g, out, 2), 0);
    ok(attach(&w, &f), &f);
    assert_int_equal(w.mode_set, -1);
    assert_int_equal(registry_elements(w.g, out, 2), 1);
    assert_ptr_equal(out[0].blob, &w.blob);
    assert_int_equal(out[0].mode, BLOB_EDIT);
    assert_int_equal(out[0].priority, 100);
    assert_ptr_equal(registry_element(w.g, "se-01"), &w.blob);
    assert_null(registry_element(w.g, "se-02"));

    ok(change(&w, "se-01", BLOB_RW, 7, &e, &f), &f);
    assert_int_equal(w.mode_set, BLOB_RW);
    assert_int_equal(e.mode, BLOB_RW);
    assert_int_equal(e.updated_at.ms, 2000);
    assert_int_equal(registry_elements(w.g, out, 0), 1);
    assert_int_equal(registry_elements(w.g, out, 1), 1);
    assert_int_equal(out[0].mode, BLOB_RW);
    assert_int_equal(out[0].priority, 7);
    assert_int_equal(change(&w, "se-01", BLOB_EDIT, 7, &e, &f),
                     ERR_CONFLICT); /* AMB-026 */
    assert_int_equal(change(&w, "se-01", BLOB_RW, -7, &e, &f), ERR_INVAL);
    assert_int_equal(change(&w, "se-09", BLOB_RW, 7, &e, &f), ERR_NOENT);
    w.meta.fail = (struct fail){.at = 1};
    assert_int_equal(change(&w, "se-01", BLOB_RO, 7, &e, &f), ERR_IO);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_int_equal(e.mode, BLOB_RW); /* nothing happened */
    assert_int_equal(w.mode_set, BLOB_RW);

    w.mode_set = -1;
    (void)snprintf(w.like.location, sizeof(w.like.location), "dc9");
    w.like.priority = 500;
    restart(&w); /* STO-007: what Admin knows is what holds */
    assert_int_equal(w.mode_set, BLOB_RW);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_int_equal(e.mode, BLOB_RW);
    assert_int_equal(e.priority, 7);
    assert_string_equal(e.location, "dc9"); /* the element's own affair */
    assert_int_equal(e.created_at.ms, 1000);
    w.like.mode = BLOB_AR; /* in a start that came to nothing */
    admin_close(&w.admin);
    ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
    ok(admin_attach(w.admin, &w.blob, &w.source, &w.like, &f), &f);
    w.like.mode = BLOB_RO; /* by configuration, forward */
    restart(&w);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_int_equal(e.mode, BLOB_RO);
    world_release(&w);
}

static enum err
add(struct admin *a, const char *id, uint8_t uuid, const char *url, int mode,
    struct fault *f)
{
    struct meta_element e = {.uuid = {{uuid}},
                             .mode = mode,
                             .priority = 100,
                             .created_at = {1000},
                             .updated_at = {1000},
                             .seen_at = {1000}};

    (void)snprintf(e.element_id, sizeof(e.element_id), "%s", id);
    (void)snprintf(e.name, sizeof(e.name), "%s", id);
    (void)snprintf(e.endpoint, sizeof(e.endpoint), "%s", url);
    *f = (struct fault){0};
    return admin_element_add(a, &e, f);
}

/* Two Admins over one database: what one has registered the other neither
 * overwrites nor registers again, and knows from then on. */
static void
test_two_admins(void **state)
{
    struct admin *b;
    struct meta_element e;
    struct fault f = {0};
    char text[UUID_TEXT];
    struct world w;
    (void)state;

    world_init(&w);
    ok(attach(&w, &f), &f);
    ok(admin_open(&b, &w.meta.meta, &f), &f);
    ok(add(w.admin, "se-09", 9, "http://a", BLOB_AR, &f), &f);
    ok(add(w.admin, "se-10", 10, "http://b", BLOB_EDIT, &f), &f);
    assert_int_equal(add(b, "se-11", 9, "http://c", BLOB_EDIT, &f), ERR_EXISTS);
    assert_string_equal(f.op, "uuid");
    assert_non_null(strstr(f.what, "se-09 (09000000-"));
    ok(admin_element_get(b, "se-09", &e), &f);
    assert_int_equal(e.mode, BLOB_AR);
    ok(admin_element_get(b, "se-10", &e), &f);
    assert_int_equal(admin_element_get(b, "se-11", &e), ERR_NOENT);
    ok(add(b, "se-11", 11, "http://c", BLOB_EDIT, &f), &f);
    assert_int_equal(add(w.admin, "se-12", 12, "http://c", BLOB_EDIT, &f),
                     ERR_EXISTS);
    assert_string_equal(f.op, "api_url");
    assert_non_null(strstr(f.what, "se-11"));
    assert_null(f.hint);
    /* One that no process serves any more, or another one. */
    assert_int_equal(add(b, "se-01", 13, "http://d", BLOB_EDIT, &f),
                     ERR_EXISTS);
    assert_string_equal(f.op, "element_id");
    assert_non_null(strstr(f.what, uuid_text(&se1, text)));
    assert_non_null(strstr(f.hint, "STORAGE_ELEMENTS"));
    admin_close(&b);
    world_release(&w);
}

static void
test_attach_refused(void **state)
{
    struct meta_element e;
    struct fault f = {0};
    char text[UUID_TEXT];
    struct world w;
    (void)state;

    world_init(&w);
    w.like.uuid = (struct uuid){0};
    assert_int_equal(attach(&w, &f), ERR_INVAL);
    w.like.uuid = se1;
    w.like.element_id[0] = ':';
    assert_int_equal(attach(&w, &f), ERR_INVAL);
    assert_string_equal(f.what, "element_id");
    w.like.element_id[0] = 's';
    ok(attach(&w, &f), &f);
    /* Another element with the same name (D31), now and after a restart: both
     * are told, with what helps, and Admin knows the first as before. */
    w.like.uuid.b[1] = 1;
    w.like.mode = BLOB_RO;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(attach(&w, &f), ERR_CONFLICT);
        assert_non_null(strstr(f.what, uuid_text(&se1, text)));
        assert_non_null(strstr(f.hint, "storage rename"));
        admin_close(&w.admin);
        ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
    }
    w.like.uuid = se1;
    w.like.mode = BLOB_EDIT;
    restart(&w);
    ok(admin_element_get(w.admin, "se-01", &e), &f);
    assert_true(uuid_eq(&e.uuid, &se1));
    assert_int_equal(e.mode, BLOB_EDIT);
    /* Registered elsewhere: whether it was heard decides what helps. */
    for (int heard = 0; heard < 2; heard++) {
        struct meta_element far = {.uuid = {{9}}, .remote = true};

        far.seen_at.ms = heard;
        (void)snprintf(far.element_id, sizeof(far.element_id), "se-09");
        ok(w.meta.meta.ops->element_put(&w.meta.meta, &far, &f), &f);
        admin_close(&w.admin);
        ok(admin_open(&w.admin, &w.meta.meta, &f), &f);
        (void)snprintf(w.like.element_id, sizeof(w.like.element_id), "se-09");
        assert_int_equal(attach(&w, &f), ERR_CONFLICT);
        assert_non_null(strstr(f.hint, heard ? "storage rename" : "DELETE"));
    }
    world_release(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_two_admins),
        cmocka_unit_test(test_attach_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
