"""What Prometheus 3.15 and VictoriaMetrics have, and what Gnomon does with it: the table behind docs/compatibility.md.

test_compatibility.py asks the server about every row.
"""

# (method, path, who has it: P V, state, note).  yes: answered in its meaning; empty: valid shape, nothing in it; idle: accepted, nothing to do;
# flag: behind a flag, as there; no: 404.
ENDPOINTS = [
    ("GET", "/api/v1/query", "PV", "yes", ""),
    ("POST", "/api/v1/query", "PV", "yes", ""),
    ("GET", "/api/v1/query_range", "PV", "yes", ""),
    ("POST", "/api/v1/query_range", "PV", "yes", ""),
    ("GET", "/api/v1/query_exemplars", "PV", "yes", "VictoriaMetrics always answers an empty list"),
    ("GET", "/api/v1/format_query", "P", "yes", ""),
    ("GET", "/prettify-query", "V", "no", "`/api/v1/format_query`"),
    ("GET", "/api/v1/parse_query", "P", "yes", ""),
    ("GET", "/expand-with-exprs", "V", "no", "no MetricsQL"),
    ("GET", "/api/v1/labels", "PV", "yes", "without times all of the data, as Prometheus"),
    ("GET", "/api/v1/label/job/values", "PV", "yes", ""),
    ("GET", "/api/v1/series", "PV", "yes", ""),
    ("GET", "/api/v1/series/count", "V", "yes", ""),
    ("GET", "/api/v1/metadata", "PV", "yes", "from remote write"),
    ("GET", "/api/v1/search/metric_names", "P", "yes", "experimental there, behind `--enable-feature=search-api`; always on here"),
    ("GET", "/api/v1/search/label_names", "P", "yes", ""),
    ("POST", "/api/v1/search/label_values", "P", "yes", ""),
    ("POST", "/api/v1/read", "P", "yes", ""),
    ("GET", "/federate", "PV", "yes", "types, formats and escaping as Prometheus"),
    ("GET", "/api/v1/export", "V", "yes", ""),
    ("GET", "/api/v1/export/csv", "V", "yes", ""),
    ("GET", "/api/v1/export/native", "V", "no", "a private format that changes; `/api/v1/export`, or remote read"),
    ("POST", "/internal/resetRollupResultCache", "V", "idle", "there is no such cache"),
    ("POST", "/internal/force_flush", "V", "idle", "what is acknowledged can be read"),
    ("POST", "/internal/force_merge", "V", "no", "merging is not asked for"),
    ("GET", "/internal/log_new_series", "V", "no", ""),
    ("POST", "/api/v1/write", "PV", "yes", "remote write 1.0 and 2.0; always on"),
    ("POST", "/api/v1/push", "V", "yes", ""),
    ("POST", "/api/v1/import", "V", "yes", ""),
    ("POST", "/api/v1/import/prometheus", "V", "yes", "text exposition formats; `extra_label`, `timestamp`"),
    ("POST", "/api/v1/import/csv", "V", "no", ""),
    ("POST", "/api/v1/import/native", "V", "no", ""),
    ("POST", "/api/v1/otlp/v1/metrics", "P", "no", ""),
    ("POST", "/opentelemetry/v1/metrics", "V", "no", ""),
    ("POST", "/influx/write", "V", "no", ""),
    ("POST", "/datadog/api/v1/series", "V", "no", ""),
    ("GET", "/render", "V", "no", "no Graphite"),
    ("GET", "/api/v1/status/buildinfo", "PV", "yes", ""),
    ("GET", "/api/v1/status/flags", "P", "yes", ""),
    ("GET", "/flags", "V", "no", "`/api/v1/status/flags`"),
    ("GET", "/api/v1/status/config", "PV", "yes", "the settings in effect"),
    ("GET", "/config", "V", "no", "`/api/v1/status/config`"),
    ("GET", "/api/v1/status/runtimeinfo", "P", "yes", ""),
    ("GET", "/api/v1/status/tsdb", "PV", "yes", "the keys of both"),
    ("GET", "/api/v1/status/tsdb/blocks", "P", "yes", ""),
    ("GET", "/api/v1/status/walreplay", "P", "yes", "MiB of log instead of segments"),
    ("GET", "/api/v1/status/self_metrics", "P", "no", "`/metrics`"),
    ("GET", "/api/v1/features", "P", "yes", ""),
    ("GET", "/api/v1/openapi.yaml", "P", "no", ""),
    ("GET", "/api/v1/notifications", "P", "empty", ""),
    ("GET", "/api/v1/notifications/live", "P", "no", ""),
    ("GET", "/api/v1/status/top_queries", "V", "yes", ""),
    ("GET", "/api/v1/status/active_queries", "V", "yes", "and `POST .../cancel`, which neither has"),
    ("GET", "/api/v1/status/metric_names_stats", "V", "yes", ""),
    ("POST", "/api/v1/admin/status/metric_names_stats/reset", "V", "yes", ""),
    ("GET", "/api/v1/status/storage", "", "yes", "ours"),
    ("GET", "/api/v1/targets", "PV", "empty", "nothing is scraped"),
    ("GET", "/api/v1/targets/metadata", "P", "empty", ""),
    ("GET", "/api/v1/targets/relabel_steps", "P", "no", ""),
    ("GET", "/api/v1/scrape_pools", "P", "empty", ""),
    ("GET", "/api/v1/scrape_pools/config", "P", "no", ""),
    ("GET", "/api/v1/alertmanagers", "P", "empty", ""),
    ("GET", "/api/v1/rules", "PV", "empty", "no rule is evaluated; vmalert or Prometheus do"),
    ("GET", "/api/v1/alerts", "PV", "empty", ""),
    ("POST", "/api/v1/admin/tsdb/delete_series", "PV", "flag", "`--web.enable-admin-api`"),
    ("POST", "/api/v1/admin/tsdb/clean_tombstones", "P", "flag", ""),
    ("POST", "/api/v1/admin/tsdb/verify", "", "flag", "ours"),
    ("POST", "/api/v1/admin/tsdb/acknowledge_losses", "", "flag", "ours"),
    ("POST", "/api/v1/admin/tsdb/snapshot", "PV", "flag", ""),
    ("GET", "/snapshot/create", "V", "yes", ""),
    ("GET", "/snapshot/list", "V", "yes", ""),
    ("POST", "/snapshot/delete", "V", "yes", ""),
    ("POST", "/snapshot/delete_all", "V", "yes", ""),
    ("POST", "/-/reload", "PV", "flag", "`--web.enable-lifecycle`"),
    ("POST", "/-/quit", "P", "flag", "`--web.enable-lifecycle`"),
    ("GET", "/-/healthy", "PV", "yes", ""),
    ("GET", "/-/ready", "PV", "yes", ""),
    ("GET", "/health", "V", "yes", ""),
    ("GET", "/ping", "V", "yes", ""),
    ("GET", "/metrics", "PV", "yes", "own metrics under both peers' names, too"),
    ("GET", "/debug/pprof/", "PV", "no", "of the Go runtime"),
    ("GET", "/graph", "PV", "no", "no page to query from; use Grafana"),
    ("GET", "/vmui/", "V", "no", ""),
    ("GET", "/consoles/", "P", "no", ""),
    ("GET", "/prometheus/api/v1/labels", "V", "yes", "every path also under `/prometheus`"),
    ("GET", "/select/0/prometheus/api/v1/labels", "V", "yes", "and under `/select/0/prometheus`"),
]

