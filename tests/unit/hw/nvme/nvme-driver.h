/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of nvme: queue pairs in guest RAM, with a page of data for each command.
 */
#ifndef TESTS_NVME_DRIVER_H
#define TESTS_NVME_DRIVER_H

#include "../virtio/virtio-driver.h"
#include "block/internal.h"
#include "hw/nvme/internal.h"

enum {
    NVME_DEVFN = PCI_DEVFN(4, 0),
    NVME_PAIRS = 4,       /* queue pairs of the driver, with the admin pair */
    NVME_SQ_AT = 0x10000, /* 0x1000 bytes for each queue */
    NVME_CQ_AT = 0x18000,
    NVME_LIST_AT = 0x20000, /* PRP lists and SGLs */
    NVME_MSI_AT = 0x28000,
    NVME_DATA_AT = 0x40000,
    NVME_NONE = -1,
};
#define NVME_BAR MMIO

typedef struct NvmeDrv {
    Fixture f;
    PCIDevice *d;
    struct {
        uint16_t size, tail, head, phase;
    } q[NVME_PAIRS];
    uint16_t cid;    /* of the last command */
    uint32_t result; /* of the last completion */
    uint16_t last_cid;
} NvmeDrv;

static inline Nvme *nvme_dut(NvmeDrv *v)
{
    return (Nvme *)v->d;
}

static inline uint8_t *nvme_ram(NvmeDrv *v, uint64_t at)
{
    return v->f.ram.ram->host + at;
}

static inline uint8_t *nvme_data(NvmeDrv *v)
{
    return nvme_ram(v, NVME_DATA_AT);
}

static inline uint32_t nvme_reg(NvmeDrv *v, unsigned at)
{
    return (uint32_t)guest_read(&v->f, NVME_BAR + at, 4);
}

static inline void nvme_set_reg(NvmeDrv *v, unsigned at, uint32_t value)
{
    guest_write(&v->f, NVME_BAR + at, 4, value);
}

