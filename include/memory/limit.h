/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory the host can provide to this process: RAM plus swap, or less if a control group
 * limits it. Reads files of /proc and /sys; any thread, no state.
 */
#ifndef MEMORY_LIMIT_H
#define MEMORY_LIMIT_H

#include <glib.h>
#include <stdint.h>

/* Bytes, UINT64_MAX if unknown; *what names the limit for a message. */
uint64_t mem_limit_host(const char **what);

/* The parts of it, for tests: MemTotal + SwapTotal of the text of /proc/meminfo, in bytes. */
uint64_t mem_limit_meminfo(const char *text);
/* The least limit of the groups named by the text of /proc/self/cgroup and of the groups above
 * them, below `root` (/sys/fs/cgroup). `host`: RAM and swap, in bytes. UINT64_MAX: no limit. */
uint64_t mem_limit_groups(const char *groups, const char *root, uint64_t host);

#endif
