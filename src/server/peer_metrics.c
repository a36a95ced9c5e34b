/*
 * peer_metrics.c - figures under the names that VictoriaMetrics' and Prometheus' dashboards and alerts rely on.
 *
 * One row per name and label set.  NOTHING is for what does not exist here (a cache, relabelling, a scrape): a constant
 * that shows so and keeps alerts silent.  Names whose absence alone is what an alert asks for are left out.
 */
#include "server/server_internal.h"

enum figure {
    NOTHING,
    ONE,
    CLEAN_START, /* -1: not known, and of no consequence: nothing acknowledged is lost either way */
    ROWS_HEAD,
    ROWS_BLOCKS,
    INDEX_ITEMS,
    BYTES_HEAD,
    BYTES_LOG,
    BYTES_BLOCKS,
    BYTES_INDEX,
    BYTES_LABELS,
    SAMPLES_RECEIVED,
    SAMPLES_ADDED,
    SAMPLES_READ,
    SAMPLES_DUPLICATE,
    SAMPLES_LATE,
    WRITE_REQUESTS,
    WRITES_REFUSED,
    TOO_OLD,
    TOO_NEW,
    BAD_LABELS,
    TOO_LONG_LABELS,
    DAILY_LIMIT,
    OUT_OF_ORDER,
    SERIES,
    SERIES_CREATED,
    METADATA,
    LOOPS,
    HTTP_REQUESTS,
    HTTP_OPEN,
    HTTP_ACCEPTED,
    HTTP_REFUSED,
    HTTP_IN,
    HTTP_OUT,
    SYNCS,
    SYNC_SECONDS,
    LOG_FRAMES,
    LOG_ERRORS,
    LOG_SEGMENT,
    LOG_DAMAGE,
    REPLAY_SECONDS,
    MERGES,
    MERGES_AND_FLUSHES,
    BLOCKS,
    CUTS,
    FLUSH_ERRORS,
    CHECKPOINTS,
    CHECKPOINT_ERRORS,
    DROPPED_BY_SIZE,
    DROPPED_BY_TIME,
    RETENTION_SECONDS,
    RETENTION_BYTES,
    HEAD_MIN_MS,
    HEAD_MAX_MS,
    HEAD_MIN_S,
    HEAD_MAX_S,
    EXEMPLARS,
    EXEMPLARS_HELD,
    EXEMPLARS_MAX,
    EXEMPLARS_DROPPED,
};

struct peer_row {
    const char *name, *labels, *help;
    enum metric_kind kind;
    enum figure figure;
};

