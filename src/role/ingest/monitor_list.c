/* monitor_list.c - lists of elements from bytes, on a worker: ten thousand
 * elements are a megabyte of JSON, which no loop should wait for (REL-057).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdlib.h>

#define TEXT_MAX ((size_t)16 * MIB)

static struct mon_list *
mon_list_of(const struct reload_list *l)
{
    return container_of((struct reload_list *)(uintptr_t)l, struct mon_list,
                        list);
}

void
list_free(const struct reload_list *l)
{
    struct mon_list *ml;

    if (l == NULL)
        return;
    ml = mon_list_of(l);
    elements_release(&ml->el);
    free(ml);
}

/* Takes EL in any case. */
static struct mon_list *
list_new(struct elements *el)
{
    struct mon_list *l = malloc(sizeof(*l) + el->n * sizeof(l->e[0]));

    if (l == NULL) {
        elements_release(el);
        return NULL;
    }
    l->el = *el;
    l->list = (struct reload_list){.e = l->e,
                                   .n = el->n,
                                   .versioned = el->versioned,
                                   .stated = el->stated,
                                   .generation = el->generation,
                                   .version = el->version};
    for (size_t i = 0; i < el->n; i++)
        l->e[i] = (struct reload_element){.element_id = el->e[i].element_id,
                                          .endpoint = el->e[i].endpoint,
                                          .location = el->e[i].location,
                                          .mode = el->e[i].mode,
                                          .priority = el->e[i].priority};
    return l;
}

/* Both hashes, or JSON objects in their place (REL-011). */
static enum err
read_maps(struct mon_parse *p, struct elements *el)
{
    struct elements_pair *pair[2] = {NULL, NULL};
    struct elements_map map[2] = {{0}, {0}};
    enum err e = ERR_OK;

    for (unsigned i = 0; i < 2 && e == ERR_OK; i++) {
        if (p->json[i]) {
            map[i].json = buf_slice(&p->text[i]);
            continue;
        }
        pair[i] = malloc(sizeof(*pair[i]) * (p->n[i] + 1));
        if (pair[i] == NULL) {
            e = fault_set(&p->fault, ERR_NOMEM, "read", "list of elements");
            break;
        }
        for (unsigned j = 0; j < p->n[i]; j++)
            pair[i][j] =
                (struct elements_pair){p->pair[i][j].name, p->pair[i][j].value};
        map[i].pair = pair[i];
        map[i].n = p->n[i];
    }
    if (e == ERR_OK)
        e = elements_read_maps(el, &map[0], &map[1], &p->fault);
    free(pair[0]);
    free(pair[1]);
    return e;
}

static void
parse_work(struct work *w)
{
    struct mon_parse *p = container_of(w, struct mon_parse, work);
    struct elements el = {0};

    if (p->kind == LIST_MAPS)
        p->err = read_maps(p, &el);
    else
        p->err = elements_read(&el, buf_slice(&p->text[0]), &p->fault);
    if (p->err != ERR_OK)
        return;
    p->list = list_new(&el);
    if (p->list == NULL)
        p->err = fault_set(&p->fault, ERR_NOMEM, "read", "list of elements");
}

static void
parse_done(struct loop *l, struct work *w)
{
    struct mon_parse *p = container_of(w, struct mon_parse, work);
    struct monitor *m = p->m;

    (void)l;
    for (unsigned i = 0; p->list && i < p->list->el.skipped; i++) {
        if (i == ELEMENTS_REASONS)
            break;
        log_warning(m->conf.log, "an entry of the list of elements is skipped",
                    F_STR("detail", p->list->el.why[i]),
                    F_U64("skipped", p->list->el.skipped),
                    F_TYPE("validation"));
    }
    if (p->kind == LIST_ADMIN)
        admin_got(m, p);
    else
        reload_got(m, p);
    parse_free(p);
    monitor_ended(m);
}

struct mon_parse *
parse_new(struct monitor *m, enum mon_list_kind kind, uint64_t ticket)
{
    struct mon_parse *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->m = m;
    p->kind = kind;
    p->ticket = ticket;
    buf_init(&p->text[0], TEXT_MAX);
    buf_init(&p->text[1], TEXT_MAX);
    return p;
}

void
parse_run(struct mon_parse *p)
{
    p->work = (struct work){.work = parse_work, .done = parse_done};
    monitor_began(p->m);
    loop_work(p->m->loop, &p->work);
}

void
parse_free(struct mon_parse *p)
{
    if (p->list)
        list_free(&p->list->list);
    for (unsigned i = 0; i < 2; i++) {
        buf_release(&p->text[i]);
        free(p->pair[i]);
    }
    free(p);
}
