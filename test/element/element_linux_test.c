/* element_linux_test.c - the element on what it runs on: a real folder and
 * SQLite. First the contract of port/blob.h, then many threads at once: two
 * loops with their workers put, read, delete and give up on one element, while
 * its periodic work goes on; afterwards everything that was acknowledged is
 * there, and the index is what a rebuild would make. Run under ThreadSanitizer
 * by make tsan. SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "hash/test_cpu.h"
#include "io/disk_linux.h"
#include "io/index_sqlite.h"
#include "io/ioloop.h"
#include "port/blob_contract.h"
#include "port/blob_story.h"
#include "role/storage/element.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#define OK(call) assert_int_equal((call), ERR_OK)

static char base[256];

struct place {
    char path[300];
    char db[320];
    struct disk *disk;
    struct index *index;
    struct element_pool *pool;
    struct element *element;
    struct element_report report;
};

static void
place_open(struct place *p)
{
    struct element_conf conf = {.mode = BLOB_EDIT,
                                .hash = test_quickest(),
                                /* what others free shall not be seen */
                                .quota = 1 << 30,
                                .now = {1700000000000}};
    struct ledger_conf ledger = element_ledger_conf();
    struct fault f;

    OK(index_sqlite_open(&p->index, p->db, &f));
    p->pool = element_pool_new(&ledger);
    OK(element_open(&p->element, &conf, p->disk, p->index, p->pool, &p->report,
                    &f));
}

static void
place_close(struct place *p)
{
    element_close(&p->element);
    element_pool_free(&p->pool);
    p->index->ops->close(p->index);
}

static void
place_make(struct place *p, bool no_tmpfile)
{
    struct disk_linux_conf conf = {.create = true, .no_tmpfile = no_tmpfile};
    struct element_birth birth = {.label = "se-01", .pool_id = "pool"};
    static unsigned count;
    struct fault f;

    snprintf(p->path, sizeof(p->path), "%s/%u", base, ++count);
    snprintf(p->db, sizeof(p->db), "%s/index.db", p->path);
    OK(disk_linux_open(&p->disk, p->path, &conf, &f));
    birth.element_uuid.b[0] = 1;
    OK(element_init(p->disk, &birth, test_quickest(), &f));
    place_open(p);
}

/* The contract. */

static struct place one;

static struct blob *
c_open(void *arg, struct loop_mem *l)
{
    (void)l;
    place_make(&one, *(bool *)arg);
    return element_blob(one.element);
}

static struct blob *
c_reopen(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    place_close(&one);
    place_open(&one);
    assert_int_equal(one.report.buckets, 0); /* a clean stop */
    return element_blob(one.element);
}

static void
c_close(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    place_close(&one);
    one.disk->ops->close(one.disk);
}

static void
c_mode(void *arg, struct blob *b, enum blob_mode mode)
{
    (void)arg;
    (void)b;
    element_set_mode(one.element, mode);
}

static void
c_damage(void *arg, struct blob *b, const char *name, uint64_t off)
{
    char path[640];
    uint8_t c;
    int fd;
    (void)arg;
    (void)b;

    snprintf(path, sizeof(path), "%s/data/2023/11/14/0001/%s", one.path, name);
    fd = open(path, O_RDWR);
    assert_true(fd != -1 && pread(fd, &c, 1, (off_t)off) == 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, (off_t)off), 1);
    close(fd);
}

/* Many at once. */

#define LOOPS   2
#define CLIENTS 16 /* of each loop */
#define ROUNDS  60

enum stage { PUTTING, OPENING, READING, DELETING };

struct client {
    struct side *side;
    unsigned number; /* of the file */
    unsigned rounds;
    enum stage stage;
    uint64_t size;
    struct file_attr attr;
    uint8_t *body;
    struct blob_put put;
    struct blob_open open;
    struct blob_read read;
    struct blob_delete del;
    struct block *block;
};

struct side {
    struct ioloop *loop;
    struct blob *blob;
    struct prng prng;
    struct task task;
    struct client client[CLIENTS];
    unsigned running;
    unsigned kept;
    bool periodic;
};

static struct element *shared;
static _Atomic(unsigned) next_file = 1000;

static void next(struct client *c);

static void
stopped(void *arg)
{
    ioloop_stop(((struct side *)arg)->loop);
}

static void
finish(struct client *c)
{
    struct side *s = c->side;

    if (--s->running)
        return;
    if (s->periodic)
        element_stop(shared, stopped, s);
    else
        ioloop_stop(s->loop);
}

static void
del_done(struct blob_delete *r)
{
    assert_int_equal(r->err, ERR_OK);
    next(r->priv);
}

static void
read_done(struct blob_read *r)
{
    struct client *c = r->priv;

    assert_int_equal(r->err, ERR_OK);
    assert_int_equal(c->block->len, c->size);
    assert_memory_equal(c->block->data, c->body, c->size);
    loop_block_put(&c->side->loop->loop, c->block);
    c->side->blob->ops->close(r->reader);
    if (prng_below(&c->side->prng, 3) == 0) {
        c->del = (struct blob_delete){.loop = &c->side->loop->loop,
                                      .done = del_done,
                                      .file_id = c->attr.file_id,
                                      .priv = c};
        c->side->blob->ops->del(c->side->blob, &c->del);
        return;
    }
    c->side->kept++;
    next(c);
}

