/*
 * check.c - a rule file, held to what Prometheus holds it to.
 *
 * First the shape: fields that no rule has, fields given twice, values of the wrong kind.  A file that fails there
 * says so and no more, as promtool does.  Then the rules themselves, all complaints in order of the file.
 */
#include <stdlib.h>

#include "model/label.h"
#include "numeric/goformat.h"
#include "numeric/timetext.h"
#include "rules/rules.h"
#include "rules/tree.h"

struct check {
    struct tree *tree;
    struct engine *engine;
    const char *name;
    struct rules_report *report;
    struct buf shape; /* complaints about the shape */
    struct arena arena;
    struct labels *identities; /* name and labels of each rule */
    uint32_t identity_capacity;
};

static void complain(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void complain(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_printf(&c->report->text, "%s: ", c->name);
    buf_vprintf(&c->report->text, fmt, args);
    buf_str(&c->report->text, "\n");
    va_end(args);
    c->report->errors++;
}

static size_t line_of(const yaml_node_t *n)
{
    return n->start_mark.line + 1;
}

/* ---- Shape ---- */

enum { KEYS_MAX = 4096 };
enum kind { TEXT, LENGTH, COUNT, TEXTS, RULES, GROUPS };

struct field {
    const char *name;
    enum kind kind;
};

struct shape {
    const char *type; /* as the reference calls it */
    struct field fields[8];
};

static const struct shape file_shape = {"rulefmt.RuleGroups", {{"groups", GROUPS}}};
static const struct shape group_shape = {"rulefmt.RuleGroup",
                                         {{"name", TEXT},
                                          {"interval", LENGTH},
                                          {"query_offset", LENGTH},
                                          {"limit", COUNT},
                                          {"rules", RULES},
                                          {"labels", TEXTS}}};
static const struct shape rule_shape = {"rulefmt.Rule",
                                        {{"record", TEXT},
                                         {"alert", TEXT},
                                         {"expr", TEXT},
                                         {"for", LENGTH},
                                         {"keep_firing_for", LENGTH},
                                         {"labels", TEXTS},
                                         {"annotations", TEXTS}}};

static void misshapen(struct check *c, const yaml_node_t *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void misshapen(struct check *c, const yaml_node_t *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_printf(&c->shape, "\n  line %zu: ", line_of(at));
    buf_vprintf(&c->shape, fmt, args);
    va_end(args);
}

static void check_shape(struct check *c, const yaml_node_t *n, const struct shape *shape);

static yaml_node_t *node_at(struct check *c, int id)
{
    return yaml_document_get_node(&c->tree->document, id);
}

/* A mapping has each key once. */
static void check_keys_differ(struct check *c, const yaml_node_t *n)
{
    const yaml_node_pair_t *first = n->data.mapping.pairs.start;
    if (n->data.mapping.pairs.top - first > KEYS_MAX) {
        misshapen(c, n, "more than %d keys", KEYS_MAX);
        return;
    }
    for (const yaml_node_pair_t *p = first; p < n->data.mapping.pairs.top; p++)
        for (const yaml_node_pair_t *q = first; q < p; q++) {
            const yaml_node_t *key = node_at(c, p->key), *before = node_at(c, q->key);
            struct slice text = tree_text(key);
            if (key->type != YAML_SCALAR_NODE || before->type != YAML_SCALAR_NODE || !slice_eq(text, tree_text(before)))
                continue;
            misshapen(c, key, "mapping key \"%.*s\" already defined at line %zu", SLICE_ARG(text), line_of(before));
            break;
        }
}

static void check_texts(struct check *c, const yaml_node_t *n)
{
    if (n->type != YAML_MAPPING_NODE) {
        misshapen(c, n, "cannot unmarshal %s into map[string]string", tree_tag(n));
        return;
    }
    check_keys_differ(c, n);
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *value = node_at(c, p->value);
        if (value->type != YAML_SCALAR_NODE)
            misshapen(c, value, "cannot unmarshal %s into string", tree_tag(value));
    }
}

static void check_list(struct check *c, const yaml_node_t *n, const struct shape *items)
{
    if (n->type != YAML_SEQUENCE_NODE) {
        misshapen(c, n, "cannot unmarshal %s into []%s", tree_tag(n), items->type);
        return;
    }
    for (const yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
        check_shape(c, node_at(c, *i), items);
}

static bool is_count(struct slice text)
{
    size_t i = text.len > 1 && text.data[0] == '-';
    for (; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len > 0 && text.len < 19;
}

static void check_scalar(struct check *c, const yaml_node_t *n, enum kind kind)
{
    const char *type = kind == LENGTH ? "model.Duration" : kind == COUNT ? "int" : "string";
    struct slice text = tree_text(n);
    struct errmsg why;
    int64_t ms;
    if (n->type != YAML_SCALAR_NODE)
        misshapen(c, n, "cannot unmarshal %s into %s", tree_tag(n), type);
    else if (kind == COUNT && !is_count(text))
        misshapen(c, n, "cannot unmarshal !!str `%.*s` into int", SLICE_ARG(text));
    else if (kind == LENGTH && timetext_duration_parse(text, &ms, &why) != ERR_OK)
        misshapen(c, n, "%s", why.text);
}

static void check_value(struct check *c, const yaml_node_t *n, enum kind kind)
{
    if (tree_is_null(n))
        return;
    switch (kind) {
    case TEXTS:
        check_texts(c, n);
        break;
    case RULES:
        check_list(c, n, &rule_shape);
        break;
    case GROUPS:
        check_list(c, n, &group_shape);
        break;
    default:
        check_scalar(c, n, kind);
    }
}

static const struct field *field_find(const struct shape *shape, struct slice name)
{
    for (size_t i = 0; i < sizeof shape->fields / sizeof shape->fields[0] && shape->fields[i].name; i++)
        if (slice_eq_str(name, shape->fields[i].name))
            return &shape->fields[i];
    return NULL;
}

static void check_shape(struct check *c, const yaml_node_t *n, const struct shape *shape)
{
    if (tree_is_null(n))
        return;
    if (n->type != YAML_MAPPING_NODE) {
        misshapen(c, n, "cannot unmarshal %s into %s", tree_tag(n), shape->type);
        return;
    }
    check_keys_differ(c, n);
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = node_at(c, p->key);
        struct slice name = tree_text(key);
        const struct field *field = field_find(shape, name);
        if (field)
            check_value(c, node_at(c, p->value), field->kind);
        else
            misshapen(c, key, "field %.*s not found in type %s", SLICE_ARG(name), shape->type);
    }
}

/* ---- Rules ---- */

struct rule {
    const yaml_node_t *node, *record, *alert, *expr, *labels, *annotations;
    bool has_for, has_keep_firing_for;
    struct slice group, name;
    uint32_t number; /* from 1 */
};

/* "file: line:column: group "g", rule 1, "name": ...": `at` may be NULL. */
static void complain_rule(struct check *c, const struct rule *r, const yaml_node_t *at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void complain_rule(struct check *c, const struct rule *r, const yaml_node_t *at, const char *fmt, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, fmt);
    if (at)
        buf_printf(&text, "%zu:%zu: ", line_of(at), at->start_mark.column + 1);
    buf_str(&text, "group ");
    goformat_quote(&text, r->group);
    buf_printf(&text, ", rule %u, ", r->number);
    goformat_quote(&text, r->name);
    buf_str(&text, ": ");
    buf_vprintf(&text, fmt, args);
    va_end(args);
    complain(c, "%s", buf_cstr(&text));
    buf_deinit(&text);
}

static void check_expression(struct check *c, const struct rule *r)
{
    struct query *q = NULL;
    struct errmsg why;
    struct slice text = tree_text(r->expr);
    if (text.len == 0)
        complain_rule(c, r, r->expr ? r->expr : r->node, "field 'expr' must be set in rule");
    else if (promql_parse(c->engine, text, &q, &why) != ERR_OK)
        complain_rule(c, r, r->expr, "could not parse expression: %s", why.text);
    promql_query_free(q);
}

static void check_recording(struct check *c, const struct rule *r)
{
    struct slice name = tree_text(r->record);
    if (r->annotations && r->annotations->type == YAML_MAPPING_NODE &&
        r->annotations->data.mapping.pairs.top > r->annotations->data.mapping.pairs.start)
        complain_rule(c, r, r->record, "invalid field 'annotations' in recording rule");
    if (r->has_for)
        complain_rule(c, r, r->record, "invalid field 'for' in recording rule");
    if (r->has_keep_firing_for)
        complain_rule(c, r, r->record, "invalid field 'keep_firing_for' in recording rule");
    if (!utf8_valid(name))
        complain_rule(c, r, r->record, "invalid recording rule name: %.*s", SLICE_ARG(name));
    if (memchr(name.data, '{', name.len) || memchr(name.data, '}', name.len))
        complain_rule(c, r, r->record, "braces present in the recording rule name; should it be in expr?: %.*s",
                      SLICE_ARG(name));
}

static void check_pairs(struct check *c, const struct rule *r, const yaml_node_t *map, bool labels)
{
    const char *what = labels ? "label" : "annotation";
    bool alert = tree_text(r->alert).len > 0;
    if (!map || map->type != YAML_MAPPING_NODE)
        return;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        struct slice key = tree_text(node_at(c, p->key)), value = tree_text(node_at(c, p->value));
        struct errmsg why;
        if (key.len == 0 || !utf8_valid(key) || (labels && slice_eq_str(key, METRIC_NAME)))
            complain_rule(c, r, NULL, "invalid %s name: %.*s", what, SLICE_ARG(key));
        if (labels && !utf8_valid(value))
            complain_rule(c, r, NULL, "invalid label value: %.*s", SLICE_ARG(value));
        struct slice name = tree_text(r->alert);
        const char *alert_name = arena_strdup(&c->arena, name);
        if (alert && template_check(value, alert_name, &why) != ERR_OK)
            complain_rule(c, r, node_at(c, p->value), "%s \"%.*s\": %s", what, SLICE_ARG(key), why.text);
    }
}

static bool length_set(const yaml_node_t *n)
{
    int64_t ms = 0;
    struct errmsg ignored;
    return n && timetext_duration_parse(tree_text(n), &ms, &ignored) == ERR_OK && ms != 0;
}

static void set_labels(struct check *c, struct labels_builder *b, const yaml_node_t *map)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
        labels_builder_set(b, tree_text(node_at(c, p->key)), tree_text(node_at(c, p->value)));
}

