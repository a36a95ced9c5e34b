/*
 * config.c - keeping settings: defaults, who wins, lookups, notices.
 *
 * A value is checked wherever it comes from, also when a stronger source has set the option already:
 * a broken file must not hide behind a flag.
 */
#include "config/config.h"

#include <stdarg.h>

#include "base/assert.h"
#include "base/mem.h"
#include "config/config_internal.h"

enum { CONFIG_FILE_BYTES_MAX = 1 << 20 };

struct config *config_new(void)
{
    struct config *c = MEM_NEW(struct config);
    arena_init(&c->arena, NULL);
    c->env_prefix = "";
    for (int i = 0; i < OPT_COUNT; i++) {
        struct errmsg why = {0};
        enum err err =
            value_parse(&config_options[i], slice_str(config_options[i].def), &c->arena, &c->settings[i].value, &why);
        assert(err == ERR_OK);
    }
    return c;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    mem_free(c->notices);
    arena_deinit(&c->arena);
    mem_free(c);
}

void config_notify(struct config *c, const char *fmt, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    c->notices = mem_grow(c->notices, &c->notice_capacity, c->notice_count + 1, sizeof *c->notices);
    c->notices[c->notice_count++] = arena_strdup(&c->arena, buf_view(&text));
    buf_deinit(&text);
}

enum err config_assign(struct config *c, enum config_option option, enum config_source source, const char *place,
                       struct slice text, struct errmsg *why)
{
    struct value value;
    enum err err = value_parse(&config_options[option], text, &c->arena, &value, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "%s", place);
    for (uint32_t i = 0; value.places && i < value.item_count; i++)
        value.places[i] = arena_strdup(&c->arena, slice_str(place));
    struct setting *s = &c->settings[option];
    if (s->set && s->source > source)
        return ERR_OK;
    bool again = s->set && s->source == source;
    enum option_type type = config_options[option].type;
    if (again && (type == TYPE_LIST || type == TYPE_RULES)) {
        value_append(&s->value, &value, &c->arena);
        return ERR_OK;
    }
    if (again)
        config_notify(c, "%s is set more than once; the last value, \"%s\", counts", config_options[option].name,
                      value.text);
    *s = (struct setting){
        .value = value, .source = source, .set = true, .place = arena_strdup(&c->arena, slice_str(place))};
    return ERR_OK;
}

enum err config_set(struct config *c, const char *name, const char *value, struct errmsg *why)
{
    enum config_option option = option_by_name(slice_str(name));
    if (option == OPT_COUNT)
        return err_set(why, ERR_INVALID, "unknown option \"%s\"", name);
    return config_assign(c, option, CONFIG_FROM_FLAG, name, slice_str(value), why);
}

static enum err load_file(struct config *c, struct fs *fs, struct errmsg *why)
{
    const char *path = config_string(c, OPT_CONFIG_FILE);
    if (!*path)
        return ERR_OK;
    const char *place = c->settings[OPT_CONFIG_FILE].place;
    struct fs_stat stat;
    enum err err = fs_stat_path(fs, path, &stat, why);
    if (err == ERR_OK && stat.is_dir)
        err = err_set(why, ERR_INVALID, "%s is a directory, not a file", path);
    else if (err == ERR_OK && stat.is_special)
        err = err_set(why, ERR_INVALID, "%s is not a regular file", path);
    struct buf text = {0};
    if (err == ERR_OK)
        err = fs_read_file(fs, path, CONFIG_FILE_BYTES_MAX, &text, why);
    if (err != ERR_OK)
        err = err_wrap(why, err, "%s", place);
    else
        err = config_load_yaml(c, path, buf_view(&text), why);
    buf_deinit(&text);
    return err;
}

enum err config_load(struct config *c, const struct config_sources *sources, struct errmsg *why)
{
    TRY(config_load_flags(c, sources->argc, sources->argv, why));
    if (c->action != CONFIG_SERVE)
        return ERR_OK; /* --help must work with a broken environment too */
    if (sources->env)
        TRY(config_load_env(c, sources->env, why));
    return load_file(c, sources->fs, why);
}

enum config_action config_action(const struct config *c)
{
    return c->action;
}

static const struct value *value_of(const struct config *c, enum config_option option, enum option_type type)
{
    assert(option < OPT_COUNT);
    assert(config_options[option].type == type);
    return &c->settings[option].value;
}

const char *config_string(const struct config *c, enum config_option option)
{
    assert(option < OPT_COUNT);
    enum option_type type = config_options[option].type;
    assert(type == TYPE_STRING || type == TYPE_ENUM);
    return c->settings[option].value.text;
}

const char *config_secret(const struct config *c, enum config_option option)
{
    return value_of(c, option, TYPE_SECRET)->secret;
}

bool config_bool(const struct config *c, enum config_option option)
{
    return value_of(c, option, TYPE_BOOL)->number != 0;
}

int64_t config_duration_ms(const struct config *c, enum config_option option)
{
    return (int64_t)value_of(c, option, TYPE_DURATION)->number;
}

uint64_t config_bytes(const struct config *c, enum config_option option)
{
    return value_of(c, option, TYPE_BYTES)->number;
}

uint64_t config_count(const struct config *c, enum config_option option)
{
    return value_of(c, option, TYPE_COUNT)->number;
}

uint64_t config_memory(const struct config *c, enum config_option option, uint64_t whole)
{
    const struct value *v = value_of(c, option, TYPE_MEMORY);
    return v->percent ? whole / 100 * v->number : v->number;
}

const char *const *config_list(const struct config *c, enum config_option option, uint32_t *count)
{
    const struct value *v = value_of(c, option, TYPE_LIST);
    *count = v->item_count;
    return v->items;
}

const char *const *config_rules(const struct config *c, enum config_option option, const char *const **places,
                                uint32_t *count)
{
    const struct value *v = value_of(c, option, TYPE_RULES);
    *count = v->item_count;
    *places = v->places;
    return v->items;
}

bool config_list_has(const struct config *c, enum config_option option, const char *item)
{
    const struct value *v = value_of(c, option, TYPE_LIST);
    for (uint32_t i = 0; i < v->item_count; i++)
        if (!strcmp(v->items[i], item))
            return true;
    return false;
}

enum config_sync config_sync(const struct config *c, int64_t *interval_ms)
{
    const struct value *v = value_of(c, OPT_WAL_SYNC, TYPE_SYNC);
    *interval_ms = (int64_t)v->number;
    return v->sync;
}

const char *config_name(enum config_option option)
{
    assert(option < OPT_COUNT);
    return config_options[option].name;
}

const char *config_text(const struct config *c, enum config_option option)
{
    assert(option < OPT_COUNT);
    return c->settings[option].value.text;
}

enum config_source config_source(const struct config *c, enum config_option option)
{
    assert(option < OPT_COUNT);
    return c->settings[option].source;
}

uint32_t config_notice_count(const struct config *c)
{
    return (uint32_t)c->notice_count;
}

const char *config_notice(const struct config *c, uint32_t index)
{
    assert(index < c->notice_count);
    return c->notices[index];
}
