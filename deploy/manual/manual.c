/*
 * manual.c - the man page and the shells' completions, printed from the option table at build time.
 *
 *     manual man VERSION | manual bash | manual zsh
 *
 * A program of its own, not linked with the server: it needs nothing but include/config/options.h.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/options.h"

/* One option as the table has it; the type stays a word. */
struct row {
    const char *group, *name, *type, *def, *allowed, *help;
};

static const struct row rows[] = {
#define ROW_(id, group, name, type, def, allowed, help) {#group, name, #type, def, allowed, help},
    CONFIG_OPTIONS(ROW_)
#undef ROW_
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct {
    const char *group, *title;
} groups[] = {{"GENERAL", "General"}, {"WEB", "Network"}, {"STORAGE", "Storage"}, {"INGEST", "Ingestion"}, {"QUERY", "Queries"}};

static bool is(const struct row *r, const char *type)
{
    return strcmp(r->type, type) == 0;
}

/* Text for troff: no line may start with a dot or quote, a minus is one that can be copied. */
static void roff(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            fputs("\\e", stdout);
        else if (*p == '-')
            fputs("\\-", stdout);
        else if ((*p == '.' || *p == '\'') && p == text)
            printf("\\&%c", *p);
        else
            putchar(*p);
    }
}

static const char *placeholder(const struct row *r)
{
    return is(r, "BYTES") ? "SIZE" : is(r, "SYNC") ? "MODE" : is(r, "STRING") ? "TEXT" : r->type;
}

static void man_option(const struct row *r)
{
    fputs(".TP\n\\fB\\-\\-", stdout);
    roff(r->name);
    if (is(r, "BOOL"))
        fputs("\\fR\n", stdout);
    else
        printf("\\fR=\\fI%s\\fR\n", placeholder(r));
    roff(r->help);
    putchar('\n');
    if (*r->allowed) {
        fputs(is(r, "LIST") ? "Any of: " : is(r, "COUNT") ? "Range: " : "One of: ", stdout);
        for (const char *p = r->allowed; *p; p++)
            if (*p == '|')
                fputs(", ", stdout);
            else
                printf(*p == '-' ? "\\-" : "%c", *p);
        fputs(".\n", stdout);
    }
    fputs("Default: ", stdout);
    roff(*r->def ? r->def : "none");
    fputs(".\n", stdout);
}

static const char man_head[] =
    ".SH NAME\n"
    "gnomon \\- time\\-series database that speaks Prometheus' remote write, PromQL and HTTP API\n"
    ".SH SYNOPSIS\n"
    ".B gnomon\n[\\fBserve\\fR] [\\fIOPTION\\fR...]\n.br\n"
    ".B gnomon check config\n\\fIFILE\\fR\n.br\n"
    ".B gnomon check rules\n\\fIFILE\\fR...\n.br\n"
    ".B gnomon check expressions\n\\fIFILE\\fR...\n.br\n"
    ".B gnomon inspect\n[\\fB\\-\\-json\\fR] \\fIDIRECTORY\\fR\n.br\n"
    ".B gnomon verify\n[\\fB\\-\\-json\\fR] [\\fB\\-\\-quick\\fR] \\fIDIRECTORY\\fR\n.br\n"
    ".B gnomon backup\n[\\fB\\-\\-full\\fR] \\fIDIRECTORY DESTINATION\\fR\n.br\n"
    ".B gnomon backup\n\\fBverify\\fR|\\fBlist\\fR|\\fBprune \\-\\-keep\\fR \\fIN\\fR \\fIDESTINATION\\fR\n.br\n"
    ".B gnomon restore\n[\\fB\\-\\-backup\\fR \\fINAME\\fR] \\fIDESTINATION DIRECTORY\\fR\n.br\n"
    ".B gnomon version\n"
    ".SH DESCRIPTION\n"
    "Takes samples by remote write, keeps them on disk, answers PromQL.\n"
    "Options are given as \\fB\\-\\-name\\fR=\\fIvalue\\fR, as environment variables (\\fBquery.timeout\\fR is\n"
    "\\fBGNOMON_QUERY_TIMEOUT\\fR) or in a YAML file (\\fB\\-\\-config.file\\fR).\n"
    "An option wins over the environment, the environment over the file.\n"
    "The names that VictoriaMetrics and Prometheus have for the same settings are accepted.\n"
    ".SS Commands\n"
    ".TP\n.B serve\nRuns the server; so does no command at all.\n"
    ".TP\n.B check config\nReads a configuration file and names the first mistake by its line.\n"
    ".TP\n.B check rules\nReads Prometheus' rule files: YAML, expressions, names, templates; exit status 1 for an error.\n"
    ".TP\n.B check expressions\nFinds the PromQL in rule files, manifests and Grafana dashboards; each must parse and print as itself.\n"
    ".TP\n.B inspect\nTells what a data directory holds.\n"
    ".TP\n.B verify\nReads every byte of a data directory and lists all damage; changes nothing.\n"
    ".TP\n.B backup\nCopies a data directory, whose server may be running, into another directory; what an earlier backup there has is "
    "not copied again.\n"
    ".TP\n.B restore\nWrites a backup into an empty directory and checks every byte of it.\n"
    ".TP\n.B version\nPrints version and revision.\n"
    ".SH OPTIONS\n";