Q, R, S, E = "/api/v1/query?query=up", "/api/v1/query_range?query=up&start=0&end=60&step=15", "/api/v1/series?match[]=up", "/api/v1/export?match[]=up"
# (endpoints, parameter, who has it, used | idle, note, a request, the status that shows it: 400 for what is read, 200 for what is not)
PARAMETERS = [
    ("query", "time", "PV", "used", "Prometheus' forms of a time", Q + "&time=x", 400),
    ("query, query_range", "timeout", "PV", "used", "", Q + "&timeout=x", 400),
    ("query, query_range", "limit", "P", "used", "", Q + "&limit=x", 400),
    ("query, query_range", "stats", "P", "used", "", Q + "&stats=all", 200),
    ("query, query_range", "lookback_delta", "P", "used", "", Q + "&lookback_delta=x", 400),
    ("query", "step", "V", "idle", "but then the answer has `stats.seriesFetched`", Q + "&step=x", 200),
    ("query, query_range", "nocache", "V", "idle", "nothing is cached; `stats.seriesFetched`", Q + "&nocache=1", 200),
    ("query, query_range", "trace", "V", "used", "", Q + "&trace=1", 200),
    ("query, query_range", "max_lookback", "V", "idle", "`lookback_delta`", Q + "&max_lookback=x", 200),
    ("query, query_range", "latency_offset", "V", "idle", "newest samples are answered at once", Q + "&latency_offset=x", 200),
    ("query, query_range", "round_digits", "V", "used", "", Q + "&round_digits=2", 200),
    ("query ... federate", "extra_label", "V", "used", "", Q + "&extra_label=x", 400),
    ("query ... federate", "extra_filters[]", "V", "used", "", Q + "&extra_filters[]={", 400),
    ("query_range", "start", "PV", "used", "required, as in Prometheus", R.replace("start=0", "start="), 400),
    ("query_range", "end", "PV", "used", "required, as in Prometheus", R.replace("end=60", "end="), 400),
    ("query_range", "step", "PV", "used", "required, as in Prometheus; at most 11,000 points", R.replace("step=15", "step=0"), 400),
    ("labels, label values, series", "match[]", "PV", "used", "", "/api/v1/labels?match[]={", 400),
    ("labels, label values, series", "start", "PV", "used", "", S + "&start=x", 400),
    ("labels, label values, series", "end", "PV", "used", "", S + "&end=x", 400),
    ("labels, label values, series", "limit", "PV", "used", "", S + "&limit=x", 400),
    ("metadata", "limit", "PV", "used", "", "/api/v1/metadata?limit=x", 400),
    ("metadata", "limit_per_metric", "P", "idle", "there is one entry per metric", "/api/v1/metadata?limit_per_metric=1", 200),
    ("metadata", "metric", "PV", "used", "", "/api/v1/metadata?metric=up", 200),
    ("query_exemplars", "start", "P", "used", "", "/api/v1/query_exemplars?query=up&start=x", 400),
    ("query_exemplars", "end", "P", "used", "", "/api/v1/query_exemplars?query=up&end=x", 400),
    ("rules", "type", "P", "used", "", "/api/v1/rules?type=x", 400),
    ("rules", "rule_name[]", "P", "idle", "there are no rules", "/api/v1/rules?rule_name[]=x", 200),
    ("targets", "state", "P", "used", "", "/api/v1/targets?state=active", 200),
    ("status/tsdb", "limit", "P", "used", "", "/api/v1/status/tsdb?limit=x", 400),
    ("status/tsdb", "topN", "V", "used", "", "/api/v1/status/tsdb?topN=x", 400),
    ("status/tsdb", "match[]", "V", "used", "", "/api/v1/status/tsdb?match[]={", 400),
    ("status/tsdb", "focusLabel", "V", "used", "", "/api/v1/status/tsdb?focusLabel=job", 200),
    ("status/tsdb", "date", "V", "idle", "the head as it is now", "/api/v1/status/tsdb?date=x", 200),
    ("status/top_queries", "topN", "V", "used", "", "/api/v1/status/top_queries?topN=x", 400),
    ("status/top_queries", "maxLifetime", "V", "used", "", "/api/v1/status/top_queries?maxLifetime=x", 400),
    ("status/metric_names_stats", "limit", "V", "used", "", "/api/v1/status/metric_names_stats?limit=x", 400),
    ("status/metric_names_stats", "le", "V", "used", "", "/api/v1/status/metric_names_stats?le=x", 400),
    ("status/metric_names_stats", "match_pattern", "V", "used", "", "/api/v1/status/metric_names_stats?match_pattern=x", 200),
    ("export", "match[]", "V", "used", "", "/api/v1/export", 400),
    ("export", "start", "V", "used", "VictoriaMetrics' forms of a time", E + "&start=x", 400),
    ("export", "end", "V", "used", "", E + "&end=x", 400),
    ("export", "format", "V", "used", "", E + "&format=promapi", 200),
    ("export", "max_rows_per_line", "V", "used", "", E + "&max_rows_per_line=1", 200),
    ("export", "reduce_mem_usage", "V", "idle", "memory holds one series anyway", E + "&reduce_mem_usage=1", 200),
    ("export/csv", "format", "V", "used", "", "/api/v1/export/csv?match[]=up&format=", 400),
    ("federate", "match[]", "PV", "used", "", "/federate?match[]={", 400),
    ("admin/tsdb/snapshot", "skip_head", "P", "used", "needs `--web.enable-admin-api`", "", 0),
    ("admin/tsdb/delete_series", "start", "P", "used", "needs `--web.enable-admin-api`", "", 0),
    ("write", "extra_label", "V", "idle", "on writes it is not read", "", 0),
]

