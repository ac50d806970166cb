/* monitor_world.c - see monitor_world.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_world.h"
#include "port/coord_mem.h"
#include "port/fetch_told.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- elements over HTTP ---- */

struct fake_peer {
    struct fetch_peer peer;
    struct node *node;
    struct fake_element *e; /* NULL: nobody lives there */
};

struct fake_request {
    struct timer timer;
    struct fetch_told told;
    struct fake_element *e;
    struct http_resp resp;
};

static struct fake_request *
fake_of(struct fetch_request *r)
{
    return container_of((struct fetch_told *)r->x.conn, struct fake_request,
                        told);
}

static void
fake_over(struct fetch_told *t)
{
    free(container_of(t, struct fake_request, told));
}

static enum err
fake_open(struct fetch *f, const char *url, struct fetch_peer **out,
          struct fault *fault)
{
    struct node *node = container_of(f, struct node, fetch);
    struct fake_peer *p;

    if (!slice_starts(slice_str(url), SLICE("http://")))
        return fault_set(fault, ERR_INVAL, "url", url);
    p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->peer.fetch = f;
    p->node = node;
    (void)snprintf(p->peer.url, sizeof(p->peer.url), "%s", url);
    for (unsigned i = 0; i < node->w->n_elements; i++)
        if (strcmp(node->w->e[i].url, url) == 0)
            p->e = &node->w->e[i];
    *out = &p->peer;
    return ERR_OK;
}

static void
fake_close(struct fetch_peer *p)
{
    free(container_of(p, struct fake_peer, peer));
}

static void
write_body(struct fake_request *q)
{
    const struct fake_element *e = q->e;

    assert(e);
    q->told.n = (size_t)snprintf(
        q->told.body, sizeof(q->told.body),
        "{\"storage_id\":\"%s\",\"mode\":\"%s\",\"total\":%llu,\"used\":%llu,"
        "\"available\":%llu,\"status\":\"%s\",\"health\":\"healthy\","
        "\"backend\":\"local\",\"location\":\"%s\",\"writable\":true}",
        e->way == FAKE_NONSENSE ? "another" : e->id, e->mode,
        (unsigned long long)e->total, (unsigned long long)e->used,
        (unsigned long long)(e->total - e->used), e->status, e->location);
}

static uint16_t
take_keys(struct fake_request *q)
{
    struct fake_element *e = q->e;

    e->keys_asked++;
    if (e->keys_refused) {
        e->keys_refused--;
        return (uint16_t)e->keys_status;
    }
    q->told.n = (size_t)snprintf(q->told.body, sizeof(q->told.body),
                                 "{\"taken\":true}");
    return 200;
}

static void
fake_answer(struct loop *l, struct timer *t)
{
    struct fake_request *q = container_of(t, struct fake_request, timer);
    struct fetch_request *r = q->told.r;
    const struct fake_peer *p = container_of(r->peer, struct fake_peer, peer);
    enum fake_way way = q->e && !p->node->cut ? q->e->way : FAKE_REFUSES;

    (void)l;
    r->err = ERR_OK;
    if (way == FAKE_SILENT)
        r->err = fault_set(&r->fault, ERR_TIMEOUT, "answer", r->peer->url);
    else if (way == FAKE_REFUSES)
        r->err = fault_set(&r->fault, ERR_IO, "connect", r->peer->url);
    if (r->err == ERR_OK && r->method == HTTP_PUT) {
        q->resp.status = take_keys(q);
        r->resp = &q->resp;
    } else if (r->err == ERR_OK) {
        q->resp.status = way == FAKE_ERROR ? (uint16_t)q->e->http : 200;
        if (q->resp.status == 200)
            write_body(q);
        q->e->answered++;
        r->resp = &q->resp;
    }
    r->answered(r);
}

