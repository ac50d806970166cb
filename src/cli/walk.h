/* walk.h - the files that `artstore put` was asked to send: the words of the
 * command line, with folders replaced by what is below them.
 *
 * The whole list is made before the first byte is sent, so that the progress
 * bar knows the sum. Files of a folder come in the order of their names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "cli/fail.h"

#define WALK_FILES_MAX 1000000

struct walk_file {
    char *path;     /* to open; "-" is standard input */
    char *relative; /* "docs/a/b.txt" when it came from a folder, else NULL */
    uint64_t size;  /* when listed; 0 for a stream */
    bool stream;    /* standard input, a pipe: no size, no second try */
};

struct walk {
    struct walk_file *file;
    size_t n;
    size_t cap;
    uint64_t bytes; /* of all that have a size */
    bool streams;   /* one at least */
};

/* Adds WORD. What is skipped (links in folders, sockets) is said on standard
 * error. Not CLI_OK: WORD cannot be read, and *F says why; the list keeps what
 * was found before. */
enum cli_exit walk_add(struct walk *w, const char *word, struct failure *f);
void walk_release(struct walk *w);

/* What stands after the last slash; never empty. "-" for streams. */
const char *walk_name(const char *path);
/* From the ending of the name; "application/octet-stream" when unknown. */
const char *walk_type(const char *name);

#endif
