/* Heap helpers, budgets, arenas and bufs. */
#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

Test(mem_budget, takes_from_all_parents_or_from_none)
{
    struct mem_budget server = {.name = "server", .limit = 100};
    struct mem_budget query = {.name = "query", .limit = 80, .parent = &server};
    cr_expect(mem_budget_take(&query, 60));
    cr_expect_not(mem_budget_take(&query, 30), "past the query's own limit");
    cr_expect_eq(query.used, 60);
    cr_expect_eq(server.used, 60);
    cr_expect(mem_budget_take(&server, 30));
    cr_expect_not(mem_budget_take(&query, 20), "past the parent's limit");
    cr_expect_eq(query.used, 60, "nothing stays taken after a refusal");
    mem_budget_give(&query, 60);
    cr_expect_eq(server.used, 30);
    cr_expect_eq(query.peak, 60);
}

Test(mem, fails_the_nth_try_and_only_tries)
{
    mem_fail_after(2, false);
    void *a = mem_try_alloc(8), *b = mem_try_alloc(8), *c = mem_try_alloc(8);
    cr_expect_eq(mem_fail_after(0, false), 3, "three calls were made");
    cr_expect(a && !b && c);
    mem_free(a);
    mem_free(c);
}

Test(arena, aligns_keeps_content_and_counts)
{
    struct mem_budget budget = {.name = "test", .limit = 1 << 20};
    struct arena arena;
    arena_init(&arena, &budget);
    char *words[1000];
    for (int i = 0; i < 1000; i++) {
        words[i] = arena_printf(&arena, "word %d", i);
        cr_assert_eq((uintptr_t)words[i] % 16, 0);
    }
    for (int i = 0; i < 1000; i++) {
        char want[32];
        snprintf(want, sizeof want, "word %d", i);
        cr_assert_str_eq(words[i], want);
    }
    cr_expect_eq((size_t)budget.used, arena.bytes);
    cr_expect_null(arena_try_alloc(&arena, 2 << 20), "past the budget");
    cr_expect_not_null(arena_try_alloc(&arena, 100000), "a refusal leaves the arena usable");
    arena_deinit(&arena);
    cr_expect_eq(budget.used, 0);
}

Test(buf, stops_at_its_limit_and_remembers)
{
    struct buf b = {.limit = 10};
    buf_str(&b, "12345");
    buf_printf(&b, "%s", "6789");
    cr_expect_not(b.failed);
    buf_str(&b, "too much");
    buf_u8(&b, 'x');
    cr_expect(b.failed, "sticky");
    cr_expect_eq(b.len, 9, "what came after the failure is dropped");
    buf_deinit(&b);
}

Test(mem, pages_are_zeroed_and_whole_below_and_above_the_size_of_huge_ones)
{
    size_t sizes[] = {1, 4096, MEM_PAGES_HUGE - 1, MEM_PAGES_HUGE, MEM_PAGES_HUGE + 1, 3 * MEM_PAGES_HUGE + 12345};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *p = mem_pages(sizes[i]);
        for (size_t at = 0; at < sizes[i]; at += 511)
            cr_assert_eq(p[at], 0);
        memset(p, 1, sizes[i]);
        cr_expect(sizes[i] < MEM_PAGES_HUGE || (uintptr_t)p % (2 << 20) == 0, "aligned to a huge page");
        mem_pages_free(p, sizes[i]);
    }
    mem_pages_free(NULL, MEM_PAGES_HUGE);
    mem_pages_free(NULL, 1);
}
