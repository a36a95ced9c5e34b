/*
 * cut_internal.h - a cut under way.
 */
#ifndef HEAD_CUT_INTERNAL_H
#define HEAD_CUT_INTERNAL_H

#include "head/append_internal.h"
#include "head/seal_internal.h"

struct head_cut {
    struct head *head;
    struct epoch_slot epoch;
    int64_t before_ms;
    uint32_t pages; /* those that existed at the start */
    int64_t *windows; /* numbers of aligned windows with samples, ascending once known */
    size_t window_count, window_capacity, window_next;
    bool windows_known;
    struct arena arena; /* of the set that was selected last */
};

/* ---- truncate.c ---- */
/* Frees what the cut has taken; series that have nothing left and are idle leave. */
void truncate_before(struct head_cut *cut, int64_t idle_ms, struct cancel *cancel);

#endif
