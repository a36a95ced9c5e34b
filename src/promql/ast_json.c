/*
 * ast_json.c - the tree as JSON, for parse_query.
 *
 * Keys stand in alphabetical order, as the reference's encoder sorts them, and text is escaped as it
 * does for HTML ('<' is "\u003c").  Formats are written as they will read: the templates below hold
 * the literal JSON, the values come between.
 */
#include <math.h>

#include "model/label.h"
#include "numeric/goformat.h"
#include "promql/durations.h"
#include "promql/query_internal.h"

static void write_node(const struct node *n, struct buf *out);

/* ---- Values ---- */

/* Bytes of a well-formed UTF-8 sequence at the start of s, 0 if there is none. */
static size_t sequence_length(struct slice s)
{
    for (size_t len = 1; len <= 4 && len <= s.len; len++)
        if (utf8_valid(slice_of(s.data, len)))
            return len;
    return 0;
}

static void write_ascii(uint8_t c, struct buf *out)
{
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c == '\n' || c == '\r' || c == '\t')
        buf_str(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
    else if (c < 0x20 || c == '<' || c == '>' || c == '&')
        buf_printf(out, "\\u%04x", c);
    else
        buf_u8(out, c);
}

static void write_string(struct slice s, struct buf *out)
{
    buf_str(out, "\"");
    while (s.len > 0) {
        size_t len = sequence_length(s);
        if (len == 0)
            buf_str(out, "\\ufffd");
        else if (len == 1)
            write_ascii(s.data[0], out);
        else if (len == 3 && s.data[0] == 0xe2 && s.data[1] == 0x80 && (s.data[2] & 0xfe) == 0xa8)
            buf_printf(out, "\\u202%d", s.data[2] & 0x0f); /* line separators, poison for JavaScript */
        else
            buf_append(out, s.data, len);
        s = slice_from(s, len ? len : 1);
    }
    buf_str(out, "\"");
}

static const char *bool_text(bool b)
{
    return b ? "true" : "false";
}

static void write_names(const struct name_list *names, struct buf *out)
{
    buf_str(out, "[");
    for (uint32_t i = 0; i < names->count; i++) {
        buf_str(out, i ? "," : "");
        write_string(names->list[i], out);
    }
    buf_str(out, "]");
}

static void write_or_null(const struct node *n, struct buf *out)
{
    if (n)
        write_node(n, out);
    else
        buf_str(out, "null");
}

/* ---- Selectors ---- */

static void write_matchers(const struct vector_selector_node *s, struct buf *out)
{
    static const char *const ops[] = {
        [MATCH_EQUAL] = "=", [MATCH_NOT_EQUAL] = "!=", [MATCH_REGEX] = "=~", [MATCH_NOT_REGEX] = "!~"};
    buf_str(out, "[");
    for (uint32_t i = 0; i < s->matcher_count; i++) {
        const struct matcher *m = &s->matchers[i];
        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        write_string(m->name, out);
        buf_printf(out, ",\"type\":\"%s\",\"value\":", ops[m->op]);
        write_string(m->value, out);
        buf_str(out, "}");
    }
    buf_str(out, "]");
}

static void write_offset(const struct modifiers *mod, struct buf *out)
{
    buf_printf(out, "\"offset\":%lld,\"offsetExpr\":", (long long)(mod->offset_ns / NS_PER_MS));
    write_or_null(mod->offset_expr, out);
}

static void write_start_or_end(const struct modifiers *mod, struct buf *out)
{
    const char *text = mod->at == AT_START ? "\"start\"" : mod->at == AT_END ? "\"end\"" : "null";
    buf_printf(out, "\"startOrEnd\":%s", text);
}

static void write_timestamp(const struct modifiers *mod, struct buf *out)
{
    if (mod->at == AT_TIME)
        buf_printf(out, "\"timestamp\":%lld", (long long)mod->at_ms);
    else
        buf_str(out, "\"timestamp\":null");
}

