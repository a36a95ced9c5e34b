/*
 * backup.h - copies of a data directory in another directory, each file's content once.
 *
 *     TRY(backup_make(&o, &report, why));       // beside a running server or without one
 *     TRY(backup_verify(fs, dest, out, &problems, why));
 *     TRY(backup_restore(fs, dest, NULL, dir, out, &problems, why));
 *
 * A backup is a list of files with their SHA-256 (backups/<name>); contents are named by it and shared by all
 * backups (objects/), so a further one writes only what is new.  A list is written last: an interrupted
 * backup leaves the earlier ones as they were.  Format: docs/formats/backup.md.
 *
 * Threads: none of its own; two backups into one destination keep each other out.
 */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "base/clock.h"
#include "base/fs.h"
#include "base/random.h"

enum { BACKUP_NAME_BYTES = 64 };

struct backup_options {
    struct fs *fs;
    struct clock *clock;
    struct random *random;
    const char *dir, *dest; /* dest is made when missing */
    bool full;              /* read every file again, also those that look unchanged since the last backup */
};
struct backup_report {
    char name[BACKUP_NAME_BYTES];
    uint64_t files, bytes;         /* in the backup */
    uint64_t new_files, new_bytes; /* written by this run */
};
/* ERR_UNSUPPORTED: dest was written by a newer version.  ERR_EXISTS: another backup runs. */
MUST_CHECK enum err backup_make(const struct backup_options *o, struct backup_report *report, struct errmsg *why);

/* Every list and every content against its checksum; a line per problem into `out`. */
MUST_CHECK enum err backup_verify(struct fs *fs, const char *dest, struct buf *out, uint64_t *problems,
                                  struct errmsg *why);
/* "name files bytes" lines, oldest first. */
MUST_CHECK enum err backup_list(struct fs *fs, const char *dest, struct buf *out, struct errmsg *why);
/* Removes all but the newest `keep` lists, and contents that no list names. */
MUST_CHECK enum err backup_prune(struct fs *fs, const char *dest, uint32_t keep, struct buf *out, struct errmsg *why);

/*
 * Writes backup `name` (NULL: the newest) into dir, which must be empty or missing.  Everything is checked while it is
 * copied; with problems (lines in `out`) the directory is not usable and says so to a server.
 */
MUST_CHECK enum err backup_restore(struct fs *fs, const char *dest, const char *name, const char *dir, struct buf *out,
                                   uint64_t *problems, struct errmsg *why);

#endif
