/* tail.c - copying and decoding packed tails; the format is in tail_internal.h. */
#include "head/tail_internal.h"

void tail_copy_take(struct head *h, const struct series_line *x, struct tail_copy *out)
{
    out->base = x->more ? x->more->base : 0;
    out->last = x->last;
    out->first = x->first;
    out->run = x->run;
    buf_reset(&out->lines);
    out->lines.own = true;
    uint32_t tail = get_relaxed(&x->tail);
    if (tail == 0)
        return;
    for (uint32_t id = get_relaxed(&x->tail_first);;) {
        const struct tail_line *line = tail_line_of(h, id);
        buf_append(&out->lines, line->bytes, id == tail ? x->fill : TAIL_BYTES);
        if (id == tail)
            break;
        id = get_relaxed(&line->next);
    }
    assert(!out->lines.failed);
}

void tail_copy_deinit(struct tail_copy *t)
{
    buf_deinit(&t->lines);
}

struct emitter {
    uint32_t *indexes;
    double *values;
    uint32_t count, max, index;
};

static void emit(struct emitter *e, uint64_t value, uint64_t times)
{
    double v = f64_from_bits(value);
    assert(times <= e->max - e->count);
    for (uint64_t i = 0; i < times; i++) {
        e->indexes[e->count] = e->index++;
        e->values[e->count++] = v;
    }
}

/* One line; returns the value at its end. */
static uint64_t decode_line(struct emitter *e, const uint8_t *p, const uint8_t *end, uint64_t value)
{
    while (p < end && (*p & 15) != TAIL_LINE_END) {
        unsigned op = *p & 15, high = *p >> 4;
        uint64_t count = high;
        p++;
        if (op == TAIL_REPEAT || op == TAIL_MISSING) {
            p = varint_get(p, end, &count);
            assert(p != NULL);
        }
        if (op == TAIL_MISSING) {
            e->index += (uint32_t)count;
        } else if (op == 0 || op == TAIL_REPEAT) {
            emit(e, value, count);
        } else {
            uint64_t diff = 0;
            assert(op <= 8 && (size_t)(end - p) >= op);
            memcpy(&diff, p, op); /* little-endian, as stored */
            value ^= le64_get(&diff) << 8 * high;
            p += op;
            emit(e, value, 1);
        }
    }
    return value;
}

uint32_t tail_decode_lines(const struct tail_copy *t, uint32_t *indexes, double *values, uint32_t max,
                           uint32_t *end_index, uint64_t *end_value)
{
    struct emitter e = {indexes, values, 0, max, t->first};
    uint64_t value = t->base;
    for (size_t at = 0; at < t->lines.len; at += TAIL_BYTES) {
        size_t left = t->lines.len - at;
        const uint8_t *line = t->lines.data + at;
        value = decode_line(&e, line, line + (left < TAIL_BYTES ? left : TAIL_BYTES), value);
    }
    *end_index = e.index;
    *end_value = value;
    return e.count;
}

uint32_t tail_decode(const struct tail_copy *t, uint32_t *indexes, double *values, uint32_t max)
{
    uint32_t index;
    uint64_t value;
    uint32_t count = tail_decode_lines(t, indexes, values, max, &index, &value);
    struct emitter e = {indexes, values, count, max, index};
    emit(&e, t->last, t->run);
    return e.count;
}

void tail_copy_full(struct head *h, const struct series_line *x, struct tail_copy *out, struct buf *ids)
{
    uint32_t tail = get_relaxed(&x->tail);
    *out = (struct tail_copy){.lines = out->lines, .base = x->more ? x->more->base : 0, .first = x->first};
    buf_reset(&out->lines);
    for (uint32_t id = tail ? get_relaxed(&x->tail_first) : 0; id != tail;
         id = get_relaxed(&tail_line_of(h, id)->next)) {
        buf_append(&out->lines, tail_line_of(h, id)->bytes, TAIL_BYTES);
        if (ids)
            buf_append(ids, &id, sizeof id);
    }
    assert(!out->lines.failed);
}

/* Bytes of a line before its end mark. */
static uint32_t line_used(const struct tail_line *line)
{
    uint32_t at = 0;
    while (at < TAIL_BYTES && (line->bytes[at] & 15) != TAIL_LINE_END) {
        unsigned op = line->bytes[at++] & 15;
        if (op == TAIL_REPEAT || op == TAIL_MISSING)
            while (line->bytes[at++] & 0x80)
                ;
        else
            at += op;
    }
    return at;
}

void tail_copy_stream(struct head *h, const struct series_line *x, struct buf *out)
{
    uint32_t tail = get_relaxed(&x->tail), run = x->run;
    uint64_t base = x->more ? x->more->base : 0;
    for (uint32_t id = tail ? get_relaxed(&x->tail_first) : 0; id;) {
        const struct tail_line *line = tail_line_of(h, id);
        buf_append(out, line->bytes, id == tail ? x->fill : line_used(line));
        id = id == tail ? 0 : get_relaxed(&line->next);
    }
    if (run && !tail && x->last != base) {
        uint8_t op[TAIL_OP_MAX];
        uint64_t packed;
        op[0] = xor_pack(x->last ^ base, &packed);
        le64_put(op + 1, packed);
        buf_append(out, op, 1 + (op[0] & 15));
        run--;
    }
    if (run) {
        buf_u8(out, TAIL_REPEAT);
        buf_varint(out, run);
    }
}

void tail_clear(struct head *h, struct series_line *x)
{
    uint32_t tail = get_relaxed(&x->tail), ids[64];
    size_t count = 0;
    for (uint32_t id = tail ? get_relaxed(&x->tail_first) : 0; id;) {
        ids[count++] = id;
        id = id == tail ? 0 : get_relaxed(&tail_line_of(h, id)->next);
        if (count == 64 || !id) {
            tail_lines_give(h, ids, count);
            count = 0;
        }
    }
    set_relaxed(&x->tail, 0);
    x->fill = 0;
    x->run = 0;
}

bool tail_walk_next(struct tail_walk *w, uint32_t limit, uint32_t *index, uint64_t *value)
{
    while (w->repeats == 0) {
        if (w->at == w->end)
            return false;
        unsigned op = *w->at & 15, high = *w->at >> 4;
        uint64_t count = high;
        w->at++;
        if ((op == TAIL_REPEAT || op == TAIL_MISSING) && !(w->at = varint_get(w->at, w->end, &count)))
            return !(w->bad = true);
        if (op == TAIL_MISSING) {
            if (count > limit - w->index)
                return !(w->bad = true);
            w->index += (uint32_t)count;
        } else if (op == 0 || op == TAIL_REPEAT) {
            w->repeats = count;
        } else {
            uint8_t bytes[8] = {0};
            if (op > 8 || op + high > 8 || op > (size_t)(w->end - w->at))
                return !(w->bad = true);
            memcpy(bytes, w->at, op);
            w->at += op;
            w->value ^= le64_get(bytes) << 8 * high;
            w->repeats = 1;
        }
    }
    if (w->index >= limit)
        return !(w->bad = true);
    w->repeats--;
    *index = w->index++;
    *value = w->value;
    return true;
}
