/* digest.h - what a peer says the hash of its bytes is: Content-Digest and
 * Repr-Digest (RFC 9530, a structured dictionary of RFC 8941), Content-MD5 (RFC
 * 1864, obsolete and in use), hexadecimal form fields.
 *
 * Only sha-256 and md5 are known; other algorithms are passed over. What is
 * malformed is refused rather than passed over: whoever sends a digest wants it
 * to be checked. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DIGEST_H
#define WIRE_DIGEST_H

#include "base/buf.h"
#include "base/err.h"
#include "wire/head.h"

struct digest_set {
    bool has_md5;
    bool has_sha256;
    uint8_t md5[16];
    uint8_t sha256[32];
};

/* Each adds to *SET what it finds. ERR_INVAL: malformed, or of the wrong
 * length. ERR_CONFLICT: it contradicts what is in *SET already. */

/* A value of Content-Digest or Repr-Digest: sha-256=:...:, md5=:...: */
enum err digest_parse(struct slice value, struct digest_set *set);
/* A value of Content-MD5. */
enum err digest_parse_md5(struct slice value, struct digest_set *set);
/* 32 (md5) or 64 (sha256) hexadecimal digits in either case; an empty value
 * adds nothing. */
enum err digest_parse_hex_md5(struct slice value, struct digest_set *set);
enum err digest_parse_hex_sha256(struct slice value, struct digest_set *set);

/* All lines of Content-Digest and Content-MD5 of a request, which are about the
 * bytes of its body, and of Repr-Digest, which is about the file: the same for
 * a body without a content coding. */
enum err digest_of_head(const struct http_head *h, struct digest_set *set);

/* sha-256=:...:, md5=:...: for what is in *SET. */
bool digest_format(struct buf *b, const struct digest_set *set);

/* Want-Content-Digest or Want-Repr-Digest: weights 0 ("not acceptable", also
 * when not named) to 10. False when malformed. */
bool digest_parse_want(struct slice value, unsigned *sha256, unsigned *md5);
/* sha-256=10, md5=3: only those above 0. */
bool digest_format_want(struct buf *b, unsigned sha256, unsigned md5);

#endif
