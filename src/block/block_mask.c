/*
 * block_mask.c - from deletes and rules to the series and samples of one block; the contract is in block_mask.h.
 *
 * A cut that covers the whole time of the block costs one look into the postings.  At the two ends of a cut's range
 * the timestamp columns tell what a series lost: all (a bit), some (an interval), nothing.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "block/mask_internal.h"

enum { CANCEL_EVERY = 4096 };

struct lost {
    uint32_t ordinal;
    bool joined; /* made of several */
    struct mask_interval interval;
};

struct extend {
    struct block *b;
    struct cancel *cancel;
    struct sample_reader reader;
    struct block_mask *mask; /* being made */
    struct lost *list;
    size_t count, capacity;
};

/* ---- references ---- */

struct block_mask *block_mask_acquire(struct block_mask *m)
{
    if (m)
        atomic_fetch_add(&m->references, 1);
    return m;
}

void block_mask_release(struct block_mask *m)
{
    if (!m || atomic_fetch_sub(&m->references, 1) > 1)
        return;
    mem_free(m->gone);
    mem_free(m->ordinals);
    mem_free(m->first);
    mem_free(m->intervals);
    mem_free(m);
}

uint64_t block_mask_gone(const struct block_mask *m)
{
    return m ? m->gone_count : 0;
}

struct block_classes *block_classes_acquire(struct block_classes *c)
{
    if (c)
        atomic_fetch_add(&c->references, 1);
    return c;
}

void block_classes_release(struct block_classes *c)
{
    if (!c || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    mem_free(c->of);
    mem_free(c);
}

/* ---- deletes ---- */

static bool is_gone(const struct block_mask *m, uint32_t ordinal)
{
    return m->gone[ordinal / 64] >> (ordinal % 64) & 1;
}

static void set_gone(struct block_mask *m, uint32_t ordinal)
{
    m->gone_count += !is_gone(m, ordinal);
    m->gone[ordinal / 64] |= UINT64_C(1) << (ordinal % 64);
}

static void add_lost(struct extend *x, uint32_t ordinal, struct mask_interval interval)
{
    x->list = mem_grow(x->list, &x->capacity, x->count + 1, sizeof *x->list);
    x->list[x->count++] = (struct lost){ordinal, false, interval};
}

/* What one series loses by one cut that does not cover the block. */
static enum err cut_series(struct extend *x, const struct block_cut *cut, uint32_t ordinal, struct errmsg *why)
{
    struct mask_interval interval = {cut->mint_ms, cut->maxt_ms};
    uint64_t inside, left = 1;
    TRY(mask_count_left(&x->reader, ordinal, cut->mint_ms, cut->maxt_ms, (struct mask_cuts){0}, 1, &inside, why));
    if (inside == 0)
        return ERR_OK;
    TRY(mask_count_left(&x->reader, ordinal, INT64_MIN, INT64_MAX, (struct mask_cuts){&interval, 1}, 1, &left, why));
    if (left == 0)
        set_gone(x->mask, ordinal);
    else
        add_lost(x, ordinal, interval);
    return ERR_OK;
}

static enum err cut_matched(struct extend *x, const struct block_cut *cut, const uint32_t *ordinals, uint32_t count,
                            struct errmsg *why)
{
    const struct block_meta *meta = &x->b->toc.meta;
    bool all = cut->mint_ms <= meta->mint_ms && cut->maxt_ms >= meta->maxt_ms;
    for (uint32_t i = 0; i < count; i++) {
        if (i % CANCEL_EVERY == 0)
            TRY(cancel_check(x->cancel));
        if (all)
            set_gone(x->mask, ordinals[i]);
        else if (!is_gone(x->mask, ordinals[i]))
            TRY(cut_series(x, cut, ordinals[i], why));
    }
    return ERR_OK;
}

static enum err cut_apply(struct extend *x, const struct block_cut *cut, struct errmsg *why)
{
    const struct block_meta *meta = &x->b->toc.meta;
    struct selector sel = {.matchers = cut->matchers, .matcher_count = cut->matcher_count};
    struct arena arena;
    uint32_t *ordinals, count;
    if (cut->mint_ms > cut->maxt_ms || cut->mint_ms > meta->maxt_ms || cut->maxt_ms < meta->mint_ms)
        return ERR_OK;
    arena_init(&arena, NULL);
    enum err err = block_match_strict(x->b, &sel, &arena, x->cancel, &ordinals, &count, why);
    if (err == ERR_OK)
        err = cut_matched(x, cut, ordinals, count, why);
    arena_deinit(&arena);
    return err;
}

static void copy_before(struct extend *x, const struct block_mask *before)
{
    size_t words = x->b->toc.meta.series / 64 + 1;
    memcpy(x->mask->gone, before->gone, words * sizeof *before->gone);
    x->mask->gone_count = before->gone_count;
    for (uint32_t i = 0; i < before->partial_count; i++)
        for (uint32_t k = before->first[i]; k < before->first[i + 1]; k++)
            add_lost(x, before->ordinals[i], before->intervals[k]);
}

static int by_series_and_time(const void *a, const void *b)
{
    const struct lost *x = a, *y = b;
    if (x->ordinal != y->ordinal)
        return x->ordinal < y->ordinal ? -1 : 1;
    return (x->interval.mint_ms > y->interval.mint_ms) - (x->interval.mint_ms < y->interval.mint_ms);
}

/* Intervals of one series that meet become one. */
static size_t join_intervals(struct lost *list, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct lost *last = kept ? &list[kept - 1] : NULL;
        bool meets = last && last->ordinal == list[i].ordinal &&
                     (last->interval.maxt_ms == INT64_MAX || list[i].interval.mint_ms <= last->interval.maxt_ms + 1);
        if (!meets) {
            list[kept++] = list[i];
            continue;
        }
        last->joined = true;
        if (list[i].interval.maxt_ms > last->interval.maxt_ms)
            last->interval.maxt_ms = list[i].interval.maxt_ms;
    }
    return kept;
}

