/*
 * list.c - what a backup consists of, as text:
 *
 *     gnomon backup 1
 *     made 1700000000000
 *     file <SHA-256> <bytes> <mtime ms> <path>
 *     end 89abcdef                CRC-32C of all lines before
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/backup_internal.h"
#include "base/crc32c.h"
#include "base/mem.h"

enum { END_BYTES = 13, LINE_BYTES_MAX = 512 };

void list_deinit(struct backup_list *l)
{
    mem_free(l->files);
    *l = (struct backup_list){0};
}

void list_add(struct backup_list *l, const struct backup_file *file)
{
    l->files = mem_grow(l->files, &l->capacity, l->count + 1, sizeof *l->files);
    l->files[l->count++] = *file;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

void list_sort(struct backup_list *l)
{
    if (l->count > 1)
        qsort(l->files, l->count, sizeof *l->files, by_path);
}

const struct backup_file *list_find(const struct backup_list *l, const char *path)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(l->files[mid].path, path);
        if (cmp == 0)
            return &l->files[mid];
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Relative, of plain characters, no component "." or "..", none empty. */
bool path_is_safe(const char *path)
{
    size_t len = strlen(path), start = 0;
    if (len == 0 || len >= BACKUP_FILE_BYTES)
        return false;
    for (size_t i = 0; i <= len; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c == '/' || c == 0) {
            size_t n = i - start;
            if (n == 0 || path[start] == '.')
                return false;
            start = i + 1;
        } else if (c <= ' ' || c == 0x7f || c == '\\') {
            return false;
        }
    }
    return true;
}

bool backup_name_is_safe(const char *name)
{
    return strlen(name) < BACKUP_NAME_BYTES && path_is_safe(name) && !strchr(name, '/');
}

void list_print(const struct backup_list *l, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "gnomon backup 1\nmade %" PRId64 "\n", l->made_ms);
    for (size_t i = 0; i < l->count; i++) {
        char hash[HASH_TEXT];
        hash_text(&l->files[i].hash, hash);
        buf_printf(out, "file %s %" PRIu64 " %" PRId64 " %s\n", hash, l->files[i].bytes, l->files[i].mtime_ms,
                   l->files[i].path);
    }
    buf_printf(out, "end %08x\n", crc32c(0, out->data + start, out->len - start));
}

static bool is_intact(struct slice text)
{
    char want[END_BYTES + 1];
    if (text.len < END_BYTES)
        return false;
    snprintf(want, sizeof want, "end %08x\n", crc32c(0, text.data, text.len - END_BYTES));
    return memcmp(text.data + text.len - END_BYTES, want, END_BYTES) == 0;
}

static bool parse_file(const char *line, struct backup_file *out)
{
    char hash[HASH_TEXT + 1];
    int used = 0;
    *out = (struct backup_file){0};
    if (sscanf(line, "file %64s %" SCNu64 " %" SCNd64 " %n", hash, &out->bytes, &out->mtime_ms, &used) != 3 || !used ||
        !hash_parse(slice_str(hash), &out->hash) || !path_is_safe(line + used))
        return false;
    memcpy(out->path, line + used, strlen(line + used) + 1); /* path_is_safe bounds it */
    return true;
}

static enum err parse_lines(struct slice text, struct backup_list *out, struct errmsg *why)
{
    for (uint64_t n = 1; text.len; n++) {
        char line[LINE_BYTES_MAX];
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        struct backup_file file;
        unsigned version;
        if (len >= sizeof line)
            return err_set(why, ERR_CORRUPT, "line %llu is too long", (unsigned long long)n);
        memcpy(line, text.data, len);
        line[len] = 0;
        text = slice_from(text, len + (end != NULL));
        if (n == 1) {
            if (sscanf(line, "gnomon backup %u", &version) != 1)
                return err_set(why, ERR_CORRUPT, "it is no list of a backup");
            if (version != 1)
                return err_set(why, ERR_UNSUPPORTED, "written by a newer version (format %u, this one knows 1)", version);
        } else if (parse_file(line, &file)) {
            list_add(out, &file);
        } else if (sscanf(line, "made %" SCNd64, &out->made_ms) != 1 && strncmp(line, "end ", 4) != 0) {
            return err_set(why, ERR_CORRUPT, "line %llu: not understood", (unsigned long long)n);
        }
    }
    return ERR_OK;
}

enum err list_parse(struct slice text, struct backup_list *out, struct errmsg *why)
{
    *out = (struct backup_list){0};
    if (!is_intact(text))
        return err_set(why, ERR_CORRUPT, "not what was written");
    enum err err = parse_lines(text, out, why);
    if (err != ERR_OK)
        list_deinit(out);
    list_sort(out);
    return err;
}

enum err list_load(struct fs *fs, const char *dest, const char *name, struct backup_list *out, struct errmsg *why)
{
    char folder[BACKUP_PATH_BYTES], path[BACKUP_PATH_BYTES];
    struct buf text = {0};
    *out = (struct backup_list){0};
    TRY(join_path(dest, "backups", folder, why));
    TRY(join_path(folder, name, path, why));
    enum err err = fs_read_file(fs, path, LIST_BYTES_MAX, &text, why);
    if (err == ERR_OK) {
        err = list_parse(buf_view(&text), out, why);
        if (err != ERR_OK)
            err = err_wrap(why, err, "backup %s", name);
    }
    buf_deinit(&text);
    return err;
}