#define G         METRIC_GAUGE
#define C         METRIC_COUNTER
#define RW        "type=\"promremotewrite\""
#define HTTP_NAME "name=\"http\""
/* clang-format off */
static const struct peer_row rows[] = {
    {"vm_app_prev_shutdown_unclean", "", "Nothing acknowledged is lost by an unclean stop: always 0.", G, NOTHING},
    {"vm_rows", "type=\"storage/inmemory\"", "Samples stored, about; items of the index.", G, ROWS_HEAD},
    {"vm_rows", "type=\"storage/small\"", "Samples stored, about; items of the index.", G, NOTHING},
    {"vm_rows", "type=\"storage/big\"", "Samples stored, about; items of the index.", G, ROWS_BLOCKS},
    {"vm_rows", "type=\"indexdb/inmemory\"", "Samples stored, about; items of the index.", G, INDEX_ITEMS},
    {"vm_rows", "type=\"indexdb/file\"", "Samples stored, about; items of the index.", G, NOTHING},
    {"vm_data_size_bytes", "type=\"storage/inmemory\"", "Bytes of head, log and blocks (with their index).", G, BYTES_HEAD},
    {"vm_data_size_bytes", "type=\"storage/small\"", "Bytes of head, log and blocks (with their index).", G, BYTES_LOG},
    {"vm_data_size_bytes", "type=\"storage/big\"", "Bytes of head, log and blocks (with their index).", G, BYTES_BLOCKS},
    {"vm_data_size_bytes", "type=\"indexdb/inmemory\"", "Bytes of head, log and blocks (with their index).", G, BYTES_INDEX},
    {"vm_data_size_bytes", "type=\"indexdb/file\"", "Bytes of head, log and blocks (with their index).", G, NOTHING},
    {"vm_rows_received_by_storage_total", "", "Samples that came, duplicates included.", C, SAMPLES_RECEIVED},
    {"vm_rows_added_to_storage_total", "", "Samples that were stored.", C, SAMPLES_ADDED},
    {"vm_deduplicated_samples_total", "type=\"merge\"", "Samples whose time and value were there already.", C, SAMPLES_DUPLICATE},
    {"vm_deduplicated_samples_total", "type=\"select\"", "Samples whose time and value were there already.", C, NOTHING},
    {"vm_rows_ignored_total", "reason=\"big_timestamp\"", "Samples that were not taken.", C, TOO_NEW},
    {"vm_rows_ignored_total", "reason=\"small_timestamp\"", "Samples that were not taken.", C, TOO_OLD},
    {"vm_rows_ignored_total", "reason=\"invalid_raw_metric_name\"", "Samples that were not taken.", C, BAD_LABELS},
    {"vm_rows_ignored_total", "reason=\"too_many_labels\"", "Samples that were not taken.", C, TOO_LONG_LABELS},
    {"vm_rows_ignored_total", "reason=\"daily_limit_exceeded\"", "Samples that were not taken.", C, DAILY_LIMIT},
    {"vm_rows_invalid_total", RW, "Samples with broken labels.", C, BAD_LABELS},
    {"vm_protoparser_rows_read_total", RW, "Samples read from bodies.", C, SAMPLES_READ},
    {"vm_protoparser_read_calls_total", RW, "Bodies read.", C, WRITE_REQUESTS},
    {"vm_protoparser_read_errors_total", RW, "Bodies that could not be read.", C, NOTHING},
    {"vm_protoparser_unmarshal_errors_total", RW, "Bodies of which nothing was stored.", C, WRITES_REFUSED},
    {"vm_slow_row_inserts_total", "", "Samples whose series had to be made.", C, SERIES_CREATED},
    {"vm_new_timeseries_created_total", "", "Series that were seen for the first time.", C, SERIES_CREATED},
    {"vm_timeseries_repopulated_total", "", "There is no index to fill again.", C, NOTHING},
    {"vm_cache_entries", "type=\"storage/hour_metric_ids\"", "Active series: those in memory.", G, SERIES},
    {"vm_pending_rows", "type=\"storage\"", "What is acknowledged can be read.", G, NOTHING},
    {"vm_pending_rows", "type=\"indexdb\"", "What is acknowledged can be read.", G, NOTHING},
    {"vm_parts", "type=\"storage/big\"", "Blocks.", G, BLOCKS},
    {"vm_merges_total", "type=\"storage/big\"", "Merges of blocks.", C, MERGES},
    {"vm_assisted_merges_total", "type=\"storage/inmemory\"", "Writers never merge.", C, NOTHING},
    {"vm_indexdb_items_added_total", "", "Series added to the index.", C, SERIES_CREATED},
    {"vm_indexdb_items_dropped_total", "reason=\"too_long_item\"", "No item is dropped.", C, NOTHING},
    {"vm_missing_tsids_for_metric_id_total", "", "There is no such table.", C, NOTHING},
    {"vm_missing_metric_names_for_metric_id_total", "", "There is no such table.", C, NOTHING},
    {"vm_metrics_metadata_storage_items", "", "Metric families with metadata.", G, METADATA},
    {"vm_concurrent_insert_current", "", "Writes wait for nobody.", G, NOTHING},
    {"vm_concurrent_insert_capacity", "", "Threads that take writes.", G, LOOPS},
    {"vm_concurrent_insert_limit_reached_total", "", "Writes wait for nobody.", C, NOTHING},
    {"vm_concurrent_insert_limit_timeout_total", "", "Writes wait for nobody.", C, NOTHING},
    {"vm_http_requests_all_total", "", "Requests.", C, HTTP_REQUESTS},
    {"vm_tcplistener_conns", HTTP_NAME, "Connections open.", G, HTTP_OPEN},
    {"vm_tcplistener_accepts_total", HTTP_NAME, "Connections taken.", C, HTTP_ACCEPTED},
    {"vm_tcplistener_errors_total", HTTP_NAME, "Connections closed at once.", C, HTTP_REFUSED},
    {"vm_tcplistener_read_bytes_total", HTTP_NAME, "Bytes read from clients.", C, HTTP_IN},
    {"vm_tcplistener_written_bytes_total", HTTP_NAME, "Bytes written to clients.", C, HTTP_OUT},
    {"vm_relabel_metrics_dropped_total", "", "Nothing is relabelled.", C, NOTHING},
    {"vm_relabel_config_last_reload_successful", "", "Nothing is relabelled: always 1.", G, ONE},
    {"vm_promscrape_config_last_reload_successful", "", "Nothing is scraped: always 1.", G, ONE},
    {"vm_filestream_fsync_calls_total", "", "Syncs of the log.", C, SYNCS},
    {"vm_filestream_fsync_duration_seconds_total", "", "Time of these syncs.", C, SYNC_SECONDS},
    {"vm_filestream_real_write_calls_total", "", "Writes to the log.", C, LOG_FRAMES},
    {"vm_rollup_result_cache_requests_total", "", "Results are not cached.", C, NOTHING},
    {"vm_rollup_result_cache_full_hits_total", "", "Results are not cached.", C, NOTHING},
    {"vm_rollup_result_cache_miss_total", "", "Results are not cached.", C, NOTHING},
    {"vm_max_ingestion_rate_limit_reached_total", "", "There is no such limit.", C, NOTHING},

    {"prometheus_tsdb_head_series_not_found_total", "", "Requests for series that were not found.", C, NOTHING},
    {"prometheus_tsdb_head_min_time", "", "Time of the oldest sample in memory, in milliseconds.", G, HEAD_MIN_MS},
    {"prometheus_tsdb_head_max_time", "", "Time of the newest sample in memory, in milliseconds.", G, HEAD_MAX_MS},
    {"prometheus_tsdb_head_min_time_seconds", "", "Time of the oldest sample in memory.", G, HEAD_MIN_S},
    {"prometheus_tsdb_head_max_time_seconds", "", "Time of the newest sample in memory.", G, HEAD_MAX_S},
    {"prometheus_tsdb_head_out_of_order_samples_appended_total", "type=\"float\"", "Samples older than the newest one of their series.", C, SAMPLES_LATE},
    {"prometheus_tsdb_out_of_order_samples_total", "type=\"float\"", "Samples refused for their order (ingest.strict).", C, OUT_OF_ORDER},
    {"prometheus_tsdb_out_of_bound_samples_total", "type=\"float\"", "Samples too far in the future.", C, TOO_NEW},
    {"prometheus_tsdb_too_old_samples_total", "type=\"float\"", "Samples older than the retention.", C, TOO_OLD},
    {"prometheus_tsdb_head_truncations_total", "", "Times that the head was written to blocks.", C, CUTS},
    {"prometheus_tsdb_head_truncations_failed_total", "", "Flushes of the head that failed.", C, FLUSH_ERRORS},
    {"prometheus_tsdb_wal_corruptions_total", "", "Damaged stretches of the log, found by the last replay.", C, LOG_DAMAGE},
    {"prometheus_tsdb_mmap_chunk_corruptions_total", "", "There are no such files.", C, NOTHING},
    {"prometheus_tsdb_reloads_failures_total", "", "Blocks are not looked for again.", C, NOTHING},
    {"prometheus_tsdb_clean_start", "", "Always -1: it makes no difference.", G, CLEAN_START},
    {"prometheus_tsdb_checkpoint_creations_total", "", "Checkpoints of the head.", C, CHECKPOINTS},
    {"prometheus_tsdb_checkpoint_creations_failed_total", "", "Checkpoints that failed.", C, CHECKPOINT_ERRORS},
    {"prometheus_tsdb_checkpoint_deletions_total", "", "A checkpoint replaces the one before.", C, CHECKPOINTS},
    {"prometheus_tsdb_checkpoint_deletions_failed_total", "", "A checkpoint replaces the one before.", C, NOTHING},
    {"prometheus_tsdb_wal_truncations_total", "", "Times that the log was let go of.", C, CHECKPOINTS},
    {"prometheus_tsdb_wal_truncations_failed_total", "", "Checkpoints that failed.", C, CHECKPOINT_ERRORS},
    {"prometheus_tsdb_wal_writes_failed_total", "", "Failed writes and syncs of the log.", C, LOG_ERRORS},
    {"prometheus_tsdb_wal_page_flushes_total", "", "Writes to the log.", C, LOG_FRAMES},
    {"prometheus_tsdb_wal_segment_current", "", "Segments made since the start.", G, LOG_SEGMENT},
    {"prometheus_tsdb_wal_storage_size_bytes", "", "Bytes of the log on disk.", G, BYTES_LOG},
    {"prometheus_tsdb_snapshot_replay_error_total", "", "There are no such snapshots.", C, NOTHING},
    {"prometheus_tsdb_symbol_table_size_bytes", "", "Bytes of labels in memory.", G, BYTES_LABELS},
    {"prometheus_tsdb_retention_limit_bytes", "", "storage.retention.size.", G, RETENTION_BYTES},
    {"prometheus_tsdb_retention_limit_seconds", "", "storage.retention.time.", G, RETENTION_SECONDS},
    {"prometheus_tsdb_size_retentions_total", "", "Blocks that the retention size removed.", C, DROPPED_BY_SIZE},
    {"prometheus_tsdb_time_retentions_total", "", "Blocks that the retention time removed.", C, DROPPED_BY_TIME},
    {"prometheus_tsdb_compactions_triggered_total", "", "Flushes and merges.", C, MERGES_AND_FLUSHES},
    {"prometheus_tsdb_vertical_compactions_total", "", "Late samples need no merge of their own.", C, NOTHING},
    {"prometheus_tsdb_data_replay_duration_seconds", "", "Time that the replay of the log took.", G, REPLAY_SECONDS},
    {"prometheus_tsdb_exemplar_exemplars_appended_total", "", "Exemplars that were taken.", C, EXEMPLARS},
    {"prometheus_tsdb_exemplar_exemplars_in_storage", "", "Exemplars in memory.", G, EXEMPLARS_HELD},
    {"prometheus_tsdb_exemplar_max_exemplars", "", "Exemplars that memory has room for.", G, EXEMPLARS_MAX},
    {"prometheus_tsdb_exemplar_out_of_order_exemplars_total", "", "Exemplars older than the newest of their series.", C, EXEMPLARS_DROPPED},
    {"prometheus_engine_query_log_enabled", "", "There is no such log; slow queries are in the log.", G, NOTHING},
    {"prometheus_engine_query_log_failures_total", "", "There is no such log.", C, NOTHING},
    {"prometheus_api_remote_write_invalid_labels_samples_total", "", "Samples with broken labels.", C, BAD_LABELS},
};
/* clang-format on */