static void
fake_begin(struct fetch_request *r)
{
    struct fake_peer *p = container_of(r->peer, struct fake_peer, peer);
    struct fake_request *q = calloc(1, sizeof(*q));
    struct dur takes = p->e ? p->e->takes : dur_ms(1);

    assert_non_null(q);
    assert_true(slice_eq(r->target, r->method == HTTP_PUT
                                        ? SLICE("/api/v1/trusted-keys")
                                        : SLICE("/api/v1/capacity")));
    q->told.r = r;
    q->told.over = fake_over;
    q->e = p->e;
    q->timer.fire = fake_answer;
    r->x.conn = &q->told;
    if (p->e && r->method == HTTP_GET) {
        p->e->requests++;
        (void)slice_copy(r->fields, p->e->auth, sizeof(p->e->auth));
        if (p->e->way == FAKE_SILENT)
            takes = r->patience.ns ? r->patience : dur_s(30);
    }
    assert_true(loop_timer(r->loop, &q->timer, mono_add(r->loop->now, takes)));
}

static void
fake_end(struct fetch_request *r, fetch_fn *ended)
{
    loop_timer_stop(r->loop, &fake_of(r)->timer);
    fetch_told_end(r, ended);
}

/* It answers without having taken all of it. */
static void
fake_send(struct fetch_request *r, struct slice a, struct slice b,
          fetch_sent_fn *sent)
{
    (void)r, (void)a, (void)b, (void)sent;
}

static const struct fetch_ops fake_ops = {
    .open = fake_open,
    .close = fake_close,
    .begin = fake_begin,
    .send = fake_send,
    .read = fetch_told_read,
    .end = fake_end,
};

static void
fake_token(void *arg, struct buf *out)
{
    (void)arg;
    buf_add_str(out, "Authorization: Bearer t0ken\r\n");
}

/* ---- Admin ---- */

struct admin_call {
    struct timer timer;
    struct monitor_admin_ask *q;
    struct node *node;
};

static void
list_json(const struct world *w, unsigned from, unsigned to, bool numbers,
          struct buf *b)
{
    buf_printf(b, "{\"version\":%llu,\"storage_elements\":[",
               (unsigned long long)w->version);
    for (unsigned i = from; i < to; i++) {
        const struct fake_element *e = &w->e[i];
        uint64_t used = e->total / 100 * w->admin_used_percent;

        buf_printf(b,
                   "%s{\"element_id\":\"%s\",\"api_url\":\"%s\","
                   "\"priority\":%u,\"mode\":\"%s\"",
                   i == from ? "" : ",", e->id, e->url, e->priority,
                   e->listed ? e->listed : e->mode);
        if (numbers)
            buf_printf(b,
                       ",\"health_status\":\"available\","
                       "\"capacity_total\":%llu,\"capacity_used\":%llu,"
                       "\"capacity_free\":%llu",
                       (unsigned long long)e->total, (unsigned long long)used,
                       (unsigned long long)(e->total - used));
        buf_add_char(b, '}');
    }
    buf_add_str(b, "]}");
}

static void
admin_answer(struct loop *l, struct timer *t)
{
    struct admin_call *c = container_of(t, struct admin_call, timer);
    struct monitor_admin_ask *q = c->q;
    struct world *w = c->node->w;

    (void)l;
    q->err = ERR_OK;
    if (w->admin_down)
        q->err = fault_set(&q->fault, ERR_IO, "connect", "http://admin:8000");
    else
        list_json(w, 0, w->n_elements, true, &q->out);
    free(c);
    q->done(q);
}

static void
admin_cancel(struct monitor_admin *a)
{
    struct node *node = container_of(a, struct node, admin);
    struct admin_call *c = node->call;

    node->w->admin_canceled++;
    loop_timer_stop(c->q->loop, &c->timer);
    assert_true(loop_timer(c->q->loop, &c->timer, c->q->loop->now));
}

static void
admin_list(struct monitor_admin *a, struct monitor_admin_ask *q)
{
    struct node *node = container_of(a, struct node, admin);
    struct admin_call *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    node->w->admin_asked++;
    node->call = c;
    c->q = q;
    c->node = node;
    c->timer.fire = admin_answer;
    assert_true(loop_timer(q->loop, &c->timer,
                           mono_add(q->loop->now, node->w->admin_takes)));
}

/* ---- time ---- */

static void
set_time(struct world *w, struct loop *l)
{
    l->now = w->now;
    l->wall.ms = w->wall_base + w->now.ns / 1000000;
}

static bool
turn_all(struct world *w)
{
    bool did = loop_mem_turn(&w->lm);

    for (unsigned i = 0; i < w->n; i++)
        if (!w->node[i].paused)
            did = loop_mem_turn(&w->node[i].lm) || did;
    return did;
}

