/* multipart.h - multipart/form-data taken apart as it streams by (RFC 7578, RFC
 * 2046 section 5.1).
 *
 * The scanner looks at the bytes where they are. The caller shows it what is
 * not yet used, at the front of its buffer, and gets one event at a time:
 *
 *     multipart_next(&m, p, n, &ev)
 *       MULTIPART_PART      a part begins: ev.part
 *       MULTIPART_DATA      ev.data, bytes of that part, not copied
 *       MULTIPART_PART_END
 *       MULTIPART_END       the closing boundary; what follows is ignored
 *       MULTIPART_MORE      bytes are missing
 *       MULTIPART_ERROR     m.error
 *
 * After each event the caller passes over ev.used bytes. On MULTIPART_MORE the
 * n - ev.used bytes that are left are held back: they may be the beginning of a
 * boundary, or are an unfinished part head. The caller puts them in front of
 * the bytes that come next. They are never more than MULTIPART_HOLD_MAX, and
 * inside a part's data fewer than 80, so that data can be received straight
 * into large blocks.
 *
 * At the end of the body multipart_finish() says whether it was whole.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_MULTIPART_H
#define WIRE_MULTIPART_H

#include "wire/head.h"

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */
#define MULTIPART_HEAD_MAX     ((size_t)8 * 1024)
#define MULTIPART_HOLD_MAX     MULTIPART_HEAD_MAX
#define MULTIPART_FIELDS_MAX   8    /* field lines of one part */
#define MULTIPART_NAME_MAX     256  /* bytes of a form field's name */
#define MULTIPART_FILENAME_MAX 1024 /* bytes of a file name as sent */
#define MULTIPART_IGNORED_MAX  ((size_t)64 * 1024) /* before and after */

/* clang-format off */
#define MULTIPART_ERROR_TABLE(X)                                               \
    X(MULTIPART_OK, "none", "nothing is wrong")                                \
    X(MULTIPART_BAD_BOUNDARY, "multipart_boundary",                            \
      "the boundary parameter is missing or malformed")                        \
    X(MULTIPART_BAD_DELIMITER, "multipart_delimiter",                          \
      "a boundary is followed by neither a line end nor two hyphens")          \
    X(MULTIPART_BAD_HEAD, "multipart_head",                                    \
      "the head of a part is malformed")                                       \
    X(MULTIPART_HEAD_BIG, "multipart_head_too_big",                            \
      "the head of a part is bigger than is allowed here")                     \
    X(MULTIPART_BAD_DISPOSITION, "multipart_disposition",                      \
      "a part lacks Content-Disposition: form-data with a name")               \
    X(MULTIPART_BAD_ENCODING, "multipart_encoding",                            \
      "a part is in a transfer encoding; send its bytes as they are")          \
    X(MULTIPART_PARTS_MANY, "multipart_too_many_parts",                        \
      "there are more parts than are allowed here")                            \
    X(MULTIPART_IGNORED_BIG, "multipart_noise",                                \
      "there is too much before the first or after the last boundary")         \
    X(MULTIPART_TRUNCATED, "multipart_truncated",                              \
      "the body ends before its closing boundary")
/* clang-format on */

enum multipart_error {
#define X(id, code, text) id,
    MULTIPART_ERROR_TABLE(X)
#undef X
        MULTIPART_ERROR_COUNT
};

const char *multipart_error_code(enum multipart_error e);
const char *multipart_error_text(enum multipart_error e);

enum multipart_kind {
    MULTIPART_MORE,
    MULTIPART_PART,
    MULTIPART_DATA,
    MULTIPART_PART_END,
    MULTIPART_END,
    MULTIPART_ERROR,
};

/* Slices point into the caller's buffer, whose bytes were unescaped in place.
 * A file name is as the client says it: sanitise it (disposition.h). */
struct multipart_part {
    struct slice name;         /* of the form field; not empty */
    struct slice filename;     /* .p is NULL: not a file */
    struct slice content_type; /* as sent; .p is NULL: not given */
    uint32_t nfields;
    struct http_field field[MULTIPART_FIELDS_MAX];
};

struct multipart_event {
    enum multipart_kind kind;
    size_t used;
    struct slice data;          /* MULTIPART_DATA; never empty */
    struct multipart_part part; /* MULTIPART_PART */
};

enum multipart_state {
    MULTIPART_AT_START, /* the first boundary needs no line end before it */
    MULTIPART_IN_PREAMBLE,
    MULTIPART_AT_TAIL, /* behind a boundary */
    MULTIPART_IN_HEAD,
    MULTIPART_AT_DATA, /* a boundary here needs no line end before it either */
    MULTIPART_IN_DATA,
    MULTIPART_IN_EPILOGUE,
    MULTIPART_IS_BROKEN,
};

struct multipart {
    char delim[4 + MULTIPART_BOUNDARY_MAX]; /* CR LF - - boundary */
    uint8_t ndelim;
    enum multipart_state state;
    enum multipart_error error;
    struct http_scan scan; /* of a part's head */
    uint32_t parts;
    uint32_t parts_max;
    uint32_t padding; /* blanks behind a boundary */
    size_t ignored;
};

/* BOUNDARY as the parameter says it, unquoted. False (and m->error) when it is
 * not 1 to 70 of the characters that RFC 2046 allows. */
bool
multipart_init(struct multipart *m, struct slice boundary, uint32_t parts_max);

/* From the value of Content-Type. False when that is not multipart/form-data;
 * when it is, but the boundary is bad, m->error is set and every event is
 * MULTIPART_ERROR. */
bool multipart_init_type(struct multipart *m, struct slice content_type,
                         uint32_t parts_max);

/* The event is also returned. P is written to when a part begins (unescaping),
 * within the bytes that the event uses. */
enum multipart_kind multipart_next(struct multipart *m, char *p, size_t n,
                                   struct multipart_event *ev);

/* The body is over. True when its closing boundary was seen; else m->error. */
bool multipart_finish(struct multipart *m);

#endif