static double read_u64(const _Atomic uint64_t *v)
{
    return (double)atomic_load_explicit(v, memory_order_relaxed);
}

static bool add_samples(void *ctx, const struct tsdb_block_info *info)
{
    if (!info->problem)
        *(double *)ctx += (double)info->samples;
    return true;
}

static double head_figure(struct server *s, enum figure figure)
{
    struct head_stats h;
    server_head_stats(s, &h);
    bool any = h.mint_ms <= h.maxt_ms;
    double added = (double)h.samples + (double)h.histograms;
    double flushed = read_u64(&tsdb_stats(s->tsdb)->flushed_samples);
    switch (figure) {
    case ROWS_HEAD:
        return added > flushed ? added - flushed : 0;
    case INDEX_ITEMS:
        return (double)h.label_pairs;
    case BYTES_HEAD:
        return (double)h.bytes;
    case BYTES_INDEX:
        return (double)(h.bytes_index + h.bytes_labels + h.bytes_postings);
    case BYTES_LABELS:
        return (double)h.bytes_labels;
    case SAMPLES_ADDED:
        return added;
    case SAMPLES_DUPLICATE:
        return (double)h.samples_duplicate;
    case SAMPLES_LATE:
        return (double)h.samples_out_of_order;
    case SERIES:
        return (double)h.series;
    case SERIES_CREATED:
        return (double)h.series_created;
    case METADATA:
        return (double)h.metadata_held;
    case CUTS:
        return (double)h.cuts;
    case HEAD_MIN_MS:
        return any ? (double)h.mint_ms : 0;
    case HEAD_MAX_MS:
        return any ? (double)h.maxt_ms : 0;
    case HEAD_MIN_S:
        return any ? (double)h.mint_ms / 1000 : 0;
    case HEAD_MAX_S:
        return any ? (double)h.maxt_ms / 1000 : 0;
    case EXEMPLARS:
        return (double)h.exemplars;
    case EXEMPLARS_HELD:
        return (double)h.exemplars_held;
    case EXEMPLARS_DROPPED:
        return (double)h.exemplars_dropped;
    default:
        return 0;
    }
}

