/* attr.h - attr.json: what is known of one stored file, kept beside its data.
 *
 * It is the authority (D30, STO-038); every index can be rebuilt from it. It is
 * JSON for people and scripts, with a checksum of itself, and fields that this
 * version does not know survive a rewrite.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_ATTR_H
#define WIRE_ATTR_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/uuid.h"

#define ATTR_FORMAT        1
#define ATTR_TEXT_MAX      (64 * KIB) /* of a whole attr.json */
#define ATTR_METADATA_MAX  (8 * KIB)  /* of the user's JSON object */
#define ATTR_INLINE_BLOCKS 64         /* block checksums kept in attr.json */

enum retention {
    RETENTION_TEMPORARY, /* documents in work; expire; element mode edit */
    RETENTION_PERMANENT, /* archive; element mode rw */
};

enum attr_state {
    ATTR_COMMITTED, /* the only one that this version writes */
    ATTR_HELD,      /* D23: a transfer holds it; no expiry, no delete */
};

struct file_attr {
    struct uuid file_id;
    char original_filename[256];
    char storage_filename[208];
    char content_type[128];
    char content_encoding[16]; /* "" = stored as sent */
    char uploaded_by[128];
    char element_id[65]; /* label of the element, like se-01 */
    uint64_t size;       /* of the content, as sent */
    uint8_t md5[16];
    uint8_t sha256[32];
    struct wall uploaded_at;
    struct wall expires_at; /* {0}: never */
    enum retention retention;
    const char *metadata; /* JSON object text, zero-terminated, or NULL; owned
                             by whoever filled the struct */
    /* D30: what the element adds */
    uint32_t format;
    struct uuid element_uuid;
    uint64_t epoch;
    uint64_t seq; /* number in the element's change log */
    enum attr_state state;
    uint64_t stored_size;
    uint32_t stored_crc; /* CRC32C of all stored bytes */
};

/* Stored bytes that one block checksum covers (D34). */
#define ATTR_BLOCK ((uint64_t)256 * 1024)

static inline uint64_t
attr_blocks(uint64_t stored_size)
{
    return (stored_size + ATTR_BLOCK - 1) / ATTR_BLOCK;
}

/* All of an attr.json. Up to ATTR_INLINE_BLOCKS block checksums stand in it;
 * of more, they stand in {storage_filename}.crc32c (32 bits each, little end
 * first), and here is the checksum of that file. */
struct attr_doc {
    struct file_attr attr; /* decoded: metadata belongs to the document */
    uint32_t block_crc[ATTR_INLINE_BLOCKS];
    uint32_t n_block; /* in block_crc; 0 when there is a sidecar */
    uint32_t sidecar_crc;
    char *extra; /* members that this version does not know: a JSON object, or
                    NULL; belongs to the document */
};

struct hash_kernels;

/* The text, ending in its own checksum. False: OUT's ceiling, which should be
 * ATTR_TEXT_MAX; or metadata or extra is not a JSON object. */
bool attr_encode(struct buf *out, const struct attr_doc *doc,
                 const struct hash_kernels *k);

/* ERR_CORRUPT: damaged, torn, or not what attr_encode() makes. ERR_UNSUPPORTED:
 * whole, but of a later format. *DOC is filled with ERR_OK only, and then goes
 * to attr_release(). */
enum err attr_decode(struct attr_doc *doc, struct slice text,
                     const struct hash_kernels *k);
void attr_release(struct attr_doc *doc);

#endif
