/* sfdict.h - members of a structured dictionary (RFC 8941 section 3.2), as far
 * as header fields use them here: byte sequences and integers are understood,
 * other values and all parameters are recognised and passed over.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_SFDICT_H
#define WIRE_SFDICT_H

#include "base/slice.h"

enum sf_type {
    SF_BYTES,   /* :base64: */
    SF_INTEGER, /* at most 15 digits */
    SF_BOOLEAN, /* ?1, ?0, or a key alone */
    SF_OTHER,   /* token, string, decimal, inner list */
};

struct sf_member {
    struct slice key;
    enum sf_type type;
    struct slice text; /* SF_BYTES: between the colons; else as written */
    int64_t number;    /* SF_INTEGER, SF_BOOLEAN */
};

enum sf_result { SF_OK, SF_END, SF_BAD };

/* Takes the next member off *REST, which is blank-trimmed by the caller's
 * header parser. */
enum sf_result sf_dict_next(struct slice *rest, struct sf_member *m);

#endif
