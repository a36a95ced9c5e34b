/*
 * options.h - every setting of gnomon, once: flags, environment, YAML, help and docs grow from this list.
 *
 *     X(ID, group, name, type, default, allowed, help)
 *
 * `allowed` is what stands after the type in the help: "a|b" for an enum (also its check), "low..high"
 * for a count, else "".  Defaults are written as a user would write them.
 * The same name is the flag (--storage.path), the YAML key (storage.path, dotted or nested) and, in
 * capitals with underscores, the environment variable (GNOMON_STORAGE_PATH).
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#define CONFIG_FEATURES                                                                                                \
    "all|promql-experimental-functions|promql-duration-expr|promql-delayed-name-removal|"                              \
    "promql-extended-range-selectors|promql-binop-fill-modifiers|promql-per-step-stats|type-and-unit-labels|"          \
    "use-start-timestamps|auto-gomaxprocs|auto-gomemlimit|concurrent-rule-eval|created-timestamp-zero-ingestion|"      \
    "delayed-compaction|exemplar-storage|extra-scrape-metrics|histograms-st-encoding|memory-snapshot-on-shutdown|"     \
    "metadata-wal-records|native-histograms|old-ui|openmetrics2|otlp-deltatocumulative|otlp-native-delta-ingestion|"   \
    "otlp-write-receiver|search-api|st-storage|st-synthesis|use-uncached-io|utf8-names|xor2-encoding|zstd-scrape"

/* clang-format off */
#define CONFIG_OPTIONS(X) \
    X(CONFIG_FILE, GENERAL, "config.file", STRING, "", "", \
      "YAML file with these same settings. Environment variables and flags win over it.") \
    X(LOG_LEVEL, GENERAL, "log.level", ENUM, "info", "debug|info|warn|error", \
      "Least important level that is logged.") \
    X(LOG_FORMAT, GENERAL, "log.format", ENUM, "logfmt", "logfmt|json", \
      "Form of the lines on stderr.") \
    X(SELF_SCRAPE_INTERVAL, GENERAL, "self-scrape-interval", DURATION, "0s", "", \
      "How often the server writes its own metrics into itself, with job=\"gnomon\"; 0 is never.") \
    X(MEMORY_LIMIT, GENERAL, "memory.limit", MEMORY, "80%", "16MiB..", \
      "All memory that the server plans with: a size, or a share of what the machine or its cgroup has.") \
    \
    X(WEB_LISTEN_ADDRESS, WEB, "web.listen-address", LIST, ":8428", "", \
      "Where to listen: address:port or :port.") \
    X(WEB_EXTERNAL_URL, WEB, "web.external-url", STRING, "", "", \
      "URL under which others reach this server; its path is the default of web.route-prefix.") \
    X(WEB_ROUTE_PREFIX, WEB, "web.route-prefix", STRING, "", "", \
      "Path that stands before every route, for a reverse proxy that does not strip it; / is none.") \
    X(WEB_LOOPS, WEB, "web.loops", COUNT, "0", "0..1024", \
      "Network threads; 0 is one for each CPU core.") \
    X(WEB_WORKERS, WEB, "web.workers", COUNT, "0", "0..1024", \
      "Threads that answer what is not answered at once; 0 is query.max-concurrency and four for all else.") \
    X(WEB_MAX_CONNECTIONS, WEB, "web.max-connections", COUNT, "1024", "1..1000000", \
      "Connections open at once; further ones are closed at once.") \
    X(WEB_READ_TIMEOUT, WEB, "web.read-timeout", DURATION, "1m", "", \
      "A whole request must have arrived within this.") \
    X(WEB_IDLE_TIMEOUT, WEB, "web.idle-timeout", DURATION, "6m", "", \
      "A connection without a request is closed after this.") \
    X(WEB_WRITE_TIMEOUT, WEB, "web.write-timeout", DURATION, "1m", "", \
      "A client that takes nothing of its answer for this long is cut off.") \
    X(WEB_SHUTDOWN_DELAY, WEB, "web.shutdown-delay", DURATION, "0s", "", \
      "After SIGTERM everything is answered for this long, but /-/ready and /health say 503, so that proxies look elsewhere.") \
    X(WEB_SHUTDOWN_TIMEOUT, WEB, "web.shutdown-timeout", DURATION, "7s", "", \
      "Running requests may finish within this after SIGTERM.") \
    X(WEB_MAX_HEADER_SIZE, WEB, "web.max-header-size", BYTES, "64KiB", "1KiB..", \
      "Request line and headers of one request.") \
    X(WEB_MAX_BODY_SIZE, WEB, "web.max-body-size", BYTES, "32MiB", "1KiB..2GiB", \
      "Body of one request, compressed and decompressed.") \
    X(WEB_CORS_ORIGIN, WEB, "web.cors.origin", STRING, ".*", "", \
      "Regular expression that an Origin must match whole to be let in by CORS; empty switches CORS off.") \
    X(WEB_CONFIG_FILE, WEB, "web.config.file", STRING, "", "", \
      "File with TLS, users, headers and a rate limit, in the format of Prometheus (docs/http.md).") \
    X(WEB_TLS, WEB, "web.tls", BOOL, "false", "", \
      "Speak HTTPS, with the two files below; the file of web.config.file can do the same and more.") \
    X(WEB_TLS_CERT_FILE, WEB, "web.tls-cert-file", STRING, "", "", \
      "Certificate in PEM form, then those between it and its root; read again when it changes.") \
    X(WEB_TLS_KEY_FILE, WEB, "web.tls-key-file", STRING, "", "", \
      "Private key of the certificate in PEM form, without a passphrase.") \
    X(WEB_TLS_MIN_VERSION, WEB, "web.tls-min-version", STRING, "TLS12", "", \
      "Lowest version that is spoken: TLS12 or TLS13.") \
    X(WEB_TLS_CIPHER_SUITES, WEB, "web.tls-cipher-suites", LIST, "", "", \
      "Cipher suites for TLS 1.2, by their names in Go; empty is all that are good.") \
    X(WEB_MTLS, WEB, "web.mtls", BOOL, "false", "", \
      "Let only clients in that show a valid certificate.") \
    X(WEB_MTLS_CA_FILE, WEB, "web.mtls-ca-file", STRING, "", "", \
      "Who vouches for the certificates of clients, in PEM form; empty is whom the system trusts.") \
    X(WEB_AUTH_USERNAME, WEB, "web.auth-username", STRING, "", "", \
      "Name of the one user who may come in; web.config.file takes several, with hashed passwords.") \
    X(WEB_AUTH_PASSWORD, WEB, "web.auth-password", SECRET, "", "", \
      "Password of that user, or file:///path of a file with it.") \
    X(WEB_BEARER_TOKEN, WEB, "web.bearer-token", SECRET, "", "", \
      "Token that lets a client in when it sends Authorization: Bearer TOKEN.") \
    X(WEB_BEARER_TOKEN_FILE, WEB, "web.bearer-token-file", STRING, "", "", \
      "File with such tokens, one a line; read again when it changes.") \
    X(WEB_ENABLE_ADMIN_API, WEB, "web.enable-admin-api", BOOL, "false", "", \
      "Allow the calls under /api/v1/admin, which delete data and make snapshots.") \
    X(WEB_ENABLE_LIFECYCLE, WEB, "web.enable-lifecycle", BOOL, "false", "", \
      "Allow POST /-/quit and /-/reload.") \
    \
    X(STORAGE_PATH, STORAGE, "storage.path", STRING, "gnomon-data", "", \
      "Directory that holds all data; made when missing.") \
    X(STORAGE_RETENTION_TIME, STORAGE, "storage.retention.time", DURATION, "31d", "", \
      "How long samples are kept; 0 is for ever.") \
    X(STORAGE_RETENTION_SIZE, STORAGE, "storage.retention.size", BYTES, "0B", "", \
      "How much disk the data may take before the oldest goes; 0 is no bound.") \
    X(STORAGE_MAX_BLOCK_SIZE, STORAGE, "storage.max-block-size", BYTES, "16GiB", "", \
      "At most so much is merged into one block, so a merge needs at most this much free space; 0 is no bound.") \
    X(STORAGE_BACKGROUND_RATE, STORAGE, "storage.background-rate", BYTES, "64MiB", "", \
      "Bytes per second that merges and checkpoints write, less while syncs of the log are slow; 0 is no bound.") \
    X(STORAGE_CHECKPOINT_LOG, STORAGE, "storage.checkpoint.log", BYTES, "256MiB", "16KiB..", \
      "What is new in memory is written out after so much log; a start reads the log since then.") \
    X(STORAGE_CHECKPOINT_INTERVAL, STORAGE, "storage.checkpoint.interval", DURATION, "30m", "1m..", \
      "What is new in memory is written out after this long as well, unless less than 4 MiB of log came.") \
    X(STORAGE_SNAPSHOTS_MAX_AGE, STORAGE, "storage.snapshots.max-age", DURATION, "3d", "", \
      "Snapshots older than this are deleted; 0 is never.") \
    X(STORAGE_SNAPSHOTS_MAX, STORAGE, "storage.snapshots.max", COUNT, "32", "0..", \
      "Snapshots that may be there at once; 0 is no bound.") \
    X(STORAGE_RETENTION_RULES, STORAGE, "storage.retention.rules", RULES, "", "", \
      "How long series of a selector are kept: {job=\"dev\"}:7d; the shortest that matches counts, 0 is for ever. Several " \
      "are divided by ';' or given one by one. SIGHUP and /-/reload read them again.") \
    X(STORAGE_MIN_FREE_DISK, STORAGE, "storage.min-free-disk", BYTES, "256MiB", "", \
      "With less free space than this on the disk no samples are taken.") \
    X(STORAGE_EXTERNAL_LABELS, STORAGE, "storage.external-labels", LIST, "", "", \
      "Labels (name=value) that remote read and federation add to every series, and by which Thanos knows this server.") \
    X(WAL_SYNC, STORAGE, "wal.sync", SYNC, "commit", "commit|interval:DURATION|os", \
      "When an acknowledged write is on disk: before the answer, within the interval, or when the system likes.") \
    \
    X(INGEST_DROP, INGEST, "ingest.drop", RULES, "", "", \
      "Selectors of series that are not taken: {__name__=~\"debug_.*\"}. Their samples are passed over and counted. Several " \
      "are divided by ';' or given one by one. SIGHUP and /-/reload read them again.") \
    X(INGEST_MAX_FUTURE, INGEST, "ingest.max-future", DURATION, "10m", "", \
      "Samples further ahead of the clock are refused.") \
    X(INGEST_STRICT, INGEST, "ingest.strict", BOOL, "false", "", \
      "Prometheus' rules for remote write: a sample that is out of order, too old or another value for a known time " \
      "refuses its whole request.") \
    X(INGEST_OUT_OF_ORDER_WINDOW, INGEST, "ingest.out-of-order-window", DURATION, "0s", "", \
      "With ingest.strict: how late a sample may still come; without it every sample within the retention is taken.") \
    X(LIMIT_SERIES, INGEST, "limit.series", COUNT, "0", "", \
      "Active series; further new ones are refused with 429; 0 is no bound, as in the next lines.") \
    X(LIMIT_DAILY_SERIES, INGEST, "limit.daily-series", COUNT, "0", "", \
      "Series that are active when the UTC day begins and made during it; further new ones are refused with 429.") \
    X(LIMIT_SERIES_PER_METRIC, INGEST, "limit.series-per-metric", COUNT, "0", "", \
      "Active series of one metric name; its further new ones are refused with 400, everything else goes on.") \
    X(LIMIT_VALUES_PER_LABEL, INGEST, "limit.values-per-label", COUNT, "0", "", \
      "Values of one label name (metric names not counted); series with further new ones are refused with 400.") \
    X(LIMIT_LABELS_PER_SERIES, INGEST, "limit.labels-per-series", COUNT, "64", "1..255", \
      "Labels of one series, its name included; series with more are refused with 400.") \
    X(LIMIT_LABEL_NAME_LENGTH, INGEST, "limit.label-name-length", BYTES, "256B", "8B..32KiB", \
      "Length of a label's name; series with longer ones are refused with 400.") \
    X(LIMIT_LABEL_VALUE_LENGTH, INGEST, "limit.label-value-length", BYTES, "4KiB", "1B..32KiB", \
      "Length of a label's value; series with longer ones are refused with 400.") \
    \
    X(QUERY_TIMEOUT, QUERY, "query.timeout", DURATION, "2m", "1ms..", \
      "Longest time of one query, its wait for a free slot included.") \
    X(QUERY_MAX_CONCURRENCY, QUERY, "query.max-concurrency", COUNT, "20", "1..10000", \
      "Queries that run at once; further ones wait.") \
    X(QUERY_MAX_SAMPLES, QUERY, "query.max-samples", COUNT, "50000000", "1..", \
      "Samples that one query may hold at once.") \
    X(QUERY_MAX_MEMORY, QUERY, "query.max-memory", MEMORY, "25%", "", \
      "Memory of one query: a size, or a share of memory.limit.") \
    X(QUERY_MAX_LENGTH, QUERY, "query.max-length", BYTES, "64KiB", "", \
      "Length of the text of one query.") \
    X(QUERY_LOOKBACK_DELTA, QUERY, "query.lookback-delta", DURATION, "5m", "1ms..", \
      "How old the newest sample of a series may be to count in an instant selector.") \
    X(QUERY_DEFAULT_STEP, QUERY, "query.default-step", DURATION, "1m", "1ms..", \
      "Step of a subquery that names none (Prometheus: its evaluation_interval).") \
    X(QUERY_LOG_SLOW, QUERY, "query.log-slow", DURATION, "5s", "", \
      "Queries that took longer are logged; 0 is none.") \
    X(REMOTE_READ_SAMPLE_LIMIT, QUERY, "storage.remote.read-sample-limit", COUNT, "50000000", "0..", \
      "Samples that one query of a remote read may be answered with, unless as a stream; 0 is no bound.") \
    X(REMOTE_READ_CONCURRENT_LIMIT, QUERY, "storage.remote.read-concurrent-limit", COUNT, "10", "1..10000", \
      "Remote reads that run at once; further ones wait.") \
    X(REMOTE_READ_MAX_BYTES_IN_FRAME, QUERY, "storage.remote.read-max-bytes-in-frame", BYTES, "1MiB", "", \
      "About how long a frame of a streamed remote read gets.") \
    X(ENABLE_FEATURE, QUERY, "enable-feature", LIST, "", CONFIG_FEATURES, \
      "Features of PromQL that Prometheus too has behind this flag, by its names; all means all of them. " \
      "Its other features' names are accepted and change nothing.")
/* clang-format on */

#endif
