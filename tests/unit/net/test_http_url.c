/* Forms as Go's net/url reads them; paths more strictly. */
#include "net/http_url_internal.h"

#include <criterion/criterion.h>

#include "base/buf.h"

/* Go 1.26: url.ParseQuery(in), printed as name=value; the error is ParseForm's. */
static const struct {
    const char *in, *pairs, *error;
} forms[] = {
    {"", "", ""},
    {"a=1&b=2", "a=1;b=2;", ""},
    {"a", "a=;", ""},
    {"=1", "=1;", ""},
    {"a=b=c", "a=b=c;", ""},
    {"&&a=1&", "a=1;", ""},
    {"a=1&a=2", "a=1;a=2;", ""},
    {"a+b=c+d", "a b=c d;", ""},
    {"%61%3d=%26", "a==&;", ""},
    {"q=%2B+%2b", "q=+ +;", ""},
    {"q=%C3%A9", "q=\xc3\xa9;", ""},
    {"q=\xff", "q=\xff;", ""},
    {"q=%ff", "q=\xff;", ""},
    {"a=%zz&b=2", "b=2;", "invalid URL escape \"%zz\""},
    {"a=%", "", "invalid URL escape \"%\""},
    {"a=%4", "", "invalid URL escape \"%4\""},
    {"a=%4&b=%zz", "", "invalid URL escape \"%4\""},
    {"%zz=1", "", "invalid URL escape \"%zz\""},
    {"a=%q\"x", "", "invalid URL escape \"%q\\\"\""},
    {"a=%\\1", "", "invalid URL escape \"%\\\\1\""},
    {"a=%\x01\n", "", "invalid URL escape \"%\\x01\\n\""},
    {"a=%\xc3\xa9", "", "invalid URL escape \"%\xc3\xa9\""},
    {"a=%\xc2\x85", "", "invalid URL escape \"%\\u0085\""},
    {"a=%\xe2\x82\xac", "", "invalid URL escape \"%\\xe2\\x82\""},
    {"a=1;b=2&c=3", "c=3;", "invalid semicolon separator in query"},
    {"a=%zz;&c=3", "c=3;", "invalid semicolon separator in query"},
    {"a=%3b", "a=;;", ""},
};

Test(http_url, reads_forms_as_go_does)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct arena arena;
        struct http_params params = {0};
        struct errmsg why = {{0}};
        struct buf got = {0};
        arena_init(&arena, NULL);
        bool ok = http_query_parse(slice_str(forms[i].in), &arena, &params, &why);
        for (size_t k = 0; k < params.count; k++)
            buf_printf(&got, "%.*s=%.*s;", SLICE_ARG(params.list[k].name), SLICE_ARG(params.list[k].value));
        cr_expect_str_eq(buf_cstr(&got), forms[i].pairs, "%s -> %s", forms[i].in, buf_cstr(&got));
        cr_expect_str_eq(why.text, forms[i].error, "%s -> %s", forms[i].in, why.text);
        cr_expect_eq(ok, forms[i].error[0] == 0);
        buf_deinit(&got);
        arena_deinit(&arena);
    }
}

Test(http_url, takes_a_thousand_parameters_and_no_more)
{
    for (int count = HTTP_PARAMS_MAX; count <= HTTP_PARAMS_MAX + 1; count++) {
        struct arena arena;
        struct http_params params = {0};
        struct errmsg why = {{0}};
        struct buf in = {0};
        arena_init(&arena, NULL);
        for (int i = 0; i < count; i++)
            buf_printf(&in, "match[]=a%d&", i);
        cr_expect_eq(http_query_parse(buf_view(&in), &arena, &params, &why), count == HTTP_PARAMS_MAX);
        cr_expect_eq(params.count, HTTP_PARAMS_MAX);
        buf_deinit(&in);
        arena_deinit(&arena);
    }
}

Test(http_url, decodes_paths_and_refuses_what_hides_something)
{
    static const struct {
        const char *raw, *path; /* NULL: refused */
        bool dots;
    } paths[] = {
        {"/", "/", false},
        {"/a/b", "/a/b", false},
        {"//a//b//", "/a/b/", false},
        {"/a%2Fb", "/a/b", false},
        {"/%2f%2Fa", "/a", false},
        {"/a+b", "/a+b", false},
        {"/%41", "/A", false},
        {"/%C3%A9", "/\xc3\xa9", false},
        {"/%F0%9F%98%80", "/\xf0\x9f\x98\x80", false},
        {"/api/v1/%2e%2e/%2E%2E/etc/passwd", "/api/v1/../../etc/passwd", true},
        {"/..", "/..", true},
        {"/./a", "/./a", true},
        {"/...", "/...", false},
        {"/a.", "/a.", false},
        {"/%", NULL, false},
        {"/%1", NULL, false},
        {"/%zz", NULL, false},
        {"/%00", NULL, false},
        {"/%c0%ae", NULL, false},
        {"/%ff", NULL, false},
        {"/%ed%a0%80", NULL, false},
        {"/%f4%90%80%80", NULL, false},
        {"/%e2%82", NULL, false},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct arena arena;
        struct slice path;
        bool dots = false;
        arena_init(&arena, NULL);
        bool ok = http_path_decode(slice_str(paths[i].raw), &arena, &path, &dots);
        cr_expect_eq(ok, paths[i].path != NULL, "%s", paths[i].raw);
        if (ok && paths[i].path) {
            cr_expect(slice_eq_str(path, paths[i].path), "%s -> %.*s", paths[i].raw, SLICE_ARG(path));
            cr_expect_eq(dots, paths[i].dots, "%s", paths[i].raw);
        }
        arena_deinit(&arena);
    }
}
