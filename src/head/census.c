/*
 * census.c - counting series by their newest sample; the contract is in storage/querier.h.
 *
 *     1. each pair of labels is marked once: refused by a matcher, satisfying so many of them, part of the group
 *     2. pages are walked in order, by any number of threads; under a page's lock only its 64 lines are looked at,
 *        and nearly always they say by themselves whether the series has a sample in the range
 *     3. the pair numbers of those that have are read, and their marks say whether and in which group they count
 *
 * When matchers leave few series, the list of those is walked instead, page by page in the same way.
 */
#include "head/census_internal.h"
#include "head/select_internal.h"
#include "head/tail_internal.h"
#include "model/value.h"

enum { PART_PAGES = 256, PART_REFS = 8192, SELECTIVE = 4 };

struct head_census {
    struct census base;
    struct head *head;
    struct census_request request;
    struct arena *arena;
    struct cancel *cancel;
    uint8_t *marks; /* [pairs] */
    uint32_t pairs;
    uint32_t accepts; /* matchers that need a value */
    bool rejects;     /* some pair has MARK_REJECT */
    bool by_refs;
    struct refs refs; /* by_refs: series that match, ascending */
    uint32_t end;     /* of the parts' pages, or of refs */
    _Atomic uint32_t next;
    struct mutex lock;
    struct tally_groups groups; /* guarded by lock, like the sums */
    uint64_t series, points, samples, most;
};

/* ---- Marks ---- */

/* Marks all pairs of a matcher's label; returns how many series have one that satisfies it. */
static enum err mark_matcher(struct head_census *c, const struct matcher *m, uint64_t *series)
{
    const struct label_name *name = name_find(c->head, m->name);
    bool needs_value = !matcher_matches(m, (struct slice){0});
    uint32_t count = 0;
    const uint32_t *ids = name ? vec_read(&name->pairs, &count) : NULL;
    *series = 0;
    c->accepts += needs_value;
    for (uint32_t i = 0; i < count; i++) {
        if (i % 4096 == 0)
            TRY(cancel_check(c->cancel));
        if (!ids[i] || ids[i] >= c->pairs)
            continue;
        const struct pair *p = pair_of(c->head, ids[i]);
        uint8_t *mark = &c->marks[ids[i]];
        if (!matcher_matches(m, p->label.value)) {
            *mark |= MARK_REJECT;
            c->rejects = true;
        } else if (needs_value) {
            *mark = (uint8_t)(*mark + MARK_ACCEPT);
            *series += get_relaxed(&p->series);
        }
    }
    if (!needs_value)
        *series = UINT64_MAX;
    return ERR_OK;
}

static void mark_name(struct head_census *c, const struct label_name *name)
{
    uint32_t count;
    const uint32_t *ids = vec_read(&name->pairs, &count);
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] && ids[i] < c->pairs)
            c->marks[ids[i]] |= MARK_KEY;
}

static bool names_contain(const struct census_request *r, struct slice name)
{
    for (uint32_t i = 0; i < r->name_count; i++)
        if (slice_eq(r->names[i], name))
            return true;
    return false;
}

static void mark_keys(struct head_census *c)
{
    const struct census_request *r = &c->request;
    for (uint32_t i = 0; !r->without && i < r->name_count; i++) {
        const struct label_name *name = name_find(c->head, r->names[i]);
        if (name)
            mark_name(c, name);
    }
    uint32_t count = 0;
    struct label_name *const *names = vec_read(&c->head->names, &count);
    for (uint32_t i = 0; r->without && i < count; i++)
        if (!names_contain(r, names[i]->text))
            mark_name(c, names[i]);
}

/* ---- Which series ---- */

/* How many series have a value that matches; UINT64_MAX: that takes a walk over many values. */
static enum err series_of_matcher(struct head *h, const struct matcher *m, struct cancel *cancel, uint64_t *series)
{
    struct term t;
    struct value_range range = {0};
    term_begin(h, &t, m);
    bool known = m->op == MATCH_EQUAL && t.needs_value && term_literals(h, &t), prefix = term_prefix(&t).len > 0;
    enum err err = ERR_OK;
    if (t.name && prefix)
        err = values_beginning(h, t.name, term_prefix(&t), cancel, &range);
    if (err == ERR_OK && t.name && prefix &&
        ((uint64_t)range.sorted_count + range.rest_count) * SELECTIVE < vec_count(&t.name->pairs)) {
        err = term_scan(h, &t, cancel);
        known = true;
    }
    *series = known ? t.series : UINT64_MAX;
    term_deinit(&t);
    return err;
}

