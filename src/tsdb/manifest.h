/*
 * manifest.h - the one truth about which blocks and which checkpoint a data directory has.
 *
 * A small text file that is replaced whole (write beside, fsync, rename, fsync of the directory), so
 * after a crash it is the old one or the new one.  Format: docs/formats/data-directory.md.
 *
 * Ownership: a struct manifest owns its list.
 * Threads:   plain values.
 */
#ifndef TSDB_MANIFEST_H
#define TSDB_MANIFEST_H

#include "base/fs.h"
#include "block/block_meta.h"

enum { MANIFEST_REASON_BYTES = 160 };

/* What the manifest says of a block; enough to report it when its directory is gone. */
struct manifest_block {
    struct block_id id;
    uint32_t level;
    int64_t mint_ms, maxt_ms;
    uint64_t seq_max, series, samples, bytes;
    char quarantined[MANIFEST_REASON_BYTES]; /* "": in use; else why it was moved aside */
    char problem[MANIFEST_REASON_BYTES];     /* not in the file: why it could not be opened this time; "" = open */
};

struct manifest {
    uint64_t id;         /* of the data directory */
    uint64_t checkpoint; /* frames of the log up to this one are in the checkpoint of this number; 0: none */
    int64_t flushed_ms;  /* the newest cut: samples before it were flushed; INT64_MIN: never */
    struct manifest_block *blocks;
    size_t block_count, block_capacity;
};

void manifest_deinit(struct manifest *m);
void manifest_copy(struct manifest *to, const struct manifest *from);
struct manifest_block *manifest_find(struct manifest *m, const struct block_id *id); /* NULL when missing */
void manifest_add(struct manifest *m, const struct manifest_block *block);
void manifest_remove(struct manifest *m, const struct block_id *id);
void manifest_sort(struct manifest *m); /* oldest first */
void manifest_block_of(const struct block_meta *meta, struct manifest_block *out);

void manifest_print(const struct manifest *m, struct buf *out);
/* ERR_CORRUPT names line and reason; ERR_UNSUPPORTED: a newer version wrote it. */
MUST_CHECK enum err manifest_parse(struct slice text, struct manifest *out, struct errmsg *why);
MUST_CHECK enum err manifest_load(struct fs *fs, const char *path, struct manifest *out, struct errmsg *why);
MUST_CHECK enum err manifest_store(struct fs *fs, const char *path, const struct manifest *m, struct errmsg *why);

#endif
