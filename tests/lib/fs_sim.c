/* fs_sim.c - the fs table over the simulated disk, with faults; the contract is in fs_sim.h. */
#include "lib/fs_sim.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lib/fs_sim_internal.h"

static int kind_index(enum fs_sim_kind kind)
{
    return __builtin_ctz((unsigned)kind);
}

/* Called first by every call; takes the lock.  ERR_OK: go on.  *partly: fail after leaving half of the change. */
static enum err sim_enter(struct fs_sim *sim, enum fs_sim_kind kind, const char *path, bool *partly, struct errmsg *why)
{
    if (sim->hook)
        sim->hook(sim->hook_ctx, sim, kind, path);
    mutex_lock(&sim->lock);
    sim->calls[kind_index(kind)]++;
    *partly = false;
    if (sim->off)
        return err_set(why, ERR_IO, "%s: power is off", path);
    if ((kind & FS_SIM_CHANGES) && sim->off_in > 0 && --sim->off_in == 0) {
        sim->off = true;
        *partly = true; /* the change itself may or may not have reached the disk */
        return err_set(why, ERR_IO, "%s: power went off", path);
    }
    if (!(kind & sim->fail_kinds) || sim->fail_in == 0)
        return ERR_OK;
    if (sim->fail_in > 1) {
        sim->fail_in--;
        return ERR_OK;
    }
    if (!sim->fail_forever)
        sim->fail_in = 0;
    sim->failures++;
    *partly = kind == FS_SIM_WRITE;
    return err_set(why, sim->fail_err, "%s: injected failure", path);
}

static enum err sim_leave(struct fs_sim *sim, enum err err)
{
    mutex_unlock(&sim->lock);
    return err;
}

static enum err missing(struct errmsg *why, const char *path)
{
    return err_set(why, ERR_NOT_FOUND, "%s: No such file or directory", path);
}

static bool space_for(struct fs_sim *sim, uint64_t old_size, uint64_t new_size)
{
    uint64_t grows = new_size > old_size ? new_size - old_size : 0;
    if (grows > 0 && sim->capacity && sim->bytes + grows > sim->capacity)
        return false;
    sim->bytes = sim->bytes + new_size - old_size;
    return true;
}

/* Files without a name and without an open handle give their room back. */
static void space_recount(struct fs_sim *sim)
{
    if (sim->capacity == 0)
        return;
    bool *used = mem_array(sim->node_count, sizeof *used);
    for (size_t i = 0; i < sim->node_count; i++) {
        used[i] = used[i] || sim->nodes[i].open_count > 0;
        for (size_t k = 0; k < sim->nodes[i].names.count; k++) /* removed directories are empty */
            used[sim->nodes[i].names.list[k].node] = true;
    }
    sim->bytes = 0;
    for (size_t i = 0; i < sim->node_count; i++)
        sim->bytes += used[i] ? sim->nodes[i].cache.size : 0;
    mem_free(used);
}

/* ---- names ---- */

static void name_add(struct fs_sim *sim, uint32_t dir, const char *name, uint32_t node)
{
    sim_name_set(&sim->nodes[dir].names, name, node);
    struct sim_change *c = sim_change_add(sim);
    c->kind = SIM_LINK;
    c->node = node;
    c->dir = dir;
    c->name = mem_strdup(name);
}

static void name_drop(struct fs_sim *sim, uint32_t dir, const char *name)
{
    struct sim_change *c = sim_change_add(sim);
    c->kind = SIM_UNLINK;
    c->dir = dir;
    c->name = mem_strdup(name);
    sim_name_remove(&sim->nodes[dir].names, name);
}

static enum err sim_mkdir(struct fs *fs, const char *path, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_MKDIR, path, &partly, why);
    uint32_t dir, node;
    const char *name;
    if (err != ERR_OK && !partly)
        return sim_leave(sim, err);
    if (sim_find(sim, path, &node))
        return sim_leave(sim, err_set(why, ERR_EXISTS, "%s: File exists", path));
    if (!sim_parent(sim, path, &dir, &name))
        return sim_leave(sim, missing(why, path));
    name_add(sim, dir, name, sim_node_add(sim, true));
    return sim_leave(sim, err);
}

