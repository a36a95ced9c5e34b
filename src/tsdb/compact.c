/*
 * compact.c - merges blocks as compact_plan.c says, beside everything else and slowly enough.
 *
 * The merged block is written, published in one manifest change that unlists its parts, and only then
 * their directories are deleted: after a crash the parts or the merged block are listed, never both.
 * Parts in which damage was met while merging are moved to quarantine instead, as what they lost is
 * gone from the merged block.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/compact_plan.h"
#include "tsdb/tsdb_internal.h"

enum { ZSTD_LEVEL = 3, RETRY_S = 60 };

struct compaction {
    struct tsdb *db;
    struct throttle throttle;
    struct block *parts[COMPACT_BLOCKS_MAX];
    struct block_view *views; /* [count] what of the parts counts */
    struct block_id ids[COMPACT_BLOCKS_MAX];
    uint32_t count, level;
    struct block_id sources[BLOCK_SOURCES_MAX];
    uint32_t source_count; /* 0: too many to list */
    uint64_t seq_min, seq_max;
};

static enum err on_write(void *ctx, size_t bytes, struct errmsg *why)
{
    struct compaction *c = ctx;
    throttle_take(c->db, &c->throttle, bytes);
    TSDB_COUNT(c->db, compacted_bytes, bytes);
    enum err err = cancel_check(&c->db->stop);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "closing");
}

/* ---- choosing ---- */

struct compact_ranges compact_ranges(const struct tsdb *db)
{
    int64_t max = db->o.block_range_max_ms;
    if (db->o.retention_ms > 0 && db->o.retention_ms / 10 < max)
        max = db->o.retention_ms / 10; /* so that retention drops whole blocks in time */
    struct compact_ranges ranges =
        compact_ranges_of(db->o.block_range_ms, max > db->o.block_range_ms ? max : db->o.block_range_ms);
    ranges.bytes_max = db->o.block_bytes_max;
    return ranges;
}

static void sources_add(struct compaction *c, const struct block_meta *m, bool *overflow)
{
    uint32_t count = m->level == 0 ? 1 : m->source_count;
    const struct block_id *ids = m->level == 0 ? &m->id : m->sources;
    *overflow = *overflow || count == 0 || c->source_count + count > BLOCK_SOURCES_MAX;
    for (uint32_t i = 0; i < count && !*overflow; i++)
        c->sources[c->source_count++] = ids[i];
}

static void parts_take(struct compaction *c, const struct block_set *set, const struct compact_plan *plan)
{
    bool overflow = false;
    c->count = plan->count;
    c->seq_min = UINT64_MAX;
    c->level = plan->range + 1;
    for (uint32_t i = 0; i < plan->count; i++) {
        c->parts[i] = block_acquire(set->list[plan->picked[i]]);
        const struct block_meta *m = block_meta(c->parts[i]);
        c->ids[i] = m->id;
        c->seq_min = m->seq_min < c->seq_min ? m->seq_min : c->seq_min;
        c->seq_max = m->seq_max > c->seq_max ? m->seq_max : c->seq_max;
        c->level = m->level > c->level ? m->level : c->level;
        sources_add(c, m, &overflow);
    }
    c->source_count = overflow ? 0 : c->source_count;
}

static bool is_stuck(const struct tsdb *db, const struct block_id *id)
{
    for (size_t i = 0; i < db->stuck_count; i++)
        if (block_id_eq(&db->stuck[i], id))
            return true;
    return false;
}

static bool choose(struct compaction *c)
{
    struct tsdb *db = c->db;
    struct compact_plan plan;
    struct compact_ranges ranges = compact_ranges(db);
    mutex_lock(&db->manifest_lock);
    int64_t complete_ms = db->manifest.flushed_ms;
    mutex_unlock(&db->manifest_lock);
    struct block_set *set = block_set_acquire(db);
    struct compact_block *blocks = mem_array((size_t)set->count + 1, sizeof *blocks);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct block_meta *m = block_meta(set->list[i]);
        blocks[i] = (struct compact_block){.mint_ms = m->mint_ms,
                                           .maxt_ms = m->maxt_ms,
                                           .seq_max = m->seq_max,
                                           .bytes = m->index.bytes + m->data.bytes,
                                           .stuck = is_stuck(db, &m->id)};
    }
    bool found = compact_plan_next(blocks, set->count, &ranges, complete_ms, &plan);
    if (found)
        parts_take(c, set, &plan); /* the set is in order of precedence, and picked rises: parts are, too */
    mem_free(blocks);
    block_set_release(set);
    return found;
}

