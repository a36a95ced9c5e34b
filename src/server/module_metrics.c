/*
 * module_metrics.c - what the modules count, as metrics; docs/metrics.md describes them.
 *
 * One row per metric.  The modules keep plain counters; here they get names: ours, and those of the
 * peers where a dashboard or alert relies on them and they mean the same thing here.
 */
#include <stddef.h>

#include "base/assert.h"
#include "head/head.h"
#include "server/server_internal.h"

/* A counter in a stats struct that must be copied out before it is read. */
struct copied_row {
    const char *name, *labels, *help;
    enum metric_kind kind;
    double scale;
    size_t offset; /* of a uint64_t or int64_t */
};

#define HEAD(kind, name, labels, field, help)                                                                          \
    {                                                                                                                  \
        name, labels, help, METRIC_##kind, 1, offsetof(struct head_stats, field)                                       \
    }
static const struct copied_row head_rows[] = {
    HEAD(GAUGE, "gnomon_head_series", "", series, "Series in memory."),
    HEAD(GAUGE, "prometheus_tsdb_head_series", "", series, "Total number of series in the head block."),
    HEAD(COUNTER, "gnomon_head_series_created_total", "", series_created, "Series that were seen for the first time."),
    HEAD(COUNTER, "prometheus_tsdb_head_series_created_total", "", series_created,
         "Total number of series created in the head"),
    HEAD(COUNTER, "gnomon_head_series_removed_total", "", series_removed, "Idle series that left memory."),
    HEAD(COUNTER, "prometheus_tsdb_head_series_removed_total", "", series_removed,
         "Total number of series removed in the head"),
    HEAD(GAUGE, "gnomon_head_series_aliases", "", aliases, "Second spellings of label sets in memory."),
    HEAD(GAUGE, "gnomon_head_label_pairs", "", label_pairs, "Distinct name=value pairs in memory."),
    HEAD(GAUGE, "gnomon_head_label_names", "", label_names, "Distinct label names in memory."),
    HEAD(COUNTER, "gnomon_head_samples_appended_total", "type=\"float\"", samples, "Samples that were taken."),
    HEAD(COUNTER, "gnomon_head_samples_appended_total", "type=\"histogram\"", histograms, "Samples that were taken."),
    HEAD(COUNTER, "prometheus_tsdb_head_samples_appended_total", "type=\"float\"", samples,
         "Total number of appended samples."),
    HEAD(COUNTER, "prometheus_tsdb_head_samples_appended_total", "type=\"histogram\"", histograms,
         "Total number of appended samples."),
    HEAD(COUNTER, "gnomon_head_samples_out_of_order_total", "", samples_out_of_order,
         "Samples older than the newest one of their series."),
    HEAD(COUNTER, "gnomon_head_samples_duplicate_total", "", samples_duplicate,
         "Samples whose time and value were already there."),
    HEAD(COUNTER, "gnomon_head_samples_replaced_total", "", samples_replaced,
         "Samples that replaced another value of the same time."),
    HEAD(COUNTER, "gnomon_head_exemplars_appended_total", "", exemplars, "Exemplars that were taken."),
    HEAD(COUNTER, "gnomon_head_exemplars_dropped_total", "", exemplars_dropped, "Exemplars that left the full ring."),
    HEAD(GAUGE, "gnomon_head_metadata", "", metadata_held, "Metric families with metadata."),
    HEAD(GAUGE, "gnomon_head_chunks", "", chunks, "Packed chunks in memory."),
    HEAD(GAUGE, "prometheus_tsdb_head_chunks", "", chunks, "Total number of chunks in the head block."),
    HEAD(COUNTER, "gnomon_head_lookups_total", "kind=\"predicted\"", predicted, "How series were found."),
    HEAD(COUNTER, "gnomon_head_lookups_total", "kind=\"index\"", looked_up, "How series were found."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"lines\"", bytes_lines, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"columns\"", bytes_columns, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"tails\"", bytes_tails, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"chunks\"", bytes_chunks, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"out_of_order\"", bytes_side, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"index\"", bytes_index, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"labels\"", bytes_labels, "Memory of the head by part."),
    HEAD(GAUGE, "gnomon_head_bytes", "part=\"postings\"", bytes_postings, "Memory of the head by part."),
    HEAD(COUNTER, "gnomon_head_cuts_total", "", cuts, "Times that the head was written to blocks."),
    HEAD(GAUGE, "gnomon_head_replay_lost_samples", "", replay_lost,
         "Samples that the last replay could not tell because the log before them was damaged."),
};
#undef HEAD

