/* objects_mem.c - see objects_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/objects_mem.h"
#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX ((size_t)512 * 1024 * 1024)

struct mem_object {
    struct list item;
    char key[OBJECT_KEY_MAX + 1];
    struct buf body;
};

struct mem_upload {
    struct list item;
    char key[OBJECT_KEY_MAX + 1];
    char id[32];
    unsigned n;
    struct buf *part;
    uint64_t *tag;
};

static struct objects_mem *
self(struct objects *o)
{
    return container_of(o, struct objects_mem, objects);
}

static struct mem_object *
find(const struct objects_mem *m, const char *key)
{
    LIST_FOREACH (it, &m->objs) {
        struct mem_object *x = container_of(it, struct mem_object, item);

        if (strcmp(x->key, key) == 0)
            return x;
    }
    return NULL;
}

static void
drop(struct mem_object *x)
{
    list_remove(&x->item);
    buf_release(&x->body);
    free(x);
}

/* Takes BODY over. */
static void
store(struct objects_mem *m, const char *key, struct buf *body)
{
    struct mem_object *x = find(m, key), *n = calloc(1, sizeof(*n));
    struct list *at = m->objs.next;

    assert(n && !body->failed);
    if (x)
        drop(x);
    (void)slice_copy(slice_str(key), n->key, sizeof(n->key));
    n->body = *body;
    at = m->objs.next;
    while (at != &m->objs &&
           strcmp(container_of(at, struct mem_object, item)->key, key) < 0)
        at = at->next;
    list_insert_before(at, &n->item);
}

static void
gather(const struct object_req *r, struct buf *out)
{
    buf_init(out, BYTES_MAX);
    for (unsigned i = 0; i < r->n_body; i++)
        (void)buf_add_slice(out, r->body[i]);
}

static enum err
refuse(struct object_req *r, enum err err, const char *what)
{
    return fault_set(&r->fault, err, object_op_name(r->op), what);
}

static enum err
do_get(struct objects_mem *m, struct object_req *r)
{
    struct mem_object *x = find(m, r->key);
    struct slice s;

    if (!x)
        return refuse(r, ERR_NOENT, r->key);
    r->size = x->body.n;
    if (r->op == OBJECT_HEAD)
        return ERR_OK;
    if (r->off >= x->body.n)
        return refuse(r, ERR_INVAL, "range");
    s = slice_head(slice_skip(buf_slice(&x->body), (size_t)r->off), r->n);
    memcpy(r->into, s.p, s.n);
    r->n = s.n;
    return ERR_OK;
}

static enum err
do_list(struct objects_mem *m, struct object_req *r)
{
    unsigned max = r->max < m->page_max ? r->max : m->page_max;

    r->n_rows = 0;
    r->more = false;
    LIST_FOREACH (it, &m->objs) {
        struct mem_object *x = container_of(it, struct mem_object, item);
        struct object_entry *row = &r->rows[r->n_rows];

        if (!slice_starts(slice_str(x->key), slice_str(r->key)) ||
            strcmp(x->key, r->after) <= 0)
            continue;
        if (r->n_rows == max) {
            r->more = true;
            break;
        }
        *row = (struct object_entry){.size = x->body.n};
        memcpy(row->key, x->key, sizeof(row->key));
        r->n_rows++;
    }
    return ERR_OK;
}

/* ---- uploads ---- */

static struct mem_upload *
find_upload(struct objects_mem *m, const struct object_req *r)
{
    LIST_FOREACH (it, &m->uploads) {
        struct mem_upload *u = container_of(it, struct mem_upload, item);

        if (strcmp(u->id, r->upload_id) == 0 && strcmp(u->key, r->key) == 0)
            return u;
    }
    return NULL;
}

static void
drop_upload(struct mem_upload *u)
{
    list_remove(&u->item);
    for (unsigned i = 0; i < u->n; i++)
        buf_release(&u->part[i]);
    free(u->part);
    free(u->tag);
    free(u);
}

