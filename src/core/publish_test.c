/* publish_test.c - the rules of publish.h, tried with a failure at every
 * operation and at every pair of operations, on a model of the disk.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/publish.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define ITEMS 4
#define OPS   80

/* The world as the operations leave it. */
struct world {
    unsigned names[ITEMS]; /* that exist */
    bool journal;
    bool synced;
    bool sync_tried;
    bool poison;
    bool index;
    enum err ack[ITEMS];
    unsigned acks;
    char story[OPS * 4]; /* one letter for each operation */
    unsigned n;
};

static const char letter[] = {
    [PUBLISH_DO_WRITE] = 'w',  [PUBLISH_DO_LINK] = 'l',
    [PUBLISH_DO_UNLINK] = 'u', [PUBLISH_DO_JOURNAL] = 'J',
    [PUBLISH_DO_SYNC] = 'S',   [PUBLISH_DO_POISON] = 'P',
    [PUBLISH_DO_INDEX] = 'I',  [PUBLISH_DO_ACK] = 'A',
};

static void
obey(struct world *w, const struct publish_item *items,
     const struct publish_op *op, enum err answer)
{
    w->story[w->n++] = letter[op->what];
    switch (op->what) {
    case PUBLISH_DO_WRITE:
        assert_false(w->sync_tried);
        break;
    case PUBLISH_DO_LINK:
        assert_false(w->sync_tried);
        if (answer == ERR_OK)
            w->names[op->item] |= op->name;
        break;
    case PUBLISH_DO_UNLINK:
        /* Rule 5. */
        if (items[op->item].kind == PUBLISH_DELETE)
            assert_true(w->synced && w->journal);
        if (answer == ERR_OK)
            w->names[op->item] &= ~(unsigned)op->name;
        break;
    case PUBLISH_DO_JOURNAL:
        w->journal = answer == ERR_OK;
        break;
    case PUBLISH_DO_SYNC:
        assert_false(w->sync_tried); /* Rule 2: never again */
        w->sync_tried = true;
        w->synced = answer == ERR_OK;
        break;
    case PUBLISH_DO_POISON:
        assert_true(w->sync_tried && !w->synced && !w->poison);
        w->poison = true;
        break;
    case PUBLISH_DO_INDEX:
        assert_true(w->synced);
        w->index = answer == ERR_OK;
        break;
    case PUBLISH_DO_ACK:
        w->ack[op->item] = op->err;
        w->acks |= 1u << op->item;
        if (op->err == ERR_OK)
            assert_true(w->synced); /* Rule 1 */
        break;
    case PUBLISH_DO_END:
        break;
    }
}

/* Runs the batch; the operations whose numbers are in FAIL answer E. */
static unsigned
run(struct publish *p, struct publish_item *items, size_t n, unsigned fail1,
    unsigned fail2, enum err e, struct world *w)
{
    unsigned count = 0;
    struct publish_op op;

    *w = (struct world){0};
    for (size_t i = 0; i < n; i++)
        if (items[i].kind == PUBLISH_DELETE)
            w->names[i] = PUBLISH_DATA | PUBLISH_ATTR;
    publish_init(p, items, n);
    while ((op = publish_next(p)).what != PUBLISH_DO_END) {
        bool real = op.what != PUBLISH_DO_ACK && op.what != PUBLISH_DO_POISON;
        enum err answer = ERR_OK;

        assert_true(count < OPS);
        if (real) {
            count++;
            if (count == fail1 || count == fail2)
                answer = e;
        }
        obey(w, items, &op, answer);
        publish_done(p, answer);
    }
    return count;
}

static void
set_items(struct publish_item items[ITEMS])
{
    items[0] = (struct publish_item){.kind = PUBLISH_PUT};
    items[1] = (struct publish_item){.kind = PUBLISH_PUT, .sidecar = true};
    items[2] = (struct publish_item){.kind = PUBLISH_DELETE};
    items[3] = (struct publish_item){.kind = PUBLISH_ABORT};
}

