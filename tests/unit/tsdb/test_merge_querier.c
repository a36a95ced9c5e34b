/* Several sources answer as one: series joined, samples merged, the newer source wins. */
#include "tsdb/merge_querier.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/array_querier.h"

enum { SOURCES = 3 };

static struct array_querier sources[SOURCES];
static struct querier *q;
static struct arena arena;
static struct errmsg why;
static _Atomic uint64_t ids = 1;

static void setup(void)
{
    arena_init(&arena, NULL);
    for (int i = 0; i < SOURCES; i++)
        array_querier_init(&sources[i]);
}

static void join(int64_t mint_ms, uint32_t count)
{
    struct merge_source list[SOURCES];
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct merge_source){&sources[i].base, INT64_MAX};
    q = merge_querier_new(&(struct merge_options){
        .mint_ms = mint_ms, .maxt_ms = 1000, .sources = list, .source_count = count, .times_ids = &ids});
}

static void teardown(void)
{
    if (q)
        q->ops->close(q);
    for (int i = 0; i < SOURCES; i++)
        array_querier_deinit(&sources[i]);
    arena_deinit(&arena);
}

TestSuite(merge_querier, .init = setup, .fini = teardown);

static void add(int source, const char *value, const char *text)
{
    int64_t times[16];
    double values[16];
    uint32_t n = 0;
    for (int read = 0; *text; text += read, n++) {
        long long t;
        cr_assert_eq(sscanf(text, "%lld=%lf%n", &t, &values[n], &read), 2);
        times[n] = t;
        read += text[read] == ' ';
    }
    array_querier_add(&sources[source], "m", "a", value, n, times, values)->times_id = (uint64_t)source + 1;
}

/* "a: 1=2 3=4; b: ..." of everything that m matches. */
static const char *all(bool sorted)
{
    static char text[2048];
    struct selector sel = {.mint_ms = -1000, .maxt_ms = 1000, .sorted = sorted};
    struct series_set *set;
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK, "%s", why.text);
    struct series_reader *r = set->ops->reader(set);
    int n = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples s;
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "%.*s:", SLICE_ARG(labels_get(&set->labels[i], slice_str("a"))));
        cr_assert_eq(r->ops->read(r, i, -1000, 1000, &s, &why), ERR_OK);
        for (uint32_t k = 0; k < s.count; k++)
            n += snprintf(text + n, sizeof text - (size_t)n, " %lld=%g", (long long)s.times_ms[k], s.values[k]);
        n += snprintf(text + n, sizeof text - (size_t)n, ";");
    }
    r->ops->close(r);
    return text;
}

Test(merge_querier, puts_parts_one_after_the_other)
{
    add(0, "x", "1=1 2=2");
    add(1, "x", "3=3");
    add(2, "x", "4=4 5=5");
    join(-1000, 3);
    cr_expect_str_eq(all(true), "x: 1=1 2=2 3=3 4=4 5=5;");
}

Test(merge_querier, a_newer_source_wins_where_times_are_equal)
{
    add(0, "x", "1=10 2=20 5=50 7=70");
    add(1, "x", "2=21 3=31 5=51");
    add(2, "x", "5=52 6=62");
    join(-1000, 3);
    cr_expect_str_eq(all(true), "x: 1=10 2=21 3=31 5=52 6=62 7=70;");
}

Test(merge_querier, joins_series_and_sorts_them)
{
    add(0, "b", "1=1");
    add(0, "d", "1=1");
    add(1, "d", "2=2");
    add(1, "a", "2=2");
    add(1, "c", "2=2");
    add(1, "e", "2=2");
    add(2, "b", "3=3");
    join(-1000, 3);
    cr_expect_str_eq(all(true), "a: 2=2;b: 1=1 3=3;c: 2=2;d: 1=1 2=2;e: 2=2;");
    const char *unsorted = all(false);
    cr_expect(strstr(unsorted, "d: 1=1 2=2;") && strstr(unsorted, "b: 1=1 3=3;"), "%s", unsorted);
}

Test(merge_querier, hides_what_is_past_retention)
{
    add(0, "x", "1=1 2=2 3=3");
    add(1, "y", "1=1");
    join(2, 2);
    cr_expect_str_eq(all(true), "x: 2=2 3=3;");
    q->ops->close(q);
    q = NULL;
    join(2, 1);
    cr_expect_str_eq(all(true), "x: 2=2 3=3;", "also when there is one source only");
}

