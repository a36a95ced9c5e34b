/*
 * options.c - the option table made from config/options.h, and finding a name in it.
 *
 * A wrong name is answered with the nearest right one: edit distance (insert, delete, change, swap of
 * neighbours), at most a third of the name, so that nonsense is not answered with nonsense.
 */
#include <ctype.h>

#include "config/config_internal.h"

#define OPTION_(id, group, name, type, def, allowed, help) {name, GROUP_##group, TYPE_##type, def, allowed, help},
const struct option config_options[OPT_COUNT] = {CONFIG_OPTIONS(OPTION_)};
#undef OPTION_

const char *const config_group_names[GROUP_COUNT] = {"General", "Network", "Storage", "Ingestion", "Queries"};

enum { NAME_BYTES_MAX = 64 }; /* longer words are compared by their first bytes */

const char *option_type_word(enum option_type type)
{
    static const char *const words[] = {
        [TYPE_STRING] = "text",   [TYPE_BOOL] = "bool",     [TYPE_DURATION] = "duration", [TYPE_BYTES] = "size",
        [TYPE_MEMORY] = "memory", [TYPE_COUNT] = "number",  [TYPE_ENUM] = "choice",       [TYPE_LIST] = "list",
        [TYPE_SYNC] = "sync",     [TYPE_SECRET] = "secret", [TYPE_RULES] = "rules",
    };
    return words[type];
}

enum config_option option_by_name(struct slice name)
{
    for (int i = 0; i < OPT_COUNT; i++)
        if (slice_eq_str(name, config_options[i].name))
            return (enum config_option)i;
    return OPT_COUNT;
}

char *option_env_name(enum config_option option, struct arena *arena)
{
    char *name = arena_printf(arena, "GNOMON_%s", config_options[option].name);
    for (char *p = name; *p; p++)
        *p = *p == '.' || *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    return name;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance with swaps, without case; row by row. */
static unsigned distance(struct slice a, struct slice b)
{
    unsigned rows[3][NAME_BYTES_MAX + 1];
    size_t n = a.len < NAME_BYTES_MAX ? a.len : NAME_BYTES_MAX;
    size_t m = b.len < NAME_BYTES_MAX ? b.len : NAME_BYTES_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            int x = tolower(a.data[i - 1]), y = tolower(b.data[j - 1]);
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
            bool swapped = i > 1 && j > 1 && x == tolower(b.data[j - 2]) && y == tolower(a.data[i - 2]);
            if (swapped && above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

struct best {
    const char *name;
    unsigned distance;
};

static bool better(struct best *best, struct slice wanted, const char *candidate)
{
    size_t n = strlen(candidate), apart = n > wanted.len ? n - wanted.len : wanted.len - n;
    unsigned d = apart < best->distance ? distance(wanted, slice_str(candidate)) : best->distance;
    if (d >= best->distance)
        return false;
    *best = (struct best){candidate, d};
    return true;
}

static struct best best_start(struct slice name)
{
    unsigned reach = (unsigned)(name.len < NAME_BYTES_MAX ? name.len : NAME_BYTES_MAX) / 3;
    return (struct best){NULL, (reach < 2 ? 2 : reach) + 1};
}

const char *nearest_option(struct slice name)
{
    struct best best = best_start(name);
    for (int i = 0; i < OPT_COUNT; i++)
        better(&best, name, config_options[i].name);
    return best.name;
}

const char *nearest_name(struct slice name, struct arena *arena)
{
    struct best best = best_start(name);
    const char *dashes = "--";
    for (int i = 0; i < OPT_COUNT; i++)
        better(&best, name, config_options[i].name);
    for (uint32_t i = 0; i < config_alias_count; i++)
        if (!strchr(config_aliases[i].name, '*') && better(&best, name, config_aliases[i].name))
            dashes = config_aliases[i].family == FAMILY_VICTORIAMETRICS ? "-" : "--";
    return best.name ? arena_printf(arena, "%s%s", dashes, best.name) : NULL;
}
