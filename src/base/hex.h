/* hex.h - bytes as lower-case hexadecimal, and as base64 (RFC 4648 sections 4
 * and 5). SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/slice.h"

/* Writes 2 * N characters and a zero to OUT; returns OUT. */
char *hex_encode(const void *p, size_t n, char *out);
/* Exactly N bytes from 2 * N digits in either case, else false. */
bool hex_decode(struct slice s, void *out, size_t n);

#define BASE64_LEN(n) (((n) + 2) / 3 * 4 + 1)
/* Padded standard alphabet with a zero behind; returns OUT. */
char *base64_encode(const void *p, size_t n, char *out);
/* URL alphabet, no padding (JOSE); returns OUT. */
char *base64url_encode(const void *p, size_t n, char *out);
/* Strict: right alphabet, right padding (none for url), no bits left over.
 * Writes at most CAP bytes and sets *N. */
bool base64_decode(struct slice s, void *out, size_t cap, size_t *n);
bool base64url_decode(struct slice s, void *out, size_t cap, size_t *n);

#endif
