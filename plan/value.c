/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Property values: parsing and checking text, and formatting a value as canonical text.
 */
#include "plan/internal.h"

static const struct {
    const char *word;
    bool value;
} bool_words[] = {
    { "on", true },   { "off", false },   { "yes", true }, { "no", false },
    { "true", true }, { "false", false }, { "y", true },   { "n", false },
};

/* The range of a type for a property without its own range. */
static const struct {
    uint64_t min, max;
} kind_range[] = {
    [PLAN_PROP_U8] = { 0, UINT8_MAX },
    [PLAN_PROP_U16] = { 0, UINT16_MAX },
    [PLAN_PROP_U32] = { 0, UINT32_MAX },
    [PLAN_PROP_U64] = { 0, UINT64_MAX },
    [PLAN_PROP_I32] = { (uint64_t)(int64_t)INT32_MIN, INT32_MAX },
    [PLAN_PROP_SIZE] = { 0, UINT64_MAX },
    [PLAN_PROP_CAP] = { 0x40, 0xffc },
};

static void range_of(const PlanProp *p, uint64_t *min, uint64_t *max)
{
    bool own = p->max != 0;

    *min = own ? p->min : kind_range[p->kind].min;
    *max = own ? p->max : kind_range[p->kind].max;
}

static bool value_parse_bool(const char *text, bool *b)
{
    for (size_t i = 0; i < G_N_ELEMENTS(bool_words); i++) {
        if (g_ascii_strcasecmp(text, bool_words[i].word) == 0) {
            *b = bool_words[i].value;
            return true;
        }
    }
    return false;
}

/* Parse a decimal number, or a hexadecimal one with 0x. *end is the first character after it. A
 * number with a leading zero is rejected if its value as octal would differ. */
static bool parse_number(const char *text, uint64_t *value, const char **end)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    uint64_t base = hex ? 16 : 10, v = 0;
    const char *c;

    for (c = digits; hex ? g_ascii_isxdigit(*c) : g_ascii_isdigit(*c); c++) {
        unsigned digit = g_ascii_xdigit_value(*c);

        if (v > (UINT64_MAX - digit) / base) {
            return false;
        }
        v = v * base + digit;
    }
    if (c == digits || (!hex && digits[0] == '0' && v > 7)) {
        return false;
    }
    *value = v;
    *end = c;
    return true;
}

/* Parse a size in bytes: "1536", "64k" or "1.5G". The suffix is a power of 1024. */
static bool parse_size(const char *text, uint64_t *value)
{
    static const char suffixes[] = "kmgtpe";
    unsigned __int128 total, fraction = 0, scale = 1;
    const char *end, *suffix;
    unsigned shift = 0;

    if (!parse_number(text, value, &end)) {
        return false;
    }
    if (*end == '.') {
        for (end++; g_ascii_isdigit(*end) && scale < 1000000000; end++) {
            fraction = fraction * 10 + (unsigned)g_ascii_digit_value(*end);
            scale *= 10;
        }
        if (scale == 1) {
            return false;
        }
    }
    if (*end && (suffix = strchr(suffixes, g_ascii_tolower(*end)))) {
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        end++;
    } else if (g_ascii_tolower(*end) == 'b') {
        end++;
    }
    total = ((unsigned __int128)*value << shift) + (fraction << shift) / scale;
    *value = (uint64_t)total;
    return *end == '\0' && total <= UINT64_MAX && (shift > 0 || fraction == 0);
}

static bool parse_signed(const char *text, int64_t *value)
{
    bool minus = text[0] == '-';
    const char *end;
    uint64_t u;

    if (!parse_number(text + minus, &u, &end) || *end || u > (uint64_t)INT64_MAX) {
        return false;
    }
    *value = minus ? -(int64_t)u : (int64_t)u;
    return true;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    if (strlen(text) != 17) {
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        const char *c = text + 3 * i;

        if (!g_ascii_isxdigit(c[0]) || !g_ascii_isxdigit(c[1]) ||
            (i < 5 && (c[2] != text[2] || (c[2] != ':' && c[2] != '-')))) {
            return false;
        }
        mac[i] = (uint8_t)(g_ascii_xdigit_value(c[0]) << 4 | g_ascii_xdigit_value(c[1]));
    }
    return true;
}

