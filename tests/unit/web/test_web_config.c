/* Prometheus' web configuration file: what is read, and where every slip is. */
#include <criterion/criterion.h>

#include "web/web_internal.h"

#define HASH "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234"

static enum err read_text(struct web_config *c, const char *yaml, struct errmsg *why)
{
    web_config_init(c);
    return web_config_read(c, "/etc/gnomon/web.yml", slice_str(yaml), why);
}

Test(web_config, an_empty_file_asks_for_nothing)
{
    static const char *const texts[] = {"", "\n", "# nothing\n", "---\n", "tls_server_config:\n", "{}", "null"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct web_config c;
        struct errmsg why = {0};
        cr_expect_eq(read_text(&c, texts[i], &why), ERR_OK, "%s: %s", texts[i], why.text);
        cr_expect_not(web_config_has_tls(&c));
        web_config_deinit(&c);
    }
}

Test(web_config, every_field_of_the_format_is_understood)
{
    struct web_config c;
    struct errmsg why = {0};
    cr_assert_eq(read_text(&c,
                           "tls_server_config:\n"
                           "  cert_file: server.pem\n"
                           "  key_file: /keys/server.key\n"
                           "  client_auth_type: RequireAndVerifyClientCert\n"
                           "  client_ca_file: sub/ca.pem\n"
                           "  client_allowed_sans: [a.example, 10.0.0.1]\n"
                           "  min_version: TLS12\n"
                           "  max_version: TLS13\n"
                           "  cipher_suites:\n"
                           "    - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"
                           "    - TLS_AES_128_GCM_SHA256\n"
                           "    - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\n"
                           "  curve_preferences: [X25519, CurveP256]\n"
                           "  prefer_server_cipher_suites: false\n"
                           "http_server_config:\n"
                           "  http2: true\n"
                           "  headers:\n"
                           "    X-Frame-Options: sameorigin\n"
                           "    Strict-Transport-Security: max-age=1\n"
                           "basic_auth_users:\n"
                           "  alice: " HASH "\n"
                           "  \"b:ob\": " HASH "\n"
                           "rate_limit:\n"
                           "  interval: 1m0.5s\n"
                           "  burst: 20\n",
                           &why),
                 ERR_OK, "%s", why.text);
    cr_expect_str_eq(c.cert_file, "/etc/gnomon/server.pem");
    cr_expect_str_eq(c.key_file, "/keys/server.key");
    cr_expect_str_eq(c.client_ca_file, "/etc/gnomon/sub/ca.pem");
    cr_expect_eq(c.client_auth, TLS_CLIENT_VERIFY);
    cr_expect(c.client_name_count == 2 && !strcmp(c.client_names[1], "10.0.0.1"));
    cr_expect_str_eq(buf_cstr(&c.ciphers), "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305");
    cr_expect_str_eq(buf_cstr(&c.groups), "X25519:P-256");
    cr_expect(c.client_chooses && c.http2_asked);
    cr_expect(c.header_count == 2 && !strcmp(c.headers[0].value, "sameorigin"));
    cr_expect(c.user_count == 2 && !strcmp(c.users[1].name, "b:ob"));
    cr_expect_eq(c.rate_interval_ns, INT64_C(60500000000));
    cr_expect_eq(c.rate_burst, 20);
    web_config_deinit(&c);
}