Test(merge_querier, finds_the_newest_sample)
{
    add(0, "x", "1=1 9=90");
    add(1, "x", "5=5 9=91");
    add(2, "x", "3=3");
    join(-1000, 3);
    struct selector sel = {.mint_ms = -1000, .maxt_ms = 1000};
    struct series_set *set;
    struct samples s;
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    cr_assert_eq(r->ops->last(r, 0, -1000, 100, &s, &why), ERR_OK);
    cr_expect(s.count == 1 && s.times_ms[0] == 9 && s.values[0] == 91);
    cr_assert_eq(r->ops->last(r, 0, -1000, 4, &s, &why), ERR_OK);
    cr_expect(s.count == 1 && s.times_ms[0] == 3);
    cr_assert_eq(r->ops->last(r, 0, 10, 100, &s, &why), ERR_OK);
    cr_expect_eq(s.count, 0);
    r->ops->close(r);
}

Test(merge_querier, series_with_the_same_columns_share_an_id)
{
    add(0, "x", "1=1 2=2");
    add(0, "y", "1=5 2=6");
    add(0, "z", "2=6");
    for (int i = 0; i < 3; i++)
        add(1, (const char *[]){"x", "y", "z"}[i], "3=3");
    join(-1000, 2);
    struct selector sel = {.mint_ms = -1000, .maxt_ms = 1000, .sorted = true};
    struct series_set *set;
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    uint64_t got[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct samples s;
        cr_assert_eq(r->ops->read(r, i, -1000, 1000, &s, &why), ERR_OK);
        got[i] = s.times_id;
    }
    cr_expect(got[0] != 0 && got[0] == got[1] && got[2] != got[0]);
    r->ops->close(r);
}

Test(merge_querier, series_with_the_same_columns_have_their_own_values)
{
    add(0, "a", "1=1 2=2");
    add(0, "b", "1=3 2=4");
    add(0, "c", "2=5 4=6");
    add(0, "d", "1=7 2=8");
    for (int i = 0; i < 4; i++)
        add(1, (const char *[]){"a", "b", "c", "d"}[i], "3=9");
    join(-1000, 2);
    cr_expect_str_eq(all(true), "a: 1=1 2=2 3=9;b: 1=3 2=4 3=9;c: 2=5 3=9 4=6;d: 1=7 2=8 3=9;");
}

static bool append_name(void *ctx, struct slice name)
{
    struct buf *b = ctx;
    buf_slice(b, name);
    buf_u8(b, ' ');
    return true;
}

Test(merge_querier, merges_names_and_values_up_to_a_limit)
{
    add(0, "b", "1=1");
    add(0, "d", "1=1");
    add(1, "d", "2=2");
    add(1, "a", "2=2");
    join(-1000, 3);
    struct selector sel = {.mint_ms = -1000, .maxt_ms = 1000};
    struct buf out = {0};
    cr_assert_eq(q->ops->label_names(q, &sel, 0, NULL, append_name, &out, &why), ERR_OK);
    cr_expect_str_eq(buf_cstr(&out), "__name__ a ");
    buf_reset(&out);
    cr_assert_eq(q->ops->label_values(q, slice_str("a"), &sel, 0, NULL, append_name, &out, &why), ERR_OK);
    cr_expect_str_eq(buf_cstr(&out), "a b d ");
    buf_reset(&out);
    cr_assert_eq(q->ops->label_values(q, slice_str("a"), &sel, 2, NULL, append_name, &out, &why), ERR_OK);
    cr_expect_str_eq(buf_cstr(&out), "a b ");
    buf_deinit(&out);
}

Test(merge_querier, refuses_more_series_than_allowed_and_closes_its_sources)
{
    add(0, "b", "1=1");
    add(1, "a", "2=2");
    join(-1000, 2);
    struct selector sel = {.mint_ms = -1000, .maxt_ms = 1000, .series_max = 1};
    struct series_set *set;
    cr_expect_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_LIMIT);
    q->ops->close(q);
    q = NULL;
    cr_expect(sources[0].closed == 1 && sources[1].closed == 1);
}
