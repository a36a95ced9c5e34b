/*
 * replay_samples.c - records of samples are checked, and remembered until their pages are at hand.
 *
 * What values are cannot be told here, as they are differences to what the series has; that every byte of them is there
 * and means something is known afterwards.
 */
#include "head/replay_internal.h"

/* Control bytes of a run, one for each bit, and what they need. */
static const uint8_t *skip_run(const uint8_t *p, const uint8_t *end, uint64_t bitmap, bool beside)
{
    for (; bitmap; bitmap &= bitmap - 1) {
        if (p == end)
            return NULL;
        unsigned low = *p & 15, len = code_bytes(*p);
        if (len >= (size_t)(end - p) || !code_is_sound(*p) || (beside && (low == SAMPLE_WHOLE || low == SAMPLE_RAW)))
            return NULL;
        p += 1 + len;
    }
    return p;
}

/* Control bytes of a track for so many samples, and what they need. */
static const uint8_t *skip_track(const uint8_t *p, const uint8_t *end, uint32_t count, bool beside)
{
    for (uint32_t n = 0; n < count;) {
        if (p == end)
            return NULL;
        unsigned low = *p & 15, len = code_bytes(*p);
        if (len >= (size_t)(end - p) || !code_is_sound(*p) || low == SAMPLE_RAW || (beside && low == SAMPLE_WHOLE))
            return NULL;
        n += low == SAMPLE_NONE ? (*p >> 4) + 1u : 1;
        if (n > count)
            return NULL;
        p += 1 + len;
    }
    return p;
}

/* Bits of so many slots in plain bytes; none is set from `slots` on. */
static const uint8_t *get_plain_bitmap(const uint8_t *p, const uint8_t *end, uint32_t slots, uint64_t *out)
{
    size_t bytes = (slots + 7) / 8;
    if ((size_t)(end - p) < bytes)
        return NULL;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out |= (uint64_t)p[i] << 8 * i;
    return slots < PAGE_SERIES && *out >> slots ? NULL : p + bytes;
}

/* The same from bitmap_put. */
static const uint8_t *get_bitmap(const uint8_t *p, const uint8_t *end, uint32_t slots, uint64_t *out)
{
    if (slots <= 8)
        return get_plain_bitmap(p, end, slots, out);
    if (p == end)
        return NULL;
    *out = 0;
    for (unsigned which = *p++; which; which &= which - 1) {
        if (p == end)
            return NULL;
        *out |= (uint64_t)*p++ << 8 * __builtin_ctz(which);
    }
    return slots < PAGE_SERIES && *out >> slots ? NULL : p;
}

static const uint8_t *get_page(struct head_replay *r, const uint8_t *p, const uint8_t *end, uint64_t *page,
                               uint32_t *slot)
{
    uint64_t diff;
    if (!(p = varint_get(p, end, &diff)) || p == end)
        return NULL;
    *page = (uint64_t)r->before.page + (uint64_t)zigzag_get(diff);
    *slot = *p++;
    return *slot < PAGE_SERIES ? p : NULL;
}

static const uint8_t *get_sequence(struct head_replay *r, const uint8_t *p, const uint8_t *end, uint64_t *sequence)
{
    uint64_t diff;
    if (!(p = varint_get(p, end, &diff)))
        return NULL;
    *sequence = (uint64_t)r->before.sequence + (uint64_t)zigzag_get(diff);
    return p;
}

static const uint8_t *get_time(struct head_replay *r, const uint8_t *p, const uint8_t *end, int64_t *time_ms)
{
    uint64_t diff, from = r->before.time_ms == NO_TIME ? 0 : (uint64_t)r->before.time_ms;
    if (!(p = varint_get(p, end, &diff)))
        return NULL;
    *time_ms = (int64_t)(from + (uint64_t)zigzag_get(diff));
    return p;
}

/* The record is fine; its page and sequence are looked at here. */
static bool remember(struct head_replay *r, uint64_t page, uint64_t sequence, struct replay_run run)
{
    if (sequence > UINT32_MAX || run.time_ms == NO_TIME || !replay_page_reserve(r, page))
        return false;
    run.page = (uint32_t)page;
    run.sequence = (uint32_t)sequence;
    run.frame = r->frame;
    r->before = (struct record_place){run.page, run.sequence, run.time_ms};
    r->runs = mem_grow(r->runs, &r->run_capacity, r->run_count + 1, sizeof *r->runs);
    r->runs[r->run_count++] = run;
    return true;
}

static uint64_t all_slots(uint32_t count)
{
    return count < PAGE_SERIES ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
}