/* Name and labels, with the group's below its own. */
static void remember(struct check *c, const struct rule *r, const yaml_node_t *group_labels)
{
    struct labels_builder b;
    labels_builder_init(&b, &c->arena, NULL);
    set_labels(c, &b, group_labels);
    set_labels(c, &b, r->labels);
    labels_builder_set(&b, SLICE_LIT(METRIC_NAME), r->name);
    if (c->report->rules == c->identity_capacity) {
        uint32_t capacity = c->identity_capacity ? c->identity_capacity * 2 : 64;
        struct labels *more = ARENA_ARRAY(&c->arena, struct labels, capacity);
        if (c->report->rules)
            memcpy(more, c->identities, c->report->rules * sizeof *more);
        c->identities = more;
        c->identity_capacity = capacity;
    }
    c->identities[c->report->rules++] = labels_builder_finish(&b);
}

static void check_rule(struct check *c, const yaml_node_t *n, const yaml_node_t *group, uint32_t number)
{
    struct rule r = {.node = n,
                     .record = tree_get(c->tree, n, "record"),
                     .alert = tree_get(c->tree, n, "alert"),
                     .expr = tree_get(c->tree, n, "expr"),
                     .labels = tree_get(c->tree, n, "labels"),
                     .annotations = tree_get(c->tree, n, "annotations"),
                     .has_for = length_set(tree_get(c->tree, n, "for")),
                     .has_keep_firing_for = length_set(tree_get(c->tree, n, "keep_firing_for")),
                     .group = tree_text(tree_get(c->tree, group, "name")),
                     .number = number};
    bool record = tree_text(r.record).len > 0, alert = tree_text(r.alert).len > 0;
    r.name = tree_text(alert ? r.alert : r.record);
    if (record && alert)
        complain_rule(c, &r, r.record, "only one of 'record' and 'alert' must be set");
    if (!record && !alert)
        complain_rule(c, &r, n, "one of 'record' or 'alert' must be set");
    check_expression(c, &r);
    if (record)
        check_recording(c, &r);
    check_pairs(c, &r, r.labels, true);
    check_pairs(c, &r, r.annotations, false);
    remember(c, &r, tree_get(c->tree, group, "labels"));
}

