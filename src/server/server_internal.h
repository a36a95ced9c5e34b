/*
 * server_internal.h - the parts of one server, in the order in which they are made.
 *
 * server_open makes them from a loaded config, server_run answers until a signal, server_close takes
 * them apart in reverse.  Nothing below src/server knows this struct.
 */
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "api/api.h"
#include "base/fs.h"
#include "base/lock.h"
#include "config/config.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "metrics/metrics.h"
#include "net/http.h"
#include "promql/promql.h"
#include "tsdb/tsdb.h"
#include "web/web.h"

struct server {
    const struct config *config; /* borrowed */
    struct clock *clock;
    struct mem_budget memory; /* memory.limit; the others are parts of it */
    struct mem_budget head_memory, cache_memory, query_memory, http_memory;
    struct metrics *metrics;
    struct tsdb *tsdb;
    struct engine *engine;
    struct http_server *http;
    struct api *api;
    struct config_sources sources;   /* to read the settings again */
    struct mutex reload_lock;        /* one reload at a time */
    struct config *rules_config;     /* settings as last read again; NULL: never; guarded by reload_lock */
    struct web *web;                 /* NULL: nothing is guarded */
    _Atomic(struct ingest *) ingest; /* NULL until the log takes records */
    struct arena arena;              /* small things that live as long as the server */
    struct mutex head_snapshot_lock;
    struct head_stats head_snapshot; /* guarded by head_snapshot_lock; for own metrics */
    int64_t head_snapshot_end_ns;    /* guarded by head_snapshot_lock; valid until */
};

MUST_CHECK enum err server_open(struct server *s, const struct config *config, const struct config_sources *sources,
                                struct errmsg *why);
/* Until SIGTERM, SIGINT or /-/quit; the signals must be blocked in all threads before server_open. */
MUST_CHECK enum err server_run(struct server *s, struct errmsg *why);
void server_close(struct server *s); /* also of a half-open server */

/* What the modules count, under our names and under those of the peers' dashboards (docs/metrics.md). */
/* Bytes of the head from which on it takes no new series. */
uint64_t server_head_limit(const struct server *s);
void server_metrics_register(struct server *s);
void server_peer_metrics_register(struct server *s);              /* peer_metrics.c */
void server_head_stats(struct server *s, struct head_stats *out); /* at most a tenth of a second old */

/* The guard of the HTTP server, from the settings, and what it counts (guard.c). */
MUST_CHECK enum err server_make_web(struct server *s, struct errmsg *why);

/* Puts the rules of retention and ingestion in force that were read last (reload.c). */
MUST_CHECK enum err server_rules_start(struct server *s, struct errmsg *why);
/* SIGHUP and /-/reload; ctx is the server; any thread. */
enum err server_reload(void *ctx, struct errmsg *why);

/* Subcommands; each returns an exit status: 0 fine, 1 failed, 2 wrong usage. */
int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
/* The engine's bits of a feature's name; 0 when it concerns no query. */
unsigned server_feature(struct slice name);
int check_retention(int argc, char **argv); /* `gnomon check retention`; check_retention.c */
int command_inspect(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv);

#endif
