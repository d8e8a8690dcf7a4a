/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML documents as trees of elements. GLib's parser expands no entities of the document and reads
 * no other files. The tree is limited in depth and size.
 */
#include <stdarg.h>

#include "plan/internal.h"
#include "plan/xml_internal.h"

enum {
    XML_BYTES = 16 << 20,
    XML_DEPTH = 64,
    XML_ELEMENTS = 1 << 19,
    XML_ATTRIBUTES = 256,
    XML_PLACE = 300, /* bytes of a path in a message */
    XML_MESSAGE = 500,
};

void plan_xml_free(PlanXml *x)
{
    if (x) {
        g_free(x->name);
        g_free(x->text);
        g_ptr_array_unref(x->attributes);
        g_ptr_array_unref(x->children);
        g_free(x);
    }
}

static void xml_free_child(gpointer x)
{
    plan_xml_free(x);
}

PlanXml *plan_xml_new(PlanXml *parent, const char *name)
{
    PlanXml *x = g_new0(PlanXml, 1);

    x->name = g_strdup(name);
    x->attributes = g_ptr_array_new_with_free_func(g_free);
    x->children = g_ptr_array_new_with_free_func(xml_free_child);
    x->parent = parent;
    if (parent) {
        g_ptr_array_add(parent->children, x);
    }
    return x;
}

PlanXml *plan_xml_child(const PlanXml *x, const char *name)
{
    for (guint i = 0; x && i < x->children->len; i++) {
        PlanXml *child = x->children->pdata[i];

        if (strcmp(child->name, name) == 0) {
            return child;
        }
    }
    return NULL;
}