Test(web_config, every_slip_has_line_column_and_reason)
{
    static const char *const rows[][2] = {
        {"tls_config:\n", "/etc/gnomon/web.yml:1:1: field tls_config not found in the web configuration"},
        {"tls_server_config:\n  cert: a\n  cret: b\n", ":3:3: field cret not found in tls_server_config"},
        {"rate_limit: {burst: 1}\nrate_limit: {burst: 2}\n", ":2:1: field rate_limit already set"},
        {"tls_server_config: [a]\n", ":1:20: tls_server_config must be a mapping"},
        {"tls_server_config: {cert: [a]}\n", ":1:27: cert must be a text"},
        {"tls_server_config: {min_version: TLS14}\n", ":1:34: unknown TLS version: TLS14"},
        {"tls_server_config: {max_version: TLS11}\n", ":1:34: max_version must be TLS12 or TLS13"},
        {"tls_server_config: {cipher_suites: [ROT13]}\n", ":1:37: unknown cipher: ROT13"},
        {"tls_server_config: {cipher_suites: ROT13}\n", ":1:36: cipher_suites must be a list"},
        {"tls_server_config: {curve_preferences: [P1]}\n", ":1:41: unknown curve: P1"},
        {"tls_server_config: {client_auth_type: Maybe}\n", ":1:39: invalid client_auth_type: Maybe"},
        {"tls_server_config: {cert: a}\n", "missing one of key or key_file"},
        {"tls_server_config: {key: a}\n", "missing one of cert or cert_file"},
        {"tls_server_config: {client_auth_type: NoClientCert}\n", "missing one of cert or cert_file"},
        {"tls_server_config: {cert: a, key: b, client_ca: c}\n", "without a Client Auth Policy"},
        {"tls_server_config: {cert: a, key: b, client_allowed_sans: [c]}\n", "lets everybody in"},
        {"tls_server_config: {cert: a, key: b, min_version: TLS13, max_version: TLS12}\n", "above max_version"},
        {"http_server_config: {http2: maybe}\n", ":1:29: http2 must be true or false"},
        {"http_server_config:\n  headers: {X-Powered-By: us}\n", ":2:12: HTTP header \"X-Powered-By\" can not be"},
        {"http_server_config:\n  headers: {X-Frame-Options: DENY}\n", "allowed: deny, sameorigin"},
        {"http_server_config:\n  headers: {X-Content-Type-Options: sniff}\n", "allowed: nosniff"},
        {"basic_auth_users: {a: secret}\n", ":1:19: basic_auth_users: user \"a\": not a bcrypt hash"},
        {"basic_auth_users: {a: $2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234}\n", "cost"},
        {"basic_auth_users: {a: " HASH ", a: " HASH "}\n", "a already set in basic_auth_users"},
        {"basic_auth_users: {a: [b]}\n", "must be a text"},
        {"rate_limit: {interval: soon}\n", ":1:24: interval must be a duration"},
        {"rate_limit: {interval: 5 s}\n", "interval must be a duration"},
        {"rate_limit: {burst: -1}\n", ":1:21: burst must be a whole number"},
        {"tls_server_config: {cert: &x b}\n", "anchors and aliases are not allowed"},
        {"a: *x\n", ":1:1: field a not found"},
        {"tls_server_config: *x\n", "anchors and aliases are not allowed"},
        {"tls_server_config: {\n", "not YAML"},
        {"\ttls_server_config:\n", "not YAML"},
        {"---\n{}\n---\n{}\n", "a second document"},
        {"[a]", "the web configuration must be a mapping"},
        {"? [a]\n: b\n", "a name must be a text"},
        {"tls_server_config: {cert: \"a\\0b\"}\n", "must not contain NUL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct web_config c;
        struct errmsg why = {0};
        cr_expect_eq(read_text(&c, rows[i][0], &why), ERR_INVALID, "%s", rows[i][0]);
        cr_expect(strstr(why.text, rows[i][1]), "%s\nsays %s\nand not %s", rows[i][0], why.text, rows[i][1]);
        web_config_deinit(&c);
    }
}

Test(web_config, versions_that_nobody_should_speak_are_raised)
{
    struct web_config c;
    struct errmsg why = {0};
    cr_assert_eq(read_text(&c, "tls_server_config: {cert: a, key: b, min_version: TLS10}", &why), ERR_OK);
    cr_expect(c.version_raised && c.version_min == TLS_VERSION_12);
    web_config_deinit(&c);
}

Test(web_config, durations_are_those_of_go)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"0s", 0},
                {"1000", 1000},
                {"1s", 1000000000},
                {"1.5h", INT64_C(5400000000000)},
                {"1h2m3s4ms5us6ns", INT64_C(3723004005006)},
                {".5s", 500000000},
                {"2\xc2\xb5s", 2000}};
    static const char *const bad[] = {"", "s", "1", "-1s", "1d", "1s1", "1.2.3s", "99999999999h", "1 s", "."};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect(web_duration_ns(slice_str(good[i].text), &ns) && ns == good[i].ns, "%s", good[i].text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect(i == 2 || !web_duration_ns(slice_str(bad[i]), &ns), "%s", bad[i]);
}

Test(web_password, only_hashes_that_can_be_checked_are_taken)
{
    static const char *const bad[] = {"",
                                      "secret",
                                      "$2b$10$short",
                                      "$1$abcdefgh$abcdefghijklmnopqrstuv.........................",
                                      "$2x$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234",
                                      "$2b$03$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234",
                                      "$2b$1x$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234",
                                      "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz0123!"};
    struct errmsg why = {0};
    unsigned cost;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(password_cost(bad[i], &cost, &why), ERR_INVALID, "%s", bad[i]);
    cr_expect(password_cost(HASH, &cost, &why) == ERR_OK && cost == 10);
}

Test(web_password, fits_its_hash_whoever_made_it)
{
    /* the second and third differ only in the letter: htpasswd writes y, OpenBSD b */
    static const char *const hashes[] = {"$2a$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
                                         "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
                                         "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"};
    cr_expect(password_fits(hashes[1], SLICE_LIT("secret")) && password_fits(hashes[2], SLICE_LIT("secret")));
    cr_expect(password_fits(hashes[0], SLICE_LIT("password")));
    cr_expect_not(password_fits(hashes[0], SLICE_LIT("Password")));
    cr_expect_not(password_fits(hashes[0], SLICE_LIT("password\0x")));
    cr_expect_not(password_fits(hashes[0], SLICE_LIT("")));
}

Test(web_password, what_stands_in_authorization_is_read_strictly)
{
    struct arena a;
    struct slice user, password, token;
    arena_init(&a, NULL);
    cr_expect(basic_parse(SLICE_LIT("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), &a, &user, &password));
    cr_expect(slice_eq_str(user, "Aladdin") && slice_eq_str(password, "open sesame"));
    cr_expect(basic_parse(SLICE_LIT("bAsIc YTpiOmM="), &a, &user, &password) && slice_eq_str(password, "b:c"));
    cr_expect(basic_parse(SLICE_LIT("Basic Og=="), &a, &user, &password) && !user.len && !password.len);
    static const char *const bad[] = {
        "",          "Basic", "Basic ", "Basic YQ==", "Basic !!!!", "Basic YTpi=", "BasicYTpiOmM=", "Digest YTpiOmM=",
        "Basic ===="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(basic_parse(slice_str(bad[i]), &a, &user, &password), "%s", bad[i]);
    cr_expect(bearer_parse(SLICE_LIT("Bearer abc"), &token) && slice_eq_str(token, "abc"));
    cr_expect_not(bearer_parse(SLICE_LIT("Bearer "), &token));
    arena_deinit(&a);
}