#define INGEST(name, labels, field, help)                                                                              \
    {                                                                                                                  \
        name, labels, help, METRIC_COUNTER, 1, offsetof(struct ingest_stats, field)                                    \
    }
static const struct copied_row ingest_rows[] = {
    INGEST("gnomon_ingest_requests_total", "", requests, "Remote write requests."),
    INGEST("gnomon_ingest_requests_refused_total", "", requests_refused,
           "Remote write requests of which nothing was stored."),
    INGEST("gnomon_ingest_bytes_total", "", bytes, "Bytes of remote write bodies as sent."),
    INGEST("gnomon_ingest_decoded_bytes_total", "", bytes_decoded, "Bytes of remote write bodies after decompression."),
    INGEST("gnomon_ingest_samples_total", "type=\"float\"", samples, "Samples that were accepted."),
    INGEST("gnomon_ingest_samples_total", "type=\"histogram\"", histograms, "Samples that were accepted."),
    INGEST("vm_rows_inserted_total", "type=\"promremotewrite\"", samples, "Samples inserted by protocol."),
    INGEST("gnomon_ingest_exemplars_total", "", exemplars, "Exemplars that were accepted."),
    INGEST("gnomon_ingest_metadata_total", "", metadata, "Metadata entries that were accepted."),
    INGEST("gnomon_ingest_canonicalised_total", "", canonicalised,
           "Series whose labels were not in canonical form when they came."),
};
#undef INGEST

static double read_copied(const void *stats, const struct copied_row *row)
{
    const uint8_t *at = (const uint8_t *)stats + row->offset;
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return (double)v * row->scale;
}

/* What a `get` callback needs to find its number again; lives as long as the server. */
struct copied_source {
    struct server *server;
    const struct copied_row *row;
};

/*
 * The head's counters, copied at most every SNAPSHOT_NS: one look at /metrics asks for dozens of them,
 * and a copy walks all pages.
 */
enum { SNAPSHOT_NS = 100000000 };

void server_head_stats(struct server *s, struct head_stats *out)
{
    int64_t now_ns = clock_mono_ns(s->clock);
    mutex_lock(&s->head_snapshot_lock);
    if (now_ns >= s->head_snapshot_end_ns) {
        head_stats(tsdb_head(s->tsdb), &s->head_snapshot);
        s->head_snapshot_end_ns = now_ns + SNAPSHOT_NS;
    }
    *out = s->head_snapshot;
    mutex_unlock(&s->head_snapshot_lock);
}

static double head_get(void *ctx)
{
    const struct copied_source *source = ctx;
    struct head_stats stats;
    server_head_stats(source->server, &stats);
    return read_copied(&stats, source->row);
}

static double ingest_get(void *ctx)
{
    const struct copied_source *source = ctx;
    struct ingest_stats stats = {0};
    struct ingest *ingest = atomic_load(&source->server->ingest);
    if (ingest) /* before the log is replayed nothing was taken */
        ingest_stats(ingest, &stats);
    return read_copied(&stats, source->row);
}

static void add_copied(struct server *s, const struct copied_row *rows, size_t count, double (*get)(void *ctx))
{
    for (size_t i = 0; i < count; i++) {
        struct copied_source *source = arena_alloc(&s->arena, sizeof *source);
        *source = (struct copied_source){s, &rows[i]};
        metrics_add(s->metrics, &(struct metric){.name = rows[i].name,
                                                 .labels = rows[i].labels,
                                                 .help = rows[i].help,
                                                 .kind = rows[i].kind,
                                                 .get = get,
                                                 .ctx = source});
    }
}

/* Rejected samples by reason: the label is known only to the enum. */
static void collect_rejected(struct metric_sink *sink, void *ctx)
{
    struct server *s = ctx;
    struct ingest_stats stats = {0};
    struct ingest *ingest = atomic_load(&s->ingest);
    if (ingest)
        ingest_stats(ingest, &stats);
    for (int i = 0; i < INGEST_REASONS; i++) {
        struct buf labels = {0};
        metric_label(&labels, "reason", slice_str(ingest_reason_name((enum ingest_reason)i)));
        metric_emit(sink, buf_cstr(&labels), (double)stats.rejected[i]);
        buf_deinit(&labels);
    }
}