static enum err
do_begin(struct objects_mem *m, struct object_req *r)
{
    struct mem_upload *u = calloc(1, sizeof(*u));

    assert(u);
    (void)slice_copy(slice_str(r->key), u->key, sizeof(u->key));
    snprintf(u->id, sizeof(u->id), "up-%llu", (unsigned long long)++m->next_id);
    memcpy(r->upload_id, u->id, sizeof(u->id));
    list_push(&m->uploads, &u->item);
    return ERR_OK;
}

static enum err
do_part(struct objects_mem *m, struct object_req *r)
{
    struct mem_upload *u = find_upload(m, r);

    if (!u)
        return refuse(r, ERR_NOENT, r->upload_id);
    assert(r->part >= 1 && r->part <= OBJECT_PARTS_MAX);
    if (r->part > u->n) {
        u->part = realloc(u->part, r->part * sizeof(*u->part));
        u->tag = realloc(u->tag, r->part * sizeof(*u->tag));
        assert(u->part && u->tag);
        for (; u->n < r->part; u->n++) {
            buf_init(&u->part[u->n], BYTES_MAX);
            u->tag[u->n] = 0;
        }
    }
    buf_release(&u->part[r->part - 1]);
    gather(r, &u->part[r->part - 1]);
    u->tag[r->part - 1] = ++m->next_id;
    snprintf(r->etag, sizeof(r->etag), "\"%llu\"",
             (unsigned long long)m->next_id);
    return ERR_OK;
}

static enum err
do_complete(struct objects_mem *m, struct object_req *r)
{
    struct mem_upload *u = find_upload(m, r);
    struct buf all;

    if (!u)
        return refuse(r, ERR_NOENT, r->upload_id);
    buf_init(&all, BYTES_MAX);
    for (unsigned i = 0; i < r->n_parts; i++) {
        char tag[32];

        snprintf(tag, sizeof(tag), "\"%llu\"",
                 (unsigned long long)(i < u->n ? u->tag[i] : 0));
        if (i >= u->n || strcmp(tag, r->parts[i].etag) != 0 ||
            (i + 1 < r->n_parts && u->part[i].n < m->part_least)) {
            buf_release(&all);
            return refuse(r, ERR_INVAL, "InvalidPart");
        }
        (void)buf_add_slice(&all, buf_slice(&u->part[i]));
    }
    store(m, r->key, &all);
    drop_upload(u);
    return ERR_OK;
}

static enum err
do_uploads(struct objects_mem *m, struct object_req *r)
{
    r->n_rows = 0;
    r->more = false;
    LIST_FOREACH (it, &m->uploads) {
        struct mem_upload *u = container_of(it, struct mem_upload, item);

        if (!slice_starts(slice_str(u->key), slice_str(r->key)))
            continue;
        if (r->n_rows == r->max) {
            r->more = true;
            break;
        }
        r->rows[r->n_rows] = (struct object_entry){.size = 0};
        memcpy(r->rows[r->n_rows].key, u->key, sizeof(u->key));
        memcpy(r->rows[r->n_rows++].upload_id, u->id, sizeof(u->id));
    }
    return ERR_OK;
}

static enum err
carry_out(struct objects_mem *m, struct object_req *r)
{
    struct mem_upload *u;
    struct mem_object *x;
    struct buf body;

    switch (r->op) {
    case OBJECT_PUT:
        gather(r, &body);
        store(m, r->key, &body);
        return ERR_OK;
    case OBJECT_GET:
    case OBJECT_HEAD:
        return do_get(m, r);
    case OBJECT_DELETE:
        if ((x = find(m, r->key)))
            drop(x);
        return ERR_OK;
    case OBJECT_LIST:
        return do_list(m, r);
    case OBJECT_BEGIN:
        return do_begin(m, r);
    case OBJECT_PART:
        return do_part(m, r);
    case OBJECT_COMPLETE:
        return do_complete(m, r);
    case OBJECT_GIVE_UP:
        if (!(u = find_upload(m, r)))
            return refuse(r, ERR_NOENT, r->upload_id);
        drop_upload(u);
        return ERR_OK;
    case OBJECT_UPLOADS:
        return do_uploads(m, r);
    default:
        assert(0 && "no such operation");
        return ERR_INVAL;
    }
}