static const char man_tail[] =
    ".SS Help\n"
    ".TP\n.B \\-\\-help\nAll options.\n"
    ".TP\n.B \\-\\-help\\-config\nA configuration file with every setting and its default.\n"
    ".TP\n.B \\-\\-version\nVersion and revision.\n"
    ".PP\n"
    "\\fIDURATION\\fR is a number with y, w, d, h, m, s or ms (1h30m); \\fISIZE\\fR a number with B, KB, MB, GB or TB in\n"
    "powers of 1024; \\fIMEMORY\\fR a size or a share such as 25%; \\fILIST\\fR words separated by commas.\n"
    ".SH SIGNALS\n"
    ".TP\n.BR SIGTERM \", \" SIGINT\nRunning requests may finish within \\fBweb.shutdown\\-timeout\\fR; then the server exits with status 0.\n"
    ".SH EXIT STATUS\n"
    "0 after a stop by signal or a check without findings, 1 after a failure or findings, 2 for wrong arguments.\n"
    ".SH FILES\n"
    ".TP\n.I /etc/gnomon/gnomon.yml\nSettings of the installed service.\n"
    ".TP\n.I /etc/default/gnomon\nFurther arguments of the installed service.\n"
    ".TP\n.I /var/lib/gnomon\nData of the installed service.\n"
    ".SH EXAMPLES\n"
    ".EX\n"
    "gnomon \\-\\-storage.path=/var/lib/gnomon \\-\\-storage.retention.time=90d\n"
    "gnomon \\-storageDataPath=/data \\-retentionPeriod=3\n"
    "curl 'http://127.0.0.1:8428/api/v1/query?query=up'\n"
    ".EE\n"
    ".SH SEE ALSO\n"
    ".BR prometheus (1),\n.BR systemctl (1)\n";

static void print_man(const char *version)
{
    printf(".\\\" Made from include/config/options.h by deploy/manual/manual.c\n"
           ".TH GNOMON 1 \"\" \"Gnomon %s\" \"User Commands\"\n", version);
    fputs(man_head, stdout);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        printf(".SS %s\n", groups[g].title);
        for (int i = 0; i < ROWS; i++)
            if (strcmp(rows[i].group, groups[g].group) == 0)
                man_option(&rows[i]);
    }
    fputs(man_tail, stdout);
}

/* "debug|info|interval:DURATION" with the placeholders gone and `between` between the words. */
static void print_choices(const char *allowed, char between)
{
    for (const char *p = allowed; *p; p++) {
        if (*p == '|')
            putchar(between);
        else if (isupper((unsigned char)*p))
            continue;
        else
            putchar(*p);
    }
}

static bool has_choices(const struct row *r)
{
    return *r->allowed && !is(r, "COUNT");
}

static bool is_directory(const struct row *r)
{
    return strcmp(r->name, "storage.path") == 0;
}

static bool is_file(const struct row *r)
{
    return strcmp(r->name, "config.file") == 0;
}

