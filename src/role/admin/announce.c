/* announce.c - see announce.h: one step after the other, one request at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/announce.h"
#include "obs/log.h"
#include "wire/elements.h"
#include "wire/json.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LEASE  dur_s(10)
#define RETRY  dur_s(1)
#define BUSY   dur_ms(50) /* the other Admin is at it */
#define WRITES 4

enum step { REST, LOOK, TAKE, READ, CLEAR, WRITE, TELL, TELL_TOO, FREE };

struct announce {
    struct meta *meta;
    struct coord *coord;
    struct log *log;
    char channel[256];
    char owner[32];
    struct loop *loop;
    _Atomic(struct loop *) open; /* NULL: not started, or stopping */
    struct timer timer;
    struct task changed;
    _Atomic(bool) posted;
    bool due;             /* the list is to be written */
    bool clear;           /* there is a hash where we write a text */
    bool told;            /* that it cannot be written */
    struct list waits[2]; /* for the telling that goes on, and the next */
    enum step step;
    struct coord_request r;
    struct coord_guard guard;
    struct coord_write w[WRITES];
    uint64_t version; /* last written; 0: none by this process */
    struct wall since;
    struct mono look_at, again_at;
    struct buf list, registry, priorities, number, seen;
    struct work work;
    struct meta_element *el; /* of the work */
    size_t n, cap;
    struct fault fault;
    void (*done)(void *arg);
    void *done_arg;
};

static void go_on(struct announce *a);
static void answered(struct coord_request *r);

/* ---- what is written; on a worker ---- */

static bool
take_element(void *arg, const struct meta_element *e)
{
    struct announce *a = arg;
    size_t cap = a->cap ? a->cap * 2 : 64;
    struct meta_element *el;

    if (a->n == a->cap) {
        el = realloc(a->el, cap * sizeof(*el));
        if (el == NULL) {
            (void)fault_set(&a->fault, ERR_NOMEM, "read", "elements");
            return false;
        }
        a->el = el;
        a->cap = cap;
    }
    a->el[a->n++] = *e;
    return true;
}

static void
put_maps(struct announce *a)
{
    struct json_writer url, number;

    json_begin(&url, &a->registry);
    json_begin(&number, &a->priorities);
    json_put_object(&url, NULL);
    json_put_object(&number, NULL);
    for (size_t i = 0; i < a->n; i++) {
        json_put_text(&url, a->el[i].element_id, a->el[i].endpoint);
        json_put_i64(&number, a->el[i].element_id, a->el[i].priority);
    }
    json_end_object(&url);
    json_end_object(&number);
}

static bool
put_list(struct announce *a)
{
    struct element_entry *e = calloc(a->n + 1, sizeof(*e));
    const struct elements el = {.e = e,
                                .n = a->n,
                                .versioned = true,
                                .version = a->guard.epoch,
                                .published_at = a->since};
    bool ok;

    if (e == NULL)
        return false;
    for (size_t i = 0; i < a->n; i++)
        e[i] = (struct element_entry){
            .element_id = a->el[i].element_id,
            .endpoint = a->el[i].endpoint,
            .location = a->el[i].location[0] ? a->el[i].location : NULL,
            .mode = a->el[i].mode,
            .priority = a->el[i].priority};
    ok = elements_write(&a->list, &el);
    free(e);
    return ok;
}

static void
read_work(struct work *w)
{
    struct announce *a = container_of(w, struct announce, work);

    buf_clear(&a->list);
    buf_clear(&a->registry);
    buf_clear(&a->priorities);
    buf_clear(&a->number);
    a->n = 0;
    a->fault = (struct fault){0};
    if (a->meta->ops->element_list(a->meta, take_element, a, &a->fault) ||
        a->fault.code)
        return;
    put_maps(a);
    (void)buf_add_u64(&a->number, a->guard.epoch);
    if (!put_list(a) || a->registry.failed || a->priorities.failed)
        (void)fault_set(&a->fault, ERR_TOOBIG, "write", ANNOUNCE_LIST);
}

/* ---- who waits ---- */

static void
wait_run(struct loop *l, struct task *t)
{
    struct announce_wait *w = container_of(t, struct announce_wait, task);

    (void)l;
    w->ready(w);
}

static void
wait_over(struct announce_wait *w)
{
    w->task.run = wait_run;
    loop_post(w->loop, &w->task);
}

static void
release(struct list *waits)
{
    struct list *it;

    while ((it = list_pop(waits)) != NULL)
        wait_over(container_of(it, struct announce_wait, item));
}

/* On our loop, behind what W's owner has changed. */
static void
wait_begin(struct loop *l, struct task *t)
{
    struct announce_wait *w = container_of(t, struct announce_wait, task);
    struct announce *a = w->announce;

    (void)l;
    if (a->done || (a->due && a->told))
        wait_over(w);
    else if (a->due)
        list_push(&a->waits[1], &w->item);
    else if (a->step >= TAKE && a->step <= TELL)
        list_push(&a->waits[0], &w->item);
    else
        wait_over(w);
}

