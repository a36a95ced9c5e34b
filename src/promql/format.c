/*
 * format.c - the pretty printer of format_query.
 *
 * An expression that fits into 100 bytes stays on one line; a longer one is opened up, its operands
 * one level deeper, and asked again.  What cannot be opened (selectors, literals) stays as it is.
 */
#include "numeric/goformat.h"
#include "promql/print.h"
#include "promql/query_internal.h"

enum { LINE_BYTES_MAX = 100 };

static void format(const struct node *n, uint32_t level, struct buf *out);

static void indent(uint32_t level, struct buf *out)
{
    for (uint32_t i = 0; i < level; i++)
        buf_str(out, "  ");
}

/* Appends the one-line form if it fits, nothing otherwise.  Printing stops soon after it does not. */
static bool print_if_short(const struct node *n, uint32_t level, struct buf *out)
{
    struct buf line = {.limit = LINE_BYTES_MAX + GOFORMAT_BYTES_MAX + 1}; /* numbers ask for room before they print */
    node_print(n, &line);
    bool fits = !line.failed && line.len <= LINE_BYTES_MAX;
    if (fits) {
        indent(level, out);
        buf_slice(out, buf_view(&line));
    }
    buf_deinit(&line);
    return fits;
}

static void print_whole(const struct node *n, uint32_t level, struct buf *out)
{
    indent(level, out);
    node_print(n, out);
}

static void format_aggregate(const struct aggregate_node *a, uint32_t level, struct buf *out)
{
    indent(level, out);
    print_aggregate_head(a, out);
    buf_str(out, "(\n");
    if (a->param) {
        format(a->param, level + 1, out);
        buf_str(out, ",\n");
    }
    format(a->expr, level + 1, out);
    buf_str(out, "\n");
    indent(level, out);
    buf_str(out, ")");
}

static void format_binary(const struct binary_node *b, uint32_t level, struct buf *out)
{
    format(b->lhs, level + 1, out);
    buf_str(out, "\n");
    indent(level, out);
    print_binary_operator(b, out);
    buf_str(out, "\n");
    format(b->rhs, level + 1, out);
}

static void format_call(const struct call_node *c, uint32_t level, struct buf *out)
{
    indent(level, out);
    buf_printf(out, "%s(\n", c->function->name);
    for (uint32_t i = 0; i < c->arg_count; i++) {
        if (i > 0)
            buf_str(out, ",\n");
        format(c->args[i], level + 1, out);
    }
    buf_str(out, "\n");
    indent(level, out);
    buf_str(out, ")");
}

static void format_paren(const struct paren_node *p, uint32_t level, struct buf *out)
{
    indent(level, out);
    buf_str(out, "(\n");
    format(p->expr, level + 1, out);
    buf_str(out, "\n");
    indent(level, out);
    buf_str(out, ")");
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

/* The operand as it would stand at this level, without the white space around it. */
static void format_unary(const struct unary_node *u, uint32_t level, struct buf *out)
{
    struct buf operand = {0};
    format(u->expr, level, &operand);
    struct slice s = buf_view(&operand);
    while (s.len && is_space(s.data[0]))
        s = slice_from(s, 1);
    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    indent(level, out);
    buf_str(out, op_text(u->op));
    buf_slice(out, s);
    buf_deinit(&operand);
}

/* A short subquery is not indented: the reference forgets to, and clients see it. */
static void format_subquery(const struct node *n, uint32_t level, struct buf *out)
{
    if (print_if_short(n, 0, out))
        return;
    format(n->subquery.expr, level, out);
    print_subquery_suffix(&n->subquery, out);
}

static void format(const struct node *n, uint32_t level, struct buf *out)
{
    switch (n->kind) {
    case NODE_UNARY:
        return format_unary(&n->unary, level, out);
    case NODE_SUBQUERY:
        return format_subquery(n, level, out);
    case NODE_STEP_INVARIANT:
        return format(n->invariant.expr, level, out);
    default:
        break;
    }
    if (print_if_short(n, level, out))
        return;
    switch (n->kind) {
    case NODE_AGGREGATE:
        return format_aggregate(&n->aggregate, level, out);
    case NODE_BINARY:
        return format_binary(&n->binary, level, out);
    case NODE_CALL:
        return format_call(&n->call, level, out);
    case NODE_PAREN:
        return format_paren(&n->paren, level, out);
    default:
        return print_whole(n, level, out);
    }
}

void promql_format(const struct query *q, struct buf *out)
{
    format(q->root, 0, out);
}
