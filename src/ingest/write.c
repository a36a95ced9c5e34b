/*
 * write.c - one request, from its bytes to the ticket.
 *
 *     decode      the body is decompressed
 *     scan        series are found by their hash, samples become rows
 *     canonical   unknown labels are parsed, checked, sorted: everything that can be wrong with the
 *                 bytes is known before anything is stored
 *     times       samples outside the accepted range are taken out
 *     lane        opened: from here on records and head move together
 *     append      rows of known series; then series are made, then their rows
 *     lane        committed with the ticket
 */
#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"

#define DAY_MS INT64_C(86400000)

static void count_add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- what is refused ---- */

static const char *reason_text(enum ingest_reason reason)
{
    switch (reason) {
    case INGEST_NO_NAME:
        return "missing metric name";
    case INGEST_BAD_LABEL_NAME:
        return "invalid label name";
    case INGEST_BAD_LABEL_VALUE:
        return "invalid label value, not UTF-8";
    case INGEST_DUPLICATE_LABEL:
        return "duplicate label name";
    case INGEST_LABEL_LIMIT:
        return "label limit exceeded";
    case INGEST_TOO_OLD:
        return "too old sample";
    case INGEST_TOO_FAR_AHEAD:
        return "out of bounds, too far into the future";
    case INGEST_SERIES_LIMIT:
    case INGEST_DAILY_LIMIT:
    case INGEST_MEMORY_LIMIT:
    case INGEST_METRIC_LIMIT:
    case INGEST_VALUES_LIMIT:
        return "limit of series reached";
    case INGEST_OUT_OF_ORDER:
        return "out of order sample";
    case INGEST_BAD_HISTOGRAM:
        return "invalid native histogram";
    case INGEST_BAD_EXEMPLAR:
        return "invalid exemplar";
    case INGEST_DROPPED:
        return "not wanted by a rule";
    case INGEST_REASONS:
        break;
    }
    return "unknown";
}

void reject_row(struct lane *l, struct head_row *row)
{
    row->ref = 0;
    row->at = ROW_REJECTED;
    l->rows_rejected++;
}

void reject(struct lane *l, struct ingest_result *result, enum ingest_reason reason, uint32_t count, uint32_t at,
            uint32_t len, int64_t time_ms)
{
    result->rejected[reason] += count;
    count_add(&l->counts.rejected[reason], count);
    if (reason == INGEST_BAD_EXEMPLAR || reason == INGEST_DROPPED || l->offender_count++ >= OFFENDERS)
        return;
    buf_printf(&l->offenders, "; %s%s: ", reason_text(reason), l->detail.len ? buf_cstr(&l->detail) : "");
    buf_reset(&l->detail);
    canonical_print(l, slice_of(l->raw + at, len), &l->offenders);
    if (time_ms != INT64_MIN)
        buf_printf(&l->offenders, " at %lld", (long long)time_ms);
}

enum ingest_reason limit_met(struct lane *l)
{
    static const struct {
        enum ingest_reason reason;
        const char *option, *by;
    } of[] = {
        [HEAD_LIMIT_SERIES] = {INGEST_SERIES_LIMIT, "limit.series", ""},
        [HEAD_LIMIT_DAILY] = {INGEST_DAILY_LIMIT, "limit.daily-series", ""},
        [HEAD_LIMIT_MEMORY] = {INGEST_MEMORY_LIMIT, "the head's share of memory.limit", ""},
        [HEAD_LIMIT_METRIC] = {INGEST_METRIC_LIMIT, "limit.series-per-metric", " by metric "},
        [HEAD_LIMIT_VALUES] = {INGEST_VALUES_LIMIT, "limit.values-per-label", " by label "},
    };
    const struct head_refusal *r = head_refusal(l->appender);
    struct slice shown = slice_of(r->offender.data, r->offender.len < 128 ? r->offender.len : 128);
    buf_reset(&l->detail);
    buf_printf(&l->detail, " (%s = %llu)%s%.*s", of[r->limit].option, (unsigned long long)r->max, of[r->limit].by,
               SLICE_ARG(shown));
    refusals_hit(&l->ingest->refusals, of[r->limit].reason, r->offender);
    return of[r->limit].reason;
}

static void log_rejected(struct lane *l, const struct ingest_result *result)
{
    int64_t now_ns = clock_mono_ns(l->ingest->options.clock);
    struct slice first = l->offenders.len > 2 ? slice_from(buf_view(&l->offenders), 2) : (struct slice){0};
    for (unsigned i = 0; i < INGEST_REASONS; i++)
        if (result->rejected[i] && i != INGEST_BAD_EXEMPLAR && i != INGEST_DROPPED)
            refusals_log(&l->ingest->refusals, now_ns, (enum ingest_reason)i, result->rejected[i], first);
}

