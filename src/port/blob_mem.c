/* blob_mem.c - see blob_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/blob_mem.h"
#include "base/buf.h"
#include <stdlib.h>

#define FILE_MAX ((size_t)64 * 1024 * 1024)

struct file {
    struct list item;
    struct file_attr attr;
    struct buf body;
};

struct blob_ticket {
    struct uuid file_id;
    struct buf body;
    bool last;
    unsigned in_flight;
};

struct blob_reader {
    struct blob_mem *m;
    struct file_attr attr;
    struct buf body; /* a copy: a deleted file can be read to its end */
    uint64_t generation;
};

static struct blob_mem *
self(struct blob *b)
{
    return container_of(b, struct blob_mem, blob);
}

static enum err
verdict(struct blob_mem *m, enum err is, const char *op, struct fault *f)
{
    if (fail_now(&m->fail))
        return fail_fault(&m->fail, op, f);
    return is ? fault_set(f, is, op, "told to") : ERR_OK;
}

static void
nothing(struct work *w)
{
    (void)w;
}

static struct file *
file_of(struct blob_mem *m, const struct uuid *id)
{
    LIST_FOREACH_SAFE (it, next, &m->files) {
        struct file *f = container_of(it, struct file, item);

        if (uuid_eq(&f->attr.file_id, id))
            return f;
    }
    return NULL;
}

static void
file_free(struct blob_mem *m, struct file *f)
{
    list_remove(&f->item);
    m->n_files--;
    free((char *)(uintptr_t)f->attr.metadata);
    buf_release(&f->body);
    free(f);
}

/* Takes BODY over. */
static enum err
store(struct blob_mem *m, struct file_attr *a, struct buf *body)
{
    struct file *f = calloc(1, sizeof(*f));

    assert(f && a->size == body->n);
    assert(!file_of(m, &a->file_id));
    a->stored_size = a->size;
    (void)slice_copy(slice_str(m->blob.element_id), a->element_id,
                     sizeof(a->element_id));
    f->attr = *a;
    f->attr.metadata = a->metadata ? strdup(a->metadata) : NULL;
    f->body = *body;
    *body = (struct buf){.max = FILE_MAX};
    list_push(&m->files, &f->item);
    m->n_files++;
    return ERR_OK;
}

/* ---- admit, append, publish, abort ---- */

static void
admit_done(struct loop *l, struct work *w)
{
    struct blob_admit *r = container_of(w, struct blob_admit, work);

    (void)l;
    r->done(r);
}

static void
mem_admit(struct blob *b, struct blob_admit *r)
{
    struct blob_mem *m = self(b);

    m->admitted++;
    m->last_size = r->size;
    r->ticket = NULL;
    r->err = verdict(m, m->admit_is, "admit", &r->fault);
    if (r->err == ERR_OK) {
        r->ticket = calloc(1, sizeof(*r->ticket));
        assert(r->ticket);
        r->ticket->file_id = r->file_id;
        buf_init(&r->ticket->body, FILE_MAX);
        m->tickets++;
    }
    r->work = (struct work){.work = nothing, .done = admit_done};
    loop_work(r->loop, &r->work);
}

static void
ticket_free(struct blob_mem *m, struct blob_ticket *t)
{
    assert(t->in_flight == 0);
    buf_release(&t->body);
    free(t);
    m->tickets--;
}

static void
append_done(struct loop *l, struct work *w)
{
    struct blob_append *r = container_of(w, struct blob_append, work);

    (void)l;
    r->ticket->in_flight--;
    r->done(r);
}

static void
mem_append(struct blob *b, struct blob_append *r)
{
    struct blob_ticket *t = r->ticket;
    struct block *k = r->block;

    assert(k->state == BLOCK_WRITE && !t->last);
    assert(r->last || k->len == BLOCK_SIZE);
    t->last = r->last;
    t->in_flight++;
    r->err = verdict(self(b), ERR_OK, "append", &r->fault);
    if (r->err == ERR_OK && !buf_add(&t->body, k->data, k->len))
        r->err = fault_set(&r->fault, ERR_NOSPC, "append", "body");
    r->work = (struct work){.work = nothing, .done = append_done};
    loop_work(r->loop, &r->work);
}

static void
run_publish(struct loop *l, struct task *t)
{
    struct blob_publish *r = container_of(t, struct blob_publish, task);

    (void)l;
    r->done(r);
}

static void
mem_publish(struct blob *b, struct blob_publish *r)
{
    struct blob_mem *m = self(b);

    assert(uuid_eq(&r->ticket->file_id, &r->attr->file_id));
    m->published++;
    r->err = verdict(m, ERR_OK, "publish", &r->fault);
    if (r->err == ERR_OK)
        r->err = store(m, r->attr, &r->ticket->body);
    ticket_free(m, r->ticket);
    r->task.run = run_publish;
    loop_post(r->loop, &r->task);
}

static void
run_put(struct loop *l, struct task *t)
{
    struct blob_put *r = container_of(t, struct blob_put, task);

    (void)l;
    r->done(r);
}

static void
mem_put(struct blob *b, struct blob_put *r)
{
    struct blob_mem *m = self(b);
    struct buf body;

    m->puts++;
    r->err = verdict(m, m->put_is, "put", &r->fault);
    if (r->err == ERR_OK) {
        buf_init(&body, FILE_MAX);
        if (r->n_blocks == 0)
            (void)buf_add(&body, r->data, (size_t)r->attr->size);
        for (unsigned i = 0; i < r->n_blocks; i++)
            (void)buf_add(&body, r->blocks[i]->data, r->blocks[i]->len);
        r->err = store(m, r->attr, &body);
    }
    r->task.run = run_put;
    loop_post(r->loop, &r->task);
}

