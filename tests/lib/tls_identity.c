/* tls_identity.c - see tls_identity.h. */
#include "lib/tls_identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "base/assert.h"
#include "lib/http_client.h"

static void pem_take(BIO *bio, struct buf *out)
{
    char *text;
    long n = BIO_get_mem_data(bio, &text);
    buf_append(out, text, (size_t)n);
    BIO_free(bio);
}

static void extension_add(X509 *x, const X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    assert(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

void tls_identity_make(struct tls_identity *id, const char *common_name, const char *names,
                       const struct tls_identity *by, long valid_s)
{
    static _Atomic long serial = 1;
    *id = (struct tls_identity){.certificate = X509_new(), .key = EVP_EC_gen("P-256")};
    X509 *x = id->certificate;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), valid_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1,
                               0);
    X509_set_issuer_name(x, X509_get_subject_name(by ? by->certificate : x));
    X509_set_pubkey(x, id->key);
    extension_add(x, by ? by->certificate : x, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
    if (names)
        extension_add(x, by ? by->certificate : x, NID_subject_alt_name, names);
    int ok = X509_sign(x, by ? by->key : id->key, EVP_sha256());
    assert(ok);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    pem_take(bio, &id->certificate_pem);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, id->key, NULL, NULL, 0, NULL, NULL);
    pem_take(bio, &id->key_pem);
}

void tls_identity_deinit(struct tls_identity *id)
{
    X509_free(id->certificate);
    EVP_PKEY_free(id->key);
    buf_deinit(&id->certificate_pem);
    buf_deinit(&id->key_pem);
}

bool tls_client_open(struct tls_client *c, unsigned port, const struct tls_identity *trusted,
                     const struct tls_identity *own)
{
    struct http_client plain;
    if (!http_client_open(&plain, port))
        return false;
    *c = (struct tls_client){.fd = plain.fd, .ctx = SSL_CTX_new(TLS_client_method())};
    buf_deinit(&plain.in);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), trusted->certificate);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    if (own) {
        SSL_CTX_use_certificate(c->ctx, own->certificate);
        SSL_CTX_use_PrivateKey(c->ctx, own->key);
    }
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    ERR_clear_error();
    return SSL_connect(c->ssl) == 1;
}

void tls_client_close(struct tls_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    *c = (struct tls_client){.fd = -1};
    ERR_clear_error();
}

size_t tls_client_ask(struct tls_client *c, const char *text, char *out, size_t bytes)
{
    size_t got = 0;
    if (SSL_write(c->ssl, text, (int)strlen(text)) <= 0)
        return 0;
    while (got < bytes) {
        int n = SSL_read(c->ssl, out + got, (int)(bytes - got));
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}
