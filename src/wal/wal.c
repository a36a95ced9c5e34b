/* wal.c - life, lanes, barriers and threads of the log; the contract is in wal.h. */
#include "wal/wal.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_internal.h"

void wal_options_default(struct wal_options *o)
{
    *o = (struct wal_options){
        .fs = fs_posix(),
        .clock = clock_system(),
        .dir = "wal",
        .sync = WAL_SYNC_COMMIT,
        .sync_interval_ms = 100,
        .pace_ns = 500000,
        .probe_ms = 1000,
        .segment_bytes = UINT64_C(64) << 20,
        .segments_spare = 2,
        .pending_bytes_max = UINT64_C(64) << 20,
    };
}

/* ---- lanes ---- */

struct wal_lane *wal_lane_new(struct wal *wal)
{
    struct wal_lane *lane = MEM_NEW(struct wal_lane);
    lane->wal = wal;
    mutex_init(&lane->lock);
    mutex_lock(&wal->lanes_lock);
    lane->next = wal->lanes;
    wal->lanes = lane;
    mutex_unlock(&wal->lanes_lock);
    return lane;
}

static void committer_wake(struct wal *wal)
{
    if (atomic_exchange(&wal->work, true) || !wal->threads)
        return; /* it is awake, or will look before it sleeps */
    mutex_lock(&wal->state_lock);
    cond_signal(&wal->work_cond);
    mutex_unlock(&wal->state_lock);
}

void wal_lane_free(struct wal_lane *lane)
{
    if (!lane)
        return;
    struct wal *wal = lane->wal;
    mutex_lock(&wal->lanes_lock);
    lane->dead = true; /* the next cut takes its records and drops it */
    mutex_unlock(&wal->lanes_lock);
    committer_wake(wal);
}

static enum err refused(struct wal *wal, struct errmsg *why)
{
    enum err err = (enum err)atomic_load_explicit(&wal->stats.refusing, memory_order_relaxed);
    atomic_fetch_add_explicit(&wal->stats.refused, 1, memory_order_relaxed);
    mutex_lock(&wal->state_lock);
    if (why)
        *why = wal->refusal;
    mutex_unlock(&wal->state_lock);
    return err == ERR_OK ? ERR_UNAVAILABLE : err;
}

/* Reserves room among all lanes; a single request may be larger than all of it when nothing else waits. */
static enum err reserve(struct wal *wal, size_t bytes, struct errmsg *why)
{
    uint64_t max = wal->o.pending_bytes_max;
    uint64_t before = atomic_fetch_add_explicit(&wal->stats.pending_bytes, bytes, memory_order_relaxed);
    if (before == 0 || before + bytes <= max)
        return ERR_OK;
    atomic_fetch_sub_explicit(&wal->stats.pending_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&wal->stats.refused, 1, memory_order_relaxed);
    return err_set(why, ERR_UNAVAILABLE, "the log is behind: %llu bytes wait to be written, at most %llu may",
                   (unsigned long long)before, (unsigned long long)max);
}

NO_LOCK_CHECK enum err wal_lane_begin(struct wal_lane *lane, size_t bytes_hint, struct buf **records,
                                      struct errmsg *why)
{
    struct wal *wal = lane->wal;
    if (!atomic_load_explicit(&wal->accepting, memory_order_acquire) ||
        atomic_load_explicit(&wal->stats.refusing, memory_order_relaxed) != ERR_OK)
        return refused(wal, why);
    if (bytes_hint > FRAME_PAYLOAD_BYTES_MAX)
        return err_set(why, ERR_LIMIT, "a request of %zu log bytes, at most %u fit into a frame", bytes_hint,
                       FRAME_PAYLOAD_BYTES_MAX);
    TRY(reserve(wal, bytes_hint, why));
    mutex_lock(&lane->lock);
    if (!buf_reserve(&lane->records, bytes_hint)) { /* now: once the head is touched there is no way back */
        lane->records.failed = false;
        mutex_unlock(&lane->lock);
        atomic_fetch_sub_explicit(&wal->stats.pending_bytes, bytes_hint, memory_order_relaxed);
        return err_set(why, ERR_NO_MEMORY, "out of memory: %zu bytes for log records", bytes_hint);
    }
    lane->reserved = bytes_hint;
    lane->records_before = lane->records.len;
    *records = &lane->records;
    return ERR_OK;
}

NO_LOCK_CHECK void wal_lane_commit(struct wal_lane *lane, struct wal_ticket *ticket)
{
    struct wal *wal = lane->wal;
    assert(lane->records.len >= lane->records_before);
    size_t bytes = lane->records.len - lane->records_before;
    atomic_fetch_add_explicit(&wal->stats.pending_bytes, (uint64_t)bytes - lane->reserved, memory_order_relaxed);
    if (ticket)
        ticket_list_add(&lane->tickets, ticket);
    mutex_unlock(&lane->lock);
    committer_wake(wal);
}

