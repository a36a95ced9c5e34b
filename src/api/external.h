/*
 * external.h - labels that tell this server's series from those of others, for who reads several.
 *
 * As Prometheus' global.external_labels: stored series do not have them; remote read and federation add
 * them, and what a reader asks of them is undone before the storage is asked.
 */
#ifndef API_EXTERNAL_H
#define API_EXTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/label.h"
#include "model/matcher.h"

struct external_labels {
    const struct label **list; /* sorted by name */
    uint32_t count;
    const struct label **federated; /* the same, with an empty instance when there is none */
    uint32_t federated_count;
};

/* "name=value" items; ERR_INVALID: no '=', a name twice, empty, not UTF-8 or __name__. */
MUST_CHECK enum err external_parse(const char *const *items, uint32_t count, struct arena *arena,
                                   struct external_labels *out, struct errmsg *why);

/* Room for one label set with what is added; reused from series to series. */
struct external_room {
    const struct label **list;
    size_t capacity;
    struct labels labels;
};
void external_room_deinit(struct external_room *room);
/* The series' labels and, where it has none of that name, the external ones: sorted.  Borrows from both and the room.
 */
const struct labels *external_merge(const struct external_labels *e, const struct labels *l,
                                    struct external_room *room);
/* The same for an exposition: what is added stands at the end, as in Prometheus. */
const struct labels *external_append(const struct external_labels *e, const struct labels *l,
                                     struct external_room *room);
/* An equality with an external label's value asks for series without that label. */
void external_filter(const struct external_labels *e, struct matcher *matchers, uint32_t count);
/* "global:" with "external_labels:", as readers of /api/v1/status/config look for; nothing when there are none. */
void external_print_yaml(const struct external_labels *e, struct buf *out);

#endif
