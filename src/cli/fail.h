/* fail.h - how a client command ends: its exit code, and what it tells a person
 * when something went wrong.
 *
 * A failure has four parts, and all of them are shown: what could not be done,
 * the server's own code and message (D16), the request id to look for in the
 * server's log, and what to do about it. The remedies are one table, keyed by
 * the server's error code and its HTTP status.
 *
 * Nothing here prints a token or a secret; callers put none into a failure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FAIL_H
#define CLI_FAIL_H

#include "base/slice.h"
#include <stdio.h>

/* Name, number, meaning: scripts rely on the numbers, the manual is made from
 * the words. */
#define CLI_EXIT_TABLE(X)                                                      \
    X(CLI_OK, 0, "Everything was done.")                                       \
    X(CLI_FAILED, 1,                                                           \
      "Something failed, or several things did in several ways.")              \
    X(CLI_USAGE, 2, "The command line is not valid; nothing was done.")        \
    X(CLI_NOTFOUND, 3, "There is no such file.")                               \
    X(CLI_AUTH, 4, "No credentials, or the server does not accept them.")      \
    X(CLI_NOSPACE, 5, "No room: on the storage elements, or on this disk.")    \
    X(CLI_MISMATCH, 6, "The bytes are not the ones that were sent or stored.") \
    X(CLI_CONNECT, 7, "The server could not be reached, or was lost.")         \
    X(CLI_LATER, 8, "The server cannot do it now; the same may work later.")   \
    X(CLI_INTERRUPTED, 130, "Interrupted from the keyboard.")

enum cli_exit {
#define X(name, number, text) name = number,
    CLI_EXIT_TABLE(X)
#undef X
};

struct failure {
    enum cli_exit exit;
    long status; /* of HTTP; 0: no answer came */
    char code[64];
    char message[512];
    char request_id[80];
    char details[2048]; /* lines, ready to be shown */
    char remedy[512];
    char role[16]; /* of who says that there is no such path, or "" */
};

/* Fills *F anew, with CODE like "cannot_connect", and returns EXIT. */
enum cli_exit
failure_set(struct failure *f, enum cli_exit exit, const char *code,
            const char *fmt, ...) PRINTF_LIKE(4, 5);
void failure_remedy(struct failure *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* From an answer that is not 2xx. BODY is JSON of D16, a problem of RFC 9457,
 * or anything else: then a proxy made the answer, or what is no artstore, and
 * SERVER, its header of that name, is blamed. REQUEST_ID and SERVER may be
 * NULL. Returns f->exit. */
enum cli_exit
failure_from_reply(struct failure *f, long status, struct slice body,
                   const char *request_id, const char *server);

/* After the answer that there is no PATH: when a process of another role has
 * it, the remedy says who. */
void failure_elsewhere(struct failure *f, const char *path);

/* After an answer of URL, which --url gave: the commands that the remedy names
 * ask there, too. */
void failure_there(struct failure *f, const char *url);

/* On OUT: "artstore: put a.txt: ...", and the other parts indented below. */
void failure_print(FILE *out, const char *doing, const struct failure *f);

/* What a command that did several things ends with: the one code when all
 * failures agree, else CLI_FAILED. An interruption wins. */
enum cli_exit exit_merge(enum cli_exit so_far, enum cli_exit next);

const char *exit_text(enum cli_exit e);

#endif
