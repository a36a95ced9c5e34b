/*
 * select_internal.h - matchers with what the index knows about them, for those who select by other ways.
 *
 * Threads: of one reader, inside an epoch.
 */
#ifndef HEAD_SELECT_INTERNAL_H
#define HEAD_SELECT_INTERNAL_H

#include "head/head_internal.h"

struct term {
    const struct matcher *m;
    struct label_name *name; /* NULL: no series has this label */
    uint32_t name_index;
    bool needs_value; /* a series without the label does not match */
    uint32_t *pairs;  /* needs_value, once literals or a scan filled it: those that match */
    size_t pair_count, pair_capacity;
    uint64_t series;   /* needs_value: how many series those have */
    uint8_t *verdicts; /* by pair id, when it is tested series by series */
};
void term_begin(struct head *h, struct term *t, const struct matcher *m);
/* Looks up the values that the matcher names; false: it names none, all have to be tested. */
bool term_literals(struct head *h, struct term *t);
/* Tests every value that can match. */
MUST_CHECK enum err term_scan(struct head *h, struct term *t, struct cancel *cancel);
struct slice term_prefix(const struct term *t); /* all values that match begin with it; empty: not known */
/* Whether a series with these pairs satisfies the term; needs t->verdicts. */
bool term_accepts(struct head *h, struct term *t, const uint32_t *ids, uint32_t count);
void term_deinit(struct term *t);

/* Pairs of a name whose values begin with a prefix, in order, and others that may and have to be tested. */
struct value_range {
    const uint32_t *sorted, *rest;
    uint32_t sorted_count, rest_count;
};
MUST_CHECK enum err values_beginning(struct head *h, struct label_name *name, struct slice prefix,
                                     struct cancel *cancel, struct value_range *out);

/* Whether the page has samples in the range. */
bool page_has_time(struct page *p, int64_t mint_ms, int64_t maxt_ms);

/* As select_refs, but series that left and series without samples in the range may be among them ... */
MUST_CHECK enum err select_candidates(struct head *h, const struct selector *sel, struct cancel *cancel,
                                      struct refs *out, struct errmsg *why);
/* ... and this takes them out. */
void keep_in_time(struct head *h, struct refs *refs, int64_t mint_ms, int64_t maxt_ms);

/* ---- walk.c ---- */

/*
 * Series that match, some at a time and in no order, for who stops early: nothing is decoded that is not asked for.
 * The most selective matcher that is quickly looked up gives the candidates, the others are tested on their pairs.
 */
struct walk {
    struct head *h;
    const struct selector *sel;
    struct cancel *cancel;
    struct term *terms, *driver; /* NULL driver: every series is a candidate */
    uint32_t term_count, pair_limit;
    bool nothing;
    size_t pair;              /* of the driver */
    const uint8_t *at, *end;  /* postings of that pair */
    uint32_t ref, page, slot; /* last candidate; or place among all */
    uint32_t time_page;       /* whose answer `in_time` is */
    bool in_time;
    uint64_t looked; /* candidates so far */
};
MUST_CHECK enum err walk_begin(struct walk *w, struct head *h, const struct selector *sel, struct cancel *cancel);
/* The next ones, at most `max`; *count 0: there are no more. */
MUST_CHECK enum err walk_next(struct walk *w, series_ref *out, uint32_t max, uint32_t *count);
/* Whether this series is one of them. */
bool walk_accepts(struct walk *w, series_ref ref);
void walk_end(struct walk *w);

/* One value of a postings list after the other. */
static inline bool postings_next(const uint8_t **at, const uint8_t *end, uint32_t *ref)
{
    uint64_t delta;
    if (*at == end)
        return false;
    *at = varint_get(*at, end, &delta);
    assert(*at != NULL);
    *ref = (uint32_t)(*ref + zigzag_get(delta));
    return true;
}

#endif
