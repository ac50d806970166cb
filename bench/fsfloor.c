/* fsfloor.c - how fast could this file system commit small files at best?
 *
 * The system calls of the element's batched commit and nothing else: no HTTP,
 * no hash, no index. This is the bound that small uploads are held to. Per
 * file: data and attr.json are each written into an O_TMPFILE, their writeback
 * is started, and both get their names. Per batch: the folder and every file
 * are synced, by several threads at once, so that the file system's journal
 * commits them together; then one record goes to a journal file, which is what
 * the acknowledgements of the batch would wait for. While one batch is synced
 * the next is written.
 *
 *   fsfloor --dir D [--files N] [--size BYTES] [--attr BYTES] [--batch N]
 *           [--inflight N] [--sync-threads N] [--folder N] [--journal-sync]
 *
 * Prints one JSON object. A bucket folder takes --folder files (8,192), as the
 * element's do, then there is a new one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_MAX = 1024, SIZE_MAX_ = 1 << 20 };

static struct {
    const char *dir;
    long files, size, attr, batch, inflight, threads, folder;
    bool journal_sync;
} opt = {NULL, 20000, 4096, 900, 64, 2, 8, 8192, false};

/* Descriptors that wait for their sync. One queue for all batches; a batch is
 * done when its count of outstanding syncs is zero. */
struct task {
    int fd;
    bool folder;
    int *left;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct task *task;
    size_t head, tail, size;
    bool end;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .work = PTHREAD_COND_INITIALIZER,
           .done = PTHREAD_COND_INITIALIZER};

static pthread_mutex_t name_lock = PTHREAD_MUTEX_INITIALIZER;
static long taken; /* files that some writer has claimed */
static int journal_fd;

static void *
sync_thread(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        struct task t;
        int rc;

        while (queue.head == queue.tail && !queue.end)
            pthread_cond_wait(&queue.work, &queue.lock);
        if (queue.head == queue.tail)
            break;
        t = queue.task[queue.head++ % queue.size];
        pthread_mutex_unlock(&queue.lock);
        rc = t.folder ? fsync(t.fd) : fdatasync(t.fd);
        if (rc != 0)
            err(1, "sync");
        if (!t.folder)
            close(t.fd);
        pthread_mutex_lock(&queue.lock);
        if (--*t.left == 0)
            pthread_cond_broadcast(&queue.done);
    }
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* Syncs all descriptors of FD and the folder; returns when they are on disk. */
static void
sync_all(const int *fd, int n, int folder)
{
    int left = n + 1;

    pthread_mutex_lock(&queue.lock);
    for (int i = 0; i <= n; i++)
        queue.task[queue.tail++ % queue.size] =
            (struct task){i < n ? fd[i] : folder, i == n, &left};
    pthread_cond_broadcast(&queue.work);
    while (left > 0)
        pthread_cond_wait(&queue.done, &queue.lock);
    pthread_mutex_unlock(&queue.lock);
}

static int
write_file(int dir, const char *name, const char *data, long n)
{
    int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    char self[64];

    if (fd < 0)
        err(1, "O_TMPFILE");
    if (pwrite(fd, data, (size_t)n, 0) != n)
        err(1, "pwrite");
    if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) != 0)
        err(1, "sync_file_range");
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) != 0)
        err(1, "linkat");
    return fd;
}

/* The folder that file number N goes into, made if it is the first there. */
static int
folder_open(long n)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%05ld", opt.dir, n / opt.folder);
    pthread_mutex_lock(&name_lock);
    (void)mkdir(path, 0700);
    pthread_mutex_unlock(&name_lock);
    fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

static void
commit(long first, int n, const char *data)
{
    int fd[2 * BATCH_MAX], folder = folder_open(first), used = 0;
    char record[64] = "";

    for (int i = 0; i < n; i++) {
        char name[64];

        snprintf(name, sizeof(name), "report_user_20250102T153045_%08ld.bin",
                 first + i);
        fd[used++] = write_file(folder, name, data, opt.size);
        strcat(name, ".attr.json");
        fd[used++] = write_file(folder, name, data, opt.attr);
    }
    sync_all(fd, used, folder);
    close(folder);
    snprintf(record, sizeof(record), "%ld %d\n", first, n);
    if (write(journal_fd, record, sizeof(record)) != (ssize_t)sizeof(record) ||
        (opt.journal_sync && fdatasync(journal_fd) != 0))
        err(1, "journal");
}

