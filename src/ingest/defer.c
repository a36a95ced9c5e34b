/*
 * defer.c - requests that come while the head is rebuilt from the log.
 *
 *     request       checked like any other, then one record with its bytes, synced, acknowledged
 *     catching up   one after the other through the usual way; their ordinary records and the record
 *                   "applied" are in one frame, so that the next replay has exactly one of both forms
 *     live          under defer_lock, when nothing waits: who comes later cannot overtake
 *
 * What waits is kept in memory, too, within deferred_bytes_max; beyond it senders are told to come again.
 */
#include "base/assert.h"
#include "base/log.h"
#include "ingest/ingest_internal.h"

enum { AT_ONCE = 64 }; /* requests that one call of catch_up applies */

void defer_init(struct ingest *ingest)
{
    mutex_init(&ingest->defer_lock);
    ingest->last = &ingest->first;
    atomic_store(&ingest->deferring, ingest->options.deferring && ingest->options.wal);
}

void defer_deinit(struct ingest *ingest)
{
    while (ingest->first) {
        struct waiting *next = ingest->first->next;
        mem_free(ingest->first);
        ingest->first = next;
    }
    mutex_deinit(&ingest->defer_lock);
}

static enum err waiting_new(struct lane *l, const struct ingest_request *req, int64_t now_ms, struct waiting **out,
                            struct errmsg *why)
{
    struct ingest *ingest = l->ingest;
    uint64_t waits = atomic_load_explicit(&ingest->deferred_bytes, memory_order_relaxed);
    if (waits && waits + l->raw_len > ingest->options.deferred_bytes_max)
        return err_set(why, ERR_UNAVAILABLE, "the log is still being read, and %llu bytes of requests wait already",
                       (unsigned long long)waits);
    struct waiting *w = mem_try_alloc(sizeof *w + l->raw_len);
    if (!w)
        return err_set(why, ERR_NO_MEMORY, "out of memory: %zu bytes for a request", l->raw_len);
    *w = (struct waiting){.stream = req->stream, .now_ms = now_ms, .len = l->raw_len};
    memcpy(w->body, l->raw, l->raw_len);
    *out = w;
    return ERR_OK;
}

static void queue_add(struct ingest *ingest, struct waiting *w) REQUIRES(ingest->defer_lock)
{
    *ingest->last = w;
    ingest->last = &w->next;
    atomic_fetch_add_explicit(&ingest->deferred, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&ingest->deferred_bytes, w->len, memory_order_relaxed);
}

static struct head_deferred deferred_of(struct ingest *ingest, const struct waiting *w)
{
    return (struct head_deferred){
        .life = wal_life(ingest->options.wal),
        .number = w->number,
        .now_ms = w->now_ms,
        .stream = w->stream,
        .body = slice_of(w->body, w->len),
    };
}

/* The queue has the order of the log: number, record and place in it are given under one lock. */
static enum err log_locked(struct lane *l, struct waiting *w, const struct ingest_request *req,
                           struct ingest_result *result) REQUIRES(l->ingest->defer_lock)
{
    struct buf *records;
    TRY(wal_lane_begin(l->wal, w->len + 64, &records, &result->why));
    w->number = l->ingest->next_number++;
    struct head_deferred d = deferred_of(l->ingest, w);
    head_record_deferred(records, &d);
    queue_add(l->ingest, w);
    result->samples = (uint32_t)(l->row_count - l->rows_rejected);
    result->series = l->series_count;
    result->metadata = (uint32_t)l->metadata_count;
    for (size_t i = 0; i < l->extra_count; i++) {
        result->histograms += !l->extras[i].rejected && l->extras[i].kind == EXTRA_HISTOGRAM;
        result->exemplars += !l->extras[i].rejected && l->extras[i].kind == EXTRA_EXEMPLAR;
    }
    finish(l, result);
    wal_lane_commit(l->wal, req->ticket);
    return ERR_OK;
}

enum err defer_request(struct lane *l, const struct ingest_request *req, int64_t now_ms, struct ingest_result *result)
{
    struct ingest *ingest = l->ingest;
    struct waiting *w = NULL;
    TRY(waiting_new(l, req, now_ms, &w, &result->why));
    mutex_lock(&l->ingest->defer_lock);
    bool wait = atomic_load_explicit(&ingest->deferring, memory_order_relaxed);
    enum err err = wait ? log_locked(l, w, req, result) : ERR_NOT_FOUND;
    mutex_unlock(&l->ingest->defer_lock);
    if (err != ERR_OK)
        mem_free(w);
    return err;
}

/* ---- catching up ---- */

/* False: the log takes nothing now. */
static bool apply(struct lane *l, const struct head_deferred *d, bool *again)
{
    struct errmsg why = {0};
    enum err err = write_deferred(l, d, &why);
    *again = err == ERR_OK;
    if (err != ERR_OK && !l->ingest->said)
        log_warn("ingest", "requests that came during the replay wait for the log", "err=\"%s\"", why.text);
    l->ingest->said = err != ERR_OK;
    return err == ERR_OK;
}

/* The first one that waits; NULL: none, and then the head is open to all. */
static struct waiting *queue_first(struct ingest *ingest)
{
    mutex_lock(&ingest->defer_lock);
    struct waiting *w = ingest->first;
    if (!w && atomic_load_explicit(&ingest->deferring, memory_order_relaxed)) {
        ingest_newest_find(ingest);
        atomic_store_explicit(&ingest->deferring, false, memory_order_release);
    }
    mutex_unlock(&ingest->defer_lock);
    return w;
}

static void queue_drop(struct ingest *ingest, struct waiting *w)
{
    mutex_lock(&ingest->defer_lock);
    assert(ingest->first == w);
    ingest->first = w->next;
    if (!ingest->first)
        ingest->last = &ingest->first;
    atomic_fetch_sub_explicit(&ingest->deferred_bytes, w->len, memory_order_relaxed);
    mutex_unlock(&ingest->defer_lock);
    mem_free(w);
}

bool ingest_catch_up(struct ingest *ingest, unsigned lane, bool *again)
{
    assert(lane < ingest->options.lanes);
    struct lane *l = ingest->lanes[lane];
    *again = true;
    for (int i = 0; i < AT_ONCE; i++) {
        const struct head_deferred *earlier = head_deferred_first(ingest->options.head);
        if (earlier) {
            if (!apply(l, earlier, again))
                return false;
            head_deferred_drop(ingest->options.head);
            continue;
        }
        struct waiting *w = queue_first(ingest);
        if (!w)
            return true;
        struct head_deferred d = deferred_of(ingest, w);
        if (!apply(l, &d, again))
            return false;
        queue_drop(ingest, w);
    }
    return false;
}