/* An upper bound of the series that match, from what is found without a walk over values. */
static enum err series_by_lookup(struct head *h, const struct selector *sel, struct cancel *cancel, uint64_t *least)
{
    *least = UINT64_MAX;
    for (uint32_t i = 0; i < sel->matcher_count; i++) {
        uint64_t series;
        TRY(series_of_matcher(h, &sel->matchers[i], cancel, &series));
        *least = series < *least ? series : *least;
    }
    return ERR_OK;
}

static enum err walk_refs(struct head_census *c, struct errmsg *why)
{
    c->by_refs = true;
    TRY(select_refs(c->head, c->request.selector, c->cancel, &c->refs, why));
    c->base.series_most = c->end = (uint32_t)c->refs.count;
    return ERR_OK;
}

/* Marks for the walk over pages, or the list of series where that is shorter. */
static enum err plan(struct head_census *c, struct errmsg *why)
{
    const struct selector *sel = c->request.selector;
    uint64_t all = get_relaxed(&c->head->series), least;
    enum err err = series_by_lookup(c->head, sel, c->cancel, &least);
    if (err != ERR_OK)
        return err_set(why, err, "select: stopped");
    mark_keys(c);
    if (least * SELECTIVE < all || sel->matcher_count > 60)
        return walk_refs(c, why);
    uint64_t values = 0;
    for (uint32_t i = 0; i < sel->matcher_count; i++) {
        uint64_t series;
        uint32_t count = 0;
        const struct label_name *name = name_find(c->head, sel->matchers[i].name);
        if (name)
            vec_read(&name->pairs, &count);
        values += count;
        err = mark_matcher(c, &sel->matchers[i], &series);
        if (err != ERR_OK)
            return err_set(why, err, "select: stopped");
        least = series < least ? series : least;
    }
    if (least == 0)
        return ERR_OK; /* end is 0: nothing to walk */
    if (least * SELECTIVE < all && values * SELECTIVE < all)
        return walk_refs(c, why);
    c->end = atomic_load_explicit(&c->head->page_count, memory_order_acquire);
    c->base.series_most = all;
    return ERR_OK;
}

/* ---- One page ---- */

enum sight { SIGHT_NONE, SIGHT_YES, SIGHT_ASK };

/* Of a page: its entries in the range are [low, high). */
struct window {
    uint32_t low, high;
};

/* What a line says about the newest sample in the range; the page's lock is held. */
static enum sight line_sight(const struct page *p, const struct series_line *x, struct window w, bool passes_stale)
{
    bool empty = series_is_empty(x) || x->end <= p->start;
    if (!series_alive(x) || (empty && !x->more))
        return SIGHT_NONE;
    if (empty || (x->more && (x->more->side.count || x->more->side.frozen_count || x->more->hists)))
        return SIGHT_ASK;
    if (x->end <= w.low)
        return SIGHT_NONE;
    if (x->end > w.high && x->run <= x->end - w.high) /* newer than the range, and not known to be the same there */
        return SIGHT_ASK;
    if (w.high <= w.low)
        return SIGHT_NONE;
    if (x->last != STALE_NAN_BITS)
        return SIGHT_YES;
    return passes_stale ? SIGHT_ASK : SIGHT_NONE;
}

/* About how many samples of the range it has: gaps are not known here. */
static uint32_t line_samples(const struct series_line *x, struct window w)
{
    uint32_t first = x->more && x->more->chunk_count ? x->more->chunks[0].first : x->first;
    uint32_t low = first > w.low ? first : w.low, high = x->end < w.high ? x->end : w.high;
    return high > low ? high - low : 0;
}

/* What one thread has counted, and its tools. */
struct walker {
    struct head_census *c;
    struct tally_groups groups;
    struct series_reader *reader; /* of ref; NULL until somebody has to be asked */
    series_ref ref;
    uint64_t series, points, samples, most;
};

struct page_view {
    uint64_t yes, ask; /* by slot */
    uint32_t samples[PAGE_SERIES];
};

/* Looks at the wanted slots under the lock. */
static void page_look(struct head_census *c, uint32_t page, uint64_t wanted, struct page_view *v)
{
    const struct selector *sel = c->request.selector;
    struct page *p = page_of(c->head, page);
    v->yes = v->ask = 0;
    mutex_lock(&p->lock);
    bool column = p->end > p->start && p->last_ms >= sel->mint_ms && column_at(p, p->start) <= sel->maxt_ms;
    bool side = p->side_min_ms <= sel->maxt_ms && p->side_max_ms >= sel->mint_ms;
    if (column || side) {
        struct window w = {column_find(p, sel->mint_ms),
                           p->last_ms <= sel->maxt_ms ? p->end : column_find(p, sel->maxt_ms + 1)};
        for (; wanted; wanted &= wanted - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(wanted);
            const struct series_line *x = line_of(c->head, page * PAGE_SERIES + slot);
            enum sight sight = line_sight(p, x, w, c->request.passes_stale);
            v->yes |= (uint64_t)(sight == SIGHT_YES) << slot;
            v->ask |= (uint64_t)(sight == SIGHT_ASK) << slot;
            v->samples[slot] = sight == SIGHT_YES ? line_samples(x, w) : 0;
        }
    }
    mutex_unlock(&p->lock);
}

