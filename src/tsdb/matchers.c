/* matchers.c - the contract is in matchers.h. */
#include "tsdb/matchers.h"

#include "regex/regex.h"

enum err matcher_copy(const struct matcher *m, struct arena *arena, struct matcher *out, struct errmsg *why)
{
    *out = (struct matcher){.op = m->op, .name = arena_copy(arena, m->name), .value = arena_copy(arena, m->value)};
    if (m->op == MATCH_REGEX || m->op == MATCH_NOT_REGEX)
        return regex_compile(out->value, arena, 0, &out->regex, why);
    return ERR_OK;
}

enum err matchers_copy(const struct matcher *list, uint32_t count, struct arena *arena, struct matcher **out,
                       struct errmsg *why)
{
    *out = ARENA_ARRAY(arena, struct matcher, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++)
        TRY(matcher_copy(&list[i], arena, &(*out)[i], why));
    return ERR_OK;
}

static void quote(struct slice text, struct buf *out)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_str(out, "\\n");
        else if (c < ' ' || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_u8(out, c);
    }
    buf_u8(out, '"');
}

static bool is_plain_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

void matchers_print(const struct matcher *list, uint32_t count, struct buf *out)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    buf_u8(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_u8(out, ',');
        if (is_plain_name(list[i].name))
            buf_slice(out, list[i].name);
        else
            quote(list[i].name, out);
        buf_str(out, ops[list[i].op]);
        quote(list[i].value, out);
    }
    buf_u8(out, '}');
}