static inline void nvme_settle(void)
{
    for (unsigned i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

/* --- queues --- */

static inline void nvme_doorbell(NvmeDrv *v, unsigned q, bool cq, uint32_t value)
{
    nvme_set_reg(v, NVME_REG_DOORBELLS + 8 * q + 4 * cq, value);
}

static inline void nvme_forget_queue(NvmeDrv *v, unsigned q, uint16_t size)
{
    v->q[q].size = size;
    v->q[q].tail = v->q[q].head = 0;
    v->q[q].phase = 1;
    memset(nvme_ram(v, NVME_CQ_AT + q * 0x1000), 0, 0x1000);
}

/* Place a command in a queue, without the doorbell. */
static inline void nvme_offer(NvmeDrv *v, unsigned q, NvmeCommand cmd)
{
    cmd.cid = ++v->cid;
    memcpy(nvme_ram(v, NVME_SQ_AT + q * 0x1000 + v->q[q].tail * sizeof(cmd)), &cmd, sizeof(cmd));
    v->q[q].tail = (uint16_t)((v->q[q].tail + 1) % v->q[q].size);
}

static inline void nvme_kick(NvmeDrv *v, unsigned q)
{
    nvme_doorbell(v, q, false, v->q[q].tail);
}

/* Take a completion, and return its status; NVME_NONE: there is none. */
static inline int nvme_peek(NvmeDrv *v, unsigned q, bool consume)
{
    NvmeCqe e;

    memcpy(&e, nvme_ram(v, NVME_CQ_AT + q * 0x1000 + v->q[q].head * sizeof(e)), sizeof(e));
    if ((e.status & 1) != v->q[q].phase) {
        return NVME_NONE;
    }
    v->result = e.result;
    v->last_cid = e.cid;
    v->q[q].head = (uint16_t)((v->q[q].head + 1) % v->q[q].size);
    v->q[q].phase ^= v->q[q].head == 0;
    if (consume) {
        nvme_doorbell(v, q, true, v->q[q].head);
    }
    return e.status >> 1;
}

static inline int nvme_collect(NvmeDrv *v, unsigned q)
{
    return nvme_peek(v, q, true);
}

static inline int nvme_wait(NvmeDrv *v, unsigned q)
{
    Wait w = wait_begin("a completion", G_STRLOC, 20);
    int status;

    while ((status = nvme_collect(v, q)) == NVME_NONE && !wait_over(&w)) {
        g_main_context_iteration(NULL, FALSE);
    }
    return status;
}

#define NVME_DATA (RAM + NVME_DATA_AT)

/* Run a command; without prp1, its data are at NVME_DATA. */
static inline int nvme_run(NvmeDrv *v, unsigned q, NvmeCommand cmd)
{
    cmd.prp1 = cmd.prp1 ? cmd.prp1 : NVME_DATA;
    nvme_offer(v, q, cmd);
    nvme_kick(v, q);
    return nvme_wait(v, q);
}

#define NVME_ADMIN(v, op, ...) nvme_run(v, 0, (NvmeCommand){ .opcode = (op), ##__VA_ARGS__ })
#define NVME_IO_NS(v, op, ns, ...)                                                                 \
    nvme_run(v, 1, (NvmeCommand){ .opcode = (op), .nsid = (ns), ##__VA_ARGS__ })
#define NVME_IO(v, op, ...) NVME_IO_NS(v, op, 1, ##__VA_ARGS__)

/* --- the controller --- */

static inline void nvme_disable(NvmeDrv *v)
{
    nvme_set_reg(v, NVME_REG_CC, 0);
}

/* Enable the controller, with an admin queue of 32 entries. */
static inline void nvme_enable_dut(NvmeDrv *v)
{
    nvme_disable(v);
    nvme_forget_queue(v, 0, 32);
    nvme_set_reg(v, NVME_REG_AQA, 31 << 16 | 31);
    guest_write(&v->f, NVME_BAR + NVME_REG_ASQ, 8, RAM + NVME_SQ_AT);
    guest_write(&v->f, NVME_BAR + NVME_REG_ACQ, 8, RAM + NVME_CQ_AT);
    nvme_set_reg(v, NVME_REG_CC, 0x460001);
}

/* Create a queue pair; vector: of the interrupts. Return the status of the first failure. */
static inline int nvme_create_pair(NvmeDrv *v, unsigned q, uint16_t size, uint32_t vector)
{
    int status = NVME_ADMIN(v, NVME_ADMIN_CREATE_CQ, .prp1 = RAM + NVME_CQ_AT + q * 0x1000,
                            .cdw10 = (size - 1u) << 16 | q, .cdw11 = vector << 16 | 3);

    nvme_forget_queue(v, q, size);
    return status ? status
                  : NVME_ADMIN(v, NVME_ADMIN_CREATE_SQ, .prp1 = RAM + NVME_SQ_AT + q * 0x1000,
                               .cdw10 = (size - 1u) << 16 | q, .cdw11 = q << 16 | 1);
}

static inline void nvme_program_function(NvmeDrv *v)
{
    config_write(&v->f, NVME_DEVFN, PCI_BASE_ADDRESS_0, 4, (uint32_t)NVME_BAR);
    config_write(&v->f, NVME_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* Enable MSI-X. Vector n writes n + 1 to word n at NVME_MSI_AT. */
static inline void nvme_program_msix(NvmeDrv *v)
{
    for (unsigned n = 0; n < NVME_PAIRS; n++) {
        guest_write(&v->f, NVME_BAR + 0x2000 + 16 * n, 8, RAM + NVME_MSI_AT + 4 * n);
        guest_write(&v->f, NVME_BAR + 0x2008 + 16 * n, 8, n + 1);
    }
    config_write(&v->f, NVME_DEVFN, 0x40 + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
}

static inline void nvme_plug(NvmeDrv *v, const char *settings)
{
    v->d = plug_function(&v->f, drv_type("nvme"), "pcie.0", "dut", NVME_DEVFN, settings);
    nvme_program_function(v);
}

/* A machine with a controller, whose driver runs a queue pair. */
static inline void nvme_init(NvmeDrv *v, const char *drive, const char *settings)
{
    *v = (NvmeDrv){ .cid = 0 };
    drv_machine(&v->f, drive, NULL);
    nvme_plug(v, settings);
    nvme_program_msix(v);
    nvme_enable_dut(v);
    g_assert_cmpint(nvme_create_pair(v, 1, 32, 1), ==, NVME_SUCCESS);
}

static inline void nvme_fini(NvmeDrv *v)
{
    drv_finish(&v->f);
}

#endif
