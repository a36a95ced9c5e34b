/*
 * block_internal.h - an open block and the cached objects its readers share.
 *
 * Raw pages (labels, dictionary, postings, chunk data) and parsed ones (chunk groups, timestamp pages,
 * decoded timestamp columns) live in the page cache under (serial of the open block, kind, number).
 */
#ifndef BLOCK_BLOCK_INTERNAL_H
#define BLOCK_BLOCK_INTERNAL_H

#include "base/lock.h"
#include "block/block.h"
#include "block/chunk_group_internal.h"
#include "block/page_cache_internal.h"
#include "block/page_internal.h"
#include "block/times_internal.h"
#include "block/toc_internal.h"

/* What can be damaged: a page of a section of the index (enum section), or one of these. */
enum damage_kind {
    DAMAGE_DATA_PAGE = SECTION_COUNT, /* number: its offset */
    DAMAGE_TOC,                       /* one of the two tables of contents or trailers */
    DAMAGE_INDEX_HEADER,
    DAMAGE_DATA_HEADER,
    DAMAGE_DATA_CUT,    /* number: where the file ends now */
    DAMAGE_DATA_LONGER, /* number: where it should end */
};
enum { DAMAGE_PLACES_MAX = 256 };
struct damage_place {
    uint8_t kind;
    bool repaired; /* all of it could be had from elsewhere */
    uint64_t number;
};

struct block {
    _Atomic uint32_t references;
    char *dir;
    struct page_cache *cache;
    uint64_t serial; /* in the cache */
    struct page_file index, data;
    struct buf toc_raw;
    struct toc toc;
    struct block_stats stats;
    struct mutex damage_lock;
    struct damage_place damage[DAMAGE_PLACES_MAX]; /* guarded by damage_lock; distinct places */
    uint32_t damage_count;                         /* guarded by damage_lock */
};

/* Remembers a place that is damaged; any thread. */
void block_note_damage(struct block *b, unsigned kind, uint64_t number);
/* The same for one whose content was made up from other places. */
void block_note_repaired(struct block *b, unsigned kind, uint64_t number);

enum block_open_flags { BLOCK_OPEN_TRUSTING = 1 }; /* do not compare checksums: for fuzzing */
MUST_CHECK enum err block_open_flags(struct fs *fs, const char *dir, struct page_cache *cache, int flags,
                                     struct block **out, struct errmsg *why);

/*
 * Each returns a pinned page of the cache, loading it when needed.  ERR_CORRUPT is counted in the
 * block's statistics and names file and offset.
 */
MUST_CHECK enum err block_index_page(struct block *b, enum section section, uint32_t number, struct page **out,
                                     struct errmsg *why); /* raw bytes */
MUST_CHECK enum err block_data_page(struct block *b, uint64_t offset, uint32_t stored, struct page **out,
                                    struct errmsg *why); /* raw bytes */
/* Puts these bytes into the cache as that page; in vain while a damaged one is there already. */
MUST_CHECK enum err block_index_page_put(struct block *b, enum section section, uint32_t number, struct slice raw,
                                         struct page **out, struct errmsg *why);
/* The parsed forms; `*group` and `*times` point into the pinned page. */
MUST_CHECK enum err block_chunk_group(struct block *b, uint32_t number, struct page **out,
                                      const struct chunk_group **group, struct errmsg *why);
MUST_CHECK enum err block_times_page(struct block *b, uint32_t number, struct page **out,
                                     const struct times_page **times, struct errmsg *why);
/* A decoded column: int64 times_ms[page->bytes / 8]. */
MUST_CHECK enum err block_times_column(struct block *b, uint32_t id, struct page **out, struct errmsg *why);

/* Walks the dictionary.  Zeroed = nowhere yet. */
struct dict_cursor {
    struct page *page; /* pinned */
    uint32_t number;   /* of the page */
    uint32_t page_first, page_count;
    const uint8_t *table, *entries, *end, *p;
    uint64_t page_postings;
    /* the current pair, after seek or next returned true */
    uint32_t id;
    struct buf value;
    uint32_t count;    /* series that have it */
    uint32_t ordinal;  /* of the only one, when count is 1 */
    uint64_t postings; /* else where its list is */
    uint32_t postings_bytes;
    uint64_t next_postings;
    enum err err; /* why it stopped; ERR_OK at the end of the dictionary */
    struct errmsg why;
};
bool dict_seek(struct block *b, struct dict_cursor *c, uint32_t id);
bool dict_next(struct block *b, struct dict_cursor *c); /* the pair after the current one, also of the next name */
/* After damage: to the first pair of the page after the damaged one. */
bool dict_skip_page(struct block *b, struct dict_cursor *c);
/* First pair of the name whose value is not below; false at the name's end (err is ERR_OK) or on damage. */
bool dict_seek_value(struct block *b, struct dict_cursor *c, const struct toc_name *name, struct slice value);
void dict_cursor_deinit(struct dict_cursor *c);
const struct toc_name *block_find_name(const struct block *b, struct slice text); /* NULL: no series has it */

/* The ordinals of the cursor's pair; calls visit with ascending runs of them. */
typedef void (*ordinals_visit)(void *ctx, const int64_t *ordinals, uint32_t count);
MUST_CHECK enum err postings_walk(struct block *b, const struct dict_cursor *c, ordinals_visit visit, void *ctx,
                                  struct errmsg *why);

