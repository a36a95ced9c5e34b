/*
 * masks.h - what of each open block counts: deletions and rules, found in its index once and remembered.
 *
 * Threads: any.
 */
#ifndef TSDB_MASKS_H
#define TSDB_MASKS_H

#include "base/lock.h"
#include "block/block.h"
#include "tsdb/rules.h"

struct mask_slot {
    struct block_id id;
    uint64_t through;        /* tombstones up to this number are in the mask */
    struct block_mask *mask; /* NULL: they take nothing */
    uint64_t rules_version;  /* of classes; 0: not looked yet */
    struct block_classes *classes;
    /* when it was last decided whether to write the block anew */
    bool looked;
    uint64_t looked_stones, looked_rules;
    int64_t looked_ns;
};

struct masks {
    struct mutex lock;
    struct mask_slot *list; /* guarded by lock */
    size_t count, capacity;
};

void masks_init(struct masks *m);
void masks_deinit(struct masks *m);

/*
 * The view of a block at a time.  Classes are looked up only when a floor can hide something of it at or after
 * from_ms.  The view holds references until view_release.
 */
MUST_CHECK enum err masks_view(struct tsdb *db, struct block *block, const struct rules *rules,
                               const struct floors *floors, int64_t from_ms, struct block_view *out,
                               struct errmsg *why);
void view_release(struct block_view *view);
struct tombstones;
/* The tombstones with numbers past `through` that may touch the block; the list is the caller's. */
struct block_cut *masks_cuts(const struct tombstones *stones, const struct block_meta *meta, uint64_t through,
                             uint32_t *count);
/* Whether the block was not looked at with these tombstones and rules within the last age_ns; notes that it is now. */
bool masks_look_due(struct masks *m, const struct block *block, uint64_t stones, uint64_t rules, int64_t now_ns,
                    int64_t age_ns);
/* How many series of a block are deleted whole; 0 when it is not in use. */
uint64_t masks_gone(struct tsdb *db, const struct block_id *id);
/* Forgets blocks that are not in use any more. */
void masks_prune(struct tsdb *db);

#endif
