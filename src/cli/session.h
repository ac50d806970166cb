/* session.h - place and HTTP session of a command, opened and closed together.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/http.h"

struct session {
    struct place place;
    struct http http;
};

/* Not CLI_OK: the reason is printed, as of DOING; close it all the same. With
 * AUTHORIZE the credentials are looked for and tried at once. */
enum cli_exit session_open(struct session *s, const struct cli_common *c,
                           const char *doing, bool authorize);
void session_close(struct session *s);

/* Prints F as of "DOING WHAT" and returns its code. */
enum cli_exit
session_fail(const char *doing, const char *what, const struct failure *f);

/* A file id in its one form, in OUT; false, and the reason printed: WORD is
 * none. Ids go into paths, so nothing else may. */
bool session_file_id(const char *command, const char *word, char out[37]);

/* Members of JSON objects, for printing: NULL and 0 when absent or of another
 * type. */
const char *member_text(const json_t *o, const char *key);
/* Of A, or else B: names differ by age of the peer (CNF-020). */
uint64_t member_u64(const json_t *o, const char *a, const char *b);
/* Prints S on stdout, made safe for a terminal; NULL prints nothing. */
void print_safe(const char *s);
/* Prints O on one line of stdout. */
void print_json(const json_t *o);

/* --KEY VALUE of COMMAND, a time as text.h has it, in the server's form. NULL
 * is left out. CLI_OK, or CLI_USAGE and said why. */
int query_time(struct buf *path, const char *command, const char *key,
               const char *value);

#endif
