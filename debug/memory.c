/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as a debugger accesses it (contract in debug/memory.h).
 */
#include "debug/memory.h"

#include <string.h>

/* A part of an access that stays inside one page. */
typedef struct DebugPiece {
    Machine *m;
    uint64_t pa, len;
    uint8_t *to;         /* of a read; NULL: a write */
    const uint8_t *from; /* of a write */
} DebugPiece;

static bool debug_piece_device(const DebugPiece *p)
{
    uint64_t value = 0;

    if (p->len > 8 || (p->len & (p->len - 1)) || p->pa % p->len) {
        return false;
    }
    if (p->to) {
        bool ok = mem_read(&p->m->memory, p->pa, p->len, &value) == MEM_OK;

        memcpy(p->to, &value, p->len); /* both are little-endian, as on the hosts supported */
        return ok;
    }
    memcpy(&value, p->from, p->len);
    return mem_write(&p->m->memory, p->pa, p->len, value) == MEM_OK;
}

static bool debug_piece_access(const DebugPiece *p)
{
    RamBlock *block;
    uint64_t offset;
    uint8_t *host = mem_ram_ptr(&p->m->memory, p->pa, p->len, &block, &offset);

    if (!host) {
        return debug_piece_device(p);
    }
    if (p->to) {
        memcpy(p->to, host, p->len);
    } else {
        memcpy(host, p->from, p->len);
        ram_written_any(block, offset, p->len);
    }
    return true;
}

/* A CPU type without translation has no virtual memory to show. */
static bool debug_translate(Cpu *cpu, uint64_t va, uint64_t *pa)
{
    return cpu->type->translate && cpu->type->translate(cpu, va, pa);
}

static uint64_t debug_access(DebugPiece *p, Cpu *cpu, uint64_t addr, uint64_t len)
{
    uint64_t done = 0;

    while (done < len) {
        uint64_t va = addr + done;

        p->pa = va;
        p->len = MIN(len - done, RAM_PAGE_SIZE - (va & (RAM_PAGE_SIZE - 1)));
        if ((cpu && !debug_translate(cpu, va, &p->pa)) || !debug_piece_access(p)) {
            break;
        }
        done += p->len;
        p->to = p->to ? p->to + p->len : NULL;
        p->from = p->from ? p->from + p->len : NULL;
    }
    return done;
}

uint64_t debug_read(Machine *m, Cpu *cpu, uint64_t addr, void *buf, uint64_t len)
{
    return debug_access(&(DebugPiece){ .m = m, .to = buf }, cpu, addr, len);
}

uint64_t debug_write(Machine *m, Cpu *cpu, uint64_t addr, const void *buf, uint64_t len)
{
    return debug_access(&(DebugPiece){ .m = m, .from = buf }, cpu, addr, len);
}
