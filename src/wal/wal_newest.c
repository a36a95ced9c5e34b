/*
 * wal_newest.c - which segment was written last, so that its loss is noticed: nothing comes after it that could tell.
 *
 *     gnomon log 1
 *     segment <16 hex digits> first <sequence of its first frame> last <a frame that is durable, 0: none known>
 *     end <CRC-32C of the lines before, 8 hex digits>
 *
 * Replaced when a segment is opened, before its first frame, when the log has been idle for a second, and when it is
 * closed; a copy of a log has its own.
 * Advice only: a lost or damaged file is no damage.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "wal/segment.h"

enum { NEWEST_BYTES_MAX = 512 };

static bool newest_path(const char *dir, char out[SEGMENT_PATH_BYTES])
{
    int n = snprintf(out, SEGMENT_PATH_BYTES, "%s/newest", dir);
    return n > 0 && n < SEGMENT_PATH_BYTES;
}

enum err segment_newest_write(const struct segment_dir *dir, const struct segment_newest *newest, struct errmsg *why)
{
    char path[SEGMENT_PATH_BYTES], text[NEWEST_BYTES_MAX];
    if (!newest_path(dir->path, path))
        return err_set(why, ERR_LIMIT, "path of the log is too long");
    int n = snprintf(text, sizeof text, "gnomon log 1\nsegment %016" PRIx64 " first %" PRIu64 " last %" PRIu64 "\n",
                     newest->number, newest->first, newest->last);
    n += snprintf(text + n, sizeof text - (size_t)n, "end %08" PRIx32 "\n", crc32c(0, text, (size_t)n));
    enum err err = fs_replace_file(dir->fs, path, slice_of(text, (size_t)n), why);
    if (err != ERR_OK) { /* an older one would soon name a segment that was given up */
        enum err ignored = fs_unlink(dir->fs, path, NULL);
        (void)ignored;
    }
    return err;
}

bool segment_newest_read(struct fs *fs, const char *dir, struct segment_newest *out)
{
    char path[SEGMENT_PATH_BYTES];
    struct buf text = {.own = true};
    uint32_t crc;
    int end = 0;
    bool fine = newest_path(dir, path) && fs_read_file(fs, path, NEWEST_BYTES_MAX, &text, NULL) == ERR_OK &&
                sscanf(buf_cstr(&text), "gnomon log 1\nsegment %16" SCNx64 " first %20" SCNu64 " last %20" SCNu64 "\n%n",
                       &out->number, &out->first, &out->last, &end) == 3 &&
                end > 0 && sscanf((const char *)text.data + end, "end %8" SCNx32, &crc) == 1 &&
                crc == crc32c(0, text.data, (size_t)end);
    buf_deinit(&text);
    return fine;
}

bool wal_newest_sound(struct fs *fs, const char *dir)
{
    char path[SEGMENT_PATH_BYTES];
    struct fs_stat st;
    struct segment_newest newest;
    return !newest_path(dir, path) || fs_stat_path(fs, path, &st, NULL) == ERR_NOT_FOUND ||
           segment_newest_read(fs, dir, &newest);
}

uint64_t wal_closed_at(struct fs *fs, const char *dir)
{
    struct segment_newest newest;
    return segment_newest_read(fs, dir, &newest) ? newest.last : 0;
}

enum err wal_copy_end(struct fs *fs, const char *dir, uint64_t last_sequence, struct errmsg *why)
{
    struct segment_dir d = {.fs = fs};
    struct segment_list segments = {0};
    int n = snprintf(d.path, sizeof d.path, "%s", dir);
    if (n <= 0 || (size_t)n >= sizeof d.path)
        return err_set(why, ERR_LIMIT, "path of the log is too long");
    enum err err = segment_dir_list(fs, dir, &segments, NULL, why);
    uint64_t newest = segments.count ? segments.list[segments.count - 1].number : 0;
    segment_list_deinit(&segments);
    struct segment_newest end = {.number = newest, .first = last_sequence, .last = last_sequence};
    return err == ERR_OK && newest && last_sequence ? segment_newest_write(&d, &end, why) : err;
}
