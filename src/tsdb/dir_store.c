/* dir_store.c - the contract is in dir_store.h. */
#include "tsdb/dir_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tsdb/checkpoint.h"
#include "tsdb/merge_querier.h"
#include "wal/wal.h"

enum { CACHE_BYTES = 64 << 20 };

/* ---- blocks ---- */

static void block_take(struct dir_store *s, const char *name)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct errmsg why = {0};
    struct block *block;
    dir_view_path(&s->view, path, "blocks", name, "");
    if (block_open(s->view.fs, path, s->cache, &block, &why) != ERR_OK) {
        buf_printf(&s->problems, "block %s: %s\n", name, why.text);
        return;
    }
    s->blocks = mem_grow(s->blocks, &s->capacity, s->count + 1, sizeof(struct block *));
    s->blocks[s->count++] = block;
}

static bool block_found(void *ctx, const char *name)
{
    struct block_id id;
    if (block_id_parse(slice_str(name), &id))
        block_take(ctx, name);
    return true;
}

static int by_sequence(const void *a, const void *b)
{
    const struct block_meta *x = block_meta(*(struct block *const *)a), *y = block_meta(*(struct block *const *)b);
    if (x->seq_max != y->seq_max)
        return x->seq_max < y->seq_max ? -1 : 1;
    return memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
}

static void blocks_take(struct dir_store *s)
{
    const struct manifest *m = &s->view.manifest;
    for (size_t i = 0; i < m->block_count; i++) {
        char name[BLOCK_ID_TEXT];
        block_id_text(&m->blocks[i].id, name);
        if (m->blocks[i].quarantined[0])
            buf_printf(&s->problems, "block %s: in quarantine: %s\n", name, m->blocks[i].quarantined);
        else
            block_take(s, name);
    }
    if (s->view.manifest_text[0]) {
        char path[DIR_VIEW_PATH_BYTES];
        buf_printf(&s->problems, "MANIFEST: %s\n", s->view.manifest_text);
        dir_view_path(&s->view, path, "blocks", "", "");
        enum err ignored = fs_list(s->view.fs, path, block_found, s, NULL);
        (void)ignored; /* a missing folder is an empty one */
    }
    if (s->count > 1)
        qsort(s->blocks, s->count, sizeof(struct block *), by_sequence);
}

/* ---- head ---- */

static enum err piece_take(void *ctx, struct slice records, const struct checkpoint_report *progress,
                           struct errmsg *why)
{
    (void)progress;
    (void)why;
    enum err counted = head_replay_frame(ctx, records, NULL);
    (void)counted; /* by the replay's report */
    return ERR_OK;
}

static enum err checkpoint_at(struct dir_store *s, const struct manifest_checkpoint *c, checkpoint_visit visit,
                              void *ctx, bool *whole, struct errmsg *why)
{
    char path[DIR_VIEW_PATH_BYTES], name[CHECKPOINT_NAME_BYTES];
    struct checkpoint_report report;
    checkpoint_name(c, name);
    dir_view_path(&s->view, path, "checkpoints", name, "");
    enum err err = checkpoint_read(s->view.fs, path, s->view.id, c, visit, ctx, &report, why);
    *whole = err == ERR_OK && report.complete;
    if (!visit && !*whole)
        buf_printf(&s->problems, "%s: %s\n", path, err == ERR_OK ? "damaged" : why->text);
    return err;
}

static bool is_sound(void *ctx, const struct manifest_checkpoint *c)
{
    bool whole;
    struct errmsg why = {0};
    enum err err = checkpoint_at(ctx, c, NULL, NULL, &whole, &why);
    return err == ERR_OK && whole;
}

/* The first frame of the log that is needed beside it; as a start of the server chooses (replay.c). */
static uint64_t checkpoint_take_in(struct dir_store *s, struct head_replay *replay)
{
    const struct manifest *m = &s->view.manifest;
    bool nothing, whole;
    size_t count = manifest_usable(m, is_sound, s, &nothing);
    for (size_t i = count ? manifest_chain(m, count - 1) : 0; i < count; i++) {
        enum err told = checkpoint_at(s, &m->checkpoints[i], piece_take, replay, &whole, NULL);
        (void)told; /* when it was chosen */
        head_replay_settle(replay);
    }
    return nothing ? m->log_first : count ? m->checkpoints[count - 1].sequence + 1 : 0;
}

