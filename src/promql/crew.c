/* crew.c - helper threads; the contract is in crew.h. */
#include "promql/crew.h"

#include "base/assert.h"
#include "base/lock.h"
#include "base/mem.h"

struct job {
    struct job *next;
    void (*run)(void *ctx, unsigned worker);
    void *ctx;
    unsigned wanted, joined, running; /* helpers; guarded by lock */
    struct cond done;
};

struct crew {
    struct mutex lock;
    struct cond work;
    struct job *jobs; /* that want more helpers; guarded by lock */
    bool stopping;    /* guarded by lock */
    unsigned count;
    pthread_t threads[];
};

static void job_unlink(struct crew *c, struct job *job) REQUIRES(c->lock)
{
    for (struct job **at = &c->jobs; *at; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            return;
        }
}

static void job_help(struct crew *c, struct job *job) REQUIRES(c->lock)
{
    unsigned worker = ++job->joined;
    job->running++;
    if (job->joined == job->wanted)
        job_unlink(c, job);
    mutex_unlock(&c->lock);
    job->run(job->ctx, worker);
    mutex_lock(&c->lock);
    if (--job->running == 0)
        cond_signal(&job->done);
}

static void *helper(void *arg)
{
    struct crew *c = arg;
    mutex_lock(&c->lock);
    while (!c->stopping) {
        if (c->jobs)
            job_help(c, c->jobs);
        else
            cond_wait(&c->work, &c->lock);
    }
    mutex_unlock(&c->lock);
    return NULL;
}

struct crew *crew_new(unsigned helpers)
{
    struct crew *c = mem_zalloc(sizeof *c + helpers * sizeof c->threads[0]);
    mutex_init(&c->lock);
    cond_init(&c->work);
    c->count = helpers;
    for (unsigned i = 0; i < helpers; i++)
        c->threads[i] = thread_start("promql", helper, c);
    return c;
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    mutex_lock(&c->lock);
    assert(!c->jobs);
    c->stopping = true;
    cond_broadcast(&c->work);
    mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->count; i++)
        pthread_join(c->threads[i], NULL);
    cond_deinit(&c->work);
    mutex_deinit(&c->lock);
    mem_free(c);
}

void crew_run(struct crew *c, unsigned helpers, void (*run)(void *ctx, unsigned worker), void *ctx)
{
    struct job job = {.run = run, .ctx = ctx, .wanted = helpers};
    cond_init(&job.done);
    mutex_lock(&c->lock);
    if (helpers > 0) {
        job.next = c->jobs;
        c->jobs = &job; // cppcheck-suppress autoVariables ; unlinked below before it ends
        cond_broadcast(&c->work);
    }
    mutex_unlock(&c->lock);
    run(ctx, 0);
    mutex_lock(&c->lock);
    job_unlink(c, &job);
    while (job.running > 0)
        cond_wait(&job.done, &c->lock);
    mutex_unlock(&c->lock);
    cond_deinit(&job.done);
}
