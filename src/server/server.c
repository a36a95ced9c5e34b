/*
 * server.c - makes the parts from the settings, in order, and takes them apart in reverse.
 *
 * The HTTP server listens before the log is replayed: /-/ready tells the progress, everything under
 * /api answers 503 until then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "server/server_internal.h"
#include "server/version.h"

/*
 * Shares of memory.limit: together all of it.  The head writes its samples to a block before it has its
 * whole share, and takes no new series once it has; known series always go on.
 */
enum { SPARE_WORKERS = 4 }; /* beside those that queries can take: labels and status answer under full load, too */
enum { QUERY_WORKERS_MAX = 16 };
enum { HEAD_PERCENT = 50, HEAD_FLUSH_PERCENT = 45, CACHE_PERCENT = 10, QUERY_PERCENT = 30, HTTP_PERCENT = 10 };

static void budgets_init(struct server *s)
{
    uint64_t whole = config_memory(s->config, OPT_MEMORY_LIMIT, process_memory_available());
    s->memory = (struct mem_budget){.name = "memory.limit", .limit = (int64_t)whole};
    s->head_memory = (struct mem_budget){.name = "head", .parent = &s->memory};
    s->cache_memory = (struct mem_budget){
        .name = "page cache", .limit = (int64_t)(whole / 100 * CACHE_PERCENT), .parent = &s->memory};
    s->query_memory =
        (struct mem_budget){.name = "queries", .limit = (int64_t)(whole / 100 * QUERY_PERCENT), .parent = &s->memory};
    s->http_memory = (struct mem_budget){
        .name = "http bodies", .limit = (int64_t)(whole / 100 * HTTP_PERCENT), .parent = &s->memory};
}

uint64_t server_head_limit(const struct server *s)
{
    return (uint64_t)s->memory.limit / 100 * HEAD_PERCENT;
}

static enum err open_tsdb(struct server *s, struct errmsg *why)
{
    static const enum wal_sync modes[] = {
        [CONFIG_SYNC_COMMIT] = WAL_SYNC_COMMIT,
        [CONFIG_SYNC_INTERVAL] = WAL_SYNC_INTERVAL,
        [CONFIG_SYNC_OS] = WAL_SYNC_OS,
    };
    struct tsdb_options o;
    tsdb_options_default(&o);
    o.fs = fs_posix();
    o.clock = s->clock;
    o.random = random_system();
    o.dir = config_string(s->config, OPT_STORAGE_PATH);
    o.retention_ms = config_duration_ms(s->config, OPT_STORAGE_RETENTION_TIME);
    o.retention_bytes = config_bytes(s->config, OPT_STORAGE_RETENTION_SIZE);
    o.block_bytes_max = config_bytes(s->config, OPT_STORAGE_MAX_BLOCK_SIZE);
    o.io_bytes_per_s = config_bytes(s->config, OPT_STORAGE_BACKGROUND_RATE);
    o.checkpoint_bytes = config_bytes(s->config, OPT_STORAGE_CHECKPOINT_LOG);
    o.checkpoint_ms = config_duration_ms(s->config, OPT_STORAGE_CHECKPOINT_INTERVAL);
    o.snapshots_age_ms = config_duration_ms(s->config, OPT_STORAGE_SNAPSHOTS_MAX_AGE);
    o.snapshots_max = (unsigned)config_count(s->config, OPT_STORAGE_SNAPSHOTS_MAX);
    o.head_bytes_max = (uint64_t)s->memory.limit / 100 * HEAD_FLUSH_PERCENT;
    o.head.new_series_bytes_max = server_head_limit(s);
    o.head.series_max = config_count(s->config, OPT_LIMIT_SERIES);
    o.head.daily_series_max = config_count(s->config, OPT_LIMIT_DAILY_SERIES);
    o.head.series_per_metric_max = config_count(s->config, OPT_LIMIT_SERIES_PER_METRIC);
    o.head.values_per_label_max = config_count(s->config, OPT_LIMIT_VALUES_PER_LABEL);
    o.head_budget = &s->head_memory;
    o.cache_budget = &s->cache_memory;
    o.wal.sync = modes[config_sync(s->config, &o.wal.sync_interval_ms)];
    o.defers = true;
    return tsdb_open(&o, &s->tsdb, why);
}

