/* promql_text.c - see promql_text.h. */
#include "lib/promql_text.h"

#include <math.h>

#include "promql/durations.h"

static const int64_t AT_EXACT_MS_MAX = INT64_C(1) << 50;

static bool whole(int64_t ns)
{
    return ns % NS_PER_MS == 0 && ns != INT64_MIN;
}

/* Behind offset an operator is printed as it came (`offset --1m + 1m`) but may then bind to the selector. */
static bool offset_exact(const struct node *d)
{
    if (!d || d->kind != NODE_DURATION || d->duration.wrapped || d->duration.op >= OP_STEP)
        return true;
    return !d->duration.lhs && offset_exact(d->duration.rhs);
}

static bool modifiers_exact(const struct modifiers *mod)
{
    bool at_exact = mod->at != AT_TIME || (mod->at_ms > -AT_EXACT_MS_MAX && mod->at_ms < AT_EXACT_MS_MAX);
    return at_exact && whole(mod->offset_ns) && offset_exact(mod->offset_expr);
}

/* Infinity is printed with a sign, which then is one of the power: `Inf ^ 2`, `+Inf ^ 2`, `++Inf ^ 2` ... */
static bool power_exact(const struct binary_node *b)
{
    return b->op != OP_POW || b->lhs->kind != NODE_NUMBER || !isinf(b->lhs->number.value);
}

static bool visit(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    (void)ctx, (void)path, (void)depth;
    switch (n->kind) {
    case NODE_VECTOR_SELECTOR:
        return n->vector.matcher_count > 0 && modifiers_exact(&n->vector.mod);
    case NODE_MATRIX_SELECTOR:
        return whole(n->matrix.range_ns);
    case NODE_SUBQUERY:
        return whole(n->subquery.range_ns) && whole(n->subquery.step_ns) && modifiers_exact(&n->subquery.mod);
    case NODE_BINARY:
        return power_exact(&n->binary);
    default:
        return true;
    }
}

/* U+FFFD prints as itself, but the lexer takes it for broken UTF-8. */
static bool has_replacement_character(const struct query *q)
{
    struct buf b = {0};
    promql_print(q, &b);
    bool found = memmem(b.data, b.len, "\xef\xbf\xbd", 3) != NULL;
    buf_deinit(&b);
    return found;
}

bool promql_text_is_exact(const struct query *q)
{
    return node_walk(q->root, visit, NULL) && !has_replacement_character(q);
}
