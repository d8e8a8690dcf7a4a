/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -readconfig: options from a file. Each section is one option.
 *
 *     # comment
 *     [device "nic0"]
 *       driver = "virtio-net-pci"
 *       addr = "5.0"
 *
 * The group of a section is the name of the option, and its lines are the properties. Commas in
 * values are literal. Sections take effect in their order, at the position of -readconfig on the
 * command line.
 */
#include "internal.h"

#include <string.h>

#include "util/infile.h"

#define CONFIG_SIZE_MAX (1 << 20)

/* Groups whose name differs from the name of the option. */
static const struct {
    const char *group, *option;
} other_names[] = {
    { "memory", "m" },
    { "smp-opts", "smp" },
    { "boot-opts", "boot" },
};

typedef struct ConfigReader {
    Session *s;
    const char *path;
    unsigned line, section_line;
    char *group; /* of the current section, or NULL */
    GString *text;
} ConfigReader;

static bool readconfig_fail(const ConfigReader *r, unsigned line, GError **err, const char *fmt,
                            ...) G_GNUC_PRINTF(4, 5);
static bool readconfig_fail(const ConfigReader *r, unsigned line, GError **err, const char *fmt,
                            ...)
{
    g_autofree char *what = NULL;
    va_list ap;

    va_start(ap, fmt);
    what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return error_set(err, ERROR_USER, "-readconfig %s: line %u: %s", r->path, line, what);
}

static void add_property(ConfigReader *r, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", parts);

    g_string_append_printf(r->text, "%s%s=%s", r->text->len ? "," : "", key, escaped);
}

/* Apply the option of the section, which is complete. */
static bool end_section(ConfigReader *r, GError **err)
{
    const char *option = r->group;
    GError *why = NULL;

    if (!r->group) {
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(other_names); i++) {
        option = strcmp(other_names[i].group, r->group) == 0 ? other_names[i].option : option;
    }
    if (!options_apply(r->s, option, r->text->str, &why)) {
        readconfig_fail(r, r->section_line, err, "%s", why->message);
        g_error_free(why);
        return false;
    }
    g_clear_pointer(&r->group, g_free);
    g_string_truncate(r->text, 0);
    return true;
}

/* Return the text between two quotes; NULL if the text does not start and end with a quote. */
static char *unquote(const char *text)
{
    size_t len = strlen(text);

    if (len < 2 || text[0] != '"' || strchr(text + 1, '"') != text + len - 1) {
        return NULL;
    }
    return g_strndup(text + 1, len - 2);
}

/* Parse [group] or [group "id"]. */
static bool begin_section(ConfigReader *r, char *text, GError **err)
{
    size_t len = strlen(text), word = strcspn(text + 1, " \t\"]");
    g_autofree char *id = NULL;
    char *rest;

    if (!end_section(r, err)) {
        return false;
    }
    if (text[len - 1] != ']' || word == 0) {
        return readconfig_fail(r, r->line, err, "a section is [GROUP] or [GROUP \"ID\"], not '%s'",
                               text);
    }
    text[len - 1] = '\0';
    rest = g_strstrip(text + 1 + word);
    id = *rest ? unquote(rest) : NULL;
    if (*rest && !id) {
        return readconfig_fail(r, r->line, err,
                               "the id of a section must be in double quotes: '%s'", rest);
    }
    r->group = g_strndup(text + 1, word);
    r->section_line = r->line;
    if (id) {
        add_property(r, "id", id);
    }
    return true;
}

static bool take_property(ConfigReader *r, char *text, GError **err)
{
    char *eq = strchr(text, '=');
    g_autofree char *value = NULL;

    if (!r->group) {
        return readconfig_fail(r, r->line, err, "'%s' is before the first section", text);
    }
    if (!eq || eq == text) {
        return readconfig_fail(r, r->line, err, "a property is KEY = \"VALUE\", not '%s'", text);
    }
    *eq = '\0';
    value = unquote(g_strstrip(eq + 1));
    if (!value) {
        return readconfig_fail(r, r->line, err, "the value of '%s' must be in double quotes",
                               g_strstrip(text));
    }
    add_property(r, g_strstrip(text), value);
    return true;
}

static bool take_line(ConfigReader *r, char *text, GError **err)
{
    g_strstrip(text);
    if (*text == '\0' || *text == '#') {
        return true;
    }
    return *text == '[' ? begin_section(r, text, err) : take_property(r, text, err);
}

static bool take_lines(ConfigReader *r, const char *text, GError **err)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++) {
        r->line++;
        if (!take_line(r, *line, err)) {
            return false;
        }
    }
    return end_section(r, err);
}

bool readconfig(Session *s, const char *path, GError **err)
{
    ConfigReader r = { .s = s, .path = path };
    g_autofree char *text = NULL;
    gsize len;
    bool ok;

    if (!in_file_read(path, CONFIG_SIZE_MAX, &text, &len, err)) {
        g_prefix_error(err, "-readconfig: ");
        return false;
    }
    if (!g_utf8_validate(text, (gssize)len, NULL)) {
        return error_set(err, ERROR_USER, "-readconfig %s: the file is not UTF-8 text", path);
    }
    r.text = g_string_new(NULL);
    ok = take_lines(&r, text, err);
    g_string_free(r.text, TRUE);
    g_free(r.group);
    return ok;
}
