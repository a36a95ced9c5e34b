/*
 * expressions.c - the PromQL in rule files, manifests and dashboards: found, filled in, parsed, printed, parsed again.
 *
 * Where: any value of a key "expr", and the queries of dashboard variables (label_values, query_result).  What belongs
 * to another data source is counted and left alone.  Dashboards' variables stand where a length, a label, a matcher, a
 * number or a piece of a name is meant; nobody says which, so the place decides and what is in doubt is tried.
 */
#include <stdlib.h>

#include "rules/rules.h"
#include "rules/tree.h"

enum { DEPTH_MAX = 100, NODES_MAX = 5000000 };

struct finder {
    struct tree *tree;
    struct engine *engine;
    const char *name;
    struct expressions_report *report;
    uint32_t nodes;
};

/* ---- Variables ---- */

enum guess { GUESS_NAME, GUESS_NUMBER, GUESS_STRING, GUESS_COUNT };

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The variable at p: $x, ${x:format}, [[x]]; its length, 0 when there is none. */
static size_t variable_length(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = p;
    if (end - p >= 3 && p[0] == '$' && p[1] == '{') {
        for (q = p + 2; q < end && *q != '}'; q++)
            ;
        return q < end ? (size_t)(q + 1 - p) : 0;
    }
    if (end - p >= 5 && p[0] == '[' && p[1] == '[') {
        for (q = p + 2; q < end && (is_word(*q) || *q == '.' || *q == ':'); q++)
            ;
        return q > p + 2 && end - q >= 2 && q[0] == ']' && q[1] == ']' ? (size_t)(q + 2 - p) : 0;
    }
    if (p[0] != '$')
        return 0;
    for (q = p + 1; q < end && is_word(*q); q++)
        ;
    return q > p + 1 ? (size_t)(q - p) : 0;
}

static bool contains(struct slice text, const char *part)
{
    return text.len && memmem(text.data, text.len, part, strlen(part)) != NULL;
}

/* Where in an expression the text so far has come. */
struct place {
    uint8_t quote; /* inside a string of this kind, or 0 */
    uint32_t braces, brackets;
    uint8_t last; /* the last character that is no space */
    bool after_offset;
    bool comment; /* to the end of the line */
};

static void place_move(struct place *at, const struct buf *out)
{
    uint8_t c = out->data[out->len - 1];
    if (at->comment || (!at->quote && c == '#')) {
        at->comment = c != '\n';
        return;
    }
    if (at->quote) {
        bool escaped = at->quote != '`' && out->len > 1 && out->data[out->len - 2] == '\\';
        if (c == at->quote && !escaped)
            at->quote = 0;
    } else if (c == '"' || c == '\'' || c == '`') {
        at->quote = c;
    } else if (c == '{' || c == '}') {
        at->braces += c == '{' ? 1 : at->braces ? -1u : 0;
    } else if (c == '[' || c == ']') {
        at->brackets += c == '[' ? 1 : at->brackets ? -1u : 0;
    }
    if (c != ' ' && c != '\n' && c != '\t')
        at->last = c;
    static const char word[] = "offset ";
    at->after_offset =
        out->len >= sizeof word && !memcmp(out->data + out->len - sizeof word + 1, word, sizeof word - 1);
}

static const char *stand_in(struct slice variable, const struct place *at, enum guess guess, bool touches_word,
                            bool before_operator)
{
    if (at->brackets || at->after_offset)
        return "5m";
    if (contains(variable, "_ms") || contains(variable, "_s}") || contains(variable, "__from") ||
        contains(variable, "__to") || (variable.len > 2 && !memcmp(variable.data + variable.len - 2, "_s", 2)))
        return "60";
    if (contains(variable, "__interval") || contains(variable, "__range") || contains(variable, "__rate_interval"))
        return "5m";
    if (at->braces && (at->last == '=' || at->last == '~'))
        return "\"x\"";
    if (at->braces && !touches_word && !before_operator)
        return "x=\"x\"";
    return guess == GUESS_NUMBER && !touches_word ? "1" : guess == GUESS_STRING && !touches_word ? "\"x\"" : "x";
}

/* Fills variables in; false when there are none. */
static bool fill_in(struct slice text, enum guess guess, struct buf *out)
{
    struct place at = {0};
    bool any = false;
    for (const uint8_t *p = text.data, *end = p + text.len; p < end;) {
        size_t length = variable_length(p, end);
        if (length == 0 || at.quote || at.comment) { /* strings take anything */
            buf_u8(out, *p++);
            place_move(&at, out);
            continue;
        }
        any = true;
        bool touches = (out->len && is_word(out->data[out->len - 1])) || (p + length < end && is_word(p[length]));
        const uint8_t *after = p + length;
        while (after < end && *after == ' ')
            after++;
        bool before_operator = after < end && (*after == '=' || *after == '!');
        const char *value = stand_in(slice_of(p, length), &at, guess, touches, before_operator);
        for (; *value; value++) {
            buf_u8(out, (uint8_t)*value);
            place_move(&at, out);
        }
        p += length;
    }
    return any;
}

