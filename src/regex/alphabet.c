/*
 * alphabet.c - runes that no instruction tells apart share a class; the automaton's tables are as wide as that.
 *
 * The bounds of all ranges cut 0..RUNE_MAX into intervals.  Single runes get classes of their own.  The other
 * intervals start in one class; each set of ranges splits every class that it cuts in two.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "regex/regex_internal.h"

enum { CUTS_MAX = 1 << 16, WORK_MAX = 1 << 24 };

struct cutter {
    int32_t *cuts;
    size_t count, capacity;
};

static void cut_range(struct cutter *c, int32_t low, int32_t high)
{
    if (c->count + 2 > c->capacity)
        return;
    c->cuts[c->count++] = low;
    c->cuts[c->count++] = high + 1;
}

/* Calls add for each distinct set of runes that an instruction or assertion looks at. */
static void cut_all(const struct program *prog, struct cutter *c)
{
    cut_range(c, 0, RUNE_MAX);
    for (uint32_t i = 0; i < prog->class_count; i++)
        for (uint32_t r = 0; r < prog->classes[i].count; r++)
            cut_range(c, prog->classes[i].ranges[r].low, prog->classes[i].ranges[r].high);
    for (uint32_t i = 0; i < prog->inst_count; i++) {
        if (prog->insts[i].kind == INST_RUNE)
            cut_range(c, (int32_t)prog->insts[i].arg, (int32_t)prog->insts[i].arg);
        else if (prog->insts[i].kind == INST_ANY_NOT_NL)
            cut_range(c, '\n', '\n');
    }
}

