/*
 * yaml.c - the config file: the option names, nested at their dots or written whole.
 *
 *     storage:                      storage.path: /data
 *       path: /data        or       storage.retention.time: 90d
 *       retention:
 *         time: 90d
 *
 * Every slip is named with file, line and column: broken YAML, unknown names (with the nearest known
 * one), a name given twice, a list or mapping where a value belongs.  Aliases (&a, *a) are refused:
 * nothing here is long enough to need them, and they are how small files become big ones.
 */
#include <yaml.h>

#include "config/config_internal.h"

enum { DEPTH_MAX = 8, PATH_BYTES_MAX = 128 };

struct reader {
    struct config *config;
    const char *source;
    yaml_parser_t parser;
    bool seen[OPT_COUNT];
    struct errmsg *why;
};

static enum err complain(struct reader *r, yaml_mark_t mark, const char *fmt, ...) PRINTF_LIKE(3, 4);
static enum err complain(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
    struct buf text = {.limit = sizeof r->why->text};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    err_set(r->why, ERR_INVALID, "%s:%zu:%zu: %s", r->source, mark.line + 1, mark.column + 1, buf_cstr(&text));
    buf_deinit(&text);
    return ERR_INVALID;
}

/* The next event; the caller deletes it. */
static enum err next_event(struct reader *r, yaml_event_t *event)
{
    if (!yaml_parser_parse(&r->parser, event)) {
        const char *problem = r->parser.problem ? r->parser.problem : "not readable";
        yaml_mark_t mark = r->parser.problem_mark;
        if (r->parser.error == YAML_READER_ERROR)
            return complain(r, mark, "not YAML: %s at byte %zu", problem, r->parser.problem_offset);
        return complain(r, mark, "not YAML: %s", problem);
    }
    if (event->type == YAML_ALIAS_EVENT) {
        yaml_mark_t mark = event->start_mark;
        yaml_event_delete(event);
        return complain(r, mark, "aliases (*name) are not allowed here");
    }
    return ERR_OK;
}

static bool is_prefix(const char *path)
{
    size_t n = strlen(path);
    for (int i = 0; i < OPT_COUNT; i++)
        if (!strncmp(config_options[i].name, path, n) && config_options[i].name[n] == '.')
            return true;
    return n == 0;
}

static bool is_null(const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null"));
}

static enum err unknown_key(struct reader *r, yaml_mark_t mark, const char *path)
{
    const char *near = nearest_option(slice_str(path));
    return complain(r, mark, "unknown setting \"%s\"%s%s%s", path, near ? "; did you mean " : "", near ? near : "",
                    near ? "?" : "");
}

static enum err assign(struct reader *r, yaml_mark_t mark, enum config_option option, const yaml_event_t *e)
{
    struct slice text = slice_of(e->data.scalar.value, e->data.scalar.length);
    if (is_null(e))
        return complain(r, mark, "%s has no value", config_name(option));
    const char *place = arena_printf(&r->config->arena, "%s:%zu:%zu: %s", r->source, e->start_mark.line + 1,
                                     e->start_mark.column + 1, config_name(option));
    return config_assign(r->config, option, CONFIG_FROM_FILE, place, text, r->why);
}

/* {match: '{job="dev"}', keep: 7d} as `{job="dev"}:7d`. */
static enum err read_rule(struct reader *r, enum config_option option, yaml_mark_t start)
{
    const char *match = NULL, *keep = NULL;
    for (;;) {
        yaml_event_t key, value = {0};
        TRY(next_event(r, &key));
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            break;
        }
        const char *name = key.type == YAML_SCALAR_EVENT ? (const char *)key.data.scalar.value : "";
        const char **place = !strcmp(name, "match") ? &match : !strcmp(name, "keep") ? &keep : NULL;
        enum err err = place && !*place
                           ? next_event(r, &value)
                           : complain(r, key.start_mark, "a rule of %s has \"match\" and \"keep\", once each",
                                      config_name(option));
        if (err == ERR_OK && (value.type != YAML_SCALAR_EVENT || !value.data.scalar.length))
            err = complain(r, value.start_mark, "\"%s\" of a rule is a plain value", name);
        if (err == ERR_OK)
            *place = arena_strdup(&r->config->arena, slice_of(value.data.scalar.value, value.data.scalar.length));
        yaml_event_delete(&key);
        yaml_event_delete(&value);
        if (err != ERR_OK)
            return err;
    }
    if (!match || !keep)
        return complain(r, start, "a rule of %s needs \"match\" and \"keep\"", config_name(option));
    const char *place = arena_printf(&r->config->arena, "%s:%zu:%zu: %s", r->source, start.line + 1, start.column + 1,
                                     config_name(option));
    return config_assign(r->config, option, CONFIG_FROM_FILE, place,
                         slice_str(arena_printf(&r->config->arena, "%s:%s", match, keep)), r->why);
}

