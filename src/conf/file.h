/* file.h - the syntax of a file of options, one line at a time. Internal to
 * conf/; pure; fuzzed (test/fuzz/fuzz_conf.c).
 *
 *     # a comment
 *     APP_PORT=8020           # a comment behind a value (ING-274)
 *     export LOG_LEVEL = INFO
 *     REDIS_PASSWORD='any # thing \ as it is'
 *     APP_NAME="a \"quoted\" text"
 *
 * A # begins a comment at the start of a line and behind a blank, else it is
 * part of the value. Nothing is expanded: $HOME is five characters. Between
 * double quotes \\ \" \$ \` stand for the second character, \n and \t for line
 * feed and tab. A value ends with its line. Lines may end in CR LF, and the
 * file may begin with a byte order mark: editors put both there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include "base/buf.h"
#include "base/err.h"

struct conf_file {
    struct slice rest;
    uint32_t line; /* of what conf_file_next() gave last; from 1 */
};

void conf_file_init(struct conf_file *f, struct slice bytes);

/* The next NAME=VALUE. ERR_OK: *NAME borrows from the file, *VALUE from the
 * file or from SCRATCH (valid until the next call). ERR_END: no more.
 * ERR_INVAL: this line is not well-formed, *WHY (a constant) says why, the next
 * call goes on behind it. ERR_NOMEM: SCRATCH is full. */
enum err
conf_file_next(struct conf_file *f, struct buf *scratch, struct slice *name,
               struct slice *value, const char **why);

#endif
