/*
 * parse_stack.c - the stack on which the tree of a pattern is built.
 *
 * Operands are pushed; quantifiers wrap the top one; '|' and ')' fold what lies above the last '(' into
 * concatenations and alternations.  Runs of literal runes grow into one node.  Limits are those of Go: 1000
 * levels; 3.3 million instructions, estimated from the tree.  Unlike Go, common prefixes of alternatives
 * are not factored out: the automaton does that by itself.
 */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "regex/parse_internal.h"

enum { INSTS_MAX = (128 << 20) / 40, RUNES_MAX = (128 << 20) / 4 };

void *parse_memory(struct parser *p, size_t bytes)
{
    void *memory = arena_try_alloc(p->arena, bytes);
    if (!memory)
        parse_fail_memory(p);
    return memory;
}

struct node *parse_node(struct parser *p, enum node_kind kind)
{
    struct node *n = parse_memory(p, sizeof *n);
    if (n)
        *n = (struct node){.kind = kind, .height = 1, .size = 1, .nullable = true};
    return n;
}

/* The estimate of Go's calcSize. */
static int64_t size_of(const struct node *n)
{
    int64_t size = 0, sub = n->count && n->kind >= NODE_CAPTURE ? n->children[0]->size : 0;
    switch (n->kind) {
    case NODE_LITERAL:
        size = n->count;
        break;
    case NODE_CAPTURE:
    case NODE_STAR:
        size = 2 + sub;
        break;
    case NODE_PLUS:
    case NODE_QUEST:
        size = 1 + sub;
        break;
    case NODE_ALTERNATE:
        size = n->count - 1;
        __attribute__((fallthrough));
    case NODE_CONCAT:
        for (uint32_t i = 0; i < n->count; i++)
            size += n->children[i]->size;
        break;
    case NODE_REPEAT:
        if (n->max >= 0)
            size = n->max * sub + (n->max - n->min);
        else
            size = n->min == 0 ? 2 + sub : 1 + n->min * sub;
        break;
    default:
        break;
    }
    return size > 1 ? size : 1;
}

static bool nullable_of(const struct node *n)
{
    switch (n->kind) {
    case NODE_LITERAL:
    case NODE_CLASS:
    case NODE_ANY:
    case NODE_ANY_NOT_NL:
        return false;
    case NODE_CAPTURE:
    case NODE_PLUS:
        return n->children[0]->nullable;
    case NODE_REPEAT:
        return n->min == 0 || n->children[0]->nullable;
    case NODE_CONCAT:
        for (uint32_t i = 0; i < n->count; i++)
            if (!n->children[i]->nullable)
                return false;
        return true;
    case NODE_ALTERNATE:
        for (uint32_t i = 0; i < n->count; i++)
            if (n->children[i]->nullable)
                return true;
        return false;
    default:
        return true;
    }
}

bool parse_leaves(struct parser *p)
{
    p->leaves = parse_memory(p, (NODE_BAR + 1) * sizeof *p->leaves);
    for (int kind = 0; p->leaves && kind <= NODE_BAR; kind++) {
        struct node *n = &p->leaves[kind];
        *n = (struct node){.kind = (enum node_kind)kind, .height = 1, .size = 1};
        n->nullable = kind < NODE_CAPTURE && nullable_of(n);
    }
    return p->leaves != NULL;
}

/* Fills in what follows from the children and checks the limits. */
bool parse_finish_node(struct parser *p, struct node *n)
{
    if (n->kind > NODE_PSEUDO_)
        return true;
    n->size = size_of(n);
    n->nullable = nullable_of(n);
    if (n->kind >= NODE_CAPTURE)
        for (uint32_t i = 0; i < n->count; i++)
            if (n->height <= n->children[i]->height)
                n->height = n->children[i]->height + 1;
    if (p->rune_count > RUNES_MAX || n->size > INSTS_MAX)
        return parse_fail(p, "expression too large", p->whole);
    if (n->height > NODE_HEIGHT_MAX)
        return parse_fail(p, "expression nests too deeply", p->whole);
    return true;
}

