/* problem.c - bodies of errors. SPDX-License-Identifier: Apache-2.0 */
#include "wire/problem.h"
#include "wire/json.h"
#include "wire/media.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {104, "Upload Resumption Supported"}, /* draft-ietf-httpbis-resumable */
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {425, "Too Early"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {460, "Checksum Mismatch"}, /* tus 1.0, checksum extension */
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *
http_reason(int status)
{
    for (size_t i = 0; i < countof(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

enum problem_form
problem_form_for(struct slice accept)
{
    return accept_names(accept, SLICE("application/problem+json"))
               ? PROBLEM_RFC9457
               : PROBLEM_PLAIN;
}

const char *
problem_content_type(enum problem_form form)
{
    return form == PROBLEM_RFC9457 ? "application/problem+json"
                                   : "application/json";
}

bool
problem_body(struct buf *b, const struct problem *p, enum problem_form form)
{
    struct json_writer w;

    json_begin(&w, b);
    json_put_object(&w, NULL);
    if (form == PROBLEM_RFC9457) {
        /* Section 4.2.1: about:blank wants the title to be that of the status.
         * What tells problems apart is "error". */
        json_put_text(&w, "type", "about:blank");
        json_put_text(&w, "title", http_reason(p->status));
        json_put_i64(&w, "status", p->status);
        json_put_str(&w, "detail", p->message);
    }
    json_put_text(&w, "error", p->code);
    json_put_str(&w, "message", p->message);
    if (p->request_id.n)
        json_put_str(&w, "request_id", p->request_id);
    if (p->details.n)
        json_put_raw(&w, "details", p->details);
    json_end_object(&w);
    return !b->failed;
}
