/* operate.c - what operators ask of a gateway: read the list of elements again.
 *
 *     POST /api/v1/config/reload    REL-065; the answer is how it went
 *
 * In the embedded server elements are attached and not listed, so there is
 * nothing to read. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/impl.h"
#include "wire/json.h"
#include <stdlib.h>

struct reading {
    struct monitor_reading r;
    struct call *call;
};

static void
put_result(struct buf *b, const struct monitor_reading *r)
{
    struct json_writer w;

    json_begin(&w, b);
    json_put_object(&w, NULL);
    json_put_text(&w, "source", reload_source_name(r->source, false));
    json_put_u64(&w, "se_count", r->elements);
    json_put_u64(&w, "added", r->change[RELOAD_ADDED]);
    json_put_u64(&w, "removed", r->change[RELOAD_REMOVED]);
    json_put_u64(&w, "updated", r->change[RELOAD_UPDATED]);
    json_put_u64(&w, "duration_ms", (uint64_t)(r->took.ns / 1000000));
    json_end_object(&w);
}

static void
ready(struct monitor_reading *r)
{
    struct reading *g = container_of(r, struct reading, r);
    struct buf b;

    buf_init(&b, 1024);
    put_result(&b, r);
    if (r->good)
        reply_json(g->call, 200, &b);
    else
        reply_error(g->call, 503, "no_list",
                    "Neither the coordination store nor Admin gives a list of "
                    "storage elements; the one in use stays");
    buf_release(&b);
    free(g);
}

void
config_reload(struct call *c)
{
    struct ingest *g = c->role;
    struct reading *r;

    if (g->conf.monitor == NULL) {
        log_warning(g->conf.log,
                    "Capacity monitor not available for config reload");
        reply_error(c, 404, "no_monitor",
                    "The elements of this server are its own: there is no list "
                    "to be read again");
        return;
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    r->call = c;
    r->r.loop = c->x->loop;
    r->r.ready = ready;
    monitor_reload(g->conf.monitor, &r->r);
}
