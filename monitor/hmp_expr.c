/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions and formats of the human monitor (contract in hmp_expr_internal.h).
 */
#include "hmp_expr_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HMP_EXPR_DEPTH_MAX 64 /* nested parentheses and unary operators */
#define HMP_EXPR_ERROR     g_quark_from_static_string("hmp-expr"), 0

typedef struct HmpExpr {
    const char *at;
    HmpRegister *reg;
    void *opaque;
    unsigned depth;
    GError **err;
    bool failed;
} HmpExpr;

/* Record the first error only; returns 0. */
static uint64_t hmp_expr_fail(HmpExpr *e, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static uint64_t hmp_expr_fail(HmpExpr *e, const char *fmt, ...)
{
    va_list ap;

    if (!e->failed && e->err) {
        va_start(ap, fmt);
        *e->err = g_error_new_valist(HMP_EXPR_ERROR, fmt, ap);
        va_end(ap);
    }
    e->failed = true;
    return 0;
}

static void hmp_expr_skip(HmpExpr *e)
{
    while (g_ascii_isspace(*e->at)) {
        e->at++;
    }
}

/* Consume and return the next character if it is in @chars; otherwise return 0. */
static char hmp_expr_take(HmpExpr *e, const char *chars)
{
    hmp_expr_skip(e);
    return *e->at && strchr(chars, *e->at) && !e->failed ? *e->at++ : '\0';
}

/* Return the value of a register, with e->at at its '$'. */
static uint64_t hmp_expr_register(HmpExpr *e)
{
    size_t n = strspn(e->at + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
    g_autofree char *name = g_strndup(e->at + 1, n);
    uint64_t value = 0;

    if (!e->reg(e->opaque, name, &value)) {
        return hmp_expr_fail(e, "unknown register '$%s'; info registers lists the names", name);
    }
    e->at += 1 + n;
    return value;
}

static uint64_t hmp_expr_number(HmpExpr *e)
{
    uint64_t value;
    char *end;

    if (e->at[0] == '\'' && e->at[1] && e->at[2] == '\'') {
        value = (uint8_t)e->at[1];
        e->at += 3;
        return value;
    }
    if (*e->at == '\0') {
        return hmp_expr_fail(e, "unexpected end of expression");
    }
    if (*e->at == '$') {
        return hmp_expr_register(e);
    }
    if (!g_ascii_isdigit(*e->at)) {
        return hmp_expr_fail(e, "invalid char '%c' in expression", *e->at);
    }
    errno = 0;
    value = g_ascii_strtoull(e->at, &end, 0);
    if (errno == ERANGE) {
        return hmp_expr_fail(e, "number too large");
    }
    e->at = end;
    return value;
}

static uint64_t hmp_expr_level(HmpExpr *e, unsigned level);

static uint64_t hmp_expr_unary(HmpExpr *e)
{
    char op = hmp_expr_take(e, "+-~(");
    uint64_t value;

    if (!op) {
        return hmp_expr_number(e);
    }
    if (e->depth >= HMP_EXPR_DEPTH_MAX) {
        return hmp_expr_fail(e, "more than %d nested operators", HMP_EXPR_DEPTH_MAX);
    }
    e->depth++;
    value = op == '(' ? hmp_expr_level(e, 0) : hmp_expr_unary(e);
    e->depth--;
    if (op == '(' && !hmp_expr_take(e, ")")) {
        return hmp_expr_fail(e, "')' expected");
    }
    return op == '-' ? -value : op == '~' ? ~value : value;
}

static uint64_t hmp_expr_apply(HmpExpr *e, char op, uint64_t left, uint64_t right)
{
    switch (op) {
    case '+':
        return left + right;
    case '-':
        return left - right;
    case '&':
        return left & right;
    case '|':
        return left | right;
    case '^':
        return left ^ right;
    case '*':
        return left * right;
    default:
        break;
    }
    if (right == 0) {
        return hmp_expr_fail(e, "division by zero");
    }
    return op == '/' ? left / right : left % right;
}

/* Evaluate operators of this level of precedence, from left to right, and of the levels above. */
static uint64_t hmp_expr_level(HmpExpr *e, unsigned level)
{
    static const char *const operators[] = { "+-", "&|^", "*/%" };
    uint64_t value;
    char op;

    if (level == G_N_ELEMENTS(operators)) {
        return hmp_expr_unary(e);
    }
    value = hmp_expr_level(e, level + 1);
    while ((op = hmp_expr_take(e, operators[level]))) {
        value = hmp_expr_apply(e, op, value, hmp_expr_level(e, level + 1));
    }
    return value;
}

bool hmp_expr_eval(const char *text, HmpRegister *reg, void *opaque, uint64_t *value, GError **err)
{
    HmpExpr e = { .at = text, .reg = reg, .opaque = opaque, .err = err };

    *value = hmp_expr_level(&e, 0);
    hmp_expr_skip(&e);
    if (*e.at) {
        hmp_expr_fail(&e, "extraneous characters at the end of line");
    }
    return !e.failed;
}

bool hmp_format_parse(const char **text, HmpFormat *format, GError **err)
{
    static const char sizes[] = "bhwg";
    const char *at = *text;
    char *end;

    if (*at == '/') {
        at++;
        if (g_ascii_isdigit(*at)) {
            format->count = g_ascii_strtoull(at, &end, 10);
            at = end;
        }
        for (; *at && !g_ascii_isspace(*at); at++) {
            if (strchr(sizes, *at)) {
                format->size = 1u << (strchr(sizes, *at) - sizes);
            } else if (strchr("xduoci", *at)) {
                format->conversion = *at;
            } else {
                g_set_error(err, HMP_EXPR_ERROR, "invalid char in format: '%c'", *at);
                return false;
            }
        }
    }
    while (g_ascii_isspace(*at)) {
        at++;
    }
    *text = at;
    return true;
}

/* Append the value as a C character constant. */
static void hmp_format_char(GString *out, uint64_t value)
{
    static const char escapes[] = "\n\r\t\\'", letters[] = "nrt\\'";
    const char *escape = value && value < 0x80 ? strchr(escapes, (int)value) : NULL;

    if (escape) {
        g_string_append_printf(out, "'\\%c'", letters[escape - escapes]);
    } else if (value >= ' ' && value < 0x7f) {
        g_string_append_printf(out, "'%c'", (char)value);
    } else {
        g_string_append_printf(out, "'\\x%02" PRIx64 "'", value);
    }
}

void hmp_format_value(GString *out, char conversion, uint64_t value, int width, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    switch (conversion) {
    case 'c':
        hmp_format_char(out, value);
        break;
    case 'd':
    case 'i':
        g_string_append_printf(out, "%*" PRId64, width, (int64_t)(value << shift) >> shift);
        break;
    case 'u':
        g_string_append_printf(out, "%*" PRIu64, width, value);
        break;
    case 'o':
        g_string_append_printf(out, "%#*" PRIo64, width, value);
        break;
    default:
        if (width > 0) {
            g_string_append_printf(out, "0x%0*" PRIx64, width, value);
        } else {
            g_string_append_printf(out, "%#" PRIx64, value);
        }
        break;
    }
}
