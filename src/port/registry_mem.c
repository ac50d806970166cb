/* registry_mem.c - see registry_mem.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/registry_mem.h"

static struct registry_mem *
self(struct registry *g)
{
    return container_of(g, struct registry_mem, registry);
}

static void
nothing(struct work *w)
{
    (void)w;
}

static void
lookup_done(struct loop *l, struct work *w)
{
    struct registry_lookup *r = container_of(w, struct registry_lookup, work);

    (void)l;
    r->done(r);
}

static enum err
find(struct registry_mem *m, struct registry_lookup *r)
{
    const struct file_attr *attr;

    for (unsigned i = 0; i < m->n && !m->behind; i++) {
        if (!blob_mem_get(m->element[i], &r->file_id, &attr).p)
            continue;
        r->file.attr = *attr;
        if (attr->metadata)
            r->file.attr.metadata = strdup(attr->metadata);
        r->blob = m->far ? NULL : &m->element[i]->blob;
        return ERR_OK;
    }
    return ERR_NOENT;
}

static void
mem_lookup(struct registry *g, struct registry_lookup *r)
{
    struct registry_mem *m = self(g);

    r->blob = NULL;
    r->err = m->lookup_is
                 ? fault_set(&r->fault, m->lookup_is, "lookup", "told to")
                 : find(m, r);
    r->work = (struct work){.work = nothing, .done = lookup_done};
    loop_work(r->loop, &r->work);
}

static void
list_done(struct loop *l, struct work *w)
{
    struct registry_list *r = container_of(w, struct registry_list, work);

    (void)l;
    r->done(r);
}

/* Of pages it knows the empty one. */
static void
mem_list(struct registry *g, struct registry_list *r)
{
    struct registry_mem *m = self(g);

    r->n = 0;
    r->next = (struct uuid){{0}};
    r->err = m->list_is ? fault_set(&r->fault, m->list_is, "list", "told to")
                        : ERR_OK;
    r->work = (struct work){.work = nothing, .done = list_done};
    loop_work(r->loop, &r->work);
}

static unsigned
mem_elements(struct registry *g, struct registry_element *out, unsigned max)
{
    struct registry_mem *m = self(g);

    for (unsigned i = 0; i < m->n && i < max; i++)
        out[i] = (struct registry_element){&m->element[i]->blob,
                                           m->element[i]->shows.mode,
                                           m->element[i]->shows.priority};
    return m->n;
}

static void
mem_audit(struct registry *g, const struct meta_audit *a)
{
    self(g)->audits++;
    self(g)->last_audit = *a;
}

void
registry_mem_init(struct registry_mem *m)
{
    static const struct registry_ops ops = {
        .lookup = mem_lookup,
        .list = mem_list,
        .elements = mem_elements,
        .audit = mem_audit,
    };

    *m = (struct registry_mem){.registry.ops = &ops};
}

void
registry_mem_add(struct registry_mem *m, struct blob_mem *element)
{
    assert(m->n < REGISTRY_MEM_MAX);
    m->element[m->n++] = element;
}
