/* test_import_line.c - lines of /api/v1/import and of /api/v1/import/prometheus, whole and broken. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "api/import_line.h"
#include "base/buf.h"
#include "model/value.h"

enum { NOW_MS = 777 };

/* "name=value ... | t:value ..." of a line, or "error: ...". */
static const char *shown(const char *text, bool json)
{
    static char out[2 * sizeof(struct errmsg)];
    static struct import_line line;
    struct arena arena;
    struct buf b = {0};
    struct errmsg why = {0};
    arena_init(&arena, NULL);
    enum err err = json ? import_line_parse(&line, slice_str(text), &arena, &why)
                        : import_text_parse(&line, slice_str(text), NOW_MS, &arena, &why);
    for (uint32_t i = 0; err == ERR_OK && i < line.label_count; i++)
        buf_printf(&b, "%.*s=%.*s ", SLICE_ARG(line.labels[i].name), SLICE_ARG(line.labels[i].value));
    buf_str(&b, "|");
    while (err == ERR_OK && line.taken < line.samples) {
        int64_t t_ms;
        double value;
        err = import_line_next(&line, &t_ms, &value, &why);
        if (err == ERR_OK && value_is_stale(value))
            buf_printf(&b, " %lld:stale", (long long)t_ms);
        else if (err == ERR_OK)
            buf_printf(&b, " %lld:%.17g", (long long)t_ms, value);
    }
    snprintf(out, sizeof out, "%s%s", err == ERR_OK ? buf_cstr(&b) : "error: ", err == ERR_OK ? "" : why.text);
    buf_deinit(&b);
    arena_deinit(&arena);
    return out;
}

static const char *read_line(const char *text)
{
    return shown(text, true);
}

Test(import_line, labels_values_and_times)
{
    cr_expect_str_eq(read_line("{\"metric\":{\"__name__\":\"up\",\"job\":\"x\"},\"values\":[1,0.1,-2e3],\"timestamps\":[1,2,3]}"),
                     "__name__=up job=x | 1:1 2:0.10000000000000001 3:-2000");
    cr_expect_str_eq(read_line(" { \"timestamps\" : [ 7 ] , \"values\" : [ 5 ] , \"metric\" : { \"a\" : \"b\" } } \r"),
                     "a=b | 7:5");
    cr_expect_str_eq(read_line("{\"metric\":{\"a\":\"b\"},\"values\":[],\"timestamps\":[]}"), "a=b |");
}

Test(import_line, null_is_a_stale_marker_and_quotes_hold_what_json_cannot)
{
    cr_expect_str_eq(read_line("{\"metric\":{\"a\":\"b\"},\"values\":[null,\"Infinity\",\"-Infinity\"],\"timestamps\":[1,2,3]}"),
                     "a=b | 1:stale 2:inf 3:-inf");
    cr_expect(strstr(read_line("{\"metric\":{\"a\":\"b\"},\"values\":[\"NaN\"],\"timestamps\":[1]}"), "nan"));
    cr_expect(strstr(read_line("{\"metric\":{\"a\":\"b\"},\"values\":[\"5\"],\"timestamps\":[1]}"), "error: byte"));
}

Test(import_line, old_versions_of_victoriametrics_write_no_json)
{
    cr_expect_str_eq(read_line("{\"metric\":{\"a\":\"b\"},\"values\":[NaN,+Inf,-Inf],\"timestamps\":[1,2,3]}"),
                     "a=b | 1:stale 2:inf 3:-inf");
}

Test(import_line, escapes_become_their_runes)
{
    cr_expect_str_eq(read_line("{\"metric\":{\"a\\n\":\"\\u00fc\\ud83d\\ude00\\\"\\\\\\/\"},\"values\":[1],\"timestamps\":[1]}"),
                     "a\n=\xc3\xbc\xf0\x9f\x98\x80\"\\/ | 1:1");
    cr_expect_str_eq(read_line("{\"metric\":{\"a\":\"\\ud800x\"},\"values\":[1],\"timestamps\":[1]}"),
                     "a=\xef\xbf\xbdx | 1:1");
}

Test(import_line, other_keys_are_passed_over)
{
    cr_expect_str_eq(read_line("{\"x\":{\"y\":[1,\"]\",{}]},\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1],\"z\":null}"),
                     "a=b | 1:1");
}

