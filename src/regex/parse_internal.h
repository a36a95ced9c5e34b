/* parse_internal.h - what the two halves of the parser share: the stack machine and the reading of classes. */
#ifndef REGEX_PARSE_INTERNAL_H
#define REGEX_PARSE_INTERNAL_H

#include "regex/node_internal.h"

struct parser {
    struct arena *arena;
    struct slice whole, rest; /* the pattern; what is left of it */
    unsigned flags;           /* enum parse_flag */
    struct node *leaves;      /* one of each kind that carries nothing, shared */
    struct node *spare;       /* a literal that was joined to another; NULL or free for reuse */
    struct node **stack;      /* heap */
    size_t depth, capacity;
    struct slice *names; /* heap; group names by number */
    size_t name_capacity;
    uint32_t group_count;
    int64_t rune_count;          /* of all literals and classes seen */
    struct class class, scratch; /* work space */
    enum err err;                /* the first one; parsing stops */
    struct errmsg *why;
};

/* Records `code` with the offending text and returns false. */
bool parse_fail(struct parser *p, const char *code, struct slice text);
bool parse_fail_memory(struct parser *p);
/* Takes one rune off the text; fails where it is not UTF-8. */
bool parse_rune(struct parser *p, struct slice *text, int32_t *rune);
bool parse_check_utf8(struct parser *p, struct slice text);
/* The text from `from` to the start of `to`, both suffixes of the pattern. */
struct slice parse_between(struct slice from, struct slice to);

/* parse_stack.c; all return false (or NULL) once something failed. */
bool parse_leaves(struct parser *p); /* first of all: makes p->leaves */
void *parse_memory(struct parser *p, size_t bytes);
struct node *parse_node(struct parser *p, enum node_kind kind);
/* Fills in what follows from the children and checks the limits. */
bool parse_finish_node(struct parser *p, struct node *n);
struct node *parse_class_node(struct parser *p);   /* of the class that stands clean in p->class */
bool parse_push(struct parser *p, struct node *n); /* n may be NULL: failed before */
bool parse_push_leaf(struct parser *p, enum node_kind kind);
bool parse_push_literal(struct parser *p, int32_t rune);
bool parse_push_paren(struct parser *p, uint32_t number); /* 0: a group that captures nothing */
bool parse_push_group(struct parser *p, struct slice name);
bool parse_bar(struct parser *p);
bool parse_right_paren(struct parser *p);
bool parse_fold_group(struct parser *p); /* everything above the last '(' becomes one alternation */

/* parse_class.c; `text` starts at the backslash or bracket and is moved behind what was read. */
bool parse_escape(struct parser *p, struct slice *text, int32_t *rune);
/* True and *found when a class escape (\d, \pL ...) was added to p->class. */
bool parse_class_escape(struct parser *p, struct slice *text, bool *found);
bool parse_bracket(struct parser *p, struct slice *text); /* leaves the clean class in p->class */

#endif
