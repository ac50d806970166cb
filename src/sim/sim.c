/* sim.c - see sim.h: the queue and the run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS_MAX  ((size_t)4 << 20)
#define STORE_ITEMS ((size_t)4 << 20)
#define BEGIN       ((struct mono){1000000000})

/* ---- names ---- */

static const struct {
    const char *name, *text;
} faults[] = {
#define X(code, name, text) {name, text},
    SIM_FAULTS(X)
#undef X
};

static const char *const breaks[] = {
#define X(code, name, text) name,
    SIM_BREAKS(X)
#undef X
};

const char *
sim_fault_name(unsigned bit)
{
    return faults[bit].name;
}

const char *
sim_fault_text(unsigned bit)
{
    return faults[bit].text;
}

const char *
sim_break_name(unsigned bit)
{
    return breaks[bit];
}

/* ---- small things ---- */

void
sim_at(struct sim *s, struct sim_event *e, struct mono at)
{
    bool ok =
        heap_set(&s->queue, &e->item, mono_before(at, s->now) ? s->now : at);

    assert(ok); /* a run ends long before there are so many */
}

static void
say(const struct sim *s, char *out, size_t n, const char *fmt, va_list ap)
{
    int64_t ms = (s->now.ns - BEGIN.ns) / 1000000;
    int k = snprintf(out, n, "[%02lld:%02lld:%02lld.%03lld] ",
                     (long long)(ms / 3600000), (long long)(ms / 60000 % 60),
                     (long long)(ms / 1000 % 60), (long long)(ms % 1000));

    (void)vsnprintf(out + k, n - (size_t)k, fmt, ap);
}

void
sim_bad(struct sim *s, const char *fmt, ...)
{
    va_list ap;

    if (s->out->bad[0])
        return; /* the first is the one that matters */
    va_start(ap, fmt);
    say(s, s->out->bad, sizeof(s->out->bad), fmt, ap);
    va_end(ap);
}

void
sim_tell(struct sim *s, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    if (!s->conf.tell)
        return;
    va_start(ap, fmt);
    say(s, line, sizeof(line), fmt, ap);
    va_end(ap);
    s->conf.tell(s->conf.tell_arg, line);
}

bool
sim_chance(struct sim *s, unsigned percent)
{
    return percent && prng_below(&s->random, 100) < percent;
}

int64_t
sim_between(struct sim *s, int64_t least, int64_t most)
{
    return least +
           (int64_t)prng_below(&s->random, (uint64_t)(most - least) + 1);
}

struct dur
sim_between_ms(struct sim *s, int64_t least, int64_t most)
{
    return (struct dur){sim_between(s, least * 1000000, most * 1000000)};
}

struct dur
sim_latency(struct sim *s, bool slow)
{
    if (!slow)
        return (struct dur){sim_between(s, 100000, 2000000)};
    /* Half of the time it is still in time for an answer. */
    return sim_between_ms(s, 20, sim_chance(s, 50) ? 2400 : 20000);
}

/* ---- the run ---- */

static void
note(struct sim *s, uint64_t v)
{
    s->out->hash = (s->out->hash ^ v) * 0x9e3779b97f4a7c15;
    s->out->hash ^= s->out->hash >> 29;
}

static void
run(struct sim *s, struct mono end)
{
    struct heap_item *it;

    while (!s->out->bad[0] && (it = heap_first(&s->queue)) != NULL &&
           mono_reached(end, it->at)) {
        struct sim_event *e = container_of(it, struct sim_event, item);

        heap_remove(&s->queue, it);
        s->now = it->at;
        s->out->events++;
        note(s, (uint64_t)s->now.ns);
        e->run(s, e);
        sim_check_calm(s);
    }
    s->now = end;
}

/* In order, whatever was going on. */
static void
stop_all(struct sim *s)
{
    struct mono limit = mono_add(s->now, dur_s(60));

    s->ending = s->stopping = true;
    for (unsigned i = 0; i < s->conf.ingesters; i++) {
        struct sim_gateway *g = &s->g[i];

        g->paused_until = s->now;
        if (g->state == SIM_UP)
            sim_gateway_stop(g, true);
    }
    for (unsigned i = 0; i < s->conf.ingesters; i++)
        while (s->g[i].state != SIM_DOWN) {
            struct heap_item *it = heap_first(&s->queue);
            struct sim_event *e;

            assert(it);
            e = container_of(it, struct sim_event, item);
            heap_remove(&s->queue, it);
            s->now = it->at;
            assert(mono_before(s->now, limit)); /* else it never stops */
            e->run(s, e);
        }
}

static bool
birth(struct sim *s, const struct sim_conf *c, struct sim_report *out)
{
    *s = (struct sim){.conf = *c,
                      .out = out,
                      .now = BEGIN,
                      .end = mono_add(BEGIN, c->length),
                      .calm = BEGIN,
                      .leaderless = BEGIN,
                      .left = MONO_NEVER,
                      .store_life = 1};
    prng_init(&s->random, c->seed);
    heap_init(&s->queue, EVENTS_MAX);
    list_init(&s->ops);
    list_init(&s->fault_list);
    buf_init(&s->list, 64 * MIB);
    s->g = calloc(c->ingesters, sizeof(s->g[0]));
    s->e = calloc(c->elements, sizeof(s->e[0]));
    s->verdict = calloc((size_t)c->elements * 2 + 64, sizeof(s->verdict[0]));
    if (!sim_store_empty(&s->store) || !s->g || !s->e || !s->verdict)
        return false;
    for (unsigned i = 0; i < c->ingesters; i++)
        if (!sim_gateway_open(s, i))
            return false;
    return sim_elements_open(s);
}

static void
death(struct sim *s)
{
    for (unsigned i = 0; s->g && i < s->conf.ingesters; i++)
        sim_gateway_close(&s->g[i]);
    sim_faults_release(s);
    sim_room_release(s);
    sim_store_release(s);
    heap_release(&s->queue);
    buf_release(&s->list);
    free(s->g);
    free(s->e);
    free(s->verdict);
}

enum err
sim_run(const struct sim_conf *c, struct sim_report *out)
{
    struct sim s;
    enum err err = ERR_NOMEM;

    assert(c->ingesters > 0 && c->ingesters <= SIM_INGESTERS_MAX);
    assert(c->elements > 0 && c->elements <= SIM_ELEMENTS_MAX);
    *out = (struct sim_report){0};
    if (birth(&s, c, out)) {
        err = ERR_OK;
        sim_check_begin(&s);
        sim_admin_begin(&s);
        for (unsigned i = 0; i < c->ingesters; i++)
            sim_at(&s, &s.g[i].start,
                   mono_add(s.now, sim_between_ms(&s, 0, 5000)));
        sim_uploads_begin(&s);
        sim_faults_begin(&s);
        run(&s, s.end);
        sim_faults_end(&s);
        if (c->quiet.ns) {
            run(&s, mono_add(s.end, c->quiet));
            sim_check_end(&s);
        }
        out->ran = mono_sub(s.now, BEGIN);
        stop_all(&s);
    }
    death(&s);
    return err;
}
