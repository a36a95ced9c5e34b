/* regex.c - compiling and asking; the contract is in regex.h. */
#include "base/assert.h"
#include "regex/regex_internal.h"

/* What one compilation may use besides its result; a pattern of 2 MB needs about 200 MB at worst. */
enum { SCRATCH_BYTES_MAX = 256 << 20, GROUP_BYTES_MAX = 64 << 20 };

static struct node *node_of(struct arena *arena, enum node_kind kind, uint32_t child_count)
{
    struct node *n = ARENA_NEW(arena, struct node);
    *n = (struct node){.kind = kind, .height = 1, .size = 1, .nullable = true, .count = child_count};
    n->children = ARENA_ARRAY(arena, struct node *, child_count + 1);
    return n;
}

/* ^x$ as a whole: then it matches the text from end to end or not at all. */
static bool is_anchored(const struct node *n)
{
    return n->kind == NODE_CONCAT && n->children[0]->kind == NODE_BEGIN_TEXT &&
           n->children[n->count - 1]->kind == NODE_END_TEXT;
}

/* (?s:.*?)(x)(?s:.*): the search for x, with x as group 0. */
static struct node *make_search(struct arena *arena, struct node *x)
{
    struct node *search = node_of(arena, NODE_CONCAT, 3);
    for (int i = 0; i < 3; i += 2) {
        struct node *star = node_of(arena, NODE_STAR, 1), *any = node_of(arena, NODE_ANY, 0);
        any->nullable = false;
        star->children[0] = any;
        star->lazy = i == 0;
        search->children[i] = star;
    }
    struct node *group = node_of(arena, NODE_CAPTURE, 1);
    group->children[0] = x;
    group->nullable = x->nullable;
    search->children[1] = group;
    return search;
}

static bool copy_names(struct regex *re, struct arena *arena)
{
    struct syntax *s = &re->syntax;
    struct slice *names = arena_try_alloc(arena, (s->group_count + 1) * sizeof *names);
    if (!names)
        return false;
    for (uint32_t i = 0; i <= s->group_count; i++) {
        uint8_t *copy = arena_try_alloc(arena, s->group_names[i].len + 1);
        if (!copy)
            return false;
        if (s->group_names[i].len)
            memcpy(copy, s->group_names[i].data, s->group_names[i].len);
        names[i] = slice_of(copy, s->group_names[i].len);
    }
    s->group_names = names;
    return true;
}

static bool is_shortcut(const struct regex *re)
{
    return re->literals.count > 0 || re->glob.part_count > 0;
}

/* Groups need memory per instruction when they are asked for: bounded here. */
static enum err check_groups(const struct regex *re, struct errmsg *why)
{
    uint64_t bytes = (uint64_t)re->program->inst_count * 2 * sizeof(size_t);
    uint32_t groups = re->syntax.group_count + 1;
    bytes *= groups < REGEX_GROUPS_MAX ? groups : REGEX_GROUPS_MAX;
    if (bytes > GROUP_BYTES_MAX)
        return err_set(why, ERR_LIMIT, "regular expression is too large for its groups (%u instructions, %u groups)",
                       re->program->inst_count, groups);
    return ERR_OK;
}

static enum err make_program(struct regex *re, struct node *root, struct arena *scratch, struct arena *arena,
                             struct errmsg *why)
{
    struct program *program = ARENA_NEW(arena, struct program);
    TRY(program_compile(root, scratch, arena, program, why));
    re->program = program;
    if (!is_shortcut(re))
        re->dfa = dfa_new(program, scratch, arena);
    return ERR_OK;
}

/* As label_replace and relabeling wrap their patterns. */
static struct slice wrap(struct slice pattern, struct arena *scratch)
{
    uint8_t *text = arena_alloc(scratch, pattern.len + 7), *p = text;
    memcpy(p, "^(?s:", 5);
    p += 5;
    if (pattern.len)
        memcpy(p, pattern.data, pattern.len);
    p += pattern.len;
    memcpy(p, ")$", 2);
    return slice_of(text, pattern.len + 7);
}

