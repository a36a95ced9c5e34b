/*
 * verify.c - every byte of a data directory against its checksums, beside a running server or without one.
 *
 * A server may remove blocks and segments meanwhile: what is gone is looked up in the manifest again
 * before it is called missing.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "block/block.h"
#include "head/head.h"
#include "tsdb/checkpoint.h"
#include "tsdb/dir_view.h"
#include "tsdb/report.h"
#include "tsdb/tombstones.h"
#include "tsdb/tsdb.h"
#include "tsdb/verify.h"
#include "wal/wal.h"

struct verify {
    struct dir_view view;
    struct report report;
    const struct verify_request *o;
    enum err stopped; /* what a step said */
    uint64_t problems, blocks, samples, frames;
    struct head *head; /* NULL: records are not decoded */
    struct head_replay *replay;
    uint64_t head_samples, head_series, series_damaged;
    uint64_t listed, acknowledged; /* problems with a row; what somebody knows of and is no problem any more */
};

enum { PROBLEM_ROWS_MAX = 2000, REPORT_BYTES_MAX = 4 << 20 }; /* then problems are only counted */
enum { PROBLEM_TEXT_MAX = 8192 };                             /* bytes of one, then it is cut off */

/* False: stop. */
static bool step(struct verify *v, uint64_t bytes)
{
    const struct block_verify_steps *steps = &v->o->steps;
    if (v->stopped == ERR_OK && steps->step)
        v->stopped = steps->step(steps->ctx, bytes);
    return v->stopped == ERR_OK;
}

/* One row of "problems". */
static void problem(struct verify *v, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void problem(struct verify *v, const char *path, const char *fmt, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    v->problems++;
    if (v->listed >= PROBLEM_ROWS_MAX || v->report.out->len >= REPORT_BYTES_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    report_row(&v->report);
    report_str(&v->report, "file", path);
    report_str(&v->report, "problem", text);
    v->listed++;
}

static void verify_files(struct verify *v)
{
    if (v->view.format[0])
        problem(v, "format", "%s", v->view.format);
    if (v->view.manifest_text[0])
        problem(v, "MANIFEST", "%s", v->view.manifest_text);
    else if (v->view.manifest.id != v->view.id)
        problem(v, "MANIFEST", "belongs to another data directory");
    for (size_t i = 0; !v->view.manifest_text[0] && i < v->view.manifest.loss_count; i++)
        if (v->view.manifest.losses[i].acknowledged)
            v->acknowledged++;
        else
            problem(v, "MANIFEST", "samples were lost: %s", v->view.manifest.losses[i].why);
}

/* Deleted data would come back with a damaged file; missing ones are fine. */
static void verify_tombstones(struct verify *v)
{
    static const char *const names[] = {"tombstones", "tombstones.copy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[DIR_VIEW_PATH_BYTES];
        struct buf text = {0};
        struct errmsg why = {0};
        struct tombstones *found = NULL;
        uint64_t damaged = 0;
        dir_view_path(&v->view, path, names[i], "", "");
        enum err err = fs_read_file(v->view.fs, path, TOMBSTONES_FILE_BYTES_MAX, &text, &why);
        if (err == ERR_OK)
            err = tombstones_parse(buf_view(&text), v->view.id, &found, &damaged, &why);
        if ((err != ERR_OK && err != ERR_NOT_FOUND) || damaged)
            problem(v, names[i], "%s", why.text);
        tombstones_release(found);
        buf_deinit(&text);
    }
}

/* ---- blocks ---- */

static bool still_listed(struct verify *v, const struct block_id *id)
{
    dir_view_refresh(&v->view);
    return v->view.manifest_text[0] || manifest_find(&v->view.manifest, id);
}

static void lines_as_problems(struct verify *v, const char *path, struct slice text)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        if (n > 0)
            problem(v, path, "%.*s", (int)n, (const char *)text.data);
        text = slice_from(text, n + (end != NULL));
    }
}

