/*
 * clean.c - blocks of which something does not count any more are written anew, so that space comes back.
 *
 * On demand (clean_tombstones) all of them, one after the other.  By itself in the background those of which an
 * eighth or more does not count, and those with deletions that are older than a day: until then a merge or the
 * retention may do it for nothing.
 */
#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

enum { WORTH_SHARE = 8, LOOK_S = 600, RETRY_S = 60 };
#define OLD_MS INT64_C(86400000)

struct cleaning {
    struct tsdb *db;
    struct rules *rules;
    struct floors floors;
    int64_t now_ms;
};

static void cleaning_begin(struct tsdb *db, struct cleaning *c)
{
    c->db = db;
    mutex_lock(&db->set_lock);
    c->rules = rules_acquire(db->rules);
    mutex_unlock(&db->set_lock);
    c->now_ms = clock_now_ms(db->o.clock);
    rules_floors(c->rules, c->now_ms, db->o.retention_ms, &c->floors);
}

/* What of a block does not count. */
static enum err hidden_in(const struct cleaning *c, struct block *block, struct block_tally *out, bool *masked,
                          struct errmsg *why)
{
    struct block_view view;
    *out = (struct block_tally){0};
    TRY(masks_view(c->db, block, c->rules, &c->floors, INT64_MIN, &view, why));
    *masked = view.mask != NULL;
    enum err err = block_view_tally(block, &view, &c->db->stop, out, why);
    view_release(&view);
    return err;
}

static enum err rewrite(struct tsdb *db, struct block *block, struct errmsg *why) REQUIRES(db->block_work)
{
    uint64_t bytes = block_meta(block)->index.bytes + block_meta(block)->data.bytes;
    uint64_t before = atomic_load(&db->stats.block_bytes);
    enum err err = compact_rewrite(db, block, why);
    if (err != ERR_OK) {
        TSDB_COUNT(db, cleaning_errors, err != ERR_CANCELED);
        return err;
    }
    uint64_t after = atomic_load(&db->stats.block_bytes);
    uint64_t freed = before > after ? before - after : 0; /* a flush may come between */
    TSDB_COUNT(db, cleaned_blocks, 1);
    TSDB_COUNT(db, cleaned_bytes_before, bytes);
    TSDB_COUNT(db, cleaned_bytes_after, bytes > freed ? bytes - freed : 0);
    return ERR_OK;
}

/* ---- on demand ---- */

static enum err clean_all(struct tsdb *db, struct cleaning *c, struct block_set *set, struct errmsg *why)
    REQUIRES(db->block_work)
{
    struct errmsg text = {0};
    enum err first = ERR_OK;
    TSDB_SET(db, clean_blocks, set->count);
    TSDB_SET(db, clean_blocks_done, 0);
    for (uint32_t i = 0; i < set->count; i++) {
        struct block_tally hidden;
        bool masked;
        enum err err = cancel_check(&db->stop);
        if (err != ERR_OK)
            return err_set(why, err, "closing");
        TRY(hidden_in(c, set->list[i], &hidden, &masked, why));
        if ((masked || hidden.samples) && (err = rewrite(db, set->list[i], &text)) != ERR_OK) {
            if (first == ERR_OK)
                err_set(why, err, "%s", text.text);
            first = first == ERR_OK ? err : first; /* the others may go better */
        }
        TSDB_COUNT(db, clean_blocks_done, 1);
    }
    return first;
}

enum err tsdb_clean_tombstones(struct tsdb *db, struct errmsg *why)
{
    struct cleaning c;
    mutex_lock(&db->block_work);
    TSDB_SET(db, clean_running, 1);
    cleaning_begin(db, &c);
    struct block_set *set = block_set_acquire(db);
    enum err err = clean_all(db, &c, set, why);
    block_set_release(set);
    rules_release(c.rules);
    stones_retire(db);
    if (err == ERR_OK)
        TSDB_COUNT(db, cleanings, 1);
    TSDB_SET(db, clean_running, 0);
    mutex_unlock(&db->block_work);
    return err;
}

/* ---- by itself ---- */

/* Whether something can be hidden in the block, and it was not looked at lately or things have changed since. */
static bool look_due(struct cleaning *c, const struct block *block)
{
    int64_t now = clock_mono_ns(c->db->o.clock);
    struct tombstones *stones = stones_acquire(c->db);
    uint64_t last = stones->count ? stones->next_number : 0;
    tombstones_release(stones);
    bool by_rules = c->rules->count > 0 && c->floors.max_ms > block_meta(block)->mint_ms;
    if (last == 0 && !by_rules)
        return false;
    return masks_look_due(&c->db->masks, block, last, c->rules->version, now, LOOK_S * INT64_C(1000000000));
}

static bool has_old_stone(struct cleaning *c, const struct block *block)
{
    const struct block_meta *meta = block_meta(block);
    struct tombstones *stones = stones_acquire(c->db);
    bool old = false;
    for (size_t i = 0; i < stones->count && !old; i++) {
        const struct tombstone *s = stones->list[i];
        old = meta->seq_max <= s->sequence && meta->mint_ms <= s->maxt_ms && meta->maxt_ms >= s->mint_ms &&
              c->now_ms - s->made_ms > OLD_MS;
    }
    tombstones_release(stones);
    return old;
}

static bool is_worth(struct cleaning *c, struct block *block)
{
    struct block_tally hidden;
    bool masked;
    if (hidden_in(c, block, &hidden, &masked, NULL) != ERR_OK)
        return false;
    bool much = hidden.samples > 0 && hidden.samples * WORTH_SHARE >= block_meta(block)->samples;
    return much || (masked && has_old_stone(c, block));
}

bool clean_once(struct tsdb *db)
{
    struct cleaning c;
    struct errmsg why = {0};
    bool done = false;
    if (clock_mono_ns(db->o.clock) < db->block_retry_ns)
        return false;
    cleaning_begin(db, &c);
    struct block_set *set = block_set_acquire(db);
    for (uint32_t i = 0; i < set->count && !done && cancel_check(&db->stop) == ERR_OK; i++) {
        struct block *block = set->list[i];
        if (!look_due(&c, block) || !is_worth(&c, block))
            continue;
        enum err err = rewrite(db, block, &why);
        done = err == ERR_OK;
        if (err != ERR_OK && err != ERR_CANCELED) {
            db->block_retry_ns = clock_mono_ns(db->o.clock) + RETRY_S * INT64_C(1000000000);
            log_error("tsdb", "block could not be written anew", "err=\"%s\"", why.text);
            break;
        }
    }
    block_set_release(set);
    rules_release(c.rules);
    if (done)
        stones_retire(db);
    return done;
}
