/*
 * block_match.c - from matchers to the ordinals of series.
 *
 * Matchers that name values outright (= and regexes that are a list of literals) come first, fewest
 * series first; then regexes that need the label; last those that a missing label satisfies.  Each
 * narrows what is left in the cheaper of two ways: by postings (all series of the matching values, as a
 * bitmap), or, when few candidates are left, by looking at each candidate's own value.
 *
 * Damage is worked around where the index says a thing twice: postings that cannot be read are made up
 * from the label pages.  Else the series that cannot be judged are left out, with a warning.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "block/block_internal.h"
#include "regex/regex.h"

enum { CANCEL_EVERY = 4096, SMALL_CANDIDATES = 256 };

enum order { ORDER_LITERAL, ORDER_PRESENT, ORDER_ABSENT };

/* A matcher on its way: what is known before postings are read. */
struct plan {
    const struct matcher *m;
    const struct toc_name *name; /* NULL: no series has the label */
    bool matches_empty;          /* a series without the label satisfies it */
    enum order order;
    uint64_t cost; /* series to look at: exact for literals, else all of the block */
};

struct match {
    struct block *b;
    struct arena *arena;
    struct cancel *cancel;
    struct warnings *warnings;
    struct errmsg *why; /* never NULL */
    struct dict_cursor dict;
    struct label_view view;
    uint64_t *bitmap; /* of the matcher at hand; the arena's */
    size_t words;
    uint32_t *ordinals; /* candidates, once `limited`; ascending */
    uint32_t count;
    bool limited; /* false: all series are candidates */
    bool strict;  /* what cannot be read now is an error */
};

static bool forgives(const struct match *x, enum err err, const struct errmsg *why)
{
    return !(x->strict && err == ERR_IO) && block_forgive(x->warnings, err, why);
}

static bool wanted(const struct matcher *m, struct slice value)
{
    return matcher_matches(m, value);
}

/* The values a regex or an equality consists of; count 0: not such a list. */
static struct regex_literals literals_of(const struct matcher *m)
{
    if (m->op == MATCH_EQUAL)
        return (struct regex_literals){1, &m->value};
    if (m->op == MATCH_REGEX)
        return regex_literals(m->regex);
    return (struct regex_literals){0};
}

/* What stopped the cursor: ERR_OK when nothing did, or damage that is forgiven. */
static enum err dict_stopped(struct match *x)
{
    if (x->dict.err == ERR_OK || forgives(x, x->dict.err, &x->dict.why))
        return ERR_OK;
    *x->why = x->dict.why;
    return x->dict.err;
}

/* Whether the dictionary has the value; the cursor then stands there. */
static bool find_value(struct match *x, const struct toc_name *name, struct slice value)
{
    return dict_seek_value(x->b, &x->dict, name, value) && slice_eq(buf_view(&x->dict.value), value);
}

static enum err over_budget(struct match *x)
{
    return err_set(x->why, ERR_LIMIT, "selector is over the memory budget of the query");
}

static enum err plan_one(struct match *x, const struct matcher *m, struct plan *p)
{
    *p = (struct plan){.m = m,
                       .name = block_find_name(x->b, m->name),
                       .matches_empty = wanted(m, (struct slice){0}),
                       .order = ORDER_PRESENT,
                       .cost = x->b->toc.meta.series};
    struct regex_literals literals = literals_of(m);
    if (p->matches_empty) {
        p->order = ORDER_ABSENT;
    } else if (!p->name) {
        p->order = ORDER_LITERAL;
        p->cost = 0;
    } else if (literals.count) {
        p->order = ORDER_LITERAL;
        p->cost = 0;
        for (uint32_t i = 0; i < literals.count; i++) {
            if (find_value(x, p->name, literals.list[i]))
                p->cost += x->dict.count;
            else
                TRY(dict_stopped(x));
        }
    }
    return ERR_OK;
}

static int compare_plans(const void *a, const void *b)
{
    const struct plan *x = (const struct plan *)a, *y = (const struct plan *)b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->cost > y->cost) - (x->cost < y->cost);
}

static void mark(void *ctx, const int64_t *ordinals, uint32_t count)
{
    uint64_t *bitmap = ((struct match *)ctx)->bitmap;
    for (uint32_t i = 0; i < count; i++)
        bitmap[ordinals[i] >> 6] |= UINT64_C(1) << (ordinals[i] & 63);
}

/* The value id of a label for one series; 0: it has none. */
static enum err value_id(struct match *x, const struct toc_name *name, uint32_t ordinal, uint32_t *id)
{
    TRY(label_view_load(x->b, &x->view, ordinal, x->why));
    uint32_t rank = (uint32_t)(name - x->b->toc.names), low = 0, high = x->view.name_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (x->view.names[mid].name < rank)
            low = mid + 1;
        else
            high = mid;
    }
    bool there = low < x->view.name_count && x->view.names[low].name == rank;
    *id = there ? label_view_id(&x->view.names[low], ordinal % LABEL_GROUP_SERIES) : 0;
    return *id <= name->pair_count
               ? ERR_OK
               : err_set(x->why, ERR_CORRUPT, "block %s: index: label page names a value that is not there", x->b->dir);
}

