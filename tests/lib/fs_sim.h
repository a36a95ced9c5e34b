/*
 * fs_sim.h - a disk in memory that fails on request and forgets what was not synced.
 *
 * Files have a cache (what reads see) and a durable state (what survives power loss).  A write goes to
 * the cache and to a list of pending changes; sync moves a file's pending changes to its durable
 * state.  Directory entries are changes of their own and durable only after sync_dir of a directory
 * they touch: syncing a file does not keep its name.  Strict POSIX, stricter than ext4.
 *
 *     struct fs_sim *sim = fs_sim_new();
 *     store_open(fs_sim_fs(sim)) ... fs_sim_power_off_at(sim, 17) ... store_close (every call fails)
 *     fs_sim_restart(sim, FS_SIM_TORN, seed);        // now only what survived is there
 *
 * A failed sync drops the file's pending changes for good (the kernel marks the pages clean): later
 * syncs succeed without making them durable, as on Linux.
 *
 * Ownership: files handed out must be closed before fs_sim_free, also after power off.
 * Threads:   any (one lock); the hook runs without it.
 */
#ifndef TESTS_LIB_FS_SIM_H
#define TESTS_LIB_FS_SIM_H

#include "base/arena.h"
#include "base/fs.h"

struct fs_sim;

enum fs_sim_kind {
    FS_SIM_OPEN = 1,
    FS_SIM_CLOSE = 1 << 1,
    FS_SIM_READ = 1 << 2,
    FS_SIM_WRITE = 1 << 3,
    FS_SIM_SYNC = 1 << 4,
    FS_SIM_TRUNCATE = 1 << 5,
    FS_SIM_ALLOCATE = 1 << 6,
    FS_SIM_MKDIR = 1 << 7,
    FS_SIM_RENAME = 1 << 8,
    FS_SIM_LINK = 1 << 9,
    FS_SIM_UNLINK = 1 << 10,
    FS_SIM_RMDIR = 1 << 11,
    FS_SIM_STAT = 1 << 12,
    FS_SIM_LIST = 1 << 13,
    FS_SIM_SYNC_DIR = 1 << 14,
    FS_SIM_SPACE = 1 << 15,
    FS_SIM_LOCK = 1 << 16,
    FS_SIM_CREATE = 1 << 17, /* an open that makes a file */
    FS_SIM_ANY = (1 << 18) - 1,
    /* what changes the disk: the points where a crash makes a difference */
    FS_SIM_CHANGES = FS_SIM_WRITE | FS_SIM_SYNC | FS_SIM_TRUNCATE | FS_SIM_ALLOCATE | FS_SIM_MKDIR | FS_SIM_RENAME |
                     FS_SIM_LINK | FS_SIM_UNLINK | FS_SIM_RMDIR | FS_SIM_SYNC_DIR | FS_SIM_CREATE,
};

/* What of the unsynced changes survives a crash. */
enum fs_sim_survival {
    FS_SIM_NONE,    /* (a) nothing */
    FS_SIM_ALL,     /* (b) everything: the process died, not the machine */
    FS_SIM_SECTORS, /* (c) any subset of 512-byte sectors; a prefix of the directory changes */
    FS_SIM_TORN,    /* (d) the changes up to a moment, the last write cut at 4 KiB */
    FS_SIM_ZEROS,   /* (e) files have grown, but what was written reads as before or as zeros */
    FS_SIM_NAMES,   /* (f) directory changes, but no data */
    FS_SIM_UNLINKS, /* (g) data and removals, but no new names and no renames */
    FS_SIM_GARBAGE, /* (h) as TORN, with one sector of garbage at the cut */
    FS_SIM_SURVIVALS,
};
const char *fs_sim_survival_name(enum fs_sim_survival survival);

struct fs_sim *fs_sim_new(void);
void fs_sim_free(struct fs_sim *sim);
struct fs *fs_sim_fs(struct fs_sim *sim);
/* A copy of the whole disk, cache and pending changes included; no open files, no faults, no hook. */
struct fs_sim *fs_sim_clone(struct fs_sim *sim);

/* Calls made so far whose kind is in `kinds`. */
uint64_t fs_sim_calls(struct fs_sim *sim, unsigned kinds);

/*
 * The n-th call from now (1 = next) of a kind in `kinds` fails with `err`; all later ones too when
 * `forever`.  A failing write leaves its first half behind.  n = 0 ends all failing.
 */
void fs_sim_fail(struct fs_sim *sim, uint64_t n, bool forever, unsigned kinds, enum err err);
uint64_t fs_sim_failures(struct fs_sim *sim); /* calls failed since the last fs_sim_fail */
/* A bound of all file bytes; writes and truncates past it are ERR_NO_SPACE.  0 = none. */
void fs_sim_capacity(struct fs_sim *sim, uint64_t bytes);

/* From the n-th change on (counted from now, 1 = next) every call fails with ERR_IO.  That change is still pending. */
void fs_sim_power_off_at(struct fs_sim *sim, uint64_t n);
bool fs_sim_is_off(struct fs_sim *sim);
/* Ends all failing and locks; the disk is what survived.  Files open from before stay closed to use. */
void fs_sim_restart(struct fs_sim *sim, enum fs_sim_survival survival, uint64_t seed);

/* Runs before every call, without the lock: a place to sleep, to clone, to count. */
typedef void (*fs_sim_hook)(void *ctx, struct fs_sim *sim, enum fs_sim_kind kind, const char *path);
void fs_sim_set_hook(struct fs_sim *sim, fs_sim_hook hook, void *ctx);

/* Bytes of a file as reads see them, to look at or to damage (the durable state is damaged with them by _flip). */
struct slice fs_sim_bytes(struct fs_sim *sim, const char *path); /* empty when missing */
void fs_sim_flip(struct fs_sim *sim, const char *path, uint64_t bit);
void fs_sim_put(struct fs_sim *sim, const char *path, struct slice bytes); /* durable at once; parents must exist */
/* Every file (no directories), sorted by path; the paths live as long as the arena. */
uint32_t fs_sim_files(struct fs_sim *sim, struct arena *arena, const char ***paths);

#endif
