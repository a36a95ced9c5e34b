/*
 * http_tls.c - a TLS connection over buffers; the contract is in http_tls_internal.h.
 *
 * OpenSSL reads and writes through a BIO of ours instead of its memory BIO: that one copies everything
 * once more and never gives memory back.
 */
#include "net/http_tls_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/mem.h"

struct http_tls {
    struct tls_server *server;
    SSL *ssl;
    struct slice fed;  /* borrowed from who fed, or from `kept` */
    struct buf kept;   /* fed earlier, not opened yet */
    struct buf sealed; /* for the socket */
    bool first, failed;
    char why[160];
};

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *out, size_t room, size_t *got)
{
    struct http_tls *t = BIO_get_data(bio);
    size_t n = t->fed.len < room ? t->fed.len : room;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(out, t->fed.data, n);
    t->fed = slice_from(t->fed, n);
    *got = n;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t bytes, size_t *written)
{
    struct http_tls *t = BIO_get_data(bio);
    buf_append(&t->sealed, data, bytes);
    *written = bytes;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method; /* made once: OpenSSL wants it to live as long as any BIO */
static pthread_once_t bio_method_once = PTHREAD_ONCE_INIT;

static void bio_method_make(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gnomon");
    assert(bio_method);
    BIO_meth_set_read_ex(bio_method, bio_read);
    BIO_meth_set_write_ex(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

/* ---- life ---- */

struct http_tls *http_tls_new(struct tls_server *server)
{
    pthread_once(&bio_method_once, bio_method_make);
    BIO *bio = BIO_new(bio_method);
    SSL *ssl = tls_server_session(server);
    if (!bio || !ssl) {
        BIO_free(bio);
        SSL_free(ssl);
        tls_server_unref(server);
        ERR_clear_error();
        return NULL;
    }
    struct http_tls *t = MEM_NEW(struct http_tls);
    t->server = server;
    t->ssl = ssl;
    t->first = true;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return t;
}

void http_tls_free(struct http_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl); /* with its BIO */
    tls_server_unref(t->server);
    buf_deinit(&t->kept);
    buf_deinit(&t->sealed);
    mem_free(t);
}

/* ---- in ---- */

void http_tls_feed(struct http_tls *t, struct slice arrived)
{
    if (t->fed.len == 0) {
        t->fed = arrived;
        return;
    }
    http_tls_keep(t);
    buf_slice(&t->kept, arrived);
    t->fed = buf_view(&t->kept);
}

void http_tls_keep(struct http_tls *t)
{
    if (t->fed.len == 0) {
        buf_deinit(&t->kept);
        return;
    }
    bool own = t->kept.data && t->fed.data >= t->kept.data && t->fed.data < t->kept.data + t->kept.capacity;
    if (own) {
        memmove(t->kept.data, t->fed.data, t->fed.len);
        t->kept.len = t->fed.len;
    } else {
        buf_reset(&t->kept);
        buf_slice(&t->kept, t->fed);
    }
    t->fed = buf_view(&t->kept);
}

/* The reason on top of OpenSSL's queue, which is emptied: it belongs to the thread, not to a connection. */
static void keep_reason(struct http_tls *t)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(t->why, sizeof t->why, "%s", reason ? reason : "");
    ERR_clear_error();
}

static size_t fail(struct http_tls *t, enum http_tls_state *state)
{
    keep_reason(t);
    t->failed = true;
    *state = HTTP_TLS_FAILED;
    return 0;
}

size_t http_tls_open(struct http_tls *t, uint8_t *out, size_t room, enum http_tls_state *state)
{
    size_t got = 0;
    *state = HTTP_TLS_MORE;
    if (t->failed) {
        *state = HTTP_TLS_FAILED;
        return 0;
    }
    if (t->first && t->fed.len) {
        t->first = false;
        if (t->fed.data[0] >= 'A' && t->fed.data[0] <= 'Z') { /* a method; a handshake begins with 0x16 */
            t->failed = true;
            *state = HTTP_TLS_PLAIN;
            return 0;
        }
    }
    ERR_clear_error();
    int ok = SSL_read_ex(t->ssl, out, room, &got);
    if (t->sealed.failed)
        return fail(t, state);
    if (ok)
        return got;
    switch (SSL_get_error(t->ssl, ok)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        *state = HTTP_TLS_ENDED;
        return 0;
    default:
        return fail(t, state);
    }
}

bool http_tls_has_more(const struct http_tls *t)
{
    return !t->failed && (t->fed.len > 0 || SSL_pending(t->ssl) > 0);
}

bool http_tls_established(const struct http_tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

/* ---- out ---- */

bool http_tls_seal(struct http_tls *t, struct slice plain)
{
    size_t written = 0;
    if (plain.len == 0)
        return true; /* also of a failed one: its alert wants to go out */
    if (t->failed)
        return false;
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, plain.data, plain.len, &written) && !t->sealed.failed)
        return true;
    keep_reason(t);
    t->failed = true;
    return false;
}

void http_tls_goodbye(struct http_tls *t)
{
    if (t->failed || !SSL_is_init_finished(t->ssl) || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
        return;
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

struct buf *http_tls_sealed(struct http_tls *t)
{
    return &t->sealed;
}

const char *http_tls_why(const struct http_tls *t)
{
    return t->why;
}
