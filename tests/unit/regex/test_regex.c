/* What matches, with which groups and errors: the tables in vectors/ were made by Go's regexp package. */
#include "regex/regex.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static FILE *open_table(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "tests/unit/regex/vectors/%s", name);
    FILE *file = fopen(path, "r");
    cr_assert(file, "run from the top folder");
    return file;
}

static int hex(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Undoes quote() of regex.go. */
static struct slice unquote(struct arena *arena, const char *text, size_t len)
{
    uint8_t *out = arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\\') {
            out[n++] = (uint8_t)(hex(text[i + 2]) << 4 | hex(text[i + 3]));
            i += 3;
        } else {
            out[n++] = (uint8_t)text[i];
        }
    return slice_of(out, n);
}

/* Cuts the line at tabs and the final newline; returns the number of fields. */
static int split(char *line, char *fields[4])
{
    int count = 0;
    line[strcspn(line, "\n")] = 0;
    for (char *p = line; p && count < 4; count++) {
        fields[count] = p;
        if ((p = strchr(p, '\t')))
            *p++ = 0;
    }
    return count;
}

Test(regex, refuses_what_go_refuses_with_its_texts)
{
    FILE *file = open_table("errors.txt");
    char *line = NULL, *fields[4];
    size_t bytes = 0;
    int rows = 0;
    for (; getline(&line, &bytes, file) > 0; rows++) {
        struct arena arena;
        arena_init(&arena, NULL);
        cr_assert_eq(split(line, fields), 2);
        struct slice pattern = unquote(&arena, fields[0] + 1, strlen(fields[0] + 1));
        struct slice wanted = unquote(&arena, fields[1], strlen(fields[1]));
        const struct regex *re;
        struct errmsg why = {"ok"};
        enum err err = regex_compile(pattern, &arena, fields[0][0] == 'W' ? REGEX_WRAPPED : 0, &re, &why);
        cr_expect_eq(err, slice_eq_str(wanted, "ok") ? ERR_OK : ERR_INVALID, "%s", line);
        size_t len = strlen(why.text);
        cr_expect(slice_eq(slice_of(why.text, wanted.len < len ? wanted.len : len), wanted),
                  "%s\ngot    %s\nwanted %.*s", line, why.text, SLICE_ARG(wanted));
        arena_deinit(&arena);
    }
    free(line);
    fclose(file);
    cr_expect_gt(rows, 390);
}

struct table {
    struct arena arena, subject_arena;
    struct slice subjects[200];
    const char *wanted[200]; /* groups; NULL: no match */
    uint32_t subject_count;
    const struct regex *re;
    char pattern[300];
    bool wrapped;
    int rows;
};

static void format_groups(const struct regex_groups *groups, struct slice subject, char *out, size_t bytes)
{
    size_t len = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < groups->count && len < bytes; i++) {
        struct slice g = groups->group[i];
        const char *space = i ? " " : "";
        if (!g.data) {
            len += (size_t)snprintf(out + len, bytes - len, "%s.", space);
        } else {
            size_t start = subject.len ? (size_t)(g.data - subject.data) : 0;
            len += (size_t)snprintf(out + len, bytes - len, "%s%zu,%zu", space, start, start + g.len);
        }
    }
}

/* Compares the last pattern with what the table says about each subject. */
static void check_pattern(struct table *t)
{
    for (uint32_t i = 0; t->re && i < t->subject_count; i++, t->rows++) {
        struct slice subject = t->subjects[i];
        cr_expect_eq(regex_match(t->re, subject), t->wanted[i] != NULL, "%s on \"%.*s\"", t->pattern,
                     SLICE_ARG(subject));
        struct regex_groups groups;
        char text[2000];
        if (!t->wrapped || !t->wanted[i] || !regex_submatch(t->re, subject, &groups))
            continue;
        format_groups(&groups, subject, text, sizeof text);
        cr_expect_str_eq(text, t->wanted[i], "%s on \"%.*s\"", t->pattern, SLICE_ARG(subject));
    }
    t->re = NULL;
    arena_deinit(&t->arena);
    memset(t->wanted, 0, sizeof t->wanted);
}

static void begin_pattern(struct table *t, const char *line)
{
    struct slice pattern = unquote(&t->arena, line + 1, strlen(line + 1));
    struct errmsg why;
    t->wrapped = line[0] == 'W';
    snprintf(t->pattern, sizeof t->pattern, "%.*s", SLICE_ARG(pattern));
    cr_assert_eq(regex_compile(pattern, &t->arena, t->wrapped ? REGEX_WRAPPED : 0, &t->re, &why), ERR_OK, "%s: %s",
                 line, why.text);
}

