/* ioloop_impl.h - between ioloop.c and its two drivers only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_IOLOOP_IMPL_H
#define IO_IOLOOP_IMPL_H

#include "io/ioloop.h"

/* Set l->net, l->kind and the driver's state; on failure nothing is left. */
enum err uring_open(struct ioloop *l, struct fault *f);
enum err epoll_open(struct ioloop *l, struct fault *f);

/* Reads both clocks; drivers call it when a wait is over. */
void ioloop_clock(struct ioloop *l);

/* An accept of LN has failed with SYS, and LN waits for nothing. True when that
 * is for want of descriptors or memory: it is told, and listened to again by
 * the timer. */
bool listener_pause(struct ioloop *l, struct net_listener *ln, int sys);
/* Ends a pause; false when there was none. */
bool listener_unpause(struct ioloop *l, struct net_listener *ln);

/* sendfile() as far as the socket takes it. The socket is in non-blocking mode
 * during the call. True when OP is finished (op->res set). */
bool net_sendfile_step(struct net_op *op);

/* See loop_cached(). */
bool file_cached(int fd, uint64_t off, uint64_t n);

#endif
