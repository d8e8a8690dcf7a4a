/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A UART: eight byte registers, two FIFOs of 16 bytes, a character back end. It is a device of
 * the board (serial-mm) and a PCI function with the registers in an I/O BAR (pci-serial).
 *
 * Reference: National Semiconductor PC16550D data sheet; register names are those of Linux.
 * Transmission uses no guest time. A byte is moved from the FIFO to a buffer, which is passed to
 * the back end when it is full or a millisecond old, so that bulk output does not cost a system
 * call for each byte. While the back end accepts no bytes, the FIFO keeps them and THRE remains
 * clear. Reception follows the trigger level, and the character timeout of four character times on
 * the virtual clock.
 *
 * The registers are not RegDesc rows, because an offset does not identify one: DLAB of LCR selects
 * between two registers at offsets 0 and 1, and offset 2 reads IIR but writes FCR. Of the five
 * other registers, only LCR and SCR are plain storage. A read of RBR, IIR, LSR or MSR changes
 * state.
 */
#include <linux/serial_reg.h>

#include "chardev/chardev.h"
#include "hw/core/sysdev.h"
#include "hw/pci/pci.h"
#include "util/error.h"

/* Bits that are implemented or have no name in linux/serial_reg.h. */
enum {
    IER_BITS = UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI,
    IIR_FIFO_ENABLED = 0xc0,
    FCR_KEPT = UART_FCR_ENABLE_FIFO | UART_FCR_DMA_SELECT | UART_FCR_TRIGGER_MASK,
    MCR_BITS = UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP,
    MSR_INPUTS = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD,
};
#define FIFO_SIZE     16
#define PCI_CLOCK_HZ  1843200 /* 16 * 115200 baud */
#define LINE_SIZE     256
#define LINE_DELAY_NS 1000000

typedef struct Serial {
    union {
        Device dev; /* the first member of the others */
        SysDevice sys;
        PCIDevice pci;
    };
    char *chardev;
    uint32_t clock_hz;
    Chardev *chr;
    ChardevFront front;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
    uint8_t rx[FIFO_SIZE], rx_bad[FIFO_SIZE], tx[FIFO_SIZE]; /* oldest first */
    uint8_t n_rx, n_tx;
    uint8_t line[LINE_SIZE]; /* transmitted by the guest, but not passed to the back end yet */
    uint16_t n_line;
    Timer line_flush; /* realtime */
    bool thre_pending, timeout_pending;
    Timer rx_timeout;
} Serial;

static unsigned serial_fifo_depth(const Serial *s)
{
    return s->fcr & UART_FCR_ENABLE_FIFO ? FIFO_SIZE : 1;
}

static unsigned serial_rx_trigger(const Serial *s)
{
    static const uint8_t levels[4] = { 1, 4, 8, 14 };

    return s->fcr & UART_FCR_ENABLE_FIFO ? levels[s->fcr >> 6] : 1;
}

/* The pending interrupt of the highest priority, as encoded in IIR (data sheet, table 5). */
static uint8_t serial_pending_interrupt(const Serial *s)
{
    if ((s->ier & UART_IER_RLSI) && (s->lsr & UART_LSR_BRK_ERROR_BITS))
        return UART_IIR_RLSI;
    if ((s->ier & UART_IER_RDI) && s->n_rx >= serial_rx_trigger(s))
        return UART_IIR_RDI;
    if ((s->ier & UART_IER_RDI) && s->timeout_pending)
        return UART_IIR_RX_TIMEOUT;
    if ((s->ier & UART_IER_THRI) && s->thre_pending)
        return UART_IIR_THRI;
    if ((s->ier & UART_IER_MSI) && (s->msr & UART_MSR_ANY_DELTA))
        return 0;
    return UART_IIR_NO_INT;
}

static void serial_update_irq(Serial *s)
{
    bool level = serial_pending_interrupt(s) != UART_IIR_NO_INT;

    if (s->dev.type->kind == &pci_device_kind)
        pci_irq_set(&s->pci, 0, level);
    else
        sysdev_irq_set(&s->sys, 0, level);
}