const uint8_t *parse_samples(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    uint64_t page, sequence;
    uint32_t slot;
    if (p == end)
        return NULL;
    uint8_t flags = *p++;
    if (flags & ~(SAMPLES_SAME_TIME | SAMPLES_SPARSE) || !(p = get_page(r, p, end, &page, &slot)) || p == end)
        return NULL;
    struct replay_run run = {.slot = (uint8_t)slot, .count = *p++, .time_ms = r->before.time_ms};
    if (run.count < 1 || slot + run.count > PAGE_SERIES)
        return NULL;
    run.present = all_slots(run.count);
    if (flags & SAMPLES_SPARSE && !(p = get_plain_bitmap(p, end, run.count, &run.present)))
        return NULL;
    if (!(p = varint_get(p, end, &sequence)))
        return NULL;
    if (!(flags & SAMPLES_SAME_TIME)) {
        if (end - p < 8)
            return NULL;
        run.time_ms = (int64_t)le64_get(p);
        p += 8;
    }
    if (!(p = get_plain_bitmap(p, end, run.count, &run.logged)) || run.logged & ~run.present)
        return NULL;
    run.at = (uint32_t)(p - r->batch.data);
    p = skip_run(p, end, run.logged, false);
    return p && remember(r, page, sequence, run) ? p : NULL;
}

const uint8_t *parse_run(struct head_replay *r, unsigned flags, const uint8_t *p, const uint8_t *end)
{
    uint64_t page = (uint64_t)r->before.page + 1, sequence = r->before.sequence;
    uint32_t slot = 0, count;
    struct replay_run run = {.time_ms = r->before.time_ms, .beside = flags & RUN_BESIDE};
    if (!(flags & RUN_NEXT_PAGE) && !(p = get_page(r, p, end, &page, &slot)))
        return NULL;
    count = PAGE_SERIES - slot;
    if (!(flags & RUN_TO_END)) {
        if (p == end || *p < 1 || *p > count)
            return NULL;
        count = *p++;
    }
    run.slot = (uint8_t)slot;
    run.count = (uint8_t)count;
    run.present = all_slots(count);
    if (flags & RUN_SPARSE && !(p = get_bitmap(p, end, count, &run.present)))
        return NULL;
    if (!(flags & RUN_SAME_SEQUENCE) && !(p = get_sequence(r, p, end, &sequence)))
        return NULL;
    if (!(flags & RUN_SAME_TIME) && !(p = get_time(r, p, end, &run.time_ms)))
        return NULL;
    if (!(p = get_bitmap(p, end, count, &run.logged)) || run.logged & ~run.present)
        return NULL;
    run.at = (uint32_t)(p - r->batch.data);
    p = skip_run(p, end, run.logged, run.beside);
    return p && remember(r, page, sequence, run) ? p : NULL;
}

const uint8_t *track_times(const uint8_t *p, const uint8_t *end, int64_t first_ms, uint32_t count, int64_t *out)
{
    uint64_t time = (uint64_t)first_ms, step = 0, diff, more;
    out[0] = first_ms;
    for (uint32_t i = 1; i < count;) {
        if (!(p = varint_get(p, end, &diff)))
            return NULL;
        more = 0;
        if (diff == 0 && (!(p = varint_get(p, end, &more)) || more >= count - i))
            return NULL;
        step += (uint64_t)zigzag_get(diff);
        for (more++; more; more--) {
            time += step;
            out[i++] = (int64_t)time;
            if (out[i - 1] == NO_TIME)
                return NULL;
        }
    }
    return p;
}

const uint8_t *parse_track(struct head_replay *r, unsigned flags, const uint8_t *p, const uint8_t *end)
{
    uint64_t page, sequence;
    uint32_t slot;
    int64_t times_ms[TRACK_SAMPLES_MAX];
    struct replay_run run = {.kind = REPLAY_TRACK, .time_ms = r->before.time_ms, .beside = flags & TRACK_BESIDE};
    if (!(p = get_page(r, p, end, &page, &slot)) || p == end || *p == 0)
        return NULL;
    run.slot = (uint8_t)slot;
    run.count = *p++;
    if (!(p = get_sequence(r, p, end, &sequence)))
        return NULL;
    if (!(flags & TRACK_SAME_TIME) && !(p = get_time(r, p, end, &run.time_ms)))
        return NULL;
    const uint8_t *codes = p;
    run.at = (uint32_t)(p - r->batch.data);
    if (!(p = skip_track(p, end, run.count, run.beside)) ||
        !(p = track_times(p, end, run.time_ms, run.count, times_ms)))
        return NULL;
    run.logged = (uint64_t)(p - codes);
    return remember(r, page, sequence, run) ? p : NULL;
}
