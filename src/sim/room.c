/* room.c - file systems below the elements, and who was promised room there.
 *
 * The account is the elements' own, core/ledger.h; what it must never promise
 * is known here, byte by byte, without it:
 *
 *     total >= others + stored + promised
 *
 * Others' files are what the fault `full` adds and takes away. They are seen at
 * once: no account can be kept against somebody who takes what was promised
 * since the last look, and it does not pretend to. All else that is measured is
 * measured late, at a moment of which nobody is told. Every second file system
 * can allocate at admission, as most can; of the others a promise is one until
 * the bytes have come. Every fourth element is on its neighbour's file system
 * (D28). SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdlib.h>

#define MEASURE dur_s(5)  /* after something has changed */
#define IDLE    dur_s(60) /* then an element gives an upload up */
#define NEAR    GIB       /* the end: then it is measured each time */

struct sim_ticket {
    struct sim_event ev; /* given up */
    struct list item;
    struct sim_element *e;
    struct sim_ticket **holder; /* who has it at a gateway; NULL: nobody */
    struct ledger_room reserved, on_disk;
    uint64_t limit;
};

struct sim_file {
    struct sim_event ev; /* deleted */
    struct list item;
    struct sim_element *e;
    struct ledger_room room;
};

/* ---- what must hold ---- */

static uint64_t
free_of(const struct sim_fs *f)
{
    return f->total - f->others - f->stored;
}

static void
changed(struct sim *s, struct sim_fs *f)
{
    if (f->others + f->stored + f->promised > f->total)
        sim_bad(s,
                "room: the file system of %s has promised %llu bytes more "
                "than it has",
                f->e[0]->id,
                (unsigned long long)(f->others + f->stored + f->promised -
                                     f->total));
    if (f->ledger.reserved.bytes != f->promised)
        sim_bad(s, "room: the account of %s has %llu bytes reserved, not %llu",
                f->e[0]->id, (unsigned long long)f->ledger.reserved.bytes,
                (unsigned long long)f->promised);
    if (s->out->promised < f->promised)
        s->out->promised = f->promised;
    for (unsigned i = 0; i < 2 && f->e[i]; i++) {
        (void)ledger_step(&f->ledger, &f->e[i]->account);
        sim_element_changed(s, f->e[i]);
    }
    if (f->measure.item.pos == 0)
        sim_at(s, &f->measure, mono_add(s->now, MEASURE));
}

/* ---- measuring ---- */

static void
measured(struct sim_fs *f, uint64_t free)
{
    ledger_measure_end(&f->ledger, (struct ledger_room){f->total, 0},
                       (struct ledger_room){free, 0});
}

static void
measure_end(struct sim *s, struct sim_event *ev)
{
    struct sim_fs *f = container_of(ev, struct sim_fs, measure);

    if (!f->ledger.measuring)
        return;
    measured(f, sim_chance(s, 50) ? f->seen_free : free_of(f));
    f->measure.run = sim_room_measure;
    for (unsigned i = 0; i < 2 && f->e[i]; i++) {
        (void)ledger_step(&f->ledger, &f->e[i]->account);
        sim_element_changed(s, f->e[i]);
    }
}

void
sim_room_measure(struct sim *s, struct sim_event *ev)
{
    struct sim_fs *f = container_of(ev, struct sim_fs, measure);

    ledger_measure_begin(&f->ledger);
    f->seen_free = free_of(f);
    ev->run = measure_end;
    sim_at(s, ev, mono_add(s->now, sim_between_ms(s, 1, 500)));
}

/* At once, unless it is being done. */
static void
look(struct sim_fs *f)
{
    if (f->ledger.measuring)
        return;
    ledger_measure_begin(&f->ledger);
    measured(f, free_of(f));
}

void
sim_room_others(struct sim *s, struct sim_element *e, unsigned per_mille)
{
    struct sim_fs *f = e->fs;
    uint64_t own = f->stored + f->promised;
    uint64_t want = f->total / 1000 * per_mille;

    if (per_mille > 500) /* of the whole, with what is ours */
        want = want > own ? want - own : 0;
    f->others = u64_min(want, f->total - own);
    if (f->ledger.measuring)
        ledger_measure_cancel(&f->ledger);
    f->measure.run = sim_room_measure;
    look(f);
    changed(s, f);
}

