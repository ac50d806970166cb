/* memory.c - see memory.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/memory.h"
#include "base/base.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX      8192
#define PATH_MAX_HERE 512

/* Files of one version of control groups, below the group's folder. */
struct layout {
    const char *root;
    const char *limit, *used;
    const char *active, *inactive; /* in memory.stat */
};

static const struct layout v2 = {"/sys/fs/cgroup", "memory.max",
                                 "memory.current", "active_file",
                                 "inactive_file"};
static const struct layout v1 = {
    "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    "total_active_file", "total_inactive_file"};

/* The begin of a small file of the kernel's; empty when there is none. */
static struct slice
read_text(const char *path, char text[TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    if (fd != -1) {
        n = read(fd, text, TEXT_MAX);
        (void)close(fd);
    }
    return slice_of(text, n > 0 ? (size_t)n : 0);
}

static uint64_t
first_number(struct slice s)
{
    uint64_t v = 0;
    size_t n = 0;

    s = slice_trim(s);
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return slice_u64(slice_head(s, n), &v) ? v : 0;
}

uint64_t
memory_number(struct slice text, struct slice key)
{
    struct slice line;

    while (slice_cut(&text, '\n', &line))
        if (slice_starts(line, key))
            return first_number(slice_skip(line, key.n));
    return 0;
}

/* The group's path: behind "0::" (version 2) or ":memory:". */
static bool
group_path(struct slice groups, const char *key, char out[PATH_MAX_HERE])
{
    struct slice line;

    while (slice_cut(&groups, '\n', &line)) {
        const char *at = memmem(line.p, line.n, key, strlen(key));

        if (at)
            return slice_copy(
                slice_skip(line, (size_t)(at - line.p) + strlen(key)), out,
                PATH_MAX_HERE);
    }
    return false;
}

static struct slice
read_at(const struct layout *l, const char *group, const char *name,
        char text[TEXT_MAX])
{
    char path[PATH_MAX_HERE + 64];

    snprintf(path, sizeof(path), "%s%s/%s", l->root,
             strcmp(group, "/") == 0 ? "" : group, name);
    return read_text(path, text);
}

/* False: the group has no limit, or is not to be seen from here. */
static bool
read_group(const struct layout *l, const char *group, struct memory_use *out)
{
    char text[TEXT_MAX];
    struct slice stat;
    uint64_t cache;

    out->limit = first_number(read_at(l, group, l->limit, text));
    if (out->limit == 0 || out->limit > (uint64_t)1 << 60) /* "max" */
        return false;
    out->used = first_number(read_at(l, group, l->used, text));
    stat = read_at(l, group, "memory.stat", text);
    cache = memory_number(stat, slice_str(l->active)) +
            memory_number(stat, slice_str(l->inactive));
    out->used -= cache < out->used ? cache : out->used;
    return true;
}

static void
read_machine(struct memory_use *out)
{
    char text[TEXT_MAX];
    struct slice s = read_text("/proc/meminfo", text);
    uint64_t free = memory_number(s, SLICE("MemAvailable:")) * 1024;

    out->limit = memory_number(s, SLICE("MemTotal:")) * 1024;
    out->used = out->limit > free ? out->limit - free : 0;
}

void
memory_read(struct memory_use *out)
{
    char text[TEXT_MAX], group[PATH_MAX_HERE];
    struct slice groups = read_text("/proc/self/cgroup", text);

    *out = (struct memory_use){0};
    if (group_path(groups, "0::", group) && read_group(&v2, group, out))
        return;
    if (group_path(groups, ":memory:", group) && read_group(&v1, group, out))
        return;
    /* In a container the group's own folder is often the root. */
    if (read_group(&v2, "/", out) || read_group(&v1, "/", out))
        return;
    read_machine(out);
}
