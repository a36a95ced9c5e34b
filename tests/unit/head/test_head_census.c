/* Counting series by group against selecting them and reading each one's newest sample. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/head_model.h"
#include "model/value.h"
#include "regex/regex.h"

#define START INT64_C(1700000000000)
enum { SERIES = 300, GROUPS_MAX = 1024 };

static uint64_t points_of(const struct histogram *h)
{
    return h ? 7 : 0;
}

/* Scrapes, then values, stale markers and histograms at random times, some of them late. */
static void fill(struct head_model *m)
{
    model_scrapes(m, START, 20);
    for (int i = 0; i < 400; i++) {
        size_t series = model_random(m, SERIES);
        int64_t time_ms = START + (int64_t)model_random(m, 400000);
        uint64_t bits = model_random(m, 2) ? STALE_NAN_BITS : f64_bits((double)model_random(m, 3));
        if (model_random(m, 8) == 0)
            model_append_histogram(m, series, time_ms, (double)model_random(m, 9));
        else
            model_append(m, &(struct model_row){series, time_ms, bits}, 1);
    }
}

struct counted {
    struct labels labels[GROUPS_MAX];
    uint64_t series[GROUPS_MAX], points;
    uint32_t count;
};

static bool drop_pair(const struct label *pair, void *ctx)
{
    const struct census_request *r = ctx;
    bool named = false;
    for (uint32_t i = 0; i < r->name_count; i++)
        named = named || slice_eq(r->names[i], pair->name);
    return named == r->without;
}

/* What the sample counts for; 0: it does not. */
static uint64_t points_at(const struct samples *s, uint32_t i)
{
    const struct histogram *h = s->hists ? s->hists[i] : NULL;
    return value_is_stale(h ? h->sum : s->values[i]) ? 0 : h ? points_of(h) : 1;
}

static void count_one(struct counted *out, const struct labels *group, uint64_t points)
{
    uint32_t i = 0;
    while (i < out->count && !labels_eq(&out->labels[i], group))
        i++;
    if (i == out->count) {
        cr_assert_lt(i, GROUPS_MAX);
        out->labels[out->count++] = *group;
        out->series[i] = 0;
    }
    out->series[i]++;
    out->points += points;
}

static void count_by_reading(struct querier *q, const struct census_request *r, struct arena *arena,
                             struct counted *out)
{
    struct selector sel = *r->selector;
    struct series_set *set;
    struct census_request *filter = ARENA_NEW(arena, struct census_request);
    *filter = *r;
    sel.sorted = true;
    out->count = 0;
    out->points = 0;
    cr_assert_eq(q->ops->select(q, &sel, arena, NULL, &set, NULL), ERR_OK);
    struct series_reader *reader = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples s;
        cr_assert_eq(reader->ops->read(reader, i, sel.mint_ms, sel.maxt_ms, &s, NULL), ERR_OK);
        uint64_t points = s.count ? points_at(&s, s.count - 1) : 0;
        for (uint32_t k = s.count; r->passes_stale && !points && k-- > 0;)
            points = points_at(&s, k);
        struct labels group = labels_filter(&set->labels[i], arena, drop_pair, filter);
        if (points)
            count_one(out, &group, points);
    }
    reader->ops->close(reader);
}

static void census_equals_reading(struct querier *q, const struct census_request *r, const char *what)
{
    static struct counted want;
    struct arena arena;
    struct census *census = NULL;
    struct census_result got;
    arena_init(&arena, NULL);
    count_by_reading(q, r, &arena, &want);
    cr_assert_eq(q->ops->census(q, r, &arena, NULL, &census, NULL), ERR_OK);
    cr_assert_not_null(census);
    cr_assert_eq(census->ops->work(census, NULL), ERR_OK);
    cr_assert_eq(census->ops->work(census, NULL), ERR_OK, "nothing is left for a second thread");
    cr_assert_eq(census->ops->finish(census, &got, NULL), ERR_OK);
    cr_expect_eq(got.group_count, want.count, "%s: %u groups, not %u", what, got.group_count, want.count);
    cr_expect_eq(got.points, want.points, "%s", what);
    for (uint32_t i = 0; i < got.group_count && i < want.count; i++) {
        cr_expect_eq(got.groups[i].series, want.series[i], "%s: group %u", what, i);
        cr_expect(labels_eq(&got.groups[i].labels, &want.labels[i]), "%s: the order of groups", what);
    }
    census->ops->close(census);
    arena_deinit(&arena);
}