static bool literal_reserve(struct parser *p, struct node *n, uint32_t count)
{
    if (count <= n->capacity)
        return true;
    uint32_t capacity = n->capacity < 8 ? 8 : n->capacity * 2;
    capacity = capacity < count ? count : capacity;
    int32_t *runes = parse_memory(p, capacity * sizeof *runes);
    if (!runes)
        return false;
    if (n->count)
        memcpy(runes, n->runes, n->count * sizeof *runes);
    n->runes = runes;
    n->capacity = capacity;
    return true;
}

static struct node *literal_new(struct parser *p, int32_t rune, bool fold)
{
    struct node *n = p->spare ? p->spare : parse_node(p, NODE_LITERAL);
    p->spare = NULL;
    if (!n || !literal_reserve(p, n, 1))
        return NULL;
    n->runes[0] = rune;
    n->count = 1;
    n->fold = fold && fold_next(rune) != rune;
    return n;
}

/* ---- The stack ---- */

/* When the two topmost nodes are literals, joins them: nothing can quantify the upper one any more. */
static bool join_literals(struct parser *p)
{
    if (p->depth < 2)
        return true;
    struct node *top = p->stack[p->depth - 1], *below = p->stack[p->depth - 2];
    if (top->kind != NODE_LITERAL || below->kind != NODE_LITERAL || top->fold != below->fold)
        return true;
    if (!literal_reserve(p, below, below->count + top->count))
        return false;
    memcpy(below->runes + below->count, top->runes, top->count * sizeof *top->runes);
    below->count += top->count;
    below->size = below->count;
    p->spare = top;
    p->depth--;
    return true;
}

bool parse_push(struct parser *p, struct node *n)
{
    if (!n || !join_literals(p))
        return false;
    if (n->kind == NODE_LITERAL || n->kind == NODE_CLASS)
        p->rune_count += n->kind == NODE_CLASS ? 2 * n->count : n->count;
    p->stack = mem_grow(p->stack, &p->capacity, p->depth + 1, sizeof *p->stack);
    p->stack[p->depth++] = n;
    return parse_finish_node(p, n);
}

bool parse_push_leaf(struct parser *p, enum node_kind kind)
{
    return parse_push(p, &p->leaves[kind]);
}

bool parse_push_literal(struct parser *p, int32_t rune)
{
    return parse_push(p, literal_new(p, rune, p->flags & PARSE_FOLD));
}

/* The class that stands clean in p->class. */
struct node *parse_class_node(struct parser *p)
{
    const struct class *c = &p->class;
    if (c->count == 1 && c->list[0].low == c->list[0].high)
        return literal_new(p, c->list[0].low, false);
    struct node *n = parse_node(p, NODE_CLASS);
    struct range *copy = n ? parse_memory(p, (c->count + 1) * sizeof *copy) : NULL;
    if (!copy)
        return NULL;
    if (c->count)
        memcpy(copy, c->list, c->count * sizeof *copy);
    n->ranges = copy;
    n->count = (uint32_t)c->count;
    return n;
}

/* Takes everything above stack[base] as children of one node; nodes of the same kind are opened up. */
static struct node *collapse(struct parser *p, size_t base, enum node_kind kind)
{
    size_t count = 0;
    if (p->depth - base == 1)
        return p->stack[--p->depth];
    for (size_t i = base; i < p->depth; i++)
        count += p->stack[i]->kind == kind ? p->stack[i]->count : 1;
    struct node *n = parse_node(p, kind);
    struct node **children = n ? parse_memory(p, count * sizeof *children) : NULL;
    if (!children)
        return NULL;
    n->children = children;
    for (size_t i = base; i < p->depth; i++) {
        struct node *child = p->stack[i];
        if (child->kind == kind) {
            memcpy(children + n->count, child->children, child->count * sizeof *children);
            n->count += child->count;
        } else {
            children[n->count++] = child;
        }
    }
    p->depth = base;
    return n;
}

static size_t operands_base(const struct parser *p)
{
    size_t base = p->depth;
    while (base > 0 && p->stack[base - 1]->kind < NODE_PSEUDO_)
        base--;
    return base;
}

