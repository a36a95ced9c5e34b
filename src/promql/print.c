/* print.c - a tree back into text on one line, as the reference's expr.String(). */
#include <stdlib.h>

#include "model/label.h"
#include "numeric/goformat.h"
#include "numeric/gomath.h"
#include "promql/durations.h"
#include "promql/print.h"
#include "promql/query_internal.h"

/* ---- Small things ---- */

void print_names(const struct name_list *names, struct buf *out)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (i > 0)
            buf_str(out, ", ");
        if (label_name_valid_legacy(names->list[i]))
            buf_slice(out, names->list[i]);
        else
            goformat_quote(out, names->list[i]);
    }
}

void print_aggregate_head(const struct aggregate_node *a, struct buf *out)
{
    buf_str(out, aggregate_op_text(a->op));
    if (!a->without && a->grouping.count == 0)
        return;
    buf_str(out, a->without ? " without (" : " by (");
    print_names(&a->grouping, out);
    buf_str(out, ") ");
}

static void print_fill(const char *word, double value, struct buf *out)
{
    buf_printf(out, " %s (", word);
    goformat_append(out, value, 'g', -1);
    buf_str(out, ")");
}

static void print_fills(const struct matching *m, struct buf *out)
{
    if (m->fill_left && m->fill_right && m->fill_left_value == m->fill_right_value)
        return print_fill("fill", m->fill_left_value, out);
    if (m->fill_left)
        print_fill("fill_left", m->fill_left_value, out);
    if (m->fill_right)
        print_fill("fill_right", m->fill_right_value, out);
}

void print_matching(const struct matching *m, struct buf *out)
{
    if (!m)
        return;
    bool grouped = m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY;
    if (m->labels.count > 0 || m->on || grouped) {
        buf_str(out, m->on ? " on (" : " ignoring (");
        print_names(&m->labels, out);
        buf_str(out, ")");
    }
    if (grouped) {
        buf_str(out, m->card == CARD_MANY_TO_ONE ? " group_left (" : " group_right (");
        print_names(&m->include, out);
        buf_str(out, ")");
    }
    print_fills(m, out);
}

/* ---- Numbers and durations ---- */

static void print_number(const struct number_node *n, struct buf *out)
{
    if (!n->duration)
        return goformat_append(out, n->value, 'f', -1);
    double seconds = n->value < 0 ? -n->value : n->value;
    if (n->value < 0)
        buf_str(out, "-");
    promql_duration_print(gomath_int64(seconds * 1e9), out);
}

static void print_duration_call(const struct duration_node *d, struct buf *out)
{
    buf_printf(out, "%s(", op_text(d->op));
    if (d->lhs) {
        node_print(d->lhs, out);
        buf_str(out, ", ");
        node_print(d->rhs, out);
    }
    buf_str(out, ")");
}

static void print_duration(const struct duration_node *d, struct buf *out)
{
    if (d->wrapped)
        buf_str(out, "(");
    if (d->op >= OP_STEP) {
        print_duration_call(d, out);
    } else if (!d->lhs) { /* a plus only carries parentheses */
        if (d->op == OP_SUB)
            buf_str(out, "-");
        node_print(d->rhs, out);
    } else {
        node_print(d->lhs, out);
        buf_printf(out, " %s ", op_text(d->op));
        node_print(d->rhs, out);
    }
    if (d->wrapped)
        buf_str(out, ")");
}

static void print_length(const struct node *expr, int64_t ns, struct buf *out)
{
    if (expr)
        node_print(expr, out);
    else
        promql_duration_print(ns, out);
}

/* ---- Selectors ---- */

static void print_at(const struct modifiers *mod, struct buf *out)
{
    switch (mod->at) {
    case AT_NONE:
        return;
    case AT_TIME:
        buf_str(out, " @ ");
        return goformat_append(out, (double)mod->at_ms / 1000.0, 'f', 3);
    case AT_START:
        return buf_str(out, " @ start()");
    case AT_END:
        return buf_str(out, " @ end()");
    }
}

static void print_offset(const struct modifiers *mod, struct buf *out)
{
    if (!mod->offset_expr && mod->offset_ns == 0)
        return;
    buf_str(out, " offset ");
    if (!mod->offset_expr && mod->offset_ns < 0 && mod->offset_ns / NS_PER_MS == 0)
        buf_str(out, "-");
    print_length(mod->offset_expr, mod->offset_ns, out);
}

static void print_matcher(const struct matcher *m, struct buf *out)
{
    static const char *const ops[] = {
        [MATCH_EQUAL] = "=", [MATCH_NOT_EQUAL] = "!=", [MATCH_REGEX] = "=~", [MATCH_NOT_REGEX] = "!~"};
    if (label_name_valid_legacy(m->name))
        buf_slice(out, m->name);
    else
        goformat_quote(out, m->name);
    buf_str(out, ops[m->op]);
    goformat_quote(out, m->value);
}