static void *
batch_thread(void *arg)
{
    const char *data = arg;

    for (;;) {
        long first, n;

        pthread_mutex_lock(&name_lock);
        first = taken;
        n = opt.files - taken < opt.batch ? opt.files - taken : opt.batch;
        taken += n;
        pthread_mutex_unlock(&name_lock);
        if (n <= 0)
            return NULL;
        commit(first, (int)n, data);
    }
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
options(int argc, char **argv)
{
    static const struct option known[] = {
        {"dir", 1, NULL, 'd'},          {"files", 1, NULL, 'n'},
        {"size", 1, NULL, 's'},         {"attr", 1, NULL, 'a'},
        {"batch", 1, NULL, 'b'},        {"inflight", 1, NULL, 'i'},
        {"sync-threads", 1, NULL, 't'}, {"folder", 1, NULL, 'f'},
        {"journal-sync", 0, NULL, 'j'}, {NULL, 0, NULL, 0}};
    int o;

    while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
        long v = optarg != NULL ? strtol(optarg, NULL, 10) : 0;

        switch (o) {
        case 'd':
            opt.dir = optarg;
            break;
        case 'n':
            opt.files = v;
            break;
        case 's':
            opt.size = v;
            break;
        case 'a':
            opt.attr = v;
            break;
        case 'b':
            opt.batch = v;
            break;
        case 'i':
            opt.inflight = v;
            break;
        case 't':
            opt.threads = v;
            break;
        case 'f':
            opt.folder = v;
            break;
        case 'j':
            opt.journal_sync = true;
            break;
        default:
            errx(2, "see the head of fsfloor.c");
        }
    }
    if (opt.dir == NULL || opt.files < 1 || opt.size < 0 ||
        opt.size > SIZE_MAX_ || opt.attr > SIZE_MAX_ || opt.batch < 1 ||
        opt.batch > BATCH_MAX || opt.inflight < 1 || opt.inflight > 64 ||
        opt.threads < 1 || opt.threads > 256 || opt.folder < 1)
        errx(2, "see the head of fsfloor.c");
}

int
main(int argc, char **argv)
{
    pthread_t syncer[256], writer[64];
    char path[4096], *data;
    struct rusage u;
    double start, seconds, cpu;

    options(argc, argv);
    data = malloc(SIZE_MAX_);
    queue.size = (size_t)(2 * opt.batch + 1) * (size_t)opt.inflight;
    queue.task = calloc(queue.size, sizeof(*queue.task));
    if (data == NULL || queue.task == NULL)
        err(1, "malloc");
    memset(data, 'x', SIZE_MAX_);
    snprintf(path, sizeof(path), "%s/journal", opt.dir);
    journal_fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (journal_fd < 0)
        err(1, "%s", path);
    start = now();
    for (long i = 0; i < opt.threads; i++)
        pthread_create(&syncer[i], NULL, sync_thread, NULL);
    for (long i = 0; i < opt.inflight; i++)
        pthread_create(&writer[i], NULL, batch_thread, data);
    for (long i = 0; i < opt.inflight; i++)
        pthread_join(writer[i], NULL);
    seconds = now() - start;
    pthread_mutex_lock(&queue.lock);
    queue.end = true;
    pthread_cond_broadcast(&queue.work);
    pthread_mutex_unlock(&queue.lock);
    for (long i = 0; i < opt.threads; i++)
        pthread_join(syncer[i], NULL);
    getrusage(RUSAGE_SELF, &u);
    cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
          (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
    printf("{\"files\": %ld, \"seconds\": %.4f, \"files_per_s\": %.1f, "
           "\"cpu_us_per_file\": %.2f, \"batch\": %ld, \"inflight\": %ld, "
           "\"sync_threads\": %ld}\n",
           opt.files, seconds, (double)opt.files / seconds,
           cpu * 1e6 / (double)opt.files, opt.batch, opt.inflight, opt.threads);
    free(queue.task);
    free(data);
    return 0;
}
