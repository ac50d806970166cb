/* ledger.c - see ledger.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/ledger.h"

#define UNIT          ((uint64_t)4096)
#define BLOCKS_INLINE 64 /* wire/attr.h: more block checksums need a file */
#define BLOCK         ((uint64_t)256 * 1024)

void
ledger_init(struct ledger *l, const struct ledger_conf *conf)
{
    *l = (struct ledger){.conf = *conf};
}

struct ledger_room
ledger_file(uint64_t size)
{
    uint64_t blocks = size / BLOCK + (size % BLOCK != 0);
    struct ledger_room r = {.inodes = 2};

    /* Data, attr.json, and what folders and the index grow by. */
    if (size > UINT64_MAX / 2)
        return (struct ledger_room){UINT64_MAX, 2};
    r.bytes = align_up(size, UNIT) + UNIT;
    if (blocks > BLOCKS_INLINE) {
        r.bytes += align_up(blocks * 4, UNIT);
        r.inodes++;
    }
    return r;
}

void
ledger_measure_begin(struct ledger *l)
{
    assert(!l->measuring);
    l->measuring = true;
    l->begun_bytes = 0;
    l->begun_inodes = 0;
}

void
ledger_measure_end(struct ledger *l, struct ledger_room total,
                   struct ledger_room free)
{
    assert(l->measuring);
    l->measuring = false;
    l->measured = true;
    l->total = total;
    l->free = free;
    /* What was freed meanwhile may be in FREE already: not counted again. */
    l->taken_bytes = l->begun_bytes > 0 ? l->begun_bytes : 0;
    l->taken_inodes = l->begun_inodes > 0 ? l->begun_inodes : 0;
}