static bool parse_unsigned(const PlanProp *p, const char *text, uint64_t *value)
{
    uint64_t min, max;
    const char *end;

    if (p->kind == PLAN_PROP_SIZE ? !parse_size(text, value)
                                  : !parse_number(text, value, &end) || *end) {
        return false;
    }
    range_of(p, &min, &max);
    /* a default outside the range means "not set", and a dump with it must be accepted */
    return (*value >= min && *value <= max) ||
           (*value == p->def && !(p->flags & PLAN_PROP_REQUIRED));
}

static bool parse_ranged_signed(const PlanProp *p, const char *text, int64_t *value)
{
    uint64_t min, max;

    range_of(p, &min, &max);
    return parse_signed(text, value) && *value >= (int64_t)min && *value <= (int64_t)max;
}

static bool parse_cap(const PlanProp *p, const char *text, int64_t *value)
{
    uint64_t min, max, offset;
    const char *end;
    bool on;

    if (value_parse_bool(text, &on)) {
        *value = on ? PLAN_CAP_ANYWHERE : PLAN_CAP_OFF;
        return true;
    }
    range_of(p, &min, &max);
    if (!parse_number(text, &offset, &end) || *end || offset % 4 || offset < min || offset > max) {
        return false;
    }
    *value = (int64_t)offset;
    return true;
}

