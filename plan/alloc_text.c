/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of addresses: parsers and formatters that follow from the table of an address type, and the
 * check of such a table.
 */
#include "plan/alloc_internal.h"

enum { TEXT_DIGITS_MAX = 16 };

static uint64_t text_max(const PlanAddrDim *d)
{
    return (1ull << d->width) - 1;
}

static bool text_is_digit(PlanNotation notation, char c)
{
    return notation == PLAN_NOTATION_DECIMAL ? g_ascii_isdigit(c)
           : notation == PLAN_NOTATION_HEX   ? g_ascii_isxdigit(c)
                                             : g_ascii_islower(c);
}

/* --- the table of a type --- */

static bool type_check_dim(const PlanAddrType *t, unsigned i, GError **err)
{
    const PlanAddrDim *d = &t->dim[i];
    const char *name = d->name ? d->name : "without a name", *before = d->before ? d->before : "";
    unsigned later = i + 1 < t->n_dims ? t->dim[i + 1].flags : (unsigned)d->flags;
    PlanNotation previous = i ? t->dim[i - 1].notation : d->notation;

    if (!d->name || d->width < 1 || d->width > 32 || d->notation > PLAN_NOTATION_LETTERS ||
        d->digits > TEXT_DIGITS_MAX) {
        return plan_fail(err,
                         "dimension %u (%s) of address type '%s' needs a name, a width of 1 to 32 "
                         "bits, a notation, and at most %d digits",
                         i, name, t->name, TEXT_DIGITS_MAX);
    }
    if (i && (!*before || *before == '{' || *before == '*' || text_is_digit(previous, *before))) {
        return plan_fail(err,
                         "the text '%s' before dimension %s of address type '%s' cannot be "
                         "distinguished from the value in front",
                         before, name, t->name);
    }
    if ((d->flags & PLAN_DIM_END_BEFORE && !(later & PLAN_DIM_END_BEFORE)) ||
        (d->flags & PLAN_DIM_HIDE_ZERO && !(d->flags & PLAN_DIM_END_BEFORE)) ||
        (d->flags & PLAN_DIM_START_AFTER && i && !(t->dim[i - 1].flags & PLAN_DIM_START_AFTER)) ||
        (i == 0 && d->flags & PLAN_DIM_END_BEFORE)) {
        return plan_fail(err,
                         "dimension %s of address type '%s' has flags 0x%x that contradict those "
                         "of its neighbours",
                         name, t->name, d->flags);
    }
    return true;
}

bool plan_address_type_check(const PlanAddrType *t, GError **err)
{
    unsigned bits = 0, inside = 0;

    if (!t || !t->name || t->n_dims < 1 || t->n_dims > PLAN_ADDR_DIMS ||
        t->group_dims >= t->n_dims || (t->group_dims && !t->group_name)) {
        return plan_fail(err,
                         "an address type needs a name and 1 to %d dimensions; a group needs a "
                         "name and fewer dimensions",
                         PLAN_ADDR_DIMS);
    }
    for (unsigned i = 0; i < t->n_dims; i++) {
        if (!type_check_dim(t, i, err)) {
            return false;
        }
        bits += t->dim[i].width;
        inside += t->group_dims && i >= t->group_dims ? t->dim[i].width : 0;
    }
    if (bits > PLAN_ADDR_BITS || inside > PLAN_ADDR_GROUP_BITS) {
        return plan_fail(err,
                         "address type '%s' has %u bits, %u of them inside a group: at most %d and "
                         "%d are possible",
                         t->name, bits, inside, PLAN_ADDR_BITS, PLAN_ADDR_GROUP_BITS);
    }
    return true;
}

/* --- values --- */

static unsigned text_shift(const PlanAddrType *t, unsigned dim)
{
    unsigned shift = 0;

    for (unsigned i = t->n_dims; i-- > dim + 1;) {
        shift += t->dim[i].width;
    }
    return shift;
}

