/*
 * merge_reader.c - samples of one series from several sources, the later source winning ties.
 *
 * Sources usually cover one time after the other, so parts are put in order of their first sample and
 * copied; only where they overlap times are compared.  The ids of time columns are kept useful: two
 * series whose parts have the same columns get the same new id, so that the engine still computes its
 * windows once per scrape group.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tsdb/merge_internal.h"

enum { MEMO_SLOTS = 64, MEMO_PARTS = 8 };
#define MERGED_TIMES_BIT (UINT64_C(1) << 62) /* head ids have bit 63, block ids neither */

struct memo_part {
    uint64_t id;
    int64_t first_ms;
    uint32_t count;
};

/* Which columns an id was made from. */
struct memo {
    uint64_t id; /* 0: free */
    uint32_t count;
    struct memo_part parts[MEMO_PARTS];
};

struct merge_reader {
    struct series_reader base; /* first */
    struct merge_set *set;
    struct series_reader **readers; /* [set_count], made when first needed */
    struct samples *found;          /* [set_count] of the series being read */
    uint32_t *order;                /* [set_count] indexes into found */
    uint32_t *next;                 /* [set_count] cursors */
    uint64_t times_id;              /* of what `times` holds; 0: not known */
    size_t capacity;                /* of the arrays below */
    int64_t *times;
    double *values;
    const struct histogram **hists;
    int64_t *starts;
    struct memo *memo; /* [MEMO_SLOTS], made when first needed */
};

static struct series_reader *part_reader(struct merge_reader *r, uint32_t set)
{
    if (!r->readers[set])
        r->readers[set] = r->set->sets[set]->ops->reader(r->set->sets[set]);
    return r->readers[set];
}

/* Where series i is found; a set of one source needs no list. */
static uint32_t parts_of(const struct merge_set *set, uint32_t i, struct merge_part *single,
                         const struct merge_part **parts)
{
    assert(i < set->base.count);
    if (!set->first) {
        *single = (struct merge_part){0, i};
        *parts = single;
        return 1;
    }
    *parts = set->parts + set->first[i];
    return set->first[i + 1] - set->first[i];
}

/* ---- ids of merged time columns ---- */

static uint64_t times_id_of(struct merge_reader *r, uint32_t count)
{
    struct memo want = {.count = count};
    uint64_t mix = count;
    if (count > MEMO_PARTS)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct samples *s = &r->found[i];
        if (s->times_id == 0)
            return 0;
        want.parts[i] = (struct memo_part){.id = s->times_id, .first_ms = s->times_ms[0], .count = s->count};
        mix = (mix ^ s->times_id ^ (uint64_t)s->times_ms[0]) * UINT64_C(0x9e3779b97f4a7c15) + s->count;
    }
    if (!r->memo)
        r->memo = mem_array(MEMO_SLOTS, sizeof *r->memo);
    struct memo *slot = &r->memo[mix >> 58];
    bool same = slot->id != 0 && slot->count == count;
    for (uint32_t i = 0; same && i < count; i++)
        same = slot->parts[i].id == want.parts[i].id && slot->parts[i].first_ms == want.parts[i].first_ms &&
               slot->parts[i].count == want.parts[i].count;
    if (!same) {
        *slot = want;
        slot->id = MERGED_TIMES_BIT | atomic_fetch_add_explicit(r->set->times_ids, 1, memory_order_relaxed);
    }
    return slot->id;
}

/* ---- merging ---- */

static void room_for(struct merge_reader *r, size_t samples, bool hists, bool starts)
{
    if (samples > r->capacity) {
        size_t capacity = r->capacity ? r->capacity : 256;
        while (capacity < samples)
            capacity *= 2;
        r->times = mem_realloc(r->times, capacity * sizeof *r->times);
        r->values = mem_realloc(r->values, capacity * sizeof *r->values);
        mem_free(r->hists);
        mem_free(r->starts);
        r->hists = NULL;
        r->starts = NULL;
        r->capacity = capacity;
    }
    if (hists && !r->hists)
        r->hists = mem_array(r->capacity, sizeof *r->hists);
    if (starts && !r->starts)
        r->starts = mem_array(r->capacity, sizeof *r->starts);
}

/* Copies samples [from, from + n) of s behind the first `at` ones; times that are there already stay. */
static void copy_run(struct merge_reader *r, size_t at, const struct samples *s, uint32_t from, uint32_t n,
                     struct samples *out)
{
    if (out->times_id == 0 || out->times_id != r->times_id)
        memcpy(r->times + at, s->times_ms + from, n * sizeof *r->times);
    memcpy(r->values + at, s->values + from, n * sizeof *r->values);
    for (uint32_t i = 0; out->hists && i < n; i++)
        r->hists[at + i] = s->hists ? s->hists[from + i] : NULL;
    for (uint32_t i = 0; out->start_times_ms && i < n; i++)
        r->starts[at + i] = s->start_times_ms ? s->start_times_ms[from + i] : 0;
}

/* Orders the found parts by their first sample; true when they follow each other without overlap. */
static bool order_by_time(struct merge_reader *r, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && r->found[r->order[at - 1]].times_ms[0] > r->found[i].times_ms[0]; at--)
            r->order[at] = r->order[at - 1];
        r->order[at] = i;
    }
    for (uint32_t i = 1; i < count; i++) {
        const struct samples *before = &r->found[r->order[i - 1]];
        if (before->times_ms[before->count - 1] >= r->found[r->order[i]].times_ms[0])
            return false;
    }
    return true;
}