static uint64_t serial_char_time_ns(const Serial *s)
{
    unsigned divisor = s->dlm << 8 | s->dll;
    unsigned bits =
        1 + 5 + (s->lcr & 3) + !!(s->lcr & UART_LCR_PARITY) + 1 + !!(s->lcr & UART_LCR_STOP);

    return (uint64_t)bits * 16 * MAX(divisor, 1) * 1000000000ull / s->clock_hz;
}

/* Update the LSR bits and the timeout that depend on the receive FIFO. */
static void serial_rx_changed(Serial *s)
{
    bool bad = false;

    s->timeout_pending = false;
    for (unsigned i = 0; i < s->n_rx; i++)
        bad |= s->rx_bad[i] != 0;
    s->lsr = (s->lsr & ~(UART_LSR_DR | UART_LSR_FIFOE)) | (s->n_rx ? UART_LSR_DR : 0);
    if (s->n_rx) /* the error bits of the oldest character */
        s->lsr |= s->rx_bad[0] | (bad && (s->fcr & UART_FCR_ENABLE_FIFO) ? UART_LSR_FIFOE : 0);
    if (s->n_rx && (s->fcr & UART_FCR_ENABLE_FIFO))
        timer_arm_ns(&s->rx_timeout, 4 * serial_char_time_ns(s));
    else
        timer_cancel(&s->rx_timeout);
}

static void serial_rx_timed_out(void *dev)
{
    Serial *s = dev;

    s->timeout_pending = s->n_rx > 0;
    serial_update_irq(s);
}

static void serial_rx_push(Serial *s, uint8_t c, uint8_t bad)
{
    if (s->n_rx == serial_fifo_depth(s)) {
        s->lsr |= UART_LSR_OE;
        if (s->fcr &
            UART_FCR_ENABLE_FIFO) /* the shift register is overwritten, the FIFO is not (8.4.1) */
            return;
        s->n_rx = 0;
    }
    s->rx[s->n_rx] = c;
    s->rx_bad[s->n_rx++] = bad;
    serial_rx_changed(s);
}

static uint8_t serial_rx_pop(Serial *s)
{
    uint8_t c = s->rx[0];

    if (!s->n_rx)
        return 0;
    s->n_rx--;
    memmove(s->rx, s->rx + 1, s->n_rx);
    memmove(s->rx_bad, s->rx_bad + 1, s->n_rx);
    serial_rx_changed(s);
    return c;
}

/* Pass buffered bytes to the back end. */
static void serial_line_send(Serial *s)
{
    bool heard = s->chr && chardev_is_open(s->chr);
    size_t sent = heard ? chardev_write(s->chr, s->line, s->n_line) : s->n_line;

    if (s->chr && !heard)
        chardev_log(s->chr, s->line, s->n_line);
    s->n_line -= sent;
    memmove(s->line, s->line + sent, s->n_line);
    timer_cancel(&s->line_flush);
}

static void serial_line_put(Serial *s, uint8_t c)
{
    s->line[s->n_line++] = c;
    if (s->n_line == LINE_SIZE)
        serial_line_send(s);
    else if (!timer_armed(&s->line_flush))
        timer_arm_ns(&s->line_flush, LINE_DELAY_NS);
}

/* Transmit bytes of the FIFO. Returns whether there were any. */
static bool serial_tx_send(Serial *s)
{
    unsigned sent = 0;

    for (; sent < s->n_tx && (s->mcr & UART_MCR_LOOP || s->n_line < LINE_SIZE); sent++) {
        if (s->mcr & UART_MCR_LOOP)
            serial_rx_push(s, s->tx[sent], 0);
        else
            serial_line_put(s, s->tx[sent]);
    }
    s->n_tx -= sent;
    memmove(s->tx, s->tx + sent, s->n_tx);
    return sent > 0;
}

static void serial_tx_flush(Serial *s)
{
    bool sent = serial_tx_send(s);

    if (s->n_tx) {
        s->lsr &= ~(UART_LSR_THRE | UART_LSR_TEMT);
    } else if (sent) {
        s->lsr |= UART_LSR_THRE | UART_LSR_TEMT;
        s->thre_pending = true;
    }
}

