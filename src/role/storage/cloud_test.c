/* cloud_test.c - port/blob.h on an element in a bucket in memory, and what it
 * does beyond it: parts and their memory, a store that fails at every call, the
 * index lost, another owner. SPDX-License-Identifier: Apache-2.0 */
#include "hash/test_cpu.h"
#include "port/blob_contract.h"
#include "role/storage/cloud_rig.h"
#include "role/storage/impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define OK(call)      assert_int_equal((call), ERR_OK)
#define IS(err, call) assert_int_equal((call), (err))
#define B             ((uint64_t)BLOCK_SIZE)

static struct cloud_rig rig;

/* ---- the contract ---- */

static struct blob *
c_open(void *arg, struct loop_mem *l)
{
    (void)l;
    cloud_rig_init(&rig, NULL, NULL);
    if (arg) { /* small parts */
        cloud_rig_close(&rig);
        rig.conf.part_size = *(uint64_t *)arg;
        rig.conf.memory = 3 * rig.conf.part_size;
        rig.store.part_least = rig.conf.part_size;
        OK(cloud_rig_open(&rig));
    }
    return rig.story.blob;
}

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

static uint64_t small_parts = 4 * BLOCK_SIZE;
static const struct blob_contract contracts[] = {
    {.name = "blob: bucket in memory",
     .open = c_open,
     .reopen = c_reopen,
     .close = c_close,
     .set_mode = c_mode,
     .damage = c_damage},
    {.name = "blob: bucket in memory, parts of 1 MiB",
     .open = c_open,
     .reopen = c_reopen,
     .close = c_close,
     .set_mode = c_mode,
     .damage = c_damage,
     .arg = &small_parts},
};

/* ---- beyond it ---- */

static int
setup(void **state)
{
    (void)state;
    (void)c_open(&small_parts, NULL);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    cloud_rig_release(&rig);
    return 0;
}

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

/* The index is a cache (STO-036). */
static void
test_index_lost(void **state)
{
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    OK(story_upload(&rig.story, 2, 70 * B, true, NULL));
    OK(story_put(&rig.story, 3, 100, NULL));
    OK(story_delete(&rig.story, 3));
    OK(story_abort(&rig.story, 4, 1, 3 * B, 2 * B));
    cloud_rig_close(&rig);
    OK(rig.mem->ops->reset(rig.mem, NULL));
    OK(cloud_rig_open(&rig));
    assert_true(rig.report.rebuilt);
    assert_int_equal(rig.report.files, 2);
    OK(story_check(&rig.story, 1, 100, true));
    OK(story_check(&rig.story, 2, 70 * B, true));
    IS(ERR_NOENT, story_check(&rig.story, 3, 100, true));
    IS(ERR_CONFLICT, story_put(&rig.story, 3, 100, NULL));
    IS(ERR_CONFLICT, story_put(&rig.story, 4, 100, NULL));
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 2);
}

static void
set_true(void *arg)
{
    *(bool *)arg = true;
}

static void
let_pass(struct dur d)
{
    bool stopped = false;

    element_start(rig.element, &rig.loop.loop);
    loop_mem_advance(&rig.loop, d);
    element_stop(rig.element, set_true, &stopped);
    loop_mem_settle(&rig.loop);
    assert_true(stopped);
}

/* Those of one millisecond too: each has an object of its own. */
static void
test_tombs_expire(void **state)
{
    (void)state;

    for (unsigned i = 1; i <= 3; i++) {
        OK(story_put(&rig.story, i, 100, NULL));
        OK(story_delete(&rig.story, i));
    }
    OK(story_abort(&rig.story, 4, 1, 3 * B, 2 * B));
    OK(story_put(&rig.story, 5, 100, NULL));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 4);
    rig.loop.loop.wall.ms += TOMB_KEEP_MS - 120000;
    let_pass(dur_s(70));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 4);
    rig.loop.loop.wall.ms += 120000;
    let_pass(dur_s(70));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 0);
    /* And those that an earlier process left. */
    OK(story_delete(&rig.story, 5));
    OK(story_abort(&rig.story, 6, 1, 3 * B, 2 * B));
    cloud_rig_close(&rig);
    rig.loop.loop.wall.ms += TOMB_KEEP_MS + 1;
    OK(cloud_rig_open(&rig));
    assert_int_equal(objects_mem_count(&rig.store, "tombs/"), 0);
}

