/*
 * cut_internal.h - a cut under way.
 */
#ifndef HEAD_CUT_INTERNAL_H
#define HEAD_CUT_INTERNAL_H

#include "head/append_internal.h"
#include "head/seal_internal.h"

/* [mint_ms, maxt_ms] of an aligned window. */
struct cut_window {
    int64_t mint_ms, maxt_ms;
};

struct head_cut {
    struct head *head;
    struct epoch_slot epoch;
    int64_t before_ms;
    uint32_t pages;           /* those that existed at the start */
    uint64_t *only;           /* bitmap of the pages it takes; NULL: all */
    const int64_t *ranges_ms; /* longer ones for old samples; NULL: none */
    uint32_t range_count;
    struct cut_window *windows; /* with samples, ascending and apart once known */
    size_t window_count, window_capacity, window_next;
    bool windows_known;
    struct refs refs;           /* of the window that was selected, by metric name */
    uint32_t *ends, name_count; /* [name_count]: where the series of each name end in refs */
    labels_order order;
    size_t next; /* the first ref that was not handed out */
    uint32_t next_name;
    struct arena arena; /* of the piece handed out last */
};

static inline bool cut_takes(const struct head_cut *cut, uint32_t page)
{
    return !cut->only || cut->only[page >> 6] >> (page & 63) & 1;
}

/* ---- truncate.c ---- */
/* Frees what the cut has taken; series that have nothing left and are idle leave. */
void truncate_before(struct head_cut *cut, int64_t idle_ms, struct cancel *cancel);

#endif
