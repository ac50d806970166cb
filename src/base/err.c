/* err.c - names of answers, and errno folded into them.
 *
 * The errno table is ours because strerror() depends on the locale and
 * strerrorname_np() on the C library. What is not in it is ERR_IO and appears
 * as its number. SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/base.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} answers[ERR_COUNT] = {
#define X(code, name, text) [code] = {name, text},
    ERR_TABLE(X)
#undef X
};

/* TEXT says it better than that of the code. */
static const struct {
    int sys;
    enum err code;
    const char *name;
    const char *text;
} errnos[] = {
#define E(sys, code)          \
    {                         \
        sys, code, #sys, NULL \
    }
#define T(sys, code, text)    \
    {                         \
        sys, code, #sys, text \
    }
    E(ENOENT, ERR_NOENT),
    T(ENOTDIR, ERR_NOENT, "part of the path is not a folder"),
    E(ENXIO, ERR_NOENT),
    E(ENODEV, ERR_NOENT),
    E(ESRCH, ERR_NOENT),
    E(EEXIST, ERR_EXISTS),
    E(ENOTEMPTY, ERR_EXISTS),
    T(EADDRINUSE, ERR_BUSY, "the address is in use already"),
    E(EBUSY, ERR_BUSY),
    E(ETXTBSY, ERR_BUSY),
    E(EDEADLK, ERR_BUSY),
    E(EINVAL, ERR_INVAL),
    E(EBADF, ERR_INVAL),
    E(ENAMETOOLONG, ERR_INVAL),
    E(EISDIR, ERR_INVAL),
    E(ELOOP, ERR_INVAL),
    E(EXDEV, ERR_INVAL),
    E(EFBIG, ERR_TOOBIG),
    E(E2BIG, ERR_TOOBIG),
    E(EMSGSIZE, ERR_TOOBIG),
    E(EOVERFLOW, ERR_TOOBIG),
    E(ENOSPC, ERR_NOSPC),
    E(EDQUOT, ERR_NOSPC),
    E(EROFS, ERR_READONLY),
    E(EACCES, ERR_DENIED),
    E(EPERM, ERR_DENIED),
    E(EAGAIN, ERR_AGAIN),
    E(EINTR, ERR_AGAIN),
    E(EINPROGRESS, ERR_AGAIN),
    E(EALREADY, ERR_AGAIN),
    E(ETIMEDOUT, ERR_TIMEOUT),
    E(ETIME, ERR_TIMEOUT),
    E(ECANCELED, ERR_CANCELED),
    E(ENOMEM, ERR_NOMEM),
    E(ENOBUFS, ERR_NOMEM),
    T(EMFILE, ERR_NOMEM, "this process has too many files open"),
    T(ENFILE, ERR_NOMEM, "the system has too many files open"),
    E(ENOSYS, ERR_UNSUPPORTED),
    E(EOPNOTSUPP, ERR_UNSUPPORTED),
    E(EAFNOSUPPORT, ERR_UNSUPPORTED),
    E(EPROTONOSUPPORT, ERR_UNSUPPORTED),
    E(EBADMSG, ERR_CORRUPT),
    E(EILSEQ, ERR_CORRUPT),
    E(EUCLEAN, ERR_CORRUPT),
    E(EIO, ERR_IO),
    E(ESTALE, ERR_IO),
    E(EPIPE, ERR_IO),
    E(ECONNRESET, ERR_IO),
    T(ECONNREFUSED, ERR_IO, "nobody listens there"),
    E(ECONNABORTED, ERR_IO),
    T(EHOSTUNREACH, ERR_IO, "there is no way to that host"),
    T(ENETUNREACH, ERR_IO, "there is no way to that network"),
    E(ENETDOWN, ERR_IO),
    E(ENOTCONN, ERR_IO),
    T(EADDRNOTAVAIL, ERR_IO, "this machine does not have that address"),
    E(EREMOTEIO, ERR_IO),
#undef T
#undef E
};

const char *
err_name(enum err e)
{
    return (unsigned)e < ERR_COUNT ? answers[e].name : "unknown";
}

const char *
err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT ? answers[e].text : "an unknown answer";
}

enum err
err_from_errno(int sys)
{
    if (sys == 0)
        return ERR_OK;
    for (size_t i = 0; i < countof(errnos); i++)
        if (errnos[i].sys == sys)
            return errnos[i].code;
    return ERR_IO;
}

/* S may be NULL or lie inside DST: a fault that is set again from its own
 * text. */
static void
copy_cut(char *dst, size_t cap, const char *s)
{
    size_t n = s ? strnlen(s, cap - 1) : 0;

    if (n)
        memmove(dst, s, n);
    dst[n] = 0;
}

enum err
fault_set(struct fault *f, enum err code, const char *op, const char *what)
{
    if (f) {
        f->code = code;
        f->sys = 0;
        f->hint = NULL;
        copy_cut(f->op, sizeof(f->op), op);
        copy_cut(f->what, sizeof(f->what), what);
    }
    return code;
}

enum err
fault_sys(struct fault *f, int sys, const char *op, const char *what)
{
    enum err code = err_from_errno(sys);

    fault_set(f, code, op, what);
    if (f)
        f->sys = sys;
    return code;
}

enum err
fault_hint(struct fault *f, const char *hint)
{
    if (!f)
        return ERR_INVAL;
    f->hint = hint;
    return f->code;
}

enum err
fault_in(struct fault *f, const char *where)
{
    char what[sizeof(f->what) * 2 + 8];

    if (!f)
        return ERR_INVAL;
    snprintf(what, sizeof(what), "%s%sin %.*s", f->what, f->what[0] ? " " : "",
             (int)sizeof(f->what), where);
    copy_cut(f->what, sizeof(f->what), what);
    return f->code;
}

const char *
fault_text(const struct fault *f, char *buf, size_t n)
{
    const char *text = err_text(f->code);
    char tail[40] = "";

    if (f->sys)
        snprintf(tail, sizeof(tail), " (errno %d)", f->sys);
    for (size_t i = 0; i < countof(errnos); i++)
        if (f->sys && errnos[i].sys == f->sys) {
            snprintf(tail, sizeof(tail), " (%s)", errnos[i].name);
            text = errnos[i].text ? errnos[i].text : text;
            break;
        }
    if (n)
        snprintf(buf, n, "%s%s%s%s%s%s%s%s", f->op,
                 f->op[0] && f->what[0] ? " " : "", f->what,
                 f->op[0] || f->what[0] ? ": " : "", text, tail,
                 f->hint ? "; " : "", f->hint ? f->hint : "");
    return buf;
}
