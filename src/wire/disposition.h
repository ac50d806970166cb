/* disposition.h - names of files: in Content-Disposition (RFC 6266, RFC 8187),
 * made harmless (ING-041), and made into the name under which an element stores
 * a file (STO-035). SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DISPOSITION_H
#define WIRE_DISPOSITION_H

#include "base/buf.h"
#include "base/mono.h"
#include "base/uuid.h"

#define FILENAME_MAX_BYTES 255 /* of an original name, once sanitised */
#define STORAGE_NAME_MAX   200 /* STO-035 */

/* attachment; filename="a_b.txt"; filename*=UTF-8''a%C3%A9b.txt
 *
 * NAME is any bytes. The plain form is for old readers: what is not ASCII, and
 * quotation marks, backslashes and percent signs, are '_' in it (RFC 6266
 * appendix D); the second form is there only when they differ. */
bool disposition_format(struct buf *b, bool attachment, struct slice name);

/* RAW as a client sent it, to a name that is fit for listings, logs and
 * downloads: what stands behind the last '/' or '\', valid UTF-8, without
 * control, bidirectional-control and invisible characters (each becomes '_'),
 * without blanks around it, not ".", ".." or empty ("file"), at most 255 bytes
 * with its extension kept. OUT holds a zero behind; returns its length. */
size_t filename_sanitise(struct slice raw, char out[FILENAME_MAX_BYTES + 1]);

/* {stem}_{user}_{YYYYMMDDTHHMMSS}_{uuid}.{ext}, at most 200 bytes; NAME as
 * filename_sanitise() made it, or raw. Blanks and what a shell or another
 * system's file names object to become '_', and the name never begins with '.'
 * or '-'. An extension is at most 16 bytes, of letters, digits and bytes above
 * 127, lower case in ASCII; else it is part of the stem and there is no dot.
 * Returns the length; OUT has a zero behind. */
size_t storage_name(struct slice name, struct slice user, struct wall t,
                    const struct uuid *id, char out[STORAGE_NAME_MAX + 1]);

#endif
