/*
 * canonical.c - labels as a sender wrote them become the one form that the head knows.
 *
 * Nearly all senders write canonical bytes: shortest lengths, name before value, names sorted and
 * unique, nothing empty.  Those are checked and used as they stand.  Everything else is parsed, sorted
 * and written anew.  Rules as in Prometheus: names and values are UTF-8, a name is never empty, names
 * do not repeat, there is a metric name; an empty value is the same as no label.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"

enum { TAG_LABEL = WIRE_TAG(1, WIRE_BYTES), TAG_NAME = WIRE_TAG(1, WIRE_BYTES), TAG_TEXT = WIRE_TAG(2, WIRE_BYTES) };

struct text_pair {
    struct slice name, value;
};

struct pair_list {
    struct text_pair *list;
    size_t count, capacity;
};

/* Fields of one Label; later ones win, unknown ones are passed over. */
static const uint8_t *parse_label(const uint8_t *p, const uint8_t *end, struct text_pair *out)
{
    uint32_t tag;
    *out = (struct text_pair){{0}, {0}};
    while (p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            return NULL;
        if (tag == TAG_NAME)
            p = wire_bytes(p, end, &out->name);
        else if (tag == TAG_TEXT)
            p = wire_bytes(p, end, &out->value);
        else
            p = tag >> 3 <= 2 ? NULL : wire_skip(p, end, tag);
        if (!p)
            return NULL;
    }
    return p;
}

/* All label fields of a message; false when the bytes break the format. */
static bool parse_labels(struct slice message, struct pair_list *out)
{
    const uint8_t *p = message.data, *end = p + message.len;
    uint32_t tag;
    while (p < end) {
        struct slice label;
        if (!(p = wire_tag(p, end, &tag)))
            return false;
        if (tag != TAG_LABEL) {
            if (!(p = wire_skip(p, end, tag)))
                return false;
            continue;
        }
        if (!(p = wire_bytes(p, end, &label)))
            return false;
        out->list = mem_grow(out->list, &out->capacity, out->count + 1, sizeof *out->list);
        if (!parse_label(label.data, label.data + label.len, &out->list[out->count++]))
            return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct text_pair *)a)->name, ((const struct text_pair *)b)->name);
}

/* Whether no byte has its highest bit set; the compiler makes vectors of it. */
static bool all_ascii(struct slice bytes)
{
    uint8_t any = 0;
    for (size_t i = 0; i < bytes.len; i++)
        any |= bytes.data[i];
    return any < 0x80;
}

/* Rules that hold for each label by itself. */
static enum ingest_reason check_pair(const struct ingest_options *o, struct slice name, struct slice value, bool ascii)
{
    if (name.len == 0 || !(ascii || utf8_valid(name)))
        return INGEST_BAD_LABEL_NAME;
    if (!(ascii || utf8_valid(value)))
        return INGEST_BAD_LABEL_VALUE;
    if (name.len > o->label_name_bytes_max || value.len > o->label_value_bytes_max)
        return INGEST_LABEL_LIMIT;
    return INGEST_REASONS;
}

/* Names mostly differ in their first byte. */
static bool ascends(struct slice before, struct slice name)
{
    return before.len && before.data[0] != name.data[0] ? before.data[0] < name.data[0] : slice_cmp(before, name) < 0;
}

/*
 * Whether the bytes are canonical and obey all rules.  False says nothing about why: the general way
 * finds out.
 */
static bool is_canonical(const struct ingest_options *o, struct slice bytes)
{
    const uint8_t *p = bytes.data, *end = p + bytes.len;
    struct slice before = {0};
    bool named = false, ascii = all_ascii(bytes);
    uint32_t count = 0;
    if (bytes.len > o->labels_bytes_max)
        return false;
    while (p < end) {
        size_t len, name_len, value_len;
        const uint8_t *q = *p == TAG_LABEL ? wire_len(p + 1, end, &len) : NULL;
        const uint8_t *label_end = q ? q + len : NULL;
        const uint8_t *name = q && q < label_end && *q == TAG_NAME ? wire_len(q + 1, label_end, &name_len) : NULL;
        q = name ? name + name_len : NULL;
        const uint8_t *value = q && q < label_end && *q == TAG_TEXT ? wire_len(q + 1, label_end, &value_len) : NULL;
        if (!value || value + value_len != label_end || value_len == 0 || ++count > o->label_count_max)
            return false;
        /* shortest lengths: the bytes written anew would be as many */
        size_t inner = 2 + wire_varint_bytes(name_len) + name_len + wire_varint_bytes(value_len) + value_len;
        if (inner != len || (size_t)(label_end - p) != 1 + wire_varint_bytes(len) + len)
            return false;
        struct slice n = slice_of(name, name_len);
        if (check_pair(o, n, slice_of(value, value_len), ascii) != INGEST_REASONS || !ascends(before, n))
            return false;
        named = named || slice_eq(n, SLICE_LIT(METRIC_NAME));
        before = n;
        p = label_end;
    }
    return named;
}

