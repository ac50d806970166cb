/* refuse.h - the one list of what is wrong with an HTTP/1.1 message.
 *
 * Each row is a reason for which the server refuses bytes that it received:
 * status, stable code (logs, metrics, the error body's "error", tests) and one
 * line for people. After any of them the connection closes, because where the
 * next request begins is no longer certain. test/http/refuse.tbl has at least
 * one request for each row. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_REFUSE_H
#define WIRE_REFUSE_H

/* clang-format off */
#define HTTP_REFUSAL_TABLE(X)                                                  \
    X(HTTP_REF_NONE, 0, "none", "nothing is wrong")                            \
    /* the request line, RFC 9112 section 3 */                                 \
    X(HTTP_REF_TLS, 400, "tls_on_plain_port",                                  \
      "this port speaks plain HTTP, and this is a TLS handshake")              \
    X(HTTP_REF_REQUEST_LINE, 400, "bad_request_line",                          \
      "the request line is not method, one blank, target, one blank, version") \
    X(HTTP_REF_METHOD, 400, "bad_method",                                      \
      "the method is not a token")                                             \
    X(HTTP_REF_METHOD_LONG, 501, "method_too_long",                            \
      "the method is longer than any that is known here")                      \
    X(HTTP_REF_CONNECT, 501, "connect",                                        \
      "CONNECT is for proxies, and this is none")                              \
    X(HTTP_REF_TARGET, 400, "bad_target",                                      \
      "the request target is not a path, an http URL, or * for OPTIONS")       \
    X(HTTP_REF_TARGET_LONG, 414, "target_too_long",                            \
      "the request target is longer than is allowed here")                     \
    X(HTTP_REF_VERSION, 505, "version",                                        \
      "only HTTP/1.1 and HTTP/1.0 are spoken here")                            \
    /* lines and fields, RFC 9112 sections 2.2 and 5 */                        \
    X(HTTP_REF_EMPTY_LINES, 400, "empty_lines",                                \
      "there are too many empty lines before the request line")                \
    X(HTTP_REF_BARE_LF, 400, "bare_lf",                                        \
      "a line ends in LF without CR")                                          \
    X(HTTP_REF_BARE_CR, 400, "bare_cr",                                        \
      "there is a CR that does not end a line")                                \
    X(HTTP_REF_CONTROL, 400, "control_byte",                                   \
      "there is a NUL or another control byte")                                \
    X(HTTP_REF_OBS_FOLD, 400, "obs_fold",                                      \
      "a field goes on in the next line (obsolete line folding)")              \
    X(HTTP_REF_NO_COLON, 400, "no_colon",                                      \
      "a field line has no colon")                                             \
    X(HTTP_REF_FIELD_NAME, 400, "bad_field_name",                              \
      "a field name is empty or not a token")                                  \
    X(HTTP_REF_SPACE_COLON, 400, "space_before_colon",                         \
      "there is a blank between field name and colon")                         \
    X(HTTP_REF_HEAD_BIG, 431, "head_too_big",                                  \
      "the head is bigger than is allowed here")                               \
    X(HTTP_REF_FIELDS_MANY, 431, "too_many_fields",                            \
      "there are more field lines than are allowed here")                      \
    /* Host, RFC 9110 section 7.2, RFC 9112 section 3.2 */                     \
    X(HTTP_REF_HOST_MISSING, 400, "host_missing",                              \
      "HTTP/1.1 needs a Host field")                                           \
    X(HTTP_REF_HOST_REPEATED, 400, "host_repeated",                            \
      "there is more than one Host field")                                     \
    X(HTTP_REF_HOST, 400, "bad_host",                                          \
      "the host is not a name or an address with or without a port")           \
    X(HTTP_REF_HOST_MISMATCH, 400, "host_mismatch",                            \
      "the Host field and the URL of the request line differ")                 \
    /* framing, RFC 9112 section 6 */                                          \
    X(HTTP_REF_TE_WITH_CL, 400, "te_with_cl",                                  \
      "there are both Transfer-Encoding and Content-Length")                   \
    X(HTTP_REF_CL_REPEATED, 400, "cl_repeated",                                \
      "there is more than one Content-Length")                                 \
    X(HTTP_REF_CL, 400, "bad_content_length",                                  \
      "Content-Length is not a number below 2^63")                             \
    X(HTTP_REF_TE, 400, "bad_transfer_encoding",                               \
      "Transfer-Encoding is empty, or chunked more than once")                 \
    X(HTTP_REF_TE_UNKNOWN, 501, "transfer_coding",                             \
      "the only transfer coding that is known here is chunked")                \
    X(HTTP_REF_TE_HTTP10, 400, "te_in_http10",                                 \
      "HTTP/1.0 has no Transfer-Encoding")                                     \
    X(HTTP_REF_EXPECT, 417, "expectation",                                     \
      "the only expectation that is known here is 100-continue")               \
    /* chunked bodies, RFC 9112 section 7.1 */                                 \
    X(HTTP_REF_CHUNK_SIZE, 400, "bad_chunk_size",                              \
      "a chunk's size is not a hexadecimal number below 2^63")                 \
    X(HTTP_REF_CHUNK_EXT, 400, "bad_chunk_extension",                          \
      "a chunk's extension has a control byte or is not begun by ;")           \
    X(HTTP_REF_CHUNK_EXT_LONG, 400, "chunk_extensions_too_long",               \
      "chunk extensions are longer than is allowed here")                      \
    X(HTTP_REF_CHUNK_END, 400, "bad_chunk_end",                                \
      "a chunk's data is not followed by CR LF")                               \
    X(HTTP_REF_BODY_BIG, 413, "body_too_big",                                  \
      "the body is bigger than is allowed here")                               \
    X(HTTP_REF_TRAILER, 400, "bad_trailer",                                    \
      "a trailer field is malformed, or may not be a trailer")                 \
    X(HTTP_REF_TRAILER_BIG, 431, "trailers_too_big",                           \
      "the trailer section is bigger than is allowed here")                    \
    /* responses, seen by the HTTP client (resp.h) */                          \
    X(HTTP_REF_STATUS_LINE, 502, "bad_status_line",                            \
      "the peer's status line is malformed")
/* clang-format on */

enum http_refusal {
#define X(id, status, code, text) id,
    HTTP_REFUSAL_TABLE(X)
#undef X
        HTTP_REF_COUNT
};

int http_refusal_status(enum http_refusal r);       /* 400 */
const char *http_refusal_code(enum http_refusal r); /* "te_with_cl" */
const char *http_refusal_text(enum http_refusal r);

#endif
