/*
 * fs.h - the seam for files: every byte that Gnomon keeps goes through one of these.
 *
 * fs_posix() is the real thing.  tests/lib/fs_sim.h implements the same table in memory, fails the
 * n-th call, and forgets what was not synced when it "crashes".  Nothing outside src/base/fs_posix.c
 * calls open, write, fsync, rename ... on data files.
 *
 * Paths are relative to the working directory or absolute, '/'-separated, terminated.
 * pread returns fewer bytes than asked only at the end of the file; pwrite writes all or fails.
 * After fsync or fdatasync failed, the file's unsynced data must be taken as lost: write it elsewhere.
 *
 * Ownership: fs_open hands out a struct file that file_close takes (also when close fails).
 * Threads:   any; one struct file may be read by many threads, written by one.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"

struct fs;
struct file;

enum fs_flags {
    FS_READ = 0,
    FS_WRITE = 1,      /* read and write an existing file */
    FS_CREATE = 2,     /* with FS_WRITE: make it when missing */
    FS_EXCLUSIVE = 4,  /* with FS_CREATE: fail with ERR_EXISTS when it is there */
    FS_TRUNCATE = 8,   /* with FS_WRITE: empty it */
};

struct fs_stat {
    uint64_t bytes;    /* file length */
    int64_t mtime_ms;
    bool is_dir;      /* of what a symbolic link points to */
    bool is_link;     /* the name is a symbolic link */
    bool is_special;  /* a pipe, socket or device: it has no length */
};

struct fs_space {
    uint64_t total_bytes, free_bytes; /* free for us, not for root; INT64_MAX: the file system does not tell */
    const char *kind; /* "nfs", "tmpfs" ... for those that do not keep what we rely on; "": any other */
    bool shared, volatile_; /* other machines may change it; it is gone with the power */
    bool layered;           /* it goes with its container */
};

struct fs_ops {
    enum err (*open)(struct fs *fs, const char *path, int flags, struct file **out, struct errmsg *why);
    enum err (*mkdir)(struct fs *fs, const char *path, struct errmsg *why); /* ERR_EXISTS when there */
    enum err (*rename)(struct fs *fs, const char *from, const char *to, struct errmsg *why);
    enum err (*link)(struct fs *fs, const char *from, const char *to, struct errmsg *why);
    enum err (*unlink)(struct fs *fs, const char *path, struct errmsg *why);
    enum err (*rmdir)(struct fs *fs, const char *path, struct errmsg *why);
    enum err (*stat)(struct fs *fs, const char *path, struct fs_stat *out, struct errmsg *why);
    /* Calls visit for every entry but "." and "..", in any order; stops when it returns false. */
    enum err (*list)(struct fs *fs, const char *path, bool (*visit)(void *ctx, const char *name), void *ctx,
                     struct errmsg *why);
    enum err (*sync_dir)(struct fs *fs, const char *path, struct errmsg *why); /* makes renames durable */
    enum err (*space)(struct fs *fs, const char *path, struct fs_space *out, struct errmsg *why);
};

struct fs {
    const struct fs_ops *ops;
};

struct file_ops {
    enum err (*close)(struct file *file, struct errmsg *why);
    enum err (*pread)(struct file *file, void *out, size_t bytes, uint64_t offset, size_t *got, struct errmsg *why);
    enum err (*pwritev)(struct file *file, const struct iovec *parts, int count, uint64_t offset, struct errmsg *why);
    enum err (*sync)(struct file *file, bool data_only, struct errmsg *why);
    enum err (*truncate)(struct file *file, uint64_t bytes, struct errmsg *why);
    enum err (*allocate)(struct file *file, uint64_t bytes, struct errmsg *why); /* reserve; ERR_UNSUPPORTED is normal */
    enum err (*size)(struct file *file, uint64_t *bytes, struct errmsg *why);
    enum err (*lock)(struct file *file, struct errmsg *why); /* exclusive, advisory; ERR_EXISTS: held; ERR_UNSUPPORTED */
};

struct file {
    const struct file_ops *ops;
};

struct fs *fs_posix(void);

