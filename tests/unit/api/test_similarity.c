/* Scores of the search API. */
#include "api/similarity.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct texts {
    struct runes a, b;
};

static struct texts texts_of(const char *a, const char *b)
{
    struct texts t = {0};
    runes_set(&t.a, slice_str(a));
    runes_set(&t.b, slice_str(b));
    return t;
}

static void texts_free(struct texts *t)
{
    runes_deinit(&t->a);
    runes_deinit(&t->b);
}

static double jaro(const char *a, const char *b)
{
    struct texts t = texts_of(a, b);
    double score = similarity_jaro_winkler(&t.a, &t.b);
    cr_expect_eq(score, similarity_jaro_winkler(&t.b, &t.a), "either way round");
    texts_free(&t);
    return score;
}

static double subsequence(const char *pattern, const char *text)
{
    struct texts t = texts_of(pattern, text);
    double score = similarity_subsequence(&t.a, &t.b);
    texts_free(&t);
    return score;
}

static double substring(const char *pattern, const char *text)
{
    struct texts t = texts_of(pattern, text);
    double score;
    bool found = similarity_substring(&t.a, &t.b, &score);
    texts_free(&t);
    return found ? score : -1;
}

static bool near(double got, double want)
{
    return fabs(got - want) < 1e-9;
}

Test(api_similarity, jaro_winkler_scores_are_those_of_the_literature)
{
    cr_expect(near(jaro("MARTHA", "MARHTA"), 0.96111111111));
    cr_expect(near(jaro("DIXON", "DICKSONX"), 0.81333333333));
    cr_expect_eq(jaro("same", "same"), 1);
    cr_expect_eq(jaro("abc", "xyz"), 0);
    cr_expect_eq(jaro("", "x"), 0);
    cr_expect_eq(jaro("", ""), 1);
    cr_expect_eq(jaro("é", "é"), 1);
}

Test(api_similarity, a_subsequence_scores_by_its_runs_and_gaps)
{
    cr_expect_eq(subsequence("abc", "abc"), 1);
    cr_expect_eq(subsequence("abc", "cba"), 0);
    cr_expect_eq(subsequence("abcd", "abc"), 0);
    cr_expect_eq(subsequence("", "abc"), 1);
    cr_expect_eq(subsequence("a", ""), 0);
    cr_expect(near(subsequence("ab", "xab"), (4 - 1.0 / 3) / 4 * 0.999), "one before");
    cr_expect(near(subsequence("ab", "abx"), (4 - 0.5 / 3) / 4 * 0.999), "one behind costs half");
    cr_expect(near(subsequence("ab", "axb"), (2 - 1.0 / 3) / 4 * 0.999), "two runs of one");
    cr_expect(near(subsequence("ab", "axab"), (4 - 2.0 / 4) / 4 * 0.999), "the best place counts");
    cr_expect(near(subsequence("éb", "xéb"), (4 - 1.0 / 3) / 4 * 0.999), "characters, not bytes");
}

Test(api_similarity, a_substring_scores_by_its_place)
{
    cr_expect_eq(substring("ab", "abc"), 1);
    cr_expect(near(substring("c", "abc"), 0.1));
    cr_expect(near(substring("b", "abc"), 0.55));
    cr_expect_eq(substring("x", "abc"), -1);
    cr_expect_eq(substring("abcd", "abc"), -1);
}

Test(api_similarity, long_texts_are_compared_by_their_beginnings)
{
    char *text = malloc(200001);
    memset(text, 'a', 200000);
    text[200000] = 0;
    cr_expect_eq(jaro(text, text), 1);
    cr_expect_eq(subsequence("ab", text), 0);
    free(text);
}
