/*
 * tls.h - what a TLS server is made of: a certificate, versions and ciphers, and which clients it lets in.
 *
 *     TRY(tls_server_new(&options, &tls, why));    // checks that the key fits the certificate, and more
 *     http_options.tls = give_tls;                 // called for every connection; returns a reference
 *
 * A struct tls_server does not change: who has a new certificate makes a new one and gives that to the
 * connections that come from then on.  Those that are open keep what they began with.
 *
 * Ownership: counted; tls_server_new returns the first reference.  Options are only borrowed for the call.
 * Threads:   any.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"
#include "base/slice.h"

struct tls_server;

enum tls_client_auth {
    TLS_CLIENT_NONE,            /* no certificate is asked for */
    TLS_CLIENT_REQUEST,         /* asked for; whatever comes is taken */
    TLS_CLIENT_ANY,             /* there must be one, whoever signed it */
    TLS_CLIENT_VERIFY_IF_GIVEN, /* when there is one it must be good */
    TLS_CLIENT_VERIFY,          /* there must be a good one */
};

enum tls_version { TLS_VERSION_12, TLS_VERSION_13 };

struct tls_options {
    struct slice certificate_pem; /* own one first, then those between it and the root */
    struct slice key_pem;         /* without a passphrase */
    enum tls_client_auth client_auth;
    struct slice client_ca_pem;      /* whom to believe about clients; empty: whom the system believes */
    const char *const *client_names; /* one of these must be a subject alternative name of the client's */
    size_t client_name_count;        /* 0: any */
    enum tls_version version_min, version_max;
    const char *ciphers; /* of TLS 1.2, OpenSSL's names with colons; NULL: AEAD with forward secrecy */
    const char *groups;  /* OpenSSL's names with colons; NULL: its own choice */
    bool client_chooses; /* the client's order of ciphers counts */
};

/* ERR_INVALID: a certificate, key or list that cannot be used. */
MUST_CHECK enum err tls_server_new(const struct tls_options *o, struct tls_server **out, struct errmsg *why);
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server *s); /* accepts NULL */
/* Unix seconds after which clients will refuse the certificate. */
int64_t tls_server_expires(const struct tls_server *s);

#endif
