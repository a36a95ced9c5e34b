/*
 * features.c - /api/v1/features: what this server can do, in the categories and names of Prometheus 3.15.
 *
 * What Prometheus lists but is no business of this server (scraping, rules, discovery) is told as absent.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"

enum source { NO, YES, ADMIN, LIFECYCLE, FLAG };

static const struct feature {
    const char *category, *name;
    enum source source;
    const char *flag; /* of --enable-feature */
} features[] = {
    {"api", "admin", ADMIN, NULL},
    {"api", "exclude_alerts", YES, NULL},
    {"api", "label_values_match", YES, NULL},
    {"api", "lifecycle", LIFECYCLE, NULL},
    {"api", "openapi_3.1", NO, NULL},
    {"api", "openapi_3.2", NO, NULL},
    {"api", "otlp_write_receiver", NO, NULL},
    {"api", "query_stats", YES, NULL},
    {"api", "query_warnings", YES, NULL},
    {"api", "remote_write_receiver", YES, NULL},
    {"api", "search", YES, NULL},
    {"api", "search_fuzz_alg_jarowinkler", YES, NULL},
    {"api", "search_fuzz_alg_subsequence", YES, NULL},
    {"api", "time_range_labels", YES, NULL},
    {"api", "time_range_series", YES, NULL},
    {"prometheus", "agent_mode", NO, NULL},
    {"prometheus", "auto_reload_config", NO, NULL},
    {"prometheus", "server_mode", YES, NULL},
    {"prometheus", "stringlabels", NO, NULL},
    {"promql", "anchored", FLAG, "promql-extended-range-selectors"},
    {"promql", "at_modifier", YES, NULL},
    {"promql", "bool", YES, NULL},
    {"promql", "by", YES, NULL},
    {"promql", "delayed_name_removal", FLAG, "promql-delayed-name-removal"},
    {"promql", "duration_expr", FLAG, "promql-duration-expr"},
    {"promql", "fill", FLAG, "promql-binop-fill-modifiers"},
    {"promql", "fill_left", FLAG, "promql-binop-fill-modifiers"},
    {"promql", "fill_right", FLAG, "promql-binop-fill-modifiers"},
    {"promql", "group_left", YES, NULL},
    {"promql", "group_right", YES, NULL},
    {"promql", "ignoring", YES, NULL},
    {"promql", "negative_offset", YES, NULL},
    {"promql", "offset", YES, NULL},
    {"promql", "on", YES, NULL},
    {"promql", "per_query_lookback_delta", YES, NULL},
    {"promql", "per_step_stats", FLAG, "promql-per-step-stats"},
    {"promql", "smoothed", FLAG, "promql-extended-range-selectors"},
    {"promql", "subqueries", YES, NULL},
    {"promql", "type_and_unit_labels", FLAG, "type-and-unit-labels"},
    {"promql", "without", YES, NULL},
    {"promql_functions", NULL, YES, NULL}, /* the language's own table stands here */
    {"promql_operators", "!=", YES, NULL},
    {"promql_operators", "!~", YES, NULL},
    {"promql_operators", "%", YES, NULL},
    {"promql_operators", "*", YES, NULL},
    {"promql_operators", "+", YES, NULL},
    {"promql_operators", "-", YES, NULL},
    {"promql_operators", "/", YES, NULL},
    {"promql_operators", "<", YES, NULL},
    {"promql_operators", "</", YES, NULL},
    {"promql_operators", "<=", YES, NULL},
    {"promql_operators", "==", YES, NULL},
    {"promql_operators", "=~", YES, NULL},
    {"promql_operators", ">", YES, NULL},
    {"promql_operators", ">/", YES, NULL},
    {"promql_operators", ">=", YES, NULL},
    {"promql_operators", "@", YES, NULL},
    {"promql_operators", "^", YES, NULL},
    {"promql_operators", "and", YES, NULL},
    {"promql_operators", "atan2", YES, NULL},
    {"promql_operators", "avg", YES, NULL},
    {"promql_operators", "bottomk", YES, NULL},
    {"promql_operators", "count", YES, NULL},
    {"promql_operators", "count_values", YES, NULL},
    {"promql_operators", "group", YES, NULL},
    {"promql_operators", "limit_ratio", FLAG, "promql-experimental-functions"},
    {"promql_operators", "limitk", FLAG, "promql-experimental-functions"},
    {"promql_operators", "max", YES, NULL},
    {"promql_operators", "min", YES, NULL},
    {"promql_operators", "or", YES, NULL},
    {"promql_operators", "quantile", YES, NULL},
    {"promql_operators", "stddev", YES, NULL},
    {"promql_operators", "stdvar", YES, NULL},
    {"promql_operators", "sum", YES, NULL},
    {"promql_operators", "topk", YES, NULL},
    {"promql_operators", "unless", YES, NULL},
    {"rules", "concurrent_rule_eval", NO, NULL},
    {"rules", "keep_firing_for", NO, NULL},
    {"rules", "query_offset", NO, NULL},
    {"scrape", "extra_scrape_metrics", NO, NULL},
    {"tsdb", "delayed_compaction", NO, NULL},
    {"tsdb", "exemplar_storage", YES, NULL},
    {"tsdb", "native_histograms", YES, NULL},
    {"ui", "ui_v2", NO, NULL},
    {"ui", "ui_v3", NO, NULL},
};
enum { FEATURE_COUNT = sizeof features / sizeof *features };

static bool holds(const struct api *api, const struct feature *f)
{
    switch (f->source) {
    case YES:
        return true;
    case ADMIN:
        return config_bool(api->o.config, OPT_WEB_ENABLE_ADMIN_API);
    case LIFECYCLE:
        return config_bool(api->o.config, OPT_WEB_ENABLE_LIFECYCLE);
    case FLAG:
        return config_list_has(api->o.config, OPT_ENABLE_FEATURE, f->flag);
    default:
        return false;
    }
}

struct function_name {
    const char *name;
    bool experimental;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct function_name *)a)->name, ((const struct function_name *)b)->name);
}

static void json_functions(struct buf *out, const struct api *api, struct arena *arena)
{
    bool all = config_list_has(api->o.config, OPT_ENABLE_FEATURE, "promql-experimental-functions"), unused;
    uint32_t count = 0;
    while (promql_function_name(count, &unused))
        count++;
    struct function_name *list = ARENA_ARRAY(arena, struct function_name, count);
    for (uint32_t i = 0; i < count; i++)
        list[i].name = promql_function_name(i, &list[i].experimental);
    qsort(list, count, sizeof *list, by_name);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s\"%s\":%s", i ? "," : "", list[i].name, !list[i].experimental || all ? "true" : "false");
}

void on_features(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct answer a;
    answer_begin(&a, r);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        const struct feature *f = &features[i];
        bool opens = i == 0 || strcmp(f->category, features[i - 1].category) != 0;
        if (opens)
            buf_printf(&a.out, "%s\"%s\":{", i ? "}," : "{", f->category);
        if (!f->name)
            json_functions(&a.out, api, r->arena);
        else
            buf_printf(&a.out, "%s\"%s\":%s", opens ? "" : ",", f->name, holds(api, f) ? "true" : "false");
    }
    buf_str(&a.out, "}}");
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}
