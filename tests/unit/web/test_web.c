/* Logins against a running server: passwords, tokens, limits, reloads. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "lib/http_client.h"
#include "lib/http_fixture.h"
#include "lib/tls_identity.h"
#include "web/web.h"

/* "secret", with the lowest cost */
#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

struct place {
    char dir[64], file[96];
    struct web_options o;
    struct web *web;
    struct http_options http;
    struct http_fixture f;
};

static const char *path_of(struct place *p, const char *name)
{
    snprintf(p->file, sizeof p->file, "%s/%s", p->dir, name);
    return p->file;
}

static void put_file(struct place *p, const char *name, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

static void open_place(struct place *p)
{
    *p = (struct place){0};
    strcpy(p->dir, "/tmp/gnomon-web-XXXXXX");
    cr_assert(mkdtemp(p->dir));
    p->o.config_file = p->o.cert_file = p->o.key_file = p->o.version_min = p->o.client_ca_file = p->o.username =
        p->o.password = p->o.bearer_token = p->o.bearer_token_file = "";
    p->o.fs = fs_posix();
    p->o.clock = clock_system();
    p->o.random = random_system();
    http_fixture_options(&p->f, &p->http);
}

static void start_place(struct place *p)
{
    struct errmsg why = {0};
    cr_assert_eq(web_new(&p->o, &p->web, &why), ERR_OK, "%s", why.text);
    p->http.guard = web_guard(p->web);
    http_fixture_start(&p->f, &p->http);
}

static void close_place(struct place *p)
{
    char command[128];
    http_fixture_stop(&p->f);
    web_free(p->web);
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    cr_assert_eq(system(command), 0);
}

static int ask(struct place *p, const char *fields, struct http_reply *reply)
{
    char text[2048];
    snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    return http_client_once(p->f.port, text, reply);
}

static int ask_with(struct place *p, const char *fields)
{
    struct http_reply reply;
    int status = ask(p, fields, &reply);
    http_reply_deinit(&reply);
    return status;
}

static int login(struct place *p, const char *user_and_password)
{
    char field[512], coded[256];
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)user_and_password, (int)strlen(user_and_password));
    snprintf(field, sizeof field, "Authorization: Basic %s\r\n", coded);
    return ask_with(p, field);
}