static void
run_abort(struct loop *l, struct task *t)
{
    struct blob_abort *r = container_of(t, struct blob_abort, task);

    (void)l;
    r->done(r);
}

static void
mem_abort(struct blob *b, struct blob_abort *r)
{
    self(b)->aborted++;
    ticket_free(self(b), r->ticket);
    r->task.run = run_abort;
    loop_post(r->loop, &r->task);
}

/* ---- open, read, delete ---- */

static void
open_done(struct loop *l, struct work *w)
{
    struct blob_open *r = container_of(w, struct blob_open, work);

    (void)l;
    r->done(r);
}

static void
mem_open(struct blob *b, struct blob_open *r)
{
    struct blob_mem *m = self(b);
    struct file *f = file_of(m, &r->file_id);

    r->reader = NULL;
    r->err = verdict(m, m->open_is, "open", &r->fault);
    if (r->err == ERR_OK && f == NULL)
        r->err = ERR_NOENT;
    if (r->err == ERR_OK) {
        r->reader = calloc(1, sizeof(*r->reader));
        assert(r->reader);
        r->reader->m = m;
        r->reader->attr = f->attr;
        r->reader->attr.metadata =
            f->attr.metadata ? strdup(f->attr.metadata) : NULL;
        r->reader->generation = m->generation;
        buf_init(&r->reader->body, FILE_MAX);
        (void)buf_add_slice(&r->reader->body, buf_slice(&f->body));
        m->readers++;
    }
    r->work = (struct work){.work = nothing, .done = open_done};
    loop_work(r->loop, &r->work);
}

static void
mem_info(struct blob_reader *rd, struct blob_info *out)
{
    *out = (struct blob_info){.attr = &rd->attr,
                              .fd = -1,
                              .size = rd->body.n,
                              .valid = rd->generation};
}

static void
read_done(struct loop *l, struct work *w)
{
    struct blob_read *r = container_of(w, struct blob_read, work);

    (void)l;
    r->done(r);
}

static void
mem_read(struct blob *b, struct blob_read *r)
{
    struct blob_mem *m = self(b);
    struct slice body = buf_slice(&r->reader->body);

    assert(r->block->state == BLOCK_READ && r->off <= body.n);
    assert(!r->verify || r->off % BLOCK_SIZE == 0);
    r->err = verdict(m, m->damaged && r->verify ? ERR_CORRUPT : ERR_OK, "read",
                     &r->fault);
    body = slice_head(slice_skip(body, (size_t)r->off),
                      size_min(r->n, BLOCK_SIZE));
    r->block->len = (uint32_t)body.n;
    if (body.n)
        memcpy(r->block->data, body.p, body.n);
    r->work = (struct work){.work = nothing, .done = read_done};
    loop_work(r->loop, &r->work);
}

static void
mem_close(struct blob_reader *rd)
{
    rd->m->readers--;
    free((char *)(uintptr_t)rd->attr.metadata);
    buf_release(&rd->body);
    free(rd);
}

static void
run_delete(struct loop *l, struct task *t)
{
    struct blob_delete *r = container_of(t, struct blob_delete, task);

    (void)l;
    r->done(r);
}

static void
mem_delete(struct blob *b, struct blob_delete *r)
{
    struct blob_mem *m = self(b);
    struct file *f = file_of(m, &r->file_id);

    r->err = verdict(m, m->del_is, "delete", &r->fault);
    if (r->err == ERR_OK && m->shows.mode != BLOB_EDIT)
        r->err = fault_set(&r->fault, ERR_READONLY, "delete", "mode");
    if (r->err == ERR_OK && f == NULL)
        r->err = ERR_NOENT;
    if (r->err == ERR_OK) {
        file_free(m, f);
        m->generation++;
    }
    r->task.run = run_delete;
    loop_post(r->loop, &r->task);
}

static void
mem_capacity(struct blob *b, struct blob_capacity *out)
{
    *out = self(b)->shows;
}

static uint64_t
mem_generation(struct blob *b)
{
    return self(b)->generation;
}

/* ---- birth and end ---- */

void
blob_mem_init(struct blob_mem *m, const char *element_id, enum blob_mode mode)
{
    static const struct blob_ops ops = {
        .admit = mem_admit,
        .append = mem_append,
        .publish = mem_publish,
        .put = mem_put,
        .abort = mem_abort,
        .open = mem_open,
        .info = mem_info,
        .read = mem_read,
        .close = mem_close,
        .del = mem_delete,
        .capacity = mem_capacity,
        .generation = mem_generation,
    };

    *m = (struct blob_mem){.blob.ops = &ops};
    list_init(&m->files);
    (void)slice_copy(slice_str(element_id), m->blob.element_id,
                     sizeof(m->blob.element_id));
    memcpy(m->shows.element_id, m->blob.element_id,
           sizeof(m->shows.element_id));
    m->shows.mode = mode;
    m->shows.writable = mode <= BLOB_RW;
    m->shows.total = m->shows.available = 1024 * GIB;
}

void
blob_mem_release(struct blob_mem *m)
{
    LIST_FOREACH_SAFE (it, next, &m->files) {
        file_free(m, container_of(it, struct file, item));
    }
    assert(m->tickets == 0 && m->readers == 0 && m->n_files == 0);
}

struct slice
blob_mem_get(struct blob_mem *m, const struct uuid *file_id,
             const struct file_attr **attr)
{
    struct file *f = file_of(m, file_id);

    if (f == NULL)
        return SLICE_NULL;
    if (attr)
        *attr = &f->attr;
    return f->body.n ? buf_slice(&f->body) : slice_of("", 0);
}
