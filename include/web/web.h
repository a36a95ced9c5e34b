/*
 * web.h - who may come in and how: TLS, passwords, tokens, extra headers, a rate limit.
 *
 * Reads Prometheus' web configuration file (docs/http.md) and the settings that VictoriaMetrics has as
 * flags, watches every file that they name, and guards an HTTP server:
 *
 *     TRY(web_new(&options, &web, why));           // NULL when nothing is guarded
 *     http_options.guard = web_guard(web);
 *     ... http_server_stop; web_free(web);
 *
 * Passwords are kept as bcrypt hashes, which take 50 ms and more to check: a thread does it, one at a
 * time, and remembers the last hundred answers.
 *
 * Ownership: borrows the strings of its options; the guard is the web's and lives as long.
 * Threads:   web_reload from any; the guard is called on the loops.  Lock order: `reading`, then `lock`.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/random.h"
#include "net/http.h"

struct web;

struct web_options {
    const char *config_file; /* Prometheus' file; "" for none, and so for the other texts */

    bool tls; /* the same from flags; not together with a file that has tls_server_config */
    const char *cert_file, *key_file;
    const char *version_min; /* TLS12 or TLS13 */
    const char *const *ciphers;
    uint32_t cipher_count;
    bool mtls; /* clients must show a certificate that client_ca_file (or the system) vouches for */
    const char *client_ca_file;

    const char *username, *password; /* the password may be file:///path */
    const char *bearer_token;
    const char *bearer_token_file; /* one token a line */

    const char *const *open_paths; /* that need no login; NULL at the end; may be NULL */
    struct fs *fs;
    struct clock *clock;
    struct random *random;
};

struct web_stats {
    _Atomic uint64_t logins_refused, passwords_checked, requests_limited;
    _Atomic uint64_t reloads, reloads_failed;
    _Atomic int reload_ok;         /* of the last reading */
    _Atomic int64_t reloaded_ms;   /* Unix time of the last good one */
    _Atomic int64_t cert_expiry_s; /* Unix time; 0 without TLS */
};

/* *out is NULL when the options ask for nothing.  Starts its thread. */
MUST_CHECK enum err web_new(const struct web_options *o, struct web **out, struct errmsg *why);
void web_free(struct web *web); /* after the server has stopped; accepts NULL */
const struct http_guard *web_guard(const struct web *web);
const struct web_stats *web_stats(const struct web *web);
/* Reads all files again, now.  When that fails everything stays as it was. */
MUST_CHECK enum err web_reload(struct web *web, struct errmsg *why);
/* Whether it speaks TLS: decided at the start. */
bool web_has_tls(const struct web *web);
/* Reads and checks a web configuration file and what it names. */
MUST_CHECK enum err web_check(struct fs *fs, const char *config_file, struct errmsg *why);

#endif
