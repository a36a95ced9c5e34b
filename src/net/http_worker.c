/* http_worker.c - the threads behind http_defer: one bounded queue, first come, first served. */
#include "base/assert.h"
#include "net/http_internal.h"

bool http_pool_push(struct http_pool *pool, struct http_request_state *q)
{
    mutex_lock(&pool->lock);
    bool room = pool->waiting < pool->waiting_max && !pool->stopping;
    if (room) {
        q->queue_next = NULL;
        *(pool->first ? &pool->last->queue_next : &pool->first) = q;
        pool->last = q;
        pool->waiting++;
        cond_signal(&pool->work);
    }
    mutex_unlock(&pool->lock);
    return room;
}

/* Waits for a request; NULL when the pool stops and nothing is left. */
static struct http_request_state *pool_pop(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    while (!pool->first && !pool->stopping)
        cond_wait(&pool->work, &pool->lock);
    struct http_request_state *q = pool->first;
    if (q) {
        pool->first = q->queue_next;
        pool->waiting--;
    }
    mutex_unlock(&pool->lock);
    return q;
}

static void worker_do(struct http_worker *w, struct http_request_state *q)
{
    struct http_stats *stats = &w->server->stats;
    http_count(&stats->deferred_running, 1);
    q->worker = w;
    w->holds = true;
    if (q->answer.phase == ANSWER_OPEN && cancel_check(&q->pub.cancel) == ERR_CANCELED)
        http_answer_drop(q); /* left while it waited */
    else
        q->work(&q->pub, q->work_ctx);
    assert(!w->holds); /* the handler has answered, parked or deferred the request */
    atomic_fetch_sub_explicit(&stats->deferred_running, 1, memory_order_relaxed);
}

static void *worker_run(void *arg)
{
    struct http_worker *w = arg;
    struct http_request_state *q;
    while ((q = pool_pop(&w->server->pool))) {
        atomic_fetch_sub_explicit(&w->server->stats.deferred_waiting, 1, memory_order_relaxed);
        worker_do(w, q);
    }
    return NULL;
}

void http_pool_start(struct http_pool *pool, struct http_server *s)
{
    pool->workers = mem_array(pool->count, sizeof *pool->workers);
    for (unsigned i = 0; i < pool->count; i++) {
        pool->workers[i].server = s;
        pool->workers[i].thread = thread_start("http-worker", worker_run, &pool->workers[i]);
    }
}

void http_pool_stop(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    pool->stopping = true;
    cond_broadcast(&pool->work);
    mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    mem_free(pool->workers);
    pool->workers = NULL;
}

void http_defer(struct http_request *r, http_handler work, void *ctx)
{
    struct http_request_state *q = http_state_of(r);
    struct http_server *s = http_server_of(q->conn);
    q->work = work;
    q->work_ctx = ctx;
    http_count(&s->stats.deferred_waiting, 1);
    http_request_passed_on(q);
    if (http_pool_push(&s->pool, q))
        return;
    atomic_fetch_sub_explicit(&s->stats.deferred_waiting, 1, memory_order_relaxed);
    http_count(&s->stats.deferred_refused, 1);
    http_header(r, "Retry-After", "1");
    http_answer_text(q, 503, "too many requests are waiting, try again later");
}

void http_park(struct http_request *r)
{
    http_request_passed_on(http_state_of(r));
}

void http_wake(struct http_request *r, http_handler resume, void *ctx)
{
    struct http_request_state *q = http_state_of(r);
    q->work = resume;
    q->work_ctx = ctx;
    http_loop_post(q->conn, EVENT_WAKE);
}
