/* standstill.h - a moment in which no event loop runs.
 *
 * Settings that all loops read at every turn are plain fields, without locks.
 * To change them, one thread asks every loop to wait in a task, changes what it
 * likes, and lets them go: some ten microseconds, once in a SIGHUP. What the
 * loops saw before and after differs as a whole and never by halves.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STANDSTILL_H
#define CLI_STANDSTILL_H

#include "port/loop.h"

/* A loop that is busy for longer than this is not waited for. */
#define STANDSTILL_WAIT dur_ms(1000)

struct standstill;

/* NULL: no memory. */
struct standstill *standstill_open(struct loop *const *loops, unsigned n);
/* When the loops have stopped. */
void standstill_close(struct standstill **s);

/* Calls FN while all loops wait. They must run. False, and FN was not called:
 * one of them did not come, now or the last time. By one thread, none of a
 * loop. */
bool standstill_run(struct standstill *s, void (*fn)(void *arg), void *arg);

#endif