/* The series of the cursor's pair from the label pages: slow, for postings that are damaged. */
static enum err mark_by_labels(struct match *x, const struct toc_name *name)
{
    uint32_t wanted_id = 1 + x->dict.id - name->first_pair, id = 0;
    for (uint64_t i = 0; i < x->b->toc.meta.series; i++) {
        if (i % CANCEL_EVERY == 0)
            TRY(cancel_check(x->cancel));
        enum err err = value_id(x, name, (uint32_t)i, &id);
        if (err == ERR_OK && id == wanted_id)
            x->bitmap[i >> 6] |= UINT64_C(1) << (i & 63);
        if (err != ERR_OK && !forgives(x, err, x->why))
            return err;
        if (err != ERR_OK)
            i |= LABEL_GROUP_SERIES - 1; /* on to the next page */
    }
    return ERR_OK;
}

static enum err mark_current(struct match *x, const struct toc_name *name)
{
    enum err err = postings_walk(x->b, &x->dict, mark, x, x->why);
    return err == ERR_CORRUPT || err == ERR_IO ? mark_by_labels(x, name) : err;
}

static enum err mark_literals(struct match *x, const struct plan *p, struct regex_literals literals)
{
    for (uint32_t i = 0; i < literals.count; i++) {
        if (find_value(x, p->name, literals.list[i]))
            TRY(mark_current(x, p->name));
        else
            TRY(dict_stopped(x));
    }
    return ERR_OK;
}

/* To the next value; past damaged pages. */
static enum err scan_on(struct match *x, bool *more)
{
    while (!*more && x->dict.err != ERR_OK) {
        TRY(dict_stopped(x));
        *more = dict_skip_page(x->b, &x->dict);
    }
    return ERR_OK;
}

/* Walks the values of the name that can match (`prefix`), marks those whose outcome is `outcome`. */
static enum err mark_scan(struct match *x, const struct plan *p, struct slice prefix, bool outcome)
{
    uint32_t end = p->name->first_pair + p->name->pair_count, steps = 0;
    bool more = dict_seek_value(x->b, &x->dict, p->name, prefix);
    TRY(scan_on(x, &more));
    while (more && x->dict.id < end) {
        struct slice value = buf_view(&x->dict.value);
        if (!slice_starts_with(value, prefix) && slice_cmp(value, prefix) > 0)
            break;
        if (++steps % CANCEL_EVERY == 0)
            TRY(cancel_check(x->cancel));
        if (wanted(p->m, value) == outcome)
            TRY(mark_current(x, p->name));
        more = dict_next(x->b, &x->dict);
        TRY(scan_on(x, &more));
    }
    return ERR_OK;
}

/* Marks the series whose value satisfies the matcher or, when a missing label does too, those whose value does not. */
static enum err mark_matcher(struct match *x, const struct plan *p)
{
    if (p->matches_empty) {
        if (p->m->op == MATCH_NOT_EQUAL)
            return mark_literals(x, p, (struct regex_literals){1, &p->m->value});
        if (p->m->op == MATCH_NOT_REGEX && regex_literals(p->m->regex).count)
            return mark_literals(x, p, regex_literals(p->m->regex));
        return mark_scan(x, p, (struct slice){0}, false);
    }
    struct regex_literals literals = literals_of(p->m);
    if (literals.count)
        return mark_literals(x, p, literals);
    struct slice prefix = p->m->op == MATCH_REGEX ? regex_prefix(p->m->regex) : (struct slice){0};
    return mark_scan(x, p, prefix, true);
}

static enum err new_bitmap(struct match *x)
{
    size_t bytes = x->words * sizeof *x->bitmap;
    if (!x->bitmap)
        x->bitmap = (uint64_t *)arena_try_alloc(x->arena, bytes);
    if (!x->bitmap)
        return over_budget(x);
    memset(x->bitmap, 0, bytes);
    return ERR_OK;
}

static enum err ordinals_from_bitmap(struct match *x, bool negated)
{
    uint64_t series = x->b->toc.meta.series, count = 0;
    for (size_t i = 0; i < x->words; i++)
        count += (uint64_t)__builtin_popcountll(x->bitmap[i]);
    count = negated ? series - count : count;
    x->ordinals = (uint32_t *)arena_try_alloc(x->arena, (size_t)(count + 1) * sizeof *x->ordinals);
    if (!x->ordinals)
        return err_set(x->why, ERR_LIMIT, "%" PRIu64 " selected series are over the memory budget of the query", count);
    x->count = 0;
    for (size_t i = 0; i < x->words; i++) {
        uint64_t word = negated ? ~x->bitmap[i] : x->bitmap[i];
        if (i == x->words - 1 && series % 64)
            word &= (UINT64_C(1) << series % 64) - 1;
        for (; word; word &= word - 1)
            x->ordinals[x->count++] = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
    }
    x->limited = true;
    return ERR_OK;
}

