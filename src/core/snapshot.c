/* snapshot.c - see snapshot.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/snapshot.h"
#include <stdlib.h>
#include <string.h>

/* A walk over list and facts at once, in order of id. Of each pair at least
 * one is there. */
struct walk {
    const struct reload_list *list;
    const struct snapshot_fact *fact;
    size_t n, i, j;
};

static bool
walk_next(struct walk *w, const struct reload_element **listed,
          const struct snapshot_fact **fact)
{
    const struct reload_element *a =
        w->i < w->list->n ? &w->list->e[w->i] : NULL;
    const struct snapshot_fact *b = w->j < w->n ? &w->fact[w->j] : NULL;
    int cmp;

    if (!a && !b)
        return false;
    cmp = !a ? 1 : !b ? -1 : strcmp(a->element_id, b->element_id);
    *listed = cmp <= 0 ? a : NULL;
    *fact = cmp >= 0 ? b : NULL;
    w->i += cmp <= 0;
    w->j += cmp >= 0;
    return true;
}

struct texts {
    char *p, *end;
};

/* S into the snapshot's own memory; NULL stays NULL. */
static const char *
keep(struct texts *t, const char *s)
{
    size_t n = s ? strlen(s) + 1 : 0;
    char *p = t->p;

    if (!s)
        return NULL;
    assert(n <= (size_t)(t->end - t->p));
    memcpy(p, s, n);
    t->p += n;
    return p;
}

/* Which of the two has the last word on each thing. */
static const char *
endpoint_of(const struct reload_element *listed,
            const struct snapshot_fact *fact)
{
    return listed ? listed->endpoint : fact->endpoint;
}

static const char *
location_of(const struct reload_element *listed,
            const struct snapshot_fact *fact)
{
    if (fact && fact->location && *fact->location)
        return fact->location;
    return listed ? listed->location : NULL;
}

