/* random.c - kernel randomness, and a reproducible source (xoshiro256**, Blackman and Vigna 2018). */
#include "base/random.h"

#include <string.h>
#include <sys/random.h>

#include "base/assert.h"

static void system_fill(struct random *random, void *out, size_t bytes)
{
    (void)random;
    uint8_t *p = out;
    while (bytes) {
        ssize_t n = getrandom(p, bytes, 0);
        if (n < 0)
            continue; /* interrupted; getrandom has no other failure for valid arguments */
        p += n;
        bytes -= (size_t)n;
    }
}

struct random *random_system(void)
{
    static struct random system = {system_fill};
    return &system;
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t seeded_next(uint64_t *s)
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void seeded_fill(struct random *random, void *out, size_t bytes)
{
    struct random_seeded *r = (struct random_seeded *)random;
    uint8_t *p = out;
    while (bytes) {
        uint64_t v = seeded_next(r->state);
        size_t n = bytes < sizeof v ? bytes : sizeof v;
        memcpy(p, &v, n);
        p += n;
        bytes -= n;
    }
}

void random_seeded_init(struct random_seeded *r, uint64_t seed)
{
    r->base.fill = seeded_fill;
    for (int i = 0; i < 4; i++) { /* splitmix64, as the authors recommend for seeding */
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        r->state[i] = z ^ (z >> 31);
    }
}

uint64_t random_u64(struct random *random)
{
    uint64_t v;
    random->fill(random, &v, sizeof v);
    return v;
}
