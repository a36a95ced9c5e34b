/*
 * fuzz_regex.c - any pattern on any text: all engines give the answer of a naive matcher over the syntax tree.
 *
 * Input: the length of the pattern, the pattern, the text (at most 60 bytes of it).  The naive matcher carries
 * sets of offsets (a bit each) through the tree; it gives up after a bounded number of steps.  Groups
 * are compared between the two machines that find them.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "regex/regex_internal.h"

enum { TEXT_MAX = 60, STEPS_MAX = 20000 };

struct naive {
    struct slice text;
    int steps;
};

static bool rune_fits(const struct node *n, uint32_t i, int32_t rune)
{
    if (n->kind == NODE_ANY || n->kind == NODE_ANY_NOT_NL)
        return n->kind == NODE_ANY || rune != '\n';
    if (n->kind == NODE_CLASS) {
        for (uint32_t r = 0; r < n->count; r++)
            if (n->ranges[r].low <= rune && rune <= n->ranges[r].high)
                return true;
        return false;
    }
    int32_t wanted = n->runes[i], other = wanted;
    do
        if (other == rune)
            return true;
    while (n->fold && (other = fold_next(other)) != wanted);
    return false;
}

/* Offsets after reading the i-th rune of n from each of the offsets. */
static uint64_t read_rune(const struct naive *v, const struct node *n, uint32_t i, uint64_t from)
{
    uint64_t to = 0;
    for (size_t at = 0; at < v->text.len; at++) {
        size_t len;
        if (from >> at & 1 && rune_fits(n, i, utf8_decode(v->text.data + at, v->text.data + v->text.len, &len)))
            to |= UINT64_C(1) << (at + len);
    }
    return to;
}

static uint64_t where_holds(const struct naive *v, unsigned flag, uint64_t from)
{
    uint64_t to = 0;
    for (size_t at = 0; at <= v->text.len; at++) {
        size_t len;
        int32_t before = at == 0 ? -1 : v->text.data[at - 1] < 0x80 ? v->text.data[at - 1] : RUNE_ERROR;
        int32_t after = at == v->text.len ? -1 : utf8_decode(v->text.data + at, v->text.data + v->text.len, &len);
        if (from >> at & 1 && empty_flags_between(before, after) & flag)
            to |= UINT64_C(1) << at;
    }
    return to;
}

static uint64_t walk(struct naive *v, const struct node *n, uint64_t from);

static uint64_t walk_repeat(struct naive *v, const struct node *n, int32_t min, int32_t max, uint64_t from)
{
    for (int32_t i = 0; i < min && from; i++)
        from = walk(v, n->children[0], from);
    uint64_t all = from;
    for (int32_t i = min; (max < 0 || i < max) && v->steps < STEPS_MAX; i++) {
        uint64_t more = walk(v, n->children[0], max < 0 ? all : from);
        from = more;
        if ((all | more) == all && max < 0)
            break;
        all |= more;
    }
    return all;
}

static uint64_t walk_leaf(const struct naive *v, const struct node *n, uint64_t from)
{
    static const unsigned flags[] = {[NODE_BEGIN_LINE] = EMPTY_BEGIN_LINE, [NODE_END_LINE] = EMPTY_END_LINE,
                                     [NODE_BEGIN_TEXT] = EMPTY_BEGIN_TEXT, [NODE_END_TEXT] = EMPTY_END_TEXT,
                                     [NODE_WORD_BOUNDARY] = EMPTY_WORD,    [NODE_NO_WORD_BOUNDARY] = EMPTY_NO_WORD};
    if (n->kind >= NODE_BEGIN_LINE)
        return where_holds(v, flags[n->kind], from);
    uint32_t count = n->kind == NODE_LITERAL ? n->count : n->kind != NODE_EMPTY;
    for (uint32_t i = 0; i < count; i++)
        from = read_rune(v, n, i, from);
    return from;
}

/* The offsets at which a match of n can end that begins at one of `from`. */
static uint64_t walk(struct naive *v, const struct node *n, uint64_t from)
{
    uint64_t to = 0;
    if (from == 0 || ++v->steps > STEPS_MAX)
        return 0;
    switch (n->kind) {
    case NODE_CAPTURE:
        return walk(v, n->children[0], from);
    case NODE_STAR:
        return walk_repeat(v, n, 0, -1, from);
    case NODE_PLUS:
        return walk_repeat(v, n, 1, -1, from);
    case NODE_QUEST:
        return walk_repeat(v, n, 0, 1, from);
    case NODE_REPEAT:
        return walk_repeat(v, n, n->min, n->max, from);
    case NODE_CONCAT:
        for (uint32_t i = 0; i < n->count; i++)
            from = walk(v, n->children[i], from);
        return from;
    case NODE_ALTERNATE:
        for (uint32_t i = 0; i < n->count; i++)
            to |= walk(v, n->children[i], from);
        return to;
    default:
        return walk_leaf(v, n, from);
    }
}

static void check_engines(const struct regex *re, struct slice text, bool wanted)
{
    if (!re->program)
        return;
    assert(vm_match(re->program, text) == wanted);
    assert(!re->dfa || dfa_match(re->dfa, text) == wanted);
    uint32_t count = 2 * (re->syntax.group_count + 1);
    size_t a[2 * REGEX_GROUPS_MAX], b[2 * REGEX_GROUPS_MAX];
    if (count > 2 * REGEX_GROUPS_MAX || re->program->inst_count * (text.len + 1) > 1 << 18)
        return;
    for (uint32_t i = 0; i < count; i++)
        a[i] = b[i] = SIZE_MAX;
    assert(vm_backtrack(re->program, text, a, count) == wanted);
    assert(vm_pike(re->program, text, b, count) == wanted);
    for (uint32_t i = 0; wanted && i < count; i++)
        assert(a[i] == b[i]);
}

static void check_hints(const struct regex *re, struct slice text, bool matches)
{
    struct regex_literals l = regex_literals(re);
    for (uint32_t i = 0; i < l.count && i < 100; i++)
        assert(regex_match(re, l.list[i]));
    if (!matches)
        return;
    struct slice part = regex_substring(re);
    assert(slice_starts_with(text, regex_prefix(re)));
    assert(part.len == 0 || memmem(text.data, text.len, part.data, part.len));
    assert(!regex_matches_empty(re) || regex_match(re, slice_of(NULL, 0)));
}

static void check(struct slice pattern, struct slice text, unsigned flags)
{
    struct mem_budget budget = {.name = "fuzz", .limit = 64 << 20};
    struct arena arena;
    const struct regex *re;
    struct errmsg why;
    arena_init(&arena, &budget);
    if (regex_compile(pattern, &arena, flags, &re, &why) == ERR_OK) {
        struct syntax syntax;
        struct naive v = {text, 0};
        bool matches = regex_match(re, text);
        if (flags == 0 && regex_parse(pattern, PARSE_DOT_NL, &arena, &syntax, &why) == ERR_OK) {
            bool wanted = walk(&v, syntax.root, 1) >> text.len & 1;
            assert(v.steps > STEPS_MAX || matches == wanted);
        }
        check_engines(re, text, matches);
        check_hints(re, text, matches);
    } else {
        assert(why.text[0]);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    struct slice rest = slice_of(data + 1, bytes - 1);
    struct slice pattern = slice_of(rest.data, data[0] < rest.len ? data[0] : rest.len);
    struct slice text = slice_from(rest, pattern.len);
    if (text.len > TEXT_MAX)
        text.len = TEXT_MAX;
    check(pattern, text, 0);
    check(pattern, text, REGEX_WRAPPED);
    return 0;
}
