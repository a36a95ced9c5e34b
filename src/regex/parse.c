/*
 * parse.c - RE2 syntax as Go's regexp/syntax accepts it with the Perl flags, and its error texts.
 *
 * A stack machine: operands are pushed; quantifiers wrap the top one; '|' and ')' fold what lies above the
 * last '(' into concatenations and alternations.  Runs of literal runes grow into one node.  Limits are
 * those of Go: counts up to 1000, also multiplied through nesting; 1000 levels; 3.3 million instructions,
 * estimated from the tree.  Unlike Go, common prefixes of alternatives are not factored out: the automaton
 * does that by itself.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "regex/parse_internal.h"

enum { REPEAT_MAX = 1000, INSTS_MAX = (128 << 20) / 40, RUNES_MAX = (128 << 20) / 4 };

bool parse_fail(struct parser *p, const char *code, struct slice text)
{
    if (p->err == ERR_OK)
        p->err = err_set(p->why, ERR_INVALID, "error parsing regexp: %s: `%.*s`", code, SLICE_ARG(text));
    return false;
}

bool parse_fail_memory(struct parser *p)
{
    if (p->err == ERR_OK)
        p->err = err_set(p->why, ERR_LIMIT, "regular expression needs too much memory (%zu bytes of pattern)", p->whole.len);
    return false;
}

struct slice parse_between(struct slice from, struct slice to)
{
    return slice_of(from.data, (size_t)(to.data - from.data));
}

bool parse_rune(struct parser *p, struct slice *text, int32_t *rune)
{
    size_t len;
    *rune = utf8_decode(text->data, text->data + text->len, &len);
    if (*rune == RUNE_ERROR && len == 1)
        return parse_fail(p, "invalid UTF-8", *text);
    *text = slice_from(*text, len);
    return true;
}

bool parse_check_utf8(struct parser *p, struct slice text)
{
    int32_t rune;
    while (text.len > 0)
        if (!parse_rune(p, &text, &rune))
            return false;
    return true;
}

/* ---- Nodes ---- */

