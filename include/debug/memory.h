/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as a debugger accesses it.
 *
 * Virtual addresses are translated with the current page tables of a CPU, without checking rights
 * and without setting A and D bits. Read-only RAM (ROM) can be written.
 *
 * An access of 1, 2, 4 or 8 bytes at an aligned address of a device is one access of this width to
 * the device, with its side effects. Devices reject all other accesses, so that a debugger that
 * reads ahead or follows a wild pointer changes no device.
 */
#ifndef DEBUG_MEMORY_H
#define DEBUG_MEMORY_H

#include "hw/core/cpu.h"

/**
 * debug_read() - Read memory.
 * @m:    the machine
 * @cpu:  the CPU that translates @addr; NULL: @addr is a physical address
 * @addr: first address
 * @buf:  receives the bytes
 * @len:  number of bytes
 *
 * Locking: machine lock, @cpu parked.
 *
 * Return: the number of bytes from @addr on that could be read.
 */
uint64_t debug_read(Machine *m, Cpu *cpu, uint64_t addr, void *buf, uint64_t len);
/* Write memory; otherwise as debug_read(). Decoded code is dropped, and pages become dirty. */
uint64_t debug_write(Machine *m, Cpu *cpu, uint64_t addr, const void *buf, uint64_t len);

#endif
