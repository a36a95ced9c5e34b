/* expand.c - group references in replacement texts, as Go's Regexp.Expand reads them. */
#include <string.h>

#include "base/utf8.h"
#include "regex/regex_internal.h"

static struct slice take_name(struct slice *rest)
{
    size_t at = 0, len;
    while (at < rest->len) {
        int32_t rune = utf8_decode(rest->data + at, rest->data + rest->len, &len);
        if (!rune_is_letter_or_digit(rune) && rune != '_')
            break;
        at += len;
    }
    struct slice name = slice_of(rest->data, at);
    *rest = slice_from(*rest, at);
    return name;
}

/* After a '$': name or {name}, as long as possible; false when it is no reference. */
static bool take_reference(struct slice *rest, struct slice *name)
{
    struct slice t = *rest;
    bool brace = t.len > 0 && t.data[0] == '{';
    if (brace)
        t = slice_from(t, 1);
    *name = take_name(&t);
    if (name->len == 0)
        return false;
    if (brace) {
        if (t.len == 0 || t.data[0] != '}')
            return false;
        t = slice_from(t, 1);
    }
    *rest = t;
    return true;
}

/* The number that a name is; -1 when it is a word ("1x", "01" too). */
static int64_t number_of(struct slice name)
{
    int64_t number = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < '0' || name.data[i] > '9' || number >= 100000000)
            return -1;
        number = number * 10 + (name.data[i] - '0');
    }
    return name.len > 1 && name.data[0] == '0' ? -1 : number;
}

/* The group's text; a NULL slice when it does not exist or took no part. */
static struct slice find_group(const struct regex *re, const struct regex_groups *groups, struct slice name)
{
    int64_t number = number_of(name);
    if (number >= 0)
        return number < groups->count ? groups->group[number] : slice_of(NULL, 0);
    for (uint32_t i = 0; i < groups->count; i++)
        if (slice_eq(re->syntax.group_names[i], name) && groups->group[i].data)
            return groups->group[i];
    return slice_of(NULL, 0);
}

void regex_expand(const struct regex *re, struct slice template, const struct regex_groups *groups, struct buf *out)
{
    while (template.len > 0) {
        const uint8_t *dollar = memchr(template.data, '$', template.len);
        if (!dollar)
            break;
        size_t before = (size_t)(dollar - template.data);
        buf_append(out, template.data, before);
        template = slice_from(template, before + 1);
        struct slice name;
        if (template.len > 0 && template.data[0] == '$') {
            buf_u8(out, '$');
            template = slice_from(template, 1);
        } else if (take_reference(&template, &name)) {
            buf_slice(out, find_group(re, groups, name));
        } else {
            buf_u8(out, '$');
        }
    }
    buf_slice(out, template);
}

bool regex_has_group(const struct regex *re, struct slice name)
{
    for (uint32_t i = 1; i <= re->syntax.group_count; i++)
        if (slice_eq(re->syntax.group_names[i], name))
            return true;
    return false;
}
