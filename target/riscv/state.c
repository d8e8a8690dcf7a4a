/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved state of a hart: architectural values only. TLBs, blocks and reservations are empty after a
 * load.
 */
#include <string.h>

#include "target/riscv/csr_internal.h"

#define SAVED_MSTATUS                                                                              \
    (MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP |         \
     MSTATUS_FS | MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW |            \
     MSTATUS_TSR)
#define T RiscvCpu

static const VmField file_fields[] = {
    VM_U64_ARRAY(ImsicFile, eip),
    VM_U64_ARRAY(ImsicFile, eie),
    VM_U64(ImsicFile, eidelivery, .mask = 1),
    VM_U64(ImsicFile, eithreshold, .mask = 0xff),
};

static const VmState file_vmstate = {
    .name = "imsic-file",
    .version = 1,
    .fields = file_fields,
    .n_fields = G_N_ELEMENTS(file_fields),
};

static const VmField fields[] = {
    { .name = "x", .kind = VM_KIND_U64, .field = offsetof(T, x), .count = 32 },
    VM_U64_ARRAY(T, f),
    VM_U64(T, pc, .mask = ~UINT64_C(1)),
    VM_U64(T, retired),
    VM_U8(T, priv, .max = PRIV_M),
    VM_U8(T, fflags, .mask = 0x1f),
    VM_U8(T, frm, .mask = 7),
    VM_U64(T, mstatus, .mask = SAVED_MSTATUS),
    VM_U64(T, medeleg, .mask = 0xb3ff),
    VM_U64(T, mideleg, .mask = MIP_S_ALL | MIP(LCOFI)),
    VM_U64(T, mie, .mask = MIP_S_ALL | MIP_M_ALL | MIP(LCOFI)),
    VM_U64(T, mip_in, .mask = MIP_S_ALL | MIP_M_ALL),
    VM_U64(T, mip_soft, .mask = MIP_S_ALL | MIP(LCOFI)),
    VM_U64(T, mtvec, .mask = ~UINT64_C(2)),
    VM_U64(T, mcounteren, .mask = UINT32_MAX),
    VM_U64(T, menvcfg),
    VM_U64(T, mcountinhibit, .mask = UINT32_MAX & ~2u),
    VM_U64(T, cycle_base),
    VM_U64(T, instret_base),
    VM_U64(T, mscratch),
    VM_U64(T, mepc, .mask = ~UINT64_C(1)),
    VM_U64(T, mcause),
    VM_U64(T, mtval),
    VM_U64(T, stvec, .mask = ~UINT64_C(2)),
    VM_U64(T, scounteren, .mask = UINT32_MAX),
    VM_U64(T, senvcfg),
    VM_U64(T, sscratch),
    VM_U64(T, sepc, .mask = ~UINT64_C(1)),
    VM_U64(T, scause),
    VM_U64(T, stval),
    VM_U64(T, satp),
    VM_U64(T, stimecmp),
    VM_U64(T, miselect, .mask = 0x1ff),
    VM_U64(T, siselect, .mask = 0x1ff),
    VM_U64_ARRAY(T, pmpcfg),
    VM_U64_ARRAY(T, pmpaddr, .mask = PMP_ADDR_MASK),
    VM_STRUCT_ARRAY(T, file, &file_vmstate),
    VM_U64_ARRAY(T, mstateen, .since = 2),
    VM_U64(T, tselect, .mask = TRIGGERS - 1, .since = 3),
    VM_U64_ARRAY(T, tdata1, .since = 3),
    VM_U64_ARRAY(T, tdata2, .since = 3),
    VM_U64_ARRAY(T, hpm_event, .since = 2),
    VM_U64_ARRAY(T, hpm_base, .since = 2),
    VM_U64_ARRAY(T, hpm_last, .since = 2),
    VM_U64_ARRAY(T, tlb_misses, .since = 2),
};

static bool state_refuse(GError **err, const char *what, uint64_t value, const char *legal)
{
    g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is 0x%" PRIx64 "; %s", what, value,
                legal);
    return false;
}

/* Check the registers of performance counters and of Sscofpmf and Smstateen. */
static bool state_check_counters(const RiscvCpu *cpu, GError **err)
{
    uint64_t counters = 7 | cpu->pmu_mask;
    uint64_t interrupts = has_ext(cpu, EXT_SSCOFPMF) ? UINT64_MAX : ~MIP(LCOFI);
    const struct {
        const char *name;
        uint64_t value, legal;
    } rows[] = {
        { "mcounteren", cpu->mcounteren, counters },
        { "scounteren", cpu->scounteren, counters },
        { "mcountinhibit", cpu->mcountinhibit, counters },
        { "mideleg", cpu->mideleg, interrupts },
        { "mie", cpu->mie, interrupts },
        { "mip", cpu->mip_soft, interrupts },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].value & ~rows[i].legal) {
            return state_refuse(err, rows[i].name, rows[i].value,
                                "it sets bits of counters that this CPU lacks (pmu-num, sscofpmf)");
        }
    }
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        bool absent = !(cpu->pmu_mask >> (i + PMU_FIRST) & 1);

        if ((cpu->hpm_event[i] & ~rv_pmu_event_legal(cpu)) || (absent && cpu->hpm_event[i])) {
            return state_refuse(err, "mhpmevent", cpu->hpm_event[i],
                                "it sets bits of an extension that is off, or of no counter");
        }
        if (absent && (cpu->hpm_base[i] | cpu->hpm_last[i])) {
            return state_refuse(err, "mhpmcounter", cpu->hpm_base[i] | cpu->hpm_last[i],
                                "a counter that this CPU lacks (pmu-num) is 0");
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(cpu->mstateen); i++) {
        if (cpu->mstateen[i] & ~riscv_mstateen_legal(cpu, i)) {
            return state_refuse(err, "mstateen", cpu->mstateen[i],
                                "it sets bits of extensions that are off here");
        }
    }
    return true;
}

