/*
 * block_meta.c - ULIDs and meta.json.
 *
 * meta.json is written with one key a line, for people; the reader takes any JSON of the same shape,
 * skips keys it does not know and refuses strings with escapes (none of ours has any).
 */
#include "block/block_meta.h"

#include <inttypes.h>
#include <stdio.h>

#include "block/format_internal.h"

enum { META_BYTES_MAX = 16384, JSON_DEPTH_MAX = 8 };

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct block_id block_id_new(int64_t now_ms, struct random *random)
{
    struct block_id id;
    random->fill(random, id.bytes, sizeof id.bytes);
    for (unsigned i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)((uint64_t)now_ms >> (40 - 8 * i));
    return id;
}

/* 26 characters of 5 bits, highest first: 130 bits, the first two are zero. */
void block_id_text(const struct block_id *id, char text[BLOCK_ID_TEXT])
{
    for (unsigned i = 0; i < BLOCK_ID_TEXT - 1; i++) {
        unsigned v = 0;
        for (unsigned k = 0; k < 5; k++) {
            int bit = (int)(5 * i + k) - 2;
            v = v << 1 | (bit < 0 ? 0u : (unsigned)id->bytes[bit / 8] >> (7 - bit % 8) & 1u);
        }
        text[i] = crockford[v];
    }
    text[BLOCK_ID_TEXT - 1] = 0;
}

bool block_id_parse(struct slice text, struct block_id *out)
{
    if (text.len != BLOCK_ID_TEXT - 1 || text.data[0] > '7')
        return false;
    struct block_id id = {{0}};
    for (unsigned i = 0; i < text.len; i++) {
        const char *digit = text.data[i] ? strchr(crockford, text.data[i]) : NULL;
        if (!digit)
            return false;
        for (unsigned k = 0; k < 5; k++) {
            int bit = (int)(5 * i + k) - 2;
            if (bit >= 0 && ((digit - crockford) >> (4 - k) & 1))
                id.bytes[bit / 8] |= (uint8_t)(1u << (7 - bit % 8));
        }
    }
    *out = id;
    return true;
}

static void print_file(struct buf *out, const char *name, const struct block_file_meta *f)
{
    buf_printf(out, "  \"%s\": {\"bytes\": %" PRIu64 ", \"crc32c\": %" PRIu32 "},\n", name, f->bytes, f->crc);
}

void block_meta_print(const struct block_meta *m, struct buf *out)
{
    char text[BLOCK_ID_TEXT];
    block_id_text(&m->id, text);
    buf_printf(out, "{\n  \"version\": %d,\n  \"id\": \"%s\",\n  \"level\": %" PRIu32 ",\n", META_VERSION, text,
               m->level);
    buf_printf(out, "  \"min_time_ms\": %" PRId64 ",\n  \"max_time_ms\": %" PRId64 ",\n", m->mint_ms, m->maxt_ms);
    buf_printf(out, "  \"seq_min\": %" PRIu64 ",\n  \"seq_max\": %" PRIu64 ",\n", m->seq_min, m->seq_max);
    buf_printf(out, "  \"series\": %" PRIu64 ",\n  \"chunks\": %" PRIu64 ",\n", m->series, m->chunks);
    buf_printf(out, "  \"samples\": %" PRIu64 ",\n  \"histogram_samples\": %" PRIu64 ",\n", m->samples,
               m->histogram_samples);
    print_file(out, "index", &m->index);
    print_file(out, "data", &m->data);
    buf_str(out, "  \"sources\": [");
    for (uint32_t i = 0; i < m->source_count; i++) {
        block_id_text(&m->sources[i], text);
        buf_printf(out, "%s\"%s\"", i ? ", " : "", text);
    }
    buf_str(out, "]\n}\n");
}

/* A cursor over JSON; p is NULL after the first thing that is not what was expected. */
struct json {
    const uint8_t *start, *p, *end;
};

