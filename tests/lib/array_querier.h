/*
 * array_querier.h - a querier over series written down in a test.
 *
 *     struct array_querier a;
 *     array_querier_init(&a);
 *     array_querier_add(&a, "m", "job", "x", 3, (int64_t[]){1, 2, 3}, (double[]){...});
 *     a.base is the querier; closing it does nothing; array_querier_deinit frees.
 *
 * Regex matchers are not known.  label_names and label_values look at all series that match.
 */
#ifndef TESTS_LIB_ARRAY_QUERIER_H
#define TESTS_LIB_ARRAY_QUERIER_H

#include "storage/querier.h"

struct array_series {
    struct labels labels;
    uint32_t count;
    int64_t *times_ms;
    double *values;
    uint64_t times_id;
};

struct array_querier {
    struct querier base; /* first */
    struct arena arena;
    struct array_series *series;
    size_t count, capacity;
    uint32_t closed, readers_open;
};

void array_querier_init(struct array_querier *a);
void array_querier_deinit(struct array_querier *a);
struct array_series *array_querier_add(struct array_querier *a, const char *metric, const char *name, const char *value,
                                       uint32_t count, const int64_t *times_ms, const double *values);

#endif
