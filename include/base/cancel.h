/*
 * cancel.h - how a query learns that nobody wants its answer any more.
 *
 * A token is set by the network (client gone), an operator or a deadline; work checks it per tile,
 * per 64 Ki samples, per 4,096 series.  cancel_check is one relaxed load unless a deadline is near.
 *
 * Ownership: embedded in whatever owns the request; outlives the work.
 * Threads:   any may set or check.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"

struct cancel {
    _Atomic int why;       /* enum err: ERR_OK while wanted, else ERR_CANCELED, ERR_TIMEOUT ... */
    struct clock *clock;   /* borrowed; NULL = no deadline */
    int64_t deadline_ns;   /* on clock->mono_ns; 0 = none */
};

static inline void cancel_init(struct cancel *c, struct clock *clock, int64_t deadline_ns)
{
    *c = (struct cancel){.clock = clock, .deadline_ns = deadline_ns};
}

static inline void cancel_set(struct cancel *c, enum err why)
{
    int wanted = ERR_OK;
    atomic_compare_exchange_strong(&c->why, &wanted, (int)why);
}

/* ERR_OK, or why to stop.  NULL is never canceled. */
static inline enum err cancel_check(struct cancel *c)
{
    if (!c)
        return ERR_OK;
    enum err why = (enum err)atomic_load_explicit(&c->why, memory_order_relaxed);
    if (why == ERR_OK && c->deadline_ns && clock_mono_ns(c->clock) >= c->deadline_ns) {
        cancel_set(c, ERR_TIMEOUT);
        why = (enum err)atomic_load_explicit(&c->why, memory_order_relaxed);
    }
    return why;
}

#endif
