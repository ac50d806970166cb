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

#define ATTR_FORMAT 1
#define ATTR_TEXT_MAX (64 * KIB)    /* of a whole attr.json */
#define ATTR_METADATA_MAX (8 * KIB) /* of the user's JSON object */
#define ATTR_INLINE_BLOCKS 64       /* block checksums kept in attr.json */

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

#endif