void
announce_await(struct announce *a, struct announce_wait *w)
{
    struct loop *l = atomic_load(&a->open);

    w->announce = a;
    w->task.run = l ? wait_begin : wait_run;
    loop_post(l ? l : w->loop, &w->task);
}

/* ---- the steps ---- */

static void
ask(struct announce *a, enum step s, struct coord_request r)
{
    a->step = s;
    a->r = r;
    a->r.loop = a->loop;
    a->r.done = answered;
    coord_submit(a->coord, &a->r);
}

static void
take(struct announce *a)
{
    struct list *it;

    a->due = false; /* what changes from here on is told the next time */
    while ((it = list_pop(&a->waits[1])) != NULL)
        list_push(&a->waits[0], it);
    a->since = a->loop->wall;
    ask(a, TAKE,
        (struct coord_request){
            .op = COORD_LEASE_TAKE,
            .key = ANNOUNCE_WRITER,
            .owner = a->owner,
            .ttl = LEASE,
            .floor = u64_max(a->version + 1, (uint64_t)a->loop->wall.ms)});
}

static void
look(struct announce *a)
{
    buf_clear(&a->seen);
    ask(a, LOOK,
        (struct coord_request){
            .op = COORD_TEXT_GET, .key = ANNOUNCE_VERSION, .out = &a->seen});
}

static struct coord_request
all(struct announce *a, unsigned n)
{
    return (struct coord_request){
        .op = COORD_ALL, .writes = a->w, .n = n, .guard = &a->guard};
}

static void
clear(struct announce *a)
{
    static const char *const key[WRITES] = {ANNOUNCE_LIST, ANNOUNCE_REGISTRY,
                                            ANNOUNCE_PRIORITIES,
                                            ANNOUNCE_VERSION};

    for (unsigned i = 0; i < WRITES; i++)
        a->w[i] = (struct coord_write){.op = COORD_DEL, .key = key[i]};
    ask(a, CLEAR, all(a, WRITES));
}

static void
write_all(struct announce *a)
{
    const struct {
        const char *key;
        const struct buf *text;
    } row[WRITES] = {{ANNOUNCE_LIST, &a->list},
                     {ANNOUNCE_REGISTRY, &a->registry},
                     {ANNOUNCE_PRIORITIES, &a->priorities},
                     {ANNOUNCE_VERSION, &a->number}};

    for (unsigned i = 0; i < WRITES; i++)
        a->w[i] = (struct coord_write){.op = COORD_TEXT_PUT,
                                       .key = row[i].key,
                                       .value = buf_slice(row[i].text)};
    ask(a, WRITE, all(a, WRITES));
}

static void
publish(struct announce *a, enum step s, const char *channel)
{
    ask(a, s,
        (struct coord_request){
            .op = COORD_PUBLISH, .key = channel, .value = buf_slice(&a->list)});
}

static void
give_back(struct announce *a)
{
    ask(a, FREE,
        (struct coord_request){.op = COORD_LEASE_FREE,
                               .key = ANNOUNCE_WRITER,
                               .owner = a->owner,
                               .epoch = a->guard.epoch});
}

/* The list stays due. Said once, until it works again (REL-083). */
static void
put_off(struct announce *a, const struct fault *f, struct dur d)
{
    a->due = true;
    a->again_at = mono_add(a->loop->now, d);
    if (f && !a->told)
        log_warning(a->log, "Failed to publish SE config update",
                    F_STR("channel", a->channel), F_FAULT(f), F_TYPE("redis"));
    a->told = a->told || f;
    release(&a->waits[0]);
    if (f)
        release(&a->waits[1]);
}

static void
read_done(struct loop *l, struct work *w)
{
    struct announce *a = container_of(w, struct announce, work);

    (void)l;
    if (a->fault.code) {
        put_off(a, &a->fault, RETRY);
        give_back(a);
    } else if (a->clear) {
        clear(a);
    } else {
        write_all(a);
    }
}

/* ---- answers ---- */

static void
taken(struct announce *a)
{
    const struct coord_request *r = &a->r;

    if (r->err != ERR_OK) {
        put_off(a, r->err == ERR_BUSY ? NULL : &r->fault,
                r->err == ERR_BUSY ? BUSY : RETRY);
        go_on(a);
        return;
    }
    a->guard = (struct coord_guard){ANNOUNCE_WRITER, a->owner, r->epoch};
    a->step = READ;
    a->work = (struct work){.work = read_work, .done = read_done};
    loop_work(a->loop, &a->work);
}

