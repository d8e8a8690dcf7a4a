/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing guest memory to a file, as bytes or as an ELF core that gdb opens.
 *
 * A dump is written in steps, so that the main loop continues to answer. The memory of an ELF core
 * is consistent only if the machine is stopped meanwhile. RAM must not be added or removed before
 * the dump is freed.
 *
 * Locking: machine lock, main loop.
 */
#ifndef DEBUG_DUMP_H
#define DEBUG_DUMP_H

#include "hw/core/cpu.h"

typedef struct DebugDump DebugDump;

/* Contents of an ELF core. */
typedef struct DebugCoreOptions {
    bool paging;  /* segments have the virtual addresses of the first CPU */
    bool limited; /* only physical memory in [begin, begin + length) */
    uint64_t begin, length;
} DebugCoreOptions;

/**
 * debug_dump_core() - Begin an ELF core: registers of the CPUs, and RAM.
 * @path: the file; NULL: write to @fd
 * @fd:   a descriptor, consumed in every case; -1 with @path
 *
 * Return: the dump; NULL with @err set if the file cannot be written, there is no RAM in the range,
 * or the guest maps more ranges than a core can contain.
 */
DebugDump *debug_dump_core(Machine *m, const DebugCoreOptions *options, const char *path, int fd,
                           GError **err);
/**
 * debug_dump_bytes() - Begin a file of the bytes of a range of memory.
 * @cpu: translates the addresses; NULL: they are physical
 */
DebugDump *debug_dump_bytes(Machine *m, Cpu *cpu, uint64_t addr, uint64_t len, const char *path,
                            GError **err);

typedef enum DebugDumpStep {
    DEBUG_DUMP_MORE, /* a part was written */
    DEBUG_DUMP_WAIT, /* the reader of the descriptor accepts no data now */
    DEBUG_DUMP_DONE,
    DEBUG_DUMP_FAILED, /* *err is set */
} DebugDumpStep;

/* Write the next part, which takes some milliseconds. */
DebugDumpStep debug_dump_step(DebugDump *d, GError **err);
/* The number of bytes written so far, and of all bytes. */
void debug_dump_progress(const DebugDump *d, uint64_t *done, uint64_t *total);
/* Free a dump. The file of one that is not complete is removed. */
void debug_dump_free(DebugDump *d);

#endif