static void
test_story(void **state)
{
    struct publish_item items[ITEMS];
    struct publish p;
    struct world w;
    (void)state;

    set_items(items);
    run(&p, items, ITEMS, 0, 0, ERR_OK, &w);
    assert_string_equal(w.story, "wwwwwlllllJSIuuuAAAA");
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(w.ack[i], ERR_OK);
    assert_int_equal(w.names[0], PUBLISH_DATA | PUBLISH_ATTR);
    assert_int_equal(w.names[1], PUBLISH_DATA | PUBLISH_SIDECAR | PUBLISH_ATTR);
    assert_int_equal(w.names[2], 0);

    publish_init(&p, items, 0); /* nothing to do */
    assert_int_equal(publish_next(&p).what, PUBLISH_DO_END);
    assert_int_equal(publish_next(&p).what, PUBLISH_DO_END);
}

static void
test_named_failures(void **state)
{
    static const struct {
        unsigned fail;
        const char *story;
        const char *why;
    } row[] = {
        {1, "wwwwlllJSIuuuAAAA", "a body: the others go on"},
        {6, "wwwwwllllJSIuuuAAAA", "the first name: nothing to undo"},
        {7, "wwwwwllllluJSIuuuAAAA", "the second: the first is undone"},
        {11, "wwwwwlllllJSIAAAA", "the journal: the delete fails"},
        {12, "wwwwwlllllJSPuuuuuAAAA", "the sync: all are taken back"},
        {13, "wwwwwlllllJSIuuuuuuuuAAAA", "the index: the puts are"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct publish_item items[ITEMS];
        struct publish p;
        struct world w;

        set_items(items);
        run(&p, items, ITEMS, row[i].fail, 0, ERR_IO, &w);
        if (strcmp(w.story, row[i].story) != 0)
            fail_msg("%s: %s", row[i].why, w.story);
    }
}

static void
judge(const struct publish *p, const struct publish_item *items,
      const struct world *w, bool unlink_failed)
{
    assert_int_equal(w->acks, (1u << ITEMS) - 1); /* each is answered */
    for (size_t i = 0; i < ITEMS; i++) {
        unsigned full = PUBLISH_DATA | PUBLISH_ATTR |
                        (items[i].sidecar ? PUBLISH_SIDECAR : 0u);

        if (items[i].kind == PUBLISH_PUT && w->ack[i] == ERR_OK)
            assert_true(w->names[i] == full && w->index);
        if (items[i].kind == PUBLISH_PUT && w->ack[i] != ERR_OK) {
            /* Rule 3. */
            assert_true(w->names[i] == 0 || unlink_failed);
            if (w->names[i] && !w->synced)
                assert_true(p->stuck || p->poisoned);
        }
        if (items[i].kind != PUBLISH_PUT && w->ack[i] == ERR_OK)
            assert_true(w->journal && w->synced);
        /* Rule 4. */
        if (items[i].kind == PUBLISH_DELETE && w->journal && w->synced)
            assert_int_equal(w->ack[i], ERR_OK);
        if (items[i].kind == PUBLISH_DELETE && w->ack[i] != ERR_OK)
            assert_int_equal(w->names[i], PUBLISH_DATA | PUBLISH_ATTR);
    }
    if (w->sync_tried && !w->synced) { /* Rule 2 */
        assert_true(w->poison);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_not_equal(w->ack[i], ERR_OK);
    }
}

static void
test_every_pair(void **state)
{
    unsigned runs = 0;
    (void)state;

    for (unsigned a = 0; a < 40; a++)
        for (unsigned b = a; b < 40; b++)
            for (int full = 0; full < 2; full++) {
                struct publish_item items[ITEMS];
                struct publish p;
                struct world w;
                bool unlink_failed = false;

                set_items(items);
                run(&p, items, ITEMS, a, b, full ? ERR_NOSPC : ERR_IO, &w);
                for (int i = 0; i < ITEMS; i++)
                    unlink_failed |= items[i].stuck != 0;
                judge(&p, items, &w, unlink_failed);
                runs++;
            }
    assert_int_equal(runs, 40 * 41);
}

/* A name that is gone already is removed. */
static void
test_noent(void **state)
{
    struct publish_item items[1] = {{.kind = PUBLISH_DELETE}};
    struct publish p;
    struct publish_op op;
    (void)state;

    publish_init(&p, items, 1);
    while ((op = publish_next(&p)).what != PUBLISH_DO_END)
        publish_done(&p, op.what == PUBLISH_DO_UNLINK ? ERR_NOENT : ERR_OK);
    assert_int_equal(items[0].stuck, 0);
    assert_int_equal(items[0].err, ERR_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_named_failures),
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_noent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
