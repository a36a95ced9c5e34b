/*
 * replay_page_internal.h - parts of pages as checkpoints tell them, whole (replay_page.c) or changed
 * (replay_changes.c).
 *
 * Threads: the page's lock is held.
 */
#ifndef HEAD_REPLAY_PAGE_INTERNAL_H
#define HEAD_REPLAY_PAGE_INTERNAL_H

#include "head/replay_internal.h"

/* A record being read; `p` is NULL once something did not fit. */
struct cursor {
    const uint8_t *p, *end;
};

static inline uint64_t take_varint(struct cursor *c, uint64_t max)
{
    uint64_t v = 0;
    c->p = c->p ? varint_get(c->p, c->end, &v) : NULL;
    if (v > max)
        c->p = NULL;
    return c->p ? v : 0;
}

static inline uint64_t take_le64(struct cursor *c)
{
    if (!c->p || c->end - c->p < 8) {
        c->p = NULL;
        return 0;
    }
    c->p += 8;
    return le64_get(c->p - 8);
}

static inline struct slice take_bytes(struct cursor *c)
{
    uint64_t len = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0);
    if (!c->p || len > (uint64_t)(c->end - c->p)) {
        c->p = NULL;
        return (struct slice){0};
    }
    c->p += len;
    return slice_of(c->p - len, (size_t)len);
}

/* Entries of the column, behind those that are there. */
void read_times(struct head *h, struct page *p, struct cursor *c, uint64_t count);
/* Checks gaps and values of a chunk by reading them; *last (may be NULL): bits of its newest value. */
bool read_chunk_is_sound(const struct head_chunk *c, struct slice data, uint64_t *last);
void read_side(struct head *h, struct page *p, struct series_line *x, struct cursor *c);
void read_hists(struct head *h, struct page *p, struct series_line *x, struct cursor *c);

#endif
