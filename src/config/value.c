/*
 * value.c - one value: from the text a user wrote to a checked number and back to canonical text.
 *
 * Durations are what Prometheus takes (1h30m, units y w d h m s ms from large to small, each once), and
 * a fraction is fine (1.5h).  Sizes are powers of two as in Prometheus: 1KB is 1KiB is 1024 bytes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "config/config_internal.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit duration_units[] = {
    {"y", 365.0 * 86400000},
    {"w", 7.0 * 86400000},
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};
enum { DURATION_UNITS = sizeof duration_units / sizeof *duration_units };

static const double duration_ms_max = 10000.0 * 365 * 86400000;
static const double bytes_max = 9.2e18;

/* Takes digits with at most one point off the front; false when there are none. */
static bool take_number(struct slice *s, double *out)
{
    char digits[32];
    size_t n = 0, points = 0;
    while (n < s->len && n + 1 < sizeof digits && (s->data[n] == '.' || (s->data[n] >= '0' && s->data[n] <= '9'))) {
        points += s->data[n] == '.';
        digits[n] = (char)s->data[n];
        n++;
    }
    if (n == points || points > 1 || (n < s->len && n + 1 == sizeof digits))
        return false;
    digits[n] = '\0';
    *out = strtod(digits, NULL);
    *s = slice_from(*s, n);
    return true;
}

static struct slice take_letters(struct slice *s)
{
    size_t n = 0;
    while (n < s->len && ((s->data[n] | 0x20) >= 'a' && (s->data[n] | 0x20) <= 'z'))
        n++;
    struct slice letters = slice_of(s->data, n);
    *s = slice_from(*s, n);
    return letters;
}

bool duration_parse(struct slice text, uint64_t *ms)
{
    if (slice_eq_str(text, "0")) {
        *ms = 0;
        return true;
    }
    double total = 0;
    unsigned next = 0;
    do {
        double number;
        if (!take_number(&text, &number))
            return false;
        struct slice unit = take_letters(&text);
        while (next < DURATION_UNITS && !slice_eq_str(unit, duration_units[next].name))
            next++;
        if (next == DURATION_UNITS)
            return false;
        total += number * duration_units[next++].factor;
    } while (text.len);
    if (total > duration_ms_max)
        return false;
    *ms = (uint64_t)(total + 0.5);
    return true;
}

void duration_print(uint64_t ms, struct buf *out)
{
    if (ms == 0)
        buf_str(out, "0s");
    for (int i = 0; i < DURATION_UNITS; i++) {
        uint64_t factor = (uint64_t)duration_units[i].factor;
        bool exact_only = i < 2; /* years and weeks only when nothing is left, as Prometheus prints */
        if (ms < factor || (exact_only && ms % factor))
            continue;
        buf_printf(out, "%" PRIu64 "%s", ms / factor, duration_units[i].name);
        ms %= factor;
    }
}

static const char size_prefixes[] = "KMGTPE";

bool bytes_parse(struct slice text, unsigned kilo, uint64_t *bytes)
{
    double number;
    if (!take_number(&text, &number))
        return false;
    while (text.len && *text.data == ' ')
        text = slice_from(text, 1);
    struct slice unit = take_letters(&text);
    if (text.len)
        return false;
    const char *prefix = unit.len ? strchr(size_prefixes, unit.data[0] & ~0x20) : NULL;
    if (prefix && *prefix) {
        unit = slice_from(unit, 1);
        if (unit.len && (unit.data[0] | 0x20) == 'i') {
            kilo = 1024;
            unit = slice_from(unit, 1);
        }
        for (const char *p = size_prefixes; p <= prefix; p++)
            number *= kilo;
    }
    bool rest_ok = unit.len == 0 || (unit.len == 1 && (unit.data[0] | 0x20) == 'b');
    if (!rest_ok || number > bytes_max)
        return false;
    *bytes = (uint64_t)(number + 0.5);
    return true;
}

void bytes_print(uint64_t bytes, struct buf *out)
{
    int power = 0;
    while (bytes && bytes % 1024 == 0 && power < 6) {
        bytes /= 1024;
        power++;
    }
    if (power == 0)
        buf_printf(out, "%" PRIu64 "B", bytes);
    else
        buf_printf(out, "%" PRIu64 "%ciB", bytes, size_prefixes[power - 1]);
}

static bool count_parse(struct slice text, uint64_t *count)
{
    uint64_t v = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *count = v;
    return text.len > 0;
}

/* Whether count lies in "low..high" or "low..". */
static bool count_allowed(uint64_t count, const char *allowed)
{
    if (!*allowed)
        return true;
    char *end;
    uint64_t low = strtoull(allowed, &end, 10);
    assert(end[0] == '.' && end[1] == '.');
    return count >= low && (!end[2] || count <= strtoull(end + 2, NULL, 10));
}

static bool bool_parse(struct slice text, uint64_t *out)
{
    static const char *const words[2][5] = {{"false", "0", "no", "off", "f"}, {"true", "1", "yes", "on", "t"}};
    for (unsigned v = 0; v < 2; v++)
        for (unsigned i = 0; i < 5; i++)
            if (text.len == strlen(words[v][i]) && !strncasecmp((const char *)text.data, words[v][i], text.len)) {
                *out = v;
                return true;
            }
    return false;
}

