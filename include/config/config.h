/*
 * config.h - the settings of a process: read once at start, then only looked up.
 *
 *     struct config *c = config_new();
 *     err = config_load(c, &(struct config_sources){argc - 1, argv + 1, environ, fs_posix()}, why);
 *     if (err == ERR_OK && config_action(c) == CONFIG_SERVE)
 *         listen_on(config_list(c, OPT_WEB_LISTEN_ADDRESS, &count));
 *
 * A setting comes from a flag, else from the environment, else from the YAML file, else it has its
 * default.  Everything is checked before anything is used: an unknown name, a bad value, a YAML slip
 * is ERR_INVALID with one line that names the place, the value and what is allowed.
 * VictoriaMetrics' and Prometheus' names of the same settings work as aliases (docs/configuration.md).
 *
 * Ownership: texts and lists that are handed out live as long as the config.
 * Threads:   any, once loaded.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "config/options.h"

enum config_option {
#define CONFIG_ENUM_(id, group, name, type, def, allowed, help) OPT_##id,
    CONFIG_OPTIONS(CONFIG_ENUM_)
#undef CONFIG_ENUM_
        OPT_COUNT
};

/* What a process was asked to do by --help, --help-config, --version; else to serve. */
enum config_action { CONFIG_SERVE, CONFIG_HELP, CONFIG_HELP_CONFIG, CONFIG_VERSION };

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

enum config_sync { CONFIG_SYNC_COMMIT, CONFIG_SYNC_INTERVAL, CONFIG_SYNC_OS };

struct config;

struct config_sources {
    int argc; /* arguments without the program's name and the subcommand */
    char *const *argv;
    char *const *env; /* "NAME=value", NULL at the end; may be NULL */
    struct fs *fs;    /* reads config.file */
};

struct config *config_new(void); /* all defaults */
void config_free(struct config *c);
MUST_CHECK enum err config_load(struct config *c, const struct config_sources *sources, struct errmsg *why);
enum config_action config_action(const struct config *c);

/* Sets one option by name as a flag would; for tests and for what main decides itself. */
MUST_CHECK enum err config_set(struct config *c, const char *name, const char *value, struct errmsg *why);
/* One YAML document; `source` names it in messages. */
MUST_CHECK enum err config_load_yaml(struct config *c, const char *source, struct slice yaml, struct errmsg *why);

/* Lookups.  Asking for an option by another type than its own is a bug and asserts. */
const char *config_string(const struct config *c, enum config_option option); /* STRING, ENUM */
const char *config_secret(const struct config *c, enum config_option option); /* never log or show it */
bool config_bool(const struct config *c, enum config_option option);
int64_t config_duration_ms(const struct config *c, enum config_option option);
uint64_t config_bytes(const struct config *c, enum config_option option);
uint64_t config_count(const struct config *c, enum config_option option);
/* A size, or a share of `whole` bytes. */
uint64_t config_memory(const struct config *c, enum config_option option, uint64_t whole);
const char *const *config_list(const struct config *c, enum config_option option, uint32_t *count);
/* Rules as written, and where each stands: "gnomon.yml:7:5: storage.retention.rules", "flag --ingest.drop". */
const char *const *config_rules(const struct config *c, enum config_option option, const char *const **places,
                                uint32_t *count);
bool config_list_has(const struct config *c, enum config_option option, const char *item);
enum config_sync config_sync(const struct config *c, int64_t *interval_ms); /* wal.sync */

/* For status pages: name, value as a user would write it, where it came from. */
const char *config_name(enum config_option option);
const char *config_text(const struct config *c, enum config_option option);
enum config_source config_source(const struct config *c, enum config_option option);

/* Lines to log once logging works: flags accepted without effect, unknown GNOMON_ variables. */
uint32_t config_notice_count(const struct config *c);
const char *config_notice(const struct config *c, uint32_t index);

void config_print_help(struct buf *out, unsigned width);         /* width: columns of the terminal */
void config_print_example(struct buf *out);                      /* configs/gnomon.yml: every option, commented out */
void config_print_yaml(const struct config *c, struct buf *out); /* effective values */
void config_print_reference(struct buf *out); /* docs/configuration.md: every option and every foreign name */

#endif
