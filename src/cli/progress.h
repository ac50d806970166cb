/* progress.h - the progress bar on standard error, and saying something without
 * being overwritten by it.
 *
 * There is one terminal, so there is one bar, and it is a global of the command
 * line (the only part of artstore where such a thing is right). It appears only
 * when standard error is a terminal, TERM is not dumb, and nobody asked for
 * quiet. One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/base.h"
#include "base/mono.h"

/* Begins to show; FILES 1 for a single one. */
void progress_start(bool quiet, unsigned files);
/* Draws, at most five times a second. NAME is what moves just now. */
void progress_update(uint64_t bytes, uint64_t total, unsigned files_done,
                     const char *name);
/* Takes the bar away. Does nothing when there is none. */
void progress_stop(void);

/* "artstore: ..." on standard error, above the bar. */
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* To be called before anything is printed by other means. */
void progress_hide(void);

/* Has the user pressed ^C (or SIGTERM come)? The handler is set by the first
 * call; a second ^C ends the process at once. */
bool interrupted(void);

/* Columns of the terminal FD; 80 when it is none. */
size_t terminal_cols(int fd);

#endif
