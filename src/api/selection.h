/*
 * selection.h - the series of several selectors, each once, ordered by metric name and labels.
 *
 * For answers that send samples as they lie: /federate, /api/v1/export.
 */
#ifndef API_SELECTION_H
#define API_SELECTION_H

#include "api/api_internal.h"
#include "api/counts.h"

struct selected {
    const struct labels *labels;
    struct series_reader *reader;
    uint32_t index; /* in the reader's set */
};

struct selection {
    struct querier *querier;
    struct selected *list;
    size_t count, capacity;
    struct series_reader **readers;
    uint32_t reader_count;
    struct counts seen; /* series that are in the list already */
    struct warnings *warnings;
};

/* Selectors without matchers select nothing.  Close it also after an error; a zeroed one is closed. */
MUST_CHECK enum err selection_open(struct selection *s, struct api *api, struct http_request *r,
                                   const struct match_list *match, int64_t mint_ms, int64_t maxt_ms,
                                   struct errmsg *why);
void selection_close(struct selection *s);

#endif
