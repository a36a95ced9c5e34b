/*
 * http_worker.c - the threads behind http_defer: one bounded queue, first come, first served.
 *
 * At most `count` work at once.  One that waits for a client that reads slowly does not work: when requests are waiting
 * another thread takes its place, so slow clients do not hold up others.
 */
#include "base/assert.h"
#include "net/http_internal.h"

enum { SPARE_THREADS = 4 /* kept beside `count` for the next slow client */ };

bool http_pool_push(struct http_pool *pool, struct http_request_state *q)
{
    mutex_lock(&pool->lock);
    bool room = pool->waiting < pool->waiting_max && !pool->stopping;
    if (room) {
        q->queue_next = NULL;
        *(pool->first ? &pool->last->queue_next : &pool->first) = q;
        pool->last = q;
        pool->waiting++;
    }
    mutex_unlock(&pool->lock);
    if (room)
        cond_signal(&pool->work); /* behind the lock: who wakes up wants it at once */
    return room;
}

/* Waits for a request; NULL when the pool stops and nothing is left, or when there are threads enough. */
static struct http_request_state *pool_pop(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    bool spare = pool->threads - pool->lent > pool->count + SPARE_THREADS;
    while ((!pool->first || pool->running >= pool->count) && !pool->stopping && !spare)
        cond_wait(&pool->work, &pool->lock);
    struct http_request_state *q = spare && !pool->stopping ? NULL : pool->first;
    if (q) {
        pool->first = q->queue_next;
        pool->waiting--;
        pool->running++;
    }
    mutex_unlock(&pool->lock);
    return q;
}

static void pool_done(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    pool->running--;
    if (pool->first)
        cond_signal(&pool->work);
    mutex_unlock(&pool->lock);
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

static void worker_end(struct http_pool *pool, struct http_worker *w)
{
    mutex_lock(&pool->lock);
    struct http_worker **link = &pool->workers;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    w->next = pool->ended;
    pool->ended = w;
    pool->threads--;
    cond_broadcast(&pool->work); /* what was meant for this one; who waits for the last one */
    mutex_unlock(&pool->lock);
}

static void *worker_run(void *arg)
{
    struct http_worker *w = arg;
    struct http_pool *pool = &w->server->pool;
    struct http_request_state *q;
    while ((q = pool_pop(pool))) {
        atomic_fetch_sub_explicit(&w->server->stats.deferred_waiting, 1, memory_order_relaxed);
        worker_do(w, q);
        pool_done(pool);
    }
    worker_end(pool, w);
    return NULL;
}

static void workers_join(struct http_worker *list)
{
    while (list) {
        struct http_worker *next = list->next;
        pthread_join(list->thread, NULL);
        mem_free(list);
        list = next;
    }
}

static void worker_start(struct http_pool *pool, struct http_server *s) REQUIRES(pool->lock)
{
    struct http_worker *w = MEM_NEW(struct http_worker);
    w->server = s;
    w->next = pool->workers;
    pool->workers = w;
    pool->threads++;
    w->thread = thread_start("http-worker", worker_run, w);
}

void http_pool_start(struct http_pool *pool, struct http_server *s)
{
    mutex_lock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        worker_start(pool, s);
    mutex_unlock(&pool->lock);
}

void http_pool_lend(struct http_pool *pool, struct http_server *s)
{
    mutex_lock(&pool->lock);
    struct http_worker *ended = pool->ended;
    pool->ended = NULL;
    pool->running--;
    pool->lent++;
    if (pool->threads - pool->lent < pool->count && pool->lent <= pool->lent_max && !pool->stopping)
        worker_start(pool, s);
    else
        cond_signal(&pool->work);
    mutex_unlock(&pool->lock);
    workers_join(ended);
}

void http_pool_return(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    pool->running++;
    pool->lent--;
    mutex_unlock(&pool->lock);
}

bool http_pool_is_pressed(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    bool pressed = pool->first != NULL;
    mutex_unlock(&pool->lock);
    return pressed;
}

void http_pool_stop(struct http_pool *pool)
{
    mutex_lock(&pool->lock);
    pool->stopping = true;
    cond_broadcast(&pool->work);
    while (pool->threads) /* each takes itself off the list */
        cond_wait(&pool->work, &pool->lock);
    struct http_worker *ended = pool->ended;
    pool->ended = NULL;
    mutex_unlock(&pool->lock);
    workers_join(ended);
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
