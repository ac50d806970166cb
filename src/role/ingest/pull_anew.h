/* pull_anew.h - all files of an element, told to Admin anew, because its change
 * log does not reach back to where Admin is (D25): the element was made anew
 * from its files, or nobody has asked it for very long.
 *
 *     POST .../reset  {element_uuid}        Admin forgets its copies -> ticket
 *     the element's files, page by page
 *     POST .../files  {ticket, files, last, position}
 *
 * POSITION is where the log stood before the first row was read, so what is
 * published meanwhile comes by the log. A later reset takes the ticket's right:
 * then this ends with ERR_CONFLICT, and somebody else goes on.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_PULL_ANEW_H
#define ROLE_INGEST_PULL_ANEW_H

#include "port/blob.h"
#include "role/common/ask.h"

#define ANEW_ROWS 200

struct anew;

struct anew_conf {
    struct fetch_peer *admin;
    const struct ask_auth *auth; /* or NULL; lives as long */
    struct dur patience;
    struct loop *loop;
    const char *element_id; /* as Admin knows it; copied */
    struct uuid uuid;
    struct blob *blob; /* held meanwhile */
    uint64_t position;
    /* Once, later, on LOOP; ROWS: files told. */
    void (*done)(void *arg, enum err err, const struct fault *f, uint64_t rows);
    void *arg;
};

/* NULL: no memory. It ends by itself. */
struct anew *anew_begin(const struct anew_conf *c);
/* DONE comes soon, with ERR_CANCELED. */
void anew_cancel(struct anew *a);

#endif
