/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi with a disk that fails, changes its size and answers late, and a CD-ROM drive. Units
 * are plugged and unplugged; commands and task management have contents from the input.
 */
#include <errno.h>

#include "block/internal.h"
#include "fuzz-virtio.h"
#include "hw/scsi/virtio_scsi_internal.h"

enum { HEADER = DRV_DATA, RESPONSE = DRV_DATA + 0x1000, BYTES = DRV_DATA + 0x2000 };

static int failing; /* the results of requests */
static BlockDriver faulty;

static void submit(BlockNode *n, BlockRequest *req)
{
    block_complete_any(req, failing);
}

static void prepare(Fixture *f)
{
    failing = 0;
    faulty = block_raw;
    faulty.submit = submit;
    block_find(f->m, "d0")->drv = &faulty;
}

static void plug_unit(Fixture *f, const char *id, const char *text)
{
    g_autoptr(PlanDevice) plan = plan_device_parse(text, NULL);
    Device *dev = device_find_id(f->m, id);

    if (dev) {
        device_unplug(dev);
    } else {
        dev = device_new(f->m, device_type_find(plan->type), plan, NULL);
        device_realize(dev, plan, NULL, NULL);
    }
}

static void plug_hd(Fixture *f)
{
    plug_unit(f, "h", "scsi-hd,id=h,drive=d0,bus=dut.0,scsi-id=0,lun=0");
}

static void plug_cd(Fixture *f)
{
    plug_unit(f, "c", "scsi-cd,id=c,bus=dut.0,scsi-id=1,lun=3");
}

static void plugged(Fixture *f)
{
    plug_hd(f);
    plug_cd(f);
}

static void host(Fixture *f, Input *in)
{
    static const int results[] = { 0, -EIO, -ENOSPC, 0 };
    uint8_t what = input_take(in, 1);

    if (what & 0x80) {
        block_resize(block_find(f->m, "d0"), (uint64_t)(what & 0x7f) << 16, NULL);
    } else if (what & 0x40) {
        (what & 1 ? plug_hd : plug_cd)(f);
    } else {
        failing = results[what & 3];
    }
}

static void manage_tasks(Drv *v, Input *in)
{
    struct virtio_scsi_ctrl_tmf_req req = { .lun = { 1 } };
    DrvSeg seg[] = { { RAM + HEADER, sizeof(req), false }, { RAM + RESPONSE, 1, true } };

    req.subtype = (uint32_t)input_take(in, 1);
    req.lun[1] = (uint8_t)input_take(in, 1) & 1;
    req.tag = input_take(in, 1);
    memcpy(drv_ram(v, HEADER), &req, sizeof(req));
    drv_offer(v, CONTROL_QUEUE, seg, 2);
    drv_kick(v, CONTROL_QUEUE);
}

/* A command with any CDB and data, or task management. */
static void driver(Drv *v, Input *in)
{
    struct virtio_scsi_cmd_req req = { .lun = { 1 } };
    uint8_t how = input_take(in, 1);
    DrvSeg seg[4] = { { RAM + HEADER, sizeof(req), false } };
    unsigned n = 1;

    if (!v->ring[REQUEST_QUEUES].size) {
        return;
    }
    if ((how & 0xe0) == 0xe0) {
        manage_tasks(v, in);
        return;
    }
    req.lun[1] = how & 1;
    req.lun[3] = how & 1 ? 3 : 0;
    req.tag = how >> 1 & 3;
    for (unsigned i = 0; i < 16; i++) {
        req.cdb[i] = (uint8_t)input_take(in, 1);
    }
    memcpy(drv_ram(v, HEADER), &req, sizeof(req));
    if (how & 8) {
        seg[n++] = (DrvSeg){ RAM + BYTES, (uint32_t)input_take(in, 2), false };
    }
    seg[n++] = (DrvSeg){ RAM + RESPONSE, sizeof(struct virtio_scsi_cmd_resp), true };
    if (how & 16) {
        seg[n++] = (DrvSeg){ RAM + BYTES, (uint32_t)input_take(in, 2), true };
    }
    drv_offer(v, REQUEST_QUEUES, seg, n);
    drv_kick(v, REQUEST_QUEUES);
}

/* Requests that were delayed must complete like all others. */
static void finish(Fixture *f)
{
    failing = 0;
    machine_set_state(f->m, RUN_RUNNING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FuzzVirtio target = {
        .type = "virtio-scsi-pci",
        .settings = { NULL, "num_queues=3,packed=on", "virtqueue_size=16,hotplug=off",
                      "vectors=0,packed=on,virtqueue_size=1024" },
        .queues = REQUEST_QUEUES + 1,
        .drive = "{'id':'d0','file':{'driver':'null-co','size':1048576},'format':'raw',"
                 "'rerror':'stop'}",
        .prepare = prepare,
        .plugged = plugged,
        .host = host,
        .driver = driver,
        .finish = finish,
    };

    return fuzz_virtio(&target, data, size);
}
