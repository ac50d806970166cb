/* keyplan.c - see keyplan.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/keyplan.h"
#include "wire/date.h"

#define SIGNS  "artstore-signs-from:"
#define OTHERS "artstore-others-until:"

static bool
take(struct slice line, const char *key, struct wall *out)
{
    struct slice k = slice_str(key);

    return !slice_starts(line, k) ||
           date_parse_rfc3339(slice_trim(slice_skip(line, k.n)), out);
}

bool
key_plan_parse(struct slice text, struct key_plan *out)
{
    struct slice line;

    out->signs_from = out->others_until = (struct wall){0};
    while (text.n && !slice_starts(text, SLICE("-----BEGIN"))) {
        if (!slice_cut(&text, '\n', &line)) {
            line = text;
            text = SLICE_NULL;
        }
        if (!take(line, SIGNS, &out->signs_from) ||
            !take(line, OTHERS, &out->others_until))
            return false;
    }
    return true;
}

bool
key_plan_put(struct buf *b, const struct key_plan *p)
{
    char date[DATE_TEXT];

    if (p->signs_from.ms)
        buf_printf(b, SIGNS " %s\n", date_rfc3339_ms(p->signs_from, date));
    if (p->others_until.ms)
        buf_printf(b, OTHERS " %s\n", date_rfc3339_ms(p->others_until, date));
    return !b->failed;
}

size_t
key_plan_signer(const struct key_plan *p, size_t n, struct wall now)
{
    for (size_t i = n; i-- > 0;)
        if (p[i].signs_from.ms <= now.ms)
            return i;
    return 0;
}

struct wall
key_plan_until(const struct key_plan *p, size_t n, size_t i)
{
    struct wall least = {0};

    for (size_t j = i + 1; j < n; j++) {
        struct wall t = p[j].others_until;

        if (!t.ms)
            continue;
        if (t.ms < p[j].signs_from.ms)
            t = p[j].signs_from;
        if (!least.ms || t.ms < least.ms)
            least = t;
    }
    return least;
}
