/* resume.c - see resume.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/resume.h"
#include "base/hex.h"

enum resume_ask
resume_ask(uint64_t have, uint64_t total, const char *etag)
{
    if (total != RESUME_UNKNOWN && have == total && total > 0)
        return RESUME_DONE;
    if (have == 0 || have > total || !etag || etag[0] != '"')
        return RESUME_ALL;
    return RESUME_REST;
}

bool
content_range(struct slice s, uint64_t *first, uint64_t *last, uint64_t *total)
{
    struct slice part;

    if (!slice_starts(s, SLICE("bytes ")))
        return false;
    s = slice_skip(s, 6);
    if (!slice_cut(&s, '-', &part) || !slice_u64(part, first) || !s.p ||
        !slice_cut(&s, '/', &part) || !slice_u64(part, last) || !s.p)
        return false;
    if (slice_eq(s, SLICE("*")))
        *total = RESUME_UNKNOWN;
    else if (!slice_u64(s, total))
        return false;
    return *first <= *last && *last < *total;
}

enum resume_answer
resume_judge(long status, const char *range, uint64_t have, uint64_t total)
{
    uint64_t first, last, whole;

    if (status == 200)
        return RESUME_RESTART;
    if (status == 416 && have > 0)
        return RESUME_REFUSED;
    if (status != 206 || have == 0 || !range ||
        !content_range(slice_str(range), &first, &last, &whole) ||
        first != have)
        return RESUME_WRONG;
    if (total != RESUME_UNKNOWN && whole != RESUME_UNKNOWN && whole != total)
        return RESUME_WRONG;
    return RESUME_GO_ON;
}

bool
repr_digest(struct slice header, uint8_t out[32])
{
    struct slice one;

    while (slice_cut(&header, ',', &one)) {
        struct slice key;
        size_t n;

        one = slice_trim(one);
        if (!slice_cut(&one, '=', &key) || !one.p ||
            !slice_eq_nocase(key, SLICE("sha-256")))
            continue;
        if (one.n < 2 || one.p[0] != ':' || one.p[one.n - 1] != ':')
            return false;
        one = slice_head(slice_skip(one, 1), one.n - 2);
        return base64_decode(one, out, 32, &n) && n == 32;
    }
    return false;
}
