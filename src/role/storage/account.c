/* account.c - the element's side of the pool's ledger (core/ledger.h), and what
 * the element tells of its capacity.
 *
 * The ledger knows what this process has promised, not what another one on the
 * same file system has. What both see is the file system's own count. So near
 * the end (NEAR_THE_END) a promise is no longer a number: the room is allocated
 * in the upload's own file, with that of its attr.json behind the data, and
 * whoever looks after that finds it taken. Nothing outlives a process that
 * dies: its files have no names yet, or names in tmp/.
 *
 * Two who allocate at a time could each see the other's and both give up, so
 * they go through the file system's gate one by one (port/disk.h). Where a gate
 * is not shared the count is still right: an account that is overdrawn after
 * the allocation gives it back.
 *
 * Far from the end a body that is all in memory is a number as before, which
 * costs nothing; bodies that come in blocks are allocated always.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/impl.h"
#include <stdio.h>
#include <stdlib.h>

#define NEAR_THE_END ((uint64_t)1024 * MIB)
#define LOOK_MS      10

struct ledger_conf
element_ledger_conf(void)
{
    return (struct ledger_conf){
        .headroom = {.bytes = 64 * MIB, .inodes = 1024},
        .percent = {0, 85, 92, 98},
        .hysteresis = 2,
    };
}

struct element_pool *
element_pool_new(const struct ledger_conf *conf)
{
    struct element_pool *p = calloc(1, sizeof(*p));

    if (p) {
        pthread_mutex_init(&p->gate, NULL);
        pthread_mutex_init(&p->look, NULL);
        pthread_mutex_init(&p->mu, NULL);
        ledger_init(&p->ledger, conf);
    }
    return p;
}

void
element_pool_adjust(struct element_pool *p, const struct ledger_conf *conf)
{
    pthread_mutex_lock(&p->mu);
    p->ledger.conf = *conf;
    pthread_mutex_unlock(&p->mu);
}

void
element_pool_free(struct element_pool **p)
{
    if (*p) {
        pthread_mutex_destroy(&(*p)->mu);
        pthread_mutex_destroy(&(*p)->look);
        pthread_mutex_destroy(&(*p)->gate);
        free(*p);
    }
    *p = NULL;
}

static enum err
reserve(struct element *e, struct ledger_room r)
{
    enum err err;

    pthread_mutex_lock(&e->pool->mu);
    err = ledger_reserve(&e->pool->ledger, &e->account, r);
    pthread_mutex_unlock(&e->pool->mu);
    return err;
}

/* Reads counters, not a disk. With pool->look held. */
static enum err
measure(struct element *e, struct fault *f)
{
    struct ledger *l = &e->pool->ledger;
    struct disk_space sp;
    enum err err;

    pthread_mutex_lock(&e->pool->mu);
    ledger_measure_begin(l);
    pthread_mutex_unlock(&e->pool->mu);
    err = disk_statfs(e->disk, &sp, f);
    pthread_mutex_lock(&e->pool->mu);
    if (err == ERR_OK)
        ledger_measure_end(l, (struct ledger_room){sp.total, sp.inodes_total},
                           (struct ledger_room){sp.free, sp.inodes_free});
    else
        ledger_measure_cancel(l);
    pthread_mutex_unlock(&e->pool->mu);
    return err;
}

enum err
account_measure(struct element *e, struct fault *f)
{
    enum err err;

    pthread_mutex_lock(&e->pool->look);
    err = measure(e, f);
    pthread_mutex_unlock(&e->pool->look);
    return err;
}

/* On a loop, which does not wait: another's measure is as good. */
static void
glance(struct element *e)
{
    if (pthread_mutex_trylock(&e->pool->look) != 0)
        return;
    (void)measure(e, NULL);
    pthread_mutex_unlock(&e->pool->look);
}

/* Is it some time since the last look? Or was somebody REFUSED? */
static bool
must_look(struct element *e, bool refused)
{
    int64_t now = element_now(e).ms;
    bool yes;

    pthread_mutex_lock(&e->pool->mu);
    yes = now < e->pool->looked_ms ||
          now - e->pool->looked_ms >= (refused ? 1 : LOOK_MS);
    if (yes)
        e->pool->looked_ms = now;
    pthread_mutex_unlock(&e->pool->mu);
    return yes;
}

