/*
 * head_model.h - a head beside a plain model of what it must hold: one sorted array per series.
 *
 * Appends go to both; model_compare reads everything back through a querier and compares bit by bit.
 */
#ifndef TESTS_LIB_HEAD_MODEL_H
#define TESTS_LIB_HEAD_MODEL_H

#include "base/random.h"
#include "head/appender.h"
#include "head/head.h"

struct model_sample {
    int64_t time_ms;
    uint64_t bits; /* of the value, or of a histogram's sum */
    bool hist;
};

struct model_series {
    char labels[128]; /* as labels_print shows them */
    uint8_t canonical[160];
    size_t canonical_len;
    struct model_sample *list;
    size_t count, capacity;
};

struct head_model {
    struct head *head;
    struct head_appender *appender;
    struct random_seeded random;
    struct buf records; /* everything logged since the start, one frame per request */
    size_t frame_ends[65536];
    size_t frame_count;
    struct model_series *series;
    size_t series_count;
};

void model_init(struct head_model *m, uint64_t seed, size_t series);
void model_deinit(struct head_model *m);
uint64_t model_random(struct head_model *m, uint64_t below);
/* One request: rows of (series, time, bits). */
struct model_row {
    size_t series;
    int64_t time_ms;
    uint64_t bits;
};
void model_append(struct head_model *m, const struct model_row *rows, size_t count);
/* Native histograms, made from their sums alone. */
void model_append_histogram(struct head_model *m, size_t series, int64_t time_ms, double sum);
/* Random requests in the style of scrapes, with gaps, repeats, late, doubled and special values. */
void model_scrapes(struct head_model *m, int64_t from_ms, int scrapes);
/* Every series of `head` against the model; times outside [mint, maxt] are left out on both sides. */
void model_compare(struct head_model *m, struct head *head, int64_t mint_ms, int64_t maxt_ms);
/* Forgets samples before a time, as a cut does. */
void model_drop(struct head_model *m, int64_t before_ms);
/* The same when records are missing, so that others may contradict each other. */
struct head *model_replay_damaged(struct head_model *m, unsigned threads, struct head_replay_report *report);
struct head *model_replay(struct head_model *m, unsigned threads, struct head_replay_report *report);

#endif