static void check_group(struct check *c, const yaml_node_t *group, const yaml_node_t *groups, uint32_t number)
{
    struct slice name = tree_text(tree_get(c->tree, group, "name"));
    const yaml_node_t *labels = tree_get(c->tree, group, "labels"), *rules = tree_get(c->tree, group, "rules");
    if (name.len == 0)
        complain(c, "%zu:%zu: Groupname must not be empty", line_of(group), group->start_mark.column + 1);
    for (uint32_t i = 0; i < number; i++)
        if (slice_eq(tree_text(tree_get(c->tree, node_at(c, groups->data.sequence.items.start[i]), "name")), name)) {
            complain(c, "%zu:%zu: groupname: \"%.*s\" is repeated in the same file", line_of(group),
                     group->start_mark.column + 1, SLICE_ARG(name));
            break;
        }
    struct rule whole = {.group = name};
    if (labels)
        check_pairs(c, &whole, labels, true);
    uint32_t i = 0;
    if (rules && rules->type == YAML_SEQUENCE_NODE)
        for (const yaml_node_item_t *r = rules->data.sequence.items.start; r < rules->data.sequence.items.top; r++)
            check_rule(c, node_at(c, *r), group, ++i);
    c->report->groups++;
}

/* ---- Duplicates ---- */

