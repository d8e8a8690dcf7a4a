/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where message-signalled interrupts land: the interrupt file of a CPU.
 *
 * An MSI is a memory write. A device's message goes through the address map to the page of an
 * interrupt file (hw/intc), which decodes it to (cpu, file, identity) and calls the CPU's sink.
 */
#ifndef HW_CORE_MSI_SINK_H
#define HW_CORE_MSI_SINK_H

#include <stdint.h>

typedef enum MsiFile { MSI_FILE_M, MSI_FILE_S, MSI_FILES } MsiFile;

struct Cpu;
typedef struct MsiSink {
    /* Set interrupt identity `id` pending in the file; 0 and identities beyond the file's are
     * ignored. Any thread, no lock. */
    void (*deliver_any)(struct Cpu *cpu, MsiFile file, uint32_t id);
    uint16_t num_ids; /* identities 1..num_ids */
} MsiSink;

#endif
