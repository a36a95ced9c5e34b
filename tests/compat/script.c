/* script.c - the commands of a script; values and histograms are in script_series.c and script_histogram.c. */
#include "compat/script.h"

#include "base/mem.h"
#include "numeric/goparse.h"
#include "promql/durations.h"

struct reader {
    struct slice *lines; /* trimmed; comments are empty */
    size_t count, next;
    struct script *script;
    struct arena *arena;
    struct errmsg *why;
};

/* The next line of the command that is being read; false at an empty line or the end. */
static bool next_line(struct reader *r, struct slice *line)
{
    if (r->next == r->count || r->lines[r->next].len == 0)
        return false;
    *line = r->lines[r->next++];
    return true;
}

static enum err parse_time(struct slice word, int64_t *ms, struct errmsg *why)
{
    int64_t ns;
    TRY(promql_duration_parse(word, &ns, why));
    *ms = ns / NS_PER_MS;
    return ERR_OK;
}

/* ---- load ---- */

/* "-1m" of an @st item; the unit ends at a digit's successor that is no letter, or at x. */
static bool parse_start_duration(struct slice *s, int64_t *ms)
{
    bool negative = script_skip(s, "-");
    if (!negative)
        script_skip(s, "+");
    size_t i = 0;
    while (i < s->len && s->data[i] >= '0' && s->data[i] <= '9')
        i++;
    while (i < s->len && s->data[i] != 'x' && (s->data[i] | 0x20) >= 'a' && (s->data[i] | 0x20) <= 'z')
        i++;
    if (parse_time(slice_of(s->data, i), ms, NULL) != ERR_OK)
        return false;
    *ms = negative ? -*ms : *ms;
    *s = slice_from(*s, i);
    return true;
}

struct offsets {
    struct script_value *list;
    size_t count, capacity;
};

static void add_offset(struct offsets *o, bool omitted, int64_t ms)
{
    o->list = mem_grow(o->list, &o->capacity, o->count + 1, sizeof *o->list);
    o->list[o->count++] = (struct script_value){.omitted = omitted, .value = (double)ms};
}

/* _, _xN, 1m, 1mxN, 1m+30sxN */
static bool parse_start_item(struct slice s, struct offsets *o)
{
    int64_t ms = 0, step = 0;
    uint64_t count = 0;
    bool omitted = script_skip(&s, "_");
    if (!omitted && !parse_start_duration(&s, &ms))
        return false;
    if (s.len && s.data[0] != 'x' && !parse_start_duration(&s, &step))
        return false;
    bool repeated = script_skip(&s, "x");
    if ((repeated && !script_count(&s, &count)) || s.len > 0)
        return false;
    if (omitted && repeated)
        count--; /* _x3 is three, 1x3 is four */
    for (uint64_t i = 0; i <= count; i++)
        add_offset(o, omitted, ms + (int64_t)i * step);
    return true;
}

static struct script_values copy_values(struct arena *arena, const struct script_value *list, size_t count)
{
    struct script_values v = {(uint32_t)count, ARENA_ARRAY(arena, struct script_value, count + 1)};
    if (count)
        memcpy(v.list, list, count * sizeof *list);
    return v;
}

static bool is_start_line(struct slice line)
{
    struct slice word = script_word(&line);
    return word.len >= 3 && memcmp(word.data + word.len - 3, "@st", 3) == 0;
}

static enum err parse_starts(struct reader *r, struct slice line, struct script_values *out)
{
    struct slice metric = script_word(&line);
    struct offsets o = {0};
    bool ok = true;
    while (ok && line.len > 0)
        ok = parse_start_item(script_word(&line), &o);
    *out = copy_values(r->arena, o.list, o.count);
    mem_free(o.list);
    return ok ? ERR_OK : err_set(r->why, ERR_INVALID, "bad start times of %.*s", SLICE_ARG(metric));
}

static void add_series(struct reader *r, struct script_series **list, uint32_t *count, const struct script_series *s)
{
    struct script_series *grown = ARENA_ARRAY(r->arena, struct script_series, *count + 1u);
    if (*count)
        memcpy(grown, *list, *count * sizeof *grown);
    grown[(*count)++] = *s;
    *list = grown;
}

/* A series that comes again replaces the first. */
static void load_add(struct reader *r, struct script_load *load, const struct script_series *s)
{
    for (uint32_t i = 0; i < load->count; i++)
        if (labels_eq(&load->series[i].labels, &s->labels)) {
            load->series[i] = *s;
            return;
        }
    add_series(r, &load->series, &load->count, s);
}

