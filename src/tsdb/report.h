/*
 * report.h - findings as rows of sections, printed as text or as JSON.
 *
 *     text:  blocks: id=01H... level=0 samples=480
 *     json:  {"blocks":[{"id":"01H...","level":0,"samples":480}],...}
 *
 * Threads: one.
 */
#ifndef TSDB_REPORT_H
#define TSDB_REPORT_H

#include "base/buf.h"

struct report {
    struct buf *out; /* borrowed */
    bool json;
    bool in_section, row_open, first_row, first_field;
    const char *section;
};

void report_begin(struct report *r, struct buf *out, bool json);
void report_end(struct report *r);
void report_section(struct report *r, const char *name); /* ends the one before */
void report_row(struct report *r);                       /* ends the one before */
void report_text(struct report *r, const char *key, struct slice value);
void report_str(struct report *r, const char *key, const char *value);
void report_i64(struct report *r, const char *key, int64_t value);
void report_u64(struct report *r, const char *key, uint64_t value);

#endif
