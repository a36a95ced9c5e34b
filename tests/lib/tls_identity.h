/*
 * tls_identity.h - certificates made on the spot, for tests: an authority and what it signs.
 *
 *     struct tls_identity ca, server;
 *     tls_identity_make(&ca, "Test CA", NULL, NULL, 3600);
 *     tls_identity_make(&server, "localhost", "DNS:localhost,IP:127.0.0.1", &ca, 3600);
 *
 * ECDSA on P-256: made in a fraction of a millisecond.
 */
#ifndef LIB_TLS_IDENTITY_H
#define LIB_TLS_IDENTITY_H

#include <openssl/ssl.h>

#include "base/buf.h"

struct tls_identity {
    X509 *certificate;
    EVP_PKEY *key;
    struct buf certificate_pem, key_pem;
};

/* `names` as openssl.cnf writes subjectAltName, or NULL; signed by itself when `by` is NULL. */
void tls_identity_make(struct tls_identity *id, const char *common_name, const char *names,
                       const struct tls_identity *by, long valid_s);
void tls_identity_deinit(struct tls_identity *id);

/* A blocking client on a connected socket; `own` may be NULL.  The handshake is left to the caller. */
struct tls_client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};
bool tls_client_open(struct tls_client *c, unsigned port, const struct tls_identity *trusted,
                     const struct tls_identity *own); /* true: connected and shaken hands */
void tls_client_close(struct tls_client *c);
/* Sends a text, reads until the answer has `bytes` bytes or the server closes; returns how many came. */
size_t tls_client_ask(struct tls_client *c, const char *text, char *out, size_t bytes);

#endif
