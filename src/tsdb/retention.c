/*
 * retention.c - blocks whose samples are all past retention go; so do the oldest when there is no room.
 *
 * Queries stop seeing a sample the moment it is too old (tsdb_oldest_ms); here the disk follows.  A wall
 * clock that jumps by more than an hour against the monotonic one is not believed for ten minutes, and a
 * clock by which all blocks were too old not before the server ran for ten minutes: a wrong clock at
 * boot must not delete everything.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

#define JUMP_MS INT64_C(3600000)
#define HOLD_NS INT64_C(600000000000)

/* Whether the clock can be trusted with deleting. */
static bool clock_steady(struct tsdb *db)
{
    int64_t now_ms = clock_now_ms(db->o.clock), now_ns = clock_mono_ns(db->o.clock);
    int64_t expected = db->jump_seen_ms + (now_ns - db->jump_seen_ns) / 1000000;
    int64_t off = now_ms > expected ? now_ms - expected : expected - now_ms;
    if (off > JUMP_MS) {
        log_warn("tsdb", "the clock jumped, retention waits", "ms=%lld", (long long)(now_ms - expected));
        db->retention_held_until_ns = now_ns + HOLD_NS;
    }
    db->jump_seen_ms = now_ms;
    db->jump_seen_ns = now_ns;
    return now_ns >= db->retention_held_until_ns;
}

struct candidates {
    struct manifest_block *list; /* a copy, oldest end first */
    size_t count;
    uint64_t bytes;
};

static int by_end(const void *a, const void *b)
{
    const struct manifest_block *x = a, *y = b;
    return (x->maxt_ms > y->maxt_ms) - (x->maxt_ms < y->maxt_ms);
}

static void candidates_take(struct tsdb *db, struct candidates *c)
{
    mutex_lock(&db->manifest_lock);
    struct manifest copy;
    manifest_copy(&copy, &db->manifest);
    mutex_unlock(&db->manifest_lock);
    c->list = copy.blocks;
    c->count = copy.block_count;
    copy.blocks = NULL;
    manifest_deinit(&copy);
    for (size_t i = 0; i < c->count; i++)
        c->bytes += c->list[i].quarantined[0] ? 0 : c->list[i].bytes;
    if (c->count > 1)
        qsort(c->list, c->count, sizeof *c->list, by_end);
}

static size_t past_time(struct tsdb *db, const struct candidates *c, int64_t now_ns)
{
    int64_t oldest = tsdb_oldest_ms(db);
    size_t n = 0;
    while (n < c->count && c->list[n].maxt_ms < oldest)
        n++;
    bool all_at_boot = n > 0 && n == c->count && now_ns - db->opened_ns < HOLD_NS;
    return all_at_boot ? 0 : n;
}

/* How many of the oldest must go, `past` of them anyway, so that the rest fits. */
static size_t past_size(struct tsdb *db, const struct candidates *c, size_t past)
{
    if (db->o.retention_bytes == 0)
        return past;
    uint64_t log = atomic_load(&wal_stats(db->wal)->segment_bytes), bytes = c->bytes + log;
    size_t n = 0;
    for (; n < c->count && (n < past || bytes > db->o.retention_bytes); n++)
        bytes -= c->list[n].quarantined[0] ? 0 : c->list[n].bytes;
    return n;
}

static bool drop(struct tsdb *db, const struct candidates *c, size_t count, size_t by_time)
{
    struct errmsg why = {0};
    struct block_id *ids = mem_array(count, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = c->list[i].id;
    enum err err = blocks_commit(db, &(struct blocks_change){.remove = ids, .remove_count = (uint32_t)count}, &why);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        blocks_delete_dir(db, &ids[i]);
    mem_free(ids);
    if (err != ERR_OK) {
        log_error("tsdb", "retention failed", "err=\"%s\"", why.text);
        return false;
    }
    TSDB_COUNT(db, blocks_dropped_by_time, by_time);
    TSDB_COUNT(db, blocks_dropped_by_size, count - by_time);
    log_info("tsdb", "blocks dropped", "past_time=%zu past_size=%zu", by_time, count - by_time);
    return true;
}

bool retention_once(struct tsdb *db)
{
    if (!clock_steady(db))
        return false;
    losses_age(db);
    struct candidates c = {0};
    candidates_take(db, &c);
    size_t by_time = past_time(db, &c, clock_mono_ns(db->o.clock));
    size_t count = past_size(db, &c, by_time);
    bool done = count > 0 && drop(db, &c, count, by_time);
    mem_free(c.list);
    return done;
}