static enum err sim_rename(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_RENAME, from, &partly, why);
    uint32_t dir, from_dir, node, old;
    const char *name, *from_name;
    if (err != ERR_OK && !partly)
        return sim_leave(sim, err);
    if (!sim_find(sim, from, &node) || !sim_parent(sim, from, &from_dir, &from_name) ||
        !sim_parent(sim, to, &dir, &name))
        return sim_leave(sim, missing(why, from));
    if (sim_find(sim, to, &old) && sim->nodes[old].is_dir &&
        (!sim->nodes[node].is_dir || sim->nodes[old].names.count > 0))
        return sim_leave(sim, err_set(why, ERR_EXISTS, "%s: Directory not empty", to));
    struct sim_change *c = sim_change_add(sim);
    c->kind = SIM_RENAME;
    c->node = node;
    c->dir = dir;
    c->from_dir = from_dir;
    c->name = mem_strdup(name);
    c->from_name = mem_strdup(from_name);
    sim_name_remove(&sim->nodes[from_dir].names, from_name);
    sim_name_set(&sim->nodes[dir].names, name, node);
    space_recount(sim);
    return sim_leave(sim, err);
}

static enum err sim_link(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_LINK, to, &partly, why);
    uint32_t dir, node, old;
    const char *name;
    if (err != ERR_OK && !partly)
        return sim_leave(sim, err);
    if (!sim_find(sim, from, &node) || sim->nodes[node].is_dir || !sim_parent(sim, to, &dir, &name))
        return sim_leave(sim, missing(why, from));
    if (sim_find(sim, to, &old))
        return sim_leave(sim, err_set(why, ERR_EXISTS, "%s: File exists", to));
    name_add(sim, dir, name, node);
    return sim_leave(sim, err);
}

static enum err sim_remove(struct fs *fs, const char *path, bool want_dir, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, want_dir ? FS_SIM_RMDIR : FS_SIM_UNLINK, path, &partly, why);
    uint32_t dir, node;
    const char *name;
    if (err != ERR_OK && !partly)
        return sim_leave(sim, err);
    if (!sim_find(sim, path, &node) || !sim_parent(sim, path, &dir, &name))
        return sim_leave(sim, missing(why, path));
    if (sim->nodes[node].is_dir != want_dir)
        return sim_leave(sim, err_set(why, ERR_IO, "%s: wrong kind of entry to remove", path));
    if (want_dir && sim->nodes[node].names.count > 0)
        return sim_leave(sim, err_set(why, ERR_EXISTS, "%s: Directory not empty", path));
    name_drop(sim, dir, name);
    space_recount(sim);
    return sim_leave(sim, err);
}

static enum err sim_unlink(struct fs *fs, const char *path, struct errmsg *why)
{
    return sim_remove(fs, path, false, why);
}

static enum err sim_rmdir(struct fs *fs, const char *path, struct errmsg *why)
{
    return sim_remove(fs, path, true, why);
}

static enum err sim_stat(struct fs *fs, const char *path, struct fs_stat *out, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_STAT, path, &partly, why);
    uint32_t node;
    if (err == ERR_OK && !sim_find(sim, path, &node))
        err = missing(why, path);
    if (err == ERR_OK)
        *out = (struct fs_stat){.bytes = sim->nodes[node].cache.size, .is_dir = sim->nodes[node].is_dir};
    return sim_leave(sim, err);
}

static enum err sim_list(struct fs *fs, const char *path, bool (*visit)(void *ctx, const char *name), void *ctx,
                         struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_LIST, path, &partly, why);
    uint32_t node;
    if (err == ERR_OK && (!sim_find(sim, path, &node) || !sim->nodes[node].is_dir))
        err = missing(why, path);
    if (err != ERR_OK)
        return sim_leave(sim, err);
    /* visit may call back into the disk, so it gets a copy of the names */
    size_t count = sim->nodes[node].names.count;
    char **names = mem_array(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = mem_strdup(sim->nodes[node].names.list[i].name);
    sim_leave(sim, ERR_OK);
    bool more = true;
    for (size_t i = 0; i < count; i++) {
        more = more && visit(ctx, names[i]);
        mem_free(names[i]);
    }
    mem_free(names);
    return ERR_OK;
}

static bool touches_dir(const struct sim_change *c, uint32_t dir)
{
    if (c->lost)
        return false;
    bool is_name = c->kind == SIM_LINK || c->kind == SIM_UNLINK || c->kind == SIM_RENAME;
    return is_name && (c->dir == dir || (c->kind == SIM_RENAME && c->from_dir == dir));
}

