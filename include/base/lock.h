/*
 * lock.h - mutex, reader-writer lock and condition with the annotations that clang checks.
 *
 * Thin wrappers over pthreads; failures of pthread calls are bugs and abort.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__clang__)
#define LOCK_ATTR_(x) __attribute__((x))
#else
#define LOCK_ATTR_(x)
#endif
#define CAPABILITY(name) LOCK_ATTR_(capability(name))
#define REQUIRES(...) LOCK_ATTR_(requires_capability(__VA_ARGS__))
#define ACQUIRES(...) LOCK_ATTR_(acquire_capability(__VA_ARGS__))
#define RELEASES(...) LOCK_ATTR_(release_capability(__VA_ARGS__))
#define NO_LOCK_CHECK LOCK_ATTR_(no_thread_safety_analysis)

struct CAPABILITY("mutex") mutex {
    pthread_mutex_t m;
};
#define MUTEX_INIT {.m = PTHREAD_MUTEX_INITIALIZER}
void mutex_init(struct mutex *m);
void mutex_deinit(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRES(*m);
bool mutex_try_lock(struct mutex *m) LOCK_ATTR_(try_acquire_capability(true, *m));
void mutex_unlock(struct mutex *m) RELEASES(*m);

struct cond {
    pthread_cond_t c; /* on CLOCK_MONOTONIC */
};
void cond_init(struct cond *c);
void cond_deinit(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m) REQUIRES(*m);
bool cond_wait_ns(struct cond *c, struct mutex *m, int64_t ns) REQUIRES(*m); /* false: time passed */
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

struct CAPABILITY("rwlock") rwlock {
    pthread_rwlock_t l;
};
void rwlock_init(struct rwlock *l);
void rwlock_deinit(struct rwlock *l);
void rwlock_read(struct rwlock *l) LOCK_ATTR_(acquire_shared_capability(*l));
void rwlock_write(struct rwlock *l) ACQUIRES(*l);
void rwlock_read_unlock(struct rwlock *l) LOCK_ATTR_(release_shared_capability(*l));
void rwlock_write_unlock(struct rwlock *l) RELEASES(*l);

/* Starts a named thread (name: at most 15 bytes, shown by top and gdb); aborts when it cannot. */
pthread_t thread_start(const char *name, void *(*run)(void *arg), void *arg);
/* The calling thread gets less of the CPU than others, where the system can do that per thread. */
void thread_lower(void);
/*
 * The calling thread gets short turns, no more of the CPU: when it wakes up it runs before threads that are in the middle of
 * longer ones (Linux 6.12 and later; elsewhere nothing changes).  For threads that work briefly while others wait for them.
 */
void thread_prompt(void);

#endif
