/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI topology, and the virtio MMIO slots that hold a device, as an SVG picture. Each bus is a
 * frame with its rule, its free places and a gauge for each of its windows. Each device is a box
 * with its address, BARs and interrupts. The bus that a device provides is nested below its box.
 *
 * The picture is drawn from the result of plan_buses_to_json() and the BARs of the types, so that
 * it agrees with the text and the rules. The first pass computes heights, the second pass draws.
 */
#include <string.h>

#include "internal.h"

enum { WIDTH = 960, MARGIN = 16, INDENT = 28, ROW = 30, HEAD = 46, GAP = 10, BOTTOM = 10 };
enum { GAUGE = 174, GAUGE_HEIGHT = 7, BARS_AT = 420, IRQS_AT = 210 }; /* the last two from right */

typedef struct Picture {
    const PlanMachine *m;
    const PlanCatalog *c;
    struct json_object *buses;
    GString *svg;
} Picture;

static const char *topology_text(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static uint64_t topology_number(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

static struct json_object *bus_named(const Picture *p, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(p->buses); i++) {
        struct json_object *bus = json_object_array_get_idx(p->buses, i);

        if (g_strcmp0(topology_text(bus, "bus"), name) == 0) {
            return bus;
        }
    }
    return NULL;
}

static struct json_object *held_of(struct json_object *bus)
{
    struct json_object *held;

    return json_object_object_get_ex(bus, "held", &held) ? held : NULL;
}

/* Return the bus that a device provides, or NULL. */
static struct json_object *brought(const Picture *p, struct json_object *device)
{
    const char *name = topology_text(device, "bus");

    return name ? bus_named(p, name) : NULL;
}

static unsigned bus_height(const Picture *p, struct json_object *bus)
{
    struct json_object *held = held_of(bus);
    unsigned height = HEAD + BOTTOM;

    for (size_t i = 0; held && i < json_object_array_length(held); i++) {
        struct json_object *child = brought(p, json_object_array_get_idx(held, i));

        height += ROW + (child ? bus_height(p, child) + GAP : 0);
    }
    return height;
}

/* --- drawing --- */

static void topology_draw_text(Picture *p, unsigned x, unsigned y, const char *style, const char *s)
{
    g_autofree char *escaped = g_markup_escape_text(s, -1);

    g_string_append_printf(p->svg, "<text x=\"%u\" y=\"%u\" class=\"%s\">%s</text>\n", x, y, style,
                           escaped);
}

static void topology_draw_box(Picture *p, unsigned x, unsigned y, unsigned w, unsigned h,
                              const char *style)
{
    g_string_append_printf(
        p->svg, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"5\" class=\"%s\"/>\n", x,
        y, w, h, style);
}

/* Return a sorted array of numbers as "01-04, 06-1f"; g_free(). */
static char *ranges(struct json_object *list)
{
    GString *s = g_string_new(NULL);
    size_t n = json_object_array_length(list);

    for (size_t i = 0; i < n; i++) {
        int first = json_object_get_int(json_object_array_get_idx(list, i)), last = first;

        while (i + 1 < n &&
               json_object_get_int(json_object_array_get_idx(list, i + 1)) == last + 1) {
            last++;
            i++;
        }
        g_string_append_printf(s, last > first ? "%s%02x-%02x" : "%s%02x", s->len ? ", " : "",
                               first, last);
    }
    return g_string_free(s, s->len == 0 ? TRUE : FALSE);
}

static char *bus_rule(struct json_object *bus)
{
    struct json_object *free_slots, *hotplug;
    g_autofree char *list = NULL;
    bool live =
        json_object_object_get_ex(bus, "hotplug", &hotplug) && json_object_get_boolean(hotplug);

    if (json_object_object_get_ex(bus, "free-slots", &free_slots)) {
        list = ranges(free_slots);
    }
    return g_strdup_printf("free: %s%s", list ? list : "none", live ? "  -  hot plug" : "");
}

/* Return the BARs of a device as "BAR0 1M, BAR4 16K 64-bit"; g_free(). */
static char *bars_of(const PlanDevice *d)
{
    GString *s = g_string_new(NULL);

    for (size_t i = 0; d && i < d->t->n_bars; i++) {
        const PlanBar *b = &d->t->bars[i];
        uint64_t size = plan_bar_size(d, b);

        if (size == 0) {
            continue;
        }
        g_string_append_printf(s, "%sBAR%u ", s->len ? ", " : "", b->index);
        plan_append_size(s, size);
        g_string_append(s, b->io ? " I/O" : b->is64 ? " 64-bit" : "");
    }
    return g_string_free(s, FALSE);
}

/* Draw one window: the used and total size as text, and a bar that shows the used part. */
static void draw_gauge(Picture *p, struct json_object *room, unsigned x, unsigned y)
{
    uint64_t need = topology_number(room, "need"), window = topology_number(room, "window");
    unsigned width = GAUGE - 2 * GAP;
    GString *label = g_string_new(topology_text(room, "resource"));
    g_autofree char *shown = NULL;

    g_string_append(label, ": ");
    plan_append_size(label, need);
    if (window) {
        g_string_append(label, " of ");
        plan_append_size(label, window);
    }
    shown = g_string_free(label, FALSE);
    topology_draw_text(p, x, y + 18, "gauge", shown);
    topology_draw_box(p, x, y + 25, width, GAUGE_HEIGHT, "room");
    if (need && window) {
        double part = MIN(1.0, (double)need / (double)window);

        topology_draw_box(p, x, y + 25, MAX(2u, (unsigned)(part * width)), GAUGE_HEIGHT,
                          need > window ? "over" : "full");
    }
}

/* Draw the gauges in the head of the frame, the last one at its right edge. */
static void draw_gauges(Picture *p, struct json_object *bus, unsigned right, unsigned y)
{
    struct json_object *list;
    size_t n = json_object_object_get_ex(bus, "room", &list) ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++) {
        draw_gauge(p, json_object_array_get_idx(list, i), right - (unsigned)(n - i) * GAUGE, y);
    }
}

