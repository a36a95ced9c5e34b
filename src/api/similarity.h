/*
 * similarity.h - how alike two texts are, with the scores of Prometheus' search API: 1 the same, 0 not at all.
 *
 * Texts are runes, at most SIMILARITY_RUNES_MAX of each, so that no score takes long.
 *
 * Ownership: runes_deinit frees; a zeroed struct is empty and can be filled again and again.
 * Threads:   one at a time.
 */
#ifndef API_SIMILARITY_H
#define API_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { SIMILARITY_RUNES_MAX = 4096 };

struct runes {
    int32_t *list;
    size_t count, capacity;
};
void runes_set(struct runes *r, struct slice text);
void runes_deinit(struct runes *r);
bool runes_eq(const struct runes *a, const struct runes *b);
bool runes_starts_with(const struct runes *r, const struct runes *prefix);

/* All of the pattern's runes in order: runs count by their square, what lies between costs. */
double similarity_subsequence(const struct runes *pattern, const struct runes *text);
/* Jaro-Winkler: runes in common near each other, a common beginning counts more. */
double similarity_jaro_winkler(const struct runes *a, const struct runes *b);
/* Whether text contains the pattern; the earlier the better: 1 at the beginning, 0.1 at the end. */
bool similarity_substring(const struct runes *pattern, const struct runes *text, double *score);

#endif
