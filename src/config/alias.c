/*
 * alias.c - the names under which VictoriaMetrics and Prometheus know the same settings.
 *
 * Three kinds: real aliases; names that change nothing here and are accepted with a notice, so that a
 * manifest written for the other server starts this one; and names that guard access there.  The last
 * are refused when they are set to something, because starting without the guard would open the data.
 */
#include <strings.h>

#include "config/config_internal.h"

#define SAME(family, name, option)                                                                                     \
    {                                                                                                                  \
        name, FAMILY_##family, ALIAS_SAME, false, OPT_##option, NULL                                                   \
    }
#define AS(family, kind, name, option)                                                                                 \
    {                                                                                                                  \
        name, FAMILY_##family, ALIAS_##kind, false, OPT_##option, NULL                                                 \
    }
#define NOOP(family, name, note)                                                                                       \
    {                                                                                                                  \
        name, FAMILY_##family, ALIAS_IGNORED, false, OPT_COUNT, note                                                   \
    }
#define NOOP_BOOL(family, name, note)                                                                                  \
    {                                                                                                                  \
        name, FAMILY_##family, ALIAS_IGNORED, true, OPT_COUNT, note                                                    \
    }
#define REFUSED(family, name, note)                                                                                    \
    {                                                                                                                  \
        name, FAMILY_##family, ALIAS_REFUSED, false, OPT_COUNT, note                                                   \
    }
#define REFUSED_BOOL(family, name, note)                                                                               \
    {                                                                                                                  \
        name, FAMILY_##family, ALIAS_REFUSED, true, OPT_COUNT, note                                                    \
    }

#define NO_PROTOCOL "this ingestion protocol is not there"
#define NO_SCRAPE   "it does not scrape; let a Prometheus or an agent push by remote write"
#define NO_LIMIT    "query.max-memory and query.max-samples bound every query"
#define OWN_STORE   "the storage engine works differently"
#define NO_CACHE    "query results are not cached"
#define NO_AUTOCERT "certificates are not fetched; let another program renew the file, it is read again"
#define NO_AUTH     "paths have no keys of their own; use web.config.file or web.bearer-token-file"
#define NO_RULES    "rules and alerts are not evaluated here"

