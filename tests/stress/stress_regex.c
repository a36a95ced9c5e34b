/* stress_regex.c - many threads match with the same compiled patterns while their automata are being learnt. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/lock.h"
#include "regex/regex.h"

enum { THREADS = 4, ROUNDS = 20, TEXTS = 400, PATTERNS = 5 };

static const char *const patterns[PATTERNS] = {
    "(foo|ba[rz])+-\\d*.*", ".*a.{9}b.{3}" /* fills its memory */, "[\\pL-]+\\d", "\\b[a-c]+\\b.*x$", "([a-c]+)-(.*)",
};

struct shared {
    const struct regex *regex[PATTERNS];
    struct slice texts[TEXTS];
    bool wanted[PATTERNS][TEXTS];
};

static void *run(void *arg)
{
    const struct shared *s = arg;
    size_t wrong = 0;
    for (int i = 0; i < TEXTS; i++)
        for (int p = 0; p < PATTERNS; p++) {
            struct regex_groups groups;
            wrong += regex_match(s->regex[p], s->texts[i]) != s->wanted[p][i];
            if (p == PATTERNS - 1)
                wrong += regex_submatch(s->regex[p], s->texts[i], &groups) != s->wanted[p][i];
        }
    return (void *)wrong;
}

static void compile_all(struct shared *s, struct arena *arena)
{
    for (int p = 0; p < PATTERNS; p++)
        if (regex_compile(slice_str(patterns[p]), arena, p == PATTERNS - 1 ? REGEX_WRAPPED : 0, &s->regex[p], NULL) !=
            ERR_OK)
            abort();
}

static void make_texts(struct shared *s, struct arena *arena)
{
    static const char letters[] = "abcabcfoobarz-x 19";
    uint32_t seed = 1;
    for (int i = 0; i < TEXTS; i++) {
        size_t len = 5 + (size_t)i % 60;
        uint8_t *text = arena_alloc(arena, len);
        for (size_t n = 0; n < len; n++) {
            seed = seed * 1664525 + 1013904223;
            text[n] = (uint8_t)letters[(seed >> 16) % (sizeof letters - 1)];
        }
        s->texts[i] = slice_of(text, len);
    }
}

int main(void)
{
    static struct shared s;
    struct arena arena;
    size_t wrong = 0;
    arena_init(&arena, NULL);
    make_texts(&s, &arena);
    compile_all(&s, &arena); /* a first set of automata, used by one thread, says what is right */
    for (int p = 0; p < PATTERNS; p++)
        for (int i = 0; i < TEXTS; i++)
            s.wanted[p][i] = regex_match(s.regex[p], s.texts[i]);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        struct arena fresh;
        arena_init(&fresh, NULL);
        compile_all(&s, &fresh);
        for (int t = 0; t < THREADS; t++)
            threads[t] = thread_start("regex", run, &s);
        for (int t = 0; t < THREADS; t++) {
            void *result;
            pthread_join(threads[t], &result);
            wrong += (size_t)result;
        }
        arena_deinit(&fresh);
    }
    arena_deinit(&arena);
    printf("stress_regex: %zu wrong answers\n", wrong);
    return wrong != 0;
}
