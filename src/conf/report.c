/* report.c - see report.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/report.h"
#include <stdio.h>
#include <stdlib.h>

void
conf_report_add(struct conf_report *rep, enum conf_level level, int option,
                const char *fmt, ...)
{
    struct conf_issue *issue;
    va_list ap;

    rep->errors += level == CONF_ERROR;
    rep->warnings += level == CONF_WARNING;
    rep->notices += level == CONF_NOTICE;
    if (rep->issue == NULL)
        rep->issue = calloc(CONF_ISSUE_MAX, sizeof(*rep->issue));
    /* Notices leave a quarter of the room to what is worse. What finds no room
     * is counted, and an error stops the start all the same. */
    if (rep->issue == NULL || rep->n == CONF_ISSUE_MAX ||
        (level == CONF_NOTICE && rep->n >= CONF_ISSUE_MAX / 4 * 3))
        return;
    issue = &rep->issue[rep->n++];
    issue->level = level;
    issue->option = option;
    va_start(ap, fmt);
    vsnprintf(issue->text, sizeof(issue->text), fmt, ap);
    va_end(ap);
    for (char *p = issue->text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

void
conf_report_release(struct conf_report *rep)
{
    free(rep->issue);
    *rep = (struct conf_report){0};
}

void
conf_show(char *out, size_t cap, struct slice value, bool secret)
{
    const char *more = value.n > 80 ? "..." : "";

    if (secret)
        snprintf(out, cap, "%s", value.n > 0 ? "***" : "");
    else
        snprintf(out, cap, "%.*s%s", SLICE_ARG(slice_head(value, 80)), more);
}

void
conf_report_print(const struct conf_report *rep, enum conf_level least,
                  struct buf *out)
{
    static const char *const name[] = {"notice", "warning", "error"};
    const size_t all = rep->errors + rep->warnings + rep->notices;

    /* The worst first: it is what a reader came for. */
    for (int level = CONF_ERROR; level >= (int)least; level--) {
        for (size_t i = 0; i < rep->n; i++) {
            if ((int)rep->issue[i].level == level)
                buf_printf(out, "%s: %s\n", name[level], rep->issue[i].text);
        }
    }
    if (all > rep->n)
        buf_printf(out, "and %zu more\n", all - rep->n);
}