static size_t
length(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static enum select_status
status_of(const struct snapshot_fact *f, const struct snapshot *before,
          const char *id, const struct snapshot_conf *conf)
{
    const struct ledger_fill fill = {
        .total = f->total,
        .used = f->used,
        .inodes_total = f->inodes_total,
        .inodes_used = f->inodes_total > f->inodes_available
                           ? f->inodes_total - f->inodes_available
                           : 0,
    };
    long at = before ? snapshot_find(before, id) : -1;
    enum ledger_status was = LEDGER_OK;

    if (at >= 0)
        was = (enum ledger_status)before->e[at].status;
    if (f->status >= SELECT_OK && f->status <= SELECT_FULL)
        return (enum select_status)f->status;
    return (enum select_status)ledger_judge(&conf->marks, was, &fill);
}

static struct mono
fresh_until(struct dur age, struct dur fresh_for, struct mono now)
{
    struct mono t = mono_add(now, fresh_for);

    if (age.ns > 0)
        t = mono_add(t, (struct dur){-age.ns});
    t.ns += t.ns == 0; /* 0 would mean never */
    return t;
}

/* Listed, and nobody has polled it. Where no source says its mode it cannot be
 * used, and takes part as a mode that takes no files. */
static struct select_element
unknown_element(const struct reload_element *listed)
{
    struct select_element e = {
        .element_id = listed->element_id,
        .location = listed->location,
        .priority = listed->priority,
        .mode = SELECT_AR,
        .stale = true,
    };

    if (listed->mode != RELOAD_MODE_NONE)
        e.mode = (enum select_mode)listed->mode;
    return e;
}

static struct select_element
known_element(const struct reload_element *listed,
              const struct snapshot_fact *f, const struct snapshot *before,
              const struct snapshot_conf *conf, struct mono now)
{
    struct select_element e = {
        .element_id = f->element_id,
        .location = location_of(listed, f),
        .mode = (enum select_mode)f->mode,
        .priority = f->priority,
        .unlisted = f->set == SNAPSHOT_NOT_IN_SET,
        .unwritable = f->unhealthy || f->unwritable,
        .status = status_of(f, before, f->element_id, conf),
        .available = f->available,
        .inodes_total = f->inodes_total,
        .inodes_available = f->inodes_available,
        .fresh_until = fresh_until(f->age, conf->fresh_for, now),
    };

    if (listed)
        e.priority = listed->priority;
    return e;
}

static void
fill(struct snapshot *s, struct select_element *e, const char **endpoint,
     struct texts *t, struct walk w, const struct snapshot *before,
     const struct snapshot_conf *conf)
{
    const struct reload_element *listed;
    const struct snapshot_fact *f;
    size_t i = 0;

    while (walk_next(&w, &listed, &f)) {
        e[i] = f ? known_element(listed, f, before, conf, s->made)
                 : unknown_element(listed);
        e[i].element_id = keep(t, e[i].element_id);
        e[i].location = keep(t, e[i].location);
        endpoint[i] = keep(t, endpoint_of(listed, f));
        s->facts += f != NULL;
        s->unlisted += listed == NULL;
        s->by_mode[e[i].mode] += !e[i].stale && !e[i].unwritable &&
                                 !e[i].unlisted && e[i].status != SELECT_FULL &&
                                 !mono_reached(s->made, e[i].fresh_until);
        i++;
    }
    assert(i == s->n);
}

/* Elements and bytes of text that LIST and FACTS come to together. */
static size_t
measure(struct walk w, size_t *text)
{
    const struct reload_element *listed;
    const struct snapshot_fact *f;
    size_t n = 0;

    *text = 0;
    while (walk_next(&w, &listed, &f)) {
        *text += length(listed ? listed->element_id : f->element_id) +
                 length(endpoint_of(listed, f)) +
                 length(location_of(listed, f));
        n++;
    }
    return n;
}

enum err
snapshot_make(struct snapshot **out, const struct reload_list *list,
              const struct snapshot_fact *facts, size_t n,
              const struct snapshot *before, const struct snapshot_conf *conf,
              struct mono now)
{
    const struct walk w = {.list = list, .fact = facts, .n = n};
    struct select_element *e;
    const char **endpoint;
    uint32_t *order;
    struct snapshot *s;
    struct texts t;
    size_t text, all;

    for (size_t i = 1; i < n; i++)
        assert(strcmp(facts[i - 1].element_id, facts[i].element_id) < 0);
    all = measure(w, &text);
    if (all > SNAPSHOT_MAX)
        return ERR_TOOBIG;
    /* The second ORDER is for the sorting. */
    s = malloc(sizeof(*s) + all * (sizeof(*e) + sizeof(*endpoint)) +
               2 * all * sizeof(*order) + text);
    if (!s)
        return ERR_NOMEM;
    e = (struct select_element *)(s + 1);
    endpoint = (const char **)(e + all);
    order = (uint32_t *)(endpoint + all);
    t.p = (char *)(order + 2 * all);
    t.end = t.p + text;
    *s = (struct snapshot){
        .n = all, .e = e, .endpoint = endpoint, .order = order, .made = now};
    fill(s, e, endpoint, &t, w, before, conf);
    select_order(e, all, conf->datacenter, order, order + all);
    *out = s;
    return ERR_OK;
}

void
snapshot_free(struct snapshot *s)
{
    free(s);
}

long
snapshot_find(const struct snapshot *s, const char *element_id)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = strcmp(s->e[mid].element_id, element_id);

        if (cmp == 0)
            return (long)mid;
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

void
snapshot_carry(const struct snapshot *before,
               const struct select_live *before_live,
               const struct snapshot *after, struct select_live *after_live)
{
    for (size_t i = 0; i < after->n; i++) {
        long at = before ? snapshot_find(before, after->e[i].element_id) : -1;

        after_live[i] = (struct select_live){0};
        if (at >= 0 && strcmp(before->endpoint[at], after->endpoint[i]) == 0)
            after_live[i] = before_live[at];
        else
            breaker_init(&after_live[i].breaker);
    }
}
