/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A UART: eight byte registers, two FIFOs of 16, a character back end.
 *
 * Reference: National Semiconductor PC16550D data sheet. Transmission takes no guest time: a
 * byte leaves the FIFO at once for a buffer that goes to the back end when it is full or a
 * millisecond old, so that bulk output costs no system call a byte; while the back end takes
 * nothing the FIFO holds and THRE stays clear. Reception obeys
 * the trigger level, and the character timeout of four character times, on the virtual clock.
 */
#include "chardev/chardev.h"
#include "hw/core/sysdev.h"

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_ERBFI = 1, IER_ETBEI = 2, IER_ELSI = 4, IER_EDSSI = 8, IER_BITS = 0x0f };
enum { IIR_NONE = 1, IIR_THRE = 2, IIR_RDA = 4, IIR_LINE = 6, IIR_TIMEOUT = 0x0c, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_RESET_RX = 2, FCR_RESET_TX = 4, FCR_KEPT = 0xc9 };
enum { LCR_STOP2 = 4, LCR_PARITY = 8, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10, MCR_BITS = 0x1f };
enum {
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_PE = 4,
    LSR_FE = 8,
    LSR_BI = 0x10,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_FIFO_ERROR = 0x80,
    LSR_ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI,
};
enum {
    MSR_DCTS = 1,
    MSR_DDSR = 2,
    MSR_TERI = 4,
    MSR_DDCD = 8,
    MSR_DELTAS = 0x0f,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};
#define FIFO_SIZE     16
#define LINE_SIZE     256
#define LINE_DELAY_NS 1000000

typedef struct Serial {
    SysDevice sys;
    char *chardev;
    uint32_t clock_hz;
    Chardev *chr;
    ChardevFront front;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
    uint8_t rx[FIFO_SIZE], rx_bad[FIFO_SIZE], tx[FIFO_SIZE]; /* oldest first */
    uint8_t n_rx, n_tx;
    uint8_t line[LINE_SIZE]; /* sent by the guest, not yet given to the back end */
    uint16_t n_line;
    Timer line_flush; /* realtime */
    bool thre_pending, timeout_pending;
    Timer rx_timeout;
} Serial;

