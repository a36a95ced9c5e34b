/*
 * exposition.h - series as lines of the Prometheus text format, and what to do with names that are no
 * plain words in it.
 */
#ifndef API_EXPOSITION_H
#define API_EXPOSITION_H

#include "api/api_internal.h"

enum name_escape {
    ESCAPE_NOT,         /* quoted: {"http.status","a.b"="x"} */
    ESCAPE_UNDERSCORES, /* http_status */
    ESCAPE_DOTS,        /* http_dot_status */
    ESCAPE_VALUES,      /* U__http_2e_status */
};
const char *name_escape_text(enum name_escape escape); /* as in Accept: "allow-utf-8" */
bool name_escape_parse(struct slice text, enum name_escape *out);
/* A metric or label name that is no plain word, escaped; a plain word as it is. */
void exposition_name(struct buf *out, struct slice name, enum name_escape escape);
/* The metric's name as it stands after # TYPE. */
void exposition_type_name(struct buf *out, struct slice metric, enum name_escape escape);
/* One part of a histogram: what follows the name, and the bound of a bucket; zeroed for other series. */
struct exposition_part {
    const char *suffix;
    const double *le;
};
/* name{a="b",...}; `instance` puts an empty one where there is none. */
void exposition_series(struct buf *out, const struct labels *l, enum name_escape escape, bool instance,
                       struct exposition_part part);
void exposition_value(struct buf *out, double v); /* as Go prints a float: 1e+21, +Inf */

#endif
