/*
 * compact_plan.c - the contract is in compact_plan.h.
 *
 * Worth it: the blocks beside the largest one are at least an eighth of it, or there are many.  So the
 * regular merge (six of about equal size) happens at once, while a few late samples do not make a week's
 * block be written again.
 *
 * A window that still gets blocks (the head flushes early because of memory) is not left to pile up: as
 * soon as TIER blocks of about one size are in it, they become one.
 *
 * Where all blocks of a window are larger together than bytes_max, as many neighbours as fit become one, and so on: a
 * window then ends up with a few blocks of about that size instead of one.
 *
 * Order of writes: of two blocks with a sample of one series and time the one with the higher sequence
 * wins, and a merged block has the highest sequence of its parts.  So a block that overlaps the merge in
 * time and lies between its parts in sequence must be part of it.
 */
#include "tsdb/compact_plan.h"

enum { WORTH_SHARE = 8, MANY = 10, FACTOR = 6, TIER = 8, TIER_SIZES = 4 };

struct compact_ranges compact_ranges_of(int64_t base_ms, int64_t max_ms)
{
    struct compact_ranges r = {.count = 1, .ms = {base_ms}};
    int64_t second = base_ms * FACTOR;
    if (second > max_ms)
        second = max_ms / base_ms * base_ms;
    if (second >= 2 * base_ms)
        r.ms[r.count++] = second;
    int64_t third = max_ms / second * second;
    if (r.count == 2 && third >= 2 * second)
        r.ms[r.count++] = third;
    return r;
}

static int64_t window_of(int64_t t, int64_t range)
{
    int64_t k = t / range;
    return t % range < 0 ? k - 1 : k;
}

static bool in_window(const struct compact_block *b, int64_t window, int64_t range)
{
    return window_of(b->mint_ms, range) == window && window_of(b->maxt_ms, range) == window;
}

static bool is_picked(const struct compact_plan *p, uint32_t index)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->picked[i] == index)
            return true;
    return false;
}

/* What all picked ones span. */
struct span {
    int64_t mint_ms, maxt_ms;
    uint64_t seq_min, seq_max;
    uint64_t bytes, largest;
};

static struct span span_of(const struct compact_block *blocks, const struct compact_plan *p)
{
    struct span s = {.mint_ms = INT64_MAX, .maxt_ms = INT64_MIN, .seq_min = UINT64_MAX};
    for (uint32_t i = 0; i < p->count; i++) {
        const struct compact_block *b = &blocks[p->picked[i]];
        s.mint_ms = b->mint_ms < s.mint_ms ? b->mint_ms : s.mint_ms;
        s.maxt_ms = b->maxt_ms > s.maxt_ms ? b->maxt_ms : s.maxt_ms;
        s.seq_min = b->seq_max < s.seq_min ? b->seq_max : s.seq_min;
        s.seq_max = b->seq_max > s.seq_max ? b->seq_max : s.seq_max;
        s.largest = b->bytes > s.largest ? b->bytes : s.largest;
        s.bytes += b->bytes;
    }
    return s;
}

/* Adds blocks that lie between the picked ones in sequence and overlap them; false: it cannot be done. */
static bool close_over_sequence(const struct compact_block *blocks, uint32_t count, struct compact_plan *p)
{
    for (bool added = true; added;) {
        struct span s = span_of(blocks, p);
        added = false;
        for (uint32_t i = 0; i < count && !added; i++) {
            const struct compact_block *b = &blocks[i];
            bool between = b->seq_max > s.seq_min && b->seq_max < s.seq_max;
            bool overlaps = b->mint_ms <= s.maxt_ms && b->maxt_ms >= s.mint_ms;
            if (!between || !overlaps || is_picked(p, i))
                continue;
            if (b->stuck || p->count == COMPACT_BLOCKS_MAX)
                return false;
            p->picked[p->count++] = i;
            added = true;
        }
    }
    return true;
}

/* A merge needs as much free space as it writes, and nobody wants a file of a terabyte. */
static bool fits(const struct compact_block *blocks, const struct compact_plan *p, uint64_t bytes_max)
{
    return bytes_max == 0 || span_of(blocks, p).bytes <= bytes_max;
}

static bool worth(const struct compact_block *blocks, const struct compact_plan *p)
{
    if (p->count < 2)
        return false;
    struct span s = span_of(blocks, p);
    return p->count >= MANY || (s.bytes - s.largest) * WORTH_SHARE >= s.largest;
}

static void sort_picked(struct compact_plan *p)
{
    for (uint32_t i = 1; i < p->count; i++) {
        uint32_t v = p->picked[i], at = i;
        for (; at > 0 && p->picked[at - 1] > v; at--)
            p->picked[at] = p->picked[at - 1];
        p->picked[at] = v;
    }
}

static bool is_in(const struct compact_block *b, int64_t window, int64_t range)
{
    return !b->stuck && in_window(b, window, range);
}