/* Matchers that fit the names of the model: broad ones are walked page by page, narrow ones series by series. */
static uint32_t matchers_random(struct head_model *m, struct arena *arena, struct matcher *out)
{
    static const char *const patterns[] = {".+", ".*", "m.*", "i1.*", "m[0-6]", "", "x|y"};
    static const char *const names[] = {"__name__", "instance", "job", "nobody", "id"};
    uint32_t count = (uint32_t)model_random(m, 4);
    for (uint32_t i = 0; i < count; i++) {
        out[i] =
            (struct matcher){.op = (enum match_op)model_random(m, 4), .name = slice_str(names[model_random(m, 5)])};
        out[i].value = slice_str(patterns[model_random(m, 7)]);
        if (out[i].op == MATCH_REGEX || out[i].op == MATCH_NOT_REGEX)
            cr_assert_eq(regex_compile(out[i].value, arena, 0, &out[i].regex, NULL), ERR_OK);
    }
    return count;
}

Test(head_census, counts_what_reading_each_series_counts)
{
    static const char *const names[] = {"__name__", "id", "instance", "job", "nobody"};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct head_model m;
        struct querier *q;
        struct arena arena;
        model_init(&m, seed, SERIES);
        fill(&m);
        arena_init(&arena, NULL);
        cr_assert_eq(head_querier(m.head, INT64_MIN, INT64_MAX, &q, NULL), ERR_OK);
        for (int round = 0; round < 400; round++) {
            struct matcher matchers[4];
            struct slice by[5];
            char what[64];
            struct selector sel = {.matchers = matchers, .matcher_count = matchers_random(&m, &arena, matchers)};
            struct census_request r = {.selector = &sel, .names = by, .points = points_of};
            sel.maxt_ms = START + (int64_t)model_random(&m, 500000);
            sel.mint_ms = sel.maxt_ms - (int64_t)model_random(&m, 300000);
            r.without = model_random(&m, 2);
            r.passes_stale = model_random(&m, 2);
            for (int i = 0; i < 5; i++)
                if (model_random(&m, 3) == 0)
                    by[r.name_count++] = slice_str(names[i]);
            snprintf(what, sizeof what, "seed %d round %d", (int)seed, round);
            census_equals_reading(q, &r, what);
        }
        q->ops->close(q);
        arena_deinit(&arena);
        model_deinit(&m);
    }
}

Test(head_census, stops_when_it_is_canceled_and_when_groups_do_not_fit)
{
    struct head_model m;
    struct querier *q;
    struct arena arena;
    struct mem_budget budget = {.limit = 1 << 14};
    struct cancel cancel;
    struct census *census;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX - 1};
    struct census_request r = {.selector = &sel, .without = true, .points = points_of};
    model_init(&m, 4, SERIES);
    fill(&m);
    arena_init(&arena, &budget);
    cr_assert_eq(head_querier(m.head, INT64_MIN, INT64_MAX, &q, NULL), ERR_OK);
    cr_assert_eq(q->ops->census(q, &r, &arena, NULL, &census, NULL), ERR_OK);
    struct errmsg why;
    cr_expect_eq(census->ops->work(census, &why), ERR_LIMIT);
    cr_expect(strstr(why.text, "memory"), "%s", why.text);
    census->ops->close(census);
    arena_deinit(&arena);
    arena_init(&arena, NULL);
    cancel_init(&cancel, NULL, 0);
    cr_assert_eq(q->ops->census(q, &r, &arena, &cancel, &census, NULL), ERR_OK);
    cancel_set(&cancel, ERR_CANCELED);
    cr_expect_eq(census->ops->work(census, NULL), ERR_CANCELED);
    census->ops->close(census);
    q->ops->close(q);
    arena_deinit(&arena);
    model_deinit(&m);
}