static bool touches_file(const struct sim_change *c, uint32_t node)
{
    return !c->lost && (c->kind == SIM_WRITE || c->kind == SIM_SIZE) && c->node == node;
}

/* What a failed sync leaves: the cache shows the changes, but nothing will ever write them. */
static void lose_changes(struct fs_sim *sim, bool (*touches)(const struct sim_change *, uint32_t), uint32_t node)
{
    for (size_t i = 0; i < sim->change_count; i++)
        if (touches(&sim->changes[i], node))
            sim->changes[i].lost = true;
}

static enum err sim_sync_dir(struct fs *fs, const char *path, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_SYNC_DIR, path, &partly, why);
    uint32_t node;
    if (err != ERR_OK)
        return sim_leave(sim, err);
    if (!sim_find(sim, path, &node) || !sim->nodes[node].is_dir)
        return sim_leave(sim, missing(why, path));
    sim_changes_settle(sim, touches_dir, node);
    return sim_leave(sim, ERR_OK);
}

static enum err sim_space(struct fs *fs, const char *path, struct fs_space *out, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    enum err err = sim_enter(sim, FS_SIM_SPACE, path, &partly, why);
    if (err == ERR_OK) {
        *out = (struct fs_space){.kind = ""};
        out->total_bytes = sim->capacity ? sim->capacity : UINT64_C(1) << 40;
        out->free_bytes = out->total_bytes > sim->bytes ? out->total_bytes - sim->bytes : 0;
    }
    return sim_leave(sim, err);
}

/* ---- files ---- */

static enum err file_enter(struct sim_file *f, enum fs_sim_kind kind, bool *partly, struct errmsg *why)
{
    enum err err = sim_enter(f->sim, kind, f->path, partly, why);
    if (f->life != f->sim->life) {
        *partly = false;
        return err_set(why, ERR_IO, "%s: opened before the crash", f->path);
    }
    return err;
}

static enum err sim_close(struct file *file, struct errmsg *why)
{
    struct sim_file *f = (struct sim_file *)file;
    bool partly;
    enum err err = file_enter(f, FS_SIM_CLOSE, &partly, why);
    struct sim_node *node = &f->sim->nodes[f->node];
    if (f->life == f->sim->life) {
        assert(node->open_count > 0);
        node->open_count--;
        if (f->holds_lock)
            node->locked = false;
        space_recount(f->sim);
    }
    sim_leave(f->sim, err);
    mem_free(f);
    return err;
}

static enum err sim_pread(struct file *file, void *out, size_t bytes, uint64_t offset, size_t *got, struct errmsg *why)
{
    struct sim_file *f = (struct sim_file *)file;
    bool partly;
    enum err err = file_enter(f, FS_SIM_READ, &partly, why);
    if (err != ERR_OK)
        return sim_leave(f->sim, err);
    struct sim_bytes *b = &f->sim->nodes[f->node].cache;
    size_t there = offset < b->size ? b->size - (size_t)offset : 0;
    *got = bytes < there ? bytes : there;
    if (*got)
        memcpy(out, b->data + offset, *got);
    return sim_leave(f->sim, ERR_OK);
}

/* Puts the first `bytes` of the parts into cache and pending changes. */
static enum err write_parts(struct sim_file *f, const struct iovec *parts, int count, size_t bytes, uint64_t offset,
                            struct errmsg *why)
{
    struct sim_bytes *cache = &f->sim->nodes[f->node].cache;
    uint64_t end = offset + bytes > cache->size ? offset + bytes : cache->size;
    if (!space_for(f->sim, cache->size, end))
        return err_set(why, ERR_NO_SPACE, "%s: No space left on device", f->path);
    struct sim_change *c = sim_change_add(f->sim);
    c->kind = SIM_WRITE;
    c->node = f->node;
    c->offset = offset;
    c->bytes = bytes;
    c->data = mem_alloc(bytes + 1);
    size_t done = 0;
    for (int i = 0; i < count && done < bytes; i++) {
        size_t n = parts[i].iov_len < bytes - done ? parts[i].iov_len : bytes - done;
        if (n)
            memcpy(c->data + done, parts[i].iov_base, n);
        done += n;
    }
    sim_bytes_write(cache, offset, c->data, bytes);
    return ERR_OK;
}