/* Whether word is one of "a|b|c". */
static bool word_allowed(struct slice word, const char *allowed)
{
    while (*allowed) {
        size_t n = strcspn(allowed, "|");
        if (slice_eq(word, slice_of(allowed, n)))
            return true;
        allowed += n + (allowed[n] == '|');
    }
    return false;
}

/* Comma separated, spaces around items dropped, empty items skipped. */
static bool list_parse(const struct option *option, struct slice text, struct arena *arena, struct value *out)
{
    size_t commas = 0;
    for (size_t i = 0; i < text.len; i++)
        commas += text.data[i] == ',';
    out->items = ARENA_ARRAY(arena, const char *, commas + 1);
    while (text.len) {
        const uint8_t *comma = memchr(text.data, ',', text.len);
        struct slice item = slice_of(text.data, comma ? (size_t)(comma - text.data) : text.len);
        text = slice_from(text, item.len + (comma != NULL));
        while (item.len && item.data[0] == ' ')
            item = slice_from(item, 1);
        while (item.len && item.data[item.len - 1] == ' ')
            item.len--;
        if (!item.len)
            continue;
        if (*option->allowed && !word_allowed(item, option->allowed))
            return false;
        out->items[out->item_count++] = arena_strdup(arena, item);
    }
    return true;
}

/* The next rule: up to a ';' or a line end that stands in no quotes. */
static struct slice rule_take(struct slice *text)
{
    uint8_t quote = 0;
    size_t n = 0;
    for (; n < text->len; n++) {
        uint8_t c = text->data[n];
        if (quote && c == '\\' && quote != '`' && n + 1 < text->len)
            n++;
        else if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'' || c == '`')
            quote = c;
        else if (c == ';' || c == '\n')
            break;
    }
    struct slice rule = slice_of(text->data, n);
    *text = slice_from(*text, n < text->len ? n + 1 : n);
    while (rule.len && (rule.data[0] == ' ' || rule.data[0] == '\r'))
        rule = slice_from(rule, 1);
    while (rule.len && (rule.data[rule.len - 1] == ' ' || rule.data[rule.len - 1] == '\r'))
        rule.len--;
    return rule;
}

static bool rules_parse(struct slice text, struct arena *arena, struct value *out)
{
    size_t ends = 0;
    for (size_t i = 0; i < text.len; i++)
        ends += text.data[i] == ';' || text.data[i] == '\n';
    if (!arena)
        return true;
    out->items = ARENA_ARRAY(arena, const char *, ends + 1);
    out->places = ARENA_ARRAY(arena, const char *, ends + 1);
    while (text.len) {
        struct slice rule = rule_take(&text);
        if (rule.len)
            out->items[out->item_count++] = arena_strdup(arena, rule);
    }
    return true;
}

static bool sync_parse(struct slice text, struct value *out)
{
    static const struct slice interval = SLICE_LIT("interval:");
    out->sync = CONFIG_SYNC_COMMIT;
    if (slice_eq_str(text, "commit"))
        return true;
    out->sync = CONFIG_SYNC_OS;
    if (slice_eq_str(text, "os"))
        return true;
    out->sync = CONFIG_SYNC_INTERVAL;
    return slice_starts_with(text, interval) && duration_parse(slice_from(text, interval.len), &out->number) &&
           out->number > 0;
}

static bool memory_parse(struct slice text, struct value *out)
{
    if (!text.len || text.data[text.len - 1] != '%')
        return bytes_parse(text, 1024, &out->number);
    out->percent = true;
    return count_parse(slice_of(text.data, text.len - 1), &out->number) && out->number >= 1 && out->number <= 100;
}

static uint64_t bound_of(const struct option *option, struct slice text)
{
    uint64_t bound = 0;
    bool known = option->type == TYPE_DURATION ? duration_parse(text, &bound) : bytes_parse(text, 1024, &bound);
    assert(known);
    return bound;
}

/* Whether v lies within "low.." or "low..high"; a share of memory always does. */
static bool number_allowed(const struct option *option, const struct value *v)
{
    const char *dots = strstr(option->allowed, "..");
    if (!dots || v->percent)
        return true;
    return v->number >= bound_of(option, slice_of(option->allowed, (size_t)(dots - option->allowed))) &&
           (!dots[2] || v->number <= bound_of(option, slice_str(dots + 2)));
}

