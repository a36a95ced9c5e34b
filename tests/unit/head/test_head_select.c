/* Selecting by matchers against testing every series; label names and values. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/head_model.h"
#include "regex/regex.h"

#define START INT64_C(1700000000000)
enum { SERIES = 400 };

struct fixture {
    struct head *head;
    struct head_appender *appender;
    struct random_seeded random;
    struct arena arena;
    struct labels *all;
};

static uint64_t pick(struct fixture *f, uint64_t below)
{
    return random_u64(&f->random.base) % below;
}

static void add_labels(struct fixture *f, uint32_t i, struct labels_builder *b);

static void add_series(struct fixture *f, uint32_t i)
{
    struct labels_builder b;
    labels_builder_init(&b, &f->arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"),
                       slice_str(arena_printf(&f->arena, "metric_%u", (unsigned)pick(f, 6))));
    labels_builder_set(&b, SLICE_LIT("id"), slice_str(arena_printf(&f->arena, "%u", i)));
    if (pick(f, 2))
        labels_builder_set(&b, SLICE_LIT("job"), slice_str(arena_printf(&f->arena, "j%u", (unsigned)pick(f, 5))));
    if (pick(f, 3))
        labels_builder_set(&b, SLICE_LIT("zone"), slice_str(arena_printf(&f->arena, "z%u", (unsigned)pick(f, 40))));
    add_labels(f, i, &b);
}

static void add_labels(struct fixture *f, uint32_t i, struct labels_builder *b)
{
    struct buf canonical = {0};
    f->all[i] = labels_builder_finish(b);
    for (uint32_t k = 0; k < f->all[i].count; k++) {
        struct slice name = f->all[i].list[k]->name, value = f->all[i].list[k]->value;
        buf_u8(&canonical, 0x0a);
        buf_varint(&canonical, 4 + name.len + value.len);
        buf_u8(&canonical, 0x0a);
        buf_varint(&canonical, name.len);
        buf_slice(&canonical, name);
        buf_u8(&canonical, 0x12);
        buf_varint(&canonical, value.len);
        buf_slice(&canonical, value);
    }
    buf_le64(&canonical, 0);
    buf_le64(&canonical, 0);
    canonical.len -= SERIES_HASH_SLACK;
    struct head_row row = {.time_ms = START + i % 7, .bits = i};
    struct hash128 hash = series_hash(head_hash_key(f->head), canonical.data, canonical.len);
    head_create_begin(f->appender);
    enum err err = head_series_get(f->appender, buf_view(&canonical), hash, row.time_ms, NULL, &row.ref);
    head_create_end(f->appender);
    cr_assert_eq(err, ERR_OK);
    cr_assert_eq(head_append(f->appender, &row, 1, NULL), 0);
    buf_deinit(&canonical);
}

static struct fixture *fixture_of(uint64_t seed, uint32_t series)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct head_options o;
    random_seeded_init(&f->random, seed);
    arena_init(&f->arena, NULL);
    head_options_default(&o);
    o.random = &f->random.base;
    cr_assert_eq(head_new(&o, &f->head, NULL), ERR_OK);
    f->appender = head_appender_new(f->head);
    head_appender_enter(f->appender, 1);
    f->all = mem_array(series, sizeof *f->all);
    for (uint32_t i = 0; i < series; i++)
        add_series(f, i);
    head_appender_leave(f->appender);
    return f;
}

static struct fixture *fixture_new(uint64_t seed)
{
    return fixture_of(seed, SERIES);
}

static void fixture_free(struct fixture *f)
{
    head_appender_free(f->appender);
    head_free(f->head);
    arena_deinit(&f->arena);
    mem_free(f->all);
    mem_free(f);
}

static struct matcher matcher_random(struct fixture *f)
{
    static const char *const names[] = {"__name__", "job", "zone", "id", "missing"};
    static const char *const values[] = {"metric_1", "j1", "z7", "17", ""};
    static const char *const patterns[] = {"metric_[12]", "j1|j3",   "z.*",      "1.*|2.",  "",    ".*",
                                           ".+",          "j[0-9]+", "metric_4", "nothing", "z1|", "(z1|z2)3?"};
    size_t name = pick(f, 5);
    struct matcher m = {.op = (enum match_op)pick(f, 4), .name = slice_str(names[name])};
    if (m.op == MATCH_EQUAL || m.op == MATCH_NOT_EQUAL) {
        m.value = slice_str(values[pick(f, 3) ? name : 4]);
    } else {
        m.value = slice_str(patterns[pick(f, sizeof patterns / sizeof patterns[0])]);
        cr_assert_eq(regex_compile(m.value, &f->arena, 0, &m.regex, NULL), ERR_OK);
    }
    return m;
}

static int by_id(const void *a, const void *b)
{
    return labels_cmp(a, b);
}

Test(head_select, finds_exactly_the_series_that_match)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct fixture *f = fixture_new(seed);
        struct querier *q;
        cr_assert_eq(head_querier(f->head, START, START + 10, &q, NULL), ERR_OK);
        for (int round = 0; round < 300; round++) {
            struct matcher m[4];
            struct series_set *set;
            uint32_t count = (uint32_t)pick(f, 5), expected = 0;
            for (uint32_t i = 0; i < count; i++)
                m[i] = matcher_random(f);
            struct selector sel = {
                .matchers = m, .matcher_count = count, .mint_ms = START, .maxt_ms = START + 10, .sorted = true};
            cr_assert_eq(q->ops->select(q, &sel, &f->arena, NULL, &set, NULL), ERR_OK);
            struct labels want[SERIES];
            for (uint32_t i = 0; i < SERIES; i++)
                if (matchers_match(m, count, &f->all[i]))
                    want[expected++] = f->all[i];
            qsort(want, expected, sizeof *want, by_id);
            cr_assert_eq(set->count, expected, "seed %llu round %d", (unsigned long long)seed, round);
            for (uint32_t i = 0; i < expected; i++)
                cr_assert(labels_eq(&set->labels[i], &want[i]), "seed %llu round %d", (unsigned long long)seed, round);
        }
        q->ops->close(q);
        fixture_free(f);
    }
}

Test(head_select, obeys_time_range_series_limit_and_cancelation)
{
    struct fixture *f = fixture_new(9);
    struct querier *q;
    struct series_set *set;
    struct errmsg why = {{0}};
    struct cancel cancel;
    cr_assert_eq(head_querier(f->head, INT64_MIN, INT64_MAX, &q, NULL), ERR_OK);
    struct selector sel = {.mint_ms = START + 1000, .maxt_ms = START + 2000};
    cr_assert_eq(q->ops->select(q, &sel, &f->arena, NULL, &set, NULL), ERR_OK);
    cr_expect_eq(set->count, 0, "nothing is in this range");
    sel = (struct selector){.mint_ms = START, .maxt_ms = START + 10, .series_max = SERIES - 1};
    cr_expect_eq(q->ops->select(q, &sel, &f->arena, NULL, &set, &why), ERR_LIMIT);
    cr_expect(strstr(why.text, "399"), "%s", why.text);
    cancel_init(&cancel, NULL, 0);
    cancel_set(&cancel, ERR_CANCELED);
    sel.series_max = 0;
    cr_expect_eq(q->ops->select(q, &sel, &f->arena, &cancel, &set, NULL), ERR_CANCELED);
    q->ops->close(q);
    fixture_free(f);
}

struct collected {
    struct buf text;
    uint32_t count, stop_at;
};

static bool collect(void *ctx, struct slice name)
{
    struct collected *c = ctx;
    buf_slice(&c->text, name);
    buf_u8(&c->text, ' ');
    return ++c->count != c->stop_at;
}

Test(head_select, gives_label_names_and_values_of_matching_series)
{
    struct fixture *f = fixture_new(10);
    struct querier *q;
    struct collected c = {.stop_at = 0};
    struct selector all = {.mint_ms = START, .maxt_ms = START + 10};
    cr_assert_eq(head_querier(f->head, INT64_MIN, INT64_MAX, &q, NULL), ERR_OK);
    cr_assert_eq(q->ops->label_names(q, &all, 0, NULL, collect, &c, NULL), ERR_OK);
    cr_expect_str_eq(buf_cstr(&c.text), "__name__ id job zone ");
    buf_reset(&c.text);
    cr_assert_eq(q->ops->label_values(q, SLICE_LIT("job"), &all, 0, NULL, collect, &c, NULL), ERR_OK);
    cr_expect_str_eq(buf_cstr(&c.text), "j0 j1 j2 j3 j4 ");
    buf_reset(&c.text);
    cr_assert_eq(q->ops->label_values(q, SLICE_LIT("job"), &all, 2, NULL, collect, &c, NULL), ERR_OK);
    cr_expect_eq(c.text.len, strlen("j0 j1 "), "the limit: any two of them");
    struct matcher no_job = {.op = MATCH_EQUAL, .name = SLICE_LIT("job")};
    struct selector some = {.matchers = &no_job, .matcher_count = 1, .mint_ms = START, .maxt_ms = START + 10};
    buf_reset(&c.text);
    cr_assert_eq(q->ops->label_names(q, &some, 0, NULL, collect, &c, NULL), ERR_OK);
    cr_expect_str_eq(buf_cstr(&c.text), "__name__ id zone ");
    buf_reset(&c.text);
    cr_assert_eq(q->ops->label_values(q, SLICE_LIT("job"), &some, 0, NULL, collect, &c, NULL), ERR_OK);
    cr_expect_str_eq(buf_cstr(&c.text), "");
    cr_assert_eq(q->ops->label_values(q, SLICE_LIT("never"), &all, 0, NULL, collect, &c, NULL), ERR_OK);
    c.count = 0;
    c.stop_at = 3;
    buf_reset(&c.text);
    cr_assert_eq(q->ops->label_values(q, SLICE_LIT("job"), &all, 0, NULL, collect, &c, NULL), ERR_OK);
    cr_expect_str_eq(buf_cstr(&c.text), "j0 j1 j2 ", "the visitor stops it");
    q->ops->close(q);
    buf_deinit(&c.text);
    fixture_free(f);
}

/* What a label has among the series that match, or which labels they have (name empty), as "a b c ". */
static uint32_t expected_texts(struct fixture *f, uint32_t series, struct slice name, const struct selector *sel,
                               struct buf *out)
{
    struct labels_builder b; /* sorts and drops what is there twice */
    labels_builder_init(&b, &f->arena, NULL);
    for (uint32_t i = 0; i < series; i++) {
        if (!matchers_match(sel->matchers, sel->matcher_count, &f->all[i]))
            continue;
        for (uint32_t k = 0; k < f->all[i].count; k++)
            if (!name.len || slice_eq(f->all[i].list[k]->name, name))
                labels_builder_set(&b, name.len ? f->all[i].list[k]->value : f->all[i].list[k]->name, SLICE_LIT("x"));
    }
    struct labels all = labels_builder_finish(&b);
    buf_reset(out);
    for (uint32_t i = 0; i < all.count; i++) {
        buf_slice(out, all.list[i]->name);
        buf_u8(out, ' ');
    }
    return all.count;
}

