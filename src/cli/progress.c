/* progress.c - see progress.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "cli/clock.h"
#include "cli/meter.h"
#include "cli/text.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_NS INT64_C(200000000)

static struct {
    bool on;
    bool drawn; /* the cursor stands behind a bar */
    bool utf8;
    unsigned files;
    struct mono next; /* do not draw before */
    struct meter meter;
} bar;

static volatile sig_atomic_t stop_signal;

static void
on_signal(int sig)
{
    stop_signal = sig;
}

bool
interrupted(void)
{
    static bool armed;

    if (!armed) {
        struct sigaction sa = {.sa_handler = on_signal};

        /* Once: the second ^C finds the default again. */
        sa.sa_flags = (int)SA_RESETHAND;
        sigaction(SIGINT, &sa, NULL);
        sigaction(SIGTERM, &sa, NULL);
        armed = true;
    }
    return stop_signal != 0;
}

size_t
terminal_cols(int fd)
{
    struct winsize w;

    if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return 80;
}

void
progress_start(bool quiet, unsigned files)
{
    const char *term = getenv("TERM");
    const struct mono now = mono_now();

    bar.on = !quiet && isatty(STDERR_FILENO) && term && *term &&
             strcmp(term, "dumb") != 0;
    bar.utf8 = text_is_utf8();
    bar.files = files;
    bar.drawn = false;
    /* What is over at once needs no bar. */
    bar.next = mono_add(now, (struct dur){DRAW_NS});
    meter_init(&bar.meter, now);
}

void
progress_hide(void)
{
    if (!bar.drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar.drawn = false;
    bar.next = (struct mono){0};
}

void
progress_stop(void)
{
    progress_hide();
    bar.on = false;
}

void
progress_update(uint64_t bytes, uint64_t total, unsigned files_done,
                const char *name)
{
    const struct mono now = mono_now();
    struct buf line;

    if (!bar.on)
        return;
    meter_update(&bar.meter, now, bytes);
    if (mono_before(now, bar.next))
        return;
    buf_init(&line, 8 * KIB);
    /* The last column stays free: some terminals wrap when it is written. */
    progress_line(&line,
                  &(struct progress_view){.bytes = bytes,
                                          .total = total,
                                          .rate = meter_rate(&bar.meter),
                                          .eta = meter_eta(&bar.meter, total),
                                          .files_done = files_done,
                                          .files = bar.files,
                                          .name = name,
                                          .utf8 = bar.utf8},
                  terminal_cols(STDERR_FILENO) - 1);
    fprintf(stderr, "\r%s\033[K", buf_str(&line));
    fflush(stderr);
    buf_release(&line);
    bar.drawn = true;
    bar.next = mono_add(now, (struct dur){DRAW_NS});
}

void
say(const char *fmt, ...)
{
    char text[2048];
    struct buf b;
    va_list ap;

    progress_hide();
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_init(&b, 10 * KIB);
    text_safe(&b, slice_str(text));
    fprintf(stderr, "artstore: %s\n", buf_str(&b));
    buf_release(&b);
}
