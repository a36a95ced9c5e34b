/*
 * delete.c - samples that are to be forgotten.
 *
 *     1. what the head holds in the range is flushed (of the pages on which such series are), series of which it holds
 *        nothing leave it
 *     2. a checkpoint, so that the log cannot bring any of it back; the one before goes, which has it still
 *     3. a tombstone with the number of that flush replaces the file of tombstones: from here on it is deleted,
 *        for queries at once and after a crash
 *     4. merges leave out what a tombstone covers (compact.c, clean.c)
 *
 * All under head_work: no flush can come between, so a block with a higher number holds only what was
 * written after the deletion.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/matchers.h"
#include "tsdb/tsdb_internal.h"

/* ---- the head ---- */

/* What the head holds of one selector; counting stops at the first sample when `any` is enough. */
static enum err head_count(struct tsdb *db, const struct tsdb_selector *s, int64_t mint_ms, int64_t maxt_ms, bool any,
                           struct cancel *cancel, uint64_t *samples, struct errmsg *why)
{
    struct querier *q;
    struct series_set *set;
    struct arena arena;
    *samples = 0;
    TRY(head_querier(db->head, mint_ms, maxt_ms, &q, why));
    arena_init(&arena, NULL);
    struct selector sel = {.matchers = s->matchers, .matcher_count = s->count, .mint_ms = mint_ms, .maxt_ms = maxt_ms};
    enum err err = q->ops->select(q, &sel, &arena, cancel, &set, why);
    if (err == ERR_OK) {
        struct series_reader *r = set->ops->reader(set);
        for (uint32_t i = 0; i < set->count && err == ERR_OK && !(any && *samples); i++) {
            struct samples found;
            err = any ? r->ops->last(r, i, mint_ms, maxt_ms, &found, why)
                      : r->ops->read(r, i, mint_ms, maxt_ms, &found, why);
            if (err == ERR_OK)
                *samples += found.count;
        }
        r->ops->close(r);
    }
    q->ops->close(q);
    arena_deinit(&arena);
    return err;
}

static enum err head_holds(struct tsdb *db, const struct tsdb_delete *d, bool *holds, struct errmsg *why)
{
    *holds = false;
    for (uint32_t i = 0; i < d->selector_count && !*holds; i++) {
        uint64_t samples;
        TRY(head_count(db, &d->selectors[i], d->mint_ms, d->maxt_ms, true, &db->stop, &samples, why));
        *holds = samples > 0;
    }
    return ERR_OK;
}

/* Series of which the head holds nothing any more: labels that nobody should see. */
static uint64_t head_forget(struct tsdb *db, const struct tsdb_selector *selectors, uint32_t count)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < count; i++)
        left += head_leave_matching(db->head, selectors[i].matchers, selectors[i].count, &db->stop);
    return left;
}

/* Nothing of it is in the head or can come from the log afterwards. */
static enum err head_empty(struct tsdb *db, const struct tsdb_delete *d, struct errmsg *why) REQUIRES(db->head_work)
{
    bool holds;
    TRY(head_holds(db, d, &holds, why));
    if (holds) {
        struct head_stats s;
        head_stats(db->head, &s);
        int64_t last = d->maxt_ms < s.maxt_ms ? d->maxt_ms : s.maxt_ms;
        TRY(flush_selected(db, d, last == INT64_MAX ? last : last + 1, why));
    }
    if (head_forget(db, d->selectors, d->selector_count) > 0)
        db->log_has_flushed = true;
    return db->log_has_flushed ? checkpoint_take(db, true, why) : ERR_OK;
}

/* ---- the tombstones ---- */

/* Whether a block, or one that cannot be read now, may have something of it. */
static enum err is_stored(struct tsdb *db, const struct tsdb_selector *s, const struct tsdb_delete *d, bool *stored,
                          struct errmsg *why)
{
    struct block_set *set = block_set_acquire(db);
    struct block_cut cut = {s->matchers, s->count, d->mint_ms, d->maxt_ms};
    enum err err = ERR_OK;
    *stored = false;
    for (uint32_t i = 0; i < set->problem_count && !*stored; i++)
        *stored = set->problems[i].mint_ms <= d->maxt_ms && set->problems[i].maxt_ms >= d->mint_ms;
    for (uint32_t i = 0; i < set->count && err == ERR_OK && !*stored; i++) {
        struct block_mask *mask = NULL;
        err = block_mask_extend(set->list[i], NULL, &cut, 1, &db->stop, &mask, why);
        *stored = mask != NULL;
        block_mask_release(mask);
    }
    block_set_release(set);
    return err;
}