static enum err
refuse(struct element *e, enum err err, struct fault *f)
{
    atomic_fetch_add(&e->n_refused, 1);
    return fault_set(f, err, "reserve", e->element_id);
}

/* The account may be too pessimistic, and others may take or make room: it is
 * measured anew all the time, and before anybody is refused. */
enum err
account_reserve(struct element *e, struct ledger_room r, struct fault *f)
{
    enum err err;

    if (must_look(e, false))
        glance(e);
    err = reserve(e, r);
    if (err != ERR_OK && must_look(e, true)) {
        glance(e);
        err = reserve(e, r);
    }
    return err == ERR_OK ? ERR_OK : refuse(e, err, f);
}

/* Would R fit if nothing were promised? */
static bool
fits_unpromised(struct element *e, struct ledger_room r)
{
    struct ledger_room have;
    struct ledger l;

    pthread_mutex_lock(&e->pool->mu);
    l = e->pool->ledger;
    l.reserved = (struct ledger_room){0, 0};
    have = ledger_available(&l, &e->account);
    pthread_mutex_unlock(&e->pool->mu);
    return have.bytes >= r.bytes && have.inodes >= r.inodes;
}

enum err
account_promise(struct element *e, struct ledger_room *r, struct fault *f)
{
    enum err err;

    if (must_look(e, false))
        glance(e);
    err = reserve(e, *r);
    if (err == ERR_OK)
        return ERR_OK;
    if (must_look(e, true))
        glance(e);
    if (!fits_unpromised(e, *r))
        return refuse(e, err, f);
    *r = (struct ledger_room){0, 0};
    return ERR_OK;
}

bool
account_near_end(struct element *e)
{
    static const struct ledger_member any;
    bool yes;

    pthread_mutex_lock(&e->pool->mu);
    yes = ledger_available(&e->pool->ledger, &any).bytes < NEAR_THE_END;
    pthread_mutex_unlock(&e->pool->mu);
    return yes;
}

void
account_gate_enter(struct element *e)
{
    pthread_mutex_lock(&e->pool->gate);
    /* Without it nobody takes too much, see above. */
    (void)disk_gate_enter(e->disk, NULL);
}

void
account_gate_leave(struct element *e)
{
    disk_gate_leave(e->disk);
    pthread_mutex_unlock(&e->pool->gate);
}

/* So many BYTES are in the file system's own count now. Is that more than there
 * was to take? */
static enum err
took(struct element *e, struct account_claim *c, uint64_t bytes)
{
    const struct ledger_room r = {.bytes = bytes};
    bool overdrawn;

    account_take(e, r);
    c->reserved.bytes -= bytes;
    c->on_disk.bytes += bytes;
    (void)account_measure(e, NULL);
    pthread_mutex_lock(&e->pool->mu);
    overdrawn = ledger_overdrawn(&e->pool->ledger);
    pthread_mutex_unlock(&e->pool->mu);
    return overdrawn ? ERR_NOSPC : ERR_OK;
}

/* R promised anew, by what is there now; PROMISED: it has been, so far. */
static enum err
promise_again(struct element *e, struct account_claim *c, struct ledger_room r,
              bool promised)
{
    struct ledger *l = &e->pool->ledger;
    enum err err;

    pthread_mutex_lock(&e->pool->mu);
    if (promised)
        ledger_release(l, &e->account, r);
    err = ledger_reserve(l, &e->account, r);
    pthread_mutex_unlock(&e->pool->mu);
    if (promised && err != ERR_OK) {
        c->reserved.bytes -= r.bytes;
        c->reserved.inodes -= r.inodes;
    } else if (!promised && err == ERR_OK) {
        c->reserved.bytes += r.bytes;
        c->reserved.inodes += r.inodes;
    }
    return err;
}

/* In the gate, so that nobody else meets what did not come to anything. */
static void
give_back(struct element *e, struct account_claim *c, int fd)
{
    (void)disk_truncate(e->disk, fd, 0, NULL);
    account_settle(e, c->reserved, c->on_disk, (struct ledger_room){0});
    *c = (struct account_claim){0};
}

