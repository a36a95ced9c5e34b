/*
 * program.c - from tree to instructions.
 *
 * Emission goes backwards: a node is compiled knowing the instruction that follows it, so nothing has to
 * be patched.  Priorities are Go's, which submatches show: alternatives in order, greedy quantifiers try
 * their operand first, x* of an x that can be empty is (x+)?.  x{2,4} becomes xx(x(x)?)?.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "regex/regex_internal.h"

struct builder {
    struct arena *scratch; /* grows here, then is copied */
    struct inst *insts;
    struct rune_class *classes;
    uint32_t inst_count, inst_capacity, class_count, class_capacity;
    unsigned empty_flags;
    bool failed; /* memory */
};

static void *grow(struct builder *b, const void *old, uint32_t *capacity, uint32_t count, size_t bytes)
{
    uint32_t more = *capacity ? *capacity * 2 : 16;
    void *memory = arena_try_alloc(b->scratch, more * bytes);
    if (!memory) {
        b->failed = true;
        return NULL;
    }
    if (count)
        memcpy(memory, old, count * bytes);
    *capacity = more;
    return memory;
}

/* The index of a new instruction; 0 (which fails) when memory ended. */
static uint32_t emit_inst(struct builder *b, enum inst_kind kind, uint32_t out, uint32_t arg)
{
    if (b->failed)
        return 0;
    if (b->inst_count == b->inst_capacity) {
        struct inst *more = grow(b, b->insts, &b->inst_capacity, b->inst_count, sizeof *more);
        if (!more)
            return 0;
        b->insts = more;
    }
    b->insts[b->inst_count] = (struct inst){kind, out, arg};
    return b->inst_count++;
}

static uint32_t emit_empty(struct builder *b, unsigned flag, uint32_t next)
{
    b->empty_flags |= flag;
    return emit_inst(b, INST_EMPTY, next, flag);
}

static uint32_t class_add_ranges(struct builder *b, const struct range *ranges, uint32_t count)
{
    if (b->class_count == b->class_capacity) {
        struct rune_class *more = grow(b, b->classes, &b->class_capacity, b->class_count, sizeof *more);
        if (!more)
            return 0;
        b->classes = more;
    }
    b->classes[b->class_count] = (struct rune_class){ranges, count};
    return b->class_count++;
}

/* All runes that equal `rune` but for case. */
static uint32_t emit_folded(struct builder *b, int32_t rune, uint32_t next)
{
    struct class orbit = {0};
    class_add_folded(&orbit, rune, rune);
    class_clean(&orbit);
    struct range *copy = arena_try_alloc(b->scratch, orbit.count * sizeof *copy);
    uint32_t inst = 0;
    if (copy) {
        memcpy(copy, orbit.list, orbit.count * sizeof *copy);
        inst = emit_inst(b, INST_CLASS, next, class_add_ranges(b, copy, (uint32_t)orbit.count));
    }
    b->failed |= !copy;
    class_deinit(&orbit);
    return inst;
}

static uint32_t emit_literal(struct builder *b, struct node *n, uint32_t next)
{
    for (uint32_t i = n->count; i-- > 0;)
        next = n->fold && fold_next(n->runes[i]) != n->runes[i] ? emit_folded(b, n->runes[i], next)
                                                                : emit_inst(b, INST_RUNE, next, (uint32_t)n->runes[i]);
    return next;
}

static uint32_t emit_choice(struct builder *b, uint32_t body, uint32_t next, bool lazy)
{
    return lazy ? emit_inst(b, INST_ALT, next, body) : emit_inst(b, INST_ALT, body, next);
}

static uint32_t emit(struct builder *b, struct node *n, uint32_t next);

/* The loop of x* and x+: returns the choice, *body is where x begins. */
static uint32_t emit_loop(struct builder *b, struct node *sub, bool lazy, uint32_t next, uint32_t *body)
{
    uint32_t loop = emit_inst(b, INST_ALT, 0, 0);
    *body = emit(b, sub, loop);
    if (!b->failed)
        b->insts[loop] = lazy ? (struct inst){INST_ALT, next, *body} : (struct inst){INST_ALT, *body, next};
    return loop;
}

static uint32_t emit_star(struct builder *b, struct node *sub, bool lazy, uint32_t next)
{
    uint32_t body, loop = emit_loop(b, sub, lazy, next, &body);
    return sub->nullable ? emit_choice(b, body, next, lazy) : loop;
}

static uint32_t emit_plus(struct builder *b, struct node *sub, bool lazy, uint32_t next)
{
    uint32_t body;
    emit_loop(b, sub, lazy, next, &body);
    return body;
}

static uint32_t emit_counted(struct builder *b, struct node *n, uint32_t next)
{
    struct node *sub = n->children[0];
    int32_t min = n->min;
    if (n->max == 0)
        return next;
    if (n->max < 0) {
        if (min == 0)
            return emit_star(b, sub, n->lazy, next);
        next = emit_plus(b, sub, n->lazy, next);
        min--;
    } else {
        uint32_t end = next;
        for (int32_t i = min; i < n->max; i++)
            next = emit_choice(b, emit(b, sub, next), end, n->lazy);
    }
    for (int32_t i = 0; i < min; i++)
        next = emit(b, sub, next);
    return next;
}

static uint32_t emit_alternatives(struct builder *b, struct node *n, uint32_t next)
{
    uint32_t chain = emit(b, n->children[n->count - 1], next);
    for (uint32_t i = n->count - 1; i-- > 0;)
        chain = emit_inst(b, INST_ALT, emit(b, n->children[i], next), chain);
    return chain;
}

