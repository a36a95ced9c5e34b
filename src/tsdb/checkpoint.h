/*
 * checkpoint.h - a file of records from which the head can be rebuilt without older log frames.
 *
 * Pieces of records, each with its checksum, and an end mark.  A damaged piece costs that piece.
 * Written beside its name, fsynced, renamed; valid when the manifest names it.  Format:
 * docs/formats/data-directory.md.
 *
 * Threads: one per writer or reader.
 */
#ifndef TSDB_CHECKPOINT_H
#define TSDB_CHECKPOINT_H

#include "base/fs.h"
#include "tsdb/manifest.h"

enum { CHECKPOINT_NAME_BYTES = 40 };
void checkpoint_name(const struct manifest_checkpoint *c, char out[CHECKPOINT_NAME_BYTES]);

struct checkpoint_writer {
    struct file *file;
    uint64_t offset;
    uint32_t pieces, salt;
};
/* path is the final name without ".tmp" being added: the caller renames.  id: of the directory. */
MUST_CHECK enum err checkpoint_begin(struct checkpoint_writer *w, struct fs *fs, const char *path, uint64_t id,
                                     const struct manifest_checkpoint *c, struct errmsg *why);
MUST_CHECK enum err checkpoint_piece(struct checkpoint_writer *w, struct slice records, struct errmsg *why);
/* Writes the end mark, syncs, closes. */
MUST_CHECK enum err checkpoint_finish(struct checkpoint_writer *w, struct errmsg *why);
void checkpoint_abandon(struct checkpoint_writer *w); /* after a failure: closes; the caller removes the file */

struct checkpoint_report {
    uint64_t pieces, bytes, bytes_total; /* good ones; file bytes passed, file length */
    uint64_t damaged;                    /* stretches that were passed over */
    uint64_t first_damage;               /* offset of the first */
    bool complete;                       /* the end mark was there and all pieces before it */
};
/*
 * Calls visit (NULL: only looks) for each good piece, in order.  ERR_CORRUPT: the file is not that checkpoint (header,
 * id, sequence, what it builds upon).  Other damage is counted.  visit's error ends it.
 */
typedef enum err (*checkpoint_visit)(void *ctx, struct slice records, const struct checkpoint_report *progress,
                                     struct errmsg *why);
MUST_CHECK enum err checkpoint_read(struct fs *fs, const char *path, uint64_t id, const struct manifest_checkpoint *c,
                                    checkpoint_visit visit, void *ctx, struct checkpoint_report *report,
                                    struct errmsg *why);
/* Which one a file says it is; only numbers are set. */
MUST_CHECK enum err checkpoint_identify(struct fs *fs, const char *path, uint64_t id, struct manifest_checkpoint *out,
                                        struct errmsg *why);

#endif
