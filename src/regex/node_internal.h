/*
 * node_internal.h - the syntax tree of a pattern.
 *
 * Ownership: everything lives in the arena of the compilation; leaves without data are shared.
 */
#ifndef REGEX_NODE_INTERNAL_H
#define REGEX_NODE_INTERNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "regex/class_internal.h"

enum node_kind {
    NODE_EMPTY,
    NODE_LITERAL,
    NODE_CLASS,
    NODE_ANY_NOT_NL,
    NODE_ANY,
    NODE_BEGIN_LINE,
    NODE_END_LINE,
    NODE_BEGIN_TEXT,
    NODE_END_TEXT,
    NODE_WORD_BOUNDARY,
    NODE_NO_WORD_BOUNDARY,
    NODE_CAPTURE,
    NODE_STAR,
    NODE_PLUS,
    NODE_QUEST,
    NODE_REPEAT,
    NODE_CONCAT,
    NODE_ALTERNATE,
    NODE_PSEUDO_, /* only on the parser's stack from here on */
    NODE_LEFT_PAREN,
    NODE_BAR,
};

enum { NODE_HEIGHT_MAX = 1000 }; /* matchers are compiled with ^ and $ around them, which counts as a level */

struct node {
    enum node_kind kind;
    bool lazy;                /* quantifiers: prefer fewer */
    bool fold;                /* literals: ignore case */
    bool nullable;            /* can match the empty text */
    uint32_t count, capacity; /* runes, ranges or children */
    int32_t min, max;         /* repeat: max -1 = no end.  capture, left paren: min is the group's number, 0 = none */
    uint32_t height;          /* of the tree below, a leaf is 1 */
    uint32_t flags;           /* left paren: those to restore.  class: 1 + its number in the program */
    int64_t size;             /* instructions, estimated as Go does */
    union {
        int32_t *runes;
        const struct range *ranges;
        struct node **children;
    };
};

struct syntax {
    struct node *root;
    uint32_t group_count;            /* without group 0 */
    const struct slice *group_names; /* [group_count + 1]; borrow the pattern, empty where there is none */
};

enum parse_flag { PARSE_FOLD = 1, PARSE_DOT_NL = 2, PARSE_MULTI_LINE = 4, PARSE_LAZY = 8, PARSE_LOOSE_NAMES = 16 };

/* Go's syntax.Parse(text, Perl | flags).  ERR_INVALID with Go's text, ERR_LIMIT when the arena's budget ends. */
MUST_CHECK enum err regex_parse(struct slice text, unsigned flags, struct arena *arena, struct syntax *out,
                                struct errmsg *why);

#endif