static enum err sim_pwritev(struct file *file, const struct iovec *parts, int count, uint64_t offset,
                            struct errmsg *why)
{
    struct sim_file *f = (struct sim_file *)file;
    assert(f->writable);
    bool partly;
    enum err err = file_enter(f, FS_SIM_WRITE, &partly, why);
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    if (err == ERR_OK) {
        err = write_parts(f, parts, count, bytes, offset, why);
    } else if (partly) {
        enum err ignored = write_parts(f, parts, count, f->sim->off ? bytes : bytes / 2, offset, NULL);
        (void)ignored; /* the call fails either way */
    }
    return sim_leave(f->sim, err);
}

static enum err sim_sync(struct file *file, bool data_only, struct errmsg *why)
{
    (void)data_only; /* both keep what is needed to read the data back */
    struct sim_file *f = (struct sim_file *)file;
    bool partly;
    enum err err = file_enter(f, FS_SIM_SYNC, &partly, why);
    if (err == ERR_OK)
        sim_changes_settle(f->sim, touches_file, f->node);
    else if (!f->sim->off && f->life == f->sim->life)
        lose_changes(f->sim, touches_file, f->node);
    return sim_leave(f->sim, err);
}

static enum err sim_resize(struct sim_file *f, enum fs_sim_kind kind, uint64_t bytes, bool shrink, struct errmsg *why)
{
    assert(f->writable);
    bool partly;
    enum err err = file_enter(f, kind, &partly, why);
    struct sim_bytes *cache = &f->sim->nodes[f->node].cache;
    if ((err != ERR_OK && !partly) || (!shrink && bytes <= cache->size))
        return sim_leave(f->sim, err);
    if (!space_for(f->sim, cache->size, bytes))
        return sim_leave(f->sim, err_set(why, ERR_NO_SPACE, "%s: No space left on device", f->path));
    struct sim_change *c = sim_change_add(f->sim);
    c->kind = SIM_SIZE;
    c->node = f->node;
    c->offset = bytes;
    sim_bytes_resize(cache, (size_t)bytes);
    return sim_leave(f->sim, err);
}

static enum err sim_truncate(struct file *file, uint64_t bytes, struct errmsg *why)
{
    return sim_resize((struct sim_file *)file, FS_SIM_TRUNCATE, bytes, true, why);
}

static enum err sim_allocate(struct file *file, uint64_t bytes, struct errmsg *why)
{
    return sim_resize((struct sim_file *)file, FS_SIM_ALLOCATE, bytes, false, why);
}

static enum err sim_size(struct file *file, uint64_t *bytes, struct errmsg *why)
{
    struct sim_file *f = (struct sim_file *)file;
    bool partly;
    enum err err = file_enter(f, FS_SIM_STAT, &partly, why);
    if (err == ERR_OK)
        *bytes = f->sim->nodes[f->node].cache.size;
    return sim_leave(f->sim, err);
}

static enum err sim_lock(struct file *file, struct errmsg *why)
{
    struct sim_file *f = (struct sim_file *)file;
    bool partly;
    enum err err = file_enter(f, FS_SIM_LOCK, &partly, why);
    if (err != ERR_OK)
        return sim_leave(f->sim, err);
    if (f->sim->nodes[f->node].locked && !f->holds_lock)
        return sim_leave(f->sim, err_set(why, ERR_EXISTS, "%s: locked by another process", f->path));
    f->sim->nodes[f->node].locked = f->holds_lock = true;
    return sim_leave(f->sim, ERR_OK);
}

static const struct file_ops sim_file_ops = {
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .size = sim_size,
    .lock = sim_lock,
};

static struct file *file_handle(struct fs_sim *sim, uint32_t node, int flags, const char *path)
{
    struct sim_file *f = MEM_NEW(struct sim_file);
    f->file.ops = &sim_file_ops;
    f->sim = sim;
    f->node = node;
    f->life = sim->life;
    f->writable = flags & FS_WRITE;
    snprintf(f->path, sizeof f->path, "%s", path);
    sim->nodes[node].open_count++;
    return &f->file;
}

static void empty_file(struct fs_sim *sim, uint32_t node)
{
    bool fits = space_for(sim, sim->nodes[node].cache.size, 0);
    assert(fits);
    struct sim_change *c = sim_change_add(sim);
    c->kind = SIM_SIZE;
    c->node = node;
    sim_bytes_resize(&sim->nodes[node].cache, 0);
}