/* Parts overlap: the smallest time next, of equal ones the last part, which is the newest source. */
static uint32_t merge_overlapping(struct merge_reader *r, uint32_t count, struct samples *out)
{
    uint32_t made = 0;
    memset(r->next, 0, count * sizeof *r->next);
    for (;;) {
        uint32_t best = count;
        for (uint32_t p = 0; p < count; p++)
            if (r->next[p] < r->found[p].count &&
                (best == count || r->found[p].times_ms[r->next[p]] <= r->found[best].times_ms[r->next[best]]))
                best = p;
        if (best == count)
            return made;
        int64_t time = r->found[best].times_ms[r->next[best]];
        copy_run(r, made++, &r->found[best], r->next[best], 1, out);
        for (uint32_t p = 0; p < count; p++)
            r->next[p] += r->next[p] < r->found[p].count && r->found[p].times_ms[r->next[p]] == time;
    }
}

static void merge_found(struct merge_reader *r, uint32_t count, struct samples *out)
{
    size_t total = 0;
    bool hists = false, starts = false;
    for (uint32_t p = 0; p < count; p++) {
        total += r->found[p].count;
        hists = hists || r->found[p].hists;
        starts = starts || r->found[p].start_times_ms;
    }
    room_for(r, total, hists, starts);
    *out = (struct samples){
        .times_ms = r->times,
        .values = r->values,
        .hists = hists ? r->hists : NULL,
        .start_times_ms = starts ? r->starts : NULL,
        .times_id = times_id_of(r, count),
    };
    bool apart = order_by_time(r, count);
    if (!apart)
        out->count = merge_overlapping(r, count, out);
    for (uint32_t i = 0; i < count && apart; i++) {
        const struct samples *s = &r->found[r->order[i]];
        copy_run(r, out->count, s, 0, s->count, out);
        out->count += s->count;
    }
    r->times_id = out->times_id;
}

static enum err merge_read(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                           struct samples *out, struct errmsg *why)
{
    struct merge_reader *r = (struct merge_reader *)base;
    struct merge_part single;
    const struct merge_part *parts;
    uint32_t count = parts_of(r->set, i, &single, &parts), found = 0;
    int64_t from = mint_ms < r->set->mint_ms ? r->set->mint_ms : mint_ms;
    for (uint32_t p = 0; p < count && from <= maxt_ms; p++) {
        struct series_reader *sub = part_reader(r, parts[p].set);
        TRY(sub->ops->read(sub, parts[p].series, from, maxt_ms, &r->found[found], why));
        found += r->found[found].count > 0;
    }
    if (found == 0)
        *out = (struct samples){0};
    else if (found == 1)
        *out = r->found[0];
    else
        merge_found(r, found, out);
    return ERR_OK;
}

static enum err merge_last(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                           struct samples *out, struct errmsg *why)
{
    struct merge_reader *r = (struct merge_reader *)base;
    struct merge_part single;
    const struct merge_part *parts;
    uint32_t count = parts_of(r->set, i, &single, &parts);
    int64_t from = mint_ms < r->set->mint_ms ? r->set->mint_ms : mint_ms;
    struct samples best = {0};
    for (uint32_t p = from <= maxt_ms ? count : 0; p-- > 0;) { /* newest source first: of equal times it wins */
        if (best.count && r->set->maxt_ms[parts[p].set] <= best.times_ms[0])
            continue;
        struct samples s;
        struct series_reader *sub = part_reader(r, parts[p].set);
        TRY(sub->ops->last(sub, parts[p].series, from, maxt_ms, &s, why));
        if (s.count && (!best.count || s.times_ms[0] > best.times_ms[0]))
            best = s;
    }
    *out = best;
    return ERR_OK;
}

static void merge_reader_close(struct series_reader *base)
{
    struct merge_reader *r = (struct merge_reader *)base;
    for (uint32_t s = 0; s < r->set->set_count; s++)
        if (r->readers[s])
            r->readers[s]->ops->close(r->readers[s]);
    mem_free(r->readers);
    mem_free(r->found);
    mem_free(r->order);
    mem_free(r->next);
    mem_free(r->times);
    mem_free(r->values);
    mem_free(r->hists);
    mem_free(r->starts);
    mem_free(r->memo);
    mem_free(r);
}

static const struct series_reader_ops merge_reader_ops = {
    .read = merge_read, .last = merge_last, .close = merge_reader_close};

struct series_reader *merge_reader_new(struct series_set *base)
{
    struct merge_set *set = (struct merge_set *)base;
    struct merge_reader *r = MEM_NEW(struct merge_reader);
    r->base.ops = &merge_reader_ops;
    r->set = set;
    r->readers = mem_array(set->set_count + 1, sizeof *r->readers);
    r->found = mem_array(set->set_count + 1, sizeof *r->found);
    r->order = mem_array(set->set_count + 1, sizeof *r->order);
    r->next = mem_array(set->set_count + 1, sizeof *r->next);
    return &r->base;
}
