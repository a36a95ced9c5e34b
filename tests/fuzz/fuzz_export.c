/*
 * fuzz_export.c - texts that the readers of VictoriaMetrics send: times, columns of CSV, and the Accept header
 * of /federate.  Any bytes end in a value or an error with a text.
 */
#include "api/export_internal.h"
#include "api/federate.h"
#include "api/vm_time.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 14 };

static void columns(struct slice text)
{
    struct arena arena;
    struct http_request r = {.arena = &arena};
    struct export e = {.stream.r = &r};
    struct errmsg why = {0};
    static const int64_t times[] = {-1, INT64_C(1700000000123)};
    static const double values[] = {0.1, 1e300};
    const struct samples samples = {.count = 2, .times_ms = times, .values = values};
    const struct labels none = {0};
    arena_init(&arena, NULL);
    if (export_csv_columns(&e, text, &why) == ERR_OK) {
        assert(e.column_count > 0);
        if (text.len < 1024)
            assert(export_csv.series(&e, &none, &samples) == ERR_OK && e.stream.out.len > 0);
    } else {
        assert(why.text[0]);
    }
    buf_deinit(&e.stream.out);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct errmsg why = {0};
    int64_t ms = -1;
    if (size > BYTES_MAX)
        return 0;
    enum err err = vm_time_parse(text, INT64_C(1700000000000), &ms, &why);
    assert(err == ERR_OK ? ms >= 0 : err == ERR_INVALID && why.text[0]);
    struct federate_format f = federate_negotiate(text);
    assert(f.escape <= ESCAPE_VALUES);
    columns(text);
    return 0;
}
