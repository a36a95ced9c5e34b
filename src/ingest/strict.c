/*
 * strict.c - Prometheus' rules for the order of samples (ingest.strict): looked at before anything is stored, as one
 * sample that breaks them refuses its whole request.
 *
 *     oldest accepted = newest sample of the head - 1 h         before it: "out of bounds"
 *     newer than the newest of its series                       fine
 *     the newest one again                                      fine when the value is the same, else "duplicate sample ..."
 *     older than that                                           "out of order sample"
 *
 * With a window (ingest.strict.out-of-order-window) what is older is taken when it is not older than the head's
 * newest sample minus the window, else "too old sample".  Samples of one series within one request are not held against
 * each other there: those that come too late are left out without a word, and so they are here.
 */
#include "ingest/ingest_internal.h"
#include "numeric/goformat.h"

enum { HALF_RANGE_MS = 3600000 };

/* Newest sample that the request brought so far, by series. */
struct seen {
    uint64_t key; /* ref, or the hash of its labels for one that is to be made; 0: free */
    int64_t newest_ms;
};

struct strict {
    struct lane *l;
    struct seen *seen; /* [seen_mask + 1], open addressing, at most half full; arena memory */
    size_t seen_mask;
    int64_t newest_ms; /* of the head; INT64_MIN: empty */
    int64_t future_ms; /* later ones are refused */
    int64_t window_ms;
};

static void duplicate_text(const struct head_newest *known, int64_t time_ms, uint64_t bits, struct errmsg *why)
{
    char existing[GOFORMAT_BYTES_MAX], new[GOFORMAT_BYTES_MAX];
    size_t a = goformat_float(existing, f64_from_bits(known->bits), 'g', -1);
    size_t b = goformat_float(new, f64_from_bits(bits), 'g', -1);
    if (known->histogram)
        err_set(why, ERR_INVALID,
                "duplicate sample for timestamp %lld; overrides not allowed: existing is a histogram, new value is %.*s",
                (long long)time_ms, (int)b, new);
    else
        err_set(why, ERR_INVALID,
                "duplicate sample for timestamp %lld; overrides not allowed: existing %.*s, new value %.*s",
                (long long)time_ms, (int)a, existing, (int)b, new);
}

static enum err check_bounds(struct strict *s, int64_t time_ms, struct errmsg *why)
{
    if (time_ms > s->future_ms)
        return err_set(why, ERR_INVALID, "out of bounds: timestamp is too far in the future");
    if (s->newest_ms == INT64_MIN)
        s->newest_ms = time_ms; /* the first sample of an empty store sets the scale */
    if (s->window_ms == 0 && time_ms < s->newest_ms - HALF_RANGE_MS)
        return err_set(why, ERR_INVALID, "out of bounds");
    return ERR_OK;
}

/* A sample that is not newer than its series' newest one, nor equal to it. */
static enum err check_late(const struct strict *s, int64_t time_ms, struct errmsg *why)
{
    if (s->window_ms > 0)
        return time_ms >= s->newest_ms - s->window_ms ? ERR_OK : err_set(why, ERR_INVALID, "too old sample");
    return err_set(why, ERR_INVALID, "out of order sample");
}

/* ref 0: a new series, to which only the bounds apply. */
static enum err check_float(struct strict *s, series_ref ref, int64_t time_ms, uint64_t bits, struct errmsg *why)
{
    struct head_newest known;
    TRY(check_bounds(s, time_ms, why));
    bool in_bounds = time_ms >= s->newest_ms - HALF_RANGE_MS;
    if (!ref || !head_newest(s->l->appender, ref, &known))
        return in_bounds ? ERR_OK : check_late(s, time_ms, why);
    if (in_bounds && time_ms > known.time_ms)
        return ERR_OK;
    if (!in_bounds || time_ms < known.time_ms)
        return check_late(s, time_ms, why);
    if (!known.histogram && known.bits == bits)
        return ERR_OK;
    duplicate_text(&known, time_ms, bits, why);
    return ERR_INVALID;
}

static enum err check_histogram(struct strict *s, const struct extra *e, struct errmsg *why)
{
    struct head_newest known;
    series_ref ref = e->ref ? e->ref : e->miss ? e->miss->ref : 0;
    TRY(check_bounds(s, e->time_ms, why));
    if (!e->hist)
        return err_set(why, ERR_INVALID, "invalid native histogram");
    bool in_bounds = e->time_ms >= s->newest_ms - HALF_RANGE_MS;
    if (!ref || !head_newest(s->l->appender, ref, &known))
        return in_bounds ? ERR_OK : check_late(s, e->time_ms, why);
    if (in_bounds && e->time_ms > known.time_ms)
        return ERR_OK;
    if (!in_bounds || e->time_ms < known.time_ms)
        return check_late(s, e->time_ms, why);
    if (known.histogram && head_newest_is_histogram(s->l->appender, ref, e->hist))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "duplicate sample for timestamp");
}

