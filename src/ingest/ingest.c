/* ingest.c - options, lanes, names of reasons, figures. */
#include "ingest/ingest.h"

#include "base/assert.h"
#include "ingest/ingest_internal.h"

void ingest_options_default(struct ingest_options *o)
{
    *o = (struct ingest_options){
        .lanes = 1,
        .body_bytes_max = 32 << 20,
        .series_max = 1000000,
        .label_count_max = 64,
        .label_name_bytes_max = 256,
        .label_value_bytes_max = 4096,
        .labels_bytes_max = 32 << 10,
        .future_max_ms = 10 * 60 * 1000,
        .deferred_bytes_max = UINT64_C(64) << 20,
    };
}

static struct lane *lane_new(struct ingest *ingest)
{
    struct lane *l = MEM_NEW(struct lane);
    l->ingest = ingest;
    l->appender = head_appender_new(ingest->options.head);
    l->wal = ingest->options.wal ? wal_lane_new(ingest->options.wal) : NULL;
    arena_init(&l->arena, NULL);
    l->offenders.limit = 900;
    l->detail.limit = 300;
    return l;
}

void lane_release(struct lane *l)
{
    mem_free(l->rows);
    mem_free(l->misses);
    mem_free(l->extras);
    mem_free(l->metadata_messages);
    mem_free(l->late);
    l->rows = l->late = NULL;
    l->misses = NULL;
    l->extras = NULL;
    l->metadata_messages = NULL;
    l->row_capacity = l->miss_capacity = l->extra_capacity = l->metadata_capacity = l->late_capacity = 0;
}

static void lane_free(struct lane *l)
{
    if (l->wal)
        wal_lane_free(l->wal);
    head_appender_free(l->appender);
    arena_deinit(&l->arena);
    buf_deinit(&l->offenders);
    buf_deinit(&l->detail);
    lane_release(l);
    version2_release(l);
    mem_free(l->raw);
    decode_deinit(l);
    mem_free(l);
}

void ingest_newest_find(struct ingest *ingest)
{
    struct head_stats head;
    head_stats(ingest->options.head, &head);
    atomic_store(&ingest->newest_ms, head.mint_ms > head.maxt_ms ? INT64_MIN : head.maxt_ms);
}

enum err ingest_new(const struct ingest_options *o, struct ingest **out, struct errmsg *why)
{
    assert(o->head && o->clock && o->lanes > 0);
    if (o->label_count_max > LABEL_COUNT_MAX || o->labels_bytes_max > LABELS_BYTES_MAX)
        return err_set(why, ERR_INVALID, "at most %d labels of %d bytes in all per series can be allowed",
                       LABEL_COUNT_MAX, LABELS_BYTES_MAX);
    if (o->body_bytes_max > (UINT64_C(1) << 31))
        return err_set(why, ERR_INVALID, "a request can be allowed at most 2 GiB");
    struct ingest *ingest = MEM_NEW(struct ingest);
    ingest->options = *o;
    ingest->retention_ms = o->retention_ms;
    mutex_init(&ingest->drops_lock);
    ingest_newest_find(ingest);
    refusals_init(&ingest->refusals);
    defer_init(ingest);
    ingest->lanes = mem_array(o->lanes, sizeof *ingest->lanes);
    for (unsigned i = 0; i < o->lanes; i++)
        ingest->lanes[i] = lane_new(ingest);
    *out = ingest;
    return ERR_OK;
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest)
        return;
    for (unsigned i = 0; i < ingest->options.lanes; i++)
        lane_free(ingest->lanes[i]);
    defer_deinit(ingest);
    mem_free(ingest->lanes);
    refusals_deinit(&ingest->refusals);
    ingest_drops_free(ingest->drops);
    mutex_deinit(&ingest->drops_lock);
    mem_free(ingest);
}

void ingest_set_retention(struct ingest *ingest, int64_t retention_ms)
{
    atomic_store(&ingest->retention_ms, retention_ms);
}

