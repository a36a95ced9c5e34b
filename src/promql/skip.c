/*
 * skip.c - rows that can have no partner are not read; the contract is in match.h.
 *
 * Prometheus reads all of both sides and then throws away what found no partner.  Who has one is known from labels
 * alone, so `a{job="x"} / b` reads those series of b that have a's labels, whatever its matchers say.
 */
#include "promql/match.h"

enum { SKIP_SHARE = 4 };

bool rows_may_be_skipped(const struct oper *left, const struct oper *right)
{
    struct exec *x = left->x;
    uint64_t cells = ((uint64_t)left->count + right->count) * left->grid.count;
    return !x->exact_stats && x->skipped_cells + cells <= x->engine->options.samples_max / SKIP_SHARE;
}

enum err rows_skip(struct oper *op, struct oper *side, const uint32_t *signature, const uint64_t *wanted)
{
    struct exec *x = op->x;
    uint64_t *rows = exec_alloc(x, bits_words(side->count), sizeof *rows);
    uint32_t skipped = 0;
    side->remark = NULL;
    if (!rows)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < side->count; i++) {
        if (bits_get(wanted, signature[i]))
            bits_set(rows, i);
        else
            skipped++;
        TRY(exec_go_on(x, 10));
    }
    if (skipped == 0 || !op_skip(side, rows))
        return ERR_OK;
    x->skipped_cells += (uint64_t)skipped * side->grid.count;
    side->remark = arena_printf(&x->arena, "%u rows without a partner", skipped);
    return ERR_OK;
}

enum err signatures_seen(struct exec *x, const uint32_t *signature, uint32_t rows, uint32_t count, uint64_t **out)
{
    *out = exec_alloc(x, bits_words(count), sizeof **out);
    if (!*out)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < rows; i++) {
        bits_set(*out, signature[i]);
        TRY(exec_go_on(x, 10));
    }
    return ERR_OK;
}

void rows_skip_remark(struct oper *side)
{
    if (side->ops->skip && !side->x->exact_stats && !side->remark)
        side->remark = "rows without a partner";
}
