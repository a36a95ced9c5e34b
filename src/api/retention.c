/*
 * retention.c - /api/v1/status/retention: which series are kept how long, and what is on the disk beyond that.
 *
 * With rule=... it tells what these rules would free instead of those in force: nothing changes.
 */
#include "api/api_internal.h"
#include "api/rules.h"
#include "base/mem.h"
#include "numeric/timetext.h"

static enum err rules_asked(struct http_request *r, struct api *api, struct tsdb_rule **out, uint32_t *count, bool *dry,
                            struct errmsg *why)
{
    struct slice *texts;
    *count = http_param_all(r, "rule", &texts);
    *dry = *count > 0;
    if (!*dry) {
        *out = tsdb_rules(api->o.tsdb, r->arena, count);
        return ERR_OK;
    }
    if (*count > TSDB_RULES_MAX)
        return err_set(why, ERR_INVALID, "at most %d rules are possible", TSDB_RULES_MAX);
    *out = ARENA_ARRAY(r->arena, struct tsdb_rule, (size_t)*count + 1);
    for (uint32_t i = 0; i < *count; i++)
        if (retention_rule_parse(texts[i], r->arena, &(*out)[i], why) != ERR_OK)
            return invalid_param(why, "rule");
    return ERR_OK;
}

static void json_keep(struct buf *out, int64_t keep_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    size_t n = timetext_duration_print(text, keep_ms);
    buf_str(out, "\"keep\":");
    json_string_html(out, slice_of(text, n));
}

static void json_rule(struct buf *out, const struct tsdb_rule *rule, const struct tsdb_affected *a)
{
    struct buf text = {0};
    tsdb_selector_print(&rule->selector, &text);
    buf_str(out, "{\"match\":");
    json_string_html(out, buf_view(&text));
    buf_u8(out, ',');
    json_keep(out, rule->keep_ms);
    buf_u8(out, ',');
    json_affected(out, a);
    buf_u8(out, '}');
    buf_deinit(&text);
}

struct drop_list {
    struct buf *out;
    bool any;
};

static void json_drop(void *ctx, const char *rule, uint64_t samples)
{
    struct drop_list *l = ctx;
    buf_str(l->out, l->any ? ",{\"match\":" : "{\"match\":");
    json_string_html(l->out, slice_str(rule));
    buf_printf(l->out, ",\"droppedSamples\":%llu}", (unsigned long long)samples);
    l->any = true;
}

void on_retention(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    struct tsdb_rule *rules = NULL;
    uint32_t count = 0;
    bool dry = false;
    if (!api->o.tsdb) {
        api_error(r, API_UNAVAILABLE, "there is no store");
        return;
    }
    if (form_parse(r, &why) != ERR_OK || rules_asked(r, api, &rules, &count, &dry, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    struct tsdb_affected *affected = ARENA_ARRAY(r->arena, struct tsdb_affected, (size_t)count + 1);
    enum err err = tsdb_rules_dry_run(api->o.tsdb, rules, count, &r->cancel, affected, &why);
    if (err != ERR_OK) {
        api_error(r, api_error_of(err), why.text);
        return;
    }
    struct answer a;
    struct ingest *ingest = atomic_load(&api->ingest);
    struct drop_list drops = {.out = &a.out};
    answer_begin(&a, r);
    buf_printf(&a.out, "{\"dryRun\":%s,\"rules\":[", dry ? "true" : "false");
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_u8(&a.out, ',');
        json_rule(&a.out, &rules[i], &affected[i]);
    }
    buf_str(&a.out, "],\"others\":{");
    json_keep(&a.out, config_duration_ms(api->o.config, OPT_STORAGE_RETENTION_TIME));
    buf_u8(&a.out, ',');
    json_affected(&a.out, &affected[count]);
    buf_str(&a.out, "},\"drop\":[");
    if (ingest)
        ingest_drop_counts(ingest, json_drop, &drops);
    buf_str(&a.out, "]}");
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}
