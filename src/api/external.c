/* external.c - external labels: reading, adding, asking; the contract is in external.h. */
#include "api/external.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"

static int by_name(const void *a, const void *b)
{
    const struct label *const *x = a, *const *y = b;
    return slice_cmp((*x)->name, (*y)->name);
}

static enum err check_name(struct slice name, const char *item, struct errmsg *why)
{
    if (!name.len || !utf8_valid(name) || slice_eq_str(name, METRIC_NAME))
        return err_set(why, ERR_INVALID, "storage.external-labels: \"%s\" does not name a label", item);
    return ERR_OK;
}

static bool has_instance(const struct external_labels *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (slice_eq_str(e->list[i]->name, "instance"))
            return true;
    return false;
}

enum err external_parse(const char *const *items, uint32_t count, struct arena *arena, struct external_labels *out,
                        struct errmsg *why)
{
    *out = (struct external_labels){0};
    out->list = ARENA_ARRAY(arena, const struct label *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct slice text = slice_str(items[i]);
        const uint8_t *equals = text.len ? memchr(text.data, '=', text.len) : NULL;
        if (!equals)
            return err_set(why, ERR_INVALID, "storage.external-labels: \"%s\" is not name=value", items[i]);
        struct slice name = slice_of(text.data, (size_t)(equals - text.data));
        struct slice value = slice_from(text, name.len + 1);
        TRY(check_name(name, items[i], why));
        if (!utf8_valid(value))
            return err_set(why, ERR_INVALID, "storage.external-labels: the value of %.*s is not UTF-8",
                           SLICE_ARG(name));
        if (value.len) /* an empty value is none, as in Prometheus */
            out->list[out->count++] = label_new(arena, name, value);
    }
    qsort(out->list, out->count, sizeof(*out->list), by_name);
    for (uint32_t i = 1; i < out->count; i++)
        if (slice_eq(out->list[i - 1]->name, out->list[i]->name))
            return err_set(why, ERR_INVALID, "storage.external-labels: %.*s is set twice",
                           SLICE_ARG(out->list[i]->name));
    out->federated = ARENA_ARRAY(arena, const struct label *, out->count + 1);
    memcpy(out->federated, out->list, out->count * sizeof(*out->list));
    out->federated_count = out->count;
    if (!has_instance(out))
        out->federated[out->federated_count++] = label_new(arena, SLICE_LIT("instance"), (struct slice){0});
    qsort(out->federated, out->federated_count, sizeof(*out->federated), by_name);
    return ERR_OK;
}

void external_room_deinit(struct external_room *room)
{
    mem_free(room->list);
    *room = (struct external_room){0};
}

static void reserve(struct external_room *room, size_t count)
{
    room->list = mem_grow(room->list, &room->capacity, count, sizeof(*room->list));
    room->labels = (struct labels){.list = room->list};
}

const struct labels *external_merge(const struct external_labels *e, const struct labels *l, struct external_room *room)
{
    uint32_t i = 0, k = 0, n = 0;
    if (!e->count)
        return l;
    reserve(room, (size_t)l->count + e->count);
    while (i < l->count || k < e->count) {
        int order = i == l->count ? 1 : k == e->count ? -1 : slice_cmp(l->list[i]->name, e->list[k]->name);
        room->list[n++] = order <= 0 ? l->list[i] : e->list[k];
        i += order <= 0;
        k += order >= 0; /* the series' own value wins */
    }
    room->labels.count = n;
    return &room->labels;
}

const struct labels *external_append(const struct external_labels *e, const struct labels *l,
                                     struct external_room *room)
{
    if (!e->count)
        return l;
    reserve(room, (size_t)l->count + e->federated_count);
    memcpy(room->list, l->list, l->count * sizeof(*room->list));
    uint32_t n = l->count;
    for (uint32_t k = 0; k < e->federated_count; k++)
        if (!labels_find(l, e->federated[k]->name))
            room->list[n++] = e->federated[k];
    room->labels.count = n;
    return &room->labels;
}

void external_filter(const struct external_labels *e, struct matcher *matchers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < e->count; k++)
            if (matchers[i].op == MATCH_EQUAL && slice_eq(matchers[i].name, e->list[k]->name) &&
                slice_eq(matchers[i].value, e->list[k]->value))
                matchers[i].value = (struct slice){0};
}

void external_print_yaml(const struct external_labels *e, struct buf *out)
{
    if (!e->count)
        return;
    buf_str(out, "global:\n  external_labels:\n");
    for (uint32_t i = 0; i < e->count; i++) {
        buf_str(out, "    ");
        json_string(out, e->list[i]->name); /* JSON's strings are YAML's */
        buf_str(out, ": ");
        json_string(out, e->list[i]->value);
        buf_u8(out, '\n');
    }
}
