/*
 * tls_server.c - certificate, key and rules as OpenSSL wants them; the contract is in net/tls.h.
 *
 * Nothing older than TLS 1.2, no renegotiation, no compression.  Tickets for resumption are encrypted
 * with keys that are made for each struct tls_server and so end with it; where clients prove who they
 * are there are none, so that each connection proves it anew.
 */
#include "net/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/assert.h"
#include "net/http_tls_internal.h"

struct tls_server {
    _Atomic unsigned references;
    SSL_CTX *ctx;
    struct arena arena; /* names */
    enum tls_client_auth client_auth;
    const char **client_names;
    size_t client_name_count;
    int64_t expires_s;
};

/* What OpenSSL said, without its codes. */
static enum err complain(struct errmsg *why, const char *what)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    enum err err = err_set(why, ERR_INVALID, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return err;
}

/* ---- certificates ---- */

static BIO *bio_of(struct slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, pem.len > INT_MAX ? INT_MAX : (int)pem.len);
    assert(bio || pem.len == 0);
    return bio;
}

/* A key that asks for a passphrase is refused: nobody is there to type it. */
static int no_passphrase(char *out, int room, int writing, void *ctx)
{
    (void)out;
    (void)room;
    (void)writing;
    (void)ctx;
    return -1;
}

static int64_t expiry_of(const X509 *x)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm))
        return 0;
    return (int64_t)timegm(&tm);
}

static enum err use_chain(struct tls_server *s, BIO *bio, struct errmsg *why)
{
    X509 *own = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    if (!own)
        return complain(why, "no certificate in PEM form");
    s->expires_s = expiry_of(own);
    int used = SSL_CTX_use_certificate(s->ctx, own);
    X509_free(own);
    if (!used)
        return complain(why, "the certificate cannot be used");
    X509 *next;
    while ((next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)))
        if (!SSL_CTX_add0_chain_cert(s->ctx, next)) {
            X509_free(next);
            return complain(why, "a certificate of the chain cannot be used");
        }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!at_end)
        return complain(why, "a certificate of the chain is broken");
    ERR_clear_error();
    return ERR_OK;
}

static enum err use_key(struct tls_server *s, BIO *bio, struct errmsg *why)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (!key)
        return complain(why, "no private key in PEM form without a passphrase");
    int used = SSL_CTX_use_PrivateKey(s->ctx, key);
    EVP_PKEY_free(key);
    if (!used || !SSL_CTX_check_private_key(s->ctx))
        return complain(why, "the private key does not fit the certificate");
    return ERR_OK;
}

static enum err use_identity(struct tls_server *s, const struct tls_options *o, struct errmsg *why)
{
    if (!o->certificate_pem.len)
        return err_set(why, ERR_INVALID, "the certificate is empty");
    if (!o->key_pem.len)
        return err_set(why, ERR_INVALID, "the private key is empty");
    BIO *certificate = bio_of(o->certificate_pem), *key = bio_of(o->key_pem);
    enum err err = use_chain(s, certificate, why);
    if (err == ERR_OK)
        err = use_key(s, key, why);
    BIO_free(certificate);
    BIO_free(key);
    return err;
}

/* ---- clients ---- */