/* Every word of `text`, each with a space behind it, is in `all`, too. */
static bool is_part(const struct buf *text, const struct buf *all)
{
    struct slice rest = buf_view(text);
    struct buf padded = {0};
    bool fine = true;
    buf_u8(&padded, ' ');
    buf_slice(&padded, buf_view(all));
    while (rest.len && fine) {
        size_t n = (size_t)((const uint8_t *)memchr(rest.data, ' ', rest.len) - rest.data) + 1;
        char word[64];
        snprintf(word, sizeof word, " %.*s", (int)n, (const char *)rest.data);
        fine = strstr(buf_cstr(&padded), word) != NULL;
        rest = slice_from(rest, n);
    }
    buf_deinit(&padded);
    return fine;
}

static void check_texts(struct fixture *f, struct querier *q, uint32_t series, const char *label,
                        const struct selector *sel, uint64_t limit)
{
    struct slice name = slice_str(label);
    struct collected c = {0};
    struct buf all = {0};
    uint32_t want = expected_texts(f, series, name, sel, &all);
    enum err err = name.len ? q->ops->label_values(q, name, sel, limit, NULL, collect, &c, NULL)
                            : q->ops->label_names(q, sel, limit, NULL, collect, &c, NULL);
    cr_assert_eq(err, ERR_OK);
    if (!limit || want <= limit) {
        cr_assert_str_eq(buf_cstr(&c.text), buf_cstr(&all), "label %s limit %llu", label, (unsigned long long)limit);
    } else {
        cr_assert_eq(c.count, limit, "label %s: %u of %u, limit %llu", label, c.count, want, (unsigned long long)limit);
        cr_assert(is_part(&c.text, &all), "label %s: %s of %s", label, buf_cstr(&c.text), buf_cstr(&all));
    }
    buf_deinit(&c.text);
    buf_deinit(&all);
}

