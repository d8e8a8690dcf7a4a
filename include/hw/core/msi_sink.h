/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Target of message-signalled interrupts: the interrupt files of a CPU (RISC-V AIA chapter 3).
 *
 * An MSI is a memory write. The address map routes it to the page of an interrupt file (hw/intc),
 * which decodes it to CPU, file and identity and calls the sink of the CPU.
 */
#ifndef HW_CORE_MSI_SINK_H
#define HW_CORE_MSI_SINK_H

#include <stdint.h>

typedef enum MsiFile { MSI_FILE_M, MSI_FILE_S, MSI_FILES } MsiFile;

struct Cpu;
typedef struct MsiSink {
    /* Set interrupt identity `id` pending in a file. 0 and identities above num_ids are ignored.
     * Any thread, without the machine lock. */
    void (*deliver_any)(struct Cpu *cpu, MsiFile file, uint32_t id);
    uint16_t num_ids; /* identities 1 to num_ids exist */
} MsiSink;

#endif
