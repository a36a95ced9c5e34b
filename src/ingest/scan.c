/*
 * scan.c - a WriteRequest, read once, nothing copied:
 *
 *     WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2;
 *                    repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
 *     Sample       { double value = 1; int64 timestamp = 2; }
 *
 * Senders repeat their series in the same order, so the series that followed the last time is guessed
 * first: its line says how long its label bytes are, and their hash proves the guess.  Labels are
 * walked only when the guess was wrong.  Samples come in two fixed shapes from every Go sender (18
 * bytes, or 9 when the value is 0); other shapes take the general way.
 */
#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"

enum { LONE_MISSES = 4, RETRY_EVERY = 64 };
enum {
    TAG_SERIES = WIRE_TAG(1, WIRE_BYTES),
    TAG_METADATA = WIRE_TAG(3, WIRE_BYTES),
    TAG_LABEL = WIRE_TAG(1, WIRE_BYTES),
    TAG_SAMPLE = WIRE_TAG(2, WIRE_BYTES),
    TAG_EXEMPLAR = WIRE_TAG(3, WIRE_BYTES),
    TAG_HISTOGRAM = WIRE_TAG(4, WIRE_BYTES),
    TAG_VALUE = WIRE_TAG(1, WIRE_FIXED64),
    TAG_TIME = WIRE_TAG(2, WIRE_VARINT),
};

struct scan {
    struct lane *lane;
    const struct head_lines *lines;
    const struct series_hash_key *key;
    series_ref previous;
    uint32_t streak;     /* series in a row that were not predicted */
    uint64_t time_bytes; /* the last timestamp as it stood on the wire */
    int64_t time_ms;
    const uint8_t *bad; /* where the bytes break the format */
    const char *reason;
    bool version2; /* it has fields that only a remote write 2.0 message has */
};

/* One series while its message is read. */
struct current {
    const uint8_t *start, *labels_end;
    series_ref ref;
    struct hash128 hash;
    bool scattered;
    size_t first_row, first_extra;
};

static const uint8_t *broken(struct scan *s, const uint8_t *at, const char *reason)
{
    s->bad = at;
    s->reason = reason;
    return NULL;
}

/* The guess: the label bytes at p hash to the series that followed the last time. */
static inline bool predict(struct scan *s, const uint8_t *p, const uint8_t *end, struct current *c)
{
    series_ref candidate = head_predict(s->lines, s->previous);
    if (!candidate)
        return false;
    head_prefetch_ahead(s->lines, candidate);
    const struct series_line *line = head_line(s->lines, candidate);
    size_t len = atomic_load_explicit(&line->label_bytes, memory_order_relaxed);
    if (len == 0 || len >= (size_t)(end - p) || p[len] == TAG_LABEL)
        return false;
    if (!head_line_is(line, series_hash(s->key, p, len)))
        return false;
    head_prefetch_tail(s->lines, line);
    c->ref = s->previous = candidate;
    c->labels_end = p + len;
    s->streak = 0;
    return true;
}

/* Not guessed: walk over the labels, hash, and look it up now or later in a batch. */
static const uint8_t *look_up(struct scan *s, const uint8_t *p, const uint8_t *end, struct current *c)
{
    size_t len;
    const uint8_t *start = p;
    while (p < end && *p == TAG_LABEL) {
        const uint8_t *field = p;
        if (!(p = wire_len(p + 1, end, &len)))
            return broken(s, field, "label: length passes the end");
        p += len;
    }
    c->labels_end = p;
    len = (size_t)(p - start);
    if (len == 0 || len > SERIES_HASH_BYTES_MAX) {
        c->scattered = true;
        s->previous = 0;
        return p;
    }
    c->hash = series_hash(s->key, start, len);
    /* A lone miss is looked up to get back into step; a longer streak is resolved together, prefetched. */
    if (s->streak++ < LONE_MISSES || s->streak % RETRY_EVERY == 0) {
        c->ref = s->previous = head_lookup(s->lane->appender, c->hash);
    } else {
        head_lookup_prefetch(s->lane->appender, c->hash);
        s->previous = 0;
    }
    return p;
}

static inline struct head_row *row_add(struct scan *s, const struct current *c)
{
    struct lane *l = s->lane;
    if (__builtin_expect(l->row_count == l->row_capacity, 0))
        l->rows = mem_grow(l->rows, &l->row_capacity, l->row_count + 1, sizeof *l->rows);
    struct head_row *row = &l->rows[l->row_count++];
    row->ref = c->ref;
    row->at = (uint32_t)(c->start - l->raw);
    return row;
}

