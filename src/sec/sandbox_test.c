/* sandbox_test.c - what is refused in a sandbox, and what goes on. Each row
 * runs in a process of its own, whose exit status is the errno of what it
 * tried.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/sandbox.h"
#include "base/base.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char inside[64], outside[64];

static int
opens(const char *folder, const char *name, int flags)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return open(path, flags | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int
write_inside(void)
{
    return opens(inside, "new", O_CREAT | O_RDWR | O_TRUNC);
}

static int
read_outside(void)
{
    return opens(outside, "old", O_RDONLY);
}

static int
write_outside(void)
{
    return opens(outside, "new", O_CREAT | O_WRONLY);
}

static int
rename_between_folders(void)
{
    char from[128], to[128], sub[128];

    snprintf(from, sizeof(from), "%s/old", inside);
    snprintf(sub, sizeof(sub), "%s/sub", inside);
    snprintf(to, sizeof(to), "%s/sub/moved", inside);
    return mkdir(sub, 0700) || rename(from, to) ? errno : 0;
}

/* As files are published: without a name first. */
static int
link_unnamed(void)
{
    char proc[64], to[128];
    int fd = open(inside, O_TMPFILE | O_WRONLY, 0600);

    if (fd < 0)
        return errno == EOPNOTSUPP ? 0 : errno;
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    snprintf(to, sizeof(to), "%s/linked", inside);
    return linkat(AT_FDCWD, proc, AT_FDCWD, to, AT_SYMLINK_FOLLOW) ? errno : 0;
}

static int
read_system(void)
{
    return opens("/etc", "passwd", O_RDONLY);
}

static int
write_system(void)
{
    return opens("/proc/self", "comm", O_WRONLY);
}

static int
run_program(void)
{
    char *none[] = {NULL};

    return execve("/bin/true", none, none) ? errno : 0;
}

static int
make_ring(void)
{
    char params[120] = {0};

    return syscall(SYS_io_uring_setup, 1, params) < 0 ? errno : 0;
}

static int
another_view(void)
{
    return syscall(SYS_unshare, 0) != 0 ? errno : 0;
}

static int
call_out(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? errno : 0;
}

static atomic_bool sealed;

static void *
elder(void *arg)
{
    while (!atomic_load(&sealed))
        usleep(1000);
    *(int *)arg = run_program();
    return NULL;
}

/* A thread that was there before the filter has it as well. */
static int
run_program_elsewhere(void)
{
    return 0; /* see in_sandbox() */
}

static int
in_sandbox(int (*what)(void), bool connects)
{
    const char *write[] = {inside, "/nowhere"};
    struct sandbox_plan plan = {
        .write = write, .n_write = 2, .connects = connects};
    struct sandbox_got got;
    struct fault f = {0};
    pthread_t thread;
    int result = 0;

    if (sandbox_enter(&plan, &got, &f) != ERR_OK)
        return 200;
    if (!got.files || (!connects && !got.network))
        return 201;
    if (pthread_create(&thread, NULL, elder, &result) != 0)
        return 202;
    if (sandbox_seal(&got, &f) != ERR_OK || !got.calls)
        return 203;
    atomic_store(&sealed, true);
    pthread_join(thread, NULL);
    return what == run_program_elsewhere ? result : what();
}

static int
result_of(int (*what)(void), bool connects)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(in_sandbox(what, connects));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
refused_and_allowed(void **state)
{
    static const struct {
        int (*what)(void);
        bool connects;
        int want;
        const char *why;
    } rows[] = {
        {write_inside, true, 0, "its own folder"},
        {rename_between_folders, true, 0, "publishing moves files"},
        {link_unnamed, true, 0, "and links them"},
        {read_system, true, 0, "resolvers, certificates"},
        {read_outside, true, EACCES, "somebody else's file"},
        {write_outside, true, EACCES, "somebody else's folder"},
        {write_system, true, EACCES, "the system is there to be read"},
        {run_program, true, EPERM, "no program is ever run"},
        {run_program_elsewhere, true, EPERM, "nor by an elder thread"},
        {make_ring, true, EPERM, "a ring would evade the filter"},
        {another_view, true, EPERM, "another view of the files"},
        {call_out, true, ECONNREFUSED, "a role that calls out"},
        {call_out, false, EACCES, "elements never do"},
    };

    (void)state;
    /* A kernel before 6.7, or one that does not let us. */
    if (result_of(write_inside, false) >= 201)
        skip();
    for (size_t i = 0; i < countof(rows); i++) {
        int got = result_of(rows[i].what, rows[i].connects);

        if (got != rows[i].want)
            fail_msg("%s: %s (%d)", rows[i].why, strerror(got), got);
    }
}

static int
make_folders(void **state)
{
    (void)state;
    (void)snprintf(inside, sizeof(inside), "/tmp/artstore-in-XXXXXX");
    (void)snprintf(outside, sizeof(outside), "/tmp/artstore-out-XXXXXX");
    return !mkdtemp(inside) || !mkdtemp(outside) ||
           opens(inside, "old", O_CREAT | O_WRONLY) ||
           opens(outside, "old", O_CREAT | O_WRONLY);
}

static int
remove_folders(void **state)
{
    static const char *const names[] = {"/sub/moved", "/sub",    "/new",
                                        "/old",       "/linked", ""};
    char path[128];

    (void)state;
    for (size_t i = 0; i < countof(names); i++) {
        snprintf(path, sizeof(path), "%s%s", inside, names[i]);
        (void)remove(path);
        snprintf(path, sizeof(path), "%s%s", outside, names[i]);
        (void)remove(path);
    }
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_and_allowed)};

    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
