/*
 * wal_commit.c - one commit: cut all lanes, one frame, one write, one sync, all tickets.
 *
 * States of the log, seen from here:
 *
 *     accepting --write or sync failed--> rewrite the frames in wal->unsynced into a fresh segment + sync
 *         rewrite worked  -> accepting; nobody noticed but the counters
 *         rewrite failed  -> refusing: tickets get the error, begin() refuses, the frames stay in memory
 *     refusing --probe_ms--> rewrite again -> accepting | refusing
 *
 * Frames keep their bytes and sequence number through every rewrite, so a copy that did reach the disk
 * in an abandoned segment is a duplicate that the reader drops.  A sync is never repeated on a file
 * where one failed: the kernel may have dropped the pages and would report success.
 */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_internal.h"

enum { BUFFER_KEEP_BYTES = 4 << 20 }; /* larger buffers are given back after use */

const int64_t wal_sync_bucket_ns[WAL_SYNC_BUCKETS] = {
    50000,    100000,   200000,   300000,    500000,    1000000,    2000000,     5000000,
    10000000, 20000000, 50000000, 100000000, 500000000, 2000000000, 10000000000, INT64_MAX,
};

#define COUNT(field, n) atomic_fetch_add_explicit(&wal->stats.field, (n), memory_order_relaxed)

/* ---- tickets ---- */

void ticket_list_add(struct ticket_list *l, struct wal_ticket *t)
{
    t->next = NULL;
    *(l->end ? l->end : &l->first) = t;
    l->end = &t->next;
    l->count++;
}

void ticket_list_append(struct ticket_list *l, struct ticket_list *more)
{
    if (more->count > 0) {
        *(l->end ? l->end : &l->first) = more->first;
        l->end = more->end;
        l->count += more->count;
    }
    *more = (struct ticket_list){0};
}

void ticket_list_done(struct ticket_list *l, enum err err, const struct errmsg *why)
{
    for (struct wal_ticket *t = l->first; t;) {
        struct wal_ticket *next = t->next; /* done() may free it */
        t->done(t, err, why);
        t = next;
    }
    *l = (struct ticket_list){0};
}

static void tickets_finish(struct wal *wal, enum err err, const struct errmsg *why)
{
    if (wal->taken.count == 0)
        return;
    if (err == ERR_OK)
        COUNT(tickets, wal->taken.count);
    ticket_list_done(&wal->taken, err, why);
    if (wal->o.on_batch)
        wal->o.on_batch(wal->o.on_batch_ctx);
}

/* ---- the cut ---- */

/* All lanes are locked.  Room for their records in one frame; false: no memory. */
NO_LOCK_CHECK static bool frame_fits(struct wal *wal)
{
    size_t bytes = 0;
    for (struct wal_lane *l = wal->lanes; l; l = l->next)
        bytes += l->records.len;
    bool fits = buf_reserve(&wal->unsynced, (size_t)frame_aligned(FRAME_HEADER_BYTES + bytes)) != NULL;
    wal->unsynced.failed = false;
    return fits;
}

/*
 * Swaps buffers and waiting lists of all lanes; *bytes: what was taken.  No request is half in it.  False: no memory
 * for the frame, only the waiting lists were taken.
 */
NO_LOCK_CHECK static bool cut(struct wal *wal, bool with_records, size_t *bytes)
{
    *bytes = 0;
    mutex_lock(&wal->lanes_lock);
    atomic_store_explicit(&wal->work, false, memory_order_seq_cst);
    for (struct wal_lane *l = wal->lanes; l; l = l->next)
        mutex_lock(&l->lock);
    wal->barrier_taken = wal->barrier_lane->tickets.count > 0;
    bool fits = !with_records || frame_fits(wal);
    for (struct wal_lane *l = wal->lanes; l; l = l->next) {
        ticket_list_append(&wal->taken, &l->tickets);
        if (!with_records || !fits)
            continue;
        assert(l->taken.len == 0);
        struct buf full = l->records;
        l->records = l->taken;
        l->taken = full;
        *bytes += full.len;
    }
    for (struct wal_lane *l = wal->lanes; l; l = l->next)
        mutex_unlock(&l->lock);
    mutex_unlock(&wal->lanes_lock);
    return fits;
}

static void buf_recycle(struct buf *b)
{
    if (b->capacity > BUFFER_KEEP_BYTES)
        buf_deinit(b);
    else
        buf_reset(b);
}

/* Lanes whose owner is gone and whose records are taken. */
static void drop_dead_lanes(struct wal *wal)
{
    for (struct wal_lane **at = &wal->lanes; *at;) {
        struct wal_lane *l = *at;
        if (!l->dead || l->records.len > 0 || l->tickets.count > 0) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        buf_deinit(&l->records);
        buf_deinit(&l->taken);
        mutex_deinit(&l->lock);
        mem_free(l);
    }
}