static void verify_block(struct verify *v, const struct manifest_block *listed)
{
    char path[DIR_VIEW_PATH_BYTES], name[BLOCK_ID_TEXT];
    struct errmsg why = {0};
    struct block_verify_result result = {0};
    struct buf lines = {0};
    block_id_text(&listed->id, name);
    dir_view_path(&v->view, path, "blocks", name, "");
    struct block_verify_steps steps = v->o->steps;
    steps.live = v->o->live ? v->o->live(v->o->ctx, &listed->id) : NULL;
    enum err err = v->o->quick ? ERR_OK : block_verify(v->view.fs, path, &steps, &result, &lines, &why);
    block_release(steps.live);
    if (v->o->steps.step && err != ERR_OK) {
        v->stopped = err;
        goto done;
    }
    struct block_meta meta;
    if (err == ERR_OK)
        err = block_meta_read(v->view.fs, path, &meta, &why);
    if (err != ERR_OK && !still_listed(v, &listed->id))
        goto done; /* merged or dropped meanwhile */
    v->report.out->failed = v->report.out->failed || lines.failed; /* findings without a line */
    struct fs_stat st;
    if (listed->acknowledged && fs_stat_path(v->view.fs, path, &st, NULL) == ERR_NOT_FOUND) {
        v->acknowledged++;
        goto done;
    }
    if (err != ERR_OK)
        problem(v, path, "%s", why.text);
    else if (!block_id_eq(&meta.id, &listed->id) || meta.samples != listed->samples ||
             meta.mint_ms != listed->mint_ms || meta.maxt_ms != listed->maxt_ms)
        problem(v, path, "is not the block that the manifest lists");
    lines_as_problems(v, path, buf_view(&lines));
    v->blocks++;
    v->samples += result.samples;
    v->series_damaged += result.damaged_series;
done:
    buf_deinit(&lines);
}

static void verify_blocks(struct verify *v)
{
    struct manifest copy; /* the view's is read again meanwhile */
    manifest_copy(&copy, &v->view.manifest);
    for (size_t i = 0; i < copy.block_count && step(v, 0); i++) {
        const struct manifest_block *b = &copy.blocks[i];
        if (v->o->on_block)
            v->o->on_block(v->o->ctx, i, copy.block_count);
        char name[BLOCK_ID_TEXT];
        block_id_text(&b->id, name);
        if (b->quarantined[0] && b->acknowledged)
            v->acknowledged++;
        else if (b->quarantined[0])
            problem(v, name, "in quarantine: %s", b->quarantined);
        else
            verify_block(v, b);
    }
    manifest_deinit(&copy);
}

/* ---- checkpoint and log ---- */

static enum err piece_count(void *ctx, struct slice records, const struct checkpoint_report *progress,
                            struct errmsg *why)
{
    struct verify *v = ctx;
    (void)progress;
    if (!step(v, records.len))
        return err_set(why, v->stopped, "the check was stopped");
    enum err counted = v->replay ? head_replay_frame(v->replay, records, NULL) : ERR_OK;
    (void)counted; /* by the replay's report */
    return ERR_OK;
}

/* `used`: a start reads it, so its records are looked at, too. */
static void verify_checkpoint(struct verify *v, const struct manifest_checkpoint *c, bool used)
{
    char path[DIR_VIEW_PATH_BYTES], name[CHECKPOINT_NAME_BYTES];
    struct checkpoint_report report;
    struct errmsg why = {0};
    uint64_t newest = manifest_covered(&v->view.manifest);
    checkpoint_name(c, name);
    dir_view_path(&v->view, path, "checkpoints", name, "");
    enum err err =
        checkpoint_read(v->view.fs, path, v->view.id, c, used ? piece_count : NULL, v, &report, &why);
    dir_view_refresh(&v->view);
    if (manifest_covered(&v->view.manifest) != newest)
        return; /* a newer one has replaced it meanwhile */
    if (err != ERR_OK)
        problem(v, path, "%s", why.text);
    else if (!report.complete)
        problem(v, path, "%llu damaged places, the first at offset %llu", (unsigned long long)report.damaged,
                (unsigned long long)report.first_damage);
}

/* Those that stand in for a damaged one as well. */
static void verify_checkpoints(struct verify *v)
{
    struct manifest copy; /* the view's is read again meanwhile */
    manifest_copy(&copy, &v->view.manifest);
    size_t used = copy.checkpoint_count ? manifest_chain(&copy, copy.checkpoint_count - 1) : 0;
    for (size_t i = 0; i < copy.checkpoint_count; i++) {
        verify_checkpoint(v, &copy.checkpoints[i], i >= used);
        if (v->replay)
            head_replay_settle(v->replay);
    }
    manifest_deinit(&copy);
}