/* ---- uploads ---- */

/* Without an account: what is free is given to whoever asks. */
static enum err
reserve_blindly(struct sim_fs *f, struct sim_element *e, struct ledger_room r)
{
    struct ledger_room reserved = f->ledger.reserved;
    enum err err;

    f->ledger.reserved = (struct ledger_room){0};
    err = ledger_reserve(&f->ledger, &e->account, r);
    f->ledger.reserved.bytes += reserved.bytes;
    f->ledger.reserved.inodes += reserved.inodes;
    return err;
}

static enum err
reserve(struct sim *s, struct sim_element *e, struct ledger_room r)
{
    struct sim_fs *f = e->fs;
    enum err err;

    if (ledger_available(&f->ledger, &e->account).bytes < NEAR)
        look(f);
    if (s->conf.breaks & SIM_NO_ACCOUNT)
        return reserve_blindly(f, e, r);
    err = ledger_reserve(&f->ledger, &e->account, r);
    if (err != ERR_OK) {
        look(f);
        err = ledger_reserve(&f->ledger, &e->account, r);
    }
    return err;
}

/* BYTES of what T has reserved are on disk from now on. */
static void
take(struct sim_ticket *t, uint64_t bytes)
{
    struct ledger_room r = {.bytes = u64_min(bytes, t->reserved.bytes)};
    struct sim_fs *f = t->e->fs;

    ledger_take(&f->ledger, &t->e->account, r);
    f->promised -= r.bytes;
    f->stored += r.bytes;
    t->reserved.bytes -= r.bytes;
    t->on_disk.bytes += r.bytes;
}

/* Room for R more. */
static enum err
more(struct sim *s, struct sim_ticket *t, struct ledger_room r)
{
    struct sim_fs *f = t->e->fs;
    enum err err = reserve(s, t->e, r);

    if (err != ERR_OK)
        return err;
    f->promised += r.bytes;
    t->reserved.bytes += r.bytes;
    t->reserved.inodes += r.inodes;
    if (f->allocates)
        take(t, r.bytes - r.bytes % 4096);
    changed(s, f);
    return ERR_OK;
}

/* T is over; FINAL stays. */
static void
settle(struct sim *s, struct sim_ticket *t, struct ledger_room final)
{
    struct sim_fs *f = t->e->fs;

    ledger_release(&f->ledger, &t->e->account, t->reserved);
    ledger_free(&f->ledger, &t->e->account, t->on_disk);
    ledger_add(&f->ledger, &t->e->account, final);
    f->promised -= t->reserved.bytes;
    f->stored = f->stored - t->on_disk.bytes + final.bytes;
    if (t->holder)
        *t->holder = NULL;
    heap_remove(&s->queue, &t->ev.item);
    list_remove(&t->item);
    changed(s, f);
    free(t);
}

static void
gave_up(struct sim *s, struct sim_event *ev)
{
    sim_room_abort(s, container_of(ev, struct sim_ticket, ev));
}

enum err
sim_room_admit(struct sim *s, struct sim_element *e, uint64_t size,
               struct sim_ticket **holder)
{
    uint64_t limit = size == SELECT_SIZE_UNKNOWN ? LEDGER_STEP : size;
    struct sim_ticket *t = calloc(1, sizeof(*t));
    enum err err;

    assert(t && e->fs);
    t->e = e;
    t->limit = limit;
    err = more(s, t, ledger_file(limit));
    if (err != ERR_OK) {
        free(t);
        return err;
    }
    t->holder = holder;
    *holder = t;
    t->ev.run = gave_up;
    list_push(&e->tickets, &t->item);
    sim_at(s, &t->ev, mono_add(s->now, IDLE));
    return ERR_OK;
}

