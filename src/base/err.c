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

static const struct {
    int sys;
    enum err code;
    const char *name;
} errnos[] = {
#define E(sys, code)    \
    {                   \
        sys, code, #sys \
    }
    E(ENOENT, ERR_NOENT),
    E(ENOTDIR, ERR_NOENT),
    E(ENXIO, ERR_NOENT),
    E(ENODEV, ERR_NOENT),
    E(ESRCH, ERR_NOENT),
    E(EEXIST, ERR_EXISTS),
    E(ENOTEMPTY, ERR_EXISTS),
    E(EADDRINUSE, ERR_BUSY),
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
    E(EMFILE, ERR_NOMEM),
    E(ENFILE, ERR_NOMEM),
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
    E(ECONNREFUSED, ERR_IO),
    E(ECONNABORTED, ERR_IO),
    E(EHOSTUNREACH, ERR_IO),
    E(ENETUNREACH, ERR_IO),
    E(ENETDOWN, ERR_IO),
    E(ENOTCONN, ERR_IO),
    E(EADDRNOTAVAIL, ERR_IO),
    E(EREMOTEIO, ERR_IO),
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

static const char *
sys_name(int sys)
{
    for (size_t i = 0; i < countof(errnos); i++)
        if (errnos[i].sys == sys)
            return errnos[i].name;
    return NULL;
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

const char *
fault_text(const struct fault *f, char *buf, size_t n)
{
    const char *name = f->sys ? sys_name(f->sys) : NULL;
    char tail[40] = "";

    if (name)
        snprintf(tail, sizeof(tail), " (%s)", name);
    else if (f->sys)
        snprintf(tail, sizeof(tail), " (errno %d)", f->sys);
    if (n)
        snprintf(buf, n, "%s%s%s%s%s%s", f->op,
                 f->op[0] && f->what[0] ? " " : "", f->what,
                 f->op[0] || f->what[0] ? ": " : "", err_text(f->code), tail);
    return buf;
}
