/*
 * symbols_internal.h - the labels of all series while a block is written.
 *
 * A pair gets a number when it is first seen; at the end names and values are sorted, pairs get their
 * final ids, and three sections are made of the same lists: labels (value id per series and name), the
 * dictionary, and the postings.
 *
 * Page of SECTION_LABELS, for up to LABEL_GROUP_SERIES neighbours: series count, name count varint; per
 * name that one of them has, ascending: name number, smallest value id varint, width u8 (0, 1, 2, 4);
 * then for each such name an array [series] of value id - smallest, `width` bytes each.  Value id 0: the
 * series has no such label; else 1 + pair id - first pair id of the name.
 *
 * Page of SECTION_DICT: pair count varint, postings offset of the first pair varint; per DICT_RESTART
 * pairs u32 offset of its entry (from the end of this table), u32 postings offset (from the first); then
 * entries: shared bytes with the value before (0 at a restart), other bytes varint, these, series count
 * varint, then the ordinal (count 1) or the bytes of the postings.
 *
 * SECTION_POSTINGS: one stream of bytes in pages; the lists of ordinals, ascending, as integer streams
 * of up to INTS_COUNT_MAX, in the order of the pairs.
 */
#ifndef BLOCK_SYMBOLS_INTERNAL_H
#define BLOCK_SYMBOLS_INTERNAL_H

#include "base/arena.h"
#include "block/columns_internal.h"
#include "block/format_internal.h"
#include "model/label.h"

struct symbol_pair {
    struct hash128 hash; /* label_hash */
    struct slice value;  /* in the arena */
    uint32_t name;       /* number in names */
    uint32_t count;      /* series that have it */
    uint32_t id;         /* final, once sorted */
};

struct symbol_name {
    struct slice text;
    uint32_t rank;       /* final number: place among the sorted names */
    uint32_t first_pair; /* final id of its first pair */
    uint32_t pair_count;
};

struct symbols {
    struct arena arena;
    struct symbol_pair *pairs;
    size_t pair_count, pair_capacity;
    struct symbol_name *names;
    size_t name_count, name_capacity;
    uint32_t *slots; /* hash table of pairs: number + 1; 0 = free */
    size_t slot_count;
    struct buf lists; /* per series: label count varint, then pair numbers varint */
    uint32_t series_count;
    struct column group_starts; /* offset in lists of every LABEL_GROUP_SERIES-th series */
    uint32_t *by_id;            /* [pair_count] pair numbers in final order; made by symbols_sort */
    uint32_t *name_order;       /* [name_count] name numbers in final order */
};

void symbols_init(struct symbols *s);
void symbols_deinit(struct symbols *s);
void symbols_add_series(struct symbols *s, const struct labels *labels);
void symbols_sort(struct symbols *s);

/* The label page of the series [group * LABEL_GROUP_SERIES, ...). */
void symbols_put_labels(const struct symbols *s, uint32_t group, struct buf *out);

/*
 * Postings and dictionary, in one pass over the final pair ids: `emit` gets each dictionary page with
 * its first pair id, and each full piece of the postings stream.
 */
enum symbols_page { SYMBOLS_DICT, SYMBOLS_POSTINGS };
typedef enum err (*symbols_emit)(void *ctx, enum symbols_page kind, uint64_t first, struct slice raw,
                                 struct errmsg *why);
MUST_CHECK enum err symbols_put_postings(const struct symbols *s, symbols_emit emit, void *ctx, struct errmsg *why);

#endif
