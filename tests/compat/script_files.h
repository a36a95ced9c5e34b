/*
 * script_files.h - where the scripts are, and which of their evals are known to fail.
 *
 * Folder, first that exists: $GNOMON_PROMQL_TESTS, tests/compat/promql, shared/promql beside the main
 * checkout of this repository.
 *
 * Ownership: paths and texts belong to the caller (mem_free, buf_deinit).
 */
#ifndef COMPAT_SCRIPT_FILES_H
#define COMPAT_SCRIPT_FILES_H

#include "base/buf.h"
#include "base/err.h"

char *script_folder(void); /* NULL: none of them exists */
MUST_CHECK enum err script_read(const char *path, struct buf *out, struct errmsg *why);

/* Lines of known.txt, "file.test:12" each; # starts a comment. */
struct known {
    struct buf text;
};
MUST_CHECK enum err known_read(struct known *k, struct errmsg *why);
void known_deinit(struct known *k);
bool known_has(const struct known *k, const char *file, uint32_t line);
/* Calls visit for each line noted for the file. */
void known_each(const struct known *k, const char *file, void (*visit)(void *ctx, uint32_t line), void *ctx);

#endif
