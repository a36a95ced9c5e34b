/*
 * select.c - from matchers to series.
 *
 * Matchers that need a value (=, =~ that refuses the empty value) give lists of pairs and so an upper
 * bound of series; the smallest list is read, larger ones are intersected, and when the candidates
 * are already few in comparison, a list is not read but the candidates' own pairs are looked at.  Matchers
 * that a missing label satisfies are always tested that way, and patterns over a label with many more values than
 * there are candidates; each distinct pair is tested once.
 */
#include <stdlib.h>

#include "head/select_internal.h"
#include "regex/regex.h"

enum { PROBE_FACTOR = 8, SORT_FACTOR = 8, SCAN_FACTOR = 4, CHECK_EVERY = 4096, AHEAD = 8 };
enum verdict { UNSEEN, PASS, FAIL, OTHER_NAME };

static uint32_t name_index_of(struct head *h, const struct label_name *name)
{
    uint32_t count;
    const uint32_t *ids = vec_read(&name->pairs, &count);
    return count ? pair_of(h, ids[0])->name : UINT32_MAX;
}

static void term_add_pair(struct head *h, struct term *t, uint32_t id)
{
    uint32_t series = id ? get_relaxed(&pair_of(h, id)->series) : 0;
    if (!series)
        return;
    t->pairs = mem_grow(t->pairs, &t->pair_capacity, t->pair_count + 1, sizeof *t->pairs);
    t->pairs[t->pair_count++] = id;
    t->series += series;
}

static enum err scan_ids(struct head *h, struct term *t, const uint32_t *ids, uint32_t count, struct cancel *cancel)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i % CHECK_EVERY == 0)
            TRY(cancel_check(cancel));
        if (i + 2 * AHEAD < count) { /* a pair and its bytes lie anywhere */
            __builtin_prefetch(pair_of(h, ids[i + 2 * AHEAD]));
            __builtin_prefetch(pair_of(h, ids[i + AHEAD])->label.value.data);
        }
        if (matcher_matches(t->m, pair_of(h, ids[i])->label.value))
            term_add_pair(h, t, ids[i]);
    }
    return ERR_OK;
}

struct slice term_prefix(const struct term *t)
{
    return t->needs_value && t->m->op == MATCH_REGEX ? regex_prefix(t->m->regex) : (struct slice){0};
}

enum err term_scan(struct head *h, struct term *t, struct cancel *cancel)
{
    struct value_range range;
    TRY(values_beginning(h, t->name, term_prefix(t), cancel, &range));
    TRY(scan_ids(h, t, range.sorted, range.sorted_count, cancel));
    return scan_ids(h, t, range.rest, range.rest_count, cancel);
}

void term_begin(struct head *h, struct term *t, const struct matcher *m)
{
    *t = (struct term){.m = m, .name = name_find(h, m->name), .needs_value = !matcher_matches(m, (struct slice){0})};
    t->name_index = t->name ? name_index_of(h, t->name) : UINT32_MAX;
}

bool term_literals(struct head *h, struct term *t)
{
    if (!t->needs_value || !t->name)
        return true;
    if (t->m->op == MATCH_EQUAL) {
        term_add_pair(h, t, pair_find(h, t->m->name, t->m->value));
        return true;
    }
    if (t->m->op != MATCH_REGEX)
        return false;
    struct regex_literals literals = regex_literals(t->m->regex);
    for (uint32_t i = 0; i < literals.count; i++)
        term_add_pair(h, t, pair_find(h, t->m->name, literals.list[i]));
    return literals.count > 0;
}

void term_deinit(struct term *t)
{
    mem_free(t->pairs);
    mem_free(t->verdicts);
}

/* Series of all pairs of a term, ascending; a series has at most one of them. */
static void term_read(struct head *h, const struct term *t, struct refs *out)
{
    for (size_t i = 0; i < t->pair_count; i++)
        postings_read(pair_of(h, t->pairs[i]), out);
    if (t->pair_count > 1)
        refs_sort(out);
}

/* Adds what a and b have in common to `out`, which may be a itself when it is to lose the rest. */
static void intersect(const struct refs *a, const struct refs *b, struct refs *out, size_t n)
{
    size_t k = 0, count = a->count;
    for (size_t i = 0; i < count && k < b->count; i++) {
        while (k < b->count && b->list[k] < a->list[i])
            k++;
        if (k < b->count && b->list[k] == a->list[i])
            out->list[n++] = a->list[i];
    }
    out->count = n;
}