/* ---- barrier ---- */

struct barrier {
    struct wal_ticket ticket; /* first */
    struct mutex lock;
    struct cond cond;
    bool done; /* guarded by lock, as the rest */
    enum err err;
    struct errmsg why;
};

static void barrier_done(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    struct barrier *b = (struct barrier *)ticket;
    mutex_lock(&b->lock);
    b->err = err;
    if (err != ERR_OK && why)
        b->why = *why;
    b->done = true;
    cond_signal(&b->cond);
    mutex_unlock(&b->lock);
}

static void barrier_wait(struct wal *wal, struct barrier *b)
{
    if (!wal->threads)
        wal_commit_now(wal);
    mutex_lock(&b->lock);
    while (!b->done)
        cond_wait(&b->cond, &b->lock);
    mutex_unlock(&b->lock);
}

NO_LOCK_CHECK enum err wal_barrier(struct wal *wal, uint64_t *sequence, struct errmsg *why)
{
    if (!atomic_load_explicit(&wal->accepting, memory_order_acquire))
        return refused(wal, why);
    struct barrier b = {.ticket.done = barrier_done};
    mutex_init(&b.lock);
    cond_init(&b.cond);
    mutex_lock(&wal->barrier_lane->lock);
    ticket_list_add(&wal->barrier_lane->tickets, &b.ticket);
    mutex_unlock(&wal->barrier_lane->lock);
    committer_wake(wal);
    barrier_wait(wal, &b);
    cond_deinit(&b.cond);
    mutex_deinit(&b.lock);
    if (b.err != ERR_OK) {
        if (why)
            *why = b.why;
        return b.err;
    }
    *sequence = atomic_load_explicit(&wal->stats.last_sequence, memory_order_relaxed);
    return ERR_OK;
}

void wal_truncate(struct wal *wal, uint64_t sequence)
{
    files_truncate(wal, sequence);
}

void wal_pin(struct wal *wal, struct wal_pin *out)
{
    mutex_lock(&wal->commit_lock);
    files_pin(wal, out);
    out->last_sequence = atomic_load_explicit(&wal->stats.last_sequence, memory_order_relaxed);
    mutex_unlock(&wal->commit_lock);
}

void wal_unpin(struct wal *wal, struct wal_pin *pin)
{
    mem_free(pin->list);
    *pin = (struct wal_pin){0};
    files_unpin(wal);
}

uint64_t wal_replay_bytes(struct wal *wal)
{
    return files_replay_bytes(wal);
}

uint64_t wal_kept_bytes(struct wal *wal, uint64_t sequence)
{
    return files_kept_bytes(wal, sequence);
}

uint64_t wal_life(const struct wal *wal)
{
    return wal->life;
}

struct wal_stats *wal_stats(struct wal *wal)
{
    return &wal->stats;
}

/* ---- threads ---- */

void wal_commit_now(struct wal *wal)
{
    struct errmsg why = {0};
    enum err err;
    while (wal->o.manual && files_prepare(wal, &why, &err))
        ; /* what the filler thread does */
    mutex_lock(&wal->commit_lock);
    commit_cycle(wal, false);
    mutex_unlock(&wal->commit_lock);
}

/* Several requests came together last time: waiting a little lets them share the next sync, too. */
static void pace(struct wal *wal, int64_t last_start_ns)
{
    int64_t wait = wal->o.pace_ns - (clock_mono_ns(wal->o.clock) - last_start_ns);
    if (wal->o.sync == WAL_SYNC_COMMIT && wal->last_tickets > 1 && wait > 0)
        clock_sleep_ns(wal->o.clock, wait);
}

/* Sleeps until there is something to do; false when stopping. */
static bool committer_sleep(struct wal *wal)
{
    mutex_lock(&wal->state_lock);
    while (!wal->stopping && !atomic_load(&wal->work)) {
        int64_t ns = commit_wait_ns(wal);
        if (ns < 0)
            cond_wait(&wal->work_cond, &wal->state_lock);
        else if (!cond_wait_ns(&wal->work_cond, &wal->state_lock, ns))
            break;
    }
    bool go_on = !wal->stopping;
    mutex_unlock(&wal->state_lock);
    return go_on;
}

static void *committer_run(void *arg)
{
    struct wal *wal = arg;
    int64_t last_start_ns = 0;
    thread_prompt(); /* all writers wait for what it does after its sync */
    while (committer_sleep(wal)) {
        pace(wal, last_start_ns);
        last_start_ns = clock_mono_ns(wal->o.clock);
        mutex_lock(&wal->commit_lock);
        commit_cycle(wal, false);
        mutex_unlock(&wal->commit_lock);
    }
    return NULL;
}