/* Who met which bound: the table of ingest has a place for 32 offenders. */
static void collect_limit_hits(struct metric_sink *sink, void *ctx)
{
    struct server *s = ctx;
    struct ingest *ingest = atomic_load(&s->ingest);
    struct ingest_limit_hit hits[INGEST_LIMIT_HITS_MAX];
    uint32_t count = ingest ? ingest_limit_hits(ingest, hits) : 0;
    if (count == 0)
        metric_emit(sink, "reason=\"metric_limit\",offender=\"\"", 0); /* the name is there before the first hit */
    for (uint32_t i = 0; i < count; i++) {
        struct buf labels = {0};
        metric_label(&labels, "reason", slice_str(hits[i].others ? "other" : ingest_reason_name(hits[i].reason)));
        metric_label(&labels, "offender", slice_str(hits[i].offender));
        metric_emit(sink, buf_cstr(&labels), (double)hits[i].count);
        buf_deinit(&labels);
    }
}

static double head_limit(void *ctx)
{
    return (double)server_head_limit(ctx);
}

static double head_time_s(void *ctx, bool newest)
{
    struct server *s = ctx;
    struct head_stats stats;
    server_head_stats(s, &stats);
    return stats.mint_ms > stats.maxt_ms ? 0 : (double)(newest ? stats.maxt_ms : stats.mint_ms) / 1000;
}

static double head_min_time_s(void *ctx)
{
    return head_time_s(ctx, false);
}

static double head_max_time_s(void *ctx)
{
    return head_time_s(ctx, true);
}

static bool older(void *ctx, const struct tsdb_block_info *info)
{
    int64_t *lowest = ctx;
    if (!info->problem && info->mint_ms < *lowest)
        *lowest = info->mint_ms;
    return true;
}

/* Prometheus' figure for "no data yet" is the largest time; Thanos waits until it is another. */
static double lowest_time_s(void *ctx)
{
    struct server *s = ctx;
    struct head_stats stats;
    int64_t lowest = INT64_MAX;
    server_head_stats(s, &stats);
    if (stats.mint_ms <= stats.maxt_ms)
        lowest = stats.mint_ms;
    tsdb_blocks(s->tsdb, older, &lowest);
    return (double)lowest / 1000;
}

static double wal_replay_size(void *ctx)
{
    struct server *s = ctx;
    uint64_t covered = atomic_load_explicit(&tsdb_stats(s->tsdb)->checkpoint_frame, memory_order_relaxed);
    return (double)wal_kept_bytes(tsdb_wal(s->tsdb), covered + 1);
}

/* fdatasync durations as a histogram; the log counts into its own fixed bounds. */
static void collect_sync_duration(struct metric_sink *sink, void *ctx)
{
    const struct wal_stats *stats = wal_stats(tsdb_wal(((struct server *)ctx)->tsdb));
    double bounds[WAL_SYNC_BUCKETS - 1];
    _Static_assert(WAL_SYNC_BUCKETS - 1 <= METRIC_BOUNDS_MAX, "the log's buckets fit a metric");
    struct metric_histogram h = {.bounds = bounds, .bound_count = WAL_SYNC_BUCKETS - 1};
    for (int i = 0; i < WAL_SYNC_BUCKETS; i++) {
        if (i < WAL_SYNC_BUCKETS - 1)
            bounds[i] = (double)wal_sync_bucket_ns[i] * 1e-9;
        atomic_store(&h.counts[i], atomic_load_explicit(&stats->sync_bucket[i], memory_order_relaxed));
    }
    double sum_s = (double)atomic_load_explicit(&stats->sync_ns, memory_order_relaxed) * 1e-9;
    atomic_store(&h.sum_bits, f64_bits(sum_s));
    metric_emit_histogram(sink, "", &h);
}

struct atomic_row {
    const char *name, *help;
    enum metric_kind kind;
    double scale;
    const _Atomic uint64_t *value;
};

