/* Rule files: what Prometheus accepts is accepted, what it refuses is refused in its words. */
#include <criterion/criterion.h>

#include "rules/rules.h"

static struct engine *parser(void)
{
    struct engine_options o;
    engine_options_default(&o);
    o.features = PROMQL_DURATION_EXPR;
    return engine_new(&o);
}

static void expect_report(const char *text, const char *want, uint32_t rules)
{
    struct engine *e = parser();
    struct rules_report r;
    rules_check(e, slice_str(text), "f.yml", &r);
    cr_expect_str_eq(buf_cstr(&r.text), want, "%s\n want %s\n got  %s", text, want, buf_cstr(&r.text));
    cr_expect_eq(r.rules, rules, "%s has %u rules", text, r.rules);
    rules_report_deinit(&r);
    engine_free(e);
}

#define GROUP "groups:\n- name: a\n  rules:\n"

Test(rules, good_files_have_nothing_said_about_them)
{
    expect_report("", "", 0);
    expect_report("groups:\n", "", 0);
    expect_report(GROUP "  - record: x:y\n    expr: sum(foo)\n  - alert: B\n    expr: up == 0\n    for: 1h30m\n"
                        "    keep_firing_for: 5m\n    labels: {severity: page}\n"
                        "    annotations: {s: '{{ $labels.job }} has {{ $value | humanize }}'}\n",
                  "", 2);
    expect_report("{\"groups\":[{\"name\":\"a\",\t\"rules\":[{\"record\":\"x\",\"expr\":\"a\\/b\"}]}]}", "", 1);
}

Test(rules, expressions_are_told_with_their_place_and_the_parsers_text)
{
    expect_report(GROUP "  - record: x:y\n    expr: sum(foo\n",
                  "f.yml: 5:11: group \"a\", rule 1, \"x:y\": could not parse expression: 1:8: parse error: "
                  "unclosed left parenthesis\n",
                  1);
    expect_report(GROUP "  - record: x\n    expr: ''\n",
                  "f.yml: 5:11: group \"a\", rule 1, \"x\": field 'expr' must be set in rule\n", 1);
}

Test(rules, fields_that_no_rule_has_are_refused_by_line)
{
    expect_report(GROUP "  - record: x\n    expr: a\n    foo: 1\n    expr: b\n",
                  "f.yml: yaml: unmarshal errors:\n  line 7: mapping key \"expr\" already defined at line 5\n"
                  "  line 6: field foo not found in type rulefmt.Rule\n",
                  0);
    expect_report(GROUP "  - alert: x\n    expr: a\n    for: 5x\n    labels: [1]\n",
                  "f.yml: yaml: unmarshal errors:\n  line 6: unknown unit \"x\" in duration \"5x\"\n"
                  "  line 7: cannot unmarshal !!seq into map[string]string\n",
                  0);
}

Test(rules, what_a_recording_rule_cannot_have_is_refused)
{
    expect_report(GROUP "  - record: x{a}\n    expr: a\n    for: 1m\n    annotations: {a: b}\n",
                  "f.yml: 4:13: group \"a\", rule 1, \"x{a}\": invalid field 'annotations' in recording rule\n"
                  "f.yml: 4:13: group \"a\", rule 1, \"x{a}\": invalid field 'for' in recording rule\n"
                  "f.yml: 4:13: group \"a\", rule 1, \"x{a}\": braces present in the recording rule name; should it be in "
                  "expr?: x{a}\n",
                  1);
}

Test(rules, rules_with_the_same_name_and_labels_are_found)
{
    struct engine *e = parser();
    struct rules_report r;
    rules_check(e, slice_str(GROUP "  - record: x\n    expr: a\n  - record: x\n    expr: b\n  - record: x\n    expr: c\n"
                                   "    labels: {l: m}\n"),
                "f.yml", &r);
    cr_expect_eq(r.errors, 0);
    cr_expect_eq(r.duplicates, 1);
    cr_expect_str_eq(buf_cstr(&r.text), "Metric: x\nLabel(s):\n");
    rules_report_deinit(&r);
    engine_free(e);
}

Test(rules, templates_are_parsed_as_go_does)
{
    static const struct {
        const char *text, *want;
    } t[] = {
        {"plain", ""},
        {"{{ $labels.job }}{{ $value | humanizePercentage }}", ""},
        {"{{- range query \"up\" -}}{{ .Labels.x }}{{ else }}none{{ end }}", ""},
        {"{{ with $x := 5 }}{{ $x }}{{ end }}", ""},
        {"{{ if eq .Value 1.0 }}a{{ else if gt .Value 2.0 }}b{{ end }}", ""},
        {"{{/* a comment }} */}}x", ""},
        {"{{ printf `%s` (index $labels \"a\") }}", ""},
        {"{{ define \"t\" }}x{{ end }}{{ template \"t\" . }}", ""},
        {"{{ $labels.foo }", "template: __alert_A:1: unexpected \"}\" in operand"},
        {"{{ foo }}", "template: __alert_A:1: function \"foo\" not defined"},
        {"{{ $x }}", "template: __alert_A:1: undefined variable \"$x\""},
        {"{{ if }}", "template: __alert_A:1: missing value for if"},
        {"\n{{ end }}", "template: __alert_A:2: unexpected {{end}}"},
        {"{{ range query `up` }}", "template: __alert_A:1: unexpected EOF"},
        {"{{ \"x }}", "template: __alert_A:1: unterminated quoted string"},
        {"{{ (1 }}", "template: __alert_A:1: unclosed left paren"},
        {"{{ 1", "template: __alert_A:1: unclosed action"},
        {"{{}}", "template: __alert_A:1: missing value for command"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct errmsg why = {""};
        enum err err = template_check(slice_str(t[i].text), "A", &why);
        cr_expect_str_eq(why.text, t[i].want, "%s\n want %s\n got  %s", t[i].text, t[i].want, why.text);
        cr_expect_eq(err == ERR_OK, t[i].want[0] == 0);
    }
}

static void expect_found(const char *text, uint32_t found, uint32_t parsed, uint32_t foreign)
{
    struct engine *e = parser();
    struct expressions_report r;
    expressions_check(e, slice_str(text), "f", &r);
    cr_expect(r.found == found && r.parsed == parsed && r.unstable == 0 && r.foreign == foreign,
              "%s: %u found, %u parsed, %u unstable, %u foreign\n%s", text, r.found, r.parsed, r.unstable, r.foreign,
              buf_cstr(&r.text));
    expressions_report_deinit(&r);
    engine_free(e);
}

Test(rules, expressions_of_dashboards_are_found_and_filled_in)
{
    expect_found("[{\"expr\":\"sum(rate(x{a=~\\\"$a\\\"}[$__rate_interval])) by ($by)\"}]", 1, 1, 0);
    expect_found("[{\"expr\":\"topk($k, x_$y_total offset ${shift})\"}]", 1, 1, 0);
    expect_found("[{\"expr\":\"x{$filter, b=\\\"c\\\"}[[[range]]]\"},{\"expr\":\"x{$label=~\\\"b\\\"} * $__range_s\"}]", 2, 2, 0);
    expect_found("[{\"expr\":\"x # don't\\n + $b\"}]", 1, 1, 0);
    expect_found("{type: query, query: 'label_values(up{a=\"b\"}, job)'}", 1, 1, 0);
    expect_found("{datasource: {type: loki}, targets: [{expr: '{a=\"b\"} |= \"x\"'}]}", 0, 0, 1);
    expect_found("{expr: 'sum(', other: {expr: ' '}}", 1, 0, 0);
    expect_found("\"\\ud83d\\ude00\"", 0, 0, 0);
}