static double ingest_figure(struct server *s, enum figure figure)
{
    struct ingest_stats i = {0};
    struct ingest *ingest = atomic_load(&s->ingest);
    if (ingest) /* before the log is replayed nothing was taken */
        ingest_stats(ingest, &i);
    uint64_t bad = i.rejected[INGEST_NO_NAME] + i.rejected[INGEST_BAD_LABEL_NAME] + i.rejected[INGEST_BAD_LABEL_VALUE] +
                   i.rejected[INGEST_DUPLICATE_LABEL],
             all = i.samples + i.histograms;
    switch (figure) {
    case SAMPLES_READ:
        for (int k = 0; k < INGEST_REASONS; k++)
            all += i.rejected[k];
        return (double)all;
    case SAMPLES_RECEIVED:
        return (double)all;
    case WRITE_REQUESTS:
        return (double)i.requests;
    case WRITES_REFUSED:
        return (double)i.requests_refused;
    case TOO_OLD:
        return (double)i.rejected[INGEST_TOO_OLD];
    case TOO_NEW:
        return (double)i.rejected[INGEST_TOO_FAR_AHEAD];
    case BAD_LABELS:
        return (double)bad;
    case TOO_LONG_LABELS:
        return (double)i.rejected[INGEST_LABEL_LIMIT];
    case DAILY_LIMIT:
        return (double)i.rejected[INGEST_DAILY_LIMIT];
    case OUT_OF_ORDER:
        return (double)i.rejected[INGEST_OUT_OF_ORDER];
    default:
        return head_figure(s, figure);
    }
}

