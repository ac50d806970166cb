/* disk_rec_impl.h - the memory of disk_rec.c, which disk_crash.c reads.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_DISK_REC_IMPL_H
#define PORT_DISK_REC_IMPL_H

#include "port/disk_rec.h"

#define REC_SECTOR  ((uint64_t)512)
#define REC_FDS_MAX 1024
#define REC_BLOCK   ((uint64_t)4096) /* what a file's bytes are counted in */

struct rec_write { /* bytes of a file, or its size */
    uint64_t time;
    bool is_size;
    uint64_t off; /* the size, if is_size */
    size_t n;
    uint8_t *p;
};

struct rec_name { /* a change of one name of a folder */
    uint64_t time;
    char *name;
    struct rec_inode *inode; /* NULL: removed */
};

struct rec_inode {
    struct rec_inode *next; /* all of the disk */
    bool is_dir;
    unsigned links;
    unsigned opens;
    bool locked;
    uint64_t alloc; /* room taken up to here */
    /* now */
    uint8_t *data;
    uint64_t size;
    uint64_t cap;
    struct rec_name *entry; /* folder: names as they are now; time unused */
    size_t n_entry, cap_entry;
    /* at the beginning of history */
    uint8_t *base;
    uint64_t base_size;
    /* since */
    struct rec_write *write;
    size_t n_write, cap_write;
    struct rec_name *change;
    size_t n_change, cap_change;
    uint64_t *sync; /* times */
    size_t n_sync, cap_sync;
};

struct rec_fd {
    struct rec_inode *inode;
    bool lock;
};

struct disk_rec {
    struct disk disk;
    struct disk_rec_conf conf;
    struct rec_inode *root;
    struct rec_inode *all;
    uint64_t time;
    bool history; /* is kept: since disk_rec_settle() */
    uint64_t used;
    uint64_t inodes;
    unsigned handles;
    struct rec_fd fd[REC_FDS_MAX];
};

static inline struct disk_rec *
rec_of(const struct disk *d)
{
    return container_of(d, struct disk_rec, disk);
}

void *rec_grow(void *p, size_t *cap, size_t n, size_t size);
struct rec_inode *rec_inode_new(struct disk_rec *r, bool is_dir);
void
rec_enter(struct rec_inode *dir, const char *name, struct rec_inode *inode);
/* Sets the contents of a new file, without history. */
void rec_content(struct rec_inode *f, const uint8_t *p, uint64_t size);

#endif
