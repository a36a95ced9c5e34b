/*
 * clock.h - the seam for time: wall clock for samples, monotonic clock for durations.
 *
 * main passes a struct clock down; nothing calls clock_gettime itself.  Tests drive a fake one.
 * Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*now_ms)(struct clock *clock);  /* Unix time, UTC */
    int64_t (*mono_ns)(struct clock *clock); /* never goes back; no meaning but differences */
    void (*sleep_ns)(struct clock *clock, int64_t ns);
};

struct clock *clock_system(void);

static inline int64_t clock_now_ms(struct clock *clock)
{
    return clock->now_ms(clock);
}

static inline int64_t clock_mono_ns(struct clock *clock)
{
    return clock->mono_ns(clock);
}

static inline void clock_sleep_ns(struct clock *clock, int64_t ns)
{
    clock->sleep_ns(clock, ns);
}

/* A clock that tests set and move; now and mono advance together. */
struct clock_fake {
    struct clock base; /* first, so that &fake.base is the clock */
    _Atomic int64_t ms;
    _Atomic int64_t ns;
};
void clock_fake_init(struct clock_fake *fake, int64_t now_ms);
void clock_fake_advance(struct clock_fake *fake, int64_t ms);

#endif