PROMETHEUS_FLAGS = """agent alertmanager.drain-notification-queue-on-shutdown alertmanager.notification-batch-size
alertmanager.notification-queue-capacity auto-gomaxprocs auto-gomemlimit auto-gomemlimit.ratio auto-gomemlimit.refresh-interval
config.auto-reload config.auto-reload-interval config.file enable-feature log.format log.level query.lookback-delta
query.max-concurrency query.max-samples query.timeout rules.alert.for-grace-period rules.alert.for-outage-tolerance
rules.alert.resend-delay rules.max-concurrent-evals storage.agent.checkpoint-batch-size storage.agent.checkpoint-from-in-memory-series
storage.agent.no-lockfile storage.agent.path storage.agent.retention.max-time storage.agent.retention.min-time
storage.agent.wal-compression storage.agent.wal-compression-type storage.remote.flush-deadline storage.remote.read-concurrent-limit
storage.remote.read-max-bytes-in-frame storage.remote.read-sample-limit storage.tsdb.delay-compact-file.path
storage.tsdb.head-chunks-write-queue-size storage.tsdb.no-lockfile storage.tsdb.path storage.tsdb.retention.size
storage.tsdb.retention.time web.config.file web.console.libraries web.console.templates web.cors.origin web.enable-admin-api
web.enable-lifecycle web.enable-otlp-receiver web.enable-remote-write-receiver web.external-url web.listen-address
web.max-connections web.max-notifications-subscribers web.page-title web.read-timeout
web.remote-write-receiver.accepted-protobuf-messages web.route-prefix web.search.max-limit web.user-assets""".split()

