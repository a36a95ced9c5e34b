/*
 * wal_memory.h - a log on a simulated disk for tests that want records and no disk.
 *
 * Ownership: wal_memory_deinit closes it.
 */
#ifndef TESTS_LIB_WAL_MEMORY_H
#define TESTS_LIB_WAL_MEMORY_H

#include "head/head.h"
#include "lib/fs_sim.h"
#include "wal/wal.h"

struct wal_memory {
    struct fs_sim *sim;
    struct clock_fake clock;
    struct wal_options options;
    struct wal *wal; /* manual: wal_commit_now */
};

void wal_memory_init(struct wal_memory *w);
/* Commits what is buffered, closes the log and gives its frames to the head. */
void wal_memory_replay(struct wal_memory *w, struct head *head, struct head_replay_report *report);
void wal_memory_deinit(struct wal_memory *w);

#endif