/* ---- One expression ---- */

static void tell(struct finder *f, const yaml_node_t *n, struct slice text, const char *why)
{
    buf_printf(&f->report->text, "%s:%zu:%zu: %s: ", f->name, n->start_mark.line + 1, n->start_mark.column + 1, why);
    for (size_t i = 0; i < text.len; i++) /* one line each */
        buf_u8(&f->report->text, text.data[i] == '\n' ? ' ' : text.data[i]);
    buf_str(&f->report->text, "\n");
}

static int compare_texts(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* The end of a JSON object that holds no other. */
static const uint8_t *object_end(const uint8_t *p, const uint8_t *end)
{
    bool inside = false;
    for (; p < end; p++) {
        if (inside && *p == '\\')
            p++;
        else if (*p == '"')
            inside = !inside;
        else if (!inside && *p == '}')
            return p + 1;
    }
    return end;
}

/* Sorts a list of matchers at p; where it ends.  Printing sorts them, and their order means nothing. */
static const uint8_t *sorted_matchers(const uint8_t *p, const uint8_t *end, struct arena *arena, struct buf *out)
{
    uint32_t count = 0, capacity = 8;
    struct slice *list = ARENA_ARRAY(arena, struct slice, capacity);
    while (p < end && *p == '{') {
        const uint8_t *stop = object_end(p, end);
        if (count == capacity) {
            struct slice *more = ARENA_ARRAY(arena, struct slice, capacity * 2);
            memcpy(more, list, count * sizeof *more);
            list = more;
            capacity *= 2;
        }
        list[count++] = slice_of(p, (size_t)(stop - p));
        p = stop < end && *stop == ',' ? stop + 1 : stop;
    }
    qsort(list, count, sizeof *list, compare_texts);
    for (uint32_t i = 0; i < count; i++)
        buf_slice(out, list[i]);
    return p;
}

/* The tree as text, whatever order matchers were written in. */
static void tree_json(const struct query *q, struct buf *out)
{
    static const char key[] = "\"matchers\":[";
    struct buf json = {0};
    struct arena arena;
    arena_init(&arena, NULL);
    promql_ast_json(q, &json);
    const uint8_t *p = json.data, *end = p + json.len;
    while (p < end) {
        const uint8_t *found = memmem(p, (size_t)(end - p), key, sizeof key - 1);
        const uint8_t *stop = found ? found + sizeof key - 1 : end;
        buf_append(out, p, (size_t)(stop - p));
        p = found ? sorted_matchers(stop, end, &arena, out) : end;
    }
    arena_deinit(&arena);
    buf_deinit(&json);
}

/* Whether the printed form parses to the same tree and prints the same. */
static bool is_stable(struct finder *f, const struct query *q, void (*print)(const struct query *, struct buf *))
{
    struct buf once = {0}, tree = {0}, again = {0}, tree_again = {0};
    struct query *second = NULL;
    struct errmsg ignored;
    print(q, &once);
    bool stable = promql_parse(f->engine, buf_view(&once), &second, &ignored) == ERR_OK;
    if (stable) {
        print(second, &again);
        tree_json(q, &tree);
        tree_json(second, &tree_again);
        stable = slice_eq(buf_view(&once), buf_view(&again)) && slice_eq(buf_view(&tree), buf_view(&tree_again));
    }
    promql_query_free(second);
    buf_deinit(&once);
    buf_deinit(&tree);
    buf_deinit(&again);
    buf_deinit(&tree_again);
    return stable;
}

static struct query *parse_filled(struct finder *f, struct slice text, struct errmsg *why)
{
    struct query *q = NULL;
    struct errmsg later;
    for (int guess = 0; guess < GUESS_COUNT && !q; guess++) {
        struct buf filled = {0};
        bool any = fill_in(text, (enum guess)guess, &filled);
        enum err err = promql_parse(f->engine, buf_view(&filled), &q, guess == 0 ? why : &later);
        buf_deinit(&filled);
        if (err != ERR_OK)
            q = NULL;
        if (!any)
            break;
    }
    return q;
}

static void take_expression(struct finder *f, const yaml_node_t *n, struct slice text)
{
    struct errmsg why;
    size_t blank = 0;
    while (blank < text.len && (text.data[blank] == ' ' || text.data[blank] == '\n' || text.data[blank] == '\t'))
        blank++;
    if (blank == text.len) /* a panel that nobody has filled in */
        return;
    f->report->found++;
    struct query *q = parse_filled(f, text, &why);
    if (!q) {
        tell(f, n, text, why.text);
        return;
    }
    f->report->parsed++;
    if (!is_stable(f, q, promql_print) || !is_stable(f, q, promql_format)) {
        f->report->unstable++;
        tell(f, n, text, "the printed form is another expression");
    }
    promql_query_free(q);
}

/* label_values(expr, label), query_result(expr): the expression in it; empty for others. */
static struct slice inner_expression(struct slice text)
{
    bool values = slice_starts_with(text, SLICE_LIT("label_values("));
    bool result = slice_starts_with(text, SLICE_LIT("query_result("));
    const uint8_t *open = text.len ? memchr(text.data, '(', text.len) : NULL;
    const uint8_t *close = text.len ? memrchr(text.data, ')', text.len) : NULL;
    if ((!values && !result) || !open || !close || close < open)
        return (struct slice){0};
    struct slice inner = slice_of(open + 1, (size_t)(close - open - 1));
    if (result)
        return inner;
    const uint8_t *comma = memrchr(inner.data, ',', inner.len);
    return comma ? slice_of(inner.data, (size_t)(comma - inner.data)) : (struct slice){0};
}

/* ---- Walking ---- */

static bool names_other_source(struct finder *f, const yaml_node_t *mapping)
{
    static const char *const others[] = {"loki",         "elasticsearch", "influxdb", "mysql",
                                         "postgres",     "cloudwatch",    "graphite", "tempo",
                                         "azuremonitor", "stackdriver",   "testdata", "Loki"};
    const yaml_node_t *source = tree_get(f->tree, mapping, "datasource");
    struct slice type = tree_text(tree_get(f->tree, source, "type")), text = tree_text(source);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (contains(type, others[i]) || contains(text, others[i]))
            return true;
    return false;
}

static void walk(struct finder *f, const yaml_node_t *n, bool foreign, uint32_t depth);

/* A variable of a dashboard: {type: query, query: "label_values(...)"} or {query: {query: ...}}. */
static void take_variable(struct finder *f, const yaml_node_t *n, bool foreign)
{
    const yaml_node_t *query = tree_get(f->tree, n, "query");
    if (!slice_eq_str(tree_text(tree_get(f->tree, n, "type")), "query") || !query || foreign)
        return;
    const yaml_node_t *text = query->type == YAML_MAPPING_NODE ? tree_get(f->tree, query, "query") : query;
    struct slice inner = inner_expression(tree_text(text));
    if (inner.len)
        take_expression(f, text, inner);
}

static void walk_mapping(struct finder *f, const yaml_node_t *n, bool foreign, uint32_t depth)
{
    foreign = foreign ? !tree_get(f->tree, n, "datasource") || names_other_source(f, n) : names_other_source(f, n);
    take_variable(f, n, foreign);
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(&f->tree->document, p->key);
        const yaml_node_t *value = yaml_document_get_node(&f->tree->document, p->value);
        if (slice_eq_str(tree_text(key), "expr") && value->type == YAML_SCALAR_NODE) {
            if (foreign)
                f->report->foreign += tree_text(value).len > 0;
            else
                take_expression(f, value, tree_text(value));
        } else {
            walk(f, value, foreign, depth + 1);
        }
    }
}

static void walk(struct finder *f, const yaml_node_t *n, bool foreign, uint32_t depth)
{
    if (depth > DEPTH_MAX || f->nodes++ > NODES_MAX)
        return;
    if (n->type == YAML_MAPPING_NODE)
        walk_mapping(f, n, foreign, depth);
    else if (n->type == YAML_SEQUENCE_NODE)
        for (const yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
            walk(f, yaml_document_get_node(&f->tree->document, *i), foreign, depth + 1);
}

void expressions_check(struct engine *e, struct slice text, const char *name, struct expressions_report *report)
{
    struct tree tree;
    struct errmsg why;
    struct finder f = {.tree = &tree, .engine = e, .name = name, .report = report};
    *report = (struct expressions_report){0};
    if (tree_read(&tree, text, &why) != ERR_OK)
        buf_printf(&report->text, "%s: %s\n", name, why.text);
    else if (tree_root(&tree))
        walk(&f, tree_root(&tree), false, 0);
    tree_deinit(&tree);
}

void expressions_report_deinit(struct expressions_report *report)
{
    buf_deinit(&report->text);
}