void
ledger_measure_cancel(struct ledger *l)
{
    assert(l->measuring);
    l->measuring = false;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t
apply_taken(uint64_t free, int64_t taken, uint64_t total)
{
    if (taken >= 0)
        return less(free, (uint64_t)taken);
    return u64_min(free + (uint64_t)-taken, total);
}

/* Free on the file system as far as we know. */
static struct ledger_room
free_now(const struct ledger *l)
{
    return (struct ledger_room){
        .bytes = apply_taken(l->free.bytes, l->taken_bytes, l->total.bytes),
        .inodes = apply_taken(l->free.inodes, l->taken_inodes, l->total.inodes),
    };
}

static struct ledger_room
headroom(const struct ledger *l)
{
    return (struct ledger_room){
        .bytes = u64_min(l->conf.headroom.bytes, l->total.bytes / 8),
        .inodes = u64_min(l->conf.headroom.inodes, l->total.inodes / 8),
    };
}

struct ledger_room
ledger_available(const struct ledger *l, const struct ledger_member *m)
{
    struct ledger_room r = free_now(l), head = headroom(l);

    r.bytes = less(r.bytes, l->reserved.bytes);
    r.bytes = less(r.bytes, head.bytes);
    if (l->total.inodes == 0) {
        r.inodes = UINT64_MAX;
    } else {
        r.inodes = less(r.inodes, l->reserved.inodes);
        r.inodes = less(r.inodes, head.inodes);
    }
    if (m->quota)
        r.bytes = u64_min(r.bytes, less(m->quota, m->stored + m->reserved));
    if (!l->measured)
        r = (struct ledger_room){0, 0};
    return r;
}

enum err
ledger_reserve(struct ledger *l, struct ledger_member *m, struct ledger_room r)
{
    struct ledger_room have = ledger_available(l, m);

    if (have.bytes < r.bytes)
        return ERR_NOSPC;
    if (have.inodes < r.inodes)
        return ERR_NOINODES;
    l->reserved.bytes += r.bytes;
    l->reserved.inodes += r.inodes;
    m->reserved += r.bytes;
    return ERR_OK;
}

void
ledger_release(struct ledger *l, struct ledger_member *m, struct ledger_room r)
{
    assert(l->reserved.bytes >= r.bytes && l->reserved.inodes >= r.inodes);
    assert(m->reserved >= r.bytes);
    l->reserved.bytes -= r.bytes;
    l->reserved.inodes -= r.inodes;
    m->reserved -= r.bytes;
}

bool
ledger_overdrawn(const struct ledger *l)
{
    struct ledger_room have = free_now(l), head = headroom(l);

    return have.bytes < l->reserved.bytes + head.bytes ||
           (l->total.inodes && have.inodes < l->reserved.inodes + head.inodes);
}

static void
add_taken(struct ledger *l, int64_t bytes, int64_t inodes)
{
    l->taken_bytes += bytes;
    l->taken_inodes += inodes;
    if (l->measuring) {
        l->begun_bytes += bytes > 0 ? bytes : 0;
        l->begun_inodes += inodes > 0 ? inodes : 0;
    }
}

void
ledger_add(struct ledger *l, struct ledger_member *m, struct ledger_room r)
{
    add_taken(l, (int64_t)r.bytes, (int64_t)r.inodes);
    m->stored += r.bytes;
}

void
ledger_take(struct ledger *l, struct ledger_member *m, struct ledger_room r)
{
    ledger_release(l, m, r);
    ledger_add(l, m, r);
}

void
ledger_free(struct ledger *l, struct ledger_member *m, struct ledger_room r)
{
    add_taken(l, -(int64_t)r.bytes, -(int64_t)r.inodes);
    m->stored = less(m->stored, r.bytes);
}

uint64_t
ledger_total(const struct ledger *l, const struct ledger_member *m)
{
    return m->quota ? u64_min(m->quota, l->total.bytes) : l->total.bytes;
}

uint64_t
ledger_used(const struct ledger *l, const struct ledger_member *m)
{
    uint64_t total = ledger_total(l, m);
    uint64_t used = less(l->total.bytes, free_now(l).bytes);

    /* With a quota only our own bytes count, unless the disk itself is the
     * tighter of the two. */
    if (m->quota && m->quota <= l->total.bytes)
        used = u64_max(m->stored, less(total, free_now(l).bytes));
    return u64_min(used, total);
}

static bool
over(const struct ledger_conf *conf, const struct ledger_fill *f,
     unsigned level, unsigned slack)
{
    double limit = (double)conf->percent[level] - slack;
    double room = (double)conf->free_below[level];

    if (f->total == 0)
        return true;
    if (room > 0)
        room += (double)f->total * slack / 100;
    return (double)f->used * 100 >= limit * (double)f->total ||
           (f->inodes_total &&
            (double)f->inodes_used * 100 >= limit * (double)f->inodes_total) ||
           (double)less(f->total, f->used) < room;
}

enum ledger_status
ledger_judge(const struct ledger_conf *conf, enum ledger_status before,
             const struct ledger_fill *f)
{
    enum ledger_status s = LEDGER_OK;

    for (unsigned level = LEDGER_WARNING; level <= LEDGER_FULL; level++) {
        /* A status that holds already is left only after more than its own
         * threshold was given back (D07). */
        unsigned slack = level <= before ? conf->hysteresis : 0;

        if (over(conf, f, level, slack))
            s = (enum ledger_status)level;
    }
    return s;
}

/* Would not even an empty file fit if nothing were promised? What is promised
 * may be given back in a moment. */
static bool
is_spent(const struct ledger *l, const struct ledger_member *m)
{
    const struct ledger_member idle = {.quota = m->quota, .stored = m->stored};
    const struct ledger_room least = ledger_file(0);
    struct ledger all = *l;
    struct ledger_room have;

    all.reserved = (struct ledger_room){0, 0};
    have = ledger_available(&all, &idle);
    return have.bytes < least.bytes || have.inodes < least.inodes;
}

enum ledger_status
ledger_step(const struct ledger *l, struct ledger_member *m)
{
    const struct ledger_fill f = {
        .total = ledger_total(l, m),
        .used = ledger_used(l, m),
        .inodes_total = l->total.inodes,
        .inodes_used = less(l->total.inodes, free_now(l).inodes),
    };

    m->status =
        is_spent(l, m) ? LEDGER_FULL : ledger_judge(&l->conf, m->status, &f);
    return m->status;
}