uint64_t plan_address_value(const PlanAddrType *t, uint64_t addr, unsigned dim)
{
    return dim < t->n_dims ? addr >> text_shift(t, dim) & text_max(&t->dim[dim]) : 0;
}

bool plan_address_pack(const PlanAddrType *t, const uint64_t *value, uint64_t *addr, GError **err)
{
    uint64_t packed = 0;

    for (unsigned i = 0; i < t->n_dims; i++) {
        if (value[i] > text_max(&t->dim[i])) {
            return plan_fail(err,
                             "%s %" G_GUINT64_FORMAT " of an address of type '%s' must be at most "
                             "%" G_GUINT64_FORMAT,
                             t->dim[i].name, value[i], t->name, text_max(&t->dim[i]));
        }
        packed = packed << t->dim[i].width | value[i];
    }
    if (t->check && !t->check(t, packed, err)) {
        return false;
    }
    *addr = packed;
    return true;
}

void plan_range_all(const PlanAddrType *t, PlanAddrRange *range)
{
    *range = (PlanAddrRange){ { 0 }, { 0 } };
    for (unsigned i = 0; i < t->n_dims; i++) {
        range->hi[i] = text_max(&t->dim[i]);
    }
}

/* --- formatting --- */

static void text_append_letters(GString *out, uint64_t value)
{
    char reversed[16];
    unsigned n = 0;

    for (value++; value; value = (value - 1) / 26) {
        reversed[n++] = (char)('a' + (value - 1) % 26);
    }
    while (n-- > 0) {
        g_string_append_c(out, reversed[n]);
    }
}

static void text_append_value(GString *out, const PlanAddrDim *d, uint64_t value)
{
    if (d->notation == PLAN_NOTATION_LETTERS) {
        text_append_letters(out, value);
    } else {
        g_string_append_printf(out,
                               d->notation == PLAN_NOTATION_HEX ? "%0*" G_GINT64_MODIFIER "x"
                                                                : "%0*" G_GINT64_MODIFIER "u",
                               MAX(d->digits, 1), value);
    }
}

static void text_append_item(GString *out, const PlanAddrDim *d, uint64_t lo, uint64_t hi)
{
    if (lo == hi) {
        text_append_value(out, d, lo);
    } else if (lo == 0 && hi == text_max(d)) {
        g_string_append_c(out, '*');
    } else {
        g_string_append_c(out, '{');
        text_append_value(out, d, lo);
        g_string_append(out, "..");
        text_append_value(out, d, hi);
        g_string_append_c(out, '}');
    }
}

/* Return the number of dimensions to print. */
static unsigned text_shown(const PlanAddrType *t, const PlanAddrRange *range)
{
    unsigned n = t->n_dims;

    while (n > 0 && (t->dim[n - 1].flags & PLAN_DIM_HIDE_ZERO) && range->hi[n - 1] == 0) {
        n--;
    }
    return n;
}

char *plan_range_format(const PlanAddrType *t, const PlanAddrRange *range)
{
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < text_shown(t, range); i++) {
        g_string_append(out, t->dim[i].before ? t->dim[i].before : "");
        text_append_item(out, &t->dim[i], range->lo[i], range->hi[i]);
    }
    return g_string_free(out, FALSE);
}

char *plan_address_format(const PlanAddrType *t, uint64_t addr)
{
    PlanAddrRange range;

    for (unsigned i = 0; i < t->n_dims; i++) {
        range.lo[i] = range.hi[i] = plan_address_value(t, addr, i);
    }
    return plan_range_format(t, &range);
}

/* --- parsing --- */

static bool text_value(const PlanAddrDim *d, const char **at, uint64_t *value)
{
    unsigned base = d->notation == PLAN_NOTATION_DECIMAL ? 10 : 16, n = 0;
    uint64_t v = 0;

    if (d->notation == PLAN_NOTATION_HEX && g_ascii_strncasecmp(*at, "0x", 2) == 0) {
        *at += 2;
    }
    for (; text_is_digit(d->notation, **at); ++*at, n++) {
        v = d->notation == PLAN_NOTATION_LETTERS ? v * 26 + (uint64_t)(**at - 'a') + 1
                                                 : v * base + (uint64_t)g_ascii_xdigit_value(**at);
        if (v > 2 * text_max(d) + 2) {
            return false;
        }
    }
    v -= d->notation == PLAN_NOTATION_LETTERS && n;
    *value = v;
    return n > 0 && v <= text_max(d);
}

