/*
 * status.c - /api/v1/status: what is running, with which settings, how far the start is.
 *
 * Clients choose features by the version in buildinfo, so it names the Prometheus whose API this is;
 * our own version stands beside it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "numeric/timetext.h"
#include "tsdb/tsdb.h"

void on_buildinfo(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct answer a;
    answer_begin(&a, r);
    buf_str(&a.out, "{\"version\":\"" API_VERSION "\",\"revision\":");
    json_string_html(&a.out, slice_str(api->o.revision));
    buf_str(&a.out,
            ",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\",\"application\":\"gnomon\","
            "\"applicationVersion\":");
    json_string_html(&a.out, slice_str(api->o.version));
    buf_u8(&a.out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

static void json_key_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "\"%s\":", key);
    json_string_html(out, slice_str(text));
}

static void json_key_time(struct buf *out, const char *key, int64_t t_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    size_t n = timetext_rfc3339_print(text, t_ms);
    buf_printf(out, "\"%s\":\"%.*s\"", key, (int)n, text);
}

/* "31d", "31d or 10GiB", "10GiB"; "" when everything is kept. */
static char *retention_text(const struct api *api, struct arena *arena)
{
    const char *time = config_text(api->o.config, OPT_STORAGE_RETENTION_TIME);
    const char *size = config_text(api->o.config, OPT_STORAGE_RETENTION_SIZE);
    bool by_time = config_duration_ms(api->o.config, OPT_STORAGE_RETENTION_TIME) > 0;
    bool by_size = config_bytes(api->o.config, OPT_STORAGE_RETENTION_SIZE) > 0;
    return arena_printf(arena, "%s%s%s", by_time ? time : "", by_time && by_size ? " or " : "", by_size ? size : "");
}

static uint64_t corruption_count(const struct api *api)
{
    if (!api->o.tsdb)
        return 0;
    const struct tsdb_stats *s = tsdb_stats(api->o.tsdb);
    return atomic_load_explicit(&s->blocks_quarantined, memory_order_relaxed) +
           atomic_load_explicit(&s->replay_damage, memory_order_relaxed);
}

void on_runtimeinfo(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    char host[256] = "", cwd[4096] = "";
    struct answer a;
    if (gethostname(host, sizeof host - 1) != 0 || !getcwd(cwd, sizeof cwd))
        cwd[0] = '\0';
    answer_begin(&a, r);
    struct buf *out = &a.out;
    buf_u8(out, '{');
    json_key_time(out, "startTime", api->start_ms);
    buf_u8(out, ',');
    json_key_text(out, "CWD", cwd);
    buf_u8(out, ',');
    json_key_text(out, "hostname", host);
    buf_u8(out, ',');
    json_key_time(out, "serverTime", clock_now_ms(api->o.clock));
    buf_printf(out, ",\"reloadConfigSuccess\":%s,", atomic_load(&api->reload_ok) ? "true" : "false");
    json_key_time(out, "lastConfigTime", atomic_load(&api->reloaded_ms));
    buf_printf(out, ",\"corruptionCount\":%llu,\"goroutineCount\":0,\"GOMAXPROCS\":%ld,\"GOMEMLIMIT\":%llu,",
               (unsigned long long)corruption_count(api), sysconf(_SC_NPROCESSORS_ONLN),
               (unsigned long long)config_memory(api->o.config, OPT_MEMORY_LIMIT, process_memory_available()));
    buf_str(out, "\"GOGC\":\"\",\"GODEBUG\":\"\",");
    json_key_text(out, "storageRetention", retention_text(api, r->arena));
    buf_u8(out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

static int by_option_name(const void *a, const void *b)
{
    return strcmp(config_name(*(const enum config_option *)a), config_name(*(const enum config_option *)b));
}

void on_flags(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    enum config_option order[OPT_COUNT];
    struct answer a;
    for (int i = 0; i < OPT_COUNT; i++)
        order[i] = (enum config_option)i;
    qsort(order, OPT_COUNT, sizeof *order, by_option_name);
    answer_begin(&a, r);
    for (int i = 0; i < OPT_COUNT; i++) {
        buf_u8(&a.out, i ? ',' : '{');
        json_key_text(&a.out, config_name(order[i]), config_text(api->o.config, order[i]));
    }
    buf_u8(&a.out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

void on_config(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct buf yaml = {0};
    struct answer a;
    external_print_yaml(&api->external, &yaml); /* where Thanos looks for them */
    config_print_yaml(api->o.config, &yaml);
    answer_begin(&a, r);
    buf_str(&a.out, "{\"yaml\":");
    json_string_html(&a.out, buf_view(&yaml));
    buf_u8(&a.out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
    buf_deinit(&yaml);
}

/* In MiB of log, where Prometheus counts segments: clients draw a bar from it. */
void on_walreplay(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    const struct tsdb_stats *s = api->o.tsdb ? tsdb_stats(api->o.tsdb) : NULL;
    uint64_t whole = s ? atomic_load_explicit(&s->replay_bytes, memory_order_relaxed) : 0;
    uint64_t done = s ? atomic_load_explicit(&s->replay_bytes_done, memory_order_relaxed) : 0;
    api_success(r, arena_printf(r->arena, "{\"min\":0,\"max\":%llu,\"current\":%llu}",
                                (unsigned long long)(whole >> 20), (unsigned long long)(done >> 20)));
}
