/* search.c - which element has a file that the registry does not know, or not
 * yet: the elements know what they hold (D25).
 *
 * SEARCH_AT_ONCE of them are asked at a time, in memory first as everywhere: an
 * element that has forgotten nothing answers from its index. The first that has
 * it ends the search; whoever is still being asked then is not waited for, and
 * what he opens is closed. One that cannot answer is passed over, but then
 * "there is none" is not said, because that one may have it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/impl.h"
#include <stdlib.h>

#define ASKED_MAX 4096

struct search_one {
    struct search_run *run;
    struct blob *blob; /* NULL: nobody is asked */
    struct blob_open open;
};

/* What outlives the search, until all have answered. */
struct search_run {
    struct search *search; /* NULL: it is over */
    struct registry_element *element;
    unsigned n, at;
    unsigned out;
    struct search_one one[SEARCH_AT_ONCE];
};

static void
run_free(struct search_run *r)
{
    for (; r->at < r->n; r->at++)
        blob_drop(&r->element[r->at].blob);
    free(r->element);
    free(r);
}

static void
search_end(struct search *s, enum err e)
{
    s->err = e;
    s->done(s);
}

static void
ask_one(struct search_run *r, struct search_one *o)
{
    o->blob = r->element[r->at++].blob; /* with what holds it */
    o->open.err = ERR_OK;
    r->out++;
    o->blob->ops->open(o->blob, &o->open);
}

static void
found(struct search *s, struct search_one *o)
{
    s->blob = o->blob;
    s->open.reader = o->open.reader;
    s->open.err = ERR_OK;
    o->blob = NULL;
    search_end(s, ERR_OK);
}

static void
failed(struct search *s, const struct blob_open *q)
{
    if (q->err != ERR_NOENT && s->fault.code == ERR_OK) {
        s->fault = q->fault;
        s->fault.code = q->err;
    }
}

static void
search_opened(struct blob_open *q)
{
    struct search_one *o = container_of(q, struct search_one, open);
    struct search_run *r = o->run;
    struct search *s = r->search;

    r->out--;
    if (s && q->err == ERR_OK) {
        r->search = NULL;
        found(s, o);
    } else if (q->err == ERR_OK) {
        o->blob->ops->close(q->reader);
    } else if (s) {
        failed(s, q);
    }
    blob_drop(&o->blob);
    if (r->search && r->at < r->n) {
        ask_one(r, o);
        return;
    }
    if (r->out)
        return;
    s = r->search;
    run_free(r);
    if (s)
        search_end(s, s->fault.code ? s->fault.code : ERR_NOENT);
}

static struct search_run *
run_new(struct search *s)
{
    unsigned n = registry_elements(s->registry, NULL, 0);
    struct search_run *r = calloc(1, sizeof(*r));

    n = n > ASKED_MAX ? ASKED_MAX : n;
    if (r)
        r->element = malloc((n + 1) * sizeof(r->element[0]));
    if (r == NULL || r->element == NULL) {
        free(r);
        return NULL;
    }
    r->n = registry_elements(s->registry, r->element, n);
    if (r->n > n) {
        (void)fault_set(&s->fault, ERR_AGAIN, "search", "too many elements");
        r->n = n;
    }
    r->search = s;
    return r;
}

static void
search_begin(struct loop *l, struct task *t)
{
    struct search *s = container_of(t, struct search, task);
    struct search_run *r = run_new(s);

    if (r == NULL) {
        search_end(s, fault_set(&s->fault, ERR_NOMEM, "search", "elements"));
        return;
    }
    if (r->n == 0) {
        run_free(r);
        search_end(s, s->fault.code ? s->fault.code : ERR_NOENT);
        return;
    }
    for (unsigned i = 0; i < SEARCH_AT_ONCE && r->at < r->n; i++) {
        r->one[i].run = r;
        r->one[i].open = (struct blob_open){
            .loop = l, .done = search_opened, .file_id = s->file_id};
        ask_one(r, &r->one[i]);
    }
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
    s->blob = NULL;
    s->task.run = search_begin;
    loop_post(lookup->loop, &s->task);
}
