/* owner.h - root gives itself up where the files are another user's.
 *
 * A storage command is often run by root, while the server is another user.
 * What root made there the server could not open; and what that user put there,
 * a link in place of a database, root would follow. So such a command becomes
 * the owner for good before it opens anything: from then on it may do just what
 * the server may, wherever it stops, and whatever it meets.
 *
 * Options and secrets are read before, as the caller. Of root alone: for others
 * all this does nothing. One thread, and no other by then.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OWNER_H
#define CLI_OWNER_H

#include "base/err.h"

/* Goes on as the owner of the regular file NAME in FOLDER (NULL: of none), or,
 * without it, of FOLDER; says so on stderr. ERR_NOENT: there is no FOLDER, and
 * nothing is changed. Any other error should end the command: *F tells what to
 * do. Root stays root only where nobody else may write. */
enum err owner_enter(const char *folder, const char *name, struct fault *f);
/* For the element in FOLDER; of any caller: files are made with the mode of its
 * superblock from now on. */
enum err owner_enter_element(const char *folder, struct fault *f);

/* To stderr, after CODE had ended what owner_enter() came before: what the user
 * that it went on as lacks. Nothing where it is no matter of rights. */
void owner_explain(enum err code);

#endif
