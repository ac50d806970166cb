/* state.c - a hash in progress as bytes, for upload sessions that outlive the
 * process (D29): see hash.h for the form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash/lanes.h"
#include "hash/word.h"
#include <string.h>

enum {
    AT_MD5 = 4,
    AT_SHA256 = 20,
    AT_LENGTH = 52,
    AT_TAIL = 60,
    AT_CHECK = 124,
};

static const uint8_t magic[4] = {'a', 'h', 's', '1'};

/* By tables: it is 124 bytes, and no kernels are at hand. */
static uint32_t
check_of(const uint8_t *p)
{
    return ~hash_crc_table(~0u, p, AT_CHECK);
}

void
hash_state_save(const struct hash_state *s, uint8_t out[HASH_STATE_SIZE])
{
    memset(out, 0, HASH_STATE_SIZE);
    memcpy(out, magic, sizeof(magic));
    for (size_t i = 0; i < 4; i++)
        put_le32(out + AT_MD5 + 4 * i, s->md5[i]);
    for (size_t i = 0; i < 8; i++)
        put_le32(out + AT_SHA256 + 4 * i, s->sha256[i]);
    put_le64(out + AT_LENGTH, s->length);
    memcpy(out + AT_TAIL, s->tail, s->length % HASH_BLOCK);
    put_le32(out + AT_CHECK, check_of(out));
}

enum err
hash_state_load(struct hash_state *s, const uint8_t in[HASH_STATE_SIZE])
{
    struct hash_state t;
    uint8_t again[HASH_STATE_SIZE];

    if (memcmp(in, magic, sizeof(magic)) != 0)
        return ERR_UNSUPPORTED;
    if (get_le32(in + AT_CHECK) != check_of(in))
        return ERR_CORRUPT;
    for (size_t i = 0; i < 4; i++)
        t.md5[i] = get_le32(in + AT_MD5 + 4 * i);
    for (size_t i = 0; i < 8; i++)
        t.sha256[i] = get_le32(in + AT_SHA256 + 4 * i);
    t.length = get_le64(in + AT_LENGTH);
    memcpy(t.tail, in + AT_TAIL, HASH_BLOCK);
    if (t.length > HASH_LENGTH_MAX)
        return ERR_CORRUPT;
    /* One state has one form: nothing hides behind the end of the tail. */
    hash_state_save(&t, again);
    if (memcmp(in, again, sizeof(again)) != 0)
        return ERR_CORRUPT;
    *s = t;
    return ERR_OK;
}