static enum err believe(struct tls_server *s, struct slice pem, struct errmsg *why)
{
    if (!pem.len)
        return SSL_CTX_set_default_verify_paths(s->ctx) ? ERR_OK : complain(why, "the system's authorities");
    BIO *bio = bio_of(pem);
    X509_STORE *store = SSL_CTX_get_cert_store(s->ctx);
    unsigned count = 0;
    enum err err = ERR_OK;
    X509 *x;
    while (err == ERR_OK && (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        count++;
        if (!X509_STORE_add_cert(store, x) || !SSL_CTX_add_client_CA(s->ctx, x))
            err = complain(why, "an authority for clients cannot be used");
        X509_free(x);
    }
    ERR_clear_error();
    BIO_free(bio);
    if (err == ERR_OK && !count)
        err = err_set(why, ERR_INVALID, "no authority for clients in PEM form");
    return err;
}

static bool name_listed(const struct tls_server *s, const char *name, size_t bytes)
{
    for (size_t i = 0; i < s->client_name_count; i++)
        if (slice_eq_str(slice_of(name, bytes), s->client_names[i]))
            return true;
    return false;
}

/* An address as Go writes it: 10.0.0.1, 2001:db8::1. */
static bool address_listed(const struct tls_server *s, const ASN1_OCTET_STRING *address)
{
    ASN1_OCTET_STRING *given;
    for (size_t i = 0; i < s->client_name_count; i++) {
        given = a2i_IPADDRESS(s->client_names[i]);
        bool same = given && ASN1_OCTET_STRING_cmp(given, address) == 0;
        ASN1_OCTET_STRING_free(given);
        if (same)
            return true;
    }
    ERR_clear_error();
    return false;
}

static bool general_name_listed(const struct tls_server *s, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    switch (type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
        return name_listed(s, (const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    case GEN_IPADD:
        return address_listed(s, value);
    default:
        return false;
    }
}

static bool certificate_listed(const struct tls_server *s, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool listed = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !listed; i++)
        listed = general_name_listed(s, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return listed;
}

/* The one place that judges a client's certificate: its chain, then its names. */
static int judge_client(X509_STORE_CTX *chain, void *arg)
{
    struct tls_server *s = arg;
    bool verify = s->client_auth == TLS_CLIENT_VERIFY || s->client_auth == TLS_CLIENT_VERIFY_IF_GIVEN;
    if (verify && X509_verify_cert(chain) <= 0)
        return 0;
    if (!s->client_name_count || certificate_listed(s, X509_STORE_CTX_get0_cert(chain)))
        return 1;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static enum err use_client_rules(struct tls_server *s, const struct tls_options *o, struct errmsg *why)
{
    s->client_auth = o->client_auth;
    if (o->client_auth == TLS_CLIENT_NONE) {
        SSL_CTX_set_verify(s->ctx, SSL_VERIFY_NONE, NULL);
        return ERR_OK;
    }
    s->client_names = ARENA_ARRAY(&s->arena, const char *, o->client_name_count + 1);
    for (size_t i = 0; i < o->client_name_count; i++)
        s->client_names[i] = arena_strdup(&s->arena, slice_str(o->client_names[i]));
    s->client_name_count = o->client_name_count;
    bool must = o->client_auth == TLS_CLIENT_ANY || o->client_auth == TLS_CLIENT_VERIFY;
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_CTX_set_cert_verify_callback(s->ctx, judge_client, s);
    SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(s->ctx, 0);
    if (o->client_auth == TLS_CLIENT_REQUEST || o->client_auth == TLS_CLIENT_ANY)
        return ERR_OK;
    return believe(s, o->client_ca_pem, why);
}

/* ---- rules ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_bytes, const unsigned char *in,
                           unsigned in_bytes, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_bytes, ours, sizeof ours - 1, in, in_bytes) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum err use_rules(struct tls_server *s, const struct tls_options *o, struct errmsg *why)
{
    static const char usual[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
    static const int versions[] = {[TLS_VERSION_12] = TLS1_2_VERSION, [TLS_VERSION_13] = TLS1_3_VERSION};
    if (o->version_min > o->version_max)
        return err_set(why, ERR_INVALID, "the lowest version is above the highest");
    SSL_CTX_set_min_proto_version(s->ctx, versions[o->version_min]);
    SSL_CTX_set_max_proto_version(s->ctx, versions[o->version_max]);
    SSL_CTX_set_options(s->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    (o->client_chooses ? 0 : SSL_OP_CIPHER_SERVER_PREFERENCE));
    SSL_CTX_set_mode(s->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(s->ctx, 1);
    SSL_CTX_set_alpn_select_cb(s->ctx, choose_protocol, NULL);
    if (!SSL_CTX_set_cipher_list(s->ctx, o->ciphers ? o->ciphers : usual))
        return complain(why, "none of the cipher suites can be used");
    /* SSL_CTX_set1_groups_list() is a macro that casts const away, which clang refuses. */
    if (o->groups && !SSL_CTX_ctrl(s->ctx, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t)o->groups))
        return complain(why, "the curves cannot be used");
    return ERR_OK;
}

/* ---- life ---- */

enum err tls_server_new(const struct tls_options *o, struct tls_server **out, struct errmsg *why)
{
    struct tls_server *s = MEM_NEW(struct tls_server);
    s->references = 1;
    arena_init(&s->arena, NULL);
    ERR_clear_error();
    s->ctx = SSL_CTX_new(TLS_server_method());
    enum err err = s->ctx ? use_rules(s, o, why) : complain(why, "OpenSSL cannot be set up");
    if (err == ERR_OK)
        err = use_identity(s, o, why);
    if (err == ERR_OK)
        err = use_client_rules(s, o, why);
    if (err != ERR_OK) {
        tls_server_unref(s);
        return err;
    }
    *out = s;
    return ERR_OK;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    atomic_fetch_add(&s->references, 1);
    return s;
}

void tls_server_unref(struct tls_server *s)
{
    if (!s || atomic_fetch_sub(&s->references, 1) != 1)
        return;
    SSL_CTX_free(s->ctx);
    arena_deinit(&s->arena);
    mem_free(s);
}

int64_t tls_server_expires(const struct tls_server *s)
{
    return s->expires_s;
}

struct ssl_st *tls_server_session(struct tls_server *s)
{
    return SSL_new(s->ctx);
}
