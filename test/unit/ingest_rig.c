/* ingest_rig.c - see ingest_rig.h. SPDX-License-Identifier: Apache-2.0 */
#include "ingest_rig.h"
#include "base/prng.h"
#include "hash/test_cpu.h"
#include "role/ingest/impl.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

void
ingest_rig_open(struct ingest_rig *r, void (*change)(struct ingest_conf *c))
{
    struct ingest_conf c = {
        .file_max = 16 * MIB,
        .replay_window = 4 * BLOCK_SIZE,
        .replay_budget = 64 * MIB,
        .attempts = 3,
        .fill_width = 1,
        .datacenter = "",
        .verify_reads = true,
        .gather_max = 4,
        .cache_entries = 2,
        .hash = test_quickest(),
        .registry = &r->registry.registry,
    };
    struct loop *loops[RIG_LOOPS];
    struct route_table table;
    struct fault f;
    char id[8];
    enum err e;

    memset(r, 0, sizeof(*r));
    registry_mem_init(&r->registry);
    for (unsigned i = 0; i < RIG_LOOPS; i++) {
        loop_mem_init(&r->loop[i]);
        r->loop[i].loop.id = i;
        loops[i] = &r->loop[i].loop;
    }
    for (unsigned i = 0; i < RIG_ELEMENTS; i++) {
        snprintf(id, sizeof(id), "se-%u", i);
        blob_mem_init(&r->element[i], id, BLOB_EDIT);
    }
    registry_mem_add(&r->registry, &r->element[0]);
    if (change)
        change(&c);
    e = ingest_open(&r->ingest, &c, loops, RIG_LOOPS, &f);
    assert(e == ERR_OK);
    table = ingest_routes(r->ingest);
    r->router = router_open(&table, 1, "server", NULL, NULL, RIG_LOOPS);
    assert(r->router);
}

static void
nothing_out(const struct ingest_rig *r)
{
    for (unsigned i = 0; i < RIG_LOOPS; i++) {
        assert(r->loop[i].blocks == 0);
        assert(atomic_load(&r->ingest->loop[i].large) == 0);
    }
    for (unsigned i = 0; i < RIG_ELEMENTS; i++)
        assert(r->element[i].tickets == 0);
    assert(atomic_load(&r->ingest->held) == 0);
}

void
ingest_rig_close(struct ingest_rig *r)
{
    if (r->x.exchange.ops)
        exchange_mem_release(&r->x);
    nothing_out(r);
    for (unsigned i = 0; i < RIG_LOOPS; i++)
        ingest_loop_quiesce(r->ingest, &r->loop[i].loop);
    router_close(&r->router);
    ingest_close(&r->ingest);
    for (unsigned i = 0; i < RIG_ELEMENTS; i++)
        blob_mem_release(&r->element[i]);
    for (unsigned i = 0; i < RIG_LOOPS; i++)
        loop_mem_release(&r->loop[i]);
}

static bool
is_due(const struct loop_mem *l, struct dur within)
{
    const struct heap_item *it = heap_first(&l->timers);

    return it && mono_reached(mono_add(l->loop.now, within), it->at);
}

void
ingest_rig_settle(struct ingest_rig *r)
{
    bool did = true;

    while (did) {
        did = false;
        for (unsigned i = 0; i < RIG_LOOPS; i++) {
            while (loop_mem_turn(&r->loop[i]))
                did = true;
            /* A body may wait for company in the lanes; other timers are for
             * later. */
            if (is_due(&r->loop[i], lanes_wait(INTAKE_HELD_MAX))) {
                loop_mem_advance(&r->loop[i], lanes_wait(INTAKE_HELD_MAX));
                did = true;
            }
        }
    }
}

void
ingest_rig_begin(struct ingest_rig *r, const char *head, struct slice body,
                 void (*before)(struct exchange_mem *x))
{
    static char text[16 * 1024];
    struct serve_app *app = router_app(r->router);

    if (r->x.exchange.ops)
        exchange_mem_release(&r->x);
    snprintf(text, sizeof(text), "%s\r\n\r\n", head);
    exchange_mem_init(&r->x, &r->loop[1].loop, text);
    exchange_mem_body(&r->x, body);
    r->x.to = &r->loop[0].loop;
    if (before)
        before(&r->x);
    app->begin(app, &r->x.exchange);
}

void
ingest_rig_say(struct ingest_rig *r, const char *head, struct slice body,
               void (*before)(struct exchange_mem *x))
{
    ingest_rig_begin(r, head, body, before);
    ingest_rig_settle(r);
    assert(r->x.ended);
    nothing_out(r);
}

const char *
ingest_rig_member(const struct ingest_rig *r, const char *name)
{
    static char text[256];
    json_t *j =
        json_loadb(r->x.body.p ? r->x.body.p : "", r->x.body.n, 0, NULL);
    const char *s = json_string_value(json_object_get(j, name));

    snprintf(text, sizeof(text), "%s", s ? s : "");
    json_decref(j);
    return text;
}

bool
ingest_rig_has(const struct ingest_rig *r, const char *header)
{
    const char *at = r->x.headers.p ? strstr(r->x.headers.p, header) : NULL;

    return at && (at == r->x.headers.p || at[-1] == '\n');
}

struct slice
ingest_rig_bytes(size_t n)
{
    uint8_t *p = malloc(n ? n : 1);
    struct prng g;

    assert(p);
    prng_init(&g, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)prng_next(&g);
    return slice_of(p, n);
}