static enum err build(struct regex *re, unsigned flags, struct arena *scratch, struct arena *arena, struct errmsg *why)
{
    bool wrapped = flags & REGEX_WRAPPED;
    struct slice text = re->pattern;
    if (wrapped)
        text = wrap(text, scratch);
    TRY(regex_parse(text, wrapped ? PARSE_LOOSE_NAMES : PARSE_DOT_NL, scratch, &re->syntax, why));
    struct node *root = re->syntax.root;
    if (!wrapped && root->height + (root->kind != NODE_CONCAT) > NODE_HEIGHT_MAX)
        return err_set(why, ERR_INVALID, "error parsing regexp: expression nests too deeply: `^(?s:%.*s)$`",
                       SLICE_ARG(text));
    re->syntax.root = NULL;
    re->fixed_ends = !wrapped || is_anchored(root);
    if (re->fixed_ends)
        root = analyze_strip(root, node_of(scratch, NODE_EMPTY, 0));
    else
        root = make_search(scratch, root);
    analyze(root, arena->budget, arena, re);
    if (!copy_names(re, arena))
        return err_set(why, ERR_LIMIT, "regular expression needs too much memory");
    if (is_shortcut(re) && !wrapped)
        return ERR_OK;
    TRY(make_program(re, root, scratch, arena, why));
    return wrapped ? check_groups(re, why) : ERR_OK;
}

enum err regex_compile(struct slice pattern, struct arena *arena, unsigned flags, const struct regex **out,
                       struct errmsg *why)
{
    struct regex *re = arena_try_alloc(arena, sizeof *re);
    uint8_t *copy = arena_try_alloc(arena, pattern.len + 1);
    if (!re || !copy)
        return err_set(why, ERR_LIMIT, "regular expression needs too much memory (%zu bytes of pattern)", pattern.len);
    if (pattern.len)
        memcpy(copy, pattern.data, pattern.len);
    *re = (struct regex){.pattern = slice_of(copy, pattern.len), .fixed_ends = true};
    enum err err = ERR_OK;
    if ((flags & REGEX_WRAPPED) || !analyze_plain_alternatives(re->pattern, arena, re)) {
        struct mem_budget budget = {.name = "regex", .limit = SCRATCH_BYTES_MAX, .parent = arena->budget};
        struct arena scratch;
        arena_init(&scratch, &budget);
        err = build(re, flags, &scratch, arena, why);
        arena_deinit(&scratch);
    }
    if (err != ERR_OK)
        return err;
    re->matches_empty = regex_match(re, slice_of(NULL, 0));
    *out = re;
    return ERR_OK;
}

struct slice regex_pattern(const struct regex *re)
{
    return re->pattern;
}

bool regex_match(const struct regex *re, struct slice s)
{
    if (!s.data) /* a missing label; arithmetic on its address would be undefined */
        s = SLICE_LIT("");
    if (re->literals.count > 0)
        return literal_set_has(&re->literals, s);
    if (re->glob.part_count > 0)
        return glob_match(&re->glob, s);
    if (re->suffix.len > 0 &&
        (s.len < re->suffix.len || memcmp(s.data + s.len - re->suffix.len, re->suffix.data, re->suffix.len) != 0))
        return false;
    return re->dfa ? dfa_match(re->dfa, s) : vm_match(re->program, s);
}

bool regex_submatch(const struct regex *re, struct slice s, struct regex_groups *out)
{
    assert(re->program); /* compiled with REGEX_WRAPPED */
    if (!s.data)
        s = SLICE_LIT("");
    if (!regex_match(re, s))
        return false;
    uint32_t count = re->syntax.group_count + 1;
    out->count = count < REGEX_GROUPS_MAX ? count : REGEX_GROUPS_MAX;
    size_t offsets[2 * REGEX_GROUPS_MAX];
    if (out->count == 1 && re->fixed_ends) {
        out->group[0] = s;
        return true;
    }
    bool matches = vm_submatch(re->program, s, offsets, 2 * out->count);
    assert(matches);
    if (re->fixed_ends) {
        offsets[0] = 0;
        offsets[1] = s.len;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        bool part = offsets[2 * i] != SIZE_MAX && offsets[2 * i + 1] != SIZE_MAX;
        out->group[i] =
            part ? slice_of(s.data + offsets[2 * i], offsets[2 * i + 1] - offsets[2 * i]) : slice_of(NULL, 0);
    }
    return true;
}

struct regex_literals regex_literals(const struct regex *re)
{
    if (re->literals.count > REGEX_LITERALS_MAX)
        return (struct regex_literals){0};
    return (struct regex_literals){re->literals.count, re->literals.list};
}

struct slice regex_prefix(const struct regex *re)
{
    return re->prefix;
}

struct slice regex_substring(const struct regex *re)
{
    return re->substring;
}

bool regex_matches_everything(const struct regex *re)
{
    const struct glob *g = &re->glob;
    return g->part_count == 2 && g->bytes_min == 0;
}

bool regex_matches_empty(const struct regex *re)
{
    return re->matches_empty;
}
