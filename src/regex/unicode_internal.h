/* unicode_internal.h - generated tables of Unicode (scripts/gen_tables.go). */
#ifndef REGEX_UNICODE_INTERNAL_H
#define REGEX_UNICODE_INTERNAL_H

#include <stdint.h>

enum {
    UNICODE_CATEGORIES = 30,
    UNICODE_CATEGORY_RANGES = 4007,
    UNICODE_ALIASES = 42,
    UNICODE_SCRIPTS = 163,
    UNICODE_SCRIPT_RANGES = 1657,
    UNICODE_FOLDS = 367,
    UNICODE_FOLD_EVEN_UP = 0,
    UNICODE_FOLD_ODD_UP = 2000000,
};

/* Runes from `first` to before the next entry's belong to `table`; 255 is none. */
struct unicode_range {
    int32_t first;
    uint8_t table;
};
/* A long name, as loose_name() writes it, and the short one of the same category. */
struct unicode_alias {
    const char *alias, *name;
};
/* From first to last, the next rune of the fold orbit is `distance` away, or one of the two patterns above. */
struct unicode_fold {
    int32_t first, last, distance;
};

extern const char *const unicode_categories[UNICODE_CATEGORIES];
extern const struct unicode_range unicode_category_ranges[UNICODE_CATEGORY_RANGES];
extern const struct unicode_alias unicode_aliases[UNICODE_ALIASES];
extern const char *const unicode_scripts[UNICODE_SCRIPTS];
extern const struct unicode_range unicode_script_ranges[UNICODE_SCRIPT_RANGES];
extern const struct unicode_fold unicode_folds[UNICODE_FOLDS];

#endif
