/* tsdb.c - opening, closing and looking at a data directory; the contract is in tsdb.h. */
#include "tsdb/tsdb.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

#define HOUR_MS INT64_C(3600000)
enum { SEGMENT_BYTES_MIN = 1 << 20 };
#define CACHE_BYTES (UINT64_C(256) << 20)

void tsdb_options_default(struct tsdb_options *o)
{
    *o = (struct tsdb_options){
        .fs = fs_posix(),
        .clock = clock_system(),
        .random = random_system(),
        .dir = "gnomon-data",
        .retention_ms = 31 * 24 * HOUR_MS,
        .block_range_ms = 2 * HOUR_MS,
        .block_range_max_ms = 7 * 24 * HOUR_MS,
        .checkpoint_bytes = UINT64_C(256) << 20,
        .checkpoint_ms = HOUR_MS / 2,
        .block_bytes_max = UINT64_C(16) << 30,
        .io_bytes_per_s = UINT64_C(64) << 20,
        .snapshots_age_ms = 3 * 24 * HOUR_MS,
        .idle_series_min = 16384,
        .snapshots_max = 32,
        .reserve_bytes = 256 << 10,
    };
    head_options_default(&o->head);
    wal_options_default(&o->wal);
}

/* ---- state ---- */

static void state_set(struct tsdb *db, enum tsdb_state state, const struct errmsg *failure)
{
    mutex_lock(&db->state_lock);
    if (db->state != TSDB_CLOSING)
        db->state = state;
    if (failure)
        db->failure = *failure;
    cond_broadcast(&db->state_cond);
    mutex_unlock(&db->state_lock);
}

bool tsdb_ready(const struct tsdb *db)
{
    return atomic_load_explicit(&db->state, memory_order_acquire) == TSDB_READY;
}

bool tsdb_accepting(const struct tsdb *db)
{
    return atomic_load_explicit(&db->accepting, memory_order_acquire);
}

bool tsdb_replayed(const struct tsdb *db)
{
    int state = atomic_load_explicit(&db->state, memory_order_acquire);
    return state == TSDB_REPLAYED || state == TSDB_READY;
}

void tsdb_live(struct tsdb *db)
{
    assert(head_deferred_count(db->head) == 0);
    mutex_lock(&db->state_lock);
    if (db->state == TSDB_REPLAYED)
        db->state = TSDB_READY;
    cond_broadcast(&db->state_cond);
    mutex_unlock(&db->state_lock);
}

enum err tsdb_wait_ready(struct tsdb *db, struct errmsg *why)
{
    mutex_lock(&db->state_lock);
    while (db->state == TSDB_REPLAYING || db->state == TSDB_REPLAYED)
        cond_wait(&db->state_cond, &db->state_lock);
    enum err err = db->state == TSDB_READY ? ERR_OK : ERR_UNAVAILABLE;
    if (err != ERR_OK && why)
        *why = db->failure;
    mutex_unlock(&db->state_lock);
    return err;
}

bool tsdb_replay(struct tsdb *db)
{
    struct errmsg why = {0};
    mutex_lock(&db->head_work);
    enum err err = replay_run(db, &why);
    db->checkpoint_ns = clock_mono_ns(db->o.clock);
    mutex_unlock(&db->head_work);
    if (err != ERR_OK && err != ERR_CANCELED)
        log_error("tsdb", "the log cannot be replayed, samples are refused", "err=\"%s\"", why.text);
    bool waits = db->o.defers || head_deferred_count(db->head) > 0;
    state_set(db, err != ERR_OK ? TSDB_FAILED : waits ? TSDB_REPLAYED : TSDB_READY, &why);
    return err == ERR_OK;
}

/* ---- life ---- */

static void locks_init(struct tsdb *db)
{
    mutex_init(&db->manifest_lock);
    mutex_init(&db->set_lock);
    mutex_init(&db->stones_lock);
    mutex_init(&db->head_work);
    mutex_init(&db->block_work);
    mutex_init(&db->state_lock);
    cond_init(&db->state_cond);
    damages_init(&db->damages);
    db->verify_job = verify_job_new();
}

