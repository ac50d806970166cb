/* sandbox.h - what a process gives up once it knows its configuration: folders
 * that are not its own, programs, privileges, and calls of the kernel that no
 * role needs (architecture, section 8; PRD-236).
 *
 * In two steps, because Landlock holds the calling thread and those that it
 * makes later, and because rings are made after threads may exist:
 *
 *     sandbox_enter()   before the first thread: privileges, files, network
 *     sandbox_seal()    when all is open: calls, on all threads at once
 *
 * Neither can be taken back. What was opened before stays open; what is done
 * through a ring of io_uring passes Landlock, too, and seccomp never sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_SANDBOX_H
#define SEC_SANDBOX_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct sandbox_plan {
    /* Folders and files; one that is not there gives nothing. The system's own
     * (/etc, /usr, /proc ...) may be read besides, devices like /dev/null. */
    const char *const *write;
    size_t n_write;
    const char *const *read;
    size_t n_read;
    bool connects; /* out, over TCP */
};

/* What is in force. */
struct sandbox_got {
    bool files;    /* Landlock, kernel 5.19 */
    bool network;  /* Landlock, kernel 6.7; only where the plan forbids it */
    bool calls;    /* seccomp */
    char why[120]; /* of the first that is not; empty: all that was planned */
};

/* Sets no_new_privs, drops capabilities and applies the files' part of P. What
 * the kernel cannot do is told by GOT; a fault is one of the process. */
enum err sandbox_enter(const struct sandbox_plan *p, struct sandbox_got *got,
                       struct fault *f);
/* Refuses with EPERM what no role does: programs, tracing, mounts, modules,
 * other clocks and rings. */
enum err sandbox_seal(struct sandbox_got *got, struct fault *f);

#endif
