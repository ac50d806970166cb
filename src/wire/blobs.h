/* blobs.h - what gateways and elements say to each other: port/blob.h as HTTP
 * (D26, D27).
 *
 *     POST   /api/v1/blobs/{file_id}/{attempt}/admit     {"size": n or null}
 *     PUT    /api/v1/blobs/{file_id}/{attempt}/append?off=
 *                                          bytes, footer -> {"offset": n}
 *     POST   /api/v1/blobs/{file_id}/{attempt}/publish
 *                              {"length", "crc32c", "file"} -> {"file"}
 *     PUT    /api/v1/blobs/{file_id}/{attempt}/put?head=
 *                          {"file"}, bytes, footer -> {"file"}
 *     POST   /api/v1/blobs/{file_id}/{attempt}/abort?withdraw=
 *             -> {"state": "aborted"} or {"state": "published", "file"}
 *     GET    /api/v1/blobs/{file_id}/info                -> {"size", "file"}
 *     GET    /api/v1/blobs/{file_id}/blocks?off=&n=&verify=
 *                                  blocks, each with its trailer (below)
 *     DELETE /api/v1/blobs/{file_id}?epoch=
 *     GET    /api/v1/blobs?after=&limit=         -> {"files": [], "more"}
 *
 * An append is a segment: any number of whole blocks, or of any bytes when it
 * is the last; its footer (footer.h) covers it alone, the `length` and `crc32c`
 * of a publish cover all. A put's footer covers its JSON head too.
 *
 * An abort may come too late; then it says so, with what is stored. `withdraw`
 * is the SHA-256 of a file that nobody was told of: if it is what is stored, it
 * goes, in every mode, and the answer is "aborted".
 *
 * What stands beside a "file" that was stored: "durability": "relaxed" where
 * the element does not sync before it answers (D10).
 *
 * Errors are D16's, with the name of an enum err as their code, so that what an
 * element answers arrives at the gateway as what it was. Only a file that is
 * not there has a name of its own.
 *
 * Blocks on their way to a reader: each of up to 256 KiB is followed by 8
 * bytes, "is it good" and the CRC32C of what was sent, words little-endian.
 * The element has checked the bytes against what it stored (D34) before it
 * makes that CRC, which is for the way only; a block that did not pass is sent
 * as zeros with BLOBS_CORRUPT, since the length was promised in the head.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_BLOBS_H
#define WIRE_BLOBS_H

#include "wire/attr.h"
#include "wire/footer.h"
#include "wire/json.h"

#define BLOBS_PATH        "/api/v1/blobs"
#define BLOBS_HEAD_MAX    (64 * KIB) /* JSON of a put or publish */
#define BLOBS_PAGE_MAX    100        /* rows of one list answer */
#define BLOBS_PAGE_BYTES  ((size_t)8 * MIB)
#define BLOBS_RUN_MAX     1024 /* blocks asked for at once: 256 MiB */
#define BLOBS_SEGMENT_MAX ((uint64_t)64 * MIB) /* of one append */

/* A file_attr as one object. The metadata goes as a string, so that it arrives
 * byte by byte as it was. */
void blobs_put_attr(struct json_writer *w, const char *key,
                    const struct file_attr *a);
/* Its members without the braces, for those who add some. */
void blobs_put_members(struct json_writer *w, const struct file_attr *a);
/* False: E says what is missing or wrong. A->metadata is then NULL, else the
 * caller's to free(). */
bool blobs_get_attr(const json_t *o, struct file_attr *a, struct json_error *e);

/* Behind each block. */
#define BLOBS_TRAILER_SIZE 8

enum blobs_state {
    BLOBS_GOOD,
    BLOBS_CORRUPT, /* D34: what is stored is not what was stored */
    BLOBS_FAILED,  /* the disk gave an error */
};

struct blobs_trailer {
    enum blobs_state state;
    uint32_t crc;
};

void blobs_put_trailer(const struct blobs_trailer *t,
                       uint8_t out[BLOBS_TRAILER_SIZE]);
/* False: no such state. */
bool blobs_get_trailer(struct blobs_trailer *t,
                       const uint8_t in[BLOBS_TRAILER_SIZE]);

/* How long the answer is for N bytes of blocks. */
static inline uint64_t
blobs_length(uint64_t n)
{
    return n + attr_blocks(n) * BLOBS_TRAILER_SIZE;
}

int blobs_status(enum err e);           /* 507 for ERR_NOSPC */
const char *blobs_err_name(enum err e); /* on the wire */
/* The enum err of that name; ERR_COUNT when there is none. */
enum err blobs_err(struct slice name);

#endif
