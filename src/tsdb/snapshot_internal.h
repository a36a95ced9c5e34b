/*
 * snapshot_internal.h - a copy of a data directory at a moment, made of second names for files that never change.
 *
 *     snapshots/<name>.tmp/   while it is made; removed at the next start
 *     snapshots/<name>/       whole: a data directory like any other (docs/formats/data-directory.md)
 *
 * What the manifest of a moment lists is on the disk at that moment, so a snapshot is what a crash at that
 * moment would have left: blocks and checkpoint are linked, the log is copied (its files are written on
 * and used again).  Who calls says how the moment is held: the server by its locks (snapshot.c), a tool
 * beside a running server by looking twice (snapshot_dir.c).
 */
#ifndef TSDB_SNAPSHOT_INTERNAL_H
#define TSDB_SNAPSHOT_INTERNAL_H

#include "tsdb/manifest.h"
#include "tsdb/tsdb.h"

enum { SNAPSHOT_PATH_BYTES = 1024 };

struct snapshot_maker {
    struct fs *fs;
    const char *dir; /* of the store */
    char name[TSDB_SNAPSHOT_NAME];
    char tmp[SNAPSHOT_PATH_BYTES], path[SNAPSHOT_PATH_BYTES];
    struct manifest manifest; /* what it contains; owned */
};

/* Makes the .tmp directory with its folders. */
MUST_CHECK enum err snapshot_begin(struct snapshot_maker *s, struct errmsg *why);
/* Second names for all blocks and the checkpoint of s->manifest.  Missing blocks stay listed as missing. */
MUST_CHECK enum err snapshot_link(struct snapshot_maker *s, struct errmsg *why);
/* One log segment; bytes as in struct wal_pin_segment. */
MUST_CHECK enum err snapshot_copy_segment(struct snapshot_maker *s, const char *file, uint64_t bytes,
                                          struct errmsg *why);
/* After the segments: the newest frame that they hold; 0: there is none. */
MUST_CHECK enum err snapshot_log_end(struct snapshot_maker *s, uint64_t last_sequence, struct errmsg *why);
/* Format, manifest, syncs; then it gets its name. */
MUST_CHECK enum err snapshot_finish(struct snapshot_maker *s, struct errmsg *why);
/* Frees; `done` false: removes what was made. */
void snapshot_end(struct snapshot_maker *s, bool done);

/* 20060102T150405Z-0123456789abcdef (Prometheus) or 20060102150405-0123456789ABCDEF (VictoriaMetrics). */
void snapshot_name_make(enum tsdb_snapshot_style style, int64_t now_ms, uint64_t number, char out[TSDB_SNAPSHOT_NAME]);
/* Whether it is such a name, so that nothing outside of snapshots/ can be meant; *made_ms may be NULL. */
bool snapshot_name_parse(const char *name, int64_t *made_ms);

#endif
