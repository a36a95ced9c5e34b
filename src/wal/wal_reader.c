/*
 * wal_reader.c - frames of all segments in the order of their sequence, whatever is damaged.
 *
 * Segments are read in the order of their numbers through a window, so memory is one window and one
 * frame.  In a segment frames follow each other without gaps; where the next one is not good, every
 * later sector is tried.  What was passed over is damage when frames are missing by their numbers;
 * else it is what a crash leaves: an unfinished frame that nobody was promised.
 *
 *     expected = last sequence + 1
 *     frame below expected: a copy from a rewrite, dropped
 *     frame above expected: the difference is lost
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/segment.h"

enum { WINDOW_BYTES = 1 << 20, READ_ERRORS_MAX = 16, PAGE_BYTES = 4096 };

struct wal_reader {
    struct segment_dir dir;
    struct wal_report report;
    struct segment_list segments;
    size_t index;          /* of the segment that is open, or to be opened */
    struct file *file;     /* NULL: none is open */
    uint64_t number, size; /* of the open segment */
    uint64_t offset;       /* where the next frame should be */
    uint64_t id;           /* that its frames are salted with */
    uint64_t expected;     /* sequence of the next frame; 0: any */
    bool header_bad, ignore_crc;
    bool again;                    /* everything was surveyed before */
    bool newest_checked;
    unsigned read_errors;          /* in the open segment */
    struct wal_segment_info *info; /* [segments.count]; of the open one: info[index] */
    uint8_t *window;
    uint64_t window_offset;
    size_t window_bytes;
};

static void damage_note(struct wal_reader *r, uint64_t offset, uint64_t bytes, const char *what)
{
    if (r->again)
        return; /* it was noted by the survey */
    if (r->report.damage_count < WAL_DAMAGE_MAX) {
        struct wal_damage *d = &r->report.damage[r->report.damage_count];
        *d = (struct wal_damage){.segment = r->number, .offset = offset, .bytes = bytes};
        snprintf(d->what, sizeof d->what, "%s", what);
        log_warn("wal", "damage in the log", "segment=%016llx offset=%llu bytes=%llu what=\"%s\"",
                 (unsigned long long)r->number, (unsigned long long)offset, (unsigned long long)bytes, what);
    }
    r->report.damage_count++;
    r->info[r->index].damaged = true;
}

/* ---- the open segment ---- */

static void segment_leave(struct wal_reader *r)
{
    enum err ignored = file_close(r->file, NULL);
    (void)ignored; /* only read */
    r->file = NULL;
    r->report.segments_done++;
    r->report.bytes_done += r->segments.list[r->index].bytes;
    r->index++;
}

/* Leaves a segment that cannot be read at all. */
static enum err segment_skip(struct wal_reader *r, enum err err, const struct errmsg *text, struct errmsg *why)
{
    char what[sizeof r->report.damage[0].what];
    snprintf(what, sizeof what, "%.*s", (int)sizeof what - 1, text->text);
    damage_note(r, 0, r->segments.list[r->index].bytes, what);
    segment_leave(r);
    if (why)
        *why = *text;
    return err == ERR_NOT_FOUND ? ERR_IO : err; /* not found would mean the end of the log */
}

/* Makes `bytes` at `offset` of the segment readable in the window; NULL when the file ends or fails. */
static const uint8_t *window_at(struct wal_reader *r, uint64_t offset, size_t bytes)
{
    assert(bytes <= WINDOW_BYTES);
    if (offset >= r->window_offset && offset + bytes <= r->window_offset + r->window_bytes)
        return r->window + (offset - r->window_offset);
    struct errmsg why = {0};
    size_t got = 0;
    r->window_bytes = 0;
    enum err err = file_pread(r->file, r->window, WINDOW_BYTES, offset, &got, &why);
    if (err != ERR_OK) /* one bad sector must not hide its neighbours */
        err = file_pread(r->file, r->window, bytes, offset, &got, &why);
    if (err != ERR_OK) {
        char what[sizeof r->report.damage[0].what];
        snprintf(what, sizeof what, "%.*s", (int)sizeof what - 1, why.text);
        damage_note(r, offset, bytes, what);
        r->read_errors++;
        return NULL;
    }
    r->window_offset = offset;
    r->window_bytes = got;
    return got >= bytes ? r->window : NULL;
}

