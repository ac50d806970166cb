/* journal.c - see journal.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/journal.h"
#include "base/hex.h"
#include "hash/hash.h"

#define CRC_LEN 9 /* eight digits and a blank */

bool
journal_encode(struct buf *out, const struct journal_record *r,
               const struct hash_kernels *k)
{
    char id[UUID_TEXT], crc[9];
    size_t from;
    uint32_t sum;

    buf_add_str(out, "\n00000000 ");
    from = out->n;
    uuid_text(&r->file_id, id);
    switch (r->type) {
    case JOURNAL_DELETE:
    case JOURNAL_EXPIRE:
        buf_printf(out, "%c %s %llu %llu %lld %s %s", (char)r->type, id,
                   (unsigned long long)r->number, (unsigned long long)r->seq,
                   (long long)r->at.ms, r->bucket, r->name);
        break;
    case JOURNAL_ABORT:
        buf_printf(out, "A %s %llu %lld", id, (unsigned long long)r->number,
                   (long long)r->at.ms);
        break;
    case JOURNAL_SYNCED:
        buf_printf(out, "S %llu", (unsigned long long)r->seq);
        break;
    }
    if (out->failed)
        return false;
    sum = hash_crc32c(k, 0, out->p + from, out->n - from);
    hex_encode((uint8_t[]){(uint8_t)(sum >> 24), (uint8_t)(sum >> 16),
                           (uint8_t)(sum >> 8), (uint8_t)sum},
               4, crc);
    memcpy(out->p + from - CRC_LEN, crc, 8);
    return buf_add_char(out, '\n');
}

static bool
cut_u64(struct slice *rest, uint64_t *out)
{
    struct slice part;

    return slice_cut(rest, ' ', &part) && slice_u64(part, out);
}

static bool
cut_uuid(struct slice *rest, struct uuid *out)
{
    struct slice part;

    return slice_cut(rest, ' ', &part) && uuid_parse(part, out);
}

static bool
cut_time(struct slice *rest, struct wall *out)
{
    uint64_t ms;

    if (!cut_u64(rest, &ms) || ms > INT64_MAX)
        return false;
    out->ms = (int64_t)ms;
    return true;
}

static bool
parse(struct slice line, struct journal_record *r)
{
    struct slice type, part;

    *r = (struct journal_record){0};
    if (!slice_cut(&line, ' ', &type) || type.n != 1)
        return false;
    switch (type.p[0]) {
    case 'D':
    case 'X':
        r->type = type.p[0] == 'D' ? JOURNAL_DELETE : JOURNAL_EXPIRE;
        return cut_uuid(&line, &r->file_id) && cut_u64(&line, &r->number) &&
               cut_u64(&line, &r->seq) && cut_time(&line, &r->at) &&
               slice_cut(&line, ' ', &part) &&
               slice_copy(part, r->bucket, sizeof(r->bucket)) && line.n &&
               slice_copy(line, r->name, sizeof(r->name));
    case 'A':
        r->type = JOURNAL_ABORT;
        return cut_uuid(&line, &r->file_id) && cut_u64(&line, &r->number) &&
               cut_time(&line, &r->at) && line.n == 0;
    case 'S':
        r->type = JOURNAL_SYNCED;
        return cut_u64(&line, &r->seq) && line.n == 0;
    default:
        return false;
    }
}

static bool
line_ok(struct slice line, const struct hash_kernels *k)
{
    uint8_t b[4];
    uint32_t sum;

    if (line.n <= CRC_LEN || line.p[8] != ' ' ||
        !hex_decode(slice_head(line, 8), b, 4))
        return false;
    sum = hash_crc32c(k, 0, line.p + CRC_LEN, line.n - CRC_LEN);
    return sum == ((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
                   (uint32_t)b[2] << 8 | b[3]);
}

bool
journal_next(struct slice *rest, struct journal_record *out, uint64_t *damaged,
             const struct hash_kernels *k)
{
    struct slice line;

    while (slice_cut(rest, '\n', &line)) {
        if (line.n == 0)
            continue;
        if (line_ok(line, k) && parse(slice_skip(line, CRC_LEN), out))
            return true;
        ++*damaged;
    }
    return false;
}
