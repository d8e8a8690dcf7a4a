/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme with a disk that fails, changes its size and answers late: registers, doorbells, commands
 * with plausible and arbitrary memory, resets, save and load, stops, unplug.
 */
#include <errno.h>

#include "fuzz-input.h"

#define FIXTURE_WITH_TYPES
#include "tests/unit/hw/nvme/nvme-driver.h"

enum { QUEUE_ENTRIES = 8 };

static int failing; /* the results of requests */
static BlockDriver faulty;

static void faulty_submit(BlockNode *n, BlockRequest *req)
{
    block_complete_any(req, failing);
}

/* Plug namespace 2, or unplug it if it exists. */
static void fuzz_namespace(NvmeDrv *v)
{
    static const char options[] = "nvme-ns,bus=dut,drive=d1,nsid=2";
    NvmeNs *ns = nvme_ns_find(nvme_dut(v), 2);

    if (ns) {
        device_unplug(ns->dev);
    } else {
        g_autoptr(PlanDevice) plan = plan_device_parse(options, NULL);
        Device *dev = device_new(v->f.m, device_type_find("nvme-ns"), plan, NULL);

        g_assert_true(device_realize(dev, plan, NULL, NULL));
    }
}

static const char *const settings[4] = {
    "drive=d0,serial=s",
    "drive=d0,serial=s,max_ioqpairs=3,msix_qsize=2,aerl=0",
    "drive=d0,serial=s,mdts=1,logical_block_size=4096,physical_block_size=4096",
    "serial=s",
};

#define FUZZ_DRIVE(id)                                                                             \
    "{'id':'" id "','file':{'driver':'null-co','size':1048576},'format':'raw','discard':'unmap',"  \
    "'rerror':'stop'}"

static void fuzz_start(NvmeDrv *v)
{
    nvme_program_function(v);
    nvme_program_msix(v);
    nvme_enable_dut(v);
    for (unsigned q = 1; q < NVME_PAIRS; q++) {
        nvme_forget_queue(v, q, QUEUE_ENTRIES);
        nvme_offer(v, 0,
                   (NvmeCommand){ .opcode = NVME_ADMIN_CREATE_CQ,
                                  .prp1 = RAM + NVME_CQ_AT + q * 0x1000,
                                  .cdw10 = (QUEUE_ENTRIES - 1) << 16 | q,
                                  .cdw11 = (q & 1) << 16 | 3 });
        nvme_offer(v, 0,
                   (NvmeCommand){ .opcode = NVME_ADMIN_CREATE_SQ,
                                  .prp1 = RAM + NVME_SQ_AT + q * 0x1000,
                                  .cdw10 = (QUEUE_ENTRIES - 1) << 16 | q,
                                  .cdw11 = q << 16 | 1 });
    }
    nvme_kick(v, 0);
}

static uint64_t fuzz_address(Input *in)
{
    static const uint64_t places[] = {
        NVME_DATA, RAM + NVME_LIST_AT, RAM + NVME_SQ_AT, RAM + RAM_SIZE - 16, NVME_BAR, 0,
        ECAM,      UINT64_MAX - 0xfff
    };

    return places[input_take(in, 1) & 7] + input_take(in, 2);
}

/* A command with few arbitrary bits, so that it often passes the checks. */
static void fuzz_command(NvmeDrv *v, Input *in)
{
    static const uint8_t io[] = { 0, 1, 2, 5, 8, 9, 2, 1 };
    static const uint8_t admin[] = { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12 };
    unsigned q = input_take(in, 1) % NVME_PAIRS, op = (unsigned)input_take(in, 1);
    NvmeCommand cmd = { .nsid = op & 0x80 ? (uint32_t)input_take(in, 4) : op >> 6 & 1 };

    cmd.nsid += op >> 5 & op >> 6 & 1; /* namespace 2 */
    cmd.opcode = q ? io[op & 7] : admin[op % 10];
    cmd.flags = op & 0x20 ? NVME_PSDT_SGL : op & 0x10 ? (uint8_t)input_take(in, 1) : 0;
    cmd.prp1 = fuzz_address(in);
    cmd.prp2 = fuzz_address(in);
    if (op & 0x20) { /* the second half of an SGL descriptor */
        cmd.prp2 = input_take(in, 2) | input_take(in, 1) << 56;
    }
    cmd.cdw10 = (uint32_t)input_take(in, 2) | (uint32_t)(input_take(in, 1) & 0x1f) << 16;
    cmd.cdw11 = q ? (uint32_t)input_take(in, 1) & 4 : (uint32_t)input_take(in, 4);
    cmd.cdw12 = (uint32_t)(input_take(in, 2) & 0x1ff);
    nvme_offer(v, q, cmd);
}