/* Return the right edge of a frame with left edge @x. Nested frames are narrower on both sides. */
static unsigned right_of(unsigned x)
{
    return WIDTH - MARGIN - (x - MARGIN) / 5;
}

static unsigned draw_bus(Picture *p, struct json_object *bus, unsigned x, unsigned y);

static unsigned draw_device(Picture *p, struct json_object *d, unsigned x, unsigned y)
{
    const char *type = topology_text(d, "type"), *id = topology_text(d, "device");
    const char *irqs = topology_text(d, "interrupts");
    struct json_object *child = brought(p, d);
    g_autofree char *bars = bars_of(plan_find_device(p->m, id));
    g_autofree char *label = g_strdup_printf("%s%s%s", type, id && !strchr(id, '/') ? "  " : "",
                                             id && !strchr(id, '/') ? id : "");

    topology_draw_box(p, x, y, right_of(x - GAP) - x - GAP, ROW - 6, child ? "bridge" : "device");
    topology_draw_text(p, x + 8, y + 16, "addr", topology_text(d, "addr"));
    topology_draw_text(p, x + 56, y + 16, "name", label);
    topology_draw_text(p, WIDTH - MARGIN - BARS_AT, y + 16, "bars", bars);
    topology_draw_text(p, WIDTH - MARGIN - IRQS_AT, y + 16, "bars", irqs ? irqs : "");
    y += ROW;
    return child ? draw_bus(p, child, x + INDENT, y - 2) + GAP : y;
}

static unsigned draw_bus(Picture *p, struct json_object *bus, unsigned x, unsigned y)
{
    struct json_object *held = held_of(bus);
    g_autofree char *rule = bus_rule(bus);
    g_autofree char *title =
        g_strdup_printf("bus %s  (%s)", topology_text(bus, "bus"), topology_text(bus, "kind"));
    unsigned bottom = y + bus_height(p, bus);

    topology_draw_box(p, x, y, right_of(x) - x, bottom - y - 2, "bus");
    topology_draw_text(p, x + 10, y + 18, "title", title);
    topology_draw_text(p, x + 10, y + 35, "rule", rule);
    draw_gauges(p, bus, right_of(x), y);
    y += HEAD;
    for (size_t i = 0; held && i < json_object_array_length(held); i++) {
        y = draw_device(p, json_object_array_get_idx(held, i), x + GAP, y);
    }
    return bottom;
}

static const char style[] = "<style>text{font-family:sans-serif;font-size:13px;fill:#1c2733}"
                            ".title{font-weight:bold}.rule,.bars{fill:#5b6b7b;font-size:12px}"
                            ".gauge{fill:#5b6b7b;font-size:11px}.room{fill:#dde5ed}"
                            ".full{fill:#3f87c5}.over{fill:#c5403f}"
                            ".addr{font-family:monospace;fill:#7a3e00}"
                            ".bus{fill:#f5f8fb;stroke:#8aa4bf}.device{fill:#ffffff;stroke:#b9c6d3}"
                            ".bridge{fill:#e4eef9;stroke:#5f87b5}</style>\n";

/* Return whether no device provides the bus. Such buses are drawn at the left edge. */
static bool topology_is_root(struct json_object *bus)
{
    return topology_text(bus, "owner") == NULL;
}

char *plan_topology_svg(const PlanMachine *m, const PlanCatalog *c)
{
    Picture p = { m, c, plan_buses_to_json(m, true), g_string_new(NULL) };
    unsigned height = MARGIN, y = MARGIN;

    for (size_t i = 0; i < json_object_array_length(p.buses); i++) {
        struct json_object *bus = json_object_array_get_idx(p.buses, i);

        height += topology_is_root(bus) ? bus_height(&p, bus) + GAP : 0;
    }
    g_string_append_printf(p.svg,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
                           "viewBox=\"0 0 %d %u\">\n%s<rect width=\"100%%\" height=\"100%%\" "
                           "fill=\"white\"/>\n",
                           WIDTH, height, WIDTH, height, style);
    for (size_t i = 0; i < json_object_array_length(p.buses); i++) {
        struct json_object *bus = json_object_array_get_idx(p.buses, i);

        y = topology_is_root(bus) ? draw_bus(&p, bus, MARGIN, y) + GAP : y;
    }
    g_string_append(p.svg, "</svg>\n");
    json_object_put(p.buses);
    return g_string_free(p.svg, FALSE);
}
