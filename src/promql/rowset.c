/* rowset.c - rows that come into being one by one; the contract is in exec.h. */
#include "base/assert.h"
#include "promql/exec.h"

enum err rowset_init(struct rowset *r, struct exec *x, uint32_t steps)
{
    *r = (struct rowset){.x = x, .steps = steps};
    return hash_map_init(&r->by_labels, x, 0);
}

static void *copy_array(struct exec *x, const void *from, size_t count, size_t capacity, size_t bytes)
{
    void *to = exec_alloc(x, capacity, bytes);
    if (to && count)
        memcpy(to, from, count * bytes);
    return to;
}

static enum err rowset_grow(struct rowset *r)
{
    uint32_t capacity = r->capacity ? r->capacity * 2 : 16;
    r->labels = copy_array(r->x, r->labels, r->count, capacity, sizeof *r->labels);
    r->drop_name = copy_array(r->x, r->drop_name, r->count, capacity, sizeof *r->drop_name);
    r->v = copy_array(r->x, (const void *)r->v, r->count, capacity, sizeof *r->v);
    r->present = copy_array(r->x, (const void *)r->present, r->count, capacity, sizeof *r->present);
    r->h = copy_array(r->x, (const void *)r->h, r->count, capacity, sizeof *r->h);
    r->capacity = capacity;
    return r->labels && r->drop_name && r->v && r->present && r->h ? ERR_OK : exec_no_memory(r->x, r->x->why);
}

enum err rowset_append(struct rowset *r, const struct labels *labels, bool drop_name, uint32_t *out)
{
    TRY(exec_go_on(r->x, 200 + (uint64_t)r->steps * 3)); /* most of it the first touch of its memory */
    if (r->count == r->capacity)
        TRY(rowset_grow(r));
    uint32_t row = r->count, found;
    r->v[row] = exec_alloc(r->x, r->steps, sizeof **r->v);
    r->present[row] = exec_alloc(r->x, bits_words(r->steps), sizeof **r->present);
    if (!r->v[row] || !r->present[row])
        return exec_no_memory(r->x, r->x->why);
    r->labels[row] = *labels;
    r->drop_name[row] = drop_name;
    r->h[row] = NULL;
    r->count++;
    *out = row;
    return hash_map_put(&r->by_labels, labels->hash, row, &found);
}

enum err rowset_row(struct rowset *r, const struct labels *labels, bool drop_name, uint32_t *out)
{
    if (!hash_map_get(&r->by_labels, labels->hash, out))
        return rowset_append(r, labels, drop_name, out);
    assert_slow(labels_eq(&r->labels[*out], labels));
    return ERR_OK;
}

enum err rowset_put_hist(struct rowset *r, uint32_t row, uint32_t step, const struct histogram *h)
{
    if (!r->h[row] && !(r->h[row] = exec_alloc(r->x, r->steps, sizeof **r->h)))
        return exec_no_memory(r->x, r->x->why);
    r->h[row][step] = h;
    bits_set(r->present[row], step);
    return ERR_OK;
}

void rowset_tile(const struct rowset *r, uint32_t first, struct batch *b)
{
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t row = first + i;
        memcpy(batch_v(b, i), r->v[row], r->steps * sizeof(double));
        memcpy(batch_present(b, i), r->present[row], b->words * sizeof(uint64_t));
        if (r->h[row])
            memcpy((void *)batch_need_h(b, i), r->h[row], r->steps * sizeof(**r->h));
    }
}

void op_series_rowset(struct oper *op, const struct rowset *r)
{
    op->count = r->count;
    op->labels = r->labels;
    op->drop_name = r->drop_name;
    op->one_name = false;
}
