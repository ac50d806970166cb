/* disk_rec.h - port/disk.h in memory, which can remember everything that was
 * done and say what a power cut would have left (D33). For tests.
 *
 * The rules are those that POSIX gives, not the kinder ones of a certain file
 * system. Between two syncs of a file each of its sectors (of 512 bytes, or a
 * 64th of a large file), and its size, are independently old or new; a sector
 * that was never written may also be rubbish, and an append may be cut in the
 * middle. Between two syncs of a folder each of its names is independently as
 * before or as after any of its changes. A name may be there and its file
 * empty. What a folder that was not synced into its parent holds is lost with
 * it.
 *
 * Every operation has a number, its time. disk_rec_settle() begins a record of
 * one run; then disk_rec_crash() makes the disk as it might be after a power
 * cut at any time of it. Where nobody asks for a record, no copies are made.
 * One thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_DISK_REC_H
#define PORT_DISK_REC_H

#include "base/prng.h"
#include "port/disk.h"

struct disk_rec_conf {
    uint64_t bytes;  /* room; 0: plenty */
    uint64_t inodes; /* 0: plenty */
    bool no_tmpfile;
};

/* An empty folder. Never NULL. */
struct disk *disk_rec_open(const struct disk_rec_conf *conf);

/* Operations so far. */
uint64_t disk_rec_time(const struct disk *d);
/* What is there now is durable, and history begins, or begins anew. */
void disk_rec_settle(struct disk *d);
/* Handles that are open, DISK_ROOT apart. */
unsigned disk_rec_handles(const struct disk *d);
/* Files and folders below the root that have a name. */
unsigned disk_rec_names(const struct disk *d);
/* Changes one byte of the file at PATH, as a bad disk would. */
bool disk_rec_damage(struct disk *d, const char *path, uint64_t off);
/* All paths, with sizes, for messages; to stderr. */
void disk_rec_print(const struct disk *d);

/* Where a crash has a choice: how many there are is told, the answer is one of
 * them. 0 is always "as it was at the last sync", N - 1 "all was written". */
typedef unsigned disk_choose_fn(void *arg, unsigned n);

/* The disk after a power cut at TIME in the history of D, which has one. The
 * new disk has none yet. */
struct disk *disk_rec_crash(const struct disk *d, uint64_t time,
                            disk_choose_fn *choose, void *arg);

/* All combinations of choices, one after the other:
 *
 *     struct disk_states s;
 *     disk_states_init(&s, limit, seed);
 *     while (disk_states_next(&s))
 *         disk_rec_crash(d, t, disk_states_choose, &s) ...
 *
 * Exhaustive up to LIMIT combinations. If there are more (`sampled`), the first
 * ones are followed by the two corners (nothing, all) and by random ones, LIMIT
 * in all. */
#define DISK_CHOICES_MAX 4096
struct disk_states {
    uint64_t limit;
    uint64_t done;
    struct prng prng;
    bool sampled;
    bool over;
    unsigned n;   /* choices met in this round */
    unsigned top; /* choices kept from the last round */
    uint16_t value[DISK_CHOICES_MAX];
    uint16_t bound[DISK_CHOICES_MAX];
};

void disk_states_init(struct disk_states *s, uint64_t limit, uint64_t seed);
bool disk_states_next(struct disk_states *s);
unsigned disk_states_choose(void *s, unsigned n);

#endif
