/* cutter.h - for tests: a proxy of bytes between a gateway and an element, that
 * cuts everything off after so many of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_REMOTE_CUTTER_H
#define TEST_REMOTE_CUTTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As remote_conf.front and unfront; ARG is not used: there is one. */
void cutter_start(void *arg, unsigned port, char *url, size_t cap);
void cutter_stop(void *arg);

enum cutter_way { CUTTER_UP, CUTTER_DOWN };

/* Cuts all connections when N more bytes have gone that way. LASTING: and
 * refuses all that come later, until cutter_heal(). */
void cutter_arm(enum cutter_way way, uint64_t n, bool lasting);
/* Whether it has cut. Lets everything pass again. */
bool cutter_heal(void);

#endif
