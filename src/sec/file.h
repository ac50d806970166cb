/* file.h - small secret files: read whole, written so that they are there whole
 * or not at all, also after a power cut.
 *
 * Blocking: start-up and workers only. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_FILE_H
#define SEC_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the file to OUT, whose ceiling is the file's (ERR_TOOBIG). ERR_NOENT
 * leaves *F alone. With SECRET, a file that others may read or write is
 * refused (ERR_DENIED), as ssh does: its content may be known by now. */
enum err
sec_file_read(const char *path, bool secret, struct buf *out, struct fault *f);

/* Writes DIR/NAME with mode MODE: a hidden file, synced, then linked to its
 * name, the folder synced. ERR_EXISTS (which leaves *F alone): it is there
 * already and stays as it is; with REPLACE it is replaced. */
enum err sec_file_write(const char *dir, const char *name, struct slice bytes,
                        unsigned mode, bool replace, struct fault *f);

/* Makes the folder (mode 0700) unless it is there, and syncs its parent. */
enum err sec_dir_make(const char *dir, struct fault *f);

#endif
