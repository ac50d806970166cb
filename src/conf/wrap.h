/* wrap.h - a paragraph in lines. Internal to conf/. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_WRAP_H
#define CONF_WRAP_H

#include "base/buf.h"

/* TEXT in lines of at most WIDTH characters (a longer word gets a line of its
 * own), each behind INDENT, the last with a line feed too. */
void
conf_wrap(struct buf *out, struct slice text, const char *indent, size_t width);

#endif
