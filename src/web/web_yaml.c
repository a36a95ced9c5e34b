/*
 * web_yaml.c - the configuration file as libyaml's events: mappings with known names, lists, texts.
 *
 * As strict as Prometheus' reader: unknown names and names given twice are errors, and every error has
 * file, line and column.  Anchors and aliases are refused; nothing here is long enough to need them.
 */
#include <stdarg.h>
#include <strings.h>

#include "web/web_internal.h"

enum { PAIRS_MAX = 4096, ITEMS_MAX = 256 };

enum err web_complain(struct web_reader *r, yaml_mark_t at, const char *fmt, ...)
{
    struct buf text = {.limit = sizeof r->why->text};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    err_set(r->why, ERR_INVALID, "%s:%zu:%zu: %s", r->path, at.line + 1, at.column + 1, buf_cstr(&text));
    buf_deinit(&text);
    return ERR_INVALID;
}

/* The next event; the caller deletes it when this is ERR_OK. */
static enum err next_event(struct web_reader *r, yaml_event_t *e)
{
    if (!yaml_parser_parse(&r->parser, e)) {
        const char *problem = r->parser.problem ? r->parser.problem : "not readable";
        return web_complain(r, r->parser.problem_mark, "not YAML: %s", problem);
    }
    bool anchored = (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
                    (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor) ||
                    (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor);
    if (e->type != YAML_ALIAS_EVENT && !anchored)
        return ERR_OK;
    yaml_mark_t at = e->start_mark;
    yaml_event_delete(e);
    return web_complain(r, at, "anchors and aliases are not allowed here");
}

static bool is_null(const yaml_event_t *e)
{
    if (e->type != YAML_SCALAR_EVENT || e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = (const char *)e->data.scalar.value;
    return !*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") || !strcmp(text, "NULL");
}

enum err web_yaml_text(struct web_reader *r, const yaml_event_t *e, const char *what, struct slice *out)
{
    *out = (struct slice){0};
    if (e->type != YAML_SCALAR_EVENT)
        return web_complain(r, e->start_mark, "%s must be a text", what);
    if (is_null(e))
        return ERR_OK;
    struct slice text = slice_of(e->data.scalar.value, e->data.scalar.length);
    if (memchr(text.data, 0, text.len))
        return web_complain(r, e->start_mark, "%s must not contain NUL", what);
    *out = slice_str(arena_strdup(r->arena, text));
    return ERR_OK;
}

enum err web_yaml_bool(struct web_reader *r, const yaml_event_t *e, const char *what, bool *out)
{
    static const char *const words[2][4] = {{"false", "no", "off", "n"}, {"true", "yes", "on", "y"}};
    struct slice text;
    TRY(web_yaml_text(r, e, what, &text));
    for (unsigned v = 0; v < 2; v++)
        for (unsigned i = 0; i < 4; i++)
            if (text.len == strlen(words[v][i]) && !strncasecmp((const char *)text.data, words[v][i], text.len)) {
                *out = v;
                return ERR_OK;
            }
    return web_complain(r, e->start_mark, "%s must be true or false", what);
}

/* The key of a mapping's next pair; *end at its end.  The text is in the arena. */
static enum err next_key(struct web_reader *r, yaml_mark_t *at, const char **name, bool *end)
{
    yaml_event_t e;
    struct slice text;
    TRY(next_event(r, &e));
    *at = e.start_mark;
    *end = e.type == YAML_MAPPING_END_EVENT;
    enum err err = ERR_OK;
    if (!*end) {
        err = web_yaml_text(r, &e, "a name", &text);
        *name = err == ERR_OK && text.data ? (const char *)text.data : "";
    }
    yaml_event_delete(&e);
    return err;
}

static enum err read_value(struct web_reader *r, enum err (*read)(struct web_reader *r, yaml_event_t *value))
{
    yaml_event_t e;
    TRY(next_event(r, &e));
    enum err err = read(r, &e);
    yaml_event_delete(&e);
    return err;
}

enum err web_yaml_mapping(struct web_reader *r, yaml_event_t *e, const char *what, const struct web_field *fields)
{
    uint64_t seen = 0;
    if (is_null(e))
        return ERR_OK;
    if (e->type != YAML_MAPPING_START_EVENT)
        return web_complain(r, e->start_mark, "%s must be a mapping", what);
    for (;;) {
        yaml_mark_t at;
        const char *name;
        bool end;
        unsigned i = 0;
        TRY(next_key(r, &at, &name, &end));
        if (end)
            return ERR_OK;
        while (fields[i].name && strcmp(fields[i].name, name))
            i++;
        if (!fields[i].name)
            return web_complain(r, at, "field %s not found in %s", name, what);
        if (seen & (uint64_t)1 << i)
            return web_complain(r, at, "field %s already set in %s", name, what);
        seen |= (uint64_t)1 << i;
        TRY(read_value(r, fields[i].read));
    }
}

enum err web_yaml_pairs(struct web_reader *r, yaml_event_t *e, const char *what, struct web_pair **out, size_t *count)
{
    size_t capacity = 0, n = 0;
    if (is_null(e))
        return ERR_OK;
    if (e->type != YAML_MAPPING_START_EVENT)
        return web_complain(r, e->start_mark, "%s must be a mapping", what);
    struct web_pair *pairs = NULL;
    enum err err;
    for (;;) {
        yaml_mark_t at;
        const char *name;
        bool end;
        struct slice text;
        yaml_event_t value;
        err = next_key(r, &at, &name, &end);
        if (err != ERR_OK || end)
            break;
        for (size_t i = 0; i < n && err == ERR_OK; i++)
            if (!strcmp(pairs[i].name, name))
                err = web_complain(r, at, "%s already set in %s", name, what);
        if (err == ERR_OK && n == PAIRS_MAX)
            err = web_complain(r, at, "more than %d entries in %s", PAIRS_MAX, what);
        if (err == ERR_OK)
            err = next_event(r, &value);
        if (err != ERR_OK)
            break;
        err = web_yaml_text(r, &value, what, &text);
        yaml_event_delete(&value);
        if (err != ERR_OK)
            break;
        pairs = mem_grow(pairs, &capacity, n + 1, sizeof *pairs);
        pairs[n++] = (struct web_pair){name, text.data ? (const char *)text.data : ""};
    }
    *out = ARENA_ARRAY(r->arena, struct web_pair, n + 1);
    if (n)
        memcpy(*out, pairs, n * sizeof *pairs);
    *count = n;
    mem_free(pairs);
    return err;
}

enum err web_yaml_items(struct web_reader *r, yaml_event_t *e, const char *what,
                        enum err (*item)(struct web_reader *r, const yaml_event_t *e, const char *text))
{
    if (is_null(e))
        return ERR_OK;
    if (e->type != YAML_SEQUENCE_START_EVENT)
        return web_complain(r, e->start_mark, "%s must be a list", what);
    for (size_t n = 0;; n++) {
        yaml_event_t one;
        struct slice text;
        TRY(next_event(r, &one));
        bool end = one.type == YAML_SEQUENCE_END_EVENT;
        enum err err = end ? ERR_OK : web_yaml_text(r, &one, what, &text);
        if (!end && err == ERR_OK)
            err = n < ITEMS_MAX ? item(r, &one, text.data ? (const char *)text.data : "")
                                : web_complain(r, one.start_mark, "more than %d entries in %s", ITEMS_MAX, what);
        yaml_event_delete(&one);
        if (err != ERR_OK || end)
            return err;
    }
}

/* What must come next; anything else is an error. */
static enum err expect(struct web_reader *r, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t e;
    TRY(next_event(r, &e));
    enum err err = e.type == type ? ERR_OK : web_complain(r, e.start_mark, "%s", otherwise);
    yaml_event_delete(&e);
    return err;
}

enum err web_yaml_document(struct web_reader *r, const struct web_field *fields)
{
    yaml_event_t e;
    TRY(expect(r, YAML_STREAM_START_EVENT, "not YAML"));
    TRY(next_event(r, &e));
    yaml_event_type_t type = e.type;
    yaml_event_delete(&e);
    if (type == YAML_STREAM_END_EVENT)
        return ERR_OK; /* an empty file */
    TRY(next_event(r, &e));
    enum err err = web_yaml_mapping(r, &e, "the web configuration", fields);
    yaml_event_delete(&e);
    if (err == ERR_OK)
        err = expect(r, YAML_DOCUMENT_END_EVENT, "this should be the end");
    return err == ERR_OK ? expect(r, YAML_STREAM_END_EVENT, "a second document is not read; there must be one") : err;
}
