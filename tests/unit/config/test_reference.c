/* docs/configuration.md is the table. */
#include <criterion/criterion.h>

#include "config/config.h"

Test(config_reference, the_page_is_the_one_that_the_table_makes)
{
    struct buf committed = {0}, made = {0};
    struct errmsg why = {0};
    cr_assert_eq(fs_read_file(fs_posix(), "docs/configuration.md", 1 << 20, &committed, &why), ERR_OK, "%s", why.text);
    config_print_reference(&made);
    if (strcmp(buf_cstr(&committed), buf_cstr(&made)) != 0) {
        cr_expect_eq(fs_replace_file(fs_posix(), "build/configuration.md", buf_view(&made), &why), ERR_OK);
        cr_expect_fail("docs/configuration.md is behind the table: cp build/configuration.md docs/");
    }
    buf_deinit(&committed);
    buf_deinit(&made);
}