/* Keeps those of `out` that a term accepts, one list of postings after the other: no union has to be sorted. */
static void intersect_each(struct head *h, const struct term *t, struct refs *out)
{
    struct refs kept = {.list = mem_array(out->count + 1, sizeof *kept.list), .capacity = out->count + 1};
    for (size_t i = 0; i < t->pair_count; i++) {
        struct refs list = {0};
        postings_read(pair_of(h, t->pairs[i]), &list);
        intersect(out, &list, &kept, kept.count);
        refs_deinit(&list);
    }
    refs_deinit(out);
    *out = kept;
    refs_sort(out);
}

/* Keeps those of `out` that a term accepts. */
static void intersect_term(struct head *h, const struct term *t, struct refs *out)
{
    if (t->pair_count > 1 && t->pair_count * out->count <= t->series * SORT_FACTOR) {
        intersect_each(h, t, out);
        return;
    }
    struct refs more = {0};
    term_read(h, t, &more);
    intersect(out, &more, out, 0);
    refs_deinit(&more);
}

static enum verdict term_verdict(struct head *h, struct term *t, uint32_t id)
{
    const struct pair *p = pair_of(h, id);
    if (p->name != t->name_index)
        return OTHER_NAME;
    return matcher_matches(t->m, p->label.value) ? PASS : FAIL;
}

bool term_accepts(struct head *h, struct term *t, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *v = &t->verdicts[ids[i]];
        if (*v == UNSEEN)
            *v = (uint8_t)term_verdict(h, t, ids[i]);
        if (*v != OTHER_NAME)
            return *v == PASS;
    }
    return !t->needs_value;
}

/* Keeps the candidates that satisfy terms[0..count), pair by pair. */
static enum err probe(struct head *h, struct term **terms, uint32_t count, struct refs *refs, struct cancel *cancel)
{
    uint32_t ids[LABEL_COUNT_MAX], pairs = atomic_load(&h->pair_count);
    size_t n = 0;
    for (uint32_t t = 0; t < count; t++)
        terms[t]->verdicts = mem_array(pairs, 1);
    for (size_t i = 0; i < refs->count; i++) {
        if (i % CHECK_EVERY == 0)
            TRY(cancel_check(cancel));
        if (!series_alive(line_of(h, refs->list[i])))
            continue;
        uint32_t labels = series_pairs(h, refs->list[i], ids);
        bool keep = true;
        for (uint32_t t = 0; t < count && keep; t++) {
            for (uint32_t k = 0; k < labels; k++)
                keep = keep && ids[k] < pairs; /* created meanwhile: the next query sees it */
            keep = keep && term_accepts(h, terms[t], ids, labels);
        }
        if (keep)
            refs->list[n++] = refs->list[i];
    }
    refs->count = n;
    return ERR_OK;
}

static int by_series(const void *a, const void *b)
{
    const struct term *x = *(struct term *const *)a, *y = *(struct term *const *)b;
    return (x->series > y->series) - (x->series < y->series);
}

static void all_series(struct head *h, struct refs *out)
{
    uint32_t pages = atomic_load_explicit(&h->page_count, memory_order_acquire);
    for (uint32_t page = 1; page < pages; page++) {
        uint32_t slots = get_relaxed(&page_of(h, page)->slots);
        out->list = mem_grow(out->list, &out->capacity, out->count + slots, sizeof *out->list);
        for (uint32_t slot = 0; slot < slots; slot++)
            if (series_alive(line_of(h, page * PAGE_SERIES + slot)))
                out->list[out->count++] = page * PAGE_SERIES + slot;
    }
}

/* terms: those that need a value first, smallest first; then the others. */
static enum err combine(struct head *h, struct term **terms, uint32_t needing, uint32_t count, struct refs *out,
                        struct cancel *cancel)
{
    uint32_t used = 0;
    if (needing == 0) {
        all_series(h, out);
    } else {
        term_read(h, terms[0], out);
        for (used = 1; used < needing && terms[used]->series <= out->count * PROBE_FACTOR; used++) {
            intersect_term(h, terms[used], out);
            TRY(cancel_check(cancel));
        }
    }
    return used < count ? probe(h, terms + used, count - used, out, cancel) : ERR_OK;
}

