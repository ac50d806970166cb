/* selfsum.h - a JSON document that ends in a checksum of itself.
 *
 * The last member is "checksum", eight hexadecimal digits: the CRC32C of every
 * byte that stands before its comma. So the document stays plain JSON, the
 * check needs no canonical form and no parser, and it is the first thing that
 * is done with bytes from the disk.
 *
 *     { "a": 1,
 *       "checksum": "e3069283"
 *     }
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_SELFSUM_H
#define WIRE_SELFSUM_H

#include "base/buf.h"
#include "hash/hash.h"

/* B holds an object from byte FROM on, without its closing brace and with at
 * least one member; adds the checksum and closes it. */
bool selfsum_close(struct buf *b, size_t from, const struct hash_kernels *k);
/* Is TEXT such a document, unharmed to the last byte? */
bool selfsum_check(struct slice text, const struct hash_kernels *k);

/* S as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD, so that
 * the document can always be read back. */
bool selfsum_string(struct buf *b, struct slice s);

#endif
