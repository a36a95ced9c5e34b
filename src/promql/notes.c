/* notes.c - collecting and printing annotations; the contract is in notes.h. */
#include "promql/notes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "numeric/goformat.h"
#include "numeric/timetext.h"

enum { SHOWN_MAX = 10, SLOTS_MIN = 32 };

void notes_init(struct notes *n, struct arena *arena)
{
    *n = (struct notes){.arena = arena};
}

void notes_clear(struct notes *n)
{
    *n = (struct notes){.arena = n->arena};
}

/* FNV-1a: texts are short and few. */
static uint32_t text_hash(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t *slot_find(const struct notes *n, const char *text)
{
    for (uint32_t i = text_hash(text);; i++) {
        uint32_t *slot = &n->slots[i & (n->slot_count - 1)];
        if (!*slot || strcmp(n->list[*slot - 1].text, text) == 0)
            return slot;
    }
}

static void notes_grow(struct notes *n)
{
    uint32_t capacity = n->capacity ? n->capacity * 2 : SLOTS_MIN / 2;
    struct note *list = ARENA_ARRAY(n->arena, struct note, capacity);
    if (n->count)
        memcpy(list, n->list, n->count * sizeof *list);
    n->list = list;
    n->capacity = capacity;
    n->slot_count = capacity * 2;
    n->slots = ARENA_ARRAY(n->arena, uint32_t, n->slot_count);
    for (uint32_t i = 0; i < n->count; i++)
        *slot_find(n, n->list[i].text) = i + 1;
}

/* Nearly always the last one, or a new one: an operator tells what it has to tell before the next one does. */
static struct note_telling *telling_get(struct notes *n, struct note *note, struct note_place at)
{
    for (uint32_t i = note->telling_count; i-- > 0;)
        if (note->tellings[i].place.rank == at.rank && note->tellings[i].place.position == at.position)
            return &note->tellings[i];
    if (note->telling_count == note->telling_capacity) {
        uint32_t capacity = note->telling_capacity ? note->telling_capacity * 2 : 1;
        struct note_telling *tellings = ARENA_ARRAY(n->arena, struct note_telling, capacity);
        if (note->telling_count)
            memcpy(tellings, note->tellings, note->telling_count * sizeof *tellings);
        note->tellings = tellings;
        note->telling_capacity = capacity;
    }
    struct note_telling *telling = &note->tellings[note->telling_count++];
    *telling = (struct note_telling){.place = at};
    return telling;
}

/* The note with this text; `*fresh` tells that it was not there.  Takes text when it is new; NULL when there are too
 * many. */
static struct note *note_get(struct notes *n, const char *text, struct note_place at, bool *fresh)
{
    if (n->count == n->capacity)
        notes_grow(n);
    uint32_t *slot = slot_find(n, text);
    *fresh = *slot == 0;
    if (*fresh && n->count == NOTES_MAX)
        return NULL;
    if (*fresh) {
        n->list[n->count] = (struct note){.text = text, .place = at, .first_rank = at.rank};
        *slot = ++n->count;
    }
    struct note *note = &n->list[*slot - 1];
    if (note->collects ? at.rank < note->place.rank : at.rank >= note->place.rank)
        note->place = at;
    if (at.rank < note->first_rank)
        note->first_rank = at.rank;
    telling_get(n, note, at);
    return note;
}

/* Formats on the stack first: most notes are there already and need no memory. */
static struct note *PRINTF_LIKE(4, 0)
    note_add(struct notes *n, bool warning, struct note_place at, const char *fmt, va_list args)
{
    struct buf text = {0};
    buf_str(&text, warning ? "PromQL warning: " : "PromQL info: ");
    buf_vprintf(&text, fmt, args);
    bool fresh;
    struct note *note = note_get(n, buf_cstr(&text), at, &fresh);
    if (!note) {
        n->dropped[warning]++;
    } else if (fresh) {
        note->text = arena_strdup(n->arena, buf_view(&text));
        note->warning = warning;
        note->prefixed = true;
    }
    buf_deinit(&text);
    return note;
}

static struct note *note_addf(struct notes *n, bool warning, struct note_place at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static struct note *note_addf(struct notes *n, bool warning, struct note_place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct note *note = note_add(n, warning, at, fmt, args);
    va_end(args);
    return note;
}

void notes_warn(struct notes *n, struct note_place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note_add(n, true, at, fmt, args);
    va_end(args);
}

void notes_info(struct notes *n, struct note_place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note_add(n, false, at, fmt, args);
    va_end(args);
}

void note_repair_combine(struct note_repair *a, const struct note_repair *b)
{
    a->bound_min = fmin(a->bound_min, b->bound_min);
    a->bound_max = fmax(a->bound_max, b->bound_max);
    a->diff_max = fmax(a->diff_max, b->diff_max);
    if (b->time_min_ms <= a->time_min_ms)
        a->first = b->first + (b->time_min_ms == a->time_min_ms ? a->first : 0);
    a->time_min_ms = a->time_min_ms < b->time_min_ms ? a->time_min_ms : b->time_min_ms;
    a->time_max_ms = a->time_max_ms > b->time_max_ms ? a->time_max_ms : b->time_max_ms;
    a->count += b->count;
}

static void note_repaired(struct notes *n, struct note *note, const struct note_repair *repair)
{
    note->collects = true;
    if (note->repair) {
        note_repair_combine(note->repair, repair);
        return;
    }
    note->repair = ARENA_NEW(n->arena, struct note_repair);
    *note->repair = *repair;
}

void notes_repair(struct notes *n, struct note_place at, struct slice metric, const struct note_repair *repair)
{
    static const char text[] = "input to histogram_quantile needed to be fixed for monotonicity (see "
                               "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
    struct note *note = metric.len ? note_addf(n, false, at, "%s for metric name %s", text, notes_quote(n, metric))
                                   : note_addf(n, false, at, "%s", text);
    if (!note)
        return;
    note_repaired(n, note, repair);
    telling_get(n, note, at)->repairs += repair->count;
}

void notes_overlap(struct notes *n, struct note_place at, struct slice metric)
{
    struct note *note =
        note_addf(n, true, at, "sample has start time that overlaps with previous sample timestamp for metric %s",
                  notes_quote(n, metric));
    if (note) {
        note->collects = true;
        note->counted = true;
        note->occurrences++;
        telling_get(n, note, at)->occurrences++;
    }
}

void notes_plain_warning(struct notes *n, const char *text)
{
    bool fresh;
    struct note *note = note_get(n, arena_strdup(n->arena, slice_str(text)), (struct note_place){0, 0}, &fresh);
    if (note)
        note->warning = true;
}

void notes_merge(struct notes *n, const struct notes *from)
{
    n->dropped[0] += from->dropped[0];
    n->dropped[1] += from->dropped[1];
    for (uint32_t i = 0; i < from->count; i++) {
        const struct note *other = &from->list[i];
        bool fresh;
        struct note *note = note_get(n, other->text, other->place, &fresh);
        if (!note) {
            n->dropped[other->warning]++;
            continue;
        }
        if (fresh) {
            note->text = arena_strdup(n->arena, slice_str(other->text));
            note->warning = other->warning;
            note->prefixed = other->prefixed;
            note->counted = other->counted;
            note->collects = other->collects;
        }
        if (other->first_rank < note->first_rank)
            note->first_rank = other->first_rank;
        if (other->repair)
            note_repaired(n, note, other->repair);
        note->occurrences += other->occurrences;
        for (uint32_t k = 0; k < other->telling_count; k++) {
            struct note_telling *telling = telling_get(n, note, other->tellings[k].place);
            telling->repairs += other->tellings[k].repairs;
            telling->occurrences += other->tellings[k].occurrences;
        }
    }
}

static bool told_by(const struct note_place *at, uint32_t lo, uint32_t hi)
{
    return at->rank >= lo && at->rank <= hi;
}

void notes_repeat(struct notes *n, uint32_t lo, uint32_t hi, uint32_t rank, uint32_t position)
{
    for (uint32_t i = 0; i < n->count; i++) {
        struct note *note = &n->list[i];
        for (uint32_t k = 0, count = note->telling_count; note->prefixed && k < count; k++) {
            struct note_telling told = note->tellings[k];
            if (!told_by(&told.place, lo, hi))
                continue;
            told.place.rank += rank;
            told.place.position += told.place.position == NOTE_NOWHERE ? 0 : position;
            *telling_get(n, note, told.place) = told;
            if (!note->collects && told.place.rank >= note->place.rank)
                note->place = told.place;
            note->occurrences += told.occurrences;
            if (note->repair)
                note->repair->count += told.repairs;
        }
    }
}

const char *notes_quote(struct notes *n, struct slice text)
{
    struct buf quoted = {0};
    goformat_quote(&quoted, text);
    const char *out = arena_strdup(n->arena, buf_view(&quoted));
    buf_deinit(&quoted);
    return out;
}

const char *notes_number(struct notes *n, double v)
{
    char digits[GOFORMAT_BYTES_MAX];
    return arena_strdup(n->arena, slice_of(digits, goformat_float(digits, v, 'g', -1)));
}

/* " (line:column)", both from 1, the column in bytes. */
static void print_place(struct buf *out, struct slice query, uint32_t position)
{
    uint32_t line = 1, column = 1;
    for (uint32_t i = 0; position != NOTE_NOWHERE && i < position && i < query.len; i++) {
        column++;
        if (query.data[i] == '\n') {
            line++;
            column = 1;
        }
    }
    buf_printf(out, " (%u:%u)", line, column);
}

/* Whole seconds, rounded down, in UTC. */
static void print_time(struct buf *out, int64_t ms)
{
    char text[TIMETEXT_BYTES_MAX];
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    buf_append(out, text, timetext_rfc3339_print(text, seconds * 1000));
}

static void print_repair(struct buf *out, const struct note_repair *r)
{
    buf_str(out, ", from buckets ");
    goformat_append(out, r->bound_min, 'g', -1);
    buf_str(out, " to ");
    goformat_append(out, r->bound_max, 'g', -1);
    buf_str(out, ", with a max diff of ");
    goformat_append(out, r->diff_max, 'g', 2);
    buf_printf(out, ", over %lld samples from ", (long long)r->count); /* wraps around as the reference's does */
    print_time(out, r->time_min_ms);
    buf_str(out, " to ");
    print_time(out, r->time_max_ms);
}

static const char *note_text(const struct note *note, struct slice query, struct arena *arena)
{
    struct buf out = {0};
    buf_str(&out, note->text);
    if (note->repair)
        print_repair(&out, note->repair);
    if (note->counted && note->occurrences > 1)
        buf_printf(&out, " (%llu occurrences)", (unsigned long long)note->occurrences);
    if (note->prefixed)
        print_place(&out, query, note->place.position);
    const char *text = arena_strdup(arena, buf_view(&out));
    buf_deinit(&out);
    return text;
}

static int compare_rank(const void *a, const void *b)
{
    const struct note *x = *(const struct note *const *)a, *y = *(const struct note *const *)b;
    if (x->first_rank != y->first_rank)
        return x->first_rank < y->first_rank ? -1 : 1;
    return x < y ? -1 : x > y; /* both in one array: order of first occurrence */
}

static const char *const *render_kind(const struct notes *n, bool warnings, struct slice query, struct arena *arena,
                                      uint32_t *count)
{
    const struct note **chosen = ARENA_ARRAY(arena, const struct note *, n->count + 1);
    uint32_t total = 0;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->list[i].warning == warnings)
            chosen[total++] = &n->list[i];
    qsort((void *)chosen, total, sizeof *chosen, compare_rank);
    uint32_t shown = total < SHOWN_MAX ? total : SHOWN_MAX;
    const char **texts = ARENA_ARRAY(arena, const char *, shown + 1);
    for (uint32_t i = 0; i < shown; i++)
        texts[i] = note_text(chosen[i], query, arena);
    if (total > shown)
        texts[shown++] =
            arena_printf(arena, "%llu more %s annotations omitted",
                         (unsigned long long)(total - SHOWN_MAX + n->dropped[warnings]), warnings ? "warning" : "info");
    *count = shown;
    return texts;
}

void notes_render(const struct notes *n, struct slice query, struct arena *arena, struct note_texts *out)
{
    out->warnings = render_kind(n, true, query, arena, &out->warning_count);
    out->infos = render_kind(n, false, query, arena, &out->info_count);
}