static void explain(struct lane *l, struct ingest_result *result)
{
    uint64_t rejected = 0;
    for (unsigned i = 0; i < INGEST_REASONS; i++)
        rejected += i == INGEST_BAD_EXEMPLAR || i == INGEST_DROPPED ? 0 : result->rejected[i];
    if (rejected == 0)
        return;
    log_rejected(l, result);
    uint64_t taken = (uint64_t)result->samples + result->histograms;
    err_set(&result->why, ERR_OK, "%llu of %llu samples rejected, the others are stored%.*s%s",
            (unsigned long long)rejected, (unsigned long long)(taken + rejected), (int)l->offenders.len,
            (const char *)l->offenders.data, l->offender_count > OFFENDERS ? "; ..." : "");
}

/* Length of the label fields that start at `at`; our scan has been over them. */
static uint32_t labels_len(const struct lane *l, uint32_t at)
{
    const uint8_t *start = l->raw + at, *end = l->raw + l->raw_len, *p = start;
    size_t len;
    while (p < end && *p == WIRE_TAG(1, WIRE_BYTES) && (p = wire_len(p + 1, end, &len)))
        p += len;
    return p ? (uint32_t)(p - start) : 0;
}

/* ---- before anything is stored ---- */

enum { LOOKUPS_AHEAD = 16 };

/* Misses that are in the index after all, and the labels of those that are not. */
static enum err find_misses(struct lane *l, struct errmsg *why)
{
    for (size_t i = 0; i < l->miss_count; i++) {
        struct miss *m = &l->misses[i];
        if (i + LOOKUPS_AHEAD < l->miss_count && !m[LOOKUPS_AHEAD].scattered)
            head_lookup_prefetch_line(l->appender, m[LOOKUPS_AHEAD].hash);
        m->reason = INGEST_REASONS;
        if (!m->scattered && (m->ref = head_lookup(l->appender, m->hash)) != 0)
            continue;
        TRY(canonical_make(l, m, why));
        if (m->reason == INGEST_REASONS && m->other_spelling) {
            count_add(&l->counts.canonicalised, 1);
            m->ref = head_lookup(l->appender, m->canonical_hash);
        }
        drops_check(l, m);
    }
    return ERR_OK;
}

struct miss *miss_of(struct lane *l, uint32_t at, size_t *from)
{
    while (*from < l->miss_count && l->misses[*from].at < at)
        ++*from;
    return *from < l->miss_count && l->misses[*from].at == at ? &l->misses[*from] : NULL;
}

/* Takes out rows with times that are not accepted, and those of series that are refused. */
static void check_rows(struct lane *l, struct ingest_result *result, int64_t oldest, int64_t newest)
{
    int64_t good = newest;
    size_t from = 0;
    for (size_t i = 0; i < l->row_count; i++) {
        struct head_row *row = &l->rows[i];
        if (row->at == ROW_REJECTED)
            continue;
        if (row->ref == 0) {
            struct miss *m = miss_of(l, row->at, &from);
            assert(m != NULL);
            row->ref = m->ref;
            if (m->reason != INGEST_REASONS) {
                drops_count(m);
                reject(l, result, m->reason, 1, m->at, m->len, INT64_MIN);
                reject_row(l, row);
                continue;
            }
        }
        if (row->time_ms == good)
            continue;
        if (row->time_ms >= oldest && row->time_ms <= newest) {
            good = row->time_ms;
            continue;
        }
        reject(l, result, row->time_ms < oldest ? INGEST_TOO_OLD : INGEST_TOO_FAR_AHEAD, 1, row->at,
               labels_len(l, row->at), row->time_ms);
        reject_row(l, row);
    }
}

/* ---- storing ---- */

enum err make_series(struct lane *l, struct miss *m, int64_t time_ms, struct buf *records)
{
    if (!m->canonical.len && canonical_make(l, m, NULL) != ERR_OK)
        return ERR_INVALID; /* it left the head a moment ago; these bytes were accepted before */
    return head_series_get(l->appender, m->canonical, m->canonical_hash, time_ms, records, &m->ref);
}

struct miss *revive(struct lane *l, uint32_t at, struct miss *again)
{
    if (again->at == at && again->len)
        return again;
    *again = (struct miss){.at = at, .len = labels_len(l, at), .reason = INGEST_REASONS};
    again->hash = series_hash(head_hash_key(l->ingest->options.head), l->raw + at, again->len);
    return again;
}