static enum err stones_add(struct tsdb *db, const struct tsdb_delete *d, struct errmsg *why) REQUIRES(db->head_work)
{
    mutex_lock(&db->stones_lock);
    struct tombstones *now = stones_acquire(db), *next = tombstones_copy(now);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < d->selector_count && err == ERR_OK; i++) {
        struct tombstone stone = {.sequence = db->flush_sequence,
                                  .mint_ms = d->mint_ms,
                                  .maxt_ms = d->maxt_ms,
                                  .made_ms = clock_now_ms(db->o.clock),
                                  .matchers = d->selectors[i].matchers,
                                  .matcher_count = d->selectors[i].count};
        bool stored;
        err = is_stored(db, &d->selectors[i], d, &stored, why);
        if (err == ERR_OK && stored)
            err = tombstones_add(next, &stone, why);
    }
    if (err != ERR_OK || next->count == now->count)
        tombstones_release(next);
    else
        err = stones_store(db, next, why);
    tombstones_release(now);
    mutex_unlock(&db->stones_lock);
    return err;
}

static void say(const struct tsdb_delete *d)
{
    for (uint32_t i = 0; i < d->selector_count; i++) {
        struct buf text = {.limit = 2048};
        matchers_print(d->selectors[i].matchers, d->selectors[i].count, &text);
        log_info("tsdb", "samples deleted", "selector=%.*s mint=%lld maxt=%lld", (int)text.len, (const char *)text.data,
                 (long long)d->mint_ms, (long long)d->maxt_ms);
        buf_deinit(&text);
    }
}

enum err tsdb_delete(struct tsdb *db, const struct tsdb_delete *d, struct errmsg *why)
{
    if (d->mint_ms > d->maxt_ms)
        return ERR_OK;
    if (!tsdb_ready(db))
        return err_set(why, ERR_UNAVAILABLE, "the log is still being read");
    mutex_lock(&db->head_work);
    enum err err = head_empty(db, d, why);
    if (err == ERR_OK)
        err = checkpoint_alone(db, why);
    if (err == ERR_OK)
        err = stones_add(db, d, why);
    mutex_unlock(&db->head_work);
    if (err == ERR_OK) {
        TSDB_COUNT(db, deletes, 1);
        say(d);
    } else {
        TSDB_COUNT(db, delete_errors, 1);
    }
    return err;
}

/* ---- series that are not wanted any more ---- */

enum { EXPEL_ROUNDS = 30 }; /* samples that come while the head is flushed make another round */

enum err tsdb_expel(struct tsdb *db, const struct tsdb_selector *selectors, uint32_t count, struct errmsg *why)
{
    struct expel *next = MEM_NEW(struct expel);
    enum err err = ERR_OK;
    arena_init(&next->arena, NULL);
    next->selectors = ARENA_ARRAY(&next->arena, struct tsdb_selector, (size_t)count + 1);
    for (; next->count < count && err == ERR_OK; next->count++) {
        struct matcher *copy;
        const struct tsdb_selector *s = &selectors[next->count];
        err = matchers_copy(s->matchers, s->count, &next->arena, &copy, why);
        next->selectors[next->count] = (struct tsdb_selector){copy, s->count};
    }
    if (err != ERR_OK || count == 0) {
        expel_free(next);
        return err;
    }
    mutex_lock(&db->head_work);
    expel_free(db->expel);
    db->expel = next;
    mutex_unlock(&db->head_work);
    return ERR_OK;
}

void expel_free(struct expel *e)
{
    if (!e)
        return;
    arena_deinit(&e->arena);
    mem_free(e);
}

bool expel_round(struct tsdb *db)
{
    struct expel *e = db->expel;
    struct errmsg why = {0};
    uint64_t left = 0;
    if (!e)
        return false;
    struct tsdb_delete d = {e->selectors, e->count, INT64_MIN, INT64_MAX};
    enum err err = head_empty(db, &d, &why);
    for (uint32_t i = 0; i < e->count && err == ERR_OK && left == 0; i++)
        err = head_count(db, &e->selectors[i], INT64_MIN, INT64_MAX, true, &db->stop, &left, &why);
    if (err != ERR_OK && err != ERR_CANCELED)
        log_warn("tsdb", "series could not leave the head", "err=\"%s\"", why.text);
    if ((err != ERR_OK || left) && ++e->rounds < EXPEL_ROUNDS)
        return false; /* at the next tick */
    expel_free(e);
    db->expel = NULL;
    return true;
}

/* ---- what it would take ---- */

