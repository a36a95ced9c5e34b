/* mask_internal.h - masks as the readers of a block use them. */
#ifndef BLOCK_MASK_INTERNAL_H
#define BLOCK_MASK_INTERNAL_H

#include "block/block_internal.h"
#include "block/block_mask.h"

struct mask_interval {
    int64_t mint_ms, maxt_ms; /* inclusive */
};

struct block_mask {
    _Atomic uint32_t references;
    uint64_t *gone; /* [series / 64 + 1]: nothing is left of the series */
    uint64_t gone_count;
    uint32_t partial_count;          /* series that lost some samples */
    uint32_t *ordinals;              /* [partial_count], ascending */
    uint32_t *first;                 /* [partial_count + 1] into intervals */
    struct mask_interval *intervals; /* of a series: ascending, apart from each other */
};

struct block_classes {
    _Atomic uint32_t references;
    uint8_t *of; /* [series] */
};

/* The intervals that a series lost. */
struct mask_cuts {
    const struct mask_interval *list;
    uint32_t count;
};

static inline bool view_is_gone(const struct block_view *v, uint32_t ordinal)
{
    return v && v->mask && v->mask->gone_count && v->mask->gone[ordinal / 64] >> (ordinal % 64) & 1;
}

static inline int64_t view_floor(const struct block_view *v, uint32_t ordinal)
{
    return !v ? INT64_MIN : v->floors[v->classes ? v->classes->of[ordinal] : 0];
}

struct mask_cuts view_cuts(const struct block_view *v, uint32_t ordinal);
/* The highest floor that a series of the block may have. */
int64_t view_floor_max(const struct block_view *v);
/* Whether some series may have no samples at all left. */
bool view_hides_series(const struct block *b, const struct block_view *v);

/*
 * Counts the samples of a series in [mint, maxt] that are left.  ERR_OK with *left = UINT32_MAX where damage hides the
 * answer. `enough` > 0: may stop counting there.
 */
MUST_CHECK enum err mask_count_left(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms,
                                    struct mask_cuts cuts, uint64_t enough, uint64_t *left, struct errmsg *why);

/* As sample_reader_read, _last and _chunk, without what the view hides.  view may be NULL. */
MUST_CHECK enum err masked_read(struct sample_reader *r, const struct block_view *view, uint32_t ordinal,
                                int64_t mint_ms, int64_t maxt_ms, struct samples *out, struct errmsg *why);
MUST_CHECK enum err masked_last(struct sample_reader *r, const struct block_view *view, uint32_t ordinal,
                                int64_t mint_ms, int64_t maxt_ms, struct samples *out, struct errmsg *why);
MUST_CHECK enum err masked_chunk(struct sample_reader *r, struct mask_cuts cuts, const struct chunk_entry *e,
                                 int64_t mint_ms, int64_t maxt_ms, struct samples *out, struct errmsg *why);
/* Whether one of the cuts touches [mint, maxt]. */
bool mask_touches(struct mask_cuts cuts, int64_t mint_ms, int64_t maxt_ms);

#endif
