/* clock.c - the system's clocks and a clock for tests; the contract is in clock.h. */
#include "base/clock.h"

#include <time.h>

#include "base/assert.h"

static int64_t clock_read_ns(clockid_t id)
{
    struct timespec ts;
    int failed = clock_gettime(id, &ts);
    assert(!failed);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t system_now_ms(struct clock *clock)
{
    (void)clock;
    return clock_read_ns(CLOCK_REALTIME) / 1000000;
}

static int64_t system_mono_ns(struct clock *clock)
{
    (void)clock;
    return clock_read_ns(CLOCK_MONOTONIC);
}

static void system_sleep_ns(struct clock *clock, int64_t ns)
{
    (void)clock;
    struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&ts, &ts) != 0)
        ; /* interrupted: ts holds the rest */
}

struct clock *clock_system(void)
{
    static struct clock system = {system_now_ms, system_mono_ns, system_sleep_ns};
    return &system;
}

static int64_t fake_now_ms(struct clock *clock)
{
    return ((struct clock_fake *)clock)->ms;
}

static int64_t fake_mono_ns(struct clock *clock)
{
    return ((struct clock_fake *)clock)->ns;
}

static void fake_sleep_ns(struct clock *clock, int64_t ns)
{
    struct clock_fake *fake = (struct clock_fake *)clock;
    fake->ns += ns;
    fake->ms += ns / 1000000;
}

void clock_fake_init(struct clock_fake *fake, int64_t now_ms)
{
    fake->base = (struct clock){fake_now_ms, fake_mono_ns, fake_sleep_ns};
    fake->ms = now_ms;
    fake->ns = 1000000000;
}

void clock_fake_advance(struct clock_fake *fake, int64_t ms)
{
    fake->ms += ms;
    fake->ns += ms * 1000000;
}