/* ---- merging ---- */

/* What of each part counts from now on; released by views_free. */
static enum err views_take(struct compaction *c, struct errmsg *why)
{
    struct tsdb *db = c->db;
    struct floors floors;
    mutex_lock(&db->set_lock);
    struct rules *rules = rules_acquire(db->rules);
    mutex_unlock(&db->set_lock);
    rules_floors(rules, clock_now_ms(db->o.clock), db->o.retention_ms, &floors);
    c->views = mem_array((size_t)c->count + 1, sizeof *c->views);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < c->count && err == ERR_OK; i++)
        err = masks_view(db, c->parts[i], rules, &floors, INT64_MIN, &c->views[i], why);
    rules_release(rules);
    return err;
}

static void views_free(struct compaction *c)
{
    for (uint32_t i = 0; c->views && i < c->count; i++)
        view_release(&c->views[i]);
    mem_free(c->views);
    c->views = NULL;
}

static enum err merge(struct compaction *c, struct block_meta *meta, struct errmsg *why)
{
    struct tsdb *db = c->db;
    char tmp[TSDB_PATH_BYTES];
    struct block_writer *w;
    struct arena arena;
    arena_init(&arena, NULL);
    struct warnings warnings = {.arena = &arena};
    struct block_merge_options merge_options = {.mint_ms = tsdb_oldest_ms(db),
                                                .maxt_ms = INT64_MAX,
                                                .views = c->views,
                                                .cancel = &db->stop,
                                                .warnings = &warnings};
    struct block_writer_options o = {
        .id = block_id_new(clock_now_ms(db->o.clock), db->o.random),
        .level = c->level,
        .seq_min = c->seq_min,
        .seq_max = c->seq_max,
        .zstd_level = ZSTD_LEVEL,
        .source_count = c->source_count,
        .sources = c->sources,
        .on_write = on_write,
        .ctx = c,
    };
    blocks_tmp_path(db, &o.id, tmp);
    enum err err = block_writer_new(db->o.fs, tmp, &o, &w, why);
    if (err == ERR_OK) {
        err = block_merge(c->parts, c->count, &merge_options, w, why);
        if (err == ERR_OK)
            err = block_writer_finish(w, meta, why);
        block_writer_free(w);
    }
    for (uint32_t i = 0; i < warnings.count; i++)
        log_error("tsdb", "damage met while merging blocks", "warning=\"%s\"", warnings.list[i]);
    if (err != ERR_OK) {
        enum err ignored = fs_remove_all(db->o.fs, tmp, NULL);
        (void)ignored; /* the next start removes it */
    }
    arena_deinit(&arena);
    return err;
}

/* What was lost stays listed: answers of its time go on carrying a warning. */
static uint32_t parts_lost(struct compaction *c, struct manifest_block *rows)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        struct manifest_block *row = &rows[count];
        manifest_block_of(block_meta(c->parts[i]), row);
        count += damage_reason(c->db, c->parts[i], row->quarantined, sizeof row->quarantined);
    }
    return count;
}

static void parts_delete(struct compaction *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        struct block_stats *s = block_stats(c->parts[i]);
        struct errmsg why = {0};
        if (s->corrupt_pages + s->corrupt_chunks + block_damage_places(c->parts[i]) == 0)
            blocks_delete_dir(c->db, &c->ids[i]);
        else if (blocks_set_aside(c->db, &c->ids[i], &why) != ERR_OK)
            log_warn("tsdb", "damaged block could not be set aside", "err=\"%s\"", why.text);
    }
}

/*
 * A part's index is damaged, so that its series cannot all be listed: what can be read of it is better
 * where it is.  Parts that verify as sound are free for other merges.
 */
