/* inspect.c - what is in a data directory, without changing it. */
#include <stdio.h>

#include "tsdb/dir_view.h"
#include "tsdb/matchers.h"
#include "tsdb/report.h"
#include "tsdb/tombstones.h"
#include "tsdb/tsdb.h"
#include "wal/wal.h"

static void inspect_directory(struct dir_view *v, struct report *r)
{
    char id[24];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)v->id);
    report_section(r, "directory");
    report_row(r);
    report_str(r, "id", id);
    report_u64(r, "checkpoint", manifest_covered(&v->manifest));
    report_u64(r, "log_first", v->manifest.log_first);
    if (v->manifest.flushed_ms != INT64_MIN)
        report_i64(r, "flushed_ms", v->manifest.flushed_ms);
    if (v->format[0])
        report_str(r, "format_problem", v->format);
    if (v->manifest_text[0])
        report_str(r, "manifest_problem", v->manifest_text);
}

/* The last one and what it builds upon are read at a start; those before stand in for damaged ones. */
static void inspect_checkpoints(struct dir_view *v, struct report *r)
{
    const struct manifest *m = &v->manifest;
    size_t used = m->checkpoint_count ? manifest_chain(m, m->checkpoint_count - 1) : 0;
    report_section(r, "checkpoint_list");
    for (size_t i = 0; i < m->checkpoint_count; i++) {
        const struct manifest_checkpoint *c = &m->checkpoints[i];
        report_row(r);
        report_u64(r, "checkpoint", c->sequence);
        report_u64(r, "from", c->from);
        report_i64(r, "mint_ms", c->mint_ms);
        report_i64(r, "maxt_ms", c->maxt_ms);
        report_str(r, "state", i >= used ? "used" : "stands in");
    }
}

static void inspect_losses(struct dir_view *v, struct report *r)
{
    report_section(r, "losses");
    for (size_t i = 0; i < v->manifest.loss_count; i++) {
        report_row(r);
        report_i64(r, "mint_ms", v->manifest.losses[i].mint_ms);
        report_i64(r, "maxt_ms", v->manifest.losses[i].maxt_ms);
        report_str(r, "why", v->manifest.losses[i].why);
        if (v->manifest.losses[i].acknowledged)
            report_str(r, "acknowledged", "yes");
    }
}

static void inspect_blocks(struct dir_view *v, struct report *r)
{
    report_section(r, "blocks");
    for (size_t i = 0; i < v->manifest.block_count; i++) {
        const struct manifest_block *b = &v->manifest.blocks[i];
        char id[BLOCK_ID_TEXT];
        block_id_text(&b->id, id);
        report_row(r);
        report_str(r, "id", id);
        report_u64(r, "level", b->level);
        report_i64(r, "mint_ms", b->mint_ms);
        report_i64(r, "maxt_ms", b->maxt_ms);
        report_u64(r, "sequence", b->seq_max);
        report_u64(r, "series", b->series);
        report_u64(r, "samples", b->samples);
        report_u64(r, "bytes", b->bytes);
        if (b->quarantined[0])
            report_str(r, "quarantined", b->quarantined);
        if (b->acknowledged)
            report_str(r, "acknowledged", "yes");
    }
}

static void inspect_log(struct dir_view *v, struct report *r)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct wal_reader *reader;
    struct buf buffer = {0};
    struct wal_frame frame;
    dir_view_path(v, path, "wal", "", "");
    report_section(r, "log");
    if (wal_reader_open(v->fs, path, v->id, 0, &reader, NULL) != ERR_OK)
        return;
    while (wal_reader_next(reader, &buffer, &frame, NULL) != ERR_NOT_FOUND)
        ;
    const struct wal_report *report = wal_reader_report(reader);
    for (uint64_t i = 0; i < report->segments_done; i++) {
        const struct wal_segment_info *s = &report->list[i];
        char name[24];
        snprintf(name, sizeof name, "%016llx", (unsigned long long)s->number);
        report_row(r);
        report_str(r, "segment", name);
        report_u64(r, "bytes", s->bytes);
        report_u64(r, "frames", s->frames);
        report_u64(r, "last_sequence", s->last_sequence);
        report_str(r, "state", s->damaged ? "damaged" : s->frames ? "good" : "empty");
    }
    wal_reader_close(reader);
    buf_deinit(&buffer);
}

struct folder {
    struct dir_view *view;
    struct report *report;
    const char *name;
};

static bool folder_visit(void *ctx, const char *name)
{
    struct folder *f = ctx;
    char path[DIR_VIEW_PATH_BYTES];
    struct fs_stat st = {0};
    int n = snprintf(path, sizeof path, "%s/%s/%s", f->view->dir, f->name, name);
    if (n < 0 || (size_t)n >= sizeof path || fs_stat_path(f->view->fs, path, &st, NULL) != ERR_OK)
        return true; /* gone meanwhile */
    report_row(f->report);
    report_str(f->report, "name", name);
    report_str(f->report, "kind", st.is_dir ? "directory" : "file");
    report_u64(f->report, "bytes", st.bytes);
    return true;
}

static void inspect_folder(struct dir_view *v, struct report *r, const char *name)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct folder f = {v, r, name};
    dir_view_path(v, path, name, "", "");
    report_section(r, name);
    enum err ignored = fs_list(v->fs, path, folder_visit, &f, NULL);
    (void)ignored; /* a missing folder is an empty one */
}

/* Deletions that wait to be carried out on the disk. */
static void inspect_tombstones(struct dir_view *v, struct report *r)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct buf text = {0};
    struct tombstones *stones = NULL;
    uint64_t damaged;
    dir_view_path(v, path, "tombstones", "", "");
    report_section(r, "tombstones");
    enum err err = fs_read_file(v->fs, path, TOMBSTONES_FILE_BYTES_MAX, &text, NULL);
    if (err == ERR_OK)
        err = tombstones_parse(buf_view(&text), v->id, &stones, &damaged, NULL);
    for (size_t i = 0; err == ERR_OK && i < stones->count; i++) {
        const struct tombstone *s = stones->list[i];
        struct buf selector = {0};
        matchers_print(s->matchers, s->matcher_count, &selector);
        report_row(r);
        report_u64(r, "number", s->number);
        report_text(r, "selector", buf_view(&selector));
        report_i64(r, "mint", s->mint_ms);
        report_i64(r, "maxt", s->maxt_ms);
        report_i64(r, "made", s->made_ms);
        report_u64(r, "sequence", s->sequence);
        buf_deinit(&selector);
    }
    tombstones_release(stones);
    buf_deinit(&text);
}

enum err tsdb_inspect(struct fs *fs, const char *dir, bool json, struct buf *out, struct errmsg *why)
{
    struct dir_view v;
    struct report r;
    TRY(dir_view_open(&v, fs, dir, why));
    report_begin(&r, out, json);
    inspect_directory(&v, &r);
    inspect_checkpoints(&v, &r);
    inspect_blocks(&v, &r);
    if (v.manifest.loss_count)
        inspect_losses(&v, &r);
    inspect_log(&v, &r);
    inspect_tombstones(&v, &r);
    inspect_folder(&v, &r, "checkpoints");
    inspect_folder(&v, &r, "quarantine");
    report_end(&r);
    dir_view_close(&v);
    return out->failed ? err_set(why, ERR_NO_MEMORY, "no memory for all of the list") : ERR_OK;
}