static enum err narrow_by_postings(struct match *x, const struct plan *p)
{
    TRY(new_bitmap(x));
    if (p->name)
        TRY(mark_matcher(x, p));
    if (!x->limited)
        return ordinals_from_bitmap(x, p->matches_empty);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t o = x->ordinals[i];
        bool marked = x->bitmap[o >> 6] >> (o & 63) & 1;
        x->ordinals[kept] = o;
        kept += marked != p->matches_empty;
    }
    x->count = kept;
    return ERR_OK;
}

/* Outcomes by value id, filled as values are met. */
enum outcome { UNKNOWN, NO, YES };

static enum err decide(struct match *x, const struct plan *p, uint32_t id, uint8_t *known, bool *out)
{
    if (known[id] == UNKNOWN) {
        bool found = !id || dict_seek(x->b, &x->dict, p->name->first_pair + id - 1);
        if (!found)
            TRY(dict_stopped(x));
        bool yes = !id ? p->matches_empty : found && wanted(p->m, buf_view(&x->dict.value));
        known[id] = yes ? YES : NO;
    }
    *out = known[id] == YES;
    return ERR_OK;
}

static enum err narrow_by_values(struct match *x, const struct plan *p)
{
    uint8_t *known = (uint8_t *)arena_try_alloc(x->arena, (size_t)p->name->pair_count + 1);
    if (!known)
        return over_budget(x);
    memset(known, UNKNOWN, (size_t)p->name->pair_count + 1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t id = 0;
        bool yes = false;
        if (i % CANCEL_EVERY == 0)
            TRY(cancel_check(x->cancel));
        enum err err = value_id(x, p->name, x->ordinals[i], &id);
        if (err != ERR_OK && !forgives(x, err, x->why))
            return err;
        if (err != ERR_OK)
            continue;
        TRY(decide(x, p, id, known, &yes));
        x->ordinals[kept] = x->ordinals[i];
        kept += yes;
    }
    x->count = kept;
    return ERR_OK;
}

/* Postings cost about a nanosecond per series of the matching values; a candidate's own value some ten. */
static bool values_are_cheaper(const struct match *x, const struct plan *p)
{
    return x->limited && p->name && (x->count <= SMALL_CANDIDATES || (uint64_t)x->count * 16 <= p->cost);
}

static enum err narrow(struct match *x, const struct plan *p)
{
    TRY(cancel_check(x->cancel));
    if (!p->name && p->matches_empty)
        return ERR_OK; /* no series has the label: all satisfy it */
    return values_are_cheaper(x, p) ? narrow_by_values(x, p) : narrow_by_postings(x, p);
}

static enum err run(struct match *x, const struct matcher *matchers, uint32_t matcher_count)
{
    struct plan *plans = (struct plan *)arena_try_alloc(x->arena, (matcher_count + 1) * sizeof *plans);
    if (!plans)
        return over_budget(x);
    for (uint32_t i = 0; i < matcher_count; i++)
        TRY(plan_one(x, &matchers[i], &plans[i]));
    qsort(plans, matcher_count, sizeof *plans, compare_plans);
    for (uint32_t i = 0; i < matcher_count && !(x->limited && x->count == 0); i++)
        TRY(narrow(x, &plans[i]));
    if (x->limited)
        return ERR_OK;
    TRY(new_bitmap(x));
    return ordinals_from_bitmap(x, true);
}

static enum err match(struct block *b, const struct selector *sel, bool strict, struct arena *arena,
                      struct cancel *cancel, uint32_t **ordinals, uint32_t *count, struct errmsg *why)
{
    struct errmsg own;
    struct match x = {.b = b,
                      .arena = arena,
                      .cancel = cancel,
                      .warnings = sel->warnings,
                      .why = why ? why : &own,
                      .words = (b->toc.meta.series + 63) / 64,
                      .strict = strict};
    enum err err = run(&x, sel->matchers, sel->matcher_count);
    dict_cursor_deinit(&x.dict);
    label_view_deinit(&x.view);
    if (err == ERR_OK) {
        *ordinals = x.ordinals;
        *count = x.count;
    }
    return err;
}

enum err block_match(struct block *b, const struct selector *sel, struct arena *arena, struct cancel *cancel,
                     uint32_t **ordinals, uint32_t *count, struct errmsg *why)
{
    return match(b, sel, false, arena, cancel, ordinals, count, why);
}

enum err block_match_strict(struct block *b, const struct selector *sel, struct arena *arena, struct cancel *cancel,
                            uint32_t **ordinals, uint32_t *count, struct errmsg *why)
{
    return match(b, sel, true, arena, cancel, ordinals, count, why);
}