static unsigned serial_fifo_depth(const Serial *s)
{
    return s->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned serial_rx_trigger(const Serial *s)
{
    static const uint8_t levels[4] = { 1, 4, 8, 14 };

    return s->fcr & FCR_ENABLE ? levels[s->fcr >> 6] : 1;
}

/* The highest pending interrupt, as IIR encodes it (data sheet table 5). */
static uint8_t serial_pending_interrupt(const Serial *s)
{
    if ((s->ier & IER_ELSI) && (s->lsr & LSR_ERRORS))
        return IIR_LINE;
    if ((s->ier & IER_ERBFI) && s->n_rx >= serial_rx_trigger(s))
        return IIR_RDA;
    if ((s->ier & IER_ERBFI) && s->timeout_pending)
        return IIR_TIMEOUT;
    if ((s->ier & IER_ETBEI) && s->thre_pending)
        return IIR_THRE;
    if ((s->ier & IER_EDSSI) && (s->msr & MSR_DELTAS))
        return 0;
    return IIR_NONE;
}

static void serial_update_irq(Serial *s)
{
    sysdev_irq_set(&s->sys, 0, serial_pending_interrupt(s) != IIR_NONE);
}

static uint64_t serial_char_time_ns(const Serial *s)
{
    unsigned divisor = s->dlm << 8 | s->dll;
    unsigned bits = 1 + 5 + (s->lcr & 3) + !!(s->lcr & LCR_PARITY) + 1 + !!(s->lcr & LCR_STOP2);

    return (uint64_t)bits * 16 * MAX(divisor, 1) * 1000000000ull / s->clock_hz;
}

/* LSR bits and the timeout that follow from the receive FIFO's new content. */
static void serial_rx_changed(Serial *s)
{
    bool bad = false;

    s->timeout_pending = false;
    for (unsigned i = 0; i < s->n_rx; i++)
        bad |= s->rx_bad[i] != 0;
    s->lsr = (s->lsr & ~(LSR_DR | LSR_FIFO_ERROR)) | (s->n_rx ? LSR_DR : 0);
    if (s->n_rx) /* the error bits are those of the character at the top */
        s->lsr |= s->rx_bad[0] | (bad && (s->fcr & FCR_ENABLE) ? LSR_FIFO_ERROR : 0);
    if (s->n_rx && (s->fcr & FCR_ENABLE))
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
        s->lsr |= LSR_OE;
        if (s->fcr & FCR_ENABLE) /* the shift register is lost, the FIFO is not (8.4.1) */
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

/* Give the line's bytes to the back end, as far as it takes them. */
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

/* Take bytes off the transmit FIFO; returns whether any went. */
static bool serial_tx_send(Serial *s)
{
    unsigned sent = 0;

    for (; sent < s->n_tx && (s->mcr & MCR_LOOP || s->n_line < LINE_SIZE); sent++) {
        if (s->mcr & MCR_LOOP)
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
        s->lsr &= ~(LSR_THRE | LSR_TEMT);
    } else if (sent) {
        s->lsr |= LSR_THRE | LSR_TEMT;
        s->thre_pending = true;
    }
}

/* Modem inputs: a modem that is always ready, or our own outputs in loopback (8.6.6). */
static void serial_update_modem(Serial *s)
{
    uint8_t now = MSR_CTS | MSR_DSR | MSR_DCD, changed;

    if (s->mcr & MCR_LOOP) {
        now = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
              (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    changed = (s->msr ^ now) & 0xf0;
    if (now & MSR_RI) /* only its trailing edge counts */
        changed &= ~MSR_RI;
    s->msr = now | (s->msr & MSR_DELTAS) | changed >> 4;
}

static uint8_t serial_read_iir(Serial *s)
{
    uint8_t iir = serial_pending_interrupt(s);

    if (iir == IIR_THRE)
        s->thre_pending = false;
    return iir | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t serial_read_lsr(Serial *s)
{
    uint8_t v = s->lsr;

    s->lsr &= ~LSR_ERRORS;
    if (s->n_rx)
        s->rx_bad[0] = 0;
    return v;
}

static uint8_t serial_read_msr(Serial *s)
{
    uint8_t v = s->msr;

    s->msr &= ~MSR_DELTAS;
    return v;
}

static uint64_t serial_read(void *opaque, uint64_t offset, unsigned size)
{
    Serial *s = opaque;
    bool dlab = s->lcr & LCR_DLAB;
    uint8_t v = 0;

    switch (offset) {
    case RBR_THR:
        v = dlab ? s->dll : serial_rx_pop(s);
        break;
    case IER:
        v = dlab ? s->dlm : s->ier;
        break;
    case IIR_FCR:
        v = serial_read_iir(s);
        break;
    case LCR:
        v = s->lcr;
        break;
    case MCR:
        v = s->mcr;
        break;
    case LSR:
        v = serial_read_lsr(s);
        break;
    case MSR:
        v = serial_read_msr(s);
        break;
    case SCR:
        v = s->scr;
        break;
    }
    serial_update_irq(s);
    if (offset == RBR_THR && s->chr)
        chardev_accept_input(s->chr);
    return v;
}

static void serial_write_thr(Serial *s, uint8_t v)
{
    if (s->n_tx == serial_fifo_depth(s))
        s->n_tx--; /* a full FIFO loses its newest entry to the overrun */
    s->tx[s->n_tx++] = v;
    s->thre_pending = false;
    serial_tx_flush(s);
}

static void serial_write_ier(Serial *s, uint8_t v)
{
    bool enabled = (v & ~s->ier) & IER_ETBEI;

    s->ier = v & IER_BITS;
    if (enabled && (s->lsr & LSR_THRE)) /* enabling it while empty interrupts (8.6.3) */
        s->thre_pending = true;
}

static void serial_write_fcr(Serial *s, uint8_t v)
{
    if ((v ^ s->fcr) & FCR_ENABLE)
        v |= FCR_RESET_RX | FCR_RESET_TX;
    if (!(v & FCR_ENABLE))
        v &= FCR_RESET_RX | FCR_RESET_TX; /* the other bits need bit 0 set */
    s->fcr = v & FCR_KEPT;
    if (v & FCR_RESET_RX)
        s->n_rx = 0;
    if (v & FCR_RESET_TX && s->n_tx) {
        s->n_tx = 0;
        s->lsr |= LSR_THRE | LSR_TEMT;
        s->thre_pending = true;
    }
    serial_rx_changed(s);
}

static void serial_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Serial *s = opaque;
    bool dlab = s->lcr & LCR_DLAB;
    uint8_t v = value;

    switch (offset) {
    case RBR_THR:
        if (dlab)
            s->dll = v;
        else
            serial_write_thr(s, v);
        break;
    case IER:
        if (dlab)
            s->dlm = v;
        else
            serial_write_ier(s, v);
        break;
    case IIR_FCR:
        serial_write_fcr(s, v);
        break;
    case LCR:
        s->lcr = v;
        break;
    case MCR:
        s->mcr = v & MCR_BITS;
        serial_update_modem(s);
        serial_tx_flush(s);
        break;
    case SCR:
        s->scr = v;
        break;
    }
    serial_update_irq(s);
    if ((offset == IIR_FCR || offset == MCR) && s->chr)
        chardev_accept_input(s->chr);
}

static const MemOps serial_ops = {
    .read = serial_read, .write = serial_write, .impl_min = 1, .impl_max = 1, .unaligned = true
};

/* --- the back end's side --- */

static size_t serial_front_can_read(void *opaque)
{
    Serial *s = opaque;

    return s->mcr & MCR_LOOP ? 0 : serial_fifo_depth(s) - s->n_rx;
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

    if (event == CHARDEV_BREAK && !(s->mcr & MCR_LOOP))
        serial_rx_push(s, 0, LSR_BI);
    if (event == CHARDEV_CLOSED) /* nobody listens: what waits goes nowhere */
        serial_front_writable(s);
    serial_update_irq(s);
}

static bool serial_realize(void *dev, GError **err)
{
    Serial *s = dev;

    timer_setup(&s->rx_timeout, serial_rx_timed_out, s);
    timer_setup_plain(&s->line_flush, s->sys.dev.machine, CLOCK_KIND_REALTIME,
                      serial_front_writable, s);
    if (!s->chardev)
        return true;
    s->chr = chardev_find(s->sys.dev.machine, s->chardev);
    if (!s->chr) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    "serial: there is no chardev '%s' (chardev= takes the id of a -chardev)",
                    s->chardev);
        return false;
    }
    s->front = (ChardevFront){ serial_front_can_read, serial_front_read, serial_front_event,
                               serial_front_writable, s };
    if (!chardev_attach(s->chr, &s->front, err)) {
        s->chr = NULL;
        return false;
    }
    return true;
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
    s->mcr = MCR_OUT2; /* as firmware for PCs leaves it; drivers set what they need */
    s->dll = 12;
    s->lsr = LSR_THRE | LSR_TEMT;
    s->msr = MSR_CTS | MSR_DSR | MSR_DCD;
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

/* Equal states give equal streams: what has left a FIFO is not saved. */
static void serial_pre_save(void *obj)
{
    Serial *s = obj;

    serial_line_send(s);
    memset(s->rx + s->n_rx, 0, FIFO_SIZE - s->n_rx);
    memset(s->rx_bad + s->n_rx, 0, FIFO_SIZE - s->n_rx);
    memset(s->tx + s->n_tx, 0, FIFO_SIZE - s->n_tx);
    memset(s->line + s->n_line, 0, LINE_SIZE - s->n_line);
}

/* Switching the FIFOs empties them, so none holds more than it is deep. */
static bool serial_check(void *obj, GError **err)
{
    const Serial *s = obj;

    if (s->n_rx > serial_fifo_depth(s) || s->n_tx > serial_fifo_depth(s)) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%u bytes received (n_rx) and %u to send (n_tx), where fcr gives room for %u",
                    s->n_rx, s->n_tx, serial_fifo_depth(s));
        return false;
    }
    return true;
}

static bool serial_post_load(void *obj, GError **err)
{
    Serial *s = obj;

    if (s->n_line) /* the source's back end did not take it */
        timer_arm_ns(&s->line_flush, LINE_DELAY_NS);
    serial_update_irq(s);
    return true;
}

static const VmField serial_fields[] = {
    VM_U8(Serial, ier, .mask = IER_BITS),
    VM_U8(Serial, fcr, .mask = FCR_KEPT),
    VM_U8(Serial, lcr),
    VM_U8(Serial, mcr, .mask = MCR_BITS),
    VM_U8(Serial, lsr),
    VM_U8(Serial, msr),
    VM_U8(Serial, scr),
    VM_U8(Serial, dll),
    VM_U8(Serial, dlm),
    VM_BYTES(Serial, rx),
    VM_BYTES(Serial, rx_bad),
    VM_BYTES(Serial, tx),
    VM_U8(Serial, n_rx, .max = FIFO_SIZE),
    VM_U8(Serial, n_tx, .max = FIFO_SIZE),
    VM_BYTES(Serial, line),
    VM_U16(Serial, n_line, .max = LINE_SIZE),
    VM_BOOL(Serial, thre_pending),
    VM_BOOL(Serial, timeout_pending),
    VM_TIMER(Serial, rx_timeout),
};

static const VmState serial_vmstate = {
    .name = "serial",
    .version = 1,
    .fields = serial_fields,
    .n_fields = G_N_ELEMENTS(serial_fields),
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
