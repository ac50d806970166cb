/* footer.h - the end of a body between gateway and element (D26).
 *
 * A proxy may cut a stream, drop its trailers, or pass a short one on as if it
 * were whole. So the last 16 bytes of every body say what came before them:
 *
 *     0 "ASF1"   4 CRC32C of all bytes before   8 how many those are
 *
 * words little-endian. Without a footer that fits nothing is published. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_FOOTER_H
#define WIRE_FOOTER_H

#include "base/base.h"

#define FOOTER_SIZE 16

struct footer {
    uint64_t length; /* bytes before the footer */
    uint32_t crc;    /* CRC32C of them */
};

void footer_encode(const struct footer *f, uint8_t out[FOOTER_SIZE]);

/* False: these bytes are no footer. */
bool footer_decode(struct footer *f, const uint8_t in[FOOTER_SIZE]);

/* Whether IN is the footer of LENGTH bytes with that CRC. */
bool footer_fits(const uint8_t in[FOOTER_SIZE], uint64_t length, uint32_t crc);

#endif
