/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that the host can provide: /proc/meminfo, and control groups of both versions.
 */
#include <glib.h>
#include <glib/gstdio.h>

#include "memory/limit.h"

#define GiB (1ull << 30)

static void test_meminfo(void)
{
    g_assert_cmpuint(mem_limit_meminfo("MemTotal:  1024 kB\nMemFree: 9 kB\nSwapTotal: 512 kB\n"),
                     ==, 1536 * 1024);
    g_assert_cmpuint(mem_limit_meminfo("nothing"), ==, UINT64_MAX);
}

static void put(const char *root, const char *dir, const char *name, const char *text)
{
    g_autofree char *folder = g_build_filename(root, dir, NULL);
    g_autofree char *path = g_build_filename(folder, name, NULL);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void test_groups(void)
{
    g_autofree char *root = g_dir_make_tmp("limit-XXXXXX", NULL);
    g_autofree char *remove = g_strdup_printf("rm -r '%s'", root);

    put(root, "a", "memory.max", "2147483648\n");
    put(root, "a", "memory.swap.max", "1073741824\n");
    put(root, "a/b", "memory.max", "max\n");
    put(root, "c", "memory.max", "1073741824\n");
    put(root, "memory/d", "memory.limit_in_bytes", "1048576\n");
    put(root, "memory/d", "memory.memsw.limit_in_bytes", "2097152\n");
    /* a limit of the parent group counts, with its swap */
    g_assert_cmpuint(mem_limit_groups("0::/a/b\n", root, 8 * GiB), ==, 3 * GiB);
    /* without a swap limit the host's swap is available */
    g_assert_cmpuint(mem_limit_groups("0::/c\n", root, 8 * GiB), ==, 9 * GiB);
    g_assert_cmpuint(mem_limit_groups("5:cpu:/a\n4:memory:/d\n", root, 8 * GiB), ==, 2 << 20);
    g_assert_cmpuint(mem_limit_groups("0::/\n", root, 8 * GiB), ==, UINT64_MAX);
    g_assert_cmpuint(mem_limit_groups("0::/nosuch\nodd\n", root, 8 * GiB), ==, UINT64_MAX);
    g_assert_true(g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/limit/meminfo", test_meminfo);
    g_test_add_func("/memory/limit/groups", test_groups);
    return g_test_run();
}
