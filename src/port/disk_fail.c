/* disk_fail.c - see disk_fail.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/disk_fail.h"
#include <errno.h>

static int
sys_of(const struct disk_fail *w)
{
    return w->sys ? w->sys : EIO;
}

static enum err
fail_exec(struct disk *d, struct disk_op *op, struct fault *f)
{
    struct disk_fail *w = container_of(d, struct disk_fail, disk);

    bool gives_back = op->what == DISK_CLOSE ||
                      (op->what == DISK_GATE && !(op->flags & DISK_ENTER));

    if (gives_back || !fail_now(&w->fail))
        return w->inner->ops->exec(w->inner, op, f);
    w->last = op->what;
    return fault_sys(f, sys_of(w), disk_do_name(op->what), "made to fail");
}

static void
nothing(struct work *w)
{
    (void)w;
}

static void
io_done(struct loop *l, struct work *w)
{
    struct file_io *io = container_of(w, struct file_io, work);

    io->done(l, io);
}

static void
fail_io(struct disk *d, struct loop *l, struct file_io *io)
{
    struct disk_fail *w = container_of(d, struct disk_fail, disk);

    if (!fail_now(&w->fail)) {
        w->inner->ops->io(w->inner, l, io);
        return;
    }
    w->last = io->write ? DISK_PWRITE : DISK_PREAD;
    io->res = -sys_of(w);
    io->work = (struct work){.work = nothing, .done = io_done};
    loop_work(l, &io->work);
}

static void
fail_close(struct disk *d)
{
    struct disk_fail *w = container_of(d, struct disk_fail, disk);

    w->inner->ops->close(w->inner);
}

void
disk_fail_init(struct disk_fail *w, struct disk *inner)
{
    static const struct disk_ops ops = {
        .exec = fail_exec, .io = fail_io, .close = fail_close};

    *w = (struct disk_fail){.disk = {.ops = &ops, .real_fd = inner->real_fd},
                            .inner = inner};
}