static const struct {
    const char *name;
    unsigned bit;
} features[] = {
    {"promql-experimental-functions", PROMQL_EXPERIMENTAL_FUNCTIONS},
    {"promql-delayed-name-removal", PROMQL_DELAYED_NAME_REMOVAL},
    {"promql-extended-range-selectors", PROMQL_EXTENDED_RANGE_SELECTORS},
    {"promql-binop-fill-modifiers", PROMQL_BINOP_FILL_MODIFIERS},
    {"type-and-unit-labels", PROMQL_TYPE_AND_UNIT_LABELS},
    {"use-start-timestamps", PROMQL_USE_START_TIMESTAMPS},
    {"all", PROMQL_ALL_FEATURES},
};

unsigned server_feature(struct slice name)
{
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (slice_eq_str(name, features[i].name))
            return features[i].bit;
    return 0;
}

static unsigned features_of(const struct config *c)
{
    unsigned bits = PROMQL_DURATION_EXPR; /* for everybody since Prometheus 3.14 */
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (config_list_has(c, OPT_ENABLE_FEATURE, features[i].name))
            bits |= features[i].bit;
    return bits;
}

/* Threads that one query may use, shared by all queries: as many as there are cores. */
static unsigned query_workers(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > QUERY_WORKERS_MAX ? QUERY_WORKERS_MAX : (unsigned)cores;
}

static void make_engine(struct server *s)
{
    struct engine_options o;
    engine_options_default(&o);
    o.storage = tsdb_storage(s->tsdb);
    o.features = features_of(s->config);
    o.lookback_ms = config_duration_ms(s->config, OPT_QUERY_LOOKBACK_DELTA);
    o.default_interval_ms = config_duration_ms(s->config, OPT_QUERY_DEFAULT_STEP);
    o.samples_max = config_count(s->config, OPT_QUERY_MAX_SAMPLES);
    o.budget = &s->query_memory;
    o.query_bytes_max = config_memory(s->config, OPT_QUERY_MAX_MEMORY, (uint64_t)s->memory.limit);
    o.query_length_max = (uint32_t)config_bytes(s->config, OPT_QUERY_MAX_LENGTH);
    o.workers = query_workers();
    s->engine = engine_new(&o);
}

static void quit(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGTERM); /* the same way out as everybody else's */
}

static enum err make_api(struct server *s, struct errmsg *why)
{
    struct api_options o = {
        .config = s->config,
        .metrics = s->metrics,
        .clock = s->clock,
        .storage = tsdb_storage(s->tsdb),
        .engine = s->engine,
        .tsdb = s->tsdb,
        .fs = fs_posix(),
        .version = gnomon_version(),
        .revision = gnomon_revision(),
        .quit = quit,
        .reload = server_reload,
        .reload_ctx = s,
    };
    return api_new(&o, &s->api, why);
}

/* "a:1", "b:2" -> "a:1,b:2" */
static void listen_addresses(const struct config *c, struct buf *out)
{
    uint32_t count;
    const char *const *list = config_list(c, OPT_WEB_LISTEN_ADDRESS, &count);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? "," : "", list[i]);
}

static enum err start_http(struct server *s, struct errmsg *why)
{
    const struct config *c = s->config;
    struct buf listen = {0};
    listen_addresses(c, &listen);
    struct http_options o;
    http_options_default(&o);
    o.listen_address = buf_cstr(&listen);
    o.loops = (unsigned)config_count(c, OPT_WEB_LOOPS);
    o.workers = (unsigned)config_count(c, OPT_WEB_WORKERS);
    if (o.workers == 0)
        o.workers = (unsigned)config_count(c, OPT_QUERY_MAX_CONCURRENCY) + SPARE_WORKERS;
    o.connections_max = (unsigned)config_count(c, OPT_WEB_MAX_CONNECTIONS);
    o.header_bytes_max = (uint32_t)config_bytes(c, OPT_WEB_MAX_HEADER_SIZE);
    o.body_bytes_max = config_bytes(c, OPT_WEB_MAX_BODY_SIZE);
    o.read_timeout_ms = config_duration_ms(c, OPT_WEB_READ_TIMEOUT);
    o.idle_timeout_ms = config_duration_ms(c, OPT_WEB_IDLE_TIMEOUT);
    o.write_timeout_ms = config_duration_ms(c, OPT_WEB_WRITE_TIMEOUT);
    o.stop_timeout_ms = config_duration_ms(c, OPT_WEB_SHUTDOWN_TIMEOUT);
    o.clock = s->clock;
    o.budget = &s->http_memory;
    o.before = api_before;
    o.after = api_after;
    o.hook_ctx = s->api;
    o.guard = web_guard(s->web);
    enum err err = http_server_new(&o, &s->http, why);
    if (err == ERR_OK) {
        api_register_routes(s->http, s->api);
        server_metrics_register(s);
        err = http_server_start(s->http, why);
    }
    buf_deinit(&listen);
    return err;
}

