/* table.c - see table.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"
#include "cli/text.h"

#define TABLE_MAX (64 * MIB)

struct cell {
    uint32_t len;
    uint32_t width;
};

static const char *
title(const struct table *t, size_t col)
{
    return t->head[col] + (t->head[col][0] == '>');
}

void
table_init(struct table *t, const char *const *head, size_t cols)
{
    assert(cols > 0 && cols <= TABLE_COLS);
    *t = (struct table){.head = head, .cols = cols};
    buf_init(&t->text, TABLE_MAX);
    for (size_t i = 0; i < cols; i++)
        t->width[i] = strlen(title(t, i));
}

void
table_release(struct table *t)
{
    buf_release(&t->text);
}

static void
add(struct table *t, struct slice text, size_t width)
{
    const struct cell c = {(uint32_t)text.n, (uint32_t)width};
    const size_t col = t->cells % t->cols;

    if (!buf_add(&t->text, &c, sizeof(c)) || !buf_add_slice(&t->text, text))
        return;
    t->cells++;
    if (width > t->width[col])
        t->width[col] = width;
}

void
table_cell(struct table *t, const char *text)
{
    struct buf b;

    buf_init(&b, 16 * KIB);
    text_safe(&b, slice_str(text ? text : "-"));
    add(t, buf_slice(&b), text_width(buf_slice(&b)));
    buf_release(&b);
}

void
table_raw(struct table *t, const char *text, size_t width)
{
    add(t, slice_str(text), width);
}

static void
put_cell(const struct table *t, FILE *out, size_t col, struct slice s,
         size_t width)
{
    const int pad = (int)(t->width[col] - width);
    const bool right = t->head[col][0] == '>';
    const bool last = col + 1 == t->cols;

    if (right)
        fprintf(out, "%*s", pad, "");
    fwrite(s.p, 1, s.n, out);
    if (last)
        fputc('\n', out);
    else
        fprintf(out, "%*s", (right ? 0 : pad) + 2, "");
}

void
table_print(struct table *t, FILE *out)
{
    const char *p = t->text.p;
    struct cell c;

    assert(t->cols > 0);
    for (size_t i = 0; i < t->cols && !t->header_done; i++)
        put_cell(t, out, i, slice_str(title(t, i)), strlen(title(t, i)));
    t->header_done = true;
    for (size_t i = 0; i < t->cells; i++) {
        memcpy(&c, p, sizeof(c));
        put_cell(t, out, i % t->cols, slice_of(p + sizeof(c), c.len), c.width);
        p += sizeof(c) + c.len;
    }
    t->cells = 0;
    buf_clear(&t->text);
}
