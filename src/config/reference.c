/*
 * reference.c - docs/configuration.md from the option table and the aliases, so that it cannot fall behind.
 */
#include "config/config_internal.h"

static const char intro[] =
    "# Settings\n\n"
    "Made from the option table by a test (`config_reference`); change `include/config/options.h` or\n"
    "`src/config/alias.c`, not this page.\n\n"
    "A setting is a flag (`--query.timeout=30s`, `--query.timeout 30s`, one dash or two), an environment variable\n"
    "(`GNOMON_QUERY_TIMEOUT=30s`) or a key of the YAML file named by `--config.file` (nested at its dots or written\n"
    "whole; `configs/gnomon.yml` has them all). A flag wins over the environment, the environment over the file. A\n"
    "list may be given several times on the command line; of anything else the last one counts, with a notice.\n\n"
    "An unknown name or a value that cannot be is an error: one line with the place, the value and what is allowed,\n"
    "exit status 2. Unknown `GNOMON_` variables are only noticed in the log, because Kubernetes makes such.\n\n"
    "| kind of value | written as |\n|---|---|\n"
    "| duration | numbers with `y w d h m s ms`, from large to small: `1h30m`, `90d`, `1.5h`, `0` |\n"
    "| size | a number with `B KB MB GB TB PB EB` or `KiB MiB ...`, all powers of 1024 |\n"
    "| memory | a size, or `1%` to `100%` of what the machine or its cgroup has |\n"
    "| bool | `true` or `false`; as a flag also `--name` and `--no-name` |\n"
    "| list | words separated by commas; a YAML list |\n"
    "| rules | selectors divided by `;` or line ends; a YAML list, one each; as a flag any number of times |\n";

static void print_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_u8(out, '\\');
        buf_u8(out, (uint8_t)*text);
    }
}

static void print_options(struct buf *out, enum option_group group)
{
    buf_printf(out, "\n## %s\n\n| setting | kind | default | allowed | |\n|---|---|---|---|---|\n",
               config_group_names[group]);
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option *o = &config_options[i];
        if (o->group != group)
            continue;
        buf_printf(out, "| `%s` | %s | %s%s%s | ", o->name, option_type_word(o->type), *o->def ? "`" : "", o->def,
                   *o->def ? "`" : "");
        print_cell(out, o->allowed);
        buf_str(out, " | ");
        print_cell(out, o->help);
        buf_str(out, " |\n");
    }
}

static const char *translation(enum alias_kind kind)
{
    switch (kind) {
    case ALIAS_DURATION:
        return "a plain number is seconds";
    case ALIAS_RETENTION:
        return "a plain number is months of 31 days; at least `1d`";
    case ALIAS_BYTES:
        return "`KB` is 1000 bytes, `KiB` 1024";
    case ALIAS_PERCENT:
        return "per cent";
    case ALIAS_SERIES:
        return "`-1` is `0`";
    case ALIAS_LOG_LEVEL:
        return "`INFO WARN ERROR FATAL PANIC`";
    case ALIAS_LOG_FORMAT:
        return "`default` is logfmt";
    case ALIAS_CORS_OFF:
        return "empties it";
    case ALIAS_ENV_ENABLE:
        return "VictoriaMetrics' names also count as environment variables";
    case ALIAS_ENV_PREFIX:
        return "what stands before them";
    default:
        return "";
    }
}

static void print_same(struct buf *out)
{
    buf_str(out, "\n## Names of the same settings elsewhere\n\n"
                 "| VictoriaMetrics, Prometheus | here | |\n|---|---|---|\n");
    for (uint32_t i = 0; i < config_alias_count; i++) {
        const struct alias *a = &config_aliases[i];
        if (a->kind == ALIAS_IGNORED || a->kind == ALIAS_REFUSED)
            continue;
        const char *dashes = a->family == FAMILY_VICTORIAMETRICS ? "-" : "--";
        const char *ours = a->option == OPT_COUNT ? "" : config_options[a->option].name;
        buf_printf(out, "| `%s%s` | %s%s%s | %s |\n", dashes, a->name, *ours ? "`" : "", ours, *ours ? "`" : "",
                   translation(a->kind));
    }
}

static void print_notes(struct buf *out, enum alias_kind kind, const char *head)
{
    buf_printf(out, "%s| name | why |\n|---|---|\n", head);
    for (uint32_t i = 0; i < config_alias_count; i++) {
        const struct alias *a = &config_aliases[i];
        if (a->kind == kind)
            buf_printf(out, "| `%s%s` | %s |\n", a->family == FAMILY_VICTORIAMETRICS ? "-" : "--", a->name, a->note);
    }
}

void config_print_reference(struct buf *out)
{
    buf_str(out, intro);
    for (int g = 0; g < GROUP_COUNT; g++)
        print_options(out, (enum option_group)g);
    print_same(out);
    print_notes(out, ALIAS_REFUSED,
                "\n## Refused\n\nThese guard access in the other server. Starting without the "
                "guard would open the data, so they are errors unless\nempty or false.\n\n");
    print_notes(out, ALIAS_IGNORED,
                "\n## Accepted without effect\n\nSo that a manifest written for the other server "
                "starts this one. Each that is set is named in the log.\n\n");
}