Test(import_line, what_is_broken_is_named_with_its_byte)
{
    static const char *const broken[] = {
        "", "{", "[]", "{\"metric\":{}}", "{\"metric\":{\"a\":\"b\"},\"values\":[1,2],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":1},\"values\":[1],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1.5]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[99999999999999999999]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[true],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[[1]],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1 2],\"timestamps\":[1,2]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1,],\"timestamps\":[1,2]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1e999],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[0x10],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1],\"values\":[1],\"timestamps\":[1]}",
        "{\"metric\":{\"a\":\"\\x\"},\"values\":[1],\"timestamps\":[1]}", "{\"metric\":{\"a\":\"b\\",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1]} x",
        "{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1]", "{\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        cr_expect(strstr(read_line(broken[i]), "error: ") && strlen(read_line(broken[i])) > 12, "%s: %s", broken[i],
                  read_line(broken[i]));
    cr_expect_str_eq(read_line("{\"metric\":{\"a\":1}}"), "error: byte 16: expected a string");
}

static void expect_text(const char *text, const char *expected)
{
    const char *got = shown(text, false);
    cr_expect_str_eq(got, expected, "%s: %s", text, got);
}

Test(import_text, names_labels_values_times)
{
    expect_text("up 1", "__name__=up | 777:1");
    expect_text(" up\t1 1700000000123 ", "__name__=up | 1700000000123:1");
    expect_text("up 1 1700000000.5", "__name__=up | 1700000000500:1");
    expect_text("up{} -2e3\r", "__name__=up | 777:-2000");
    expect_text("up {a=\"b\"} 1", "__name__=up a=b | 777:1");
    expect_text("up{a=\"b\" , c = \"d\",} 0x1p4 -5", "__name__=up a=b c=d | -5000:16");
    expect_text("x_bucket{le=\"+Inf\"} +Inf", "__name__=x_bucket le=+Inf | 777:inf");
    expect_text("x_bucket{le=\"1\"} 7 # {trace_id=\"a\"} 0.5", "__name__=x_bucket le=1 | 777:7");
    expect_text("x_bucket{le=\"1\"} 7 1700000000 # {trace_id=\"a\"} 0.5", "__name__=x_bucket le=1 | 1700000000000:7");
    expect_text("{\"a name\", \"a label\"=\"b\"} 1", "__name__=a name a label=b | 777:1");
    expect_text("x{a=\"}\\\"\\\\\\n\\d,\"} 1", "__name__=x a=}\"\\\n\\d, | 777:1");
}

Test(import_text, comments_and_blanks_hold_nothing)
{
    expect_text("# HELP up is it up", "|");
    expect_text("", "|");
    expect_text(" \t\r", "|");
    expect_text("# EOF", "|");
}

Test(import_text, what_is_broken_is_named_with_its_place)
{
    expect_text("up", "error: byte 3: the value that ends here is no number");
    expect_text("up one", "error: byte 7: the value that ends here is no number");
    expect_text("up 1 soon", "error: byte 10: the time that ends here is neither milliseconds nor seconds");
    expect_text("up 1 NaN", "error: byte 9: the time that ends here is neither milliseconds nor seconds");
    expect_text("up 1 1e300", "error: byte 11: the time that ends here is neither milliseconds nor seconds");
    expect_text("up 1 2 3", "error: byte 8: something follows the time");
    expect_text("{} 1", "error: byte 3: no metric name");
    expect_text("{a=\"b\"} 1", "error: byte 8: no metric name");
    expect_text("up{\"again\"} 1", "error: byte 11: a second name");
    expect_text("up{a} 1", "error: byte 5: expected label=\"value\"");
    expect_text("up{a=b} 1", "error: byte 6: expected a quote before the label's value");
    expect_text("up{a=\"b} 1", "error: byte 11: a quote is not closed");
    expect_text("up{a=\"b\\", "error: byte 9: a quote is not closed");
    expect_text("up{a=\"b\" c=\"d\"} 1", "error: byte 10: expected , or } after a label");
    expect_text("up{a=\"b\"", "error: byte 9: expected , or } after a label");
    expect_text("up{", "error: byte 4: expected label=\"value\"");
}