static void
settle_all(struct world *w)
{
    unsigned turns = 0;

    while (turn_all(w))
        assert_true(++turns < 100000);
}

void
world_run(struct world *w, struct dur d)
{
    struct mono end = mono_add(w->now, d);

    for (;;) {
        struct mono t = end;

        settle_all(w);
        for (unsigned i = 0; i < w->n; i++) {
            struct heap_item *it = heap_first(&w->node[i].lm.timers);

            if (it && !w->node[i].paused && mono_before(it->at, t))
                t = it->at;
        }
        if (mono_before(w->now, t))
            w->now = t;
        set_time(w, &w->lm.loop);
        for (unsigned i = 0; i < w->n; i++)
            if (!w->node[i].paused)
                set_time(w, &w->node[i].lm.loop);
        if (t.ns == end.ns)
            break;
    }
    settle_all(w);
}

void
world_pause(struct world *w, unsigned node)
{
    w->node[node].paused = true;
}

void
world_resume(struct world *w, unsigned node)
{
    w->node[node].paused = false;
    set_time(w, &w->node[node].lm.loop);
    world_run(w, dur_ms(0));
}

/* ---- the store, looked at from outside ---- */

static void
noted(struct coord_request *r)
{
    *(bool *)r->priv = true;
}

enum err
world_do(struct world *w, struct coord_request *r)
{
    bool done = false;

    r->loop = &w->lm.loop;
    r->done = noted;
    r->priv = &done;
    coord_submit(w->store, r);
    loop_mem_settle(&w->lm);
    assert_true(done);
    return r->err;
}

static char shown[4096];

const char *
world_hash(struct world *w, const char *key, const char *field)
{
    struct coord_pair pair[64];
    struct buf b;
    struct coord_request r = {
        .op = COORD_HASH_GET, .key = key, .pairs = pair, .cap = 64, .out = &b};

    shown[0] = '\0';
    buf_init(&b, 16 * KIB);
    if (world_do(w, &r) == ERR_OK)
        for (unsigned i = 0; i < r.n; i++)
            if (slice_eq(pair[i].name, slice_str(field)))
                (void)slice_copy(pair[i].value, shown, sizeof(shown));
    buf_release(&b);
    return shown;
}

const char *
world_text(struct world *w, const char *key)
{
    struct buf b;
    struct coord_request r = {.op = COORD_TEXT_GET, .key = key, .out = &b};

    shown[0] = '\0';
    buf_init(&b, sizeof(shown) - 1);
    if (world_do(w, &r) == ERR_OK)
        (void)slice_copy(buf_slice(&b), shown, sizeof(shown));
    buf_release(&b);
    return shown;
}

const char *
world_set(struct world *w, const char *key)
{
    struct coord_pair pair[WORLD_ELEMENTS];
    struct buf b;
    struct coord_request r = {.op = COORD_ZSET_RANGE,
                              .key = key,
                              .pairs = pair,
                              .cap = WORLD_ELEMENTS,
                              .out = &b};
    size_t n = 0;

    shown[0] = '\0';
    buf_init(&b, 16 * KIB);
    assert_int_equal(world_do(w, &r), ERR_OK);
    for (unsigned i = 0; i < r.n; i++)
        n += (size_t)snprintf(shown + n, sizeof(shown) - n, "%s%.*s:%lld",
                              i ? " " : "", SLICE_ARG(pair[i].name),
                              (long long)pair[i].score);
    buf_release(&b);
    return shown;
}

void
world_list_range(struct world *w, unsigned from, unsigned to)
{
    struct coord_request r = {.op = COORD_TEXT_PUT,
                              .key = "artstore:storage_elements"};
    struct buf b;

    w->version++;
    buf_init(&b, 64 * KIB);
    list_json(w, from, to, false, &b);
    r.value = buf_slice(&b);
    assert_int_equal(world_do(w, &r), ERR_OK);
    buf_release(&b);
}

void
world_list(struct world *w, unsigned n)
{
    world_list_range(w, 0, n);
}

/* ---- gateways ---- */

static void
node_stopped(void *arg)
{
    ((struct node *)arg)->stopped = true;
}

void
world_start(struct world *w, unsigned i)
{
    struct node *node = &w->node[i];
    struct fault f;

    assert_int_equal(monitor_open(&node->m, &node->conf, node->loops, 1, &f),
                     ERR_OK);
    monitor_start(node->m);
    node->up = true;
    node->stopped = false;
}