MUST_CHECK enum err fs_open(struct fs *fs, const char *path, int flags, struct file **out, struct errmsg *why);
MUST_CHECK enum err fs_mkdir(struct fs *fs, const char *path, struct errmsg *why);
MUST_CHECK enum err fs_mkdir_all(struct fs *fs, const char *path, struct errmsg *why); /* with parents; fine when there */
MUST_CHECK enum err fs_rename(struct fs *fs, const char *from, const char *to, struct errmsg *why);
MUST_CHECK enum err fs_link(struct fs *fs, const char *from, const char *to, struct errmsg *why);
MUST_CHECK enum err fs_unlink(struct fs *fs, const char *path, struct errmsg *why);
MUST_CHECK enum err fs_rmdir(struct fs *fs, const char *path, struct errmsg *why);
MUST_CHECK enum err fs_remove_all(struct fs *fs, const char *path, struct errmsg *why); /* a tree, links are not followed; fine when missing */
MUST_CHECK enum err fs_stat_path(struct fs *fs, const char *path, struct fs_stat *out, struct errmsg *why);
MUST_CHECK enum err fs_list(struct fs *fs, const char *path, bool (*visit)(void *ctx, const char *name), void *ctx,
                            struct errmsg *why);
MUST_CHECK enum err fs_sync_dir(struct fs *fs, const char *path, struct errmsg *why);
MUST_CHECK enum err fs_space_of(struct fs *fs, const char *path, struct fs_space *out, struct errmsg *why);
/* Whole small file; ERR_LIMIT when longer than bytes_max. */
MUST_CHECK enum err fs_read_file(struct fs *fs, const char *path, size_t bytes_max, struct buf *out, struct errmsg *why);
/* path.tmp, write, fsync, rename, sync_dir: after a crash the file is the old one or the new one. */
MUST_CHECK enum err fs_replace_file(struct fs *fs, const char *path, struct slice content, struct errmsg *why);

/* fs_copy.c: the first `bytes` of a file (UINT64_MAX: all) as a new file, fsynced.  ERR_CORRUPT: `from` is shorter. */
MUST_CHECK enum err fs_copy_file(struct fs *fs, const char *from, const char *to, uint64_t bytes, struct errmsg *why);
/* A second name for a file that nobody changes any more; a copy where the file system has no hard links. */
MUST_CHECK enum err fs_link_or_copy(struct fs *fs, const char *from, const char *to, struct errmsg *why);
/* Names of a directory, sorted, for when entries change while one goes through them. */
struct fs_names {
    char **list;
    size_t count, capacity;
};
MUST_CHECK enum err fs_names_of(struct fs *fs, const char *path, struct fs_names *out, struct errmsg *why);
void fs_names_deinit(struct fs_names *names); /* also after a failed fs_names_of */

MUST_CHECK enum err file_close(struct file *file, struct errmsg *why); /* accepts NULL; takes file */
MUST_CHECK enum err file_pread(struct file *file, void *out, size_t bytes, uint64_t offset, size_t *got,
                               struct errmsg *why);
/* As pread, but ERR_CORRUPT ("N bytes short") when the file ends before. */
MUST_CHECK enum err file_pread_all(struct file *file, void *out, size_t bytes, uint64_t offset, struct errmsg *why);
MUST_CHECK enum err file_pwrite(struct file *file, const void *data, size_t bytes, uint64_t offset, struct errmsg *why);
MUST_CHECK enum err file_pwritev(struct file *file, const struct iovec *parts, int count, uint64_t offset,
                                 struct errmsg *why);
MUST_CHECK enum err file_sync(struct file *file, bool data_only, struct errmsg *why);
MUST_CHECK enum err file_truncate(struct file *file, uint64_t bytes, struct errmsg *why);
MUST_CHECK enum err file_allocate(struct file *file, uint64_t bytes, struct errmsg *why);
MUST_CHECK enum err file_size(struct file *file, uint64_t *bytes, struct errmsg *why);
MUST_CHECK enum err file_lock(struct file *file, struct errmsg *why);

#endif
