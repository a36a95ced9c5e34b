/* tree.c - documents through libyaml; the contract is in tree.h. */
#include "rules/tree.h"

#include "base/mem.h"

/* ---- JSON that YAML would not take ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of \uXXXX at p, -1 when there is none. */
static int32_t escaped_unit(const uint8_t *p, const uint8_t *end)
{
    int32_t unit = 0;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* An escape inside a string; returns the bytes of input taken. */
static size_t put_escape(struct buf *out, const uint8_t *p, const uint8_t *end)
{
    int32_t high = escaped_unit(p, end), low;
    if (high >= 0xD800 && high < 0xDC00 && (low = escaped_unit(p + 6, end)) >= 0xDC00 && low < 0xE000) {
        buf_printf(out, "\\U%08X", 0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
        return 12;
    }
    if (high >= 0xD800 && high < 0xE000) {
        buf_str(out, "\\uFFFD");
        return 6;
    }
    if (end - p >= 2 && p[1] == '/') {
        buf_u8(out, '/');
        return 2;
    }
    buf_append(out, p, end - p >= 2 ? 2 : 1);
    return end - p >= 2 ? 2 : 1;
}

static bool looks_like_json(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!memchr(" \t\r\n", text.data[i], 4))
            return text.data[i] == '{' || text.data[i] == '[';
    return false;
}

static void rewrite_json(struct slice text, struct buf *out)
{
    const uint8_t *p = text.data, *end = p + text.len;
    bool inside = false;
    while (p < end) {
        if (inside && *p == '\\') {
            p += put_escape(out, p, end);
            continue;
        }
        if (*p == '"')
            inside = !inside;
        buf_u8(out, !inside && *p == '\t' ? ' ' : *p);
        p++;
    }
}

/* ---- Documents ---- */

static enum err parser_error(const yaml_parser_t *p, struct errmsg *why)
{
    const char *problem = p->problem ? p->problem : "not readable";
    if (p->error == YAML_READER_ERROR)
        return err_set(why, ERR_INVALID, "yaml: %s at byte %zu", problem, p->problem_offset);
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(why, ERR_NO_MEMORY, "yaml: out of memory");
    return err_set(why, ERR_INVALID, "yaml: line %zu: %s", p->problem_mark.line + 1, problem);
}

enum err tree_read(struct tree *t, struct slice text, struct errmsg *why)
{
    yaml_parser_t parser;
    *t = (struct tree){0};
    if (looks_like_json(text)) {
        rewrite_json(text, &t->text);
        text = buf_view(&t->text);
    }
    if (!yaml_parser_initialize(&parser))
        return err_set(why, ERR_NO_MEMORY, "yaml: out of memory");
    yaml_parser_set_input_string(&parser, text.data, text.len);
    enum err err = ERR_OK;
    if (yaml_parser_load(&parser, &t->document)) {
        yaml_document_t second;
        t->loaded = true;
        if (yaml_parser_load(&parser, &second)) {
            t->more = yaml_document_get_root_node(&second) != NULL;
            yaml_document_delete(&second);
        }
    } else {
        err = parser_error(&parser, why);
    }
    yaml_parser_delete(&parser);
    return err;
}

void tree_deinit(struct tree *t)
{
    if (t->loaded)
        yaml_document_delete(&t->document);
    buf_deinit(&t->text);
}

yaml_node_t *tree_get(struct tree *t, const yaml_node_t *mapping, const char *key)
{
    if (!mapping || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++)
        if (slice_eq_str(tree_text(yaml_document_get_node(&t->document, p->key)), key))
            return yaml_document_get_node(&t->document, p->value);
    return NULL;
}

bool tree_is_null(const yaml_node_t *n)
{
    if (!n)
        return true;
    if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct slice text = slice_of(n->data.scalar.value, n->data.scalar.length);
    return text.len == 0 || slice_eq_str(text, "~") || slice_eq_str(text, "null") || slice_eq_str(text, "Null") ||
           slice_eq_str(text, "NULL");
}

struct slice tree_text(const yaml_node_t *scalar)
{
    if (!scalar || scalar->type != YAML_SCALAR_NODE || tree_is_null(scalar))
        return (struct slice){0};
    return slice_of(scalar->data.scalar.value, scalar->data.scalar.length);
}

const char *tree_tag(const yaml_node_t *n)
{
    return n->type == YAML_MAPPING_NODE ? "!!map" : n->type == YAML_SEQUENCE_NODE ? "!!seq" : "!!str";
}