/* So many series that each way of finding names is taken: from the values, from the series, from the lists. */
Test(head_select, with_a_limit_gives_so_many_of_what_matches_and_without_it_all)
{
    enum { MANY = 12000 };
    struct fixture *f = fixture_of(11, MANY);
    struct querier *q;
    cr_assert_eq(head_querier(f->head, START, START + 10, &q, NULL), ERR_OK);
    for (int round = 0; round < 60; round++) {
        static const char *const labels[] = {"", "job", "zone", "__name__", "missing"};
        static const uint64_t limits[] = {0, 1, 3, 20, 1000};
        struct matcher m[3];
        uint32_t count = (uint32_t)pick(f, 4), matching = 0;
        uint64_t limit = limits[pick(f, 5)];
        struct series_set *set;
        for (uint32_t i = 0; i < count; i++)
            m[i] = matcher_random(f);
        struct selector sel = {
            .matchers = m, .matcher_count = count, .mint_ms = START, .maxt_ms = START + 10, .series_limit = limit};
        for (uint32_t i = 0; i < MANY; i++)
            matching += matchers_match(m, count, &f->all[i]);
        cr_assert_eq(q->ops->select(q, &sel, &f->arena, NULL, &set, NULL), ERR_OK);
        cr_assert_eq(set->count, limit && limit < matching ? limit : matching);
        for (uint32_t i = 0; i < set->count; i++)
            cr_assert(matchers_match(m, count, &set->labels[i]));
        for (int i = 0; i < 5; i++)
            check_texts(f, q, MANY, labels[i], &sel, limit);
    }
    q->ops->close(q);
    fixture_free(f);
}

