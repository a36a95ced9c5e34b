/* Lines of /api/v1/import/prometheus, whole and broken. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "api/import_line.h"
#include "base/buf.h"

enum { NOW_MS = 777 };

/* "name=value ... | t:value" of a line, or "error: ...". */
static const char *read_text(const char *text)
{
    static char out[2 * sizeof(struct errmsg)];
    static struct import_line line;
    struct arena arena;
    struct buf b = {0};
    struct errmsg why = {0};
    arena_init(&arena, NULL);
    enum err err = import_text_parse(&line, slice_str(text), NOW_MS, &arena, &why);
    for (uint32_t i = 0; err == ERR_OK && i < line.label_count; i++)
        buf_printf(&b, "%.*s=%.*s ", SLICE_ARG(line.labels[i].name), SLICE_ARG(line.labels[i].value));
    buf_str(&b, "|");
    while (err == ERR_OK && line.taken < line.samples) {
        int64_t t_ms;
        double value;
        err = import_line_next(&line, &t_ms, &value, &why);
        buf_printf(&b, " %lld:%.17g", (long long)t_ms, value);
    }
    snprintf(out, sizeof out, "%s%s", err == ERR_OK ? buf_cstr(&b) : "error: ", err == ERR_OK ? "" : why.text);
    buf_deinit(&b);
    arena_deinit(&arena);
    return out;
}

static void expect(const char *text, const char *expected)
{
    const char *got = read_text(text);
    cr_expect_str_eq(got, expected, "%s: %s", text, got);
}

Test(import_text, names_labels_values_times)
{
    expect("up 1", "__name__=up | 777:1");
    expect(" up\t1 1700000000123 ", "__name__=up | 1700000000123:1");
    expect("up 1 1700000000.5", "__name__=up | 1700000000500:1");
    expect("up{} -2e3\r", "__name__=up | 777:-2000");
    expect("up {a=\"b\"} 1", "__name__=up a=b | 777:1");
    expect("up{a=\"b\" , c = \"d\",} 0x1p4 -5", "__name__=up a=b c=d | -5000:16");
    expect("x_bucket{le=\"+Inf\"} +Inf", "__name__=x_bucket le=+Inf | 777:inf");
    expect("x_bucket{le=\"1\"} 7 # {trace_id=\"a\"} 0.5", "__name__=x_bucket le=1 | 777:7");
    expect("x_bucket{le=\"1\"} 7 1700000000 # {trace_id=\"a\"} 0.5", "__name__=x_bucket le=1 | 1700000000000:7");
    expect("{\"a name\", \"a label\"=\"b\"} 1", "__name__=a name a label=b | 777:1");
    expect("x{a=\"}\\\"\\\\\\n\\d,\"} 1", "__name__=x a=}\"\\\n\\d, | 777:1");
}

Test(import_text, comments_and_blanks_hold_nothing)
{
    expect("# HELP up is it up", "|");
    expect("", "|");
    expect(" \t\r", "|");
    expect("# EOF", "|");
}

Test(import_text, what_is_broken_is_named_with_its_place)
{
    expect("up", "error: byte 3: the value that ends here is no number");
    expect("up one", "error: byte 7: the value that ends here is no number");
    expect("up 1 soon", "error: byte 10: the time that ends here is neither milliseconds nor seconds");
    expect("up 1 NaN", "error: byte 9: the time that ends here is neither milliseconds nor seconds");
    expect("up 1 1e300", "error: byte 11: the time that ends here is neither milliseconds nor seconds");
    expect("up 1 2 3", "error: byte 8: something follows the time");
    expect("{} 1", "error: byte 3: no metric name");
    expect("{a=\"b\"} 1", "error: byte 8: no metric name");
    expect("up{\"again\"} 1", "error: byte 11: a second name");
    expect("up{a} 1", "error: byte 5: expected label=\"value\"");
    expect("up{a=b} 1", "error: byte 6: expected a quote before the label's value");
    expect("up{a=\"b} 1", "error: byte 11: a quote is not closed");
    expect("up{a=\"b\\", "error: byte 9: a quote is not closed");
    expect("up{a=\"b\" c=\"d\"} 1", "error: byte 10: expected , or } after a label");
    expect("up{a=\"b\"", "error: byte 9: expected , or } after a label");
    expect("up{", "error: byte 4: expected label=\"value\"");
}
