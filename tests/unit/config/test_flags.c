/* The command line and the environment: forms, precedence, foreign names, and what a slip is told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"

static enum err load(struct config *c, const char *const *words, const char *const *env, struct errmsg *why)
{
    char *argv[32], *envp[32];
    int argc = 0, envc = 0;
    for (; words && words[argc]; argc++)
        argv[argc] = mem_strdup(words[argc]);
    for (; env && env[envc]; envc++)
        envp[envc] = mem_strdup(env[envc]);
    envp[envc] = NULL;
    enum err err = config_load(c, &(struct config_sources){argc, argv, envp, fs_posix()}, why);
    for (int i = 0; i < argc; i++)
        mem_free(argv[i]);
    for (int i = 0; i < envc; i++)
        mem_free(envp[i]);
    return err;
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct config *loaded(const char *const *words, const char *const *env)
{
    struct config *c = config_new();
    struct errmsg why = {0};
    cr_assert_eq(load(c, words, env, &why), ERR_OK, "%s", why.text);
    return c;
}

static void expect_error(const char *const *words, const char *const *env, const char *text)
{
    struct config *c = config_new();
    struct errmsg why = {0};
    cr_expect_eq(load(c, words, env, &why), ERR_INVALID);
    cr_expect_str_eq(why.text, text);
    config_free(c);
}

Test(config_flags, take_their_value_after_equals_or_as_the_next_word_with_one_dash_or_two)
{
    struct config *c = loaded(
        WORDS("--storage.path=/a b", "-query.timeout", "30s", "--log.level", "warn", "-web.max-connections=7"), NULL);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/a b");
    cr_expect_eq(config_duration_ms(c, OPT_QUERY_TIMEOUT), 30000);
    cr_expect_str_eq(config_string(c, OPT_LOG_LEVEL), "warn");
    cr_expect_eq(config_count(c, OPT_WEB_MAX_CONNECTIONS), 7);
    cr_expect_eq(config_source(c, OPT_LOG_LEVEL), CONFIG_FROM_FLAG);
    cr_expect_eq(config_source(c, OPT_LOG_FORMAT), CONFIG_FROM_DEFAULT);
    config_free(c);
}

Test(config_flags, bools_are_switched_by_name_and_never_eat_the_next_word)
{
    struct config *c = loaded(WORDS("--web.enable-lifecycle", "--log.level=debug"), NULL);
    cr_expect(config_bool(c, OPT_WEB_ENABLE_LIFECYCLE));
    config_free(c);
    c = loaded(WORDS("--web.enable-lifecycle", "--no-web.enable-lifecycle"), NULL);
    cr_expect_not(config_bool(c, OPT_WEB_ENABLE_LIFECYCLE));
    cr_expect_eq(config_notice_count(c), 1, "given twice");
    config_free(c);
    c = loaded(WORDS("--web.enable-lifecycle=false"), NULL);
    cr_expect_not(config_bool(c, OPT_WEB_ENABLE_LIFECYCLE));
    config_free(c);
    expect_error(WORDS("--web.enable-lifecycle", "true"), NULL,
                 "\"true\" is not a flag; flags start with a dash, see --help");
}

Test(config_flags, repeated_lists_add_up)
{
    struct config *c = loaded(WORDS("--enable-feature=promql-duration-expr", "--enable-feature=use-start-timestamps",
                                    "--web.listen-address=:1,:2", "--web.listen-address=:3"),
                              NULL);
    uint32_t count;
    const char *const *list = config_list(c, OPT_WEB_LISTEN_ADDRESS, &count);
    cr_assert_eq(count, 3);
    cr_expect_str_eq(list[2], ":3");
    cr_expect_str_eq(config_text(c, OPT_ENABLE_FEATURE), "promql-duration-expr,use-start-timestamps");
    config_free(c);
}

Test(config_flags, a_slip_is_answered_with_the_nearest_name)
{
    expect_error(WORDS("--storage.pth=x"), NULL,
                 "unknown flag \"--storage.pth\"; did you mean --storage.path?; --help lists all flags");
    expect_error(WORDS("-storageDatPath=x"), NULL,
                 "unknown flag \"-storageDatPath\"; did you mean -storageDataPath?; --help lists all flags");
    expect_error(WORDS("--qurey.timeout=1s"), NULL,
                 "unknown flag \"--qurey.timeout\"; did you mean --query.timeout?; --help lists all flags");
    expect_error(WORDS("--xyzzy"), NULL, "unknown flag \"--xyzzy\"; --help lists all flags");
    expect_error(WORDS("--query.timeout"), NULL, "flag --query.timeout needs a value");
    expect_error(WORDS("--no-query.timeout"), NULL,
                 "unknown flag \"--no-query.timeout\"; did you mean --query.timeout?; --help lists all flags");
    expect_error(
        WORDS("--query.timeout=1"), NULL,
        "flag --query.timeout: \"1\" is not a duration; allowed: a number with y, w, d, h, m, s or ms, such as "
        "1h30m");
}

Test(config_flags, help_works_whatever_else_is_broken)
{
    struct config *c = loaded(WORDS("--help", "--xyzzy"), WORDS("GNOMON_LOG_LEVEL=nonsense"));
    cr_expect_eq(config_action(c), CONFIG_HELP);
    config_free(c);
    c = loaded(WORDS("--help-config"), NULL);
    cr_expect_eq(config_action(c), CONFIG_HELP_CONFIG);
    config_free(c);
    c = loaded(WORDS("-version"), NULL);
    cr_expect_eq(config_action(c), CONFIG_VERSION);
    config_free(c);
}

Test(config_flags, names_of_victoriametrics_mean_here_what_they_mean_there)
{
    struct config *c = loaded(WORDS("-storageDataPath=/vm", "-retentionPeriod=3", "-httpListenAddr=:9999",
                                    "-search.maxQueryDuration=45", "-memory.allowedPercent=50", "-loggerLevel=ERROR",
                                    "-loggerFormat=default", "-storage.minFreeDiskSpaceBytes=1KB",
                                    "-search.maxLookback=0", "-http.disableCORS"),
                              NULL);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/vm");
    cr_expect_eq(config_duration_ms(c, OPT_STORAGE_RETENTION_TIME), 3 * INT64_C(31) * 86400000);
    cr_expect_str_eq(config_text(c, OPT_WEB_LISTEN_ADDRESS), ":9999");
    cr_expect_eq(config_duration_ms(c, OPT_QUERY_TIMEOUT), 45000);
    cr_expect_eq(config_memory(c, OPT_MEMORY_LIMIT, 1000), 500);
    cr_expect_str_eq(config_string(c, OPT_LOG_LEVEL), "error");
    cr_expect_str_eq(config_string(c, OPT_LOG_FORMAT), "logfmt");
    cr_expect_eq(config_bytes(c, OPT_STORAGE_MIN_FREE_DISK), 1000, "KB is 1000 there");
    cr_expect_eq(config_duration_ms(c, OPT_QUERY_LOOKBACK_DELTA), 300000, "0 means automatic there");
    cr_expect_str_eq(config_string(c, OPT_WEB_CORS_ORIGIN), "");
    config_free(c);
}

Test(config_flags, retention_without_a_unit_is_in_months)
{
    static const struct {
        const char *text;
        int64_t days;
    } good[] = {{"1", 31}, {"2M", 62}, {"1y", 365}, {"100y", 36500}, {"90d", 90}, {"2w", 14}, {"48h", 2}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct config *c = loaded(WORDS("-retentionPeriod", good[i].text), NULL);
        cr_expect_eq(config_duration_ms(c, OPT_STORAGE_RETENTION_TIME), good[i].days * 86400000, "%s", good[i].text);
        config_free(c);
    }
    static const char *const bad[] = {"0", "-1d", "1x", "5m", "", "M"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config *c = config_new();
        struct errmsg why = {0};
        cr_expect_eq(load(c, WORDS("-retentionPeriod", bad[i]), NULL, &why), ERR_INVALID, "%s", bad[i]);
        config_free(c);
    }
}

Test(config_flags, foreign_names_without_effect_are_accepted_and_named)
{
    struct config *c = loaded(WORDS("-dedup.minScrapeInterval=30s", "-promscrape.config=/etc/p.yml",
                                    "--web.enable-remote-write-receiver", "-search.disableCache", "-tls=false",
                                    "--storage.tsdb.retention.time=15d"),
                              NULL);
    cr_assert_eq(config_notice_count(c), 4);
    cr_expect_str_eq(config_notice(c, 1), "flag -promscrape.config has no effect: it does not scrape; let a Prometheus "
                                          "or an agent push by remote write");
    cr_expect_eq(config_duration_ms(c, OPT_STORAGE_RETENTION_TIME), INT64_C(15) * 86400000);
    config_free(c);
}

Test(config_flags, switches_of_a_family_without_effect_take_no_value_and_no_other_flag)
{
    struct config *c =
        loaded(WORDS("-promscrape.streamParse", "-storageDataPath=/a", "-promscrape.config", "/etc/p.yml",
                     "--streamAggr.ignoreOldSamples=true", "-pushmetrics.disableCompression"),
               NULL);
    cr_assert_eq(config_notice_count(c), 4);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/a");
    config_free(c);
}

Test(config_flags, numbers_as_victoriametrics_spells_them)
{
    struct config *c =
        loaded(WORDS("-storage.maxDailySeries=-1", "-storage.maxHourlySeries=7", "-memory.allowedPercent=60.5"), NULL);
    cr_expect_eq(config_count(c, OPT_LIMIT_DAILY_SERIES), 0);
    cr_expect_eq(config_count(c, OPT_LIMIT_SERIES), 7);
    cr_expect_eq(config_notice_count(c), 0);
    config_free(c);
}

Test(config_flags, foreign_names_that_guard_access_are_refused)
{
    expect_error(WORDS("-deleteAuthKey=admin"), NULL,
                 "flag -deleteAuthKey: paths have no keys of their own; use web.config.file or web.bearer-token-file");
    expect_error(WORDS("-tlsAutocertHosts=a.example"), NULL,
                 "flag -tlsAutocertHosts: certificates are not fetched; let another program renew the file, it is read "
                 "again");
}

Test(config_flags, secrets_are_kept_and_never_shown)
{
    struct config *c = loaded(WORDS("-httpAuth.username=vm", "-httpAuth.password=s3cret", "-tls", "-tlsCertFile=c.pem",
                                    "-tlsMinVersion=TLS13", "-mtls=true", "-httpAuth.password=s3cret2"),
                              NULL);
    cr_expect_str_eq(config_secret(c, OPT_WEB_AUTH_PASSWORD), "s3cret2");
    cr_expect_str_eq(config_text(c, OPT_WEB_AUTH_PASSWORD), "<secret>");
    cr_expect_str_eq(config_text(c, OPT_WEB_BEARER_TOKEN), "");
    cr_expect(config_bool(c, OPT_WEB_TLS) && config_bool(c, OPT_WEB_MTLS));
    struct buf yaml = {0};
    config_print_yaml(c, &yaml);
    cr_expect_not(strstr(buf_cstr(&yaml), "s3cret"));
    for (uint32_t i = 0; i < config_notice_count(c); i++)
        cr_expect_not(strstr(config_notice(c, i), "s3cret"));
    buf_deinit(&yaml);
    config_free(c);
    expect_error(WORDS("--web.auth-passwort=s3cret"), NULL,
                 "unknown flag \"--web.auth-passwort\"; did you mean --web.auth-password?; --help lists all flags");
}

Test(config_env, sets_what_no_flag_set)
{
    struct config *c =
        loaded(WORDS("--query.timeout=1s"), WORDS("GNOMON_QUERY_TIMEOUT=2s", "GNOMON_STORAGE_PATH=/env", "PATH=/bin",
                                                  "GNOMON_SELF_SCRAPE_INTERVAL=10s", "GNOMON_WEB_CORS_ORIGIN="));
    cr_expect_eq(config_duration_ms(c, OPT_QUERY_TIMEOUT), 1000);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/env");
    cr_expect_eq(config_source(c, OPT_STORAGE_PATH), CONFIG_FROM_ENV);
    cr_expect_eq(config_duration_ms(c, OPT_SELF_SCRAPE_INTERVAL), 10000);
    cr_expect_str_eq(config_string(c, OPT_WEB_CORS_ORIGIN), "");
    config_free(c);
    expect_error(NULL, WORDS("GNOMON_LOG_LEVEL=x"),
                 "environment GNOMON_LOG_LEVEL: \"x\" is not one of the known values; allowed: debug|info|warn|error");
}

Test(config_env, unknown_variables_are_noticed_unless_kubernetes_wrote_them)
{
    struct config *c = loaded(NULL, WORDS("GNOMON_STORAGE_PAHT=/x", "GNOMON_SERVICE_HOST=10.0.0.1",
                                          "GNOMON_PORT_8428_TCP_ADDR=10.0.0.1", "GNOMON_PORT=tcp://10.0.0.1:8428"));
    cr_assert_eq(config_notice_count(c), 1);
    cr_expect_str_eq(config_notice(c, 0),
                     "environment variable GNOMON_STORAGE_PAHT is not a setting; did you mean GNOMON_STORAGE_PATH");
    config_free(c);
}

Test(config_env, victoriametrics_variables_count_after_envflag_enable)
{
    const char *const *env = WORDS("VM_search_maxQueryDuration=9s", "VM_storageDataPath=/vmenv");
    struct config *c = loaded(WORDS("-envflag.enable=true", "-envflag.prefix=VM_"), env);
    cr_expect_eq(config_duration_ms(c, OPT_QUERY_TIMEOUT), 9000);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/vmenv");
    config_free(c);
    c = loaded(NULL, env);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "gnomon-data");
    config_free(c);
}

Test(config_file, is_weaker_than_environment_and_flags_but_checked_all_the_same)
{
    char path[] = "/tmp/gnomon-config-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    static const char yaml[] = "query:\n  timeout: 7s\n  max-concurrency: 3\nstorage.path: /file\n";
    cr_assert_eq(write(fd, yaml, sizeof yaml - 1), (ssize_t)sizeof yaml - 1);
    char flag[64];
    snprintf(flag, sizeof flag, "--config.file=%s", path);
    struct config *c = loaded(WORDS(flag, "--query.timeout=1s"), WORDS("GNOMON_STORAGE_PATH=/env"));
    cr_expect_eq(config_duration_ms(c, OPT_QUERY_TIMEOUT), 1000);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/env");
    cr_expect_eq(config_count(c, OPT_QUERY_MAX_CONCURRENCY), 3);
    cr_expect_eq(config_source(c, OPT_QUERY_MAX_CONCURRENCY), CONFIG_FROM_FILE);
    config_free(c);

    cr_assert_eq(write(fd, "log.level: x\n", 13), 13);
    close(fd);
    char text[256];
    snprintf(text, sizeof text,
             "%s:5:12: log.level: \"x\" is not one of the known values; allowed: debug|info|warn|error", path);
    expect_error(WORDS(flag, "--log.level=info"), NULL, text);
    unlink(path);
}

Test(config_file, must_be_a_readable_file)
{
    expect_error(WORDS("--config.file=/tmp"), NULL, "flag --config.file: /tmp is a directory, not a file");
    expect_error(WORDS("--config.file=/dev/zero"), NULL, "flag --config.file: /dev/zero is not a regular file");
    struct config *c = config_new();
    struct errmsg why = {0};
    cr_expect_eq(load(c, WORDS("--config.file=/nonexistent/x.yml"), NULL, &why), ERR_NOT_FOUND);
    config_free(c);
}