/* Settings that are fine by themselves and useless here; before anything is made. */
static enum err settings_check(const struct config *c, struct errmsg *why)
{
    struct tsdb_options o;
    tsdb_options_default(&o);
    int64_t retention_ms = config_duration_ms(c, OPT_STORAGE_RETENTION_TIME);
    if (retention_ms > 0 && retention_ms < o.block_range_ms)
        return err_set(why, ERR_INVALID, "storage.retention.time: %s is shorter than a block, which is 2h",
                       config_text(c, OPT_STORAGE_RETENTION_TIME));
    struct buf listen = {0};
    listen_addresses(c, &listen);
    enum err err = http_listen_check(buf_cstr(&listen), why);
    buf_deinit(&listen);
    return err;
}

enum err server_open(struct server *s, const struct config *config, const struct config_sources *sources,
                     struct errmsg *why)
{
    *s = (struct server){.config = config, .clock = clock_system()};
    arena_init(&s->arena, NULL);
    mutex_init(&s->head_snapshot_lock);
    mutex_init(&s->reload_lock);
    s->sources = *sources;
    budgets_init(s);
    s->metrics = metrics_new();
    metrics_add_process(s->metrics);
    TRY(settings_check(config, why));
    TRY(open_tsdb(s, why));
    TRY(server_rules_start(s, why));
    make_engine(s);
    TRY(make_api(s, why));
    TRY(server_make_web(s, why));
    api_set_state(s->api, API_REPLAYING);
    return start_http(s, why);
}

static enum err make_ingest(struct server *s, struct errmsg *why)
{
    struct ingest_options o;
    ingest_options_default(&o);
    o.head = tsdb_head(s->tsdb);
    o.wal = tsdb_wal(s->tsdb);
    o.clock = s->clock;
    o.lanes = http_server_loops(s->http) + API_EXTRA_LANES + 1; /* the last one catches up */
    o.deferring = true;
    o.body_bytes_max = config_bytes(s->config, OPT_WEB_MAX_BODY_SIZE);
    o.retention_ms = config_duration_ms(s->config, OPT_STORAGE_RETENTION_TIME);
    o.future_max_ms = config_duration_ms(s->config, OPT_INGEST_MAX_FUTURE);
    o.strict = config_bool(s->config, OPT_INGEST_STRICT);
    o.out_of_order_window_ms = config_duration_ms(s->config, OPT_INGEST_OUT_OF_ORDER_WINDOW);
    o.label_count_max = (uint32_t)config_count(s->config, OPT_LIMIT_LABELS_PER_SERIES);
    o.label_name_bytes_max = (uint32_t)config_bytes(s->config, OPT_LIMIT_LABEL_NAME_LENGTH);
    o.label_value_bytes_max = (uint32_t)config_bytes(s->config, OPT_LIMIT_LABEL_VALUE_LENGTH);
    struct ingest *ingest;
    TRY(ingest_new(&o, &ingest, why));
    atomic_store(&s->ingest, ingest);
    return server_rules_start(s, why);
}

