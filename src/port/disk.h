/* disk.h - one folder of a file system, as the storage element sees it.
 *
 * A single entry, exec(), carries out one operation and blocks: it is called
 * from worker threads only (struct work), from any of them at the same time.
 * One entry instead of twenty functions, because the drivers that matter most
 * here treat all operations alike: disk_rec.c records them and can say which
 * states a power cut may leave, disk_fail.c fails the N-th. The other driver is
 * io/disk_linux.c. disk_contract.c holds each of them to this page. The small
 * functions below are the operations, one each.
 *
 * Names are relative to a folder handle and never leave it: one component
 * without a slash, except where "path" is said; then each component is walked
 * without following symbolic links. Handles are small integers that only
 * disk_close() ends; DISK_ROOT is the folder itself and is always open.
 *
 * What is promised about a power cut: a write, a size, a name is durable only
 * after a sync of the file (data and size) or of the folder (its names). Until
 * then each of them may or may not be there, independently of the others.
 *
 * Answers: ERR_NOENT, ERR_EXISTS (also a folder that is not empty), ERR_NOSPC,
 * ERR_NOINODES where the driver can tell, ERR_UNSUPPORTED, ERR_BUSY (lock).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_DISK_H
#define PORT_DISK_H

#include "base/err.h"
#include "base/slice.h"
#include "port/loop.h"

#define DISK_ROOT     0
#define DISK_NONE     (-1)
#define DISK_NAME_MAX 255
#define DISK_PATH_MAX 512

enum disk_do {
    DISK_MKDIR,
    DISK_OPEN,
    DISK_CREATE,
    DISK_TMPFILE,
    DISK_CLOSE,
    DISK_PWRITE,
    DISK_PREAD,
    DISK_ALLOC,
    DISK_TRUNCATE,
    DISK_LINK,
    DISK_RENAME,
    DISK_UNLINK,
    DISK_RMDIR,
    DISK_WRITEBACK,
    DISK_SYNC,
    DISK_LIST,
    DISK_STAT,
    DISK_STATFS,
    DISK_LOCK,
    DISK_GATE,
    DISK_DO_COUNT
};

enum disk_flag {
    DISK_DIR = 1,    /* OPEN: a folder */
    DISK_WRITE = 2,  /* OPEN: for writing too */
    DISK_DIRECT = 4, /* TMPFILE, CREATE: past the page cache where possible;
                        cleared in the operation when it was not */
    DISK_FRESH = 8,  /* OPEN: forget what the page cache holds of the file, so
                        that what is read next is what the device has */
    DISK_ENTER = 16, /* GATE: in, not out */
};

struct disk_stat {
    uint64_t size;
    bool is_dir;
};

struct disk_space {
    uint64_t total;        /* bytes of the file system */
    uint64_t free;         /* bytes an ordinary user may still take */
    uint64_t inodes_total; /* 0: the file system has no such limit */
    uint64_t inodes_free;
    uint64_t fs_id; /* equal for folders of one file system */
};

/* false stops the walk. "." and ".." are not told. */
typedef bool disk_list_fn(void *arg, const char *name, bool is_dir);

/* One piece of a write from several places in memory. */
struct disk_piece {
    const void *p;
    size_t n;
};
#define DISK_PIECES_MAX 32

struct disk_op {
    enum disk_do what;
    unsigned flags;
    int dir; /* the folder of NAME */
    const char *name;
    int dir2; /* RENAME: where to */
    const char *name2;
    int fd;  /* in, or the result of OPEN, CREATE, TMPFILE */
    void *p; /* PREAD, PWRITE */
    const struct disk_piece *piece; /* PWRITE: instead of P and N ... */
    size_t n_piece;                 /* ... when this is not 0 */
    size_t n;
    uint64_t off;   /* also ALLOC, TRUNCATE: the size */
    size_t did;     /* PREAD: bytes read */
    const int *set; /* SYNC */
    size_t n_set;
    disk_list_fn *fn;
    void *arg;
    struct disk_stat *stat;
    struct disk_space *space;
};

struct disk;

struct disk_ops {
    enum err (*exec)(struct disk *d, struct disk_op *op, struct fault *f);
    /* Data blocks of large bodies: like loop_file(), completes on L. */
    void (*io)(struct disk *d, struct loop *l, struct file_io *io);
    void (*close)(struct disk *d);
};

struct disk {
    const struct disk_ops *ops;
    bool real_fd; /* handles are descriptors of the kernel (sendfile) */
};

