/* The page cache: bounds, pins, budgets. */
#include "block/page_cache.h"

#include <criterion/criterion.h>

#include "block/page_cache_internal.h"

static struct page *put(struct page_cache *cache, uint64_t block, uint64_t what, size_t bytes)
{
    struct page *p = page_make(cache, bytes);
    cr_assert(p);
    memset(p->data, (int)what, bytes);
    return page_cache_put(cache, (struct page_key){block, what}, p);
}

Test(page_cache, keeps_what_fits_and_evicts_what_was_not_used)
{
    struct page_cache *cache = page_cache_new(20 * (1000 + sizeof(struct page)), NULL);
    struct page_cache_stats stats;
    for (uint64_t i = 0; i < 100; i++) {
        page_release(put(cache, 1, i, 1000));
        struct page *hot = page_cache_find(cache, (struct page_key){1, 0});
        cr_assert(hot, "a page that is used all the time stays, round %llu", (unsigned long long)i);
        page_release(hot);
    }
    page_cache_stats(cache, &stats);
    cr_expect_leq(stats.bytes, 20 * (1000 + sizeof(struct page)));
    cr_expect_geq(stats.pages, 15);
    cr_expect_eq(stats.evictions, 100 - stats.pages);
    cr_expect_null(page_cache_find(cache, (struct page_key){2, 0}), "another block's page");
    page_cache_free(cache);
}

Test(page_cache, pinned_pages_stay_even_past_the_bound)
{
    struct page_cache *cache = page_cache_new(3000, NULL);
    struct page *pinned[10];
    for (uint64_t i = 0; i < 10; i++)
        pinned[i] = put(cache, 1, i, 1000);
    for (uint64_t i = 0; i < 10; i++) {
        struct page *p = page_cache_find(cache, (struct page_key){1, i});
        cr_assert_eq(p, pinned[i]);
        cr_expect_eq(p->data[999], i);
        page_release(p);
        page_release(p);
    }
    page_release(put(cache, 1, 99, 1000));
    struct page_cache_stats stats;
    page_cache_stats(cache, &stats);
    cr_expect_leq(stats.bytes, 4000, "room is made once nothing is pinned");
    page_cache_free(cache);
}

Test(page_cache, the_first_of_two_equal_pages_is_kept)
{
    struct page_cache *cache = page_cache_new(1 << 20, NULL);
    struct page *a = put(cache, 1, 7, 10), *b = put(cache, 1, 7, 10);
    cr_expect_eq(a, b);
    page_release(a);
    page_release(b);
    page_cache_drop(cache, 1);
    cr_expect_null(page_cache_find(cache, (struct page_key){1, 7}));
    page_cache_free(cache);
}

Test(page_cache, gives_way_to_its_budget_and_returns_all_of_it)
{
    struct mem_budget budget = {.name = "test", .limit = 10000};
    struct page_cache *cache = page_cache_new(1 << 20, &budget);
    for (uint64_t i = 0; i < 50; i++)
        page_release(put(cache, 1, i, 1000));
    cr_expect_leq(atomic_load(&budget.used), 10000);
    struct page *held = put(cache, 1, 100, 5000);
    cr_expect_null(page_make(cache, 6000), "refused when only pinned pages are left");
    page_release(held);
    page_cache_free(cache);
    cr_expect_eq(atomic_load(&budget.used), 0);
}
