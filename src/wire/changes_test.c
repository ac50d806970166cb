/* changes_test.c - pages there and back, and pages that are refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/changes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define U "01020304-0506-7000-8000-0000000000"

/* A file with all that a file may have. */
static struct file_attr
sample(uint8_t i)
{
    struct file_attr a = {
        .file_id = {{1, 2, 3, 4, 5, 6, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, i}},
        .original_filename = "a \"b\".txt",
        .storage_filename = "a_b.txt",
        .content_type = "text/plain",
        .content_encoding = "gzip",
        .uploaded_by = "me",
        .element_id = "se-01",
        .size = 12345678901,
        .md5 = {1, i},
        .sha256 = {2, i},
        .uploaded_at = {1700000000123},
        .expires_at = {1800000000456},
        .retention = RETENTION_PERMANENT,
        .metadata = "{ \"n\": 1.50 }",
        .format = 1,
        .element_uuid = {{9}},
        .epoch = 3,
        .seq = 70 + i,
        .state = ATTR_HELD,
        .stored_size = 99,
        .stored_crc = 0x01020304};
    return a;
}

static void
same(const struct file_attr *got, const struct file_attr *want)
{
    struct file_attr g = *got, w = *want;

    assert_string_equal(g.metadata ? g.metadata : "",
                        w.metadata ? w.metadata : "");
    g.metadata = w.metadata = NULL;
    assert_memory_equal(&g.file_id, &w.file_id, sizeof(g.file_id));
    assert_string_equal(g.original_filename, w.original_filename);
    assert_string_equal(g.storage_filename, w.storage_filename);
    assert_string_equal(g.content_type, w.content_type);
    assert_string_equal(g.content_encoding, w.content_encoding);
    assert_string_equal(g.uploaded_by, w.uploaded_by);
    assert_string_equal(g.element_id, w.element_id);
    assert_int_equal(g.size, w.size);
    assert_memory_equal(g.md5, w.md5, sizeof(g.md5));
    assert_memory_equal(g.sha256, w.sha256, sizeof(g.sha256));
    assert_int_equal(g.uploaded_at.ms, w.uploaded_at.ms);
    assert_int_equal(g.expires_at.ms, w.expires_at.ms);
    assert_int_equal(g.retention, w.retention);
    assert_int_equal(g.format, w.format);
    assert_memory_equal(&g.element_uuid, &w.element_uuid, 16);
    assert_int_equal(g.epoch, w.epoch);
    assert_int_equal(g.seq, w.seq);
    assert_int_equal(g.state, w.state);
    assert_int_equal(g.stored_size, w.stored_size);
    assert_int_equal(g.stored_crc, w.stored_crc);
}

static void
test_changes(void **state)
{
    const struct changes_head head = {.element_id = "se-01",
                                      .element_uuid = {{7}},
                                      .boot = 5,
                                      .first_seq = 3,
                                      .seq = 90,
                                      .since = 70,
                                      .next = 73,
                                      .more = true};
    struct change c[3] = {{71, CHANGE_PUBLISH, {1700000000001}, sample(1)},
                          {72, CHANGE_DELETE, {1700000000002}, {.epoch = 4}},
                          {73, CHANGE_EXPIRE, {1700000000003}, {.epoch = 0}}};
    struct json_error e = {0};
    struct changes_page p;
    struct json_writer w;
    struct change got;
    struct buf b;
    (void)state;

    c[1].attr.file_id = sample(2).file_id;
    c[2].attr.file_id = sample(3).file_id;
    buf_init(&b, CHANGES_TEXT);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_list(&w, "changes");
    for (int i = 0; i < 3; i++)
        changes_put_row(&w, &c[i]);
    json_end_list(&w);
    changes_put_head(&w, &head);
    json_end_object(&w);
    assert_non_null(strstr(buf_str(&b), "\"stored_crc\":\"01020304\""));

    if (!changes_open(&p, buf_slice(&b), &e))
        fail_msg("%s", e.text);
    assert_int_equal(p.n, 3);
    assert_memory_equal(&p.head, &head, sizeof(head));
    for (int i = 0; i < 3; i++) {
        if (!changes_row(&p, &got, &e))
            fail_msg("%d: %s", i, e.text);
        assert_int_equal(got.seq, c[i].seq);
        assert_int_equal(got.op, c[i].op);
        assert_int_equal(got.at.ms, c[i].at.ms);
        same(&got.attr, &c[i].attr);
        free((void *)(uintptr_t)got.attr.metadata);
    }
    changes_release(&p);
    buf_release(&b);
}

