/* disk_crash.c - see disk_rec.h: what a power cut may leave.
 *
 * For each folder that is reached: each name is what it was at the folder's
 * last sync, or what any change since has made of it. For each file that is
 * reached: its size is what it was at its last sync, or any since, or half of
 * what an append added; each sector is as at the last sync, or as after any
 * write since. SPDX-License-Identifier: Apache-2.0 */
#include "port/disk_rec_impl.h"
#include <stdlib.h>

#define OPTIONS_MAX 16

struct crash {
    const struct disk_rec *from;
    struct disk_rec *to;
    uint64_t time;
    disk_choose_fn *choose;
    void *arg;
};

static uint64_t
last_sync(const struct rec_inode *i, uint64_t time)
{
    uint64_t t = 0;

    for (size_t k = 0; k < i->n_sync; k++)
        if (i->sync[k] <= time)
            t = u64_max(t, i->sync[k]);
    return t;
}

static unsigned
choose(struct crash *c, unsigned n)
{
    unsigned v = n > 1 ? c->choose(c->arg, n) : 0;

    assert(v < n);
    return v;
}

/* Of too many the last takes the place of the one before it. */
static void
add_size(uint64_t v[OPTIONS_MAX], unsigned *n, uint64_t size)
{
    if (*n == OPTIONS_MAX)
        --*n;
    v[(*n)++] = size;
}

/* Sizes that the file may have; [0] is the synced one. */
static uint64_t
choose_size(struct crash *c, const struct rec_inode *f, uint64_t synced)
{
    uint64_t v[OPTIONS_MAX] = {f->base_size};
    unsigned n = 1;

    for (size_t k = 0; k < f->n_write; k++) {
        const struct rec_write *w = &f->write[k];

        if (!w->is_size || w->time > c->time)
            continue;
        if (w->time <= synced) {
            v[0] = w->off;
            continue;
        }
        if (w->off > v[n - 1] + 1)
            add_size(v, &n, v[n - 1] + (w->off - v[n - 1]) / 2);
        add_size(v, &n, w->off);
    }
    return v[choose(c, n)];
}

/* Large files are torn at fewer places, so that the number of choices stays
 * within reason: at most 64 sectors. */
static uint64_t
sector_of(uint64_t size)
{
    uint64_t sector = REC_SECTOR;

    while (size / sector > 64)
        sector *= 2;
    return sector;
}

/* The bytes of W that fall into the sector at OFF, put into OUT. */
static bool
overlay(const struct rec_write *w, uint64_t off, uint64_t sector, uint8_t *out)
{
    uint64_t from = u64_max(w->off, off);
    uint64_t to = u64_min(w->off + w->n, off + sector);

    if (w->is_size || from >= to)
        return false;
    if (out)
        memcpy(out + (from - off), w->p + (from - w->off), to - from);
    return true;
}

static void
synced_sector(const struct rec_inode *f, uint64_t off, uint64_t sector,
              uint64_t synced, uint8_t *out, bool *known)
{
    *known = off < f->base_size;
    memset(out, 0, sector);
    if (*known)
        memcpy(out, f->base + off, u64_min(sector, f->base_size - off));
    for (size_t k = 0; k < f->n_write; k++)
        if (f->write[k].time <= synced &&
            overlay(&f->write[k], off, sector, out))
            *known = true;
}

static void
crash_sector(struct crash *c, const struct rec_inode *f, uint64_t off,
             uint64_t sector, uint64_t synced, uint8_t *out)
{
    unsigned pending = 0, pick;
    bool known;

    synced_sector(f, off, sector, synced, out, &known);
    for (size_t k = 0; k < f->n_write; k++)
        pending += f->write[k].time > synced && f->write[k].time <= c->time &&
                   overlay(&f->write[k], off, sector, NULL);
    if (pending == 0)
        return;
    /* As it was (zeros where nothing was); rubbish where nothing was; then
     * after each write. */
    pick = choose(c, 1 + !known + pending);
    if (pick == 0)
        return;
    if (!known && pick == 1) {
        memset(out, 0xdb, sector);
        return;
    }
    pick -= !known;
    for (size_t k = 0; k < f->n_write && pick; k++)
        if (f->write[k].time > synced && f->write[k].time <= c->time &&
            overlay(&f->write[k], off, sector, out))
            pick--;
}