/* Series with labels that break a rule are passed over, as there. */
static bool is_passed_over(const struct miss *m)
{
    return m && m->reason != INGEST_REASONS;
}

static void seen_init(struct strict *s)
{
    size_t size = 16;
    while (size < 2 * (size_t)s->l->series_count)
        size *= 2;
    s->seen = ARENA_ARRAY(&s->l->arena, struct seen, size);
    s->seen_mask = size - 1;
}

static struct seen *seen_of(struct strict *s, uint64_t key)
{
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & s->seen_mask;
    while (s->seen[i].key && s->seen[i].key != key)
        i = (i + 1) & s->seen_mask;
    if (!s->seen[i].key)
        s->seen[i] = (struct seen){key, INT64_MIN};
    return &s->seen[i];
}

/* A sample that the request brings after a newer one of the same series, and no window would take. */
static bool comes_late(struct strict *s, uint64_t key, int64_t time_ms)
{
    struct seen *seen = seen_of(s, key);
    if (time_ms > seen->newest_ms) {
        seen->newest_ms = time_ms;
        return false;
    }
    return !(s->window_ms > 0 && time_ms >= s->newest_ms - s->window_ms);
}

static enum err check_rows(struct strict *s, uint32_t *bad_at, struct errmsg *why)
{
    struct lane *l = s->l;
    size_t from = 0;
    for (size_t i = 0; i < l->row_count; i++) {
        struct head_row *row = &l->rows[i];
        struct miss *m = row->ref ? NULL : miss_of(l, row->at, &from);
        if (is_passed_over(m))
            continue;
        series_ref ref = row->ref ? row->ref : m ? m->ref : 0;
        enum err err = check_float(s, ref, row->time_ms, row->bits, why);
        if (err != ERR_OK) {
            *bad_at = row->at;
            return err;
        }
        if (comes_late(s, ref || !m ? ref : m->canonical_hash.lo | UINT64_C(1) << 63, row->time_ms))
            reject_row(l, row);
    }
    return ERR_OK;
}

/* Up to the series at which a float is wrong already: its text comes first. */
static enum err check_histograms(struct strict *s, uint32_t before, struct errmsg *why)
{
    struct lane *l = s->l;
    size_t from = 0;
    for (size_t i = 0; i < l->extra_count; i++) {
        struct extra *e = &l->extras[i];
        e->miss = e->ref ? NULL : miss_of(l, e->at, &from);
        if (e->kind == EXTRA_HISTOGRAM && e->at < before && !is_passed_over(e->miss))
            TRY(check_histogram(s, e, why));
    }
    return ERR_OK;
}

enum err strict_check(struct lane *l, int64_t future_ms, struct errmsg *why)
{
    struct ingest *ingest = l->ingest;
    uint32_t bad_at = UINT32_MAX;
    struct errmsg of_floats = {0};
    struct strict s = {.l = l,
                       .newest_ms = atomic_load_explicit(&ingest->newest_ms, memory_order_relaxed),
                       .future_ms = future_ms,
                       .window_ms = ingest->options.out_of_order_window_ms};
    seen_init(&s);
    enum err err = check_rows(&s, &bad_at, &of_floats);
    TRY(check_histograms(&s, bad_at, why));
    if (err != ERR_OK && why)
        *why = of_floats;
    return err;
}

static void newest_raise(struct ingest *ingest, int64_t time_ms)
{
    int64_t known = atomic_load_explicit(&ingest->newest_ms, memory_order_relaxed);
    while (time_ms > known && !atomic_compare_exchange_weak(&ingest->newest_ms, &known, time_ms))
        ;
}

void strict_stored(struct lane *l)
{
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < l->row_count; i++)
        if (l->rows[i].at != ROW_REJECTED && l->rows[i].time_ms > newest)
            newest = l->rows[i].time_ms;
    for (size_t i = 0; i < l->extra_count; i++)
        if (l->extras[i].kind == EXTRA_HISTOGRAM && !l->extras[i].rejected && l->extras[i].time_ms > newest)
            newest = l->extras[i].time_ms;
    newest_raise(l->ingest, newest);
}
