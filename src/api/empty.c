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
    struct slice limit = param(r, "limit"), target = param(r, "match_target");
    struct matcher_set unused;
    struct errmsg why = {0};
    int64_t n;
    if (limit.len && goparse_int(limit, 10, &n, NULL) != ERR_OK)
        api_error(r, API_BAD_DATA, "limit must be a number");
    else if (target.len && promql_parse_selector(target, r->arena, &unused, &why) != ERR_OK)
        api_errorf(r, API_BAD_DATA, "invalid parameter \"match_target\": %s", why.text);
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

/* err_set with the text in quotes of Go: "about \"text\"after". */
static enum err quoted_error(struct errmsg *why, const char *about, struct slice text, const char *after)
{
    struct buf quoted = {0};
    goformat_quote(&quoted, text);
    enum err err = err_set(why, ERR_INVALID, "%s %s%s", about, buf_cstr(&quoted), after);
    buf_deinit(&quoted);
    return err;
}

static enum err rules_page(struct http_request *r, struct errmsg *why)
{
    struct slice limit = param(r, "group_limit"), token = param(r, "group_next_token");
    int64_t n = 0;
    enum err bad = limit.len ? goparse_int(limit, 10, &n, NULL) : ERR_OK;
    if (bad != ERR_OK)
        return quoted_error(
            why, "invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing",
            limit, bad == ERR_LIMIT ? ": value out of range" : ": invalid syntax");
    if (limit.len && n <= 0)
        return err_set(why, ERR_INVALID, "invalid parameter \"group_limit\": group_limit needs to be greater than 0");
    if (token.len && !limit.len)
        return err_set(why, ERR_INVALID,
                       "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate "
                       "over the groups");
    if (token.len)
        return err_set(
            why, ERR_INVALID,
            "invalid parameter \"group_next_token\": invalid group_next_token '%.*s'. were rule groups changed?",
            SLICE_ARG(token));
    return ERR_OK;
}

/* In Prometheus' order. */
static enum err rules_checked(struct http_request *r, struct errmsg *why)
{
    struct slice type = param(r, "type"), exclude = param(r, "exclude_alerts");
    struct match_list match;
    bool unused;
    TRY(form_parse(r, why));
    TRY(param_match(r, &match, why));
    if (type.len && !slice_eq_str(type, "alert") && !slice_eq_str(type, "record"))
        return quoted_error(why, "invalid parameter \"type\": not supported value", type, "");
    if (exclude.len && !bool_parse(exclude, &unused))
        return quoted_error(
            why, "invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing",
            exclude, ": invalid syntax");
    return rules_page(r, why);
}

void on_rules(struct http_request *r, void *ctx)
{
    (void)ctx;
    struct errmsg why = {0};
    if (rules_checked(r, &why) != ERR_OK)
        api_error(r, API_BAD_DATA, why.text);
    else
        api_success(r, "{\"groups\":[]}");
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