/* Where it is among the blocks of a window: by time, then by place in the list. */
static bool is_before(const struct compact_block *blocks, uint32_t a, uint32_t b)
{
    return blocks[a].mint_ms != blocks[b].mint_ms ? blocks[a].mint_ms < blocks[b].mint_ms : a < b;
}

/* The block of the window that comes next after `last` (count: none yet); count: there is none. */
static uint32_t next_in(const struct compact_block *blocks, uint32_t count, int64_t window, int64_t range,
                        uint32_t last)
{
    uint32_t best = count;
    for (uint32_t i = 0; i < count; i++) {
        bool after = last == count || is_before(blocks, last, i);
        if (is_in(&blocks[i], window, range) && after && (best == count || is_before(blocks, i, best)))
            best = i;
    }
    return best;
}

/* From block `from` of the window on as many neighbours as fit together. */
static bool pick_run(const struct compact_block *blocks, uint32_t count, uint32_t from, int64_t window, int64_t range,
                     uint64_t bytes_max, struct compact_plan *p)
{
    struct compact_plan trial;
    bool found = false;
    trial.count = 0;
    for (uint32_t i = from; i < count && trial.count < COMPACT_BLOCKS_MAX;
         i = next_in(blocks, count, window, range, i)) {
        if (is_picked(&trial, i))
            continue;
        trial.picked[trial.count++] = i;
        if (!close_over_sequence(blocks, count, &trial) || !fits(blocks, &trial, bytes_max))
            break;
        if (worth(blocks, &trial)) {
            *p = trial;
            found = true;
        }
    }
    return found;
}

static bool pick_runs(const struct compact_block *blocks, uint32_t count, int64_t window, int64_t range,
                      uint64_t bytes_max, struct compact_plan *p)
{
    uint32_t from = next_in(blocks, count, window, range, count);
    while (from < count && !pick_run(blocks, count, from, window, range, bytes_max, p))
        from = next_in(blocks, count, window, range, from);
    return from < count;
}

/* Picks what is in the window of block `first`. */
static bool pick_window(const struct compact_block *blocks, uint32_t count, uint32_t first, int64_t range,
                        uint64_t bytes_max, struct compact_plan *p)
{
    int64_t window = window_of(blocks[first].mint_ms, range);
    p->count = 0;
    for (uint32_t i = 0; i < count && p->count < COMPACT_BLOCKS_MAX; i++)
        if (is_in(&blocks[i], window, range))
            p->picked[p->count++] = i;
    if (!close_over_sequence(blocks, count, p) || !worth(blocks, p))
        return false;
    return fits(blocks, p, bytes_max) || pick_runs(blocks, count, window, range, bytes_max, p);
}

/* Picks TIER or more blocks of the smallest size class in a window of the first range. */
static bool pick_tier(const struct compact_block *blocks, uint32_t count, uint32_t smallest, int64_t range,
                      uint64_t bytes_max, struct compact_plan *p)
{
    int64_t window = window_of(blocks[smallest].mint_ms, range);
    p->count = 0;
    for (uint32_t i = 0; i < count && p->count < COMPACT_BLOCKS_MAX; i++)
        if (!blocks[i].stuck && in_window(&blocks[i], window, range) &&
            blocks[i].bytes / TIER_SIZES <= blocks[smallest].bytes && blocks[i].bytes >= blocks[smallest].bytes)
            p->picked[p->count++] = i;
    return p->count >= TIER && close_over_sequence(blocks, count, p) && fits(blocks, p, bytes_max);
}

static bool plan_tier(const struct compact_block *blocks, uint32_t count, const struct compact_ranges *ranges,
                      struct compact_plan *out)
{
    for (uint32_t i = 0; i < count; i++)
        if (pick_tier(blocks, count, i, ranges->ms[0], ranges->bytes_max, out)) {
            out->range = 0;
            sort_picked(out);
            return true;
        }
    return false;
}

bool compact_plan_next(const struct compact_block *blocks, uint32_t count, const struct compact_ranges *ranges,
                       int64_t complete_ms, struct compact_plan *out)
{
    for (uint32_t r = 0; r < ranges->count; r++) {
        int64_t range = ranges->ms[r];
        uint32_t best = count; /* a block of the oldest window that is worth it */
        for (uint32_t i = 0; i < count; i++) {
            int64_t window = window_of(blocks[i].mint_ms, range);
            bool complete = (window + 1) * range <= complete_ms && in_window(&blocks[i], window, range);
            bool older = best == count || blocks[i].mint_ms < blocks[best].mint_ms;
            if (complete && older && pick_window(blocks, count, i, range, ranges->bytes_max, out))
                best = i;
        }
        if (best == count)
            continue;
        pick_window(blocks, count, best, range, ranges->bytes_max, out);
        out->range = r;
        sort_picked(out);
        return true;
    }
    return plan_tier(blocks, count, ranges, out);
}