const struct alias config_aliases[] = {
    SAME(VICTORIAMETRICS, "storageDataPath", STORAGE_PATH),
    AS(VICTORIAMETRICS, RETENTION, "retentionPeriod", STORAGE_RETENTION_TIME),
    AS(VICTORIAMETRICS, SAME, "retentionFilter", STORAGE_RETENTION_RULES),
    SAME(VICTORIAMETRICS, "httpListenAddr", WEB_LISTEN_ADDRESS),
    SAME(VICTORIAMETRICS, "http.pathPrefix", WEB_ROUTE_PREFIX),
    AS(VICTORIAMETRICS, DURATION, "http.idleConnTimeout", WEB_IDLE_TIMEOUT),
    AS(VICTORIAMETRICS, DURATION, "http.maxGracefulShutdownDuration", WEB_SHUTDOWN_TIMEOUT),
    AS(VICTORIAMETRICS, DURATION, "http.shutdownDelay", WEB_SHUTDOWN_DELAY),
    {"http.disableCORS", FAMILY_VICTORIAMETRICS, ALIAS_CORS_OFF, true, OPT_WEB_CORS_ORIGIN, NULL},
    AS(VICTORIAMETRICS, BYTES, "maxInsertRequestSize", WEB_MAX_BODY_SIZE),
    AS(VICTORIAMETRICS, SERIES, "storage.maxHourlySeries", LIMIT_SERIES),
    AS(VICTORIAMETRICS, SERIES, "storage.maxDailySeries", LIMIT_DAILY_SERIES),
    SAME(VICTORIAMETRICS, "maxLabelsPerTimeseries", LIMIT_LABELS_PER_SERIES),
    AS(VICTORIAMETRICS, BYTES, "maxLabelNameLen", LIMIT_LABEL_NAME_LENGTH),
    AS(VICTORIAMETRICS, BYTES, "maxLabelValueLen", LIMIT_LABEL_VALUE_LENGTH),
    AS(VICTORIAMETRICS, DURATION, "futureRetention", INGEST_MAX_FUTURE),
    AS(VICTORIAMETRICS, DURATION, "snapshotsMaxAge", STORAGE_SNAPSHOTS_MAX_AGE),
    AS(VICTORIAMETRICS, BYTES, "storage.minFreeDiskSpaceBytes", STORAGE_MIN_FREE_DISK),
    AS(VICTORIAMETRICS, DURATION, "search.maxQueryDuration", QUERY_TIMEOUT),
    SAME(VICTORIAMETRICS, "search.maxConcurrentRequests", QUERY_MAX_CONCURRENCY),
    SAME(VICTORIAMETRICS, "search.maxSamplesPerQuery", QUERY_MAX_SAMPLES),
    AS(VICTORIAMETRICS, BYTES, "search.maxMemoryPerQuery", QUERY_MAX_MEMORY),
    AS(VICTORIAMETRICS, BYTES, "search.maxQueryLen", QUERY_MAX_LENGTH),
    AS(VICTORIAMETRICS, DURATION, "search.maxLookback", QUERY_LOOKBACK_DELTA),
    AS(VICTORIAMETRICS, DURATION, "search.logSlowQueryDuration", QUERY_LOG_SLOW),
    AS(VICTORIAMETRICS, PERCENT, "memory.allowedPercent", MEMORY_LIMIT),
    AS(VICTORIAMETRICS, BYTES, "memory.allowedBytes", MEMORY_LIMIT),
    AS(VICTORIAMETRICS, DURATION, "selfScrapeInterval", SELF_SCRAPE_INTERVAL),
    AS(VICTORIAMETRICS, LOG_LEVEL, "loggerLevel", LOG_LEVEL),
    AS(VICTORIAMETRICS, LOG_FORMAT, "loggerFormat", LOG_FORMAT),
    {"envflag.enable", FAMILY_VICTORIAMETRICS, ALIAS_ENV_ENABLE, true, OPT_COUNT, NULL},
    {"envflag.prefix", FAMILY_VICTORIAMETRICS, ALIAS_ENV_PREFIX, false, OPT_COUNT, NULL},

    REFUSED_BOOL(VICTORIAMETRICS, "tlsAutocert*", NO_AUTOCERT),
    {"tls", FAMILY_VICTORIAMETRICS, ALIAS_SAME, true, OPT_WEB_TLS, NULL},
    SAME(VICTORIAMETRICS, "tlsCertFile", WEB_TLS_CERT_FILE),
    SAME(VICTORIAMETRICS, "tlsKeyFile", WEB_TLS_KEY_FILE),
    SAME(VICTORIAMETRICS, "tlsMinVersion", WEB_TLS_MIN_VERSION),
    SAME(VICTORIAMETRICS, "tlsCipherSuites", WEB_TLS_CIPHER_SUITES),
    {"mtls", FAMILY_VICTORIAMETRICS, ALIAS_SAME, true, OPT_WEB_MTLS, NULL},
    SAME(VICTORIAMETRICS, "mtlsCAFile", WEB_MTLS_CA_FILE),
    SAME(VICTORIAMETRICS, "httpAuth.username", WEB_AUTH_USERNAME),
    SAME(VICTORIAMETRICS, "httpAuth.password", WEB_AUTH_PASSWORD),
    REFUSED(VICTORIAMETRICS, "configAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "deleteAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "flagsAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "forceFlushAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "forceMergeAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "logNewSeriesAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "metricNamesStatsResetAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "metricsAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "pprofAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "reloadAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "search.resetCacheAuthKey", NO_AUTH),
    REFUSED(VICTORIAMETRICS, "snapshotAuthKey", NO_AUTH),

    NOOP(VICTORIAMETRICS, "dedup.minScrapeInterval", "samples with the same time replace each other, others all stay"),
    NOOP(VICTORIAMETRICS, "downsampling.period", "samples are kept as they came"),
    NOOP(VICTORIAMETRICS, "retentionTimezoneOffset", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "denyQueriesOutsideRetention", "such queries get an empty answer"),
    NOOP_BOOL(VICTORIAMETRICS, "denyQueryTracing", "a trace is what the query took, nothing that it read"),
    NOOP_BOOL(VICTORIAMETRICS, "enableMetadata", "metadata is always taken"),
    NOOP_BOOL(VICTORIAMETRICS, "enableTCP6", "IPv6 is always on"),
    NOOP_BOOL(VICTORIAMETRICS, "eula", "there is none to accept"),
    NOOP(VICTORIAMETRICS, "license*", "no licence is needed"),
    NOOP_BOOL(VICTORIAMETRICS, "dryRun", "use: gnomon check config"),

    NOOP_BOOL(VICTORIAMETRICS, "promscrape.config.dryRun", NO_SCRAPE),
    NOOP_BOOL(VICTORIAMETRICS, "promscrape.config.strictParse", NO_SCRAPE),
    NOOP(VICTORIAMETRICS, "promscrape.*", NO_SCRAPE),
    NOOP(VICTORIAMETRICS, "relabelConfig", "series are not relabelled; relabel in the sender"),
    NOOP_BOOL(VICTORIAMETRICS, "relabelDebug", "series are not relabelled; relabel in the sender"),
    NOOP(VICTORIAMETRICS, "relabelConfigCheckInterval", "series are not relabelled; relabel in the sender"),
    NOOP_BOOL(VICTORIAMETRICS, "streamAggr.dropInput", "streams are not aggregated"),
    NOOP_BOOL(VICTORIAMETRICS, "streamAggr.keepInput", "streams are not aggregated"),
    NOOP(VICTORIAMETRICS, "streamAggr.*", "streams are not aggregated"),
    NOOP(VICTORIAMETRICS, "pushmetrics.*", "own metrics are not pushed"),
    NOOP_BOOL(VICTORIAMETRICS, "usePromCompatibleNaming", "names are kept as they came"),
    NOOP_BOOL(VICTORIAMETRICS, "sortLabels", "labels are always sorted"),
    NOOP(VICTORIAMETRICS, "maxConcurrentInserts", "writes do not wait for each other"),
    NOOP(VICTORIAMETRICS, "insert.maxQueueDuration", "writes do not wait for each other"),
    NOOP(VICTORIAMETRICS, "maxIngestionRate", "the ingestion rate is not limited"),

    NOOP(VICTORIAMETRICS, "graphiteListenAddr*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "influxListenAddr*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "opentsdbListenAddr*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "opentsdbHTTPListenAddr*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "opentsdbTrimTimestamp", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "opentsdbhttp*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "graphiteTrimTimestamp", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "graphite.sanitizeMetricName", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "influx.forceStreamMode", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "influxSkipMeasurement", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "influxSkipSingleField", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "influx*", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "datadog.sanitizeMetricName", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "datadog.*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "newrelic.*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "zabbixconnector.*", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "opentelemetry.usePrometheusNaming", NO_PROTOCOL),
    NOOP_BOOL(VICTORIAMETRICS, "opentelemetry.convertMetricNamesToPrometheus", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "opentelemetry.*", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "csvTrimTimestamp", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "import.maxLineLen", "a line may be as long as web.max-body-size"),

    NOOP_BOOL(VICTORIAMETRICS, "search.disableCache", NO_CACHE),
    NOOP_BOOL(VICTORIAMETRICS, "search.disableAutoCacheReset", NO_CACHE),
    NOOP_BOOL(VICTORIAMETRICS, "search.resetRollupResultCacheOnStartup", NO_CACHE),
    NOOP(VICTORIAMETRICS, "search.cacheTimestampOffset", NO_CACHE),
    NOOP(VICTORIAMETRICS, "search.minWindowForInstantRollupOptimization", NO_CACHE),
    NOOP(VICTORIAMETRICS, "search.latencyOffset", "an acknowledged sample is visible at once"),
    NOOP_BOOL(VICTORIAMETRICS, "search.disableImplicitConversion", "the language is PromQL, without such conversions"),
    NOOP_BOOL(VICTORIAMETRICS, "search.logImplicitConversion", "the language is PromQL, without such conversions"),
    NOOP_BOOL(VICTORIAMETRICS, "search.ignoreExtraFiltersAtLabelsAPI", "extra filters always hold"),
    NOOP(VICTORIAMETRICS, "search.logQueryMemoryUsage", NO_LIMIT),
    NOOP_BOOL(VICTORIAMETRICS, "search.noStaleMarkers", "stale markers always count"),
    NOOP_BOOL(VICTORIAMETRICS, "search.setLookbackToStep", "the look-back is query.lookback-delta"),
    NOOP_BOOL(VICTORIAMETRICS, "search.treatDotsAsIsInRegexps", "regular expressions mean what they say"),
    NOOP(VICTORIAMETRICS, "search.maxStalenessInterval", "the look-back is query.lookback-delta"),
    NOOP(VICTORIAMETRICS, "search.minStalenessInterval", "the look-back is query.lookback-delta"),
    NOOP(VICTORIAMETRICS, "search.maxStepForPointsAdjustment", "points are not moved"),
    NOOP(VICTORIAMETRICS, "search.maxQueueDuration", "a query waits for a slot within its query.timeout"),
    NOOP(VICTORIAMETRICS, "search.maxPointsPerTimeseries", "the bound is 11,000 points, as in Prometheus"),
    NOOP(VICTORIAMETRICS, "search.maxDeleteDuration", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxDeleteSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxExportDuration", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxExportSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxFederateSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxGraphitePathExpressionLen", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxGraphiteSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxGraphiteTagKeys", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxGraphiteTagValues", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxLabelsAPIDuration", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxLabelsAPISeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxPointsSubqueryPerTimeseries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxResponseSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxSamplesPerSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxSeriesPerAggrFunc", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxStatusRequestDuration", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxTSDBStatusSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxTSDBStatusTopNSeries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxTagKeys", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxTagValueSuffixesPerSearch", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxTagValues", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxUniqueTimeseries", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.maxWorkersPerQuery", NO_LIMIT),
    NOOP(VICTORIAMETRICS, "search.graphiteMaxPointsPerSeries", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "search.graphiteStorageStep", NO_PROTOCOL),
    NOOP(VICTORIAMETRICS, "search.inmemoryBufSizeBytes", OWN_STORE),
    NOOP(VICTORIAMETRICS, "search.maxBinaryOpPushdownLabelValues", "labels of one operand do not narrow the other"),
    NOOP(VICTORIAMETRICS, "search.queryStats.*", "the last 4,096 queries of a millisecond or more are kept"),

    NOOP(VICTORIAMETRICS, "http.connTimeout", "connections are closed only when idle"),
    NOOP_BOOL(VICTORIAMETRICS, "http.disableKeepAlive", "connections are kept alive"),
    NOOP_BOOL(VICTORIAMETRICS, "http.disableResponseCompression", "clients choose by Accept-Encoding"),
    NOOP_BOOL(VICTORIAMETRICS, "http.header.disableServerHostname", "no such header is sent"),
    NOOP(VICTORIAMETRICS, "http.header.*", "set it under http_server_config.headers in web.config.file"),
    NOOP_BOOL(VICTORIAMETRICS, "httpListenAddr.useProxyProtocol", "the proxy protocol is not understood"),
    NOOP_BOOL(VICTORIAMETRICS, "loggerDisableTimestamps", "log lines always carry the time"),
    NOOP(VICTORIAMETRICS, "loggerErrorsPerSecondLimit", "the log is one line per event on stderr"),
    NOOP(VICTORIAMETRICS, "loggerJSONFields", "the log is one line per event on stderr"),
    NOOP(VICTORIAMETRICS, "loggerMaxArgLen", "the log is one line per event on stderr"),
    NOOP(VICTORIAMETRICS, "loggerOutput", "the log is one line per event on stderr"),
    NOOP(VICTORIAMETRICS, "loggerTimezone", "the log is one line per event on stderr"),
    NOOP(VICTORIAMETRICS, "loggerWarnsPerSecondLimit", "the log is one line per event on stderr"),
    NOOP_BOOL(VICTORIAMETRICS, "metrics.exposeMetadata", "own metrics always carry HELP and TYPE"),
    NOOP(VICTORIAMETRICS, "secret.flags", "secrets are never shown"),
    NOOP(VICTORIAMETRICS, "selfScrapeInstance", "the instance label is the listen address"),
    NOOP(VICTORIAMETRICS, "selfScrapeJob", "the job label is gnomon"),
    NOOP(VICTORIAMETRICS, "vmalert.proxyURL", NO_RULES),
    NOOP(VICTORIAMETRICS, "vmui.*", "there is no vmui"),

    NOOP_BOOL(VICTORIAMETRICS, "filestream.disableFadvise", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "fs.disableMmap", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "fs.disableMincore", OWN_STORE),
    NOOP(VICTORIAMETRICS, "fs.maxConcurrency", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "logNewSeries", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "internStringDisableCache", OWN_STORE),
    NOOP(VICTORIAMETRICS, "internStringCacheExpireDuration", OWN_STORE),
    NOOP(VICTORIAMETRICS, "internStringMaxLen", OWN_STORE),
    NOOP(VICTORIAMETRICS, "bigMergeConcurrency", OWN_STORE),
    NOOP(VICTORIAMETRICS, "smallMergeConcurrency", OWN_STORE),
    NOOP(VICTORIAMETRICS, "blockcache.missesBeforeCaching", OWN_STORE),
    NOOP(VICTORIAMETRICS, "cacheExpireDuration", OWN_STORE),
    NOOP(VICTORIAMETRICS, "finalDedupScheduleCheckInterval", OWN_STORE),
    NOOP(VICTORIAMETRICS, "finalMergeDelay", OWN_STORE),
    NOOP(VICTORIAMETRICS, "inmemoryDataFlushInterval", "see wal.sync"),
    NOOP(VICTORIAMETRICS, "precisionBits", "samples are kept bit for bit"),
    NOOP(VICTORIAMETRICS, "prevCacheRemovalPercent", OWN_STORE),
    NOOP(VICTORIAMETRICS, "snapshotCreateTimeout", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "storage.trackMetricNamesStats", "use of metric names is always counted"),
    NOOP(VICTORIAMETRICS, "storage.cacheSize*", OWN_STORE),
    NOOP(VICTORIAMETRICS, "storage.finalDedupScheduleCheckInterval", OWN_STORE),
    NOOP(VICTORIAMETRICS, "storage.idbPrefillStart", OWN_STORE),
    NOOP(VICTORIAMETRICS, "storage.maxMetadataStorageSize", OWN_STORE),
    NOOP(VICTORIAMETRICS, "storage.vminsertConnsShutdownDuration", OWN_STORE),
    NOOP_BOOL(VICTORIAMETRICS, "disablePerDayIndex", OWN_STORE),

    SAME(PROMETHEUS, "storage.tsdb.path", STORAGE_PATH),
    SAME(PROMETHEUS, "storage.tsdb.retention", STORAGE_RETENTION_TIME),
    SAME(PROMETHEUS, "storage.tsdb.retention.time", STORAGE_RETENTION_TIME),
    SAME(PROMETHEUS, "storage.tsdb.retention.size", STORAGE_RETENTION_SIZE),
    NOOP_BOOL(PROMETHEUS, "web.enable-remote-write-receiver", "remote write is always taken"),
    NOOP_BOOL(PROMETHEUS, "web.enable-otlp-receiver", NO_PROTOCOL),
    NOOP(PROMETHEUS, "web.remote-write-receiver.accepted-protobuf-messages", "see docs/api.md for what is taken"),
    NOOP(PROMETHEUS, "web.console.*", "there are no consoles"),
    NOOP(PROMETHEUS, "web.page-title", "there are no such pages"),
    NOOP(PROMETHEUS, "web.user-assets", "there are no such pages"),
    NOOP_BOOL(PROMETHEUS, "storage.tsdb.wal-compression", "the log is compact as it is"),
    NOOP(PROMETHEUS, "storage.tsdb.wal-compression-type", "the log is compact as it is"),
    NOOP_BOOL(PROMETHEUS, "storage.tsdb.no-lockfile", "the data directory is always locked"),
    NOOP_BOOL(PROMETHEUS, "storage.tsdb.allow-overlapping-blocks", "samples of any order are always taken"),
    NOOP(PROMETHEUS, "storage.tsdb.min-block-duration", OWN_STORE),
    NOOP(PROMETHEUS, "storage.tsdb.max-block-duration", OWN_STORE),
    NOOP(PROMETHEUS, "storage.tsdb.max-block-chunk-segment-size", OWN_STORE),
    NOOP(PROMETHEUS, "storage.tsdb.wal-segment-size", OWN_STORE),
    NOOP(PROMETHEUS, "storage.tsdb.head-chunks-write-queue-size", OWN_STORE),
    NOOP(PROMETHEUS, "storage.tsdb.samples-per-chunk", OWN_STORE),
    NOOP(PROMETHEUS, "storage.tsdb.head-chunks-segment-size", OWN_STORE),
    NOOP(PROMETHEUS, "storage.remote.flush-deadline", "nothing is sent to other servers"),
    NOOP(PROMETHEUS, "storage.agent.*", "there is no agent mode"),
    NOOP(PROMETHEUS, "alertmanager.*", NO_RULES),
    NOOP(PROMETHEUS, "rules.*", NO_RULES),
    NOOP(PROMETHEUS, "scrape.*", NO_SCRAPE),
    NOOP_BOOL(PROMETHEUS, "auto-gomaxprocs", "it is not written in Go"),
    NOOP_BOOL(PROMETHEUS, "auto-gomemlimit", "see memory.limit"),
    NOOP(PROMETHEUS, "auto-gomemlimit.ratio", "see memory.limit"),
};
const uint32_t config_alias_count = sizeof config_aliases / sizeof *config_aliases;

const struct alias *alias_by_name(struct slice name)
{
    for (uint32_t i = 0; i < config_alias_count; i++) {
        struct slice known = slice_str(config_aliases[i].name);
        bool any_rest = known.data[known.len - 1] == '*';
        known.len -= any_rest;
        if (any_rest ? slice_starts_with(name, known) : slice_eq(name, known))
            return &config_aliases[i];
    }
    return NULL;
}

static bool is_number(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < '0' || text.data[i] > '9') && text.data[i] != '.')
            return false;
    return text.len > 0;
}

