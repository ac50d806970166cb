/* attr_test.c - tests of attr.h and selfsum.h (STO-039, D30).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/attr.h"
#include "hash/hash.h"
#include "wire/selfsum.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct hash_kernels *k;

static void
sample(struct attr_doc *d, uint64_t stored)
{
    struct file_attr *a = &d->attr;

    *d = (struct attr_doc){0};
    memset(a->file_id.b, 0x11, 16);
    memset(a->element_uuid.b, 0x22, 16);
    memset(a->md5, 0xab, 16);
    memset(a->sha256, 0xcd, 32);
    snprintf(a->original_filename, sizeof(a->original_filename),
             "quarterly \"report\"\\ \xd0\x9f.pdf");
    snprintf(a->storage_filename, sizeof(a->storage_filename), "q_u_1.pdf");
    snprintf(a->content_type, sizeof(a->content_type), "application/pdf");
    snprintf(a->uploaded_by, sizeof(a->uploaded_by), "ivanov");
    snprintf(a->element_id, sizeof(a->element_id), "se-01");
    a->size = stored + 1;
    a->stored_size = stored;
    a->stored_crc = 0xdeadbeef;
    a->uploaded_at.ms = 1763717401123;
    a->expires_at.ms = 1763717402000;
    a->retention = RETENTION_TEMPORARY;
    a->epoch = 7;
    a->seq = 1234567890123;
    a->metadata = "{\"b\": [1, 2.5, null], \"a\": \"\\u00e4\"}";
    if (attr_blocks(stored) <= ATTR_INLINE_BLOCKS)
        d->n_block = (uint32_t)attr_blocks(stored);
    for (uint32_t i = 0; i < d->n_block; i++)
        d->block_crc[i] = 0x1000 + i;
    if (!d->n_block && stored)
        d->sidecar_crc = 0x12345678;
}

static void
encode(struct buf *b, const struct attr_doc *d)
{
    buf_init(b, ATTR_TEXT_MAX);
    assert_true(attr_encode(b, d, k));
    assert_false(b->failed);
}

static void
same(const struct file_attr *a, const struct file_attr *b)
{
    assert_memory_equal(a->file_id.b, b->file_id.b, 16);
    assert_string_equal(a->original_filename, b->original_filename);
    assert_string_equal(a->storage_filename, b->storage_filename);
    assert_string_equal(a->content_type, b->content_type);
    assert_string_equal(a->content_encoding, b->content_encoding);
    assert_string_equal(a->uploaded_by, b->uploaded_by);
    assert_string_equal(a->element_id, b->element_id);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->md5, b->md5, 16);
    assert_memory_equal(a->sha256, b->sha256, 32);
    assert_int_equal(a->uploaded_at.ms, b->uploaded_at.ms);
    assert_int_equal(a->expires_at.ms, b->expires_at.ms);
    assert_int_equal(a->retention, b->retention);
    assert_memory_equal(a->element_uuid.b, b->element_uuid.b, 16);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->stored_size, b->stored_size);
    assert_int_equal(a->stored_crc, b->stored_crc);
}

static void
test_there_and_back(void **state)
{
    static const uint64_t sizes[] = {0,
                                     1,
                                     ATTR_BLOCK,
                                     ATTR_BLOCK + 1,
                                     64 * ATTR_BLOCK,
                                     64 * ATTR_BLOCK + 1,
                                     (uint64_t)1 << 40};
    (void)state;

    for (size_t i = 0; i < countof(sizes); i++) {
        struct attr_doc d, e;
        struct buf b;

        sample(&d, sizes[i]);
        if (i % 2) {
            d.attr.expires_at.ms = 0;
            d.attr.retention = RETENTION_PERMANENT;
            d.attr.state = ATTR_HELD;
            d.attr.metadata = NULL;
        }
        encode(&b, &d);
        assert_int_equal(attr_decode(&e, buf_slice(&b), k), ERR_OK);
        same(&d.attr, &e.attr);
        assert_int_equal(e.attr.format, ATTR_FORMAT);
        assert_int_equal(d.n_block, e.n_block);
        assert_memory_equal(d.block_crc, e.block_crc, d.n_block * 4);
        assert_int_equal(d.sidecar_crc, e.sidecar_crc);
        if (d.attr.metadata)
            assert_string_equal(e.attr.metadata,
                                "{\"b\":[1,2.5,null],\"a\":\"\xc3\xa4\"}");
        else
            assert_null(e.attr.metadata);
        assert_null(e.extra);
        attr_release(&e);
        attr_release(&e); /* forgives */
        buf_release(&b);
    }
}

/* Any byte that is changed, added or missing is noticed. */
static void
test_damage(void **state)
{
    struct attr_doc d, e;
    struct buf b;
    (void)state;

    sample(&d, 1000);
    encode(&b, &d);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        assert_int_equal(attr_decode(&e, buf_slice(&b), k), ERR_CORRUPT);
        b.p[i] ^= 1;
        assert_int_equal(attr_decode(&e, slice_of(b.p, i), k), ERR_CORRUPT);
    }
    assert_true(buf_add_char(&b, '\n'));
    assert_int_equal(attr_decode(&e, buf_slice(&b), k), ERR_CORRUPT);
    buf_release(&b);
}

