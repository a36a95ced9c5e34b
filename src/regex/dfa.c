/*
 * dfa.c - an automaton whose states are learnt while matching.
 *
 * A state is the set of instructions that may read the next rune (or need an assertion to hold first, or
 * match), plus what the rune before was if assertions ask for it.  Following a rune class from it is
 * computed once, under the lock, and then published as an offset in the state's table; readers see a
 * table entry only after the state behind it is complete (release, acquire), so matching takes no lock
 * and is one dependent load per rune.
 *
 *     state | header | next u32[classes] | instructions u32[count] |     8-aligned, in one block of memory
 *
 * The block has a fixed size.  When it is full, a match that needs a new state is repeated by
 * vm_match, in time linear in text and program, so no pattern is ever slower than that.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/utf8.h"
#include "regex/regex_internal.h"

enum {
    NEXT_UNKNOWN = 0,
    NEXT_DEAD = 1, /* nothing can match from there */
    NEXT_SINK = 2, /* everything matches from there */
    MEMORY_MIN = 32 << 10,
    MEMORY_MAX = 1 << 20,
    STATES_WANTED = 128,
    BUCKETS = 1024,
    UNIT = 8,
};

enum context { AFTER_BEGIN = 1, AFTER_NEWLINE = 2, AFTER_WORD = 4 };

struct state {
    uint32_t hash, chain; /* chain: the next state in the bucket; 0 ends */
    uint32_t count;
    uint8_t context, accepts, sink, has_empty;
    _Atomic uint32_t next[]; /* [class_count], then the instructions [count] */
};

struct dfa {
    const struct program *prog;
    struct alphabet alphabet;
    struct mutex lock;
    uint8_t *memory;           /* states by offset; the first is at UNIT */
    size_t used, capacity;     /* guarded by lock */
    uint32_t buckets[BUCKETS]; /* guarded by lock */
    struct inst_set from, to;  /* guarded by lock; work space */
    uint32_t *stack;           /* guarded by lock */
    uint32_t start;            /* written before any reader */
};

static struct state *state_at(const struct dfa *d, uint32_t offset)
{
    return (struct state *)(void *)(d->memory + offset);
}

static uint32_t *state_insts(const struct dfa *d, struct state *s)
{
    uint8_t *bytes = (uint8_t *)s + sizeof *s + d->alphabet.class_count * sizeof(uint32_t);
    return (uint32_t *)(void *)bytes;
}

static uint32_t hash_of(const uint32_t *insts, uint32_t count, unsigned context)
{
    uint32_t h = 2166136261U ^ context;
    for (uint32_t i = 0; i < count; i++)
        h = (h ^ insts[i]) * 16777619U;
    return h ^ h >> 15;
}

static int32_t rune_before(unsigned context)
{
    return context & AFTER_BEGIN ? -1 : context & AFTER_NEWLINE ? '\n' : context & AFTER_WORD ? 'a' : ' ';
}

/* What of the rune just read matters to later assertions. */
static unsigned context_after(const struct dfa *d, int32_t rune)
{
    unsigned flags = d->prog->empty_flags, context = 0;
    if ((flags & (EMPTY_BEGIN_LINE | EMPTY_END_LINE)) && rune == '\n')
        context |= AFTER_NEWLINE;
    if ((flags & (EMPTY_WORD | EMPTY_NO_WORD)) && (empty_flags_between(-1, rune) & EMPTY_WORD))
        context |= AFTER_WORD;
    return context;
}

/* Whether inst is the '.' of a final ".*": reading anything leads back to it, and to a match. */
static bool loops_forever(const struct program *prog, const struct inst *inst, uint32_t index)
{
    const struct inst *loop = &prog->insts[inst->out];
    if (inst->kind != INST_ANY || loop->kind != INST_ALT || (loop->out != index && loop->arg != index))
        return false;
    const struct inst *exit = &prog->insts[loop->out == index ? loop->arg : loop->out];
    while (exit->kind == INST_CAPTURE)
        exit = &prog->insts[exit->out];
    return exit->kind == INST_MATCH;
}

static int index_cmp(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Keeps of a followed set what makes a state, sorted; returns how many. */
static uint32_t reduce(const struct dfa *d, struct inst_set *set)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        enum inst_kind kind = d->prog->insts[set->dense[i]].kind;
        if (kind != INST_ALT && kind != INST_CAPTURE && kind != INST_FAIL)
            set->dense[kept++] = set->dense[i];
    }
    qsort(set->dense, kept, sizeof *set->dense, index_cmp);
    return kept;
}

static uint32_t state_find(const struct dfa *d, const uint32_t *insts, uint32_t count, unsigned context, uint32_t hash)
{
    for (uint32_t at = d->buckets[hash % BUCKETS]; at; at = state_at(d, at)->chain) {
        struct state *s = state_at(d, at);
        if (s->hash == hash && s->count == count && s->context == context &&
            memcmp(state_insts(d, s), insts, count * sizeof *insts) == 0)
            return at;
    }
    return 0;
}

/* Whether the text may end here: assertions get their chance to hold at the end. */
static bool accepts_at_end(struct dfa *d, struct state *s)
{
    const uint32_t *insts = state_insts(d, s);
    unsigned flags = empty_flags_between(rune_before(s->context), -1);
    d->from.count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        program_follow(d->prog, &d->from, insts[i], flags, d->stack);
    for (uint32_t i = 0; i < d->from.count; i++)
        if (d->prog->insts[d->from.dense[i]].kind == INST_MATCH)
            return true;
    return false;
}

