/*
 * acknowledge.c - /api/v1/admin/tsdb/acknowledge_losses: what is lost stays listed, and answers warn of it no more.
 *
 * start and end bound what is meant, so that a loss is not acknowledged which came after the operator looked.
 */
#include "api/api_internal.h"
#include "tsdb/tsdb.h"

void on_acknowledge_losses(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct tsdb_acknowledged done;
    struct errmsg why = {0};
    int64_t mint_ms = INT64_MIN, maxt_ms = INT64_MAX;
    if (!admin_allowed(r, api))
        return;
    if (!api->o.tsdb) {
        api_error(r, API_UNAVAILABLE, "there is no store");
        return;
    }
    if (form_parse(r, &why) != ERR_OK || param_time(r, "start", INT64_MIN, &mint_ms, &why) != ERR_OK ||
        param_time(r, "end", INT64_MAX, &maxt_ms, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    enum err err = tsdb_acknowledge(api->o.tsdb, mint_ms, maxt_ms, &done, &why);
    if (err != ERR_OK) {
        api_error(r, api_error_of(err), why.text);
        return;
    }
    struct answer a;
    answer_begin(&a, r);
    buf_printf(&a.out, "{\"acknowledged\":%llu,\"rewrittenBlocks\":%llu,\"damagedBlocksLeft\":%llu}",
               (unsigned long long)done.count, (unsigned long long)done.rewritten, (unsigned long long)done.left);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}
