/* mem.c - heap memory and budgets; the contract is in mem.h. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <sys/mman.h>

#include "base/assert.h"

/* Fault injection of mem_try_*: armed counts down, calls counts up.  Off in production: one relaxed load. */
static _Atomic uint64_t fail_armed, fail_calls;
static _Atomic bool fail_forever, fail_paused;

static __attribute__((noreturn, cold)) void out_of_memory(size_t bytes)
{
    fprintf(stderr, "gnomon: out of memory: %zu bytes cannot be had\n", bytes);
    abort();
}

/* Measured (docs/performance.md): smaller ones cost page faults in each query, larger ones memory. */
enum { MAPPED_BYTES_MIN = 4 << 20, FREE_BYTES_KEPT = 8 << 20 /* at the end of each arena of the allocator */ };

void mem_setup(void)
{
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
    mallopt(M_TRIM_THRESHOLD, FREE_BYTES_KEPT);
#endif
}

void *mem_alloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        out_of_memory(bytes);
    return p;
}

void *mem_zalloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        out_of_memory(bytes);
    return p;
}

void *mem_pages(size_t bytes)
{
    const size_t huge = 2 << 20;
    if (bytes < MEM_PAGES_HUGE)
        return mem_zalloc(bytes);
    bytes = (bytes + 4095) & ~(size_t)4095;
    uint8_t *all = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        out_of_memory(bytes);
    size_t before = (huge - (uintptr_t)all % huge) % huge;
    if (before)
        munmap(all, before);
    munmap(all + before + bytes, huge - before);
    madvise(all + before, bytes, MADV_HUGEPAGE); /* advice: without it the memory is as good, only slower */
    return all + before;
}

void mem_pages_free(void *p, size_t bytes)
{
    if (bytes < MEM_PAGES_HUGE)
        mem_free(p);
    else if (p)
        munmap(p, bytes);
}

void *mem_realloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        out_of_memory(bytes);
    return q;
}

void *mem_array(size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!p)
        out_of_memory(count * bytes);
    return p;
}

char *mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

static bool fail_now(void)
{
    uint64_t armed = atomic_load_explicit(&fail_armed, memory_order_relaxed);
    if (!armed || atomic_load(&fail_paused))
        return false;
    uint64_t call = atomic_fetch_add(&fail_calls, 1) + 1;
    return call == armed || (call > armed && atomic_load(&fail_forever));
}

void mem_fail_pause(bool pause)
{
    atomic_store(&fail_paused, pause);
}

void *mem_try_alloc(size_t bytes)
{
    return fail_now() ? NULL : malloc(bytes ? bytes : 1);
}

void *mem_try_zalloc(size_t bytes)
{
    return fail_now() ? NULL : calloc(1, bytes ? bytes : 1);
}

void *mem_try_realloc(void *p, size_t bytes)
{
    return fail_now() ? NULL : realloc(p, bytes ? bytes : 1);
}

void mem_free(void *p)
{
    free(p);
}

uint64_t mem_fail_after(uint64_t n, bool forever)
{
    atomic_store(&fail_forever, forever);
    atomic_store(&fail_armed, n);
    return atomic_exchange(&fail_calls, 0);
}

void *mem_grow(void *array, size_t *capacity, size_t need, size_t element_bytes)
{
    if (need <= *capacity)
        return array;
    size_t grown = *capacity ? *capacity : 8;
    while (grown < need) {
        assert(grown <= SIZE_MAX / 2);
        grown *= 2;
    }
    assert(grown <= SIZE_MAX / element_bytes);
    *capacity = grown;
    return mem_realloc(array, grown * element_bytes);
}

static void budget_note_peak(struct mem_budget *b, int64_t used)
{
    int64_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak(&b->peak, &peak, used))
        ;
}

bool mem_budget_take(struct mem_budget *budget, size_t bytes)
{
    assert(bytes <= INT64_MAX);
    for (struct mem_budget *b = budget; b; b = b->parent) {
        int64_t used = atomic_fetch_add(&b->used, (int64_t)bytes) + (int64_t)bytes;
        if (b->limit && used > b->limit) {
            for (struct mem_budget *undo = budget;; undo = undo->parent) {
                atomic_fetch_sub(&undo->used, (int64_t)bytes);
                if (undo == b)
                    return false;
            }
        }
    }
    for (struct mem_budget *b = budget; b; b = b->parent)
        budget_note_peak(b, atomic_load_explicit(&b->used, memory_order_relaxed));
    return true;
}

void mem_budget_give(struct mem_budget *budget, size_t bytes)
{
    for (struct mem_budget *b = budget; b; b = b->parent) {
        int64_t before = atomic_fetch_sub(&b->used, (int64_t)bytes);
        assert(before >= (int64_t)bytes);
    }
}
