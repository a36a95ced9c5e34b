/*
 * mem.h - heap memory: aborts for our own sizes, refuses for sizes from outside, counts budgets.
 *
 * mem_alloc and friends never return NULL: a server whose inputs are all bounded has nothing useful
 * to do when 64 bytes cannot be had.  A size that a client, a query or a file chose goes through a
 * budget (mem_budget_take) or mem_try_alloc, and its refusal is an ERR_LIMIT or ERR_NO_MEMORY.
 *
 * Ownership: the caller owns what it allocated and frees it with mem_free.
 * Threads:   any.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t bytes) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_realloc(void *p, size_t bytes) __attribute__((returns_nonnull));
void *mem_array(size_t count, size_t bytes) __attribute__((malloc, returns_nonnull)); /* zeroed, overflow-checked */
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
void *mem_try_alloc(size_t bytes) __attribute__((malloc)); /* NULL when it cannot be had */
void *mem_try_zalloc(size_t bytes) __attribute__((malloc));
void *mem_try_realloc(void *p, size_t bytes);
void mem_free(void *p); /* accepts NULL */

/*
 * Once, before threads start: what a query took goes back to the system when it ends.  By default glibc raises its
 * threshold for mapped blocks with each large one that is freed and keeps the rest for later.
 */
void mem_setup(void);

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))

/* Grows an array that is kept as (pointer, capacity): doubles until `need` elements fit. */
void *mem_grow(void *array, size_t *capacity, size_t need, size_t element_bytes);

/*
 * Zeroed memory for a table that is entered at random places.  From MEM_PAGES_HUGE bytes on it is asked for in huge
 * pages, because each place of a large table in small pages costs a miss of the TLB too.  Freed with the same size.
 */
enum { MEM_PAGES_HUGE = 4 << 20 };
void *mem_pages(size_t bytes) __attribute__((malloc, returns_nonnull));
void mem_pages_free(void *p, size_t bytes); /* accepts NULL */

/*
 * Tests only: makes the n-th mem_try_alloc/mem_try_realloc from now (1 = next) return NULL, and all
 * later ones too when `forever`.  0 switches it off.  Returns how many calls were made since.
 */
uint64_t mem_fail_after(uint64_t n, bool forever);
void mem_fail_pause(bool pause); /* calls while paused are neither counted nor failed: those of the test itself */

/* A named bound shared by many users; budgets nest through parent. */
struct mem_budget {
    const char *name;          /* as a flag or limit is called in messages */
    _Atomic int64_t used;      /* bytes */
    _Atomic int64_t peak;      /* bytes, the most that `used` ever was */
    int64_t limit;             /* bytes; 0 = unlimited */
    struct mem_budget *parent; /* borrowed, may be NULL */
};
/* Takes bytes from this budget and all its parents, or from none of them and returns false. */
bool mem_budget_take(struct mem_budget *budget, size_t bytes);
void mem_budget_give(struct mem_budget *budget, size_t bytes);

#endif