static bool parse_by_type(const struct option *option, struct slice text, struct arena *arena, struct value *out)
{
    switch (option->type) {
    case TYPE_STRING:
        return true;
    case TYPE_SECRET:
        out->secret = arena_strdup(arena, text);
        return true;
    case TYPE_BOOL:
        return bool_parse(text, &out->number);
    case TYPE_DURATION:
        return duration_parse(text, &out->number) && number_allowed(option, out);
    case TYPE_BYTES:
        return bytes_parse(text, 1024, &out->number) && number_allowed(option, out);
    case TYPE_MEMORY:
        return memory_parse(text, out) && number_allowed(option, out);
    case TYPE_COUNT:
        return count_parse(text, &out->number) && count_allowed(out->number, option->allowed);
    case TYPE_ENUM:
        return word_allowed(text, option->allowed);
    case TYPE_LIST:
        return list_parse(option, text, arena, out);
    case TYPE_RULES:
        return rules_parse(text, arena, out);
    case TYPE_SYNC:
        return sync_parse(text, out);
    }
    return false;
}

/* What a user may write, for the end of an error. */
static const char *allowed_text(const struct option *option)
{
    switch (option->type) {
    case TYPE_STRING:
    case TYPE_SECRET:
    case TYPE_RULES:
        return "any text without NUL";
    case TYPE_BOOL:
        return "true or false";
    case TYPE_DURATION:
        return "a number with y, w, d, h, m, s or ms, such as 1h30m";
    case TYPE_BYTES:
        return "a size such as 512MiB or 1.5GB (units B, KB, MB, GB, TB, powers of 1024)";
    case TYPE_MEMORY:
        return "a size such as 2GiB, or 1% to 100%";
    case TYPE_COUNT:
        return *option->allowed ? option->allowed : "a whole number";
    case TYPE_SYNC:
        return "commit, interval:100ms (any duration above 0) or os";
    case TYPE_ENUM:
    case TYPE_LIST:
        return *option->allowed ? option->allowed : "words separated by commas";
    }
    return "";
}

/* Whether the value is well-formed but outside of its bound. */
static bool breaks_bound(const struct option *option, struct slice text)
{
    struct option unbound = *option;
    struct value v = {0};
    unbound.allowed = "";
    bool bounded = *option->allowed &&
                   (option->type == TYPE_DURATION || option->type == TYPE_BYTES || option->type == TYPE_MEMORY);
    return bounded && parse_by_type(&unbound, text, NULL, &v);
}

static const char *canonical(const struct option *option, struct slice text, const struct value *v, struct arena *arena)
{
    struct buf out = {0};
    switch (option->type) {
    case TYPE_BOOL:
        buf_str(&out, v->number ? "true" : "false");
        break;
    case TYPE_DURATION:
        duration_print(v->number, &out);
        break;
    case TYPE_BYTES:
        bytes_print(v->number, &out);
        break;
    case TYPE_MEMORY:
        if (v->percent)
            buf_slice(&out, text);
        else
            bytes_print(v->number, &out);
        break;
    case TYPE_SECRET:
        buf_str(&out, text.len ? "<secret>" : "");
        break;
    case TYPE_LIST:
        for (uint32_t i = 0; i < v->item_count; i++)
            buf_printf(&out, "%s%s", i ? "," : "", v->items[i]);
        break;
    case TYPE_RULES:
        for (uint32_t i = 0; i < v->item_count; i++)
            buf_printf(&out, "%s%s", i ? "; " : "", v->items[i]);
        break;
    default:
        buf_slice(&out, text);
    }
    char *kept = arena_strdup(arena, buf_view(&out));
    buf_deinit(&out);
    return kept;
}

enum err value_parse(const struct option *option, struct slice text, struct arena *arena, struct value *out,
                     struct errmsg *why)
{
    struct value v = {0};
    bool has_nul = text.len && memchr(text.data, 0, text.len);
    if (has_nul || !parse_by_type(option, text, arena, &v)) {
        int shown = option->type == TYPE_SECRET ? 0 : text.len > 200 ? 200 : (int)text.len;
        const char *article = option->type == TYPE_ENUM || option->type == TYPE_LIST ? "one of the" : "a";
        const char *word =
            option->type == TYPE_ENUM || option->type == TYPE_LIST ? "known values" : option_type_word(option->type);
        if (!has_nul && breaks_bound(option, text))
            return err_set(why, ERR_INVALID, "\"%.*s\" is out of bounds; allowed: %s", shown, (const char *)text.data,
                           option->allowed);
        return err_set(why, ERR_INVALID, "\"%.*s\" is not %s %s; allowed: %s", shown, (const char *)text.data, article,
                       word, allowed_text(option));
    }
    v.text = canonical(option, text, &v, arena);
    *out = v;
    return ERR_OK;
}

void value_append(struct value *list, const struct value *more, struct arena *arena)
{
    uint32_t count = list->item_count + more->item_count;
    const char **items = ARENA_ARRAY(arena, const char *, count ? count : 1);
    const char **places = ARENA_ARRAY(arena, const char *, count ? count : 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *from = i < list->item_count ? list : more;
        uint32_t at = i < list->item_count ? i : i - list->item_count;
        items[i] = from->items[at];
        places[i] = from->places ? from->places[at] : NULL;
    }
    const char *comma = !list->item_count || !more->item_count ? "" : more->places ? "; " : ",";
    if (more->places)
        list->places = places;
    list->text = arena_printf(arena, "%s%s%s", list->text, comma, more->text);
    list->items = items;
    list->item_count = count;
}