/* The value ids of LABEL_GROUP_SERIES neighbours.  Zeroed = no group yet. */
struct label_view {
    struct page *page; /* pinned */
    uint32_t group;
    uint32_t series; /* in the group */
    uint32_t name_count;
    size_t capacity;
    struct label_view_name {
        uint32_t name, low; /* number in the table of contents, smallest value id */
        uint8_t width;
        const uint8_t *ids;
    } * names;
};
/* Makes the group of this series the current one. */
MUST_CHECK enum err label_view_load(struct block *b, struct label_view *v, uint32_t ordinal, struct errmsg *why);
void label_view_deinit(struct label_view *v);
/* A label page made from dictionary and postings, which say the same; put into the cache in place of a damaged one. */
MUST_CHECK enum err label_page_rebuild(struct block *b, uint32_t group, struct page **out, struct errmsg *why);

/* Value id of the i-th name for a series of the group; 0: it has none. */
static inline uint32_t label_view_id(const struct label_view_name *n, uint32_t series)
{
    uint32_t id = 0;
    switch (n->width) {
    case 1:
        id = n->ids[series];
        break;
    case 2:
        id = le16_get(n->ids + 2 * (size_t)series);
        break;
    case 4:
        id = le32_get(n->ids + 4 * (size_t)series);
        break;
    default:
        break;
    }
    return n->low + id;
}

/* Label pairs as structs, each made once, in an arena. */
struct pair_table {
    struct block *block;
    struct arena *arena;
    const struct label ***direct; /* [name_count] -> [pair_count], for names with at most direct_max values */
    uint32_t direct_max;
    struct pair_slot {
        uint32_t id; /* pair id + 1 */
        const struct label *label;
    } * slots; /* for the others */
    size_t count, slot_count;
    struct dict_cursor dict;
};
/* series: for how many it will be asked, roughly; decides how pairs are looked up. */
void pair_table_init(struct pair_table *t, struct block *b, struct arena *arena, uint64_t series);
void pair_table_deinit(struct pair_table *t);
/* NULL: see t->dict.err. */
const struct label *pair_table_get(struct pair_table *t, uint32_t name, uint32_t value_id);
/* The labels of a series whose group the view has loaded; the list is made in `lists`. */
MUST_CHECK enum err block_series_labels(struct pair_table *t, const struct label_view *v, uint32_t ordinal,
                                        struct arena *lists, struct labels *out, struct errmsg *why);

/*
 * Whether a failure is damage of one place (ERR_CORRUPT) or a place that cannot be read (ERR_IO), which
 * costs a selection the series there and not the answer; adds the warning.
 */
bool block_forgive(struct warnings *warnings, enum err err, const struct errmsg *why);

/* Ordinals of the series that match, ascending; memory from the arena (ERR_LIMIT). */
MUST_CHECK enum err block_match(struct block *b, const struct selector *sel, struct arena *arena, struct cancel *cancel,
                                uint32_t **ordinals, uint32_t *count, struct errmsg *why);

/* The same for decisions that last: what cannot be read now is ERR_IO, not a series less. */
MUST_CHECK enum err block_match_strict(struct block *b, const struct selector *sel, struct arena *arena,
                                       struct cancel *cancel, uint32_t **ordinals, uint32_t *count, struct errmsg *why);

/* Reads samples of one block, one series after the other. */
/* A part of a column of times. */
struct times_run {
    uint32_t column, first, count;
};
enum { TIMES_RUNS_KEPT = 16 };

struct sample_reader {
    struct block *block;
    struct warnings *warnings;
    bool forgive_io;           /* an unreadable place costs the chunk, as damage does (queries; not merges) */
    struct mem_budget *budget; /* of the query; may be NULL */
    struct page *group_page, *times_page, *column_page, *data_page; /* pinned */
    const struct chunk_group *group;
    uint32_t group_number, times_number, column_id;
    const struct times_page *times;
    int64_t *times_ms, *start_times_ms;
    double *values;
    const struct histogram **hists;
    size_t capacity;                        /* of the four */
    struct times_run runs[TIMES_RUNS_KEPT]; /* what times_ms begins with: series of a scrape have the same times */
    uint32_t run_count;
    struct arena arena; /* histograms */
};
void sample_reader_init(struct sample_reader *r, struct block *b, struct warnings *warnings, struct mem_budget *budget);
void sample_reader_deinit(struct sample_reader *r);
/* ERR_CORRUPT (and ERR_IO, if so told) becomes a counted warning and ERR_OK; other failures stay. */
enum err sample_reader_forgive(struct sample_reader *r, enum err err, const struct errmsg *why);
/* The chunk entries of a series. */
MUST_CHECK enum err sample_reader_entries(struct sample_reader *r, uint32_t ordinal, const struct chunk_entry **first,
                                          uint32_t *count, struct errmsg *why);
/* Bounds of the column a chunk uses (the chunk itself may begin later or end earlier). */
MUST_CHECK enum err sample_reader_times_info(struct sample_reader *r, uint32_t times_id, struct times_info *out,
                                             struct errmsg *why);
/* The chunk's times; they live until the next call. */
MUST_CHECK enum err sample_reader_times(struct sample_reader *r, const struct chunk_entry *e, const int64_t **times,
                                        struct errmsg *why);
/* The chunk's payload; lives until the next call. */
MUST_CHECK enum err sample_reader_payload(struct sample_reader *r, const struct chunk_entry *e, struct slice *out,
                                          struct errmsg *why);
/* What of one chunk lies in [mint, maxt]. */
MUST_CHECK enum err sample_reader_chunk(struct sample_reader *r, const struct chunk_entry *e, int64_t mint_ms,
                                        int64_t maxt_ms, struct samples *out, struct errmsg *why);
MUST_CHECK enum err sample_reader_read(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms,
                                       struct samples *out, struct errmsg *why);
MUST_CHECK enum err sample_reader_last(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms,
                                       struct samples *out, struct errmsg *why);

#endif
