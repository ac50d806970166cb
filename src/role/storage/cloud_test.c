/* cloud_test.c - port/blob.h on an element in a bucket in memory; and uploads
 * in parts: their sizes, their memory, their loop, and the limit. What a start
 * finds is in cloud_start_test.c, a store that fails in cloud_fault_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/blob_contract.h"
#include "role/storage/cloud_small.h"
#include <stdio.h>
#include <string.h>

/* ---- the contract ---- */

static struct blob *
c_reopen(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    cloud_rig_close(&rig);
    OK(cloud_rig_open(&rig));
    assert_int_equal(rig.report.buckets, 0); /* a clean stop */
    return rig.story.blob;
}

static void
c_close(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    cloud_rig_close(&rig);
    cloud_rig_release(&rig);
}

static void
c_mode(void *arg, struct blob *b, enum blob_mode mode)
{
    (void)arg;
    (void)b;
    element_set_mode(rig.element, mode);
}

struct find {
    const char *name;
    struct uuid id;
};

static bool
see_name(void *arg, const struct index_row *row)
{
    struct find *f = arg;

    if (strcmp(row->attr.storage_filename, f->name) != 0)
        return true;
    f->id = row->attr.file_id;
    return false;
}

static void
key_of(const struct uuid *id, const char *tail, char key[OBJECT_KEY_MAX + 1])
{
    char text[UUID_TEXT];

    snprintf(key, OBJECT_KEY_MAX + 1, "data/2023/11/14/%s%s",
             uuid_text(id, text), tail);
}

static void
c_damage(void *arg, struct blob *b, const char *name, uint64_t off)
{
    struct find f = {.name = name};
    struct uuid nil = {{0}};
    char key[OBJECT_KEY_MAX + 1];
    uint8_t *p;
    size_t n;
    (void)arg;
    (void)b;

    OK(rig.mem->ops->list(rig.mem, &nil, SIZE_MAX / 2, see_name, &f, NULL));
    key_of(&f.id, "", key);
    p = objects_mem_get(&rig.store, key, &n);
    assert_true(p && off < n);
    p[off] ^= 1;
}

static const struct blob_contract contracts[] = {
    {.name = "blob: bucket in memory",
     .open = bucket_open,
     .reopen = c_reopen,
     .close = c_close,
     .set_mode = c_mode,
     .damage = c_damage},
    {.name = "blob: bucket in memory, parts of 1 MiB",
     .open = bucket_open,
     .reopen = c_reopen,
     .close = c_close,
     .set_mode = c_mode,
     .damage = c_damage,
     .arg = &small_parts},
};

/* ---- beyond it ---- */

static void
test_part_sizes(void **state)
{
    uint64_t sum = 0;
    (void)state;

    assert_int_equal(cloud_part_size(8 * MIB, 5 * GIB, 1), 8 * MIB);
    assert_int_equal(cloud_part_size(8 * MIB, 80000 * MIB, 1), 8 * MIB);
    for (uint64_t size = 80000 * MIB; size <= 5120 * GIB; size += 7 * GIB + 3)
        assert_true(cloud_part_size(8 * MIB, size, 1) * OBJECT_PARTS_MAX >=
                    size);
    for (unsigned i = 1; i <= OBJECT_PARTS_MAX; i++) {
        uint64_t n = cloud_part_size(8 * MIB, BLOB_SIZE_UNKNOWN, i);

        assert_true(n >= OBJECT_PART_LEAST && n <= OBJECT_PART_MAX &&
                    n % BLOCK_SIZE == 0);
        sum += n;
        if (i == 1000)
            assert_int_equal(n, 8 * MIB);
    }
    assert_true(sum >= 5120 * GIB);
}

/* What fits into one part is one put; what does not goes in parts. */
static void
test_ways(void **state)
{
    uint64_t *n = rig.store.n_op;
    (void)state;

    OK(story_upload(&rig.story, 1, 4 * B, true, NULL));
    OK(story_upload(&rig.story, 2, 4 * B, false, NULL));
    OK(story_put(&rig.story, 3, 20 * B, NULL));
    assert_int_equal(n[OBJECT_BEGIN], 0);
    OK(story_upload(&rig.story, 4, 4 * B + 1, true, NULL));
    assert_int_equal(n[OBJECT_BEGIN], 1);
    assert_int_equal(n[OBJECT_PART], 2);
    assert_int_equal(n[OBJECT_COMPLETE], 1);
    OK(story_upload(&rig.story, 5, 40 * B, false, NULL));
    assert_int_equal(n[OBJECT_PART], 12);
    /* A repetition sends its parts and gives them up. */
    OK(story_upload(&rig.story, 5, 40 * B, false, NULL));
    assert_int_equal(n[OBJECT_COMPLETE], 2);
    assert_int_equal(n[OBJECT_GIVE_UP], 1);
    OK(story_abort(&rig.story, 6, 1, 40 * B, 20 * B));
    assert_int_equal(objects_mem_uploads(&rig.store), 0);
    cloud_rig_check_log(&rig);
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 5);
}

