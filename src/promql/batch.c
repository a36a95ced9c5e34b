/* batch.c - memory of tiles; the contract is in batch.h. */
#include "promql/batch.h"

#include "base/assert.h"

enum { TILE_BYTES = 192 << 10, TILE_ROWS_MAX = 256 };

uint32_t batch_rows_for(uint32_t steps)
{
    uint32_t rows = TILE_BYTES / (uint32_t)sizeof(double) / (steps ? steps : 1);
    return rows < 1 ? 1 : rows > TILE_ROWS_MAX ? TILE_ROWS_MAX : rows;
}

static void batch_charge(struct batch *b, size_t bytes)
{
    for (struct mem_budget *at = b->budget; at; at = at->parent)
        atomic_fetch_add(&at->used, (int64_t)bytes);
    b->bytes += bytes;
}

bool batch_init(struct batch *b, uint32_t capacity, uint32_t steps, struct mem_budget *budget)
{
    uint32_t stride = steps == 1 ? 1 : (steps + 7) / 8 * 8, words = bits_words(steps);
    size_t cells = (size_t)capacity * stride;
    size_t bytes = cells * sizeof(double) + (size_t)capacity * (words * sizeof(uint64_t) + sizeof(bool));
    if (budget && !mem_budget_take(budget, bytes))
        return false;
    *b = (struct batch){
        .steps = steps, .stride = stride, .words = words, .capacity = capacity, .budget = budget, .bytes = bytes};
    b->v = mem_array(cells, sizeof(double));
    b->present = mem_array((size_t)capacity * words, sizeof(uint64_t));
    b->has_h = mem_array(capacity, sizeof(bool));
    return true;
}

void batch_deinit(struct batch *b)
{
    mem_free(b->v);
    mem_free(b->present);
    mem_free(b->has_h);
    mem_free((void *)b->h);
    if (b->budget && b->bytes)
        mem_budget_give(b->budget, b->bytes);
    *b = (struct batch){0};
}

void batch_reset(struct batch *b, uint32_t rows)
{
    assert(rows <= b->capacity);
    b->rows = rows;
    memset(b->present, 0, (size_t)rows * b->words * sizeof(uint64_t));
    memset(b->has_h, 0, rows * sizeof(bool));
}

static void need_array(struct batch *b)
{
    size_t cells = (size_t)b->capacity * b->stride;
    if (b->h)
        return;
    b->h = mem_array(cells, sizeof(*b->h));
    if (b->budget)
        batch_charge(b, cells * sizeof(*b->h));
}

const struct histogram **batch_need_h(struct batch *b, uint32_t row)
{
    need_array(b);
    const struct histogram **h = b->h + (size_t)row * b->stride;
    if (!b->has_h[row])
        memset((void *)h, 0, b->steps * sizeof(*h));
    b->has_h[row] = true;
    return h;
}

struct batch batch_part(struct batch *b, uint32_t first, uint32_t rows)
{
    assert(first + rows <= b->rows);
    need_array(b);
    struct batch part = *b;
    part.rows = part.capacity = rows;
    part.v = batch_v(b, first);
    part.present = batch_present(b, first);
    part.has_h = b->has_h + first;
    part.h = b->h + (size_t)first * b->stride;
    part.budget = NULL;
    return part;
}

void batch_drop_h(struct batch *b)
{
    for (uint32_t r = 0; r < b->rows; r++) {
        const struct histogram **h = batch_h(b, r);
        if (!h)
            continue;
        uint64_t *present = batch_present(b, r);
        BITS_EACH(s, present, b->steps)
        if (h[s])
            bits_clear(present, s);
        b->has_h[r] = false;
    }
}
