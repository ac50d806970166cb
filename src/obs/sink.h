/* sink.h - a descriptor that lines are written to without ever waiting long.
 *
 * A reader that is slow (a full pipe, a stopped terminal, a busy journal) must
 * not stop a server: before each write the descriptor is asked whether it has
 * room, and lines that find none are counted and forgotten. The descriptor
 * itself is left as it is: O_NONBLOCK would also change the shell's terminal,
 * which shares the file description.
 *
 * Pipes and terminals get at most PIPE_BUF (4096) bytes at a time, which they
 * take whole or not at all; so a line up to that length is never torn.
 * Safe for any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_SINK_H
#define OBS_SINK_H

#include "base/slice.h"
#include <pthread.h>
#include <stdatomic.h>

#define SINK_LINE_MAX ((size_t)4096)

struct sink {
    int fd; /* not owned */
    bool is_file;
    bool is_socket;
    pthread_mutex_t lock;
    _Atomic uint64_t dropped; /* lines lost since the beginning */
};

/* FD stays the caller's and must live until sink_release(). */
void sink_init(struct sink *s, int fd);
void sink_release(struct sink *s);

/* Writes TEXT, whole lines of at most SINK_LINE_MAX bytes each, every one with
 * its line feed. Waits up to WAIT_MS for room; lines that find none are
 * dropped and counted. */
void sink_write(struct sink *s, struct slice text, int wait_ms);

#endif