static void tsdb_free(struct tsdb *db)
{
    verify_job_free(db);
    data_dir_close(db);
    block_set_release(db->set);
    tombstones_release(db->stones);
    expel_free(db->expel);
    rules_release(db->rules);
    masks_deinit(&db->masks);
    damages_deinit(&db->damages);
    head_free(db->head);
    if (db->cache)
        page_cache_free(db->cache);
    manifest_deinit(&db->manifest);
    mem_free(db->stuck);
    cond_deinit(&db->state_cond);
    mutex_deinit(&db->manifest_lock);
    mutex_deinit(&db->set_lock);
    mutex_deinit(&db->stones_lock);
    mutex_deinit(&db->head_work);
    mutex_deinit(&db->block_work);
    mutex_deinit(&db->state_lock);
    mem_free(db);
}

static enum err parts_make(struct tsdb *db, struct errmsg *why)
{
    uint64_t cache = db->o.cache_bytes;
    if (cache == 0)
        cache = db->o.cache_budget && db->o.cache_budget->limit > 0 ? (uint64_t)db->o.cache_budget->limit : CACHE_BYTES;
    db->cache = page_cache_new((size_t)cache, db->o.cache_budget);
    struct head_options head = db->o.head;
    head.random = db->o.random;
    head.budget = db->o.head_budget;
    return head_new(&head, &db->head, why);
}

struct dir_size {
    struct tsdb *db;
    uint64_t bytes;
};

static bool add_size(void *ctx, const char *name)
{
    struct dir_size *d = ctx;
    char path[TSDB_PATH_BYTES];
    struct fs_stat st;
    tsdb_path2(d->db, path, "wal", name, "");
    if (strlen(name) < 64 && fs_stat_path(d->db->o.fs, path, &st, NULL) == ERR_OK && !st.is_dir)
        d->bytes += st.bytes;
    return true;
}

/* Up to four segments lie there ready: together at most a quarter of what the log has or could have. */
static uint64_t segment_bytes(struct tsdb *db, const char *path)
{
    struct dir_size log = {.db = db};
    struct fs_space space;
    uint64_t bytes = db->o.wal.segment_bytes;
    enum err ignored = fs_list(db->o.fs, path, add_size, &log, NULL);
    (void)ignored; /* not there yet: empty */
    if (fs_space_of(db->o.fs, db->dir, &space, NULL) != ERR_OK)
        return bytes;
    while (bytes > SEGMENT_BYTES_MIN && bytes > (space.free_bytes + log.bytes) / 16)
        bytes /= 2;
    return bytes;
}

static enum err log_open(struct tsdb *db, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES];
    struct wal_options o = db->o.wal;
    tsdb_path(db, path, "wal");
    o.fs = db->o.fs;
    o.clock = db->o.clock;
    o.dir = path;
    o.id = db->id;
    o.segment_bytes = db->o.wal.segment_bytes = segment_bytes(db, path);
    o.manual = db->o.manual;
    return wal_open(&o, &db->wal, why);
}

static struct tsdb *tsdb_new(const struct tsdb_options *o)
{
    struct tsdb *db = MEM_NEW(struct tsdb);
    db->storage.ops = &tsdb_storage_ops;
    db->o = *o;
    db->manifest.flushed_ms = INT64_MIN;
    db->opened_ns = db->jump_seen_ns = clock_mono_ns(o->clock);
    db->jump_seen_ms = clock_now_ms(o->clock);
    db->times_ids = 1;
    cancel_init(&db->stop, NULL, 0);
    locks_init(db);
    block_sets_init(db);
    masks_init(&db->masks);
    db->stones = tombstones_new();
    enum err err = rules_new(NULL, 0, 1, &db->rules, NULL);
    assert(err == ERR_OK); /* there is none that could be wrong */
    return db;
}

