/* param.h - parameters of field values: `; name=value; name="quoted"` (RFC 9110
 * section 5.6.6), and values with a charset (`name*=`, RFC 8187).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_PARAM_H
#define WIRE_PARAM_H

#include "base/slice.h"

enum http_param { HTTP_PARAM_OK, HTTP_PARAM_END, HTTP_PARAM_BAD };

/* REST is what follows the first word of the value, beginning with ';' or a
 * blank, or empty. Takes the next parameter off it; VALUE of a quoted string is
 * what stands between the quotes, still escaped (*QUOTED is set). Empty
 * parameters (";;") are passed over. After HTTP_PARAM_BAD *REST
 * is as it was. */
enum http_param http_param_next(struct slice *rest, struct slice *name,
                                struct slice *value, bool *quoted);

/* The same where no ';' stands before the first pair, as in Forwarded and
 * Prefer. Go on with http_param_next(). */
enum http_param http_pair_first(struct slice *rest, struct slice *name,
                                struct slice *value, bool *quoted);

/* The first parameter of that NAME (any case) in the whole of REST. BAD when
 * anything in REST is malformed or the name is there twice; END when it is not
 * there. */
enum http_param http_param_find(struct slice rest, struct slice name,
                                struct slice *value, bool *quoted);

/* Takes \x back to x. DST may be S.p itself, and needs S.n bytes; returns how
 * many are used. */
size_t http_unquote(struct slice s, char *dst);

/* As http_unquote(), but of backslashes only \" and \\ count, and %22 becomes a
 * quotation mark: how browsers and curl write file names (the WHATWG form-data
 * encoding), where C:\dir\x must not lose its separators. */
size_t http_unquote_filename(struct slice s, char *dst);

/* UTF-8'lang'pct-encoded (RFC 8187 section 3.2) to its bytes. DST as above.
 * False when malformed, when the charset is another, or when the bytes are not
 * valid UTF-8 or hold a NUL. */
bool http_ext_value(struct slice s, char *dst, size_t *n);

#endif
