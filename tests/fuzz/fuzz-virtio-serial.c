/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial: registers, rings and buffers of a driver, control messages, ports and peers that
 * are added and removed, a machine that stops and runs. Invariant: each resulting state can be
 * saved and loads back to the same state.
 */
#include "fuzz-input.h"
#include "tests/unit/hw/char/serial-driver.h"

/* --- the driver --- */

static void op_register(Sd *s, Input *in)
{
    unsigned at = input_take(in, 1) % 0x40;
    unsigned size = 1u << (input_take(in, 1) & 3);

    drv_common_write(&s->v, at, size, input_take(in, size));
    drv_common_read(&s->v, at, size);
}

static void op_memory(Sd *s, Input *in)
{
    unsigned where = input_take(in, 1), at = input_take(in, 2);
    /* rings of the first queues, which the device reads, or data */
    uint64_t offset = where & 0x80 ? DRV_DATA + at : (where % 12) * DRV_RING_SPAN + at % 0x3000;

    *drv_ram(&s->v, offset % DRV_MESSAGES) = input_take(in, 1);
}

static void op_kick(Sd *s, Input *in)
{
    drv_kick(&s->v, input_take(in, 1));
}

static void op_say(Sd *s, Input *in)
{
    uint8_t *m = drv_ram(&s->v, DRV_DATA + 0x1000);
    uint8_t len = input_take(in, 1) & 15;
    DrvSeg seg = { RAM + DRV_DATA + 0x1000, len ? len : 8, false };

    memset(m, 0, 16);
    m[0] = input_take(in, 1);
    m[4] = input_take(in, 1);
    m[6] = input_take(in, 1);
    drv_offer(&s->v, CONTROL_TX, &seg, 1);
    drv_kick(&s->v, CONTROL_TX);
}

/* A chain of up to three segments, of any size and direction, in any queue. */
static void op_offer(Sd *s, Input *in)
{
    unsigned q = input_take(in, 1) % (2 * (SD_PORTS + 1)), n = 1 + input_take(in, 1) % 3;
    DrvSeg seg[3];

    for (unsigned i = 0; i < n; i++) {
        uint8_t how = input_take(in, 1);

        seg[i] =
            (DrvSeg){ RAM + DRV_DATA + input_take(in, 2), (how & 0x7f) << (how & 7), how >> 7 };
    }
    drv_offer(&s->v, q, seg, n);
    drv_kick(&s->v, q);
}

static void op_emergency(Sd *s, Input *in)
{
    guest_write(&s->f, s->v.config + input_take(in, 1) % 16, 1u << (input_take(in, 1) & 3),
                input_take(in, 4));
}

static void op_restart(Sd *s, Input *in)
{
    static const uint64_t features[] = { 0, F_BIT(VIRTIO_F_RING_PACKED),
                                         F_BIT(VIRTIO_RING_F_EVENT_IDX),
                                         F_BIT(VIRTIO_RING_F_INDIRECT_DESC) };
    uint8_t how = input_take(in, 1);

    drv_start(&s->v, (how & 4 ? 0 : F_BIT(1)) | features[how & 3], 2 * (SD_PORTS + 1));
    sd_offer_messages(s, how >> 3 & 15);
}

/* --- the host --- */

static void hang_up(Sd *s, unsigned n)
{
    if (s->peer[n] >= 0) {
        close(s->peer[n]);
        s->peer[n] = -1;
    }
}

static void op_peer(Sd *s, Input *in)
{
    uint8_t what = input_take(in, 1);
    unsigned n = what & 3;
    uint8_t buf[2000] = { 0 };

    if (s->peer[n] < 0) {
        return;
    }
    if (what & 0x80) {
        hang_up(s, n);
    } else if (what & 0x40) {
        g_assert_cmpint(recv(s->peer[n], buf, sizeof(buf), MSG_DONTWAIT), <=, sizeof(buf));
    } else {
        g_assert_cmpint(send(s->peer[n], buf, input_take(in, 1) + 1, MSG_DONTWAIT | MSG_NOSIGNAL),
                        <=, 256);
    }
    sd_turn();
}

static void op_plug(Sd *s, Input *in)
{
    uint8_t how = input_take(in, 1);
    unsigned n = how & 3;
    g_autofree char *id = g_strdup_printf("c%u", n);
    g_autofree char *name = g_strdup_printf(",name=\xc3\xa4%u", n);
    VirtioSerialPort *p = sd_function(s)->ports[n];

    if (p) {
        device_unplug(&p->dev);
        chardev_free(chardev_find(s->f.m, id));
        hang_up(s, n);
    } else {
        sd_port(s, n == 0 || how & 0x80 ? "virtconsole" : "virtserialport", n,
                how & 0x40 ? "" : name);
    }
}

static void op_run(Sd *s, Input *in)
{
    machine_set_state(s->f.m, input_take(in, 1) & 1 ? RUN_RUNNING : RUN_PAUSED);
}

static void check_device(Device *dev)
{
    g_autoptr(GByteArray) one = save_state((PCIDevice *)dev), two = NULL;
    g_autoptr(GError) err = NULL;

    load_state((PCIDevice *)dev, one, &err);
    g_assert_no_error(err);
    two = save_state((PCIDevice *)dev);
    g_assert_cmpmem(one->data, one->len, two->data, two->len);
}

static void op_save(Sd *s, Input *in)
{
    check_device(&s->v.d->dev);
    for (unsigned n = 0; n < SD_PORTS; n++) {
        if (sd_function(s)->ports[n]) {
            check_device(&sd_function(s)->ports[n]->dev);
        }
    }
}

/* A stream with one byte changed: rejected, or the device continues to work. */
static void op_load(Sd *s, Input *in)
{
    uint8_t which = input_take(in, 1);
    VirtioSerialPort *p = sd_function(s)->ports[which & 3];
    Device *dev = p && which & 0x80 ? &p->dev : &s->v.d->dev;
    g_autoptr(GByteArray) bytes = save_state((PCIDevice *)dev);
    g_autoptr(GError) err = NULL;

    bytes->data[input_take(in, 2) % bytes->len] ^= 1u << input_take(in, 1) % 8;
    if (!load_state((PCIDevice *)dev, bytes, &err)) {
        device_reset_tree(dev, RESET_COLD);
    }
    drv_find(&s->v, &s->f, s->v.d, false); /* the change may have moved its BARs */
    drv_start(&s->v, F_BIT(1), 2 * (SD_PORTS + 1));
}

static void (*const ops[])(Sd *s, Input *in) = { op_register, op_memory,    op_kick, op_say,
                                                 op_offer,    op_emergency, op_peer, op_plug,
                                                 op_run,      op_save,      op_load, op_restart };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    Sd s;

    sd_init(&s, "max_ports=4,packed=on", false);
    sd_port(&s, "virtconsole", 0, "");
    sd_port(&s, "virtserialport", 1, ",name=one");
    drv_start(&s.v, F_BIT(1) | F_BIT(2), 2 * (SD_PORTS + 1));
    for (unsigned i = 0; in.left && i < 300; i++) {
        ops[input_take(&in, 1) % G_N_ELEMENTS(ops)](&s, &in);
    }
    machine_set_state(s.f.m, RUN_RUNNING);
    sd_turn();
    op_save(&s, &in);
    sd_fini(&s);
    return 0;
}