/* Appends one frame with everything that was taken to wal->unsynced; its bytes, padding included. */
static size_t frame_build(struct wal *wal, size_t payload)
{
    size_t whole = (size_t)frame_aligned(FRAME_HEADER_BYTES + payload);
    uint8_t *frame = buf_reserve(&wal->unsynced, whole);
    assert(frame);
    uint8_t *at = frame + FRAME_HEADER_BYTES;
    mutex_lock(&wal->lanes_lock);
    for (struct wal_lane *l = wal->lanes; l; l = l->next) {
        if (l->taken.len)
            memcpy(at, l->taken.data, l->taken.len);
        at += l->taken.len;
        buf_recycle(&l->taken);
    }
    drop_dead_lanes(wal);
    mutex_unlock(&wal->lanes_lock);
    assert(at == frame + FRAME_HEADER_BYTES + payload);
    memset(at, 0, whole - FRAME_HEADER_BYTES - payload);
    frame_seal(frame, wal->dir.id, wal->active_number, wal->next_sequence++, (uint32_t)payload);
    wal->unsynced.len += whole;
    wal->unsynced_payload += payload;
    return whole;
}

/* ---- the disk ---- */

static void sync_observe(struct wal *wal, int64_t ns)
{
    unsigned bucket = 0;
    while (ns > wal_sync_bucket_ns[bucket])
        bucket++;
    COUNT(sync_bucket[bucket], 1);
    COUNT(syncs, 1);
    COUNT(sync_ns, (uint64_t)ns);
}

/* Everything in wal->unsynced is durable. */
static void unsynced_settled(struct wal *wal)
{
    if (wal->unsynced.len == 0)
        return;
    COUNT(pending_bytes, (uint64_t)-wal->unsynced_payload);
    wal->unsynced_payload = 0;
    buf_recycle(&wal->unsynced);
    atomic_store_explicit(&wal->stats.last_sequence, wal->next_sequence - 1, memory_order_relaxed);
}

/* Once a minute: whoever wonders why senders are slow finds it in the log. */
static void slow_sync_say(struct wal *wal, int64_t ns)
{
    enum { SLOW_NS = 1000000000 };
    const int64_t again_ns = INT64_C(60000000000);
    if (ns < SLOW_NS || (wal->slow_said_ns && wal->last_sync_ns - wal->slow_said_ns < again_ns))
        return;
    wal->slow_said_ns = wal->last_sync_ns;
    log_warn("wal", "a sync of the log was slow; writers wait for it, queries do not", "ms=%lld",
             (long long)(ns / 1000000));
}

static enum err active_sync(struct wal *wal, struct errmsg *why)
{
    int64_t start = clock_mono_ns(wal->o.clock);
    enum err err = file_sync(wal->active, true, why);
    wal->last_sync_ns = clock_mono_ns(wal->o.clock);
    if (err != ERR_OK) {
        COUNT(sync_errors, 1);
        return err;
    }
    wal->dirty = false;
    sync_observe(wal, wal->last_sync_ns - start);
    slow_sync_say(wal, wal->last_sync_ns - start);
    unsynced_settled(wal);
    return ERR_OK;
}

static void active_close(struct wal *wal)
{
    files_note(wal, wal->active_number, wal->active_offset, wal->next_sequence - 1);
    atomic_store_explicit(&wal->active_bytes, 0, memory_order_relaxed);
    enum err ignored = file_close(wal->active, NULL);
    (void)ignored; /* synced before, or abandoned because of an error that is known */
    wal->active = NULL;
}

/* Writes frames at the end of the active segment. */
static enum err active_write(struct wal *wal, const uint8_t *frames, size_t bytes, struct errmsg *why)
{
    enum err err = file_pwrite(wal->active, frames, bytes, wal->active_offset, why);
    if (err != ERR_OK) {
        COUNT(write_errors, 1);
        return err;
    }
    wal->active_offset += bytes;
    wal->dirty = true;
    COUNT(bytes, bytes);
    atomic_store_explicit(&wal->active_bytes, wal->active_offset, memory_order_relaxed);
    return ERR_OK;
}

/* Best effort: without it a segment that vanishes is not missed, nothing else. */
static void newest_note(struct wal *wal, uint64_t last)
{
    uint64_t first = wal->next_sequence;
    if (wal->unsynced.len && !last)
        first = frame_sequence(wal->unsynced.data); /* they are written again */
    enum err ignored = segment_newest_write(
        &wal->dir, &(struct segment_newest){.number = wal->active_number, .first = first, .last = last}, NULL);
    (void)ignored;
}

/*
 * When an idle log tells in "newest" how far it got; -1: there is nothing to tell.  What is damaged at the end of a log
 * that was killed looks like a frame that nobody was promised; after this it is known that somebody was.
 */