static void state_fill(struct dfa *d, struct state *s)
{
    const uint32_t *insts = state_insts(d, s);
    bool matches = false, loops = false;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct inst *inst = &d->prog->insts[insts[i]];
        matches |= inst->kind == INST_MATCH;
        s->has_empty |= inst->kind == INST_EMPTY;
        loops |= loops_forever(d->prog, inst, insts[i]);
    }
    s->sink = matches && loops;
    s->accepts = matches || (s->has_empty && accepts_at_end(d, s));
    for (uint32_t c = 0; c < d->alphabet.class_count; c++)
        atomic_init(&s->next[c], NEXT_UNKNOWN);
}

/* The state for a followed set: its offset, NEXT_DEAD, or NEXT_UNKNOWN when memory is full. */
static uint32_t state_intern(struct dfa *d, struct inst_set *set, unsigned context)
{
    uint32_t count = reduce(d, set);
    if (count == 0)
        return NEXT_DEAD;
    uint32_t hash = hash_of(set->dense, count, context);
    uint32_t found = state_find(d, set->dense, count, context, hash);
    if (found)
        return found;
    size_t bytes = sizeof(struct state) + ((size_t)count + d->alphabet.class_count) * sizeof(uint32_t);
    bytes = (bytes + UNIT - 1) / UNIT * UNIT;
    if (bytes > d->capacity - d->used)
        return NEXT_UNKNOWN;
    uint32_t at = (uint32_t)d->used;
    struct state *s = state_at(d, at);
    *s = (struct state){.hash = hash, .chain = d->buckets[hash % BUCKETS], .count = count};
    s->context = (uint8_t)context;
    memcpy(state_insts(d, s), set->dense, count * sizeof *set->dense);
    state_fill(d, s);
    d->buckets[hash % BUCKETS] = at;
    d->used += bytes;
    return at;
}

/* Where a rune class leads from s: as state_intern, or NEXT_SINK. */
static uint32_t step_locked(struct dfa *d, struct state *s, uint32_t class)
{
    const uint32_t *insts = state_insts(d, s);
    int32_t rune = d->alphabet.sample[class];
    unsigned flags = s->has_empty ? empty_flags_between(rune_before(s->context), rune) : 0;
    d->from.count = d->to.count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        program_follow(d->prog, &d->from, insts[i], flags, d->stack);
    for (uint32_t i = 0; i < d->from.count; i++) {
        const struct inst *inst = &d->prog->insts[d->from.dense[i]];
        if (inst_matches(d->prog, inst, rune))
            program_follow(d->prog, &d->to, inst->out, 0, d->stack);
    }
    uint32_t next = state_intern(d, &d->to, context_after(d, rune));
    return next > NEXT_SINK && state_at(d, next)->sink ? NEXT_SINK : next;
}

__attribute__((noinline)) static uint32_t step(struct dfa *d, struct state *s, uint32_t class)
{
    mutex_lock(&d->lock);
    _Atomic uint32_t *entry = &s->next[class];
    uint32_t next = atomic_load_explicit(entry, memory_order_relaxed);
    if (next == NEXT_UNKNOWN) {
        next = step_locked(d, s, class);
        atomic_store_explicit(entry, next, memory_order_release);
    }
    mutex_unlock(&d->lock);
    return next;
}

static bool take_memory(struct dfa *d, struct arena *arena)
{
    uint32_t count = d->prog->inst_count;
    size_t state = sizeof(struct state) + ((size_t)d->alphabet.class_count + 16) * sizeof(uint32_t);
    d->capacity = state * STATES_WANTED;
    d->capacity = d->capacity < MEMORY_MIN ? MEMORY_MIN : d->capacity > MEMORY_MAX ? MEMORY_MAX : d->capacity;
    d->memory = arena_try_alloc(arena, d->capacity);
    uint32_t *work = arena_try_alloc(arena, (6 * (size_t)count + 1) * sizeof *work);
    if (!d->memory || !work)
        return false;
    memset(work, 0, 4 * (size_t)count * sizeof *work);
    d->from = (struct inst_set){work, work + count, 0};
    d->to = (struct inst_set){work + 2 * (size_t)count, work + 3 * (size_t)count, 0};
    d->stack = work + 4 * (size_t)count;
    d->used = UNIT; /* smaller numbers are no offsets */
    return true;
}

struct dfa *dfa_new(const struct program *prog, struct arena *scratch, struct arena *arena)
{
    struct dfa *d = arena_try_alloc(arena, sizeof *d);
    if (!d)
        return NULL;
    memset(d, 0, sizeof *d);
    d->prog = prog;
    if (!alphabet_build(prog, scratch, arena, &d->alphabet) || !take_memory(d, arena))
        return NULL;
    mutex_init(&d->lock);
    program_follow(prog, &d->to, prog->start, 0, d->stack);
    unsigned context = prog->empty_flags ? AFTER_BEGIN : 0;
    d->start = state_intern(d, &d->to, context);
    return d->start == NEXT_UNKNOWN ? NULL : d;
}

bool dfa_match(struct dfa *d, struct slice text)
{
    if (d->start == NEXT_DEAD)
        return false;
    struct state *s = state_at(d, d->start);
    if (s->sink)
        return true;
    const uint8_t *p = text.data, *end = p + text.len;
    while (p < end) {
        uint32_t class;
        if (*p < 0x80) {
            class = d->alphabet.ascii[*p++];
        } else {
            size_t len;
            class = alphabet_class(&d->alphabet, utf8_decode(p, end, &len));
            p += len;
        }
        uint32_t next = atomic_load_explicit(&s->next[class], memory_order_acquire);
        if (next <= NEXT_SINK) {
            if (next == NEXT_UNKNOWN)
                next = step(d, s, class);
            if (next == NEXT_UNKNOWN)
                return vm_match(d->prog, text);
            if (next <= NEXT_SINK)
                return next == NEXT_SINK;
        }
        s = state_at(d, next);
    }
    return s->accepts;
}