static void log_take_in(struct dir_store *s, struct head_replay *replay, uint64_t from)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct wal_reader *reader;
    struct buf buffer = {0};
    struct wal_frame frame;
    struct errmsg why = {0};
    dir_view_path(&s->view, path, "wal", "", "");
    enum err err = wal_reader_open(s->view.fs, path, s->view.id, from, &reader, &why);
    if (err != ERR_OK) {
        buf_printf(&s->problems, "%s: %s\n", path, why.text);
        return;
    }
    while ((err = wal_reader_next(reader, &buffer, &frame, &why)) != ERR_NOT_FOUND && err != ERR_UNSUPPORTED) {
        enum err counted = err == ERR_OK ? head_replay_frame(replay, frame.payload, NULL) : ERR_OK;
        (void)counted; /* by the replay's report */
    }
    const struct wal_report *report = wal_reader_report(reader);
    if (report->damage_count || err == ERR_UNSUPPORTED)
        buf_printf(&s->problems, "%s: %llu damaged places%s%s\n", path, (unsigned long long)report->damage_count,
                   err == ERR_UNSUPPORTED ? "; " : "", err == ERR_UNSUPPORTED ? why.text : "");
    wal_reader_close(reader);
    buf_deinit(&buffer);
}

static enum err head_take(struct dir_store *s, bool with_log, struct errmsg *why)
{
    struct head_options o;
    struct head_replay_report report;
    head_options_default(&o);
    TRY(head_new(&o, &s->head, why));
    if (!with_log)
        return ERR_OK;
    struct head_replay *replay = head_replay_new(s->head, 1);
    log_take_in(s, replay, checkpoint_take_in(s, replay));
    head_replay_finish(replay, &report);
    return ERR_OK;
}

/* ---- life ---- */

enum err dir_store_open(struct dir_store *s, struct fs *fs, const char *dir, bool with_log, struct errmsg *why)
{
    *s = (struct dir_store){0};
    TRY(dir_view_open(&s->view, fs, dir, why));
    if (s->view.format[0])
        buf_printf(&s->problems, "format: %s\n", s->view.format);
    s->cache = page_cache_new(CACHE_BYTES, NULL);
    blocks_take(s);
    return head_take(s, with_log, why);
}

void dir_store_close(struct dir_store *s)
{
    head_free(s->head);
    for (size_t i = 0; i < s->count; i++)
        block_release(s->blocks[i]);
    mem_free(s->blocks);
    if (s->cache)
        page_cache_free(s->cache);
    dir_view_close(&s->view);
    buf_deinit(&s->problems);
}

enum err dir_store_querier(struct dir_store *s, struct querier **out, struct errmsg *why)
{
    struct merge_source *sources = mem_array(s->count + 1, sizeof *sources);
    uint32_t count = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < s->count; i++) {
        sources[count].maxt_ms = block_meta(s->blocks[i])->maxt_ms;
        err = block_querier(s->blocks[i], INT64_MIN, INT64_MAX, &sources[count].querier, why);
        count += err == ERR_OK;
    }
    if (err == ERR_OK) {
        sources[count].maxt_ms = INT64_MAX;
        err = head_querier(s->head, INT64_MIN, INT64_MAX, &sources[count].querier, why);
        count += err == ERR_OK;
    }
    if (err == ERR_OK)
        *out = merge_querier_new(&(struct merge_options){.mint_ms = INT64_MIN,
                                                         .maxt_ms = INT64_MAX,
                                                         .sources = sources,
                                                         .source_count = count,
                                                         .times_ids = &s->times_ids});
    for (uint32_t i = 0; err != ERR_OK && i < count; i++)
        sources[i].querier->ops->close(sources[i].querier);
    mem_free(sources);
    return err;
}
