/*
 * fuzz_rules.c - any bytes as a rule file, a dashboard and a template: a report, no crash, bounded work.
 *
 * Input: the text.
 */
#include <stdint.h>

#include "base/assert.h"
#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine *parser(void)
{
    static struct engine *e;
    if (!e) {
        struct engine_options o;
        engine_options_default(&o);
        o.features = PROMQL_ALL_FEATURES;
        e = engine_new(&o);
    }
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rules_report rules;
    struct expressions_report found;
    struct errmsg why = {""};
    if (size > 1 << 16)
        return 0;
    rules_check(parser(), slice_of(data, size), "f", &rules);
    assert((rules.errors > 0 || rules.duplicates > 0) == (rules.text.len > 0));
    rules_report_deinit(&rules);
    expressions_check(parser(), slice_of(data, size), "f", &found);
    assert(found.parsed <= found.found && found.unstable <= found.parsed);
    expressions_report_deinit(&found);
    if (template_check(slice_of(data, size), "A", &why) != ERR_OK)
        assert(why.text[0] != 0);
    return 0;
}
