/* script_files.c - see script_files.h. */
#include "compat/script_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "compat/script.h"

#define KNOWN_PATH "tests/compat/known.txt"

static bool is_folder(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A worktree has its .git in the main checkout; the scripts lie beside that. */
static char *beside_main_checkout(void)
{
    char line[4096] = "";
    FILE *git = popen("git rev-parse --path-format=absolute --git-common-dir 2>/dev/null", "r");
    if (!git)
        return NULL;
    bool read = fgets(line, sizeof line, git) != NULL;
    pclose(git);
    char *end = read ? strrchr(line, '/') : NULL;
    if (!end)
        return NULL;
    struct buf b = {0};
    buf_printf(&b, "%.*s/../shared/promql", (int)(end - line), line);
    char *path = mem_strdup(buf_cstr(&b));
    buf_deinit(&b);
    return path;
}

char *script_folder(void)
{
    const char *from_env = getenv("GNOMON_PROMQL_TESTS");
    if (from_env)
        return is_folder(from_env) ? mem_strdup(from_env) : NULL;
    if (is_folder("tests/compat/promql"))
        return mem_strdup("tests/compat/promql");
    char *path = beside_main_checkout();
    if (is_folder(path))
        return path;
    mem_free(path);
    return NULL;
}

enum err script_read(const char *path, struct buf *out, struct errmsg *why)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(why, ERR_NOT_FOUND, "%s cannot be opened", path);
    size_t n;
    uint8_t block[16384];
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_append(out, block, n);
    bool failed = ferror(f);
    fclose(f);
    return failed ? err_set(why, ERR_IO, "%s cannot be read", path) : ERR_OK;
}

enum err known_read(struct known *k, struct errmsg *why)
{
    *k = (struct known){0};
    return script_read(KNOWN_PATH, &k->text, why);
}

void known_deinit(struct known *k)
{
    buf_deinit(&k->text);
}

void known_each(const struct known *k, const char *file, void (*visit)(void *ctx, uint32_t line), void *ctx)
{
    struct slice rest = buf_view(&k->text);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.data) : rest.len;
        struct slice line = script_trim(slice_of(rest.data, len));
        rest = slice_from(rest, end ? len + 1 : len);
        uint64_t number;
        if (script_skip(&line, file) && script_skip(&line, ":") && script_count(&line, &number))
            visit(ctx, (uint32_t)number);
    }
}

struct known_search {
    uint32_t line;
    bool found;
};

static void note_line(void *ctx, uint32_t line)
{
    struct known_search *s = ctx;
    s->found = s->found || s->line == line;
}

bool known_has(const struct known *k, const char *file, uint32_t line)
{
    struct known_search s = {.line = line};
    known_each(k, file, note_line, &s);
    return s.found;
}