/* ---- time ---- */

bool page_has_time(struct page *p, int64_t mint_ms, int64_t maxt_ms)
{
    mutex_lock(&p->lock);
    bool column = p->end > p->start && p->last_ms >= mint_ms && column_at(p, p->start) <= maxt_ms;
    bool side = p->side_min_ms <= p->side_max_ms && p->side_min_ms <= maxt_ms && p->side_max_ms >= mint_ms;
    mutex_unlock(&p->lock);
    return column || side;
}

bool head_has_time(struct head *h, int64_t mint_ms, int64_t maxt_ms)
{
    uint32_t pages = atomic_load_explicit(&h->page_count, memory_order_acquire);
    for (uint32_t page = 1; page < pages; page++)
        if (page_has_time(page_of(h, page), mint_ms, maxt_ms))
            return true;
    return false;
}

void keep_in_time(struct head *h, struct refs *refs, int64_t mint_ms, int64_t maxt_ms)
{
    size_t n = 0;
    uint32_t page = 0;
    bool inside = false;
    for (size_t i = 0; i < refs->count; i++) {
        if (refs->list[i] / PAGE_SERIES != page) {
            page = refs->list[i] / PAGE_SERIES;
            inside = page_has_time(page_of(h, page), mint_ms, maxt_ms);
        }
        if (inside && series_alive(line_of(h, refs->list[i])))
            refs->list[n++] = refs->list[i];
    }
    refs->count = n;
}

enum err select_candidates(struct head *h, const struct selector *sel, struct cancel *cancel, struct refs *out,
                           struct errmsg *why)
{
    return select_all_times(h, sel, cancel, out, why);
}

/* What every matcher gives.  *scan[i]: its values were not tested, its candidates have to be. */
static enum err terms_prepare(struct head *h, const struct selector *sel, struct term *terms, bool *scan,
                              struct cancel *cancel)
{
    uint64_t fewest = UINT64_MAX; /* series of a matcher that names its values */
    for (uint32_t i = 0; i < sel->matcher_count; i++) {
        term_begin(h, &terms[i], &sel->matchers[i]);
        scan[i] = !term_literals(h, &terms[i]);
        if (terms[i].needs_value && !scan[i] && terms[i].series < fewest)
            fewest = terms[i].series;
    }
    for (uint32_t i = 0; i < sel->matcher_count; i++) {
        if (!scan[i] || vec_count(&terms[i].name->pairs) / SCAN_FACTOR > fewest)
            continue;
        TRY(term_scan(h, &terms[i], cancel));
        scan[i] = false;
    }
    return ERR_OK;
}

enum err select_all_times(struct head *h, const struct selector *sel, struct cancel *cancel, struct refs *out,
                          struct errmsg *why)
{
    struct term *terms = mem_array(sel->matcher_count, sizeof *terms), **order;
    bool *scan = mem_array(sel->matcher_count, sizeof *scan), nothing = false;
    uint32_t needing = 0, others = sel->matcher_count;
    order = mem_array(sel->matcher_count, sizeof *order);
    enum err err = terms_prepare(h, sel, terms, scan, cancel);
    for (uint32_t i = 0; i < sel->matcher_count && err == ERR_OK; i++) {
        bool lists = terms[i].needs_value && !scan[i];
        nothing = nothing || (lists && terms[i].series == 0);
        order[lists ? needing++ : --others] = &terms[i];
    }
    if (err == ERR_OK && !nothing) {
        qsort(order, needing, sizeof(struct term *), by_series);
        err = combine(h, order, needing, sel->matcher_count, out, cancel);
    }
    for (uint32_t k = 0; k < sel->matcher_count; k++)
        term_deinit(&terms[k]);
    mem_free(terms);
    mem_free(scan);
    mem_free(order);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "select: stopped");
}

enum err select_refs(struct head *h, const struct selector *sel, struct cancel *cancel, struct refs *out,
                     struct errmsg *why)
{
    enum err err = select_candidates(h, sel, cancel, out, why);
    if (err == ERR_OK)
        keep_in_time(h, out, sel->mint_ms, sel->maxt_ms);
    return err;
}