static double log_figure(struct server *s, enum figure figure)
{
    const struct wal_stats *w = wal_stats(tsdb_wal(s->tsdb));
    switch (figure) {
    case BYTES_LOG:
        return read_u64(&w->segment_bytes);
    case SYNCS:
        return read_u64(&w->syncs);
    case SYNC_SECONDS:
        return read_u64(&w->sync_ns) * 1e-9;
    case LOG_FRAMES:
        return read_u64(&w->frames);
    case LOG_ERRORS:
        return read_u64(&w->write_errors) + read_u64(&w->sync_errors);
    case LOG_SEGMENT:
        return read_u64(&w->segments_made);
    default:
        return ingest_figure(s, figure);
    }
}

static double tsdb_figure(struct server *s, enum figure figure)
{
    const struct tsdb_stats *t = tsdb_stats(s->tsdb);
    double samples = 0;
    switch (figure) {
    case ROWS_BLOCKS:
        tsdb_blocks(s->tsdb, add_samples, &samples);
        return samples;
    case BYTES_BLOCKS:
        return read_u64(&t->block_bytes);
    case LOG_DAMAGE:
        return read_u64(&t->replay_damage);
    case REPLAY_SECONDS:
        return read_u64(&t->replay_ns) * 1e-9;
    case MERGES:
        return read_u64(&t->compactions);
    case MERGES_AND_FLUSHES:
        return read_u64(&t->compactions) + read_u64(&t->flushes);
    case BLOCKS:
        return read_u64(&t->blocks);
    case FLUSH_ERRORS:
        return read_u64(&t->flush_errors);
    case CHECKPOINTS:
        return read_u64(&t->checkpoints);
    case CHECKPOINT_ERRORS:
        return read_u64(&t->checkpoint_errors);
    case DROPPED_BY_SIZE:
        return read_u64(&t->blocks_dropped_by_size);
    case DROPPED_BY_TIME:
        return read_u64(&t->blocks_dropped_by_time);
    default:
        return log_figure(s, figure);
    }
}

