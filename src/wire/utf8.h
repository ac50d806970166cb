/* utf8.h - is it UTF-8? (RFC 3629: no surrogates, nothing overlong, nothing
 * above U+10FFFF.) SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include "base/slice.h"

/* Length of the well-formed sequence at the front of S, 1 to 4; 0 when there is
 * none. *CODE, if not NULL, is its character. */
size_t utf8_next(struct slice s, uint32_t *code);
bool utf8_valid(struct slice s);
/* The longest front part of at most N bytes that does not cut a sequence of
 * valid S. */
struct slice utf8_head(struct slice s, size_t n);

#endif