static struct slice with_suffix(struct arena *arena, struct slice text, const char *suffix)
{
    return slice_str(arena_printf(arena, "%.*s%s", SLICE_ARG(text), suffix));
}

/* "1" = one month of 31 days, "1.5y", "90d", "2M"; 0 is refused as it is there. */
static enum err translate_retention(struct slice text, struct arena *arena, struct slice *out, struct errmsg *why)
{
    struct slice months = text;
    if (months.len && months.data[months.len - 1] == 'M')
        months.len--;
    uint64_t ms;
    bool ok = is_number(months) ? duration_parse(with_suffix(arena, months, "d"), &ms) : duration_parse(text, &ms);
    if (ok && is_number(months))
        ms *= 31;
    if (!ok || ms < 86400000)
        return err_set(why, ERR_INVALID,
                       "\"%.*s\" is not a retention; allowed: a number of months, or a number with h, d, w or y, "
                       "together at least 1d",
                       SLICE_ARG(text));
    *out = slice_str(arena_printf(arena, "%llums", (unsigned long long)ms));
    return ERR_OK;
}

static enum err translate_bytes(struct slice text, struct arena *arena, struct slice *out, struct errmsg *why)
{
    uint64_t bytes;
    if (!bytes_parse(text, 1000, &bytes))
        return err_set(why, ERR_INVALID, "\"%.*s\" is not a size; allowed: a number with B, KB, KiB, MB, MiB, GB, GiB",
                       SLICE_ARG(text));
    *out = slice_str(arena_printf(arena, "%lluB", (unsigned long long)bytes));
    return ERR_OK;
}

