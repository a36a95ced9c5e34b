/* lock.c - pthread wrappers that abort on misuse; the contract is in lock.h. */
#include "base/lock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

static void must(int failed)
{
    assert(!failed);
}

void mutex_init(struct mutex *m)
{
    must(pthread_mutex_init(&m->m, NULL));
}

void mutex_deinit(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->m));
}

NO_LOCK_CHECK void mutex_lock(struct mutex *m)
{
    must(pthread_mutex_lock(&m->m));
}

NO_LOCK_CHECK bool mutex_try_lock(struct mutex *m)
{
    int failed = pthread_mutex_trylock(&m->m);
    assert(failed == 0 || failed == EBUSY);
    return failed == 0;
}

NO_LOCK_CHECK void mutex_unlock(struct mutex *m)
{
    must(pthread_mutex_unlock(&m->m));
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->c, &attr));
    must(pthread_condattr_destroy(&attr));
}

void cond_deinit(struct cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void cond_wait(struct cond *c, struct mutex *m)
{
    must(pthread_cond_wait(&c->c, &m->m));
}

bool cond_wait_ns(struct cond *c, struct mutex *m, int64_t ns)
{
    struct timespec until;
    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_sec += ns / 1000000000;
    until.tv_nsec += ns % 1000000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int failed = pthread_cond_timedwait(&c->c, &m->m, &until);
    assert(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

void rwlock_init(struct rwlock *l)
{
    must(pthread_rwlock_init(&l->l, NULL));
}

void rwlock_deinit(struct rwlock *l)
{
    must(pthread_rwlock_destroy(&l->l));
}

NO_LOCK_CHECK void rwlock_read(struct rwlock *l)
{
    must(pthread_rwlock_rdlock(&l->l));
}

NO_LOCK_CHECK void rwlock_write(struct rwlock *l)
{
    must(pthread_rwlock_wrlock(&l->l));
}

NO_LOCK_CHECK void rwlock_read_unlock(struct rwlock *l)
{
    must(pthread_rwlock_unlock(&l->l));
}

NO_LOCK_CHECK void rwlock_write_unlock(struct rwlock *l)
{
    must(pthread_rwlock_unlock(&l->l));
}

pthread_t thread_start(const char *name, void *(*run)(void *arg), void *arg)
{
    /* Signals belong to the main thread: a new thread inherits the mask that is set here. */
    sigset_t all, before;
    sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before));
    pthread_t thread;
    must(pthread_create(&thread, NULL, run, arg));
    must(pthread_sigmask(SIG_SETMASK, &before, NULL));
    assert(strlen(name) < 16);
#if defined(__linux__)
    pthread_setname_np(thread, name);
#endif
    return thread;
}

void thread_prompt(void)
{
#if defined(__linux__) && defined(SYS_sched_setattr)
    /* sched(7), struct sched_attr as first published; glibc has had it since 2.41 only.  Older kernels pass the slice over. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice_ns, deadline_ns, period_ns;
    } attr = {.size = sizeof attr, .nice = getpriority(PRIO_PROCESS, 0), .slice_ns = 100000};
    long ignored = syscall(SYS_sched_setattr, 0, &attr, 0); /* only a wish */
    (void)ignored;
#endif
}

void thread_lower(void)
{
#if defined(__linux__)
    enum { NICER = 10 };
    int ignored = setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICER); /* only a wish */
    (void)ignored;
#endif
}