static void read_row(struct table *t, char *fields[4], int count)
{
    struct slice subject = unquote(&t->subject_arena, fields[1], strlen(fields[1]));
    if (count == 2) { /* of the list */
        t->subjects[t->subject_count++] = subject;
        return;
    }
    uint32_t i = 0;
    while (i < t->subject_count && !slice_eq(t->subjects[i], subject))
        i++;
    cr_assert_lt(i, t->subject_count);
    for (uint32_t j = i; j < t->subject_count; j++) /* a subject may be listed twice */
        if (slice_eq(t->subjects[j], subject))
            t->wanted[j] = arena_strdup(&t->arena, slice_str(fields[2]));
}

Test(regex, matches_and_groups_as_go)
{
    static struct table t;
    arena_init(&t.arena, NULL);
    arena_init(&t.subject_arena, NULL);
    FILE *file = open_table("matches.txt");
    char *line = NULL, *fields[4];
    size_t bytes = 0;
    while (getline(&line, &bytes, file) > 0) {
        int count = split(line, fields);
        if (line[0]) {
            check_pattern(&t);
            if (line[0] == 'S')
                t.subject_count = 0;
            else
                begin_pattern(&t, line);
        } else {
            read_row(&t, fields, count);
        }
    }
    check_pattern(&t);
    free(line);
    fclose(file);
    arena_deinit(&t.subject_arena);
    cr_expect_gt(t.rows, 40000, "%d", t.rows);
}

static const struct regex *compile(struct arena *arena, const char *pattern, unsigned flags)
{
    const struct regex *re = NULL;
    struct errmsg why;
    enum err err = regex_compile(slice_str(pattern), arena, flags, &re, &why);
    cr_assert_eq(err, ERR_OK, "%s: %s", pattern, why.text);
    return re;
}

static bool rune_matches(const struct regex *re, int32_t rune)
{
    uint8_t text[RUNE_BYTES_MAX];
    return regex_match(re, slice_of(text, utf8_encode(text, rune)));
}

static uint32_t class_checksum(const struct regex *re)
{
    uint32_t sum = 2166136261U;
    bool last = false;
    for (int32_t r = 0; r <= RUNE_MAX; r += r < 0x3000 ? 1 : 13) {
        if (!rune_valid(r) || rune_matches(re, r) == last)
            continue;
        last = !last;
        for (unsigned n = 0; n < 32; n += 8)
            sum = (sum ^ ((uint32_t)r >> n & 0xff)) * 16777619U;
    }
    return sum;
}

Test(regex, classes_hold_the_runes_that_unicode_gives_them)
{
    FILE *file = open_table("classes.txt");
    char *line = NULL, *fields[4];
    size_t bytes = 0;
    int rows = 0;
    for (; getline(&line, &bytes, file) > 0; rows++) {
        struct arena arena;
        arena_init(&arena, NULL);
        cr_assert_eq(split(line, fields), 2);
        bool wrapped = fields[0][0] == 'W';
        struct slice pattern = unquote(&arena, fields[0] + wrapped, strlen(fields[0] + wrapped));
        const struct regex *re = compile(&arena, arena_strdup(&arena, pattern), wrapped ? REGEX_WRAPPED : 0);
        cr_expect_eq(class_checksum(re), strtoul(fields[1], NULL, 16), "%s", line);
        arena_deinit(&arena);
    }
    free(line);
    fclose(file);
    cr_expect_gt(rows, 430);
}

Test(regex, expands_templates_as_go)
{
    FILE *file = open_table("expand.txt");
    char *line = NULL, *fields[4];
    size_t bytes = 0;
    int rows = 0;
    for (; getline(&line, &bytes, file) > 0; rows++) {
        struct arena arena;
        struct buf out = {0};
        arena_init(&arena, NULL);
        cr_assert_eq(split(line, fields), 4);
        struct slice text[4];
        for (int i = 0; i < 4; i++)
            text[i] = unquote(&arena, fields[i], strlen(fields[i]));
        const struct regex *re = compile(&arena, arena_strdup(&arena, text[0]), REGEX_WRAPPED);
        struct regex_groups groups;
        cr_assert(regex_submatch(re, text[1], &groups));
        regex_expand(re, text[2], &groups, &out);
        cr_expect(slice_eq(buf_view(&out), text[3]), "%s %s %s: %.*s instead of %s", fields[0], fields[1], fields[2],
                  SLICE_ARG(buf_view(&out)), fields[3]);
        buf_deinit(&out);
        arena_deinit(&arena);
    }
    free(line);
    fclose(file);
    cr_expect_gt(rows, 400);
}
