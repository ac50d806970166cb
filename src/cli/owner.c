/* owner.c - see owner.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/owner.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char hint[200]; /* fault_hint() keeps what it is given */
static struct {
    bool yes;
    uid_t uid;
    gid_t gid;
} became;

/* Root follows a link where root made it: to another disk, say. Only what is
 * not there at all is ERR_NOENT. */
static int
open_folder(const char *folder, struct fault *f)
{
    int flags = O_PATH | O_DIRECTORY | O_CLOEXEC, fd;
    struct stat st;

    if (geteuid() == 0 && (lstat(folder, &st) != 0 || st.st_uid != 0))
        flags |= O_NOFOLLOW;
    fd = open(folder, flags);
    if (fd != -1)
        return fd;
    (void)fault_sys(f, errno, "open", folder);
    if (f->sys == ENOTDIR) {
        f->code = ERR_INVAL;
        if (flags & O_NOFOLLOW)
            (void)fault_hint(f,
                             "of links root follows only its own: run this as "
                             "the user that the server is, or name the folder "
                             "that is meant");
    }
    return -1;
}

/* Could another than the owner, whom FILE in DIR tells (NULL: there is none),
 * have put something there? */
static bool
is_mixed(const struct stat *dir, const struct stat *file)
{
    if (file && dir->st_uid != 0 && dir->st_uid != file->st_uid)
        return true;
    return (file ? file : dir)->st_uid == 0 &&
           (dir->st_mode & S_IWOTH ||
            (dir->st_mode & S_IWGRP && dir->st_gid != 0));
}

static enum err
look(const char *folder, const char *name, struct stat *out, bool *is_file,
     struct fault *f)
{
    struct stat dir, file;
    int fd = open_folder(folder, f);
    enum err e = ERR_OK;

    if (fd == -1)
        return f->code;
    *is_file = name && fstatat(fd, name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(file.st_mode);
    if (fstat(fd, &dir) != 0) {
        e = fault_sys(f, errno, "stat", folder);
    } else if (geteuid() == 0 && is_mixed(&dir, *is_file ? &file : NULL)) {
        e = fault_set(f, ERR_DENIED, "work as root in", folder);
        (void)fault_hint(f, "others may write there: run this as the user "
                            "that the server is, or give the folder and what "
                            "is in it to one user (chown, chmod)");
    }
    *out = *is_file ? file : dir;
    (void)close(fd);
    return e;
}

/* All of the user's groups, and that of the file where it is one of them. */
static bool
set_groups(const struct passwd *who, gid_t gid)
{
    if (who == NULL)
        return setgroups(1, &gid) == 0 && setgid(gid) == 0;
    return initgroups(who->pw_name, who->pw_gid) == 0 &&
           setgid(group_member(gid) ? gid : who->pw_gid) == 0;
}

static enum err
become(const struct stat *st, const char *folder, const char *slash,
       const char *name, struct fault *f)
{
    const struct passwd *who = getpwuid(st->st_uid);
    char whom[80];

    if (who)
        snprintf(whom, sizeof(whom), "%s (uid %u)", who->pw_name,
                 (unsigned)st->st_uid);
    else
        snprintf(whom, sizeof(whom), "uid %u", (unsigned)st->st_uid);
    if (!set_groups(who, st->st_gid) || setuid(st->st_uid) != 0) {
        (void)fault_sys(f, errno, "become the owner of", folder);
        snprintf(hint, sizeof(hint),
                 "run it as that user: `sudo -u '#%u' artstore ...`, or "
                 "`setpriv --reuid=%u --regid=%u --clear-groups artstore ...`",
                 (unsigned)st->st_uid, (unsigned)st->st_uid,
                 (unsigned)st->st_gid);
        return fault_hint(f, hint);
    }
    became.yes = true;
    became.uid = st->st_uid;
    became.gid = getgid();
    fprintf(stderr, "artstore storage: goes on as %s, the owner of %s%s%s\n",
            whom, folder, slash, name);
    return ERR_OK;
}

static enum err
enter(const char *folder, const char *name, struct stat *st, bool *is_file,
      struct fault *f)
{
    enum err e = look(folder, name, st, is_file, f);

    if (e != ERR_OK || geteuid() != 0 || st->st_uid == 0)
        return e;
    return become(st, folder, *is_file ? "/" : "", *is_file ? name : "", f);
}

enum err
owner_enter(const char *folder, const char *name, struct fault *f)
{
    struct stat st;
    bool is_file;

    return geteuid() == 0 ? enter(folder, name, &st, &is_file, f) : ERR_OK;
}

enum err
owner_enter_element(const char *folder, struct fault *f)
{
    struct stat st;
    bool is_file;
    enum err e = enter(folder, "superblock", &st, &is_file, f);

    if (e == ERR_OK && is_file)
        (void)umask(~st.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH));
    return e;
}

void
owner_explain(enum err code)
{
    if (became.yes && (code == ERR_DENIED || code == ERR_READONLY))
        fprintf(stderr,
                "(It ran as uid %u. What is there must be his: `chown -h "
                "%u:%u FILE` gives him what root left, `install -d -o %u "
                "-g %u DIR` makes him a folder. If the server has a group "
                "that he is not in, run this as the server is run.)\n",
                (unsigned)became.uid, (unsigned)became.uid,
                (unsigned)became.gid, (unsigned)became.uid,
                (unsigned)became.gid);
}