static enum err parse_load(struct reader *r, struct slice line, struct script_load *load)
{
    struct script_values starts = {0};
    load->with_nhcb = slice_eq_str(script_word(&line), "load_with_nhcb");
    TRY(parse_time(script_word(&line), &load->step_ms, r->why));
    while (next_line(r, &line)) {
        struct script_series s = {0};
        if (is_start_line(line)) {
            TRY(parse_starts(r, line, &starts));
            continue;
        }
        TRY(script_parse_series(line, r->arena, &s, r->why));
        s.start_offsets = starts;
        if (starts.count && starts.count != s.values.count)
            return err_set(r->why, ERR_INVALID, "%u start times for %u samples", starts.count, s.values.count);
        starts = (struct script_values){0};
        load_add(r, load, &s);
    }
    return ERR_OK;
}

/* ---- eval ---- */

static enum err parse_window(struct reader *r, struct slice *line, struct script_eval *e)
{
    static const char *const words[] = {"from", "to", "step"};
    int64_t *const times[] = {&e->start_ms, &e->end_ms, &e->step_ms};
    for (size_t i = 0; i < 3; i++) {
        if (!slice_eq_str(script_word(line), words[i]))
            return err_set(r->why, ERR_INVALID, "'%s' expected", words[i]);
        TRY(parse_time(script_word(line), times[i], r->why));
    }
    return ERR_OK;
}

static enum err add_expect(struct reader *r, struct script_expects *list, struct slice rest)
{
    struct script_expect e = {0};
    bool message = script_skip(&rest, "msg:");
    bool pattern = !message && script_skip(&rest, "regex:");
    e.text = message || pattern ? arena_copy(r->arena, script_trim(rest)) : SLICE_LIT("");
    if (!message) {
        const char *anywhere = arena_printf(r->arena, ".*(?:%.*s).*", SLICE_ARG(e.text));
        TRY(regex_compile(slice_str(anywhere), r->arena, 0, &e.regex, r->why));
    }
    struct script_expect *grown = ARENA_ARRAY(r->arena, struct script_expect, list->count + 1u);
    if (list->count)
        memcpy(grown, list->list, list->count * sizeof *grown);
    grown[list->count++] = e;
    list->list = grown;
    return ERR_OK;
}

static enum err parse_eval_head(struct reader *r, struct slice line, struct script_eval *e)
{
    struct slice word = script_word(&line), kind = script_word(&line);
    e->must_warn = slice_eq_str(word, "eval_warn");
    e->must_info = slice_eq_str(word, "eval_info");
    if (slice_eq_str(word, "eval_ordered"))
        TRY(add_expect(r, &e->expects[EXPECT_ORDERED], SLICE_LIT("")));
    if (slice_eq_str(word, "eval_fail"))
        TRY(add_expect(r, &e->expects[EXPECT_FAIL], SLICE_LIT("")));
    e->range = slice_eq_str(kind, "range");
    if (e->range) {
        TRY(parse_window(r, &line, e));
    } else {
        if (!slice_eq_str(kind, "instant") || !slice_eq_str(script_word(&line), "at"))
            return err_set(r->why, ERR_INVALID, "'instant at' or 'range from' expected");
        TRY(parse_time(script_word(&line), &e->eval_ms, r->why));
        e->start_ms = e->end_ms = e->eval_ms;
    }
    e->expr = arena_copy(r->arena, line);
    return ERR_OK;
}

static enum err parse_string(struct reader *r, struct slice text, struct script_eval *e)
{
    struct matcher_set set;
    struct buf b = {0};
    buf_printf(&b, "{x=%.*s}", SLICE_ARG(text)); /* the same quoting rules */
    enum err err = promql_parse_selector(buf_view(&b), r->arena, &set, r->why);
    buf_deinit(&b);
    if (err != ERR_OK)
        return err;
    e->has_string = e->no_range_check = true;
    e->string = set.list[0].value;
    return ERR_OK;
}

static enum err parse_expect(struct reader *r, struct slice line, struct script_eval *e)
{
    static const char *const kinds[] = {
        [EXPECT_ORDERED] = "ordered", [EXPECT_FAIL] = "fail", [EXPECT_WARN] = "warn",
        [EXPECT_NO_WARN] = "no_warn", [EXPECT_INFO] = "info", [EXPECT_NO_INFO] = "no_info"};
    script_word(&line);
    struct slice kind = script_word(&line);
    for (int i = 0; i < EXPECT_KIND_COUNT; i++)
        if (slice_eq_str(kind, kinds[i]))
            return add_expect(r, &e->expects[i], line);
    if (slice_eq_str(kind, "string"))
        return parse_string(r, line, e);
    if (slice_eq_str(kind, "range") && slice_eq_str(script_word(&line), "vector")) {
        TRY(parse_window(r, &line, e));
        e->range_vector = e->no_range_check = true;
        e->eval_ms = e->end_ms;
        return ERR_OK;
    }
    return err_set(r->why, ERR_INVALID, "unknown expectation %.*s", SLICE_ARG(kind));
}

