/*
 * rules.h - rule files and dashboards, looked at without running them.
 *
 *     struct rules_report report = {0};
 *     err = rules_check(engine, text, file_name, &report);    // report.errors lines in report.text
 *     err = expressions_check(engine, text, file_name, &found);
 *     rules_report_deinit(&report);
 *
 * A rule file is held to what Prometheus holds it to: YAML without unknown or repeated fields, every expression
 * parsed, names and durations valid, templates of alerts well formed, no two rules with the same name and labels.
 * Expressions of anything else in YAML or JSON - Grafana dashboards, PrometheusRule manifests - are found by their
 * keys and read with the dashboard's variables filled in.
 *
 * Ownership: the report owns its text.
 * Threads:   any; nothing is shared but the engine.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include "base/buf.h"
#include "promql/promql.h"

enum { RULES_FILE_BYTES_MAX = 32 << 20 };

struct rules_report {
    uint32_t groups, rules;
    uint32_t errors;     /* lines of text that say why the file is refused */
    uint32_t duplicates; /* rules that another one of the file equals in name and labels */
    struct buf text;     /* the errors, then the duplicates; a line each */
};

/* Reads everything there is to say into the report; errors are not failures of the call. */
void rules_check(struct engine *e, struct slice text, const char *name, struct rules_report *report);
void rules_report_deinit(struct rules_report *report);

struct expressions_report {
    uint32_t found, parsed; /* expressions, and those that an engine takes */
    uint32_t unstable;      /* parsed, but what is printed does not parse back to the same tree */
    uint32_t foreign;       /* for other data sources: not looked at */
    struct buf text;        /* one line for each that is not parsed or not stable */
};

void expressions_check(struct engine *e, struct slice text, const char *name, struct expressions_report *report);
void expressions_report_deinit(struct expressions_report *report);

/* Whether a template of an alert parses, as Go's text/template would; `name` is the alert's. */
MUST_CHECK enum err template_check(struct slice text, const char *name, struct errmsg *why);

#endif