static int64_t end_note_ns(const struct wal *wal)
{
    const int64_t idle_ns = INT64_C(1000000000);
    bool told = wal->noted >= wal->next_sequence - 1 || wal->next_sequence <= wal->life;
    return told || !wal->active || wal->dirty || wal->o.sync == WAL_SYNC_OS ? -1 : wal->last_sync_ns + idle_ns;
}

static void end_note(struct wal *wal)
{
    int64_t due = end_note_ns(wal);
    if (due < 0 || clock_mono_ns(wal->o.clock) < due)
        return;
    newest_note(wal, wal->next_sequence - 1);
    wal->noted = wal->next_sequence - 1; /* also when it failed: this is best effort */
}

static enum err active_open(struct wal *wal, struct errmsg *why)
{
    enum err err = files_next(wal, &wal->active, &wal->active_number, why);
    wal->active_offset = SEGMENT_HEADER_BYTES;
    if (err != ERR_OK)
        wal->active = NULL;
    else
        newest_note(wal, 0);
    mutex_lock(&wal->files_lock);
    wal->newest_told = wal->newest_told || wal->active;
    mutex_unlock(&wal->files_lock);
    if (wal->threads && files_need_work(wal)) {
        mutex_lock(&wal->state_lock);
        cond_signal(&wal->filler_cond);
        mutex_unlock(&wal->state_lock);
    }
    return err;
}

/* Gives every unsynced frame the active segment's number. */
static void frames_relabel(struct wal *wal)
{
    for (size_t at = 0; at < wal->unsynced.len;) {
        uint8_t *frame = wal->unsynced.data + at;
        uint32_t payload = frame_payload_bytes(frame);
        frame_seal(frame, wal->dir.id, wal->active_number, frame_sequence(frame), payload);
        at += (size_t)frame_aligned(FRAME_HEADER_BYTES + (uint64_t)payload);
    }
}

/* The disk failed: the frames in memory go into a fresh segment and are synced there. */
static enum err rewrite(struct wal *wal, struct errmsg *why)
{
    if (wal->active) {
        files_poison(wal, wal->active_number);
        if (wal->o.sync == WAL_SYNC_OS && wal->dirty) /* frames that are not kept here may be lost */
            atomic_store_explicit(&wal->stats.doubtful, wal->next_sequence - 1, memory_order_relaxed);
        active_close(wal);
    }
    wal->dirty = false;
    enum err err = wal->resettle ? files_settle(wal, why) : ERR_OK;
    if (err != ERR_OK)
        return err;
    wal->resettle = false;
    err = active_open(wal, why);
    if (err != ERR_OK)
        return err;
    if (wal->unsynced.len == 0)
        return ERR_OK;
    frames_relabel(wal);
    err = active_write(wal, wal->unsynced.data, wal->unsynced.len, why);
    if (err == ERR_OK)
        err = active_sync(wal, why);
    if (err != ERR_OK) {
        active_close(wal);
        files_drop(wal, wal->active_number); /* nothing in it is needed: the next try starts anew */
        return err;
    }
    COUNT(rewrites, 1);
    return ERR_OK;
}

/* Makes room for a frame: the next segment when this one is full.  What is left behind is synced. */
static enum err roll(struct wal *wal, size_t bytes, struct errmsg *why)
{
    bool fits = wal->active && wal->active_offset + bytes <= wal->o.segment_bytes;
    if (fits || (wal->active && wal->active_offset == SEGMENT_HEADER_BYTES))
        return ERR_OK; /* an oversized frame makes its segment longer */
    if (wal->active) {
        enum err err = wal->o.sync == WAL_SYNC_COMMIT ? ERR_OK : active_sync(wal, why);
        if (err != ERR_OK)
            return err;
        active_close(wal);
    }
    return active_open(wal, why);
}

/* ---- refusing ---- */

/* What senders are told: both make them try again. */
static enum err refusal_code(enum err err)
{
    return err == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_UNAVAILABLE;
}

static void refuse(struct wal *wal, enum err err, const struct errmsg *why)
{
    bool first = atomic_exchange(&wal->stats.refusing, (int)refusal_code(err)) == ERR_OK;
    mutex_lock(&wal->state_lock);
    wal->refusal = *why;
    mutex_unlock(&wal->state_lock);
    if (first)
        log_error("wal", "log cannot be written, samples are refused", "err=\"%s\"", why->text);
    wal->last_probe_ns = clock_mono_ns(wal->o.clock);
}

static void refuse_end(struct wal *wal)
{
    atomic_store(&wal->stats.refusing, ERR_OK);
    log_info("wal", "log can be written again", "segment=%016llx", (unsigned long long)wal->active_number);
}

