/*
 * empty.c - what clients ask a Prometheus about scraping, rules and alerts: nothing of it happens here,
 * so the answers are valid and empty.  Parameters are still checked where Prometheus checks them.
 */
#include "api/api_internal.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"

void on_targets(struct http_request *r, void *ctx)
{
    (void)ctx;
    struct slice state = param(r, "state");
    bool dropped = !state.len || slice_eq_str(state, "any") || slice_eq_str(state, "dropped");
    api_success(r, dropped ? "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}"
                           : "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":null}");
}

void on_targets_metadata(struct http_request *r, void *ctx)
{
    (void)ctx;
    struct slice limit = param(r, "limit");
    int64_t n;
    if (limit.len && goparse_int(limit, 10, &n, NULL) != ERR_OK)
        api_error(r, API_BAD_DATA, "limit must be a number");
    else
        api_success(r, "[]");
}

void on_scrape_pools(struct http_request *r, void *ctx)
{
    (void)ctx;
    api_success(r, "{\"scrapePools\":[]}");
}

void on_alertmanagers(struct http_request *r, void *ctx)
{
    (void)ctx;
    api_success(r, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
}

void on_rules(struct http_request *r, void *ctx)
{
    (void)ctx;
    struct slice type = param(r, "type");
    if (!type.len || slice_eq_str(type, "alert") || slice_eq_str(type, "record")) {
        api_success(r, "{\"groups\":[]}");
        return;
    }
    struct buf quoted = {0};
    goformat_quote(&quoted, type);
    api_errorf(r, API_BAD_DATA, "invalid parameter \"type\": not supported value %s", buf_cstr(&quoted));
    buf_deinit(&quoted);
}

void on_alerts(struct http_request *r, void *ctx)
{
    (void)ctx;
    api_success(r, "{\"alerts\":[]}");
}

void on_notifications(struct http_request *r, void *ctx)
{
    (void)ctx;
    api_success(r, "[]");
}
