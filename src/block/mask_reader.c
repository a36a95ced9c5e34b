/*
 * mask_reader.c - samples of one series without the deleted ones.
 *
 * What is read stands in the reader's own arrays (times too, even when the cache's are handed out), so
 * the samples of the cuts are taken out in place.  Series that lost different times must not pass for
 * series with the same times: the cuts go into times_id.
 */
#include "block/mask_internal.h"

struct mask_cuts view_cuts(const struct block_view *v, uint32_t ordinal)
{
    const struct block_mask *m = v ? v->mask : NULL;
    uint32_t low = 0, high = m ? m->partial_count : 0;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (m->ordinals[mid] < ordinal)
            low = mid + 1;
        else
            high = mid;
    }
    if (!m || low == m->partial_count || m->ordinals[low] != ordinal)
        return (struct mask_cuts){0};
    return (struct mask_cuts){m->intervals + m->first[low], m->first[low + 1] - m->first[low]};
}

bool mask_touches(struct mask_cuts cuts, int64_t mint_ms, int64_t maxt_ms)
{
    for (uint32_t i = 0; i < cuts.count; i++)
        if (cuts.list[i].mint_ms <= maxt_ms && cuts.list[i].maxt_ms >= mint_ms)
            return true;
    return false;
}

static uint64_t cuts_mix(uint64_t id, struct mask_cuts cuts)
{
    for (uint32_t i = 0; i < cuts.count; i++) {
        id = (id ^ (uint64_t)cuts.list[i].mint_ms) * UINT64_C(0x9e3779b97f4a7c15);
        id = (id ^ id >> 31 ^ (uint64_t)cuts.list[i].maxt_ms) * UINT64_C(0xbf58476d1ce4e5b9);
    }
    id = (id ^ id >> 29) & INT64_MAX; /* bit 63 is the head's */
    return id ? id : 1;
}

static void take_out(struct sample_reader *r, struct mask_cuts cuts, struct samples *s)
{
    uint32_t kept = 0, cut = 0;
    if (s->count == 0 || !mask_touches(cuts, s->times_ms[0], s->times_ms[s->count - 1]))
        return;
    r->run_count = 0; /* times_ms is written over */
    for (uint32_t i = 0; i < s->count; i++) {
        int64_t t = s->times_ms[i];
        while (cut < cuts.count && cuts.list[cut].maxt_ms < t)
            cut++;
        if (cut < cuts.count && cuts.list[cut].mint_ms <= t)
            continue;
        r->times_ms[kept] = t;
        r->values[kept] = r->values[i];
        if (s->hists)
            r->hists[kept] = r->hists[i];
        if (s->start_times_ms)
            r->start_times_ms[kept] = r->start_times_ms[i];
        kept++;
    }
    s->count = kept;
    s->times_ms = r->times_ms;
    s->times_id = kept ? cuts_mix(s->times_id, cuts) : 0;
}

enum err masked_read(struct sample_reader *r, const struct block_view *view, uint32_t ordinal, int64_t mint_ms,
                     int64_t maxt_ms, struct samples *out, struct errmsg *why)
{
    int64_t floor = view_floor(view, ordinal);
    mint_ms = mint_ms < floor ? floor : mint_ms;
    if (mint_ms > maxt_ms || view_is_gone(view, ordinal)) {
        *out = (struct samples){0};
        return ERR_OK;
    }
    TRY(sample_reader_read(r, ordinal, mint_ms, maxt_ms, out, why));
    take_out(r, view_cuts(view, ordinal), out);
    return ERR_OK;
}

enum err masked_last(struct sample_reader *r, const struct block_view *view, uint32_t ordinal, int64_t mint_ms,
                     int64_t maxt_ms, struct samples *out, struct errmsg *why)
{
    struct mask_cuts cuts = view_cuts(view, ordinal);
    int64_t floor = view_floor(view, ordinal);
    mint_ms = mint_ms < floor ? floor : mint_ms;
    *out = (struct samples){0};
    if (view_is_gone(view, ordinal))
        return ERR_OK;
    for (uint32_t i = cuts.count; mint_ms <= maxt_ms;) {
        TRY(sample_reader_last(r, ordinal, mint_ms, maxt_ms, out, why));
        if (out->count == 0)
            return ERR_OK;
        while (i > 0 && cuts.list[i - 1].mint_ms > out->times_ms[0])
            i--;
        if (i == 0 || cuts.list[i - 1].maxt_ms < out->times_ms[0])
            return ERR_OK;
        *out = (struct samples){0};
        if (cuts.list[i - 1].mint_ms == INT64_MIN)
            return ERR_OK;
        maxt_ms = cuts.list[i - 1].mint_ms - 1; /* it is deleted: the newest one before the cut */
    }
    return ERR_OK;
}

enum err masked_chunk(struct sample_reader *r, struct mask_cuts cuts, const struct chunk_entry *e, int64_t mint_ms,
                      int64_t maxt_ms, struct samples *out, struct errmsg *why)
{
    TRY(sample_reader_chunk(r, e, mint_ms, maxt_ms, out, why));
    take_out(r, cuts, out);
    return ERR_OK;
}

/* ---- counting ---- */

static uint32_t below(const int64_t *times, uint32_t n, int64_t t)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (times[mid] < t)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static uint32_t inside(const int64_t *times, uint32_t n, int64_t mint_ms, int64_t maxt_ms)
{
    if (mint_ms > maxt_ms)
        return 0;
    return (maxt_ms == INT64_MAX ? n : below(times, n, maxt_ms + 1)) - below(times, n, mint_ms);
}

static enum err chunk_left(struct sample_reader *r, const struct chunk_entry *e, int64_t mint_ms, int64_t maxt_ms,
                           struct mask_cuts cuts, uint64_t *left, struct errmsg *why)
{
    struct times_info info;
    const int64_t *times;
    TRY(sample_reader_times_info(r, e->times_id, &info, why));
    if (info.first_ms > maxt_ms || info.last_ms < mint_ms)
        return ERR_OK;
    if (info.first_ms >= mint_ms && info.last_ms <= maxt_ms && !mask_touches(cuts, info.first_ms, info.last_ms)) {
        *left += e->count;
        return ERR_OK;
    }
    TRY(sample_reader_times(r, e, &times, why));
    uint32_t n = inside(times, e->count, mint_ms, maxt_ms);
    for (uint32_t i = 0; i < cuts.count; i++) {
        int64_t from = cuts.list[i].mint_ms > mint_ms ? cuts.list[i].mint_ms : mint_ms;
        int64_t to = cuts.list[i].maxt_ms < maxt_ms ? cuts.list[i].maxt_ms : maxt_ms;
        n -= inside(times, e->count, from, to);
    }
    *left += n;
    return ERR_OK;
}

enum err mask_count_left(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms,
                         struct mask_cuts cuts, uint64_t enough, uint64_t *left, struct errmsg *why)
{
    const struct chunk_entry *e;
    uint32_t count = 0;
    *left = 0;
    enum err err = sample_reader_entries(r, ordinal, &e, &count, why);
    for (uint32_t i = 0; err == ERR_OK && i < count && !(enough && *left >= enough); i++)
        err = chunk_left(r, &e[i], mint_ms, maxt_ms, cuts, left, why);
    if (err != ERR_CORRUPT)
        return err;
    *left = UINT32_MAX; /* reading it will tell */
    return ERR_OK;
}
