/*
 * epoch_internal.h - when memory that readers use without a lock may be freed.
 *
 * A reader enters before it loads shared pointers and leaves when it has forgotten them.  A writer
 * unlinks something, then retires it; it is freed once every reader that was inside at that moment
 * has left.  Entering is one store; retiring takes a lock.
 *
 * Threads: any.  A slot is used by one thread at a time.
 */
#ifndef HEAD_EPOCH_INTERNAL_H
#define HEAD_EPOCH_INTERNAL_H

#include <stdatomic.h>

#include "base/cancel.h"
#include "base/lock.h"

struct epoch_slot {
    _Atomic uint64_t at;             /* epoch when it entered; 0: outside */
    int64_t mint_ms;                 /* a querier: it reads no older samples; constant */
    bool brief;                      /* an appender: inside for one request; constant */
    struct epoch_slot *next, **link; /* guarded by the lock of the epochs */
};

struct epochs {
    _Atomic uint64_t now;
    struct mutex lock;
    struct cond left;
    struct epoch_slot *slots;                 /* guarded by lock */
    struct retired *first, **last;            /* oldest first; guarded by lock */
    struct retired *spare;                    /* used again; guarded by lock, as the next two */
    uint64_t spare_count, waiting;
    _Atomic uint64_t retired_count, tried_at; /* for epoch_tidy */
};

void epochs_init(struct epochs *e);
void epochs_deinit(struct epochs *e); /* frees what is still retired; nobody may be inside */
void epoch_slot_add(struct epochs *e, struct epoch_slot *slot);
void epoch_slot_remove(struct epochs *e, struct epoch_slot *slot);

static inline void epoch_enter(struct epochs *e, struct epoch_slot *slot)
{
    /* An exchange, not a store: what is loaded later must not be older than what `at` says. */
    atomic_exchange(&slot->at, atomic_load(&e->now));
}
static inline void epoch_leave(struct epoch_slot *slot)
{
    atomic_store_explicit(&slot->at, 0, memory_order_release);
}

/* Frees p with release(p) once nobody can hold it; p must be unlinked already.  Accepts NULL. */
void epoch_retire(struct epochs *e, void *p, void (*release)(void *p));
void epoch_reclaim(struct epochs *e);
/* Reclaims now and then; for those who have just left and retire much. */
static inline void epoch_tidy(struct epochs *e)
{
    enum { STEP = 1024 };
    uint64_t count = atomic_load_explicit(&e->retired_count, memory_order_relaxed);
    if (count - atomic_load_explicit(&e->tried_at, memory_order_relaxed) < STEP)
        return;
    atomic_store_explicit(&e->tried_at, count, memory_order_relaxed);
    epoch_reclaim(e);
}
/* Waits until those queriers have left that are inside now and may read samples before a time, and all appenders. */
enum err epoch_wait(struct epochs *e, int64_t before_ms, struct cancel *cancel);
/* The same for appenders only: a matter of milliseconds. */
enum err epoch_wait_brief(struct epochs *e, struct cancel *cancel);
/* A moment to ask epoch_passed about: whether all who were inside then have left. */
uint64_t epoch_mark(struct epochs *e);
bool epoch_passed(struct epochs *e, uint64_t mark);

#endif
