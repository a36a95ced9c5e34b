/*
 * gate.c - how many queries run at once, first come, first served.
 *
 * Waiting costs no thread: the request is parked.  Slots are found by request, because a request can
 * be answered by others than its handler (a full queue, a client that left), and api_after sees them all.
 */
#include "api/api_internal.h"

#include "base/assert.h"
#include "base/mem.h"

void gate_init(struct gate *g, unsigned slots)
{
    assert(slots > 0);
    *g = (struct gate){.slots = slots};
    mutex_init(&g->lock);
    g->holders = mem_array(slots, sizeof *g->holders);
}

void gate_deinit(struct gate *g)
{
    assert(!g->first);
    mem_free(g->holders);
    mutex_deinit(&g->lock);
}

/* A free slot or one held by r; NULL when there is none. */
static const struct http_request **slot_of(struct gate *g, const struct http_request *r) REQUIRES(g->lock)
{
    for (unsigned i = 0; i < g->slots; i++)
        if (g->holders[i] == r)
            return &g->holders[i];
    return NULL;
}

/* On its loop, in its turn. */
static void on_turn(struct http_request *r, void *ctx)
{
    struct gate_job *job = ctx;
    http_defer(r, job->work, job->ctx);
}

void gate_enter(struct gate *g, struct http_request *r, http_handler work, void *ctx)
{
    struct gate_job *job = ARENA_NEW(r->arena, struct gate_job);
    *job = (struct gate_job){.r = r, .work = work, .ctx = ctx};
    mutex_lock(&g->lock);
    const struct http_request **slot = slot_of(g, NULL);
    if (slot) {
        *slot = r;
        atomic_fetch_add_explicit(&g->running, 1, memory_order_relaxed);
    } else {
        http_park(r); /* before anyone can wake it */
        if (g->last)
            g->last->next = job;
        else
            g->first = job;
        g->last = job;
        atomic_fetch_add_explicit(&g->waiting, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&g->waited_total, 1, memory_order_relaxed);
    }
    mutex_unlock(&g->lock);
    if (slot)
        http_defer(r, work, ctx);
}

/* Gives the slot to the next one waiting, or frees it. */
static struct gate_job *slot_pass_on(struct gate *g, const struct http_request **slot) REQUIRES(g->lock)
{
    struct gate_job *next = g->first;
    *slot = next ? next->r : NULL;
    if (!next) {
        atomic_fetch_sub_explicit(&g->running, 1, memory_order_relaxed);
        return NULL;
    }
    g->first = next->next;
    if (!g->first)
        g->last = NULL;
    atomic_fetch_sub_explicit(&g->waiting, 1, memory_order_relaxed);
    return next;
}

void gate_leave(struct gate *g, const struct http_request *r)
{
    mutex_lock(&g->lock);
    const struct http_request **slot = slot_of(g, r);
    struct gate_job *next = slot ? slot_pass_on(g, slot) : NULL;
    mutex_unlock(&g->lock);
    if (next)
        http_wake(next->r, on_turn, next);
}
