/* functions.c - the table behind functions.h. */
#include "promql/functions.h"

#include "base/assert.h"

#define V VALUE_VECTOR
#define S VALUE_SCALAR
#define FUNCTION_ENTRY(id, name, args, variadic, result, experimental)                                                 \
    {FUNCTION_##id, name, args, sizeof args - 1, variadic, result, experimental},
static const struct function functions[] = {FUNCTION_LIST(FUNCTION_ENTRY)};

_Static_assert(sizeof functions / sizeof functions[0] == FUNCTION_COUNT, "one entry for each function");

const struct function *function_get(enum function_id id)
{
    assert(id < FUNCTION_COUNT);
    return &functions[id];
}

const struct function *function_find(struct slice name)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        if (slice_eq_str(name, functions[i].name))
            return &functions[i];
    return NULL;
}

const char *promql_function_name(uint32_t i, bool *experimental)
{
    if (i >= FUNCTION_COUNT)
        return NULL;
    *experimental = functions[i].experimental;
    return functions[i].name;
}

enum value_type function_arg_type(const struct function *f, uint32_t i)
{
    assert(f->arg_count > 0);
    switch (f->args[i < f->arg_count ? i : f->arg_count - 1u]) {
    case 'V':
        return VALUE_VECTOR;
    case 'M':
        return VALUE_MATRIX;
    case 'S':
        return VALUE_SCALAR;
    default:
        return VALUE_STRING;
    }
}