/* Any shape of a sample; p stands behind its tag. */
static const uint8_t *sample_general(struct scan *s, const uint8_t *p, const uint8_t *end, struct head_row *row)
{
    const uint8_t *field = p;
    struct slice message;
    uint64_t time = 0;
    uint32_t tag;
    row->bits = 0;
    if (!(p = wire_bytes(p, end, &message)))
        return broken(s, field, "sample: length passes the end");
    for (const uint8_t *q = message.data; q < p;) {
        const uint8_t *at = q;
        if (!(q = wire_tag(q, p, &tag)))
            return broken(s, at, "sample: bad tag");
        if (tag == TAG_VALUE)
            q = wire_fixed64(q, p, &row->bits);
        else if (tag == TAG_TIME)
            q = varint_get(q, p, &time);
        else if (tag >> 3 == 1 || tag >> 3 == 2)
            return broken(s, at, "sample: wrong wire type");
        else
            q = wire_skip(q, p, tag);
        if (!q)
            return broken(s, at, "sample: field cut off");
    }
    row->time_ms = (int64_t)time;
    return p;
}

/* The six bytes of a timestamp between 2004 and 3000, low bits first. */
static bool time_fixed(struct scan *s, uint64_t bytes)
{
    if (bytes == s->time_bytes)
        return true;
    if ((bytes & UINT64_C(0x808080808080)) != UINT64_C(0x008080808080))
        return false;
    int64_t time_ms = 0;
    for (unsigned i = 0; i < 6; i++)
        time_ms |= (int64_t)(bytes >> 8 * i & 0x7f) << 7 * i;
    s->time_bytes = bytes;
    s->time_ms = time_ms;
    return true;
}

static inline const uint8_t *sample(struct scan *s, const uint8_t *p, const uint8_t *end, struct current *c)
{
    struct head_row *row = row_add(s, c);
    /* 12 10 09 <value> 10 <6 bytes>; the slack behind the request makes the wide loads safe */
    if (end - p >= 18 && p[1] == 16 && p[2] == TAG_VALUE && p[11] == TAG_TIME &&
        time_fixed(s, le64_get(p + 12) & UINT64_C(0xffffffffffff))) {
        row->bits = le64_get(p + 3);
        row->time_ms = s->time_ms;
        return p + 18;
    }
    /* 12 07 10 <6 bytes>: Go leaves out a value of 0 */
    if (end - p >= 9 && p[1] == 7 && p[2] == TAG_TIME && time_fixed(s, le64_get(p + 3) & UINT64_C(0xffffffffffff))) {
        row->bits = 0;
        row->time_ms = s->time_ms;
        return p + 9;
    }
    return sample_general(s, p + 1, end, row);
}

static const uint8_t *extra(struct scan *s, const uint8_t *p, const uint8_t *end, struct current *c,
                            enum extra_kind kind)
{
    struct lane *l = s->lane;
    struct slice message;
    const uint8_t *field = p;
    if (!(p = wire_bytes(p, end, &message)))
        return broken(s, field,
                      kind == EXTRA_EXEMPLAR ? "exemplar: length passes the end" : "histogram: length passes the end");
    l->extras = mem_grow(l->extras, &l->extra_capacity, l->extra_count + 1, sizeof *l->extras);
    l->extras[l->extra_count++] = (struct extra){
        .kind = kind,
        .message_at = (uint32_t)(message.data - l->raw),
        .message_len = (uint32_t)message.len,
        .at = (uint32_t)(c->start - l->raw),
        .label_len = (uint32_t)(c->labels_end - c->start),
        .ref = c->ref,
    };
    return p;
}

/* What is not a sample in its usual place. */
static const uint8_t *other_field(struct scan *s, const uint8_t *p, const uint8_t *end, struct current *c)
{
    const uint8_t *at = p;
    uint32_t tag;
    size_t len;
    if (!(p = wire_tag(p, end, &tag)))
        return broken(s, at, "series: bad tag");
    switch (tag) {
    case TAG_SAMPLE: /* a tag written longer than needed */
        return sample_general(s, p, end, row_add(s, c));
    case TAG_EXEMPLAR:
        return extra(s, p, end, c, EXTRA_EXEMPLAR);
    case TAG_HISTOGRAM:
        return extra(s, p, end, c, EXTRA_HISTOGRAM);
    case TAG_LABEL:
        c->scattered = true;
        p = wire_len(p, end, &len);
        return p ? p + len : broken(s, at, "label: length passes the end");
    default:
        if (tag >> 3 <= 4)
            return broken(s, at, "series: wrong wire type");
        p = wire_skip(p, end, tag);
        return p ? p : broken(s, at, "series: field cut off");
    }
}