static void print_bash(void)
{
    puts("# bash completion for gnomon; made from include/config/options.h by deploy/manual/manual.c\n"
         "_gnomon()\n{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} name=\n"
         "    COMPREPLY=()\n"
         "    # --name=value comes as three words: --name, =, value\n"
         "    if [[ $word == = ]]; then name=$before word=\n"
         "    elif [[ $before == = ]]; then name=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
         "    case $name in");
    for (int i = 0; i < ROWS; i++) {
        if (has_choices(&rows[i])) {
            printf("    --%s) COMPREPLY=($(compgen -W '", rows[i].name);
            print_choices(rows[i].allowed, ' ');
            puts("' -- \"$word\")); return ;;");
        } else if (is_directory(&rows[i]) || is_file(&rows[i])) {
            printf("    --%s) COMPREPLY=($(compgen -%c -- \"$word\")); return ;;\n", rows[i].name,
                   is_file(&rows[i]) ? 'f' : 'd');
        }
    }
    puts("    --*) return ;;\n    esac\n"
         "    case ${COMP_WORDS[1]} in\n"
         "    check) COMPREPLY=($(compgen -W config -- \"$word\") $(compgen -f -- \"$word\")); return ;;\n"
         "    inspect) COMPREPLY=($(compgen -W '--json' -- \"$word\") $(compgen -d -- \"$word\")); return ;;\n"
         "    backup) COMPREPLY=($(compgen -W '--full verify list prune' -- \"$word\") $(compgen -d -- \"$word\")); return ;;\n"
         "    restore) COMPREPLY=($(compgen -W '--backup' -- \"$word\") $(compgen -d -- \"$word\")); return ;;\n"
         "    verify) COMPREPLY=($(compgen -W '--json --quick' -- \"$word\") $(compgen -d -- \"$word\")); return ;;\n"
         "    version) return ;;\n    esac\n"
         "    if [[ $word != -* && $COMP_CWORD == 1 ]]; then\n"
         "        COMPREPLY=($(compgen -W 'serve check inspect verify backup restore version' -- \"$word\"))\n        return\n    fi\n"
         "    COMPREPLY=($(compgen -W '");
    for (int i = 0; i < ROWS; i++)
        printf("        --%s%s\n", rows[i].name, is(&rows[i], "BOOL") ? "" : "=");
    puts("        --help --help-config --version' -- \"$word\"))\n"
         "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
         "}\n"
         "complete -F _gnomon gnomon");
}

/* Inside '...[HELP]...' of an _arguments word: quotes, brackets and colons would end it. */
static void zsh_text(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *p))
            printf("\\%c", *p);
        else
            putchar(*p);
    }
}

static void zsh_option(const struct row *r)
{
    printf("        '--%s%s[", r->name, is(r, "BOOL") ? "" : "=-");
    zsh_text(r->help);
    putchar(']');
    if (!is(r, "BOOL"))
        printf(":%s:", placeholder(r));
    if (has_choices(r)) {
        putchar('(');
        for (const char *p = r->allowed; *p; p++)
            if (*p == '|')
                putchar(' ');
            else if (*p == ':')
                fputs("\\:", stdout);
            else if (!isupper((unsigned char)*p))
                putchar(*p);
        putchar(')');
    } else if (is_file(r) || is_directory(r)) {
        fputs(is_file(r) ? "_files" : "_files -/", stdout);
    }
    puts("' \\");
}

static void print_zsh(void)
{
    puts("#compdef gnomon\n# made from include/config/options.h by deploy/manual/manual.c\n"
         "_gnomon() {\n"
         "    case $words[2] in\n"
         "    check) _arguments '2:what:(config)' '3:file:_files'; return ;;\n"
         "    inspect) _arguments '--json[Print JSON]' '*:directory:_files -/'; return ;;\n"
         "    backup) _arguments '--full[Read unchanged files again, too]' '*:directory:_files -/'; return ;;\n"
         "    restore) _arguments '--backup[Not the newest one]:name:' '*:directory:_files -/'; return ;;\n"
         "    verify) _arguments '--json[Print JSON]' '--quick[Checksums only, chunks are not decoded]' '*:directory:_files -/'; return ;;\n"
         "    version) return ;;\n    esac\n"
         "    _arguments \\\n"
         "        '1:command:(serve check inspect verify backup restore version)' \\");
    for (int i = 0; i < ROWS; i++)
        zsh_option(&rows[i]);
    puts("        '--help[All options]' '--help-config[A configuration file with every setting]' '--version[Version]'\n"
         "}\n"
         "_gnomon \"$@\"");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "man") == 0)
        print_man(argv[2]);
    else if (argc == 2 && strcmp(argv[1], "bash") == 0)
        print_bash();
    else if (argc == 2 && strcmp(argv[1], "zsh") == 0)
        print_zsh();
    else {
        fputs("usage: manual man VERSION | manual bash | manual zsh\n", stderr);
        return 2;
    }
    return 0;
}
