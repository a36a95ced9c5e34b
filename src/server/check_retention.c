/*
 * check_retention.c - `gnomon check retention [FILE] [--SETTING=VALUE]...`: what the rules of retention and ingestion
 * in these settings would free of the data directory that they name.  Changes nothing; a server may be running there.
 */
#include <stdio.h>
#include <string.h>

#include "api/rules.h"
#include "base/mem.h"
#include "numeric/timetext.h"
#include "server/server_internal.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

extern char **environ;

/* What the settings say and what came out. */
struct check {
    struct config *config;
    struct rule_set rules;
    struct tsdb_affected *by_rule, *by_drop;
    bool json;
};

static enum err check_run(struct check *c, struct errmsg *why)
{
    TRY(rule_set_init(&c->rules, c->config, why));
    c->by_rule = mem_array((size_t)c->rules.retention_count + 1, sizeof *c->by_rule);
    c->by_drop = mem_array((size_t)c->rules.drop_count + 1, sizeof *c->by_drop);
    struct tsdb_rules_request q = {
        .rules = c->rules.retention,
        .rule_count = c->rules.retention_count,
        .drops = c->rules.drop,
        .drop_count = c->rules.drop_count,
        .now_ms = clock_now_ms(clock_system()),
        .retention_ms = config_duration_ms(c->config, OPT_STORAGE_RETENTION_TIME),
    };
    return tsdb_rules_check(fs_posix(), config_string(c->config, OPT_STORAGE_PATH), &q, c->by_rule, c->by_drop, why);
}

static void text_put(struct buf *out, bool json, const char *text)
{
    if (!json) {
        buf_str(out, text);
        return;
    }
    buf_u8(out, '"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            buf_printf(out, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            buf_printf(out, "\\u%04x", (unsigned)*text);
        else
            buf_u8(out, (uint8_t)*text);
    buf_u8(out, '"');
}

static void affected_put(struct buf *out, bool json, const struct tsdb_affected *a)
{
    unsigned long long series = a->series, samples = a->samples, bytes = a->bytes, blocks = a->blocks;
    if (json)
        buf_printf(out, ",\"series\":%llu,\"samples\":%llu,\"bytes\":%llu,\"blocks\":%llu", series, samples, bytes,
                   blocks);
    else
        buf_printf(out, ": frees %llu samples, %llu series whole, about %llu bytes in %llu blocks", samples, series,
                   bytes, blocks);
}

static void keep_put(struct buf *out, bool json, int64_t keep_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    size_t n = timetext_duration_print(text, keep_ms);
    if (json)
        buf_printf(out, ",\"keep\":\"%.*s\"", (int)n, text);
    else
        buf_printf(out, " kept %.*s", (int)n, text);
}

static void rule_put(struct buf *out, const struct check *c, uint32_t i)
{
    struct buf text = {0};
    bool others = i == c->rules.retention_count;
    if (!others)
        tsdb_selector_print(&c->rules.retention[i].selector, &text);
    buf_str(out, c->json ? (i ? ",{\"match\":" : "{\"match\":") : "retention ");
    text_put(out, c->json, others ? "{}" : buf_cstr(&text));
    keep_put(out, c->json,
             others ? config_duration_ms(c->config, OPT_STORAGE_RETENTION_TIME) : c->rules.retention[i].keep_ms);
    affected_put(out, c->json, &c->by_rule[i]);
    buf_str(out, c->json ? "}" : "\n");
    buf_deinit(&text);
}

static void drop_put(struct buf *out, const struct check *c, uint32_t i)
{
    struct buf text = {0};
    tsdb_selector_print(&c->rules.drop[i], &text);
    buf_str(out, c->json ? (i ? ",{\"match\":" : "{\"match\":") : "drop ");
    text_put(out, c->json, buf_cstr(&text));
    unsigned long long series = c->by_drop[i].series, samples = c->by_drop[i].samples;
    if (c->json)
        buf_printf(out, ",\"series\":%llu,\"samples\":%llu}", series, samples);
    else
        buf_printf(
            out,
            ": %llu series with %llu samples are stored; they stay until they are past their time or deleted, new "
            "ones are not taken\n",
            series, samples);
    buf_deinit(&text);
}

static void print(const struct check *c)
{
    struct buf out = {0};
    buf_str(&out, c->json ? "{\"retention\":[" : "");
    for (uint32_t i = 0; i <= c->rules.retention_count; i++)
        rule_put(&out, c, i);
    buf_str(&out, c->json ? "],\"drop\":[" : "");
    for (uint32_t i = 0; i < c->rules.drop_count; i++)
        drop_put(&out, c, i);
    buf_str(&out, c->json ? "]}\n" : "");
    fwrite(out.data, 1, out.len, stdout);
    buf_deinit(&out);
}

int check_retention(int argc, char **argv)
{
    struct check c = {.config = config_new()};
    struct errmsg why = {0};
    char **flags = mem_array((size_t)argc + 1, sizeof(char *));
    struct buf file = {0};
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            c.json = true;
        } else if (argv[i][0] != '-' && !file.len) {
            buf_printf(&file, "--config.file=%s", argv[i]);
            flags[count++] = (char *)(uintptr_t)buf_cstr(&file);
        } else {
            flags[count++] = argv[i];
        }
    }
    struct config_sources sources = {count, flags, environ, fs_posix()};
    enum err err = config_load(c.config, &sources, &why);
    int status = err == ERR_OK ? 0 : EXIT_USAGE;
    if (err == ERR_OK && check_run(&c, &why) != ERR_OK)
        status = EXIT_FAILED;
    if (status == 0)
        print(&c);
    else
        fprintf(stderr, "gnomon check retention: %s\n", why.text);
    if (c.by_rule)
        rule_set_deinit(&c.rules);
    mem_free(c.by_rule);
    mem_free(c.by_drop);
    mem_free(flags);
    buf_deinit(&file);
    config_free(c.config);
    return status;
}