/* The newest sample that counts of a series whose line does not tell; *points is 0 when there is none. */
static enum err ask(struct walker *w, series_ref ref, uint64_t *points, uint32_t *samples, struct errmsg *why)
{
    const struct census_request *r = &w->c->request;
    int64_t mint_ms = r->selector->mint_ms, maxt_ms = r->selector->maxt_ms;
    struct samples s;
    w->ref = ref;
    if (!w->reader)
        w->reader = head_reader_new(w->c->head, &w->ref, 1, false);
    if (r->passes_stale)
        TRY(w->reader->ops->read(w->reader, 0, mint_ms, maxt_ms, &s, why));
    else
        TRY(w->reader->ops->last(w->reader, 0, mint_ms, maxt_ms, &s, why));
    *points = 0;
    *samples = s.count;
    for (uint32_t i = s.count; i-- > 0 && *points == 0;) {
        const struct histogram *h = s.hists ? s.hists[i] : NULL;
        if (!value_is_stale(h ? h->sum : s.values[i]))
            *points = h ? r->points(h) : 1;
    }
    return ERR_OK;
}

/* All pairs of a series, and those of its group. */
struct series_view {
    uint32_t count, key_count;
    uint32_t ids[LABEL_COUNT_MAX], key[LABEL_COUNT_MAX];
};

/* Pair numbers are small: mostly two bytes. */
static inline const uint8_t *pair_get(const uint8_t *at, const uint8_t *end, uint32_t *id)
{
    if (__builtin_expect(end - at >= 2 && at[1] < 0x80, 1)) {
        bool wide = at[0] >= 0x80;
        *id = wide ? (at[0] & 0x7fu) | (uint32_t)at[1] << 7 : at[0];
        return at + 1 + wide;
    }
    uint64_t value;
    at = varint_get(at, end, &value);
    assert(at != NULL);
    *id = (uint32_t)value;
    return at;
}

/*
 * False: a matcher does not let the series pass, or it came to be meanwhile.  Where nobody asks for its labels, pairs
 * are read only as far as the answer needs them.
 */
static bool series_look(const struct head_census *c, const uint8_t *at, const uint8_t *end, uint32_t label_count,
                        struct series_view *v)
{
    unsigned accepts = 0, marks = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < label_count; i++) {
        at = pair_get(at, end, &v->ids[i]);
        if (v->ids[i] >= c->pairs)
            return false;
        unsigned mark = c->marks[v->ids[i]];
        marks |= mark;
        accepts += mark / MARK_ACCEPT;
        v->key[n] = v->ids[i];
        n += (mark & MARK_KEY) != 0;
        if (c->groups.one && !c->rejects && accepts == c->accepts)
            break;
    }
    v->count = label_count;
    v->key_count = n;
    return c->by_refs || (!(marks & MARK_REJECT) && accepts == c->accepts);
}

static enum err page_count(struct walker *w, uint32_t page, uint64_t wanted, struct errmsg *why)
{
    struct page_view v;
    struct series_view s;
    uint32_t bytes;
    page_look(w->c, page, wanted, &v);
    const uint8_t *labels = vec_read(&page_of(w->c->head, page)->labels, &bytes);
    for (uint64_t left = v.yes | v.ask; left; left &= left - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(left);
        series_ref ref = page * PAGE_SERIES + slot;
        const struct series_line *x = line_of(w->c->head, ref);
        uint64_t points = 1;
        if (!series_look(w->c, labels + x->labels, labels + bytes, x->label_count, &s))
            continue;
        if (v.ask >> slot & 1)
            TRY(ask(w, ref, &points, &v.samples[slot], why));
        if (points == 0)
            continue;
        if (!tally_groups_add(&w->groups, s.key, s.key_count, s.ids, s.count, 1))
            return err_set(why, ERR_LIMIT, "select: groups do not fit into the memory of the query");
        w->series++;
        w->points += points;
        w->samples += v.samples[slot];
        w->most = v.samples[slot] > w->most ? v.samples[slot] : w->most;
    }
    return ERR_OK;
}

/* ---- Parts ---- */

static enum err pages_count(struct walker *w, uint32_t begin, struct errmsg *why)
{
    struct head_census *c = w->c;
    uint32_t end = begin + PART_PAGES < c->end ? begin + PART_PAGES : c->end;
    for (uint32_t page = begin ? begin : 1; page < end; page++) {
        uint32_t slots = get_relaxed(&page_of(c->head, page)->slots);
        if (slots)
            TRY(page_count(w, page, UINT64_MAX >> (PAGE_SERIES - slots), why));
    }
    return ERR_OK;
}