static void *take_memory(struct parser *p, size_t bytes)
{
    void *memory = arena_try_alloc(p->arena, bytes);
    if (!memory)
        parse_fail_memory(p);
    return memory;
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
    struct node *n = take_memory(p, sizeof *n);
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

/* Fills in what follows from the children and checks the limits. */
static bool node_finish(struct parser *p, struct node *n)
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
    int32_t *runes = take_memory(p, capacity * sizeof *runes);
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
    struct node *n = p->spare ? p->spare : node_new(p, NODE_LITERAL);
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

static bool push(struct parser *p, struct node *n)
{
    if (!n || !join_literals(p))
        return false;
    if (n->kind == NODE_LITERAL || n->kind == NODE_CLASS)
        p->rune_count += n->kind == NODE_CLASS ? 2 * n->count : n->count;
    p->stack = mem_grow(p->stack, &p->capacity, p->depth + 1, sizeof *p->stack);
    p->stack[p->depth++] = n;
    return node_finish(p, n);
}

static bool push_leaf(struct parser *p, enum node_kind kind)
{
    return push(p, &p->leaves[kind]);
}

static bool push_literal(struct parser *p, int32_t rune)
{
    return push(p, literal_new(p, rune, p->flags & PARSE_FOLD));
}

/* The class that stands clean in p->class. */
static struct node *class_node(struct parser *p)
{
    const struct class *c = &p->class;
    if (c->count == 1 && c->list[0].low == c->list[0].high)
        return literal_new(p, c->list[0].low, false);
    struct node *n = node_new(p, NODE_CLASS);
    struct range *copy = n ? take_memory(p, (c->count + 1) * sizeof *copy) : NULL;
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
    struct node *n = node_new(p, kind);
    struct node **children = n ? take_memory(p, count * sizeof *children) : NULL;
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
    return base == p->depth ? push_leaf(p, NODE_EMPTY) : push(p, collapse(p, base, NODE_CONCAT));
}

static bool alternate(struct parser *p)
{
    return push(p, collapse(p, operands_base(p), NODE_ALTERNATE));
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
    return class_node(p);
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

static bool read_bar(struct parser *p)
{
    bool swapped;
    if (!concat(p) || !swap_bar(p, &swapped))
        return false;
    return swapped || push_leaf(p, NODE_BAR);
}

/* Folds everything above the last '(' into one alternation. */
static bool fold_group(struct parser *p)
{
    bool swapped;
    if (!concat(p) || !swap_bar(p, &swapped))
        return false;
    if (swapped)
        p->depth--; /* the bar */
    return alternate(p);
}

static bool read_right_paren(struct parser *p)
{
    if (!fold_group(p))
        return false;
    if (p->depth < 2 || p->stack[p->depth - 2]->kind != NODE_LEFT_PAREN)
        return parse_fail(p, "unexpected )", p->whole);
    struct node *inner = p->stack[p->depth - 1], *paren = p->stack[p->depth - 2];
    p->depth -= 2;
    p->flags = paren->flags;
    if (paren->min == 0)
        return push(p, inner);
    struct node **children = take_memory(p, sizeof *children);
    if (!children)
        return false;
    *children = inner;
    paren->kind = NODE_CAPTURE;
    paren->children = children;
    paren->count = 1;
    return push(p, paren);
}

static bool push_paren(struct parser *p, uint32_t number)
{
    struct node *n = node_new(p, NODE_LEFT_PAREN);
    if (!n)
        return false;
    n->min = (int32_t)number;
    n->flags = p->flags;
    return push(p, n);
}

static bool push_group(struct parser *p, struct slice name)
{
    p->group_count++;
    p->names = mem_grow(p->names, &p->name_capacity, p->group_count + 1, sizeof *p->names);
    p->names[p->group_count] = name;
    return push_paren(p, p->group_count);
}

/* ---- Quantifiers ---- */

/* Whether no more than n copies of anything come out of the counts in the tree. */
static bool repeat_valid(const struct node *n, int32_t copies)
{
    if (n->kind == NODE_REPEAT) {
        int32_t m = n->max < 0 ? n->min : n->max;
        if (n->max == 0)
            return true;
        if (m > copies)
            return false;
        if (m > 0)
            copies /= m;
    }
    if (n->kind >= NODE_CAPTURE)
        for (uint32_t i = 0; i < n->count; i++)
            if (!repeat_valid(n->children[i], copies))
                return false;
    return true;
}

/* Wraps the top of the stack.  `start` is the pattern from the operator on, p->rest what follows it. */
static bool quantify(struct parser *p, enum node_kind kind, int32_t min, int32_t max, struct slice start,
                     struct slice last_repeat)
{
    bool lazy = p->flags & PARSE_LAZY;
    if (p->rest.len > 0 && p->rest.data[0] == '?') {
        p->rest = slice_from(p->rest, 1);
        lazy = !lazy;
    }
    if (last_repeat.len > 0)
        return parse_fail(p, "invalid nested repetition operator", parse_between(last_repeat, p->rest));
    if (p->depth == 0 || p->stack[p->depth - 1]->kind > NODE_PSEUDO_)
        return parse_fail(p, "missing argument to repetition operator", parse_between(start, p->rest));
    struct node *n = node_new(p, kind);
    struct node **children = n ? take_memory(p, sizeof *children) : NULL;
    if (!children)
        return false;
    children[0] = p->stack[p->depth - 1];
    n->children = children;
    n->count = 1;
    n->lazy = lazy;
    n->min = min;
    n->max = max;
    p->stack[p->depth - 1] = n;
    if (!node_finish(p, n))
        return false;
    if (kind == NODE_REPEAT && (min >= 2 || max >= 2) && !repeat_valid(n, REPEAT_MAX))
        return parse_fail(p, "invalid repeat count", parse_between(start, p->rest));
    return true;
}

/* A decimal number without leading zeros; -1 when it is huge; false when there is none. */
static bool read_int(struct slice *t, int32_t *out)
{
    size_t len = 0;
    int32_t value = 0;
    while (len < t->len && t->data[len] >= '0' && t->data[len] <= '9') {
        if (value >= 100000000)
            value = -1;
        if (value >= 0)
            value = value * 10 + (t->data[len] - '0');
        len++;
    }
    if (len == 0 || (len > 1 && t->data[0] == '0'))
        return false;
    *out = value;
    *t = slice_from(*t, len);
    return true;
}

static bool take(struct slice *t, uint8_t c)
{
    if (t->len == 0 || t->data[0] != c)
        return false;
    *t = slice_from(*t, 1);
    return true;
}

/* {n}, {n,} or {n,m} at the start of t; false when it is none and so a literal. */
static bool read_counts(struct slice *t, int32_t *min, int32_t *max)
{
    struct slice s = slice_from(*t, 1);
    if (!read_int(&s, min))
        return false;
    *max = *min;
    if (take(&s, ',')) {
        *max = -1;
        if (s.len > 0 && s.data[0] != '}') {
            if (!read_int(&s, max))
                return false;
            if (*max < 0)
                *min = -1; /* too large a number */
        }
    }
    if (!take(&s, '}'))
        return false;
    *t = s;
    return true;
}

static bool read_repeat(struct parser *p, struct slice last_repeat, struct slice *repeat)
{
    struct slice start = p->rest;
    int32_t min, max;
    if (!read_counts(&p->rest, &min, &max)) {
        p->rest = slice_from(p->rest, 1);
        return push_literal(p, '{');
    }
    if (min < 0 || min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max))
        return parse_fail(p, "invalid repeat count", parse_between(start, p->rest));
    *repeat = start;
    return quantify(p, NODE_REPEAT, min, max, start, last_repeat);
}

/* ---- Groups and flags ---- */

static bool name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c != '_' && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            return false;
    }
    return name.len > 0;
}