/* Checks the header; a damaged one does not matter, because frames name their segment themselves. */
static enum err header_check(struct wal_reader *r, struct errmsg *why)
{
    struct segment_header header = {0};
    const uint8_t *bytes = window_at(r, 0, SEGMENT_HEADER_BYTES);
    enum err err = bytes ? segment_header_get(bytes, &header) : ERR_CORRUPT;
    if (err == ERR_UNSUPPORTED)
        return err_set(why, err, "segment %016llx was written by a newer version", (unsigned long long)r->number);
    r->header_bad = err != ERR_OK || header.number != r->number;
    if (!r->header_bad && r->dir.id != 0 && header.id != r->dir.id)
        return err_set(why, ERR_CORRUPT, "segment %016llx belongs to another data directory",
                       (unsigned long long)r->number);
    r->id = r->dir.id != 0 || r->header_bad ? r->dir.id : header.id;
    return ERR_OK;
}

static enum err segment_enter(struct wal_reader *r, struct errmsg *why)
{
    char path[SEGMENT_PATH_BYTES];
    struct errmsg text = {0};
    r->number = r->segments.list[r->index].number;
    r->offset = SEGMENT_HEADER_BYTES;
    r->window_bytes = r->read_errors = 0;
    if (!r->again)
        r->info[r->index] = (struct wal_segment_info){.number = r->number, .bytes = r->segments.list[r->index].bytes};
    segment_path(&r->dir, r->number, "wal", path);
    enum err err = fs_open(r->dir.fs, path, FS_READ, &r->file, &text);
    if (err == ERR_OK)
        err = file_size(r->file, &r->size, &text);
    if (err == ERR_OK)
        err = header_check(r, &text);
    return err == ERR_OK ? ERR_OK : segment_skip(r, err, &text, why);
}

/* ---- frames ---- */

/* The frame at an offset into buffer; false when there is no good one. */
static bool frame_read(struct wal_reader *r, uint64_t offset, struct buf *buffer)
{
    if (offset + FRAME_HEADER_BYTES > r->size)
        return false;
    const uint8_t *head = window_at(r, offset, FRAME_HEADER_BYTES);
    if (!head || !frame_header_plausible(head, r->number, r->size - offset))
        return false;
    size_t bytes = FRAME_HEADER_BYTES + (size_t)frame_payload_bytes(head);
    buf_reset(buffer);
    uint8_t *to = buf_reserve(buffer, bytes);
    if (!to) {
        damage_note(r, offset, bytes, "no memory for the frame");
        return false;
    }
    const uint8_t *whole = bytes <= WINDOW_BYTES ? window_at(r, offset, bytes) : NULL;
    if (whole)
        memcpy(to, whole, bytes);
    else if (bytes <= WINDOW_BYTES || file_pread_all(r->file, to, bytes, offset, NULL) != ERR_OK)
        return false;
    buffer->len = bytes;
    return r->ignore_crc || frame_crc_ok(to, r->id);
}

/* Whether something of this segment was begun at an offset: a torn frame, not stale bytes or zeros. */
static bool frame_begun(struct wal_reader *r, uint64_t offset)
{
    if (offset + FRAME_HEADER_BYTES > r->size)
        return false;
    const uint8_t *head = window_at(r, offset, FRAME_HEADER_BYTES);
    return head && frame_header_plausible(head, r->number, UINT64_MAX);
}