static enum err refs_count(struct walker *w, uint32_t begin, struct errmsg *why)
{
    const struct head_census *c = w->c;
    uint32_t end = begin + PART_REFS < c->end ? begin + PART_REFS : c->end;
    for (uint32_t i = begin; i < end;) {
        uint32_t page = c->refs.list[i] / PAGE_SERIES;
        uint64_t wanted = 0;
        for (; i < end && c->refs.list[i] / PAGE_SERIES == page; i++)
            wanted |= UINT64_C(1) << c->refs.list[i] % PAGE_SERIES;
        TRY(page_count(w, page, wanted, why));
    }
    return ERR_OK;
}

/* What a thread counted joins the rest. */
static bool walker_join(struct walker *w)
{
    struct head_census *c = w->c;
    mutex_lock(&c->lock);
    bool fits = tally_groups_merge(&c->groups, &w->groups);
    c->series += w->series;
    c->points += w->points;
    c->samples += w->samples;
    c->most = w->most > c->most ? w->most : c->most;
    mutex_unlock(&c->lock);
    return fits;
}

static enum err census_work(struct census *base, struct errmsg *why)
{
    struct head_census *c = (struct head_census *)base;
    struct walker w = {.c = c};
    uint32_t part = c->by_refs ? PART_REFS : PART_PAGES;
    enum err err = ERR_OK;
    tally_groups_init(&w.groups, c->head, c->groups.one, c->arena->budget);
    for (uint32_t at; err == ERR_OK && (at = atomic_fetch_add(&c->next, part)) < c->end;) {
        err = cancel_check(c->cancel);
        if (err == ERR_OK)
            err = c->by_refs ? refs_count(&w, at, why) : pages_count(&w, at, why);
    }
    if (err == ERR_OK && !walker_join(&w))
        err = err_set(why, ERR_LIMIT, "select: groups do not fit into the memory of the query");
    if (w.reader)
        w.reader->ops->close(w.reader);
    tally_groups_deinit(&w.groups);
    return err;
}

/* ---- Results ---- */

static bool group_labels(struct head_census *c, const struct tally_group *g, struct labels *out)
{
    *out = (struct labels){.count = g->key_count};
    const struct label **list = arena_try_alloc(c->arena, (g->key_count + 1) * sizeof *list);
    if (!list)
        return false;
    for (uint32_t i = 0; i < g->key_count; i++) {
        list[i] = &pair_of(c->head, g->key[i])->label;
        out->hash = hash128_add(out->hash, list[i]->hash);
    }
    out->list = list;
    return true;
}

static enum err census_finish(struct census *base, struct census_result *out, struct errmsg *why)
{
    struct head_census *c = (struct head_census *)base;
    struct tally_groups *g = &c->groups;
    tally_groups_sort(g);
    *out = (struct census_result){.group_count = g->count,
                                  .series = c->series,
                                  .points = c->points,
                                  .samples = c->samples,
                                  .most = c->most,
                                  .groups = arena_try_alloc(c->arena, (g->count + 1) * sizeof *out->groups)};
    for (uint32_t i = 0; out->groups && i < g->count; i++) {
        out->groups[i].series = g->list[i].series;
        if (!group_labels(c, &g->list[i], &out->groups[i].labels))
            out->groups = NULL;
    }
    if (!out->groups)
        return err_set(why, ERR_LIMIT, "select: groups do not fit into the memory of the query");
    return ERR_OK;
}

static void census_close(struct census *base)
{
    struct head_census *c = (struct head_census *)base;
    refs_deinit(&c->refs);
    tally_groups_deinit(&c->groups);
    mutex_deinit(&c->lock);
}

static const struct census_ops census_ops = {census_work, census_finish, census_close};

enum err head_census_new(struct head *h, const struct census_request *request, struct arena *arena,
                         struct cancel *cancel, struct census **out, struct errmsg *why)
{
    struct head_census *c = ARENA_NEW(arena, struct head_census);
    *c = (struct head_census){.base = {.ops = &census_ops},
                              .head = h,
                              .request = *request,
                              .arena = arena,
                              .cancel = cancel,
                              .pairs = atomic_load(&h->pair_count)};
    c->marks = arena_try_alloc(arena, c->pairs + 1);
    if (!c->marks)
        return err_set(why, ERR_LIMIT, "select: %u labels do not fit into the memory of the query", c->pairs);
    memset(c->marks, 0, c->pairs + 1);
    mutex_init(&c->lock);
    tally_groups_init(&c->groups, h, !request->without && request->name_count == 0, arena->budget);
    enum err err = plan(c, why);
    if (err == ERR_OK)
        *out = &c->base;
    else
        census_close(&c->base);
    return err;
}