static const struct range word_ranges[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct range newline_ranges[] = {{'\n', '\n'}};
static const struct rune_class words = {word_ranges, 4}, newline = {newline_ranges, 1};

static bool needs_words(const struct program *prog)
{
    return prog->empty_flags & (EMPTY_WORD | EMPTY_NO_WORD);
}

static bool needs_lines(const struct program *prog)
{
    return prog->empty_flags & (EMPTY_BEGIN_LINE | EMPTY_END_LINE);
}

static int cut_cmp(const void *a, const void *b)
{
    int32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static uint32_t sort_unique(int32_t *cuts, size_t count)
{
    qsort(cuts, count, sizeof *cuts, cut_cmp);
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if ((kept == 0 || cuts[i] != cuts[kept - 1]) && cuts[i] <= RUNE_MAX)
            cuts[kept++] = cuts[i];
    return kept;
}

/* The interval in which the rune lies. */
static uint32_t find_cut(const int32_t *cuts, uint32_t count, int32_t rune)
{
    uint32_t low = 0, high = count; /* before low: begins at rune or earlier */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cuts[middle] <= rune)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

struct partition {
    const int32_t *cuts;
    uint32_t cut_count, class_count;
    uint32_t *class_of;        /* [cut_count] */
    uint32_t *size, *hit, *to; /* per class: intervals in it; of these, in the set; where those go, 0 = undecided */
    uint64_t work;
};

/* The class that takes what is in the set out of `class`; false when there are too many. */
static bool split_off(struct partition *p, uint32_t class, uint32_t *to)
{
    if (p->to[class] == 0) {
        if (p->class_count == ALPHABET_MAX)
            return false;
        p->to[class] = p->class_count++;
        p->size[p->to[class]] = p->hit[p->to[class]] = p->to[p->to[class]] = 0;
    }
    *to = p->to[class];
    return true;
}

/* Splits each class into what lies in the set and what does not: first counts, then moves. */
static bool split(struct partition *p, const struct rune_class *set, bool move)
{
    for (uint32_t r = 0; r < set->count; r++) {
        uint32_t i = find_cut(p->cuts, p->cut_count, set->ranges[r].low);
        for (; i < p->cut_count && p->cuts[i] <= set->ranges[r].high; i++) {
            uint32_t class = p->class_of[i];
            if (++p->work > WORK_MAX)
                return false;
            if (!move)
                p->hit[class]++;
            else if (p->hit[class] < p->size[class] && !split_off(p, class, &p->class_of[i]))
                return false;
        }
    }
    return true;
}

/* After a split: sizes are counted anew, marks cleared. */
static void settle(struct partition *p)
{
    for (uint32_t c = 0; c < p->class_count; c++)
        p->size[c] = p->hit[c] = p->to[c] = 0;
    for (uint32_t i = 0; i < p->cut_count; i++)
        p->size[p->class_of[i]]++;
    p->work += p->class_count + p->cut_count;
}

static bool split_by_set(struct partition *p, const struct rune_class *set)
{
    if (!split(p, set, false) || !split(p, set, true))
        return false;
    settle(p);
    return p->work <= WORK_MAX;
}

/* A class of its own for every rune that an instruction names. */
static bool split_singles(struct partition *p, const struct program *prog)
{
    for (uint32_t i = 0; i < prog->inst_count; i++) {
        if (prog->insts[i].kind != INST_RUNE)
            continue;
        uint32_t cut = find_cut(p->cuts, p->cut_count, (int32_t)prog->insts[i].arg);
        if (p->class_of[cut] != 0)
            continue;
        if (p->class_count == ALPHABET_MAX)
            return false;
        p->class_of[cut] = p->class_count++;
    }
    settle(p);
    return true;
}

static bool has_any_not_nl(const struct program *prog)
{
    for (uint32_t i = 0; i < prog->inst_count; i++)
        if (prog->insts[i].kind == INST_ANY_NOT_NL)
            return true;
    return false;
}

static bool partition_all(struct partition *p, const struct program *prog)
{
    p->class_count = 1;
    if (!split_singles(p, prog))
        return false;
    for (uint32_t i = 0; i < prog->class_count; i++)
        if (!split_by_set(p, &prog->classes[i]))
            return false;
    if ((has_any_not_nl(prog) || needs_lines(prog)) && !split_by_set(p, &newline))
        return false;
    return !needs_words(prog) || split_by_set(p, &words);
}

/* Numbers the classes that are in use and copies the result. */
static bool finish(const struct partition *p, struct arena *arena, struct alphabet *out)
{
    int32_t *cuts = arena_try_alloc(arena, p->cut_count * sizeof *cuts);
    uint16_t *classes = arena_try_alloc(arena, p->cut_count * sizeof *classes);
    int32_t *sample = arena_try_alloc(arena, p->class_count * sizeof *sample);
    if (!cuts || !classes || !sample)
        return false;
    for (uint32_t i = 0; i < p->class_count; i++)
        p->to[i] = UINT32_MAX;
    out->class_count = 0;
    for (uint32_t i = 0; i < p->cut_count; i++) {
        uint32_t old = p->class_of[i];
        if (p->to[old] == UINT32_MAX) {
            sample[out->class_count] = p->cuts[i];
            p->to[old] = out->class_count++;
        }
        cuts[i] = p->cuts[i];
        classes[i] = (uint16_t)p->to[old];
    }
    out->cuts = cuts;
    out->cut_class = classes;
    out->cut_count = p->cut_count;
    out->sample = sample;
    for (int32_t c = 0; c < 128; c++)
        out->ascii[c] = classes[find_cut(cuts, p->cut_count, c)];
    return true;
}

static size_t count_cuts(const struct program *prog)
{
    size_t count = 2 * (1 + 1 + 4); /* everything, newline, words */
    for (uint32_t i = 0; i < prog->class_count; i++)
        count += 2 * (size_t)prog->classes[i].count;
    for (uint32_t i = 0; i < prog->inst_count; i++)
        count += prog->insts[i].kind == INST_RUNE || prog->insts[i].kind == INST_ANY_NOT_NL ? 2 : 0;
    return count;
}

bool alphabet_build(const struct program *prog, struct arena *scratch, struct arena *arena, struct alphabet *out)
{
    struct cutter c = {.capacity = count_cuts(prog)};
    c.cuts = arena_try_alloc(scratch, c.capacity * sizeof *c.cuts);
    if (!c.cuts)
        return false;
    cut_all(prog, &c);
    for (uint32_t i = 0; i < 4 && needs_words(prog); i++)
        cut_range(&c, word_ranges[i].low, word_ranges[i].high);
    if (needs_lines(prog))
        cut_range(&c, '\n', '\n');
    struct partition p = {.cuts = c.cuts, .cut_count = sort_unique(c.cuts, c.count)};
    if (p.cut_count > CUTS_MAX)
        return false;
    p.class_of = arena_try_alloc(scratch, p.cut_count * sizeof *p.class_of);
    p.size = arena_try_alloc(scratch, ALPHABET_MAX * 3 * sizeof *p.size);
    if (!p.class_of || !p.size)
        return false;
    p.hit = p.size + ALPHABET_MAX;
    p.to = p.hit + ALPHABET_MAX;
    memset(p.class_of, 0, p.cut_count * sizeof *p.class_of);
    memset(p.size, 0, ALPHABET_MAX * 3 * sizeof *p.size);
    return partition_all(&p, prog) && finish(&p, arena, out);
}

uint32_t alphabet_class(const struct alphabet *a, int32_t rune)
{
    return a->cut_class[find_cut(a->cuts, a->cut_count, rune)];
}