const char *ingest_reason_name(enum ingest_reason reason)
{
    static const char *const names[INGEST_REASONS] = {
        [INGEST_NO_NAME] = "no_metric_name",          [INGEST_BAD_LABEL_NAME] = "bad_label_name",
        [INGEST_BAD_LABEL_VALUE] = "bad_label_value", [INGEST_DUPLICATE_LABEL] = "duplicate_label",
        [INGEST_LABEL_LIMIT] = "label_limit",         [INGEST_TOO_OLD] = "too_old",
        [INGEST_TOO_FAR_AHEAD] = "too_far_ahead",     [INGEST_SERIES_LIMIT] = "series_limit",
        [INGEST_DAILY_LIMIT] = "daily_limit",         [INGEST_MEMORY_LIMIT] = "memory_limit",
        [INGEST_METRIC_LIMIT] = "metric_limit",       [INGEST_VALUES_LIMIT] = "values_limit",
        [INGEST_OUT_OF_ORDER] = "out_of_order",       [INGEST_BAD_HISTOGRAM] = "bad_histogram",
        [INGEST_BAD_EXEMPLAR] = "bad_exemplar",       [INGEST_DROPPED] = "dropped_by_rule",
    };
    assert(reason < INGEST_REASONS);
    return names[reason];
}

/* Prometheus passes over such series with a line in its log and answers 204. */
static bool is_of_labels(enum ingest_reason reason)
{
    return reason == INGEST_NO_NAME || reason == INGEST_BAD_LABEL_NAME || reason == INGEST_BAD_LABEL_VALUE ||
           reason == INGEST_DUPLICATE_LABEL;
}

int ingest_status(const struct ingest_result *r)
{
    uint64_t rejected = 0;
    switch (r->err) {
    case ERR_OK:
        break;
    case ERR_INVALID:
        return 400;
    case ERR_LIMIT:
        return 413;
    default:
        return 503;
    }
    uint64_t full = r->rejected[INGEST_SERIES_LIMIT] + r->rejected[INGEST_DAILY_LIMIT] + r->rejected[INGEST_MEMORY_LIMIT];
    for (unsigned i = 0; i < INGEST_REASONS; i++)
        if (i != INGEST_BAD_EXEMPLAR && i != INGEST_DROPPED && !(r->strict && is_of_labels((enum ingest_reason)i)))
            rejected += r->rejected[i];
    if (rejected > full)
        return 400;
    return full ? 429 : 204;
}

void ingest_stats(struct ingest *ingest, struct ingest_stats *out)
{
    *out = (struct ingest_stats){0};
    out->deferred = atomic_load_explicit(&ingest->deferred, memory_order_relaxed);
    out->deferred_bytes = atomic_load_explicit(&ingest->deferred_bytes, memory_order_relaxed);
    for (unsigned i = 0; i < ingest->options.lanes; i++) {
        struct ingest_counts *c = &ingest->lanes[i]->counts;
        out->requests += atomic_load_explicit(&c->requests, memory_order_relaxed);
        out->requests_refused += atomic_load_explicit(&c->refused, memory_order_relaxed);
        out->bytes += atomic_load_explicit(&c->bytes, memory_order_relaxed);
        out->bytes_decoded += atomic_load_explicit(&c->bytes_decoded, memory_order_relaxed);
        out->series += atomic_load_explicit(&c->series, memory_order_relaxed);
        out->samples += atomic_load_explicit(&c->samples, memory_order_relaxed);
        out->histograms += atomic_load_explicit(&c->histograms, memory_order_relaxed);
        out->exemplars += atomic_load_explicit(&c->exemplars, memory_order_relaxed);
        out->metadata += atomic_load_explicit(&c->metadata, memory_order_relaxed);
        out->canonicalised += atomic_load_explicit(&c->canonicalised, memory_order_relaxed);
        for (unsigned k = 0; k < INGEST_REASONS; k++)
            out->rejected[k] += atomic_load_explicit(&c->rejected[k], memory_order_relaxed);
    }
}
