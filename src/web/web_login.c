/*
 * web_login.c - the guard of a request: rate limit, headers, and who it is from.
 *
 * A password that was checked before is found by its digest on the loop.  A new one goes to the web's
 * thread; meanwhile the request is parked and its connection waits.  Answers are remembered in two
 * rings, so that guesses do not push out those who are known.
 */
#include "base/log.h"
#include "web/web_internal.h"

enum { WAITING_MAX = 256 };
static const int64_t warn_every_ns = 10000000000;

struct web_state *web_state_now(struct web *web)
{
    mutex_lock(&web->lock);
    struct web_state *s = web->state;
    atomic_fetch_add(&s->references, 1);
    mutex_unlock(&web->lock);
    return s;
}

/* ---- rate limit ---- */

/* A bucket that fills by one request an interval up to `burst`. */
static bool within_rate(struct web *web, const struct web_config *c)
{
    if (!c->rate_interval_ns)
        return true;
    int64_t now_ns = clock_mono_ns(web->o.clock);
    mutex_lock(&web->lock);
    double bucket = web->bucket_ns ? web->bucket + (double)(now_ns - web->bucket_ns) / (double)c->rate_interval_ns
                                   : (double)c->rate_burst;
    if (bucket > (double)c->rate_burst)
        bucket = (double)c->rate_burst;
    bool within = bucket >= 1;
    web->bucket = within ? bucket - 1 : bucket;
    web->bucket_ns = now_ns ? now_ns : 1;
    mutex_unlock(&web->lock);
    if (!within)
        atomic_fetch_add(&web->stats.requests_limited, 1);
    return within;
}

/* ---- what is remembered ---- */

static bool remembers(const struct remembered *m, const struct digest *d)
{
    for (unsigned i = 0; i < m->count; i++)
        if (!memcmp(m->list[i].bytes, d->bytes, DIGEST_BYTES)) /* a keyed digest: its bytes tell nothing */
            return true;
    return false;
}

static void remember(struct remembered *m, const struct digest *d)
{
    m->list[m->next] = *d;
    m->next = (m->next + 1) % REMEMBERED;
    if (m->count < REMEMBERED)
        m->count++;
}

/* ---- the verdict ---- */

static int refuse(struct web *web, const struct web_state *s, struct http_request *r)
{
    int64_t now_ns = clock_mono_ns(web->o.clock);
    uint64_t refused = atomic_fetch_add(&web->stats.logins_refused, 1) + 1;
    if (s->user_count)
        http_header(r, "WWW-Authenticate", "Basic");
    if (s->token_count)
        http_header(r, "WWW-Authenticate", "Bearer");
    http_header(r, "X-Content-Type-Options", "nosniff");
    mutex_lock(&web->lock);
    bool warn =
        http_request_header(r, "Authorization").len && (!web->warned_ns || now_ns - web->warned_ns > warn_every_ns);
    if (warn)
        web->warned_ns = now_ns;
    mutex_unlock(&web->lock);
    if (warn)
        log_warn("web", "login refused", "peer=%.*s path=\"%.*s\" refused_total=%llu", SLICE_ARG(r->peer),
                 SLICE_ARG(r->path), (unsigned long long)refused);
    return 401;
}

static bool is_open(const struct web *web, struct slice path)
{
    for (const char *const *p = web->o.open_paths; p && *p; p++)
        if (slice_eq_str(path, *p))
            return true;
    return false;
}

/* All are compared, so that the time does not tell which one was near. */
static bool token_known(const struct web *web, const struct web_state *s, struct slice token)
{
    struct digest d = digest_of(&web->key, &token, 1);
    bool known = false;
    for (size_t i = 0; i < s->token_count; i++)
        known = digest_same(&s->tokens[i], &d) || known;
    return known;
}

static const struct web_user *user_find(const struct web_state *s, struct slice name)
{
    for (size_t i = 0; i < s->user_count; i++)
        if (slice_eq_str(name, s->users[i].name))
            return &s->users[i];
    return NULL;
}

/* Fills the login; what is known already is answered, else HTTP_DECIDE. */
static int judge_password(struct web *web, const struct web_state *s, struct http_request *r, struct login *l,
                          struct slice name, struct slice password)
{
    const struct web_user *u = user_find(s, name);
    if (u && !u->hash) {
        struct digest d = digest_of(&web->key, &password, 1);
        return digest_same(&u->password, &d) ? HTTP_ADMIT : refuse(web, s, r);
    }
    const char *hash = u ? u->hash : s->decoy_hash;
    if (!hash)
        return refuse(web, s, r);
    struct slice parts[] = {name, slice_str(hash), password};
    *l = (struct login){
        .r = r,
        .web = web,
        .digest = digest_of(&web->key, parts, sizeof parts / sizeof *parts),
        .hash = arena_strdup(r->arena, slice_str(hash)),
        .password = password,
        .known = u,
    };
    mutex_lock(&web->lock);
    bool good = u && remembers(&web->good, &l->digest), bad = remembers(&web->bad, &l->digest);
    mutex_unlock(&web->lock);
    return good ? HTTP_ADMIT : bad ? refuse(web, s, r) : HTTP_DECIDE;
}