enum err
account_allocate(struct element *e, struct account_claim *c, int fd,
                 struct ledger_room r, bool promised, struct fault *f)
{
    bool fresh = c->on_disk.bytes == 0;
    enum err err;

    account_gate_enter(e);
    (void)account_measure(e, NULL);
    err = promise_again(e, c, r, promised);
    if (err == ERR_OK) {
        err = disk_alloc(e->disk, fd, c->on_disk.bytes, r.bytes, f);
        if (err == ERR_OK)
            err = took(e, c, r.bytes);
        else if (err == ERR_UNSUPPORTED) /* then it stays a promise */
            err = ERR_OK;
        if (err != ERR_OK && fresh)
            give_back(e, c, fd);
    }
    account_gate_leave(e);
    return err == ERR_NOSPC || err == ERR_NOINODES ? refuse(e, err, f) : err;
}

void
account_release(struct element *e, struct ledger_room r)
{
    pthread_mutex_lock(&e->pool->mu);
    ledger_release(&e->pool->ledger, &e->account, r);
    pthread_mutex_unlock(&e->pool->mu);
}

void
account_take(struct element *e, struct ledger_room r)
{
    pthread_mutex_lock(&e->pool->mu);
    ledger_take(&e->pool->ledger, &e->account, r);
    pthread_mutex_unlock(&e->pool->mu);
}

void
account_free(struct element *e, struct ledger_room r)
{
    pthread_mutex_lock(&e->pool->mu);
    ledger_free(&e->pool->ledger, &e->account, r);
    pthread_mutex_unlock(&e->pool->mu);
}

void
account_settle(struct element *e, struct ledger_room reserved,
               struct ledger_room on_disk, struct ledger_room final)
{
    pthread_mutex_lock(&e->pool->mu);
    ledger_release(&e->pool->ledger, &e->account, reserved);
    ledger_free(&e->pool->ledger, &e->account, on_disk);
    ledger_add(&e->pool->ledger, &e->account, final);
    pthread_mutex_unlock(&e->pool->mu);
}

static void
capacity_of_pool(struct element *e, struct blob_capacity *out)
{
    struct ledger *l = &e->pool->ledger;
    struct ledger_room room;

    pthread_mutex_lock(&e->pool->mu);
    room = ledger_available(l, &e->account);
    out->total = ledger_total(l, &e->account);
    out->used = ledger_used(l, &e->account);
    out->reserved = l->reserved.bytes;
    out->inodes_total = l->total.inodes;
    out->available = room.bytes;
    out->inodes_available = room.inodes;
    out->status = (enum blob_status)ledger_step(l, &e->account);
    pthread_mutex_unlock(&e->pool->mu);
}

void
account_capacity(struct element *e, struct blob_capacity *out)
{
    enum blob_mode mode = (enum blob_mode)atomic_load(&e->mode);

    *out = (struct blob_capacity){
        .element_uuid = e->sb->element_uuid,
        .backend = "local",
        .mode = mode,
        .priority = e->conf.priority,
        .boot = e->sb->boot,
        .files = atomic_load(&e->n_files),
        .bytes = atomic_load(&e->n_bytes),
        .last_update = element_now(e),
    };
    snprintf(out->element_id, sizeof(out->element_id), "%s", e->element_id);
    snprintf(out->pool_id, sizeof(out->pool_id), "%s", e->sb->pool_id);
    snprintf(out->location, sizeof(out->location), "%s", e->location);
    snprintf(out->endpoint, sizeof(out->endpoint), "%s", e->endpoint);
    capacity_of_pool(e, out);
    pthread_mutex_lock(&e->mu);
    out->seq = e->told_seq;
    pthread_mutex_unlock(&e->mu);
    out->writable = mode == BLOB_EDIT || mode == BLOB_RW;
    if (atomic_load(&e->poisoned)) {
        out->writable = false;
        snprintf(out->health, sizeof(out->health), "unhealthy: %.80s",
                 e->trouble);
    } else {
        snprintf(out->health, sizeof(out->health), "healthy");
    }
}