static void json_fail(struct json *j)
{
    j->p = NULL;
}

static uint8_t json_peek(struct json *j)
{
    while (j->p && j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
    return j->p && j->p < j->end ? *j->p : 0;
}

static bool json_take(struct json *j, uint8_t c)
{
    if (json_peek(j) != c)
        return false;
    j->p++;
    return true;
}

static void json_expect(struct json *j, uint8_t c)
{
    if (!json_take(j, c))
        json_fail(j);
}

static struct slice json_string(struct json *j)
{
    json_expect(j, '"');
    const uint8_t *start = j->p;
    while (j->p && j->p < j->end && *j->p != '"')
        j->p = *j->p == '\\' || *j->p < 0x20 ? NULL : j->p + 1;
    if (!j->p || j->p == j->end) {
        json_fail(j);
        return (struct slice){0};
    }
    return slice_of(start, (size_t)(j->p++ - start));
}

/* A whole number as its 64 bits; `negative` tells how to read them. */
static uint64_t json_number(struct json *j, bool *negative)
{
    *negative = json_take(j, '-');
    if (!j->p || j->p == j->end || *j->p < '0' || *j->p > '9') {
        json_fail(j);
        return 0;
    }
    uint64_t v = 0;
    for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++) {
        uint64_t digit = (uint64_t)(*j->p - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            json_fail(j);
            return 0;
        }
        v = v * 10 + digit;
    }
    return v;
}

static uint64_t json_unsigned(struct json *j, uint64_t max)
{
    bool negative;
    uint64_t v = json_number(j, &negative);
    if (negative || v > max)
        json_fail(j);
    return v;
}

static int64_t json_signed(struct json *j)
{
    bool negative;
    uint64_t v = json_number(j, &negative);
    if (v > (uint64_t)INT64_MAX + negative)
        json_fail(j);
    return negative ? (int64_t)(0 - v) : (int64_t)v;
}

/* Calls field() for each key of an object; it must take the value. */
static void json_object(struct json *j, void (*field)(struct json *j, struct slice key, void *ctx), void *ctx)
{
    json_expect(j, '{');
    if (json_take(j, '}'))
        return;
    do {
        struct slice key = json_string(j);
        json_expect(j, ':');
        if (j->p)
            field(j, key, ctx);
    } while (json_take(j, ','));
    json_expect(j, '}');
}

/* Any value, unread: to the comma or bracket that ends it. */
static void json_skip(struct json *j)
{
    int depth = 0;
    do {
        uint8_t c = json_peek(j);
        if (c == '"') {
            json_string(j);
        } else if (c == '{' || c == '[') {
            j->p++;
            if (++depth > JSON_DEPTH_MAX)
                json_fail(j);
        } else if (c == '}' || c == ']') {
            j->p++;
            depth--;
        } else if (c == 0) {
            json_fail(j);
        } else {
            j->p++;
            while (j->p < j->end && depth == 0 && !strchr(",}] \n\r\t", *j->p))
                j->p++;
        }
    } while (j->p && depth > 0);
}

static void meta_file_field(struct json *j, struct slice key, void *ctx)
{
    struct block_file_meta *f = (struct block_file_meta *)ctx;
    if (slice_eq_str(key, "bytes"))
        f->bytes = json_unsigned(j, INT64_MAX);
    else if (slice_eq_str(key, "crc32c"))
        f->crc = (uint32_t)json_unsigned(j, UINT32_MAX);
    else
        json_skip(j);
}

static void meta_sources(struct json *j, struct block_meta *m)
{
    json_expect(j, '[');
    if (json_take(j, ']'))
        return;
    do {
        struct slice text = json_string(j);
        if (!j->p || m->source_count == BLOCK_SOURCES_MAX || !block_id_parse(text, &m->sources[m->source_count++]))
            json_fail(j);
    } while (json_take(j, ','));
    json_expect(j, ']');
}

