/*
 * import_line.h - a line of VictoriaMetrics' JSON export, read without copies of its arrays:
 *
 *     {"metric":{"__name__":"up","job":"x"},"values":[1,null,"Infinity"],"timestamps":[1700000000000,...]}
 *
 *     TRY(import_line_parse(&line, text, &arena, why));          // form, labels, equal lengths
 *     while ((err = import_line_next(&line, &t_ms, &value, why)) == ERR_OK && line.taken ...
 *
 * Keys in any order, others are passed over.  null is a stale marker: VictoriaMetrics keeps no other NaN.  Its old
 * versions write NaN, +Inf and -Inf without quotes; that is taken too, though no JSON.
 * Or of the text exposition formats (import_text.c), one sample a line.
 * Memory: labels that hold escapes go to the arena; everything else is a view of the text.
 */
#ifndef API_IMPORT_LINE_H
#define API_IMPORT_LINE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "ingest/ingest.h"

enum { IMPORT_LABELS_MAX = 255, IMPORT_DEPTH_MAX = 16 };

struct import_line {
    struct slice text;
    struct ingest_label labels[IMPORT_LABELS_MAX];
    uint32_t label_count;
    uint64_t samples, taken;
    const uint8_t *value, *time; /* the next elements */
    bool single;                 /* one sample, read already: */
    int64_t single_ms;
    double single_value;
};

/* ERR_INVALID, with the byte of the line and the reason. */
MUST_CHECK enum err import_line_parse(struct import_line *line, struct slice text, struct arena *arena,
                                      struct errmsg *why);
/* A line of text: one sample, at now_ms when it names no time; none when it is a comment or blank. */
MUST_CHECK enum err import_text_parse(struct import_line *line, struct slice text, int64_t now_ms, struct arena *arena,
                                      struct errmsg *why);
/* The next of line->samples; only while taken < samples. */
MUST_CHECK enum err import_line_next(struct import_line *line, int64_t *t_ms, double *value, struct errmsg *why);

#endif
