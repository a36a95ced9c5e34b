/* vm_time.c - see vm_time.h. */
#include "api/vm_time.h"

#include <math.h>

#include "numeric/goformat.h"
#include "numeric/goparse.h"
#include "numeric/timetext.h"

#define MS_MAX INT64_C(9223372036854)
enum { TEMPLATE_BYTES = sizeof "0000-01-01T00:00:00Z" - 1, ZONE_BYTES = sizeof "+00:00" - 1 };

static int64_t clamp(double ms)
{
    return ms <= 0 ? 0 : ms >= (double)MS_MAX ? MS_MAX : (int64_t)ms;
}

static bool from_number(struct slice text, int64_t *ms)
{
    double v;
    if (goparse_float(text, &v, NULL) != ERR_OK || isnan(v))
        return false;
    double size = fabs(v);
    if (size <= 9223372036.0)
        v = round(v * 1000);
    else if (size > 9223372036854775.0)
        v /= 1e6;
    else if (size > 9223372036854.0)
        v /= 1e3;
    *ms = clamp(v);
    return true;
}

/* "now", "now-1h", "-1h", "1h": all before now. */
static bool from_relative(struct slice text, int64_t now_ms, int64_t *ms)
{
    static const struct slice now = SLICE_LIT("now");
    int64_t back;
    if (slice_starts_with(text, now)) {
        text = slice_from(text, now.len);
        if (!text.len) {
            *ms = now_ms;
            return true;
        }
        if (text.data[0] != '-' && text.data[0] != '+')
            return false;
    }
    bool later = text.len && text.data[0] == '+';
    if (text.len && (text.data[0] == '-' || later))
        text = slice_from(text, 1);
    if (timetext_duration_parse(text, &back, NULL) != ERR_OK)
        return false;
    *ms = clamp((double)now_ms + (later ? (double)back : -(double)back));
    return true;
}

/* How many bytes at the end are a zone: "Z" or "+01:00" after a time of day. */
static size_t zone_len(struct slice text)
{
    if (text.len && text.data[text.len - 1] == 'Z')
        return 1;
    if (text.len <= sizeof "2006-01-02T" + ZONE_BYTES || text.data[text.len - 3] != ':')
        return 0;
    uint8_t sign = text.data[text.len - ZONE_BYTES];
    return sign == '+' || sign == '-' ? ZONE_BYTES : 0;
}

/* What is missing is taken from the start of the year; then it is RFC 3339. */
static bool from_date(struct slice text, int64_t *ms)
{
    char full[64] = "0000-01-01T00:00:00";
    struct timetext_time t;
    size_t zone = zone_len(text), len = text.len - zone, whole = TEMPLATE_BYTES - 1;
    bool cut = len == 4 || len == 7 || len == 10 || len == 13 || len == 16;
    if (text.len + 1 >= sizeof full || (!cut && len < whole))
        return false;
    memcpy(full, text.data, len);
    whole = cut ? whole : len;
    if (zone)
        memcpy(full + whole, text.data + len, zone);
    else
        memcpy(full + whole, "Z", 1);
    if (timetext_rfc3339_parse(slice_of(full, whole + (zone ? zone : 1)), &t, NULL) != ERR_OK)
        return false;
    *ms = clamp((double)t.seconds * 1000 + t.ns / 1000000);
    return true;
}

enum err vm_time_parse(struct slice text, int64_t now_ms, int64_t *ms, struct errmsg *why)
{
    if (from_number(text, ms) || from_relative(text, now_ms, ms) || from_date(text, ms))
        return ERR_OK;
    if (slice_eq_str(text, "-292273086-05-16T16:47:06Z")) {
        *ms = 0;
        return ERR_OK;
    }
    if (slice_eq_str(text, "292277025-08-18T07:12:54.999999999Z")) {
        *ms = MS_MAX;
        return ERR_OK;
    }
    struct buf quoted = {0};
    goformat_quote(&quoted, text);
    err_set(why, ERR_INVALID, "cannot parse %s as time", buf_cstr(&quoted));
    buf_deinit(&quoted);
    return ERR_INVALID;
}