/* (?P<name> or (?<name>; `start` is the length up to the name. */
static bool read_named_group(struct parser *p, size_t start)
{
    const uint8_t *end = memchr(p->rest.data, '>', p->rest.len);
    if (!end)
        return parse_check_utf8(p, p->rest) && parse_fail(p, "invalid named capture", p->rest);
    size_t len = (size_t)(end - p->rest.data);
    struct slice name = slice_of(p->rest.data + start, len - start);
    if (!parse_check_utf8(p, name))
        return false;
    if (!name_valid(name))
        return parse_fail(p, "invalid named capture", slice_of(p->rest.data, len + 1));
    p->rest = slice_from(p->rest, len + 1);
    return push_group(p, name);
}

static unsigned flag_of(int32_t c)
{
    return c == 'i' ? PARSE_FOLD : c == 'm' ? PARSE_MULTI_LINE : c == 's' ? PARSE_DOT_NL : c == 'U' ? PARSE_LAZY : 0;
}

/* "(?" and what follows: flags, a group with flags, or a named group. */
static bool read_perl_group(struct parser *p)
{
    struct slice start = p->rest, t = slice_from(p->rest, 2);
    if (start.len > 4 && start.data[2] == 'P' && start.data[3] == '<')
        return read_named_group(p, 4);
    if (start.len > 3 && start.data[2] == '<')
        return read_named_group(p, 3);
    unsigned flags = p->flags;
    bool negative = false, any = false;
    while (t.len > 0) {
        int32_t c;
        if (!parse_rune(p, &t, &c))
            return false;
        if (flag_of(c)) {
            flags = negative ? flags & ~flag_of(c) : flags | flag_of(c);
            any = true;
        } else if (c == '-' && !negative) {
            negative = true;
            any = false;
        } else if ((c == ':' || c == ')') && (!negative || any)) {
            p->rest = t;
            bool ok = c == ')' || push_paren(p, 0);
            p->flags = flags;
            return ok;
        } else {
            break;
        }
    }
    return parse_fail(p, "invalid or unsupported Perl syntax", parse_between(start, t));
}

/* ---- The loop ---- */

/* \Q...\E: literally. */
static bool read_quoted(struct parser *p)
{
    struct slice text = slice_from(p->rest, 2);
    const uint8_t *end = memmem(text.data, text.len, "\\E", 2);
    p->rest = slice_from(text, text.len);
    if (end) {
        p->rest = slice_of(end + 2, (size_t)(text.data + text.len - end) - 2);
        text.len = (size_t)(end - text.data);
    }
    while (text.len > 0) {
        int32_t rune;
        if (!parse_rune(p, &text, &rune) || !push_literal(p, rune))
            return false;
    }
    return true;
}