/* Rows whose series has to be made first, into l->late; returns how many. */
static size_t make_late(struct lane *l, struct buf *records, struct ingest_result *result)
{
    size_t from = 0, count = 0;
    struct miss again = {0};
    for (size_t i = 0; i < l->row_count; i++) {
        struct head_row *row = &l->rows[i];
        if (row->ref || row->at == ROW_REJECTED)
            continue;
        struct miss *m = miss_of(l, row->at, &from);
        if (!m)
            m = revive(l, row->at, &again);
        enum err err = m->made ? ERR_OK : make_series(l, m, row->time_ms, records);
        m->made = err == ERR_OK;
        if (err != ERR_OK) {
            reject(l, result, limit_met(l), 1, m->at, m->len, INT64_MIN);
            reject_row(l, row);
            continue;
        }
        row->ref = m->ref;
        l->late = mem_grow(l->late, &l->late_capacity, count + 1, sizeof *l->late);
        l->late[count++] = *row;
    }
    return count;
}

/* Series that were not guessed: remember who follows whom.  Otherwise only the last ones are noted, for the next request. */
static void learn(struct lane *l, struct stream *stream)
{
    const struct head_lines *lines = head_lines(l->ingest->options.head);
    bool all_known = l->predicted == l->series_count;
    for (size_t i = all_known && l->row_count > 2 * HEAD_AHEAD ? l->row_count - 2 * HEAD_AHEAD : 0; i < l->row_count;
         i++) {
        series_ref ref = l->rows[i].ref, *oldest = &stream->trail[stream->trail_at % HEAD_AHEAD];
        if (!ref || ref == stream->last)
            continue;
        if (!all_known) {
            if (i + HEAD_AHEAD < l->row_count)
                __builtin_prefetch((const void *)(uintptr_t)head_successor(lines, l->rows[i + HEAD_AHEAD].ref), 1);
            head_learn(l->appender, stream->last, ref);
            head_learn_ahead(l->appender, *oldest, ref);
        }
        *oldest = stream->last = ref;
        stream->trail_at++;
    }
}

/* Spellings that led to a known series are found at once the next time. */
static void add_aliases(struct lane *l)
{
    for (size_t i = 0; i < l->miss_count; i++) {
        const struct miss *m = &l->misses[i];
        if (m->other_spelling && !m->scattered && m->ref)
            head_alias_add(l->appender, m->hash, m->ref);
    }
}

static void store(struct lane *l, struct stream *stream, struct buf *records, struct ingest_result *result)
{
    uint32_t left = head_append(l->appender, l->rows, (uint32_t)l->row_count, records);
    if (l->miss_count || left || l->extra_count) {
        head_create_begin(l->appender); /* once per request: 2,000 new series are made in one go */
        head_day(l->ingest->options.head, clock_now_ms(l->ingest->options.clock) / DAY_MS);
        size_t late = make_late(l, records, result);
        extras_store(l, records, result);
        add_aliases(l);
        head_create_end(l->appender);
        left = late ? head_append(l->appender, l->late, (uint32_t)late, records) : 0;
        assert(left == 0); /* a series that was made a moment ago does not leave */
    }
    learn(l, stream);
    for (size_t i = 0; i < l->metadata_count; i++)
        head_metadata_set(l->appender, &l->metadata[i], records);
    result->samples = (uint32_t)(l->row_count - l->rows_rejected);
    result->series = l->series_count;
    result->metadata = (uint32_t)l->metadata_count;
}

/* All figures of a request; before the lane is committed, as the result may be gone afterwards. */
void finish(struct lane *l, struct ingest_result *result)
{
    explain(l, result);
    head_count_found(l->appender, l->predicted, l->series_count - l->predicted);
    count_add(&l->counts.bytes_decoded, l->raw_len);
    count_add(&l->counts.series, result->series);
    count_add(&l->counts.samples, result->samples);
    count_add(&l->counts.metadata, result->metadata);
    count_add(&l->counts.histograms, result->histograms);
    count_add(&l->counts.exemplars, result->exemplars);
}

/* As Prometheus: nothing of the request is stored, and the text names the first sample only by what it broke. */
static enum err strict_refuse(struct lane *l, struct ingest_result *result, int64_t future_ms)
{
    result->strict = true;
    enum err err = strict_check(l, future_ms, &result->why);
    if (err == ERR_OK)
        return ERR_OK;
    uint64_t samples = l->row_count;
    result->rejected[INGEST_OUT_OF_ORDER] += (uint32_t)samples;
    count_add(&l->counts.rejected[INGEST_OUT_OF_ORDER], samples);
    refusals_log(&l->ingest->refusals, clock_mono_ns(l->ingest->options.clock), INGEST_OUT_OF_ORDER, samples,
                 slice_str(result->why.text));
    return err;
}

