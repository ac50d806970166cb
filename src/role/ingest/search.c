/* search.c - which element has a file that the registry does not know, or not
 * yet: the elements know what they hold (D25).
 *
 * Each is asked in turn, in memory first as everywhere: an element that has
 * forgotten nothing answers from its index. One that cannot answer is passed
 * over, but then "there is none" is not said, because that one may have it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/impl.h"
#include <stdlib.h>

#define ASKED_MAX 4096

static void
search_end(struct search *s, enum err e)
{
    if (e != ERR_OK)
        s->blob = NULL;
    for (unsigned i = 0; i < s->n; i++)
        if (s->element[i].blob != s->blob)
            blob_drop(&s->element[i].blob);
    free(s->element);
    s->element = NULL;
    s->err = e;
    s->done(s);
}

static void
search_next(struct search *s)
{
    struct blob *b;

    if (s->at == s->n) {
        search_end(s, s->fault.code ? s->fault.code : ERR_NOENT);
        return;
    }
    b = s->element[s->at++].blob;
    s->blob = b;
    s->open.err = ERR_OK;
    b->ops->open(b, &s->open);
}

static void
search_opened(struct blob_open *r)
{
    struct search *s = container_of(r, struct search, open);

    if (r->err == ERR_OK) {
        search_end(s, ERR_OK);
        return;
    }
    if (r->err != ERR_NOENT && s->fault.code == ERR_OK) {
        s->fault = r->fault;
        s->fault.code = r->err;
    }
    search_next(s);
}

static void
search_begin(struct loop *l, struct task *t)
{
    struct search *s = container_of(t, struct search, task);
    unsigned n = registry_elements(s->registry, NULL, 0);

    (void)l;
    n = n > ASKED_MAX ? ASKED_MAX : n;
    s->element = malloc((n + 1) * sizeof(s->element[0]));
    if (s->element == NULL) {
        search_end(s, fault_set(&s->fault, ERR_NOMEM, "search", "elements"));
        return;
    }
    s->n = registry_elements(s->registry, s->element, n);
    if (s->n > n) {
        (void)fault_set(&s->fault, ERR_AGAIN, "search", "too many elements");
        s->n = n;
    }
    search_next(s);
}

void
search_elements(struct search *s, struct ingest *g,
                const struct registry_lookup *lookup)
{
    s->registry = g->conf.registry;
    s->fault = (struct fault){0};
    if (lookup->err != ERR_OK && lookup->err != ERR_NOENT) {
        s->fault = lookup->fault;
        s->fault.code = lookup->err;
    }
    s->at = s->n = 0;
    s->open.loop = lookup->loop;
    s->open.done = search_opened;
    s->open.file_id = s->file_id;
    s->task.run = search_begin;
    loop_post(lookup->loop, &s->task);
}
