/* similarity.c - see similarity.h. */
#include "api/similarity.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

void runes_set(struct runes *r, struct slice text)
{
    const uint8_t *p = text.data, *end = p + text.len;
    r->count = 0;
    while (p < end && r->count < SIMILARITY_RUNES_MAX) {
        size_t len;
        r->list = mem_grow(r->list, &r->capacity, r->count + 1, sizeof *r->list);
        r->list[r->count++] = utf8_decode(p, end, &len);
        p += len;
    }
}

void runes_deinit(struct runes *r)
{
    mem_free(r->list);
    *r = (struct runes){0};
}

bool runes_starts_with(const struct runes *r, const struct runes *prefix)
{
    return prefix->count <= r->count &&
           (!prefix->count || memcmp(r->list, prefix->list, prefix->count * sizeof *r->list) == 0);
}

bool runes_eq(const struct runes *a, const struct runes *b)
{
    return a->count == b->count && runes_starts_with(a, b);
}

/* ---- subsequence ---- */

/* The end of the run of pattern[*at ...] that begins at text[from]; *at moves behind it. */
static size_t run_end(const struct runes *pattern, const struct runes *text, size_t from, size_t *at)
{
    size_t i = from;
    while (i < text->count && *at < pattern->count && text->list[i] == pattern->list[*at]) {
        i++;
        ++*at;
    }
    return i;
}

/* Takes the first place for each rune from `start` on; false: the pattern does not fit. */
static bool score_from(const struct runes *pattern, const struct runes *text, size_t start, double *score)
{
    double each = 1.0 / (double)text->count, sum = 0;
    size_t at = 0, i = start, behind = 0;
    while (at < pattern->count) {
        while (i < text->count && text->list[i] != pattern->list[at])
            i++;
        if (i == text->count)
            return false;
        size_t end = run_end(pattern, text, i, &at);
        if (i > behind)
            sum -= (double)(i - behind) * each;
        sum += (double)((end - i) * (end - i));
        i = behind = end;
    }
    if (text->count > behind)
        sum -= (double)(text->count - behind) * each * 0.5;
    *score = sum;
    return true;
}

double similarity_subsequence(const struct runes *pattern, const struct runes *text)
{
    static const double not_the_same = 0.999; /* only equal texts score 1 */
    double best = -1, score;
    if (!pattern->count || runes_eq(pattern, text))
        return 1;
    for (size_t i = 0; i + pattern->count <= text->count; i++) {
        if (text->list[i] != pattern->list[0])
            continue;
        if (!score_from(pattern, text, i, &score))
            break; /* nor from any later place */
        best = score > best ? score : best;
    }
    return best < 0 ? 0 : best / (double)(pattern->count * pattern->count) * not_the_same;
}

/* ---- Jaro-Winkler ---- */

/* Marks the runes that both have, no farther apart than `reach`; how many. */
static size_t match_near(const struct runes *a, const struct runes *b, size_t reach, bool *in_a, bool *in_b)
{
    size_t matches = 0;
    for (size_t i = 0; i < a->count; i++) {
        size_t from = i > reach ? i - reach : 0, to = i + reach + 1 < b->count ? i + reach + 1 : b->count;
        for (size_t j = from; j < to && !in_a[i]; j++)
            if (!in_b[j] && a->list[i] == b->list[j])
                in_a[i] = in_b[j] = true;
        matches += in_a[i];
    }
    return matches;
}

static double transposed(const struct runes *a, const struct runes *b, const bool *in_a, const bool *in_b)
{
    double count = 0;
    for (size_t i = 0, k = 0; i < a->count; i++) {
        if (!in_a[i])
            continue;
        while (!in_b[k])
            k++;
        count += a->list[i] != b->list[k++];
    }
    return count;
}

double similarity_jaro_winkler(const struct runes *a, const struct runes *b)
{
    if (runes_eq(a, b))
        return 1;
    if (a->count > b->count) {
        const struct runes *longer = a;
        a = b;
        b = longer;
    }
    if (!a->count)
        return 0;
    bool *in_a = mem_array(a->count + b->count, sizeof *in_a), *in_b = in_a + a->count;
    size_t reach = b->count / 2 > 1 ? b->count / 2 - 1 : 0, prefix = 0;
    double matches = (double)match_near(a, b, reach, in_a, in_b), jaro = 0;
    if (matches > 0)
        jaro = (matches * (1.0 / (double)a->count) + matches * (1.0 / (double)b->count) +
                (matches - transposed(a, b, in_a, in_b) * 0.5) / matches) /
               3.0;
    mem_free(in_a);
    if (matches == 0)
        return 0;
    while (prefix < 4 && prefix < a->count && a->list[prefix] == b->list[prefix])
        prefix++;
    return jaro + (double)prefix * 0.1 * (1.0 - jaro);
}

/* ---- substring ---- */

bool similarity_substring(const struct runes *pattern, const struct runes *text, double *score)
{
    *score = 1;
    if (runes_starts_with(text, pattern))
        return true;
    for (size_t i = 1; i + pattern->count <= text->count; i++)
        if (memcmp(text->list + i, pattern->list, pattern->count * sizeof *text->list) == 0) {
            *score = 1.0 - 0.9 * (double)i / (double)(text->count - pattern->count);
            return true;
        }
    *score = 0;
    return false;
}
