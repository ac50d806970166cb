/* blocks.c - see blocks.h. A chunk is eight blocks; a free list per chunk lets
 * whole chunks become idle, because blocks are always taken from the chunk that
 * is fullest. SPDX-License-Identifier: Apache-2.0 */
#include "io/blocks.h"
#include "base/list.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_SIZE   (2 * MIB)
#define CHUNK_BLOCKS (CHUNK_SIZE / BLOCK_SIZE)
#define IDLE_CHUNKS  8   /* 16 MiB */
#define HUNGRY_MAX   256 /* loops; more are never made */

struct chunk {
    uint8_t *mem; /* NULL: not mapped */
    struct block block[CHUNK_BLOCKS];
    unsigned used;
    /* Which are out, one bit each. Not read from the blocks: their states are
     * their owners' to change, without the lock. */
    unsigned out;
};

_Static_assert(CHUNK_BLOCKS <= 32, "one bit for each");

struct hunger {
    struct loop *loop;
    struct task *task;
};

struct blocks {
    pthread_mutex_t mu;
    struct chunk *chunk;
    size_t n_chunks;
    size_t used;
    size_t mapped; /* chunks */
    struct hunger hungry[HUNGRY_MAX];
    size_t n_hungry;
};

enum err
blocks_open(struct blocks **out, size_t budget, struct fault *f)
{
    struct blocks *b = calloc(1, sizeof(*b));
    size_t chunks = size_min(budget / CHUNK_SIZE, 1 << 20);

    *out = NULL;
    if (b == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "block pool");
    b->n_chunks = chunks ? chunks : 1;
    b->chunk = calloc(b->n_chunks, sizeof(b->chunk[0]));
    if (b->chunk == NULL) {
        free(b);
        return fault_set(f, ERR_NOMEM, "allocate", "block pool");
    }
    pthread_mutex_init(&b->mu, NULL);
    *out = b;
    return ERR_OK;
}

void
blocks_close(struct blocks **bp)
{
    struct blocks *b = *bp;

    *bp = NULL;
    if (b == NULL)
        return;
    assert(b->used == 0);
    for (size_t i = 0; i < b->n_chunks; i++)
        if (b->chunk[i].mem)
            (void)munmap(b->chunk[i].mem, CHUNK_SIZE);
    pthread_mutex_destroy(&b->mu);
    free(b->chunk);
    free(b);
}

/* Maps CHUNK_SIZE bytes aligned to CHUNK_SIZE: twice as much is reserved and
 * what sticks out is given back. */