/* Parse a value or, if @ranges, "{LO..HI}" or "*". */
static bool text_item(const PlanAddrDim *d, bool ranges, const char **at, uint64_t *lo,
                      uint64_t *hi)
{
    if (ranges && **at == '*') {
        ++*at;
        *lo = 0;
        *hi = text_max(d);
        return true;
    }
    if (!ranges || **at != '{') {
        bool ok = text_value(d, at, lo);

        *hi = *lo;
        return ok;
    }
    ++*at;
    if (!text_value(d, at, lo) || !g_str_has_prefix(*at, "..")) {
        return false;
    }
    *at += 2;
    if (!text_value(d, at, hi) || **at != '}' || *lo > *hi) {
        return false;
    }
    ++*at;
    return true;
}

/* Parse text that begins with dimension @start. On failure, set *dim to the dimension that does not
 * match and *at to its position. */
static bool text_parse_from(const PlanAddrType *t, unsigned start, bool ranges, const char **at,
                            unsigned *dim, PlanAddrRange *out)
{
    *out = (PlanAddrRange){ { 0 }, { 0 } };
    for (unsigned i = start; i < t->n_dims; i++) {
        const char *before = t->dim[i].before ? t->dim[i].before : "";

        *dim = i;
        if (**at == '\0' && i > start && (t->dim[i].flags & PLAN_DIM_END_BEFORE)) {
            return true;
        }
        if ((i == 0 || i > start) && !g_str_has_prefix(*at, before)) {
            return false;
        }
        *at += i == 0 || i > start ? strlen(before) : 0;
        if (!text_item(&t->dim[i], ranges, at, &out->lo[i], &out->hi[i])) {
            return false;
        }
    }
    return **at == '\0';
}

static bool text_refuse(const PlanAddrType *t, const char *text, unsigned dim, GError **err)
{
    g_autofree char *quoted = plan_quote(text);
    GString *form = g_string_new(NULL);

    for (unsigned i = 0; i < t->n_dims; i++) {
        g_string_append_printf(form, "%s%s", t->dim[i].before ? t->dim[i].before : "",
                               t->dim[i].name);
    }
    g_string_append_printf(form, ", with %s from ", t->dim[dim].name);
    text_append_value(form, &t->dim[dim], 0);
    g_string_append(form, " to ");
    text_append_value(form, &t->dim[dim], text_max(&t->dim[dim]));
    plan_fail(err, "%s is not an address of type '%s': expected %s", quoted, t->name, form->str);
    g_string_free(form, TRUE);
    return false;
}

static bool text_parse(const PlanAddrType *t, const char *text, bool ranges, PlanAddrRange *range,
                       GError **err)
{
    const char *best = text = text ? text : "";
    unsigned failed = 0;

    for (unsigned start = 0; start < t->n_dims; start++) {
        const char *at = text;
        unsigned dim = start;
        PlanAddrRange out;

        if (start && !(t->dim[start - 1].flags & PLAN_DIM_START_AFTER)) {
            break;
        }
        if (text_parse_from(t, start, ranges, &at, &dim, &out)) {
            *range = out;
            return true;
        }
        if (at >= best) {
            best = at;
            failed = dim;
        }
    }
    return text_refuse(t, text, failed, err);
}

bool plan_range_parse(const PlanAddrType *t, const char *text, PlanAddrRange *range, GError **err)
{
    return text_parse(t, text, true, range, err);
}

bool plan_address_parse(const PlanAddrType *t, const char *text, uint64_t *addr, GError **err)
{
    PlanAddrRange range;

    return text_parse(t, text, false, &range, err) && plan_address_pack(t, range.lo, addr, err);
}
