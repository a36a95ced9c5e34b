/*
 * block_writer.h - writes one block: series in order, samples of each series in order of time.
 *
 *     err = block_writer_new(fs, dir, &options, &w, why);          // makes dir
 *     for each series in block_labels_cmp order:
 *         err = block_writer_series(w, &labels, why);
 *         err = block_writer_samples(w, &samples, why);             // any number of times, times ascending
 *     err = block_writer_finish(w, &meta, why);                     // files written and fsynced
 *     block_writer_free(w);
 *
 * The writer cuts chunks, finds timestamp columns that other series had before, stores equal payloads
 * once, and compresses pages.  It does not publish: the caller names dir "<something>.tmp", renames it
 * after finish and fsyncs the parent.  Series without samples are left out.
 * Memory: one page per section, symbols, and about 30 bytes per series and timestamp column.
 *
 * Ownership: labels and samples are borrowed for the call.  free leaves the files of an unfinished
 *            block; the caller removes dir.
 * Threads:   one.
 */
#ifndef BLOCK_BLOCK_WRITER_H
#define BLOCK_BLOCK_WRITER_H

#include "block/block_meta.h"
#include "storage/querier.h"

struct block_writer;

struct block_writer_options {
    struct block_id id;
    uint32_t level;
    uint64_t seq_min, seq_max;
    int zstd_level;             /* of value pages; 0 stores them plain (level 0 blocks) */
    uint32_t chunk_samples_max; /* 0 = CHUNK_SAMPLES_GOOD */
    uint32_t source_count;      /* at level 0 the block itself is the source */
    const struct block_id *sources;
    /* Called after each page with its bytes, to throttle and to stop; may be NULL. */
    enum err (*on_write)(void *ctx, size_t bytes, struct errmsg *why);
    void *ctx;
};

MUST_CHECK enum err block_writer_new(struct fs *fs, const char *dir, const struct block_writer_options *options,
                                     struct block_writer **out, struct errmsg *why);
MUST_CHECK enum err block_writer_series(struct block_writer *w, const struct labels *labels, struct errmsg *why);
/* Floats and histograms may be mixed; times must be greater than all before in this series. */
MUST_CHECK enum err block_writer_samples(struct block_writer *w, const struct samples *samples, struct errmsg *why);
/* A float chunk that is encoded already; copied as it is when it is long enough, else joined with its neighbours. */
MUST_CHECK enum err block_writer_chunk(struct block_writer *w, const int64_t *times_ms, uint32_t count,
                                       struct slice chunk, uint32_t chunk_flags, struct errmsg *why);
/* Writes index and meta.json, fsyncs files and dir.  ERR_NOT_FOUND when there was not a single sample. */
MUST_CHECK enum err block_writer_finish(struct block_writer *w, struct block_meta *out, struct errmsg *why);
/* Histograms that contradict themselves or are past the limits of chunk/hist_chunk.h and so were left out:
 * one bad sample must not keep all others out of a block.  Whoever calls tells. */
uint64_t block_writer_left_out(const struct block_writer *w);
void block_writer_free(struct block_writer *w); /* accepts NULL */

#endif