enum err
sim_room_write(struct sim *s, struct sim_ticket *t, uint64_t size)
{
    sim_at(s, &t->ev, mono_add(s->now, IDLE));
    while (size > t->limit) {
        struct ledger_room was = ledger_file(t->limit),
                           now = ledger_file(t->limit + LEDGER_STEP);
        enum err err = more(s, t,
                            (struct ledger_room){now.bytes - was.bytes,
                                                 now.inodes - was.inodes});

        if (err != ERR_OK)
            return err;
        t->limit += LEDGER_STEP;
    }
    if (size > t->on_disk.bytes) {
        take(t, size - t->on_disk.bytes);
        changed(s, t->e->fs);
    }
    return ERR_OK;
}

static void
file_deleted(struct sim *s, struct sim_event *ev)
{
    struct sim_file *d = container_of(ev, struct sim_file, ev);
    struct sim_fs *f = d->e->fs;

    if (s->ending)
        return; /* nothing changes any more */
    ledger_free(&f->ledger, &d->e->account, d->room);
    f->stored -= d->room.bytes;
    list_remove(&d->item);
    changed(s, f);
    free(d);
}

void
sim_room_publish(struct sim *s, struct sim_ticket *t, uint64_t size,
                 struct dur life)
{
    struct sim_file *d = calloc(1, sizeof(*d));

    assert(d);
    d->e = t->e;
    d->room = ledger_file(size);
    d->ev.run = file_deleted;
    list_push(&d->e->files, &d->item);
    sim_at(s, &d->ev, mono_add(s->now, life));
    settle(s, t, d->room);
}

void
sim_room_abort(struct sim *s, struct sim_ticket *t)
{
    settle(s, t, (struct ledger_room){0});
}

void
sim_room_left(struct sim_ticket *t)
{
    *t->holder = NULL;
    t->holder = NULL;
}

void
sim_room_died(struct sim *s, struct sim_element *e)
{
    LIST_FOREACH_SAFE (it, next, &e->tickets)
        sim_room_abort(s, container_of(it, struct sim_ticket, item));
}

/* ---- all ---- */

bool
sim_room_open(struct sim *s)
{
    unsigned n = s->conf.elements;

    s->fs = calloc(n, sizeof(s->fs[0]));
    if (s->fs == NULL)
        return false;
    for (unsigned i = 0; i < n; i++) {
        struct sim_element *e = &s->e[i];
        struct sim_fs *f = &s->fs[i % 4 == 3 ? i - 1 : i];

        e->fs = f;
        list_init(&e->tickets);
        list_init(&e->files);
        f->e[f->e[0] != NULL] = e;
        if (f->e[1])
            continue;
        ledger_init(&f->ledger,
                    &(struct ledger_conf){.headroom = {.bytes = 64 * MIB},
                                          .percent = {0, 85, 92, 98},
                                          .hysteresis = 2});
        f->total = (32 + i % 3 * 32) * GIB;
        f->others = f->total / 10;
        f->allocates = i % 2;
        f->measure.run = sim_room_measure;
        look(f);
    }
    return true;
}

/* Whoever was promised room has it or has gone. */
void
sim_room_end(struct sim *s)
{
    for (unsigned i = 0; i < s->conf.elements; i++) {
        const struct sim_element *e = &s->e[i];

        if (e->account.reserved || !list_empty(&e->tickets))
            sim_bad(s, "end: %s has %llu bytes reserved, and no uploads", e->id,
                    (unsigned long long)e->account.reserved);
    }
}

void
sim_room_release(struct sim *s)
{
    struct list *it;

    for (unsigned i = 0; s->fs && i < s->conf.elements; i++) {
        heap_remove(&s->queue, &s->fs[i].measure.item);
        while ((it = list_pop(&s->e[i].tickets)) != NULL) {
            struct sim_ticket *t = container_of(it, struct sim_ticket, item);

            heap_remove(&s->queue, &t->ev.item);
            free(t);
        }
        while ((it = list_pop(&s->e[i].files)) != NULL) {
            struct sim_file *d = container_of(it, struct sim_file, item);

            heap_remove(&s->queue, &d->ev.item);
            free(d);
        }
    }
    free(s->fs);
}
