/* tail.c - copying and decoding packed tails; the format is in tail_internal.h. */
#include "head/tail_internal.h"

void tail_copy_take(struct head *h, const struct series_line *x, struct tail_copy *out)
{
    out->base = x->more ? x->more->base : 0;
    out->last = x->last;
    out->first = x->first;
    out->run = x->run;
    buf_reset(&out->lines);
    uint32_t tail = get_relaxed(&x->tail);
    if (tail == 0)
        return;
    for (uint32_t id = x->tail_first;;) {
        const struct tail_line *line = tail_line_of(h, id);
        buf_append(&out->lines, line->bytes, id == tail ? x->fill : TAIL_BYTES);
        if (id == tail)
            break;
        id = line->next;
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
            memcpy(&diff, p, op); /* little-endian, as stored; bytes.h reads whole words only */
            value ^= le64_get(&diff) << 8 * high;
            p += op;
            emit(e, value, 1);
        }
    }
    return value;
}

uint32_t tail_decode(const struct tail_copy *t, uint32_t *indexes, double *values, uint32_t max)
{
    struct emitter e = {indexes, values, 0, max, t->first};
    uint64_t value = t->base;
    for (size_t at = 0; at < t->lines.len; at += TAIL_BYTES) {
        size_t left = t->lines.len - at;
        const uint8_t *line = t->lines.data + at;
        value = decode_line(&e, line, line + (left < TAIL_BYTES ? left : TAIL_BYTES), value);
    }
    emit(&e, t->last, t->run);
    return e.count;
}
