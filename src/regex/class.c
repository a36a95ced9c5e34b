/* class.c - sets of runes: ranges, case folding, named classes. */
#include "regex/class_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "regex/unicode_internal.h"

void class_deinit(struct class *c)
{
    mem_free(c->list);
    mem_free(c->seen);
    *c = (struct class){0};
}

void class_reset(struct class *c)
{
    c->count = c->clean = c->seen_count = 0;
}

static void class_append(struct class *c, int32_t low, int32_t high)
{
    if (c->count == c->capacity) {
        if (c->count > 4096)
            class_clean(c); /* keeps [\pL\pL\pL...] from growing without bound */
        if (c->count >= c->capacity / 2)
            c->list = mem_grow(c->list, &c->capacity, c->capacity + 1, sizeof *c->list);
    }
    c->list[c->count++] = (struct range){low, high};
}

void class_add(struct class *c, int32_t low, int32_t high)
{
    if (c->count > 0) {
        struct range *last = &c->list[c->count - 1];
        if (low <= last->high + 1 && last->low <= high + 1) {
            if (c->clean == c->count)
                c->clean--;
            last->low = low < last->low ? low : last->low;
            last->high = high > last->high ? high : last->high;
            return;
        }
    }
    class_append(c, low, high);
}

static int range_cmp(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return (x->high < y->high) - (x->high > y->high);
}

void class_clean(struct class *c)
{
    if (c->clean == c->count)
        return;
    qsort(c->list, c->count, sizeof *c->list, range_cmp);
    size_t kept = 0;
    for (size_t i = 1; i < c->count; i++) {
        struct range *last = &c->list[kept];
        if (c->list[i].low > last->high + 1)
            c->list[++kept] = c->list[i];
        else if (c->list[i].high > last->high)
            last->high = c->list[i].high;
    }
    c->count = c->clean = kept + 1;
}

void class_negate(struct class *c)
{
    int32_t low = 0;
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct range r = c->list[i];
        if (low < r.low)
            c->list[kept++] = (struct range){low, r.low - 1};
        low = r.high + 1;
    }
    c->count = kept;
    if (low <= RUNE_MAX)
        class_append(c, low, RUNE_MAX);
    c->clean = c->count;
}

void class_add_all(struct class *c, const struct range *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        class_add(c, list[i].low, list[i].high);
}

void class_add_negated(struct class *c, const struct range *list, size_t count)
{
    int32_t low = 0;
    for (size_t i = 0; i < count; i++) {
        if (low < list[i].low)
            class_add(c, low, list[i].low - 1);
        low = list[i].high + 1;
    }
    if (low <= RUNE_MAX)
        class_add(c, low, RUNE_MAX);
}

/* ---- Case folding ---- */