/* Return the index of the value of an attribute, or 0. */
static guint xml_attribute(const PlanXml *x, const char *name)
{
    for (guint i = 0; i + 1 < x->attributes->len; i += 2) {
        if (strcmp(x->attributes->pdata[i], name) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Return the first child whose name has this length and text. */
static const PlanXml *xml_child_of(const PlanXml *x, const char *name, size_t len)
{
    for (guint i = 0; i < x->children->len; i++) {
        const PlanXml *child = x->children->pdata[i];

        if (strncmp(child->name, name, len) == 0 && !child->name[len]) {
            return child;
        }
    }
    return NULL;
}

const char *plan_xml_get(const PlanXml *x, const char *path)
{
    guint i;

    while (x && *path && *path != '@') {
        size_t len = strcspn(path, "/@");

        x = xml_child_of(x, path, len);
        path += len + (path[len] == '/');
    }
    if (!x || !*path) {
        return x ? x->text : NULL;
    }
    i = xml_attribute(x, path + 1);
    return i ? x->attributes->pdata[i] : NULL;
}

void plan_xml_set(PlanXml *x, const char *path, const char *value)
{
    const char *at = strchr(path, '@');
    g_autofree char *elements = at ? g_strndup(path, (size_t)(at - path)) : g_strdup(path);
    g_auto(GStrv) parts = g_strsplit(elements, "/", -1);

    for (char **part = parts; *part; part++) {
        PlanXml *child = **part ? plan_xml_child(x, *part) : x;

        x = child ? child : plan_xml_new(x, *part);
    }
    if (!at) {
        g_free(x->text);
        x->text = g_strdup(value);
    } else if (xml_attribute(x, at + 1)) {
        guint i = xml_attribute(x, at + 1);

        g_free(x->attributes->pdata[i]);
        x->attributes->pdata[i] = g_strdup(value);
    } else {
        g_ptr_array_add(x->attributes, g_strdup(at + 1));
        g_ptr_array_add(x->attributes, g_strdup(value));
    }
}

/* --- paths in messages --- */

/* Return the path of an element as "domain/devices/disk[2]"; g_free(). */
static char *xml_path(const PlanXml *x)
{
    GString *out = g_string_new(NULL);

    for (; x; x = x->parent) {
        g_autofree char *part =
            x->number > 1 ? g_strdup_printf("%s%s[%u]", x->parent ? "/" : "", x->name, x->number)
                          : g_strconcat(x->parent ? "/" : "", x->name, NULL);

        g_string_prepend(out, part);
    }
    return g_string_free(out, FALSE);
}

/* Truncate text to @max bytes, at a character. */
static void xml_shorten(char *text, size_t max)
{
    if (strlen(text) > max) {
        *g_utf8_find_prev_char(text, text + max) = '\0';
    }
}

bool plan_xml_fail(const PlanXml *x, const char *path, GError **err, const char *format, ...)
{
    g_autofree char *place = xml_path(x), *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    xml_shorten(place, XML_PLACE);
    xml_shorten(what, XML_MESSAGE);
    return plan_fail(err, "%s%s%s: %s", place, path && *path != '@' ? "/" : "", path ? path : "",
                     what);
}

/* --- parsing --- */

typedef struct XmlParser {
    const char *root;
    PlanXml *top, *at; /* the outermost element, and the open one */
    unsigned depth, n_elements;
    GHashTable *numbers; /* "parent name" -> number of such children so far */
} XmlParser;

/* Set the number of an element among its siblings of the same name. */
static void xml_number(XmlParser *p, PlanXml *x)
{
    char *key = g_strdup_printf("%p %s", (const void *)x->parent, x->name);

    x->number = GPOINTER_TO_UINT(g_hash_table_lookup(p->numbers, key)) + 1;
    g_hash_table_insert(p->numbers, key, GUINT_TO_POINTER(x->number));
}

static bool xml_check_start(XmlParser *p, const char *name, GError **err)
{
    g_autofree char *quoted = NULL;

    if (!p->at && (p->top || strcmp(name, p->root) != 0)) {
        quoted = plan_quote(name);
        return plan_fail(err, "the document must be one element <%s>, not <%.*s>", p->root,
                         (int)strlen(quoted) - 2, quoted + 1);
    }
    return (p->depth < XML_DEPTH && p->n_elements < XML_ELEMENTS && strlen(name) <= PLAN_ID_MAX) ||
           plan_fail(err,
                     "elements are nested deeper than %d, are more than %d, or have a name "
                     "of more than %d bytes",
                     XML_DEPTH, XML_ELEMENTS, PLAN_ID_MAX);
}

static void xml_start(GMarkupParseContext *context, const char *name, const char **names,
                      const char **values, gpointer parser, GError **err)
{
    XmlParser *p = parser;
    PlanXml *x;

    if (!xml_check_start(p, name, err)) {
        return;
    }
    x = plan_xml_new(p->at, name);
    xml_number(p, x);
    p->top = p->top ? p->top : x;
    p->at = x;
    p->depth++;
    p->n_elements++;
    for (guint i = 0; names[i]; i++) {
        if (i == XML_ATTRIBUTES || strlen(names[i]) > PLAN_ID_MAX || xml_attribute(x, names[i])) {
            plan_fail(err,
                      "an element has more than %d attributes, a name of more than %d bytes, "
                      "or an attribute twice",
                      XML_ATTRIBUTES, PLAN_ID_MAX);
            return;
        }
        g_ptr_array_add(x->attributes, g_strdup(names[i]));
        g_ptr_array_add(x->attributes, g_strdup(values[i]));
    }
}

static void xml_end(GMarkupParseContext *context, const char *name, gpointer parser, GError **err)
{
    XmlParser *p = parser;

    p->at = (PlanXml *)p->at->parent;
    p->depth--;
}

static void xml_text(GMarkupParseContext *context, const char *text, gsize len, gpointer parser,
                     GError **err)
{
    XmlParser *p = parser;
    g_autofree char *copy = g_strstrip(g_strndup(text, len));

    if (p->at && *copy && !p->at->text) {
        p->at->text = g_steal_pointer(&copy);
    }
}

/* Set *err to the message of the parser with the path of the open element. */
static void xml_parse_fail(const XmlParser *p, const GError *cause, GError **err)
{
    g_autofree char *line = g_utf8_make_valid(cause->message, -1);

    for (char *c = line; *c; c++) {
        *c = g_ascii_iscntrl(*c) ? ' ' : *c;
    }
    if (p->at) {
        plan_xml_fail(p->at, NULL, err, "%s", line);
    } else {
        xml_shorten(line, XML_MESSAGE);
        plan_fail(err, "%s: %s", p->root, line);
    }
}

PlanXml *plan_xml_parse(const char *text, size_t len, const char *root, GError **err)
{
    static const GMarkupParser callbacks = { .start_element = xml_start,
                                             .end_element = xml_end,
                                             .text = xml_text };
    XmlParser p = { .root = root };
    g_autoptr(GMarkupParseContext) context = NULL;
    GError *error = NULL;

    if (len > XML_BYTES) {
        plan_fail(err, "%s: the document has %zu bytes: at most %d are accepted", root, len,
                  XML_BYTES);
        return NULL;
    }
    p.numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    context = g_markup_parse_context_new(&callbacks, G_MARKUP_TREAT_CDATA_AS_TEXT, &p, NULL);
    if (!g_markup_parse_context_parse(context, text, (gssize)len, &error) ||
        !g_markup_parse_context_end_parse(context, &error)) {
        xml_parse_fail(&p, error, err);
        g_error_free(error);
        plan_xml_free(p.top);
        p.top = NULL;
    }
    g_hash_table_unref(p.numbers);
    return p.top;
}

/* --- printing --- */

static void xml_print_element(GString *out, const PlanXml *x, unsigned indent)
{
    g_string_append_printf(out, "%*s<%s", (int)indent, "", x->name);
    for (guint i = 0; i + 1 < x->attributes->len; i += 2) {
        g_autofree char *value = g_markup_escape_text(x->attributes->pdata[i + 1], -1);

        g_string_append_printf(out, " %s='%s'", (char *)x->attributes->pdata[i], value);
    }
    if (x->children->len) {
        g_string_append(out, ">\n");
        for (guint i = 0; i < x->children->len; i++) {
            xml_print_element(out, x->children->pdata[i], indent + 2);
        }
        g_string_append_printf(out, "%*s</%s>\n", (int)indent, "", x->name);
    } else if (x->text) {
        g_autofree char *text = g_markup_escape_text(x->text, -1);

        g_string_append_printf(out, ">%s</%s>\n", text, x->name);
    } else {
        g_string_append(out, "/>\n");
    }
}

char *plan_xml_print(const PlanXml *x)
{
    GString *out = g_string_new(NULL);

    xml_print_element(out, x, 0);
    return g_string_free(out, FALSE);
}