/* No worker waits for a store of which it is known that it does not answer,
 * and a stop does not either. */
static void
test_away(void **state)
{
    uint64_t asked;
    (void)state;

    rig.store.fail = (struct fail){.at = 1, .on = true};
    IS(ERR_IO, story_put(&rig.story, 1, 100, NULL));
    asked = rig.store.fail.calls;
    IS(ERR_AGAIN, story_put(&rig.story, 2, 100, NULL));
    assert_int_equal(rig.store.fail.calls, asked);
    rig.store.fail = (struct fail){0};
    let_pass(dur_s(6)); /* it is back */
    OK(story_put(&rig.story, 2, 100, NULL));
    rig.store.fail = (struct fail){.at = 1, .on = true};
    IS(ERR_IO, story_put(&rig.story, 3, 100, NULL));
    asked = rig.store.fail.calls;
    cloud_rig_close(&rig);
    assert_int_equal(rig.store.fail.calls, asked);
    rig.store.fail = (struct fail){0};
    OK(cloud_rig_open(&rig));
    OK(story_check(&rig.story, 2, 100, true));
    IS(ERR_NOENT, story_check(&rig.story, 3, 100, true));
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 1);
}

/* Keys that are refused, a bucket that is gone: not what the caller did. */
static void
test_not_ours(void **state)
{
    static const enum err row[] = {ERR_DENIED, ERR_NOENT, ERR_INVAL,
                                   ERR_CORRUPT};
    struct blob_capacity c;
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    for (unsigned i = 0; i < countof(row); i++) {
        rig.store.fail = (struct fail){.at = 1, .on = true, .err = row[i]};
        IS(ERR_IO, story_put(&rig.story, 2 + i, 100, NULL));
        IS(ERR_IO, story_upload(&rig.story, 20 + i, 9 * B, true, NULL));
        rig.story.blob->ops->capacity(rig.story.blob, &c);
        assert_true(strncmp(c.health, "unhealthy", 9) == 0);
        assert_false(c.writable);
        rig.store.fail = (struct fail){0};
        let_pass(dur_s(70)); /* it is back, and debts are paid */
        rig.story.blob->ops->capacity(rig.story.blob, &c);
        assert_true(c.writable);
        OK(story_put(&rig.story, 2 + i, 100, NULL));
    }
    cloud_rig_close(&rig);
    assert_int_equal(cloud_rig_audit(&rig), 1 + countof(row));
}

/* The page of a proxy is nobody's word, and a bucket that is gone is. */
static void
test_owner_unclear(void **state)
{
    char page[100] = "<html>";
    struct slice s = slice_of(page, sizeof(page));
    struct object_req r = {
        .op = OBJECT_PUT, .key = "owner", .body = &s, .n_body = 1};
    (void)state;

    OK(objects_call(&rig.store.objects, &r));
    let_pass(dur_s(31));
    OK(story_put(&rig.story, 1, 100, NULL));
    r.op = OBJECT_DELETE;
    OK(objects_call(&rig.store.objects, &r));
    let_pass(dur_s(31));
    IS(ERR_READONLY, story_put(&rig.story, 2, 100, NULL));
}

/* D31: somebody else has opened it. */
static void
test_owner_lost(void **state)
{
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    let_pass(dur_s(31));
    OK(story_put(&rig.story, 2, 100, NULL));
    objects_mem_get(&rig.store, "owner", NULL)[0] ^= 1;
    let_pass(dur_s(31));
    IS(ERR_READONLY, story_put(&rig.story, 3, 100, NULL));
    assert_non_null(element_trouble(rig.element));
    OK(story_check(&rig.story, 1, 100, true));
}

static void
test_foreign(void **state)
{
    struct objects_mem *m = &rig.store;
    struct slice s = SLICE("hello");
    struct object_req r = {.op = OBJECT_PUT,
                           .key = "data/2023/11/14/notes.txt",
                           .body = &s,
                           .n_body = 1};
    (void)state;

    OK(story_put(&rig.story, 1, 100, NULL));
    OK(objects_call(&m->objects, &r));
    cloud_rig_kill(&rig);
    OK(cloud_rig_open(&rig));
    assert_int_equal(rig.report.extra, 1);
    assert_non_null(objects_mem_get(m, "data/2023/11/14/notes.txt", NULL));
    OK(story_check(&rig.story, 1, 100, true));
    cloud_rig_close(&rig);
    /* D31: and nothing is made where something is. */
    IS(ERR_EXISTS,
       cloud_init(&m->objects,
                  &(struct element_birth){.label = "x", .pool_id = "p"},
                  test_quickest(), &rig.fault));
}