static int compare_identities(const void *a, const void *b)
{
    return labels_cmp(a, b);
}

static void tell_duplicate(struct check *c, const struct labels *l)
{
    c->report->duplicates++;
    buf_printf(&c->report->text, "Metric: %.*s\nLabel(s):\n", SLICE_ARG(labels_name(l)));
    for (uint32_t i = 0; i < l->count; i++)
        if (!slice_eq_str(l->list[i]->name, METRIC_NAME))
            buf_printf(&c->report->text, "\t%.*s: %.*s\n", SLICE_ARG(l->list[i]->name), SLICE_ARG(l->list[i]->value));
}

static void find_duplicates(struct check *c)
{
    uint32_t n = c->report->rules;
    if (n > 1)
        qsort(c->identities, n, sizeof *c->identities, compare_identities);
    for (uint32_t i = 1; i < n; i++) {
        bool same = labels_eq(&c->identities[i - 1], &c->identities[i]);
        if (same && (i == 1 || !labels_eq(&c->identities[i - 2], &c->identities[i])))
            tell_duplicate(c, &c->identities[i]);
    }
}

static void check_tree(struct check *c)
{
    const yaml_node_t *root = tree_root(c->tree);
    if (!root)
        return;
    check_shape(c, root, &file_shape);
    if (c->shape.len > 0) {
        complain(c, "yaml: unmarshal errors:%s", buf_cstr(&c->shape));
        return;
    }
    const yaml_node_t *groups = tree_get(c->tree, root, "groups");
    uint32_t number = 0;
    if (groups && groups->type == YAML_SEQUENCE_NODE)
        for (const yaml_node_item_t *g = groups->data.sequence.items.start; g < groups->data.sequence.items.top; g++)
            check_group(c, node_at(c, *g), groups, number++);
    if (c->report->errors == 0)
        find_duplicates(c);
}

void rules_check(struct engine *e, struct slice text, const char *name, struct rules_report *report)
{
    struct tree tree;
    struct errmsg why;
    struct check c = {.tree = &tree, .engine = e, .name = name, .report = report};
    *report = (struct rules_report){0};
    arena_init(&c.arena, NULL);
    if (tree_read(&tree, text, &why) != ERR_OK)
        complain(&c, "%s", why.text);
    else
        check_tree(&c);
    tree_deinit(&tree);
    buf_deinit(&c.shape);
    arena_deinit(&c.arena);
}

void rules_report_deinit(struct rules_report *report)
{
    buf_deinit(&report->text);
}
