/* confine.h - the sandbox of a role: which folders are its own, whether it
 * calls out (ARTSTORE_SANDBOX; sec/sandbox.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CONFINE_H
#define CLI_CONFINE_H

#include "conf/conf.h"
#include "sec/sandbox.h"

struct log;

/* Before the first thread. Makes DATA_DIR if it is not there yet: what is not
 * there cannot be allowed. Does nothing with SANDBOX off; with on a fault says
 * what this kernel cannot do. */
enum err
confine_enter(const struct conf *c, struct sandbox_got *got, struct fault *f);
/* When all is open; logs what is in force. */
enum err confine_seal(const struct conf *c, struct sandbox_got *got,
                      struct log *log, struct fault *f);

#endif