static uint8_t *
chunk_map(void)
{
    uint8_t *raw = mmap(NULL, 2 * CHUNK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *mem;
    size_t before;

    if (raw == MAP_FAILED)
        return NULL;
    mem = (uint8_t *)(void *)(uintptr_t)align_up((uintptr_t)raw, CHUNK_SIZE);
    before = (size_t)(mem - raw);
    if (before)
        (void)munmap(raw, before);
    if (before < CHUNK_SIZE)
        (void)munmap(mem + CHUNK_SIZE, CHUNK_SIZE - before);
    (void)madvise(mem, CHUNK_SIZE, MADV_HUGEPAGE); /* a wish, not a need */
    return mem;
}

static bool
chunk_fill(struct chunk *c)
{
    c->mem = chunk_map();
    if (c->mem == NULL)
        return false;
    for (size_t i = 0; i < CHUNK_BLOCKS; i++) {
        c->block[i].data = c->mem + i * BLOCK_SIZE;
        c->block[i].state = BLOCK_FREE;
        c->block[i].next = NULL;
    }
    return true;
}

/* The fullest chunk that still has room, so that others can fall idle; else one
 * that is not mapped yet. */
static struct chunk *
chunk_choose(struct blocks *b)
{
    struct chunk *best = NULL, *fresh = NULL;

    for (size_t i = 0; i < b->n_chunks; i++) {
        struct chunk *c = &b->chunk[i];

        if (c->mem == NULL) {
            if (fresh == NULL)
                fresh = c;
        } else if (c->used < CHUNK_BLOCKS &&
                   (best == NULL || c->used > best->used)) {
            best = c;
        }
    }
    if (best)
        return best;
    if (fresh && chunk_fill(fresh)) {
        b->mapped++;
        return fresh;
    }
    return NULL;
}

struct block *
blocks_get(struct blocks *b)
{
    struct block *k = NULL;
    struct chunk *c;

    pthread_mutex_lock(&b->mu);
    c = chunk_choose(b);
    for (size_t i = 0; c && i < CHUNK_BLOCKS; i++)
        if (!(c->out >> i & 1)) {
            k = &c->block[i];
            c->out |= 1u << i;
            break;
        }
    if (k) {
        k->state = BLOCK_RECV;
        k->len = 0;
        k->next = NULL;
        c->used++;
        b->used++;
    }
    pthread_mutex_unlock(&b->mu);
    return k;
}

/* The chunk of a block, by address: each is aligned to its size. */
static struct chunk *
chunk_of(struct blocks *b, const struct block *k)
{
    for (size_t i = 0; i < b->n_chunks; i++)
        if (k >= b->chunk[i].block && k < b->chunk[i].block + CHUNK_BLOCKS)
            return &b->chunk[i];
    return NULL;
}

/* Keeps some idle chunks, so that a steady load does not map, clear and unmap
 * (measured: 2 % of the CPU time of 1 MiB uploads with two). */
static void
chunk_drop(struct blocks *b, struct chunk *c)
{
    size_t idle = 0;

    for (size_t i = 0; i < b->n_chunks; i++)
        if (b->chunk[i].mem && b->chunk[i].used == 0)
            idle++;
    if (idle <= IDLE_CHUNKS)
        return;
    (void)munmap(c->mem, CHUNK_SIZE);
    c->mem = NULL;
    b->mapped--;
}

void
blocks_put(struct blocks *b, struct block *k)
{
    struct hunger h = {NULL, NULL};
    struct chunk *c;

    assert(k->state != BLOCK_FREE);
    pthread_mutex_lock(&b->mu);
    c = chunk_of(b, k);
    assert(c != NULL && c->used > 0);
    k->state = BLOCK_FREE;
    c->out &= ~(1u << (k - c->block));
    c->used--;
    b->used--;
    if (c->used == 0 && b->n_hungry == 0)
        chunk_drop(b, c);
    if (b->n_hungry) {
        h = b->hungry[0];
        b->n_hungry--;
        memmove(b->hungry, b->hungry + 1, b->n_hungry * sizeof(h));
    }
    pthread_mutex_unlock(&b->mu);
    if (h.loop)
        loop_post(h.loop, h.task);
}

void
blocks_hungry(struct blocks *b, struct loop *l, struct task *task)
{
    bool now;

    pthread_mutex_lock(&b->mu);
    now = b->used < b->n_chunks * CHUNK_BLOCKS;
    if (!now) {
        assert(b->n_hungry < HUNGRY_MAX);
        b->hungry[b->n_hungry++] = (struct hunger){l, task};
    }
    pthread_mutex_unlock(&b->mu);
    if (now) /* one came free in between */
        loop_post(l, task);
}

size_t
blocks_used(const struct blocks *b)
{
    size_t n;

    pthread_mutex_lock((pthread_mutex_t *)&b->mu);
    n = b->used;
    pthread_mutex_unlock((pthread_mutex_t *)&b->mu);
    return n;
}

size_t
blocks_total(const struct blocks *b)
{
    return b->n_chunks * CHUNK_BLOCKS;
}

size_t
blocks_mapped(const struct blocks *b)
{
    size_t n;

    pthread_mutex_lock((pthread_mutex_t *)&b->mu);
    n = b->mapped * CHUNK_SIZE;
    pthread_mutex_unlock((pthread_mutex_t *)&b->mu);
    return n;
}