static bool read_backslash(struct parser *p)
{
    static const char letters[] = "AbBz";
    static const enum node_kind kinds[] = {NODE_BEGIN_TEXT, NODE_WORD_BOUNDARY, NODE_NO_WORD_BOUNDARY, NODE_END_TEXT};
    uint8_t c = p->rest.len >= 2 ? p->rest.data[1] : 0;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        p->rest = slice_from(p->rest, 2);
        return push_leaf(p, kinds[letter - letters]);
    }
    if (c == 'C')
        return parse_fail(p, "invalid escape sequence", slice_of(p->rest.data, 2));
    if (c == 'Q')
        return read_quoted(p);
    bool found;
    class_reset(&p->class);
    if (!parse_class_escape(p, &p->rest, &found))
        return false;
    if (found) {
        class_clean(&p->class);
        return push(p, class_node(p));
    }
    int32_t rune;
    return parse_escape(p, &p->rest, &rune) && push_literal(p, rune);
}

static bool read_operator(struct parser *p, uint8_t c)
{
    p->rest = slice_from(p->rest, 1);
    switch (c) {
    case '|':
        return read_bar(p);
    case ')':
        return read_right_paren(p);
    case '^':
        return push_leaf(p, p->flags & PARSE_MULTI_LINE ? NODE_BEGIN_LINE : NODE_BEGIN_TEXT);
    case '$':
        return push_leaf(p, p->flags & PARSE_MULTI_LINE ? NODE_END_LINE : NODE_END_TEXT);
    case '.':
        return push_leaf(p, p->flags & PARSE_DOT_NL ? NODE_ANY : NODE_ANY_NOT_NL);
    default:
        return push_group(p, slice_of(NULL, 0));
    }
}

/* One element of the pattern; *repeat becomes the text of a quantifier, if it was one. */
static bool read_element(struct parser *p, struct slice last_repeat, struct slice *repeat)
{
    struct slice start = p->rest;
    int32_t rune;
    uint8_t c = start.data[0];
    switch (c) {
    case '(':
        if (start.len >= 2 && start.data[1] == '?')
            return read_perl_group(p);
        __attribute__((fallthrough));
    case '|':
    case ')':
    case '^':
    case '$':
    case '.':
        return read_operator(p, c);
    case '[':
        return parse_bracket(p, &p->rest) && push(p, class_node(p));
    case '*':
    case '+':
    case '?':
        *repeat = start;
        p->rest = slice_from(p->rest, 1);
        return quantify(p, c == '*' ? NODE_STAR : c == '+' ? NODE_PLUS : NODE_QUEST, 0, 0, start, last_repeat);
    case '{':
        return read_repeat(p, last_repeat, repeat);
    case '\\':
        return read_backslash(p);
    default:
        return parse_rune(p, &p->rest, &rune) && push_literal(p, rune);
    }
}

static bool parse_all(struct parser *p)
{
    struct slice last_repeat = {0};
    while (p->rest.len > 0) {
        struct slice repeat = {0};
        if (!read_element(p, last_repeat, &repeat))
            return false;
        last_repeat = repeat;
    }
    if (!fold_group(p))
        return false;
    return p->depth == 1 || parse_fail(p, "missing closing )", p->whole);
}

static bool parse_finish(struct parser *p, struct syntax *out)
{
    struct slice *names = take_memory(p, (p->group_count + 1) * sizeof *names);
    if (!names)
        return false;
    names[0] = slice_of(NULL, 0);
    for (uint32_t i = 1; i <= p->group_count; i++)
        names[i] = p->names[i];
    *out = (struct syntax){p->stack[0], p->group_count, names};
    return true;
}

enum err regex_parse(struct slice text, unsigned flags, struct arena *arena, struct syntax *out, struct errmsg *why)
{
    struct parser p = {.arena = arena, .whole = text, .rest = text, .flags = flags, .why = why};
    p.leaves = take_memory(&p, (NODE_BAR + 1) * sizeof *p.leaves);
    if (p.leaves) {
        for (int kind = 0; kind <= NODE_BAR; kind++) {
            p.leaves[kind] = (struct node){.kind = (enum node_kind)kind, .height = 1, .size = 1};
            p.leaves[kind].nullable = kind < NODE_CAPTURE && nullable_of(&p.leaves[kind]);
        }
        if (parse_all(&p))
            parse_finish(&p, out);
    }
    mem_free(p.stack);
    mem_free(p.names);
    class_deinit(&p.class);
    class_deinit(&p.scratch);
    return p.err;
}