/* While refusing: false when it still does. */
static bool probe(struct wal *wal, bool now)
{
    if (!now && clock_mono_ns(wal->o.clock) - wal->last_probe_ns < wal->o.probe_ms * 1000000)
        return false;
    struct errmsg why = {0};
    enum err err = rewrite(wal, &why);
    if (err != ERR_OK) {
        refuse(wal, err, &why);
        return false;
    }
    refuse_end(wal);
    return true;
}

/* Requests that slipped in before the refusal: their records stay in the lanes, their senders are told. */
static void turn_away(struct wal *wal)
{
    size_t none;
    (void)cut(wal, false, &none);
    mutex_lock(&wal->state_lock);
    struct errmsg why = wal->refusal;
    mutex_unlock(&wal->state_lock);
    tickets_finish(wal, (enum err)atomic_load(&wal->stats.refusing), &why);
}

/* ---- the cycle ---- */

static bool sync_due(struct wal *wal, bool closing)
{
    if (!wal->dirty)
        return false;
    if (closing || wal->o.sync == WAL_SYNC_COMMIT || wal->barrier_taken)
        return true;
    return wal->o.sync == WAL_SYNC_INTERVAL &&
           clock_mono_ns(wal->o.clock) - wal->last_sync_ns >= wal->o.sync_interval_ms * 1000000;
}

static const char *mode_name(enum wal_sync sync)
{
    return sync == WAL_SYNC_COMMIT ? "commit" : sync == WAL_SYNC_INTERVAL ? "interval" : "os";
}

static enum err write_taken(struct wal *wal, size_t payload, bool closing, struct errmsg *why)
{
    enum err err = ERR_OK;
    if (payload > 0) {
        size_t whole = (size_t)frame_aligned(FRAME_HEADER_BYTES + payload);
        err = roll(wal, whole, why); /* first: the frame carries the segment's number */
        size_t at = wal->unsynced.len;
        frame_build(wal, payload);
        COUNT(frames, 1);
        if (err == ERR_OK)
            err = active_write(wal, wal->unsynced.data + at, whole, why);
    }
    if (err == ERR_OK && sync_due(wal, closing))
        err = active_sync(wal, why);
    if (err == ERR_OK)
        return ERR_OK;
    log_warn("wal", "log segment failed, writing its newest frames to another", "segment=%016llx mode=%s err=\"%s\"",
             (unsigned long long)wal->active_number, mode_name(wal->o.sync), why->text);
    return rewrite(wal, why);
}

void commit_cycle(struct wal *wal, bool closing)
{
    if (atomic_load(&wal->stats.refusing) != ERR_OK && !probe(wal, closing)) {
        turn_away(wal);
        return;
    }
    struct errmsg why = {0};
    size_t payload;
    bool fits = cut(wal, true, &payload);
    wal->last_tickets = wal->taken.count;
    enum err err = fits ? write_taken(wal, payload, closing, &why)
                        : err_set(&why, ERR_NO_MEMORY, "no memory for a frame of the log");
    if (err != ERR_OK)
        refuse(wal, err, &why);
    else if (wal->o.sync == WAL_SYNC_OS && payload > 0)
        unsynced_settled(wal); /* nothing will be rewritten: the kernel has it */
    tickets_finish(wal, err == ERR_OK ? ERR_OK : refusal_code(err), &why);
    if (payload == 0 && err == ERR_OK && !closing)
        end_note(wal);
}

int64_t commit_wait_ns(struct wal *wal)
{
    int64_t now = clock_mono_ns(wal->o.clock), due = -1;
    if (atomic_load(&wal->stats.refusing) != ERR_OK)
        due = wal->last_probe_ns + wal->o.probe_ms * 1000000 - now;
    else if (wal->o.sync == WAL_SYNC_INTERVAL && wal->dirty)
        due = wal->last_sync_ns + wal->o.sync_interval_ms * 1000000 - now;
    else if (end_note_ns(wal) >= 0)
        due = end_note_ns(wal) - now;
    else
        return -1;
    return due > 0 ? due : 1;
}

enum err commit_first(struct wal *wal, struct errmsg *why)
{
    enum err err = rewrite(wal, why); /* of nothing: settles and opens a segment */
    wal->last_sync_ns = clock_mono_ns(wal->o.clock);
    if (err != ERR_OK)
        refuse(wal, err, why);
    return err == ERR_OK ? ERR_OK : refusal_code(err);
}

enum err commit_last(struct wal *wal, struct errmsg *why)
{
    commit_cycle(wal, true);
    enum err err = (enum err)atomic_load(&wal->stats.refusing);
    if (err != ERR_OK) {
        mutex_lock(&wal->state_lock);
        if (why)
            *why = wal->refusal;
        mutex_unlock(&wal->state_lock);
    }
    if (wal->active && err == ERR_OK && wal->next_sequence > wal->life)
        newest_note(wal, wal->next_sequence - 1);
    if (wal->active)
        active_close(wal);
    return err;
}