static void verify_log(struct verify *v)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct wal_reader *reader;
    struct errmsg why = {0};
    struct buf buffer = {0};
    struct wal_frame frame;
    dir_view_path(&v->view, path, "wal", "", "");
    uint64_t from = manifest_covered(&v->view.manifest) + 1;
    if (!wal_newest_sound(v->view.fs, path))
        problem(v, "wal/newest", "is damaged: the loss of the last segment would not be noticed");
    if (wal_reader_open(v->view.fs, path, v->view.id, from, &reader, &why) != ERR_OK) {
        problem(v, path, "%s", why.text);
        return;
    }
    enum err err;
    while ((err = wal_reader_next(reader, &buffer, &frame, &why)) != ERR_NOT_FOUND && err != ERR_UNSUPPORTED) {
        if (!step(v, err == ERR_OK ? frame.payload.len : 0))
            break;
        enum err counted = err == ERR_OK && v->replay ? head_replay_frame(v->replay, frame.payload, NULL) : ERR_OK;
        (void)counted; /* by the replay's report */
    }
    if (err == ERR_UNSUPPORTED)
        problem(v, path, "%s", why.text);
    const struct wal_report *report = wal_reader_report(reader);
    for (uint64_t i = 0; i < report->damage_count && i < WAL_DAMAGE_MAX; i++) {
        const struct wal_damage *d = &report->damage[i];
        problem(v, path, "segment %016llx offset %llu, %llu bytes: %s", (unsigned long long)d->segment,
                (unsigned long long)d->offset, (unsigned long long)d->bytes, d->what);
    }
    if (report->damage_count > WAL_DAMAGE_MAX)
        problem(v, path, "%llu more damaged places", (unsigned long long)(report->damage_count - WAL_DAMAGE_MAX));
    v->frames = report->frames;
    wal_reader_close(reader);
    buf_deinit(&buffer);
}

/* Checkpoint and log as a start would read them, into a head of our own: records, not only checksums. */
static void verify_records(struct verify *v)
{
    struct errmsg why = {0};
    struct head_options o;
    struct head_replay_report report;
    uint64_t checkpoint = manifest_covered(&v->view.manifest);
    head_options_default(&o);
    bool decode = v->o->records && !v->o->quick && head_new(&o, &v->head, &why) == ERR_OK;
    v->replay = decode ? head_replay_new(v->head, 1) : NULL;
    verify_checkpoints(v);
    verify_log(v);
    if (!decode)
        return;
    head_replay_finish(v->replay, &report);
    dir_view_refresh(&v->view);
    bool same = manifest_covered(&v->view.manifest) == checkpoint; /* else a server has moved on meanwhile */
    if (same && report.damaged)
        problem(v, "wal", "%llu records break their format, the first: %s", (unsigned long long)report.damaged,
                report.first_damage);
    if (same && report.lost)
        problem(v, "wal", "%llu samples cannot be told, as records before them are missing",
                (unsigned long long)report.lost);
    v->head_series = report.series;
    v->head_samples = report.samples;
    head_check(v->head);
    head_free(v->head);
}

enum err tsdb_verify(struct fs *fs, const char *dir, const struct tsdb_verify_options *o, struct buf *out,
                     uint64_t *problems, struct errmsg *why)
{
    struct verify_request q = {.fs = fs, .dir = dir, .json = o->json, .quick = o->quick, .records = true};
    return verify_run(&q, out, problems, why);
}

enum err verify_run(const struct verify_request *q, struct buf *out, uint64_t *problems, struct errmsg *why)
{
    struct verify v = {.o = q};
    TRY(dir_view_open(&v.view, q->fs, q->dir, why));
    report_begin(&v.report, out, q->json);
    report_section(&v.report, "problems");
    verify_files(&v);
    verify_tombstones(&v);
    verify_records(&v);
    verify_blocks(&v);
    report_section(&v.report, "checked");
    report_row(&v.report);
    report_u64(&v.report, "blocks", v.blocks);
    report_u64(&v.report, "samples", v.samples);
    report_u64(&v.report, "log_frames", v.frames);
    if (q->records) {
        report_u64(&v.report, "log_series", v.head_series);
        report_u64(&v.report, "log_samples", v.head_samples);
    }
    report_u64(&v.report, "damaged_series", v.series_damaged);
    report_u64(&v.report, "problems", v.problems);
    report_u64(&v.report, "problems_not_listed", v.problems - v.listed);
    report_u64(&v.report, "acknowledged", v.acknowledged);
    report_end(&v.report);
    *problems = v.problems;
    dir_view_close(&v.view);
    if (v.stopped != ERR_OK)
        return err_set(why, v.stopped, "the check was stopped");
    if (out->failed) /* half of a report must not be taken for a whole one */
        return err_set(why, ERR_NO_MEMORY, "no memory for the report: %llu problems, %llu blocks were looked at",
                       (unsigned long long)v.problems, (unsigned long long)v.blocks);
    return ERR_OK;
}
