/* blob_story.c - see blob_story.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/blob_story.h"
#include <stdio.h>
#include <stdlib.h>

/* Eight bytes at once: the stories of all tests are some gigabytes. */
static uint64_t
story_word(unsigned i, uint64_t n)
{
    uint64_t x = (n + 1) * 0x9e3779b97f4a7c15ULL ^ (i + 1) * 0xff51afd7ed55ULL;

    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;
    return x ^ x >> 32;
}

uint8_t
story_byte(unsigned i, uint64_t off)
{
    uint64_t x = story_word(i, off / 8);
    uint8_t b[8];

    memcpy(b, &x, 8);
    return b[off % 8];
}

void
story_fill(unsigned i, uint64_t off, void *p, size_t n)
{
    uint8_t *b = p;

    for (; n && off % 8; n--)
        *b++ = story_byte(i, off++);
    for (; n >= 8; n -= 8, b += 8, off += 8) {
        uint64_t x = story_word(i, off / 8);

        memcpy(b, &x, 8);
    }
    for (; n; n--)
        *b++ = story_byte(i, off++);
}

void
story_attr(struct file_attr *a, unsigned i, uint64_t size)
{
    uint8_t random[10] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16),
                          (uint8_t)(i >> 8), (uint8_t)i};

    *a = (struct file_attr){.size = size, .retention = RETENTION_TEMPORARY};
    a->file_id = uuid_v7((struct wall){1700000000000 + i}, random);
    snprintf(a->original_filename, sizeof(a->original_filename),
             "report %u.TXT", i);
    snprintf(a->content_type, sizeof(a->content_type), "text/plain");
    snprintf(a->uploaded_by, sizeof(a->uploaded_by), "ivanov");
    memset(a->md5, (int)i, sizeof(a->md5));
    memset(a->sha256, (int)(i + size), sizeof(a->sha256));
}

static void
flag_put(struct blob_put *r)
{
    *(bool *)r->priv = true;
}

static enum err
told(struct blob_story *s, bool done, enum err err, const struct fault *f)
{
    assert(done);
    if (err != ERR_OK)
        s->fault = *f;
    return err;
}

/* The body as blocks, as a gateway keeps it. */
static unsigned
make_blocks(struct blob_story *s, unsigned i, uint64_t size,
            struct block *b[BLOB_PUT_BLOCKS])
{
    unsigned n = 0;

    for (uint64_t off = 0; off < size; off += BLOCK_SIZE) {
        b[n] = loop_block_get(&s->loop->loop);
        assert(b[n]);
        b[n]->len = (uint32_t)u64_min(BLOCK_SIZE, size - off);
        story_fill(i, off, b[n++]->data,
                   (size_t)u64_min(BLOCK_SIZE, size - off));
    }
    return n;
}

enum err
story_put(struct blob_story *s, unsigned i, uint64_t size,
          struct file_attr *out)
{
    struct block *b[BLOB_PUT_BLOCKS];
    bool done = false, many = size > BLOB_PUT_MAX;
    struct file_attr a;
    struct blob_put r = {
        .loop = &s->loop->loop, .done = flag_put, .attempt = 1, .attr = &a};
    unsigned n;

    assert(size <= BLOB_PUT_BLOCKS * BLOCK_SIZE);
    n = make_blocks(s, i, size ? size : 1, b);
    story_attr(&a, i, size);
    r.priv = &done;
    if (many) {
        r.blocks = b;
        r.n_blocks = n;
    } else {
        r.data = b[0]->data;
        r.aligned = true;
    }
    s->blob->ops->put(s->blob, &r);
    assert(!done);
    loop_mem_settle(s->loop);
    while (n)
        loop_block_put(&s->loop->loop, b[--n]);
    if (out)
        *out = a;
    return told(s, done, r.err, &r.fault);
}

void
story_put_many(struct blob_story *s, unsigned first, unsigned n, uint64_t size,
               enum err *errs)
{
    struct blob_put *r = calloc(n, sizeof(*r));
    struct file_attr *a = calloc(n, sizeof(*a));
    bool *done = calloc(n, sizeof(*done));
    uint8_t *p = malloc(n * (size_t)size + 1);

