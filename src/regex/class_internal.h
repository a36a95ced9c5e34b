/*
 * class_internal.h - sets of runes, as the parser builds them.
 *
 * Ownership: a builder keeps its memory between classes; class_deinit frees it.
 */
#ifndef REGEX_CLASS_INTERNAL_H
#define REGEX_CLASS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct range {
    int32_t low, high; /* inclusive */
};

struct class
{
    struct range *list;
    size_t count, capacity, clean; /* the first `clean` ranges are sorted, disjoint and not adjacent */
    uint64_t *seen; /* named tables in it, so that repeating one costs nothing; there are less than 1,000 */
    size_t seen_count, seen_capacity;
};

void class_deinit(struct class *c);
void class_reset(struct class *c);
void class_add(struct class *c, int32_t low, int32_t high);
/* Adds the range and all runes that differ from its runes in case only. */
void class_add_folded(struct class *c, int32_t low, int32_t high);
void class_add_all(struct class *c, const struct range *list, size_t count);
/* Adds what is not in the list, which must be clean. */
void class_add_negated(struct class *c, const struct range *list, size_t count);
void class_clean(struct class *c);  /* sorts, merges */
void class_negate(struct class *c); /* of a clean one; stays clean */

/* The next rune that equals r but for case, itself when there is none; following it leads back to r. */
int32_t fold_next(int32_t r);

/* unicode.IsLetter or unicode.IsDigit */
bool rune_is_letter_or_digit(int32_t r);

/* Adds \d \s \w or [:name:] (without its colons), in lower case for the letters; false when unknown. */
bool class_add_perl(struct class *c, uint8_t letter, bool fold);
bool class_add_posix(struct class *c, struct slice name, bool fold);
/*
 * Adds \p{name}; `scratch` is overwritten.  Loose names may be long ones and written in any case.  Prometheus'
 * matchers use a parser that does not know them, label_replace and relabeling one that does.
 */
bool class_add_unicode(struct class *c, struct slice name, bool negated, bool fold, bool loose, struct class *scratch);

#endif
