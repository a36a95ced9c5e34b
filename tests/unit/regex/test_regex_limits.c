/* Bounds of time and memory, and what an index may ask of a pattern. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "regex/regex.h"

static const struct regex *compile(struct arena *arena, const char *pattern)
{
    const struct regex *re = NULL;
    struct errmsg why = {""};
    cr_assert_eq(regex_compile(slice_str(pattern), arena, 0, &re, &why), ERR_OK, "%s: %s", pattern, why.text);
    return re;
}

static bool matches(const char *pattern, struct slice s)
{
    struct arena arena;
    arena_init(&arena, NULL);
    bool yes = regex_match(compile(&arena, pattern), s);
    arena_deinit(&arena);
    return yes;
}

/* ---- Time ---- */

Test(regex_limits, patterns_that_explode_elsewhere_are_linear_here, .timeout = 300)
{
    static const char *const patterns[] = {"(a*)*b",         "(a+)+b",          "(a|aa)+b",        "(a|a?)+b",
                                           "(.*)*b",         "(a*)*(a*)*b",     ".*.*.*.*.*.*.*b", "(x+x+)+y|(a+a+)+b",
                                           "([a-z]+)*[0-9]", "(a?){500}a{500}b"};
    static uint8_t text[100000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        cr_expect_not(matches(patterns[i], slice_of(text, sizeof text)), "%s", patterns[i]);
}

Test(regex_limits, groups_of_long_texts_are_linear_too, .timeout = 300)
{
    static uint8_t text[200000];
    struct arena arena;
    const struct regex *re;
    struct regex_groups groups;
    memset(text, 'a', sizeof text);
    text[150000] = '-';
    arena_init(&arena, NULL);
    cr_assert_eq(regex_compile(SLICE_LIT("((a*)*)-(.*)"), &arena, REGEX_WRAPPED, &re, NULL), ERR_OK);
    cr_assert(regex_submatch(re, slice_of(text, sizeof text), &groups));
    cr_expect_eq(groups.count, 4);
    cr_expect_eq(groups.group[1].len, 150000);
    cr_expect_eq(groups.group[3].len, 49999);
    arena_deinit(&arena);
}

/* Whether an 'a' stands 13 places before a 'b' that stands 6 places before the end. */
static bool expected(struct slice s)
{
    return s.len >= 19 && s.data[s.len - 6] == 'b' && s.data[s.len - 19] == 'a';
}

Test(regex_limits, answers_stay_right_when_the_automaton_is_full)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const struct regex *re = compile(&arena, ".*a.{12}b.{5}"); /* 2^19 states */
    size_t bytes = arena.bytes;
    uint32_t seed = 1;
    int yes = 0;
    for (int round = 0; round < 3000; round++) {
        uint8_t text[60];
        size_t len = 10 + (size_t)round % 50;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = seed >> 31 ? 'a' : 'b';
        }
        bool match = regex_match(re, slice_of(text, len));
        cr_expect_eq(match, expected(slice_of(text, len)), "%.*s", (int)len, (const char *)text);
        yes += match;
    }
    cr_expect_gt(yes, 200);
    cr_expect_eq(arena.bytes, bytes, "matching takes no more memory");
    arena_deinit(&arena);
}

/* ---- Size ---- */

struct huge {
    const char *head, *unit, *tail;
    enum err err;
};

static struct slice repeat(const struct huge *h, size_t bytes)
{
    size_t head = strlen(h->head), unit = strlen(h->unit), tail = strlen(h->tail), count = (bytes - head - tail) / unit;
    uint8_t *text = malloc(bytes), *p = text;
    memcpy(p, h->head, head);
    p += head;
    for (size_t i = 0; i < count; i++, p += unit)
        memcpy(p, h->unit, unit);
    memcpy(p, h->tail, tail);
    return slice_of(text, (size_t)(p - text) + tail);
}

Test(regex_limits, patterns_of_1_mb_are_compiled_or_refused_soon, .timeout = 300)
{
    static const struct huge patterns[] = {
        {"", "abcdefgh", "", ERR_OK},     {".*", "abcdefgh", "", ERR_OK}, {"", "a|", "b", ERR_OK},
        {"x*", "a|", "b", ERR_OK},        {"", ".", "", ERR_OK},          {"", "[ab]", "", ERR_OK},
        {"", "a?", "", ERR_OK},           {"", "(a)", "", ERR_OK},        {"(?i)", "abcd", "", ERR_OK},
        {"", "\\pL", "", ERR_INVALID},    {"[", "\\pL", "]", ERR_OK},     {"(?i)[", "a-\\x{1e900}", "]", ERR_OK},
        {"", "(", "", ERR_INVALID},       {"", "(?:", "", ERR_INVALID},   {"", "\\x{65e5}", "", ERR_OK},
        {"", "a{1000}", "", ERR_INVALID}, {"", "[^a]", "", ERR_OK},       {"", "\\bx", "", ERR_OK},
        {"", "a*?|", "", ERR_OK},
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct arena arena;
        struct errmsg why = {""};
        const struct regex *re;
        struct slice pattern = repeat(&patterns[i], 1 << 20);
        arena_init(&arena, NULL);
        enum err err = regex_compile(pattern, &arena, 0, &re, &why);
        cr_expect_eq(err, patterns[i].err, "%s%s: %d %.80s", patterns[i].head, patterns[i].unit, err, why.text);
        if (err == ERR_OK)
            cr_expect_not(regex_match(re, SLICE_LIT("no such text\n")) && i != 4, "%s", patterns[i].unit);
        cr_expect_lt(arena.bytes, (size_t)400 << 20);
        arena_deinit(&arena);
        free((void *)(uintptr_t)pattern.data);
    }
}

