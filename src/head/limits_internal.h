/* limits_internal.h - bounds on how many series there are; head->create is held. */
#ifndef HEAD_LIMITS_INTERNAL_H
#define HEAD_LIMITS_INTERNAL_H

#include "head/head_internal.h"

/* Whether one more series with these labels may be made; false: a->refusal says why not. */
bool series_allowed(struct head_appender *a, struct slice canonical) REQUIRES(a->head->create);

#endif
