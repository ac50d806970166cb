/* sandbox.c - see sandbox.h.
 *
 * Landlock and seccomp by their system calls (landlock(7), seccomp(2)); glibc
 * has no wrappers, and Debian 12's headers know neither the third nor the
 * fourth version of Landlock, so their constants stand here. The filter is a
 * list of what is refused, not of what is allowed: libraries that are updated
 * under us begin to use calls that nobody foresaw, and what matters is named.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/sandbox.h"
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LL_TRUNCATE    (1ULL << 14) /* version 3, kernel 6.2 */
#define LL_CONNECT_TCP (1ULL << 1)  /* version 4, kernel 6.7 */

#define LL_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* All of version 2 but programs, devices and sockets. */
#define LL_WRITE                                                               \
    (LL_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |            \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
/* What a rule may say of a file that is no folder. */
#define LL_OF_FILES \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LL_TRUNCATE)

/* As of version 4; earlier kernels are told a shorter size. */
struct ll_ruleset {
    uint64_t fs;
    uint64_t net;
};

/* What libraries read at any time: certificates, time zones, resolvers,
 * plugins, what the kernel tells. */
static const char *const system_read[] = {"/etc",  "/usr", "/lib", "/lib64",
                                          "/proc", "/sys", "/run", "/dev"};
static const char *const system_write[] = {"/dev/null"};

static void
lacks(struct sandbox_got *got, const char *what, int sys)
{
    if (got->why[0] == '\0')
        (void)snprintf(got->why, sizeof(got->why), "%s: %s", what,
                       strerror(sys));
}

/* ---- files and network ---- */

static bool
allow(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    struct stat st;
    bool ok;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= LL_OF_FILES;
    ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
                 &rule, 0) == 0;
    close(rule.parent_fd);
    return ok;
}

static bool
allow_all(int rules, const char *const *path, size_t n, uint64_t access)
{
    for (size_t i = 0; i < n; i++) {
        if (!allow(rules, path[i], access))
            return false;
    }
    return true;
}

static enum err
enter_landlock(const struct sandbox_plan *p, struct sandbox_got *got,
               struct fault *f)
{
    struct ll_ruleset r = {0};
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
    const uint64_t cut = version >= 3 ? LL_TRUNCATE : 0;
    int rules;
    bool ok;

    /* The first version cannot allow a rename between folders. */
    if (version < 2) {
        lacks(got, "Landlock", version < 0 ? errno : ENOSYS);
        return ERR_OK;
    }
    r.fs = ((LANDLOCK_ACCESS_FS_REFER << 1) - 1) | cut;
    r.net = version >= 4 && !p->connects ? LL_CONNECT_TCP : 0;
    if (version < 4 && !p->connects)
        lacks(got, "Landlock for connections", ENOSYS);
    rules = (int)syscall(SYS_landlock_create_ruleset, &r,
                         version >= 4 ? sizeof(r) : sizeof(r.fs), 0);
    if (rules < 0) {
        lacks(got, "Landlock", errno);
        return ERR_OK;
    }
    ok =
        allow_all(rules, system_read, countof(system_read), LL_READ) &&
        allow_all(rules, system_write, countof(system_write), LL_WRITE | cut) &&
        allow_all(rules, p->read, p->n_read, LL_READ) &&
        allow_all(rules, p->write, p->n_write, LL_WRITE | cut) &&
        syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (!ok)
        (void)fault_sys(f, errno, "restrict", "files");
    close(rules);
    got->files = ok;
    got->network = ok && r.net;
    return ok ? ERR_OK : ERR_IO;
}

/* ---- privileges ---- */

/* What a process that was started as root keeps: its files, low ports, locked
 * memory of rings. */
#define CAPS_KEPT                                                            \
    (1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER | \
     1U << CAP_NET_BIND_SERVICE | 1U << CAP_IPC_LOCK | 1U << CAP_SYS_RESOURCE)

static bool
drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version =
                                                _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2];

    if (syscall(SYS_capget, &head, set) != 0)
        return false;
    set[0].effective &= CAPS_KEPT;
    set[0].permitted &= CAPS_KEPT;
    set[0].inheritable = 0;
    memset(&set[1], 0, sizeof(set[1]));
    return syscall(SYS_capset, &head, set) == 0;
}

enum err
sandbox_enter(const struct sandbox_plan *p, struct sandbox_got *got,
              struct fault *f)
{
    *got = (struct sandbox_got){0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fault_sys(f, errno, "prctl", "no_new_privs");
    if (!drop_capabilities())
        return fault_sys(f, errno, "capset", "capabilities");
    return enter_landlock(p, got, f);
}

/* ---- calls ---- */

#define CALL_REFUSED(nr)                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##nr, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
static const struct sock_filter refused[] = {
    /* Numbers mean something else in another ABI, so there is none. */
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    /* x32 (bit 30) would be such another one. */
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    /* programs */
    CALL_REFUSED(execve),
    CALL_REFUSED(execveat),
    /* other processes, and what looks into the kernel */
    CALL_REFUSED(ptrace),
    CALL_REFUSED(process_vm_readv),
    CALL_REFUSED(process_vm_writev),
    CALL_REFUSED(pidfd_getfd),
    CALL_REFUSED(bpf),
    CALL_REFUSED(perf_event_open),
    CALL_REFUSED(userfaultfd),
    CALL_REFUSED(add_key),
    CALL_REFUSED(request_key),
    CALL_REFUSED(keyctl),
    /* another view of the files */
    CALL_REFUSED(mount),
    CALL_REFUSED(umount2),
    CALL_REFUSED(move_mount),
    CALL_REFUSED(open_tree),
    CALL_REFUSED(fsopen),
    CALL_REFUSED(fsmount),
    CALL_REFUSED(pivot_root),
    CALL_REFUSED(chroot),
    CALL_REFUSED(unshare),
    CALL_REFUSED(setns),
    CALL_REFUSED(open_by_handle_at),
    /* the machine */
    CALL_REFUSED(init_module),
    CALL_REFUSED(finit_module),
    CALL_REFUSED(delete_module),
    CALL_REFUSED(kexec_load),
    CALL_REFUSED(reboot),
    CALL_REFUSED(swapon),
    CALL_REFUSED(swapoff),
    CALL_REFUSED(acct),
    CALL_REFUSED(settimeofday),
    CALL_REFUSED(clock_settime),
    CALL_REFUSED(clock_adjtime),
    CALL_REFUSED(adjtimex),
    /* another ring would do all of it out of this filter's sight */
    CALL_REFUSED(io_uring_setup),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
#endif

enum err
sandbox_seal(struct sandbox_got *got, struct fault *f)
{
#ifdef ARCH
    struct sock_fprog prog = {.len = countof(refused),
                              .filter = (struct sock_filter *)refused};
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     SECCOMP_FILTER_FLAG_TSYNC, &prog);

    if (r > 0) /* a thread that has a filter of its own */
        return fault_set(f, ERR_IO, "restrict", "calls of all threads");
    if (r < 0)
        lacks(got, "seccomp", errno);
    got->calls = r == 0;
#else
    (void)f;
    lacks(got, "seccomp on this processor", ENOSYS);
#endif
    return ERR_OK;
}
