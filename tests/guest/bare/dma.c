/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program for gdb: two devices write to memory by DMA. Hart 1 lets fw_cfg write
 * `received` inside its store to the DMA register; hart 0 starts the timer after which edu (slot 3)
 * writes `copied`. No CPU stores to either.
 */
#include <stdint.h>

volatile uint32_t received; /* "QEMU", then 3, and again */
volatile uint64_t copied;   /* counts */
volatile uint64_t count;

enum { FW_CFG_SIGNATURE = 0, FW_CFG_ID = 1, FW_CFG_SELECT = 8, FW_CFG_READ = 2 };

/* Store a number as big-endian bytes; the compiler must not need a library function for it. */
static void store_be(volatile void *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        ((volatile uint8_t *)to)[i] = value >> (bytes - 1 - i) * 8;
    }
}

static void fw_cfg_receive(uint32_t key)
{
    static volatile struct {
        uint32_t control, length;
        uint64_t address;
    } command;
    static volatile uint64_t where;

    store_be(&command.length, sizeof(received), 4);
    store_be(&command.address, (uintptr_t)&received, 8);
    store_be(&command.control, key << 16 | FW_CFG_SELECT | FW_CFG_READ, 4);
    store_be(&where, (uintptr_t)&command, 8);
    *(volatile uint64_t *)0x10100010 = where;
    while (command.control) {
    }
}

static volatile uint8_t *const config = (uint8_t *)0x30000000 + (3 << 15);
static volatile uint8_t *const edu = (uint8_t *)0x40000000;
enum { EDU_BUFFER = 0x40000, EDU_SRC = 0x80, EDU_DST = 0x88, EDU_COUNT = 0x90, EDU_CMD = 0x98 };
enum { EDU_RUN = 1, EDU_TO_RAM = 2 };

static volatile uint64_t *edu_register(unsigned offset)
{
    return (volatile uint64_t *)(edu + offset);
}

static void edu_copy(uint64_t from, uint64_t to, uint64_t direction)
{
    *edu_register(EDU_SRC) = from;
    *edu_register(EDU_DST) = to;
    *edu_register(EDU_COUNT) = sizeof(copied);
    *edu_register(EDU_CMD) = EDU_RUN | direction;
    while (*edu_register(EDU_CMD) & EDU_RUN) {
    }
}

__attribute__((noreturn)) void run(unsigned long hart)
{
    if (hart == 1) {
        for (;;) {
            fw_cfg_receive(FW_CFG_SIGNATURE);
            fw_cfg_receive(FW_CFG_ID);
        }
    }
    *(volatile uint32_t *)(config + 0x10) = (uintptr_t)edu;
    *(volatile uint16_t *)(config + 0x04) = 6; /* memory, bus master */
    for (;;) {
        count++;
        edu_copy((uintptr_t)&count, EDU_BUFFER, 0);
        edu_copy(EDU_BUFFER, (uintptr_t)&copied, EDU_TO_RAM);
    }
}

__attribute__((naked, section(".text.first"))) void _start(void)
{
    __asm__ volatile("csrr a0, mhartid\n\tla sp, _start + 0x10000\n\tslli t0, a0, 12\n\t"
                     "add sp, sp, t0\n\tj run");
}
