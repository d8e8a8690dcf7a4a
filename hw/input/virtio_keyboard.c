/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-keyboard: a keyboard with a power key (virtio 1.2, 5.8). system_powerdown presses the
 * power key. The status queue receives the state of the LEDs, which has no effect.
 */
#include <linux/input.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "hw/core/keyboard.h"
#include "hw/core/power_button.h"
#include "hw/virtio/virtio_base.h"
#include "util/error.h"
#include "util/log.h"

enum {
    EVENT_QUEUE,
    STATUS_QUEUE,
    QUEUE_SIZE = 64,
    EVENT_SIZE = sizeof(struct virtio_input_event),
    KEYBOARD_PENDING = 64, /* events that wait for a buffer; later ones are dropped */
    KEYBOARD_FIRST = KEY_ESC,
    KEYBOARD_LAST = KEY_MICMUTE,
    KEYBOARD_CONFIG = sizeof(struct virtio_input_config),
};

typedef struct VirtioKeyboard {
    VirtioBase base;
    char *serial;
    /* guest-visible state */
    uint8_t select, subsel;
    uint8_t n_pending;
    uint8_t pending[KEYBOARD_PENDING * EVENT_SIZE]; /* struct virtio_input_event, oldest first */
} VirtioKeyboard;

static VirtioKeyboard *keyboard_of(VirtioDevice *v)
{
    return v->instance;
}

/* --- events --- */

static void keyboard_flush(VirtioKeyboard *k)
{
    VirtQueue *vq = virtio_queue(&k->base.virtio, EVENT_QUEUE);
    unsigned sent = 0;
    VirtqBuf *buf;

    while (virtq_ready(vq) && sent < k->n_pending && (buf = virtq_next(vq))) {
        size_t n = virtq_write(buf, 0, k->pending + sent * EVENT_SIZE, EVENT_SIZE);

        virtq_push(vq, buf, (uint32_t)n);
        sent++;
    }
    if (!sent)
        return;
    k->n_pending -= sent;
    memmove(k->pending, k->pending + sent * EVENT_SIZE, k->n_pending * EVENT_SIZE);
    virtq_notify(vq);
}

static void keyboard_add(VirtioKeyboard *k, uint16_t type, uint16_t code, uint32_t value)
{
    struct virtio_input_event event = { GUINT16_TO_LE(type), GUINT16_TO_LE(code),
                                        GUINT32_TO_LE(value) };

    if (k->n_pending < KEYBOARD_PENDING)
        memcpy(k->pending + k->n_pending++ * EVENT_SIZE, &event, EVENT_SIZE);
}

/* Press or release a key. The events of one key are dropped together if there is no space, and
 * those of keys that the configuration does not list. */
static bool keyboard_key(void *opaque, uint16_t code, bool down)
{
    VirtioKeyboard *k = opaque;

    if (code < KEYBOARD_FIRST || code > KEYBOARD_LAST ||
        !(k->base.virtio.status & VIRTIO_CONFIG_S_DRIVER_OK))
        return true; /* without a driver nothing would ever receive the key */
    if (k->n_pending + 2 > KEYBOARD_PENDING || !device_enter(&k->base.dev))
        return false;
    keyboard_add(k, EV_KEY, code, down);
    keyboard_add(k, EV_SYN, SYN_REPORT, 0);
    keyboard_flush(k);
    device_leave(&k->base.dev);
    return true;
}

static void keyboard_press_power(void *opaque)
{
    keyboard_key(opaque, KEY_POWER, true);
    keyboard_key(opaque, KEY_POWER, false);
}

static void keyboard_notified(VirtioDevice *v, unsigned queue)
{
    VirtQueue *vq = virtio_queue(v, queue);
    VirtqBuf *buf;

    if (queue == EVENT_QUEUE) {
        keyboard_flush(keyboard_of(v));
        return;
    }
    while ((buf = virtq_next(vq)))
        virtq_push(vq, buf, 0);
    virtq_notify(vq);
}

/* --- configuration --- */

static void keyboard_set_bit(uint8_t *bits, unsigned n)
{
    bits[n / 8] |= (uint8_t)(1u << n % 8);
}

/* Fill the bitmap of the codes of an event type. Return its size in bytes, without zeroes at the
 * end. */
static uint8_t keyboard_codes(uint8_t type, uint8_t *bits)
{
    static const uint8_t leds[] = { LED_NUML, LED_CAPSL, LED_SCROLLL };

    switch (type) {
    case EV_KEY:
        for (unsigned code = KEYBOARD_FIRST; code <= KEYBOARD_LAST; code++)
            keyboard_set_bit(bits, code);
        return KEYBOARD_LAST / 8 + 1;
    case EV_REP:
        keyboard_set_bit(bits, REP_DELAY);
        keyboard_set_bit(bits, REP_PERIOD);
        return 1;
    case EV_LED:
        for (size_t i = 0; i < sizeof(leds); i++)
            keyboard_set_bit(bits, leds[i]);
        return 1;
    default:
        return 0;
    }
}

