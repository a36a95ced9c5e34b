/*
 * fs_posix.c - files of the operating system behind the fs seam; the contract is in fs.h.
 *
 * The only file in src/ that opens, writes, syncs or renames data files.  EINTR is retried; short
 * writes are continued; an fsync error is reported once and never tried again here.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    PARTS_MAX = 64, /* parts handed to one pwritev; more are written in rounds */
    BEHIND_BYTES = 1 << 20,
};

struct posix_file {
    struct file base; /* first */
    int fd;
    bool read_only;
    char *path; /* for messages and opening anew; owned */
    /* Written one after the other and not on its way to the disk yet. */
    uint64_t behind_from, behind_to;
};

static const struct file_ops posix_file_ops;

static int fd_of(const struct file *file)
{
    return ((const struct posix_file *)file)->fd;
}

static const char *path_of(const struct file *file)
{
    return ((const struct posix_file *)file)->path;
}

static enum err posix_open(struct fs *fs, const char *path, int flags, struct file **out, struct errmsg *why)
{
    (void)fs;
    int how = O_CLOEXEC | (flags & FS_WRITE ? O_RDWR : O_RDONLY);
    how |=
        (flags & FS_CREATE ? O_CREAT : 0) | (flags & FS_EXCLUSIVE ? O_EXCL : 0) | (flags & FS_TRUNCATE ? O_TRUNC : 0);
    int fd;
    do
        fd = open(path, how, 0640);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_errno(why, errno, "open %s", path);
    struct posix_file *f = MEM_NEW(struct posix_file);
    *f = (struct posix_file){
        .base.ops = &posix_file_ops, .fd = fd, .read_only = !(flags & FS_WRITE), .path = mem_strdup(path)};
    *out = &f->base;
    return ERR_OK;
}

static enum err posix_mkdir(struct fs *fs, const char *path, struct errmsg *why)
{
    (void)fs;
    return mkdir(path, 0750) == 0 ? ERR_OK : err_errno(why, errno, "mkdir %s", path);
}

static enum err posix_rename(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    (void)fs;
    return rename(from, to) == 0 ? ERR_OK : err_errno(why, errno, "rename %s to %s", from, to);
}

static enum err posix_link(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    (void)fs;
    return link(from, to) == 0 ? ERR_OK : err_errno(why, errno, "link %s to %s", from, to);
}

static enum err posix_unlink(struct fs *fs, const char *path, struct errmsg *why)
{
    (void)fs;
    return unlink(path) == 0 ? ERR_OK : err_errno(why, errno, "unlink %s", path);
}

static enum err posix_rmdir(struct fs *fs, const char *path, struct errmsg *why)
{
    (void)fs;
    return rmdir(path) == 0 ? ERR_OK : err_errno(why, errno, "rmdir %s", path);
}

static enum err posix_stat(struct fs *fs, const char *path, struct fs_stat *out, struct errmsg *why)
{
    (void)fs;
    struct stat st, target;
    if (lstat(path, &st) != 0)
        return err_errno(why, errno, "stat %s", path);
    bool is_link = S_ISLNK(st.st_mode);
    if (is_link && stat(path, &target) == 0) /* a link to nothing is described by itself */
        st = target;
    *out = (struct fs_stat){
        .bytes = (uint64_t)st.st_size,
        .mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
        .is_dir = S_ISDIR(st.st_mode),
        .is_link = is_link,
        .is_special = !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode),
    };
    return ERR_OK;
}

static enum err posix_list(struct fs *fs, const char *path, bool (*visit)(void *ctx, const char *name), void *ctx,
                           struct errmsg *why)
{
    (void)fs;
    DIR *dir = opendir(path);
    if (!dir)
        return err_errno(why, errno, "list %s", path);
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir))) {
        bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!dots && !visit(ctx, entry->d_name))
            break;
        errno = 0;
    }
    int failed = entry ? 0 : errno;
    closedir(dir);
    return failed ? err_errno(why, failed, "list %s", path) : ERR_OK;
}

static enum err posix_sync_dir(struct fs *fs, const char *path, struct errmsg *why)
{
    (void)fs;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, errno, "open directory %s", path);
    int failed = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    if (failed == EINVAL || failed == ENOTSUP) /* file systems without directory sync (some network ones) */
        failed = 0;
    return failed ? err_errno(why, failed, "sync directory %s", path) : ERR_OK;
}

enum { MAGIC_9P = 0x01021997 };