/* The matcher that stands for the name in front of the braces. */
static bool is_outer_name(const struct vector_selector_node *s, const struct matcher *m)
{
    return slice_eq_str(m->name, METRIC_NAME) && m->op == MATCH_EQUAL && m->value.len && slice_eq(m->value, s->name);
}

static int slice_order(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted as texts, so that equal selectors print alike. */
static void print_matchers(const struct vector_selector_node *s, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct slice *texts = ARENA_ARRAY(&arena, struct slice, s->matcher_count + 1u);
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->matcher_count; i++) {
        if (is_outer_name(s, &s->matchers[i]))
            continue;
        struct buf text = {0};
        print_matcher(&s->matchers[i], &text);
        texts[count++] = arena_copy(&arena, buf_view(&text));
        buf_deinit(&text);
    }
    qsort(texts, count, sizeof *texts, slice_order);
    for (uint32_t i = 0; i < count; i++) {
        buf_str(out, i ? "," : "{");
        buf_slice(out, texts[i]);
    }
    if (count)
        buf_str(out, "}");
    arena_deinit(&arena);
}

static void print_extended(const struct vector_selector_node *s, struct buf *out)
{
    if (s->anchored)
        buf_str(out, " anchored");
    else if (s->smoothed)
        buf_str(out, " smoothed");
}

static void print_vector_selector(const struct vector_selector_node *s, struct buf *out)
{
    buf_slice(out, s->name);
    print_matchers(s, out);
    print_at(&s->mod, out);
    print_extended(s, out);
    print_offset(&s->mod, out);
}

static void print_matrix_selector(const struct matrix_selector_node *m, struct buf *out)
{
    const struct vector_selector_node *s = &m->selector->vector;
    buf_slice(out, s->name);
    print_matchers(s, out);
    buf_str(out, "[");
    print_length(m->range_expr, m->range_ns, out);
    buf_str(out, "]");
    print_extended(s, out);
    print_at(&s->mod, out);
    print_offset(&s->mod, out);
}

void print_subquery_suffix(const struct subquery_node *s, struct buf *out)
{
    buf_str(out, "[");
    print_length(s->range_expr, s->range_ns, out);
    buf_str(out, ":");
    if (s->step_expr || s->step_ns != 0)
        print_length(s->step_expr, s->step_ns, out);
    buf_str(out, "]");
    print_at(&s->mod, out);
    print_offset(&s->mod, out);
}

/* ---- Expressions ---- */

static void print_call(const struct call_node *c, struct buf *out)
{
    buf_printf(out, "%s(", c->function->name);
    for (uint32_t i = 0; i < c->arg_count; i++) {
        if (i > 0)
            buf_str(out, ", ");
        node_print(c->args[i], out);
    }
    buf_str(out, ")");
}

static void print_aggregate(const struct aggregate_node *a, struct buf *out)
{
    print_aggregate_head(a, out);
    buf_str(out, "(");
    if (a->param) {
        node_print(a->param, out);
        buf_str(out, ", ");
    }
    node_print(a->expr, out);
    buf_str(out, ")");
}

void print_binary_operator(const struct binary_node *b, struct buf *out)
{
    buf_printf(out, "%s%s", op_text(b->op), b->return_bool ? " bool" : "");
    print_matching(b->matching, out);
}

static void print_binary(const struct binary_node *b, struct buf *out)
{
    node_print(b->lhs, out);
    buf_str(out, " ");
    print_binary_operator(b, out);
    buf_str(out, " ");
    node_print(b->rhs, out);
}

void node_print(const struct node *n, struct buf *out)
{
    if (out->failed) /* its limit is passed: nothing more will be seen */
        return;
    switch (n->kind) {
    case NODE_NUMBER:
        return print_number(&n->number, out);
    case NODE_STRING:
        return goformat_quote(out, n->string.value);
    case NODE_VECTOR_SELECTOR:
        return print_vector_selector(&n->vector, out);
    case NODE_MATRIX_SELECTOR:
        return print_matrix_selector(&n->matrix, out);
    case NODE_SUBQUERY:
        node_print(n->subquery.expr, out);
        return print_subquery_suffix(&n->subquery, out);
    case NODE_CALL:
        return print_call(&n->call, out);
    case NODE_AGGREGATE:
        return print_aggregate(&n->aggregate, out);
    case NODE_BINARY:
        return print_binary(&n->binary, out);
    case NODE_UNARY:
        buf_str(out, op_text(n->unary.op));
        return node_print(n->unary.expr, out);
    case NODE_PAREN:
        buf_str(out, "(");
        node_print(n->paren.expr, out);
        return buf_str(out, ")");
    case NODE_STEP_INVARIANT:
        return node_print(n->invariant.expr, out);
    case NODE_DURATION:
        return print_duration(&n->duration, out);
    }
}

void promql_print(const struct query *q, struct buf *out)
{
    node_print(q->root, out);
}