static double figure_of(struct server *s, enum figure figure)
{
    const struct http_stats *h = http_server_stats(s->http);
    struct head_options defaults;
    switch (figure) {
    case NOTHING:
        return 0;
    case ONE:
        return 1;
    case CLEAN_START:
        return -1;
    case LOOPS:
        return http_server_loops(s->http);
    case HTTP_REQUESTS:
        return read_u64(&h->requests);
    case HTTP_OPEN:
        return read_u64(&h->connections_open);
    case HTTP_ACCEPTED:
        return read_u64(&h->connections);
    case HTTP_REFUSED:
        return read_u64(&h->connections_refused);
    case HTTP_IN:
        return read_u64(&h->bytes_in);
    case HTTP_OUT:
        return read_u64(&h->bytes_out);
    case RETENTION_SECONDS:
        return (double)config_duration_ms(s->config, OPT_STORAGE_RETENTION_TIME) / 1000;
    case RETENTION_BYTES:
        return (double)config_bytes(s->config, OPT_STORAGE_RETENTION_SIZE);
    case EXEMPLARS_MAX:
        head_options_default(&defaults);
        return defaults.exemplars_max;
    default:
        return tsdb_figure(s, figure);
    }
}

struct peer_source {
    struct server *server;
    enum figure figure;
};

static double peer_get(void *ctx)
{
    const struct peer_source *source = ctx;
    return figure_of(source->server, source->figure);
}

/* A summary of Prometheus' without quantiles. */
static void collect_fsync(struct metric_sink *sink, void *ctx)
{
    const struct wal_stats *w = wal_stats(tsdb_wal(((struct server *)ctx)->tsdb));
    metric_emit_summary(sink, "", read_u64(&w->sync_ns) * 1e-9, atomic_load_explicit(&w->syncs, memory_order_relaxed));
}

void server_peer_metrics_register(struct server *s)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer_source *source = arena_alloc(&s->arena, sizeof *source);
        *source = (struct peer_source){s, rows[i].figure};
        metrics_add(s->metrics, &(struct metric){.name = rows[i].name,
                                                 .labels = rows[i].labels,
                                                 .help = rows[i].help,
                                                 .kind = rows[i].kind,
                                                 .get = peer_get,
                                                 .ctx = source});
    }
    metrics_add(s->metrics, &(struct metric){.name = "prometheus_tsdb_wal_fsync_duration_seconds",
                                             .kind = METRIC_SUMMARY,
                                             .help = "Time of one sync of the log.",
                                             .collect = collect_fsync,
                                             .ctx = s});
}
