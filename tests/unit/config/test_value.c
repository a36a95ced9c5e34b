/* One value at a time: units, bounds, canonical text, and what an error says. */
#include <criterion/criterion.h>

#include "config/config.h"

static const char *text_after(struct config *c, enum config_option option, const char *value)
{
    struct errmsg why = {0};
    cr_expect_eq(config_set(c, config_name(option), value, &why), ERR_OK, "%s: %s", value, why.text);
    return config_text(c, option);
}

static const char *error_of(struct config *c, const char *name, const char *value)
{
    static struct errmsg why;
    why.text[0] = '\0';
    cr_expect_eq(config_set(c, name, value, &why), ERR_INVALID, "%s=%s", name, value);
    return why.text;
}

Test(config_value, durations_take_units_from_large_to_small)
{
    static const struct {
        const char *text, *canonical;
        int64_t ms;
    } good[] = {
        {"5m", "5m", 300000},
        {"1h30m", "1h30m", 5400000},
        {"90d", "90d", 7776000000},
        {"0", "0s", 0},
        {"0s", "0s", 0},
        {"1.5h", "1h30m", 5400000},
        {"100ms", "100ms", 100},
        {"14d", "2w", 1209600000},
        {"1y", "1y", 31536000000},
        {"1y1d", "366d", 31622400000},
        {"1d2h3m4s5ms", "1d2h3m4s5ms", 93784005},
    };
    struct config *c = config_new();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_str_eq(text_after(c, OPT_QUERY_LOG_SLOW, good[i].text), good[i].canonical);
        cr_expect_eq(config_duration_ms(c, OPT_QUERY_LOG_SLOW), good[i].ms, "%s", good[i].text);
    }
    static const char *const bad[] = {"",    "5",  "m",      "1m1h",   "1h1h", "-1h",
                                      "1 h", "1x", "99999y", "1.2.3s", "1h ",  "inf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        error_of(c, "query.timeout", bad[i]);
    cr_expect_str_eq(error_of(c, "query.timeout", "5 parsecs"),
                     "query.timeout: \"5 parsecs\" is not a duration; allowed: a number with y, w, d, h, m, s or ms, "
                     "such as 1h30m");
    config_free(c);
}

Test(config_value, sizes_are_powers_of_two)
{
    static const struct {
        const char *text, *canonical;
        uint64_t bytes;
    } good[] = {
        {"0", "0B", 0},
        {"1024", "1KiB", 1024},
        {"1KB", "1KiB", 1024},
        {"1KiB", "1KiB", 1024},
        {"1.5GB", "1536MiB", 1610612736},
        {"5 MB", "5MiB", 5242880},
        {"512m", "512MiB", 536870912},
        {"7EB", "7EiB", 8070450532247928832u},
        {"123B", "123B", 123},
    };
    struct config *c = config_new();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_str_eq(text_after(c, OPT_STORAGE_RETENTION_SIZE, good[i].text), good[i].canonical);
        cr_expect_eq(config_bytes(c, OPT_STORAGE_RETENTION_SIZE), good[i].bytes, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "-1", "9e99", "1XB", "1KBB", "GB", "1.5.5GB", "9EB", "1MiBs"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        error_of(c, "storage.retention.size", bad[i]);
    config_free(c);
}

Test(config_value, memory_is_a_size_or_a_share)
{
    struct config *c = config_new();
    cr_expect_str_eq(text_after(c, OPT_MEMORY_LIMIT, "25%"), "25%");
    cr_expect_eq(config_memory(c, OPT_MEMORY_LIMIT, 1000), 250);
    cr_expect_str_eq(text_after(c, OPT_MEMORY_LIMIT, "2GiB"), "2GiB");
    cr_expect_eq(config_memory(c, OPT_MEMORY_LIMIT, 1000), UINT64_C(2) << 30);
    static const char *const bad[] = {"0%", "101%", "%", "-5%", "1.5%"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        error_of(c, "memory.limit", bad[i]);
    config_free(c);
}

Test(config_value, what_cannot_work_is_below_the_bound)
{
    static const struct {
        const char *name, *bad;
    } cases[] = {
        {"query.lookback-delta", "0"}, {"query.default-step", "0s"}, {"memory.limit", "0"},
        {"memory.limit", "1MiB"},      {"web.max-header-size", "0"},
    };
    struct config *c = config_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        error_of(c, cases[i].name, cases[i].bad);
    cr_expect_str_eq(text_after(c, OPT_QUERY_LOOKBACK_DELTA, "1ms"), "1ms");
    cr_expect_str_eq(text_after(c, OPT_MEMORY_LIMIT, "1%"), "1%");
    config_free(c);
}

Test(config_value, the_log_syncs_at_commit_in_intervals_or_when_the_system_likes)
{
    struct config *c = config_new();
    int64_t ms = -1;
    cr_expect_eq(config_sync(c, &ms), CONFIG_SYNC_COMMIT);
    text_after(c, OPT_WAL_SYNC, "interval:100ms");
    cr_expect(config_sync(c, &ms) == CONFIG_SYNC_INTERVAL && ms == 100);
    text_after(c, OPT_WAL_SYNC, "os");
    cr_expect_eq(config_sync(c, &ms), CONFIG_SYNC_OS);
    error_of(c, "wal.sync", "interval:0s");
    error_of(c, "wal.sync", "interval");
    error_of(c, "wal.sync", "never");
    config_free(c);
}

Test(config_value, choices_counts_and_lists_say_what_is_allowed)
{
    struct config *c = config_new();
    cr_expect_str_eq(error_of(c, "log.level", "loud"),
                     "log.level: \"loud\" is not one of the known values; allowed: debug|info|warn|error");
    cr_expect_str_eq(error_of(c, "query.max-concurrency", "0"),
                     "query.max-concurrency: \"0\" is not a number; allowed: 1..10000");
    error_of(c, "query.max-concurrency", "1e3");
    error_of(c, "query.max-samples", "99999999999999999999999");
    error_of(c, "enable-feature", "promql-experimental-functions,warp-drive");
    error_of(c, "web.enable-lifecycle", "maybe");
    cr_expect_str_eq(text_after(c, OPT_ENABLE_FEATURE, "promql-duration-expr, type-and-unit-labels,"),
                     "promql-duration-expr,type-and-unit-labels");
    cr_expect(config_list_has(c, OPT_ENABLE_FEATURE, "type-and-unit-labels"));
    cr_expect_not(config_list_has(c, OPT_ENABLE_FEATURE, "use-start-timestamps"));
    config_free(c);
}