/* What vector and matrix selectors begin and end with; the range stands between. */
static void write_selector_head(const struct vector_selector_node *s, struct buf *out)
{
    buf_printf(out, "{\"anchored\":%s,\"matchers\":", bool_text(s->anchored));
    write_matchers(s, out);
    buf_str(out, ",\"name\":");
    write_string(s->name, out);
    buf_str(out, ",");
    write_offset(&s->mod, out);
}

static void write_selector_tail(const struct vector_selector_node *s, const char *type, struct buf *out)
{
    buf_printf(out, ",\"smoothed\":%s,", bool_text(s->smoothed));
    write_start_or_end(&s->mod, out);
    buf_str(out, ",");
    write_timestamp(&s->mod, out);
    buf_printf(out, ",\"type\":\"%s\"}", type);
}

static void write_vector_selector(const struct vector_selector_node *s, struct buf *out)
{
    write_selector_head(s, out);
    write_selector_tail(s, "vectorSelector", out);
}

static void write_matrix_selector(const struct matrix_selector_node *m, struct buf *out)
{
    write_selector_head(&m->selector->vector, out);
    buf_printf(out, ",\"range\":%lld,\"rangeExpr\":", (long long)(m->range_ns / NS_PER_MS));
    write_or_null(m->range_expr, out);
    write_selector_tail(&m->selector->vector, "matrixSelector", out);
}

static void write_subquery(const struct subquery_node *s, struct buf *out)
{
    buf_str(out, "{\"expr\":");
    write_node(s->expr, out);
    buf_str(out, ",");
    write_offset(&s->mod, out);
    buf_printf(out, ",\"range\":%lld,\"rangeExpr\":", (long long)(s->range_ns / NS_PER_MS));
    write_or_null(s->range_expr, out);
    buf_str(out, ",");
    write_start_or_end(&s->mod, out);
    buf_printf(out, ",\"step\":%lld,\"stepExpr\":", (long long)(s->step_ns / NS_PER_MS));
    write_or_null(s->step_expr, out);
    buf_str(out, ",");
    write_timestamp(&s->mod, out);
    buf_str(out, ",\"type\":\"subquery\"}");
}

/* ---- Expressions ---- */

static void write_aggregate(const struct aggregate_node *a, struct buf *out)
{
    buf_str(out, "{\"expr\":");
    write_node(a->expr, out);
    buf_str(out, ",\"grouping\":");
    write_names(&a->grouping, out);
    buf_printf(out, ",\"op\":\"%s\",\"param\":", aggregate_op_text(a->op));
    write_or_null(a->param, out);
    buf_printf(out, ",\"type\":\"aggregation\",\"without\":%s}", bool_text(a->without));
}

/* JSON has no NaN and no infinities; the reference gives up there, here they are strings. */
static void write_fill(bool given, double value, struct buf *out)
{
    char text[GOFORMAT_BYTES_MAX];
    if (!given)
        return buf_str(out, "null");
    const char *quote = isfinite(value) ? "" : "\"";
    buf_str(out, quote);
    buf_append(out, text, goformat_json(text, value));
    buf_str(out, quote);
}

static void write_matching(const struct matching *m, struct buf *out)
{
    static const char *const cards[] = {[CARD_ONE_TO_ONE] = "one-to-one",
                                        [CARD_MANY_TO_ONE] = "many-to-one",
                                        [CARD_ONE_TO_MANY] = "one-to-many",
                                        [CARD_MANY_TO_MANY] = "many-to-many"};
    if (!m)
        return buf_str(out, "null");
    buf_printf(out, "{\"card\":\"%s\",\"fillValues\":{\"lhs\":", cards[m->card]);
    write_fill(m->fill_left, m->fill_left_value, out);
    buf_str(out, ",\"rhs\":");
    write_fill(m->fill_right, m->fill_right_value, out);
    buf_str(out, "},\"include\":");
    write_names(&m->include, out);
    buf_str(out, ",\"labels\":");
    write_names(&m->labels, out);
    buf_printf(out, ",\"on\":%s}", bool_text(m->on));
}

static void write_operator(enum op op, struct buf *out)
{
    buf_str(out, ",\"op\":");
    write_string(slice_str(op_text(op)), out);
}

