/* epoch.c - deferred freeing; the contract is in epoch_internal.h. */
#include "head/epoch_internal.h"

#include "base/assert.h"
#include "base/mem.h"

struct retired {
    struct retired *next;
    void *p;
    void (*release)(void *p);
    uint64_t epoch; /* readers that entered in it or before may hold p */
};

enum { WAIT_NS = 5 * 1000 * 1000, SPARES_MAX = 4096 };

void epochs_init(struct epochs *e)
{
    *e = (struct epochs){.now = 1};
    e->last = &e->first;
    mutex_init(&e->lock);
    cond_init(&e->left);
}

void epochs_deinit(struct epochs *e)
{
    epoch_reclaim(e);
    assert(!e->first); /* someone is still inside */
    for (struct retired *r = e->spare, *next; r; r = next) {
        next = r->next;
        mem_free(r);
    }
    cond_deinit(&e->left);
    mutex_deinit(&e->lock);
}

void epoch_slot_add(struct epochs *e, struct epoch_slot *slot)
{
    mutex_lock(&e->lock);
    atomic_store(&slot->at, 0);
    slot->next = e->slots;
    slot->link = &e->slots;
    if (slot->next)
        slot->next->link = &slot->next;
    e->slots = slot;
    mutex_unlock(&e->lock);
}

void epoch_slot_remove(struct epochs *e, struct epoch_slot *slot)
{
    mutex_lock(&e->lock);
    *slot->link = slot->next;
    if (slot->next)
        slot->next->link = slot->link;
    if (e->waiting)
        cond_broadcast(&e->left);
    mutex_unlock(&e->lock);
}

/* The oldest epoch in which somebody is inside; UINT64_MAX: nobody. */
static uint64_t oldest_locked(struct epochs *e) REQUIRES(e->lock)
{
    uint64_t oldest = UINT64_MAX;
    for (struct epoch_slot *s = e->slots; s; s = s->next) {
        uint64_t at = atomic_load(&s->at);
        if (at && at < oldest)
            oldest = at;
    }
    return oldest;
}

static struct retired *retired_new_locked(struct epochs *e) REQUIRES(e->lock)
{
    struct retired *r = e->spare;
    if (!r)
        return mem_alloc(sizeof *r);
    e->spare = r->next;
    e->spare_count--;
    return r;
}

void epoch_retire(struct epochs *e, void *p, void (*release)(void *p))
{
    if (!p)
        return;
    mutex_lock(&e->lock);
    uint64_t epoch = atomic_fetch_add(&e->now, 1);
    bool unseen = !e->first && oldest_locked(e) == UINT64_MAX; /* nobody is inside, and who comes does not find it */
    if (!unseen) {
        struct retired *r = retired_new_locked(e);
        *r = (struct retired){.p = p, .release = release, .epoch = epoch};
        *e->last = r;
        e->last = &r->next;
        atomic_fetch_add_explicit(&e->retired_count, 1, memory_order_relaxed);
    }
    mutex_unlock(&e->lock);
    if (unseen)
        release(p);
}

/* Lets go of what the list names, then keeps some of its elements. */
static void retired_free(struct epochs *e, struct retired *list)
{
    for (struct retired *r = list; r; r = r->next)
        r->release(r->p);
    mutex_lock(&e->lock);
    for (struct retired *r = list, *next; r; r = next) {
        next = r->next;
        if (e->spare_count < SPARES_MAX) {
            r->next = e->spare;
            e->spare = r;
            e->spare_count++;
        } else {
            mem_free(r);
        }
    }
    mutex_unlock(&e->lock);
}

void epoch_reclaim(struct epochs *e)
{
    mutex_lock(&e->lock);
    uint64_t oldest = oldest_locked(e);
    struct retired *free_now = e->first, **cut = &e->first;
    while (*cut && (*cut)->epoch < oldest)
        cut = &(*cut)->next;
    if (cut == &e->first) {
        mutex_unlock(&e->lock);
        return;
    }
    e->first = *cut;
    *cut = NULL;
    if (!e->first)
        e->last = &e->first;
    mutex_unlock(&e->lock);
    retired_free(e, free_now);
}

/* Whether someone who matters has been inside since the epoch or before. */
static bool someone_locked(struct epochs *e, uint64_t until, int64_t before_ms, bool only_brief) REQUIRES(e->lock)
{
    for (struct epoch_slot *s = e->slots; s; s = s->next) {
        uint64_t at = atomic_load(&s->at);
        bool matters = s->brief || (!only_brief && s->mint_ms < before_ms);
        if (at && at <= until && matters)
            return true;
    }
    return false;
}

static enum err wait_for(struct epochs *e, int64_t before_ms, bool only_brief, struct cancel *cancel)
{
    enum err err = ERR_OK;
    uint64_t until = atomic_fetch_add(&e->now, 1);
    mutex_lock(&e->lock);
    e->waiting++;
    while (someone_locked(e, until, before_ms, only_brief) && (err = cancel_check(cancel)) == ERR_OK)
        cond_wait_ns(&e->left, &e->lock, WAIT_NS);
    e->waiting--;
    mutex_unlock(&e->lock);
    return err;
}

enum err epoch_wait(struct epochs *e, int64_t before_ms, struct cancel *cancel)
{
    return wait_for(e, before_ms, false, cancel);
}

enum err epoch_wait_brief(struct epochs *e, struct cancel *cancel)
{
    return wait_for(e, 0, true, cancel);
}

uint64_t epoch_mark(struct epochs *e)
{
    return atomic_fetch_add(&e->now, 1);
}

bool epoch_passed(struct epochs *e, uint64_t mark)
{
    mutex_lock(&e->lock);
    bool passed = oldest_locked(e) > mark;
    mutex_unlock(&e->lock);
    return passed;
}
