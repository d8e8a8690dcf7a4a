/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Return of guest memory to the host.
 */
#ifndef MEMORY_DISCARD_H
#define MEMORY_DISCARD_H

#include "memory/ram.h"

/**
 * ram_discard() - Return the memory of pages to the host.
 * @offset: of the first page in the block
 * @len:    bytes; full pages, inside the block
 *
 * The pages read as zero afterwards, which counts as a write (ram_written_any()). The host provides
 * memory again when a page is accessed. Machine lock.
 *
 * Return: false, with no effect, if the host cannot: the block is a private mapping of a file, or
 * its file system has no holes.
 */
bool ram_discard(RamBlock *block, uint64_t offset, uint64_t len);

#endif