static void
replace(struct buf *b, const char *from, const char *to)
{
    char *at = memmem(b->p, b->n, from, strlen(from));
    struct buf c;
    size_t head, tail;

    assert_non_null(at);
    head = (size_t)(at - b->p);
    /* Without the old checksum: a comma, its line, the closing brace. */
    tail = b->n - head - strlen(from) -
           strlen(",\n  \"checksum\": \"12345678\"\n}\n");
    buf_init(&c, ATTR_TEXT_MAX);
    buf_add(&c, b->p, head);
    buf_add_str(&c, to);
    buf_add(&c, at + strlen(from), tail);
    assert_true(selfsum_close(&c, 0, k));
    buf_release(b);
    *b = c;
}

/* Whole by its checksum, and still not what we write. */
static void
test_wrong(void **state)
{
    static const struct {
        const char *from, *to;
        enum err err;
        const char *why;
    } row[] = {
        {"\"format\": 1", "\"format\": 1", ERR_OK, "nothing changed"},
        {"\"format\": 1", "\"format\": 2", ERR_UNSUPPORTED, "a later format"},
        {"\"format\": 1", "\"format\": -1", ERR_CORRUPT, "no number of ours"},
        {"\"format\": 1", "\"fromat\": 1", ERR_CORRUPT, "no format"},
        {"11111111-1111", "1111111-11111", ERR_CORRUPT, "no uuid"},
        {"\"TEMPORARY\"", "\"SHORT\"", ERR_CORRUPT, "no policy of ours"},
        {"\"committed\"", "\"done\"", ERR_CORRUPT, "no state of ours"},
        {"\"committed\"", "\"held\"", ERR_OK, "held"},
        {"2025-11-21T09:30:01.123Z", "yesterday", ERR_CORRUPT, "no time"},
        {"\"2025-11-21T09:30:02.000Z\"", "null", ERR_OK, "never expires"},
        {"\"2025-11-21T09:30:02.000Z\"", "0", ERR_CORRUPT, "expires never?"},
        {"\"size_bytes\": 1001", "\"size_bytes\": \"1001\"", ERR_CORRUPT,
         "a text for a number"},
        {"\"size_bytes\": 1001", "\"size_bytes\": 1.5", ERR_CORRUPT, "half"},
        {"\"stored_size\": 1000", "\"stored_size\": 300000", ERR_CORRUPT,
         "not as many checksums as blocks"},
        {"\"stored_size\": 1000", "\"stored_size\": 100000000", ERR_CORRUPT,
         "no sidecar is named"},
        {"abababab", "abababag", ERR_CORRUPT, "no hexadecimal"},
        {"\"q_u_1.pdf\"", "\"q\\u0000.pdf\"", ERR_CORRUPT, "a zero in a name"},
        {"\"epoch\": 7", "\"epoch\": 7, \"epoch\": 8", ERR_CORRUPT, "twice"},
        {"\"metadata\": {", "\"metadata\": 3, \"x\": {", ERR_CORRUPT,
         "metadata is an object"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct attr_doc d, e;
        struct buf b;

        sample(&d, 1000);
        encode(&b, &d);
        replace(&b, row[i].from, row[i].to);
        if (attr_decode(&e, buf_slice(&b), k) != row[i].err)
            fail_msg("%s", row[i].why);
        attr_release(&e);
        buf_release(&b);
    }
}

/* What a later version has added survives our rewriting. */
static void
test_unknown(void **state)
{
    struct attr_doc d, e;
    struct buf b, c;
    (void)state;

    sample(&d, 1000);
    encode(&b, &d);
    replace(&b, "\"epoch\": 7",
            "\"epoch\": 7, \"tier\": {\"cold\": true}, \"note\": \"x\\ny\"");
    assert_int_equal(attr_decode(&e, buf_slice(&b), k), ERR_OK);
    assert_non_null(e.extra);
    e.attr.epoch = 8;
    encode(&c, &e);
    assert_non_null(memmem(c.p, c.n, "\"tier\": {\"cold\":true}", 21));
    assert_non_null(memmem(c.p, c.n, "\"note\": \"x\\ny\"", 14));
    attr_release(&e);
    assert_int_equal(attr_decode(&e, buf_slice(&c), k), ERR_OK);
    assert_int_equal(e.attr.epoch, 8);
    attr_release(&e);
    buf_release(&b);
    buf_release(&c);
}

static void
test_refused(void **state)
{
    struct attr_doc d;
    struct buf b;
    (void)state;

    buf_init(&b, 100); /* no room */
    sample(&d, 1);
    assert_false(attr_encode(&b, &d, k));
    buf_release(&b);
    buf_init(&b, ATTR_TEXT_MAX);
    d.attr.metadata = "[1]";
    assert_false(attr_encode(&b, &d, k));
    buf_release(&b);
    d.attr.metadata = "{\"a\"";
    assert_false(attr_encode(&b, &d, k));
    buf_release(&b);
}

/* Bytes that are no UTF-8 never make a document that cannot be read. */
static void
test_bad_text(void **state)
{
    struct attr_doc d, e;
    struct buf b;
    (void)state;

    sample(&d, 1);
    memcpy(d.attr.original_filename, "a\xff\xc0\xaf\x01\x7f\"b", 9);
    encode(&b, &d);
    assert_int_equal(attr_decode(&e, buf_slice(&b), k), ERR_OK);
    assert_string_equal(e.attr.original_filename,
                        "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x01\x7f\"b");
    attr_release(&e);
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_wrong),          cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_bad_text),
    };

    k = hash_select(&(struct hash_cpu){0}, "c");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
