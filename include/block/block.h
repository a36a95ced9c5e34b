/*
 * block.h - one open block: query it, merge it, check it.
 *
 * Opening reads meta.json, the headers and the table of contents; pages are read and checked when they
 * are first needed, through the shared page cache.  A damaged page costs the chunks on it: they are
 * left out, counted (block_stats) and named in a warning with file and offset.
 *
 * Ownership: block_open hands out one reference; each querier holds one more.  The last
 *            block_release closes the files.
 * Threads:   a block: any.  A querier: see storage/querier.h.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <stdatomic.h>

#include "block/block_mask.h"
#include "block/block_meta.h"
#include "block/block_writer.h"
#include "block/page_cache.h"
#include "storage/querier.h"

struct block;

struct block_stats {
    _Atomic uint64_t corrupt_pages, corrupt_chunks; /* found while reading */
    _Atomic uint64_t pages_read, bytes_read;
};

/* cache is borrowed and outlives the block. */
MUST_CHECK enum err block_open(struct fs *fs, const char *dir, struct page_cache *cache, struct block **out,
                               struct errmsg *why);
struct block *block_acquire(struct block *b);
void block_release(struct block *b); /* accepts NULL */
const struct block_meta *block_meta(const struct block *b);
struct block_stats *block_stats(struct block *b);

/* Samples and labels of this block alone, within [mint_ms, maxt_ms]. */
MUST_CHECK enum err block_querier(struct block *b, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                                  struct errmsg *why);
/* The same without what the view hides (copied; NULL hides nothing). */
MUST_CHECK enum err block_querier_view(struct block *b, const struct block_view *view, int64_t mint_ms, int64_t maxt_ms,
                                       struct querier **out, struct errmsg *why);

/* What a merge takes from its inputs. */
struct block_merge_options {
    int64_t mint_ms, maxt_ms;       /* samples outside are left out (retention) */
    const struct block_view *views; /* [count] what of each block counts; NULL: everything */
    struct cancel *cancel;          /* may be NULL */
    struct warnings *warnings;      /* may be NULL: damaged chunks that were left out */
};
/*
 * What a merged block inherits: level + 1, the range of sequences, the level-0 sources (in `sources`,
 * which the options borrow).  Blocks that overlap in time must be merged with all others whose
 * sequences lie between theirs, or a sample that was overwritten could come back.
 */
void block_merge_inherit(struct block *const *blocks, uint32_t count, struct block_id sources[BLOCK_SOURCES_MAX],
                         struct block_writer_options *options);
/*
 * Feeds all series of the blocks, merged, to the writer (not finished here).  Chunks that are damaged
 * are left out, counted in the statistics of their block and named in the warnings; whoever removes
 * the inputs afterwards looks at these first.
 */
MUST_CHECK enum err block_merge(struct block *const *blocks, uint32_t count, const struct block_merge_options *options,
                                struct block_writer *w, struct errmsg *why);

/*
 * Which places are damaged, as far as they were met by whoever read the block, and whom that concerns.  Where the same
 * stands in two places (tables of contents, label pages and postings) nothing is lost by the damage of one.
 */
enum { BLOCK_DAMAGE_NAMES = 10 };
struct block_damage {
    uint32_t places;
    const char *text;         /* the places */
    uint64_t series;          /* that may lack samples, or are left out; 0: nothing is lost */
    int64_t mint_ms, maxt_ms; /* of what may be missing; mint > maxt: nothing */
    uint32_t named;           /* the first of them whose labels can be read */
    const char *names[BLOCK_DAMAGE_NAMES];
};
/* How many places are known; a cheap look whether there are new ones. */
uint32_t block_damage_places(struct block *b);
/* Texts live in the arena.  Walks over the whole index when pages are damaged: not for a query's thread. */
MUST_CHECK enum err block_damage_find(struct block *b, struct cancel *cancel, struct arena *arena,
                                      struct block_damage *out, struct errmsg *why);

/* What verification found; the report is text, one finding a line. */
struct block_verify_result {
    uint64_t series, chunks, samples, pages;
    uint64_t errors;         /* 0: every byte is what was written */
    uint64_t damaged_series; /* that may lack samples */
};
/* For those who check beside other work. */
struct block_verify_steps {
    /* After every so many bytes; may wait; not ERR_OK ends the check with that.  NULL: nothing. */
    enum err (*step)(void *ctx, uint64_t bytes);
    void *ctx;
    struct block *live; /* the same block as it is in use, which then knows its damage too; NULL: none */
};
/* Checks every checksum, order, count, reference and time range; goes on after a finding.  steps: may be NULL. */
MUST_CHECK enum err block_verify(struct fs *fs, const char *dir, const struct block_verify_steps *steps,
                                 struct block_verify_result *out, struct buf *report, struct errmsg *why);

/* What the index consists of. */
enum { BLOCK_SECTIONS = 5 };
struct block_index_info {
    struct {
        const char *name;
        uint64_t pages, bytes;
    } sections[BLOCK_SECTIONS];
    uint32_t time_columns, label_names, label_pairs;
};
void block_index_info(const struct block *b, struct block_index_info *out);

enum block_dump_flags { BLOCK_DUMP_SERIES = 1, BLOCK_DUMP_CHUNKS = 2, BLOCK_DUMP_SAMPLES = 4 };
/* Text for `gnomon inspect`: sections and sizes, then what the flags ask for. */
MUST_CHECK enum err block_dump(struct block *b, int flags, enum err (*write)(void *ctx, struct slice text), void *ctx,
                               struct errmsg *why);

#endif
