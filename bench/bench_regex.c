/*
 * bench_regex.c - what a matcher costs per label value, and a compilation.
 *
 * Prints ns per value (100,000 values of about 30 bytes, as an index lookup meets them) and per compilation with the
 * bytes that it leaves in the arena.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "regex/regex.h"

enum { VALUES = 100000 };

static struct slice values[VALUES];

static void make_values(struct arena *arena)
{
    static const char *const names[] = {"prod", "staging", "dev", "canary"};
    for (uint32_t i = 0; i < VALUES; i++)
        values[i] = slice_str(arena_printf(arena, "%s-node-%03u.eu-west-%u.example.com", names[i % 4], i % 997, i % 3));
}

static const struct regex *compile(struct arena *arena, const char *pattern, unsigned flags)
{
    const struct regex *re;
    struct errmsg why;
    if (regex_compile(slice_str(pattern), arena, flags, &re, &why) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", pattern, why.text);
        exit(1);
    }
    return re;
}

static void bench_match(const char *pattern)
{
    enum { COMPILATIONS = 200 };
    struct clock *clock = clock_system();
    struct arena arena;
    int64_t start = clock_mono_ns(clock);
    size_t bytes = 0;
    for (int i = 0; i < COMPILATIONS; i++) {
        arena_init(&arena, NULL);
        compile(&arena, pattern, 0);
        bytes = arena.bytes;
        arena_deinit(&arena);
    }
    double compile_us = (double)(clock_mono_ns(clock) - start) / COMPILATIONS / 1e3;
    arena_init(&arena, NULL);
    const struct regex *re = compile(&arena, pattern, 0);
    uint32_t matches = 0;
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        start = clock_mono_ns(clock);
        matches = 0;
        for (uint32_t i = 0; i < VALUES; i++)
            matches += regex_match(re, values[i]);
        double ns = (double)(clock_mono_ns(clock) - start) / VALUES;
        best = ns < best ? ns : best;
    }
    printf("%-44s %7.1f ns/value  %6u match  compile %7.1f us %8zu bytes\n", pattern, best, matches, compile_us, bytes);
    arena_deinit(&arena);
}

static void bench_groups(const char *pattern, const char *template)
{
    struct clock *clock = clock_system();
    struct arena arena;
    struct buf out = {0};
    struct regex_groups groups;
    arena_init(&arena, NULL);
    const struct regex *re = compile(&arena, pattern, REGEX_WRAPPED);
    int64_t start = clock_mono_ns(clock);
    for (uint32_t i = 0; i < VALUES; i++)
        if (regex_submatch(re, values[i], &groups)) {
            buf_reset(&out);
            regex_expand(re, slice_str(template), &groups, &out);
        }
    printf("%-44s %7.1f ns/value  label_replace to %s\n", pattern, (double)(clock_mono_ns(clock) - start) / VALUES,
           template);
    buf_deinit(&out);
    arena_deinit(&arena);
}

/* What a selector with a regex asks of an index: every value of a label, here a million, once. */
static void bench_selection(const char *pattern)
{
    enum { COUNT = 1000000 };
    struct clock *clock = clock_system();
    struct arena arena;
    uint32_t found = 0;
    arena_init(&arena, NULL);
    struct slice *list = ARENA_ARRAY(&arena, struct slice, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        list[i] = slice_str(arena_printf(&arena, "pod-%x-%u.ns-%u", i * 2654435761u, i, i % 97));
    const struct regex *re = compile(&arena, pattern, 0);
    int64_t start = clock_mono_ns(clock);
    for (uint32_t i = 0; i < COUNT; i++)
        found += regex_match(re, list[i]);
    double ns = (double)(clock_mono_ns(clock) - start);
    printf("%-44s %7.1f ns/value  %6u of 1M match, %.1f ms\n", pattern, ns / COUNT, found, ns / 1e6);
    arena_deinit(&arena);
}

int main(void)
{
    struct arena arena;
    arena_init(&arena, NULL);
    make_values(&arena);
    bench_match(".*");
    bench_match("prod-node-001.eu-west-1.example.com");
    bench_match("prod|staging|dev");
    bench_match("prod-.*");
    bench_match(".*example.com");
    bench_match(".*node-1.*");
    bench_match("(prod|dev)-node-.*");
    bench_match("prod-node-[0-9]+\\..*");
    bench_match(".*-node-(001|002|003)\\..*");
    bench_match("[a-z]+-node-\\d{3}\\.[^.]+\\.example\\.com");
    bench_match("(?i)PROD-.*");
    bench_match(".*[0-9]{3}.*west-1.*");
    bench_match("(a|aa|aaa)*b");
    bench_match(".*(x+x+)+y.*");
    bench_match("[\\pL\\pN.-]+");
    bench_selection("pod-.*\\.ns-7");
    bench_selection(".*-12345.*");
    bench_selection("pod-[0-9a-f]+-[0-9]{3}\\.ns-(1|2|3)");
    bench_selection("(?i).*NS-42");
    bench_groups("([^-]+)-.*", "$1");
    bench_groups("(.*)-node-(\\d+)\\.(.*)", "${2}-$1");
    arena_deinit(&arena);
    return 0;
}