/* Replaces what stands above the last '(' or '|' by its concatenation. */
static bool concat(struct parser *p)
{
    if (!join_literals(p))
        return false;
    size_t base = operands_base(p);
    return base == p->depth ? parse_push_leaf(p, NODE_EMPTY) : parse_push(p, collapse(p, base, NODE_CONCAT));
}

static bool alternate(struct parser *p)
{
    return parse_push(p, collapse(p, operands_base(p), NODE_ALTERNATE));
}

static bool is_single_rune(const struct node *n)
{
    return (n->kind == NODE_LITERAL && n->count == 1) || n->kind == NODE_CLASS || n->kind == NODE_ANY ||
           n->kind == NODE_ANY_NOT_NL;
}

static void add_single_rune(struct class *c, const struct node *n)
{
    if (n->kind == NODE_LITERAL) {
        if (n->fold)
            class_add_folded(c, n->runes[0], n->runes[0]);
        else
            class_add(c, n->runes[0], n->runes[0]);
    } else if (n->kind == NODE_CLASS) {
        class_add_all(c, n->ranges, n->count);
    } else {
        class_add(c, 0, n->kind == NODE_ANY ? RUNE_MAX : '\n' - 1);
        class_add(c, '\n' + 1, RUNE_MAX);
    }
}

/* a|b of single runes becomes a class. */
static struct node *merge_single_runes(struct parser *p, const struct node *a, const struct node *b)
{
    class_reset(&p->class);
    add_single_rune(&p->class, a);
    add_single_rune(&p->class, b);
    class_clean(&p->class);
    if (p->class.count == 1 && p->class.list[0].low == 0 && p->class.list[0].high == RUNE_MAX)
        return &p->leaves[NODE_ANY];
    return parse_class_node(p);
}

/*
 * If the top stands above a '|', swaps them, so that alternatives gather below the bar (*swapped), or merges
 * it into the alternative there when both are single runes.
 */
static bool swap_bar(struct parser *p, bool *swapped)
{
    *swapped = p->depth >= 2 && p->stack[p->depth - 2]->kind == NODE_BAR;
    if (!*swapped)
        return true;
    struct node **top = &p->stack[p->depth - 1];
    if (p->depth >= 3 && is_single_rune(top[0]) && is_single_rune(top[-2])) {
        top[-2] = merge_single_runes(p, top[0], top[-2]);
        p->depth--;
        return top[-2] != NULL;
    }
    struct node *bar = top[-1];
    top[-1] = top[0];
    top[0] = bar;
    return true;
}

bool parse_bar(struct parser *p)
{
    bool swapped;
    if (!concat(p) || !swap_bar(p, &swapped))
        return false;
    return swapped || parse_push_leaf(p, NODE_BAR);
}

/* Folds everything above the last '(' into one alternation. */
bool parse_fold_group(struct parser *p)
{
    bool swapped;
    if (!concat(p) || !swap_bar(p, &swapped))
        return false;
    if (swapped)
        p->depth--; /* the bar */
    return alternate(p);
}

bool parse_right_paren(struct parser *p)
{
    if (!parse_fold_group(p))
        return false;
    if (p->depth < 2 || p->stack[p->depth - 2]->kind != NODE_LEFT_PAREN)
        return parse_fail(p, "unexpected )", p->whole);
    struct node *inner = p->stack[p->depth - 1], *paren = p->stack[p->depth - 2];
    p->depth -= 2;
    p->flags = paren->flags;
    if (paren->min == 0)
        return parse_push(p, inner);
    struct node **children = parse_memory(p, sizeof *children);
    if (!children)
        return false;
    *children = inner;
    paren->kind = NODE_CAPTURE;
    paren->children = children;
    paren->count = 1;
    return parse_push(p, paren);
}

bool parse_push_paren(struct parser *p, uint32_t number)
{
    struct node *n = parse_node(p, NODE_LEFT_PAREN);
    if (!n)
        return false;
    n->min = (int32_t)number;
    n->flags = p->flags;
    return parse_push(p, n);
}

bool parse_push_group(struct parser *p, struct slice name)
{
    p->group_count++;
    p->names = mem_grow(p->names, &p->name_capacity, p->group_count + 1, sizeof *p->names);
    p->names[p->group_count] = name;
    return parse_push_paren(p, p->group_count);
}
