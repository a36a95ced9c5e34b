/*
 * manifest.h - the one truth about which blocks and which checkpoints a data directory has.
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

enum { MANIFEST_REASON_BYTES = 160, MANIFEST_LOSSES_MAX = 64 };

/* What the manifest says of a block; enough to report it when its directory is gone. */
struct manifest_block {
    struct block_id id;
    uint32_t level;
    int64_t mint_ms, maxt_ms;
    uint64_t seq_max, series, samples, bytes;
    char quarantined[MANIFEST_REASON_BYTES]; /* "": in use; else why it was moved aside */
    bool acknowledged;                       /* quarantined or missing, and somebody knows: answers say it no more */
    char problem[MANIFEST_REASON_BYTES];     /* not in the file: why it could not be opened this time; "" = open */
};

/* A checkpoint file: with those before it, back to a whole one, the head up to a frame of the log. */
struct manifest_checkpoint {
    uint64_t sequence; /* the newest frame it covers */
    uint64_t from; /* 0: the whole head; else what changed since the checkpoint of that number, which stands before */
    int64_t mint_ms,
        maxt_ms; /* of the samples in the head then, to say what is missing without it; mint > maxt: not known */
};

/* Samples that were stored and are gone, as far as it is known. */
struct manifest_loss {
    int64_t mint_ms, maxt_ms;
    bool acknowledged; /* somebody knows: answers say it no more */
    char why[MANIFEST_REASON_BYTES];
};

struct manifest {
    uint64_t id; /* of the data directory */
    struct manifest_checkpoint
        *checkpoints; /* oldest first; the last one counts, the others stand in for damaged ones */
    size_t checkpoint_count, checkpoint_capacity;
    uint64_t log_first; /* frames from this one on are kept and may be replayed; 0: not known */
    int64_t flushed_ms; /* the newest cut: samples before it were flushed; INT64_MIN: never */
    struct manifest_loss *losses;
    size_t loss_count, loss_capacity;
    struct manifest_block *blocks;
    size_t block_count, block_capacity;
};

void manifest_deinit(struct manifest *m);
void manifest_copy(struct manifest *to, const struct manifest *from);
struct manifest_block *manifest_find(struct manifest *m, const struct block_id *id); /* NULL when missing */
void manifest_add(struct manifest *m, const struct manifest_block *block);
void manifest_remove(struct manifest *m, const struct block_id *id);
void manifest_sort(struct manifest *m); /* oldest first */
/* Frames up to this one need not be replayed; 0: there is no checkpoint. */
uint64_t manifest_covered(const struct manifest *m);
void manifest_checkpoint_add(struct manifest *m, const struct manifest_checkpoint *c);
/* The index of the whole checkpoint that the one at an index builds upon. */
size_t manifest_chain(const struct manifest *m, size_t at);
/*
 * How many of the listed checkpoints are to be used: the newest whose chain is sound and after which the log goes on; 0:
 * the empty head and the whole log.  *nothing: neither, so take what is left of the newest.
 */
size_t manifest_usable(const struct manifest *m, bool (*sound)(void *ctx, const struct manifest_checkpoint *c),
                       void *ctx, bool *nothing);
/* Whether the whole checkpoint of the newest chain may be lost: the chain before it, or nothing, and the log stand in. */
bool manifest_stood_in(const struct manifest *m);
/* Forgets all checkpoints but what the newest one needs, and the log before it. */
void manifest_checkpoints_trim(struct manifest *m);
/*
 * Notes a loss once; of more than MANIFEST_LOSSES_MAX the oldest acknowledged ones become one, or else the new one widens
 * the last.
 */
void manifest_loss_add(struct manifest *m, const struct manifest_loss *loss);
struct manifest_problems {
    size_t losses, quarantined, missing; /* of which answers warn; missing: or unreadable */
    size_t acknowledged;                 /* of all three kinds */
};
struct manifest_problems manifest_problems(const struct manifest *m);
/* Marks what lies within mint..maxt; how many were not before. */
size_t manifest_acknowledge(struct manifest *m, int64_t mint_ms, int64_t maxt_ms);
void manifest_block_of(const struct block_meta *meta, struct manifest_block *out);

void manifest_print(const struct manifest *m, struct buf *out);
/* ERR_CORRUPT names line and reason; ERR_UNSUPPORTED: a newer version wrote it. */
MUST_CHECK enum err manifest_parse(struct slice text, struct manifest *out, struct errmsg *why);
MUST_CHECK enum err manifest_load(struct fs *fs, const char *path, struct manifest *out, struct errmsg *why);
MUST_CHECK enum err manifest_store(struct fs *fs, const char *path, const struct manifest *m, struct errmsg *why);

#endif