/* Series with samples in the range, of all selectors together. */
static enum err count_series(struct tsdb *db, const struct tsdb_delete *d, struct cancel *cancel, uint64_t *out,
                             struct errmsg *why)
{
    struct querier *q;
    struct arena arena;
    struct storage *storage = tsdb_storage(db);
    *out = 0;
    TRY(storage->ops->querier(storage, d->mint_ms, d->maxt_ms, &q, why));
    arena_init(&arena, NULL);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < d->selector_count && err == ERR_OK; i++) {
        struct series_set *set;
        struct selector sel = {.matchers = d->selectors[i].matchers,
                               .matcher_count = d->selectors[i].count,
                               .mint_ms = d->mint_ms,
                               .maxt_ms = d->maxt_ms};
        err = q->ops->select(q, &sel, &arena, cancel, &set, why);
        for (uint32_t k = 0; err == ERR_OK && k < set->count; k++) {
            bool counted = false; /* by a selector before this one */
            for (uint32_t b = 0; b < i && !counted; b++)
                counted = matchers_match(d->selectors[b].matchers, d->selectors[b].count, &set->labels[k]);
            *out += !counted;
        }
    }
    q->ops->close(q);
    arena_deinit(&arena);
    return err;
}

/* What a block would hide beyond what it hides now. */
static enum err tally_block(struct tsdb *db, struct block *block, const struct block_cut *cuts, uint32_t count,
                            struct cancel *cancel, struct tsdb_affected *out, struct errmsg *why)
{
    struct rules *none;
    struct floors floors = {.min_ms = INT64_MIN, .max_ms = INT64_MIN};
    struct block_view now, then;
    struct block_tally before = {0}, after = {0};
    TRY(rules_new(NULL, 0, 0, &none, why));
    floors.of[0] = INT64_MIN;
    enum err err = masks_view(db, block, none, &floors, INT64_MIN, &now, why);
    rules_release(none);
    if (err != ERR_OK)
        return err;
    block_view_init(&then);
    err = block_mask_extend(block, now.mask, cuts, count, cancel, &then.mask, why);
    if (err == ERR_OK && then.mask) {
        err = block_view_tally(block, &now, cancel, &before, why);
        if (err == ERR_OK)
            err = block_view_tally(block, &then, cancel, &after, why);
        if (err == ERR_OK && after.samples > before.samples) {
            out->blocks++;
            out->samples += after.samples - before.samples;
            out->bytes += after.bytes - before.bytes;
        }
    }
    view_release(&now);
    view_release(&then);
    return err;
}

static enum err tally_blocks(struct tsdb *db, const struct tsdb_delete *d, struct cancel *cancel,
                             struct tsdb_affected *out, struct errmsg *why)
{
    struct block_set *set = block_set_acquire(db);
    struct block_cut *cuts = mem_array((size_t)d->selector_count + 1, sizeof *cuts);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < d->selector_count; i++)
        cuts[i] = (struct block_cut){d->selectors[i].matchers, d->selectors[i].count, d->mint_ms, d->maxt_ms};
    for (uint32_t i = 0; i < set->count && err == ERR_OK; i++) {
        const struct block_meta *meta = block_meta(set->list[i]);
        if (meta->mint_ms <= d->maxt_ms && meta->maxt_ms >= d->mint_ms)
            err = tally_block(db, set->list[i], cuts, d->selector_count, cancel, out, why);
    }
    mem_free(cuts);
    block_set_release(set);
    return err;
}

enum err tsdb_delete_dry_run(struct tsdb *db, const struct tsdb_delete *d, struct cancel *cancel,
                             struct tsdb_affected *out, struct errmsg *why)
{
    *out = (struct tsdb_affected){0};
    if (d->mint_ms > d->maxt_ms)
        return ERR_OK;
    TRY(count_series(db, d, cancel, &out->series, why));
    TRY(tally_blocks(db, d, cancel, out, why));
    for (uint32_t i = 0; tsdb_ready(db) && i < d->selector_count; i++) {
        uint64_t samples;
        TRY(head_count(db, &d->selectors[i], d->mint_ms, d->maxt_ms, false, cancel, &samples, why));
        out->head_samples += samples;
    }
    out->samples += out->head_samples;
    return ERR_OK;
}

/* ---- what waits ---- */

void tsdb_tombstones(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_tombstone_info *info), void *ctx)
{
    struct tombstones *stones = stones_acquire(db);
    struct block_set *set = block_set_acquire(db);
    bool more = true;
    for (size_t i = 0; i < stones->count && more; i++) {
        const struct tombstone *s = stones->list[i];
        struct buf text = {0};
        matchers_print(s->matchers, s->matcher_count, &text);
        struct tsdb_tombstone_info info = {.number = s->number,
                                           .selector = buf_cstr(&text),
                                           .mint_ms = s->mint_ms,
                                           .maxt_ms = s->maxt_ms,
                                           .made_ms = s->made_ms};
        for (uint32_t k = 0; k < set->count; k++) {
            const struct block_meta *meta = block_meta(set->list[k]);
            info.blocks += meta->seq_max <= s->sequence && meta->mint_ms <= s->maxt_ms && meta->maxt_ms >= s->mint_ms;
        }
        more = visit(ctx, &info);
        buf_deinit(&text);
    }
    block_set_release(set);
    tombstones_release(stones);
}