/* Values that agree in many bytes, one the beginning of the other, short and long. */
static const char *odd_value(struct fixture *f, char *out)
{
    static const char *const begins[] = {"", "a", "common-beginning-of-many-", "common-beginning-of-some-", "\xc3\xa9"};
    char *p = stpcpy(out, begins[pick(f, 5)]);
    for (uint64_t n = pick(f, 30) + 1; n > 0; n--)
        *p++ = pick(f, 4) ? 'a' : (char)('a' + pick(f, 3));
    *p = 0;
    return out;
}

static void add_odd(struct fixture *f, uint32_t i)
{
    struct labels_builder b;
    char value[64];
    labels_builder_init(&b, &f->arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("odd"));
    labels_builder_set(&b, SLICE_LIT("id"), slice_str(arena_printf(&f->arena, "%u", i)));
    labels_builder_set(&b, SLICE_LIT("odd"), slice_str(arena_printf(&f->arena, "%s", odd_value(f, value))));
    add_labels(f, i, &b);
}

static uint32_t expect_beginning(struct fixture *f, uint32_t series, const char *pattern)
{
    struct series_set *set;
    struct querier *q;
    uint32_t expected = 0;
    struct matcher m = {.op = MATCH_REGEX, .name = SLICE_LIT("odd"), .value = slice_str(pattern)};
    struct selector sel = {.matchers = &m, .matcher_count = 1, .mint_ms = START, .maxt_ms = START + 10, .sorted = true};
    cr_assert_eq(regex_compile(m.value, &f->arena, 0, &m.regex, NULL), ERR_OK);
    cr_assert_eq(head_querier(f->head, START, START + 10, &q, NULL), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &f->arena, NULL, &set, NULL), ERR_OK);
    for (uint32_t i = 0; i < series; i++)
        expected += matchers_match(&m, 1, &f->all[i]);
    cr_assert_eq(set->count, expected, "%s of %u: %u, not %u", pattern, series, set->count, expected);
    for (uint32_t i = 0; i < set->count; i++)
        cr_assert(matchers_match(&m, 1, &set->labels[i]));
    check_texts(f, q, series, "odd", &sel, 0);
    check_texts(f, q, series, "odd", &sel, 7);
    check_texts(f, q, series, "id", &sel, 0);
    q->ops->close(q);
    return expected;
}