Test(regex_limits, a_budget_is_respected_and_given_back)
{
    static const struct huge dots = {"", "a?", "", ERR_LIMIT};
    struct mem_budget budget = {.name = "test", .limit = 1 << 20};
    struct arena arena;
    struct errmsg why;
    const struct regex *re;
    struct slice pattern = repeat(&dots, 100000);
    arena_init(&arena, &budget);
    cr_expect_eq(regex_compile(pattern, &arena, 0, &re, &why), ERR_LIMIT);
    cr_expect(strstr(why.text, "memory"), "%s", why.text);
    cr_expect_lt(budget.peak, 2 << 20);
    arena_deinit(&arena);
    cr_expect_eq(budget.used, 0);
    free((void *)(uintptr_t)pattern.data);
}

Test(regex_limits, memory_that_cannot_be_had_is_an_error_at_any_moment)
{
    static const char *const patterns[] = {"a|b|c|d|e|f|g|h", "(foo|ba[rz])+\\d*(?i:x)", "\\pL+|[^a-z]{3}",
                                           "foo.*bar|x(y)?"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        for (unsigned flags = 0; flags <= REGEX_WRAPPED; flags++) {
            uint64_t n = 0;
            enum err err;
            do {
                struct arena arena;
                const struct regex *re;
                arena_init(&arena, NULL);
                mem_fail_after(++n, true);
                err = regex_compile(slice_str(patterns[i]), &arena, flags, &re, NULL);
                mem_fail_after(0, false);
                cr_expect(err == ERR_LIMIT || err == ERR_OK);
                if (err == ERR_OK)
                    cr_expect_not(regex_match(re, SLICE_LIT("nothing\nof the kind")));
                arena_deinit(&arena);
            } while (err != ERR_OK && n < 1000);
            cr_expect_eq(err, ERR_OK, "%s", patterns[i]);
        }
}

/* ---- For the index ---- */

static void expect_literals(const char *pattern, const char *wanted)
{
    struct arena arena;
    struct buf out = {0};
    arena_init(&arena, NULL);
    struct regex_literals l = regex_literals(compile(&arena, pattern));
    for (uint32_t i = 0; i < l.count; i++)
        buf_printf(&out, "%s%.*s", i ? "," : "=", SLICE_ARG(l.list[i]));
    cr_expect_str_eq(buf_cstr(&out), wanted, "%s", pattern);
    buf_deinit(&out);
    arena_deinit(&arena);
}

Test(regex_limits, finite_patterns_tell_their_texts)
{
    expect_literals("a|c|b|a", "=a,b,c");
    expect_literals("foo", "=foo");
    expect_literals("", "=");
    expect_literals("a|", "=,a");
    expect_literals("foo(bar|baz)?", "=foo,foobar,foobaz");
    expect_literals("(web|api)-[0-2]", "=api-0,api-1,api-2,web-0,web-1,web-2");
    expect_literals("^(?:a|b)$", "=a,b");
    expect_literals("a{2,3}", "=aa,aaa");
    expect_literals("a\\.b", "=a.b");
    expect_literals("(?i)a1", "");
    expect_literals("a.*", "");
    expect_literals("a+", "");
    expect_literals("[a-z]{5}", "");
    expect_literals("\\x{fffd}", "");
    expect_literals("a\\b", "");
}

static void expect_edges(const char *pattern, const char *prefix, const char *substring)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const struct regex *re = compile(&arena, pattern);
    cr_expect(slice_eq_str(regex_prefix(re), prefix), "%s: prefix %.*s", pattern, SLICE_ARG(regex_prefix(re)));
    cr_expect(slice_eq_str(regex_substring(re), substring), "%s: substring %.*s", pattern,
              SLICE_ARG(regex_substring(re)));
    arena_deinit(&arena);
}

Test(regex_limits, patterns_tell_what_every_match_contains)
{
    expect_edges("foo.*", "foo", "foo");
    expect_edges("foo.*longest.+bar", "foo", "longest");
    expect_edges("^foo\\d+", "foo", "foo");
    expect_edges("(foo)+x?", "foo", "foo");
    expect_edges("f[ab]o", "f", "f");
    expect_edges("foo1|foo2", "foo", "foo");
    expect_edges("foo\\d|bar", "", "");
    expect_edges(".*abc\\d", "", "abc");
    expect_edges("(?i)foo", "", "");
    expect_edges("x*foo", "", "foo");
    expect_edges("foo{2,}\\d+", "fo", "fo");
}

Test(regex_limits, everything_and_the_empty_text_are_recognised)
{
    struct arena arena;
    arena_init(&arena, NULL);
    cr_expect(regex_matches_everything(compile(&arena, ".*")));
    cr_expect(regex_matches_everything(compile(&arena, "^.*$")));
    cr_expect(regex_matches_everything(compile(&arena, "(.*)")));
    cr_expect_not(regex_matches_everything(compile(&arena, ".+")));
    cr_expect_not(regex_matches_everything(compile(&arena, "(?-s).*")));
    cr_expect(regex_matches_empty(compile(&arena, "a|")));
    cr_expect(regex_matches_empty(compile(&arena, "[a-z]*\\d*")));
    cr_expect_not(regex_matches_empty(compile(&arena, ".+")));
    arena_deinit(&arena);
}

Test(regex_limits, a_pattern_with_a_nul_byte_keeps_it)
{
    struct arena arena;
    const struct regex *re;
    arena_init(&arena, NULL);
    cr_assert_eq(regex_compile(slice_of("a\0b.", 4), &arena, REGEX_WRAPPED, &re, NULL), ERR_OK);
    cr_expect(regex_match(re, slice_of("a\0bc", 4)));
    cr_expect_not(regex_match(re, slice_of("ab", 2)));
    arena_deinit(&arena);
}