    assert(r && a && done && p);
    for (unsigned k = 0; k < n; k++) {
        story_attr(&a[k], first + k, size);
        story_fill(first + k, 0, p + k * size, (size_t)size);
        r[k] = (struct blob_put){.loop = &s->loop->loop,
                                 .done = flag_put,
                                 .attempt = 1,
                                 .attr = &a[k],
                                 .data = p + k * size,
                                 .priv = &done[k]};
        s->blob->ops->put(s->blob, &r[k]);
    }
    loop_mem_settle(s->loop);
    for (unsigned k = 0; k < n; k++)
        errs[k] = told(s, done[k], r[k].err, &r[k].fault);
    free(r);
    free(a);
    free(done);
    free(p);
}

static void
flag_admit(struct blob_admit *r)
{
    *(bool *)r->priv = true;
}

static void
flag_append(struct blob_append *r)
{
    *(bool *)r->priv = true;
}

static void
flag_publish(struct blob_publish *r)
{
    *(bool *)r->priv = true;
}

static void
flag_abort(struct blob_abort *r)
{
    *(bool *)r->priv = true;
}

static enum err
admit(struct blob_story *s, const struct file_attr *a, uint64_t attempt,
      uint64_t size, struct blob_ticket **ticket)
{
    bool done = false;
    struct blob_admit r = {.loop = &s->loop->loop,
                           .done = flag_admit,
                           .file_id = a->file_id,
                           .attempt = attempt,
                           .size = size,
                           .exact = size != BLOB_SIZE_UNKNOWN,
                           .priv = &done};

    s->blob->ops->admit(s->blob, &r);
    assert(!done);
    loop_mem_settle(s->loop);
    *ticket = r.ticket;
    return told(s, done, r.err, &r.fault);
}

/* Two blocks in flight, as a gateway has them. */
static enum err
append_all(struct blob_story *s, struct blob_ticket *t, unsigned i,
           uint64_t size, uint64_t stop)
{
    struct blob_append r[2];
    bool done[2] = {true, true};
    struct block *b[2] = {NULL, NULL};
    enum err err = ERR_OK;
    unsigned k = 0;

    for (uint64_t off = 0; off < stop && err == ERR_OK; k = !k) {
        size_t n = (size_t)u64_min(BLOCK_SIZE, stop - off);

        if (b[k]) {
            loop_mem_settle(s->loop);
            err = told(s, done[k], r[k].err, &r[k].fault);
        } else {
            b[k] = loop_block_get(&s->loop->loop);
            assert(b[k]);
        }
        if (err != ERR_OK)
            break;
        b[k]->state = BLOCK_WRITE;
        story_fill(i, off, b[k]->data, n);
        b[k]->len = (uint32_t)n;
        off += n;
        done[k] = false;
        r[k] = (struct blob_append){.loop = &s->loop->loop,
                                    .done = flag_append,
                                    .ticket = t,
                                    .block = b[k],
                                    .last = off == size,
                                    .priv = &done[k]};
        s->blob->ops->append(s->blob, &r[k]);
    }
    loop_mem_settle(s->loop);
    for (k = 0; k < 2; k++) {
        if (!b[k])
            continue;
        if (err == ERR_OK)
            err = told(s, done[k], r[k].err, &r[k].fault);
        loop_block_put(&s->loop->loop, b[k]);
    }
    return err;
}

static void
give_up(struct blob_story *s, struct blob_ticket *t)
{
    bool done = false;
    struct blob_abort r = {
        .loop = &s->loop->loop, .done = flag_abort, .ticket = t, .priv = &done};

    s->blob->ops->abort(s->blob, &r);
    loop_mem_settle(s->loop);
    assert(done);
}

enum err
story_upload(struct blob_story *s, unsigned i, uint64_t size, bool known,
             struct file_attr *out)
{
    bool done = false;
    struct file_attr a;
    struct blob_publish r = {.loop = &s->loop->loop,
                             .done = flag_publish,
                             .attr = &a,
                             .priv = &done};
    enum err err;

    story_attr(&a, i, size);
    err = admit(s, &a, 1, known ? size : BLOB_SIZE_UNKNOWN, &r.ticket);
    if (err != ERR_OK)
        return err;
    err = append_all(s, r.ticket, i, size, size);
    if (err != ERR_OK) {
        give_up(s, r.ticket);
        return err;
    }
    s->blob->ops->publish(s->blob, &r);
    loop_mem_settle(s->loop);
    if (out)
        *out = a;
    return told(s, done, r.err, &r.fault);
}

