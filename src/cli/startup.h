/* startup.h - a start that stands still must end, so that a supervisor sees it
 * (PRD-170, STARTUP_TIMEOUT).
 *
 * A thread looks on while the main thread opens things. Time counts only while
 * the main thread uses no processor at all: waiting for a mount that is gone
 * looks like that, recovering a large element does not, and to end that halfway
 * again and again would be the worst of all (D38: long work is limited by lack
 * of progress).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STARTUP_H
#define CLI_STARTUP_H

#include "base/mono.h"

struct log;
struct startup;

/* Watches the calling thread, which must live until startup_close(). NULL: no
 * thread or no memory; the start then goes unwatched. */
struct startup *startup_watch(struct dur limit, struct log *log);
/* What is being done now; WHAT a literal. */
void startup_step(struct startup *s, const char *what);
/* It is ready, or has failed by itself. Harmless on NULL. */
void startup_close(struct startup **s);

#endif