static void
execute(struct objects_mem *m, struct object_req *r)
{
    bool failing = fail_now(&m->fail);

    m->n_op[r->op]++;
    r->unsure = failing;
    r->err = failing && !m->fail.after ? ERR_OK : carry_out(m, r);
    if (failing) {
        m->last = r->op;
        r->err = fail_fault(&m->fail, object_op_name(r->op), &r->fault);
    }
}

/* ---- the port ---- */

static void
run(struct loop *l, struct task *t)
{
    struct object_req *r = container_of(t, struct object_req, task);
    struct objects_mem *m = r->wait;

    (void)l;
    if (m->hold) {
        list_push(&m->held, &r->item);
        return;
    }
    m->under_way--;
    execute(m, r);
    r->done(r);
}

static void
mem_submit(struct objects *o, struct object_req *r)
{
    assert(strlen(r->key) <= OBJECT_KEY_MAX && r->loop && r->done);
    self(o)->under_way++;
    r->wait = self(o);
    r->task.run = run;
    loop_post(r->loop, &r->task);
}

void
objects_mem_let_go(struct objects_mem *m)
{
    struct list *it;

    m->hold = false;
    while ((it = list_pop(&m->held))) {
        struct object_req *r = container_of(it, struct object_req, item);

        loop_post(r->loop, &r->task);
    }
}

static void
mem_call(struct objects *o, struct object_req *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        execute(self(o), &r[i]);
}

static void
mem_close(struct objects *o)
{
    objects_mem_release(self(o));
}

void
objects_mem_init(struct objects_mem *m)
{
    static const struct objects_ops ops = {
        .submit = mem_submit, .call = mem_call, .close = mem_close};

    *m = (struct objects_mem){.part_least = OBJECT_PART_LEAST,
                              .page_max = OBJECT_PAGE_MAX};
    m->objects.ops = &ops;
    snprintf(m->objects.place, sizeof(m->objects.place), "bucket in memory");
    list_init(&m->objs);
    list_init(&m->uploads);
    list_init(&m->held);
}

void
objects_mem_release(struct objects_mem *m)
{
    assert(m->under_way == 0);
    while (!list_empty(&m->objs))
        drop(container_of(m->objs.next, struct mem_object, item));
    while (!list_empty(&m->uploads))
        drop_upload(container_of(m->uploads.next, struct mem_upload, item));
}

unsigned
objects_mem_count(const struct objects_mem *m, const char *prefix)
{
    unsigned n = 0;

    LIST_FOREACH (it, &m->objs) {
        struct mem_object *x = container_of(it, struct mem_object, item);

        n += slice_starts(slice_str(x->key), slice_str(prefix));
    }
    return n;
}

unsigned
objects_mem_uploads(const struct objects_mem *m)
{
    unsigned n = 0;

    LIST_FOREACH (it, &m->uploads) {
        n++;
    }
    return n;
}

uint8_t *
objects_mem_get(struct objects_mem *m, const char *key, size_t *n)
{
    struct mem_object *x = find(m, key);

    if (x && n)
        *n = x->body.n;
    return x ? (uint8_t *)x->body.p : NULL;
}

void
objects_mem_drop(struct objects_mem *m, const char *key)
{
    struct mem_object *x = find(m, key);

    if (x)
        drop(x);
}

void
objects_mem_print(const struct objects_mem *m)
{
    LIST_FOREACH (it, &m->objs) {
        struct mem_object *x = container_of(it, struct mem_object, item);

        fprintf(stderr, "  %s (%zu)\n", x->key, x->body.n);
    }
}
