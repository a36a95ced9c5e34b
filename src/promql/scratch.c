/* scratch.c - memory that is used again for each series; the contract is in scratch.h. */
#include "promql/scratch.h"

bool scratch_need(struct scratch *s, struct mem_budget *budget, size_t count, size_t bytes_each)
{
    size_t bytes, room;
    if (__builtin_mul_overflow(count, bytes_each, &bytes) || __builtin_add_overflow(bytes, bytes / 4 + 64, &room))
        return false;
    if (bytes <= s->bytes)
        return true;
    scratch_free(s);
    if (room > INT64_MAX || (budget && !mem_budget_take(budget, room)))
        return false;
    s->p = mem_try_alloc(room);
    if (!s->p) {
        if (budget)
            mem_budget_give(budget, room);
        return false;
    }
    s->bytes = room;
    s->budget = budget;
    return true;
}

void scratch_free(struct scratch *s)
{
    mem_free(s->p);
    if (s->budget && s->bytes)
        mem_budget_give(s->budget, s->bytes);
    *s = (struct scratch){0};
}