static void add_atomic(struct server *s, const struct atomic_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        metrics_add(s->metrics, &(struct metric){.name = rows[i].name,
                                                 .help = rows[i].help,
                                                 .kind = rows[i].kind,
                                                 .scale = rows[i].scale,
                                                 .u64 = rows[i].value});
}

#define ADD_ATOMIC(s, rows) add_atomic(s, rows, sizeof(rows) / sizeof(rows)[0])

static void add_wal(struct server *s)
{
    struct wal_stats *w = wal_stats(tsdb_wal(s->tsdb));
    const struct atomic_row rows[] = {
        {"gnomon_wal_frames_total", "Frames written to the log.", METRIC_COUNTER, 1, &w->frames},
        {"gnomon_wal_bytes_total", "Bytes written to the log.", METRIC_COUNTER, 1, &w->bytes},
        {"gnomon_wal_tickets_total", "Requests that were acknowledged by the log.", METRIC_COUNTER, 1, &w->tickets},
        {"gnomon_wal_write_errors_total", "Failed writes to the log.", METRIC_COUNTER, 1, &w->write_errors},
        {"gnomon_wal_sync_errors_total", "Failed syncs of the log.", METRIC_COUNTER, 1, &w->sync_errors},
        {"gnomon_wal_segments_poisoned_total", "Segments given up after a failure.", METRIC_COUNTER, 1,
         &w->poisoned_segments},
        {"gnomon_wal_refused_total", "Requests that the log did not take.", METRIC_COUNTER, 1, &w->refused},
        {"gnomon_wal_segments", "Segments on disk, spare ones included.", METRIC_GAUGE, 1, &w->segments},
        {"gnomon_wal_segment_bytes", "Bytes of segments on disk.", METRIC_GAUGE, 1, &w->segment_bytes},
        {"gnomon_wal_pending_bytes", "Bytes taken by requests and not yet durable.", METRIC_GAUGE, 1,
         &w->pending_bytes},
        {"gnomon_wal_quarantined_total", "Segments moved aside because of damage.", METRIC_COUNTER, 1, &w->quarantined},
    };
    ADD_ATOMIC(s, rows);
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_wal_replay_bytes",
                                             .kind = METRIC_GAUGE,
                                             .help = "Bytes of log that a restart now would read.",
                                             .get = wal_replay_size,
                                             .ctx = s});
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_wal_sync_duration_seconds",
                                             .kind = METRIC_HISTOGRAM,
                                             .help = "Time of one sync of the log.",
                                             .collect = collect_sync_duration,
                                             .ctx = s});
}