/* File systems that lack something we rely on, by their magic number (statfs(2)). */
static const struct fs_kind {
    uint32_t magic;
    const char *name;
    enum { SHARED, VOLATILE, LAYERED } what;
} kinds[] = {
    {0x6969, "nfs", SHARED},         {0x517b, "smb", SHARED},          {0xff534d42, "cifs", SHARED},
    {0xfe534d42, "smb2", SHARED},    {0x00c36400, "ceph", SHARED},     {MAGIC_9P, "9p", SHARED},
    {0x5346414f, "afs", SHARED},     {0x0bd00bd0, "lustre", SHARED},   {0x01161970, "gfs2", SHARED},
    {0x7461636f, "ocfs2", SHARED},   {0x65735546, "fuse", SHARED},     {0x01021994, "tmpfs", VOLATILE},
    {0x858458f6, "ramfs", VOLATILE}, {0x794c7630, "overlay", LAYERED},
};

/* 9p passes on what the other side's statfs says; only the list of mounts knows. */
static bool is_9p(const char *path)
{
    struct stat st;
    char line[4096];
    unsigned high, low;
    bool found = false;
    if (stat(path, &st) != 0 || major(st.st_dev) != 0) /* on a disk */
        return false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts))
        found = sscanf(line, "%*u %*u %u:%u", &high, &low) == 2 && makedev(high, low) == st.st_dev &&
                strstr(line, " - 9p ");
    if (mounts)
        fclose(mounts);
    return found;
}

static const struct fs_kind *kind_by_magic(uint32_t magic)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].magic == magic)
            return &kinds[i];
    return NULL;
}

static void kind_of(const char *path, struct fs_space *out)
{
    struct statfs st;
    out->kind = "";
    if (statfs(path, &st) != 0)
        return;
    const struct fs_kind *kind = kind_by_magic((uint32_t)st.f_type);
    if (!kind && is_9p(path))
        kind = kind_by_magic(MAGIC_9P);
    if (!kind)
        return;
    out->kind = kind->name;
    out->shared = kind->what == SHARED;
    out->volatile_ = kind->what == VOLATILE;
    out->layered = kind->what == LAYERED;
}

static enum err posix_space(struct fs *fs, const char *path, struct fs_space *out, struct errmsg *why)
{
    (void)fs;
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return err_errno(why, errno, "statvfs %s", path);
    *out = (struct fs_space){.total_bytes = (uint64_t)st.f_blocks * st.f_frsize,
                             .free_bytes = (uint64_t)st.f_bavail * st.f_frsize};
    if (out->total_bytes == 0) /* ramfs, some of FUSE: it does not tell, which is not that it is full */
        out->total_bytes = out->free_bytes = INT64_MAX;
    kind_of(path, out);
    return ERR_OK;
}

static enum err posix_file_close(struct file *file, struct errmsg *why)
{
    struct posix_file *f = (struct posix_file *)file;
    enum err err = close(f->fd) == 0 || errno == EINTR ? ERR_OK : err_errno(why, errno, "close %s", f->path);
    mem_free(f->path);
    mem_free(f);
    return err;
}

/*
 * A server of NFS that lost what it knew of open files (a failover, a directory put back) answers ESTALE until the
 * file is opened anew.  The new description takes the old one's number, so that readers beside us go on.
 * Not for what may hold unsynced writes: those are lost, and the caller must know.
 */