static enum err read_list(struct reader *r, enum config_option option)
{
    for (;;) {
        yaml_event_t e;
        TRY(next_event(r, &e));
        yaml_event_type_t type = e.type;
        enum err err = ERR_OK;
        if (type == YAML_SCALAR_EVENT)
            err = assign(r, e.start_mark, option, &e);
        else if (type == YAML_MAPPING_START_EVENT && option == OPT_STORAGE_RETENTION_RULES)
            err = read_rule(r, option, e.start_mark);
        else if (type != YAML_SEQUENCE_END_EVENT)
            err = complain(r, e.start_mark, "items of %s must be plain values", config_name(option));
        yaml_event_delete(&e);
        if (err != ERR_OK || type == YAML_SEQUENCE_END_EVENT)
            return err;
    }
}

static enum err read_mapping(struct reader *r, char path[PATH_BYTES_MAX], int depth);

/* What stands after a key: a value, a list, or a mapping that goes deeper. */
static enum err read_node(struct reader *r, char path[PATH_BYTES_MAX], yaml_mark_t key, yaml_event_t *e, int depth)
{
    enum config_option option = option_by_name(slice_str(path));
    bool deeper = is_prefix(path);
    if (option == OPT_COUNT && !deeper)
        return unknown_key(r, key, path);
    if (e->type == YAML_MAPPING_START_EVENT) {
        if (!deeper)
            return complain(r, e->start_mark, "%s is one value, not a mapping", path);
        return read_mapping(r, path, depth + 1);
    }
    if (option == OPT_COUNT) {
        if (e->type == YAML_SCALAR_EVENT && is_null(e))
            return ERR_OK; /* "storage:" with everything below commented out */
        return complain(r, e->start_mark, "%s has settings below it and no value of its own", path);
    }
    if (r->seen[option])
        return complain(r, key, "%s is set twice in this file", path);
    r->seen[option] = true;
    if (e->type == YAML_SCALAR_EVENT)
        return assign(r, key, option, e);
    if (config_options[option].type != TYPE_LIST && config_options[option].type != TYPE_RULES)
        return complain(r, e->start_mark, "%s is one value, not a list", path);
    return read_list(r, option);
}

static enum err read_pair(struct reader *r, char path[PATH_BYTES_MAX], const yaml_event_t *key, int depth)
{
    size_t base = strlen(path);
    const char *name = (const char *)key->data.scalar.value;
    if (key->type != YAML_SCALAR_EVENT)
        return complain(r, key->start_mark, "a key must be a plain word");
    if (strlen(name) != key->data.scalar.length || base + key->data.scalar.length + 2 > PATH_BYTES_MAX)
        return complain(r, key->start_mark, "this key is no setting's name");
    snprintf(path + base, PATH_BYTES_MAX - base, "%s%s", base ? "." : "", name);
    yaml_event_t value;
    enum err err = next_event(r, &value);
    if (err == ERR_OK) {
        err = read_node(r, path, key->start_mark, &value, depth);
        yaml_event_delete(&value);
    }
    path[base] = '\0';
    return err;
}

static enum err read_mapping(struct reader *r, char path[PATH_BYTES_MAX], int depth)
{
    for (;;) {
        yaml_event_t key;
        TRY(next_event(r, &key));
        yaml_event_type_t type = key.type;
        enum err err = ERR_OK;
        if (type != YAML_MAPPING_END_EVENT)
            err = depth > DEPTH_MAX ? complain(r, key.start_mark, "nested deeper than any setting")
                                    : read_pair(r, path, &key, depth);
        yaml_event_delete(&key);
        if (err != ERR_OK || type == YAML_MAPPING_END_EVENT)
            return err;
    }
}

/* Only one document, and that one empty or a mapping. */
static enum err read_stream(struct reader *r)
{
    char path[PATH_BYTES_MAX] = "";
    for (unsigned documents = 0;;) {
        yaml_event_t e;
        TRY(next_event(r, &e));
        yaml_event_type_t type = e.type;
        enum err err = ERR_OK;
        if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            err = complain(r, e.start_mark, "a second document; only one is read");
        else if (type == YAML_MAPPING_START_EVENT)
            err = read_mapping(r, path, 1);
        else if (type == YAML_SEQUENCE_START_EVENT || (type == YAML_SCALAR_EVENT && !is_null(&e)))
            err = complain(r, e.start_mark, "expected settings as \"name: value\"");
        yaml_event_delete(&e);
        if (err != ERR_OK || type == YAML_STREAM_END_EVENT)
            return err;
    }
}

enum err config_load_yaml(struct config *c, const char *source, struct slice yaml, struct errmsg *why)
{
    struct errmsg unread = {{0}};
    struct reader r = {.config = c, .source = source, .why = why ? why : &unread};
    if (!yaml_parser_initialize(&r.parser))
        return err_set(why, ERR_NO_MEMORY, "%s: no memory for the YAML parser", source);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, yaml.data ? yaml.data : (const uint8_t *)"", yaml.len);
    enum err err = read_stream(&r);
    yaml_parser_delete(&r.parser);
    return err;
}
