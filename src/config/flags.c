/*
 * flags.c - the command line: --name=value, --name value, -name=value, --switch, --no-switch.
 *
 * One dash or two is the same (VictoriaMetrics' manuals write one, Prometheus' two).  A bool takes its
 * value only after '=', so that "--web.enable-lifecycle other" does not eat the next word.
 */
#include "config/config_internal.h"

struct flag {
    struct slice dashed; /* as written, without "=value" */
    struct slice name;   /* without dashes */
    struct slice value;
    bool has_value;
    enum config_option option; /* OPT_COUNT: see alias */
    const struct alias *alias;
    bool negated; /* --no-x */
};

static struct flag flag_split(const char *word)
{
    struct flag f = {.dashed = slice_str(word), .option = OPT_COUNT};
    const char *equals = strchr(word, '=');
    if (equals) {
        f.dashed.len = (size_t)(equals - word);
        f.value = slice_str(equals + 1);
        f.has_value = true;
    }
    size_t dashes = f.dashed.len > 1 && f.dashed.data[1] == '-' ? 2 : 1;
    f.name = slice_from(f.dashed, dashes);
    return f;
}

static bool flag_find(struct flag *f)
{
    static const struct slice no = SLICE_LIT("no-");
    f->option = option_by_name(f->name);
    if (f->option == OPT_COUNT)
        f->alias = alias_by_name(f->name);
    if (f->option != OPT_COUNT || f->alias)
        return true;
    if (!slice_starts_with(f->name, no))
        return false;
    struct slice rest = slice_from(f->name, no.len);
    enum config_option option = option_by_name(rest);
    const struct alias *alias = alias_by_name(rest);
    if (option != OPT_COUNT ? config_options[option].type != TYPE_BOOL : !alias || !alias->is_bool)
        return false;
    f->option = option;
    f->alias = option == OPT_COUNT ? alias : NULL;
    f->negated = true;
    return true;
}

static bool flag_is_bool(const struct flag *f)
{
    return f->alias ? f->alias->is_bool : config_options[f->option].type == TYPE_BOOL;
}

/* --help and friends; true when the word was one. */
static bool take_action(struct config *c, const struct flag *f)
{
    if (slice_eq_str(f->name, "help") || slice_eq_str(f->dashed, "-h"))
        c->action = CONFIG_HELP;
    else if (slice_eq_str(f->name, "help-config"))
        c->action = CONFIG_HELP_CONFIG;
    else if (slice_eq_str(f->name, "version"))
        c->action = CONFIG_VERSION;
    else
        return false;
    return true;
}

static enum err unknown(struct config *c, const struct flag *f, struct errmsg *why)
{
    const char *near = nearest_name(f->name, &c->arena);
    return err_set(why, ERR_INVALID, "unknown flag \"%.*s\"%s%s%s; --help lists all flags", SLICE_ARG(f->dashed),
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* One of a family without effect ("promscrape.*"): nobody knows here which of them are switches. */
static bool value_optional(const struct flag *f)
{
    return f->alias && f->alias->kind == ALIAS_IGNORED && strchr(f->alias->name, '*');
}

static enum err flag_value(struct flag *f, const char *next, bool *took_next, struct errmsg *why)
{
    *took_next = false;
    if (f->negated && f->has_value)
        return err_set(why, ERR_INVALID, "flag %.*s takes no value", SLICE_ARG(f->dashed));
    if (f->has_value)
        return ERR_OK;
    if (flag_is_bool(f) || (value_optional(f) && (!next || next[0] == '-'))) {
        f->value = f->negated ? SLICE_LIT("false") : SLICE_LIT("true");
        return ERR_OK;
    }
    if (!next)
        return err_set(why, ERR_INVALID, "flag %.*s needs a value", SLICE_ARG(f->dashed));
    f->value = slice_str(next);
    *took_next = true;
    return ERR_OK;
}

static enum err flag_apply(struct config *c, const struct flag *f, struct errmsg *why)
{
    const char *place = arena_printf(&c->arena, "flag %.*s", SLICE_ARG(f->dashed));
    if (f->alias)
        return config_assign_alias(c, f->alias, CONFIG_FROM_FLAG, place, f->value, why);
    return config_assign(c, f->option, CONFIG_FROM_FLAG, place, f->value, why);
}

enum err config_load_flags(struct config *c, int argc, char *const *argv, struct errmsg *why)
{
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            return err_set(why, ERR_INVALID, "\"%s\" is not a flag; flags start with a dash, see --help", argv[i]);
        struct flag f = flag_split(argv[i]);
        if (take_action(c, &f))
            return ERR_OK;
        if (!flag_find(&f))
            return unknown(c, &f, why);
        bool took_next;
        TRY(flag_value(&f, i + 1 < argc ? argv[i + 1] : NULL, &took_next, why));
        i += took_next;
        TRY(flag_apply(c, &f, why));
    }
    return ERR_OK;
}
