/*
 * template.c - whether an alert's template parses, as Go's text/template would.
 *
 * Nothing is expanded.  What is checked is what Go checks when it parses: delimiters, strings, parentheses, control
 * structures and their ends, functions that exist, variables that are declared.
 */
#include "base/buf.h"
#include "rules/rules.h"

enum { NESTING_MAX = 200, VARIABLES_MAX = 200 };

enum word_kind { WORD_END, WORD_NAME, WORD_FIELD, WORD_VARIABLE, WORD_TEXT, WORD_NUMBER, WORD_MARK };

struct word {
    enum word_kind kind;
    struct slice text;
};

struct control {
    const char *name;   /* if, range, with, define, block */
    uint32_t variables; /* declared before it */
    bool has_else;
};

struct template
{
    const uint8_t *at, *end; /* of the whole text */
    const char *name;
    uint32_t line;
    struct word word; /* the next one of the action */
    struct control controls[NESTING_MAX];
    uint32_t control_count;
    struct slice variables[VARIABLES_MAX];
    uint32_t variable_count;
    struct errmsg *why;
    bool failed;
};

static void fail(struct template *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fail(struct template *t, const char *fmt, ...)
{
    if (t->failed)
        return;
    struct buf text = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    err_set(t->why, ERR_INVALID, "template: __alert_%s:%u: %s", t->name, t->line, buf_cstr(&text));
    buf_deinit(&text);
    t->failed = true;
}

/* ---- Words of an action ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static const uint8_t *letters_end(const struct template *t, const uint8_t *p)
{
    while (p < t->end && (is_letter(*p) || is_digit(*p)))
        p++;
    return p;
}

/* Whether the action ends at p; the delimiter may have a trimming minus before it. */
static size_t closes(const struct template *t, const uint8_t *p)
{
    if (t->end - p >= 2 && p[0] == '}' && p[1] == '}')
        return 2;
    if (t->end - p >= 3 && p[0] == '-' && p[1] == '}' && p[2] == '}')
        return 3;
    return 0;
}

static void take(struct template *t, enum word_kind kind, const uint8_t *end)
{
    t->word = (struct word){kind, slice_of(t->at, (size_t)(end - t->at))};
    t->at = end;
}

static void quoted_word(struct template *t)
{
    uint8_t quote = *t->at;
    const uint8_t *p = t->at + 1;
    while (p < t->end && *p != quote) {
        if (quote != '`' && *p == '\n')
            break;
        p += quote != '`' && *p == '\\' && p + 1 < t->end ? 2 : 1;
    }
    if (p >= t->end || *p != quote)
        fail(t, quote == '`'   ? "unterminated raw quoted string"
                : quote == '"' ? "unterminated quoted string"
                               : "unterminated character constant");
    else
        take(t, WORD_TEXT, p + 1);
}

static void number_word(struct template *t)
{
    const uint8_t *p = t->at + (*t->at == '+' || *t->at == '-');
    while (p < t->end &&
           (is_letter(*p) || is_digit(*p) || *p == '.' || ((*p == '+' || *p == '-') && (p[-1] | 0x20) == 'e')))
        p++;
    take(t, WORD_NUMBER, p);
}

static void next(struct template *t)
{
    t->word = (struct word){WORD_END, {0}};
    while (t->at < t->end && is_space(*t->at)) {
        t->line += *t->at == '\n';
        t->at++;
    }
    if (t->failed || t->at == t->end) {
        fail(t, "unclosed action");
        return;
    }
    uint8_t c = *t->at, after = t->end - t->at > 1 ? t->at[1] : 0;
    if (closes(t, t->at))
        return;
    if (c == '"' || c == '`' || c == '\'')
        quoted_word(t);
    else if (is_digit(c) || ((c == '+' || c == '-') && is_digit(after)) || (c == '.' && is_digit(after)))
        number_word(t);
    else if (c == '.' && is_letter(after))
        take(t, WORD_FIELD, letters_end(t, t->at + 1));
    else if (c == '$')
        take(t, WORD_VARIABLE, letters_end(t, t->at + 1));
    else if (is_letter(c))
        take(t, WORD_NAME, letters_end(t, t->at));
    else if (c == ':' && after == '=')
        take(t, WORD_MARK, t->at + 2);
    else if (strchr("|(),=.", c) && c)
        take(t, WORD_MARK, t->at + 1);
    else if (c == '}' || c == '{' || c == '%' || c == '!' || c == '-' || c == '+')
        fail(t, "unexpected \"%c\" in operand", c);
    else
        fail(t, c < 0x20 ? "unrecognized character in action: U+%04X" : "unrecognized character in action: U+%04X '%c'",
             c, c);
}

static bool is_mark(const struct template *t, const char *mark)
{
    return t->word.kind == WORD_MARK && slice_eq_str(t->word.text, mark);
}

/* ---- Names ---- */

static bool among(struct slice name, const char *const *names)
{
    for (; *names; names++)
        if (slice_eq_str(name, *names))
            return true;
    return false;
}

static bool is_function(struct slice name)
{
    static const char *const names[] = {"and",
                                        "or",
                                        "not",
                                        "len",
                                        "index",
                                        "slice",
                                        "print",
                                        "printf",
                                        "println",
                                        "html",
                                        "js",
                                        "urlquery",
                                        "call",
                                        "eq",
                                        "ne",
                                        "lt",
                                        "le",
                                        "gt",
                                        "ge",
                                        "query",
                                        "first",
                                        "label",
                                        "value",
                                        "strvalue",
                                        "args",
                                        "reReplaceAll",
                                        "safeHtml",
                                        "match",
                                        "title",
                                        "toUpper",
                                        "toLower",
                                        "graphLink",
                                        "tableLink",
                                        "sortByLabel",
                                        "stripPort",
                                        "stripDomain",
                                        "humanize",
                                        "humanize1024",
                                        "toTime",
                                        "toDuration",
                                        "humanizePercentage",
                                        "humanizeTimestamp",
                                        "now",
                                        "pathPrefix",
                                        "tmpl",
                                        "parseDuration",
                                        "humanizeDuration",
                                        "urlQueryEscape",
                                        "externalURL",
                                        "true",
                                        "false",
                                        "nil",
                                        NULL};
    return among(name, names);
}

static void declare(struct template *t, struct slice variable)
{
    if (t->variable_count == VARIABLES_MAX)
        fail(t, "too many variables");
    else
        t->variables[t->variable_count++] = variable;
}

static void use_variable(struct template *t, struct slice variable)
{
    for (uint32_t i = 0; i < t->variable_count; i++)
        if (slice_eq(t->variables[i], variable))
            return;
    fail(t, "undefined variable \"%.*s\"", SLICE_ARG(variable));
}

/* ---- Pipelines ---- */

static void pipeline(struct template *t, const char *context, uint32_t depth);

/* One operand and the fields behind it; false: none is here. */
static bool operand(struct template *t, uint32_t depth)
{
    switch (t->word.kind) {
    case WORD_NAME:
        if (!is_function(t->word.text))
            fail(t, "function \"%.*s\" not defined", SLICE_ARG(t->word.text));
        break;
    case WORD_VARIABLE:
        use_variable(t, t->word.text);
        break;
    case WORD_MARK:
        if (is_mark(t, "(")) {
            next(t);
            pipeline(t, "parenthesized pipeline", depth + 1);
            if (!is_mark(t, ")"))
                fail(t, "unclosed left paren");
        } else if (!is_mark(t, ".")) {
            return false;
        }
        break;
    case WORD_END:
        return false;
    default:
        break;
    }
    next(t);
    while (!t->failed && t->word.kind == WORD_FIELD && !is_space(t->word.text.data[-1]))
        next(t);
    return true;
}

static void command(struct template *t, const char *context, uint32_t depth)
{
    uint32_t operands = 0;
    while (!t->failed && operand(t, depth))
        operands++;
    if (operands > 0)
        return;
    if (t->word.kind == WORD_END || is_mark(t, "|") || is_mark(t, ")"))
        fail(t, "missing value for %s", context);
    else
        fail(t, "unexpected \"%.*s\" in operand", SLICE_ARG(t->word.text));
}

/* `$x :=`, `$x =` or `$i, $x :=` before a pipeline. */
static void declarations(struct template *t, bool range)
{
    struct template before = *t;
    struct slice variables[2];
    uint32_t n = 0;
    while (t->word.kind == WORD_VARIABLE && n < 2 && !t->failed) {
        variables[n++] = t->word.text;
        next(t);
        if (is_mark(t, ",") && range && n == 1) {
            next(t);
            continue;
        }
        if (is_mark(t, ":=")) {
            for (uint32_t i = 0; i < n; i++)
                declare(t, variables[i]);
            next(t);
            return;
        }
        if (is_mark(t, "=")) {
            for (uint32_t i = 0; i < n; i++)
                use_variable(t, variables[i]);
            next(t);
            return;
        }
        break;
    }
    if (!t->failed)
        *t = before;
}

static void pipeline(struct template *t, const char *context, uint32_t depth)
{
    if (depth > NESTING_MAX) {
        fail(t, "nested too deeply");
        return;
    }
    declarations(t, strcmp(context, "range") == 0);
    command(t, context, depth);
    while (!t->failed && is_mark(t, "|")) {
        next(t);
        command(t, "command", depth);
    }
}

/* ---- Actions ---- */

static void open_control(struct template *t, const char *name)
{
    if (t->control_count == NESTING_MAX)
        fail(t, "nested too deeply");
    else
        t->controls[t->control_count++] = (struct control){name, t->variable_count, false};
}

static void close_control(struct template *t)
{
    if (t->control_count == 0)
        fail(t, "unexpected {{end}}");
    else
        t->variable_count = t->controls[--t->control_count].variables;
}

static void else_control(struct template *t)
{
    struct control *c = t->control_count ? &t->controls[t->control_count - 1] : NULL;
    if (!c || c->has_else || c->name[0] == 'd' || c->name[0] == 'b') {
        fail(t, "unexpected {{else}}");
        return;
    }
    if (t->word.kind == WORD_NAME && slice_eq_str(t->word.text, c->name) && c->name[0] != 'r') {
        next(t);
        pipeline(t, c->name, 0); /* {{else if x}} */
        return;
    }
    c->has_else = true;
}

static void named_control(struct template *t, const char *name)
{
    if (t->word.kind != WORD_TEXT)
        fail(t, "missing value for %s clause", name);
    else
        next(t);
    if (name[0] == 't' || name[0] == 'b') { /* template, block: an argument may follow */
        if (t->word.kind != WORD_END)
            pipeline(t, name, 0);
    }
    if (name[0] != 't')
        open_control(t, name);
}

/* True when the action was one of these. */
static bool control_action(struct template *t)
{
    static const char *const pipes[] = {"if", "range", "with", NULL},
                             *const named[] = {"define", "block", "template", NULL},
                             *const jumps[] = {"break", "continue", NULL};
    struct slice word = t->word.text;
    if (t->word.kind != WORD_NAME)
        return false;
    for (const char *const *name = pipes; *name; name++)
        if (slice_eq_str(word, *name)) {
            next(t);
            open_control(t, *name);
            pipeline(t, *name, 0);
            return true;
        }
    for (const char *const *name = named; *name; name++)
        if (slice_eq_str(word, *name)) {
            next(t);
            named_control(t, *name);
            return true;
        }
    bool end = slice_eq_str(word, "end"), other = slice_eq_str(word, "else");
    if (!end && !other && !among(word, jumps))
        return false;
    next(t);
    if (end)
        close_control(t);
    else if (other)
        else_control(t);
    return true;
}

static void action(struct template *t)
{
    next(t);
    if (!control_action(t))
        pipeline(t, "command", 0);
    if (t->failed)
        return;
    if (t->word.kind != WORD_END) {
        fail(t, "unexpected \"%.*s\" in command", SLICE_ARG(t->word.text));
        return;
    }
    t->at += closes(t, t->at);
}

static void comment(struct template *t)
{
    const uint8_t *close = memmem(t->at, (size_t)(t->end - t->at), "*/", 2);
    if (!close) {
        fail(t, "unclosed comment");
        return;
    }
    for (; t->at < close + 2; t->at++)
        t->line += *t->at == '\n';
    while (t->at < t->end && is_space(*t->at))
        t->at++;
    if (closes(t, t->at))
        t->at += closes(t, t->at);
    else
        fail(t, "comment ends before closing delimiter");
}

enum err template_check(struct slice text, const char *name, struct errmsg *why)
{
    static const char *const given[] = {"$", "$labels", "$externalLabels", "$externalURL", "$value"};
    struct errmsg unread;
    if (text.len == 0) /* and maybe no bytes to point at */
        return ERR_OK;
    struct template t = {
        .at = text.data, .end = text.data + text.len, .name = name, .line = 1, .why = why ? why : &unread};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        declare(&t, slice_str(given[i]));
    while (!t.failed && t.at < t.end) {
        const uint8_t *open = memmem(t.at, (size_t)(t.end - t.at), "{{", 2);
        for (const uint8_t *p = t.at; p < (open ? open : t.end); p++)
            t.line += *p == '\n';
        if (!open)
            break;
        t.at = open + 2;
        if (t.end - t.at >= 2 && t.at[0] == '-' && is_space(t.at[1]))
            t.at++;
        const uint8_t *p = t.at;
        while (p < t.end && is_space(*p))
            p++;
        if (t.end - p >= 2 && p[0] == '/' && p[1] == '*') {
            t.at = p;
            comment(&t);
        } else {
            action(&t);
        }
    }
    if (!t.failed && t.control_count > 0)
        fail(&t, "unexpected EOF");
    return t.failed ? ERR_INVALID : ERR_OK;
}