static void parts_stick(struct compaction *c)
{
    struct tsdb *db = c->db;
    size_t before = db->stuck_count;
    for (uint32_t pass = 0; pass < 2 && db->stuck_count == before; pass++)
        for (uint32_t i = 0; i < c->count; i++) {
            char path[TSDB_PATH_BYTES], name[BLOCK_ID_TEXT];
            struct block_verify_result result = {0};
            struct buf lines = {0};
            block_id_text(&c->ids[i], name);
            tsdb_path2(db, path, "blocks", name, "");
            enum err err = pass > 0 ? ERR_CORRUPT : block_verify(db->o.fs, path, NULL, &result, &lines, NULL);
            buf_deinit(&lines);
            if (err == ERR_OK && result.errors == 0)
                continue;
            db->stuck = mem_grow(db->stuck, &db->stuck_capacity, db->stuck_count + 1, sizeof *db->stuck);
            db->stuck[db->stuck_count++] = c->ids[i];
            log_error("tsdb", "damaged block is left out of merges", "block=%s", name);
        }
}

static enum err run(struct compaction *c, struct errmsg *why)
{
    struct block_meta meta;
    enum err err = views_take(c, why);
    if (err == ERR_OK)
        err = merge(c, &meta, why);
    views_free(c);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    struct manifest_block *rows = mem_array(c->count, sizeof *rows);
    struct blocks_change change = {.remove = c->ids, .remove_count = c->count, .quarantined = rows};
    change.quarantined_count = parts_lost(c, rows);
    if (err == ERR_OK)
        err = blocks_publish(c->db, &meta, change, why);
    else /* nothing in them counts any more */
        err = blocks_commit(c->db, &change, why);
    mem_free(rows);
    if (err == ERR_OK)
        parts_delete(c);
    return err;
}

enum err compact_rewrite(struct tsdb *db, struct block *block, struct errmsg *why)
{
    const struct block_meta *m = block_meta(block);
    if (is_stuck(db, &m->id))
        return err_set(why, ERR_CORRUPT, "a damaged block cannot be written anew");
    struct compaction *c = MEM_NEW(struct compaction);
    bool overflow = false;
    c->db = db;
    c->throttle.bytes_per_s = db->o.io_bytes_per_s;
    c->count = 1;
    c->parts[0] = block_acquire(block);
    c->ids[0] = m->id;
    c->level = m->level ? m->level : 1; /* 0 is what came from the head */
    c->seq_min = m->seq_min;
    c->seq_max = m->seq_max;
    sources_add(c, m, &overflow);
    c->source_count = overflow ? 0 : c->source_count;
    enum err err = run(c, why);
    if (err == ERR_CORRUPT)
        parts_stick(c);
    block_release(c->parts[0]);
    mem_free(c);
    return err;
}

bool compact_once(struct tsdb *db)
{
    struct compaction *c = MEM_NEW(struct compaction); /* 20 KB: not for the stack */
    c->db = db;
    c->throttle.bytes_per_s = db->o.io_bytes_per_s;
    bool found = clock_mono_ns(db->o.clock) >= db->block_retry_ns && choose(c);
    if (found) {
        struct errmsg why = {0};
        int64_t start = clock_mono_ns(db->o.clock);
        enum err err = run(c, &why);
        TSDB_COUNT(db, compaction_ns, (uint64_t)(clock_mono_ns(db->o.clock) - start));
        if (err == ERR_OK) {
            TSDB_COUNT(db, compactions, 1);
            log_info("tsdb", "blocks merged", "count=%u level=%u ms=%lld", c->count, c->level,
                     (long long)((clock_mono_ns(db->o.clock) - start) / 1000000));
        } else if (err != ERR_CANCELED) {
            TSDB_COUNT(db, compaction_errors, 1);
            db->block_retry_ns = clock_mono_ns(db->o.clock) + RETRY_S * INT64_C(1000000000);
            log_error("tsdb", "blocks could not be merged", "count=%u err=\"%s\"", c->count, why.text);
            if (err == ERR_CORRUPT)
                parts_stick(c);
        }
        found = err == ERR_OK;
    }
    for (uint32_t i = 0; i < c->count; i++)
        block_release(c->parts[i]);
    mem_free(c);
    return found;
}