static void say_where(const struct server *s)
{
    unsigned port = http_server_port(s->http);
    const char *scheme = web_has_tls(s->web) ? "https" : "http", *prefix = api_route_prefix(s->api);
    printf("Gnomon %s is ready.\n"
           "  Prometheus    remote_write: [{url: \"%s://127.0.0.1:%u%s/api/v1/write\"}]\n"
           "  Grafana       datasource of type Prometheus, URL %s://127.0.0.1:%u%s\n"
           "  Try           curl '%s://127.0.0.1:%u%s/api/v1/query?query=up'\n",
           gnomon_version(), scheme, port, prefix, scheme, port, prefix, scheme, port, prefix);
    fflush(stdout);
}

/* The next signal for us, or 0 after the wait. */
static int take_signal(int64_t wait_ms)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    int got = sigtimedwait(&set, NULL, &wait);
    return got > 0 ? got : 0;
}

/* Whether one waits to be taken. */
static bool signal_pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1);
}

/* What came during the replay goes into the head; then the server is ready. */
static void catch_up(struct server *s)
{
    bool again, through;
    do
        through = ingest_catch_up(s->ingest, http_server_loops(s->http) + API_EXTRA_LANES, &again);
    while (!through && again && !signal_pending());
    if (!through)
        return;
    tsdb_live(s->tsdb);
    api_set_state(s->api, API_READY);
    api_self_scrape_start(s->api);
    say_where(s);
}

/* What is in flight and what still comes is answered, but nobody should stay. */
static void retire(struct server *s)
{
    if (s->http)
        http_server_retire(s->http); /* first, so that who sees that we are not ready sees this, too */
    api_set_state(s->api, s->tsdb && tsdb_ready(s->tsdb) ? API_DRAINING : API_STOPPING);
}

/* Proxies get time to look elsewhere; a second signal ends it. */
static void drain(struct server *s)
{
    int64_t end_ns = clock_mono_ns(s->clock) + config_duration_ms(s->config, OPT_WEB_SHUTDOWN_DELAY) * 1000000, left_ns;
    if (!tsdb_ready(s->tsdb))
        return; /* it has never been ready */
    retire(s);
    while ((left_ns = end_ns - clock_mono_ns(s->clock)) > 0) {
        int got = take_signal(left_ns / 1000000 + 1);
        if (got == SIGTERM || got == SIGINT)
            return;
    }
}

enum { READY_POLL_MS = 5, IDLE_POLL_MS = 60000 };

enum err server_run(struct server *s, struct errmsg *why)
{
    for (;;) {
        int got = take_signal(tsdb_ready(s->tsdb) ? IDLE_POLL_MS : READY_POLL_MS);
        if (got == SIGTERM || got == SIGINT) {
            log_info("server", "stopping", "signal=%s", got == SIGTERM ? "SIGTERM" : "SIGINT");
            drain(s);
            return ERR_OK;
        }
        if (got == SIGHUP && server_reload(s, NULL) != ERR_OK)
            continue; /* it is in the log; everything stays as it was */
        if (!s->ingest && tsdb_accepting(s->tsdb)) {
            TRY(make_ingest(s, why));
            api_set_ingest(s->api, s->ingest);
        }
        if (s->ingest && !tsdb_ready(s->tsdb) && tsdb_replayed(s->tsdb))
            catch_up(s);
    }
}

/* Nobody writes any more: what was taken becomes durable, then the writers let go of the head. */
static void close_store(struct server *s)
{
    struct errmsg why = {0};
    uint64_t sequence;
    enum err err = ERR_OK;
    if (s->ingest) {
        err = wal_barrier(tsdb_wal(s->tsdb), &sequence, &why);
        ingest_free(s->ingest);
    }
    enum err close_err = tsdb_close(s->tsdb, err == ERR_OK ? &why : NULL);
    if (err != ERR_OK || close_err != ERR_OK)
        log_error("server", "closing the store", "err=\"%s\"", why.text);
}

void server_close(struct server *s)
{
    if (s->api) {
        retire(s);
        api_self_scrape_stop(s->api);
    }
    if (s->http)
        http_server_stop(s->http);
    if (s->tsdb)
        close_store(s);
    api_free(s->api);
    http_server_free(s->http);
    web_free(s->web);
    engine_free(s->engine);
    metrics_free(s->metrics);
    arena_deinit(&s->arena);
    mutex_deinit(&s->head_snapshot_lock);
    config_free(s->rules_config);
    mutex_deinit(&s->reload_lock);
}