static bool state_check_triggers(const RiscvCpu *cpu, GError **err)
{
    bool has = has_ext(cpu, EXT_SDTRIG);

    for (unsigned i = 0; i < TRIGGERS; i++) {
        if (cpu->tdata1[i] != (has ? rv_trigger_legal(cpu->tdata1[i]) : 0)) {
            return state_refuse(err, "tdata1", cpu->tdata1[i],
                                "the triggers of this CPU cannot have this value (sdtrig)");
        }
        if (cpu->tdata2[i] && !has) {
            return state_refuse(err, "tdata2", cpu->tdata2[i], "this CPU has no triggers (sdtrig)");
        }
    }
    if (cpu->tselect && !has) {
        return state_refuse(err, "tselect", cpu->tselect, "this CPU has no triggers (sdtrig)");
    }
    return true;
}

static bool rv_state_check(void *obj, GError **err)
{
    RiscvCpu *cpu = obj;
    unsigned mode = SATP_MODE(cpu->satp);

    if (cpu->x[0] != 0) {
        return state_refuse(err, "x0", cpu->x[0], "it is always 0");
    }
    if (cpu->priv == 2) {
        return state_refuse(err, "the privilege mode", cpu->priv, "0, 1 and 3 are legal");
    }
    if ((cpu->mstatus & MSTATUS_MPP) >> 11 == 2) {
        return state_refuse(err, "mstatus", cpu->mstatus, "MPP may be 0, 1 or 3");
    }
    if ((cpu->mstatus & MSTATUS_FS) && !has_ext(cpu, EXT_F)) {
        return state_refuse(err, "mstatus", cpu->mstatus, "FS is 0 without floating point");
    }
    if (mode != SATP_BARE && mode != SATP_SV39 && !(mode == SATP_SV48 && has_ext(cpu, EXT_SV48))) {
        return state_refuse(err, "satp", cpu->satp,
                            "the modes this CPU has are bare, sv39 and sv48");
    }
    uint64_t legal = riscv_menvcfg_legal(cpu);
    if (cpu->menvcfg & ~legal) {
        return state_refuse(err, "menvcfg", cpu->menvcfg,
                            "it sets bits of extensions that are off here");
    }
    if ((cpu->menvcfg & ENVCFG_CBIE) == (UINT64_C(2) << 4) ||
        (cpu->senvcfg & ENVCFG_CBIE) == (UINT64_C(2) << 4)) {
        return state_refuse(err, "menvcfg", cpu->menvcfg, "CBIE may be 0, 1 or 3, as in senvcfg");
    }
    if (cpu->senvcfg & ~(legal & SENVCFG_BITS)) {
        return state_refuse(err, "senvcfg", cpu->senvcfg,
                            "it sets bits of extensions that are off here");
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t none[2] = { 0, 0 };
        if (pmp_cfg_write(none, i, cpu->pmpcfg[i]) != cpu->pmpcfg[i]) {
            return state_refuse(err, "pmpcfg", cpu->pmpcfg[i], "a byte of it is reserved");
        }
    }
    return state_check_counters(cpu, err) && state_check_triggers(cpu, err);
}

void rv_state_changed(RiscvCpu *cpu)
{
    cpu->x[X_DUMP] = 0;
    cpu->lr_host = 0;
    pmp_compile(&cpu->pmp, cpu->pmpcfg, cpu->pmpaddr);
    rv_trigger_changed(cpu);
    blockcache_drop_all(&cpu->blocks);
    mmu_flush(cpu);
    rv_pmu_loaded(cpu);
    rv_timer_update(cpu);
    rv_check_interrupts(cpu);
}

static bool post_load(void *obj, GError **err)
{
    rv_state_changed(obj);
    return true;
}

const VmState riscv_cpu_vmstate = {
    .name = "cpu",
    .version = 3,
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .check = rv_state_check,
    .post_load = post_load,
};

static void reset_files(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < MSI_FILES; i++) {
        imsic_reset(&cpu->file[i]);
    }
}

void rv_reset(Cpu *c, uint64_t pc)
{
    RiscvCpu *cpu = riscv_cpu(c);

    memset(cpu->x, 0, sizeof(cpu->x));
    memset(cpu->f, 0, sizeof(cpu->f));
    cpu->pc = pc & ~UINT64_C(1);
    cpu->retired = 0;
    cpu->priv = PRIV_M;
    cpu->fflags = 0;
    cpu->frm = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        const VmField *f = &fields[i];
        bool input = f->field == offsetof(T, mip_in); /* devices drive it */
        if (f->kind == VM_KIND_U64 && f->field >= offsetof(T, mstatus) && !input) {
            memset((char *)cpu + f->field, 0, MAX(f->count, 1) * sizeof(uint64_t));
        }
    }
    /* Hardware updating of A and D is on by default, for firmware that does not set ADUE. The
     * device tree reports that with "svadu" and without "svade". With both, it is off until
     * software enables it. */
    cpu->menvcfg = has_ext(cpu, EXT_SVADU) && !has_ext(cpu, EXT_SVADE) ? ENVCFG_ADUE : 0;
    cpu->stimecmp = UINT64_MAX;
    cpu->cpu.halted = false;
    reset_files(cpu);
    rv_state_changed(cpu);
}
