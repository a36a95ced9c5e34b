/* The config file: forms, and the place and reason of every slip. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

static struct config *read_yaml(const char *yaml, enum err expected, struct errmsg *why)
{
    struct config *c = config_new();
    why->text[0] = '\0';
    cr_expect_eq(config_load_yaml(c, "c.yml", slice_str(yaml), why), expected, "%s: %s", yaml, why->text);
    return c;
}

Test(config_yaml, takes_names_nested_dotted_or_mixed)
{
    struct errmsg why;
    struct config *c = read_yaml("storage:\n  path: /data\n  retention:\n    time: 90d\n  retention.size: 10GB\n"
                                 "web.listen-address: [\":1\", \":2\"]\nlog:\n# nothing\nenable-feature:\n"
                                 "- promql-duration-expr\n- use-start-timestamps\nweb.enable-lifecycle: yes\n",
                                 ERR_OK, &why);
    cr_expect_str_eq(config_string(c, OPT_STORAGE_PATH), "/data");
    cr_expect_eq(config_duration_ms(c, OPT_STORAGE_RETENTION_TIME), INT64_C(90) * 86400000);
    cr_expect_eq(config_bytes(c, OPT_STORAGE_RETENTION_SIZE), UINT64_C(10) << 30);
    cr_expect_str_eq(config_text(c, OPT_WEB_LISTEN_ADDRESS), ":1,:2");
    cr_expect_str_eq(config_text(c, OPT_ENABLE_FEATURE), "promql-duration-expr,use-start-timestamps");
    cr_expect(config_bool(c, OPT_WEB_ENABLE_LIFECYCLE));
    config_free(c);
}

Test(config_yaml, rules_are_one_each_with_their_places)
{
    struct errmsg why;
    uint32_t count;
    const char *const *places;
    struct config *c = read_yaml("ingest.drop: ['{a=\"b,c\"}', 'x;y{z=\"p;q\"}']\nstorage:\n  retention.rules:\n"
                                 "  - match: '{job=\"dev\"}'\n    keep: 7d\n  - '{job=\"x\"}:1y'\n",
                                 ERR_OK, &why);
    const char *const *rules = config_rules(c, OPT_INGEST_DROP, &places, &count);
    cr_assert_eq(count, 3);
    cr_expect_str_eq(rules[0], "{a=\"b,c\"}");
    cr_expect_str_eq(rules[1], "x");
    cr_expect_str_eq(rules[2], "y{z=\"p;q\"}");
    cr_expect_str_eq(places[2], "c.yml:1:28: ingest.drop");
    rules = config_rules(c, OPT_STORAGE_RETENTION_RULES, &places, &count);
    cr_assert_eq(count, 2);
    cr_expect_str_eq(rules[0], "{job=\"dev\"}:7d");
    cr_expect_str_eq(places[0], "c.yml:4:5: storage.retention.rules");
    cr_expect_str_eq(config_text(c, OPT_STORAGE_RETENTION_RULES), "{job=\"dev\"}:7d; {job=\"x\"}:1y");
    config_free(c);
}

Test(config_yaml, an_empty_file_sets_nothing)
{
    static const char *const files[] = {"", "# only a comment\n", "---\n", "~", "{}"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct errmsg why;
        struct config *c = read_yaml(files[i], ERR_OK, &why);
        for (int o = 0; o < OPT_COUNT; o++)
            cr_expect_eq(config_source(c, (enum config_option)o), CONFIG_FROM_DEFAULT);
        config_free(c);
    }
}

Test(config_yaml, every_slip_has_line_column_and_reason)
{
    static const struct {
        const char *yaml, *text;
    } slips[] = {
        {"enable-feature: [", "c.yml:2:1: not YAML: did not find expected node content"},
        {"storage:\n\tpath: x", "c.yml:2:1: not YAML: found character that cannot start any token"},
        {"storage:\n  pth: x", "c.yml:2:3: unknown setting \"storage.pth\"; did you mean storage.path?"},
        {"global:\n  scrape_interval: 15s", "c.yml:1:1: unknown setting \"global\""},
        {"log.level: info\nlog:\n  level: warn", "c.yml:3:3: log.level is set twice in this file"},
        {"log.level: info\nlog.level: warn", "c.yml:2:1: log.level is set twice in this file"},
        {"log.level: [info]", "c.yml:1:12: log.level is one value, not a list"},
        {"log.level: {a: b}", "c.yml:1:12: log.level is one value, not a mapping"},
        {"log.level:", "c.yml:1:1: log.level has no value"},
        {"query.timeout: 5",
         "c.yml:1:16: query.timeout: \"5\" is not a duration; allowed: a number with y, w, d, h, m, s or ms, such as "
         "1h30m"},
        {"storage: x", "c.yml:1:10: storage has settings below it and no value of its own"},
        {"- a", "c.yml:1:1: expected settings as \"name: value\""},
        {"text", "c.yml:1:1: expected settings as \"name: value\""},
        {"[a]: b", "c.yml:1:1: a key must be a plain word"},
        {"enable-feature: [[a]]", "c.yml:1:18: items of enable-feature must be plain values"},
        {"log.level: &x info\nlog.format: *x", "c.yml:2:13: aliases (*name) are not allowed here"},
        {"---\nlog.level: info\n---\nlog.level: warn", "c.yml:3:1: a second document; only one is read"},
    };
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        struct errmsg why;
        config_free(read_yaml(slips[i].yaml, ERR_INVALID, &why));
        cr_expect_str_eq(why.text, slips[i].text);
    }
}

/* The example with its settings uncommented. */
static void uncomment(struct buf *example, struct buf *out)
{
    for (const char *p = buf_cstr(example); *p;) {
        size_t n = strcspn(p, "\n");
        bool setting = p[0] == '#' && p[1] != ' ' && p[1] != '#';
        buf_append(out, p + setting, n - setting);
        buf_u8(out, '\n');
        p += n + (p[n] == '\n');
    }
}