/* D31, AMB-026: as an element in a folder. */
static void
test_name_and_mode(void **state)
{
    struct element_conf conf = {.mode = BLOB_AR, .hash = test_quickest()};
    struct cloud_conf cc = {.limit = 0};
    struct ledger_conf ledger = element_ledger_conf();
    struct element_report rep;
    struct element *e;
    (void)state;

    IS(ERR_BUSY,
       cloud_rename(rig.objects, "se-09", test_quickest(), &rig.fault));
    cloud_rig_kill(&rig); /* it may be served elsewhere, for all we know */
    IS(ERR_BUSY,
       cloud_rename(rig.objects, "se-09", test_quickest(), &rig.fault));
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    rig.element_id = "se-09";
    OK(cloud_rename(rig.objects, "se-09", test_quickest(), &rig.fault));
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    OK(cloud_rename(rig.objects, "se-01", test_quickest(), &rig.fault));
    rig.element_id = "se-77";
    IS(ERR_CONFLICT, cloud_rig_open(&rig));
    assert_non_null(strstr(rig.fault.what, "se-77"));
    assert_non_null(strstr(rig.fault.what, "se-01"));
    IS(ERR_CONFLICT,
       cloud_rebuild(rig.objects, rig.mem, "se-77", test_quickest(), true,
                     false, &rep, &rig.fault));
    rig.element_id = "se-01";
    /* A start that went no further has served in no mode. */
    rig.pool = element_pool_new(&ledger);
    OK(cloud_open(&e, &conf, &cc, rig.objects, rig.mem, rig.pool, NULL,
                  &rig.fault));
    element_close(&e);
    element_pool_free(&rig.pool);
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    rig.mode = BLOB_AR;
    OK(cloud_rig_open(&rig));
    cloud_rig_close(&rig);
    rig.mode = BLOB_EDIT;
    IS(ERR_CONFLICT, cloud_rig_open(&rig));
    assert_non_null(strstr(rig.fault.hint, "STORAGE_MODE"));
}

/* Whatever call of a start fails, the bucket is as clean as before, and may be
 * renamed; but for the last, which says that it is in use. */
static void
test_start_fails(void **state)
{
    bool more = true;
    (void)state;

    cloud_rig_close(&rig);
    for (uint64_t n = 1; more; n++) {
        rig.store.fail = (struct fail){.at = n};
        more = cloud_rig_open(&rig) != ERR_OK;
        rig.store.fail = (struct fail){0};
        assert_int_equal(more, rig.element == NULL);
        cloud_rig_close(&rig);
        OK(cloud_rename(rig.objects, "se-01", test_quickest(), &rig.fault));
        assert_true(more || n > 5);
    }
}

/* ---- a store that fails ---- */

/* What a story was told of each file. */
enum fate { ABSENT, THERE, MAYBE };

#define FILES 6

static const uint64_t size_of[FILES] = {100, 5 * B, 9 * B, 70 * B, 100, 0};

static void
tell_story(enum fate fate[FILES])
{
    enum err e;

    for (unsigned i = 0; i < FILES; i++) {
        e = i % 2 ? story_upload(&rig.story, i, size_of[i], i & 2, NULL)
                  : story_put(&rig.story, i, size_of[i], NULL);
        fate[i] = e == ERR_OK ? THERE : MAYBE;
        if (i == 3)
            (void)story_abort(&rig.story, 20, 1, 12 * B, 9 * B);
        if (i >= 4 && fate[i - 4] == THERE) {
            e = story_delete(&rig.story, i - 4);
            fate[i - 4] = e == ERR_OK ? ABSENT : MAYBE;
        }
    }
}

/* Nothing acknowledged is lost, nothing deleted comes back, nothing is half
 * there. */
