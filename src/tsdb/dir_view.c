/* dir_view.c - reads format and manifest for verify and inspect; the contract is in dir_view.h. */
#include "tsdb/dir_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "wal/wal.h"

enum { FORMAT_BYTES_MAX = 4096 };

void dir_view_path(const struct dir_view *v, char out[DIR_VIEW_PATH_BYTES], const char *a, const char *b,
                   const char *suffix)
{
    int n = snprintf(out, DIR_VIEW_PATH_BYTES, "%s/%s%s%s%s", v->dir, a, *b ? "/" : "", b, suffix);
    assert(n > 0 && n < DIR_VIEW_PATH_BYTES);
}

void format_print(uint64_t id, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "gnomon data directory 1\nid %016" PRIx64 "\n", id);
    buf_printf(out, "end %08x\n", crc32c(0, out->data + start, out->len - start));
}

/* Whether the last line is the checksum of those before it: any version writes that. */
static bool format_intact(struct slice text)
{
    enum { END_BYTES = 13 }; /* "end 89abcdef\n" */
    char want[END_BYTES + 1];
    if (text.len < END_BYTES)
        return false;
    snprintf(want, sizeof want, "end %08x\n", crc32c(0, text.data, text.len - END_BYTES));
    return memcmp(text.data + text.len - END_BYTES, want, END_BYTES) == 0;
}

enum err format_parse(struct slice text, uint64_t *id, struct errmsg *why)
{
    char copy[128];
    unsigned version = 0;
    uint64_t found = 0;
    snprintf(copy, sizeof copy, "%.*s", (int)(text.len < sizeof copy ? text.len : sizeof copy - 1),
             (const char *)text.data);
    int fields = sscanf(copy, "gnomon data directory %u\nid %16" SCNx64, &version, &found);
    if (!format_intact(text) || fields < 1)
        return err_set(why, ERR_CORRUPT, "not what was written");
    if (version != 1)
        return err_set(why, ERR_UNSUPPORTED, "written by a newer version (format %u, this one knows 1)", version);
    if (fields != 2)
        return err_set(why, ERR_CORRUPT, "there is no id");
    *id = found;
    return ERR_OK;
}

static void format_load(struct dir_view *v)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct buf text = {0};
    struct errmsg why = {0};
    dir_view_path(v, path, "format", "", "");
    enum err err = fs_read_file(v->fs, path, FORMAT_BYTES_MAX, &text, &why);
    if (err == ERR_OK)
        err = format_parse(buf_view(&text), &v->id, &why);
    if (err != ERR_OK)
        snprintf(v->format, sizeof v->format, "%.*s", (int)sizeof v->format - 1, why.text);
    buf_deinit(&text);
}

void dir_view_refresh(struct dir_view *v)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct errmsg why = {0};
    dir_view_path(v, path, "MANIFEST", "", "");
    manifest_deinit(&v->manifest);
    v->manifest_text[0] = 0;
    if (manifest_load(v->fs, path, &v->manifest, &why) != ERR_OK)
        snprintf(v->manifest_text, sizeof v->manifest_text, "%.*s", (int)sizeof v->manifest_text - 1, why.text);
    manifest_sort(&v->manifest);
}

enum err dir_view_open(struct dir_view *v, struct fs *fs, const char *dir, struct errmsg *why)
{
    struct fs_stat st;
    char path[DIR_VIEW_PATH_BYTES];
    *v = (struct dir_view){.fs = fs, .manifest.flushed_ms = INT64_MIN};
    int n = snprintf(v->dir, sizeof v->dir, "%s", dir);
    if (n <= 0 || (size_t)n >= sizeof v->dir)
        return err_set(why, ERR_LIMIT, "the path of a data directory has 1 to %zu bytes", sizeof v->dir - 1);
    TRY(fs_stat_path(fs, dir, &st, why));
    if (!st.is_dir)
        return err_set(why, ERR_INVALID, "%s is no directory", dir);
    format_load(v);
    dir_view_refresh(v);
    dir_view_path(v, path, "wal", "", "");
    if (v->id == 0)
        v->id = v->manifest.id ? v->manifest.id : wal_dir_id(fs, path);
    return ERR_OK;
}

void dir_view_close(struct dir_view *v)
{
    manifest_deinit(&v->manifest);
}