static void fuzz_poke(NvmeDrv *v, Input *in)
{
    uint64_t at = NVME_SQ_AT + input_take(in, 3) % (NVME_DATA_AT - NVME_SQ_AT);
    uint64_t entry = fuzz_address(in);

    memcpy(nvme_ram(v, at & ~7ull), &entry, sizeof(entry));
}

static void fuzz_reset(NvmeDrv *v, unsigned way)
{
    static const ResetKind kinds[] = { RESET_COLD, RESET_HOT, RESET_FUNCTION, RESET_D3HOT };

    pci_device_reset(v->d, kinds[way & 3]);
    if (way & 4) {
        fuzz_start(v);
    }
}

/* A saved state loads, and saves again to the same bytes; one with a changed byte may be refused.
 */
static void fuzz_state(NvmeDrv *v, Input *in)
{
    g_autoptr(GByteArray) now = save_state(v->d), again = NULL;
    uint32_t at = (uint32_t)input_take(in, 2) % now->len;
    uint8_t change = (uint8_t)input_take(in, 1);

    g_assert_true(load_state(v->d, now, NULL));
    again = save_state(v->d);
    g_assert_cmpmem(now->data, now->len, again->data, again->len);
    again->data[at] ^= change;
    if (!load_state(v->d, again, NULL)) {
        g_assert_true(load_state(v->d, now, NULL));
    }
}

static void fuzz_host(NvmeDrv *v, Input *in)
{
    static const int results[] = { 0, -EIO, -ENOSPC, 0 };
    uint8_t what = (uint8_t)input_take(in, 1);

    if (what == 0x7f) {
        fuzz_namespace(v);
    } else if (what & 0x80) {
        block_resize(block_find(v->f.m, "d0"), (uint64_t)(what & 0x7f) << 16, NULL);
    } else {
        failing = results[what & 3];
    }
}

static void fuzz_bar(NvmeDrv *v, uint64_t at, Input *in)
{
    unsigned size = 1u << (input_take(in, 1) & 3);

    guest_write(&v->f, NVME_BAR + at, size, input_take(in, size));
    guest_read(&v->f, NVME_BAR + at, size);
}

static void fuzz_step(NvmeDrv *v, Input *in, const char *how)
{
    uint8_t op = (uint8_t)input_take(in, 1);
    unsigned q = op >> 4 & 3;

    switch (op & 15) {
    case 0:
        fuzz_bar(v, input_take(in, 1) & 0x3f, in);
        break;
    case 1:
        fuzz_bar(v, input_take(in, 2) & 0x3fff, in);
        break;
    case 2:
        nvme_doorbell(v, q, op >> 6 & 1, (uint32_t)input_take(in, 1));
        break;
    case 3:
    case 4:
    case 5:
        fuzz_command(v, in);
        break;
    case 6:
    case 7:
        nvme_kick(v, q);
        break;
    case 8:
        fuzz_poke(v, in);
        break;
    case 9:
        fuzz_start(v);
        break;
    case 10:
        nvme_settle();
        clock_step_ns(&v->f, 1000000);
        break;
    case 11:
        fuzz_reset(v, op >> 4);
        break;
    case 12:
        fuzz_state(v, in);
        break;
    case 13:
        device_unplug(&v->d->dev);
        nvme_plug(v, how);
        break;
    case 14:
        machine_set_state(v->f.m, op >> 4 & 1 ? RUN_RUNNING : RUN_PAUSED);
        break;
    default:
        if (op & 0x80) {
            fuzz_host(v, in);
        } else if (op & 0x40) {
            nvme_collect(v, q);
        } else {
            config_write(&v->f, NVME_DEVFN, (uint32_t)input_take(in, 1), 1,
                         (uint32_t)input_take(in, 1));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 4096) };
    struct json_object *second = json_tokener_parse(FUZZ_DRIVE("d1"));
    NvmeDrv v = { .cid = 0 };
    const char *how = settings[input_take(&in, 1) & 3];

    failing = 0;
    faulty = block_raw;
    faulty.submit = faulty_submit;
    drv_machine(&v.f, FUZZ_DRIVE("d0"), NULL);
    g_assert_nonnull(block_drive_new(v.f.m, second, false, NULL));
    json_object_put(second);
    block_find(v.f.m, "d0")->drv = block_find(v.f.m, "d1")->drv = &faulty;
    nvme_plug(&v, how);
    fuzz_start(&v);
    while (in.left) {
        fuzz_step(&v, &in, how);
    }
    failing = 0;
    machine_set_state(v.f.m, RUN_RUNNING);
    nvme_settle();
    nvme_fini(&v);
    return 0;
}