/* Index of the first entry that ends at r or later. */
static size_t fold_find(int32_t r)
{
    size_t low = 0, high = UNICODE_FOLDS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (unicode_folds[middle].last < r)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t fold_of(const struct unicode_fold *f, int32_t r)
{
    if (f->distance == UNICODE_FOLD_EVEN_UP)
        return r % 2 == 0 ? r + 1 : r - 1;
    if (f->distance == UNICODE_FOLD_ODD_UP)
        return r % 2 == 0 ? r - 1 : r + 1;
    return r + f->distance;
}

int32_t fold_next(int32_t r)
{
    size_t i = fold_find(r);
    return i < UNICODE_FOLDS && unicode_folds[i].first <= r ? fold_of(&unicode_folds[i], r) : r;
}

/* Whether the next runes of all of the entry's from first to last lie in low..high. */
static bool fold_stays_inside(const struct unicode_fold *f, int32_t first, int32_t last, int32_t low, int32_t high)
{
    bool in_turn = f->distance == UNICODE_FOLD_EVEN_UP || f->distance == UNICODE_FOLD_ODD_UP;
    int32_t down = in_turn ? -1 : f->distance, up = in_turn ? 1 : f->distance;
    return first + down >= low && last + up <= high;
}

/*
 * An orbit that leaves the range does so from a rune in it, so only runes whose next one is outside have to be
 * followed.
 */
void class_add_folded(struct class *c, int32_t low, int32_t high)
{
    class_add(c, low, high);
    for (size_t i = fold_find(low); i < UNICODE_FOLDS && unicode_folds[i].first <= high; i++) {
        const struct unicode_fold *f = &unicode_folds[i];
        int32_t first = f->first > low ? f->first : low, last = f->last < high ? f->last : high;
        if (fold_stays_inside(f, first, last, low, high))
            continue;
        for (int32_t r = first; r <= last; r++)
            for (int32_t other = fold_of(f, r); other < low || other > high; other = fold_next(other))
                class_append(c, other, other);
    }
}

/* ---- Named classes ---- */

struct named {
    const char *name;
    uint8_t count;
    struct range ranges[4];
};

static const struct named posix_classes[] = {
    {"alnum", 3, {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", 2, {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", 1, {{0, 0x7f}}},
    {"blank", 2, {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", 2, {{0, 0x1f}, {0x7f, 0x7f}}},
    {"digit", 1, {{'0', '9'}}},
    {"graph", 1, {{'!', '~'}}},
    {"lower", 1, {{'a', 'z'}}},
    {"print", 1, {{' ', '~'}}},
    {"punct", 4, {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", 2, {{'\t', '\r'}, {' ', ' '}}},
    {"upper", 1, {{'A', 'Z'}}},
    {"word", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", 3, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};
enum { POSIX_CLASSES = sizeof posix_classes / sizeof posix_classes[0] };

static const struct named perl_classes[] = {
    {"d", 1, {{'0', '9'}}},
    {"s", 3, {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
    {"w", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
};
enum { PERL_CLASSES = sizeof perl_classes / sizeof perl_classes[0] };

static void add_list(struct class *c, const struct range *list, size_t count, bool negated)
{
    if (negated)
        class_add_negated(c, list, count);
    else
        class_add_all(c, list, count);
}

static void add_named(struct class *c, const struct named *n, bool negated, bool fold)
{
    if (!fold) {
        add_list(c, n->ranges, n->count, negated);
        return;
    }
    struct class folded = {0};
    for (size_t i = 0; i < n->count; i++)
        class_add_folded(&folded, n->ranges[i].low, n->ranges[i].high);
    class_clean(&folded);
    add_list(c, folded.list, folded.count, negated);
    class_deinit(&folded);
}

bool class_add_perl(struct class *c, uint8_t letter, bool fold)
{
    for (size_t i = 0; i < PERL_CLASSES; i++)
        if (perl_classes[i].name[0] == (letter | 0x20)) {
            add_named(c, &perl_classes[i], (letter & 0x20) == 0, fold);
            return true;
        }
    return false;
}

bool class_add_posix(struct class *c, struct slice name, bool fold)
{
    bool negated = name.len > 0 && name.data[0] == '^';
    if (negated)
        name = slice_from(name, 1);
    for (size_t i = 0; i < POSIX_CLASSES; i++)
        if (slice_eq_str(name, posix_classes[i].name)) {
            add_named(c, &posix_classes[i], negated, fold);
            return true;
        }
    return false;
}

/* Whether table number `number` is part of the class `name`: "L" covers "Lu", "LC" covers "Lu", "Ll", "Lt". */
static bool category_in(struct slice name, unsigned number)
{
    const char *category = unicode_categories[number];
    if (slice_eq_str(name, "LC"))
        return category[0] == 'L' && strchr("ult", category[1]);
    return category[0] == name.data[0] && (name.len == 1 || slice_eq_str(name, category));
}

static bool add_tables(struct class *c, const struct unicode_range *ranges, size_t count, const bool *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].table != 255 && wanted[ranges[i].table])
            class_add(c, ranges[i].first, i + 1 < count ? ranges[i + 1].first - 1 : RUNE_MAX);
    return true;
}

static bool add_category(struct class *c, struct slice name)
{
    bool wanted[UNICODE_CATEGORIES], any = false;
    for (unsigned i = 0; i < UNICODE_CATEGORIES; i++)
        any |= wanted[i] = category_in(name, i);
    return any && add_tables(c, unicode_category_ranges, UNICODE_CATEGORY_RANGES, wanted);
}

static bool add_script(struct class *c, struct slice name)
{
    bool wanted[UNICODE_SCRIPTS], any = false;
    for (unsigned i = 0; i < UNICODE_SCRIPTS; i++)
        any |= wanted[i] = slice_eq_str(name, unicode_scripts[i]);
    return any && add_tables(c, unicode_script_ranges, UNICODE_SCRIPT_RANGES, wanted);
}

static void fold_all(struct class *c)
{
    struct class folded = {0};
    for (size_t i = 0; i < c->count; i++)
        class_add_folded(&folded, c->list[i].low, c->list[i].high);
    class_clean(&folded);
    class_deinit(c);
    *c = folded;
}

bool rune_is_letter_or_digit(int32_t r)
{
    uint32_t low = 0, high = UNICODE_CATEGORY_RANGES; /* before low: begin at r or earlier */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (unicode_category_ranges[middle].first <= r)
            low = middle + 1;
        else
            high = middle;
    }
    const char *category = unicode_categories[unicode_category_ranges[low - 1].table];
    return category[0] == 'L' || strcmp(category, "Nd") == 0;
}

static uint64_t table_key(struct slice name, bool negated, bool fold)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325) ^ (negated + 2U * fold + 1);
    for (size_t i = 0; i < name.len; i++)
        key = (key ^ name.data[i]) * UINT64_C(0x100000001b3);
    return key;
}

static bool seen_before(const struct class *c, uint64_t key)
{
    for (size_t i = 0; i < c->seen_count; i++)
        if (c->seen[i] == key)
            return true;
    return false;
}

/*
 * A name as Go 1.25 and later look it up: first letter upper case, others lower, without blanks, hyphens and
 * underscores (so that scripts with one in their names cannot be named at all).  Empty when it is no name.
 */
static struct slice loose_name(struct slice name, char out[32])
{
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c == '_' || c == '-' || c == ' ')
            continue;
        if (len == 0 && c >= 'a' && c <= 'z')
            c = (uint8_t)(c - 0x20);
        else if (len > 0 && c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 0x20);
        if (len == 32)
            return slice_of(NULL, 0);
        out[len++] = (char)c;
    }
    return slice_of(out, len);
}

/* "Lu" for "Uppercaseletter"; names that are no alias stay. */
static struct slice resolve_alias(struct slice name)
{
    if (slice_eq_str(name, "Lc"))
        return SLICE_LIT("LC");
    for (unsigned i = 0; i < UNICODE_ALIASES; i++)
        if (slice_eq_str(name, unicode_aliases[i].alias))
            return slice_str(unicode_aliases[i].name);
    return name;
}

/* What only loose names may be. */
static bool add_special(struct class *c, struct slice name)
{
    if (slice_eq_str(name, "Ascii")) {
        class_add(c, 0, 0x7f);
    } else if (slice_eq_str(name, "Assigned")) {
        add_category(c, SLICE_LIT("Cn"));
        class_clean(c);
        class_negate(c);
    } else {
        return false;
    }
    return true;
}

static bool add_table(struct class *c, struct slice name, bool loose)
{
    if (name.len == 0)
        return false;
    if (slice_eq_str(name, "Any")) {
        class_add(c, 0, RUNE_MAX);
        return true;
    }
    return add_category(c, name) || add_script(c, name) || (loose && add_special(c, name));
}

bool class_add_unicode(struct class *c, struct slice name, bool negated, bool fold, bool loose, struct class *scratch)
{
    char text[32];
    if (loose)
        name = resolve_alias(loose_name(name, text));
    uint64_t key = table_key(name, negated, fold);
    if (seen_before(c, key))
        return true;
    class_reset(scratch);
    if (!add_table(scratch, name, loose))
        return false;
    c->seen = mem_grow(c->seen, &c->seen_capacity, c->seen_count + 1, sizeof *c->seen);
    c->seen[c->seen_count++] = key;
    class_clean(scratch);
    if (fold && !slice_eq_str(name, "LC")) /* for which Go has no foldings */
        fold_all(scratch);
    add_list(c, scratch->list, scratch->count, negated);
    return true;
}
