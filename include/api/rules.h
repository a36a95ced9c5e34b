/*
 * rules.h - which series are kept how long, and which are not taken: from settings into store and ingest.
 *
 * Ownership: an arena owns what is parsed.
 * Threads:   plain values.
 */
#ifndef API_RULES_H
#define API_RULES_H

#include "base/arena.h"
#include "config/config.h"
#include "ingest/ingest.h"
#include "tsdb/tsdb.h"

struct rule_texts {
    const char **list;
    uint32_t count;
};

struct rule_set {
    struct arena arena;
    struct tsdb_rule *retention;
    uint32_t retention_count;
    struct rule_texts retention_texts;
    struct tsdb_selector *drop;
    uint32_t drop_count;
    struct rule_texts drop_texts;
};
/* Everything that can be wrong with them is told: ERR_INVALID with the place. */
MUST_CHECK enum err rule_set_init(struct rule_set *r, const struct config *c, struct errmsg *why);
void rule_set_deinit(struct rule_set *r);
/* The drop rules as ingest takes them; the caller's. */
struct ingest_drops *rule_set_drops(const struct rule_set *r);
/* The longest time that any series is kept; 0: for ever. */
int64_t rule_set_longest_ms(const struct rule_set *r, int64_t retention_ms);
/* `{job="dev"}:7d`; texts and matchers in the arena. */
MUST_CHECK enum err retention_rule_parse(struct slice text, struct arena *arena, struct tsdb_rule *out,
                                         struct errmsg *why);

#endif