static enum err prepare(struct lane *l, const struct ingest_request *req, int64_t now, struct stream *stream,
                        struct ingest_result *result)
{
    TRY(decode_body(l, req, &result->why));
    if (req->version2)
        TRY(version2_rewrite(l, &result->why));
    TRY(scan_request(l, stream->last, &result->why));
    TRY(metadata_parse(l, &result->why));
    TRY(extras_parse(l, &result->why));
    TRY(find_misses(l, &result->why));
    const struct ingest_options *o = &l->ingest->options;
    int64_t keep = atomic_load_explicit(&l->ingest->retention_ms, memory_order_relaxed);
    int64_t oldest = keep ? now - keep : INT64_MIN + 1;
    if (o->strict && !l->deferred)
        TRY(strict_refuse(l, result, now + o->future_max_ms));
    check_rows(l, result, oldest, now + o->future_max_ms);
    extras_check(l, result, oldest, now + o->future_max_ms);
    return head_room(l->appender, &result->why);
}

static enum err write_request(struct lane *l, const struct ingest_request *req, struct ingest_result *result,
                              bool *pending)
{
    struct stream *stream = &l->streams[req->stream * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (STREAMS - 1)];
    struct buf *records = NULL;
    int64_t now = clock_now_ms(l->ingest->options.clock);
    if (stream->id != req->stream)
        *stream = (struct stream){.id = req->stream};
    if (l->ingest->options.strict && atomic_load_explicit(&l->ingest->deferring, memory_order_acquire))
        return err_set(&result->why, ERR_UNAVAILABLE, "the log is being read: what is in order is not known yet");
    TRY(prepare(l, req, now, stream, result));
    if (atomic_load_explicit(&l->ingest->deferring, memory_order_acquire)) {
        enum err err = defer_request(l, req, now, result);
        *pending = err == ERR_OK && req->ticket;
        if (err != ERR_NOT_FOUND)
            return err;
    }
    if (l->wal)
        TRY(wal_lane_begin(l->wal, 3 * l->raw_len + 4096, &records, &result->why));
    store(l, stream, records, result);
    if (l->ingest->options.strict)
        strict_stored(l);
    finish(l, result);
    if (l->wal) {
        *pending = req->ticket != NULL;
        wal_lane_commit(l->wal, req->ticket); /* the ticket may be called, and free the result, before this returns */
    }
    return ERR_OK;
}

/* A lane keeps its memory from request to request, but not that of a giant one. */
static void lane_reset(struct lane *l)
{
    enum { KEEP = 1 << 16 };
    arena_deinit(&l->arena);
    arena_init(&l->arena, NULL);
    buf_reset(&l->offenders);
    l->offender_count = 0;
    if (l->row_capacity + l->miss_capacity + l->late_capacity + l->extra_capacity + l->metadata_capacity <= KEEP)
        return;
    lane_release(l);
}

/* What was rejected when the request came is counted already. */
static void uncount(struct lane *l, const struct ingest_result *result)
{
    for (unsigned i = 0; i < INGEST_REASONS; i++)
        if (i != INGEST_SERIES_LIMIT)
            count_add(&l->counts.rejected[i], (uint64_t)-(int64_t)result->rejected[i]);
}

enum err write_deferred(struct lane *l, const struct head_deferred *d, struct errmsg *why)
{
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = d->body, .stream = d->stream};
    struct ingest_result result = {0};
    struct stream stream = {0};
    struct buf *records = NULL;
    lane_reset(l);
    head_appender_enter(l->appender, d->stream);
    l->deferred = true;
    enum err err = prepare(l, &req, d->now_ms, &stream, &result);
    l->deferred = false;
    if (err == ERR_INVALID) /* it was accepted, so these are not its bytes any more */
        l->raw_len = l->row_count = l->extra_count = l->miss_count = l->metadata_count = 0;
    if (err == ERR_OK || err == ERR_INVALID)
        err = wal_lane_begin(l->wal, 3 * l->raw_len + 4096, &records, &result.why);
    if (err == ERR_OK) {
        store(l, &stream, records, &result);
        head_record_applied(records, d->life, d->number);
        wal_lane_commit(l->wal, NULL);
    }
    head_appender_leave(l->appender);
    drops_release(l);
    uncount(l, &result);
    if (err != ERR_OK && why)
        *why = result.why;
    return err;
}

bool ingest_write(struct ingest *ingest, const struct ingest_request *req, struct ingest_result *result)
{
    assert(req->lane < ingest->options.lanes);
    struct lane *l = ingest->lanes[req->lane];
    bool pending = false;
    *result = (struct ingest_result){0};
    lane_reset(l);
    head_appender_enter(l->appender, req->stream);
    count_add(&l->counts.requests, 1);
    count_add(&l->counts.bytes, req->body.len);
    enum err err = write_request(l, req, result, &pending);
    head_appender_leave(l->appender);
    drops_release(l);
    if (err != ERR_OK) {
        result->err = err;
        count_add(&l->counts.refused, 1);
    }
    return pending;
}
