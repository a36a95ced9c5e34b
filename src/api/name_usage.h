/*
 * name_usage.h - how often queries asked for a metric name, to find metrics that nobody uses.
 *
 * Ownership: names are copied; at most NAME_USAGE_MAX of them, later ones are not counted.
 * Threads:   any.
 */
#ifndef API_NAME_USAGE_H
#define API_NAME_USAGE_H

#include "base/arena.h"
#include "base/lock.h"
#include "model/matcher.h"

enum { NAME_USAGE_MAX = 100000 };

struct name_use {
    struct slice name; /* empty: free */
    uint64_t requests;
    int64_t last_ms;
};
struct name_usage {
    struct mutex lock;
    struct arena arena;    /* guarded by lock; of the names */
    struct name_use *list; /* guarded by lock; open addressing, capacity a power of two */
    size_t count, capacity;
    int64_t since_ms; /* guarded by lock */
};
void name_usage_init(struct name_usage *u, int64_t now_ms);
void name_usage_deinit(struct name_usage *u);
/* Counts the names that the selectors ask for by name="...". */
void name_usage_note(struct name_usage *u, const struct matcher_set *sets, uint32_t count, int64_t now_ms);
void name_usage_reset(struct name_usage *u, int64_t now_ms);

#endif