/* Lays the list out; series that the cuts took everything from together are gone. */
static enum err lay_out(struct extend *x, struct errmsg *why)
{
    struct block_mask *m = x->mask;
    if (x->count > 1)
        qsort(x->list, x->count, sizeof *x->list, by_series_and_time);
    size_t count = join_intervals(x->list, x->count);
    m->ordinals = mem_array(count + 1, sizeof *m->ordinals);
    m->first = mem_array(count + 2, sizeof *m->first);
    m->intervals = mem_array(count + 1, sizeof *m->intervals);
    for (size_t i = 0; i < count;) {
        uint32_t ordinal = x->list[i].ordinal, at = m->first[m->partial_count], n = 0;
        bool several = false;
        for (; i < count && x->list[i].ordinal == ordinal; i++) {
            several = several || n > 0 || x->list[i].joined;
            m->intervals[at + n++] = x->list[i].interval;
        }
        uint64_t left = is_gone(m, ordinal) ? 0 : 1;
        if (left && several)
            TRY(mask_count_left(&x->reader, ordinal, INT64_MIN, INT64_MAX, (struct mask_cuts){m->intervals + at, n}, 1,
                                &left, why));
        if (left == 0) {
            set_gone(m, ordinal);
            continue;
        }
        m->ordinals[m->partial_count++] = ordinal;
        m->first[m->partial_count] = at + n;
    }
    return ERR_OK;
}

enum err block_mask_extend(struct block *b, const struct block_mask *before, const struct block_cut *cuts,
                           uint32_t count, struct cancel *cancel, struct block_mask **out, struct errmsg *why)
{
    struct errmsg own;
    struct extend x = {.b = b, .cancel = cancel, .mask = MEM_NEW(struct block_mask)};
    why = why ? why : &own;
    x.mask->references = 1;
    x.mask->gone = mem_array(b->toc.meta.series / 64 + 1, sizeof *x.mask->gone);
    sample_reader_init(&x.reader, b, NULL, NULL);
    if (before)
        copy_before(&x, before);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++)
        err = cut_apply(&x, &cuts[i], why);
    if (err == ERR_OK)
        err = lay_out(&x, why);
    sample_reader_deinit(&x.reader);
    mem_free(x.list);
    bool nothing = x.mask->gone_count == 0 && x.mask->partial_count == 0;
    if (err != ERR_OK || nothing)
        block_mask_release(x.mask);
    if (err == ERR_OK)
        *out = nothing ? NULL : x.mask;
    return err;
}

/* ---- classes ---- */