static void add_tsdb(struct server *s)
{
    struct tsdb_stats *t = tsdb_stats(s->tsdb);
    const struct atomic_row rows[] = {
        {"gnomon_tsdb_flushes_total", "Times that the head was flushed.", METRIC_COUNTER, 1, &t->flushes},
        {"gnomon_tsdb_flush_errors_total", "Flushes that failed and will be tried again.", METRIC_COUNTER, 1,
         &t->flush_errors},
        {"gnomon_tsdb_flushed_samples_total", "Samples written to level-0 blocks.", METRIC_COUNTER, 1,
         &t->flushed_samples},
        {"gnomon_tsdb_compacted_bytes_total", "Bytes written by merges of blocks.", METRIC_COUNTER, 1,
         &t->compacted_bytes},
        {"gnomon_tsdb_backoffs_total", "Times that background writing was slowed: the log's syncs were slow.",
         METRIC_COUNTER, 1, &t->backoffs},
        {"gnomon_tsdb_compactions_total", "Merges of blocks.", METRIC_COUNTER, 1, &t->compactions},
        {"prometheus_tsdb_compactions_total", "Total number of compactions that were executed for the partition.",
         METRIC_COUNTER, 1, &t->compactions},
        {"gnomon_tsdb_compaction_errors_total", "Merges of blocks that failed.", METRIC_COUNTER, 1,
         &t->compaction_errors},
        {"prometheus_tsdb_compactions_failed_total", "Total number of compactions that failed for the partition.",
         METRIC_COUNTER, 1, &t->compaction_errors},
        {"gnomon_tsdb_checkpoints_total", "Checkpoints of the head.", METRIC_COUNTER, 1, &t->checkpoints},
        {"gnomon_tsdb_checkpoint_changes_total", "Checkpoints that hold only what is new since the one before.",
         METRIC_COUNTER, 1, &t->checkpoint_changes},
        {"gnomon_tsdb_checkpoint_errors_total", "Checkpoints that failed.", METRIC_COUNTER, 1, &t->checkpoint_errors},
        {"gnomon_tsdb_blocks", "Blocks in use.", METRIC_GAUGE, 1, &t->blocks},
        {"prometheus_tsdb_blocks_loaded", "Number of currently loaded data blocks", METRIC_GAUGE, 1, &t->blocks},
        {"gnomon_tsdb_block_bytes", "Bytes of blocks in use.", METRIC_GAUGE, 1, &t->block_bytes},
        {"prometheus_tsdb_storage_blocks_bytes",
         "The number of bytes that are currently used for local storage by all blocks.", METRIC_GAUGE, 1,
         &t->block_bytes},
        {"gnomon_tsdb_blocks_missing", "Blocks of the manifest that are not there, not acknowledged.", METRIC_GAUGE, 1,
         &t->blocks_missing},
        {"gnomon_tsdb_blocks_quarantined", "Blocks set aside of which samples are missing, not acknowledged.",
         METRIC_GAUGE, 1, &t->blocks_quarantined},
        {"gnomon_tsdb_losses", "Ranges of time from which damage took stored samples, not acknowledged.", METRIC_GAUGE,
         1, &t->losses},
        {"gnomon_tsdb_losses_acknowledged", "Losses, quarantined and missing blocks that an operator has acknowledged.",
         METRIC_GAUGE, 1, &t->losses_acknowledged},
        {"gnomon_tsdb_blocks_dropped_by_time_total", "Blocks that the retention time removed.", METRIC_COUNTER, 1,
         &t->blocks_dropped_by_time},
        {"gnomon_tsdb_blocks_dropped_by_size_total", "Blocks that the retention size removed.", METRIC_COUNTER, 1,
         &t->blocks_dropped_by_size},
        {"gnomon_tsdb_deletes_total", "Deletions of series or ranges that were taken.", METRIC_COUNTER, 1, &t->deletes},
        {"gnomon_tsdb_delete_errors_total", "Deletions that failed.", METRIC_COUNTER, 1, &t->delete_errors},
        {"gnomon_tsdb_damaged_blocks", "Blocks in use of which places are damaged, as far as somebody read them.",
         METRIC_GAUGE, 1, &t->damaged_blocks},
        {"gnomon_tsdb_damaged_places", "Damaged pages and other places of these blocks.", METRIC_GAUGE, 1,
         &t->damaged_places},
        {"gnomon_tsdb_damaged_series", "Series of these blocks that lack samples; see /api/v1/status/storage.",
         METRIC_GAUGE, 1, &t->damaged_series},
        {"gnomon_tsdb_tombstones", "Deletions that are not carried out on the disk yet.", METRIC_GAUGE, 1,
         &t->tombstones},
        {"gnomon_tsdb_tombstone_files_damaged", "Files of tombstones that were damaged at the start.", METRIC_GAUGE, 1,
         &t->tombstone_files_damaged},
        {"gnomon_tsdb_blocks_cleaned_total", "Blocks written anew without what is deleted or past its retention.",
         METRIC_COUNTER, 1, &t->cleaned_blocks},
        {"gnomon_tsdb_blocks_cleaned_bytes_before_total", "Bytes of these blocks before.", METRIC_COUNTER, 1,
         &t->cleaned_bytes_before},
        {"gnomon_tsdb_blocks_cleaned_bytes_after_total", "Bytes of these blocks afterwards.", METRIC_COUNTER, 1,
         &t->cleaned_bytes_after},
        {"gnomon_tsdb_clean_errors_total", "Blocks that could not be written anew.", METRIC_COUNTER, 1,
         &t->cleaning_errors},
        {"gnomon_tsdb_clean_running", "Whether clean_tombstones runs now.", METRIC_GAUGE, 1, &t->clean_running},
        {"gnomon_tsdb_retention_rules", "Retention rules in force.", METRIC_GAUGE, 1, &t->retention_rules},
        {"gnomon_tsdb_snapshots", "Snapshots that are there.", METRIC_GAUGE, 1, &t->snapshots},
        {"vm_snapshots", "The number of created snapshots.", METRIC_GAUGE, 1, &t->snapshots},
        {"gnomon_tsdb_snapshots_made_total", "Snapshots made.", METRIC_COUNTER, 1, &t->snapshots_made},
        {"gnomon_tsdb_snapshot_errors_total", "Snapshots that could not be made.", METRIC_COUNTER, 1,
         &t->snapshot_errors},
        {"gnomon_tsdb_replay_seconds", "Time that the replay of the log took.", METRIC_GAUGE, 1e-9, &t->replay_ns},
    };
    ADD_ATOMIC(s, rows);
}