enum err
story_abort(struct blob_story *s, unsigned i, uint64_t attempt, uint64_t size,
            uint64_t appended)
{
    struct blob_ticket *t;
    struct file_attr a;
    enum err err;

    story_attr(&a, i, size);
    err = admit(s, &a, attempt, size, &t);
    if (err != ERR_OK)
        return err;
    err = append_all(s, t, i, size, appended);
    give_up(s, t);
    return err;
}

static void
flag_delete(struct blob_delete *r)
{
    *(bool *)r->priv = true;
}

enum err
story_delete(struct blob_story *s, unsigned i)
{
    bool done = false;
    struct file_attr a;
    struct blob_delete r = {
        .loop = &s->loop->loop, .done = flag_delete, .priv = &done};

    story_attr(&a, i, 0);
    r.file_id = a.file_id;
    s->blob->ops->del(s->blob, &r);
    loop_mem_settle(s->loop);
    return told(s, done, r.err, &r.fault);
}

static void
flag_open(struct blob_open *r)
{
    *(bool *)r->priv = true;
}

enum err
story_open(struct blob_story *s, unsigned i, struct blob_reader **out)
{
    bool done = false;
    struct file_attr a;
    struct blob_open r = {
        .loop = &s->loop->loop, .done = flag_open, .priv = &done};

    story_attr(&a, i, 0);
    r.file_id = a.file_id;
    s->blob->ops->open(s->blob, &r);
    loop_mem_settle(s->loop);
    *out = r.reader;
    return told(s, done, r.err, &r.fault);
}

static void
flag_read(struct blob_read *r)
{
    *(bool *)r->priv = true;
}

static bool
right_bytes(unsigned i, uint64_t off, const struct block *b)
{
    uint8_t want[4 * KIB];

    for (size_t k = 0, n; k < b->len; k += n) {
        n = size_min(b->len - k, sizeof(want));
        story_fill(i, off + k, want, n);
        if (memcmp(b->data + k, want, n) != 0)
            return false;
    }
    return true;
}

static enum err
check_blocks(struct blob_story *s, struct blob_reader *rd, unsigned i,
             uint64_t size, bool verify)
{
    struct block *b = loop_block_get(&s->loop->loop);
    enum err err = ERR_OK;

    assert(b);
    for (uint64_t off = 0; off < size && err == ERR_OK; off += BLOCK_SIZE) {
        bool done = false;
        struct blob_read r = {.loop = &s->loop->loop,
                              .done = flag_read,
                              .reader = rd,
                              .off = off,
                              .n = BLOCK_SIZE,
                              .verify = verify,
                              .block = b,
                              .priv = &done};

        b->state = BLOCK_READ;
        s->blob->ops->read(s->blob, &r);
        loop_mem_settle(s->loop);
        err = told(s, done, r.err, &r.fault);
        if (err == ERR_OK && (b->len != u64_min(BLOCK_SIZE, size - off) ||
                              !right_bytes(i, off, b)))
            err = ERR_CORRUPT;
    }
    loop_block_put(&s->loop->loop, b);
    return err;
}

enum err
story_check(struct blob_story *s, unsigned i, uint64_t size, bool verify)
{
    struct blob_reader *rd;
    struct blob_info info;
    enum err err = story_open(s, i, &rd);

    if (err != ERR_OK)
        return err;
    s->blob->ops->info(rd, &info);
    err = info.size == size && info.attr->size == size
              ? check_blocks(s, rd, i, size, verify)
              : ERR_CORRUPT;
    s->blob->ops->close(rd);
    return err;
}

static void
flag_list(struct blob_list *r)
{
    *(bool *)r->priv = true;
}

unsigned
story_count(struct blob_story *s, unsigned page)
{
    struct file_attr *rows = calloc(page, sizeof(*rows));
    struct uuid after = {{0}};
    unsigned total = 0, n;

    assert(rows);
    do {
        bool done = false;
        struct blob_list r = {.loop = &s->loop->loop,
                              .done = flag_list,
                              .after = after,
                              .max = page,
                              .rows = rows,
                              .priv = &done};

        s->blob->ops->list(s->blob, &r);
        loop_mem_settle(s->loop);
        assert(done && r.err == ERR_OK);
        for (unsigned k = 0; k < r.n; k++) {
            assert(memcmp(after.b, rows[k].file_id.b, 16) < 0);
            after = rows[k].file_id;
            free((void *)(uintptr_t)rows[k].metadata);
        }
        n = r.n;
        total += n;
    } while (n == page);
    free(rows);
    return total;
}