static void
check_fates(const enum fate fate[FILES], const char *when, uint64_t n)
{
    for (unsigned i = 0; i < FILES; i++) {
        enum err e = story_check(&rig.story, i, size_of[i], true);

        if ((fate[i] == THERE && e != ERR_OK) ||
            (fate[i] == ABSENT && e != ERR_NOENT) ||
            (e != ERR_OK && e != ERR_NOENT))
            fail_msg("%s, call %llu: file %u, told %d, is %s", when,
                     (unsigned long long)n, i, fate[i], err_name(e));
    }
}

/* One call fails, before it is carried out or after; and then all do until the
 * process is killed. Every third call, each time others; EVERY_FAULT=1 is all
 * of them. */
static void
fail_each(bool after, bool on, unsigned forget)
{
    const uint64_t step = getenv("EVERY_FAULT") ? 1 : 3;

    for (uint64_t n = 1 + (after + 2 * on + forget) % step;; n += step) {
        enum fate fate[FILES];
        bool more;

        (void)c_open(&small_parts, NULL);
        rig.store.fail = (struct fail){.at = n, .after = after, .on = on};
        tell_story(fate);
        more = rig.store.fail.calls >= n;
        if (on) { /* and the process dies: kill -9, or with it a power cut */
            size_t commits = index_mem_commits(rig.mem);

            cloud_rig_kill(&rig);
            rig.store.fail = (struct fail){0};
            if (forget && index_mem_synced(rig.mem) + forget <= commits) {
                struct index *first =
                    index_mem_first(rig.mem, commits - forget);

                rig.index.inner = first;
                rig.mem->ops->close(rig.mem);
                rig.mem = first;
            }
            OK(cloud_rig_open(&rig));
        } else {
            rig.store.fail = (struct fail){0};
            check_fates(fate, "at once", n);
            cloud_rig_check_log(&rig);
            let_pass(dur_s(70)); /* debts are paid */
        }
        check_fates(fate, "later", n);
        cloud_rig_check_log(&rig);
        if (rig.report.missing || rig.report.damaged)
            fail_msg("call %llu: %llu missing, %llu damaged",
                     (unsigned long long)n,
                     (unsigned long long)rig.report.missing,
                     (unsigned long long)rig.report.damaged);
        cloud_rig_close(&rig);
        (void)cloud_rig_audit(&rig);
        OK(cloud_rig_open(&rig));
        check_fates(fate, "after another start", n);
        cloud_rig_release(&rig);
        if (!more)
            break;
    }
}

static void
test_fails_before(void **state)
{
    (void)state;
    fail_each(false, false, 0);
}

static void
test_fails_after(void **state)
{
    (void)state;
    fail_each(true, false, 0);
}

static void
test_dies_before(void **state)
{
    (void)state;
    fail_each(false, true, 0);
}

static void
test_dies_after(void **state)
{
    (void)state;
    fail_each(true, true, 0);
}

/* With the machine: SQLite forgets its last transactions. */
static void
test_power_cut(void **state)
{
    (void)state;
    fail_each(false, true, 1);
    fail_each(true, true, 3);
}

/* The index refuses: nothing is acknowledged, nothing lies around. */
static void
test_index_fails(void **state)
{
    (void)state;

    for (uint64_t n = 1;; n++) {
        enum fate fate[FILES];
        bool more;

        (void)c_open(&small_parts, NULL);
        rig.index.fail = (struct fail){.at = n};
        tell_story(fate);
        more = rig.index.fail.calls >= n;
        rig.index.fail = (struct fail){0};
        check_fates(fate, "index", n);
        /* The next transaction tells what could not be told. */
        OK(story_put(&rig.story, 50, 10, NULL));
        cloud_rig_check_log(&rig);
        cloud_rig_close(&rig);
        (void)cloud_rig_audit(&rig);
        cloud_rig_release(&rig);
        if (!more)
            break;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part_sizes),
        cmocka_unit_test_setup_teardown(test_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tombs_expire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_unclear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
        cmocka_unit_test_setup_teardown(test_name_and_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_fails, setup, teardown),
        cmocka_unit_test(test_fails_before),
        cmocka_unit_test(test_fails_after),
        cmocka_unit_test(test_dies_before),
        cmocka_unit_test(test_dies_after),
        cmocka_unit_test(test_power_cut),
        cmocka_unit_test(test_index_fails),
    };
    int failed = 0;

    for (size_t i = 0; i < countof(contracts); i++)
        failed += blob_contract_run(&contracts[i]);
    return failed + cmocka_run_group_tests_name("cloud", tests, NULL, NULL);
}
