/*
 * http_tls_internal.h - one TLS connection without its socket: bytes in, bytes out, nothing waits.
 *
 * What arrived is fed and then opened piece by piece into the connection's input buffer; what is to be
 * sent is sealed into a buffer that the connection writes.  Handshake and alerts go the same ways, so
 * after each call `sealed` may hold bytes that want to go out.
 *
 * Memory: what OpenSSL holds (about 10 KB idle, 45 KB with records in flight), what was fed and not yet
 *         opened (at most what the caller feeds at once, for he stops reading then), and `sealed`.
 * Threads: the loop's.
 */
#ifndef NET_HTTP_TLS_INTERNAL_H
#define NET_HTTP_TLS_INTERNAL_H

#include "base/buf.h"
#include "net/tls.h"

struct http_tls;

enum http_tls_state {
    HTTP_TLS_MORE,   /* all that was fed is opened */
    HTTP_TLS_ENDED,  /* the client said that it sends no more */
    HTTP_TLS_FAILED, /* handshake refused, bytes broken: send what is sealed, then close */
    HTTP_TLS_PLAIN,  /* this client does not speak TLS but HTTP */
};

struct http_tls *http_tls_new(struct tls_server *server); /* takes the reference; NULL when memory is short */
void http_tls_free(struct http_tls *t);                   /* accepts NULL */
/* The bytes are borrowed until http_tls_keep. */
void http_tls_feed(struct http_tls *t, struct slice arrived);
/* Up to `room` bytes of plain text; 0: see *state. */
size_t http_tls_open(struct http_tls *t, uint8_t *out, size_t room, enum http_tls_state *state);
void http_tls_keep(struct http_tls *t);                     /* copies what was fed and not yet opened */
bool http_tls_has_more(const struct http_tls *t);           /* http_tls_open may give something without feeding */
bool http_tls_established(const struct http_tls *t);        /* the handshake is done */
bool http_tls_seal(struct http_tls *t, struct slice plain); /* false: the connection is broken */
void http_tls_goodbye(struct http_tls *t);                  /* seals the end of our side */
struct buf *http_tls_sealed(struct http_tls *t);
/* Why it FAILED, for the log; "" when the client just went away. */
const char *http_tls_why(const struct http_tls *t);

/* tls_server.c */
struct ssl_st *tls_server_session(struct tls_server *s); /* a new SSL, or NULL */

#endif
