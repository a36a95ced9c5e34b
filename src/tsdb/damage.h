/*
 * damage.h - what is known about damaged places of the open blocks: looked up once per place, remembered for status
 * pages, the log and metrics.
 *
 * Threads: any; filled by the thread of the blocks.
 */
#ifndef TSDB_DAMAGE_H
#define TSDB_DAMAGE_H

#include "base/lock.h"
#include "block/block.h"

struct tsdb;

struct damaged_block {
    struct block_id id;
    struct block_damage found; /* texts in arena */
    struct arena arena;
};

struct damages {
    struct mutex lock;
    struct damaged_block **list; /* guarded by lock */
    size_t count, capacity;      /* guarded by lock */
};

void damages_init(struct damages *d);
void damages_deinit(struct damages *d);

/* Looks whether readers met new damage since the last time, says so in log and metrics; block_work held. */
void damages_look(struct tsdb *db);
/*
 * Whom the damage of this block concerns, as a line for the manifest, when it goes out of use; false: nothing of it is
 * lost.
 */
bool damage_reason(struct tsdb *db, struct block *block, char *out, size_t bytes);

#endif
