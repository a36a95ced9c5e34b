/*
 * dir_store.h - a data directory read like a store, from outside: no lock, nothing changed, a server may be running.
 *
 * Blocks as the manifest lists them (without a manifest: those that are there), the head from checkpoint and log.
 * Deletions and retention are not applied: what is on the disk is seen.  What cannot be read is told in `problems`.
 *
 * Threads: one.
 */
#ifndef TSDB_DIR_STORE_H
#define TSDB_DIR_STORE_H

#include "block/block.h"
#include "head/head.h"
#include "tsdb/dir_view.h"

struct dir_store {
    struct dir_view view;
    struct page_cache *cache;
    struct block **blocks; /* rising seq_max */
    size_t count, capacity;
    struct head *head;
    _Atomic uint64_t times_ids;
    struct buf problems; /* lines */
};

/* ERR_NOT_FOUND: there is no such directory.  with_log: read checkpoint and log too; else the head is empty. */
MUST_CHECK enum err dir_store_open(struct dir_store *s, struct fs *fs, const char *dir, bool with_log,
                                   struct errmsg *why);
void dir_store_close(struct dir_store *s); /* also after a failed open */
MUST_CHECK enum err dir_store_querier(struct dir_store *s, struct querier **out, struct errmsg *why);

#endif