/* A series whose ref is not known: remembered once; without samples, too, as its labels may be broken. */
static void miss_add(struct scan *s, const struct current *c, const uint8_t *end)
{
    struct lane *l = s->lane;
    const uint8_t *labels_end = c->scattered ? end : c->labels_end;
    for (size_t i = c->first_row; i < l->row_count; i++)
        l->rows[i].ref = c->scattered ? 0 : c->ref;
    for (size_t i = c->first_extra; i < l->extra_count; i++) {
        l->extras[i].ref = c->scattered ? 0 : c->ref;
        l->extras[i].label_len = (uint32_t)(labels_end - c->start);
    }
    if (c->ref && !c->scattered)
        return;
    if (c->scattered)
        s->previous = 0;
    l->misses = mem_grow(l->misses, &l->miss_capacity, l->miss_count + 1, sizeof *l->misses);
    l->misses[l->miss_count++] = (struct miss){
        .at = (uint32_t)(c->start - l->raw),
        .len = (uint32_t)(labels_end - c->start),
        .hash = c->hash,
        .scattered = c->scattered,
    };
}

static inline const uint8_t *series(struct scan *s, const uint8_t *p, const uint8_t *end)
{
    struct lane *l = s->lane;
    struct current c = {.start = p, .first_row = l->row_count, .first_extra = l->extra_count};
    bool predicted = predict(s, p, end, &c);
    if (!predicted && !look_up(s, p, end, &c))
        return NULL;
    p = c.labels_end;
    while (p < end) {
        p = __builtin_expect(*p == TAG_SAMPLE, 1) ? sample(s, p, end, &c) : other_field(s, p, end, &c);
        if (!p)
            return NULL;
    }
    l->series_count++;
    l->predicted += predicted;
    if (!predicted || c.scattered)
        miss_add(s, &c, end);
    return end;
}

static const uint8_t *request_field(struct scan *s, const uint8_t *p, const uint8_t *end)
{
    struct lane *l = s->lane;
    const uint8_t *at = p;
    uint32_t tag;
    size_t len;
    if (!(p = wire_tag(p, end, &tag)))
        return broken(s, at, "request: bad tag");
    if (tag == TAG_SERIES) {
        if (!(p = wire_len(p, end, &len)))
            return broken(s, at, "series: length passes the end");
        return series(s, p, p + len);
    }
    if (tag == TAG_METADATA) {
        struct slice message;
        if (!(p = wire_bytes(p, end, &message)))
            return broken(s, at, "metadata: length passes the end");
        l->metadata_messages =
            mem_grow(l->metadata_messages, &l->metadata_capacity, l->metadata_count + 1, sizeof message);
        l->metadata_messages[l->metadata_count++] = message;
        return p;
    }
    if (tag >> 3 == 1 || tag >> 3 == 3)
        return broken(s, at, "request: wrong wire type");
    s->version2 |= tag >> 3 == 4 || tag >> 3 == 5; /* symbols and series of remote write 2.0 */
    p = wire_skip(p, end, tag);
    return p ? p : broken(s, at, "request: field cut off");
}

enum err scan_request(struct lane *l, series_ref previous, struct errmsg *why)
{
    struct head *head = l->ingest->options.head;
    struct scan s = {.lane = l, .lines = head_lines(head), .key = head_hash_key(head), .previous = previous};
    const uint8_t *p = l->raw, *end = p + l->raw_len;
    l->row_count = l->miss_count = l->extra_count = l->metadata_count = 0;
    l->series_count = l->predicted = l->rows_rejected = 0;
    while (p < end && (p = request_field(&s, p, end)))
        if (l->series_count > l->ingest->options.series_max)
            return err_set(why, ERR_INVALID, "more than %u series in one request", l->ingest->options.series_max);
    if (!p)
        return err_set(why, ERR_INVALID, "protobuf: byte %zu: %s", (size_t)(s.bad - l->raw), s.reason);
    if (s.version2 && l->series_count == 0 && l->metadata_count == 0)
        return err_set(why, ERR_INVALID,
                       "a remote write 2.0 message that is announced as 1.0: nothing in it can be read");
    return ERR_OK;
}
