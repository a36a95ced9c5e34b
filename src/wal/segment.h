/*
 * segment.h - files of the log: their names, making them ready, listing, moving them aside.
 *
 *     <dir>/0000000000000012.wal      segment 0x12: in use, or the next one, ready
 *     <dir>/0000000000000003.spare    file of a dead segment, kept to be overwritten
 *     <dir>/newest                    which one was written last
 *     <dir>/fill.tmp                  a spare being filled with zeros
 *     <dir>/damaged/...               segments that held damage, out of use
 *
 * Overwriting a file that has its blocks already makes fdatasync twice as fast as growing one.
 * Threads: one at a time (struct wal's files lock), except where said.
 */
#ifndef WAL_SEGMENT_H
#define WAL_SEGMENT_H

#include "wal/frame.h"

enum { SEGMENT_PATH_BYTES = 1024 };

/* Where segments are and how new ones are labelled. */
struct segment_dir {
    struct fs *fs;
    struct clock *clock;
    char path[SEGMENT_PATH_BYTES - 64];
    uint64_t id;
    uint64_t segment_bytes;
};

struct segment_name {
    uint64_t number;
    uint64_t bytes; /* file length */
};

/* Segments or spares found in a directory, ascending by number. */
struct segment_list {
    struct segment_name *list;
    size_t count, capacity;
};
void segment_list_deinit(struct segment_list *l);

void segment_path(const struct segment_dir *dir, uint64_t number, const char *suffix, char out[SEGMENT_PATH_BYTES]);
/* Collects segments and spares; either may be NULL.  Other names are ignored. */
MUST_CHECK enum err segment_dir_list(struct fs *fs, const char *path, struct segment_list *segments,
                                     struct segment_list *spares, struct errmsg *why);

/*
 * Makes segment `number` ready: from the spare file (spare != 0) or from a new one, header and name
 * durable.  On failure nothing is left open; a leftover file is harmless (no frame is in it).
 */
MUST_CHECK enum err segment_create(const struct segment_dir *dir, uint64_t number, uint64_t spare, struct file **out,
                                   struct errmsg *why);
/* Writes and syncs a file of zeros and names it spare `number`.  Takes a while; any thread, one at a time. */
MUST_CHECK enum err segment_fill_spare(const struct segment_dir *dir, uint64_t number, bool (*stop)(void *ctx),
                                       void *ctx, struct errmsg *why);
/* Renames a dead segment to a spare. */
MUST_CHECK enum err segment_to_spare(const struct segment_dir *dir, uint64_t number, struct errmsg *why);
MUST_CHECK enum err segment_remove(const struct segment_dir *dir, uint64_t number, const char *suffix,
                                   struct errmsg *why);
/* Moves a segment to damaged/. */
MUST_CHECK enum err segment_set_aside(const struct segment_dir *dir, uint64_t number, struct errmsg *why);
/*
 * Syncs a segment that a crash may have left in the page cache only; when the sync fails, its bytes
 * are copied to a new file under the same name.
 */
MUST_CHECK enum err segment_settle(const struct segment_dir *dir, uint64_t number, struct errmsg *why);

/* Which segment was written last (wal_newest.c). */
struct segment_newest {
    uint64_t number, first, last; /* sequences of its first frame, of the newest one of all; last 0: not closed */
};
MUST_CHECK enum err segment_newest_write(const struct segment_dir *dir, const struct segment_newest *newest,
                                         struct errmsg *why);
bool segment_newest_read(struct fs *fs, const char *dir, struct segment_newest *out); /* false: not known */

#endif
