/* bucket.c - see bucket.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/bucket.h"
#include "base/civil.h"
#include <stdio.h>

#define DAY_MS ((int64_t)86400000)

void
bucket_init(struct bucket *b, uint32_t files_max)
{
    assert(files_max > 0 && files_max <= BUCKET_FILES_MAX);
    *b = (struct bucket){.day = -1, .files_max = files_max};
}

static void
move(struct bucket *b, int32_t day, uint32_t number, uint32_t files)
{
    b->day = day;
    b->number = number;
    b->files = files;
}

void
bucket_found(struct bucket *b, int32_t day, uint32_t number, uint32_t files)
{
    if (day > b->day || (day == b->day && number > b->number))
        move(b, day, number, files);
}

bool
bucket_take(struct bucket *b, struct wall now, uint32_t n)
{
    int32_t day = (int32_t)((now.ms > 0 ? now.ms : 0) / DAY_MS);
    bool moved = false;

    assert(n > 0 && n <= b->files_max);
    if (day > b->day) {
        move(b, day, 1, 0);
        moved = true;
    } else if (b->files + n > b->files_max && b->number < BUCKET_NUMBER_MAX) {
        move(b, b->day, b->number + 1, 0);
        moved = true;
    }
    b->files += n;
    return moved;
}

const char *
bucket_text(const struct bucket *b, char out[BUCKET_TEXT])
{
    struct civil c = civil_of((struct wall){b->day * DAY_MS});

    assert(b->day >= 0);
    snprintf(out, BUCKET_TEXT, "%04u/%02u/%02u/%04u", (unsigned)c.year % 10000,
             c.month % 100, c.day % 100, b->number % 100000);
    return out;
}

static bool
part_u64(struct slice *rest, size_t least, size_t most, uint64_t *out)
{
    struct slice part;

    return slice_cut(rest, '/', &part) && part.n >= least && part.n <= most &&
           slice_u64(part, out);
}

bool
bucket_parse(struct slice s, int32_t *day, uint32_t *number)
{
    uint64_t y, m, d, n;
    struct wall t;

    if (!part_u64(&s, 4, 4, &y) || !part_u64(&s, 2, 2, &m) ||
        !part_u64(&s, 2, 2, &d) || !part_u64(&s, 4, 5, &n) || s.p || n == 0 ||
        !civil_wall(&(struct civil){.year = (int)y,
                                    .month = (unsigned)m,
                                    .day = (unsigned)d},
                    &t))
        return false;
    *day = (int32_t)(t.ms / DAY_MS);
    *number = (uint32_t)n;
    return true;
}