/* Three uploads want more than the budget: they take turns, and all end. */
struct slow {
    struct blob_admit admit;
    struct blob_append append;
    struct blob_publish publish;
    struct file_attr attr;
    struct block *block;
    uint64_t off, size;
    unsigned i;
    bool ended;
    enum err err;
};

static void slow_next(struct slow *s);

static void
slow_published(struct blob_publish *r)
{
    struct slow *s = r->priv;

    s->ended = true;
    s->err = r->err;
}

static void
slow_appended(struct blob_append *r)
{
    struct slow *s = r->priv;

    OK(r->err);
    s->off += r->block->len;
    slow_next(s);
}

static void
slow_next(struct slow *s)
{
    struct blob *b = rig.story.blob;

    if (s->off == s->size) {
        s->publish = (struct blob_publish){.loop = &rig.loop.loop,
                                           .done = slow_published,
                                           .ticket = s->admit.ticket,
                                           .attr = &s->attr,
                                           .priv = s};
        b->ops->publish(b, &s->publish);
        return;
    }
    s->block->len = (uint32_t)u64_min(B, s->size - s->off);
    s->block->state = BLOCK_WRITE;
    story_fill(s->i, s->off, s->block->data, s->block->len);
    s->append = (struct blob_append){.loop = &rig.loop.loop,
                                     .done = slow_appended,
                                     .ticket = s->admit.ticket,
                                     .block = s->block,
                                     .last = s->off + s->block->len == s->size,
                                     .priv = s};
    b->ops->append(b, &s->append);
}

static void
slow_admitted(struct blob_admit *r)
{
    OK(r->err);
    slow_next(r->priv);
}

static void
test_memory(void **state)
{
    struct slow s[5];
    (void)state;

    memset(s, 0, sizeof(s));
    rig.store.hold = true;
    for (unsigned i = 0; i < countof(s); i++) {
        s[i].i = i;
        s[i].size = (10 + i) * B + 17;
        s[i].block = loop_block_get(&rig.loop.loop);
        story_attr(&s[i].attr, i, s[i].size);
        s[i].admit = (struct blob_admit){.loop = &rig.loop.loop,
                                         .done = slow_admitted,
                                         .file_id = s[i].attr.file_id,
                                         .attempt = 1,
                                         .size = BLOB_SIZE_UNKNOWN,
                                         .priv = &s[i]};
        rig.story.blob->ops->admit(rig.story.blob, &s[i].admit);
    }
    loop_mem_settle(&rig.loop);
    for (unsigned i = 0; i < countof(s); i++) /* nobody got past a part */
        assert_true(s[i].off <= 4 * B && !s[i].ended);
    assert_true(s[0].off + s[1].off + s[2].off + s[3].off + s[4].off <= 12 * B);
    objects_mem_let_go(&rig.store);
    loop_mem_settle(&rig.loop);
    for (unsigned i = 0; i < countof(s); i++) {
        assert_true(s[i].ended);
        OK(s[i].err);
        loop_block_put(&rig.loop.loop, s[i].block);
        OK(story_check(&rig.story, i, s[i].size, true));
    }
}

/* The calls of one upload come over several connections, which are on several
 * loops: each is answered on its own. */
static struct loop *turning;
static unsigned answered;

static void
settle_both(struct loop_mem *other)
{
    for (unsigned i = 0; i < 10; i++) {
        turning = &rig.loop.loop;
        loop_mem_settle(&rig.loop);
        turning = &other->loop;
        loop_mem_settle(other);
    }
}

static void
here_admitted(struct blob_admit *r)
{
    OK(r->err);
}

static void
here_appended(struct blob_append *r)
{
    OK(r->err);
    assert_ptr_equal(turning, r->loop);
    answered++;
}

