/* sql_words.c - see sql_words.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/sql_words.h"

static bool
word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

static struct slice
next_word(struct slice *s)
{
    struct slice w;
    size_t n = 0;

    while (s->n && !word_char(s->p[0]))
        *s = slice_skip(*s, 1);
    while (n < s->n && word_char(s->p[n]))
        n++;
    w = slice_head(*s, n);
    *s = slice_skip(*s, n);
    return w;
}

void
sql_words(struct slice text, char operation[SQL_WORD], char table[SQL_WORD])
{
    /* The word before the table's name. */
    static const struct {
        const char *operation, *before;
    } known[] = {{"select", "FROM"},
                 {"insert", "INTO"},
                 {"update", "UPDATE"},
                 {"delete", "FROM"}};
    struct slice first = next_word(&text), w = first;
    size_t i = 0;

    memcpy(operation, "other", 6);
    memcpy(table, "none", 5);
    while (i < countof(known) &&
           !slice_eq_nocase(first, slice_str(known[i].operation)))
        i++;
    if (i == countof(known)) {
        /* BEGIN, COMMIT, ROLLBACK */
        (void)slice_copy(SLICE("transaction"), table, SQL_WORD);
        return;
    }
    (void)slice_copy(slice_str(known[i].operation), operation, SQL_WORD);
    while (w.n && !slice_eq_nocase(w, slice_str(known[i].before)))
        w = next_word(&text);
    w = next_word(&text);
    if (w.n)
        (void)slice_copy(slice_head(w, SQL_WORD - 1), table, SQL_WORD);
}
