/* sink.c - see sink.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/sink.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void
sink_init(struct sink *s, int fd)
{
    struct stat st = {0};

    *s = (struct sink){.fd = fd};
    if (fstat(fd, &st) == 0) {
        s->is_file = S_ISREG(st.st_mode);
        s->is_socket = S_ISSOCK(st.st_mode);
    }
    pthread_mutex_init(&s->lock, NULL);
}

void
sink_release(struct sink *s)
{
    pthread_mutex_destroy(&s->lock);
}

static bool
has_room(const struct sink *s, int wait_ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};

    if (s->is_file) /* always said to be writable */
        return true;
    return poll(&p, 1, wait_ms) == 1 && (p.revents & POLLOUT);
}

/* One piece; false when it was not taken whole. The rest of a torn piece is
 * tried again at once: better a short wait than half a record. */
static bool
piece_write(const struct sink *s, struct slice piece, int wait_ms)
{
    int tries = 0;

    while (piece.n) {
        ssize_t n;

        if (!has_room(s, wait_ms))
            return false;
        /* A socket may take a part and wait with the rest; MSG_DONTWAIT does
         * not, and MSG_NOSIGNAL spares us SIGPIPE. */
        n = s->is_socket
                ? send(s->fd, piece.p, piece.n, MSG_DONTWAIT | MSG_NOSIGNAL)
                : write(s->fd, piece.p, piece.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || ++tries > 8)
            return false;
        piece = slice_skip(piece, (size_t)n);
        wait_ms = 1;
    }
    return true;
}

/* As many whole lines from the head of TEXT as fit into MAX bytes. */
static struct slice
piece_of(struct slice text, size_t max)
{
    size_t n = size_min(text.n, max);

    if (n == text.n)
        return text;
    while (n > 0 && text.p[n - 1] != '\n')
        n--;
    return slice_head(text, n ? n : max);
}

static uint64_t
lines_in(struct slice s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

void
sink_write(struct sink *s, struct slice text, int wait_ms)
{
    pthread_mutex_lock(&s->lock);
    while (text.n) {
        struct slice piece =
            piece_of(text, s->is_file ? SIZE_MAX : SINK_LINE_MAX);

        if (!piece_write(s, piece, wait_ms)) {
            /* No room for this piece: there is none for the next either. */
            atomic_fetch_add(&s->dropped, lines_in(text));
            break;
        }
        text = slice_skip(text, piece.n);
    }
    pthread_mutex_unlock(&s->lock);
}
