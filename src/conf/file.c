/* file.c - see file.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/file.h"

static const char trailing[] = "something stands behind the closing quote";

void
conf_file_init(struct conf_file *f, struct slice bytes)
{
    if (slice_starts(bytes, SLICE("\xef\xbb\xbf")))
        bytes = slice_skip(bytes, 3);
    *f = (struct conf_file){.rest = bytes};
}

static bool
blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t
name_length(struct slice s)
{
    size_t n = 0;

    while (n < s.n && ((s.p[n] >= 'A' && s.p[n] <= 'Z') || s.p[n] == '_' ||
                       (s.p[n] >= 'a' && s.p[n] <= 'z') ||
                       (n > 0 && s.p[n] >= '0' && s.p[n] <= '9')))
        n++;
    return n;
}

/* Nothing, or blanks and a comment. */
static bool
ends_here(struct slice s)
{
    struct slice t = slice_trim(s);

    return t.n == 0 || (t.p[0] == '#' && t.p > s.p);
}

static enum err
single_quoted(struct slice s, struct slice *value, const char **why)
{
    size_t end;

    s = slice_skip(s, 1);
    end = slice_find(s, '\'');
    *why = "the single quote is not closed on this line";
    if (end == s.n)
        return ERR_INVAL;
    *value = slice_head(s, end);
    *why = trailing;
    return ends_here(slice_skip(s, end + 1)) ? ERR_OK : ERR_INVAL;
}

static enum err
double_quoted(struct slice s, struct buf *scratch, struct slice *value,
              const char **why)
{
    static const char from[] = "\\\"$`nt", to[] = "\\\"$`\n\t";
    size_t i = 1;

    buf_clear(scratch);
    *why = "the double quote is not closed on this line";
    for (; i < s.n && s.p[i] != '"'; i++) {
        char c = s.p[i];

        if (c == '\\' && i + 1 < s.n) {
            const char *at = memchr(from, s.p[++i], sizeof(from) - 1);

            if (at == NULL) {
                *why = "a backslash stands before one of \\ \" $ ` n t";
                return ERR_INVAL;
            }
            c = to[at - from];
        }
        if (!buf_add_char(scratch, c))
            return ERR_NOMEM;
    }
    if (i >= s.n)
        return ERR_INVAL;
    *value = buf_slice(scratch);
    *why = trailing;
    return ends_here(slice_skip(s, i + 1)) ? ERR_OK : ERR_INVAL;
}

static struct slice
bare(struct slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '#' && blank(s.p[i - 1]))
            s.n = i;
    }
    return slice_trim(s);
}

/* S is what stands behind the equals sign. */
static enum err
parse_value(struct slice s, struct buf *scratch, struct slice *value,
            const char **why)
{
    struct slice t = slice_trim(s);

    if (t.n > 0 && t.p[0] == '\'')
        return single_quoted(t, value, why);
    if (t.n > 0 && t.p[0] == '"')
        return double_quoted(t, scratch, value, why);
    *value = bare(s);
    return ERR_OK;
}

static enum err
parse_line(struct slice s, struct buf *scratch, struct slice *name,
           struct slice *value, const char **why)
{
    static const struct slice word = SLICE("export");

    if (slice_starts(s, word) && s.n > word.n && blank(s.p[word.n]))
        s = slice_trim(slice_skip(s, word.n));
    *name = slice_head(s, name_length(s));
    s = slice_trim(slice_skip(s, name->n));
    *why = "a line is NAME=VALUE, or a comment behind #";
    if (name->n == 0 || s.n == 0 || s.p[0] != '=')
        return ERR_INVAL;
    return parse_value(slice_skip(s, 1), scratch, value, why);
}

enum err
conf_file_next(struct conf_file *f, struct buf *scratch, struct slice *name,
               struct slice *value, const char **why)
{
    struct slice s;

    while (slice_cut(&f->rest, '\n', &s)) {
        f->line++;
        if (slice_ends(s, SLICE("\r")))
            s.n--;
        s = slice_trim(s);
        if (s.n == 0 || s.p[0] == '#')
            continue;
        if (slice_find(s, '\0') < s.n) {
            *why = "there is a zero byte in the line; is it a text file?";
            return ERR_INVAL;
        }
        return parse_line(s, scratch, name, value, why);
    }
    return ERR_END;
}