/* One folder; its parent must exist. ERR_EXISTS is an answer. */
enum err disk_mkdir(struct disk *d, int dir, const char *name, struct fault *f);
/* NAME may be a path; flags DISK_DIR, DISK_WRITE, DISK_FRESH. */
enum err disk_open(struct disk *d, int dir, const char *name, unsigned flags,
                   int *fd, struct fault *f);
/* A new empty file, for reading and writing. */
enum err disk_create(struct disk *d, int dir, const char *name, int *fd,
                     struct fault *f);
/* A file without a name on DIR's file system; gone when closed, unless linked.
 * *FLAGS may hold DISK_DIRECT, and says afterwards whether it was granted:
 * then memory, offset and length of every write are multiples of 4096.
 * ERR_UNSUPPORTED: create and rename instead. */
enum err disk_tmpfile(struct disk *d, int dir, unsigned *flags, int *fd,
                      struct fault *f);
/* Sets *FD to DISK_NONE; nothing happens if it is already, or is DISK_ROOT. */
void disk_close(struct disk *d, int *fd);
/* All N bytes, or an error. */
enum err disk_pwrite(struct disk *d, int fd, const void *p, size_t n,
                     uint64_t off, struct fault *f);
/* The pieces behind each other, DISK_PIECES_MAX at most, in one call. */
enum err disk_pwritev(struct disk *d, int fd, const struct disk_piece *piece,
                      size_t n, uint64_t off, struct fault *f);
/* *DID is less than N at the end of the file only. */
enum err disk_pread(struct disk *d, int fd, void *p, size_t n, uint64_t off,
                    size_t *did, struct fault *f);
/* Takes room for bytes [OFF, OFF + N) without changing the size.
 * ERR_UNSUPPORTED is an answer: then there is no such promise. */
enum err
disk_alloc(struct disk *d, int fd, uint64_t off, uint64_t n, struct fault *f);
enum err disk_truncate(struct disk *d, int fd, uint64_t size, struct fault *f);
/* Gives the file without a name one. ERR_EXISTS: someone has it. */
enum err
disk_link(struct disk *d, int fd, int dir, const char *name, struct fault *f);
/* What was at the new name is replaced, in one step. */
enum err disk_rename(struct disk *d, int dir, const char *name, int dir2,
                     const char *name2, struct fault *f);
enum err
disk_unlink(struct disk *d, int dir, const char *name, struct fault *f);
enum err disk_rmdir(struct disk *d, int dir, const char *name, struct fault *f);
/* Asks for the bytes to be on their way to the device; promises nothing. */
enum err disk_writeback(struct disk *d, int fd, struct fault *f);
/* Makes all N handles durable, files and folders alike. The driver may do it
 * in parallel. An error is final for all of them (D24). */
enum err disk_sync(struct disk *d, const int *fd, size_t n, struct fault *f);
/* Names in DIR, in no order. What is added or removed meanwhile may or may not
 * be told. FN must not call the disk. */
enum err disk_list(struct disk *d, int dir, disk_list_fn *fn, void *arg,
                   struct fault *f);
enum err
disk_stat(struct disk *d, int fd, struct disk_stat *st, struct fault *f);
enum err disk_statfs(struct disk *d, struct disk_space *sp, struct fault *f);
/* Holds FD's file for this process until it is closed. ERR_BUSY is an
 * answer. */
enum err disk_lock(struct disk *d, int fd, struct fault *f);
/* The gate of the file system: of all processes with a folder there that can
 * find it, one at a time is in. Whoever takes room goes in first, so that the
 * others do not count what is given back in a moment. It is a courtesy: enter
 * waits 100 ms at most, and ERR_BUSY and ERR_UNSUPPORTED (there is no gate) are
 * answers. The caller serialises its own threads. */
enum err disk_gate_enter(struct disk *d, struct fault *f);
void disk_gate_leave(struct disk *d);

/* Reads a whole small file into BUF (appends; its ceiling is the limit:
 * ERR_TOOBIG). NAME may be a path. */
struct buf;
enum err disk_read_file(struct disk *d, int dir, const char *name,
                        struct buf *buf, struct fault *f);
/* Replaces NAME by TEXT: NAME.new, sync, rename, sync of DIR. After a power cut
 * it is the old or the new one. */
enum err disk_replace_file(struct disk *d, int dir, const char *name,
                           struct slice text, struct fault *f);

static inline void
disk_io(struct disk *d, struct loop *l, struct file_io *io)
{
    d->ops->io(d, l, io);
}

const char *disk_do_name(enum disk_do what);

#endif