static int judge(struct web *web, const struct web_state *s, struct http_request *r, struct login *l)
{
    struct slice header = http_request_header(r, "Authorization"), name, password, token;
    if ((!s->user_count && !s->token_count) || is_open(web, r->path))
        return HTTP_ADMIT;
    if (s->token_count && bearer_parse(header, &token))
        return token_known(web, s, token) ? HTTP_ADMIT : refuse(web, s, r);
    if (s->user_count && basic_parse(header, r->arena, &name, &password))
        return judge_password(web, s, r, l, name, password);
    return refuse(web, s, r);
}

int web_admit(struct http_request *r, void *ctx)
{
    struct web *web = ctx;
    struct web_state *s = web_state_now(web);
    struct login l;
    int verdict = 429;
    for (size_t i = 0; i < s->config.header_count; i++)
        if (*s->config.headers[i].value)
            http_header(r, s->config.headers[i].name, s->config.headers[i].value);
    if (within_rate(web, &s->config))
        verdict = judge(web, s, r, &l);
    web_state_unref(s);
    return verdict;
}

/* ---- off the loop ---- */

static void answer_refusal(struct web *web, struct http_request *r)
{
    struct web_state *s = web_state_now(web);
    int status = refuse(web, s, r);
    web_state_unref(s);
    http_header(r, "Content-Type", "text/plain; charset=utf-8");
    http_respond(r, status, SLICE_LIT("Unauthorized\n"));
}

static void on_checked(struct http_request *r, void *ctx)
{
    struct login *l = ctx;
    if (l->admitted)
        http_admitted(r);
    else
        answer_refusal(l->web, r);
}

static bool enqueue(struct web *web, struct login *l)
{
    mutex_lock(&web->lock);
    bool room = web->waiting < WAITING_MAX && !web->stopping;
    if (room) {
        *(web->first ? &web->last->next : &web->first) = l;
        web->last = l;
        web->waiting++;
        cond_signal(&web->work);
    }
    mutex_unlock(&web->lock);
    return room;
}

void web_decide(struct http_request *r, void *ctx)
{
    struct web *web = ctx;
    struct web_state *s = web_state_now(web);
    struct login *l = ARENA_NEW(r->arena, struct login);
    int verdict = judge(web, s, r, l); /* again: since the head came it may have become known */
    web_state_unref(s);
    if (verdict == HTTP_ADMIT) {
        http_admitted(r);
    } else if (verdict != HTTP_DECIDE) {
        http_header(r, "Content-Type", "text/plain; charset=utf-8");
        http_respond(r, verdict, SLICE_LIT("Unauthorized\n"));
    } else if (enqueue(web, l)) {
        http_park(r); /* the wake is served by this same loop, so it cannot come too early */
    } else {
        http_header(r, "Retry-After", "1");
        http_respond(r, 503, SLICE_LIT("too many logins are being checked, try again later\n"));
    }
}

/* One login; the lock is not held while bcrypt works. */
static void check(struct web *web, struct login *l)
{
    mutex_lock(&web->lock);
    bool good = l->known && remembers(&web->good, &l->digest), bad = remembers(&web->bad, &l->digest);
    mutex_unlock(&web->lock);
    if (!good && !bad) {
        bool fits = password_fits(l->hash, l->password);
        atomic_fetch_add(&web->stats.passwords_checked, 1);
        good = fits && l->known;
        mutex_lock(&web->lock);
        remember(good ? &web->good : &web->bad, &l->digest);
        mutex_unlock(&web->lock);
    }
    l->admitted = good;
    http_wake(l->r, on_checked, l);
}

void *web_thread(void *arg)
{
    struct web *web = arg;
    const int64_t look_every_ns = 1000000000;
    int64_t look_ns = clock_mono_ns(web->o.clock) + look_every_ns;
    mutex_lock(&web->lock);
    while (!web->stopping || web->first) {
        struct login *l = web->first;
        int64_t left_ns = look_ns - clock_mono_ns(web->o.clock);
        if (l) {
            web->first = l->next;
            web->waiting--;
        } else if (left_ns > 0) {
            cond_wait_ns(&web->work, &web->lock, left_ns < look_every_ns ? left_ns : look_every_ns);
            continue;
        }
        mutex_unlock(&web->lock);
        if (l)
            check(web, l);
        if (left_ns <= 0) {
            web_look(web);
            look_ns = clock_mono_ns(web->o.clock) + look_every_ns;
        }
        mutex_lock(&web->lock);
    }
    mutex_unlock(&web->lock);
    return NULL;
}
