/*
 * tail_internal.h - the packed tail of a series: a stream of small operations in linked lines of 60 bytes.
 *
 * Bytes of a line, from the column index `first` and the value `base` on (lines never split an operation):
 *
 *     low nibble   meaning
 *     1..8         next sample: value ^= (that many little-endian bytes) << 8 * high nibble
 *     0            1..15 samples with the same value (count = high nibble)
 *     9            varint: so many samples with the same value
 *     10           varint: so many column entries without a sample
 *     15           end of this line
 *
 * The newest repeats of the value stand in the series line (run) until something else happens, so an
 * unchanged value costs nothing here.
 *
 * Threads: the page's lock is held; the decoder works on a copy.
 */
#ifndef HEAD_TAIL_INTERNAL_H
#define HEAD_TAIL_INTERNAL_H

#include "head/hist_internal.h"

enum {
    TAIL_BYTES = 60,
    TAIL_OP_MAX = 9, /* what an operation takes at most; 8 bytes are always stored whole */
    TAIL_REPEAT = 9,
    TAIL_MISSING = 10,
    TAIL_LINE_END = 15,
};

static inline uint8_t *tail_room(struct head_appender *a, struct series_line *x)
{
    uint32_t tail = get_relaxed(&x->tail);
    if (__builtin_expect(tail == 0 || x->fill > TAIL_BYTES - TAIL_OP_MAX, 0)) {
        uint32_t fresh = tail_line_take(a);
        set_relaxed(&tail_line_of(a->head, fresh)->next, 0);
        if (tail) {
            struct tail_line *full = tail_line_of(a->head, tail);
            set_relaxed(&full->next, fresh);
            if (x->fill < TAIL_BYTES)
                full->bytes[x->fill] = TAIL_LINE_END;
        } else {
            set_relaxed(&x->tail_first, fresh);
        }
        set_relaxed(&x->tail, fresh);
        x->fill = 0;
        tail = fresh;
    }
    return tail_line_of(a->head, tail)->bytes + x->fill;
}

/* Control byte of a changed value; the shifted bits go to *out.  diff is not 0. */
static inline uint8_t xor_pack(uint64_t diff, uint64_t *out)
{
    unsigned shift = (unsigned)__builtin_ctzll(diff) >> 3, bytes = 8 - shift - ((unsigned)__builtin_clzll(diff) >> 3);
    *out = diff >> 8 * shift;
    return (uint8_t)(bytes | shift << 4);
}

static inline void tail_change(struct head_appender *a, struct series_line *x, uint8_t control, uint64_t packed)
{
    uint8_t *out = tail_room(a, x);
    out[0] = control;
    le64_put(out + 1, packed);
    x->fill = (uint8_t)(x->fill + 1 + (control & 15));
}

static inline void tail_count(struct head_appender *a, struct series_line *x, uint32_t count, uint8_t op)
{
    uint8_t *out = tail_room(a, x), *end = out;
    if (op == TAIL_REPEAT && count < 16) {
        *end++ = (uint8_t)(count << 4);
    } else {
        *end++ = op;
        end = varint_put(end, count);
    }
    x->fill = (uint8_t)(x->fill + (end - out));
}

/* Moves the pending repeats into the stream. */
static inline void tail_flush(struct head_appender *a, struct series_line *x)
{
    uint32_t run = x->run;
    uint64_t base = x->more ? x->more->base : 0, packed;
    if (run && get_relaxed(&x->tail) == 0 && x->last != base) {
        uint8_t control = xor_pack(x->last ^ base, &packed);
        tail_change(a, x, control, packed);
        run--;
    }
    if (run)
        tail_count(a, x, run, TAIL_REPEAT);
    x->run = 0;
}

static inline bool series_is_empty(const struct series_line *x)
{
    return x->run == 0 && get_relaxed(&x->tail) == 0 && !(x->more && x->more->chunk_count);
}

/* Nothing of it is held. */
static inline bool series_is_idle(const struct series_line *x)
{
    return series_is_empty(x) && !(x->more && (x->more->side.count || x->more->side.frozen_count)) && hist_is_empty(x);
}

/* The next sample stands at column index x->end; control and packed belong to value ^ x->last. */
static inline void tail_append_changed(struct head_appender *a, struct series_line *x, uint64_t bits, uint8_t control,
                                       uint64_t packed)
{
    if (x->run)
        tail_flush(a, x);
    else if (get_relaxed(&x->tail) == 0) { /* first after nothing, or after the newest chunk */
        x->last = bits;
        x->run = 1;
        return;
    }
    tail_change(a, x, control, packed);
    x->last = bits;
}

/* Column entries [x->end, index) have no sample of this series; the next one stands at index. */
static inline void tail_skip(struct head_appender *a, struct series_line *x, uint32_t index)
{
    if (x->run == 0 && get_relaxed(&x->tail) == 0) {
        x->first = x->end = index; /* nothing in front of the gap */
        return;
    }
    tail_flush(a, x);
    tail_count(a, x, index - x->end, TAIL_MISSING);
    x->end = index;
}

/* A copy of a tail that can be decoded without the lock. */
struct tail_copy {
    struct buf lines; /* 60 bytes each, in order; the last one shorter */
    uint64_t base, last;
    uint32_t first, run;
};
/* Takes lines from the oldest on; the lock is held. */
void tail_copy_take(struct head *h, const struct series_line *x, struct tail_copy *out);

void tail_copy_deinit(struct tail_copy *t);

/* The full lines only, all but the newest: what can be sealed.  ids (may be NULL): their numbers. */
void tail_copy_full(struct head *h, const struct series_line *x, struct tail_copy *out, struct buf *ids);
/* All operations in one piece, pending repeats included, without line ends: for checkpoints. */
void tail_copy_stream(struct head *h, const struct series_line *x, struct buf *out);
/* Frees the lines; the series has no tail and no pending repeats afterwards. */
void tail_clear(struct head *h, struct series_line *x);

/*
 * Decodes into indexes[] (column index of each sample) and values[]; both have room for `max`, which is
 * end - first of the series.  Returns how many samples there are.  The bytes are our own: what does
 * not fit is a bug and stops the process.
 */
uint32_t tail_decode(const struct tail_copy *t, uint32_t *indexes, double *values, uint32_t max);
/* The same without pending repeats; also the index and the value after the last operation. */
uint32_t tail_decode_lines(const struct tail_copy *t, uint32_t *indexes, double *values, uint32_t max,
                           uint32_t *end_index, uint64_t *end_value);

/* Walks a stream from tail_copy_stream that may be damaged.  False at the end; *bad when it is not a clean one. */
struct tail_walk {
    const uint8_t *at, *end;
    uint64_t value;
    uint32_t index;   /* of the next sample */
    uint64_t repeats; /* of the operation at hand, still to come */
    bool bad;
};
bool tail_walk_next(struct tail_walk *w, uint32_t limit, uint32_t *index, uint64_t *value);

#endif
