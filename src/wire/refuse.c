/* refuse.c - the rows of refuse.h by number.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/refuse.h"
#include "base/base.h"

static const struct {
    int status;
    const char *code;
    const char *text;
} rows[HTTP_REF_COUNT] = {
#define X(id, status, code, text) [id] = {status, code, text},
    HTTP_REFUSAL_TABLE(X)
#undef X
};

int
http_refusal_status(enum http_refusal r)
{
    assert((unsigned)r < HTTP_REF_COUNT);
    return rows[r].status;
}

const char *
http_refusal_code(enum http_refusal r)
{
    assert((unsigned)r < HTTP_REF_COUNT);
    return rows[r].code;
}

const char *
http_refusal_text(enum http_refusal r)
{
    assert((unsigned)r < HTTP_REF_COUNT);
    return rows[r].text;
}
