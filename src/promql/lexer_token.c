/* lexer_token.c - the table of keywords, and how errors name tokens. */
#include "numeric/goformat.h"
#include "promql/lexer_internal.h"

struct keyword {
    const char *word;
    enum token_kind kind;
};

static const struct keyword keywords[] = {
    {"and", TOKEN_AND},
    {"or", TOKEN_OR},
    {"unless", TOKEN_UNLESS},
    {"atan2", TOKEN_ATAN2},
    {"sum", TOKEN_SUM},
    {"avg", TOKEN_AVG},
    {"count", TOKEN_COUNT},
    {"min", TOKEN_MIN},
    {"max", TOKEN_MAX},
    {"group", TOKEN_GROUP},
    {"stddev", TOKEN_STDDEV},
    {"stdvar", TOKEN_STDVAR},
    {"topk", TOKEN_TOPK},
    {"bottomk", TOKEN_BOTTOMK},
    {"count_values", TOKEN_COUNT_VALUES},
    {"quantile", TOKEN_QUANTILE},
    {"limitk", TOKEN_LIMITK},
    {"limit_ratio", TOKEN_LIMIT_RATIO},
    {"offset", TOKEN_OFFSET},
    {"smoothed", TOKEN_SMOOTHED},
    {"anchored", TOKEN_ANCHORED},
    {"by", TOKEN_BY},
    {"without", TOKEN_WITHOUT},
    {"on", TOKEN_ON},
    {"ignoring", TOKEN_IGNORING},
    {"group_left", TOKEN_GROUP_LEFT},
    {"group_right", TOKEN_GROUP_RIGHT},
    {"fill", TOKEN_FILL},
    {"fill_left", TOKEN_FILL_LEFT},
    {"fill_right", TOKEN_FILL_RIGHT},
    {"bool", TOKEN_BOOL},
    {"start", TOKEN_START},
    {"end", TOKEN_END},
    {"inf", TOKEN_NUMBER},
    {"nan", TOKEN_NUMBER},
    {"step", TOKEN_STEP}, /* from here on: also inside [ ] */
    {"range", TOKEN_RANGE},
    {"max_of", TOKEN_MAX_OF},
    {"min_of", TOKEN_MIN_OF},
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof keywords[0], DURATION_KEYWORD_FIRST = KEYWORD_COUNT - 4 };

enum token_kind lexer_keyword(struct slice word, bool in_brackets)
{
    char lower[16];
    if (word.len >= sizeof lower)
        return TOKEN_EOF;
    for (size_t i = 0; i < word.len; i++) {
        char c = (char)word.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    for (size_t i = in_brackets ? DURATION_KEYWORD_FIRST : 0; i < KEYWORD_COUNT; i++)
        if (slice_eq_str(slice_of(lower, word.len), keywords[i].word))
            return keywords[i].kind;
    return TOKEN_EOF;
}

static void describe_quoted(struct slice text, struct buf *out)
{
    enum { SHOWN_RUNES = 10 };
    if (text.len <= SHOWN_RUNES)
        return goformat_quote(out, text);
    uint32_t bytes = 0, width;
    for (unsigned i = 0; i < SHOWN_RUNES && bytes < text.len; i++, bytes += width)
        lexer_rune(slice_from(text, bytes), &width);
    goformat_quote(out, slice_of(text.data, bytes));
    buf_str(out, "...");
}

void token_describe(const struct token *t, struct buf *out)
{
    static const char *const kinds[] = {
        [TOKEN_IDENTIFIER] = "identifier ", [TOKEN_METRIC_IDENTIFIER] = "metric identifier ",
        [TOKEN_STRING] = "string ",         [TOKEN_NUMBER] = "number ",
        [TOKEN_DURATION] = "duration ",
    };
    const char *wrap = NULL;
    if (t->kind > TOKEN_KEYWORDS_START && t->kind < TOKEN_KEYWORDS_END)
        wrap = "<";
    else if (t->kind > TOKEN_OPERATORS_START && t->kind < TOKEN_OPERATORS_END)
        wrap = "<op:";
    else if (t->kind > TOKEN_AGGREGATORS_START && t->kind < TOKEN_AGGREGATORS_END)
        wrap = "<aggr:";
    if (t->kind == TOKEN_EOF) {
        buf_str(out, "end of input");
    } else if (wrap) {
        buf_printf(out, "%s%.*s>", wrap, SLICE_ARG(t->text));
    } else {
        bool identifier = t->kind == TOKEN_IDENTIFIER || t->kind == TOKEN_METRIC_IDENTIFIER;
        if (t->kind >= TOKEN_IDENTIFIER && t->kind <= TOKEN_DURATION)
            buf_str(out, kinds[t->kind]);
        if (identifier)
            goformat_quote(out, t->text);
        else
            describe_quoted(t->text, out);
    }
}
