/* fuzz_import_text.c - lines for /api/v1/import/prometheus: any bytes end in at most one sample or an error with a text. */
#include "api/import_line.h"
#include "base/assert.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct import_line line; /* large */
    struct arena arena;
    struct errmsg why = {0};
    int64_t t_ms;
    double value;
    if (size > BYTES_MAX)
        return 0;
    uint8_t *copy = size ? mem_alloc(size) : NULL; /* its own memory, so that a read past the end is seen */
    if (size)
        memcpy(copy, data, size);
    arena_init(&arena, NULL);
    enum err err = import_text_parse(&line, slice_of(copy, size), 777, &arena, &why);
    while (err == ERR_OK && line.taken < line.samples)
        err = import_line_next(&line, &t_ms, &value, &why);
    assert(err == ERR_OK || (err == ERR_INVALID && why.text[0]));
    arena_deinit(&arena);
    mem_free(copy);
    return 0;
}
