/* db.c - see db.h: values in and out. SPDX-License-Identifier: Apache-2.0 */
#include "io/db.h"
#include "wire/utf8.h"
#include <stdio.h>
#include <stdlib.h>

void
db_bind_i64(struct db_tx *t, int i, int64_t v)
{
    db_bind(t, i, &(struct db_value){.kind = DB_INT, .i = v});
}

void
db_bind_text(struct db_tx *t, int i, const char *s)
{
    struct db_value v = {.kind = s ? DB_TEXT : DB_NULL, .p = s};

    v.n = s ? strlen(s) : 0;
    db_bind(t, i, &v);
}

void
db_bind_blob(struct db_tx *t, int i, const void *p, size_t n)
{
    /* An empty value is not "no value". */
    db_bind(t, i, &(struct db_value){.kind = DB_BLOB, .p = n ? p : "", .n = n});
}

bool
db_utf8(struct slice s, char **made, struct slice *out)
{
    char *p;
    size_t n = 0;

    *made = NULL;
    *out = s;
    if (utf8_valid(s))
        return true;
    p = malloc(3 * s.n + 1);
    if (!p)
        return false;
    while (s.n) {
        size_t k = utf8_next(s, NULL);

        memcpy(p + n, k ? s.p : "\xef\xbf\xbd", k ? k : 3);
        n += k ? k : 3;
        s = slice_skip(s, k ? k : 1);
    }
    *made = p;
    *out = slice_of(p, n);
    return true;
}

enum err
db_exec(struct db_tx *t, struct db_posted *out, struct fault *f)
{
    enum err e = db_post(t, out, f);

    return e ? e : db_flush(t, f);
}

int64_t
db_i64(struct db_tx *t, int i)
{
    return db_column(t, i).i;
}

const char *
db_str(struct db_tx *t, int i)
{
    return db_column(t, i).p;
}

bool
db_text(struct db_tx *t, int i, char *dst, size_t cap)
{
    struct db_value v = db_column(t, i);

    return slice_copy(slice_of(v.p, v.n), dst, cap);
}

bool
db_blob(struct db_tx *t, int i, void *dst, size_t n)
{
    struct db_value v = db_column(t, i);

    if (v.kind != DB_BLOB || v.n != n)
        return false;
    memcpy(dst, v.p, n);
    return true;
}

enum err
db_corrupt(struct db_tx *t, const char *what, struct fault *f)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%s: %s", t->ops->name(t), what);
    return fault_set(f, ERR_CORRUPT, "database read", text);
}
