/* mac.h - a text that nobody can have written who lacks a secret: HMAC-SHA-256
 * (RFC 2104), in hexadecimal. NAME says what the text is about, so that one
 * cannot take the place of another; it has no zero in it.
 * Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_MAC_H
#define SEC_MAC_H

#include "base/slice.h"

#define SEC_MAC_HEX 64

void sec_mac(struct slice secret, const char *name, struct slice text,
             char out[SEC_MAC_HEX + 1]);
/* In a time that does not depend on where SAID differs. */
bool sec_mac_is(struct slice secret, const char *name, struct slice text,
                struct slice said);

#endif
