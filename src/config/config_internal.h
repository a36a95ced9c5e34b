/*
 * config_internal.h - what the files of this folder share: the option table, values, aliases.
 */
#ifndef CONFIG_CONFIG_INTERNAL_H
#define CONFIG_CONFIG_INTERNAL_H

#include "base/arena.h"
#include "base/slice.h"
#include "config/config.h"

enum option_type {
    TYPE_STRING,
    TYPE_BOOL,
    TYPE_DURATION,
    TYPE_BYTES,
    TYPE_MEMORY,
    TYPE_COUNT,
    TYPE_ENUM,
    TYPE_LIST,
    TYPE_SYNC,
    TYPE_SECRET, /* text that is shown nowhere */
    TYPE_RULES,  /* a list whose items may have commas: selectors */
};

enum option_group { GROUP_GENERAL, GROUP_WEB, GROUP_STORAGE, GROUP_INGEST, GROUP_QUERY, GROUP_COUNT };

struct option {
    const char *name;
    enum option_group group;
    enum option_type type;
    const char *def, *allowed, *help;
};

extern const struct option config_options[OPT_COUNT];
extern const char *const config_group_names[GROUP_COUNT];
const char *option_type_word(enum option_type type); /* "duration", for messages; upper-cased in the help */
/* OPT_COUNT when there is none. */
enum config_option option_by_name(struct slice name);
/* GNOMON_QUERY_TIMEOUT for query.timeout; terminated, in the arena. */
char *option_env_name(enum config_option option, struct arena *arena);

/* A parsed value.  `number` by type: ms, bytes, count, 0/1, per cent (MEMORY with `percent`). */
struct value {
    const char *text;   /* canonical; NULL until set */
    const char *secret; /* SECRET: the text itself; `text` is what is shown */
    uint64_t number;
    bool percent;
    enum config_sync sync;
    const char **items;  /* LIST, RULES */
    const char **places; /* RULES: where each stands, for messages */
    uint32_t item_count;
};
/* ERR_INVALID with `"x" is not a duration; allowed: ...`; `out` is untouched then. */
MUST_CHECK enum err value_parse(const struct option *option, struct slice text, struct arena *arena, struct value *out,
                                struct errmsg *why);
void value_append(struct value *list, const struct value *more, struct arena *arena);
bool duration_parse(struct slice text, uint64_t *ms); /* "1h30m", "1.5h", "0" */
void duration_print(uint64_t ms, struct buf *out);
/* kilo: what KB means, 1000 or 1024; KiB is always 1024. */
bool bytes_parse(struct slice text, unsigned kilo, uint64_t *bytes);
void bytes_print(uint64_t bytes, struct buf *out);

/* Other servers' names of settings. */
enum alias_kind {
    ALIAS_SAME,      /* same meaning, same spelling of values */
    ALIAS_DURATION,  /* plain number = seconds */
    ALIAS_RETENTION, /* plain number = months of 31 days */
    ALIAS_BYTES,     /* KB = 1000 */
    ALIAS_PERCENT, /* its fraction does not count */
    ALIAS_SERIES,  /* -1: counted, no bound */
    ALIAS_LOG_LEVEL,
    ALIAS_LOG_FORMAT,
    ALIAS_CORS_OFF,
    ALIAS_ENV_ENABLE,
    ALIAS_ENV_PREFIX,
    ALIAS_IGNORED, /* accepted with a notice */
    ALIAS_REFUSED, /* guards access: an error unless empty or false */
};
enum alias_family { FAMILY_VICTORIAMETRICS, FAMILY_PROMETHEUS };
struct alias {
    const char *name; /* a '*' at the end stands for any rest */
    enum alias_family family;
    enum alias_kind kind;
    bool is_bool;
    enum config_option option; /* OPT_COUNT for the kinds without */
    const char *note;          /* IGNORED, REFUSED: why */
};
extern const struct alias config_aliases[];
extern const uint32_t config_alias_count;
const struct alias *alias_by_name(struct slice name);
/* What the alias' value is in our spelling; in the arena. */
MUST_CHECK enum err alias_translate(const struct alias *alias, struct slice text, struct arena *arena,
                                    struct slice *out, struct errmsg *why);

/* The nearest known name ("--query.timeout"), or NULL when nothing is near. */
const char *nearest_name(struct slice name, struct arena *arena);
/* The same among our own names only, without dashes: for YAML keys. */
const char *nearest_option(struct slice name);

struct setting {
    struct value value;
    enum config_source source;
    bool set;          /* by other than the default */
    const char *place; /* where it was set, for messages */
};

struct config {
    struct arena arena;
    struct setting settings[OPT_COUNT];
    enum config_action action;
    bool env_aliases;       /* -envflag.enable */
    const char *env_prefix; /* -envflag.prefix */
    const char **notices;
    size_t notice_count, notice_capacity;
};
/* Checks and keeps a value unless a stronger source set the option before. `place` names where it stands. */
MUST_CHECK enum err config_assign(struct config *c, enum config_option option, enum config_source source,
                                  const char *place, struct slice text, struct errmsg *why);
MUST_CHECK enum err config_assign_alias(struct config *c, const struct alias *alias, enum config_source source,
                                        const char *place, struct slice text, struct errmsg *why);
void config_notify(struct config *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_CHECK enum err config_load_flags(struct config *c, int argc, char *const *argv, struct errmsg *why);
MUST_CHECK enum err config_load_env(struct config *c, char *const *env, struct errmsg *why);

#endif