static enum err translate_log_level(struct slice text, struct slice *out, struct errmsg *why)
{
    static const char *const pairs[][2] = {
        {"INFO", "info"}, {"WARN", "warn"}, {"ERROR", "error"}, {"FATAL", "error"}, {"PANIC", "error"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (text.len == strlen(pairs[i][0]) && !strncasecmp((const char *)text.data, pairs[i][0], text.len)) {
            *out = slice_str(pairs[i][1]);
            return ERR_OK;
        }
    return err_set(why, ERR_INVALID, "\"%.*s\" is not a log level; allowed: INFO, WARN, ERROR, FATAL, PANIC",
                   SLICE_ARG(text));
}

/* "60.5" -> "60": a share of memory is whole per cents here. */
static struct slice whole_part(struct slice text)
{
    const uint8_t *point = is_number(text) ? memchr(text.data, '.', text.len) : NULL;
    return point ? slice_of(text.data, (size_t)(point - (const uint8_t *)text.data)) : text;
}

enum err alias_translate(const struct alias *alias, struct slice text, struct arena *arena, struct slice *out,
                         struct errmsg *why)
{
    *out = text;
    switch (alias->kind) {
    case ALIAS_RETENTION:
        return translate_retention(text, arena, out, why);
    case ALIAS_DURATION:
        if (is_number(text))
            *out = with_suffix(arena, text, "s");
        return ERR_OK;
    case ALIAS_BYTES:
        return translate_bytes(text, arena, out, why);
    case ALIAS_PERCENT:
        *out = with_suffix(arena, whole_part(text), "%");
        return ERR_OK;
    case ALIAS_SERIES:
        if (slice_eq_str(text, "-1"))
            *out = SLICE_LIT("0");
        return ERR_OK;
    case ALIAS_LOG_LEVEL:
        return translate_log_level(text, out, why);
    case ALIAS_LOG_FORMAT:
        if (slice_eq_str(text, "default"))
            *out = SLICE_LIT("logfmt");
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

static bool off(struct slice text)
{
    return text.len == 0 || slice_eq_str(text, "false") || slice_eq_str(text, "0");
}

/* Where 0 means "automatic" there, our default is what is meant. */
static bool means_default(const struct alias *alias, struct slice text)
{
    bool zero = slice_eq_str(text, "0") || slice_eq_str(text, "0s");
    return zero && (alias->option == OPT_QUERY_LOOKBACK_DELTA || alias->option == OPT_QUERY_MAX_MEMORY ||
                    alias->option == OPT_MEMORY_LIMIT);
}

enum err config_assign_alias(struct config *c, const struct alias *alias, enum config_source source, const char *place,
                             struct slice text, struct errmsg *why)
{
    switch (alias->kind) {
    case ALIAS_IGNORED:
        config_notify(c, "%s has no effect: %s", place, alias->note);
        return ERR_OK;
    case ALIAS_REFUSED:
        if (off(text))
            return ERR_OK;
        return err_set(why, ERR_INVALID, "%s: %s", place, alias->note);
    case ALIAS_ENV_ENABLE:
        c->env_aliases = !off(text);
        return ERR_OK;
    case ALIAS_ENV_PREFIX:
        c->env_prefix = arena_strdup(&c->arena, text);
        return ERR_OK;
    case ALIAS_CORS_OFF:
        return off(text) ? ERR_OK : config_assign(c, alias->option, source, place, SLICE_LIT(""), why);
    default:
        break;
    }
    if (means_default(alias, text))
        return ERR_OK;
    struct slice ours;
    enum err err = alias_translate(alias, text, &c->arena, &ours, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "%s", place);
    return config_assign(c, alias->option, source, place, ours, why);
}