static void add_http(struct server *s)
{
    struct http_stats *h = http_server_stats(s->http);
    const struct atomic_row rows[] = {
        {"gnomon_http_connections_total", "Connections taken.", METRIC_COUNTER, 1, &h->connections},
        {"gnomon_http_connections_open", "Connections open.", METRIC_GAUGE, 1, &h->connections_open},
        {"gnomon_http_connections_refused_total", "Connections closed at once: too many.", METRIC_COUNTER, 1,
         &h->connections_refused},
        {"gnomon_http_requests_malformed_total", "Requests that were no HTTP or broke a bound.", METRIC_COUNTER, 1,
         &h->requests_bad},
        {"gnomon_http_timeouts_total", "Connections closed because nothing moved.", METRIC_COUNTER, 1, &h->timeouts},
        {"gnomon_http_received_bytes_total", "Bytes read from clients.", METRIC_COUNTER, 1, &h->bytes_in},
        {"gnomon_http_sent_bytes_total", "Bytes written to clients.", METRIC_COUNTER, 1, &h->bytes_out},
        {"gnomon_http_workers_waiting", "Requests that wait for a worker.", METRIC_GAUGE, 1, &h->deferred_waiting},
        {"gnomon_http_workers_running", "Requests that a worker answers.", METRIC_GAUGE, 1, &h->deferred_running},
        {"gnomon_http_workers_refused_total", "Requests refused because too many waited.", METRIC_COUNTER, 1,
         &h->deferred_refused},
        {"gnomon_http_tls_handshakes_total", "TLS handshakes that came to an end.", METRIC_COUNTER, 1,
         &h->tls_handshakes},
        {"gnomon_http_tls_handshakes_failed_total", "TLS handshakes that were refused or broken off.", METRIC_COUNTER,
         1, &h->tls_handshakes_failed},
    };
    ADD_ATOMIC(s, rows);
}

void server_metrics_register(struct server *s)
{
    add_copied(s, head_rows, sizeof head_rows / sizeof head_rows[0], head_get);
    add_copied(s, ingest_rows, sizeof ingest_rows / sizeof ingest_rows[0], ingest_get);
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_ingest_rejected_samples_total",
                                             .kind = METRIC_COUNTER,
                                             .help = "Samples that were not taken, by reason.",
                                             .collect = collect_rejected,
                                             .ctx = s});
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_ingest_limit_hits_total",
                                             .kind = METRIC_COUNTER,
                                             .help = "Samples of new series that a bound kept out, by who met it.",
                                             .collect = collect_limit_hits,
                                             .ctx = s});
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_head_limit_bytes",
                                             .kind = METRIC_GAUGE,
                                             .help = "Memory of the head from which on it takes no new series.",
                                             .get = head_limit,
                                             .ctx = s});
    metrics_add(s->metrics, &(struct metric){.name = "prometheus_tsdb_lowest_timestamp_seconds",
                                             .kind = METRIC_GAUGE,
                                             .help = "Lowest timestamp value stored in the database.",
                                             .get = lowest_time_s,
                                             .ctx = s});
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_head_min_time_seconds",
                                             .kind = METRIC_GAUGE,
                                             .help = "Time of the oldest sample in memory.",
                                             .get = head_min_time_s,
                                             .ctx = s});
    metrics_add(s->metrics, &(struct metric){.name = "gnomon_head_max_time_seconds",
                                             .kind = METRIC_GAUGE,
                                             .help = "Time of the newest sample in memory.",
                                             .get = head_max_time_s,
                                             .ctx = s});
    add_wal(s);
    add_tsdb(s);
    add_http(s);
    server_peer_metrics_register(s);
}
