/*
 * parse.c - RE2 syntax as Go's regexp/syntax accepts it with the Perl flags, and its error texts.
 *
 * Reads the pattern element by element and drives the stack of parse_stack.c.  Counts go up to 1000, also
 * multiplied through nesting.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "regex/parse_internal.h"

enum { REPEAT_MAX = 1000 };

bool parse_fail(struct parser *p, const char *code, struct slice text)
{
    if (p->err == ERR_OK)
        p->err = err_set(p->why, ERR_INVALID, "error parsing regexp: %s: `%.*s`", code, SLICE_ARG(text));
    return false;
}

bool parse_fail_memory(struct parser *p)
{
    if (p->err == ERR_OK)
        p->err =
            err_set(p->why, ERR_LIMIT, "regular expression needs too much memory (%zu bytes of pattern)", p->whole.len);
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
    struct node *n = parse_node(p, kind);
    struct node **children = n ? parse_memory(p, sizeof *children) : NULL;
    if (!children)
        return false;
    children[0] = p->stack[p->depth - 1];
    n->children = children;
    n->count = 1;
    n->lazy = lazy;
    n->min = min;
    n->max = max;
    p->stack[p->depth - 1] = n;
    if (!parse_finish_node(p, n))
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
        return parse_push_literal(p, '{');
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
    return parse_push_group(p, name);
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
            bool ok = c == ')' || parse_push_paren(p, 0);
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
        if (!parse_rune(p, &text, &rune) || !parse_push_literal(p, rune))
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
        return parse_push_leaf(p, kinds[letter - letters]);
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
        return parse_push(p, parse_class_node(p));
    }
    int32_t rune;
    return parse_escape(p, &p->rest, &rune) && parse_push_literal(p, rune);
}

static bool read_operator(struct parser *p, uint8_t c)
{
    p->rest = slice_from(p->rest, 1);
    switch (c) {
    case '|':
        return parse_bar(p);
    case ')':
        return parse_right_paren(p);
    case '^':
        return parse_push_leaf(p, p->flags & PARSE_MULTI_LINE ? NODE_BEGIN_LINE : NODE_BEGIN_TEXT);
    case '$':
        return parse_push_leaf(p, p->flags & PARSE_MULTI_LINE ? NODE_END_LINE : NODE_END_TEXT);
    case '.':
        return parse_push_leaf(p, p->flags & PARSE_DOT_NL ? NODE_ANY : NODE_ANY_NOT_NL);
    default:
        return parse_push_group(p, slice_of(NULL, 0));
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
        return parse_bracket(p, &p->rest) && parse_push(p, parse_class_node(p));
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
        return parse_rune(p, &p->rest, &rune) && parse_push_literal(p, rune);
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
    if (!parse_fold_group(p))
        return false;
    return p->depth == 1 || parse_fail(p, "missing closing )", p->whole);
}

static bool parse_finish(struct parser *p, struct syntax *out)
{
    struct slice *names = parse_memory(p, (p->group_count + 1) * sizeof *names);
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
    if (parse_leaves(&p) && parse_all(&p))
        parse_finish(&p, out);
    mem_free(p.stack);
    mem_free(p.names);
    class_deinit(&p.class);
    class_deinit(&p.scratch);
    return p.err;
}
