/*
 * help.c - the option table as text for people: --help, --help-config, and the values in effect.
 */
#include <ctype.h>

#include "config/config_internal.h"

enum { NAME_COLUMN = 2, HELP_COLUMN = 38, WIDTH_MIN = 60, WIDTH_MAX = 120 };

static void trim_spaces(struct buf *out)
{
    while (out->len && out->data[out->len - 1] == ' ')
        out->len--;
}

/* Words of text from `column` on, broken at `width`; ends the line. */
static void wrap(struct buf *out, const char *text, unsigned column, unsigned indent, unsigned width)
{
    while (*text) {
        unsigned n = (unsigned)strcspn(text, " ");
        if (column + n > width && column > indent) {
            trim_spaces(out);
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        buf_printf(out, "%.*s ", (int)n, text);
        column += n + 1;
        text += n + (text[n] == ' ');
    }
    trim_spaces(out);
    buf_u8(out, '\n');
}

static void value_word(const struct option *o, struct buf *out)
{
    if (o->type == TYPE_BOOL)
        return;
    buf_u8(out, '=');
    for (const char *p = option_type_word(o->type); *p; p++)
        buf_u8(out, (uint8_t)toupper((unsigned char)*p));
}

/* "debug|info" as people read it; one long word would not wrap. */
static void print_allowed(const struct option *o, struct buf *out)
{
    const char *between = o->type == TYPE_LIST ? ", " : "|";
    buf_str(out, o->type == TYPE_LIST ? "any of " : o->type == TYPE_ENUM ? "one of " : "");
    for (const char *p = o->allowed; *p;) {
        size_t n = strcspn(p, "|");
        buf_append(out, p, n);
        p += n;
        if (*p++ != '|')
            break;
        buf_str(out, between);
    }
}

/* "Samples that one query may hold at once. (1..; default: 50000000)" */
static void describe(const struct option *o, struct buf *out)
{
    buf_printf(out, "%s (", o->help);
    if (*o->allowed) {
        print_allowed(o, out);
        buf_str(out, "; ");
    }
    buf_printf(out, "default: %s)", *o->def ? o->def : "none");
}

static void print_option(const struct option *o, struct buf *out, unsigned width)
{
    size_t start = out->len;
    buf_printf(out, "%*s--%s", NAME_COLUMN, "", o->name);
    value_word(o, out);
    unsigned column = (unsigned)(out->len - start);
    if (column + 2 > HELP_COLUMN) {
        buf_u8(out, '\n');
        column = 0;
    }
    buf_printf(out, "%*s", (int)(HELP_COLUMN - column), "");
    struct buf text = {0};
    describe(o, &text);
    wrap(out, buf_cstr(&text), HELP_COLUMN, HELP_COLUMN, width);
    buf_deinit(&text);
}

void config_print_help(struct buf *out, unsigned width)
{
    width = width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
    for (int g = 0; g < GROUP_COUNT; g++) {
        buf_printf(out, "%s:\n", config_group_names[g]);
        for (int i = 0; i < OPT_COUNT; i++)
            if (config_options[i].group == (enum option_group)g)
                print_option(&config_options[i], out, width);
        buf_u8(out, '\n');
    }
    buf_str(out, "Help:\n"
                 "  --help                              This text.\n"
                 "  --help-config                       A config file with every setting and its default.\n"
                 "  --version                           Version and revision.\n\n");
    wrap(out,
         "DURATION: a number with y, w, d, h, m, s or ms (1h30m). SIZE: a number with B, KB, MB, GB or TB, powers of "
         "1024. MEMORY: a size, or a share such as 25%. LIST: words separated by commas, or the flag repeated. A bool "
         "is switched on by its name and off by --no-NAME.",
         0, 0, width);
    wrap(out,
         "Every setting is also an environment variable (query.timeout is GNOMON_QUERY_TIMEOUT) and a key of the YAML "
         "file (--config.file). A flag wins over the environment, the environment over the file. VictoriaMetrics' and "
         "Prometheus' names of the same settings are accepted (docs/configuration.md).",
         0, 0, width);
}

static void comment(struct buf *out, const char *text)
{
    struct buf lines = {0};
    wrap(&lines, text, 2, 0, 98);
    const char *p = buf_cstr(&lines);
    while (*p) {
        size_t n = strcspn(p, "\n");
        buf_printf(out, "# %.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
    buf_deinit(&lines);
}

/* Double quotes with the escapes that YAML and C share; plain when nothing could be misread. */
static void yaml_scalar(struct buf *out, const char *text)
{
    bool plain = isalnum((unsigned char)*text);
    for (const char *p = text; *p; p++)
        plain = plain && (isalnum((unsigned char)*p) || strchr("._-/%", *p));
    if (plain) {
        buf_str(out, text);
        return;
    }
    buf_u8(out, '"');
    for (const char *p = text; *p; p++) {
        unsigned char byte = (unsigned char)*p;
        if (byte == '"' || byte == '\\')
            buf_printf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            buf_printf(out, "\\x%02x", byte);
        else
            buf_u8(out, byte);
    }
    buf_u8(out, '"');
}

void config_print_example(struct buf *out)
{
    buf_str(out, "# Settings of gnomon, each with its default. Uncomment what you change.\n"
                 "# Names may also be nested at their dots. A flag (--query.timeout=30s) and an environment variable\n"
                 "# (GNOMON_QUERY_TIMEOUT=30s) win over this file. Made by: gnomon --help-config\n");
    for (int g = 0; g < GROUP_COUNT; g++) {
        buf_printf(out, "\n## %s\n", config_group_names[g]);
        for (int i = 0; i < OPT_COUNT; i++) {
            const struct option *o = &config_options[i];
            if (o->group != (enum option_group)g || i == OPT_CONFIG_FILE)
                continue;
            struct buf text = {0};
            describe(o, &text);
            buf_u8(out, '\n');
            comment(out, buf_cstr(&text));
            buf_deinit(&text);
            buf_printf(out, "#%s: ", o->name);
            yaml_scalar(out, o->def);
            buf_u8(out, '\n');
        }
    }
}

void config_print_yaml(const struct config *c, struct buf *out)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        if (i == OPT_CONFIG_FILE)
            continue;
        buf_printf(out, "%s: ", config_options[i].name);
        yaml_scalar(out, config_text(c, (enum config_option)i));
        buf_u8(out, '\n');
    }
}
