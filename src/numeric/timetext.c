/* timetext.c - durations and times as text, in the ways of Prometheus' model package and Go's time package. */
#include "numeric/timetext.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"

enum { MS_S = 1000, MS_M = 60 * MS_S, MS_H = 60 * MS_M, MS_D = 24 * MS_H };
#define MS_W (7 * (int64_t)MS_D)
#define MS_Y (365 * (int64_t)MS_D)

struct unit {
    const char *name;
    int64_t ms;
    bool exact; /* printed only when nothing smaller is left */
};
static const struct unit units[] = {{"y", MS_Y, true},  {"w", MS_W, true},  {"d", MS_D, false}, {"h", MS_H, false},
                                    {"m", MS_M, false}, {"s", MS_S, false}, {"ms", 1, false}};
enum { UNITS = sizeof units / sizeof units[0] };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static enum err duration_invalid(struct slice text, struct errmsg *why)
{
    if (!why)
        return ERR_INVALID;
    struct buf quoted = {.limit = sizeof why->text};
    goformat_quote(&quoted, text);
    err_set(why, ERR_INVALID, "not a valid duration string: %s", buf_cstr(&quoted));
    buf_deinit(&quoted);
    return ERR_INVALID;
}

static enum err unit_unknown(struct slice unit, struct slice text, struct errmsg *why)
{
    if (!why)
        return ERR_INVALID;
    struct buf quoted = {.limit = sizeof why->text};
    buf_str(&quoted, "unknown unit ");
    goformat_quote(&quoted, unit);
    buf_str(&quoted, " in duration ");
    goformat_quote(&quoted, text);
    err_set(why, ERR_INVALID, "%s", buf_cstr(&quoted));
    buf_deinit(&quoted);
    return ERR_INVALID;
}

static struct slice take(struct slice *rest, bool digits)
{
    size_t len = 0;
    while (len < rest->len && is_digit(rest->data[len]) == digits)
        len++;
    struct slice taken = slice_of(rest->data, len);
    *rest = slice_from(*rest, len);
    return taken;
}

static int unit_find(struct slice name)
{
    int i = 0;
    while (i < UNITS && !slice_eq_str(name, units[i].name))
        i++;
    return i;
}

enum err timetext_duration_parse(struct slice text, int64_t *ms, struct errmsg *why)
{
    static const uint64_t ns_max = INT64_MAX; /* Prometheus counts nanoseconds */
    if (text.len == 0)
        return err_set(why, ERR_INVALID, "empty duration string");
    uint64_t total_ns = 0;
    int last = -1;
    struct slice rest = slice_eq_str(text, "0") ? slice_of(text.data, 0) : text;
    while (rest.len > 0) {
        uint64_t v;
        if (!is_digit(rest.data[0]) || goparse_uint(take(&rest, true), 10, &v, NULL) != ERR_OK)
            return duration_invalid(text, why);
        struct slice name = take(&rest, false);
        if (name.len == 0)
            return duration_invalid(text, why);
        int unit = unit_find(name);
        if (unit == UNITS)
            return unit_unknown(name, text, why);
        if (unit <= last)
            return duration_invalid(text, why);
        last = unit;
        uint64_t unit_ns = (uint64_t)units[unit].ms * 1000000;
        if (v > (ns_max + 1) / unit_ns || (total_ns += v * unit_ns) > ns_max)
            return err_set(why, ERR_INVALID, "duration out of range");
    }
    *ms = (int64_t)(total_ns / 1000000);
    return ERR_OK;
}

size_t timetext_duration_print(char *out, int64_t ms)
{
    char *p = out;
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        *p++ = '-';
    for (int i = 0; i < UNITS; i++) {
        uint64_t unit = (uint64_t)units[i].ms, v = left / unit;
        if (v == 0 || (units[i].exact && left % unit != 0))
            continue;
        left -= v * unit;
        p += goformat_uint(p, v);
        for (const char *name = units[i].name; *name; name++)
            *p++ = *name;
    }
    if (ms == 0) {
        *p++ = '0';
        *p++ = 's';
    }
    return (size_t)(p - out);
}

/* v / 10^decimals without zeros at the end; decimals <= 9. */
static char *print_fraction(char *p, uint64_t v, int decimals)
{
    char digits[9] = {0};
    int count = 0; /* up to the last that is not 0 */
    for (int i = decimals - 1; i >= 0; i--, v /= 10) {
        digits[i] = (char)('0' + v % 10);
        if (count == 0 && digits[i] != '0')
            count = i + 1;
    }
    p += goformat_uint(p, v);
    if (count > 0)
        *p++ = '.';
    memcpy(p, digits, (size_t)count);
    return p + count;
}

size_t timetext_go_duration_print(char *out, int64_t ns)
{
    char *p = out;
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        *p++ = '-';
    if (v == 0) {
        *p++ = '0';
    } else if (v < 1000) {
        p += goformat_uint(p, v);
        *p++ = 'n';
    } else if (v < 1000000) {
        p = print_fraction(p, v, 3);
        *p++ = '\xc2'; /* micro sign */
        *p++ = '\xb5';
    } else if (v < 1000000000) {
        p = print_fraction(p, v, 6);
        *p++ = 'm';
    } else {
        uint64_t minutes = v / UINT64_C(60000000000);
        if (minutes >= 60) {
            p += goformat_uint(p, minutes / 60);
            *p++ = 'h';
        }
        if (minutes > 0) {
            p += goformat_uint(p, minutes % 60);
            *p++ = 'm';
        }
        p = print_fraction(p, v % UINT64_C(60000000000), 9);
    }
    *p++ = 's';
    return (size_t)(p - out);
}

