/*
 * admin.c - the gate before calls that change data: off unless web.enable-admin-api, with Prometheus' text.
 */
#include "api/api_internal.h"

bool admin_allowed(struct http_request *r, const struct api *api)
{
    if (config_bool(api->o.config, OPT_WEB_ENABLE_ADMIN_API))
        return true;
    api_error(r, API_UNAVAILABLE, "admin APIs disabled");
    return false;
}
