/*
 * fuzz_config.c - settings from a hostile file, command line and environment.
 *
 * The first byte chooses: YAML as it is, or lines that are flags (lines with '=' first in capitals are
 * also tried as environment).  Whatever comes, loading ends, and what was accepted prints as YAML that
 * reads back to the same values.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/mem.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { WORDS_MAX = 32 };

static void check_reads_back(const struct config *c)
{
    struct config *again = config_new();
    struct buf yaml = {0};
    struct errmsg why = {0};
    config_print_yaml(c, &yaml);
    enum err err = config_load_yaml(again, "again", buf_view(&yaml), &why);
    bool utf8 = true; /* values from flags may hold bytes that YAML cannot */
    for (size_t i = 0; i < yaml.len; i++)
        utf8 = utf8 && yaml.data[i] < 0x80;
    assert(!utf8 || err == ERR_OK);
    for (int i = 0; utf8 && i < OPT_COUNT; i++)
        assert(i == OPT_CONFIG_FILE ||
               !strcmp(config_text(c, (enum config_option)i), config_text(again, (enum config_option)i)));
    buf_deinit(&yaml);
    config_free(again);
}

static enum err load_words(struct config *c, const uint8_t *data, size_t bytes, struct errmsg *why)
{
    char *words[WORDS_MAX + 1] = {0};
    int count = 0;
    char *text = mem_alloc(bytes + 1);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    char *save = NULL;
    for (char *w = strtok_r(text, "\n", &save); w && count < WORDS_MAX; w = strtok_r(NULL, "\n", &save))
        if (!strstr(w, "config.file") && !strstr(w, "CONFIG_FILE")) /* no files in here */
            words[count++] = w;
    enum err err = config_load(c, &(struct config_sources){count, words, words, NULL}, why);
    mem_free(text);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    struct config *c = config_new();
    struct errmsg why = {0};
    enum err err = data[0] == 'f' ? load_words(c, data + 1, bytes - 1, &why)
                                  : config_load_yaml(c, "fuzz.yml", slice_of(data + 1, bytes - 1), &why);
    assert(err == ERR_OK || why.text[0]);
    if (err == ERR_OK)
        check_reads_back(c);
    config_free(c);
    return 0;
}
