/* meter.c - see meter.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/meter.h"
#include "cli/text.h"

#define SAMPLE_NS INT64_C(500000000)
#define SECOND_NS INT64_C(1000000000)
#define BAR_MIN   10
#define BAR_MAX   30
#define NAME_MIN  8

void
meter_init(struct meter *m, struct mono now)
{
    *m = (struct meter){.n = 1, .at = now};
    m->sample[0].at = now;
}

void
meter_update(struct meter *m, struct mono now, uint64_t bytes)
{
    assert(m->n > 0);
    assert(now.ns >= m->at.ns);
    if (bytes < m->bytes) { /* begin anew, else the rate would be negative */
        meter_init(m, now);
        m->sample[0].bytes = bytes;
    }
    if (now.ns - m->sample[(m->n - 1) % METER_SAMPLES].at.ns >= SAMPLE_NS) {
        m->sample[m->n % METER_SAMPLES].at = now;
        m->sample[m->n % METER_SAMPLES].bytes = bytes;
        m->n++;
    }
    m->at = now;
    m->bytes = bytes;
}

uint64_t
meter_rate(const struct meter *m)
{
    const size_t oldest = m->n > METER_SAMPLES ? m->n % METER_SAMPLES : 0;
    const int64_t ns = m->at.ns - m->sample[oldest].at.ns;

    /* Less than a fifth of a second says nothing but the size of a buffer. */
    if (ns < SECOND_NS / 5)
        return 0;
    return (uint64_t)((double)(m->bytes - m->sample[oldest].bytes) * 1e9 /
                      (double)ns);
}

uint64_t
meter_eta(const struct meter *m, uint64_t total)
{
    const uint64_t rate = meter_rate(m);

    if (total == UINT64_MAX)
        return UINT64_MAX;
    if (total <= m->bytes)
        return 0;
    return rate ? (total - m->bytes - 1) / rate + 1 : UINT64_MAX;
}

static unsigned
permille(const struct progress_view *v)
{
    if (v->bytes >= v->total)
        return 1000;
    return (unsigned)((double)v->bytes * 1000 / (double)v->total);
}

/* The part that is always there: amount, percent, rate, time left. */
static void
add_figures(struct buf *head, struct buf *tail, const struct progress_view *v)
{
    char a[TEXT_SIZE], b[TEXT_SIZE];

    buf_add_str(head, text_size(v->bytes, a));
    if (v->total != UINT64_MAX) {
        buf_printf(head, " of %s", text_size(v->total, b));
        buf_printf(tail, "  %3u%%", permille(v) / 10);
    }
    buf_printf(tail, "  %s", text_rate(v->rate, a));
    if (v->total != UINT64_MAX)
        buf_printf(tail, "  ETA %s", text_duration(v->eta, b));
}

void
progress_line(struct buf *out, const struct progress_view *v, size_t cols)
{
    struct buf files, head, tail;
    size_t left;

    buf_init(&files, 64);
    buf_init(&head, 128);
    buf_init(&tail, 128);
    add_figures(&head, &tail, v);
    if (v->files > 1)
        buf_printf(&files, "%u/%u  ", v->files_done, v->files);
    if (head.n + tail.n + files.n <= cols)
        buf_add_slice(out, buf_slice(&files));
    buf_add_slice(out, text_cut(buf_slice(&head), cols));
    left = cols - size_min(cols, files.n + head.n + tail.n);
    if (v->total != UINT64_MAX && left >= BAR_MIN + 4) {
        const size_t name = v->name ? NAME_MIN + 2 : 0;
        size_t bar = size_min(left - 4, BAR_MAX);

        if (left >= BAR_MIN + 4 + name) /* room for both */
            bar = size_min(left - 4 - name, BAR_MAX);

        buf_add_str(out, "  [");
        text_bar(out, permille(v), bar, v->utf8);
        buf_add_char(out, ']');
        left -= bar + 4;
    }
    if (head.n + tail.n <= cols)
        buf_add_slice(out, buf_slice(&tail));
    if (v->name && left >= NAME_MIN + 2) {
        struct buf name;

        buf_init(&name, 4 * KIB);
        text_safe(&name, slice_str(v->name));
        buf_add_str(out, "  ");
        buf_add_slice(out, text_cut(buf_slice(&name), left - 2));
        buf_release(&name);
    }
    buf_release(&files);
    buf_release(&head);
    buf_release(&tail);
}
