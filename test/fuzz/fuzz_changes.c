/* fuzz_changes.c - pages of changes and of files: any bytes. What was read is
 * written and read again, and is the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/changes.h"
#include <stdlib.h>

static void
drop(struct file_attr *a)
{
    free((void *)(uintptr_t)a->metadata);
    a->metadata = NULL;
}

static void
same_change(const struct changes_head *h, const struct change *c)
{
    struct json_error e = {0};
    struct changes_page p;
    struct json_writer w;
    struct change again;
    struct buf b;

    buf_init(&b, MIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_list(&w, "changes");
    changes_put_row(&w, c);
    json_end_list(&w);
    changes_put_head(&w, h);
    json_end_object(&w);
    assert(!b.failed && changes_open(&p, buf_slice(&b), &e) && p.n == 1);
    assert(p.head.next == h->next && p.head.more == h->more);
    assert(changes_row(&p, &again, &e));
    assert(again.seq == c->seq && again.op == c->op && again.at.ms == c->at.ms);
    assert(again.attr.size == c->attr.size &&
           uuid_eq(&again.attr.file_id, &c->attr.file_id));
    assert(!again.attr.metadata == !c->attr.metadata);
    drop(&again.attr);
    changes_release(&p);
    buf_release(&b);
}

static void
try_changes(struct slice s)
{
    struct json_error e = {0};
    struct changes_page p;
    struct change c;
    uint64_t last;

    if (!changes_open(&p, s, &e)) {
        assert(e.text[0]);
        return;
    }
    last = p.head.since;
    for (size_t i = 0; i < p.n; i++) {
        if (!changes_row(&p, &c, &e)) {
            assert(e.text[0] && !c.attr.metadata);
            break;
        }
        assert(c.seq > last && c.seq <= p.head.next);
        last = c.seq;
        same_change(&p.head, &c);
        drop(&c.attr);
    }
    changes_release(&p);
}

static void
try_files(struct slice s)
{
    struct json_error e = {0};
    struct files_page p;
    struct file_attr a;

    if (!files_open(&p, s, 100, &e)) {
        assert(e.text[0]);
        return;
    }
    assert(p.n <= 100);
    for (size_t i = 0; i < p.n && files_row(&p, &a, &e); i++)
        drop(&a);
    files_release(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    try_changes(slice_of(data, n));
    try_files(slice_of(data, n));
    return 0;
}
