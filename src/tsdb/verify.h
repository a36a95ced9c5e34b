/*
 * verify.h - a data directory checked, with hooks for a server that does it beside its work.
 *
 * Threads: the caller's alone.
 */
#ifndef TSDB_VERIFY_H
#define TSDB_VERIFY_H

#include "block/block.h"

struct verify_request {
    struct fs *fs;
    const char *dir;
    bool json, quick;
    bool records; /* decode the log's records too, into a head beside any other: as much memory as the store's own */
    struct block_verify_steps steps; /* see block.h */
    /* The open block of a running store, to remember what is found (a reference for the caller), or NULL. */
    struct block *(*live)(void *ctx, const struct block_id *id);
    void (*on_block)(void *ctx, uint64_t done, uint64_t of); /* may be NULL */
    void *ctx;
};
/* ERR_CANCELED when a step says so; `out` is then incomplete. */
MUST_CHECK enum err verify_run(const struct verify_request *q, struct buf *out, uint64_t *problems, struct errmsg *why);

#endif
