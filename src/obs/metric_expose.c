/* metric_expose.c - the Prometheus text format 0.0.4.
 *
 * Each line is written into a small piece of stack and then appended, so that
 * the ceiling of the caller's buffer is the only one that can be met.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/line.h"
#include "obs/metric_int.h"

/* Longest: a name of 60, four labels of 30 and 96 bytes escaped, le, value. */
#define LINE_MAX_BYTES 2048

/* Powers of ten only: see the units of metric_table.c. */
static unsigned
digits_of(int64_t unit)
{
    unsigned n = 0;

    for (; unit > 1; unit /= 10)
        n++;
    return n;
}

/* Backslash, quote and line feed are escaped; other controls and what a reader
 * could take for broken UTF-8 become '?', since the format has no escape. */
static void
value_put(struct line *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];

        if (c == '\\' || c == '"') {
            line_char(l, '\\');
            line_char(l, (char)c);
        } else if (c == '\n') {
            line_add(l, "\\n", 2);
        } else {
            line_char(l, c < 0x20 || c >= 0x7f ? '?' : (char)c);
        }
    }
}

/* {a="x",b="y"} with room for one more label, or nothing. */
static void
labels_put(struct line *l, const struct metric_desc *d,
           const struct metric_key *k)
{
    const char *p = k->p;

    for (unsigned i = 0; p < k->p + k->n; i++) {
        size_t n = (uint8_t)*p++;

        line_char(l, i ? ',' : '{');
        line_str(l, d->label[i].name);
        line_add(l, "=\"", 2);
        value_put(l, p, n);
        line_char(l, '"');
        p += n;
    }
}

static void
sample_put(struct buf *out, const struct metric_desc *d, const char *suffix,
           const struct metric_key *k, const char *le, int64_t v,
           unsigned digits)
{
    char text[LINE_MAX_BYTES];
    struct line l;

    line_init(&l, text, sizeof(text));
    line_str(&l, d->name);
    line_str(&l, suffix);
    labels_put(&l, d, k);
    if (le) {
        line_str(&l, k->n ? ",le=\"" : "{le=\"");
        line_str(&l, le);
        line_char(&l, '"');
    }
    if (le || k->n)
        line_char(&l, '}');
    line_char(&l, ' ');
    line_fixed(&l, v, digits);
    line_char(&l, '\n');
    assert(!l.cut);
    buf_add_slice(out, line_slice(&l));
}

static void
histogram_put(struct metrics *m, struct buf *out, const struct metric_desc *d,
              const struct metric_item *it)
{
    unsigned digits = digits_of(d->unit);
    uint64_t count = 0;

    for (unsigned i = 0; i <= d->nbounds; i++) {
        char le[32];
        struct line l;

        line_init(&l, le, sizeof(le) - 1);
        if (i < d->nbounds)
            line_fixed(&l, (int64_t)d->bounds[i], digits);
        else
            line_str(&l, "+Inf");
        le[l.n] = 0;
        count += metrics_sum(m, it->cell + i);
        sample_put(out, d, "_bucket", &it->key, le, (int64_t)count, 0);
    }
    sample_put(out, d, "_sum", &it->key, NULL,
               (int64_t)metrics_sum(m, it->cell + d->nbounds + 1), digits);
    sample_put(out, d, "_count", &it->key, NULL, (int64_t)count, 0);
}

static void
family_put(struct metrics *m, struct buf *out, enum metric id)
{
    static const char *const type[] = {"counter", "gauge", "histogram"};
    const struct metric_desc *d = metric_desc(id);
    struct metric_item *it;

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name,
               type[d->type]);
    it = atomic_load_explicit(&m->first[id], memory_order_acquire);
    for (; it; it = atomic_load_explicit(&it->next, memory_order_acquire)) {
        if (!atomic_load_explicit(&it->live, memory_order_relaxed))
            continue;
        if (d->type == METRIC_HISTOGRAM)
            histogram_put(m, out, d, it);
        else
            sample_put(out, d, "", &it->key, NULL,
                       (int64_t)metrics_sum(m, it->cell), digits_of(d->unit));
    }
}

bool
metrics_expose(struct metrics *m, struct buf *out)
{
    if (!m)
        return true;
    for (unsigned i = 0; i < m->scrapers; i++)
        m->scrape[i].fn(m, m->scrape[i].arg);
    for (unsigned id = 0; id < METRIC_COUNT && !out->failed; id++)
        if (metric_desc(id)->group & m->groups)
            family_put(m, out, id);
    return !out->failed;
}