void
world_stop(struct world *w, unsigned i)
{
    struct node *node = &w->node[i];

    monitor_stop(node->m, node_stopped, node);
    for (int ms = 0; ms < 3000 && !node->stopped; ms += 10)
        world_run(w, dur_ms(10));
    assert_true(node->stopped);
    world_run(w, dur_ms(0));
    monitor_close(&node->m);
    node->up = false;
}

static void
node_init(struct world *w, unsigned i)
{
    struct node *node = &w->node[i];

    node->w = w;
    node->n = i;
    loop_mem_init(&node->lm);
    set_time(w, &node->lm.loop);
    node->loops[0] = &node->lm.loop;
    coord_fail_init(&node->store, w->store);
    node->fetch.ops = &fake_ops;
    node->admin = (struct monitor_admin){admin_list, admin_cancel};
    node->metrics = metrics_open(1, METRIC_GROUP_ALL, 1);
    (void)snprintf(node->name, sizeof(node->name), "ingester-%u", i);
    node->conf = monitor_conf_default();
    node->conf.instance_id = node->name;
    node->conf.coord = &node->store.coord;
    node->conf.fetch = &node->fetch;
    node->conf.admin = &node->admin;
    node->conf.auth.fields = fake_token;
    node->conf.metrics = node->metrics;
    node->conf.elements_max = WORLD_ELEMENTS * 2;
    node->conf.doubt = false; /* the store keeps what it has */
    node->conf.seed = 1000 + i;
}

void
world_open(struct world *w, unsigned nodes, unsigned elements)
{
    memset(w, 0, sizeof(*w));
    w->now.ns = 1000000000;
    w->wall_base = 1760000000000;
    w->admin_takes = dur_ms(5);
    w->store = coord_mem_open(100000, 7);
    assert_non_null(w->store);
    loop_mem_init(&w->lm);
    set_time(w, &w->lm.loop);
    for (unsigned i = 0; i < elements; i++) {
        struct fake_element *e = &w->e[w->n_elements++];

        (void)snprintf(e->id, sizeof(e->id), "se-%03u", i);
        (void)snprintf(e->url, sizeof(e->url), "http://dc1:8443/se-%03u", i);
        e->mode = i % 2 ? "rw" : "edit";
        e->status = "ok";
        e->priority = 10 + i;
        e->location = "dc1";
        e->total = 1000 * GIB;
        e->used = 100 * GIB;
        e->takes = dur_ms(20);
    }
    for (unsigned i = 0; i < nodes; i++, w->n++)
        node_init(w, i);
}

void
world_close(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        w->node[i].store.fail = (struct fail){0};
        w->node[i].cut = false;
        if (w->node[i].paused)
            world_resume(w, i);
    }
    for (unsigned i = 0; i < w->n; i++)
        if (w->node[i].up)
            world_stop(w, i);
    for (unsigned i = 0; i < w->n; i++) {
        loop_mem_release(&w->node[i].lm);
        metrics_close(&w->node[i].metrics);
    }
    loop_mem_release(&w->lm);
    w->store->ops->close(w->store);
}

int
world_leader(const struct world *w)
{
    int found = -1;

    for (unsigned i = 0; i < w->n; i++) {
        struct monitor_status s;

        if (!w->node[i].up || w->node[i].paused)
            continue;
        monitor_status(w->node[i].m, &s);
        if (s.leads)
            found = found == -1 ? (int)i : -2;
    }
    return found;
}

const char *
world_choice(struct world *w, unsigned node, enum view_source from,
             enum select_mode mode)
{
    const struct loop *l = &w->node[node].lm.loop;
    const struct view_part *p =
        view_part_of(monitor_view(w->node[node].m, l), from, w->now);
    struct select_request q = {.size = MIB, .mode = mode, .now = w->now};
    struct select_result r;

    if (p == NULL)
        return "";
    r = select_pick(&q, p->snap->e, p->snap->order, p->snap->n, NULL);
    return r.chosen < 0 ? "" : p->snap->e[r.chosen].element_id;
}

int64_t
world_count(struct world *w, unsigned node, struct series s)
{
    return metric_value(w->node[node].metrics, s);
}
