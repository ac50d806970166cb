/* disk_sync.c - see disk_sync.h.
 *
 * A set is a job on the caller's stack in a list that all threads look at; each
 * takes the next handle of the first job that has one left, and wakes the next
 * thread if there is more: woken all at once, they would first queue up for the
 * lock. The last to finish wakes the caller.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/disk_sync.h"
#include "base/list.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_MAX 64

struct job {
    struct list item;
    const int *fd;
    size_t n;
    size_t next;
    size_t left; /* not yet finished */
    int root;
    int sys; /* first error */
    pthread_cond_t finished;
};

struct disk_sync {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct list jobs; /* those with a handle that nobody has taken */
    bool stop;
    unsigned n_threads;
    pthread_t thread[THREADS_MAX];
};

static int
sync_one(int fd)
{
    struct stat st;
    int r;

    do
        r = fstat(fd, &st) == -1  ? -1
            : S_ISDIR(st.st_mode) ? fsync(fd)
                                  : fdatasync(fd);
    while (r == -1 && errno == EINTR);
    return r == -1 ? errno : 0;
}

/* Takes one handle of J and syncs it. The lock is held on entry and return. */
static void
job_step(struct disk_sync *s, struct job *j)
{
    int fd = j->fd[j->next++];
    bool more;
    int sys;

    if (j->next == j->n)
        list_remove(&j->item);
    more = !list_empty(&s->jobs);
    pthread_mutex_unlock(&s->mu);
    if (more)
        pthread_cond_signal(&s->wake);
    sys = sync_one(fd == 0 ? j->root : fd);
    pthread_mutex_lock(&s->mu);
    if (sys && !j->sys)
        j->sys = sys;
    if (--j->left == 0)
        pthread_cond_signal(&j->finished);
}

static void *
run(void *arg)
{
    struct disk_sync *s = arg;

    pthread_mutex_lock(&s->mu);
    for (;;) {
        if (!list_empty(&s->jobs))
            job_step(s, container_of(s->jobs.next, struct job, item));
        else if (s->stop)
            break;
        else
            pthread_cond_wait(&s->wake, &s->mu);
    }
    pthread_mutex_unlock(&s->mu);
    return NULL;
}

int
disk_sync_run(struct disk_sync *s, const int *fd, size_t n, int root)
{
    struct job j = {.fd = fd, .n = n, .left = n, .root = root};

    if (n == 0)
        return 0;
    if (n == 1)
        return sync_one(fd[0] == 0 ? root : fd[0]);
    pthread_cond_init(&j.finished, NULL);
    pthread_mutex_lock(&s->mu);
    list_push(&s->jobs, &j.item);
    while (j.next < j.n)
        job_step(s, &j);
    while (j.left)
        pthread_cond_wait(&j.finished, &s->mu);
    pthread_mutex_unlock(&s->mu);
    pthread_cond_destroy(&j.finished);
    return j.sys;
}

enum err
disk_sync_open(struct disk_sync **out, unsigned threads, struct fault *f)
{
    struct disk_sync *s = calloc(1, sizeof(*s));

    if (!s)
        return fault_set(f, ERR_NOMEM, "sync threads", "");
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->wake, NULL);
    list_init(&s->jobs);
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    for (unsigned i = 0; i < threads; i++) {
        int sys = pthread_create(&s->thread[i], NULL, run, s);

        if (sys) {
            disk_sync_close(&s);
            return fault_sys(f, sys, "pthread_create", "sync");
        }
        (void)pthread_setname_np(s->thread[i], "disk-sync");
        s->n_threads++;
    }
    *out = s;
    return ERR_OK;
}

void
disk_sync_close(struct disk_sync **sp)
{
    struct disk_sync *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    pthread_mutex_lock(&s->mu);
    assert(list_empty(&s->jobs));
    s->stop = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->mu);
    for (unsigned i = 0; i < s->n_threads; i++)
        pthread_join(s->thread[i], NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mu);
    free(s);
}
