/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB devices: x-query-usb and info usb.
 */
#include "hw/usb/usb.h"
#include "internal.h"
#include "qmp-commands.h"

typedef struct UsbWalk {
    GString *out;
    unsigned buses;
} UsbWalk;

static const char *usb_speed_text(const USBDevice *dev)
{
    return usb_device_speed(dev) == USB_SPEED_FULL ? "12" : "480";
}

/* Append the devices of the bus of a controller, by port, in the form of QEMU. Buses have numbers
 * in the order of the controllers. */
static bool usb_append_bus(void *opaque, Device *controller)
{
    UsbWalk *w = opaque;
    USBBus *bus = (USBBus *)controller->child_bus;

    if (!bus || bus->bus.kind != PLAN_BUS_USB) {
        return true;
    }
    for (unsigned port = 1; port <= bus->n_ports; port++) {
        const USBDevice *dev = usb_bus_find(bus, port);

        if (dev) {
            g_string_append_printf(
                w->out, "  Device %u.%u, Port %u, Speed %s Mb/s, Product %s%s%s\n", w->buses,
                dev->address, port, usb_speed_text(dev), usb_device_name(dev),
                dev->dev.id ? ", ID: " : "", dev->dev.id ? dev->dev.id : "");
        }
    }
    w->buses++;
    return true;
}

struct json_object *qmp_x_query_usb(Machine *m, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    UsbWalk w = { .out = out };

    device_visit(m->root, usb_append_bus, &w);
    if (w.buses == 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "USB support not enabled");
        return NULL;
    }
    return qmp_make_human_readable_text(&(QmpHumanReadableText){ .human_readable_text = out->str });
}

static void hmp_info_usb(Machine *m, const char *args, GString *out)
{
    UsbWalk w = { .out = out };

    device_visit(m->root, usb_append_bus, &w);
    if (w.buses == 0) {
        g_string_append(out, "Error: USB support not enabled\n");
    }
}

static const HmpCommand hmp_commands[] = {
    { "info usb", "", NULL, hmp_info_usb },
};

const HmpTable usb_table = { LIST(hmp_commands) };
