/*
 * api.h - the HTTP face: Prometheus' API, remote write, health and own metrics on the routes of a server.
 *
 *     TRY(api_new(&options, &api, why));
 *     http_options.before = api_before; http_options.after = api_after; http_options.hook_ctx = api;
 *     ... http_server_new ...
 *     api_register_routes(server, api);
 *     api_set_state(api, API_REPLAYING); http_server_start
 *     ... once the log takes records: api_set_ingest; once it is replayed: api_set_state(api, API_READY),
 *     api_self_scrape_start
 *     ... api_set_state(api, API_STOPPING); api_self_scrape_stop; http_server_stop; api_free(api);
 *
 * Answers are Prometheus' to the letter: envelope, texts, numbers (docs/api.md has the table of
 * endpoints and of what is accepted without effect).  Every route also exists under /prometheus.
 *
 * Ownership: borrows everything in its options; they outlive it.
 * Threads:   handlers run as net/http.h says; api_set_state from any.
 */
#ifndef API_API_H
#define API_API_H

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "net/http.h"
#include "promql/promql.h"
#include "storage/querier.h"

struct api;
struct ingest;
struct tsdb;

/*
 * REPLAYING: what can carry a warning answers already, and remote write takes samples once api_set_ingest was called.
 * DRAINING: answers everything, but says that it is not ready.
 */
enum api_state { API_STARTING, API_REPLAYING, API_READY, API_DRAINING, API_STOPPING };

struct api_options {
    const struct config *config;
    struct metrics *metrics;
    struct clock *clock;
    struct storage *storage; /* samples and labels */
    struct engine *engine;
    struct tsdb *tsdb; /* NULL: no metadata, no storage status (tests) */
    struct fs *fs;     /* tells free space for storage.min-free-disk; NULL: not watched */
    const char *version, *revision;
    void (*quit)(void *ctx); /* POST /-/quit; may be NULL */
    void *quit_ctx;
    enum err (*reload)(void *ctx, struct errmsg *why); /* POST /-/reload; may be NULL: there is nothing to read again */
    void *reload_ctx;
};

/* ERR_INVALID: web.cors.origin or web.route-prefix cannot be used. */
MUST_CHECK enum err api_new(const struct api_options *o, struct api **out, struct errmsg *why);
void api_free(struct api *api); /* after http_server_stop; accepts NULL */
void api_set_state(struct api *api, enum api_state state);
/* Where writes go; before it remote write answers 503.  Lanes: one per loop, one for own metrics, one for imports. */
enum { API_EXTRA_LANES = 2 };
void api_set_ingest(struct api *api, struct ingest *ingest);
/* Settings were read again, or could not be. */
void api_set_reloaded(struct api *api, bool well);
void api_register_routes(struct http_server *server, struct api *api);
const char *api_route_prefix(const struct api *api); /* "" or "/x" */

/* Hooks of struct http_options, ctx = struct api. */
bool api_before(struct http_request *r, void *ctx);
void api_after(const struct http_request *r, int status, uint64_t bytes, int64_t duration_ns, void *ctx);

/* Writes own metrics into the store every self-scrape-interval; nothing when that is 0. */
void api_self_scrape_start(struct api *api);
void api_self_scrape_stop(struct api *api);

#endif
