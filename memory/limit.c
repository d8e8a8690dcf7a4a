/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory the host can provide to this process.
 *
 * References: proc(5) /proc/meminfo; Linux Documentation/admin-guide/cgroup-v2.rst (memory.max,
 * memory.swap.max) and cgroup-v1/memory.rst (memory.limit_in_bytes, memory.memsw.limit_in_bytes).
 */
#include "memory/limit.h"

#include <stdbool.h>
#include <string.h>

static uint64_t limit_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t mem_limit_meminfo(const char *text)
{
    static const char *const keys[] = { "MemTotal:", "SwapTotal:" };
    uint64_t total = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *at = strstr(text, keys[i]);

        total += at ? g_ascii_strtoull(at + strlen(keys[i]), NULL, 10) * 1024 : 0;
    }
    return total ? total : UINT64_MAX;
}

/* The number in a cgroup file; @absent if the file does not exist or contains "max". */
static uint64_t limit_read(const char *dir, const char *name, uint64_t absent)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *text = NULL;
    char *end;
    uint64_t v;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return absent;
    }
    v = g_ascii_strtoull(text, &end, 10);
    return end == text ? absent : v;
}

/* One directory: memory and swap together. Without a swap limit, swap is limited by the host's. */
static uint64_t group_limit(const char *dir, bool v1, uint64_t host)
{
    uint64_t memory;

    if (v1) {
        memory = limit_read(dir, "memory.limit_in_bytes", UINT64_MAX);
        return memory == UINT64_MAX
                   ? UINT64_MAX
                   : MIN(host, limit_read(dir, "memory.memsw.limit_in_bytes", host));
    }
    memory = limit_read(dir, "memory.max", UINT64_MAX);
    return memory == UINT64_MAX ? UINT64_MAX
                                : limit_add(memory, limit_read(dir, "memory.swap.max", host));
}

uint64_t mem_limit_groups(const char *groups, const char *root, uint64_t host)
{
    g_auto(GStrv) lines = g_strsplit(groups, "\n", -1);
    uint64_t limit = UINT64_MAX;

    for (size_t i = 0; lines[i]; i++) { /* "0::/a/b" or "5:memory:/a/b" */
        g_auto(GStrv) f = g_strsplit(lines[i], ":", 3);
        bool v1, three = g_strv_length(f) == 3;
        g_autofree char *base = NULL, *dir = NULL;

        if (!three || (*f[1] && !g_str_has_suffix(f[1], "memory"))) {
            continue;
        }
        v1 = *f[1] != '\0';
        base = v1 ? g_build_filename(root, "memory", NULL) : g_strdup(root);
        dir = g_build_filename(base, f[2], NULL);
        while (strlen(dir) >= strlen(base)) { /* a limit of any group above counts */
            char *slash;

            limit = MIN(limit, group_limit(dir, v1, host));
            slash = strrchr(dir, '/');
            *slash = '\0';
        }
    }
    return limit;
}

uint64_t mem_limit_host(const char **what)
{
    g_autofree char *info = NULL, *groups = NULL;
    uint64_t host = UINT64_MAX, group = UINT64_MAX;

    if (g_file_get_contents("/proc/meminfo", &info, NULL, NULL)) {
        host = mem_limit_meminfo(info);
    }
    if (g_file_get_contents("/proc/self/cgroup", &groups, NULL, NULL)) {
        group = mem_limit_groups(groups, "/sys/fs/cgroup", host);
    }
    *what = group < host ? "the memory limit of its control group" : "RAM and swap of the host";
    return MIN(host, group);
}