VICTORIAMETRICS_FLAGS = """bigMergeConcurrency blockcache.missesBeforeCaching cacheExpireDuration configAuthKey csvTrimTimestamp
datadog.maxInsertRequestSize datadog.sanitizeMetricName dedup.minScrapeInterval deleteAuthKey denyQueriesOutsideRetention denyQueryTracing
disablePerDayIndex downsampling.period dryRun enableMetadata enableTCP6 envflag.enable envflag.prefix eula filestream.disableFadvise
finalMergeDelay flagsAuthKey forceFlushAuthKey forceMergeAuthKey fs.disableMincore fs.disableMmap fs.maxConcurrency futureRetention
graphite.sanitizeMetricName graphiteListenAddr graphiteListenAddr.useProxyProtocol graphiteTrimTimestamp http.connTimeout http.disableCORS
http.disableKeepAlive http.disableResponseCompression http.header.csp http.header.disableServerHostname http.header.frameOptions
http.header.hsts http.idleConnTimeout http.maxGracefulShutdownDuration http.pathPrefix http.shutdownDelay httpAuth.password
httpAuth.username httpListenAddr httpListenAddr.useProxyProtocol import.maxLineLen influx.databaseNames influx.forceStreamMode
influx.maxLineSize influx.maxRequestSize influxDBLabel influxListenAddr influxListenAddr.useProxyProtocol influxMeasurementFieldSeparator
influxSkipMeasurement influxSkipSingleField influxTrimTimestamp inmemoryDataFlushInterval insert.maxQueueDuration
internStringCacheExpireDuration internStringDisableCache internStringMaxLen license licenseFile logNewSeries logNewSeriesAuthKey
loggerDisableTimestamps loggerErrorsPerSecondLimit loggerFormat loggerJSONFields loggerLevel loggerMaxArgLen loggerOutput loggerTimezone
loggerWarnsPerSecondLimit maxConcurrentInserts maxIngestionRate maxInsertRequestSize maxLabelNameLen maxLabelValueLen
maxLabelsPerTimeseries memory.allowedBytes memory.allowedPercent metricNamesStatsResetAuthKey metrics.exposeMetadata metricsAuthKey mtls
mtlsCAFile newrelic.maxInsertRequestSize opentelemetry.convertMetricNamesToPrometheus opentelemetry.ignoreResourceAttributes
opentelemetry.labelNameUnderscoreSanitization opentelemetry.maxRequestSize opentelemetry.promoteAllResourceAttributes
opentelemetry.promoteResourceAttributes opentelemetry.promoteScopeMetadata opentelemetry.usePrometheusNaming opentsdbHTTPListenAddr
opentsdbHTTPListenAddr.useProxyProtocol opentsdbListenAddr opentsdbListenAddr.useProxyProtocol opentsdbTrimTimestamp
opentsdbhttp.maxInsertRequestSize opentsdbhttpTrimTimestamp pprofAuthKey precisionBits prevCacheRemovalPercent
promscrape.azureSDCheckInterval promscrape.cluster.memberLabel promscrape.config promscrape.config.strictParse
promscrape.configCheckInterval promscrape.dropOriginalLabels promscrape.kubernetes.attachNodeMetadataAll promscrape.maxScrapeSize
promscrape.streamParse pushmetrics.disableCompression pushmetrics.extraLabel pushmetrics.header pushmetrics.interval pushmetrics.url
relabelConfig relabelDebug reloadAuthKey retentionFilter retentionPeriod retentionTimezoneOffset search.cacheTimestampOffset
search.disableAutoCacheReset search.disableCache search.disableImplicitConversion search.graphiteMaxPointsPerSeries
search.graphiteStorageStep search.ignoreExtraFiltersAtLabelsAPI search.inmemoryBufSizeBytes search.latencyOffset
search.logImplicitConversion search.logQueryMemoryUsage search.logSlowQueryDuration search.maxBinaryOpPushdownLabelValues
search.maxConcurrentRequests search.maxDeleteDuration search.maxExportDuration search.maxExportSeries search.maxFederateSeries
search.maxLabelsAPIDuration search.maxLookback search.maxMemoryPerQuery search.maxPointsPerTimeseries
search.maxPointsSubqueryPerTimeseries search.maxQueryDuration search.maxQueryLen search.maxQueueDuration search.maxResponseSeries
search.maxSamplesPerQuery search.maxSamplesPerSeries search.maxSeries search.maxStalenessInterval search.maxStatusRequestDuration
search.maxStepForPointsAdjustment search.maxTSDBStatusSeries search.maxTagKeys search.maxTagValueSuffixesPerSearch search.maxTagValues
search.maxUniqueTimeseries search.maxWorkersPerQuery search.minStalenessInterval search.minWindowForInstantRollupOptimization
search.noStaleMarkers search.queryStats.lastQueriesCount search.queryStats.minQueryDuration search.queryStats.minQueryMemoryUsage
search.resetCacheAuthKey search.resetRollupResultCacheOnStartup search.setLookbackToStep search.treatDotsAsIsInRegexps secret.flags
selfScrapeInstance selfScrapeInterval selfScrapeJob smallMergeConcurrency snapshotAuthKey snapshotCreateTimeout snapshotsMaxAge sortLabels
storage.cacheSizeIndexDBDataBlocks storage.cacheSizeIndexDBDataBlocksSparse storage.cacheSizeIndexDBIndexBlocks
storage.cacheSizeIndexDBTagFilters storage.cacheSizeMetricNamesStats storage.cacheSizeStorageMetricName storage.cacheSizeStorageTSID
storage.finalDedupScheduleCheckInterval storage.idbPrefillStart storage.maxDailySeries storage.maxHourlySeries
storage.maxMetadataStorageSize storage.minFreeDiskSpaceBytes storage.trackMetricNamesStats storageDataPath streamAggr.config
streamAggr.dedupInterval streamAggr.dropInput streamAggr.dropInputLabels streamAggr.enableWindows streamAggr.ignoreFirstIntervals
streamAggr.ignoreOldSamples streamAggr.keepInput tls tlsAutocertHosts tlsCertFile tlsCipherSuites tlsKeyFile tlsMinVersion
usePromCompatibleNaming vmalert.proxyURL vmui.customDashboardsPath vmui.defaultTimezone zabbixconnector.addDuplicateTagsSeparator
zabbixconnector.maxLineLen""".split()