/* ---- Calendar ---- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int64_t year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the given date; years 0 to 9999. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year + 400) / 400 - 1, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/*
 * Go counts from 1 March of the year -292277022400, a multiple of 400, in 64 unsigned bits; times before
 * that wrap to the far future, and so do ours.
 */
void timetext_date(int64_t unix_seconds, struct timetext_date *out)
{
    static const int64_t first_year = -INT64_C(292277022400);
    uint64_t unix_day = (uint64_t)(INT64_C(292277022400) / 400 * 146097) + 719468; /* of 1970-01-01 */
    uint64_t seconds = (uint64_t)unix_seconds + unix_day * 86400;
    uint64_t day = seconds / 86400, second = seconds % 86400;
    uint64_t era = day / 146097, of_era = day % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100); /* from 1 March */
    int month_from_march = (int)((5 * of_year + 2) / 153);
    out->day = (int)(of_year - (153 * (uint64_t)month_from_march + 2) / 5) + 1;
    out->month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    out->year = first_year + (int64_t)(era * 400 + year_of_era) + (out->month <= 2);
    out->hour = (int)(second / 3600);
    out->minute = (int)(second / 60 % 60);
    out->second = (int)(second % 60);
    out->weekday = (int)((day + 3) % 7); /* the first of March of such a year is a Wednesday */
    out->yearday = out->month > 2 ? (int)of_year + 60 + is_leap(out->year) : (int)of_year - 305;
    out->days_in_month = days_in(out->year, out->month);
}

/* ---- RFC 3339 ---- */

/* Takes min to max digits as a number in low..high; false otherwise. */
static bool take_number(struct slice *rest, size_t min, size_t max, int low, int high, int *out)
{
    size_t len = 0;
    int v = 0;
    for (; len < max && len < rest->len && is_digit(rest->data[len]); len++)
        v = v * 10 + (rest->data[len] - '0');
    *rest = slice_from(*rest, len);
    *out = v;
    return len >= min && v >= low && v <= high;
}

static bool take_char(struct slice *rest, char c)
{
    if (rest->len == 0 || rest->data[0] != (uint8_t)c)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* An optional fraction of a second, after '.' or ','; digits past the ninth are dropped. */
static int32_t take_fraction(struct slice *rest)
{
    if (rest->len < 2 || (rest->data[0] != '.' && rest->data[0] != ',') || !is_digit(rest->data[1]))
        return 0;
    int32_t ns = 0, unit = 100000000;
    size_t i = 1;
    for (; i < rest->len && is_digit(rest->data[i]); i++, unit /= 10)
        ns += (rest->data[i] - '0') * unit;
    *rest = slice_from(*rest, i);
    return ns;
}

/* "Z" or "+hh:mm"; 24:60 is still an offset to Go. */
static bool take_zone(struct slice *rest, int *offset_seconds)
{
    *offset_seconds = 0;
    if (take_char(rest, 'Z'))
        return true;
    bool west = rest->len > 0 && rest->data[0] == '-';
    int hour, minute;
    if (!take_char(rest, '-') && !take_char(rest, '+'))
        return false;
    if (!take_number(rest, 2, 2, 0, 24, &hour) || !take_char(rest, ':') || !take_number(rest, 2, 2, 0, 60, &minute))
        return false;
    *offset_seconds = (hour * 60 + minute) * (west ? -60 : 60);
    return true;
}

enum err timetext_rfc3339_parse(struct slice text, struct timetext_time *out, struct errmsg *why)
{
    struct slice rest = text;
    int year, month, day, hour, minute, second, zone;
    bool ok =
        take_number(&rest, 4, 4, 0, 9999, &year) && take_char(&rest, '-') && take_number(&rest, 2, 2, 1, 12, &month) &&
        take_char(&rest, '-') && take_number(&rest, 2, 2, 1, days_in(year, month), &day) && take_char(&rest, 'T') &&
        take_number(&rest, 1, 2, 0, 23, &hour) && take_char(&rest, ':') && take_number(&rest, 2, 2, 0, 59, &minute) &&
        take_char(&rest, ':') && take_number(&rest, 2, 2, 0, 59, &second);
    int32_t ns = ok ? take_fraction(&rest) : 0;
    if (!ok || !take_zone(&rest, &zone) || rest.len > 0)
        return err_set(why, ERR_INVALID, "cannot parse \"%.*s\" as an RFC 3339 time",
                       (int)(text.len < 80 ? text.len : 80), (const char *)text.data);
    out->seconds = days_from_date(year, month, day) * 86400 + (hour * 60 + minute) * 60 + second - zone;
    out->ns = ns;
    return ERR_OK;
}

size_t timetext_rfc3339_print(char *out, int64_t ms)
{
    struct timetext_date date;
    int64_t seconds = ms / 1000, rest = ms % 1000;
    if (rest < 0) {
        seconds--;
        rest += 1000;
    }
    timetext_date(seconds, &date);
    char text[TIMETEXT_BYTES_MAX];
    int len = snprintf(text, sizeof text, "%s%04lld-%02d-%02dT%02d:%02d:%02d", date.year < 0 ? "-" : "",
                       (long long)(date.year < 0 ? -date.year : date.year), date.month, date.day, date.hour,
                       date.minute, date.second);
    char *p = out + len;
    memcpy(out, text, (size_t)len);
    if (rest) {
        *p++ = '.';
        for (int64_t unit = 100; rest > 0; rest %= unit, unit /= 10)
            *p++ = (char)('0' + rest / unit);
    }
    *p++ = 'Z';
    return (size_t)(p - out);
}
