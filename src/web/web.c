/*
 * web.c - the object: read at the start, read again when a file changes, given to the HTTP server as its
 * guard.
 *
 * A reading that fails leaves everything as it was and is told once per content: somebody may be in the
 * middle of replacing a certificate and its key.
 */
#include "web/web.h"

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/mem.h"
#include "web/web_internal.h"

static struct tls_server *give_tls(void *ctx)
{
    struct web *web = ctx;
    if (!web->tls)
        return NULL;
    struct web_state *s = web_state_now(web);
    struct tls_server *tls = tls_server_ref(s->tls);
    web_state_unref(s);
    return tls;
}

static bool asked_for(const struct web_options *o)
{
    return *o->config_file || o->tls || o->mtls || *o->username || *o->password || *o->bearer_token ||
           *o->bearer_token_file;
}

static void say_what(const struct web *web, const struct web_state *s)
{
    const struct web_config *c = &s->config;
    int64_t now_s = clock_now_ms(web->o.clock) / 1000;
    log_info("web", "web configuration read", "tls=%s users=%zu tokens=%zu", s->tls ? "true" : "false", s->user_count,
             s->token_count);
    if (c->http2_asked)
        log_info("web", "http2: true has no effect", "spoken=HTTP/1.1");
    if (c->version_raised && c->version_min == TLS_VERSION_12)
        log_warn("web", "min_version names a version that is not spoken any more", "used=TLS12");
    if (c->client_auth == TLS_CLIENT_REQUEST || c->client_auth == TLS_CLIENT_ANY)
        log_warn("web", "client certificates are not verified with this client_auth_type", "see=docs/http.md");
    if (s->tls && tls_server_expires(s->tls) < now_s)
        log_warn("web", "the certificate has expired", "seconds_ago=%lld",
                 (long long)(now_s - tls_server_expires(s->tls)));
}

/* Takes a new state; what is open goes on with what it has. */
static void take_state(struct web *web, struct web_state *s)
{
    struct web_state *old;
    mutex_lock(&web->lock);
    old = web->state;
    web->state = s;
    mutex_unlock(&web->lock);
    web_state_unref(old);
    atomic_store(&web->stats.reload_ok, 1);
    atomic_store(&web->stats.reloaded_ms, clock_now_ms(web->o.clock));
    atomic_store(&web->stats.cert_expiry_s, s->tls ? tls_server_expires(s->tls) : 0);
    say_what(web, s);
}

enum err web_new(const struct web_options *o, struct web **out, struct errmsg *why)
{
    struct web_state *s;
    *out = NULL;
    if (!asked_for(o))
        return ERR_OK;
    struct web *web = MEM_NEW(struct web);
    web->o = *o;
    o->random->fill(o->random, &web->key, sizeof web->key);
    enum err err = web_state_read(o, &web->key, &s, &web->contents, why);
    if (err != ERR_OK) {
        mem_free(web);
        return err;
    }
    web->tls = s->tls;
    web->guard = (struct http_guard){.tls = give_tls, .admit = web_admit, .decide = web_decide, .ctx = web};
    mutex_init(&web->reading);
    mutex_init(&web->lock);
    cond_init(&web->work);
    take_state(web, s);
    web->thread = thread_start("web", web_thread, web);
    *out = web;
    return ERR_OK;
}

void web_free(struct web *web)
{
    if (!web)
        return;
    mutex_lock(&web->lock);
    web->stopping = true;
    cond_signal(&web->work);
    mutex_unlock(&web->lock);
    pthread_join(web->thread, NULL);
    web_state_unref(web->state);
    cond_deinit(&web->work);
    mutex_deinit(&web->lock);
    mutex_deinit(&web->reading);
    OPENSSL_cleanse(&web->key, sizeof web->key);
    mem_free(web);
}

const struct http_guard *web_guard(const struct web *web)
{
    return web ? &web->guard : NULL;
}

const struct web_stats *web_stats(const struct web *web)
{
    return &web->stats;
}

bool web_has_tls(const struct web *web)
{
    return web && web->tls;
}

/* Reads, and takes what was read when it is new. */
static enum err read_again(struct web *web, bool *changed, struct errmsg *why) REQUIRES(web->reading)
{
    struct web_state *s;
    struct digest contents;
    enum err err = web_state_read(&web->o, &web->key, &s, &contents, why);
    *changed = !digest_same(&contents, &web->contents);
    web->contents = contents;
    if (err == ERR_OK && !*changed && atomic_load(&web->stats.reload_ok)) {
        web_state_unref(s);
        return ERR_OK;
    }
    if (err == ERR_OK && (s->tls != NULL) != web->tls) {
        err = err_set(why, ERR_UNSUPPORTED, "TLS can only be switched on or off by a restart");
        web_state_unref(s);
    }
    if (err == ERR_OK) {
        take_state(web, s);
        atomic_fetch_add(&web->stats.reloads, 1);
    } else {
        atomic_store(&web->stats.reload_ok, 0);
    }
    return err;
}

enum err web_reload(struct web *web, struct errmsg *why)
{
    bool changed;
    if (!web)
        return ERR_OK;
    mutex_lock(&web->reading);
    enum err err = read_again(web, &changed, why);
    mutex_unlock(&web->reading);
    if (err != ERR_OK)
        atomic_fetch_add(&web->stats.reloads_failed, 1);
    return err;
}

void web_look(struct web *web)
{
    struct errmsg why = {0};
    bool changed = false;
    enum err err = ERR_OK;
    struct web_state *now = web_state_now(web);
    mutex_lock(&web->reading);
    struct digest contents = web_state_contents(&web->o, now, &web->key);
    if (!digest_same(&contents, &web->contents))
        err = read_again(web, &changed, &why);
    mutex_unlock(&web->reading);
    web_state_unref(now);
    if (err == ERR_OK || !changed)
        return;
    atomic_fetch_add(&web->stats.reloads_failed, 1);
    log_error("web", "web configuration not read, the old one stays", "err=\"%s\"", why.text);
}

enum err web_check(struct fs *fs, const char *config_file, struct errmsg *why)
{
    struct web_options o = {.config_file = config_file, .fs = fs};
    o.cert_file = o.key_file = o.version_min = o.client_ca_file = o.username = o.password = o.bearer_token =
        o.bearer_token_file = "";
    struct web_state *s;
    struct digest key = {{0}}, contents;
    TRY(web_state_read(&o, &key, &s, &contents, why));
    web_state_unref(s);
    return ERR_OK;
}