Test(config_yaml, the_example_holds_every_default)
{
    struct buf example = {0}, yaml = {0};
    config_print_example(&example);
    uncomment(&example, &yaml);
    struct config *c = config_new();
    struct errmsg why = {0};
    cr_assert_eq(config_load_yaml(c, "example", buf_view(&yaml), &why), ERR_OK, "%s", why.text);
    struct config *defaults = config_new();
    for (int o = 0; o < OPT_COUNT; o++) {
        cr_expect_str_eq(config_text(c, (enum config_option)o), config_text(defaults, (enum config_option)o));
        cr_expect(o == OPT_CONFIG_FILE || config_source(c, (enum config_option)o) == CONFIG_FROM_FILE, "%s missing",
                  config_name((enum config_option)o));
    }
    config_free(c);
    config_free(defaults);
    buf_deinit(&example);
    buf_deinit(&yaml);
}

Test(config_yaml, the_committed_example_is_the_one_that_the_table_makes)
{
    struct buf committed = {0}, made = {0};
    struct errmsg why = {0};
    cr_assert_eq(fs_read_file(fs_posix(), "configs/gnomon.yml", 1 << 20, &committed, &why), ERR_OK, "%s", why.text);
    config_print_example(&made);
    cr_expect_str_eq(buf_cstr(&committed), buf_cstr(&made), "run: gnomon --help-config >configs/gnomon.yml");
    buf_deinit(&committed);
    buf_deinit(&made);
}

Test(config_yaml, effective_values_read_back_as_they_are)
{
    struct config *c = config_new(), *again = config_new();
    struct errmsg why = {0};
    cr_assert_eq(config_set(c, "storage.path", "a \"b\"\\\n\tc: #", &why), ERR_OK);
    cr_assert_eq(config_set(c, "query.timeout", "90s", &why), ERR_OK);
    struct buf yaml = {0};
    config_print_yaml(c, &yaml);
    cr_assert_eq(config_load_yaml(again, "effective", buf_view(&yaml), &why), ERR_OK, "%s", why.text);
    for (int o = 0; o < OPT_COUNT; o++)
        cr_expect_str_eq(config_text(again, (enum config_option)o), config_text(c, (enum config_option)o));
    buf_deinit(&yaml);
    config_free(c);
    config_free(again);
}

Test(config_help, names_every_option_and_fits_the_terminal)
{
    struct buf help = {0};
    config_print_help(&help, 100);
    const char *text = buf_cstr(&help);
    for (int o = 0; o < OPT_COUNT; o++) {
        char flag[80];
        snprintf(flag, sizeof flag, "  --%s", config_name((enum config_option)o));
        cr_expect(strstr(text, flag), "%s", flag);
    }
    for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
        cr_expect(strcspn(p, "\n") <= 100, "%.120s", p);
    buf_deinit(&help);
}