Test(head_select, finds_values_by_their_beginning_while_new_ones_come)
{
    enum { MANY = 6000, STEP = 400 };
    struct fixture *f = fixture_of(5, 0);
    uint32_t found = 0;
    f->all = mem_realloc(f->all, MANY * sizeof *f->all);
    for (uint32_t i = 0; i < MANY; i++) {
        char begin[64], pattern[72];
        head_appender_enter(f->appender, 1);
        add_odd(f, i);
        head_appender_leave(f->appender);
        if (i % STEP != STEP - 1)
            continue;
        for (int round = 0; round < 12; round++) {
            odd_value(f, begin);
            begin[pick(f, strlen(begin)) + 1] = 0;
            snprintf(pattern, sizeof pattern, round % 3 ? "%s.*" : "%s.*a", begin);
            found += expect_beginning(f, i + 1, pattern[0] & 0x80 && !(pattern[1] & 0x80) ? "a.*" : pattern);
        }
    }
    cr_assert_gt(found, MANY / 10, "the patterns find something: %u", found);
    fixture_free(f);
}

Test(head_select, finds_values_by_their_beginning_when_others_have_left)
{
    enum { MANY = 2400, IDLE_LATER = 7200000 };
    struct fixture *f = fixture_of(6, 0);
    struct head_cut *cut;
    struct head_stats stats;
    struct series_set *set;
    int64_t mint, maxt;
    f->all = mem_realloc(f->all, MANY * sizeof *f->all);
    head_appender_enter(f->appender, 1);
    for (uint32_t i = 0; i < MANY / 2; i++)
        add_odd(f, i);
    head_appender_leave(f->appender);
    expect_beginning(f, MANY / 2, "common-.*");        /* makes the order */
    head_cut_begin(f->head, START + IDLE_LATER, &cut); /* all leave */
    while (head_cut_window(cut, IDLE_LATER, &mint, &maxt)) {
        head_cut_select(cut, mint, maxt, labels_cmp);
        do
            cr_assert_eq(head_cut_next(cut, &set, NULL), ERR_OK);
        while (set);
    }
    cr_assert_eq(head_cut_finish(cut, 1, NULL), ERR_OK);
    head_stats(f->head, &stats);
    cr_assert_eq(stats.series, 0);
    head_appender_enter(f->appender, 1);
    for (uint32_t i = MANY / 2; i < MANY; i++)
        add_odd(f, i - MANY / 2);
    head_appender_leave(f->appender);
    for (int i = 0; i < 3; i++)
        expect_beginning(f, MANY / 2, (const char *const[]){"common-.*", "a.*", "common-beginning-of-some-.+a"}[i]);
    fixture_free(f);
}

Test(head_select, stops_making_an_order_of_values_when_canceled)
{
    enum { MANY = 2000 };
    struct fixture *f = fixture_of(7, 0);
    struct querier *q;
    struct series_set *set;
    struct cancel cancel;
    struct matcher m = {.op = MATCH_REGEX, .name = SLICE_LIT("odd"), .value = SLICE_LIT("common-.*")};
    f->all = mem_realloc(f->all, MANY * sizeof *f->all);
    head_appender_enter(f->appender, 1);
    for (uint32_t i = 0; i < MANY; i++)
        add_odd(f, i);
    head_appender_leave(f->appender);
    cr_assert_eq(regex_compile(m.value, &f->arena, 0, &m.regex, NULL), ERR_OK);
    struct selector sel = {.matchers = &m, .matcher_count = 1, .mint_ms = START, .maxt_ms = START + 10};
    cancel_init(&cancel, NULL, 0);
    cancel_set(&cancel, ERR_CANCELED);
    cr_assert_eq(head_querier(f->head, START, START + 10, &q, NULL), ERR_OK);
    cr_expect_eq(q->ops->select(q, &sel, &f->arena, &cancel, &set, NULL), ERR_CANCELED);
    q->ops->close(q);
    cr_expect_gt(expect_beginning(f, MANY, "common-.*"), 0);
    fixture_free(f);
}