enum seen { SEEN_VERSION = 1, SEEN_ID = 2, SEEN_TIMES = 4, SEEN_INDEX = 8, SEEN_ALL = 15 };

struct meta_reader {
    struct block_meta meta;
    unsigned seen;
    uint64_t version;
};

static void meta_field(struct json *j, struct slice key, void *ctx)
{
    struct meta_reader *r = (struct meta_reader *)ctx;
    struct block_meta *m = &r->meta;
    const struct {
        const char *key;
        uint64_t *value;
    } numbers[] = {{"seq_min", &m->seq_min}, {"seq_max", &m->seq_max}, {"series", &m->series},
                   {"chunks", &m->chunks},   {"samples", &m->samples}, {"histogram_samples", &m->histogram_samples}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (slice_eq_str(key, numbers[i].key)) {
            *numbers[i].value = json_unsigned(j, UINT64_MAX);
            return;
        }
    if (slice_eq_str(key, "version")) {
        r->version = json_unsigned(j, UINT32_MAX);
        r->seen |= SEEN_VERSION;
    } else if (slice_eq_str(key, "id")) {
        struct slice text = json_string(j);
        if (j->p && !block_id_parse(text, &m->id))
            json_fail(j);
        r->seen |= SEEN_ID;
    } else if (slice_eq_str(key, "level")) {
        m->level = (uint32_t)json_unsigned(j, BLOCK_LEVEL_MAX);
    } else if (slice_eq_str(key, "min_time_ms")) {
        m->mint_ms = json_signed(j);
    } else if (slice_eq_str(key, "max_time_ms")) {
        m->maxt_ms = json_signed(j);
        r->seen |= SEEN_TIMES;
    } else if (slice_eq_str(key, "index")) {
        json_object(j, meta_file_field, &m->index);
        r->seen |= SEEN_INDEX;
    } else if (slice_eq_str(key, "data")) {
        json_object(j, meta_file_field, &m->data);
    } else if (slice_eq_str(key, "sources")) {
        meta_sources(j, m);
    } else {
        json_skip(j);
    }
}

enum err block_meta_parse(struct slice text, struct block_meta *out, struct errmsg *why)
{
    struct json j = {.start = text.data, .p = text.data, .end = text.data + text.len};
    struct meta_reader r = {.version = 0};
    json_object(&j, meta_field, &r);
    if (r.version > META_VERSION)
        return err_set(why, ERR_UNSUPPORTED, "written by a newer version (block format %" PRIu64 ", known up to %d)",
                       r.version, META_VERSION);
    if (!j.p || json_peek(&j) != 0)
        return err_set(why, ERR_CORRUPT, "not the JSON of a block");
    if (r.seen != SEEN_ALL || r.version == 0 || r.meta.mint_ms > r.meta.maxt_ms)
        return err_set(why, ERR_CORRUPT, "keys are missing or contradict each other");
    *out = r.meta;
    return ERR_OK;
}

enum err block_meta_read(struct fs *fs, const char *dir, struct block_meta *out, struct errmsg *why)
{
    struct buf path = {.own = true}, text = {0};
    buf_printf(&path, "%s/meta.json", dir);
    enum err err = fs_read_file(fs, buf_cstr(&path), META_BYTES_MAX, &text, why);
    if (err == ERR_OK)
        err = block_meta_parse(buf_view(&text), out, why);
    if (err != ERR_OK)
        err_wrap(why, err, "%s", buf_cstr(&path));
    buf_deinit(&path);
    buf_deinit(&text);
    return err;
}

static struct slice order_key(const struct labels *l, const char *name)
{
    return labels_get(l, slice_str(name));
}

int block_labels_cmp(const struct labels *a, const struct labels *b)
{
    static const char *const first[] = {METRIC_NAME, "job", "instance"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        int c = slice_cmp(order_key(a, first[i]), order_key(b, first[i]));
        if (c)
            return c;
    }
    return labels_cmp(a, b);
}