enum err tsdb_open(const struct tsdb_options *o, struct tsdb **out, struct errmsg *why)
{
    struct tsdb *db = tsdb_new(o);
    int n = snprintf(db->dir, sizeof db->dir, "%s", o->dir);
    enum err err =
        n <= 0 || (size_t)n >= sizeof db->dir
            ? err_set(why, ERR_LIMIT, "the path of the data directory has 1 to %zu bytes", sizeof db->dir - 1)
            : data_dir_open(db, why);
    if (err == ERR_OK)
        err = parts_make(db, why);
    if (err == ERR_OK)
        err = log_open(db, why);
    if (err != ERR_OK) {
        tsdb_free(db);
        return err;
    }
    if ((err = stones_load(db, why)) != ERR_OK) {
        enum err ignored = wal_close(db->wal, NULL);
        (void)ignored;
        tsdb_free(db);
        return err;
    }
    blocks_open(db);
    if (o->manual)
        tsdb_replay(db);
    else
        background_start(db);
    *out = db;
    return ERR_OK;
}

enum err tsdb_close(struct tsdb *db, struct errmsg *why)
{
    if (!db)
        return ERR_OK;
    bool ready = tsdb_ready(db);
    background_stop(db);
    cancel_init(&db->stop, NULL, 0); /* nobody else is left: the last work must not be cut off */
    enum err err = ERR_OK;
    if (ready && db->o.flush_on_close)
        err = tsdb_flush(db, why);
    enum err wal_err = wal_close(db->wal, err == ERR_OK ? why : NULL);
    tsdb_free(db);
    return err == ERR_OK ? wal_err : err;
}

/* ---- parts and work ---- */

struct storage *tsdb_storage(struct tsdb *db)
{
    return &db->storage;
}

struct head *tsdb_head(struct tsdb *db)
{
    return db->head;
}

struct wal *tsdb_wal(struct tsdb *db)
{
    return db->wal;
}

struct tsdb_stats *tsdb_stats(struct tsdb *db)
{
    return &db->stats;
}

enum err tsdb_flush(struct tsdb *db, struct errmsg *why)
{
    struct head_stats s;
    mutex_lock(&db->head_work);
    head_stats(db->head, &s);
    bool whole = tsdb_ready(db) || atomic_load(&db->state) == TSDB_CLOSING; /* then tsdb_close asks, and knows */
    enum err err = !whole                  ? err_set(why, ERR_UNAVAILABLE, "the log is still being read")
                   : s.mint_ms > s.maxt_ms ? ERR_OK
                                           : flush_before(db, s.maxt_ms + 1, why);
    mutex_unlock(&db->head_work);
    return err;
}

bool tsdb_run_once(struct tsdb *db)
{
    bool did = tsdb_ready(db) && head_round(db);
    return block_round(db) || did;
}

void tsdb_blocks(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_block_info *info), void *ctx)
{
    mutex_lock(&db->manifest_lock);
    struct manifest copy;
    manifest_copy(&copy, &db->manifest);
    mutex_unlock(&db->manifest_lock);
    manifest_sort(&copy);
    for (size_t i = 0; i < copy.block_count; i++) {
        const struct manifest_block *b = &copy.blocks[i];
        char problem[MANIFEST_REASON_BYTES + 16];
        snprintf(problem, sizeof problem, "%s%s", b->quarantined[0] ? "quarantined: " : "",
                 b->quarantined[0] ? b->quarantined : b->problem);
        struct tsdb_block_info info = {
            .level = b->level,
            .mint_ms = b->mint_ms,
            .maxt_ms = b->maxt_ms,
            .series = b->series,
            .samples = b->samples,
            .bytes = b->bytes,
            .deleted_series = masks_gone(db, &b->id),
            .problem = problem[0] ? problem : NULL,
        };
        block_id_text(&b->id, info.ulid);
        if (!visit(ctx, &info))
            break;
    }
    manifest_deinit(&copy);
}
