/* loop_mem.h - a loop in virtual time on one thread, for tests: nothing happens
 * until it is told to turn, and then in a fixed order.
 *
 *     struct loop_mem l;
 *     loop_mem_init(&l);
 *     ... submit something on &l.loop ...
 *     loop_mem_settle(&l);                 all that needs no time to pass
 *     loop_mem_advance(&l, dur_ms(1500));  timers fire on the way
 *     loop_mem_release(&l);
 *
 * Blocking work is done inline, in the turn after its submission. All calls
 * come from one thread, posts too. What goes on outside (a driver that talks to
 * a server, on this thread) is waited for through PUMP.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_LOOP_MEM_H
#define PORT_LOOP_MEM_H

#include "port/loop.h"

#define LOOP_MEM_SPARE 6

struct loop_mem {
    struct loop loop;
    struct heap timers;
    struct task *first_task, **last_task;
    struct work *first_work, **last_work;
    struct list hooks;
    struct list waiting; /* for blocks */
    unsigned blocks_max; /* budget; 64 at first */
    unsigned blocks;     /* out now */
    /* Memory of blocks that were put back, the oldest first; to allocate it
     * anew for each costs more than most of what is done with it. */
    uint8_t *spare[LOOP_MEM_SPARE];
    unsigned n_spare;
    uint64_t works; /* done so far */
    bool hold_work; /* true: work stays queued until it is false again */
    /* Called when there is nothing else to do: works for a moment, and is false
     * when nothing is under way. NULL: none. */
    bool (*pump)(void *arg);
    void *pump_arg;
};

void loop_mem_init(struct loop_mem *l);
/* Asserts that nothing was left behind: tasks, work, blocks. */
void loop_mem_release(struct loop_mem *l);

/* One turn: timers that are due, tasks, work, hooks. True when it did
 * something. */
bool loop_mem_turn(struct loop_mem *l);
/* Turns until nothing is left to do at this time. */
void loop_mem_settle(struct loop_mem *l);
/* Lets D pass, timer by timer, and settles. */
void loop_mem_advance(struct loop_mem *l, struct dur d);

#endif