/* Modem inputs: a modem that is always ready, or the UART's own outputs in loopback (8.6.6). */
static void serial_update_modem(Serial *s)
{
    uint8_t now = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD, changed;

    if (s->mcr & UART_MCR_LOOP) {
        now = (s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
              (s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
              (s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
              (s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
    }
    changed = (s->msr ^ now) & MSR_INPUTS;
    if (now & UART_MSR_RI) /* TERI is set by the trailing edge only */
        changed &= ~UART_MSR_RI;
    s->msr = now | (s->msr & UART_MSR_ANY_DELTA) | changed >> 4;
}

static uint8_t serial_read_iir(Serial *s)
{
    uint8_t iir = serial_pending_interrupt(s);

    if (iir == UART_IIR_THRI)
        s->thre_pending = false;
    return iir | (s->fcr & UART_FCR_ENABLE_FIFO ? IIR_FIFO_ENABLED : 0);
}

static uint8_t serial_read_lsr(Serial *s)
{
    uint8_t v = s->lsr;

    s->lsr &= ~UART_LSR_BRK_ERROR_BITS;
    if (s->n_rx)
        s->rx_bad[0] = 0;
    return v;
}

static uint8_t serial_read_msr(Serial *s)
{
    uint8_t v = s->msr;

    s->msr &= ~UART_MSR_ANY_DELTA;
    return v;
}

static uint64_t serial_read(void *opaque, uint64_t offset, unsigned size)
{
    Serial *s = opaque;
    bool dlab = s->lcr & UART_LCR_DLAB;
    uint8_t v = 0;

    switch (offset) {
    case UART_RX:
        v = dlab ? s->dll : serial_rx_pop(s);
        break;
    case UART_IER:
        v = dlab ? s->dlm : s->ier;
        break;
    case UART_IIR:
        v = serial_read_iir(s);
        break;
    case UART_LCR:
        v = s->lcr;
        break;
    case UART_MCR:
        v = s->mcr;
        break;
    case UART_LSR:
        v = serial_read_lsr(s);
        break;
    case UART_MSR:
        v = serial_read_msr(s);
        break;
    case UART_SCR:
        v = s->scr;
        break;
    }
    serial_update_irq(s);
    if (offset == UART_RX && s->chr)
        chardev_accept_input(s->chr);
    return v;
}

static void serial_write_thr(Serial *s, uint8_t v)
{
    if (s->n_tx == serial_fifo_depth(s))
        s->n_tx--; /* a full FIFO loses its newest entry */
    s->tx[s->n_tx++] = v;
    s->thre_pending = false;
    serial_tx_flush(s);
}

static void serial_write_ier(Serial *s, uint8_t v)
{
    bool enabled = (v & ~s->ier) & UART_IER_THRI;

    s->ier = v & IER_BITS;
    if (enabled &&
        (s->lsr & UART_LSR_THRE)) /* enabling the interrupt while THR is empty raises it (8.6.3) */
        s->thre_pending = true;
}

static void serial_write_fcr(Serial *s, uint8_t v)
{
    if ((v ^ s->fcr) & UART_FCR_ENABLE_FIFO)
        v |= UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT;
    if (!(v & UART_FCR_ENABLE_FIFO))
        v &= UART_FCR_CLEAR_RCVR |
             UART_FCR_CLEAR_XMIT; /* other bits are written only together with bit 0 */
    s->fcr = v & FCR_KEPT;
    if (v & UART_FCR_CLEAR_RCVR)
        s->n_rx = 0;
    if (v & UART_FCR_CLEAR_XMIT && s->n_tx) {
        s->n_tx = 0;
        s->lsr |= UART_LSR_THRE | UART_LSR_TEMT;
        s->thre_pending = true;
    }
    serial_rx_changed(s);
}

static void serial_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Serial *s = opaque;
    bool dlab = s->lcr & UART_LCR_DLAB;
    uint8_t v = value;

    switch (offset) {
    case UART_RX:
        if (dlab)
            s->dll = v;
        else
            serial_write_thr(s, v);
        break;
    case UART_IER:
        if (dlab)
            s->dlm = v;
        else
            serial_write_ier(s, v);
        break;
    case UART_IIR:
        serial_write_fcr(s, v);
        break;
    case UART_LCR:
        s->lcr = v;
        break;
    case UART_MCR:
        s->mcr = v & MCR_BITS;
        serial_update_modem(s);
        serial_tx_flush(s);
        break;
    case UART_SCR:
        s->scr = v;
        break;
    }
    serial_update_irq(s);
    if ((offset == UART_IIR || offset == UART_MCR) && s->chr)
        chardev_accept_input(s->chr);
}

static const MemOps serial_ops = {
    .read = serial_read, .write = serial_write, .impl_min = 1, .impl_max = 1, .unaligned = true
};

/* --- called by the back end --- */

static size_t serial_front_can_read(void *opaque)
{
    Serial *s = opaque;

    return s->mcr & UART_MCR_LOOP ? 0 : serial_fifo_depth(s) - s->n_rx;
}

static void serial_front_read(void *opaque, const uint8_t *buf, size_t len)
{
    Serial *s = opaque;

    for (size_t i = 0; i < len; i++)
        serial_rx_push(s, buf[i], 0);
    serial_update_irq(s);
}

static void serial_front_writable(void *opaque)
{
    Serial *s = opaque;

    serial_line_send(s);
    serial_tx_flush(s);
    serial_update_irq(s);
}

static void serial_front_event(void *opaque, ChardevEvent event)
{
    Serial *s = opaque;

    if (event == CHARDEV_BREAK && !(s->mcr & UART_MCR_LOOP))
        serial_rx_push(s, 0, UART_LSR_BI);
    if (event == CHARDEV_CLOSED) /* without a peer, waiting bytes are lost */
        serial_front_writable(s);
    serial_update_irq(s);
}

static bool serial_realize(void *dev, GError **err)
{
    Serial *s = dev;

    timer_setup(&s->rx_timeout, serial_rx_timed_out, s);
    timer_setup_plain(&s->line_flush, s->dev.machine, CLOCK_KIND_REALTIME, serial_front_writable,
                      s);
    if (!s->chardev)
        return true;
    s->chr = chardev_find(s->dev.machine, s->chardev);
    if (!s->chr) {
        return error_set(err, ERROR_USER,
                         "%s: there is no chardev '%s' (chardev= is the id of a -chardev)",
                         device_name(&s->dev), s->chardev);
    }
    s->front = (ChardevFront){ serial_front_can_read, serial_front_read, serial_front_event,
                               serial_front_writable, s };
    if (!chardev_attach(s->chr, &s->front, err)) {
        s->chr = NULL;
        return false;
    }
    return true;
}

static bool serial_pci_realize(void *dev, GError **err)
{
    ((Serial *)dev)->clock_hz = PCI_CLOCK_HZ;
    return serial_realize(dev, err);
}

static void serial_unrealize(void *dev)
{
    Serial *s = dev;

    timer_cancel(&s->rx_timeout);
    serial_line_send(s);
    if (s->chr)
        chardev_detach(s->chr, &s->front);
    s->chr = NULL;
}

static void serial_reset(void *dev, ResetKind kind)
{
    Serial *s = dev;

    s->ier = s->fcr = s->lcr = s->scr = s->dlm = 0;
    s->mcr = UART_MCR_OUT2; /* as PC firmware leaves it */
    s->dll = 12;
    s->lsr = UART_LSR_THRE | UART_LSR_TEMT;
    s->msr = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
    s->n_rx = s->n_tx = 0;
    s->thre_pending = s->timeout_pending = false;
    timer_cancel(&s->rx_timeout);
}

static void serial_reset_exit(void *dev)
{
    Serial *s = dev;

    serial_update_irq(s);
    if (s->chr)
        chardev_accept_input(s->chr);
}

/* Clear unused bytes, so that equal states result in equal streams. */
static void serial_pre_save(void *obj)
{
    Serial *s = obj;

    serial_line_send(s);
    memset(s->rx + s->n_rx, 0, FIFO_SIZE - s->n_rx);
    memset(s->rx_bad + s->n_rx, 0, FIFO_SIZE - s->n_rx);
    memset(s->tx + s->n_tx, 0, FIFO_SIZE - s->n_tx);
    memset(s->line + s->n_line, 0, LINE_SIZE - s->n_line);
}

/* Enabling or disabling the FIFOs empties them, so that none exceeds its depth. */
static bool serial_check(void *obj, GError **err)
{
    const Serial *s = obj;

    if (s->n_rx > serial_fifo_depth(s) || s->n_tx > serial_fifo_depth(s)) {
        return error_set(
            err, ERROR_GUEST,
            "%u bytes received (n_rx) and %u to send (n_tx), but the FIFOs have room for %u",
            s->n_rx, s->n_tx, serial_fifo_depth(s));
    }
    return true;
}

static bool serial_post_load(void *obj, GError **err)
{
    Serial *s = obj;

    if (s->n_line) /* the back end of the source did not accept it */
        timer_arm_ns(&s->line_flush, LINE_DELAY_NS);
    serial_update_irq(s);
    return true;
}

/* The rows of both types. */
#define SERIAL_ROWS                                                                                \
    VM_U8(Serial, ier, .mask = IER_BITS), VM_U8(Serial, fcr, .mask = FCR_KEPT),                    \
        VM_U8(Serial, lcr), VM_U8(Serial, mcr, .mask = MCR_BITS), VM_U8(Serial, lsr),              \
        VM_U8(Serial, msr), VM_U8(Serial, scr), VM_U8(Serial, dll), VM_U8(Serial, dlm),            \
        VM_BYTES(Serial, rx), VM_BYTES(Serial, rx_bad), VM_BYTES(Serial, tx),                      \
        VM_U8(Serial, n_rx, .max = FIFO_SIZE), VM_U8(Serial, n_tx, .max = FIFO_SIZE),              \
        VM_BYTES(Serial, line), VM_U16(Serial, n_line, .max = LINE_SIZE),                          \
        VM_BOOL(Serial, thre_pending), VM_BOOL(Serial, timeout_pending),                           \
        VM_TIMER(Serial, rx_timeout)
static const VmField serial_fields[] = { SERIAL_ROWS };
static const VmField serial_pci_fields[] = { VM_PCI(Serial, pci), SERIAL_ROWS };

static const VmState serial_vmstate = {
    .name = "serial",
    .version = 1,
    .fields = serial_fields,
    .n_fields = G_N_ELEMENTS(serial_fields),
    .pre_save = serial_pre_save,
    .check = serial_check,
    .post_load = serial_post_load,
};

static const VmState serial_pci_vmstate = {
    .name = "pci-serial",
    .version = 1,
    .fields = LIST(serial_pci_fields),
    .pre_save = serial_pre_save,
    .check = serial_check,
    .post_load = serial_post_load,
};

static const PlanProp serial_props[] = {
    PROP_BACKEND(Serial, chardev, "chardev", "chardev", "the character back end"),
    PROP_U32(Serial, clock_hz, "clock-frequency", 3686400, 16, UINT32_MAX,
             "frequency of the baud rate generator's input, in Hz"),
};

static const SysRegionDesc serial_regions[] = {
    { .name = "serial", .size = 0x100, .ops = &serial_ops },
};

static const SysDeviceType serial_type = {
    .base = {
        .name = "serial-mm",
        .doc = "16550A UART",
        .kind = &sys_device_kind,
        .size = sizeof(Serial),
        .props = serial_props, .n_props = G_N_ELEMENTS(serial_props),
        .vmstate = &serial_vmstate,
        .internal = true,
        .realize = serial_realize,
        .reset = serial_reset,
        .reset_exit = serial_reset_exit,
        .unrealize = serial_unrealize,
    },
    .regions = serial_regions, .n_regions = G_N_ELEMENTS(serial_regions),
    .n_irqs = 1,
};
SYS_DEVICE_TYPE(serial_type);

static const PlanProp serial_pci_props[] = {
    PROP_BACKEND(Serial, chardev, "chardev", "chardev", "the character back end"),
};

static const PCIBarDesc serial_pci_bars[] = {
    { .index = 0, .kind = PCI_BAR_IO, .size = 8, .ops = &serial_ops },
};

static const PCIDeviceType serial_pci_type = {
    .base = { .name = "pci-serial",
              .doc = "16550A UART on PCI",
              .kind = &pci_device_kind,
              .size = sizeof(Serial),
              .props = LIST(serial_pci_props),
              .vmstate = &serial_pci_vmstate,
              .hotpluggable = true,
              .realize = serial_pci_realize,
              .reset = serial_reset,
              .reset_exit = serial_reset_exit,
              .unrealize = serial_unrealize },
    .vendor = 0x1b36,
    .device = 0x0002,
    .revision = 1,
    .class_code = 0x070002, /* serial port, 16550 interface */
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = LIST(serial_pci_bars),
    .n_irqs = 1,
};
PCI_DEVICE_TYPE(serial_pci_type);
