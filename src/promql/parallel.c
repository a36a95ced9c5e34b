/* parallel.c - many small computations that do not depend on each other, in any order; the contract is in exec.h. */
#include "promql/crew.h"
#include "promql/exec.h"
#include "promql/explain.h"

enum { PIECE = 8, PARALLEL_NS_MIN = 400000 };

struct items {
    struct exec *x;
    uint32_t count;
    enum err (*make)(void *ctx, struct worker *w, uint32_t item);
    void *ctx;
    _Atomic uint32_t next;
    struct mutex lock;
    enum err err; /* the first one; guarded by lock, like its text */
    struct errmsg why;
};

static enum err items_make(struct items *items, struct worker *w)
{
    for (;;) {
        uint32_t first = atomic_fetch_add_explicit(&items->next, PIECE, memory_order_relaxed);
        if (first >= items->count)
            return ERR_OK;
        for (uint32_t i = first; i < items->count && i < first + PIECE; i++)
            TRY(items->make(items->ctx, w, i));
    }
}

static void items_work(void *ctx, unsigned worker)
{
    struct items *items = ctx;
    struct worker *w = &items->x->workers[worker];
    struct errmsg why = {0}, *outer = w->why;
    struct profile_frame frame = {0};
    bool profiled = worker > 0 && w->profile; /* the query's own thread is within a frame already */
    if (profiled)
        frame = profile_begin(w);
    w->why = &why;
    enum err err = items_make(items, w);
    w->why = outer;
    if (profiled)
        profile_end(w, items->x->preparing, frame);
    if (err == ERR_OK)
        return;
    atomic_store_explicit(&items->next, items->count, memory_order_relaxed);
    mutex_lock(&items->lock);
    if (items->err == ERR_OK) {
        items->err = err;
        items->why = why;
    }
    mutex_unlock(&items->lock);
}

enum err exec_parallel(struct exec *x, uint32_t count, uint64_t work_ns,
                       enum err (*make)(void *ctx, struct worker *w, uint32_t item), void *ctx)
{
    struct items items = {.x = x, .count = count, .make = make, .ctx = ctx};
    uint32_t pieces = (count + PIECE - 1) / PIECE, helpers = x->worker_count - 1;
    if (work_ns < PARALLEL_NS_MIN || pieces < 2)
        helpers = 0;
    else if (helpers > pieces - 1)
        helpers = pieces - 1;
    mutex_init(&items.lock);
    if (helpers)
        crew_run(x->engine->crew, helpers, items_work, &items);
    else
        items_work(&items, 0);
    mutex_deinit(&items.lock);
    if (items.err != ERR_OK)
        *x->why = items.why;
    return items.err;
}