Test(web, users_of_the_file_come_in_and_nobody_else)
{
    struct place p;
    struct http_reply reply;
    open_place(&p);
    put_file(&p, "web.yml",
             "basic_auth_users:\n  alice: " HASH "\nhttp_server_config:\n  headers: {X-Frame-Options: deny}\n");
    p.o.config_file = path_of(&p, "web.yml");
    start_place(&p);
    struct http_client client;
    cr_assert(http_client_open(&client, p.f.port));
    cr_assert(http_client_text(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(http_client_reply(&client, false, &reply));
    cr_expect_eq(reply.status, 401);
    cr_expect(slice_eq_str(http_reply_field(&reply, "WWW-Authenticate"), "Basic"));
    cr_expect(slice_eq_str(http_reply_field(&reply, "X-Frame-Options"), "deny"));
    cr_expect(slice_eq_str(buf_view(&reply.body), "Unauthorized\n"));
    http_reply_deinit(&reply);
    http_client_close(&client);
    cr_expect_eq(login(&p, "alice:secret"), 200);
    cr_expect_eq(login(&p, "alice:secret"), 200);
    cr_expect_eq(login(&p, "alice:Secret"), 401);
    cr_expect_eq(login(&p, "alice:Secret"), 401);
    cr_expect_eq(login(&p, "bob:secret"), 401);
    cr_expect_eq(login(&p, "alice:"), 401);
    cr_expect_eq(login(&p, ":"), 401);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer secret\r\n"), 401);
    const struct web_stats *s = web_stats(p.web);
    cr_expect_eq(atomic_load(&s->passwords_checked), 5, "each password is checked once, those of nobody, too");
    cr_expect_eq(atomic_load(&s->logins_refused), 7);
    close_place(&p);
}

Test(web, guesses_do_not_push_out_those_who_are_known)
{
    struct place p;
    open_place(&p);
    put_file(&p, "web.yml", "basic_auth_users: {alice: " HASH "}\n");
    p.o.config_file = path_of(&p, "web.yml");
    start_place(&p);
    cr_expect_eq(login(&p, "alice:secret"), 200);
    for (int i = 0; i < 250; i++) {
        char guess[32];
        snprintf(guess, sizeof guess, "alice:%d", i);
        cr_assert_eq(login(&p, guess), 401);
    }
    uint64_t before = atomic_load(&web_stats(p.web)->passwords_checked);
    cr_expect_eq(login(&p, "alice:secret"), 200);
    cr_expect_eq(atomic_load(&web_stats(p.web)->passwords_checked), before);
    close_place(&p);
}

Test(web, a_plain_password_and_tokens_work_beside_the_file)
{
    struct place p;
    open_place(&p);
    char password[128], tokens[128];
    put_file(&p, "password", "pass word\n");
    put_file(&p, "tokens", "# of the writers\n\nt0ken-one\r\nt0ken-two\n");
    snprintf(password, sizeof password, "file://%s/password", p.dir);
    snprintf(tokens, sizeof tokens, "%s/tokens", p.dir);
    p.o.username = "vm";
    p.o.password = password;
    p.o.bearer_token = "t0ken-three";
    p.o.bearer_token_file = tokens;
    static const char *const open_paths[] = {"/label/x/values", NULL};
    p.o.open_paths = open_paths;
    start_place(&p);
    cr_expect_eq(login(&p, "vm:pass word"), 200);
    cr_expect_eq(login(&p, "vm:pass word "), 401);
    cr_expect_eq(login(&p, "vn:pass word"), 401);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer t0ken-one\r\n"), 200);
    cr_expect_eq(ask_with(&p, "authorization: bearer t0ken-two\r\n"), 200);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer t0ken-three\r\n"), 200);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer t0ken-on\r\n"), 401);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer # of the writers\r\n"), 401);
    struct http_reply reply;
    cr_expect_eq(http_client_once(p.f.port, "GET /label/x/values HTTP/1.1\r\nHost: a\r\n\r\n", &reply), 200);
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port, "GET //label/x/values HTTP/1.1\r\nHost: a\r\n\r\n", &reply), 200);
    http_reply_deinit(&reply);
    put_file(&p, "password", "new");
    put_file(&p, "tokens", "t0ken-four");
    struct errmsg why = {0};
    cr_expect_eq(web_reload(p.web, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(login(&p, "vm:pass word"), 401);
    cr_expect_eq(login(&p, "vm:new"), 200);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer t0ken-one\r\n"), 401);
    cr_expect_eq(ask_with(&p, "Authorization: Bearer t0ken-four\r\n"), 200);
    close_place(&p);
}

Test(web, the_rate_limit_is_a_bucket)
{
    struct place p;
    open_place(&p);
    put_file(&p, "web.yml", "rate_limit: {interval: 1h, burst: 3}\n");
    p.o.config_file = path_of(&p, "web.yml");
    start_place(&p);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(ask_with(&p, ""), 200);
    cr_expect_eq(ask_with(&p, ""), 429);
    cr_expect_eq(atomic_load(&web_stats(p.web)->requests_limited), 1);
    close_place(&p);
}

Test(web, a_change_is_taken_and_a_broken_one_is_not)
{
    struct place p;
    struct errmsg why = {0};
    open_place(&p);
    put_file(&p, "web.yml", "basic_auth_users: {alice: " HASH "}\n");
    p.o.config_file = path_of(&p, "web.yml");
    start_place(&p);
    put_file(&p, "web.yml", "basic_auth_users: {alice: nonsense}\n");
    cr_expect_eq(web_reload(p.web, &why), ERR_INVALID);
    cr_expect(strstr(why.text, "not a bcrypt hash") && !strstr(why.text, "nonsense"), "%s", why.text);
    cr_expect_eq(login(&p, "alice:secret"), 200);
    cr_expect_eq(atomic_load(&web_stats(p.web)->reload_ok), 0);
    put_file(&p, "web.yml", "tls_server_config: {cert_file: no.pem, key_file: no.pem}\n");
    cr_expect_eq(web_reload(p.web, &why), ERR_NOT_FOUND, "%s", why.text);
    put_file(&p, "web.yml", "basic_auth_users: {bob: " HASH "}\n");
    int status = 0; /* the web's own thread sees it within a second or so */
    for (int i = 0; i < 6000 && status != 200; i++) {
        p.o.clock->sleep_ns(p.o.clock, 10000000);
        status = login(&p, "bob:secret");
    }
    cr_expect_eq(status, 200);
    cr_expect_eq(login(&p, "alice:secret"), 401);
    cr_expect_eq(atomic_load(&web_stats(p.web)->reload_ok), 1);
    close_place(&p);
}

static int tls_ask(struct place *p, const struct tls_identity *ca)
{
    struct tls_client c;
    char text[64] = "";
    bool open = tls_client_open(&c, p->f.port, ca, NULL);
    if (open)
        tls_client_ask(&c, "GET /hello HTTP/1.0\r\n\r\n", text, 15);
    tls_client_close(&c);
    return open && !strcmp(text, "HTTP/1.1 200 OK") ? 200 : 0;
}

Test(web, a_certificate_is_replaced_without_a_restart)
{
    struct place p;
    struct errmsg why = {0};
    struct tls_identity first, second;
    open_place(&p);
    tls_identity_make(&first, "localhost", NULL, NULL, 3600);
    tls_identity_make(&second, "localhost", NULL, NULL, 7200);
    put_file(&p, "cert.pem", buf_cstr(&first.certificate_pem));
    put_file(&p, "key.pem", buf_cstr(&first.key_pem));
    put_file(&p, "web.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n");
    p.o.config_file = path_of(&p, "web.yml");
    start_place(&p);
    cr_expect(web_has_tls(p.web));
    cr_expect_eq(tls_ask(&p, &first), 200);
    int64_t expiry = atomic_load(&web_stats(p.web)->cert_expiry_s);
    put_file(&p, "cert.pem", buf_cstr(&second.certificate_pem));
    cr_expect_eq(web_reload(p.web, &why), ERR_INVALID, "the key does not fit yet");
    cr_expect_eq(tls_ask(&p, &first), 200);
    put_file(&p, "key.pem", buf_cstr(&second.key_pem));
    cr_expect_eq(web_reload(p.web, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tls_ask(&p, &first), 0);
    cr_expect_eq(tls_ask(&p, &second), 200);
    cr_expect_eq(atomic_load(&web_stats(p.web)->cert_expiry_s), expiry + 3600);
    put_file(&p, "web.yml", "{}\n");
    cr_expect_eq(web_reload(p.web, &why), ERR_UNSUPPORTED, "TLS does not end by an edit");
    cr_expect_eq(tls_ask(&p, &second), 200);
    tls_identity_deinit(&first);
    tls_identity_deinit(&second);
    close_place(&p);
}

Test(web, what_cannot_be_meant_stops_the_start)
{
    struct place p;
    open_place(&p);
    put_file(&p, "empty", "\n");
    char empty[96], url[128];
    snprintf(empty, sizeof empty, "%s/empty", p.dir);
    snprintf(url, sizeof url, "file://%s", empty);
    struct web_options none = p.o;
    struct {
        const char *text;
        struct web_options o;
    } rows[16];
    size_t n = 0;
#define ROW(expect, ...)                                                                                               \
    do {                                                                                                               \
        rows[n].o = none;                                                                                              \
        struct web_options *o = &rows[n].o;                                                                            \
        __VA_ARGS__;                                                                                                   \
        rows[n++].text = expect;                                                                                       \
    } while (0)
    ROW("web.config.file: ", o->config_file = "/nowhere/web.yml");
    ROW("is not a regular file", o->config_file = "/tmp");
    ROW("is not a regular file", o->config_file = "/dev/zero");
    ROW("needs web.tls-cert-file", o->tls = true);
    ROW("web.mtls needs web.tls", o->mtls = true);
    ROW("password is empty", o->username = "a");
    ROW("password is empty", o->username = "a", o->password = url);
    ROW("needs web.auth-username", o->password = "a");
    ROW("URLs are not read", o->username = "a", o->password = "https://a/b");
    ROW("there is no token", o->bearer_token_file = empty);
    ROW("not TLS12 or TLS13", o->tls = true, o->cert_file = o->key_file = empty, o->version_min = "TLS9");
    for (size_t i = 0; i < n; i++) {
        struct errmsg why = {0};
        struct web *web = NULL;
        cr_expect_neq(web_new(&rows[i].o, &web, &why), ERR_OK);
        cr_expect(strstr(why.text, rows[i].text), "%s: %s", rows[i].text, why.text);
    }
    struct errmsg why = {0};
    cr_expect(web_new(&none, &p.web, &why) == ERR_OK && !p.web && !web_guard(p.web));
    http_fixture_start(&p.f, &p.http);
    close_place(&p);
}