static enum err sim_open(struct fs *fs, const char *path, int flags, struct file **out, struct errmsg *why)
{
    struct fs_sim *sim = (struct fs_sim *)fs;
    bool partly;
    uint32_t node, dir;
    const char *name;
    mutex_lock(&sim->lock);
    bool found = sim_find(sim, path, &node);
    mutex_unlock(&sim->lock);
    bool creates = !found && (flags & FS_CREATE);
    enum err err = sim_enter(sim, creates ? FS_SIM_CREATE : FS_SIM_OPEN, path, &partly, why);
    if (err != ERR_OK && !partly)
        return sim_leave(sim, err);
    if (found && (flags & FS_EXCLUSIVE))
        return sim_leave(sim, err_set(why, ERR_EXISTS, "%s: File exists", path));
    if (found && sim->nodes[node].is_dir)
        return sim_leave(sim, err_set(why, ERR_IO, "%s: Is a directory", path));
    if (!found && (!(flags & FS_CREATE) || !sim_parent(sim, path, &dir, &name)))
        return sim_leave(sim, missing(why, path));
    if (!found) {
        node = sim_node_add(sim, false);
        name_add(sim, dir, name, node);
    } else if (flags & FS_TRUNCATE) {
        empty_file(sim, node);
    }
    if (err == ERR_OK)
        *out = file_handle(sim, node, flags, path);
    return sim_leave(sim, err);
}

static const struct fs_ops sim_fs_ops = {
    .open = sim_open,
    .mkdir = sim_mkdir,
    .rename = sim_rename,
    .link = sim_link,
    .unlink = sim_unlink,
    .rmdir = sim_rmdir,
    .stat = sim_stat,
    .list = sim_list,
    .sync_dir = sim_sync_dir,
    .space = sim_space,
};

/* ---- life and faults ---- */

struct fs_sim *fs_sim_new(void)
{
    struct fs_sim *sim = MEM_NEW(struct fs_sim);
    sim->fs.ops = &sim_fs_ops;
    mutex_init(&sim->lock);
    sim_node_add(sim, true);
    return sim;
}

void fs_sim_free(struct fs_sim *sim)
{
    if (!sim)
        return;
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        assert(n->open_count == 0); /* a file was not closed */
        mem_free(n->cache.data);
        mem_free(n->durable.data);
        sim_names_free(&n->names);
        sim_names_free(&n->durable_names);
    }
    for (size_t i = 0; i < sim->change_count; i++)
        sim_change_free(&sim->changes[i]);
    mem_free(sim->nodes);
    mem_free(sim->changes);
    mutex_deinit(&sim->lock);
    mem_free(sim);
}

struct fs *fs_sim_fs(struct fs_sim *sim)
{
    return &sim->fs;
}

uint64_t fs_sim_calls(struct fs_sim *sim, unsigned kinds)
{
    uint64_t sum = 0;
    mutex_lock(&sim->lock);
    for (unsigned i = 0; i < sizeof sim->calls / sizeof sim->calls[0]; i++)
        if (kinds & (1u << i))
            sum += sim->calls[i];
    mutex_unlock(&sim->lock);
    return sum;
}

void fs_sim_fail(struct fs_sim *sim, uint64_t n, bool forever, unsigned kinds, enum err err)
{
    mutex_lock(&sim->lock);
    sim->fail_in = n;
    sim->fail_forever = forever;
    sim->fail_kinds = n ? kinds : 0;
    sim->fail_err = err;
    sim->failures = 0;
    mutex_unlock(&sim->lock);
}

uint64_t fs_sim_failures(struct fs_sim *sim)
{
    mutex_lock(&sim->lock);
    uint64_t n = sim->failures;
    mutex_unlock(&sim->lock);
    return n;
}

void fs_sim_capacity(struct fs_sim *sim, uint64_t bytes)
{
    mutex_lock(&sim->lock);
    sim->capacity = bytes;
    space_recount(sim);
    mutex_unlock(&sim->lock);
}

void fs_sim_power_off_at(struct fs_sim *sim, uint64_t n)
{
    mutex_lock(&sim->lock);
    sim->off_in = n;
    mutex_unlock(&sim->lock);
}

bool fs_sim_is_off(struct fs_sim *sim)
{
    mutex_lock(&sim->lock);
    bool off = sim->off;
    mutex_unlock(&sim->lock);
    return off;
}

void fs_sim_set_hook(struct fs_sim *sim, fs_sim_hook hook, void *ctx)
{
    sim->hook = hook;
    sim->hook_ctx = ctx;
}