static void
here_published(struct blob_publish *r)
{
    OK(r->err);
    assert_ptr_equal(turning, r->loop);
    answered++;
}

static void
here_aborted(struct blob_abort *r)
{
    assert_ptr_equal(turning, r->loop);
    answered++;
}

static void
upload_on(struct loop_mem *other, unsigned number, bool give_up)
{
    struct blob *b = rig.story.blob;
    struct loop *on[2] = {&rig.loop.loop, &other->loop};
    struct block *k = loop_block_get(on[0]);
    uint64_t size = 9 * B + 5, off = 0;
    struct file_attr attr;
    struct blob_admit admit = {
        .loop = on[0], .done = here_admitted, .attempt = 1, .size = size};
    struct blob_publish publish = {
        .loop = on[1], .done = here_published, .attr = &attr};
    struct blob_abort abort = {.loop = on[1], .done = here_aborted};

    story_attr(&attr, number, size);
    admit.file_id = attr.file_id;
    b->ops->admit(b, &admit);
    settle_both(other);
    for (unsigned i = 0; off < size; i++) {
        struct blob_append r = {.loop = on[(i + 1) % 2],
                                .done = here_appended,
                                .ticket = admit.ticket,
                                .block = k};

        k->len = (uint32_t)u64_min(B, size - off);
        k->state = BLOCK_WRITE;
        story_fill(number, off, k->data, k->len);
        off += k->len;
        r.last = off == size;
        b->ops->append(b, &r);
        settle_both(other);
        assert_int_equal(answered, i + 1);
    }
    publish.ticket = abort.ticket = admit.ticket;
    if (give_up)
        b->ops->abort(b, &abort);
    else
        b->ops->publish(b, &publish);
    settle_both(other);
    assert_int_equal(answered, 11);
    answered = 0;
    loop_block_put(on[0], k);
}

static void
test_other_loop(void **state)
{
    struct loop_mem other;
    (void)state;

    loop_mem_init(&other);
    upload_on(&other, 1, false);
    OK(story_check(&rig.story, 1, 9 * B + 5, true));
    upload_on(&other, 2, true);
    IS(ERR_NOENT, story_check(&rig.story, 2, 9 * B + 5, true));
    loop_mem_release(&other);
}

static void
test_too_large(void **state)
{
    (void)state;

    /* 10,000 parts of 3 MiB are all that this memory is good for. */
    IS(ERR_TOOBIG, story_upload(&rig.story, 1, 30001 * MIB, true, NULL));
    assert_non_null(strstr(rig.story.fault.hint, "S3_MEMORY"));
}

/* STO-021, STO-022, STO-024. */
static void
test_limit(void **state)
{
    struct blob_capacity c;
    (void)state;

    cloud_set_limit(rig.element, 10 * B);
    OK(story_put(&rig.story, 1, 6 * B, NULL));
    IS(ERR_NOSPC, story_put(&rig.story, 2, 5 * B, NULL));
    OK(story_put(&rig.story, 2, 4 * B, NULL));
    cloud_set_limit(rig.element, 5 * B);
    rig.story.blob->ops->capacity(rig.story.blob, &c);
    assert_string_equal(c.backend, "s3");
    assert_int_equal(c.total, 5 * B);
    assert_int_equal(c.used, 10 * B); /* over 100 % */
    assert_int_equal(c.available, 0);
    assert_int_equal(c.status, BLOB_FULL);
    assert_string_equal(c.health, "healthy");
    cloud_set_limit(rig.element, 0);
    rig.story.blob->ops->capacity(rig.story.blob, &c);
    assert_int_equal(c.total, 0);
    assert_true(strncmp(c.health, "degraded", 8) == 0);
    IS(ERR_NOSPC, story_put(&rig.story, 3, 1, NULL));
    cloud_set_limit(rig.element, 20 * B);
    OK(story_put(&rig.story, 3, 10 * B, NULL));
    IS(ERR_NOSPC, story_put(&rig.story, 4, 1, NULL));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part_sizes),
        T(test_ways),
        T(test_memory),
        T(test_other_loop),
        T(test_too_large),
        T(test_limit),
    };
    int failed = 0;

    for (size_t i = 0; i < countof(contracts); i++)
        failed += blob_contract_run(&contracts[i]);
    return failed + cmocka_run_group_tests_name("cloud", tests, NULL, NULL);
}
