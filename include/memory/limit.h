/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limit of the memory that the host can provide to this process: RAM plus swap, or less if a
 * control group limits it. Reads files of /proc and /sys. Any thread; no state.
 */
#ifndef MEMORY_LIMIT_H
#define MEMORY_LIMIT_H

#include <glib.h>
#include <stdint.h>

/* Return the limit in bytes, or UINT64_MAX if it is unknown; *what describes it for a message. */
uint64_t mem_limit_host(const char **what);

/* The parts of it, for tests: MemTotal + SwapTotal of the text of /proc/meminfo, in bytes. */
uint64_t mem_limit_meminfo(const char *text);
/* Return the smallest limit of the groups in the text of /proc/self/cgroup and of the groups above
 * them, below @root (/sys/fs/cgroup). @host: RAM and swap in bytes. UINT64_MAX: no limit. */
uint64_t mem_limit_groups(const char *groups, const char *root, uint64_t host);

#endif
