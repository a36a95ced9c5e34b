/* serve.c - `gnomon serve`: settings, signals, the line that says where to look. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/server_internal.h"
#include "server/version.h"

extern char **environ;

static unsigned terminal_width(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 100;
}

static int print_and_free(struct buf *text)
{
    fwrite(text->data, 1, text->len, stdout);
    buf_deinit(text);
    return 0;
}

/* Answers --help, --help-config, --version; -1: serve. */
static int answer_action(const struct config *c)
{
    struct buf text = {0};
    switch (config_action(c)) {
    case CONFIG_HELP:
        config_print_help(&text, terminal_width());
        return print_and_free(&text);
    case CONFIG_HELP_CONFIG:
        config_print_example(&text);
        return print_and_free(&text);
    case CONFIG_VERSION:
        buf_printf(&text, "gnomon, version %s (revision: %s)\n", gnomon_version(), gnomon_revision());
        return print_and_free(&text);
    case CONFIG_SERVE:
        break;
    }
    return -1;
}

static void setup_log(const struct config *c)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    enum log_level level = LOG_INFO;
    for (int i = 0; i < 4; i++)
        if (strcmp(config_string(c, OPT_LOG_LEVEL), names[i]) == 0)
            level = (enum log_level)i;
    log_setup(level, strcmp(config_string(c, OPT_LOG_FORMAT), "json") == 0);
    for (uint32_t i = 0; i < config_notice_count(c); i++)
        log_warn("config", config_notice(c, i), "%s", "");
}

/* main takes the signals with sigtimedwait; threads inherit the mask. */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(const struct config *c, const struct config_sources *sources)
{
    struct server server;
    struct errmsg why = {0};
    block_signals();
    enum err err = server_open(&server, c, sources, &why);
    if (err == ERR_OK)
        err = server_run(&server, &why);
    if (err != ERR_OK)
        fprintf(stderr, "gnomon: %s\n", why.text);
    server_close(&server);
    return err == ERR_OK ? 0 : 1;
}

int command_serve(int argc, char **argv)
{
    mem_setup();
    struct config *c = config_new();
    struct errmsg why = {0};
    int status;
    struct config_sources sources = {argc, argv, environ, fs_posix()};
    if (config_load(c, &sources, &why) != ERR_OK) {
        fprintf(stderr, "gnomon: %s\n", why.text);
        status = 2;
    } else if ((status = answer_action(c)) < 0) {
        setup_log(c);
        status = serve(c, &sources);
    }
    config_free(c);
    return status;
}