enum err block_classes_find(struct block *b, const struct block_selector *selectors, uint32_t count,
                            struct cancel *cancel, struct block_classes **out, struct errmsg *why)
{
    assert(count < BLOCK_CLASSES_MAX);
    uint8_t *of = NULL;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        struct selector sel = {.matchers = selectors[i].matchers, .matcher_count = selectors[i].matcher_count};
        struct arena arena;
        uint32_t *ordinals, found = 0;
        arena_init(&arena, NULL);
        err = block_match_strict(b, &sel, &arena, cancel, &ordinals, &found, why);
        if (err == ERR_OK && found && !of)
            of = mem_array(b->toc.meta.series, 1);
        for (uint32_t k = 0; err == ERR_OK && k < found; k++)
            of[ordinals[k]] = (uint8_t)(i + 1);
        arena_deinit(&arena);
    }
    if (err != ERR_OK) {
        mem_free(of);
        return err;
    }
    *out = NULL;
    if (of) {
        *out = MEM_NEW(struct block_classes);
        (*out)->references = 1;
        (*out)->of = of;
    }
    return ERR_OK;
}

/* ---- views ---- */

void block_view_init(struct block_view *view)
{
    *view = (struct block_view){0};
    for (int i = 0; i < BLOCK_CLASSES_MAX; i++)
        view->floors[i] = INT64_MIN;
}

int64_t view_floor_max(const struct block_view *v)
{
    int64_t max = v->floors[0];
    for (int i = 1; v->classes && i < BLOCK_CLASSES_MAX; i++)
        max = v->floors[i] > max ? v->floors[i] : max;
    return max;
}

bool view_hides_series(const struct block *b, const struct block_view *v)
{
    return v && ((v->mask && v->mask->gone_count) || view_floor_max(v) > b->toc.meta.mint_ms);
}

/* Samples and payload bytes of a series. */
static enum err series_size(struct sample_reader *r, uint32_t ordinal, uint64_t *samples, uint64_t *bytes,
                            struct errmsg *why)
{
    const struct chunk_entry *e;
    uint32_t count = 0;
    *samples = *bytes = 0;
    enum err err = sample_reader_entries(r, ordinal, &e, &count, why);
    for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
        *samples += e[i].count;
        *bytes += e[i].flags & ENTRY_SHARED ? 0 : e[i].bytes;
    }
    return err == ERR_CORRUPT ? ERR_OK : err;
}

struct tally {
    uint64_t payload, hidden_payload; /* bytes of all series, and of what is hidden */
    struct block_tally sum;
};

static enum err tally_series(struct sample_reader *r, const struct block_view *view, uint32_t ordinal, struct tally *t,
                             struct errmsg *why)
{
    uint64_t samples, bytes, left = 0;
    TRY(series_size(r, ordinal, &samples, &bytes, why));
    t->payload += bytes;
    int64_t floor = view_floor(view, ordinal);
    struct mask_cuts cuts = view_cuts(view, ordinal);
    if (!view_is_gone(view, ordinal)) {
        if (floor <= r->block->toc.meta.mint_ms && cuts.count == 0)
            return ERR_OK;
        TRY(mask_count_left(r, ordinal, floor, INT64_MAX, cuts, 0, &left, why));
    }
    if (left >= samples)
        return ERR_OK; /* or it is damaged */
    t->sum.samples += samples - left;
    t->sum.series += left == 0;
    t->hidden_payload += bytes * (samples - left) / samples;
    return ERR_OK;
}

enum err block_view_tally(struct block *b, const struct block_view *view, struct cancel *cancel,
                          struct block_tally *out, struct errmsg *why)
{
    const struct block_meta *meta = &b->toc.meta;
    struct sample_reader r;
    struct tally t = {0};
    enum err err = ERR_OK;
    *out = (struct block_tally){0};
    if (!view->mask && view_floor_max(view) <= meta->mint_ms)
        return ERR_OK;
    sample_reader_init(&r, b, NULL, NULL);
    for (uint32_t i = 0; i < meta->series && err == ERR_OK; i++) {
        err = i % CANCEL_EVERY ? ERR_OK : cancel_check(cancel);
        if (err == ERR_OK)
            err = tally_series(&r, view, i, &t, why);
    }
    sample_reader_deinit(&r);
    /* Constant series have hardly a payload, so the data's share follows payload and the index's share series. */
    if (t.payload)
        t.sum.bytes = (uint64_t)((double)meta->data.bytes * (double)t.hidden_payload / (double)t.payload);
    t.sum.bytes += (uint64_t)((double)meta->index.bytes * (double)t.sum.series / (double)meta->series);
    *out = t.sum;
    return err;
}