static uint8_t keyboard_string(char *to, const char *text)
{
    size_t len = text ? MIN(strlen(text), sizeof(((struct virtio_input_config *)0)->u.string)) : 0;

    for (size_t i = 0; i < len; i++)
        to[i] = text[i]; /* the field has a length, and no end */
    return (uint8_t)len;
}

static void keyboard_config_read(VirtioDevice *v, uint8_t *config)
{
    static const struct virtio_input_devids ids = { GUINT16_TO_LE(BUS_VIRTUAL),
                                                    GUINT16_TO_LE(0x0627), GUINT16_TO_LE(0x0001),
                                                    GUINT16_TO_LE(0x0001) };
    const VirtioKeyboard *k = keyboard_of(v);
    struct virtio_input_config c = { .select = k->select, .subsel = k->subsel };

    switch (k->select) {
    case VIRTIO_INPUT_CFG_ID_NAME:
        c.size = k->subsel ? 0 : keyboard_string(c.u.string, "QEMU Virtio Keyboard");
        break;
    case VIRTIO_INPUT_CFG_ID_SERIAL:
        c.size = k->subsel ? 0 : keyboard_string(c.u.string, k->serial);
        break;
    case VIRTIO_INPUT_CFG_ID_DEVIDS:
        c.size = k->subsel ? 0 : sizeof(ids);
        if (c.size)
            c.u.ids = ids;
        break;
    case VIRTIO_INPUT_CFG_EV_BITS:
        c.size = keyboard_codes(k->subsel, c.u.bitmap);
        break;
    }
    memcpy(config, &c, KEYBOARD_CONFIG);
}

static void keyboard_config_written(VirtioDevice *v, const uint8_t *config, size_t at, size_t len)
{
    VirtioKeyboard *k = keyboard_of(v);

    k->select = config[offsetof(struct virtio_input_config, select)];
    k->subsel = config[offsetof(struct virtio_input_config, subsel)];
}

/* --- life --- */

static uint64_t keyboard_features(VirtioDevice *v)
{
    return 0;
}

static void keyboard_queue_reset(VirtioDevice *v, unsigned queue)
{
    if (queue == EVENT_QUEUE)
        keyboard_of(v)->n_pending = 0;
}

static void keyboard_reset(VirtioDevice *v)
{
    VirtioKeyboard *k = keyboard_of(v);

    k->select = k->subsel = 0;
    k->n_pending = 0;
    memset(k->pending, 0, sizeof(k->pending));
}

static bool keyboard_init(void *dev, GError **err)
{
    VirtioKeyboard *k = dev;

    virtio_add_queue(&k->base.virtio, QUEUE_SIZE);
    virtio_add_queue(&k->base.virtio, QUEUE_SIZE);
    power_button_add(k->base.dev.machine, keyboard_press_power, k);
    keyboard_register(k->base.dev.machine, keyboard_key, k);
    return true;
}

static void keyboard_exit(void *dev)
{
    VirtioKeyboard *k = dev;

    power_button_remove(k->base.dev.machine, keyboard_press_power, k);
    keyboard_unregister(k->base.dev.machine, keyboard_key, k);
}

/* As in QEMU: one for the configuration, and one that both queues share. */
static const PlanCount keyboard_vectors = { 2 };

static const VmField keyboard_pci_fields[] = {
    VIRTIO_STATE_ROW_("vpci", VirtioKeyboard, virtio_pci_state),
    VM_U8(VirtioKeyboard, select),
    VM_U8(VirtioKeyboard, subsel),
    VM_U8(VirtioKeyboard, n_pending, .max = KEYBOARD_PENDING),
    VM_BYTES(VirtioKeyboard, pending),
};
static const VmState keyboard_pci_state = { .name = "virtio-keyboard",
                                            .version = 1,
                                            .fields = LIST(keyboard_pci_fields) };

static const PlanProp keyboard_props[] = {
    VIRTIO_PROPS,
    PROP_STR(VirtioKeyboard, serial, "serial", "serial number that the driver reads"),
};

static const VirtioClass keyboard_class = {
    .name = "virtio-keyboard",
    .device_id = VIRTIO_ID_INPUT,
    .config_size = KEYBOARD_CONFIG,
    .init = keyboard_init,
    .exit = keyboard_exit,
    .features = keyboard_features,
    .config_read = keyboard_config_read,
    .config_written = keyboard_config_written,
    .queue_notified = keyboard_notified,
    .queue_reset = keyboard_queue_reset,
    .reset = keyboard_reset,
};

/* The device was added by virtio 1.0, so that there is no transitional type. */
static const VirtioPCIType keyboard_type =
    VIRTIO_PCI_TYPE_(keyboard, "keyboard", "", NULL, VirtioKeyboard, "keyboard", 0x090000,
                     keyboard_props, keyboard_class, VIRTIO_IFACE_MODERN,
                     PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, &keyboard_vectors, PLAN_BUS_NONE);
VIRTIO_DEVICE_TYPE(keyboard_type, pci.base);