static bool opened_anew(const struct posix_file *f)
{
    int fd = f->read_only ? open(f->path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    bool replaced = dup3(fd, f->fd, O_CLOEXEC) >= 0;
    close(fd);
    return replaced;
}

static enum err posix_pread(struct file *file, void *out, size_t bytes, uint64_t offset, size_t *got,
                            struct errmsg *why)
{
    bool stale = false;
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pread(fd_of(file), (uint8_t *)out + done, bytes - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ESTALE && !stale) {
            stale = true;
            if (opened_anew((struct posix_file *)file))
                continue;
            errno = ESTALE;
        }
        if (n < 0)
            return err_errno(why, errno, "read %s at offset %llu", path_of(file), (unsigned long long)offset);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return ERR_OK;
}

/* Steps over `written` bytes of the parts; returns how many parts are done. */
static int parts_advance(struct iovec *parts, int count, size_t written)
{
    int i = 0;
    while (i < count && written >= parts[i].iov_len)
        written -= parts[i++].iov_len;
    if (i < count) {
        parts[i].iov_base = (uint8_t *)parts[i].iov_base + written;
        parts[i].iov_len -= written;
    }
    return i;
}

/*
 * Of a file that grows piece by piece the kernel is told to begin writing each MiB.  Else all of it goes to the disk at
 * once in the sync at its end, and the log's next sync waits for that: 100 ms for a checkpoint of 200 MB.  Errors are
 * not lost: the sync at the end reports them.
 */
static void write_behind(struct posix_file *f, uint64_t from, uint64_t to)
{
    if (from != f->behind_to)
        f->behind_from = from;
    f->behind_to = to;
    if (to - f->behind_from < BEHIND_BYTES)
        return;
#if defined(SYNC_FILE_RANGE_WRITE)
    (void)sync_file_range(f->fd, (off_t)f->behind_from, (off_t)(to - f->behind_from), SYNC_FILE_RANGE_WRITE);
#endif
    f->behind_from = to;
}

static enum err posix_pwritev(struct file *file, const struct iovec *parts, int count, uint64_t offset,
                              struct errmsg *why)
{
    uint64_t begin = offset;
    while (count > 0) {
        struct iovec round[PARTS_MAX];
        int n = count < PARTS_MAX ? count : PARTS_MAX, done = 0;
        memcpy(round, parts, (size_t)n * sizeof *parts);
        done += parts_advance(round, n, 0);
        while (done < n) {
            ssize_t written = pwritev(fd_of(file), round + done, n - done, (off_t)offset);
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                return err_errno(why, errno, "write %s at offset %llu", path_of(file), (unsigned long long)offset);
            offset += (uint64_t)written;
            done += parts_advance(round + done, n - done, (size_t)written);
        }
        parts += n;
        count -= n;
    }
    write_behind((struct posix_file *)file, begin, offset);
    return ERR_OK;
}

static enum err posix_sync(struct file *file, bool data_only, struct errmsg *why)
{
    struct posix_file *f = (struct posix_file *)file;
    f->behind_from = f->behind_to;
    int failed = data_only ? fdatasync(fd_of(file)) : fsync(fd_of(file));
    return failed ? err_errno(why, errno, "sync %s", path_of(file)) : ERR_OK;
}

static enum err posix_truncate(struct file *file, uint64_t bytes, struct errmsg *why)
{
    int failed;
    do
        failed = ftruncate(fd_of(file), (off_t)bytes);
    while (failed && errno == EINTR);
    return failed ? err_errno(why, errno, "truncate %s to %llu", path_of(file), (unsigned long long)bytes) : ERR_OK;
}

static enum err posix_allocate(struct file *file, uint64_t bytes, struct errmsg *why)
{
#if defined(__linux__)
    /* fallocate itself, not posix_fallocate: the latter writes zeros where the file system cannot. */
    int failed;
    do
        failed = fallocate(fd_of(file), 0, 0, (off_t)bytes);
    while (failed && errno == EINTR);
    return failed ? err_errno(why, errno, "allocate %llu bytes for %s", (unsigned long long)bytes, path_of(file))
                  : ERR_OK;
#else
    return err_set(why, ERR_UNSUPPORTED, "allocate %llu bytes for %s", (unsigned long long)bytes, path_of(file));
#endif
}

static enum err posix_size(struct file *file, uint64_t *bytes, struct errmsg *why)
{
    struct stat st;
    if (fstat(fd_of(file), &st) != 0)
        return err_errno(why, errno, "stat %s", path_of(file));
    *bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err posix_lock(struct file *file, struct errmsg *why)
{
    if (flock(fd_of(file), LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return err_set(why, ERR_EXISTS, "lock %s: held by another process", path_of(file));
    bool no_locks = errno == ENOLCK; /* NFS 3 without its lock daemon */
    enum err err = err_errno(why, errno, "lock %s", path_of(file));
    return no_locks ? ERR_UNSUPPORTED : err;
}

static const struct file_ops posix_file_ops = {
    .close = posix_file_close,
    .pread = posix_pread,
    .pwritev = posix_pwritev,
    .sync = posix_sync,
    .truncate = posix_truncate,
    .allocate = posix_allocate,
    .size = posix_size,
    .lock = posix_lock,
};

static const struct fs_ops posix_ops = {
    .open = posix_open,
    .mkdir = posix_mkdir,
    .rename = posix_rename,
    .link = posix_link,
    .unlink = posix_unlink,
    .rmdir = posix_rmdir,
    .stat = posix_stat,
    .list = posix_list,
    .sync_dir = posix_sync_dir,
    .space = posix_space,
};

struct fs *fs_posix(void)
{
    static struct fs fs = {&posix_ops};
    return &fs;
}