static uint32_t emit_class(struct builder *b, struct node *n, uint32_t next)
{
    if (n->flags == 0)
        n->flags = class_add_ranges(b, n->ranges, n->count) + 1;
    return emit_inst(b, INST_CLASS, next, n->flags - 1);
}

/* Recursion is as deep as the tree is high: at most 1,000. */
static uint32_t emit(struct builder *b, struct node *n, uint32_t next)
{
    if (b->failed)
        return 0;
    switch (n->kind) {
    case NODE_LITERAL:
        return emit_literal(b, n, next);
    case NODE_CLASS:
        return emit_class(b, n, next);
    case NODE_ANY:
        return emit_inst(b, INST_ANY, next, 0);
    case NODE_ANY_NOT_NL:
        return emit_inst(b, INST_ANY_NOT_NL, next, 0);
    case NODE_BEGIN_LINE:
        return emit_empty(b, EMPTY_BEGIN_LINE, next);
    case NODE_END_LINE:
        return emit_empty(b, EMPTY_END_LINE, next);
    case NODE_BEGIN_TEXT:
        return emit_empty(b, EMPTY_BEGIN_TEXT, next);
    case NODE_END_TEXT:
        return emit_empty(b, EMPTY_END_TEXT, next);
    case NODE_WORD_BOUNDARY:
        return emit_empty(b, EMPTY_WORD, next);
    case NODE_NO_WORD_BOUNDARY:
        return emit_empty(b, EMPTY_NO_WORD, next);
    case NODE_CAPTURE:
        next = emit_inst(b, INST_CAPTURE, next, (uint32_t)n->min * 2 + 1);
        return emit_inst(b, INST_CAPTURE, emit(b, n->children[0], next), (uint32_t)n->min * 2);
    case NODE_STAR:
        return emit_star(b, n->children[0], n->lazy, next);
    case NODE_PLUS:
        return emit_plus(b, n->children[0], n->lazy, next);
    case NODE_QUEST:
        return emit_choice(b, emit(b, n->children[0], next), next, n->lazy);
    case NODE_REPEAT:
        return emit_counted(b, n, next);
    case NODE_CONCAT:
        for (uint32_t i = n->count; i-- > 0;)
            next = emit(b, n->children[i], next);
        return next;
    case NODE_ALTERNATE:
        return emit_alternatives(b, n, next);
    default:
        return next; /* empty */
    }
}

static bool copy_out(const struct builder *b, struct arena *arena, struct program *out)
{
    struct inst *insts = arena_try_alloc(arena, b->inst_count * sizeof *insts);
    struct rune_class *classes = arena_try_alloc(arena, (b->class_count + 1) * sizeof *classes);
    if (!insts || !classes)
        return false;
    memcpy(insts, b->insts, b->inst_count * sizeof *insts);
    for (uint32_t i = 0; i < b->class_count; i++) {
        struct range *ranges = arena_try_alloc(arena, (b->classes[i].count + 1) * sizeof *ranges);
        if (!ranges)
            return false;
        memcpy(ranges, b->classes[i].ranges, b->classes[i].count * sizeof *ranges);
        classes[i] = (struct rune_class){ranges, b->classes[i].count};
    }
    *out = (struct program){.insts = insts,
                            .classes = classes,
                            .inst_count = b->inst_count,
                            .class_count = b->class_count,
                            .empty_flags = b->empty_flags};
    return true;
}

enum err program_compile(struct node *root, struct arena *scratch, struct arena *arena, struct program *out,
                         struct errmsg *why)
{
    struct builder b = {.scratch = scratch};
    emit_inst(&b, INST_FAIL, 0, 0);
    uint32_t start = emit(&b, root, emit_inst(&b, INST_MATCH, 0, 0));
    if (b.failed || !copy_out(&b, arena, out))
        return err_set(why, ERR_LIMIT, "regular expression needs too much memory");
    out->start = start;
    return ERR_OK;
}

static bool class_has(const struct rune_class *c, int32_t rune)
{
    uint32_t low = 0, high = c->count; /* the first range that ends at rune or later */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (c->ranges[middle].high < rune)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->count && c->ranges[low].low <= rune;
}

bool inst_matches(const struct program *prog, const struct inst *inst, int32_t rune)
{
    switch (inst->kind) {
    case INST_RUNE:
        return (int32_t)inst->arg == rune;
    case INST_CLASS:
        return class_has(&prog->classes[inst->arg], rune);
    case INST_ANY:
        return true;
    case INST_ANY_NOT_NL:
        return rune != '\n';
    default:
        return false;
    }
}

static bool is_word(int32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

unsigned empty_flags_between(int32_t before, int32_t after)
{
    unsigned flags = is_word(before) != is_word(after) ? EMPTY_WORD : EMPTY_NO_WORD;
    if (before < 0)
        flags |= EMPTY_BEGIN_TEXT | EMPTY_BEGIN_LINE;
    if (before == '\n')
        flags |= EMPTY_BEGIN_LINE;
    if (after < 0)
        flags |= EMPTY_END_TEXT | EMPTY_END_LINE;
    if (after == '\n')
        flags |= EMPTY_END_LINE;
    return flags;
}

void program_follow(const struct program *prog, struct inst_set *set, uint32_t inst, unsigned flags, uint32_t *stack)
{
    uint32_t depth = 0;
    stack[depth++] = inst;
    while (depth > 0) {
        uint32_t i = stack[--depth];
        if (inst_set_has(set, i))
            continue;
        inst_set_add(set, i);
        const struct inst *at = &prog->insts[i];
        if (at->kind == INST_ALT) {
            stack[depth++] = at->arg;
            stack[depth++] = at->out;
        } else if (at->kind == INST_CAPTURE || (at->kind == INST_EMPTY && (at->arg & flags) == at->arg)) {
            stack[depth++] = at->out;
        }
    }
}
