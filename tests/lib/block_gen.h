/*
 * block_gen.h - a made-up set of series in memory, the model that blocks are compared with.
 *
 * Series come from a few targets that share scrape times; some start late, end early, miss scrapes, go
 * stale, hold histograms, mix kinds, or have start times.  All from a seed.
 */
#ifndef TESTS_LIB_BLOCK_GEN_H
#define TESTS_LIB_BLOCK_GEN_H

#include "block/block.h"

struct gen_series {
    struct labels labels;
    struct samples samples;
};

struct gen_set {
    struct arena arena;
    uint32_t count;
    struct gen_series *series; /* in block_labels_cmp order */
    uint64_t samples;
};

struct gen_options {
    uint64_t seed;
    uint32_t targets, metrics; /* series: up to targets * metrics * 3 */
    uint32_t scrapes;
    int64_t start_ms, step_ms;
    bool histograms, start_times;
};

void gen_set_make(struct gen_set *set, const struct gen_options *o);
void gen_set_free(struct gen_set *set);
/* Writes the set's samples in [mint, maxt] as a block; aborts on failure. */
void gen_set_write(const struct gen_set *set, struct fs *fs, const char *dir, const struct block_writer_options *o,
                   int64_t mint_ms, int64_t maxt_ms, struct block_meta *meta);
/* NULL when the same samples in [mint, maxt], bit by bit; else what differs. */
const char *gen_samples_differ(const struct samples *want, const struct samples *got, int64_t mint_ms, int64_t maxt_ms);

#endif
