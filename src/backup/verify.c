/* verify.c - looking at backups: whether they are whole, which there are, and removing old ones. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/backup_internal.h"
#include "base/mem.h"

/* Contents that lists name, sorted, each once. */
struct used {
    struct backup_file *list;
    size_t count, capacity;
};

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct backup_file *)a)->hash.bytes, ((const struct backup_file *)b)->hash.bytes, HASH_BYTES);
}

static void used_add(struct used *u, const struct backup_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        u->list = mem_grow(u->list, &u->capacity, u->count + 1, sizeof *u->list);
        u->list[u->count++] = l->files[i];
    }
}

static void used_settle(struct used *u)
{
    size_t kept = 0;
    if (u->count > 1)
        qsort(u->list, u->count, sizeof *u->list, by_hash);
    for (size_t i = 0; i < u->count; i++)
        if (kept == 0 || by_hash(&u->list[kept - 1], &u->list[i]) != 0)
            u->list[kept++] = u->list[i];
    u->count = kept;
}

static bool used_has(const struct used *u, const struct content_hash *hash)
{
    struct backup_file key = {.hash = *hash};
    return u->count && bsearch(&key, u->list, u->count, sizeof *u->list, by_hash);
}

/* ---- verify ---- */

enum err backup_verify(struct fs *fs, const char *dest, struct buf *out, uint64_t *problems, struct errmsg *why)
{
    struct dest d;
    struct fs_names names;
    struct used used = {0};
    *problems = 0;
    TRY(dest_open(&d, fs, dest, false, why));
    if (d.format_damaged) {
        buf_str(out, "format: not what was written (the next backup writes it anew)\n");
        ++*problems;
    }
    enum err err = dest_names(&d, &names, why);
    for (size_t i = 0; i < names.count && err == ERR_OK; i++) {
        struct backup_list l;
        struct errmsg text = {0};
        if (list_load(fs, dest, names.list[i], &l, &text) == ERR_OK) {
            used_add(&used, &l);
        } else {
            buf_printf(out, "%s: %s\n", names.list[i], text.text);
            ++*problems;
        }
        list_deinit(&l);
    }
    used_settle(&used);
    for (size_t i = 0; i < used.count && err == ERR_OK; i++) {
        struct errmsg text = {0};
        if (object_fetch(fs, dest, &used.list[i], NULL, &text) == ERR_OK)
            continue;
        buf_printf(out, "%s: %s\n", used.list[i].path, text.text);
        ++*problems;
    }
    buf_printf(out, "%zu backups, %zu contents, %" PRIu64 " problems\n", names.count, used.count, *problems);
    if (err == ERR_OK && out->failed)
        err = err_set(why, ERR_NO_MEMORY, "no memory for the list of %" PRIu64 " problems", *problems);
    mem_free(used.list);
    fs_names_deinit(&names);
    dest_close(&d);
    return err;
}

/* ---- list ---- */

enum err backup_list(struct fs *fs, const char *dest, struct buf *out, struct errmsg *why)
{
    struct dest d;
    struct fs_names names;
    TRY(dest_open(&d, fs, dest, false, why));
    enum err err = dest_names(&d, &names, why);
    for (size_t i = 0; i < names.count && err == ERR_OK; i++) {
        struct backup_list l;
        struct errmsg text = {0};
        uint64_t bytes = 0;
        if (list_load(fs, dest, names.list[i], &l, &text) != ERR_OK) {
            buf_printf(out, "%s damaged: %s\n", names.list[i], text.text);
            continue;
        }
        for (size_t k = 0; k < l.count; k++)
            bytes += l.files[k].bytes;
        buf_printf(out, "%s %zu files %" PRIu64 " bytes\n", names.list[i], l.count, bytes);
        list_deinit(&l);
    }
    if (err == ERR_OK && out->failed)
        err = err_set(why, ERR_NO_MEMORY, "no memory for the list");
    fs_names_deinit(&names);
    dest_close(&d);
    return err;
}

/* ---- prune ---- */

static enum err remove_unused(const struct dest *d, const struct used *used, struct buf *out, struct errmsg *why)
{
    char objects[BACKUP_PATH_BYTES], folder[BACKUP_PATH_BYTES], path[BACKUP_PATH_BYTES];
    struct fs_names shards;
    uint64_t removed = 0;
    TRY(join_path(d->path, "objects", objects, why));
    enum err err = fs_names_of(d->fs, objects, &shards, why);
    for (size_t i = 0; i < shards.count && err == ERR_OK; i++) {
        struct fs_names names;
        if (strlen(shards.list[i]) != 2)
            continue;
        err = join_path(objects, shards.list[i], folder, why);
        if (err != ERR_OK)
            break;
        err = fs_names_of(d->fs, folder, &names, why);
        for (size_t k = 0; k < names.count && err == ERR_OK; k++) {
            struct content_hash hash;
            if (!hash_parse(slice_str(names.list[k]), &hash) || used_has(used, &hash))
                continue;
            err = join_path(folder, names.list[k], path, why);
            if (err == ERR_OK)
                err = fs_unlink(d->fs, path, why);
            removed += err == ERR_OK;
        }
        fs_names_deinit(&names);
    }
    fs_names_deinit(&shards);
    buf_printf(out, "%" PRIu64 " contents removed\n", removed);
    return err;
}

/* Lists first: contents go only when no list names them, and a damaged list could name any. */
static enum err prune(const struct dest *d, uint32_t keep, struct buf *out, struct errmsg *why)
{
    char folder[BACKUP_PATH_BYTES], path[BACKUP_PATH_BYTES];
    struct fs_names names;
    struct used used = {0};
    TRY(join_path(d->path, "backups", folder, why));
    enum err err = dest_names(d, &names, why);
    size_t gone = names.count > keep ? names.count - keep : 0;
    for (size_t i = gone; i < names.count && err == ERR_OK; i++) {
        struct backup_list l;
        err = list_load(d->fs, d->path, names.list[i], &l, why);
        used_add(&used, &l);
        list_deinit(&l);
    }
    for (size_t i = 0; i < gone && err == ERR_OK; i++) {
        err = join_path(folder, names.list[i], path, why);
        if (err == ERR_OK)
            err = fs_unlink(d->fs, path, why);
        if (err == ERR_OK)
            buf_printf(out, "%s removed\n", names.list[i]);
    }
    if (err == ERR_OK)
        err = fs_sync_dir(d->fs, folder, why);
    used_settle(&used);
    if (err == ERR_OK)
        err = remove_unused(d, &used, out, why);
    mem_free(used.list);
    fs_names_deinit(&names);
    return err;
}

enum err backup_prune(struct fs *fs, const char *dest, uint32_t keep, struct buf *out, struct errmsg *why)
{
    struct dest d;
    struct fs_stat st;
    if (keep == 0)
        return err_set(why, ERR_INVALID, "at least one backup must be kept");
    TRY(fs_stat_path(fs, dest, &st, why));
    TRY(dest_open(&d, fs, dest, true, why));
    enum err err = prune(&d, keep, out, why);
    dest_close(&d);
    return err;
}
