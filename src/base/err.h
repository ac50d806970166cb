/* err.h - the answers that a call can give, and what went wrong when it failed.
 *
 * Three different things (style: belief, answer, fault):
 *   a broken belief stops the process       assert(), stays on in release
 *   an answer is a value of enum err        ERR_NOENT, ERR_EXISTS ...
 *   a fault travels up with its context     struct fault, logged at the top
 *
 * A function that returns enum err and takes a struct fault fills the fault
 * only when the answer is not ERR_OK and its contract does not call the answer
 * an ordinary one. A fault pointer may be NULL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

/* code, name on the wire and in logs, one line for people */
#define ERR_TABLE(X)                                                 \
    X(ERR_OK, "ok", "no error")                                      \
    X(ERR_NOENT, "not_found", "there is no such thing")              \
    X(ERR_EXISTS, "exists", "it exists already")                     \
    X(ERR_CONFLICT, "conflict", "it differs from what is there")     \
    X(ERR_INVAL, "invalid", "the argument is not valid")             \
    X(ERR_TOOBIG, "too_big", "it is over its limit")                 \
    X(ERR_NOSPC, "no_space", "no room is left (bytes)")              \
    X(ERR_NOINODES, "no_inodes", "no room is left (inodes)")         \
    X(ERR_READONLY, "read_only", "writing is not allowed here")      \
    X(ERR_DENIED, "denied", "permission is missing")                 \
    X(ERR_BUSY, "busy", "someone else has it")                       \
    X(ERR_AGAIN, "again", "not now; later")                          \
    X(ERR_TIMEOUT, "timeout", "it took too long")                    \
    X(ERR_CANCELED, "canceled", "it was called off")                 \
    X(ERR_IO, "io", "the device or the peer failed")                 \
    X(ERR_CORRUPT, "corrupt", "the bytes are not what was written")  \
    X(ERR_NOMEM, "no_memory", "no memory, or its budget is used up") \
    X(ERR_UNSUPPORTED, "unsupported", "this is not supported here")  \
    X(ERR_END, "end", "there is no more")

enum err {
#define X(code, name, text) code,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

/* Where a fault began: the call and the object it was made on. Both are cut,
 * never overrun; a word or two for the call. No secret may be put into either.
 * HINT is what to do about it, if somebody knew: a string that lives forever,
 * so that it is never cut. */
struct fault {
    enum err code;
    int sys; /* errno, or 0 */
    char op[24];
    char what[200];
    const char *hint; /* or NULL */
};

const char *err_name(enum err e); /* "not_found" */
const char *err_text(enum err e); /* "there is no such thing" */

/* ERR_NOSPC for ENOSPC and EDQUOT, ERR_NOENT for ENOENT ...; else ERR_IO. */
enum err err_from_errno(int sys);

/* Fill *F (may be NULL) and return the code, so that a caller can write
 * `return fault_set(f, ERR_INVAL, "parse", name)`. */
enum err
fault_set(struct fault *f, enum err code, const char *op, const char *what);
enum err fault_sys(struct fault *f, int sys, const char *op, const char *what);

/* Adds to a fault that has been set and returns its code. When F is NULL nobody
 * knows that, and it is ERR_INVAL: a failure never becomes a success. Return
 * your own code where callers may leave F out. fault_in() says where WHAT is:
 * "superblock in elements/se-01". Setting the fault again forgets both. */
enum err fault_hint(struct fault *f, const char *hint);
enum err fault_in(struct fault *f, const char *where);

/* "open superblock in se-01: there is no such thing (ENOENT); is its disk
 * mounted?" in at most N bytes with the terminating zero; returns BUF. */
#define FAULT_TEXT 512 /* room for any but the longest hints */
const char *fault_text(const struct fault *f, char *buf, size_t n);

#endif
