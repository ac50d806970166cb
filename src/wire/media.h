/* media.h - media types, and what a client accepts (RFC 9110 sections 8.3 and
 * 12.5). SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_MEDIA_H
#define WIRE_MEDIA_H

#include "base/slice.h"

struct media_type {
    struct slice type;    /* "text" */
    struct slice subtype; /* "plain" */
    struct slice essence; /* "text/plain" */
    struct slice params;  /* "; charset=utf-8", for http_param_find() */
};

/* False when malformed, parameters included. */
bool media_parse(struct slice value, struct media_type *out);

#define ACCEPT_MAX 1000 /* q=1; the unit is a thousandth */

/* How much a client that sent VALUE as Accept wants MEDIA ("a/b"), 0 (not at
 * all) to ACCEPT_MAX; the most specific range decides (section 12.5.1). No
 * field (.p is NULL): everything is wanted. Malformed members do not
 * count. */
unsigned accept_media(struct slice value, struct slice media);

/* Does VALUE name MEDIA itself, not by a wildcard, with a weight above 0? For
 * "send that form only to those who ask for it" (D16). */
bool accept_names(struct slice value, struct slice media);

/* The same for Accept-Encoding and a coding ("gzip"). "identity" is wanted
 * unless it is excluded (section 12.5.3). */
unsigned accept_coding(struct slice value, struct slice coding);

#endif
