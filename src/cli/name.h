/* name.h - the local name of a downloaded file, from what a server says.
 *
 * A server's word must not lead anywhere but into the target folder: no
 * separators of any system, no "..", no control characters, no hidden file (a
 * downloaded ".bashrc" would be obeyed) and nothing that looks like an option.
 * Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_NAME_H
#define CLI_NAME_H

#include "base/slice.h"

#define NAME_SIZE 250 /* leaves room for ".part" within NAME_MAX of 255 */

/* The file name in a Content-Disposition header: filename* of RFC 8187 before
 * filename of RFC 6266 section 4.3. Not yet harmless. False: it has none. */
bool name_from_disposition(struct slice header, char *out, size_t cap);

/* A harmless name made of S: what follows the last separator, with the rest
 * replaced by '_', cut to fit (its ending kept). False: nothing is left. */
bool name_harmless(struct slice s, char out[NAME_SIZE]);

#endif
