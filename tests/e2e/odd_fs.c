/*
 * odd_fs.c - a preloaded library that makes the file system below a directory an odd one, as a test says.
 *
 *     cc -shared -fPIC -o odd_fs.so odd_fs.c -ldl
 *     ODD_FS_DIR=/data ODD_FS_CONTROL=file LD_PRELOAD=./odd_fs.so gnomon --storage.path=/data ...
 *
 * The control file is struct control; the test maps it and changes it while the server runs.  Everything else goes to
 * the real file system.  Only files opened below ODD_FS_DIR are odd.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* errno values: 0 = the real call.  Order and size are those of tests/e2e/test_odd_fs.py. */
static struct control {
    _Atomic int32_t generation; /* files opened under an older one are stale: ESTALE */
    _Atomic int32_t hold_syncs; /* fsync and fdatasync of files wait while it is not 0 */
    _Atomic int32_t waiting;    /* how many do */
    _Atomic int32_t fallocate_errno, sync_dir_errno, link_errno, lock_errno, rename_errno;
    _Atomic int32_t no_types;    /* readdir tells no d_type */
    _Atomic int32_t magic;       /* of statfs */
    _Atomic int32_t sync_us;     /* each sync of a file takes at least so long */
    _Atomic int32_t stale_calls; /* answered with ESTALE */
    _Atomic int32_t mapped;      /* mmap of a file below the directory: must stay 0 */
} * control;

enum { FDS = 65536 };
static _Atomic int32_t opened[FDS]; /* generation + 1 of a file below the directory; 0: another one */
static char dir[4096];

#define REAL(name)                                                                                                     \
    static __typeof__(&name) real;                                                                                     \
    if (!real)                                                                                                         \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void setup(void)
{
    const char *d = getenv("ODD_FS_DIR"), *c = getenv("ODD_FS_CONTROL");
    int fd = d && c ? (int)syscall(257 /* openat */, AT_FDCWD, c, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        abort();
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strncpy(dir, d, sizeof dir - 1);
}

static int inside(const char *path)
{
    return control && strncmp(path, dir, strlen(dir)) == 0;
}

static int odd(int fd)
{
    return fd >= 0 && fd < FDS && opened[fd];
}

static int stale(int fd)
{
    if (!odd(fd) || opened[fd] == control->generation + 1)
        return 0;
    control->stale_calls++;
    errno = ESTALE;
    return 1;
}

static int fails(int wrong)
{
    if (wrong)
        errno = wrong;
    return wrong;
}

static int opened_as(const char *path, int fd)
{
    if (fd >= 0 && fd < FDS)
        opened[fd] = inside(path) ? control->generation + 1 : 0;
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    REAL(open);
    return opened_as(path, real(path, flags, mode));
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int close(int fd)
{
    REAL(close);
    if (fd >= 0 && fd < FDS)
        opened[fd] = 0;
    return real(fd);
}

int dup3(int from, int to, int flags)
{
    REAL(dup3);
    int fd = real(from, to, flags);
    if (fd >= 0 && fd < FDS && from < FDS)
        opened[fd] = opened[from];
    return fd;
}

ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
    REAL(pread);
    return stale(fd) ? -1 : real(fd, to, bytes, at);
}

ssize_t pread64(int fd, void *to, size_t bytes, off_t at) __attribute__((alias("pread")));

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    REAL(pwritev);
    return stale(fd) ? -1 : real(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) __attribute__((alias("pwritev")));

static void pause_us(int us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000L};
    nanosleep(&t, NULL);
}

/* Waits as a slow disk does; -1 with errno as an odd one. */
static int before_sync(int fd)
{
    if (!odd(fd))
        return 0;
    if (stale(fd))
        return -1;
    if (control->sync_us)
        pause_us(control->sync_us);
    control->waiting++;
    while (control->hold_syncs)
        pause_us(1000);
    control->waiting--;
    return 0;
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return before_sync(fd) ? -1 : real(fd);
}

int fsync(int fd)
{
    REAL(fsync);
    if (odd(fd) && fcntl(fd, F_GETFL) & O_DIRECTORY)
        return fails(control->sync_dir_errno) ? -1 : real(fd);
    return before_sync(fd) ? -1 : real(fd);
}

int fallocate(int fd, int mode, off_t at, off_t bytes)
{
    REAL(fallocate);
    return odd(fd) && fails(control->fallocate_errno) ? -1 : real(fd, mode, at, bytes);
}

int fallocate64(int fd, int mode, off_t at, off_t bytes) __attribute__((alias("fallocate")));

int flock(int fd, int how)
{
    REAL(flock);
    return odd(fd) && fails(control->lock_errno) ? -1 : real(fd, how);
}

int link(const char *from, const char *to)
{
    REAL(link);
    return inside(to) && fails(control->link_errno) ? -1 : real(from, to);
}

/* A file system on which a rename cannot replace: access tells whether something is there. */
int rename(const char *from, const char *to)
{
    REAL(rename);
    return inside(to) && access(to, F_OK) == 0 && fails(control->rename_errno) ? -1 : real(from, to);
}

struct dirent *readdir(DIR *stream)
{
    REAL(readdir);
    struct dirent *entry = real(stream);
    if (entry && control->no_types)
        entry->d_type = DT_UNKNOWN;
    return entry;
}

struct dirent64 *readdir64(DIR *stream) __attribute__((alias("readdir")));

int statfs(const char *path, struct statfs *out)
{
    REAL(statfs);
    int got = real(path, out);
    if (got == 0 && inside(path) && control->magic)
        out->f_type = (uint32_t)control->magic;
    return got;
}

int statfs64(const char *path, struct statfs64 *out) __attribute__((alias("statfs")));

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    if (control && odd(fd)) {
        control->mapped++;
        errno = ENODEV;
        return MAP_FAILED;
    }
    return real(at, bytes, protection, flags, fd, offset);
}