static bool parse_choice(const PlanProp *p, const char *text, uint64_t *value)
{
    for (size_t i = 0; p->choices && p->choices[i]; i++) {
        if (strcmp(p->choices[i], text) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool parse_onoff(const char *text, uint64_t *value)
{
    bool on = false;
    bool is_auto = g_ascii_strcasecmp(text, "auto") == 0;

    if (!is_auto && !value_parse_bool(text, &on)) {
        return false;
    }
    *value = is_auto ? PLAN_AUTO : on ? PLAN_ON : PLAN_OFF;
    return true;
}

static bool parse_kind(const PlanProp *p, const char *text, PlanValue *v)
{
    switch (p->kind) {
    case PLAN_PROP_BOOL:
        return value_parse_bool(text, &v->b);
    case PLAN_PROP_I32:
        return parse_ranged_signed(p, text, &v->i);
    case PLAN_PROP_STRING:
    case PLAN_PROP_BACKEND:
        v->s = g_strdup(text);
        return g_utf8_validate(text, -1, NULL);
    case PLAN_PROP_ENUM:
        return parse_choice(p, text, &v->u);
    case PLAN_PROP_ONOFF:
        return parse_onoff(text, &v->u);
    case PLAN_PROP_CAP:
        return parse_cap(p, text, &v->i);
    case PLAN_PROP_MAC:
        return parse_mac(text, v->mac);
    default:
        return parse_unsigned(p, text, &v->u);
    }
}

/* Describe the accepted values for a message. */
char *plan_value_accepts(const PlanProp *p)
{
    uint64_t min, max;

    switch (p->kind) {
    case PLAN_PROP_BOOL:
        return g_strdup("on or off");
    case PLAN_PROP_ONOFF:
        return g_strdup("on, off or auto");
    case PLAN_PROP_MAC:
        return g_strdup("six bytes as 52:54:00:12:34:56");
    case PLAN_PROP_ENUM: {
        g_autofree char *list = g_strjoinv(", ", (char **)p->choices);

        return g_strdup_printf("one of %s", list);
    }
    case PLAN_PROP_STRING:
    case PLAN_PROP_BACKEND:
        return g_strdup("text in UTF-8");
    default:
        break;
    }
    range_of(p, &min, &max);
    if (p->kind == PLAN_PROP_CAP) {
        return g_strdup_printf("off, on, or an offset from 0x%" G_GINT64_MODIFIER
                               "x to 0x%" G_GINT64_MODIFIER "x that is a multiple of 4",
                               min, max);
    }
    if (p->kind == PLAN_PROP_I32) {
        return g_strdup_printf("a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                               (int64_t)min, (int64_t)max);
    }
    return g_strdup_printf(
        "a %s from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
        p->kind == PLAN_PROP_SIZE ? "size in bytes (suffixes k M G T)" : "number", min, max);
}

bool plan_value_parse(const PlanProp *p, const char *text, PlanValue *v, GError **err)
{
    g_autofree char *quoted = NULL, *accepts = NULL;
    bool string = p->kind == PLAN_PROP_STRING || p->kind == PLAN_PROP_BACKEND;

    *v = (PlanValue){ .kind = p->kind };
    if (!text ? string : parse_kind(p, text, v)) {
        return true;
    }
    plan_value_clear(v);
    quoted = text ? plan_quote(text) : g_strdup("null");
    accepts = plan_value_accepts(p);
    return plan_fail(err, "property '%s' does not accept %s: use %s", p->name, quoted, accepts);
}

void plan_value_default(const PlanProp *p, PlanValue *v)
{
    *v = (PlanValue){ .kind = p->kind };
    switch (p->kind) {
    case PLAN_PROP_BOOL:
        v->b = p->def != 0;
        break;
    case PLAN_PROP_STRING:
    case PLAN_PROP_BACKEND:
        v->s = g_strdup(p->def_str);
        break;
    case PLAN_PROP_I32:
    case PLAN_PROP_CAP:
        v->i = (int64_t)p->def;
        break;
    case PLAN_PROP_MAC:
        break; /* all bytes 0: no address given */
    default:
        v->u = p->def;
        break;
    }
}

static char *format_cap(int64_t offset)
{
    if (offset == PLAN_CAP_OFF) {
        return g_strdup("off");
    }
    return offset == PLAN_CAP_ANYWHERE ? g_strdup("on") : g_strdup_printf("0x%x", (unsigned)offset);
}

char *plan_value_format(const PlanProp *p, const PlanValue *v)
{
    static const char *const onoff[] = { "auto", "on", "off" };

    switch (p->kind) {
    case PLAN_PROP_BOOL:
        return g_strdup(v->b ? "on" : "off");
    case PLAN_PROP_I32:
        return g_strdup_printf("%" G_GINT64_FORMAT, v->i);
    case PLAN_PROP_STRING:
    case PLAN_PROP_BACKEND:
        return g_strdup(v->s);
    case PLAN_PROP_ENUM:
        return g_strdup(p->choices[v->u]);
    case PLAN_PROP_ONOFF:
        return g_strdup(onoff[v->u]);
    case PLAN_PROP_CAP:
        return format_cap(v->i);
    case PLAN_PROP_MAC:
        return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2],
                               v->mac[3], v->mac[4], v->mac[5]);
    default:
        return g_strdup_printf("%" G_GUINT64_FORMAT, v->u);
    }
}

void plan_value_clear(PlanValue *v)
{
    if (v->kind == PLAN_PROP_STRING || v->kind == PLAN_PROP_BACKEND) {
        g_free(v->s);
    }
    v->u = 0;
    memset(v->mac, 0, sizeof(v->mac));
}

bool plan_value_equal(const PlanValue *a, const PlanValue *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case PLAN_PROP_BOOL:
        return a->b == b->b;
    case PLAN_PROP_STRING:
    case PLAN_PROP_BACKEND:
        return g_strcmp0(a->s, b->s) == 0;
    case PLAN_PROP_MAC:
        return memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
    default:
        return a->u == b->u;
    }
}
