/*
 * verify_job.c - verify.c beside a running store: one thread, gently, with progress.
 */
#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"
#include "tsdb/verify.h"

#define RATE_DEFAULT (UINT64_C(64) << 20) /* bytes a second */

struct verify_job {
    struct mutex lock;
    struct cond cond; /* wakes a waiting step */
    bool running, joinable, quick;
    struct cancel cancel;
    pthread_t thread;
    enum err result;
    struct errmsg why;
    int64_t started_ms, finished_ms, next_ns;
    uint64_t bytes, blocks, blocks_done, problems;
    struct buf report;
}; /* all but lock, cond, cancel and next_ns: guarded by lock */

struct verify_job *verify_job_new(void)
{
    struct verify_job *j = MEM_NEW(struct verify_job);
    mutex_init(&j->lock);
    cond_init(&j->cond);
    cancel_init(&j->cancel, NULL, 0);
    return j;
}

void verify_job_free(struct tsdb *db)
{
    struct verify_job *j = db->verify_job;
    tsdb_verify_cancel(db);
    if (j->joinable)
        pthread_join(j->thread, NULL);
    buf_deinit(&j->report);
    cond_deinit(&j->cond);
    mutex_deinit(&j->lock);
    mem_free(j);
}

/* Waits until the bytes so far are paid for. */
static enum err job_step(void *ctx, uint64_t bytes)
{
    struct tsdb *db = ctx;
    struct verify_job *j = db->verify_job;
    uint64_t rate = db->o.io_bytes_per_s ? db->o.io_bytes_per_s : RATE_DEFAULT;
    int64_t now = clock_mono_ns(db->o.clock);
    j->next_ns = (j->next_ns > now ? j->next_ns : now) + (int64_t)((double)bytes * 1e9 / (double)rate);
    mutex_lock(&j->lock);
    j->bytes += bytes;
    while (!db->o.manual && cancel_check(&j->cancel) == ERR_OK && (now = clock_mono_ns(db->o.clock)) < j->next_ns)
        cond_wait_ns(&j->cond, &j->lock, j->next_ns - now);
    mutex_unlock(&j->lock);
    return cancel_check(&j->cancel);
}

static void job_on_block(void *ctx, uint64_t done, uint64_t of)
{
    struct verify_job *j = ((struct tsdb *)ctx)->verify_job;
    mutex_lock(&j->lock);
    j->blocks_done = done;
    j->blocks = of;
    mutex_unlock(&j->lock);
}

static struct block *job_live(void *ctx, const struct block_id *id)
{
    struct block_set *set = block_set_acquire(ctx);
    struct block *found = NULL;
    for (uint32_t i = 0; i < set->count && !found; i++)
        if (block_id_eq(&block_meta(set->list[i])->id, id))
            found = block_acquire(set->list[i]);
    block_set_release(set);
    return found;
}

static void *job_run(void *arg)
{
    struct tsdb *db = arg;
    struct verify_job *j = db->verify_job;
    struct buf report = {0};
    struct errmsg why = {0};
    uint64_t problems = 0;
    struct verify_request q = {.fs = db->o.fs,
                               .dir = db->dir,
                               .json = true,
                               .quick = j->quick,
                               .steps = {.step = job_step, .ctx = db},
                               .live = job_live,
                               .on_block = job_on_block,
                               .ctx = db};
    enum err err = verify_run(&q, &report, &problems, &why);
    mutex_lock(&j->lock);
    j->result = err;
    j->why = why;
    j->problems = problems;
    j->blocks_done = err == ERR_OK ? j->blocks : j->blocks_done;
    j->finished_ms = clock_now_ms(db->o.clock);
    buf_deinit(&j->report);
    if (err == ERR_OK)
        j->report = report;
    j->running = false;
    mutex_unlock(&j->lock);
    if (err != ERR_OK)
        buf_deinit(&report); /* a part of one */
    if (err == ERR_OK)
        log_info("tsdb", "the directory was verified", "problems=%llu", (unsigned long long)problems);
    else
        log_warn("tsdb", "verifying the directory ended early", "err=\"%s\"", why.text);
    return NULL;
}

static void *job_thread(void *arg)
{
    thread_lower();
    return job_run(arg);
}

enum err tsdb_verify_start(struct tsdb *db, bool quick, struct errmsg *why)
{
    struct verify_job *j = db->verify_job;
    mutex_lock(&j->lock);
    if (j->running || cancel_check(&db->stop) != ERR_OK) {
        bool running = j->running;
        mutex_unlock(&j->lock);
        return running ? err_set(why, ERR_EXISTS, "the directory is being verified already")
                       : err_set(why, ERR_UNAVAILABLE, "closing");
    }
    if (j->joinable)
        pthread_join(j->thread, NULL); /* it has ended, or is about to return */
    j->joinable = !db->o.manual;
    j->running = true;
    j->quick = quick;
    j->result = ERR_OK;
    j->started_ms = clock_now_ms(db->o.clock);
    j->finished_ms = j->next_ns = 0;
    j->bytes = j->blocks = j->blocks_done = j->problems = 0;
    buf_reset(&j->report);
    cancel_init(&j->cancel, NULL, 0);
    if (j->joinable)
        j->thread = thread_start("tsdb-verify", job_thread, db);
    mutex_unlock(&j->lock);
    if (db->o.manual)
        job_run(db);
    return ERR_OK;
}

void tsdb_verify_cancel(struct tsdb *db)
{
    struct verify_job *j = db->verify_job;
    mutex_lock(&j->lock);
    cancel_set(&j->cancel, ERR_CANCELED);
    cond_broadcast(&j->cond);
    mutex_unlock(&j->lock);
}

void tsdb_verify_state(struct tsdb *db, struct arena *arena, struct tsdb_verify_state *out)
{
    struct verify_job *j = db->verify_job;
    mutex_lock(&j->lock);
    const char *ended = j->result == ERR_OK ? "done" : j->result == ERR_CANCELED ? "canceled" : "failed";
    *out = (struct tsdb_verify_state){.state = j->running      ? "running"
                                               : j->started_ms ? ended
                                                               : "never",
                                      .error = "",
                                      .started_ms = j->started_ms,
                                      .finished_ms = j->finished_ms,
                                      .bytes = j->bytes,
                                      .blocks = j->blocks,
                                      .blocks_done = j->blocks_done,
                                      .problems = j->problems};
    if (!j->running && j->result == ERR_OK)
        out->report = arena_copy(arena, buf_view(&j->report));
    else if (!j->running)
        out->error = arena_strdup(arena, slice_str(j->why.text));
    mutex_unlock(&j->lock);
}
