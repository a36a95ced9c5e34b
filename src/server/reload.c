/*
 * reload.c - what can be read again while the server runs: rules of retention and ingestion, the web configuration.
 *
 * Everything is read and checked before anything changes; what is wrong leaves all as it was.  Other settings that
 * changed in the file are named: they need a restart.
 */
#include "api/rules.h"
#include "base/log.h"
#include "server/server_internal.h"

/* What the store and ingest do from now on. */
static enum err rules_apply(struct server *s, const struct rule_set *r, struct errmsg *why)
{
    struct ingest *ingest = atomic_load(&s->ingest);
    TRY(tsdb_set_rules(s->tsdb, r->retention, r->retention_count, why));
    if (!ingest)
        return ERR_OK;
    ingest_set_retention(ingest, rule_set_longest_ms(r, config_duration_ms(s->config, OPT_STORAGE_RETENTION_TIME)));
    ingest_set_drops(ingest, rule_set_drops(r));
    return tsdb_expel(s->tsdb, r->drop, r->drop_count, why);
}

enum err server_rules_start(struct server *s, struct errmsg *why)
{
    struct rule_set r;
    mutex_lock(&s->reload_lock);
    enum err err = rule_set_init(&r, s->rules_config ? s->rules_config : s->config, why);
    if (err == ERR_OK) {
        err = rules_apply(s, &r, why);
        rule_set_deinit(&r);
    }
    mutex_unlock(&s->reload_lock);
    return err;
}

static bool is_read_again(enum config_option option)
{
    return option == OPT_STORAGE_RETENTION_RULES || option == OPT_INGEST_DROP;
}

static void name_others(const struct server *s, const struct config *next)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        enum config_option option = (enum config_option)i;
        if (!is_read_again(option) && strcmp(config_text(s->config, option), config_text(next, option)) != 0)
            log_warn("server", "a setting changed that needs a restart", "name=%s", config_name(option));
    }
}

/* Reads all of it; the store and ingest change only when the web configuration was fine, too. */
static enum err read_again(struct server *s, struct errmsg *why) REQUIRES(s->reload_lock)
{
    struct config *next = config_new();
    struct rule_set r;
    enum err err = config_load(next, &s->sources, why);
    if (err == ERR_OK)
        err = rule_set_init(&r, next, why);
    if (err != ERR_OK) {
        config_free(next);
        return err;
    }
    err = web_reload(s->web, why);
    if (err == ERR_OK)
        err = rules_apply(s, &r, why);
    rule_set_deinit(&r);
    if (err != ERR_OK) {
        config_free(next);
        return err;
    }
    name_others(s, next);
    config_free(s->rules_config);
    s->rules_config = next;
    return ERR_OK;
}

enum err server_reload(void *ctx, struct errmsg *why)
{
    struct server *s = ctx;
    struct errmsg text = {0};
    mutex_lock(&s->reload_lock);
    enum err err = read_again(s, &text);
    mutex_unlock(&s->reload_lock);
    api_set_reloaded(s->api, err == ERR_OK);
    if (err == ERR_OK)
        log_info("server", "configuration read again", "%s", "");
    else
        log_error("server", "not reloaded, everything stays as it was", "err=\"%s\"", text.text);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "%s", text.text);
}