static void
written(struct announce *a)
{
    const struct coord_request *r = &a->r;

    a->clear = r->err == ERR_INVAL && !a->clear; /* of another kind */
    if (r->err == ERR_OK) {
        a->version = a->guard.epoch;
        a->look_at = mono_add(a->loop->now, ANNOUNCE_LOOK_EVERY);
        publish(a, TELL, a->channel);
        return;
    }
    put_off(a, a->clear ? NULL : &r->fault,
            r->err == ERR_CONFLICT || a->clear ? BUSY : RETRY);
    give_back(a);
}

static void
told(struct announce *a)
{
    if (a->r.err == ERR_OK)
        log_info(a->log, "Published SE config update to Pub/Sub",
                 F_STR("channel", a->channel), F_U64("se_count", a->n),
                 F_U64("version", a->version), F_U64("processes", a->r.number));
    a->told = false;
    release(&a->waits[0]);
    publish(a, TELL_TOO, ANNOUNCE_CHANNEL2);
}

/* Gone, or an older one: a store that has begun anew, or whose last writes are
 * lost. A newer one is the other Admin's. */
static void
looked(struct announce *a)
{
    uint64_t seen = 0;

    if (a->r.err == ERR_OK || a->r.err == ERR_NOENT)
        a->due = a->due || a->r.err == ERR_NOENT ||
                 !slice_u64(buf_slice(&a->seen), &seen) || seen < a->version;
    a->look_at = mono_add(a->loop->now, ANNOUNCE_LOOK_EVERY);
    go_on(a);
}

static void
answered(struct coord_request *r)
{
    struct announce *a = container_of(r, struct announce, r);

    switch (a->step) {
    case LOOK:
        looked(a);
        break;
    case TAKE:
        taken(a);
        break;
    case CLEAR:
        write_all(a); /* when it was refused, so is this */
        break;
    case WRITE:
        written(a);
        break;
    case TELL:
        told(a);
        break;
    case TELL_TOO:
        give_back(a);
        break;
    case REST:
    case READ:
    case FREE:
        go_on(a);
        break;
    }
}

/* ---- when ---- */

/* Nothing is under way. */
static void
go_on(struct announce *a)
{
    struct mono now = a->loop->now, at = a->due ? a->again_at : a->look_at;

    a->step = REST;
    if (a->done) {
        a->done(a->done_arg);
        return;
    }
    if (!mono_reached(now, at))
        (void)loop_timer(a->loop, &a->timer, at);
    else if (a->due)
        take(a);
    else
        look(a);
}

static void
fired(struct loop *l, struct timer *t)
{
    struct announce *a = container_of(t, struct announce, timer);

    (void)l;
    if (a->step == REST)
        go_on(a);
}

static void
changed(struct loop *l, struct task *t)
{
    struct announce *a = container_of(t, struct announce, changed);

    atomic_store(&a->posted, false);
    a->due = true;
    if (a->done || a->step != REST)
        return;
    loop_timer_stop(l, &a->timer);
    go_on(a);
}

void
announce_changed(struct announce *a)
{
    struct loop *l = atomic_load(&a->open);

    if (l && !atomic_exchange(&a->posted, true))
        loop_post(l, &a->changed);
}

/* ---- life ---- */

struct announce *
announce_open(struct meta *meta, struct coord *coord, const char *channel,
              uint64_t seed, struct log *log)
{
    struct announce *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    list_init(&a->waits[0]);
    list_init(&a->waits[1]);
    a->meta = meta;
    a->coord = coord;
    a->log = log;
    a->timer.fire = fired;
    a->changed.run = changed;
    (void)snprintf(a->channel, sizeof(a->channel), "%s", channel);
    (void)snprintf(a->owner, sizeof(a->owner), "admin-%016llx",
                   (unsigned long long)seed);
    buf_init(&a->list, COORD_TEXT_MAX);
    buf_init(&a->registry, COORD_TEXT_MAX);
    buf_init(&a->priorities, COORD_TEXT_MAX);
    buf_init(&a->number, 32);
    buf_init(&a->seen, 256);
    return a;
}

/* What stands in the store may be from before a restore of the catalogue. */
void
announce_start(struct announce *a, struct loop *l)
{
    a->loop = l;
    a->due = true;
    a->again_at = a->look_at = l->now;
    atomic_store(&a->open, l);
    go_on(a);
}

void
announce_stop(struct announce *a, void (*done)(void *arg), void *arg)
{
    a->done = done;
    a->done_arg = arg;
    atomic_store(&a->open, NULL);
    loop_timer_stop(a->loop, &a->timer);
    release(&a->waits[1]);
    if (a->step == REST)
        go_on(a);
}

void
announce_close(struct announce **ap)
{
    struct announce *a = *ap;

    *ap = NULL;
    if (a == NULL)
        return;
    assert(a->step == REST);
    buf_release(&a->list);
    buf_release(&a->registry);
    buf_release(&a->priorities);
    buf_release(&a->number);
    buf_release(&a->seen);
    free(a->el);
    free(a);
}