static void
open_done(struct blob_open *r)
{
    struct client *c = r->priv;

    assert_int_equal(r->err, ERR_OK);
    c->block = loop_block_get(&c->side->loop->loop);
    assert_non_null(c->block);
    c->block->state = BLOCK_READ;
    c->read = (struct blob_read){.loop = &c->side->loop->loop,
                                 .done = read_done,
                                 .reader = r->reader,
                                 .n = BLOCK_SIZE,
                                 .verify = true,
                                 .block = c->block,
                                 .priv = c};
    c->side->blob->ops->read(c->side->blob, &c->read);
}

static void
put_done(struct blob_put *r)
{
    struct client *c = r->priv;
    struct blob_capacity cap;

    assert_int_equal(r->err, ERR_OK);
    c->side->blob->ops->capacity(c->side->blob, &cap);
    assert_true(cap.seq > 0 || cap.reserved > 0);
    c->open = (struct blob_open){.loop = &c->side->loop->loop,
                                 .done = open_done,
                                 .file_id = c->attr.file_id,
                                 .priv = c};
    c->side->blob->ops->open(c->side->blob, &c->open);
}

static void
next(struct client *c)
{
    struct side *s = c->side;

    if (c->rounds++ == ROUNDS) {
        finish(c);
        return;
    }
    c->number = atomic_fetch_add(&next_file, 1);
    c->size = prng_below(&s->prng, 10) ? prng_below(&s->prng, 9000)
                                       : prng_below(&s->prng, BLOCK_SIZE);
    story_attr(&c->attr, c->number, c->size);
    story_fill(c->number, 0, c->body, (size_t)c->size);
    c->put = (struct blob_put){.loop = &s->loop->loop,
                               .done = put_done,
                               .attempt = 1,
                               .attr = &c->attr,
                               .data = c->body,
                               .aligned = true,
                               .priv = c};
    s->blob->ops->put(s->blob, &c->put);
}

static void
begin(struct loop *l, struct task *t)
{
    struct side *s = container_of(t, struct side, task);

    if (s->periodic)
        element_start(shared, l);
    for (unsigned i = 0; i < CLIENTS; i++) {
        s->client[i].side = s;
        s->client[i].body = aligned_alloc(BLOCK_ALIGN, BLOCK_SIZE);
        assert_non_null(s->client[i].body);
        s->running++;
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        next(&s->client[i]);
}

static void *
run(void *arg)
{
    ioloop_run(((struct side *)arg)->loop);
    return NULL;
}

static bool
count_change(void *arg, const struct index_change *c)
{
    uint64_t *last = arg;

    assert_int_equal(c->seq, *last + 1); /* no holes */
    *last = c->seq;
    return true;
}

static void
test_many(void **state)
{
    static struct side side[LOOPS];
    struct element_report rep;
    struct workers *workers;
    struct blocks *blocks;
    struct place p = {.disk = NULL};
    pthread_t thread[LOOPS];
    unsigned kept = 0;
    uint64_t last = 0;
    struct fault f;
    (void)state;

    place_make(&p, false);
    shared = p.element;
    OK(blocks_open(&blocks, 64 * MIB, &f));
    OK(workers_open(&workers, 6, ioloop_work_finished, &f));
    for (unsigned i = 0; i < LOOPS; i++) {
        OK(ioloop_open(&side[i].loop, "auto", i, blocks, workers, &f));
        side[i].blob = element_blob(p.element);
        side[i].periodic = i == 0;
        prng_init(&side[i].prng, i);
        side[i].task.run = begin;
        loop_post(&side[i].loop->loop, &side[i].task);
        assert_int_equal(pthread_create(&thread[i], NULL, run, &side[i]), 0);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        pthread_join(thread[i], NULL);
        kept += side[i].kept;
    }
    workers_close(&workers);
    for (unsigned i = 0; i < LOOPS; i++) {
        ioloop_close(&side[i].loop);
        for (unsigned k = 0; k < CLIENTS; k++)
            free(side[i].client[k].body);
    }
    blocks_close(&blocks);
    OK(element_changes(p.element, 0, 100000, count_change, &last, &f));
    assert_true(last >= LOOPS * CLIENTS * ROUNDS);
    place_close(&p);
    OK(index_sqlite_open(&p.index, p.db, &f));
    OK(element_rebuild(p.disk, p.index, NULL, test_quickest(), true, true, &rep,
                       &f));
    assert_int_equal(rep.files, kept);
    assert_int_equal(rep.extra + rep.missing + rep.damaged, 0);
    p.index->ops->close(p.index);
    p.disk->ops->close(p.disk);
}

int
main(void)
{
    const char *dir = getenv("ARTSTORE_TEST_DIR");
    bool bare[] = {false, true};
    struct blob_contract c = {.name = "element on Linux",
                              .open = c_open,
                              .reopen = c_reopen,
                              .close = c_close,
                              .set_mode = c_mode,
                              .damage = c_damage,
                              .arg = &bare[0]};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
    };
    char cmd[300];
    int failed;

    if (!dir)
        dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    snprintf(base, sizeof(base), "%s/element_test.XXXXXX", dir);
    if (!mkdtemp(base))
        return 1;
    failed = blob_contract_run(&c);
    c.name = "element on Linux, no tmpfile";
    c.arg = &bare[1];
    failed += blob_contract_run(&c);
    failed += cmocka_run_group_tests_name("threads", tests, NULL, NULL);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
    return failed + (system(cmd) != 0);
}