static void *filler_run(void *arg)
{
    struct wal *wal = arg;
    mutex_lock(&wal->state_lock);
    while (!wal->stopping) {
        mutex_unlock(&wal->state_lock);
        struct errmsg why = {0};
        enum err err;
        bool more = files_prepare(wal, &why, &err);
        if (err != ERR_OK && err != ERR_CANCELED)
            log_warn("wal", "no spare log segment", "err=\"%s\"", why.text);
        mutex_lock(&wal->state_lock);
        if (wal->stopping || more)
            continue;
        if (err == ERR_OK)
            cond_wait(&wal->filler_cond, &wal->state_lock);
        else
            cond_wait_ns(&wal->filler_cond, &wal->state_lock, wal->o.probe_ms * 1000000 * 10);
    }
    mutex_unlock(&wal->state_lock);
    return NULL;
}

static void threads_stop(struct wal *wal)
{
    mutex_lock(&wal->state_lock);
    wal->stopping = true;
    cond_signal(&wal->work_cond);
    cond_signal(&wal->filler_cond);
    mutex_unlock(&wal->state_lock);
    if (!wal->threads)
        return;
    pthread_join(wal->committer, NULL);
    pthread_join(wal->filler, NULL);
    wal->threads = false;
}

/* ---- life ---- */

static void locks_init(struct wal *wal)
{
    mutex_init(&wal->lanes_lock);
    mutex_init(&wal->commit_lock);
    mutex_init(&wal->files_lock);
    mutex_init(&wal->state_lock);
    cond_init(&wal->work_cond);
    cond_init(&wal->filler_cond);
}

static void lanes_free(struct wal *wal)
{
    for (struct wal_lane *l = wal->lanes; l;) {
        struct wal_lane *next = l->next;
        buf_deinit(&l->records);
        buf_deinit(&l->taken);
        mutex_deinit(&l->lock);
        mem_free(l);
        l = next;
    }
}

static void wal_free(struct wal *wal)
{
    files_close(wal);
    lanes_free(wal);
    buf_deinit(&wal->unsynced);
    cond_deinit(&wal->work_cond);
    cond_deinit(&wal->filler_cond);
    mutex_deinit(&wal->lanes_lock);
    mutex_deinit(&wal->commit_lock);
    mutex_deinit(&wal->files_lock);
    mutex_deinit(&wal->state_lock);
    mem_free(wal);
}

enum err wal_open(const struct wal_options *o, struct wal **out, struct errmsg *why)
{
    struct wal *wal = MEM_NEW(struct wal);
    wal->o = *o;
    wal->next_number = 1;
    wal->dir = (struct segment_dir){.fs = o->fs, .clock = o->clock, .id = o->id, .segment_bytes = o->segment_bytes};
    locks_init(wal);
    err_set(&wal->refusal, ERR_UNAVAILABLE, "the log is being read");
    wal->barrier_lane = wal_lane_new(wal);
    int n = snprintf(wal->dir.path, sizeof wal->dir.path, "%s", o->dir);
    enum err err = n < 0 || (size_t)n >= sizeof wal->dir.path
                       ? err_set(why, ERR_LIMIT, "path of the log is longer than %zu bytes", sizeof wal->dir.path - 1)
                       : files_open(wal, why);
    wal->o.dir = wal->dir.path;
    if (err != ERR_OK) {
        wal_free(wal);
        return err_wrap(why, err, "open log");
    }
    *out = wal;
    return ERR_OK;
}

enum err wal_start(struct wal *wal, uint64_t next_sequence, const struct wal_report *report, struct errmsg *why)
{
    assert(!wal->started && next_sequence > 0);
    struct errmsg text = {0};
    wal->started = true;
    wal->next_sequence = wal->life = next_sequence;
    wal->stats.last_sequence = next_sequence - 1;
    files_scan_done(wal, report, next_sequence - 1);
    wal->resettle = true;
    mutex_lock(&wal->commit_lock);
    enum err err = commit_first(wal, &text);
    mutex_unlock(&wal->commit_lock);
    atomic_store_explicit(&wal->accepting, true, memory_order_release);
    if (!wal->o.manual) {
        wal->threads = true;
        wal->committer = thread_start("wal-commit", committer_run, wal);
        wal->filler = thread_start("wal-fill", filler_run, wal);
    }
    if (err != ERR_OK && why)
        *why = text;
    return err;
}

enum err wal_close(struct wal *wal, struct errmsg *why)
{
    if (!wal)
        return ERR_OK;
    atomic_store_explicit(&wal->accepting, false, memory_order_release);
    mutex_lock(&wal->state_lock);
    err_set(&wal->refusal, ERR_UNAVAILABLE, "the server is stopping");
    mutex_unlock(&wal->state_lock);
    threads_stop(wal);
    enum err err = ERR_OK;
    if (wal->started) {
        mutex_lock(&wal->commit_lock);
        err = commit_last(wal, why);
        mutex_unlock(&wal->commit_lock);
    }
    wal_free(wal);
    return err;
}
