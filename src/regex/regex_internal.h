/*
 * regex_internal.h - a compiled pattern: shortcuts, the program, the automaton.
 *
 * A pattern that is literals with ".*" and ".+" between them, or a finite set of texts, is matched without
 * a program.  Every other one is a program (Thompson's construction) that the automaton (dfa.c)
 * learns states of; where the automaton is full or the alphabet too large, the program runs by
 * itself (vm.c).  Groups always come from the program.
 */
#ifndef REGEX_REGEX_INTERNAL_H
#define REGEX_REGEX_INTERNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "regex/node_internal.h"
#include "regex/regex.h"

/* ---- Program ---- */

enum inst_kind {
    INST_FAIL,
    INST_MATCH,
    INST_ALT,     /* prefer out, then arg */
    INST_CAPTURE, /* arg: 2 * group, + 1 at its end */
    INST_EMPTY,   /* arg: enum empty_flag that must hold here */
    INST_RUNE,    /* arg: the rune */
    INST_CLASS,   /* arg: index into classes */
    INST_ANY,
    INST_ANY_NOT_NL,
};

enum empty_flag {
    EMPTY_BEGIN_LINE = 1,
    EMPTY_END_LINE = 2,
    EMPTY_BEGIN_TEXT = 4,
    EMPTY_END_TEXT = 8,
    EMPTY_WORD = 16,
    EMPTY_NO_WORD = 32,
};

struct inst {
    uint32_t kind, out, arg;
};

struct rune_class {
    const struct range *ranges; /* sorted, disjoint */
    uint32_t count;
};

struct program {
    const struct inst *insts; /* 0 is INST_FAIL */
    const struct rune_class *classes;
    uint32_t inst_count, class_count, start;
    unsigned empty_flags; /* all that occur */
};

/* Compiles the tree for a match of the whole text; marks classes in the nodes. */
MUST_CHECK enum err program_compile(struct node *root, struct arena *scratch, struct arena *arena, struct program *out,
                                    struct errmsg *why);
bool inst_matches(const struct program *prog, const struct inst *inst, int32_t rune);

/* The flags that hold between two runes; -1 is the edge of the text. */
unsigned empty_flags_between(int32_t before, int32_t after);

/* A set of instructions with O(1) insert and clear; order of insertion is kept. */
struct inst_set {
    uint32_t *dense, *sparse;
    uint32_t count;
};
static inline bool inst_set_has(const struct inst_set *s, uint32_t i)
{
    return s->sparse[i] < s->count && s->dense[s->sparse[i]] == i;
}
static inline void inst_set_add(struct inst_set *s, uint32_t i)
{
    s->sparse[i] = s->count;
    s->dense[s->count++] = i;
}
/* Adds what inst leads to without reading a rune.  `stack` has room for 2 * inst_count + 1. */
void program_follow(const struct program *prog, struct inst_set *set, uint32_t inst, unsigned flags, uint32_t *stack);

/* ---- Engines ---- */

bool vm_match(const struct program *prog, struct slice s);
/* Pairs of offsets for groups 0, 1 ...; SIZE_MAX = took no part.  False: no match. */
bool vm_submatch(const struct program *prog, struct slice s, size_t *offsets, uint32_t offset_count);
/* Its two halves, which must agree; offsets hold SIZE_MAX before.  The first only for small products. */
bool vm_backtrack(const struct program *prog, struct slice s, size_t *offsets, uint32_t offset_count);
bool vm_pike(const struct program *prog, struct slice s, size_t *offsets, uint32_t offset_count);

struct dfa;
/* NULL: the alphabet is too large, or the budget too small. */
struct dfa *dfa_new(const struct program *prog, struct arena *scratch, struct arena *arena);
bool dfa_match(struct dfa *dfa, struct slice s);

/* Which runes no instruction tells apart. */
struct alphabet {
    uint32_t class_count;
    uint16_t ascii[128];
    const int32_t *cuts; /* ascending; a class per range that begins there; cuts[0] is 0 */
    const uint16_t *cut_class;
    uint32_t cut_count;
    const int32_t *sample; /* a rune of each class */
};
enum { ALPHABET_MAX = 2048 };
/* False when there would be more than ALPHABET_MAX classes or it would take too long. */
bool alphabet_build(const struct program *prog, struct arena *scratch, struct arena *arena, struct alphabet *out);
uint32_t alphabet_class(const struct alphabet *a, int32_t rune); /* of a rune >= 128 */

/* ---- Shortcuts ---- */

enum { GLOB_PARTS_MAX = 8 };
/* literal[0] gap literal[1] gap ...; a gap is any text of at least gap_min bytes, 0 or 1. */
struct glob {
    uint32_t part_count; /* 0: the pattern is no glob */
    struct slice literal[GLOB_PARTS_MAX];
    uint8_t gap_min[GLOB_PARTS_MAX]; /* [i] stands before literal[i]; [0] is unused */
    size_t bytes_min;
};
bool glob_match(const struct glob *g, struct slice s);

struct literal_set {
    const struct slice *list; /* sorted, unique */
    uint32_t count;
    const uint32_t *buckets; /* open addressing, index + 1; NULL: few enough to compare each */
    uint32_t bucket_mask;
    size_t bytes_min, bytes_max;
};
/* Sorts the list in place, drops duplicates; false when memory ends. */
bool literal_set_build(struct literal_set *set, struct slice *list, uint32_t count, struct arena *arena);
bool literal_set_has(const struct literal_set *set, struct slice s);

struct regex {
    struct slice pattern;
    struct syntax syntax; /* root is NULL: only groups are kept */
    struct glob glob;
    struct literal_set literals;
    struct slice prefix, suffix, substring;
    const struct program *program;  /* NULL when a shortcut answers and no groups are wanted */
    struct dfa *dfa;                /* NULL: the program runs by itself */
    bool matches_empty, fixed_ends; /* fixed_ends: group 0 is always the whole text */
};

/* A literal whose bytes are all that it matches. */
bool node_is_plain(const struct node *n);
struct slice runes_encode(struct arena *arena, const int32_t *runes, uint32_t count); /* NULL data: no memory */
/* False when the tree matches infinitely many texts, too many, or memory ended. */
bool finite_texts(const struct node *root, struct arena *scratch, struct arena *arena, struct literal_set *out);

/* Replaces assertions that hold anyway at the ends of the text by the empty node. */
struct node *analyze_strip(struct node *root, struct node *empty);
/* Fills in shortcuts and hints, as far as bounded memory allows; none of them is needed. */
void analyze(const struct node *root, struct mem_budget *budget, struct arena *arena, struct regex *re);
/* a|b|c without any operator: true when the pattern is that and the set was made without parsing. */
bool analyze_plain_alternatives(struct slice pattern, struct arena *arena, struct regex *re);

#endif
