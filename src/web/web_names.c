/*
 * web_names.c - what Go calls ciphers, curves, versions and policies, and how it writes durations; the
 * configuration file speaks of them in these words.
 */
#include "web/web_internal.h"

struct name_pair {
    const char *go, *openssl;
};

static const char *find(const struct name_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].go, name))
            return pairs[i].openssl;
    return NULL;
}

const char *web_cipher(const char *name)
{
    static const struct name_pair ciphers[] = {
        {"TLS_AES_128_GCM_SHA256", ""},
        {"TLS_AES_256_GCM_SHA384", ""},
        {"TLS_CHACHA20_POLY1305_SHA256", ""},
        {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
        {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
        {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
        {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
        {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
        {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
        {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
        {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    };
    return find(ciphers, sizeof ciphers / sizeof *ciphers, name);
}

const char *web_curve(const char *name)
{
    static const struct name_pair curves[] = {
        {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};
    return find(curves, sizeof curves / sizeof *curves, name);
}

enum err web_client_auth(const char *name, enum tls_client_auth *out)
{
    static const struct {
        const char *name;
        enum tls_client_auth auth;
    } known[] = {
        {"", TLS_CLIENT_NONE},
        {"NoClientCert", TLS_CLIENT_NONE},
        {"RequestClientCert", TLS_CLIENT_REQUEST},
        {"RequireAnyClientCert", TLS_CLIENT_ANY},
        {"RequireClientCert", TLS_CLIENT_ANY}, /* its name of old */
        {"VerifyClientCertIfGiven", TLS_CLIENT_VERIFY_IF_GIVEN},
        {"RequireAndVerifyClientCert", TLS_CLIENT_VERIFY},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) {
            *out = known[i].auth;
            return ERR_OK;
        }
    return ERR_INVALID;
}

enum err web_version(const char *name, enum tls_version *out, bool *raised)
{
    *raised = !strcmp(name, "TLS10") || !strcmp(name, "TLS11");
    *out = !strcmp(name, "TLS13") ? TLS_VERSION_13 : TLS_VERSION_12;
    return *raised || !strcmp(name, "TLS12") || !strcmp(name, "TLS13") ? ERR_OK : ERR_INVALID;
}

void web_list_append(struct buf *list, const char *name)
{
    buf_printf(list, "%s%s", list->len ? ":" : "", name);
}

/* ---- durations ---- */

/* Takes digits with at most one point off the front; *points tells whether there was one. */
static bool take_number(struct slice *s, double *out, bool *point)
{
    double value = 0, unit = 1;
    size_t digits = 0, n = 0;
    *point = false;
    for (; n < s->len; n++) {
        uint8_t c = s->data[n];
        if (c == '.' && !*point) {
            *point = true;
        } else if (c >= '0' && c <= '9') {
            digits++;
            value = value * 10 + (c - '0');
            unit *= *point ? 10 : 1;
        } else {
            break;
        }
    }
    *out = value / unit;
    *s = slice_from(*s, n);
    return digits > 0 && digits < 30;
}

static double take_unit(struct slice *s)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                 {"ms", 1e6}, {"s", 1e9},  {"m", 6e10},        {"h", 3.6e12}};
    size_t n = 0;
    while (n < s->len && s->data[n] != '.' && (s->data[n] < '0' || s->data[n] > '9'))
        n++;
    struct slice name = slice_of(s->data, n);
    *s = slice_from(*s, n);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_eq_str(name, units[i].name))
            return units[i].ns;
    return 0;
}

bool web_duration_ns(struct slice text, int64_t *ns)
{
    static const double most = 9e18;
    double total = 0;
    bool whole_number = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        whole_number = whole_number && text.data[i] >= '0' && text.data[i] <= '9';
    do {
        double number, unit = 1;
        bool point;
        if (!take_number(&text, &number, &point))
            return false;
        if (!whole_number && (unit = take_unit(&text)) == 0)
            return false;
        total += number * unit;
    } while (text.len);
    if (total > most)
        return false;
    *ns = (int64_t)total;
    return true;
}
