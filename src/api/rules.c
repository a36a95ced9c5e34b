/* rules.c - the contract is in rules.h. */
#include "api/rules.h"

#include "base/assert.h"
#include "numeric/timetext.h"
#include "promql/promql.h"

/* The colon before the time: the last one, as times have none. */
static const uint8_t *last_colon(struct slice text)
{
    for (size_t i = text.len; i > 0; i--)
        if (text.data[i - 1] == ':')
            return text.data + i - 1;
    return NULL;
}

static struct slice trimmed(struct slice s)
{
    while (s.len && s.data[0] == ' ')
        s = slice_from(s, 1);
    while (s.len && s.data[s.len - 1] == ' ')
        s.len--;
    return s;
}

static enum err selector_parse(struct slice text, struct arena *arena, struct tsdb_selector *out, struct errmsg *why)
{
    struct matcher_set set;
    TRY(promql_parse_selector(text, arena, &set, why));
    if (set.count == 0)
        return err_set(why, ERR_INVALID, "the selector matches everything");
    *out = (struct tsdb_selector){set.list, set.count};
    return ERR_OK;
}

enum err retention_rule_parse(struct slice text, struct arena *arena, struct tsdb_rule *out, struct errmsg *why)
{
    const uint8_t *colon = last_colon(text);
    if (!colon)
        return err_set(why, ERR_INVALID, "a rule is a selector, a colon and a time: {job=\"dev\"}:7d");
    struct slice keep = trimmed(slice_from(text, (size_t)(colon - text.data) + 1));
    text = trimmed(slice_of(text.data, (size_t)(colon - text.data)));
    if (timetext_duration_parse(keep, &out->keep_ms, NULL) != ERR_OK || out->keep_ms < 0)
        return err_set(why, ERR_INVALID, "\"%.*s\" is no time such as 7d", keep.len > 100 ? 100 : (int)keep.len,
                       (const char *)keep.data);
    return selector_parse(text, arena, &out->selector, why);
}

static enum err at_place(struct errmsg *why, enum err err, const char *place, const char *rule)
{
    return err == ERR_OK ? ERR_OK : err_wrap(why, ERR_INVALID, "%s: %.200s", place, rule);
}

static enum err retention_init(struct rule_set *r, const struct config *c, struct errmsg *why)
{
    const char *const *places;
    const char *const *texts = config_rules(c, OPT_STORAGE_RETENTION_RULES, &places, &r->retention_count);
    if (r->retention_count > TSDB_RULES_MAX)
        return err_set(why, ERR_INVALID, "%s: at most %d rules are possible", places[TSDB_RULES_MAX], TSDB_RULES_MAX);
    r->retention = ARENA_ARRAY(&r->arena, struct tsdb_rule, (size_t)r->retention_count + 1);
    r->retention_texts.list = ARENA_ARRAY(&r->arena, const char *, (size_t)r->retention_count + 1);
    for (uint32_t i = 0; i < r->retention_count; i++) {
        const char *text = r->retention_texts.list[i] = arena_strdup(&r->arena, slice_str(texts[i]));
        enum err err = retention_rule_parse(slice_str(text), &r->arena, &r->retention[i], why);
        TRY(at_place(why, err, places[i], text));
    }
    r->retention_texts.count = r->retention_count;
    return ERR_OK;
}

static enum err drop_init(struct rule_set *r, const struct config *c, struct errmsg *why)
{
    const char *const *places;
    const char *const *texts = config_rules(c, OPT_INGEST_DROP, &places, &r->drop_count);
    if (r->drop_count > INGEST_DROPS_MAX)
        return err_set(why, ERR_INVALID, "%s: at most %d rules are possible", places[INGEST_DROPS_MAX],
                       INGEST_DROPS_MAX);
    r->drop = ARENA_ARRAY(&r->arena, struct tsdb_selector, (size_t)r->drop_count + 1);
    r->drop_texts.list = ARENA_ARRAY(&r->arena, const char *, (size_t)r->drop_count + 1);
    for (uint32_t i = 0; i < r->drop_count; i++) {
        const char *text = r->drop_texts.list[i] = arena_strdup(&r->arena, slice_str(texts[i]));
        TRY(at_place(why, selector_parse(slice_str(text), &r->arena, &r->drop[i], why), places[i], text));
    }
    r->drop_texts.count = r->drop_count;
    return ERR_OK;
}

enum err rule_set_init(struct rule_set *r, const struct config *c, struct errmsg *why)
{
    struct errmsg own;
    *r = (struct rule_set){0};
    arena_init(&r->arena, NULL);
    enum err err = retention_init(r, c, why ? why : &own);
    if (err == ERR_OK)
        err = drop_init(r, c, why ? why : &own);
    if (err != ERR_OK)
        rule_set_deinit(r);
    return err;
}

void rule_set_deinit(struct rule_set *r)
{
    arena_deinit(&r->arena);
    *r = (struct rule_set){0};
}

struct ingest_drops *rule_set_drops(const struct rule_set *r)
{
    struct ingest_drops *d = ingest_drops_new();
    struct arena *arena = ingest_drops_arena(d);
    for (uint32_t i = 0; i < r->drop_count; i++) {
        const char *text = arena_strdup(arena, slice_str(r->drop_texts.list[i]));
        struct tsdb_selector selector = {0};
        enum err err = selector_parse(slice_str(text), arena, &selector, NULL);
        assert(err == ERR_OK); /* it was parsed before */
        ingest_drops_add(d, selector.matchers, selector.count, text);
    }
    return d;
}

int64_t rule_set_longest_ms(const struct rule_set *r, int64_t retention_ms)
{
    for (uint32_t i = 0; i < r->retention_count && retention_ms > 0; i++) {
        int64_t keep = r->retention[i].keep_ms;
        retention_ms = keep == 0 || keep > retention_ms ? keep : retention_ms;
    }
    return retention_ms;
}
