/* A site's own tests of its dialplan: Lua files that make simulated calls and say what they expect. dialplan/README.md
 * has the functions that they find. For the command line: one thread, blocks. */
#ifndef SCRIPT_SITE_TEST_H
#define SCRIPT_SITE_TEST_H

#include "base/base.h"

struct site_test_config {
    const char *dir, *library_dir; /* of the dialplan; the tests are dir/tests/NAME.lua */
    /* Each test that has run; why: NULL when it has passed, else lines of words. */
    void (*tested)(void *arg, const char *file, const char *name, const char *why);
    void *arg;
};

struct site_test_result {
    unsigned passed, failed;
};

/* 0; -ENOENT: there are no tests; -EINVAL: the dialplan is broken, or a file of tests is; words in why. */
int site_test(const struct site_test_config *config, struct site_test_result *result, char *why, size_t why_size);

#endif
