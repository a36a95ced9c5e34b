/* main.c - gnomon: chooses the subcommand; `serve` is the default. */
#include <stdio.h>
#include <string.h>

#include "server/server_internal.h"
#include "server/version.h"

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("gnomon, version %s (revision: %s)\n", gnomon_version(), gnomon_revision());
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* arguments after the name */
} commands[] = {
    {"serve", command_serve},     {"version", command_version}, {"check", command_check},
    {"inspect", command_inspect}, {"verify", command_verify},   {"backup", command_backup},
    {"restore", command_restore},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    if (argc > 1 && argv[1][0] != '-') {
        fprintf(stderr, "gnomon: unknown command \"%s\" (serve, check, inspect, verify, backup, restore, version; --help shows all)\n",
                argv[1]);
        return 2;
    }
    return command_serve(argc > 0 ? argc - 1 : 0, argv + (argc > 0));
}