static enum ingest_reason check_list(const struct ingest_options *o, struct pair_list *l)
{
    bool named = false;
    size_t kept = 0;
    if (l->count)
        qsort(l->list, l->count, sizeof *l->list, by_name);
    for (size_t i = 0; i < l->count; i++) {
        struct text_pair *pair = &l->list[i];
        enum ingest_reason reason = check_pair(o, pair->name, pair->value, false);
        if (reason != INGEST_REASONS)
            return reason;
        if (i && slice_eq(pair->name, l->list[i - 1].name))
            return INGEST_DUPLICATE_LABEL;
        named = named || (pair->value.len && slice_eq(pair->name, SLICE_LIT(METRIC_NAME)));
    }
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].value.len)
            l->list[kept++] = l->list[i];
    l->count = kept;
    if (!named)
        return INGEST_NO_NAME;
    return l->count > o->label_count_max ? INGEST_LABEL_LIMIT : INGEST_REASONS;
}

static uint8_t *put_field(uint8_t *out, uint8_t tag, struct slice text)
{
    *out++ = tag;
    out = varint_put(out, text.len);
    memcpy(out, text.data, text.len);
    return out + text.len;
}

/* The list as canonical bytes in arena memory, with the slack that hashing needs. */
static struct slice write_list(struct lane *l, const struct pair_list *list)
{
    size_t size = SERIES_HASH_SLACK;
    for (size_t i = 0; i < list->count; i++)
        size += list->list[i].name.len + list->list[i].value.len + 3 + 3 * (size_t)VARINT_BYTES_MAX;
    uint8_t *bytes = arena_alloc(&l->arena, size), *out = bytes;
    for (size_t i = 0; i < list->count; i++) {
        const struct text_pair *p = &list->list[i];
        *out++ = TAG_LABEL;
        out = varint_put(out, 2 + wire_varint_bytes(p->name.len) + p->name.len + wire_varint_bytes(p->value.len) +
                                  p->value.len);
        out = put_field(out, TAG_NAME, p->name);
        out = put_field(out, TAG_TEXT, p->value);
    }
    return slice_of(bytes, (size_t)(out - bytes));
}

enum err canonical_make(struct lane *l, struct miss *m, struct errmsg *why)
{
    const struct ingest_options *o = &l->ingest->options;
    struct slice bytes = slice_of(l->raw + m->at, m->len);
    struct pair_list list = {0};
    m->reason = INGEST_REASONS;
    if (!m->scattered && is_canonical(o, bytes)) {
        m->canonical = bytes;
        m->canonical_hash = m->hash;
        return ERR_OK;
    }
    if (!parse_labels(bytes, &list)) {
        mem_free(list.list);
        return err_set(why, ERR_INVALID, "protobuf: labels of the series at byte %u are broken", m->at);
    }
    m->reason = check_list(o, &list);
    if (m->reason == INGEST_REASONS) {
        m->canonical = write_list(l, &list);
        m->other_spelling = true;
        if (m->canonical.len > o->labels_bytes_max)
            m->reason = INGEST_LABEL_LIMIT;
        else
            m->canonical_hash = series_hash(head_hash_key(o->head), m->canonical.data, m->canonical.len);
    }
    mem_free(list.list);
    return ERR_OK;
}

static size_t runes_of(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.data[i] & 0xc0) != 0x80;
    return n;
}

bool canonical_any(struct lane *l, struct slice message, struct slice *out, bool *fine, size_t *runes)
{
    struct pair_list list = {0};
    *out = (struct slice){0};
    *runes = 0;
    bool readable = parse_labels(message, &list);
    if (readable) {
        enum ingest_reason reason = check_list(&l->ingest->options, &list);
        *fine = reason == INGEST_REASONS || reason == INGEST_NO_NAME;
        for (size_t i = 0; *fine && i < list.count; i++)
            *runes += runes_of(list.list[i].name) + runes_of(list.list[i].value);
        if (*fine)
            *out = write_list(l, &list);
    }
    mem_free(list.list);
    return readable;
}

/* Printable ASCII and UTF-8 as they are; the rest escaped; long texts cut. */
static void print_text(struct slice text, struct buf *out)
{
    enum { SHOWN = 64 };
    bool plain = utf8_valid(text);
    for (size_t i = 0; i < text.len && i < SHOWN; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\' || (c >= 0x80 && (!plain || text.len > SHOWN)))
            buf_printf(out, "\\x%02x", c);
        else
            buf_u8(out, c);
    }
    if (text.len > SHOWN)
        buf_str(out, "...");
}

void canonical_print(struct lane *l, struct slice message, struct buf *out)
{
    enum { SHOWN = 8 };
    struct pair_list list = {0};
    (void)l;
    bool readable = parse_labels(message, &list);
    buf_u8(out, '{');
    for (size_t i = 0; readable && i < list.count && i < SHOWN; i++) {
        if (i)
            buf_str(out, ", ");
        print_text(list.list[i].name, out);
        buf_str(out, "=\"");
        print_text(list.list[i].value, out);
        buf_u8(out, '"');
    }
    if (list.count > SHOWN)
        buf_str(out, ", ...");
    buf_u8(out, '}');
    mem_free(list.list);
}