#define PAGE(since, next, rows)                                            \
    "{\"element_uuid\":\"" U "01\",\"since\":" since ",\"next\":" next "," \
    "\"changes\":[" rows "]}"
#define DEL(seq)                                                          \
    "{\"seq\":" seq ",\"op\":\"delete\",\"at\":\"2025-01-02T00:00:00Z\"," \
    "\"file_id\":\"" U "02\",\"epoch\":0}"

static void
test_refused(void **state)
{
    static const struct {
        const char *text;
        int rows; /* that can be read; -1: not even opened */
        const char *why;
    } row[] = {
        {PAGE("0", "2", DEL("1") "," DEL("2")), 2, "good"},
        {PAGE("0", "9", DEL("2") "," DEL("7")), 2, "numbers may be missing"},
        {PAGE("5", "5", ""), 0, "empty"},
        {PAGE("0", "2", DEL("2") "," DEL("2")), 1, "a number twice"},
        {PAGE("0", "2", DEL("2") "," DEL("1")), 1, "downwards"},
        {PAGE("0", "1", DEL("1") "," DEL("2")), 1, "beyond next"},
        {PAGE("4", "5", DEL("4")), 0, "not after since"},
        {PAGE("6", "5", ""), -1, "next before since"},
        {PAGE("0", "1", "7"), 0, "no object"},
        {PAGE("0", "-1", ""), -1, "a negative number"},
        {"{\"since\":0,\"next\":0,\"changes\":[]}", -1, "whose?"},
        {"{\"element_uuid\":\"x\",\"since\":0,\"next\":0,\"changes\":[]}", -1,
         "no uuid"},
        {"{\"element_uuid\":\"" U "01\",\"since\":0,\"next\":0}", -1,
         "no list"},
        {PAGE("0", "1",
              "{\"seq\":1,\"op\":\"copy\",\"at\":\"2025-01-02T00:00:00Z\","
              "\"file_id\":\"" U "02\",\"epoch\":0}"),
         0, "an unknown word"},
        {PAGE("0", "1",
              "{\"seq\":1,\"op\":\"publish\",\"at\":\"2025-01-02T00:00:00Z\","
              "\"file_id\":\"" U "02\",\"epoch\":0}"),
         0, "a publish of nothing"},
        {PAGE("0", "1",
              "{\"seq\":1,\"op\":\"delete\",\"at\":\"yesterday\","
              "\"file_id\":\"" U "02\",\"epoch\":0}"),
         0, "no time"},
        {"[]", -1, "a list"},
        {"", -1, "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct json_error e = {0};
        struct changes_page p;
        struct change c;
        int n = -1;

        if (changes_open(&p, slice_str(row[i].text), &e)) {
            for (n = 0; n < (int)p.n && changes_row(&p, &c, &e);)
                n++;
            assert_int_equal(n == (int)p.n, !e.text[0]);
            changes_release(&p);
        } else {
            assert_true(e.text[0] != 0);
        }
        if (n != row[i].rows)
            fail_msg("%s: %d rows, %s", row[i].why, n, e.text);
    }
}

static void
test_files(void **state)
{
    struct file_attr a = sample(1), b2 = sample(2), got;
    struct uuid nil = {{0}};
    struct json_error e = {0};
    struct files_page p;
    struct json_writer w;
    struct buf b;
    (void)state;

    a.metadata = NULL;
    for (int last = 0; last < 2; last++) {
        buf_init(&b, CHANGES_TEXT);
        json_begin(&w, &b);
        json_put_object(&w, NULL);
        json_put_list(&w, "files");
        blobs_put_attr(&w, NULL, &a);
        blobs_put_attr(&w, NULL, &b2);
        json_end_list(&w);
        files_put_next(&w, last ? &nil : &b2.file_id);
        json_end_object(&w);
        if (!files_open(&p, buf_slice(&b), 2, &e))
            fail_msg("%s", e.text);
        assert_int_equal(p.n, 2);
        assert_memory_equal(&p.next, last ? &nil : &b2.file_id, 16);
        assert_true(files_row(&p, &got, &e));
        same(&got, &a);
        assert_true(files_row(&p, &got, &e));
        same(&got, &b2);
        free((void *)(uintptr_t)got.metadata);
        files_release(&p);
        assert_false(files_open(&p, buf_slice(&b), 1, &e)); /* one too many */
        e = (struct json_error){0};
        buf_release(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
