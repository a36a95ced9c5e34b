/*
 * promql_text.h - may an expression be expected to survive being printed and parsed again?
 *
 * Durations print in whole milliseconds and times of @ as doubles with three decimals, as the
 * reference has it; what is finer or too large does not come back.  Nor do the {} of info(), which
 * prints as nothing, and U+FFFD.
 */
#ifndef LIB_PROMQL_TEXT_H
#define LIB_PROMQL_TEXT_H

#include "promql/query_internal.h"

bool promql_text_is_exact(const struct query *q);

#endif