/* The next good frame of the segment at or after r->offset; false when there is none. */
static bool frame_find(struct wal_reader *r, struct buf *buffer, uint64_t *at)
{
    uint64_t offset = r->offset;
    while (offset + FRAME_HEADER_BYTES <= r->size && r->read_errors < READ_ERRORS_MAX) {
        unsigned errors = r->read_errors;
        if (frame_read(r, offset, buffer)) {
            *at = offset;
            return true;
        }
        offset += FRAME_ALIGN;
        if (r->read_errors > errors) /* the rest of the page is most likely as bad */
            offset = (offset + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    }
    return false;
}

static void segment_finish(struct wal_reader *r)
{
    if (frame_begun(r, r->offset)) {
        r->report.torn_tail = true;
        r->report.tail_segment = r->number;
        r->report.tail_offset = r->offset;
    }
    if (r->header_bad && r->info[r->index].frames > 0)
        damage_note(r, 0, SEGMENT_HEADER_BYTES, "segment header");
    segment_leave(r);
}

static void info_add(struct wal_segment_info *info, uint64_t end, uint64_t sequence)
{
    info->frames++;
    info->used = end;
    info->last_sequence = sequence > info->last_sequence ? sequence : info->last_sequence;
}

/* A frame was found at `at`: false when it is a copy of one that was delivered or is not wanted. */
static bool frame_accept(struct wal_reader *r, const struct buf *buffer, uint64_t at, struct wal_frame *out)
{
    uint64_t sequence = frame_sequence(buffer->data), skipped_from = r->offset;
    r->offset = frame_aligned(at + buffer->len);
    if (!r->again)
        info_add(&r->info[r->index], r->offset, sequence);
    if (sequence < r->expected) {
        r->report.passed += !r->again;
        return false;
    }
    uint64_t lost = r->expected ? sequence - r->expected : 0;
    if (lost > 0) {
        char what[48];
        snprintf(what, sizeof what, "%llu frames are missing", (unsigned long long)lost);
        damage_note(r, skipped_from, at - skipped_from, what);
        r->report.lost_frames += r->again ? 0 : lost;
    }
    r->expected = sequence + 1;
    r->report.torn_tail = false; /* what was begun before has a successor: it was given up */
    if (!r->again) {
        r->report.first_sequence = r->report.frames++ ? r->report.first_sequence : sequence;
        r->report.last_sequence = sequence;
    }
    *out = (struct wal_frame){
        .sequence = sequence,
        .lost_before = lost,
        .payload = slice_of(buffer->data + FRAME_HEADER_BYTES, buffer->len - FRAME_HEADER_BYTES),
        .segment = r->number,
        .offset = at,
    };
    return true;
}

/* Damage of a segment that is not open, or not there. */
static void damage_of(struct wal_reader *r, uint64_t number, const char *what)
{
    if (r->report.damage_count < WAL_DAMAGE_MAX) {
        struct wal_damage *d = &r->report.damage[r->report.damage_count];
        *d = (struct wal_damage){.segment = number};
        snprintf(d->what, sizeof d->what, "%s", what);
    }
    r->report.damage_count++;
    log_error("wal", "damage in the log", "segment=%016llx what=\"%s\"", (unsigned long long)number, what);
}

/* The end of the log is where it should be: the last segment is there, with all frames of a clean end. */
static void newest_check(struct wal_reader *r)
{
    struct segment_newest newest;
    if (r->again || r->newest_checked || !segment_newest_read(r->dir.fs, r->dir.path, &newest))
        return;
    r->newest_checked = true;
    char what[64] = "";
    const struct wal_segment_info *info = NULL;
    for (size_t i = 0; i < r->segments.count; i++)
        if (r->info[i].number == newest.number)
            info = &r->info[i];
    if (newest.last && r->expected && newest.last >= r->expected) {
        snprintf(what, sizeof what, "%llu frames at the end are missing",
                 (unsigned long long)(newest.last - r->expected + 1));
        r->report.lost_frames += newest.last - r->expected + 1;
    } else if (!newest.last && (!info || info->bytes < SEGMENT_HEADER_BYTES)) {
        snprintf(what, sizeof what, "the last segment %s: frames from %llu on", info ? "is empty" : "is gone",
                 (unsigned long long)newest.first);
    }
    if (what[0]) {
        r->report.end_lost = true;
        damage_of(r, newest.number, what);
    }
}

static bool is_wanted(const struct wal_reader *r, const struct wal_segment_info *info)
{
    return info->frames > 0 && info->last_sequence >= r->expected;
}

enum err wal_reader_next(struct wal_reader *r, struct buf *buffer, struct wal_frame *out, struct errmsg *why)
{
    for (;;) {
        if (!r->file) {
            while (r->again && r->index < r->segments.count && !is_wanted(r, &r->info[r->index]))
                segment_leave(r); /* and may be in use for something else by now */
            if (r->index == r->segments.count) {
                newest_check(r);
                return err_set(why, ERR_NOT_FOUND, "end of the log");
            }
            TRY(segment_enter(r, why));
        }
        uint64_t at;
        if (!frame_find(r, buffer, &at))
            segment_finish(r);
        else if (frame_accept(r, buffer, at, out))
            return ERR_OK;
    }
}

/* The sequence of the first frame of a segment; 0: it has none, or it is damaged. */
static uint64_t first_sequence(struct wal_reader *r, size_t index, struct buf *buffer)
{
    uint64_t sequence = 0;
    r->index = index;
    if (segment_enter(r, NULL) != ERR_OK)
        return 0;
    if (!r->header_bad && frame_read(r, SEGMENT_HEADER_BYTES, buffer))
        sequence = frame_sequence(buffer->data);
    enum err ignored = file_close(r->file, NULL);
    (void)ignored; /* only read */
    r->file = NULL;
    return sequence;
}

/*
 * Segments that hold nothing from the wanted frame on are not read, as they are kept for the case of damage only.  Each
 * segment has all frames from its first one on that the ones before it have.
 */
static void pass_old(struct wal_reader *r, struct buf *buffer)
{
    struct wal_report before = r->report;
    uint64_t *first = mem_array(r->segments.count + 1, sizeof *first);
    size_t skip = 0;
    for (size_t i = r->segments.count; r->expected > 1 && i-- > 1;) {
        first[i] = first_sequence(r, i, buffer);
        if (skip == 0 && first[i] && first[i] <= r->expected)
            skip = i;
    }
    r->report = before; /* what was found in passing is found again if it matters */
    memset(r->info, 0, r->segments.count * sizeof *r->info);
    for (r->index = 0; r->index < skip;) {
        uint64_t bytes = r->segments.list[r->index].bytes, next = first[r->index + 1];
        r->info[r->index] = (struct wal_segment_info){.number = r->segments.list[r->index].number,
                                                      .bytes = bytes,
                                                      .used = bytes,
                                                      .frames = 1,
                                                      .last_sequence = (next ? next : first[skip]) - 1};
        segment_leave(r);
    }
    mem_free(first);
}

enum err wal_reader_survey(struct wal_reader *r, struct errmsg *why)
{
    struct buf buffer = {0};
    pass_old(r, &buffer);
    struct wal_frame frame;
    enum err err;
    do /* damage is in the report */
        err = wal_reader_next(r, &buffer, &frame, why);
    while (err != ERR_NOT_FOUND && err != ERR_UNSUPPORTED);
    buf_deinit(&buffer);
    return err == ERR_UNSUPPORTED ? err : ERR_OK;
}

void wal_reader_again(struct wal_reader *r, uint64_t from)
{
    if (r->file)
        segment_leave(r);
    r->again = true;
    r->index = 0;
    r->expected = from;
    r->report.segments_done = r->report.bytes_done = 0;
}

/* ---- life ---- */

enum err wal_reader_open(struct fs *fs, const char *dir, uint64_t id, uint64_t from, struct wal_reader **out,
                         struct errmsg *why)
{
    struct wal_reader *r = MEM_NEW(struct wal_reader);
    r->dir = (struct segment_dir){.fs = fs, .id = id};
    r->expected = from;
    enum err err = ERR_OK;
    int n = snprintf(r->dir.path, sizeof r->dir.path, "%s", dir);
    if (n < 0 || (size_t)n >= sizeof r->dir.path)
        err = err_set(why, ERR_LIMIT, "path of the log is longer than %zu bytes", sizeof r->dir.path - 1);
    else
        err = segment_dir_list(fs, dir, &r->segments, NULL, why);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK; /* no directory: no frames */
    if (err != ERR_OK) {
        wal_reader_close(r);
        return err;
    }
    for (size_t i = 0; i < r->segments.count; i++)
        r->report.bytes += r->segments.list[i].bytes;
    r->report.segments = r->segments.count;
    r->report.list = r->info = mem_array(r->segments.count + 1, sizeof *r->info);
    r->window = mem_alloc(WINDOW_BYTES);
    *out = r;
    return ERR_OK;
}

const struct wal_report *wal_reader_report(const struct wal_reader *r)
{
    return &r->report;
}

void wal_reader_ignore_crc(struct wal_reader *r)
{
    r->ignore_crc = true;
}

void wal_reader_close(struct wal_reader *r)
{
    if (!r)
        return;
    if (r->file)
        segment_leave(r);
    mem_free(r->info);
    segment_list_deinit(&r->segments);
    mem_free(r->window);
    mem_free(r);
}

uint64_t wal_dir_id(struct fs *fs, const char *path)
{
    struct segment_dir dir = {.fs = fs};
    struct segment_list segments = {0};
    uint64_t id = 0;
    snprintf(dir.path, sizeof dir.path, "%s", path);
    enum err err = segment_dir_list(fs, path, &segments, NULL, NULL);
    for (size_t i = segments.count; err == ERR_OK && id == 0 && i-- > 0;) {
        char name[SEGMENT_PATH_BYTES];
        uint8_t bytes[SEGMENT_HEADER_BYTES];
        struct segment_header header = {0};
        struct file *file;
        segment_path(&dir, segments.list[i].number, "wal", name);
        if (fs_open(fs, name, FS_READ, &file, NULL) != ERR_OK)
            continue;
        if (file_pread_all(file, bytes, sizeof bytes, 0, NULL) == ERR_OK &&
            segment_header_get(bytes, &header) == ERR_OK)
            id = header.id;
        err = file_close(file, NULL);
    }
    segment_list_deinit(&segments);
    return id;
}
