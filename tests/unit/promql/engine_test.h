/*
 * engine_test.h - a storage filled from the text of a load, queries, and answers as one line of text.
 *
 *     struct engine_test t;
 *     engine_test_init(&t, 0, "load 15s\n  m{a=\"b\"} 1 2 3\n");
 *     cr_expect_str_eq(engine_test_ask(&t, "m + 1", 30000), "{a=\"b\"} 4");
 *
 * Ownership: texts live in the test until its deinit.
 */
#ifndef UNIT_PROMQL_ENGINE_TEST_H
#define UNIT_PROMQL_ENGINE_TEST_H

#include "promql/promql.h"

struct engine_test {
    struct memory_storage *storage;
    struct mem_budget budget; /* of all queries */
    struct engine_options options;
    struct engine *engine;
    struct arena texts;
    struct query_stats stats; /* of the last answer; per-step arrays are gone */
    enum err err;             /* of the last answer */
};

void engine_test_init(struct engine_test *t, unsigned features, const char *load);
void engine_test_deinit(struct engine_test *t); /* asserts that all memory was given back */
/* Starts the engine anew with changed t->options. */
void engine_test_restart(struct engine_test *t);
/* "labels value; labels value" in the order of the answer, "error: ..." or a scalar's value; notes after " | ". */
const char *engine_test_ask(struct engine_test *t, const char *expression, int64_t t_ms);
/* The same over a range: "labels v v _ v"; steps without a point are "_". */
const char *engine_test_range(struct engine_test *t, const char *expression, int64_t start_ms, int64_t end_ms,
                              int64_t step_ms);
/* With everything given by hand. */
const char *engine_test_exec(struct engine_test *t, const char *expression, const struct exec_params *p,
                             struct cancel *cancel);

#endif
