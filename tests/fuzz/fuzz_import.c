/* fuzz_import.c - lines for /api/v1/import and /api/v1/import/prometheus: any bytes end in samples or an error with a text. */
#include "api/import_line.h"
#include "base/assert.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 16, NOW_MS = 777 };

/* One line in one of the two formats, to its last sample. */
static void read_line(struct slice text, bool json)
{
    static struct import_line line; /* large */
    struct arena arena;
    struct errmsg why = {0};
    int64_t t_ms;
    double value;
    arena_init(&arena, NULL);
    enum err err = json ? import_line_parse(&line, text, &arena, &why)
                        : import_text_parse(&line, text, NOW_MS, &arena, &why);
    while (err == ERR_OK && line.taken < line.samples)
        err = import_line_next(&line, &t_ms, &value, &why);
    assert(err == ERR_OK || (err == ERR_INVALID && why.text[0]));
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > BYTES_MAX)
        return 0;
    uint8_t *copy = size ? mem_alloc(size) : NULL; /* its own memory, so that a read past the end is seen */
    if (size)
        memcpy(copy, data, size);
    read_line(slice_of(copy, size), true);
    read_line(slice_of(copy, size), false);
    mem_free(copy);
    return 0;
}