static void write_binary(const struct binary_node *b, struct buf *out)
{
    buf_printf(out, "{\"bool\":%s,\"lhs\":", bool_text(b->return_bool));
    write_node(b->lhs, out);
    buf_str(out, ",\"matching\":");
    write_matching(b->matching, out);
    write_operator(b->op, out);
    buf_str(out, ",\"rhs\":");
    write_node(b->rhs, out);
    buf_str(out, ",\"type\":\"binaryExpr\"}");
}

static void write_call(const struct call_node *c, struct buf *out)
{
    const struct function *f = c->function;
    buf_str(out, "{\"args\":[");
    for (uint32_t i = 0; i < c->arg_count; i++) {
        buf_str(out, i ? "," : "");
        write_node(c->args[i], out);
    }
    buf_str(out, "],\"func\":{\"argTypes\":[");
    for (uint32_t i = 0; i < f->arg_count; i++)
        buf_printf(out, "%s\"%s\"", i ? "," : "", value_type_name(function_arg_type(f, i)));
    buf_printf(out, "],\"name\":\"%s\",\"returnType\":\"%s\",\"variadic\":%d},\"type\":\"call\"}", f->name,
               value_type_name(f->result), f->variadic);
}

static void write_unary(const struct unary_node *u, struct buf *out)
{
    buf_str(out, "{\"expr\":");
    write_node(u->expr, out);
    write_operator(u->op, out);
    buf_str(out, ",\"type\":\"unaryExpr\"}");
}

static void write_paren(const struct paren_node *p, struct buf *out)
{
    buf_str(out, "{\"expr\":");
    write_node(p->expr, out);
    buf_str(out, ",\"type\":\"parenExpr\"}");
}

static void write_number_value(double value, struct buf *out)
{
    buf_str(out, "\"type\":\"numberLiteral\",\"val\":\"");
    goformat_append(out, value, 'f', -1);
    buf_str(out, "\"}");
}

static void write_number(const struct number_node *n, struct buf *out)
{
    buf_str(out, "{");
    write_number_value(n->value, out);
}

static void write_text(const struct string_node *s, struct buf *out)
{
    buf_str(out, "{\"type\":\"stringLiteral\",\"val\":");
    write_string(s->value, out);
    buf_str(out, "}");
}

/* ---- Durations: numbers tell whether they were written with a unit ---- */

static void write_duration_operand(const struct node *n, struct buf *out)
{
    if (!n || n->kind != NODE_NUMBER)
        return write_or_null(n, out);
    buf_printf(out, "{\"duration\":%s,", bool_text(n->number.duration));
    write_number_value(n->number.value, out);
}

static void write_duration(const struct duration_node *d, struct buf *out)
{
    buf_str(out, "{\"lhs\":");
    write_duration_operand(d->lhs, out);
    write_operator(d->op, out);
    buf_str(out, ",\"rhs\":");
    write_duration_operand(d->rhs, out);
    buf_printf(out, ",\"type\":\"durationExpr\",\"wrapped\":%s}", bool_text(d->wrapped));
}

static void write_node(const struct node *n, struct buf *out)
{
    switch (n->kind) {
    case NODE_NUMBER:
        return write_number(&n->number, out);
    case NODE_STRING:
        return write_text(&n->string, out);
    case NODE_VECTOR_SELECTOR:
        return write_vector_selector(&n->vector, out);
    case NODE_MATRIX_SELECTOR:
        return write_matrix_selector(&n->matrix, out);
    case NODE_SUBQUERY:
        return write_subquery(&n->subquery, out);
    case NODE_CALL:
        return write_call(&n->call, out);
    case NODE_AGGREGATE:
        return write_aggregate(&n->aggregate, out);
    case NODE_BINARY:
        return write_binary(&n->binary, out);
    case NODE_UNARY:
        return write_unary(&n->unary, out);
    case NODE_PAREN:
        return write_paren(&n->paren, out);
    case NODE_STEP_INVARIANT:
        return write_node(n->invariant.expr, out);
    case NODE_DURATION:
        return write_duration(&n->duration, out);
    }
}

void promql_ast_json(const struct query *q, struct buf *out)
{
    write_node(q->root, out);
}
