/*
 * fuzz_promql.c - any text as an expression: refused with a position, or printed, parsed and printed alike.
 *
 * Input: the expression.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "lib/promql_text.h"
#include "promql/query_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct query *parse(struct slice text)
{
    struct parse_options o = {.features = PROMQL_ALL_FEATURES, .length_max = 1 << 16, .depth_max = 100};
    struct errmsg why = {""};
    struct query *q = NULL;
    if (query_parse(text, &o, &q, &why) == ERR_OK)
        return q;
    assert(why.text[0] != 0);
    return NULL;
}

/* Prints, parses that, and prints again: the same text. */
static void check_fixpoint(const struct query *q, void (*print)(const struct query *, struct buf *))
{
    struct buf once = {0}, twice = {0};
    print(q, &once);
    struct query *again = parse(buf_view(&once));
    assert(again || once.len > 1 << 16);
    if (again) {
        print(again, &twice);
        assert(slice_eq(buf_view(&once), buf_view(&twice)));
    }
    promql_query_free(again);
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void check_resolve(const struct query *q, int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
    struct resolve_params p = {start_ms, end_ms, step_ms, 60000, 300000};
    struct arena arena;
    struct node *root;
    struct errmsg why;
    struct buf out = {0};
    arena_init(&arena, NULL);
    if (query_resolve(q, &p, &arena, &root, &why) == ERR_OK)
        node_print(root, &out);
    buf_deinit(&out);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct matcher_set set;
    struct errmsg why;
    struct buf json = {0};
    struct query *q = parse(slice_of(data, size));
    if (q) {
        if (promql_text_is_exact(q)) {
            check_fixpoint(q, promql_print);
            check_fixpoint(q, promql_format);
        }
        promql_ast_json(q, &json);
        check_resolve(q, 5000, 5000, 0);
        check_resolve(q, -60000, 3600000, 15000);
    }
    buf_deinit(&json);
    promql_query_free(q);
    arena_init(&arena, NULL);
    if (size < 1 << 16 && promql_parse_selector(slice_of(data, size), &arena, &set, &why) != ERR_OK)
        assert(why.text[0] != 0);
    arena_deinit(&arena);
    return 0;
}