static void
crash_file(struct crash *c, const struct rec_inode *f, struct rec_inode *to)
{
    uint64_t synced = last_sync(f, c->time);
    uint64_t size = choose_size(c, f, synced);
    uint64_t sector = sector_of(size);
    uint8_t *p = malloc(align_up(size, sector) + 1);

    assert(p);
    for (uint64_t off = 0; off < size; off += sector)
        crash_sector(c, f, off, sector, synced, p + off);
    rec_content(to, p, size);
    c->to->used += align_up(size, REC_BLOCK);
    free(p);
}

/* What NAME may be; [0] is the synced one. */
static struct rec_inode *
choose_name(struct crash *c, const struct rec_inode *dir, const char *name,
            uint64_t synced)
{
    struct rec_inode *v[OPTIONS_MAX] = {NULL};
    unsigned n = 1;

    for (size_t k = 0; k < dir->n_change; k++) {
        const struct rec_name *e = &dir->change[k];

        if (e->time > c->time || strcmp(e->name, name) != 0)
            continue;
        if (e->time <= synced)
            v[0] = e->inode;
        else
            v[n < OPTIONS_MAX ? n++ : n - 1] = e->inode;
    }
    return v[choose(c, n)];
}

static bool
first_of_name(const struct rec_inode *dir, size_t k)
{
    for (size_t j = 0; j < k; j++)
        if (strcmp(dir->change[j].name, dir->change[k].name) == 0)
            return false;
    return true;
}

static void
crash_dir(struct crash *c, const struct rec_inode *dir, struct rec_inode *to)
{
    uint64_t synced = last_sync(dir, c->time);

    for (size_t k = 0; k < dir->n_change; k++) {
        const char *name = dir->change[k].name;
        struct rec_inode *i, *copy;

        if (!first_of_name(dir, k))
            continue;
        if (!(i = choose_name(c, dir, name, synced)))
            continue;
        /* A file under two names becomes two files: nothing here links. */
        copy = rec_inode_new(c->to, i->is_dir);
        rec_enter(to, name, copy);
        if (i->is_dir)
            crash_dir(c, i, copy);
        else
            crash_file(c, i, copy);
    }
}

struct disk *
disk_rec_crash(const struct disk *d, uint64_t time, disk_choose_fn *fn,
               void *arg)
{
    const struct disk_rec *r = rec_of(d);
    struct disk *out = disk_rec_open(&r->conf);
    struct crash c = {
        .from = r, .to = rec_of(out), .time = time, .choose = fn, .arg = arg};

    assert(r->history);
    crash_dir(&c, r->root, c.to->root);
    return out;
}

/* The choices as the digits of a number whose bases show themselves only while
 * it is read: the last digit that can grow does, and what stood behind it is
 * forgotten (TigerBeetle's exhaustigen). */

void
disk_states_init(struct disk_states *s, uint64_t limit, uint64_t seed)
{
    *s = (struct disk_states){.limit = limit};
    prng_init(&s->prng, seed);
}

static bool
increment(struct disk_states *s)
{
    while (s->n) {
        if (s->value[s->n - 1] + 1u < s->bound[s->n - 1]) {
            s->value[s->n - 1]++;
            s->top = s->n;
            return true;
        }
        s->n--;
    }
    return false;
}

bool
disk_states_next(struct disk_states *s)
{
    if (s->over || s->done == s->limit)
        return false;
    if (s->done == 0) {
        s->top = 0;
    } else if (!s->sampled) {
        /* Half of the limit in order; if that was not all, the rest at
         * random. */
        if (!increment(s)) {
            s->over = true;
            return false;
        }
        s->sampled = s->done >= s->limit / 2;
    }
    s->n = 0;
    s->done++;
    return true;
}

unsigned
disk_states_choose(void *arg, unsigned n)
{
    struct disk_states *s = arg;
    unsigned v = 0;

    if (s->sampled) {
        bool corner = s->done == s->limit / 2 + 1;

        /* Most choices one way and few the other find more than even odds. */
        if (corner)
            return n - 1;
        switch (s->done % 3) {
        case 0:
            return (unsigned)prng_below(&s->prng, n);
        case 1:
            return prng_below(&s->prng, 8) ? n - 1
                                           : (unsigned)prng_below(&s->prng, n);
        default:
            return prng_below(&s->prng, 8) ? 0
                                           : (unsigned)prng_below(&s->prng, n);
        }
    }
    assert(s->n < DISK_CHOICES_MAX && n <= UINT16_MAX);
    if (s->n < s->top)
        v = s->value[s->n];
    s->value[s->n] = (uint16_t)v;
    s->bound[s->n++] = (uint16_t)n;
    return v;
}
