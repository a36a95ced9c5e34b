/*
 * script_run.h - runs a script against the engine, in process, on an in-memory storage.
 *
 * Each instant query is run as written, then with @ <its time> on every selector at five other times,
 * and each of these once more as the middle step of a range query, as the reference does it.
 *
 * Ownership: a report owns its texts; script_report_deinit frees them.
 * Threads:   one at a time.
 */
#ifndef COMPAT_SCRIPT_RUN_H
#define COMPAT_SCRIPT_RUN_H

#include "base/arena.h"
#include "compat/script.h"
#include "promql/promql.h"

struct script_failure {
    uint32_t line; /* of the eval or load */
    struct slice expr;
    const char *text; /* what was wanted and what came */
};

struct script_report {
    struct arena arena;
    uint32_t passed, failed; /* evals */
    struct script_failure *failures;
    size_t capacity;
};

void script_run(const struct script *s, struct script_report *out);
void script_report_deinit(struct script_report *r);

/* ERR_INVALID says what differs.  script_check.c */
MUST_CHECK enum err script_check_result(const struct script_eval *e, const struct result *result, struct errmsg *why);
MUST_CHECK enum err script_check_notes(const struct script_eval *e, const struct result *result, struct errmsg *why);
MUST_CHECK enum err script_check_error(const struct script_eval *e, const char *error, struct errmsg *why);
/* Series in label order, none twice. */
MUST_CHECK enum err script_check_order(const struct result *result, struct errmsg *why);

/* Native histograms with custom buckets from the classic ones of a load.  script_nhcb.c */
struct memory_storage;
MUST_CHECK enum err script_load_nhcb(const struct script_load *load, struct memory_storage *m, struct errmsg *why);

#endif
