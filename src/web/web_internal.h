/*
 * web_internal.h - the parts of web: the file's contents, what is made of them, logins.
 */
#ifndef WEB_WEB_INTERNAL_H
#define WEB_WEB_INTERNAL_H

#include <yaml.h>

#include "base/arena.h"
#include "base/lock.h"
#include "net/tls.h"
#include "web/web.h"

/* ---- web_config.c: Prometheus' file, as it is written ---- */

struct web_pair {
    const char *name, *value;
};

struct web_config {
    struct arena arena;
    struct slice cert, key, client_ca;                 /* written out in the file */
    const char *cert_file, *key_file, *client_ca_file; /* "" when missing; relative ones stand beside the file */
    enum tls_client_auth client_auth;
    bool client_auth_set;
    const char **client_names;
    size_t client_name_count;
    enum tls_version version_min, version_max;
    bool version_raised;        /* min_version names one that nobody should speak any more */
    struct buf ciphers, groups; /* OpenSSL's names with colons */
    bool client_chooses;
    bool http2_asked; /* http2: true stands in the file */
    struct web_pair *headers;
    size_t header_count;
    struct web_pair *users; /* name, bcrypt hash */
    size_t user_count;
    int64_t rate_interval_ns, rate_burst;
};
void web_config_init(struct web_config *c);
void web_config_deinit(struct web_config *c);
/* `path` names the file in messages and is where relative names start. */
MUST_CHECK enum err web_config_read(struct web_config *c, const char *path, struct slice yaml, struct errmsg *why);
bool web_config_has_tls(const struct web_config *c);

/* web_names.c: Go's names of what TLS has */
const char *web_cipher(const char *name); /* OpenSSL's name; "" for one of TLS 1.3, NULL: unknown */
const char *web_curve(const char *name);
MUST_CHECK enum err web_client_auth(const char *name, enum tls_client_auth *out);
MUST_CHECK enum err web_version(const char *name, enum tls_version *out, bool *raised);
bool web_duration_ns(struct slice text, int64_t *ns);     /* Go's time.ParseDuration, or whole nanoseconds */
void web_list_append(struct buf *list, const char *name); /* "a:b" */

/* web_yaml.c: the file as a stream of mappings, lists and scalars, with positions */
struct web_reader {
    yaml_parser_t parser;
    const char *path;
    struct arena *arena;
    void *out;
    struct errmsg *why;
};
struct web_field {
    const char *name;
    enum err (*read)(struct web_reader *r, yaml_event_t *value);
};
enum err web_complain(struct web_reader *r, yaml_mark_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
MUST_CHECK enum err web_yaml_document(struct web_reader *r, const struct web_field *fields);
/* Known names only, each once; `what` for messages.  A null value is an empty mapping. */
MUST_CHECK enum err web_yaml_mapping(struct web_reader *r, yaml_event_t *e, const char *what,
                                     const struct web_field *fields);
/* Any names, each once, with texts. */
MUST_CHECK enum err web_yaml_pairs(struct web_reader *r, yaml_event_t *e, const char *what, struct web_pair **out,
                                   size_t *count);
MUST_CHECK enum err web_yaml_items(struct web_reader *r, yaml_event_t *e, const char *what,
                                   enum err (*item)(struct web_reader *r, const yaml_event_t *e, const char *text));
MUST_CHECK enum err web_yaml_text(struct web_reader *r, const yaml_event_t *e, const char *what, struct slice *out);
MUST_CHECK enum err web_yaml_bool(struct web_reader *r, const yaml_event_t *e, const char *what, bool *out);

/* ---- web_password.c ---- */

/* Cost of a bcrypt hash; ERR_INVALID: none that can be checked here. */
MUST_CHECK enum err password_cost(const char *hash, unsigned *cost, struct errmsg *why);
bool password_fits(const char *hash, struct slice password); /* slow */
enum { DIGEST_BYTES = 32, PASSWORD_BYTES_MAX = 1024, NAME_BYTES_MAX = 1024 };
struct digest {
    uint8_t bytes[DIGEST_BYTES];
};
/* Keyed, so that equal ones mean equal texts and unequal ones tell nothing. */
struct digest digest_of(const struct digest *key, const struct slice *parts, size_t count);
bool digest_same(const struct digest *a, const struct digest *b);
/* "Basic dXNlcjpwYXNz" -> user, pass, in the arena. */
bool basic_parse(struct slice header, struct arena *arena, struct slice *user, struct slice *password);
bool bearer_parse(struct slice header, struct slice *token);

/* ---- web_state.c: what the files said when they were read; immutable, counted ---- */

struct web_user {
    const char *name;
    const char *hash;       /* bcrypt; NULL: `password` */
    struct digest password; /* of a password that was given as it is */
};

struct web_state {
    _Atomic unsigned references;
    struct web_config config;
    struct tls_server *tls; /* NULL: plain */
    struct web_user *users;
    size_t user_count;
    const char *decoy_hash; /* checked for names that nobody has; NULL without bcrypt */
    struct digest *tokens;
    size_t token_count;
};
/* Everything that the options name, whole.  `contents`: of all files that were read, also after an error. */
MUST_CHECK enum err web_state_read(const struct web_options *o, const struct digest *key, struct web_state **out,
                                   struct digest *contents, struct errmsg *why);
void web_state_unref(struct web_state *s); /* accepts NULL */
/* The digest that a reading of the same files would have now; nothing is made of them. */
struct digest web_state_contents(const struct web_options *o, const struct web_state *now, const struct digest *key);

/* ---- web_login.c: checked passwords, and the thread that checks ---- */

enum { REMEMBERED = 100 };
struct remembered { /* of the last answers; guarded by web.lock */
    struct digest list[REMEMBERED];
    unsigned count, next;
};

struct login { /* a request that waits for its password to be checked; in the request's arena */
    struct http_request *r;
    struct web *web;
    struct digest digest;
    const char *hash;
    struct slice password;
    bool known, admitted;
    struct login *next;
};

struct web {
    struct web_options o;
    struct http_guard guard;
    struct web_stats stats;
    struct digest key; /* of this process */
    bool tls;

    struct mutex reading;   /* one reload at a time */
    struct digest contents; /* guarded by reading: of what was read last, good or not */

    struct mutex lock;
    struct cond work;
    struct web_state *state;     /* guarded by lock */
    struct remembered good, bad; /* guarded by lock */
    struct login *first, *last;  /* guarded by lock */
    unsigned waiting;            /* guarded by lock */
    bool stopping;               /* guarded by lock */
    double bucket;               /* guarded by lock: requests that the rate limit still lets in */
    int64_t bucket_ns;           /* guarded by lock: when that was so */
    int64_t warned_ns;           /* guarded by lock */
    pthread_t thread;
};

struct web_state *web_state_now(struct web *web); /* a reference */
int web_admit(struct http_request *r, void *ctx);
void web_decide(struct http_request *r, void *ctx);
void *web_thread(void *web);
void web_look(struct web *web); /* reads everything; takes it when it has changed */

#endif
