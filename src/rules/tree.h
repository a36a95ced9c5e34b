/*
 * tree.h - a YAML or JSON document as a tree of nodes with places.
 *
 * JSON is read as YAML; what only JSON allows (tabs between tokens, escaped slashes, surrogate pairs) is
 * rewritten first.  Aliases are shared nodes: walks are bounded by depth and by the number of steps.
 *
 * Ownership: the tree owns its document; nodes live as long as it.
 */
#ifndef RULES_TREE_H
#define RULES_TREE_H

#include <yaml.h>

#include "base/arena.h"
#include "base/buf.h"

struct tree {
    yaml_document_t document;
    bool loaded, more; /* more: a second document follows */
    struct buf text;   /* JSON rewritten, or empty */
};

/* ERR_INVALID: "yaml: line 3: ..."; an empty text has no root. */
MUST_CHECK enum err tree_read(struct tree *t, struct slice text, struct errmsg *why);
void tree_deinit(struct tree *t);

static inline yaml_node_t *tree_root(struct tree *t)
{
    return yaml_document_get_root_node(&t->document);
}

/* The value of a key of a mapping, NULL when there is none. */
yaml_node_t *tree_get(struct tree *t, const yaml_node_t *mapping, const char *key);
struct slice tree_text(const yaml_node_t *scalar); /* empty for anything but a scalar, and for null */
bool tree_is_null(const yaml_node_t *n);
const char *tree_tag(const yaml_node_t *n); /* "!!map" ..., for messages */

#endif
