/*
 * api_internal.h - what the handlers share: the api object, answers, parameters, JSON.
 */
#ifndef API_API_INTERNAL_H
#define API_API_INTERNAL_H

#include "api/api.h"
#include "api/external.h"
#include "api/name_usage.h"
#include "api/query_log.h"
#include "api/running.h"
#include "base/buf.h"
#include "base/lock.h"

/* ---- answers (respond.c) ---- */

enum api_error { API_BAD_DATA, API_EXECUTION, API_TIMEOUT, API_CANCELED, API_INTERNAL, API_NOT_FOUND, API_UNAVAILABLE };
void api_error(struct http_request *r, enum api_error type, const char *text);
void api_errorf(struct http_request *r, enum api_error type, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The error that a failed storage or engine call is for a client. */
enum api_error api_error_of(enum err err);
void api_text(struct http_request *r, int status, const char *text);

/*
 * {"status":"success","data": ... } as it is formed: small answers go out whole with their length,
 * large ones in pieces, so that memory does not follow their size.
 *
 *     struct answer a;
 *     answer_begin(&a, r);
 *     ... append the data to &a.out, answer_flush(&a) now and then ...
 *     answer_end(&a, warnings, infos);
 */
struct answer {
    struct http_request *r;
    struct buf out;
    bool streaming;   /* http_begin was called */
    bool gone;        /* the client left: what follows is thrown away */
    uint64_t sent;    /* bytes */
    const char *more; /* JSON members for the end of the envelope, each with a comma before it; NULL: none */
};
enum { ANSWER_PIECE_BYTES = 64 << 10 };
void answer_begin(struct answer *a, struct http_request *r);
void answer_flush(struct answer *a);
struct texts {
    uint32_t count;
    const char *const *list;
};
void answer_end(struct answer *a, struct texts warnings, struct texts infos);
/* As answer_end; but when something failed after the first piece had gone out, the connection is broken off. */
void answer_finish(struct answer *a, enum err err, struct texts warnings);
#define NO_TEXTS ((struct texts){0})
/* A whole success answer whose data is ready JSON. */
void api_success(struct http_request *r, const char *data_json);

extern const char api_limit_warning[]; /* "results truncated due to limit" */
/* storage's warnings plus, when cut, the one above; in r->arena. */
struct texts warnings_with_limit(struct http_request *r, const struct warnings *w, bool cut);

/* ---- JSON (json.c) ---- */

void json_string(struct buf *out, struct slice s);      /* quoted; < > & as they are */
void json_string_html(struct buf *out, struct slice s); /* as Go's encoder: < > & U+2028 U+2029 as \u escapes */
void json_labels(struct buf *out, const struct labels *l);
void json_float(struct buf *out, double v);     /* a value in quotes */
void json_seconds(struct buf *out, int64_t ms); /* 1.500, 1 */
void json_number(struct buf *out, double v);    /* as Go's encoder prints a float64 */
void json_histogram(struct buf *out, const struct histogram *h);
void json_texts(struct buf *out, const char *key, struct texts texts); /* ,"key":["..."], or nothing */

/* ---- parameters (params.c); texts are Prometheus' ---- */

#define TIME_MIN_MS INT64_C(-9223309901257974000)
#define TIME_MAX_MS INT64_C(9223309901257974999)

struct instant {
    int64_t seconds;
    int64_t ns; /* 0..999999999 */
};
int64_t instant_ms(struct instant t);
MUST_CHECK enum err instant_parse(struct slice text, struct instant *out, struct errmsg *why);
MUST_CHECK enum err duration_ns_parse(struct slice text, int64_t *ns, struct errmsg *why);
struct slice param(struct http_request *r, const char *name); /* "" when missing */
/* `invalid parameter "start": invalid time value for 'start': ...`; def_ms when missing. */
MUST_CHECK enum err param_time(struct http_request *r, const char *name, int64_t def_ms, int64_t *ms,
                               struct errmsg *why);
MUST_CHECK enum err param_limit(struct http_request *r, uint64_t *limit, struct errmsg *why); /* 0 = none */
/* Puts `invalid parameter "name": ` before the text. */
enum err invalid_param(struct errmsg *why, const char *name);
MUST_CHECK enum err form_parse(struct http_request *r, struct errmsg *why);
/* As Go's strconv.ParseBool; false: it is none. */
bool bool_parse(struct slice text, bool *out);

/* match[] */
struct match_list {
    struct matcher_set *sets;
    uint32_t count;
};
MUST_CHECK enum err param_selectors(struct http_request *r, struct match_list *out, struct errmsg *why);
/* The same, but each must refuse the series without labels: then it says something. */
MUST_CHECK enum err param_match(struct http_request *r, struct match_list *out, struct errmsg *why);

/* "U__http_2e_status" is http.status; anything else is itself.  May be in the arena. */
struct slice label_name_unescape(struct arena *arena, struct slice name);

/* ---- what runs at once (gate.c) ---- */

/*
 * Slots for queries.  A request enters on its loop; when all slots are taken it is parked and, in its
 * turn, woken.  The slot is given back when the request is answered (api_after), whoever answers.
 */
struct gate_job {
    struct http_request *r;
    http_handler work; /* run on a worker once there is a slot */
    void *ctx;
    struct gate_job *next;
};
struct gate {
    struct mutex lock;
    unsigned slots;
    const struct http_request **holders; /* guarded by lock; [slots], NULL = free */
    struct gate_job *first, *last;       /* guarded by lock; waiting */
    _Atomic uint64_t running, waiting, waited_total;
};
void gate_init(struct gate *g, unsigned slots);
void gate_deinit(struct gate *g);
void gate_enter(struct gate *g, struct http_request *r, http_handler work, void *ctx);
void gate_leave(struct gate *g, const struct http_request *r); /* fine when it holds none */

/* ---- routes and their counters (routes.c) ---- */

enum { STATUS_SLOTS = 16 };
struct route_counters {
    _Atomic uint64_t by_status[STATUS_SLOTS];
    _Atomic uint64_t bytes;
    struct metric_histogram seconds;
};
extern const unsigned api_route_count;
/* The route that a path belongs to; api_route_count for none. */
unsigned api_route_find(const struct api *api, struct slice path);
const char *api_route_name(unsigned route); /* "/api/v1/label/:name/values"; "other" for api_route_count */
/* The answer to a write is out. */
void write_answered(struct api *api, const struct http_request *r);
bool api_route_writes(unsigned route);
struct gate *api_route_gate(struct api *api, unsigned route); /* that its requests pass; NULL for none */
/* A path without the route prefix and without /prometheus. */
struct slice api_path(const struct api *api, struct slice path);
unsigned api_status_slot(int status);
const char *api_status_text(unsigned slot); /* "200" ... "other" */

#define API_VERSION "3.15.0" /* of the Prometheus whose API this is */

struct self_scrape; /* self_scrape.c */
enum { IMPORTS_AT_ONCE = 2, LARGE_WRITES_AT_ONCE = 2 };

struct api {
    struct api_options o;
    struct http_server *server;
    struct arena arena;              /* strings of routes, the CORS rule; written before start only */
    _Atomic int state;               /* enum api_state */
    _Atomic(struct ingest *) ingest; /* NULL until the log takes records */
    int64_t start_ms;
    _Atomic bool reload_ok;      /* of the last try */
    _Atomic int64_t reloaded_ms; /* when settings were last read well */
    const char *route_prefix;    /* "" or "/x" */
    const struct regex *cors;    /* NULL: off */
    struct gate queries, exports, reads, imports, large_writes;
    struct mutex import_lane; /* the lane after the self-scrape's */
    struct external_labels external;
    struct mem_budget read_memory;   /* what all answers of remote read take while they are formed */
    struct route_counters *counters; /* [api_route_count + 1], the last: unknown paths */
    struct self_scrape *self_scrape;
    struct running running;
    struct query_log query_log;
    struct name_usage name_usage;
    struct metric_histogram query_seconds, queue_seconds;
    _Atomic uint64_t slow_queries, query_samples, query_samples_read, writes_refused;
    _Atomic int64_t disk_next_ns;           /* monotonic: when to look again */
    _Atomic uint64_t disk_free, disk_total; /* bytes, as last seen */
    _Atomic bool disk_full;
};

/* ---- free space (disk.c) ---- */

/* Looks at most once a second; false: writes are refused until there is room again. */
bool disk_has_room(struct api *api);

void api_metrics_add(struct api *api); /* what the API counts, into o.metrics (api_metrics.c) */

/* ---- the admin gate (admin.c) ---- */

/* False: it has answered "admin APIs disabled". */
bool admin_allowed(struct http_request *r, const struct api *api);

struct tsdb_affected;
void json_affected(struct buf *out, const struct tsdb_affected *a); /* the fields, without braces (admin_delete.c) */

/* ---- handlers; ctx is struct api ---- */

void on_query(struct http_request *r, void *ctx);
void on_query_range(struct http_request *r, void *ctx);
void on_query_exemplars(struct http_request *r, void *ctx);
void on_format_query(struct http_request *r, void *ctx);
void on_parse_query(struct http_request *r, void *ctx);
void on_series(struct http_request *r, void *ctx);
void on_series_count(struct http_request *r, void *ctx);
void on_labels(struct http_request *r, void *ctx);
void on_label_values(struct http_request *r, void *ctx);
void on_metadata(struct http_request *r, void *ctx);
void on_targets(struct http_request *r, void *ctx);
void on_targets_metadata(struct http_request *r, void *ctx);
void on_scrape_pools(struct http_request *r, void *ctx);
void on_alertmanagers(struct http_request *r, void *ctx);
void on_rules(struct http_request *r, void *ctx);
void on_alerts(struct http_request *r, void *ctx);
void on_notifications(struct http_request *r, void *ctx);
void on_search_metric_names(struct http_request *r, void *ctx);
void on_search_label_names(struct http_request *r, void *ctx);
void on_search_label_values(struct http_request *r, void *ctx);
void on_active_queries(struct http_request *r, void *ctx);
void on_cancel_query(struct http_request *r, void *ctx);
void on_top_queries(struct http_request *r, void *ctx);
void on_metric_names_stats(struct http_request *r, void *ctx);
void on_metric_names_reset(struct http_request *r, void *ctx);
void on_storage_status(struct http_request *r, void *ctx);
void on_features(struct http_request *r, void *ctx);
void on_buildinfo(struct http_request *r, void *ctx);
void on_runtimeinfo(struct http_request *r, void *ctx);
void on_flags(struct http_request *r, void *ctx);
void on_config(struct http_request *r, void *ctx);
void on_walreplay(struct http_request *r, void *ctx);
void on_tsdb_status(struct http_request *r, void *ctx);
void on_tsdb_blocks(struct http_request *r, void *ctx);
void on_snapshot(struct http_request *r, void *ctx);
void on_snapshot_create(struct http_request *r, void *ctx);
void on_snapshot_list(struct http_request *r, void *ctx);
void on_snapshot_delete(struct http_request *r, void *ctx);
void on_snapshot_delete_all(struct http_request *r, void *ctx);
void on_delete_series(struct http_request *r, void *ctx);
void on_clean_tombstones(struct http_request *r, void *ctx);
void on_verify(struct http_request *r, void *ctx);
void on_acknowledge_losses(struct http_request *r, void *ctx);
void on_tombstones(struct http_request *r, void *ctx);
void on_retention(struct http_request *r, void *ctx);
void on_reload(struct http_request *r, void *ctx);
void on_quit(struct http_request *r, void *ctx);
void on_healthy(struct http_request *r, void *ctx);
void on_ready(struct http_request *r, void *ctx);
void on_health(struct http_request *r, void *ctx);
void on_nothing_to_do(struct http_request *r, void *ctx);
void on_ping(struct http_request *r, void *ctx);
void on_metrics(struct http_request *r, void *ctx);
void on_root(struct http_request *r, void *ctx);
void on_federate(struct http_request *r, void *ctx);
void on_export(struct http_request *r, void *ctx);
void on_export_csv(struct http_request *r, void *ctx);
void on_read(struct http_request *r, void *ctx);
void on_write(struct http_request *r, void *ctx);
void on_import(struct http_request *r, void *ctx);
void on_import_text(struct http_request *r, void *ctx);

#endif