static bool whole_number(struct slice line, double *out)
{
    int64_t integer;
    if (goparse_int(line, 0, &integer, NULL) == ERR_OK) {
        *out = (double)integer;
        return true;
    }
    return goparse_float(line, out, NULL) == ERR_OK;
}

static enum err parse_fail_line(struct reader *r, struct slice line, struct script_eval *e)
{
    struct buf b = {0};
    e->expects[EXPECT_FAIL].count = 0;
    bool regex = script_skip(&line, "expected_fail_regexp");
    if (!regex)
        script_skip(&line, "expected_fail_message");
    buf_printf(&b, "%s%.*s", regex ? "regex:" : "msg:", SLICE_ARG(line));
    enum err err = add_expect(r, &e->expects[EXPECT_FAIL], buf_view(&b));
    buf_deinit(&b);
    return err;
}

static enum err parse_result_line(struct reader *r, struct slice line, struct script_eval *e)
{
    struct slice rest = line;
    if (slice_starts_with(line, SLICE_LIT("expected_fail_")))
        return parse_fail_line(r, line, e);
    if (slice_eq_str(script_word(&rest), "expect"))
        return parse_expect(r, line, e);
    if (whole_number(line, &e->scalar)) {
        e->has_scalar = true;
        return ERR_OK;
    }
    struct script_series s = {0};
    TRY(script_parse_series(line, r->arena, &s, r->why));
    add_series(r, &e->series, &e->count, &s);
    return ERR_OK;
}

static enum err parse_eval(struct reader *r, struct slice line, struct script_eval *e)
{
    TRY(parse_eval_head(r, line, e));
    while (next_line(r, &line))
        TRY(parse_result_line(r, line, e));
    return ERR_OK;
}

/* ---- Scripts ---- */

static enum err parse_command(struct reader *r, struct slice line, struct script_command *c)
{
    if (slice_eq_str(line, "clear")) {
        c->kind = SCRIPT_CLEAR;
        return ERR_OK;
    }
    if (slice_starts_with(line, SLICE_LIT("load"))) {
        c->kind = SCRIPT_LOAD;
        return parse_load(r, line, &c->load);
    }
    if (slice_starts_with(line, SLICE_LIT("eval"))) {
        c->kind = SCRIPT_EVAL;
        return parse_eval(r, line, &c->eval);
    }
    return err_set(r->why, ERR_INVALID, "unknown command %.*s", SLICE_ARG(line));
}

static void split_lines(struct reader *r, struct slice text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    r->lines = ARENA_ARRAY(r->arena, struct slice, count);
    for (; r->count < count; r->count++) {
        const uint8_t *end = text.len ? memchr(text.data, '\n', text.len) : NULL;
        size_t len = end ? (size_t)(end - text.data) : text.len;
        struct slice line = script_trim(slice_of(text.data, len));
        r->lines[r->count] = line.len && line.data[0] == '#' ? slice_of(NULL, 0) : line;
        text = slice_from(text, end ? len + 1 : len);
    }
}

enum err script_parse(struct slice text, struct script *out, struct errmsg *why)
{
    *out = (struct script){0};
    arena_init(&out->arena, NULL);
    struct reader r = {.script = out, .arena = &out->arena, .why = why};
    split_lines(&r, arena_copy(&out->arena, text));
    while (r.next < r.count) {
        struct slice line = r.lines[r.next++];
        if (line.len == 0)
            continue;
        struct script_command c = {.line = (uint32_t)r.next};
        enum err err = parse_command(&r, line, &c);
        if (err != ERR_OK) {
            err = err_wrap(why, err, "line %zu", r.next);
            script_deinit(out);
            return err;
        }
        out->commands = mem_grow(out->commands, &out->capacity, out->count + 1, sizeof *out->commands);
        out->commands[out->count++] = c;
    }
    return ERR_OK;
}

void script_deinit(struct script *s)
{
    mem_free(s->commands);
    arena_deinit(&s->arena);
    *s = (struct script){0};
}
