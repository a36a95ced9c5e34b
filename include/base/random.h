/*
 * random.h - the seam for randomness: keys, ULIDs, jitter.
 *
 * random_system() reads the kernel; random_seeded() gives the same bytes for the same seed (tests).
 * Threads: random_system any; a seeded source one at a time.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    void (*fill)(struct random *random, void *out, size_t bytes);
};

struct random *random_system(void);

struct random_seeded {
    struct random base; /* first */
    uint64_t state[4];
};
void random_seeded_init(struct random_seeded *r, uint64_t seed);
uint64_t random_u64(struct random *random);

#endif
