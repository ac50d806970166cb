/* account.c - the element's side of the pool's ledger (core/ledger.h), and what
 * the element tells of its capacity. SPDX-License-Identifier: Apache-2.0 */
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

/* Is it some time since the last look, and the end so near that it matters what
 * other processes do on the file system? Or was somebody REFUSED? */
static bool
must_look(struct element *e, bool refused)
{
    const struct ledger *l = &e->pool->ledger;
    int64_t now = element_now(e).ms;
    bool yes;

    pthread_mutex_lock(&e->pool->mu);
    yes = (now < e->pool->looked_ms ||
           now - e->pool->looked_ms >= (refused ? 1 : LOOK_MS)) &&
          (refused || ledger_available(l, &e->account).bytes < NEAR_THE_END);
    if (yes)
        e->pool->looked_ms = now;
    pthread_mutex_unlock(&e->pool->mu);
    return yes;
}

/* The account may be too pessimistic, and others may take or make room: near
 * the end it is measured anew all the time, and before anybody is refused. That
 * reads counters, not a disk, and is therefore done here, on a loop. */
enum err
account_reserve(struct element *e, struct ledger_room r, struct fault *f)
{
    enum err err;

    if (must_look(e, false))
        (void)account_measure(e, NULL);
    err = reserve(e, r);
    if (err != ERR_OK && must_look(e, true) &&
        account_measure(e, NULL) == ERR_OK)
        err = reserve(e, r);
    if (err != ERR_OK) {
        atomic_fetch_add(&e->n_refused, 1);
        return fault_set(f, err, "reserve", e->element_id);
    }
    return ERR_OK;
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

/* Only one measure of a pool is under way; another element's is as good. */
enum err
account_measure(struct element *e, struct fault *f)
{
    struct ledger *l = &e->pool->ledger;
    struct disk_space sp;
    bool mine = false;
    enum err err;

    pthread_mutex_lock(&e->pool->mu);
    if (!l->measuring) {
        ledger_measure_begin(l);
        mine = true;
    }
    pthread_mutex_unlock(&e->pool->mu);
    if (!mine)
        return ERR_OK;
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
