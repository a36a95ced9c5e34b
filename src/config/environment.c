/*
 * environment.c - settings from GNOMON_STORAGE_PATH and the like, and from VictoriaMetrics' variables.
 *
 * Unknown GNOMON_ variables are noticed, not refused: Kubernetes puts GNOMON_SERVICE_HOST and friends
 * into every container that runs beside a Service named gnomon.
 * VictoriaMetrics' names (dots become underscores, -envflag.prefix in front) count only after
 * -envflag.enable, as there.
 */
#include "config/config_internal.h"

/* Text after "NAME=", or NULL when the entry is not that variable. */
static const char *value_after(const char *entry, const char *prefix, const char *name)
{
    size_t n = strlen(prefix);
    if (strncmp(entry, prefix, n) != 0)
        return NULL;
    for (entry += n; *name; name++, entry++)
        if (*entry != (*name == '.' ? '_' : *name))
            return NULL;
    return *entry == '=' ? entry + 1 : NULL;
}

static bool kubernetes_wrote_it(const char *name)
{
    return strstr(name, "_SERVICE_") || strstr(name, "_PORT");
}

static void notice_unknown(struct config *c, const char *entry)
{
    struct slice name = slice_of(entry, strcspn(entry, "="));
    char *dotted = arena_strdup(&c->arena, slice_from(name, strlen("GNOMON_")));
    for (char *p = dotted; *p; p++)
        *p = *p == '_' ? '.' : *p;
    const char *near = nearest_option(slice_str(dotted));
    enum config_option option = near ? option_by_name(slice_str(near)) : OPT_COUNT;
    if (option == OPT_COUNT && kubernetes_wrote_it(entry))
        return;
    config_notify(c, "environment variable %.*s is not a setting%s%s", SLICE_ARG(name), near ? "; did you mean " : "",
                  near ? option_env_name(option, &c->arena) : "");
}

static enum err load_own(struct config *c, const char *entry, struct errmsg *why)
{
    struct slice name = slice_of(entry, strcspn(entry, "="));
    for (int i = 0; i < OPT_COUNT; i++) {
        const char *ours = option_env_name((enum config_option)i, &c->arena);
        if (!slice_eq_str(name, ours))
            continue;
        const char *place = arena_printf(&c->arena, "environment %s", ours);
        struct slice text = slice_str(entry + name.len + (entry[name.len] == '='));
        return config_assign(c, (enum config_option)i, CONFIG_FROM_ENV, place, text, why);
    }
    notice_unknown(c, entry);
    return ERR_OK;
}

static enum err load_alias(struct config *c, const char *entry, struct errmsg *why)
{
    for (uint32_t i = 0; i < config_alias_count; i++) {
        const struct alias *alias = &config_aliases[i];
        if (alias->family != FAMILY_VICTORIAMETRICS)
            continue;
        const char *text = value_after(entry, c->env_prefix, alias->name);
        if (!text)
            continue;
        const char *place = arena_printf(&c->arena, "environment %.*s", (int)strcspn(entry, "="), entry);
        return config_assign_alias(c, alias, CONFIG_FROM_ENV, place, slice_str(text), why);
    }
    return ERR_OK;
}

enum err config_load_env(struct config *c, char *const *env, struct errmsg *why)
{
    static const char own[] = "GNOMON_";
    for (; *env; env++) {
        if (!strncmp(*env, own, sizeof own - 1))
            TRY(load_own(c, *env, why));
        else if (c->env_aliases)
            TRY(load_alias(c, *env, why));
    }
    return ERR_OK;
}
